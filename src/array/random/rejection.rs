//! Distributions whose elements take as many draws as it needs: by rejection, or by search.
//!
//! The draws of an element are Philox's, of the element's index and the number of the draw, for both generators. So how
//! many draws an element takes changes no other element.

use super::{
    Key,
    math::{exp, ln, ln_1p, sin_cos_turns},
    philox, unit,
    variates::Variate,
};

/// The mean up to which numbers of events are found by search, which takes as many steps as the number.
const SEARCH_MAX: f64 = 10.0;

/// A distribution that takes draws one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rejection {
    /// Gamma numbers of this shape and the scale 1.
    Gamma(f64),
    Beta(f64, f64),
    /// How many events happen of which so many happen on average.
    Poisson(f64),
    /// How many of so many trials succeed, with this probability each.
    Binomial(u64, f64),
    Variate(Variate),
}

impl Rejection {
    /// Element `index` of a stream.
    pub(crate) fn element(self, key: Key, index: u64) -> f64 {
        let mut draws = Draws { key, index, count: 0 };
        match self {
            Self::Gamma(shape) => exp(ln_gamma(shape, &mut draws)),
            Self::Beta(a, b) => {
                let (left, right) = (ln_gamma(a, &mut draws), ln_gamma(b, &mut draws));
                // Both may be too small for a number.
                let larger = left.max(right);
                let (left, right) = (exp(left - larger), exp(right - larger));
                left / (left + right)
            }
            Self::Poisson(mean) => poisson(mean, &mut draws),
            Self::Binomial(count, probability) => binomial(count, probability, &mut draws) as f64,
            Self::Variate(variate) => variate.element(&mut draws),
        }
    }
}

/// How many of `count` things go to each of several kinds, for row `index` of a stream. What is left of the
/// probabilities is that of the last kind.
pub(crate) fn multinomial(key: Key, index: u64, count: u64, probabilities: &[f64], row: &mut [i64]) {
    let mut draws = Draws { key, index, count: 0 };
    let (mut left, mut rest) = (count, 1.0);
    let last = row.len() - 1;
    for (number, probability) in row[..last].iter_mut().zip(probabilities) {
        let chosen =
            if rest > 0.0 { binomial(left, (probability / rest).clamp(0.0, 1.0), &mut draws) } else { 0 };
        *number = chosen as i64;
        left -= chosen;
        rest -= probability;
    }
    row[last] = left as i64;
}

/// The draws of one element.
pub(super) struct Draws {
    key: Key,
    index: u64,
    count: u32,
}

impl Draws {
    fn draw(&mut self) -> u64 {
        self.count += 1;
        philox::draw(self.key, self.index, self.count - 1)
    }

    /// A number from 0 to below 1.
    pub(super) fn uniform(&mut self) -> f64 {
        unit(self.draw())
    }

    /// A number above 0, up to 1.
    pub(super) fn positive(&mut self) -> f64 {
        1.0 - self.uniform()
    }

    pub(super) fn normal(&mut self) -> f64 {
        let distance = (-2.0 * ln(self.positive())).sqrt();
        distance * sin_cos_turns(self.uniform()).1
    }
}

/// The logarithm of a gamma number (Marsaglia and Tsang, *A simple method for generating gamma variables*, 2000).
pub(super) fn ln_gamma(shape: f64, draws: &mut Draws) -> f64 {
    if shape == 0.0 {
        return f64::NEG_INFINITY;
    }
    if shape < 1.0 {
        let boost = ln(draws.positive()) / shape;
        return ln_gamma(shape + 1.0, draws) + boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = draws.normal();
        let root = 1.0 + c * x;
        if root <= 0.0 {
            continue;
        }
        let (v, ln_v) = (root * root * root, 3.0 * ln(root));
        if ln(draws.positive()) < 0.5 * x * x + d - d * v + d * ln_v {
            return ln(d) + ln_v;
        }
    }
}

/// What Stirling's formula lacks of the logarithm of `k!`, written as `(k + 1/2) ln(k + 1) - (k + 1) + ln(2 pi) / 2`.
fn stirling_rest(k: f64) -> f64 {
    if k < 10.0 {
        let stirling = (k + 0.5) * ln(k + 1.0) - (k + 1.0) + LN_ROOT_TAU;
        return libm::lgamma(k + 1.0) - stirling;
    }
    let square = (k + 1.0) * (k + 1.0);
    (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)
}

/// `ln(2 pi) / 2`
const LN_ROOT_TAU: f64 = 0.918_938_533_204_672_8;

pub(super) fn poisson(mean: f64, draws: &mut Draws) -> f64 {
    if mean < SEARCH_MAX {
        let mut probability = exp(-mean);
        let (mut number, mut rest) = (0.0, draws.uniform());
        // So many events have a probability below 2^-53.
        while rest >= probability && number < 128.0 {
            rest -= probability;
            number += 1.0;
            probability *= mean / number;
        }
        return number;
    }
    // PTRS (Hörmann, *The transformed rejection method for generating Poisson random variables*, 1993).
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.02483 * b;
    let ln_inverse_alpha = ln(1.1239 + 1.1328 / (b - 3.4));
    let acceptance = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = draws.uniform() - 0.5;
        let v = draws.positive();
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
        if us >= 0.07 && v <= acceptance {
            return k;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        let ln_probability =
            (k + 1.0 - mean) + k * ln(mean / (k + 1.0)) - 0.5 * ln(k + 1.0) - LN_ROOT_TAU - stirling_rest(k);
        if ln(v) + ln_inverse_alpha - ln(a / (us * us) + b) <= ln_probability {
            return k;
        }
    }
}

fn binomial(count: u64, probability: f64, draws: &mut Draws) -> u64 {
    if probability > 0.5 {
        return count - binomial(count, 1.0 - probability, draws);
    }
    let n = count as f64;
    let (p, q) = (probability, 1.0 - probability);
    let mean = n * p;
    if mean < SEARCH_MAX {
        let mut chance = exp(n * ln_1p(-p));
        let (mut number, mut rest) = (0, draws.uniform());
        while rest >= chance && number < count.min(128) {
            rest -= chance;
            number += 1;
            chance *= (n - number as f64 + 1.0) * p / (number as f64 * q);
        }
        return number;
    }
    // BTRS (Hörmann, *The generation of binomial random variates*, 1993).
    let spread = (mean * q).sqrt();
    let b = 1.15 + 2.53 * spread;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let acceptance = 0.92 - 4.2 / b;
    let alpha = (2.83 + 5.1 / b) * spread;
    let odds = p / q;
    let mode = ((n + 1.0) * p).floor();
    loop {
        let u = draws.uniform() - 0.5;
        let v = draws.positive();
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + mean + 0.5).floor();
        if !(0.0..=n).contains(&k) {
            continue;
        }
        if us >= 0.07 && v <= acceptance {
            return k as u64;
        }
        let bound = (mode + 0.5) * ln((mode + 1.0) / (odds * (n - mode + 1.0)))
            + (n + 1.0) * ln((n - mode + 1.0) / (n - k + 1.0))
            + (k + 0.5) * ln(odds * (n - k + 1.0) / (k + 1.0))
            + stirling_rest(mode)
            + stirling_rest(n - mode)
            - stirling_rest(k)
            - stirling_rest(n - k);
        if ln(v * alpha / (a / (us * us) + b)) <= bound {
            return k as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BitGenerator;
    use super::*;

    const COUNT: u64 = 40_000;

    /// Mean and variance are those of the distribution, to within five of their standard errors.
    fn assert_moments(rejection: Rejection, mean: f64, variance: f64, fourth: f64) {
        let key = Key { generator: BitGenerator::Philox, seed: 5, stream: 9 };
        let numbers: Vec<f64> = (0..COUNT).map(|index| rejection.element(key, index)).collect();
        let own_mean = numbers.iter().sum::<f64>() / COUNT as f64;
        let own_variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / COUNT as f64;
        let error = 5.0 * (variance / COUNT as f64).sqrt();
        assert!((own_mean - mean).abs() <= error, "{rejection:?} has the mean {own_mean}, not {mean}");
        let error = 5.0 * ((fourth - variance * variance) / COUNT as f64).sqrt();
        let distance = (own_variance - variance).abs();
        assert!(distance <= error, "{rejection:?} has the variance {own_variance}, not {variance}");
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        for shape in [0.1, 0.7, 1.0, 2.5, 40.0] {
            assert_moments(Rejection::Gamma(shape), shape, shape, 3.0 * shape * shape + 6.0 * shape);
        }
        for mean in [0.01, 0.9, 9.9, 10.0, 33.3, 1e4, 1e12] {
            assert_moments(Rejection::Poisson(mean), mean, mean, mean + 3.0 * mean * mean);
        }
        for (count, p) in
            [(1, 0.3), (20, 0.1), (20, 0.95), (100, 0.5), (1000, 0.2), (1 << 40, 1e-9), (1 << 40, 0.4)]
        {
            let (n, q) = (count as f64, 1.0 - p);
            let variance = n * p * q;
            let fourth = variance * (1.0 + (3.0 * n - 6.0) * p * q);
            assert_moments(Rejection::Binomial(count, p), n * p, variance, fourth);
        }
        for (a, b) in [(0.5, 0.5), (2.0, 3.0), (1e-3, 2e-3), (30.0, 0.2)] {
            let sum: f64 = a + b;
            let variance = a * b / (sum * sum * (sum + 1.0));
            let excess = 6.0 * ((a - b) * (a - b) * (sum + 1.0) - a * b * (sum + 2.0))
                / (a * b * (sum + 2.0) * (sum + 3.0));
            assert_moments(Rejection::Beta(a, b), a / sum, variance, (excess + 3.0) * variance * variance);
        }
    }

    #[test]
    fn what_is_certain_is_so() {
        let key = Key { generator: BitGenerator::Philox, seed: 1, stream: 0 };
        let of = |rejection: Rejection| rejection.element(key, 3);
        assert_eq!(of(Rejection::Gamma(0.0)), 0.0);
        assert_eq!(of(Rejection::Poisson(0.0)), 0.0);
        assert_eq!([of(Rejection::Binomial(0, 0.5)), of(Rejection::Binomial(7, 0.0))], [0.0; 2]);
        assert_eq!(
            [of(Rejection::Binomial(7, 1.0)), of(Rejection::Binomial(1 << 50, 1.0))],
            [7.0, (1u64 << 50) as f64]
        );
        let mut row = [0; 3];
        multinomial(key, 0, 1000, &[0.0, 1.0, 0.0], &mut row);
        assert_eq!(row, [0, 1000, 0]);
    }

    /// Frequencies of small numbers of events, by Pearson's test of probabilities that are exact.
    #[test]
    fn frequencies_are_those_of_the_probabilities() {
        let key = Key { generator: BitGenerator::Xoshiro256PlusPlus, seed: 2, stream: 4 };
        for (rejection, mean) in [(Rejection::Poisson(3.0), 3.0), (Rejection::Poisson(12.0), 12.0)] {
            let mut counts = [0.0; 40];
            for index in 0..COUNT {
                counts[rejection.element(key, index).min(39.0) as usize] += 1.0;
            }
            let mut chance = exp(-mean);
            let (mut chi, mut bins) = (0.0, 0.0);
            for (number, count) in counts.iter().enumerate() {
                let expected = chance * COUNT as f64;
                if expected > 10.0 {
                    chi += (count - expected) * (count - expected) / expected;
                    bins += 1.0;
                }
                chance *= mean / (number + 1) as f64;
            }
            assert!(chi < bins + 5.0 * (2.0f64 * bins).sqrt(), "{rejection:?}: {chi} for {bins} bins");
        }
    }
}
