//! Operations on elements, as loops over slices: each reads its operands and writes another slice.
//!
//! Integers wrap, and dividing one by zero gives zero, as in NumPy. Comparisons with NaN are false,
//! `minimum` and `maximum` pass NaN on, `fmin` and `fmax` pass it over.

use crate::array::{
    element::{Elements, Sealed, with_type},
    math::{Math, complex, complex_inverse},
};
use multiversion::multiversion;
use num_complex::{Complex, ComplexFloat};
use serde::{Deserialize, Serialize};

/// An operation on one array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Unary {
    Negative,
    Absolute,
    Sign,
    Square,
    Reciprocal,
    SquareRoot,
    CubeRoot,
    Exp,
    Exp2,
    ExpMinus1,
    Log,
    Log2,
    Log10,
    Log1Plus,
    Sin,
    Cos,
    Tan,
    ArcSin,
    ArcCos,
    ArcTan,
    Sinh,
    Cosh,
    Tanh,
    ArcSinh,
    ArcCosh,
    ArcTanh,
    Floor,
    Ceil,
    Round,
    Truncate,
    IsNan,
    IsInfinite,
    IsFinite,
    Not,
    Real,
    Imaginary,
    Conjugate,
    IsSignNegative,
    /// The fraction of a number that is this times a power of two: from 1/2 to below 1, or zero.
    Fraction,
    /// The exponent of that power.
    Exponent,
    BesselI0,
}

/// An operation on two arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    Minimum,
    Maximum,
    FMinimum,
    FMaximum,
    Hypot,
    ArcTan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
    /// What a quotient that is rounded towards zero leaves.
    TruncatedRemainder,
    CopySign,
    NextAfter,
    /// Times two to the power of the other one.
    Scale,
}

impl Unary {
    /// The method that makes it, or NumPy's name.
    pub(crate) fn name(self) -> String {
        let name = match self {
            Self::SquareRoot => "sqrt",
            Self::CubeRoot => "cbrt",
            Self::Reciprocal => "recip",
            Self::ExpMinus1 => "exp_m1",
            Self::Log => "ln",
            Self::Log1Plus => "ln_1p",
            Self::Truncate => "trunc",
            Self::Imaginary => "imag",
            Self::Conjugate => "conj",
            Self::IsSignNegative => "is_sign_negative",
            Self::Fraction | Self::Exponent => "frexp",
            Self::BesselI0 => "i0",
            _ => return format!("{self:?}").to_lowercase(),
        };
        name.into()
    }
}

impl Binary {
    /// The method that makes it, or NumPy's name.
    pub(crate) fn name(self) -> String {
        let name = match self {
            Self::FloorDivide => "floor_divide",
            Self::Power => "pow",
            Self::ArcTan2 => "atan2",
            Self::NotEqual => "not_equal",
            Self::LessEqual => "less_equal",
            Self::GreaterEqual => "greater_equal",
            Self::ShiftLeft => "shift_left",
            Self::ShiftRight => "shift_right",
            Self::TruncatedRemainder => "fmod",
            Self::NextAfter => "next_after",
            Self::Scale => "ldexp",
            _ => return format!("{self:?}").to_lowercase(),
        };
        name.into()
    }
}

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn each<A: Copy, R>(input: &[A], output: &mut [R], operation: impl Fn(A) -> R) {
    for (output, input) in output.iter_mut().zip(input) {
        *output = operation(*input);
    }
}

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn pairs<A: Copy, R>(left: &[A], right: &[A], output: &mut [R], operation: impl Fn(A, A) -> R) {
    for ((output, left), right) in output.iter_mut().zip(left).zip(right) {
        *output = operation(*left, *right);
    }
}

/// `output[i] = operator(input[i])`.
///
/// # Panics
///
/// Panics if there is no such operation for the type: the methods of arrays offer none.
pub(crate) fn unary<T: Arithmetic>(operator: Unary, input: &[T], output: &mut Elements) {
    if !T::unary(operator, input, output) {
        unreachable!("{operator:?} of {}", T::DATA_TYPE);
    }
}

/// `output[i] = operator(left[i], right[i])`.
///
/// # Panics
///
/// As [`unary`].
pub(crate) fn binary<T: Arithmetic>(operator: Binary, left: &[T], right: &[T], output: &mut Elements) {
    match operator {
        Binary::Equal => pairs(left, right, bools(output), |a, b| a == b),
        Binary::NotEqual => pairs(left, right, bools(output), |a, b| a != b),
        _ if T::binary(operator, left, right, output) => {}
        _ => unreachable!("{operator:?} of {}", T::DATA_TYPE),
    }
}

/// `output[i] = if condition[i] { yes[i] } else { no[i] }`.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
pub(crate) fn select<T: Copy>(condition: &[bool], yes: &[T], no: &[T], output: &mut [T]) {
    for (((output, condition), yes), no) in output.iter_mut().zip(condition).zip(yes).zip(no) {
        *output = if *condition { *yes } else { *no };
    }
}

fn bools(output: &mut Elements) -> &mut [bool] {
    bool::vector_mut(output)
}

/// The operations of one element type.
pub(crate) trait Arithmetic: crate::array::Element {
    /// Returns whether there is such an operation.
    fn unary(operator: Unary, input: &[Self], output: &mut Elements) -> bool;
    /// Returns whether there is such an operation.
    fn binary(operator: Binary, left: &[Self], right: &[Self], output: &mut Elements) -> bool;
}

fn order<T: Copy + PartialOrd>(operator: Binary, left: &[T], right: &[T], output: &mut Elements) -> bool {
    match operator {
        Binary::Less => pairs(left, right, bools(output), |a, b| a < b),
        Binary::LessEqual => pairs(left, right, bools(output), |a, b| a <= b),
        Binary::Greater => pairs(left, right, bools(output), |a, b| a > b),
        Binary::GreaterEqual => pairs(left, right, bools(output), |a, b| a >= b),
        _ => return false,
    }
    true
}

impl Arithmetic for bool {
    fn unary(operator: Unary, input: &[Self], output: &mut Elements) -> bool {
        match operator {
            Unary::Not => each(input, bools(output), |a| !a),
            Unary::Absolute | Unary::Conjugate | Unary::Real => bools(output).copy_from_slice(input),
            _ => return false,
        }
        true
    }
    fn binary(operator: Binary, left: &[Self], right: &[Self], output: &mut Elements) -> bool {
        match operator {
            Binary::And | Binary::Multiply | Binary::Minimum | Binary::FMinimum => {
                pairs(left, right, bools(output), |a, b| a & b);
            }
            Binary::Or | Binary::Add | Binary::Maximum | Binary::FMaximum => {
                pairs(left, right, bools(output), |a, b| a | b);
            }
            Binary::Xor => pairs(left, right, bools(output), |a, b| a ^ b),
            _ => return order(operator, left, right, output),
        }
        true
    }
}

/// An integer to the power of one that a `u32` does not hold: 0 where the exponent is negative.
macro_rules! large_power {
    ($base:expr, $exponent:expr) => {
        u64::try_from($exponent).map_or(0, |exponent| {
            let (mut product, mut factor, mut left) = (1, $base, exponent);
            while left != 0 {
                if left & 1 == 1 {
                    product = factor.wrapping_mul(product);
                }
                factor = factor.wrapping_mul(factor);
                left >>= 1;
            }
            product
        })
    };
}

macro_rules! integers {
    ($($T:ty, $negative:expr, $absolute:expr, $sign:expr, $floor_divide:expr, $remainder:expr;)*) => { $(
        impl Arithmetic for $T {
            fn unary(operator: Unary, input: &[Self], output: &mut Elements) -> bool {
                if let Unary::IsNan | Unary::IsInfinite | Unary::IsFinite = operator {
                    bools(output).fill(operator == Unary::IsFinite);
                    return true;
                }
                let output = Self::vector_mut(output).as_mut_slice();
                match operator {
                    Unary::Negative => each(input, output, $negative),
                    Unary::Absolute => each(input, output, $absolute),
                    Unary::Sign => each(input, output, $sign),
                    Unary::Square => each(input, output, |a: $T| a.wrapping_mul(a)),
                    Unary::Not => each(input, output, |a: $T| !a),
                    Unary::Floor | Unary::Ceil | Unary::Round | Unary::Truncate | Unary::Conjugate | Unary::Real => {
                        output.copy_from_slice(input);
                    }
                    _ => return false,
                }
                true
            }
            fn binary(operator: Binary, left: &[Self], right: &[Self], output: &mut Elements) -> bool {
                if order(operator, left, right, output) {
                    return true;
                }
                let output = Self::vector_mut(output).as_mut_slice();
                match operator {
                    Binary::Add => pairs(left, right, output, |a: $T, b| a.wrapping_add(b)),
                    Binary::Subtract => pairs(left, right, output, |a: $T, b| a.wrapping_sub(b)),
                    Binary::Multiply => pairs(left, right, output, |a: $T, b| a.wrapping_mul(b)),
                    Binary::FloorDivide => pairs(left, right, output, $floor_divide),
                    Binary::Remainder => pairs(left, right, output, $remainder),
                    Binary::Power => pairs(left, right, output, |a: $T, b| match u32::try_from(b) {
                        Ok(exponent) => a.wrapping_pow(exponent),
                        Err(_) => large_power!(a, b),
                    }),
                    Binary::Minimum | Binary::FMinimum => pairs(left, right, output, |a: $T, b| a.min(b)),
                    Binary::Maximum | Binary::FMaximum => pairs(left, right, output, |a: $T, b| a.max(b)),
                    Binary::And => pairs(left, right, output, |a: $T, b| a & b),
                    Binary::Or => pairs(left, right, output, |a: $T, b| a | b),
                    Binary::Xor => pairs(left, right, output, |a: $T, b| a ^ b),
                    // No bit is left of those that are moved further than a number is wide, or by less than no places.
                    Binary::ShiftLeft => pairs(left, right, output, |a: $T, b| {
                        u32::try_from(b).ok().and_then(|places| a.checked_shl(places)).unwrap_or(0)
                    }),
                    Binary::ShiftRight => pairs(left, right, output, |a: $T, b| {
                        let places = u32::try_from(b).unwrap_or(<$T>::BITS).min(<$T>::BITS);
                        a >> (places / 2) >> (places - places / 2).min(<$T>::BITS - 1)
                    }),
                    Binary::TruncatedRemainder => {
                        pairs(left, right, output, |a: $T, b| if b == 0 { 0 } else { a.wrapping_rem(b) });
                    }
                    _ => return false,
                }
                true
            }
        }
    )* };
}

macro_rules! unsigned {
    ($($T:ty),*) => { integers! { $(
        $T, |a: $T| a.wrapping_neg(), |a: $T| a, |a: $T| <$T>::from(a > 0),
        |a: $T, b: $T| a.checked_div(b).unwrap_or(0), |a: $T, b: $T| a.checked_rem(b).unwrap_or(0);
    )* } };
}

macro_rules! signed {
    ($($T:ty),*) => { integers! { $(
        $T, |a: $T| a.wrapping_neg(), |a: $T| a.wrapping_abs(), |a: $T| a.signum(),
        |a: $T, b: $T| {
            if b == 0 {
                return 0;
            }
            let quotient = a.wrapping_div(b);
            if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
        },
        |a: $T, b: $T| {
            if b == 0 {
                return 0;
            }
            let remainder = a.wrapping_rem(b);
            if remainder != 0 && (remainder < 0) != (b < 0) { remainder + b } else { remainder }
        };
    )* } };
}

unsigned!(u8, u16, u32, u64);
signed!(i8, i16, i32, i64);

/// As Python's `divmod` of floats, which is NumPy's.
macro_rules! floor_divide_and_remainder {
    ($a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        let mut remainder = a % b;
        let mut quotient = (a - remainder) / b;
        if b == 0.0 {
            (a / b, remainder)
        } else {
            if remainder != 0.0 {
                if (b < 0.0) != (remainder < 0.0) {
                    remainder += b;
                    quotient -= 1.0;
                }
            } else {
                remainder = remainder.copysign(b);
            }
            let floor = quotient.floor();
            let floor = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
            (if quotient == 0.0 { (a / b) * 0.0 } else { floor }, remainder)
        }
    }};
}
macro_rules! floats {
    ($($T:ty),*) => { $(
        impl Arithmetic for $T {
            fn unary(operator: Unary, input: &[Self], output: &mut Elements) -> bool {
                match operator {
                    Unary::IsNan => each(input, bools(output), |a: $T| a.is_nan()),
                    Unary::IsInfinite => each(input, bools(output), |a: $T| a.is_infinite()),
                    Unary::IsFinite => each(input, bools(output), |a: $T| a.is_finite()),
                    Unary::IsSignNegative => each(input, bools(output), |a: $T| a.is_sign_negative()),
                    Unary::Exponent => each(input, i32::vector_mut(output), |a: $T| libm::frexp(a.into()).1),
                    _ => return unary_float(operator, input, Self::vector_mut(output)),
                }
                return true;

                fn unary_float(operator: Unary, input: &[$T], output: &mut [$T]) -> bool {
                    match operator {
                        Unary::Negative => each(input, output, |a| -a),
                        Unary::Absolute => each(input, output, |a: $T| a.abs()),
                        Unary::Sign => each(input, output, |a: $T| {
                            if a.is_nan() { a } else { <$T>::from(i8::from(a > 0.0) - i8::from(a < 0.0)) }
                        }),
                        Unary::Square => each(input, output, |a| a * a),
                        Unary::Reciprocal => each(input, output, |a| 1.0 / a),
                        Unary::SquareRoot => Math::sqrt(input, output),
                        Unary::CubeRoot => Math::cbrt(input, output),
                        Unary::Exp => Math::exp(input, output),
                        Unary::Exp2 => Math::exp2(input, output),
                        Unary::ExpMinus1 => Math::exp_m1(input, output),
                        Unary::Log => Math::ln(input, output),
                        Unary::Log2 => Math::log2(input, output),
                        Unary::Log10 => Math::log10(input, output),
                        Unary::Log1Plus => Math::ln_1p(input, output),
                        Unary::Sin => Math::sin(input, output),
                        Unary::Cos => Math::cos(input, output),
                        Unary::Tan => Math::tan(input, output),
                        Unary::ArcSin => Math::asin(input, output),
                        Unary::ArcCos => Math::acos(input, output),
                        Unary::ArcTan => Math::atan(input, output),
                        Unary::Sinh => Math::sinh(input, output),
                        Unary::Cosh => Math::cosh(input, output),
                        Unary::Tanh => Math::tanh(input, output),
                        Unary::ArcSinh => Math::asinh(input, output),
                        Unary::ArcCosh => Math::acosh(input, output),
                        Unary::ArcTanh => Math::atanh(input, output),
                        Unary::Floor => each(input, output, |a: $T| a.floor()),
                        Unary::Ceil => each(input, output, |a: $T| a.ceil()),
                        Unary::Round => each(input, output, |a: $T| a.round_ties_even()),
                        Unary::Truncate => each(input, output, |a: $T| a.trunc()),
                        Unary::Real | Unary::Conjugate => output.copy_from_slice(input),
                        Unary::Imaginary => output.fill(0.0),
                        Unary::Fraction => each(input, output, |a: $T| libm::frexp(a.into()).0 as $T),
                        Unary::BesselI0 => Math::i0(input, output),
                        _ => return false,
                    }
                    true
                }
            }
            fn binary(operator: Binary, left: &[Self], right: &[Self], output: &mut Elements) -> bool {
                if order(operator, left, right, output) {
                    return true;
                }
                let output = Self::vector_mut(output).as_mut_slice();
                match operator {
                    Binary::Add => pairs(left, right, output, |a: $T, b| a + b),
                    Binary::Subtract => pairs(left, right, output, |a: $T, b| a - b),
                    Binary::Multiply => pairs(left, right, output, |a: $T, b| a * b),
                    Binary::Divide => pairs(left, right, output, |a: $T, b| a / b),
                    Binary::FloorDivide => pairs(left, right, output, |a: $T, b| floor_divide_and_remainder!(a, b).0),
                    Binary::Remainder => pairs(left, right, output, |a: $T, b| floor_divide_and_remainder!(a, b).1),
                    Binary::Power => Math::pow(left, right, output),
                    Binary::Hypot => Math::hypot(left, right, output),
                    Binary::ArcTan2 => Math::atan2(left, right, output),
                    Binary::Minimum => pairs(left, right, output, |a: $T, b| if a < b || a.is_nan() { a } else { b }),
                    Binary::Maximum => pairs(left, right, output, |a: $T, b| if a > b || a.is_nan() { a } else { b }),
                    Binary::FMinimum => pairs(left, right, output, |a: $T, b| if a <= b || b.is_nan() { a } else { b }),
                    Binary::FMaximum => pairs(left, right, output, |a: $T, b| if a >= b || b.is_nan() { a } else { b }),
                    Binary::TruncatedRemainder => pairs(left, right, output, |a: $T, b| a % b),
                    Binary::CopySign => pairs(left, right, output, |a: $T, b| a.copysign(b)),
                    Binary::NextAfter => pairs(left, right, output, |a: $T, b| {
                        if a.is_nan() || b.is_nan() {
                            a + b
                        } else if a == b {
                            b
                        } else if a < b {
                            a.next_up()
                        } else {
                            a.next_down()
                        }
                    }),
                    // Once rounded: a scaled `f32` is exact in 64 bits, unless its exponent is far out of range.
                    Binary::Scale => pairs(left, right, output, |a: $T, b| libm::scalbn(a.into(), b as i32) as $T),
                    _ => return false,
                }
                true
            }
        }
    )* };
}

floats!(f32, f64);

macro_rules! complex {
    ($($T:ty, $divide:path);*) => { $(
        impl Arithmetic for Complex<$T> {
            fn unary(operator: Unary, input: &[Self], output: &mut Elements) -> bool {
                match operator {
                    Unary::IsNan => each(input, bools(output), |a: Self| a.is_nan()),
                    // As NumPy and C: whatever the other part is. The method of `Complex` wants that to be no NaN.
                    Unary::IsInfinite => each(input, bools(output), |a: Self| a.re.is_infinite() || a.im.is_infinite()),
                    Unary::IsFinite => each(input, bools(output), |a: Self| a.is_finite()),
                    Unary::Absolute => each(input, <$T>::vector_mut(output), |a: Self| complex::abs(widen(a)) as $T),
                    Unary::Real => each(input, <$T>::vector_mut(output), |a: Self| a.re),
                    Unary::Imaginary => each(input, <$T>::vector_mut(output), |a: Self| a.im),
                    _ => return unary_complex(operator, input, Self::vector_mut(output)),
                }
                return true;

                fn unary_complex(operator: Unary, input: &[Complex<$T>], output: &mut [Complex<$T>]) -> bool {
                    match operator {
                        Unary::Negative => each(input, output, |a| -a),
                        Unary::Square => each(input, output, |a| a * a),
                        Unary::Conjugate => each(input, output, |a: Complex<$T>| a.conj()),
                        _ => {
                            let Some(function) = complex_function(operator) else { return false };
                            each(input, output, |a: Complex<$T>| {
                                let Complex { re, im } = function(widen(a));
                                Complex::new(re as $T, im as $T)
                            });
                        }
                    }
                    true
                }
            }
            fn binary(operator: Binary, left: &[Self], right: &[Self], output: &mut Elements) -> bool {
                let output = Self::vector_mut(output).as_mut_slice();
                match operator {
                    Binary::Add => pairs(left, right, output, |a: Self, b| a + b),
                    Binary::Subtract => pairs(left, right, output, |a: Self, b| a - b),
                    Binary::Multiply => pairs(left, right, output, |a: Self, b| a * b),
                    Binary::Divide => pairs(left, right, output, $divide),
                    Binary::Power => pairs(left, right, output, |a: Self, b| {
                        let Complex { re, im } = complex::pow(widen(a), widen(b));
                        Complex::new(re as $T, im as $T)
                    }),
                    _ => return false,
                }
                true
            }
        }
    )* };
}

complex!(f32, complex::divide_narrow; f64, complex::divide);

#[inline(always)]
fn widen<T: Into<f64>>(number: Complex<T>) -> Complex<f64> {
    Complex::new(number.re.into(), number.im.into())
}

/// The function of one complex number that an operation applies.
fn complex_function(operator: Unary) -> Option<fn(Complex<f64>) -> Complex<f64>> {
    Some(match operator {
        Unary::Reciprocal => complex::recip,
        Unary::SquareRoot => complex::sqrt,
        Unary::Exp => complex::exp,
        Unary::Log => complex::ln,
        Unary::Sin => complex::sin,
        Unary::Cos => complex::cos,
        Unary::Tan => complex::tan,
        Unary::ArcSin => complex_inverse::asin,
        Unary::ArcCos => complex_inverse::acos,
        Unary::ArcTan => complex_inverse::atan,
        Unary::Sinh => complex::sinh,
        Unary::Cosh => complex::cosh,
        Unary::Tanh => complex::tanh,
        Unary::ArcSinh => complex_inverse::asinh,
        Unary::ArcCosh => complex_inverse::acosh,
        Unary::ArcTanh => complex_inverse::atanh,
        _ => return None,
    })
}

/// `output[i] = input[i]` as another type: floats to integers are cut off and saturate, any number
/// but zero is `true`, and an imaginary part is dropped.
pub(crate) fn cast<T: Cast>(input: &[T], output: &mut Elements) {
    with_type!(output.data_type(), U => each(input, U::vector_mut(output), |value: T| U::of_wide(value.wide())));
}

/// A number on its way from one type to another: no type holds more than these.
#[derive(Clone, Copy)]
pub(crate) enum Wide {
    Signed(i64),
    Unsigned(u64),
    Real(f64),
    Complex(f64, f64),
}

/// The way of a type to the others.
pub(crate) trait Cast: Copy {
    fn wide(self) -> Wide;
    fn of_wide(wide: Wide) -> Self;
}

macro_rules! casts {
    ($($Kind:ident $wide:ty: $($T:ty),*;)*) => { $($(
        impl Cast for $T {
            #[inline(always)]
            fn wide(self) -> Wide {
                Wide::$Kind(self as $wide)
            }
            #[inline(always)]
            fn of_wide(wide: Wide) -> Self {
                match wide {
                    Wide::Signed(value) => value as $T,
                    Wide::Unsigned(value) => value as $T,
                    Wide::Real(value) | Wide::Complex(value, _) => value as $T,
                }
            }
        }
    )*)* };
}

casts! {
    Signed i64: i8, i16, i32, i64;
    Unsigned u64: u8, u16, u32, u64;
    Real f64: f32, f64;
}

impl Cast for bool {
    #[inline(always)]
    fn wide(self) -> Wide {
        Wide::Unsigned(self.into())
    }
    #[inline(always)]
    fn of_wide(wide: Wide) -> Self {
        match wide {
            Wide::Signed(value) => value != 0,
            Wide::Unsigned(value) => value != 0,
            Wide::Real(value) => value != 0.0,
            Wide::Complex(real, imaginary) => real != 0.0 || imaginary != 0.0,
        }
    }
}

macro_rules! complex_casts {
    ($($T:ty),*) => { $(
        impl Cast for Complex<$T> {
            #[inline(always)]
            fn wide(self) -> Wide {
                Wide::Complex(self.re.into(), self.im.into())
            }
            #[inline(always)]
            fn of_wide(wide: Wide) -> Self {
                match wide {
                    Wide::Signed(value) => Self::new(value as $T, 0.0),
                    Wide::Unsigned(value) => Self::new(value as $T, 0.0),
                    Wide::Real(value) => Self::new(value as $T, 0.0),
                    Wide::Complex(real, imaginary) => Self::new(real as $T, imaginary as $T),
                }
            }
        }
    )* };
}

complex_casts!(f32, f64);

/// A constant as another type.
pub(crate) fn convert<T: Cast>(scalar: crate::array::element::Scalar) -> T {
    use crate::array::element::Scalar;
    T::of_wide(match scalar {
        Scalar::Bool(value) => value.wide(),
        Scalar::U8(value) => value.wide(),
        Scalar::U16(value) => value.wide(),
        Scalar::U32(value) => value.wide(),
        Scalar::U64(value) => value.wide(),
        Scalar::I8(value) => value.wide(),
        Scalar::I16(value) => value.wide(),
        Scalar::I32(value) => value.wide(),
        Scalar::I64(value) => value.wide(),
        Scalar::F16(value) => value.wide(),
        Scalar::F32(value) => value.wide(),
        Scalar::F64(value) => value.wide(),
        Scalar::Complex32(value) => value.wide(),
        Scalar::Complex64(value) => value.wide(),
    })
}

/// A real number as another type.
pub(crate) fn wide<T: crate::array::Element>(value: f64) -> T {
    with_type!(T::DATA_TYPE, U => T::of_scalar(U::of_wide(Wide::Real(value)).scalar()))
}

/// A real number in 64 bits.
pub(crate) fn real_of<T: crate::array::Element>(value: T) -> f64 {
    convert(value.scalar())
}
