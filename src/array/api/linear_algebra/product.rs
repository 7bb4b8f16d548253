//! Products of blocks, summed over the blocks of the inner axes.
//!
//! One task makes one block of the result from the lists of blocks it is made of, adding product to
//! product in memory of its own. If the result has few blocks, several tasks share the inner axes, and
//! their parts are added in order. How the work is cut depends on the blocks alone, so the sum does, too.

use super::gemm::add_product;
use crate::{
    array::{
        Float,
        graph::{
            blocks::Blocks,
            chunks::Grid,
            node::{Custom, Erased, Kind, Node},
            submitter::Submitter,
            tasks::on_own_device,
        },
        on_device::product::{self, ProductSizes},
    },
    client::Future,
    device::DeviceArray,
    task::Shared,
    value::Data,
};
use ndarray::{ArrayD, Axis, CowArray, Ix3, IxDyn};
use std::{ops::Range, sync::Arc};

/// A product is cut into at least this many tasks, if its inner axes have as many blocks.
const TASKS_MIN: usize = 16;

/// The most bytes of blocks that one task takes, unless one pair of blocks has more.
const INPUT_BYTES_MAX: usize = 512 << 20;

/// Which axes are which: the first operand's are batch, rows, inner; the second's batch, inner,
/// columns; the result's batch, rows, columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) batch: usize,
    pub(super) inner: usize,
}

/// The product of two arrays that are cut alike along batch and inner axes.
pub(super) fn product_node<T: Float>(left: &Arc<Node>, right: &Arc<Node>, layout: Layout) -> Arc<Node> {
    let Layout { batch, inner } = layout;
    let rows = left.ndim() - inner;
    let axes = left.grid.0[..rows].iter().chain(&right.grid.0[batch + inner..]).cloned();
    let grid = Grid(axes.collect());
    let inputs = vec![Arc::clone(left), Arc::clone(right)];
    let made = grid.clone();
    let submit = move |client: &Submitter<'_>, inputs: &[Blocks]| {
        let [left, right] = inputs else { unreachable!("two were given") };
        let pairs = Pairs { left, right, grid: &made, layout };
        let blocks = match client.is_on_device() {
            true => on_devices::<T>(client, &pairs),
            false => on_processors::<T>(client, &pairs),
        };
        Ok(vec![blocks])
    };
    let custom = Custom { name: "matmul", inputs, is_product: true, source: None, submit: Box::new(submit) };
    Node::new(T::DATA_TYPE, grid, Kind::Output(Arc::new(custom), 0))
}

/// The blocks of a product.
struct Pairs<'a> {
    left: &'a Blocks,
    right: &'a Blocks,
    grid: &'a Grid,
    layout: Layout,
}

fn on_processors<T: Float>(client: &Submitter<'_>, pairs: &Pairs<'_>) -> Vec<Future<Erased>> {
    let multiplied = |tasks: Vec<Terms<_>>| client.map(multiply::<T>, tasks);
    let added = |parts: Vec<Vec<_>>| client.map(add::<T>, parts);
    submit(pairs, size_of::<T>(), pairs.left.typed::<T>(), pairs.right.typed::<T>(), multiplied, added)
}

fn on_devices<T: Float>(client: &Submitter<'_>, pairs: &Pairs<'_>) -> Vec<Future<Erased>> {
    let multiplied = |tasks: Vec<Terms<_>>| client.map_on_devices(device_multiply::<T>, tasks);
    let added = |parts: Vec<Vec<_>>| client.map_on_devices(device_add::<T>, parts);
    let (left, right) = (pairs.left.typed_on_device::<T>(), pairs.right.typed_on_device::<T>());
    submit(pairs, size_of::<T>(), left, right, multiplied, added)
}

/// What one task adds up: how many axes are batch, and inner; left blocks, right blocks, and the sum so far, if
/// there is one.
type Terms<B> = (usize, usize, Vec<Future<B>>, Vec<Future<B>>, Vec<Future<B>>);

/// Submits the tasks that make the blocks, as `B`s.
fn submit<B: Data>(
    pairs: &Pairs<'_>,
    element_bytes: usize,
    left_blocks: Vec<Future<B>>,
    right_blocks: Vec<Future<B>>,
    multiplied: impl Fn(Vec<Terms<B>>) -> Vec<Future<B>>,
    added: impl Fn(Vec<Vec<Future<B>>>) -> Vec<Future<B>>,
) -> Vec<Future<Erased>> {
    let Pairs { left, right, grid, layout: Layout { batch, inner } } = *pairs;
    let rows = left.grid.0.len() - inner;
    let inner_grid = Grid(right.grid.0[batch..batch + inner].to_vec());
    let pair_bytes = (left.grid.block_size_max() + right.grid.block_size_max()) * element_bytes;
    let runs = runs(inner_grid.count(), grid.count(), (INPUT_BYTES_MAX / pair_bytes.max(1)).max(1));
    let pair = |result: usize, inner: usize| {
        let (place, inner) = (grid.coordinates(result), inner_grid.coordinates(inner));
        let own_left = left.grid.place(&[&place[..rows], &inner].concat());
        let own_right = right.grid.place(&[&place[..batch], &inner, &place[rows..]].concat());
        (left_blocks[own_left].clone(), right_blocks[own_right].clone())
    };
    // Of each block of the result, each part's sum so far.
    let mut sums: Vec<Vec<Future<B>>> = vec![Vec::new(); grid.count() * runs.len()];
    for step in 0..runs.iter().map(Vec::len).max().unwrap_or(0) {
        let open: Vec<(usize, &Range<usize>)> =
            (0..sums.len()).filter_map(|place| Some((place, runs[place % runs.len()].get(step)?))).collect();
        let tasks: Vec<_> = open
            .iter()
            .map(|(place, range)| {
                let result = place / runs.len();
                let (lefts, rights): (Vec<_>, Vec<_>) =
                    (*range).clone().map(|inner| pair(result, inner)).unzip();
                (batch, inner, lefts, rights, std::mem::take(&mut sums[*place]))
            })
            .collect();
        let made = multiplied(tasks);
        open.iter().zip(made).for_each(|((place, _), sum)| sums[*place] = vec![sum]);
    }
    let blocks: Vec<Future<B>> = match runs.len() {
        1 => sums.into_iter().flatten().collect(),
        count => added(sums.chunks(count).map(<[_]>::concat).collect()),
    };
    blocks.iter().map(Future::retype).collect()
}

/// The inner blocks of each part of a result's block: one task for each range, one after the other.
fn runs(inner: usize, results: usize, range_max: usize) -> Vec<Vec<Range<usize>>> {
    let parts = TASKS_MIN.div_ceil(results.max(1)).min(inner);
    let part = |part: usize| {
        let (start, end) = (inner * part / parts, inner * (part + 1) / parts);
        (start..end).step_by(range_max).map(|first| first..end.min(first + range_max)).collect()
    };
    (0..parts).map(part).collect()
}

/// The sum of the products of pairs of blocks, and of what is there already, if anything.
fn multiply<T: Float>(
    batch: usize,
    inner: usize,
    lefts: Vec<Shared<ArrayD<T>>>,
    rights: Vec<Shared<ArrayD<T>>>,
    sum: Vec<Shared<ArrayD<T>>>,
) -> ArrayD<T> {
    let (shape, ProductSizes { count, rows, columns }) =
        sizes(Layout { batch, inner }, lefts[0].shape(), rights[0].shape());
    let mut result = match sum.first() {
        Some(sum) => sum.to_shape((count, rows, columns)).expect("as many elements").into_owned(),
        None => ndarray::Array3::zeros((count, rows, columns)),
    };
    for (left, right) in lefts.iter().zip(&rights) {
        let length: usize = right.shape()[batch..batch + inner].iter().product();
        let left = cube(left, (count, rows, length));
        let right = cube(right, (count, length, columns));
        for (index, mut result) in result.axis_iter_mut(Axis(0)).enumerate() {
            let (left, right) = (left.index_axis(Axis(0), index), right.index_axis(Axis(0), index));
            add_product(left, right, &mut result);
        }
    }
    result.into_shape_with_order(IxDyn(&shape)).expect("as many elements")
}

/// The shape of the product of two blocks, and what it is as a stack of matrices.
fn sizes(Layout { batch, inner }: Layout, left: &[usize], right: &[usize]) -> (Vec<usize>, ProductSizes) {
    let sizes = ProductSizes {
        count: left[..batch].iter().product(),
        rows: left[batch..left.len() - inner].iter().product(),
        columns: right[batch + inner..].iter().product(),
    };
    ([&left[..left.len() - inner], &right[batch + inner..]].concat(), sizes)
}

/// As [`multiply`], on the worker's device.
fn device_multiply<T: Float>(
    batch: usize,
    inner: usize,
    lefts: Vec<Shared<DeviceArray<T::OnDevice>>>,
    rights: Vec<Shared<DeviceArray<T::OnDevice>>>,
    sum: Vec<Shared<DeviceArray<T::OnDevice>>>,
) -> DeviceArray<T::OnDevice> {
    let (shape, sizes) = sizes(Layout { batch, inner }, lefts[0].shape(), rights[0].shape());
    let pairs: Vec<_> = lefts.iter().zip(&rights).map(|(left, right)| (&**left, &**right)).collect();
    let sum = sum.first().map(|sum| &**sum);
    let made = on_own_device(|device| product::product::<T>(device, sizes, &pairs, sum));
    DeviceArray::new(shape, made.into())
}

/// As [`add`], on the worker's device.
fn device_add<T: Float>(parts: Vec<Shared<DeviceArray<T::OnDevice>>>) -> DeviceArray<T::OnDevice> {
    let shape = parts[0].shape().to_vec();
    let parts: Vec<_> = parts.iter().map(|part| &**part).collect();
    let made = on_own_device(|device| product::add::<T>(device, &parts));
    DeviceArray::new(shape, made.into())
}

fn cube<T: Float>(block: &ArrayD<T>, shape: (usize, usize, usize)) -> CowArray<'_, T, Ix3> {
    block.to_shape(shape).expect("as many elements")
}

/// The sum of blocks, in order.
fn add<T: Float>(parts: Vec<Shared<ArrayD<T>>>) -> ArrayD<T> {
    let mut sum: ArrayD<T> = (*parts[0]).clone();
    for part in &parts[1..] {
        sum.zip_mut_with(part, |sum, part| *sum = *sum + *part);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_blocks_are_shared_out_once_each() {
        for (inner, results, range_max) in [(1, 1, 1), (20, 1, 3), (7, 3, 100), (40, 100, 6), (16, 0, 1)] {
            let runs = runs(inner, results, range_max);
            let all: Vec<usize> = runs.iter().flatten().cloned().flatten().collect();
            assert_eq!(all, (0..inner).collect::<Vec<_>>());
            assert!(runs.iter().flatten().all(|range| (1..=range_max).contains(&range.len())));
            assert!(runs.len() * results >= TASKS_MIN.min(inner * results));
        }
    }
}
