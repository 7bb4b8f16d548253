//! What a task costs, end to end, beside raw MPI in the same run.
//!
//! `mpirun -n 4 <this> [start] [idle] [map] [single] [latency] [chain] [transfer]`, or without `mpirun`; `<this> floor` is
//! raw MPI. Prints a line a figure: median, least and most of the repetitions.

use maniple::{Client, Future, Result, Runtime};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: maniple::Allocator = maniple::Allocator::new();

const TASKS: u64 = 1_000_000;
const REPETITIONS: usize = 5;

fn identity(x: u64) -> u64 {
    x
}

fn increment(x: u64) -> u64 {
    x + 1
}

fn report(what: &str, unit: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    let median = figures[figures.len() / 2];
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    println!("{what:<58} {median:>14.4e} {unit:<8} ({least:.3e} to {most:.3e})");
}

fn repeat(what: &str, unit: &str, mut once: impl FnMut() -> Result<f64>) -> Result<()> {
    once()?;
    let figures = (0..REPETITIONS).map(|_| once()).collect::<Result<Vec<f64>>>()?;
    report(what, unit, figures);
    Ok(())
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn map_and_gather(client: &Client) -> Result<f64> {
    let start = Instant::now();
    let futures = client.map(identity, 0..TASKS);
    let values = client.gather(&futures)?;
    let rate = TASKS as f64 / seconds(start.elapsed());
    assert!(values.iter().copied().eq(0..TASKS));
    Ok(rate)
}

fn one_at_a_time(client: &Client) -> Result<f64> {
    let count = TASKS / 5;
    let start = Instant::now();
    let futures: Vec<Future<u64>> = (0..count).map(|x| client.submit(identity, x)).collect();
    let values = client.gather(&futures)?;
    let rate = count as f64 / seconds(start.elapsed());
    assert!(values.iter().copied().eq(0..count));
    Ok(rate)
}

fn chain(client: &Client) -> Result<f64> {
    const LINKS: u64 = 10_000;
    let start = Instant::now();
    let mut link = client.submit(identity, 0);
    for _ in 0..LINKS {
        link = client.submit(increment, link);
    }
    assert_eq!(link.result()?, LINKS);
    Ok(seconds(start.elapsed()) / LINKS as f64)
}

/// Submits one task and waits for its result, many times. Prints the median and the 99th percentile.
fn round_trips(client: &Client) -> Result<()> {
    const COUNT: usize = 5000;
    let mut times = Vec::with_capacity(COUNT);
    for x in 0..COUNT as u64 {
        let start = Instant::now();
        assert_eq!(client.submit(increment, x).result()?, x + 1);
        times.push(seconds(start.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{:<58} {:>14.4e} s        (p99 {:.3e}, least {:.3e})",
        "one task, submit to result, median",
        times[COUNT / 2],
        times[COUNT * 99 / 100],
        times[0]
    );
    Ok(())
}

/// Makes 64 MiB on one worker and reads one element of it on another.
fn transfer(client: &Client) -> Result<f64> {
    const BYTES: u64 = 64 << 20;
    let workers: Vec<u32> = client.cluster().workers().map(|worker| worker.rank.0).collect();
    let on = |rank: u32| maniple::SubmitOptions::new().workers([rank]);
    let made = client.with(&on(workers[0])).submit(|seed: u64| vec![seed as f64; (BYTES / 8) as usize], 7);
    made.wait(None)?;
    let start = Instant::now();
    let read = client.with(&on(workers[1])).submit(|values: &[f64]| values[values.len() - 1], &made);
    assert_eq!(read.result()?, 7.0);
    Ok(BYTES as f64 / seconds(start.elapsed()))
}

/// Whether a part was asked for: all are, unless words on the command line choose.
fn wanted(part: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| word == part)
}

fn measure(client: &Client) -> Result<()> {
    println!("{:#}", client.cluster());
    for (part, run) in PARTS {
        if wanted(part) {
            run(client)?;
        }
    }
    Ok(())
}
/// The seconds of processor time that a process of this host has used.
fn processor_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    // A tick is 10 ms on Linux, whatever the kernel's own clock.
    (ticks(11) + ticks(12)) / 100.0
}

/// What the ranks use of a core while the driver waits for a task that sleeps.
fn idle(client: &Client) -> Result<()> {
    const SECONDS: u64 = 3;
    let ranks = client.cluster().ranks();
    let used = || ranks.iter().map(|rank| processor_seconds(rank.pid)).collect::<Vec<f64>>();
    let before = used();
    client.submit(|seconds: u64| std::thread::sleep(Duration::from_secs(seconds)), SECONDS).result()?;
    let shares: Vec<String> = used()
        .iter()
        .zip(&before)
        .map(|(after, before)| format!("{:.1} %", (after - before) / SECONDS as f64 * 100.0))
        .collect();
    println!("{:<58} {}", "idle for 3 s: each rank's share of a core", shares.join(", "));
    Ok(())
}

/// From the start of the program, and of the driver, to the first result.
fn first_result(client: &Client) -> Result<()> {
    let start = Instant::now();
    assert_eq!(client.submit(increment, 1).result()?, 2);
    let driver = seconds(start.elapsed());
    let program = STARTED.get().map_or(0.0, |started| seconds(started.elapsed()));
    println!(
        "{:<58} {driver:>14.4e} s        (since the program began, with MPI_Init: {program:.3} s)",
        "first result after the driver began"
    );
    Ok(())
}

static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

type Part = fn(&Client) -> Result<()>;

const PARTS: [(&str, Part); 7] = [
    ("start", first_result),
    ("idle", idle),
    ("map", |client| repeat("map of 1,000,000 no-op tasks, gathered", "tasks/s", || map_and_gather(client))),
    ("single", |client| {
        repeat("200,000 no-op tasks submitted one at a time, gathered", "tasks/s", || one_at_a_time(client))
    }),
    ("latency", round_trips),
    ("chain", |client| repeat("chain of 10,000 dependent tasks, a link", "s", || chain(client))),
    ("transfer", |client| {
        if client.cluster().worker_count() < 2 {
            return Ok(());
        }
        repeat("64 MiB from worker to worker, with its task", "B/s", || transfer(client))
    }),
];

/// A master and workers in raw MPI: the floor. Rank 0 hands out numbers, the others send them back.
#[cfg(feature = "mpi")]
mod floor {
    use super::{REPETITIONS, TASKS, report, seconds};
    use mpi::{
        collective::CommunicatorCollectives,
        point_to_point::{Destination, Source},
        topology::Communicator,
    };
    use std::time::Instant;

    /// From the start of the program to the first message.
    pub(super) fn start(world: &impl CommunicatorCollectives) {
        world.barrier();
        if world.rank() == 0 {
            let started = super::STARTED.get().map_or(0.0, |started| seconds(started.elapsed()));
            println!("{:<58} {started:>14.4e} s", "floor: MPI_Init and a barrier");
        }
    }

    /// Tasks a second, `batch` of them a message.
    pub(super) fn measure(world: &impl Communicator, batch: usize) {
        let figures: Vec<f64> = (0..REPETITIONS).map(|_| once(world, batch)).collect();
        if world.rank() == 0 {
            report(&format!("floor: raw MPI master and workers, {batch} a message"), "tasks/s", figures);
        }
    }

    fn once(world: &impl Communicator, batch: usize) -> f64 {
        let start = Instant::now();
        if world.rank() == 0 {
            let mut next = 0;
            let mut give = |worker: i32| {
                let end = (next + batch as u64).min(TASKS);
                let numbers: Vec<u64> = (next..end).collect();
                next = end;
                world.process_at_rank(worker).send(&numbers[..]);
                !numbers.is_empty()
            };
            let mut busy = (1..world.size()).filter(|worker| give(*worker)).count();
            let mut sum = 0;
            let mut results = vec![0u64; batch];
            while busy > 0 {
                let status = world.any_process().receive_into(&mut results[..]);
                let count = status.count(<u64 as mpi::datatype::Equivalence>::equivalent_datatype()) as usize;
                sum += results[..count].iter().sum::<u64>();
                busy -= usize::from(!give(status.source_rank()));
            }
            assert_eq!(sum, TASKS * (TASKS - 1) / 2);
        } else {
            let mut numbers = vec![0u64; batch];
            loop {
                let status = world.process_at_rank(0).receive_into(&mut numbers[..]);
                let count = status.count(<u64 as mpi::datatype::Equivalence>::equivalent_datatype()) as usize;
                if count == 0 {
                    break;
                }
                world.process_at_rank(0).send(&numbers[..count]);
            }
        }
        TASKS as f64 / seconds(start.elapsed())
    }
}

fn main() -> Result<()> {
    STARTED.get_or_init(Instant::now);
    #[cfg(feature = "mpi")]
    if std::env::args().any(|word| word == "floor") {
        // On its own: raw MPI waits in MPI and wants Open MPI's yielding, which tasks don't.
        let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Funneled)
            .ok_or_else(|| maniple::Error::other("MPI is initialised already"))?;
        floor::start(&universe.world());
        floor::measure(&universe.world(), 1);
        floor::measure(&universe.world(), 64);
        return Ok(());
    }
    Runtime::builder().run(measure)
}
