//! Values: what tasks take and return, in memory and as bytes.
//!
//! Anything that `serde` can write and read is a value ([`Data`]). A small one travels as its
//! encoding ([`encoding`](crate::encoding)). A large one stays with the rank that made it, as it is; when another rank
//! wants it, its *body* is sent from where it lies. For vectors and `ndarray` arrays of plain numbers
//! the body is the elements themselves, and the receiver's array is made of the very memory that they
//! arrive in: no codec, no copy. Vectors on a device are copied to the host only then, and travel as
//! vectors do. For all else the body is the encoding.

mod raw;

use crate::{
    comm::{Body, Buffer},
    disk::{Compression, Disk, DiskCopy},
    encoding::{self, EncodingError, Sink, Writer},
    ids::{Size, TaskId},
    image::{self, Image},
    lock::lock,
    part::{Cut, PartBytes},
};
use raw::{part_of, raw, raw_of};
use rustc_hash::FxHashMap;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    any::{Any, TypeId, type_name},
    cell::RefCell,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What can be an argument or a result of a task.
///
/// Implemented for everything that `serde` can write and read and that can cross threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent between ranks",
    label = "`{Self}` is not a value that tasks can take or return",
    note = "it must own what it holds, be `Send` and `Sync`, and implement serde's traits: \
            `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Data: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Data for T {}

type Shared = Arc<dyn Any + Send + Sync>;

/// The head and the body that travel to another rank.
type Packet = (Vec<u8>, Body);
type Wire = Result<Packet, String>;
/// A value, and about how many bytes it has in memory.
type Counted = (Shared, u64);

/// A type that a value is asked for as.
struct Kind {
    id: TypeId,
    name: fn() -> &'static str,
    /// Whether all images of the process have the same type under this number.
    is_shared: bool,
    /// Makes it of a head and a body.
    decode: fn(&[u8], Buffer) -> Result<Counted, String>,
    encode: fn(Shared) -> Wire,
}

/// A large value, shared by all who use it on this rank.
///
/// Its memory may be given up for a copy on a disk while nobody uses it ([`spill`](Self::spill)); whoever
/// asks for it has it read back.
#[derive(Clone)]
pub struct Value(Arc<Inner>);

struct Inner {
    size: Size,
    /// About how many bytes it has in memory as its type, as far as that is known.
    live_bytes: AtomicU64,
    /// How many bytes are counted in the account: in memory, and on a disk only.
    counted_resident: AtomicU64,
    counted_spilled: AtomicU64,
    state: Mutex<State>,
    /// Where its memory is counted, and whose value it is there; nowhere until it is put into a store.
    account: OnceLock<(Arc<Account>, TaskId)>,
}

enum State {
    /// As its type, with the way to make bytes of it.
    Live { value: Shared, form: Form, copy: Option<DiskCopy> },
    /// As it arrived, until somebody asks for it as its type.
    Wire { head: Vec<u8>, body: Arc<Buffer>, copy: Option<DiskCopy> },
    /// On a disk only.
    Spilled(DiskCopy),
    /// It could not be decoded, or read back.
    Broken(String),
}

/// How bytes are made of a value in memory, and the image that made it.
#[derive(Clone, Copy)]
struct Form {
    encode: fn(Shared) -> Wire,
    image: &'static Image,
}

impl Form {
    /// The form of values that this image makes.
    fn own(encode: fn(Shared) -> Wire) -> Self {
        Self { encode, image: &image::OWN }
    }

    fn wire(self, value: Shared) -> Wire {
        self.image.call(|| (self.encode)(value))?
    }
}

/// How many bytes of values are in memory, and how many on a disk only.
#[derive(Debug, Default)]
pub struct Account {
    resident: AtomicU64,
    spilled: AtomicU64,
    /// How many bytes of values have left memory, all in all.
    freed: AtomicU64,
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

    /// How many bytes of values have left memory since the start.
    pub fn freed_bytes(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
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

impl Inner {
    /// Counts it in its account as it is in this state now.
    fn recount(&self, state: &State) {
        let Some((account, _)) = self.account.get() else { return };
        let (resident, spilled) = match state {
            State::Live { .. } => (self.live_bytes.load(Ordering::Relaxed), 0),
            State::Wire { .. } => (self.size.bytes, 0),
            State::Spilled(_) => (0, self.size.bytes),
            State::Broken(_) => (0, 0),
        };
        self.count(account, resident, spilled);
    }

    fn count(&self, account: &Account, resident: u64, spilled: u64) {
        let before = self.counted_resident.swap(resident, Ordering::Relaxed);
        account.resident.fetch_add(resident, Ordering::Relaxed);
        account.resident.fetch_sub(before, Ordering::Relaxed);
        account.freed.fetch_add(before.saturating_sub(resident), Ordering::Relaxed);
        let before = self.counted_spilled.swap(spilled, Ordering::Relaxed);
        account.spilled.fetch_add(spilled, Ordering::Relaxed);
        account.spilled.fetch_sub(before, Ordering::Relaxed);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some((account, _)) = self.account.get() {
            self.count(account, 0, 0);
        }
    }
}

impl Value {
    fn new(size: Size, live_bytes: u64, state: State) -> Self {
        Self(Arc::new(Inner {
            size,
            live_bytes: AtomicU64::new(live_bytes),
            counted_resident: AtomicU64::new(0),
            counted_spilled: AtomicU64::new(0),
            state: Mutex::new(state),
            account: OnceLock::new(),
        }))
    }

    /// A value whose body has the given size, and that has about so many bytes in memory.
    fn live<T: Data>(value: Arc<T>, size: Size, live_bytes: u64) -> Self {
        Self::new(size, live_bytes, State::Live { value, form: Form::own(encode_shared::<T>), copy: None })
    }

    /// A value that stays where it is made, and has about so many bytes there.
    pub(crate) fn staying<T: Data>(value: T, bytes: u64) -> Self {
        Self::live(Arc::new(value), Size { bytes, align: 1 }, bytes)
    }

    /// A value as it came from another rank.
    pub fn from_wire(head: Vec<u8>, body: Buffer) -> Self {
        let size = Size { bytes: body.as_slice().len() as u64, align: body.align() as u8 };
        Self::new(size, size.bytes, State::Wire { head, body: Arc::new(body), copy: None })
    }

    /// A value that could not be had, for this reason: whoever asks for it is told.
    pub fn broken(reason: String) -> Self {
        Self::new(Size::default(), 0, State::Broken(reason))
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
        let decode = |head: &[u8], body| {
            decode_body::<T>(head, body).map(|(value, size)| (Arc::new(value) as Shared, size))
        };
        let (id, is_shared) = (TypeId::of::<T>(), is_shared_by_images::<T>());
        let kind = Kind { id, name: type_name::<T>, is_shared, decode, encode: encode_shared::<T> };
        self.get_as(&kind).map(|value| value.downcast().expect("the type that was asked for"))
    }

    /// As [`get`](Self::get), for values of all types: compiled once.
    fn get_as(&self, kind: &Kind) -> Result<Shared, String> {
        let mut state = self.state();
        self.read_back(&mut state);
        match std::mem::replace(&mut *state, State::Broken("its decoding panicked".into())) {
            State::Live { value, form, copy } => {
                // It has the form from now on in which it was asked for last.
                let (result, value, form) = match as_kind(&value, form, kind) {
                    Ok(None) => (Ok(Arc::clone(&value)), value, form),
                    Ok(Some(other)) => (Ok(Arc::clone(&other)), other, Form::own(kind.encode)),
                    Err(words) => (Err(words), value, form),
                };
                *state = State::Live { value, form, copy };
                result
            }
            State::Wire { head, body, copy } => {
                // Who sends it on at the moment needs the bytes as they are.
                let body = Arc::try_unwrap(body)
                    .unwrap_or_else(|body| Buffer::copy_of(body.as_slice(), body.align()));
                match (kind.decode)(&head, body) {
                    Ok((value, live_bytes)) => {
                        *state =
                            State::Live { value: Arc::clone(&value), form: Form::own(kind.encode), copy };
                        self.0.live_bytes.store(live_bytes, Ordering::Relaxed);
                        self.0.recount(&state);
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
        if let Some(raw) = raw::<T>()
            && let Some(same) = (raw.share)(&*self.get::<T>()?)
        {
            return Ok(*same.downcast().expect("the type that was asked for"));
        }
        let (head, body) = self.to_wire()?;
        decode_body(&head, Buffer::copy_of(body.as_slice(), body.align())).map(|(value, _)| value)
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
            && let Some(raw) = raw_of((**value).type_id())
            && let Some(part) = (raw.part)(&**value, cut)
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

    /// About how many bytes it has in memory when it is used: for lists of strings many more than its body.
    pub fn live_bytes(&self) -> u64 {
        self.0.live_bytes.load(Ordering::Relaxed)
    }

    /// How many bytes are counted for it in memory now.
    pub fn resident_bytes(&self) -> u64 {
        self.0.counted_resident.load(Ordering::Relaxed)
    }

    /// Counts the value's memory in this account, as this task's, from now on and until it is dropped.
    pub fn count_in(&self, account: &Arc<Account>, task: TaskId) {
        let state = self.state();
        if self.0.account.set((Arc::clone(account), task)).is_ok() {
            self.0.recount(&state);
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
        self.0.recount(&state);
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
        self.0.recount(state);
        if let Some((account, task)) = self.0.account.get() {
            lock(&account.restored).push(*task);
        }
    }
}

/// Whether all images of the process have the same type under this name: it and what it contains are this library's.
pub(crate) fn is_shared_by_images<T: 'static>() -> bool {
    raw::<T>().is_some()
}

/// A value in memory as the type that it is asked for; `None` if it is that already.
fn as_kind(value: &Shared, form: Form, kind: &Kind) -> Result<Option<Shared>, String> {
    let is_same = (**value).type_id() == kind.id;
    if is_same && (form.image.is_own() || kind.is_shared) {
        return Ok(None);
    }
    if let Some(other) = raw_of(kind.id).and_then(|raw| (raw.of_other)(&**value)) {
        return other.map(Some);
    }
    if form.image.is_own() {
        return Err(format!("the value is no {}", (kind.name)()));
    }
    let (head, body) = form.wire(Arc::clone(value))?;
    let (value, _) = (kind.decode)(&head, Buffer::copy_of(body.as_slice(), body.align()))?;
    Ok(Some(value))
}

/// The head and the body of a value that is in memory.
fn wire_of(state: &State) -> Wire {
    match state {
        State::Live { value, form, .. } => form.wire(Arc::clone(value)),
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

/// Up to this size the encoding of a value is read back before it is sent, where it is not certain that it
/// arrives as what it is. Larger ones are examined where they are read.
const CHECKED_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// Of which types values may arrive as others, as far as is known.
    static LOOSE: RefCell<FxHashMap<TypeId, bool>> = RefCell::default();
}

/// Encodes `value` at the end of `small` if that takes at most `limit` bytes; else gives it back as a
/// large value.
///
/// # Errors
///
/// The message of the value's own `Serialize`, and one if it would arrive as another value.
pub(crate) fn encode<T: Data>(
    mut value: T,
    limit: usize,
    small: &mut Vec<u8>,
) -> Result<Option<Value>, String> {
    let raw_size = raw::<T>().map(|raw| {
        (raw.order)(&mut value);
        (raw.size)(&value)
    });
    if let Some(size) = raw_size
        && size.bytes > limit as u64
    {
        return Ok(Some(Value::live(Arc::new(value), size, size.bytes)));
    }
    let start = small.len();
    let mut sink = Limited { bytes: small, end: start.saturating_add(limit), beyond: 0 };
    let mut writer = Writer::new(&mut sink);
    let outcome = value.serialize(&mut writer);
    let (live_bytes, has_skipped) = (writer.memory_bytes(), writer.has_skipped());
    let total = sink.bytes.len() - start + sink.beyond;
    let is_small = total <= limit;
    let outcome = match outcome {
        Ok(()) if raw_size.is_some() || total > CHECKED_BYTES_MAX => Ok(()),
        Ok(()) => examine(&value, is_small.then(|| &small[start..]), has_skipped),
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        small.truncate(start);
        return Err(error_words::<T>("sent", error));
    }
    if is_small {
        return Ok(None);
    }
    small.truncate(start);
    // Numbers travel as they are even where their encoding is the longer one.
    let size = raw_size.unwrap_or(Size { bytes: total as u64, align: 1 });
    Ok(Some(Value::live(Arc::new(value), size, raw_size.map_or(live_bytes, |size| size.bytes))))
}

/// Reads a value back if it is the first of its type, or if its type may take one value for another.
/// `encoded` is its encoding, if that is at hand.
fn examine<T: Data>(value: &T, encoded: Option<&[u8]>, has_skipped: bool) -> Result<(), EncodingError> {
    let known = LOOSE.with_borrow(|known| known.get(&TypeId::of::<T>()).copied());
    if known == Some(false) && !has_skipped {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let encoded = match encoded {
        Some(encoded) => encoded,
        None => {
            encoding::append(value, &mut bytes)?;
            &bytes
        }
    };
    let is_loose = encoding::check::<T>(encoded)?;
    LOOSE.with_borrow_mut(|known| *known.entry(TypeId::of::<T>()).or_default() |= is_loose);
    Ok(())
}

/// Returns the encoding of an argument of the runtime's own. These can always be encoded.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding::append(value, &mut bytes).expect("an argument of the runtime's own can be encoded");
    bytes
}

/// Decodes a small value.
///
/// # Errors
///
/// Says what is wrong if the bytes are no `T`.
pub(crate) fn decode<T: Data>(bytes: &[u8]) -> Result<T, String> {
    decode_counted(bytes).map(|(value, _)| value)
}

/// Decodes a value, and says about how many bytes it has in memory.
fn decode_counted<T: Data>(bytes: &[u8]) -> Result<(T, u64), String> {
    let read = encoding::read_checked(bytes).map_err(|error| error_words::<T>("read", error));
    read.map(|(value, found)| (value, found.memory_bytes))
}

fn error_words<T>(verb: &str, error: EncodingError) -> String {
    format!("a {} cannot be {verb}: {error}", type_name::<T>())
}

/// Keeps the first bytes, counts the others.
struct Limited<'a> {
    bytes: &'a mut Vec<u8>,
    end: usize,
    beyond: usize,
}

impl Sink for Limited<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.beyond == 0 && self.bytes.len() + bytes.len() <= self.end {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.beyond += bytes.len();
        }
    }
}

fn encode_shared<T: Data>(value: Shared) -> Wire {
    if let Some(raw) = raw::<T>() {
        return (raw.wire)(value);
    }
    let value = value.downcast::<T>().expect("the type that it was made with");
    let mut bytes = Vec::new();
    encoding::append(&*value, &mut bytes).map_err(|error| error_words::<T>("sent", error))?;
    Ok((Vec::new(), Body::of(Arc::new(bytes), 1, |bytes: &Vec<u8>| bytes)))
}

/// Decodes a large value, and says about how many bytes it has in memory.
fn decode_body<T: Data>(head: &[u8], body: Buffer) -> Result<(T, u64), String> {
    if head.is_empty() {
        return decode_counted(body.as_slice());
    }
    let bytes = body.as_slice().len() as u64;
    let Some(raw) = raw::<T>() else {
        return Err(format!("a {} does not travel as elements", type_name::<T>()));
    };
    let broken = || format!("the elements of a {} do not fit its shape", type_name::<T>());
    let value = (raw.read)(head, body).ok_or_else(broken)?;
    Ok((*value.downcast().expect("the type that was asked for"), bytes))
}

#[cfg(test)]
mod tests;
