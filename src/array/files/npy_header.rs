//! Headers of `.npy` files: a few bytes that say what follows, then the literal of a Python dictionary.
//!
//! Reads the versions 1 to 3 of the format, and writes version 1:
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use crate::array::{DataType, Element};
use std::io::{self, Read};

/// The first bytes of a file; the version of its format follows.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The version that is written.
const VERSION: &[u8] = &[1, 0];
/// Data begins at a multiple of this, as NumPy has it.
const ALIGNMENT_BYTES: usize = 64;

/// What the header of a file says.
#[derive(Debug)]
pub(super) struct Header {
    pub shape: Vec<usize>,
    pub is_fortran: bool,
    pub data_start: u64,
}

impl Header {
    /// Reads the header of a file that has so many bytes, and elements of this type.
    pub(super) fn read<T: Element>(reader: &mut impl Read, bytes: u64) -> io::Result<Self> {
        let (text, data_start) = read_text(reader, bytes)?;
        let Fields { type_name, shape, is_fortran } =
            Literal { rest: text.as_str() }.fields().ok_or_else(|| {
                invalid(format!("its header is not that of an .npy file: {:?}", start_of(&text)))
            })?;
        let wanted = format!("'{}'", type_name_of(T::DATA_TYPE));
        if type_name != wanted {
            return Err(invalid(format!(
                "its elements are {type_name}, not {wanted} ({}): read it as its own type and cast it",
                T::DATA_TYPE
            )));
        }
        let needed =
            shape.iter().try_fold(size_of::<T>() as u64, |bytes, length| bytes.checked_mul(*length as u64));
        let needed = needed.and_then(|bytes| bytes.checked_add(data_start));
        let needed = needed.ok_or_else(|| invalid(format!("its shape {shape:?} is too large")))?;
        if bytes < needed {
            return Err(invalid(format!(
                "it is cut off: {bytes} bytes where shape {shape:?} needs {needed}; write it again"
            )));
        }
        Ok(Self { shape, is_fortran, data_start })
    }
}

/// The header of a file in C order.
pub(super) fn header(data_type: DataType, shape: &[usize]) -> Vec<u8> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let type_name = type_name_of(data_type);
    let mut text =
        format!("{{'descr': '{type_name}', 'fortran_order': False, 'shape': ({}), }}", lengths.trim_end());
    // Two bytes hold the length of the text, which ends in a line break.
    let before = MAGIC.len() + VERSION.len() + 2;
    let length = (before + text.len() + 1).next_multiple_of(ALIGNMENT_BYTES) - before;
    text.extend(std::iter::repeat_n(' ', length - 1 - text.len()));
    text.push('\n');
    let length = u16::try_from(length).expect("a header of few axes is short");
    [MAGIC, VERSION, &length.to_le_bytes(), text.as_bytes()].concat()
}

/// NumPy's short name of an element type in this machine's byte order.
fn type_name_of(data_type: DataType) -> String {
    let kind = match data_type {
        DataType::Bool => return "|b1".into(),
        DataType::U8 => return "|u1".into(),
        DataType::I8 => return "|i1".into(),
        DataType::U16 | DataType::U32 | DataType::U64 => 'u',
        DataType::I16 | DataType::I32 | DataType::I64 => 'i',
        DataType::F16 | DataType::F32 | DataType::F64 => 'f',
        DataType::Complex32 | DataType::Complex64 => 'c',
    };
    let order = if cfg!(target_endian = "little") { '<' } else { '>' };
    format!("{order}{kind}{}", data_type.size_bytes())
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// As much of a text as an error message shows.
fn start_of(text: &str) -> &str {
    text.char_indices().nth(100).map_or(text, |(place, _)| &text[..place]).trim_end()
}

/// The text of a header, and where data starts. Takes no more memory than the file is long, whatever it says.
fn read_text(reader: &mut impl Read, bytes: u64) -> io::Result<(String, u64)> {
    let mut start = [0; 8];
    let is_npy = reader.read_exact(&mut start).is_ok() && start.starts_with(MAGIC);
    let length_bytes = match start[MAGIC.len()] {
        1 if is_npy => 2,
        2 | 3 if is_npy => 4,
        _ => return Err(invalid("it does not begin as .npy files of versions 1 to 3 do".into())),
    };
    let mut length = [0; 4];
    reader.read_exact(&mut length[..length_bytes])?;
    let length = u64::from(u32::from_le_bytes(length));
    let data_start = (start.len() + length_bytes) as u64 + length;
    if data_start > bytes {
        return Err(invalid(format!("it is cut off: {bytes} bytes with a header of {length}")));
    }
    let mut text = Vec::new();
    reader.take(length).read_to_end(&mut text)?;
    // Version 1 and 2 are in Latin 1, of which the names of numeric types use ASCII only.
    let text = String::from_utf8(text).map_err(|_| invalid("its header is no text".into()))?;
    Ok((text, data_start))
}

/// The entries of a header's dictionary.
struct Fields<'a> {
    /// As it is written: a string such as `'<f8'`, or the list of a structure's fields.
    type_name: &'a str,
    shape: Vec<usize>,
    is_fortran: bool,
}

/// A Python literal, read from its start.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    /// `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, in any order.
    fn fields(mut self) -> Option<Fields<'a>> {
        let (mut type_name, mut shape, mut is_fortran) = (None, None, None);
        self.take("{")?;
        while self.take("}").is_none() {
            let name = self.value()?;
            self.take(":")?;
            let value = self.value()?;
            match name.trim_matches(['\'', '"']) {
                "descr" => type_name = Some(value),
                "fortran_order" => is_fortran = Some(truth(value)?),
                "shape" => shape = Some(lengths(value)?),
                _ => return None,
            }
            if self.take(",").is_none() && !self.rest.trim_start().starts_with('}') {
                return None;
            }
        }
        let is_whole = self.rest.trim().is_empty();
        is_whole.then_some(Fields { type_name: type_name?, shape: shape?, is_fortran: is_fortran? })
    }

    /// Goes past a token, if it comes next.
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    /// The text of a value: up to a `,`, `:` or `}` outside of all strings and brackets.
    fn value(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let (mut depth, mut quote) = (0usize, None);
        for (place, character) in text.char_indices() {
            match (quote, character) {
                (Some(open), _) if open == character => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(character),
                (None, ',' | ':' | '}') if depth == 0 => {
                    self.rest = &text[place..];
                    return Some(text[..place].trim_end());
                }
                (None, '(' | '[' | '{') => depth += 1,
                (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
                _ => {}
            }
        }
        None
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// The lengths in `(3, 4)`, `(3,)` or `()`.
fn lengths(text: &str) -> Option<Vec<usize>> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.is_empty() {
        return Some(Vec::new());
    }
    // Python 2 wrote some as `3L`.
    inside.split(',').map(|length| length.trim().trim_end_matches('L').parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Element>(bytes: &[u8]) -> Result<Header, String> {
        Header::read::<T>(&mut io::Cursor::new(bytes), 1 << 20).map_err(|error| error.to_string())
    }

    /// A file that begins with this text.
    fn file(version: u8, text: &str) -> Vec<u8> {
        let length = (text.len() as u32).to_le_bytes();
        let length = if version == 1 { &length[..2] } else { &length };
        [MAGIC, &[version, 0], length, text.as_bytes()].concat()
    }

    #[test]
    fn a_header_is_no_longer_than_its_file() {
        let mut bytes = header(DataType::F64, &[3]);
        let read = |bytes: &[u8], length| Header::read::<f64>(&mut io::Cursor::new(bytes), length);
        assert_eq!(read(&bytes, 128 + 24).unwrap().shape, [3]);
        bytes[6] = 3;
        bytes[8..12].fill(0xde);
        let error = read(&bytes, bytes.len() as u64).unwrap_err();
        assert_eq!(error.to_string(), "it is cut off: 128 bytes with a header of 3739147998");
    }

    #[test]
    fn headers_are_those_of_numpy() {
        let header = header(DataType::F64, &[3]);
        assert_eq!(header.len(), 128);
        assert!(header[10..].starts_with(b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }"));
        assert_eq!(header.last(), Some(&b'\n'));
    }

    #[test]
    fn headers_of_all_versions_and_spellings_are_read() {
        for (version, text, shape, is_fortran) in [
            (1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }  \n", vec![3, 4], false),
            (2, "{'shape': (), 'fortran_order': True, 'descr': '<f8'}\n", vec![], true),
            (3, "{ \"descr\" : '<f8' ,'fortran_order':False,'shape':(7L,)}", vec![7], false),
            (1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5)}", vec![0, 5], false),
        ] {
            let bytes = file(version, text);
            let header = read::<f64>(&bytes).unwrap();
            assert_eq!((header.shape, header.is_fortran), (shape, is_fortran), "{text}");
            assert_eq!(header.data_start, bytes.len() as u64);
        }
    }

    #[test]
    fn other_types_of_elements_are_named() {
        for name in ["'>f8'", "'<f4'", "[('x', '<f8'), ('y: {', '<i4', (2, 3))]", "'<U7'"] {
            let text = format!("{{'descr': {name}, 'fortran_order': False, 'shape': (3,), }}");
            let error = read::<f64>(&file(1, &text)).unwrap_err();
            assert!(error.starts_with(&format!("its elements are {name}, not '<f8' (float64)")), "{error}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, -4)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, , 4)}",
            "{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} and more",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'more': 1}",
            "{'descr': '<f8, 'fortran_order': False, 'shape': (3,)}",
            &format!("{{'descr': '<f8', {}", "[".repeat(10_000)),
        ] {
            let error = read::<f64>(&file(2, text)).unwrap_err();
            assert!(error.starts_with("its header is not that of an .npy file"), "{text}: {error}");
        }
        for bytes in [&b""[..], b"\x93NUMP", b"PK\x03\x04 and so on", &file(4, "{}")] {
            let error = read::<f64>(bytes).unwrap_err();
            assert_eq!(error, "it does not begin as .npy files of versions 1 to 3 do");
        }
        let far =
            file(1, &format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, 9)}}", u64::MAX / 4));
        assert!(read::<f64>(&far).unwrap_err().contains("is too large"));
    }
}
