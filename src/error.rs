//! Error types, grouped by who can fix the cause.

use crate::rank::Rank;
use serde::{Deserialize, Serialize};
use std::{
    any::Any,
    fmt,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

/// The result of most of what this library does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run, or a call of the client, failed.
///
/// `Debug` prints the same line as `Display`, so that a `main` that returns this error ends with one
/// clear line.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A task failed.
    #[error(transparent)]
    Task(#[from] Arc<TaskError>),
    /// The ranks do not form the world that was asked for.
    #[error("{0}")]
    World(String),
    /// An option, an environment variable or an argument has no meaning here.
    #[error("{0}")]
    Option(String),
    /// An MPI call failed.
    #[error("MPI call {call} failed on rank {rank}: {message}")]
    Mpi {
        /// The rank that called.
        rank: Rank,
        /// The name of the call.
        call: &'static str,
        /// MPI's words.
        message: String,
    },
    /// Shapes, axes, chunks or indices do not fit an operation on arrays.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A block of an array is larger than the memory limit of every worker, so nothing was submitted.
    #[error("{message}")]
    BlockTooLarge {
        /// Size of the block.
        block_bytes: u64,
        /// The largest memory limit of a worker.
        limit_bytes: u64,
        /// Names the block and its array, and what to change.
        message: String,
    },
    /// A file or directory could not be used.
    #[error("{message}: {path}: {source}")]
    File {
        /// What was tried, on which rank and host.
        message: String,
        /// The path.
        path: PathBuf,
        /// The system's words.
        source: Arc<io::Error>,
    },
    /// Bytes that should hold a value or a message do not, or a value cannot become bytes.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A device is not there, or does not do what it was told.
    #[error("{0}")]
    Device(String),
    /// The run was interrupted by a signal.
    #[error("interrupted by {signal} on rank {rank} ({host})")]
    Interrupted {
        /// The signal's name.
        signal: &'static str,
        /// The rank that got it.
        rank: Rank,
        /// Its host.
        host: String,
    },
    /// The run was stopped before it was done, since its time is over. A closure that leaves early, as
    /// [`Client::stopping`](crate::Client::stopping) asks it to, returns this to say so.
    #[error("stopped before the end, since the time is over: run it again")]
    Stopping,
    /// The run is over, so nothing more can be asked of it.
    #[error("the run has ended")]
    Ended,
    /// What was waited for did not come in time.
    #[error("not finished after {0:?}")]
    Timeout(std::time::Duration),
    /// The driver's closure failed, on another rank.
    #[error("{0}")]
    Driver(String),
    /// An error of the user's own, in the driver's closure.
    #[error("{0}")]
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

/// Shapes, axes, chunks or indices that do not fit an operation on arrays. The message names them.
///
/// ```
/// use maniple::{Runtime, ShapeErrorKind};
///
/// # Runtime::builder().execute(|client| {
/// let x = client.ones::<f64>([4, 3], 2);
/// let error = x.try_add(client.ones::<f64>([5], 5)).unwrap_err();
/// assert_eq!(error.kind(), ShapeErrorKind::Mismatch);
/// # Ok(()) }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ShapeError {
    kind: ShapeErrorKind,
    message: String,
}

/// What does not fit in a [`ShapeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShapeErrorKind {
    /// The shapes of several arrays, or of an array and of what it is to become.
    Mismatch,
    /// An axis does not exist, or is named twice.
    Axis,
    /// An index is out of bounds, there are too many of them, or a step is zero.
    Index,
    /// The sizes of chunks.
    Chunks,
    /// The array has more bytes than memory can have.
    TooLarge,
    /// There are no elements, or no arrays.
    Empty,
    /// The subscripts of `einsum`, `tensordot` or `blockwise`.
    Subscripts,
    /// The operation does not exist for an array of this shape.
    Unsupported,
}

impl ShapeError {
    pub(crate) fn new(kind: ShapeErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What does not fit.
    pub fn kind(&self) -> ShapeErrorKind {
        self.kind
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

/// Bytes that do not hold what they should, or a value that cannot become bytes. The message names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct DecodeError {
    kind: DecodeErrorKind,
    message: String,
}

/// What could not be encoded or decoded in a [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes of a value: they do not hold one of its type.
    Value,
    /// A value that was to become bytes: its `Serialize` failed, or it is too large.
    Encode,
    /// A message from another rank: the ranks run different builds, or the bytes are broken.
    Message,
    /// A record: a trace, what the ranks of a killed run left, or a file of the runtime's own.
    Record,
}

impl DecodeError {
    /// What could not be encoded or decoded.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    pub(crate) fn decode(kind: DecodeErrorKind, message: impl Into<String>) -> Self {
        Self::Decode(DecodeError { kind, message: message.into() })
    }

    /// Wraps an error of another kind, to be returned from a closure.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into().into())
    }

    /// Whether this error, or one that it wraps, says that the run was stopped before it was done: it is
    /// [`Error::Stopping`](Self::Stopping), or that of a task with [`Reason::Stopping`].
    pub fn is_stopping(&self) -> bool {
        match self {
            Self::Stopping => true,
            Self::Task(error) => error.is_stopping(),
            Self::Other(error) => {
                let causes = std::iter::successors(Some(&**error as &dyn std::error::Error), |e| e.source());
                causes.into_iter().any(|cause| {
                    cause.downcast_ref().is_some_and(Self::is_stopping)
                        || cause.downcast_ref().is_some_and(TaskError::is_stopping)
                        || cause.downcast_ref::<Arc<TaskError>>().is_some_and(|error| error.is_stopping())
                })
            }
            _ => false,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::other(error)
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::other(error)
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::other(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::other(message)
    }
}

/// Why a task has no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// It panicked. The text holds the panic's words and place.
    Panic,
    /// It called [`fail`](crate::fail).
    Failed {
        /// Bytes that the task passed along with the message.
        #[serde(with = "crate::codec::shared")]
        detail: Arc<[u8]>,
    },
    /// Its arguments or its result could not be decoded or encoded.
    Decode,
    /// It was cancelled before it ended.
    Cancelled,
    /// No worker can run it: its workers, hosts or resources do not exist.
    NoWorker,
    /// It was not begun, since there was no time left for it; or one that it submitted and waited for was
    /// not, and it panicked.
    Stopping,
    /// Its worker's memory has no room for it, and nothing there can be moved to a disk.
    Memory,
    /// It ran for longer than its [`timeout`](crate::SubmitOptions::timeout).
    Timeout,
    /// It went with a rank that was lost, and is not, or cannot be, made again elsewhere.
    Lost,
}

/// The failure of a task, as it reaches every future that depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskError {
    /// What happened.
    pub reason: Reason,
    /// The name of the function, or the label that the task was given.
    pub function: String,
    /// The number of the task, as the scheduler counts.
    pub task: u64,
    /// The rank it ran on, if it ran.
    pub rank: Option<Rank>,
    /// The host of that rank.
    pub host: String,
    /// The panic's message, or the like. Of a long one, the first [`MESSAGE_BYTES_MAX`](Self::MESSAGE_BYTES_MAX)
    /// bytes, and its length.
    #[serde(with = "crate::codec::shared")]
    pub message: Arc<str>,
    /// How often it was tried.
    pub attempts: u32,
    /// The functions between the task that failed and the one that was asked for, in order; the
    /// last is the one asked for. Empty if the task itself was asked for. Of a long way, the first 31 and the
    /// last.
    pub dependents: Vec<String>,
}

/// How many functions are named between a task that failed and one that needs it.
const DEPENDENTS_MAX: usize = 32;

impl TaskError {
    /// How much of an error message is kept, in bytes.
    pub const MESSAGE_BYTES_MAX: usize = 4096;

    /// An error message as tasks keep it: the whole of a short one, else its beginning and its length.
    pub(crate) fn message(text: impl Into<String>) -> Arc<str> {
        let mut text: String = text.into();
        let length = text.len();
        if length > Self::MESSAGE_BYTES_MAX {
            let end = (0..=Self::MESSAGE_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
            text.push_str(&format!(" ... ({length} bytes in all)"));
        }
        text.into()
    }

    fn is_stopping(&self) -> bool {
        self.reason == Reason::Stopping
    }

    /// The error of a task called `dependent` that needs the value that is missing.
    pub(crate) fn needed_by(&self, dependent: String) -> Self {
        let mut error = self.clone();
        // Else what a long chain of tasks has to say would grow with the square of its length.
        error.dependents.truncate(DEPENDENTS_MAX - 1);
        error.dependents.push(dependent);
        error
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.reason {
            Reason::Panic => "panicked",
            Reason::Failed { .. } => "failed",
            Reason::Decode => "could not be decoded",
            Reason::Cancelled => "was cancelled",
            Reason::NoWorker => "cannot run",
            Reason::Stopping => "came too late",
            Reason::Memory => "found no room in memory",
            Reason::Timeout => "took too long",
            Reason::Lost => "was lost with its worker",
        };
        write!(f, "task {} ({}) {verb}", self.task, self.function)?;
        if let Some(rank) = self.rank {
            write!(f, " on rank {rank} ({})", self.host)?;
        }
        if self.attempts > 1 {
            write!(f, " after {} attempts", self.attempts)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if !self.dependents.is_empty() {
            f.write_str("; needed by ")?;
        }
        match &self.dependents[..] {
            [first, second, _, _, .., last] => write!(f, "{first}, then {second}, then others, then {last}"),
            few => f.write_str(&few.join(", then ")),
        }
    }
}

impl std::error::Error for TaskError {}

/// Tells the user of what is wrong but stops no run.
pub(crate) fn warn(words: impl fmt::Display) {
    write_line(&format!("Warning: {words}\n"));
}

/// Tells the user why the run ends.
pub(crate) fn tell(words: impl fmt::Display) {
    write_line(&format!("Error: {words}\n"));
}

/// What a panic says, if it says anything.
pub(crate) fn panic_words(panic: &(dyn Any + Send)) -> Option<&str> {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied())
}

/// Shows the user something on standard error. The run goes on if nobody reads it.
pub(crate) fn show(words: impl fmt::Display) {
    write_line(&format!("{words}\n"));
}

/// Writes a line as one piece: launchers mix what ranks write in several.
fn write_line(line: &str) {
    // Nobody can be told that nobody can be told.
    let _ = io::stderr().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_error_tells_the_whole_story_in_one_line() {
        let error = TaskError {
            reason: Reason::Panic,
            function: "pi::count_inside".into(),
            task: 41,
            rank: Some(Rank(5)),
            host: "node03".into(),
            message: TaskError::message("index out of bounds (pi.rs:7)"),
            attempts: 2,
            dependents: vec!["sum".into()],
        };
        assert_eq!(
            error.to_string(),
            "task 41 (pi::count_inside) panicked on rank 5 (node03) after 2 attempts: \
             index out of bounds (pi.rs:7); needed by sum"
        );
        assert_eq!(format!("{:?}", Error::from(Arc::new(error.clone()))), error.to_string());
        let stopping = TaskError { reason: Reason::Stopping, ..error.clone() };
        for (error, is_stopping) in [(error, false), (stopping, true)] {
            assert_eq!(Error::from(Arc::new(error.clone())).is_stopping(), is_stopping);
            assert_eq!(Error::other(Error::from(Arc::new(error.clone()))).is_stopping(), is_stopping);
            assert_eq!(Error::other(error).is_stopping(), is_stopping);
        }
    }

    #[test]
    fn a_long_message_is_cut_and_its_length_said() {
        assert_eq!(&*TaskError::message("short"), "short");
        let whole = "x".repeat(TaskError::MESSAGE_BYTES_MAX);
        assert_eq!(*TaskError::message(whole.as_str()), whole);
        // A character of two bytes lies across the end.
        let cut = TaskError::message(format!("x{}", "é".repeat(1 << 20)));
        assert!(cut.len() < TaskError::MESSAGE_BYTES_MAX + 64);
        assert!(
            cut.starts_with("xéé") && cut.ends_with("é ... (2097153 bytes in all)"),
            "{}",
            &cut[cut.len() - 64..]
        );
    }

    #[test]
    fn an_error_that_comes_a_long_way_stays_one_short_line() {
        let mut error = TaskError {
            reason: Reason::Cancelled,
            function: "load".into(),
            task: 0,
            rank: None,
            host: String::new(),
            message: TaskError::message(""),
            attempts: 0,
            dependents: Vec::new(),
        };
        for step in 0..5000 {
            error = error.needed_by(format!("step{step}"));
        }
        let words = "task 0 (load) was cancelled; needed by step0, then step1, then others, then step4999";
        assert_eq!((error.to_string().as_str(), error.dependents.len()), (words, DEPENDENTS_MAX));
    }
}
