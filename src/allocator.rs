//! A global allocator that recycles large blocks of huge pages.
//!
//! For blocks of 64 MiB, fresh 4 KiB pages take longer to fault in than their contents take to copy,
//! and MPI copies between processes at half the speed from small pages. Programs that make large
//! values again and again therefore gain by this allocator, chosen with one line:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: maniple::Allocator = maniple::Allocator::new();
//! # fn main() {}
//! ```
//!
//! Blocks of 2 MiB and more are whole huge pages; freed ones are kept for the next of their size, up to
//! 2 GiB in all. Smaller ones come from the system's allocator.

use crate::comm::buffer::{HUGE_PAGE_BYTES, advise_huge_pages};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
    sync::Mutex,
};

/// The most bytes of freed blocks that are kept.
const KEPT_BYTES_MAX: usize = 2 << 30;
/// The most freed blocks that are kept.
const KEPT_BLOCKS_MAX: usize = 64;

/// The allocator. See the module.
#[derive(Debug)]
pub struct Allocator {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// Addresses and sizes; the first `count` are blocks.
    blocks: [(usize, usize); KEPT_BLOCKS_MAX],
    count: usize,
    bytes: usize,
}

impl Kept {
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        let place = self.blocks[..self.count].iter().rposition(|(_, length)| *length == size)?;
        let (address, _) = self.blocks[place];
        self.count -= 1;
        self.blocks[place] = self.blocks[self.count];
        self.bytes -= size;
        Some(address as *mut u8)
    }

    fn put(&mut self, block: *mut u8, size: usize) -> bool {
        if self.count == KEPT_BLOCKS_MAX || self.bytes + size > KEPT_BYTES_MAX {
            return false;
        }
        self.blocks[self.count] = (block as usize, size);
        self.count += 1;
        self.bytes += size;
        true
    }
}

impl Default for Allocator {
    fn default() -> Self {
        Self::new()
    }
}

impl Allocator {
    /// An allocator that keeps nothing yet.
    pub const fn new() -> Self {
        Self { kept: Mutex::new(Kept { blocks: [(0, 0); KEPT_BLOCKS_MAX], count: 0, bytes: 0 }) }
    }

    /// Gives all freed blocks that are kept back to the system.
    pub fn give_back(&self) {
        loop {
            let last = self.kept.lock().ok().and_then(|mut kept| {
                let (_, size) = *kept.blocks[..kept.count].last()?;
                Some((kept.take(size)?, size))
            });
            let Some((block, size)) = last else { return };
            // SAFETY: the block is a mapping of `size` bytes that nobody uses any more.
            unsafe { libc::munmap(block.cast(), size) };
        }
    }

    /// How many bytes a block of this layout has, if it is large.
    fn large(layout: Layout) -> Option<usize> {
        let is_large = layout.size() >= HUGE_PAGE_BYTES && layout.align() <= HUGE_PAGE_BYTES;
        is_large.then(|| layout.size().next_multiple_of(HUGE_PAGE_BYTES))
    }

    /// A block, and whether it is known to be zeros.
    fn block(&self, size: usize) -> (*mut u8, bool) {
        // Nothing panics under this lock.
        match self.kept.lock().ok().and_then(|mut kept| kept.take(size)) {
            Some(block) => (block, false),
            None => (map(size), true),
        }
    }
}

/// Whole huge pages from the kernel, zeroed when they are touched; null if there are none.
fn map(size: usize) -> *mut u8 {
    let Some(length) = size.checked_add(HUGE_PAGE_BYTES) else { return ptr::null_mut() };
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, at an address of the kernel's choice.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, access, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return ptr::null_mut();
    }
    let block = (start as usize).next_multiple_of(HUGE_PAGE_BYTES);
    let (before, after) = (block - start as usize, start as usize + length - (block + size));
    // SAFETY: what is before and after the aligned block is part of the new mapping, and unused.
    unsafe {
        if before > 0 {
            libc::munmap(start, before);
        }
        if after > 0 {
            libc::munmap((block + size) as *mut libc::c_void, after);
        }
    }
    advise_huge_pages(block as *mut u8, size);
    block as *mut u8
}

// SAFETY: blocks are as large and as aligned as asked, are given to one owner at a time, and small ones
// go back to the allocator that they came from, since the layout tells them apart. Nothing unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match Self::large(layout) {
            Some(size) => self.block(size).0,
            // SAFETY: the caller's contract is the system's.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(size) = Self::large(layout) else {
            // SAFETY: the caller's contract is the system's.
            return unsafe { System.alloc_zeroed(layout) };
        };
        let (block, zeroed) = self.block(size);
        if !zeroed && !block.is_null() {
            // SAFETY: the block has `size` bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(size) = Self::large(layout) else {
            // SAFETY: a small block came from the system's allocator.
            return unsafe { System.dealloc(block, layout) };
        };
        if !self.kept.lock().is_ok_and(|mut kept| kept.put(block, size)) {
            // SAFETY: the block is a mapping of `size` bytes that nobody uses any more.
            unsafe { libc::munmap(block.cast(), size) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract: `size`, rounded up to the alignment, does not overflow.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (Self::large(layout), Self::large(wanted)) {
            // SAFETY: the caller's contract is the system's.
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some(old), Some(new)) if old == new => block,
            _ => {
                // SAFETY: the caller's contract; both blocks have the bytes that are copied.
                unsafe {
                    let moved = self.alloc(wanted);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(block, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).unwrap()
    }

    #[test]
    fn large_blocks_are_huge_pages_and_come_again() {
        let allocator = Allocator::new();
        // SAFETY: each block is used within its layout and freed once with it.
        unsafe {
            let first = allocator.alloc(layout(3 << 20));
            assert_eq!(first as usize % HUGE_PAGE_BYTES, 0);
            first.write_bytes(7, 3 << 20);
            allocator.dealloc(first, layout(3 << 20));
            let again = allocator.alloc_zeroed(layout(4 << 20));
            assert_eq!(again, first, "both are two huge pages");
            assert!((0..4 << 20).all(|at| *again.add(at) == 0));
            allocator.dealloc(again, layout(4 << 20));
            assert_eq!(allocator.kept.lock().unwrap().bytes, 4 << 20);
            allocator.give_back();
            let kept = allocator.kept.lock().unwrap();
            assert_eq!((kept.count, kept.bytes), (0, 0));
        }
    }

    #[test]
    fn blocks_keep_their_bytes_as_they_grow_and_shrink() {
        let allocator = Allocator::new();
        // SAFETY: as above.
        unsafe {
            let mut size = 1 << 20;
            let mut block = allocator.alloc(layout(size));
            block.write_bytes(5, 1 << 20);
            for next in [3 << 20, 4 << 20, 9 << 20, 1 << 20] {
                block = allocator.realloc(block, layout(size), next);
                size = next;
                assert!((0..1 << 20).all(|at| *block.add(at) == 5));
            }
            allocator.dealloc(block, layout(size));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let allocator = Allocator::new();
        let size = 600 << 20;
        // SAFETY: as above; the blocks are never touched.
        unsafe {
            let blocks: Vec<*mut u8> = (0..5).map(|_| allocator.alloc(layout(size))).collect();
            blocks.into_iter().for_each(|block| allocator.dealloc(block, layout(size)));
        }
        assert!(allocator.kept.lock().unwrap().bytes <= KEPT_BYTES_MAX);
    }
}
