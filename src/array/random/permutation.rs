//! A random order of the numbers below some length, element by element.

use super::{Key, integers::upper, philox};
use multiversion::multiversion;
use std::array;

/// A random permutation of `0 .. length`. Each element is computed alone, in time that grows with the
/// logarithm of the length, and nothing is stored but the keys of the rounds.
///
/// Swap-or-not (Hoang, Morris and Rogaway, *An enciphering scheme based on a card shuffle*, 2012): a round
/// pairs every number `x` with `k - x` modulo the length for a random `k`, and swaps the two or not by a
/// random bit of the pair. It is a bijection for every length, without a search.
pub(crate) struct Permutation {
    length: u64,
    rounds: Vec<Round>,
}

/// `x` and `sum - x` are a pair; its larger number times `factor` plus `offset` has the highest bit set when
/// they change places. For random factors and offsets that bit is pairwise independent (Dietzfelbinger 1996).
struct Round {
    sum: u64,
    factor: u64,
    offset: u64,
}

/// How many elements go through a round together.
const LANES: usize = 64;

impl Permutation {
    /// The permutation of this length that the stream names.
    pub(crate) fn new(key: Key, length: u64) -> Self {
        let bits = u64::from(length.checked_ilog2().unwrap_or(0)) + 1;
        let rounds = (0..ROUNDS_A_BIT * bits + ROUNDS_AT_LEAST)
            .map(|round| {
                let [sum, factor] = philox::pair(key, 2 * round, 0);
                let [offset, _] = philox::pair(key, 2 * round + 1, 0);
                Round { sum: upper(sum, length), factor: factor | 1, offset }
            })
            .collect();
        Self { length, rounds }
    }

    /// Elements `first ..` of the permuted numbers.
    ///
    /// # Panics
    /// When the output reaches beyond the length.
    pub(crate) fn fill(&self, first: u64, output: &mut [u64]) {
        let end = first.checked_add(output.len() as u64);
        assert!(end.is_some_and(|end| end <= self.length), "a permutation has no elements beyond its length");
        for (tile, output) in output.chunks_mut(LANES).enumerate() {
            let first = first + (tile * LANES) as u64;
            let mut numbers = array::from_fn(|lane| first.saturating_add(lane as u64).min(self.length - 1));
            shuffle(&mut numbers, &self.rounds, self.length);
            output.copy_from_slice(&numbers[..output.len()]);
        }
    }
}

/// A proof asks for about 6 a bit of the length against someone who tries to tell the order from a random one.
const ROUNDS_A_BIT: u64 = 6;
/// Even two elements must change places in half the permutations.
const ROUNDS_AT_LEAST: u64 = 24;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn shuffle(numbers: &mut [u64; LANES], rounds: &[Round], length: u64) {
    for round in rounds {
        for number in numbers.iter_mut() {
            let other = round.sum.wrapping_sub(*number);
            let other = other.wrapping_add(if *number > round.sum { length } else { 0 });
            let larger = (*number).max(other);
            let swap = larger.wrapping_mul(round.factor).wrapping_add(round.offset) >> 63 != 0;
            *number = if swap { other } else { *number };
        }
    }
}
