//! What the tests of all packages share.

#![allow(dead_code, unused_imports, reason = "no test program uses all of it")]

pub(crate) mod browser;
pub(crate) mod example;
#[cfg(feature = "mpi")]
pub(crate) mod hosts;
pub(crate) mod itself;
#[cfg(feature = "mpi")]
mod launch;
pub(crate) mod opencl;

#[cfg(feature = "mpi")]
pub(crate) use launch::{assert_clean, is_open_mpi, launch, launch_with, launcher, mpirun, tell};
