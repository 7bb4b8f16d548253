//! Internals for the tests, benchmarks and fuzzers of this repository, with the feature `testing` only.
//!
//! They are no part of the public API and may change in every release. All other internals are private.

pub use crate::{record::Recorder, runtime::simulation};

#[doc(hidden)]
pub mod comm {
    pub use crate::comm::*;
}

#[cfg(feature = "arrays")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::fuzzing::*;
}

#[doc(hidden)]
pub mod ids {
    pub use crate::ids::*;
}

#[doc(hidden)]
pub mod journal {
    pub use crate::journal::record;
}

#[doc(hidden)]
pub mod message {
    pub use crate::message::*;
}

#[doc(hidden)]
pub mod packed {
    pub use crate::packed::Packed;
}

#[doc(hidden)]
pub mod scheduler {
    pub use crate::scheduler::*;
}
