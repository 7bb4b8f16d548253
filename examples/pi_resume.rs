//! Estimates pi by many tasks whose counts outlast the run: if it is killed, another goes on with it.
//!
//! `mpirun -n 6 target/release/examples/pi_resume --journal counts`; after a kill, with as many ranks or with
//! others, the same with `--resume`. The count is that of a run that nobody disturbed.

use clap::Parser;
use maniple::{Resume, SubmitOptions, prelude::*};
use std::path::PathBuf;

/// Estimates pi from the share of random points in the unit square that lie in the circle.
#[derive(Parser)]
struct Options {
    /// How many tasks share the points.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    tasks: u64,
    /// How many points a task takes.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    points: u64,
    /// Where counts are kept, on a file system that all ranks share [env: MANIPLE_JOURNAL].
    #[arg(long, value_name = "DIRECTORY")]
    journal: Option<PathBuf>,
    /// Go on with the counts that are there; of any build of this program with `--resume=any-build` [env:
    /// MANIPLE_RESUME].
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    resume: Option<Resume>,
}

/// The number from 0 to 1 that follows from another: SplitMix64's.
fn unit(number: u64) -> f64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// How many of these points lie in the circle; each follows from its number.
fn count_inside(first: u64, points: u64) -> u64 {
    let is_inside = |point: &u64| unit(2 * point).powi(2) + unit(2 * point + 1).powi(2) <= 1.0;
    (first..first + points).filter(is_inside).count() as u64
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut builder = Runtime::builder();
    if let Some(journal) = &options.journal {
        builder = builder.journal(journal);
    }
    if let Some(resume) = options.resume {
        builder = builder.resume(resume);
    }
    builder.run(|client| {
        let parts = (0..options.tasks).map(|task| (task * options.points, options.points));
        let counts = client.with(&SubmitOptions::new().checkpoint()).map(count_inside, parts);
        let inside: u64 = client.gather(&counts)?.iter().sum();
        let points = options.tasks * options.points;
        println!(
            "{inside} of {points} points are inside: pi is about {:.6}",
            4.0 * inside as f64 / points as f64
        );
        println!("{} of {} tasks had been done before", client.restored_count(), options.tasks);
        Ok(())
    })
}
