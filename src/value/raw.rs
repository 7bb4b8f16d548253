//! Types whose elements travel as they are: vectors and C-ordered arrays of plain numbers, on the host and on devices.
//!
//! What is generic over all values finds these types in a table that is made once: written into the generic functions,
//! the list of types would be compiled again for each type of value in each program.

use super::{Packet, Shared, Wire};
use crate::{
    comm::{Body, Buffer},
    device::{DeviceArray, DeviceVec, Truth},
    ids::Size,
    part::{Cut, PartBytes},
};
use bytemuck::{NoUninit, Pod};
use ndarray::{Array, ArrayD, ArrayViewD, Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn};
use num_complex::Complex;
use rustc_hash::FxHashMap;
use std::{
    any::{Any, TypeId},
    mem::needs_drop,
    sync::{Arc, LazyLock},
};

/// What the heads of vectors begin with, those of arrays, of vectors that were on a device, and of arrays
/// of truth values; the shape follows for arrays.
const VECTOR: u8 = 1;
pub(super) const ARRAY: u8 = 2;
pub(super) const ON_DEVICE: u8 = 3;
pub(super) const TRUTHS: u8 = 4;

type Boxed = Box<dyn Any>;

/// What can be done with the values of one such type. Each function panics if the value is of another type.
pub(super) struct Raw {
    /// Brings the elements into C order, as the other functions expect them.
    pub(super) order: fn(&mut dyn Any),
    /// The size of the body.
    pub(super) size: fn(&dyn Any) -> Size,
    /// The head and the body.
    pub(super) wire: fn(Shared) -> Wire,
    /// The value, in a box, of this head and body; `None` if these do not fit each other.
    pub(super) read: fn(&[u8], Buffer) -> Option<Boxed>,
    /// Another owner of the same elements, if these are shared and never changed.
    pub(super) share: fn(&dyn Any) -> Option<Boxed>,
    /// The head and the body of a part that is cut out where the value lies, if it can be.
    pub(super) part: fn(&dyn Any, &Cut) -> Option<Packet>,
    /// The value of another type as this one, if it is the same array in another place.
    pub(super) of_other: fn(&dyn Any) -> Option<Result<Shared, String>>,
}

/// What there is for this type, if its elements travel as they are.
pub(super) fn raw<T: 'static>() -> Option<&'static Raw> {
    // All of them own their elements: other types need not be looked up.
    if needs_drop::<T>() { raw_of(TypeId::of::<T>()) } else { None }
}

/// As [`raw`], of a type that is known by its number only.
pub(super) fn raw_of(id: TypeId) -> Option<&'static Raw> {
    TABLE.get(&id)
}

static TABLE: LazyLock<FxHashMap<TypeId, Raw>> = LazyLock::new(|| {
    let mut table = FxHashMap::default();
    add::<ArrayD<bool>>(&mut table);
    add_number::<u8>(&mut table);
    add_number::<i8>(&mut table);
    add_number::<u16>(&mut table);
    add_number::<i16>(&mut table);
    add_number::<u32>(&mut table);
    add_number::<i32>(&mut table);
    add_number::<u64>(&mut table);
    add_number::<i64>(&mut table);
    add_number::<f32>(&mut table);
    add_number::<f64>(&mut table);
    add_number::<Truth>(&mut table);
    add_number::<Complex<f32>>(&mut table);
    add_number::<Complex<f64>>(&mut table);
    table
});

fn add_number<E: Number>(table: &mut FxHashMap<TypeId, Raw>) {
    add::<Vec<E>>(table);
    add::<Array<E, Ix0>>(table);
    add::<Array<E, Ix1>>(table);
    add::<Array<E, Ix2>>(table);
    add::<Array<E, Ix3>>(table);
    add::<Array<E, Ix4>>(table);
    add::<Array<E, Ix5>>(table);
    add::<Array<E, Ix6>>(table);
    let any_axes = add::<Array<E, IxDyn>>(table);
    any_axes.of_other = host_of_device::<E>;
    add::<DeviceVec<E>>(table);
    add::<DeviceArray<E>>(table);
}

fn add<T: Elements>(table: &mut FxHashMap<TypeId, Raw>) -> &mut Raw {
    fn of<T: Any>(value: &dyn Any) -> &T {
        value.downcast_ref().expect("the type that it was found by")
    }
    let raw = Raw {
        order: |value| value.downcast_mut::<T>().expect("the type that it was found by").order(),
        size: |value| of::<T>(value).size(),
        wire: |value| T::wire(value.downcast().expect("the type that it was found by")),
        read: |head, body| Some(Box::new(T::read(head, body)?)),
        share: |value| Some(Box::new(of::<T>(value).share()?)),
        part: |value, cut| of::<T>(value).part(cut),
        of_other: |other| Some(T::of_other(other)?.map(|value| Arc::new(value) as Shared)),
    };
    table.entry(TypeId::of::<T>()).insert_entry(raw).into_mut()
}

/// A number that travels as it is.
trait Number: Pod + Send + Sync {
    /// The host's array of such numbers that this is.
    fn array_of(value: &dyn Any) -> Option<ArrayD<Self>> {
        value.downcast_ref().cloned()
    }
}

macro_rules! numbers {
    ($($number:ty)*) => { $( impl Number for $number {} )* };
}
numbers!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 Complex<f32> Complex<f64>);

impl Number for Truth {
    fn array_of(value: &dyn Any) -> Option<ArrayD<Self>> {
        let truths = || Some(value.downcast_ref::<ArrayD<bool>>()?.mapv(Self::from));
        value.downcast_ref().cloned().or_else(truths)
    }
}

/// A type whose elements travel as they are. See [`Raw`].
trait Elements: Any + Send + Sync + Sized {
    fn order(&mut self) {}
    fn size(&self) -> Size;
    fn wire(this: Arc<Self>) -> Wire;
    fn read(head: &[u8], body: Buffer) -> Option<Self>;
    fn share(&self) -> Option<Self> {
        None
    }
    fn part(&self, _cut: &Cut) -> Option<Packet> {
        None
    }
    fn of_other(_other: &dyn Any) -> Option<Result<Self, String>> {
        None
    }
}

fn size_of_numbers<E>(count: usize) -> Size {
    Size { bytes: (count * size_of::<E>()) as u64, align: align_of::<E>() as u8 }
}

fn head_of_array(first: u8, shape: &[usize]) -> Vec<u8> {
    let mut head = vec![first];
    crate::codec::append(&shape, &mut head);
    head
}

/// The array of which this is the head, with these elements.
fn array<E, D: Dimension>(head: &[u8], elements: Vec<E>) -> Option<Array<E, D>> {
    let shape: Vec<usize> = postcard::from_bytes(head.get(1..)?).ok()?;
    Array::from_shape_vec(D::from_dimension(&IxDyn(&shape))?, elements).ok()
}

fn to_c_order<E: Clone, D: Dimension>(array: &mut Array<E, D>) {
    if !array.is_standard_layout() {
        let elements = in_c_order(array.view().into_dyn());
        *array = Array::from_shape_vec(array.raw_dim(), elements).expect("an element for each place");
    }
}

/// The elements in C order: compiled once for each type of them rather than for each number of axes, too.
fn in_c_order<E: Clone>(array: ArrayViewD<'_, E>) -> Vec<E> {
    array.iter().cloned().collect()
}

/// The head and the body of an array in C order; its head begins with `first`.
fn wire_of_array<E: NoUninit + Send + Sync, D: Dimension + 'static>(
    first: u8,
    array: Arc<Array<E, D>>,
) -> Wire {
    let head = head_of_array(first, array.shape());
    let body = Body::of(array, align_of::<E>(), |array| {
        bytemuck::cast_slice(array.as_slice().expect("it was brought into C order"))
    });
    Ok((head, body))
}

impl<E: Number> Elements for Vec<E> {
    fn size(&self) -> Size {
        size_of_numbers::<E>(self.len())
    }
    fn wire(this: Arc<Self>) -> Wire {
        Ok((vec![VECTOR], Body::of(this, align_of::<E>(), |vector| bytemuck::cast_slice(vector))))
    }
    fn read(_head: &[u8], body: Buffer) -> Option<Self> {
        body.into_vec().ok()
    }
}

impl<E: Number, D: Dimension + 'static> Elements for Array<E, D> {
    fn order(&mut self) {
        to_c_order(self);
    }
    fn size(&self) -> Size {
        size_of_numbers::<E>(self.len())
    }
    fn wire(this: Arc<Self>) -> Wire {
        wire_of_array(ARRAY, this)
    }
    fn read(head: &[u8], body: Buffer) -> Option<Self> {
        array(head, body.into_vec().ok()?)
    }
}

/// The array of a device as the host's.
fn host_of_device<E: Number>(other: &dyn Any) -> Option<Result<Shared, String>> {
    let array = other.downcast_ref::<DeviceArray<E>>()?.to_host();
    Some(array.map(|array| Arc::new(array) as Shared).map_err(|error| error.to_string()))
}

impl Elements for ArrayD<bool> {
    fn order(&mut self) {
        to_c_order(self);
    }
    fn size(&self) -> Size {
        size_of_numbers::<bool>(self.len())
    }
    fn wire(this: Arc<Self>) -> Wire {
        wire_of_array(TRUTHS, this)
    }
    fn read(head: &[u8], body: Buffer) -> Option<Self> {
        let truths = body.into_vec::<u8>().ok()?.into_iter().map(|byte| byte != 0);
        array(head, truths.collect())
    }
    fn of_other(other: &dyn Any) -> Option<Result<Self, String>> {
        let array = other.downcast_ref::<DeviceArray<Truth>>()?.to_host();
        Some(array.map(|array| array.mapv(bool::from)).map_err(|error| error.to_string()))
    }
}

/// Copied to the host when it travels.
impl<E: Number> Elements for DeviceVec<E> {
    fn size(&self) -> Size {
        size_of_numbers::<E>(self.len())
    }
    fn wire(this: Arc<Self>) -> Wire {
        let numbers = Arc::new(this.to_vec().map_err(|error| error.to_string())?);
        Ok((vec![ON_DEVICE], Body::of(numbers, align_of::<E>(), |vector| bytemuck::cast_slice(vector))))
    }
    fn read(_head: &[u8], body: Buffer) -> Option<Self> {
        Some(Self::from(body.into_vec::<E>().ok()?))
    }
    /// It is never changed.
    fn share(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl<E: Number> Elements for DeviceArray<E> {
    fn size(&self) -> Size {
        self.elements().size()
    }
    fn wire(this: Arc<Self>) -> Wire {
        let (_, body) = Elements::wire(Arc::new(this.elements().clone()))?;
        Ok((head_of_array(ARRAY, this.shape()), body))
    }
    fn read(head: &[u8], body: Buffer) -> Option<Self> {
        Some(Self::from(array(head, body.into_vec::<E>().ok()?)?))
    }
    fn part(&self, cut: &Cut) -> Option<Packet> {
        let part = Arc::new(Self::part(self, &cut.assembly)?);
        let body = Body::of(part, align_of::<E>(), |part| bytemuck::cast_slice(part));
        Some((head_of_array(ARRAY, &cut.assembly.shape()), body))
    }
    fn of_other(other: &dyn Any) -> Option<Result<Self, String>> {
        Some(Ok(Self::from(E::array_of(other)?)))
    }
}

/// The head of a part, and its bytes, of a value with this head and these bytes.
pub(super) fn part_of(head: &[u8], bytes: &[u8], cut: &Cut) -> Result<(Vec<u8>, PartBytes), String> {
    let no_array = || "the value is no array or vector of numbers, so it has no parts".to_string();
    let shape: Vec<usize> = match head {
        [VECTOR | ON_DEVICE] => vec![bytes.len() / usize::from(cut.element_bytes).max(1)],
        [ARRAY | TRUTHS, shape @ ..] => postcard::from_bytes(shape).map_err(|_| no_array())?,
        _ => return Err(no_array()),
    };
    // Nothing is known of the shape before that is known to fit.
    let part = cut.of_bytes(bytes, &shape)?;
    let part_head = match head[0] {
        array @ (ARRAY | TRUTHS) => head_of_array(array, &cut.assembly.shape()),
        vector => vec![vector],
    };
    Ok((part_head, part))
}
