//! Ranks, roles, and which rank plays which role.
//!
//! Knows nothing of transports, tasks or values.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One MPI process of a run, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rank(pub u32);

impl Rank {
    /// The rank that schedules.
    pub const SCHEDULER: Self = Self(0);

    /// The rank as an index into a table with one entry a rank.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {}", self.0)
    }
}

/// What one rank does. A rank can do several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Role {
    /// It decides which worker runs which task.
    pub scheduler: bool,
    /// It runs the closure given to [`run`](crate::run).
    pub driver: bool,
    /// It runs tasks and holds their values.
    pub worker: bool,
}

impl Role {
    /// The role of `rank` in a world of `size` ranks.
    ///
    /// | size | rank 0 | rank 1 | ranks 2.. |
    /// |---|---|---|---|
    /// | 1 | all three | | |
    /// | 2 | schedules | drives and works | |
    /// | >= 3 | schedules | drives | work |
    ///
    /// Where workers are not exclusive, every rank works besides.
    ///
    /// # Panics
    ///
    /// Panics if `rank` is not in the world.
    pub fn of(rank: Rank, size: u32, exclusive_workers: bool) -> Self {
        assert!(rank.0 < size, "{rank:?} is not in a world of {size}");
        Self {
            scheduler: rank == Rank::SCHEDULER,
            driver: rank == driver_of(size),
            worker: !exclusive_workers || size <= 2 && rank.0 == size - 1 || rank.0 >= 2,
        }
    }
}

/// The rank that runs the closure in a world of `size` ranks.
pub(crate) fn driver_of(size: u32) -> Rank {
    Rank(u32::from(size > 1))
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.scheduler, "scheduler"), (self.driver, "driver"), (self.worker, "worker")];
        let mut separator = "";
        for (_, name) in names.into_iter().filter(|(is, _)| *is) {
            write!(f, "{separator}{name}")?;
            separator = "+";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(size: u32, exclusive: bool) -> Vec<String> {
        (0..size).map(|rank| Role::of(Rank(rank), size, exclusive).to_string()).collect()
    }

    #[test]
    fn roles_follow_the_world_size() {
        assert_eq!(roles(1, true), ["scheduler+driver+worker"]);
        assert_eq!(roles(2, true), ["scheduler", "driver+worker"]);
        assert_eq!(roles(3, true), ["scheduler", "driver", "worker"]);
        assert_eq!(roles(5, true)[2..], ["worker", "worker", "worker"]);
    }

    #[test]
    fn ranks_that_are_not_exclusive_all_work() {
        assert_eq!(roles(2, false), ["scheduler+worker", "driver+worker"]);
        assert_eq!(roles(3, false), ["scheduler+worker", "driver+worker", "worker"]);
    }
}
