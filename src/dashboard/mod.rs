//! The dashboard: a web page about the live run, optionally served by rank 0.
//!
//! - [`address`](Address): where it listens. - `access`: who may see it. - `board`: what is known of the run,
//!   and how that is said. - `server`: connections. - `page/`: what the browser runs.
//!
//! Everything happens on one thread of rank 0, which gives way to all others. The run hears of it in two
//! places only: ranks tell about once a second what they do ([`Live`](crate::record::Live)), and somebody who
//! asks for a task's story puts a question to the scheduler as a client does, one at a time.
//! A state of the board is said once, and all streams share it; who is too slow for one gets the next.

#[cfg(not(feature = "dashboard"))]
mod absent;
#[cfg(feature = "dashboard")]
mod access;
#[cfg(feature = "dashboard")]
mod address;
#[cfg(feature = "dashboard")]
mod board;
#[cfg(feature = "dashboard")]
mod server;
#[cfg(feature = "dashboard")]
mod serving;

use crate::{
    client::Client,
    log,
    record::{Recorder, Tally},
};
#[cfg(not(feature = "dashboard"))]
pub(crate) use absent::{Address, Dashboard};
#[cfg(feature = "dashboard")]
pub(crate) use address::Address;
#[cfg(feature = "dashboard")]
pub(crate) use serving::Dashboard;
use std::sync::Arc;

/// What a dashboard shows.
#[cfg_attr(not(feature = "dashboard"), expect(dead_code, reason = "nothing is shown"))]
pub(crate) struct Sources {
    pub recorder: Arc<Recorder>,
    pub tally: Arc<Tally>,
    /// Rank 0's, which puts questions to ranks.
    pub client: Client,
    pub lines: Arc<log::Kept>,
    /// Of rank 0.
    pub host: String,
}
