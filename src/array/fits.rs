//! Whether the blocks of an array can be held by a worker. Looked at before anything is submitted.

use super::{
    ShapeError,
    node::{Kind, Node},
    plan::Plan,
};
use crate::{cluster::Cluster, units::human_bytes};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Whether every block that is made for an array, or on the way to it, fits into the memory of some
/// worker.
///
/// # Errors
///
/// Names the block that does not, the limit, and what helps.
pub(super) fn check(node: &Arc<Node>, cluster: &Cluster) -> Result<(), ShapeError> {
    let limit = cluster.workers().map(|worker| worker.memory_bytes).max().unwrap_or(u64::MAX);
    if !may_be_larger(node, limit) {
        return Ok(());
    }
    // Something is as large, but what is fused into others is never a block: the plan tells.
    let mut plan = Plan::default();
    plan.add(node);
    let is_too_large = |step: &&super::plan::Step| step.is_made && step.block_bytes as u64 > limit;
    match plan.steps.iter().find(is_too_large) {
        None => Ok(()),
        Some(step) => Err(ShapeError::new(format!(
            "a block of shape {:?} has {}, more than the {} that a worker may hold: it is a block of \
             {} of shape {:?}; rechunk its array into smaller blocks, or give workers more memory \
             (memory_limit, MANIPLE_MEMORY_LIMIT)",
            step.block_shape,
            human_bytes(step.block_bytes as u64),
            human_bytes(limit),
            step.name,
            step.shape,
        ))),
    }
}

/// Whether an array in the expression has a block of more than `limit` bytes.
fn may_be_larger(node: &Arc<Node>, limit: u64) -> bool {
    let mut open = vec![node];
    let mut known = FxHashSet::default();
    while let Some(node) = open.pop() {
        if !known.insert(Arc::as_ptr(node)) {
            continue;
        }
        if !matches!(node.kind, Kind::Blocks(..)) && node.block_bytes() as u64 > limit {
            return true;
        }
        open.extend(node.inputs());
    }
    false
}
