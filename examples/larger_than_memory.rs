//! An array ten times as large as what the workers may hold: most of it lies on their disks, and all that
//! is done with it goes through memory a few blocks at a time.
//!
//! `mpirun -n 4 target/release/examples/larger_than_memory --memory-limit 200MB`

use clap::Parser;
use maniple::{MemoryLimit, RankRecord, current, prelude::*};
use std::time::Instant;

/// Computes with an array that is larger than the memory of all workers.
#[derive(Parser)]
struct Options {
    /// How much memory each worker may fill, such as 200MB or 0.1.
    #[arg(long, default_value = "200MB")]
    memory_limit: MemoryLimit,
    /// How many times as large as the memory of all workers the array is.
    #[arg(long, default_value_t = 10.0)]
    times: f64,
    /// Where the random numbers start.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// The most bytes that this process had in memory so far.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The length of the array's sides, and of its blocks' sides: a worker holds a few dozen blocks.
fn lengths(options: &Options, client: &Client) -> (usize, usize) {
    let sum = |of: fn(&RankRecord) -> u64| client.cluster().workers().map(of).sum::<u64>() as f64;
    let (memory, threads) = (sum(|worker| worker.memory_bytes), sum(|worker| u64::from(worker.threads)));
    let side = (options.times * memory / 8.0).sqrt();
    let block_side = (memory / threads / 32.0 / 8.0).sqrt().min(side);
    (side as usize, block_side as usize)
}

fn main() -> Result<()> {
    let options = Options::parse();
    Runtime::builder().memory_limit(options.memory_limit).run(|client| {
        println!("{}", client.cluster());
        let (side, block_side) = lengths(&options, client);
        let lazy = client.random(options.seed).uniform::<f64>(0.0, 1.0, [side, side], block_side);
        println!("{lazy}");

        let mut start = Instant::now();
        let mut lap = |what: &str| {
            println!("{what:<22} {:8.3} s", start.elapsed().as_secs_f64());
            start = Instant::now();
        };
        let x = lazy.persist()?;
        client.gather(&client.run_on_workers(|| (), ()))?;
        lap("made x");
        let sum = x.sum().compute()?;
        lap("x.sum()");
        let symmetric = (&x + x.t()).sum().compute()?;
        lap("(x + x.T).sum()");
        let rows = (block_side * block_side / side).max(1);
        let by_rows = x.rechunk([rows, side]);
        let row_sum = by_rows.sum().compute()?;
        lap("x.rechunk(rows).sum()");

        // What is made anew for each sum needs no memory, and gives the same bits.
        let again = client.random(options.seed).uniform::<f64>(0.0, 1.0, [side, side], [rows, side]);
        let expected = (lazy.sum().compute()?, (&lazy + lazy.t()).sum().compute()?, again.sum().compute()?);
        lap("the same, not kept");
        assert_eq!((sum, symmetric, row_sum), expected);
        println!("sums: {sum}, {symmetric}, {row_sum}");

        let peaks = client.run_on_workers(|| (current().rank().0, peak_bytes()), ());
        for ((rank, peak), worker) in client.gather(&peaks)?.into_iter().zip(client.cluster().workers()) {
            let (peak, limit) = (peak as f64 / 1e6, worker.memory_bytes as f64 / 1e6);
            println!("rank {rank} ({}): peak {peak:.0} MB, limit {limit:.0} MB", worker.host);
        }
        Ok(())
    })
}
