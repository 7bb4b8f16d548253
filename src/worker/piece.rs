//! A piece of what is queued, in the hands of a thread, and what that has brought so far.

use super::{
    admission::{Admission, Answer},
    execute::{Ended, HAND_OVER_AFTER},
    queue::Batch,
};
use crate::{error::TaskError, ids::TaskId, message::Finished, packed::Packed, value::Value};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

thread_local! {
    /// The piece whose task this thread runs.
    pub(super) static PIECE: RefCell<Option<Piece>> = const { RefCell::new(None) };
}

/// What a thread has before it, and what that has brought so far.
pub(super) struct Piece {
    /// The tasks that have not begun.
    pub(super) rest: Batch,
    pub(super) results: Results,
    /// How long its tasks ran up to `since`.
    spent: Duration,
    pub(super) since: Instant,
    /// How often tasks had been asked back when it was taken.
    pub(super) recalls: usize,
}

/// What a thread puts aside.
pub(super) struct Paused {
    /// The tasks that have not begun.
    pub(super) rest: Batch,
    pub(super) ended: Vec<Ended>,
    /// How often tasks had been asked back when they were taken.
    pub(super) recalls: usize,
}

impl Piece {
    pub(super) fn new(rest: Batch, recalls: usize) -> Self {
        Self { rest, results: Results::default(), spent: Duration::ZERO, since: Instant::now(), recalls }
    }

    /// The place of the next task, unless results are due, tasks were asked back by now, or it has to wait
    /// for memory. `elapsed` is how long ago it was taken, if that is known without a look at the clock.
    pub(super) fn begin_next(
        &mut self,
        recalls: usize,
        elapsed: Option<Duration>,
        admission: &Admission,
    ) -> Option<(u32, Answer)> {
        let elapsed = || elapsed.unwrap_or_else(|| self.since.elapsed());
        let is_due = self.results.count > 0 && elapsed() >= HAND_OVER_AFTER;
        if is_due || recalls != self.recalls || self.rest.len() == 0 {
            return None;
        }
        let index = self.rest.next;
        let answer = admission.ask(self.rest.run.code, || self.rest.spilled_bytes(index as usize));
        if answer == Answer::Waits {
            return None;
        }
        self.rest.next += 1;
        Some((index, answer))
    }

    /// Takes out the tasks that have not begun, and what the others brought.
    pub(super) fn pause(&mut self) -> Paused {
        self.spent += self.since.elapsed();
        let rest = self.rest.clone();
        self.rest.next = self.rest.end;
        let ended = match self.results.count {
            0 => Vec::new(),
            _ => self.results.close(std::mem::take(&mut self.spent)),
        };
        Paused { rest, ended, recalls: self.recalls }
    }
}

/// What one task brought: a small value is in the buffer it was given.
pub(super) enum Outcome {
    Small,
    Large(Value),
    Failed(Box<TaskError>),
    /// It was told already that it has failed, as its time was over.
    RanOn,
}

/// What some tasks brought.
#[derive(Default)]
pub(super) struct Results {
    pub(super) ended: Vec<Ended>,
    /// Small values, one task after the other.
    open: Option<Finished>,
    /// How many tasks there were.
    pub(super) count: u64,
}

impl Results {
    pub(super) fn push(&mut self, task: TaskId, outcome: Outcome, small: &Packed) {
        self.count += 1;
        self.ended.push(match outcome {
            Outcome::Small => {
                let finished =
                    self.open.get_or_insert_with(|| Finished { first: task, values: Packed::default() });
                return finished.values.push(small.at(0));
            }
            Outcome::Large(value) => Ended::Stored { task, value, nanoseconds: 0 },
            Outcome::Failed(error) => Ended::Failed(error),
            Outcome::RanOn => Ended::RunsOn(-1),
        });
        // The next small value is not next to the last one.
        let last = self.ended.pop();
        self.end_open();
        self.ended.extend(last);
    }

    fn end_open(&mut self) {
        if let Some(finished) = self.open.take() {
            self.ended.push(Ended::Finished { finished, nanoseconds: 0 });
        }
    }

    /// Takes out what has ended, and shares the time out among it.
    pub(super) fn close(&mut self, elapsed: Duration) -> Vec<Ended> {
        self.end_open();
        let each = elapsed.as_nanos() as u64 / self.count.max(1);
        for ended in &mut self.ended {
            match ended {
                Ended::Finished { finished, nanoseconds } => {
                    *nanoseconds = each * finished.values.len() as u64
                }
                Ended::Stored { nanoseconds, .. } => *nanoseconds = each,
                Ended::Failed(_) | Ended::NotBegun(_) | Ended::RunsOn(_) => {}
            }
        }
        self.count = 0;
        std::mem::take(&mut self.ended)
    }
}
