//! All ranks of a run in one thread, where a seed decides what happens when.
//!
//! Scheduler, workers, stores and clients are the real ones ([`Roles`]), on a [`Network`] whose order
//! is drawn from a seed. Tasks are really run, by what runs them on a worker's threads; only how long
//! they take is drawn, and when a rank looks at what has arrived. The same [`Options`] and the same
//! calls give the same events, so whatever goes wrong can be replayed.
//!
//! For `tests/local/simulation/`; no part of the public interface.

mod calls;
mod catalog;
mod concerned;
mod options;
mod room;
mod sessions;
mod shelf;

use super::{
    Engine,
    engine::SESSION_BODIES_MAX,
    roles::{Roles, Spiller, Surroundings},
};
use crate::{
    checksum,
    client::{
        Client,
        table::{Request, Table},
    },
    cluster::{Cluster, RankRecord},
    comm::{
        Transport,
        simulated::{Network, NetworkOptions, Random, Sent, lock},
    },
    current::{self, Context, Scratch, Watch},
    error::{Reason, TaskError},
    ids::{TaskId, Tasks},
    message::{self, Message, Outcome, Run, ToScheduler, ToStore, ToWorker},
    rank::{Rank, Role, driver_of},
    scheduler::{Scheduler, WorkerSpec},
    store::{Fullness, Thresholds},
    value::Value,
    worker::{
        Execute,
        call::run_until,
        execute::Ended,
        queue::{Batch, Queue},
    },
};
pub use calls::{poll, prefetch, submit_parts, task_of};
pub use catalog::{Question, find, publish, unpublish};
use concerned::concerned;
pub use options::{Options, RankOptions};
use rustc_hash::FxHasher;
pub use shelf::DiskOptions;
use shelf::Shelf;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, OnceLock, Weak},
    time::Duration,
};

/// How many workers may be lost that had a task.
const ALLOWED_FAILURES: u32 = 3;

/// Runs a worker's tasks on threads that do not exist.
struct Machine {
    queue: RefCell<Queue>,
    ended: RefCell<Vec<Ended>>,
    threads: u32,
    /// How many threads run a piece that does not wait.
    busy: u32,
    /// Pieces that wait for tasks of their own.
    waiting: Vec<Piece>,
    marks: Arc<Marks>,
}

/// Which tasks of a rank should end: those that were cancelled, and attempts whose time is over.
#[derive(Default)]
struct Marks {
    cancelled: Mutex<Vec<Tasks>>,
    overdue: Mutex<BTreeSet<(TaskId, u32)>>,
}

impl Watch for Marks {
    fn is_cancelled(&self, task: TaskId, attempt: u32) -> bool {
        crate::lock::lock(&self.cancelled).iter().any(|tasks| tasks.contains(task))
            || crate::lock::lock(&self.overdue).contains(&(task, attempt))
    }
}

impl Execute for Machine {
    fn begin(&self, run: Run, value: &dyn Fn(TaskId) -> Option<Value>) {
        self.queue.borrow_mut().push(run, value);
    }

    fn take_back(&self, count: u32) -> Vec<Tasks> {
        self.queue.borrow_mut().take_back(count)
    }

    fn take_back_these(&self, tasks: &[Tasks]) -> Vec<Tasks> {
        self.queue.borrow_mut().take_back_these(tasks)
    }

    fn cancel(&self, tasks: &[Tasks]) {
        crate::lock::lock(&self.marks.cancelled).extend_from_slice(tasks);
    }

    fn running(&self) -> Vec<message::Running> {
        Vec::new()
    }

    fn queued(&self) -> Vec<Tasks> {
        Vec::new()
    }

    fn take_ended(&self) -> Vec<Ended> {
        self.ended.take()
    }

    fn wanted_bytes(&self) -> u64 {
        0
    }

    fn note_fullness(&self, _: Fullness) {}
}

/// Looks whether what a task waits for has come.
type Wait = Box<dyn FnMut() -> bool>;

thread_local! {
    /// What the tasks of the piece that runs wait for.
    static WAITS: RefCell<Vec<Wait>> = const { RefCell::new(Vec::new()) };
}

/// Tasks that a simulated thread runs together.
struct Piece {
    tasks: Tasks,
    attempt: u32,
    /// How they will have ended.
    ended: Vec<Ended>,
    waits: Vec<Wait>,
}

/// One rank.
struct Node {
    rank: Rank,
    roles: Roles,
    table: Arc<Table>,
    client: Client,
    context: Context,
    machine: Option<Machine>,
    /// Its disk, if it works.
    shelf: Option<Shelf>,
    outcome: OnceLock<Outcome>,
    /// Whether it will look at what has arrived.
    is_called: bool,
    /// Whether it does nothing any more.
    is_dead: bool,
}

impl Node {
    fn has_something_to_do(&self) -> bool {
        let ended = |machine: &Machine| !machine.ended.borrow().is_empty();
        self.table.has_requests()
            || self.roles.has_more_to_decide()
            || self.machine.as_ref().is_some_and(ended)
            || self.shelf.as_ref().is_some_and(Shelf::has_done)
    }
}

/// Something that happens at a rank.
enum Event {
    /// It looks at what has arrived.
    Look(Rank),
    /// A thread comes to the end of a piece, or to a place where it waits.
    End(Rank, Piece),
    /// Its disk comes to the end of what it does.
    Disk(Rank),
    /// The time of an attempt of a task, which is called so, is over.
    Overdue(Rank, TaskId, u32, String),
    /// It is seen to be dead.
    Died(Rank),
}

/// How far a task has come, as those who run it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Runs,
    Failed,
    Succeeded,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it has to do with.
    tasks: Vec<Tasks>,
    words: String,
}

impl Line {
    /// Whether it has to do with this task.
    pub fn concerns(&self, task: TaskId) -> bool {
        self.tasks.iter().any(|tasks| tasks.contains(task))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// A run. See the module.
pub struct Simulation {
    options: Options,
    cluster: Arc<Cluster>,
    network: Arc<Mutex<Network>>,
    nodes: Vec<Node>,
    events: BTreeMap<(u64, u64), Event>,
    next_number: u64,
    now: u64,
    /// For how long the threads of all ranks have run tasks, in nanoseconds.
    computed: u64,
    random: Random,
    /// Each task's attempts and how the last one stands.
    runs: BTreeMap<TaskId, (u32, Step)>,
    /// How often a rank asked for a value of another's task.
    fetches: BTreeMap<(Rank, TaskId), u32>,
    message_count: u64,
    body_count: u64,
    hasher: FxHasher,
    /// How many ranks were lost.
    loss_count: usize,
    /// What happened, if somebody wants to know.
    lines: Option<Vec<Line>>,
}

impl Simulation {
    /// A run in which nothing has happened. With `traced`, it remembers all that will.
    pub fn new(options: Options, traced: bool) -> Self {
        current::catch_panics();
        let size = options.ranks.len() as u32;
        let (network, ends) = Network::new(NetworkOptions {
            size,
            seed: options.seed ^ 0x5eed,
            delay_nanoseconds: options.delay_nanoseconds,
            is_steady: options.is_steady,
            piece_bytes_max: options.piece_bytes_max,
        });
        let cluster = Arc::new(cluster(&options));
        let node = |end| node(Box::new(end), &cluster, &options);
        Self {
            nodes: ends.into_iter().map(node).collect(),
            cluster: Arc::clone(&cluster),
            network,
            events: BTreeMap::new(),
            next_number: 0,
            now: 0,
            computed: 0,
            random: Random::new(options.seed ^ 0xc10c),
            runs: BTreeMap::new(),
            fetches: BTreeMap::new(),
            message_count: 0,
            body_count: 0,
            hasher: FxHasher::default(),
            loss_count: 0,
            lines: traced.then(Vec::new),
            options,
        }
    }

    /// The driver's client. Its calls that wait return [`Error::Ended`](crate::Error::Ended) here.
    pub fn client(&self) -> Client {
        self.nodes[self.driver().index()].client.clone()
    }

    fn driver(&self) -> Rank {
        driver_of(self.options.ranks.len() as u32)
    }

    /// Lets the next thing happen. Returns whether there was one.
    ///
    /// # Panics
    ///
    /// Panics if one of the roles does, or does what it must not.
    pub fn step(&mut self) -> bool {
        self.call_ranks();
        let arrival = lock(&self.network).next_arrival();
        let event = self.events.first_key_value().map(|((time, _), _)| *time);
        match (arrival, event) {
            (None, None) => return false,
            (Some(arrival), event) if event.is_none_or(|event| arrival <= event) => {
                self.now = arrival;
                lock(&self.network).advance(arrival);
            }
            _ => {
                let ((time, _), event) = self.events.pop_first().expect("one is there");
                self.now = time;
                lock(&self.network).pass_to(time);
                match event {
                    Event::Died(rank) => self.say_died(rank),
                    Event::Look(rank)
                    | Event::End(rank, _)
                    | Event::Disk(rank)
                    | Event::Overdue(rank, ..)
                        if self.nodes[rank.index()].is_dead => {}
                    Event::Look(rank) => self.look(rank),
                    Event::End(rank, piece) => self.end(rank, piece),
                    Event::Disk(rank) => self.end_on_disk(rank),
                    Event::Overdue(rank, task, attempt, name) => {
                        self.end_overdue(rank, task, attempt, name);
                    }
                }
            }
        }
        true
    }

    /// Everything that happened, if it was to be remembered.
    pub fn lines(&self) -> &[Line] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// A number that two runs share only if the same happened in them.
    pub fn trace_hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// How many bytes of values are on the disks of workers only.
    pub fn spilled_bytes(&self) -> u64 {
        self.nodes.iter().map(|node| node.roles.spilled_bytes()).sum()
    }

    /// Which share of the time so far the threads of all workers have run tasks.
    pub fn efficiency(&self) -> f64 {
        let threads =
            self.nodes.iter().filter_map(|node| node.machine.as_ref()).map(|machine| machine.threads);
        self.computed as f64 / (self.now as f64 * f64::from(threads.sum::<u32>()))
    }

    /// How many messages and bodies were sent.
    pub fn traffic(&self) -> (u64, u64) {
        (self.message_count, self.body_count)
    }

    /// Takes a worker's rank for lost after a while. It is dead from now on; or, if it is `silent` only, when it
    /// hears of that.
    pub fn lose(&mut self, rank: Rank, silent: bool) {
        self.loss_count += 1;
        self.note(Vec::new(), || format!("{rank:?} {}", if silent { "is silent" } else { "dies" }));
        self.nodes[rank.index()].is_dead = !silent;
        let delay = self.random.delay(self.options.delay_nanoseconds);
        self.insert(delay, Event::Died(rank));
    }

    fn say_died(&mut self, rank: Rank) {
        let message = Message::ToScheduler(ToScheduler::Died { rank, how: "was ended".into() });
        self.nodes[Rank::SCHEDULER.index()].table.request(Request::Say(Rank::SCHEDULER, message));
    }

    /// What is left on each rank, in words: nothing if all is gone.
    pub fn left_over(&self) -> Vec<String> {
        let mut left = Vec::new();
        for node in self.nodes.iter().filter(|node| !node.is_dead) {
            let machine = node.machine.as_ref();
            let counts = node.roles.left_over().into_iter().chain(node.table.left_over()).chain([
                ("threads that run tasks", machine.map_or(0, |machine| machine.busy as usize)),
                ("tasks that wait within", machine.map_or(0, |machine| machine.waiting.len())),
            ]);
            let counts = counts.filter(|(_, count)| *count > 0);
            left.extend(counts.map(|(what, count)| format!("{:?}: {count} {what}", node.rank)));
        }
        let posted = lock(&self.network).posted_count();
        // What was posted for a rank that is lost stays.
        if posted > 0 && self.loss_count == 0 {
            left.push(format!("{posted} rooms posted"));
        }
        left
    }

    /// Says how much time is left for tasks to run in.
    pub fn say_time_left(&self, nanoseconds: u64) {
        let message = Message::ToScheduler(ToScheduler::TimeLeft { nanoseconds });
        self.client().table().request(Request::Say(Rank::SCHEDULER, message));
    }

    /// Says that the driver is done.
    pub fn shut_down(&self) {
        let message = Message::ToScheduler(ToScheduler::Shutdown(Outcome::Value(Vec::new())));
        self.client().table().request(Request::Say(Rank::SCHEDULER, message));
    }

    /// Whether every rank has heard that the driver is done.
    pub fn is_over(&self) -> bool {
        self.nodes.iter().all(|node| node.is_dead || node.outcome.get().is_some())
    }

    fn insert(&mut self, delay: u64, event: Event) {
        self.events.insert((self.now + delay, self.next_number), event);
        self.next_number += 1;
    }

    /// Sees to it that ranks that have something to do come to do it.
    fn call_ranks(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            let rank = node.rank;
            if node.is_dead {
                continue;
            }
            if !node.is_called && (node.has_something_to_do() || lock(&self.network).has_arrivals(rank)) {
                node.is_called = true;
                let delay = self.random.delay(self.options.wake_nanoseconds);
                self.insert(delay, Event::Look(rank));
            }
        }
    }

    /// A rank looks at what has arrived, and acts on it.
    fn look(&mut self, rank: Rank) {
        let most = if self.random.chance(1, 2) { u32::MAX } else { 1 + self.random.below(3) as u32 };
        lock(&self.network).allow(rank, most);
        let node = &mut self.nodes[rank.index()];
        node.is_called = false;
        let executor = node.machine.as_ref().map(|machine| machine as &dyn Execute);
        let around = Surroundings {
            table: &node.table,
            executor,
            spiller: node.shelf.as_ref().map(|shelf| shelf as &dyn Spiller),
            outcome: &node.outcome,
            recorder: None,
            tally: None,
        };
        node.roles.progress(around).expect("nothing is wrong with what was sent");
        node.is_dead = node.roles.lost().contains(&rank);
        let sent = lock(&self.network).take_sent();
        sent.into_iter().for_each(|sent| self.note_sent(sent));
        self.go_on_after_waits(rank);
        self.begin_pieces(rank);
        self.begin_on_disk(rank);
    }

    /// A disk without work takes some.
    fn begin_on_disk(&mut self, rank: Rank) {
        let delay = self.nodes[rank.index()].shelf.as_mut().and_then(Shelf::begin);
        if let Some(delay) = delay {
            self.insert(delay, Event::Disk(rank));
        }
    }

    fn end_on_disk(&mut self, rank: Rank) {
        if let Some(shelf) = &mut self.nodes[rank.index()].shelf {
            shelf.end();
        }
        self.begin_on_disk(rank);
    }

    /// Threads without work take some.
    fn begin_pieces(&mut self, rank: Rank) {
        loop {
            let Some(machine) = &mut self.nodes[rank.index()].machine else { return };
            if machine.busy >= machine.threads {
                if machine.queue.get_mut().len() > 0 && self.random.chance(1, 16) {
                    machine.ended.get_mut().push(Ended::Behind(self.options.task_nanoseconds));
                }
                return;
            }
            // As much as a real thread takes, or less.
            let share = (machine.queue.get_mut().len() / (2 * machine.threads)).max(1);
            let most = 1 + self.random.below(share.into()) as u32;
            let Some(piece) = machine.queue.get_mut().next_piece(most) else { return };
            machine.busy += 1;
            self.begin(rank, piece);
        }
    }

    /// Runs a piece up to the first task that waits; it will end later.
    fn begin(&mut self, rank: Rank, mut batch: Batch) {
        let first = batch.tasks().first;
        let node = &mut self.nodes[rank.index()];
        assert!(!node.table.is_stopping(), "task {first:?}: {rank:?} begins it though it is too late");
        let slowness = self.options.ranks[rank.index()].slowness;
        let each = self.random.time(self.options.task_nanoseconds, self.options.is_steady);
        let each = Duration::from_nanos(each * slowness);
        let (context, attempt, limit) = (node.context.clone(), batch.attempt(), batch.timeout_nanoseconds());
        let name = batch.name();
        let stop = || WAITS.with_borrow(|waits| !waits.is_empty());
        let ended = run_until(&mut batch, self.options.small_bytes_max, context, each, stop);
        let (rest, waits) = (batch.tasks(), WAITS.take());
        let tasks = Tasks { first, count: (rest.first.0 - first.0) as u32 };
        for task in tasks.iter() {
            let (attempts, step) = self.runs.entry(task).or_insert((0, Step::Failed));
            let is_again = self.loss_count > 0;
            assert!(is_again || *step == Step::Failed, "task {task:?}: runs again on {rank:?}");
            assert!(is_again || *attempts == attempt, "task {task:?}: its attempts are counted");
            // A rank that is lost, and does not know it, may begin an earlier one still.
            if attempt >= *attempts {
                (*attempts, *step) = (attempt + 1, Step::Runs);
            }
        }
        if rest.count > 0 {
            node.machine.as_mut().expect("who runs tasks is a worker").queue.get_mut().put_back(batch);
        }
        self.note(vec![tasks], || format!("{rank:?} begins {tasks:?}"));
        let elapsed = each.as_nanos() as u64 * u64::from(tasks.count);
        if limit > 0 {
            assert_eq!(tasks.count, 1, "task {first:?}: its time is limited, so it goes alone");
            self.insert(limit, Event::Overdue(rank, first, attempt, name));
        }
        self.computed += elapsed;
        self.insert(elapsed, Event::End(rank, Piece { tasks, attempt, ended, waits }));
    }

    /// An attempt of a task has failed if it still runs. It goes on, and nobody will hear of its end.
    fn end_overdue(&mut self, rank: Rank, task: TaskId, attempt: u32, name: String) {
        if self.runs.get(&task) != Some(&(attempt + 1, Step::Runs)) {
            return;
        }
        self.runs.insert(task, (attempt + 1, Step::Failed));
        self.note(vec![Tasks::one(task)], || format!("{rank:?} says that the time of {task:?} is over"));
        let node = &mut self.nodes[rank.index()];
        let machine = node.machine.as_mut().expect("who runs tasks is a worker");
        crate::lock::lock(&machine.marks.overdue).insert((task, attempt));
        let error = TaskError {
            reason: Reason::Timeout,
            function: name,
            task: task.0,
            rank: Some(rank),
            host: String::new(),
            message: TaskError::message(""),
            attempts: attempt + 1,
            dependents: Vec::new(),
        };
        machine.ended.get_mut().extend([Ended::RunsOn(1), Ended::Failed(Box::new(error))]);
    }

    /// A piece ends, or comes to where its tasks wait for others.
    fn end(&mut self, rank: Rank, mut piece: Piece) {
        self.note(vec![piece.tasks], || format!("{rank:?} ends {:?}", piece.tasks));
        let node = &mut self.nodes[rank.index()];
        let machine = node.machine.as_mut().expect("who runs tasks is a worker");
        machine.busy -= 1;
        let ran_on = crate::lock::lock(&machine.marks.overdue).contains(&(piece.tasks.first, piece.attempt));
        if piece.waits.is_empty() && ran_on {
            machine.ended.get_mut().push(Ended::RunsOn(-1));
        } else if piece.waits.is_empty() {
            let mut end = |task, end| {
                let is_last = |(attempts, _): &&mut (u32, Step)| *attempts == piece.attempt + 1;
                self.runs.get_mut(&task).filter(is_last).into_iter().for_each(|(_, step)| *step = end);
            };
            piece.tasks.iter().for_each(|task| end(task, Step::Succeeded));
            for ended in &piece.ended {
                if let Ended::Failed(error) = ended {
                    end(TaskId(error.task), Step::Failed);
                }
            }
            machine.ended.get_mut().append(&mut piece.ended);
        } else {
            machine.waiting.push(piece);
            say_blocked(&node.table, 1);
        }
        self.begin_pieces(rank);
    }

    /// Pieces that waited, and need not any more, go on.
    fn go_on_after_waits(&mut self, rank: Rank) {
        let node = &mut self.nodes[rank.index()];
        let Some(machine) = &mut node.machine else { return };
        let waiting = std::mem::take(&mut machine.waiting);
        for mut piece in waiting {
            piece.waits.retain_mut(|wait| !wait());
            let node = &mut self.nodes[rank.index()];
            let machine = node.machine.as_mut().expect("looked at above");
            if !piece.waits.is_empty() {
                machine.waiting.push(piece);
                continue;
            }
            machine.busy += 1;
            say_blocked(&node.table, -1);
            let delay = self.random.time(self.options.task_nanoseconds, self.options.is_steady);
            self.insert(delay, Event::End(rank, piece));
        }
    }

    fn note(&mut self, tasks: Vec<Tasks>, words: impl FnOnce() -> String) {
        for tasks in &tasks {
            (self.now, tasks.first, tasks.count).hash(&mut self.hasher);
        }
        if let Some(lines) = &mut self.lines {
            let words = format!("{:>12} {}", self.now, words());
            lines.push(Line { tasks, words });
        }
    }

    fn note_sent(&mut self, sent: Sent) {
        let Sent { source, target, control, bytes } = sent;
        (self.now, source, target, bytes).hash(&mut self.hasher);
        let Some(mut control) = control else {
            self.body_count += 1;
            return self.note(Vec::new(), || format!("{source} -> {target}: a body of {bytes} bytes"));
        };
        control.hash(&mut self.hasher);
        if self.options.survives {
            assert!(checksum::open(&mut control, None), "what was sealed can be opened");
        }
        for message in message::decode(source, &control).expect("what was encoded can be decoded") {
            self.message_count += 1;
            if let Message::ToStore(ToStore::Fetch { task, part, .. }) = &message {
                self.count_fetch(source, part.as_ref().map_or(*task, |part| part.name));
            }
            if let Message::ToWorker(ToWorker::Free(tasks)) = &message {
                for task in tasks.iter().copied().flat_map(Tasks::iter) {
                    self.fetches.remove(&(target, task));
                }
            }
            self.note(concerned(&message), || format!("{source} -> {target}: {message:?}"));
        }
    }

    /// A worker fetches a value once, until it is told to free it. Who owns the future of it may read it again and again.
    fn count_fetch(&mut self, rank: Rank, task: TaskId) {
        let count = self.fetches.entry((rank, task)).or_default();
        *count += 1;
        // What rank 0 tells itself to free is not seen here; and what was lost comes again.
        let is_worker = self.nodes[rank.index()].machine.is_some();
        let may_again = task.owner() == rank || rank == Rank::SCHEDULER || !is_worker || self.loss_count > 0;
        assert!(*count == 1 || may_again, "task {task:?}: its value moves to {rank:?} again");
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ns, {:?}", self.now, self.options)?;
        self.left_over().into_iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn say_blocked(table: &Table, delta: i32) {
    table.request(Request::Say(Rank::SCHEDULER, Message::ToScheduler(ToScheduler::Blocked(delta))));
}

fn cluster(options: &Options) -> Cluster {
    let size = options.ranks.len() as u32;
    let record = |(index, rank): (usize, &RankOptions)| {
        let role = Role::of(Rank(index as u32), size, options.exclusive_workers);
        let resources = if rank.gpus > 0 { vec![("GPU".to_string(), rank.gpus)] } else { Vec::new() };
        RankRecord {
            rank: Rank(index as u32),
            role,
            host: format!("host{index}"),
            pid: 0,
            threads: if role.worker { rank.threads } else { 0 },
            memory_bytes: if role.worker { rank.memory_bytes } else { 0 },
            resources: if role.worker { resources } else { Vec::new() },
            device: None,
            cores: Vec::new(),
            transport: "simulated".into(),
        }
    };
    Cluster::new(options.ranks.iter().enumerate().map(record).collect())
}

fn node(end: Box<dyn Transport>, cluster: &Arc<Cluster>, options: &Options) -> Node {
    let rank = end.rank();
    let record = cluster.ranks().get(rank.index());
    let is_worker = record.is_some_and(|record| record.role.worker);
    let scheduler = record.is_some_and(|record| record.role.scheduler).then(|| {
        let workers = cluster.workers().map(WorkerSpec::from);
        let scheduler =
            Scheduler::new(workers.collect(), end.size(), options.backlog).look_at_most(options.looks_max);
        let scheduler = match options.sources_ahead_max {
            Some(per_thread) => scheduler.run_ahead_at_most(per_thread),
            None => scheduler,
        };
        if options.survives { scheduler.survive(ALLOWED_FAILURES) } else { scheduler }
    });
    let table = Table::new(rank, end.bells(), options.survives);
    let client = Client::new(
        Weak::<Engine>::new(),
        Arc::clone(&table),
        Arc::clone(cluster),
        options.small_bytes_max,
        None,
    );
    let scratch = Arc::new(Scratch::new(std::env::temp_dir(), rank, format!("host{rank}")));
    let worker = cluster.workers().position(|worker| worker.rank == rank).unwrap_or(0);
    let machine = Machine {
        queue: RefCell::default(),
        ended: RefCell::default(),
        threads: record.map_or(0, |record| record.threads),
        busy: 0,
        waiting: Vec::new(),
        marks: Arc::default(),
    };
    let mut roles = Roles::new(end, scheduler, options.survives);
    if is_worker {
        let memory_bytes = options.ranks[rank.index()].memory_bytes;
        roles.limit_memory(memory_bytes, Thresholds::default(), Arc::default());
    }
    if record.is_none() {
        roles.limit_coming(SESSION_BODIES_MAX);
    }
    Node {
        rank,
        roles,
        shelf: is_worker.then(|| Shelf::new(options.seed ^ u64::from(rank.0), options.disk)),
        table,
        context: Context::new(client.clone(), machine.marks.clone(), rank, worker as u32, scratch, None),
        client,
        machine: is_worker.then_some(machine),
        outcome: OnceLock::new(),
        is_called: false,
        is_dead: false,
    }
}

/// Has the task that calls this go on until `wait` says that what it waits for has come; meanwhile its
/// thread runs others.
pub fn wait_in_task(wait: impl FnMut() -> bool + 'static) {
    WAITS.with_borrow_mut(|waits| waits.push(Box::new(wait)));
}
