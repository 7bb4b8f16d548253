//! How many tasks each client has that have not ended, so that a client that submits too much waits.
//!
//! A client that has submitted much asks to be told when few enough of its tasks are open
//! ([`ToScheduler::AskRoom`]). It hears nothing of tasks whose futures it has dropped, so it cannot count itself.
//!
//! A task weighs one, and one more for each KiB of its arguments ([`Layer::weight`]). It is open until it ends for
//! the first time; where its value was lost and is made again, that is not counted.
//!
//! [`ToScheduler::AskRoom`]: crate::message::ToScheduler::AskRoom
//! [`Layer::weight`]: crate::message::Layer::weight

use super::{
    Scheduler,
    table::{LayerSlot, Slot},
};
use crate::{message::ToClient, rank::Rank};
use std::collections::BTreeMap;

/// The open tasks of all clients.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// What they weigh, by the rank that submitted them.
    open: BTreeMap<Rank, u64>,
    /// Who is to be told when its tasks weigh no more than this.
    asked: Vec<(Rank, u64)>,
}

impl Room {
    /// What the open tasks of all clients weigh.
    pub(super) fn total(&self) -> u64 {
        self.open.values().sum()
    }

    fn of(&mut self, rank: Rank) -> &mut u64 {
        self.open.entry(rank).or_default()
    }

    /// Nobody listens there any more.
    pub(super) fn forget(&mut self, rank: Rank) {
        self.asked.retain(|(asker, _)| *asker != rank);
    }

    /// Forgets a client that has no open tasks.
    pub(super) fn forget_client(&mut self, rank: Rank) {
        if self.open.get(&rank) == Some(&0) {
            self.open.remove(&rank);
        }
    }
}

impl Scheduler {
    /// A layer was submitted.
    pub(super) fn open(&mut self, layer: LayerSlot) {
        let record = &self.layers[layer];
        let tasks = record.layer.tasks;
        *self.room.of(tasks.first.owner()) += u64::from(tasks.count) * record.weight;
    }

    /// A task has ended, or is forgotten.
    pub(super) fn close(&mut self, slot: Slot) {
        if std::mem::take(&mut self.tasks[slot].is_open) {
            self.close_many(self.tasks[slot].layer, 1);
        }
    }

    /// So many tasks of a layer have ended, or are forgotten.
    pub(super) fn close_many(&mut self, layer: LayerSlot, count: u32) {
        let record = &self.layers[layer];
        *self.room.of(record.layer.tasks.first.owner()) -= u64::from(count) * record.weight;
    }

    pub(super) fn ask_room(&mut self, source: Rank, open_max: u64) {
        self.room.asked.push((source, open_max));
    }

    /// Tells those who asked and whose open tasks are few enough now.
    pub(super) fn tell_room(&mut self) {
        for (rank, open_max) in std::mem::take(&mut self.room.asked) {
            let open = *self.room.of(rank);
            match open <= open_max {
                true => self.tell_client(rank, ToClient::Room { open }),
                false => self.room.asked.push((rank, open_max)),
            }
        }
    }
}
