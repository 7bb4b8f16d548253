//! A program that ends while a run goes on, and runs that are started where none can be.
//!
//! `exit` in a task or in the driver would end one rank without a word, and the run with status 0. A function that the
//! C library calls at `exit` says which rank has left, notifies the others, and ends with status 70.

use super::{Builder, Engine, STATUS_BROKEN};
use crate::{
    current,
    error::{Error, Result},
};
use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, Once, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// The ranks of this process that take part in runs which have not ended.
static LIVE: Mutex<Vec<Weak<Engine>>> = Mutex::new(Vec::new());
/// Whether this library ends the process itself, and has said why.
static IS_EXPECTED: AtomicBool = AtomicBool::new(false);
/// Whether `run` was called, which may be called once.
static HAS_RUN: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_DRIVER: Cell<bool> = const { Cell::new(false) };
}

/// Says, as long as it lives, that a rank takes part in a run.
pub(super) struct Live(Weak<Engine>);

impl Live {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the function is there as long as the process is. Without it all else goes on.
            unsafe { libc::atexit(at_exit) };
        });
        let engine = Arc::downgrade(engine);
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).push(engine.clone());
        Self(engine)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).retain(|engine| !engine.ptr_eq(&self.0));
    }
}

/// Notes that this library ends the process itself.
pub(crate) fn expect_exit() {
    IS_EXPECTED.store(true, Ordering::SeqCst);
}

extern "C" fn at_exit() {
    if IS_EXPECTED.load(Ordering::SeqCst) {
        return;
    }
    // The lock is held for moments only, and by threads that this one does not wait for.
    let Ok(live) = LIVE.lock() else { return };
    let engine = live.iter().find_map(Weak::upgrade);
    drop(live);
    if let Some(engine) = engine {
        engine.leave_run(STATUS_BROKEN);
    }
}

/// Runs the driver's closure: no run can be started in it.
pub(super) fn driving<R>(closure: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_DRIVER.set(self.0);
        }
    }
    let _restore = Restore(IS_DRIVER.replace(true));
    closure()
}

/// Whether this thread runs the driver's closure.
pub(super) fn is_driver() -> bool {
    IS_DRIVER.try_with(Cell::get).unwrap_or(false)
}

/// Whether this thread runs the driver's closure or a task of a run.
pub(super) fn is_within_run() -> bool {
    is_driver() || current::is_in_task()
}

/// Whether a run is to be on a communicator of the program's own.
pub(super) fn has_communicator(builder: &Builder) -> bool {
    #[cfg(feature = "mpi")]
    return builder.communicator.is_some();
    #[cfg(not(feature = "mpi"))]
    {
        let _ = builder;
        false
    }
}

/// Checks that a run may be started here: alone as under a launcher, where all ranks would have to start it.
///
/// # Errors
///
/// [`Error::World`], which names `execute`.
pub(super) fn check_start(owns_process: bool, has_communicator: bool) -> Result<()> {
    let refuse = |words: &str| Err(Error::World(words.into()));
    if is_within_run() && !has_communicator {
        return refuse(match owns_process {
            true => {
                "maniple::run is called within a run: submit to the client of that run, or call \
                 Runtime::builder().execute() for one run after the other"
            }
            false => {
                "execute is called within a run: submit to the client of that run, or call execute after the other \
                 execute has returned"
            }
        });
    }
    if owns_process && HAS_RUN.swap(true, Ordering::SeqCst) {
        return refuse(
            "maniple::run is called a second time, but it starts and ends MPI: call Runtime::builder().execute() for \
             each of several runs",
        );
    }
    if !owns_process && !has_communicator && HAS_RUN.load(Ordering::SeqCst) {
        return refuse(
            "execute is called after maniple::run, which has ended MPI: call Runtime::builder().execute() for each \
             of several runs",
        );
    }
    Ok(())
}
