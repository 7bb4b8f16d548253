//! Running sums and products, and differences of neighbours.

use crate::{
    array::{
        Array, Dimensions, Element, Float, Number, Real,
        api::{
            create::one,
            index::view_node,
            operators::{binary_node, cast_node, constant},
            shape::concatenate,
        },
        element::with_type,
        error::expect,
        graph::{blocks::Blocks, custom::custom_node, gather::Selection, node::Node, submitter::Submitter},
        kernel::{
            operators::Binary,
            reduce::{Accumulate, Reduce},
        },
    },
    client::Future,
    error::Result,
};
use ndarray::{ArrayD, Axis};
use std::sync::Arc;

impl<T: Element, D: Dimensions> Array<T, D> {
    /// Running sums along an axis, in 64 bits for integers and with 64-bit intermediates for floats.
    ///
    /// The blocks of a line are summed side by side; only their sums wait for each other.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(1, 6, 1, 2).cumsum(0);
    /// assert_eq!(x.compute()?.as_slice().unwrap(), [1, 3, 6, 10, 15]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn cumsum(&self, axis: usize) -> Array<T::Sum> {
        self.length("cumsum", axis);
        self.derive(scan_node(&self.node, axis, false, T::Sum::DATA_TYPE))
    }

    /// Running products along an axis.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn cumprod(&self, axis: usize) -> Array<T::Sum> {
        self.length("cumprod", axis);
        self.derive(scan_node(&self.node, axis, true, T::Sum::DATA_TYPE))
    }

    /// Returns running sums over all elements in C order, along one axis: NumPy's `cumsum` without an axis.
    pub fn cumsum_flat(&self) -> Array<T::Sum> {
        self.ravel().cumsum(0)
    }

    /// Returns running products over all elements in C order, along one axis: NumPy's `cumprod` without an axis.
    pub fn cumprod_flat(&self) -> Array<T::Sum> {
        self.ravel().cumprod(0)
    }

    pub(super) fn stretch(&self, axis: usize, start: usize, count: usize) -> Array<T> {
        self.select_axis(axis, Selection::Range { start, step: 1, count })
    }
}

impl<T: Real, D: Dimensions> Array<T, D> {
    /// Running sums along an axis of the elements that are not NaN.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn nancumsum(&self, axis: usize) -> Array<T> {
        self.nan_as(T::default()).cumsum(axis)
    }

    /// Running products along an axis of the elements that are not NaN.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn nancumprod(&self, axis: usize) -> Array<T> {
        self.nan_as(one()).cumprod(axis)
    }
}

impl<T: Number, D: Dimensions> Array<T, D> {
    /// The differences of neighbours along an axis: one less than there are elements. NumPy's `prepend` and `append` are
    /// arrays that are put before and after this one first, by [`append`](Array::append).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn diff(&self, axis: usize) -> Array<T> {
        let count = self.length("diff", axis).saturating_sub(1);
        self.stretch(axis, 1.min(self.length("diff", axis)), count) - self.stretch(axis, 0, count)
    }
}

impl<T: Number> Array<T> {
    /// Returns the differences of neighbours along an axis, `count` times over: NumPy's `diff` with `n`. The axis becomes
    /// shorter by `count`, but no shorter than 0.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let squares = client.arange(0, 5, 1, 2).square();
    /// assert_eq!(squares.diff_n(0, 2).compute()?.as_slice().unwrap(), [2, 2, 2]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn diff_n(&self, axis: usize, count: usize) -> Self {
        self.length("diff_n", axis);
        (0..count).fold(self.clone(), |array, _| array.diff(axis))
    }

    /// Returns the differences of neighbours among all elements in C order: NumPy's `ediff1d`. Its `to_begin` and `to_end`
    /// are put before and after the result, by [`append`](Self::append).
    pub fn ediff1d(&self) -> Self {
        self.ravel().diff(0)
    }
}

impl<T: Float> Array<T> {
    /// As [`gradient`](Self::gradient), where neighbours are `spacing` apart.
    ///
    /// # Panics
    ///
    /// As [`gradient`](Self::gradient).
    #[track_caller]
    pub fn gradient_spaced(&self, axis: usize, spacing: f64) -> Self {
        let spacing = constant(crate::array::kernel::operators::wide::<T>(spacing));
        let slopes = self.gradient(axis);
        slopes.derive(expect(
            "gradient_spaced",
            binary_node(Binary::Divide, T::DATA_TYPE, Arc::clone(&slopes.node), spacing),
        ))
    }

    /// As [`gradient_spaced`](Self::gradient_spaced), where the slopes at the ends are those of the parabola through the
    /// last three elements: NumPy's `gradient` with `edge_order=2`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or it has fewer than three elements.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let squares = client.arange(0, 5, 1, 2).cast::<f64>().square();
    /// let slopes = squares.gradient_with_parabolas(0, 1.0);
    /// assert_eq!(slopes.compute()?.as_slice().unwrap(), [0.0, 2.0, 4.0, 6.0, 8.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn gradient_with_parabolas(&self, axis: usize, spacing: f64) -> Self {
        let count = self.length("gradient_with_parabolas", axis);
        assert!(
            count >= 3,
            "gradient_with_parabolas: axis {axis} of shape {:?} has {count} elements, it must have at least 3",
            self.shape()
        );
        let inside = self.gradient_spaced(axis, spacing).stretch(axis, 1, count - 2);
        let weighted = |start: usize, weights: [f64; 3]| {
            let term = |step: usize| {
                let weight = weights[step] / spacing;
                let weight = constant(crate::array::kernel::operators::wide::<T>(weight));
                let weight: Array<T, ndarray::Ix0> = self.derive(weight);
                self.stretch(axis, start + step, 1) * weight
            };
            term(0) + term(1) + term(2)
        };
        let ends = [weighted(0, [-1.5, 2.0, -0.5]), weighted(count - 3, [0.5, -2.0, 1.5])];
        let [first, last] = ends;
        concatenate(&[first, inside, last], axis)
    }

    /// As [`gradient`](Self::gradient), where elements lie at these coordinates along the axis. The slope at an element
    /// inside is the mean of those to both neighbours, each weighted by the distance to the other one (Fornberg 1988), as
    /// in NumPy.
    ///
    /// # Panics
    ///
    /// As [`gradient`](Self::gradient), and if there is not one coordinate for each element along the axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 5, 1, 2).cast::<f64>().square();
    /// let slopes = (&x * 3.0).gradient_at(0, &x);
    /// assert_eq!(slopes.compute()?.as_slice().unwrap(), [3.0; 5]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn gradient_at(&self, axis: usize, coordinates: &Array<T::Real>) -> Self {
        let (shape, count) = (coordinates.shape(), self.length("gradient_at", axis));
        assert!(
            shape == [count],
            "gradient_at: coordinates have the shape {shape:?}, there must be one for each of {count} elements"
        );
        assert!(
            count >= 2,
            "gradient_at: axis {axis} of shape {:?} has {count} elements, it must have at least 2",
            self.shape()
        );
        let place: Vec<Option<usize>> = (0..self.ndim()).map(|own| (own == axis).then_some(0)).collect();
        let steps = coordinates.diff(0);
        let steps: Self = steps.derive::<T::Real, ndarray::IxDyn>(view_node(&steps.node, &place)).cast::<T>();
        let slopes = self.diff(axis) / &steps;
        // The slopes on both sides of an element, each weighed by the distance on the other side.
        let (before, after) = (steps.stretch(axis, 0, count - 2), steps.stretch(axis, 1, count - 2));
        let both = &before + &after;
        let inside = (slopes.stretch(axis, 0, count - 2) * &after
            + slopes.stretch(axis, 1, count - 2) * &before)
            / both;
        concatenate(&[slopes.stretch(axis, 0, 1), inside, slopes.stretch(axis, count - 2, 1)], axis)
    }
}

impl<T: Float, D: Dimensions> Array<T, D> {
    /// Slopes along an axis of unit spacing: central differences inside, one-sided ones at the ends.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or it has fewer than two elements.
    #[track_caller]
    pub fn gradient(&self, axis: usize) -> Array<T> {
        let count = self.length("gradient", axis);
        assert!(
            count >= 2,
            "gradient: axis {axis} of shape {:?} has {count} elements, it must have at least 2",
            self.shape()
        );
        let distance = |from: usize, to: usize, count: usize| {
            self.stretch(axis, to, count) - self.stretch(axis, from, count)
        };
        let two = constant(crate::array::kernel::operators::wide::<T>(2.0));
        let inside = distance(0, 2, count - 2);
        let inside = binary_node(Binary::Divide, T::DATA_TYPE, Arc::clone(&inside.node), two);
        let inside: Array<T> = self.derive(expect("gradient", inside));
        concatenate(&[distance(0, 1, 1), inside, distance(count - 2, count - 1, 1)], axis)
    }
}

/// Running sums or products, taken in the wide type, as elements of `data_type`.
fn scan_node(
    node: &Arc<Node>,
    axis: usize,
    is_product: bool,
    data_type: crate::array::DataType,
) -> Arc<Node> {
    let scanned = with_type!(node.data_type, T => {
        type Wide = <T as Reduce>::Wide;
        let input = cast_node(Wide::DATA_TYPE, node);
        let grid = input.grid.clone();
        let name = if is_product { "cumprod" } else { "cumsum" };
        custom_node::<Wide>(name, vec![input], grid, move |client, inputs| {
            scan_blocks::<Wide>(client, &inputs[0], axis, is_product)
        })
    });
    cast_node(data_type, &scanned)
}

fn scan_blocks<T: Element + Accumulate>(
    client: &Submitter<'_>,
    blocks: &Blocks,
    axis: usize,
    is_product: bool,
) -> Result<Vec<Future<ArrayD<T>>>> {
    let futures = blocks.typed::<T>();
    let totals = client.map(total::<T>, futures.iter().map(|block| (block, axis, is_product)));
    let mut carries: Vec<Option<Future<ArrayD<T>>>> = Vec::with_capacity(futures.len());
    for place in 0..futures.len() {
        let mut coordinates = blocks.grid.coordinates(place);
        carries.push(match coordinates[axis].checked_sub(1) {
            None => None,
            Some(before) => {
                coordinates[axis] = before;
                let before = blocks.grid.place(&coordinates);
                Some(match &carries[before] {
                    None => totals[before].clone(),
                    Some(carry) => client.submit(join::<T>, (carry, &totals[before], is_product)),
                })
            }
        });
    }
    let scanned = futures.iter().zip(&carries).map(|(block, carry)| match carry {
        None => client.submit(scan_first::<T>, (block, axis, is_product)),
        Some(carry) => client.submit(scan::<T>, (block, carry, axis, is_product)),
    });
    Ok(scanned.collect())
}

fn next<T: Accumulate>(a: T, b: T, is_product: bool) -> T {
    if is_product { a.multiply(b) } else { a.add(b) }
}

/// The sum or product of each lane, as an axis of length 1.
fn total<T: Element + Accumulate>(block: &ArrayD<T>, axis: usize, is_product: bool) -> ArrayD<T> {
    let start = if is_product { T::ONE } else { T::START };
    block
        .fold_axis(Axis(axis), start, |total, value| next(*total, *value, is_product))
        .insert_axis(Axis(axis))
}

fn join<T: Element + Accumulate>(carry: ArrayD<T>, total: &ArrayD<T>, is_product: bool) -> ArrayD<T> {
    let mut joined = carry;
    joined.zip_mut_with(total, |a, b| *a = next(*a, *b, is_product));
    joined
}

fn scan_first<T: Element + Accumulate>(block: ArrayD<T>, axis: usize, is_product: bool) -> ArrayD<T> {
    let mut scanned = block;
    scanned.accumulate_axis_inplace(Axis(axis), |before, value| *value = next(*before, *value, is_product));
    scanned
}

fn scan<T: Element + Accumulate>(
    block: ArrayD<T>,
    carry: &ArrayD<T>,
    axis: usize,
    is_product: bool,
) -> ArrayD<T> {
    let mut scanned = block;
    if scanned.len_of(Axis(axis)) > 0 {
        let carry = carry.index_axis(Axis(axis), 0);
        let mut first = scanned.index_axis_mut(Axis(axis), 0);
        first.zip_mut_with(&carry, |value, carry| *value = next(*carry, *value, is_product));
    }
    scan_first(scanned, axis, is_product)
}
