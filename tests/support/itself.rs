//! A test program that starts itself again: only its test `program` then runs, and does what the environment says.

#[cfg(feature = "mpi")]
use crate::support;
use std::{env, process::Command};

/// What it is started with.
pub(crate) const ARGS: [&str; 4] = ["--exact", "program", "--nocapture", "--test-threads=1"];

/// How it is started: by itself, or under MPI on so many ranks.
pub(crate) fn ways(ranks: [u32; 2]) -> Vec<Option<u32>> {
    let _ = ranks;
    #[cfg(feature = "mpi")]
    {
        if support::launcher().is_some() {
            return [None].into_iter().chain(ranks.map(Some)).collect();
        }
        assert!(env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
        println!("skipped under MPI: no launcher is installed");
    }
    vec![None]
}

/// The command that starts it one of these ways.
pub(crate) fn command(way: Option<u32>) -> Command {
    let this = env::current_exe().unwrap();
    let mut command = match way {
        None => Command::new(this),
        #[cfg(feature = "mpi")]
        Some(ranks) => support::launch(ranks, &this),
        #[cfg(not(feature = "mpi"))]
        Some(_) => unreachable!("no way without MPI"),
    };
    command.args(ARGS);
    command
}

/// What was printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
