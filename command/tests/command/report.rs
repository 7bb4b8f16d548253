//! `maniple report`: from what a killed run leaves, and what is no record of a run.

use crate::{MANIPLE, support::example::example};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

fn report(arguments: &[&Path]) -> Output {
    Command::new(MANIPLE).arg("report").args(arguments).output().unwrap()
}

/// The numbers within a report.
fn numbers(report: &Path) -> Value {
    let page = fs::read_to_string(report).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    let data = page.split_once("type=\"application/json\">").unwrap().1;
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

fn one_line(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr).trim_end().to_string();
    assert!(!output.status.success() && words.lines().count() == 1, "{output:?}");
    words
}

/// How many tasks a report says that ran.
fn ran(numbers: &Value) -> u64 {
    numbers["groups"].as_array().unwrap().iter().map(|group| group["ran"].as_u64().unwrap()).sum()
}

#[test]
fn a_killed_run_leaves_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.html");
    let args = ["--side", "200", "--chunk", "50", "--steps", "1000000"];
    let mut child = Command::new(example("heat"))
        .args(args)
        .env("MANIPLE_LOCAL_WORKERS", "2")
        .env("MANIPLE_REPORT", &path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let parts = folder.path().join("run.html.parts");
    // What was submitted is on rank 0's disk, and what was run on a worker's: at some time.
    let early = folder.path().join("early.html");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !(maniple::report_again(&parts, &early).is_ok() && ran(&numbers(&early)) > 0) {
        assert!(Instant::now() < deadline, "nothing is recorded");
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!path.exists());
    let output = report(&[&parts]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(output.stdout, format!("{}\n", path.display()).into_bytes());
    let other = folder.path().join("other.html");
    assert!(report(&[&parts, Path::new("--output"), &other]).status.success());
    assert_eq!(fs::read(&other).unwrap(), fs::read(&path).unwrap());
    let numbers = numbers(&path);
    assert!(numbers["complete"] == false && numbers["ranks"].as_array().unwrap().len() == 4);
    assert!(ran(&numbers) > 0);
}

#[test]
fn what_is_no_trace_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    fs::write(&path, "{\"traceEvents\": [").unwrap();
    assert!(one_line(&report(&[&path])).contains("this is no trace of a run, or not all of one"));
    assert!(
        one_line(&report(&[&folder.path().join("none")])).contains("the record of the run cannot be read")
    );
}
