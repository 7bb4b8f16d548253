//! Runs tasks on a worker's threads.
//!
//! A thread takes a piece of what is queued at a time, small when little is queued, and hands results
//! over when the piece is done, when [`HAND_OVER_AFTER`] has passed or when one of its tasks waits; then
//! the rest goes back: many short tasks cost one hand-over. No result and no task waits long for others of its
//! piece: what waits there for a task that takes long is taken from the thread. A task that waits keeps its thread
//! and gives its place to another one (`threads.rs`, `patrol.rs`).

use super::{
    Execute,
    admission::{Admission, Answer},
    begun::{Begun, BegunTasks},
    call::{collects, no_memory, run_task, task_error},
    overflow,
    patrol::Patrol,
    piece::{Outcome, PIECE, Piece, SharedPiece},
    queue::{Batch, Queue},
    threads::{Refused, ThreadOptions, Threads, note_runs},
};
use crate::{
    current::{self, Context, Watch},
    disk::ReadBack,
    error::warn,
    error::{Reason, TaskError},
    ids::{TaskId, Tasks},
    journal::{Journal, Key},
    lock::lock,
    message::{Finished, Given, Run, Running},
    pace::Pace,
    packed::Packed,
    record::Recorder,
    store::Fullness,
    units::nanoseconds,
    value::Value,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// The longest that a result waits for the other results of its piece.
pub(super) const HAND_OVER_AFTER: Duration = Duration::from_micros(100);
/// After this time a task has run for long: what waits for it in its piece goes elsewhere, and what is queued behind
/// it may, too.
const LONG_AFTER: Duration = Duration::from_millis(1);
/// The most tasks that a thread takes at a time.
const PIECE_MAX: u32 = 512;

/// How long the place of a task that waits is kept for tasks that tasks submitted.
const PLACE_OPEN_AFTER: Duration = Duration::from_millis(5);

/// The least stack that a task begins with on top of one that waits; and how much is added if it is less.
const STACK_BYTES_MIN: usize = 512 << 10;
const STACK_BYTES_MORE: usize = 8 << 20;

/// How a task ended.
#[derive(Debug)]
pub(crate) enum Ended {
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
    /// So many more tasks have failed, as their time is over, and still take their threads; fewer, if negative.
    RunsOn(i32),
    /// None, while others are queued: all threads have run theirs for so many nanoseconds, longer than was to be
    /// expected.
    Behind(u64),
}

impl Ended {
    /// How long the functions ran, and how many, if they have given values.
    fn took(&self) -> Option<(u64, u32)> {
        match self {
            Self::Finished { finished, nanoseconds } => Some((*nanoseconds, finished.values.len() as u32)),
            Self::Stored { nanoseconds, .. } => Some((*nanoseconds, 1)),
            Self::Failed(_) | Self::RunsOn(_) | Self::Behind(_) => None,
        }
    }
}

/// Told when something has ended, and asked what a task's surroundings are.
pub(crate) trait Host: Send + Sync {
    /// Something waits in `take_ended`.
    fn ended(&self);
    /// As `ended`, of a thread that looks for what it runs next. Returns whether there is something, so that all else
    /// may wait a little; if not, `ended` is due.
    fn goes_on(&self) -> bool;
    /// A thread begins to run tasks, or (`false`) has run them.
    fn works(&self, works: bool);
    /// Called when the last thread has nothing left to do: may look for work a little longer, and
    /// returns whether there is some.
    fn linger(&self) -> bool;
    /// So many more places than threads are free, or fewer if negative, since the tasks in these wait for something
    /// that is not known here.
    fn spares(&self, delta: i32);
    /// What [`current`](crate::current()) tells a task.
    fn context(&self) -> Context;
}

fn count(tasks: &[Tasks]) -> usize {
    tasks.iter().map(|tasks| tasks.count as usize).sum()
}

/// What is known of how long tasks take.
struct Watching {
    /// When that was last looked at.
    looked: Instant,
    /// What the scheduler reckons with.
    pace: Pace,
}

/// A worker's threads and what they are to do.
pub(crate) struct Pool {
    threads: Arc<Threads>,
    small_bytes_max: usize,
    queue: Mutex<Queue>,
    queued: AtomicUsize,
    /// How many pieces there are of more than one task.
    pieces_of_several: AtomicUsize,
    /// How many threads look after the queue, but those whose tasks wait.
    pub(super) active: AtomicUsize,
    /// How many of them have no task, and look for one or are about to.
    looking: AtomicUsize,
    /// How many threads have a task that waits for others.
    pub(super) waiting: AtomicUsize,
    /// The threads whose tasks wait, the latest last.
    paused: Mutex<Vec<Thread>>,
    /// When a task began to wait last, in nanoseconds since `began`.
    paused_at: AtomicU64,
    began: Instant,
    /// How often a thread took tasks, and ended them.
    pub(super) steps: AtomicUsize,
    /// Whether tasks run on the stacks of others that wait, as there are no more threads.
    is_exhausted: AtomicBool,
    was_exhausted: AtomicBool,
    patrol: Patrol,
    ended: Mutex<Vec<Ended>>,
    has_ended: AtomicBool,
    begun: Arc<BegunTasks>,
    watch: Mutex<Watching>,
    admission: Admission,
    pub(super) stopped: AtomicBool,
    host: OnceLock<std::sync::Weak<dyn Host>>,
    recorder: Option<Arc<Recorder>>,
    journal: Option<Arc<Journal>>,
}

impl Pool {
    /// A pool of such threads. Results of up to `small_bytes_max` bytes are small. The recorder, if there is one, is
    /// told what each thread runs; the journal keeps what is to last.
    ///
    /// # Errors
    ///
    /// The system's, if the threads cannot be started.
    pub(crate) fn new(
        options: ThreadOptions,
        small_bytes_max: usize,
        recorder: Option<Arc<Recorder>>,
        journal: Option<Arc<Journal>>,
    ) -> Result<Arc<Self>, String> {
        let count = options.count;
        let begun = Arc::new(BegunTasks::new(count));
        let (starting, places) = (recorder.clone(), Arc::clone(&begun));
        let starts = move |place| {
            places.add_place(place);
            starting.iter().for_each(|recorder| recorder.thread_starts(place));
        };
        Ok(Arc::new(Self {
            threads: Threads::new(options, Box::new(starts))?,
            small_bytes_max,
            queue: Mutex::default(),
            queued: AtomicUsize::new(0),
            pieces_of_several: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            looking: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            paused: Mutex::default(),
            paused_at: AtomicU64::new(0),
            began: Instant::now(),
            steps: AtomicUsize::new(0),
            is_exhausted: AtomicBool::new(false),
            was_exhausted: AtomicBool::new(false),
            patrol: Patrol::default(),
            ended: Mutex::default(),
            has_ended: AtomicBool::new(false),
            begun,
            watch: Mutex::new(Watching { looked: Instant::now(), pace: Pace::default() }),
            admission: Admission::default(),
            stopped: AtomicBool::new(false),
            host: OnceLock::new(),
            recorder,
            journal,
        }))
    }

    /// Says whom to tell. Once, before the first task.
    pub(crate) fn set_host(&self, host: std::sync::Weak<dyn Host>) {
        assert!(self.host.set(host).is_ok(), "a pool has one host");
    }

    /// Whether tasks are queued, and may begin as far as is known.
    pub(crate) fn has_queued(&self) -> bool {
        self.queued.load(Ordering::SeqCst) > 0 && !self.admission.holds_back()
    }

    /// Whether a thread has a task, or looks for one.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst) > 0 || self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Whether something has ended that nobody has taken.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Forgets what is queued, and begins nothing more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let mut queue = self.queue();
        *queue = Queue::default();
        self.queued.store(0, Ordering::SeqCst);
    }

    /// The task on this thread begins to wait, and gives its place to another thread: what came before it in its
    /// piece is handed over, and what comes after it goes back, so that nothing waits for what this task waits for.
    pub(crate) fn pause(self: &Arc<Self>) {
        if let Some(piece) = PIECE.with_borrow(Clone::clone) {
            self.hand_over(self.take_from(&piece));
        }
        self.admission.block(true);
        note_runs(false);
        let at = nanoseconds(self.began.elapsed());
        self.paused_at.store(at, Ordering::SeqCst);
        lock(&self.paused).push(thread::current());
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.active.fetch_sub(1, Ordering::SeqCst);
        self.patrol.wake(self);
        self.call_threads();
    }

    /// The task on this thread has waited, and goes on: at once, as others may wait for what it holds. One of those
    /// that came in its place leaves when its task has ended.
    pub(crate) fn resume(&self) {
        self.active.fetch_add(1, Ordering::SeqCst);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.leave_paused();
        self.steps.fetch_add(1, Ordering::Relaxed);
        note_runs(true);
        self.admission.block(false);
        PIECE.with_borrow(|piece| piece.iter().for_each(|piece| lock(piece).resume()));
    }

    fn leave_paused(&self) {
        let this = thread::current().id();
        let mut paused = lock(&self.paused);
        if let Some(at) = paused.iter().rposition(|thread| thread.id() == this) {
            paused.remove(at);
        }
    }

    /// This thread's place among those that run tasks at a time, and whether it is in the place of another one whose
    /// task waits.
    pub(crate) fn place(&self) -> Option<(usize, bool)> {
        self.threads.place().map(|place| (place.in_pool, place.is_spare))
    }

    /// Whether the task on this thread, which waits, must [`help`](Self::help), since there are no more threads.
    pub(crate) fn needs_help(&self) -> bool {
        self.is_exhausted.load(Ordering::SeqCst)
            && self.active.load(Ordering::SeqCst) < self.threads.count()
            && self.has_queued()
    }

    pub(super) fn patrol(&self) -> &Patrol {
        &self.patrol
    }

    pub(super) fn are_threads_asleep(&self) -> bool {
        self.threads.are_asleep()
    }

    /// Whether fewer tasks run than may.
    pub(super) fn has_free_place(&self) -> bool {
        self.active.load(Ordering::SeqCst) < self.threads.count()
    }

    /// How many tasks wait for others.
    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Runs a task on this thread, on top of the one that waits there. Returns whether there was one.
    ///
    /// The latest, which is likely to be what is waited for; so fewer lie on each other.
    pub(crate) fn help(&self) -> bool {
        if !self.needs_help() {
            return false;
        }
        let Some(piece) = self.take_piece(false, |queue, _| queue.last_piece(false)) else { return false };
        self.active.fetch_add(1, Ordering::SeqCst);
        // Tasks that wait may lie a thousand deep on one thread's stack.
        stacker::maybe_grow(STACK_BYTES_MIN, STACK_BYTES_MORE, || self.run_piece(&piece));
        self.hand_over(self.end_piece(&piece));
        self.active.fetch_sub(1, Ordering::SeqCst);
        note_runs(false);
        true
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    pub(super) fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.get()?.upgrade()
    }

    /// Sees to it that as many threads as can be of use look after the queue.
    pub(super) fn call_threads(self: &Arc<Self>) {
        loop {
            let active = self.active.load(Ordering::SeqCst);
            // In this order, the reverse of that in which a thread that looks takes tasks: what is queued is never
            // counted on a thread that has taken something else.
            let queued = self.queued.load(Ordering::SeqCst);
            let is_enough = active >= self.threads.count() || queued <= self.looking.load(Ordering::SeqCst);
            if is_enough || self.admission.holds_back() || !self.may_give_place(active) {
                return;
            }
            if self.active.compare_exchange(active, active + 1, Ordering::SeqCst, Ordering::SeqCst).is_ok()
                && !self.call_thread(false)
            {
                return;
            }
        }
    }

    /// Whether the place of a task that waits may be taken, if it would be one: soon by tasks that tasks submitted,
    /// and by others a little later, since these may want what the task that waits holds.
    fn may_give_place(&self, active: usize) -> bool {
        let waiting = self.waiting.load(Ordering::SeqCst);
        waiting == 0
            || active + waiting < self.threads.count()
            || self.is_place_open()
            || self.queue().has_nested()
    }

    fn is_place_open(&self) -> bool {
        let paused_at = Duration::from_nanos(self.paused_at.load(Ordering::SeqCst));
        self.began.elapsed().saturating_sub(paused_at) >= PLACE_OPEN_AFTER
    }

    /// Has another thread look after the queue, which is counted as active already; `fresh`: one whose pool runs
    /// nothing. Returns whether there is one.
    pub(super) fn call_thread(self: &Arc<Self>, fresh: bool) -> bool {
        let pool = Arc::clone(self);
        self.looking.fetch_add(1, Ordering::SeqCst);
        match self.threads.spawn(fresh, move |number| pool.look_after_queue(number)) {
            Ok(()) => {
                self.is_exhausted.store(false, Ordering::SeqCst);
                true
            }
            Err(refused) => {
                self.leave(None);
                self.is_exhausted.store(true, Ordering::SeqCst);
                // The one that waits last helps.
                lock(&self.paused).last().iter().for_each(|thread| thread.unpark());
                if !self.was_exhausted.swap(true, Ordering::SeqCst) {
                    self.warn_of_no_thread(&refused);
                }
                false
            }
        }
    }

    fn warn_of_no_thread(&self, refused: &Refused) {
        let (why, remedy) = match refused {
            Refused::Bound => {
                let most = self.threads.spare_max();
                (format!("{most} tasks wait for others"), "MANIPLE_SPARE_THREADS allows more")
            }
            Refused::System(error) => {
                (format!("the system starts no more threads ({error})"), "see ulimit -u and -v")
            }
        };
        warn(format_args!(
            "{}: {why}, so tasks run on the stacks of those that wait, and a lock that is held there may be waited for \
             without end: {remedy}",
            self.threads.who()
        ));
    }

    fn look_after_queue(self: Arc<Self>, number: usize) {
        // A thread that waits for its part of a parallel iterator may come here: its own task goes
        // first. The queue is looked after when that has ended.
        if current::is_in_task() {
            self.leave(Some(number));
            return;
        }
        let count = self.threads.count();
        'looks: loop {
            while let Some(piece) = self.next_piece(number > 0) {
                self.run_piece(&piece);
                // Before it hands over: so no other thread is called for the one task that may begin with that.
                self.looking.fetch_add(1, Ordering::SeqCst);
                if self.note_ended(self.end_piece(&piece))
                    && let Some(host) = self.host().filter(|host| !host.goes_on())
                {
                    host.ended();
                }
                if self.active.load(Ordering::SeqCst) > count {
                    // A task that waited goes on.
                    break 'looks;
                }
                self.call_threads();
            }
            if self.pieces_of_several.load(Ordering::SeqCst) > 0
                && self.take_rests(&mut self.queue(), |_| true)
            {
                self.host().iter().for_each(|host| host.ended());
                self.call_threads();
                continue;
            }
            let alone = self.active.load(Ordering::SeqCst) == 1 && self.waiting.load(Ordering::SeqCst) == 0;
            if !(alone && self.host().is_some_and(|host| host.linger())) {
                break;
            }
        }
        self.leave(Some(number));
        if self.admission.holds_back()
            && let Some(host) = self.host()
        {
            // It makes room, or says that there is no more.
            host.ended();
        }
        // Something may have been queued after the last look and before this thread left.
        self.call_threads();
    }

    /// A thread of this pool that looks, or was called and is not there, no longer looks after the queue.
    fn leave(&self, pool: Option<usize>) {
        pool.iter().for_each(|pool| self.threads.leave(*pool));
        self.looking.fetch_sub(1, Ordering::SeqCst);
        self.active.fetch_sub(1, Ordering::SeqCst);
    }

    /// What a thread that looks is to run; it then looks no longer.
    fn next_piece(&self, is_spare: bool) -> Option<SharedPiece> {
        self.take_piece(true, |queue, queued| {
            if self.waiting.load(Ordering::SeqCst) > 0 {
                let nested = queue.last_piece(true);
                if nested.is_some() || is_spare && !self.is_place_open() {
                    return nested;
                }
            }
            if is_spare {
                return queue.last_piece(false);
            }
            let share = queued / (2 * self.threads.count());
            queue.next_piece((share as u32).clamp(1, PIECE_MAX))
        })
    }

    fn take_piece(
        &self,
        looks: bool,
        take: impl FnOnce(&mut Queue, usize) -> Option<Batch>,
    ) -> Option<SharedPiece> {
        if !self.has_queued() || self.stopped.load(Ordering::SeqCst) {
            return None;
        }
        let mut queue = self.queue();
        let tasks = take(&mut queue, self.queued.load(Ordering::SeqCst))?;
        self.looking.fetch_sub(usize::from(looks), Ordering::SeqCst);
        self.queued.fetch_sub(tasks.len() as usize, Ordering::SeqCst);
        self.steps.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let piece = Piece::new(tasks.clone(), now);
        self.pieces_of_several.fetch_add(usize::from(piece.has_several), Ordering::SeqCst);
        let piece = Arc::new(Mutex::new(piece));
        // Under the lock of the queue, so that tasks that are asked back are found here or there.
        self.begun.begin(self.place_of_all(), Begun::new(&tasks, Arc::clone(&piece), now));
        Some(piece)
    }

    fn place_of_all(&self) -> Option<usize> {
        self.threads.place().map(|place| place.of_all)
    }

    /// A thread is at the end of its piece: what is left goes back. Returns what has ended.
    fn end_piece(&self, piece: &SharedPiece) -> Vec<Ended> {
        let ended = self.take_from(piece);
        self.begun.end(self.place_of_all());
        self.pieces_of_several.fetch_sub(usize::from(lock(piece).has_several), Ordering::SeqCst);
        self.steps.fetch_add(1, Ordering::Relaxed);
        ended
    }

    /// Puts back what waits in a piece for the task that runs. Returns what has ended there.
    fn take_from(&self, piece: &SharedPiece) -> Vec<Ended> {
        let has_rest = lock(piece).rest().len() > 0;
        if has_rest { self.take_to(&mut self.queue(), piece) } else { lock(piece).pause().1 }
    }

    /// As `take_from`, with the queue at hand.
    fn take_to(&self, queue: &mut Queue, piece: &SharedPiece) -> Vec<Ended> {
        let (rest, ended) = lock(piece).pause();
        if rest.len() > 0 && !self.stopped.load(Ordering::SeqCst) {
            self.queued.fetch_add(rest.len() as usize, Ordering::SeqCst);
            queue.put_back(rest);
        }
        ended
    }

    /// Puts back what threads have taken and not begun, as far as it is wanted. Returns whether there was something.
    fn take_rests(&self, queue: &mut Queue, wanted: impl Fn(Tasks) -> bool) -> bool {
        let mut any = false;
        for piece in self.begun.latest(|_, begun| Arc::clone(&begun.piece)) {
            let rest = lock(&piece).rest().tasks();
            if rest.count > 0 && wanted(rest) {
                self.note_ended(self.take_to(queue, &piece));
                any = true;
            }
        }
        any
    }

    fn hand_over(&self, ended: Vec<Ended>) {
        if self.note_ended(ended)
            && let Some(host) = self.host()
        {
            host.ended();
        }
    }

    /// Keeps what has ended until it is asked for. Returns whether it is anything.
    fn note_ended(&self, mut ended: Vec<Ended>) -> bool {
        if ended.is_empty() {
            return false;
        }
        lock(&self.ended).append(&mut ended);
        self.has_ended.store(true, Ordering::SeqCst);
        true
    }

    /// Runs a piece.
    fn run_piece(&self, shared: &SharedPiece) {
        let Some(host) = self.host() else { return };
        host.works(true);
        let place = self.threads.place();
        let (lane_place, is_shared) =
            (place.map(|place| place.in_pool), place.is_some_and(|place| place.is_spare));
        let place = place.map(|place| place.of_all);
        let batch = lock(shared).rest().clone();
        let outer = PIECE.replace(Some(Arc::clone(shared)));
        let (collected, mut small) = (collects(&batch.run), Packed::default());
        let mut lane = self.recorder.as_deref().and_then(|recorder| recorder.lane(lane_place, is_shared));
        note_runs(true);
        let run = Arc::clone(&batch.run);
        current::enter(host.context(), || {
            overflow::named(&run, || {
                let mut next =
                    lock(shared).begin_next(lane.as_ref().map(|lane| lane.elapsed()), &self.admission);
                while let Some((index, answer)) = next {
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
                    let mut piece = lock(shared);
                    piece.push(task, outcome, &small);
                    next = piece.begin_next(lane.as_ref().map(|lane| lane.elapsed()), &self.admission);
                }
            })
        });
        note_runs(false);
        drop(lane);
        host.works(false);
        PIECE.set(outer);
    }

    /// Writes to the journal what is to last.
    fn keep(&self, run: &Run, index: u32, outcome: &Outcome, small: &Packed) {
        let Some(journal) = self.journal.as_ref().filter(|_| run.is_kept) else { return };
        let Some(Given::Each(keys)) = run.arguments.last() else { return };
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

    /// Looks, now and then, whether tasks run for long: what waits for them goes elsewhere.
    fn look_at_long(self: &Arc<Self>) {
        let now = Instant::now();
        let mut watch = lock(&self.watch);
        if now.duration_since(watch.looked) < LONG_AFTER {
            return;
        }
        watch.looked = now;
        let ages = self.begun.latest(|_, begun| {
            let age = now.saturating_duration_since(begun.since);
            (age, (age >= LONG_AFTER).then(|| Arc::clone(&begun.piece)))
        });
        let long = ages.iter().filter_map(|(_, piece)| piece.as_ref());
        for piece in long.filter(|piece| !lock(piece).is_empty()) {
            self.note_ended(self.take_from(piece));
        }
        if !self.has_queued() {
            return;
        }
        self.call_threads();
        let least = ages.iter().map(|(age, _)| *age).min().filter(|_| !self.has_free_place());
        let expected = Duration::from_nanos(watch.pace.nanoseconds().unwrap_or(0)).saturating_mul(2);
        if let Some(least) = least.filter(|least| *least >= LONG_AFTER.max(expected)) {
            watch.pace.is_at_least(nanoseconds(least));
            self.note_ended(vec![Ended::Behind(nanoseconds(least))]);
        }
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
            error.rank = Some(host.context().rank());
            ended.extend([Ended::RunsOn(1), Ended::Failed(Box::new(error))]);
        }
        self.has_ended.store(true, Ordering::SeqCst);
    }

    /// What the threads run, each with its place.
    pub(crate) fn running_places(&self) -> Vec<(u16, Running)> {
        self.begun.latest(|place, begun| {
            let nanoseconds = nanoseconds(begun.since.elapsed());
            (
                (place % self.threads.count()) as u16,
                Running { tasks: begun.tasks, name: begun.run.name(), nanoseconds },
            )
        })
    }

    /// The name of a task that runs here.
    pub(crate) fn name_of(&self, task: TaskId) -> Option<String> {
        let names = self.begun.latest(|_, begun| begun.tasks.contains(task).then(|| begun.run.name()));
        names.into_iter().flatten().next()
    }

    /// The names of the functions that the threads run.
    pub(crate) fn running_names(&self) -> Vec<String> {
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
        self.recorder.iter().for_each(|recorder| recorder.queued(run.tasks));
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
        self.look_at_long();
        if !self.has_ended.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        let ended = std::mem::take(&mut *lock(&self.ended));
        let pace = &mut lock(&self.watch).pace;
        ended.iter().filter_map(Ended::took).for_each(|(nanoseconds, count)| pace.learn(nanoseconds, count));
        ended
    }

    fn take_back(&self, most: u32) -> Vec<Tasks> {
        let mut queue = self.queue();
        if queue.len() < most {
            self.take_rests(&mut queue, |_| true);
        }
        let back = queue.take_back(most);
        self.queued.fetch_sub(count(&back), Ordering::SeqCst);
        back
    }

    fn take_back_these(&self, tasks: &[Tasks]) -> Vec<Tasks> {
        let mut queue = self.queue();
        self.take_rests(&mut queue, |rest| tasks.iter().any(|tasks| tasks.common(rest).is_some()));
        let back = queue.take_back_these(tasks);
        self.queued.fetch_sub(count(&back), Ordering::SeqCst);
        back
    }

    fn cancel(&self, tasks: &[Tasks]) {
        self.begun.cancel(tasks);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} threads)", self.threads.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::machine;
    use std::thread::available_parallelism;

    #[test]
    fn threads_keep_to_the_cores_that_they_are_given() {
        let allowed = machine::allowed_cores();
        let count_of = |cores| {
            let options = ThreadOptions { cores, ..ThreadOptions::of(2) };
            let pool = Pool::new(options, 512, None, None).unwrap();
            pool.threads.broadcast(|_| available_parallelism().unwrap().get())
        };
        assert_eq!(count_of(vec![allowed[0]]), [1, 1]);
        assert_eq!(count_of(Vec::new()), [available_parallelism().unwrap().get(); 2]);
    }
}
