//! Masked arrays by condition, and operations on them.

use super::{
    masked::Masked,
    operators::{Operand, constant},
    reductions::Axes,
};
use crate::{
    array::{Array, Element, Number, Ordered},
    error::Result,
};
use ndarray::{ArrayD, Ix0};

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident $Trait:ident $comparison:ident;)*) => { $(
        impl<T: $Trait> Array<T> {
            $(#[$doc])*
            ///
            /// # Panics
            ///
            /// Panics if the shapes cannot be broadcast together.
            #[track_caller]
            pub fn $name(&self, value: impl Operand<T>) -> Masked<T> {
                let value: Self = self.derive(value.node());
                self.masked(&self.$comparison(&value))
            }
        }
    )* };
}

conditions! {
    /// Returns the array with the elements masked that are equal to `value`: NumPy's `ma.masked_equal`.
    masked_equal Element eq;
    /// Returns the array with the elements masked that differ from `value`: NumPy's `ma.masked_not_equal`.
    masked_not_equal Element ne;
    /// Returns the array with the elements masked that are less than `value`: NumPy's `ma.masked_less`.
    masked_less Ordered lt;
    /// Returns the array with the elements masked that are at most `value`: NumPy's `ma.masked_less_equal`.
    masked_less_equal Ordered le;
    /// Returns the array with the elements masked that are greater than `value`: NumPy's `ma.masked_greater`.
    masked_greater Ordered gt;
    /// Returns the array with the elements masked that are at least `value`: NumPy's `ma.masked_greater_equal`.
    masked_greater_equal Ordered ge;
}

impl<T: Ordered> Array<T> {
    /// Returns the array with the elements masked from the smaller limit to the larger one, both included: NumPy's
    /// `ma.masked_inside`.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 6, 1, 4);
    /// let inside = x.masked_inside(3, 1);
    /// assert_eq!(inside.filled(-1).compute()?.as_slice().unwrap(), [0, -1, -1, -1, 4, 5]);
    /// assert_eq!(x.masked_outside(1, 3).count_axis(0).compute()?.sum(), 3);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn masked_inside(&self, one: T, other: T) -> Masked<T> {
        let [low, high] = self.limits(one, other);
        self.masked(&(self.ge(&low) & self.le(&high)))
    }

    /// Returns the array with the elements masked that are less than the smaller limit or greater than the larger one:
    /// NumPy's `ma.masked_outside`.
    pub fn masked_outside(&self, one: T, other: T) -> Masked<T> {
        let [low, high] = self.limits(one, other);
        self.masked(&(self.lt(&low) | self.gt(&high)))
    }

    fn limits(&self, one: T, other: T) -> [Array<T, Ix0>; 2] {
        let [low, high] = if other < one { [other, one] } else { [one, other] };
        [low, high].map(|limit| self.derive(constant(limit)))
    }
}

impl<T: Number> Array<T> {
    /// Returns the array with the elements masked that are NaN or infinite: NumPy's `ma.masked_invalid`.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(-1, 2, 1, 2).cast::<f64>().recip().masked_invalid();
    /// assert_eq!(x.sum_axis(0).filled(9.0).compute()?.sum(), 0.0);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn masked_invalid(&self) -> Masked<T> {
        self.masked(&!self.is_finite())
    }
}

impl<T: Element> Masked<T> {
    /// Returns what a function makes of the elements, under the same mask. The function must keep the shape.
    ///
    /// # Panics
    ///
    /// Panics if the function gives an array of another shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2).masked_equal(0);
    /// let roots = x.map(|x| x.cast::<f64>().recip());
    /// assert_eq!(roots.filled(0.0).compute()?.as_slice().unwrap(), [0.0, 1.0, 0.5, 1.0 / 3.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn map<U: Element>(&self, function: impl FnOnce(&Array<T>) -> Array<U>) -> Masked<U> {
        let data = function(self.data());
        let (shape, own) = (data.shape(), self.data().shape());
        assert!(shape == own, "map: the function gives an array of shape {shape:?}, not {own:?}");
        data.masked(self.mask())
    }

    /// Returns what a function makes of the elements of two masked arrays, masked where either is, as the operators of
    /// `numpy.ma` do. The shapes are broadcast together.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2);
    /// let sums = x.masked_equal(0).zip_with(&x.masked_greater(2), |x, y| x + y);
    /// assert_eq!(sums.filled(-1).compute()?.as_slice().unwrap(), [-1, 2, 4, -1]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn zip_with<U: Element, V: Element>(
        &self,
        other: &Masked<U>,
        function: impl FnOnce(&Array<T>, &Array<U>) -> Array<V>,
    ) -> Masked<V> {
        function(self.data(), other.data()).masked(&(self.mask() | other.mask()))
    }

    /// Returns the elements that count, in C order: `compressed` of `numpy.ma`. Their number is computed at once.
    ///
    /// # Errors
    ///
    /// As [`Array::mask`].
    pub fn compressed(&self) -> Result<Array<T>> {
        self.data().mask(&!self.mask())
    }

    /// Computes the elements and the mask, together.
    ///
    /// # Errors
    ///
    /// As [`Array::compute`].
    pub fn compute(&self) -> Result<(ArrayD<T>, ArrayD<bool>)> {
        let client = self.data().client();
        client.compute(&(self.data().clone(), self.mask().clone()))
    }
}

impl<T: Number> Masked<T> {
    /// Returns the means of the elements that count, each as often as its weight says, over some axes: `ma.average`.
    ///
    /// # Panics
    ///
    /// Panics if the weights cannot be broadcast to the shape of this array, or there is no such axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2).masked_equal(3);
    /// let weights = client.arange(1, 5, 1, 2).cast::<f64>();
    /// assert_eq!(x.average_axis(0, &weights).filled(0.0).compute()?.sum(), 8.0 / 6.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn average_axis(&self, axes: impl Into<Axes>, weights: &Array<T::Mean>) -> Masked<T::Mean> {
        let axes = axes.into();
        let weights = weights.broadcast_to(self.data().shape()).masked(self.mask());
        let products = self.map(|data| data.cast::<T::Mean>() * weights.data());
        let sums = weights.sum_axis(axes.clone());
        products.sum_axis(axes).zip_with(&sums, |products, weights| products / weights)
    }
}
