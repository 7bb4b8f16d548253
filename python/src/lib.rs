//! The native half of the Python package `maniple`: runs, futures and Python functions as tasks.
//!
//! Python calls reach the runtime as tasks on bytes: a function travels as its pickle, once per rank and content
//! ([`task`]); arguments and results travel as [`packet`]s. The GIL is released around every wait.

mod client;
mod completions;
mod errors;
mod future;
mod memory;
mod packet;
mod run;
mod task;
mod waiting;

use pyo3::prelude::*;

/// The names that the Python half of the package imports.
#[pymodule]
mod _maniple {
    #[pymodule_export]
    use super::{
        client::{Core, Function, current_core, current_worker},
        completions::Completions,
        future::Future,
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
