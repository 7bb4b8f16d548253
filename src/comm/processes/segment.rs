//! The memory that the ranks share: a bell for each, and a ring from each to each.

use super::ring::{Ends, Ring};
use crate::{
    comm::bell::{Bell, Bells},
    rank::Rank,
};
use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};
use std::{
    ffi::c_void,
    io,
    os::fd::{AsFd, OwnedFd},
    ptr,
    sync::Arc,
};

/// The bytes of all rings together, about, and of one of them.
const ALL_RINGS_BYTES: usize = 64 << 20;
const RING_BYTES_MIN: usize = 16 << 10;
const RING_BYTES_MAX: usize = 512 << 10;

/// The shared memory of a world of `size` ranks, mapped into this process.
///
/// It has no name: only processes that were given its descriptor can map it.
#[derive(Debug)]
pub(super) struct Segment {
    start: *mut u8,
    length: usize,
    size: usize,
    capacity: usize,
}

// SAFETY: the memory belongs to the process and holds atomics, and bytes that rings guard.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// Makes the memory of a world. Pages that nobody has written take no memory.
    pub(super) fn create(size: u32) -> io::Result<(OwnedFd, Arc<Self>)> {
        let file = memfd_create("maniple", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, length(size as usize) as u64)?;
        let segment = Self::map(&file, size)?;
        Ok((file, segment))
    }

    /// Maps the memory of a world of `size` ranks.
    pub(super) fn map(file: impl AsFd, size: u32) -> io::Result<Arc<Self>> {
        let size = size as usize;
        let length = length(size);
        if rustix::fs::fstat(&file)?.st_size as u64 != length as u64 {
            return Err(io::Error::other("the shared memory is that of another build or world"));
        }
        // SAFETY: a new mapping at a place that the system chooses.
        let start = unsafe {
            mmap(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)?
        };
        Ok(Arc::new(Self { start: start.cast(), length, size, capacity: capacity(size) }))
    }

    /// The most bytes that a record of a ring should have.
    pub(super) fn piece_max(&self) -> usize {
        Ring::piece_max(self.capacity)
    }

    /// The ring that `source` writes and `target` reads.
    pub(super) fn ring(&self, source: Rank, target: Rank) -> Ring<'_> {
        let place = source.index() * self.size + target.index();
        assert!(source.index() < self.size && target.index() < self.size, "ranks are of this world");
        let offset = self.size * size_of::<Bell>() + place * stride(self.capacity);
        // SAFETY: the layout of `length`: the ring lies within the mapping, aligned, and zeros were a valid one.
        // One rank writes it and one reads it, each by one thread at a time, as a transport is used.
        unsafe {
            let ends = self.start.add(offset);
            Ring::new(&*ends.cast::<Ends>(), ends.add(size_of::<Ends>()), self.capacity)
        }
    }

    /// The bells of all ranks, as `rank` sees them.
    pub(super) fn bells(self: &Arc<Self>, rank: Rank) -> Bells {
        let bells = (0..self.size).map(|rank| self.start.cast::<Bell>().cast_const().wrapping_add(rank));
        // SAFETY: the bells are at the start of the mapping, which the bells keep; zeros were valid ones.
        unsafe { Bells::new(rank, bells.collect(), Box::new(Arc::clone(self))) }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`; bells and rings keep or borrow the segment.
        let _ = unsafe { munmap(self.start.cast::<c_void>(), self.length) };
    }
}

/// The bytes of one ring of a world of `size` ranks.
fn capacity(size: usize) -> usize {
    let share = ALL_RINGS_BYTES / (size * size);
    1 << share.clamp(RING_BYTES_MIN, RING_BYTES_MAX).ilog2()
}

fn stride(capacity: usize) -> usize {
    size_of::<Ends>() + capacity
}

fn length(size: usize) -> usize {
    size * size_of::<Bell>() + size * size * stride(capacity(size))
}
