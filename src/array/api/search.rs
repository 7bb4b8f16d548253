//! Places and numbers of elements: where they would be put in order, which are largest, how often each comes.

use crate::{
    array::{
        Array, Integer, Number, Ordered,
        api::{order::order, reduction::tree, reductions::FAN_IN, statistics::add_counts},
        graph::{
            chunks::{AxisChunks, Grid},
            custom::custom_node,
            submitter::Submitter,
        },
    },
    client::Future,
    error::Result,
    task::Shared,
    value::Data,
};
use ndarray::{ArrayD, Axis, IxDyn, concatenate};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, ops::AddAssign};

/// On which side of equal elements [`Array::searchsorted`] puts one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Side {
    /// Before them.
    #[default]
    Left,
    /// After them.
    Right,
}

impl<T: Ordered> Array<T> {
    /// For each of `values`, the place in this array, which is in ascending order with NaN last, where it would
    /// be put to keep the order: NumPy's `searchsorted`. The result has the shape and chunks of `values`.
    ///
    /// Both may have many blocks: each pair of them is looked at by a task of its own, and what these found is
    /// added.
    ///
    /// # Panics
    ///
    /// Panics if this array has not one axis.
    ///
    /// ```
    /// use maniple::array::Side;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let sorted = client.arange(0, 100, 10, 3);
    /// let places = sorted.searchsorted(&client.arange(5, 35, 5, 4), Side::Left);
    /// assert_eq!(places.compute()?.as_slice().unwrap(), [1, 1, 2, 2, 3, 3]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn searchsorted(&self, values: &Self, side: Side) -> Array<i64> {
        let shape = self.shape();
        assert!(
            shape.len() == 1,
            "searchsorted: the sorted array has one axis, shape {shape:?} has {}",
            shape.len()
        );
        let inputs = vec![self.node.clone(), values.node.clone()];
        let node = custom_node("searchsorted", inputs, values.node.grid.clone(), move |client, inputs| {
            let (sorted, values) = (inputs[0].typed::<T>(), inputs[1].typed::<T>());
            let pairs = values.iter().flat_map(|block| sorted.iter().map(move |part| (part, block, side)));
            let counts = client.map(places_in::<T>, pairs);
            let groups = counts.chunks(sorted.len()).map(<[_]>::to_vec).collect();
            Ok(tree(client, groups, FAN_IN, |client, parts| client.map(add_counts::<i64>, parts)))
        });
        self.derive(node)
    }

    /// The indices of the `count` largest elements of each lane along an axis, the largest first; of equal
    /// ones the first. NaN counts as largest. See [`topk`](Self::topk).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or it has fewer elements.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 4) * 7 % 10;
    /// assert_eq!(x.argtopk(3, 0).compute()?.as_slice().unwrap(), [7, 4, 1]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn argtopk(&self, count: usize, axis: usize) -> Array<i64> {
        let length = self.length("argtopk", axis);
        assert!(
            count <= length,
            "argtopk: count is {count}, more than axis {axis} of shape {:?} has",
            self.shape()
        );
        let mut grid = self.node.grid.clone();
        grid.0[axis] = AxisChunks::regular(count, count);
        let lines: Vec<bool> = (0..self.ndim()).map(|own| own == axis).collect();
        let node = custom_node("argtopk", vec![self.node.clone()], grid, move |client, inputs| {
            let grid = &inputs[0].grid;
            let blocks = inputs[0].typed::<T>().into_iter().enumerate();
            let starts = blocks.map(|(place, block)| (block, grid.region(place).0[axis], axis, count));
            let tops = client.map(top_of::<T>, starts);
            let groups = grid.groups(&lines);
            let groups = groups.iter().map(|line| line.iter().map(|block| tops[*block].clone()).collect());
            let join = |client: &Submitter<'_>, parts: Vec<Vec<Future<Top<T>>>>| {
                client.map(join_tops::<T>, parts.into_iter().map(|part| (part, axis, count)))
            };
            Ok(client.map(|top: &Top<T>| top.1.clone(), tree(client, groups.collect(), FAN_IN, join)))
        });
        self.derive(node)
    }
}

impl<T: Integer> Array<T> {
    /// How often each of the numbers 0, 1, 2 ... is an element: up to the largest element, and at least
    /// `length_min` counts. NumPy's `bincount`. The array is [persisted](Self::persist) at once: how many counts
    /// there are, is not known before.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute), and if an element is negative or more than `i64` has.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 4) % 4;
    /// assert_eq!(x.bincount(6)?.compute()?.as_slice().unwrap(), [3, 3, 2, 2, 0, 0]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn bincount(&self, length_min: usize) -> Result<Array<i64>> {
        let (numbers, length) = self.numbers(length_min)?;
        let grid = Grid(vec![AxisChunks::regular(length, length)]);
        let node = custom_node("bincount", vec![numbers.node.clone()], grid, move |client, inputs| {
            let blocks = inputs[0].typed::<i64>().into_iter().map(|block| (block, length));
            Ok(added(client, client.map(count_numbers, blocks)))
        });
        Ok(self.derive(node))
    }

    /// The sum of the weights of the elements that are 0, 1, 2 ...: as [`bincount`](Self::bincount), where
    /// each element counts as much as the element of `weights` at its place.
    ///
    /// # Errors
    ///
    /// As [`bincount`](Self::bincount).
    ///
    /// # Panics
    ///
    /// Panics if the shapes differ.
    #[track_caller]
    pub fn bincount_weighted(&self, weights: &Array<f64>, length_min: usize) -> Result<Array<f64>> {
        let (shape, other) = (self.shape(), weights.shape());
        assert!(
            shape == other,
            "bincount_weighted: weights have the shape {other:?}, it must be that of the array, {shape:?}"
        );
        let (numbers, length) = self.numbers(length_min)?;
        let grid = Grid(vec![AxisChunks::regular(length, length)]);
        let inputs = vec![numbers.node.clone(), weights.node.rechunk(&numbers.node.grid)];
        let node = custom_node("bincount", inputs, grid, move |client, inputs| {
            let blocks = inputs[0].typed::<i64>().into_iter().zip(inputs[1].typed::<f64>());
            let sums = client.map(weigh_numbers, blocks.map(|(block, weights)| (block, weights, length)));
            Ok(added(client, sums))
        });
        Ok(self.derive(node))
    }

    /// The elements, made, and how many numbers they count.
    fn numbers(&self, length_min: usize) -> Result<(Array<i64>, usize)> {
        let numbers = self.cast::<i64>().persist()?;
        if self.size() == 0 {
            return Ok((numbers, length_min));
        }
        let (least, most) = self.client.compute(&(numbers.min(), numbers.max()))?;
        if least < 0 {
            return Err(format!("bincount of shape {:?}: there is an element {least}", self.shape()).into());
        }
        Ok((numbers, length_min.max(most as usize + 1)))
    }
}

fn added<T: Number + AddAssign>(
    client: &Submitter<'_>,
    counts: Vec<Future<ArrayD<T>>>,
) -> Vec<Future<ArrayD<T>>>
where
    ArrayD<T>: Data,
{
    tree(client, vec![counts], FAN_IN, |client, parts| client.map(add_counts::<T>, parts))
}

fn places_in<T: Ordered>(sorted: &ArrayD<T>, values: &ArrayD<T>, side: Side) -> ArrayD<i64> {
    let sorted = sorted.as_standard_layout();
    let sorted = sorted.as_slice().expect("standard layout");
    values.mapv(|value| {
        let is_before = |other: &T| match side {
            Side::Left => order(other, &value) == Ordering::Less,
            Side::Right => order(other, &value) != Ordering::Greater,
        };
        sorted.partition_point(is_before) as i64
    })
}

fn count_numbers(block: &ArrayD<i64>, length: usize) -> ArrayD<i64> {
    let mut counts = ArrayD::zeros(IxDyn(&[length]));
    block.iter().for_each(|number| counts[[*number as usize]] += 1);
    counts
}

fn weigh_numbers(block: &ArrayD<i64>, weights: &ArrayD<f64>, length: usize) -> ArrayD<f64> {
    let mut sums = ArrayD::zeros(IxDyn(&[length]));
    block.iter().zip(weights).for_each(|(number, weight)| sums[[*number as usize]] += weight);
    sums
}

/// The largest elements of each lane, in descending order, and their indices.
type Top<T> = (ArrayD<T>, ArrayD<i64>);

fn top_of<T: Ordered>(block: &ArrayD<T>, start: usize, axis: usize, count: usize) -> Top<T> {
    let indices = ArrayD::from_shape_fn(block.raw_dim(), |place| (start + place[axis]) as i64);
    top(block, &indices, axis, count)
}

fn join_tops<T: Ordered>(parts: Vec<Shared<Top<T>>>, axis: usize, count: usize) -> Top<T> {
    let values: Vec<_> = parts.iter().map(|part| part.0.view()).collect();
    let indices: Vec<_> = parts.iter().map(|part| part.1.view()).collect();
    let joined = "the other axes of a line of blocks are alike";
    let values = concatenate(Axis(axis), &values).expect(joined);
    top(&values, &concatenate(Axis(axis), &indices).expect(joined), axis, count)
}

/// Of elements that are equal, those that come first.
fn top<T: Ordered>(values: &ArrayD<T>, indices: &ArrayD<i64>, axis: usize, count: usize) -> Top<T> {
    let mut shape = values.shape().to_vec();
    shape[axis] = shape[axis].min(count);
    let mut top: Top<T> = (ArrayD::from_elem(IxDyn(&shape), T::default()), ArrayD::zeros(IxDyn(&shape)));
    let lanes = values.lanes(Axis(axis)).into_iter().zip(indices.lanes(Axis(axis)));
    let targets = top.0.lanes_mut(Axis(axis)).into_iter().zip(top.1.lanes_mut(Axis(axis)));
    for ((values, indices), (mut top_values, mut top_indices)) in lanes.zip(targets) {
        let mut places: Vec<usize> = (0..values.len()).collect();
        let descending = |a: &usize, b: &usize| order(&values[*b], &values[*a]).then(a.cmp(b));
        if (1..places.len()).contains(&count) {
            places.select_nth_unstable_by(count - 1, descending);
        }
        places.truncate(count);
        places.sort_unstable_by(descending);
        for (target, place) in places.into_iter().enumerate() {
            (top_values[target], top_indices[target]) = (values[place], indices[place]);
        }
    }
    top
}
