//! Buffers on a device, and the pool that they return to.
//!
//! All commands of a device go through one queue, in order. So a buffer can be given to the next user
//! while kernels that were queued before still work on it.

use super::{Device, opencl::status_name};
use crate::{
    error::{Error, Result},
    lock::lock,
};
use bytemuck::Pod;
use ocl::ffi;
use std::{collections::BTreeMap, ffi::c_void, fmt, marker::PhantomData, ptr, sync::Mutex};

/// The least memory that is asked for at a time, in bytes.
const BYTES_MIN: usize = 256;

/// Memory on a device for `len` numbers. It returns to the device's pool when it is dropped.
pub struct Buffer<T> {
    device: Device,
    memory: Option<Memory>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    /// A buffer whose numbers are whatever the memory held before.
    pub(super) fn new(device: &Device, len: usize) -> Result<Self> {
        let bytes = len.saturating_mul(size_of::<T>());
        let memory = device.pool().take(device, bytes.max(1))?;
        Ok(Self { device: device.clone(), memory: Some(memory), len, element: PhantomData })
    }

    /// The device that it is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How many numbers it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies numbers to the device, after what was queued before.
    ///
    /// # Panics
    ///
    /// Panics if they are not as many as the buffer has.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device fails.
    #[track_caller]
    pub fn write(&self, numbers: &[T]) -> Result<()> {
        assert!(numbers.len() == self.len, "{} numbers go into a buffer of {}", numbers.len(), self.len);
        let bytes: &[u8] = bytemuck::cast_slice(numbers);
        if bytes.is_empty() {
            return Ok(());
        }
        let queue = self.device.queue().as_core().as_ptr();
        // SAFETY: the buffer has at least as many bytes, and the call returns when they are copied.
        let status = unsafe {
            let source = bytes.as_ptr().cast::<c_void>();
            ffi::clEnqueueWriteBuffer(
                queue,
                self.raw(),
                1,
                0,
                bytes.len(),
                source,
                0,
                ptr::null(),
                ptr::null_mut(),
            )
        };
        self.device.outcome("clEnqueueWriteBuffer", status)
    }

    /// Copies the numbers to the host, when what was queued before is done.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device, or a kernel that was queued before, fails.
    pub fn read(&self) -> Result<Vec<T>> {
        let mut numbers = vec![T::zeroed(); self.len];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut numbers);
        if bytes.is_empty() {
            return Ok(numbers);
        }
        let queue = self.device.queue().as_core().as_ptr();
        // SAFETY: the buffer has at least as many bytes, and the call returns when they are copied.
        let status = unsafe {
            let target = bytes.as_mut_ptr().cast::<c_void>();
            ffi::clEnqueueReadBuffer(
                queue,
                self.raw(),
                1,
                0,
                bytes.len(),
                target,
                0,
                ptr::null(),
                ptr::null_mut(),
            )
        };
        self.device.outcome("clEnqueueReadBuffer", status)?;
        Ok(numbers)
    }
}

impl<T> Buffer<T> {
    /// OpenCL's name for it.
    pub(super) fn raw(&self) -> ffi::cl_mem {
        self.raw_place().map_or(ptr::null_mut(), |place| *place)
    }

    /// Where that name is, which kernels are told.
    pub(super) fn raw_place(&self) -> Option<&ffi::cl_mem> {
        self.memory.as_ref().map(|memory| &memory.raw)
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            self.device.pool().give_back(memory);
        }
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} on {})", self.len, self.device.record())
    }
}

/// A piece of a device's memory.
struct Memory {
    raw: ffi::cl_mem,
    bytes: usize,
}

// SAFETY: OpenCL's memory objects may be used and released by any thread (OpenCL 1.2, A.2).
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Asks the driver for memory. Returns its status if it has none.
    fn new(device: &Device, bytes: usize) -> std::result::Result<Self, i32> {
        let mut status = 0;
        // SAFETY: the context lives; no host memory is handed over.
        let raw = unsafe {
            let context = device.context().as_core().as_ptr();
            ffi::clCreateBuffer(context, ffi::CL_MEM_READ_WRITE, bytes, ptr::null_mut(), &raw mut status)
        };
        if status == 0 && !raw.is_null() { Ok(Self { raw, bytes }) } else { Err(status) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was created once and is released once; OpenCL keeps it while commands need it. A
        // device that was lost may refuse, and there is nothing to be done then.
        unsafe { ffi::clReleaseMemObject(self.raw) };
    }
}

/// A device's memory: what is in use, and what waits to be used again.
pub(super) struct Pool {
    /// The most bytes that buffers may take.
    limit: u64,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    idle: BTreeMap<usize, Vec<Memory>>,
    idle_bytes: u64,
    used_bytes: u64,
}

impl Pool {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, contents: Mutex::default() }
    }

    /// Takes memory, for which values that are not in use move to the host if need be.
    fn take(&self, device: &Device, bytes: usize) -> Result<Memory> {
        let most = device.record().buffer_bytes_max.min(self.limit);
        if bytes as u64 > most {
            return Err(too_large(device, bytes, most));
        }
        let size = size_class(bytes).min(most as usize);
        loop {
            match self.try_take(device, size) {
                Ok(memory) => return Ok(memory),
                Err(words) if device.residents().make_room(device, size) == 0 => {
                    let record = device.record();
                    return Err(Error::Device(format!("no room for {bytes} bytes on {record}: {words}")));
                }
                Err(_) => {}
            }
        }
    }

    fn try_take(&self, device: &Device, size: usize) -> std::result::Result<Memory, String> {
        let mut contents = lock(&self.contents);
        if let Some(memory) = contents.idle.get_mut(&size).and_then(Vec::pop) {
            contents.idle_bytes -= size as u64;
            contents.used_bytes += size as u64;
            return Ok(memory);
        }
        if contents.used_bytes + contents.idle_bytes + size as u64 > self.limit {
            contents.clear();
        }
        let used = contents.used_bytes;
        if used + size as u64 > self.limit {
            return Err(format!("{used} of {} bytes are in use", self.limit));
        }
        let memory = Memory::new(device, size).or_else(|_| {
            contents.clear();
            Memory::new(device, size)
        });
        let words =
            |status| format!("{used} of {} bytes are in use, and {}", self.limit, status_name(status));
        let memory = memory.map_err(words)?;
        contents.used_bytes += size as u64;
        Ok(memory)
    }

    fn give_back(&self, memory: Memory) {
        let mut contents = lock(&self.contents);
        contents.used_bytes -= memory.bytes as u64;
        contents.idle_bytes += memory.bytes as u64;
        contents.idle.entry(memory.bytes).or_default().push(memory);
    }

    /// How many bytes are in use, and how many wait to be used again.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let contents = lock(&self.contents);
        (contents.used_bytes, contents.idle_bytes)
    }
}

impl Contents {
    fn clear(&mut self) {
        self.idle.clear();
        self.idle_bytes = 0;
    }
}

/// Sizes are rounded up by at most a quarter, so that memory fits its next user.
fn size_class(bytes: usize) -> usize {
    let step = (bytes.next_power_of_two() / 8).max(BYTES_MIN);
    bytes.next_multiple_of(step)
}

fn too_large(device: &Device, bytes: usize, most: u64) -> Error {
    let record = device.record();
    Error::Device(format!(
        "a buffer of {bytes} bytes is too large for {record}: it takes at most {most} bytes; use smaller chunks"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_a_little() {
        assert_eq!([1, 256, 257, 4096, 4097].map(size_class), [256, 256, 512, 4096, 5120]);
        for bytes in [1000, 12_345, 1 << 20, (1 << 30) + 1] {
            let size = size_class(bytes);
            assert!(size >= bytes && size <= bytes + bytes / 4 + BYTES_MIN, "{bytes} in {size}");
        }
    }
}
