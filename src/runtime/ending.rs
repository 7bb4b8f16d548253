//! How a run ended, as each rank tells it.

use super::{STATUS_FAILED, STATUS_PANICKED, STATUS_STOPPING, signals};
use crate::{
    client::Client,
    comm::launcher::Launcher,
    error::{DecodeErrorKind, Error, Result, panic_words},
    message::Outcome,
    rank::Rank,
    record::RunEnd,
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
        value::encode(driver(client)?, usize::MAX >> 1, &mut bytes)
            .map_err(|words| Error::decode(DecodeErrorKind::Encode, words))?;
        Ok(bytes)
    })
}

/// How a run ended, for its report.
pub(super) fn told(outcome: &Outcome) -> RunEnd {
    let (status, words) = match outcome {
        Outcome::Value(_) => (0, "the run completed"),
        Outcome::Error(words) => (STATUS_FAILED, words.as_str()),
        Outcome::Panic(words) => (STATUS_PANICKED, words.as_str()),
        Outcome::Interrupted(words) => (signals::STATUS_INTERRUPTED, words.as_str()),
        Outcome::Stopping => (STATUS_STOPPING, "the run stopped, as its time was over"),
    };
    RunEnd { status, words: words.into() }
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
                let words = format!("the driver panicked: {}", panic_words(&*panic).unwrap_or_default());
                (Outcome::Panic(words), Some(Self::Panic(panic)))
            }
        }
    }
}
