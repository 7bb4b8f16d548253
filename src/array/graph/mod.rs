//! From expressions to tasks: nodes, how they are cut and fused, the plan, and what submits it.

pub(super) mod blocks;
pub(super) mod chunks;
pub(super) mod custom;
pub(super) mod debug_build;
pub(super) mod fuse;
pub(super) mod gather;
pub(super) mod memory_check;
pub(super) mod node;
pub(super) mod plan;
pub(super) mod recursion;
pub(super) mod submit;
pub(super) mod submitter;
pub(super) mod tasks;
