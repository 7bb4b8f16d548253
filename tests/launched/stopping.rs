//! Runs whose time is over: no task begins any more, those that run may end, and the exit status asks for
//! another run.

use crate::support::itself;
use itself::ways;
use maniple::{Client, Error, Reason, Result, SubmitOptions, current};
use std::{
    env,
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Set in the processes that a test has started: which program they are.
const PROGRAM: &str = "MANIPLE_STOPPING_PROGRAM";
/// The exit status that asks for another run.
const AGAIN: i32 = 75;
/// Longer than any of these runs takes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Goes on until the run stops.
fn works_on(first: u64) -> u64 {
    println!("working in {}", std::process::id());
    let start = Instant::now();
    while !current().stopping() {
        assert!(start.elapsed() < TIMEOUT, "nobody stops it");
        thread::sleep(Duration::from_millis(5));
    }
    first + 1
}

fn nap(milliseconds: u64) -> u64 {
    thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

fn assert_too_late<T>(result: Result<T>) -> Error {
    match result.err() {
        Some(Error::Task(error)) => {
            assert_eq!(error.reason, Reason::Stopping, "{error}");
            error.into()
        }
        other => panic!("it is too late, not {other:?}"),
    }
}

/// Waits for a task of its own that comes too late.
fn needs_another(first: u64) -> u64 {
    let working = works_on(first);
    working + current().client().submit(nap, 1).result().unwrap()
}

/// A task runs on every thread, others wait for it or for a thread, and a signal comes.
fn stopped_from_outside(client: &Client) -> Result<()> {
    let threads = client.cluster().thread_count() as u64;
    assert!(!client.stopping());
    let running = client.map(works_on, 1..threads);
    let fails = client.submit(needs_another, 0);
    let queued = client.map(nap, vec![1; 3 * threads as usize]);
    let after = client.submit(|numbers: &[u64]| numbers.len(), &queued);
    assert_eq!(client.gather(&running)?, (2..=threads).collect::<Vec<_>>(), "what runs may end");
    assert!(client.stopping());
    let error = assert_too_late(fails.result());
    assert!(error.to_string().contains("needs_another) came too late on rank"), "{error}");
    queued.iter().for_each(|nap| drop(assert_too_late(nap.result())));
    assert_too_late(after.result());
    assert_eq!(client.scatter(7)?.result()?, 7, "values are no tasks");
    client.submit(nap, 1).result().map(drop)
}

/// Runs short tasks until none begins any more.
fn until_the_limit(client: &Client) -> Result<()> {
    let left = client.time_left().expect("a limit is known");
    assert!(left <= Duration::from_secs(5), "{left:?}");
    let much = SubmitOptions::new().expected(Duration::from_secs(4));
    assert_too_late(client.with(&much).submit(nap, 1).result());
    let little = SubmitOptions::new().expected(Duration::from_millis(1));
    assert_eq!(client.with(&little).submit(nap, 1).result()?, 1);
    loop {
        let napped = client.submit(nap, 20).result();
        if client.time_left().expect("it stays known") > Duration::from_secs(2) {
            // The margin has not begun, so all is well.
            assert_eq!(napped?, 20);
        } else if napped.is_err() {
            return Err(Error::other(napped.unwrap_err()));
        }
    }
}

/// What the started processes do.
pub(crate) fn program() {
    let Ok(program) = env::var(PROGRAM) else { return };
    let run = maniple::run(move |client| match program.as_str() {
        "from outside" => stopped_from_outside(client),
        "limit" => until_the_limit(client),
        "stuck" => client.submit(nap, 120_000).result().map(drop),
        "leaves early" => {
            while !client.stopping() {
                thread::sleep(Duration::from_millis(5));
            }
            Err(Error::Stopping)
        }
        "no limit" => {
            assert_eq!(client.time_left(), None);
            let years = SubmitOptions::new().expected(Duration::MAX);
            client.with(&years).submit(nap, 1).result().map(drop)
        }
        other => panic!("no program {other}"),
    });
    if let Err(error) = run {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

fn command(way: Option<u32>, program: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = itself::command(way);
    // The tests may themselves be run within a job.
    let others = ["SLURM_JOB_END_TIME", "PBS_WALLTIME", "MANIPLE_END_TIME"];
    for name in others {
        command.env_remove(name);
    }
    command.env(PROGRAM, program).envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

fn assert_asks_for_another_run(way: Option<u32>, output: &Output, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(AGAIN), "{way:?} ranks: {stderr}");
    assert_eq!(stderr.matches("Error: ").count(), 1, "{way:?} ranks: {stderr}");
    assert!(stderr.contains(words), "{way:?} ranks: {stderr}");
}

#[test]
fn a_signal_lets_tasks_end_and_none_begin() {
    for way in ways([2, 4]) {
        let mut child = command(way, "from outside", &[("MANIPLE_THREADS", "2")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(|line| line.ok()).filter(|line| line.contains("working in "));
        // All threads work before the signal comes.
        let threads = if way == Some(4) { 4 } else { 2 };
        let line = lines.by_ref().take(threads).last().expect("it starts");
        let worker: i32 = line.rsplit(' ').next().unwrap().parse().unwrap();
        // SAFETY: signals a process that this test has started.
        unsafe { libc::kill(worker, libc::SIGUSR1) };
        lines.for_each(drop);
        let output = child.wait_with_output().unwrap();
        assert_asks_for_another_run(
            way,
            &output,
            "launched::stopping::nap) came too late: the run is stopping",
        );
    }
}

#[test]
fn a_run_stops_by_itself_before_its_time_is_over() {
    for way in ways([2, 4]) {
        let limit = [("MANIPLE_TIME_LIMIT", "5"), ("MANIPLE_TIME_MARGIN", "2")];
        let output = command(way, "limit", &limit).output().unwrap();
        assert_asks_for_another_run(
            way,
            &output,
            "launched::stopping::nap) came too late: the run is stopping",
        );
    }
}

#[test]
fn nobody_waits_for_a_task_that_does_not_end_in_time() {
    for way in ways([2, 4]) {
        let end = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let end = (end.as_secs() + 6).to_string();
        let start = Instant::now();
        let output = command(way, "stuck", &[("SLURM_JOB_END_TIME", &end)]).output().unwrap();
        assert_asks_for_another_run(way, &output, "Error: stopped before the end");
        assert!(start.elapsed() < TIMEOUT, "{way:?} ranks took {:?}", start.elapsed());
    }
}

#[test]
fn a_closure_may_leave_early() {
    for way in ways([2, 4]) {
        let limit = [("MANIPLE_TIME_LIMIT", "1.5"), ("MANIPLE_TIME_MARGIN", "1")];
        let output = command(way, "leaves early", &limit).output().unwrap();
        assert_asks_for_another_run(way, &output, "Error: stopped before the end");
    }
}

#[test]
fn a_run_without_a_limit_goes_on() {
    for way in ways([2, 4]) {
        let output = command(way, "no limit", &[]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{way:?}: {output:?}");
    }
}
