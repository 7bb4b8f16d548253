//! A real Slurm of three nodes, brought up for the tests that share it and ended with them.
//!
//! Needs root, and Debian's slurmctld, slurmd, slurm-client and munge. Without them each test
//! prints a line and passes, unless `MANIPLE_REQUIRE_SLURM=1`.

#![allow(dead_code, reason = "no test uses all of it")]

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, Weak},
};

const NODES: &str = "3";
const CPUS_PER_NODE: &str = "8";

/// A throw-away cluster. It ends when this is dropped, or when this process dies, since its
/// standard input then closes.
pub(crate) struct Cluster {
    child: Child,
    slurm_conf: String,
}

static CLUSTER: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Cluster {
    /// The cluster that the tests running now share, or `None` where there can be none.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        let mut shared = CLUSTER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(cluster) = shared.upgrade() {
            return Some(cluster);
        }
        if let Some(reason) = missing() {
            assert!(
                env::var_os("MANIPLE_REQUIRE_SLURM").is_none(),
                "{reason}, and MANIPLE_REQUIRE_SLURM is set"
            );
            eprintln!("skipped: {reason}");
            return None;
        }
        let cluster = Arc::new(Self::start());
        *shared = Arc::downgrade(&cluster);
        Some(cluster)
    }

    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/slurm-cluster.sh");
        let mut child = Command::new(script)
            .args(["--nodes", NODES, "--cpus", CPUS_PER_NODE, "sh", "-c", "echo $SLURM_CONF; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script is part of this repository");
        let mut slurm_conf = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut slurm_conf).unwrap();
        assert!(!slurm_conf.trim().is_empty(), "the cluster did not come up");
        Self { child, slurm_conf: slurm_conf.trim().into() }
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("SLURM_CONF", &self.slurm_conf)
            .env("XDG_CONFIG_HOME", "/nowhere")
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
            .stdin(Stdio::null());
        command
    }

    /// `maniple job slurm --submit --wait`, with one rank a node by `srun` unless something else is
    /// said.
    pub(crate) fn job(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(crate::MANIPLE);
        command
            .args(["job", "slurm", "--submit", "--wait", "--output", "output.txt"])
            .args(arguments)
            .current_dir(directory);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What keeps a cluster from being started here.
fn missing() -> Option<String> {
    let is_installed = |program: &&str| {
        let paths = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        env::split_paths(&paths).any(|path| path.join(program).is_file())
    };
    let programs = ["slurmctld", "slurmd", "munged", "sbatch", "setpriv", "unshare"];
    if let Some(program) = programs.iter().find(|program| !is_installed(program)) {
        return Some(format!("{program} is not installed"));
    }
    let user = Command::new("id").arg("-u").output().ok()?;
    (user.stdout != b"0\n").then(|| "Slurm's daemons must be started by root".into())
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The status and the last line that `maniple` prints about a program that runs as a job.
pub(crate) fn outcome_of(arguments: &[&str]) -> Option<(Option<i32>, String)> {
    let cluster = Cluster::shared()?;
    let directory = tempfile::tempdir().unwrap();
    let output = cluster.job(directory.path(), arguments).output().unwrap();
    let id = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let last = stderr(&output).lines().last().unwrap_or_default().to_string();
    let last = last.replace(&format!("job {id}"), "job ID");
    Some((output.status.code(), last))
}
