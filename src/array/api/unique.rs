//! The different elements of an array: values, counts, first indices, and the way back.

use crate::{
    array::{
        Array, Element, Ordered,
        api::{
            create::blocks_node,
            order::{
                exchange::{pairs_of, rank_line, rows_of, starts},
                order, value_of,
            },
            shape::reshape_node,
        },
        graph::{
            chunks::{AxisChunks, Grid},
            submitter::Submitter,
        },
    },
    client::{Client, Future},
    error::Result,
    task::Shared,
};
use ndarray::{ArrayD, Axis, IxDyn, Slice};
use std::cmp::Ordering;

/// The different elements of an array; see [`Array::unique_all`]. All arrays have one axis and the same chunks, except
/// for `inverse`.
#[derive(Clone, Debug)]
pub struct Unique<T: Element> {
    /// The different elements in ascending order, NaN last.
    pub values: Array<T>,
    /// For each value, the index of the first element that is equal to it, counted in C order.
    pub indices: Array<i64>,
    /// For each element of the array, the index of its value. It has the shape and the chunks of the array.
    pub inverse: Array<i64>,
    /// How often each value occurs.
    pub counts: Array<i64>,
}

impl<T: Ordered> Array<T> {
    /// Returns the different elements in ascending order, NaN last and once, and how often each occurs. It computes at
    /// once: how many there are is not known before.
    ///
    /// Tables of blocks are merged in a tree, so all different elements come to one place. Where these are many, use
    /// [`unique_all`](Self::unique_all).
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 4) % 3;
    /// assert_eq!(x.unique()?, (vec![0, 1, 2], vec![4, 3, 3]));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn unique(&self) -> Result<(Vec<T>, Vec<i64>)> {
        let blocks = self.to_futures()?;
        let mut parts = self.client.map(unique_block::<T>, blocks);
        while parts.len() > 1 {
            parts = self.client.map(join_unique::<T>, parts.chunks(16));
        }
        Ok(parts.pop().map(|part| part.result()).transpose()?.unwrap_or_default())
    }

    /// Returns the different elements in ascending order, NaN last and once, with their counts, the index of the first
    /// of each, and for each element the index of its value: NumPy's `unique` with `return_index`, `return_inverse` and
    /// `return_counts`. It computes the values at once: how many there are is not known before.
    ///
    /// The elements are sorted across blocks as by [`argsort`](Self::argsort) and sent back by their places, so nothing
    /// comes to one place, however many values there are. A zero has no sign in `values`.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(10, 0, -1, 3) % 3;
    /// let unique = x.unique_all()?;
    /// assert_eq!(unique.values.compute()?.as_slice().unwrap(), [0, 1, 2]);
    /// assert_eq!(unique.counts.compute()?.as_slice().unwrap(), [3, 4, 3]);
    /// assert_eq!(unique.indices.compute()?.as_slice().unwrap(), [1, 0, 2]);
    /// // The values are the numbers from 0 on, so each is its own index.
    /// assert_eq!(unique.inverse.compute()?, x.compute()?);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn unique_all(&self) -> Result<Unique<T>> {
        let runs = Runs::new(self)?;
        let grid = runs.grid();
        let inverse = blocks_node(Grid(vec![AxisChunks::listed(&runs.sizes)]), &runs.inverse());
        let counts = self.client.map(counts_of, runs.found.iter().zip(runs.nexts()));
        Ok(Unique {
            values: runs.values(self),
            indices: self.derive(blocks_node(grid.clone(), &self.client.map(indices_of, runs.found.iter()))),
            inverse: self.derive(reshape_node(&inverse, &self.shape()).rechunk(&self.node.grid)),
            counts: self.derive(blocks_node(grid, &counts)),
        })
    }

    /// Returns the different elements as [`unique_all`](Self::unique_all) does, alone.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    pub fn unique_values(&self) -> Result<Self> {
        Ok(Runs::new(self)?.values(self))
    }
}

/// The sorted elements of an array, and where runs of equal ones begin.
struct Runs {
    client: Client,
    /// The number of elements of each block in C order, and of each sorted block.
    sizes: Vec<usize>,
    /// Sorted blocks: keys, and indices of elements.
    sorted: Vec<Future<ArrayD<u64>>>,
    /// The last key before each sorted block.
    before: Vec<Option<u64>>,
    /// The runs that begin in each sorted block: keys, first indices, and places among all sorted elements.
    found: Vec<Future<ArrayD<u64>>>,
    /// How many runs begin in each block, and where the first of them does.
    heads: Vec<(u64, Option<u64>)>,
}

impl Runs {
    fn new<T: Ordered>(array: &Array<T>) -> Result<Self> {
        let (client, flat) = (array.client.clone(), array.ravel());
        let sizes = flat.node.grid.0[0].sizes();
        let sorted = rank_line::<T>(&Submitter::new(&client, false), &flat.to_futures()?, &sizes)?;
        let lasts = client.gather(&client.map(last_key, &sorted))?;
        let before: Vec<Option<u64>> = lasts
            .iter()
            .scan(None, |before, last| Some(std::mem::replace(before, last.or(*before))))
            .collect();
        let starts = starts(sizes.iter().map(|size| *size as u64));
        let found: Vec<_> = sorted.iter().zip(&before).zip(starts).collect();
        let found =
            client.map(runs_of, found.into_iter().map(|((block, before), start)| (block, *before, start)));
        let heads = client.gather(&client.map(head_of, &found))?;
        Ok(Self { client, sizes, sorted, before, found, heads })
    }

    /// The chunks of values: those of sorted blocks in which runs begin.
    fn grid(&self) -> Grid {
        let sizes: Vec<usize> = self.heads.iter().map(|head| head.0 as usize).collect();
        Grid(vec![AxisChunks::listed(&sizes)])
    }

    fn values<T: Ordered>(&self, array: &Array<T>) -> Array<T> {
        array.derive(blocks_node(self.grid(), &self.client.map(values_of::<T>, self.found.iter())))
    }

    /// Where the first run after those of each block begins.
    fn nexts(&self) -> Vec<u64> {
        let mut next = self.sizes.iter().sum::<usize>() as u64;
        let mut nexts: Vec<u64> = Vec::new();
        for head in self.heads.iter().rev() {
            nexts.push(next);
            next = head.1.unwrap_or(next);
        }
        nexts.reverse();
        nexts
    }

    /// For the elements in C order, the number of their run.
    fn inverse(&self) -> Vec<Future<ArrayD<i64>>> {
        let numbers = starts(self.heads.iter().map(|head| head.0));
        let numbered = self.sorted.iter().zip(&self.before).zip(numbers);
        let numbered = numbered.map(|((block, before), number)| (block, *before, number));
        let numbered = self.client.map(numbers_of, numbered.collect::<Vec<_>>());
        let places = starts(self.sizes.iter().map(|size| *size as u64));
        let regions: Vec<(u64, u64)> =
            places.zip(&self.sizes).map(|(start, size)| (start, start + *size as u64)).collect();
        let pieces = regions.iter().map(|(start, end)| {
            let pieces = self.client.map(between, numbered.iter().map(|block| (block, *start, *end)));
            (pieces, *start, (end - start) as usize)
        });
        self.client.map(placed, pieces.collect::<Vec<_>>())
    }
}

fn last_key(sorted: &ArrayD<u64>) -> Option<u64> {
    sorted.index_axis(Axis(0), 0).last().copied()
}

/// The places in a sorted block where runs begin; `before` is the key before the block.
fn beginnings(keys: &[(u64, u64)], before: Option<u64>) -> impl Iterator<Item = bool> {
    let before = std::iter::once(before).chain(keys.iter().map(|pair| Some(pair.0)));
    keys.iter().zip(before).map(|(pair, before)| before != Some(pair.0))
}

fn runs_of(sorted: &ArrayD<u64>, before: Option<u64>, start: u64) -> ArrayD<u64> {
    let pairs = pairs_of([sorted]);
    let begins: Vec<u64> =
        (0..).zip(beginnings(&pairs, before)).filter(|(_, begins)| *begins).map(|(at, _)| at).collect();
    let first = |at: &u64| pairs[*at as usize];
    let keys = begins.iter().map(|at| first(at).0);
    let indices = begins.iter().map(|at| first(at).1);
    let places = begins.iter().map(|at| start + at);
    ArrayD::from_shape_vec(IxDyn(&[3, begins.len()]), keys.chain(indices).chain(places).collect())
        .expect("three rows of as many")
}

fn head_of(runs: &ArrayD<u64>) -> (u64, Option<u64>) {
    let places = runs.index_axis(Axis(0), 2);
    (places.len() as u64, places.first().copied())
}

fn values_of<T: Ordered>(runs: &ArrayD<u64>) -> ArrayD<T> {
    runs.index_axis(Axis(0), 0).mapv(value_of)
}

fn indices_of(runs: &ArrayD<u64>) -> ArrayD<i64> {
    runs.index_axis(Axis(0), 1).mapv(|index| index as i64)
}

fn counts_of(runs: &ArrayD<u64>, next: u64) -> ArrayD<i64> {
    let places = runs.index_axis(Axis(0), 2);
    let ends = places.iter().skip(1).copied().chain([next]);
    let counts: Vec<i64> = places.iter().zip(ends).map(|(start, end)| (end - start) as i64).collect();
    ArrayD::from_shape_vec(IxDyn(&[counts.len()]), counts).expect("a count for each")
}

/// The elements of a sorted block by index, each with the number of its run.
fn numbers_of(sorted: &ArrayD<u64>, before: Option<u64>, number: u64) -> ArrayD<u64> {
    let pairs = pairs_of([sorted]);
    let mut next = number;
    let mut numbered: Vec<(u64, u64)> = pairs
        .iter()
        .zip(beginnings(&pairs, before))
        .map(|(pair, begins)| {
            next += u64::from(begins);
            (pair.1, next - 1)
        })
        .collect();
    numbered.sort_unstable();
    rows_of(&numbered)
}

/// The columns whose first number lies in a range.
fn between(numbered: &ArrayD<u64>, start: u64, end: u64) -> ArrayD<u64> {
    let indices = numbered.index_axis(Axis(0), 0);
    let indices = indices.as_slice().expect("rows are in one piece");
    let [from, to] = [start, end].map(|bound| indices.partition_point(|index| *index < bound));
    numbered.slice_axis(Axis(1), Slice::from(from..to)).as_standard_layout().into_owned()
}

fn placed(pieces: Vec<Shared<ArrayD<u64>>>, start: u64, size: usize) -> ArrayD<i64> {
    let mut numbers = ArrayD::zeros(IxDyn(&[size]));
    for (index, number) in pairs_of(pieces.iter().map(|piece| &**piece)) {
        numbers[[(index - start) as usize]] = number as i64;
    }
    numbers
}

fn unique_block<T: Ordered>(block: &ArrayD<T>) -> (Vec<T>, Vec<i64>) {
    let mut values: Vec<T> = block.iter().copied().collect();
    values.sort_unstable_by(order);
    count_runs(values.into_iter().map(|value| (value, 1)))
}

fn join_unique<T: Ordered>(parts: Vec<Shared<(Vec<T>, Vec<i64>)>>) -> (Vec<T>, Vec<i64>) {
    let pairs = parts.iter().flat_map(|part| part.0.iter().copied().zip(part.1.iter().copied()));
    let mut pairs: Vec<(T, i64)> = pairs.collect();
    pairs.sort_by(|a, b| order(&a.0, &b.0));
    count_runs(pairs.into_iter())
}

fn count_runs<T: Ordered>(pairs: impl Iterator<Item = (T, i64)>) -> (Vec<T>, Vec<i64>) {
    let (mut values, mut counts): (Vec<T>, Vec<i64>) = (Vec::new(), Vec::new());
    for (value, count) in pairs {
        match values.last() {
            Some(last) if order(last, &value) == Ordering::Equal => {
                *counts.last_mut().expect("as many") += count
            }
            _ => {
                values.push(value);
                counts.push(count);
            }
        }
    }
    (values, counts)
}
