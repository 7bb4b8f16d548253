//! Sample sort of a line of blocks: each block is sorted, a [selection](super::selection) tells where to cut the
//! sorted blocks, and each output merges its pieces. Outputs have the sizes of the blocks.
//!
//! Sorted blocks are matrices whose columns are moved as one: a row of elements, or a row of keys and one of the
//! places that they come from.

use super::{
    key_of, order,
    selection::{self, Row},
};
use crate::{
    array::{Element, Ordered, graph::submitter::Submitter},
    client::Future,
    error::Result,
    task::Shared,
};
use ndarray::{ArrayD, ArrayView1, Axis, IxDyn, Slice};

/// Sorts a line of blocks; each output has the shape of the block at its place.
pub(crate) fn sort_line<T: Ordered>(
    client: &Submitter<'_>,
    blocks: &[Future<ArrayD<T>>],
    shapes: &[Vec<usize>],
) -> Result<Vec<Future<ArrayD<T>>>> {
    let sorted = client.map(sorted_row::<T>, blocks);
    let pieces = exchange(client, &sorted, &sizes(shapes))?;
    Ok(client.map(merge::<T>, pieces.into_iter().zip(shapes.iter().cloned())))
}

/// The places that the elements of a sorted line of blocks come from; each output has the shape of the block at its
/// place.
pub(crate) fn argsort_line<T: Ordered>(
    client: &Submitter<'_>,
    blocks: &[Future<ArrayD<T>>],
    shapes: &[Vec<usize>],
) -> Result<Vec<Future<ArrayD<i64>>>> {
    let pieces = ranked_pieces(client, blocks, &sizes(shapes))?;
    Ok(client.map(merge_places, pieces.into_iter().zip(shapes.iter().cloned())))
}

/// The keys of a sorted line of blocks, in one row, and the places that they come from, in another.
pub(crate) fn rank_line<T: Ordered>(
    client: &Submitter<'_>,
    blocks: &[Future<ArrayD<T>>],
    sizes: &[usize],
) -> Result<Vec<Future<ArrayD<u64>>>> {
    Ok(client.map(merge_ranked, ranked_pieces(client, blocks, sizes)?))
}

fn ranked_pieces<T: Ordered>(
    client: &Submitter<'_>,
    blocks: &[Future<ArrayD<T>>],
    sizes: &[usize],
) -> Result<Vec<Vec<Future<ArrayD<u64>>>>> {
    let starts = starts(sizes.iter().map(|size| *size as u64));
    let ranked = client.map(ranked_rows::<T>, blocks.iter().zip(starts));
    exchange(client, &ranked, sizes)
}

/// Where each of some regions begins that follow each other.
pub(crate) fn starts(sizes: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
    sizes.scan(0, |end, size| {
        *end += size;
        Some(*end - size)
    })
}

fn sizes(shapes: &[Vec<usize>]) -> Vec<usize> {
    shapes.iter().map(|shape| shape.iter().product()).collect()
}

/// Cuts sorted blocks; gives the pieces of each output.
fn exchange<T: Ordered>(
    client: &Submitter<'_>,
    sorted: &[Future<ArrayD<T>>],
    sizes: &[usize],
) -> Result<Vec<Vec<Future<ArrayD<T>>>>> {
    if sorted.len() == 1 {
        return Ok(vec![sorted.to_vec()]);
    }
    let mut rows = client.scatter(vec![Row::of_sizes(sizes)])?;
    for gap in selection::gaps(sizes) {
        let samples = sorted.iter().enumerate().map(|(place, block)| (block, &rows, place, gap));
        let samples = client.map(sample::<T>, samples);
        rows = client.submit(narrow, (&rows, samples, gap));
    }
    let cuts = client.submit(cuts, (&rows, sizes.to_vec()));
    let pieces = |output: usize| {
        let cut = |(place, block)| (block, &cuts, output * sorted.len() + place, sorted.len());
        client.map(piece::<T>, sorted.iter().enumerate().map(cut))
    };
    Ok((0..sorted.len()).map(pieces).collect())
}

/// The first row of a sorted block.
fn first_row<T>(block: &ArrayD<T>) -> ArrayView1<'_, T> {
    block.index_axis(Axis(0), 0).into_dimensionality().expect("a sorted block is a matrix")
}

fn sorted_row<T: Ordered>(block: &ArrayD<T>) -> ArrayD<T> {
    let mut values: Vec<T> = block.iter().copied().collect();
    values.sort_by(order);
    ArrayD::from_shape_vec(IxDyn(&[1, values.len()]), values).expect("a row of all elements")
}

fn ranked_rows<T: Ordered>(block: &ArrayD<T>, start: u64) -> ArrayD<u64> {
    let mut pairs: Vec<(u64, u64)> = (start..).zip(block).map(|(at, value)| (key_of(*value), at)).collect();
    pairs.sort_unstable();
    rows_of(&pairs)
}

/// Pairs as the columns of a matrix.
pub(crate) fn rows_of(pairs: &[(u64, u64)]) -> ArrayD<u64> {
    let elements = pairs.iter().map(|pair| pair.0).chain(pairs.iter().map(|pair| pair.1)).collect();
    ArrayD::from_shape_vec(IxDyn(&[2, pairs.len()]), elements).expect("two rows of as many")
}

/// The columns of matrices of two rows, one after the other.
pub(crate) fn pairs_of<'a>(blocks: impl IntoIterator<Item = &'a ArrayD<u64>>) -> Vec<(u64, u64)> {
    let mut pairs = Vec::new();
    for block in blocks {
        let [first, second] = [0, 1].map(|row| block.index_axis(Axis(0), row));
        pairs.extend(first.iter().copied().zip(second.iter().copied()));
    }
    pairs
}

fn sample<T: Ordered>(sorted: &ArrayD<T>, rows: &[Row], place: usize, gap: u64) -> Vec<u64> {
    let keys = first_row(sorted);
    rows.iter().flat_map(|row| row.samples(place, gap)).map(|at| key_of(keys[at])).collect()
}

fn narrow(rows: &[Row], samples: Vec<Shared<Vec<u64>>>, gap: u64) -> Vec<Row> {
    let samples: Vec<&[u64]> = samples.iter().map(|keys| keys.as_slice()).collect();
    selection::narrow(rows, gap, &samples)
}

fn cuts(rows: &[Row], sizes: Vec<usize>) -> Vec<u64> {
    selection::cuts(rows, &sizes)
}

/// What an output takes of a sorted block: the columns between the cut at `at` and that of the next target.
fn piece<T: Element>(sorted: &ArrayD<T>, cuts: &[u64], at: usize, blocks: usize) -> ArrayD<T> {
    let [start, end] = [at, at + blocks].map(|at| cuts[at] as usize);
    sorted.slice_axis(Axis(1), Slice::from(start..end)).as_standard_layout().into_owned()
}

fn merge<T: Ordered>(pieces: Vec<Shared<ArrayD<T>>>, shape: Vec<usize>) -> ArrayD<T> {
    let mut values = Vec::with_capacity(shape.iter().product());
    pieces.iter().for_each(|piece| values.extend(first_row(piece)));
    // Stable, and it merges the runs that it finds.
    values.sort_by(order);
    ArrayD::from_shape_vec(IxDyn(&shape), values).expect("the elements of all pieces")
}

fn merged_pairs(pieces: &[Shared<ArrayD<u64>>]) -> Vec<(u64, u64)> {
    let mut pairs = pairs_of(pieces.iter().map(|piece| &**piece));
    pairs.sort_by_key(|pair| pair.0);
    pairs
}

fn merge_places(pieces: Vec<Shared<ArrayD<u64>>>, shape: Vec<usize>) -> ArrayD<i64> {
    let places = merged_pairs(&pieces).into_iter().map(|pair| pair.1 as i64).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), places).expect("the places of all pieces")
}

fn merge_ranked(pieces: Vec<Shared<ArrayD<u64>>>) -> ArrayD<u64> {
    rows_of(&merged_pairs(&pieces))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Runtime};

    /// How many elements each output takes of each block.
    fn taken(client: &Client, values: &[u64], sizes: &[usize]) -> Vec<Vec<usize>> {
        let submitter = Submitter::new(client, false);
        let mut rest = values;
        let blocks = sizes.iter().map(|size| {
            let (block, others) = rest.split_at(*size);
            rest = others;
            client.scatter(ArrayD::from_shape_vec(IxDyn(&[*size]), block.to_vec()).unwrap()).unwrap()
        });
        let blocks: Vec<_> = blocks.collect();
        let sorted = submitter.map(sorted_row::<u64>, &blocks);
        let pieces = exchange(&submitter, &sorted, sizes).unwrap();
        let lengths = |pieces: &Vec<Future<ArrayD<u64>>>| {
            client.gather(pieces).unwrap().into_iter().map(|piece| piece.len()).collect()
        };
        pieces.iter().map(lengths).collect()
    }

    #[test]
    fn no_output_takes_more_than_its_chunk_however_many_elements_are_equal() {
        let mut sizes = vec![1000; 12];
        (sizes[3], sizes[11]) = (0, 17);
        let length: usize = sizes.iter().sum();
        let numbers: [fn(u64) -> u64; 3] =
            [|_| 7, |at| at, |at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62];
        let test = |client: &Client| {
            for number in numbers {
                let values: Vec<u64> = (0..length as u64).map(number).collect();
                let before = client.submitted_count();
                let taken = taken(client, &values, &sizes);
                for (taken, size) in taken.iter().zip(&sizes) {
                    assert_eq!(taken.iter().sum::<usize>(), *size, "{taken:?}");
                }
                // Sorted, cut, and in each round samples of all blocks and one task that narrows.
                let rounds = selection::gaps(&sizes).len() as u64;
                assert_eq!(client.submitted_count() - before, 12 + 12 * 12 + rounds * (12 + 1) + 1);
                assert!((2..=5).contains(&rounds), "{rounds}");
            }
            Ok(())
        };
        Runtime::builder().threads(2).execute(test).unwrap();
    }

    #[test]
    fn equal_elements_stay_where_they_are() {
        let sizes = [100, 30, 100, 50];
        let test = |client: &Client| {
            for (output, taken) in taken(client, &[1; 280], &sizes).into_iter().enumerate() {
                let mut expected = vec![0; 4];
                expected[output] = sizes[output];
                assert_eq!(taken, expected);
            }
            Ok(())
        };
        Runtime::builder().threads(2).execute(test).unwrap();
    }
}
