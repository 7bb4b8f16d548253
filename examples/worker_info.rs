//! One task on each worker says where it runs: the Sophia page's Dask program.
//!
//! `mpirun -n 6 target/release/examples/worker_info`

use maniple::current;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Place {
    rank: u32,
    worker: usize,
    pid: u32,
    threads: usize,
    scratch_directory: String,
}

fn where_am_i() -> Place {
    let task = current();
    Place {
        rank: task.rank().0,
        worker: task.worker(),
        pid: std::process::id(),
        threads: rayon::current_num_threads(),
        scratch_directory: task.scratch_directory().expect("a scratch directory").display().to_string(),
    }
}

fn main() -> maniple::Result<()> {
    maniple::run(|client| {
        println!("{:#}", client.cluster());
        println!("{} workers", client.cluster().worker_count());
        let futures = client.run_on_workers(where_am_i, ());
        for (worker, place) in client.cluster().workers().zip(client.gather(&futures)?) {
            println!(
                "Worker {} on {} - rank {}, pid {}, {} threads, {}",
                place.worker, worker.host, place.rank, place.pid, place.threads, place.scratch_directory
            );
        }
        Ok(())
    })
}
