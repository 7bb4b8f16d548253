//! How a run ended, as each rank tells it.

use super::STATUS_FAILED;
use crate::{
    client::Client,
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

/// The driver's closure, which returns the encoding of its value.
pub(super) type Driver<'a> = Box<dyn FnOnce(&Client) -> Result<Vec<u8>> + Send + 'a>;

pub(super) fn erased<'a, T: Data>(driver: impl FnOnce(&Client) -> Result<T> + Send + 'a) -> Driver<'a> {
    Box::new(|client| {
        let mut bytes = Vec::new();
        value::encode(driver(client)?, usize::MAX >> 1, &mut bytes).map_err(Error::Decode)?;
        Ok(bytes)
    })
}

impl Ending {
    pub(super) fn of(ended: thread::Result<Result<Vec<u8>>>) -> (Outcome, Option<Self>) {
        match ended {
            Ok(Ok(bytes)) => (Outcome::Value(bytes), None),
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
