//! Waits without the GIL, in slices, so that Ctrl-C ends them.

use crate::errors;
use maniple::Error;
use pyo3::prelude::*;
use std::time::{Duration, Instant};

/// How long a wait may go on before signals are handled.
const SLICE: Duration = Duration::from_millis(100);

/// Reads a timeout in seconds.
///
/// # Errors
///
/// `ValueError` if it is negative or no number.
pub(crate) fn timeout(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else { return Ok(None) };
    if seconds.is_nan() || seconds < 0.0 {
        return Err(pyo3::exceptions::PyValueError::new_err(format!(
            "a timeout of {seconds} seconds has no meaning"
        )));
    }
    // What is longer than all time is no limit.
    Ok(Duration::try_from_secs_f64(seconds).ok())
}

/// Repeats `wait`, which waits for so long at most, until it ends with anything but a timeout, or the time is over.
///
/// # Errors
///
/// `TimeoutError`, `KeyboardInterrupt` and what has ended the run.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    timeout: Option<Duration>,
    wait: impl Fn(Duration) -> maniple::Result<T> + Sync,
) -> PyResult<T> {
    let start = Instant::now();
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        match py.detach(|| wait(slice)) {
            Ok(result) => return Ok(result),
            Err(Error::Timeout(_)) => {
                py.check_signals()?;
                if let Some(timeout) = timeout.filter(|timeout| start.elapsed() >= *timeout) {
                    return Err(errors::to_python(py, &Error::Timeout(timeout)));
                }
            }
            Err(error) => {
                // The signal's own handler has its turn first.
                py.check_signals()?;
                return Err(errors::to_python(py, &error));
            }
        }
    }
}
