//! The context of the running task: its rank, worker and client.

pub(crate) mod call;
mod scratch;

use crate::{
    client::Client,
    device::Device,
    error::{Error, Result, panic_words},
    ids::TaskId,
    rank::Rank,
    running::{self, Running, running},
    task::{backtrace, failure::Failure},
};
pub(crate) use scratch::Scratch;
use std::{
    cell::RefCell,
    panic,
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

/// What is the same for all tasks of a worker.
#[derive(Clone)]
pub(crate) struct Context(Arc<Surroundings>);

/// Knows which running tasks nobody waits for any more.
pub(crate) trait Watch: Send + Sync {
    /// Whether this attempt of a task should end.
    fn is_cancelled(&self, task: TaskId, attempt: u32) -> bool;
}

struct Surroundings {
    client: Client,
    watch: Arc<dyn Watch>,
    rank: Rank,
    worker: u32,
    scratch: Arc<Scratch>,
    device: Option<Device>,
}

impl Context {
    /// The surroundings of the tasks of the worker counted as `worker`.
    pub(crate) fn new(
        client: Client,
        watch: Arc<dyn Watch>,
        rank: Rank,
        worker: u32,
        scratch: Arc<Scratch>,
        device: Option<Device>,
    ) -> Self {
        Self(Arc::new(Surroundings { client, watch, rank, worker, scratch, device }))
    }

    /// The rank that runs the tasks.
    pub(crate) fn rank(&self) -> Rank {
        self.0.rank
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context({:?})", self.0.rank)
    }
}

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
    static PANIC_WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The task that runs on this thread, seen from inside.
#[derive(Clone, Debug)]
pub struct Current {
    context: Context,
    task: TaskId,
    attempt: u32,
}

/// The task that runs on this thread.
///
/// # Panics
///
/// Panics outside of a task; [`is_in_task`] tells.
#[track_caller]
pub fn current() -> Current {
    let context = CONTEXT.with_borrow(Clone::clone);
    let (context, Running { task, attempt, .. }) =
        context.zip(running()).expect("maniple::current() is called from within a task");
    Current { context, task, attempt }
}

/// Whether the task that runs on this thread should end, since nobody will get its value: it was cancelled,
/// all its futures were dropped, its [`timeout`](crate::SubmitOptions::timeout) is over, or the run has
/// ended. A task may ask often. Outside of a task, false; threads that a task uses ask
/// [`Current::cancelled`].
pub fn cancelled() -> bool {
    CONTEXT.with_borrow(|context| {
        let task = context.as_ref().zip(running());
        task.is_some_and(|(context, running)| context.0.watch.is_cancelled(running.task, running.attempt))
    })
}

/// The device of the worker that runs this task.
///
/// # Panics
///
/// Panics outside of a task.
///
/// # Errors
///
/// [`Error::Device`] if the worker has none.
#[track_caller]
pub fn device() -> Result<Device> {
    let task = current();
    task.device().cloned().ok_or_else(|| {
        Error::Device(format!(
            "the worker of rank {} has no device: start with MANIPLE_DEVICE=gpu, and give the task the resource GPU=1",
            task.rank()
        ))
    })
}

/// Whether a task runs on this thread.
pub fn is_in_task() -> bool {
    // The thread may be at its end.
    CONTEXT.try_with(|context| context.borrow().is_some()).unwrap_or(false)
}

/// Maximum size of [`fail`]'s detail, in bytes. The scheduler and each rank that needs the task hold it.
pub const FAILURE_DETAIL_BYTES_MAX: usize = 64 << 10;

/// Fails the task that runs on this thread: its future has a [`TaskError`](crate::TaskError) with this message and
/// [`Reason::Failed`](crate::Reason::Failed) with this detail, which is encoded as the caller likes. The task is
/// retried as after a panic.
///
/// A detail of more than [`FAILURE_DETAIL_BYTES_MAX`] bytes is dropped.
///
/// # Panics
///
/// Unwinds to the worker, without the panic hook. Outside of a task it is an ordinary panic.
///
/// # Examples
///
/// ```
/// use maniple::{Error, Reason};
///
/// fn read(code: u8) -> u8 {
///     maniple::fail("no such record", vec![code])
/// }
///
/// maniple::Runtime::builder().execute(|client| {
///     let Err(Error::Task(error)) = client.submit(read, 7).result() else { panic!("it fails") };
///     assert_eq!(&*error.message, "no such record");
///     assert!(matches!(&error.reason, Reason::Failed { detail } if **detail == [7]));
///     Ok(())
/// })
/// # .unwrap()
/// ```
pub fn fail(message: impl Into<String>, detail: impl Into<Arc<[u8]>>) -> ! {
    let (message, mut detail) = (message.into(), detail.into());
    if !is_in_task() {
        panic!("maniple::fail is called outside of a task: {message}");
    }
    if detail.len() > FAILURE_DETAIL_BYTES_MAX {
        detail = Arc::default();
    }
    panic::resume_unwind(Box::new(Failure { message, detail }))
}

impl Current {
    /// A client of the same run: a task submits more tasks with it.
    ///
    /// A task that waits for another gives its place to another thread, so that no number of waiting tasks stops a
    /// run, and nothing else runs on its own thread: see [`spare_threads`](crate::Builder::spare_threads).
    pub fn client(&self) -> &Client {
        &self.context.0.client
    }

    /// Whether the run is stopping, so that a long task should save what it has and end. A task may ask
    /// often. See [`Client::stopping`].
    pub fn stopping(&self) -> bool {
        self.client().table().is_stopping()
    }

    /// As [`cancelled`](crate::cancelled()), on any thread.
    ///
    /// ```
    /// use rayon::prelude::*;
    ///
    /// fn search(places: u64) -> Option<u64> {
    ///     let task = maniple::current();
    ///     (0..places).into_par_iter().find_any(|place| task.cancelled() || place % 1_000 == 999)
    /// }
    /// # maniple::Runtime::builder().execute(|client| {
    /// assert!(client.submit(search, 10_000).result()?.is_some());
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn cancelled(&self) -> bool {
        self.context.0.watch.is_cancelled(self.task, self.attempt)
    }

    /// The rank that runs the task.
    pub fn rank(&self) -> Rank {
        self.context.0.rank
    }

    /// The worker that runs the task, counted from 0 in rank order.
    pub fn worker(&self) -> usize {
        self.context.0.worker as usize
    }

    /// The number of the task among those of the rank that submitted it.
    pub fn task(&self) -> u64 {
        self.task.sequence()
    }

    /// How often the task was tried before.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What the worker is bound to, if it is; [`device`](crate::device()) is the short way.
    pub fn device(&self) -> Option<&Device> {
        self.context.0.device.as_ref()
    }

    /// A directory of this worker's own, on a disk of its node. It is created at the first call, and
    /// removed with all that is in it when the run ends. No other user has access to it.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be made.
    pub fn scratch_directory(&self) -> Result<PathBuf> {
        self.context.0.scratch.path().map(Path::to_path_buf)
    }
}

/// Runs `work` as part of a task in these surroundings.
pub(crate) fn enter<R>(context: Context, work: impl FnOnce() -> R) -> R {
    struct Leave(Option<Context>, Option<Running>);
    impl Drop for Leave {
        fn drop(&mut self) {
            CONTEXT.set(self.0.take());
            running::replace(self.1);
        }
    }
    let _leave = Leave(CONTEXT.replace(Some(context)), running());
    work()
}

/// Notes which task runs on this thread from now on.
pub(crate) fn set_task(task: TaskId, attempt: u32, depth: u32) {
    running::replace(Some(Running { task, attempt, depth, was_too_late: false }));
}

pub(crate) fn rank() -> Option<Rank> {
    CONTEXT.with_borrow(|context| context.as_ref().map(|context| context.0.rank))
}

/// The words of the panic that was caught last on this thread.
fn take_panic_words() -> Option<String> {
    PANIC_WORDS.take()
}

/// From now on a panic in a task prints nothing: its words go into the task's error.
pub(crate) fn catch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_in_task() {
                return print(info);
            }
            let words = panic_words(info.payload()).unwrap_or("a panic without words").to_string();
            let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
            let backtrace = backtrace::of_task().map(|frames| format!("\n{frames}"));
            let place = place.unwrap_or_default();
            PANIC_WORDS.set(Some(words + &place + &backtrace.unwrap_or_default()));
        }));
    });
}
