//! How a run ended, as each rank tells it.

use super::STATUS_FAILED;
use crate::{
    comm::launcher::Launcher,
    error::{Error, Result},
    message::Outcome,
    rank::Rank,
    value::{self, Data},
};
use std::{any::Any, thread};

/// Why a run did not return a value, and what this rank has to say about it.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) error: Error,
    pub(super) rank: Rank,
    /// Whether the driver's rank tells, or has told, the user.
    pub(super) told: bool,
    /// The exit status for it.
    pub(super) status: i32,
}

impl Stopped {
    /// An error that came before the ranks knew of each other: the first one tells.
    pub(super) fn alone(error: Error) -> Self {
        let rank = Launcher::rank_of_this_process().unwrap_or(0);
        Self { error, rank: Rank(rank), told: false, status: STATUS_FAILED }
    }
}

/// How the driver's closure ended, if not well.
pub(super) enum Ending {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

impl Ending {
    pub(super) fn of<T: Data>(ended: thread::Result<Result<T>>) -> (Outcome, Option<Self>) {
        match ended {
            Ok(Ok(value)) => {
                let mut bytes = Vec::new();
                match value::encode(value, usize::MAX >> 1, &mut bytes) {
                    Ok(_) => (Outcome::Value(bytes), None),
                    Err(words) => (Outcome::Error(words.clone()), Some(Self::Error(Error::Decode(words)))),
                }
            }
            Ok(Err(error @ Error::Interrupted { .. })) => {
                (Outcome::Interrupted(error.to_string()), Some(Self::Error(error)))
            }
            Ok(Err(error)) if error.is_stopping() => (Outcome::Stopping, Some(Self::Error(error))),
            Ok(Err(error)) => (Outcome::Error(error.to_string()), Some(Self::Error(error))),
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                let words = format!("the driver panicked: {}", words.unwrap_or_default());
                (Outcome::Panic(words), Some(Self::Panic(panic)))
            }
        }
    }
}
