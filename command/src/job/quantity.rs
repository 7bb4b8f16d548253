//! Amounts of memory and lengths of time, as people and schedulers write them.

use super::JobError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// An amount of memory in bytes.
///
/// `GB` is 10^9 bytes and `GiB` is 2^30, as Dask reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Memory(pub u64);

/// Units, the largest first.
const UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
];

impl Memory {
    /// The share of one of `count`, rounded down to what is easily read: whole GB from 10 GB on,
    /// else whole MB.
    pub fn share(self, count: u32) -> Self {
        let share = self.0 / u64::from(count.max(1));
        let unit = if share >= 10_000_000_000 { 1_000_000_000 } else { 1_000_000 };
        Self(share / unit * unit)
    }

    /// Whole GiB, else whole MiB rounded up, each with the given unit: schedulers count in powers
    /// of two.
    pub(super) fn binary(self, gibibyte: &str, mebibyte: &str) -> String {
        if self.0.is_multiple_of(1 << 30) {
            format!("{}{gibibyte}", self.0 >> 30)
        } else {
            format!("{}{mebibyte}", self.0.div_ceil(1 << 20))
        }
    }
}

impl FromStr for Memory {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, JobError> {
        let unknown = || {
            JobError::option(
                "memory",
                format!("'{text}' is not an amount of memory: write 40GB, 40GiB or 512MB"),
            )
        };
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: f64 = number.parse().map_err(|_| unknown())?;
        let unit = unit.trim();
        let scale = UNITS.iter().find(|(name, _)| {
            name.eq_ignore_ascii_case(unit) || name.len() == 2 && name[..1].eq_ignore_ascii_case(unit)
        });
        let scale = match scale {
            Some((_, scale)) => *scale,
            None if unit.is_empty() || unit.eq_ignore_ascii_case("b") => 1,
            None => return Err(unknown()),
        };
        let bytes = number * scale as f64;
        if bytes < 1.0 || bytes >= u64::MAX as f64 {
            return Err(unknown());
        }
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, scale)| self.0 != 0 && self.0.is_multiple_of(*scale)) {
            Some((name, scale)) => write!(f, "{}{name}", self.0 / scale),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// How long a job may run, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Walltime(pub u64);

impl Walltime {
    /// The same as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// Reads `[days-]hours:minutes:seconds`.
    fn from_clock(text: &str) -> Option<u64> {
        let (days, clock) = text.split_once('-').unwrap_or(("0", text));
        let mut fields = clock.split(':').map(|field| {
            let digits = !field.is_empty() && field.len() < 10 && field.bytes().all(|b| b.is_ascii_digit());
            if digits { field.parse::<u64>().ok() } else { None }
        });
        let (hours, minutes, seconds) = (fields.next()??, fields.next()??, fields.next()??);
        if fields.next().is_some() || minutes > 59 || seconds > 59 {
            return None;
        }
        days.parse::<u64>().ok()?.checked_mul(86_400)?.checked_add(hours * 3600 + minutes * 60 + seconds)
    }

    /// Reads `1d12h`, `90m`, `1h 30m`.
    fn from_units(text: &str) -> Option<u64> {
        let (mut total, mut number) = (0_u64, None::<u64>);
        for c in text.chars().filter(|c| !c.is_whitespace()) {
            if let Some(digit) = c.to_digit(10) {
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit.into())?);
                continue;
            }
            let unit = match c {
                'd' => 86_400,
                'h' => 3600,
                'm' => 60,
                's' => 1,
                _ => return None,
            };
            total = total.checked_add(number.take()?.checked_mul(unit)?)?;
        }
        number.is_none().then_some(total)
    }
}

impl FromStr for Walltime {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, JobError> {
        let seconds =
            Self::from_clock(text).or_else(|| Self::from_units(text)).filter(|seconds| *seconds > 0);
        seconds.map(Self).ok_or_else(|| {
            let message =
                format!("'{text}' is not a length of time: write 01:30:00, 1-12:00:00, 90m or 1h30m");
            JobError::option("walltime", message)
        })
    }
}

impl fmt::Display for Walltime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60, self.0 % 60)
    }
}

/// Lets serde read a type through its `FromStr`, and write it through its `Display`.
macro_rules! through_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = JobError;

            fn try_from(text: String) -> Result<Self, JobError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}
pub(super) use through_text;

through_text!(Memory);
through_text!(Walltime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_dask_reads_it() {
        let table = [
            ("40GB", 40_000_000_000),
            ("40G", 40_000_000_000),
            ("40 gb", 40_000_000_000),
            ("40GiB", 40 << 30),
            ("1.5kB", 1500),
            ("512MB", 512_000_000),
            ("1TB", 1_000_000_000_000),
            ("4096", 4096),
            ("4096B", 4096),
        ];
        for (text, bytes) in table {
            assert_eq!(text.parse::<Memory>().unwrap(), Memory(bytes), "{text}");
        }
        for text in ["", "GB", "40XB", "-1GB", "0", "1e9GB", "forty"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }

    #[test]
    fn memory_is_written_so_that_it_reads_back() {
        for text in ["40GB", "192GiB", "2666MB", "1TB", "7B", "1GiB"] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_share_of_a_node_is_what_the_aurora_page_computes() {
        let node: Memory = "1100GB".parse().unwrap();
        assert_eq!(node.share(6).to_string(), "183GB");
        assert_eq!(node.share(12).to_string(), "91GB");
        assert_eq!(node.share(104).to_string(), "10GB");
        assert_eq!("32GB".parse::<Memory>().unwrap().share(12).to_string(), "2666MB");
    }

    #[test]
    fn a_walltime_is_a_clock_or_has_units() {
        let table = [
            ("01:00:00", 3600),
            ("1:0:5", 3605),
            ("48:00:00", 172_800),
            ("1-12:00:00", 129_600),
            ("90m", 5400),
            ("1h30m", 5400),
            ("1h 30m 5s", 5405),
            ("2d", 172_800),
        ];
        for (text, seconds) in table {
            assert_eq!(text.parse::<Walltime>().unwrap(), Walltime(seconds), "{text}");
        }
        // Slurm reads 30 as minutes and 1:30 as minutes and seconds, PBS as seconds: neither is
        // guessed.
        let bad =
            ["", "30", "1:30", "1:99:00", "1h30", "h", "x", "00:00:00", "-1:00:00", "1:2:3:4", "+1:00:00"];
        for text in bad {
            assert!(text.parse::<Walltime>().is_err(), "{text}");
        }
        assert_eq!(Walltime(129_600).to_string(), "36:00:00");
    }
}
