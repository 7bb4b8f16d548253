//! The ranks of one node, and the doorbells that they share.

use super::{
    asleep,
    call::{Communicator, mpi_call},
};
use crate::{
    Result,
    comm::bell::{Bell, Bells},
    rank::Rank,
};
use mpi::ffi;
use std::{
    ffi::{c_int, c_void},
    ptr,
};

/// The ranks that share memory with this one: the first of them, and how many they are.
pub(super) struct Node {
    pub(super) first: Rank,
    pub(super) size: u32,
}

impl Node {
    /// Finds the ranks of this node and gives each a bell. Collective.
    ///
    /// MPI only lends the memory: each rank maps the bells' pages once more for itself, and the window
    /// goes at once. So threads may ring as long as they have the bells, even after the end of MPI.
    pub(super) fn new(frames: &Communicator) -> Result<(Self, Bells)> {
        let communicator = split(frames)?;
        let members = ranks_within(&communicator, frames)?;
        let node = Self { first: members[0], size: communicator.size };
        let bells = if node.size > 1 { shared_bells(frames, &communicator, members)? } else { None };
        // SAFETY: nothing uses the communicator any more.
        unsafe { communicator.free()? };
        Ok((node, bells.unwrap_or_else(|| bells_of_one(frames.rank, frames.size))))
    }
}

/// The bells of the node; `None` if some rank of it cannot have them, or map them. Then all do without.
fn shared_bells(frames: &Communicator, node: &Communicator, members: Vec<Rank>) -> Result<Option<Bells>> {
    // Open MPI lends no memory where it is told to use other windows, as by `OMPI_MCA_osc=ucx`.
    let allocated = allocate(node);
    let all_allocated = asleep::agree(node, allocated.is_ok())?;
    // To free a window takes all ranks: if some have none, the others keep theirs.
    let Some((mut window, own)) = allocated.ok().filter(|_| all_allocated) else { return Ok(None) };
    // SAFETY: the segment has room for an aligned bell that nobody else has found yet.
    unsafe { aligned(own).write(Bell::default()) };
    asleep::barrier(node)?;
    let mut pages = Pages(vec![]);
    let mut bells = vec![ptr::null::<Bell>(); frames.size as usize];
    for (peer, rank) in members.into_iter().enumerate() {
        let bell = aligned(segment_of(node, window, peer as c_int)?);
        bells[rank.index()] = pages.map_again(bell).unwrap_or(ptr::null());
    }
    let all_mapped = asleep::agree(node, pages.0.len() == node.size as usize)?;
    // SAFETY: all ranks of the node have mapped what they need, and use MPI's own mapping no more.
    unsafe { mpi_call!(node.rank, MPI_Win_free(&raw mut window))? };
    // SAFETY: each address is null or that of a bell which its owner wrote before the barrier, in
    // pages that are mapped while the bells live.
    Ok(all_mapped.then(|| unsafe { Bells::new(frames.rank, bells.into_boxed_slice(), Box::new(pages)) }))
}

/// Pages of shared memory that this process has mapped for itself.
struct Pages(Vec<Page>);

struct Page {
    address: *mut c_void,
    length: usize,
}

// SAFETY: the pages belong to the process, not to a thread, and are only unmapped through this.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Pages {
    /// Maps the page of a bell a second time. `None` if this memory does not allow it.
    fn map_again(&mut self, bell: *const Bell) -> Option<*const Bell> {
        // SAFETY: asks for a constant of the system.
        let length = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let within = bell.addr() % length;
        let page = bell.wrapping_byte_sub(within).cast_mut().cast::<c_void>();
        // SAFETY: an old length of 0 leaves the old mapping of shared memory alone and makes another
        // one of the same page. A bell is aligned to its size, so it lies in one page.
        let address = unsafe { libc::mremap(page, 0, length, libc::MREMAP_MAYMOVE) };
        if address == libc::MAP_FAILED {
            return None;
        }
        self.0.push(Page { address, length });
        Some(address.wrapping_byte_add(within).cast_const().cast())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by `map_again`, and unmapped once, with the bells.
        unsafe { libc::munmap(self.address, self.length) };
    }
}

/// Bells in the memory of this process alone.
fn bells_of_one(rank: Rank, size: u32) -> Bells {
    let own = Box::new(Bell::default());
    let mut bells = vec![ptr::null::<Bell>(); size as usize];
    bells[rank.index()] = &raw const *own;
    // SAFETY: the bell does not move within its box, which the bells keep.
    unsafe { Bells::new(rank, bells.into_boxed_slice(), own) }
}

fn split(frames: &Communicator) -> Result<Communicator> {
    // SAFETY: the communicator is valid; the new one is ours (MPI 3.1, section 6.4.2).
    unsafe {
        let mut raw = ffi::RSMPI_COMM_NULL;
        mpi_call!(
            frames.rank,
            MPI_Comm_split_type(
                frames.raw,
                ffi::RSMPI_COMM_TYPE_SHARED,
                frames.rank.0 as c_int,
                ffi::RSMPI_INFO_NULL,
                &raw mut raw
            )
        )?;
        Communicator::adopt(raw)
    }
}

/// A window with room for one bell a rank, wherever in it an aligned one starts.
fn allocate(node: &Communicator) -> Result<(ffi::MPI_Win, *mut u8)> {
    let bytes = (size_of::<Bell>() + align_of::<Bell>()) as ffi::MPI_Aint;
    let mut base = ptr::null_mut::<u8>();
    // SAFETY: collective over ranks that can share memory (MPI 3.1, section 11.2.3); writes to locals.
    unsafe {
        let mut window = ffi::RSMPI_WIN_NULL;
        let target = (&raw mut base).cast::<c_void>();
        mpi_call!(
            node.rank,
            MPI_Win_allocate_shared(bytes, 1, ffi::RSMPI_INFO_NULL, node.raw, target, &raw mut window)
        )?;
        mpi_call!(node.rank, MPI_Win_set_errhandler(window, ffi::RSMPI_ERRORS_RETURN))?;
        Ok((window, base))
    }
}

/// Where a peer's segment lies in this process.
fn segment_of(node: &Communicator, window: ffi::MPI_Win, peer: c_int) -> Result<*mut u8> {
    let (mut bytes, mut unit, mut base) = (0, 0, ptr::null_mut::<u8>());
    // SAFETY: the window was allocated shared; the call writes to locals.
    unsafe {
        let target = (&raw mut base).cast::<c_void>();
        mpi_call!(node.rank, MPI_Win_shared_query(window, peer, &raw mut bytes, &raw mut unit, target))?;
    }
    Ok(base)
}

/// The first aligned place for a bell. All ranks find the same one: a window is mapped at a multiple
/// of the page size everywhere, so its addresses differ by multiples of it.
fn aligned(segment: *mut u8) -> *mut Bell {
    segment.wrapping_add(segment.align_offset(align_of::<Bell>())).cast()
}

/// The ranks of the node's members in the run, in the node's order.
fn ranks_within(node: &Communicator, frames: &Communicator) -> Result<Vec<Rank>> {
    let members: Vec<c_int> = (0..node.size as c_int).collect();
    let mut ranks = vec![0; members.len()];
    // SAFETY: both communicators are valid, both arrays have one element a member, and the groups are
    // freed here (MPI 3.1, section 6.3).
    unsafe {
        let (mut node_group, mut group) = (ffi::RSMPI_GROUP_NULL, ffi::RSMPI_GROUP_NULL);
        mpi_call!(frames.rank, MPI_Comm_group(node.raw, &raw mut node_group))?;
        mpi_call!(frames.rank, MPI_Comm_group(frames.raw, &raw mut group))?;
        mpi_call!(
            frames.rank,
            MPI_Group_translate_ranks(
                node_group,
                members.len() as c_int,
                members.as_ptr(),
                group,
                ranks.as_mut_ptr()
            )
        )?;
        mpi_call!(frames.rank, MPI_Group_free(&raw mut node_group))?;
        mpi_call!(frames.rank, MPI_Group_free(&raw mut group))?;
    }
    Ok(ranks.into_iter().map(|rank| Rank(rank as u32)).collect())
}
