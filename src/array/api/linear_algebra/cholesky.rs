//! The Cholesky factorization, by block columns, right-looking: the columns right of a finished one are
//! updated at once.

use super::{
    columns::{Futures, columns_grid, factors_nodes},
    local::{cholesky, rows, subtract_product, transposed, transposed_mut},
};
use crate::array::{
    Array, Float, ShapeError,
    error::expect,
    graph::{
        chunks::{AxisChunks, Grid},
        custom::erased,
        submitter::Submitter,
    },
};
use ndarray::{Array2, ArrayD, s};

impl<T: Float> Array<T> {
    /// The lower triangular L with `L · Lᴴ` equal to this symmetric (or Hermitian) positive definite
    /// matrix, of which only the lower triangle is looked at.
    ///
    /// A task fails, with these words, if the matrix is not positive definite.
    ///
    /// # Panics
    ///
    /// Panics if the array is no square matrix.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.eye::<f64>(4, 0, 2) * 9.0;
    /// assert_eq!(x.cholesky().trace(0).compute()?, 12.0);
    /// assert!((-x).cholesky().compute().unwrap_err().to_string().contains("not positive definite"));
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn cholesky(&self) -> Self {
        expect("cholesky", self.try_cholesky())
    }

    /// As [`cholesky`](Self::cholesky).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the array is no square matrix.
    pub fn try_cholesky(&self) -> Result<Self, ShapeError> {
        let length = self.square_length("cholesky")?;
        let chunks = self.node.grid.0[1].clone();
        let grid = Grid(vec![chunks.clone(), chunks.clone()]);
        if length == 0 {
            return Ok(self.zeros_of(grid));
        }
        let results = [(T::DATA_TYPE, columns_grid(&chunks, length))];
        let inputs = vec![self.block_columns(&chunks)];
        let [node] = factors_nodes("cholesky", inputs, results, move |client, mut inputs| {
            [erased(&submit::<T>(client, inputs.remove(0), &chunks))]
        });
        Ok(self.of_block_columns(node, grid))
    }
}

fn submit<T: Float>(client: &Submitter<'_>, mut columns: Futures<T>, chunks: &AxisChunks) -> Futures<T> {
    for step in 0..columns.len() {
        let (offset, _) = chunks.piece(step);
        let factor = client.submit(factorize::<T>, (&columns[step], offset));
        let right = columns[step + 1..].iter().enumerate();
        let right = right.map(|(place, column)| (&factor, column, chunks.piece(step + 1 + place).0));
        let updated = client.map(update::<T>, right);
        columns.splice(step + 1.., updated);
        columns[step] = factor;
    }
    columns
}

/// The block column of the factor from the block column of the matrix that is left.
fn factorize<T: Float>(column: &ArrayD<T>, offset: usize) -> ArrayD<T> {
    let column = rows(column);
    let mut part = column.slice(s![.., offset..]).to_owned();
    if let Err(order) = cholesky::<T>(transposed_mut(&mut part)) {
        let order = offset + order;
        panic!("the matrix is not positive definite: its leading minor of order {order} is not positive");
    }
    let mut factor = Array2::zeros(column.dim());
    factor.slice_mut(s![.., offset..]).assign(&part);
    factor.into_dyn()
}

/// What is left of a block column at row `offset` right of a finished one.
fn update<T: Float>(factor: &ArrayD<T>, column: &ArrayD<T>, offset: usize) -> ArrayD<T> {
    let (factor, mut column) = (rows(factor), rows(column).into_owned());
    let count = column.nrows();
    let factor = transposed(&factor).split_at_row(offset).1;
    let matrix = transposed_mut(&mut column).split_at_row_mut(offset).1;
    subtract_product::<T>(matrix, factor, factor.subrows(0, count).adjoint());
    column.into_dyn()
}
