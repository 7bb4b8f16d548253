//! Windows of blocks, and histograms of several variables.

use super::{
    reduction::tree,
    reductions::FAN_IN,
    statistics::{add_counts, edges},
};
use crate::{
    array::{
        Array, Element, Ordered,
        error::expect,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::custom_node,
        },
        kernel::operators::real_of,
    },
    client::Future,
    task::{Shared, inputs::Captureless},
};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use std::borrow::Borrow;

impl<T: Element> Array<T> {
    /// Calls `function` for each window of `factors[i]` elements along axis i: Dask's `coarsen`. The result has an element
    /// for each window, so that axis i is shorter by `factors[i]`. An array whose chunks are no multiples of the windows is
    /// rechunked first. The function is a `fn` or a closure that captures nothing.
    ///
    /// # Panics
    ///
    /// Panics if there is not one factor for each axis, or a factor is zero or divides no length: slice off first what
    /// fills no window.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::ArrayViewD;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 24, 1, 5).reshape([4, 6]);
    /// let sums = x.coarsen(|window: ArrayViewD<'_, i64>| window.sum(), &[2, 3]);
    /// assert_eq!(sums.compute()?, ndarray::array![[24, 42], [96, 114]].into_dyn());
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn coarsen<U, F>(&self, function: F, factors: &[usize]) -> Array<U>
    where
        U: Element,
        F: Fn(ArrayViewD<'_, T>) -> U + Copy + Send + Sync + 'static,
    {
        let shape = self.shape();
        let is_fit = factors.len() == shape.len()
            && factors
                .iter()
                .zip(&shape)
                .all(|(factor, length)| *factor > 0 && length.is_multiple_of(*factor));
        assert!(
            is_fit,
            "coarsen: factors are {factors:?}, there must be a divisor of each length of shape {shape:?}"
        );
        let axes = self.node.grid.0.iter().zip(factors).map(|(chunks, factor)| match factor {
            1 => [chunks.clone(), chunks.clone()],
            _ => {
                // The next multiple of each place where the axis is cut.
                let mut place = 0;
                let mut ends: Vec<usize> = chunks
                    .sizes()
                    .into_iter()
                    .map(|size| {
                        place += size;
                        place.div_ceil(*factor)
                    })
                    .collect();
                ends.dedup();
                let sizes = std::iter::once(&0).chain(&ends).zip(&ends).map(|(start, end)| end - start);
                let sizes: Vec<usize> = sizes.filter(|size| *size > 0).collect();
                let sizes = if sizes.is_empty() { vec![0] } else { sizes };
                let wide: Vec<usize> = sizes.iter().map(|size| size * factor).collect();
                [AxisChunks::listed(&wide), AxisChunks::listed(&sizes)]
            }
        });
        let (input, result): (Vec<AxisChunks>, Vec<AxisChunks>) =
            axes.map(|[input, result]| (input, result)).unzip();
        let (function, factors) = (Captureless::of(function), factors.to_vec());
        let inputs = vec![self.node.rechunk(&Grid(input))];
        self.derive(custom_node("coarsen", inputs, Grid(result), move |client, inputs| {
            let blocks = inputs[0].typed::<T>().into_iter();
            Ok(client.map(coarse::<T, U, F>, blocks.map(|block| (function, block, factors.clone()))))
        }))
    }
}

fn coarse<T, U, F>(function: Captureless<F>, block: &ArrayD<T>, factors: Vec<usize>) -> ArrayD<U>
where
    T: Element,
    U: Element,
    F: Fn(ArrayViewD<'_, T>) -> U + Copy + Send + Sync + 'static,
{
    let shape: Vec<usize> =
        block.shape().iter().zip(&factors).map(|(length, factor)| length / factor).collect();
    let results =
        block.exact_chunks(IxDyn(&factors)).into_iter().map(|window| function.get()(window)).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), results).expect("a window for each element")
}

/// How many points fall into each bin of a grid, and the edges of the bins along each axis: NumPy's `histogramdd`, with
/// two arrays its `histogram2d`. The coordinates of a point are the elements of the arrays at the same place; axis i is
/// cut from `ranges[i].0` to `ranges[i].1` into `bins[i]` equal parts, the last of which has both of its edges. The edges
/// have 64 bits for all types, as NumPy's.
///
/// # Panics
///
/// Panics if there are no arrays, their shapes differ, there are not as many bins and ranges, or an axis cannot be cut as
/// [`histogram`](Array::histogram) does it.
///
/// # Examples
///
/// ```
/// use maniple::array::histogramdd;
/// # maniple::Runtime::builder().execute(|client| {
/// let random = client.random(1);
/// let (x, y) = (random.random::<f64>([1000], 300), random.random::<f64>([1000], 300));
/// let (counts, edges) = histogramdd(&[&x, &y], &[2, 4], &[(0.0, 1.0), (0.0, 1.0)]);
/// assert_eq!((counts.shape(), edges[0].len()), (vec![2, 4], 3));
/// assert_eq!(counts.sum().compute()?, 1000);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn histogramdd<T: Ordered, A: Borrow<Array<T>>>(
    arrays: &[A],
    bins: &[usize],
    ranges: &[(f64, f64)],
) -> (Array<i64>, Vec<Vec<f64>>) {
    let (counts, edges) = histogram_of(arrays, bins, ranges, None);
    (counts.cast(), edges)
}

/// As [`histogramdd`], where each point counts as much as the element of `weights` at its place.
///
/// # Panics
///
/// As [`histogramdd`], and if the shape of `weights` differs.
#[track_caller]
pub fn histogramdd_weighted<T: Ordered, A: Borrow<Array<T>>>(
    arrays: &[A],
    bins: &[usize],
    ranges: &[(f64, f64)],
    weights: &Array<f64>,
) -> (Array<f64>, Vec<Vec<f64>>) {
    histogram_of(arrays, bins, ranges, Some(weights))
}

#[track_caller]
fn histogram_of<T: Ordered, A: Borrow<Array<T>>>(
    arrays: &[A],
    bins: &[usize],
    ranges: &[(f64, f64)],
    weights: Option<&Array<f64>>,
) -> (Array<f64>, Vec<Vec<f64>>) {
    let arrays: Vec<&Array<T>> = arrays.iter().map(Borrow::borrow).collect();
    let Some(first) = arrays.first() else { panic!("histogramdd: there are no arrays") };
    let count = arrays.len();
    assert!(
        bins.len() == count && ranges.len() == count,
        "histogramdd: there are {count} arrays, bins {bins:?} and ranges {ranges:?}, which must be as many"
    );
    let shape = first.shape();
    let shapes = arrays.iter().map(|array| array.shape()).chain(weights.map(Array::shape));
    if let Some(other) = shapes.clone().find(|other| *other != shape) {
        panic!("histogramdd: the arrays have the shapes {shape:?} and {other:?}, they must be the same");
    }
    let edges: Vec<Vec<f64>> = bins
        .iter()
        .zip(ranges)
        .map(|(bins, (low, high))| edges::<f64>("histogramdd", *bins, *low, *high))
        .collect();
    let size = crate::array::graph::chunks::checked_size(bins, size_of::<f64>());
    expect("histogramdd", size);
    let grid = Grid(bins.iter().map(|bins| AxisChunks::regular(*bins, *bins)).collect());
    let of_arrays = arrays.iter().map(|array| array.node.rechunk(&first.node.grid));
    let inputs = of_arrays.chain(weights.map(|weights| weights.node.rechunk(&first.node.grid))).collect();
    let (own_edges, has_weights) = (edges.clone(), weights.is_some());
    let node = custom_node("histogramdd", inputs, grid, move |client, inputs| {
        let edges: Future<Vec<Vec<f64>>> = client.scatter(own_edges.clone())?;
        let columns: Vec<Vec<Future<ArrayD<T>>>> =
            inputs[..count].iter().map(crate::array::graph::blocks::Blocks::typed::<T>).collect();
        let points = |block: usize| -> Vec<Future<ArrayD<T>>> {
            columns.iter().map(|blocks| blocks[block].clone()).collect()
        };
        let weights = if has_weights { inputs[count].typed::<f64>() } else { Vec::new() };
        let blocks = 0..columns[0].len();
        let counts = match has_weights {
            false => client.map(count_points::<T>, blocks.map(|block| (points(block), &edges))),
            true => {
                client.map(weigh_points::<T>, blocks.map(|block| (points(block), &weights[block], &edges)))
            }
        };
        Ok(tree(client, vec![counts], FAN_IN, |client, parts| client.map(add_counts::<f64>, parts)))
    });
    (first.derive(node), edges)
}

fn count_points<T: Ordered>(points: Vec<Shared<ArrayD<T>>>, edges: &[Vec<f64>]) -> ArrayD<f64> {
    count(&points, edges, std::iter::repeat(1.0))
}

fn weigh_points<T: Ordered>(
    points: Vec<Shared<ArrayD<T>>>,
    weights: &ArrayD<f64>,
    edges: &[Vec<f64>],
) -> ArrayD<f64> {
    count(&points, edges, weights.iter().copied())
}

fn count<T: Ordered>(
    points: &[Shared<ArrayD<T>>],
    edges: &[Vec<f64>],
    weights: impl Iterator<Item = f64>,
) -> ArrayD<f64> {
    let shape: Vec<usize> = edges.iter().map(|edges| edges.len() - 1).collect();
    let mut counts = ArrayD::zeros(IxDyn(&shape));
    let mut columns: Vec<_> = points.iter().map(|column| column.iter()).collect();
    let mut place = vec![0; edges.len()];
    for weight in weights.take(points[0].len()) {
        let mut is_inside = true;
        for ((column, edges), place) in columns.iter_mut().zip(edges).zip(&mut place) {
            let value = real_of(*column.next().expect("the blocks have one shape"));
            let last = edges.len() - 1;
            is_inside &= (edges[0]..=edges[last]).contains(&value);
            // The last bin has both of its edges.
            *place = edges.partition_point(|edge| *edge <= value).clamp(1, last) - 1;
        }
        if is_inside {
            counts[place.as_slice()] += weight;
        }
    }
    counts
}
