//! Sums numbers in a tree of tasks: a thousand leaves, then sums of sums.
//!
//! `mpirun -n 6 target/release/examples/tree_sum --leaves 1024 --fan-in 8`

use clap::Parser;
use maniple::prelude::*;

/// Sums the numbers from 0 in a tree of tasks.
#[derive(Parser)]
struct Options {
    /// How many leaves the tree has.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    leaves: u64,
    /// How many sums are summed by one task.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..))]
    fan_in: u64,
}

fn sum(parts: &[u64]) -> u64 {
    parts.iter().sum()
}

fn main() -> Result<()> {
    let options = Options::parse();
    maniple::run(|client| {
        let mut level: Vec<Future<u64>> = client.map(|leaf: u64| leaf, 0..options.leaves);
        while level.len() > 1 {
            level = client.map(sum, level.chunks(options.fan_in as usize));
        }
        let total = level[0].result()?;
        assert_eq!(total, options.leaves * (options.leaves - 1) / 2);
        println!("sum of {} leaves: {total}", options.leaves);
        Ok(())
    })
}
