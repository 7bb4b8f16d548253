//! The image of the process that holds this copy of the library: the program itself, or a
//! module, which has a copy of its own.
//!
//! Copies with the same [`BUILD`] and [`library`] have the same types of this library. Types of users may differ
//! under the same `TypeId`, since cargo's identity of a crate does not include its source: what one image made as such
//! a type, another image takes as bytes.

use crate::error::panic_words;
use std::{
    any::{Any, TypeId},
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
};

/// What this copy of the library was built of and by.
pub(crate) const BUILD: &str = env!("MANIPLE_BUILD");

/// One copy of the library. Its address identifies it.
#[derive(Debug)]
pub struct Image {
    guard: fn(&mut dyn FnMut()) -> Result<(), String>,
    /// Where an address of the image lies that tasks count as module 0; 0 stands for this one.
    home: AtomicUsize,
}

/// This copy of the library.
pub(crate) static OWN: Image = Image { guard: catch, home: AtomicUsize::new(0) };

/// Calls a function, and makes an error of its panic: one image cannot catch the panics of another.
fn catch(work: &mut dyn FnMut()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        format!("a function of another image panicked: {}", panic_words(&*panic).unwrap_or_default())
    })
}

impl Image {
    /// Whether this is the copy of the library that is running this function.
    pub(crate) fn is_own(&self) -> bool {
        std::ptr::eq(self, &raw const OWN)
    }

    /// Calls a function of this image, which may panic.
    ///
    /// # Errors
    ///
    /// The panic's message, if another image than this one asks.
    pub(crate) fn call<R>(&self, work: impl FnOnce() -> R) -> Result<R, String> {
        if self.is_own() {
            return Ok(work());
        }
        let (mut work, mut result) = (Some(work), None);
        (self.guard)(&mut || result = work.take().map(|work| work()))?;
        result.ok_or_else(|| "a function of another image was not called".to_string())
    }
}

/// An address in the image whose functions are numbered as those of module 0: this one's, unless it is a module.
pub(crate) fn home() -> usize {
    match OWN.home.load(Ordering::Relaxed) {
        0 => &raw const OWN as usize,
        home => home,
    }
}

/// Whether this image is the program, not a module.
pub(crate) fn is_home() -> bool {
    OWN.home.load(Ordering::Relaxed) == 0
}

/// Makes this image a module of another one.
pub(crate) fn belong_to(home: usize) {
    OWN.home.store(home, Ordering::Relaxed);
}

/// What tells this library's types from those of another version, of other features or dependencies, or of another
/// compiler: `TypeId` hashes the identity that cargo gives the crate.
pub(crate) fn library() -> u64 {
    let mut hasher = DefaultHasher::new();
    TypeId::of::<Image>().hash(&mut hasher);
    TypeId::of::<(ndarray::ArrayD<f64>, Box<dyn Any>)>().hash(&mut hasher);
    hasher.finish()
}

/// The content of the first note of this owner and kind among the notes of an ELF image.
pub(crate) fn find_note<'a>(mut notes: &'a [u8], owner: &[u8], kind: u32) -> Option<&'a [u8]> {
    loop {
        let word = |at: usize| Some(u32::from_ne_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name_size, size, found) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let start = 12 + name_size.next_multiple_of(4);
        let content = notes.get(start..start + size)?;
        if found == kind && notes.get(12..12 + name_size) == Some(owner) {
            return Some(content);
        }
        notes = notes.get(start + size.next_multiple_of(4)..)?;
    }
}

/// The GNU build id among the notes of an ELF image, hashed to 64 bits.
pub(crate) fn build_id(notes: &[u8]) -> Option<u64> {
    const NT_GNU_BUILD_ID: u32 = 3;
    let content = find_note(notes, b"GNU\0", NT_GNU_BUILD_ID)?;
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note of this kind by this owner, as it lies in an image.
    fn note(kind: u32, content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        [4, content.len() as u32, kind].iter().for_each(|word| note.extend(word.to_ne_bytes()));
        note.extend(b"GNU\0");
        note.extend(content);
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }

    #[test]
    fn the_build_id_is_found_among_notes_and_differs_from_build_to_build() {
        let other = note(1, &[9; 7]);
        let id = |content: &[u8]| build_id(&[other.clone(), note(3, content)].concat());
        assert!(id(&[1; 20]).is_some());
        assert_eq!(id(&[1; 20]), build_id(&note(3, &[1; 20])), "what lies before it changes nothing");
        assert_ne!(id(&[1; 20]), id(&[2; 20]));
        assert_eq!(build_id(&other), None);
        assert_eq!(build_id(&note(3, &[1; 20])[..20]), None, "it is cut off");
    }

    #[test]
    fn a_panic_of_this_image_is_no_error() {
        assert_eq!(OWN.call(|| 3), Ok(3));
        assert!(OWN.is_own() && is_home());
        assert!(catch(&mut || panic!("no")).unwrap_err().ends_with("no"));
    }
}
