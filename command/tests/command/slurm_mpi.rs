//! `pi` as a job of a real Slurm: Open MPI by `mpirun`, MPICH by `srun --mpi=pmi2`, over two nodes.

use crate::{
    cluster::{Cluster, stderr},
    support::{self, example::example},
};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longer than any of these jobs takes to begin.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The options that start ranks of the MPI that this was built with.
fn launcher() -> Option<[String; 4]> {
    let launcher = if support::is_open_mpi() { "openmpi" } else { "srun-pmi2" };
    let program = if support::is_open_mpi() { support::launcher()? } else { "srun".into() };
    Some(["--launcher", launcher, "--mpiexec", program.to_str()?].map(String::from))
}

/// A job that was submitted, and is waited for.
struct Job {
    cluster: std::sync::Arc<Cluster>,
    directory: TempDir,
    child: Child,
    id: String,
}

impl Job {
    /// Submits `pi` on two nodes with these options and arguments; `None` where there is no Slurm.
    fn submit(options: &[&str], arguments: &[&str]) -> Option<Self> {
        let cluster = Cluster::shared()?;
        let directory = tempfile::tempdir().unwrap();
        let (launcher, pi) = (launcher()?, example("pi"));
        let mut command = cluster.job(directory.path(), &["--nodes", "2", "--threads", "1"]);
        command.args(launcher).args(options).arg("--").arg(pi).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut id = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut id).unwrap();
        Some(Self { cluster, directory, child, id: id.trim().into() })
    }

    /// What it printed so far, to standard output and standard error.
    fn printed(&self) -> String {
        fs::read_to_string(self.directory.path().join("output.txt")).unwrap_or_default()
    }

    fn wait_until_it_prints(&self, words: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while !self.printed().contains(words) {
            assert!(
                Instant::now() < deadline,
                "job {} does not print {words:?}: {}",
                self.id,
                self.printed()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn scancel(&self, arguments: &[&str]) {
        let status = self.cluster.command("scancel").args(arguments).arg(&self.id).status();
        assert!(status.unwrap().success());
    }

    /// The status of `maniple job --wait` and its last line, and what the job printed.
    fn end(self) -> (Option<i32>, String, String) {
        let Self { child, directory, id, .. } = self;
        let output = child.wait_with_output().unwrap();
        let last = stderr(&output).lines().last().unwrap_or_default().replace(&format!("job {id}"), "job ID");
        let printed = fs::read_to_string(directory.path().join("output.txt")).unwrap_or_default();
        (output.status.code(), last, printed)
    }
}

fn count_inside(program: &mut Command) -> Value {
    let output = program.args(["--samples", "1e6", "--runs", "1", "--json"]).output().unwrap();
    inside(&String::from_utf8_lossy(&output.stdout))
}

fn inside(report: &str) -> Value {
    let report: Value = serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {report}"));
    report["runs"][0]["inside"].clone()
}

#[test]
fn pi_over_two_nodes_gives_what_it_gives_alone() {
    for size in [["--workers-per-node", "2"], ["--ranks-per-node", "3"]] {
        let Some(job) = Job::submit(&size, &["--samples", "1e6", "--runs", "1", "--json"]) else { return };
        let (status, last, printed) = job.end();
        assert_eq!((status, last.as_str()), (Some(0), "job ID succeeded"), "{printed}");
        // The report and nothing else: no word on standard error.
        assert_eq!(inside(&printed), count_inside(&mut Command::new(example("pi"))));
        let report: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(report["workers"], 4, "{printed}");
    }
}

#[test]
fn the_status_of_a_run_that_fails_comes_back() {
    let Some(job) = Job::submit(&["--ranks", "4", "--env", "MANIPLE_INCLUSIVE=perhaps"], &[]) else { return };
    let (status, last, printed) = job.end();
    assert_eq!((status, last.as_str()), (Some(1), "job ID failed with exit status 1"), "{printed}");
    let words = "cannot start: MANIPLE_INCLUSIVE=\"perhaps\" is neither 1 nor 0";
    assert_eq!(printed.matches(words).count(), 1, "{printed}");
}

#[test]
fn a_run_that_is_cancelled_ends_on_all_nodes() {
    let Some(job) = Job::submit(&["--ranks", "4"], &["--samples", "1e7", "--runs", "1000000"]) else {
        return;
    };
    job.wait_until_it_prints("Run 1 ");
    job.scancel(&[]);
    let directory = job.directory.path().to_path_buf();
    let (status, last, printed) = job.end();
    assert_eq!((status, last.as_str()), (Some(143), "job ID was cancelled"), "{printed}");
    assert_none_runs_in(&directory);
}

/// Open MPI 4.1's mpirun does not come to an end when it has lost a rank on another node.
#[test]
fn a_worker_that_is_killed_is_survived_under_pmi2() {
    let arguments = ["--samples", "1e7", "--runs", "6"];
    if support::is_open_mpi() {
        return;
    }
    let Some(job) = Job::submit(&["--ranks", "6", "--survive"], &arguments) else { return };
    job.wait_until_it_prints("Run 1 ");
    let rank = rank_in(job.directory.path(), 4).expect("it runs");
    let status = Command::new("kill").args(["-KILL", &rank]).status();
    assert!(status.unwrap().success());
    let (status, last, printed) = job.end();
    assert_eq!((status, last.as_str()), (Some(0), "job ID succeeded"), "{printed}");
    assert_eq!(printed.matches("Warning: rank 4 (").count(), 1, "{printed}");
    let output = Command::new(example("pi")).args(arguments).output().unwrap();
    assert_eq!(estimates(&printed), estimates(&String::from_utf8_lossy(&output.stdout)), "{printed}");
}

/// What the runs of `pi` came to.
fn estimates(printed: &str) -> Vec<&str> {
    let runs = printed.lines().filter(|line| line.starts_with("Run "));
    runs.filter_map(|line| line.split("Error").next()).collect()
}

/// The process of a rank that runs in a directory: of its two processes the one that the other has started.
fn rank_in(directory: &Path, rank: u32) -> Option<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_rank = |process: &fs::DirEntry| {
        let variables = fs::read(process.path().join("environ")).unwrap_or_default();
        let variables: Vec<&[u8]> = variables.split(|byte| *byte == 0).collect();
        fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
            && variables.contains(&format!("PMI_RANK={rank}").as_bytes())
            && variables.iter().any(|variable| variable.starts_with(b"MANIPLE_SUPERVISED="))
    };
    processes.into_iter().find(is_rank).map(|process| process.file_name().into_string().unwrap())
}

/// Waits for the end of all processes that a job has started in its directory.
fn assert_none_runs_in(directory: &Path) {
    let runs = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|process| {
                fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
            })
            .count()
    };
    let deadline = Instant::now() + TIMEOUT;
    while runs() > 0 {
        assert!(Instant::now() < deadline, "{} processes are left", runs());
        thread::sleep(Duration::from_millis(50));
    }
}

const STOPPED: &str = "job ID stopped before its end, with status 75: submit it again";

/// Slurm counts walltimes in minutes; the margin leaves ten seconds of one.
#[test]
fn a_run_stops_before_its_walltime_and_asks_to_be_submitted_again() {
    let options = ["--workers-per-node", "2", "--walltime", "1m", "--env", "MANIPLE_TIME_MARGIN=50"];
    let Some(job) = Job::submit(&options, &["--samples", "1e6", "--runs", "1000000"]) else { return };
    let (status, last, printed) = job.end();
    assert_eq!((status, last.as_str()), (Some(75), STOPPED), "{printed}");
    assert!(
        printed.contains("Run 1 ") && printed.contains("came too late: the run is stopping"),
        "{printed}"
    );
}

#[test]
fn a_run_stops_when_slurm_signals_it() {
    let arguments = ["--samples", "1e6", "--runs", "1000000"];
    // Through hwloc, mpirun loads the OpenCL drivers of its host, and that of PoCL takes SIGUSR1 from it.
    let options = ["--ranks-per-node", "2", "--env", "HWLOC_COMPONENTS=-opencl"];
    let Some(job) = Job::submit(&options, &arguments) else { return };
    job.wait_until_it_prints("Run 1 ");
    // Where mpirun takes the place of the script, the script's signal is for it, and it passes it on.
    let whom: &[&str] = if support::is_open_mpi() { &["--batch"] } else { &[] };
    job.scancel(&[whom, &["--signal", "USR1"]].concat());
    let (status, last, printed) = job.end();
    assert_eq!((status, last.as_str()), (Some(75), STOPPED), "{printed}");
}

#[test]
fn a_job_serves_sessions_until_it_is_stopped() {
    let Some(cluster) = Cluster::shared() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (launcher, pi) = (launcher().unwrap(), example("pi"));
    let command = |program: &str| {
        let mut command = cluster.command(program);
        command.env("MANIPLE_CLUSTERS", directory.path().join("clusters")).current_dir(directory.path());
        command
    };
    let mut submit = command(crate::MANIPLE);
    submit.args(["job", "slurm", "--submit", "--wait-ready", "--serve", "--output", "output.txt"]);
    submit.args(["--nodes", "2", "--threads", "1", "--workers-per-node", "2"]).args(&launcher).arg("--");
    let output = submit.arg(&pi).output().unwrap();
    let printed = fs::read_to_string(directory.path().join("output.txt")).unwrap_or_default();
    assert!(output.status.success(), "{}{printed}", stderr(&output));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let [id, file] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    let name = format!("pi-{id}");
    assert!(file.ends_with(&format!("clusters/{name}.json")), "{lines}");
    for _ in 0..2 {
        let inside = count_inside(command(pi.to_str().unwrap()).env("MANIPLE_CONNECT", file));
        assert_eq!(inside, count_inside(&mut Command::new(&pi)));
    }
    let listed = command(crate::MANIPLE).arg("clusters").output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.lines().any(|line| line.starts_with(&name) && line.ends_with(id)), "{listed}");
    let stopped = command(crate::MANIPLE).args(["clusters", "stop", &name]).status().unwrap();
    assert!(stopped.success() && !Path::new(file).exists());
    assert_none_runs_in(directory.path());
    let printed = fs::read_to_string(directory.path().join("output.txt")).unwrap();
    assert!(!printed.contains("rror"), "{printed}");
    // A job that ends before it can be connected to is said to.
    let mut failing = command(crate::MANIPLE);
    failing.args(["job", "slurm", "--submit", "--wait-ready", "--serve", "--launcher", "srun"]);
    let output = failing.args(["--ranks", "1", "--", "/bin/false"]).output().unwrap();
    assert!(stderr(&output).contains("before it could be connected to"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}
