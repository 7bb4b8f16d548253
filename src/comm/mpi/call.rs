//! Calls of MPI whose return codes are looked at, and what concerns the whole library.

use crate::{Error, Result, rank::Rank};
use mpi::ffi;
use std::{
    env,
    ffi::{c_char, c_int, c_void},
    mem, ptr,
};

/// Calls an MPI function and turns its return code into a `Result`.
macro_rules! mpi_call {
    ($rank:expr, $name:ident($($argument:expr),* $(,)?)) => {
        $crate::comm::mpi::call::check($rank, stringify!($name), ffi::$name($($argument),*))
    };
}
pub(super) use mpi_call;

/// The result that a return code stands for.
pub(super) fn check(rank: Rank, call: &'static str, code: c_int) -> Result<()> {
    if code == ffi::MPI_SUCCESS as c_int {
        return Ok(());
    }
    Err(Error::Mpi { rank, call, message: error_string(code) })
}

/// MPI's words for an error (MPI 3.1, section 8.4).
pub(super) fn error_string(code: c_int) -> String {
    let mut text = vec![0u8; ffi::MPI_MAX_ERROR_STRING as usize];
    let mut length = 0;
    // SAFETY: the text has room for the longest string that MPI may write.
    unsafe { ffi::MPI_Error_string(code, text.as_mut_ptr().cast::<c_char>(), &raw mut length) };
    text.truncate(length.max(0) as usize);
    first_line(&text)
}

fn first_line(text: &[u8]) -> String {
    let end = text.iter().position(|byte| matches!(byte, 0 | b'\n')).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end]).trim().to_owned()
}

/// The name and version of the MPI library, as it gives them; its first line if there are several.
///
/// Can be called before MPI is initialised, and after it was finalized.
pub fn library_version() -> String {
    let mut text = vec![0u8; ffi::MPI_MAX_LIBRARY_VERSION_STRING as usize];
    let mut length = 0;
    // SAFETY: the text has room for the longest string that MPI may write; MPI 3.1, section 8.1.1,
    // allows the call at any time.
    unsafe { ffi::MPI_Get_library_version(text.as_mut_ptr().cast::<c_char>(), &raw mut length) };
    text.truncate(length.max(0) as usize);
    first_line(&text)
}

/// The name and version of the MPI library, as short as it is clear: `Open MPI v4.1.4`, `MPICH 4.0.2`.
pub fn library_name() -> String {
    let version = library_version();
    let words = version.replace("Version:", " ");
    let words = words.split(',').next().unwrap_or_default();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A state of zero, to be written by MPI.
pub(super) fn empty_status() -> ffi::MPI_Status {
    // SAFETY: a status consists of integers in every MPI.
    unsafe { mem::zeroed() }
}

/// What MPI allows the threads of this process.
pub(super) struct Library {
    /// Whether this call initialised MPI.
    pub(super) initialised_here: bool,
    /// Whether only the calling thread may call MPI.
    pub(super) main_thread_only: bool,
}

/// Open MPI yields the processor whenever it finds nothing to do, if it knows that there are more ranks than processors.
/// That helps ranks to start together: without it those that wait in a collective call take the processors from those
/// they wait for, 0.3 s for 6 ranks on 2 cores. Later, besides computing threads, each such yield costs milliseconds,
/// and we sleep on doorbells instead.
const YIELDS: &str = "OMPI_MCA_mpi_yield_when_idle";

/// Has Open MPI no more yield, unless the user wants it.
pub(super) fn yield_no_more() {
    if let Some(switch) = yield_switch().filter(|_| env::var_os(YIELDS).is_none()) {
        // SAFETY: the function stores a flag, at any time.
        unsafe { switch(false) };
    }
}

type YieldSwitch = unsafe extern "C" fn(bool) -> bool;

/// Open MPI's function that says whether to yield, where there is one (`opal_progress.h`, Open MPI 1.3 to 5).
fn yield_switch() -> Option<YieldSwitch> {
    // SAFETY: an info of zeros is written by `dladdr`, and read if that has succeeded; the library is loaded already,
    // and its symbol has the type that its header gives it.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        if libc::dladdr(ffi::MPI_Init as *const c_void, &raw mut info) == 0 {
            return None;
        }
        // The libraries that this one needs are searched, too.
        let library = libc::dlopen(info.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if library.is_null() {
            return None;
        }
        let symbol = libc::dlsym(library, c"opal_progress_set_yield_when_idle".as_ptr());
        (!symbol.is_null()).then(|| mem::transmute::<*mut c_void, YieldSwitch>(symbol))
    }
}

/// Initialises MPI if that was not done yet.
pub(super) fn initialise() -> Result<Library> {
    let early = Rank(0);
    let (mut initialised, mut finalized) = (0, 0);
    // SAFETY: both calls are allowed at any time (MPI 3.1, section 8.7) and write one flag.
    unsafe {
        mpi_call!(early, MPI_Finalized(&raw mut finalized))?;
        mpi_call!(early, MPI_Initialized(&raw mut initialised))?;
    }
    if finalized != 0 {
        return Err(Error::World("MPI was finalized in this process and cannot be started again".into()));
    }
    if initialised == 0 {
        if yield_switch().is_none() {
            prefer(YIELDS, "0");
        }
        // MVAPICH2 binds each rank, with all its threads, to one core.
        prefer("MV2_ENABLE_AFFINITY", "0");
        let mut provided = 0;
        // SAFETY: MPI is not initialised; null stands for the arguments of main (section 8.7).
        unsafe {
            let wanted = ffi::RSMPI_THREAD_SERIALIZED;
            mpi_call!(early, MPI_Init_thread(ptr::null_mut(), ptr::null_mut(), wanted, &raw mut provided))?;
        }
    }
    Ok(Library { initialised_here: initialised == 0, main_thread_only: main_thread_only()? })
}

/// What MPI allows the threads of this process, by the name of the standard; `None` before MPI is
/// initialised and after it was finalized.
pub fn thread_level() -> Option<&'static str> {
    let (mut initialised, mut finalized, mut level) = (0, 0, 0);
    // SAFETY: the first two calls are allowed at any time and the third between them (MPI 3.1, sections 8.7
    // and 12.4.3); each writes one integer.
    unsafe {
        ffi::MPI_Initialized(&raw mut initialised);
        ffi::MPI_Finalized(&raw mut finalized);
        if initialised == 0
            || finalized != 0
            || ffi::MPI_Query_thread(&raw mut level) != ffi::MPI_SUCCESS as c_int
        {
            return None;
        }
        let names = [
            (ffi::RSMPI_THREAD_SINGLE, "MPI_THREAD_SINGLE"),
            (ffi::RSMPI_THREAD_FUNNELED, "MPI_THREAD_FUNNELED"),
            (ffi::RSMPI_THREAD_SERIALIZED, "MPI_THREAD_SERIALIZED"),
            (ffi::RSMPI_THREAD_MULTIPLE, "MPI_THREAD_MULTIPLE"),
        ];
        names.into_iter().find(|(known, _)| *known == level).map(|(_, name)| name)
    }
}

/// Sets an option of an MPI library unless it is set.
fn prefer(option: &str, value: &str) {
    if env::var_os(option).is_none() {
        // SAFETY: a program starts MPI before it starts threads that read the environment; MPI's own
        // initialisation, which follows, sets variables as well.
        unsafe { env::set_var(option, value) };
    }
}

/// Whether MPI serves one thread only. That must then be the calling one.
pub(super) fn main_thread_only() -> Result<bool> {
    let early = Rank(0);
    let (mut provided, mut is_main) = (0, 0);
    // SAFETY: MPI is initialised; both calls write one integer and any thread may call them.
    let serialized = unsafe {
        mpi_call!(early, MPI_Query_thread(&raw mut provided))?;
        mpi_call!(early, MPI_Is_thread_main(&raw mut is_main))?;
        ffi::RSMPI_THREAD_SERIALIZED
    };
    if provided < serialized && is_main == 0 {
        return Err(Error::World(
            "MPI was initialised for its main thread only; use the runtime from that thread, or initialise \
             MPI with MPI_THREAD_SERIALIZED"
                .into(),
        ));
    }
    Ok(provided < serialized)
}

/// A communicator of our own.
#[derive(Clone, Copy)]
pub(super) struct Communicator {
    pub(super) raw: ffi::MPI_Comm,
    pub(super) rank: Rank,
    pub(super) size: u32,
}

impl Communicator {
    /// A duplicate of somebody's communicator. Collective.
    ///
    /// Hints are not taken over: a user's may promise that there are no wildcards. Errors are
    /// returned on the duplicate only; the original keeps its handler.
    ///
    /// # Safety
    ///
    /// `original` must be a valid communicator, or the null one.
    pub(super) unsafe fn duplicate_of(original: ffi::MPI_Comm) -> Result<Self> {
        let early = Rank(0);
        // SAFETY: `original` is not null and valid, by contract; the calls write to locals.
        unsafe {
            if original == ffi::RSMPI_COMM_NULL {
                return Err(Error::World("there is no communicator here: it is MPI_COMM_NULL".into()));
            }
            let mut is_inter = 0;
            mpi_call!(early, MPI_Comm_test_inter(original, &raw mut is_inter))?;
            if is_inter != 0 {
                return Err(Error::World("an intercommunicator cannot carry a run".into()));
            }
            let mut raw = ffi::RSMPI_COMM_NULL;
            mpi_call!(early, MPI_Comm_dup_with_info(original, ffi::RSMPI_INFO_NULL, &raw mut raw))?;
            Self::adopt(raw)
        }
    }

    /// Takes a communicator over and lets it return errors.
    ///
    /// # Safety
    ///
    /// `raw` must be valid and belong to nobody else.
    pub(super) unsafe fn adopt(raw: ffi::MPI_Comm) -> Result<Self> {
        let early = Rank(0);
        let (mut rank, mut size) = (0, 0);
        // SAFETY: the communicator is valid; the calls write to locals.
        unsafe {
            mpi_call!(early, MPI_Comm_set_errhandler(raw, ffi::RSMPI_ERRORS_RETURN))?;
            mpi_call!(early, MPI_Comm_rank(raw, &raw mut rank))?;
            mpi_call!(early, MPI_Comm_size(raw, &raw mut size))?;
        }
        Ok(Self { raw, rank: Rank(rank as u32), size: size as u32 })
    }

    /// Frees the communicator. Collective.
    ///
    /// # Safety
    ///
    /// No copy of it may be used afterwards.
    pub(super) unsafe fn free(mut self) -> Result<()> {
        // SAFETY: the communicator is valid and ours.
        unsafe { mpi_call!(self.rank, MPI_Comm_free(&raw mut self.raw)) }
    }
}
