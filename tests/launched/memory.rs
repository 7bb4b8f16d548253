//! Runs whose values are larger than the memory of their workers.

#[cfg(feature = "mpi")]
use crate::support;
use crate::support::{example, itself};
use example::example;
use itself::text;
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

const EXAMPLE: &str = "larger_than_memory";

fn alone(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let variables = variables.iter().copied();
    Command::new(example(EXAMPLE)).args(args).envs(variables).output().unwrap()
}

/// Under a launcher, if there is one.
#[cfg(feature = "mpi")]
fn launched(ranks: u32, args: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
    if support::launcher().is_none() {
        assert!(std::env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
        println!("skipped: no MPI launcher is installed");
        return None;
    }
    let limit = Duration::from_secs(300);
    Some(support::mpirun(ranks, &example(EXAMPLE), args, variables, limit))
}

#[cfg(not(feature = "mpi"))]
fn launched(_: u32, _: &[&str], _: &[(&str, &str)]) -> Option<Output> {
    None
}

/// What a run wrote to standard error besides the warning that its arrays are not optimised.
fn told(output: &Output) -> String {
    let words = text(&output.stderr);
    match words.split_once("Warning: Maniple was built without optimisation") {
        Some((before, rest)) => before.to_string() + rest.split_once("opt-level = 3\n").expect("it ends").1,
        None => words,
    }
}

/// The numbers before `MB` in the lines that end a run: peaks and limits.
fn megabytes(printed: &str) -> Vec<(f64, f64)> {
    let numbers = |line: &str| {
        let words: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        line.contains(" MB, limit ").then(|| (words[words.len() - 2], words[words.len() - 1]))
    };
    printed.lines().filter_map(numbers).collect()
}

#[test]
fn an_array_larger_than_the_memory_is_computed_with() {
    /// Of the array, a worker.
    const SHARE: f64 = 240.0;
    let peaks = |output: &Output| {
        let (printed, words) = (text(&output.stdout), told(output));
        assert!(output.status.success() && words.is_empty(), "{}\n{printed}\n{words}", output.status);
        assert!(printed.contains("sums: "), "{printed}");
        megabytes(&printed)
    };
    // Where all of it may stay in memory, it does.
    let roomy = peaks(&alone(&["--memory-limit", "960MB", "--times", "0.25"], &[]));
    assert!(roomy.len() == 1 && roomy[0].0 > SHARE, "{roomy:?}");
    let args = ["--memory-limit", "40MB", "--times", "6"];
    let outputs = [Some((alone(&args, &[]), 1)), launched(4, &args, &[]).map(|output| (output, 2))];
    for (output, workers) in outputs.into_iter().flatten() {
        let found = peaks(&output);
        assert_eq!(found.len(), workers);
        // An MPI library and the program alone may have 80.
        assert!(found.iter().all(|(peak, limit)| *limit == 40.0 && *peak < SHARE * 2.0 / 3.0), "{found:?}");
    }
}

#[test]
fn what_moves_to_the_disk_and_back_is_in_the_report_and_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (report, trace) = (folder.path().join("run.html"), folder.path().join("run.json"));
    let variables =
        [("MANIPLE_REPORT", report.to_str().unwrap()), ("MANIPLE_TRACE", trace.to_str().unwrap())];
    let output = alone(&["--memory-limit", "40MB", "--times", "3"], &variables);
    assert!(output.status.success() && told(&output).is_empty(), "{output:?}");
    let page = fs::read_to_string(&report).unwrap();
    let numbers = page.split_once("type=\"application/json\">").unwrap().1;
    let numbers: Value = serde_json::from_str(numbers.split_once("</script>").unwrap().0).unwrap();
    let rank = &numbers["ranks"][0];
    let most = |what: usize| {
        let samples = rank["samples"].as_array().unwrap().iter();
        samples.map(|sample| sample[what].as_u64().unwrap()).max().unwrap()
    };
    let (held, spilled) = (most(1), most(2));
    assert!(spilled > 40_000_000 && spilled <= held, "{spilled} of {held} bytes on the disk");
    let lanes = numbers["lanes"].as_array().unwrap().iter();
    let threads = &rank["threads"];
    assert_eq!(lanes.filter(|lane| lane["lane"] == *threads).count(), 1, "the disk has a row");
    let text: Value = serde_json::from_slice(&fs::read(&trace).unwrap()).unwrap();
    let moves = text["traceEvents"].as_array().unwrap().iter().filter(|event| event["cat"] == "spill");
    let moved: u64 = moves.clone().map(|event| event["args"]["bytes"].as_u64().unwrap()).sum();
    assert!(moved >= spilled && moves.clone().all(|event| event["dur"].as_f64().unwrap() > 0.0), "{moved}");
}

#[test]
fn with_nowhere_to_move_values_to_the_task_that_finds_no_room_is_told() {
    let args = ["--memory-limit", "40MB", "--times", "3"];
    let variables = [("MANIPLE_SPILL", "nowhere")];
    let outputs = [Some(alone(&args, &variables)), launched(3, &args, &variables)];
    for output in outputs.into_iter().flatten() {
        let words = text(&output.stderr);
        assert!(!output.status.success(), "{}", text(&output.stdout));
        let warnings = words.lines().filter(|line| line.starts_with("Warning: rank "));
        assert_eq!(warnings.count(), 1, "{words}");
        assert!(words.contains("MANIPLE_SPILL=nowhere"), "{words}");
        let errors: Vec<&str> = words.lines().filter(|line| line.starts_with("Error: ")).collect();
        assert_eq!(errors.len(), 1, "{words}");
        assert!(
            errors[0].contains("found no room in memory on rank ") && errors[0].contains("limit"),
            "{words}"
        );
    }
}

/// The most memory that the example `heat` has on one rank for so many steps, in kB.
fn peak_of_heat(steps: u32) -> u64 {
    let mut child = Command::new(example("heat"))
        .args(["--side", "32", "--chunk", "16", "--steps", &steps.to_string()])
        .env("MANIPLE_GRAPH_LIMIT", "1000")
        .env("MANIPLE_THREADS", "2")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = number.unwrap_or(peak);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return peak;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_steps() {
    let (few, many) = (peak_of_heat(500), peak_of_heat(4000));
    assert!(few > 1000 && many < few + 6_000, "{few} kB for 500 steps, {many} kB for 4,000");
}
