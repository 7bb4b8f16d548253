//! Multisequence selection: where to cut sorted blocks so that the pieces before the cuts have a given number of
//! elements in all. Pure.
//!
//! A *row* holds, for each block, the range in which its cut lies. Each round takes every `gap`th element of these
//! ranges as a sample and merges the samples of all blocks. The place of a sample among the merged ones bounds its
//! rank, so samples that are surely before or after the cut narrow the ranges. With a gap of 1 the ranks are exact.
//! How many rounds there are depends on the sizes of the blocks alone, so the tasks are known before any element is.
//!
//! Equal elements are ordered by block and by place in it. So they spread over several outputs, and every cut is
//! exact, however many elements are equal.
//!
//! Source: the problem and its exact solution by narrowed ranges are P. J. Varman, S. D. Scheufler, B. R. Iyer and
//! G. R. Ricard, "Merging multiple lists on hierarchical-memory multiprocessors", J. Parallel Distrib. Comput. 12
//! (1991); its use for a sort with balanced output is M. Axtmann and P. Sanders, "Robust massively parallel sorting"
//! (ALENEX 2017). The bounds on ranks below are derived here.

use serde::{Deserialize, Serialize};

/// The ranges in which the cuts of all blocks for some targets lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// For each block, how many elements are surely before the cut.
    low: Vec<u64>,
    /// For each block, how many elements may be before the cut.
    high: Vec<u64>,
    /// How many elements of all blocks are before each of the cuts, in ascending order.
    targets: Vec<u64>,
}

/// A number of samples that is merged in a few milliseconds.
const SAMPLES_MAX: usize = 1 << 18;

impl Row {
    /// Nothing is known: the cuts lie anywhere in blocks of these sizes. The targets are where blocks of the same
    /// sizes end, except for the last one.
    pub(crate) fn of_sizes(sizes: &[usize]) -> Self {
        let high: Vec<u64> = sizes.iter().map(|size| *size as u64).collect();
        let ends = high.iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        let targets = ends.take(sizes.len() - 1).collect();
        Self { low: vec![0; sizes.len()], high, targets }
    }

    /// The places of the samples in a block.
    pub(crate) fn samples(&self, block: usize, gap: u64) -> impl Iterator<Item = usize> {
        let (low, count) = (self.low[block], self.sample_count(block, gap));
        (1..=count).map(move |sample| (low + sample * gap - 1) as usize)
    }

    fn sample_count(&self, block: usize, gap: u64) -> u64 {
        (self.high[block] - self.low[block]) / gap
    }

    /// A row for each target, with ranges that the samples of all blocks narrow: for each block their keys, in
    /// ascending order.
    fn narrowed(&self, gap: u64, samples: &[&[u64]]) -> Vec<Self> {
        let blocks = samples.len();
        let mut merged: Vec<(u64, usize)> = Vec::with_capacity(samples.iter().map(|keys| keys.len()).sum());
        for (block, keys) in samples.iter().enumerate() {
            merged.extend(keys.iter().map(|key| (*key, block)));
        }
        // Stable: equal keys stay in the order of blocks and places.
        merged.sort_by_key(|sample| sample.0);
        let known: u64 = self.low.iter().sum();
        // At least (M + 1) * gap - 1 elements are before the sample at place M, and for each other block at most
        // gap - 1 more.
        let slack = (blocks as u64 - 1) * (gap - 1);
        let bounds = self.targets.iter().flat_map(|target| {
            let open = target - known;
            [open.saturating_sub(slack) / gap, (open + 1).div_ceil(gap) - 1]
        });
        let bounds: Vec<usize> = bounds.map(|bound| (bound as usize).min(merged.len())).collect();
        let counts = counts_before(&merged, &bounds, blocks);
        let row = |(target, counts): (&u64, &[Vec<u64>])| {
            let (inside, possible) = (&counts[0], &counts[1]);
            let low = (0..blocks).map(|block| self.low[block] + inside[block] * gap).collect();
            let high = (0..blocks).map(|block| match possible[block] < samples[block].len() as u64 {
                true => self.low[block] + (possible[block] + 1) * gap - 1,
                false => self.high[block],
            });
            Self { low, high: high.collect(), targets: vec![*target] }
        };
        self.targets.iter().zip(counts.chunks(2)).map(row).collect()
    }
}

/// How many samples of each block are before each of these places.
fn counts_before(merged: &[(u64, usize)], places: &[usize], blocks: usize) -> Vec<Vec<u64>> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|place| places[*place]);
    let (mut counts, mut done) = (vec![0; blocks], 0);
    let mut found = vec![Vec::new(); places.len()];
    for place in order {
        merged[done..places[place]].iter().for_each(|(_, block)| counts[*block] += 1);
        done = places[place];
        found[place].clone_from(&counts);
    }
    found
}

/// Narrows all rows. For each block the keys of the samples of all rows, one row after the other.
pub(crate) fn narrow(rows: &[Row], gap: u64, samples: &[&[u64]]) -> Vec<Row> {
    let mut rest: Vec<&[u64]> = samples.to_vec();
    let mut narrowed = Vec::new();
    for row in rows {
        let own: Vec<&[u64]> = rest
            .iter_mut()
            .enumerate()
            .map(|(block, rest)| {
                let (own, others) = rest.split_at(row.sample_count(block, gap) as usize);
                *rest = others;
                own
            })
            .collect();
        narrowed.extend(row.narrowed(gap, &own));
    }
    narrowed
}

/// The gap of each round for blocks of these sizes. The last one is 1.
pub(crate) fn gaps(sizes: &[usize]) -> Vec<u64> {
    let (blocks, length) = (sizes.len(), sizes.iter().sum::<usize>());
    let targets = (blocks - 1).max(1);
    // As many as a block has elements at most, but enough for each round to halve what is open.
    let samples_max = sizes.iter().copied().max().unwrap_or(0).min(SAMPLES_MAX).max(4 * blocks * targets);
    let (mut open, mut row_samples) = (length, samples_max);
    let mut gaps = Vec::new();
    loop {
        let gap = open.div_ceil(row_samples).max(1);
        gaps.push(gap as u64);
        if gap == 1 {
            return gaps;
        }
        open = open.min(2 * blocks * gap);
        row_samples = samples_max / targets;
    }
}

/// The cuts of the blocks, target after target: first where each block begins, last where it ends.
pub(crate) fn cuts(rows: &[Row], sizes: &[usize]) -> Vec<u64> {
    debug_assert!(rows.iter().all(|row| row.low == row.high), "the last gap is 1");
    let inner = rows.iter().flat_map(|row| row.low.iter().copied());
    let ends = sizes.iter().map(|size| *size as u64);
    vec![0; sizes.len()].into_iter().chain(inner).chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The cuts of sorted blocks, and the largest number of samples that a round takes.
    fn select(blocks: &[Vec<u64>], gaps: &[u64]) -> (Vec<u64>, usize) {
        let sizes: Vec<usize> = blocks.iter().map(Vec::len).collect();
        let mut rows = vec![Row::of_sizes(&sizes)];
        let mut most = 0;
        for gap in gaps {
            let samples: Vec<Vec<u64>> = blocks
                .iter()
                .enumerate()
                .map(|(place, block)| {
                    rows.iter().flat_map(|row| row.samples(place, *gap)).map(|at| block[at]).collect()
                })
                .collect();
            most = most.max(samples.iter().map(Vec::len).sum());
            let samples: Vec<&[u64]> = samples.iter().map(Vec::as_slice).collect();
            rows = narrow(&rows, *gap, &samples);
        }
        (cuts(&rows, &sizes), most)
    }

    /// Cuts by sorting all elements with their blocks.
    fn naive(blocks: &[Vec<u64>]) -> Vec<u64> {
        let mut all: Vec<(u64, usize)> = Vec::new();
        blocks
            .iter()
            .enumerate()
            .for_each(|(place, block)| all.extend(block.iter().map(|key| (*key, place))));
        all.sort();
        let mut cuts = vec![0; blocks.len()];
        let (mut counts, mut done) = (cuts.clone(), 0);
        for block in blocks {
            all[done..done + block.len()].iter().for_each(|(_, place)| counts[*place] += 1);
            done += block.len();
            cuts.extend(&counts);
        }
        cuts
    }

    proptest! {
        #[test]
        fn cuts_are_those_of_all_elements_sorted(
            sizes in prop::collection::vec(0usize..200, 1..9),
            first_gap in 1u64..50,
            bits in 0u32..12,
            seed: u64,
            is_sorted: bool,
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> 40 & ((1 << bits) - 1)
            };
            let mut all: Vec<u64> = (0..sizes.iter().sum()).map(|_| next()).collect();
            if is_sorted {
                all.sort();
            }
            let mut rest = &all[..];
            let blocks: Vec<Vec<u64>> = sizes
                .iter()
                .map(|size| {
                    let (block, others) = rest.split_at(*size);
                    rest = others;
                    let mut block = block.to_vec();
                    block.sort();
                    block
                })
                .collect();
            let expected = naive(&blocks);
            // Narrowing is right for any gaps, and the planned ones end with exact cuts.
            prop_assert_eq!(&select(&blocks, &[first_gap, first_gap.div_ceil(3), 1]).0, &expected);
            prop_assert_eq!(&select(&blocks, &gaps(&sizes)).0, &expected);
        }
    }

    #[test]
    fn few_samples_are_taken_in_few_rounds() {
        // With few elements one round takes them all.
        assert_eq!(gaps(&[8, 8, 8]), [1]);
        assert_eq!(gaps(&[0]), [1]);
        for (size, count, rounds) in [(1_000_000, 8, 3), (10_000_000, 100, 7), (16_000_000, 1000, 15)] {
            let gaps = gaps(&vec![size; count]);
            assert!(gaps.len() <= rounds, "{count} blocks of {size}: {gaps:?}");
        }
    }

    #[test]
    fn no_round_takes_more_samples_than_a_block_has_elements() {
        let size = 20_000;
        for values in [1, 7, u64::MAX] {
            let block = |place: u64| {
                let key = |at: u64| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(place << 7) % values;
                let mut block: Vec<u64> = (0..size).map(|at| key(at * 12 + place)).collect();
                block.sort();
                block
            };
            let blocks: Vec<Vec<u64>> = (0..12).map(block).collect();
            let gaps = gaps(&[size as usize; 12]);
            assert!(gaps.len() > 1, "{gaps:?}");
            let (found, most) = select(&blocks, &gaps);
            assert_eq!(found, naive(&blocks));
            assert!(most <= size as usize, "{most} samples");
        }
    }
}
