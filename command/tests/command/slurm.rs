//! `maniple job slurm` on a real Slurm: what needs no MPI. With MPI see `slurm_mpi.rs`.

use crate::cluster::{Cluster, outcome_of, stderr};
use maniple_command::job::{self, Outcome, Request, Slurm, Status};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    ops::ControlFlow,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_job_that_succeeds() {
    let Some(outcome) = outcome_of(&["--launcher", "srun", "--nodes", "2", "--", "/bin/true"]) else {
        return;
    };
    assert_eq!(outcome, (Some(0), "job ID succeeded".into()));
}

#[test]
fn the_exit_status_of_a_job_that_fails_comes_back() {
    let Some(outcome) = outcome_of(&["--launcher", "srun", "--ranks", "1", "--", "sh", "-c", "exit 3"])
    else {
        return;
    };
    assert_eq!(outcome, (Some(3), "job ID failed with exit status 3".into()));
}

/// Slurm counts walltimes in minutes, so this takes one.
#[test]
fn a_job_that_meets_its_walltime() {
    let arguments = ["--launcher", "srun", "--ranks", "1", "--walltime", "1m", "--", "sleep", "300"];
    let Some(outcome) = outcome_of(&arguments) else { return };
    assert_eq!(outcome, (Some(124), "job ID met its walltime".into()));
}

#[test]
fn a_job_that_is_cancelled() {
    let Some(cluster) = Cluster::shared() else { return };
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--launcher", "srun", "--ranks", "1", "--", "sh", "-c", "touch started; sleep 300"];
    let mut job = cluster.job(directory.path(), &arguments);
    let mut job = job.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut id = String::new();
    BufReader::new(job.stdout.take().unwrap()).read_line(&mut id).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !directory.path().join("started").exists() {
        assert!(Instant::now() < deadline, "the job did not start");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(cluster.command("scancel").arg(id.trim()).status().unwrap().success());
    let output = job.wait_with_output().unwrap();
    assert!(stderr(&output).ends_with("was cancelled\n"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(143));
}

#[test]
fn a_partition_that_is_not_there_is_told_in_the_words_of_slurm() {
    let Some(outcome) = outcome_of(&["--queue", "nowhere", "--", "/bin/true"]) else { return };
    assert_eq!(outcome.0, Some(1));
    assert!(
        outcome.1.starts_with("maniple: sbatch: error: ") && outcome.1.contains("partition"),
        "{}",
        outcome.1
    );
}

/// Which launchers are here, and the shell's words for rank and node under each.
fn launchers() -> Vec<(&'static str, &'static str, &'static str)> {
    let all = [
        ("srun", "srun", "$SLURM_PROCID $SLURMD_NODENAME"),
        ("openmpi", "mpirun.openmpi", "$OMPI_COMM_WORLD_RANK $SLURMD_NODENAME"),
        // MPICH gives every rank the environment of the first node: its parent knows better.
        (
            "mpich",
            "mpiexec.mpich",
            "$PMI_RANK $(tr '\\0' '\\n' </proc/$PPID/environ | sed -n s/^SLURMD_NODENAME=//p)",
        ),
    ];
    let is_here = |program: &str| Command::new(program).arg("--version").output().is_ok();
    all.into_iter().filter(|(_, program, _)| is_here(program)).collect()
}

#[test]
fn every_launcher_puts_the_ranks_where_the_head_of_the_script_says() {
    let Some(cluster) = Cluster::shared() else { return };
    for (launcher, program, rank_and_node) in launchers() {
        let words = format!("echo {rank_and_node} $WORDS");
        let table = [
            (vec!["--workers-per-node", "2", "--nodes", "3"], [4, 2, 2]),
            (vec!["--workers", "3", "--nodes", "2"], [4, 1, 0]),
            (vec!["--workers-per-node", "8"], [10, 0, 0]),
            (vec!["--ranks", "6", "--nodes", "3"], [2, 2, 2]),
            (vec!["--ranks", "5", "--nodes", "2"], [3, 2, 0]),
            (vec!["--inclusive", "--workers-per-node", "2", "--nodes", "2"], [2, 2, 0]),
        ];
        for (size, expected) in table {
            let directory = tempfile::tempdir().unwrap();
            let options = ["--launcher", launcher, "--mpiexec", program, "--env", "WORDS=it's me"];
            let arguments = [&options[..], &size, &["--", "sh", "-c", &words]].concat();
            let output = cluster.job(directory.path(), &arguments).output().unwrap();
            let said = fs::read_to_string(directory.path().join("output.txt")).unwrap_or_default();
            assert_eq!(output.status.code(), Some(0), "{launcher} {size:?}: {}{said}", stderr(&output));
            let mut lines: Vec<(u32, &str)> = said
                .lines()
                .filter_map(|line| line.strip_suffix(" it's me")?.split_once(' '))
                .map(|(rank, node)| (rank.parse().unwrap(), node))
                .collect();
            lines.sort_unstable();
            let mut nodes = lines.iter().map(|(_, node)| *node).collect::<Vec<_>>();
            assert!(
                lines.iter().map(|(rank, _)| *rank).eq(0..expected.iter().sum()),
                "{launcher} {size:?}: {said}"
            );
            assert_eq!(said.lines().count(), lines.len(), "{launcher} {size:?} says more: {said}");
            // Ranks fill one node after the other; which node is first is up to Slurm.
            nodes.dedup();
            let counts: Vec<_> =
                nodes.iter().map(|node| lines.iter().filter(|line| line.1 == *node).count()).collect();
            let expected: Vec<_> =
                expected.into_iter().filter(|count| *count > 0).map(|count| count as usize).collect();
            assert_eq!(counts, expected, "{launcher} {size:?}: {said}");
        }
    }
}

/// The name of the variable that tells this test that it was started anew, inside a cluster.
const INSIDE: &str = "MANIPLE_TEST_INSIDE";

#[test]
fn the_builder_submits_asks_waits_and_cancels() {
    if env::var_os(INSIDE).is_none() {
        let Some(cluster) = Cluster::shared() else { return };
        let directory = tempfile::tempdir().unwrap();
        let again = cluster
            .command(env::current_exe().unwrap().to_str().unwrap())
            .args(["--exact", "slurm::the_builder_submits_asks_waits_and_cancels"])
            .env(INSIDE, "1")
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert!(again.status.success(), "{}{}", String::from_utf8_lossy(&again.stdout), stderr(&again));
        return;
    }
    let request = |program: [&str; 2]| Request {
        launcher: Some(job::Launcher::Srun),
        workers_per_node: Some(2),
        ..Request::program(program)
    };
    let job = Slurm::new(request(["sleep", "300"])).scale(4).submit().unwrap();
    assert!(matches!(job.status().unwrap(), Status::Queued { .. } | Status::Running { .. }));
    job.cancel().unwrap();
    assert_eq!(job.wait(|_| ControlFlow::Continue(())).unwrap(), Some(Outcome::Cancelled));

    let job = Slurm::new(request(["sleep", "0"])).scale(4).submit().unwrap();
    assert_eq!(job.wait(|_| ControlFlow::Continue(())).unwrap(), Some(Outcome::Exited(0)));
    assert_eq!(job.status().unwrap(), Status::Ended(Outcome::Exited(0)));

    let unknown = job::Submitted::with_id(job::System::Slurm, "999999");
    let error = unknown.status().unwrap_err();
    assert!(error.to_string().contains("keeps no record"), "{error}");
}
