//! Pure: whether the bytes of a file are a module that fits this program. Nothing of it is run.

use super::offer::{KIND, OWNER};
use crate::image::{self, BUILD};
use std::ops::Range;

/// `e_machine` of the modules that this process can load.
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = libc::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = libc::EM_AARCH64;
const HEADER_BYTES: usize = size_of::<libc::Elf64_Ehdr>();
const SEGMENT_BYTES: usize = size_of::<libc::Elf64_Phdr>();

/// Whether these bytes are a module that fits. Returns its number, which is made of its build id.
///
/// # Errors
///
/// Says why not.
pub(super) fn check(bytes: &[u8]) -> Result<u64, String> {
    let image = Image::read(bytes).ok_or("it is no shared library for this machine, or it is cut off")?;
    let mut notes = image.segments(libc::PT_NOTE);
    let note = notes.find_map(|notes| {
        (1..=KIND).rev().find_map(|kind| Some((kind, image::find_note(notes, OWNER, kind)?)))
    });
    let (kind, build) = note.ok_or("it is no module: its crate has no maniple::module!(...)")?;
    if kind != KIND || build != BUILD.as_bytes() {
        let build: String = String::from_utf8_lossy(build).chars().filter(|c| !c.is_control()).collect();
        return Err(format!(
            "it was built with {build}, and this program with {BUILD}: build both in one workspace, by one compiler, with the \
             same features and profile"
        ));
    }
    let id = image.segments(libc::PT_NOTE).find_map(image::build_id);
    id.ok_or_else(|| "it has no build id: link it with -Wl,--build-id".to_string())
}

/// The bytes of an ELF file whose tables and segments lie within it.
struct Image<'a> {
    bytes: &'a [u8],
    table: Range<usize>,
}

impl<'a> Image<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let kind = [libc::ELFCLASS64, libc::ELFDATA2LSB];
        let own = bytes.starts_with(b"\x7fELF") && bytes.get(4..6)? == kind && bytes.len() >= HEADER_BYTES;
        if !own || half(bytes, 16)? != libc::ET_DYN || half(bytes, 18)? != MACHINE {
            return None;
        }
        let table = |at: u64, size: usize, entry: u16, count: u16| {
            let start = usize::try_from(at).ok()?;
            let range = start..start.checked_add(size * usize::from(count))?;
            (usize::from(entry) == size && range.end <= bytes.len()).then_some(range)
        };
        // The sections come last in the file: where they are whole, nothing is cut off.
        table(wide(bytes, 40)?, size_of::<libc::Elf64_Shdr>(), half(bytes, 58)?, half(bytes, 60)?)?;
        let image = Self {
            bytes,
            table: table(wide(bytes, 32)?, SEGMENT_BYTES, half(bytes, 54)?, half(bytes, 56)?)?,
        };
        let is_whole = image.headers().all(|header| segment(bytes, header).is_some());
        is_whole.then_some(image)
    }

    fn headers(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes[self.table.clone()].chunks_exact(SEGMENT_BYTES)
    }

    /// The content of the segments of a type.
    fn segments(&self, kind: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let is_wanted = move |header: &&[u8]| header[..4] == kind.to_le_bytes();
        self.headers().filter(is_wanted).filter_map(move |header| segment(bytes, header))
    }
}

/// The content of a segment.
fn segment<'a>(bytes: &'a [u8], header: &[u8]) -> Option<&'a [u8]> {
    let start = usize::try_from(wide(header, 8)?).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(wide(header, 32)?).ok()?)?)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn wide(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A module that fits, and that the dynamic linker refuses.
    pub(in crate::module) fn module_without_code() -> Vec<u8> {
        file(&[note(OWNER, KIND, BUILD.as_bytes()), note(b"GNU\0", 3, &[7; 20])].concat())
    }

    /// A file with one segment, of notes.
    fn file(notes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES + SEGMENT_BYTES];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let mut put = |at: usize, value: u64, size: usize| {
            bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        };
        put(16, u64::from(libc::ET_DYN), 2);
        put(18, u64::from(MACHINE), 2);
        put(32, HEADER_BYTES as u64, 8);
        put(54, SEGMENT_BYTES as u64, 2);
        put(56, 1, 2);
        put(58, 64, 2);
        put(HEADER_BYTES, u64::from(libc::PT_NOTE), 4);
        put(HEADER_BYTES + 8, (HEADER_BYTES + SEGMENT_BYTES) as u64, 8);
        put(HEADER_BYTES + 32, notes.len() as u64, 8);
        bytes.extend_from_slice(notes);
        bytes
    }

    fn note(owner: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        [owner.len() as u32, content.len() as u32, kind]
            .iter()
            .for_each(|word| note.extend(word.to_le_bytes()));
        note.extend(owner);
        note.resize(note.len().next_multiple_of(4), 0);
        note.extend(content);
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }

    #[test]
    fn only_a_module_of_the_same_library_and_compiler_fits() {
        let id = note(b"GNU\0", 3, &[7; 20]);
        let own = note(OWNER, KIND, BUILD.as_bytes());
        let fits = module_without_code();
        assert!(check(&fits).is_ok());
        assert_eq!(check(&fits), check(&file(&[id.clone(), own.clone()].concat())));
        for end in 0..fits.len() {
            assert!(check(&fits[..end]).is_err(), "cut off at {end}");
        }
        let refused = |notes: &[u8], words: &str| {
            let error = check(&file(notes)).unwrap_err();
            assert!(error.contains(words) && !error.contains('\n'), "{error}");
        };
        refused(&id, "is no module");
        refused(&own, "has no build id");
        refused(
            &[id.clone(), note(OWNER, KIND, b"maniple 0.0.9\n by rustc 1.1")].concat(),
            "maniple 0.0.9 by rustc 1.1",
        );
        refused(&[0xff; 40], "is no module");
        assert!(
            check(&std::fs::read(std::env::current_exe().unwrap()).unwrap())
                .unwrap_err()
                .contains("no module")
        );
    }

    #[test]
    fn no_change_of_a_byte_is_followed_out_of_the_file() {
        let whole = module_without_code();
        for place in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[place] = byte;
                let _ = check(&changed);
            }
        }
    }
}
