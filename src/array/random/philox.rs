//! Philox4x32-10 (Salmon, Moraes, Dror and Shaw, *Parallel random numbers: as easy as 1, 2, 3*, 2011): a bijection
//! of 128-bit counters for every 64-bit key, mixed so that counting gives random bits.
//!
//! Its key is the seed; its counter is the element's index, the stream and the attempt. A counter gives 128
//! bits, that is two elements: element `i` takes half `i % 2` of counter `i / 2`.

use super::{Distribution, Key};
use multiversion::multiversion;

/// How many counters are encrypted at once: enough to hide the latency of the multiplications.
const LANES: usize = 16;

const MULTIPLIERS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// The golden ratio and the square root of 3 less 1, times 2^32: what the key's words grow by each round.
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// Each of the four words stands alone in the lower half of 64 bits: processors multiply that way.
#[inline(always)]
fn encrypt([mut a, mut b, mut c, mut d]: [u64; 4], mut key: [u32; 2]) -> [u64; 4] {
    for _ in 0..ROUNDS {
        let (left, right) = (a * MULTIPLIERS[0], c * MULTIPLIERS[1]);
        [a, b, c, d] = [
            right >> 32 ^ b ^ u64::from(key[0]),
            right & 0xffff_ffff,
            left >> 32 ^ d ^ u64::from(key[1]),
            left & 0xffff_ffff,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    [a, b, c, d]
}

/// The 128 bits of one counter, as the draws of elements `2 * block` and `2 * block + 1`.
#[inline(always)]
pub(super) fn pair(key: Key, block: u64, attempt: u32) -> [u64; 2] {
    let counter = [block & 0xffff_ffff, block >> 32, u64::from(key.stream), u64::from(attempt)];
    let [a, b, c, d] = encrypt(counter, [key.seed as u32, (key.seed >> 32) as u32]);
    [a | b << 32, c | d << 32]
}

/// The first and the second draws of [`LANES`] counters from `block` on.
#[inline(always)]
fn pairs(key: Key, block: u64) -> [[u64; LANES]; 2] {
    let (mut even, mut odd) = ([0; LANES], [0; LANES]);
    for lane in 0..LANES {
        [even[lane], odd[lane]] = pair(key, block.wrapping_add(lane as u64), 0);
    }
    [even, odd]
}

/// The 64 bits of element `index`. Who has to reject some draws asks for the next attempt.
pub(super) fn draw(key: Key, index: u64, attempt: u32) -> u64 {
    pair(key, index / 2, attempt)[(index % 2) as usize]
}

/// Fills elements `first ..` of a stream.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn fill<T: Copy + Default, D: Distribution<T>>(
    key: Key,
    first: u64,
    mut output: &mut [T],
    distribution: &D,
) {
    let mut block = first / 2;
    if first % 2 == 1
        && let Some((odd, rest)) = std::mem::take(&mut output).split_first_mut()
    {
        *odd = distribution.pair(pair(key, block, 0))[1];
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
    let [even, odd] = pairs(key, block);
    for lane in 0..LANES {
        [chunk[2 * lane], chunk[2 * lane + 1]] = distribution.pair([even[lane], odd[lane]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random123's `kat_vectors`.
    #[test]
    fn known_answers() {
        let vectors: [([u64; 4], [u32; 2], [u64; 4]); 3] = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([0xffff_ffff; 4], [0xffff_ffff; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in vectors {
            assert_eq!(encrypt(counter, key), answer);
        }
    }
}
