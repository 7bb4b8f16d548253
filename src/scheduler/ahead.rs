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
    table::{Slot, State, Urgency},
};
use crate::ids::TaskId;
use std::{cmp::Reverse, collections::BTreeMap};

/// Limits of sources that are not due.
#[derive(Clone, Copy, Debug)]
pub(super) struct AheadLimits {
    /// How many for each thread may be given out that have no value yet.
    pub per_thread: u64,
    /// The share of all workers' memory that their values may occupy.
    pub memory_share: f64,
}

impl Default for AheadLimits {
    fn default() -> Self {
        Self { per_thread: 8, memory_share: 0.1 }
    }
}

/// The place of a source among others: more urgent layers first.
type Place = ((Reverse<Urgency>, u64), TaskId);

/// Sources that are not due.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Those that are put aside, in the order of their layers, and within a layer of their tasks.
    aside: BTreeMap<Place, Slot>,
    /// How many have been given out and have no value yet.
    count: u64,
    /// How large the values are that they have made.
    bytes: u64,
    count_max: u64,
    bytes_max: u64,
}

impl Ahead {
    /// None of a scheduler's that has these workers.
    pub(super) fn of(workers: &[Worker], limits: AheadLimits) -> Self {
        let mut ahead = Self::default();
        for worker in workers.iter().filter(|worker| !worker.is_lost) {
            ahead.count_max += limits.per_thread * u64::from(worker.spec.threads);
            let bytes = worker.spec.memory_bytes as f64 * limits.memory_share;
            ahead.bytes_max = ahead.bytes_max.saturating_add(bytes as u64);
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
    /// Sets how many sources for each thread may begin before they are due, instead of a few. None is enough.
    #[must_use]
    pub fn run_ahead_at_most(mut self, per_thread: u64) -> Self {
        self.ahead_limits.per_thread = per_thread;
        self.ahead = Ahead::of(&self.workers, self.ahead_limits);
        self
    }

    /// Whether a source that is to be given out is put aside rather.
    pub(super) fn put_aside(&mut self, slot: Slot) -> bool {
        let task = &self.tasks[slot];
        if task.wanted || task.needed_by == 0 || self.is_due(slot) {
            return false;
        }
        if self.ahead.has_room() {
            self.let_run_ahead(slot);
            return false;
        }
        let place = self.place_of(slot);
        self.tasks[slot].is_aside = true;
        self.ahead.aside.insert(place, slot);
        true
    }

    fn let_run_ahead(&mut self, slot: Slot) {
        self.tasks[slot].is_ahead = true;
        self.ahead.count += 1;
    }

    fn place_of(&self, slot: Slot) -> Place {
        let task = &self.tasks[slot];
        (self.layers[task.layer].root_key(), task.id)
    }

    /// Whether something that needs a source waits for sources only.
    fn is_due(&self, slot: Slot) -> bool {
        let mut dependents = self.chains.iter(self.tasks[slot].dependents);
        dependents.any(|dependent| {
            let task = &self.tasks[dependent];
            // Tasks that have failed or that nobody needs are in the chain until the source has a value.
            task.state == State::Waiting && task.missing_others == 0
        })
    }

    /// Lets sources run ahead again that were put aside, as far as there is room.
    pub(super) fn run_ahead(&mut self) {
        while !self.ahead.aside.is_empty() && self.ahead.has_room() {
            let (_, slot) = self.ahead.aside.pop_first().expect("looked at above");
            self.tasks[slot].is_aside = false;
            self.let_run_ahead(slot);
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
            self.ahead.aside.remove(&self.place_of(slot));
        }
        was_aside
    }

    /// A source that ran ahead has made its value, which a worker keeps.
    pub(super) fn has_run_ahead(&mut self, slot: Slot) {
        if self.tasks[slot].is_ahead {
            self.ahead.count -= 1;
            self.ahead.bytes += self.tasks[slot].size.bytes;
        }
    }

    /// A source is due, or nobody needs it.
    pub(super) fn is_not_ahead(&mut self, slot: Slot) {
        let task = &mut self.tasks[slot];
        if std::mem::take(&mut task.is_ahead) {
            match task.state {
                State::Held => self.ahead.bytes -= task.size.bytes,
                _ => self.ahead.count -= 1,
            }
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
        let before = std::mem::replace(&mut self.ahead, Ahead::of(&self.workers, self.ahead_limits));
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
        let ahead = self.tasks.iter().filter(|(_, task)| task.is_ahead && task.state != State::Held);
        assert_eq!(ahead.count() as u64, self.ahead.count, "sources that run ahead");
    }
}
