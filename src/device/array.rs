//! Blocks of arrays that live on a device between tasks.

use super::{
    Buffer, Device, DeviceVec,
    gather::{gather, is_even},
};
use crate::{error::Result, part::Assembly};
use bytemuck::Pod;
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use std::{any::Any, sync::Arc};

/// The elements of an `ArrayD<T>`, in C order, on a worker's device, or on the host while they are not
/// needed there. Truth values are [`Truth`] there.
///
/// It is another form of the same value: it travels and is kept as an `ArrayD<T>`, and whoever asks a
/// value for the one form is given it if it has the other.
pub(crate) struct DeviceArray<T> {
    shape: Vec<usize>,
    elements: DeviceVec<T>,
}

impl<T> DeviceArray<T> {
    /// # Panics
    ///
    /// Panics if they are not as many as the shape has.
    pub(crate) fn new(shape: Vec<usize>, elements: DeviceVec<T>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), elements.len(), "an element for each place");
        Self { shape, elements }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn elements(&self) -> &DeviceVec<T> {
        &self.elements
    }
}

impl<T: Pod + Send + Sync> DeviceArray<T> {
    /// A copy on the host.
    pub(crate) fn to_host(&self) -> Result<ArrayD<T>> {
        let elements = self.elements.to_vec()?;
        Ok(ArrayD::from_shape_vec(IxDyn(&self.shape), elements).expect("as many elements as the shape has"))
    }
}

impl<T: Pod + Send + Sync> DeviceArray<T> {
    /// A part of it, cut out on the device and copied to the host; `None` if it is not there, has no such
    /// elements, they are not evenly spaced, or the device cannot do it.
    pub(crate) fn part(&self, assembly: &Assembly) -> Option<Vec<T>> {
        let device = self.elements.device()?;
        if !matches!(size_of::<T>(), 1 | 4 | 8) || !assembly.fits(&self.shape) || !is_even(assembly) {
            return None;
        }
        gather::<T>(&device, assembly, &[(self, false)]).ok()?.elements.to_vec().ok()
    }
}

impl<T: Pod> From<ArrayD<T>> for DeviceArray<T> {
    fn from(array: ArrayD<T>) -> Self {
        let shape = array.shape().to_vec();
        let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
        // All of it: no slice of an array is a value.
        let (elements, _) = array.into_raw_vec_and_offset();
        Self::new(shape, elements.into())
    }
}

impl<T: Pod + Send + Sync + Serialize> Serialize for DeviceArray<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_host().map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: Pod + Deserialize<'de>> Deserialize<'de> for DeviceArray<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        ArrayD::deserialize(deserializer).map(Self::from)
    }
}

/// A truth value on a device, where it is a byte. It travels as a `bool`. Public for the sealed trait of elements only.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
#[repr(transparent)]
pub struct Truth(u8);

// SAFETY: a byte, of which every value is valid.
unsafe impl bytemuck::Zeroable for Truth {}
// SAFETY: as above.
unsafe impl Pod for Truth {}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        Self(truth.into())
    }
}

impl From<Truth> for bool {
    fn from(Truth(byte): Truth) -> Self {
        byte != 0
    }
}

/// A block of any type, as an input of a kernel.
pub(crate) trait Block: Send + Sync {
    fn shape(&self) -> &[usize];
    /// Its buffer on this device, which it is copied to if it is not there.
    fn buffer(&self, device: &Device) -> Result<Arc<dyn AnyBuffer>>;
}

impl<T: Pod + Send + Sync> Block for DeviceArray<T> {
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn buffer(&self, device: &Device) -> Result<Arc<dyn AnyBuffer>> {
        Ok(self.elements.buffer(device)?)
    }
}

/// A buffer of numbers of any type.
pub(crate) trait AnyBuffer: Send + Sync {
    /// How many numbers it has.
    fn len(&self) -> usize;
    /// OpenCL's name for it.
    #[cfg(feature = "opencl")]
    fn raw(&self) -> ocl::ffi::cl_mem;
    fn as_any(&self) -> &dyn Any;
}

impl<T: Pod + Send + Sync> AnyBuffer for Buffer<T> {
    fn len(&self) -> usize {
        self.len()
    }
    #[cfg(feature = "opencl")]
    fn raw(&self) -> ocl::ffi::cl_mem {
        self.raw()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}
