//! What is wrong with the shapes of an operation.

use std::fmt;

/// Shapes, axes, chunks or indices that do not fit an operation. Its words name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(String);

impl ShapeError {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}

impl From<ShapeError> for crate::Error {
    fn from(error: ShapeError) -> Self {
        Self::from(error.0)
    }
}

/// Panics at the caller's line with the message of the error and the name of the function that was called.
#[track_caller]
pub(crate) fn expect<T>(function: &str, result: Result<T, ShapeError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) if error.0.starts_with(function) => panic!("{error}"),
        Err(error) => panic!("{function}: {error}"),
    }
}
