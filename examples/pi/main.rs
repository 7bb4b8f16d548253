//! Estimates pi with random points: the Aurora page's Dask program.
//!
//! `mpirun -n 6 target/release/examples/pi`, or without `mpirun`.
//!
//! The points are numbered, and each follows from the seed and its number ([`points`]), so that the
//! count is the same however many workers share the work.

mod points;

use clap::Parser;
use maniple::prelude::*;
use points::Generator;
use rayon::prelude::*;
use serde_json::json;
use std::{hint::black_box, time::Instant};

/// Estimates pi from the share of random points in the unit square that lie in the circle.
#[derive(Parser)]
struct Options {
    /// How many points a run takes.
    #[arg(long, default_value_t = 10_400_000_004, value_parser = samples)]
    samples: u64,
    /// How many runs are made and timed.
    #[arg(long, default_value_t = 5)]
    runs: u64,
    /// Where the points come from.
    #[arg(long, default_value_t)]
    generator: Generator,
    /// What the points of the first run follow from; each next run takes the next number.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Time the kernel alone, on one core of this process, and do not start a run.
    #[arg(long)]
    kernel_only: bool,
    /// Threads a worker [env: MANIPLE_THREADS].
    #[arg(long)]
    threads: Option<u32>,
    /// Let ranks 0 and 1 work, too [env: MANIPLE_INCLUSIVE].
    #[arg(long)]
    inclusive: bool,
}

/// Reads a number such as `1000000` or `1.04e10`.
fn samples(text: &str) -> std::result::Result<u64, String> {
    let number = text.replace('_', "");
    let parsed = number.parse::<u64>().ok().or_else(|| {
        let float = number.parse::<f64>().ok()?;
        (float.fract() == 0.0 && (0.0..1.8e19).contains(&float)).then_some(float as u64)
    });
    parsed.filter(|samples| *samples > 0).ok_or_else(|| format!("{text:?} is not a whole number of points"))
}

/// One worker's task: its points are shared by its threads.
fn count_inside_circle(generator: Generator, seed: u64, first: u64, count: u64) -> u64 {
    let pieces = 4 * rayon::current_num_threads() as u64;
    let length = count.div_ceil(pieces).next_multiple_of(points::BLOCK).max(1);
    (0..count.div_ceil(length))
        .into_par_iter()
        .map(|piece| {
            let start = piece * length;
            generator.count_inside(seed, first + start, length.min(count - start))
        })
        .sum()
}

/// What one run gave.
struct Estimate {
    inside: u64,
    pi: f64,
    seconds: f64,
}

fn estimate(client: &Client, options: &Options, seed: u64) -> Result<Estimate> {
    let start = Instant::now();
    let workers = client.cluster().worker_count() as u64;
    let each = options.samples / workers;
    let points_of = |worker: u64| {
        let rest = if worker == workers - 1 { options.samples % workers } else { 0 };
        (options.generator, seed, worker * each, each + rest)
    };
    let counts = client.map(count_inside_circle, (0..workers).map(points_of));
    let inside = client.submit(|counts: &[u64]| counts.iter().sum::<u64>(), &counts).result()?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Estimate { inside, pi: 4.0 * inside as f64 / options.samples as f64, seconds })
}

fn run(client: &Client, options: &Options) -> Result<()> {
    if !options.json {
        println!("{}", client.cluster());
    }
    let mut runs = Vec::new();
    for run in 0..options.runs {
        let seed = options.seed.wrapping_add(run);
        let Estimate { inside, pi, seconds } = estimate(client, options, seed)?;
        let error = (pi - std::f64::consts::PI).abs();
        let points_per_second = options.samples as f64 / seconds;
        if options.json {
            runs.push(json!({
                "seed": seed, "inside": inside, "estimate": pi, "error": error, "seconds": seconds,
                "points_per_second": points_per_second,
            }));
        } else {
            println!(
                "Run {run}    Num samples: {:.2E}    Estimate: {pi:.9}    Error: {error:.1e}    \
                 Time taken: {seconds:.3} s    {points_per_second:.2e} points/s",
                options.samples as f64
            );
        }
    }
    if options.json {
        let cluster = client.cluster();
        let report = json!({
            "samples": options.samples, "generator": options.generator.to_string(),
            "workers": cluster.worker_count(), "threads": cluster.thread_count(), "runs": runs,
        });
        println!("{report:#}");
    }
    Ok(())
}

fn time_kernel(options: &Options) {
    for run in 0..options.runs {
        let start = Instant::now();
        black_box(options.generator.count_inside(options.seed.wrapping_add(run), 0, options.samples));
        let seconds = start.elapsed().as_secs_f64();
        println!("{}: {:.2e} points/s on one core", options.generator, options.samples as f64 / seconds);
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    if options.kernel_only {
        time_kernel(&options);
        return Ok(());
    }
    let mut builder = Runtime::builder();
    if let Some(threads) = options.threads {
        builder = builder.threads(threads);
    }
    if options.inclusive {
        builder = builder.exclusive_workers(false);
    }
    builder.run(|client| run(client, &options))
}
