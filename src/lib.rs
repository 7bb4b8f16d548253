//! An MPI-native SPMD task runtime.
pub mod comm;
pub mod error;
pub mod job;
pub mod rank;

pub use error::{Error, Result};
