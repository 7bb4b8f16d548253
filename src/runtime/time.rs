//! When a run must end, and what that means until then.

use crate::{
    error::{Error, Result},
    units,
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

/// The margin, where no other is asked for.
const MARGIN_MAX: Duration = Duration::from_secs(30);
/// The part of the margin, at its end, in which nobody waits any more.
const LAST_PART: u32 = 4;
/// How often the scheduler is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    since_1970(SystemTime::now())
}

fn since_1970(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |duration| duration.as_secs_f64())
}

/// When a file was last changed, in seconds since 1970.
pub(super) fn modified(path: &str) -> Option<f64> {
    Some(since_1970(std::fs::metadata(path).ok()?.modified().ok()?))
}

/// When the job ends, in seconds since 1970: the soonest of what the variables of its scheduler, and of
/// its script, say.
///
/// Torque tells how long a job may run, and writes its file of nodes when that begins; `modified` tells when
/// a file was changed.
pub(super) fn job_end_time(
    read: &impl Fn(&str) -> Option<String>,
    modified: impl Fn(&str) -> Option<f64>,
    now: f64,
) -> Result<Option<f64>> {
    let seconds = |name: &str| {
        let Some(text) = read(name) else { return Ok(None) };
        let seconds = text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
        seconds.map(Some).ok_or_else(|| Error::Option(format!("{name}={text:?} is no number of seconds")))
    };
    let mut soonest: Option<f64> = None;
    for name in ["MANIPLE_END_TIME", "SLURM_JOB_END_TIME"] {
        let Some(end) = seconds(name)? else { continue };
        if end <= now && name.starts_with("SLURM") {
            // Slurm would have ended the job: it has been given more time since.
            continue;
        }
        if end <= now {
            let remedy = "give the job more time, or unset the variable";
            return Err(Error::Option(format!("{name}={end}: that was {:.0} s ago: {remedy}", now - end)));
        }
        soonest = soonest.into_iter().chain([end]).min_by(f64::total_cmp);
    }
    let start = read("PBS_NODEFILE").and_then(|path| modified(&path));
    if let (Some(start), Some(walltime)) = (start, seconds("PBS_WALLTIME")?) {
        soonest = soonest.into_iter().chain([start + walltime]).min_by(f64::total_cmp);
    }
    Ok(soonest)
}

/// Counts down to the end of a run.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// How long after the start the run must end.
    length: Duration,
    margin: Duration,
    /// When the scheduler is to be told next, in nanoseconds after the start.
    next_tell: AtomicU64,
}

impl Clock {
    /// A clock that runs down at `end`, in seconds since 1970.
    pub(super) fn new(end: f64, margin: Option<Duration>) -> Self {
        let length = units::from_seconds(end - now());
        Self {
            start: Instant::now(),
            length,
            margin: margin.unwrap_or(MARGIN_MAX.min(length / 10)),
            next_tell: AtomicU64::new(0),
        }
    }

    /// How long it is to the end of the run.
    pub(super) fn time_left(&self, now: Instant) -> Duration {
        self.length.saturating_sub(now.saturating_duration_since(self.start))
    }

    /// Whether it is so late that nobody may wait for a task any more.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.time_left(now) <= self.margin / LAST_PART
    }

    /// How much time is left for tasks to run in, now and then.
    pub(super) fn news(&self, now: Instant) -> Option<Duration> {
        let passed = units::nanoseconds(now.saturating_duration_since(self.start));
        if passed < self.next_tell.load(Ordering::Relaxed) {
            return None;
        }
        let left = self.time_left(now).saturating_sub(self.margin);
        let wait = if left.is_zero() { Duration::MAX } else { left.min(TELL_EVERY) };
        let next = passed.saturating_add(units::nanoseconds(wait));
        self.next_tell.store(next, Ordering::Relaxed);
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<f64>> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        job_end_time(&variable, |path| (path == "/nodes").then_some(900.0), 1000.0)
    }

    #[test]
    fn the_soonest_end_counts() {
        let table = [
            (vec![], None),
            (vec![("SLURM_JOB_END_TIME", "1500")], Some(1500.0)),
            // The job has been given more time since its script began.
            (vec![("SLURM_JOB_END_TIME", "940")], None),
            (vec![("SLURM_JOB_END_TIME", "1500"), ("MANIPLE_END_TIME", "1400")], Some(1400.0)),
            (vec![("PBS_WALLTIME", "300"), ("PBS_NODEFILE", "/nodes")], Some(1200.0)),
            // On another node than the first there is no file of nodes.
            (vec![("PBS_WALLTIME", "300"), ("PBS_NODEFILE", "/elsewhere")], None),
            (vec![("PBS_WALLTIME", "300")], None),
        ];
        for (variables, expected) in table {
            assert_eq!(read(&variables).unwrap(), expected, "{variables:?}");
        }
    }

    #[test]
    fn an_end_that_is_over_or_no_time_is_refused_with_a_remedy() {
        let words = |name, value| read(&[(name, value)]).unwrap_err().to_string();
        assert_eq!(
            words("MANIPLE_END_TIME", "940"),
            "MANIPLE_END_TIME=940: that was 60 s ago: give the job more time, or unset the variable"
        );
        assert_eq!(words("MANIPLE_END_TIME", "soon"), "MANIPLE_END_TIME=\"soon\" is no number of seconds");
        assert!(read(&[("MANIPLE_END_TIME", "nan")]).is_err());
    }

    #[test]
    fn a_clock_tells_each_second_and_when_the_margin_begins() {
        let clock = Clock {
            start: Instant::now(),
            length: Duration::from_millis(14_500),
            margin: Duration::from_secs(4),
            next_tell: AtomicU64::new(0),
        };
        let at = |milliseconds| clock.start + Duration::from_millis(milliseconds);
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(clock.news(at(0)), seconds(10.5));
        assert_eq!(clock.news(at(900)), None);
        assert_eq!(clock.news(at(10_000)), seconds(0.5));
        assert_eq!(clock.news(at(10_400)), None);
        assert_eq!((clock.news(at(10_500)), clock.news(at(20_000))), (seconds(0.0), None));
        assert!(!clock.is_over(at(13_400)) && clock.is_over(at(13_500)));
        assert_eq!(clock.time_left(at(20_000)), Duration::ZERO);
    }

    #[test]
    fn the_margin_is_small_for_short_runs() {
        let clock = |seconds| Clock::new(now() + seconds, None).margin.as_secs_f64();
        assert!((clock(60.0) - 6.0).abs() < 1.0);
        assert_eq!(clock(86400.0), 30.0);
        assert_eq!(Clock::new(now() + 60.0, Some(Duration::ZERO)).margin, Duration::ZERO);
    }
}
