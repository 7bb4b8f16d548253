//! Runs programs over three hosts, which are namespaces of this machine: `hosts.sh`.

use crate::support;
use std::{
    env,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Set in the ranks that a test has launched.
pub(crate) const PROGRAM: &str = "MANIPLE_HOSTS_PROGRAM";
/// How many ranks each host gets: the driver and the scheduler are on the first, with a worker.
const HOSTS: &str = "h1:3,h2:2,h3:1";
const RANKS: &str = "6";

/// The script that makes the hosts, beside this file.
fn script() -> std::path::PathBuf {
    super::example::root().join("tests/support/hosts.sh")
}

/// What keeps this machine from having several hosts.
fn missing() -> Option<String> {
    let check = Command::new(script()).arg("--check").output().unwrap();
    let words = String::from_utf8_lossy(&check.stderr);
    let first = words.lines().next().unwrap_or("network namespaces are not allowed");
    (!check.status.success()).then(|| first.to_string())
}

/// Runs a program on three hosts; `None` where there can be none.
pub(crate) fn on_hosts(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
    if env::var_os(PROGRAM).is_some() {
        return None;
    }
    let reason = match support::launcher() {
        None => Some("no MPI launcher is installed".to_string()),
        Some(_) => missing(),
    };
    if let Some(reason) = reason {
        assert!(env::var_os("MANIPLE_REQUIRE_HOSTS").is_none(), "{reason}, and MANIPLE_REQUIRE_HOSTS is set");
        println!("skipped: {reason}");
        return None;
    }
    let is_open_mpi = support::is_open_mpi();
    // The agent stands in for ssh.
    let launch = match is_open_mpi {
        true => {
            "exec \"$0\" --mca plm_rsh_agent \"$HOSTS_AGENT\" --host \"$HOSTS\" --oversubscribe --bind-to none \"$@\""
        }
        false => "exec \"$0\" -launcher ssh -launcher-exec \"$HOSTS_AGENT\" -hosts \"$HOSTS\" $FLAGS \"$@\"",
    };
    let survives = variables.iter().any(|(name, _)| *name == "MANIPLE_SURVIVE");
    let flags = if survives { "-disable-auto-cleanup" } else { "" };
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "120"]).arg(script()).args(["3", "sh", "-c", launch]);
    command.arg(support::launcher()?).args(["-n", RANKS]);
    for (name, _) in variables.iter().filter(|_| is_open_mpi) {
        command.args(["-x", name]);
    }
    command
        .arg(program)
        .args(arguments)
        .env("HOSTS", HOSTS)
        .env("FLAGS", flags)
        .envs(variables.iter().copied());
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    Some(command.stdin(Stdio::null()).output().unwrap())
}
