//! The LU factorization with partial pivoting, by block columns, right-looking, and what is solved by it.
//!
//! The factor of a block column is kept transposed, as all are, with one more row: the order that its
//! rows were brought into, as 32-bit integers in the memory of the elements.

use super::{
    columns::{Futures, columns_grid, factors_nodes, first_pieces, first_rows, upper_column},
    local::{Triangle, lu, rows, transposed, transposed_mut},
    triangular::{backward, forward},
};
use crate::{
    array::{
        Array, Element, Float, ShapeError,
        api::operators::constant,
        error::expect,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::{custom_node, erased},
            submitter::Submitter,
        },
    },
    client::Future,
    task::Shared,
};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix0, IxDyn, s};
use serde::{Deserialize, Serialize};

/// An LU factorization: the rows of the matrix in the order of `permutation` are `lower · upper`.
#[derive(Clone, Debug)]
pub struct Lu<T: Element> {
    /// Which row of the matrix is at each place.
    pub permutation: Array<i64>,
    /// Lower triangular, with ones on its diagonal.
    pub lower: Array<T>,
    /// Upper triangular.
    pub upper: Array<T>,
}

impl<T: Float> Lu<T> {
    /// The matrix P with `P · L · U` equal to the matrix that was factorized.
    pub fn permutation_matrix(&self) -> Array<T> {
        let rows = self.permutation.shape()[0] as i64;
        let index = self.permutation.client().arange(0, rows, 1, self.permutation.chunks());
        index.expand_dims(1).eq(self.permutation.expand_dims(0)).cast()
    }
}

impl<T: Float> Array<T> {
    /// The LU factorization of a matrix with partial pivoting: in each column, the largest element below
    /// the diagonal is brought there.
    ///
    /// A task fails, with these words, if a column depends on those before it: the matrix is singular.
    ///
    /// # Panics
    ///
    /// Panics if the array is no matrix.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(3).normal::<f64>(0.0, 1.0, [6, 6], 2);
    /// let lu = x.lu();
    /// let product = lu.permutation_matrix().matmul(&lu.lower).matmul(&lu.upper);
    /// assert!((product - x).abs().max().compute()? < 1e-14);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn lu(&self) -> Lu<T> {
        let [rows, columns] = self.matrix_shape("lu");
        let [row_chunks, chunks] = [0, 1].map(|axis| self.node.grid.0[axis].clone());
        if rows == 0 || columns == 0 {
            let none = AxisChunks::regular(0, 1);
            return Lu {
                permutation: self.client.arange(0, rows as i64, 1, vec![row_chunks.sizes()]),
                lower: self.zeros_of(Grid(vec![row_chunks, none.clone()])),
                upper: self.zeros_of(Grid(vec![none, chunks])),
            };
        }
        let inner = first_pieces(&chunks, rows.min(columns));
        let results = [
            (i64::DATA_TYPE, Grid(vec![AxisChunks::regular(rows, rows)])),
            (T::DATA_TYPE, columns_grid(&inner, rows)),
            (T::DATA_TYPE, columns_grid(&chunks, inner.length())),
        ];
        let permutation_grid = Grid(vec![row_chunks.clone()]);
        let lower_grid = Grid(vec![row_chunks, inner.clone()]);
        let upper_grid = Grid(vec![inner, chunks.clone()]);
        let inputs = vec![self.block_columns(&chunks)];
        let [permutation, lower, upper] = factors_nodes("lu", inputs, results, move |client, mut inputs| {
            let factorized = Factorized::<T>::submit(client, inputs.remove(0), &chunks, rows, Zero::Failure);
            let (permutation, lower) = factorized.permutation_and_lower(client, rows);
            [erased(&[permutation]), erased(&lower), erased(&factorized.upper(client, rows.min(columns)))]
        });
        Lu {
            permutation: self.derive(permutation.rechunk(&permutation_grid)),
            lower: self.of_block_columns(lower, lower_grid),
            upper: self.of_block_columns(upper, upper_grid),
        }
    }

    /// Solves `x · y = right` for y, where x is this square matrix, by LU factorization. `right` is a
    /// vector or a matrix.
    ///
    /// A task fails, with these words, if the matrix is singular.
    ///
    /// # Panics
    ///
    /// Panics if the shapes do not fit.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.eye::<f64>(4, 0, 2) * 4.0;
    /// let y = x.solve(&client.ones([4], 4));
    /// assert_eq!(y.compute()?.as_slice().unwrap(), [0.25; 4]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn solve(&self, right: &Self) -> Self {
        expect("solve", self.try_solve(right))
    }

    /// As [`solve`](Self::solve).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the shapes do not fit.
    pub fn try_solve(&self, right: &Self) -> Result<Self, ShapeError> {
        let chunks = self.node.grid.0.last().cloned();
        self.by_substitution("solve", right, move |client, columns, right, _| {
            let chunks = chunks.as_ref().expect("a matrix");
            let Factorized { columns, factors } =
                Factorized::submit(client, columns, chunks, chunks.length(), Zero::Failure);
            let down = factors.iter().fold(right, |right, (factor, offset)| {
                client.map(eliminate::<T>, right.iter().map(|right| (factor, right, *offset)))
            });
            let steps = factors.iter().zip(&columns).rev();
            steps.fold(down, |right, ((factor, offset), column)| {
                client.map(substitute::<T>, right.iter().map(|right| (factor, column, right, *offset)))
            })
        })
    }

    /// The inverse of a square matrix. To solve equations, [`solve`](Self::solve) is faster and more
    /// accurate.
    ///
    /// A task fails, with these words, if the matrix is singular.
    ///
    /// # Panics
    ///
    /// Panics if the array is no square matrix.
    #[track_caller]
    pub fn inv(&self) -> Self {
        let length = expect("inv", self.square_length("inv"));
        self.solve(&self.client.eye(length, 0, self.chunks()))
    }

    /// The determinant of a square matrix.
    ///
    /// # Panics
    ///
    /// Panics if the array is no square matrix.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// assert_eq!((client.eye::<f64>(5, 0, 2) * 2.0).det().compute()?, 32.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn det(&self) -> Array<T, Ix0> {
        let length = expect("det", self.square_length("det"));
        if length == 0 {
            return self.derive(constant(T::one()));
        }
        let chunks = self.node.grid.0[1].clone();
        let inputs = vec![self.block_columns(&chunks)];
        let node = custom_node("det", inputs, Grid(Vec::new()), move |client, inputs| {
            let factorized =
                Factorized::<T>::submit(client, inputs[0].typed(), &chunks, length, Zero::Determinant);
            let factors = factorized.factors.iter().map(|(factor, _)| factor);
            Ok(vec![client.submit(product::<T>, client.map(determinant::<T>, factors))])
        });
        self.derive(node)
    }
}

/// The state of the block columns after all steps.
struct Factorized<T> {
    /// Final above where they begin on the diagonal.
    columns: Futures<T>,
    /// The factors of those that have a part of the diagonal, and at which row they begin.
    factors: Vec<(Future<ArrayD<T>>, usize)>,
}

impl<T: Float> Factorized<T> {
    fn submit(
        client: &Submitter<'_>,
        mut columns: Futures<T>,
        chunks: &AxisChunks,
        rows: usize,
        zero: Zero,
    ) -> Self {
        let mut factors = Vec::new();
        for step in 0..columns.len() {
            let (offset, _) = chunks.piece(step);
            if offset >= rows {
                break;
            }
            let factor = client.submit(factorize::<T>, (&columns[step], offset, zero));
            let tasks = columns[step + 1..].iter().map(|column| (&factor, column, offset));
            let updated = client.map(eliminate::<T>, tasks);
            columns.splice(step + 1.., updated);
            factors.push((factor, offset));
        }
        Self { columns, factors }
    }

    fn upper(&self, client: &Submitter<'_>, length: usize) -> Futures<T> {
        let column = |(place, column)| match self.factors.get(place) {
            Some((factor, offset)) => client.submit(upper_column::<T>, (column, factor, *offset, length)),
            None => client.submit(first_rows::<T>, (column, length)),
        };
        self.columns.iter().enumerate().map(column).collect()
    }

    fn permutation_and_lower(
        &self,
        client: &Submitter<'_>,
        rows: usize,
    ) -> (Future<ArrayD<i64>>, Futures<T>) {
        let orders = client.map(order_of::<T>, self.factors.iter().map(|(factor, _)| factor));
        let lower = client.map(
            lower_column::<T>,
            self.factors
                .iter()
                .enumerate()
                .map(|(place, (factor, offset))| (factor, orders[place + 1..].to_vec(), *offset, rows)),
        );
        (client.submit(permutation, (orders, rows)), lower)
    }
}

/// What a column without a pivot, in which nothing but zeros is left, means. Nothing can be divided by
/// it, so what is right of it has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Zero {
    /// The task fails.
    Failure,
    /// The determinant is zero.
    Determinant,
}

/// The factor of the rows from `offset` on of a block column.
fn factorize<T: Float>(column: &ArrayD<T>, offset: usize, zero: Zero) -> ArrayD<T> {
    let column = rows(column);
    let mut part = column.slice(s![.., offset..]).to_owned();
    let order = lu::<T>(transposed_mut(&mut part));
    let divided = part.nrows().min(part.ncols() - 1);
    let without = (0..divided).find(|place| part[(*place, *place)] == T::zero());
    if let Some(place) = without.filter(|_| zero == Zero::Failure) {
        panic!("the matrix is singular: column {} depends on those before it", offset + place);
    }
    let mut factor = Array2::zeros((part.nrows() + 1, part.ncols()));
    factor.slice_mut(s![..-1, ..]).assign(&part);
    for (element, row) in factor.row_mut(part.nrows()).iter_mut().zip(order) {
        bytemuck::bytes_of_mut(element)[..4].copy_from_slice(&row.to_ne_bytes());
    }
    factor.into_dyn()
}

/// Which of the rows from where the factor begins is at each of these places.
fn order_of<T: Float>(factor: &ArrayD<T>) -> Vec<u32> {
    let row = |element: &T| {
        let bytes = bytemuck::bytes_of(element)[..4].try_into().expect("four bytes");
        u32::from_ne_bytes(bytes)
    };
    factor.index_axis(Axis(0), factor.shape()[0] - 1).iter().map(row).collect()
}

/// A block column after a step: its rows in the new order, and without the part that the factor says.
fn eliminate<T: Float>(factor: &ArrayD<T>, column: &ArrayD<T>, offset: usize) -> ArrayD<T> {
    let mut column = rows(column).into_owned();
    let order = order_of(factor);
    for mut line in column.rows_mut() {
        let old = line.slice(s![offset..]).to_owned();
        line.slice_mut(s![offset..]).iter_mut().zip(&order).for_each(|(new, row)| *new = old[*row as usize]);
    }
    let factor = rows(factor);
    let factor = transposed(&factor).subcols(0, factor.nrows() - 1);
    forward::<T>(Triangle::UnitLower, factor, transposed_mut(&mut column).split_at_row_mut(offset).1);
    column.into_dyn()
}

/// A step back: what the block column of U at row `offset` says of a block column of the other side.
fn substitute<T: Float>(
    factor: &ArrayD<T>,
    column: &ArrayD<T>,
    right: &ArrayD<T>,
    offset: usize,
) -> ArrayD<T> {
    let (factor, column, mut right) = (rows(factor), rows(column), rows(right).into_owned());
    let factor = transposed(&factor).subcols(0, factor.nrows() - 1);
    backward::<T>(transposed(&column).split_at_row(offset).0, factor, transposed_mut(&mut right));
    right.into_dyn()
}

/// A block column of L, whose rows the later steps bring into another order.
fn lower_column<T: Float>(
    factor: &ArrayD<T>,
    later: Vec<Shared<Vec<u32>>>,
    offset: usize,
    rows: usize,
) -> ArrayD<T> {
    let factor = super::local::rows(factor);
    let count = (factor.nrows() - 1).min(rows - offset);
    let mut order: Vec<usize> = (0..rows).collect();
    later.iter().for_each(|step| reorder(&mut order, step));
    Array2::from_shape_fn((count, rows), |(column, row)| match row.cmp(&(offset + column)) {
        std::cmp::Ordering::Less => T::zero(),
        std::cmp::Ordering::Equal => T::one(),
        std::cmp::Ordering::Greater => factor[(column, order[row] - offset)],
    })
    .into_dyn()
}

/// Brings the last of the rows into the order of a step.
fn reorder(rows: &mut [usize], order: &[u32]) {
    let start = rows.len() - order.len();
    let old = rows[start..].to_vec();
    rows[start..].iter_mut().zip(order).for_each(|(new, row)| *new = old[*row as usize]);
}

fn permutation(orders: Vec<Shared<Vec<u32>>>, rows: usize) -> ArrayD<i64> {
    let mut all: Vec<usize> = (0..rows).collect();
    orders.iter().for_each(|order| reorder(&mut all, order));
    all.into_iter().map(|row| row as i64).collect::<Array1<i64>>().into_dyn()
}

/// The factor of the determinant that a block column has. Zero comes first: after it there is no
/// meaning in the others.
fn determinant<T: Float>(factor: &ArrayD<T>) -> ArrayD<T> {
    let mut order = order_of(factor);
    let diagonal: Vec<T> = (0..factor.shape()[0] - 1).map(|place| factor[[place, place]]).collect();
    let mut value = product_of(&diagonal);
    // The sign is that of the permutation: -1 for each exchange that sorts it.
    for place in 0..order.len() {
        while order[place] as usize != place {
            let other = order[place] as usize;
            order.swap(place, other);
            value = T::zero() - value;
        }
    }
    ArrayD::from_elem(IxDyn(&[]), value)
}

fn product<T: Float>(parts: Vec<Shared<ArrayD<T>>>) -> ArrayD<T> {
    let parts: Vec<T> = parts.iter().map(|part| part[IxDyn(&[])]).collect();
    ArrayD::from_elem(IxDyn(&[]), product_of(&parts))
}

fn product_of<T: Float>(factors: &[T]) -> T {
    match factors.contains(&T::zero()) {
        true => T::zero(),
        false => factors.iter().fold(T::one(), |product, factor| product * *factor),
    }
}
