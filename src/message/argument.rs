//! What tasks take: as clients describe it to the scheduler, and as the scheduler gives it to workers.

use super::Need;
use crate::{
    ids::{Code, TaskId, Tasks},
    packed::Packed,
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

#[cfg(doc)]
use crate::part::Cut;

/// One argument of each of several tasks. `V` says which value each takes, an `L` which list of values one takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Argument<V, L> {
    /// The same encoded value for every task.
    Same(#[serde(with = "serde_bytes")] Vec<u8>),
    /// An encoded value for each task.
    Each(Packed),
    /// A value for each task.
    Values(V),
    /// A list of values for each task.
    Lists {
        /// The lists, one a task.
        lists: Vec<L>,
        /// How to make a list of them.
        collect: Code,
    },
    /// A list of values for each task, where of each value on another rank only a part comes.
    Parts {
        /// The lists, one a task.
        lists: Vec<L>,
        /// What each task takes of its list: an encoded [`Cut`].
        cuts: Packed,
    },
}

/// An argument of the tasks of a layer: which tasks make the values.
pub type Column = Argument<Ids, Vec<Tasks>>;

/// An argument of the tasks of a run: where the values are.
pub type Given = Argument<Vec<Need>, Vec<Need>>;

/// Which task makes the value for each of several tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ids {
    /// For task `i` it is task `first + i * stride`.
    Stride {
        /// The one for the first task.
        first: TaskId,
        /// 0: all take the same value; 1: each takes the next one.
        stride: u32,
    },
    /// For task `i` it is the `i`th of these.
    Listed(Vec<TaskId>),
}

impl Ids {
    /// The one for the task at `index`.
    pub(crate) fn at(&self, index: usize) -> TaskId {
        match self {
            Self::Stride { first, stride } => TaskId(first.0 + index as u64 * u64::from(*stride)),
            Self::Listed(tasks) => tasks[index],
        }
    }
}

/// Something for each of several tasks.
pub trait PerTask {
    /// What of it is for the tasks in a range.
    fn slice(&self, range: Range<usize>) -> Self;
    /// Whether there is something for each of so many tasks, and not for more.
    fn fits(&self, count: usize) -> bool;
}

impl PerTask for Ids {
    fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::Stride { stride, .. } => Self::Stride { first: self.at(range.start), stride: *stride },
            Self::Listed(tasks) => Self::Listed(tasks[range].to_vec()),
        }
    }

    fn fits(&self, count: usize) -> bool {
        match self {
            Self::Stride { .. } => true,
            Self::Listed(tasks) => tasks.len() == count,
        }
    }
}

impl PerTask for Vec<Need> {
    fn slice(&self, range: Range<usize>) -> Self {
        self[range].to_vec()
    }

    fn fits(&self, count: usize) -> bool {
        self.len() == count
    }
}

impl<V: PerTask, L: Clone> Argument<V, L> {
    /// The argument of the tasks in a range.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::Same(bytes) => Self::Same(bytes.clone()),
            Self::Each(values) => Self::Each(values.slice(range.start, range.len())),
            Self::Values(values) => Self::Values(values.slice(range)),
            Self::Lists { lists, collect } => Self::Lists { lists: lists[range].to_vec(), collect: *collect },
            Self::Parts { lists, cuts } => Self::Parts {
                lists: lists[range.clone()].to_vec(),
                cuts: cuts.slice(range.start, range.len()),
            },
        }
    }

    /// Whether it is one of so many tasks, so that no reader runs past its end.
    pub(crate) fn is_valid(&self, count: usize) -> bool {
        match self {
            Self::Same(_) => true,
            Self::Each(values) => values.is_valid() && values.len() == count,
            Self::Values(values) => values.fits(count),
            Self::Lists { lists, .. } => lists.len() == count,
            Self::Parts { lists, cuts } => lists.len() == count && cuts.is_valid() && cuts.len() == count,
        }
    }
}

impl<T> Argument<Vec<T>, Vec<T>> {
    /// Which values the task at `index` takes, in order.
    pub fn taken_by(&self, index: usize) -> &[T] {
        match self {
            Self::Same(_) | Self::Each(_) => &[],
            Self::Values(values) => &values[index..=index],
            Self::Lists { lists, .. } | Self::Parts { lists, .. } => &lists[index],
        }
    }
}

impl Column {
    /// Task `i` takes the value of task `first + i * stride`.
    pub fn stride(first: TaskId, stride: u32) -> Self {
        Self::Values(Ids::Stride { first, stride })
    }

    /// Task `i` takes the value of the `i`th of these.
    pub fn values(tasks: Vec<TaskId>) -> Self {
        Self::Values(Ids::Listed(tasks))
    }

    /// Whether any task takes the value of another one.
    pub(crate) fn takes_values(&self) -> bool {
        match self {
            Self::Same(_) | Self::Each(_) => false,
            Self::Values(_) => true,
            Self::Lists { lists, .. } | Self::Parts { lists, .. } => {
                lists.iter().any(|list| !list.is_empty())
            }
        }
    }

    /// Calls `visit` with each task whose value the task at `index` takes, as often as it does.
    pub(crate) fn for_each_need(&self, index: usize, visit: impl FnMut(TaskId)) {
        match self {
            Self::Same(_) | Self::Each(_) => {}
            Self::Values(ids) => [ids.at(index)].into_iter().for_each(visit),
            Self::Lists { lists, .. } | Self::Parts { lists, .. } => {
                lists[index].iter().copied().flat_map(Tasks::iter).for_each(visit);
            }
        }
    }

    /// How many bytes it takes, about.
    pub(crate) fn byte_count(&self) -> usize {
        let listed = |lists: &[Vec<Tasks>]| lists.iter().map(|list| size_of_val(list.as_slice())).sum();
        match self {
            Self::Same(bytes) => bytes.len(),
            Self::Each(values) => values.byte_count(),
            Self::Values(Ids::Stride { .. }) => 0,
            Self::Values(Ids::Listed(tasks)) => size_of_val(tasks.as_slice()),
            Self::Lists { lists, .. } => listed(lists),
            Self::Parts { lists, cuts } => listed(lists) + cuts.byte_count(),
        }
    }
}

impl Given {
    /// Calls `visit` with each value that the tasks take.
    pub(crate) fn for_each_need(&self, mut visit: impl FnMut(&Need)) {
        match self {
            Self::Same(_) | Self::Each(_) => {}
            Self::Values(needs) => needs.iter().for_each(visit),
            Self::Lists { lists, .. } | Self::Parts { lists, .. } => {
                lists.iter().flatten().for_each(&mut visit)
            }
        }
    }
}
