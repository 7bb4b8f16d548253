//! Functions as tasks: how a call travels to another rank of the same executable.
//!
//! Every rank runs the same image, so what lies at an offset in it is the same everywhere. What
//! travels is the place of a constant [`Descriptor`], of which the compiler makes one for each
//! function, closure or generic instance that is submitted ([`code`]). No function is registered by
//! hand. (UPC++ ships its remote calls this way.)
//!
//! [`inputs`] is the receiving side: how a function's parameters see the values that came with the
//! call. The sending side, what may be passed for them, is [`client::arguments`](crate::client).

pub(crate) mod backtrace;
pub(crate) mod code;
pub(crate) mod failure;
pub(crate) mod inputs;

pub(crate) use code::{Descriptor, fingerprint};
pub use failure::{Fallible, fallible};
pub use inputs::{FallibleFunction, Shared, TaskFunction};
pub(crate) use inputs::{Input, Inputs, Output};
