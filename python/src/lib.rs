//! The native half of the Python package `maniple`: runs, futures and Python functions as tasks.
//!
//! Python calls reach the runtime as tasks on bytes: a function travels as its pickle, once per rank and content
//! ([`task`]); arguments and results travel as [`packet`]s. Arrays are those of the library ([`array`]). The GIL is
//! released around every wait.

mod array;
mod client;
mod completions;
mod draw;
mod errors;
mod future;
mod job;
mod memory;
mod packet;
mod run;
mod task;
mod waiting;

use pyo3::prelude::*;

/// Large results are copied to where they are sent from, again and again: into pages that are there already.
#[global_allocator]
static ALLOCATOR: maniple::Allocator = maniple::Allocator::new();

/// The names that the Python half of the package imports.
#[pymodule]
mod _maniple {
    #[cfg(feature = "hdf5")]
    #[pymodule_export]
    use super::array::hdf5::{array_from_hdf5, array_store_hdf5, hdf5_dataset};
    #[pymodule_export]
    use super::{
        array::{
            ArrayCore,
            algorithms::{
                array_bincount, array_covariance, array_digitize, array_einsum, array_fourier,
                array_from_file, array_lstsq, array_lu, array_matrix, array_norm, array_pad, array_qr,
                array_searchsorted, array_sets, array_solve, array_store, array_svd, array_topk,
                array_unique,
            },
            create::{
                RandomCore, array_eye, array_full, array_integers, array_linspace, array_of_blocks,
                array_reals,
            },
            publish_array, published_array,
            together::persist_arrays,
        },
        client::{Core, Function, current_core, current_worker},
        completions::Completions,
        draw::draw_calls,
        future::Future,
        job::{job_cancel, job_script, job_status, job_submit},
        memory::Memory,
        packet::input,
        run::{Run, launched_rank, launched_size, start},
    };
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
