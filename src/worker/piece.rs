//! A piece of what is queued, in the hands of a thread, and what that has brought so far.

use super::{
    admission::{Admission, Answer},
    execute::{Ended, HAND_OVER_AFTER},
    queue::Batch,
};
use crate::{error::TaskError, ids::TaskId, message::Finished, packed::Packed, value::Value};
use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

thread_local! {
    /// The piece whose task this thread runs.
    pub(super) static PIECE: RefCell<Option<SharedPiece>> = const { RefCell::new(None) };
}

/// A piece in the hands of a thread: others may take from it what waits there for the task that runs.
pub(super) type SharedPiece = Arc<Mutex<Piece>>;

/// What a thread has before it, and what that has brought so far.
pub(super) struct Piece {
    /// The tasks that have not begun.
    rest: Batch,
    results: Results,
    /// How long its tasks ran up to `since`.
    spent: Duration,
    since: Instant,
    /// Whether it had more than one task.
    pub(super) has_several: bool,
}

impl Piece {
    pub(super) fn new(rest: Batch, since: Instant) -> Self {
        let has_several = rest.len() > 1;
        Self { rest, results: Results::default(), spent: Duration::ZERO, since, has_several }
    }

    /// The tasks that have not begun.
    pub(super) fn rest(&self) -> &Batch {
        &self.rest
    }

    /// Whether nothing waits here for the task that runs, neither tasks nor results.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.len() == 0 && self.results.count == 0
    }

    /// What one of its tasks brought.
    pub(super) fn push(&mut self, task: TaskId, outcome: Outcome, small: &Packed) {
        self.results.push(task, outcome, small);
    }

    /// The place of the next task, unless results are due, or it has to wait for memory. `elapsed` is how long ago the
    /// piece was taken, if that is known without a look at the clock.
    pub(super) fn begin_next(
        &mut self,
        elapsed: Option<Duration>,
        admission: &Admission,
    ) -> Option<(u32, Answer)> {
        let elapsed = || elapsed.unwrap_or_else(|| self.since.elapsed());
        let is_due = self.results.count > 0 && elapsed() >= HAND_OVER_AFTER;
        if is_due || self.rest.len() == 0 {
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

    /// The task that runs has waited, and goes on.
    pub(super) fn resume(&mut self) {
        self.since = Instant::now();
    }

    /// Takes out the tasks that have not begun, and what the others brought. If a task runs, the time that it has
    /// taken so far counts as theirs.
    pub(super) fn pause(&mut self) -> (Batch, Vec<Ended>) {
        self.spent += self.since.elapsed();
        self.resume();
        let rest = self.rest.clone();
        self.rest.next = self.rest.end;
        let ended = match self.results.count {
            0 => Vec::new(),
            _ => self.results.close(std::mem::take(&mut self.spent)),
        };
        (rest, ended)
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
    ended: Vec<Ended>,
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
                Ended::Failed(_) | Ended::RunsOn(_) | Ended::Behind(_) => {}
            }
        }
        self.count = 0;
        std::mem::take(&mut self.ended)
    }
}
