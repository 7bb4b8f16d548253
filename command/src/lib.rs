//! Batch jobs of Maniple programs, and the command `maniple`, which makes and follows them.
//!
//! - [`job`]: from a request to a script, from a script to a finished run; for Slurm, PBS and Torque.
//! - The program `maniple` prints and submits job scripts (`job`, `sites`), examines the environment of a run
//!   (`info`) and writes reports again (`report`).

pub mod job;
