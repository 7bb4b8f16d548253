//! Eigenvalues of Hermitian matrices, and functions of matrices.

use super::{
    columns::{Futures, factors_nodes},
    local::eigh,
};
use crate::{
    array::{
        Array, Axes, Float, ShapeError, ShapeErrorKind,
        error::expect,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::erased,
            submitter::Submitter,
        },
    },
    error::Result,
    task::Shared,
};
use ndarray::{ArrayD, Axis};

/// The longest sides of a matrix whose eigenvalues one task calculates. That of `f64` takes 512 MiB, and as much again
/// for the vectors and for the work.
const SIDE_MAX: usize = 8192;

/// The largest sum of a column whose exponential is approximated well enough: Higham, *The scaling and squaring method
/// for the matrix exponential revisited*, 2005.
const SUM_MAX: f64 = 5.371_920_351_148_152;

/// The coefficients of that approximation, over the first one.
const PADE: [f64; 14] = [
    1.0,
    1.0 / 2.0,
    3.0 / 25.0,
    11.0 / 600.0,
    11.0 / 5520.0,
    3.0 / 18_400.0,
    1.0 / 96_600.0,
    1.0 / 1_932_000.0,
    1.0 / 48_944_000.0,
    1.0 / 1_585_785_600.0,
    1.0 / 67_395_888_000.0,
    1.0 / 3_953_892_096_000.0,
    1.0 / 355_850_288_640_000.0,
    1.0 / 64_764_752_532_480_000.0,
];

impl<T: Float> Array<T> {
    /// Returns the eigenvalues of a symmetric (or Hermitian) matrix in ascending order, and a matrix whose columns are the
    /// eigenvectors: NumPy's `linalg.eigh`. Only the lower triangle is read, and only the real
    /// part of the diagonal. Eigenvectors are unique up to a factor of
    /// magnitude 1, and for equal eigenvalues up to a rotation.
    ///
    /// One task decomposes the whole matrix with `faer`, so that its sides have at most 8192 elements. The task fails if
    /// an element is infinite or NaN.
    ///
    /// # Panics
    ///
    /// Panics if the array is no square matrix, or its sides are longer.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.eye::<f64>(3, 0, 2) * 2.0;
    /// let (values, vectors) = x.eigh();
    /// assert_eq!(values.compute()?.as_slice().unwrap(), [2.0; 3]);
    /// assert_eq!(vectors.shape(), [3, 3]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn eigh(&self) -> (Array<T::Real>, Self) {
        expect("eigh", self.try_eigh())
    }

    /// As [`eigh`](Self::eigh).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`eigh`](Self::eigh) panics.
    pub fn try_eigh(&self) -> Result<(Array<T::Real>, Self), ShapeError> {
        let length = self.square_length("eigh")?;
        let chunks = self.node.grid.0[1].clone();
        let square = Grid(vec![chunks.clone(), chunks.clone()]);
        if length == 0 {
            return Ok((self.zeros_of(Grid(vec![chunks])).real(), self.zeros_of(square)));
        }
        if length > SIDE_MAX {
            let shape = self.shape();
            let words = format!(
                "eigh: one task works on the whole matrix, whose shape is {shape:?}: at most {SIDE_MAX} rows"
            );
            return Err(ShapeError::new(ShapeErrorKind::TooLarge, words));
        }
        let whole = AxisChunks::regular(length, length);
        let whole_square = Grid(vec![whole.clone(), whole.clone()]);
        let inputs = vec![self.node.rechunk(&whole_square)];
        let results = [(T::DATA_TYPE, Grid(vec![whole])), (T::DATA_TYPE, whole_square)];
        let [values, vectors] = factors_nodes("eigh", inputs, results, submit::<T>);
        let values: Self = self.derive(values.rechunk(&Grid(vec![chunks])));
        Ok((values.real(), self.derive(vectors.rechunk(&square))))
    }

    /// Returns the eigenvalues of a symmetric (or Hermitian) matrix in ascending order: those of [`eigh`](Self::eigh).
    ///
    /// # Panics
    ///
    /// As [`eigh`](Self::eigh).
    #[track_caller]
    pub fn eigvalsh(&self) -> Array<T::Real> {
        expect("eigvalsh", self.try_eigh()).0
    }

    /// Returns the pseudo-inverse of a matrix (Moore and Penrose), through the [singular value decomposition](Self::svd):
    /// NumPy's `linalg.pinv`. A matrix of m rows and n columns has one of n rows and m columns. Singular values up to `cutoff` times the largest count as zero; `None` is the precision times the
    /// longer axis.
    ///
    /// # Panics
    ///
    /// Panics if the array is no matrix.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([4, 2], [2, 2]);
    /// assert!((x.pinv(None).compute()? - 0.125).iter().all(|rest| rest.abs() < 1e-15));
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn pinv(&self, cutoff: Option<f64>) -> Self {
        let [rows, columns] = self.matrix_shape("pinv");
        if rows == 0 || columns == 0 {
            return self.adjoint();
        }
        let (u, values, v) = self.svd();
        let (_, inverse) = Self::inverse_values(&values, cutoff, rows.max(columns));
        (v.adjoint() * inverse.cast::<T>().expand_dims(0)).matmul(&u.adjoint())
    }

    /// Returns the matrix to the power of `power`, by repeated squaring: NumPy's `linalg.matrix_power`. The power 0 is the
    /// identity, negative powers are those of the inverse.
    ///
    /// # Panics
    ///
    /// Panics if the array is no square matrix.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.eye::<f64>(2, 0, 2) + client.eye::<f64>(2, 1, 2);
    /// assert_eq!(x.matrix_power(10).compute()?[[0, 1]], 10.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn matrix_power(&self, power: i64) -> Self {
        let length = expect("matrix_power", self.square_length("matrix_power"));
        let mut square = if power < 0 { self.inv() } else { self.clone() };
        let mut product: Option<Self> = None;
        let mut rest = power.unsigned_abs();
        while rest > 0 {
            if rest & 1 == 1 {
                product = Some(product.map_or_else(|| square.clone(), |product| product.matmul(&square)));
            }
            rest >>= 1;
            if rest > 0 {
                square = square.matmul(&square);
            }
        }
        product.unwrap_or_else(|| self.client.eye(length, 0, self.chunks()))
    }

    /// Returns the exponential of a matrix, the limit of `I + x + x · x / 2! + ...`: SciPy's `linalg.expm`.
    ///
    /// The matrix is scaled, its exponential approximated by a quotient of polynomials, and that squared repeatedly (Higham,
    /// *The scaling and squaring method for the matrix exponential revisited*, 2005). The products and the solve work on
    /// the chunks of the matrix. The scaling factor is computed at once.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute), and if an element is infinite or NaN.
    ///
    /// # Panics
    ///
    /// Panics if the array is no square matrix.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.eye::<f64>(4, 1, 2);
    /// let y = x.expm()?.compute()?;
    /// assert!((y[[0, 3]] - 1.0 / 6.0).abs() < 1e-15 && (y[[3, 3]] - 1.0).abs() < 1e-15);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn expm(&self) -> Result<Self> {
        let length = expect("expm", self.square_length("expm"));
        if length == 0 {
            return Ok(self.clone());
        }
        let sum = self.wide_magnitudes().sum_axis(0).max_axis(Axes::of(0)).compute()?.sum();
        if !sum.is_finite() {
            return Err(
                format!("expm of shape {:?}: the matrix has infinite elements or NaN", self.shape()).into()
            );
        }
        let squarings = (sum / SUM_MAX).log2().ceil().max(0.0) as i32;
        let x = self * self.number(0.5_f64.powi(squarings));
        let two = x.matmul(&x);
        let four = two.matmul(&two);
        let six = four.matmul(&two);
        let one = self.client.eye::<T>(length, 0, self.chunks());
        let powers = [&one, &two, &four, &six];
        // The sum of every second term from one on.
        let terms = |first: usize, count: usize| {
            let term = |place: usize, power: usize| powers[power] * self.number(PADE[first + 2 * place]);
            let later = (1..count).map(|place| term(place, place));
            later.fold(term(0, 0), |sum, term| sum + term)
        };
        let upper = |first: usize| {
            let term = |place: usize, power: usize| powers[power] * self.number(PADE[first + 2 * place]);
            term(0, 1) + term(1, 2) + term(2, 3)
        };
        let odd = x.matmul(&(six.matmul(&upper(9)) + terms(1, 4)));
        let even = six.matmul(&upper(8)) + terms(0, 4);
        let quotient = (&even - &odd).solve(&(even + odd));
        Ok((0..squarings).fold(quotient, |power, _| power.matmul(&power)))
    }
}

fn submit<T: Float>(
    client: &Submitter<'_>,
    inputs: Vec<Futures<T>>,
) -> [Vec<crate::Future<crate::array::graph::node::Erased>>; 2] {
    let factors = client.submit(factorize::<T>, &inputs[0][0]);
    [0, 1].map(|place| erased(&[client.submit(factor::<T>, (&factors, place))]))
}

fn factorize<T: Float>(matrix: &ArrayD<T>) -> Vec<ArrayD<T>> {
    let [values, vectors] = eigh(matrix);
    vec![values.index_axis_move(Axis(0), 0), vectors]
}

fn factor<T: Float>(factors: Shared<Vec<ArrayD<T>>>, place: usize) -> ArrayD<T> {
    factors[place].clone()
}
