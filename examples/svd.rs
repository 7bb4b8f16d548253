//! Singular values of a random matrix of known rank: all of a tall one, and the largest by random
//! projection.
//!
//! `mpirun -n 4 target/release/examples/svd --rows 4000000 --columns 32 --rank 10`

use clap::Parser;
use maniple::prelude::*;
use std::time::Instant;

/// Finds the singular values of a random matrix of known rank.
#[derive(Parser)]
struct Options {
    /// The rows of the matrix.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// The columns of the matrix.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..))]
    columns: u64,
    /// The rank of the matrix.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    rank: u64,
    /// The rows of a block.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    block: u64,
    /// What the random numbers come of.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let [rows, columns, rank, block] =
        [options.rows, options.columns, options.rank, options.block].map(|number| number as usize);
    if rank > rows.min(columns) {
        return Err(format!("a matrix of {rows} x {columns} has no rank of {rank}").into());
    }
    maniple::run(|client| {
        let random = client.random(options.seed);
        let left: Array<f64> = random.normal(0.0, 1.0, [rows, rank], chunks([block, rank]));
        let right: Array<f64> = random.normal(0.0, 1.0, [rank, columns], chunks([rank, columns]));
        let matrix = left.matmul(&right).persist()?;
        matrix.wait()?;

        let report = |name: &str, factors: (Array<f64>, Array<f64>, Array<f64>)| -> Result<()> {
            let start = Instant::now();
            let (u, s, v) = client.persist(&factors)?;
            u.wait()?;
            let seconds = start.elapsed().as_secs_f64();
            let values = s.compute()?;
            let found = values.iter().filter(|value| **value > values[0] * 1e-10).count();
            let difference = (u * s).matmul(&v) - &matrix;
            let error = difference.norm().compute()? / matrix.norm().compute()?;
            println!("{name}: rank {found}, error {error:.1e}, {seconds:.3} s");
            values.iter().take(found).for_each(|value| println!("  {value:.6}"));
            Ok(())
        };
        report("all", matrix.svd())?;
        report("compressed", matrix.svd_compressed(rank, 2, options.seed))
    })
}
