//! Properties of the host: cores, memory, file systems, and the assignment of cores to its workers.

pub(crate) mod affinity;
pub(crate) mod machine;
