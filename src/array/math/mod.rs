//! Elementwise functions over slices of `f32` and `f64`.
//!
//! Each function is written once, for one `f64` and without branches; [`map`] runs it over a slice, and the
//! compiler makes vector code of that for every kind of processor. `f32` is computed in `f64` and rounded once.
//!
//! Only `+`, `-`, `*`, `/`, `sqrt` and integer operations are used, never a fused multiply-add: every one of
//! them is rounded as IEEE 754 says. So an element's result depends on the element alone: not on the slice
//! around it, not on its place there, and not on the processor.
//!
//! Results are within 1 ulp (`f32`) or 2 ulp (`f64`) of the exact value rounded.

pub(super) mod lane;

use multiversion::multiversion;

/// The functions an array can apply to its elements.
///
/// Input and output are as long as each other; they panic otherwise.
pub(crate) trait Math: Sized {
    fn exp(input: &[Self], output: &mut [Self]);
    fn exp2(input: &[Self], output: &mut [Self]);
    fn exp_m1(input: &[Self], output: &mut [Self]);
    fn ln(input: &[Self], output: &mut [Self]);
    fn ln_1p(input: &[Self], output: &mut [Self]);
    fn log2(input: &[Self], output: &mut [Self]);
    fn log10(input: &[Self], output: &mut [Self]);
    fn sin(input: &[Self], output: &mut [Self]);
    fn cos(input: &[Self], output: &mut [Self]);
    fn tan(input: &[Self], output: &mut [Self]);
    fn asin(input: &[Self], output: &mut [Self]);
    fn acos(input: &[Self], output: &mut [Self]);
    fn atan(input: &[Self], output: &mut [Self]);
    fn sinh(input: &[Self], output: &mut [Self]);
    fn cosh(input: &[Self], output: &mut [Self]);
    fn tanh(input: &[Self], output: &mut [Self]);
    fn asinh(input: &[Self], output: &mut [Self]);
    fn acosh(input: &[Self], output: &mut [Self]);
    fn atanh(input: &[Self], output: &mut [Self]);
    fn sqrt(input: &[Self], output: &mut [Self]);
    fn cbrt(input: &[Self], output: &mut [Self]);
    /// `base` to the power of `exponent`, element by element.
    fn pow(base: &[Self], exponent: &[Self], output: &mut [Self]);
    /// Every element of `base` to the power of one `exponent`.
    fn pow_scalar(base: &[Self], exponent: Self, output: &mut [Self]);
    /// `sqrt(x * x + y * y)` without overflow on the way.
    fn hypot(x: &[Self], y: &[Self], output: &mut [Self]);
    /// The angle of the point `(x, y)`, from -pi to pi.
    fn atan2(y: &[Self], x: &[Self], output: &mut [Self]);
}

/// A number that an `f64` holds.
trait Float: Copy {
    fn widen(self) -> f64;
    fn narrow(wide: f64) -> Self;
}

impl Float for f64 {
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn narrow(wide: f64) -> Self {
        wide
    }
}

impl Float for f32 {
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn narrow(wide: f64) -> Self {
        wide as Self
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn map<T: Float, F: Fn(f64) -> f64>(input: &[T], output: &mut [T], function: F) {
    assert_eq!(input.len(), output.len(), "input and output have one length");
    for (x, y) in input.iter().zip(output) {
        *y = T::narrow(function(x.widen()));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn map_pairs<T: Float, F: Fn(f64, f64) -> f64>(a: &[T], b: &[T], output: &mut [T], function: F) {
    assert_eq!((a.len(), b.len()), (output.len(), output.len()), "inputs and output have one length");
    for ((a, b), y) in a.iter().zip(b).zip(output) {
        *y = T::narrow(function(a.widen(), b.widen()));
    }
}

macro_rules! math {
    ($($type:ty)*) => { $(impl Math for $type {
        math!(unary exp libm::exp, exp2 libm::exp2, exp_m1 libm::expm1,
            ln libm::log, ln_1p libm::log1p, log2 libm::log2, log10 libm::log10,
            sin libm::sin, cos libm::cos, tan libm::tan, asin libm::asin, acos libm::acos, atan libm::atan,
            sinh libm::sinh, cosh libm::cosh, tanh libm::tanh,
            asinh libm::asinh, acosh libm::acosh, atanh libm::atanh,
            sqrt f64::sqrt, cbrt libm::cbrt);
        math!(binary pow libm::pow, hypot libm::hypot, atan2 libm::atan2);

        fn pow_scalar(base: &[Self], exponent: Self, output: &mut [Self]) {
            let exponent = exponent.widen();
            map(base, output, |base| libm::pow(base, exponent));
        }
    })* };
    (unary $($name:ident $function:path),*) => { $(
        fn $name(input: &[Self], output: &mut [Self]) {
            map(input, output, $function);
        }
    )* };
    (binary $($name:ident $function:path),*) => { $(
        fn $name(a: &[Self], b: &[Self], output: &mut [Self]) {
            map_pairs(a, b, output, $function);
        }
    )* };
}
math!(f32 f64);
