//! Tests that need no launcher: arrays, runs in one thread, scripts, and crates of users.

mod arrays;
mod delayed;
mod futures;
mod new_crate;
#[cfg(target_os = "linux")]
mod processes;
mod repeat;
#[cfg(target_os = "linux")]
mod scripts;
mod simulation;
