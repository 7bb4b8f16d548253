//! Collective calls that wait asleep.
//!
//! A blocking collective call of MPI polls hard. Where ranks share processors it then takes the time
//! that the ranks it waits for need. So only nonblocking ones are called here, and looked at with
//! naps between.

use super::{
    call::{Communicator, mpi_call},
    requests::test,
};
use crate::{Error, Result};
use mpi::ffi;
use std::{
    ffi::c_int,
    hint, mem, thread,
    time::{Duration, Instant},
};

/// Looks that are taken before the first nap.
const LOOKS: u32 = 64;
const SHORTEST_NAP: Duration = Duration::from_micros(20);
const LONGEST_NAP: Duration = Duration::from_millis(1);

/// Longer and longer naps.
pub(super) struct Naps {
    looks: u32,
    nap: Duration,
}

impl Naps {
    pub(super) fn new() -> Self {
        Self { looks: 0, nap: SHORTEST_NAP }
    }

    pub(super) fn next(&mut self) {
        if self.looks < LOOKS {
            self.looks += 1;
            hint::spin_loop();
            return;
        }
        thread::sleep(self.nap);
        self.nap = (self.nap * 2).min(LONGEST_NAP);
    }
}

/// Waits for a request, doing something else meanwhile. Says whether it was complete in time.
pub(super) fn wait(
    communicator: &Communicator,
    mut request: ffi::MPI_Request,
    deadline: Option<Instant>,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<bool> {
    let mut naps = Naps::new();
    loop {
        // Twice: the first look after a nap moves things along, the second one sees that they are.
        for _ in 0..2 {
            if test(communicator.rank, &mut request)? {
                return Ok(true);
            }
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(false);
        }
        meanwhile()?;
        naps.next();
    }
}

/// Waits until every rank has come here. Collective.
pub(super) fn barrier(communicator: &Communicator) -> Result<()> {
    barrier_until(communicator, None, || Ok(())).map(|_| ())
}

/// The same, doing something else meanwhile. Says whether all came in time.
pub(super) fn barrier_until(
    communicator: &Communicator,
    deadline: Option<Instant>,
    meanwhile: impl FnMut() -> Result<()>,
) -> Result<bool> {
    // SAFETY: reads the null request.
    let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
    // SAFETY: the communicator is valid.
    unsafe { mpi_call!(communicator.rank, MPI_Ibarrier(communicator.raw, &raw mut request))? };
    wait(communicator, request, deadline, meanwhile)
}

/// Whether all ranks say yes. Collective.
pub(super) fn agree(communicator: &Communicator, vote: bool) -> Result<bool> {
    Ok(all_gather(communicator, vec![u8::from(vote)], || Ok(()))?.iter().all(|vote| vote == &[1]))
}

/// Gives every rank's bytes to every rank, and does something else meanwhile. Collective.
pub(super) fn all_gather(
    communicator: &Communicator,
    mut bytes: Vec<u8>,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<Vec<Vec<u8>>> {
    let lengths = gather_lengths(communicator, bytes.len() as u64, &mut meanwhile)?;
    let total: u64 = lengths.iter().sum();
    // Every rank sees the same lengths, so all of them stop here, or none.
    if total > c_int::MAX as u64 {
        return Err(Error::World(format!(
            "the ranks exchange {total} bytes at once, more than the {} that MPI can gather",
            c_int::MAX
        )));
    }
    let counts: Vec<c_int> = lengths.iter().map(|length| *length as c_int).collect();
    let offsets: Vec<c_int> =
        counts.iter().scan(0, |offset, count| Some(mem::replace(offset, *offset + count))).collect();
    // Memory of their own even for nothing: the address of an empty vector is 1, and so is Open MPI's
    // `MPI_IN_PLACE`.
    bytes.reserve(1);
    let mut all = Vec::with_capacity(total as usize + 1);
    all.resize(total as usize, 0u8);
    // SAFETY: reads the null request.
    let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
    // SAFETY: counts and offsets cover `all`; all four arrays outlive the request: see below.
    let waited = unsafe {
        mpi_call!(
            communicator.rank,
            MPI_Iallgatherv(
                bytes.as_mut_ptr().cast(),
                bytes.len() as c_int,
                ffi::RSMPI_UINT8_T,
                all.as_mut_ptr().cast(),
                counts.as_ptr(),
                offsets.as_ptr(),
                ffi::RSMPI_UINT8_T,
                communicator.raw,
                &raw mut request
            )
        )
    }
    .and_then(|()| wait(communicator, request, None, meanwhile));
    if let Err(error) = waited {
        // The request may be under way still.
        mem::forget((bytes, all, counts, offsets));
        return Err(error);
    }
    Ok(lengths
        .iter()
        .zip(&offsets)
        .map(|(length, at)| all[*at as usize..][..*length as usize].to_vec())
        .collect())
}

fn gather_lengths(
    communicator: &Communicator,
    length: u64,
    meanwhile: impl FnMut() -> Result<()>,
) -> Result<Vec<u64>> {
    let own = Box::new(length);
    let mut lengths = vec![0u64; communicator.size as usize];
    // SAFETY: reads the null request.
    let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
    // SAFETY: `lengths` has one element a rank; it and `own` outlive the request: see below.
    let waited = unsafe {
        mpi_call!(
            communicator.rank,
            MPI_Iallgather(
                (&raw const *own).cast(),
                1,
                ffi::RSMPI_UINT64_T,
                lengths.as_mut_ptr().cast(),
                1,
                ffi::RSMPI_UINT64_T,
                communicator.raw,
                &raw mut request
            )
        )
    }
    .and_then(|()| wait(communicator, request, None, meanwhile));
    if let Err(error) = waited {
        // The request may be under way still.
        mem::forget((own, lengths));
        return Err(error);
    }
    Ok(lengths)
}
