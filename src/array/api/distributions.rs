//! Random arrays whose elements take several draws each, or are made of others.

use super::create::check_finite;
use crate::{
    array::{
        Array, Chunks, Random, Real,
        error::expect,
        graph::{chunks::AxisChunks, custom::custom_node},
        kernel::generate::Distribution,
        random::{Key, multinomial},
    },
    client::Future,
};
use ndarray::{ArrayD, IxDyn};

/// The largest number of trials, and the largest mean number of events: a result is an `i64`.
const COUNT_MAX: u64 = 1 << 62;

/// How far the sum of probabilities may be above 1.
const SUM_TOLERANCE: f64 = 1e-8;

impl Random {
    /// Returns numbers of the gamma distribution of this shape and scale (Marsaglia and Tsang 2000).
    ///
    /// # Panics
    ///
    /// Panics if `shape_parameter` or `scale` is negative or not finite in the type of the elements, or the chunks do not
    /// fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).gamma::<f64>(2.0, 3.0, [10_000], 1000);
    /// assert!((x.mean().compute()? - 6.0).abs() < 0.2);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn gamma<T: Real>(
        &self,
        shape_parameter: f64,
        scale: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        for (argument, value) in [("shape_parameter", shape_parameter), ("scale", scale)] {
            check_finite::<T>("gamma", argument, value);
            assert!(value >= 0.0, "gamma: {argument} is {value}, it must be at least 0");
        }
        self.generate(Distribution::Gamma { shape: shape_parameter, scale }, shape.into(), chunks.into())
    }

    /// Returns numbers of the beta distribution of these two parameters, from 0 to 1.
    ///
    /// They are quotients of gamma numbers.
    ///
    /// # Panics
    ///
    /// Panics if a parameter is not more than 0 and finite in the type of the elements, or the chunks do not fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).beta::<f64>(2.0, 6.0, [10_000], 1000);
    /// assert!((x.mean().compute()? - 0.25).abs() < 0.02);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn beta<T: Real>(
        &self,
        a: f64,
        b: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        for (argument, value) in [("a", a), ("b", b)] {
            check_finite::<T>("beta", argument, value);
            assert!(value > 0.0, "beta: {argument} is {value}, it must be more than 0");
        }
        self.generate(Distribution::Beta { a, b }, shape.into(), chunks.into())
    }

    /// Returns numbers whose logarithms are normally distributed with this mean and standard deviation.
    ///
    /// # Panics
    ///
    /// As [`normal`](Self::normal).
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).lognormal::<f64>(1.0, 0.5, [10_000], 1000);
    /// assert!((x.ln().mean().compute()? - 1.0).abs() < 0.05);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn lognormal<T: Real>(
        &self,
        mean: f64,
        deviation: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        self.normal::<T>(mean, deviation, shape, chunks).exp()
    }

    /// Returns numbers of events of which `mean` happen on average: the Poisson distribution.
    ///
    /// They are found by search for means below 10, and else by rejection (Hörmann, PTRS, 1993).
    ///
    /// # Panics
    ///
    /// Panics if `mean` is not from 0 to 2^62, or the chunks do not fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).poisson(4.5, [100, 100], 30);
    /// assert!((x.mean().compute()? - 4.5).abs() < 0.2);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn poisson(&self, mean: f64, shape: impl Into<Vec<usize>>, chunks: impl Into<Chunks>) -> Array<i64> {
        assert!(
            (0.0..=COUNT_MAX as f64).contains(&mean),
            "poisson: mean is {mean}, it must be from 0 to {COUNT_MAX}"
        );
        self.generate(Distribution::Poisson { mean }, shape.into(), chunks.into())
    }

    /// Returns numbers of successes of `count` trials with this probability each: the binomial distribution.
    ///
    /// They are found by search for means below 10, and else by rejection (Hörmann, BTRS, 1993).
    ///
    /// # Panics
    ///
    /// Panics if `probability` is not from 0 to 1, `count` is more than 2^62, or the chunks do not fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).binomial(20, 0.25, [100, 100], 30);
    /// assert!((x.mean().compute()? - 5.0).abs() < 0.1);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn binomial(
        &self,
        count: u64,
        probability: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<i64> {
        assert!(count <= COUNT_MAX, "binomial: count is {count}, it must be at most {COUNT_MAX}");
        assert!(
            (0.0..=1.0).contains(&probability),
            "binomial: probability is {probability}, it must be from 0 to 1"
        );
        self.generate(Distribution::Binomial { count, probability }, shape.into(), chunks.into())
    }

    /// Returns how many of `count` things are of each kind, where a thing is of kind `i` with the probability
    /// `probabilities[i]`: the multinomial distribution. The result has the axes of `shape`, which `chunks` cut, and then an
    /// axis for the kinds in one chunk. The last kind gets what the others leave of the probability 1.
    ///
    /// # Panics
    ///
    /// Panics if there are no kinds, `count` is more than 2^62, a probability is not from 0 to 1, all but the last one
    /// have a sum of more than 1, or the chunks do not fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let rolls = client.random(1).multinomial(600, &[1.0 / 6.0; 6], [10], 4);
    /// assert_eq!(rolls.shape(), [10, 6]);
    /// assert_eq!(rolls.sum_axis(1).compute()?.as_slice().unwrap(), [600; 10]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn multinomial(
        &self,
        count: u64,
        probabilities: &[f64],
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<i64> {
        let (shape, kinds) = (shape.into(), probabilities.len());
        assert!(count <= COUNT_MAX, "multinomial: count is {count}, it must be at most {COUNT_MAX}");
        let Some((_, others)) = probabilities.split_last() else {
            panic!("multinomial: probabilities are empty")
        };
        for (place, probability) in probabilities.iter().enumerate() {
            assert!(
                (0.0..=1.0).contains(probability),
                "multinomial: probabilities[{place}] is {probability}, it must be from 0 to 1"
            );
        }
        let sum: f64 = others.iter().sum();
        assert!(
            sum <= 1.0 + SUM_TOLERANCE,
            "multinomial: the sum of all probabilities but the last is {sum}, it must be at most 1"
        );
        let rows = expect("multinomial", chunks.into().grid(&shape, size_of::<i64>() * kinds));
        let mut grid = rows.clone();
        grid.0.push(AxisChunks::regular(kinds, kinds));
        let (key, probabilities) = (self.next_key(), probabilities.to_vec());
        let node = custom_node("multinomial", Vec::new(), grid, move |client, _| {
            let probabilities: Future<Vec<f64>> = client.scatter(probabilities.clone())?;
            let regions = (0..rows.count()).map(|block| {
                let (starts, lengths) = rows.region(block);
                (key, count, &probabilities, shape.clone(), starts, lengths)
            });
            Ok(client.map(multinomial_block, regions))
        });
        Array::new(&self.client, node)
    }
}

fn multinomial_block(
    key: Key,
    count: u64,
    probabilities: &[f64],
    whole: Vec<usize>,
    starts: Vec<usize>,
    lengths: Vec<usize>,
) -> ArrayD<i64> {
    let kinds = probabilities.len();
    let mut row = vec![0; kinds];
    let mut numbers = Vec::with_capacity(lengths.iter().product::<usize>() * kinds);
    for place in ndarray::indices(IxDyn(&lengths)) {
        let index = (0..whole.len()).fold(0, |index, axis| index * whole[axis] + starts[axis] + place[axis]);
        multinomial(key, index as u64, count, probabilities, &mut row);
        numbers.extend_from_slice(&row);
    }
    let shape: Vec<usize> = lengths.into_iter().chain([kinds]).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), numbers).expect("a number for each kind")
}
