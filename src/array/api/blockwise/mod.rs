//! Users' functions on blocks, of one array or of several whose blocks belong together.
//!
//! - `labels`: which blocks those are. - `arguments`: tuples of arrays as what a function takes.

mod arguments;
mod labels;

pub use arguments::{BlockArgument, BlockArguments, BlockTuple};

use crate::{
    array::{
        Array, Element, ShapeError,
        error::expect,
        graph::{chunks::AxisChunks, custom::custom_node, node::Node},
    },
    task::{TaskFunction, inputs::Captureless},
};
use labels::{Alignment, Label, Labels};
use ndarray::{Array1, ArrayD, ArrayView1, Axis, IxDyn};
use std::sync::Arc;

/// Has `function` called for each block of several arrays: with the blocks that lie at the same place. What it
/// returns must have the shape of such a block.
///
/// The shapes are broadcast as operators do it, and arrays that are cut in different ways are first cut
/// alike. An axis of length 1 that is repeated comes as it is: the function gets a block in which it has
/// length 1. `arrays` is a tuple of references to up to four; the function is a `fn` or a closure that captures
/// nothing, and takes a block, or a reference to one, for each.
///
/// # Panics
///
/// Panics if the shapes cannot be broadcast together. A task fails if what the function returns has another
/// shape.
///
/// ```
/// use maniple::array::map_blocks;
/// use ndarray::ArrayD;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.ones::<f64>([4, 6], [2, 3]);
/// let row = client.arange(0, 6, 1, 2);
/// let sums = map_blocks(|x: &ArrayD<f64>, n: &ArrayD<i64>| x + &n.mapv(|n| n as f64), (&x, &row));
/// assert_eq!(sums.compute()?[[3, 5]], 6.0);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn map_blocks<U, F, M, A>(function: F, arrays: A) -> Array<U>
where
    U: Element,
    A: BlockArguments,
    F: TaskFunction<A::Blocks, M, Out = ArrayD<U>> + Sync,
    M: 'static,
{
    let nodes = arrays.nodes();
    let labels = Labels::trailing(&nodes.iter().map(|node| node.ndim()).collect::<Vec<_>>());
    let node = expect("map_blocks", node::<U, F, M, A::Blocks>("map_blocks", function, &labels, nodes, &[]));
    Array::new(arrays.client(), node)
}

/// Has `function` called for each block of a result whose axes, like those of the arrays, are named by
/// letters: `"ik,kj->ij"`. A letter that several have is one axis, cut alike in all of them. Along an
/// axis that the result has not, the function gets all there is: the blocks are put together before, and must
/// fit into a worker's memory so.
///
/// `sizes` are the sizes of the result's blocks along the letters where they are not those of the arrays'
/// blocks; there are as many. A letter that no array has is a new axis, of one block.
///
/// Dask's `blockwise` with `concatenate=True`; `sizes` is its `adjust_chunks` and `new_axes`. For sums
/// of products see [`einsum`](crate::array::einsum), which does not put blocks together.
///
/// # Panics
///
/// Panics where [`try_blockwise`] returns an error. A task fails if what the function returns has not the
/// shape that is due.
///
/// ```
/// use maniple::array::blockwise;
/// use ndarray::{ArrayD, Axis};
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.ones::<f64>([4, 6], [2, 3]);
/// // The range of each row, beside its mean.
/// let ranges = blockwise(
///     |x: &ArrayD<f64>| {
///         let mean = x.mean_axis(Axis(1)).expect("elements");
///         let range = x.map_axis(Axis(1), |row| row.fold(0.0, |a: f64, b| a.max(*b)));
///         ndarray::stack![Axis(1), mean, range]
///     },
///     "ij->im",
///     (&x,),
///     &[('m', vec![2])],
/// );
/// assert_eq!(ranges.shape(), [4, 2]);
/// assert_eq!(ranges.sum().compute()?, 8.0);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn blockwise<U, F, M, A>(
    function: F,
    subscripts: &str,
    arrays: A,
    sizes: &[(char, Vec<usize>)],
) -> Array<U>
where
    U: Element,
    A: BlockArguments,
    F: TaskFunction<A::Blocks, M, Out = ArrayD<U>> + Sync,
    M: 'static,
{
    expect("blockwise", try_blockwise(function, subscripts, arrays, sizes))
}

/// As [`blockwise`].
///
/// # Errors
///
/// [`ShapeError`] if the letters do not fit the arrays, a letter stands for different lengths, or the sizes are
/// not as many as there are blocks.
pub fn try_blockwise<U, F, M, A>(
    function: F,
    subscripts: &str,
    arrays: A,
    sizes: &[(char, Vec<usize>)],
) -> Result<Array<U>, ShapeError>
where
    U: Element,
    A: BlockArguments,
    F: TaskFunction<A::Blocks, M, Out = ArrayD<U>> + Sync,
    M: 'static,
{
    let nodes = arrays.nodes();
    let labels = Labels::parse(subscripts, nodes.len())?;
    let node = node::<U, F, M, A::Blocks>("blockwise", function, &labels, nodes, sizes)?;
    Ok(Array::new(arrays.client(), node))
}

fn node<U, F, M, B>(
    name: &'static str,
    function: F,
    labels: &Labels,
    nodes: Vec<Arc<Node>>,
    sizes: &[(Label, Vec<usize>)],
) -> Result<Arc<Node>, ShapeError>
where
    U: Element,
    B: BlockTuple,
    F: TaskFunction<B, M, Out = ArrayD<U>> + Sync,
    M: 'static,
{
    let grids: Vec<_> = nodes.iter().map(|node| (&node.grid, node.is_virtual)).collect();
    let aligned = Alignment::new(labels, &grids, sizes)?;
    let inputs = nodes.iter().zip(&aligned.arrays).map(|(node, grid)| node.rechunk(grid)).collect();
    let grid = aligned.result.clone();
    Ok(custom_node(name, inputs, grid.clone(), move |client, inputs| {
        let calls = (0..grid.count()).map(|block| (grid.region(block).1, aligned.places(block)));
        Ok(B::submit(function, client, inputs, calls.collect()))
    }))
}

impl<T: Element> Array<T> {
    /// Has `function` called for each block. What it returns must have the block's shape; a task fails if
    /// it has not.
    ///
    /// The function is a `fn` or a closure that captures nothing. For several arrays see
    /// [`map_blocks`](map_blocks()), for results of another shape [`blockwise`].
    ///
    /// ```
    /// use ndarray::ArrayD;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([4, 4], 2);
    /// let y = x.map_blocks(|block: &ArrayD<f64>| block * 2.0);
    /// assert_eq!(y.sum().compute()?, 32.0);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn map_blocks<U, F, M>(&self, function: F) -> Array<U>
    where
        U: Element,
        F: TaskFunction<(ArrayD<T>,), M, Out = ArrayD<U>> + Sync,
        M: 'static,
    {
        map_blocks(function, (self,))
    }

    /// Has `function` called for each lane along an axis; the `length` elements that it returns take the
    /// lane's place. The axis is first joined to one piece. NumPy's `apply_along_axis`.
    ///
    /// The function is a `fn` or a closure that captures nothing.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis. A task fails if the function returns more or fewer elements.
    ///
    /// ```
    /// use ndarray::{Array1, ArrayView1, array};
    /// # maniple::Runtime::builder().execute(|client| {
    /// fn ends(lane: ArrayView1<i64>) -> Array1<i64> {
    ///     array![lane[0], lane[lane.len() - 1]]
    /// }
    /// let x = client.arange(0, 12, 1, 12).reshape([3, 4]).rechunk(2);
    /// let y = x.apply_along_axis(ends, 1, 2);
    /// assert_eq!(y.compute()?, array![[0, 3], [4, 7], [8, 11]].into_dyn());
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn apply_along_axis<U, F>(&self, function: F, axis: usize, length: usize) -> Array<U>
    where
        U: Element,
        F: Fn(ArrayView1<'_, T>) -> Array1<U> + Copy + Send + Sync + 'static,
    {
        let input = self.unsplit("apply_along_axis", axis);
        let mut grid = input.grid.clone();
        grid.0[axis] = AxisChunks::regular(length, length);
        let function = Captureless::of(function);
        self.derive(custom_node("apply_along_axis", vec![input], grid, move |client, inputs| {
            let blocks = inputs[0].typed::<T>().into_iter().map(|block| (function, block, axis, length));
            Ok(client.map(apply_block::<T, U, F>, blocks))
        }))
    }
}

fn apply_block<T, U, F>(function: Captureless<F>, block: &ArrayD<T>, axis: usize, length: usize) -> ArrayD<U>
where
    T: Element,
    U: Element,
    F: Fn(ArrayView1<'_, T>) -> Array1<U> + Copy + Send + Sync + 'static,
{
    let mut shape = block.shape().to_vec();
    shape[axis] = length;
    let mut result = ArrayD::from_elem(IxDyn(&shape), U::default());
    for (mut place, lane) in result.lanes_mut(Axis(axis)).into_iter().zip(block.lanes(Axis(axis))) {
        let elements = function.get()(lane);
        assert!(
            elements.len() == length,
            "the function returned {} elements for a lane where {length} are due",
            elements.len()
        );
        place.assign(&elements);
    }
    result
}
