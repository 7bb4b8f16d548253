//! Heat spreads over a plate: a stencil on a chunked array, step by step, and a picture at the end.
//!
//! `mpirun -n 4 target/release/examples/heat --side 1000 --steps 200 --picture plate.pgm`; with `--repeat` the workers
//! go through the steps by themselves.

use clap::Parser;
use maniple::{array::Boundary, prelude::*};
use ndarray::{Array2, ArrayD, Ix2, s};
use std::{fs, path::PathBuf, sync::Arc};

/// Lets heat spread over a square plate with a hot disk in it and cold edges.
#[derive(Parser)]
struct Options {
    /// How many points a side of the plate has.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(8..=100_000))]
    side: u64,
    /// How many points a side of a block has.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(4..))]
    chunk: u64,
    /// How many steps in time.
    #[arg(long, default_value_t = 100)]
    steps: u32,
    /// Send the step to the workers once, which then repeat it.
    #[arg(long)]
    repeat: bool,
    /// Where to write the picture, a portable graymap.
    #[arg(long)]
    picture: Option<PathBuf>,
}

/// One step: each point comes nearer to the mean of its four neighbours. Points of the outer rim of a
/// block, which its neighbours compute, stay.
fn spread(block: &ArrayD<f64>) -> ArrayD<f64> {
    let old = block.view().into_dimensionality::<Ix2>().expect("a plate has two axes");
    let mut new: Array2<f64> = old.to_owned();
    let (rows, columns) = old.dim();
    let part = |row: usize, column: usize| old.slice(s![row..rows - 2 + row, column..columns - 2 + column]);
    let inside = part(1, 1);
    let around = &part(0, 1) + &part(2, 1) + part(1, 0) + part(1, 2);
    new.slice_mut(s![1..rows - 1, 1..columns - 1]).assign(&(&inside + 0.2 * (around - 4.0 * &inside)));
    new.into_dyn()
}

fn main() -> Result<()> {
    let options = Options::parse();
    maniple::run(|client| {
        let (side, chunk) = (options.side as usize, options.chunk as usize);
        let row = client.arange(0, side as i64, 1, chunk).cast::<f64>() - (side - 1) as f64 / 2.0;
        let column = row.expand_dims(1);
        let radius = side as f64 / 4.0;
        let plate = (row.square() + column.square()).lt(radius * radius).cast::<f64>().persist()?;
        let before = plate.sum().compute()?;
        let step = |plate: &Array<f64>| plate.map_overlap(spread, &[1, 1], Boundary::Constant(0.0));
        let plate = if options.repeat {
            client.repeat(options.steps as usize, plate, |_, plate| Ok(step(&plate)))?
        } else {
            (0..options.steps).try_fold(plate, |plate, _| step(&plate).persist())?
        };
        let after = plate.sum().compute()?;
        println!("heat before {before:.3}, after {after:.3}; hottest {:.6}", plate.max().compute()?);
        if let Some(path) = &options.picture {
            let gray = (&plate * 255.0).round().cast::<u8>().compute()?;
            let mut bytes = format!("P5\n{side} {side}\n255\n").into_bytes();
            bytes.extend(gray.iter());
            fs::write(path, bytes).map_err(|source| Error::File {
                message: "the picture cannot be written".into(),
                path: path.clone(),
                source: Arc::new(source),
            })?;
        }
        Ok(())
    })
}
