//! What a user wants of a batch job.

use super::{JobError, Launcher, Memory, Shell, Site, Walltime, shell::is_variable_name};
use clap::Args;
use std::str::FromStr;

/// An environment variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, as the program sees it.
    pub value: String,
}

impl FromStr for Variable {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, JobError> {
        let parts = text.split_once('=').filter(|(name, _)| is_variable_name(name));
        let (name, value) = parts
            .ok_or_else(|| JobError::option("--env", format!("'{text}' is not of the form NAME=VALUE")))?;
        Ok(Self { name: name.into(), value: value.into() })
    }
}

/// What a user wants of a batch job. What is not said comes from the [`Site`], else from the
/// scheduler.
///
/// The number of ranks comes from one of `workers_per_node`, `workers`, `ranks_per_node` and
/// `ranks`, and from `nodes`. With the first two, the scheduler and the driver are two ranks more,
/// on the first node, and share the CPUs of its workers. With the last two they are counted.
#[derive(Args, Clone, Debug, Default)]
pub struct Request {
    /// Nodes. Without it, as many as the workers or ranks take
    #[arg(long, value_name = "N", help_heading = "Size", value_parser = clap::value_parser!(u32).range(1..))]
    pub nodes: Option<u32>,
    /// Workers on each node; the scheduler and the driver are two more ranks on the first node
    #[arg(long, value_name = "N", help_heading = "Size", value_parser = clap::value_parser!(u32).range(1..))]
    pub workers_per_node: Option<u32>,
    /// Workers altogether
    #[arg(long, value_name = "N", help_heading = "Size", value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: Option<u32>,
    /// Ranks altogether, the scheduler and the driver among them
    #[arg(long, value_name = "N", help_heading = "Size", conflicts_with_all = ["workers", "workers_per_node"],
          value_parser = clap::value_parser!(u32).range(1..))]
    pub ranks: Option<u32>,
    /// Ranks on each node, the scheduler and the driver among those of the first
    #[arg(long, value_name = "N", help_heading = "Size", conflicts_with_all = ["workers", "workers_per_node"],
          value_parser = clap::value_parser!(u32).range(1..))]
    pub ranks_per_node: Option<u32>,
    /// Let the scheduler's and the driver's rank work too, so that no device idles
    #[arg(long, help_heading = "Size")]
    pub inclusive: bool,
    /// Threads of a worker [default: a node's CPUs, shared]
    #[arg(long, value_name = "N", help_heading = "Size", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Memory of a worker, such as 40GB or 40GiB [default: a node's memory, shared]
    #[arg(long, value_name = "SIZE", help_heading = "Size")]
    pub memory: Option<Memory>,
    /// What workers compute on: cpu, gpu or tile
    #[arg(long, value_name = "DEVICE", help_heading = "Size")]
    pub device: Option<String>,
    /// CPUs of a node, as its scheduler counts them [default: the site's]
    #[arg(long, value_name = "N", help_heading = "Size", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus_per_node: Option<u32>,
    /// Memory of a node [default: the site's]
    #[arg(long, value_name = "SIZE", help_heading = "Size")]
    pub memory_per_node: Option<Memory>,
    /// GPUs of a node [default: the site's]
    #[arg(long, value_name = "N", help_heading = "Size")]
    pub gpus_per_node: Option<u32>,

    /// How long the job may run: 01:30:00, 1-12:00:00, 90m, 1h30m
    #[arg(long, value_name = "TIME", help_heading = "Queue")]
    pub walltime: Option<Walltime>,
    /// Queue, or partition
    #[arg(long, value_name = "NAME", help_heading = "Queue")]
    pub queue: Option<String>,
    /// Account, or project
    #[arg(long, value_name = "NAME", help_heading = "Queue")]
    pub account: Option<String>,
    /// Name of the job [default: the program's]
    #[arg(long, value_name = "NAME", help_heading = "Queue")]
    pub name: Option<String>,
    /// File for the output, in the scheduler's notation
    #[arg(long, value_name = "FILE", help_heading = "Queue")]
    pub output: Option<String>,
    /// Indices of a job array, such as 0-9
    #[arg(long, value_name = "RANGE", help_heading = "Queue")]
    pub array: Option<String>,
    /// Address that is told when the job ends or fails
    #[arg(long, value_name = "ADDRESS", help_heading = "Queue")]
    pub mail: Option<String>,
    /// Resources, in the scheduler's notation, instead of those computed. {nodes},
    /// {workers_per_node} and the like are replaced
    #[arg(long, value_name = "TEXT", help_heading = "Queue")]
    pub resource_spec: Option<String>,
    /// One more directive, without its #SBATCH or #PBS, instead of the generated one that asks for the
    /// same; can be repeated
    #[arg(long = "directive", value_name = "TEXT", help_heading = "Queue", allow_hyphen_values = true)]
    pub directives: Vec<String>,
    /// Leave out the generated directives that contain this text; can be repeated
    #[arg(long = "skip-directive", value_name = "TEXT", help_heading = "Queue", allow_hyphen_values = true)]
    pub skip_directives: Vec<String>,

    /// Shell of the script: bash, tcsh, or a first line such as '#!/bin/bash -l'
    #[arg(long, value_name = "SHELL", help_heading = "Script")]
    pub shell: Option<Shell>,
    /// Module to load; can be repeated
    #[arg(long = "module", value_name = "NAME", help_heading = "Script")]
    pub modules: Vec<String>,
    /// Line of the shell to run before the program; can be repeated
    #[arg(long, value_name = "LINE", help_heading = "Script", allow_hyphen_values = true)]
    pub prologue: Vec<String>,
    /// Line of the shell to run after the program; can be repeated
    #[arg(long, value_name = "LINE", help_heading = "Script", allow_hyphen_values = true)]
    pub epilogue: Vec<String>,
    /// Environment variable of the program; can be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", help_heading = "Script")]
    pub environment: Vec<Variable>,
    /// Directory of each node for what does not fit in memory; $NAME is replaced when the job runs
    #[arg(long, value_name = "DIRECTORY", help_heading = "Script")]
    pub local_directory: Option<String>,
    /// Let the run go on when a worker is lost
    #[arg(long, help_heading = "Script")]
    pub survive: bool,
    /// What starts the ranks
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Script")]
    pub launcher: Option<Launcher>,
    /// Name or path of the launcher's program [default: mpirun, mpiexec or srun]
    #[arg(long, value_name = "PROGRAM", help_heading = "Script")]
    pub mpiexec: Option<String>,

    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub command: Vec<String>,
}

impl Request {
    /// A request to run a program with its arguments, and nothing else said.
    pub fn program<T: Into<String>>(command: impl IntoIterator<Item = T>) -> Self {
        Self { command: command.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The same request with what it does not say taken from the site.
    ///
    /// Lists of the site come before those of the request. A size that is asked for in one way
    /// replaces the site's, whichever way that is said, and ranks that are counted one by one are
    /// not inclusive by the site's wish.
    pub fn at(mut self, site: &Site) -> Self {
        let has_size = self.has_size();
        self.workers_per_node = self.workers_per_node.or(site.workers_per_node.filter(|_| !has_size));
        self.inclusive |= site.inclusive && self.ranks.is_none() && self.ranks_per_node.is_none();
        self.threads = self.threads.or(site.threads);
        self.memory = self.memory.or(site.memory);
        self.cpus_per_node = self.cpus_per_node.or(site.cpus_per_node);
        self.memory_per_node = self.memory_per_node.or(site.memory_per_node);
        self.gpus_per_node = self.gpus_per_node.or(site.gpus_per_node);
        self.walltime = self.walltime.or(site.walltime);
        self.queue = self.queue.or_else(|| site.queue.clone());
        self.account = self.account.or_else(|| site.account.clone());
        self.shell = self.shell.or_else(|| site.shell.clone());
        self.local_directory = self.local_directory.or_else(|| site.local_directory.clone());
        self.launcher = self.launcher.or(site.launcher);
        self.mpiexec = self.mpiexec.or_else(|| site.mpiexec.clone());
        self.directives.splice(..0, site.directives.iter().cloned());
        self.skip_directives.splice(..0, site.skip_directives.iter().cloned());
        self.modules.splice(..0, site.modules.iter().cloned());
        self.prologue.splice(..0, site.prologue.iter().cloned());
        let variables = site.environment.iter();
        self.environment.splice(
            ..0,
            variables.map(|(name, value)| Variable { name: name.clone(), value: value.clone() }),
        );
        self
    }

    /// Whether the request says how many ranks a node has, so that the site's number does not
    /// count.
    fn has_size(&self) -> bool {
        self.workers_per_node.is_some()
            || self.ranks.is_some()
            || self.ranks_per_node.is_some()
            || self.workers.is_some() && self.nodes.is_some()
    }

    /// The name of the job: the one given, else the program's.
    pub fn job_name(&self) -> &str {
        let program = self.command.first().map_or("maniple", String::as_str);
        self.name.as_deref().unwrap_or_else(|| program.rsplit('/').next().unwrap_or(program))
    }
}
