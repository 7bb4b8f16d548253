//! Functions of NumPy that are made of others: their tasks are those of the operations they name.

use super::{
    operators::{Operand, cast_node, constant, select},
    shape::{concatenate, stack},
};
use crate::{
    array::{Array, Axes, Chunks, Element, Number, Ordered, Real},
    error::Result,
};
use ndarray::{Ix0, IxDyn};
use std::borrow::Borrow;

impl<T: Element> Array<T> {
    /// A number of the elements' type.
    pub(super) fn number(&self, value: f64) -> Array<T, Ix0> {
        self.derive(cast_node(T::DATA_TYPE, &constant(value)))
    }
}

impl<T: Real> Array<T> {
    /// Where `|x - other| <= absolute + relative * |other|`, as NumPy's `isclose`; its defaults are `1e-5` and
    /// `1e-8`. Infinities of one sign are close, NaN is close to nothing.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.linspace::<f64>(0.0, 1.0, 5, 2);
    /// assert!((&x + 1e-9).all_close(&x, 1e-5, 1e-8).compute()?);
    /// assert_eq!((&x * 1.1).is_close(&x, 1e-5, 1e-8).sum().compute()?, 1);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn is_close(
        &self,
        other: impl Operand<T, Dimensions = IxDyn>,
        relative: f64,
        absolute: f64,
    ) -> Array<bool> {
        let other: Self = self.derive(other.node());
        let allowed = other.abs() * self.number(relative) + self.number(absolute);
        ((self - &other).abs().le(allowed) & other.is_finite()) | self.eq(&other)
    }

    /// Whether all elements are [close](Self::is_close) to those of `other`.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    #[track_caller]
    pub fn all_close(
        &self,
        other: impl Operand<T, Dimensions = IxDyn>,
        relative: f64,
        absolute: f64,
    ) -> Array<bool, Ix0> {
        self.is_close(other, relative, absolute).all()
    }

    /// The elements, with these numbers instead of NaN, infinity and minus infinity.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange_real::<f64>(-1.0, 2.0, 1.0, 2).recip();
    /// assert_eq!(x.nan_to_num(0.0, 9.0, -9.0).compute()?.as_slice().unwrap(), [-1.0, 9.0, 1.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn nan_to_num(&self, nan: f64, infinity: f64, minus_infinity: f64) -> Self {
        let (high, low) = (self.number(infinity), self.number(minus_infinity));
        let infinite = select(&self.gt(self.number(0.0)), high, low);
        let number = select(&self.is_infinite(), infinite, self);
        select(&self.is_nan(), self.number(nan), number)
    }

    /// The mean of the elements, each as heavy as its weight.
    ///
    /// # Panics
    ///
    /// Panics if the weights cannot be broadcast to the array.
    #[track_caller]
    pub fn average(&self, weights: &Self) -> Array<T, Ix0> {
        let weights = weights.broadcast_to(self.shape());
        (self * &weights).sum() / weights.sum()
    }

    /// The same along axes.
    ///
    /// # Panics
    ///
    /// Panics if the weights cannot be broadcast to the array, or there is no such axis.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange_real::<f64>(0.0, 6.0, 1.0, 2).reshape([2, 3]);
    /// let weights = client.arange_real::<f64>(1.0, 4.0, 1.0, 2);
    /// assert_eq!(x.average_axis(1, &weights).compute()?.as_slice().unwrap(), [8.0 / 6.0, 26.0 / 6.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn average_axis(&self, axes: impl Into<Axes>, weights: &Self) -> Self {
        let (axes, weights) = (axes.into(), weights.broadcast_to(self.shape()));
        (self * &weights).sum_axis(axes.clone()) / weights.sum_axis(axes)
    }

    /// `ln(exp(x) + exp(other))`, without overflow in between.
    ///
    /// # Panics
    ///
    /// Panics if the shapes cannot be broadcast together.
    #[track_caller]
    pub fn log_add_exp(&self, other: impl Operand<T, Dimensions = IxDyn>) -> Self {
        let other: Self = self.derive(other.node());
        let larger = self.maximum(&other);
        let sum = &larger + (-(self - &other).abs()).exp().ln_1p();
        // Infinities of one sign have no difference.
        select(&(self.eq(&other) & self.is_infinite()), larger, sum)
    }

    /// `sin(pi x) / (pi x)`, and 1 at zero.
    pub fn sinc(&self) -> Self {
        let turns = self * self.number(std::f64::consts::PI);
        select(&self.eq(self.number(0.0)), self.number(1.0), turns.sin() / turns)
    }

    /// Degrees as radians.
    pub fn to_radians(&self) -> Self {
        self * self.number(std::f64::consts::PI / 180.0)
    }

    /// Radians as degrees.
    pub fn to_degrees(&self) -> Self {
        self * self.number(180.0 / std::f64::consts::PI)
    }

    /// Rounded to so many digits after the point, or to a power of ten if it is negative; halves to the even one.
    /// As in NumPy the elements are scaled by a power of ten and back.
    pub fn round_decimals(&self, decimals: i32) -> Self {
        let scale = self.number(10f64.powi(decimals.abs()));
        if decimals < 0 { (self / &scale).round() * scale } else { (self * &scale).round() / scale }
    }
}

impl<T: Ordered + Number> Array<T> {
    /// The largest element less the smallest one; integers wrap.
    ///
    /// # Panics
    ///
    /// Panics if there are no elements.
    #[track_caller]
    pub fn ptp(&self) -> Array<T, Ix0> {
        self.max() - self.min()
    }

    /// The same along axes.
    ///
    /// # Panics
    ///
    /// Panics if there are no elements along them, or there is no such axis.
    #[track_caller]
    pub fn ptp_axis(&self, axes: impl Into<Axes>) -> Self {
        let axes = axes.into();
        self.max_axis(axes.clone()) - self.min_axis(axes)
    }
}

impl<T: Element> Array<T> {
    /// The places in C order of the elements that are not zero, as NumPy's `flatnonzero`. They are computed at
    /// once, as by [`mask`](Self::mask).
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    pub fn flat_nonzero(&self) -> Result<Array<i64>> {
        let flat = self.ravel();
        let places = self.client.arange(0, self.size() as i64, 1, Chunks::Lists(flat.chunks()));
        let zero: Array<T, Ix0> = self.derive(constant(T::default()));
        places.mask(&flat.ne(zero))
    }

    /// The indices along each axis of the elements that are not zero, in C order.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.eye::<f64>(3, 1, 2);
    /// let [rows, columns] = &x.nonzero()?[..] else { unreachable!("two axes") };
    /// assert_eq!(rows.compute()?.as_slice().unwrap(), [0, 1]);
    /// assert_eq!(columns.compute()?.as_slice().unwrap(), [1, 2]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn nonzero(&self) -> Result<Vec<Array<i64>>> {
        let (places, shape) = (self.flat_nonzero()?, self.shape());
        let index = |axis: usize| {
            let inner: usize = shape[axis + 1..].iter().product();
            places.floor_divide(inner.max(1) as i64) % (shape[axis].max(1) as i64)
        };
        Ok((0..shape.len()).map(index).collect())
    }

    /// A row with the indices of each element that is not zero, in C order.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Panics
    ///
    /// Panics if the array has no axes.
    #[track_caller]
    pub fn argwhere(&self) -> Result<Array<i64>> {
        assert!(self.ndim() > 0, "argwhere: the array has no axes");
        Ok(stack(&self.nonzero()?, 1))
    }

    /// The array without the elements of these indices along an axis.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or an index is out of bounds.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 6, 1, 2);
    /// assert_eq!(x.delete(0, &[1, 4]).compute()?.as_slice().unwrap(), [0, 2, 3, 5]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn delete(&self, axis: usize, indices: &[usize]) -> Self {
        let length = self.length("delete", axis);
        let mut stays = vec![true; length];
        for index in indices {
            assert!(
                *index < length,
                "delete: index {index} is out of bounds for axis {axis} of {length} elements"
            );
            stays[*index] = false;
        }
        let kept: Vec<usize> = (0..length).filter(|index| stays[*index]).collect();
        self.take(axis, &kept)
    }

    /// The array with an axis at another place; the others keep their order.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis or place.
    #[track_caller]
    pub fn move_axis(&self, axis: usize, place: usize) -> Self {
        let ndim = self.ndim();
        assert!(axis < ndim && place < ndim, "move_axis: axis {axis} and place {place} must be below {ndim}");
        let mut axes: Vec<usize> = (0..ndim).filter(|other| *other != axis).collect();
        axes.insert(place, axis);
        self.permute_axes(&axes)
    }

    /// The array turned by so many right angles, from the first of two axes towards the second.
    ///
    /// # Panics
    ///
    /// Panics if the axes are the same, or there is no such axis.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2).reshape([2, 2]);
    /// assert_eq!(x.rot90(1, [0, 1]).ravel().compute()?.as_slice().unwrap(), [1, 3, 0, 2]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn rot90(&self, times: i64, axes: [usize; 2]) -> Self {
        let [first, second] = axes;
        assert!(first != second, "rot90: the axes are both {first}");
        match times.rem_euclid(4) {
            0 => self.clone(),
            1 => self.flip(second).swap_axes(first, second),
            2 => self.flip(first).flip(second),
            _ => self.swap_axes(first, second).flip(second),
        }
    }

    /// An array of the same shape and chunks, filled with a value.
    pub fn full_like(&self, value: T) -> Self {
        self.client.full(value, self.shape(), Chunks::Lists(self.chunks()))
    }
}

/// Arrays after one another along the first axis; those of one axis become rows. As NumPy's `vstack`.
///
/// # Panics
///
/// Panics if there are no arrays, or their shapes do not fit.
#[track_caller]
pub fn vstack<T: Element, A: Borrow<Array<T>>>(arrays: &[A]) -> Array<T> {
    let rows = |array: &A| match array.borrow().ndim() {
        0 => array.borrow().expand_dims(0).expand_dims(0),
        1 => array.borrow().expand_dims(0),
        _ => array.borrow().clone(),
    };
    concatenate(&arrays.iter().map(rows).collect::<Vec<_>>(), 0)
}

/// Arrays beside one another along the second axis, or along the only one. As NumPy's `hstack`.
///
/// # Panics
///
/// Panics if there are no arrays, or their shapes do not fit.
///
/// ```
/// # use maniple::array::{hstack, vstack};
/// # maniple::Runtime::builder().execute(|client| {
/// let (x, y) = (client.arange(0, 3, 1, 2), client.arange(3, 6, 1, 2));
/// assert_eq!(hstack(&[&x, &y]).shape(), [6]);
/// assert_eq!(vstack(&[&x, &y]).shape(), [2, 3]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn hstack<T: Element, A: Borrow<Array<T>>>(arrays: &[A]) -> Array<T> {
    let one = |array: &A| match array.borrow().ndim() {
        0 => array.borrow().expand_dims(0),
        _ => array.borrow().clone(),
    };
    let arrays: Vec<Array<T>> = arrays.iter().map(one).collect();
    let axis = usize::from(arrays.first().is_some_and(|array| array.ndim() > 1));
    concatenate(&arrays, axis)
}
