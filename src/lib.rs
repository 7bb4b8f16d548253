//! An MPI-native SPMD task runtime.
pub mod comm;
pub mod error;
pub mod message;
pub mod rank;
pub mod scheduler;
pub mod store;
pub mod task;
pub mod value;
pub mod worker;

pub use error::{Error, Result};
