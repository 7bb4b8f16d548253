//! Aggregates by key: a table of groups for each block, merged in a tree.

use crate::{
    array::{
        Array, DataType, Element, Integer, Number, Ordered,
        api::{
            order::{is_nan, order},
            reduction::tree,
            reductions::FAN_IN,
        },
        element::{Scalar, Sealed},
        graph::submitter::Submitter,
        kernel::{
            operators::{real_of, wide},
            reduce::Accumulate,
        },
    },
    client::Future,
    error::Result,
    task::Shared,
};
use ndarray::{ArrayD, IxDyn};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::cmp::Ordering;

/// Aggregates of the elements of an array by key, in ascending order of the keys; see [`Array::group_by`].
#[derive(Clone, Debug, PartialEq)]
pub struct Groups<T, K> {
    key_count: usize,
    table: Table<T, K>,
}

/// The key of a group: an element of each array of keys.
type Key<K> = SmallVec<[K; 2]>;

/// Groups in ascending order of their keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Table<T, K> {
    keys: Vec<Vec<K>>,
    groups: Vec<Group<T>>,
}

/// What is known of the elements of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Group<T> {
    count: i64,
    /// The sum of integers, modulo 2^64.
    integers: i64,
    /// The sum, and what rounding has taken from it.
    sum: f64,
    error: f64,
    /// The sum of the squares of what the elements differ from their mean by.
    squares: f64,
    least: T,
    most: T,
}

impl<T: Number + Ordered> Array<T> {
    /// Groups the elements by the elements of `keys` at the same place, and returns the count, sum, mean, variance,
    /// minimum and maximum of each group. It computes at once: how many groups there are is not known before.
    ///
    /// `keys` is one array of integers or several. The groups are in ascending order of the first key, then of the
    /// second. Arrays of keys may be cut in another way than the array.
    ///
    /// Each block makes a table of its groups; a tree whose shape depends on the blocks alone merges the tables. So the
    /// bits are the same for any number of ranks. All groups must fit into the memory of one worker, and of the rank
    /// of the driver. The mean and the variance of integers are taken in 64-bit floating point.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Panics
    ///
    /// Panics if `keys` is empty, or the shape of an array of keys is not that of the array.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 4);
    /// let groups = x.group_by(&[&(&x % 3)])?;
    /// assert_eq!(groups.keys(0), [0, 1, 2]);
    /// assert_eq!(groups.count(), [4, 3, 3]);
    /// assert_eq!(groups.sum(), [18, 12, 15]);
    /// assert_eq!(groups.mean(), [4.5, 4.0, 5.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    ///
    /// Source: variances are merged as in T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the
    /// sample variance", The American Statistician 37 (1983).
    #[track_caller]
    pub fn group_by<K: Integer>(&self, keys: &[&Array<K>]) -> Result<Groups<T, K>> {
        assert!(!keys.is_empty(), "group_by: keys has no array, it must have at least 1");
        let shape = self.shape();
        if let Some(other) = keys.iter().map(|keys| keys.shape()).find(|other| *other != shape) {
            panic!("group_by: keys have the shape {other:?}, it must be that of the array, {shape:?}");
        }
        let keys_blocks: Vec<Vec<Future<ArrayD<K>>>> = keys
            .iter()
            .map(|keys| keys.derive::<K, IxDyn>(keys.node.rechunk(&self.node.grid)).to_futures())
            .collect::<Result<_>>()?;
        let calls = self.to_futures()?.into_iter().enumerate().map(|(place, block)| {
            let keys: Vec<_> = keys_blocks.iter().map(|blocks| blocks[place].clone()).collect();
            (block, keys)
        });
        let tables = self.client.map(table_of::<T, K>, calls.collect::<Vec<_>>());
        let join =
            |client: &Submitter<'_>, parts: Vec<Vec<Future<Table<T, K>>>>| client.map(merge::<T, K>, parts);
        let submitter = Submitter::new(&self.client, false);
        let table = tree(&submitter, vec![tables], FAN_IN, join).remove(0).result()?;
        Ok(Groups { key_count: keys.len(), table })
    }
}

impl<T: Number + Ordered, K: Integer> Groups<T, K> {
    /// Returns the number of groups.
    pub fn len(&self) -> usize {
        self.table.groups.len()
    }

    /// Returns whether there are no groups.
    pub fn is_empty(&self) -> bool {
        self.table.groups.is_empty()
    }

    /// Returns the keys of the groups in one of the arrays of keys.
    ///
    /// # Panics
    ///
    /// Panics if there is no such array.
    #[track_caller]
    pub fn keys(&self, array: usize) -> &[K] {
        let count = self.key_count;
        assert!(array < count, "keys: there is no array {array}, the groups have {count}");
        &self.table.keys[array]
    }

    /// Returns the number of elements of each group.
    pub fn count(&self) -> Vec<i64> {
        self.each(|group| group.count)
    }

    /// Returns the sum of each group, in 64 bits for integers.
    pub fn sum(&self) -> Vec<T::Sum> {
        self.each(|group| match T::Sum::DATA_TYPE {
            DataType::I64 => T::Sum::of_scalar(Scalar::I64(group.integers)),
            DataType::U64 => T::Sum::of_scalar(Scalar::U64(group.integers as u64)),
            _ => wide(group.sum),
        })
    }

    /// Returns the mean of each group.
    pub fn mean(&self) -> Vec<f64> {
        self.each(Group::mean)
    }

    /// Returns the smallest element of each group; NaN if it has NaN.
    pub fn min(&self) -> Vec<T> {
        self.each(|group| group.least)
    }

    /// Returns the largest element of each group; NaN if it has NaN.
    pub fn max(&self) -> Vec<T> {
        self.each(|group| group.most)
    }

    /// Returns the variance of each group, with `count - ddof` as the divisor: 0 for that of a population, 1 for that
    /// of a sample. NaN or infinite where the divisor is not positive, as in NumPy.
    pub fn var(&self, ddof: f64) -> Vec<f64> {
        self.each(|group| group.squares / (group.count as f64 - ddof).max(0.0))
    }

    fn each<R>(&self, of_group: impl Fn(&Group<T>) -> R) -> Vec<R> {
        self.table.groups.iter().map(of_group).collect()
    }
}

impl<T: Ordered> Group<T> {
    fn first(value: T) -> Self {
        let mut group = Self {
            count: 0,
            integers: 0,
            sum: f64::START,
            error: 0.0,
            squares: 0.0,
            least: value,
            most: value,
        };
        group.add(value);
        group
    }

    /// Adds an element to all but the squares.
    fn add(&mut self, value: T) {
        self.count += 1;
        self.integers = self.integers.wrapping_add(integer_of(value));
        f64::add_exactly(&mut self.sum, &mut self.error, real_of(value));
        self.extend(value, value);
    }

    fn extend(&mut self, least: T, most: T) {
        self.least = if precedes(&least, &self.least, Ordering::Less) { least } else { self.least };
        self.most = if precedes(&most, &self.most, Ordering::Greater) { most } else { self.most };
    }

    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// The group of the elements of both.
    fn merge(&mut self, other: &Self) {
        let distance = other.mean() - self.mean();
        let (own, others) = (self.count as f64, other.count as f64);
        self.squares += other.squares + distance * distance * (own * others / (own + others));
        self.count += other.count;
        self.integers = self.integers.wrapping_add(other.integers);
        self.sum += other.sum;
        self.extend(other.least, other.most);
    }
}

/// Whether a value comes before another one as the extreme of a group: NaN does.
fn precedes<T: Ordered>(value: &T, other: &T, wanted: Ordering) -> bool {
    is_nan(value) || !is_nan(other) && order(value, other) == wanted
}

/// An integer modulo 2^64; 0 for a real number.
fn integer_of<T: Element>(value: T) -> i64 {
    match value.scalar() {
        Scalar::U8(value) => value.into(),
        Scalar::U16(value) => value.into(),
        Scalar::U32(value) => value.into(),
        Scalar::U64(value) => value as i64,
        Scalar::I8(value) => value.into(),
        Scalar::I16(value) => value.into(),
        Scalar::I32(value) => value.into(),
        Scalar::I64(value) => value,
        _ => 0,
    }
}

impl<T: Ordered, K: Integer> Table<T, K> {
    /// Of groups in ascending order.
    fn new(key_count: usize, groups: Vec<(Key<K>, Group<T>)>) -> Self {
        let keys = (0..key_count).map(|array| groups.iter().map(|(key, _)| key[array]).collect()).collect();
        Self { keys, groups: groups.into_iter().map(|(_, group)| group).collect() }
    }

    fn key(&self, group: usize) -> Key<K> {
        self.keys.iter().map(|keys| keys[group]).collect()
    }
}

fn compare<K: Integer>(a: &Key<K>, b: &Key<K>) -> Ordering {
    a.partial_cmp(b).expect("integers have an order")
}

fn table_of<T: Ordered, K: Integer>(block: &ArrayD<T>, keys: Vec<Shared<ArrayD<K>>>) -> Table<T, K> {
    let mut places: FxHashMap<SmallVec<[u64; 2]>, usize> = FxHashMap::default();
    let mut groups: Vec<(Key<K>, Group<T>)> = Vec::new();
    let mut keys_of: Vec<_> = keys.iter().map(|keys| keys.iter()).collect();
    let mut members = Vec::with_capacity(block.len());
    for value in block {
        let key: Key<K> = keys_of.iter_mut().map(|keys| *keys.next().expect("a key for each")).collect();
        let bits = key.iter().map(|key| integer_of(*key) as u64).collect();
        let place = *places.entry(bits).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.add(*value),
            None => groups.push((key, Group::first(*value))),
        }
        members.push(place);
    }
    for (_, group) in &mut groups {
        group.sum += std::mem::take(&mut group.error);
    }
    let means: Vec<f64> = groups.iter().map(|(_, group)| group.mean()).collect();
    for (value, place) in block.iter().zip(members) {
        groups[place].1.squares += (real_of(*value) - means[place]).powi(2);
    }
    groups.sort_by(|a, b| compare(&a.0, &b.0));
    Table::new(keys.len(), groups)
}

/// Merges tables in the order of their blocks.
fn merge<T: Ordered, K: Integer>(tables: Vec<Shared<Table<T, K>>>) -> Table<T, K> {
    let rows = tables
        .iter()
        .flat_map(|table| (0..table.groups.len()).map(|row| (table.key(row), table.groups[row])));
    let mut rows: Vec<(Key<K>, Group<T>)> = rows.collect();
    // Stable, so groups of one key stay in the order of blocks.
    rows.sort_by(|a, b| compare(&a.0, &b.0));
    let mut merged: Vec<(Key<K>, Group<T>)> = Vec::with_capacity(rows.len());
    for (key, group) in rows {
        match merged.last_mut() {
            Some((last, total)) if *last == key => total.merge(&group),
            _ => merged.push((key, group)),
        }
    }
    Table::new(tables[0].keys.len(), merged)
}
