//! Values that live on a device between tasks.
//!
//! A task returns a [`DeviceVec`], the next one takes it, and the numbers stay where they are. They are
//! copied to the host when another rank wants them, or when the device is full: then those go that were
//! not used for longest, and come back when they are used again.

use super::{Buffer, Device};
use crate::{error::Result, lock::lock};
use bytemuck::Pod;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use std::{
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// A vector of numbers on a worker's device, or on the host while it is not needed there. Clones share it.
///
/// It is made from a [`Buffer`] or a `Vec`, and is a value as any other: what a task returns or takes. A
/// kernel may read its buffer and must not write to it, as others may use the same value.
///
/// ```no_run
/// use maniple::{Result, SubmitOptions, device::{Binding, DeviceVec}};
///
/// const SOURCE: &str = "kernel void square(global const float *x, global float *y) {
///     y[get_global_id(0)] = x[get_global_id(0)] * x[get_global_id(0)]; }";
///
/// fn square(x: &DeviceVec<f32>) -> DeviceVec<f32> {
///     let run = || {
///         let device = maniple::device()?;
///         let (x, y) = (x.buffer(&device)?, device.empty_buffer(x.len())?);
///         // SAFETY: the kernel has two parameters, arrays of floats, and each item touches one of each.
///         unsafe { device.kernel("square", SOURCE)?.arg(&*x).arg(&y).run([x.len()])? };
///         Ok::<_, maniple::Error>(y.into())
///     };
///     run().unwrap_or_else(|error| panic!("{error}"))
/// }
///
/// fn main() -> Result<()> {
///     maniple::Runtime::builder().device(Binding::Gpu).run(|client| {
///         let gpu = SubmitOptions::new().resource("GPU", 1);
///         let squares = client.with(&gpu).submit(square, DeviceVec::from(vec![1f32, 2.0, 3.0]));
///         let fourth = client.with(&gpu).submit(square, &squares); // nothing is copied in between
///         assert_eq!(fourth.result()?.to_vec()?, [1.0, 16.0, 81.0]);
///         Ok(())
///     })
/// }
/// ```
pub struct DeviceVec<T>(Arc<Resident<T>>);

struct Resident<T> {
    len: usize,
    place: Mutex<Place<T>>,
    /// When it was used last, counted in uses of any.
    used: AtomicU64,
}

enum Place<T> {
    Device(Arc<Buffer<T>>),
    Host(Vec<T>),
}

/// Counts uses, to tell which is the oldest.
fn tick() -> u64 {
    static USES: AtomicU64 = AtomicU64::new(0);
    USES.fetch_add(1, Ordering::Relaxed)
}

impl<T: Pod + Send + Sync> From<Buffer<T>> for DeviceVec<T> {
    fn from(buffer: Buffer<T>) -> Self {
        let device = buffer.device().clone();
        let vector = Self::new(buffer.len(), Place::Device(Arc::new(buffer)));
        device.residents().add(&vector.0);
        vector
    }
}

impl<T: Pod> From<Vec<T>> for DeviceVec<T> {
    fn from(numbers: Vec<T>) -> Self {
        Self::new(numbers.len(), Place::Host(numbers))
    }
}

impl<T> DeviceVec<T> {
    fn new(len: usize, place: Place<T>) -> Self {
        Self(Arc::new(Resident { len, place: Mutex::new(place), used: AtomicU64::new(tick()) }))
    }

    /// How many numbers it has.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// Whether the numbers are on a device now.
    pub fn is_on_device(&self) -> bool {
        matches!(*lock(&self.0.place), Place::Device(_))
    }
}

impl<T: Pod + Send + Sync> DeviceVec<T> {
    /// Its buffer on this device, which it is copied to if it is not there. It stays as long as the
    /// caller holds it.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device has no room for it, or fails.
    pub fn buffer(&self, device: &Device) -> Result<Arc<Buffer<T>>> {
        self.0.used.store(tick(), Ordering::Relaxed);
        let mut place = lock(&self.0.place);
        let numbers = match &*place {
            Place::Device(buffer) if buffer.device().is_same(device) => return Ok(Arc::clone(buffer)),
            // Two workers that are threads of one process.
            Place::Device(buffer) => &buffer.read()?,
            Place::Host(numbers) => numbers,
        };
        let buffer = Arc::new(device.buffer(numbers)?);
        *place = Place::Device(Arc::clone(&buffer));
        drop(place);
        device.residents().add(&self.0);
        Ok(buffer)
    }

    /// The device that they are on now, if they are on one.
    pub(super) fn device(&self) -> Option<Device> {
        match &*lock(&self.0.place) {
            Place::Device(buffer) => Some(buffer.device().clone()),
            Place::Host(_) => None,
        }
    }

    /// A copy of the numbers on the host.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device, or a kernel that makes them, fails.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        match &*lock(&self.0.place) {
            Place::Device(buffer) => buffer.read(),
            Place::Host(numbers) => Ok(numbers.clone()),
        }
    }
}

impl<T> Clone for DeviceVec<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for DeviceVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DeviceVec({}, {})",
            self.len(),
            if self.is_on_device() { "on a device" } else { "on the host" }
        )
    }
}

impl<T: Pod + Send + Sync + Serialize> Serialize for DeviceVec<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_vec().map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: Pod + Deserialize<'de>> Deserialize<'de> for DeviceVec<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

/// A value that can leave its device.
trait Evict: Send + Sync {
    /// When it was used last.
    fn used(&self) -> u64;
    /// Moves it to the host. Returns how many bytes that makes free: none if it is in use, or not there.
    fn evict(&self, device: &Device) -> usize;
}

impl<T: Pod + Send + Sync> Evict for Resident<T> {
    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn evict(&self, device: &Device) -> usize {
        // Whoever has it locked uses it.
        let Ok(mut place) = self.place.try_lock() else { return 0 };
        let Place::Device(buffer) = &*place else { return 0 };
        if Arc::strong_count(buffer) > 1 || !buffer.device().is_same(device) {
            return 0;
        }
        let Ok(numbers) = buffer.read() else { return 0 };
        *place = Place::Host(numbers);
        self.len * size_of::<T>()
    }
}

/// The values that are on a device.
#[derive(Default)]
pub(super) struct Residents(Mutex<Vec<Weak<dyn Evict>>>);

impl Residents {
    fn add<T: Pod + Send + Sync>(&self, value: &Arc<Resident<T>>) {
        let value: Weak<dyn Evict> = Arc::downgrade(value) as Weak<dyn Evict>;
        let mut values = lock(&self.0);
        // Those that are gone make room before the list grows.
        if values.len() == values.capacity() {
            values.retain(|value| value.strong_count() > 0);
        }
        values.push(value);
    }

    /// Moves values to the host, those first that were not used for longest, until that has freed as many
    /// bytes. Returns how many.
    pub(super) fn make_room(&self, device: &Device, bytes: usize) -> usize {
        let mut values: Vec<Arc<dyn Evict>> = lock(&self.0).iter().filter_map(Weak::upgrade).collect();
        values.sort_by_key(|value| value.used());
        let mut freed = 0;
        for value in values {
            if freed >= bytes {
                break;
            }
            freed += value.evict(device);
        }
        freed
    }
}
