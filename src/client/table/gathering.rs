//! When a client's messages are sent: not those of a part of an expression, and not more than can be run.

use super::{Request, Table};
use crate::{
    message::{Message, ToScheduler},
    rank::Rank,
};

impl Table {
    /// Whether more may be submitted, where `limit` may be open. What is held back is not sent, so it can't end.
    pub(crate) fn has_room(&self, limit: u64) -> bool {
        let mut state = self.state();
        if let Some(open_max) = state.room.ask(limit) {
            let message = Message::ToScheduler(ToScheduler::AskRoom { open_max });
            state.requests.push(Request::Say(Rank::SCHEDULER, message));
            self.bells.ring_self();
        }
        state.held_back > 0 || state.room.is_left(limit)
    }

    /// Holds back what is to be said until [`go_on`](Self::go_on).
    pub(crate) fn hold_back(&self) {
        self.state().held_back += 1;
    }

    /// See [`hold_back`](Self::hold_back).
    pub(crate) fn go_on(&self) {
        self.state().held_back -= 1;
        self.bells.ring_self();
    }

    /// Gathers what is to be said until [`say_gathered`](Self::say_gathered), unless it becomes much.
    pub(crate) fn gather(&self) {
        self.state().gathering += 1;
    }

    /// Somebody waits: what was gathered may be what for.
    pub(crate) fn hurry(&self) {
        let mut state = self.state();
        state.is_urgent = state.gathering > 0;
    }

    /// See [`gather`](Self::gather).
    pub(crate) fn say_gathered(&self) {
        let mut state = self.state();
        state.gathering -= 1;
        state.is_urgent &= state.gathering > 0;
        drop(state);
        self.bells.ring_self();
    }
}
