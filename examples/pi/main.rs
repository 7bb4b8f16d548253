//! Estimates pi with random points: the Aurora page's Dask program.
//!
//! `mpirun -n 6 target/release/examples/pi`, or without `mpirun`; on GPUs with `--device gpu`.
//!
//! The points are numbered, and each follows from the seed and its number ([`points`]), so that the
//! count is the same however many workers, and which devices, share the work.

mod device;
mod points;

use clap::Parser;
use maniple::{SubmitOptions, device::Binding, prelude::*};
use points::Generator;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
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
    /// Where the points come from [default: xoshiro256++, and splitmix64 on devices].
    #[arg(long)]
    generator: Option<Generator>,
    /// What the points of the first run follow from; each next run takes the next number.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Time the kernel alone, on one core of this process, and do not start a run.
    #[arg(long)]
    kernel_only: bool,
    /// What each worker counts on: cpu, gpu or tile [env: MANIPLE_DEVICE].
    #[arg(long)]
    device: Option<Binding>,
    /// Let several workers of a node count on one device [env: MANIPLE_SHARE_DEVICE].
    #[arg(long)]
    share_device: bool,
    /// Threads a worker [env: MANIPLE_THREADS].
    #[arg(long)]
    threads: Option<u32>,
    /// Let ranks 0 and 1 work, too [env: MANIPLE_INCLUSIVE].
    #[arg(long)]
    inclusive: bool,
}

impl Options {
    fn generator(&self, is_on_devices: bool) -> Generator {
        let default = if is_on_devices { Generator::SplitMix64 } else { Generator::Xoshiro256PlusPlus };
        self.generator.unwrap_or(default)
    }
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

/// What a task, or all tasks of a run, counted, and how long the slowest of them did nothing else.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Count {
    inside: u64,
    seconds: f64,
}

impl Count {
    fn timed(count: impl FnOnce() -> u64) -> Self {
        let start = Instant::now();
        Self { inside: count(), seconds: start.elapsed().as_secs_f64() }
    }
}

fn sum(counts: &[Count]) -> Count {
    let inside = counts.iter().map(|count| count.inside).sum();
    Count { inside, seconds: counts.iter().map(|count| count.seconds).fold(0.0, f64::max) }
}

/// One worker's task: its points are shared by its threads.
fn count_inside_circle(generator: Generator, seed: u64, first: u64, count: u64) -> Count {
    let pieces = 4 * rayon::current_num_threads() as u64;
    let length = count.div_ceil(pieces).next_multiple_of(points::BLOCK).max(1);
    let piece = |piece: u64| {
        let start = piece * length;
        generator.count_inside(seed, first + start, length.min(count - start))
    };
    Count::timed(|| (0..count.div_ceil(length)).into_par_iter().map(piece).sum())
}

/// One worker's task: its device counts.
fn count_on_device(_: Generator, seed: u64, first: u64, count: u64) -> Count {
    Count::timed(|| device::count_inside(seed, first, count).unwrap_or_else(|error| panic!("{error}")))
}

/// Has a worker's device build its kernel, so that the runs do not.
fn warm_up() {
    if current().device().is_some() {
        device::count_inside(0, 0, 1).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// What one run gave.
struct Estimate {
    inside: u64,
    pi: f64,
    seconds: f64,
    kernel_seconds: f64,
}

/// Counts on all devices, or on all workers if there are none.
fn estimate(client: &Client, options: &Options, seed: u64) -> Result<Estimate> {
    let start = Instant::now();
    let devices = device_count(client) as u64;
    let parts = if devices > 0 { devices } else { client.cluster().worker_count() as u64 };
    let each = options.samples / parts;
    let generator = options.generator(devices > 0);
    let points_of = |part: u64| {
        let rest = if part == parts - 1 { options.samples % parts } else { 0 };
        (generator, seed, part * each, each + rest)
    };
    let points = (0..parts).map(points_of);
    let counts = match devices {
        0 => client.map(count_inside_circle, points),
        _ => client.with(&SubmitOptions::new().resource("GPU", 1)).map(count_on_device, points),
    };
    let Count { inside, seconds: kernel_seconds } = client.submit(sum, &counts).result()?;
    let seconds = start.elapsed().as_secs_f64();
    let pi = 4.0 * inside as f64 / options.samples as f64;
    Ok(Estimate { inside, pi, seconds, kernel_seconds })
}

fn device_count(client: &Client) -> usize {
    client.cluster().workers().filter(|worker| worker.device.is_some()).count()
}

fn run(client: &Client, options: &Options) -> Result<()> {
    let devices = device_count(client);
    let generator = options.generator(devices > 0);
    if devices > 0 && generator != Generator::SplitMix64 {
        return Err(Error::Option(format!("devices count points of splitmix64 only, not of {generator}")));
    }
    if !options.json {
        println!("{}", client.cluster());
    }
    let warm_up_seconds = if devices > 0 { warm_up_all(client, options)? } else { 0.0 };
    let mut runs = Vec::new();
    for run in 0..options.runs {
        let seed = options.seed.wrapping_add(run);
        let Estimate { inside, pi, seconds, kernel_seconds } = estimate(client, options, seed)?;
        let error = (pi - std::f64::consts::PI).abs();
        let points_per_second = options.samples as f64 / seconds;
        if options.json {
            runs.push(json!({
                "seed": seed, "inside": inside, "estimate": pi, "error": error, "seconds": seconds,
                "points_per_second": points_per_second, "kernel_seconds": kernel_seconds,
            }));
        } else {
            println!(
                "Run {run}    Num samples: {:.2E}    Estimate: {pi:.9}    Error: {error:.1e}    \
                 Time taken: {seconds:.3} s    {points_per_second:.2e} points/s    in the kernel: {kernel_seconds:.3} s",
                options.samples as f64
            );
        }
    }
    if options.json {
        let cluster = client.cluster();
        let report = json!({
            "samples": options.samples, "generator": generator.to_string(),
            "workers": cluster.worker_count(), "threads": cluster.thread_count(), "devices": devices,
            "warm_up_seconds": warm_up_seconds, "runs": runs,
        });
        println!("{report:#}");
    }
    Ok(())
}

/// Builds the kernel on all devices. Returns how many seconds that took.
fn warm_up_all(client: &Client, options: &Options) -> Result<f64> {
    let start = Instant::now();
    client.gather(&client.run_on_workers(warm_up, ()))?;
    let seconds = start.elapsed().as_secs_f64();
    if !options.json {
        for worker in client.cluster().workers() {
            if let Some(device) = &worker.device {
                println!("Rank {} ({}) counts on {device}", worker.rank, worker.host);
            }
        }
        println!("Warm-up    Kernel built in {seconds:.3} s");
    }
    Ok(seconds)
}

fn time_kernel(options: &Options) {
    let generator = options.generator(false);
    for run in 0..options.runs {
        let start = Instant::now();
        black_box(generator.count_inside(options.seed.wrapping_add(run), 0, options.samples));
        let seconds = start.elapsed().as_secs_f64();
        println!("{generator}: {:.2e} points/s on one core", options.samples as f64 / seconds);
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
    if let Some(device) = options.device {
        builder = builder.device(device);
    }
    if options.share_device {
        builder = builder.share_device(true);
    }
    if options.inclusive {
        builder = builder.exclusive_workers(false);
    }
    builder.run(|client| run(client, &options))
}
