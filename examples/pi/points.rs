//! Random points of the unit square, numbered from 0, and how many of them lie in the quarter circle.
//!
//! Point `i` of seed `s` is a pure function of `(s, i)`: however the numbers are split between tasks, workers
//! and devices, the counts add up to the same integer. One draw of 64 bits is one point: `x` is its upper half
//! and `y` its lower half, in units of 2^-32. The point is inside when `x * x + y * y` fits into 64 bits.
//! That test is exact and uses every bit; taking a cell's corner for the cell raises the estimate of pi
//! by 4 * 2^-32 = 1e-9, which shows from about 3e18 points on.
//!
//! The inner loops are plain Rust over arrays of [`LANES`] numbers. [`multiversion`] compiles each for SSE2,
//! AVX2 and AVX-512 (on Arm: NEON) and picks one at run time, so a build for plain x86-64 loses nothing. The
//! targets are spelt out because multiversion's own list, "simd", ends at AVX2.

use clap::ValueEnum;
use multiversion::multiversion;
use serde::{Deserialize, Serialize};
use std::{array, fmt, ops::Range, str::FromStr};

/// How many points a step of the inner loops makes: four AVX-512 registers hide the latency of the arithmetic.
pub(crate) const LANES: usize = 32;

/// Points in a block of [`Generator::Xoshiro256PlusPlus`]. To start a block costs as much as about 50,000
/// points, to start inside it four tenths of what counting the points left out would: 2^22 keeps the first
/// near 1 %, and blocks small enough to give each worker many.
pub(crate) const BLOCK: u64 = 1 << 22;

/// Where the points come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Generator {
    /// SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014), by counter:
    /// the state after `i` draws is the first one plus `i` times a constant, so every point is reached at
    /// once. The same few operations make an OpenCL kernel that counts the same points.
    ///
    /// All seeds walk one cycle of 2^64 states, each from a place of its own. Two seeds with 2^33 points
    /// each overlap with probability 2^-30.
    #[value(name = "splitmix64", alias = "splitmix")]
    SplitMix64,

    /// xoshiro256++ (Blackman and Vigna, *Scrambled linear pseudorandom number generators*, 2019).
    ///
    /// It has no cheap way to its draw `i`, so the points come in blocks of [`BLOCK`], and a block is a pure
    /// function of the seed and its own number: SplitMix64's draw `b` seeds block `b`, as
    /// `rand_xoshiro` seeds from 64 bits. Within a block [`LANES`] generators stand 2^128 draws apart (`jump`)
    /// and take turns: point `i` of the block is draw `i / LANES` of lane `i % LANES`. Whoever starts inside
    /// a block steps over the points before, so split on multiples of [`BLOCK`] where you can.
    #[value(name = "xoshiro256++", alias = "xoshiro")]
    Xoshiro256PlusPlus,
}

impl Generator {
    /// How many of the points `first .. first + count` of `seed` lie in the quarter circle.
    ///
    /// # Panics
    /// When `first + count` does not fit into 64 bits.
    pub(crate) fn count_inside(self, seed: u64, first: u64, count: u64) -> u64 {
        let end = first.checked_add(count).expect("the points are numbered with 64 bits");
        match self {
            Self::SplitMix64 => count_splitmix(seed, first..end),
            Self::Xoshiro256PlusPlus => count_xoshiro(seed, first..end),
        }
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.to_possible_value().expect("no generator is hidden").get_name())
    }
}

impl FromStr for Generator {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(name, true).map_err(|_| format!("{name}: no such generator"))
    }
}

/// 1 when the point of this draw lies in the quarter circle, else 0.
#[inline(always)]
fn inside(draw: u64) -> u64 {
    let (x, y) = (draw >> 32, draw & 0xffff_ffff);
    u64::from(!(x * x).overflowing_add(y * y).1)
}

// SplitMix64

/// 2^64 over the golden ratio, made odd: what SplitMix64 adds to its state for every draw.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function: "mix 13" of David Stafford's variants of MurmurHash3's finaliser.
#[inline(always)]
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Draw `index` of a SplitMix64 whose state starts at `state`.
#[inline(always)]
const fn splitmix_draw(state: u64, index: u64) -> u64 {
    mix(state.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// The state from which a seed's draws start, mixed so that neighbouring seeds start far apart.
pub(crate) const fn splitmix_state(seed: u64) -> u64 {
    splitmix_draw(seed, 0)
}

fn count_splitmix(seed: u64, points: Range<u64>) -> u64 {
    let state = splitmix_state(seed);
    let rows = (points.end - points.start) / LANES as u64;
    let rest = points.start + rows * LANES as u64..points.end;
    count_splitmix_rows(state, points.start, rows)
        + rest.map(|i| inside(splitmix_draw(state, i))).sum::<u64>()
}

/// Counts `rows` times [`LANES`] points from point `first` on.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn count_splitmix_rows(state: u64, first: u64, rows: u64) -> u64 {
    const STEP: u64 = GOLDEN.wrapping_mul(LANES as u64);
    let number = |lane: usize| first.wrapping_add(lane as u64 + 1);
    let mut states: [u64; LANES] =
        array::from_fn(|lane| state.wrapping_add(number(lane).wrapping_mul(GOLDEN)));
    let mut counts = [0; LANES];
    for _ in 0..rows {
        for lane in 0..LANES {
            counts[lane] += inside(mix(states[lane]));
            states[lane] = states[lane].wrapping_add(STEP);
        }
    }
    counts.iter().sum()
}

// xoshiro256++

/// The four words of a generator, each for all lanes.
type Lanes = [[u64; LANES]; 4];

fn count_xoshiro(seed: u64, points: Range<u64>) -> u64 {
    let mut count = 0;
    let mut first = points.start;
    while first < points.end {
        let (block, offset) = (first / BLOCK, first % BLOCK);
        let length = (BLOCK - offset).min(points.end - first);
        count += count_in_block(seed, block, offset as usize..(offset + length) as usize);
        first += length;
    }
    count
}

/// Counts the points with these numbers within a block: whole rows, and parts of the rows at either end.
fn count_in_block(seed: u64, block: u64, points: Range<usize>) -> u64 {
    let mut lanes = block_lanes(seed, block);
    skip_xoshiro_rows(&mut lanes, points.start / LANES);
    let head = points.start.next_multiple_of(LANES).min(points.end) - points.start;
    let rows = (points.len() - head) / LANES;
    let tail = (points.len() - head) % LANES;

    let count_draws = |draws: &[u64]| draws.iter().map(|&draw| inside(draw)).sum::<u64>();
    let mut count = 0;
    if head > 0 {
        let from = points.start % LANES;
        count += count_draws(&next_row(&mut lanes)[from..from + head]);
    }
    count += count_xoshiro_rows(&mut lanes, rows);
    if tail > 0 {
        count += count_draws(&next_row(&mut lanes)[..tail]);
    }
    count
}

/// The lanes at the start of a block.
fn block_lanes(seed: u64, block: u64) -> Lanes {
    let key = splitmix_draw(splitmix_state(seed), block);
    let mut state = array::from_fn(|word| splitmix_draw(key, word as u64));
    let starts: [[u64; 4]; LANES] = array::from_fn(|_| {
        let start = state;
        state = jump(state);
        start
    });
    array::from_fn(|word| starts.map(|start| start[word]))
}

/// 2^128 draws on: the sum of those of the next 256 states that the polynomial names. It is the one that
/// Blackman and Vigna publish with the generator.
fn jump(mut state: [u64; 4]) -> [u64; 4] {
    const POLYNOMIAL: [u64; 4] =
        [0x180e_c6d3_3cfd_0aba, 0xd5a6_1266_f0c9_392c, 0xa958_2618_e03f_c9aa, 0x39ab_dc45_29b1_661c];
    let mut sum = [0; 4];
    for bits in POLYNOMIAL {
        for bit in 0..64 {
            let mask = (bits >> bit & 1).wrapping_neg();
            (0..4).for_each(|word| sum[word] ^= state[word] & mask);
            state = step(state);
        }
    }
    sum
}

/// The state after one more draw.
#[inline(always)]
fn step([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    let (e, f) = (c ^ a, d ^ b);
    [a ^ f, b ^ e, e ^ b << 17, f.rotate_left(45)]
}

/// What a state yields.
#[inline(always)]
fn output([a, _, _, d]: [u64; 4]) -> u64 {
    a.wrapping_add(d).rotate_left(23).wrapping_add(a)
}

/// One draw of every lane.
#[inline(always)]
fn next_row(lanes: &mut Lanes) -> [u64; LANES] {
    let mut draws = [0; LANES];
    for lane in 0..LANES {
        let state = [lanes[0][lane], lanes[1][lane], lanes[2][lane], lanes[3][lane]];
        draws[lane] = output(state);
        [lanes[0][lane], lanes[1][lane], lanes[2][lane], lanes[3][lane]] = step(state);
    }
    draws
}

/// Counts the points of the next `rows` draws of every lane.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn count_xoshiro_rows(lanes: &mut Lanes, rows: usize) -> u64 {
    let mut state = *lanes;
    let mut counts = [0; LANES];
    for _ in 0..rows {
        let draws = next_row(&mut state);
        (0..LANES).for_each(|lane| counts[lane] += inside(draws[lane]));
    }
    *lanes = state;
    counts.iter().sum()
}

/// Leaves out the next `rows` draws of every lane.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn skip_xoshiro_rows(lanes: &mut Lanes, rows: usize) {
    let mut state = *lanes;
    for _ in 0..rows {
        next_row(&mut state);
    }
    *lanes = state;
}

#[cfg(test)]
mod tests;
