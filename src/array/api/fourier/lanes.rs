//! The tasks of transforms: blocks of whole lanes, and lanes that are larger than a block.
//!
//! A long lane of `m · n` elements is a matrix of m rows. Its columns are transformed, each element at row r and column
//! c is multiplied by a root of unity to the power `r · c`, and the rows are transformed; the transpose of the
//! result is the transform (Bailey, *FFTs in external or hierarchical memory*, 1990). The four steps are two tasks for
//! each block, and three exchanges between workers.

use super::local;
use crate::array::{
    Array, DataType, Element, Float, Real,
    api::shape::concatenate,
    graph::{
        chunks::{AxisChunks, Grid},
        custom::custom_node,
        node::Node,
    },
};
use num_complex::Complex;
use rustfft::FftNum;
use std::sync::Arc;

/// Lanes up to this length are joined into one block, however small the blocks were.
const JOINED_MAX: usize = 1 << 16;

/// Transforms the lanes along an axis, and multiplies their elements by `factor`.
pub(super) fn complex_node<T: Float>(
    name: &'static str,
    array: &Array<T>,
    axis: usize,
    is_inverse: bool,
    factor: f64,
) -> Arc<Node> {
    if let Some((rows, columns)) = long_lanes(&array.node.grid, axis) {
        return long_node(name, array, axis, [rows, columns], is_inverse, factor);
    }
    block_node(name, &whole_lanes(&array.node, axis), axis, is_inverse, factor, None)
}

/// As [`complex_node`] of real elements: the first half, and the middle.
pub(super) fn real_node<T: Element>(
    name: &'static str,
    array: &Array<T>,
    axis: usize,
    factor: f64,
) -> Arc<Node> {
    if long_lanes(&array.node.grid, axis).is_some() {
        let half = array.shape()[axis] / 2 + 1;
        return match T::DATA_TYPE {
            DataType::F32 => first_half::<Complex<f32>>(name, &array.cast(), axis, half, factor),
            _ => first_half::<Complex<f64>>(name, &array.cast(), axis, half, factor),
        };
    }
    let input = whole_lanes(&array.node, axis);
    match input.data_type {
        DataType::F32 => real_node_of::<f32>(name, &input, axis, factor),
        _ => real_node_of::<f64>(name, &input, axis, factor),
    }
}

fn first_half<T: Float>(
    name: &'static str,
    array: &Array<T>,
    axis: usize,
    half: usize,
    factor: f64,
) -> Arc<Node> {
    let whole: Array<T> = array.derive(complex_node(name, array, axis, false, factor));
    whole.split(&[half], axis).remove(0).node
}

/// The lanes of `length` real elements whose transforms begin with these, multiplied by `factor`.
pub(super) fn halves_node<T: Float>(
    name: &'static str,
    array: &Array<T>,
    axis: usize,
    length: usize,
    factor: f64,
) -> Arc<Node> {
    let mut grid = array.node.grid.clone();
    grid.0[axis] = resized(&grid.0[axis], length);
    if long_lanes(&grid, axis).is_some() {
        // The other half are the conjugates, in the opposite order.
        let half = length / 2 + 1;
        let missing = half.saturating_sub(array.shape()[axis]);
        let half = if missing > 0 { array.pad(axis, 0, missing, T::default()) } else { array.clone() };
        let inner = half.split(&[1, length.div_ceil(2)], axis).remove(1);
        let (first, last) =
            (half.split(&[1], axis).remove(0), half.split(&[length.div_ceil(2)], axis).remove(1));
        let real = |part: Array<T>| part.real().cast::<T>();
        let other = inner.conj().flip(axis);
        let whole = concatenate(&[real(first), inner, real(last), other], axis);
        let whole: Array<T> = whole.derive(whole.node.rechunk(&grid));
        let whole: Array<T> = whole.derive(complex_node(name, &whole, axis, true, factor));
        return whole.real().node;
    }
    let input = whole_lanes(&array.node, axis);
    match input.data_type {
        DataType::Complex32 => halves_node_of::<f32>(name, &input, axis, length, factor),
        _ => halves_node_of::<f64>(name, &input, axis, length, factor),
    }
}

/// The array in the chunks of another one, as far as their axes have the same length; those of other lengths are cut to
/// chunks of the same size.
pub(super) fn restored<T: Element>(array: &Array<T>, grid: &Grid) -> Array<T> {
    let axes = array.node.grid.0.iter().zip(&grid.0);
    let wanted = axes.map(|(own, wanted)| match own.length() == wanted.length() {
        true => wanted.clone(),
        false => resized(wanted, own.length()),
    });
    array.derive(array.node.rechunk(&Grid(wanted.collect())))
}

/// Chunks of an axis of another length, no larger than these unless they are one.
fn resized(chunks: &AxisChunks, length: usize) -> AxisChunks {
    let is_one = chunks.count() == 1;
    AxisChunks::regular(length, if is_one { length } else { chunks.size_max() })
}

/// The array in blocks of whole lanes along an axis: of as many elements as before, or of one lane.
fn whole_lanes(node: &Arc<Node>, axis: usize) -> Arc<Node> {
    let mut grid = node.grid.along(axis);
    let length = grid.0[axis].length();
    grid.0[axis] = AxisChunks::regular(length, length);
    node.rechunk(&grid)
}

/// The rows and columns of a lane as a matrix, if that is to stay cut: if lanes are long and larger than the largest
/// block, which has room for a row and for a column.
fn long_lanes(grid: &Grid, axis: usize) -> Option<(usize, usize)> {
    let (length, room) = (grid.0[axis].length(), grid.block_size_max());
    if length <= JOINED_MAX.max(room) || grid.along(axis).0[axis].count() == 1 {
        return None;
    }
    let rows = (1..=length.isqrt()).rev().find(|rows| length.is_multiple_of(*rows))?;
    (length / rows <= room).then_some((rows, length / rows))
}

/// Transforms lanes that stay cut.
fn long_node<T: Float>(
    name: &'static str,
    array: &Array<T>,
    axis: usize,
    [rows, columns]: [usize; 2],
    is_inverse: bool,
    factor: f64,
) -> Arc<Node> {
    let last = array.ndim() - 1;
    let swapped = array.swap_axes(axis, last);
    let shape = swapped.shape();
    let reshaped = |array: &Array<T>, lengths: &[usize]| {
        let lengths: Vec<isize> =
            shape[..last].iter().chain(lengths).map(|length| *length as isize).collect();
        array.reshape(lengths)
    };
    let matrix = reshaped(&swapped, &[rows, columns]);
    let rows_input = whole_lanes(&matrix.node, last);
    let matrix: Array<T> =
        matrix.derive(block_node(name, &rows_input, last, is_inverse, 1.0, Some(rows * columns)));
    let columns_input = whole_lanes(&matrix.node, last + 1);
    let matrix: Array<T> =
        matrix.derive(block_node(name, &columns_input, last + 1, is_inverse, factor, None));
    reshaped(&matrix.swap_axes(last, last + 1), &[rows * columns]).swap_axes(axis, last).node
}

// These are not generic, so that the transforms are compiled in this crate only.

/// Transforms the lanes of each block. With the length of a lane that this axis and the next one are the rows and
/// columns of, the elements are then multiplied by roots of unity.
fn block_node(
    name: &'static str,
    input: &Arc<Node>,
    axis: usize,
    is_inverse: bool,
    factor: f64,
    whole: Option<usize>,
) -> Arc<Node> {
    match input.data_type {
        DataType::Complex32 => block_node_of::<f32>(name, input, axis, is_inverse, factor, whole),
        _ => block_node_of::<f64>(name, input, axis, is_inverse, factor, whole),
    }
}

fn block_node_of<R: Real + FftNum>(
    name: &'static str,
    input: &Arc<Node>,
    axis: usize,
    is_inverse: bool,
    factor: f64,
    whole: Option<usize>,
) -> Arc<Node>
where
    Complex<R>: Element,
{
    custom_node(name, vec![Arc::clone(input)], input.grid.clone(), move |client, inputs| {
        let (grid, blocks) = (&inputs[0].grid, inputs[0].typed::<Complex<R>>());
        let Some(whole) = whole else {
            let blocks = blocks.into_iter().map(|block| (block, axis, is_inverse, factor));
            return Ok(client.map(local::complex::<R>, blocks));
        };
        let starts = (0..blocks.len()).map(|block| grid.region(block).0[axis + 1]);
        let blocks = blocks.into_iter().zip(starts);
        let blocks = blocks.map(|(block, start)| (block, axis, is_inverse, start, whole));
        Ok(client.map(local::twisted::<R>, blocks))
    })
}

fn real_node_of<R: Real + FftNum>(
    name: &'static str,
    input: &Arc<Node>,
    axis: usize,
    factor: f64,
) -> Arc<Node>
where
    Complex<R>: Element,
{
    let mut grid = input.grid.clone();
    let half = grid.0[axis].length() / 2 + 1;
    grid.0[axis] = AxisChunks::regular(half, half);
    custom_node(name, vec![Arc::clone(input)], grid, move |client, inputs| {
        let blocks = inputs[0].typed::<R>().into_iter().map(|block| (block, axis, factor));
        Ok(client.map(local::real::<R>, blocks))
    })
}

fn halves_node_of<R: Real + FftNum>(
    name: &'static str,
    input: &Arc<Node>,
    axis: usize,
    length: usize,
    factor: f64,
) -> Arc<Node>
where
    Complex<R>: Element,
{
    let mut grid = input.grid.clone();
    grid.0[axis] = AxisChunks::regular(length, length);
    custom_node(name, vec![Arc::clone(input)], grid, move |client, inputs| {
        let blocks = inputs[0].typed::<Complex<R>>().into_iter().map(|block| (block, axis, length, factor));
        Ok(client.map(local::of_halves::<R>, blocks))
    })
}
