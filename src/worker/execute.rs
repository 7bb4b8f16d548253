//! Runs tasks on a worker's threads.
//!
//! The threads are a `rayon` pool: `par_iter` inside a task uses the worker's threads and no more. A
//! thread takes a piece of what is queued at a time, small when little is queued, and hands results
//! over when the piece is done, when [`HAND_OVER_AFTER`] has passed or when one of its tasks waits; then
//! the rest goes back: many short tasks cost one hand-over, and no result and no task waits long for
//! others of its piece. A task that waits lends its thread to tasks that came later. No set of tasks
//! can wait for each other so: what a task waits for was submitted by it, so began after it did.
//!
//! A panic in a task is caught here and becomes its error.

use super::{
    Execute,
    admission::{Admission, Answer},
    begun::{Begun, BegunTasks},
    queue::{Batch, Queue},
};
use crate::{
    current::{self, Context, Watch},
    disk::ReadBack,
    error::{Reason, TaskError},
    host::machine,
    ids::Code,
    ids::{TaskId, Tasks},
    journal::{Journal, Key},
    lock::lock,
    message::{Argument, Finished, Held, Need, Run, Running},
    packed::Packed,
    record::Recorder,
    store::Fullness,
    task::{Input, Inputs, Output, running::running},
    units::human_bytes,
    value::Value,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use smallvec::SmallVec;
use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
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
    /// Not begun: they go back to the scheduler.
    NotBegun(Tasks),
    /// So many more tasks have failed, as their time is over, and still take their threads; fewer, if negative.
    RunsOn(i32),
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
    /// How often tasks were asked back: a thread that took its piece before the last time gives back what
    /// it has not begun, as it may have been asked for.
    recalls: AtomicUsize,
    /// How many threads look after the queue.
    active: AtomicUsize,
    ended: Mutex<Vec<Ended>>,
    has_ended: AtomicBool,
    begun: BegunTasks,
    admission: Admission,
    stopped: AtomicBool,
    host: OnceLock<std::sync::Weak<dyn Host>>,
    recorder: Option<Arc<Recorder>>,
    journal: Option<Arc<Journal>>,
}

impl Pool {
    /// A pool of `count` threads, which keep to these cores if there are any. Results of up to
    /// `small_bytes_max` bytes are small. The recorder, if there is one, is told what each thread runs; the
    /// journal keeps what is to last.
    ///
    /// # Errors
    ///
    /// The system's words if the threads cannot be had.
    pub fn new(
        (count, cores): (usize, Vec<u32>),
        small_bytes_max: usize,
        recorder: Option<Arc<Recorder>>,
        journal: Option<Arc<Journal>>,
    ) -> Result<Arc<Self>, String> {
        let starting = recorder.clone();
        let threads = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("worker-{index}"))
            .start_handler(move |index| {
                if !cores.is_empty() {
                    machine::keep_to(&cores);
                }
                starting.iter().for_each(|recorder| recorder.thread_starts(index));
            })
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(Self {
            threads,
            count,
            small_bytes_max,
            queue: Mutex::default(),
            queued: AtomicUsize::new(0),
            recalls: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            ended: Mutex::default(),
            has_ended: AtomicBool::new(false),
            begun: BegunTasks::new(count),
            admission: Admission::default(),
            stopped: AtomicBool::new(false),
            host: OnceLock::new(),
            recorder,
            journal,
        }))
    }

    /// Says whom to tell. Once, before the first task.
    pub fn set_host(&self, host: std::sync::Weak<dyn Host>) {
        assert!(self.host.set(host).is_ok(), "a pool has one host");
    }

    /// Whether tasks are queued, and may begin as far as is known.
    pub fn has_queued(&self) -> bool {
        self.queued.load(Ordering::SeqCst) > 0 && !self.admission.holds_back()
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
        let mut queue = self.queue();
        *queue = Queue::default();
        self.queued.store(0, Ordering::SeqCst);
    }

    /// The task on this thread begins to wait: what came before it in its piece is handed over, and
    /// what comes after it goes back, so that nothing waits for what this task waits for.
    pub fn pause(&self) {
        if let Some(paused) = PIECE.with_borrow_mut(|piece| piece.as_mut().map(Piece::pause)) {
            self.put_aside(paused);
        }
        self.admission.block(true);
    }

    /// The task on this thread has waited, and goes on.
    pub fn resume(&self) {
        self.admission.block(false);
        PIECE.with_borrow_mut(|piece| piece.iter_mut().for_each(|piece| piece.since = Instant::now()));
    }

    /// Runs a task on this thread, which waits within one of its own. Returns whether there was one.
    ///
    /// The latest, which is likely to be what is waited for; so fewer lie on each other.
    pub fn help(&self) -> bool {
        let Some(piece) = self.take_piece(|queue, _| queue.last_piece()) else { return false };
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
            if active >= self.count || queued == 0 || active > queued || self.admission.holds_back() {
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
            while let Some(piece) = self.next_piece() {
                self.run_piece(piece);
                self.call_threads();
            }
            let alone = self.active.load(Ordering::SeqCst) == 1;
            if !(alone && self.host().is_some_and(|host| host.linger())) {
                break;
            }
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        if self.admission.holds_back()
            && let Some(host) = self.host()
        {
            // It makes room, or says that there is no more.
            host.ended();
        }
        // Something may have been queued after the last look and before this thread left.
        self.call_threads();
    }

    fn next_piece(&self) -> Option<Piece> {
        self.take_piece(|queue, queued| {
            let share = queued / (2 * self.count);
            queue.next_piece((share as u32).clamp(1, PIECE_MAX))
        })
    }

    fn take_piece(&self, take: impl FnOnce(&mut Queue, usize) -> Option<Batch>) -> Option<Piece> {
        if !self.has_queued() || self.stopped.load(Ordering::SeqCst) {
            return None;
        }
        let mut queue = self.queue();
        let tasks = take(&mut queue, self.queued.load(Ordering::SeqCst))?;
        self.queued.fetch_sub(tasks.len() as usize, Ordering::SeqCst);
        Some(Piece::new(tasks, self.recalls.load(Ordering::SeqCst)))
    }

    fn hand_over(&self, mut ended: Vec<Ended>) {
        if ended.is_empty() {
            return;
        }
        lock(&self.ended).append(&mut ended);
        self.has_ended.store(true, Ordering::SeqCst);
        if let Some(host) = self.host() {
            host.ended();
        }
    }

    fn run_piece(&self, piece: Piece) {
        let Some(host) = self.host() else { return };
        host.works(true);
        let place = rayon::current_thread_index();
        let batch = piece.rest.clone();
        self.begun.begin(place, Begun::new(Arc::clone(&batch.run), batch.tasks(), piece.since));
        let outer = PIECE.replace(Some(piece));
        let (collected, mut small) = (collects(&batch.run), Packed::default());
        let mut lane = self.recorder.as_deref().and_then(|recorder| recorder.lane(place));
        current::enter(host.context(), || {
            while let Some((index, answer)) = PIECE.with_borrow_mut(|piece| {
                let recalls = self.recalls.load(Ordering::Relaxed);
                let elapsed = lane.as_ref().map(|lane| lane.elapsed());
                piece.as_mut()?.begin_next(recalls, elapsed, &self.admission)
            }) {
                let task = batch.run.tasks.first.plus(index);
                let outcome = match answer {
                    Answer::Never(bytes) => Outcome::Failed(Box::new(no_memory(&batch.run, task, bytes))),
                    _ => run_task(&batch, index, &collected, self.small_bytes_max, &mut small),
                };
                let ran_on = batch.timeout_nanoseconds() > 0 && self.begun.has_run_on(place);
                let outcome = if ran_on { Outcome::RanOn } else { outcome };
                self.keep(&batch.run, index, &outcome, &small);
                lane.iter_mut().for_each(|lane| lane.ran(task, ReadBack::take()));
                if let Outcome::Large(value) = &outcome {
                    self.admission.learn(batch.run.code, value.live_bytes());
                }
                if let Answer::Begins(bytes) = answer {
                    self.admission.end(bytes);
                }
                PIECE.with_borrow_mut(|piece| {
                    let piece = piece.as_mut().expect("pieces within this one are over");
                    piece.results.push(task, outcome, &small);
                });
            }
        });
        drop(lane);
        self.begun.end(place);
        host.works(false);
        if let Some(mut piece) = PIECE.replace(outer) {
            self.put_aside(piece.pause());
        }
    }

    /// Writes to the journal what is to last.
    fn keep(&self, run: &Run, index: u32, outcome: &Outcome, small: &Packed) {
        let Some(journal) = self.journal.as_ref().filter(|_| run.is_kept) else { return };
        let Some(Argument::Each(keys)) = run.arguments.last() else { return };
        let Ok(key) = keys.at(index as usize).try_into().map(Key) else { return };
        match outcome {
            Outcome::Small => journal.append(key, run.code, &[], small.at(0), 1),
            Outcome::Large(value) => {
                if let Ok((head, body)) = value.to_wire() {
                    journal.append(key, run.code, &head, body.as_slice(), body.align() as u8);
                }
            }
            Outcome::Failed(_) | Outcome::RanOn => {}
        }
    }

    /// What is left of a piece goes back, for others to take, or to the scheduler, which may have asked for
    /// it; what ended is handed over.
    fn put_aside(&self, Paused { rest, mut ended, recalls }: Paused) {
        if rest.len() > 0 {
            let mut queue = self.queue();
            if self.stopped.load(Ordering::SeqCst) {
                // Nobody asks for it any more.
            } else if recalls == self.recalls.load(Ordering::SeqCst) {
                self.queued.fetch_add(rest.len() as usize, Ordering::SeqCst);
                queue.put_back(rest);
            } else {
                ended.push(Ended::NotBegun(rest.tasks()));
            }
        }
        self.hand_over(ended);
    }

    /// Fails the tasks whose time is over.
    fn end_overdue(&self) {
        let overdue = self.begun.take_overdue(Instant::now());
        let Some(host) = self.host().filter(|_| !overdue.is_empty()) else { return };
        let mut ended = lock(&self.ended);
        for (run, task) in overdue {
            let limit = Duration::from_nanos(run.timeout_nanoseconds);
            let words = format!("it may run for {limit:?}");
            let mut error = task_error(&run, task, Reason::Timeout, words);
            error.rank = Some(host.context().rank().0);
            ended.extend([Ended::RunsOn(1), Ended::Failed(Box::new(error))]);
        }
        self.has_ended.store(true, Ordering::SeqCst);
    }

    /// What the threads run, each with its place.
    pub(crate) fn running_places(&self) -> Vec<(u16, Running)> {
        self.begun.latest(|place, begun| {
            let nanoseconds = u64::try_from(begun.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            (place as u16, Running { tasks: begun.tasks, name: begun.run.name(), nanoseconds })
        })
    }

    /// The names of the functions that the threads run.
    pub fn running_names(&self) -> Vec<String> {
        self.begun.latest(|_, begun| begun.run.name())
    }
}

impl Watch for Pool {
    fn is_cancelled(&self, task: TaskId, attempt: u32) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.begun.is_cancelled(task, attempt)
    }
}

impl Execute for Arc<Pool> {
    fn begin(&self, run: Run, value: &dyn Fn(TaskId) -> Option<Value>) {
        let count = run.tasks.count as usize;
        let mut queue = self.queue();
        // Under the lock, so that nothing is queued after the end of the run, for which threads would look in vain.
        if self.stopped.load(Ordering::SeqCst) {
            return;
        }
        queue.push(run, value);
        self.queued.fetch_add(count, Ordering::SeqCst);
        drop(queue);
        self.call_threads();
    }

    fn wanted_bytes(&self) -> u64 {
        self.admission.wanted_bytes()
    }

    fn note_fullness(&self, fullness: Fullness) {
        if self.admission.note(fullness) {
            self.call_threads();
        }
    }

    fn running(&self) -> Vec<Running> {
        self.running_places().into_iter().map(|(_, running)| running).collect()
    }

    fn queued(&self) -> Vec<Tasks> {
        self.queue().tasks().collect()
    }

    fn take_ended(&self) -> Vec<Ended> {
        if self.begun.has_limits() {
            self.end_overdue();
        }
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
        // Under the lock, so that what a thread took before is known to be of before.
        self.recalls.fetch_add(1, Ordering::SeqCst);
        let back = queue.take_back_these(tasks);
        self.queued.fetch_sub(count(&back), Ordering::SeqCst);
        back
    }

    fn cancel(&self, tasks: &[Tasks]) {
        self.begun.cancel(tasks);
    }
}

thread_local! {
    /// The piece whose task this thread runs.
    static PIECE: RefCell<Option<Piece>> = const { RefCell::new(None) };
}

/// What a thread has before it, and what that has brought so far.
struct Piece {
    /// The tasks that have not begun.
    rest: Batch,
    results: Results,
    /// How long its tasks ran up to `since`.
    spent: Duration,
    since: Instant,
    /// How often tasks had been asked back when it was taken.
    recalls: usize,
}

/// What a thread puts aside.
struct Paused {
    /// The tasks that have not begun.
    rest: Batch,
    ended: Vec<Ended>,
    /// How often tasks had been asked back when they were taken.
    recalls: usize,
}

impl Piece {
    fn new(rest: Batch, recalls: usize) -> Self {
        Self { rest, results: Results::default(), spent: Duration::ZERO, since: Instant::now(), recalls }
    }

    /// The place of the next task, unless results are due, tasks were asked back by now, or it has to wait
    /// for memory. `elapsed` is how long ago it was taken, if that is known without a look at the clock.
    fn begin_next(
        &mut self,
        recalls: usize,
        elapsed: Option<Duration>,
        admission: &Admission,
    ) -> Option<(u32, Answer)> {
        let elapsed = || elapsed.unwrap_or_else(|| self.since.elapsed());
        let is_due = self.results.count > 0 && elapsed() >= HAND_OVER_AFTER;
        if is_due || recalls != self.recalls || self.rest.len() == 0 {
            return None;
        }
        let index = self.rest.next;
        let answer = admission.ask(self.rest.run.code, || self.rest.spilled_bytes(index as usize));
        if answer == Answer::Waits {
            return None;
        }
        self.rest.next += 1;
        Some((index, answer))
    }

    /// Takes out the tasks that have not begun, and what the others brought.
    fn pause(&mut self) -> Paused {
        self.spent += self.since.elapsed();
        let rest = self.rest.clone();
        self.rest.next = self.rest.end;
        let ended = match self.results.count {
            0 => Vec::new(),
            _ => self.results.close(std::mem::take(&mut self.spent)),
        };
        Paused { rest, ended, recalls: self.recalls }
    }
}

/// What one task brought: a small value is in the buffer it was given.
enum Outcome {
    Small,
    Large(Value),
    Failed(Box<TaskError>),
    /// It was told already that it has failed, as its time was over.
    RanOn,
}

/// What some tasks brought.
#[derive(Default)]
struct Results {
    ended: Vec<Ended>,
    /// Small values, one task after the other.
    open: Option<Finished>,
    /// How many tasks there were.
    count: u64,
}

impl Results {
    fn push(&mut self, task: TaskId, outcome: Outcome, small: &Packed) {
        self.count += 1;
        self.ended.push(match outcome {
            Outcome::Small => {
                let finished =
                    self.open.get_or_insert_with(|| Finished { first: task, values: Packed::default() });
                return finished.values.push(small.at(0));
            }
            Outcome::Large(value) => Ended::Stored { task, value, nanoseconds: 0 },
            Outcome::Failed(error) => Ended::Failed(error),
            Outcome::RanOn => Ended::RunsOn(-1),
        });
        // The next small value is not next to the last one.
        let last = self.ended.pop();
        self.end_open();
        self.ended.extend(last);
    }

    fn end_open(&mut self) {
        if let Some(finished) = self.open.take() {
            self.ended.push(Ended::Finished { finished, nanoseconds: 0 });
        }
    }

    /// Takes out what has ended, and shares the time out among it.
    fn close(&mut self, elapsed: Duration) -> Vec<Ended> {
        self.end_open();
        let each = elapsed.as_nanos() as u64 / self.count.max(1);
        for ended in &mut self.ended {
            match ended {
                Ended::Finished { finished, nanoseconds } => {
                    *nanoseconds = each * finished.values.len() as u64
                }
                Ended::Stored { nanoseconds, .. } => *nanoseconds = each,
                Ended::Failed(_) | Ended::NotBegun(_) | Ended::RunsOn(_) => {}
            }
        }
        self.count = 0;
        std::mem::take(&mut self.ended)
    }
}

/// Runs the task at `index` of a run. `small` is emptied, and gets its value if that is small.
fn run_task(
    batch: &Batch,
    index: u32,
    collected: &[Option<Code>],
    small_bytes_max: usize,
    small: &mut Packed,
) -> Outcome {
    let task = batch.run.tasks.first.plus(index);
    current::set_task(task, batch.run.attempt);
    small.truncate(0);
    let mut output = Output { small, small_bytes_max, large: None };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let descriptor = batch.run.code.descriptor().map_err(|error| error.to_string())?;
        (descriptor.run)(&mut Inputs::new(inputs(batch, index as usize, collected)?), &mut output)
    }));
    let failed = |reason, message| Outcome::Failed(Box::new(task_error(&batch.run, task, reason, message)));
    match outcome {
        Ok(Ok(())) => output.large.take().map_or(Outcome::Small, Outcome::Large),
        Ok(Err(words)) => failed(Reason::Decode, words),
        // It could not go on without a task of its own that nobody begins any more.
        Err(panic) if running().is_some_and(|running| running.was_too_late) => {
            failed(Reason::Stopping, panic_words(&*panic))
        }
        Err(panic) => failed(Reason::Panic, panic_words(&*panic)),
    }
}

/// Runs the tasks of a piece on this thread up to the first after which `stop` holds, in virtual
/// time: they are said to have taken `each`. The rest stays in the piece.
pub(crate) fn run_until(
    piece: &mut Batch,
    small_bytes_max: usize,
    context: Context,
    each: Duration,
    mut stop: impl FnMut() -> bool,
) -> Vec<Ended> {
    let (mut results, mut small) = (Results::default(), Packed::default());
    let collected = collects(&piece.run);
    current::enter(context, || {
        while piece.next < piece.end && !stop() {
            let outcome = run_task(piece, piece.next, &collected, small_bytes_max, &mut small);
            results.push(piece.run.tasks.first.plus(piece.next), outcome, &small);
            piece.next += 1;
        }
    });
    let elapsed = each * results.count as u32;
    results.close(elapsed)
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
    let value = |held: &Held| piece.values.get(&held.task).ok_or_else(|| "an input is missing".to_string());
    let input = |need: &'a Need| match need {
        Need::Inline(bytes) => Ok(Input::Bytes(bytes)),
        Need::Held(held) => value(held).map(Input::Value),
        Need::Part(part) => value(part).map(Input::Part),
    };
    let mut inputs = SmallVec::new();
    // The key by which the journal knows a task is no argument.
    let count = piece.run.arguments.len() - usize::from(piece.run.is_kept);
    for (argument, collect) in piece.run.arguments.iter().zip(collected).take(count) {
        inputs.push(match argument {
            Argument::Same(bytes) => Input::Bytes(bytes),
            Argument::Each(values) => Input::Bytes(values.at(index)),
            Argument::Needs(needs) => input(&needs[index])?,
            Argument::Lists { lists, .. } => {
                let items = lists[index].iter().map(input).collect::<Result<_, _>>()?;
                let code = collect.ok_or("a list without its type")?;
                Input::List(items, code.descriptor().map_err(|error| error.to_string())?.collect)
            }
            Argument::Parts { lists, cuts } => {
                Input::Parts(cuts.at(index), lists[index].iter().map(input).collect::<Result<_, String>>()?)
            }
        });
    }
    Ok(inputs)
}

fn task_error(run: &Arc<Run>, task: TaskId, reason: Reason, message: String) -> TaskError {
    TaskError {
        reason,
        function: run.name(),
        task: task.0,
        rank: current::rank().map(|rank| rank.0),
        host: String::new(),
        message: TaskError::message(message),
        attempts: run.attempt + 1,
        dependents: Vec::new(),
    }
}

/// The error of a task that there is no room for.
fn no_memory(run: &Arc<Run>, task: TaskId, bytes: u64) -> TaskError {
    let words = format!(
        "it needs {} more than this worker's memory limit leaves, and nothing there can be moved to a disk",
        human_bytes(bytes)
    );
    task_error(run, task, Reason::Memory, words)
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    current::take_panic_words().unwrap_or_else(|| {
        let words = panic.downcast_ref::<String>().cloned();
        words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} threads)", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::available_parallelism;

    #[test]
    fn threads_keep_to_the_cores_that_they_are_given() {
        let allowed = machine::allowed_cores();
        let count_of = |cores| {
            let pool = Pool::new((2, cores), 512, None, None).unwrap();
            pool.threads.broadcast(|_| available_parallelism().unwrap().get())
        };
        assert_eq!(count_of(vec![allowed[0]]), [1, 1]);
        assert_eq!(count_of(Vec::new()), [available_parallelism().unwrap().get(); 2]);
    }
}
