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

mod bits;
mod exponential;
mod inverse;
mod logarithm;
mod power;
mod trigonometric;

/// For one number; inlined into the loops of random numbers.
pub(super) use logarithm::ln;
pub(super) use trigonometric::sin_cos_turns;

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

/// How many elements are computed together: a slice's last ones are padded to so many.
const LANES: usize = 32;

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn map<T: Float, F: Fn(f64) -> f64>(input: &[T], output: &mut [T], function: F) {
    assert_eq!(input.len(), output.len(), "input and output have one length");
    for (x, y) in input.iter().zip(output) {
        *y = T::narrow(function(x.widen()));
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn map_pairs<T: Float, F: Fn(f64, f64) -> f64>(a: &[T], b: &[T], output: &mut [T], function: F) {
    assert_eq!((a.len(), b.len()), (output.len(), output.len()), "inputs and output have one length");
    for ((a, b), y) in a.iter().zip(b).zip(output) {
        *y = T::narrow(function(a.widen(), b.widen()));
    }
}

/// [`map`] for a function of angles, which is right up to [`trigonometric::LARGEST`]; `slow` does the others.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn map_angles<T: Float, F: Fn(f64) -> f64>(
    input: &[T],
    output: &mut [T],
    function: F,
    slow: fn(f64) -> f64,
) {
    assert_eq!(input.len(), output.len(), "input and output have one length");
    let mut large = false;
    for (x, y) in input.iter().zip(&mut *output) {
        let x = x.widen();
        *y = T::narrow(function(x));
        large |= x.abs() > trigonometric::LARGEST;
    }
    if large {
        for (x, y) in input.iter().zip(output) {
            let x = x.widen();
            if x.abs() > trigonometric::LARGEST {
                *y = T::narrow(slow(x));
            }
        }
    }
}

macro_rules! math {
    ($($type:ty)*) => { $(impl Math for $type {
        math!(map:
            exp exponential::exp, exp2 exponential::exp2, exp_m1 exponential::exp_m1,
            ln logarithm::ln, ln_1p logarithm::ln_1p, log2 logarithm::log2, log10 logarithm::log10,
            asin inverse::asin, acos inverse::acos, atan inverse::atan,
            sinh exponential::sinh, cosh exponential::cosh, tanh exponential::tanh,
            asinh logarithm::asinh, acosh logarithm::acosh, atanh logarithm::atanh,
            sqrt f64::sqrt, cbrt power::cbrt);
        math!(map_angles:
            sin trigonometric::sin, libm::sin,
            cos trigonometric::cos, libm::cos,
            tan trigonometric::tan, libm::tan);
        math!(map_pairs: pow power::pow, hypot power::hypot, atan2 inverse::atan2);

        fn pow_scalar(base: &[Self], exponent: Self, output: &mut [Self]) {
            let exponent = exponent.widen();
            map(base, output, |base| power::pow(base, exponent));
        }
    })* };
    (map: $($name:ident $function:path),*) => { $(
        fn $name(input: &[Self], output: &mut [Self]) {
            map(input, output, $function);
        }
    )* };
    (map_angles: $($name:ident $function:path, $slow:path),*) => { $(
        fn $name(input: &[Self], output: &mut [Self]) {
            map_angles(input, output, $function, $slow);
        }
    )* };
    (map_pairs: $($name:ident $function:path),*) => { $(
        fn $name(a: &[Self], b: &[Self], output: &mut [Self]) {
            map_pairs(a, b, output, $function);
        }
    )* };
}
math!(f32 f64);
