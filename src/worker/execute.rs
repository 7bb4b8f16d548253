//! Runs tasks on a worker's threads.
//!
//! The threads are a `rayon` pool: `par_iter` inside a task uses the worker's threads and no more. A
//! thread takes a piece of what is queued at a time, small when little is queued, and hands results
//! over when the piece is done or [`HAND_OVER_AFTER`] has passed, when the rest goes back: many short
//! tasks cost one hand-over, and no result and no task waits long for others of its piece.
//!
//! A panic in a task is caught here and becomes its error.

use super::for_each_held;
use crate::{
    current::{self, Context},
    error::{Reason, TaskError},
    message::{Argument, Finished, Need, Packed, Run, TaskId, Tasks},
    runtime::Execute,
    task::{Code, Input, Inputs, Output},
    value::Value,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// The longest that a result waits for the other results of its piece.
const HAND_OVER_AFTER: Duration = Duration::from_micros(100);
/// The most tasks that a thread takes at a time.
const PIECE_MAX: u32 = 512;

/// The least stack that a task begins with on top of one that waits; and how much is added if it is less.
const STACK_BYTES_MIN: usize = 512 << 10;
const STACK_BYTES_MORE: usize = 8 << 20;

/// How a task ended.
#[derive(Debug)]
pub enum Ended {
    /// With small values, one task after the other.
    Finished {
        /// Which, and their values.
        finished: Finished,
        /// How long the functions ran.
        nanoseconds: u64,
    },
    /// With a large value.
    Stored {
        /// Which.
        task: TaskId,
        /// The value.
        value: Value,
        /// How long the function ran.
        nanoseconds: u64,
    },
    /// Not.
    Failed(Box<TaskError>),
}

/// Told when something has ended, and asked what a task's surroundings are.
pub trait Host: Send + Sync {
    /// Something waits in `take_ended`.
    fn ended(&self);
    /// A thread begins to run tasks, or (`false`) has run them.
    fn works(&self, works: bool);
    /// Called when the last thread has nothing left to do: may look for work a little longer, and
    /// returns whether there is some.
    fn linger(&self) -> bool;
    /// What [`current`](crate::current()) tells a task.
    fn context(&self) -> Context;
}

/// Tasks that may begin, with the values they need.
pub(crate) struct Batch {
    run: Arc<Run>,
    values: Arc<FxHashMap<TaskId, Value>>,
    next: u32,
    end: u32,
}

impl Batch {
    fn len(&self) -> u32 {
        self.end - self.next
    }

    pub(crate) fn tasks(&self) -> Tasks {
        Tasks { first: self.run.tasks.first.plus(self.next), count: self.len() }
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.run.attempt
    }
}

/// Tasks that may begin, in the order they came.
#[derive(Default)]
pub(crate) struct Queue(VecDeque<Batch>);

impl Queue {
    /// Adds tasks whose values `value` finds.
    pub(crate) fn push(&mut self, run: Run, value: &dyn Fn(TaskId) -> Option<Value>) {
        let mut values = FxHashMap::default();
        for_each_held(&run, |held| {
            let missing = || Value::broken("an input is missing on this worker".into());
            values.entry(held.task).or_insert_with(|| value(held.task).unwrap_or_else(missing));
        });
        let end = run.tasks.count;
        self.0.push_back(Batch { run: Arc::new(run), values: Arc::new(values), next: 0, end });
    }

    /// How many tasks there are.
    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(Batch::len).sum()
    }

    /// Takes up to `most` tasks of one run off the front.
    pub(crate) fn next_piece(&mut self, most: u32) -> Option<Batch> {
        let batch = self.0.front_mut()?;
        let count = batch.len().min(most);
        let (run, values) = (Arc::clone(&batch.run), Arc::clone(&batch.values));
        let piece = Batch { run, values, next: batch.next, end: batch.next + count };
        batch.next += count;
        if batch.len() == 0 {
            self.0.pop_front();
        }
        Some(piece)
    }

    /// Takes up to `count` tasks off the back.
    pub(crate) fn take_back(&mut self, mut count: u32) -> Vec<Tasks> {
        let mut back = Vec::new();
        while count > 0 {
            let Some(batch) = self.0.back_mut() else { break };
            let taken = batch.len().min(count);
            batch.end -= taken;
            back.push(Tasks { first: batch.run.tasks.first.plus(batch.end), count: taken });
            if batch.len() == 0 {
                self.0.pop_back();
            }
            count -= taken;
        }
        back
    }

    /// Takes those of these tasks out that are here.
    pub(crate) fn take_back_these(&mut self, tasks: &[Tasks]) -> Vec<Tasks> {
        let mut back = Vec::new();
        for wanted in tasks {
            let mut kept = VecDeque::with_capacity(self.0.len());
            for batch in self.0.drain(..) {
                let here = batch.tasks();
                let start = here.first.0.max(wanted.first.0);
                let end =
                    (here.first.0 + u64::from(here.count)).min(wanted.first.0 + u64::from(wanted.count));
                if start >= end {
                    kept.push_back(batch);
                    continue;
                }
                back.push(Tasks { first: TaskId(start), count: (end - start) as u32 });
                let base = batch.run.tasks.first.0;
                for (next, end) in [(batch.next, (start - base) as u32), ((end - base) as u32, batch.end)] {
                    if next < end {
                        let (run, values) = (Arc::clone(&batch.run), Arc::clone(&batch.values));
                        kept.push_back(Batch { run, values, next, end });
                    }
                }
            }
            self.0 = kept;
        }
        back
    }
}

fn count(tasks: &[Tasks]) -> usize {
    tasks.iter().map(|tasks| tasks.count as usize).sum()
}

/// A worker's threads and what they are to do.
pub struct Pool {
    threads: ThreadPool,
    count: usize,
    small_bytes_max: usize,
    queue: Mutex<Queue>,
    queued: AtomicUsize,
    /// How many threads look after the queue.
    active: AtomicUsize,
    ended: Mutex<Vec<Ended>>,
    has_ended: AtomicBool,
    /// What each thread runs.
    running: Vec<Mutex<Option<Arc<Run>>>>,
    stopped: AtomicBool,
    host: OnceLock<std::sync::Weak<dyn Host>>,
}

impl Pool {
    /// A pool of `count` threads. Results of up to `small_bytes_max` bytes are small.
    ///
    /// # Errors
    ///
    /// The system's words if the threads cannot be had.
    pub fn new(count: usize, small_bytes_max: usize) -> Result<Arc<Self>, String> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("worker-{index}"))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(Self {
            threads,
            count,
            small_bytes_max,
            queue: Mutex::default(),
            queued: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            ended: Mutex::default(),
            has_ended: AtomicBool::new(false),
            running: (0..count).map(|_| Mutex::default()).collect(),
            stopped: AtomicBool::new(false),
            host: OnceLock::new(),
        }))
    }

    /// Says whom to tell. Once, before the first task.
    pub fn set_host(&self, host: std::sync::Weak<dyn Host>) {
        assert!(self.host.set(host).is_ok(), "a pool has one host");
    }

    /// Whether tasks are queued.
    pub fn has_queued(&self) -> bool {
        self.queued.load(Ordering::SeqCst) > 0
    }

    /// Whether a thread runs a task, or looks for one.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst) > 0
    }

    /// Whether something has ended that nobody has taken.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Forgets what is queued, and begins nothing more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        *self.queue() = Queue::default();
        self.queued.store(0, Ordering::SeqCst);
    }

    /// Runs the next piece on this thread, which waits for something within a task of its own.
    /// Returns whether there was one.
    pub fn help(&self) -> bool {
        let Some(piece) = self.next_piece(true) else { return false };
        // Tasks that wait may lie a thousand deep on one thread's stack.
        stacker::maybe_grow(STACK_BYTES_MIN, STACK_BYTES_MORE, || self.run_piece(piece));
        true
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.get()?.upgrade()
    }

    /// Sees to it that as many threads as can be of use look after the queue.
    fn call_threads(self: &Arc<Self>) {
        loop {
            let active = self.active.load(Ordering::SeqCst);
            let queued = self.queued.load(Ordering::SeqCst);
            if active >= self.count || queued == 0 || active > queued {
                return;
            }
            if self.active.compare_exchange(active, active + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                let pool = Arc::clone(self);
                self.threads.spawn(move || pool.look_after_queue());
            }
        }
    }

    fn look_after_queue(self: Arc<Self>) {
        // A thread that waits for its part of a parallel iterator may come here: its own task goes
        // first. The queue is looked after when that has ended.
        if current::is_in_task() {
            self.active.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        loop {
            while let Some(piece) = self.next_piece(false) {
                self.run_piece(piece);
                self.call_threads();
            }
            let alone = self.active.load(Ordering::SeqCst) == 1;
            if !(alone && self.host().is_some_and(|host| host.linger())) {
                break;
            }
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        // Something may have been queued after the last look and before this thread left.
        self.call_threads();
    }

    fn next_piece(&self, single: bool) -> Option<Batch> {
        if !self.has_queued() || self.stopped.load(Ordering::SeqCst) {
            return None;
        }
        let mut queue = self.queue();
        let share = self.queued.load(Ordering::SeqCst) / (2 * self.count);
        let most = if single { 1 } else { (share as u32).clamp(1, PIECE_MAX) };
        let piece = queue.next_piece(most)?;
        self.queued.fetch_sub(piece.len() as usize, Ordering::SeqCst);
        Some(piece)
    }

    fn hand_over(&self, ended: &mut Vec<Ended>) {
        if ended.is_empty() {
            return;
        }
        lock(&self.ended).append(ended);
        self.has_ended.store(true, Ordering::SeqCst);
        if let Some(host) = self.host() {
            host.ended();
        }
    }

    fn run_piece(&self, mut piece: Batch) {
        let Some(host) = self.host() else { return };
        host.works(true);
        let place = rayon::current_thread_index();
        let outer = self.note_running(place, Some(Arc::clone(&piece.run)));
        let begun = Instant::now();
        let mut results = Results::new(self.small_bytes_max, &piece);
        current::enter(host.context(), || {
            while piece.next < piece.end {
                results.run(&piece, piece.next);
                piece.next += 1;
                if piece.next < piece.end && begun.elapsed() >= HAND_OVER_AFTER {
                    break;
                }
            }
        });
        results.close(begun.elapsed());
        self.note_running(place, outer);
        host.works(false);
        self.put_back(piece);
        self.hand_over(&mut results.ended);
    }

    /// What is left of a piece goes back, for others to take: its tasks are longer than was thought.
    fn put_back(&self, piece: Batch) {
        if piece.len() > 0 && !self.stopped.load(Ordering::SeqCst) {
            let mut queue = self.queue();
            self.queued.fetch_add(piece.len() as usize, Ordering::SeqCst);
            queue.0.push_front(piece);
        }
    }

    /// Notes what the thread at `place` runs now. Returns what it ran before.
    fn note_running(&self, place: Option<usize>, run: Option<Arc<Run>>) -> Option<Arc<Run>> {
        let running = self.running.get(place?)?;
        std::mem::replace(&mut *lock(running), run)
    }

    /// The names of the functions that the threads run.
    pub fn running(&self) -> Vec<String> {
        let running = self.running.iter().filter_map(|running| lock(running).as_ref().map(name));
        running.collect()
    }
}

/// What a task is called.
fn name(run: &Arc<Run>) -> String {
    run.label.clone().unwrap_or_else(|| run.code.name().to_string())
}

impl Execute for Arc<Pool> {
    fn begin(&self, run: Run, value: &dyn Fn(TaskId) -> Option<Value>) {
        let count = run.tasks.count as usize;
        let mut queue = self.queue();
        queue.push(run, value);
        self.queued.fetch_add(count, Ordering::SeqCst);
        drop(queue);
        self.call_threads();
    }

    fn take_ended(&self) -> Vec<Ended> {
        if !self.has_ended.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        std::mem::take(&mut *lock(&self.ended))
    }

    fn take_back(&self, most: u32) -> Vec<Tasks> {
        let mut queue = self.queue();
        let back = queue.take_back(most);
        self.queued.fetch_sub(count(&back), Ordering::SeqCst);
        back
    }

    fn take_back_these(&self, tasks: &[Tasks]) -> Vec<Tasks> {
        let mut queue = self.queue();
        let back = queue.take_back_these(tasks);
        self.queued.fetch_sub(count(&back), Ordering::SeqCst);
        back
    }
}

/// What a piece has brought so far.
struct Results {
    small_bytes_max: usize,
    collected: Vec<Option<Code>>,
    ended: Vec<Ended>,
    /// Small values, one task after the other.
    open: Option<Finished>,
    /// How many tasks ran since the last hand-over.
    count: u64,
}

/// Runs all tasks of a piece on this thread, in virtual time: they are said to have taken `elapsed`.
pub(crate) fn run_whole_piece(
    piece: &Batch,
    small_bytes_max: usize,
    context: Context,
    elapsed: Duration,
) -> Vec<Ended> {
    let mut results = Results::new(small_bytes_max, piece);
    current::enter(context, || (piece.next..piece.end).for_each(|index| results.run(piece, index)));
    results.close(elapsed);
    results.ended
}

impl Results {
    fn new(small_bytes_max: usize, piece: &Batch) -> Self {
        Self { small_bytes_max, collected: collects(&piece.run), ended: Vec::new(), open: None, count: 0 }
    }

    fn run(&mut self, piece: &Batch, index: u32) {
        let task = piece.run.tasks.first.plus(index);
        current::set_task(task, piece.run.attempt);
        self.count += 1;
        let finished = self.open.get_or_insert_with(|| Finished { first: task, values: Packed::default() });
        let mut output =
            Output { small: &mut finished.values, small_bytes_max: self.small_bytes_max, large: None };
        let before = output.small.len();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let descriptor = piece.run.code.descriptor().map_err(|error| error.to_string())?;
            (descriptor.run)(&mut Inputs::new(inputs(piece, index as usize, &self.collected)?), &mut output)
        }));
        let large = output.large.take();
        let failure = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(words)) => Some((Reason::Decode, words)),
            Err(panic) => Some((Reason::Panic, panic_words(&*panic))),
        };
        if failure.is_none() && large.is_none() {
            return;
        }
        finished.values.truncate(before);
        self.end_open();
        self.ended.push(match (large, failure) {
            (_, Some((reason, message))) => {
                Ended::Failed(Box::new(task_error(&piece.run, task, reason, message)))
            }
            (Some(value), None) => Ended::Stored { task, value, nanoseconds: 0 },
            (None, None) => unreachable!("returned above"),
        });
    }

    fn end_open(&mut self) {
        if let Some(finished) = self.open.take().filter(|finished| !finished.values.is_empty()) {
            self.ended.push(Ended::Finished { finished, nanoseconds: 0 });
        }
    }

    /// Shares the time out among what ended in it.
    fn close(&mut self, elapsed: Duration) {
        self.end_open();
        let each = elapsed.as_nanos() as u64 / self.count.max(1);
        for ended in &mut self.ended {
            match ended {
                Ended::Finished { finished, nanoseconds } => {
                    *nanoseconds = each * finished.values.len() as u64
                }
                Ended::Stored { nanoseconds, .. } => *nanoseconds = each,
                Ended::Failed(_) => {}
            }
        }
        self.count = 0;
    }
}

/// How to collect each argument that is a list.
fn collects(run: &Run) -> Vec<Option<Code>> {
    let collect = |argument: &Argument| match argument {
        Argument::Lists { collect, .. } => Some(*collect),
        _ => None,
    };
    run.arguments.iter().map(collect).collect()
}

fn inputs<'a>(
    piece: &'a Batch,
    index: usize,
    collected: &[Option<Code>],
) -> Result<SmallVec<[Input<'a>; 4]>, String> {
    let input = |need: &'a Need| match need {
        Need::Inline(bytes) => Ok(Input::Bytes(bytes)),
        Need::Held(held) => {
            piece.values.get(&held.task).map(Input::Value).ok_or_else(|| "an input is missing".to_string())
        }
    };
    let mut inputs = SmallVec::new();
    for (argument, collect) in piece.run.arguments.iter().zip(collected) {
        inputs.push(match argument {
            Argument::Same(bytes) => Input::Bytes(bytes),
            Argument::Each(values) => Input::Bytes(values.at(index)),
            Argument::Needs(needs) => input(&needs[index])?,
            Argument::Lists { lists, .. } => {
                let items = lists[index].iter().map(input).collect::<Result<_, _>>()?;
                let code = collect.ok_or("a list without its type")?;
                Input::List(items, code.descriptor().map_err(|error| error.to_string())?.collect)
            }
        });
    }
    Ok(inputs)
}

fn task_error(run: &Arc<Run>, task: TaskId, reason: Reason, message: String) -> TaskError {
    TaskError {
        reason,
        function: name(run),
        task: task.0,
        rank: current::rank().map(|rank| rank.0),
        host: String::new(),
        message,
        attempts: run.attempt + 1,
        dependents: Vec::new(),
    }
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    current::take_panic_words().unwrap_or_else(|| {
        let words = panic.downcast_ref::<String>().cloned();
        words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} threads)", self.count)
    }
}
