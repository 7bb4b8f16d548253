//! The same elements in another shape: axes, chunks, parts put together.

use crate::array::{
    Array, Chunks, Dimensions, Element, ShapeError, ShapeErrorKind,
    api::{
        index::view_node,
        operators::{constant, select_node},
    },
    error::expect,
    graph::{
        chunks::{AxisChunks, Grid, checked_size, checked_sum},
        gather::Selection,
        node::{Kind, Node},
    },
    kernel::Follow,
};
use std::sync::Arc;

impl<T: Element, D: Dimensions> Array<T, D> {
    /// The same array, cut in another way. Blocks move from worker to worker, a part at a time.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape.
    #[track_caller]
    pub fn rechunk(&self, chunks: impl Into<Chunks>) -> Self {
        let grid = expect("rechunk", chunks.into().grid(&self.shape(), size_of::<T>()));
        self.derive(self.node.rechunk(&grid))
    }

    /// The axes in the opposite order.
    pub fn transpose(&self) -> Array<T> {
        self.permute_axes(&(0..self.ndim()).rev().collect::<Vec<_>>())
    }

    /// NumPy's `x.T`: as [`transpose`](Self::transpose).
    pub fn t(&self) -> Array<T> {
        self.transpose()
    }

    /// The axes in this order.
    ///
    /// # Panics
    ///
    /// Panics if `axes` are not all axes, each once.
    #[track_caller]
    pub fn permute_axes(&self, axes: &[usize]) -> Array<T> {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        assert!(
            sorted.iter().copied().eq(0..self.ndim()),
            "permute_axes: axes {axes:?} are not those of shape {:?}, each once",
            self.shape()
        );
        let axes: Vec<Option<usize>> = axes.iter().copied().map(Some).collect();
        self.derive(view_node(&self.node, &axes))
    }

    /// Two axes in each other's place.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn swap_axes(&self, first: usize, second: usize) -> Array<T> {
        self.length("swap_axes", first);
        self.length("swap_axes", second);
        let mut axes: Vec<usize> = (0..self.ndim()).collect();
        axes.swap(first, second);
        self.permute_axes(&axes)
    }

    /// A new axis of length 1 at this place.
    ///
    /// # Panics
    ///
    /// Panics if `axis` is more than the number of axes.
    #[track_caller]
    pub fn expand_dims(&self, axis: usize) -> Array<T> {
        assert!(
            axis <= self.ndim(),
            "expand_dims: axis {axis} is out of bounds for a new axis of shape {:?}",
            self.shape()
        );
        let mut axes: Vec<Option<usize>> = (0..self.ndim()).map(Some).collect();
        axes.insert(axis, None);
        self.derive(view_node(&self.node, &axes))
    }

    /// Without the axes of length 1.
    pub fn squeeze(&self) -> Array<T> {
        let shape = self.shape();
        let axes: Vec<Option<usize>> = (0..shape.len()).filter(|axis| shape[*axis] != 1).map(Some).collect();
        self.derive(view_node(&self.node, &axes))
    }

    /// The array repeated to this shape, as operators broadcast it.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Vec<usize>>) -> Array<T> {
        expect("broadcast_to", self.try_broadcast_to(shape.into()))
    }

    /// As [`broadcast_to`](Self::broadcast_to).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the shape does not fit.
    pub fn try_broadcast_to(&self, shape: Vec<usize>) -> Result<Array<T>, ShapeError> {
        let own = self.shape();
        let skipped = shape.len().checked_sub(own.len());
        let fits = |skipped: &usize| {
            own.iter().zip(&shape[*skipped..]).all(|(own, wanted)| own == wanted || *own == 1)
        };
        let Some(skipped) = skipped.filter(fits) else {
            return Err(ShapeError::new(
                ShapeErrorKind::Mismatch,
                format!("shape {own:?} cannot be broadcast to {shape:?}"),
            ));
        };
        checked_size(&shape, size_of::<T>())?;
        let follows = own.iter().zip(&shape[skipped..]).enumerate().map(|(axis, (own, wanted))| {
            if own == wanted { Follow::axis(axis + skipped) } else { Follow::fixed(0) }
        });
        let axes = shape.iter().enumerate().map(|(axis, length)| {
            let same = axis.checked_sub(skipped).filter(|axis| own[*axis] == *length);
            same.map_or_else(|| AxisChunks::regular(*length, *length), |axis| self.node.grid.0[axis].clone())
        });
        let kind = Kind::View(Arc::clone(&self.node), follows.collect());
        Ok(self.derive(Node::new(T::DATA_TYPE, Grid(axes.collect()), kind)))
    }

    /// The elements in the opposite order along an axis.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn flip(&self, axis: usize) -> Array<T> {
        let count = self.length("flip", axis);
        self.select_axis(axis, Selection::Range { start: count.saturating_sub(1), step: -1, count })
    }

    /// The elements moved by `shift` places along an axis; what leaves at the end comes in at the
    /// start.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn roll(&self, shift: i64, axis: usize) -> Array<T> {
        let count = self.length("roll", axis);
        let shift = if count == 0 { 0 } else { shift.rem_euclid(count as i64) as usize };
        if shift == 0 {
            return self.derive(Arc::clone(&self.node));
        }
        let part =
            |start: usize, count: usize| self.select_axis(axis, Selection::Range { start, step: 1, count });
        concatenate(&[part(count - shift, shift), part(0, count - shift)], axis)
    }

    /// Each element `count` times in a row along an axis.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn repeat(&self, count: usize, axis: usize) -> Array<T> {
        let mut shape = self.shape();
        shape[axis] = expect(
            "repeat",
            self.length("repeat", axis).checked_mul(count).ok_or_else(|| {
                ShapeError::new(
                    ShapeErrorKind::TooLarge,
                    format!("the array is too big: axis {axis} of shape {shape:?}, repeated {count} times"),
                )
            }),
        );
        expect("repeat", checked_size(&shape, size_of::<T>()));
        let indices: Vec<usize> = (0..shape[axis]).map(|place| place / count).collect();
        self.select_axis(axis, Selection::List(indices.into()))
    }

    /// The whole array again and again along each axis; `counts` for as many last axes.
    ///
    /// # Panics
    ///
    /// Panics if there are more counts than axes, or one is zero.
    #[track_caller]
    pub fn tile(&self, counts: &[usize]) -> Array<T> {
        assert!(
            counts.len() <= self.ndim(),
            "tile: counts are {counts:?}, more than the axes of shape {:?}",
            self.shape()
        );
        assert!(
            !counts.contains(&0),
            "tile: counts are {counts:?} for shape {:?}, each must be at least 1",
            self.shape()
        );
        let skipped = self.ndim() - counts.len();
        let mut shape = self.shape();
        for (axis, count) in counts.iter().enumerate() {
            shape[skipped + axis] = shape[skipped + axis].saturating_mul(*count);
        }
        expect("tile", checked_size(&shape, size_of::<T>()));
        let start: Array<T> = self.derive(Arc::clone(&self.node));
        counts
            .iter()
            .enumerate()
            .filter(|(axis, _)| self.shape()[skipped + axis] > 0)
            .fold(start, |array, (axis, count)| concatenate(&vec![array; *count], skipped + axis))
    }

    /// The array with `before` and `after` more elements of a value along an axis.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn pad(&self, axis: usize, before: usize, after: usize, value: T) -> Array<T> {
        self.length("pad", axis);
        let own: Array<T> = self.derive(Arc::clone(&self.node));
        let border = |count: usize| {
            let mut shape = self.shape();
            shape[axis] = count;
            let border: Array<T> = self.derive(constant(value));
            border.broadcast_to(shape)
        };
        let parts = [(before > 0).then(|| border(before)), Some(own), (after > 0).then(|| border(after))];
        concatenate(&parts.into_iter().flatten().collect::<Vec<_>>(), axis)
    }

    /// The parts between these places along an axis: `split(&[2, 5], 0)` gives `..2`, `2..5`, `5..`. As in
    /// NumPy, a place beyond the end is the end, and a part that would end before it starts is empty.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn split(&self, places: &[usize], axis: usize) -> Vec<Array<T>> {
        let length = self.length("split", axis);
        let ends: Vec<usize> = [0].into_iter().chain(places.iter().copied()).chain([length]).collect();
        let part = |pair: &[usize]| {
            let (start, end) = (pair[0].min(length), pair[1].min(length));
            let count = end.saturating_sub(start);
            self.select_axis(axis, Selection::Range { start, step: 1, count })
        };
        ends.windows(2).map(part).collect()
    }

    /// The elements in C order under another shape. At most one length may be `-1`: what is left.
    ///
    /// Blocks are first joined to runs of whole rows.
    ///
    /// # Panics
    ///
    /// Panics if the number of elements is another.
    #[track_caller]
    pub fn reshape(&self, shape: impl AsRef<[isize]>) -> Array<T> {
        expect("reshape", self.try_reshape(shape))
    }

    /// As [`reshape`](Self::reshape).
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the number of elements is another.
    pub fn try_reshape(&self, shape: impl AsRef<[isize]>) -> Result<Array<T>, ShapeError> {
        let shape = shape.as_ref();
        let error = || {
            ShapeError::new(
                ShapeErrorKind::Mismatch,
                format!("cannot reshape {:?} into {shape:?}", self.shape()),
            )
        };
        let lengths: Vec<usize> =
            shape.iter().filter(|length| **length >= 0).map(|length| *length as usize).collect();
        let known = checked_size(&lengths, size_of::<T>())?;
        let open = shape.iter().filter(|length| **length < 0).count();
        if open > 1 || (open == 1 && (known == 0 || !self.size().is_multiple_of(known))) {
            return Err(error());
        }
        let rest = || self.size() / known;
        let shape: Vec<usize> =
            shape.iter().map(|length| if *length < 0 { rest() } else { *length as usize }).collect();
        if shape.iter().product::<usize>() != self.size() {
            return Err(error());
        }
        Ok(self.derive(reshape_node(&self.node, &shape)))
    }

    /// All elements in C order along one axis.
    pub fn ravel(&self) -> Array<T> {
        self.derive(reshape_node(&self.node, &[self.size()]))
    }

    /// Elements on and below the diagonal `diagonal` places above the main one of the last two axes;
    /// zeros elsewhere.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer than two axes.
    #[track_caller]
    pub fn tril(&self, diagonal: i64) -> Array<T> {
        self.triangle("tril", diagonal, true)
    }

    /// Elements on and above the diagonal `diagonal` places above the main one of the last two axes;
    /// zeros elsewhere.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer than two axes.
    #[track_caller]
    pub fn triu(&self, diagonal: i64) -> Array<T> {
        self.triangle("triu", diagonal, false)
    }

    #[track_caller]
    fn triangle(&self, name: &str, diagonal: i64, is_lower: bool) -> Array<T> {
        let ndim = self.ndim();
        assert!(ndim >= 2, "{name}: shape {:?} has fewer than two axes", self.shape());
        let (rows, columns) = (self.length(name, ndim - 2), self.length(name, ndim - 1));
        let row = self.client.arange(0, rows as i64, 1, Chunks::Every(rows.max(1))).expand_dims(1);
        let column = self.client.arange(0, columns as i64, 1, Chunks::Every(columns.max(1)));
        let distance = column - row;
        let is_kept = if is_lower { distance.le(diagonal) } else { distance.ge(diagonal) };
        let zero = constant(T::default());
        let inputs = vec![Arc::clone(&is_kept.node), Arc::clone(&self.node), zero];
        self.derive(expect(name, select_node(T::DATA_TYPE, inputs)))
    }

    /// The array with an axis in one piece.
    #[track_caller]
    pub(crate) fn unsplit(&self, name: &str, axis: usize) -> Arc<Node> {
        let length = self.length(name, axis);
        let mut grid = self.node.grid.clone();
        grid.0[axis] = AxisChunks::regular(length, length);
        self.node.rechunk(&grid)
    }

    /// The length of an axis that the caller of the function `name` gave.
    #[track_caller]
    pub(crate) fn length(&self, name: &str, axis: usize) -> usize {
        let shape = self.shape();
        match shape.get(axis) {
            Some(length) => *length,
            None => panic!("{name}: axis {axis} is out of bounds for shape {shape:?}"),
        }
    }
}

/// The grid in which each block is one run of the elements in C order, and has at most as many
/// elements as a block had.
fn row_grid(shape: &[usize], elements_max: usize) -> Grid {
    let mut rest: usize = shape.iter().product();
    let axes = shape.iter().map(|length| {
        rest = if *length == 0 { 0 } else { rest / length };
        let whole_rows = (elements_max / rest.max(1)).max(1);
        AxisChunks::regular(*length, whole_rows.min((*length).max(1)))
    });
    Grid(axes.collect())
}

/// Where the blocks of a row grid end among all elements in C order.
fn flat_chunks(grid: &Grid) -> AxisChunks {
    let sizes: Vec<usize> = (0..grid.count()).map(|block| grid.region(block).1.iter().product()).collect();
    AxisChunks::listed(&sizes)
}

pub(crate) fn reshape_node(node: &Arc<Node>, shape: &[usize]) -> Arc<Node> {
    if node.shape() == shape {
        return Arc::clone(node);
    }
    let elements_max = node.grid.block_size_max().max(1);
    let reshaped =
        |node: &Arc<Node>, grid: Grid| Node::new(node.data_type, grid, Kind::Reshape(Arc::clone(node)));
    let rows = node.rechunk(&row_grid(&node.shape(), elements_max));
    let flat = reshaped(&rows, Grid(vec![flat_chunks(&rows.grid)]));
    let grid = row_grid(shape, elements_max);
    if grid.0.len() == 1 && shape.len() == 1 {
        return flat;
    }
    let cut = flat.rechunk(&Grid(vec![flat_chunks(&grid)]));
    reshaped(&cut, grid)
}

/// Arrays one after the other along an axis.
///
/// # Panics
///
/// Panics if there are none, or their other axes differ.
///
/// ```
/// # use maniple::array::concatenate;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.arange(0, 3, 1, 2);
/// assert_eq!(concatenate(&[&x, &x], 0).compute()?.as_slice().unwrap(), [0, 1, 2, 0, 1, 2]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn concatenate<T: Element, A: std::borrow::Borrow<Array<T>>>(arrays: &[A], axis: usize) -> Array<T> {
    expect("concatenate", try_concatenate(arrays, axis))
}

/// As [`concatenate`].
///
/// # Errors
///
/// [`ShapeError`] where [`concatenate`] panics.
pub fn try_concatenate<T: Element, A: std::borrow::Borrow<Array<T>>>(
    arrays: &[A],
    axis: usize,
) -> Result<Array<T>, ShapeError> {
    let arrays: Vec<&Array<T>> = arrays.iter().map(std::borrow::Borrow::borrow).collect();
    let Some(first) = arrays.first() else {
        return Err(ShapeError::new(ShapeErrorKind::Empty, "there are no arrays"));
    };
    let mut common = first.node.grid.clone();
    for array in &arrays {
        let (shape, wanted) = (array.shape(), first.shape());
        let fits = |(own, (length, wanted)): (usize, (&usize, &usize))| own == axis || length == wanted;
        let is_alike = shape.len() == wanted.len() && shape.iter().zip(&wanted).enumerate().all(fits);
        if !is_alike || axis >= shape.len() {
            return Err(ShapeError::new(
                ShapeErrorKind::Mismatch,
                format!("shapes {wanted:?} and {shape:?} cannot be concatenated along axis {axis}"),
            ));
        }
        for (own, (common, chunks)) in common.0.iter_mut().zip(&array.node.grid.0).enumerate() {
            if own != axis {
                *common = common.common(chunks);
            }
        }
    }
    let mut shape = first.shape();
    shape[axis] = checked_sum(&arrays.iter().map(|array| array.shape()[axis]).collect::<Vec<_>>())?;
    checked_size(&shape, size_of::<T>())?;
    let mut sizes = Vec::new();
    let inputs: Vec<Arc<Node>> = arrays
        .iter()
        .filter(|array| array.shape()[axis] > 0 || arrays.len() == 1)
        .map(|array| {
            let mut grid = common.clone();
            grid.0[axis] = array.node.grid.0[axis].clone();
            sizes.extend(grid.0[axis].sizes());
            array.node.rechunk(&grid)
        })
        .collect();
    let Some(only) = inputs.first() else { return Ok((*first).clone()) };
    if inputs.len() == 1 {
        return Ok(first.derive(Arc::clone(only)));
    }
    common.0[axis] = AxisChunks::listed(&sizes);
    Ok(first.derive(Node::new(T::DATA_TYPE, common, Kind::Concatenate(inputs, axis))))
}

/// Arrays of one shape one after the other along a new axis at this place.
///
/// # Panics
///
/// Panics if there are none, or their shapes differ.
#[track_caller]
pub fn stack<T: Element, A: std::borrow::Borrow<Array<T>>>(arrays: &[A], axis: usize) -> Array<T> {
    let arrays: Vec<&Array<T>> = arrays.iter().map(std::borrow::Borrow::borrow).collect();
    let shapes: Vec<Vec<usize>> = arrays.iter().map(|array| array.shape()).collect();
    let Some(first) = shapes.first() else { panic!("stack: there are no arrays") };
    if let Some(other) = shapes.iter().find(|shape| *shape != first) {
        panic!("stack: the arrays have the shapes {first:?} and {other:?}, they must be the same");
    }
    assert!(axis <= first.len(), "stack: axis {axis} is out of bounds for a new axis of shape {first:?}");
    let arrays: Vec<Array<T>> = arrays.into_iter().map(|array| array.expand_dims(axis)).collect();
    expect("stack", try_concatenate(&arrays, axis))
}

/// A matrix of arrays: the rows one below the other, the arrays of each row side by side. As NumPy's `block` of
/// lists of lists: arrays with fewer axes than others, or than two, are given axes of length 1 in front.
///
/// # Panics
///
/// Panics if there are none, or the shapes do not fit.
///
/// ```
/// # use maniple::array::block;
/// # maniple::Runtime::builder().execute(|client| {
/// let x = client.arange(0, 2, 1, 2);
/// let y = block(&[vec![x.clone()], vec![x]]);
/// assert_eq!(y.shape(), [2, 2]);
/// # Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn block<T: Element>(rows: &[Vec<Array<T>>]) -> Array<T> {
    expect("block", try_block(rows))
}

fn try_block<T: Element>(rows: &[Vec<Array<T>>]) -> Result<Array<T>, ShapeError> {
    let error = |error: ShapeError| ShapeError::new(error.kind(), format!("block: {error}"));
    let ndim = rows.iter().flatten().map(Array::ndim).max().unwrap_or(0).max(2);
    let with_axes =
        |array: &Array<T>| (array.ndim()..ndim).fold(array.clone(), |array, _| array.expand_dims(0));
    let joined = |row: &Vec<Array<T>>| {
        let row: Vec<Array<T>> = row.iter().map(with_axes).collect();
        try_concatenate(&row, ndim - 1).map_err(error)
    };
    let rows = rows.iter().map(joined).collect::<Result<Vec<_>, _>>()?;
    try_concatenate(&rows, ndim - 2).map_err(error)
}
