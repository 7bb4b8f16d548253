//! Tasks that need nothing do not run far ahead of what needs them.
//!
//! A task that needs nothing, a *source*, is *due* when some task that needs it waits for nothing but sources, or
//! when a client wants its value. Others would only fill memory until what needs them comes to run: few of those are
//! given out, and the others are put aside until they are due.
//!
//! Nothing waits for ever for that. Of the tasks that wait, take one that needs no other of them but sources: these
//! are due.

use super::{
    Scheduler, Worker,
    table::{Slot, State},
};
use crate::ids::TaskId;
use std::collections::BTreeMap;

/// How many sources for each thread may have begun before they are due.
const AHEAD_PER_THREAD: u64 = 2;
/// Of all workers' memory, the share that their values may have.
const AHEAD_MEMORY_SHARE: f64 = 0.1;

/// Sources that are not due.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Those that are put aside: as their layers came, and where a layer begins, first.
    aside: BTreeMap<(u64, TaskId), Slot>,
    /// How many have been given out.
    count: u64,
    /// How large the values are that they have made.
    bytes: u64,
    count_max: u64,
    bytes_max: u64,
}

impl Ahead {
    /// None of a scheduler's that has these workers.
    pub(super) fn of(workers: &[Worker]) -> Self {
        let mut ahead = Self::default();
        for worker in workers.iter().filter(|worker| !worker.is_lost) {
            ahead.count_max += AHEAD_PER_THREAD * u64::from(worker.spec.threads);
            ahead.bytes_max =
                ahead.bytes_max.saturating_add((worker.spec.memory_bytes as f64 * AHEAD_MEMORY_SHARE) as u64);
        }
        ahead
    }

    fn has_room(&self) -> bool {
        self.count < self.count_max && self.bytes <= self.bytes_max
    }

    pub(super) fn aside(&self) -> usize {
        self.aside.len()
    }

    pub(super) fn begun(&self) -> u64 {
        self.count
    }
}

impl Scheduler {
    /// Whether a source that is to be given out is put aside rather.
    pub(super) fn put_aside(&mut self, slot: Slot) -> bool {
        let task = &self.tasks[slot];
        if task.wanted || task.needed_by == 0 || self.is_due(slot) {
            return false;
        }
        if self.ahead.has_room() {
            self.tasks[slot].is_ahead = true;
            self.ahead.count += 1;
            return false;
        }
        let key = (self.layers[task.layer].order, task.id);
        self.tasks[slot].is_aside = true;
        self.ahead.aside.insert(key, slot);
        true
    }

    /// Whether something that needs a source waits for sources only.
    fn is_due(&self, slot: Slot) -> bool {
        let mut dependents = self.chains.iter(self.tasks[slot].dependents);
        dependents.any(|dependent| self.tasks[dependent].missing_others == 0)
    }

    /// Lets sources run ahead again that were put aside, as far as there is room.
    pub(super) fn run_ahead(&mut self) {
        while !self.ahead.aside.is_empty() && self.ahead.has_room() {
            let (_, slot) = self.ahead.aside.pop_first().expect("looked at above");
            self.tasks[slot].is_aside = false;
            self.tasks[slot].is_ahead = true;
            self.ahead.count += 1;
            self.become_ready(slot);
        }
    }

    /// A task waits for nothing but sources any more: these are due.
    pub(super) fn sources_are_due(&mut self, slot: Slot) {
        for need in self.needs_of(slot) {
            if let Some(source) = self.pages.get(need).filter(|source| self.tasks[*source].is_source) {
                self.is_not_ahead(source);
                if self.take_from_aside(source) {
                    self.become_ready(source);
                }
            }
        }
    }

    /// Takes a source back that was put aside. Returns whether it was.
    pub(super) fn take_from_aside(&mut self, slot: Slot) -> bool {
        let task = &mut self.tasks[slot];
        let was_aside = std::mem::take(&mut task.is_aside);
        if was_aside {
            self.ahead.aside.remove(&(self.layers[task.layer].order, task.id));
        }
        was_aside
    }

    /// A source that ran ahead has made its value.
    pub(super) fn has_run_ahead(&mut self, slot: Slot) {
        if self.tasks[slot].is_ahead {
            self.ahead.bytes += self.tasks[slot].size.bytes;
        }
    }

    /// A source is due, or nobody needs it.
    pub(super) fn is_not_ahead(&mut self, slot: Slot) {
        let task = &mut self.tasks[slot];
        if std::mem::take(&mut task.is_ahead) {
            self.ahead.count -= 1;
            self.ahead.bytes -= if task.state == State::Held { task.size.bytes } else { 0 };
        }
    }

    /// Nobody needs a source any more, or it will never run.
    pub(super) fn leave_sources(&mut self, slot: Slot) {
        if self.tasks[slot].is_source {
            self.is_not_ahead(slot);
            self.take_from_aside(slot);
        }
    }

    /// A worker was lost: all begins anew. Returns what was put aside.
    pub(super) fn begin_ahead_anew(&mut self) -> Vec<Slot> {
        let all: Vec<Slot> = self.tasks.iter().map(|(slot, _)| slot).collect();
        for slot in all {
            (self.tasks[slot].is_ahead, self.tasks[slot].is_aside) = (false, false);
        }
        let before = std::mem::replace(&mut self.ahead, Ahead::of(&self.workers));
        before.aside.into_values().collect()
    }

    /// Checks that nothing is put aside that is due.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn validate_ahead(&self) {
        for slot in self.ahead.aside.values() {
            let task = &self.tasks[*slot];
            assert!(task.is_aside && task.state == State::Withheld, "{:?} is put aside", task.id);
            assert!(!self.is_due(*slot), "{:?} is due", task.id);
        }
        let ahead = self.tasks.iter().filter(|(_, task)| task.is_ahead);
        assert_eq!(ahead.count() as u64, self.ahead.count, "sources that run ahead");
    }
}
