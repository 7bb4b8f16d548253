//! A thread that looks after a worker some of whose tasks wait.
//!
//! A task that waits gives its place to another thread (`threads.rs`). Tasks that have such places may all wait for
//! something that this library does not know of, such as a lock that is held by a task that waits for its turn. If
//! all threads sleep for a while and nothing begins or ends, the patrol starts a thread more: what the tasks that
//! wait need is run, however many others want the same lock.

use super::execute::Pool;
use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// How often the patrol looks while tasks wait.
const TICK: Duration = Duration::from_millis(5);
/// For how long nothing must have begun or ended before a thread more is started.
const STALLED_AFTER: Duration = Duration::from_millis(40);
/// For how long no task must have waited before the patrol rests.
const RESTS_AFTER: Duration = Duration::from_millis(100);
/// How often the patrol sees whether its worker is still there while it rests.
const REST: Duration = Duration::from_secs(1);

/// The patrol of one worker. See the module.
#[derive(Debug, Default)]
pub(super) struct Patrol {
    thread: Mutex<Option<Thread>>,
    is_awake: AtomicBool,
}

impl Patrol {
    /// A task begins to wait.
    pub(super) fn wake(&self, pool: &Arc<Pool>) {
        if self.is_awake.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut thread = crate::lock::lock(&self.thread);
        match &*thread {
            Some(thread) => thread.unpark(),
            None => {
                let pool = Arc::downgrade(pool);
                let patrols = move || patrol(&pool);
                // Without it tasks run all the same, unless they wait for each other's locks.
                let started = thread::Builder::new().name("maniple-patrol".into()).spawn(patrols);
                *thread = started.ok().map(|handle| handle.thread().clone());
            }
        }
    }

    /// Whether the patrol may rest: nothing has woken it meanwhile.
    fn rest(&self, pool: &Pool) -> bool {
        self.is_awake.store(false, Ordering::SeqCst);
        pool.waiting.load(Ordering::SeqCst) == 0 || self.is_awake.swap(true, Ordering::SeqCst)
    }
}

fn patrol(pool: &Weak<Pool>) {
    let mut watch = Watch::default();
    loop {
        let Some(pool) = pool.upgrade().filter(|pool| !pool.stopped.load(Ordering::SeqCst)) else { return };
        let rests = watch.look(&pool, Instant::now()) && pool.patrol().rest(&pool);
        drop(pool);
        if rests {
            thread::park_timeout(REST);
        } else {
            thread::sleep(TICK);
        }
    }
}

/// What the patrol has seen.
#[derive(Default)]
struct Watch {
    steps: usize,
    /// Since when nothing has begun or ended.
    since: Option<Instant>,
    /// When a task waited last.
    waited: Option<Instant>,
    /// Whether the scheduler counts a place more than there is.
    has_credit: bool,
}

impl Watch {
    /// Starts a thread if that is needed. Returns whether no task has waited for long.
    fn look(&mut self, pool: &Arc<Pool>, now: Instant) -> bool {
        let steps = pool.steps.load(Ordering::Relaxed);
        let waits = pool.waiting.load(Ordering::SeqCst) > 0;
        if waits {
            self.waited = Some(now);
        }
        if steps != self.steps || !waits {
            (self.steps, self.since) = (steps, Some(now));
            if std::mem::take(&mut self.has_credit) {
                pool.host().iter().for_each(|host| host.spares(-1));
            }
        }
        if !waits {
            return self.waited.is_none_or(|waited| now.duration_since(waited) >= RESTS_AFTER);
        }
        pool.call_threads();
        let is_stalled = self.since.is_some_and(|since| now.duration_since(since) >= STALLED_AFTER);
        if is_stalled && pool.are_threads_asleep() {
            self.since = Some(now);
            if pool.has_queued() {
                pool.active.fetch_add(1, Ordering::SeqCst);
                pool.call_thread(true);
            } else if !pool.has_free_place() && !std::mem::replace(&mut self.has_credit, true) {
                pool.host().iter().for_each(|host| host.spares(1));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Result, Runtime, WaitFor, current, is_in_task};
    use std::{cell::Cell, sync::PoisonError};

    /// As of a library that is not thread safe.
    static LIBRARY: Mutex<u64> = Mutex::new(0);

    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
    }

    fn part(x: u64) -> u64 {
        thread::sleep(Duration::from_millis(2));
        x + 1
    }

    fn whole(x: u64) -> u64 {
        let mut calls = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
        *calls += 1;
        current().client().submit(part, x).result().expect("the part is made")
    }

    /// Fails where another task runs on the stack of one that waits.
    fn chain(left: u64) -> u64 {
        assert_eq!(DEPTH.replace(1), 0, "the thread has no other task");
        let value = match left {
            0 => 0,
            left => current().client().submit(chain, left - 1).result().expect("the next one ends") + 1,
        };
        DEPTH.set(0);
        value
    }

    fn long_chain(left: u64) -> u64 {
        match left {
            0 => 0,
            left => current().client().submit(long_chain, left - 1).result().expect("the next one ends") + 1,
        }
    }

    fn nested_wholes(x: u64) -> u64 {
        let client = current().client().clone();
        let wholes = client.map(whole, x..x + 4);
        client.gather(&wholes).expect("they end").iter().sum()
    }

    fn with(threads: u32, spare: usize, driver: impl FnOnce(&Client) -> Result<u64> + Send) -> u64 {
        assert!(!is_in_task());
        Runtime::builder().threads(threads).spare_threads(spare).execute(driver).unwrap()
    }

    #[test]
    fn tasks_that_wait_with_a_lock_held_do_not_hang() {
        for threads in [1, 3] {
            let sum = with(threads, 100, |client| {
                let values = client.map(whole, 0..8u64);
                client.wait(&values, WaitFor::All, Duration::from_secs(60))?;
                Ok(client.gather(&values)?.iter().sum())
            });
            assert_eq!(sum, 36);
            let sum = with(threads, 100, |client| {
                let values = client.map(nested_wholes, [0u64, 4]);
                client.wait(&values, WaitFor::All, Duration::from_secs(60))?;
                Ok(client.gather(&values)?.iter().sum())
            });
            assert_eq!(sum, 36);
        }
    }

    #[test]
    fn nothing_runs_on_the_stack_of_a_task_that_waits() {
        for threads in [1, 2] {
            assert_eq!(with(threads, 1024, |client| client.submit(chain, 300).result()), 300);
        }
    }

    #[test]
    fn ten_thousand_tasks_wait_for_each_other_with_and_without_threads_of_their_own() {
        assert_eq!(with(1, 20, |client| client.submit(long_chain, 10_000).result()), 10_000);
        assert_eq!(with(2, 2_000, |client| client.submit(long_chain, 10_000).result()), 10_000);
    }
}
