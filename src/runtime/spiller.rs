//! A thread that moves a worker's values between memory and its disk, and watches how much the process has.

use super::{
    machine,
    roles::{Spilled, Spiller},
};
use crate::{
    comm::Bells,
    disk::{Compression, Disk},
    ids::TaskId,
    lock::lock,
    rank::Rank,
    units,
    value::{Account, Spill, Value},
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often the process's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How much is moved to the disk, as a share of the limit, before the process's memory is looked at again.
const LOOK_AFTER_SHARE: f64 = 0.1;
/// The share of the limit from which on it matters what the process has besides values.
const WATCHED_SHARE: f64 = 0.5;

/// How much must have been freed before the allocator is asked to give it back to the system.
const TRIM_BYTES_MIN: u64 = 64 << 20;
/// How long it is not asked again.
const TRIM_PAUSE: Duration = Duration::from_secs(1);
/// The same, as a multiple of how long it took: other threads wait for it when they allocate.
const TRIM_PAUSE_FACTOR: u32 = 20;

/// Decides when freed memory is given back: when much was freed, nothing more is being freed, which might be
/// used again soon, and not too often.
#[derive(Debug)]
struct Trimming {
    /// How much had been freed when memory was last given back, and at the last look.
    trimmed_bytes: u64,
    seen_bytes: u64,
    not_before: Instant,
}

impl Trimming {
    fn new(now: Instant) -> Self {
        Self { trimmed_bytes: 0, seen_bytes: 0, not_before: now }
    }

    /// Whether to give memory back now, when so many bytes have been freed since the start.
    fn is_due(&mut self, freed_bytes: u64, now: Instant) -> bool {
        let is_quiet = std::mem::replace(&mut self.seen_bytes, freed_bytes) == freed_bytes;
        is_quiet && freed_bytes - self.trimmed_bytes >= TRIM_BYTES_MIN && self.may(now)
    }

    fn may(&self, now: Instant) -> bool {
        now >= self.not_before
    }

    fn done(&mut self, freed_bytes: u64, start: Instant, end: Instant) {
        self.trimmed_bytes = freed_bytes;
        self.not_before = end + TRIM_PAUSE.max(end.saturating_duration_since(start) * TRIM_PAUSE_FACTOR);
    }
}

/// What a spiller is to know.
#[derive(Debug)]
pub(crate) struct SpillerOptions {
    pub rank: Rank,
    pub host: String,
    pub limit_bytes: u64,
    /// Where the worker's values are counted.
    pub account: Arc<Account>,
    /// How many workers there are in this process.
    pub process_workers: u64,
    pub disk: Arc<dyn Disk>,
    pub compression: Compression,
}

/// Moves values. See the module.
pub(crate) struct SpillThread {
    options: SpillerOptions,
    bells: Arc<Bells>,
    jobs: Mutex<Jobs>,
    called: Condvar,
    done: Mutex<Vec<Spilled>>,
    has_done: AtomicBool,
}

#[derive(Default)]
struct Jobs {
    queue: VecDeque<Job>,
    is_over: bool,
}

enum Job {
    Spill(TaskId, Value),
    Load(TaskId, Value),
}

impl SpillThread {
    /// Starts it. It ends after [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// The system's if there can be no thread.
    pub(crate) fn start(options: SpillerOptions, bells: Arc<Bells>) -> std::io::Result<Arc<Self>> {
        let spiller = Arc::new(Self {
            options,
            bells,
            jobs: Mutex::default(),
            called: Condvar::new(),
            done: Mutex::default(),
            has_done: AtomicBool::new(false),
        });
        let own = Arc::clone(&spiller);
        thread::Builder::new().name("spiller".into()).spawn(move || own.work())?;
        Ok(spiller)
    }

    /// Ends it, with what it has at hand.
    pub(crate) fn stop(&self) {
        let mut jobs = lock(&self.jobs);
        jobs.is_over = true;
        jobs.queue.clear();
        drop(jobs);
        self.called.notify_all();
    }

    /// Whether something was done that nobody has heard of.
    pub(crate) fn has_done(&self) -> bool {
        self.has_done.load(Ordering::SeqCst)
    }

    fn work(&self) {
        let (mut has_told, mut is_watched) = (false, false);
        let mut moved_bytes = 0;
        let mut trimming = Trimming::new(Instant::now());
        loop {
            let mut jobs = lock(&self.jobs);
            if jobs.queue.is_empty() && !jobs.is_over {
                jobs = match self.called.wait_timeout(jobs, LOOK_EVERY) {
                    Ok((jobs, _)) => jobs,
                    Err(poisoned) => poisoned.into_inner().0,
                };
            }
            if jobs.is_over {
                return;
            }
            let job = jobs.queue.pop_front();
            drop(jobs);
            match job {
                None => {
                    self.look(&mut trimming, &mut is_watched);
                    if trimming.is_due(self.options.account.freed_bytes(), Instant::now()) {
                        self.trim(&mut trimming);
                    }
                }
                Some(Job::Load(task, value)) => {
                    let start = Instant::now();
                    value.load();
                    let bytes = value.size().bytes;
                    self.tell(Spilled::Loaded { task, bytes, nanoseconds: since(start) });
                }
                Some(Job::Spill(task, value)) => {
                    let (bytes, start) = (value.size().bytes, Instant::now());
                    let freed_bytes = value.resident_bytes();
                    let outcome = value.spill(&self.options.disk, self.options.compression);
                    // Its memory is free only when this is gone, too, and before anybody is told.
                    drop(value);
                    let nanoseconds = since(start);
                    match &outcome {
                        Spill::Failed(words) if !has_told => {
                            self.warn(words);
                            has_told = true;
                        }
                        Spill::Failed(_) | Spill::InUse => {}
                        Spill::Done => {
                            has_told = false;
                            moved_bytes += freed_bytes;
                        }
                    }
                    self.tell(Spilled::Moved { task, outcome, bytes, nanoseconds });
                    // Allocators keep what is freed; then it is no room.
                    if moved_bytes as f64 > LOOK_AFTER_SHARE * self.options.limit_bytes as f64 {
                        moved_bytes = 0;
                        self.look(&mut trimming, &mut is_watched);
                    }
                }
            }
        }
    }

    /// Says how much memory the process has, if that matters, or does no longer.
    fn look(&self, trimming: &mut Trimming, is_watched: &mut bool) {
        let watched = (self.options.limit_bytes as f64 * WATCHED_SHARE) as u64;
        let own = || machine::resident_bytes() / self.options.process_workers.max(1);
        let mut bytes = own();
        if bytes > watched && trimming.may(Instant::now()) {
            self.trim(trimming);
            bytes = own();
        }
        if std::mem::replace(is_watched, bytes > watched) || bytes > watched {
            self.tell(Spilled::Observed(bytes));
        }
    }

    /// Gives freed memory back to the system.
    fn trim(&self, trimming: &mut Trimming) {
        let (freed_bytes, start) = (self.options.account.freed_bytes(), Instant::now());
        machine::trim_heap();
        trimming.done(freed_bytes, start, Instant::now());
    }

    fn warn(&self, words: &str) {
        let SpillerOptions { rank, host, .. } = &self.options;
        crate::error::warn(format_args!(
            "rank {rank} ({host}): values cannot be moved to the disk, so tasks wait for memory: {words}"
        ));
    }

    fn tell(&self, done: Spilled) {
        lock(&self.done).push(done);
        self.has_done.store(true, Ordering::SeqCst);
        self.bells.ring_self();
    }

    fn add(&self, job: Job) {
        lock(&self.jobs).queue.push_back(job);
        self.called.notify_all();
    }
}

fn since(start: Instant) -> u64 {
    units::nanoseconds(start.elapsed())
}

impl Spiller for SpillThread {
    fn spill(&self, task: TaskId, value: Value) {
        self.add(Job::Spill(task, value));
    }

    fn load(&self, task: TaskId, value: Value) {
        self.add(Job::Load(task, value));
    }

    fn take_done(&self) -> Vec<Spilled> {
        if !self.has_done.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        std::mem::take(&mut *lock(&self.done))
    }
}

impl fmt::Debug for SpillThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpillThread({:?})", self.options.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_when_much_was_freed_and_nothing_more_is() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut trimming = Trimming::new(start);
        assert!(!trimming.is_due(TRIM_BYTES_MIN, at(0)), "more may be freed");
        assert!(trimming.is_due(TRIM_BYTES_MIN, at(200)));
        trimming.done(TRIM_BYTES_MIN, at(200), at(300));
        assert!(!trimming.is_due(TRIM_BYTES_MIN, at(5000)), "nothing was freed since");
        assert!(!trimming.is_due(3 * TRIM_BYTES_MIN, at(5200)));
        assert!(trimming.is_due(3 * TRIM_BYTES_MIN, at(5400)));
        trimming.done(3 * TRIM_BYTES_MIN, at(5400), at(5900));
        assert!(!trimming.is_due(5 * TRIM_BYTES_MIN, at(6000)));
        assert!(!trimming.is_due(5 * TRIM_BYTES_MIN, at(15_000)), "it took half a second");
        assert!(trimming.is_due(5 * TRIM_BYTES_MIN, at(15_900)));
    }
}
