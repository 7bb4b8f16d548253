//! Threads that wait for a task each, so that those can be woken that have something to do.

use crate::{
    ids::{TaskId, Tasks},
    lock::lock,
};
use rustc_hash::FxHashMap;
use std::{
    collections::hash_map::Entry,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, Thread},
};

/// Threads that are parked, by what they wait for. See the module.
#[derive(Debug, Default)]
pub(crate) struct ParkedThreads {
    threads: Mutex<FxHashMap<TaskId, Vec<Thread>>>,
    count: AtomicUsize,
}

impl ParkedThreads {
    /// Has this thread unparked when the task has ended, or its value has arrived, as long as the answer is held.
    pub(crate) fn park_for(&self, task: TaskId) -> Parked<'_> {
        self.count.fetch_add(1, Ordering::SeqCst);
        lock(&self.threads).entry(task).or_default().push(thread::current());
        Parked { all: self, task }
    }

    /// Unparks all threads, whatever they wait for.
    pub(crate) fn unpark_all(&self) {
        lock(&self.threads).values().flatten().for_each(Thread::unpark);
    }

    /// Unparks the threads that wait for these tasks.
    pub(super) fn unpark(&self, tasks: Tasks) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let parked = lock(&self.threads);
        if parked.len() < tasks.count as usize {
            let threads =
                parked.iter().filter(|(task, _)| tasks.contains(**task)).map(|(_, threads)| threads);
            threads.flatten().for_each(Thread::unpark);
        } else {
            tasks.iter().filter_map(|task| parked.get(&task)).flatten().for_each(Thread::unpark);
        }
    }
}

/// A thread that waits for a task. See [`ParkedThreads::park_for`].
pub(crate) struct Parked<'a> {
    all: &'a ParkedThreads,
    task: TaskId,
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut threads) = lock(&self.all.threads).entry(self.task) {
            let this = thread::current().id();
            let at = threads.get().iter().position(|thread| thread.id() == this);
            at.map(|at| threads.get_mut().swap_remove(at));
            if threads.get().is_empty() {
                threads.remove();
            }
        }
        self.all.count.fetch_sub(1, Ordering::SeqCst);
    }
}
