//! How MPI is left, when all ranks have met for the last time.
//!
//! `MPI_Finalize` of MPICH 4.0 may never return where there are several hosts: it closes the connections
//! one by one, and a rank that has closed its own then waits for the launcher, where it no longer answers
//! those that have not. So it is not called there. `srun` does not mind; Hydra takes a rank that goes
//! without a word for one that has crashed, ends the others of its host, and drops what they print: it is
//! told what `MPI_Finalize` would tell it.

use super::call::{library_name, mpi_call};
use crate::{Result, rank::Rank};
use mpi::ffi;
use std::{
    env, io,
    io::{Read, Write},
    os::{
        fd::{BorrowedFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

/// How long the launcher may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Ends MPI in this process.
///
/// # Safety
///
/// MPI is initialised, and nothing of it is used any more.
pub(super) unsafe fn finalize(rank: Rank, has_remote_ranks: bool) -> Result<()> {
    if has_remote_ranks && library_name().starts_with("MPICH 4.0") {
        // If it fails, the launcher's connection is gone, and nobody is left to be told.
        let _ = tell_hydra();
        return Ok(());
    }
    // SAFETY: by contract.
    unsafe { mpi_call!(rank, MPI_Finalize()) }
}

/// Tells Hydra, if that has started this process, that this rank ends well (PMI-1, `cmd=finalize`).
fn tell_hydra() -> io::Result<()> {
    // Both are set by Hydra; `srun` sets the first one, too, and speaks another protocol there.
    let number = env::var("PMI_FD").ok().filter(|_| env::var_os("MPI_LOCALRANKID").is_some());
    let Some(number) = number.and_then(|number| number.parse::<RawFd>().ok()) else { return Ok(()) };
    // SAFETY: the library keeps its connection to the launcher open as long as MPI is not finalized.
    let connection = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()?;
    let mut connection = UnixStream::from(connection);
    connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    connection.write_all(b"cmd=finalize\n")?;
    // The answer is one line, and says nothing else.
    connection.read(&mut [0; 256]).map(drop)
}
