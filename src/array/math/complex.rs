//! Functions of complex numbers, over the whole range of `f64` and with the special values of C99's Annex G.
//!
//! Each is written for one number of two `f64`, of the functions of this module for real numbers: so the
//! bits are the same on every processor. Numbers of two `f32` are computed in `f64` and rounded once.
//!
//! Both parts of a result are right to a few units in the last place, also where one is far smaller than
//! the other. The exception is [`pow`] with an exponent that is no small integer: the logarithm of the base
//! has an error, and the exponent multiplies it.

use super::{
    bits::{LN_2_LOWER, LN_2_UPPER, power_of_two, sum, upper_half},
    exponential::{self, exp_parts},
    inverse::atan2,
    logarithm::{ln as real_ln, ln_1p},
    power::hypot,
    trigonometric,
};
use num_complex::Complex;

type C = Complex<f64>;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
/// Beyond it `exp(-2x)` is lost beside 1.
const LARGE_EXPONENT: f64 = 22.0;

/// `a * b`, but zero where one is zero, even if the other is infinite or NaN.
fn product(a: f64, b: f64) -> f64 {
    match a == 0.0 || b == 0.0 {
        true => 0.0_f64.copysign(a) * 1.0_f64.copysign(b),
        false => a * b,
    }
}

/// `a * b` and what rounding took from it (Dekker 1971), of numbers whose product is far from the limits.
#[inline(always)]
fn product_exactly(a: f64, b: f64) -> (f64, f64) {
    let (a_upper, b_upper) = (upper_half(a), upper_half(b));
    let (a_lower, b_lower) = (a - a_upper, b - b_upper);
    let product = a * b;
    let error = a_lower * b_lower - (((product - a_upper * b_upper) - a_lower * b_upper) - a_upper * b_lower);
    (product, error)
}

/// `a * b + c * d`, as calculated with twice the digits (Ogita, Rump and Oishi 2005).
#[inline(always)]
fn sum_of_products(a: f64, b: f64, c: f64, d: f64) -> f64 {
    let (first, first_rest) = product_exactly(a, b);
    let (second, second_rest) = product_exactly(c, d);
    let (total, rest) = sum(first, second);
    let rest = rest + (first_rest + second_rest);
    // An error of 0.0 would change the sign of -0.0.
    if rest == 0.0 { total } else { total + rest }
}

/// `x` times 2^n for any n; a result below the normal numbers is rounded once more.
fn scale(mut x: f64, mut n: i64) -> f64 {
    // From -3100 on nothing is left of any number, and from 3100 on all of them are infinite.
    n = n.clamp(-3100, 3100);
    while n > 1000 {
        x *= power_of_two(1000);
        n -= 1000;
    }
    while n < -900 {
        x *= power_of_two(-900);
        n += 900;
    }
    x * power_of_two(n)
}

/// The exponent of two of a number: that of 0 is -1123, that of infinity and NaN is 1024.
#[inline(always)]
fn exponent_of(x: f64) -> i64 {
    let exponent = |x: f64| (x.to_bits() >> 52 & 0x7ff) as i64 - 1023;
    if x.abs() < f64::MIN_POSITIVE { exponent(x * power_of_two(100)) - 100 } else { exponent(x) }
}

/// Sine and cosine of any number.
fn sin_cos(x: f64) -> (f64, f64) {
    match x.abs() <= trigonometric::LARGEST {
        true => trigonometric::sin_cos(x),
        false => libm::sincos(x),
    }
}

/// Quotients of numbers of any size.
///
/// Numerator and denominator are scaled by powers of two (Annex G), and their sums of products are calculated
/// with twice the digits.
#[inline]
pub(crate) fn divide(numerator: C, denominator: C) -> C {
    let (Complex { re: a, im: b }, Complex { re: c, im: d }) = (numerator, denominator);
    let is_finite = a.is_finite() && b.is_finite() && c.is_finite() && d.is_finite();
    if !is_finite || c == 0.0 && d == 0.0 {
        return divide_special(numerator, denominator);
    }
    if d == 0.0 {
        let sign = 1.0_f64.copysign(d);
        return C::new(quotient(a, c, b * sign), quotient(b, c, -a * sign));
    }
    if c == 0.0 {
        let sign = 1.0_f64.copysign(c);
        return C::new(quotient(b, d, a * sign), quotient(-a, d, b * sign));
    }
    if [a, b, c, d].into_iter().all(is_middling) {
        let square = sum_of_products(c, c, d, d);
        return C::new(sum_of_products(a, c, b, d) / square, sum_of_products(b, c, -a, d) / square);
    }
    divide_scaled(numerator, denominator)
}

/// Whether the number is 0 or from 2^-300 to 2^300, whose products have all their digits.
#[inline(always)]
fn is_middling(x: f64) -> bool {
    (x.to_bits() >> 52 & 0x7ff).wrapping_sub(723) < 600 || x == 0.0
}

/// The quotient of finite numbers, the second of which has no part that is 0.
#[cold]
fn divide_scaled(numerator: C, denominator: C) -> C {
    let (Complex { re: a, im: b }, Complex { re: c, im: d }) = (numerator, denominator);
    let [numerator_exponent, denominator_exponent] =
        [a.abs().max(b.abs()), c.abs().max(d.abs())].map(exponent_of);
    // Both are about 2^500, and products have room for what is smaller.
    const MIDDLE: i64 = 500;
    let scaled = |x: f64, exponent: i64| scale(x, MIDDLE - exponent);
    let [a, b] = [a, b].map(|x| scaled(x, numerator_exponent));
    let [c, d] = [c, d].map(|x| scaled(x, denominator_exponent));
    let square = scale(sum_of_products(c, c, d, d), -2 * MIDDLE);
    let exponent = numerator_exponent - denominator_exponent - 2 * MIDDLE;
    let part = |x: f64| scale(x / square, exponent);
    C::new(part(sum_of_products(a, c, b, d)), part(sum_of_products(b, c, -a, d)))
}

/// `a / b`; of a zero `a`, what the sum with `0 * other` is.
fn quotient(a: f64, b: f64, other: f64) -> f64 {
    if a == 0.0 { a / b + 0.0_f64.copysign(other) } else { a / b }
}

/// Annex G.5.1: quotients of infinite ones are infinite, by zero they are infinite, by infinite ones zero.
#[cold]
fn divide_special(numerator: C, denominator: C) -> C {
    let (Complex { re: a, im: b }, Complex { re: c, im: d }) = (numerator, denominator);
    let boxed = |x: f64| if x.is_infinite() { 1.0_f64.copysign(x) } else { 0.0_f64.copysign(x) };
    if c == 0.0 && d == 0.0 {
        let infinity = INF.copysign(c);
        C::new(infinity * a, infinity * b)
    } else if (a.is_infinite() || b.is_infinite()) && c.is_finite() && d.is_finite() {
        let (a, b) = (boxed(a), boxed(b));
        // Scaled, so that neither product is infinite.
        let exponent = exponent_of(c.abs().max(d.abs()));
        let (c, d) = (scale(c, -exponent), scale(d, -exponent));
        C::new(INF * (a * c + b * d), INF * (b * c - a * d))
    } else if (c.is_infinite() || d.is_infinite()) && a.is_finite() && b.is_finite() {
        let (c, d) = (boxed(c), boxed(d));
        let exponent = exponent_of(a.abs().max(b.abs()));
        let (a, b) = (scale(a, -exponent), scale(b, -exponent));
        C::new(0.0 * (a * c + b * d), 0.0 * (b * c - a * d))
    } else {
        C::new(NAN, NAN)
    }
}

/// Quotients of numbers of two `f32`, in `f64`, whose exponents hold all products.
#[inline(always)]
pub(crate) fn divide_narrow(numerator: Complex<f32>, denominator: Complex<f32>) -> Complex<f32> {
    let (a, b) = (f64::from(numerator.re), f64::from(numerator.im));
    let (c, d) = (f64::from(denominator.re), f64::from(denominator.im));
    let square = c * c + d * d;
    let (re, im) = ((a * c + b * d) / square, (b * c - a * d) / square);
    if re.is_nan() || im.is_nan() || square.is_infinite() {
        let quotient = divide(C::new(a, b), C::new(c, d));
        return Complex::new(quotient.re as f32, quotient.im as f32);
    }
    Complex::new(re as f32, im as f32)
}

/// `1 / z`.
pub(crate) fn recip(z: C) -> C {
    let quotient = divide(C::new(1.0, 0.0), z);
    // The zero of the numerator has no sign that matters.
    let part = |part: f64, of: f64| if part == 0.0 { part.copysign(of) } else { part };
    C::new(part(quotient.re, z.re), part(quotient.im, -z.im))
}

/// The real part of `1 / (x + iy)`.
pub(super) fn real_part_of_reciprocal(x: f64, y: f64) -> f64 {
    divide(C::new(1.0, 0.0), C::new(x, y)).re
}

/// `exp(x) * y`, also where the exponential alone is infinite or zero.
fn exp_times(x: f64, y: f64, halvings: i64) -> f64 {
    let (n, factor) = exp_parts(x.clamp(-1600.0, 1600.0));
    let n = n - halvings;
    // What is subnormal is scaled up before it is multiplied, or digits would be lost.
    let first = if n > 0 { n.min(1000) } else { 0 };
    scale(y * power_of_two(first) * factor, n - first)
}

pub(crate) fn exp(z: C) -> C {
    let (x, y) = (z.re, z.im);
    if x.is_infinite() && !y.is_finite() {
        return if x < 0.0 { C::new(0.0, 0.0_f64.copysign(y)) } else { C::new(INF, NAN) };
    }
    if y == 0.0 {
        return C::new(exponential::exp(x), y);
    }
    let (sine, cosine) = sin_cos(y);
    match x.is_infinite() {
        true if x > 0.0 => C::new(INF * cosine, INF * sine),
        true => C::new(0.0 * cosine, 0.0 * sine),
        false => C::new(exp_times(x, cosine, 0), exp_times(x, sine, 0)),
    }
}

pub(crate) fn sinh(z: C) -> C {
    let (x, y) = (z.re, z.im);
    if x.is_infinite() && !y.is_finite() {
        return C::new(x, NAN);
    }
    let (sine, cosine) = sin_cos(y);
    if x.abs() > LARGE_EXPONENT && x.is_finite() {
        let real = exp_times(x.abs(), cosine, 1) * 1.0_f64.copysign(x);
        return C::new(real, exp_times(x.abs(), sine, 1));
    }
    C::new(product(exponential::sinh(x), cosine), product(exponential::cosh(x), sine))
}

pub(crate) fn cosh(z: C) -> C {
    let (x, y) = (z.re, z.im);
    if x.is_infinite() && !y.is_finite() {
        return C::new(INF, NAN);
    }
    let (sine, cosine) = sin_cos(y);
    if x.abs() > LARGE_EXPONENT && x.is_finite() {
        let imaginary = exp_times(x.abs(), sine, 1) * 1.0_f64.copysign(x);
        return C::new(exp_times(x.abs(), cosine, 1), imaginary);
    }
    C::new(product(exponential::cosh(x), cosine), product(exponential::sinh(x), sine))
}

/// `tanh(x + iy) = (sinh x cosh x + i sin y cos y) / (sinh^2 x + cos^2 y)`.
pub(crate) fn tanh(z: C) -> C {
    let (x, y) = (z.re, z.im);
    if x.is_infinite() {
        let (sine, cosine) = if y.is_finite() { sin_cos(y) } else { (y, 1.0) };
        let imaginary = if y.is_nan() { 0.0 } else { 0.0_f64.copysign(sine) * 1.0_f64.copysign(cosine) };
        return C::new(1.0_f64.copysign(x), imaginary);
    }
    if y == 0.0 {
        return C::new(exponential::tanh(x), y);
    }
    if !y.is_finite() {
        return C::new(if x == 0.0 { x } else { NAN }, NAN);
    }
    let (sine, cosine) = sin_cos(y);
    if x.abs() > LARGE_EXPONENT {
        return C::new(1.0_f64.copysign(x), exp_times(-2.0 * x.abs(), 4.0 * sine * cosine, 0));
    }
    let (hyperbolic_sine, hyperbolic_cosine) = (exponential::sinh(x), exponential::cosh(x));
    let under = hyperbolic_sine * hyperbolic_sine + cosine * cosine;
    C::new(hyperbolic_sine * hyperbolic_cosine / under, sine * cosine / under)
}

/// `i z`, of which the functions of angles are hyperbolic ones.
fn turned(z: C) -> C {
    C::new(-z.im, z.re)
}

/// `-i z`.
fn turned_back(z: C) -> C {
    C::new(z.im, -z.re)
}

pub(crate) fn sin(z: C) -> C {
    turned_back(sinh(turned(z)))
}

pub(crate) fn cos(z: C) -> C {
    cosh(turned(z))
}

pub(crate) fn tan(z: C) -> C {
    turned_back(tanh(turned(z)))
}

/// `x * x + y * y - 1` of numbers near the unit circle, to nearly all digits.
fn square_less_one(x: f64, y: f64) -> f64 {
    let ((x_square, x_rest), (y_square, y_rest)) = (product_exactly(x, x), product_exactly(y, y));
    let mut terms = [-1.0, x_square, y_square, x_rest, y_rest];
    // The errors of the sums become terms, twice.
    for _ in 0..2 {
        for place in 1..terms.len() {
            (terms[place], terms[place - 1]) = sum(terms[place - 1], terms[place]);
        }
    }
    terms.iter().sum()
}

/// The logarithm of the magnitude.
pub(super) fn ln_abs(x: f64, y: f64) -> f64 {
    let (a, b) = (x.abs().max(y.abs()), x.abs().min(y.abs()));
    if x.is_infinite() || y.is_infinite() {
        return INF;
    }
    if x.is_nan() || y.is_nan() {
        return NAN;
    }
    if (0.4..2.5).contains(&a) {
        return match a == 1.0 && b < 1e-150 {
            true => 0.5 * b * b,
            false => 0.5 * ln_1p(square_less_one(a, b)),
        };
    }
    if (1e-150..1e150).contains(&a) || a == 0.0 {
        return real_ln(hypot(x, y));
    }
    let exponent = exponent_of(a);
    let (n, magnitude) = (exponent as f64, hypot(scale(a, -exponent), scale(b, -exponent)));
    n * LN_2_UPPER + (n * LN_2_LOWER + real_ln(magnitude))
}

pub(crate) fn ln(z: C) -> C {
    C::new(ln_abs(z.re, z.im), atan2(z.im, z.re))
}

pub(crate) fn sqrt(z: C) -> C {
    let (x, y) = (z.re, z.im);
    if x == 0.0 && y == 0.0 {
        return C::new(0.0, y);
    }
    if y.is_infinite() {
        return C::new(INF, y);
    }
    if x.is_infinite() {
        let small = if y.is_nan() { y } else { 0.0 };
        return if x > 0.0 { C::new(x, small.copysign(y)) } else { C::new(small.abs(), INF.copysign(y)) };
    }
    if x.is_nan() || y.is_nan() {
        return C::new(NAN, NAN);
    }
    // By a power of four, whose root is a power of two.
    let half = exponent_of(x.abs().max(y.abs())).div_euclid(2);
    let (a, b) = (scale(x.abs(), -2 * half), scale(y, -2 * half));
    let root = scale((0.5 * (a + hypot(a, b))).sqrt(), half);
    match x >= 0.0 {
        true => C::new(root, y / root * 0.5),
        false => C::new((y / root * 0.5).abs(), root.copysign(y)),
    }
}

/// The magnitude.
#[inline(always)]
pub(crate) fn abs(z: C) -> f64 {
    hypot(z.re, z.im)
}

/// Exponents of which a power is a product, as in NumPy.
const EXPONENT_MAX: f64 = 100.0;

/// `base^exponent`: a product where the exponent is a small integer, else `exp(exponent * ln(base))`. As in
/// NumPy, 0 to the power of a number with a positive real part is 0, to other powers but 0 it is NaN.
pub(crate) fn pow(base: C, exponent: C) -> C {
    if exponent.re == 0.0 && exponent.im == 0.0 {
        return C::new(1.0, 0.0);
    }
    if base.re == 0.0 && base.im == 0.0 {
        return if exponent.re > 0.0 { C::new(0.0, 0.0) } else { C::new(NAN, NAN) };
    }
    let is_whole = exponent.im == 0.0 && exponent.re.trunc() == exponent.re;
    if is_whole && exponent.re.abs() <= EXPONENT_MAX {
        return whole_power(base, exponent.re as i64);
    }
    // (ln r + i angle) (c + id), of which the first part's exponential is the magnitude.
    let (logarithm, angle) = (ln_abs(base.re, base.im), atan2(base.im, base.re));
    let (c, d) = (exponent.re, exponent.im);
    if !(logarithm * c).is_finite() || !(angle * d).is_finite() || !(angle * c + logarithm * d).is_finite() {
        return exp(C::new(
            product(logarithm, c) - product(angle, d),
            product(angle, c) + product(logarithm, d),
        ));
    }
    let real = sum_of_products(logarithm, c, -angle, d);
    let imaginary = sum_of_products(angle, c, logarithm, d);
    exp(C::new(real, imaginary))
}

/// The base is scaled to about 1, so that no factor overflows.
fn whole_power(base: C, exponent: i64) -> C {
    let largest = base.re.abs().max(base.im.abs());
    let scaling = if largest < INF { exponent_of(largest) } else { 0 };
    let mut factor = C::new(scale(base.re, -scaling), scale(base.im, -scaling));
    let (mut left, mut power) = (exponent.unsigned_abs(), None);
    loop {
        if left & 1 == 1 {
            power = Some(power.map_or(factor, |power: C| multiply(power, factor)));
        }
        left >>= 1;
        if left == 0 {
            break;
        }
        factor = multiply(factor, factor);
    }
    let power = power.expect("the exponent is not 0");
    let power = if exponent < 0 { recip(power) } else { power };
    C::new(scale(power.re, scaling * exponent), scale(power.im, scaling * exponent))
}

/// The product of numbers that are not far from 1, as calculated with twice the digits.
fn multiply(a: C, b: C) -> C {
    if !(a.re + a.im + b.re + b.im).is_finite() {
        return a * b;
    }
    C::new(sum_of_products(a.re, b.re, -a.im, b.im), sum_of_products(a.re, b.im, a.im, b.re))
}
