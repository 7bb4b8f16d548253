//! Opens modules that were checked, and knows those that are open in this process.

use super::{
    file,
    offer::{ENTRY, Export, Host, Offer},
};
use crate::{current::call::CallThere, ids::Code, lock::lock};
use std::{
    ffi::{CStr, CString, c_void},
    fs::File,
    io::{self, Write},
    mem,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd},
    sync::{Mutex, OnceLock, PoisonError, RwLock},
};

/// A module that is open in this process, for good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) functions: &'static [Export],
    call: CallThere,
}

/// What came of each module that was opened, by its number.
static OPENED: RwLock<Vec<(u64, Result<Loaded, String>)>> = RwLock::new(Vec::new());

fn known(id: u64) -> Option<Result<Loaded, String>> {
    let opened = OPENED.read().unwrap_or_else(PoisonError::into_inner);
    opened.iter().find(|(known, _)| *known == id).map(|(_, outcome)| outcome.clone())
}

/// How a function is called that is part of a module; `None` if it is part of the program.
pub(crate) fn call_of(code: Code) -> Option<CallThere> {
    if code.module == 0 { None } else { known(code.module)?.ok().map(|module| module.call) }
}

/// Opens a module, unless it is open.
///
/// # Errors
///
/// Says why it is refused, or the system's words.
pub(super) fn load(bytes: &[u8]) -> Result<Loaded, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let id = file::check(bytes)?;
    let _one = lock(&ONE_AT_A_TIME);
    if let Some(outcome) = known(id) {
        return outcome;
    }
    let library = open(bytes)?;
    // The library stays open even if it is refused: another attempt does not open it again.
    let outcome = introduce(library).map(|offer| Loaded { functions: offer.functions, call: offer.call });
    OPENED.write().unwrap_or_else(PoisonError::into_inner).push((id, outcome.clone()));
    outcome
}

/// A file without a name that only this process has, and that cannot be changed any more.
fn private_file(bytes: &[u8]) -> io::Result<File> {
    /// Files may be executable even where `vm.memfd_noexec` says otherwise; kernels before 6.3 do not know it.
    const MFD_EXEC: libc::c_uint = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let create = |flags| {
        // SAFETY: the name ends with a zero.
        match unsafe { libc::memfd_create(c"maniple-module".as_ptr(), flags) } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: a descriptor that was made just now, and belongs to nobody else.
            descriptor => Ok(unsafe { File::from_raw_fd(descriptor) }),
        }
    };
    let mut file = create(flags | MFD_EXEC).or_else(|_| create(flags))?;
    file.write_all(bytes)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: the descriptor is open.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(file),
    }
}

/// Opens a library. If that fails nothing of it stays.
fn open(bytes: &[u8]) -> Result<*mut c_void, String> {
    let file = private_file(bytes).map_err(|error| format!("there is no memory for it: {error}"))?;
    let name = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("digits and slashes");
    // SAFETY: the name ends with a zero. The file was checked: it is a module of the same library. What its
    // constructors do is its author's, as all that it does later.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        return Err(linker_words());
    }
    // The descriptor stays open: the linker would take another file under the same number for this one.
    let _ = file.into_raw_fd();
    Ok(library)
}

/// Introduces program and module to each other.
fn introduce(library: *mut c_void) -> Result<&'static Offer, String> {
    static HOST: OnceLock<Host> = OnceLock::new();
    // SAFETY: the library is open, and the name ends with a zero.
    let entry = unsafe { libc::dlsym(library, ENTRY.as_ptr()) };
    if entry.is_null() {
        return Err(linker_words());
    }
    // SAFETY: a module's note says that `module!` has made this symbol, in this version of the library.
    let entry: unsafe extern "C" fn(*const Host) -> *const Offer =
        unsafe { mem::transmute::<*mut c_void, _>(entry) };
    // SAFETY: the host lives for ever, and the note was compared. What comes back is null, or a static of the module,
    // which is never closed; its layout is this library's, since the module has compared their types.
    let offer = unsafe { entry(HOST.get_or_init(Host::new)).as_ref() };
    accepted(offer)
}

/// What a module has answered.
fn accepted(offer: Option<&'static Offer>) -> Result<&'static Offer, String> {
    offer.ok_or_else(|| {
        "it was built with other dependencies of the library: build it in the program's workspace, with the same features and \
         profile"
            .to_string()
    })
}

/// What the dynamic linker says of the last failure, on one line.
fn linker_words() -> String {
    // SAFETY: after a failure this is a text that lives until this thread's next call, or null.
    let words = unsafe { libc::dlerror() };
    if words.is_null() {
        return "the dynamic linker cannot open it".into();
    }
    // SAFETY: as above; not null.
    unsafe { CStr::from_ptr(words) }.to_string_lossy().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image;
    use std::fs;

    #[test]
    fn a_module_of_another_library_is_refused() {
        static OFFER: Offer = Offer::new(&[]);
        let other: &Host = Box::leak(Box::new(Host::of_another_library()));
        // SAFETY: the host lives for ever. This is a test of the comparison that makes other copies' types safe.
        let offer = unsafe { OFFER.accept(other).as_ref() };
        let error = accepted(offer).unwrap_err();
        assert!(error.starts_with("it was built with other dependencies of the library: "), "{error}");
        assert!(image::is_home(), "the module belongs to nobody");
    }

    #[test]
    fn a_module_that_cannot_be_opened_leaves_nothing() {
        for _ in 0..3 {
            let error = load(&file::tests::module_without_code()).unwrap_err();
            assert!(!error.contains('\n') && error.contains("/proc/self/fd/"), "{error}");
        }
        let descriptors =
            fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let left = descriptors.filter(|path| path.to_string_lossy().contains("maniple-module"));
        assert_eq!(left.count(), 0);
    }
}
