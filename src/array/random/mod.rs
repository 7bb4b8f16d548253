//! Random numbers by element index.
//!
//! Element `i` of a stream is a pure function of the stream's [`Key`] and `i`: a slice of a stream can be
//! filled from any element on, by anyone, and holds the same values. The processor does not matter either.
//!
//! The bits are Philox4x32-10's (Salmon, Moraes, Dror and Shaw, *Parallel random numbers: as easy as 1, 2, 3*,
//! 2011). Its key is the seed; its counter is the element's index, the stream and the attempt. A counter gives
//! 128 bits, that is two elements: element `i` takes half `i % 2` of counter `i / 2`.
//!
//! All distributions use the same draws: give every array a stream of its own.

mod integers;
mod permutation;
mod philox;

#[cfg(test)]
pub(crate) use integers::integers;
pub(crate) use integers::{Integer, integers_from};
pub(crate) use permutation::Permutation;

use super::math;
use multiversion::multiversion;
use philox::LANES;

/// Names a stream of random elements. Streams are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Key {
    pub(crate) seed: u64,
    pub(crate) stream: u32,
}

/// Makes two elements of the two draws of a counter.
trait Distribution<T> {
    fn pair(&self, draws: [u64; 2]) -> [T; 2];
}

/// Fills elements `first ..` of a stream.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn fill<T: Copy + Default, D: Distribution<T>>(key: Key, first: u64, mut output: &mut [T], distribution: &D) {
    let mut block = first / 2;
    if first % 2 == 1
        && let Some((odd, rest)) = std::mem::take(&mut output).split_first_mut()
    {
        *odd = distribution.pair(philox::pair(key, block, 0))[1];
        (output, block) = (rest, block.wrapping_add(1));
    }
    let (chunks, last) = output.as_chunks_mut();
    for chunk in chunks {
        fill_chunk(key, block, chunk, distribution);
        block = block.wrapping_add(LANES as u64);
    }
    if !last.is_empty() {
        let mut chunk = [T::default(); 2 * LANES];
        fill_chunk(key, block, &mut chunk, distribution);
        last.copy_from_slice(&chunk[..last.len()]);
    }
}

/// Writes the elements of the counters from `block` on.
#[inline(always)]
fn fill_chunk<T, D: Distribution<T>>(key: Key, block: u64, chunk: &mut [T; 2 * LANES], distribution: &D) {
    let [even, odd] = philox::pairs(key, block);
    for lane in 0..LANES {
        [chunk[2 * lane], chunk[2 * lane + 1]] = distribution.pair([even[lane], odd[lane]]);
    }
}

/// The upper 53 bits as a number from 0 up to but not 1.
#[inline(always)]
fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 * (0.5f64 / (1u64 << 52) as f64)
}

struct Bits;

impl Distribution<u64> for Bits {
    #[inline(always)]
    fn pair(&self, draws: [u64; 2]) -> [u64; 2] {
        draws
    }
}

/// 64 random bits an element.
pub(crate) fn bits(key: Key, first: u64, output: &mut [u64]) {
    fill(key, first, output, &Bits);
}

struct Uniform;

impl Distribution<f64> for Uniform {
    #[inline(always)]
    fn pair(&self, [a, b]: [u64; 2]) -> [f64; 2] {
        [unit(a), unit(b)]
    }
}

impl Distribution<f32> for Uniform {
    #[inline(always)]
    fn pair(&self, [a, b]: [u64; 2]) -> [f32; 2] {
        let unit = |draw: u64| (draw >> 40) as i32 as f32 * (1.0 / 16_777_216.0);
        [unit(a), unit(b)]
    }
}

/// Numbers from 0 up to but not 1, in steps of 2^-53.
pub(crate) fn uniform_f64(key: Key, first: u64, output: &mut [f64]) {
    fill(key, first, output, &Uniform);
}

/// Numbers from 0 up to but not 1, in steps of 2^-24: those of [`uniform_f64`], cut off.
pub(crate) fn uniform_f32(key: Key, first: u64, output: &mut [f32]) {
    fill(key, first, output, &Uniform);
}

struct Normal;

impl Distribution<f64> for Normal {
    #[inline(always)]
    fn pair(&self, [distance, direction]: [u64; 2]) -> [f64; 2] {
        let distance = (-2.0 * math::ln(1.0 - unit(distance))).sqrt();
        let (sine, cosine) = math::sin_cos_turns(unit(direction));
        [distance * cosine, distance * sine]
    }
}

/// Normal numbers of mean 0 and standard deviation 1, by the method of Box and Muller.
///
/// The two elements of a counter are one point: its distance from 0 comes from the first draw, its
/// direction from the second. None lies beyond 8.6.
pub(crate) fn normal_f64(key: Key, first: u64, output: &mut [f64]) {
    fill(key, first, output, &Normal);
}

/// [`normal_f64`], rounded.
pub(crate) fn normal_f32(key: Key, first: u64, output: &mut [f32]) {
    fill(key, first, output, &Rounded(Normal));
}

struct Exponential;

impl Distribution<f64> for Exponential {
    #[inline(always)]
    fn pair(&self, [a, b]: [u64; 2]) -> [f64; 2] {
        [-math::ln(1.0 - unit(a)), -math::ln(1.0 - unit(b))]
    }
}

/// Exponential numbers of mean 1, by inversion. None lies beyond 37.
pub(crate) fn exponential_f64(key: Key, first: u64, output: &mut [f64]) {
    fill(key, first, output, &Exponential);
}

/// [`exponential_f64`], rounded.
pub(crate) fn exponential_f32(key: Key, first: u64, output: &mut [f32]) {
    fill(key, first, output, &Rounded(Exponential));
}

/// The numbers of a distribution, rounded to `f32`.
struct Rounded<D>(D);

impl<D: Distribution<f64>> Distribution<f32> for Rounded<D> {
    #[inline(always)]
    fn pair(&self, draws: [u64; 2]) -> [f32; 2] {
        let [a, b] = self.0.pair(draws);
        [a as f32, b as f32]
    }
}

struct Bernoulli {
    probability: f64,
}

impl Distribution<bool> for Bernoulli {
    #[inline(always)]
    fn pair(&self, [a, b]: [u64; 2]) -> [bool; 2] {
        [unit(a) < self.probability, unit(b) < self.probability]
    }
}

/// True with this probability, to within 2^-53.
pub(crate) fn bernoulli(key: Key, first: u64, probability: f64, output: &mut [bool]) {
    fill(key, first, output, &Bernoulli { probability });
}

#[cfg(test)]
mod tests;
