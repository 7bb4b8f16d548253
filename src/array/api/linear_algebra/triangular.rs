//! Systems of equations with a triangular matrix, by block columns.

use super::{
    columns::{Futures, columns_grid, factors_nodes},
    local::{Local, Triangle, rows, solve, subtract_product, transposed, transposed_mut},
};
use crate::array::{
    Array, Float, ShapeError, ShapeErrorKind,
    error::expect,
    graph::{custom::erased, submitter::Submitter},
};
use faer::{
    MatMut, MatRef,
    prelude::{Reborrow, ReborrowMut},
};
use ndarray::ArrayD;

impl<T: Float> Array<T> {
    /// Solves `x · y = right` for y, where x is this matrix with only its lower (or upper) triangle
    /// looked at. `right` is a vector or a matrix.
    ///
    /// The task that finds a zero on the diagonal fails: the matrix is singular.
    ///
    /// # Panics
    ///
    /// Panics if the shapes do not fit.
    #[track_caller]
    pub fn solve_triangular(&self, right: &Self, lower: bool) -> Self {
        expect("solve_triangular", self.try_solve_triangular(right, lower))
    }

    /// As [`solve_triangular`](Self::solve_triangular).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the shapes do not fit.
    pub fn try_solve_triangular(&self, right: &Self, lower: bool) -> Result<Self, ShapeError> {
        let triangle = if lower { Triangle::Lower } else { Triangle::Upper };
        self.by_substitution("solve_triangular", right, move |client, columns, right, places| {
            let step = |right: Futures<T>, (column, (offset, _)): (_, &(usize, usize))| {
                client.map(substitute::<T>, right.iter().map(|right| (column, right, *offset, triangle)))
            };
            let steps = columns.iter().zip(places);
            if lower { steps.fold(right, step) } else { steps.rev().fold(right, step) }
        })
    }

    /// The solution of a system of equations that tasks make of the block columns of both sides, and
    /// the places of those of this square matrix.
    pub(super) fn by_substitution(
        &self,
        name: &'static str,
        right: &Self,
        submit: impl Fn(&Submitter<'_>, Futures<T>, Futures<T>, &[(usize, usize)]) -> Futures<T>
        + Send
        + Sync
        + 'static,
    ) -> Result<Self, ShapeError> {
        let length = self.square_length(name)?;
        let is_fit = matches!(right.ndim(), 1 | 2) && right.shape()[0] == length;
        if !is_fit {
            let (own, other) = (self.shape(), right.shape());
            return Err(ShapeError::new(
                ShapeErrorKind::Mismatch,
                format!("{name} of shapes {own:?} and {other:?}, which do not fit"),
            ));
        }
        if right.ndim() == 1 {
            let column = self.by_substitution(name, &right.expand_dims(1), submit)?;
            return Ok(column.derive(crate::array::api::index::view_node(&column.node, &[Some(0)])));
        }
        let chunks = self.node.grid.0[1].clone();
        let right_chunks = right.node.grid.0[1].clone();
        if length == 0 {
            return Ok(self.zeros_of(crate::array::graph::chunks::Grid(vec![chunks, right_chunks])));
        }
        let inputs = vec![self.block_columns(&chunks), right.block_columns(&right_chunks)];
        let results = [(T::DATA_TYPE, columns_grid(&right_chunks, length))];
        let places: Vec<(usize, usize)> = (0..chunks.count()).map(|place| chunks.piece(place)).collect();
        let [node] = factors_nodes(name, inputs, results, move |client, mut inputs| {
            let right = inputs.pop().expect("two were given");
            [erased(&submit(client, inputs.remove(0), right, &places))]
        });
        Ok(self.of_block_columns(node, crate::array::graph::chunks::Grid(vec![chunks, right_chunks])))
    }
}

/// One step: what a block column of the matrix at row `offset` says of a block column of the other side.
fn substitute<T: Float>(
    column: &ArrayD<T>,
    right: &ArrayD<T>,
    offset: usize,
    triangle: Triangle,
) -> ArrayD<T> {
    let (column, mut right) = (rows(column), rows(right).into_owned());
    let column = transposed(&column);
    match triangle {
        Triangle::Upper => {
            let (above, factor) = column.split_at_row(offset);
            backward::<T>(above, factor, transposed_mut(&mut right));
        }
        lower => forward::<T>(
            lower,
            column.split_at_row(offset).1,
            transposed_mut(&mut right).split_at_row_mut(offset).1,
        ),
    }
    right.into_dyn()
}

/// Solves for the first rows of `right` and takes them off the rest.
pub(super) fn forward<T: Float>(
    triangle: Triangle,
    factor: MatRef<'_, Local<T>>,
    right: MatMut<'_, Local<T>>,
) {
    let count = factor.ncols().min(factor.nrows());
    let (factor, below) = factor.subcols(0, count).split_at_row(count);
    let (mut own, rest) = right.split_at_row_mut(count);
    solve::<T>(triangle, factor, own.rb_mut());
    subtract_product::<T>(rest, below, own.rb());
}

/// Solves for the rows of `right` after as many as are in `above`, and takes them off these.
pub(super) fn backward<T: Float>(
    above: MatRef<'_, Local<T>>,
    factor: MatRef<'_, Local<T>>,
    right: MatMut<'_, Local<T>>,
) {
    let count = factor.ncols();
    let (rest, own) = right.split_at_row_mut(above.nrows());
    let mut own = own.subrows_mut(0, count);
    solve::<T>(Triangle::Upper, factor.subrows(0, count), own.rb_mut());
    subtract_product::<T>(rest, above, own.rb());
}
