//! Compares encodings without regard to the order of entries: hash tables have another order each time.

use super::tag;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A digest of an encoding that does not depend on the order of a sequence's items or a map's entries. `None`
/// if it is no encoding.
pub(super) fn of(bytes: &[u8]) -> Option<u64> {
    let mut walk = Walk { bytes, names: Vec::new() };
    let digest = walk.item()?;
    walk.bytes.is_empty().then_some(digest)
}

struct Walk<'a> {
    bytes: &'a [u8],
    names: Vec<&'a [u8]>,
}

fn hash(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

impl<'a> Walk<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<&'a [u8]> {
        let count = self.bytes.iter().position(|byte| *byte < 0x80)? + 1;
        self.take(count)
    }

    fn length(&mut self) -> Option<usize> {
        let bytes = self.varint()?;
        let shifted = |(place, byte): (usize, &u8)| usize::from(byte & 0x7f) << (7 * place).min(63);
        Some(bytes.iter().enumerate().map(shifted).fold(0, |sum, part| sum | part))
    }

    fn name(&mut self) -> Option<Option<&'a [u8]>> {
        let code = self.length()?;
        if code < 2 {
            return Some(None);
        }
        if code % 2 == 1 {
            return Some(Some(self.names.get(code / 2 - 1)?));
        }
        let name = self.take(code / 2 - 1)?;
        self.names.push(name);
        Some(Some(name))
    }

    fn item(&mut self) -> Option<u64> {
        let tag = self.byte()?;
        self.item_of(tag)
    }

    fn item_of(&mut self, tag: u8) -> Option<u64> {
        let content = match tag {
            tag::NONE | tag::UNIT | tag::FALSE | tag::TRUE => 0,
            tag::SOME => self.item()?,
            tag::I8 | tag::U8 => hash(self.take(1)?),
            tag::I16..=tag::I128 | tag::U16..=tag::U128 | tag::CHAR => hash(self.varint()?),
            tag::F32 => hash(self.take(4)?),
            tag::F64 => hash(self.take(8)?),
            tag::STR | tag::BYTES => {
                let length = self.length()?;
                hash(self.take(length)?)
            }
            tag::TUPLE => self.tuple()?,
            tag::SEQ => {
                let count = self.length()?;
                self.items(Some(count))?
            }
            tag::SEQ_OPEN => self.items(None)?,
            tag::MAP => {
                let mut sum = 0u64;
                while self.bytes.first()? != &tag::END {
                    sum = sum.wrapping_add(hash((self.item()?, self.item()?)));
                }
                self.byte()?;
                sum
            }
            tag::STRUCT => {
                let mut sum = 0u64;
                while let Some(name) = self.name()? {
                    sum = sum.wrapping_add(hash((name, self.item()?)));
                }
                sum
            }
            tag::UNIT_VARIANT => hash(self.name()??),
            tag::VARIANT => {
                let name = self.name()??;
                hash((name, self.item()?))
            }
            _ => return None,
        };
        // A sequence is the same whether its length was known or not.
        Some(hash((if tag == tag::SEQ_OPEN { tag::SEQ } else { tag }, content)))
    }

    /// In their order.
    fn tuple(&mut self) -> Option<u64> {
        let (count, mut seen, mut digest) = (self.length()?, 0, 0);
        while seen < count {
            if self.bytes.first()? == &tag::RUN {
                let [_, tag, length] = self.take(3)? else { return None };
                for _ in 0..*length {
                    digest = hash((digest, self.item_of(*tag)?));
                }
                seen += usize::from(*length);
            } else {
                digest = hash((digest, self.item()?));
                seen += 1;
            }
        }
        Some(digest)
    }

    fn items(&mut self, count: Option<usize>) -> Option<u64> {
        let (mut sum, mut seen) = (0u64, 0usize);
        loop {
            let is_over = match count {
                Some(count) => seen >= count,
                None => self.bytes.first()? == &tag::END,
            };
            if is_over {
                break;
            }
            if self.bytes.first()? == &tag::RUN {
                let [_, tag, length] = self.take(3)? else { return None };
                for _ in 0..*length {
                    sum = sum.wrapping_add(self.item_of(*tag)?);
                }
                seen += usize::from(*length);
            } else {
                sum = sum.wrapping_add(self.item()?);
                seen += 1;
            }
        }
        if count.is_none() {
            self.byte()?;
        }
        Some(hash((sum, seen)))
    }
}
