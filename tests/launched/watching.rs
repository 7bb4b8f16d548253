//! Traces and reports of real runs, whole ones and killed ones, and what is said of paths that can't be
//! written.

#[cfg(feature = "mpi")]
use crate::support;
use crate::support::example;
use example::example;
use maniple::{Result, Runtime, SubmitOptions};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

/// Works for so many milliseconds.
fn work(milliseconds: u64) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(milliseconds) {
        std::hint::spin_loop();
    }
}

fn load(milliseconds: u64) -> u64 {
    work(milliseconds);
    milliseconds
}

fn reduce(values: &[u64]) -> u64 {
    work(40);
    values.iter().sum()
}

fn aside(value: u64) -> u64 {
    work(5);
    value
}

fn block(length: usize) -> Vec<f64> {
    vec![1.0; length]
}

fn sum(blocks: &[Vec<f64>]) -> f64 {
    blocks.iter().flatten().sum()
}

/// The numbers within a report.
fn numbers(report: &Path) -> Value {
    let page = fs::read_to_string(report).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    let data = page.split_once("type=\"application/json\">").unwrap().1;
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

fn names(numbers: &Value, steps: &Value) -> Vec<String> {
    let name = |step: &Value| match step["group"].as_u64() {
        Some(group) => numbers["groups"][group as usize]["name"].as_str().unwrap().to_string(),
        None => "the driver".to_string(),
    };
    steps.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn a_report_shows_the_known_critical_path_and_its_times_add_up() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let (report, trace) = (folder.path().join("run.html"), folder.path().join("run.json"));
    let runtime = Runtime::builder().local_workers(2).threads(2).report(&report).trace(&trace);
    let start = Instant::now();
    runtime.execute(|client| {
        let loads = client.map(load, [5, 60, 5]);
        let reduced = client.submit(reduce, &loads);
        let asides = client.map(aside, &loads);
        let blocks = client.run_on_workers(block, 10_000);
        assert_eq!(client.submit(sum, &blocks).result()?, 20_000.0);
        client.gather(&asides)?;
        assert_eq!(reduced.result()?, 70);
        Ok(())
    })?;
    let wall = start.elapsed().as_nanos() as f64;
    let numbers = numbers(&report);
    let path = names(&numbers, &numbers["path"]);
    let expected = ["the driver", "launched::watching::load", "launched::watching::reduce", "the driver"];
    assert_eq!(path, expected, "{}", numbers["path"]);
    let path_time = numbers["pathTime"].as_f64().unwrap();
    assert!((100e6..wall).contains(&path_time), "{path_time}");
    for rank in numbers["ranks"].as_array().unwrap().iter().filter(|rank| rank["threads"] != 0) {
        let sum: f64 = rank["time"].as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).sum();
        let own = rank["threads"].as_f64().unwrap()
            * (rank["ended"].as_f64().unwrap() - rank["began"].as_f64().unwrap());
        assert!((sum / own - 1.0).abs() < 0.01, "{sum} of {own}");
        assert!(own / rank["threads"].as_f64().unwrap() < wall);
    }
    let ran: u64 =
        numbers["groups"].as_array().unwrap().iter().map(|group| group["ran"].as_u64().unwrap()).sum();
    assert_eq!(ran, 3 + 1 + 3 + 2 + 1);
    let moved: u64 =
        numbers["matrix"].as_array().unwrap().iter().map(|entry| entry[2].as_u64().unwrap()).sum();
    assert_eq!(moved, 80_000, "one of the blocks came to where the other was");
    assert!(numbers["complete"] == true);
    assert_eq!(
        (&numbers["end"]["status"], &numbers["end"]["words"]),
        (&json!(0), &json!("the run completed"))
    );
    let command: Vec<String> = env::args().collect();
    assert_eq!(numbers["command"], json!(command));

    // The trace: a run of its own format, whose flows pair, and the same report again.
    let text: Value = serde_json::from_slice(&fs::read(&trace).unwrap()).unwrap();
    let events = text["traceEvents"].as_array().unwrap();
    let flows = |phase: &str| {
        let mut flows: Vec<u64> = events
            .iter()
            .filter(|event| event["ph"] == phase)
            .map(|event| event["id"].as_u64().unwrap())
            .collect();
        flows.sort_unstable();
        flows
    };
    assert_eq!(flows("s"), flows("f"));
    assert!(!flows("s").is_empty());
    maniple::report_again(&trace, &folder.path().join("again.html"))?;
    let (again, first) =
        (fs::read_to_string(folder.path().join("again.html"))?, fs::read_to_string(&report)?);
    let differs = again.lines().zip(first.lines()).find(|(again, first)| again != first);
    assert!(differs.is_none() && again.len() == first.len(), "{differs:?}");
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["again.html", "run.html", "run.json"], "nothing else is left");
    Ok(())
}

/// The idle time of all workers, cause by cause, in milliseconds. It adds up to the run on each of them.
fn idle_milliseconds(numbers: &Value) -> std::collections::BTreeMap<String, f64> {
    let mut idle = std::collections::BTreeMap::<String, f64>::new();
    for rank in numbers["ranks"].as_array().unwrap().iter().filter(|rank| rank["threads"] != 0) {
        let of = |what: &Value| -> Vec<u64> {
            what.as_array().unwrap().iter().map(|time| time.as_u64().unwrap()).collect()
        };
        let (time, causes) = (of(&rank["time"]), of(&rank["idle"]));
        assert_eq!(causes.iter().sum::<u64>(), time[2], "{rank}");
        let own = rank["ended"].as_u64().unwrap() - rank["began"].as_u64().unwrap();
        let all = time[0] + time[1] + time[3] + causes.iter().sum::<u64>();
        assert_eq!(all, rank["threads"].as_u64().unwrap() * own, "{rank}");
        for (cause, time) in numbers["causes"].as_array().unwrap().iter().zip(causes) {
            *idle.entry(cause["name"].as_str().unwrap().to_string()).or_default() += time as f64 / 1e6;
        }
    }
    idle
}

#[test]
fn idle_time_has_its_causes_and_they_add_up_to_the_run() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let (report, trace) = (folder.path().join("run.html"), folder.path().join("run.json"));
    let runtime = Runtime::builder().local_workers(2).threads(1).report(&report).trace(&trace);
    runtime.execute(|client| {
        // Both threads: the driver has submitted nothing.
        std::thread::sleep(Duration::from_millis(200));
        // One thread: the driver waits.
        assert_eq!(client.submit(load, 200).result()?, 200);
        // One thread: a task waits for another one.
        let first = client.submit(load, 200);
        assert_eq!(client.submit(reduce, &[first][..]).result()?, 200);
        // One thread: both tasks are bound to the other worker, and the second one could begin.
        let rank = client.cluster().workers().next().unwrap().rank;
        let options = SubmitOptions::new().workers([rank]);
        client.gather(&client.with(&options).map(load, [200, 200]))?;
        Ok(())
    })?;
    let numbers = numbers(&report);
    let idle = idle_milliseconds(&numbers);
    // What a busy machine adds is on top.
    for (cause, least) in [
        ("nothing submitted, driver computing", 390.0),
        ("nothing submitted, driver waiting", 390.0),
        ("inputs still being computed", 190.0),
        ("ready tasks on other workers", 190.0),
    ] {
        assert!((least..least + 250.0).contains(&idle[cause]), "{cause}: {idle:?}");
    }
    assert_eq!(idle["not recorded"], 0.0);
    let path: f64 =
        numbers["path"].as_array().unwrap().iter().map(|step| step["time"].as_f64().unwrap()).sum();
    let driver = numbers["path"].as_array().unwrap().iter().filter(|step| step["group"] == -5);
    let driver: f64 = driver.map(|step| step["time"].as_f64().unwrap()).sum();
    assert_eq!(path, numbers["pathTime"].as_f64().unwrap());
    assert!(
        (840e6..numbers["wall"].as_f64().unwrap()).contains(&path) && driver >= 200e6,
        "{}",
        numbers["path"]
    );

    // In the trace the idle time of each thread is told stretch by stretch.
    let text: Value = serde_json::from_slice(&fs::read(&trace).unwrap()).unwrap();
    let events = text["traceEvents"].as_array().unwrap().iter().filter(|event| event["cat"] == "idle");
    let in_trace: f64 = events.map(|event| event["dur"].as_f64().unwrap()).sum();
    assert!((in_trace / 1e3 - idle.values().sum::<f64>()).abs() < 0.01, "{in_trace} {idle:?}");
    Ok(())
}

#[test]
fn the_report_of_a_failed_run_tells_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("run.html");
    let run = Runtime::builder().threads(1).report(&report);
    let error = run.execute(|client| client.submit(|x: u64| 1 / x, 0).result()).unwrap_err();
    let end = &numbers(&report)["end"];
    assert_eq!((&end["status"], end["words"].as_str().unwrap()), (&json!(1), error.to_string().as_str()));
}

/// Runs until the file is there.
fn until_there(path: String) -> u64 {
    while !Path::new(&path).exists() {
        std::thread::yield_now();
    }
    7
}

fn add(left: u64, right: u64) -> u64 {
    left + right
}

#[test]
fn a_task_that_does_not_run_is_explained() -> Result<()> {
    for workers in [None, Some(1)] {
        let folder = tempfile::tempdir().unwrap();
        let (gate, dump) = (folder.path().join("gate"), folder.path().join("state.json"));
        let mut runtime = Runtime::builder().threads(1).backlog(Duration::from_millis(2), 2);
        if let Some(workers) = workers {
            runtime = runtime.local_workers(workers);
        }
        runtime.execute(|client| {
            let slow = client.submit(until_there, gate.display().to_string());
            let sum = client.submit(add, (&slow, 1));
            let rank = client.cluster().workers().next().unwrap().rank;
            let options = SubmitOptions::new().workers([rank]);
            let behind = client.with(&options).map(add, (0..50).map(|x| (x, 1)));
            let (rank, name) = (format!("rank {rank} ("), "launched::watching::until_there");
            let deadline = Instant::now() + Duration::from_secs(60);
            loop {
                let words = client.explain(&slow)?;
                assert!(words.contains(name) && Instant::now() < deadline, "{words}");
                if words.contains(&rank) && words.contains(", which runs it since ") {
                    break;
                }
            }
            let words = client.explain(&sum)?;
            assert!(words.contains("(launched::watching::add) waits for 1 of its inputs: task "), "{words}");
            assert!(words.contains(&format!("({name}) on {rank}")), "{words}");
            let words = client.explain(&behind[49])?;
            assert!(words.contains("is queued") && words.contains("may run only on rank "), "{words}");
            client.dump_state(&dump)?;
            let state: Value = serde_json::from_slice(&fs::read(&dump).unwrap()).unwrap();
            let ranks = state["ranks"].as_array().unwrap();
            let running = ranks.iter().flat_map(|rank| rank["running"].as_array().unwrap());
            assert_eq!(running.map(|running| running["name"].clone()).collect::<Vec<_>>(), [name]);
            assert!(ranks[0]["scheduler"]["waiting"].as_u64().unwrap() > 40, "{state}");
            fs::write(&gate, "").unwrap();
            assert_eq!(sum.result()?, 8);
            client.gather(&behind)?;
            let words = client.explain(&sum)?;
            assert!(words.contains(&format!("is done: it ran on {rank}")), "{words}");
            let error = client.dump_state("/proc/none/state.json").unwrap_err().to_string();
            assert!(
                error.starts_with("the state of the run cannot be written: /proc/none/state.json"),
                "{error}"
            );
            Ok(())
        })?;
    }
    Ok(())
}

fn run(name: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(example(name)).args(args).envs(variables.iter().copied()).output().unwrap()
}

fn one_line(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr).trim_end().to_string();
    assert!(!output.status.success() && words.lines().count() == 1, "{output:?}");
    words
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    for variables in [
        &[("MANIPLE_REPORT", "/proc/none/run.html")][..],
        &[("MANIPLE_TRACE", "/proc/none/run.json"), ("MANIPLE_LOCAL_WORKERS", "2")],
    ] {
        let output = run("chain", &[], variables);
        let words = one_line(&output);
        assert!(words.contains("cannot start") && words.contains("/proc/none/run."), "{words}");
        assert!(output.stdout.is_empty(), "nothing has run");
    }
}

#[test]
fn a_full_disk_is_told_in_one_line_and_what_was_recorded_is_left() {
    for workers in ["", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.html");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let variables = [("MANIPLE_REPORT", path.to_str().unwrap()), ("MANIPLE_LOCAL_WORKERS", workers)];
        let output = run("chain", &[], &variables);
        let words = String::from_utf8_lossy(&output.stderr);
        let parts = folder.path().join("run.html.parts");
        let expected = format!(
            "Error: the report of the run cannot be written (what was recorded is left in {}): {}: ",
            parts.display(),
            path.display()
        );
        assert!(words.starts_with(&expected) && words.lines().count() == 1, "{words}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("OUTPUT:\n-96\n"), "the run went well");
        let again = folder.path().join("again.html");
        maniple::report_again(&parts, &again).unwrap();
        assert!(numbers(&again)["complete"] == true);
    }
}

#[test]
fn progress_is_a_line_now_and_then_in_a_log_and_one_at_the_end() {
    let args = ["--side", "200", "--chunk", "50", "--steps", "60"];
    for workers in ["", "2"] {
        let progress = [("MANIPLE_PROGRESS", "1"), ("MANIPLE_PROGRESS_SECONDS", "0.05")];
        let variables = [progress[0], progress[1], ("MANIPLE_LOCAL_WORKERS", workers)];
        let output = run("heat", &args, &variables);
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && words.lines().all(|line| line.starts_with("maniple: ")),
            "{words}"
        );
        let last = words.lines().last().unwrap();
        let (done, total) = last["maniple: ".len()..].split_once(' ').unwrap().0.split_once('/').unwrap();
        assert_eq!(done, total, "{words}");
        assert!(words.lines().any(|line| line.contains(" waiting, ") && line.contains("/s")), "{words}");
    }
    assert!(run("chain", &[], &[("MANIPLE_PROGRESS_SECONDS", "0.05")]).stderr.is_empty(), "not unasked");
}

#[test]
fn the_log_says_who_speaks_and_nothing_unless_asked() {
    let words = |level: &str, workers: &str| {
        let variables = [("MANIPLE_LOG", level), ("MANIPLE_LOCAL_WORKERS", workers)];
        let output = run("chain", &[], &variables);
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("OUTPUT:\n-96\n"));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(words("", "2"), "");
    assert_eq!(words("off", "2"), "");
    assert_eq!(words("warn", "2"), "", "all went well");
    let info = words("info", "2");
    for who in ["rank 0 scheduler", "rank 1 driver", "rank 2 worker", "rank 3 worker"] {
        let host =
            info.lines().find_map(|line| line.split_once(who)).unwrap_or_else(|| panic!("{who}: {info}"));
        assert!(host.1.contains(": starts pid="), "{info}");
    }
    assert!(info.contains("<Client: 'threads' ranks=4 workers=2"), "the role table: {info}");
    assert!(!info.contains("a layer of") && words("debug", "").contains(": a layer of chain::multiply"));
    let output = run("chain", &[], &[("MANIPLE_LOG", "loud")]);
    assert!(one_line(&output).contains("MANIPLE_LOG: \"loud\" is neither a level"));
}

#[cfg(feature = "mpi")]
#[test]
fn under_mpi_every_rank_tells_rank_0_with_aligned_clocks() {
    if support::launcher().is_none() {
        assert!(env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
        return println!("skipped: no MPI launcher is installed");
    }
    for ranks in [1, 2, 3, 4, 6] {
        let folder = tempfile::tempdir().unwrap();
        let (report, trace) = (folder.path().join("run.html"), folder.path().join("run.json"));
        let (side, steps) = (["--side", "200", "--chunk", "50"], ["--steps", "10"]);
        let variables =
            [("MANIPLE_REPORT", report.to_str().unwrap()), ("MANIPLE_TRACE", trace.to_str().unwrap())];
        let args: Vec<&str> = side.into_iter().chain(steps).collect();
        let output = support::mpirun(ranks, &example("heat"), &args, &variables, Duration::from_secs(60));
        support::assert_clean(&output);
        let numbers = numbers(&report);
        let told = numbers["ranks"].as_array().unwrap();
        assert_eq!(told.len(), ranks as usize);
        assert!(numbers["complete"] == true, "every rank has told all");
        for group in numbers["groups"].as_array().unwrap() {
            assert_eq!(group["ran"], group["tasks"], "{group}");
        }
        // On one host the ranks' runs begin and end nearly together, once their clocks are aligned.
        let wall = numbers["wall"].as_u64().unwrap();
        for rank in told {
            assert!(rank["began"].as_u64().unwrap() < wall / 2, "{rank}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }
}
