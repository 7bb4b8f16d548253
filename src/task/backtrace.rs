//! The backtrace of a task that panics, from its own frames on.

use std::backtrace::{Backtrace, BacktraceStatus};

/// What the frames above a task's own are part of: those that run it.
const RUNTIME: [&str; 3] = ["maniple::task::", "maniple::worker::", "maniple::array::graph::custom::"];
/// What the frames below a task's own are part of: those of the panic.
const PANIC: [&str; 5] = [
    "core::panicking::",
    "std::panicking::",
    "rust_begin_unwind",
    "begin_unwind",
    "__rust_end_short_backtrace",
];

/// Returns the frames of the task that panics on this thread, if `RUST_BACKTRACE` asks for them. Called by the panic
/// hook.
pub(crate) fn of_task() -> Option<String> {
    let backtrace = Backtrace::capture();
    (backtrace.status() == BacktraceStatus::Captured).then(|| trim(&backtrace.to_string()))
}

/// Leaves out the frames of the panic and of what runs tasks. All stay where none would.
fn trim(text: &str) -> String {
    let mut frames: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match frames.last_mut() {
            Some(frame) if line.trim_start().starts_with("at ") => frame.push(line),
            _ => frames.push(vec![line]),
        }
    }
    let is_of = |frame: &Vec<&str>, parts: &[&str]| parts.iter().any(|part| frame[0].contains(part));
    // Those that catch the panic are below the runtime's.
    let begin = frames.iter().position(|frame| is_of(frame, &PANIC)).unwrap_or(0);
    let rest = &frames[begin..];
    let rest = &rest[rest.iter().position(|frame| !is_of(frame, &PANIC)).unwrap_or(0)..];
    // Its frame may be inlined into the one that calls it.
    let count = rest.iter().position(|frame| is_of(frame, &RUNTIME)).unwrap_or(rest.len());
    let own = if count == 0 { &frames[..] } else { &rest[..count] };
    own.iter().flatten().copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_of_the_task_stay() {
        let text = "   0: std::backtrace::Backtrace::create\n   1: maniple::task::backtrace::of_task\n             \
                    at ./src/task/backtrace.rs:16:21\n   2: std::panicking::panic_with_hook\n   \
                    3: rust_begin_unwind\n   4: core::panicking::panic_fmt\n             at core/panicking.rs:75:14\n   \
                    5: program::inner\n             at ./src/main.rs:4:5\n   6: program::outer\n   \
                    7: core::ops::function::Fn::call\n   8: <F as maniple::task::code::TaskFunction<A>>::run\n   \
                    9: maniple::worker::execute::run_task\n  10: std::panicking::try\n";
        assert_eq!(
            trim(text),
            "   5: program::inner\n             at ./src/main.rs:4:5\n   6: program::outer\n   \
             7: core::ops::function::Fn::call"
        );
    }
}
