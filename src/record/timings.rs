//! Pure: when each task was sent, ran and ended, and what the driver did meanwhile.

use super::{
    history::{ANY_TASK, Event, History, Kind},
    stretches::{Stretches, union},
};
use crate::rank::driver_of;
use rustc_hash::FxHashMap;

/// By how much the clocks of two ranks may differ, in nanoseconds.
const SKEW: u64 = 100_000;

/// Where and when a task ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ran {
    pub rank: u32,
    pub start: u64,
    pub own: u64,
}

impl Ran {
    pub(super) fn end(self) -> u64 {
        self.start + self.own
    }
}

/// A wait of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub start: u64,
    pub end: u64,
    /// The task that it was for, if exactly one is known.
    pub task: Option<u64>,
}

/// What a history holds of each task and of the driver.
#[derive(Debug)]
pub(super) struct Timings {
    pub ran: FxHashMap<u64, Ran>,
    /// When layers left the rank that submitted them, by their first tasks.
    pub sent: FxHashMap<u64, u64>,
    pub driver: u32,
    /// When the driver's closure ran; empty if that was not recorded.
    pub driver_runs: Stretches,
    /// In order.
    pub waits: Vec<Wait>,
    /// When tasks ended, with the last task of each event, in order.
    ends: Vec<(u64, u64)>,
}

impl Timings {
    pub(super) fn of(history: &History) -> Self {
        let driver = driver_of(history.ranks.len() as u32).0;
        let mut timings = Self {
            ran: FxHashMap::default(),
            sent: FxHashMap::default(),
            driver,
            driver_runs: Stretches::new(),
            waits: Vec::new(),
            ends: Vec::new(),
        };
        for (rank, told) in history.ranks.iter().enumerate() {
            told.events.iter().for_each(|event| timings.note(rank as u32, event));
        }
        timings.driver_runs = union(std::mem::take(&mut timings.driver_runs));
        timings.waits = joined(std::mem::take(&mut timings.waits));
        timings.ends.sort_unstable();
        timings
    }

    fn note(&mut self, rank: u32, event: &Event) {
        match event.kind {
            Kind::Tasks => {
                let own = (event.end - event.start) / event.amount.max(1);
                for index in 0..event.amount {
                    let ran = Ran { rank, start: event.start + index * own, own };
                    let last = self.ran.entry(event.subject + index).or_insert(ran);
                    // A task that was lost with its worker runs again.
                    if last.start < ran.start {
                        *last = ran;
                    }
                }
                self.ends.push((event.end, event.subject + event.amount.saturating_sub(1)));
            }
            Kind::Submitted => {
                let sent = self.sent.entry(event.subject).or_insert(event.start);
                *sent = event.start.min(*sent);
            }
            Kind::Driver if rank == self.driver => self.driver_runs.push((event.start, event.end)),
            Kind::Waited if rank == self.driver => {
                let task = (event.subject != ANY_TASK).then_some(event.subject);
                self.waits.push(Wait { start: event.start, end: event.end, task });
            }
            _ => {}
        }
    }

    /// The task whose end ended a wait. Where no task is known to have been awaited, it is the last one that ended
    /// during the wait: the driver may have waited for any of several.
    pub(super) fn awaited(&self, wait: &Wait) -> Option<u64> {
        if let Some((task, ran)) = wait.task.and_then(|task| Some((task, self.ran.get(&task)?))) {
            // A wait that timed out was not ended by its task.
            return (ran.end() <= wait.end + SKEW).then_some(task);
        }
        let after = self.ends.partition_point(|(end, _)| *end <= wait.end);
        let (end, task) = *self.ends.get(after.checked_sub(1)?)?;
        (end > wait.start).then_some(task)
    }
}

/// Waits in order. Those that follow each other without a gap are pieces of one.
fn joined(mut waits: Vec<Wait>) -> Vec<Wait> {
    waits.sort_unstable_by_key(|wait| (wait.start, wait.end));
    let mut joined: Vec<Wait> = Vec::with_capacity(waits.len());
    for wait in waits {
        match joined.last_mut() {
            Some(last) if wait.start <= last.end => {
                (last.end, last.task) = (last.end.max(wait.end), wait.task);
            }
            _ => joined.push(wait),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::accounts::tests::{event, known};

    fn timings(events: &[Event]) -> Timings {
        let mut history = known();
        history.ranks[1].events = events.to_vec();
        Timings::of(&history)
    }

    #[test]
    fn pieces_of_a_wait_are_one_and_the_last_one_names_the_task() {
        let wait = |subject, start, end| event(Kind::Waited, 4, subject, 0, start, end);
        let timings = timings(&[wait(ANY_TASK, 10, 20), wait(11, 20, 25), wait(12, 30, 40)]);
        let expected =
            [Wait { start: 10, end: 25, task: Some(11) }, Wait { start: 30, end: 40, task: Some(12) }];
        assert_eq!(timings.waits, expected);
    }

    #[test]
    fn a_wait_is_ended_by_the_awaited_task_or_by_the_last_that_ended() {
        let timings = timings(&[]);
        let wait = |task, start, end| Wait { start, end, task };
        assert_eq!(timings.awaited(&wait(Some(10), 5_000, 31_000)), Some(10));
        assert_eq!(timings.awaited(&wait(None, 5_000, 31_000)), Some(11), "it ended at 30 us");
        assert_eq!(timings.awaited(&wait(None, 30_000, 31_000)), None, "nothing ended");
        assert_eq!(timings.awaited(&wait(Some(99), 5_000, 10_000)), Some(10), "it is no task");
        let mut late = timings;
        late.ran.insert(50, Ran { rank: 2, start: 0, own: 10 * SKEW });
        assert_eq!(late.awaited(&wait(Some(50), 5_000, 31_000)), None, "the wait timed out");
    }
}
