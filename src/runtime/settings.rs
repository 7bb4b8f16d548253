//! What a run can be told: by the builder, else by `MANIPLE_*` variables, else not at all.

use super::{Builder, time, transports::LocalProcesses};
use crate::{
    dashboard::Address,
    device::{Binding, DeviceType},
    disk::{Compression, SpillPlace},
    error::{Error, Result},
    host::machine,
    journal::JournalSettings,
    log,
    record::Outputs,
    scheduler::Backlog,
    session::Serve,
    store::Thresholds,
    units::{self, MemoryLimit},
    worker::threads::SPARE_MAX,
};
use std::{path::PathBuf, time::Duration};

/// Everything that a run was told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub threads: Option<u32>,
    /// The stack of each thread that runs tasks.
    pub stack_bytes: usize,
    /// The maximum number of threads in place of those whose tasks wait.
    pub spare_threads: usize,
    pub memory_limit: MemoryLimit,
    pub memory_thresholds: Thresholds,
    pub spill: SpillPlace,
    pub spill_compression: Compression,
    pub local_directory: Option<PathBuf>,
    pub exclusive_workers: bool,
    pub resources: Vec<(String, u32)>,
    pub device: Binding,
    pub device_type: DeviceType,
    pub share_device: bool,
    pub device_memory_limit: MemoryLimit,
    pub backlog: Backlog,
    /// How many tasks that have not ended the driver may have, if that was said.
    pub graph_limit: Option<u64>,
    pub small_bytes_max: usize,
    pub frame_bytes_max: usize,
    pub local_workers: Option<u32>,
    pub local_processes: Option<LocalProcesses>,
    pub shutdown_grace: Duration,
    /// Whether the run shall survive the loss of workers, and how many may be lost that had one task.
    pub survive: bool,
    pub allowed_failures: u32,
    /// For how long nothing is heard of a host that is lost.
    pub loss_timeout: Duration,
    /// How long the run may take.
    pub time_limit: Option<Duration>,
    /// How long before its end it stops.
    pub time_margin: Option<Duration>,
    /// When the job ends: seconds since 1970.
    pub job_end_time: Option<f64>,
    /// What is told on standard error of what goes on.
    pub log: Option<log::Targets>,
    /// Whether progress is shown, and how often in a log.
    pub progress: bool,
    pub progress_pause: Duration,
    /// Files that tell of the run.
    pub outputs: Outputs,
    /// Where a page is served on which the run is watched.
    pub dashboard: Option<Address>,
    /// Where results outlast the run.
    pub journal: JournalSettings,
    /// Whether rank 1 serves sessions, and how; and after which time without one it ends.
    pub serve: Option<Serve>,
    pub idle_timeout: Option<Duration>,
    /// Whether modules may be loaded.
    pub allow_modules: bool,
    /// How long a session may be without a connection.
    pub reconnect_timeout: Option<Duration>,
    /// Whether this program is a session, and of which connection file, if that was said.
    pub connect: Option<Option<PathBuf>>,
}

impl Settings {
    /// What the environment says.
    pub(crate) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let read = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
        let default = Backlog::default();
        let microseconds = number(&read, "MANIPLE_BACKLOG_MICROSECONDS")?;
        Ok(Self {
            threads: at_least_one(&read, "MANIPLE_THREADS")?,
            stack_bytes: stack_bytes(&read)?,
            spare_threads: number(&read, "MANIPLE_SPARE_THREADS")?.unwrap_or(SPARE_MAX),
            memory_limit: word(&read, "MANIPLE_MEMORY_LIMIT")?,
            memory_thresholds: thresholds(&read)?,
            spill: word(&read, "MANIPLE_SPILL")?,
            spill_compression: word(&read, "MANIPLE_SPILL_COMPRESSION")?,
            local_directory: read("MANIPLE_LOCAL_DIRECTORY").map(PathBuf::from),
            exclusive_workers: !flag(&read, "MANIPLE_INCLUSIVE")?,
            resources: read("MANIPLE_RESOURCES").map_or(Ok(Vec::new()), |text| resources(&text))?,
            device: word(&read, "MANIPLE_DEVICE")?,
            device_type: word(&read, "MANIPLE_DEVICE_TYPE")?,
            share_device: flag(&read, "MANIPLE_SHARE_DEVICE")?,
            device_memory_limit: word(&read, "MANIPLE_DEVICE_MEMORY_LIMIT")?,
            backlog: Backlog {
                nanoseconds: microseconds.map_or(default.nanoseconds, |us: u64| us.saturating_mul(1000)),
                tasks_max: at_least_one(&read, "MANIPLE_BACKLOG_TASKS")?.unwrap_or(default.tasks_max),
            },
            graph_limit: positive(&read, "MANIPLE_GRAPH_LIMIT")?,
            small_bytes_max: number(&read, "MANIPLE_SMALL_BYTES")?.unwrap_or(512),
            frame_bytes_max: number(&read, "MANIPLE_FRAME_BYTES")?.unwrap_or(256 << 20),
            local_workers: at_least_one(&read, "MANIPLE_LOCAL_WORKERS")?,
            local_processes: None,
            shutdown_grace: seconds(&read, "MANIPLE_SHUTDOWN_GRACE_SECONDS")?
                .unwrap_or(Duration::from_secs(5)),
            survive: flag(&read, "MANIPLE_SURVIVE")?,
            allowed_failures: number(&read, "MANIPLE_ALLOWED_FAILURES")?.unwrap_or(3),
            loss_timeout: seconds(&read, "MANIPLE_LOSS_TIMEOUT_SECONDS")?
                .map_or(Duration::from_secs(3), |timeout| timeout.max(Duration::from_millis(500))),
            time_limit: seconds(&read, "MANIPLE_TIME_LIMIT")?,
            time_margin: seconds(&read, "MANIPLE_TIME_MARGIN")?,
            job_end_time: time::job_end_time(&read, time::modified, time::now())?,
            log: read("MANIPLE_LOG")
                .map(|text| log::parse(&text).map_err(|words| Error::Option(format!("MANIPLE_LOG: {words}"))))
                .transpose()?,
            progress: flag(&read, "MANIPLE_PROGRESS")?,
            progress_pause: seconds(&read, "MANIPLE_PROGRESS_SECONDS")?
                .map_or(Duration::from_secs(60), |pause| pause.max(Duration::from_millis(10))),
            outputs: Outputs {
                report: read("MANIPLE_REPORT").map(PathBuf::from),
                trace: read("MANIPLE_TRACE").map(PathBuf::from),
            },
            dashboard: dashboard(&read)?,
            journal: JournalSettings {
                directory: read("MANIPLE_JOURNAL").map(PathBuf::from),
                resume: word(&read, "MANIPLE_RESUME")?,
                sync: word(&read, "MANIPLE_JOURNAL_SYNC")?,
            },
            serve: serve(&read)?,
            idle_timeout: seconds(&read, "MANIPLE_IDLE_TIMEOUT")?,
            allow_modules: flag(&read, "MANIPLE_ALLOW_MODULES")?,
            reconnect_timeout: seconds(&read, "MANIPLE_RECONNECT_TIMEOUT")?,
            connect: connect(&read),
        })
    }

    /// Whether somebody will look how far the run has come.
    pub(crate) fn wants_tally(&self) -> bool {
        self.progress || self.dashboard.is_some()
    }

    /// When the run must end, if it starts now, in seconds since 1970.
    pub(crate) fn end_time(&self, now: f64) -> Option<f64> {
        let own = self.time_limit.map(|limit| now + limit.as_secs_f64());
        own.into_iter().chain(self.job_end_time).min_by(f64::total_cmp)
    }
}

/// The least stack of a thread that runs tasks.
const STACK_BYTES_MIN: usize = 64 << 10;

impl Builder {
    /// The stack of each thread that runs tasks, in bytes. Without it: what `ulimit -s` says, as in `main`, or 8 MiB
    /// where that is unlimited. Memory is taken as far as a task needs it.
    ///
    /// A task that needs more ends its process, with a line that names it.
    pub fn stack_size(self, bytes: usize) -> Self {
        self.set(|settings| settings.stack_bytes = bytes.max(STACK_BYTES_MIN))
    }

    /// The maximum number of threads that each worker starts besides [`threads`](Self::threads), in place of those
    /// whose tasks wait for other tasks. Without it: 1024.
    ///
    /// When so many tasks wait, further tasks run on the stack of the one that waits last, and one line says so. What
    /// they do is right all the same, unless they want a lock that a task below them holds.
    pub fn spare_threads(self, threads: usize) -> Self {
        self.set(|settings| settings.spare_threads = threads)
    }
}

fn stack_bytes(read: &impl Fn(&str) -> Option<String>) -> Result<usize> {
    const NAME: &str = "MANIPLE_STACK_SIZE";
    let Some(text) = read(NAME) else { return Ok(machine::stack_bytes()) };
    match text.parse() {
        Ok(MemoryLimit::Bytes(bytes)) if bytes >= STACK_BYTES_MIN as u64 => Ok(bytes as usize),
        _ => Err(Error::Option(format!("{NAME} is {text:?}, and not bytes such as 64MiB, at least 64KiB"))),
    }
}

/// The thresholds of memory, each a share of the limit, in their order.
fn thresholds(read: &impl Fn(&str) -> Option<String>) -> Result<Thresholds> {
    let default = Thresholds::default();
    let share = |name, default| Ok::<f64, Error>(number(read, name)?.unwrap_or(default));
    let thresholds = Thresholds {
        target: share("MANIPLE_MEMORY_TARGET", default.target)?,
        spill: share("MANIPLE_MEMORY_SPILL", default.spill)?,
        pause: share("MANIPLE_MEMORY_PAUSE", default.pause)?,
    };
    check_thresholds(thresholds)?;
    Ok(thresholds)
}

/// Says what is wrong with thresholds.
pub(super) fn check_thresholds(thresholds: Thresholds) -> Result<()> {
    let Thresholds { target, spill, pause } = thresholds;
    match 0.0 < target && target <= spill && spill <= pause && pause <= 1.0 {
        true => Ok(()),
        false => Err(Error::Option(format!(
            "the memory thresholds {target}, {spill} and {pause} (target, spill, pause) are not shares of the \
             limit, each at least the one before"
        ))),
    }
}

fn seconds(read: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<Duration>> {
    let Some(seconds) = number::<f64>(read, name)? else { return Ok(None) };
    match seconds.is_finite() && seconds >= 0.0 {
        true => Ok(Some(units::from_seconds(seconds))),
        false => Err(Error::Option(format!("{name}={seconds}: it must be seconds, 0 or more"))),
    }
}

fn number<T: std::str::FromStr>(read: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<T>> {
    let Some(text) = read(name) else { return Ok(None) };
    match text.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Error::Option(format!("{name}={text:?} is not a number that it can be"))),
    }
}

/// One of a type's words, else its default.
fn word<T: std::str::FromStr<Err = Error> + Default>(
    read: &impl Fn(&str) -> Option<String>,
    name: &str,
) -> Result<T> {
    let Some(text) = read(name) else { return Ok(T::default()) };
    text.parse().map_err(|error| Error::Option(format!("{name}: {error}")))
}

fn at_least_one(read: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<u32>> {
    positive(read, name)
}

fn positive<T>(read: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<T>>
where
    T: std::str::FromStr + From<u8> + PartialEq,
{
    match number(read, name)? {
        Some(number) if number == T::from(0) => {
            Err(Error::Option(format!("{name}=0: it must be at least 1")))
        }
        other => Ok(other),
    }
}

fn flag(read: &impl Fn(&str) -> Option<String>, name: &str) -> Result<bool> {
    match read(name).as_deref().map(str::trim) {
        None | Some("0" | "false" | "no") => Ok(false),
        Some("1" | "true" | "yes") => Ok(true),
        Some(text) => Err(Error::Option(format!("{name}={text:?} is neither 1 nor 0"))),
    }
}

/// How the cluster serves: as a flag, or words.
fn serve(read: &impl Fn(&str) -> Option<String>) -> Result<Option<Serve>> {
    const NAME: &str = "MANIPLE_SERVE";
    match flag(read, NAME) {
        Ok(asked) => Ok(asked.then(Serve::default)),
        Err(_) => read(NAME)
            .map(|text| text.parse().map_err(|error| Error::Option(format!("{NAME}: {error}"))))
            .transpose(),
    }
}

/// Which cluster a session connects to: as a flag, a name, or the path of a connection file.
fn connect(read: &impl Fn(&str) -> Option<String>) -> Option<Option<PathBuf>> {
    match flag(read, "MANIPLE_CONNECT") {
        Ok(asked) => asked.then_some(None),
        Err(_) => read("MANIPLE_CONNECT").map(|path| Some(path.into())),
    }
}

/// Where the dashboard listens: as a flag, or an address.
fn dashboard(read: &impl Fn(&str) -> Option<String>) -> Result<Option<Address>> {
    const NAME: &str = "MANIPLE_DASHBOARD";
    let address = match flag(read, NAME) {
        Ok(false) => return Ok(None),
        Ok(true) => String::new(),
        Err(_) => read(NAME).unwrap_or_default(),
    };
    let address = address.parse().map_err(|error| Error::Option(format!("{NAME}: {error}")))?;
    Ok(Some(address))
}

/// Reads resources such as `GPU=1,licence=4`.
fn resources(text: &str) -> Result<Vec<(String, u32)>> {
    let one = |part: &str| {
        let (name, amount) = part.split_once('=')?;
        Some((name.trim().to_string(), amount.trim().parse().ok()?)).filter(|(name, _)| !name.is_empty())
    };
    let wrong =
        |part: &str| Error::Option(format!("resource {part:?} is not a name and an amount, like GPU=1"));
    text.split([',', ' '])
        .filter(|part| !part.is_empty())
        .map(|part| one(part).ok_or_else(|| wrong(part)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_limits_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<MemoryLimit>().unwrap();
        assert_eq!(read("auto"), MemoryLimit::Auto);
        assert_eq!(read("0.5"), MemoryLimit::Fraction(0.5));
        assert_eq!(read("40GB"), MemoryLimit::Bytes(40_000_000_000));
        assert_eq!(read("1.5 MiB"), MemoryLimit::Bytes(1_572_864));
        assert_eq!(read("1000"), MemoryLimit::Bytes(1000));
        for wrong in ["", "GB", "-1", "4 parsecs", "0", "1e9"] {
            assert!(wrong.parse::<MemoryLimit>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn wrong_variables_are_named() {
        for (name, value) in [
            ("MANIPLE_THREADS", "many"),
            ("MANIPLE_THREADS", "0"),
            ("MANIPLE_STACK_SIZE", "0.5"),
            ("MANIPLE_STACK_SIZE", "4096"),
            ("MANIPLE_SPARE_THREADS", "all"),
            ("MANIPLE_GRAPH_LIMIT", "0"),
            ("MANIPLE_GRAPH_LIMIT", "all"),
            ("MANIPLE_INCLUSIVE", "perhaps"),
            ("MANIPLE_RESOURCES", "GPU"),
            ("MANIPLE_TIME_LIMIT", "an hour"),
            ("MANIPLE_TIME_LIMIT", "-1"),
            ("MANIPLE_TIME_MARGIN", "inf"),
            ("MANIPLE_SHUTDOWN_GRACE_SECONDS", "-1"),
            ("MANIPLE_SHUTDOWN_GRACE_SECONDS", "NaN"),
            ("MANIPLE_END_TIME", "12:00"),
            ("MANIPLE_MEMORY_TARGET", "much"),
            ("MANIPLE_MEMORY_TARGET", "0.9"),
            ("MANIPLE_MEMORY_PAUSE", "1.5"),
            ("MANIPLE_SPILL", "there"),
            ("MANIPLE_SPILL_COMPRESSION", "zip"),
            ("MANIPLE_DEVICE", "cuda"),
            ("MANIPLE_DEVICE_TYPE", "fpga"),
            ("MANIPLE_SHARE_DEVICE", "maybe"),
            ("MANIPLE_DEVICE_MEMORY_LIMIT", "much"),
            ("MANIPLE_LOG", "loud"),
            ("MANIPLE_PROGRESS", "often"),
            ("MANIPLE_PROGRESS_SECONDS", "-1"),
            ("MANIPLE_DASHBOARD", "here:there"),
            ("MANIPLE_RESUME", "perhaps"),
            ("MANIPLE_JOURNAL_SYNC", "-1"),
            ("MANIPLE_SERVE", "tcp:everywhere"),
            ("MANIPLE_IDLE_TIMEOUT", "never"),
            ("MANIPLE_ALLOW_MODULES", "some"),
            ("MANIPLE_RECONNECT_TIMEOUT", "-1"),
        ] {
            let error =
                Settings::from_environment(|asked| (asked == name).then(|| value.to_string())).unwrap_err();
            assert!(error.to_string().contains(value), "{error}");
        }
        let settings = Settings::from_environment(|name| match name {
            "MANIPLE_RESOURCES" => Some("GPU=2, licence=1".into()),
            "MANIPLE_INCLUSIVE" => Some("1".into()),
            _ => None,
        });
        let settings = settings.unwrap();
        assert_eq!(settings.resources, [("GPU".to_string(), 2), ("licence".to_string(), 1)]);
        assert!(!settings.exclusive_workers);
    }

    #[test]
    fn the_longest_times_are_taken() {
        let names = [
            "MANIPLE_TIME_LIMIT",
            "MANIPLE_TIME_MARGIN",
            "MANIPLE_SHUTDOWN_GRACE_SECONDS",
            "MANIPLE_LOSS_TIMEOUT_SECONDS",
            "MANIPLE_PROGRESS_SECONDS",
        ];
        let read = |name: &str| match name {
            "MANIPLE_BACKLOG_MICROSECONDS" => Some(u64::MAX.to_string()),
            _ => names.contains(&name).then(|| "1e300".to_string()),
        };
        let settings = Settings::from_environment(read).unwrap();
        assert_eq!((settings.backlog.nanoseconds, settings.shutdown_grace), (u64::MAX, Duration::MAX));
        assert_eq!((settings.time_limit, settings.progress_pause), (Some(Duration::MAX), Duration::MAX));
        assert!(settings.end_time(0.0).is_some_and(|end| end > 1e19));
    }
}
