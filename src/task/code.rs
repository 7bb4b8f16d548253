//! The place of a task's descriptor in the image that all ranks run.
//!
//! A [`Code`] is a module (an ELF file mapped into the process, known by its build id) and an offset in
//! it. A receiver believes neither: it checks that the module is mapped here, that the offset lies in
//! its constants, and that a descriptor is there.

use super::inputs::{Collect, Inputs, Output, TaskFunction, collect, run};
use crate::{
    error::{DecodeErrorKind, Error, Result},
    ids::Code,
    image::{self, Image, build_id},
    value::Data,
};
use std::{
    any::type_name,
    ffi::{c_int, c_void},
    hash::{DefaultHasher, Hasher},
    marker::PhantomData,
    ops::Range,
    slice,
    sync::{OnceLock, PoisonError, RwLock},
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
    /// The name of the type of its value.
    pub(crate) result: fn() -> &'static str,
    /// Makes a list of values of the type that a list descriptor is for.
    pub(crate) collect: Collect,
    /// The copy of the library that made this.
    pub(crate) image: &'static Image,
}

/// Fails to compile where a function has captures, with this message and the user's line in a note.
// `track_caller`: else the compiler shows lines of the standard library first.
#[track_caller]
const fn assert_captures_nothing(bytes: usize) {
    assert!(
        bytes == 0,
        "this closure captures variables, which are not sent to other ranks (with `move` neither): have it take them \
         as parameters, and pass them as in `submit(f, (x, factor))` or `map(f, each(items).with(factor))`"
    );
}

impl Descriptor {
    /// The descriptor of `F`.
    ///
    /// A function that captures something does not compile: its captures would not travel.
    pub const fn of<F: TaskFunction<P, M, Out: Data>, P, M>() -> &'static Self {
        struct Of<F, P, M>(PhantomData<(F, P, M)>);
        impl<F: TaskFunction<P, M, Out: Data>, P, M> Of<F, P, M> {
            const DESCRIPTOR: Descriptor = {
                assert_captures_nothing(F::CAPTURED_BYTES);
                Descriptor {
                    magic: MAGIC,
                    run: run::<F, P, M>,
                    name: F::name,
                    result: type_name::<F::Out>,
                    collect: collect::<F::Out>,
                    image: &image::OWN,
                }
            };
        }
        &Of::<F, P, M>::DESCRIPTOR
    }

    /// A descriptor of a function that makes a value of any type: as its bytes.
    pub(crate) const fn of_values(
        run: fn(&mut Inputs<'_>, &mut Output<'_>) -> Result<(), String>,
        name: fn() -> &'static str,
    ) -> Self {
        Self { magic: MAGIC, run, name, result: type_name::<()>, collect: collect::<()>, image: &image::OWN }
    }

    /// A descriptor that stands for lists of `T`: it collects them, and runs nothing.
    pub const fn of_list<T: Data>() -> &'static Self {
        struct Of<T>(PhantomData<T>);
        impl<T: Data> Of<T> {
            const DESCRIPTOR: Descriptor = Descriptor {
                magic: MAGIC,
                run: |_, _| Err("a list is not a function".to_string()),
                name: type_name::<Vec<T>>,
                result: type_name::<Vec<T>>,
                collect: collect::<T>,
                image: &image::OWN,
            };
        }
        &Of::<T>::DESCRIPTOR
    }
}

impl Code {
    /// The code of a function.
    pub fn of_function<F: TaskFunction<P, M, Out: Data>, P, M>(_: F) -> Self {
        Self::of(const { Descriptor::of::<F, P, M>() })
    }

    /// The code of a descriptor of this process.
    ///
    /// # Panics
    ///
    /// Panics if no module of this process holds it, which cannot be.
    pub fn of(descriptor: &'static Descriptor) -> Self {
        let address = std::ptr::from_ref(descriptor) as usize;
        let holds = |module: &Module| module.constants.iter().any(|range| range.contains(&address));
        let found = find(holds).expect("a constant lies in some module");
        Self { module: found.id(), offset: (address - found.base) as u64 }
    }

    /// The descriptor in this process.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] if there is none: the ranks run different builds, or the bytes are broken.
    pub fn descriptor(self) -> Result<&'static Descriptor> {
        let module = find(|module| module.is(self.module)).ok_or_else(|| {
            Error::decode(DecodeErrorKind::Message, format!(
                "no module {:016x} in this process: do all ranks run the same build, with the same modules?",
                self.module
            ))
        })?;
        let broken =
            || Error::decode(DecodeErrorKind::Message, format!("no task at offset {:#x}", self.offset));
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

    /// The name of the type of the function's value, as the compiler writes it.
    pub(crate) fn result_name(self) -> &'static str {
        self.descriptor().map_or("", |descriptor| (descriptor.result)())
    }

    /// The function's name, as the compiler writes it.
    pub fn name(self) -> &'static str {
        self.descriptor().map_or("an unknown function", |descriptor| (descriptor.name)())
    }
}

/// What tells this build from any other: the build id of the program.
pub(crate) fn fingerprint() -> u64 {
    modules().iter().find(|module| module.is_home).map_or(0, Module::build)
}

#[derive(Debug)]
struct Module {
    is_home: bool,
    base: usize,
    /// Readable segments without code, where constants lie.
    constants: Vec<Range<usize>>,
    /// Segments of code.
    code: Vec<Range<usize>>,
    /// What tells this build from any other: its build id, or else a hash of its code. That reads all of it, tens of
    /// megabytes in libraries of others, so it is made for modules that have tasks, or may have a task that is sought.
    build: OnceLock<u64>,
}

impl Module {
    /// The build of a module that has tasks.
    fn build(&self) -> u64 {
        // SAFETY: tasks are constants that live as long as the program, so their module remains mapped.
        *self.build.get_or_init(|| unsafe { hash(&self.code) })
    }

    /// The number by which all ranks know a module that has tasks.
    fn id(&self) -> u64 {
        if self.is_home { 0 } else { self.build().max(1) }
    }

    /// Whether this is the module with a number, as far as is known.
    fn is(&self, id: u64) -> bool {
        match id {
            0 => self.is_home,
            id => !self.is_home && self.build.get().is_some_and(|build| (*build).max(1) == id),
        }
    }
}

/// # Safety
///
/// The segments must be mapped and readable.
unsafe fn hash(code: &[Range<usize>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    // SAFETY: by the contract.
    code.iter().for_each(|range| hasher.write(unsafe { bytes_of(range.clone()) }));
    hasher.finish()
}

fn modules() -> &'static [Module] {
    static MODULES: OnceLock<Vec<Module>> = OnceLock::new();
    MODULES.get_or_init(|| read_modules(add_module))
}

/// Finds a module, also one that was opened after the table was made.
fn find(is_wanted: impl Fn(&Module) -> bool) -> Option<&'static Module> {
    static LATER: RwLock<&[Module]> = RwLock::new(&[]);
    let search = |modules: &'static [Module]| modules.iter().find(|module| is_wanted(module));
    let known = || search(*LATER.read().unwrap_or_else(PoisonError::into_inner));
    search(modules()).or_else(known).or_else(|| {
        let all = read_modules(add_module_with_build);
        // A table is kept for good only where that has found something new.
        all.iter().any(&is_wanted).then(|| {
            let all = Vec::leak(all);
            *LATER.write().unwrap_or_else(PoisonError::into_inner) = all;
            search(all)
        })?
    })
}

/// Adds what is said of a module to a vector of modules.
type AddModule = unsafe extern "C" fn(*mut libc::dl_phdr_info, usize, *mut c_void) -> c_int;

fn read_modules(add: AddModule) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: the callback is called during the call only, with the pointer given here.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn add_module_with_build(
    info: *mut libc::dl_phdr_info,
    size: usize,
    data: *mut c_void,
) -> c_int {
    // SAFETY: passes on what `dl_iterate_phdr` passes.
    unsafe { add_module(info, size, data) };
    // SAFETY: the vector that `read_modules` passes.
    if let Some(module) = unsafe { &*data.cast::<Vec<Module>>() }.last() {
        // SAFETY: no module is unmapped during `dl_iterate_phdr`.
        module.build.get_or_init(|| unsafe { hash(&module.code) });
    }
    0
}

unsafe extern "C" fn add_module(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> c_int {
    let home = image::home();
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
        .find_map(|header| build_id(unsafe { bytes_of(range(header)) }));
    let is_home = loads().any(|header| range(header).contains(&home));
    let segments =
        |mask: u32, flags: u32| loads().filter(|header| header.p_flags & mask == flags).map(range).collect();
    modules.push(Module {
        is_home,
        base,
        constants: segments(libc::PF_R | libc::PF_X, libc::PF_R),
        code: segments(libc::PF_R | libc::PF_W | libc::PF_X, libc::PF_R | libc::PF_X),
        build: build.map_or_else(OnceLock::new, OnceLock::from),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn double(x: i64) -> i64 {
        x * 2
    }

    fn code_of<F: TaskFunction<P, M, Out: Data>, P, M>(_: F) -> Code {
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
