//! Order and frequency: sorting, histograms, masks.

use crate::{
    array::{
        Array, DataType, Element, Number, Ordered,
        api::{create::blocks_node, order::order, reduction::tree, reductions::FAN_IN},
        error::expect,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::custom_node,
            node::Node,
        },
        kernel::operators::real_of,
    },
    client::Future,
    error::Result,
    task::Shared,
};
use ndarray::{ArrayD, Axis, IxDyn};
use std::sync::Arc;

impl<T: Ordered> Array<T> {
    /// The `count` largest elements of each lane along an axis, in descending order; NaN counts as
    /// largest. Each block gives its own first, so that no more than these come together.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or it has fewer elements.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 100, 7, 4);
    /// assert_eq!(x.topk(3, 0).compute()?.as_slice().unwrap(), [98, 91, 84]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn topk(&self, count: usize, axis: usize) -> Self {
        let length = self.length("topk", axis);
        assert!(
            count <= length,
            "topk: count is {count}, more than axis {axis} of shape {:?} has",
            self.shape()
        );
        let top = |input: &Arc<Node>| {
            let sizes: Vec<usize> =
                input.grid.0[axis].sizes().into_iter().map(|size| size.min(count)).collect();
            let mut grid = input.grid.clone();
            grid.0[axis] = AxisChunks::listed(&sizes);
            custom_node("topk", vec![Arc::clone(input)], grid, move |client, inputs| {
                let blocks = inputs[0].typed::<T>().into_iter();
                Ok(client.map(top_block::<T>, blocks.map(|block| (block, axis, count))))
            })
        };
        let tops: Self = self.derive(top(&self.node));
        self.derive(top(&tops.unsplit("topk", axis)))
    }
}

impl<T: Ordered> Array<T> {
    /// How many elements fall into each of `bins` equal parts of the range from `low` to `high`, and the
    /// edges of these parts. The last part includes `high`; what is outside, or NaN, is not counted. The
    /// edges are those of NumPy's `linspace`, and those of an array of `f32` are numbers of this type.
    ///
    /// # Panics
    ///
    /// Panics if there are no bins, `low` is not below `high`, one of them is not finite, or there are so many
    /// bins that two edges are the same number.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).random::<f64>([10_000], 1000);
    /// let (counts, edges) = x.histogram(4, 0.0, 1.0);
    /// assert_eq!(counts.sum().compute()?, 10_000);
    /// assert_eq!(edges, [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn histogram(&self, bins: usize, low: f64, high: f64) -> (Array<i64>, Vec<f64>) {
        let edges = edges::<T>("histogram", bins, low, high);
        let grid = Grid(vec![AxisChunks::regular(bins, bins)]);
        let own_edges = edges.clone();
        let node = custom_node("histogram", vec![Arc::clone(&self.node)], grid, move |client, inputs| {
            let edges = client.scatter(own_edges.clone())?;
            let blocks = inputs[0].typed::<T>().into_iter().map(|block| (block, &edges));
            let counts = client.map(count_block::<T>, blocks);
            Ok(tree(client, vec![counts], FAN_IN, |client, parts| client.map(add_counts::<i64>, parts)))
        });
        (self.derive(node), edges)
    }

    /// The number of the bin that each element falls into, where `edges` divide the bins: 0 below the
    /// first edge, `edges.len()` from the last one on.
    ///
    /// # Panics
    ///
    /// Panics if the edges are not in ascending order.
    #[track_caller]
    pub fn digitize(&self, edges: &[f64]) -> Array<i64> {
        assert!(edges.is_sorted(), "digitize: edges are {edges:?}, they must be in ascending order");
        let edges = edges.to_vec();
        let inputs = vec![Arc::clone(&self.node)];
        self.derive(custom_node("digitize", inputs, self.node.grid.clone(), move |client, inputs| {
            let edges = client.scatter(edges.clone())?;
            let blocks = inputs[0].typed::<T>().into_iter();
            Ok(client.map(digitize_block::<T>, blocks.map(|block| (block, &edges))))
        }))
    }
}

impl<T: Element> Array<T> {
    /// The elements where `condition` holds, in C order, as NumPy's `x[condition]`. The condition is
    /// computed at once: how long the result is, is not known before, and every array knows its sizes (there
    /// is no array that Dask's `compute_chunk_sizes` would be needed for).
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Panics
    ///
    /// Panics if the shapes differ.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 3);
    /// let odd = x.mask(&(&x % 2).eq(1))?;
    /// assert_eq!(odd.compute()?.as_slice().unwrap(), [1, 3, 5, 7, 9]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn mask(&self, condition: &Array<bool>) -> Result<Self> {
        let (shape, other) = (self.shape(), condition.shape());
        assert!(
            shape == other,
            "mask: condition has the shape {other:?}, it must be that of the array, {shape:?}"
        );
        let flat = self.ravel();
        let condition: Array<bool> = condition.derive(condition.ravel().node.rechunk(&flat.node.grid));
        let kept: Vec<Future<ArrayD<T>>> =
            flat.client.map(mask_block::<T>, flat.to_futures()?.into_iter().zip(condition.to_futures()?));
        let lengths = flat.client.map(|block: &ArrayD<T>| block.len() as u64, &kept);
        let lengths: Vec<usize> =
            flat.client.gather(&lengths)?.into_iter().map(|length| length as usize).collect();
        let grid = expect(
            "mask",
            crate::array::Chunks::Lists(vec![lengths.clone()]).grid(&[lengths.iter().sum()], size_of::<T>()),
        );
        match grid.count() == kept.len() {
            true => Ok(self.derive(blocks_node::<T>(grid, &kept))),
            // All blocks are empty.
            false => Ok(self.derive(blocks_node::<T>(grid, &kept[..1]))),
        }
    }
}

fn top_block<T: Ordered>(block: &ArrayD<T>, axis: usize, count: usize) -> ArrayD<T> {
    let mut shape = block.shape().to_vec();
    shape[axis] = shape[axis].min(count);
    let mut top = ArrayD::from_elem(IxDyn(&shape), T::default());
    for (mut top, lane) in top.lanes_mut(Axis(axis)).into_iter().zip(block.lanes(Axis(axis))) {
        let mut values = lane.to_vec();
        if values.len() > count && count > 0 {
            values.select_nth_unstable_by(count - 1, |a, b| order(b, a));
            values.truncate(count);
        }
        values.sort_unstable_by(|a, b| order(b, a));
        top.iter_mut().zip(values).for_each(|(place, value)| *place = value);
    }
    top
}

/// The edges of equal bins of elements of this type.
///
/// # Panics
///
/// Panics if there are no bins, the range is infinite, empty or not a number, or two edges are the same.
#[track_caller]
pub(super) fn edges<T: Element>(name: &str, bins: usize, low: f64, high: f64) -> Vec<f64> {
    assert!(bins > 0, "{name}: bins is 0, it must be at least 1");
    let is_range = low.is_finite() && high.is_finite() && low < high;
    assert!(is_range, "{name}: low is {low:?} and high is {high:?}, they must be finite and low below high");
    let edges = bin_edges::<T>(bins, low, high);
    assert!(
        edges.is_sorted_by(|a, b| a < b),
        "{name}: bins is {bins}, which is too many: two edges between {low:?} and {high:?} are the same {}",
        T::DATA_TYPE
    );
    edges
}

/// The edges of equal bins as NumPy's `linspace` makes them, rounded to the type of the elements if that is
/// `f32`: the last one is `high` itself.
fn bin_edges<T: Element>(bins: usize, low: f64, high: f64) -> Vec<f64> {
    // By halves where the range is infinite.
    let scale = if (high - low).is_finite() { 1.0 } else { 0.5 };
    let (start, step) = (low * scale, (high * scale - low * scale) / bins as f64);
    let edges = (0..bins).map(|bin| (start + bin as f64 * step) / scale).chain([high]);
    match T::DATA_TYPE {
        DataType::F32 => edges.map(|edge| f64::from(edge as f32)).collect(),
        _ => edges.collect(),
    }
}

fn count_block<T: Ordered>(block: &ArrayD<T>, edges: &[f64]) -> ArrayD<i64> {
    let bins = edges.len() - 1;
    let (low, high) = (edges[0], edges[bins]);
    // By halves, so that no range is infinite.
    let per_half = bins as f64 / (0.5 * high - 0.5 * low);
    let mut counts = vec![0; bins];
    for value in block {
        let value = real_of(*value);
        if !(low..=high).contains(&value) {
            continue;
        }
        // A guess; the edges decide.
        let mut bin = (((0.5 * value - 0.5 * low) * per_half) as usize).min(bins - 1);
        while value < edges[bin] {
            bin -= 1;
        }
        while bin + 1 < bins && value >= edges[bin + 1] {
            bin += 1;
        }
        counts[bin] += 1;
    }
    ArrayD::from_shape_vec(IxDyn(&[bins]), counts).expect("a count for each bin")
}

/// The sum of what several blocks gave, in order.
pub(crate) fn add_counts<T: Number + std::ops::AddAssign>(counts: Vec<Shared<ArrayD<T>>>) -> ArrayD<T> {
    let mut total = (*counts[0]).clone();
    for counts in &counts[1..] {
        total.zip_mut_with(counts, |total, count| *total += *count);
    }
    total
}

fn digitize_block<T: Ordered>(block: &ArrayD<T>, edges: &[f64]) -> ArrayD<i64> {
    block.mapv(|value| {
        let value = real_of(value);
        // NaN is beyond all edges, as in NumPy.
        edges.partition_point(|edge| *edge <= value || value.is_nan()) as i64
    })
}

fn mask_block<T: Element>(block: &ArrayD<T>, condition: &ArrayD<bool>) -> ArrayD<T> {
    let kept: Vec<T> =
        block.iter().zip(condition).filter(|(_, kept)| **kept).map(|(value, _)| *value).collect();
    ArrayD::from_shape_vec(IxDyn(&[kept.len()]), kept).expect("an element for each place")
}
