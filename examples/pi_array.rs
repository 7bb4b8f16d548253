//! Pi by random points in a chunked array that never exists as a whole: each task makes the points of
//! its block, a tile at a time, and counts.
//!
//! `mpirun -n 6 target/release/examples/pi_array --size 100e9 --chunks 40`

use clap::Parser;
use maniple::prelude::*;
use std::time::Instant;

/// Estimates pi with an array of random points.
#[derive(Parser)]
struct Options {
    /// How many bytes the array of points would take, such as 100e9.
    #[arg(long, default_value_t = 10e6, value_parser = size)]
    size: f64,
    /// In how many chunks.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    chunks: u64,
    /// Where the random numbers start.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn size(text: &str) -> Result<f64, String> {
    let size: f64 = text.parse().map_err(|_| "a number of bytes, such as 100e9, is due".to_string())?;
    match (16.0..=1e18).contains(&size) {
        true => Ok(size),
        false => Err("from 16 bytes, which is one point, to 1e18".into()),
    }
}

fn calculate_pi(client: &Client, options: &Options) -> Result<f64> {
    let points = (options.size / 8.0 / 2.0) as usize;
    let chunk_size = (points / options.chunks as usize).max(1);
    println!("{chunk_size}");

    // Random positions (x, y).
    let xy = client.random(options.seed).uniform::<f64>(0.0, 1.0, [points, 2], chunk_size);
    println!(" Created xy\n {xy}\n");
    println!(" Number of partitions/chunks is {:?}\n", xy.num_blocks());

    // Whether a position is in the unit circle, and the share of those that are.
    let inside_circle = xy.square().sum_axis(1).lt(1.0);
    let pi = 4.0 * inside_circle.sum().cast::<f64>() / inside_circle.size() as f64;
    let result = pi.compute()?;

    println!("\nfrom {} GB randomly chosen positions", xy.nbytes() as f64 / 1e9);
    println!("   pi estimate: {result}");
    println!("   pi error: {}\n", (result - std::f64::consts::PI).abs());
    Ok(result)
}

fn main() -> Result<()> {
    let options = Options::parse();
    maniple::run(|client| {
        let start = Instant::now();
        println!("{}", client.cluster());
        calculate_pi(client, &options)?;
        println!("time taken for maniple is {:.3} s", start.elapsed().as_secs_f64());
        Ok(())
    })
}
