//! Elementwise functions over slices of `f32` and `f64`.
//!
//! Each function is written once, for one `f64` and without branches. A loop runs it over a slice; the
//! compiler makes vector code of that, and [`multiversion`] chooses the code for the processor at run time.
//! `f32` is computed in `f64` and rounded once.
//!
//! Only `+`, `-`, `*`, `/`, `sqrt` and integer operations are used, never a fused multiply-add: every one of
//! them is rounded as IEEE 754 says. So an element's result depends on the element alone: not on the slice
//! around it, not on its place there, and not on the processor.
//!
//! Results are within 1 ulp (`f32`) or 2 ulp (`f64`) of the exact value rounded, those of `i0`, as NumPy's, within 8 ulp (`f64`).

mod bessel;
mod bits;
pub(crate) mod complex;
pub(crate) mod complex_inverse;
mod exponential;
mod inverse;
mod logarithm;
mod power;
mod trigonometric;

/// For one number: they become part of the loops over random numbers.
pub(crate) use exponential::exp;
pub(crate) use logarithm::{ln, ln_1p, ln_normal};
pub(crate) use trigonometric::sin_cos_turns;

use multiversion::multiversion;

/// A number that is computed as an `f64`.
pub(crate) trait Float: Copy {
    /// The same number.
    fn widen(self) -> f64;
    /// The nearest number.
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

/// Makes a method of [`Math`] from each function of one or two numbers. The loops name the functions: a large
/// one that is passed as an argument would not be inlined, and not be vectorised.
macro_rules! math {
    ($(
        $(#[$documentation:meta])*
        $name:ident($first:ident $(, $second:ident)?) = $function:path $(, beyond $largest:path: $slow:path)?;
    )*) => {
        mod loops {
            use super::*;

            $(#[multiversion(targets(
                "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl",
                "x86_64+avx2",
                "aarch64+neon"
            ))]
            pub(super) fn $name<T: Float>($first: &[T], $($second: &[T],)? output: &mut [T]) {
                assert_eq!($first.len(), output.len(), "input and output have one length");
                $(assert_eq!($first.len(), $second.len(), "both inputs have one length");)?
                for place in 0..output.len() {
                    let result = $function($first[place].widen() $(, $second[place].widen())?);
                    output[place] = T::narrow(result);
                }
                $(redo_beyond($largest, $first, output, $slow);)?
            })*
        }

        /// The functions that an array applies to its elements.
        ///
        /// Inputs and output have one length; else they panic.
        pub(crate) trait Math: Float {
            $($(#[$documentation])*
            fn $name($first: &[Self], $($second: &[Self],)? output: &mut [Self]) {
                loops::$name($first, $($second,)? output);
            })*

            /// `base` to the power of `exponent`.
            fn pow(base: &[Self], exponent: &[Self], output: &mut [Self]) {
                pow(base, exponent, output);
            }
        }
    };
}

math! {
    exp(x) = exponential::exp;
    exp2(x) = exponential::exp2;
    /// `exp(x) - 1`, also near 0.
    exp_m1(x) = exponential::exp_m1;
    ln(x) = logarithm::ln;
    /// `ln(1 + x)`, also near 0.
    ln_1p(x) = logarithm::ln_1p;
    log2(x) = logarithm::log2;
    log10(x) = logarithm::log10;
    sin(x) = trigonometric::sin, beyond trigonometric::LARGEST: libm::sin;
    cos(x) = trigonometric::cos, beyond trigonometric::LARGEST: libm::cos;
    tan(x) = trigonometric::tan, beyond trigonometric::LARGEST: libm::tan;
    asin(x) = inverse::asin;
    acos(x) = inverse::acos;
    atan(x) = inverse::atan;
    sinh(x) = exponential::sinh;
    cosh(x) = exponential::cosh;
    tanh(x) = exponential::tanh;
    asinh(x) = logarithm::asinh;
    acosh(x) = logarithm::acosh;
    atanh(x) = logarithm::atanh;
    sqrt(x) = f64::sqrt;
    cbrt(x) = power::cbrt;
    /// The modified Bessel function of the first kind of order zero.
    i0(x) = bessel::i0;
    /// `sqrt(x * x + y * y)` without overflow on the way.
    hypot(x, y) = power::hypot;
    /// The angle of the point `(x, y)`, from -pi to pi.
    atan2(y, x) = inverse::atan2;
}

impl<T: Float> Math for T {}

/// Computes the elements again, the slow way, that are beyond the largest one of the fast way.
#[inline(always)]
fn redo_beyond<T: Float>(largest: f64, input: &[T], output: &mut [T], slow: fn(f64) -> f64) {
    let beyond = |x: T| x.widen().abs() > largest;
    if input.iter().fold(false, |any, &x| any | beyond(x)) {
        for (&x, output) in input.iter().zip(output) {
            if beyond(x) {
                *output = T::narrow(slow(x.widen()));
            }
        }
    }
}

/// How many logarithms [`pow`] keeps between its two loops.
const TILE: usize = 256;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn pow<T: Float>(base: &[T], exponent: &[T], output: &mut [T]) {
    assert_eq!(base.len(), output.len(), "input and output have one length");
    assert_eq!(base.len(), exponent.len(), "both inputs have one length");
    let (mut upper, mut lower) = ([0.0; TILE], [0.0; TILE]);
    let inputs = base.chunks(TILE).zip(exponent.chunks(TILE));
    for ((base, exponent), output) in inputs.zip(output.chunks_mut(TILE)) {
        let length = output.len().min(base.len()).min(exponent.len()).min(TILE);
        for place in 0..length {
            (upper[place], lower[place]) = power::log2_parts(base[place].widen().abs());
        }
        for place in 0..length {
            let logarithm = (upper[place], lower[place]);
            output[place] = T::narrow(power::pow(base[place].widen(), exponent[place].widen(), logarithm));
        }
    }
}

#[cfg(test)]
mod tests;
