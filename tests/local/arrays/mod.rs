//! Chunked arrays: against `ndarray`, against NumPy's answers, and against what defines a result.

mod blocks;
mod complex;
mod derived;
mod distributions;
mod elements;
mod files;
#[cfg(feature = "hdf5")]
mod hdf5;
mod linear_algebra;
mod numerics;
mod numpy;
mod operations;
mod ordering;
#[cfg(feature = "fourier")]
mod transforms;
mod wrong_calls;
#[cfg(feature = "zarr")]
mod zarr;

use maniple::{Array, Client, Runtime};
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use std::ops::Range;

/// Runs `test` with a client of a run in this process.
fn with_client(test: impl FnOnce(&Client) + Send) {
    Runtime::builder()
        .threads(2)
        .execute(|client| {
            test(client);
            Ok(())
        })
        .unwrap();
}

/// A local array of random bits, as numbers.
fn random(shape: &[usize], mut seed: u64, number: fn(u64) -> f64) -> ArrayD<f64> {
    ArrayD::from_shape_fn(IxDyn(shape), |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        number(seed)
    })
}

/// The pieces of each axis: of these sizes, the last one maybe smaller, with empty ones at random places.
fn pieces(shape: &[usize], sizes: &[usize], mut seed: u64) -> Vec<Vec<usize>> {
    let mut bits = move |count: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> (64 - count)) as usize
    };
    let axis = |(length, size): (&usize, &usize)| {
        let starts = (0..*length).step_by(*size);
        let mut pieces: Vec<usize> = starts.map(|start| (*size).min(length - start)).collect();
        // Most axes have none, and some have several in a row.
        for _ in 0..[0, 0, 0, 0, 0, 1, 1, 3][bits(3)] {
            pieces.insert(bits(16) % (pieces.len() + 1), 0);
        }
        if pieces.is_empty() { vec![0] } else { pieces }
    };
    shape.iter().zip(sizes).map(axis).collect()
}

/// A local array of small numbers that come again, and the same in chunks, of which some are empty.
fn pair(client: &Client, shape: &[usize], chunk: &[usize], seed: u64) -> (ArrayD<f64>, Array<f64>) {
    let local = random(shape, seed, |bits| (bits >> 60) as f64 - 7.0);
    let array = client.from_ndarray(&local, pieces(shape, chunk, seed)).unwrap();
    (local, array)
}

/// Shapes of so many axes, and sizes of chunks.
fn shapes(
    lengths: Range<usize>,
    chunks: Range<usize>,
    axes: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    prop::collection::vec((lengths, chunks), axes).prop_map(|axes| axes.into_iter().unzip())
}
