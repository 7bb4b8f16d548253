//! What a run did and when: recorded on each rank, gathered by rank 0, told as a trace and a report.
//!
//! - `ring`: what one thread has recorded and nobody has taken yet. - `recorder`: a rank's rings, and the
//!   thread that empties them. - `clock`: how far the ranks' clocks are apart.
//! - [`history`]: the whole run as data, from ranks or from files. - `accounts`: what follows from it:
//!   where the time went, which tasks the run could not have been shorter than.
//! - `live`: what ranks tell while the run goes on, if somebody looks.
//! - `tally`: how far functions have come. - `progress`: shows that.
//! - `trace`, `report`: the files. - `outputs`: which files there shall be.
//!
//! Nothing here knows of schedulers, workers or stores: they say what happens.

mod accounts;
mod clock;
mod history;
mod live;
mod outputs;
mod progress;
mod recorder;
mod report;
mod ring;
mod tally;
mod trace;

pub(crate) use clock::{align, now};
pub(crate) use history::{Head, History, Kind, Sample};
pub(crate) use live::{Live, Pace, Span};
pub(crate) use outputs::Outputs;
pub use outputs::report_again;
pub(crate) use progress::Display;
pub use recorder::Recorder;
pub(crate) use recorder::Start;
pub(crate) use tally::{Progress, Tally};
