//! A client's typed hold on a value that may not exist yet.

use super::{
    Client,
    table::{Progress, Tracked},
};
use crate::{
    error::{DecodeErrorKind, Error, Reason, Result, TaskError},
    ids::TaskId,
    rank::Rank,
    running,
    value::{self, Data},
};
use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It has not ended.
    Pending,
    /// It has its value.
    Finished,
    /// It failed, or something it needs did.
    Failed,
    /// It was cancelled, or something it needs was.
    Cancelled,
}

/// A hold on the value of a task.
///
/// A future stands wherever a task takes a `T`: pass it, or a reference to it, to
/// [`Client::submit`] or [`Client::map`]. The value stays where it was made until somebody needs it.
/// Cloning a future is cheap; when the last one is dropped, the value goes from wherever it is, and a
/// task that has not begun and that nothing needs is not run.
#[must_use = "a task whose futures are all dropped may not run: keep the future, or wait for its result"]
pub struct Future<T> {
    client: Client,
    tracked: Arc<Tracked>,
    index: u32,
    marker: PhantomData<fn() -> T>,
}

impl<T> Future<T> {
    pub(crate) fn new(client: Client, tracked: &Arc<Tracked>, index: u32) -> Self {
        tracked.add_reference(index);
        Self { client, tracked: Arc::clone(tracked), index, marker: PhantomData }
    }

    /// Whether it is of the run of this client.
    pub(crate) fn is_of_run_of(&self, client: &Client) -> bool {
        self.tracked.is_of_run_of(client.table())
    }

    pub(super) fn tracked(&self) -> &Arc<Tracked> {
        &self.tracked
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// The same future, of which another type is known.
    pub(crate) fn retype<U>(&self) -> Future<U> {
        Future::new(self.client.clone(), &self.tracked, self.index)
    }

    pub(crate) fn task(&self) -> TaskId {
        self.tracked.tasks.first.plus(self.index)
    }

    /// Whether the task has ended, well or not. Does not wait.
    pub fn is_done(&self) -> bool {
        self.client.look();
        !self.tracked.is_pending(self.index)
    }

    /// How the task stands. Does not wait.
    pub fn status(&self) -> Status {
        self.client.look();
        match self.tracked.progress(self.index) {
            Progress::Pending | Progress::Dropped => Status::Pending,
            Progress::Small(_) | Progress::Held(_) => Status::Finished,
            Progress::Failed(error) if error.reason == Reason::Cancelled => Status::Cancelled,
            Progress::Failed(_) => Status::Failed,
        }
    }

    /// Waits until the task has ended, well or not, or the time is over.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if the time is over; [`Error::Interrupted`] and [`Error::Ended`] if the run
    /// is. That the task failed is no error here; [`result`](Self::result) tells.
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> Result<()> {
        let ended = || (!self.tracked.is_pending(self.index)).then_some(());
        self.client.wait_for_task(ended, || Some(self.task()), timeout.into())
    }

    /// Returns the rank that holds the value. `None` if the task has no value yet, or one so small that it was sent to
    /// the client inline.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let large = client.submit(|length: usize| vec![1.0_f64; length], 100_000);
    /// large.wait(None)?;
    /// assert!(client.cluster().ranks().iter().any(|rank| Some(rank.rank) == large.holder()));
    /// let small = client.submit(|x: u32| x + 1, 1);
    /// small.wait(None)?;
    /// assert_eq!(small.holder(), None);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn holder(&self) -> Option<Rank> {
        self.client.look();
        match self.tracked.progress(self.index) {
            Progress::Held(held) => Some(held.holder),
            _ => None,
        }
    }

    /// Stops the task if it has not begun, and fails it and what needs it if it has not ended.
    pub fn cancel(&self) {
        self.client.cancel([self]);
    }

    /// The error of the task, once it has failed. Does not wait.
    pub fn error(&self) -> Option<Arc<TaskError>> {
        match self.tracked.progress(self.index) {
            Progress::Failed(error) => Some(error),
            _ => None,
        }
    }
}

impl<T: Data> Future<T> {
    /// Waits for the value and brings it here.
    ///
    /// # Errors
    ///
    /// [`Error::Task`] if the task, or one that it needs, failed; [`Error::Decode`] if the bytes are no
    /// `T`; [`Error::Interrupted`] and [`Error::Ended`] if the run is over before.
    pub fn result(&self) -> Result<T> {
        self.wait(None)?;
        match self.tracked.progress(self.index) {
            Progress::Small(bytes) => value::decode(&bytes).map_err(|words| self.decode_error(words)),
            Progress::Held(held) => {
                let table = self.client.table();
                table.fetch_to_read(held);
                // A value that was lost may be made again, or not.
                let read = || match self.tracked.progress(self.index) {
                    Progress::Held(held) => table.read(held.task).map(Some),
                    _ => Some(None),
                };
                let value = self.client.wait_for_task(read, || Some(self.task()), None);
                table.has_read(held.task);
                match value? {
                    Some(value) => value.to_owned_value().map_err(|words| self.decode_error(words)),
                    None => self.result(),
                }
            }
            Progress::Failed(error) => {
                let error = Error::from(error);
                if error.is_stopping() {
                    running::note_too_late();
                }
                Err(error)
            }
            Progress::Pending | Progress::Dropped => unreachable!("it has ended"),
        }
    }

    /// As [`result`](Self::result), but does not wait. `asked` tells whether the value was asked for.
    pub(crate) fn poll(&self, asked: &mut bool) -> Option<Result<T>> {
        let progress = self.tracked.progress(self.index);
        if !matches!(progress, Progress::Held(_)) && std::mem::take(asked) {
            self.client.table().has_read(self.task());
        }
        match progress {
            Progress::Pending | Progress::Dropped => None,
            Progress::Small(bytes) => Some(value::decode(&bytes).map_err(|words| self.decode_error(words))),
            Progress::Held(held) => {
                let table = self.client.table();
                if !std::mem::replace(asked, true) {
                    table.fetch_to_read(held);
                }
                let value = table.read(held.task)?;
                table.has_read(held.task);
                *asked = false;
                Some(value.to_owned_value().map_err(|words| self.decode_error(words)))
            }
            Progress::Failed(error) => Some(Err(error.into())),
        }
    }

    /// Asks for a large value, so that several come at a time.
    pub(crate) fn prefetch(&self) {
        if let Progress::Held(held) = self.tracked.progress(self.index) {
            self.client.table().fetch(held);
        }
    }

    fn decode_error(&self, words: String) -> Error {
        Error::decode(
            DecodeErrorKind::Value,
            format!("the value of task {} cannot be read: {words}", self.task().sequence()),
        )
    }
}

impl<T> Clone for Future<T> {
    fn clone(&self) -> Self {
        Self::new(self.client.clone(), &self.tracked, self.index)
    }
}

impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        self.tracked.drop_reference(self.index);
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.tracked.progress(self.index) {
            Progress::Pending | Progress::Dropped => "pending".to_string(),
            Progress::Small(bytes) => format!("finished, {} bytes", bytes.len()),
            Progress::Held(held) => format!("finished, {} bytes on rank {}", held.size.bytes, held.holder),
            Progress::Failed(error) => error.to_string(),
        };
        write!(f, "Future({}: {state})", self.task().sequence())
    }
}
