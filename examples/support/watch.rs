//! Options with which every example lets its run be watched.

use clap::Parser;
use maniple::{Builder, Runtime};
use std::path::PathBuf;

/// What of a run shall be shown or written.
#[derive(Parser, Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Write a report of the run: one page of HTML [env: MANIPLE_REPORT].
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write a trace of the run, for ui.perfetto.dev [env: MANIPLE_TRACE].
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Show how far the run has come: bars in a terminal, else a line a minute [env: MANIPLE_PROGRESS].
    #[arg(long)]
    progress: bool,
}

impl Watch {
    /// Settings of a run that is watched as was asked for.
    pub(crate) fn builder(&self) -> Builder {
        let mut builder = Runtime::builder();
        if let Some(path) = &self.report {
            builder = builder.report(path);
        }
        if let Some(path) = &self.trace {
            builder = builder.trace(path);
        }
        if self.progress { builder.progress(true) } else { builder }
    }
}
