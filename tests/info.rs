//! `maniple info`, alone and under MPI.

#[path = "support/itself.rs"]
mod itself;
#[cfg(feature = "mpi")]
mod support;

use itself::text;
use std::process::{Command, Output, Stdio};

const MANIPLE: &str = env!("CARGO_BIN_EXE_maniple");

/// What it printed; its status says whether something is wrong, and it says nothing else.
fn said(output: &Output) -> String {
    let stdout = text(&output.stdout);
    let is_wrong = stdout.contains("\nwrong: ");
    assert_eq!(output.status.code(), Some(i32::from(is_wrong)), "{stdout}{}", text(&output.stderr));
    assert_eq!(is_wrong, !stdout.ends_with("nothing is wrong\n"), "{stdout}");
    stdout
}

#[test]
fn alone_it_tells_of_this_host() {
    let output = Command::new(MANIPLE).arg("info").stdin(Stdio::null()).output().unwrap();
    let stdout = said(&output);
    assert_eq!(text(&output.stderr), "");
    for part in
        ["maniple    ", "MPI        ", "tools      ", "scheduler+driver+worker", "\n  memory ", "/dev/shm, "]
    {
        assert_eq!(stdout.matches(part).count(), 1, "{part:?} once\n{stdout}");
    }
}

#[test]
fn settings_without_meaning_are_wrong() {
    let mut command = Command::new(MANIPLE);
    let output = command.arg("info").env("MANIPLE_THREADS", "many").stdin(Stdio::null()).output().unwrap();
    assert!(said(&output).contains("cannot start: MANIPLE_THREADS=\"many\""), "{}", text(&output.stdout));
}

/// Slurm tells a step of its ranks, but without a plug-in for MPI the library does not hear of them.
#[test]
fn singletons_under_srun_are_told_with_the_plug_ins() {
    let step = [("SLURM_NTASKS", "4"), ("SLURM_STEP_ID", "0"), ("SLURM_STEP_NUM_TASKS", "4")];
    let rank = |rank: &str| {
        let mut command = Command::new(MANIPLE);
        command.arg("info").envs(step).env("SLURM_PROCID", rank).stdin(Stdio::null());
        command.output().unwrap()
    };
    let first = said(&rank("0"));
    assert!(first.contains("wrong: host ") && first.contains("srun started 4 ranks"), "{first}");
    assert!(first.contains("srun --mpi=pmix for Open MPI, --mpi=pmi2 for MPICH"), "{first}");
    let other = rank("1");
    assert!(other.status.success() && other.stdout.is_empty() && other.stderr.is_empty(), "{other:?}");
}

#[cfg(feature = "mpi")]
#[test]
fn under_mpi_it_shows_the_roles_once_and_each_host_once() {
    if support::launcher().is_none() {
        assert!(std::env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
        return println!("skipped: no MPI launcher is installed");
    }
    for ranks in [2, 4] {
        let timeout = std::time::Duration::from_secs(60);
        let output = support::mpirun(ranks, std::path::Path::new(MANIPLE), &["info"], &[], timeout);
        let stdout = said(&output);
        for part in ["maniple    ", "MPI_THREAD_", "0  scheduler ", "1  driver", "\nhost ", "/dev/shm, "] {
            assert_eq!(stdout.matches(part).count(), 1, "{part:?} once\n{stdout}");
        }
        assert!(stdout.contains(&format!("ranks={ranks}")), "{stdout}");
        assert!(stdout.contains(&format!(": ranks 0-{}\n", ranks - 1)), "{stdout}");
        assert!(!stdout.contains("tools "), "{stdout}");
    }
}

/// The launcher of another MPI starts ranks that know nothing of each other.
#[cfg(feature = "mpi")]
#[test]
fn the_launcher_of_another_mpi_is_told() {
    let is_open_mpi = maniple::comm::mpi::library_version().contains("Open MPI");
    let other = if is_open_mpi { "mpiexec.mpich" } else { "mpirun.openmpi" };
    let mut command = support::launch_with(std::path::Path::new(other), 3, std::path::Path::new(MANIPLE));
    let Ok(output) = command.arg("info").stdin(Stdio::null()).output() else {
        return println!("skipped: only one MPI is installed");
    };
    let stdout = said(&output);
    assert_eq!(stdout.matches("wrong: host ").count(), 1, "{stdout}");
    assert!(stdout.contains("started 3 ranks, but the MPI library of this program"), "{stdout}");
}
