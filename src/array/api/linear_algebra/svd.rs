//! Singular value decompositions, and least squares.

use super::{
    columns::{Futures, factors_nodes},
    local::svd,
};
use crate::{
    array::{
        Array, DataType, Element, Float,
        api::operators::{constant, select_node},
        error::expect,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::erased,
            gather::Selection,
            submitter::Submitter,
        },
        kernel::operators::wide,
    },
    task::Shared,
};
use ndarray::{ArrayD, Axis, Ix0};

/// How many more directions than asked for are sampled by [`Array::svd_compressed`].
const OVERSAMPLES: usize = 10;

/// The result of [`Array::lstsq`].
#[derive(Clone, Debug)]
pub struct LeastSquares<T: Float> {
    /// What is nearest to a solution; the smallest, if there are several.
    pub solution: Array<T>,
    /// The sum of the squared magnitudes of what is left, for each right side.
    pub residuals: Array<T::Real>,
    /// How many singular values count as more than zero.
    pub rank: Array<i64, Ix0>,
    /// All singular values, the largest first.
    pub singular_values: Array<T::Real>,
}

impl<T: Float> Array<T> {
    /// The reduced singular value decomposition of a matrix: U, the singular values with the largest
    /// first, and the conjugate transpose of V. The matrix is `U · diag(s) · Vᴴ`.
    ///
    /// Through the [QR factorization](Self::qr) of the matrix, or of its transpose if it is wide; the
    /// factor R, whose sides are as long as the shorter axis, must fit into a worker's memory.
    ///
    /// A task fails if an element is infinite or NaN.
    ///
    /// # Panics
    ///
    /// Panics if the array is no matrix.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([1000, 4], [250, 4]);
    /// let (_, values, _) = x.svd();
    /// assert!((values.compute()?[0] - 4000_f64.sqrt()).abs() < 1e-12);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn svd(&self) -> (Self, Array<T::Real>, Self) {
        let [rows, columns] = self.matrix_shape("svd");
        if rows == 0 || columns == 0 {
            let none = AxisChunks::regular(0, 1);
            let [row_chunks, chunks] = [0, 1].map(|axis| self.node.grid.0[axis].clone());
            let values = self.zeros_of(Grid(vec![none.clone()])).real();
            let (u, v) = (Grid(vec![row_chunks, none.clone()]), Grid(vec![none, chunks]));
            return (self.zeros_of(u), values, self.zeros_of(v));
        }
        if rows < columns {
            let (u, values, v) = self.adjoint().svd();
            return (v.adjoint(), values, u.adjoint());
        }
        let (q, r) = self.qr();
        let chunks = self.node.grid.0[1].clone();
        let whole = AxisChunks::regular(columns, columns);
        let square = Grid(vec![whole.clone(), whole.clone()]);
        let results = [square.clone(), Grid(vec![whole]), square.clone()].map(|grid| (T::DATA_TYPE, grid));
        let inputs = vec![r.node.rechunk(&square)];
        let [u, values, v] = factors_nodes("svd", inputs, results, submit::<T>);
        let square = Grid(vec![chunks.clone(), chunks.clone()]);
        let values: Self = self.derive(values.rechunk(&Grid(vec![chunks])));
        let (u, v): (Self, Self) = (self.derive(u.rechunk(&square)), self.derive(v.rechunk(&square)));
        (q.matmul(&u), values.real(), v)
    }

    /// The largest `rank` singular values of a matrix and their vectors, approximately, by random
    /// projection (Halko, Martinsson and Tropp 2011): as [`svd`](Self::svd), but only products with the
    /// matrix and factorizations of narrow ones. Each of `iterations` makes it more accurate; two are
    /// enough for most.
    ///
    /// Have the matrix [persisted](Self::persist) before: it is gone through several times.
    ///
    /// # Panics
    ///
    /// Panics if the array is no matrix, or has fewer than `rank` rows or columns.
    #[track_caller]
    pub fn svd_compressed(&self, rank: usize, iterations: usize, seed: u64) -> (Self, Array<T::Real>, Self) {
        let [rows, columns] = self.matrix_shape("svd_compressed");
        let shape = self.shape();
        assert!(
            rank > 0 && rank <= rows.min(columns),
            "svd_compressed: rank is {rank}, it must be from 1 to the shorter axis of shape {shape:?}"
        );
        let samples = (rank + OVERSAMPLES).min(rows.min(columns));
        let chunks = vec![self.chunks().remove(1), vec![samples]];
        let random = self.client.random(seed).normal::<T::Real>(0.0, 1.0, [columns, samples], chunks);
        let adjoint = self.adjoint();
        let basis = (0..iterations).fold(self.matmul(&random.cast()).qr().0, |basis, _| {
            let other = adjoint.matmul(&basis).qr().0;
            self.matmul(&other).qr().0
        });
        let (u, values, v) = basis.adjoint().matmul(self).svd();
        let first = Selection::Range { start: 0, step: 1, count: rank };
        let u = basis.matmul(&u).select_axis(1, first.clone());
        (u, values.select_axis(0, first.clone()), v.select_axis(0, first))
    }

    /// The y for which `x · y` is nearest to `right`, where x is this matrix; the smallest, if there are
    /// several. `right` is a vector or a matrix. Through the [singular value decomposition](Self::svd):
    /// singular values up to `cutoff` times the largest count as zero; `None` is the precision times
    /// the longer axis, as in NumPy.
    ///
    /// # Panics
    ///
    /// Panics if the shapes do not fit.
    #[track_caller]
    pub fn lstsq(&self, right: &Self, cutoff: Option<f64>) -> LeastSquares<T> {
        let [rows, columns] = self.matrix_shape("lstsq");
        let (own, other) = (self.shape(), right.shape());
        let is_fit = matches!(other.len(), 1 | 2) && other[0] == rows;
        assert!(is_fit, "lstsq of shapes {own:?} and {other:?}, which do not fit");
        let (u, values, v) = self.svd();
        let (is_kept, inverse) = Self::inverse_values(&values, cutoff, rows.max(columns));
        let inverse = match other.len() {
            1 => inverse.cast::<T>(),
            _ => inverse.cast::<T>().expand_dims(1),
        };
        let solution = v.adjoint().matmul(&(u.adjoint().matmul(right) * inverse));
        let left = right - &self.matmul(&solution);
        LeastSquares {
            solution,
            residuals: (&left * left.conj()).real().sum_axis(0),
            rank: is_kept.count_nonzero(),
            singular_values: values,
        }
    }

    /// Which singular values count, and one over each of them; zero for the others. `None` is the precision times the
    /// longer axis.
    pub(super) fn inverse_values(
        values: &Array<T::Real>,
        cutoff: Option<f64>,
        longer: usize,
    ) -> (Array<bool>, Array<T::Real>) {
        let precision = match <T::Real as Element>::DATA_TYPE {
            DataType::F32 => f64::from(f32::EPSILON),
            _ => f64::EPSILON,
        };
        let cutoff = cutoff.unwrap_or(precision * longer as f64);
        let cutoff: Array<T::Real> = values.derive(constant(wide::<T::Real>(cutoff)));
        // Of no values there is no largest one.
        let is_kept = match values.size() {
            0 => values.is_nan(),
            _ => values.gt(values.max() * cutoff),
        };
        let inputs = vec![is_kept.node.clone(), values.recip().node, constant(T::Real::default())];
        let inverse = expect("select", select_node(<T::Real as Element>::DATA_TYPE, inputs));
        (is_kept, values.derive(inverse))
    }
}

fn submit<T: Float>(
    client: &Submitter<'_>,
    inputs: Vec<Futures<T>>,
) -> [Vec<crate::Future<crate::array::graph::node::Erased>>; 3] {
    let factors = client.submit(factorize::<T>, &inputs[0][0]);
    [0, 1, 2].map(|place| erased(&[client.submit(factor::<T>, (&factors, place))]))
}

fn factorize<T: Float>(matrix: &ArrayD<T>) -> Vec<ArrayD<T>> {
    let [u, values, v] = svd(matrix);
    vec![u, values.index_axis_move(Axis(0), 0), v]
}

fn factor<T: Float>(factors: Shared<Vec<ArrayD<T>>>, place: usize) -> ArrayD<T> {
    factors[place].clone()
}
