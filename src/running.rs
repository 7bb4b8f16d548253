//! The task that runs on the current thread.

use crate::ids::TaskId;
use std::cell::Cell;

/// The task that runs on a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    /// The task.
    pub(crate) task: TaskId,
    /// The number of earlier attempts.
    pub(crate) attempt: u32,
    /// The number of tasks above it: 0 if the driver submitted it, 1 if a task of the driver did.
    pub(crate) depth: u32,
    /// Whether it received the error that it is too late for a task of its own.
    pub(crate) was_too_late: bool,
}

thread_local! {
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
}

/// Returns the task that runs on this thread, if one does.
pub(crate) fn running() -> Option<Running> {
    RUNNING.get()
}

/// Sets the task that runs on this thread, and returns the one before.
pub(crate) fn replace(running: Option<Running>) -> Option<Running> {
    RUNNING.replace(running)
}

/// Notes that the task on this thread, if there is one, received the error that it is too late for a task of its own.
pub(crate) fn note_too_late() {
    RUNNING.set(RUNNING.get().map(|running| Running { was_too_late: true, ..running }));
}
