//! A kernel on its way to a device: arguments, sizes, launch.

use super::{Buffer, Device, array::AnyBuffer, opencl::check};
use crate::error::{Error, Result};
use ocl::{core, ffi};
use std::{ffi::c_void, fmt, marker::PhantomData, ptr};

/// A kernel that is given its arguments, one after the other, and then launched.
///
/// It borrows its buffers until it is launched or dropped.
#[must_use]
pub struct Kernel<'a> {
    device: Device,
    name: String,
    raw: core::Kernel,
    given: u32,
    wanted: u32,
    /// The first argument that was refused.
    refused: Option<Error>,
    group: Option<[usize; 3]>,
    buffers: PhantomData<&'a ()>,
}

impl<'a> Kernel<'a> {
    pub(super) fn new(device: &Device, name: &str, program: &core::Program) -> Result<Self> {
        let absent = |_| Error::Device(format!("the program has no kernel called {name:?}"));
        let raw = core::create_kernel(program, name).map_err(absent)?;
        let wanted = match core::get_kernel_info(&raw, core::KernelInfo::NumArgs) {
            Ok(core::KernelInfoResult::NumArgs(wanted)) => wanted,
            _ => 0,
        };
        let (device, name) = (device.clone(), name.to_string());
        Ok(Self { device, name, raw, given: 0, wanted, refused: None, group: None, buffers: PhantomData })
    }

    /// Gives it its next argument: a reference to a [`Buffer`], or a number of the very type that the
    /// kernel declares (`u32` for `uint`, `u64` for `ulong`, ...).
    pub fn arg(mut self, argument: impl Argument + 'a) -> Self {
        let index = self.given;
        self.given += 1;
        // SAFETY: the value lives to the end of the call, which copies it, and has the size that is told.
        let status = argument
            .with_bytes(|size, value| unsafe { ffi::clSetKernelArg(self.raw.as_ptr(), index, size, value) });
        if self.refused.is_none() {
            let call = format!("argument {index} of kernel {:?} does not fit: clSetKernelArg", self.name);
            self.refused = check(&call, status).err();
        }
        self
    }

    /// Launches it in groups of so many items a dimension, rather than what the driver chooses.
    pub fn in_groups_of<const DIMENSIONS: usize>(mut self, items: [usize; DIMENSIONS]) -> Self {
        self.group = Some(filled(items));
        self
    }

    /// Queues it for so many items a dimension; one to three dimensions, and a multiple of the group in
    /// each. Returns before it has run: [`Buffer::read`] and [`Device::finish`] wait.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if arguments are missing or refused, the sizes do not fit the device, or it fails.
    ///
    /// # Safety
    ///
    /// The device runs the kernel's text unchecked, and a CPU does so within this process. The types of the
    /// kernel's pointers must be those of the buffers, and it must stay within them.
    pub unsafe fn run<const DIMENSIONS: usize>(mut self, items: [usize; DIMENSIONS]) -> Result<()> {
        const { assert!(DIMENSIONS >= 1 && DIMENSIONS <= 3, "a kernel has one to three dimensions") };
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        if self.given != self.wanted {
            let words = format!("kernel {:?} wants {} arguments, not {}", self.name, self.wanted, self.given);
            return Err(Error::Device(words));
        }
        if items.contains(&0) {
            return Ok(());
        }
        let (queue, kernel) = (self.device.queue().as_core().as_ptr(), self.raw.as_ptr());
        let (items, group) = (filled(items), self.group.as_ref().map_or(ptr::null(), |group| group.as_ptr()));
        let dimensions = DIMENSIONS as u32;
        let mut event: ffi::cl_event = ptr::null_mut();
        let timing = self.device.timing();
        let event_place = if timing.is_on() { &raw mut event } else { ptr::null_mut() };
        // SAFETY: queue, kernel, sizes and the place of the event live to the end of the call; what the kernel does, the caller
        // answers for.
        let status = unsafe {
            let (sizes, none) = (items.as_ptr(), ptr::null());
            ffi::clEnqueueNDRangeKernel(
                queue,
                kernel,
                dimensions,
                none,
                sizes,
                group,
                0,
                ptr::null(),
                event_place,
            )
        };
        if status == 0 && !event.is_null() {
            // SAFETY: the driver has just made it, for this.
            timing.launched(unsafe { core::Event::from_raw_create_ptr(event) });
        }
        let call = format!("to launch kernel {:?} for {:?} items", self.name, &items[..DIMENSIONS]);
        self.device.outcome(&call, status)?;
        // SAFETY: the queue lives. Drivers may wait for this before they begin.
        self.device.outcome("clFlush", unsafe { ffi::clFlush(queue) })
    }
}

impl fmt::Debug for Kernel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernel({})", self.name)
    }
}

fn filled<const DIMENSIONS: usize>(items: [usize; DIMENSIONS]) -> [usize; 3] {
    let mut all = [1; 3];
    all[..DIMENSIONS].copy_from_slice(&items);
    all
}

/// What a kernel can be given: a number, or a reference to a buffer.
pub trait Argument: private::Sealed {
    /// Calls `set` with the size and the place of what OpenCL is told.
    #[doc(hidden)]
    fn with_bytes(self, set: impl FnOnce(usize, *const c_void) -> i32) -> i32;
}

mod private {
    pub trait Sealed {}
}

impl private::Sealed for &dyn AnyBuffer {}

impl Argument for &dyn AnyBuffer {
    fn with_bytes(self, set: impl FnOnce(usize, *const c_void) -> i32) -> i32 {
        let raw = self.raw();
        set(size_of::<ffi::cl_mem>(), (&raw const raw).cast())
    }
}

impl<T> private::Sealed for &Buffer<T> {}

impl<T> Argument for &Buffer<T> {
    fn with_bytes(self, set: impl FnOnce(usize, *const c_void) -> i32) -> i32 {
        let raw = self.raw();
        set(size_of::<ffi::cl_mem>(), (&raw const raw).cast())
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl private::Sealed for $number {}

        impl Argument for $number {
            fn with_bytes(self, set: impl FnOnce(usize, *const c_void) -> i32) -> i32 {
                set(size_of::<Self>(), (&raw const self).cast())
            }
        }
    )*};
}

numbers! { u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 }
