//! What elementwise functions and random numbers cost an element, beside a loop of the standard library's.
//!
//! `cargo bench --no-default-features --bench maths`. Prints, for slices that stay in the nearest cache, the
//! median time of an element, and the median of how many times longer the loop beside it took.

#[path = "../src/array/math/mod.rs"]
#[allow(dead_code, unused_imports)]
mod math;
#[path = "../src/array/random/mod.rs"]
#[allow(dead_code, unused_imports)]
mod random;

use math::Math;
use random::{Key, Permutation};
use std::{hint::black_box, time::Instant};

const LENGTH: usize = 512;
const REPETITIONS: usize = 101;
const ROUNDS: usize = 20;
const KEY: Key = Key { seed: 1, stream: 0 };

/// Nanoseconds an element.
fn time<T>(output: &mut [T], mut fill: impl FnMut(&mut [T])) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        fill(output);
        black_box(&mut *output);
    }
    start.elapsed().as_secs_f64() * 1e9 / (ROUNDS * output.len()) as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Prints how long `fill` takes, and how many times longer `beside`.
fn compare<T: Copy + Default>(what: &str, mut fill: impl FnMut(&mut [T]), mut beside: impl FnMut(&mut [T])) {
    let mut output = [T::default(); LENGTH];
    let (times, ratios) = (0..REPETITIONS)
        .map(|_| {
            let here = time(&mut output, &mut fill);
            (here, time(&mut output, &mut beside) / here)
        })
        .unzip();
    println!("{what:<20} {:>6.2} ns {:>6.1} x", median(times), median(ratios));
}

/// A function of `f64` and of `f32` on numbers between two.
macro_rules! functions {
    ($($name:ident $least:literal $most:literal;)*) => { $(
        let input: [f64; LENGTH] = between($least, $most);
        compare(
            stringify!($name),
            |output| Math::$name(black_box(&input[..]), output),
            |output| black_box(&input).iter().zip(output).for_each(|(x, y)| *y = x.$name()),
        );
        let input = input.map(|x| x as f32);
        compare(
            concat!(stringify!($name), " f32"),
            |output| Math::$name(black_box(&input[..]), output),
            |output| black_box(&input).iter().zip(output).for_each(|(x, y)| *y = x.$name()),
        );
    )* };
}

fn between(least: f64, most: f64) -> [f64; LENGTH] {
    let mut numbers = [0.0; LENGTH];
    random::uniform_f64(KEY, 0, &mut numbers);
    numbers.map(|x| least + (most - least) * x)
}

fn main() {
    println!("{:<20} {:>9} {:>8}", "f64 unless said", "element", "std");
    functions! {
        exp -10.0 10.0;
        exp2 -10.0 10.0;
        exp_m1 -3.0 3.0;
        ln 0.1 100.0;
        ln_1p -0.5 10.0;
        log2 0.1 100.0;
        log10 0.1 100.0;
        sin -10.0 10.0;
        cos -10.0 10.0;
        tan -10.0 10.0;
        asin -1.0 1.0;
        acos -1.0 1.0;
        atan -10.0 10.0;
        sinh -10.0 10.0;
        cosh -10.0 10.0;
        tanh -3.0 3.0;
        asinh -10.0 10.0;
        acosh 1.0 10.0;
        atanh -1.0 1.0;
        sqrt 0.0 10.0;
        cbrt -10.0 10.0;
    }
    let (x, y): ([f64; LENGTH], [f64; LENGTH]) = (between(0.0, 10.0), between(-3.0, 3.0));
    type Pairs = (&'static str, fn(&[f64], &[f64], &mut [f64]), fn(f64, f64) -> f64);
    let pairs: [Pairs; 3] = [
        ("pow", Math::pow, f64::powf),
        ("hypot", Math::hypot, f64::hypot),
        ("atan2", Math::atan2, f64::atan2),
    ];
    for (what, function, scalar) in pairs {
        compare(
            what,
            |output| function(black_box(&x), black_box(&y), output),
            |output| (0..LENGTH).for_each(|place| output[place] = scalar(black_box(&x)[place], y[place])),
        );
    }

    println!("\n{:<20} {:>9} {:>8}", "random", "element", "1 by 1");
    let one = |fill: fn(&mut [f64], u64)| {
        move |output: &mut [f64]| (0..LENGTH).for_each(|i| fill(&mut output[i..i + 1], i as u64))
    };
    compare(
        "bits",
        |output| random::bits(KEY, 0, output),
        |output| (0..LENGTH).for_each(|i| random::bits(KEY, i as u64, &mut output[i..i + 1])),
    );
    compare(
        "uniform",
        |output| random::uniform_f64(KEY, 0, output),
        one(|y, i| random::uniform_f64(KEY, i, y)),
    );
    compare("normal", |output| random::normal_f64(KEY, 0, output), one(|y, i| random::normal_f64(KEY, i, y)));
    compare(
        "exponential",
        |output| random::exponential_f64(KEY, 0, output),
        one(|y, i| random::exponential_f64(KEY, i, y)),
    );
    compare(
        "integers i64",
        |output| random::integers_from(KEY, 0, -500_i64, 1000, output),
        |output| {
            (0..LENGTH).for_each(|i| random::integers_from(KEY, i as u64, -500, 1000, &mut output[i..i + 1]))
        },
    );
    let permutation = Permutation::new(KEY, 1 << 30);
    compare(
        "permutation of 2^30",
        |output| permutation.fill(0, output),
        |output| (0..LENGTH).for_each(|i| permutation.fill(i as u64, &mut output[i..i + 1])),
    );
}
