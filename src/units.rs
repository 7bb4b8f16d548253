//! Parsing and formatting of memory sizes and durations.
//!
//! Whatever amount a user passes, calculating with it saturates: it neither panics nor wraps around.

use crate::error::{Error, Result};
use std::time::{Duration, Instant};

/// How far away a moment is that never comes: 100 years.
pub(crate) const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Returns the moment that is so long after another, or 100 years after it if it is longer.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    start + duration.min(NEVER)
}

/// Returns the nanoseconds of a duration, or the largest number if there are more.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the duration of so many seconds: none if they are negative or not a number, the longest if they are
/// too many.
pub(crate) fn from_seconds(seconds: f64) -> Duration {
    let longest = if seconds > 0.0 { Duration::MAX } else { Duration::ZERO };
    Duration::try_from_secs_f64(seconds).unwrap_or(longest)
}

/// How much memory a worker may fill with values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_time_saturate() {
        let now = Instant::now();
        assert_eq!(after(now, Duration::from_secs(5)), now + Duration::from_secs(5));
        for endless in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1 << 40)] {
            assert_eq!(after(now, endless), now + NEVER);
        }
        assert_eq!((nanoseconds(Duration::MAX), nanoseconds(Duration::from_nanos(7))), (u64::MAX, 7));
        let table = [
            (1.5, Duration::from_millis(1500)),
            (-1.0, Duration::ZERO),
            (f64::NAN, Duration::ZERO),
            (1e300, Duration::MAX),
            (f64::INFINITY, Duration::MAX),
        ];
        table.iter().for_each(|(seconds, duration)| assert_eq!(from_seconds(*seconds), *duration));
    }

    #[test]
    fn amounts_of_memory_saturate() {
        let read = |text: &str| text.parse::<MemoryLimit>().ok();
        assert_eq!(read("99999999999999999999TiB"), Some(MemoryLimit::Bytes(u64::MAX)));
        assert_eq!(read("16777216TiB"), Some(MemoryLimit::Bytes(u64::MAX)));
        assert_eq!(human_bytes(u64::MAX), "16384.00 PiB");
    }
}
