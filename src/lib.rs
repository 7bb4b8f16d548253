//! Maniple is an MPI-native SPMD task runtime, modelled on dask-mpi.
//!
//! One program is started by `mpirun`, `mpiexec` or `srun`. **Rank 0 schedules, rank 1 runs the driver,
//! ranks 2 and up work.** Tasks and their values are sent as MPI messages; nothing listens on a socket,
//! unless a dashboard or a cluster that [serves](Builder::serve) was asked for.
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

#![cfg_attr(
    not(feature = "testing"),
    allow(unreachable_pub, reason = "what only tests of the repository use")
)]
#![cfg_attr(
    not(all(feature = "arrays", feature = "dashboard", feature = "testing")),
    allow(
        dead_code,
        reason = "what only arrays, the dashboard, or tests and benchmarks of the repository use"
    )
)]
#![cfg_attr(not(feature = "arrays"), allow(unused_imports, reason = "what only arrays use"))]

mod allocator;
#[cfg(feature = "arrays")]
pub mod array;
mod checksum;
mod client;
mod cluster;
pub mod clusters;
mod codec;
mod comm;
mod current;
mod dashboard;
pub mod device;
mod disk;
mod encoding;
mod error;
mod files;
#[cfg(all(feature = "testing", feature = "arrays"))]
mod fuzzing;
mod host;
mod ids;
mod image;
pub mod info;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod internals;
mod journal;
mod lock;
mod log;
mod message;
mod module;
mod pace;
mod packed;
mod part;
mod picture;
pub mod prelude;
mod rank;
mod record;
mod repeat;
mod running;
mod runtime;
mod scheduler;
mod session;
mod store;
mod task;
mod units;
mod value;
mod worker;

pub use allocator::Allocator;
#[cfg(feature = "arrays")]
pub use array::Array;
pub use client::{
    AsCompleted, Client, Completions, Delayed, Each, EachWith, Future, Place, Publish, Status, SubmitOptions,
    WaitFor,
    arguments::{Arguments, IntoArgument},
    delayed, each,
};
pub use cluster::{Cluster, RankRecord};
pub use current::{Current, FAILURE_DETAIL_BYTES_MAX, cancelled, current, device, fail, is_in_task};
pub use disk::{Compression, SpillPlace};
pub use error::{DecodeError, DecodeErrorKind, Error, Reason, Result, ShapeError, ShapeErrorKind, TaskError};
/// The version of `half` whose `f16` is an element type of arrays.
#[cfg(feature = "arrays")]
pub use half;
pub use journal::{JournalSync, Resume};
pub use message::Published;
/// What [`module!`] uses.
#[doc(hidden)]
pub use module::offer as __module;
pub use module::{Module, ModuleFunction};
/// The version of `ndarray` whose arrays are arguments and results.
pub use ndarray;
pub use rank::{Rank, Role};
#[doc(hidden)]
pub use record::report_again;
pub use runtime::{Builder, Runtime, run};
pub use store::Thresholds;
pub use task::{Fallible, FallibleFunction, Shared, TaskFunction, fallible};
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
        Connecting: "../docs/guide/src/connecting.md",
    }
}
