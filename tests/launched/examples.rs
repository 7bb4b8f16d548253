//! Every example, alone and under MPI with 1 to 6 ranks: answers, exit status, empty standard error.

#[cfg(feature = "mpi")]
use crate::support;
use crate::support::{example, opencl};
use example::example;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

const RANKS: [u32; 5] = [1, 2, 3, 4, 6];

/// Runs an example without a launcher, in a directory that cannot be written.
fn alone(name: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let variables = variables.iter().copied();
    Command::new(example(name)).args(args).envs(variables).current_dir("/proc").output().unwrap()
}

/// Runs an example under MPI, if there is a launcher.
#[cfg(feature = "mpi")]
fn launched(ranks: u32, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
    if support::launcher().is_none() {
        assert!(std::env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
        println!("skipped: no MPI launcher is installed");
        return None;
    }
    let program = if name.starts_with('/') { name.into() } else { example(name) };
    Some(support::mpirun(ranks, &program, args, variables, std::time::Duration::from_secs(60)))
}

#[cfg(not(feature = "mpi"))]
fn launched(_: u32, _: &str, _: &[&str], _: &[(&str, &str)]) -> Option<Output> {
    None
}

/// As [`launched`], with a cache of compiled kernels for each rank.
fn launched_on_devices(ranks: u32, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
    let caches = tempfile::tempdir().unwrap();
    let program = example(name);
    let args = opencl::with_own_caches(caches.path(), &program, args);
    launched(ranks, "/bin/sh", &args, variables)
}

fn clean(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// Runs an example alone and on all numbers of ranks, and checks what it prints.
fn check(name: &str, args: &[&str], check: impl Fn(&str)) {
    check(&clean(&alone(name, args, &[])));
    for output in RANKS.into_iter().filter_map(|ranks| launched(ranks, name, args, &[])) {
        check(&clean(&output));
    }
}

#[test]
fn chain_gives_minus_96() {
    check("chain", &[], |printed| assert!(printed.contains("OUTPUT:\n-96\n"), "{printed}"));
}

#[test]
fn pi_resume_goes_on_with_any_number_of_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("counts");
    let args = ["--tasks", "100", "--points", "10000", "--journal", journal.to_str().unwrap()];
    let first = clean(&alone("pi_resume", &args, &[]));
    assert!(first.contains("\n0 of 100 tasks had been done before\n"), "{first}");
    let count = first.lines().next().unwrap();
    let args = [&args[..], &["--resume"]].concat();
    check("pi_resume", &args, |printed| {
        assert_eq!(printed, format!("{count}\n100 of 100 tasks had been done before\n"));
    });
}

#[test]
fn tree_sum_sums() {
    check("tree_sum", &["--leaves", "1000", "--fan-in", "7"], |printed| {
        assert_eq!(printed, "sum of 1000 leaves: 499500\n");
    });
}

#[cfg(feature = "linear-algebra")]
#[test]
fn svd_finds_the_rank() {
    let args = ["--rows", "3000", "--columns", "20", "--rank", "3", "--block", "700"];
    let values = |printed: &str| -> Vec<String> {
        printed.lines().filter(|line| line.starts_with("  ")).map(str::to_string).collect()
    };
    let expected = values(&clean(&alone("svd", &args, &[])));
    assert_eq!(expected.len(), 6, "three values twice");
    assert_eq!(expected[..3], expected[3..]);
    check("svd", &args, |printed| {
        let reports: Vec<&str> = printed.lines().filter(|line| !line.starts_with("  ")).collect();
        for (report, name) in reports.iter().zip(["all", "compressed"]) {
            assert!(report.starts_with(&format!("{name}: rank 3, error ")), "{printed}");
            let error: f64 = report.split([' ', ',']).nth(5).unwrap().parse().unwrap();
            assert!(error < 1e-12, "{printed}");
        }
        assert_eq!(values(printed), expected);
    });
}

#[test]
fn worker_info_tells_of_every_worker_once() {
    check("worker_info", &[], |printed| {
        let lines = printed.lines().filter(|line| line.starts_with("Worker ")).count();
        assert!(printed.contains(&format!("\n{lines} workers\n")), "{printed}");
        let directory = printed.lines().last().unwrap().rsplit(' ').next().unwrap();
        assert!(!Path::new(directory).exists(), "{directory} is gone after the run");
    });
}

#[cfg(feature = "mpi")]
#[test]
fn embed_uses_its_communicator_before_and_after() {
    for ranks in RANKS {
        if let Some(output) = launched(ranks, "embed", &[], &[]) {
            let sum = ranks * (ranks - 1) / 2;
            assert_eq!(clean(&output), format!("{ranks} ranks: sum {sum} before and after\n"));
        }
    }
}

/// The counts of each run of pi.
fn counts(output: &Output) -> Vec<u64> {
    let report: Value = serde_json::from_str(&clean(output)).unwrap();
    let runs = report["runs"].as_array().unwrap();
    for run in runs {
        let error = run["error"].as_f64().unwrap();
        assert!(error < 0.005, "pi is off by {error}");
    }
    runs.iter().map(|run| run["inside"].as_u64().unwrap()).collect()
}

#[test]
fn pi_counts_the_same_points_on_any_number_of_ranks_and_threads() {
    for generator in ["splitmix64", "xoshiro256++"] {
        let args = ["--samples", "3000001", "--runs", "2", "--json", "--generator", generator];
        let expected = counts(&alone("pi", &args, &[("MANIPLE_THREADS", "1")]));
        assert_ne!(expected[0], expected[1], "each run has points of its own");
        for threads in ["2", "3", "4"] {
            assert_eq!(counts(&alone("pi", &args, &[("MANIPLE_THREADS", threads)])), expected);
        }
        assert_eq!(counts(&alone("pi", &args, &[("MANIPLE_LOCAL_WORKERS", "3")])), expected);
        for ranks in RANKS {
            for threads in ["1", "2"] {
                if let Some(output) = launched(ranks, "pi", &args, &[("MANIPLE_THREADS", threads)]) {
                    assert_eq!(counts(&output), expected, "{ranks} ranks");
                }
            }
        }
    }
}

#[test]
fn pi_on_devices_counts_the_same_points() {
    if !opencl::has_tiles() {
        return;
    }
    let counted_on = |device| {
        let generator = ["--generator", "splitmix64"];
        ["--samples", "3000001", "--runs", "2", "--json", generator[0], generator[1], "--device", device]
    };
    let expected = counts(&alone("pi", &counted_on("cpu"), &[]));
    let processor = ("MANIPLE_DEVICE_TYPE", "cpu");
    assert_eq!(counts(&alone("pi", &counted_on("gpu"), &[processor])), expected);
    let two = ("MANIPLE_LOCAL_WORKERS", "2");
    assert_eq!(counts(&alone("pi", &counted_on("tile"), &[processor, two])), expected);
    for ranks in [2, 4, 6] {
        let mut args = counted_on("tile").to_vec();
        // Six ranks have four workers, which share the two tiles.
        args.extend((ranks == 6).then_some("--share-device"));
        if let Some(output) = launched_on_devices(ranks, "pi", &args, &[processor]) {
            assert_eq!(counts(&output), expected, "{ranks} ranks");
        }
    }
    let args = ["--samples", "3000", "--device", "gpu", "--generator", "xoshiro256++"];
    let output = alone("pi", &args, &[processor]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("devices count points of splitmix64 only"));
}

#[test]
fn examples_for_devices_tell_of_every_worker() {
    if !opencl::has_tiles() {
        return;
    }
    let variables = [("MANIPLE_DEVICE_TYPE", "cpu")];
    let two = [variables[0], ("MANIPLE_LOCAL_WORKERS", "2")];
    let outputs = |name| {
        let args = ["--device", "tile"];
        [alone(name, &args, &two)].into_iter().chain(launched_on_devices(4, name, &args, &variables))
    };
    for output in outputs("device_uuid") {
        let printed = clean(&output);
        assert!(printed.starts_with("2 workers\nWorker "), "{printed}");
        assert_eq!(printed.matches(" - GPU uuid: ").count(), 2, "{printed}");
        assert!(printed.contains("CPU 0 tile 0 (") && printed.contains("CPU 0 tile 1 ("), "{printed}");
    }
    for output in outputs("vadd_opencl") {
        assert_eq!(clean(&output).matches("1000000 of 1000000 sums are right").count(), 2);
    }
}

#[test]
fn arrays_on_devices_have_the_sums_of_those_on_processors() {
    if !opencl::has_tiles() {
        return;
    }
    let args = ["--device", "tile", "--length", "300", "--chunk", "150"];
    let variables = [("MANIPLE_DEVICE_TYPE", "cpu")];
    let two = [variables[0], ("MANIPLE_LOCAL_WORKERS", "2")];
    let runs = [alone("arrays_on_devices", &args, &two)];
    for output in runs.into_iter().chain(launched_on_devices(4, "arrays_on_devices", &args, &variables)) {
        let printed = clean(&output);
        let sums: Vec<(&str, f64)> = printed
            .lines()
            .filter_map(|line| line.split_once(" = ")?.1.split_once(" in ").map(|(sum, _)| (line, sum)))
            .map(|(line, sum)| (line.split(" = ").next().unwrap(), sum.parse().unwrap()))
            .collect();
        let (host, device) = sums.split_at(3);
        assert_eq!(sums.len(), 6, "{printed}");
        for ((name, host), (same, device)) in host.iter().zip(device) {
            assert!(name == same && (host - device).abs() <= 1e-5 * host.abs(), "{printed}");
        }
        // The points are the same bit for bit.
        assert_eq!(host[2], device[2], "{printed}");
        // 300 x 300 numbers of mean 1/2, and each counted twice.
        assert!((host[0].1 / 90_000.0 - 1.0).abs() < 0.02, "{printed}");
        assert!(printed.contains("on processors:\n") && printed.contains("on devices:\n"), "{printed}");
    }
}

#[test]
fn soak_finds_every_answer_right_and_no_file_left() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--minutes", "0.05", "--local-directory", folder.path().to_str().unwrap()];
    let runs = [alone("soak", &args, &[("MANIPLE_LOCAL_WORKERS", "2")])];
    for output in runs.into_iter().chain(launched(4, "soak", &args, &[])) {
        let printed = clean(&output);
        let rounds: u64 = printed.split(" rounds in ").next().unwrap().parse().unwrap();
        assert!(rounds > 0 && printed.contains("all right"), "{printed}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{printed}");
    }
}

#[test]
fn pi_prints_the_cluster_and_a_line_a_run() {
    check("pi", &["--samples", "1e6", "--runs", "3"], |printed| {
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), 4, "{printed}");
        assert!(lines[0].starts_with("<Client: "), "{printed}");
        assert!(lines[3].starts_with("Run 2    Num samples: 1.00E6    Estimate: 3.14"), "{printed}");
    });
}

/// The lines of a text that begin with these words.
fn lines<'a>(printed: &'a str, start: &str) -> Vec<&'a str> {
    printed.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn arrays_of_random_points_are_the_same_on_any_number_of_ranks() {
    let args = ["--size", "32e6", "--chunks", "7"];
    let alone = clean(&alone("pi_array", &args, &[]));
    let estimate = lines(&alone, "   pi estimate: 3.14");
    assert_eq!(estimate.len(), 1, "{alone}");
    check("pi_array", &args, |printed| {
        assert_eq!(lines(printed, "   pi estimate: "), estimate, "{printed}");
        assert!(printed.contains(
            " maniple.array<uniform, shape=(2000000, 2), dtype=float64, chunksize=(285714, 2), chunktype=ndarray>"
        ));
    });
}

#[cfg(feature = "fourier")]
#[test]
fn arrays_are_squared_sliced_and_summed() {
    let alone = clean(&alone("arrays", &[], &[]));
    assert!(alone.contains("[1, 16, 49, 100, 169, 256,") && alone.contains("(x + x.T).sum() = 2"), "{alone}");
    assert!(alone.contains("largest product: 0.97") && alone.contains("tenths: ["), "{alone}");
    check("arrays", &[], |printed| assert_eq!(printed, alone, "the same bits on any number of ranks"));
}

#[test]
fn heat_spreads_alike_on_any_number_of_ranks() {
    let args = ["--side", "60", "--chunk", "25", "--steps", "20"];
    let alone = clean(&alone("heat", &args, &[]));
    assert!(alone.starts_with("heat before 716.000, after 7"), "{alone}");
    check("heat", &args, |printed| assert_eq!(printed, alone));
    let args = [&args[..], &["--repeat"]].concat();
    check("heat", &args, |printed| assert_eq!(printed, alone, "as step by step"));
}

#[test]
fn delayed_pi_agrees_with_plain_pi() {
    check("delayed_pi", &["--size", "1e5"], |printed| {
        let estimates = lines(printed, "   pi estimate: 3.1");
        assert_eq!(estimates.len(), 10, "{printed}");
        assert_eq!(estimates[..5], estimates[5..]);
    });
}

#[test]
fn wrong_options_are_told() {
    for args in [&["--samples", "-3"][..], &["--samples", "1.5"], &["--generator", "dice"], &["--no-such"]] {
        let output = alone("pi", args, &[]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{args:?}");
    }
}
