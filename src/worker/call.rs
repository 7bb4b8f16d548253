//! Calls of tasks' functions: their inputs, and what came of them.
//!
//! A panic in a task is caught here and becomes its error.

use super::{
    execute::Ended,
    piece::{Outcome, Results},
    queue::Batch,
};
use crate::{
    current::{self, Context},
    error::{Reason, TaskError},
    ids::{Code, TaskId},
    message::{Argument, Held, Need, Run},
    packed::Packed,
    running::running,
    task::{Input, Inputs, Output, failure::Failure},
    units::human_bytes,
};
use smallvec::SmallVec;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Runs the task at `index` of a run. `small` is emptied, and gets its value if that is small.
pub(super) fn run_task(
    batch: &Batch,
    index: u32,
    collected: &[Option<Code>],
    small_bytes_max: usize,
    small: &mut Packed,
) -> Outcome {
    let task = batch.run.tasks.first.plus(index);
    current::set_task(task, batch.run.attempt, batch.run.depth);
    small.truncate(0);
    let mut output = Output { small, small_bytes_max, large: None };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let descriptor = batch.run.code.descriptor().map_err(|error| error.to_string())?;
        (descriptor.run)(&mut Inputs::new(inputs(batch, index as usize, collected)?), &mut output)
    }));
    let failed = |reason, message| Outcome::Failed(Box::new(task_error(&batch.run, task, reason, message)));
    match outcome {
        Ok(Ok(())) => output.large.take().map_or(Outcome::Small, Outcome::Large),
        Ok(Err(words)) => failed(Reason::Decode, words),
        // It could not go on without a task of its own that nobody begins any more.
        Err(panic) if running().is_some_and(|running| running.was_too_late) => {
            failed(Reason::Stopping, panic_words(&*panic))
        }
        Err(panic) => match panic.downcast::<Failure>() {
            Ok(failure) => failed(Reason::Failed { detail: failure.detail }, failure.message),
            Err(panic) => failed(Reason::Panic, panic_words(&*panic)),
        },
    }
}

/// Runs the tasks of a piece on this thread up to the first after which `stop` holds, in virtual
/// time: they are said to have taken `each`. The rest stays in the piece.
pub(crate) fn run_until(
    piece: &mut Batch,
    small_bytes_max: usize,
    context: Context,
    each: Duration,
    mut stop: impl FnMut() -> bool,
) -> Vec<Ended> {
    let (mut results, mut small) = (Results::default(), Packed::default());
    let collected = collects(&piece.run);
    current::enter(context, || {
        while piece.next < piece.end && !stop() {
            let outcome = run_task(piece, piece.next, &collected, small_bytes_max, &mut small);
            results.push(piece.run.tasks.first.plus(piece.next), outcome, &small);
            piece.next += 1;
        }
    });
    let elapsed = each * results.count as u32;
    results.close(elapsed)
}

/// How to collect each argument that is a list.
pub(super) fn collects(run: &Run) -> Vec<Option<Code>> {
    let collect = |argument: &Argument| match argument {
        Argument::Lists { collect, .. } => Some(*collect),
        _ => None,
    };
    run.arguments.iter().map(collect).collect()
}

fn inputs<'a>(
    piece: &'a Batch,
    index: usize,
    collected: &[Option<Code>],
) -> Result<SmallVec<[Input<'a>; 4]>, String> {
    let value = |held: &Held| piece.values.get(&held.task).ok_or_else(|| "an input is missing".to_string());
    let input = |need: &'a Need| match need {
        Need::Inline(bytes) => Ok(Input::Bytes(bytes)),
        Need::Held(held) => value(held).map(Input::Value),
        Need::Part(part) => value(part).map(Input::Part),
    };
    let mut inputs = SmallVec::new();
    // The key by which the journal knows a task is no argument.
    let count = piece.run.arguments.len() - usize::from(piece.run.is_kept);
    for (argument, collect) in piece.run.arguments.iter().zip(collected).take(count) {
        inputs.push(match argument {
            Argument::Same(bytes) => Input::Bytes(bytes),
            Argument::Each(values) => Input::Bytes(values.at(index)),
            Argument::Needs(needs) => input(&needs[index])?,
            Argument::Lists { lists, .. } => {
                let items = lists[index].iter().map(input).collect::<Result<_, _>>()?;
                let code = collect.ok_or("a list without its type")?;
                Input::List(items, code.descriptor().map_err(|error| error.to_string())?.collect)
            }
            Argument::Parts { lists, cuts } => {
                Input::Parts(cuts.at(index), lists[index].iter().map(input).collect::<Result<_, String>>()?)
            }
        });
    }
    Ok(inputs)
}

pub(super) fn task_error(run: &Arc<Run>, task: TaskId, reason: Reason, message: String) -> TaskError {
    TaskError {
        reason,
        function: run.name(),
        task: task.0,
        rank: current::rank().map(|rank| rank.0),
        host: String::new(),
        message: TaskError::message(message),
        attempts: run.attempt + 1,
        dependents: Vec::new(),
    }
}

/// The error of a task that there is no room for.
pub(super) fn no_memory(run: &Arc<Run>, task: TaskId, bytes: u64) -> TaskError {
    let words = format!(
        "it needs {} more than this worker's memory limit leaves, and nothing there can be moved to a disk",
        human_bytes(bytes)
    );
    task_error(run, task, Reason::Memory, words)
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    current::take_panic_words().unwrap_or_else(|| {
        let words = panic.downcast_ref::<String>().cloned();
        words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}
