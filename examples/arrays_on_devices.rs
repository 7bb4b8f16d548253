//! The same sums over a matrix of random numbers on processors and on devices, with how long they take.
//!
//! `mpirun -n 6 target/release/examples/arrays_on_devices --device gpu`; on a machine without a GPU, with
//! PoCL: `MANIPLE_DEVICE_TYPE=cpu target/release/examples/arrays_on_devices --device gpu`

use clap::Parser;
use maniple::{Array, array::chunks, device::Binding, prelude::*};
use std::time::Instant;

/// Sums of a matrix, on processors and on devices.
#[derive(Parser)]
struct Options {
    /// What each worker binds to: cpu, gpu or tile.
    #[arg(long, default_value = "gpu")]
    device: Binding,
    /// How many rows and columns the matrix has.
    #[arg(long, default_value_t = 4_000)]
    length: usize,
    /// How many rows and columns a block has.
    #[arg(long, default_value_t = 2_000)]
    chunk: usize,
}

fn main() -> Result<()> {
    let options = Options::parse();
    Runtime::builder().device(options.device).run(|client| {
        for (place, client) in [("processors", client.clone()), ("devices", client.on_devices())] {
            println!("on {place}:");
            let size = [options.length; 2];
            let x = client.random(1).uniform::<f32>(0.0, 1.0, size, chunks([options.chunk; 2])).persist()?;
            x.wait()?;
            report("(x + x.T).sum()", &(&x + x.t()).sum().into_dyn())?;
            report("(exp(x) * 2 + sin(x)^2).sum()", &(x.exp() * 2.0 + x.sin().square()).sum().into_dyn())?;
            // The points are generated where they are counted.
            let points = client.random(2).uniform::<f32>(0.0, 1.0, [x.size(), 2], chunks([1_000_000, 2]));
            let inside = points.square().sum_axis(1).lt(1.0).count_nonzero();
            report("points in the quarter circle", &inside.into_dyn())?;
        }
        Ok(())
    })
}

/// Computes a sum twice, the second time with what was built for the first, and prints what comes of it.
fn report<T: maniple::array::Element + std::fmt::Debug>(name: &str, sum: &Array<T>) -> Result<()> {
    let first = sum.compute()?;
    let begin = Instant::now();
    let second = sum.compute()?;
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(first, second, "the same bits each time");
    println!("  {name} = {:?} in {seconds:.4} s", second.iter().next().expect("one number"));
    println!("{}", sum.explain());
    Ok(())
}
