//! What can go wrong between a request and a finished job.

use super::System;
use std::{io, path::PathBuf};

/// Why there is no script, no job or no status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// No site has this name.
    #[error("there is no site '{name}'; known are: {known}")]
    UnknownSite {
        /// The name asked for.
        name: String,
        /// All names, separated by commas.
        known: String,
    },
    /// A file of sites cannot be read.
    #[error("cannot read sites from {path}: {message}")]
    SiteFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in the file.
        message: String,
    },
    /// The site runs another scheduler than the one asked for.
    #[error("the site '{site}' runs {runs}, not {asked}: use 'maniple job {}'", runs.name())]
    OtherScheduler {
        /// The site.
        site: String,
        /// Its scheduler.
        runs: System,
        /// The one asked for.
        asked: System,
    },
    /// The value of an option has no meaning, or does not go with the others.
    #[error("{option}: {message}")]
    Option {
        /// The option, as typed.
        option: &'static str,
        /// What is wrong with it, and what to write instead.
        message: String,
    },
    /// A node does not have what its workers need.
    #[error("{count} workers a node {need} need {needed} {what}, but a node has {available}: {remedy}")]
    NodeTooSmall {
        /// Workers on the fullest node.
        count: u32,
        /// What each needs, such as `of 4 threads`.
        need: String,
        /// What they need together.
        needed: String,
        /// What is short: `CPUs` or `memory`.
        what: &'static str,
        /// What a node has.
        available: String,
        /// What can be changed.
        remedy: &'static str,
    },
    /// A program of the scheduler is not installed here.
    #[error("'{program}' was not found: is this a login node of a site with {system}?")]
    ProgramMissing {
        /// The program.
        program: &'static str,
        /// The scheduler it belongs to.
        system: System,
    },
    /// A program of the scheduler failed. The text is its own.
    #[error("{program}: {message}")]
    Refused {
        /// The program.
        program: &'static str,
        /// Its words, on one line.
        message: String,
        /// Its exit status.
        status: i32,
    },
    /// A program of the scheduler answered something that is not understood.
    #[error("the answer of '{program}' is not understood: {answer}")]
    Answer {
        /// The program.
        program: &'static str,
        /// What it said.
        answer: String,
    },
    /// The scheduler has forgotten the job, so that its exit status cannot be known.
    #[error(
        "job {id} is over and {system} keeps no record of it, so its exit status is not known: see its output"
    )]
    Forgotten {
        /// The job.
        id: String,
        /// The scheduler.
        system: System,
    },
    /// A program of the scheduler could not be started or talked to.
    #[error("cannot run '{program}': {source}")]
    Start {
        /// The program.
        program: &'static str,
        /// The system's words.
        source: io::Error,
    },
}

impl JobError {
    /// The exit status for a program that ends with this error: 2 for a mistake of the user, else
    /// that of the scheduler's program, else 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::UnknownSite { .. }
            | Self::SiteFile { .. }
            | Self::OtherScheduler { .. }
            | Self::Option { .. }
            | Self::NodeTooSmall { .. }
            | Self::ProgramMissing { .. } => 2,
            Self::Refused { status, .. } => {
                u8::try_from(*status).ok().filter(|status| *status > 0).unwrap_or(1)
            }
            Self::Answer { .. } | Self::Forgotten { .. } | Self::Start { .. } => 1,
        }
    }

    pub(super) fn option(option: &'static str, message: impl Into<String>) -> Self {
        Self::Option { option, message: message.into() }
    }

    pub(super) fn answer(program: &'static str, answer: &str) -> Self {
        Self::Answer { program, answer: answer.split_whitespace().collect::<Vec<_>>().join(" ") }
    }
}
