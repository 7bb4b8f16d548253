//! How a task fails with data of its own, such as an exception of another language.

use std::sync::Arc;

/// What [`fail`](crate::fail) was called with, on its way to the worker.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) detail: Arc<[u8]>,
}
