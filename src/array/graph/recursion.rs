//! Walks along expressions, of which a loop of a user's can make chains of any length.

use crate::array::graph::node::{Custom, Kind, Node};
use std::sync::Arc;

/// How much of the stack is left before a walk goes on, on one of its own if need be.
const STACK_BYTES_MIN: usize = 128 << 10;
/// How large such a stack is.
const STACK_BYTES_MORE: usize = 4 << 20;

/// Goes one step deeper.
pub(crate) fn deep<R>(step: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(STACK_BYTES_MIN, STACK_BYTES_MORE, step)
}

/// Drops what a node is made of one after the other: each within the other would need as much stack as
/// the chain is long.
impl Drop for Node {
    fn drop(&mut self) {
        let mut open = Vec::new();
        take_inputs(&mut self.kind, &mut open);
        while let Some(node) = open.pop() {
            if let Some(mut last) = Arc::into_inner(node) {
                take_inputs(&mut last.kind, &mut open);
            }
        }
    }
}

fn take_inputs(kind: &mut Kind, open: &mut Vec<Arc<Node>>) {
    match std::mem::replace(kind, Kind::Blocks(Vec::new(), false)) {
        Kind::Constant(_) | Kind::Generated(_) | Kind::Blocks(..) => {}
        Kind::Unary(_, input)
        | Kind::Cast(input)
        | Kind::View(input, _)
        | Kind::Gather(input, _)
        | Kind::Reshape(input)
        | Kind::Reduce { input, .. } => open.push(input),
        Kind::Binary(_, left, right) => open.extend([left, right]),
        Kind::Select(condition, yes, no) => open.extend([condition, yes, no]),
        Kind::Concatenate(inputs, _) => open.extend(inputs),
        Kind::Output(custom, _) => {
            if let Some(Custom { inputs, .. }) = Arc::into_inner(custom) {
                open.extend(inputs);
            }
        }
    }
}
