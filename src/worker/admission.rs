//! Which tasks may begin, as far as the worker's memory goes.
//!
//! A task begins when there is room for what it reads back from the disk and for the value it will
//! make, or when nothing else could make room: room was asked for, no task runs, and nothing is on its way to the disk. How
//! large the values of a function are is learned from its last ones.

use crate::{ids::Code, lock::lock, store::Fullness};
use rustc_hash::FxHashMap;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

/// Whether a task may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It may. Say when it ends, with its bytes.
    Begins(u64),
    /// Not now.
    Waits,
    /// Never: there is no room for so many bytes, and nothing can be moved to the disk.
    Never(u64),
}

/// Who may begin. See the module.
#[derive(Debug)]
pub(super) struct Admission {
    /// How full the memory is. These may be read one before and one after a change: then the next look
    /// puts it right.
    room_bytes: AtomicU64,
    hard_room_bytes: AtomicU64,
    has_moving: AtomicBool,
    /// What the running tasks were let in with.
    reserved_bytes: AtomicU64,
    /// How many tasks run that do not wait for others.
    running: AtomicUsize,
    /// How large the values of functions are, and whether there are any that are large.
    learned: Mutex<FxHashMap<Code, u64>>,
    has_learned: AtomicBool,
    /// Counts what may have made room; and how far that was when a task was last told to wait.
    changes: AtomicU64,
    held_back_at: AtomicU64,
    /// How much room the task needs that was last told to wait.
    wanted_bytes: AtomicU64,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            room_bytes: AtomicU64::new(u64::MAX),
            hard_room_bytes: AtomicU64::new(u64::MAX),
            has_moving: AtomicBool::new(false),
            reserved_bytes: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            learned: Mutex::default(),
            has_learned: AtomicBool::new(false),
            changes: AtomicU64::new(1),
            held_back_at: AtomicU64::new(0),
            wanted_bytes: AtomicU64::new(0),
        }
    }
}

impl Admission {
    /// Whether a task of this function may begin that reads so many bytes back from the disk.
    pub(super) fn ask(&self, code: Code, reads_bytes: impl FnOnce() -> u64) -> Answer {
        let changes = self.changes.load(Ordering::SeqCst);
        let makes_bytes = match self.has_learned.load(Ordering::Relaxed) {
            true => lock(&self.learned).get(&code).copied().unwrap_or(0),
            false => 0,
        };
        let bytes = reads_bytes().saturating_add(makes_bytes);
        let room = self.room_bytes.load(Ordering::SeqCst);
        let others = self.running.fetch_add(1, Ordering::SeqCst);
        let reserved = self.reserved_bytes.fetch_add(bytes, Ordering::SeqCst);
        if room > reserved && room - reserved >= bytes {
            return Answer::Begins(bytes);
        }
        // Room is made for what was told to wait, so what has not been told is told once.
        let has_asked = self.wanted_bytes.load(Ordering::SeqCst) >= bytes;
        let is_only_way = others == 0 && has_asked && !self.has_moving.load(Ordering::SeqCst);
        if is_only_way && self.hard_room_bytes.load(Ordering::SeqCst) >= bytes {
            return Answer::Begins(bytes);
        }
        self.leave(bytes);
        if is_only_way {
            return Answer::Never(bytes);
        }
        self.wanted_bytes.store(bytes + reserved, Ordering::SeqCst);
        self.held_back_at.store(changes, Ordering::SeqCst);
        Answer::Waits
    }

    fn leave(&self, bytes: u64) {
        self.reserved_bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    /// A task that was let in with so many bytes has ended.
    pub(super) fn end(&self, bytes: u64) {
        self.leave(bytes);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// A running task begins to wait for others, or goes on.
    pub(super) fn block(&self, blocks: bool) {
        if blocks {
            self.running.fetch_sub(1, Ordering::SeqCst);
            self.changes.fetch_add(1, Ordering::SeqCst);
        } else {
            self.running.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A function made a value of this size.
    pub(super) fn learn(&self, code: Code, bytes: u64) {
        let mut learned = lock(&self.learned);
        let known = learned.entry(code).or_default();
        // What may come again, rather than the mean.
        *known = bytes.max((*known * 3 + bytes) / 4);
        self.has_learned.store(true, Ordering::Relaxed);
    }

    /// How full the memory is now. Returns whether a task that was told to wait should ask again.
    pub(super) fn note(&self, fullness: Fullness) -> bool {
        let Fullness { room_bytes, changes, hard_room_bytes } = fullness;
        let room_before = self.room_bytes.swap(room_bytes, Ordering::SeqCst);
        self.hard_room_bytes.store(hard_room_bytes.unwrap_or(u64::MAX), Ordering::SeqCst);
        let moved_before = self.has_moving.swap(changes, Ordering::SeqCst);
        let waits = self.holds_back();
        let is_over = !changes && (moved_before || self.running.load(Ordering::SeqCst) == 0);
        if waits && (room_bytes > room_before || is_over) {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
        waits && !self.holds_back()
    }

    /// How much room should be made for a task that waits.
    pub(super) fn wanted_bytes(&self) -> u64 {
        if self.holds_back() { self.wanted_bytes.load(Ordering::SeqCst) } else { 0 }
    }

    /// Whether a task was told to wait, and nothing has changed since.
    pub(super) fn holds_back(&self) -> bool {
        self.held_back_at.load(Ordering::SeqCst) == self.changes.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Code = Code { module: 0, offset: 0 };

    fn fullness(room_bytes: u64, changes: bool, limit: Option<u64>) -> Fullness {
        Fullness { room_bytes, changes, hard_room_bytes: limit }
    }

    #[test]
    fn with_no_limit_everything_begins() {
        let admission = Admission::default();
        assert_eq!(admission.ask(CODE, || 1 << 60), Answer::Begins(1 << 60));
    }

    #[test]
    fn a_task_waits_for_room_and_is_told_when_there_is() {
        let admission = Admission::default();
        admission.note(fullness(100, false, None));
        assert_eq!(admission.ask(CODE, || 80), Answer::Begins(80));
        assert_eq!(admission.ask(CODE, || 80), Answer::Waits);
        assert!(admission.holds_back());
        assert!(!admission.note(fullness(100, false, None)), "nothing has changed");
        admission.end(80);
        assert!(!admission.holds_back());
        assert_eq!(admission.ask(CODE, || 80), Answer::Begins(80));
    }

    #[test]
    fn one_task_runs_however_full_it_is_but_not_while_values_leave() {
        let admission = Admission::default();
        admission.note(fullness(0, true, None));
        assert_eq!(admission.ask(CODE, || 80), Answer::Waits);
        assert!(admission.note(fullness(0, false, None)));
        assert_eq!(admission.ask(CODE, || 80), Answer::Begins(80));
        assert_eq!(admission.ask(CODE, || 0), Answer::Waits);
        admission.block(true);
        assert_eq!(admission.ask(CODE, || 0), Answer::Begins(0), "the other waits for tasks like this one");
    }

    #[test]
    fn what_can_never_fit_is_told() {
        let admission = Admission::default();
        admission.note(fullness(0, false, Some(50)));
        admission.learn(CODE, 30);
        assert_eq!(admission.ask(CODE, || 10), Answer::Waits, "room may be made for it");
        assert_eq!(admission.wanted_bytes(), 40);
        assert!(admission.note(fullness(0, false, Some(50))), "none was made");
        assert_eq!(admission.ask(CODE, || 10), Answer::Begins(40));
        admission.end(40);
        assert_eq!(admission.ask(CODE, || 30), Answer::Waits);
        assert!(admission.note(fullness(0, false, Some(50))));
        assert_eq!(admission.ask(CODE, || 30), Answer::Never(60));
        assert_eq!(admission.ask(CODE, || 10), Answer::Begins(40));
    }
}
