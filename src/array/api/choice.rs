//! Random choices among things that are counted.

use crate::{
    array::{
        Array, Chunks, Random,
        graph::{custom::custom_node, node::Node},
    },
    client::Future,
};
use ndarray::ArrayD;
use std::sync::Arc;

/// How far the sum of probabilities may be from 1.
const SUM_TOLERANCE: f64 = 1e-8;

impl Random {
    /// Chooses among the things 0, 1, ... below `population`: NumPy's `choice`, of whose array the result is
    /// an index. With `replace` a thing may be chosen again; without, each at most once, in random order.
    ///
    /// All things are as likely as each other, or thing `i` has the probability `probabilities[i]`. Without
    /// `replace` these are the probabilities of the first choice, and of the next ones among what is left (as
    /// those of the first to arrive in a race, Efraimidis and Spirakis 2006).
    ///
    /// # Panics
    ///
    /// Panics if there is nothing to choose from; if without `replace` more things are wanted than there are,
    /// or can be chosen; if the probabilities are not one for each thing, or one is negative or NaN, or
    /// their sum is not 1; if the chunks do not fit the shape.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let random = client.random(1);
    /// let hands = random.choice(52, false, None, [4, 13], [1, 13]);
    /// assert_eq!(hands.ravel().sort(0).compute()?, client.arange(0, 52, 1, 52).compute()?);
    /// let weather = random.choice(3, true, Some(&[0.5, 0.5, 0.0]), [1000], 100);
    /// assert_eq!(weather.max().compute()?, 1);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn choice(
        &self,
        population: usize,
        replace: bool,
        probabilities: Option<&[f64]>,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<i64> {
        let (shape, chunks): (Vec<usize>, Chunks) = (shape.into(), chunks.into());
        assert!(population > 0, "choice: population is 0, there is nothing to choose from");
        if let Some(probabilities) = probabilities {
            check(probabilities, population);
        }
        let count: usize = shape.iter().product();
        let possible = probabilities.map_or(population, |all| all.iter().filter(|one| **one > 0.0).count());
        assert!(
            replace || count <= possible,
            "choice: shape {shape:?} wants {count} things, but without replacement there are {possible}"
        );
        let flat = match (replace, probabilities) {
            (true, None) => return self.integers(0, population as i128, shape, chunks),
            (true, Some(probabilities)) => {
                return self.random::<f64>(shape, chunks).digitize(&edges(probabilities));
            }
            (false, None) => self.permutation(population, Chunks::Auto).split(&[count], 0).remove(0),
            (false, Some(probabilities)) => {
                let times = self.exponential::<f64>(1.0, [population], Chunks::Auto);
                times.derive::<f64, _>(race(&times.node, probabilities)).argtopk(count, 0)
            }
        };
        let lengths: Vec<isize> = shape.iter().map(|length| *length as isize).collect();
        flat.reshape(lengths).rechunk(chunks)
    }
}

#[track_caller]
fn check(probabilities: &[f64], population: usize) {
    assert!(
        probabilities.len() == population,
        "choice: probabilities has {} elements, it must have one for each of {population} things",
        probabilities.len()
    );
    for (place, probability) in probabilities.iter().enumerate() {
        let is_probability = (0.0..=1.0).contains(probability);
        assert!(is_probability, "choice: probabilities[{place}] is {probability}, it must be from 0 to 1");
    }
    let sum: f64 = probabilities.iter().sum();
    assert!((sum - 1.0).abs() <= SUM_TOLERANCE, "choice: the sum of probabilities is {sum}, it must be 1");
}

/// The sums of the probabilities up to each thing but the last that can be chosen: a number from 0 to below
/// 1 chooses the thing before whose edge it lies.
fn edges(probabilities: &[f64]) -> Vec<f64> {
    let last = probabilities.iter().rposition(|probability| *probability > 0.0).unwrap_or(0);
    let sum: f64 = probabilities.iter().sum();
    let mut edge = 0.0;
    let edges = probabilities[..last].iter().map(|probability| {
        edge += probability / sum;
        edge
    });
    edges.collect()
}

/// When each thing arrives that is as fast as it is probable, as negative numbers: the first are the largest.
fn race(times: &Arc<Node>, probabilities: &[f64]) -> Arc<Node> {
    let probabilities = probabilities.to_vec();
    custom_node("choice", vec![Arc::clone(times)], times.grid.clone(), move |client, inputs| {
        let grid = &inputs[0].grid;
        let probabilities: Future<Vec<f64>> = client.scatter(probabilities.clone())?;
        let blocks = inputs[0].typed::<f64>().into_iter().enumerate();
        let calls = blocks.map(|(place, block)| (block, grid.region(place).0[0], &probabilities));
        Ok(client.map(arrivals, calls))
    })
}

fn arrivals(times: &ArrayD<f64>, start: usize, probabilities: &[f64]) -> ArrayD<f64> {
    ArrayD::from_shape_fn(times.raw_dim(), |place| -times[&place] / probabilities[start + place[0]])
}
