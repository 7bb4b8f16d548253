//! How variables go together: covariances and correlations of the rows of a matrix.

use crate::array::{
    Array, Axes, Element, Float,
    api::operators::{binary_node, constant},
    error::expect,
    kernel::operators::{Binary, wide},
};
use ndarray::Ix0;

impl<T: Element> Array<T> {
    /// Returns central moments over some axes, the means of the distances from the mean to the power of `order`: SciPy's
    /// `stats.moment`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2);
    /// assert_eq!(x.moment(2, 0).compute()?.sum(), 1.25);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn moment(&self, order: u32, axes: impl Into<Axes>) -> Array<T::Mean> {
        let (axes, numbers) = (axes.into(), self.cast::<T::Mean>());
        let means: Array<T::Mean> = self.mean_axis(axes.clone().keep());
        let powers = (&numbers - means).pow(self.number_of(order));
        powers.derive(powers.mean_axis(axes).node)
    }

    fn number_of(&self, number: u32) -> Array<T::Mean, Ix0> {
        self.derive(constant(wide::<T::Mean>(f64::from(number))))
    }

    /// The covariances of the rows, which are variables, over the columns, which are observations: NumPy's
    /// `cov`. `ddof` degrees of freedom are taken off the number of observations; NumPy takes 1. The result is
    /// a square matrix, Hermitian for complex elements; with too few observations it is infinite or NaN.
    ///
    /// # Panics
    ///
    /// Panics if the array is no matrix.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 10).reshape([2, 5]).rechunk([2, 3]);
    /// assert_eq!(x.cov(1.0).compute()?, ndarray::array![[2.5, 2.5], [2.5, 2.5]].into_dyn());
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn cov(&self, ddof: f64) -> Array<T::Mean> {
        let [_, count] = self.matrix_shape("cov");
        let number = |number: f64| -> Array<T::Mean, Ix0> { self.derive(constant(wide::<T::Mean>(number))) };
        let values = self.cast::<T::Mean>();
        let distances = &values - values.mean_axis(Axes::of(1).keep()).cast::<T::Mean>();
        distances.matmul(&distances.adjoint()) / number((count as f64 - ddof).max(0.0))
    }

    /// The correlations of the rows, which are variables, over the columns, which are observations: NumPy's
    /// `corrcoef`. Real ones are from -1 to 1; NaN where a variable is the same in all observations.
    ///
    /// # Panics
    ///
    /// Panics if the array is no matrix.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 10).reshape([2, 5]).rechunk([2, 3]);
    /// assert!((x.corrcoef().compute()?[[0, 1]] - 1.0).abs() < 1e-15);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn corrcoef(&self) -> Array<T::Mean> {
        let covariance = self.cov(1.0);
        let deviations = covariance.diagonal(0).real().sqrt().cast::<T::Mean>();
        let ratios = covariance / deviations.expand_dims(1) / deviations.expand_dims(0);
        if T::Mean::DATA_TYPE != <T::Mean as Float>::Real::DATA_TYPE {
            return ratios;
        }
        let bound = |operator: Binary, bound: f64, ratios: Array<T::Mean>| -> Array<T::Mean> {
            let bound = constant(wide::<T::Mean>(bound));
            ratios.derive(expect(
                "corrcoef",
                binary_node(operator, T::Mean::DATA_TYPE, ratios.node.clone(), bound),
            ))
        };
        bound(Binary::Minimum, 1.0, bound(Binary::Maximum, -1.0, ratios))
    }
}
