//! When time runs out: what cannot end in time is not begun.
//!
//! The scheduler is told how much time is left ([`ToScheduler::TimeLeft`]). A task that is expected to
//! take as long is *late*, and with no time left every task is. Late tasks fail: at once where no worker
//! has them, and where one has, when it gives them back. Those that run go on, and their values count.
//!
//! [`ToScheduler::TimeLeft`]: crate::message::ToScheduler::TimeLeft

use super::{
    Scheduler,
    table::{LayerSlot, Slot, State},
};
use crate::{
    error::{Reason, TaskError},
    message::ToClient,
    rank::Rank,
};
use std::sync::Arc;

impl Scheduler {
    pub(super) fn time_left(&mut self, nanoseconds: u64) {
        if nanoseconds >= self.time_left_nanoseconds {
            return;
        }
        self.time_left_nanoseconds = nanoseconds;
        let late = self.timed.split_off(&(nanoseconds, 0));
        if nanoseconds > 0 {
            late.into_iter().for_each(|(_, layer)| self.end_layer(layer, Self::fail_late));
            return;
        }
        let all: Vec<LayerSlot> = self.layers.iter().map(|(slot, _)| slot).collect();
        all.into_iter().for_each(|layer| self.end_layer(layer, Self::fail_late));
        let clients: Vec<Rank> = self.clients().collect();
        clients.into_iter().for_each(|rank| self.tell_client(rank, ToClient::Stopping));
    }

    /// Whether it is too late to begin tasks of a layer.
    pub(super) fn is_late(&self, layer: LayerSlot) -> bool {
        self.layers[layer].expected_nanoseconds() >= self.time_left_nanoseconds
    }

    /// Why it is too late to begin tasks of a layer.
    pub(super) fn why_late(&self, layer: LayerSlot) -> String {
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        match self.time_left_nanoseconds {
            0 => "the run is stopping".into(),
            left => format!(
                "it is expected to take {:.1} s, and {:.1} s are left",
                seconds(self.layers[layer].expected_nanoseconds()),
                seconds(left)
            ),
        }
    }

    /// Fails a task that no worker has.
    pub(super) fn fail_late(&mut self, slot: Slot) {
        let task = &self.tasks[slot];
        let error = TaskError {
            reason: Reason::Stopping,
            function: self.layers[task.layer].name(),
            task: task.id.sequence(),
            rank: None,
            host: String::new(),
            message: TaskError::message(self.why_late(task.layer)),
            attempts: u32::from(task.attempt),
            dependents: Vec::new(),
        };
        self.fail(slot, Arc::new(error));
    }

    /// Fails the tasks of a layer that have not begun, and asks workers for those that may not have.
    pub(super) fn end_layer(&mut self, layer: LayerSlot, fail: fn(&mut Self, Slot)) {
        let record = &mut self.layers[layer];
        let tasks = record.layer.tasks;
        let cursor = std::mem::replace(&mut record.cursor, tasks.count);
        if cursor < tasks.count {
            self.withheld -= u64::from(tasks.count - cursor);
            self.leave_roots(layer);
        }
        for index in 0..tasks.count {
            let id = tasks.first.plus(index);
            let slot = match self.pages.get(id) {
                Some(slot) => slot,
                None if index < cursor => continue,
                None => self.insert(id, layer, State::Withheld),
            };
            if index >= cursor && !self.leave_queue(slot) {
                continue;
            }
            let task = &self.tasks[slot];
            match task.state {
                State::Withheld | State::Waiting | State::Ready => fail(self, slot),
                State::Assigned if !task.cancelled => self.ask_for(slot),
                _ => {}
            }
        }
    }
}
