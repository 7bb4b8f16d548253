//! A run from start to end: selects the transport and the role, and drives both.

mod connecting;
mod ending;
mod engine;
mod introduction;
mod leaving;
mod loss;
mod misspelt;
mod parts;
mod roles;
mod serving;
mod settings;
mod signals;
#[doc(hidden)]
#[cfg(feature = "testing")]
pub mod simulation;
mod spiller;
mod start;
#[cfg(feature = "mpi")]
mod supervisor;
mod survey;
mod time;
mod transports;

use crate::{
    client::Client,
    comm::{Transport, launcher::Launcher},
    current,
    dashboard::{Address, Dashboard, Sources},
    device::{Binding, DeviceType},
    disk::{Compression, SpillPlace},
    error::{DecodeErrorKind, Error, Result, tell, warn},
    host::machine,
    journal::{JournalSync, Resume},
    log,
    message::Outcome,
    rank::{Rank, driver_of},
    record::{self, Display},
    scheduler::{Backlog, Scheduler, WorkerSpec},
    store::Thresholds,
    units::{self, MemoryLimit},
    value::{self, Data},
};
use ending::{Driver, Ending, Stopped};
pub(crate) use engine::Engine;
use introduction::{Introduction, introduce};
use loss::Watch;
use serving::Service;
use settings::Settings;
use start::Hello;
use std::{
    net::TcpListener,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    process,
    sync::Arc,
    thread,
    time::Duration,
};
pub(crate) use survey::survey;
use time::Clock;
use transports::LocalProcesses;
pub(crate) use transports::singletons;

/// The exit status of a rank whose driver failed.
const STATUS_FAILED: i32 = 1;
/// The exit status of a rank whose driver panicked; the same as Rust's.
const STATUS_PANICKED: i32 = 101;
/// The exit status of a run that was stopped before it was done: `EX_TEMPFAIL`, try again.
const STATUS_STOPPING: i32 = 75;
/// The exit status after a broken invariant of this library.
const STATUS_BROKEN: i32 = 70;
/// The exit status of ranks that cannot continue since rank 0, rank 1 or they failed: `EX_UNAVAILABLE`.
const STATUS_LOST: i32 = 69;
/// How long a rank that has nothing to say waits before it exits with an error's status: some launchers
/// kill the others at the first such exit, and the driver is to have its word.
const WORD_BEFORE_EXIT: Duration = Duration::from_millis(250);
/// How long tasks may go on that run when the driver has failed.
const GRACE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Starts runs: `Runtime::builder()`.
#[derive(Clone, Copy, Debug)]
pub struct Runtime;

impl Runtime {
    /// Settings for a run, all at what the environment says.
    pub fn builder() -> Builder {
        Builder {
            settings: Settings::from_environment(|name| std::env::var(name).ok()),
            #[cfg(feature = "mpi")]
            communicator: None,
        }
    }
}

/// Runs `driver` on the ranks that the launcher started: rank 0 schedules, rank 1 runs the closure, the
/// others work. Without a launcher, this one process does all three.
///
/// Every rank calls this. **Code before and after it runs on every rank**, with the closure's value on each: print
/// and write files within the closure. **It may exit the process**: if the closure returns an error or panics, only
/// the driver's rank returns; the others exit with the same status. [`Builder::execute`] never does.
///
/// # Errors
///
/// The closure's, and what keeps the run from starting.
///
/// # Examples
///
/// ```
/// fn main() -> maniple::Result<()> {
///     maniple::run(|client| {
///         let squares = client.map(|x: u64| x * x, 1..=10);
///         let sum = client.submit(|squares: &[u64]| squares.iter().sum::<u64>(), &squares);
///         assert_eq!(sum.result()?, 385);
///         Ok(())
///     })
/// }
/// ```
pub fn run<T: Data>(driver: impl FnOnce(&Client) -> Result<T> + Send) -> Result<T> {
    Runtime::builder().run(driver)
}

/// Settings of a run. Each that is not set is read from the environment, else has its default.
///
/// | method | variable | default |
/// |---|---|---|
/// | [`threads`](Self::threads) | `MANIPLE_THREADS` | the host's cores, shared by its workers |
/// | [`memory_limit`](Self::memory_limit) | `MANIPLE_MEMORY_LIMIT` | `auto`: the host's memory, shared |
/// | [`memory_thresholds`](Self::memory_thresholds) | `MANIPLE_MEMORY_TARGET`, `..._SPILL`, `..._PAUSE` | 0.6, 0.7, 0.8 |
/// | [`spill`](Self::spill) | `MANIPLE_SPILL=local`, `anywhere` or `nowhere` | `local` |
/// | [`spill_compression`](Self::spill_compression) | `MANIPLE_SPILL_COMPRESSION=none` or `lz4` | `none` |
/// | [`local_directory`](Self::local_directory) | `MANIPLE_LOCAL_DIRECTORY` | `$TMPDIR`, else `/tmp` |
/// | [`exclusive_workers`](Self::exclusive_workers) | `MANIPLE_INCLUSIVE=1` is `false` | `true` |
/// | [`resource`](Self::resource) | `MANIPLE_RESOURCES=GPU=1,...` | none |
/// | [`device`](Self::device) | `MANIPLE_DEVICE=cpu`, `gpu` or `tile` | `cpu`: OpenCL is not loaded |
/// | [`device_type`](Self::device_type) | `MANIPLE_DEVICE_TYPE=gpu`, `cpu` or `all` | `gpu` |
/// | [`share_device`](Self::share_device) | `MANIPLE_SHARE_DEVICE=1` | workers of a host have a device each |
/// | [`device_memory_limit`](Self::device_memory_limit) | `MANIPLE_DEVICE_MEMORY_LIMIT` | `auto`: all that the device has |
/// | [`backlog`](Self::backlog) | `MANIPLE_BACKLOG_MICROSECONDS`, `MANIPLE_BACKLOG_TASKS` | 2000, 4096 |
/// | [`graph_limit`](Self::graph_limit) | `MANIPLE_GRAPH_LIMIT` | 65,536, or 1,024 for each thread of a worker if that is more |
/// | [`small_bytes_max`](Self::small_bytes_max) | `MANIPLE_SMALL_BYTES` | 512 |
/// | [`frame_bytes_max`](Self::frame_bytes_max) | `MANIPLE_FRAME_BYTES` | 256 MiB |
/// | [`local_workers`](Self::local_workers) | `MANIPLE_LOCAL_WORKERS` | none: one process does all |
/// | [`shutdown_grace`](Self::shutdown_grace) | `MANIPLE_SHUTDOWN_GRACE_SECONDS` | 5 s |
/// | [`survive`](Self::survive) | `MANIPLE_SURVIVE=1` | the failure of a worker ends the run |
/// | [`allowed_failures`](Self::allowed_failures) | `MANIPLE_ALLOWED_FAILURES` | 3 |
/// | [`loss_timeout`](Self::loss_timeout) | `MANIPLE_LOSS_TIMEOUT_SECONDS` | 3 s |
/// | [`time_limit`](Self::time_limit) | `MANIPLE_TIME_LIMIT` in seconds; of the job: `MANIPLE_END_TIME`, `SLURM_JOB_END_TIME` | none |
/// | [`time_margin`](Self::time_margin) | `MANIPLE_TIME_MARGIN` in seconds | 30 s, at most a tenth |
/// | | `MANIPLE_LOG=debug`, or `info,maniple::store=debug`: log lines on standard error | none |
/// | [`progress`](Self::progress) | `MANIPLE_PROGRESS=1`; `MANIPLE_PROGRESS_SECONDS` between lines | none; 60 s |
/// | [`report`](Self::report) | `MANIPLE_REPORT` | none |
/// | [`trace`](Self::trace) | `MANIPLE_TRACE` | none |
/// | [`dashboard`](Self::dashboard) | `MANIPLE_DASHBOARD=1`, or an address | none |
/// | [`journal`](Self::journal) | `MANIPLE_JOURNAL` | none |
/// | [`resume`](Self::resume) | `MANIPLE_RESUME=0`, `1` or `any-build` | 0: the journal must be empty |
/// | [`journal_sync`](Self::journal_sync) | `MANIPLE_JOURNAL_SYNC=never`, or seconds | 5 s |
/// | [`serve`](Self::serve) | `MANIPLE_SERVE=1`, `tcp`, `tcp:PORT` or a file | the driver runs on rank 1 |
/// | [`idle_timeout`](Self::idle_timeout) | `MANIPLE_IDLE_TIMEOUT` in seconds | none |
/// | [`allow_modules`](Self::allow_modules) | `MANIPLE_ALLOW_MODULES=1` | no module is loaded |
/// | [`reconnect_timeout`](Self::reconnect_timeout) | `MANIPLE_RECONNECT_TIMEOUT` in seconds | 60 s to another host, none on one |
/// | [`connect`](Self::connect) | `MANIPLE_CONNECT=1`, a name or a file | a run of its own |
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    settings: Result<Settings>,
    /// The communicator of an MPI program that embeds a run.
    #[cfg(feature = "mpi")]
    communicator: Option<mpi::ffi::MPI_Comm>,
}

impl Builder {
    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        if let Ok(settings) = &mut self.settings {
            set(settings);
        }
        self
    }

    /// Number of tasks that each worker runs at a time. Default: one for each core that the launcher has bound the
    /// worker to, or for each core of its share of the node.
    pub fn threads(self, threads: u32) -> Self {
        self.set(|settings| settings.threads = Some(threads.max(1)))
    }

    /// Memory that the values of each worker may occupy. Before it is exceeded, the least recently used values are
    /// spilled to a file without a name in the [`local_directory`](Self::local_directory), and read back when
    /// a task or another rank needs them.
    pub fn memory_limit(self, limit: MemoryLimit) -> Self {
        self.set(|settings| settings.memory_limit = limit)
    }

    /// Fractions of the memory limit at which a worker spills values, and at which it begins no more tasks.
    pub fn memory_thresholds(mut self, thresholds: Thresholds) -> Self {
        if let Err(error) = settings::check_thresholds(thresholds) {
            self.settings = self.settings.and(Err(error));
        }
        self.set(|settings| settings.memory_thresholds = thresholds)
    }

    /// Where values may be spilled. Default: node-local disks only.
    pub fn spill(self, place: SpillPlace) -> Self {
        self.set(|settings| settings.spill = place)
    }

    /// Compression of spilled values.
    pub fn spill_compression(self, compression: Compression) -> Self {
        self.set(|settings| settings.spill_compression = compression)
    }

    /// Directory for each worker's scratch directory and spilled values, on a disk of its node.
    pub fn local_directory(self, path: impl Into<PathBuf>) -> Self {
        self.set(|settings| settings.local_directory = Some(path.into()))
    }

    /// Whether ranks 0 and 1 only schedule and drive. With `false` they run tasks, too, so that their cores and
    /// GPUs are not idle.
    pub fn exclusive_workers(self, exclusive: bool) -> Self {
        self.set(|settings| settings.exclusive_workers = exclusive)
    }

    /// Declares an amount of a resource that each worker has and tasks can take, such as `GPU`, 1.
    pub fn resource(self, name: &str, amount: u32) -> Self {
        self.set(|settings| settings.resources.push((name.into(), amount)))
    }

    /// Kind of device that each worker binds to. A worker with a device declares the resource `GPU`, 1, unless
    /// another amount is declared.
    pub fn device(self, device: Binding) -> Self {
        self.set(|settings| settings.device = device)
    }

    /// Type of the OpenCL devices that workers bind to. [`DeviceType::Cpu`] is for trying programs without a GPU.
    pub fn device_type(self, types: DeviceType) -> Self {
        self.set(|settings| settings.device_type = types)
    }

    /// Whether several workers of a host may bind to the same device.
    pub fn share_device(self, share: bool) -> Self {
        self.set(|settings| settings.share_device = share)
    }

    /// Device memory that the values of each worker may occupy. Before it is exceeded, values that are not in use
    /// move to the host, the least recently used first.
    pub fn device_memory_limit(self, limit: MemoryLimit) -> Self {
        self.set(|settings| settings.device_memory_limit = limit)
    }

    /// Amount of work that the scheduler assigns ahead to each thread of a worker: the tasks' own time, and a
    /// maximum number of tasks.
    pub fn backlog(self, time: Duration, tasks_max: u32) -> Self {
        let nanoseconds = units::nanoseconds(time);
        self.set(|settings| settings.backlog = Backlog { nanoseconds, tasks_max: tasks_max.max(1) })
    }

    /// Number of unfinished tasks that the driver may have submitted. Beyond it
    /// [`submit`](Client::submit) and whatever else submits wait until half of them have finished, so that rank 0's
    /// memory does not grow with the length of the run. Each KiB of arguments that are sent inline counts as another task. One call, such as
    /// a [`map`](Client::map), is submitted whole; calls from within tasks do not wait.
    pub fn graph_limit(self, tasks: u64) -> Self {
        self.set(|settings| settings.graph_limit = Some(tasks.max(1)))
    }

    /// Maximum encoded size, in bytes, of values that are sent inline with control messages.
    pub fn small_bytes_max(self, bytes: usize) -> Self {
        self.set(|settings| settings.small_bytes_max = bytes)
    }

    /// Largest single MPI message, in bytes; longer messages are split.
    pub fn frame_bytes_max(self, bytes: usize) -> Self {
        self.set(|settings| settings.frame_bytes_max = bytes)
    }

    /// Number of workers that a process without a launcher starts as threads, with a scheduler beside them: Dask's
    /// `LocalCluster`.
    pub fn local_workers(self, workers: u32) -> Self {
        self.set(|settings| settings.local_workers = Some(workers.max(1)))
    }

    /// Starts workers as processes of this host, with a scheduler beside the driver in this process: for programs whose
    /// tasks exclude each other within one process, such as Python's. They share memory; MPI is not used.
    ///
    /// `command` makes the command of a worker. Its program must come to [`run`](Self::run) or
    /// [`execute`](Self::execute), as every rank does under a launcher; its own settings and environment count there.
    /// It has no standard input, and is killed when the calling thread ends. The run survives the loss of workers.
    pub fn local_processes(
        self,
        workers: u32,
        command: impl Fn() -> process::Command + Send + Sync + 'static,
    ) -> Self {
        let processes = LocalProcesses { workers: workers.max(1), command: Arc::new(command) };
        self.set(|settings| settings.local_processes = Some(processes))
    }

    /// Time that running tasks have to finish when the run ends.
    pub fn shutdown_grace(self, grace: Duration) -> Self {
        self.set(|settings| settings.shutdown_grace = grace)
    }

    /// Whether the run tolerates the failure of a worker, where the launcher keeps the other ranks running. Its
    /// tasks run elsewhere, and values that only it held are recomputed. [`Cluster`](crate::Cluster), printed as `{:#}`, says whether
    /// this run does, and if not, why.
    ///
    /// Under MPICH's launcher and Slurm each rank then has a parent process, which is the same program: code before
    /// the run is executed in both.
    pub fn survive(self, survive: bool) -> Self {
        self.set(|settings| settings.survive = survive)
    }

    /// Maximum number of workers that may fail while holding the same task. A task that exceeds it is presumed to be
    /// the cause and fails with [`Reason::Lost`](crate::Reason::Lost). A task's
    /// [`SubmitOptions`](crate::SubmitOptions::allowed_failures) take precedence.
    pub fn allowed_failures(self, workers: u32) -> Self {
        self.set(|settings| settings.allowed_failures = workers)
    }

    /// Time of silence after which the ranks of a host are considered failed. The end of a process is seen at once.
    pub fn loss_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.loss_timeout = timeout.max(Duration::from_millis(500)))
    }

    /// Time limit of the run. The end of the job takes precedence if it is earlier: it is read from
    /// `MANIPLE_END_TIME` and `SLURM_JOB_END_TIME`, both in seconds since 1970, or computed from Torque's
    /// `PBS_WALLTIME`.
    pub fn time_limit(self, limit: Duration) -> Self {
        self.set(|settings| settings.time_limit = Some(limit))
    }

    /// Time before the limit at which the run begins to stop: no task begins, and running tasks may finish. After
    /// three quarters of the margin waiting ends, too, with [`Error::Stopping`]. Default: 30 s, at most a tenth of the
    /// time left at the start. See [`Client::stopping`].
    pub fn time_margin(self, margin: Duration) -> Self {
        self.set(|settings| settings.time_margin = Some(margin))
    }

    /// Shows the progress of each function on rank 0's standard error: tasks finished, assigned and waiting, tasks
    /// per second, and the remaining time. Bars in a terminal; elsewhere a line a minute, and one at the end.
    pub fn progress(self, shown: bool) -> Self {
        self.set(|settings| settings.progress = shown)
    }

    /// Writes a report of the run to this file when it has ended: one self-contained page of HTML.
    ///
    /// Rank 0 writes it. During the run each rank writes what it has recorded into a directory beside the file, with
    /// the file's name and `.parts`, with random digits between where every user can write. After a run that was
    /// killed, `maniple report` makes a report of that directory.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("run.html");
    /// let runtime = maniple::Runtime::builder().report(&path);
    /// runtime.execute(|client| client.submit(|x: u32| x + 1, 1).result())?;
    /// assert!(std::fs::read_to_string(&path).unwrap().starts_with("<!DOCTYPE html>"));
    /// # Ok::<(), maniple::Error>(())
    /// ```
    pub fn report(self, path: impl Into<PathBuf>) -> Self {
        self.set(|settings| settings.outputs.report = Some(path.into()))
    }

    /// Writes a trace of the run to this file when it has ended, in Chrome's trace format, for
    /// <https://ui.perfetto.dev>. `maniple report` makes a report of it. See [`report`](Self::report).
    pub fn trace(self, path: impl Into<PathBuf>) -> Self {
        self.set(|settings| settings.outputs.trace = Some(path.into()))
    }

    /// Serves a page that shows the run while it goes on, and prints its address, with the required token, on rank
    /// 0's standard error.
    ///
    /// `address` is a port, an address of rank 0's host, both (`127.0.0.1:8080`), or empty. The default is
    /// `127.0.0.1`, which other hosts reach only through `ssh -L` (the line is printed), and port 8787 or the next
    /// free one. The page is read-only and loads nothing from other hosts.
    ///
    /// ```
    /// let runtime = maniple::Runtime::builder().dashboard("");
    /// assert_eq!(runtime.execute(|client| client.submit(|x: u32| x + 1, 1).result())?, 2);
    /// # Ok::<(), maniple::Error>(())
    /// ```
    pub fn dashboard(mut self, address: &str) -> Self {
        match address.parse() {
            Ok(address) => self.set(|settings| settings.dashboard = Some(address)),
            Err(error) => {
                self.settings = self.settings.and(Err(error));
                self
            }
        }
    }

    /// Directory for checkpointed results ([`SubmitOptions::checkpoint`](crate::SubmitOptions::checkpoint),
    /// [`Array::checkpoint`](crate::Array::checkpoint)), on a file system that all ranks share. Each rank appends to a
    /// file of its own.
    pub fn journal(self, directory: impl AsRef<Path>) -> Self {
        self.set(|settings| settings.journal.directory = Some(directory.as_ref().into()))
    }

    /// Whether to resume from the results of earlier runs in the [`journal`](Self::journal), with any number of
    /// ranks: then only what is missing is computed. Otherwise a journal that is not empty is refused.
    pub fn resume(self, resume: Resume) -> Self {
        self.set(|settings| settings.journal.resume = resume)
    }

    /// Interval at which journal files are synchronised to disk, so that results survive a crash of their host.
    pub fn journal_sync(self, sync: JournalSync) -> Self {
        self.set(|settings| settings.journal.sync = sync)
    }

    /// Runs on the ranks of this communicator rather than on all that the launcher started.
    ///
    /// It is duplicated, and stays the caller's. It must live until [`execute`](Self::execute) begins.
    #[cfg(feature = "mpi")]
    pub fn communicator(mut self, communicator: &impl mpi::raw::AsRaw<Raw = mpi::ffi::MPI_Comm>) -> Self {
        self.communicator = Some(communicator.as_raw());
        self
    }

    /// As [`run`](crate::run()), with these settings: other ranks than the driver's may exit here.
    ///
    /// # Errors
    ///
    /// The closure's, and what keeps the run from starting.
    pub fn run<T: Data>(self, driver: impl FnOnce(&Client) -> Result<T> + Send) -> Result<T> {
        if leaving::is_within_run() {
            // An error here concerns the run around it, whose process is not ended for it.
            leaving::check_start(true, false)?;
        }
        match self.with_arguments(std::env::args().skip(1)).start(driver, true) {
            // The driver's rank has told, and another error concerns all ranks: rank 0 tells.
            Err(Stopped { error, rank, told, status }) if told || rank != Rank::SCHEDULER && status != 0 => {
                drop(error);
                thread::sleep(WORD_BEFORE_EXIT);
                process::exit(status);
            }
            Err(Stopped { error, .. }) => Err(error),
            Ok(value) => Ok(value),
        }
    }

    /// Runs `driver` on the ranks of a communicator, from within an MPI program. Collective: every rank of the
    /// communicator calls it, and it returns on every rank, with the closure's value or an error; no process exits.
    ///
    /// MPI is not finalized, the communicator stays usable, and it can be called again, also on
    /// several disjoint communicators at a time. Without a `communicator` it
    /// runs on the world, and without a launcher in this one process.
    ///
    /// ```
    /// let sum = maniple::Runtime::builder().threads(2).execute(|client| {
    ///     let squares = client.map(|x: u64| x * x, 1..=10);
    ///     Ok(client.gather(&squares)?.iter().sum::<u64>())
    /// })?;
    /// assert_eq!(sum, 385);
    /// # Ok::<(), maniple::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// On the driver's rank the closure's own; on the others [`Error::Driver`] with its words, or
    /// [`Error::Stopping`] if the run was stopped before it was done. And what keeps the run from starting.
    pub fn execute<T: Data>(self, driver: impl FnOnce(&Client) -> Result<T> + Send) -> Result<T> {
        self.start(driver, false).map_err(|stopped| stopped.error)
    }

    fn start<T: Data>(
        self,
        driver: impl FnOnce(&Client) -> Result<T> + Send,
        owns_process: bool,
    ) -> Result<T, Stopped> {
        self.start_with(driver, owns_process, |_| {})
    }

    /// As [`start`](Self::start); `prepare` is called on the own rank before anything runs there.
    fn start_with<T: Data>(
        self,
        driver: impl FnOnce(&Client) -> Result<T> + Send,
        owns_process: bool,
        prepare: impl FnOnce(&Arc<Engine>),
    ) -> Result<T, Stopped> {
        let bytes = self.start_erased(ending::erased(driver), owns_process, Box::new(prepare))?;
        let stop = |words: String| {
            let error = Error::decode(DecodeErrorKind::Value, words);
            Stopped { error, rank: Rank::SCHEDULER, told: false, status: 0 }
        };
        value::decode(&bytes).map_err(stop)
    }

    /// As [`start_with`](Self::start_with), for values of all types: what it does is compiled once.
    fn start_erased(
        self,
        driver: Driver<'_>,
        owns_process: bool,
        prepare: Prepare<'_>,
    ) -> Result<Vec<u8>, Stopped> {
        leaving::check_start(owns_process, leaving::has_communicator(&self)).map_err(Stopped::alone)?;
        let settings = self.settings.clone();
        if let Ok(settings @ Settings { connect: Some(file), .. }) = &settings {
            return connecting::run(file.as_deref(), driver, settings, owns_process, prepare);
        }
        let (mut ends, family) = self.transports().map_err(Stopped::alone)?;
        let size = ends[0].size();
        let has_all_ranks = ends.len() > 1;
        let driver_end = if has_all_ranks { driver_of(size).index() } else { 0 };
        let own = ends.remove(driver_end);
        let ended = thread::scope(|scope| {
            // The other ranks of a run within one process.
            for transport in ends {
                let settings = settings.clone();
                scope.spawn(move || {
                    // Its outcome is the driver's, which this thread's scope returns; what it could not
                    // write is its own.
                    let Ok(member) = Member::start(transport, settings, false) else { return };
                    if let Err(stopped) = member.take_part(None)
                        && !stopped.told
                    {
                        tell(&stopped.error);
                    }
                });
            }
            let is_driver = own.rank() == driver_of(size);
            let member =
                Member::start(own, settings, owns_process).map_err(|stopped| match has_all_ranks {
                    // Rank 0 is a thread of this process, and says nothing.
                    true => Stopped { rank: Rank::SCHEDULER, ..stopped },
                    false => stopped,
                })?;
            prepare(&member.engine);
            member.take_part(is_driver.then_some(driver))
        });
        if let Some(family) = family {
            family.end(transports::EXIT_TIMEOUT);
        }
        ended
    }
}

/// Begins to show the run to whoever has the token.
fn serve(
    listener: TcpListener,
    lines: Arc<log::Kept>,
    engine: &Arc<Engine>,
    settings: &Settings,
) -> Result<Option<Dashboard>> {
    let (Some(recorder), Some(tally)) = (engine.recorder().cloned(), engine.tally().cloned()) else {
        return Ok(None);
    };
    let host = engine.record().host.clone();
    let sources = Sources { recorder, tally, client: engine.client(settings), lines, host };
    Dashboard::start(listener, sources).map(Some)
}

/// What is called on the own rank before anything runs there.
type Prepare<'a> = Box<dyn FnOnce(&Arc<Engine>) + 'a>;

/// One rank of a run, in its process.
struct Member {
    engine: Arc<Engine>,
    settings: Settings,
    owns_process: bool,
    rank: Rank,
    dashboard: Option<Dashboard>,
    /// What this rank does instead of the driver, if it serves; and whether one does.
    service: Option<Service>,
    serves: bool,
}

impl Member {
    /// Tells the other ranks of this one, and hears of them.
    fn start(
        mut transport: Box<dyn Transport>,
        settings: Result<Settings>,
        owns_process: bool,
    ) -> Result<Self, Stopped> {
        current::catch_panics();
        let (rank, size) = (transport.rank(), transport.size());
        let stop = |error: Error| Stopped { error, rank, told: false, status: STATUS_FAILED };
        let Introduction { settings, scratch, hello, listener, door, lease, parts } =
            introduce(&*transport, settings).map_err(stop)?;
        let bytes = crate::codec::to_bytes(&hello);
        let hellos = transport.all_gather(bytes).map_err(stop)?;
        let hellos: Result<Vec<Hello>> = hellos
            .iter()
            .map(|bytes| postcard::from_bytes(bytes).map_err(|_| Error::World(start::UNREADABLE.into())))
            .collect();
        let agreed = hellos.and_then(|mut hellos| {
            start::join_nodes(&mut hellos);
            let mut cluster = start::agree(&hellos)?;
            let device = start::bind(&mut cluster, &hellos, &mut *transport, &settings)?;
            let recorder = start::recorder(&cluster, &hellos, parts, &mut *transport)?;
            let journal = start::open_journal(&cluster, &hellos, lease, &mut *transport, &settings)?;
            let end = start::end_time(&hellos);
            Ok((Arc::new(cluster), device, end, recorder, hellos, journal))
        });
        let (cluster, device, end, recorder, hellos, journal) = match agreed {
            Ok(agreed) => agreed,
            Err(error) => {
                // All ranks come to the same end; MPI wants to be finalized all the same.
                let _ = transport.close();
                return Err(stop(error));
            }
        };
        let lines = listener.as_ref().map(|_| Arc::default());
        log::start(settings.log.as_ref(), lines.as_ref(), &cluster);
        tracing::info!(rank = rank.0, pid = process::id(), transport = transport.name(), "starts");
        if rank == Rank::SCHEDULER {
            format!("{cluster:#}").lines().for_each(|line| tracing::info!(rank = rank.0, "{line}"));
        }
        let scheduler = (rank == Rank::SCHEDULER).then(|| {
            let workers = cluster.workers().map(WorkerSpec::from);
            let scheduler = Scheduler::new(workers.collect(), size, settings.backlog);
            if cluster.survives() { scheduler.survive(settings.allowed_failures) } else { scheduler }
        });
        let watch = cluster.survives().then(|| {
            let places = hellos.iter().map(|hello| (hello.place.clone(), hello.pid));
            Watch::new(rank, &places.collect::<Vec<_>>(), settings.loss_timeout)
        });
        let clock = end.map(|end| Clock::new(end, settings.time_margin));
        let cores = start::cores(&hellos, rank);
        let serves = hellos[driver_of(size).index()].serves;
        let (transport, gate) = if serves { serving::relay(transport, &cluster) } else { (transport, None) };
        let door = door.zip(gate).map(|(door, gate)| Service { door, gate, ends: end });
        let engine = Engine::new(
            transport, scheduler, cluster, scratch, clock, device, recorder, journal, watch, cores, &settings,
        )
        .map_err(stop)?;
        if hellos[0].live {
            engine.tell_live();
        }
        let dashboard =
            listener.zip(lines).map(|(listener, lines)| serve(listener, lines, &engine, &settings));
        let dashboard = dashboard.transpose().map_err(stop)?.flatten();
        if owns_process {
            signals::watch(&engine).map_err(stop)?;
        }
        Ok(Self { engine, settings, owns_process, rank, dashboard, service: door, serves })
    }

    /// Plays this rank's role to the end of the run. Returns the encoding of the closure's value.
    fn take_part(mut self, driver: Option<Driver<'_>>) -> Result<Vec<u8>, Stopped> {
        let dashboard = self.dashboard.take();
        let service = self.service.take().map(|service| service.driver(&self.engine, &self.settings));
        let driver = service.or(driver);
        let engine = &self.engine;
        let live = leaving::Live::new(engine);
        let tally = engine.tally().filter(|_| self.settings.progress).cloned();
        let display = tally.map(|tally| Display::start(tally, self.settings.progress_pause));
        let own = driver.and_then(|driver| self.drive(driver));
        if let Some(Ending::Error(error @ Error::Interrupted { .. })) = &own
            && self.owns_process
        {
            signals::tell_once(error);
        }
        engine.look_after(|| engine.outcome().is_some());
        let Some(outcome) = engine.outcome() else {
            engine.end_if_left();
            let error = engine.failure().cloned().unwrap_or(Error::Ended);
            engine.abort(&error, STATUS_FAILED);
        };
        let went_well = matches!(outcome, Outcome::Value(_));
        let grace = if went_well { self.settings.shutdown_grace } else { GRACE_AFTER_FAILURE };
        if !engine.stop_tasks(grace) && went_well {
            let names = engine.running().join(", ");
            let words = format!("{names} still runs {grace:?} after the end of the run");
            if !engine.is_of_family() {
                engine.abort(&Error::World(words), STATUS_FAILED);
            }
            // It ends with this process, which is the program's own.
            warn(format_args!("rank {} ({}): {words}, and is abandoned", self.rank, engine.record().host));
        }
        drop(display);
        drop(dashboard);
        tracing::info!(rank = self.rank.0, well = went_well, "has ended its tasks");
        let chunks = engine.gather_records();
        drop(live);
        let write = || {
            if let Some(mut history) = chunks.and_then(record::History::of) {
                history.end = Some(ending::told(outcome));
                self.settings.outputs.write(&history, engine.parts_of_record())?;
            }
            engine.remove_record();
            Ok(())
        };
        let (closed, written) = if matches!(outcome, Outcome::Interrupted(_)) {
            // Before MPI ends: a launcher kills its ranks about a second after it has passed a signal on.
            let written = write();
            (engine.close(), written)
        } else {
            (engine.close(), write())
        };
        if self.serves && self.owns_process && went_well && written.is_ok() && closed.is_ok() {
            // There is no value that the program could go on with.
            process::exit(0);
        }
        match written {
            Ok(()) => {}
            Err(error) if own.is_some() || !went_well => tell(error),
            Err(error) => return self.conclude(outcome, own, closed.and(Err(error))),
        }
        self.conclude(outcome, own, closed)
    }

    /// Runs the closure, and tells all ranks how it ended. Returns its error, or its panic.
    fn drive(&self, driver: Driver<'_>) -> Option<Ending> {
        let engine = &self.engine;
        let client = engine.driver(&self.settings);
        let closure = || {
            let ended = engine.driving(|| catch_unwind(AssertUnwindSafe(|| driver(&client))));
            let (outcome, ending) = Ending::of(ended);
            engine.shut_down(outcome);
            ending
        };
        if engine.needs_this_thread() {
            // Only this thread may call MPI, so the closure gets another.
            return thread::scope(|scope| {
                let closure = scope.spawn(closure);
                engine.look_after(|| engine.outcome().is_some());
                closure.join().ok().flatten()
            });
        }
        let background = Arc::clone(engine);
        let thread = thread::Builder::new()
            .name("maniple".into())
            .spawn(move || background.look_after(|| background.outcome().is_some()));
        let ending = closure();
        if let Ok(thread) = thread {
            // A panic there has aborted the run.
            let _ = thread.join();
        }
        ending
    }

    /// What this rank returns, or how it ends.
    fn conclude(
        &self,
        outcome: &Outcome,
        own: Option<Ending>,
        closed: Result<()>,
    ) -> Result<Vec<u8>, Stopped> {
        let rank = self.rank;
        match own {
            Some(Ending::Panic(panic)) => {
                if self.owns_process {
                    process::exit(STATUS_PANICKED);
                }
                resume_unwind(panic)
            }
            Some(Ending::Error(error)) => {
                if self.owns_process && matches!(error, Error::Interrupted { .. }) {
                    // The user was told before MPI ended.
                    process::exit(signals::STATUS_INTERRUPTED);
                }
                if self.owns_process && error.is_stopping() {
                    tell(error);
                    process::exit(STATUS_STOPPING);
                }
                return Err(Stopped { error, rank, told: false, status: 0 });
            }
            None => {}
        }
        let told = |error, status| Stopped { error, rank, told: true, status };
        let driver = |words: &str| Error::Driver(words.into());
        match outcome {
            Outcome::Error(words) => Err(told(driver(words), STATUS_FAILED)),
            Outcome::Panic(words) => Err(told(driver(words), STATUS_PANICKED)),
            Outcome::Interrupted(words) => Err(told(driver(words), signals::STATUS_INTERRUPTED)),
            Outcome::Stopping => Err(told(Error::Stopping, STATUS_STOPPING)),
            Outcome::Value(bytes) => {
                let stop = |error| Stopped { error, rank, told: false, status: 0 };
                closed.map(|()| bytes.clone()).map_err(stop)
            }
        }
    }
}
