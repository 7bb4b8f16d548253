//! What a signal does to a run that owns its process.
//!
//! SIGINT and SIGTERM interrupt whatever the driver waits for, so that its closure can return and the
//! run can end in order. Who has not ended a moment later is ended here, and a second signal ends a
//! rank at once; nothing is left behind in either case.
//!
//! SIGUSR1, which batch schedulers send some time before they end a job, lets no more tasks begin.

use super::Engine;
use crate::{
    comm::launcher::Launcher,
    error::{Error, Result, tell},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};
use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// The exit status after a signal: 128 and the number of SIGINT, as shells have it.
pub(super) const STATUS_INTERRUPTED: i32 = 130;
/// How long a rank may take to end in order; and under a launcher, which kills it after a second.
const GRACE: Duration = Duration::from_millis(1500);
const GRACE_OF_LAUNCHERS: Duration = Duration::from_millis(800);

/// Watches for signals as long as the engine lives.
pub(super) fn watch(engine: &Arc<Engine>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    #[cfg(feature = "mpi")]
    let hears_of_losses = super::supervisor::hears_of_losses();
    #[cfg(not(feature = "mpi"))]
    let hears_of_losses = false;
    let engine = Arc::downgrade(engine);
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut already = false;
        for signal in signals.forever() {
            if signal == SIGUSR1 {
                if hears_of_losses {
                    continue;
                }
                if let Some(running) = engine.upgrade() {
                    running.stop_beginning();
                }
                continue;
            }
            if already {
                end(&engine);
            }
            already = true;
            interrupt(&engine, signal);
        }
    })?;
    Ok(())
}

/// Says what the run was interrupted by; only the first time.
pub(super) fn tell_once(words: impl fmt::Display) {
    static HAS_TOLD: AtomicBool = AtomicBool::new(false);
    if !HAS_TOLD.swap(true, Ordering::SeqCst) {
        tell(words);
    }
}

fn interrupt(engine: &Weak<Engine>, signal: i32) {
    let Some(running) = engine.upgrade() else {
        // The run is over: the signal means the program.
        std::process::exit(STATUS_INTERRUPTED);
    };
    let own = running.record().clone();
    let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
    running.interrupt(Error::Interrupted { signal: name, rank: own.rank, host: own.host.clone() });
    // Some launchers kill soon after they have passed a signal on.
    running.clean_up();
    let engine = engine.clone();
    let grace = if Launcher::of_this_process().is_some() { GRACE_OF_LAUNCHERS } else { GRACE };
    let late = move || {
        thread::sleep(grace);
        if own.role.driver && engine.strong_count() > 0 {
            tell_once(format_args!("interrupted by {name} on rank {} ({})", own.rank, own.host));
        }
        end(&engine);
    };
    // Without a thread the second signal still ends the rank.
    let _ = thread::Builder::new().name("grace".into()).spawn(late);
}

/// Ends this process at once, and leaves nothing behind.
fn end(engine: &Weak<Engine>) {
    if let Some(engine) = engine.upgrade() {
        engine.clean_up();
        // SAFETY: ends the process; nothing of it is used afterwards.
        unsafe { libc::_exit(STATUS_INTERRUPTED) };
    }
}
