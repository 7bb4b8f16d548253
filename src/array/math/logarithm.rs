//! Logarithms and the inverse hyperbolic functions.
//!
//! `x = 2^k (1 + f)` with `1 + f` between the square roots of 1/2 and 2, and with `s = f / (2 + f)`
//! `ln(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R(s^2))`: fdlibm's `e_log.c`. `log2` and `log10` split that as
//! FreeBSD's `e_log2.c` and `e_log10.c` do.

use super::bits::{LN_2_LOWER, LN_2_UPPER, polynomial, square, sum, sum_ordered, upper_half, upper_word};

/// `ln(2^k (1 + f)) = k ln 2 + f - half_square + rest`.
struct Logarithm {
    k: f64,
    f: f64,
    half_square: f64,
    rest: f64,
}

impl Logarithm {
    /// Of a positive number that is neither infinite nor NaN.
    #[inline(always)]
    fn new(x: f64) -> Self {
        let subnormal = x < f64::MIN_POSITIVE;
        let x = if subnormal { x * 18_014_398_509_481_984.0 } else { x };
        Self::of_normal(x, if subnormal { 0 } else { 54 })
    }

    /// Of a normal number, times 2^`power` / 2^54.
    #[inline(always)]
    fn of_normal(x: f64, power: u64) -> Self {
        // The upper bits of the square root of 1/2.
        const ROOT: u64 = 0x3fe6_a09e_0000_0000;
        const ONE: u64 = 0x3ff0_0000_0000_0000;
        const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
        // 2^52 + 1023 + 54, and the bits of 2^52.
        const BIAS: f64 = 4_503_599_627_370_496.0 + 1077.0;
        const TWO_52: u64 = 0x4330_0000_0000_0000;

        let bits = x.to_bits().wrapping_add(ONE - ROOT);
        let exponent = (bits >> 52).wrapping_add(power);
        let k = f64::from_bits(exponent | TWO_52) - BIAS;
        let f = f64::from_bits((bits & MANTISSA).wrapping_add(ROOT)) - 1.0;
        let half_square = 0.5 * f * f;
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let odd = z * polynomial(
            w,
            [
                0.666_666_666_666_673_5,
                0.285_714_287_436_623_9,
                0.181_835_721_616_180_5,
                0.147_981_986_051_165_86,
            ],
        );
        let even =
            w * polynomial(w, [0.399_999_999_994_094_2, 0.222_221_984_321_497_84, 0.153_138_376_992_093_73]);
        Self { k, f, half_square, rest: s * (half_square + (odd + even)) }
    }

    /// The natural logarithm, plus something small.
    #[inline(always)]
    fn natural(&self, correction: f64) -> f64 {
        let lower = self.rest + (self.k * LN_2_LOWER + correction);
        self.k * LN_2_UPPER - ((self.half_square - lower) - self.f)
    }

    /// `k` times the upper and lower part of a unit's logarithm to some base, and the rest divided by the
    /// natural logarithm of the base.
    #[inline(always)]
    fn to_base(&self, unit: (f64, f64), inverse: (f64, f64)) -> f64 {
        let upper = upper_word(self.f - self.half_square);
        let lower = ((self.f - upper) - self.half_square) + self.rest;
        let (value, error) = sum_ordered(self.k * unit.0, upper * inverse.0);
        let lower = self.k * unit.1 + ((lower + upper) * inverse.1 + lower * inverse.0);
        value + (error + lower)
    }
}

/// The logarithm of a number outside the positive finite ones; else `value`.
#[inline(always)]
fn of_special(x: f64, value: f64) -> f64 {
    let value = if x > f64::MAX { f64::INFINITY } else { value };
    let value = if x == 0.0 { f64::NEG_INFINITY } else { value };
    if x >= 0.0 { value } else { f64::NAN }
}

#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    of_special(x, Logarithm::new(x).natural(0.0))
}

/// [`ln`] of a number that is positive, normal and finite.
#[inline(always)]
pub(crate) fn ln_normal(x: f64) -> f64 {
    Logarithm::of_normal(x, 54).natural(0.0)
}

#[inline(always)]
pub(super) fn log2(x: f64) -> f64 {
    const INVERSE: (f64, f64) = (1.442_695_040_721_446_3, 1.675_171_316_488_651_2e-10);
    of_special(x, Logarithm::new(x).to_base((1.0, 0.0), INVERSE))
}

#[inline(always)]
pub(super) fn log10(x: f64) -> f64 {
    const INVERSE: (f64, f64) = (4.342_944_818_781_689e-1, 2.508_294_671_164_527_5e-11);
    const TWO: (f64, f64) = (3.010_299_956_636_117_7e-1, 3.694_239_077_158_931e-13);
    of_special(x, Logarithm::new(x).to_base(TWO, INVERSE))
}

/// `ln(1 + x + rest)`, where `rest` is at most a rounding of `x`.
#[inline(always)]
fn ln_1p_sum(x: f64, rest: f64) -> f64 {
    let (one, error) = sum(1.0, x);
    Logarithm::new(one).natural((error + rest) / one)
}

#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    let one = 1.0 + x;
    of_special(one, ln_1p_sum(x, 0.0)).copysign(x)
}

#[inline(always)]
pub(super) fn asinh(x: f64) -> f64 {
    // For large numbers ln(2x), else ln(1 + x + x^2 / (1 + sqrt(1 + x^2))).
    let a = x.abs();
    let large = a > 1e9;
    let finite = if large { 1.0 } else { a };
    let square = finite * finite;
    let (y, rest) = sum_ordered(finite, square / (1.0 + (1.0 + square).sqrt()));
    let (argument, rest) = if large { (a, 0.0) } else { (y, rest) };
    of_twice(argument, rest, large).copysign(x)
}

#[inline(always)]
pub(super) fn acosh(x: f64) -> f64 {
    // For large numbers ln(2x), else with t = x - 1: ln(1 + t + sqrt(t (2 + t))).
    let large = x > 1e9;
    let t = if large { 1.0 } else { x - 1.0 };
    let (root, root_rest) = root_of_product(t);
    let (y, rest) = sum_ordered(root, t);
    let (argument, rest) = if large { (x, 0.0) } else { (y, rest + root_rest) };
    let value = of_twice(argument, rest, large);
    if x >= 1.0 { value } else { f64::NAN }
}

/// `sqrt(t (2 + t))` in two parts.
#[inline(always)]
fn root_of_product(t: f64) -> (f64, f64) {
    let (two, error) = sum(2.0, t);
    let (two_upper, t_upper) = (upper_half(two), upper_half(t));
    let upper = two_upper * t_upper;
    let lower = (two - two_upper) * t + two_upper * (t - t_upper) + error * t;
    let root = (upper + lower).sqrt();
    let (root_square, square_rest) = square(root);
    let residue = ((upper - root_square) - square_rest) + lower;
    (root, if root > 0.0 { residue / (2.0 * root) } else { 0.0 })
}

/// `ln(2x)` of a large number, else `ln(1 + x + rest)`.
#[inline(always)]
fn of_twice(x: f64, rest: f64, large: bool) -> f64 {
    let (one, error) = sum(1.0, x);
    let (one, error) = if large { (x, 0.0) } else { (one, error + rest) };
    let mut logarithm = Logarithm::new(one);
    logarithm.k += if large { 1.0 } else { 0.0 };
    let value = logarithm.natural(error / one);
    if x > f64::MAX { x } else { value + 0.0 * x }
}

#[inline(always)]
pub(super) fn atanh(x: f64) -> f64 {
    // ln(1 + 2x / (1 - x)) / 2
    let a = x.abs();
    let (y, rest) = sum_ordered(2.0 * a, 2.0 * a * a / (1.0 - a));
    let value = 0.5 * ln_1p_sum(y, rest);
    let value = if a == 1.0 { f64::INFINITY } else { value };
    let value = if a <= 1.0 { value } else { f64::NAN };
    value.copysign(x)
}
