//! Powers and roots.

use super::bits::{nearest, polynomial, square, upper_word};
use super::exponential::exp_reduced;

const TWO_52: f64 = 4_503_599_627_370_496.0;

/// `x^y = 2^(y log2(x))`, the logarithm and the product in two parts: fdlibm's `e_pow.c` without branches.
///
/// `logarithm` is [`log2_parts`] of `|x|`. It is apart because a processor looks only so far ahead: two short
/// loops keep it busier than a long one.
#[inline(always)]
pub(super) fn pow(x: f64, y: f64, logarithm: (f64, f64)) -> f64 {
    const LN_2: f64 = std::f64::consts::LN_2;
    const LN_2_UPPER: f64 = 6.931_471_824_645_996e-1;
    const LN_2_LOWER: f64 = -1.904_654_299_957_768e-9;

    // Whatever x is, no larger exponent gives another result; 0, 1 and infinity are looked at below.
    let exponent = y.clamp(-3.7e19, 3.7e19);
    let (log_upper, log_lower) = logarithm;
    let y_upper = upper_word(exponent);
    let lower = (exponent - y_upper) * log_upper + exponent * log_lower;
    let upper = y_upper * log_upper;
    // Far beyond overflow and underflow.
    let limited = (upper + lower).clamp(-1100.0, 1100.0);
    let (upper, lower) = if limited == upper + lower { (upper, lower) } else { (limited, 0.0) };
    let (multiple, n) = nearest(upper + lower);
    let upper = upper - multiple;
    let short = upper_word(upper + lower);
    let product = short * LN_2_UPPER;
    let rest = (lower - (short - upper)) * LN_2 + short * LN_2_LOWER;
    let r = product + rest;
    let value = exp_reduced(n, r, rest - (r - product));
    of_special(x, y, value)
}

/// The base 2 logarithm of a positive finite number in two parts, of which the first has 21 bits.
#[inline(always)]
pub(super) fn log2_parts(x: f64) -> (f64, f64) {
    // Two thirds of 1 / ln 2.
    const FACTOR: f64 = 9.617_966_939_259_756e-1;
    const FACTOR_UPPER: f64 = 9.617_967_009_544_373e-1;
    const FACTOR_LOWER: f64 = -7.028_461_650_952_758e-9;
    // log2(3/2)
    const LOG_UPPER: f64 = 5.849_624_872_207_642e-1;
    const LOG_LOWER: f64 = 1.350_039_202_129_749e-8;
    const ROOT_OF_3_HALVES: u64 = 0x0003_988e_ffff_ffff;
    const ROOT_OF_3: u64 = 0x000b_b679_ffff_ffff;

    let subnormal = x < f64::MIN_POSITIVE;
    let bits = (if subnormal { x * (2.0 * TWO_52) } else { x }).to_bits();
    let exponent = (bits >> 52).wrapping_add(if subnormal { 0 } else { 53 });
    let mantissa = bits & 0x000f_ffff_ffff_ffff;
    let above = mantissa > ROOT_OF_3;
    let middle = !above && mantissa > ROOT_OF_3_HALVES;
    let n = f64::from_bits(exponent | TWO_52.to_bits()) - (TWO_52 + 1023.0 + 53.0)
        + if above { 1.0 } else { 0.0 };
    let x = f64::from_bits(mantissa | if above { 0x3fe0_0000_0000_0000 } else { 0x3ff0_0000_0000_0000 });
    let base = if middle { 1.5 } else { 1.0 };

    // s = (x - base) / (x + base)
    let difference = x - base;
    let inverse = 1.0 / (x + base);
    let s = difference * inverse;
    let s_upper = upper_word(s);
    let total_upper = upper_word(x + base);
    let total_lower = x - (total_upper - base);
    let s_lower = inverse * ((difference - s_upper * total_upper) - s_upper * total_lower);

    // ln(x / base) = 2/3 s (3 + s^2 + ...)
    let z = s * s;
    let series = polynomial(
        z,
        [
            5.999_999_999_999_946e-1,
            4.285_714_285_785_502e-1,
            3.333_333_298_183_774_3e-1,
            2.727_281_238_085_34e-1,
            2.306_607_457_755_617_5e-1,
            2.069_750_178_003_384_2e-1,
        ],
    );
    let series = z * z * series + s_lower * (s_upper + s);
    let square = s_upper * s_upper;
    let sum_upper = upper_word(3.0 + square + series);
    let sum_lower = series - ((sum_upper - 3.0) - square);
    let product = s_upper * sum_upper;
    let rest = s_lower * sum_upper + sum_lower * s;
    let upper = upper_word(product + rest);
    let lower = rest - (upper - product);

    let scaled = FACTOR_UPPER * upper;
    let rest = FACTOR_LOWER * upper + lower * FACTOR + if middle { LOG_LOWER } else { 0.0 };
    let log = if middle { LOG_UPPER } else { 0.0 };
    let log_upper = upper_word(((scaled + rest) + log) + n);
    (log_upper, rest - (((log_upper - n) - log) - scaled))
}

/// The power where C's rules say what it is, else `value` with its sign.
#[inline(always)]
fn of_special(x: f64, y: f64, value: f64) -> f64 {
    let (base, exponent) = (x.abs(), y.abs());
    let large = exponent >= TWO_52;
    let shifted = if large { exponent } else { exponent + TWO_52 };
    let integer = large || shifted - TWO_52 == exponent;
    let odd = integer && exponent < 2.0 * TWO_52 && shifted.to_bits() & 1 != 0;

    let extreme = if (base < 1.0) == (y < 0.0) { f64::INFINITY } else { 0.0 };
    let unbounded = base == 0.0 || base == f64::INFINITY || exponent == f64::INFINITY;
    let value = if unbounded && base != 1.0 { extreme } else { value };
    let value = if x < 0.0 && !integer && !unbounded { f64::NAN } else { value };
    let value = if x.is_nan() || y.is_nan() { f64::NAN } else { value };
    let value = if x.is_sign_negative() && odd { -value } else { value };
    if x == 1.0 || y == 0.0 { 1.0 } else { value }
}

/// FreeBSD's `s_cbrt.c`: a third of the exponent, a polynomial to 23 bits, one step of Newton.
#[inline(always)]
pub(super) fn cbrt(x: f64) -> f64 {
    let a = x.abs();
    let subnormal = a < f64::MIN_POSITIVE;
    let scaled = if subnormal { a * (4.0 * TWO_52) } else { a };
    // (1023 - 1023 / 3 - 0.03306235651) * 2^20, and 18 less for the scaling.
    let bias: u64 = if subnormal { 696_219_795 } else { 715_094_163 };
    // The product with 0xaaaaaaab shifted by 33 is a third of any 32-bit integer.
    let third = ((scaled.to_bits() >> 32) * 0xaaaa_aaab) >> 33;
    let t = f64::from_bits((third + bias) << 32);
    let r = (t * t) * (t / a);
    let t = t * polynomial(
        r,
        [
            1.875_951_824_271_77,
            -1.884_979_795_433_771_7,
            1.621_429_720_105_354_5,
            -0.758_397_934_778_766,
            0.145_996_192_886_612_45,
        ],
    );
    let t = f64::from_bits(t.to_bits().wrapping_add(0x8000_0000) & 0xffff_ffff_c000_0000);
    let r = a / (t * t);
    let value = t + t * ((r - t) / (t + t + r));
    // 0, infinity and NaN are their own roots.
    let value = if a > 0.0 && a < f64::INFINITY { value } else { a };
    value.copysign(x)
}

/// The larger one's square in two parts; both scaled by a power of two where a square would not fit.
#[inline(always)]
pub(super) fn hypot(x: f64, y: f64) -> f64 {
    const LARGE: f64 = f64::from_bits(0x6570_0000_0000_0000); // 2^600
    const SMALL: f64 = f64::from_bits(0x1a70_0000_0000_0000); // 2^-600

    let (x, y) = (x.abs(), y.abs());
    let (a, b) = if x > y { (x, y) } else { (y, x) };
    let factor = if a > 1e150 { SMALL } else { 1.0 };
    let factor = if a < 1e-120 { LARGE } else { factor };
    let inverse = if a > 1e150 { LARGE } else { 1.0 };
    let inverse = if a < 1e-120 { SMALL } else { inverse };
    let (scaled_a, scaled_b) = (a * factor, b * factor);
    let (a_square, a_rest) = square(scaled_a);
    let value = (a_square + (scaled_b * scaled_b + a_rest)).sqrt() * inverse;
    let infinite = x == f64::INFINITY || y == f64::INFINITY;
    if infinite { f64::INFINITY } else { value }
}
