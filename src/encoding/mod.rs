//! Self-describing binary encoding of values, for any type that `serde` supports.
//!
//! Each item begins with a tag ([`tag`]) that names its kind; struct fields and enum variants travel by
//! name. So attributes of `serde` that leave fields out or renumber variants do no harm, and types that ask
//! the format what comes (`untagged`, `flatten`, `serde_json::Value`) can be read. A name is written once a
//! value and is a number from then on; scalars of a sequence share a tag.
//!
//! A type can still lose what it writes, for example an `untagged` enum whose variants look alike. [`check`]
//! reads a value back and compares the two.
//!
//! Pure: it knows nothing of values, ranks or files.

mod digest;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::{Sink, Writer};

use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// What an item begins with.
mod tag {
    pub(super) const NONE: u8 = 1;
    pub(super) const SOME: u8 = 2;
    pub(super) const UNIT: u8 = 3;
    pub(super) const FALSE: u8 = 4;
    pub(super) const TRUE: u8 = 5;
    pub(super) const I8: u8 = 6;
    pub(super) const I16: u8 = 7;
    pub(super) const I32: u8 = 8;
    pub(super) const I64: u8 = 9;
    pub(super) const I128: u8 = 10;
    pub(super) const U8: u8 = 11;
    pub(super) const U16: u8 = 12;
    pub(super) const U32: u8 = 13;
    pub(super) const U64: u8 = 14;
    pub(super) const U128: u8 = 15;
    pub(super) const F32: u8 = 16;
    pub(super) const F64: u8 = 17;
    pub(super) const CHAR: u8 = 18;
    pub(super) const STR: u8 = 19;
    pub(super) const BYTES: u8 = 20;
    /// A sequence: how many items follow.
    pub(super) const SEQ: u8 = 21;
    /// A sequence whose length was not known: items up to `END`.
    pub(super) const SEQ_OPEN: u8 = 22;
    /// Keys and values up to `END`.
    pub(super) const MAP: u8 = 23;
    /// Names and values, and instead of a further name 0, or 1 if a field was left out.
    pub(super) const STRUCT: u8 = 24;
    /// The name of a variant that has no content.
    pub(super) const UNIT_VARIANT: u8 = 25;
    /// The name of a variant, and its content as an item.
    pub(super) const VARIANT: u8 = 26;
    /// Within a sequence: the tag of scalars, how many, and these without their tags.
    pub(super) const RUN: u8 = 27;
    /// A tuple, or what a tuple struct or a tuple variant has: how many items follow.
    pub(super) const TUPLE: u8 = 28;
    pub(super) const END: u8 = 29;
}

/// Why a value cannot be written or read, with the fields that lead to the place.
#[derive(Debug)]
pub(crate) struct EncodingError {
    message: String,
    /// From the inside out.
    fields: Vec<String>,
}

impl EncodingError {
    fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), fields: Vec::new() }
    }

    fn within(mut self, field: &str) -> Self {
        self.fields.push(field.to_string());
        self
    }
}

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.fields.is_empty() {
            f.write_str("field `")?;
            for (place, field) in self.fields.iter().rev().enumerate() {
                write!(f, "{}{field}", if place > 0 { "." } else { "" })?;
            }
            f.write_str("`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for EncodingError {}

impl serde::ser::Error for EncodingError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::de::Error for EncodingError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

/// Encodes a value at the end of `bytes`.
///
/// # Errors
///
/// Those of the value's own `Serialize`.
pub(crate) fn append<T: Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), EncodingError> {
    let mut writer = Writer::new(bytes);
    value.serialize(&mut writer)
}

/// What was found when a value was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whether the type asked the encoding what comes, ignored a part of it, or had left something out: then it
    /// may have taken one thing for another.
    pub(crate) is_loose: bool,
    /// About how many bytes the value has in memory.
    pub(crate) memory_bytes: u64,
}

/// Decodes a value, which must be all of `bytes`.
///
/// # Errors
///
/// Those of the value's own `Deserialize`, and one if the bytes are no such value.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, Found), EncodingError> {
    let mut reader = Reader::new(bytes);
    let value = T::deserialize(&mut reader)?;
    let found = reader.finish()?;
    Ok((value, found))
}

/// Decodes a value, and finds out whether it is what was written.
///
/// # Errors
///
/// As [`read`], and one if the value is another one. A type that reads what it wrote without asking what
/// comes is believed.
pub(crate) fn read_checked<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
) -> Result<(T, Found), EncodingError> {
    let (value, found) = read::<T>(bytes)?;
    if found.is_loose {
        compare(&value, bytes)?;
    }
    Ok((value, found))
}

/// Finds out whether a value that was encoded is read as what it was. Returns whether its type is loose.
///
/// # Errors
///
/// Those of reading it, and one if it arrives as another value.
pub(crate) fn check<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<bool, EncodingError> {
    let (value, found) = read::<T>(bytes)?;
    compare(&value, bytes)?;
    Ok(found.is_loose)
}

fn compare<T: Serialize>(value: &T, bytes: &[u8]) -> Result<(), EncodingError> {
    let mut again = Vec::with_capacity(bytes.len());
    append(value, &mut again)?;
    if again == bytes || digest::of(&again).is_some_and(|digest| digest::of(bytes) == Some(digest)) {
        return Ok(());
    }
    Err(EncodingError::new(
        "it arrives as another value: what its `Deserialize` makes of it is not what its `Serialize` wrote \
         (serde attributes such as `untagged`, `default`, `skip_serializing_if` or `with` can do that)",
    ))
}
