//! An array of any element type, and the choice of code by that type.

use half::f16;
use maniple::{
    Array, Client, Published,
    array::{DataType, Element},
};
use num_complex::Complex;
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
};
use std::any::type_name;

/// An element type, and its place among the arrays of all types.
pub(crate) trait Packed: Element {
    /// Elements of their bytes, as NumPy has them in memory.
    fn unpack(bytes: &[u8]) -> Vec<Self>;
    /// The array, if its elements are of this type.
    fn array(any: &AnyArray) -> Option<&Array<Self>>;
}

macro_rules! any_array {
    ($($Variant:ident $T:ty, $unpack:expr;)*) => {
        /// An array of any element type.
        #[derive(Clone)]
        pub(crate) enum AnyArray {
            $($Variant(Array<$T>),)*
        }

        /// The array of this publication, if it is one.
        pub(crate) fn published(client: &Client, publication: &Published) -> Option<maniple::Result<AnyArray>> {
            $(if publication.kind == type_name::<Array<$T>>() {
                return Some(client.published::<Array<$T>>(&publication.name).map(AnyArray::from));
            })*
            None
        }

        $(
            impl From<Array<$T>> for AnyArray {
                fn from(array: Array<$T>) -> Self {
                    Self::$Variant(array)
                }
            }

            impl Packed for $T {
                fn unpack(bytes: &[u8]) -> Vec<Self> {
                    let unpack: fn(&[u8]) -> Vec<Self> = $unpack;
                    unpack(bytes)
                }
                fn array(any: &AnyArray) -> Option<&Array<Self>> {
                    match any {
                        AnyArray::$Variant(array) => Some(array),
                        _ => None,
                    }
                }
            }
        )*
    };
}

any_array! {
    Bool bool, |bytes| bytes.iter().map(|byte| *byte != 0).collect();
    U8 u8, <[u8]>::to_vec;
    U16 u16, bytemuck::pod_collect_to_vec;
    U32 u32, bytemuck::pod_collect_to_vec;
    U64 u64, bytemuck::pod_collect_to_vec;
    I8 i8, bytemuck::pod_collect_to_vec;
    I16 i16, bytemuck::pod_collect_to_vec;
    I32 i32, bytemuck::pod_collect_to_vec;
    I64 i64, bytemuck::pod_collect_to_vec;
    F16 f16, bytemuck::pod_collect_to_vec;
    F32 f32, bytemuck::pod_collect_to_vec;
    F64 f64, bytemuck::pod_collect_to_vec;
    Complex32 Complex<f32>, bytemuck::pod_collect_to_vec;
    Complex64 Complex<f64>, bytemuck::pod_collect_to_vec;
}

/// Runs code with the array of an [`AnyArray`], for the element types of one of the library's traits. The result is a
/// `Result`, whose error is the type of an array that has none of them.
macro_rules! with_array {
    (Element, $any:expr, $x:ident => $code:expr) => {
        with_array!(@$any, $x => $code; Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 Complex32 Complex64)
    };
    (Number, $any:expr, $x:ident => $code:expr) => {
        with_array!(@$any, $x => $code; U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64 Complex32 Complex64)
    };
    (Ordered, $any:expr, $x:ident => $code:expr) => {
        with_array!(@$any, $x => $code; Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 F32 F64)
    };
    (Float, $any:expr, $x:ident => $code:expr) => {
        with_array!(@$any, $x => $code; F32 F64 Complex32 Complex64)
    };
    (Real, $any:expr, $x:ident => $code:expr) => {
        with_array!(@$any, $x => $code; F32 F64)
    };
    (@$any:expr, $x:ident => $code:expr; $($Variant:ident)*) => {{
        use $crate::array::any::AnyArray;
        #[allow(unreachable_patterns, reason = "some traits have all types")]
        match $any {
            $(AnyArray::$Variant($x) => Ok($code),)*
            other => Err(other.data_type()),
        }
    }};
}
pub(crate) use with_array;

/// Runs code with `$T` as the element type of this name, for the types of one of the library's traits.
macro_rules! with_type {
    (Element, $name:expr, $T:ident => $code:expr) => {
        with_type!(@$name, $T => $code; bool u8 u16 u32 u64 i8 i16 i32 i64 f16 f32 f64 Complex32 Complex64)
    };
    (Number, $name:expr, $T:ident => $code:expr) => {
        with_type!(@$name, $T => $code; u8 u16 u32 u64 i8 i16 i32 i64 f16 f32 f64 Complex32 Complex64)
    };
    (Integer, $name:expr, $T:ident => $code:expr) => {
        with_type!(@$name, $T => $code; u8 u16 u32 u64 i8 i16 i32 i64)
    };
    (Real, $name:expr, $T:ident => $code:expr) => {
        with_type!(@$name, $T => $code; f32 f64)
    };
    (@$name:expr, $T:ident => $code:expr; $($Type:ident)*) => {{
        #[allow(unused_imports, reason = "some traits have no complex numbers")]
        use half::f16;
        #[allow(unused_imports, reason = "see above")]
        use num_complex::{Complex32, Complex64};
        match $name {
            $(name if name == <$Type as maniple::array::Element>::DATA_TYPE.name() => {
                type $T = $Type;
                Ok($code)
            })*
            other => Err($crate::array::any::no_such_type(other)),
        }
    }};
}
pub(crate) use with_type;

pub(crate) fn no_such_type(name: &str) -> PyErr {
    PyTypeError::new_err(format!("there are no such arrays with elements of type {name}"))
}

impl AnyArray {
    pub(crate) fn data_type(&self) -> DataType {
        with_array!(Element, self, x => x.dtype()).unwrap_or_else(|other| other)
    }
}

/// The exception for an operation that arrays of this type lack.
pub(crate) fn no_operation(name: &str, data_type: DataType) -> PyErr {
    PyTypeError::new_err(format!(
        "{name} is not available for arrays of {data_type}; convert them with astype() before"
    ))
}

/// The array, which must have elements of this type.
pub(crate) fn of_type<T: Packed>(any: &AnyArray) -> PyResult<&Array<T>> {
    T::array(any).ok_or_else(|| {
        PyValueError::new_err(format!("an array of {} where {} is due", any.data_type(), T::DATA_TYPE))
    })
}
