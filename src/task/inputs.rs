//! How a function's parameters see the values that came with a call.
//!
//! A parameter may take its value (`T`), borrow it from the store (`&T`, `&[T]`, `&str`, `&Path`), or share it
//! ([`Shared<T>`], `Vec<Shared<T>>`), as the function is written; nothing is cloned for a borrow.

use super::Descriptor;
use crate::{
    ids::Code,
    image::Image,
    packed::Packed,
    part::{Assembly, Cut},
    value::{self, Data, Value},
};
use smallvec::SmallVec;
use std::{
    any::Any,
    any::type_name,
    error::Error,
    marker::PhantomData,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Makes a `Vec<T>`, boxed, of a list of inputs whose type the sender knew.
pub(crate) type Collect = fn(Vec<Input<'_>>) -> Result<Box<dyn Any>, String>;

/// A value that came with a call.
#[derive(Debug)]
pub enum Input<'a> {
    /// Encoded.
    Bytes(&'a [u8]),
    /// From the store.
    Value(&'a Value),
    /// The wanted part of a value, from another rank.
    Part(&'a Value),
    /// A list of values, how to collect it, and the image whose function that is.
    List(Vec<Self>, Collect, &'static Image),
    /// A list of values and parts, and which elements are wanted of them: an encoded [`Cut`].
    Parts(&'a [u8], Vec<Self>),
}

/// The values that came with one call, taken one after the other.
#[derive(Debug)]
pub struct Inputs<'a>(smallvec::IntoIter<[Input<'a>; 4]>);

impl<'a> Inputs<'a> {
    /// The given inputs.
    pub fn new(inputs: SmallVec<[Input<'a>; 4]>) -> Self {
        Self(inputs.into_iter())
    }

    /// The next one, as a `T`.
    pub(crate) fn owned<T: Data>(&mut self) -> Result<T, String> {
        owned(self.next()?)
    }

    /// The next one, shared with the store.
    pub(crate) fn shared<T: Data>(&mut self) -> Result<Arc<T>, String> {
        shared(self.next()?)
    }

    /// The items of the next one, which is a list.
    pub(crate) fn items(&mut self) -> Result<Vec<Input<'a>>, String> {
        match self.next()? {
            Input::List(items, ..) => Ok(items),
            _ => Err("a list of values is due".into()),
        }
    }

    fn next(&mut self) -> Result<Input<'a>, String> {
        self.0.next().ok_or_else(|| "an argument is missing".to_string())
    }
}

/// Where a call leaves its result.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// Takes the encoding of a small result.
    pub small: &'a mut Packed,
    /// The most bytes that are small.
    pub small_bytes_max: usize,
    /// Takes a large result.
    pub large: Option<Value>,
}

/// A value shared with the worker's store: it derefs to the value and costs nothing to clone.
///
/// As a parameter, `Shared<T>` keeps the value, and `Vec<Shared<T>>` takes a list of values, without
/// copying them.
#[derive(Debug)]
pub struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A type that a task's parameter may have. `M` tells the ways apart, and is inferred; `Owned` is the type of
/// the value that must come for it.
//
// `Owned` is no associated type: of `&[u8]` and `&str` the compiler takes it that they might be values
// themselves, and only the argument that is passed tells that they are not meant to be.
pub trait Parameter<M, Owned: Data> {
    /// What is kept during the call.
    type Held;
    /// The parameter, for the time of the call.
    type Get<'a>;
    /// Makes the value ready.
    fn hold(input: Input<'_>) -> Result<Self::Held, String>;
    /// Hands it to the call.
    fn get(held: &mut Option<Self::Held>) -> Self::Get<'_>;
}

/// A parameter `T`.
#[derive(Debug)]
pub struct ByValue;
/// A parameter `&T`.
#[derive(Debug)]
pub struct ByReference;
/// A parameter `&[T]`.
#[derive(Debug)]
pub struct BySlice;
/// A parameter `&str` or `&Path`.
#[derive(Debug)]
pub struct ByBorrow;
/// A parameter `Shared<T>`.
#[derive(Debug)]
pub struct ByShare;
/// A parameter `Vec<Shared<T>>`.
#[derive(Debug)]
pub struct ByShares;

impl<T: Data> Parameter<ByValue, T> for T {
    type Held = T;
    type Get<'a> = T;
    fn hold(input: Input<'_>) -> Result<T, String> {
        owned(input)
    }
    fn get(held: &mut Option<T>) -> T {
        held.take().expect("a parameter is taken once")
    }
}

impl<T: Data> Parameter<ByReference, T> for &T {
    type Held = Arc<T>;
    type Get<'a> = &'a T;
    fn hold(input: Input<'_>) -> Result<Arc<T>, String> {
        shared(input)
    }
    fn get(held: &mut Option<Arc<T>>) -> &T {
        held.as_deref().expect("a parameter is held during the call")
    }
}

impl<T: Data> Parameter<BySlice, Vec<T>> for &[T] {
    type Held = Arc<Vec<T>>;
    type Get<'a> = &'a [T];
    fn hold(input: Input<'_>) -> Result<Arc<Vec<T>>, String> {
        shared(input)
    }
    fn get(held: &mut Option<Arc<Vec<T>>>) -> &[T] {
        held.as_deref().expect("a parameter is held during the call")
    }
}

macro_rules! borrowed {
    ($($borrowed:ty: $owned:ty)*) => { $(
        impl Parameter<ByBorrow, $owned> for &$borrowed {
            type Held = Arc<$owned>;
            type Get<'a> = &'a $borrowed;
            fn hold(input: Input<'_>) -> Result<Arc<$owned>, String> {
                shared(input)
            }
            fn get(held: &mut Option<Arc<$owned>>) -> &$borrowed {
                held.as_deref().expect("a parameter is held during the call")
            }
        }
    )* };
}

borrowed! {
    str: String
    Path: PathBuf
}

impl<T: Data> Parameter<ByShare, T> for Shared<T> {
    type Held = Arc<T>;
    type Get<'a> = Self;
    fn hold(input: Input<'_>) -> Result<Arc<T>, String> {
        shared(input)
    }
    fn get(held: &mut Option<Arc<T>>) -> Self {
        Self(held.take().expect("a parameter is taken once"))
    }
}

impl<T: Data> Parameter<ByShares, Vec<T>> for Vec<Shared<T>> {
    type Held = Self;
    type Get<'a> = Self;
    fn hold(input: Input<'_>) -> Result<Self, String> {
        match input {
            Input::List(items, ..) => items.into_iter().map(|item| shared(item).map(Shared)).collect(),
            whole => Ok(owned::<Vec<T>>(whole)?.into_iter().map(|item| Shared(Arc::new(item))).collect()),
        }
    }
    fn get(held: &mut Option<Self>) -> Self {
        held.take().expect("a parameter is taken once")
    }
}

/// A list of values whose types the task itself knows. What it is given must be futures.
#[derive(Debug)]
pub(crate) struct Untyped(Vec<UntypedValue>);

#[derive(Debug)]
enum UntypedValue {
    Bytes(Vec<u8>),
    Value(Value),
}

impl Untyped {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The value at a place, as a `T`.
    pub(crate) fn get<T: Data>(&self, place: usize) -> Result<Arc<T>, String> {
        match self.0.get(place) {
            Some(UntypedValue::Bytes(bytes)) => value::decode(bytes).map(Arc::new),
            Some(UntypedValue::Value(value)) => value.get(),
            None => Err(format!("there are {} inputs, not {}", self.len(), place + 1)),
        }
    }
}

/// A parameter [`Untyped`].
#[derive(Debug)]
pub(crate) struct ByUntyped;

/// What comes for an [`Untyped`]: never made.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Nothing;

impl Parameter<ByUntyped, Nothing> for Untyped {
    type Held = Self;
    type Get<'a> = Self;
    fn hold(input: Input<'_>) -> Result<Self, String> {
        let Input::List(items, ..) = input else { return Err("a list of values is due".into()) };
        let untyped = |item| match item {
            Input::Bytes(bytes) => Ok(UntypedValue::Bytes(bytes.to_vec())),
            Input::Value(value) => Ok(UntypedValue::Value(value.clone())),
            Input::Part(_) | Input::List(..) | Input::Parts(..) => {
                Err("a value of a list is no value".to_string())
            }
        };
        items.into_iter().map(untyped).collect::<Result<_, _>>().map(Self)
    }
    fn get(held: &mut Option<Self>) -> Self {
        held.take().expect("a parameter is taken once")
    }
}

/// A list of values of which a task takes a part, with what it takes. What it is given must be futures.
#[derive(Debug)]
pub(crate) struct Parts {
    assembly: Assembly,
    /// Whether it is the part.
    values: Vec<(UntypedValue, bool)>,
}

impl Parts {
    /// What is taken of the values.
    pub(crate) fn assembly(&self) -> &Assembly {
        &self.assembly
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The value at a place, and whether it is the part that is taken, or all of it.
    pub(crate) fn get<T: Data>(&self, place: usize) -> Result<(Arc<T>, bool), String> {
        match self.values.get(place) {
            Some((UntypedValue::Bytes(bytes), is_part)) => Ok((Arc::new(value::decode(bytes)?), *is_part)),
            Some((UntypedValue::Value(value), is_part)) => Ok((value.get()?, *is_part)),
            None => Err(format!("there are {} inputs, not {}", self.len(), place + 1)),
        }
    }
}

/// A parameter [`Parts`].
#[derive(Debug)]
pub(crate) struct ByParts;

impl Parameter<ByParts, Nothing> for Parts {
    type Held = Self;
    type Get<'a> = Self;
    fn hold(input: Input<'_>) -> Result<Self, String> {
        let Input::Parts(cut, items) = input else { return Err("a list of parts is due".into()) };
        let cut: Cut = postcard::from_bytes(cut).map_err(|error| format!("a cut cannot be read: {error}"))?;
        let value = |item| match item {
            Input::Bytes(bytes) => Ok((UntypedValue::Bytes(bytes.to_vec()), false)),
            Input::Value(value) => Ok((UntypedValue::Value(value.clone()), false)),
            Input::Part(value) => Ok((UntypedValue::Value(value.clone()), true)),
            Input::List(..) | Input::Parts(..) => Err("a value of a list is no value".to_string()),
        };
        let values: Vec<_> = items.into_iter().map(value).collect::<Result<_, _>>()?;
        match values.len() == cut.assembly.input_count() {
            true => Ok(Self { assembly: cut.assembly, values }),
            false => Err(format!("there are {} inputs for {:?}", values.len(), cut.assembly)),
        }
    }
    fn get(held: &mut Option<Self>) -> Self {
        held.take().expect("a parameter is taken once")
    }
}

fn owned<T: Data>(input: Input<'_>) -> Result<T, String> {
    match input {
        Input::Bytes(bytes) => value::decode(bytes),
        Input::Value(value) => value.to_owned_value(),
        Input::List(_, _, image) if !image.is_own() && !value::is_shared_by_images::<T>() => Err(format!(
            "a list that the program and a module take as {} is not passed between them: have the function take a \
             Vec<Shared<...>>, or pass one value",
            type_name::<T>()
        )),
        Input::List(items, collect, image) => image
            .call(|| collect(items))??
            .downcast::<T>()
            .map(|list| *list)
            .map_err(|_| format!("the list is no {}", type_name::<T>())),
        Input::Part(_) | Input::Parts(..) => Err(format!("parts are no {}", type_name::<T>())),
    }
}

fn shared<T: Data>(input: Input<'_>) -> Result<Arc<T>, String> {
    match input {
        Input::Value(value) => value.get(),
        other => owned(other).map(Arc::new),
    }
}

/// Makes a `Vec<T>` of a list of inputs.
pub(crate) fn collect<T: Data>(items: Vec<Input<'_>>) -> Result<Box<dyn Any>, String> {
    let list: Vec<T> = items.into_iter().map(owned::<T>).collect::<Result<_, _>>()?;
    Ok(Box::new(list))
}

/// A function that can be a task: a `fn`, or a closure that captures nothing.
///
/// `P` is the tuple of the values it takes, `M` is inferred. This trait is sealed: only this crate implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task function",
    note = "a task is a `fn` or a closure that captures nothing, of up to six parameters",
    note = "a parameter is a `T`, `&T`, `&[T]`, `&str`, `&Path`, `Shared<T>` or `Vec<Shared<T>>`, where `T`, like the result, \
            implements serde's `Serialize` and `DeserializeOwned`, and `Send + Sync + 'static`",
    note = "if it returns a `Result` whose error is to fail the task, submit `fallible(function)`"
)]
pub trait TaskFunction<P, M>: Copy + Send + 'static {
    /// The type of the task's value.
    type Out;
    /// The size of what would have to travel with the call, in bytes.
    #[doc(hidden)]
    const CAPTURED_BYTES: usize = size_of::<Self>();
    #[doc(hidden)]
    fn name() -> &'static str {
        type_name::<Self>()
    }
    #[doc(hidden)]
    fn call(self, inputs: &mut Inputs<'_>) -> Result<Self::Out, String>;
    /// The function, where a call of it has arrived.
    #[doc(hidden)]
    fn arrived() -> Self {
        const { assert!(size_of::<Self>() == 0) }
        // SAFETY: a type of size zero that is `Copy`: there is nothing to initialise or to drop, and a
        // value of it existed when the task was submitted.
        unsafe { std::mem::zeroed() }
    }
    /// Where the function is, and what is wrong with its types. `own` describes it, unless it is a module's.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn place(self, own: &'static Descriptor) -> (Code, Option<String>) {
        (Code::of(own), None)
    }
}

/// A function that [`fallible`](super::fallible()) takes: as [`TaskFunction`], but it returns a `Result`, whose error
/// becomes a `Box<dyn Error + Send + Sync>` and need not be a value. This trait is sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task function that returns a `Result`",
    note = "it is a `fn` or a closure that captures nothing, and returns a `Result<T, E>`",
    note = "`T` implements serde's `Serialize` and `DeserializeOwned`; `E` is an error, or a `String`"
)]
pub trait FallibleFunction<P, M>: Copy + Send + 'static {
    /// The type of the task's value.
    type Out;
    #[doc(hidden)]
    fn call(self, inputs: &mut Inputs<'_>)
    -> Result<Result<Self::Out, Box<dyn Error + Send + Sync>>, String>;
}

macro_rules! task_functions {
    ($(($($A:ident $M:ident $O:ident $held:ident),*))*) => { $(
        impl<Fun, R, Bad, $($A, $M, $O: Data),*>
            FallibleFunction<($($O,)*), (PhantomData<(R, Bad)>, $($A, $M),*)> for Fun
        where
            Bad: Into<Box<dyn Error + Send + Sync>>,
            $($A: Parameter<$M, $O>,)*
            Fun: Fn($($A),*) -> Result<R, Bad> + for<'a> Fn($($A::Get<'a>),*) -> Result<R, Bad>
                + Copy + Send + 'static,
        {
            type Out = R;
            #[inline]
            fn call(self, _inputs: &mut Inputs<'_>) -> Result<Result<R, Box<dyn Error + Send + Sync>>, String> {
                $(let mut $held = Some($A::hold(_inputs.next()?)?);)*
                Ok(self($($A::get(&mut $held)),*).map_err(Into::into))
            }
        }

        // The double bound lets the compiler see a parameter's type both as written and as borrowed.
        impl<Fun, R, $($A, $M, $O: Data),*> TaskFunction<($($O,)*), (PhantomData<R>, $($A, $M),*)> for Fun
        where
            $($A: Parameter<$M, $O>,)*
            Fun: Fn($($A),*) -> R + for<'a> Fn($($A::Get<'a>),*) -> R + Copy + Send + 'static,
        {
            type Out = R;
            #[inline]
            fn call(self, _inputs: &mut Inputs<'_>) -> Result<R, String> {
                $(let mut $held = Some($A::hold(_inputs.next()?)?);)*
                Ok(self($($A::get(&mut $held)),*))
            }
        }
    )* };
}

task_functions! {
    ()
    (A MA OA a)
    (A MA OA a, B MB OB b)
    (A MA OA a, B MB OB b, C MC OC c)
    (A MA OA a, B MB OB b, C MC OC c, D MD OD d)
    (A MA OA a, B MB OB b, C MC OC c, D MD OD d, E ME OE e)
    (A MA OA a, B MB OB b, C MC OC c, D MD OD d, E ME OE e, F MF OF f)
}

/// A function that captures nothing, as a value that travels: it is made from the function only.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
pub(crate) struct Captureless<F>(PhantomData<fn() -> F>);

impl<F> Clone for Captureless<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Captureless<F> {}

impl<F: Copy> Captureless<F> {
    pub(crate) fn of(_function: F) -> Self {
        const { assert!(size_of::<F>() == 0, "a function that travels must capture nothing") }
        Self(PhantomData)
    }

    pub(crate) fn get(self) -> F {
        // SAFETY: a type of size zero that is `Copy`: there is nothing to initialise or to drop, and a
        // value of it existed when this was made.
        unsafe { std::mem::zeroed() }
    }
}

/// Calls the function of type `F` and encodes its result: what a descriptor points to.
pub(super) fn run<F: TaskFunction<P, M, Out: Data>, P, M>(
    inputs: &mut Inputs<'_>,
    output: &mut Output<'_>,
) -> Result<(), String> {
    let result = F::arrived().call(inputs)?;
    let mut large = None;
    let limit = output.small_bytes_max;
    let small = &mut *output.small;
    let outcome = small.push_with(|bytes| match value::encode(result, limit, bytes) {
        Ok(None) => Ok(()),
        Ok(Some(value)) => {
            large = Some(value);
            Err(None)
        }
        Err(error) => Err(Some(error)),
    });
    output.large = large;
    match outcome {
        Err(Some(error)) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Descriptor;

    fn call<F: TaskFunction<P, M, Out: Data>, P, M>(_: F, inputs: Vec<Input<'_>>) -> Result<Packed, String> {
        let mut small = Packed::default();
        let mut output = Output { small: &mut small, small_bytes_max: 64, large: None };
        (Descriptor::of::<F, P, M>().run)(&mut Inputs::new(inputs.into()), &mut output)?;
        Ok(small)
    }

    fn scale(factor: f64, values: &[f64]) -> f64 {
        values.iter().sum::<f64>() * factor
    }

    #[test]
    fn parameters_take_borrow_and_share() {
        let mut factor = Vec::new();
        value::encode(2.0, 64, &mut factor).unwrap();
        let value = value::encode(vec![1.0f64; 100], 0, &mut Vec::new()).unwrap().unwrap();
        let result = call(scale, vec![Input::Bytes(&factor), Input::Value(&value)]).unwrap();
        assert_eq!(value::decode::<f64>(result.at(0)), Ok(200.0));
        let sum = |parts: Vec<Shared<Vec<f64>>>| parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let list = || vec![Input::Value(&value), Input::Value(&value)];
        let result = call(sum, vec![Input::List(list(), collect::<Vec<f64>>, &crate::image::OWN)]).unwrap();
        assert_eq!(value::decode::<u64>(result.at(0)), Ok(200));
        let count = |parts: Vec<Vec<f64>>| parts.len() as u64;
        let result = call(count, vec![Input::List(list(), collect::<Vec<f64>>, &crate::image::OWN)]).unwrap();
        assert_eq!(value::decode::<u64>(result.at(0)), Ok(2));
    }

    fn count(bytes: &[u8], text: &str, path: &Path) -> u64 {
        (bytes.len() + text.len() + path.components().count()) as u64
    }

    #[test]
    fn texts_bytes_and_paths_are_borrowed() {
        /// The types of what must be passed, found by the compiler from the arguments as `submit` does.
        fn check<F: TaskFunction<P, M, Out: Data>, P, M>(function: F, _: P, inputs: Vec<Input<'_>>) -> u64 {
            value::decode(call(function, inputs).unwrap().at(0)).unwrap()
        }
        let arguments = (vec![1u8, 2], "three".to_string(), PathBuf::from("/a/b"));
        let mut encoded = [Vec::new(), Vec::new(), Vec::new()];
        value::encode(arguments.0.clone(), 64, &mut encoded[0]).unwrap();
        value::encode(arguments.1.clone(), 64, &mut encoded[1]).unwrap();
        value::encode(arguments.2.clone(), 64, &mut encoded[2]).unwrap();
        let inputs = encoded.iter().map(|bytes| Input::Bytes(bytes)).collect();
        assert_eq!(check(count, arguments, inputs), 2 + 5 + 3);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(call(scale, vec![]).unwrap_err().contains("missing"));
        assert!(call(|x: u64| x, vec![Input::Bytes(&[0x80])]).unwrap_err().contains("u64"));
    }
}
