//! Sine, cosine and tangent.
//!
//! `x = q pi / 2 + r` with `|r| <= pi / 4` in two parts, by four parts of pi / 2 whose products with `q` are
//! exact (Cody and Waite 1980, with the constants of fdlibm's `e_rem_pio2.c`), then fdlibm's polynomials
//! `k_sin.c` and `k_cos.c`. Both are computed and one is taken: that is cheaper than to branch.

use super::bits::{nearest, polynomial, sum_ordered};
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// Up to here `q` has 20 bits and its products are exact. Beyond it, and where there is no finite number,
/// the slow way is taken.
pub(super) const LARGEST: f64 = 1_647_099.0;

/// Of an angle `r` from -pi/4 to pi/4: the sine is `r + sine`, the cosine `1 - half_square + cosine`. The
/// argument lies `quadrant` right angles further.
struct Reduced {
    quadrant: i64,
    r: f64,
    sine: f64,
    half_square: f64,
    cosine: f64,
}

impl Reduced {
    #[inline(always)]
    fn new(x: f64) -> Self {
        const FIRST: f64 = 1.570_796_326_734_125_6;
        const SECOND: f64 = 6.077_100_506_303_966e-11;
        const THIRD: f64 = 2.022_266_248_711_166_5e-21;
        const REST: f64 = 8.478_427_660_368_9e-32;

        let (multiple, quadrant) = nearest(x * FRAC_2_PI);
        let first = x - multiple * FIRST;
        let product = multiple * SECOND;
        let second = first - product;
        let lost = (first - second) - product;
        let product = multiple * THIRD;
        let third = second - product;
        let lost = lost + (((second - third) - product) - multiple * REST);
        Self::of_angle(quadrant, third, lost)
    }

    /// `rest` is small beside `r`.
    #[inline(always)]
    fn of_angle(quadrant: i64, r: f64, rest: f64) -> Self {
        let square = r * r;
        let half_square = 0.5 * square;
        let sine = polynomial(
            square,
            [
                -1.666_666_666_666_663_2e-1,
                8.333_333_333_322_49e-3,
                -1.984_126_982_985_795e-4,
                2.755_731_370_707_006_8e-6,
                -2.505_076_025_340_686_3e-8,
                1.589_690_995_211_55e-10,
            ],
        );
        let cosine = polynomial(
            square,
            [
                4.166_666_666_666_66e-2,
                -1.388_888_888_887_411e-3,
                2.480_158_728_947_673e-5,
                -2.755_731_435_139_066_3e-7,
                2.087_572_321_298_175e-9,
                -1.135_964_755_778_819_5e-11,
            ],
        );
        Self {
            quadrant,
            r,
            sine: r * square * sine + (rest - half_square * rest),
            half_square,
            cosine: square * square * cosine - r * rest,
        }
    }

    /// The sine so many right angles on.
    #[inline(always)]
    fn sine(&self, right_angles: i64) -> f64 {
        let quadrant = self.quadrant.wrapping_add(right_angles);
        let sine = self.r + self.sine;
        let cosine = 1.0 - (self.half_square - self.cosine);
        let value = if quadrant & 1 == 0 { sine } else { cosine };
        negate_if(value, quadrant & 2 != 0)
    }
}

#[inline(always)]
fn negate_if(x: f64, negative: bool) -> f64 {
    f64::from_bits(x.to_bits() ^ (u64::from(negative) << 63))
}

#[inline(always)]
pub(super) fn sin(x: f64) -> f64 {
    let value = Reduced::new(x).sine(0);
    if x == 0.0 { x } else { value }
}

#[inline(always)]
pub(super) fn cos(x: f64) -> f64 {
    Reduced::new(x).sine(1)
}

#[inline(always)]
pub(super) fn tan(x: f64) -> f64 {
    let reduced = Reduced::new(x);
    let odd = reduced.quadrant & 1 != 0;
    let sine = sum_ordered(reduced.r, reduced.sine);
    let (one, error) = sum_ordered(1.0, -reduced.half_square);
    let cosine = sum_ordered(one, error + reduced.cosine);
    let (over, under) = if odd { (cosine, sine) } else { (sine, cosine) };
    let quotient = over.0 / under.0;
    let value = quotient + (over.1 - quotient * under.1) / under.0;
    let value = negate_if(value, odd);
    if x == 0.0 { x } else { value }
}

/// Sine and cosine of an angle up to [`LARGEST`].
pub(super) fn sin_cos(x: f64) -> (f64, f64) {
    let reduced = Reduced::new(x);
    (if x == 0.0 { x } else { reduced.sine(0) }, reduced.sine(1))
}

/// Sine and cosine of so many turns, from 0 to 1.
#[inline(always)]
pub(crate) fn sin_cos_turns(turns: f64) -> (f64, f64) {
    let (multiple, quadrant) = nearest(4.0 * turns);
    let reduced = Reduced::of_angle(quadrant, (4.0 * turns - multiple) * FRAC_PI_2, 0.0);
    (reduced.sine(0), reduced.sine(1))
}
