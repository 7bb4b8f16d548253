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
    /// Serve a page on which the run is watched while it goes on, at this address, port or both, and print
    /// where it is [default: 127.0.0.1, port 8787 or the next free one] [env: MANIPLE_DASHBOARD].
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "")]
    dashboard: Option<String>,
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
        if let Some(address) = &self.dashboard {
            builder = builder.dashboard(address);
        }
        if self.progress { builder.progress(true) } else { builder }
    }
}
