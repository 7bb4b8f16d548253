//! Percentiles: exact, and for a line of blocks without putting these together.
//!
//! What is at a place in the order of a line is found a digit at a time, from the highest one, by how many
//! elements have it: selection by radix. Each round counts in every block, so nothing but counts travels.

use crate::{
    array::{
        Array, Real,
        api::{
            reduction::tree,
            reductions::FAN_IN,
            statistics::{add_counts, is_nan, order},
        },
        graph::{
            custom::custom_node,
            node::{Kind, Node},
            submitter::Submitter,
        },
        kernel::operators::{real_of, wide},
    },
    client::Future,
};
use ndarray::{ArrayD, Axis, IxDyn};
use serde::{Deserialize, Serialize};

/// So few that the counts of a block are small, so many that there are few rounds.
const DIGIT_BITS: u32 = 13;
const KEY_BITS: u32 = u64::BITS;
const DIGITS: usize = 1 << DIGIT_BITS;

impl<T: Real> Array<T> {
    /// The `percent`th percentile of each lane along an axis, between the two nearest elements where it
    /// falls between; NaN of a lane with NaN.
    ///
    /// Exact. Where the axis is the only one its blocks stay where they are, and are read five times; an axis
    /// among others is first joined to one piece.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis or it is empty, or `percent` is not from 0 to 100.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.arange(0, 1001, 1, 100).cast::<f64>();
    /// assert_eq!(x.percentile(25.0, 0).compute()?.sum(), 250.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn percentile(&self, percent: f64, axis: usize) -> Self {
        assert!(
            (0.0..=100.0).contains(&percent),
            "percentile: percent is {percent}, it must be from 0 to 100"
        );
        self.quantile_of(percent / 100.0, axis)
    }

    /// As [`percentile`](Self::percentile), with `quantile` from 0 to 1.
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis or it is empty, or `quantile` is not from 0 to 1.
    #[track_caller]
    pub fn quantile(&self, quantile: f64, axis: usize) -> Self {
        assert!((0.0..=1.0).contains(&quantile), "quantile: quantile is {quantile}, it must be from 0 to 1");
        self.quantile_of(quantile, axis)
    }

    /// The middle element of each lane along an axis; see [`percentile`](Self::percentile).
    ///
    /// # Panics
    ///
    /// Panics if there is no such axis or it is empty.
    #[track_caller]
    pub fn median(&self, axis: usize) -> Self {
        self.quantile_of(0.5, axis)
    }

    #[track_caller]
    fn quantile_of(&self, quantile: f64, axis: usize) -> Self {
        let length = self.length("quantile", axis);
        if length == 0 {
            // As NumPy: of no elements it is NaN.
            let mut grid = self.node.grid.clone();
            grid.0.remove(axis);
            let nan = Kind::Constant(wide::<T>(f64::NAN).scalar());
            return self.derive(Node::new(T::DATA_TYPE, grid, nan));
        }
        let is_line = self.ndim() == 1 && self.node.grid.count() > 1;
        let input = if is_line { self.node.clone() } else { self.unsplit("quantile", axis) };
        let mut grid = input.grid.clone();
        grid.0.remove(axis);
        self.derive(custom_node("percentile", vec![input], grid, move |client, inputs| {
            let blocks = inputs[0].typed::<T>();
            if is_line {
                return Ok(vec![select(client, &blocks, Place::new(quantile, length))]);
            }
            Ok(client.map(quantile_block::<T>, blocks.into_iter().map(|block| (block, quantile, axis))))
        }))
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
    fn new(quantile: f64, length: usize) -> Self {
        let place = quantile * (length - 1) as f64;
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

fn quantile_block<T: Real>(block: &ArrayD<T>, quantile: f64, axis: usize) -> ArrayD<T> {
    block.map_axis(Axis(axis), |lane| {
        let mut values = lane.to_vec();
        values.sort_unstable_by(order);
        let last = values[values.len() - 1];
        if is_nan(&last) {
            return last;
        }
        let place = Place::new(quantile, values.len());
        place.between(real_of(values[place.low]), real_of(values[place.high]))
    })
}

/// What is known of two elements after some rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Search {
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

/// Bits that are in the order of the numbers; those of NaN are the highest.
fn key_of(value: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    match value.to_bits() {
        _ if value.is_nan() => u64::MAX,
        bits if bits & SIGN != 0 => !bits,
        bits => bits | SIGN,
    }
}

fn number_of(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 0 { !key } else { key & !(1 << 63) })
}

fn select<T: Real>(client: &Submitter<'_>, blocks: &[Future<ArrayD<T>>], place: Place) -> Future<ArrayD<T>> {
    let mut search = client.submit(begin, place);
    for _ in 0..KEY_BITS.div_ceil(DIGIT_BITS) {
        let counts =
            client.map(count_digits::<T>, blocks.iter().map(|block| (block.clone(), search.clone())));
        let add = |client: &Submitter<'_>, parts| client.map(add_counts::<i64>, parts);
        let counts = tree(client, vec![counts], FAN_IN, add).remove(0);
        search = client.submit(narrow, (search, counts));
    }
    client.submit(found::<T>, (search, place))
}

fn begin(place: Place) -> Search {
    let elements = [place.low, place.high].map(|before| Candidate { bits: 0, before: before as i64 });
    Search { known_bits: 0, elements, has_nan: false }
}

/// How many elements of a block that begin as the first one that is looked for go on with each digit; and the
/// same for the second one, if it begins otherwise.
fn count_digits<T: Real>(block: &ArrayD<T>, search: &Search) -> ArrayD<i64> {
    let digit_bits = search.digit_bits();
    let candidates = &search.elements[..if search.is_one() { 1 } else { 2 }];
    let mut counts = vec![0; candidates.len() * DIGITS];
    for value in block {
        let key = key_of(real_of(*value));
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

fn found<T: Real>(search: &Search, place: Place) -> ArrayD<T> {
    let [low, high] = search.elements.map(|element| number_of(element.bits));
    let value = if search.has_nan { wide(f64::NAN) } else { place.between(low, high) };
    ArrayD::from_elem(IxDyn(&[]), value)
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
        let keys: Vec<u64> = numbers.clone().map(|number| key_of(*number)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(numbers.zip(&keys).all(|(number, key)| number_of(*key).to_bits() == number.to_bits()));
        let first_digit = |key: u64| key >> (KEY_BITS - DIGIT_BITS);
        assert_eq!([f64::NAN, -f64::NAN].map(key_of).map(first_digit), [DIGITS as u64 - 1; 2]);
        assert!(first_digit(keys[keys.len() - 1]) < DIGITS as u64 - 1);
    }
}
