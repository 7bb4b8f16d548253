//! Calls of tasks' functions, whose panics become errors; in the image that the function is part of.

use super::{CONTEXT, Context, catch_panics, enter, take_panic_words};
use crate::{
    device,
    error::{Reason, panic_words},
    running::{self, Running, running},
    task::{Descriptor, Inputs, Output, failure::Failure},
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Why a call came to nothing.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Failed {
    /// The inputs or the result are not what the function's types say.
    pub(crate) fn decode(message: String) -> Self {
        Self { reason: Reason::Decode, message }
    }
}

/// Runs a part of the task on this thread, and makes an error of its panic.
pub(crate) fn catch(work: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    let panic = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => return result,
        Err(panic) => panic,
    };
    // It could not go on without a task of its own that nobody begins any more.
    if running().is_some_and(|running| running.was_too_late) {
        return Err(Failed { reason: Reason::Stopping, message: words_of_task(&*panic) });
    }
    Err(match panic.downcast::<Failure>() {
        Ok(failure) => Failed { reason: Reason::Failed { detail: failure.detail }, message: failure.message },
        Err(panic) => Failed { reason: Reason::Panic, message: words_of_task(&*panic) },
    })
}

/// Calls a function of another image, as the task on this thread.
pub(crate) type CallThere =
    fn(Context, Running, &Descriptor, &mut Inputs<'_>, &mut Output<'_>) -> Result<(), Failed>;

/// Calls a function of this image, as the task of a thread of another image: that one's copy of the library knows which
/// task it is, and cannot catch its panics.
pub(crate) fn call_here(
    context: Context,
    task: Running,
    descriptor: &Descriptor,
    inputs: &mut Inputs<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    catch_panics();
    if context.0.device.is_some() {
        device::open_here();
    }
    enter(context, || {
        running::replace(Some(task));
        catch(|| (descriptor.run)(inputs, output).map_err(Failed::decode))
    })
}

/// Calls a function of another image as the task on this thread.
pub(crate) fn call_there(
    call: CallThere,
    descriptor: &Descriptor,
    inputs: &mut Inputs<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let task = CONTEXT.with_borrow(Clone::clone).zip(running());
    let (context, task) = task.ok_or_else(|| Failed::decode("no task runs on this thread".into()))?;
    call(context, task, descriptor, inputs, output).map_err(|failed| {
        match (&failed.reason, running().is_some_and(|running| running.was_too_late)) {
            (Reason::Panic, true) => Failed { reason: Reason::Stopping, ..failed },
            _ => failed,
        }
    })
}

/// What a panic of a task said, with its place; only what it says where nothing looked on.
fn words_of_task(panic: &(dyn Any + Send)) -> String {
    take_panic_words().unwrap_or_else(|| panic_words(panic).unwrap_or_default().into())
}
