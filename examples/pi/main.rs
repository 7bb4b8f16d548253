//! Estimates pi with random points. So far: the kernels' speed on one core.
mod points;

use clap::Parser;
use points::{BLOCK, Generator};
use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{hint::black_box, time::Instant};

#[derive(Parser)]
struct Options {
    /// Time the kernels on one core, and scalar code to compare with.
    #[arg(long)]
    kernel_only: bool,
    /// Where the points come from.
    #[arg(long, default_value_t)]
    generator: Generator,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[arg(long, default_value_t = 1 << 30)]
    points: u64,
}

fn main() {
    let options = Options::parse();
    let Options { generator, seed, points, .. } = options;
    if options.kernel_only {
        return time_kernels(seed, points);
    }
    let inside = generator.count_inside(seed, 0, points);
    println!(
        "{generator}, seed {seed}: {inside} of {points} inside, pi = {}",
        4.0 * inside as f64 / points as f64
    );
}

fn time_kernels(seed: u64, points: u64) {
    let scalar = points / 8;
    time("rand_xoshiro, two f64", scalar, || scalar_floats(seed, scalar));
    time("rand_xoshiro, integers", scalar, || scalar_integers(seed, scalar));
    for generator in [Generator::SplitMix64, Generator::Xoshiro256PlusPlus] {
        time(&generator.to_string(), points, || generator.count_inside(seed, 0, points));
    }
    time("xoshiro256++, block start", BLOCK, || Generator::Xoshiro256PlusPlus.count_inside(seed, 0, 1));
    time("xoshiro256++, skip a block", BLOCK, || {
        Generator::Xoshiro256PlusPlus.count_inside(seed, BLOCK - 1, 1)
    });
}

/// Prints the best and the median speed of nine runs.
fn time(name: &str, points: u64, mut count: impl FnMut() -> u64) {
    let mut seconds = [0.0; 9];
    let mut inside = 0;
    for run in &mut seconds {
        let start = Instant::now();
        inside = black_box(count());
        *run = start.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    let speed = |seconds: f64| points as f64 / seconds / 1e9;
    println!(
        "{name:28} best {:7.3} median {:7.3} Gpoints/s, {:9.1} us, {inside} of {points}",
        speed(seconds[0]),
        speed(seconds[4]),
        seconds[4] * 1e6
    );
}

fn scalar_floats(seed: u64, points: u64) -> u64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut coordinate = || (random.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
    (0..points).map(|_| (coordinate().powi(2) + coordinate().powi(2) < 1.0) as u64).sum()
}

fn scalar_integers(seed: u64, points: u64) -> u64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let inside = |draw: u64| {
        let (x, y) = (draw >> 32, draw & 0xffff_ffff);
        !(x * x).overflowing_add(y * y).1
    };
    (0..points).map(|_| inside(random.next_u64()) as u64).sum()
}
