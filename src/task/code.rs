//! The place of a task's descriptor in the image that all ranks run.
//!
//! A [`Code`] is a module (an ELF file mapped into the process, known by its build id) and an offset in
//! it. A receiver believes neither: it checks that the module is mapped here, that the offset lies in
//! its constants, and that a descriptor is there.

use super::inputs::{Collect, Inputs, Output, TaskFunction, collect, run};
use crate::{
    error::{Error, Result},
    ids::Code,
    value::Data,
};
use std::{
    any::type_name,
    ffi::{c_int, c_void},
    hash::{DefaultHasher, Hasher},
    marker::PhantomData,
    ops::Range,
    slice,
    sync::OnceLock,
};

const MAGIC: u64 = 0x6d61_6e69_706c_6531;

/// What a worker needs of a function; the compiler makes one constant for each.
#[derive(Debug)]
#[repr(C)]
pub struct Descriptor {
    magic: u64,
    /// Calls the function with the inputs, and encodes what it returns.
    pub(crate) run: fn(&mut Inputs<'_>, &mut Output<'_>) -> Result<(), String>,
    /// The function's name.
    pub(crate) name: fn() -> &'static str,
    /// Makes a list of values of the type that a list descriptor is for.
    pub(crate) collect: Collect,
}

impl Descriptor {
    /// The descriptor of `F`.
    ///
    /// A function that captures something does not compile: its captures would not travel.
    pub const fn of<F: TaskFunction<P, M>, P, M>() -> &'static Self {
        struct Of<F, P, M>(PhantomData<(F, P, M)>);
        impl<F: TaskFunction<P, M>, P, M> Of<F, P, M> {
            const DESCRIPTOR: Descriptor = {
                assert!(size_of::<F>() == 0, "a task must capture nothing: pass what it needs as arguments");
                Descriptor { magic: MAGIC, run: run::<F, P, M>, name: F::name, collect: collect::<F::Out> }
            };
        }
        &Of::<F, P, M>::DESCRIPTOR
    }

    /// A descriptor of a function that makes a value of any type: as its bytes.
    pub(crate) const fn of_values(
        run: fn(&mut Inputs<'_>, &mut Output<'_>) -> Result<(), String>,
        name: fn() -> &'static str,
    ) -> Self {
        Self { magic: MAGIC, run, name, collect: collect::<()> }
    }

    /// A descriptor that stands for lists of `T`: it collects them, and runs nothing.
    pub const fn of_list<T: Data>() -> &'static Self {
        struct Of<T>(PhantomData<T>);
        impl<T: Data> Of<T> {
            const DESCRIPTOR: Descriptor = Descriptor {
                magic: MAGIC,
                run: |_, _| Err("a list is not a function".to_string()),
                name: type_name::<Vec<T>>,
                collect: collect::<T>,
            };
        }
        &Of::<T>::DESCRIPTOR
    }
}

impl Code {
    /// The code of a function.
    pub fn of_function<F: TaskFunction<P, M>, P, M>(_: F) -> Self {
        Self::of(const { Descriptor::of::<F, P, M>() })
    }

    /// The code of a descriptor of this process.
    ///
    /// # Panics
    ///
    /// Panics if no module of this process holds it, which cannot be.
    pub fn of(descriptor: &'static Descriptor) -> Self {
        let address = std::ptr::from_ref(descriptor) as usize;
        let found =
            modules().iter().find(|module| module.constants.iter().any(|range| range.contains(&address)));
        if let Some(module) = found {
            return Self { module: module.id, offset: (address - module.base) as u64 };
        }
        // The module was opened after the table was made.
        let found = read_modules()
            .into_iter()
            .find(|module| module.constants.iter().any(|range| range.contains(&address)))
            .expect("a constant lies in some module");
        Self { module: found.id, offset: (address - found.base) as u64 }
    }

    /// The descriptor in this process.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] if there is none: the ranks run different builds, or the bytes are broken.
    pub fn descriptor(self) -> Result<&'static Descriptor> {
        let find = |modules: &[Module]| modules.iter().find(|module| module.id == self.module).cloned();
        let module = find(modules()).or_else(|| find(&read_modules())).ok_or_else(|| {
            Error::Decode(format!(
                "no module {:016x} in this process: do all ranks run the same build, with the same plug-ins?",
                self.module
            ))
        })?;
        let broken = || Error::Decode(format!("no task at offset {:#x}", self.offset));
        let address = (module.base as u64).checked_add(self.offset).ok_or_else(broken)? as usize;
        let end = address.checked_add(size_of::<Descriptor>()).ok_or_else(broken)?;
        let held = module.constants.iter().any(|range| range.contains(&address) && end <= range.end);
        if !held || !address.is_multiple_of(align_of::<Descriptor>()) {
            return Err(broken());
        }
        // SAFETY: the range lies in a readable segment of a mapped module, and is aligned. The magic is
        // read before anything is made of the rest.
        let magic = unsafe { std::ptr::read(address as *const u64) };
        if magic != MAGIC {
            return Err(broken());
        }
        // SAFETY: in an image that starts with the same bytes on all ranks (checked at start), a
        // descriptor's magic at an aligned place of constant data is a descriptor.
        Ok(unsafe { &*(address as *const Descriptor) })
    }

    /// The function's name, as the compiler writes it.
    pub fn name(self) -> &'static str {
        self.descriptor().map_or("an unknown function", |descriptor| (descriptor.name)())
    }
}

/// What tells this build from any other: the build id of the image that holds this library.
pub fn fingerprint() -> u64 {
    modules().iter().find(|module| module.id == 0).map_or(0, |module| module.build)
}

#[derive(Clone, Debug)]
struct Module {
    id: u64,
    build: u64,
    base: usize,
    /// Readable segments without code, where constants lie.
    constants: Vec<Range<usize>>,
}

fn modules() -> &'static [Module] {
    static MODULES: OnceLock<Vec<Module>> = OnceLock::new();
    MODULES.get_or_init(read_modules)
}

fn read_modules() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: the callback is called during the call only, with the pointer given here.
    unsafe { libc::dl_iterate_phdr(Some(add_module), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn add_module(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> c_int {
    static ANCHOR: u8 = 0;
    let anchor = &raw const ANCHOR as usize;
    // SAFETY: `dl_iterate_phdr` passes a valid info, and the vector given to it.
    let (info, modules) = unsafe { (&*info, &mut *data.cast::<Vec<Module>>()) };
    // SAFETY: the program headers of a mapped module are mapped.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let base = info.dlpi_addr as usize;
    let range = |header: &libc::Elf64_Phdr| {
        let start = base + header.p_vaddr as usize;
        start..start + header.p_memsz as usize
    };
    let loads = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let build = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_NOTE)
        // SAFETY: a note segment of a mapped module is mapped.
        .find_map(|header| build_id(unsafe { bytes_of(range(header)) }))
        .unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            loads()
                .filter(|header| header.p_flags & libc::PF_X != 0 && header.p_flags & libc::PF_W == 0)
                // SAFETY: a segment of code of a mapped module is mapped and readable.
                .for_each(|header| hasher.write(unsafe { bytes_of(range(header)) }));
            hasher.finish()
        });
    let holds_us = loads().any(|header| range(header).contains(&anchor));
    modules.push(Module {
        id: if holds_us { 0 } else { build.max(1) },
        build,
        base,
        constants: loads()
            .filter(|header| header.p_flags & libc::PF_X == 0 && header.p_flags & libc::PF_R != 0)
            .map(range)
            .collect(),
    });
    0
}

/// # Safety
///
/// The range must be mapped and readable for the rest of the program.
unsafe fn bytes_of(range: Range<usize>) -> &'static [u8] {
    // SAFETY: by the contract.
    unsafe { slice::from_raw_parts(range.start as *const u8, range.len()) }
}

/// The GNU build id among the notes, hashed to 64 bits.
fn build_id(mut notes: &[u8]) -> Option<u64> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let word = |at: usize| Some(u32::from_ne_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name_size, size, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let start = 12 + name_size.next_multiple_of(4);
        let content = notes.get(start..start + size)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            let mut hasher = DefaultHasher::new();
            hasher.write(content);
            return Some(hasher.finish());
        }
        notes = notes.get(start + size.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(x: i64) -> i64 {
        x * 2
    }

    fn code_of<F: TaskFunction<P, M>, P, M>(_: F) -> Code {
        Code::of(const { Descriptor::of::<F, P, M>() })
    }

    #[test]
    fn a_code_finds_its_function() {
        let code = code_of(double);
        code.descriptor().unwrap();
        assert_eq!(code.module, 0);
        assert!(code.name().ends_with("double"), "{}", code.name());
        assert!(code_of(|x: &Vec<u8>| x.len() as u64).name().contains("closure"));
    }

    #[test]
    fn a_broken_code_is_refused() {
        let code = code_of(double);
        for offset in [0, 1, code.offset + 1, code.offset + 8, u64::MAX, 1 << 40] {
            assert!(Code { offset, ..code }.descriptor().is_err(), "{offset:#x}");
        }
        assert!(Code { module: 77, ..code }.descriptor().is_err());
    }

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
    fn the_fingerprint_is_the_build_id_of_this_executable() {
        let own = std::env::current_exe().unwrap();
        let output = std::process::Command::new("readelf").arg("-n").arg(own).output();
        let Ok(output) = output else { return println!("skipped: readelf is not installed") };
        let text = String::from_utf8_lossy(&output.stdout);
        let digits = text.split_once("Build ID: ").map(|(_, rest)| rest.lines().next().unwrap().trim());
        let Some(digits) = digits else { return println!("skipped: the linker gives no build id") };
        let byte = |place: usize| u8::from_str_radix(&digits[place..place + 2], 16).unwrap();
        let mut hasher = DefaultHasher::new();
        hasher.write(&(0..digits.len()).step_by(2).map(byte).collect::<Vec<u8>>());
        assert_eq!(fingerprint(), hasher.finish());
    }
}
