//! Submitting a job and following it: the only part that starts the scheduler's programs.

use super::{JobError, Outcome, Plan, Request, Site, Status, System};
use std::{
    fmt,
    io::{self, Write},
    marker::PhantomData,
    ops::ControlFlow,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

/// Says which scheduler a [`Batch`] is for.
pub trait BatchSystem {
    /// The scheduler.
    const SYSTEM: System;
}

/// Slurm, as a type.
#[derive(Clone, Copy, Debug)]
pub enum SlurmSystem {}

/// PBS, as a type.
#[derive(Clone, Copy, Debug)]
pub enum PbsSystem {}

/// Torque, as a type.
#[derive(Clone, Copy, Debug)]
pub enum TorqueSystem {}

impl BatchSystem for SlurmSystem {
    const SYSTEM: System = System::Slurm;
}

impl BatchSystem for PbsSystem {
    const SYSTEM: System = System::Pbs;
}

impl BatchSystem for TorqueSystem {
    const SYSTEM: System = System::Torque;
}

/// A job for Slurm.
pub type Slurm = Batch<SlurmSystem>;
/// A job for PBS Professional or OpenPBS.
pub type Pbs = Batch<PbsSystem>;
/// A job for Torque.
pub type Torque = Batch<TorqueSystem>;

/// A job that is not yet submitted.
#[derive(Clone, Debug)]
pub struct Batch<S> {
    request: Request,
    site: Site,
    system: PhantomData<S>,
}

impl<S: BatchSystem> Batch<S> {
    /// A job at a site of which nothing is known.
    pub fn new(request: Request) -> Self {
        Self { request, site: Site::generic(S::SYSTEM), system: PhantomData }
    }

    /// The same job at a site, whose scheduler must be this one.
    pub fn at(self, site: Site) -> Self {
        Self { site, ..self }
    }

    /// Asks for this many workers altogether, on as many nodes as they take.
    pub fn scale(mut self, workers: u32) -> Self {
        (self.request.workers, self.request.nodes) = (Some(workers), None);
        (self.request.ranks, self.request.ranks_per_node) = (None, None);
        self
    }

    /// Decides layout and script.
    ///
    /// # Errors
    ///
    /// Fails if the request contradicts itself or the site.
    pub fn plan(&self) -> Result<Plan, JobError> {
        Plan::new(S::SYSTEM, self.request.clone(), self.site.clone())
    }

    /// The script.
    ///
    /// # Errors
    ///
    /// Fails if the request contradicts itself or the site.
    pub fn job_script(&self) -> Result<String, JobError> {
        self.plan()?.script(None)
    }

    /// Submits the job.
    ///
    /// # Errors
    ///
    /// Fails if there can be no script, or the scheduler refuses it.
    pub fn submit(&self) -> Result<Submitted, JobError> {
        Submitted::from_script(S::SYSTEM, &self.job_script()?)
    }
}

/// A job that the scheduler has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    system: System,
    id: String,
}

impl fmt::Display for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

impl Submitted {
    /// Submits a script.
    ///
    /// # Errors
    ///
    /// Fails if the scheduler is not installed or refuses the script.
    pub fn from_script(system: System, script: &str) -> Result<Self, JobError> {
        let program = system.submit_program();
        let arguments: &[&str] = if system == System::Slurm { &["--parsable"] } else { &[] };
        let answer = run(system, program, arguments, script)?;
        // sbatch says "12" or "12;cluster", qsub "12.server"; a site's wrapper can say more around it.
        let is_id = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit()) && !line.contains(' ');
        let Some(line) = answer.lines().map(str::trim).rfind(is_id) else {
            return Err(JobError::answer(program, &answer));
        };
        let id = line.split(';').next().unwrap_or(line);
        Ok(Self { system, id: id.into() })
    }

    /// A job that was submitted before.
    pub fn with_id(system: System, id: impl Into<String>) -> Self {
        Self { system, id: id.into() }
    }

    /// The scheduler's name for the job.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Asks the scheduler where the job is.
    ///
    /// # Errors
    ///
    /// Fails if the scheduler does not answer, or has forgotten the job.
    pub fn status(&self) -> Result<Status, JobError> {
        let id = self.id.as_str();
        match self.system {
            System::Slurm => self.slurm_status(),
            // -x: jobs that have ended too. Torque has another -x, and shows ended jobs without.
            System::Pbs => self.understood("qstat", &["-x", "-f", id], Status::from_pbs_qstat),
            System::Torque => self.understood("qstat", &["-f", id], Status::from_torque_qstat),
        }
    }

    fn slurm_status(&self) -> Result<Status, JobError> {
        let shown =
            self.understood("scontrol", &["show", "job", &self.id, "--oneliner"], Status::from_scontrol);
        let Err(JobError::Forgotten { .. }) = shown else { return shown };
        // The controller forgets a job minutes after its end; the accounting, where there is one,
        // does not.
        let arguments =
            ["--jobs", &self.id, "--allocations", "--noheader", "--parsable2", "--format=State,ExitCode"];
        match run(self.system, "sacct", &arguments, "").map(|answer| Status::from_sacct(&answer)) {
            Ok(Some(status)) => Ok(status),
            _ => shown,
        }
    }

    fn understood(
        &self,
        program: &'static str,
        arguments: &[&str],
        read: fn(&str) -> Option<Status>,
    ) -> Result<Status, JobError> {
        match run(self.system, program, arguments, "") {
            Ok(answer) => read(&answer).ok_or_else(|| JobError::answer(program, &answer)),
            Err(JobError::Refused { message, .. }) if is_unknown_job(&message) => {
                Err(JobError::Forgotten { id: self.id.clone(), system: self.system })
            }
            Err(error) => Err(error),
        }
    }

    /// Cancels the job.
    ///
    /// # Errors
    ///
    /// Fails if the scheduler refuses, such as for a job that is over.
    pub fn cancel(&self) -> Result<(), JobError> {
        run(self.system, self.system.cancel_program(), &[&self.id], "").map(drop)
    }

    /// Waits until the job is over. `observe` is told the status after each question, and can end
    /// the waiting: then there is no outcome, and the job goes on.
    ///
    /// The scheduler is asked often at first, then every ten seconds. A scheduler that does not
    /// answer for a while is asked again.
    ///
    /// # Errors
    ///
    /// Fails if the scheduler fails to answer ten times in a row, or has forgotten the job.
    pub fn wait(
        &self,
        mut observe: impl FnMut(&Status) -> ControlFlow<()>,
    ) -> Result<Option<Outcome>, JobError> {
        const FAILURES_MAX: u32 = 10;
        const PAUSE_MAX: Duration = Duration::from_secs(10);
        let (mut failures, mut pause, mut last) = (0, Duration::from_millis(200), None);
        loop {
            match self.status() {
                Ok(Status::Ended(outcome)) => return Ok(Some(outcome)),
                Ok(status) => (failures, last) = (0, Some(status)),
                Err(error @ (JobError::Forgotten { .. } | JobError::ProgramMissing { .. })) => {
                    return Err(error);
                }
                Err(error) if failures == FAILURES_MAX => return Err(error),
                Err(_) => failures += 1,
            }
            // A pause in small steps, so that the observer can end it and show that time passes.
            let step = Duration::from_millis(200);
            for _ in 0..pause.as_millis().div_ceil(step.as_millis()) {
                if last.as_ref().is_some_and(|status| observe(status).is_break()) {
                    return Ok(None);
                }
                thread::sleep(step);
            }
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
    }
}

/// Whether the scheduler says that it does not know a job (any more).
fn is_unknown_job(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["invalid job id", "unknown job id", "unknown job", "job has finished"]
        .iter()
        .any(|words| message.contains(words))
}

/// Runs a program of the scheduler to its end and returns what it printed.
fn run(system: System, program: &'static str, arguments: &[&str], input: &str) -> Result<String, JobError> {
    let output = output_of(program, arguments, input).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => JobError::ProgramMissing { program, system },
        _ => JobError::Start { program, source },
    })?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    let words = if output.stderr.is_empty() { said(&output.stdout) } else { said(&output.stderr) };
    let prefix = format!("{program}: ");
    let lines = words.lines().map(|line| line.trim().trim_start_matches(prefix.as_str()));
    let message = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    Err(JobError::Refused { program, message, status: output.status.code().unwrap_or(1) })
}

fn output_of(program: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that refuses early closes its end; its words and status tell why.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}
