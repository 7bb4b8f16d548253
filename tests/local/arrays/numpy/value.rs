//! Arrays of any element type, and how their elements compare with NumPy's.

use super::table::{Table, Tolerance};
use maniple::{Array, Client, array::Element, half::f16};
use ndarray::{ArrayD, Dimension, Ix0, IxDyn};
use num_complex::Complex;
use std::fmt::Write;

/// An element type of the table.
pub(super) trait Cell: Element {
    /// Reads the next element; a complex one takes two words.
    fn read<'w>(words: &mut impl Iterator<Item = &'w str>) -> Option<Self>;
    /// Whether two elements agree; sets of bits of NaN count as one.
    fn agrees(self, wanted: Self, tolerance: Tolerance) -> bool;
}

/// An element from one word, or two of a complex number.
pub(super) fn read_one<T: Cell>(words: &[String]) -> T {
    T::read(&mut words.iter().map(String::as_str)).expect("an element of its type")
}

macro_rules! whole_numbers {
    ($($T:ty),*) => { $(
        impl Cell for $T {
            fn read<'w>(words: &mut impl Iterator<Item = &'w str>) -> Option<Self> {
                words.next()?.parse().ok()
            }
            fn agrees(self, wanted: Self, _: Tolerance) -> bool {
                self == wanted
            }
        }
    )* };
}
whole_numbers!(u8, u16, u32, u64, i8, i16, i32, i64);

impl Cell for bool {
    fn read<'w>(words: &mut impl Iterator<Item = &'w str>) -> Option<Self> {
        Some(words.next()? == "1")
    }
    fn agrees(self, wanted: Self, _: Tolerance) -> bool {
        self == wanted
    }
}

macro_rules! real_numbers {
    ($($T:ty),*) => { $(
        impl Cell for $T {
            fn read<'w>(words: &mut impl Iterator<Item = &'w str>) -> Option<Self> {
                words.next()?.parse().ok()
            }
            fn agrees(self, wanted: Self, tolerance: Tolerance) -> bool {
                Complex::new(self, 0.0).agrees(Complex::new(wanted, 0.0), tolerance)
            }
        }
        impl Cell for Complex<$T> {
            fn read<'w>(words: &mut impl Iterator<Item = &'w str>) -> Option<Self> {
                Some(Self::new(words.next()?.parse().ok()?, words.next()?.parse().ok()?))
            }
            fn agrees(self, wanted: Self, tolerance: Tolerance) -> bool {
                // What one unit in the last place is worth follows the larger part of a complex number.
                let size = wanted.re.abs().max(wanted.im.abs());
                let unit = if size.is_finite() { f64::from(size.next_up()) - f64::from(size) } else { 0.0 };
                let part_agrees = |own: $T, wanted: $T| {
                    let is_same = own == wanted || own.is_nan() && wanted.is_nan();
                    let has_sign = own != 0.0 || own.is_sign_negative() == wanted.is_sign_negative();
                    let distance = (f64::from(own) - f64::from(wanted)).abs();
                    match tolerance {
                        Tolerance::Exact => is_same && has_sign,
                        Tolerance::Value => is_same,
                        Tolerance::Ulp(count) => is_same && has_sign || distance <= count * unit && own != wanted,
                        Tolerance::Parts(count) => is_same || distance <= count * unit,
                        Tolerance::Near(most) => is_same || distance <= most,
                    }
                };
                part_agrees(self.re, wanted.re) && part_agrees(self.im, wanted.im)
            }
        }
    )* };
}
real_numbers!(f32, f64);

impl Cell for f16 {
    fn read<'w>(words: &mut impl Iterator<Item = &'w str>) -> Option<Self> {
        Some(Self::from_f64(words.next()?.parse().ok()?))
    }
    fn agrees(self, wanted: Self, tolerance: Tolerance) -> bool {
        let (own, wanted) = (self.to_f32(), wanted.to_f32());
        match tolerance {
            // Units of `f16`.
            Tolerance::Ulp(count) => own.agrees(wanted, Tolerance::Ulp(count * f64::from(1 << 13))),
            Tolerance::Parts(count) => own.agrees(wanted, Tolerance::Parts(count * f64::from(1 << 13))),
            other => own.agrees(wanted, other),
        }
    }
}

macro_rules! values {
    ($($Variant:ident $T:ty;)*) => {
        /// An array of any element type.
        #[derive(Clone, Debug)]
        pub(super) enum Value {
            $($Variant(Array<$T>),)*
        }

        $(
            impl From<Array<$T>> for Value {
                fn from(array: Array<$T>) -> Self {
                    Self::$Variant(array)
                }
            }
            impl From<Array<$T, Ix0>> for Value {
                fn from(array: Array<$T, Ix0>) -> Self {
                    Self::$Variant(array.into_dyn())
                }
            }
        )*

        impl Value {
            /// An array of the table in these chunks. A single number is a constant if `is_constant` says so.
            pub(super) fn new(
                client: &Client,
                table: &Table,
                chunks: Vec<Vec<usize>>,
                is_constant: bool,
            ) -> maniple::Result<Self> {
                $(
                    if table.data_type == <$T>::DATA_TYPE.name() {
                        let local = local::<$T>(table);
                        return Ok(match is_constant && local.ndim() == 0 {
                            true => client.full(local[&[][..]], [], 1).into(),
                            false => client.from_ndarray(&local, chunks)?.into(),
                        });
                    }
                )*
                panic!("there is no element type {}", table.data_type)
            }

            /// Starts to compute the array.
            pub(super) fn persist(&self) -> maniple::Result<Self> {
                match self {
                    $(Self::$Variant(array) => Ok(array.persist()?.into()),)*
                }
            }

            /// Computes the array and says how it differs from NumPy's.
            pub(super) fn difference(&self, wanted: &Table, tolerance: Tolerance) -> maniple::Result<Option<String>> {
                match self {
                    $(Self::$Variant(array) => difference(array, wanted, tolerance),)*
                }
            }

            /// Computes the array, but leaves it where it is.
            pub(super) fn wait(&self) -> maniple::Result<()> {
                match self {
                    $(Self::$Variant(array) => array.wait(),)*
                }
            }

            pub(super) fn shape(&self) -> Vec<usize> {
                match self {
                    $(Self::$Variant(array) => array.shape(),)*
                }
            }
        }
    };
}

values! {
    Bool bool;
    U8 u8;
    U16 u16;
    U32 u32;
    U64 u64;
    I8 i8;
    I16 i16;
    I32 i32;
    I64 i64;
    F16 f16;
    F32 f32;
    F64 f64;
    C32 Complex<f32>;
    C64 Complex<f64>;
}

/// How the error of a program begins that the interpreter does not know.
pub(super) const NO_OPERATION: &str = "no such operation";

/// What the error of a program says whose operation belongs to a feature that this build is without.
pub(super) const NOT_BUILT: &str = "wants a feature that was not built";

/// Runs code with the array of a value of one of the listed types.
macro_rules! on {
    ($value:expr, [$($Variant:ident)*], $x:ident => $code:expr) => {
        match $value {
            $(Value::$Variant($x) => Ok(Value::from($code)),)*
            #[allow(unreachable_patterns, reason = "some lists are complete")]
            other => Err(format!("{}: not for {other:?}", $crate::arrays::numpy::value::NO_OPERATION)),
        }
    };
}

/// Runs code with the arrays of two values of one of the listed types.
macro_rules! on_two {
    ($left:expr, $right:expr, [$($Variant:ident)*], $x:ident $y:ident => $code:expr) => {
        match ($left, $right) {
            $((Value::$Variant($x), Value::$Variant($y)) => Ok(Value::from($code)),)*
            other => Err(format!("{}: not for {other:?}", $crate::arrays::numpy::value::NO_OPERATION)),
        }
    };
}

/// Runs code with the array of a value.
macro_rules! any {
    ($value:expr, $x:ident => $code:expr) => {
        on!($value, [Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 C32 C64], $x => $code)
    };
}
pub(super) use {any, on, on_two};

fn local<T: Cell>(table: &Table) -> ArrayD<T> {
    let words = &mut table.words.split_ascii_whitespace();
    let cells = std::iter::from_fn(|| T::read(words)).collect();
    ArrayD::from_shape_vec(IxDyn(&table.shape), cells).expect("as many elements as the shape has")
}

fn difference<T: Cell>(
    array: &Array<T>,
    wanted: &Table,
    tolerance: Tolerance,
) -> maniple::Result<Option<String>> {
    let own = array.compute()?;
    let (data_type, shape) = (T::DATA_TYPE.name(), array.shape());
    if data_type != wanted.data_type || own.shape() != wanted.shape || shape != wanted.shape {
        let (found, wanted_type, wanted_shape) = (own.shape(), &wanted.data_type, &wanted.shape);
        return Ok(Some(format!(
            "{data_type} {shape:?} (computed: {found:?}), not {wanted_type} {wanted_shape:?}"
        )));
    }
    let wanted = local::<T>(wanted);
    let mut pairs = own.indexed_iter().zip(&wanted);
    let Some(((place, own_cell), wanted_cell)) =
        pairs.find(|((_, own), wanted)| !own.agrees(**wanted, tolerance))
    else {
        return Ok(None);
    };
    let place = place.slice();
    let mut text = format!("element {place:?} is {own_cell:?}, not {wanted_cell:?}");
    if own.len() <= 30 {
        write!(text, "\n  gives {own:?}\n  NumPy {wanted:?}").expect("a string takes all");
    }
    Ok(Some(text))
}
