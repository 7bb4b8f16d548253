//! Chunked arrays from the start: made, looked at, squared, sliced, summed, transformed.
//!
//! `mpirun -n 4 target/release/examples/arrays`

use clap::Parser;
use maniple::{array::map_blocks, prelude::*};
use ndarray::{ArrayD, s};
use std::path::PathBuf;

/// Shows what chunked arrays do.
#[derive(Parser)]
struct Options {
    /// Where to draw the graph of the last sum: an SVG file, or a DOT file.
    #[arg(long)]
    visualize: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    maniple::run(|client| {
        let a = client.arange(1, 50, 3, 5);
        println!("{a}");
        println!("{}\n{:?}\n{:?}\n{:?}", a.dtype(), a.shape(), a.chunks(), a.chunk_size());
        println!("{}", a.square().compute()?);
        println!("{}", a.slice(s![2..12;3]).compute()?);

        let x = client.random(0).random::<f64>([20], 5);
        println!("sum of 20 random numbers: {}", x.sum().compute()?);

        let x = client.random(0).random::<f64>([15, 15], chunks([10, 5]));
        println!("{:?}", x.chunks());
        let result = (&x + x.t()).sum();
        if let Some(path) = &options.visualize {
            result.visualize(path)?;
        }
        println!("{}", result.explain());
        println!("(x + x.T).sum() = {}", result.compute()?);

        // A function of one's own on the blocks of two arrays, which are first cut alike.
        let y = client.random(1).random::<f64>([15, 15], chunks([5, 15]));
        let products = map_blocks(|x: &ArrayD<f64>, y: &ArrayD<f64>| x * y, (&x, &y));
        println!("largest product: {}", products.max().compute()?);
        // Each row of y lies in one chunk.
        println!("sums of rows: {}", y.rfft(1).slice(s![.., 0]).real().compute()?);
        println!("tenths: {}", (y * 10.0).cast::<i64>().bincount(10)?.compute()?);
        Ok(())
    })
}
