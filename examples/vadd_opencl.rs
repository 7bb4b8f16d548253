//! A task that runs a user's own OpenCL kernel: the sum of two vectors, made on the worker's device.
//!
//! `mpirun -n 6 target/release/examples/vadd_opencl --device gpu`; on a machine without a GPU, with PoCL:
//! `MANIPLE_DEVICE_TYPE=cpu target/release/examples/vadd_opencl --device gpu`

use clap::Parser;
use maniple::{Error, Result, Runtime, SubmitOptions, device::Binding};

/// Adds vectors on devices.
#[derive(Parser)]
struct Options {
    /// What each worker binds to: gpu or tile.
    #[arg(long, default_value = "gpu")]
    device: Binding,
    /// How many numbers a vector has.
    #[arg(long, default_value_t = 1_000_000)]
    length: u32,
}

const SOURCE: &str = "
kernel void vadd(global const float *a, global const float *b, global float *sum) {
    size_t i = get_global_id(0);
    sum[i] = a[i] + b[i];
}";

fn vadd(a: &[f32], b: &[f32]) -> Result<Vec<f32>, Error> {
    let device = maniple::device()?;
    let (a, b) = (device.buffer(a)?, device.buffer(b)?);
    let sum = device.empty_buffer(a.len())?;
    let kernel = device.kernel("vadd", SOURCE)?.arg(&a).arg(&b).arg(&sum);
    // SAFETY: the kernel's parameters are three arrays of floats, and each item touches one of each.
    unsafe { kernel.run([a.len()])? };
    sum.read()
}

/// The sums for two vectors that each worker makes for itself.
fn check(length: u32, worker: u32) -> u64 {
    let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
    let b: Vec<f32> = a.iter().map(|x| x / 2.0 + worker as f32).collect();
    let sum = vadd(&a, &b).unwrap_or_else(|error| panic!("{error}"));
    (0..length as usize).filter(|i| sum[*i] == a[*i] + b[*i]).count() as u64
}

fn main() -> Result<()> {
    let options = Options::parse();
    Runtime::builder().device(options.device).run(|client| {
        let workers = client.cluster().worker_count() as u32;
        let gpu = SubmitOptions::new().resource("GPU", 1);
        let right = client.with(&gpu).map(check, (0..workers).map(|worker| (options.length, worker)));
        for (rank, right) in client.cluster().workers().zip(client.gather(&right)?) {
            println!("{right} of {} sums are right; worker of rank {}", options.length, rank.rank);
        }
        Ok(())
    })
}
