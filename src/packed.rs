//! Many byte strings in one allocation: the encoded values of many tasks, at a few bytes of overhead each.

use serde::{Deserialize, Serialize};

/// Byte strings, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    ends: Ends,
}

/// Where the strings of a [`Packed`] end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Ends {
    /// All have the same width; the count, then the width.
    Every(u32, u32),
    /// Any.
    At(Vec<u32>),
}

impl Default for Ends {
    fn default() -> Self {
        Self::Every(0, 0)
    }
}

impl Packed {
    /// How many strings.
    pub fn len(&self) -> usize {
        match &self.ends {
            Ends::Every(count, _) => *count as usize,
            Ends::At(ends) => ends.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes all strings have together.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// Adds the string that `write` appends.
    pub fn push_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.bytes.len();
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let width = (self.bytes.len() - start) as u32;
        match &mut self.ends {
            Ends::Every(0, every) => {
                *every = width;
                self.ends = Ends::Every(1, width);
            }
            Ends::Every(count, every) if *every == width => *count += 1,
            Ends::Every(count, every) => {
                let mut ends: Vec<u32> = (1..=*count).map(|n| n * *every).collect();
                ends.push(self.bytes.len() as u32);
                self.ends = Ends::At(ends);
            }
            Ends::At(ends) => ends.push(self.bytes.len() as u32),
        }
        Ok(())
    }

    /// Adds a string.
    pub fn push(&mut self, string: &[u8]) {
        let _: Result<(), std::convert::Infallible> = self.push_with(|bytes| {
            bytes.extend_from_slice(string);
            Ok(())
        });
    }

    /// Keeps the first `count` strings, and no bytes after them.
    pub fn truncate(&mut self, count: usize) {
        let count = count.min(self.len());
        self.bytes.truncate(self.start(count));
        match &mut self.ends {
            Ends::Every(length, _) => *length = count as u32,
            Ends::At(ends) => ends.truncate(count),
        }
    }

    fn start(&self, index: usize) -> usize {
        match &self.ends {
            Ends::Every(_, width) => index * *width as usize,
            Ends::At(_) if index == 0 => 0,
            Ends::At(ends) => ends[index - 1] as usize,
        }
    }

    /// The string at `index`.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    pub fn at(&self, index: usize) -> &[u8] {
        assert!(index < self.len(), "string {index} of {}", self.len());
        &self.bytes[self.start(index)..self.start(index + 1)]
    }

    /// The strings from `first` on.
    #[must_use]
    pub fn slice(&self, first: usize, count: usize) -> Self {
        let (start, end) = (self.start(first), self.start(first + count));
        let ends = match &self.ends {
            Ends::Every(_, width) => Ends::Every(count as u32, *width),
            Ends::At(ends) => {
                Ends::At(ends[first..first + count].iter().map(|at| at - start as u32).collect())
            }
        };
        Self { bytes: self.bytes[start..end].to_vec(), ends }
    }

    /// Each string, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| &self.bytes[self.start(index)..self.start(index + 1)])
    }

    /// Whether the strings lie within the bytes, as they must after decoding.
    pub(crate) fn is_valid(&self) -> bool {
        match &self.ends {
            Ends::Every(count, width) => u64::from(*count) * u64::from(*width) == self.bytes.len() as u64,
            Ends::At(ends) => {
                ends.is_sorted() && ends.last().is_none_or(|last| *last as usize == self.bytes.len())
            }
        }
    }
}

impl<'a> FromIterator<&'a [u8]> for Packed {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(strings: I) -> Self {
        let mut packed = Self::default();
        strings.into_iter().for_each(|string| packed.push(string));
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packed_strings_come_back(strings: Vec<Vec<u8>>, cut: (usize, usize)) {
            let packed: Packed = strings.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), strings.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert!(packed.is_valid());
            if !strings.is_empty() {
                let first = cut.0 % strings.len();
                let count = cut.1 % (strings.len() - first + 1);
                let slice = packed.slice(first, count);
                prop_assert!(slice.is_valid());
                let expected: Vec<_> = strings[first..first + count].iter().map(Vec::as_slice).collect();
                prop_assert_eq!(slice.iter().collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn strings_of_one_width_need_no_ends() {
        let packed: Packed = [[1u8, 2], [3, 4]].iter().map(|s| s.as_slice()).collect();
        assert_eq!(packed.ends, Ends::Every(2, 2));
    }
}
