//! xoshiro256++ (Blackman and Vigna, *Scrambled linear pseudorandom number generators*, 2021) in lanes.
//!
//! A stream is cut into blocks of [`BLOCK`] elements. [`LANES`] generators make a block and take turns:
//! element `i` of a block is draw `i / LANES` of lane `i % LANES`. The next block has new generators, so any
//! block is reached without the ones before it.
//!
//! Lane `l` of block `b` starts from draw `LANES * b + l` of four SplitMix64 generators (Steele, Lea and Flood,
//! *Fast splittable pseudorandom number generators*, 2014), one for each word of its state. A generator of
//! another kind avoids lanes that start alike (Matsumoto et al., *Common defects in initialization of
//! pseudorandom number generators*, 2007), and SplitMix64 takes a third of the instructions of Philox. Each
//! SplitMix64 draw is a bijection of its index: no two lanes of a stream start from the same state. The four
//! generators start from the 256 bits that Philox makes of seed and stream. The period is 2^256 - 1: that two
//! of 2^40 lanes overlap within their [`STEPS`] draws has the probability 2^-170.
//!
//! The block length is a compromise. To start a block takes about a tenth of the time of its draws, and a row of
//! a matrix that starts within a block steps over the draws before it: 256 of them on average.

use super::{Distribution, Key, philox};
use multiversion::multiversion;

/// How many generators make a block: they fill the vector registers of AVX2 and half of those of AVX-512.
const LANES: usize = 16;
/// How many draws a generator makes.
const STEPS: usize = 32;
/// How many elements a block has.
const BLOCK: usize = LANES * STEPS;
/// A row is two draws of every lane: what distributions that take draws in pairs need.
const ROW: usize = 2 * LANES;
const ROWS: u64 = (BLOCK / ROW) as u64;

/// 2^64 over the golden ratio, made odd: what SplitMix64 adds to its state for every draw.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function.
#[inline(always)]
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// Word `word` of the state that a lane of a block starts from.
#[inline(always)]
fn seed_word(keys: &[u64; 4], word: usize, block: u64, lane: usize) -> u64 {
    let index = block.wrapping_mul(LANES as u64).wrapping_add(lane as u64 + 1);
    mix(keys[word].wrapping_add(index.wrapping_mul(GOLDEN)))
}

/// The state after one more draw.
#[inline(always)]
fn step([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    let (e, f) = (c ^ a, d ^ b);
    [a ^ f, b ^ e, e ^ b << 17, f.rotate_left(45)]
}

/// The draw that a state gives.
#[inline(always)]
fn output([a, _, _, d]: [u64; 4]) -> u64 {
    a.wrapping_add(d).rotate_left(23).wrapping_add(a)
}

/// The four words of a state, each for all lanes.
#[derive(Clone, Copy)]
struct Lanes([[u64; LANES]; 4]);

impl Lanes {
    #[inline(always)]
    fn start(keys: &[u64; 4], block: u64) -> Self {
        let mut words = [[0; LANES]; 4];
        for (word, lanes) in words.iter_mut().enumerate() {
            for (lane, start) in lanes.iter_mut().enumerate() {
                *start = seed_word(keys, word, block, lane);
            }
        }
        Self(words)
    }

    /// The next draw of every lane.
    #[inline(always)]
    fn draws(&mut self) -> [u64; LANES] {
        let mut draws = [0; LANES];
        for (lane, draw) in draws.iter_mut().enumerate() {
            let state = [self.0[0][lane], self.0[1][lane], self.0[2][lane], self.0[3][lane]];
            *draw = output(state);
            [self.0[0][lane], self.0[1][lane], self.0[2][lane], self.0[3][lane]] = step(state);
        }
        draws
    }

    /// Writes the elements of the next row.
    #[inline(always)]
    fn row<T, D: Distribution<T>>(&mut self, row: &mut [T; ROW], distribution: &D) {
        let (first, second) = (self.draws(), self.draws());
        for lane in 0..LANES {
            [row[lane], row[LANES + lane]] = distribution.pair([first[lane], second[lane]]);
        }
    }
}

/// The 256 bits that name a stream. No attempt of an element has the number that sets their counters apart.
fn keys(key: Key) -> [u64; 4] {
    let [[a, b], [c, d]] = [0, 1].map(|block| philox::pair(key, block, u32::MAX));
    [a, b, c, d]
}

/// A stream, and where its lanes stand: whoever goes on where they stopped starts no block anew.
#[derive(Clone)]
pub(super) struct Xoshiro {
    pub(super) keys: [u64; 4],
    lanes: Lanes,
    /// The row that the lanes make next, or none at the start and after the last row of a block.
    next_row: Option<u64>,
}

impl Xoshiro {
    pub(super) fn new(key: Key) -> Self {
        Self { keys: keys(key), lanes: Lanes([[0; LANES]; 4]), next_row: None }
    }

    /// One element, from the two draws of its lane that make it and another.
    pub(super) fn one<T: Copy, D: Distribution<T>>(&self, index: u64, distribution: &D) -> T {
        let place = index as usize % ROW;
        let first = index - place as u64 + (place % LANES) as u64;
        distribution.pair([self.draw(first), self.draw(first + LANES as u64)])[place / LANES]
    }

    /// The draw of one element.
    fn draw(&self, index: u64) -> u64 {
        let (block, place) = (index / BLOCK as u64, index as usize % BLOCK);
        let mut state = std::array::from_fn(|word| seed_word(&self.keys, word, block, place % LANES));
        (0..place / LANES).for_each(|_| state = step(state));
        output(state)
    }

    /// Fills elements `first ..`.
    pub(super) fn fill<T, D>(&mut self, first: u64, mut elements: &mut [T], distribution: &D)
    where
        T: Copy + Default,
        D: Distribution<T>,
    {
        let mut row = first / ROW as u64;
        let mut skipped = first as usize % ROW;
        while !elements.is_empty() {
            let left = (ROWS - row % ROWS) as usize * ROW - skipped;
            let (now, later) = elements.split_at_mut(left.min(elements.len()));
            fill_within_block(self, row, skipped, now, distribution);
            (elements, row, skipped) = (later, (row / ROWS).wrapping_add(1).wrapping_mul(ROWS), 0);
        }
    }
}

/// Fills elements that lie in one block, from the one after `skipped` elements of a row on.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn fill_within_block<T: Copy + Default, D: Distribution<T>>(
    source: &mut Xoshiro,
    row: u64,
    skipped: usize,
    mut elements: &mut [T],
    distribution: &D,
) {
    let block = row / ROWS;
    let is_ahead = |next: &u64| *next / ROWS == block && *next <= row;
    let (mut lanes, from) = match source.next_row.filter(is_ahead) {
        Some(next) => (source.lanes, next),
        None => (Lanes::start(&source.keys, block), block * ROWS),
    };
    for _ in from..row {
        lanes.draws();
        lanes.draws();
    }
    let mut next = row;
    if skipped > 0 {
        let mut whole = [T::default(); ROW];
        let mut ahead = lanes;
        ahead.row(&mut whole, distribution);
        let count = elements.len().min(ROW - skipped);
        elements[..count].copy_from_slice(&whole[skipped..skipped + count]);
        elements = &mut elements[count..];
        // A row that is not finished is made again by whoever wants its rest.
        if skipped + count == ROW {
            (lanes, next) = (ahead, next + 1);
        }
    }
    let (rows, rest) = elements.as_chunks_mut::<ROW>();
    next += rows.len() as u64;
    for elements in rows {
        lanes.row(elements, distribution);
    }
    source.lanes = lanes;
    source.next_row = (!next.is_multiple_of(ROWS) || next == row).then_some(next);
    if !rest.is_empty() {
        let mut whole = [T::default(); ROW];
        lanes.row(&mut whole, distribution);
        rest.copy_from_slice(&whole[..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BitGenerator, Source, bits};
    use super::*;
    use rand_core::{RngCore, SeedableRng};
    use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

    const KEY: Key = Key { generator: BitGenerator::Xoshiro256PlusPlus, seed: 7, stream: 3 };

    /// The elements of one block, by the generators of another library.
    fn reference(block: u64) -> Vec<u64> {
        let mut seeds = keys(KEY).map(|key| {
            let mut seeds = SplitMix64::seed_from_u64(key);
            (0..block * LANES as u64).for_each(|_| _ = seeds.next_u64());
            seeds
        });
        let mut lanes: Vec<_> = (0..LANES)
            .map(|_| {
                let mut state = [0; 32];
                for (bytes, seeds) in state.chunks_exact_mut(8).zip(&mut seeds) {
                    bytes.copy_from_slice(&seeds.next_u64().to_le_bytes());
                }
                Xoshiro256PlusPlus::from_seed(state)
            })
            .collect();
        (0..BLOCK).map(|place| lanes[place % LANES].next_u64()).collect()
    }

    #[test]
    fn the_lanes_are_the_generators_of_rand_xoshiro() {
        for block in [0, 1, 1000] {
            let mut draws = vec![0; BLOCK];
            bits(&mut Source::new(KEY), block * BLOCK as u64, &mut draws);
            assert_eq!(draws, reference(block), "block {block}");
        }
    }

    #[test]
    fn one_element_is_drawn_alone() {
        let mut draws = vec![0; 2 * BLOCK];
        bits(&mut Source::new(KEY), 0, &mut draws);
        let source = Xoshiro::new(KEY);
        (0..2 * BLOCK).for_each(|index| assert_eq!(source.draw(index as u64), draws[index], "{index}"));
    }

    #[test]
    fn the_last_elements_of_a_stream_exist() {
        let first = u64::MAX - 600;
        let mut draws = vec![0; 601];
        bits(&mut Source::new(KEY), first, &mut draws);
        let source = Xoshiro::new(KEY);
        (0..601).for_each(|place| assert_eq!(source.draw(first + place), draws[place as usize]));
    }
}
