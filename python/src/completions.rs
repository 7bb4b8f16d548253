//! The order in which futures end.

use crate::{future::Future, waiting};
use pyo3::prelude::*;

/// Numbers of futures in the order these end; more can be added at any time, by any thread.
#[pyclass(frozen, module = "maniple")]
pub(crate) struct Completions(maniple::Completions);

impl Completions {
    pub(crate) fn new(client: &maniple::Client) -> Self {
        Self(client.completions())
    }
}

#[pymethods]
impl Completions {
    /// Adds a future, which must live until its number is returned.
    fn add(&self, future: &Future, number: usize) {
        self.0.add(&future.future, number);
    }

    /// Waits for the next one.
    #[pyo3(signature = (timeout = None))]
    fn next(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<usize> {
        waiting::wait(py, waiting::timeout(timeout)?, |slice| self.0.next(slice))
    }
}
