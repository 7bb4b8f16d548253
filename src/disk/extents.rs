//! Pure: which ranges of a spill file are in use.

use std::collections::BTreeMap;

/// A range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// Gives out ranges of a file, and takes them back. First fit: what lies at the front is filled again
/// before the file grows.
#[derive(Debug, Default)]
pub(super) struct Extents {
    /// Free ranges before the end, by their offset; no two of them touch.
    free: BTreeMap<u64, u64>,
    /// Where the file ends.
    end: u64,
}

impl Extents {
    /// A range of this length that nobody else has.
    pub(super) fn take(&mut self, length: u64) -> Extent {
        let fits = self.free.iter().find(|(_, free)| **free >= length);
        let Some((offset, free)) = fits.map(|(offset, free)| (*offset, *free)) else {
            let extent = Extent { offset: self.end, length };
            self.end += length;
            return extent;
        };
        self.free.remove(&offset);
        if free > length {
            self.free.insert(offset + length, free - length);
        }
        Extent { offset, length }
    }

    /// Takes a range back. Returns the new end of the file if it is shorter now.
    pub(super) fn give_back(&mut self, extent: Extent) -> Option<u64> {
        let Extent { mut offset, mut length } = extent;
        if length == 0 {
            return None;
        }
        if let Some(after) = self.free.remove(&(offset + length)) {
            length += after;
        }
        if let Some((before, free)) = self.free.range(..offset).next_back().map(|(at, free)| (*at, *free))
            && before + free == offset
        {
            self.free.remove(&before);
            (offset, length) = (before, length + free);
        }
        if offset + length == self.end {
            self.end = offset;
            return Some(self.end);
        }
        self.free.insert(offset, length);
        None
    }

    /// How many bytes are in use.
    #[cfg(test)]
    fn used(&self) -> u64 {
        self.end - self.free.values().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_file_shrinks_when_its_end_is_free() {
        let mut extents = Extents::default();
        let taken: Vec<Extent> = [10, 20, 30].map(|length| extents.take(length)).to_vec();
        assert_eq!(extents.give_back(taken[1]), None);
        assert_eq!(extents.take(15), Extent { offset: 10, length: 15 });
        assert_eq!(extents.give_back(taken[2]), Some(25));
        assert_eq!(extents.give_back(taken[0]), None);
        assert_eq!(extents.give_back(Extent { offset: 10, length: 15 }), Some(0));
    }

    proptest! {
        #[test]
        fn nobody_gets_what_another_has(steps in prop::collection::vec((0u64..50, any::<bool>(), any::<prop::sample::Index>()), 1..200)) {
            let (mut extents, mut taken) = (Extents::default(), Vec::<Extent>::new());
            for (length, gives, which) in steps {
                if gives && !taken.is_empty() {
                    extents.give_back(taken.swap_remove(which.index(taken.len())));
                } else {
                    let new = extents.take(length);
                    for old in &taken {
                        let apart = new.offset + new.length <= old.offset || old.offset + old.length <= new.offset;
                        prop_assert!(apart || new.length == 0 || old.length == 0, "{new:?} and {old:?}");
                    }
                    taken.push(new);
                }
                prop_assert_eq!(extents.used(), taken.iter().map(|extent| extent.length).sum::<u64>());
            }
        }
    }
}
