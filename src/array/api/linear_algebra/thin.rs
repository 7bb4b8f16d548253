//! QR factorizations of matrices that have far more rows than columns, on one thread.
//!
//! Cholesky's factorization of the products of all columns gives R, and what its inverse makes of the matrix is nearly
//! orthonormal; done twice it is as orthonormal as by reflections (CholeskyQR2; Fukaya, Nakatsukasa, Yanagisawa and
//! Yamamoto 2014). Both go over the rows in panels that stay in the second-level cache, by products of matrices.
//! Columns that depend on each other too much are found by the second products, and then reflections are used.

use super::local::{
    Local, Reflections, Triangle, cholesky, reflections, rows, solve, transpose_to, transposed,
    transposed_mut,
};
use crate::array::Float;
use faer::{
    Accum, Mat, MatMut, MatRef, Par,
    linalg::matmul::matmul,
    prelude::{Reborrow, ReborrowMut},
    traits::{ComplexField, math_utils::from_f64},
};
use ndarray::{Array2, ArrayD, ArrayView2, s};

/// How large a panel of rows is: a fraction of a core's second-level cache.
const PANEL_BYTES: usize = 128 << 10;

/// With fewer rows a column, reflections take no longer.
const ROWS_PER_COLUMN_MIN: usize = 4;

/// How far the products of the columns may be from the identity after the first time, by Frobenius' norm.
const DISTANCE_MAX: f64 = 0.1;

/// Factorizes a matrix of m x n elements and k = min(m, n). The rows of the result are the m of a nearly orthonormal
/// matrix P in the first k columns, then k of R, then k of a small triangle C: the matrix is `P · C · R`
/// where `P · C` is Q.
pub(super) fn thin_qr<T: Float>(matrix: ArrayView2<'_, T>) -> ArrayD<T> {
    let columns = matrix.ncols();
    if matrix.nrows() >= ROWS_PER_COLUMN_MIN * columns {
        let matrix = matrix.as_standard_layout();
        if let Some(elements) = by_cholesky(matrix.as_slice().expect("rows in order"), columns) {
            let shape = (elements.len() / columns, columns);
            return Array2::from_shape_vec(shape, elements).expect("whole rows").into_dyn();
        }
    }
    by_reflections(matrix)
}

/// The parts of what [`thin_qr`] made of a matrix with so many rows: P, R and C.
pub(super) fn parts<T: Float>(thin: ArrayView2<'_, T>, rows: usize) -> [ArrayView2<'_, T>; 3] {
    let count = rows.min(thin.ncols());
    let part = |start, end, columns| thin.slice_move(s![start..end, ..columns]);
    [
        part(0, rows, count),
        part(rows, rows + count, thin.ncols()),
        part(rows + count, rows + 2 * count, count),
    ]
}

/// P times a small matrix.
pub(super) fn times<T: Float>(p: ArrayView2<'_, T>, small: &Array2<T>) -> ArrayD<T> {
    let (count, columns) = small.dim();
    let small = small.as_standard_layout();
    let small = transposed(&small);
    let mut product: Vec<T> = Vec::with_capacity(p.nrows() * columns);
    for panel in p.axis_chunks_iter(ndarray::Axis(0), panel_rows::<T>(columns.max(count))) {
        let start = product.len();
        product.resize(start + panel.nrows() * columns, T::zero());
        let panel = panel.as_standard_layout();
        let target = columns_of_mut(&mut product[start..], columns);
        matmul(target, Accum::Replace, small, transposed(&panel), one::<T>(), Par::Seq);
    }
    Array2::from_shape_vec((p.nrows(), columns), product).expect("whole rows").into_dyn()
}

fn panel_rows<T>(columns: usize) -> usize {
    (PANEL_BYTES / size_of::<T>() / columns.max(1)).max(columns).max(1)
}

fn one<T: Float>() -> Local<T> {
    bytemuck::cast(T::one())
}

/// Rows in order, as the columns of the transpose.
fn columns_of<T: Float>(elements: &[T], rows: usize) -> MatRef<'_, Local<T>> {
    MatRef::from_column_major_slice(bytemuck::cast_slice(elements), rows, elements.len() / rows)
}

fn columns_of_mut<T: Float>(elements: &mut [T], rows: usize) -> MatMut<'_, Local<T>> {
    let columns = elements.len() / rows;
    MatMut::from_column_major_slice_mut(bytemuck::cast_slice_mut(elements), rows, columns)
}

/// The rows of P, R and C; none if the columns depend on each other too much, or numbers are too large or too small.
/// All is transposed: with `a` for the matrix's transpose, `a · aᴴ = L · Lᴴ`, and `p = L⁻¹ · a`.
fn by_cholesky<T: Float>(matrix: &[T], columns: usize) -> Option<Vec<T>> {
    let panel = panel_rows::<T>(columns) * columns;
    let mut first = Mat::<Local<T>>::zeros(columns, columns);
    for rows in matrix.chunks(panel) {
        add_products(first.as_mut(), columns_of(rows, columns));
    }
    cholesky::<T>(first.as_mut()).ok()?;
    let mut elements = Vec::with_capacity(matrix.len() + 2 * columns * columns);
    let mut second = Mat::<Local<T>>::zeros(columns, columns);
    for rows in matrix.chunks(panel) {
        let start = elements.len();
        elements.extend_from_slice(rows);
        let mut rows = columns_of_mut(&mut elements[start..], columns);
        solve::<T>(Triangle::Lower, first.as_ref(), rows.rb_mut());
        add_products(second.as_mut(), rows.rb());
    }
    let distance = (&second - Mat::<Local<T>>::identity(columns, columns)).norm_l2();
    // Nor is NaN near.
    (distance < from_f64(DISTANCE_MAX)).then_some(())?;
    cholesky::<T>(second.as_mut()).ok()?;
    let mut lower = Mat::<Local<T>>::zeros(columns, columns);
    matmul(lower.as_mut(), Accum::Replace, first.as_ref(), second.as_ref(), one::<T>(), Par::Seq);
    let mut inverse = Mat::<Local<T>>::identity(columns, columns);
    solve::<T>(Triangle::Lower, second.as_ref(), inverse.as_mut());
    for transposed in [lower, inverse] {
        let element = |row: usize, column: usize| bytemuck::cast(transposed[(column, row)]);
        elements.extend(
            (0..columns)
                .flat_map(|row| (0..columns).map(move |column| (row, column)))
                .map(|(row, column)| if row <= column { element(row, column) } else { T::zero() }),
        );
    }
    Some(elements)
}

/// Adds the products of all pairs of rows of `a`, of which only the lower triangle is looked at.
fn add_products<E: ComplexField>(mut target: MatMut<'_, E>, a: MatRef<'_, E>) {
    matmul(target.rb_mut(), Accum::Add, a, a.adjoint(), E::one_impl(), Par::Seq);
}

/// As by Householder: Q itself in the place of P, and the identity in that of C.
fn by_reflections<T: Float>(matrix: ArrayView2<'_, T>) -> ArrayD<T> {
    let (length, columns) = matrix.dim();
    let count = length.min(columns);
    let factor = reflections((length, columns), |target| transpose_to(matrix, target));
    let factor = rows(&factor);
    let mut q = Array2::zeros((count, length));
    q.diag_mut().fill(T::one());
    Reflections::of(&factor, length).apply(transposed_mut(&mut q));
    let mut thin = Array2::zeros((length + 2 * count, columns));
    transpose_to(q.view(), thin.slice_mut(s![..length, ..count]));
    for row in 0..count {
        let line = factor.slice(s![row.., row]);
        thin.slice_mut(s![length + row, row..]).assign(&line);
        thin[(length + count + row, row)] = T::one();
    }
    thin.into_dyn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::kernel::operators::{real_of, wide};
    use ndarray::{Array1, Ix2};

    /// Uniform numbers around zero.
    fn numbers(rows: usize, columns: usize) -> Array2<f64> {
        let mut seed = 7_u64;
        Array2::from_shape_simple_fn((rows, columns), || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        })
    }

    fn check<T: Float>(matrix: &Array2<f64>, tolerance: f64, is_by_cholesky: bool) {
        let typed = matrix.mapv(wide::<T>).as_standard_layout().into_owned();
        assert_eq!(by_cholesky(typed.as_slice().unwrap(), matrix.ncols()).is_some(), is_by_cholesky);
        let thin = thin_qr(typed.view());
        let thin = rows(&thin);
        let [p, r, c] = parts(thin.view(), matrix.nrows());
        let q = times(p, &c.to_owned()).into_dimensionality::<Ix2>().unwrap().mapv(real_of);
        let r = r.mapv(real_of);
        let largest = |x: Array2<f64>| x.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        assert!(largest(q.dot(&r) - matrix) <= tolerance * largest(matrix.clone()), "Q R is not the matrix");
        assert!(largest(q.t().dot(&q) - Array2::<f64>::eye(q.ncols())) <= tolerance, "Q is not orthonormal");
        assert!(r.indexed_iter().all(|((row, column), x)| row <= column || *x == 0.0));
    }

    #[test]
    fn thin_matrices_of_any_shape_and_condition_are_factorized() {
        for (rows, columns) in [(1, 1), (40, 1), (3, 7), (30, 8), (32, 8), (5000, 3), (3000, 40), (700, 130)]
        {
            let is_thin = rows >= columns;
            check::<f64>(&numbers(rows, columns), 1e-13, is_thin);
            check::<f32>(&numbers(rows, columns), 1e-5, is_thin);
        }
        // Columns of any length do no harm; those that depend on each other are found.
        let x = numbers(900, 12);
        let scales = Array1::from_shape_fn(12, |column| 10_f64.powi(3 * column as i32 - 18));
        check::<f64>(&(&x * &scales), 1e-13, true);
        for (part, is_by_cholesky) in [(1e-3, true), (1e-6, true), (1e-10, false), (0.0, false)] {
            let mut close = x.clone();
            let other = &x.column(3) + &(&x.column(5) * part);
            close.column_mut(5).assign(&other);
            check::<f64>(&close, 1e-13, is_by_cholesky);
        }
        check::<f64>(&(&x * 1e-200), 1e-13, false);
        check::<f64>(&(&x * 1e200), 1e-13, false);
        check::<f64>(&(&x * 0.0), 1e-13, false);
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        let mut x = numbers(100, 3);
        x[(50, 1)] = f64::NAN;
        let thin = thin_qr(x.view());
        assert!(thin.iter().any(|x| x.is_nan()));
    }
}
