//! Matrices as block columns: what the factorizations by block columns share.
//!
//! A block column is kept transposed, as one array of shape (columns, rows): see [`local`](super::local).
//! The column that stands at place `k` begins at row `k` of the diagonal, too; what a step leaves of it
//! above is final, and the next steps work on the rest.

use super::local::rows;
use crate::{
    array::{
        Array, DataType, Float, ShapeError, ShapeErrorKind,
        graph::{
            blocks::Blocks,
            chunks::{AxisChunks, Grid},
            node::{Custom, Erased, Kind, Node},
            submitter::Submitter,
        },
    },
    client::Future,
};
use ndarray::{Array2, ArrayD, s};
use std::sync::Arc;

/// Blocks, on their workers.
pub(super) type Futures<T> = Vec<Future<ArrayD<T>>>;

impl<T: Float> Array<T> {
    /// The transpose in blocks of whole rows: block columns of the matrix.
    pub(super) fn block_columns(&self, columns: &AxisChunks) -> Arc<Node> {
        let rows = self.node.grid.0[0].length();
        let grid = Grid(vec![columns.clone(), AxisChunks::regular(rows, rows)]);
        self.transpose().node.rechunk(&grid)
    }

    /// What was made as block columns, each `rows` long, cut as it is wanted.
    pub(super) fn of_block_columns(&self, node: Arc<Node>, grid: Grid) -> Self {
        let columns: Self = self.derive(node);
        self.derive(columns.transpose().node.rechunk(&grid))
    }

    /// A factor, of this grid, that has no elements, or has nothing but zeros as it is of a matrix without any.
    pub(super) fn zeros_of(&self, grid: Grid) -> Self {
        self.derive(Node::new(T::DATA_TYPE, grid, Kind::Constant(T::zero().scalar())))
    }

    /// The length of the axes of a square matrix.
    pub(super) fn square_length(&self, what: &str) -> Result<usize, ShapeError> {
        match self.shape()[..] {
            [rows, columns] if rows == columns => Ok(rows),
            _ => Err(ShapeError::new(
                ShapeErrorKind::Unsupported,
                format!("{what}: the matrix must be square, its shape is {:?}", self.shape()),
            )),
        }
    }
}

/// An operation with several results, of these types and grids. `submit` is given the blocks of the
/// inputs and returns those of the results.
pub(super) fn factors_nodes<T: Float, const N: usize>(
    name: &'static str,
    inputs: Vec<Arc<Node>>,
    results: [(DataType, Grid); N],
    submit: impl Fn(&Submitter<'_>, Vec<Futures<T>>) -> [Vec<Future<Erased>>; N] + Send + Sync + 'static,
) -> [Arc<Node>; N] {
    let submit = move |client: &Submitter<'_>, inputs: &[Blocks]| {
        Ok(submit(client, inputs.iter().map(Blocks::typed).collect()).into())
    };
    let custom = Arc::new(Custom { name, inputs, is_product: false, source: None, submit: Box::new(submit) });
    let mut results = results.into_iter().enumerate();
    std::array::from_fn(|_| {
        let (index, (data_type, grid)) = results.next().expect("as many");
        Node::new(data_type, grid, Kind::Output(Arc::clone(&custom), index))
    })
}

/// The grid of transposed block columns that are `rows` long.
pub(super) fn columns_grid(columns: &AxisChunks, rows: usize) -> Grid {
    Grid(vec![columns.clone(), AxisChunks::regular(rows, rows)])
}

/// The pieces of an axis up to some length.
pub(super) fn first_pieces(chunks: &AxisChunks, length: usize) -> AxisChunks {
    let pieces = (0..chunks.count()).map(|index| chunks.piece(index));
    let sizes: Vec<usize> =
        pieces.filter(|(start, _)| *start < length).map(|(start, size)| size.min(length - start)).collect();
    AxisChunks::listed(&sizes)
}

/// A block column of a triangular factor that has `length` rows: what is above `offset` in `column`, and
/// from there on the upper triangle of `factor`; both transposed.
pub(super) fn upper_column<T: Float>(
    column: &ArrayD<T>,
    factor: &ArrayD<T>,
    offset: usize,
    length: usize,
) -> ArrayD<T> {
    let (column, factor) = (rows(column), rows(factor));
    let mut upper = Array2::zeros((column.nrows(), length));
    upper.slice_mut(s![.., ..offset]).assign(&column.slice(s![.., ..offset]));
    for (place, mut target) in upper.rows_mut().into_iter().enumerate() {
        let end = length.min(offset + place + 1);
        target.slice_mut(s![offset..end]).assign(&factor.slice(s![place, ..end - offset]));
    }
    upper.into_dyn()
}

/// The first rows of a block column.
pub(super) fn first_rows<T: Float>(column: &ArrayD<T>, length: usize) -> ArrayD<T> {
    rows(column).slice(s![.., ..length]).to_owned().into_dyn()
}
