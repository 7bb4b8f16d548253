//! What most programs need: `use maniple::prelude::*;`.

pub use crate::{
    Cluster, Error, Future, MemoryLimit, Result, Runtime, Shared, Status, SubmitOptions, TaskError, WaitFor,
    client::Client, current,
};
