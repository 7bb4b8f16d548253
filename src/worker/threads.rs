//! The threads that run a worker's tasks.
//!
//! They are rayon's: `par_iter` inside a task uses the threads of its pool. The first pool has as many threads
//! as the worker may run tasks at a time. A task that waits keeps its thread, and gives its place to one of the
//! next pool, which is made when it is needed: so nothing but the task itself runs on its stack. The pools after
//! the second start each thread when that is needed for the first time.

use super::overflow;
use crate::{host::machine, lock::lock};
use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder};
use std::{
    cell::RefCell,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// How many pools have all their threads from the beginning.
const WHOLE_POOLS: usize = 2;

/// The maximum number of threads in place of those whose tasks wait, unless another one is set.
pub(crate) const SPARE_MAX: usize = 1024;

/// What the threads of a worker are to be like.
#[derive(Clone, Debug)]
pub(crate) struct ThreadOptions {
    /// How many tasks run at a time.
    pub count: usize,
    /// The cores that the threads keep to, if any.
    pub cores: Vec<u32>,
    /// The stack of each thread, in bytes.
    pub stack_bytes: usize,
    /// The maximum number of threads in place of those whose tasks wait.
    pub spare_max: usize,
    /// What to call the worker in errors.
    pub who: String,
}

impl ThreadOptions {
    /// So many threads, with defaults for all else.
    #[cfg(test)]
    pub(crate) fn of(count: usize) -> Self {
        Self {
            count,
            cores: Vec::new(),
            stack_bytes: machine::stack_bytes(),
            spare_max: SPARE_MAX,
            who: String::new(),
        }
    }
}

/// Called on each thread as it starts, with its place.
type Starts = Box<dyn Fn(usize) + Send + Sync>;

/// A worker's threads. See the module.
pub(super) struct Threads {
    options: ThreadOptions,
    starts: Starts,
    pools: Mutex<Vec<Pool>>,
    known: Mutex<Vec<Arc<State>>>,
}

/// One of the pools.
struct Pool {
    threads: ThreadPool,
    /// Threads that have not been started, the first ones last.
    unstarted: Vec<ThreadBuilder>,
    /// How many threads have been promised to a job.
    busy: usize,
}

/// What is known of a thread by the others.
struct State {
    pool: usize,
    index: usize,
    /// Its number in the system, if that has one.
    number: Option<i32>,
    /// Whether it runs a task that does not wait.
    runs: AtomicBool,
}

thread_local! {
    static THREAD: RefCell<Option<Arc<State>>> = const { RefCell::new(None) };
}

/// A thread's place among all of the worker's, counted through the pools, if it is one of them; and its place in
/// its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) of_all: usize,
    pub(super) in_pool: usize,
    pub(super) is_spare: bool,
}

impl Threads {
    /// The threads of the first pool, each of which calls `starts` with its place.
    ///
    /// # Errors
    ///
    /// The system's, if a thread cannot be started.
    pub(super) fn new(options: ThreadOptions, starts: Starts) -> Result<Arc<Self>, String> {
        let threads = Arc::new(Self { options, starts, pools: Mutex::default(), known: Mutex::default() });
        let first = threads.make_pool(0).map_err(|error| error.to_string())?;
        lock(&threads.pools).push(first);
        Ok(threads)
    }

    /// How many tasks run at a time.
    pub(super) fn count(&self) -> usize {
        self.options.count
    }

    /// The maximum number of threads in place of those whose tasks wait.
    pub(super) fn spare_max(&self) -> usize {
        self.options.spare_max
    }

    #[cfg(test)]
    pub(super) fn broadcast<R: Send>(&self, job: impl Fn(rayon::BroadcastContext<'_>) -> R + Sync) -> Vec<R> {
        lock(&self.pools)[0].threads.broadcast(job)
    }

    /// What to call the worker in errors.
    pub(super) fn who(&self) -> &str {
        &self.options.who
    }

    /// Runs a job on a thread without one; the job is given the thread's pool, for [`leave`](Self::leave). With
    /// `fresh` on a pool all of whose threads have none. Returns whether there is such a thread, or could be made.
    pub(super) fn spawn(
        self: &Arc<Self>,
        fresh: bool,
        job: impl FnOnce(usize) + Send + 'static,
    ) -> Result<(), Refused> {
        let mut pools = lock(&self.pools);
        let fits = |pool: &Pool| if fresh { pool.busy == 0 } else { pool.busy < self.options.count };
        let at = match pools.iter().position(fits) {
            Some(at) => at,
            None => {
                let made = self.make_pool(pools.len()).map_err(Refused::System)?;
                pools.push(made);
                pools.len() - 1
            }
        };
        let spare: usize = pools[1..].iter().map(|pool| pool.busy).sum();
        if at > 0 && spare >= self.options.spare_max {
            return Err(Refused::Bound);
        }
        let pool = &mut pools[at];
        let started = self.options.count - pool.unstarted.len();
        if pool.busy >= started
            && let Some(thread) = pool.unstarted.pop()
        {
            // If there is none, the job may wait for one for ever.
            self.start(at, thread).map_err(Refused::System)?;
        }
        pool.busy += 1;
        pool.threads.spawn(move || job(at));
        Ok(())
    }

    /// A job on a thread of this pool is over.
    pub(super) fn leave(&self, pool: usize) {
        lock(&self.pools)[pool].busy -= 1;
    }

    fn make_pool(self: &Arc<Self>, number: usize) -> io::Result<Pool> {
        let mut unstarted = Vec::new();
        let is_whole = number < WHOLE_POOLS;
        let threads = ThreadPoolBuilder::new()
            .num_threads(self.options.count)
            .spawn_handler(|thread| match is_whole {
                true => self.start(number, thread),
                false => {
                    unstarted.push(thread);
                    Ok(())
                }
            })
            .build()
            .map_err(io::Error::other)?;
        unstarted.reverse();
        Ok(Pool { threads, unstarted, busy: 0 })
    }

    fn start(self: &Arc<Self>, pool: usize, builder: ThreadBuilder) -> io::Result<()> {
        let (threads, index) = (Arc::downgrade(self), builder.index());
        let count = self.options.count;
        let run = move || {
            if let Some(threads) = threads.upgrade() {
                threads.starts(pool, index);
            }
            builder.run();
            overflow::forget_stack();
        };
        let name = format!("worker-{}", pool * count + index);
        thread::Builder::new().name(name).stack_size(self.options.stack_bytes).spawn(run).map(drop)
    }

    /// Called on each thread as it starts.
    fn starts(&self, pool: usize, index: usize) {
        if !self.options.cores.is_empty() {
            machine::keep_to(&self.options.cores);
        }
        overflow::note_stack(&self.options.who, self.options.stack_bytes);
        let state =
            Arc::new(State { pool, index, number: machine::thread_number(), runs: AtomicBool::new(false) });
        lock(&self.known).push(Arc::clone(&state));
        THREAD.set(Some(state));
        (self.starts)(pool * self.options.count + index);
    }

    /// The place of this thread, if it is one of these.
    pub(super) fn place(&self) -> Option<Place> {
        THREAD.with_borrow(|state| {
            let state = state.as_ref()?;
            Some(Place {
                of_all: state.pool * self.options.count + state.index,
                in_pool: state.index,
                is_spare: state.pool > 0,
            })
        })
    }

    /// Whether none of the threads that run tasks which do not wait for other tasks is on a core, or ready to be:
    /// so they wait for something else, such as a lock. False where the system does not tell.
    pub(super) fn are_asleep(&self) -> bool {
        let is_asleep = |state: &Arc<State>| {
            !state.runs.load(Ordering::Relaxed)
                || state.number.is_some_and(|number| machine::is_thread_asleep(number) == Some(true))
        };
        lock(&self.known).iter().all(is_asleep)
    }
}

/// Notes whether this thread runs a task that does not wait.
pub(super) fn note_runs(runs: bool) {
    THREAD.with_borrow(|state| state.iter().for_each(|state| state.runs.store(runs, Ordering::Relaxed)));
}

/// Why there is no thread for a job.
#[derive(Debug)]
pub(super) enum Refused {
    /// There are as many as there may be.
    Bound,
    /// The system starts no more.
    System(io::Error),
}
