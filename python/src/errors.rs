//! Errors of the runtime as Python exceptions.

use maniple::{Error, Reason, TaskError};
use pyo3::{
    exceptions::{
        PyFileExistsError, PyFileNotFoundError, PyKeyError, PyKeyboardInterrupt, PyRuntimeError,
        PyTimeoutError, PyValueError,
    },
    intern,
    prelude::*,
    types::PyBytes,
};
use std::io::ErrorKind;

/// The exception that a Python program sees.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    match error {
        Error::Task(error) => of_task(py, error),
        Error::Timeout(_) => PyTimeoutError::new_err(error.to_string()),
        Error::Interrupted { .. } => PyKeyboardInterrupt::new_err(error.to_string()),
        Error::Option(words) => PyValueError::new_err(words.clone()),
        Error::File { source, .. } if source.kind() == ErrorKind::NotFound => {
            PyFileNotFoundError::new_err(error.to_string())
        }
        Error::File { source, .. } if source.kind() == ErrorKind::AlreadyExists => {
            PyFileExistsError::new_err(error.to_string())
        }
        other => made_by_python(py, "RunError", &other.to_string(), None)
            .unwrap_or_else(|_| PyRuntimeError::new_err(other.to_string())),
    }
}

/// The exception for what cannot be published: `KeyError` if something else has the name.
pub(crate) fn of_publishing(py: Python<'_>) -> impl Fn(Error) -> PyErr {
    move |error| match error {
        Error::Option(words) => PyKeyError::new_err(words),
        other => to_python(py, &other),
    }
}

/// The exception of a failed task: that which its function raised, if it did.
pub(crate) fn of_task(py: Python<'_>, error: &TaskError) -> PyErr {
    let kind = match &error.reason {
        Reason::Failed { .. } => "raised",
        Reason::Cancelled => "CancelledError",
        Reason::Lost => "KilledWorker",
        _ => "TaskError",
    };
    let detail = match &error.reason {
        Reason::Failed { detail } => Some(&**detail),
        _ => None,
    };
    let words = error.to_string();
    made_by_python(py, kind, &words, detail).unwrap_or_else(|_| PyRuntimeError::new_err(words))
}

fn made_by_python(py: Python<'_>, kind: &str, words: &str, detail: Option<&[u8]>) -> PyResult<PyErr> {
    let errors = py.import(intern!(py, "maniple._errors"))?;
    let detail = detail.map(|detail| PyBytes::new(py, detail));
    let exception = errors.call_method1(intern!(py, "make"), (kind, words, detail))?;
    Ok(PyErr::from_value(exception))
}
