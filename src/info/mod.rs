//! Diagnosis of the environment in which a program was started: `maniple info`.
//!
//! Every rank notes its [`Facts`], and all are put together in a [`Survey`]; what is wrong follows from
//! that alone ([`findings`]). No task is run, so that a survey succeeds where a run could not start.
//!
//! ```no_run
//! let survey = maniple::info::Survey::take();
//! if survey.rank.0 == 0 {
//!     for finding in maniple::info::findings(&survey) {
//!         println!("{finding}");
//!     }
//! }
//! ```

mod facts;
mod findings;

pub use crate::{comm::launcher::Launcher, host::affinity::list};
pub use facts::{BuildTools, Facts, Family, Library, Memory, Place};
pub use findings::{Finding, findings};

use crate::{cluster::Cluster, error::Result, rank::Rank, runtime};
use std::time::Duration;

/// The features that this library was built with.
pub fn features() -> Vec<&'static str> {
    let all = [
        ("arrays", cfg!(feature = "arrays")),
        ("blas", cfg!(feature = "blas")),
        ("dashboard", cfg!(feature = "dashboard")),
        ("fourier", cfg!(feature = "fourier")),
        ("hdf5", cfg!(feature = "hdf5")),
        ("linear-algebra", cfg!(feature = "linear-algebra")),
        ("mpi", cfg!(feature = "mpi")),
        ("opencl", cfg!(feature = "opencl")),
        ("testing", cfg!(feature = "testing")),
        ("zarr", cfg!(feature = "zarr")),
    ];
    all.into_iter().filter(|(_, is_on)| *is_on).map(|(feature, _)| feature).collect()
}

/// What all ranks of a program found.
#[derive(Debug)]
pub struct Survey {
    /// This rank.
    pub rank: Rank,
    /// Who would do what in a run, or why there can be none.
    pub cluster: Result<Cluster>,
    /// What each rank found, in rank order; of this one alone where the ranks cannot talk.
    pub facts: Vec<Facts>,
    /// How much time the job has left, if that is known.
    pub time_left: Option<Duration>,
}

impl Survey {
    /// Looks around. Every rank that the launcher started calls this, once, before MPI is initialised.
    pub fn take() -> Self {
        let launcher = Launcher::of_this_process();
        let surveyed = match launcher.filter(|launcher| launcher.size > 1 && launcher.is_without_pmi()) {
            // Some libraries would print pages, and end the program, when they find no PMI.
            Some(launcher) => Err(runtime::singletons(launcher)),
            None => runtime::survey(|| Facts::here(launcher)),
        };
        match surveyed {
            Ok((rank, cluster, facts, time_left)) => Self { rank, cluster, facts, time_left },
            Err(error) => {
                let rank = Rank(Launcher::rank_of_this_process().unwrap_or(0));
                Self { rank, cluster: Err(error), facts: vec![Facts::here(launcher)], time_left: None }
            }
        }
    }

    /// The hosts, in the order of their first ranks, each with its ranks.
    pub fn hosts(&self) -> Vec<(&Facts, Vec<Rank>)> {
        let mut hosts: Vec<(&Facts, Vec<Rank>)> = Vec::new();
        for (index, facts) in self.facts.iter().enumerate() {
            let rank = if self.facts.len() == 1 { self.rank } else { Rank(index as u32) };
            match hosts.iter_mut().find(|(known, _)| known.host == facts.host) {
                Some((_, ranks)) => ranks.push(rank),
                None => hosts.push((facts, vec![rank])),
            }
        }
        hosts
    }
}
