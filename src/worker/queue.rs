//! Tasks that wait for a thread, with the values they need.

use super::{for_each_held, for_each_part};
use crate::{
    ids::{TaskId, Tasks},
    message::{Given, Held, Need, Run},
    value::Value,
};
use rustc_hash::FxHashMap;
use std::{collections::VecDeque, sync::Arc};

/// Tasks that may begin, with the values they need.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(super) run: Arc<Run>,
    pub(super) values: Arc<FxHashMap<TaskId, Value>>,
    pub(super) next: u32,
    pub(super) end: u32,
}

impl Batch {
    pub(super) fn len(&self) -> u32 {
        self.end - self.next
    }

    pub(crate) fn tasks(&self) -> Tasks {
        Tasks { first: self.run.tasks.first.plus(self.next), count: self.len() }
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// What its tasks are called.
    pub(crate) fn name(&self) -> String {
        self.run.name()
    }

    /// How long each task may run; 0 if that was not said.
    pub(crate) fn timeout_nanoseconds(&self) -> u64 {
        self.run.timeout_nanoseconds
    }

    /// How many bytes the task at `index` will have read back from the disk.
    pub(super) fn spilled_bytes(&self, index: usize) -> u64 {
        if self.values.is_empty() {
            return 0;
        }
        let spilled = |need: &Need| match need {
            Need::Inline(_) | Need::Own(_) | Need::Sent(_) => 0,
            Need::Held(held) | Need::Part(held) => {
                let value = self.values.get(&held.task).filter(|value| value.is_spilled());
                value.map_or(0, Value::live_bytes)
            }
        };
        let of = |argument: &Given| match argument {
            Given::Same(_) | Given::Each(_) => 0,
            Given::Values(needs) => spilled(&needs[index]),
            Given::Lists { lists, .. } | Given::Parts { lists, .. } => lists[index].iter().map(spilled).sum(),
        };
        self.run.arguments.iter().map(of).sum()
    }
}

/// Tasks that may begin, in the order they came.
#[derive(Default)]
pub(crate) struct Queue(VecDeque<Batch>);

impl Queue {
    /// Adds tasks whose values `value` finds.
    pub(crate) fn push(&mut self, run: Run, value: &dyn Fn(TaskId) -> Option<Value>) {
        let mut values = FxHashMap::default();
        let mut take = |held: &Held| {
            let missing = || Value::broken("an input is missing on this worker".into());
            values.entry(held.task).or_insert_with(|| value(held.task).unwrap_or_else(missing));
        };
        for_each_held(&run, &mut take);
        for_each_part(&run, &mut take);
        let end = run.tasks.count;
        self.0.push_back(Batch { run: Arc::new(run), values: Arc::new(values), next: 0, end });
    }

    /// What there is, in order.
    pub(super) fn tasks(&self) -> impl Iterator<Item = Tasks> {
        self.0.iter().map(Batch::tasks)
    }

    /// How many tasks there are.
    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(Batch::len).sum()
    }

    /// Takes up to `most` tasks of one run off the front. One whose time is limited goes alone.
    pub(crate) fn next_piece(&mut self, most: u32) -> Option<Batch> {
        let batch = self.0.front_mut()?;
        let most = if batch.run.timeout_nanoseconds > 0 { 1 } else { most };
        let count = batch.len().min(most);
        let piece = Batch { end: batch.next + count, ..batch.clone() };
        batch.next += count;
        if batch.len() == 0 {
            self.0.pop_front();
        }
        Some(piece)
    }

    /// Puts the rest of a piece back to the front.
    pub(crate) fn put_back(&mut self, rest: Batch) {
        self.0.push_front(rest);
    }

    /// Whether there are tasks that tasks submitted.
    pub(super) fn has_nested(&self) -> bool {
        self.0.iter().any(|batch| batch.run.depth > 0)
    }

    /// Takes the last task, of those that tasks submitted if there are any: so what is likely to be waited for goes
    /// first, and few tasks wait at a time. With `nested` it takes no other.
    pub(super) fn last_piece(&mut self, nested: bool) -> Option<Batch> {
        let at = self.0.iter().rposition(|batch| batch.run.depth > 0);
        let at = at.or_else(|| if nested { None } else { self.0.len().checked_sub(1) })?;
        let batch = &mut self.0[at];
        batch.end -= 1;
        let piece = Batch { next: batch.end, end: batch.end + 1, ..batch.clone() };
        if batch.len() == 0 {
            self.0.remove(at);
        }
        Some(piece)
    }

    /// Takes up to `count` tasks off the back.
    pub(crate) fn take_back(&mut self, mut count: u32) -> Vec<Tasks> {
        let mut back = Vec::new();
        while count > 0 {
            let Some(batch) = self.0.back_mut() else { break };
            let taken = batch.len().min(count);
            batch.end -= taken;
            back.push(Tasks { first: batch.run.tasks.first.plus(batch.end), count: taken });
            if batch.len() == 0 {
                self.0.pop_back();
            }
            count -= taken;
        }
        back
    }

    /// Takes those of these tasks out that are here.
    pub(crate) fn take_back_these(&mut self, tasks: &[Tasks]) -> Vec<Tasks> {
        let mut back = Vec::new();
        for wanted in tasks {
            let mut kept = VecDeque::with_capacity(self.0.len());
            for batch in self.0.drain(..) {
                let Some(common) = batch.tasks().common(*wanted) else {
                    kept.push_back(batch);
                    continue;
                };
                back.push(common);
                let start = (common.first.0 - batch.run.tasks.first.0) as u32;
                for (next, end) in [(batch.next, start), (start + common.count, batch.end)] {
                    if next < end {
                        kept.push_back(Batch { next, end, ..batch.clone() });
                    }
                }
            }
            self.0 = kept;
        }
        back
    }
}
