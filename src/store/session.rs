//! What concerns sessions: how much comes to one at a time, what is left of one that has ended, and what becomes of
//! values that will not come.

use super::{Action, Claim, State, Store};
use crate::{ids::TaskId, rank::Rank, value::Value};

/// Why a value is broken that was to come from a session.
const REASON: &str = "its session has ended before it was sent";

impl Store {
    /// Sets how many bodies may be on their way here at a time.
    pub(crate) fn limit_coming(&mut self, bodies_max: usize) {
        self.coming_max = bodies_max;
    }

    /// Sets which rank is the first that is a session's; without it there are none.
    #[must_use]
    pub(crate) fn with_sessions_from(mut self, rank: Rank) -> Self {
        self.first_session = rank;
        self
    }

    /// The scheduler has no use for a value that is not here. A session may have sent word that it is to be got from
    /// there, which comes another way, and later. Returns whether it may.
    pub(super) fn note_freed_early(&mut self, name: TaskId, claim: Claim) -> bool {
        let owner = name.owner();
        let may_come =
            matches!(claim, Claim::Worker) && owner >= self.first_session && !self.ended.contains(&owner);
        if may_come {
            self.freed_early.insert(name);
        }
        may_come
    }

    /// A session has ended: nothing comes from it any more, and nothing goes there. Whoever waits for a value that it
    /// was to send gets a broken one.
    pub(crate) fn end_session(&mut self, session: Rank) {
        self.ended.insert(session);
        self.freed_early.retain(|name| name.owner() != session);
        let mut names: Vec<TaskId> = self.entries.keys().copied().collect();
        names.sort_unstable();
        for name in names {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            entry.parked.retain(|(target, ..)| *target != session);
            if entry.teller == Some(session) {
                // From whom it was to be got may be lost, and only the session could have named another.
                (entry.teller, entry.is_owed) = (None, true);
            }
            match &entry.state {
                State::Coming { source, .. } if *source == session => self.will_not_come(name, REASON.into()),
                State::Deferred(wanted) if wanted.held.holder == session => self.break_value(name),
                State::Expected if entry.is_owed => self.break_owed(name),
                _ => self.forget_unexpected(name),
            }
        }
    }

    /// Somebody was told that a value is here which has not come: its owner gives it, unless that is a session that has
    /// ended.
    pub(super) fn note_owed(&mut self, name: TaskId) {
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.is_owed = true;
        }
        self.break_owed(name);
    }

    fn break_owed(&mut self, name: TaskId) {
        if self.ended.contains(&name.owner()) {
            self.break_value(name);
            self.forget_unclaimed(name);
        }
    }

    pub(super) fn break_value(&mut self, name: TaskId) {
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.state = State::Here(Value::broken(REASON.into()));
            self.settle(name);
        }
    }

    /// Forgets a broken value that only other ranks have asked for: they are told.
    pub(super) fn forget_unclaimed(&mut self, name: TaskId) {
        if self.entries.get(&name).is_some_and(|entry| entry.claims == 0) {
            self.free(name, Claim::Worker);
        }
    }

    /// A value that was asked for cannot be had: whoever wants it is told why.
    pub(super) fn will_not_come(&mut self, task: TaskId, reason: String) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let State::Coming { source, size, .. } = entry.state else { return };
        self.under_way.coming_bytes -= size.bytes;
        entry.state = State::Here(Value::broken(reason));
        let place = self.coming.iter().find(|((rank, _), coming)| *rank == source && coming.name == task);
        if let Some((source, tag)) = place.map(|(place, _)| *place) {
            let coming = self.coming.remove(&(source, tag));
            self.given_count -= usize::from(coming.is_some_and(|coming| coming.is_given));
            self.actions.push(Action::Withdraw { source, tag });
        }
        self.settle(task);
        self.forget_unclaimed(task);
        self.ask_for_deferred();
    }

    /// The names of what is here of a session's tasks, in order.
    pub(crate) fn names_of(&self, session: Rank) -> Vec<TaskId> {
        let is_its = |name: &&TaskId| name.owner() == session;
        let mut names: Vec<TaskId> = self.entries.keys().filter(is_its).copied().collect();
        names.sort_unstable();
        names
    }

    /// Forgets what is here of an ended session of which the scheduler knows nothing any more.
    pub(crate) fn forget_session(&mut self, session: Rank) {
        for name in self.names_of(session) {
            self.free(name, Claim::Worker);
            self.free(name, Claim::Client);
        }
    }
}
