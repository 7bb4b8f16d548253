//! What becomes of values that were to come from a rank that is lost.

use super::{Claim, Entry, State, Store, Wanted};
use crate::{
    ids::{Size, TaskId},
    message::Held,
    rank::Rank,
};

impl Store {
    /// A rank is lost, and so is what was to come from there, but for what another rank can send instead.
    /// Returns what the worker lacks of what it was told to get, and what it has that the rank had submitted.
    pub(crate) fn lose(&mut self, rank: Rank) -> (Vec<TaskId>, Vec<TaskId>) {
        self.lost.push(rank);
        self.coming.retain(|(source, _), _| *source != rank);
        self.given_count = self.coming.values().filter(|coming| coming.is_given).count();
        let mut names: Vec<TaskId> = self.entries.keys().copied().collect();
        names.sort_unstable();
        let (mut lacking, mut orphaned) = (Vec::new(), Vec::new());
        for name in names {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            entry.parked.retain(|(target, ..)| *target != rank);
            let (source, size) = match &entry.state {
                State::Here(_) => (None, Size::default()),
                State::Expected => (None, Size::default()),
                State::Deferred(wanted) => (Some(wanted.held.holder), wanted.size()),
                State::Coming { source, size, .. } => (Some(*source), *size),
            };
            let is_here = matches!(entry.state, State::Here(_));
            if is_here && name.owner() == rank {
                orphaned.push(name);
            }
            if is_here || source != Some(rank) && name.owner() != rank {
                self.forget_unexpected(name);
                continue;
            }
            if matches!(entry.state, State::Coming { .. }) {
                self.under_way.coming_bytes -= size.bytes;
            }
            entry.state = State::Expected;
            let is_owed = std::mem::take(&mut entry.is_owed);
            if name.owner() == rank {
                // Whoever has asked for it has given up, or will.
                entry.parked.clear();
            }
            if let Some(teller) = entry.teller.filter(|teller| *teller != rank) {
                // Who gave it keeps it until all have it.
                let held = Held { task: name, holder: teller, size };
                self.ask_for(name, Wanted { held, cut: None, is_given: true });
                continue;
            }
            if entry.claims & Claim::Worker as u8 != 0 {
                entry.claims &= !(Claim::Worker as u8);
                lacking.push(name);
            }
            if is_owed {
                self.note_owed(name);
            }
            self.forget_unexpected(name);
        }
        (lacking, orphaned)
    }

    /// Forgets an entry that is there for nobody.
    pub(super) fn forget_unexpected(&mut self, name: TaskId) {
        let is_for_nobody = |entry: &Entry| {
            matches!(entry.state, State::Expected) && entry.claims == 0 && entry.parked.is_empty()
        };
        if self.entries.get(&name).is_some_and(is_for_nobody) {
            self.forget(name);
        }
    }
}
