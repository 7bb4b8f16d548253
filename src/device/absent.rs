//! What stands for devices in a build without the feature `opencl`: the same types, of which there is never a value.

use super::{
    array::AnyBuffer,
    binding::{Binding, DeviceType},
    vector::Residents,
};
use crate::{
    cluster::DeviceRecord,
    error::{Error, Result},
    ids::TaskId,
    units::MemoryLimit,
};
use bytemuck::Pod;
use std::{fmt, marker::PhantomData, path::Path, sync::Arc, time::Instant};

pub(super) fn unavailable() -> Error {
    Error::Device(
        "this program was built without maniple's feature `opencl`: add it in Cargo.toml, or run on CPUs \
         (MANIPLE_DEVICE=cpu)"
            .into(),
    )
}

#[derive(Clone)]
enum Never {}

/// What a worker is bound to: never, as the feature `opencl` was not built.
#[derive(Clone)]
pub struct Device(Arc<Never>);

impl Device {
    pub(crate) fn bind(
        _place: u32,
        _binding: Binding,
        _types: DeviceType,
        _limit: MemoryLimit,
        _is_timed: bool,
        _folder: &Path,
    ) -> Result<Self> {
        Err(unavailable())
    }

    /// Which device it is, and what it has.
    pub fn record(&self) -> &DeviceRecord {
        match *self.0 {}
    }

    /// How many `long`s the device likes to have in a vector.
    pub fn long_vector_width(&self) -> u32 {
        match *self.0 {}
    }

    /// A buffer with these numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device fails.
    pub fn buffer<T: Pod>(&self, _numbers: &[T]) -> Result<Buffer<T>> {
        match *self.0 {}
    }

    /// A buffer for `len` numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device has no room for it.
    pub fn empty_buffer<T: Pod>(&self, _len: usize) -> Result<Buffer<T>> {
        match *self.0 {}
    }

    /// A kernel of this program.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if it does not compile.
    pub fn kernel<'a>(&self, _name: &str, _source: &str) -> Result<Kernel<'a>> {
        match *self.0 {}
    }

    /// As [`kernel`](Self::kernel), with options for the compiler.
    ///
    /// # Errors
    ///
    /// As [`kernel`](Self::kernel).
    pub fn kernel_with_options<'a>(&self, _name: &str, _source: &str, _options: &str) -> Result<Kernel<'a>> {
        match *self.0 {}
    }

    /// Waits until all is done that was asked of the device.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device fails.
    pub fn finish(&self) -> Result<()> {
        match *self.0 {}
    }

    /// How many bytes buffers take, and how many more are kept for the next ones.
    pub fn buffer_bytes(&self) -> (u64, u64) {
        match *self.0 {}
    }

    pub(crate) fn take_ran(&self) -> Vec<Ran> {
        match *self.0 {}
    }

    pub(crate) fn exact_options(&self) -> &'static str {
        match *self.0 {}
    }

    pub(super) fn residents(&self) -> &Residents {
        match *self.0 {}
    }

    pub(super) fn is_same(&self, _other: &Self) -> bool {
        match *self.0 {}
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {}
    }
}

/// A kernel that has run.
pub(crate) struct Ran {
    pub task: Option<TaskId>,
    pub start: Instant,
    pub end: Instant,
}

/// Memory on a device for numbers.
pub struct Buffer<T> {
    device: Device,
    element: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    /// The device that it is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How many numbers it has.
    pub fn len(&self) -> usize {
        match *self.device.0 {}
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        match *self.device.0 {}
    }

    /// Copies numbers to the device.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device fails.
    pub fn write(&self, _numbers: &[T]) -> Result<()> {
        match *self.device.0 {}
    }

    /// Copies the numbers to the host.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device fails.
    pub fn read(&self) -> Result<Vec<T>> {
        match *self.device.0 {}
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.device.0 {}
    }
}

/// A kernel that is given its arguments, one after the other, and then launched.
#[must_use]
pub struct Kernel<'a> {
    device: Device,
    buffers: PhantomData<&'a ()>,
}

impl<'a> Kernel<'a> {
    /// Gives it its next argument.
    pub fn arg(self, _argument: impl Argument + 'a) -> Self {
        match *self.device.0 {}
    }

    /// Launches it in groups of so many items a dimension.
    pub fn in_groups_of<const DIMENSIONS: usize>(self, _items: [usize; DIMENSIONS]) -> Self {
        match *self.device.0 {}
    }

    /// Queues it for so many items a dimension.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device fails.
    ///
    /// # Safety
    ///
    /// The device runs the kernel's text unchecked.
    pub unsafe fn run<const DIMENSIONS: usize>(self, _items: [usize; DIMENSIONS]) -> Result<()> {
        match *self.device.0 {}
    }
}

impl fmt::Debug for Kernel<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.device.0 {}
    }
}

/// What a kernel can be given: a number, or a reference to a buffer.
pub trait Argument: private::Sealed {}

mod private {
    pub trait Sealed {}
}

impl private::Sealed for &dyn AnyBuffer {}
impl Argument for &dyn AnyBuffer {}
impl<T> private::Sealed for &Buffer<T> {}
impl<T> Argument for &Buffer<T> {}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl private::Sealed for $number {}
        impl Argument for $number {}
    )*};
}

numbers! { u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 }

#[cfg(test)]
mod tests {
    use crate::{Runtime, device::Binding};

    #[test]
    fn a_device_that_cannot_be_had_is_told_in_one_line() {
        let error = Runtime::builder().device(Binding::Gpu).execute(|_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("built without maniple's feature `opencl`"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(super::super::list().unwrap_err().to_string().contains("`opencl`"));
    }
}
