//! Runs over three hosts, which are namespaces of this machine: `tests/support/hosts.sh`.
//!
//! Needs root, `ip` and `nsenter`. Without them each test prints a line and passes, unless
//! `MANIPLE_REQUIRE_HOSTS=1`.

use crate::support;
use crate::support::{example, hosts, itself};
use example::example;
use hosts::{PROGRAM, on_hosts};
use itself::{ARGS, text};
use maniple::{Client, Result, SubmitOptions, current};
use serde_json::Value;
use std::{collections::BTreeSet, env, fs::File, process::Command};

/// What a rank that ends itself leaves.
const FILE: &str = "MANIPLE_HOSTS_FILE";
/// So many make a value of 48 MB.
const NUMBERS: usize = 6_000_000;

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
    if env::var_os(PROGRAM).is_none() && support::is_open_mpi() {
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
    let made = client.with(&on("h2")).submit(count_up, 7);
    for host in ["h1", "h2", "h3"] {
        let (sum, ran) = client.with(&on(host)).submit(sum_and_host, &made).result()?;
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
    let made = client.with(&rather_there).submit(count_up, 7);
    let (_, ran) = client.with(&rather_there).submit(sum_and_host, &made).result()?;
    assert_eq!(ran, "5 h3");
    let file = env::var(FILE).unwrap();
    assert_ne!(client.with(&rather_there).submit(ends_the_first, file).result()?, 5);
    assert_eq!(client.submit(sum_and_host, &made).result()?.0, expected, "it is made again");
    Ok(())
}

/// What the launched ranks do.
pub(crate) fn program() {
    match env::var(PROGRAM).as_deref() {
        Ok("loss") => maniple::run(loses_a_host).unwrap(),
        Ok(_) => maniple::run(moves_values).unwrap(),
        Err(_) => return,
    }
    println!("program done");
}
