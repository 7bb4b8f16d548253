//! Values: what tasks take and return, in memory and as bytes.
//!
//! Anything that `serde` can write and read is a value ([`Data`]). A small one travels as its
//! `postcard` encoding. A large one stays with the rank that made it, as it is; when another rank
//! wants it, its *body* is sent from where it lies. For vectors and `ndarray` arrays of plain numbers
//! the body is the elements themselves, and the receiver's array is made of the very memory that they
//! arrive in: no codec, no copy. Vectors on a device are copied to the host only then, and travel as
//! vectors do. For all else the body is the `postcard` encoding.

use crate::{
    comm::{Body, Buffer},
    device::{DeviceArray, DeviceVec},
    disk::{Compression, Disk, DiskCopy},
    ids::{Size, TaskId},
    lock::lock,
    part::{Cut, PartBytes},
};
use ndarray::{Array, ArrayD, IntoDimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn};
use num_complex::Complex;
use postcard::ser_flavors::Flavor;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    any::{Any, TypeId, type_name},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What can be an argument or a result of a task.
///
/// Implemented for everything that `serde` can write and read and that can cross threads.
pub trait Data: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {}

type Shared = Arc<dyn Any + Send + Sync>;

/// The head and the body that travel to another rank, or why there are none.
type Wire = Result<(Vec<u8>, Body), String>;

/// A large value, shared by all who use it on this rank.
///
/// Its memory may be given up for a copy on a disk while nobody uses it ([`spill`](Self::spill)); whoever
/// asks for it has it read back.
#[derive(Clone)]
pub struct Value(Arc<Inner>);

struct Inner {
    size: Size,
    state: Mutex<State>,
    /// Where its memory is counted, and whose value it is there; nowhere until it is put into a store.
    account: OnceLock<(Arc<Account>, TaskId)>,
}

enum State {
    /// As its type, with the way to make bytes of it.
    Live { value: Shared, encode: fn(Shared) -> Wire, copy: Option<DiskCopy> },
    /// As it arrived, until somebody asks for it as its type.
    Wire { head: Vec<u8>, body: Arc<Buffer>, copy: Option<DiskCopy> },
    /// On a disk only.
    Spilled(DiskCopy),
    /// It could not be decoded, or read back.
    Broken(String),
}

/// How many bytes of values are in memory, and how many on a disk only.
#[derive(Debug, Default)]
pub struct Account {
    resident: AtomicU64,
    spilled: AtomicU64,
    /// Which values were read back from the disk.
    restored: Mutex<Vec<TaskId>>,
}

impl Account {
    /// How many bytes are in memory.
    pub fn resident_bytes(&self) -> u64 {
        self.resident.load(Ordering::Relaxed)
    }

    /// How many bytes are on a disk only.
    pub fn spilled_bytes(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }

    /// Which values were read back from the disk since the last call.
    pub fn take_restored(&self) -> Vec<TaskId> {
        std::mem::take(&mut *lock(&self.restored))
    }
}

/// What came of giving up a value's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spill {
    /// It is on the disk only.
    Done,
    /// It is used, and stays in memory.
    InUse,
    /// It cannot be written: the system's words.
    Failed(String),
}

impl State {
    /// Whether nobody but the value itself refers to what is in memory.
    fn is_unused(&self) -> bool {
        match self {
            Self::Live { value, .. } => Arc::strong_count(value) == 1,
            Self::Wire { body, .. } => Arc::strong_count(body) == 1,
            Self::Spilled(_) | Self::Broken(_) => false,
        }
    }

    fn copy(&mut self) -> Option<&mut Option<DiskCopy>> {
        match self {
            Self::Live { copy, .. } | Self::Wire { copy, .. } => Some(copy),
            Self::Spilled(_) | Self::Broken(_) => None,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((account, _)) = self.account.get() {
            let counter =
                if matches!(state, State::Spilled(_)) { &account.spilled } else { &account.resident };
            counter.fetch_sub(self.size.bytes, Ordering::Relaxed);
        }
    }
}

impl Value {
    fn new(size: Size, state: State) -> Self {
        Self(Arc::new(Inner { size, state: Mutex::new(state), account: OnceLock::new() }))
    }

    /// A value whose body has the given size.
    fn live<T: Data>(value: Arc<T>, size: Size) -> Self {
        Self::new(size, State::Live { value, encode: encode_shared::<T>, copy: None })
    }

    /// A value as it came from another rank.
    pub fn from_wire(head: Vec<u8>, body: Buffer) -> Self {
        let size = Size { bytes: body.as_slice().len() as u64, align: body.align() as u8 };
        Self::new(size, State::Wire { head, body: Arc::new(body), copy: None })
    }

    /// A value that could not be had, for this reason: whoever asks for it is told.
    pub fn broken(reason: String) -> Self {
        Self::new(Size::default(), State::Broken(reason))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside, from a user's `Deserialize`, leaves the state as it was before.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value as a `T`, decoded once for all; read from the disk if it was spilled.
    ///
    /// # Errors
    ///
    /// Says what is wrong if the value is not a `T`.
    pub fn get<T: Data>(&self) -> Result<Arc<T>, String> {
        let mut state = self.state();
        self.read_back(&mut state);
        match std::mem::replace(&mut *state, State::Broken("its decoding panicked".into())) {
            State::Live { value, encode, copy } => {
                let (result, value, encode) = match Arc::clone(&value).downcast::<T>() {
                    Ok(same) => (Ok(same), value, encode),
                    // It has the form from now on in which it was asked for last.
                    Err(_) => match other_form::<T>(&*value) {
                        Some(Ok(other)) => (Ok(other.clone()), other as Shared, encode_shared::<T> as _),
                        Some(Err(words)) => (Err(words), value, encode),
                        None => (Err(format!("the value is no {}", type_name::<T>())), value, encode),
                    },
                };
                *state = State::Live { value, encode, copy };
                result
            }
            State::Wire { head, body, copy } => {
                // Who sends it on at the moment needs the bytes as they are.
                let body = Arc::try_unwrap(body)
                    .unwrap_or_else(|body| Buffer::copy_of(body.as_slice(), body.align()));
                match decode_body::<T>(&head, body) {
                    Ok(value) => {
                        let value = Arc::new(value);
                        *state = State::Live { value: value.clone(), encode: encode_shared::<T>, copy };
                        Ok(value)
                    }
                    Err(error) => {
                        *state = State::Broken(error.clone());
                        Err(error)
                    }
                }
            }
            State::Spilled(_) => unreachable!("it was read back"),
            State::Broken(error) => {
                *state = State::Broken(error.clone());
                Err(error)
            }
        }
    }

    /// A copy of the value that belongs to the caller.
    ///
    /// # Errors
    ///
    /// Says what is wrong if the value is not a `T`.
    pub fn to_owned_value<T: Data>(&self) -> Result<T, String> {
        if let Some(same) = share_device_vector(&*self.get::<T>()?) {
            return Ok(same);
        }
        let (head, body) = self.to_wire()?;
        decode_body(&head, Buffer::copy_of(body.as_slice(), body.align()))
    }

    /// The head and the body that travel to another rank; read from the disk if the value was spilled.
    pub fn to_wire(&self) -> Result<(Vec<u8>, Body), String> {
        let mut state = self.state();
        self.read_back(&mut state);
        wire_of(&state)
    }

    /// The head and the body of a part of the value, which must be an array or a vector of numbers.
    pub(crate) fn part_to_wire(&self, cut: &Cut) -> Wire {
        let mut state = self.state();
        self.read_back(&mut state);
        if let State::Live { value, .. } = &*state
            && let Some(part) = device_part(&**value, cut)
        {
            return Ok(part);
        }
        let (head, body) = wire_of(&state)?;
        drop(state);
        let (head, part) = part_of(&head, body.as_slice(), cut)?;
        Ok(match part {
            PartBytes::Stretch(range) => (head, body.slice(range)),
            PartBytes::Copied(bytes) => {
                (head, Body::of(Arc::new(bytes), usize::from(cut.align), |bytes| bytes))
            }
        })
    }

    /// The size of the body.
    pub fn size(&self) -> Size {
        self.0.size
    }

    /// Counts the value's memory in this account, as this task's, from now on and until it is dropped.
    pub fn count_in(&self, account: &Arc<Account>, task: TaskId) {
        let state = self.state();
        if self.0.account.set((Arc::clone(account), task)).is_ok() {
            let counter =
                if matches!(*state, State::Spilled(_)) { &account.spilled } else { &account.resident };
            counter.fetch_add(self.0.size.bytes, Ordering::Relaxed);
        }
    }

    /// Whether it is in memory and nobody uses it, as far as can be told without waiting.
    pub fn is_idle(&self) -> bool {
        self.0.state.try_lock().is_ok_and(|state| state.is_unused())
    }

    /// Whether it is on a disk only, as far as can be told without waiting.
    pub fn is_spilled(&self) -> bool {
        self.0.state.try_lock().is_ok_and(|state| matches!(*state, State::Spilled(_)))
    }

    /// Gives its memory up for a copy on a disk, unless it is used. A copy that is there already serves
    /// again, since values do not change.
    pub fn spill(&self, disk: &Arc<dyn Disk>, compression: Compression) -> Spill {
        let mut state = self.state();
        if !state.is_unused() {
            return Spill::InUse;
        }
        if state.copy().is_some_and(|copy| copy.is_none()) {
            // Written without the lock: who wants the value meanwhile gets it.
            let wire = wire_of(&state);
            drop(state);
            let written = wire.and_then(|(head, body)| {
                let align = body.align() as u8;
                DiskCopy::write(Arc::clone(disk), head, body.as_slice(), align, compression)
                    .map_err(|error| error.to_string())
            });
            let written = match written {
                Ok(written) => written,
                Err(words) => return Spill::Failed(words),
            };
            state = self.state();
            if let Some(copy) = state.copy() {
                *copy = Some(written);
            }
            if !state.is_unused() {
                return Spill::InUse;
            }
        }
        let Some(copy) = state.copy().and_then(Option::take) else { return Spill::InUse };
        *state = State::Spilled(copy);
        self.move_bytes(|account| (&account.resident, &account.spilled));
        Spill::Done
    }

    /// Reads it back from the disk, if it was spilled. If that fails it is broken.
    pub fn load(&self) {
        self.read_back(&mut self.state());
    }

    fn read_back(&self, state: &mut State) {
        if !matches!(state, State::Spilled(_)) {
            return;
        }
        let State::Spilled(copy) = std::mem::replace(state, State::Broken("it was lost".into())) else {
            return;
        };
        *state = match copy.read() {
            Ok((head, body)) => State::Wire { head, body: Arc::new(body), copy: Some(copy) },
            Err(words) => State::Broken(words),
        };
        self.move_bytes(|account| (&account.spilled, &account.resident));
        if let Some((account, task)) = self.0.account.get() {
            lock(&account.restored).push(*task);
        }
    }

    fn move_bytes(&self, which: impl Fn(&Account) -> (&AtomicU64, &AtomicU64)) {
        if let Some((account, _)) = self.0.account.get() {
            let (from, to) = which(account);
            from.fetch_sub(self.0.size.bytes, Ordering::Relaxed);
            to.fetch_add(self.0.size.bytes, Ordering::Relaxed);
        }
    }
}

/// The head and the body of a value that is in memory.
fn wire_of(state: &State) -> Wire {
    match state {
        State::Live { value, encode, .. } => encode(Arc::clone(value)),
        State::Wire { head, body, .. } => {
            Ok((head.clone(), Body::of(Arc::clone(body), body.align(), Buffer::as_slice)))
        }
        State::Spilled(_) => Err("it is on the disk".into()),
        State::Broken(error) => Err(error.clone()),
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.size().bytes)
    }
}

/// Encodes `value` at the end of `small` if that takes at most `limit` bytes; else gives it back as a
/// large value.
///
/// # Errors
///
/// The words of the value's own `Serialize`.
pub fn encode<T: Data>(mut value: T, limit: usize, small: &mut Vec<u8>) -> Result<Option<Value>, String> {
    order_elements(&mut value);
    if let Some(size) = device_size(&value)
        && size.bytes > limit as u64
    {
        return Ok(Some(Value::live(Arc::new(value), size)));
    }
    if let Some(raw) = raw_view(&value)
        && raw.bytes.len() > limit
    {
        let size = Size { bytes: raw.bytes.len() as u64, align: raw.align as u8 };
        return Ok(Some(Value::live(Arc::new(value), size)));
    }
    let start = small.len();
    let mut sink = Limited { bytes: small, end: start + limit, beyond: 0 };
    let outcome = postcard::serialize_with_flavor(&value, &mut sink);
    let total = sink.bytes.len() - start + sink.beyond;
    if let Err(error) = outcome {
        small.truncate(start);
        return Err(error_words::<T>("written", error));
    }
    if total <= limit {
        return Ok(None);
    }
    small.truncate(start);
    // Numbers travel as they are even where their encoding is the longer one.
    let size = match raw_view(&value) {
        Some(raw) => Size { bytes: raw.bytes.len() as u64, align: raw.align as u8 },
        None => device_size(&value).unwrap_or(Size { bytes: total as u64, align: 1 }),
    };
    Ok(Some(Value::live(Arc::new(value), size)))
}

/// Decodes a small value.
///
/// # Errors
///
/// Says what is wrong if the bytes are no `T`.
pub fn decode<T: Data>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes are left after a {}", rest.len(), type_name::<T>())),
        Err(error) => Err(error_words::<T>("read", error)),
    }
}

fn error_words<T>(verb: &str, error: postcard::Error) -> String {
    format!("a {} cannot be {verb}: {error}", type_name::<T>())
}

/// Keeps the first bytes, counts the others.
struct Limited<'a> {
    bytes: &'a mut Vec<u8>,
    end: usize,
    beyond: usize,
}

impl Flavor for &mut Limited<'_> {
    type Output = ();
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.beyond == 0 && self.bytes.len() + bytes.len() <= self.end {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.beyond += bytes.len();
        }
        Ok(())
    }
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn encode_shared<T: Data>(value: Shared) -> Wire {
    let value = value.downcast::<T>().expect("the type that it was made with");
    if let Some(raw) = raw_view(&*value) {
        let (head, align) = (raw.head, raw.align);
        return Ok((head, Body::of(value, align, |value| raw_view(value).expect("still raw").bytes)));
    }
    if let Some(body) = device_body(&*value) {
        let (head, body) = body?;
        return Ok((head, body));
    }
    let bytes = crate::codec::to_bytes(&*value);
    Ok((Vec::new(), Body::of(Arc::new(bytes), 1, |bytes: &Vec<u8>| bytes)))
}

fn decode_body<T: Data>(head: &[u8], body: Buffer) -> Result<T, String> {
    if head.is_empty() { decode(body.as_slice()) } else { from_raw(head, body) }
}

/// A value whose elements lie in memory one after the other.
struct RawView<'a> {
    /// The shape; never empty.
    head: Vec<u8>,
    bytes: &'a [u8],
    align: usize,
}

/// The numbers that travel as they are.
macro_rules! with_numbers {
    ($($rest:tt)*) => {
        for_raw_types!(@ [u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 (Complex<f32>) (Complex<f64>)] $($rest)*)
    };
}

/// The types whose elements travel as they are: vectors and C-ordered arrays of plain numbers. The first
/// form does something for each kind of number alone.
macro_rules! for_raw_types {
    ($element:ident => $vector:block) => { with_numbers!($element $vector) };
    ($element:ident, $dimension:ident => $vector:block $array:block) => {
        with_numbers!($element $dimension $vector $array)
    };
    (@ [$($type:tt)*] $element:ident $vector:block) => {
        $( for_raw_types!(@one $type $element $vector); )*
    };
    (@ [$($type:tt)*] $element:ident $dimension:ident $vector:block $array:block) => {
        $(
            for_raw_types!(@one $type $element $vector);
            for_raw_types!(@array $type $element $dimension $array [Ix0 Ix1 Ix2 Ix3 Ix4 Ix5 Ix6 IxDyn]);
        )*
    };
    (@one $type:tt $element:ident $vector:block) => {{ type $element = for_raw_types!(@type $type); $vector }};
    (@array $type:tt $element:ident $dimension:ident $array:block [$($ix:ident)*]) => {
        $({ type $element = for_raw_types!(@type $type); type $dimension = $ix; $array })*
    };
    (@type ($type:ty)) => { $type };
    (@type $type:ty) => { $type };
}

/// Brings the elements of an array into C order, in which they can travel as they are.
fn order_elements<T: 'static>(value: &mut T) {
    let any: &mut dyn Any = value;
    for_raw_types!(E, D => {
        if TypeId::of::<T>() == TypeId::of::<Vec<E>>() {
            return;
        }
    } {
        if TypeId::of::<T>() == TypeId::of::<Array<E, D>>()
            && let Some(array) = any.downcast_mut::<Array<E, D>>()
        {
            if !array.is_standard_layout() {
                *array = array.as_standard_layout().into_owned();
            }
            return;
        }
    });
    if let Some(array) = any.downcast_mut::<ArrayD<bool>>()
        && !array.is_standard_layout()
    {
        *array = array.as_standard_layout().into_owned();
    }
}

fn raw_view<T: 'static>(value: &T) -> Option<RawView<'_>> {
    let any: &dyn Any = value;
    if let Some(array) = any.downcast_ref::<ArrayD<bool>>() {
        let mut head = vec![TRUTHS];
        crate::codec::append(&array.shape(), &mut head);
        return Some(RawView { head, bytes: bytemuck::cast_slice(array.as_slice()?), align: 1 });
    }
    for_raw_types!(E, D => {
        if TypeId::of::<T>() == TypeId::of::<Vec<E>>() {
            let vector = any.downcast_ref::<Vec<E>>()?;
            return Some(RawView { head: vec![VECTOR], bytes: bytemuck::cast_slice(vector), align: align_of::<E>() });
        }
    } {
        if TypeId::of::<T>() == TypeId::of::<Array<E, D>>() {
            let array = any.downcast_ref::<Array<E, D>>()?;
            let mut head = vec![ARRAY];
            crate::codec::append(&array.shape(), &mut head);
            return Some(RawView { head, bytes: bytemuck::cast_slice(array.as_slice()?), align: align_of::<E>() });
        }
    });
    None
}

/// What the heads of vectors begin with, those of arrays, of vectors that were on a device, and of arrays
/// of truth values; the shape follows for arrays.
const VECTOR: u8 = 1;
const ARRAY: u8 = 2;
const ON_DEVICE: u8 = 3;
const TRUTHS: u8 = 4;

/// The head of a part, and its bytes, of a value with this head and these bytes.
fn part_of(head: &[u8], bytes: &[u8], cut: &Cut) -> Result<(Vec<u8>, PartBytes), String> {
    let no_array = || "the value is no array or vector of numbers, so it has no parts".to_string();
    let shape: Vec<usize> = match head {
        [VECTOR | ON_DEVICE] => vec![bytes.len() / usize::from(cut.element_bytes).max(1)],
        [ARRAY | TRUTHS, shape @ ..] => postcard::from_bytes(shape).map_err(|_| no_array())?,
        _ => return Err(no_array()),
    };
    // Nothing is known of the shape before that is known to fit.
    let part = cut.of_bytes(bytes, &shape)?;
    let mut part_head = vec![head[0]];
    if matches!(head[0], ARRAY | TRUTHS) {
        crate::codec::append(&cut.assembly.shape(), &mut part_head);
    }
    Ok((part_head, part))
}

/// The head and the body of a part of an array on a device: cut out there, so that no more of it is copied to
/// the host. `None` if it is no such array, or that can't be done.
fn device_part(value: &(dyn Any + Send + Sync), cut: &Cut) -> Option<(Vec<u8>, Body)> {
    for_raw_types!(E => {
        if let Some(array) = value.downcast_ref::<DeviceArray<E>>() {
            let part = array.part(&cut.assembly)?;
            let mut head = vec![ARRAY];
            crate::codec::append(&cut.assembly.shape(), &mut head);
            let body = Body::of(Arc::new(part), align_of::<E>(), |part: &Vec<E>| bytemuck::cast_slice(part));
            return Some((head, body));
        }
    });
    None
}

/// The size of a vector on a device, which is known without a copy.
fn device_size<T: 'static>(value: &T) -> Option<Size> {
    let any: &dyn Any = value;
    for_raw_types!(E => {
        if TypeId::of::<T>() == TypeId::of::<DeviceVec<E>>() {
            let vector = any.downcast_ref::<DeviceVec<E>>()?;
            let bytes = (vector.len() * size_of::<E>()) as u64;
            return Some(Size { bytes, align: align_of::<E>() as u8 });
        }
        if TypeId::of::<T>() == TypeId::of::<DeviceArray<E>>() {
            return device_size(any.downcast_ref::<DeviceArray<E>>()?.elements());
        }
    });
    None
}

/// The head of a vector or an array on a device, and its numbers, copied to the host.
fn device_body<T: 'static>(value: &T) -> Option<Wire> {
    let any: &dyn Any = value;
    for_raw_types!(E => {
        if TypeId::of::<T>() == TypeId::of::<DeviceVec<E>>() {
            let vector = any.downcast_ref::<DeviceVec<E>>()?;
            let body = |numbers| Body::of(Arc::new(numbers), align_of::<E>(), |v: &Vec<E>| bytemuck::cast_slice(v));
            return Some(vector.to_vec().map(|numbers| (vec![ON_DEVICE], body(numbers))).map_err(|error| error.to_string()));
        }
        if TypeId::of::<T>() == TypeId::of::<DeviceArray<E>>() {
            let array = any.downcast_ref::<DeviceArray<E>>()?;
            let mut head = vec![ARRAY];
            crate::codec::append(&array.shape(), &mut head);
            return device_body(array.elements()).map(|wire| Ok((head, wire?.1)));
        }
    });
    None
}

/// A vector on a device is never changed, so whoever wants its own may share it.
fn share_device_vector<T: 'static>(value: &T) -> Option<T> {
    let any: &dyn Any = value;
    for_raw_types!(E => {
        if TypeId::of::<T>() == TypeId::of::<DeviceVec<E>>() {
            let vector = any.downcast_ref::<DeviceVec<E>>()?;
            return (&mut Some(vector.clone()) as &mut dyn Any).downcast_mut::<Option<T>>()?.take();
        }
    });
    None
}

/// The value as a `T`, if it is the same array in another place: an array on the host, or on a device.
fn other_form<T: Data>(value: &(dyn Any + Send + Sync)) -> Option<Result<Arc<T>, String>> {
    let found = |array: Result<Shared, String>| {
        Some(array.map(|array| array.downcast::<T>().expect("the type that was asked for")))
    };
    if TypeId::of::<T>() == TypeId::of::<ArrayD<bool>>() {
        let array = value.downcast_ref::<DeviceArray<u8>>()?.to_host();
        let array = array.map(|array| Arc::new(array.mapv(|byte| byte != 0)) as Shared);
        return found(array.map_err(|error| error.to_string()));
    }
    for_raw_types!(E => {
        if TypeId::of::<T>() == TypeId::of::<ArrayD<E>>() {
            let array = value.downcast_ref::<DeviceArray<E>>()?.to_host();
            return found(array.map(|array| Arc::new(array) as Shared).map_err(|error| error.to_string()));
        }
        if TypeId::of::<T>() == TypeId::of::<DeviceArray<E>>() && let Some(array) = value.downcast_ref::<ArrayD<E>>() {
            return found(Ok(Arc::new(DeviceArray::from(array.clone()))));
        }
    });
    // Truth values are bytes on a device.
    if TypeId::of::<T>() == TypeId::of::<DeviceArray<u8>>() {
        let array = value.downcast_ref::<ArrayD<bool>>()?.mapv(u8::from);
        return found(Ok(Arc::new(DeviceArray::from(array))));
    }
    None
}

fn from_raw<T: 'static>(head: &[u8], body: Buffer) -> Result<T, String> {
    let broken = || format!("the elements of a {} do not fit its shape", type_name::<T>());
    if TypeId::of::<T>() == TypeId::of::<ArrayD<bool>>() {
        let shape: Vec<usize> = postcard::from_bytes(&head[1..]).map_err(|_| broken())?;
        let truths = body.into_vec::<u8>().map_err(|_| broken())?.into_iter().map(|byte| byte != 0);
        let array = ArrayD::from_shape_vec(shape, truths.collect()).map_err(|_| broken())?;
        return (&mut Some(array) as &mut dyn Any)
            .downcast_mut::<Option<T>>()
            .and_then(Option::take)
            .ok_or_else(broken);
    }
    for_raw_types!(E, D => {
        if TypeId::of::<T>() == TypeId::of::<Vec<E>>() {
            let vector = body.into_vec::<E>().map_err(|_| broken())?;
            return (&mut Some(vector) as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take).ok_or_else(broken);
        }
        if TypeId::of::<T>() == TypeId::of::<DeviceVec<E>>() {
            let vector = DeviceVec::from(body.into_vec::<E>().map_err(|_| broken())?);
            return (&mut Some(vector) as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take).ok_or_else(broken);
        }
        if TypeId::of::<T>() == TypeId::of::<DeviceArray<E>>() {
            let array = DeviceArray::from(from_raw::<ArrayD<E>>(head, body)?);
            return (&mut Some(array) as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take).ok_or_else(broken);
        }
    } {
        if TypeId::of::<T>() == TypeId::of::<Array<E, D>>() {
            let shape: Vec<usize> = postcard::from_bytes(&head[1..]).map_err(|_| broken())?;
            let vector = body.into_vec::<E>().map_err(|_| broken())?;
            let array = Array::from_shape_vec(shape.into_dimension(), vector)
                .and_then(|array| array.into_dimensionality::<D>().map_err(|_| ndarray::ShapeError::from_kind(ndarray::ErrorKind::IncompatibleShape)))
                .map_err(|_| broken())?;
            return (&mut Some(array) as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take).ok_or_else(broken);
        }
    });
    Err(format!("a {} does not travel as elements", type_name::<T>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ArrayD, array};

    fn travel<T: Data>(value: T) -> (Vec<u8>, Arc<T>) {
        let large = encode(value, 0, &mut Vec::new()).unwrap().expect("larger than nothing");
        let (head, body) = large.to_wire().unwrap();
        assert_eq!(large.size(), Size { bytes: body.as_slice().len() as u64, align: body.align() as u8 });
        let arrived = Value::from_wire(head.clone(), Buffer::copy_of(body.as_slice(), body.align()));
        (head, arrived.get::<T>().unwrap())
    }

    #[test]
    fn small_values_are_encoded_in_place() {
        let mut small = vec![9];
        assert!(encode(300u32, 512, &mut small).unwrap().is_none());
        assert_eq!(decode::<u32>(&small[1..]), Ok(300));
        assert!(encode(vec![1.0f64; 64], 512, &mut small).unwrap().is_some());
        assert_eq!(small.len(), 3);
    }

    #[test]
    fn numbers_travel_as_they_are() {
        assert_eq!(*travel(vec![1u16, 2, 3]).1, [1, 2, 3]);
        assert_eq!(*travel(array![[1.0, 2.0], [3.0, 4.0]]).1, array![[1.0, 2.0], [3.0, 4.0]]);
        let dynamic: ArrayD<Complex<f64>> = ArrayD::from_elem(vec![2, 0, 3], Complex::new(1.0, 2.0));
        let (head, arrived) = travel(vec![Complex::new(1.0f32, 2.0)]);
        assert_eq!((head, arrived[0].im), (vec![1], 2.0));
        let large = encode(dynamic.clone(), 0, &mut Vec::new()).unwrap();
        assert!(large.is_none() || *large.unwrap().get::<ArrayD<Complex<f64>>>().unwrap() == dynamic);
    }

    #[test]
    fn vectors_for_devices_travel_as_vectors_do() {
        let (head, arrived) = travel(DeviceVec::from(vec![1u16, 2, 3]));
        assert_eq!((head, arrived.to_vec().unwrap()), (vec![ON_DEVICE], vec![1, 2, 3]));
        let large = encode(DeviceVec::from(vec![u64::MAX; 2]), 16, &mut Vec::new()).unwrap();
        let large = large.expect("its encoding is longer than its numbers");
        assert_eq!(large.size(), Size { bytes: 16, align: 8 });
        assert_eq!(large.to_wire().unwrap().1.as_slice().len(), 16);
        let mut small = Vec::new();
        assert!(encode(DeviceVec::from(vec![7i8]), 16, &mut small).unwrap().is_none());
        assert_eq!(decode::<DeviceVec<i8>>(&small).unwrap().to_vec().unwrap(), [7]);
    }

    #[test]
    fn other_values_travel_encoded() {
        let (head, arrived) = travel(("a".to_string(), vec![Some(1), None]));
        assert!(head.is_empty());
        assert_eq!(*arrived, ("a".to_string(), vec![Some(1), None]));
    }

    #[test]
    fn arrays_of_other_layouts_and_of_truth_values_travel_as_they_are() {
        let transposed: Array2<f64> = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].reversed_axes();
        let (head, arrived) = travel(transposed.clone());
        assert_eq!(head[0], ARRAY);
        assert_eq!(*arrived, transposed);
        let truths = array![[true, false, true], [false, false, true]].reversed_axes().into_dyn();
        let (head, arrived) = travel(truths.clone());
        assert_eq!(head[0], TRUTHS);
        assert_eq!(*arrived, truths);
    }

    #[test]
    fn a_value_has_the_size_of_its_body_where_only_its_encoding_is_large() {
        for (value, limit) in [(vec![u64::MAX; 2], 16), (vec![], 0)] {
            let large =
                encode(value.clone(), limit, &mut Vec::new()).unwrap().expect("too large when encoded");
            let (head, body) = large.to_wire().unwrap();
            let size = Size { bytes: body.as_slice().len() as u64, align: body.align() as u8 };
            assert_eq!(large.size(), size);
            let arrived = Value::from_wire(head, Buffer::copy_of(body.as_slice(), body.align()));
            assert_eq!(arrived.to_owned_value(), Ok(value));
        }
    }

    #[test]
    fn the_wrong_type_is_an_error_with_its_name() {
        let value = encode(vec![1.0f64; 100], 0, &mut Vec::new()).unwrap().unwrap();
        assert!(value.get::<Vec<f32>>().unwrap_err().contains("Vec<f32>"));
        assert_eq!(value.get::<Vec<f64>>().unwrap().len(), 100);
        assert!(decode::<u8>(&[1, 2]).unwrap_err().contains("1 bytes are left"));
        let wire = Value::from_wire(vec![1], Buffer::new(9, 8));
        assert!(wire.get::<Vec<f64>>().is_err());
        assert!(wire.to_wire().is_err());
    }
}
