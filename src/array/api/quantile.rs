//! Percentiles: exact, and for a lane of several blocks without putting these together.
//!
//! What is at a place in the order of a lane is found a digit at a time, from the highest one, by how many
//! elements have it: selection by radix. Each round counts in every block, so nothing but counts travels.

use crate::{
    array::{
        Array, Real,
        api::{
            order::{is_nan, order, ordered_bits, real_of_key},
            reduction::tree,
            reductions::FAN_IN,
            shape::stack,
            statistics::add_counts,
        },
        graph::{
            chunks::{AxisChunks, Grid},
            custom::custom_node,
            node::{Kind, Node},
            submitter::Submitter,
        },
        kernel::operators::{real_of, wide},
    },
    client::Future,
};
use ndarray::{ArrayD, ArrayView1, Axis, IxDyn};
use serde::{Deserialize, Serialize};

/// So few that the counts of a block are small, so many that there are few rounds.
const DIGIT_BITS: u32 = 13;
const KEY_BITS: u32 = u64::BITS;
const DIGITS: usize = 1 << DIGIT_BITS;

impl<T: Real> Array<T> {
    /// Returns the `percent`th percentile of each lane along an axis, between the two nearest elements where it falls
    /// between: NumPy's `percentile` with its default method. It is NaN for a lane with NaN, or without elements.
    ///
    /// Exact, and no block grows to the length of a cut axis. Where a block has several lanes, the array is
    /// [rechunked](Self::rechunk) to blocks of as many elements with whole lanes. A lane that is larger than a block is
    /// searched where its blocks are, which are read five times; nothing but counts is moved.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or `percent` is not from 0 to 100.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 1001, 1, 100).cast::<f64>();
    /// assert_eq!(x.percentile(25.0, 0).compute()?.sum(), 250.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn percentile(&self, percent: f64, axis: usize) -> Self {
        self.quantile_of("percentile", quantile_of_percent("percentile", percent).into(), axis)
    }

    /// As [`percentile`](Self::percentile), with `quantile` from 0 to 1.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or `quantile` is not from 0 to 1.
    #[track_caller]
    pub fn quantile(&self, quantile: f64, axis: usize) -> Self {
        check_quantile("quantile", quantile);
        self.quantile_of("quantile", quantile.into(), axis)
    }

    /// Returns the middle element of each lane along an axis; see [`percentile`](Self::percentile).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn median(&self, axis: usize) -> Self {
        self.quantile_of("median", 0.5.into(), axis)
    }

    /// Returns the `percent`th percentile of the elements of each lane that are not NaN; NaN for a lane that has no
    /// such element. See [`percentile`](Self::percentile).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or `percent` is not from 0 to 100.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.linspace::<f64>(-2.0, 2.0, 5, 2).sqrt();
    /// assert_eq!(x.nanpercentile(50.0, 0).compute()?.sum(), 1.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn nanpercentile(&self, percent: f64, axis: usize) -> Self {
        let quantile = quantile_of_percent("nanpercentile", percent);
        self.quantile_of("nanpercentile", Wanted { quantile, ..Wanted::WITHOUT_NAN }, axis)
    }

    /// As [`nanpercentile`](Self::nanpercentile), with `quantile` from 0 to 1.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, or `quantile` is not from 0 to 1.
    #[track_caller]
    pub fn nanquantile(&self, quantile: f64, axis: usize) -> Self {
        check_quantile("nanquantile", quantile);
        self.quantile_of("nanquantile", Wanted { quantile, ..Wanted::WITHOUT_NAN }, axis)
    }

    /// Returns the middle one of the elements of each lane that are not NaN; see
    /// [`nanpercentile`](Self::nanpercentile).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis.
    #[track_caller]
    pub fn nanmedian(&self, axis: usize) -> Self {
        self.quantile_of("nanmedian", Wanted::WITHOUT_NAN, axis)
    }

    /// Returns several quantiles of each lane along an axis by one of NumPy's methods: an array with a first axis for
    /// them, in the order that they are given in. Blocks of several lanes are sorted once.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis, there are no quantiles, or one is not from 0 to 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use maniple::array::QuantileMethod;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 10, 1, 3).cast::<f64>();
    /// let y = x.quantiles(&[0.0, 0.25, 0.5], 0, QuantileMethod::Lower);
    /// assert_eq!(y.compute()?.as_slice().unwrap(), [0.0, 2.0, 4.0]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn quantiles(&self, quantiles: &[f64], axis: usize, method: QuantileMethod) -> Self {
        self.quantiles_of("quantiles", quantiles, axis, Wanted { method, ..0.5.into() })
    }

    /// As [`quantiles`](Self::quantiles), of the elements of each lane that are not NaN.
    ///
    /// # Panics
    ///
    /// As [`quantiles`](Self::quantiles).
    #[track_caller]
    pub fn nanquantiles(&self, quantiles: &[f64], axis: usize, method: QuantileMethod) -> Self {
        self.quantiles_of("nanquantiles", quantiles, axis, Wanted { method, ..Wanted::WITHOUT_NAN })
    }

    #[track_caller]
    fn quantiles_of(&self, name: &'static str, quantiles: &[f64], axis: usize, wanted: Wanted) -> Self {
        assert!(!quantiles.is_empty(), "{name}: quantiles are empty");
        quantiles.iter().for_each(|quantile| check_quantile(name, *quantile));
        let input = self.along(name, axis);
        if input.grid.0[axis].count() > 1 || self.length(name, axis) == 0 {
            let one = |quantile: &f64| self.quantile_of(name, Wanted { quantile: *quantile, ..wanted }, axis);
            return stack(&quantiles.iter().map(one).collect::<Vec<_>>(), 0);
        }
        let count = AxisChunks::regular(quantiles.len(), quantiles.len());
        let [mut grid, mut result] = [&input.grid, &self.node.grid].map(Grid::clone);
        for grid in [&mut grid, &mut result] {
            grid.0.remove(axis);
            grid.0.insert(0, count.clone());
        }
        let quantiles = quantiles.to_vec();
        let node = custom_node(name, vec![input], grid, move |client, inputs| {
            let blocks = inputs[0].typed::<T>().into_iter();
            let calls = blocks.map(|block| (block, quantiles.clone(), axis, wanted));
            Ok(client.map(quantiles_block::<T>, calls))
        });
        self.derive(node.rechunk(&result))
    }

    #[track_caller]
    fn quantile_of(&self, name: &'static str, of: Wanted, axis: usize) -> Self {
        let length = self.length(name, axis);
        let mut wanted = self.node.grid.clone();
        wanted.0.remove(axis);
        if length == 0 {
            // As NumPy: of no elements it is NaN.
            let constant = Kind::Constant(wide::<T>(f64::NAN).scalar());
            return self.derive(Node::new(T::DATA_TYPE, wanted, constant));
        }
        let input = self.along(name, axis);
        let mut grid = input.grid.clone();
        grid.0.remove(axis);
        let node = custom_node(name, vec![input], grid, move |client, inputs| {
            let (grid, blocks) = (&inputs[0].grid, inputs[0].typed::<T>());
            if grid.0[axis].count() == 1 {
                let blocks = blocks.into_iter().map(|block| (block, of, axis));
                return Ok(client.map(quantile_block::<T>, blocks));
            }
            let lines = grid.lines(axis).into_iter().map(|line| {
                let mut shape = grid.region(line[0]).1;
                shape.remove(axis);
                if shape.contains(&0) {
                    return client.submit(no_lanes::<T>, shape);
                }
                let line: Vec<_> = line.into_iter().map(|place| blocks[place].clone()).collect();
                select(client, &line, of, shape)
            });
            Ok(lines.collect())
        });
        self.derive(node.rechunk(&wanted))
    }
}

#[track_caller]
fn quantile_of_percent(name: &str, percent: f64) -> f64 {
    assert!((0.0..=100.0).contains(&percent), "{name}: percent is {percent}, it must be from 0 to 100");
    percent / 100.0
}

#[track_caller]
fn check_quantile(name: &str, quantile: f64) {
    assert!((0.0..=1.0).contains(&quantile), "{name}: quantile is {quantile}, it must be from 0 to 1");
}

/// What NaN does to the quantile of its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Nan {
    Propagates,
    IsLeftOut,
}

/// How a quantile is found that falls between two elements: NumPy's methods, of which the first nine are those of Hyndman
/// and Fan, *Sample quantiles in statistical packages*, 1996.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum QuantileMethod {
    /// `"inverted_cdf"`
    InvertedCdf,
    /// `"averaged_inverted_cdf"`
    AveragedInvertedCdf,
    /// `"closest_observation"`
    ClosestObservation,
    /// `"interpolated_inverted_cdf"`
    InterpolatedInvertedCdf,
    /// `"hazen"`
    Hazen,
    /// `"weibull"`
    Weibull,
    /// `"linear"`, which is the default.
    #[default]
    Linear,
    /// `"median_unbiased"`
    MedianUnbiased,
    /// `"normal_unbiased"`
    NormalUnbiased,
    /// `"lower"`: of the two elements that [`Linear`](Self::Linear) lies between, the smaller one.
    Lower,
    /// `"higher"`: the larger one.
    Higher,
    /// `"midpoint"`: the mean of both.
    Midpoint,
    /// `"nearest"`: the nearer one; of two that are equally near, the one at an even place.
    Nearest,
}

/// A quantile as it is asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Wanted {
    quantile: f64,
    method: QuantileMethod,
    nan: Nan,
}

impl Wanted {
    /// The median of what is not NaN.
    const WITHOUT_NAN: Self = Self { quantile: 0.5, method: QuantileMethod::Linear, nan: Nan::IsLeftOut };
}

impl From<f64> for Wanted {
    fn from(quantile: f64) -> Self {
        Self { quantile, method: QuantileMethod::Linear, nan: Nan::Propagates }
    }
}

/// Between which two elements in order a quantile lies, and how far from the first one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    low: usize,
    high: usize,
    fraction: f64,
}

impl Place {
    fn new(wanted: Wanted, length: usize) -> Self {
        use QuantileMethod::{
            AveragedInvertedCdf, ClosestObservation, Hazen, Higher, InterpolatedInvertedCdf, InvertedCdf,
            Linear, Lower, MedianUnbiased, Midpoint, Nearest, NormalUnbiased, Weibull,
        };
        let (n, quantile) = (length as f64, wanted.quantile);
        let last = length.saturating_sub(1) as f64;
        let linear = quantile * last;
        let from = |alpha: f64, beta: f64| n * quantile + (alpha + quantile * (1.0 - alpha - beta)) - 1.0;
        let place = match wanted.method {
            InvertedCdf => (n * quantile - 1.0).ceil(),
            AveragedInvertedCdf => {
                let place = n * quantile - 1.0;
                if place.fract() == 0.0 { place + 0.5 } else { place.ceil() }
            }
            // Of two that are equally near, the one that is even when places are counted from 1.
            ClosestObservation => {
                let place = n * quantile - 1.5;
                let is_odd = place.floor().rem_euclid(2.0) == 1.0;
                if place == place.floor() && is_odd { place } else { place.floor() + 1.0 }
            }
            InterpolatedInvertedCdf => from(0.0, 1.0),
            Hazen => from(0.5, 0.5),
            Weibull => from(0.0, 0.0),
            Linear => linear,
            MedianUnbiased => from(1.0 / 3.0, 1.0 / 3.0),
            NormalUnbiased => from(0.375, 0.375),
            Lower => linear.floor(),
            Higher => linear.ceil(),
            Midpoint => 0.5 * (linear.floor() + linear.ceil()),
            Nearest => linear.round_ties_even(),
        };
        let place = place.clamp(0.0, last);
        Self { low: place.floor() as usize, high: place.ceil() as usize, fraction: place.fract() }
    }

    fn between<T: Real>(self, low: f64, high: f64) -> T {
        wide(between(low, high, self.fraction))
    }
}

/// The number that lies this fraction of the way from `low` up to `high`. An infinite end is at no distance
/// from the numbers between, unless the other end is infinite, too.
fn between(low: f64, high: f64, fraction: f64) -> f64 {
    let distance = high - low;
    if fraction == 0.0 || low == high {
        low
    } else if low.is_infinite() || high.is_infinite() {
        low + high
    } else if distance.is_infinite() {
        2.0 * (0.5 * low + (0.5 * high - 0.5 * low) * fraction)
    } else if fraction < 0.5 {
        (low + distance * fraction).min(high)
    } else {
        // From the nearer end, as NumPy does.
        (high - distance * (1.0 - fraction)).max(low)
    }
}

fn quantile_block<T: Real>(block: &ArrayD<T>, wanted: Wanted, axis: usize) -> ArrayD<T> {
    block.map_axis(Axis(axis), |lane| of_sorted(&sorted(lane, wanted.nan), wanted))
}

/// As [`quantile_block`] for several quantiles, which become the first axis.
fn quantiles_block<T: Real>(
    block: &ArrayD<T>,
    quantiles: Vec<f64>,
    axis: usize,
    wanted: Wanted,
) -> ArrayD<T> {
    let mut shape = block.shape().to_vec();
    shape.remove(axis);
    let mut results = vec![T::default(); quantiles.len() * shape.iter().product::<usize>()];
    let count = results.len() / quantiles.len();
    for (place, lane) in block.lanes(Axis(axis)).into_iter().enumerate() {
        let values = sorted(lane, wanted.nan);
        for (number, quantile) in quantiles.iter().enumerate() {
            results[number * count + place] = of_sorted(&values, Wanted { quantile: *quantile, ..wanted });
        }
    }
    shape.insert(0, quantiles.len());
    ArrayD::from_shape_vec(IxDyn(&shape), results).expect("an element for each place")
}

/// The elements of a lane that count, in order.
fn sorted<T: Real>(lane: ArrayView1<'_, T>, nan: Nan) -> Vec<T> {
    let mut values = lane.to_vec();
    if nan == Nan::IsLeftOut {
        values.retain(|value| !is_nan(value));
    }
    values.sort_unstable_by(order);
    values
}

fn of_sorted<T: Real>(values: &[T], wanted: Wanted) -> T {
    match values.last() {
        Some(last) if !is_nan(last) => {
            let place = Place::new(wanted, values.len());
            place.between(real_of(values[place.low]), real_of(values[place.high]))
        }
        _ => wide(f64::NAN),
    }
}

/// What is known of two elements after some rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Search {
    place: Place,
    known_bits: u32,
    elements: [Candidate; 2],
    has_nan: bool,
}

/// An element by its highest bits, and by how many of those that have the same ones come before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Candidate {
    bits: u64,
    before: i64,
}

impl Search {
    /// How many bits the next round finds.
    fn digit_bits(&self) -> u32 {
        DIGIT_BITS.min(KEY_BITS - self.known_bits)
    }

    /// Whether the elements may still be the same one, so that one count is for both.
    fn is_one(&self) -> bool {
        self.elements[0].bits == self.elements[1].bits
    }
}

fn select<T: Real>(
    client: &Submitter<'_>,
    blocks: &[Future<ArrayD<T>>],
    wanted: Wanted,
    shape: Vec<usize>,
) -> Future<ArrayD<T>> {
    let add = |client: &Submitter<'_>, counts| {
        tree(client, vec![counts], FAN_IN, |client, parts| client.map(add_counts::<i64>, parts)).remove(0)
    };
    let lengths = client.map(count_elements::<T>, blocks.iter().map(|block| (block, wanted.nan)));
    let mut search = client.submit(begin, (add(client, lengths), wanted));
    for _ in 0..KEY_BITS.div_ceil(DIGIT_BITS) {
        let counts = client.map(count_digits::<T>, blocks.iter().map(|block| (block, &search)));
        search = client.submit(narrow, (&search, add(client, counts)));
    }
    client.submit(found::<T>, (search, wanted.nan, shape))
}

/// How many elements of a block a quantile is taken of.
fn count_elements<T: Real>(block: &ArrayD<T>, nan: Nan) -> ArrayD<i64> {
    let count = block.iter().filter(|value| nan == Nan::Propagates || !is_nan(*value)).count();
    ArrayD::from_elem(IxDyn(&[1]), count as i64)
}

fn begin(length: &ArrayD<i64>, wanted: Wanted) -> Search {
    let place = Place::new(wanted, length.sum() as usize);
    let elements = [place.low, place.high].map(|before| Candidate { bits: 0, before: before as i64 });
    Search { place, known_bits: 0, elements, has_nan: false }
}

/// How many elements of a block that begin as the first one that is looked for go on with each digit; and the
/// same for the second one, if it begins otherwise.
fn count_digits<T: Real>(block: &ArrayD<T>, search: &Search) -> ArrayD<i64> {
    let digit_bits = search.digit_bits();
    let candidates = &search.elements[..if search.is_one() { 1 } else { 2 }];
    let mut counts = vec![0; candidates.len() * DIGITS];
    for value in block {
        let key = ordered_bits(real_of(*value));
        let known = key.checked_shr(KEY_BITS - search.known_bits).unwrap_or(0);
        let digit = (key << search.known_bits) >> (KEY_BITS - digit_bits);
        for (candidate, counts) in candidates.iter().zip(counts.chunks_exact_mut(DIGITS)) {
            counts[digit as usize] += i64::from(known == candidate.bits);
        }
    }
    ArrayD::from_shape_vec(IxDyn(&[counts.len()]), counts).expect("as many as there are")
}

/// One more digit of what is looked for, by the counts of all blocks.
fn narrow(search: &Search, counts: &ArrayD<i64>) -> Search {
    let counts = counts.as_slice().expect("made in order");
    let mut next = search.clone();
    // Of the highest digits the last one is that of NaN alone.
    next.has_nan |= search.known_bits == 0 && counts[DIGITS - 1] > 0;
    for (place, element) in next.elements.iter_mut().enumerate() {
        let counts = &counts[if search.is_one() { 0 } else { place * DIGITS }..][..DIGITS];
        let mut digit = 0;
        while element.before >= counts[digit] {
            element.before -= counts[digit];
            digit += 1;
        }
        element.bits = element.bits << search.digit_bits() | digit as u64;
    }
    next.known_bits += search.digit_bits();
    next
}

/// The quantile, as a block of one element. Where all elements are NaN, so is the one that was searched.
fn found<T: Real>(search: &Search, nan: Nan, shape: Vec<usize>) -> ArrayD<T> {
    let [low, high] = search.elements.map(|element| real_of_key(element.bits));
    let is_nan = search.has_nan && nan == Nan::Propagates;
    let value = if is_nan { wide(f64::NAN) } else { search.place.between(low, high) };
    ArrayD::from_elem(IxDyn(&shape), value)
}

fn no_lanes<T: Real>(shape: Vec<usize>) -> ArrayD<T> {
    ArrayD::from_elem(IxDyn(&shape), T::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_numbers_lies_no_other_infinity() {
        const INF: f64 = f64::INFINITY;
        let table = [
            (INF, INF, 0.5, INF),
            (-INF, -INF, 0.5, -INF),
            (-INF, 1.0, 0.5, -INF),
            (-INF, 1.0, 0.25, -INF),
            (1.0, INF, 0.25, INF),
            (1.0, INF, 0.0, 1.0),
            (-1e308, 1e308, 0.5, 0.0),
            (f64::MIN, f64::MAX, 0.25, f64::MIN / 2.0),
            (1e308, 1e308, 0.5, 1e308),
            (1e308, 1.5e308, 0.5, 1.25e308),
            (0.1, 0.3, 0.75, 0.3 - (0.3 - 0.1) * 0.25),
        ];
        for (low, high, fraction, expected) in table {
            let found = between(low, high, fraction);
            assert_eq!(found, expected, "{fraction} of the way from {low:e} to {high:e}");
        }
        assert!(between(-INF, INF, 0.5).is_nan());
        assert_eq!(between(-0.0, -0.0, 0.5).to_bits(), (-0.0_f64).to_bits());
    }

    #[test]
    fn keys_are_in_the_order_of_numbers() {
        let numbers = [f64::NEG_INFINITY, f64::MIN, -1.5, -f64::MIN_POSITIVE, -5e-324, -0.0, 0.0, 5e-324];
        let numbers = numbers.iter().chain(&[1.0, 1.5, f64::MAX, f64::INFINITY]);
        let keys: Vec<u64> = numbers.clone().map(|number| ordered_bits(*number)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(numbers.zip(&keys).all(|(number, key)| real_of_key(*key).to_bits() == number.to_bits()));
        let first_digit = |key: u64| key >> (KEY_BITS - DIGIT_BITS);
        assert_eq!([f64::NAN, -f64::NAN].map(ordered_bits).map(first_digit), [DIGITS as u64 - 1; 2]);
        assert!(first_digit(keys[keys.len() - 1]) < DIGITS as u64 - 1);
    }
}
