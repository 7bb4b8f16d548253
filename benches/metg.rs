//! METG: how short tasks may be before half of the time goes to waiting, by the patterns of Task Bench
//! (Slaughter et al., SC 2020).
//!
//! `mpirun -n 4 <this> [pattern..] [--steps N] [--width N] [--repeat]`, or without `mpirun`. With `--repeat`, rows are
//! steps of `Client::repeat`, as many together as the pattern has different ones. A pattern is a graph of `steps` rows of
//! `width` tasks for each worker's thread, in which each task takes values of the row before. Each task computes for a
//! while and gives 16 bytes, or 64 KiB. The METG (minimum effective task granularity) is the time of a task at
//! which the threads compute for half of the time: it is found between the two durations around it. All values are checked.

use maniple::{Client, Future, Result, Runtime};
use std::{hint::black_box, time::Instant};

#[global_allocator]
static ALLOCATOR: maniple::Allocator = maniple::Allocator::new();

/// Durations of tasks, in microseconds.
const DURATIONS: [f64; 11] = [1000.0, 300.0, 100.0, 50.0, 25.0, 12.0, 6.0, 3.0, 1.5, 0.75, 0.4];
const REPETITIONS: usize = 3;
/// How many numbers a large value has.
const LARGE: usize = 8192;

/// Which tasks of the row before a task takes: column, width, step.
type Pattern = fn(usize, usize, usize) -> Vec<usize>;

/// With how many rows each pattern begins again, if that is not the same for all widths.
const PERIOD: usize = 3;

const PATTERNS: [(&str, Pattern); 7] = [
    ("trivial", |_, _, _| Vec::new()),
    ("no_comm", |column, _, _| vec![column]),
    ("stencil_1d", |column, width, _| vec![(column + width - 1) % width, column, (column + 1) % width]),
    ("fft", |column, width, step| {
        let distance = 1 << (step % period_of("fft", width));
        vec![column, column ^ distance].into_iter().filter(|column| *column < width).collect()
    }),
    ("tree", |column, _, _| vec![column / 2]),
    ("random_nearest", |column, width, step| {
        let near = (0..5).map(|place| (column + width + place - 2) % width);
        near.enumerate()
            .filter(|(place, near)| mix((near * 31 + step % PERIOD * 7 + place) as u64).is_multiple_of(2))
            .map(|(_, near)| near)
            .collect()
    }),
    ("all_to_all", |_, width, _| (0..width).collect()),
];

/// With how many rows a pattern begins again.
fn period_of(name: &str, width: usize) -> usize {
    match name {
        "fft" => width.ilog2().max(1) as usize,
        "random_nearest" => PERIOD,
        _ => 1,
    }
}

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^ (x >> 29)
}

/// Computes for so many rounds.
fn spin(rounds: u64) {
    let mut a = [1.0f64; 8];
    for _ in 0..rounds {
        a.iter_mut().for_each(|x| *x = x.mul_add(0.999_999, 1e-9));
        a = black_box(a);
    }
}

fn combine(inputs: impl Iterator<Item = u64>, own: u64) -> u64 {
    inputs.fold(mix(own), |sum, value| mix(sum.wrapping_add(value)))
}

fn small(inputs: &[(u64, u64)], own: u64, rounds: u64) -> (u64, u64) {
    spin(rounds);
    (combine(inputs.iter().map(|(value, _)| *value), own), own)
}

fn large(inputs: Vec<maniple::Shared<Vec<u64>>>, own: u64, rounds: u64) -> Vec<u64> {
    spin(rounds);
    vec![combine(inputs.iter().map(|input| input[LARGE - 1]), own); LARGE]
}

/// What a task takes of the row before, and its column.
type Item<T> = (Vec<Future<T>>, u64);

/// A graph that is run.
#[derive(Clone, Copy)]
struct Graph {
    pattern: Pattern,
    width: usize,
    steps: usize,
    /// How many rows are a step of a repetition, if it is one.
    period: Option<usize>,
}

impl Graph {
    /// What the last row should be.
    fn expected(&self) -> Vec<u64> {
        let mut row = Vec::new();
        for step in 0..self.steps {
            let value = |column| {
                let inputs = if step > 0 { (self.pattern)(column, self.width, step) } else { Vec::new() };
                combine(inputs.into_iter().map(|input: usize| row[input]), column as u64)
            };
            row = (0..self.width).map(value).collect();
        }
        row
    }

    /// Runs it once with tasks of so many rounds; returns how long that took.
    fn run<T: maniple::Data>(
        &self,
        client: &Client,
        row_of: impl Fn(&Client, Vec<Item<T>>) -> Vec<Future<T>>,
        check: impl Fn(&T) -> u64,
        expected: &[u64],
    ) -> Result<f64> {
        let start = Instant::now();
        let next = |client: &Client, row: &[Future<T>], step: usize| {
            let items = (0..self.width).map(|column| {
                let inputs = if step > 0 { (self.pattern)(column, self.width, step) } else { Vec::new() };
                (inputs.into_iter().map(|input| row[input].clone()).collect(), column as u64)
            });
            row_of(client, items.collect())
        };
        let first = next(client, &[], 0);
        let row = match self.period {
            None => (1..self.steps).fold(first, |row, step| next(client, &row, step)),
            Some(period) => client.repeat((self.steps - 1) / period, first, |client, row| {
                Ok((1..=period).fold(row, |row, step| next(client, &row, step)))
            })?,
        };
        let values = client.gather(&row)?;
        let elapsed = start.elapsed().as_secs_f64();
        assert_eq!(values.iter().map(check).collect::<Vec<u64>>(), expected);
        Ok(elapsed)
    }
}

/// The duration of a task at which half of the time is computing, between those around it.
fn granularity(points: &[(f64, f64)]) -> Option<f64> {
    let last = points.iter().rposition(|(_, efficiency)| *efficiency >= 0.5)?;
    let (long, above) = points[last];
    let Some((short, below)) = points.get(last + 1).copied() else { return Some(long) };
    let share = (above - 0.5) / (above - below);
    Some((long.ln() + share * (short.ln() - long.ln())).exp())
}

fn measure(
    client: &Client,
    name: &str,
    graph: Graph,
    threads: usize,
    rounds_per_microsecond: f64,
) -> Result<()> {
    let expected = graph.expected();
    for bytes in [16, 8 * LARGE] {
        let mut points = Vec::new();
        for duration in DURATIONS {
            let rounds = (duration * rounds_per_microsecond) as u64;
            let mut times = Vec::new();
            for _ in 0..REPETITIONS {
                times.push(if bytes == 16 {
                    let row = |client: &Client, items: Vec<Item<(u64, u64)>>| {
                        client.map(small, items.into_iter().map(|(inputs, own)| (inputs, own, rounds)))
                    };
                    graph.run(client, row, |value| value.0, &expected)?
                } else {
                    let row = |client: &Client, items: Vec<Item<Vec<u64>>>| {
                        client.map(large, items.into_iter().map(|(inputs, own)| (inputs, own, rounds)))
                    };
                    graph.run(client, row, |value| value[0], &expected)?
                });
            }
            times.sort_by(f64::total_cmp);
            let tasks = (graph.width * graph.steps) as f64;
            let efficiency = tasks * duration * 1e-6 / threads as f64 / times[REPETITIONS / 2];
            points.push((duration, efficiency));
            if efficiency < 0.2 {
                break;
            }
        }
        let metg = granularity(&points).map_or("above 1000".into(), |metg| format!("{metg:8.2}"));
        let points: Vec<String> = points
            .iter()
            .map(|(duration, efficiency)| format!("{duration} us {:.0} %", efficiency * 100.0))
            .collect();
        println!("{name:<15} {bytes:>6} B   METG(50 %) {metg} us   ({})", points.join(", "));
    }
    Ok(())
}

fn number(name: &str, default: usize) -> usize {
    let mut words = std::env::args().skip_while(|word| word != name).skip(1);
    words.next().and_then(|word| word.parse().ok()).unwrap_or(default)
}

fn main() -> Result<()> {
    Runtime::builder().run(|client| {
        println!("{:#}", client.cluster());
        let threads: usize = client.cluster().workers().map(|worker| worker.threads as usize).sum();
        let (width, steps) = (number("--width", 4) * threads, number("--steps", 500));
        let calibrate = |rounds: u64| {
            let start = Instant::now();
            spin(rounds);
            start.elapsed().as_secs_f64()
        };
        let seconds = (0..5).map(|_| client.submit(calibrate, 2_000_000u64).result());
        let fastest = seconds.collect::<Result<Vec<f64>>>()?.into_iter().fold(f64::MAX, f64::min);
        let rounds_per_microsecond = 2.0 / fastest;
        let words: Vec<String> = std::env::args().skip(1).collect();
        let is_named = |name: &str| words.iter().any(|word| word == name);
        let all = !PATTERNS.iter().any(|(name, _)| is_named(name));
        for (name, pattern) in PATTERNS.into_iter().filter(|(name, _)| all || is_named(name)) {
            let period = period_of(name, width);
            let graph = Graph {
                pattern,
                width,
                steps: (steps - 1) / period * period + 1,
                period: is_named("--repeat").then_some(period),
            };
            measure(client, name, graph, threads, rounds_per_microsecond)?;
        }
        Ok(())
    })
}
