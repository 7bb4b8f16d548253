//! Memory that values travel in.
//!
//! A [`Buffer`] is written by a transport and then becomes a `Vec` without a copy; a [`Body`] is the
//! memory of a value, read by a transport while the value is kept alive.
//!
//! Fresh memory is dear: 64 MiB in 4 KiB pages take longer to fault in than to copy. Buffers of
//! [`HUGE_PAGE_BYTES`] and more therefore ask for huge pages before anything touches them.

use std::{
    alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error},
    any::Any,
    fmt,
    ops::Range,
    ptr::NonNull,
    slice,
    sync::Arc,
};

/// The size of a huge page on x86-64 and aarch64 Linux.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Bytes that this rank owns, aligned for the elements they will be read as.
pub struct Buffer {
    pointer: NonNull<u8>,
    length: usize,
    align: usize,
    /// The number of bytes at the front that have been written.
    written: usize,
}

// SAFETY: a Buffer owns its memory alone, as a Vec does.
unsafe impl Send for Buffer {}
// SAFETY: shared access to a Buffer only reads.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Allocates `length` bytes of zeros.
    ///
    /// # Panics
    ///
    /// Panics if `align` is not a power of two, or the length does not fit the address space.
    pub fn new(length: usize, align: usize) -> Self {
        Self::allocate(length, align, true)
    }

    /// Allocates `length` bytes that are still to be written, by a transport: zeroing them first
    /// would take as long as the transfer.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn unfilled(length: usize, align: usize) -> Self {
        Self::allocate(length, align, length == 0)
    }

    fn allocate(length: usize, align: usize, filled: bool) -> Self {
        let layout =
            Layout::from_size_align(length, align).expect("a buffer's length and alignment are valid");
        let written = if filled { length } else { 0 };
        if length == 0 {
            return Self { pointer: NonNull::<u128>::dangling().cast(), length, align, written };
        }
        // SAFETY: the layout's size is not zero. Large fresh memory comes zeroed from the kernel and
        // is not touched here, so the advice below still decides its pages.
        let pointer = unsafe { if filled { alloc_zeroed(layout) } else { alloc(layout) } };
        let Some(pointer) = NonNull::new(pointer) else { handle_alloc_error(layout) };
        advise_huge_pages(pointer.as_ptr(), length);
        Self { pointer, length, align, written }
    }

    /// Copies bytes into a new buffer.
    pub fn copy_of(bytes: &[u8], align: usize) -> Self {
        let mut buffer = Self::unfilled(bytes.len(), align);
        buffer.fill_from(bytes);
        buffer
    }

    /// How many bytes it has.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The bytes.
    ///
    /// # Panics
    ///
    /// Panics if they have not all been written.
    pub fn as_slice(&self) -> &[u8] {
        assert!(self.is_filled(), "a buffer is read after it is filled");
        // SAFETY: `pointer` is valid for `length` bytes while `self` lives, and all are written.
        unsafe { slice::from_raw_parts(self.pointer.as_ptr(), self.length) }
    }

    /// The bytes, to be changed.
    ///
    /// # Panics
    ///
    /// As [`as_slice`](Self::as_slice).
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        assert!(self.is_filled(), "a buffer is read after it is filled");
        // SAFETY: as in `as_slice`, and nobody else has the buffer.
        unsafe { slice::from_raw_parts_mut(self.pointer.as_ptr(), self.length) }
    }

    /// Writes all bytes.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many.
    pub fn fill_from(&mut self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.length, "a buffer is filled with as many bytes as it has");
        // SAFETY: both are valid for `length` bytes, and memory that is owned does not overlap.
        unsafe { self.pointer.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), self.length) };
        self.written = self.length;
    }

    /// Writes the bytes that follow those written so far. Returns whether there was room for them; otherwise
    /// nothing is written.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.length - self.written {
            return false;
        }
        // SAFETY: `written + bytes.len()` is at most `length`, for which the pointer is valid, and memory that is
        // owned does not overlap.
        unsafe {
            let target = self.pointer.as_ptr().add(self.written);
            target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.written += bytes.len();
        true
    }

    /// Whether all bytes have been written.
    pub fn is_filled(&self) -> bool {
        self.written == self.length
    }

    /// Where the bytes are, for a transport to write them.
    #[cfg(feature = "mpi")]
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.pointer.as_ptr()
    }

    /// Says that all bytes have been written.
    #[cfg(feature = "mpi")]
    ///
    /// # Safety
    ///
    /// They must have been.
    pub(super) unsafe fn set_filled(&mut self) {
        self.written = self.length;
    }

    /// The alignment of the first byte.
    pub fn align(&self) -> usize {
        self.align
    }

    /// Turns the buffer into a vector of elements, in place where its alignment is the element's.
    ///
    /// Returns the buffer if its length is no multiple of the element's size.
    pub fn into_vec<T: bytemuck::Pod>(self) -> Result<Vec<T>, Self> {
        let size = size_of::<T>();
        if size == 0 || !self.length.is_multiple_of(size) || !self.is_filled() {
            return Err(self);
        }
        let count = self.length / size;
        if self.align != align_of::<T>() || self.length == 0 {
            return Ok(bytemuck::allocation::pod_collect_to_vec(self.as_slice()));
        }
        let buffer = std::mem::ManuallyDrop::new(self);
        // SAFETY: the memory came from the global allocator with `count * size_of::<T>()` bytes and
        // the alignment of `T`; it holds initialised bytes, and any bytes are a valid `T: Pod`.
        Ok(unsafe { Vec::from_raw_parts(buffer.pointer.as_ptr().cast(), count, count) })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: allocated in `new` with this very layout, and not given away since.
            unsafe {
                dealloc(self.pointer.as_ptr(), Layout::from_size_align_unchecked(self.length, self.align))
            }
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.length)
    }
}

/// Asks the kernel for huge pages in the whole pages of this memory; a wish, not a demand.
pub fn advise_huge_pages(pointer: *mut u8, length: usize) {
    if length < HUGE_PAGE_BYTES {
        return;
    }
    let page = 4096;
    let start = (pointer as usize).next_multiple_of(page);
    let end = (pointer as usize + length) / page * page;
    // SAFETY: the range lies within memory that the caller owns; the advice changes no content.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
}

/// The memory of a value, and what keeps it alive.
#[derive(Clone)]
pub struct Body {
    _owner: Arc<dyn Any + Send + Sync>,
    pointer: NonNull<u8>,
    length: usize,
    align: usize,
}

// SAFETY: a Body only reads memory owned by a value that is itself Send and Sync.
unsafe impl Send for Body {}
// SAFETY: as above.
unsafe impl Sync for Body {}

impl Body {
    /// The bytes that `view` finds in `owner`, which is kept alive and not changed meanwhile.
    pub fn of<T: Any + Send + Sync>(owner: Arc<T>, align: usize, view: impl FnOnce(&T) -> &[u8]) -> Self {
        let bytes = view(&owner);
        let (pointer, length) = (NonNull::from(bytes).cast(), bytes.len());
        Self { _owner: owner, pointer, length, align }
    }

    /// Some of the bytes.
    ///
    /// # Panics
    ///
    /// Panics if there are none at `range`.
    #[must_use]
    pub fn slice(self, range: Range<usize>) -> Self {
        let (pointer, length) = {
            let bytes = &self.as_slice()[range];
            (NonNull::from(bytes).cast(), bytes.len())
        };
        Self { pointer, length, ..self }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the bytes belong to `_owner`, which lives as long as `self` and is not changed:
        // it is shared, and a value with interior mutability in its raw bytes is no `Pod`.
        unsafe { slice::from_raw_parts(self.pointer.as_ptr(), self.length) }
    }

    /// The alignment the receiver's buffer needs, in bytes.
    pub fn align(&self) -> usize {
        self.align
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_becomes_a_vector_without_moving() {
        let mut buffer = Buffer::unfilled(16, 8);
        buffer.fill_from(bytemuck::cast_slice(&[7u64, 0]));
        let address = buffer.as_slice().as_ptr() as usize;
        let vector: Vec<u64> = buffer.into_vec().unwrap();
        assert_eq!(vector, [7, 0]);
        assert_eq!(vector.as_ptr() as usize, address);
    }

    #[test]
    fn a_buffer_of_the_wrong_length_is_given_back() {
        assert_eq!(Buffer::new(15, 8).into_vec::<u64>().unwrap_err().as_slice().len(), 15);
        assert!(Buffer::new(0, 8).into_vec::<u64>().unwrap().is_empty());
    }

    #[test]
    fn a_large_buffer_starts_as_zeros() {
        let buffer = Buffer::new(3 * HUGE_PAGE_BYTES + 1, 1);
        assert!(buffer.as_slice().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_buffer_is_filled_piece_by_piece_and_not_beyond_its_end() {
        let mut buffer = Buffer::unfilled(4, 1);
        assert!(buffer.append(b"ab") && !buffer.is_filled());
        assert!(!buffer.append(b"cde"));
        assert!(buffer.append(b"cd") && buffer.is_filled());
        assert_eq!(buffer.as_slice(), b"abcd");
    }

    #[test]
    fn a_body_keeps_its_value_alive() {
        let value = Arc::new(vec![1u16, 2, 3]);
        let body = Body::of(value, 2, |v| bytemuck::cast_slice(v));
        assert_eq!(body.as_slice(), bytemuck::cast_slice::<u16, u8>(&[1, 2, 3]));
        assert_eq!(body.slice(2..6).as_slice(), bytemuck::cast_slice::<u16, u8>(&[2, 3]));
    }
}
