//! Devices: each worker binds to one GPU or tile through OpenCL, proves which, and runs kernels on it.
//!
//! ```no_run
//! use maniple::{Result, SubmitOptions};
//!
//! const SOURCE: &str = "kernel void twice(global float *x) { x[get_global_id(0)] *= 2; }";
//!
//! fn twice(x: Vec<f32>) -> Vec<f32> {
//!     let run = || {
//!         let device = maniple::device()?;
//!         let buffer = device.buffer(&x)?;
//!         // SAFETY: the kernel has one parameter, an array of floats, and each item touches its own.
//!         unsafe { device.kernel("twice", SOURCE)?.arg(&buffer).run([x.len()])? };
//!         buffer.read()
//!     };
//!     run().unwrap_or_else(|error: maniple::Error| panic!("{error}"))
//! }
//!
//! fn main() -> Result<()> {
//!     let runtime = maniple::Runtime::builder().device(maniple::device::Binding::Gpu);
//!     runtime.run(|client| {
//!         let options = SubmitOptions::new().resource("GPU", 1);
//!         let y = client.with(&options).submit(twice, vec![1f32, 2.0, 3.0]).result()?;
//!         assert_eq!(y, [2.0, 4.0, 6.0]);
//!         Ok(())
//!     })
//! }
//! ```
//!
//! One program serves nodes with and without GPUs: OpenCL is opened when a worker is told to bind
//! (`MANIPLE_DEVICE=gpu` or `tile`), and not looked for otherwise. Which device a worker takes is decided
//! in [`binding`]; what OpenCL offers is found in `opencl`. Here alone OpenCL is called.
//!
//! In a build without the feature `opencl` the same types are there (`absent`), and a worker that is told to bind
//! says that the feature is missing.

#[cfg(not(feature = "opencl"))]
mod absent;
mod array;
#[cfg_attr(not(feature = "opencl"), allow(dead_code, reason = "nothing is bound"))]
pub(crate) mod binding;
mod gather;
#[cfg(feature = "opencl")]
mod kernel;
#[cfg(feature = "opencl")]
mod loader;
#[cfg(feature = "opencl")]
mod memory;
#[cfg(feature = "opencl")]
mod opencl;
#[cfg(feature = "opencl")]
mod opened;
#[cfg(feature = "opencl")]
mod programs;
#[cfg(feature = "opencl")]
mod timing;
#[cfg_attr(not(feature = "opencl"), allow(dead_code, reason = "nothing leaves a device"))]
mod vector;

pub use crate::cluster::{DeviceKind, DeviceRecord};
use crate::error::Result;
#[cfg(not(feature = "opencl"))]
pub use absent::{Argument, Buffer, Device, Kernel};
pub(crate) use array::{AnyBuffer, Block, DeviceArray, Truth};
pub use binding::{Binding, DeviceType};
pub(crate) use gather::gather;
#[cfg(feature = "opencl")]
pub use {
    kernel::{Argument, Kernel},
    memory::Buffer,
    opened::Device,
};

pub use vector::DeviceVec;

/// Makes the functions of OpenCL callable in an image of a process whose worker has a device.
pub(crate) fn open_here() {
    // The loader is open in this process: another copy of this library has opened it.
    #[cfg(feature = "opencl")]
    let _ = loader::open();
}

/// The crate that OpenCL is called through, for what [`Device`] does not offer.
#[cfg(feature = "opencl")]
pub use ocl;

/// All OpenCL devices of this host that this process may see, each followed by its tiles.
///
/// ```no_run
/// for device in maniple::device::list()? {
///     println!("{device:#}");
/// }
/// # Ok::<(), maniple::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Device`](crate::Error::Device) if there is no OpenCL loader, or no platform, or the feature `opencl` was
/// not built.
pub fn list() -> Result<Vec<DeviceRecord>> {
    #[cfg(not(feature = "opencl"))]
    return Err(absent::unavailable());
    #[cfg(feature = "opencl")]
    opencl::list()
}
