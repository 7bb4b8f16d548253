//! Whole runs: in this process, as threads, in processes of their own, and under a launcher.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
#[cfg(feature = "dashboard")]
mod dashboard;
#[cfg(feature = "opencl")]
mod devices;
mod examples;
#[cfg(feature = "mpi")]
mod hosts;
mod journal;
#[cfg(feature = "mpi")]
mod loss;
mod memory;
mod scenarios;
mod sessions;
mod stopping;
#[cfg(feature = "mpi")]
mod transport;
mod watching;

/// What a process does that a test has started with [`itself::ARGS`](support::itself::ARGS). Each module has a variable
/// of its own that names its program, and does nothing where that is not set.
#[test]
fn program() -> maniple::Result<()> {
    bad_input::program();
    #[cfg(feature = "opencl")]
    devices::program();
    journal::program();
    stopping::program();
    #[cfg(feature = "mpi")]
    {
        hosts::program();
        loss::program();
        scenarios::program();
    }
    sessions::program()
}
