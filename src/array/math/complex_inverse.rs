//! The inverse functions of complex angles and hyperbolic ones.
//!
//! Hull, Fairgrieve and Tang, *Implementing the complex arcsine and arccosine functions using exception
//! handling*, 1997, with the limits of FreeBSD's `catrig.c`.

use super::complex::{ln_abs, real_part_of_reciprocal};
use super::{
    inverse::{acos as real_acos, asin as real_asin, atan as real_atan, atan2},
    logarithm::{atanh as real_atanh, ln as real_ln, ln_1p},
    power::hypot,
};
use num_complex::Complex;
use std::f64::consts::{FRAC_PI_2, LN_2};

type C = Complex<f64>;

const EPSILON: f64 = f64::EPSILON;
const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
/// What pi / 2 has beyond 53 bits.
const HALF_PI_REST: f64 = 6.123_233_995_736_766e-17;

/// `(hypot(a, b) - b) / 2`, without cancellation.
fn half_difference(a: f64, b: f64, hypot: f64) -> f64 {
    if b < 0.0 {
        (hypot - b) / 2.0
    } else if b == 0.0 {
        a / 2.0
    } else {
        a * a / (hypot + b) / 2.0
    }
}

/// What the inverse sines and cosines are made of, for positive `x` and `y`.
struct Parts {
    /// The real part of the inverse hyperbolic sine.
    real: f64,
    /// Sine, if that is not near 1, of the angle that is the imaginary part.
    sine: Option<f64>,
    /// The tangent of that angle is `opposite / adjacent`.
    adjacent: f64,
    opposite: f64,
}

impl Parts {
    /// Of `x + iy`, both at most `1 / EPSILON`.
    fn new(x: f64, y: f64) -> Self {
        let (upper, lower) = (hypot(x, y + 1.0), hypot(x, y - 1.0));
        let a = (0.5 * (upper + lower)).max(1.0);
        let mut parts =
            Self { real: Self::real(x, y, a, upper, lower), sine: None, adjacent: 0.0, opposite: y };
        if y < 4.0 * f64::MIN_POSITIVE.sqrt() {
            // Its quotient by `a` might be subnormal.
            (parts.adjacent, parts.opposite) = (a * (2.0 / EPSILON), y * (2.0 / EPSILON));
            return parts;
        }
        let sine = y / a;
        if sine <= 0.6417 {
            parts.sine = Some(sine);
            return parts;
        }
        if y == 1.0 && x < EPSILON / 128.0 {
            parts.adjacent = x.sqrt() * (0.5 * (a + y)).sqrt();
        } else if x >= EPSILON * (y - 1.0).abs() {
            let less = half_difference(x, y + 1.0, upper) + half_difference(x, y - 1.0, lower);
            parts.adjacent = (less * (a + y)).sqrt();
        } else if y > 1.0 {
            const SCALE: f64 = 4.0 / EPSILON / EPSILON;
            parts.adjacent = x * SCALE * y / ((y + 1.0) * (y - 1.0)).sqrt();
            parts.opposite = y * SCALE;
        } else {
            parts.adjacent = ((1.0 - y) * (1.0 + y)).sqrt();
        }
        parts
    }

    /// The inverse hyperbolic cosine of `a`.
    fn real(x: f64, y: f64, a: f64, upper: f64, lower: f64) -> f64 {
        if a >= 10.0 {
            real_ln(a + (a * a - 1.0).sqrt())
        } else if y == 1.0 && x < EPSILON * EPSILON / 128.0 {
            x.sqrt()
        } else if x >= EPSILON * (y - 1.0).abs() {
            let less = half_difference(x, 1.0 + y, upper) + half_difference(x, 1.0 - y, lower);
            ln_1p(less + (less * (a + 1.0)).sqrt())
        } else if y < 1.0 {
            x / ((1.0 - y) * (1.0 + y)).sqrt()
        } else {
            ln_1p((y - 1.0) + ((y - 1.0) * (y + 1.0)).sqrt())
        }
    }
}

/// Whether the function is a logarithm to all digits.
fn is_large(z: C) -> bool {
    z.re.abs() > 1.0 / EPSILON || z.im.abs() > 1.0 / EPSILON
}

/// Whether the function is its argument to all digits.
fn is_small(z: C) -> bool {
    let limit = 6e-9;
    z.re.abs() < limit && z.im.abs() < limit
}

pub(crate) fn asinh(z: C) -> C {
    let (x, y) = (z.re, z.im);
    if x.is_nan() || y.is_nan() {
        return if x.is_infinite() {
            C::new(x, NAN)
        } else if y.is_infinite() {
            C::new(y, NAN)
        } else {
            C::new(NAN, if y == 0.0 { y } else { NAN })
        };
    }
    if is_large(z) {
        return C::new((ln_abs(x, y) + LN_2).copysign(x), atan2(y.abs(), x.abs()).copysign(y));
    }
    if is_small(z) {
        return z;
    }
    let parts = Parts::new(x.abs(), y.abs());
    let angle = match parts.sine {
        Some(sine) => real_asin(sine),
        None => atan2(parts.opposite, parts.adjacent),
    };
    C::new(parts.real.copysign(x), angle.copysign(y))
}

fn swapped(z: C) -> C {
    C::new(z.im, z.re)
}

pub(crate) fn asin(z: C) -> C {
    swapped(asinh(swapped(z)))
}

pub(crate) fn acos(z: C) -> C {
    let (x, y) = (z.re, z.im);
    if x.is_nan() || y.is_nan() {
        return if x.is_infinite() {
            C::new(NAN, -INF)
        } else if y.is_infinite() {
            C::new(NAN, -y)
        } else {
            C::new(if x == 0.0 { FRAC_PI_2 } else { NAN }, NAN)
        };
    }
    if is_large(z) {
        return C::new(atan2(y, x).abs(), -(ln_abs(x, y) + LN_2).copysign(y));
    }
    if x == 1.0 && y == 0.0 {
        return C::new(0.0, -y);
    }
    if is_small(z) {
        return C::new(FRAC_PI_2 - (x - HALF_PI_REST), -y);
    }
    let parts = Parts::new(y.abs(), x.abs());
    let angle = match parts.sine {
        Some(sine) => real_acos(sine.copysign(x)),
        None => atan2(parts.adjacent, parts.opposite.copysign(x)),
    };
    C::new(angle, -parts.real.copysign(y))
}

pub(crate) fn acosh(z: C) -> C {
    let Complex { re, im } = acos(z);
    match (re.is_nan(), im.is_nan()) {
        (_, true) => C::new(NAN, re),
        (true, false) => C::new(im.abs(), NAN),
        _ => C::new(im.abs(), re.copysign(z.im)),
    }
}

pub(crate) fn atanh(z: C) -> C {
    let (x, y) = (z.re, z.im);
    let (a, b) = (x.abs(), y.abs());
    if b == 0.0 && a <= 1.0 {
        return C::new(real_atanh(x), y);
    }
    if a == 0.0 {
        return C::new(x, real_atan(y));
    }
    if x.is_nan() || y.is_nan() {
        return if x.is_infinite() {
            C::new(0.0_f64.copysign(x), NAN)
        } else if y.is_infinite() {
            C::new(0.0_f64.copysign(x), FRAC_PI_2.copysign(y))
        } else {
            C::new(NAN, NAN)
        };
    }
    if is_large(z) {
        return C::new(real_part_of_reciprocal(x, y).copysign(x), FRAC_PI_2.copysign(y));
    }
    if is_small(z) {
        return z;
    }
    let real = match a == 1.0 && b < EPSILON {
        true => 0.5 * (LN_2 - real_ln(b)),
        false => {
            let b_square = if b < f64::MIN_POSITIVE.sqrt() { 0.0 } else { b * b };
            0.25 * ln_1p(4.0 * a / ((a - 1.0) * (a - 1.0) + b_square))
        }
    };
    let adjacent = match () {
        () if a == 1.0 => return C::new(real.copysign(x), (0.5 * atan2(2.0, -b)).copysign(y)),
        () if b < EPSILON => (1.0 - a) * (1.0 + a),
        () => (1.0 - a) * (1.0 + a) - b * b,
    };
    C::new(real.copysign(x), (0.5 * atan2(2.0 * b, adjacent)).copysign(y))
}

pub(crate) fn atan(z: C) -> C {
    swapped(atanh(swapped(z)))
}
