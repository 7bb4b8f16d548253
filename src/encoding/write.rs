//! Writes values.

use super::{EncodingError, tag};
use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant, Serializer,
    },
};

/// Takes the bytes of an encoding.
pub(crate) trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The most scalars that share a tag.
const RUN_MAX: usize = 255;

/// What an allocation takes besides its bytes, about.
pub(super) const ALLOCATION_BYTES: u64 = 16;
/// What a string, a vector or a box is itself.
pub(super) const HANDLE_BYTES: u64 = 24;

/// Writes one value. It counts about how many bytes the value has in memory, too.
pub(crate) struct Writer<'a, S> {
    sink: &'a mut S,
    /// Names that were written, in order.
    names: Vec<&'static str>,
    /// Which of them comes next, probably.
    next_name: usize,
    /// Scalars of the sequence at hand that are not written yet.
    run: Run,
    /// Whether the next item is an item of a sequence.
    is_item: bool,
    /// Whether a field was left out.
    has_skipped: bool,
    memory_bytes: u64,
}

#[derive(Default)]
struct Run {
    tag: u8,
    count: u8,
    bytes: Vec<u8>,
}

impl<'a, S: Sink> Writer<'a, S> {
    pub(crate) fn new(sink: &'a mut S) -> Self {
        Self {
            sink,
            names: Vec::new(),
            next_name: 0,
            run: Run::default(),
            is_item: false,
            has_skipped: false,
            memory_bytes: 0,
        }
    }

    /// Whether a field was left out of what was written.
    pub(crate) fn has_skipped(&self) -> bool {
        self.has_skipped
    }

    /// About how many bytes has in memory what was written.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    #[inline]
    fn scalar(&mut self, tag: u8, bytes: &[u8]) {
        self.memory_bytes += size_in_memory(tag);
        if !std::mem::take(&mut self.is_item) {
            if bytes.len() < 16 {
                let mut whole = [tag; 16];
                whole[1..=bytes.len()].copy_from_slice(bytes);
                self.sink.put(&whole[..=bytes.len()]);
            } else {
                self.sink.put(&[tag]);
                self.sink.put(bytes);
            }
            return;
        }
        if self.run.tag != tag || usize::from(self.run.count) == RUN_MAX {
            self.end_run();
            self.run.tag = tag;
        }
        self.run.count += 1;
        self.run.bytes.extend_from_slice(bytes);
    }

    /// Begins an item that is no scalar.
    #[inline]
    fn begin(&mut self, tag: u8) {
        if std::mem::take(&mut self.is_item) {
            self.end_run();
        }
        self.sink.put(&[tag]);
    }

    fn end_run(&mut self) {
        let Run { tag, count, bytes } = &mut self.run;
        match *count {
            0 => {}
            1 => {
                self.sink.put(&[*tag]);
                self.sink.put(bytes);
            }
            more => {
                self.sink.put(&[tag::RUN, *tag, more]);
                self.sink.put(bytes);
            }
        }
        (*tag, *count) = (0, 0);
        bytes.clear();
    }

    fn length(&mut self, length: usize) {
        let (bytes, count) = varint_64(length as u64);
        self.sink.put(&bytes[..count]);
    }

    /// Writes a name: twice its number plus 3 if it was written before, or twice its length plus 2 and its bytes.
    fn name(&mut self, name: &'static str) {
        // The fields of one struct come in the same order as those of the one before.
        let is_next = self.names.get(self.next_name).is_some_and(|known| std::ptr::eq(*known, name));
        let known = match is_next {
            true => Some(self.next_name),
            false => self.names.iter().position(|known| *known == name),
        };
        self.next_name = known.unwrap_or(self.names.len()) + 1;
        match known {
            Some(place) => self.length(2 * place + 3),
            None => {
                self.names.push(name);
                self.length(2 * name.len() + 2);
                self.sink.put(name.as_bytes());
            }
        }
    }

    fn signed(&mut self, tag: u8, value: i128) {
        let (bytes, count) = varint(((value << 1) ^ (value >> 127)) as u128);
        self.scalar(tag, &bytes[..count]);
    }

    #[inline]
    fn signed_64(&mut self, tag: u8, value: i64) {
        let (bytes, count) = varint_64(((value << 1) ^ (value >> 63)) as u64);
        self.scalar(tag, &bytes[..count]);
    }

    #[inline]
    fn unsigned_64(&mut self, tag: u8, value: u64) {
        let (bytes, count) = varint_64(value);
        self.scalar(tag, &bytes[..count]);
    }

    /// Writes a text, or bytes.
    fn bytes(&mut self, tag: u8, bytes: &[u8]) {
        self.begin(tag);
        self.length(bytes.len());
        self.sink.put(bytes);
        self.memory_bytes += HANDLE_BYTES + allocated(bytes.len() as u64);
    }

    /// Begins a variant, whose content follows as an item.
    fn variant(&mut self, name: &'static str) {
        self.begin(tag::VARIANT);
        self.name(name);
        self.memory_bytes += 8;
    }

    fn tuple(&mut self, length: usize) -> Items<'_, 'a, S> {
        self.begin(tag::TUPLE);
        self.length(length);
        Items { writer: self, left: Some(length) }
    }
}

#[inline]
fn varint_64(mut value: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut count) = ([0; 10], 0);
    while value >= 0x80 {
        bytes[count] = value as u8 | 0x80;
        value >>= 7;
        count += 1;
    }
    bytes[count] = value as u8;
    (bytes, count + 1)
}

fn varint(mut value: u128) -> ([u8; 19], usize) {
    let (mut bytes, mut count) = ([0; 19], 0);
    while value >= 0x80 {
        bytes[count] = value as u8 | 0x80;
        value >>= 7;
        count += 1;
    }
    bytes[count] = value as u8;
    (bytes, count + 1)
}

/// How many bytes a scalar has in memory.
#[inline]
pub(super) fn size_in_memory(tag: u8) -> u64 {
    match tag {
        tag::I64 | tag::U64 | tag::F64 => 8,
        tag::I32 | tag::U32 | tag::F32 | tag::CHAR => 4,
        tag::I16 | tag::U16 => 2,
        tag::I128 | tag::U128 => 16,
        _ => 1,
    }
}

/// How many bytes an allocation of so many takes.
#[inline]
pub(super) fn allocated(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(2 * ALLOCATION_BYTES) }
}

impl<'w, 'a, S: Sink> Serializer for &'w mut Writer<'a, S> {
    type Ok = ();
    type Error = EncodingError;
    type SerializeSeq = Items<'w, 'a, S>;
    type SerializeTuple = Items<'w, 'a, S>;
    type SerializeTupleStruct = Items<'w, 'a, S>;
    type SerializeTupleVariant = Items<'w, 'a, S>;
    type SerializeMap = Entries<'w, 'a, S>;
    type SerializeStruct = Entries<'w, 'a, S>;
    type SerializeStructVariant = Entries<'w, 'a, S>;

    fn serialize_bool(self, value: bool) -> Result<(), EncodingError> {
        self.scalar(if value { tag::TRUE } else { tag::FALSE }, &[]);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), EncodingError> {
        self.scalar(tag::I8, &value.to_le_bytes());
        Ok(())
    }

    fn serialize_i16(self, value: i16) -> Result<(), EncodingError> {
        self.signed_64(tag::I16, value.into());
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), EncodingError> {
        self.signed_64(tag::I32, value.into());
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), EncodingError> {
        self.signed_64(tag::I64, value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), EncodingError> {
        self.signed(tag::I128, value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), EncodingError> {
        self.scalar(tag::U8, &[value]);
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Result<(), EncodingError> {
        self.unsigned_64(tag::U16, value.into());
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> Result<(), EncodingError> {
        self.unsigned_64(tag::U32, value.into());
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), EncodingError> {
        self.unsigned_64(tag::U64, value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), EncodingError> {
        let (bytes, count) = varint(value);
        self.scalar(tag::U128, &bytes[..count]);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodingError> {
        self.scalar(tag::F32, &value.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodingError> {
        self.scalar(tag::F64, &value.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), EncodingError> {
        self.unsigned_64(tag::CHAR, u32::from(value).into());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodingError> {
        self.bytes(tag::STR, value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodingError> {
        self.bytes(tag::BYTES, value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodingError> {
        self.begin(tag::NONE);
        self.memory_bytes += 8;
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodingError> {
        self.begin(tag::SOME);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodingError> {
        self.begin(tag::UNIT);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodingError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodingError> {
        self.begin(tag::UNIT_VARIANT);
        self.name(variant);
        self.memory_bytes += 1;
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodingError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodingError> {
        self.variant(variant);
        value.serialize(self).map_err(|error| error.within(variant))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, EncodingError> {
        self.memory_bytes += HANDLE_BYTES + ALLOCATION_BYTES;
        match length {
            Some(length) => {
                self.begin(tag::SEQ);
                self.length(length);
            }
            None => self.begin(tag::SEQ_OPEN),
        }
        Ok(Items { writer: self, left: length })
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, EncodingError> {
        Ok(self.tuple(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, EncodingError> {
        Ok(self.tuple(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, EncodingError> {
        self.variant(variant);
        Ok(self.tuple(length))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, EncodingError> {
        self.begin(tag::MAP);
        self.memory_bytes += HANDLE_BYTES + ALLOCATION_BYTES;
        Ok(Entries { writer: self, has_skipped: false })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, EncodingError> {
        self.begin(tag::STRUCT);
        Ok(Entries { writer: self, has_skipped: false })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, EncodingError> {
        self.variant(variant);
        self.begin(tag::STRUCT);
        Ok(Entries { writer: self, has_skipped: false })
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Writes the items of a sequence.
pub(crate) struct Items<'w, 'a, S> {
    writer: &'w mut Writer<'a, S>,
    /// How many are still due, where that is known.
    left: Option<usize>,
}

impl<S: Sink> Items<'_, '_, S> {
    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodingError> {
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| EncodingError::new("its `Serialize` announces fewer items than it writes"))?;
        }
        self.writer.is_item = true;
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn finish(self) -> Result<(), EncodingError> {
        self.writer.end_run();
        self.writer.is_item = false;
        match self.left {
            None => {
                self.writer.sink.put(&[tag::END]);
                Ok(())
            }
            Some(0) => Ok(()),
            Some(_) => Err(EncodingError::new("its `Serialize` announces more items than it writes")),
        }
    }
}

macro_rules! sequences {
    ($($kind:ident $item:ident)*) => { $(
        impl<S: Sink> $kind for Items<'_, '_, S> {
            type Ok = ();
            type Error = EncodingError;
            #[inline]
            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodingError> {
                self.item(value)
            }
            #[inline]
            fn end(self) -> Result<(), EncodingError> {
                self.finish()
            }
        }
    )* };
}

sequences! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// Writes the entries of a map or the fields of a struct.
pub(crate) struct Entries<'w, 'a, S> {
    writer: &'w mut Writer<'a, S>,
    /// Whether a field was left out.
    has_skipped: bool,
}

impl<S: Sink> SerializeMap for Entries<'_, '_, S> {
    type Ok = ();
    type Error = EncodingError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodingError> {
        // What a table or a tree has besides its entries.
        self.writer.memory_bytes += 8;
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodingError> {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), EncodingError> {
        self.writer.sink.put(&[tag::END]);
        Ok(())
    }
}

macro_rules! structs {
    ($($kind:ident)*) => { $(
        impl<S: Sink> $kind for Entries<'_, '_, S> {
            type Ok = ();
            type Error = EncodingError;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), EncodingError> {
                self.writer.name(name);
                value.serialize(&mut *self.writer).map_err(|error| error.within(name))
            }
            fn skip_field(&mut self, _: &'static str) -> Result<(), EncodingError> {
                (self.has_skipped, self.writer.has_skipped) = (true, true);
                Ok(())
            }
            fn end(self) -> Result<(), EncodingError> {
                self.writer.sink.put(&[u8::from(self.has_skipped)]);
                Ok(())
            }
        }
    )* };
}

structs! { SerializeStruct SerializeStructVariant }
