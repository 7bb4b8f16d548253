//! Exponential and hyperbolic functions.
//!
//! `x = n ln 2 + r` with `|r| <= ln 2 / 2` (Cody and Waite 1980), and `exp(x) = 2^n (1 + p)` with
//! `p = exp(r) - 1` in two parts, so that nothing is lost where a function takes 1 away again.

use super::bits::{
    LN_2_LOWER, LN_2_UPPER, nearest, polynomial, power_of_two, scale, square, sum_ordered, upper_half,
};
use std::f64::consts::{LN_2, LOG2_E};

/// `x` beyond which the exponential is 0 or infinite, a little further out.
const LEAST: f64 = -746.0;
const MOST: f64 = 711.0;

/// `2^n (1 + upper + lower)`.
#[derive(Clone, Copy)]
struct Exponential {
    n: i64,
    upper: f64,
    lower: f64,
}

impl Exponential {
    /// Of a number from -2000 to 2000, or NaN.
    #[inline(always)]
    fn new(x: f64) -> Self {
        // The Taylor series from r^3 / 3! on: the first term left out is 4e-18 of the sum.
        const TAYLOR: [f64; 11] = [
            1.0 / 6.0,
            1.0 / 24.0,
            1.0 / 120.0,
            1.0 / 720.0,
            1.0 / 5_040.0,
            1.0 / 40_320.0,
            1.0 / 362_880.0,
            1.0 / 3_628_800.0,
            1.0 / 39_916_800.0,
            1.0 / 479_001_600.0,
            1.0 / 6_227_020_800.0,
        ];
        let (n, r, rest) = reduce(x);
        let cubic = r * r * r * polynomial(r, TAYLOR);
        let (square, square_rest) = square(r);
        let (upper, error) = sum_ordered(r, 0.5 * square);
        let lower = error + (cubic + (0.5 * square_rest + (rest + r * rest)));
        let (upper, lower) = sum_ordered(upper, lower);
        Self { n, upper, lower }
    }

    /// 2^-n times the value less 1, in two parts.
    #[inline(always)]
    fn less_one(self) -> (f64, f64) {
        let (upper, error) = sum_ordered(1.0 - power_of_two((-self.n).clamp(-1023, 1023)), self.upper);
        (upper, error + self.lower)
    }
}

/// `2^n exp(r + rest)`: `r` is at most half of ln 2, and `rest` at most a rounding of it.
///
/// `exp(r) = 1 + r + r c / (2 - c)`, where `c` is `r` less a polynomial in its square: fdlibm's `e_exp.c`.
#[inline(always)]
pub(super) fn exp_reduced(n: i64, r: f64, rest: f64) -> f64 {
    let c = r - square_series(r);
    scale(1.0 + (r + (rest + r * c / (2.0 - c))), n)
}

/// The series of `r coth(r / 2) - 2` in `r^2`, without its first term.
#[inline(always)]
fn square_series(r: f64) -> f64 {
    let square = r * r;
    square
        * polynomial(
            square,
            [
                1.666_666_666_666_660_2e-1,
                -2.777_777_777_701_559_3e-3,
                6.613_756_321_437_934e-5,
                -1.653_390_220_546_525_2e-6,
                4.138_136_797_057_238_5e-8,
            ],
        )
}

/// `n`, `r` and `rest` with `x = n ln 2 + r + rest`.
#[inline(always)]
fn reduce(x: f64) -> (i64, f64, f64) {
    let (multiple, n) = nearest(x * LOG2_E);
    let (start, lower) = (x - multiple * LN_2_UPPER, multiple * LN_2_LOWER);
    let r = start - lower;
    (n, r, (start - r) - lower)
}

#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let (n, r, rest) = reduce(x.clamp(LEAST, MOST));
    exp_reduced(n, r, rest)
}

/// `n` and `factor` with `exp(x) = 2^n factor`, of a number from -2000 to 2000, or NaN.
pub(super) fn exp_parts(x: f64) -> (i64, f64) {
    let (n, r, rest) = reduce(x);
    (if x.is_nan() { 0 } else { n }, exp_reduced(0, r, rest))
}

#[inline(always)]
pub(super) fn exp2(x: f64) -> f64 {
    let x = x.clamp(-1080.0, 1030.0);
    let (multiple, n) = nearest(x);
    let (r, rest) = times_ln_2(x - multiple);
    exp_reduced(n, r, rest)
}

/// The product with ln 2 in two parts.
#[inline(always)]
fn times_ln_2(x: f64) -> (f64, f64) {
    const UPPER: f64 = f64::from_bits(LN_2.to_bits() & 0xffff_ffff_f800_0000);
    // What 53 bits hold of ln 2 after its first 26; the product rounds further up.
    const LOWER: f64 = LN_2 - UPPER;
    let upper = upper_half(x);
    sum_ordered(upper * UPPER, (x - upper) * UPPER + x * LOWER)
}

#[inline(always)]
pub(super) fn exp_m1(x: f64) -> f64 {
    // Below -40 the result rounds to -1.
    let exponential = Exponential::new(x.clamp(-40.0, MOST));
    let (upper, lower) = exponential.less_one();
    scale(upper + lower, exponential.n).copysign(x)
}

#[inline(always)]
pub(super) fn sinh(x: f64) -> f64 {
    // With m = 2^-n (exp(x) - 1): sinh(x) = 2^(n-1) (m + m / exp(x)).
    let exponential = Exponential::new(x.abs().clamp(0.0, MOST));
    let (upper, lower) = exponential.less_one();
    let inverse = power_of_two((-exponential.n).max(-1023)) / (1.0 + exponential.upper);
    scale(upper + (lower + upper * inverse), exponential.n - 1).copysign(x)
}

#[inline(always)]
pub(super) fn cosh(x: f64) -> f64 {
    let exponential = Exponential::new(x.abs().clamp(0.0, MOST));
    let (one, error) = sum_ordered(1.0, exponential.upper);
    let inverse = power_of_two((-exponential.n).max(-1023));
    let value = one + (error + exponential.lower + inverse * inverse / one);
    scale(value, exponential.n - 1)
}

/// With `exp(2x) = 2^n exp(r)`, `t = 2^-n` and `exp(r) = (2 + series + r) / (2 + series - r)`, which is
/// [`exp_reduced`]'s fraction, one division is enough.
#[inline(always)]
pub(super) fn tanh(x: f64) -> f64 {
    // From 22 on it rounds to 1.
    let (n, r, rest) = reduce(2.0 * x.abs().clamp(0.0, 22.0));
    let series = square_series(r);
    let t = power_of_two(-n);
    let (over, first) = sum_ordered(2.0 * (1.0 - t), r);
    let (over, second) = sum_ordered(over, t * r);
    let over = over + ((first + second) + ((1.0 + t) * rest + (1.0 - t) * series));
    let under = 2.0 * (1.0 + t) + ((1.0 + t) * series + (1.0 - t) * r);
    (over / under).copysign(x)
}
