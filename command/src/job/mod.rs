//! Batch jobs: from a request to a script, from a script to a finished run.
//!
//! A [`Request`] says what is wanted, a [`Site`] what a machine is like. Together they give a
//! [`Layout`] (how many ranks, and where), a script, and after [`submit`](Batch::submit) a job to
//! follow.
//!
//! ```
//! use maniple_command::job::{Request, Slurm};
//!
//! let request = Request {
//!     nodes: Some(2),
//!     workers_per_node: Some(6),
//!     threads: Some(8),
//!     walltime: Some("01:00:00".parse()?),
//!     ..Request::program(["./pi", "--samples", "1e12"])
//! };
//! let script = Slurm::new(request).job_script()?;
//! assert!(script.contains("#SBATCH --nodes=2"));
//! # Ok::<(), maniple_command::job::JobError>(())
//! ```
//!
//! Everything up to the script is a pure function of its input. Only [`Batch`] and [`Submitted`]
//! start programs, and only [`Sites::read`] reads files. Nothing here knows of MPI, ranks at run
//! time or tasks: options reach the program as `MANIPLE_*` environment variables.

mod batch;
mod directive;
mod error;
mod family;
mod launcher;
mod layout;
mod quantity;
mod request;
mod script;
mod shell;
mod site;
mod status;

pub use batch::{Batch, BatchSystem, Pbs, PbsSystem, Slurm, SlurmSystem, Submitted, Torque, TorqueSystem};
pub use error::JobError;
pub use launcher::Launcher;
pub use layout::{Layout, Wanted};
pub use quantity::{Memory, Walltime};
pub use request::{Request, Variable};
pub use script::Plan;
pub use shell::Shell;
pub use site::{Site, Sites};
pub use status::{Outcome, Status};

use serde::{Deserialize, Serialize};
use std::fmt;

/// A batch scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Slurm: `sbatch`, `scontrol`, `scancel`.
    Slurm,
    /// PBS Professional and OpenPBS: `qsub`, `qstat`, `qdel`.
    Pbs,
    /// Torque, and PBS of the years before: the same programs, other resources.
    Torque,
}

impl System {
    /// The name as it is written in `maniple job NAME` and in site files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slurm => "slurm",
            Self::Pbs => "pbs",
            Self::Torque => "torque",
        }
    }

    /// The program that submits a script.
    pub fn submit_program(self) -> &'static str {
        match self {
            Self::Slurm => "sbatch",
            Self::Pbs | Self::Torque => "qsub",
        }
    }

    /// The program that cancels a job.
    pub fn cancel_program(self) -> &'static str {
        match self {
            Self::Slurm => "scancel",
            Self::Pbs | Self::Torque => "qdel",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slurm => "Slurm",
            Self::Pbs => "PBS",
            Self::Torque => "Torque",
        })
    }
}
