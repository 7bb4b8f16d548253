//! Records of what a run did and when: written by each rank, gathered by rank 0, exported as a trace and a report.
//!
//! - `ring`: what one thread has recorded and nobody has taken yet. - `recorder`: a rank's rings, and the
//!   thread that empties them. - `clock`: how far the ranks' clocks are apart.
//! - [`history`]: the whole run as data, from ranks or from files. - `accounts`: what follows from it:
//!   where the time went, which tasks the run could not have been shorter than.
//! - `timings`: when each task was sent, ran and ended, and what the driver did. - `path`: the critical path.
//!   - `idle`: what idle threads waited for. - `stretches`: sets of instants. - `activity`: what is recorded for these.
//! - `live`: what ranks tell while the run goes on, if somebody looks.
//! - `vacancy`: why threads have no task while the run goes on, as far as rank 0 knows.
//! - `tally`: how far functions have come. - `estimate`: how long what is left will take. - `progress`: shows both.
//! - `cycles`: the graph of functions as it is drawn.
//! - `trace`, `report`: the files. - `outputs`: which files there shall be.
//!
//! Nothing here knows of schedulers, workers or stores: they say what happens.

mod accounts;
mod activity;
mod clock;
mod cycles;
mod estimate;
mod history;
mod idle;
mod live;
mod outputs;
mod path;
mod progress;
mod recorder;
mod report;
mod ring;
mod stretches;
mod tally;
mod timings;
mod trace;
mod vacancy;

pub(crate) use clock::{align, now};
pub(crate) use history::{Chunk, Head, History, RunEnd};
pub(crate) use live::{Live, Pace};
pub(crate) use outputs::Outputs;
pub use outputs::report_again;
pub(crate) use progress::{Display, FIRST_LINE, draw_target};
pub use recorder::Recorder;
pub(crate) use recorder::Start;
#[cfg(feature = "dashboard")]
pub(crate) use tally::SessionProgress;
pub(crate) use tally::Tally;
#[cfg(feature = "dashboard")]
pub(crate) use {
    cycles::Acyclic,
    estimate::{Estimate, Rates},
    history::{Kind, Sample},
    idle::{Cause, Sums},
    live::Span,
    tally::{Failure, Progress},
    vacancy::{Known, Shares, split},
};

/// Reads a trace, and what a rank has left.
#[cfg(all(feature = "testing", feature = "arrays"))]
pub(crate) fn read_any(bytes: &[u8]) {
    let _ = trace::read(bytes);
    let mut chunks = Vec::new();
    history::read_part(bytes, &mut chunks);
    let _ = History::of(chunks);
}

/// A trace, and what a rank has left.
#[cfg(test)]
pub(crate) fn samples() -> [Vec<u8>; 2] {
    let known = accounts::tests::known();
    let (mut trace, mut part) = (Vec::new(), Vec::new());
    trace::write(&known, &mut trace).expect("it can be written");
    for rank in 2..4 {
        let chunk = Chunk {
            rank,
            head: Some(known.head.clone()),
            began: 5,
            until: 10,
            is_last: true,
            lost: 0,
            events: known.ranks[rank as usize].events.clone(),
            samples: known.ranks[rank as usize].samples.clone(),
            layers: known.layers.clone(),
        };
        history::write_part(&mut part, &chunk.encoded()).expect("it can be written");
    }
    [trace, part]
}
