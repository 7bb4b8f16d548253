//! Reads values.

use super::{
    EncodingError, Found, tag,
    write::{ALLOCATION_BYTES, HANDLE_BYTES, allocated, size_in_memory},
};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::BorrowedStrDeserializer,
};

/// Reads one value. It counts about how many bytes the value has in memory, too.
pub(crate) struct Reader<'de> {
    bytes: &'de [u8],
    names: Vec<&'de str>,
    /// The tag of the next item if that is known already, else 0.
    tag: u8,
    /// Whether the type asked what comes, or ignored something.
    is_loose: bool,
    memory_bytes: u64,
}

/// A value without parts.
enum Scalar {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    Char(char),
}

fn broken() -> EncodingError {
    EncodingError::new("its bytes are broken")
}

impl<'de> Reader<'de> {
    pub(crate) fn new(bytes: &'de [u8]) -> Self {
        Self { bytes, names: Vec::new(), tag: 0, is_loose: false, memory_bytes: 0 }
    }

    /// Ends reading, when all bytes are read.
    pub(crate) fn finish(self) -> Result<Found, EncodingError> {
        match self.bytes.len() {
            0 => Ok(Found { is_loose: self.is_loose, memory_bytes: self.memory_bytes }),
            left => Err(EncodingError::new(format_args!("{left} bytes are left after it"))),
        }
    }

    #[inline]
    fn take(&mut self, count: usize) -> Result<&'de [u8], EncodingError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(broken)?;
        self.bytes = rest;
        Ok(taken)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, EncodingError> {
        let (first, rest) = self.bytes.split_first().ok_or_else(broken)?;
        self.bytes = rest;
        Ok(*first)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], EncodingError> {
        self.take(N)?.try_into().map_err(|_| broken())
    }

    #[inline]
    fn next_tag(&mut self) -> Result<u8, EncodingError> {
        match std::mem::take(&mut self.tag) {
            0 => self.byte(),
            known => Ok(known),
        }
    }

    fn peek_tag(&self) -> Option<u8> {
        if self.tag != 0 { Some(self.tag) } else { self.bytes.first().copied() }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, EncodingError> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte()?;
            if shift > 63 || shift == 63 && byte > 1 {
                return Err(broken());
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    fn varint_128(&mut self) -> Result<u128, EncodingError> {
        let (mut value, mut shift) = (0u128, 0);
        loop {
            let byte = self.byte()?;
            if shift > 126 || shift == 126 && byte > 3 {
                return Err(broken());
            }
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    #[inline]
    fn signed(&mut self) -> Result<i64, EncodingError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn length(&mut self) -> Result<usize, EncodingError> {
        usize::try_from(self.varint()?).map_err(|_| broken())
    }

    fn text(&mut self, length: usize) -> Result<&'de str, EncodingError> {
        std::str::from_utf8(self.take(length)?).map_err(|_| broken())
    }

    /// A name, or that no more come.
    fn name(&mut self) -> Result<Option<&'de str>, EncodingError> {
        let code = self.length()?;
        if code < 2 {
            self.is_loose |= code == 1;
            return Ok(None);
        }
        if code % 2 == 1 {
            return self.names.get(code / 2 - 1).copied().map(Some).ok_or_else(broken);
        }
        let name = self.text(code / 2 - 1)?;
        self.names.push(name);
        Ok(Some(name))
    }

    fn variant(&mut self) -> Result<&'de str, EncodingError> {
        self.name()?.ok_or_else(broken)
    }

    fn narrow<T: TryFrom<u64>>(value: u64) -> Result<T, EncodingError> {
        T::try_from(value).map_err(|_| broken())
    }

    fn narrow_signed<T: TryFrom<i64>>(value: i64) -> Result<T, EncodingError> {
        T::try_from(value).map_err(|_| broken())
    }

    /// Hands the next item to the visitor, whatever it is.
    #[inline]
    fn any<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, EncodingError> {
        let tag = self.next_tag()?;
        match tag {
            tag::FALSE..=tag::CHAR => self.scalar(tag, visitor),
            tag::STR => {
                let length = self.length()?;
                let text = self.text(length)?;
                self.memory_bytes += HANDLE_BYTES + allocated(length as u64);
                visitor.visit_borrowed_str(text)
            }
            tag::BYTES => {
                let length = self.length()?;
                let bytes = self.take(length)?;
                self.memory_bytes += HANDLE_BYTES + allocated(length as u64);
                visitor.visit_borrowed_bytes(bytes)
            }
            tag::NONE => {
                self.memory_bytes += 8;
                visitor.visit_none()
            }
            tag::SOME => visitor.visit_some(self),
            tag::UNIT => visitor.visit_unit(),
            tag::SEQ | tag::SEQ_OPEN => {
                self.memory_bytes += HANDLE_BYTES + ALLOCATION_BYTES;
                self.sequence(tag, visitor)
            }
            tag::TUPLE => self.sequence(tag, visitor),
            tag::MAP => {
                self.memory_bytes += HANDLE_BYTES + ALLOCATION_BYTES;
                self.map(true, visitor)
            }
            tag::STRUCT => self.map(false, visitor),
            // As JSON has them: so types that keep what comes can keep enums.
            tag::UNIT_VARIANT => {
                self.memory_bytes += 1;
                let name = self.variant()?;
                visitor.visit_borrowed_str(name)
            }
            tag::VARIANT => {
                let name = self.variant()?;
                visitor.visit_map(OneEntry { reader: self, name: Some(name) })
            }
            _ => Err(broken()),
        }
    }

    /// Reads a scalar once for all visitors, of which there are many.
    #[inline]
    fn read_scalar(&mut self, tag: u8) -> Result<Scalar, EncodingError> {
        self.memory_bytes += size_in_memory(tag);
        Ok(match tag {
            tag::FALSE => Scalar::Bool(false),
            tag::TRUE => Scalar::Bool(true),
            tag::I8 => Scalar::I8(self.byte()? as i8),
            tag::I16 => Scalar::I16(Self::narrow_signed(self.signed()?)?),
            tag::I32 => Scalar::I32(Self::narrow_signed(self.signed()?)?),
            tag::I64 => Scalar::I64(self.signed()?),
            tag::I128 => {
                let value = self.varint_128()?;
                Scalar::I128((value >> 1) as i128 ^ -((value & 1) as i128))
            }
            tag::U8 => Scalar::U8(self.byte()?),
            tag::U16 => Scalar::U16(Self::narrow(self.varint()?)?),
            tag::U32 => Scalar::U32(Self::narrow(self.varint()?)?),
            tag::U64 => Scalar::U64(self.varint()?),
            tag::U128 => Scalar::U128(self.varint_128()?),
            tag::F32 => Scalar::F32(f32::from_bits(u32::from_le_bytes(self.array()?))),
            tag::F64 => Scalar::F64(f64::from_bits(u64::from_le_bytes(self.array()?))),
            _ => Scalar::Char(char::from_u32(Self::narrow(self.varint()?)?).ok_or_else(broken)?),
        })
    }

    fn scalar<V: Visitor<'de>>(&mut self, tag: u8, visitor: V) -> Result<V::Value, EncodingError> {
        match self.read_scalar(tag)? {
            Scalar::Bool(value) => visitor.visit_bool(value),
            Scalar::I8(value) => visitor.visit_i8(value),
            Scalar::I16(value) => visitor.visit_i16(value),
            Scalar::I32(value) => visitor.visit_i32(value),
            Scalar::I64(value) => visitor.visit_i64(value),
            Scalar::I128(value) => visitor.visit_i128(value),
            Scalar::U8(value) => visitor.visit_u8(value),
            Scalar::U16(value) => visitor.visit_u16(value),
            Scalar::U32(value) => visitor.visit_u32(value),
            Scalar::U64(value) => visitor.visit_u64(value),
            Scalar::U128(value) => visitor.visit_u128(value),
            Scalar::F32(value) => visitor.visit_f32(value),
            Scalar::F64(value) => visitor.visit_f64(value),
            Scalar::Char(value) => visitor.visit_char(value),
        }
    }

    fn sequence<V: Visitor<'de>>(&mut self, tag: u8, visitor: V) -> Result<V::Value, EncodingError> {
        let left = if tag == tag::SEQ_OPEN { None } else { Some(self.length()?) };
        // No item is shorter than a byte, but for scalars without content that share a tag.
        let hint = left.map(|left| left.min(self.bytes.len().saturating_mul(128)));
        let mut items = Items { reader: self, left, hint, run: (0, 0), has_ended: false };
        let value = visitor.visit_seq(&mut items)?;
        match items.left {
            Some(0) => Ok(value),
            Some(left) => Err(EncodingError::new(format_args!("{left} items more come than it takes"))),
            None if items.has_ended => Ok(value),
            None => match self.byte()? {
                tag::END => Ok(value),
                _ => Err(EncodingError::new("more items come than it takes")),
            },
        }
    }

    fn map<V: Visitor<'de>>(&mut self, is_map: bool, visitor: V) -> Result<V::Value, EncodingError> {
        let mut entries = Entries { reader: self, is_map, field: None, has_ended: false };
        let value = visitor.visit_map(&mut entries)?;
        if entries.has_ended {
            return Ok(value);
        }
        match (self.byte()?, is_map) {
            (tag::END, true) | (0 | 1, false) => Ok(value),
            _ => Err(EncodingError::new("more entries come than it takes")),
        }
    }
}

macro_rules! typed {
    ($($method:ident)*) => { $(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EncodingError> {
            self.any(visitor)
        }
    )* };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = EncodingError;

    typed! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EncodingError> {
        self.is_loose = true;
        self.any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EncodingError> {
        self.is_loose = true;
        self.any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EncodingError> {
        match self.peek_tag() {
            Some(tag::NONE | tag::SOME) => self.any(visitor),
            // A type that wrote its content without an option.
            _ => {
                self.is_loose = true;
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, EncodingError> {
        self.any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, EncodingError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, EncodingError> {
        self.any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, EncodingError> {
        self.any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, EncodingError> {
        self.any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, EncodingError> {
        let content = match self.next_tag()? {
            tag::UNIT_VARIANT => tag::UNIT,
            tag::VARIANT => 0,
            other => {
                // An enum that was written as something else, or another type: it says what it lacks.
                self.tag = other;
                self.is_loose = true;
                return self.any(visitor);
            }
        };
        let name = self.variant()?;
        self.memory_bytes += 8;
        visitor.visit_enum(Variant { reader: self, name, content })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items of a sequence.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: Option<usize>,
    hint: Option<usize>,
    /// The tag of the run at hand, and how many of its scalars are left.
    run: (u8, u8),
    has_ended: bool,
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = EncodingError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, EncodingError> {
        if self.left == Some(0) || self.has_ended {
            return Ok(None);
        }
        if self.run.1 == 0 {
            match self.reader.bytes.first() {
                Some(&tag::RUN) => {
                    let [_, tag, count] = self.reader.array()?;
                    if count == 0 || !(tag::FALSE..=tag::CHAR).contains(&tag) {
                        return Err(broken());
                    }
                    self.run = (tag, count);
                }
                Some(&tag::END) if self.left.is_none() => {
                    self.reader.byte()?;
                    self.has_ended = true;
                    return Ok(None);
                }
                _ => {}
            }
        }
        if self.run.1 > 0 {
            self.run.1 -= 1;
            self.reader.tag = self.run.0;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint.and(self.left).map(|left| left.min(self.hint.unwrap_or(0)))
    }
}

/// The entries of a map, or the fields of a struct.
struct Entries<'r, 'de> {
    reader: &'r mut Reader<'de>,
    is_map: bool,
    /// The field whose value comes next.
    field: Option<&'de str>,
    has_ended: bool,
}

impl<'de> MapAccess<'de> for &mut Entries<'_, 'de> {
    type Error = EncodingError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, EncodingError> {
        if self.has_ended {
            return Ok(None);
        }
        if !self.is_map {
            self.field = self.reader.name()?;
            self.has_ended = self.field.is_none();
            return match self.field {
                Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
                None => Ok(None),
            };
        }
        if self.reader.bytes.first() == Some(&tag::END) {
            self.reader.byte()?;
            self.has_ended = true;
            return Ok(None);
        }
        self.reader.memory_bytes += 8;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, EncodingError> {
        let field = self.field.take();
        seed.deserialize(&mut *self.reader).map_err(|error| match field {
            Some(field) => error.within(field),
            None => error,
        })
    }
}

/// A variant as a map of one entry, its name and its content.
struct OneEntry<'r, 'de> {
    reader: &'r mut Reader<'de>,
    name: Option<&'de str>,
}

impl<'de> MapAccess<'de> for OneEntry<'_, 'de> {
    type Error = EncodingError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, EncodingError> {
        let name = self.name.take();
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, EncodingError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant of an enum.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
    name: &'de str,
    /// The tag of its content if that has no bytes.
    content: u8,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = EncodingError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), EncodingError> {
        let variant = seed.deserialize(BorrowedStrDeserializer::new(self.name))?;
        self.reader.tag = self.content;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = EncodingError;

    fn unit_variant(self) -> Result<(), EncodingError> {
        if self.reader.peek_tag() == Some(tag::UNIT) {
            self.reader.next_tag()?;
            return Ok(());
        }
        // A variant whose content the type drops.
        self.reader.is_loose = true;
        serde::Deserialize::deserialize(&mut *self.reader).map(|_: serde::de::IgnoredAny| ())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, EncodingError> {
        let name = self.name;
        seed.deserialize(&mut *self.reader)
            .map_err(|error| EncodingError::new(format_args!("variant `{name}`: {error}")))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, EncodingError> {
        self.reader.any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, EncodingError> {
        self.reader.any(visitor)
    }
}
