//! Sorting along an axis, in chunks of the size that the input has.
//!
//! An axis that is cut is sorted without joining it: where the blocks are wide, they are cut along the other axes
//! instead ([`Grid::along`]), so that each block of as many elements has whole lanes. A single lane that is larger than
//! a block is sorted by [sample sort](exchange).

pub(super) mod exchange;
mod selection;

use crate::{
    array::{
        Array, DataType, Element, Ordered,
        element::Scalar,
        graph::{chunks::Grid, custom::custom_node, node::Node, submitter::Submitter},
        kernel::operators::convert,
    },
    client::Future,
    error::Result,
};
use ndarray::{ArrayD, Axis};
use std::{cmp::Ordering, sync::Arc};

/// NaN comes last, as in NumPy.
pub(crate) fn order<T: Ordered>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

pub(crate) fn is_nan<T: Ordered>(value: &T) -> bool {
    value.partial_cmp(value).is_none()
}

const SIGN: u64 = 1 << 63;

/// A number in the [order] of the elements; the same for elements that are equal, and for all NaN.
pub(super) fn key_of<T: Ordered>(value: T) -> u64 {
    match value.scalar() {
        Scalar::Bool(value) => value.into(),
        Scalar::U8(value) => value.into(),
        Scalar::U16(value) => value.into(),
        Scalar::U32(value) => value.into(),
        Scalar::U64(value) => value,
        Scalar::I8(value) => i64::from(value) as u64 ^ SIGN,
        Scalar::I16(value) => i64::from(value) as u64 ^ SIGN,
        Scalar::I32(value) => i64::from(value) as u64 ^ SIGN,
        Scalar::I64(value) => value as u64 ^ SIGN,
        Scalar::F16(value) => key_of_real(value.into()),
        Scalar::F32(value) => key_of_real(value.into()),
        Scalar::F64(value) => key_of_real(value),
        Scalar::Complex32(_) | Scalar::Complex64(_) => unreachable!("complex numbers have no order"),
    }
}

fn key_of_real(value: f64) -> u64 {
    // Both zeros have one key.
    ordered_bits(if value == 0.0 { 0.0 } else { value })
}

/// Bits that are in the order of the numbers, with a negative zero before the other; those of NaN are the highest.
pub(super) fn ordered_bits(value: f64) -> u64 {
    match value.to_bits() {
        _ if value.is_nan() => u64::MAX,
        bits if bits & SIGN != 0 => !bits,
        bits => bits | SIGN,
    }
}

/// The element that has a [key](key_of).
pub(super) fn value_of<T: Ordered>(key: u64) -> T {
    let scalar = match T::DATA_TYPE {
        DataType::Bool => Scalar::Bool(key != 0),
        DataType::U8 => Scalar::U8(key as u8),
        DataType::U16 => Scalar::U16(key as u16),
        DataType::U32 => Scalar::U32(key as u32),
        DataType::U64 => Scalar::U64(key),
        DataType::I8 => Scalar::I8((key ^ SIGN) as i8),
        DataType::I16 => Scalar::I16((key ^ SIGN) as i16),
        DataType::I32 => Scalar::I32((key ^ SIGN) as i32),
        DataType::I64 => Scalar::I64((key ^ SIGN) as i64),
        DataType::F16 => Scalar::F16(convert(Scalar::F64(real_of_key(key)))),
        DataType::F32 => Scalar::F32(real_of_key(key) as f32),
        DataType::F64 => Scalar::F64(real_of_key(key)),
        DataType::Complex32 | DataType::Complex64 => unreachable!("complex numbers have no order"),
    };
    T::of_scalar(scalar)
}

/// The number of these [bits](ordered_bits).
pub(super) fn real_of_key(key: u64) -> f64 {
    match key {
        u64::MAX => f64::NAN,
        key if key & SIGN == 0 => f64::from_bits(!key),
        key => f64::from_bits(key ^ SIGN),
    }
}

impl<T: Ordered> Array<T> {
    /// Returns the elements of each lane along an axis in ascending order, NaN last. Equal elements keep their order.
    /// The result has the chunks of the array.
    ///
    /// No block grows to the length of a cut axis. Where a block has several lanes, the array is
    /// [rechunked](Self::rechunk) to blocks of as many elements with whole lanes, and back. A lane that is larger than
    /// a block is sorted by sample sort in p blocks: each is sorted and cut into p pieces, and each output merges p
    /// pieces to exactly the size of its chunk, however many elements are equal. That takes 2 p tasks, p^2 small ones
    /// that cut, and a few rounds of p that find the cuts. A task holds up to three times the elements of its block.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(7).permutation(1000, 100);
    /// let sorted = x.sort(0);
    /// assert_eq!(sorted.chunks(), x.chunks());
    /// assert_eq!(sorted.compute()?, client.arange(0, 1000, 1, 1000).compute()?);
    /// # Ok(()) }).unwrap();
    /// ```
    ///
    /// Source: the splitters are exact, by multisequence selection: Varman, Scheufler, Iyer and Ricard (1991); Axtmann
    /// and Sanders (2017).
    #[track_caller]
    pub fn sort(&self, axis: usize) -> Self {
        let whole = move |client: &Submitter<'_>, blocks: Futures<T>| {
            client.map(sort_block::<T>, blocks.into_iter().map(|block| (block, axis)))
        };
        self.ordered("sort", axis, whole, exchange::sort_line::<T>)
    }

    /// Returns the indices that would [`sort`](Self::sort) each lane along an axis. Equal elements keep their order:
    /// NumPy's `argsort` with `kind="stable"`. The result has the chunks of the array.
    ///
    /// The algorithm is that of [`sort`](Self::sort); each element is moved as a pair of 16 bytes.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 6, 1, 2) % 2;
    /// assert_eq!(x.argsort(0).compute()?.as_slice().unwrap(), [0, 2, 4, 1, 3, 5]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn argsort(&self, axis: usize) -> Array<i64> {
        let whole = move |client: &Submitter<'_>, blocks: Futures<T>| {
            client.map(argsort_block::<T>, blocks.into_iter().map(|block| (block, axis)))
        };
        self.ordered("argsort", axis, whole, exchange::argsort_line::<T>)
    }

    /// Has `whole` order each block, where blocks have whole lanes, or `line` the blocks of each lane.
    #[track_caller]
    fn ordered<U: Element>(
        &self,
        name: &'static str,
        axis: usize,
        whole: impl Fn(&Submitter<'_>, Futures<T>) -> Futures<U> + Send + Sync + 'static,
        line: LineSort<T, U>,
    ) -> Array<U> {
        let input = self.along(name, axis);
        let grid = input.grid.clone();
        let node = custom_node(name, vec![input], grid.clone(), move |client, inputs| {
            let blocks = inputs[0].typed::<T>();
            match grid.0[axis].count() {
                1 => Ok(whole(client, blocks)),
                _ => each_line(&grid, axis, &blocks, |blocks, shapes| line(client, blocks, shapes)),
            }
        });
        self.derive(node.rechunk(&self.node.grid))
    }

    /// The array in blocks of whole lanes along an axis, or of one lane, none larger than the largest one.
    #[track_caller]
    pub(crate) fn along(&self, name: &str, axis: usize) -> Arc<Node> {
        self.length(name, axis);
        self.node.rechunk(&self.node.grid.along(axis))
    }
}

type Futures<T> = Vec<Future<ArrayD<T>>>;

/// Orders the blocks of one lane, which have these shapes.
type LineSort<T, U> = fn(&Submitter<'_>, &[Future<ArrayD<T>>], &[Vec<usize>]) -> Result<Futures<U>>;

/// Has `order` make the blocks of each line along an axis of those of the input.
fn each_line<T, U>(
    grid: &Grid,
    axis: usize,
    blocks: &[Future<T>],
    order: impl Fn(&[Future<T>], &[Vec<usize>]) -> Result<Vec<Future<U>>>,
) -> Result<Vec<Future<U>>> {
    let mut ordered: Vec<Option<Future<U>>> = vec![None; blocks.len()];
    for places in grid.lines(axis) {
        let line: Vec<Future<T>> = places.iter().map(|place| blocks[*place].clone()).collect();
        let shapes: Vec<Vec<usize>> = places.iter().map(|place| grid.region(*place).1).collect();
        for (place, block) in places.into_iter().zip(order(&line, &shapes)?) {
            ordered[place] = Some(block);
        }
    }
    Ok(ordered.into_iter().map(|block| block.expect("a block is in one line")).collect())
}

fn sort_block<T: Ordered>(block: ArrayD<T>, axis: usize) -> ArrayD<T> {
    let mut sorted = block;
    for mut lane in sorted.lanes_mut(Axis(axis)) {
        let mut values = lane.to_vec();
        values.sort_by(order);
        lane.iter_mut().zip(values).for_each(|(place, value)| *place = value);
    }
    sorted
}

fn argsort_block<T: Ordered>(block: &ArrayD<T>, axis: usize) -> ArrayD<i64> {
    let mut indices: ArrayD<i64> = ArrayD::zeros(block.raw_dim());
    for (mut indices, lane) in indices.lanes_mut(Axis(axis)).into_iter().zip(block.lanes(Axis(axis))) {
        let mut pairs: Vec<(u64, i64)> = lane.iter().map(|value| key_of(*value)).zip(0..).collect();
        pairs.sort_unstable();
        indices.iter_mut().zip(pairs).for_each(|(index, pair)| *index = pair.1);
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_elements() {
        fn check<T: Ordered>(values: &[T]) {
            for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
                assert_eq!(key_of(*a).cmp(&key_of(*b)), order(a, b), "{a:?} and {b:?}");
            }
            assert!(values.iter().all(|value| order(&value_of(key_of(*value)), value) == Ordering::Equal));
        }
        let reals = [f64::NEG_INFINITY, f64::MIN, -1.5, -5e-324, -0.0, 0.0, 5e-324, 1.0, f64::MAX];
        check(&reals);
        check(&[f64::INFINITY, f64::NAN, -f64::NAN, 1.0]);
        check(&reals.map(|real| real as f32));
        check(&[i64::MIN, -1, 0, 1, i64::MAX]);
        check(&[i32::MIN, -1, 0, 1, i32::MAX]);
        check(&[0, 1, u64::MAX]);
        check(&reals.map(half::f16::from_f64));
        check(&[i8::MIN, -1, 0, 1, i8::MAX]);
        check(&[i16::MIN, -1, 0, 1, i16::MAX]);
        check(&[0, 1, u8::MAX]);
        check(&[0, 1, u16::MAX]);
        check(&[0, 1, u32::MAX]);
        check(&[false, true]);
    }
}
