//! Random arrays of further distributions: by the test of Kolmogorov and Smirnov where the distribution has a formula, by
//! frequencies, and the same elements in any chunks.

use crate::arrays::with_client;
use maniple::{Array, array::Random};

const COUNT: usize = 20_000;

/// One sample in a thousand fails.
fn assert_distribution(name: &str, numbers: &Array<f64>, cumulative: impl Fn(f64) -> f64) {
    let mut numbers = numbers.compute().unwrap().into_raw_vec_and_offset().0;
    numbers.sort_by(f64::total_cmp);
    let count = numbers.len() as f64;
    let distance = numbers.iter().enumerate().map(|(place, number)| {
        let (chance, place) = (cumulative(*number), place as f64);
        (chance - place / count).max((place + 1.0) / count - chance)
    });
    let distance = distance.fold(0.0, f64::max) * count.sqrt();
    assert!(distance < 1.95, "{name}: the distance is {distance}");
}

#[test]
fn numbers_have_the_distributions_of_their_names() {
    with_client(|client| {
        let random = client.random(23);
        let (shape, chunks) = ([COUNT], 3000);
        macro_rules! check {
            ($name:ident($($parameter:expr),*), $cumulative:expr) => {
                assert_distribution(stringify!($name), &random.$name($($parameter,)* shape, chunks), $cumulative)
            };
        }
        check!(gumbel(1.0, 2.0), |x| (-(-(x - 1.0) / 2.0).exp()).exp());
        check!(laplace(-1.0, 3.0), |x| {
            let half = (-(x + 1.0f64).abs() / 3.0).exp() / 2.0;
            if x < -1.0 { half } else { 1.0 - half }
        });
        check!(logistic(2.0, 0.5), |x| 1.0 / (1.0 + (-(x - 2.0) / 0.5).exp()));
        check!(pareto(3.0), |x| 1.0 - (1.0 + x).powf(-3.0));
        check!(power(2.5), |x| x.powf(2.5));
        check!(rayleigh(2.0), |x| 1.0 - (-x * x / 8.0).exp());
        check!(standard_cauchy(), |x| 0.5 + x.atan() / std::f64::consts::PI);
        check!(standard_t(2.0), |x| 0.5 + x / (2.0 * (2.0 + x * x).sqrt()));
        check!(weibull(1.7), |x| 1.0 - (-x.powf(1.7)).exp());
        check!(chisquare(2.0), |x| 1.0 - (-x / 2.0).exp());
        check!(f(2.0, 5.0), |x| 1.0 - (1.0 + 2.0 * x / 5.0).powf(-2.5));
        check!(triangular(-1.0, 0.0, 3.0), |x| {
            if x < 0.0 { (x + 1.0) * (x + 1.0) / 4.0 } else { 1.0 - (3.0 - x) * (3.0 - x) / 12.0 }
        });
        let mean = random.noncentral_f::<f64>(3.0, 40.0, 2.0, shape, chunks).mean().compute().unwrap();
        assert!((mean - 40.0 * 5.0 / (3.0 * 38.0)).abs() < 0.05, "noncentral_f has the mean {mean}");
    });
}

#[test]
fn trials_until_one_succeeds_are_as_often_as_due() {
    with_client(|client| {
        let numbers = client.random(5).geometric(0.3, [COUNT], 3000).compute().unwrap();
        let mut chance = 0.3;
        for trials in 1..20 {
            let expected = chance * COUNT as f64;
            let count = numbers.iter().filter(|number| **number == trials).count() as f64;
            assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{count} of {trials}, not {expected}");
            chance *= 0.7;
        }
        assert!(client.random(5).geometric(1.0, [100], 30).eq(1).all().compute().unwrap());
    });
}

#[test]
fn elements_do_not_depend_on_chunks() {
    with_client(|client| {
        let all = |random: &Random, chunks: usize| {
            let shape = [50];
            let whole = [
                random.geometric(0.2, shape, chunks),
                random.negative_binomial(4.5, 0.2, shape, chunks),
                random.hypergeometric(40, 30, 20, shape, chunks),
                random.logseries(0.7, shape, chunks),
                random.zipf(1.5, shape, chunks),
            ];
            let real = [
                random.noncentral_chisquare::<f64>(2.0, 1.0, shape, chunks),
                random.vonmises(3.0, 2.0, shape, chunks),
                random.wald(1.0, 2.0, shape, chunks),
                random.standard_t(3.0, shape, chunks),
                random.triangular(0.0, 0.5, 1.0, shape, chunks),
            ];
            let bits = |numbers: &Array<f64>| numbers.compute().unwrap().mapv(f64::to_bits);
            let whole: Vec<_> = whole.iter().map(|numbers| numbers.compute().unwrap()).collect();
            (whole, real.iter().map(bits).collect::<Vec<_>>())
        };
        assert_eq!(all(&client.random(3), 7), all(&client.random(3), 50));
        assert_ne!(all(&client.random(3), 50), all(&client.random(4), 50));
    });
}
