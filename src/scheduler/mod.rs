//! Decides which worker runs which task.
//!
//! The [`Scheduler`] is told what happened ([`ToScheduler`]) and answers with what is to be sent. It
//! does not know how messages travel, what time it is, or what a value looks like: only how large.
//!
//! It is told everything that has arrived ([`Scheduler::handle`]), then decides once
//! ([`Scheduler::decide`]), so that a batch of messages costs one decision and each peer gets one frame.
//!
//! - [`table`]: tasks, layers, chains; what a task costs.
//! - [`submit`]: what clients say. - [`finish`]: what workers say, and what follows from it.
//! - [`class`]: which layers which workers may run. - [`assign`]: who gets what, and the messages that
//!   tell them. - [`stop`]: what is too late to begin. - [`lineage`]: what is made again when a worker is lost.
//! - [`early`]: what is given to workers before all that it needs exists.
//! - [`ahead`]: what needs nothing does not run far ahead of what needs it.
//! - [`room`]: how many tasks of a client are open. - [`sessions`]: clients that come and go. - [`turns`]: which
//!   of them is next. - [`catalog`]: what is published, and who holds it.
//!
//! Architecture invariant: the same messages in the same order give the same answers. No clock, no
//! thread, no iteration over hashed tables.
//!
//! Architecture invariant: a value is freed only when no worker needs it or is fetching it. A worker
//! gives a task back only with all its inputs there, so a task that ended or came back fetches nothing.

mod ahead;
mod assign;
mod catalog;
mod class;
mod early;
mod explain;
mod finish;
mod lineage;
mod retire;
mod room;
mod sessions;
mod stop;
mod submit;
mod table;
#[cfg(test)]
mod tests;
mod turns;

use crate::{
    error::TaskError,
    ids::{TaskId, Tasks},
    message::{Message, ToClient, ToScheduler, ToWorker},
    pace::Pace,
    rank::Rank,
};
use ahead::{Ahead, AheadLimits};
use catalog::Catalog;
use class::{ClassIndex, Classes, Queues};
use early::Early;
use lineage::Lineage;
pub(crate) use lineage::Loss;
use room::Room;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};
use table::{
    Arena, Chains, Errors, LayerIndex, LayerRecord, LayerSlot, NONE, Pages, Slot, Task, WorkerIndex,
};

use turns::Turns;

/// The share of a worker's memory that may be full when it is given tasks that need nothing: more than what
/// its store moves to the disk at, so that such tasks go on while that can be done.
const ROOT_MEMORY_SHARE: f64 = 0.7;

/// What the scheduler knows of a worker from the start.
#[derive(Clone, Debug)]
pub struct WorkerSpec {
    /// Its rank.
    pub rank: Rank,
    /// Its host's name, for errors.
    pub host: String,
    /// How many tasks it runs at a time.
    pub threads: u32,
    /// How many bytes of values it may hold.
    pub memory_bytes: u64,
    /// What tasks can take of it while they run, by name.
    pub resources: Vec<(String, u32)>,
}

/// How far ahead workers are given tasks.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// The work that a thread should have before it, in nanoseconds of its tasks' own time: it must
    /// outlast the way to the scheduler and back on a loaded machine.
    pub nanoseconds: u64,
    /// The most tasks a thread has before it.
    pub tasks_max: u32,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { nanoseconds: 2_000_000, tasks_max: 4096 }
    }
}

/// At how many tasks that may be given out early one decision looks: workers hear of the first ones before the last ones
/// are looked at, and what is written stays in the caches.
const LOOKS_MAX: u32 = 4096;

/// Tasks of one layer, one after the other, that a worker is given.
#[derive(Debug)]
struct Assigned {
    layer: LayerSlot,
    /// The place of the first one in the layer.
    first: u32,
    count: u32,
    attempt: u16,
    /// Whether no other task joins them: they may be what a worker was lost by.
    is_alone: bool,
}

#[derive(Debug)]
struct Worker {
    spec: WorkerSpec,
    /// Tasks that it has been given and that have not ended.
    outstanding: u32,
    /// Tasks among them that wait for other tasks.
    blocked: i32,
    /// Tasks among them that other tasks submitted, which may wait for them.
    nested: u32,
    /// Tasks among them that wait for values which do not exist yet, as far as was heard.
    early: u32,
    /// Tasks among them that no other of them was given early for: how wide the work before it is.
    leaves: u32,
    /// Tasks that are to be given to it early, when there is room; some need not any more.
    early_queue: VecDeque<(Slot, TaskId)>,
    /// How many runs it was given for which other workers send values.
    orders: u64,
    /// To whom it is to send values.
    forwards: Vec<ToWorker>,
    /// How long its tasks take.
    pace: Pace,
    held_bytes: u64,
    /// How many of them are on its disk only.
    spilled_bytes: u64,
    /// Values of which it holds a copy that no task needs, kept for later ones as long as there is room.
    spare: BTreeSet<TaskId>,
    /// What is left of its resources.
    available: Vec<(String, u32)>,
    /// The classes that it may run.
    classes: Vec<ClassIndex>,
    /// Tasks that should run here because their inputs are here.
    queue: Queues,
    /// Tasks that may run nowhere else.
    pinned: VecDeque<Slot>,
    /// What it is given in this decision.
    runs: Vec<Assigned>,
    freed: Vec<Tasks>,
    cancelled: Vec<Tasks>,
    recalled: Vec<Tasks>,
    /// Whether it has been asked to give tasks back and has not answered.
    yielding: bool,
    /// Whether it gave nothing back, or has in its backlog what it or another gave back, since nobody else may
    /// run it. There is no point in asking before it has run something, was given more, or others have come to
    /// have threads to spare: how many times that had happened.
    asked_in_vain_at: Option<u64>,
    in_idle: bool,
    in_roomy: bool,
    in_blocked: bool,
    in_loaded: bool,
    in_early: bool,
    /// Whether its messages are to be written.
    is_touched: bool,
    is_lost: bool,
    is_retired: bool,
}

/// The scheduler's whole state. See the module.
#[derive(Debug)]
pub struct Scheduler {
    backlog: Backlog,
    /// At how many tasks a decision looks that may be given out early.
    looks_max: u32,
    workers: Vec<Worker>,
    /// From rank to worker, [`NONE`] for ranks that do not work.
    worker_of: Vec<WorkerIndex>,
    tasks: Arena<Task>,
    pages: Pages,
    layers: Arena<LayerRecord>,
    layer_index: LayerIndex,
    chains: Chains,
    errors: Errors,
    /// The tasks of each client that have not ended.
    room: Room,
    /// The error that tasks of a layer were given last since they need what failed: of what, which layer, and that.
    last_inherited: Option<(Arc<TaskError>, LayerSlot, Arc<TaskError>)>,
    /// How many values are held by workers.
    held_count: usize,
    classes: Classes,
    /// How many layers there have been.
    layers_ever: u64,
    /// How many tasks are withheld.
    withheld: u64,
    /// Tasks that need nothing, as far as they are not due.
    ahead: Ahead,
    ahead_limits: AheadLimits,
    /// What concerns tasks that are given out early.
    early: Early,
    /// How many tasks are ready and no nearer to one worker than to another.
    ready: u64,
    /// How many values tasks wait for, each counted for each of them.
    missing_count: u64,
    /// How many tasks are pinned to workers.
    pinned: usize,
    /// How much time is left for tasks to run in.
    time_left_nanoseconds: u64,
    /// Layers whose tasks are expected to run for some time, by it; those that are late are gone.
    timed: BTreeSet<(u64, LayerSlot)>,
    /// Workers with a thread to spare, workers with room in their backlog, workers with tasks of
    /// their own to give away. An entry may be out of date; the worker's flags say whether it has one.
    idle: Vec<WorkerIndex>,
    /// How many times a worker has come to have a thread to spare.
    idled_count: u64,
    roomy: Vec<WorkerIndex>,
    /// Workers with more tasks that wait than tasks that tasks submitted.
    blocked: VecDeque<WorkerIndex>,
    loaded: Vec<WorkerIndex>,
    /// Where the search for a worker that can give tasks back goes on.
    next_victim: usize,
    /// Values that the worker whose run is being written will fetch.
    fetched: Vec<Slot>,
    /// Workers whose messages are to be written.
    touched: Vec<WorkerIndex>,
    /// Records to look at: nobody may need them any more.
    unneeded: Vec<Slot>,
    /// What is kept to survive the loss of a worker, if the run can.
    lineage: Option<Box<Lineage>>,
    /// The sessions that are connected, and those that have ended some of whose tasks are known.
    sessions: BTreeSet<Rank>,
    ended_sessions: BTreeSet<Rank>,
    /// Whose turn it is.
    turns: Turns,
    /// What is published.
    catalog: Catalog,
    /// Tasks that may be what a worker was lost by: each waits for a thread of its own.
    suspects: VecDeque<Slot>,
    out: Vec<(Rank, Message)>,
}

impl Scheduler {
    /// A scheduler of these workers, in a world of `size` ranks.
    ///
    /// # Panics
    ///
    /// Panics if a worker's rank is not in the world.
    pub fn new(workers: Vec<WorkerSpec>, size: u32, backlog: Backlog) -> Self {
        let mut worker_of = vec![NONE; size as usize];
        for (index, spec) in workers.iter().enumerate() {
            worker_of[spec.rank.index()] = index as WorkerIndex;
        }
        let workers: Vec<Worker> = workers.into_iter().map(Worker::new).collect();
        let idle = (0..workers.len() as WorkerIndex).rev().collect();
        let ahead_limits = AheadLimits::default();
        let ahead = Ahead::of(&workers, ahead_limits);
        Self {
            backlog,
            looks_max: LOOKS_MAX,
            workers,
            worker_of,
            tasks: Arena::default(),
            pages: Pages::new(size),
            layers: Arena::default(),
            layer_index: LayerIndex::default(),
            chains: Chains::default(),
            errors: Errors::new(),
            room: Room::default(),
            last_inherited: None,
            held_count: 0,
            classes: Classes::default(),
            layers_ever: 0,
            withheld: 0,
            ahead,
            ahead_limits,
            early: Early::default(),
            ready: 0,
            missing_count: 0,
            pinned: 0,
            time_left_nanoseconds: u64::MAX,
            timed: BTreeSet::new(),
            idle,
            idled_count: 0,
            roomy: Vec::new(),
            blocked: VecDeque::new(),
            loaded: Vec::new(),
            next_victim: 0,
            fetched: Vec::new(),
            touched: Vec::new(),
            unneeded: Vec::new(),
            lineage: None,
            sessions: BTreeSet::new(),
            ended_sessions: BTreeSet::new(),
            turns: Turns::default(),
            catalog: Catalog::default(),
            suspects: VecDeque::new(),
            out: Vec::new(),
        }
    }

    /// Takes one message in. What follows from it is decided by [`decide`](Self::decide).
    pub fn handle(&mut self, source: Rank, message: ToScheduler) {
        if self.is_lost(source) {
            return;
        }
        match message {
            ToScheduler::Submit(layer) => self.submit(layer),
            ToScheduler::Give(given) => self.give_values(given),
            ToScheduler::Place { task, size, holders } => self.place_value(task, size, &holders),
            ToScheduler::Refuse { tasks, error } => self.refused(tasks, *error),
            ToScheduler::Release(tasks) => {
                tasks.into_iter().for_each(|tasks| self.release(source, tasks));
            }
            ToScheduler::Cancel(tasks) => tasks.into_iter().for_each(|tasks| self.cancel(tasks)),
            ToScheduler::Retire(workers) => self.retire(&workers),
            ToScheduler::Finished { finished, nanoseconds } => self.finished(source, finished, nanoseconds),
            ToScheduler::Stored { task, size, nanoseconds } => self.stored(source, task, size, nanoseconds),
            ToScheduler::Failed(error) => self.task_failed(source, *error),
            ToScheduler::Yielded(tasks) => self.yielded(source, tasks),
            ToScheduler::Missed { task, target, order } => self.missed(task, target, order),
            ToScheduler::Spilled { bytes } => self.spilled(source, bytes),
            ToScheduler::Blocked(delta) => self.blocked(source, delta),
            ToScheduler::Behind { nanoseconds } => self.behind(source, nanoseconds),
            ToScheduler::TimeLeft { nanoseconds } => self.time_left(nanoseconds),
            ToScheduler::Died { rank, how } => self.lose(rank, how),
            ToScheduler::AskRoom { open_max } => self.ask_room(source, open_max),
            ToScheduler::Lacks { lost, values, orphaned } => self.lacks(source, lost, &values, &orphaned),
            ToScheduler::Catalog { question, request } => self.ask_catalog(source, question, request),
            ToScheduler::Connected => self.begin_session(source),
            ToScheduler::Disconnected { session } => self.end_session(session),
            ToScheduler::Shutdown(outcome) => {
                for rank in 0..self.worker_of.len() {
                    self.out.push((Rank(rank as u32), Message::Stop(outcome.clone())));
                }
            }
        }
        self.settle();
        self.forget_sessions();
    }

    /// Looks at what has come to its end by what was heard or decided.
    fn settle(&mut self) {
        loop {
            self.take_due_ends();
            self.forget_unneeded();
            if !self.early.has_due_ends() {
                return;
            }
        }
    }

    /// Gives out work, and returns all that is to be sent, in order.
    pub fn decide(&mut self) -> Vec<(Rank, Message)> {
        if self.is_whole() {
            self.give_out_work();
        }
        self.write_to_workers();
        self.tell_room();
        self.forget_sessions();
        #[cfg(any(test, debug_assertions))]
        self.validate();
        let lineage = self.lineage.as_deref();
        if let Some(lineage) = lineage.filter(|lineage| lineage.has_lost_any()) {
            let is_heard = |(rank, message): &(Rank, Message)| {
                !lineage.has_lost(*rank) || *message == Message::Lost(*rank)
            };
            self.out.retain(is_heard);
        }
        std::mem::take(&mut self.out)
    }

    /// How many tasks have a record: nothing leaks if it is none once every future is dropped.
    pub fn record_count(&self) -> usize {
        self.tasks.len()
    }

    /// How much there is of what goes with the futures: all zero when every one was dropped.
    pub(crate) fn left_over(&self) -> [(&'static str, usize); 19] {
        let sum = |of: fn(&Worker) -> u64| self.workers.iter().map(of).sum::<u64>() as usize;
        let (waiting, assigned) = self.load();
        let (names, shared) = self.catalog.counts();
        [
            ("records", self.tasks.len()),
            ("layers", self.layers.len()),
            ("layers that are timed", self.timed.len()),
            ("classes of layers", self.classes.len()),
            ("cells in chains", self.chains.len()),
            ("errors", self.errors.len()),
            ("tasks in queues", waiting as usize),
            ("tasks on workers", assigned as usize),
            ("bytes held by workers", sum(|worker| worker.held_bytes)),
            ("tasks that run ahead", self.ahead.begun() as usize),
            ("open tasks", self.room.total() as usize),
            ("tasks that were given early", sum(|worker| u64::from(worker.early))),
            ("tasks to be given early", sum(|worker| worker.early_queue.len() as u64)),
            ("ends that overtook others", self.early.end_count()),
            ("values of failed tasks", self.early.leaving_count()),
            ("published names", names),
            ("shared values", shared),
            ("sessions of which something is known", self.ended_sessions.len()),
            ("blocked tasks", sum(|worker| u64::from(worker.blocked.unsigned_abs()))),
        ]
    }

    /// How many tasks wait for a worker, and how many have one.
    pub fn load(&self) -> (u64, u64) {
        let queued: usize = self.workers.iter().map(|worker| worker.queue.len() + worker.pinned.len()).sum();
        let outstanding = self.workers.iter().map(|worker| u64::from(worker.outstanding)).sum();
        let waiting = queued + self.suspects.len() + self.ahead.aside();
        (self.withheld + self.ready + waiting as u64, outstanding)
    }

    /// How many tasks could begin and have no worker.
    pub(crate) fn ready_count(&self) -> u64 {
        let queues = self.loaded.iter().map(|worker| self.workers[*worker as usize].queue.len() as u64);
        self.withheld + self.ready + self.pinned as u64 + queues.sum::<u64>()
    }

    /// Whether a task waits for a value that is not there yet.
    pub(crate) fn has_waiting_tasks(&self) -> bool {
        self.missing_count > 0
    }

    /// How many tasks each worker has that could begin or have begun.
    pub(crate) fn startable_tasks(&self) -> impl Iterator<Item = (Rank, u64)> {
        self.workers
            .iter()
            .map(|worker| (worker.spec.rank, u64::from(worker.outstanding.saturating_sub(worker.early))))
    }

    fn worker_at(&self, rank: Rank) -> Option<WorkerIndex> {
        self.worker_of.get(rank.index()).copied().filter(|worker| *worker != NONE)
    }

    fn touch(&mut self, worker: WorkerIndex) {
        let record = &mut self.workers[worker as usize];
        if !std::mem::replace(&mut record.is_touched, true) {
            self.touched.push(worker);
        }
    }

    fn tell_client(&mut self, owner: Rank, message: ToClient) {
        self.out.push((owner, Message::ToClient(message)));
    }

    /// Checks what must hold between two messages.
    ///
    /// # Panics
    ///
    /// Panics if it does not: that is a bug, and the run must not go on with wrong tables.
    #[cfg(any(test, debug_assertions))]
    fn validate(&self) {
        if self.tasks.len() > 4096 {
            // Too dear after each message; the stories and the simulation stay below.
            return;
        }
        let mut outstanding = vec![(0, 0); self.workers.len()];
        let mut cells = 0;
        for (slot, task) in self.tasks.iter() {
            assert_eq!(self.pages.get(task.id), Some(slot), "{:?} is found by its number", task.id);
            cells += self.chains.iter(task.dependents).count() + self.chains.iter(task.other_holders).count();
            match task.state {
                table::State::Assigned => {
                    let (all, nested) = &mut outstanding[task.worker as usize];
                    *all += 1;
                    *nested += u32::from(self.layers[task.layer].is_nested());
                }
                table::State::Failed => {
                    assert!(self.errors.contains_key(&slot), "{:?} has an error", task.id)
                }
                table::State::Waiting => {
                    assert!(task.missing > 0 || !self.is_whole(), "{:?} waits for something", task.id)
                }
                _ => {}
            }
            assert!(
                task.wanted
                    || task.needed_by > 0
                    || task.kept_by > 0
                    || task.queued
                    || task.missing > 0
                    || !task.is_ended(),
                "{:?} is kept for somebody",
                task.id
            );
        }
        assert_eq!(cells, self.chains.len(), "every cell is in a chain");
        if self.is_whole() && self.tasks.len() <= 512 {
            // It looks at all that needs each of them.
            self.validate_ahead();
        }
        self.validate_early();
        let missing: u64 = self.tasks.iter().map(|(_, task)| u64::from(task.missing)).sum();
        assert_eq!(self.missing_count, missing, "values that tasks wait for");
        let pinned: usize = self.workers.iter().map(|worker| worker.pinned.len()).sum();
        assert_eq!(self.pinned, pinned, "pinned tasks");
        for (index, worker) in self.workers.iter().enumerate() {
            assert_eq!(
                (worker.outstanding, worker.nested),
                outstanding[index],
                "tasks of {:?}",
                worker.spec.rank
            );
        }
    }
}

impl Worker {
    fn new(spec: WorkerSpec) -> Self {
        Self {
            available: spec.resources.clone(),
            spec,
            outstanding: 0,
            blocked: 0,
            nested: 0,
            early: 0,
            leaves: 0,
            early_queue: VecDeque::new(),
            orders: 0,
            forwards: Vec::new(),
            pace: Pace::default(),
            held_bytes: 0,
            spare: BTreeSet::new(),
            spilled_bytes: 0,
            classes: vec![class::ANYWHERE],
            queue: Queues::default(),
            pinned: VecDeque::new(),
            runs: Vec::new(),
            freed: Vec::new(),
            cancelled: Vec::new(),
            recalled: Vec::new(),
            yielding: false,
            asked_in_vain_at: None,
            in_idle: true,
            in_roomy: false,
            in_blocked: false,
            in_loaded: false,
            in_early: false,
            is_touched: false,
            is_lost: false,
            is_retired: false,
        }
    }

    /// Whether there may be something for it.
    fn takes_tasks(&self) -> bool {
        !self.is_retired || !self.pinned.is_empty()
    }

    /// How many of its tasks can run, or do.
    fn busy(&self) -> u32 {
        self.outstanding - self.early
    }

    /// How many tasks keep its threads busy.
    fn threads(&self) -> u32 {
        self.spec.threads.saturating_add_signed(self.blocked)
    }

    /// How many tasks that tasks submitted it may be given, however many others it has: what its blocked tasks wait
    /// for must not wait until these have ended.
    fn nested_room(&self) -> u32 {
        u32::try_from(self.blocked).unwrap_or(0).saturating_sub(self.nested)
    }

    /// How many tasks it may have at a time.
    fn window(&self, backlog: Backlog) -> u32 {
        let a_thread = match self.pace.nanoseconds() {
            None => 2,
            Some(nanoseconds) => {
                let tasks =
                    (backlog.nanoseconds / nanoseconds.max(1)).min(u64::from(backlog.tasks_max)) as u32;
                tasks.max(2)
            }
        };
        self.threads().saturating_mul(a_thread)
    }

    /// Whether it may be given tasks that need nothing.
    fn may_begin(&self) -> bool {
        let in_memory = self.held_bytes.saturating_sub(self.spilled_bytes);
        let full = in_memory as f64 > ROOT_MEMORY_SHARE * self.spec.memory_bytes as f64;
        // Tasks that wait within may wait for these very ones, so they are no reason to hold them back.
        !full || self.busy() == 0 || self.blocked > 0
    }

    /// Whether what is left of its resources is enough.
    fn has(&self, resources: &[(String, u32)]) -> bool {
        resources.iter().all(|(name, amount)| {
            self.available.iter().any(|(available, left)| available == name && left >= amount)
        })
    }

    fn take(&mut self, resources: &[(String, u32)]) {
        for (name, amount) in resources {
            if let Some((_, left)) = self.available.iter_mut().find(|(available, _)| available == name) {
                *left -= amount;
            }
        }
    }

    fn put_back(&mut self, resources: &[(String, u32)]) {
        for (name, amount) in resources {
            if let Some((_, left)) = self.available.iter_mut().find(|(available, _)| available == name) {
                *left += amount;
            }
        }
    }

    fn messages(&mut self) -> impl Iterator<Item = ToWorker> + use<> {
        let recall = some(&mut self.recalled, ToWorker::Recall);
        let cancel = some(&mut self.cancelled, ToWorker::Cancel);
        recall.into_iter().chain(cancel)
    }

    /// Whether what else it holds, or may come to hold, should have the room of copies that are spare.
    fn is_too_full_for_copies(&self) -> bool {
        self.held_bytes > self.spec.memory_bytes / 2
    }

    /// It has a value no more.
    fn let_go_of(&mut self, id: TaskId, bytes: u64) {
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        self.spare.remove(&id);
    }

    fn free_message(&mut self) -> Option<ToWorker> {
        some(&mut self.freed, ToWorker::Free)
    }
}

/// A message about these tasks, which are taken, if there are any.
fn some(tasks: &mut Vec<Tasks>, message: fn(Vec<Tasks>) -> ToWorker) -> Option<ToWorker> {
    (!tasks.is_empty()).then(|| message(std::mem::take(tasks)))
}
