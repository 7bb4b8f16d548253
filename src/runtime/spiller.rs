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
    value::{Spill, Value},
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

/// What a spiller is to know.
#[derive(Debug)]
pub(crate) struct SpillerOptions {
    pub rank: Rank,
    pub host: String,
    pub limit_bytes: u64,
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
        let mut has_told = false;
        let mut moved_bytes = 0;
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
                None => self.look(),
                Some(Job::Load(task, value)) => {
                    let start = Instant::now();
                    value.load();
                    let bytes = value.size().bytes;
                    self.tell(Spilled::Loaded { task, bytes, nanoseconds: since(start) });
                }
                Some(Job::Spill(task, value)) => {
                    let (bytes, start) = (value.size().bytes, Instant::now());
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
                            moved_bytes += bytes;
                        }
                    }
                    self.tell(Spilled::Moved { task, outcome, bytes, nanoseconds });
                    // Allocators keep what is freed; then it is no room.
                    if moved_bytes as f64 > LOOK_AFTER_SHARE * self.options.limit_bytes as f64 {
                        moved_bytes = 0;
                        self.look();
                    }
                }
            }
        }
    }

    /// Says how much memory the process has, if that matters.
    fn look(&self) {
        let watched = (self.options.limit_bytes as f64 * WATCHED_SHARE) as u64;
        let own = || machine::resident_bytes() / self.options.process_workers.max(1);
        if own() > watched {
            machine::trim_heap();
            self.tell(Spilled::Observed(own()));
        }
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
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
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
