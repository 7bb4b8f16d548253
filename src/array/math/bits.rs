//! Exact steps that the functions are made of: rounding, powers of two, and sums and products in two parts.

/// The upper 33 bits of ln 2, whose product with an exponent is exact, and the others.
pub(super) const LN_2_UPPER: f64 = 6.931_471_803_691_238e-1;
pub(super) const LN_2_LOWER: f64 = 1.908_214_929_270_587_7e-10;

/// Adding it to a number below 2^51 rounds to an integer, which then stands in the lowest bits.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// The nearest integer, as a number and as an integer. The number is below 2^51; else the integer is any.
#[inline(always)]
pub(super) fn nearest(x: f64) -> (f64, i64) {
    let shifted = x + SHIFT;
    (shifted - SHIFT, shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i64)
}

/// 2^n for n from -1022 to 1023; 0 for -1023.
#[inline(always)]
pub(super) fn power_of_two(n: i64) -> f64 {
    f64::from_bits((n.wrapping_add(1023) as u64) << 52)
}

/// `x` times 2^n for n from -2044 to 2046, where one factor would not do. What falls below the normal numbers
/// is rounded once: `x` must be near 1.
#[inline(always)]
pub(super) fn scale(x: f64, n: i64) -> f64 {
    let half = n >> 1;
    x * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// The part of `x` in its upper 26 bits: it has an exact square, and an exact product with another such part.
#[inline(always)]
pub(super) fn upper_half(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_f800_0000)
}

/// The part of `x` in its upper 21 bits.
#[inline(always)]
pub(super) fn upper_word(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_0000_0000)
}

/// `a + b` and what rounding took from it. `a` is the larger one, or 0 (Dekker 1971).
#[inline(always)]
pub(super) fn sum_ordered(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// `a + b` and what rounding took from it (Knuth).
#[inline(always)]
pub(super) fn sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let second = sum - a;
    (sum, (a - (sum - second)) + (b - second))
}

/// `x * x` as two numbers whose sum is exact but for the last bits of the smaller.
#[inline(always)]
pub(super) fn square(x: f64) -> (f64, f64) {
    let upper = upper_half(x);
    (upper * upper, (x - upper) * (x + upper))
}

/// `coefficients[0] + x * (coefficients[1] + x * ...)`, by pairs, and pairs of pairs: fewer steps wait for each
/// other than in Horner's way (Estrin 1960).
#[inline(always)]
pub(super) fn polynomial<const COUNT: usize>(x: f64, coefficients: [f64; COUNT]) -> f64 {
    let (mut terms, mut count, mut power) = (coefficients, COUNT, x);
    while count > 1 {
        for pair in 0..count / 2 {
            terms[pair] = terms[2 * pair] + terms[2 * pair + 1] * power;
        }
        terms[count / 2] = terms[count - 1];
        count = count.div_ceil(2);
        power *= power;
    }
    terms[0]
}
