//! What schedulers say about a job, read from their output.
//!
//! Pure: the text comes in, a status comes out.

use super::Walltime;
use std::fmt;

/// Where a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It waits.
    Queued {
        /// Why, in the scheduler's words; empty if it does not say.
        reason: String,
    },
    /// It runs.
    Running {
        /// For how long, if the scheduler says.
        elapsed: Option<Walltime>,
    },
    /// It is over.
    Ended(Outcome),
}

/// The exit status of a program that had no time for all it was to do: `EX_TEMPFAIL`, try again.
const STOPPED: u8 = 75;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// By itself, with this exit status.
    Exited(u8),
    /// By this signal.
    Signalled(u8),
    /// Someone cancelled it.
    Cancelled,
    /// It met its walltime.
    TimeLimit,
    /// Something else, in the scheduler's words, such as a lost node.
    Failed(String),
}

impl Outcome {
    /// The exit status for a program that waited for the job.
    ///
    /// | how the job ended | status |
    /// |---|---|
    /// | by itself | its own |
    /// | by signal n | 128 + n |
    /// | cancelled | 143, as by SIGTERM |
    /// | at its walltime | 124, as `timeout` has it |
    /// | otherwise | 1 |
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Exited(status) => *status,
            Self::Signalled(signal) => 128_u8.saturating_add(*signal),
            Self::Cancelled => 143,
            Self::TimeLimit => 124,
            Self::Failed(_) => 1,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(0) => f.write_str("succeeded"),
            Self::Exited(STOPPED) => {
                write!(f, "stopped before its end, with status {STOPPED}: submit it again")
            }
            Self::Exited(status) => write!(f, "failed with exit status {status}"),
            Self::Signalled(signal) => write!(f, "was ended by signal {signal}"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::TimeLimit => f.write_str("met its walltime"),
            Self::Failed(words) => write!(f, "failed: {words}"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queued { reason } if reason.is_empty() => f.write_str("is queued"),
            Self::Queued { reason } => write!(f, "is queued ({reason})"),
            Self::Running { elapsed: None } => f.write_str("runs"),
            Self::Running { elapsed: Some(elapsed) } => write!(f, "has run for {elapsed}"),
            Self::Ended(outcome) => outcome.fmt(f),
        }
    }
}

impl Status {
    /// Reads `scontrol show job ID --oneliner`: one line a job, several for an array.
    pub(super) fn from_scontrol(text: &str) -> Option<Self> {
        let jobs = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let field = |name: &str| {
                let mut fields = line.split_whitespace().filter_map(|field| field.split_once('='));
                fields.find(|(key, _)| *key == name).map(|(_, value)| value)
            };
            Self::from_slurm(field("JobState")?, field("ExitCode")?, field("Reason"), field("RunTime"))
        });
        Self::of_array(jobs.collect::<Option<Vec<_>>>()?)
    }

    /// Reads `sacct --parsable2 --noheader --allocations --format=State,ExitCode`.
    pub(super) fn from_sacct(text: &str) -> Option<Self> {
        let jobs = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let (state, exit_code) = line.split_once('|')?;
            // "CANCELLED by 1000"
            Self::from_slurm(state.split_whitespace().next()?, exit_code.trim(), None, None)
        });
        Self::of_array(jobs.collect::<Option<Vec<_>>>()?)
    }

    fn from_slurm(state: &str, exit_code: &str, reason: Option<&str>, elapsed: Option<&str>) -> Option<Self> {
        let (status, signal) = exit_code.split_once(':')?;
        let (status, signal): (u8, u8) = (status.parse().ok()?, signal.parse().ok()?);
        Some(match state {
            "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => {
                let reason = reason.filter(|reason| *reason != "None").unwrap_or_default();
                Self::Queued { reason: reason.into() }
            }
            "RUNNING" | "COMPLETING" | "CONFIGURING" | "SUSPENDED" | "STOPPED" | "SIGNALING"
            | "STAGE_OUT" | "RESIZING" => {
                Self::Running { elapsed: elapsed.and_then(|elapsed| elapsed.parse().ok()) }
            }
            "CANCELLED" => Self::Ended(Outcome::Cancelled),
            "TIMEOUT" => Self::Ended(Outcome::TimeLimit),
            "COMPLETED" | "FAILED" if signal != 0 => Self::Ended(Outcome::Signalled(signal)),
            "COMPLETED" => Self::Ended(Outcome::Exited(status)),
            "FAILED" if status != 0 => Self::Ended(Outcome::Exited(status)),
            state => Self::Ended(Outcome::Failed(match reason {
                Some(reason) if reason != "None" => format!("{state}, {reason}"),
                _ => state.into(),
            })),
        })
    }

    /// Reads `qstat -x -f ID` of PBS.
    pub(super) fn from_pbs_qstat(text: &str) -> Option<Self> {
        /// `JOB_EXEC_KILL_WALLTIME`.
        const KILLED_AT_WALLTIME: i32 = -29;
        Self::from_qstat(text, KILLED_AT_WALLTIME)
    }

    /// Reads `qstat -f ID` of Torque.
    pub(super) fn from_torque_qstat(text: &str) -> Option<Self> {
        /// `JOB_EXEC_OVERLIMIT_WT`.
        const KILLED_AT_WALLTIME: i32 = -11;
        Self::from_qstat(text, KILLED_AT_WALLTIME)
    }

    fn from_qstat(text: &str, killed_at_walltime: i32) -> Option<Self> {
        // Long values go on in lines that begin with a tab.
        let text = text.replace("\n\t", "");
        let field = |name: &str| {
            let mut fields = text.lines().filter_map(|line| line.trim().split_once(" = "));
            fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let exit_status = field("exit_status").and_then(|status| status.parse::<i32>().ok());
        let comment = field("comment").unwrap_or_default();
        Some(match field("job_state")? {
            "R" | "E" | "S" | "U" | "B" => {
                Self::Running { elapsed: field("resources_used.walltime").and_then(|used| used.parse().ok()) }
            }
            "C" | "F" | "X" => {
                let seconds = |name| field(name).and_then(|value| value.parse::<Walltime>().ok());
                let limit = seconds("Resource_List.walltime");
                let met_walltime = exit_status == Some(killed_at_walltime)
                    || limit.is_some() && seconds("resources_used.walltime") >= limit;
                Self::Ended(pbs_outcome(exit_status, comment, met_walltime))
            }
            _ => Self::Queued { reason: comment.into() },
        })
    }

    /// The status of several jobs of one array: over when all are, and then the first that failed.
    fn of_array(jobs: Vec<Self>) -> Option<Self> {
        let is_over = |status: &&Self| matches!(status, Self::Ended(_));
        let is_bad = |status: &&Self| !matches!(status, Self::Ended(Outcome::Exited(0)));
        let running = jobs.iter().find(|status| matches!(status, Self::Running { .. }));
        let open = running.or_else(|| jobs.iter().find(|status| !is_over(status)));
        open.or_else(|| jobs.iter().find(is_bad)).or(jobs.first()).cloned()
    }
}

/// What the exit status of PBS and Torque means: negative for their own reasons, 256 more than a
/// signal.
fn pbs_outcome(exit_status: Option<i32>, comment: &str, met_walltime: bool) -> Outcome {
    /// What `qdel` leaves, and Torque at the walltime.
    const TERMINATED: i32 = 256 + 15;
    match exit_status {
        Some(status @ 0..=255) => Outcome::Exited(status as u8),
        _ if met_walltime => Outcome::TimeLimit,
        Some(TERMINATED) | None => Outcome::Cancelled,
        Some(status @ 257..=320) => Outcome::Signalled((status - 256) as u8),
        Some(status) => Outcome::Failed(format!("status {status} of the scheduler. {comment}").trim().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scontrol(state: &str, exit_code: &str, reason: &str) -> Status {
        let line = format!(
            "JobId=7 JobName=a b JobState={state} Reason={reason} ExitCode={exit_code} RunTime=00:01:05 X\n"
        );
        Status::from_scontrol(&line).unwrap()
    }

    #[test]
    fn slurm_says_how_a_job_ended() {
        let table = [
            ("COMPLETED", "0:0", "None", Outcome::Exited(0)),
            ("FAILED", "3:0", "NonZeroExitCode", Outcome::Exited(3)),
            ("FAILED", "0:9", "None", Outcome::Signalled(9)),
            ("CANCELLED", "0:15", "None", Outcome::Cancelled),
            ("TIMEOUT", "0:15", "TimeLimit", Outcome::TimeLimit),
            ("NODE_FAIL", "0:0", "NodeDown", Outcome::Failed("NODE_FAIL, NodeDown".into())),
            ("OUT_OF_MEMORY", "0:125", "None", Outcome::Failed("OUT_OF_MEMORY".into())),
        ];
        for (state, exit_code, reason, outcome) in table {
            assert_eq!(scontrol(state, exit_code, reason), Status::Ended(outcome));
        }
        assert_eq!(scontrol("PENDING", "0:0", "Resources"), Status::Queued { reason: "Resources".into() });
        assert_eq!(scontrol("RUNNING", "0:0", "None"), Status::Running { elapsed: Some(Walltime(65)) });
        assert_eq!(Status::from_scontrol(""), None);
        assert_eq!(Status::from_sacct("CANCELLED by 1000|0:15\n"), Some(Status::Ended(Outcome::Cancelled)));
        assert_eq!(Status::from_sacct("FAILED|3:0\n"), Some(Status::Ended(Outcome::Exited(3))));
    }

    #[test]
    fn an_array_is_over_when_all_its_jobs_are() {
        let line = |state: &str, code: &str| format!("JobState={state} ExitCode={code}\n");
        let text = line("COMPLETED", "0:0") + &line("RUNNING", "0:0") + &line("FAILED", "2:0");
        assert_eq!(Status::from_scontrol(&text), Some(Status::Running { elapsed: None }));
        let text = line("COMPLETED", "0:0") + &line("FAILED", "2:0");
        assert_eq!(Status::from_scontrol(&text), Some(Status::Ended(Outcome::Exited(2))));
    }

    #[test]
    fn pbs_and_torque_say_how_a_job_ended() {
        let qstat = |fields: &str| Status::from_pbs_qstat(&format!("Job Id: 7.server\n{fields}")).unwrap();
        let ended = |fields: &str| match qstat(fields) {
            Status::Ended(outcome) => outcome,
            status => panic!("{status:?}"),
        };
        assert_eq!(ended("    job_state = F\n    Exit_status = 3\n"), Outcome::Exited(3));
        assert_eq!(ended("    job_state = C\n    exit_status = 0\n"), Outcome::Exited(0));
        assert_eq!(ended("    job_state = F\n    Exit_status = 271\n"), Outcome::Cancelled);
        assert_eq!(ended("    job_state = F\n    Exit_status = -29\n"), Outcome::TimeLimit);
        let limit = "    Resource_List.walltime = 00:01:00\n    resources_used.walltime = 00:01:04\n";
        assert_eq!(ended(&format!("    job_state = C\n    exit_status = 271\n{limit}")), Outcome::TimeLimit);
        assert_eq!(ended(&format!("    job_state = C\n    exit_status = 75\n{limit}")), Outcome::Exited(75));
        assert_eq!(ended("    job_state = F\n    Exit_status = 265\n"), Outcome::Signalled(9));
        assert_eq!(ended("    job_state = F\n"), Outcome::Cancelled);
        let text =
            "    comment = Not Running: Insufficient amount of res\n\tource ncpus\n    job_state = Q\n";
        let reason = "Not Running: Insufficient amount of resource ncpus".to_string();
        assert_eq!(qstat(text), Status::Queued { reason });
        let text = "    resources_used.walltime = 00:01:05\n    job_state = R\n";
        assert_eq!(qstat(text), Status::Running { elapsed: Some(Walltime(65)) });
        let torque = Status::from_torque_qstat("    job_state = C\n    exit_status = -11\n");
        assert_eq!(torque, Some(Status::Ended(Outcome::TimeLimit)));
        assert_eq!(Status::from_pbs_qstat("qstat: Unknown Job Id 7"), None);
    }
}
