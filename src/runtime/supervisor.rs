//! A parent that turns the death of a rank by a signal into an exit status.
//!
//! MPICH's launcher kills all ranks of a host when a process that it has started itself dies by a signal,
//! whatever it was told. So where the loss of a worker is to be survived, the program starts itself once
//! more, and the first process only waits for the second one, which is the rank.

use super::signals::STATUS_INTERRUPTED;
use crate::{
    comm::launcher::Launcher,
    error::{Error, Result},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};
use std::{
    env,
    io::{self, Read, Write},
    mem,
    os::{
        fd::FromRawFd,
        unix::{
            net::UnixStream,
            process::{self, CommandExt, ExitStatusExt},
        },
    },
    process::{Command, exit},
    thread,
    time::Duration,
};

/// Set in the process that is the rank, to the parent's process id.
const SUPERVISED: &str = "MANIPLE_SUPERVISED";
/// What UCX, on which MPICH may be built, moves values by. It ends the process that reads another one's memory
/// (CMA) when that has died, so values go through shared memory instead.
const UCX_TRANSPORTS: &str = "UCX_TLS";
/// For how long a process that has died by a signal stands, so that the other ranks of its host see by which.
const STANDS: Duration = Duration::from_millis(400);

/// Whether SIGUSR1 is the launcher's word that a rank is lost: Hydra's is. Slurm's says that the job ends soon.
pub(super) fn hears_of_losses() -> bool {
    is_supervised() && is_below_hydra()
}

fn is_below_hydra() -> bool {
    env::var_os("MPI_LOCALRANKID").is_some()
}

/// Whether this process has such a parent.
pub(super) fn is_supervised() -> bool {
    // Programs that the rank starts inherit the variable, but not the parent.
    env::var(SUPERVISED).is_ok_and(|parent| parent == process::parent_id().to_string())
}

/// Waits until a child has ended, and lets it stand for a moment if that was by a signal.
fn wait_for_end(pid: libc::pid_t) {
    // SAFETY: a record of numbers, for which all zeros are valid.
    let mut ended: libc::siginfo_t = unsafe { mem::zeroed() };
    // SAFETY: asks after a child of this process, which stays to be waited for.
    let wait = |ended: &mut libc::siginfo_t| unsafe {
        libc::waitid(libc::P_PID, pid as libc::id_t, ended, libc::WEXITED | libc::WNOWAIT)
    };
    while wait(&mut ended) != 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
    if ended.si_code != libc::CLD_EXITED {
        thread::sleep(STANDS);
    }
}

/// Starts the program once more and waits for its end, if the launcher asks for that. Returns in the process
/// that is the rank.
///
/// # Errors
///
/// The system's, if it can't be started.
pub(super) fn supervise(launcher: Launcher) -> Result<()> {
    if is_supervised() || launcher.name.contains("Open MPI") {
        return Ok(());
    }
    let trouble = |error| Error::Option(format!("MANIPLE_SURVIVE: the program can't start itself: {error}"));
    let program = env::current_exe().map_err(trouble)?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1]).map_err(trouble)?;
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    command
        .arg0(arguments.next().unwrap_or_default())
        .args(arguments)
        .env(SUPERVISED, std::process::id().to_string());
    if env::var_os(UCX_TRANSPORTS).is_none() {
        command.env(UCX_TRANSPORTS, "^cma");
    }
    // SAFETY: between fork and exec only one call of the system is made.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let mut child = command.spawn().map_err(trouble)?;
    let pid = child.id() as libc::pid_t;
    let passes_on = thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever().filter(|signal| *signal != SIGUSR1 || !is_below_hydra()) {
            // SAFETY: the child is waited for by the thread that ends this process.
            unsafe { libc::kill(pid, signal) };
        }
    });
    passes_on.map_err(trouble)?;
    wait_for_end(pid);
    let status = child.wait().map_err(trouble)?;
    // The others tell of a signal, and how the run ends, unless it can't go on without this one.
    let is_vital = Launcher::rank_of_this_process().is_none_or(|rank| rank < 2);
    let status = match status.signal() {
        None => status.code().unwrap_or(STATUS_INTERRUPTED),
        Some(signal) if is_vital => 128 + signal,
        Some(_) => 0,
    };
    if status == 0 {
        let _ = take_leave();
    }
    exit(status);
}

/// Tells MPICH's launcher that this rank ends in order. Else it may take the end of the connection, which
/// `MPI_Finalize` would have announced, for a failure, and end with status 1 itself: that depends on what it
/// sees first. (PMI, version 1.)
fn take_leave() -> io::Result<()> {
    let number = |name: &str| env::var(name).ok()?.parse::<i32>().ok();
    let (Some(_), Some(connection)) = (number("HYDI_CONTROL_FD"), number("PMI_FD")) else { return Ok(()) };
    // SAFETY: the launcher has left this descriptor to this process, which ends now and uses it nowhere else.
    let mut connection = unsafe { UnixStream::from_raw_fd(connection) };
    connection.set_read_timeout(Some(STANDS))?;
    // It is closed already where the rank came to `MPI_Finalize`.
    connection.write_all(b"cmd=finalize\n")?;
    connection.read(&mut [0; 64]).map(|_| ())
}
