//! A table that records what is submitted, for a step that is repeated.

use super::{Request, State, Table};
use crate::{
    ids::TaskId,
    message::{Layer, Message, ToScheduler},
};
use std::sync::{Arc, Mutex};

/// The first number of a recorded task: beyond those of tasks that are run.
const FIRST_SEQUENCE: u64 = 1 << (TaskId::SEQUENCE_BITS - 1);

impl Table {
    /// A table of the same rank whose tasks are not run, and stand for those of a step. Its futures are of no run, but
    /// its tasks may take values of this run.
    pub(crate) fn recording(&self) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            own: own.clone(),
            state: Mutex::new(State { next_sequence: FIRST_SEQUENCE, ..State::default() }),
            is_recording: true,
            ..Self::unshared(self.this, Arc::clone(&self.bells), false)
        })
    }

    /// Takes the layers that were recorded. `None` if something else was asked for besides.
    pub(crate) fn take_recorded(&self) -> Option<Vec<Layer>> {
        let layer = |request| match request {
            Request::Say(_, Message::ToScheduler(ToScheduler::Submit(layer))) => Some(layer),
            _ => None,
        };
        std::mem::take(&mut self.state().requests).into_iter().map(layer).collect()
    }
}
