//! Distributions whose elements take a few draws each, or are made of numbers of other distributions.

use super::{
    math::{exp, ln, ln_1p, sin_cos_turns},
    rejection::{Draws, ln_gamma, poisson},
};
use serde::{Deserialize, Serialize};
use std::f64::consts::{E, PI, TAU};

/// How many things at most are drawn from an urn one after the other.
const DRAWN_MAX: u64 = 10;

/// The largest concentration for which angles are found by rejection; beyond it they are normally distributed, within the
/// precision of a number.
const CONCENTRATION_MAX: f64 = 1e8;

/// Such a distribution, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Variate {
    /// How many trials fail before so many succeed, with this probability each.
    NegativeBinomial { successes: f64, probability: f64 },
    /// How many things of the good kind are among so many that are drawn without replacement.
    Hypergeometric { good: u64, bad: u64, drawn: u64 },
    /// Whole numbers `k` whose probabilities are as `probability^k / k`.
    LogSeries { probability: f64 },
    /// Sums of squared normal numbers, whose means have this sum of squares.
    NoncentralChiSquare { freedom: f64, noncentrality: f64 },
    /// Angles around a mean one.
    VonMises { mean: f64, concentration: f64 },
    /// Inverse Gaussian numbers.
    Wald { mean: f64, scale: f64 },
    /// Whole numbers `k` whose probabilities are as `k^-exponent`.
    Zipf { exponent: f64 },
}

impl Variate {
    /// NumPy's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NegativeBinomial { .. } => "negative_binomial",
            Self::Hypergeometric { .. } => "hypergeometric",
            Self::LogSeries { .. } => "logseries",
            Self::NoncentralChiSquare { .. } => "noncentral_chisquare",
            Self::VonMises { .. } => "vonmises",
            Self::Wald { .. } => "wald",
            Self::Zipf { .. } => "zipf",
        }
    }

    pub(super) fn element(self, draws: &mut Draws) -> f64 {
        match self {
            Self::NegativeBinomial { successes, probability } => {
                let mean = exp(ln_gamma(successes, draws)) * ((1.0 - probability) / probability);
                poisson(mean, draws)
            }
            Self::Hypergeometric { good, bad, drawn } => hypergeometric(good, bad, drawn, draws) as f64,
            Self::LogSeries { probability } => log_series(probability, draws),
            Self::NoncentralChiSquare { freedom, noncentrality } => {
                let more = poisson(noncentrality / 2.0, draws);
                2.0 * exp(ln_gamma(freedom / 2.0 + more, draws))
            }
            Self::VonMises { mean, concentration } => wrapped(mean + angle(concentration, draws)),
            Self::Wald { mean, scale } => wald(mean, scale, draws),
            Self::Zipf { exponent } => zipf(exponent, draws),
        }
    }
}

/// The number of good things among those drawn.
fn hypergeometric(good: u64, bad: u64, drawn: u64, draws: &mut Draws) -> u64 {
    let all = good + bad;
    // Of fewer things drawn, and of the rarer kind: the rest follows from these.
    if drawn > all - drawn {
        return good - hypergeometric(good, bad, all - drawn, draws);
    }
    if good > bad {
        return drawn - hypergeometric(bad, good, drawn, draws);
    }
    if drawn <= DRAWN_MAX {
        let (mut left, mut found) = (good, 0);
        for rest in (all - drawn + 1..=all).rev() {
            if draws.uniform() * (rest as f64) < left as f64 {
                left -= 1;
                found += 1;
            }
        }
        return found;
    }
    // The ratio of uniform numbers (Stadlober, *The ratio of uniforms approach for generating discrete random
    // variates*, 1990).
    let [m, g, n] = [drawn, good, all].map(|count| count as f64);
    let share = g / n;
    let variance = m * share * (1.0 - share) * (n - m) / (n - 1.0);
    let center = m * share + 0.5;
    let width = (8.0 / E).sqrt() * (variance + 0.5).sqrt() + 3.0 - 2.0 * (3.0 / E).sqrt();
    let mode = ((m + 1.0) * (g + 1.0) / (n + 2.0)).floor();
    // The logarithm of one over the probability, but for a constant.
    let rarity = |k: f64| {
        let factorial = |number: f64| libm::lgamma(number + 1.0);
        factorial(k) + factorial(g - k) + factorial(m - k) + factorial(n - g - m + k)
    };
    let least = rarity(mode);
    loop {
        let u = draws.positive();
        let k = (center + width * (draws.uniform() - 0.5) / u).floor();
        if (0.0..=m.min(g)).contains(&k) && 2.0 * ln(u) <= least - rarity(k) {
            return k as u64;
        }
    }
}

/// Kemp, *Efficient generation of logarithmically distributed pseudo-random variables*, 1981.
fn log_series(probability: f64, draws: &mut Draws) -> f64 {
    let v = draws.positive();
    if v >= probability {
        return 1.0;
    }
    let q = -libm::expm1(ln_1p(-probability) * draws.positive());
    if v <= q * q {
        (1.0 + ln(v) / ln(q)).floor()
    } else if v >= q {
        1.0
    } else {
        2.0
    }
}

/// An angle around 0 (Best and Fisher, *Efficient simulation of the von Mises distribution*, 1979).
fn angle(concentration: f64, draws: &mut Draws) -> f64 {
    let k = concentration;
    if k < 1e-8 {
        return PI * (2.0 * draws.uniform() - 1.0);
    }
    if k > CONCENTRATION_MAX {
        return draws.normal() / k.sqrt();
    }
    let r = if k < 1e-5 {
        1.0 / k + k
    } else {
        let t = 1.0 + (1.0 + 4.0 * k * k).sqrt();
        let rho = (t - (2.0 * t).sqrt()) / (2.0 * k);
        (1.0 + rho * rho) / (2.0 * rho)
    };
    loop {
        let z = sin_cos_turns(draws.uniform() / 2.0).1;
        let cosine = (1.0 + r * z) / (r + z);
        let c = k * (r - cosine);
        let v = draws.positive();
        if c * (2.0 - c) > v || ln(c / v) + 1.0 >= c {
            let angle = libm::acos(cosine.clamp(-1.0, 1.0));
            return if draws.uniform() < 0.5 { -angle } else { angle };
        }
    }
}

/// The same angle from -pi to below pi.
fn wrapped(angle: f64) -> f64 {
    if angle.abs() <= PI { angle } else { (angle + PI).rem_euclid(TAU) - PI }
}

/// Michael, Schucany and Haas, *Generating random variates using transformations with multiple roots*, 1976.
fn wald(mean: f64, scale: f64, draws: &mut Draws) -> f64 {
    let normal = draws.normal();
    let half = mean * normal * normal / (2.0 * scale);
    // The smaller root over the mean; the larger one is one over it.
    let root = 1.0 / (1.0 + half + (half * (half + 2.0)).sqrt());
    if draws.uniform() * (1.0 + root) <= 1.0 { mean * root } else { mean / root }
}

/// Devroye, *Non-uniform random variate generation*, 1986, chapter X.6. Numbers beyond 2^62 are left out.
fn zipf(exponent: f64, draws: &mut Draws) -> f64 {
    let (a, most) = (exponent - 1.0, (1u64 << 62) as f64);
    let b_less_one = libm::expm1(a * std::f64::consts::LN_2);
    if !b_less_one.is_finite() {
        return 1.0;
    }
    let least = exp(-a * ln(most));
    loop {
        let u = least + (1.0 - least) * draws.positive();
        let k = exp(-ln(u) / a).floor().clamp(1.0, most);
        let t_less_one = libm::expm1(a * ln_1p(1.0 / k));
        let chance = (t_less_one + 1.0) / (b_less_one + 1.0) * b_less_one;
        if draws.uniform() * k * t_less_one <= chance {
            return k;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{BitGenerator, Key, Rejection},
        *,
    };

    const COUNT: u64 = 40_000;

    fn numbers(variate: Variate) -> Vec<f64> {
        let key = Key { generator: BitGenerator::Philox, seed: 12, stream: 6 };
        (0..COUNT).map(|index| Rejection::Variate(variate).element(key, index)).collect()
    }

    /// Pearson's test of whole numbers from `least` on, of probabilities that are exact but for a factor.
    fn assert_frequencies(variate: Variate, least: u64, weight: impl Fn(f64) -> f64) {
        let weights: Vec<f64> = (least..least + 4000).map(|number| weight(number as f64)).collect();
        let total: f64 = weights.iter().sum();
        let mut counts = vec![0.0; weights.len()];
        for number in numbers(variate) {
            let place = number - least as f64;
            assert!(place >= 0.0 && place.fract() == 0.0, "{variate:?} gives {number}");
            if let Some(count) = counts.get_mut(place as usize) {
                *count += 1.0;
            }
        }
        let (mut chi, mut bins) = (0.0, 0.0);
        for (count, weight) in counts.iter().zip(weights) {
            let expected = weight / total * COUNT as f64;
            if expected > 10.0 {
                chi += (count - expected) * (count - expected) / expected;
                bins += 1.0;
            }
        }
        assert!(
            bins > 2.0 && chi < bins + 5.0 * (2.0f64 * bins).sqrt(),
            "{variate:?}: {chi} for {bins} bins"
        );
    }

    /// The test of Kolmogorov and Smirnov, which one sample in a thousand fails.
    fn assert_distribution(variate: Variate, cumulative: impl Fn(f64) -> f64) {
        let mut numbers = numbers(variate);
        numbers.sort_by(f64::total_cmp);
        let count = COUNT as f64;
        let distance = numbers.iter().enumerate().map(|(place, number)| {
            let (chance, place) = (cumulative(*number), place as f64);
            (chance - place / count).max((place + 1.0) / count - chance)
        });
        let distance = distance.fold(0.0, f64::max) * count.sqrt();
        assert!(distance < 1.95, "{variate:?}: the distance is {distance}");
    }

    fn ln_factorial(number: f64) -> f64 {
        libm::lgamma(number + 1.0)
    }

    #[test]
    fn frequencies_are_those_of_the_probabilities() {
        for (successes, probability) in [(1.0, 0.5), (2.5, 0.3), (40.0, 0.7)] {
            assert_frequencies(Variate::NegativeBinomial { successes, probability }, 0, |k| {
                exp(libm::lgamma(k + successes) - ln_factorial(k) + k * ln_1p(-probability))
            });
        }
        for (good, bad, drawn) in [(5, 7, 4), (30, 20, 25), (400, 300, 200), (300, 400, 600), (900, 100, 5)] {
            let [g, b, m] = [good, bad, drawn].map(|count| count as f64);
            assert_frequencies(Variate::Hypergeometric { good, bad, drawn }, 0, |k| {
                if k > g || m - k > b || k > m {
                    return 0.0;
                }
                let choices = |n: f64, k: f64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
                exp(choices(g, k) + choices(b, m - k) - choices(g + b, m))
            });
        }
        for probability in [0.2, 0.9, 0.99] {
            assert_frequencies(Variate::LogSeries { probability }, 1, |k| exp(k * ln(probability)) / k);
        }
        for exponent in [2.0, 3.5] {
            assert_frequencies(Variate::Zipf { exponent }, 1, |k| {
                // The weights of all numbers beyond those that are listed lie on the last one.
                let tail = if k == 4000.0 { k / (exponent - 1.0) } else { 1.0 };
                tail * exp(-exponent * ln(k))
            });
        }
    }

    #[test]
    fn real_numbers_have_the_distributions() {
        let normal = |x: f64| libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0;
        for (mean, scale) in [(1.0, 1.0), (3.0, 0.5), (0.2, 30.0)] {
            assert_distribution(Variate::Wald { mean, scale }, |x| {
                let root = (scale / x).sqrt();
                normal(root * (x / mean - 1.0)) + exp(2.0 * scale / mean) * normal(-root * (x / mean + 1.0))
            });
        }
        // Of two degrees of freedom: a mixture of gamma numbers of whole shapes.
        assert_distribution(Variate::NoncentralChiSquare { freedom: 2.0, noncentrality: 3.0 }, |x| {
            let (mut term, mut below, mut weight, mut total) =
                (exp(-x / 2.0), 1.0 - exp(-x / 2.0), exp(-1.5), 0.0);
            for number in 1..60 {
                total += weight * below;
                weight *= 1.5 / f64::from(number);
                term *= x / 2.0 / f64::from(number);
                below -= term;
            }
            total
        });
        for concentration in [1e-9, 1e-6, 0.5, 4.0, 200.0] {
            let density = |angle: f64| exp(concentration * (libm::cos(angle) - 1.0));
            let step = TAU / 20_000.0;
            let mut sums = vec![0.0];
            for place in 0..20_000 {
                let sum: f64 = sums[place] + density(-PI + (place as f64 + 0.5) * step);
                sums.push(sum);
            }
            assert_distribution(Variate::VonMises { mean: 0.0, concentration }, |angle| {
                let place = ((angle + PI) / step).clamp(0.0, 19_999.0);
                let (before, after) = (sums[place as usize], sums[place as usize + 1]);
                (before + place.fract() * (after - before)) / sums[20_000]
            });
        }
    }

    #[test]
    fn what_is_certain_is_so() {
        for (variate, wanted) in [
            (Variate::NegativeBinomial { successes: 3.0, probability: 1.0 }, 0.0),
            (Variate::Hypergeometric { good: 0, bad: 900, drawn: 400 }, 0.0),
            (Variate::Hypergeometric { good: 900, bad: 0, drawn: 400 }, 400.0),
            (Variate::Hypergeometric { good: 5, bad: 3, drawn: 8 }, 5.0),
            (Variate::LogSeries { probability: 0.0 }, 1.0),
            (Variate::Zipf { exponent: 2000.0 }, 1.0),
        ] {
            assert!(numbers(variate)[..100].iter().all(|number| *number == wanted), "{variate:?}");
        }
        let variate = Variate::Zipf { exponent: 1.0 + 1e-9 };
        assert!(numbers(variate)[..100].iter().all(|number| (1.0..=4.7e18).contains(number)));
    }
}
