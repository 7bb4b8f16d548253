//! Workers as processes of this host, without MPI: this test program, started once more for each.

use maniple::{Client, Data, Error, Reason, Result, Runtime, SubmitOptions};
use std::{
    collections::HashSet,
    process::{self, Command, Stdio},
    time::{Duration, Instant},
};

/// What a worker's process runs. Among the other tests it does nothing.
#[test]
fn a_worker_of_another_test() {
    if maniple::info::Launcher::of_this_process().is_some_and(|launcher| launcher.name == "maniple") {
        let _ = Runtime::builder().threads(1).execute(|_| Ok(()));
    }
}

fn worker() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "processes::a_worker_of_another_test"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn run<T: Data>(workers: u32, driver: impl FnOnce(&Client) -> Result<T> + Send) -> Result<T> {
    Runtime::builder().local_processes(workers, worker).execute(driver)
}

fn die(_: u32) {
    process::abort();
}

fn slow_pid(_: u32) -> u32 {
    std::thread::sleep(Duration::from_millis(2));
    process::id()
}

#[test]
fn workers_are_processes_and_values_move_between_them() {
    run(3, |client| {
        let pids: HashSet<u32> = client.gather(&client.map(slow_pid, 0..60))?.into_iter().collect();
        assert!(pids.len() > 1 && !pids.contains(&process::id()), "{pids:?}");

        let squares = client.map(|x: u64| x * x, 1..=10_000);
        let sum = client.submit(|squares: &[u64]| squares.iter().sum::<u64>(), &squares);
        assert_eq!(sum.result()?, 333_383_335_000);

        // Larger than a ring, from worker to worker and to the driver.
        let make = |seed: u64| (0..3_000_000).map(|index| index * 7 + seed).collect::<Vec<u64>>();
        let on = |rank| client.with(&SubmitOptions::new().workers([maniple::Rank(rank)]));
        let large = on(2).submit(make, 5u64);
        let moved = on(3).submit(|values: Vec<u64>| values, &large);
        assert_eq!(moved.result()?, make(5));
        let handed = client.scatter(make(6))?;
        let sum = on(4).submit(|values: &[u64]| values.iter().sum::<u64>(), &handed);
        assert_eq!(sum.result()?, make(6).iter().sum::<u64>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_worker_that_dies_is_lost_and_the_run_goes_on() {
    run(2, |client| {
        let kill = SubmitOptions::new().workers([maniple::Rank(3)]).allowed_failures(0);
        let killed = client.with(&kill).submit(die, 0u32);
        let error = killed.result().unwrap_err();
        assert!(matches!(&error, Error::Task(error) if error.reason == Reason::Lost), "{error}");
        let squares = client.gather(&client.map(|x: u64| x * x, 0..100))?;
        assert_eq!(squares.iter().sum::<u64>(), 328_350);
        Ok(())
    })
    .unwrap();
}

#[test]
fn without_any_worker_tasks_fail_with_the_reason() {
    run(1, |client| {
        let killed = client.submit(die, 0u32);
        let error = killed.result().unwrap_err().to_string();
        assert!(error.contains("all workers were lost") || error.contains("signal 6"), "{error}");
        let next = client.submit(|x: u32| x, 0u32).result().unwrap_err().to_string();
        assert!(next.contains("all workers were lost"), "{next}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_program_that_is_no_worker_is_told_of() {
    let start = Instant::now();
    let ended = Runtime::builder().local_processes(2, || Command::new("false")).execute(|_| Ok(()));
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("the worker process of rank 2 ended with status 1"), "{error}");
    let ended =
        Runtime::builder().local_processes(2, || Command::new("/no/such/program")).execute(|_| Ok(()));
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("worker processes cannot be started: /no/such/program: No such file"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_processes_end_with_the_run() {
    let pids = run(2, |client| client.gather(&client.map(slow_pid, 0..40))).unwrap();
    for pid in pids {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "process {pid} is left");
    }
    let failed = run(2, |_| Err::<(), _>(Error::Option("as asked".into())));
    assert!(failed.unwrap_err().to_string().contains("as asked"));
}
