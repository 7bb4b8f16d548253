//! Calls of tasks' functions: their inputs, and what came of them.

use super::{
    execute::Ended,
    piece::{Outcome, Results},
    queue::Batch,
};
use crate::{
    current::{
        self, Context,
        call::{Failed, call_there, catch},
    },
    error::{Reason, TaskError},
    ids::{Code, TaskId},
    message::{Given, Held, Need, Run},
    module,
    packed::Packed,
    task::{Input, Inputs, Output},
    units::human_bytes,
};
use smallvec::SmallVec;
use std::{sync::Arc, time::Duration};

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
    let outcome = catch(|| {
        let descriptor = batch.run.code.descriptor().map_err(|error| Failed::decode(error.to_string()))?;
        let inputs = inputs(batch, index as usize, collected).map_err(Failed::decode)?;
        match module::call_of(batch.run.code) {
            None => (descriptor.run)(&mut Inputs::new(inputs), &mut output).map_err(Failed::decode),
            Some(call) => call_there(call, descriptor, &mut Inputs::new(inputs), &mut output),
        }
    });
    match outcome {
        Ok(()) => output.large.take().map_or(Outcome::Small, Outcome::Large),
        Err(Failed { reason, message }) => {
            Outcome::Failed(Box::new(task_error(&batch.run, task, reason, message)))
        }
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
    let collect = |argument: &Given| match argument {
        Given::Lists { collect, .. } => Some(*collect),
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
        Need::Own(_) | Need::Sent(_) => Err("an input does not exist yet".to_string()),
    };
    let mut inputs = SmallVec::new();
    // The key by which the journal knows a task is no argument.
    let count = piece.run.arguments.len() - usize::from(piece.run.is_kept);
    for (argument, collect) in piece.run.arguments.iter().zip(collected).take(count) {
        inputs.push(match argument {
            Given::Same(bytes) => Input::Bytes(bytes),
            Given::Each(values) => Input::Bytes(values.at(index)),
            Given::Values(needs) => input(&needs[index])?,
            Given::Lists { lists, .. } => {
                let items = lists[index].iter().map(input).collect::<Result<_, _>>()?;
                let code = collect.ok_or("a list without its type")?;
                let list = code.descriptor().map_err(|error| error.to_string())?;
                Input::List(items, list.collect, list.image)
            }
            Given::Parts { lists, cuts } => {
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
        rank: current::rank(),
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
