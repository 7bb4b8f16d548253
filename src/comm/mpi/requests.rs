//! Requests that are under way, and the memory that they hold.

use super::call::{check, empty_status, error_string, mpi_call};
use crate::{Error, Result, rank::Rank};
use mpi::ffi;
use std::{ffi::c_int, mem};

/// Requests that are not complete, each with what it is for.
///
/// A purpose owns the memory that its request reads or writes. It is given back when the request is
/// complete, and never freed before: who drops requests under way leaks their memory, for MPI may
/// write to it, or a peer's process may read it, at any time later.
pub(super) struct Requests<T> {
    rank: Rank,
    requests: Vec<ffi::MPI_Request>,
    purposes: Vec<T>,
    indices: Vec<c_int>,
    statuses: Vec<ffi::MPI_Status>,
}

impl<T> Requests<T> {
    pub(super) fn new(rank: Rank) -> Self {
        Self { rank, requests: vec![], purposes: vec![], indices: vec![], statuses: vec![] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn purposes(&self) -> &[T] {
        &self.purposes
    }

    pub(super) fn push(&mut self, request: ffi::MPI_Request, purpose: T) {
        self.requests.push(request);
        self.purposes.push(purpose);
    }

    /// Looks at a request that was just started: a small send is mostly complete at once.
    pub(super) fn push_unless_complete(
        &mut self,
        mut request: ffi::MPI_Request,
        purpose: T,
    ) -> Result<Option<T>> {
        match test(self.rank, &mut request) {
            Ok(true) => Ok(Some(purpose)),
            Ok(false) => {
                self.push(request, purpose);
                Ok(None)
            }
            Err(error) => {
                mem::forget(purpose);
                Err(error)
            }
        }
    }

    /// Moves everything along and hands out what has become complete, in no order.
    ///
    /// After an error of one request the others are handed out as well. The memory of the one that
    /// failed is leaked: what a library does with it after an error is not known.
    pub(super) fn take_complete(&mut self, mut take: impl FnMut(T, &ffi::MPI_Status)) -> Result<()> {
        if self.requests.is_empty() {
            return Ok(());
        }
        let count = self.requests.len();
        self.indices.resize(count, 0);
        self.statuses.resize(count, empty_status());
        let mut complete = 0;
        // SAFETY: the three arrays have `count` elements, and the requests are valid.
        let code = unsafe {
            ffi::MPI_Testsome(
                count as c_int,
                self.requests.as_mut_ptr(),
                &raw mut complete,
                self.indices.as_mut_ptr(),
                self.statuses.as_mut_ptr(),
            )
        };
        let some_failed = code == ffi::MPI_ERR_IN_STATUS as c_int;
        if !some_failed {
            check(self.rank, "MPI_Testsome", code)?;
        }
        // MPI says `MPI_UNDEFINED`, a negative number, where no request is active.
        let complete = complete.max(0) as usize;
        // From the last index to the first, so that `swap_remove` moves none that is still to come.
        let mut order: Vec<usize> = (0..complete).collect();
        order.sort_unstable_by_key(|&at| std::cmp::Reverse(self.indices[at]));
        let mut result = Ok(());
        for at in order {
            let index = self.indices[at] as usize;
            self.requests.swap_remove(index);
            let purpose = self.purposes.swap_remove(index);
            // The error field is set only if the call says so (MPI 3.1, section 3.7.5).
            let error = self.statuses[at].MPI_ERROR;
            if some_failed && error != ffi::MPI_SUCCESS as c_int {
                mem::forget(purpose);
                let message = error_string(error);
                result = Err(Error::Mpi { rank: self.rank, call: "MPI_Testsome", message });
            } else {
                take(purpose, &self.statuses[at]);
            }
        }
        result
    }

    /// Gives up requests that may never complete, with their memory, which MPI may use at any time later.
    pub(super) fn give_up(&mut self, is_lost: impl Fn(&T) -> bool) {
        for index in (0..self.purposes.len()).rev() {
            if is_lost(&self.purposes[index]) {
                self.requests.swap_remove(index);
                mem::forget(self.purposes.swap_remove(index));
            }
        }
    }

    /// Ends requests, which must be receives of messages that nobody sends, and gives back their memory.
    pub(super) fn withdraw(&mut self, is_meant: impl Fn(&T) -> bool) -> Result<()> {
        for index in (0..self.purposes.len()).rev() {
            if !is_meant(&self.purposes[index]) {
                continue;
            }
            let mut request = self.requests.swap_remove(index);
            let purpose = self.purposes.swap_remove(index);
            // SAFETY: the request is active. A receive that no message has matched is cancelled, and then waiting
            // for it is local (MPI 3.1, section 3.8.4).
            let ended = unsafe {
                mpi_call!(self.rank, MPI_Cancel(&raw mut request))
                    .and_then(|()| mpi_call!(self.rank, MPI_Wait(&raw mut request, ffi::RSMPI_STATUS_IGNORE)))
            };
            if let Err(error) = ended {
                mem::forget(purpose);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Cancels all requests, which must be receives; they still have to complete.
    pub(super) fn cancel_all(&mut self) -> Result<()> {
        for request in &mut self.requests {
            // SAFETY: the request is active; a cancelled receive completes (MPI 3.1, section 3.8.4).
            unsafe { mpi_call!(self.rank, MPI_Cancel(&raw mut *request))? };
        }
        Ok(())
    }
}

impl<T> Drop for Requests<T> {
    fn drop(&mut self) {
        // See the type: the memory of a request under way must stay.
        mem::forget(mem::take(&mut self.purposes));
    }
}

/// Whether the request is complete.
pub(super) fn test(rank: Rank, request: &mut ffi::MPI_Request) -> Result<bool> {
    let mut flag = 0;
    // SAFETY: the request is valid; its status is not wanted.
    unsafe { mpi_call!(rank, MPI_Test(&raw mut *request, &raw mut flag, ffi::RSMPI_STATUS_IGNORE))? };
    Ok(flag != 0)
}
