//! Numbers at the edges of their types: zeros with a sign, infinities, sums that exceed the type.

use crate::arrays::with_client;
use maniple::{
    Array, Client,
    array::{Axes, Integer, Norm, Real},
};
use ndarray::{Array1, ArrayD};
use num_complex::Complex;
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

const INF: f64 = f64::INFINITY;

/// Ways to cut so many elements, with empty chunks in some places.
fn cuts(length: usize) -> Vec<Vec<usize>> {
    let mut cuts = vec![vec![length], vec![1; length], vec![0, length], vec![length, 0]];
    cuts.extend((1..length).map(|at| vec![at, length - at]));
    cuts.retain(|cut| !cut.is_empty());
    cuts
}

fn cut<T: maniple::array::Element>(client: &Client, values: &[T], sizes: &[usize]) -> Array<T> {
    let values = Array1::from_vec(values.to_vec());
    client.from_ndarray(&values, maniple::array::Chunks::Lists(vec![sizes.to_vec()])).unwrap()
}

/// The answer of one element, for each way to cut the values.
fn each_cut(values: &[f64], answer: impl Fn(Array<f64>) -> f64 + Sync) -> Vec<f64> {
    let answers = std::sync::Mutex::new(Vec::new());
    with_client(|client| {
        for sizes in cuts(values.len()) {
            answers.lock().unwrap().push(answer(cut(client, values, &sizes)));
        }
    });
    answers.into_inner().unwrap()
}

#[track_caller]
fn same_for_each_cut(values: &[f64], expected: f64, answer: impl Fn(Array<f64>) -> f64 + Sync) {
    let answers = each_cut(values, answer);
    let same = |found: &f64| found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
    assert!(answers.iter().all(same), "{values:?}: {answers:?}, not {expected:?}");
}

#[test]
fn the_sign_of_a_zero_does_not_depend_on_the_chunks() {
    let zeros = [-0.0; 5];
    same_for_each_cut(&zeros, -0.0, |x| x.sum().compute().unwrap());
    same_for_each_cut(&zeros, -0.0, |x| x.mean().compute().unwrap());
    same_for_each_cut(&zeros, -0.0, |x| x.cumsum(0).compute().unwrap()[[4]]);
    same_for_each_cut(&zeros, -0.0, |x| x.prod().compute().unwrap());
    same_for_each_cut(&zeros, -0.0, |x| x.cumprod(0).compute().unwrap()[[4]]);
    same_for_each_cut(&zeros, 0.0, |x| x.nancumsum(0).compute().unwrap()[[4]].abs());
    same_for_each_cut(&[-0.0, 0.0, -0.0], 0.0, |x| x.sum().compute().unwrap());
    same_for_each_cut(&[0.0, -0.0, 5.0], -0.0, |x| x.min().compute().unwrap());
    same_for_each_cut(&[-0.0, 0.0, -5.0], 0.0, |x| x.max().compute().unwrap());
    same_for_each_cut(&[0.0, f64::NAN, -0.0], -0.0, |x| x.nanmin().compute().unwrap());
    same_for_each_cut(&[-0.0, f64::NAN, 0.0], 0.0, |x| x.nanmax().compute().unwrap());
    with_client(|client| {
        // Along an axis within blocks, between them, and where a step of a kernel adds few elements.
        for (length, chunk) in [(4, 4), (4, 1), (3, 2), (200, 200), (200, 60)] {
            let x = client.full(-0.0, [length, 3], [chunk, 3]);
            let sums: [Array<f64>; 3] =
                [x.sum_axis(0), x.transpose().sum_axis(1), x.transpose().rechunk(200).sum_axis(1)];
            for sums in sums {
                assert!(sums.compute().unwrap().iter().all(|sum| sum.to_bits() == (-0.0_f64).to_bits()));
            }
            let x = client.full(Complex::new(-0.0_f32, -0.0), [length], [chunk]);
            let sum = x.sum().compute().unwrap();
            assert!(sum.re.is_sign_negative() && sum.im.is_sign_negative(), "{length} by {chunk}: {sum:?}");
        }
        let none = client.zeros::<f64>([0, 3], 1);
        assert_eq!(none.sum().compute().unwrap().to_bits(), 0);
        assert_eq!(none.sum_axis(0).compute().unwrap().mapv(f64::to_bits).sum(), 0);
        let [clipped, turned] = [(0.0, 1.0), (-1.0, -0.0)].map(|(low, high)| {
            cut(client, &[-0.0, 0.0, 3.0, f64::NAN], &[3, 1]).clip(low, high).compute().unwrap()
        });
        let bits =
            |values: &ArrayD<f64>| values.iter().take(3).map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&clipped), [-0.0, 0.0, 1.0].map(f64::to_bits));
        assert_eq!(bits(&turned), [-0.0, 0.0, -0.0].map(f64::to_bits));
        assert!(clipped[[3]].is_nan() && turned[[3]].is_nan());
        let x = cut(client, &[1.0, 2.0], &[1, 1]);
        assert!(x.clip(f64::NAN, 3.0).is_nan().all().compute().unwrap());
        assert!(x.clip(0.0, f64::NAN).is_nan().all().compute().unwrap());
    });
}

#[test]
fn variances_of_any_finite_numbers_are_not_nan() {
    let huge = [1e308, 1e308, -1e308];
    same_for_each_cut(&huge, INF, |x| x.var().compute().unwrap());
    same_for_each_cut(&huge, INF, |x| x.std().compute().unwrap());
    same_for_each_cut(&[1.5e308; 4], 0.0, |x| x.var().compute().unwrap());
    same_for_each_cut(&[INF, 1.0, 2.0], f64::NAN, |x| x.var().compute().unwrap());
    same_for_each_cut(&[1.0, 2.0, f64::NAN], f64::NAN, |x| x.var().compute().unwrap());
    same_for_each_cut(&[1.0, 2.0, 4.0], INF, |x| x.var_ddof(3.0).compute().unwrap());
    same_for_each_cut(&[1.0, 2.0, 4.0], INF, |x| x.std_ddof(7.0).compute().unwrap());
    same_for_each_cut(&[2.0, 2.0], f64::NAN, |x| x.var_ddof(2.0).compute().unwrap());
    same_for_each_cut(&[1.0, 2.0, 4.0], f64::NAN, |x| x.nanvar_ddof(3.0).compute().unwrap());
}

#[test]
fn means_and_norms_of_single_floats_are_calculated_with_64_bits() {
    with_client(|client| {
        let x = cut(client, &[3e38_f32, 2e38, 3e38, 0.0], &[2, 2]);
        assert_eq!(x.sum().compute().unwrap(), f32::INFINITY);
        assert_eq!(x.mean().compute().unwrap(), 2e38);
        assert_eq!(x.nanmean().compute().unwrap(), 2e38);
        assert_eq!(x.reshape([2, 2]).mean_axis(1).compute().unwrap().as_slice().unwrap(), [2.5e38, 1.5e38]);
        assert_eq!(x.reshape([2, 2]).nanmean_axis(0).compute().unwrap().as_slice().unwrap(), [3e38, 1e38]);
        let near = |found: f32, expected: f64| (f64::from(found) / expected - 1.0).abs() < 1e-7;
        let y = cut(client, &[3e30_f32, 4e30], &[1, 1]);
        assert!(near(y.norm().compute().unwrap(), 5e30));
        assert!(near(y.norm_axis(2.0, 0).compute().unwrap().sum(), 5e30));
        assert!(near(y.norm_axis(3.0, 0).compute().unwrap().sum(), 91_f64.cbrt() * 1e30));
        assert!(near(
            y.reshape([1, 2]).norm_axis(Norm::Frobenius, Axes::all()).compute().unwrap().sum(),
            5e30
        ));
        assert!((y.std().compute().unwrap() / 5e29 - 1.0).abs() < 1e-6);
        assert_eq!(
            cut(client, &[1e300_f64, 1e-300], &[1, 1]).norm_axis(INF, 0).compute().unwrap().sum(),
            1e300
        );
        let z = cut(client, &[Complex::new(3e38_f32, -3e38), Complex::new(1e38, -1e38)], &[1, 1]);
        assert_eq!(z.mean().compute().unwrap(), Complex::new(2e38, -2e38));
        let z = cut(client, &[Complex::new(3e30_f32, 4e30), Complex::new(0.0, 12e30)], &[1, 1]);
        assert!(near(z.norm().compute().unwrap(), 13e30));
    });
}

#[test]
fn integers_have_powers_of_any_exponent() {
    fn check<T: Integer>(client: &Client, table: &[(T, T, T)]) {
        let [bases, exponents, powers] =
            [0, 1, 2].map(|column| table.iter().map(|row| [row.0, row.1, row.2][column]).collect::<Vec<T>>());
        let found = cut(client, &bases, &[bases.len()]).pow(cut(client, &exponents, &[bases.len()]));
        assert_eq!(found.compute().unwrap().as_slice().unwrap(), powers, "of {}", T::DATA_TYPE);
    }
    with_client(|client| {
        let huge = 1 << 40;
        // 3^(2^62) is 1 in 64 bits, and so is any odd number's.
        check::<i64>(
            client,
            &[
                (1, huge, 1),
                (-1, huge + 1, -1),
                (-1, huge, 1),
                (0, huge, 0),
                (2, huge, 0),
                (3, 1 << 62, 1),
                (3, (1 << 62) + 5, 243),
                (-3, (1 << 62) + 3, -27),
                (-1, i64::MAX, -1),
                (1, -1, 0),
                (5, -huge, 0),
                (i64::MIN, huge, 0),
            ],
        );
        check::<u64>(
            client,
            &[
                (1, huge as u64, 1),
                (u64::MAX, (1 << 33) + 1, u64::MAX),
                (7, u64::MAX, 7_905_747_460_161_236_407),
            ],
        );
        check::<i32>(client, &[(-1, i32::MAX, -1), (3, i32::MAX, 2_863_311_531_u32 as i32)]);
        check::<u32>(client, &[(1, u32::MAX, 1), (u32::MAX, u32::MAX, u32::MAX)]);
        check::<u8>(client, &[(3, 255, 171), (255, 255, 255)]);
        let ones = client.ones::<i64>([3], 2).pow(huge);
        assert_eq!(ones.sum().compute().unwrap(), 3);
    });
}

#[test]
fn quantiles_of_infinite_and_huge_numbers_lie_between_their_neighbours() {
    let median = |x: Array<f64>| x.median(0).compute().unwrap().sum();
    same_for_each_cut(&[INF, INF], INF, median);
    same_for_each_cut(&[1.0, -INF], -INF, median);
    same_for_each_cut(&[1e308, -1e308], 0.0, median);
    same_for_each_cut(&[1e308, 1.2e308], 1.1e308, median);
    same_for_each_cut(&[INF, -INF], f64::NAN, median);
    same_for_each_cut(&[INF, 2.0, 1.0], 1.0, |x| x.quantile(0.0, 0).compute().unwrap().sum());
    same_for_each_cut(&[INF, 2.0, 1.0], INF, |x| x.percentile(75.0, 0).compute().unwrap().sum());
    same_for_each_cut(&[INF, 2.0, 1.0], 1.5, |x| x.quantile(0.25, 0).compute().unwrap().sum());
    with_client(|client| {
        let x = cut(client, &[f32::MAX, f32::MIN, f32::MAX], &[2, 1]);
        assert_eq!(x.quantile(0.25, 0).compute().unwrap().sum(), 0.0);
    });
}

#[test]
fn histograms_have_the_bins_of_numpy() {
    with_client(|client| {
        let (counts, edges) = cut(client, &[0.3_f32], &[1]).histogram(1, 0.0, 0.3);
        assert_eq!((counts.sum().compute().unwrap(), edges), (1, vec![0.0, f64::from(0.3_f32)]));
        let (_, edges) = cut(client, &[0.003, 0.007], &[1, 1]).histogram(3, 0.001, 0.007);
        assert_eq!(edges, [0.001, 0.003, 0.005, 0.007]);
        // Each edge falls into the bin that it begins, the last one into the last bin.
        for bins in [1, 2, 3, 7, 10, 49, 100] {
            for (low, high) in [(0.0, 1.0), (0.1, 0.7), (-1e308, 1e308), (1e-310, 3e-310), (-3.0, 1e5)] {
                let (_, edges) = client.zeros::<f64>([1], 1).histogram(bins, low, high);
                let (counts, _) = cut(client, &edges, &[bins, 1]).histogram(bins, low, high);
                let mut expected = vec![1; bins];
                expected[bins - 1] = 2;
                assert_eq!(counts.compute().unwrap().as_slice().unwrap(), expected, "{low} to {high}");
                if high < 1e300 && high > 1e-300 {
                    let (_, edges) = client.zeros::<f32>([1], 1).histogram(bins, low, high);
                    let narrow: Vec<f32> = edges.iter().map(|edge| *edge as f32).collect();
                    let (counts, _) = cut(client, &narrow, &[1, bins]).histogram(bins, low, high);
                    assert_eq!(counts.compute().unwrap().as_slice().unwrap(), expected, "{low} to {high}");
                }
            }
        }
        let bytes = client.arange(0, 256, 1, 100).cast::<u8>();
        assert_eq!(bytes.histogram(4, 0.0, 200.0).0.compute().unwrap().as_slice().unwrap(), [50, 50, 50, 51]);
        let wide = client.arange(-5, 6, 1, 4);
        assert_eq!(wide.histogram(3, -3.0, 3.0).0.compute().unwrap().as_slice().unwrap(), [2, 2, 3]);
        assert_eq!(wide.digitize(&[-4.0, 4.5]).sum().compute().unwrap(), 9 + 2);
    });
}

#[test]
fn uniform_numbers_are_below_their_upper_limit() {
    fn check<T: Real + Into<f64>>(client: &Client, low: f64, high: f64) {
        let x = client.random(13).uniform::<T>(low, high, [3000], 700).compute().unwrap();
        let numbers: Vec<f64> = x.iter().map(|number| (*number).into()).collect();
        let outside = numbers.iter().find(|number| !(low..high).contains(*number));
        assert!(outside.is_none(), "{} of {low} to {high} gave {outside:?}", T::DATA_TYPE);
    }
    with_client(|client| {
        for (low, high) in [
            (1e16, 1e16 + 4.0),
            (-1e16 - 4.0, -1e16),
            (1.0, 1.0 + f64::EPSILON),
            (0.1, 0.1_f64.next_up()),
            (-f64::EPSILON / 2.0, 0.0),
            (5e-324, 1.5e-323),
            (-8e307, 8e307),
        ] {
            check::<f64>(client, low, high);
        }
        for (low, high) in [
            (16_777_216.0, 16_777_220.0),
            (1e9, 1e9 + 65.0),
            (-1e9 - 65.0, -1e9),
            (0.7, 0.8),
            (0.7, 0.700_000_06),
            (0.1, 0.100_000_001_490_116_13),
            (1.0, 1.0 + f64::EPSILON),
            (1e-45, 1e-44),
            (-1e38, 2e38),
        ] {
            check::<f32>(client, low, high);
        }
    });
}

thread_local! {
    /// The line of the panic that is waited for.
    static LINE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// What a call panics with, and the line that it names.
fn panic_of<R>(call: impl FnOnce() -> R) -> (String, u32) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match (LINE.get(), info.location()) {
            (Some(_), Some(location)) if location.file().ends_with("numerics.rs") => {
                LINE.set(Some(location.line()));
            }
            _ => before(info),
        }));
    });
    LINE.set(Some(0));
    let payload = catch_unwind(AssertUnwindSafe(call)).err().expect("the call panics");
    let line = LINE.take().expect("set above");
    let words = payload.downcast_ref::<String>().cloned();
    (words.unwrap_or_else(|| payload.downcast_ref::<&str>().expect("words").to_string()), line)
}

#[test]
fn every_parameter_of_a_distribution_is_checked() {
    const NAN: f64 = f64::NAN;
    with_client(|client| {
        let random = client.random(1);
        let uniform = |low: f64, high: f64| panic_of(|| random.uniform::<f64>(low, high, [3], 2)).0;
        let uniform_f32 = |low: f64, high: f64| panic_of(|| random.uniform::<f32>(low, high, [3], 2)).0;
        let at = |call: &dyn Fn()| panic_of(call);
        assert_eq!(
            at(&|| drop(random.uniform::<f64>(1.0, 0.0, [3], 2))),
            ("uniform: low is 1 and high is 0, low must be below high".into(), line!() - 1)
        );
        assert_eq!(
            at(&|| drop(random.normal::<f64>(0.0, -1.0, [3], 2))),
            ("normal: deviation is -1, it must be at least 0".into(), line!() - 1)
        );
        assert_eq!(
            at(&|| drop(random.exponential::<f64>(-1.0, [3], 2))),
            ("exponential: mean is -1, it must be at least 0".into(), line!() - 1)
        );
        assert_eq!(
            at(&|| drop(random.bernoulli(1.5, [3], 2))),
            ("bernoulli: probability is 1.5, it must be from 0 to 1".into(), line!() - 1)
        );
        assert_eq!(
            at(&|| drop(random.integers::<u8>(5, 5, [3], 2))),
            ("integers: low is 5 and high is 5, low must be below high".into(), line!() - 1)
        );
        let words = |expected: &str, found: String| assert_eq!(found, expected);
        words("uniform: low is 2 and high is 2, low must be below high", uniform(2.0, 2.0));
        words("uniform: high is inf, it must be finite as float64", uniform(0.0, INF));
        words("uniform: low is -inf, it must be finite as float64", uniform(-INF, 0.0));
        words("uniform: low is NaN, it must be finite as float64", uniform(NAN, 0.0));
        words("uniform: high is NaN, it must be finite as float64", uniform(0.0, NAN));
        words("uniform: high - low is inf, it must be finite as float64", uniform(-1e308, 1e308));
        words("uniform: high is 1e300, it must be finite as float32", uniform_f32(0.0, 1e300));
        words("uniform: high - low is 6e38, it must be finite as float32", uniform_f32(-3e38, 3e38));
        words(
            "uniform: low is 0.1 and high is 0.1000000001, no float32 is from low to below high",
            uniform_f32(0.1, 0.100_000_000_1),
        );
        let normal = |mean, deviation| panic_of(|| random.normal::<f64>(mean, deviation, [3], 2)).0;
        words("normal: mean is NaN, it must be finite as float64", normal(NAN, 1.0));
        words("normal: mean is inf, it must be finite as float64", normal(INF, 1.0));
        words("normal: deviation is NaN, it must be finite as float64", normal(0.0, NAN));
        words("normal: deviation is inf, it must be finite as float64", normal(0.0, INF));
        let narrow = panic_of(|| random.normal::<f32>(0.0, 1e39, [3], 2)).0;
        words("normal: deviation is 1e39, it must be finite as float32", narrow);
        let exponential = |mean| panic_of(|| random.exponential::<f64>(mean, [3], 2)).0;
        words("exponential: mean is NaN, it must be finite as float64", exponential(NAN));
        words("exponential: mean is inf, it must be finite as float64", exponential(INF));
        let bernoulli = |probability| panic_of(|| random.bernoulli(probability, [3], 2)).0;
        words("bernoulli: probability is NaN, it must be from 0 to 1", bernoulli(NAN));
        words("bernoulli: probability is -0.1, it must be from 0 to 1", bernoulli(-0.1));
        words(
            "integers: low is -1 and high is 9, but uint8 holds the integers from 0 to 255",
            panic_of(|| random.integers::<u8>(-1, 9, [3], 2)).0,
        );
        let choice = |population, replace, probabilities: Option<&[f64]>| {
            panic_of(|| random.choice(population, replace, probabilities, [3], 2)).0
        };
        words("choice: population is 0, there is nothing to choose from", choice(0, true, None));
        words(
            "choice: shape [3] wants 3 things, but without replacement there are 2",
            choice(2, false, None),
        );
        words("choice: probabilities[1] is NaN, it must be from 0 to 1", choice(2, true, Some(&[0.5, NAN])));
        words("choice: the sum of probabilities is 0.5, it must be 1", choice(2, true, Some(&[0.5, 0.0])));
        words(
            "choice: probabilities has 1 elements, it must have one for each of 2 things",
            choice(2, true, Some(&[1.0])),
        );
        // What is at the edge, but right.
        assert_eq!(random.normal::<f64>(2.0, 0.0, [3], 2).sum().compute().unwrap(), 6.0);
        assert_eq!(random.exponential::<f64>(0.0, [3], 2).sum().compute().unwrap(), 0.0);
    });
}
