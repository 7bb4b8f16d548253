//! Five estimates of pi, each by one function that makes its points at once: one after the other, then
//! as delayed calls that run side by side.
//!
//! `mpirun -n 7 target/release/examples/delayed_pi --size 1e9`

use clap::Parser;
use maniple::prelude::*;
use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{RngCore, SeedableRng},
};
use std::{path::PathBuf, time::Instant};

/// Estimates pi five times, plainly and with delayed calls.
#[derive(Parser)]
struct Options {
    /// How many bytes of points the first estimate takes; the others two to five times as many.
    #[arg(long, default_value_t = 1e6)]
    size: f64,
    /// Where to draw the graph: an SVG file, or a DOT file.
    #[arg(long)]
    visualize: Option<PathBuf>,
}

/// The words that an estimate prints, and the estimate.
fn calculate_pi(size_in_bytes: u64) -> (String, f64) {
    let count = size_in_bytes / 8 / 2;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(size_in_bytes);
    let mut coordinate = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let positions: Vec<[f64; 2]> = (0..count).map(|_| [coordinate(), coordinate()]).collect();
    let inside = positions.iter().filter(|[x, y]| x * x + y * y < 1.0).count();
    let pi = 4.0 * inside as f64 / count as f64;
    let words = format!(
        "\nfrom {} GB randomly chosen positions\n   pi estimate: {pi}\n   pi error: {}\n",
        size_in_bytes as f64 / 1e9,
        (pi - std::f64::consts::PI).abs()
    );
    (words, pi)
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !(16.0..=1e15).contains(&options.size) {
        return Err("--size wants from 16 bytes, which is one point, to 1e15".into());
    }
    maniple::run(|client| {
        let sizes: Vec<u64> = (1..=5).map(|factor| factor * options.size as u64).collect();
        let start = Instant::now();
        let plain: Vec<(String, f64)> = sizes.iter().copied().map(calculate_pi).collect();
        plain.iter().for_each(|(words, _)| println!("{words}"));
        println!("time taken one after the other is {:.3} s\n", start.elapsed().as_secs_f64());

        let results: Vec<Delayed<(String, f64)>> =
            sizes.iter().map(|size| delayed(calculate_pi, *size)).collect();
        if let Some(path) = &options.visualize {
            delayed(|results: &[(String, f64)]| results.len() as u64, &results).visualize(path)?;
        }
        let start = Instant::now();
        let computed = client.compute_all(&results)?;
        computed.iter().for_each(|(words, _)| println!("{words}"));
        let threads = client.cluster().thread_count();
        println!("time taken delayed on {threads} threads is {:.3} s", start.elapsed().as_secs_f64());
        if computed != plain {
            return Err("the two ways do not agree".into());
        }
        Ok(())
    })
}
