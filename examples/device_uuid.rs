//! One task on each worker tells which device it is bound to: the Sophia page's Dask program.
//!
//! `mpirun -n 10 target/release/examples/device_uuid --device gpu` on a node with 8 GPUs

use clap::Parser;
use maniple::{Result, Runtime, device::Binding};

/// Prints the device of each worker.
#[derive(Parser)]
struct Options {
    /// What each worker binds to: gpu or tile.
    #[arg(long, default_value = "gpu")]
    device: Binding,
}

fn device_uuid() -> String {
    let device = maniple::device().unwrap_or_else(|error| panic!("{error}"));
    let uuid = device.record().uuid_text().unwrap_or_else(|| "not told by the driver".into());
    format!("GPU uuid: {uuid}\n    {:#}", device.record())
}

fn main() -> Result<()> {
    let options = Options::parse();
    Runtime::builder().device(options.device).run(|client| {
        println!("{} workers", client.cluster().worker_count());
        let devices = client.gather(&client.run_on_workers(device_uuid, ()))?;
        for ((number, worker), device) in client.cluster().workers().enumerate().zip(devices) {
            println!("Worker {}-{number} - {device}", worker.host);
        }
        Ok(())
    })
}
