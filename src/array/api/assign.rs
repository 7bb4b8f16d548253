//! Arrays of which a part is replaced.

use crate::array::{
    Array, Element, Operand, ShapeError,
    api::index::{Slices, view_node},
    concatenate,
    error::expect,
    graph::gather::Selection,
};
use ndarray::SliceInfoElem;
use std::sync::Arc;

impl<T: Element> Array<T> {
    /// The array with a part replaced by `value`, an array or a number that is broadcast to the part's shape:
    /// Dask's `x[2:5, ::-1] = value`. This array stays as it is; the result has its shape and chunks. The part
    /// is said as for [`slice`](Self::slice).
    ///
    /// What is replaced is not computed, and blocks that the part does not touch stay where they are. Where a
    /// condition says what is replaced, `x[x < 0] = 0`, take [`select`](crate::array::select).
    ///
    /// # Panics
    ///
    /// Panics if there are more indices than axes, an index is out of bounds, or `value` cannot be broadcast to
    /// the part's shape.
    ///
    /// ```
    /// use ndarray::s;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 8, 1, 3);
    /// let y = x.set_slice(s![2..5], 0).set_slice(s![6..;-1], client.arange(10, 12, 1, 2));
    /// assert_eq!(y.compute()?.as_slice().unwrap(), [0, 1, 0, 0, 0, 5, 11, 10]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn set_slice(&self, slices: impl AsRef<[SliceInfoElem]>, value: impl Operand<T>) -> Self {
        expect("set_slice", self.try_set_slice(slices, value))
    }

    /// As [`set_slice`](Self::set_slice).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] where [`set_slice`](Self::set_slice) panics.
    pub fn try_set_slice(
        &self,
        slices: impl AsRef<[SliceInfoElem]>,
        value: impl Operand<T>,
    ) -> Result<Self, ShapeError> {
        let Slices { selections, axes } = Slices::new(&self.shape(), slices.as_ref())?;
        let part: Vec<usize> =
            axes.iter().map(|axis| axis.map_or(1, |axis| count(&selections[axis]))).collect();
        let mut value: Self = self.derive(value.node());
        // As in NumPy, axes of length 1 in front are left out where the part has fewer axes.
        while value.ndim() > part.len() && value.shape()[0] == 1 {
            let rest: Vec<Option<usize>> = (1..value.ndim()).map(Some).collect();
            value = self.derive(view_node(&value.node, &rest));
        }
        let value = value.try_broadcast_to(part)?;
        // The value's axes as this array's: single indices have length 1, new axes go.
        let own: Vec<Option<usize>> =
            (0..self.ndim()).map(|own| axes.iter().position(|axis| *axis == Some(own))).collect();
        let value: Self = self.derive(view_node(&value.node, &own));
        let replaced = replace(self, &selections, 0, &value);
        Ok(self.derive(replaced.node.rechunk(&self.node.grid)))
    }

    /// The array with the blocks at these places taken from `other`, which has the same shape and is first cut
    /// alike. A place is the number of the block along each axis. No block is copied.
    ///
    /// # Panics
    ///
    /// Panics if the shapes differ, or there is no block at a place.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.zeros::<i64>([4, 4], 2);
    /// let y = x.set_blocks(&[[0, 1], [1, 0]], &client.ones([4, 4], 4));
    /// assert_eq!(y.slice(ndarray::s![0, ..]).compute()?.as_slice().unwrap(), [0, 0, 1, 1]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn set_blocks(&self, places: &[impl AsRef<[usize]>], other: &Self) -> Self {
        let (shape, others) = (self.shape(), other.shape());
        assert!(
            shape == others,
            "set_blocks: other has the shape {others:?}, it must be that of the array, {shape:?}"
        );
        let counts = self.num_blocks();
        let mut is_replaced = vec![false; self.node.grid.count()];
        for place in places.iter().map(AsRef::as_ref) {
            let is_there =
                place.len() == counts.len() && place.iter().zip(&counts).all(|(own, count)| own < count);
            assert!(
                is_there,
                "set_blocks: there is no block {place:?}: along each axis there are {counts:?}"
            );
            is_replaced[self.node.grid.place(place)] = true;
        }
        let inputs = vec![Arc::clone(&self.node), other.node.rechunk(&self.node.grid)];
        let grid = self.node.grid.clone();
        self.derive(crate::array::graph::custom::custom_node("set_blocks", inputs, grid, move |_, inputs| {
            let (own, others) = (inputs[0].typed::<T>(), inputs[1].typed::<T>());
            let blocks = own.into_iter().zip(others).zip(&is_replaced);
            Ok(blocks.map(|((own, other), is_replaced)| if *is_replaced { other } else { own }).collect())
        }))
    }
}

fn count(selection: &Selection) -> usize {
    match selection {
        Selection::Range { count, .. } => *count,
        Selection::List(list) => list.len(),
    }
}

/// The array with the selected elements, from `axis` on, replaced.
fn replace<T: Element>(base: &Array<T>, selections: &[Selection], axis: usize, value: &Array<T>) -> Array<T> {
    let Some(selection) = selections.get(axis) else { return value.clone() };
    let length = base.length("set_slice", axis);
    let Selection::Range { start, step, count } = selection.clone() else {
        unreachable!("slices are ranges")
    };
    if *selection == Selection::whole(length) {
        return replace(base, selections, axis + 1, value);
    }
    if count == 0 {
        return base.clone();
    }
    let part = replace(&base.select_axis(axis, selection.clone()), selections, axis + 1, value);
    if count > 1 && step.abs() > 1 {
        let mut indices: Vec<usize> = (0..length).collect();
        (0..count).for_each(|place| indices[selection.at(place)] = length + place);
        return concatenate(&[base.clone(), part], axis).select_axis(axis, Selection::List(indices.into()));
    }
    let (low, part) = match count > 1 && step < 0 {
        true => (start + 1 - count, part.flip(axis)),
        false => (start, part),
    };
    let stretch = |start: usize, end: usize| {
        (start < end).then(|| base.select_axis(axis, Selection::Range { start, step: 1, count: end - start }))
    };
    let parts = [stretch(0, low), Some(part), stretch(low + count, length)];
    concatenate(&parts.into_iter().flatten().collect::<Vec<_>>(), axis)
}
