//! The scheduler alone: what a task and an edge cost it, and what a task takes of its memory.
//!
//! Workers that take no time answer each message at once; the time includes their answers. With
//! `codec`, every message goes through its encoding, as over MPI.
//!
//! `cargo bench --no-default-features --bench scheduler [-- independent tree stencil]`

use maniple::{
    Rank,
    internals::{
        ids::{Code, TaskId, Tasks},
        message::{Column, Finished, Given, Layer, Message, ToScheduler, ToWorker, decode, encode},
        packed::Packed,
        scheduler::{Backlog, Scheduler, WorkerSpec},
    },
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

const DRIVER: Rank = Rank(1);
const REPETITIONS: usize = 3;

/// Counts the bytes that are allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does everything; counting changes nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is the system's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Layers to submit, and how many tasks and edges they have.
struct Graph {
    name: &'static str,
    layers: Vec<Layer>,
    tasks: u64,
    edges: u64,
}

fn layer(first: u64, count: u32, columns: Vec<Column>) -> Layer {
    let tasks = Tasks { first: TaskId::new(DRIVER, first), count };
    Layer { tasks, code: Code { module: 0, offset: 8 }, columns, level: 0, depth: 0, options: None }
}

fn ids(ids: impl Iterator<Item = u64>) -> Column {
    Column::values(ids.map(|id| TaskId::new(DRIVER, id)).collect())
}

fn independent() -> Graph {
    Graph { name: "independent", layers: vec![layer(0, 1_000_000, vec![])], tasks: 1_000_000, edges: 0 }
}

/// A binary tree of 2^20 tasks, from the leaves to the root.
fn tree() -> Graph {
    let mut layers = vec![layer(0, 1 << 19, vec![])];
    let (mut below, mut first) = (0, 1 << 19);
    for level in (0..19).rev() {
        let count = 1u64 << level;
        let columns =
            vec![ids((0..count).map(|i| below + 2 * i)), ids((0..count).map(|i| below + 2 * i + 1))];
        layers.push(layer(first, count as u32, columns));
        (below, first) = (first, first + count);
    }
    Graph { name: "tree", layers, tasks: (1 << 20) - 1, edges: (1 << 20) - 2 }
}

/// A thousand steps of a thousand points, each of which needs itself and its neighbours.
fn stencil() -> Graph {
    const WIDTH: u64 = 1000;
    let mut layers = vec![layer(0, WIDTH as u32, vec![])];
    for step in 1..1000 {
        let before = (step - 1) * WIDTH;
        let neighbour = |offset: i64| {
            ids((0..WIDTH as i64)
                .map(move |point| before + (point + offset).clamp(0, WIDTH as i64 - 1) as u64))
        };
        layers.push(layer(step * WIDTH, WIDTH as u32, vec![neighbour(-1), neighbour(0), neighbour(1)]));
    }
    Graph { name: "stencil", layers, tasks: WIDTH * 1000, edges: 3 * WIDTH * 999 }
}

fn through_codec(message: Message, frame: &mut Vec<u8>) -> Message {
    frame.clear();
    encode(&message, frame);
    decode(DRIVER, frame).expect("what was encoded").remove(0)
}

/// Runs the graph. Returns the seconds and the most bytes that the scheduler had.
fn run(graph: &Graph, workers: u32, codec: bool) -> (f64, usize) {
    let spec = |index| WorkerSpec {
        rank: Rank(index + 2),
        host: String::new(),
        threads: 1,
        memory_bytes: 1 << 40,
        resources: vec![],
    };
    let layers = graph.layers.clone();
    let mut scheduler = Scheduler::new((0..workers).map(spec).collect(), workers + 2, Backlog::default());
    let mut frame = Vec::new();
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut most = 0;
    let start = Instant::now();
    let mut pass = |message: Message| if codec { through_codec(message, &mut frame) } else { message };
    for layer in layers {
        let Message::ToScheduler(message) = pass(Message::ToScheduler(ToScheduler::Submit(layer))) else {
            unreachable!()
        };
        scheduler.handle(DRIVER, message);
    }
    let mut ended = 0;
    let mut answers = vec![];
    while ended < graph.tasks {
        let said = scheduler.decide();
        most = most.max(ALLOCATED.load(Ordering::Relaxed).saturating_sub(before));
        for (rank, message) in said {
            if let Message::ToWorker(ToWorker::Run(run)) = pass(message) {
                debug_assert!(run.arguments.iter().all(|argument| matches!(argument, Given::Each(_))));
                let values: Packed = (0..run.tasks.count).map(|_| [7u8].as_slice()).collect();
                ended += u64::from(run.tasks.count);
                answers.push((rank, Finished { first: run.tasks.first, values }));
            }
        }
        for (rank, finished) in answers.drain(..) {
            let nanoseconds = 100 * finished.values.len() as u64;
            let message = pass(Message::ToScheduler(ToScheduler::Finished { finished, nanoseconds }));
            let Message::ToScheduler(message) = message else { unreachable!() };
            scheduler.handle(rank, message);
        }
    }
    for layer in &graph.layers {
        scheduler.handle(DRIVER, ToScheduler::Release(vec![layer.tasks]));
    }
    scheduler.decide();
    assert_eq!(scheduler.record_count(), 0);
    (start.elapsed().as_secs_f64(), most)
}

fn main() {
    println!(
        "{:<14} {:>8} {:>10} {:>18} {:>12}",
        "graph", "workers", "ns a task", "ns a task, codec", "bytes a task"
    );
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for graph in [independent(), tree(), stencil()] {
        if !words.is_empty() && !words.iter().any(|word| word == graph.name) {
            continue;
        }
        for workers in [2, 24, 1000, 10_000] {
            let median = |codec| {
                let mut runs: Vec<(f64, usize)> =
                    (0..REPETITIONS).map(|_| run(&graph, workers, codec)).collect();
                runs.sort_by(|a, b| a.0.total_cmp(&b.0));
                runs[REPETITIONS / 2]
            };
            let ((plain, bytes), (coded, _)) = (median(false), median(true));
            let tasks = graph.tasks as f64;
            println!(
                "{:<14} {workers:>8} {:>10.1} {:>18.1} {:>12.1}   ({} edges)",
                graph.name,
                plain * 1e9 / tasks,
                coded * 1e9 / tasks,
                bytes as f64 / tasks,
                graph.edges
            );
        }
    }
}
