//! What it costs a task to be recorded: the same million of tasks with and without a trace.
//!
//! `cargo bench --no-default-features --bench record`. The first figures are of one thread that records, all
//! day, and of the look at the clock within that, which a task costs that is not recorded, too; the others are
//! whole runs, taken in turns, so that what else the machine does concerns both.

use maniple::{Result, Runtime};
use std::{hint::black_box, time::Instant};

const TASKS: u64 = 1_000_000;
const REPETITIONS: usize = 9;

fn identity(x: u64) -> u64 {
    x
}

/// Nanoseconds a task.
fn run(trace: Option<&std::path::Path>) -> Result<f64> {
    let mut runtime = Runtime::builder().threads(1);
    if let Some(path) = trace {
        runtime = runtime.trace(path);
    }
    runtime.execute(|client| {
        let start = Instant::now();
        let values = client.gather(&client.map(identity, 0..TASKS))?;
        assert!(values.into_iter().eq(0..TASKS));
        Ok(start.elapsed().as_nanos() as f64 / TASKS as f64)
    })
}

/// Nanoseconds a look at the clock.
fn clock() -> f64 {
    let start = Instant::now();
    for _ in 0..TASKS {
        black_box(start.elapsed());
    }
    start.elapsed().as_nanos() as f64 / TASKS as f64
}

fn report(what: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    println!("{what:<44} {:>8.1} ns a task ({least:.1} to {most:.1})", figures[figures.len() / 2]);
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(maniple::Error::other)?;
    let path = folder.path().join("run.json");
    let (clock, recording): (Vec<f64>, Vec<f64>) =
        (0..REPETITIONS).map(|_| (clock(), maniple::internals::Recorder::nanoseconds_a_task(TASKS))).unzip();
    let more = clock.iter().zip(&recording).map(|(clock, recording)| recording - clock).collect();
    report("recording alone", recording);
    report("the look at the clock within that", clock);
    report("the difference of each pair", more);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        without.push(run(None)?);
        with.push(run(Some(&path))?);
    }
    let more = without.iter().zip(&with).map(|(without, with)| with - without).collect();
    report("a map that is not recorded", without);
    report("a map that is recorded", with);
    report("the difference of each pair", more);
    Ok(())
}
