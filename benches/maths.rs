//! What elementwise functions and random numbers cost an element, beside a loop of the standard library's.
//!
//! `cargo bench --no-default-features --bench maths`. Prints, for slices that stay in the nearest cache, the
//! median time of an element, and the median of how many times longer the loop beside it took.
//!
//! `... --bench maths -- draws ORDER | dieharder -g 200 -a` gives a battery of tests the random bits of arrays, in one
//! of these orders: `elements` that follow each other, `blocks` (one element of each block of 512), `seeds` and
//! `streams` (elements of 64 neighbouring ones in turn).

#[path = "../src/array/math/mod.rs"]
#[allow(dead_code, unused_imports)]
mod math;
#[path = "../src/array/random/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports)]
mod random;

use math::Math;
use random::{BitGenerator, Key, Permutation, Source};
use std::{
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

const LENGTH: usize = 512;
const REPETITIONS: usize = 101;
const ROUNDS: usize = 20;
const KEY: Key = Key { generator: BitGenerator::Philox, seed: 1, stream: 0 };

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
    random::uniform_f64(&mut Source::new(KEY), 0, &mut numbers);
    numbers.map(|x| least + (most - least) * x)
}

/// Writes draws in this order until nobody reads them.
fn write_draws(order: &str) -> io::Result<()> {
    let key = Key { generator: BitGenerator::Xoshiro256PlusPlus, seed: 1, stream: 0 };
    let mut sources = match order {
        "elements" | "blocks" => vec![Source::new(key)],
        "seeds" => (0..64).map(|seed| Source::new(Key { seed, ..key })).collect(),
        "streams" => (0..64).map(|stream| Source::new(Key { stream, ..key })).collect(),
        _ => return Err(io::Error::other(format!("{order}: no such order of draws"))),
    };
    let mut output = io::stdout().lock();
    let mut draws = vec![0; LENGTH];
    let mut turns = vec![0; LENGTH * sources.len()];
    for round in 0_u64.. {
        let count = sources.len();
        for (turn, source) in sources.iter_mut().enumerate() {
            match order {
                "blocks" => (0..LENGTH).for_each(|place| {
                    let block = round * LENGTH as u64 + place as u64;
                    random::bits(source, 512 * block, &mut draws[place..place + 1]);
                }),
                _ => random::bits(source, round * LENGTH as u64, &mut draws),
            }
            draws.iter().enumerate().for_each(|(place, draw)| turns[place * count + turn] = *draw);
        }
        let bytes: Vec<u8> = turns.iter().flat_map(|draw| draw.to_le_bytes()).collect();
        if let Err(error) = output.write_all(&bytes) {
            return if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [draws, order] = &words[..]
        && draws == "draws"
    {
        return write_draws(order);
    }
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
    for generator in [BitGenerator::Xoshiro256PlusPlus, BitGenerator::Philox] {
        println!("{generator:?}");
        distributions(generator);
    }
    let permutation = Permutation::new(KEY, 1 << 30);
    compare(
        "permutation of 2^30",
        |output| permutation.fill(0, output),
        |output| (0..LENGTH).for_each(|i| permutation.fill(i as u64, &mut output[i..i + 1])),
    );
    Ok(())
}

fn distributions(generator: BitGenerator) {
    let key = Key { generator, ..KEY };
    fn row<T: Copy + Default>(what: &str, key: Key, fill: fn(&mut Source, u64, &mut [T])) {
        let (mut source, mut other) = (Source::new(key), Source::new(key));
        compare(
            what,
            |output| fill(&mut source, 0, output),
            |output| (0..LENGTH).for_each(|i| fill(&mut other, i as u64, &mut output[i..i + 1])),
        );
    }
    row("bits", key, random::bits);
    row("uniform", key, random::uniform_f64);
    row("uniform f32", key, random::uniform_f32);
    row("normal", key, random::normal_f64);
    row("exponential", key, random::exponential_f64);
    row("bernoulli", key, |source, first, output| random::bernoulli(source, first, 0.3, output));
    row("integers i64", key, |source, first, output| {
        random::integers_from(source, first, -500_i64, 1000, output);
    });
    row("integers, wide", key, |source, first, output| {
        random::integers_from(source, first, 0_u64, 3 << 50, output);
    });
    // A row of a matrix that starts within a block.
    row("uniform, from 200", key, |source, first, output| random::uniform_f64(source, 200 + first, output));
}
