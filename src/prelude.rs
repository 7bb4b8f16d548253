//! What most programs need: `use maniple::prelude::*;`.

pub use crate::{
    Array, Cluster, Delayed, Error, Future, MemoryLimit, Result, Runtime, Shared, Status, SubmitOptions,
    TaskError, WaitFor,
    array::chunks,
    client::{Client, delayed},
    current,
};
