//! Amounts of memory as users write and read them.

use crate::error::{Error, Result};

/// How much memory a worker may fill with values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum MemoryLimit {
    /// Its share of what its node, or its cgroup, has, by threads; of a device, all.
    #[default]
    Auto,
    /// So many bytes.
    Bytes(u64),
    /// This part of what its node, or its cgroup, has.
    Fraction(f64),
}

impl std::str::FromStr for MemoryLimit {
    type Err = Error;

    /// Reads `auto`, a fraction such as `0.5`, or bytes such as `40GB`, `512MiB` or `1000000`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let wrong = || {
            Error::Option(format!(
                "memory limit {text:?} is not auto, a fraction like 0.5, or bytes like 40GB"
            ))
        };
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let amount: f64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" if amount > 0.0 && amount <= 1.0 => return Ok(Self::Fraction(amount)),
            "" | "b" => 1.0,
            "k" | "kb" => 1e3,
            "m" | "mb" => 1e6,
            "g" | "gb" => 1e9,
            "t" | "tb" => 1e12,
            "kib" => 1024.0,
            "mib" => 1048576.0,
            "gib" => 1073741824.0,
            "tib" => 1099511627776.0,
            _ => return Err(wrong()),
        };
        let bytes = amount * unit;
        if bytes < 1.0 { Err(wrong()) } else { Ok(Self::Bytes(bytes as u64)) }
    }
}

/// A number of bytes as people read it.
pub(crate) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.2} {}", UNITS[unit]) }
}
