//! Places of elements: their indices, and what lies at places that are listed or that a condition chooses.

use super::operators::{Operand, select};
use crate::{
    array::{
        Array, Chunks, Element, Number,
        error::expect,
        graph::{
            chunks::{AxisChunks, Grid},
            custom::custom_node,
        },
    },
    client::Client,
    error::Result,
    task::Shared,
};
use ndarray::{ArrayD, IxDyn};
use std::borrow::Borrow;

impl Client {
    /// Returns the index of each element along each axis of an array of this shape: NumPy's `indices` with
    /// `sparse=False`. There is an array of this shape for each axis.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let places = client.indices([2, 3], 2);
    /// assert_eq!(places[1].compute()?, ndarray::array![[0, 1, 2], [0, 1, 2]].into_dyn());
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn indices(&self, shape: impl Into<Vec<usize>>, chunks: impl Into<Chunks>) -> Vec<Array<i64>> {
        let (shape, chunks) = (shape.into(), chunks.into());
        let index = |axis: usize| {
            let along = self.arange(0, shape[axis] as i64, 1, Chunks::Every(shape[axis].max(1)));
            let place: Vec<Option<usize>> = (0..shape.len()).map(|own| (own == axis).then_some(0)).collect();
            let place: Array<i64> = along.derive(super::index::view_node(&along.node, &place));
            place.broadcast_to(shape.clone()).rechunk(chunks.clone())
        };
        (0..shape.len()).map(index).collect()
    }

    /// Returns a matrix with ones on and below the diagonal `diagonal` places above the main one, zeros elsewhere: NumPy's `tri`.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape.
    #[track_caller]
    pub fn tri<T: Number>(
        &self,
        rows: usize,
        columns: usize,
        diagonal: i64,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        self.ones::<T>([rows, columns], chunks).tril(diagonal)
    }

    /// Returns the indices along both axes of the elements on and below the diagonal `diagonal` places above the main one of a
    /// matrix of this shape, in C order: NumPy's `tril_indices`.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the number of elements.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let [rows, columns] = client.tril_indices([2, 2], 0, 2);
    /// assert_eq!(rows.compute()?.as_slice().unwrap(), [0, 1, 1]);
    /// assert_eq!(columns.compute()?.as_slice().unwrap(), [0, 0, 1]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn tril_indices(
        &self,
        shape: [usize; 2],
        diagonal: i64,
        chunks: impl Into<Chunks>,
    ) -> [Array<i64>; 2] {
        self.triangle_indices("tril_indices", shape, chunks.into(), |row| {
            0..row.saturating_add(diagonal).saturating_add(1).clamp(0, shape[1] as i64)
        })
    }

    /// Returns the indices along both axes of the elements on and above the diagonal `diagonal` places above the main one of a
    /// matrix of this shape, in C order: NumPy's `triu_indices`.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the number of elements.
    #[track_caller]
    pub fn triu_indices(
        &self,
        shape: [usize; 2],
        diagonal: i64,
        chunks: impl Into<Chunks>,
    ) -> [Array<i64>; 2] {
        self.triangle_indices("triu_indices", shape, chunks.into(), |row| {
            row.saturating_add(diagonal).clamp(0, shape[1] as i64)..shape[1] as i64
        })
    }

    #[track_caller]
    fn triangle_indices(
        &self,
        name: &'static str,
        [rows, _]: [usize; 2],
        chunks: Chunks,
        columns: impl Fn(i64) -> std::ops::Range<i64>,
    ) -> [Array<i64>; 2] {
        // Where each row begins among the elements of the triangle, and its first column.
        let mut starts = vec![0];
        let mut firsts = Vec::with_capacity(rows);
        for row in 0..rows as i64 {
            let range = columns(row);
            firsts.push(range.start);
            starts.push(starts[row as usize] + (range.end - range.start).max(0));
        }
        let count = starts[rows] as usize;
        let grid = expect(name, chunks.grid(&[count], size_of::<i64>()));
        let [starts, firsts] = [starts, firsts].map(std::sync::Arc::new);
        [true, false].map(|are_rows| {
            let (starts, firsts, own) = (starts.clone(), firsts.clone(), grid.clone());
            let node = custom_node(name, Vec::new(), grid.clone(), move |client, _| {
                let table = client.scatter((starts.to_vec(), firsts.to_vec()))?;
                let regions = (0..own.count()).map(|block| own.0[0].piece(block));
                Ok(client
                    .map(triangle_block, regions.map(|(start, size)| (&table, start as i64, size, are_rows))))
            });
            Array::new(self, node)
        })
    }
}

fn triangle_block(table: &(Vec<i64>, Vec<i64>), start: i64, size: usize, are_rows: bool) -> ArrayD<i64> {
    let (starts, firsts) = table;
    let index = |place: i64| {
        let row = starts.partition_point(|start| *start <= place) - 1;
        if are_rows { row as i64 } else { firsts[row] + place - starts[row] }
    };
    ArrayD::from_shape_vec(IxDyn(&[size]), (start..start + size as i64).map(index).collect())
        .expect("an element for each place")
}

impl Array<i64> {
    /// Returns the indices along each axis of an array of this shape of the elements at these places in C order: NumPy's
    /// `unravel_index`. There is an array of this array's shape for each axis. Places are not checked: one out of bounds
    /// gives an index along the first axis that is out of bounds.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let places = client.arange(0, 6, 5, 2).unravel_index(&[2, 3]);
    /// assert_eq!(places[1].compute()?.as_slice().unwrap(), [0, 2]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn unravel_index(&self, shape: &[usize]) -> Vec<Self> {
        let index = |axis: usize| {
            let inner: usize = shape[axis + 1..].iter().product();
            let rest = self.floor_divide(inner.max(1) as i64);
            // The first axis takes what is too much.
            if axis == 0 { rest } else { rest % shape[axis].max(1) as i64 }
        };
        (0..shape.len()).map(index).collect()
    }

    /// Returns at each place the element of `choices[i]`, where i is the element of this array: NumPy's `choose` with
    /// `mode="clip"`. A negative i counts as 0, one that is too large as the last choice. For `mode="wrap"` take the
    /// remainder by the number of choices first. The shapes are broadcast together.
    ///
    /// # Panics
    ///
    /// Panics if there are no choices, or the shapes cannot be broadcast together.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let which = client.arange(0, 6, 1, 4) % 3;
    /// let choices = [10, 20, 30].map(|value| client.full(value, [6], 4));
    /// assert_eq!(which.choose(&choices).compute()?.as_slice().unwrap(), [10, 20, 30, 10, 20, 30]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn choose<T: Element, A: Borrow<Array<T>>>(&self, choices: &[A]) -> Array<T> {
        let Some((last, others)) = choices.split_last() else { panic!("choose: there are no choices") };
        let pairs = others.iter().enumerate().rev();
        // Also of one choice the shape is that of all.
        let last = select(&self.eq(0), last.borrow(), last.borrow());
        pairs.fold(last, |rest, (place, choice)| select(&self.le(place as i64), choice.borrow(), rest))
    }
}

/// Returns the places in C order of the elements with these indices along each axis of an array of this shape: NumPy's
/// `ravel_multi_index`. Indices are not checked.
///
/// # Panics
///
/// Panics if there is not one array for each axis, or their shapes cannot be broadcast together.
///
/// # Examples
///
/// ```
/// # use maniple::array::ravel_multi_index;
/// # maniple::Runtime::builder().execute(|client| {
/// let index = client.arange(0, 2, 1, 2);
/// assert_eq!(ravel_multi_index(&[&index, &index], &[2, 3]).compute()?.as_slice().unwrap(), [0, 4]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn ravel_multi_index<A: Borrow<Array<i64>>>(indices: &[A], shape: &[usize]) -> Array<i64> {
    assert!(
        !indices.is_empty() && indices.len() == shape.len(),
        "ravel_multi_index: there are {} arrays for shape {shape:?}, there must be one for each axis",
        indices.len()
    );
    let pairs = indices.iter().zip(shape).skip(1);
    pairs
        .fold(indices[0].borrow().clone(), |places, (index, length)| places * *length as i64 + index.borrow())
}

/// Returns at each place the element of the choice whose condition is the first that holds, and that of `otherwise` where
/// none does: NumPy's `select`. The shapes are broadcast together.
///
/// # Panics
///
/// Panics if there are no conditions, or the shapes cannot be broadcast together.
///
/// # Examples
///
/// ```
/// # use maniple::array::select_first;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.arange(0, 6, 1, 4);
/// let y = select_first(&[(&x.lt(2), &x), (&x.lt(4), &(&x * 10))], -1);
/// assert_eq!(y.compute()?.as_slice().unwrap(), [0, 1, 20, 30, -1, -1]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn select_first<T: Element>(
    pieces: &[(&Array<bool>, &Array<T>)],
    otherwise: impl Operand<T>,
) -> Array<T> {
    let Some((condition, _)) = pieces.first() else { panic!("select_first: there are no conditions") };
    let otherwise: Array<T> = condition.derive(otherwise.node());
    pieces.iter().rev().fold(otherwise, |rest, (condition, choice)| select(condition, *choice, rest))
}

impl<T: Element> Array<T> {
    /// Returns the array with new elements where `condition` holds, the places taken in C order: NumPy's
    /// `x[condition] = values` with a list. This array stays as it is. The number of places is computed at once.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Panics
    ///
    /// Panics if the shapes differ, or there are not as many values as places.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 6, 1, 4);
    /// let y = x.set_mask_values(&(&x % 2).eq(1), &[10, 30, 50])?;
    /// assert_eq!(y.compute()?.as_slice().unwrap(), [0, 10, 2, 30, 4, 50]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn set_mask_values(&self, condition: &Array<bool>, values: &[T]) -> Result<Self> {
        let (shape, other) = (self.shape(), condition.shape());
        assert!(
            shape == other,
            "set_mask_values: condition has the shape {other:?}, it must be that of the array, {shape:?}"
        );
        let flat = self.ravel();
        let condition = condition.ravel().rechunk(flat.chunks()).persist()?;
        let count = condition.count_nonzero().compute()?;
        let given = values.len();
        assert!(given as i64 == count, "set_mask_values: there are {given} values for {count} places");
        // How many places there are up to each element.
        let places = condition.cumsum(0);
        let inputs = vec![flat.node.clone(), condition.node.clone(), places.node.rechunk(&flat.node.grid)];
        let values = ArrayD::from_shape_vec(IxDyn(&[given]), values.to_vec()).expect("a list has one axis");
        let grid = flat.node.grid.clone();
        let node = custom_node("set_mask_values", inputs, grid, move |client, inputs| {
            let values = client.scatter(values.clone())?;
            let blocks = inputs[0].typed::<T>().into_iter().zip(inputs[1].typed::<bool>());
            let blocks = blocks.zip(inputs[2].typed::<i64>());
            let blocks = blocks.map(|((block, condition), places)| (block, condition, places, &values));
            Ok(client.map(set_block::<T>, blocks))
        });
        let set: Self = self.derive(node);
        let shape: Vec<isize> = shape.iter().map(|length| *length as isize).collect();
        let set = set.reshape(&shape);
        Ok(set.derive(set.node.rechunk(&self.node.grid)))
    }

    /// Returns the elements along an axis whose condition is `true`: NumPy's `compress`. What the condition lacks counts
    /// as `false`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or the condition is longer.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 5, 1, 2);
    /// assert_eq!(x.compress(0, &[false, true, false, true]).compute()?.as_slice().unwrap(), [1, 3]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn compress(&self, axis: usize, condition: &[bool]) -> Self {
        let (length, given) = (self.length("compress", axis), condition.len());
        assert!(given <= length, "compress: the condition has {given} elements, axis {axis} has {length}");
        let places: Vec<usize> = (0..given).filter(|place| condition[*place]).collect();
        self.take(axis, &places)
    }

    /// Returns the array with `value` where `condition` holds: NumPy's `x[condition] = value`. This array stays as it is. `value`
    /// is a number, or an array that is broadcast to this one. For a list with one new element for each place see
    /// [`set_mask_values`](Self::set_mask_values).
    ///
    /// # Panics
    ///
    /// Panics if the condition or the value cannot be broadcast to the shape of this array.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(-2, 3, 1, 2);
    /// assert_eq!(x.set_mask(&x.lt(0), 0).compute()?.as_slice().unwrap(), [0, 0, 0, 1, 2]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn set_mask(&self, condition: &Array<bool>, value: impl Operand<T>) -> Self {
        let condition = expect("set_mask", condition.try_broadcast_to(self.shape()));
        let value: Self = self.derive(value.node());
        let value = expect("set_mask", value.try_broadcast_to(self.shape()));
        let result = select(&condition, &value, self);
        result.derive(result.node.rechunk(&self.node.grid))
    }

    /// Returns the elements at single places: Dask's `vindex`. There is a list of indices for each of the first axes, all of
    /// the same length. The result has one axis of this length, in one chunk, instead of these axes; the others stay.
    ///
    /// A task for each block selects its elements; blocks are not moved.
    ///
    /// # Panics
    ///
    /// Panics if there are no lists, more lists than axes, lists of different lengths, or an index is out of bounds.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 12, 1, 5).reshape([3, 4]);
    /// let corners = x.take_points(&[&[0, 0, 2, 2], &[0, 3, 0, 3]]);
    /// assert_eq!(corners.compute()?.as_slice().unwrap(), [0, 3, 8, 11]);
    /// assert_eq!(x.take_points(&[&[2, 0]]).shape(), [2, 4]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn take_points(&self, indices: &[&[usize]]) -> Self {
        let shape = self.shape();
        let axes = indices.len();
        assert!(
            axes > 0 && axes <= shape.len(),
            "take_points: there are {axes} lists of indices for shape {shape:?}"
        );
        let count = indices[0].len();
        for (axis, list) in indices.iter().enumerate() {
            assert!(
                list.len() == count,
                "take_points: the lists have the lengths {:?}, they must be the same",
                indices.iter().map(|list| list.len()).collect::<Vec<_>>()
            );
            if let Some(index) = list.iter().find(|index| **index >= shape[axis]) {
                panic!("take_points: index {index} is out of bounds for axis {axis} of shape {shape:?}");
            }
        }
        let own = self.node.grid.clone();
        let mut groups: Vec<Group> = Vec::new();
        let mut known = rustc_hash::FxHashMap::default();
        for point in 0..count {
            let found: Vec<(usize, usize)> =
                indices.iter().enumerate().map(|(axis, list)| own.0[axis].find(list[point])).collect();
            let (block, place): (Vec<usize>, Vec<usize>) = found.into_iter().unzip();
            let group = *known.entry(block.clone()).or_insert_with(|| {
                groups.push(Group { block, points: Vec::new(), places: Vec::new() });
                groups.len() - 1
            });
            groups[group].points.push(point);
            groups[group].places.push(place);
        }
        let mut grid = own.clone();
        grid.0.splice(..axes, [AxisChunks::regular(count, count)]);
        let rest = Grid(own.0[axes..].to_vec());
        let node =
            custom_node("take_points", vec![self.node.clone()], grid.clone(), move |client, inputs| {
                let blocks = inputs[0].typed::<T>();
                let results = (0..rest.count()).map(|place| {
                    let of_rest = rest.coordinates(place);
                    let mut shape = vec![count];
                    shape.extend(rest.region(place).1);
                    let parts = groups.iter().map(|Group { block, places, .. }| {
                        let coordinates: Vec<usize> = block.iter().chain(&of_rest).copied().collect();
                        (&blocks[own.place(&coordinates)], places.clone())
                    });
                    let parts = client.map(points_of::<T>, parts);
                    let places: Vec<Vec<usize>> = groups.iter().map(|group| group.points.clone()).collect();
                    client.submit(join_points::<T>, (parts, places, shape))
                });
                Ok(results.collect())
            });
        self.derive(node)
    }
}

/// The points of which the elements lie in the same block along the first axes.
struct Group {
    /// The block's coordinates along these axes.
    block: Vec<usize>,
    /// The places of the elements in the result.
    points: Vec<usize>,
    /// Their indices within the block.
    places: Vec<Vec<usize>>,
}

/// The elements at places along the first axes.
fn points_of<T: Element>(block: &ArrayD<T>, places: Vec<Vec<usize>>) -> ArrayD<T> {
    let axes = places.first().map_or(0, Vec::len);
    let rest = &block.shape()[axes..];
    let mut shape = vec![places.len()];
    shape.extend(rest);
    let mut elements = Vec::with_capacity(shape.iter().product());
    for place in places {
        let mut part = block.view();
        for index in place {
            part = part.index_axis_move(ndarray::Axis(0), index);
        }
        elements.extend(part.iter().copied());
    }
    ArrayD::from_shape_vec(IxDyn(&shape), elements).expect("an element for each place")
}

fn join_points<T: Element>(
    parts: Vec<Shared<ArrayD<T>>>,
    places: Vec<Vec<usize>>,
    shape: Vec<usize>,
) -> ArrayD<T> {
    let mut joined = ArrayD::from_elem(IxDyn(&shape), T::default());
    for (part, places) in parts.iter().zip(places) {
        for (row, place) in part.outer_iter().zip(places) {
            joined.index_axis_mut(ndarray::Axis(0), place).assign(&row);
        }
    }
    joined
}

impl<T: Element> Array<T> {
    /// Returns an array of zeros of the same shape and chunks.
    pub fn zeros_like(&self) -> Self {
        self.full_like(T::default())
    }

    /// Returns an array of ones of the same shape and chunks.
    pub fn ones_like(&self) -> Self {
        self.full_like(super::create::one())
    }
}

/// `places` counts the elements up to each one for which the condition holds, over all blocks.
fn set_block<T: Element>(
    block: ArrayD<T>,
    condition: &ArrayD<bool>,
    places: &ArrayD<i64>,
    values: &ArrayD<T>,
) -> ArrayD<T> {
    let mut set = block;
    for ((element, condition), place) in set.iter_mut().zip(condition).zip(places) {
        if *condition {
            *element = values[*place as usize - 1];
        }
    }
    set
}
