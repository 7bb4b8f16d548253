//! Diagonals of matrices, and matrices of a diagonal.

use crate::array::{
    Array, Element, Number,
    api::operators::{constant, select_node},
    concatenate,
    error::expect,
    graph::{chunks::AxisChunks, custom::custom_node, gather::Selection},
};
use ndarray::{ArrayD, Axis, Ix0, IxDyn};

impl<T: Element> Array<T> {
    /// The elements `offset` places above the diagonal of a matrix.
    ///
    /// # Panics
    ///
    /// Panics if the array has not two axes.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 12, 1, 12).reshape([3, 4]);
    /// assert_eq!(x.diagonal(1).compute()?.as_slice().unwrap(), [1, 6, 11]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn diagonal(&self, offset: i64) -> Self {
        let [rows, columns] = self.matrix_shape("diagonal");
        let row = (offset.min(0).unsigned_abs() as usize).min(rows);
        let column = (offset.max(0) as usize).min(columns);
        let range = |start: usize, count: usize| Selection::Range { start, step: 1, count };
        let count = (rows - row).min(columns - column);
        let square = self.select_axis(0, range(row, count)).select_axis(1, range(column, count));
        square.diagonal_of(0, 1)
    }

    /// The elements whose indices along two axes of the same length are equal. The first axis stays, the second
    /// goes.
    pub(super) fn diagonal_of(&self, first: usize, second: usize) -> Self {
        // Squares on the diagonal that lie in one block each; nothing else is computed.
        let cuts = self.node.grid.0[first].common(&self.node.grid.0[second]);
        let pieces = (0..cuts.count()).map(|piece| {
            let (start, count) = cuts.piece(piece);
            let range = Selection::Range { start, step: 1, count };
            let part = self.select_axis(first, range.clone()).select_axis(second, range);
            // Empty blocks may lie beside it.
            let mut grid = part.node.grid.clone();
            for axis in [first, second] {
                grid.0[axis] = AxisChunks::regular(count, count);
            }
            let part = part.node.rechunk(&grid);
            grid.0.remove(second);
            let node = custom_node("diagonal", vec![part], grid, move |client, inputs| {
                let blocks = inputs[0].typed::<T>().into_iter().map(|block| (block, first, second));
                Ok(client.map(diagonal::<T>, blocks))
            });
            self.derive(node)
        });
        concatenate(&pieces.collect::<Vec<Self>>(), first)
    }

    /// A square matrix of zeros with this vector on its diagonal.
    ///
    /// # Panics
    ///
    /// Panics if the array has not one axis.
    #[track_caller]
    pub fn to_diagonal(&self) -> Self {
        let shape = self.shape();
        let [length] = shape[..] else {
            panic!("to_diagonal: a diagonal has one axis, shape {shape:?} has {}", shape.len())
        };
        let index = self.client.arange(0, length as i64, 1, self.chunks());
        let is_diagonal = index.expand_dims(0).eq(index.expand_dims(1));
        let inputs = vec![is_diagonal.node, self.expand_dims(0).node, constant(T::default())];
        self.derive(expect("to_diagonal", select_node(T::DATA_TYPE, inputs)))
    }

    /// The lengths of the two axes.
    #[track_caller]
    pub(in crate::array) fn matrix_shape(&self, what: &str) -> [usize; 2] {
        let shape = self.shape();
        match shape[..] {
            [rows, columns] => [rows, columns],
            _ => {
                panic!("{what}: a matrix has two axes, shape {shape:?} has {}", shape.len())
            }
        }
    }
}

impl<T: Number> Array<T> {
    /// The sum of the elements `offset` places above the diagonal of a matrix.
    ///
    /// # Panics
    ///
    /// Panics if the array has not two axes.
    #[track_caller]
    pub fn trace(&self, offset: i64) -> Array<T::Sum, Ix0> {
        self.diagonal(offset).sum()
    }
}

fn diagonal<T: Element>(block: &ArrayD<T>, first: usize, second: usize) -> ArrayD<T> {
    let (kept, dropped) = (first - usize::from(second < first), first.max(second));
    let mut shape = block.shape().to_vec();
    shape.remove(second);
    let mut result = ArrayD::from_elem(IxDyn(&shape), T::default());
    for (place, mut target) in result.axis_iter_mut(Axis(kept)).enumerate() {
        let line = block.index_axis(Axis(dropped), place);
        target.assign(&line.index_axis(Axis(first.min(second)), place));
    }
    result
}
