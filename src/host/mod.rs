//! What this process finds on its host: cores, memory, file systems; and how the workers of a host share its cores.

pub(crate) mod affinity;
pub(crate) mod machine;
