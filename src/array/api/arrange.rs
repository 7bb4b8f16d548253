//! Arrays put together, turned and extended, as NumPy's functions of these names.

use super::shape::concatenate;
use crate::array::{Array, Element, Operand, error::expect, graph::gather::Selection};
use std::borrow::Borrow;

impl<T: Element> Array<T> {
    /// Returns the array with at least one axis: a single number becomes an array of one element.
    pub fn at_least_1d(&self) -> Self {
        if self.ndim() == 0 { self.expand_dims(0) } else { self.clone() }
    }

    /// Returns the array with at least two axes: a vector becomes a row.
    pub fn at_least_2d(&self) -> Self {
        if self.ndim() < 2 { self.at_least_1d().expand_dims(0) } else { self.clone() }
    }

    /// Returns the array with at least three axes, as NumPy's `atleast_3d`: a vector of n elements gets the shape
    /// `[1, n, 1]`, a matrix a last axis of length 1.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// assert_eq!(client.arange(0, 5, 1, 2).at_least_3d().shape(), [1, 5, 1]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn at_least_3d(&self) -> Self {
        let matrix = self.at_least_2d();
        if matrix.ndim() < 3 { matrix.expand_dims(2) } else { matrix }
    }

    /// Returns the elements in reverse order along each of these axes: NumPy's `flip`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn flip_axes(&self, axes: &[usize]) -> Self {
        axes.iter().fold(self.clone(), |array, axis| array.flip(*axis))
    }

    /// Returns the elements moved along several axes, as by [`roll`](Self::roll) along one after the other. Each pair is a
    /// number of places and an axis.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2).reshape([2, 2]);
    /// assert_eq!(x.roll_axes(&[(1, 0), (1, 1)]).ravel().compute()?.as_slice().unwrap(), [3, 2, 1, 0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn roll_axes(&self, shifts: &[(i64, usize)]) -> Self {
        shifts.iter().fold(self.clone(), |array, (shift, axis)| array.roll(*shift, *axis))
    }

    /// Returns the array with `axis` moved to before the axis that is at `start` now: NumPy's `rollaxis`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or `start` is more than the number of axes.
    #[track_caller]
    pub fn roll_axis(&self, axis: usize, start: usize) -> Self {
        let ndim = self.ndim();
        assert!(
            axis < ndim && start <= ndim,
            "roll_axis: axis {axis} must be below {ndim}, start {start} at most {ndim}"
        );
        self.move_axis(axis, if start > axis { start - 1 } else { start })
    }

    /// Returns the array with the elements of another one after its own along an axis. For NumPy's `append` without an axis,
    /// [`ravel`](Self::ravel) both before.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or the other axes differ.
    #[track_caller]
    pub fn append(&self, other: &Self, axis: usize) -> Self {
        concatenate(&[self, other], axis)
    }

    /// Returns the array with values inserted before the elements at these indices along an axis: NumPy's `insert`. Indices
    /// are those of this array; the length of the axis stands for its end. Values are broadcast to the shape of this array
    /// with as many elements along the axis as there are indices.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, an index is more than its length, or the values cannot be broadcast.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2);
    /// let y = x.insert(0, &[4, 1], client.arange(10, 12, 1, 2));
    /// assert_eq!(y.compute()?.as_slice().unwrap(), [0, 11, 1, 2, 3, 10]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn insert(&self, axis: usize, indices: &[usize], values: impl Operand<T>) -> Self {
        let length = self.length("insert", axis);
        if let Some(index) = indices.iter().find(|index| **index > length) {
            panic!("insert: index {index} is more than axis {axis} of shape {:?} has", self.shape());
        }
        let mut shape = self.shape();
        shape[axis] = indices.len();
        let values: Self = self.derive(values.node());
        let values = expect("insert", values.try_broadcast_to(shape));
        let mut order: Vec<usize> = (0..indices.len()).collect();
        order.sort_by_key(|place| indices[*place]);
        let mut parts = Vec::new();
        let mut start = 0;
        // Stretches of this array, and of values that go to the same place.
        for group in order.chunk_by(|a, b| indices[*a] == indices[*b]) {
            let end = indices[group[0]];
            parts.push(self.select_axis(axis, Selection::Range { start, step: 1, count: end - start }));
            parts.push(values.select_axis(axis, Selection::List(group.into())));
            start = end;
        }
        parts.push(self.select_axis(axis, Selection::Range { start, step: 1, count: length - start }));
        concatenate(&parts, axis)
    }

    /// How [`pad_axes`](Self::pad_axes) pads one axis.
    #[track_caller]
    fn padded(&self, axis: usize, before: usize, after: usize, pad: Pad<T>) -> Self {
        if let Pad::Constant(value) = pad {
            return self.pad(axis, before, after, value);
        }
        let length = self.length("pad_axes", axis);
        assert!(
            length > 0 || before + after == 0,
            "pad_axes: axis {axis} of shape {:?} has no elements to pad it with",
            self.shape()
        );
        let (length, before, after) = (length as i64, before as i64, after as i64);
        let index = |place: i64| -> usize {
            let index = match pad {
                Pad::Edge | Pad::Constant(_) => place.clamp(0, length - 1),
                Pad::Wrap => place.rem_euclid(length),
                Pad::Symmetric => {
                    let within = place.rem_euclid(2 * length);
                    within.min(2 * length - 1 - within)
                }
                Pad::Reflect => {
                    let period = (2 * (length - 1)).max(1);
                    let within = place.rem_euclid(period);
                    within.min(period - within) % length
                }
            };
            index as usize
        };
        let border = |places: std::ops::Range<i64>| {
            (!places.is_empty()).then(|| {
                self.select_axis(axis, Selection::List(places.map(index).collect::<Vec<_>>().into()))
            })
        };
        let parts = [border(-before..0), Some(self.clone()), border(length..length + after)];
        concatenate(&parts.into_iter().flatten().collect::<Vec<_>>(), axis)
    }

    /// Returns the array with elements added before and after those along each axis: NumPy's `pad`. There is a pair of
    /// counts, before and after, for each axis. Axes are padded one after the other, and the padding of an axis is padded
    /// along the axes after it.
    ///
    /// # Panics
    ///
    /// Panics if there is not one pair for each axis, or an axis without elements is padded with elements of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use maniple::array::Pad;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 4, 1, 2);
    /// let y = x.pad_axes(&[(2, 3)], Pad::Reflect);
    /// assert_eq!(y.compute()?.as_slice().unwrap(), [2, 1, 0, 1, 2, 3, 2, 1, 0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn pad_axes(&self, counts: &[(usize, usize)], pad: Pad<T>) -> Self {
        let shape = self.shape();
        assert!(
            counts.len() == shape.len(),
            "pad_axes: counts are {counts:?}, there must be a pair for each axis of shape {shape:?}"
        );
        let pairs = counts.iter().enumerate();
        pairs.fold(self.clone(), |array, (axis, (before, after))| array.padded(axis, *before, *after, pad))
    }
}

/// What an array is padded with.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Pad<T> {
    /// This value.
    Constant(T),
    /// The last element again.
    Edge,
    /// The elements in reverse order, without the last one: `2 1 | 0 1 2 | 1 0`.
    Reflect,
    /// The elements in reverse order, with the last one: `1 0 | 0 1 2 | 2 1`.
    Symmetric,
    /// The elements from the other end: `1 2 | 0 1 2 | 0 1`.
    Wrap,
}

/// Joins arrays along the third axis: NumPy's `dstack`. Vectors and matrices first get three axes, as by
/// [`at_least_3d`](Array::at_least_3d).
///
/// # Panics
///
/// Panics if there are no arrays, or their shapes do not fit.
#[track_caller]
pub fn dstack<T: Element, A: Borrow<Array<T>>>(arrays: &[A]) -> Array<T> {
    let deep = arrays.iter().map(|array| array.borrow().at_least_3d());
    concatenate(&deep.collect::<Vec<_>>(), 2)
}

/// Joins arrays along the second axis: NumPy's `column_stack`. Vectors first become columns.
///
/// # Panics
///
/// Panics if there are no arrays, or their shapes do not fit.
///
/// # Examples
///
/// ```
/// # use maniple::array::{column_stack, dstack};
/// # maniple::Runtime::builder().execute(|client| {
/// let (x, y) = (client.arange(0, 3, 1, 2), client.arange(3, 6, 1, 2));
/// assert_eq!(column_stack(&[&x, &y]).shape(), [3, 2]);
/// assert_eq!(dstack(&[&x, &y]).shape(), [1, 3, 2]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn column_stack<T: Element, A: Borrow<Array<T>>>(arrays: &[A]) -> Array<T> {
    let columns = |array: &A| match array.borrow().ndim() {
        0 | 1 => array.borrow().at_least_1d().expand_dims(1),
        _ => array.borrow().clone(),
    };
    concatenate(&arrays.iter().map(columns).collect::<Vec<_>>(), 1)
}

/// How the axes of [`meshgrid`] follow the vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Indexing {
    /// Axis i follows vector i: NumPy's `"ij"`.
    #[default]
    Matrix,
    /// The first two are exchanged, as rows are counted along y: NumPy's `"xy"`.
    Cartesian,
}

/// Returns grids of coordinates from vectors of them: for each vector an array that repeats it along the axes of the
/// others. NumPy's `meshgrid`.
///
/// # Panics
///
/// Panics if an array has more than one axis.
///
/// # Examples
///
/// ```
/// use maniple::array::{Indexing, meshgrid};
/// # maniple::Runtime::builder().execute(|client| {
/// let (x, y) = (client.arange(0, 3, 1, 2), client.arange(0, 2, 1, 2));
/// let grids = meshgrid(&[&x, &y], Indexing::Cartesian);
/// assert_eq!(grids[0].compute()?, ndarray::array![[0, 1, 2], [0, 1, 2]].into_dyn());
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn meshgrid<T: Element, A: Borrow<Array<T>>>(vectors: &[A], indexing: Indexing) -> Vec<Array<T>> {
    let vectors: Vec<Array<T>> = vectors.iter().map(|vector| vector.borrow().at_least_1d()).collect();
    if let Some(other) = vectors.iter().find(|vector| vector.ndim() != 1) {
        panic!("meshgrid: an array has shape {:?}, it must be a vector", other.shape());
    }
    let count = vectors.len();
    let axis_of = |vector: usize| match indexing {
        Indexing::Cartesian if count > 1 && vector < 2 => 1 - vector,
        _ => vector,
    };
    let mut shape = vec![0; count];
    vectors.iter().enumerate().for_each(|(place, vector)| shape[axis_of(place)] = vector.size());
    let grid = |(place, vector): (usize, &Array<T>)| {
        let axes: Vec<Option<usize>> = (0..count).map(|axis| (axis == axis_of(place)).then_some(0)).collect();
        let vector: Array<T> = vector.derive(super::index::view_node(&vector.node, &axes));
        vector.broadcast_to(shape.clone())
    };
    vectors.iter().enumerate().map(grid).collect()
}
