//! Diagonals of matrices, and matrices of a diagonal.

use crate::array::{
    Array, Element, Number,
    chunks::Grid,
    concatenate,
    custom::custom_node,
    error::expect,
    gather::Selection,
    operators::{constant, select_node},
};
use ndarray::{Array1, ArrayD, Ix0};
use std::sync::Arc;

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
        let [rows, columns] = self.matrix_shape("the diagonal");
        let row = (offset.min(0).unsigned_abs() as usize).min(rows);
        let column = (offset.max(0) as usize).min(columns);
        let range = |start: usize, count: usize| Selection::Range { start, step: 1, count };
        let count = (rows - row).min(columns - column);
        let square = self.select_axis(0, range(row, count)).select_axis(1, range(column, count));
        // Squares on the diagonal that lie in one block each; nothing else is computed.
        let cuts = square.node.grid.0[0].common(&square.node.grid.0[1]);
        let pieces = (0..cuts.count()).map(|piece| {
            let (start, count) = cuts.piece(piece);
            let part = square.select_axis(0, range(start, count)).select_axis(1, range(start, count));
            let grid = Grid(vec![part.node.grid.0[0].clone()]);
            let node = custom_node("diagonal", vec![Arc::clone(&part.node)], grid, |client, inputs| {
                Ok(client.map(diagonal::<T>, inputs[0].typed::<T>()))
            });
            self.derive(node)
        });
        concatenate(&pieces.collect::<Vec<Self>>(), 0)
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
            panic!("a diagonal has one axis, shape {shape:?} has {}", shape.len())
        };
        let index = self.client.arange(0, length as i64, 1, self.chunks());
        let is_diagonal = index.expand_dims(0).eq(index.expand_dims(1));
        let inputs = vec![is_diagonal.node, self.expand_dims(0).node, constant(T::default())];
        self.derive(expect(select_node(T::DATA_TYPE, inputs)))
    }

    /// The lengths of the two axes.
    #[track_caller]
    pub(in crate::array) fn matrix_shape(&self, what: &str) -> [usize; 2] {
        let shape = self.shape();
        match shape[..] {
            [rows, columns] => [rows, columns],
            _ => {
                panic!("{what} is that of a matrix, which has two axes; shape {shape:?} has {}", shape.len())
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

fn diagonal<T: Element>(block: &ArrayD<T>) -> ArrayD<T> {
    let count = block.shape().iter().copied().min().unwrap_or(0);
    Array1::from_shape_fn(count, |place| block[[place, place]]).into_dyn()
}
