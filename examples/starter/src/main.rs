//! The mean energy of many simulations, and a histogram of them: `cargo run`, or `mpirun -n 4 target/debug/starter`.

use maniple::prelude::*;
use ndarray::Array1;

/// One task: replace it by your own.
fn simulate(seed: u64) -> f64 {
    let steps = Array1::from_iter((1..=1000).map(|step| (seed as f64 + step as f64).sin()));
    steps.mapv(|value| value * value).sum()
}

fn main() -> Result<()> {
    maniple::run(|client| {
        let energies = client.map(simulate, 0..1000);
        let mean = client.submit(|all: &[f64]| all.iter().sum::<f64>() / all.len() as f64, &energies);
        println!("mean energy {:.3}", mean.result()?);

        let values = Array1::from(client.gather(&energies)?);
        let (counts, edges) = client.from_ndarray(&values, 250)?.histogram(4, 499.0, 501.0);
        println!("{:?} in bins {edges:?}", counts.compute()?);
        Ok(())
    })
}
