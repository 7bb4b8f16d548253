//! `maniple info`, alone and under MPI.

#[cfg(feature = "mpi")]
use crate::support::{self, hosts};
use crate::{MANIPLE, support::itself::text};
use std::process::{Command, Output, Stdio};

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
    let is_open_mpi = support::is_open_mpi();
    let other = if is_open_mpi { "mpiexec.mpich" } else { "mpirun.openmpi" };
    let mut command = support::launch_with(std::path::Path::new(other), 3, std::path::Path::new(MANIPLE));
    let Ok(output) = command.arg("info").stdin(Stdio::null()).output() else {
        return println!("skipped: only one MPI is installed");
    };
    let stdout = said(&output);
    assert_eq!(stdout.matches("wrong: host ").count(), 1, "{stdout}");
    assert!(stdout.contains("started 3 ranks, but the MPI library of this program"), "{stdout}");
}

/// Needs root and namespaces, as the tests of runs on several hosts.
#[cfg(feature = "mpi")]
#[test]
fn the_doctor_sees_every_host_once() {
    let Some(output) = hosts::on_hosts(std::path::Path::new(MANIPLE), &["info"], &[]) else { return };
    let stdout = text(&output.stdout);
    for host in ["host h1: ranks 0-2", "host h2: ranks 3-4", "host h3: rank 5"] {
        assert_eq!(stdout.matches(&format!("\n{host}\n")).count(), 1, "{stdout}{}", text(&output.stderr));
    }
}

#[test]
fn the_files_of_clusters_that_have_ended_are_removed() {
    use std::{fs, os::unix::fs::PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let file = folder.path().join("gone-1.json");
    let connection = serde_json::json!({
        "name": "gone-1", "host": host.trim(), "pid": 1, "socket": "/nonexistent/1.socket", "port": null,
        "token": "00", "job": null, "build": "00", "version": "0", "program": "gone", "started": 0.0,
        "ends": null, "ranks": 1, "workers": 1, "threads": 1, "devices": 0,
    });
    fs::write(&file, connection.to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let info = || {
        let mut command = Command::new(MANIPLE);
        command.arg("info").env("MANIPLE_CLUSTERS", folder.path()).stdin(Stdio::null());
        said(&command.output().unwrap())
    };
    let removed = format!("removed    {}: its cluster has ended", file.display());
    assert!(info().contains(&removed), "{}", file.display());
    assert!(!file.exists() && !info().contains("removed"));
}
