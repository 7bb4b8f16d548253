//! Maniple is an MPI-native SPMD task runtime, modelled on dask-mpi.
//!
//! One program is started by `mpirun`, `mpiexec` or `srun`. **Rank 0 schedules, rank 1 runs the driver,
//! ranks 2 and up work.** Tasks and their values travel as MPI messages; nothing listens on a socket,
//! but for a dashboard that was asked for.
//! Started without a launcher, the same program runs in one process.
//!
//! ```
//! use maniple::prelude::*;
//!
//! fn multiply(x: i32) -> i32 {
//!     x * 2
//! }
//!
//! fn neg(x: i32) -> i32 {
//!     -x
//! }
//!
//! fn main() -> maniple::Result<()> {
//!     maniple::run(|client| {
//!         let a = client.map(multiply, vec![1; 48]); // 48 futures; nothing blocks
//!         let b = client.map(neg, &a); // futures are arguments
//!         let total = client.submit(|v: &[i32]| v.iter().sum::<i32>(), &b);
//!         assert_eq!(total.result()?, -96);
//!         Ok(())
//!     })
//! }
//! ```
//!
//! - [`run`], [`Runtime::builder`]: a run from start to end; [`Builder::execute`] within an MPI program.
//! - [`Client`]: `submit`, `map`, `scatter`, `gather`, `as_completed` ...
//! - [`array`](mod@array): chunked arrays, lazily, with NumPy's operations.
//! - [`current`](current()): what a task knows of itself, and how it submits more.
//! - [`device`](mod@device): GPUs and tiles, and the kernels that tasks run on them.
//!
//! `ARCHITECTURE.md` in the repository describes the source, and `docs/guide` is the guide.

mod allocator;
pub mod array;
mod checksum;
pub mod client;
mod cluster;
mod codec;
#[doc(hidden)]
pub mod comm;
mod current;
mod dashboard;
pub mod device;
#[doc(hidden)]
pub mod disk;
mod encoding;
mod error;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod host;
#[doc(hidden)]
pub mod ids;
pub mod info;
pub mod job;
#[doc(hidden)]
pub mod journal;
mod lock;
mod log;
#[doc(hidden)]
pub mod message;
#[doc(hidden)]
pub mod packed;
mod part;
mod picture;
pub mod prelude;
#[doc(hidden)]
pub mod rank;
mod record;
mod running;
mod runtime;
#[doc(hidden)]
pub mod scheduler;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod task;
mod units;
#[doc(hidden)]
pub mod value;
#[doc(hidden)]
pub mod worker;

pub use allocator::Allocator;
pub use array::Array;
pub use client::{
    Client, Delayed, Future, Place, Status, SubmitOptions, WaitFor,
    arguments::{Arguments, IntoArgument},
    delayed,
};
pub use cluster::{Cluster, RankRecord};
pub use current::{Current, FAILURE_DETAIL_BYTES_MAX, cancelled, current, device, fail, is_in_task};
pub use disk::{Compression, SpillPlace};
pub use error::{Error, Reason, Result, TaskError};
pub use journal::{JournalSync, Resume};
pub use rank::{Rank, Role};
#[doc(hidden)]
pub use record::{Recorder, report_again};
#[doc(hidden)]
pub use runtime::simulation;
pub use runtime::{Builder, Runtime, run};
pub use store::Thresholds;
pub use task::{Shared, TaskFunction};
pub use units::MemoryLimit;
pub use value::Data;

/// The programs of the README and the guide compile.
#[cfg(doctest)]
mod documents {
    macro_rules! documents {
        ($($name:ident: $path:literal),* $(,)?) => {
            $(#[doc = include_str!($path)] struct $name;)*
        };
    }

    documents! {
        Readme: "../README.md",
        FirstRun: "../docs/guide/src/first-run.md",
        Tasks: "../docs/guide/src/tasks.md",
        Arrays: "../docs/guide/src/arrays.md",
        Devices: "../docs/guide/src/devices.md",
        Checkpoint: "../docs/guide/src/checkpoint.md",
        Embedding: "../docs/guide/src/embedding.md",
    }
}
