//! Random numbers by element index.
//!
//! Element `i` of a stream is a pure function of the stream's [`Key`] and `i`: a slice of a stream can be
//! filled from any element on, by anyone, and holds the same values. The processor does not matter either.
//!
//! The bits come from one of two generators ([`BitGenerator`]): `xoshiro.rs` has a cheap next draw and reaches
//! any block of elements, `philox.rs` reaches any element. All distributions use the same draws: give every
//! array a stream of its own. A distribution takes one draw an element, or two draws for two elements.
//!
//! Distributions are inversions and the method of Box and Muller, which take the same steps for every element.
//! A ziggurat branches by element and rejects, and vector registers do neither.

mod integers;
mod permutation;
mod philox;
mod rejection;
mod variates;
mod xoshiro;

#[cfg(test)]
pub(crate) use integers::integers;
pub(crate) use integers::{Integer, integers_from};
pub(crate) use permutation::Permutation;
pub(crate) use rejection::{Rejection, multinomial};
pub(crate) use variates::Variate;

use super::math;
use xoshiro::Xoshiro;

/// The generator of the random bits of an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum BitGenerator {
    /// xoshiro256++ (Blackman and Vigna 2021) in 16 lanes, started anew for each 512 elements: the faster one
    /// on CPUs. On a device each element steps over up to 31 draws of its lane.
    #[default]
    Xoshiro256PlusPlus,
    /// Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011), counted by the index of the element: the faster one
    /// on devices, and where slices take single elements.
    Philox,
}

/// Names a stream of random elements. Streams are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Key {
    pub(crate) generator: BitGenerator,
    pub(crate) seed: u64,
    pub(crate) stream: u32,
}

/// A stream, and where it was left. Which elements it gives does not depend on that; those that follow the
/// last ones come faster.
#[derive(Clone)]
pub(crate) struct Source {
    key: Key,
    xoshiro: Option<Box<Xoshiro>>,
}

impl Source {
    pub(crate) fn new(key: Key) -> Self {
        let xoshiro = match key.generator {
            BitGenerator::Xoshiro256PlusPlus => Some(Box::new(Xoshiro::new(key))),
            BitGenerator::Philox => None,
        };
        Self { key, xoshiro }
    }

    /// What the stream is named by.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The 256 bits that lanes start from, if the stream has lanes.
    pub(crate) fn lane_keys(&self) -> Option<[u64; 4]> {
        self.xoshiro.as_ref().map(|xoshiro| xoshiro.keys)
    }

    /// Fills elements `first ..`.
    fn fill<T: Copy + Default, D: Distribution<T>>(
        &mut self,
        first: u64,
        output: &mut [T],
        distribution: &D,
    ) {
        match (&mut self.xoshiro, output) {
            (Some(xoshiro), [one]) => *one = xoshiro.one(first, distribution),
            (Some(xoshiro), output) => xoshiro.fill(first, output, distribution),
            (None, output) => philox::fill(self.key, first, output, distribution),
        }
    }
}

/// Makes two elements of two draws.
trait Distribution<T> {
    fn pair(&self, draws: [u64; 2]) -> [T; 2];
}

/// The upper 53 bits as a number from 0 up to but not 1.
///
/// Vector registers of AVX2 convert no integers of 64 bits. The upper 52 bits are the mantissa of a number from
/// 1 to 2; what is taken from it is 1, or 2^-53 less for the lowest bit. Both steps are exact.
#[inline(always)]
fn unit(draw: u64) -> f64 {
    const ONE: u64 = 1.0f64.to_bits();
    f64::from_bits(draw >> 12 | ONE) - f64::from_bits(ONE - (draw >> 11 & 1))
}

struct Bits;

impl Distribution<u64> for Bits {
    #[inline(always)]
    fn pair(&self, draws: [u64; 2]) -> [u64; 2] {
        draws
    }
}

/// 64 random bits an element.
pub(crate) fn bits(source: &mut Source, first: u64, output: &mut [u64]) {
    source.fill(first, output, &Bits);
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
pub(crate) fn uniform_f64(source: &mut Source, first: u64, output: &mut [f64]) {
    source.fill(first, output, &Uniform);
}

/// Numbers from 0 up to but not 1, in steps of 2^-24: those of [`uniform_f64`], cut off.
pub(crate) fn uniform_f32(source: &mut Source, first: u64, output: &mut [f32]) {
    source.fill(first, output, &Uniform);
}

struct Normal;

impl Distribution<f64> for Normal {
    #[inline(always)]
    fn pair(&self, [distance, direction]: [u64; 2]) -> [f64; 2] {
        let distance = (-2.0 * math::ln_normal(1.0 - unit(distance))).sqrt();
        let (sine, cosine) = math::sin_cos_turns(unit(direction));
        [distance * cosine, distance * sine]
    }
}

/// Normal numbers of mean 0 and standard deviation 1, by the method of Box and Muller.
///
/// The two elements of a pair are one point: its distance from 0 comes from the first draw, its direction from
/// the second. Two elements share a logarithm, a root, a sine and a cosine; an inversion (Wichura's AS 241)
/// takes two quotients of polynomials, a logarithm and a root for each element. None lies beyond 8.6.
pub(crate) fn normal_f64(source: &mut Source, first: u64, output: &mut [f64]) {
    source.fill(first, output, &Normal);
}

/// [`normal_f64`], rounded.
pub(crate) fn normal_f32(source: &mut Source, first: u64, output: &mut [f32]) {
    source.fill(first, output, &Rounded(Normal));
}

struct Exponential;

impl Distribution<f64> for Exponential {
    #[inline(always)]
    fn pair(&self, [a, b]: [u64; 2]) -> [f64; 2] {
        [-math::ln_normal(1.0 - unit(a)), -math::ln_normal(1.0 - unit(b))]
    }
}

/// Exponential numbers of mean 1, by inversion. None lies beyond 37.
pub(crate) fn exponential_f64(source: &mut Source, first: u64, output: &mut [f64]) {
    source.fill(first, output, &Exponential);
}

/// [`exponential_f64`], rounded.
pub(crate) fn exponential_f32(source: &mut Source, first: u64, output: &mut [f32]) {
    source.fill(first, output, &Rounded(Exponential));
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
pub(crate) fn bernoulli(source: &mut Source, first: u64, probability: f64, output: &mut [bool]) {
    source.fill(first, output, &Bernoulli { probability });
}

#[cfg(test)]
mod tests;
