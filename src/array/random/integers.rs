//! Integers of a range, each as likely as the other.
//!
//! Lemire, *Fast random integer generation in an interval*, 2019: the upper half of draw times range is the
//! number. Draws whose lower half is too small belong to no number; such an element draws again, so that there
//! is no bias at all: every number has as many draws as any other.
//!
//! Draws after the first are Philox's, of the element's index and the number of the attempt, for both
//! generators. So the number of rejections of an element changes no other element.

use super::{Source, bits, philox};
use multiversion::multiversion;
#[cfg(test)]
use std::ops::Range;

/// An integer that [`integers`] can make.
pub(crate) trait Integer: Copy + PartialOrd {
    /// How many numbers the range has.
    #[cfg(test)]
    fn span(range: &Range<Self>) -> u64;
    /// This number, which the type has.
    fn of_wide(number: i128) -> Self;
    /// This number plus `offset`.
    fn offset(self, offset: u64) -> Self;
}

macro_rules! integer {
    ($($type:ty)*) => { $(impl Integer for $type {
        #[cfg(test)]
        fn span(range: &Range<Self>) -> u64 {
            (range.end as u64).wrapping_sub(range.start as u64)
        }
        fn of_wide(number: i128) -> Self {
            number as Self
        }
        #[inline(always)]
        fn offset(self, offset: u64) -> Self {
            self.wrapping_add(offset as Self)
        }
    })* };
}
integer!(u8 u16 u32 u64 i8 i16 i32 i64);

/// How many elements are drawn before they are scaled: they stay in the nearest cache.
const TILE: usize = 512;

/// Numbers of `range`, each as likely as the other.
///
/// # Panics
/// When the range is empty.
#[cfg(test)]
pub(crate) fn integers<T: Integer>(source: &mut Source, first: u64, range: Range<T>, output: &mut [T]) {
    assert!(range.start < range.end, "a random integer needs a range that is not empty");
    integers_from(source, first, range.start, T::span(&range).into(), output);
}

/// The `span` numbers from `start` on, each as likely as the other.
pub(crate) fn integers_from<T: Integer>(
    source: &mut Source,
    first: u64,
    start: T,
    span: u128,
    output: &mut [T],
) {
    let Ok(span) = u64::try_from(span) else { return any(source, first, start, output) };
    let least = span.wrapping_neg() % span;
    let mut draws = [0; TILE];
    for (tile, output) in output.chunks_mut(TILE).enumerate() {
        let first = first.wrapping_add((tile * TILE) as u64);
        let draws = &mut draws[..output.len()];
        bits(source, first, draws);
        let is_rejected = match u32::try_from(span) {
            Ok(span) => scale_narrow(draws, span, least, start, output),
            Err(_) => scale(draws, span, least, start, output),
        };
        if is_rejected {
            for (place, &draw) in draws.iter().enumerate() {
                let index = first.wrapping_add(place as u64);
                output[place] = start.offset(settle(source, index, draw, span, least));
            }
        }
    }
}

/// All 2^64 numbers that there are.
fn any<T: Integer>(source: &mut Source, first: u64, start: T, output: &mut [T]) {
    let mut draws = vec![0; output.len()];
    bits(source, first, &mut draws);
    output.iter_mut().zip(draws).for_each(|(output, draw)| *output = start.offset(draw));
}

/// Scales the draws to the range and says whether some of them must be drawn again.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn scale<T: Integer>(draws: &[u64], span: u64, least: u64, start: T, output: &mut [T]) -> bool {
    let mut again = 0;
    for (&draw, output) in draws.iter().zip(output) {
        *output = start.offset(upper(draw, span));
        again |= u64::from(draw.wrapping_mul(span) < least);
    }
    again != 0
}

/// [`scale`] by half as many products, for a range of less than 2^32 numbers.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn scale_narrow<T: Integer>(draws: &[u64], span: u32, least: u64, start: T, output: &mut [T]) -> bool {
    let span = u64::from(span);
    let mut again = 0;
    for (&draw, output) in draws.iter().zip(output) {
        let lower = (draw & 0xffff_ffff) * span;
        let upper = (draw >> 32) * span + (lower >> 32);
        *output = start.offset(upper >> 32);
        again |= u64::from((upper << 32 | lower & 0xffff_ffff) < least);
    }
    again != 0
}

/// The number of an element, drawn as often as it takes.
fn settle(source: &Source, index: u64, mut draw: u64, span: u64, least: u64) -> u64 {
    let mut attempt = 0;
    while draw.wrapping_mul(span) < least {
        attempt += 1;
        draw = philox::draw(source.key, index, attempt);
    }
    upper(draw, span)
}

/// The upper 64 bits of a product, from four products of halves: no processor has this for vectors.
#[inline(always)]
pub(super) fn upper(a: u64, b: u64) -> u64 {
    let (a0, a1, b0, b1) = (a & 0xffff_ffff, a >> 32, b & 0xffff_ffff, b >> 32);
    let middle = a1 * b0 + ((a0 * b0) >> 32);
    let carry = a0 * b1 + (middle & 0xffff_ffff);
    a1 * b1 + (middle >> 32) + (carry >> 32)
}
