//! The table of cases that `numpy_cases/generate.py` writes, and how a case's arrays are cut into chunks.

use serde::Deserialize;
use std::fmt;

/// What the first line of the table says.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) seed: u64,
    pub(super) numpy: String,
}

/// A program, its inputs, and NumPy's results.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) inputs: Vec<Table>,
    pub(super) steps: Vec<Step>,
    /// What the last step gives; empty if NumPy refuses.
    pub(super) results: Vec<Table>,
    /// NumPy's error.
    #[serde(default)]
    pub(super) error: Option<String>,
    pub(super) tolerance: Tolerance,
    /// In how many ways the inputs are cut; each is a case.
    pub(super) variants: usize,
    /// What is meant to come out instead, and the row of `differences.md` that gives the reason.
    #[serde(default)]
    pub(super) meant: Option<Meant>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Meant {
    pub(super) row: String,
    pub(super) results: Vec<Table>,
}

/// An array: type, shape, and elements as words in C order.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    pub(super) data_type: String,
    pub(super) shape: Vec<usize>,
    pub(super) words: String,
}

/// One operation on earlier values: the inputs, then what each step gave.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) operation: String,
    pub(super) of: Vec<usize>,
    #[serde(default)]
    pub(super) numbers: Vec<i64>,
    #[serde(default)]
    pub(super) words: Vec<String>,
}

/// How close a result must be.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tolerance {
    /// The same bits.
    Exact,
    /// The same value: zeros of both signs are one.
    Value,
    /// Within so many units in the last place.
    Ulp(f64),
    /// Within so many units in the last place of the larger part; zeros of both signs are one.
    Parts(f64),
    /// Within this distance.
    Near(f64),
}

impl Step {
    /// The sizes or places among the numbers.
    pub(super) fn sizes(&self, from: usize) -> Vec<usize> {
        self.numbers[from..].iter().map(|number| *number as usize).collect()
    }

    pub(super) fn size(&self, place: usize) -> usize {
        self.numbers[place] as usize
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Table { data_type, shape, words }) in self.inputs.iter().enumerate() {
            writeln!(f, "  v{place} = {data_type} {shape:?}: {words}")?;
        }
        for Step { operation, of, numbers, words } in &self.steps {
            let of: Vec<String> = of.iter().map(|place| format!("v{place}")).collect();
            writeln!(f, "  {operation}({}) {numbers:?} {}", of.join(", "), words.join(" "))?;
        }
        Ok(())
    }
}

/// Reads a table: lines of JSON, compressed.
pub(super) fn read(path: &str) -> (Header, Vec<Entry>) {
    let compressed = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = lz4_flex::decompress_size_prepended(&compressed).expect("a table is compressed by LZ4");
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let header = serde_json::from_slice(lines.next().expect("a table has a first line")).unwrap();
    (header, lines.map(|line| serde_json::from_slice(line).unwrap()).collect())
}

/// Random numbers (SplitMix64) of which each case has its own.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, entry: usize, variant: usize) -> Self {
        let mut random = Self(seed);
        for part in [entry, variant] {
            random.0 = random.bits() ^ part as u64;
        }
        random
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// The sizes of pieces of each axis, of which any may be empty.
    pub(super) fn chunks(&mut self, shape: &[usize]) -> Vec<Vec<usize>> {
        shape.iter().map(|length| self.pieces(*length)).collect()
    }

    fn pieces(&mut self, length: usize) -> Vec<usize> {
        let cut = self.below(length + 1);
        match self.below(8) {
            0 => vec![length],
            1 => vec![0, length],
            2 => vec![length, 0],
            3 => vec![cut, 0, length - cut],
            4 => vec![0, cut, 0, 0, length - cut, 0],
            5 if length > 2 => vec![1, length - 2, 1],
            6 if length <= 5 => vec![1; length.max(1)].into_iter().map(|size| size.min(length)).collect(),
            _ => vec![cut, length - cut],
        }
    }
}
