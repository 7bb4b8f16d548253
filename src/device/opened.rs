//! The device that a worker is bound to: its context, its queue, and what was made on it.

use super::{
    Buffer, Kernel,
    binding::{self, Binding, DeviceType},
    memory::Pool,
    opencl,
    programs::Programs,
    timing::{Ran, Timing},
    vector::Residents,
};
use crate::{
    cluster::DeviceRecord,
    error::{Error, Result},
    units::MemoryLimit,
};
use bytemuck::Pod;
use ocl::{
    CommandQueueProperties, Context, Queue,
    core::{DeviceInfo, DeviceInfoResult},
};
use std::{
    fmt,
    mem::ManuallyDrop,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What a worker is bound to, ready to run kernels. Clones are the same device.
///
/// All tasks of the worker share it. What they ask of it goes through one queue and is done in order.
#[derive(Clone)]
pub struct Device(Arc<Opened>);

struct Opened {
    record: DeviceRecord,
    device: ocl::Device,
    context: ManuallyDrop<Context>,
    queue: ManuallyDrop<Queue>,
    programs: ManuallyDrop<Programs>,
    pool: ManuallyDrop<Pool>,
    residents: Residents,
    timing: ManuallyDrop<Timing>,
    /// With which options single floats are divided as on a CPU.
    exact_options: &'static str,
    /// The driver has failed, and may do so again when it is told to let go.
    failed: AtomicBool,
}

impl Device {
    /// Binds a worker: the one that has this place, from 0, among the workers of its host. Binaries of
    /// its programs are kept below `folder`. Its buffers take no more memory than `limit`. If it is timed, it
    /// tells when kernels ran ([`take_ran`](Self::take_ran)), which costs them a little.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if there is no such device, or it cannot be used.
    pub(crate) fn bind(
        place: u32,
        binding: Binding,
        types: DeviceType,
        limit: MemoryLimit,
        is_timed: bool,
        folder: &Path,
    ) -> Result<Self> {
        let mut roots = opencl::roots(types)?;
        let counts: Vec<u32> = roots.iter().map(|root| root.tiles.len() as u32).collect();
        let leaf = binding::choose(place, &binding::leaves(&counts, binding)).ok_or_else(|| {
            let kind = match types {
                DeviceType::Gpu => "GPU",
                DeviceType::Cpu => "CPU",
                DeviceType::All => "device",
            };
            Error::Device(format!(
                "OpenCL shows no {kind} here: set MANIPLE_DEVICE=cpu to do without, or look at `clinfo` and at what \
                 hides devices (CUDA_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES, ZE_AFFINITY_MASK)"
            ))
        })?;
        let root = roots.swap_remove(leaf.root);
        let (device, record) = match leaf.tile {
            None => (root.device, root.record),
            Some(tile) => {
                let tile = &root.tiles[tile as usize];
                (tile.device, tile.record.clone())
            }
        };
        Self::open(root.platform, device, record, limit, is_timed, folder)
    }

    fn open(
        platform: ocl::Platform,
        device: ocl::Device,
        record: DeviceRecord,
        limit: MemoryLimit,
        is_timed: bool,
        folder: &Path,
    ) -> Result<Self> {
        let words =
            |error: ocl::Error| Error::Device(format!("{record} cannot be used: {}", one_line(&error)));
        let context = Context::builder().platform(platform).devices(device).build().map_err(words)?;
        let properties = is_timed.then_some(CommandQueueProperties::PROFILING_ENABLE);
        let queue = Queue::new(&context, device, properties).map_err(words)?;
        let machine =
            format!("{}, {}, driver {}, tile {:?}", record.platform, record.name, record.driver, record.tile);
        let limit = match limit {
            MemoryLimit::Auto => record.memory_bytes,
            MemoryLimit::Bytes(bytes) => bytes.min(record.memory_bytes),
            MemoryLimit::Fraction(part) => (part * record.memory_bytes as f64) as u64,
        };
        let exact_options = opencl::exact_options(&device);
        let programs = Programs::new(context.clone(), device, machine, folder);
        Ok(Self(Arc::new(Opened {
            record,
            device,
            context: ManuallyDrop::new(context),
            queue: ManuallyDrop::new(queue),
            programs: ManuallyDrop::new(programs),
            pool: ManuallyDrop::new(Pool::new(limit)),
            residents: Residents::default(),
            timing: ManuallyDrop::new(Timing::new(is_timed)),
            exact_options,
            failed: AtomicBool::new(false),
        })))
    }

    /// Which device it is, and what it has.
    pub fn record(&self) -> &DeviceRecord {
        &self.0.record
    }

    /// OpenCL's context, with this device only.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// The queue of all commands of this worker, which runs them in order.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// How many `long`s the device likes to have in a vector: 1 on GPUs, more on CPUs.
    pub fn long_vector_width(&self) -> u32 {
        match self.0.device.info(DeviceInfo::PreferredVectorWidthLong) {
            Ok(DeviceInfoResult::PreferredVectorWidthLong(width)) => width.max(1),
            _ => 1,
        }
    }

    /// A buffer with these numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device has no room for it, or fails.
    pub fn buffer<T: Pod>(&self, numbers: &[T]) -> Result<Buffer<T>> {
        let buffer = self.empty_buffer(numbers.len())?;
        buffer.write(numbers)?;
        Ok(buffer)
    }

    /// A buffer for `len` numbers, which are whatever was in that memory.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device has no room for it.
    pub fn empty_buffer<T: Pod>(&self, len: usize) -> Result<Buffer<T>> {
        Buffer::new(self, len)
    }

    /// A kernel of this program. The program is built when it is first asked for, and its binary kept for
    /// the next run in the worker's local directory.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] with the compiler's words if it does not compile, or if it has no such kernel.
    pub fn kernel<'a>(&self, name: &str, source: &str) -> Result<Kernel<'a>> {
        self.kernel_with_options(name, source, "")
    }

    /// As [`kernel`](Self::kernel), with options for the compiler such as `-DWIDTH=8`. Other options make
    /// another program.
    ///
    /// # Errors
    ///
    /// As [`kernel`](Self::kernel).
    pub fn kernel_with_options<'a>(&self, name: &str, source: &str, options: &str) -> Result<Kernel<'a>> {
        Kernel::new(self, name, &self.0.programs.get(name, source, options)?)
    }

    /// Waits until all is done that was asked of the device.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device, or one of its kernels, fails.
    pub fn finish(&self) -> Result<()> {
        // SAFETY: the queue lives.
        let status = unsafe { ocl::ffi::clFinish(self.queue().as_core().as_ptr()) };
        self.outcome("clFinish", status)
    }

    /// How many bytes buffers take, and how many more are kept for the next ones.
    pub fn buffer_bytes(&self) -> (u64, u64) {
        self.pool().bytes()
    }

    /// The kernels that have ended since the last call, if the device is timed.
    pub(crate) fn take_ran(&self) -> Vec<Ran> {
        self.0.timing.take()
    }

    pub(super) fn timing(&self) -> &Timing {
        &self.0.timing
    }

    /// With which options the compiler makes divisions and square roots that round as a CPU's do, if the
    /// device can.
    pub(crate) fn exact_options(&self) -> &'static str {
        self.0.exact_options
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    pub(super) fn residents(&self) -> &Residents {
        &self.0.residents
    }

    /// Whether two handles are of the same binding.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The outcome of a command.
    pub(super) fn outcome(&self, call: &str, status: i32) -> Result<()> {
        opencl::check(call, status).map_err(|error| {
            self.0.failed.store(true, Ordering::Relaxed);
            Error::Device(format!("{}: {error}", self.record()))
        })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // `ocl` panics if the driver does not let go of something: a device that has failed is left to
        // the end of the process.
        if self.failed.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: each is dropped once, here, and not used any more.
        unsafe {
            ManuallyDrop::drop(&mut self.timing);
            ManuallyDrop::drop(&mut self.pool);
            ManuallyDrop::drop(&mut self.programs);
            ManuallyDrop::drop(&mut self.queue);
            ManuallyDrop::drop(&mut self.context);
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.record())
    }
}

/// The words of `ocl`, which frames its errors, without the frame.
pub(super) fn one_line(error: &ocl::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join(" ")
}
