//! An MPI-native SPMD task runtime.
pub mod comm;
pub mod error;
pub mod message;
pub mod rank;
pub mod scheduler;
pub mod task;
pub mod value;

pub use error::{Error, Result};
