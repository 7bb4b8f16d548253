//! Mistakes in the shapes of an operation, as panics at the caller's line.

use crate::error::ShapeError;

/// Panics at the caller's line with the message of the error and the name of the function that was called.
#[track_caller]
pub(crate) fn expect<T>(function: &str, result: Result<T, ShapeError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) if error.message().starts_with(function) => panic!("{error}"),
        Err(error) => panic!("{function}: {error}"),
    }
}
