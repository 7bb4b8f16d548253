//! What arrays are made of: the element types, their numbers for NumPy's rules, and values of any of them.

use crate::{device::Truth, value::Data};
use half::f16;
use num_complex::Complex;
use sealed::Field;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of an array's elements, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DataType {
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `half::f16`
    F16,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `Complex<f32>`
    Complex32,
    /// `Complex<f64>`
    Complex64,
}

impl DataType {
    /// How many bytes an element takes.
    pub fn size_bytes(self) -> usize {
        crate::array::with_type!(self, T => size_of::<T>())
    }

    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::Complex32 => "complex64",
            Self::Complex64 => "complex128",
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Runs code with `T` as the element type that a [`DataType`] names.
macro_rules! with_type {
    ($data_type:expr, $T:ident => $code:expr) => {{
        use num_complex::Complex;
        use $crate::array::DataType;
        match $data_type {
            DataType::Bool => {
                type $T = bool;
                $code
            }
            DataType::U8 => {
                type $T = u8;
                $code
            }
            DataType::U16 => {
                type $T = u16;
                $code
            }
            DataType::U32 => {
                type $T = u32;
                $code
            }
            DataType::U64 => {
                type $T = u64;
                $code
            }
            DataType::I8 => {
                type $T = i8;
                $code
            }
            DataType::I16 => {
                type $T = i16;
                $code
            }
            DataType::I32 => {
                type $T = i32;
                $code
            }
            DataType::I64 => {
                type $T = i64;
                $code
            }
            DataType::F16 => {
                type $T = half::f16;
                $code
            }
            DataType::F32 => {
                type $T = f32;
                $code
            }
            DataType::F64 => {
                type $T = f64;
                $code
            }
            DataType::Complex32 => {
                type $T = Complex<f32>;
                $code
            }
            DataType::Complex64 => {
                type $T = Complex<f64>;
                $code
            }
        }
    }};
}
pub(crate) use with_type;

/// Elements one after the other, of any type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Elements {
    Bool(Vec<bool>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F16(Vec<f16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Complex32(Vec<Complex<f32>>),
    Complex64(Vec<Complex<f64>>),
}

impl Elements {
    /// `count` zeros.
    pub(crate) fn zeros(data_type: DataType, count: usize) -> Self {
        with_type!(data_type, T => T::wrap(vec![T::default(); count]))
    }

    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Bool(_) => DataType::Bool,
            Self::U8(_) => DataType::U8,
            Self::U16(_) => DataType::U16,
            Self::U32(_) => DataType::U32,
            Self::U64(_) => DataType::U64,
            Self::I8(_) => DataType::I8,
            Self::I16(_) => DataType::I16,
            Self::I32(_) => DataType::I32,
            Self::I64(_) => DataType::I64,
            Self::F16(_) => DataType::F16,
            Self::F32(_) => DataType::F32,
            Self::F64(_) => DataType::F64,
            Self::Complex32(_) => DataType::Complex32,
            Self::Complex64(_) => DataType::Complex64,
        }
    }

    /// Makes it `count` elements long; new ones are zero.
    pub(crate) fn resize(&mut self, count: usize) {
        with_type!(self.data_type(), T => T::vector_mut(self).resize(count, T::default()));
    }
}

/// One element of any type.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scalar {
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    F16(f16),
    F32(f32),
    F64(f64),
    Complex32(Complex<f32>),
    Complex64(Complex<f64>),
}

/// What an array's elements can be: `bool`, `u8`, `u16`, `u32`, `u64`, `i8`, `i16`, `i32`, `i64`, `f16` of the crate
/// `half`, `f32`, `f64`, `Complex<f32>` and `Complex<f64>`.
///
/// `f16` saves memory and file space. Arithmetic on it is computed as `f32` and rounded after each operation, as in
/// NumPy. Functions of floating-point numbers, such as `sqrt`, take `f32`: [`cast`](crate::Array::cast) before and after.
pub trait Element: Data + Copy + Default + PartialEq + fmt::Debug + Sealed {
    /// The type as a value.
    const DATA_TYPE: DataType;
    /// What a sum of such elements is: a type that holds it, as in NumPy.
    type Sum: Element;
    /// What a mean of such elements is.
    type Mean: Float;
    /// The magnitude's type.
    type Magnitude: Element;
}

/// The elements that are floating-point numbers, real or complex: all of them but `f16`.
pub trait Float: Number + Element<Sum = Self> + Field {
    /// The real numbers of this precision.
    type Real: Real;
    /// The complex numbers of this precision.
    type Complex: Float<Real = Self::Real>;
}

/// The elements that are real floating-point numbers: `f32` and `f64`.
pub trait Real: Float<Real = Self> + Ordered + Element<Sum = Self, Mean = Self, Magnitude = Self> {}

/// The elements that have an order: all but the complex ones.
pub trait Ordered: Element + PartialOrd {}

/// The elements that are whole numbers: all of them but `bool`.
pub trait Integer: Number + Ordered {}

/// The elements one can calculate with: all but `bool`.
pub trait Number: Element {}

pub(crate) mod sealed {
    use super::{Elements, Scalar};

    /// The way between an element type and values of any type.
    pub trait Sealed: Sized {
        /// What it is on a device.
        type OnDevice: bytemuck::Pod + crate::Data;
        /// What a device has, as elements.
        fn of_device(elements: Vec<Self::OnDevice>) -> Vec<Self>;
        #[allow(private_interfaces, reason = "sealed")]
        fn wrap(vector: Vec<Self>) -> Elements;
        #[allow(private_interfaces, reason = "sealed")]
        fn vector(elements: &Elements) -> &Vec<Self>;
        #[allow(private_interfaces, reason = "sealed")]
        fn vector_mut(elements: &mut Elements) -> &mut Vec<Self>;
        #[allow(private_interfaces, reason = "sealed")]
        fn into_vector(elements: Elements) -> Vec<Self>;
        #[allow(private_interfaces, reason = "sealed")]
        fn scalar(self) -> Scalar;
        #[allow(private_interfaces, reason = "sealed")]
        fn of_scalar(scalar: Scalar) -> Self;
    }

    /// What products and factorizations of local matrices ask of their elements.
    pub trait Field: ndarray::LinalgScalar + bytemuck::Pod {
        /// The type itself, as the factorizations know it.
        #[cfg(feature = "linear-algebra")]
        type Local: faer::traits::ComplexField + bytemuck::Pod;
    }
}
pub(crate) use sealed::Sealed;

macro_rules! elements {
    ($($T:ty, $Variant:ident, $Sum:ty, $Mean:ty, $Magnitude:ty, $OnDevice:ty, $of_device:expr;)*) => { $(
        #[allow(private_interfaces, reason = "sealed")]
        impl Sealed for $T {
            type OnDevice = $OnDevice;
            fn of_device(elements: Vec<Self::OnDevice>) -> Vec<Self> {
                let of_device: fn(Vec<Self::OnDevice>) -> Vec<Self> = $of_device;
                of_device(elements)
            }
            fn wrap(vector: Vec<Self>) -> Elements {
                Elements::$Variant(vector)
            }
            fn vector(elements: &Elements) -> &Vec<Self> {
                match elements {
                    Elements::$Variant(vector) => vector,
                    other => unreachable!("elements of {} where {} are due", other.data_type(), DataType::$Variant),
                }
            }
            fn vector_mut(elements: &mut Elements) -> &mut Vec<Self> {
                match elements {
                    Elements::$Variant(vector) => vector,
                    other => unreachable!("elements of {} where {} are due", other.data_type(), DataType::$Variant),
                }
            }
            fn into_vector(elements: Elements) -> Vec<Self> {
                match elements {
                    Elements::$Variant(vector) => vector,
                    other => unreachable!("elements of {} where {} are due", other.data_type(), DataType::$Variant),
                }
            }
            fn scalar(self) -> Scalar {
                Scalar::$Variant(self)
            }
            fn of_scalar(scalar: Scalar) -> Self {
                match scalar {
                    Scalar::$Variant(value) => value,
                    other => unreachable!("{other:?} where a {} is due", DataType::$Variant),
                }
            }
        }
        impl Element for $T {
            const DATA_TYPE: DataType = DataType::$Variant;
            type Sum = $Sum;
            type Mean = $Mean;
            type Magnitude = $Magnitude;
        }
    )* };
}

elements! {
    bool, Bool, i64, f64, bool, Truth, |truths| truths.into_iter().map(bool::from).collect();
    u8, U8, u64, f64, u8, u8, |elements| elements;
    u16, U16, u64, f64, u16, u16, |elements| elements;
    u32, U32, u64, f64, u32, u32, |elements| elements;
    u64, U64, u64, f64, u64, u64, |elements| elements;
    i8, I8, i64, f64, i8, i8, |elements| elements;
    i16, I16, i64, f64, i16, i16, |elements| elements;
    i32, I32, i64, f64, i32, i32, |elements| elements;
    i64, I64, i64, f64, i64, i64, |elements| elements;
    f16, F16, f16, f32, f16, f16, |elements| elements;
    f32, F32, f32, f32, f32, f32, |elements| elements;
    f64, F64, f64, f64, f64, f64, |elements| elements;
    Complex<f32>, Complex32, Complex<f32>, Complex<f32>, f32, Complex<f32>, |elements| elements;
    Complex<f64>, Complex64, Complex<f64>, Complex<f64>, f64, Complex<f64>, |elements| elements;
}

macro_rules! mark {
    ($Trait:ident: $($T:ty),*) => { $(impl $Trait for $T {})* };
}
mark!(Real: f32, f64);
mark!(Integer: u8, u16, u32, u64, i8, i16, i32, i64);
mark!(Ordered: bool, u8, u16, u32, u64, i8, i16, i32, i64, f16, f32, f64);
mark!(Number: u8, u16, u32, u64, i8, i16, i32, i64, f16, f32, f64, Complex<f32>, Complex<f64>);

macro_rules! fields {
    ($($T:ty),*) => { $(
        impl Field for $T {
            #[cfg(feature = "linear-algebra")]
            type Local = Self;
        }
    )* };
}
fields!(f32, f64, Complex<f32>, Complex<f64>);

impl Float for f32 {
    type Real = Self;
    type Complex = Complex<Self>;
}
impl Float for f64 {
    type Real = Self;
    type Complex = Complex<Self>;
}
impl Float for Complex<f32> {
    type Real = f32;
    type Complex = Self;
}
impl Float for Complex<f64> {
    type Real = f64;
    type Complex = Self;
}
