//! Factorizations of one matrix on one thread, by `faer`.
//!
//! `faer` wants columns one after the other in memory, arrays have rows. Where blocks stay within a
//! factorization they are therefore kept transposed: a block of shape (columns, rows) is the matrix as
//! `faer` wants it, and nothing is copied.

use crate::array::{
    Float,
    element::sealed::Field,
    kernel::operators::{real_of, wide},
};
use faer::{
    Accum, Conj, MatMut, MatRef, Par, Side,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        cholesky::llt::factor::{LltError, cholesky_in_place, cholesky_in_place_scratch},
        householder::{
            apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
            apply_block_householder_sequence_on_the_left_in_place_with_conj as apply_sequence,
            apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj as apply_transpose,
        },
        lu::partial_pivoting::factor::{lu_in_place, lu_in_place_scratch},
        matmul::matmul,
        qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size},
        triangular_solve::{
            solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
            solve_upper_triangular_in_place,
        },
    },
    prelude::{Reborrow, ReborrowMut, default},
    traits::Conjugate,
};
use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewMut2, CowArray, Ix2, s};
use serde::{Deserialize, Serialize};

/// The element as `faer` knows it.
pub(super) type Local<T> = <T as Field>::Local;

/// How many rows are copied at a time, so that both sides of the copy stay in the cache.
const COPY_ROWS: usize = 64;

/// A block as a matrix, rows in order.
pub(super) fn rows<T: Float>(block: &ArrayD<T>) -> CowArray<'_, T, Ix2> {
    let shape = (block.shape()[0], block.shape()[1]);
    block.to_shape(shape).expect("a matrix")
}

/// The matrix whose transpose is the array.
pub(super) fn transposed<'a, T: Float>(array: &'a CowArray<'_, T, Ix2>) -> MatRef<'a, Local<T>> {
    let (columns, rows) = array.dim();
    let elements = bytemuck::cast_slice(array.as_slice().expect("rows in order"));
    MatRef::from_column_major_slice(elements, rows, columns)
}

/// The matrix whose transpose is the array, to be written.
pub(super) fn transposed_mut<T: Float>(array: &mut Array2<T>) -> MatMut<'_, Local<T>> {
    let (columns, rows) = array.dim();
    let elements = bytemuck::cast_slice_mut(array.as_slice_mut().expect("rows in order"));
    MatMut::from_column_major_slice_mut(elements, rows, columns)
}

/// Writes the transpose of a matrix.
pub(super) fn transpose_to<T: Float>(source: ArrayView2<'_, T>, mut target: ArrayViewMut2<'_, T>) {
    let rows = source.nrows();
    for start in (0..rows).step_by(COPY_ROWS) {
        let range = start..rows.min(start + COPY_ROWS);
        target.slice_mut(s![.., range.clone()]).assign(&source.slice(s![range, ..]).t());
    }
}

/// The transpose, rows in order.
pub(super) fn flip<T: Float>(source: ArrayView2<'_, T>) -> Array2<T> {
    let mut target = Array2::zeros((source.ncols(), source.nrows()));
    transpose_to(source, target.view_mut());
    target
}

fn to_array<T: Float>(matrix: MatRef<'_, Local<T>>) -> ArrayD<T> {
    let element = |(row, column)| bytemuck::cast(matrix[(row, column)]);
    Array2::from_shape_fn((matrix.nrows(), matrix.ncols()), element).into_dyn()
}

/// A QR factorization as Householder reflections, kept transposed in one array. In it R and, below R's
/// diagonal, the reflections; after these rows of the matrix come the coefficients that join the
/// reflections of several columns to one.
pub(super) struct Reflections<'a, T: Float> {
    basis: MatRef<'a, Local<T>>,
    coefficients: MatRef<'a, Local<T>>,
}

impl<'a, T: Float> Reflections<'a, T> {
    /// Those of a matrix of `rows` rows, as [`reflections`] made them.
    pub(super) fn of(array: &'a CowArray<'_, T, Ix2>, rows: usize) -> Self {
        let (basis, coefficients) = transposed(array).split_at_row(rows);
        Self { basis, coefficients: coefficients.subcols(0, rows.min(basis.ncols())) }
    }

    /// Multiplies a matrix by Q.
    pub(super) fn apply(&self, matrix: MatMut<'_, Local<T>>) {
        let (basis, coefficients) = (self.basis, self.coefficients);
        let bytes = apply_scratch::<Local<T>>(basis.nrows(), coefficients.nrows(), matrix.ncols());
        let (mut memory, no) = (MemBuffer::new(bytes), Conj::No);
        apply_sequence(basis, coefficients, no, matrix, Par::Seq, MemStack::new(&mut memory));
    }

    /// Multiplies a matrix by the conjugate transpose of Q.
    pub(super) fn apply_adjoint(&self, matrix: MatMut<'_, Local<T>>) {
        let (basis, coefficients) = (self.basis, self.coefficients);
        let bytes = apply_scratch::<Local<T>>(basis.nrows(), coefficients.nrows(), matrix.ncols());
        let (mut memory, yes) = (MemBuffer::new(bytes), Conj::Yes);
        apply_transpose(basis, coefficients, yes, matrix, Par::Seq, MemStack::new(&mut memory));
    }
}

/// Factorizes a matrix, whose transpose `fill` writes, to [`Reflections`].
pub(super) fn reflections<T: Float>(
    (rows, columns): (usize, usize),
    fill: impl FnOnce(ArrayViewMut2<'_, T>),
) -> ArrayD<T> {
    let block_size = recommended_block_size::<Local<T>>(rows, columns);
    let mut array = Array2::zeros((columns, rows + block_size));
    fill(array.slice_mut(s![.., ..rows]));
    let (matrix, coefficients) = transposed_mut(&mut array).split_at_row_mut(rows);
    let coefficients = coefficients.subcols_mut(0, rows.min(columns));
    let bytes = qr_in_place_scratch::<Local<T>>(rows, columns, block_size, Par::Seq, default());
    let mut memory = MemBuffer::new(bytes);
    qr_in_place(matrix, coefficients, Par::Seq, MemStack::new(&mut memory), default());
    array.into_dyn()
}

/// The factorization with partial pivoting in place: U, and below its diagonal L without its ones.
/// Returns which row of the matrix went to each place.
pub(super) fn lu<T: Float>(matrix: MatMut<'_, Local<T>>) -> Vec<u32> {
    let (rows, columns) = (matrix.nrows(), matrix.ncols());
    let (mut order, mut inverse) = (vec![0_u32; rows], vec![0_u32; rows]);
    let mut memory = MemBuffer::new(lu_in_place_scratch::<u32, Local<T>>(rows, columns, Par::Seq, default()));
    let stack = MemStack::new(&mut memory);
    lu_in_place(matrix, &mut order, &mut inverse, Par::Seq, stack, default());
    order
}

/// Makes the rows from the diagonal on of a block column, of whose diagonal block the lower triangle is
/// looked at, those of the Cholesky factor. If the leading minor of some order is not positive, returns
/// the order.
pub(super) fn cholesky<T: Float>(matrix: MatMut<'_, Local<T>>) -> Result<(), usize> {
    let columns = matrix.ncols();
    let (mut diagonal, below) = matrix.split_at_row_mut(columns);
    let bytes = cholesky_in_place_scratch::<Local<T>>(columns, Par::Seq, default());
    let (mut memory, none) = (MemBuffer::new(bytes), Default::default());
    cholesky_in_place(diagonal.rb_mut(), none, Par::Seq, MemStack::new(&mut memory), default())
        .map_err(|LltError::NonPositivePivot { index }| index + 1)?;
    for column in 1..columns {
        diagonal.rb_mut().col_mut(column).subrows_mut(0, column).fill(bytemuck::cast(T::zero()));
    }
    // X · Lᴴ = A, transposed.
    solve_lower_triangular_in_place(diagonal.rb().conjugate(), below.transpose_mut(), Par::Seq);
    Ok(())
}

/// Which triangle of a square matrix is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Triangle {
    Lower,
    /// With ones on the diagonal, whatever is there.
    UnitLower,
    Upper,
}

/// Solves `triangle · x = y` in place.
///
/// # Panics
///
/// Panics if the triangle has a zero on its diagonal.
pub(super) fn solve<T: Float>(triangle: Triangle, matrix: MatRef<'_, Local<T>>, y: MatMut<'_, Local<T>>) {
    let zero = bytemuck::cast::<T, Local<T>>(T::zero());
    let is_singular = (0..matrix.nrows()).any(|place| matrix[(place, place)] == zero);
    assert!(triangle == Triangle::UnitLower || !is_singular, "the matrix is singular: it has no inverse");
    match triangle {
        Triangle::Lower => solve_lower_triangular_in_place(matrix, y, Par::Seq),
        Triangle::UnitLower => solve_unit_lower_triangular_in_place(matrix, y, Par::Seq),
        Triangle::Upper => solve_upper_triangular_in_place(matrix, y, Par::Seq),
    }
}

/// Takes `left · right` off `target`.
pub(super) fn subtract_product<T: Float>(
    target: MatMut<'_, Local<T>>,
    left: MatRef<'_, Local<T>>,
    right: MatRef<'_, impl Conjugate<Canonical = Local<T>>>,
) {
    let minus_one = bytemuck::cast::<T, Local<T>>(T::zero() - T::one());
    matmul(target, Accum::Add, left, right, minus_one, Par::Seq);
}

/// The eigenvalues of a Hermitian matrix in ascending order, as a row, and its eigenvectors as columns. As by LAPACK, only
/// the lower triangle is read, and only the real part of the diagonal.
///
/// # Panics
///
/// Panics if an element is infinite or NaN, or the iteration does not converge.
pub(super) fn eigh<T: Float>(matrix: &ArrayD<T>) -> [ArrayD<T>; 2] {
    let mut matrix = flip(rows(matrix).view());
    matrix.diag_mut().mapv_inplace(|value| wide(real_of(value)));
    let matrix = CowArray::from(matrix);
    let matrix = transposed(&matrix);
    assert!(matrix.is_all_finite(), "a matrix with infinite elements or NaN has no eigenvalues");
    let factors = matrix.self_adjoint_eigen(Side::Lower).expect("the eigenvalue decomposition converges");
    let values = factors.S().column_vector().transpose().as_mat();
    [to_array::<T>(values), to_array::<T>(factors.U())]
}

/// The thin factors: U, the singular values as a row, and the conjugate transpose of V.
///
/// # Panics
///
/// Panics if an element is infinite or NaN, or the iteration does not converge.
pub(super) fn svd<T: Float>(matrix: &ArrayD<T>) -> [ArrayD<T>; 3] {
    let matrix = CowArray::from(flip(rows(matrix).view()));
    let matrix = transposed(&matrix);
    assert!(matrix.is_all_finite(), "a matrix with infinite elements or NaN has no singular values");
    let svd = matrix.thin_svd().expect("the singular value decomposition converges");
    let values = svd.S().column_vector().transpose().as_mat();
    [to_array::<T>(svd.U()), to_array::<T>(values), to_array::<T>(svd.V().adjoint().to_owned().as_ref())]
}
