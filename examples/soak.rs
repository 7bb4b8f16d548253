//! Random graphs and arrays, for as long as is asked for, with less memory than they need.
//!
//! `mpirun -n 4 target/release/examples/soak --minutes 60`
//!
//! Every answer is compared with what it must be, and at the end the workers' memory with what they had
//! after the first tenth of the time.

use clap::Parser;
use maniple::{MemoryLimit, SubmitOptions, Thresholds, prelude::*};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Runs random graphs and arrays, and checks their answers.
#[derive(Parser)]
struct Options {
    /// How long to go on.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// What is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much memory each worker may fill.
    #[arg(long, default_value = "60MB")]
    memory_limit: MemoryLimit,
    /// An empty directory of the node for what does not fit into memory; at the end it must be empty again.
    #[arg(long, value_name = "DIRECTORY")]
    local_directory: Option<PathBuf>,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn make(start: u64, length: u64) -> Vec<u64> {
    (start..start + length).collect()
}

fn add(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().zip(b).map(|(a, b)| a.wrapping_add(*b)).collect()
}

fn sum(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, value| sum.wrapping_add(*value))
}

/// Lists, sums of pairs of them, and of these; each knows what it must be by its first number and its step.
fn graph(client: &Client, random: &mut Random) -> Result<()> {
    let length = 1 + random.below(300_000);
    let first: Vec<u64> = (0..8 + random.below(40)).map(|_| random.below(1 << 40)).collect();
    let mut lists = client.map(make, first.iter().map(|first| (*first, length)));
    let mut known: Vec<(u64, u64)> = first.into_iter().map(|first| (first, 1)).collect();
    for _ in 0..random.below(5) {
        let pairs: Vec<(usize, usize)> = (0..lists.len())
            .map(|_| (random.below(lists.len() as u64) as usize, random.below(lists.len() as u64) as usize))
            .collect();
        let options = SubmitOptions::new().retries(1).priority(random.below(3) as i32);
        lists = client.with(&options).map(add, pairs.iter().map(|(a, b)| (&lists[*a], &lists[*b])));
        known = pairs.iter().map(|(a, b)| (known[*a].0 + known[*b].0, known[*a].1 + known[*b].1)).collect();
        if random.below(4) == 0 {
            // Some are not wanted after all.
            let unwanted: Vec<_> = client.map(make, (0..20).map(|index| (index, length)));
            client.cancel(&unwanted[..10]);
        }
    }
    let sums = client.map(sum, &lists);
    drop(lists);
    for (sum, (first, step)) in client.gather(&sums)?.into_iter().zip(known) {
        let steps = length * (length - 1) / 2;
        let expected = length.wrapping_mul(first).wrapping_add(steps.wrapping_mul(step));
        if sum != expected {
            return Err(format!("a list sums to {sum}, not to {expected}").into());
        }
    }
    Ok(())
}

/// An array that does not fit, cut anew, turned and summed.
fn array(client: &Client, random: &mut Random) -> Result<()> {
    let side = 500 + random.below(2000) as usize;
    let chunk = |random: &mut Random| 1 + side / (1 + random.below(6) as usize);
    let count = (side * side) as i64;
    let (rows, columns) = (chunk(random), chunk(random));
    let x = client.arange(0i64, count, 1, rows * side).reshape([side as isize; 2]).persist()?;
    let cut = x.rechunk([chunk(random), columns]);
    let turned = (&cut + cut.t()).persist()?;
    drop((x, cut));
    let total = turned.sum().compute()?;
    let lines = turned.sum_axis(random.below(2) as usize).compute()?;
    let expected = count * (count - 1);
    if total != expected || lines.sum() != expected {
        return Err(format!("an array sums to {total} and {}, not to {expected}", lines.sum()).into());
    }
    Ok(())
}

/// What this process has in memory.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn soak(client: &Client, options: &Options) -> Result<()> {
    let (start, length) = (Instant::now(), Duration::from_secs_f64(60.0 * options.minutes));
    let mut random = Random(options.seed);
    let (mut early, mut late, mut rounds) = (0, 0, 0u64);
    while start.elapsed() < length && !client.stopping() {
        for round in [graph, array] {
            round(client, &mut random)?;
        }
        rounds += 1;
        let most = client.gather(&client.run_on_workers(resident_bytes, ()))?.into_iter().max().unwrap_or(0);
        let part = start.elapsed().as_secs_f64() / length.as_secs_f64();
        match part {
            part if part < 0.1 || rounds < 5 => early = most.max(early),
            part if part > 0.5 => late = most.max(late),
            _ => {}
        }
    }
    println!(
        "{rounds} rounds in {:.1} min, all right; the fullest worker had {} MB at first, and {} MB later",
        start.elapsed().as_secs_f64() / 60.0,
        early >> 20,
        late >> 20
    );
    if late > early + early / 4 + (64 << 20) {
        return Err("the workers' memory grows".into());
    }
    Ok(())
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut builder = Runtime::builder().memory_limit(options.memory_limit);
    builder = builder.memory_thresholds(Thresholds { target: 0.3, spill: 0.9, pause: 0.9 });
    if let Some(directory) = &options.local_directory {
        builder = builder.local_directory(directory);
    }
    builder.run(|client| soak(client, &options))?;
    if let Some(directory) = &options.local_directory
        && let Some(entry) = std::fs::read_dir(directory)?.next()
    {
        return Err(format!("{} is left", entry?.path().display()).into());
    }
    Ok(())
}
