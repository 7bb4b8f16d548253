//! The inverse trigonometric functions: fdlibm's `s_atan.c`, `e_asin.c`, `e_acos.c` and `e_atan2.c` without
//! branches.

use super::bits::{polynomial, upper_word};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// What pi and pi / 2 have beyond 53 bits.
const PI_REST: f64 = 1.224_646_799_147_353_2e-16;
const HALF_PI_REST: f64 = 6.123_233_995_736_766e-17;

#[inline(always)]
pub(super) fn atan(x: f64) -> f64 {
    atan_positive(x.abs()).copysign(x)
}

/// The tangent's interval chooses an angle; its tangent is taken away, and the rest is below 7/16.
#[inline(always)]
fn atan_positive(a: f64) -> f64 {
    let near_half = (2.0 * a - 1.0, 2.0 + a, 4.636_476_090_008_061e-1, 2.269_877_745_296_168_7e-17);
    let near_one = (a - 1.0, a + 1.0, FRAC_PI_4, 3.061_616_997_868_383e-17);
    let near_three_halves = (a - 1.5, 1.0 + 1.5 * a, 9.827_937_232_473_29e-1, 1.390_331_103_123_099_8e-17);
    let (over, under, upper, lower) = (a, 1.0, 0.0, 0.0);
    let (over, under, upper, lower) = if a >= 0.4375 { near_half } else { (over, under, upper, lower) };
    let (over, under, upper, lower) = if a >= 0.6875 { near_one } else { (over, under, upper, lower) };
    let (over, under, upper, lower) =
        if a >= 1.1875 { near_three_halves } else { (over, under, upper, lower) };
    let (over, under, upper, lower) =
        if a >= 2.4375 { (-1.0, a, FRAC_PI_2, HALF_PI_REST) } else { (over, under, upper, lower) };

    let t = over / under;
    let z = t * t;
    let w = z * z;
    let odd = z * polynomial(
        w,
        [
            3.333_333_333_333_293e-1,
            1.428_571_427_250_346_6e-1,
            9.090_887_133_436_507e-2,
            6.661_073_137_387_531e-2,
            4.976_877_994_615_932_4e-2,
            1.628_582_011_536_578_2e-2,
        ],
    );
    let even = w * polynomial(
        w,
        [
            -1.999_999_999_987_648_3e-1,
            -1.111_111_040_546_235_6e-1,
            -7.691_876_205_044_83e-2,
            -5.833_570_133_790_573_5e-2,
            -3.653_157_274_421_691_6e-2,
        ],
    );
    upper - ((t * (odd + even) - lower) - t)
}

#[inline(always)]
pub(super) fn atan2(y: f64, x: f64) -> f64 {
    let (a, b) = (y.abs(), x.abs());
    let quotient = a / b;
    let quotient = if a == 0.0 && b == 0.0 { 0.0 } else { quotient };
    let quotient = if a == f64::INFINITY && b == f64::INFINITY { 1.0 } else { quotient };
    let angle = atan_positive(quotient);
    let angle = if x.is_sign_negative() { PI - (angle - PI_REST) } else { angle };
    angle.copysign(y)
}

/// `(asin(x) - x) / x` for `z = x^2`.
#[inline(always)]
fn asin_rest(z: f64) -> f64 {
    let over = z * polynomial(
        z,
        [
            1.666_666_666_666_666_6e-1,
            -3.255_658_186_224_009e-1,
            2.012_125_321_348_629_3e-1,
            -4.005_553_450_067_941e-2,
            7.915_349_942_898_145e-4,
            3.479_331_075_960_212e-5,
        ],
    );
    let under = polynomial(
        z,
        [
            1.0,
            -2.403_394_911_734_414,
            2.020_945_760_233_505_7,
            -6.882_839_716_054_533e-1,
            7.703_815_055_590_194e-2,
        ],
    );
    over / under
}

/// For an argument from 1/2 to 1: the square root of its half distance from 1 in two parts, of which the
/// first is short, and the rest of that root's arc sine.
#[inline(always)]
fn half_angle(a: f64, rest: f64) -> (f64, f64) {
    let z = 0.5 * (1.0 - a);
    let root = z.sqrt();
    let upper = upper_word(root);
    let lower = (z - upper * upper) / (root + upper);
    let lower = if root > 0.0 { lower } else { 0.0 };
    (upper, rest * root + lower)
}

#[inline(always)]
pub(super) fn asin(x: f64) -> f64 {
    let a = x.abs();
    let small = a < 0.5;
    let rest = asin_rest(if small { a * a } else { 0.5 * (1.0 - a) });
    let (upper, lower) = half_angle(a, rest);
    let large = FRAC_PI_4 - ((2.0 * lower - HALF_PI_REST) - (FRAC_PI_4 - 2.0 * upper));
    let value = if small { a + a * rest } else { large };
    value.copysign(x)
}

#[inline(always)]
pub(super) fn acos(x: f64) -> f64 {
    let a = x.abs();
    let small = a < 0.5;
    let rest = asin_rest(if small { a * a } else { 0.5 * (1.0 - a) });
    let (upper, lower) = half_angle(a, rest);
    let near_one = 2.0 * (upper + lower);
    let near_minus_one = 2.0 * (FRAC_PI_2 - (upper + (lower - HALF_PI_REST)));
    let large = if x > 0.0 { near_one } else { near_minus_one };
    if small { FRAC_PI_2 - (x - (HALF_PI_REST - x * rest)) } else { large }
}
