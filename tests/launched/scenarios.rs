//! Whole programs, each run in one process, as ranks that are threads, and under MPI with 1 to 6 ranks.
//!
//! This test program runs itself under the launcher: a rank then finds in its environment what to do.

#[cfg(feature = "mpi")]
use crate::support;
#[cfg(feature = "mpi")]
use crate::support::itself;
use maniple::{
    Client, Error, Reason, Result, Runtime, Shared, Status, SubmitOptions, WaitFor, current, fallible,
};
#[cfg(feature = "mpi")]
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    process::Output,
};
use std::{
    collections::HashSet,
    env, fs, io,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Set in the ranks that a test has launched.
const PROGRAM: &str = "MANIPLE_TEST_PROGRAM";

/// The program that runs all scenarios.
#[cfg(feature = "mpi")]
const ALL: &str = "all scenarios";

fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn sum(values: &[i64]) -> i64 {
    values.iter().sum()
}

fn ones(count: usize) -> Vec<f64> {
    vec![1.0; count]
}

fn nap(milliseconds: u64) -> u64 {
    thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

fn fibonacci(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let task = current();
    let (a, b) = (task.client().submit(fibonacci, n - 1), task.client().submit(fibonacci, n - 2));
    a.result().unwrap() + b.result().unwrap()
}

/// Makes a test of each scenario on each transport: `scenarios!(in_one_process, |scenario| ...)` for one transport.
macro_rules! scenarios {
    ($($(#[$attribute:meta])* $transport:ident: $run:expr;)*) => {
        $(
            $(#[$attribute])*
            mod $transport {
                use super::*;
                scenarios!(@each $run;
                    arguments_are_values_futures_and_lists lists_and_large_values_arrive scattered_values_are_where_they_are_needed
                    whoever_waits_sees_what_is_done errors_name_function_rank_and_dependents errors_of_functions_fail_their_tasks options_are_kept
                    tasks_run_where_they_say tasks_submit_tasks what_is_cancelled_ends what_runs_too_long_ends
                    many_tasks_are_shared_out a_step_is_repeated values_go_when_futures_do);
            }
        )*
    };
    (@each $run:expr; $($scenario:ident)*) => {
        $(
            #[test]
            fn $scenario() {
                if env::var_os(PROGRAM).is_none() {
                    let run: fn(&str) = $run;
                    run(stringify!($scenario));
                }
            }
        )*

        /// The names of the tests are those of the scenarios.
        #[test]
        fn every_scenario_has_a_test() {
            let mut tests = vec![$(stringify!($scenario)),*];
            let mut known: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
            (tests.sort(), known.sort());
            assert_eq!(tests, known);
        }
    };
}

type Scenario = fn(&Client) -> Result<()>;

const SCENARIOS: [(&str, Scenario); 14] = [
    ("arguments_are_values_futures_and_lists", arguments),
    ("lists_and_large_values_arrive", lists_and_large_values),
    ("scattered_values_are_where_they_are_needed", scattered_values),
    ("whoever_waits_sees_what_is_done", waiting),
    ("errors_name_function_rank_and_dependents", errors),
    ("errors_of_functions_fail_their_tasks", results),
    ("options_are_kept", options),
    ("tasks_run_where_they_say", where_tasks_run),
    ("tasks_submit_tasks", tasks_within_tasks),
    ("what_is_cancelled_ends", cancelling),
    ("what_runs_too_long_ends", ending_what_runs),
    ("many_tasks_are_shared_out", many_tasks),
    ("a_step_is_repeated", repeated),
    ("values_go_when_futures_do", values_go_when_futures_do),
];

fn scenario(name: &str) -> Scenario {
    SCENARIOS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no scenario {name}")).1
}

fn arguments(client: &Client) -> Result<()> {
    let three = client.submit(add, (1, 2));
    let eight = client.submit(add, (&three, 5));
    assert_eq!(client.submit(sum, vec![three.clone(), eight]).result()?, 11);
    let squares = client.map(|x: i64| x * x, 1..=20);
    let negatives = client.map(|x: i64| -x, &squares);
    let zeros = client.map(add, squares.iter().zip(&negatives));
    assert_eq!(client.gather(&zeros)?, [0; 20]);
    let shifted = client.map(add, squares.iter().zip(std::iter::repeat(100)));
    assert_eq!(client.submit(sum, &shifted).result()?, 2870 + 2000);
    let same = client.map(add, squares.iter().zip(std::iter::repeat(&three)));
    assert_eq!(client.submit(sum, same).result()?, 2870 + 60);
    assert_eq!(client.submit(f64::sqrt, 2.0).result()?, 2f64.sqrt());
    assert_eq!(client.submit(|| 42u8, ()).result()?, 42);
    let failed: std::result::Result<u8, String> =
        client.submit(|x: u8| -> std::result::Result<u8, String> { Err(format!("not {x}")) }, 3).result()?;
    assert_eq!(failed, Err("not 3".to_string()));
    assert!(client.map(|x: u8| x, Vec::<u8>::new()).is_empty());
    Ok(())
}

fn lists_and_large_values(client: &Client) -> Result<()> {
    let parts = client.map(ones, vec![1000usize; 12]);
    let total = client.submit(|parts: Vec<Vec<f64>>| parts.iter().flatten().sum::<f64>(), &parts);
    assert_eq!(total.result()?, 12_000.0);
    let shared = |parts: Vec<Shared<Vec<f64>>>| parts.iter().map(|part| part.len()).sum::<usize>();
    assert_eq!(client.submit(shared, &parts).result()?, 12_000);
    let dots = client.map(
        |a: &[f64], b: &Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>(),
        parts.iter().zip(parts.iter().rev()),
    );
    assert_eq!(client.gather(&dots)?, [1000.0; 12]);
    let gathered = client.gather(&parts)?;
    assert!(gathered.iter().all(|part| *part == vec![1.0; 1000]));
    // Arguments that are too large to travel with their tasks, and mixed ones.
    let lengths = client.map(|text: String| text.len(), [10usize, 100_000, 20].map(|n| "x".repeat(n)));
    assert_eq!(client.gather(&lengths)?, [10, 100_000, 20]);
    let array = ndarray::Array2::from_shape_fn((300, 200), |(i, j)| (i * 200 + j) as f32);
    let sum = client.submit(|a: &ndarray::Array2<f32>| a[[299, 199]], array.clone());
    assert_eq!(sum.result()?, 59_999.0);
    assert_eq!(client.submit(|a: ndarray::Array2<f32>| a, array.clone()).result()?, array);
    Ok(())
}

fn scattered_values(client: &Client) -> Result<()> {
    let (small, large) = (client.scatter(7i64)?, client.scatter(vec![2.0f64; 50_000])?);
    let everywhere = client.broadcast(vec![3.0f64; 50_000])?;
    let count = 3 * client.cluster().worker_count() as i64;
    let add = |x: i64, a: &[f64], b: &[f64], i: i64| x + (a[1] + b[1]) as i64 + i;
    let tasks = (0..count).map(|i| (&small, &large, &everywhere, i));
    assert_eq!(client.gather(&client.map(add, tasks))?, (12..12 + count).collect::<Vec<_>>());
    assert_eq!((small.result()?, large.result()?.len(), everywhere.result()?[0]), (7, 50_000, 3.0));
    Ok(())
}

fn waiting(client: &Client) -> Result<()> {
    let naps = client.map(nap, [60, 5, 30]);
    client.wait(&naps, WaitFor::Any, Duration::from_secs(20))?;
    assert!(naps.iter().any(|nap| nap.is_done()));
    let mut seen: Vec<u64> = Vec::new();
    for future in client.as_completed(&naps) {
        seen.push(future.result()?);
    }
    seen.sort_unstable();
    assert_eq!(seen, [5, 30, 60]);
    client.progress(&naps)?;
    client.wait(&naps, WaitFor::All, None)?;
    let long = client.submit(nap, 300);
    assert_eq!(long.status(), Status::Pending);
    let error = long.wait(Duration::from_millis(10)).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert_eq!(long.result()?, 300);
    assert_eq!(long.status(), Status::Finished);
    Ok(())
}

fn errors(client: &Client) -> Result<()> {
    let failed =
        client.with(&SubmitOptions::new().label("divide")).submit(|x: u32| -> u32 { panic!("by {x}") }, 0);
    let after = client.submit(|x: u32| x, &failed);
    let last = client.with(&SubmitOptions::new().label("last")).submit(|x: u32| x, &after);
    let Err(Error::Task(error)) = last.result() else { panic!("it must fail") };
    assert_eq!((&error.reason, error.function.as_str()), (&Reason::Panic, "divide"));
    assert!(error.message.starts_with("by 0 (") && error.message.contains("scenarios.rs:"), "{error}");
    let worker = client.cluster().workers().find(|worker| Some(worker.rank) == error.rank).unwrap();
    assert_eq!(error.host, worker.host);
    assert_eq!(error.dependents.last().map(String::as_str), Some("last"));
    assert_eq!(error.dependents.len(), 2);
    assert_eq!(failed.status(), Status::Failed);
    // The others go on.
    assert_eq!(client.submit(add, (1, 1)).result()?, 2);
    let zero = client.submit(|| 0u8, ());
    let broken = client.submit(|x: std::num::NonZeroU8| x.get(), std::num::NonZeroU8::new(1).unwrap());
    assert_eq!((zero.result()?, broken.result()?), (0, 1));
    Ok(())
}

/// Functions whose errors are no values, and some that are.
fn results(client: &Client) -> Result<()> {
    fn length(path: &Path) -> io::Result<u64> {
        Ok(fs::read(path)?.len() as u64)
    }
    let own = env::current_exe().unwrap();
    let found = client.submit(fallible(length), own.clone()).result()?;
    assert_eq!(found, fs::metadata(&own).unwrap().len());
    let none = client.submit(fallible(length), own.join("none"));
    let after = client.submit(|length: u64| length, &none);
    let Err(Error::Task(error)) = after.result() else { panic!("it must fail") };
    assert!(matches!(error.reason, Reason::Failed { .. }), "{error}");
    assert_eq!(&*error.message, "Not a directory (os error 20)");
    assert!(error.function.ends_with("length") && !error.function.contains("Fallible"), "{error}");
    // A task of many fails alone, whatever its error is.
    let even = |x: u64| if x.is_multiple_of(2) { Ok(x / 2) } else { Err(format!("{x} is odd")) };
    let halves = client.map(fallible(even), 0..20);
    for (x, half) in (0..).zip(&halves) {
        match half.result() {
            Ok(half) => assert_eq!(2 * half, x),
            Err(Error::Task(error)) => assert_eq!(&*error.message, format!("{x} is odd")),
            Err(error) => return Err(error),
        }
    }
    let third_time = || match current().attempt() {
        2 => Ok(2_u32),
        attempt => Err(format!("attempt {attempt}")),
    };
    assert_eq!(client.with(&SubmitOptions::new().retries(2)).submit(fallible(third_time), ()).result()?, 2);
    // Without `fallible` it is a value.
    assert_eq!(client.submit(even, 3).result()?, Err("3 is odd".to_string()));
    Ok(())
}

fn options(client: &Client) -> Result<()> {
    let third_time = || -> u32 {
        let attempt = current().attempt();
        assert!(attempt >= 2, "not yet");
        attempt
    };
    assert_eq!(client.with(&SubmitOptions::new().retries(2)).submit(third_time, ()).result()?, 2);
    let Err(Error::Task(error)) =
        client.with(&SubmitOptions::new().retries(1)).submit(third_time, ()).result()
    else {
        panic!("it must fail")
    };
    assert_eq!(error.attempts, 2);
    let last = client.cluster().workers().last().unwrap().clone();
    let rank = || current().rank().0;
    for options in
        [SubmitOptions::new().workers([last.rank]), SubmitOptions::new().workers([999u32]).allow_other(true)]
    {
        let ran = client.with(&options).map(rank, vec![(); 10]);
        let ranks: HashSet<u32> = client.gather(&ran)?.into_iter().collect();
        assert!(ranks.iter().all(|rank| client.cluster().workers().any(|worker| worker.rank.0 == *rank)));
    }
    let on_host = SubmitOptions::new().workers([last.host.as_str()]);
    assert!(client.with(&on_host).submit(rank, ()).result().is_ok());
    for nowhere in [SubmitOptions::new().workers(["no-such-host"]), SubmitOptions::new().workers([999u32])] {
        let Err(Error::Task(error)) = client.with(&nowhere).submit(rank, ()).result() else {
            panic!("it must fail")
        };
        assert_eq!(error.reason, Reason::NoWorker);
        let after = client.submit(|rank: u32| rank, client.with(&nowhere).submit(rank, ()));
        assert_eq!(after.result().unwrap_err().to_string().matches("needed by").count(), 1);
    }
    let limited = SubmitOptions::new().resource("licence", 1);
    static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
    let alone = || {
        let others = AT_ONCE.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(3));
        AT_ONCE.fetch_sub(1, Ordering::SeqCst);
        others
    };
    let ran = client.with(&limited).map(alone, vec![(); 8]);
    // Each worker declares one licence; ranks that are threads share the counter.
    let at_once_max = client.gather(&ran)?.into_iter().max().unwrap_or(0);
    assert!(at_once_max < client.cluster().worker_count(), "{at_once_max} others");
    Ok(())
}

fn where_tasks_run(client: &Client) -> Result<()> {
    let places =
        client.run_on_workers(|| (current().rank().0, current().worker(), rayon::current_num_threads()), ());
    let places = client.gather(&places)?;
    assert_eq!(places.len(), client.cluster().worker_count());
    for ((rank, index, threads), (place, worker)) in
        places.into_iter().zip(client.cluster().workers().enumerate())
    {
        assert_eq!((rank, index, threads), (worker.rank.0, place, worker.threads as usize));
    }
    let directories = client.run_on_workers(|| current().scratch_directory().unwrap().is_dir(), ());
    assert!(client.gather(&directories)?.into_iter().all(|is_directory| is_directory));
    // A parallel iterator within a task uses the worker's threads and no others.
    let names = || {
        use rayon::prelude::*;
        let names: HashSet<String> = (0..64)
            .into_par_iter()
            .map(|_| thread::current().name().unwrap_or_default().to_string())
            .collect();
        names.into_iter().collect::<Vec<String>>()
    };
    let names: Vec<String> = client.submit(names, ()).result()?;
    assert!(names.iter().all(|name| name.starts_with("worker-")), "{names:?}");
    let roles: HashSet<String> = client.cluster().ranks().iter().map(|rank| rank.role.to_string()).collect();
    assert!(roles.iter().any(|role| role.contains("driver")));
    let table = format!("{:#}", client.cluster());
    // Before the ranks what the columns are, and after them what a loss would mean.
    assert_eq!(table.lines().count(), client.cluster().ranks().len() + 3, "{table}");
    Ok(())
}

fn tasks_within_tasks(client: &Client) -> Result<()> {
    assert_eq!(client.submit(fibonacci, 10).result()?, 55);
    let both = client.map(fibonacci, [8, 9]);
    assert_eq!(client.gather(&both)?, [21, 34]);
    // Many that wait lie on few threads, after short tasks have earned a long backlog.
    let next = |x: u64| current().client().submit(|x: u64| x + 1, x).result().unwrap();
    let short: Vec<u64> = client.gather(&client.map(|x: u64| x, 0..2000))?;
    assert_eq!(client.gather(&client.map(next, short))?, (1..=2000).collect::<Vec<u64>>());
    Ok(())
}

fn cancelling(client: &Client) -> Result<()> {
    let threads = client.cluster().thread_count();
    let naps = client.map(nap, vec![50; 4 * threads]);
    let after = client.submit(|naps: &[u64]| naps.len(), &naps);
    client.cancel(&naps);
    let Err(Error::Task(error)) = after.result() else { panic!("it must fail") };
    assert_eq!(error.reason, Reason::Cancelled);
    client.wait(&naps, WaitFor::All, None)?;
    assert!(naps.iter().any(|nap| nap.status() == Status::Cancelled));
    // The workers go on with something else.
    assert_eq!(client.submit(add, (2, 2)).result()?, 4);
    Ok(())
}

/// Goes on until it is told that nobody waits for it.
fn goes_on(x: u64) -> u64 {
    let start = Instant::now();
    while !maniple::cancelled() {
        assert!(start.elapsed() < Duration::from_secs(60), "nobody tells it to end");
        thread::sleep(Duration::from_millis(1));
    }
    x
}

fn ending_what_runs(client: &Client) -> Result<()> {
    let threads = client.cluster().thread_count() as u64;
    let start = Instant::now();
    let limit = SubmitOptions::new().timeout(Duration::from_millis(30));
    let overdue = client.with(&limit).map(goes_on, 0..2 * threads);
    let after = client.submit(|all: &[u64]| all.len(), &overdue);
    for future in &overdue {
        let Err(Error::Task(error)) = future.result() else { panic!("it must fail") };
        assert_eq!(error.reason, Reason::Timeout);
        let words = error.to_string();
        assert!(words.contains("goes_on) took too long on rank") && words.contains("for 30ms"), "{words}");
    }
    let Err(Error::Task(error)) = after.result() else { panic!("it must fail") };
    assert_eq!((&error.reason, error.dependents.len()), (&Reason::Timeout, 1));
    let once = |x: u64| if current().attempt() == 0 { goes_on(x) } else { x + 1 };
    assert_eq!(client.with(&limit.retries(50)).submit(once, 6).result()?, 7);
    // All threads are taken; nothing else runs before these end.
    for drops in [false, true] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().display().to_string();
        let begins = |folder: String, place: u64, count: usize| {
            meet(folder, place, count);
            goes_on(place)
        };
        let running = client.map(begins, (0..threads).map(|place| (path.clone(), place, threads as usize)));
        poll("all tasks run", || fs::read_dir(folder.path()).unwrap().count() == threads as usize);
        if drops {
            drop(running);
        } else {
            client.cancel(&running);
        }
        assert_eq!(client.submit(add, (2, 2)).result()?, 4);
    }
    assert!(start.elapsed() < Duration::from_secs(60), "they end when they are told");
    Ok(())
}

fn many_tasks(client: &Client) -> Result<()> {
    const COUNT: i64 = 50_000;
    let numbers = client.map(|x: i64| x + 1, 0..COUNT);
    assert_eq!(client.submit(sum, &numbers).result()?, COUNT * (COUNT + 1) / 2);
    let one_by_one: Vec<_> = (0..2000).map(|x| client.submit(add, (x, 1))).collect();
    assert_eq!(client.gather(&one_by_one)?, (1..=2000).collect::<Vec<_>>());
    // Long tasks after short ones are shared out, although a long backlog was earned: the first ones end only once as
    // many as there are threads have begun. There are more of them, since a thread may take some at once.
    let threads = client.cluster().thread_count();
    let folder = tempfile::tempdir()?;
    let path = folder.path().display().to_string();
    let all = client.map(meet, (0..8 * threads as u64).map(|place| (path.clone(), place, threads)));
    client.gather(&all)?;
    Ok(())
}

/// Waits until so many tasks have come here.
fn meet(folder: String, place: u64, count: usize) {
    let folder = Path::new(&folder);
    fs::write(folder.join(place.to_string()), "").unwrap();
    poll("all tasks of a meeting run", || fs::read_dir(folder).unwrap().count() >= count);
}

/// Looks again and again whether something has happened.
fn poll(what: &str, has_happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !has_happened() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: it has not happened");
        thread::sleep(Duration::from_millis(1));
    }
}

fn repeated(client: &Client) -> Result<()> {
    fn mix(left: &[u64], own: &[u64], right: &[u64], all: u64) -> Vec<u64> {
        assert!(all != 1, "it fails");
        let around = left.iter().zip(own).zip(right);
        around.map(|((a, b), c)| (a ^ b.rotate_left(7) ^ c.rotate_left(31)).wrapping_mul(31) ^ all).collect()
    }
    let all = |rows: Vec<Shared<Vec<u64>>>| rows.iter().map(|row| row[0] | 2).fold(0, u64::wrapping_add);
    let step = |client: &Client, rows: Vec<maniple::Future<Vec<u64>>>| {
        let sum = client.submit(all, &rows);
        Ok(client.map(mix, (0..7).map(|i| (&rows[(i + 6) % 7], &rows[i], &rows[(i + 1) % 7], &sum))))
    };
    // Small values, and large ones.
    for length in [2usize, 5000] {
        let rows = || client.map(|i: u64, length: usize| vec![i; length], (0..7).map(|i| (i, length)));
        let looped = (0..30).try_fold(rows(), |rows, _| step(client, rows))?;
        let repeated = client.repeat(30, rows(), step)?;
        assert_eq!(client.gather(&repeated)?, client.gather(&looped)?, "rows of {length}");
    }
    let one = client.submit(|| vec![0u64; 2], ());
    let fails = client.repeat(1000, one, |client, row| Ok(client.submit(mix, (&row, &row, &row, 1u64))))?;
    let Err(Error::Task(error)) = fails.result() else { panic!("it must fail") };
    assert!(error.reason == Reason::Panic && error.message.contains("it fails"), "{error}");
    Ok(())
}

fn values_go_when_futures_do(client: &Client) -> Result<()> {
    for _ in 0..4 {
        // 100 MB a round; what is held at once must not grow.
        let blocks = client.map(ones, vec![125_000usize; 100]);
        let sums = client.map(|block: &[f64]| block.iter().sum::<f64>(), &blocks);
        drop(blocks);
        assert_eq!(client.gather(&sums)?.iter().sum::<f64>(), 12_500_000.0);
    }
    let resident_bytes = || {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let held_bytes = || -> Result<u64> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        client.dump_state(&path)?;
        let state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        Ok(state["ranks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rank| rank["bytes"].as_u64().unwrap())
            .max()
            .unwrap())
    };
    // They go soon after the last future did.
    let start = Instant::now();
    loop {
        // In a process of their own the ranks free the memory, too; other tests share that of the test program.
        let has_process = env::var_os(PROGRAM).is_some();
        let resident = has_process.then(|| client.gather(&client.run_on_workers(resident_bytes, ())));
        let resident = resident.transpose()?.into_iter().flatten().max().unwrap_or(0);
        let held = held_bytes()?;
        if resident < 300 << 20 && held == 0 {
            return Ok(());
        }
        let bytes = format!("{held} bytes of values are held, and {resident} bytes are resident");
        assert!(start.elapsed() < Duration::from_secs(20), "{bytes}");
    }
}

/// In one process the worker's answers reach the scheduler without a message from outside.
#[test]
fn what_comes_after_dropped_tasks_begins() {
    let run = Runtime::builder().threads(2).execute(|client| {
        for round in 0..200 {
            let dropped = client.map(nap, vec![round % 3; 20]);
            if round % 2 == 0 {
                client.wait(&dropped, WaitFor::Any, None)?;
            }
            drop(dropped);
            client.submit(add, (1, 2)).wait(Duration::from_secs(60))?;
        }
        Ok(())
    });
    run.unwrap();
}

/// Threads that run tasks are not counted among those that look for some.
#[test]
fn each_task_begins_while_a_thread_is_free() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    let run = Runtime::builder().threads(4).execute(|client| {
        let begins = |place: usize| {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            poll("all threads run", || BEGUN.load(Ordering::SeqCst) >= 4);
            place
        };
        let begin = |place| {
            let task = client.submit(begins, place);
            poll("the task begins", || BEGUN.load(Ordering::SeqCst) > place);
            task
        };
        let all: Vec<_> = (0..4).map(begin).collect();
        assert_eq!(client.gather(&all)?, [0, 1, 2, 3]);
        Ok(())
    });
    run.unwrap();
}

/// Short tasks are handed to a thread many at a time. Then one of them takes long: neither the results of those before
/// it nor those after it wait for its end, nor what was asked back. In one process and between ranks.
#[test]
fn nothing_waits_for_a_long_task_among_short_ones() {
    const COUNT: u64 = 400;
    for (threads, workers) in [(2, 1), (1, 2), (1, 3)] {
        for long in [0, 1, 150, 398, 399] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("done").display().to_string();
            let run = Runtime::builder().threads(threads).local_workers(workers).execute(|client| {
                let task = |place: u64, is_long: bool, path: &str| {
                    poll("the others have ended", || !is_long || Path::new(path).exists());
                    place
                };
                let all = client.map(task, (0..COUNT).map(|place| (place, place == long, path.clone())));
                let others = client.as_completed(&all).take(COUNT as usize - 1);
                let mut ended = others.map(|future| future.result()).collect::<Result<Vec<u64>>>()?;
                fs::write(&path, "")?;
                ended.sort();
                assert_eq!(ended, (0..COUNT).filter(|place| *place != long).collect::<Vec<_>>());
                assert_eq!(client.gather(&all)?, (0..COUNT).collect::<Vec<_>>());
                Ok(())
            });
            run.unwrap();
        }
    }
}

/// What counts the threads that work does not count those that the driver has started.
#[test]
fn many_threads_of_a_driver_may_wait() {
    let run = Runtime::builder().threads(1).execute(|client| {
        let waits = |seed: u64| client.submit(nap, 20 + seed % 3).result().map(|nap| nap - seed % 3);
        let naps = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || waits(seed))).collect();
            let own = waits(8);
            let of = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().unwrap();
            threads.into_iter().map(of).chain([own]).collect::<Result<Vec<u64>>>()
        })?;
        assert_eq!(naps, [20; 9]);
        Ok(())
    });
    run.unwrap();
}

fn builder() -> maniple::Builder {
    Runtime::builder().resource("licence", 1)
}

fn run(name: &str, builder: maniple::Builder) {
    /// Tasks count each other, and memory is that of the process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    builder.execute(scenario(name)).unwrap();
}

scenarios! {
    in_one_process: |name| [1, 2, 4].into_iter().for_each(|threads| run(name, builder().threads(threads)));
    as_ranks_that_are_threads: |name| {
        [1, 2, 4].into_iter().for_each(|workers| run(name, builder().threads(1).local_workers(workers)));
    };
    as_ranks_that_all_work: |name| run(name, builder().threads(1).local_workers(2).exclusive_workers(false));
    with_every_value_moved_on_its_own: |name| run(name, builder().threads(1).local_workers(2).small_bytes_max(0));
    with_every_value_in_messages: |name| run(name, builder().threads(2).local_workers(2).small_bytes_max(1 << 30));
}

#[cfg(feature = "mpi")]
scenarios! {
    under_mpi_with_1_2_3_4_and_6_ranks: |name| [1, 2, 3, 4, 6].into_iter().for_each(|ranks| under_mpi(name, ranks, &[]));
    under_mpi_with_all_ranks_at_work: |name| under_mpi(name, 3, &[("MANIPLE_INCLUSIVE", "1"), ("MANIPLE_THREADS", "2")]);
    // As where Open MPI is told to use windows of UCX.
    under_mpi_that_lends_no_shared_memory: |name| under_mpi(name, 3, &[("OMPI_MCA_osc", "^sm")]);
    under_mpi_with_tiny_frames: |name| under_mpi(name, 4, &[("MANIPLE_THREADS", "1"), ("MANIPLE_FRAME_BYTES", "64")]);
    under_mpi_with_every_value_moved_on_its_own: |name| under_mpi(name, 4, &[("MANIPLE_SMALL_BYTES", "0")]);
}

/// All scenarios, one after the other in one run; says of each how it ended.
#[cfg(feature = "mpi")]
fn all_scenarios(client: &Client) -> Result<()> {
    let ends_well = |(name, scenario): &(&str, Scenario)| {
        let outcome = catch_unwind(AssertUnwindSafe(|| scenario(client)));
        let is_well = matches!(outcome, Ok(Ok(())));
        let text = if is_well { "ok".into() } else { format!("FAILED {outcome:?}") };
        println!("scenario {name}: {text}");
        is_well
    };
    // Not `all`, which would leave at the first that fails.
    let well = SCENARIOS.iter().filter(|scenario| ends_well(scenario)).count();
    if well == SCENARIOS.len() { Ok(()) } else { Err("some scenario failed".into()) }
}

/// Has the launched ranks run all scenarios, once for each way to launch them, and looks how this one ended.
#[cfg(feature = "mpi")]
fn under_mpi(name: &str, ranks: u32, variables: &[(&str, &str)]) {
    /// What each launch printed, or nothing if it did not end.
    static LAUNCHES: Mutex<BTreeMap<String, Option<Output>>> = Mutex::new(BTreeMap::new());
    if support::launcher().is_none() {
        return launch(ALL, ranks, variables);
    }
    let mut launches = LAUNCHES.lock().unwrap_or_else(PoisonError::into_inner);
    let way = format!("{ranks} ranks, {variables:?}");
    if !launches.contains_key(&way) {
        launches.insert(way.clone(), None);
        let output = launched(ALL, ranks, variables);
        launches.insert(way.clone(), Some(output));
    }
    let Some(output) = &launches[&way] else { panic!("{way}: the launch failed in another test") };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains(&format!("scenario {name}: ok\n")), "{way}: {}", support::tell(output));
    ended_well(output, ranks);
}

/// How long it is, how it starts and ends, and on which rank it was looked at.
#[cfg(feature = "mpi")]
fn ends(numbers: &[u64]) -> (usize, u64, u64, u32) {
    (numbers.len(), numbers[0], numbers[numbers.len() - 1], current().rank().0)
}

/// Values of 3 GiB, more bytes than an `int` counts: an argument of the driver's, and one that goes
/// from worker to worker.
#[cfg(feature = "mpi")]
fn larger_than_an_int(client: &Client) -> Result<()> {
    const LENGTH: usize = (3 << 30) / size_of::<u64>();
    let on = |rank: u32| SubmitOptions::new().workers([rank]);
    let mut argument = vec![0u64; LENGTH];
    (argument[0], argument[LENGTH - 1]) = (3, 7);
    assert_eq!(client.with(&on(2)).submit(ends, argument).result()?, (LENGTH, 3, 7, 2));
    let made = client.with(&on(2)).submit(|length: usize| vec![5u64; length], LENGTH);
    made.wait(None)?;
    assert_eq!(client.with(&on(3)).submit(ends, &made).result()?, (LENGTH, 5, 5, 3));
    Ok(())
}

/// Leaves while large values travel, tasks run and others wait; their futures outlive the run, or go first.
#[cfg(feature = "mpi")]
fn leaves_under_load(client: &Client) -> Result<()> {
    let on = |rank: u32| SubmitOptions::new().workers([rank]);
    let blocks = client.with(&on(2)).map(ones, vec![1_000_000; 16]);
    let sums = client.with(&on(3)).map(|block: &[f64]| block.iter().sum::<f64>(), &blocks);
    let back =
        client.with(&on(2)).map(|block: &[f64], sum: f64| block.len() as f64 + sum, blocks.iter().zip(&sums));
    let queued = client.map(nap, vec![5; 1000]);
    client.wait(&sums, WaitFor::Any, None)?;
    if env::var_os("MANIPLE_THREADS").is_some() {
        std::mem::forget((blocks, back, queued));
    }
    Ok(())
}

/// What the launched ranks do.
#[cfg(feature = "mpi")]
pub(crate) fn program() {
    match env::var(PROGRAM).as_deref() {
        Ok("leaves under load") => builder().run(leaves_under_load).unwrap(),
        Ok("larger than an int") => builder().run(larger_than_an_int).unwrap(),
        Ok("embedded") => embedded(mpi::Threading::Serialized),
        Ok("embedded, one thread only") => embedded(mpi::Threading::Funneled),
        Ok(ALL) => builder().run(all_scenarios).unwrap(),
        Ok(name) => panic!("no program {name}"),
        Err(_) => return,
    }
    println!("program done");
}

/// Runs twice on one communicator, then on two halves of it at once, and uses it in between.
#[cfg(feature = "mpi")]
fn embedded(threading: mpi::Threading) {
    use mpi::{collective::CommunicatorCollectives, topology::Communicator};
    let (universe, _) = mpi::initialize_with_threading(threading).unwrap();
    let world = universe.world();
    for round in 0..2u64 {
        let sum = builder().communicator(&world).execute(|client| {
            Ok(client.gather(&client.map(|x: u64| x * 2, 0..100))?.iter().sum::<u64>() + round)
        });
        assert_eq!(sum.unwrap(), 9900 + round, "every rank has the result");
        world.barrier();
    }
    let half = world.split_by_color(mpi::topology::Color::with_value(world.rank() % 2)).unwrap();
    let color = world.rank() as u64 % 2;
    let client_side = move |client: &Client| Ok((client.submit(nap, 5 + color).result()?, color));
    assert_eq!(builder().communicator(&half).execute(client_side).unwrap(), (5 + color, color));
    let failed = builder().communicator(&world).execute(|_| Err::<(), _>("the driver's own words".into()));
    assert_eq!(failed.unwrap_err().to_string(), "the driver's own words");
    world.barrier();
}

#[cfg(feature = "mpi")]
fn launch(program: &str, ranks: u32, variables: &[(&str, &str)]) {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    if support::launcher().is_none() {
        assert!(env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
        return println!("skipped: no MPI launcher is installed");
    }
    ended_well(&launched(program, ranks, variables), ranks);
}

/// Runs a program on so many ranks.
#[cfg(feature = "mpi")]
fn launched(program: &str, ranks: u32, variables: &[(&str, &str)]) -> Output {
    let variables = [&[(PROGRAM, program)], variables].concat();
    support::mpirun(ranks, &env::current_exe().unwrap(), &itself::ARGS, &variables, Duration::from_secs(240))
}

#[cfg(feature = "mpi")]
fn ended_well(output: &Output, ranks: u32) {
    support::assert_clean(output);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told.matches("program done").count(), ranks as usize, "{}", support::tell(output));
}

#[cfg(feature = "mpi")]
#[test]
fn under_mpi_with_an_end_under_load() {
    launch("leaves under load", 4, &[]);
    launch("leaves under load", 4, &[("MANIPLE_THREADS", "1")]);
    launch("leaves under load", 4, &[("MANIPLE_THREADS", "2"), ("MANIPLE_FRAME_BYTES", "65536")]);
}

#[cfg(feature = "mpi")]
#[test]
#[ignore = "takes 10 GiB of memory"]
fn under_mpi_with_values_of_3_gib() {
    launch("larger than an int", 4, &[("MANIPLE_THREADS", "1")]);
}

#[cfg(feature = "mpi")]
#[test]
fn within_an_mpi_program() {
    [2, 4].into_iter().for_each(|ranks| launch("embedded", ranks, &[]));
    [1, 4].into_iter().for_each(|ranks| launch("embedded, one thread only", ranks, &[]));
}
