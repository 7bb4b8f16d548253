//! The `maniple` command, started as users do.

#[path = "../../../tests/support/mod.rs"]
mod support;

mod cluster;
mod info;
mod job_pbs;
mod job_scripts;
mod report;
#[cfg(not(feature = "mpi"))]
mod slurm;
#[cfg(feature = "mpi")]
mod slurm_mpi;

const MANIPLE: &str = env!("CARGO_BIN_EXE_maniple");
