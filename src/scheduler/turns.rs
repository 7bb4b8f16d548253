//! Whose turn it is, where several sessions want their tasks run: of one urgency, they take turns.
//!
//! What the ranks of the cluster submit is in one lane, what each session submits in one of its own. Each task that is
//! given out moves its lane back by one. A lane that had nothing to run comes no earlier than the one that was served
//! last, so nothing is saved up. Without sessions there is one lane, and turns decide nothing.

use super::table::{LayerSlot, Urgency};
use crate::rank::Rank;
use std::{cmp::Reverse, collections::BTreeMap};

/// The session that has submitted a task; nothing for a rank of the cluster.
pub(super) type Lane = Option<Rank>;

/// What is compared of two tasks that wait: the greater one goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct First {
    pub urgency: Urgency,
    pub turn: Reverse<u64>,
    pub level: u32,
}

/// How many tasks of each lane were given out.
#[derive(Debug, Default)]
pub(super) struct Turns {
    served: BTreeMap<Lane, u64>,
    /// Where the lane stood that was served last.
    last: u64,
}

impl Turns {
    /// The turn of a lane: the lowest goes first.
    pub(super) fn of(&self, lane: Lane) -> u64 {
        if self.served.is_empty() {
            return 0;
        }
        self.served.get(&lane).copied().unwrap_or(0).max(self.last)
    }

    /// A session begins.
    pub(super) fn open(&mut self, session: Rank) {
        self.served.insert(Some(session), self.last);
    }

    /// A session has ended.
    pub(super) fn close(&mut self, session: Rank) {
        self.served.remove(&Some(session));
        if self.served.keys().all(Option::is_none) {
            *self = Self::default();
        }
    }

    /// A task of a lane is given out.
    pub(super) fn serve(&mut self, lane: Lane) {
        if self.served.is_empty() {
            return;
        }
        self.last = self.of(lane);
        self.served.insert(lane, self.last + 1);
    }
}

/// Layers with withheld tasks, by lane: by urgency, then as they came.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// None of them is empty.
    lanes: BTreeMap<Lane, BTreeMap<(Reverse<Urgency>, u64), LayerSlot>>,
}

/// What is compared of two layers with withheld tasks: the lesser one goes first.
pub(super) type FirstRoot = (Reverse<Urgency>, u64, u64);

impl Roots {
    pub(super) fn insert(&mut self, lane: Lane, key: (Reverse<Urgency>, u64), layer: LayerSlot) {
        self.lanes.entry(lane).or_default().insert(key, layer);
    }

    pub(super) fn remove(&mut self, lane: Lane, key: &(Reverse<Urgency>, u64)) {
        let Some(layers) = self.lanes.get_mut(&lane) else { return };
        layers.remove(key);
        if layers.is_empty() {
            self.lanes.remove(&lane);
        }
    }

    /// The layer that is first.
    pub(super) fn first(&self, turns: &Turns) -> Option<(FirstRoot, LayerSlot)> {
        let first = |(lane, layers): (&Lane, &BTreeMap<(Reverse<Urgency>, u64), LayerSlot>)| {
            let ((urgency, order), layer) = layers.first_key_value()?;
            Some(((*urgency, turns.of(*lane), *order), *layer))
        };
        self.lanes.iter().filter_map(first).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_take_turns_and_save_nothing_up() {
        let (one, two) = (Some(Rank(7)), Some(Rank(8)));
        let mut turns = Turns::default();
        turns.serve(one);
        assert_eq!(turns.of(one), 0, "nobody else is there");
        turns.open(Rank(7));
        for _ in 0..100 {
            turns.serve(one);
        }
        turns.open(Rank(8));
        let mut served = Vec::new();
        for _ in 0..6 {
            let next = if turns.of(one) <= turns.of(two) { one } else { two };
            turns.serve(next);
            served.push(next);
        }
        assert_eq!(served.iter().filter(|lane| **lane == one).count(), 3, "{served:?}");
        turns.close(Rank(7));
        turns.close(Rank(8));
        assert!(turns.served.is_empty());
    }
}
