//! Runs over three hosts, which are namespaces of this machine: `tests/support/hosts.sh`.
//!
//! Needs root, `ip` and `nsenter`. Without them each test prints a line and passes, unless
//! `MANIPLE_REQUIRE_HOSTS=1`.

#[path = "support/example.rs"]
mod example;
#[path = "support/itself.rs"]
mod itself;
mod support;

use example::example;
use itself::{ARGS, text};
use maniple::{Client, Result, SubmitOptions, current};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env,
    fs::File,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Set in the ranks that a test has launched.
const PROGRAM: &str = "MANIPLE_HOSTS_PROGRAM";
/// What a rank that ends itself leaves.
const FILE: &str = "MANIPLE_HOSTS_FILE";
/// How many ranks each host gets: the driver and the scheduler are on the first, with a worker.
const HOSTS: &str = "h1:3,h2:2,h3:1";
const RANKS: &str = "6";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/hosts.sh");
/// So many make a value of 48 MB.
const NUMBERS: usize = 6_000_000;

/// What keeps this machine from having several hosts.
fn missing() -> Option<String> {
    let check = Command::new(SCRIPT).arg("--check").output().unwrap();
    let words = String::from_utf8_lossy(&check.stderr);
    let first = words.lines().next().unwrap_or("network namespaces are not allowed");
    (!check.status.success()).then(|| first.to_string())
}

/// Runs a program on three hosts; `None` where there can be none.
fn on_hosts(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
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
    let is_open_mpi = maniple::comm::mpi::library_version().contains("Open MPI");
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
    command.args(["--kill-after=5", "120", SCRIPT, "3", "sh", "-c", launch]);
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

#[test]
fn pi_over_three_hosts_gives_what_it_gives_alone() {
    let arguments = ["--samples", "1e6", "--runs", "1", "--json", "--threads", "1"];
    let Some(output) = on_hosts(&example("pi"), &arguments, &[]) else { return };
    support::assert_clean(&output);
    let alone = Command::new(example("pi")).args(arguments).output().unwrap();
    let inside = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap()["runs"][0]["inside"].clone();
    assert_eq!(inside(&output.stdout), inside(&alone.stdout));
}

#[test]
fn large_values_and_tasks_go_where_they_are_asked_to() {
    let variables = [(PROGRAM, "1"), ("MANIPLE_THREADS", "1")];
    let Some(output) = on_hosts(&env::current_exe().unwrap(), &ARGS, &variables) else { return };
    support::assert_clean(&output);
    assert_eq!(text(&output.stdout).matches("program done").count(), 6, "{}", support::tell(&output));
}

/// Open MPI 4.1's mpirun does not come to an end when it has lost a rank on another host.
#[test]
fn the_only_rank_of_a_host_is_lost_and_what_it_held_is_made_again() {
    if env::var_os(PROGRAM).is_none() && maniple::comm::mpi::library_version().contains("Open MPI") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ended");
    let variables = [
        (PROGRAM, "loss"),
        (FILE, file.to_str().unwrap()),
        ("MANIPLE_THREADS", "1"),
        ("MANIPLE_SURVIVE", "1"),
    ];
    let Some(output) = on_hosts(&env::current_exe().unwrap(), &ARGS, &variables) else { return };
    let lines = text(&output.stderr);
    assert!(output.status.success() && lines.lines().count() == 1, "{}", support::tell(&output));
    let line = "Warning: rank 5 (h3) was not heard of for 3s; the run goes on without it: ";
    assert!(lines.starts_with(line), "{lines}");
    assert_eq!(text(&output.stdout).matches("program done").count(), 5, "{}", support::tell(&output));
}

#[test]
fn the_doctor_sees_every_host_once() {
    let Some(output) = on_hosts(Path::new(env!("CARGO_BIN_EXE_maniple")), &["info"], &[]) else { return };
    let stdout = text(&output.stdout);
    for host in ["host h1: ranks 0-2", "host h2: ranks 3-4", "host h3: rank 5"] {
        assert_eq!(stdout.matches(&format!("\n{host}\n")).count(), 1, "{stdout}{}", text(&output.stderr));
    }
}

fn count_up(first: u64) -> Vec<u64> {
    (first..first + NUMBERS as u64).collect()
}

fn sum_and_host(numbers: &[u64]) -> (u64, String) {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    (numbers.iter().sum(), format!("{} {}", current().rank(), host.trim()))
}

fn moves_values(client: &Client) -> Result<()> {
    let hosts: BTreeSet<String> = client.cluster().workers().map(|worker| worker.host.clone()).collect();
    assert_eq!(hosts, ["h1", "h2", "h3"].map(String::from).into());
    let on = |host: &str| SubmitOptions::new().workers([host]);
    let expected: u64 = count_up(7).iter().sum();
    let made = client.submit_with(&on("h2"), count_up, 7);
    for host in ["h1", "h2", "h3"] {
        let (sum, ran) = client.submit_with(&on(host), sum_and_host, &made).result()?;
        assert_eq!(sum, expected, "{ran}");
        assert!(ran.ends_with(host), "{ran} is not on {host}");
    }
    assert_eq!(made.result()?, count_up(7), "a large value comes to the driver");
    let everywhere = client.broadcast(count_up(7))?;
    for (sum, ran) in client.gather(&client.run_on_workers(sum_and_host, &everywhere))? {
        assert_eq!(sum, expected, "{ran}");
    }
    Ok(())
}

/// Ends its rank, but only the first of all that are called with this file.
fn ends_the_first(file: &String) -> u32 {
    if File::create_new(file).is_ok() {
        // SAFETY: ends this very process.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    current().rank().0
}

fn loses_a_host(client: &Client) -> Result<()> {
    let rather_there = SubmitOptions::new().workers(["h3"]).allow_other(true);
    let expected: u64 = count_up(7).iter().sum();
    let made = client.submit_with(&rather_there, count_up, 7);
    let (_, ran) = client.submit_with(&rather_there, sum_and_host, &made).result()?;
    assert_eq!(ran, "5 h3");
    let file = env::var(FILE).unwrap();
    assert_ne!(client.submit_with(&rather_there, ends_the_first, file).result()?, 5);
    assert_eq!(client.submit(sum_and_host, &made).result()?.0, expected, "it is made again");
    Ok(())
}

/// What the launched ranks do.
#[test]
fn program() {
    match env::var(PROGRAM).as_deref() {
        Ok("loss") => maniple::run(loses_a_host).unwrap(),
        Ok(_) => maniple::run(moves_values).unwrap(),
        Err(_) => return,
    }
    println!("program done");
}
