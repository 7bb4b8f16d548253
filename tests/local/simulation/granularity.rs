//! For which share of the time the threads compute, where tasks need values of others.

use super::functions;
use maniple::{
    Future,
    internals::simulation::{Options, Simulation},
};

/// How many columns the stencil has, and how many rows.
const WIDTH: usize = 8;
const STEPS: usize = 60;

/// A stencil on two workers with one thread each: messages travel for 2 us, and a rank mostly takes `wake_nanoseconds` at
/// most to look at what has arrived, now and then much longer.
fn efficiency(task_nanoseconds: u64, wake_nanoseconds: u64) -> f64 {
    let mut options = Options::of_seed(0);
    options.ranks.truncate(1);
    (options.ranks[0].threads, options.ranks[0].slowness, options.ranks[0].memory_bytes) = (1, 1, 1 << 30);
    options.ranks = vec![options.ranks[0].clone(); 4];
    options.exclusive_workers = true;
    options.small_bytes_max = 512;
    options.backlog = maniple::internals::scheduler::Backlog::default();
    options.piece_bytes_max = 1 << 30;
    options.is_steady = true;
    (options.task_nanoseconds, options.delay_nanoseconds) = (task_nanoseconds, 2_000);
    options.wake_nanoseconds = wake_nanoseconds;

    let mut simulation = Simulation::new(options, false);
    let client = simulation.client();
    let mut row: Vec<Future<u64>> = client.map(functions::number, 0..WIDTH as u64);
    for _ in 1..STEPS {
        let needs = |column: usize| {
            [column + WIDTH - 1, column, column + 1].map(|near| row[near % WIDTH].clone()).to_vec()
        };
        row = client.map(functions::sum_of, (0..WIDTH).map(needs));
    }
    while simulation.step() {}
    simulation.efficiency()
}

#[test]
fn short_tasks_of_a_stencil_keep_the_threads_busy() {
    // It is 0.95, 0.92 and 0.73, and 0.86, 0.73 and 0.54 where a task is given out only when what it needs exists.
    for (task_nanoseconds, least) in [(50_000, 0.9), (25_000, 0.85), (12_000, 0.65)] {
        let efficiency = efficiency(task_nanoseconds, 1_000);
        eprintln!("{task_nanoseconds} {efficiency:.2}");
        assert!(efficiency > least, "{efficiency:.2} with tasks of {task_nanoseconds} ns");
    }
}
