//! Masked arrays: reductions that leave elements out, as those of `numpy.ma`.

use super::{
    operators::{constant, select},
    reductions::Axes,
};
use crate::array::{Array, Element, Float, Number, Ordered, error::expect, kernel::operators::wide};
use ndarray::Ix0;

type RealOf<T> = <<T as Element>::Mean as Float>::Real;

/// An array some of whose elements do not count, as they are missing or not valid: NumPy's `ma.MaskedArray`.
///
/// Made by [`Array::masked`]. Its reductions leave out the elements whose mask is `true`. Their results are masked where
/// no element counts; what the data is there is not specified.
///
/// # Examples
///
/// ```
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.arange(0, 6, 1, 4).reshape([2, 3]);
/// let masked = x.masked(&(x.gt(2) | x.eq(1)));
/// let means = masked.mean_axis(1);
/// assert_eq!(means.filled(-1.0).compute()?.as_slice().unwrap(), [1.0, -1.0]);
/// assert_eq!(means.mask().compute()?.as_slice().unwrap(), [false, true]);
/// # Ok(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Masked<T: Element> {
    data: Array<T>,
    mask: Array<bool>,
}

impl<T: Element> Array<T> {
    /// Returns the array with the elements masked for which `mask` is `true`: NumPy's `ma.masked_where`.
    ///
    /// # Panics
    ///
    /// Panics if the mask cannot be broadcast to the shape of this array.
    #[track_caller]
    pub fn masked(&self, mask: &Array<bool>) -> Masked<T> {
        let mask = expect("masked", mask.try_broadcast_to(self.shape()));
        Masked { data: self.clone(), mask: mask.derive(mask.node.rechunk(&self.node.grid)) }
    }
}

impl<T: Element> Masked<T> {
    /// Returns all elements, the masked ones included.
    pub fn data(&self) -> &Array<T> {
        &self.data
    }

    /// Returns which elements do not count.
    pub fn mask(&self) -> &Array<bool> {
        &self.mask
    }

    /// Returns the array with `value` in place of each masked element.
    pub fn filled(&self, value: T) -> Array<T> {
        let value: Array<T, Ix0> = self.data.derive(constant(value));
        select(&self.mask, value, &self.data)
    }

    /// Returns how many elements count, over some axes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn count_axis(&self, axes: impl Into<Axes>) -> Array<i64> {
        (!&self.mask).count_nonzero_axis(axes)
    }

    /// Returns the sums of the elements that count, over some axes, in 64 bits for integers.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn sum_axis(&self, axes: impl Into<Axes>) -> Masked<T::Sum> {
        let axes = axes.into();
        self.reduced(self.filled(T::default()).sum_axis(axes.clone()), axes)
    }

    /// Returns the products of the elements that count, over some axes, in 64 bits for integers.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn prod_axis(&self, axes: impl Into<Axes>) -> Masked<T::Sum> {
        let axes = axes.into();
        self.reduced(self.filled(wide(1.0)).prod_axis(axes.clone()), axes)
    }

    /// Returns the means of the elements that count, over some axes, in 64 bits for integers.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn mean_axis(&self, axes: impl Into<Axes>) -> Masked<T::Mean> {
        let axes = axes.into();
        let sums = self.filled(T::default()).cast::<T::Mean>().sum_axis(axes.clone());
        let means = sums / self.count_axis(axes.clone()).cast::<T::Mean>();
        self.reduced(means, axes)
    }

    /// Returns the variances of the elements that count, over some axes, as [`var_axis`](Array::var_axis): the sum of
    /// squared distances from the mean over the count less `ddof`. They are masked where that is not above zero.
    ///
    /// The elements are read twice: for the means and for the distances.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 5, 1, 2);
    /// let variance = x.masked(&x.eq(4)).var_axis_ddof(0, 0.0);
    /// assert_eq!(variance.data().compute()?.sum(), 1.25);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn var_axis_ddof(&self, axes: impl Into<Axes>, ddof: f64) -> Masked<RealOf<T>> {
        let axes = axes.into();
        let means = self.mean_axis(axes.clone().keep()).data;
        let distances = self.filled(T::default()).cast::<T::Mean>() - means;
        let squares: Array<RealOf<T>> = match T::Mean::DATA_TYPE == RealOf::<T>::DATA_TYPE {
            true => distances.real().square(),
            false => distances.real().square() + distances.imag().square(),
        };
        let squares = Masked { data: squares, mask: self.mask.clone() };
        let sums = squares.sum_axis(axes.clone()).data;
        let freedom: Array<RealOf<T>> = (self.count_axis(axes).cast::<f64>() - ddof).cast();
        Masked { mask: freedom.le(freedom.number(0.0)), data: sums / freedom }
    }

    /// Returns the roots of the variances; see [`var_axis_ddof`](Self::var_axis_ddof).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn std_axis_ddof(&self, axes: impl Into<Axes>, ddof: f64) -> Masked<RealOf<T>> {
        let Masked { data, mask } = self.var_axis_ddof(axes, ddof);
        Masked { data: data.sqrt(), mask }
    }

    /// A result of a reduction, masked where no element counts.
    #[track_caller]
    fn reduced<U: Element>(&self, data: Array<U>, axes: Axes) -> Masked<U> {
        Masked { data, mask: self.mask.all_axis(axes) }
    }
}

impl<T: Number + Ordered> Masked<T> {
    /// Returns the smallest elements that count, over some axes; NaN where one of them is NaN.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or it has no elements.
    #[track_caller]
    pub fn min_axis(&self, axes: impl Into<Axes>) -> Self {
        let axes = axes.into();
        // The largest number of the type.
        self.reduced(self.filled(wide(f64::INFINITY)).min_axis(axes.clone()), axes)
    }

    /// Returns the largest elements that count, over some axes; NaN where one of them is NaN.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or it has no elements.
    #[track_caller]
    pub fn max_axis(&self, axes: impl Into<Axes>) -> Self {
        let axes = axes.into();
        self.reduced(self.filled(wide(f64::NEG_INFINITY)).max_axis(axes.clone()), axes)
    }
}
