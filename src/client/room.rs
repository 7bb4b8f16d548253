//! How many of a client's tasks have not ended, as far as it needs to know: so that a driver that submits without
//! end is held back.
//!
//! The client counts what it submits, and asks the scheduler how much of it is open when that may be more than half
//! of the limit; so it counts too much rather than too little, and asks once for each half.

use super::{Client, table::Table};
use crate::{cluster::Cluster, running::running};

/// A driver may have at least so many tasks that have not ended, however few threads there are.
const LIMIT_MIN: u64 = 1 << 16;
/// How many there may be for each thread of a worker.
const LIMIT_PER_THREAD: u64 = 1 << 10;

/// What a client has submitted, in weights: see [`Layer::weight`](crate::message::Layer::weight).
#[derive(Debug, Default)]
pub(super) struct Room {
    /// What its open tasks weigh at most.
    open: u64,
    /// What was submitted since the scheduler was asked.
    since: u64,
    /// Whether it was asked, and has not answered.
    asked: bool,
}

impl Room {
    /// So much is submitted.
    pub(super) fn fill(&mut self, weight: u64) {
        self.open += weight;
        self.since += weight;
    }

    /// The scheduler says what is open.
    pub(super) fn learn(&mut self, open: u64) {
        // Some of what was submitted since is counted twice if the answer took its time.
        *self = Self { open: open + self.since, since: 0, asked: false };
    }

    /// What to ask the scheduler for, if it should be asked.
    pub(super) fn ask(&mut self, limit: u64) -> Option<u64> {
        if self.open <= limit / 2 || self.asked {
            return None;
        }
        (self.since, self.asked) = (0, true);
        Some(limit / 2)
    }

    /// Whether more may be submitted.
    pub(super) fn is_left(&self, limit: u64) -> bool {
        self.open < limit
    }
}

/// How many tasks that have not ended a driver may have, where nothing else is set.
pub(crate) fn default_limit(cluster: &Cluster) -> u64 {
    let threads: u64 = cluster.workers().map(|worker| u64::from(worker.threads)).sum();
    LIMIT_MIN.max(threads.saturating_mul(LIMIT_PER_THREAD))
}

impl Client {
    /// The same client, which is held back while so many of its tasks have not ended: the driver's.
    #[must_use]
    pub(crate) fn held_back(self, limit: u64) -> Self {
        Self { graph_limit: Some(limit), ..self }
    }

    /// Waits until few enough tasks are open that more may be submitted.
    ///
    /// What is open needs nothing that is submitted later, so it ends in time. That is not so for tasks that submit:
    /// they are open themselves. So these are not held back.
    pub(super) fn wait_for_room(&self) {
        let Some(limit) = self.graph_limit.filter(|_| running().is_none()) else { return };
        let table: &Table = self.table();
        if !table.has_room(limit) {
            // If the run is over, whoever waits for the tasks hears of it.
            let _ = self.wait_for(|| table.has_room(limit).then_some(()), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_for_each_half_and_nothing_is_missed() {
        let mut room = Room::default();
        room.fill(5);
        assert_eq!(room.ask(10), None);
        room.fill(1);
        assert_eq!((room.ask(10), room.ask(10)), (Some(5), None));
        room.fill(4);
        assert!(!room.is_left(10));
        // Three of the first six had ended when it was asked.
        room.learn(3);
        assert!(room.is_left(10), "3 and 4 are open");
        assert_eq!(room.ask(10), Some(5));
    }

    #[test]
    fn one_layer_may_go_beyond_the_limit() {
        let mut room = Room::default();
        room.fill(1000);
        assert!(!room.is_left(10));
        assert_eq!(room.ask(10), Some(5));
        room.learn(5);
        assert!(room.is_left(10));
    }
}
