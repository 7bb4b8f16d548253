//! Identifiers that are sent between ranks: tasks, functions, and the sizes of values.

use crate::rank::Rank;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of a task and of its value. The rank that submits a task numbers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u64);

impl TaskId {
    /// How many bits tell the tasks of an owner apart.
    pub(crate) const SEQUENCE_BITS: u32 = 44;
    /// Who submits no task.
    const NOBODY: Rank = Rank((1 << (u64::BITS - Self::SEQUENCE_BITS)) - 1);

    /// The name that a rank gives to the `sequence`th part of a value that it asks another for. No other
    /// rank knows the part by it.
    pub fn of_part(sequence: u64) -> Self {
        Self::new(Self::NOBODY, sequence)
    }

    /// Whether it is the name of a part.
    pub fn is_part(self) -> bool {
        self.owner() == Self::NOBODY
    }

    /// The task that `owner` submits as its `sequence`th.
    pub fn new(owner: Rank, sequence: u64) -> Self {
        debug_assert!(sequence >> Self::SEQUENCE_BITS == 0);
        Self(u64::from(owner.0) << Self::SEQUENCE_BITS | sequence)
    }

    /// The rank that submitted it, and that is told how it ends.
    pub fn owner(self) -> Rank {
        Rank((self.0 >> Self::SEQUENCE_BITS) as u32)
    }

    /// How many tasks its owner had submitted before.
    pub fn sequence(self) -> u64 {
        self.0 & ((1 << Self::SEQUENCE_BITS) - 1)
    }

    /// The task `count` further on.
    #[must_use]
    pub fn plus(self, count: u32) -> Self {
        Self(self.0 + u64::from(count))
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.owner(), self.sequence())
    }
}

/// Tasks numbered one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// The first one.
    pub first: TaskId,
    /// How many.
    pub count: u32,
}

impl Tasks {
    /// One task.
    pub fn one(first: TaskId) -> Self {
        Self { first, count: 1 }
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = TaskId> + ExactSizeIterator {
        (0..self.count).map(move |index| self.first.plus(index))
    }

    /// Whether `task` is one of them.
    pub fn contains(self, task: TaskId) -> bool {
        task >= self.first && task < self.first.plus(self.count)
    }

    /// The tasks that are among both, if there are any.
    pub fn common(self, other: Self) -> Option<Self> {
        let end = |tasks: Self| tasks.first.0 + u64::from(tasks.count);
        let (start, end) = (self.first.0.max(other.first.0), end(self).min(end(other)));
        (start < end).then(|| Self { first: TaskId(start), count: (end - start) as u32 })
    }

    /// Adds `task` at the end of the last range in `list`, or as a new one.
    pub fn push(list: &mut Vec<Self>, task: TaskId) {
        match list.last_mut() {
            Some(last) if last.first.plus(last.count) == task && last.count < u32::MAX => last.count += 1,
            _ => list.push(Self::one(task)),
        }
    }
}

/// Where the descriptor of a function is, the same on every rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Code {
    /// The module; 0 is the one that holds this library.
    pub module: u64,
    /// The descriptor's distance from the module's load address.
    pub offset: u64,
}

/// What a receiver must know of a body before it makes room for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// How many bytes.
    pub bytes: u64,
    /// Their alignment in bytes.
    pub align: u8,
}
