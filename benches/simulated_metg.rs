//! METG at sizes that no machine here has: the real scheduler, with what it really costs, and workers and a network
//! that are simulated.
//!
//! `cargo bench --no-default-features --bench simulated_metg [-- workers..]`. The pattern is `stencil_1d` with values of 16
//! bytes and 4 tasks a worker and step. A message takes 2 us and a tenth of a nanosecond a byte; rank 0 takes in what has come, and what it says
//! leaves when the time has passed that its code takes on this machine, encoding included; workers take no time but that of their tasks.
//! With `Client::repeat` rank 0 does nothing, and a task costs what one costs on this machine with one thread.

use maniple::{
    Future, Rank, Result, Runtime,
    internals::{
        ids::{Code, TaskId, Tasks},
        message::{Column, Finished, Layer, Made, Message, Need, Run, ToScheduler, ToWorker, decode, encode},
        packed::Packed,
        scheduler::{Backlog, Scheduler, WorkerSpec},
    },
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    time::Instant,
};

const DRIVER: Rank = Rank(1);
const TASKS: u64 = 4;
const STEPS: u64 = 12;
const LATENCY: u64 = 2_000;
/// How long a worker holds back what rank 0 is to hear.
const HOLD: u64 = 100_000;
const VALUE: [u8; 16] = [7; 16];

/// Something that happens at a time, in nanoseconds.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A frame arrives.
    Frame { target: u32, source: u32, bytes: Vec<u8> },
    /// A worker's task ends.
    End { worker: u32, task: u64 },
    /// A worker has held back its reports for long enough.
    Report { worker: u32 },
    /// Rank 0 is free again.
    Free,
}

/// A worker with one thread.
#[derive(Default)]
struct Worker {
    /// How many values each task lacks.
    lacks: HashMap<u64, u32>,
    /// The tasks that wait for a value: one of this worker's own tasks, or one that is sent for a run.
    waiting: HashMap<(u64, u64), Vec<u64>>,
    /// Values that are here.
    here: HashSet<(u64, u64)>,
    /// To whom the values of tasks go, for which runs.
    forwards: HashMap<u64, Vec<(u32, u64)>>,
    ready: VecDeque<u64>,
    is_busy: bool,
    /// What has ended, and was not said.
    ended: Vec<u64>,
    holds: bool,
}

/// The order of values that a worker has made itself: no run's.
const OWN: u64 = 0;

struct Simulation {
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    count: u64,
    workers: Vec<Worker>,
    scheduler: Scheduler,
    inbox: Vec<(u32, Vec<u8>)>,
    is_scheduling: bool,
    /// How long rank 0 has worked.
    scheduled: u64,
    task_nanoseconds: u64,
    left: u64,
}

impl Simulation {
    fn new(workers: u32, task_nanoseconds: u64) -> Self {
        let spec = |index| WorkerSpec {
            rank: Rank(index + 2),
            host: String::new(),
            threads: 1,
            memory_bytes: 1 << 40,
            resources: vec![],
        };
        let backlog = Backlog::default();
        Self {
            now: 0,
            events: BinaryHeap::new(),
            count: 0,
            workers: (0..workers).map(|_| Worker::default()).collect(),
            scheduler: Scheduler::new((0..workers).map(spec).collect(), workers + 2, backlog),
            inbox: Vec::new(),
            is_scheduling: false,
            scheduled: 0,
            task_nanoseconds,
            left: u64::from(workers) * TASKS * STEPS,
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((time, self.count, event)));
    }

    fn send(&mut self, time: u64, source: u32, target: u32, bytes: Vec<u8>) {
        self.at(time + LATENCY + bytes.len() as u64 / 10, Event::Frame { target, source, bytes });
    }

    /// Runs the graph. Returns how long that took.
    fn run(&mut self) -> u64 {
        let width = self.workers.len() as u64 * TASKS;
        for step in 0..STEPS {
            let column = |offset: u64| {
                let before = (step.max(1) - 1) * width;
                let task = move |place: u64| TaskId::new(DRIVER, before + (place + offset) % width);
                Column::values((0..width).map(task).collect())
            };
            let columns = if step > 0 { vec![column(width - 1), column(0), column(1)] } else { vec![] };
            let tasks = Tasks { first: TaskId::new(DRIVER, step * width), count: width as u32 };
            let code = Code { module: 0, offset: 8 };
            let layer = Layer { tasks, code, columns, level: 0, depth: 0, options: None };
            self.inbox.push((DRIVER.0, frame(&Message::ToScheduler(ToScheduler::Submit(layer)))));
            if step > 1 {
                let tasks = Tasks { first: TaskId::new(DRIVER, (step - 2) * width), count: width as u32 };
                self.inbox.push((DRIVER.0, frame(&Message::ToScheduler(ToScheduler::Release(vec![tasks])))));
            }
        }
        self.schedule();
        while self.left > 0 {
            let Reverse((time, _, event)) = self.events.pop().expect("nothing hangs");
            self.now = time;
            match event {
                Event::Frame { target: 0, source, bytes } => {
                    self.inbox.push((source, bytes));
                    if !self.is_scheduling {
                        self.schedule();
                    }
                }
                Event::Frame { target, bytes, .. } => {
                    for message in decode(Rank(0), &bytes).expect("what was encoded") {
                        let Message::ToWorker(message) = message else { continue };
                        self.hear(target - 2, message);
                    }
                }
                Event::End { worker, task } => self.end(worker, task),
                Event::Report { worker } => self.report(worker),
                Event::Free => {
                    self.is_scheduling = false;
                    if !self.inbox.is_empty() || self.scheduler.has_more_to_decide() {
                        self.schedule();
                    }
                }
            }
        }
        self.now
    }

    /// Rank 0 takes in what has come, and is busy for as long as that really takes.
    fn schedule(&mut self) {
        let start = Instant::now();
        for (source, bytes) in std::mem::take(&mut self.inbox) {
            for message in decode(Rank(source), &bytes).expect("what was encoded") {
                if let Message::ToScheduler(message) = message {
                    self.scheduler.handle(Rank(source), message);
                }
            }
        }
        let mut frames: HashMap<u32, Vec<u8>> = HashMap::new();
        for (target, message) in self.scheduler.decide() {
            encode(&message, frames.entry(target.0).or_default());
        }
        let elapsed = start.elapsed().as_nanos() as u64;
        self.scheduled += elapsed;
        self.is_scheduling = true;
        let until = self.now + elapsed;
        self.at(until, Event::Free);
        for (target, bytes) in frames.into_iter().filter(|(target, _)| *target >= 2) {
            self.send(until, 0, target, bytes);
        }
    }

    fn hear(&mut self, worker: u32, message: ToWorker) {
        match message {
            ToWorker::Run(run) => self.take(worker, &run),
            ToWorker::Forward { task, target, order } => {
                let own = &mut self.workers[worker as usize];
                match own.here.contains(&(OWN, task.0)) {
                    true => self.forward(worker, task.0, target.0, order),
                    false => own.forwards.entry(task.0).or_default().push((target.0, order)),
                }
            }
            ToWorker::Made { order, made: Made::Small { task, .. } } => self.arrive(worker, (order, task.0)),
            ToWorker::Yield(_) => {
                let nothing = frame(&Message::ToScheduler(ToScheduler::Yielded(Vec::new())));
                self.send(self.now, worker + 2, 0, nothing);
            }
            ToWorker::Free(_) | ToWorker::Cancel(_) => {}
            other => unreachable!("nothing is asked back, and no value is large: {other:?}"),
        }
        self.begin(worker);
    }

    fn take(&mut self, worker: u32, run: &Run) {
        let own = &mut self.workers[worker as usize];
        for (index, task) in run.tasks.iter().enumerate() {
            let mut lacks = HashSet::new();
            for need in run.arguments.iter().flat_map(|argument| argument.taken_by(index)) {
                let value = match need {
                    Need::Own(task) => (OWN, task.0),
                    Need::Sent(task) => (run.order, task.0),
                    _ => continue,
                };
                if !own.here.contains(&value) {
                    lacks.insert(value);
                }
            }
            if lacks.is_empty() {
                own.ready.push_back(task.0);
                continue;
            }
            own.lacks.insert(task.0, lacks.len() as u32);
            lacks.into_iter().for_each(|value| own.waiting.entry(value).or_default().push(task.0));
        }
    }

    /// A value is here.
    fn arrive(&mut self, worker: u32, value: (u64, u64)) {
        let own = &mut self.workers[worker as usize];
        own.here.insert(value);
        for task in own.waiting.remove(&value).unwrap_or_default() {
            let lacks = own.lacks.get_mut(&task).expect("it waits");
            *lacks -= 1;
            if *lacks == 0 {
                own.lacks.remove(&task);
                own.ready.push_back(task);
            }
        }
    }

    fn begin(&mut self, worker: u32) {
        let own = &mut self.workers[worker as usize];
        if own.is_busy {
            return;
        }
        match own.ready.pop_front() {
            Some(task) => {
                own.is_busy = true;
                self.at(self.now + self.task_nanoseconds, Event::End { worker, task });
            }
            // With nothing to do it says at once what has ended.
            None => self.report(worker),
        }
    }

    fn end(&mut self, worker: u32, task: u64) {
        self.left -= 1;
        let own = &mut self.workers[worker as usize];
        own.is_busy = false;
        own.ended.push(task);
        if !std::mem::replace(&mut own.holds, true) {
            self.at(self.now + HOLD, Event::Report { worker });
        }
        let forwards = self.workers[worker as usize].forwards.remove(&task).unwrap_or_default();
        forwards.into_iter().for_each(|(target, order)| self.forward(worker, task, target, order));
        self.arrive(worker, (OWN, task));
        self.begin(worker);
    }

    fn forward(&mut self, worker: u32, task: u64, target: u32, order: u64) {
        let made = Made::Small { task: TaskId(task), value: VALUE.to_vec() };
        let bytes = frame(&Message::ToWorker(ToWorker::Made { order, made }));
        self.send(self.now, worker + 2, target, bytes);
    }

    fn report(&mut self, worker: u32) {
        let own = &mut self.workers[worker as usize];
        own.holds = false;
        let ended = std::mem::take(&mut own.ended);
        if ended.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        for task in ended {
            let values: Packed = [VALUE.as_slice()].into_iter().collect();
            let finished = Finished { first: TaskId(task), values };
            let nanoseconds = self.task_nanoseconds;
            encode(&Message::ToScheduler(ToScheduler::Finished { finished, nanoseconds }), &mut bytes);
        }
        self.send(self.now, worker + 2, 0, bytes);
    }
}

fn frame(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    bytes
}

/// How long the pattern takes with `Client::repeat`, where a task costs so much besides its own time.
fn repeated(workers: u64, task_nanoseconds: u64, cost: u64) -> u64 {
    // When each column of the step before was made, and when its worker was free. The outer columns go first, as
    // others wait for them.
    let width = workers * TASKS;
    let mut made = vec![0u64; width as usize];
    let mut free = vec![0u64; workers as usize];
    for _ in 0..STEPS {
        let before = made.clone();
        for worker in 0..workers {
            let mut columns: Vec<(u64, u64)> = (0..TASKS)
                .map(|place| {
                    let column = worker * TASKS + place;
                    let needs = [(column + width - 1) % width, column, (column + 1) % width];
                    let arrival = |need: u64| {
                        let is_far = need / TASKS != worker;
                        before[need as usize] + if is_far { LATENCY + 4 } else { 0 }
                    };
                    (needs.into_iter().map(arrival).max().unwrap_or(0), column)
                })
                .collect();
            columns.sort_unstable();
            for (ready, column) in columns {
                let end = free[worker as usize].max(ready) + task_nanoseconds + cost;
                (free[worker as usize], made[column as usize]) = (end, end);
            }
        }
    }
    made.into_iter().max().unwrap_or(0)
}

/// The time of a task, in nanoseconds, with which threads compute for half of the time.
fn granularity(total: impl Fn(u64) -> u64) -> f64 {
    let (mut low, mut high) = (100.0_f64, 1e9_f64);
    while high / low > 1.1 {
        let task = (low * high).sqrt();
        let ideal = task * (TASKS * STEPS) as f64;
        if ideal / total(task as u64) as f64 >= 0.5 { high = task } else { low = task }
    }
    high
}

/// What a task of a repetition costs besides its function, in nanoseconds: the median of 5.
fn cost_of_a_repeated_task() -> Result<u64> {
    const REPEATED: usize = 200_000;
    fn nothing(left: (u64, u64), own: (u64, u64), right: (u64, u64)) -> (u64, u64) {
        (left.0 ^ own.0 ^ right.0, own.1)
    }
    Runtime::builder().local_workers(1).threads(1).execute(|client| {
        let mut times = Vec::new();
        for _ in 0..5 {
            let row: Vec<Future<(u64, u64)>> = client.map(|i: u64| (i, i), 0..4);
            client.gather(&row)?;
            let start = Instant::now();
            let row = client.repeat(REPEATED / 4, row, |client, row| {
                let around = (0..4).map(|i| (&row[(i + 3) % 4], &row[i], &row[(i + 1) % 4]));
                Ok(client.map(nothing, around))
            })?;
            client.gather(&row)?;
            times.push(start.elapsed().as_nanos() as u64 / REPEATED as u64);
        }
        times.sort_unstable();
        Ok(times[2])
    })
}

fn main() -> Result<()> {
    let cost = cost_of_a_repeated_task()?;
    println!("a task of a repetition on one thread costs {cost} ns");
    println!(
        "{:>8} {:>18} {:>22} {:>20}",
        "workers", "METG(50 %), us", "rank 0 works, share", "with repeat, us"
    );
    let words: Vec<u32> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let counts = if words.is_empty() { vec![2, 10, 100, 1_000, 10_000] } else { words };
    for workers in counts {
        let metg = granularity(|task| Simulation::new(workers, task).run());
        let mut at_metg = Simulation::new(workers, metg as u64);
        let total = at_metg.run();
        let share = at_metg.scheduled as f64 / total as f64;
        let with = granularity(|task| repeated(u64::from(workers), task, cost));
        println!("{workers:>8} {:>18.1} {:>20.0} % {:>20.2}", metg / 1e3, share.min(1.0) * 100.0, with / 1e3);
    }
    Ok(())
}
