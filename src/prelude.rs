//! What most programs need: `use maniple::prelude::*;`.

#[cfg(feature = "arrays")]
pub use crate::{Array, array::chunks};
pub use crate::{
    Cluster, Delayed, Error, Future, MemoryLimit, Result, Runtime, Shared, Status, SubmitOptions, TaskError,
    WaitFor,
    client::{Client, delayed, each},
    current, fallible,
};
