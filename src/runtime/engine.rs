//! One process of a run: its roles, its transport and its threads.
//!
//! All that a rank decides and sends happens in [`Roles::progress`], under one lock; which thread takes it, see
//! [`waiting`].

mod losses;
mod waiting;

use super::{
    STATUS_BROKEN, WORD_BEFORE_EXIT, leaving,
    loss::Watch,
    roles::{Roles, Spiller, Surroundings},
    settings::Settings,
    spiller::{SpillThread, SpillerOptions},
    time::Clock,
};
use crate::{
    client::{
        Client,
        process::{Parts, Process},
        room::default_limit,
        table::{Request, Table},
    },
    cluster::{Cluster, RankRecord},
    codec::to_bytes,
    comm::{Bells, Transport, bell::Cores, processes},
    current::{self, Context, Scratch},
    device::Device,
    disk::SpillFile,
    error::{Error, Result, tell},
    host::machine,
    ids::TaskId,
    journal::Journal,
    lock::lock,
    message::{Message, Outcome, ToClient, ToScheduler},
    rank::{Rank, Role},
    record::{self, Chunk, Live, Pace, Recorder, Tally},
    running::running,
    scheduler::Scheduler,
    units,
    worker::{
        Execute,
        execute::{Host, Pool},
        threads::ThreadOptions,
    },
};
use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc, Condvar, Mutex, OnceLock, TryLockError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

/// How long rank 0 waits for more of what other ranks have recorded.
const GATHER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the others wait until it was told all, in case it never says so.
const GATHERED_TIMEOUT: Duration = Duration::from_secs(600);

/// How many bodies are on their way to a session at a time: of each, rank 1 keeps a few MiB.
pub(super) const SESSION_BODIES_MAX: usize = 16;

/// One process of a run. See the module.
pub(crate) struct Engine {
    this: Rank,
    cluster: Arc<Cluster>,
    record: RankRecord,
    roles: Mutex<Roles>,
    bells: Arc<Bells>,
    table: Arc<Table>,
    pool: Option<Arc<Pool>>,
    /// Moves values to the disk, on a worker.
    spiller: Option<Arc<SpillThread>>,
    scratch: Arc<Scratch>,
    /// Looks after other ranks, if the loss of some is survived.
    watch: Option<Mutex<Watch>>,
    /// Counts down to the end of the run, if that is known.
    clock: Option<Clock>,
    cores: Cores,
    /// The only thread that may use the transport, if only one may.
    only_thread: Option<ThreadId>,
    /// Threads that wait to be told that something has changed.
    changes: Mutex<u64>,
    changed: Condvar,
    waiters: AtomicU32,
    /// Since when something is held back that the scheduler is to hear.
    holds_since: Mutex<Option<Instant>>,
    outcome: OnceLock<Outcome>,
    /// Why this rank can't go on.
    failure: OnceLock<Error>,
    interrupted: OnceLock<Error>,
    over: AtomicBool,
    /// Whether another rank has said that its program ends.
    was_left: AtomicBool,
    context: OnceLock<Context>,
    parts: Parts,
    recorder: Option<Arc<Recorder>>,
    device: Option<Device>,
    journal: Option<Arc<Journal>>,
    /// How far the run has come, on rank 0 if that is shown.
    tally: Option<Arc<Tally>>,
    allows_modules: bool,
}

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "the parts of one rank")]
    pub(crate) fn new(
        transport: Box<dyn Transport>,
        scheduler: Option<Scheduler>,
        cluster: Arc<Cluster>,
        scratch: Scratch,
        clock: Option<Clock>,
        device: Option<Device>,
        recorder: Option<Arc<Recorder>>,
        journal: Option<Arc<Journal>>,
        watch: Option<Watch>,
        cores: Cores,
        settings: &Settings,
    ) -> Result<Arc<Self>> {
        let scratch = Arc::new(scratch);
        let this = transport.rank();
        let record = match cluster.ranks().get(this.index()) {
            Some(record) => record.clone(),
            None => session_record(this),
        };
        let record = &record;
        let pool = match record.role.worker {
            false => None,
            true => Some({
                let options = ThreadOptions {
                    count: record.threads as usize,
                    cores: record.cores.clone(),
                    stack_bytes: settings.stack_bytes,
                    spare_max: settings.spare_threads,
                    who: format!("rank {this} ({})", record.host),
                };
                let pool = Pool::new(options, settings.small_bytes_max, recorder.clone(), journal.clone());
                pool.map_err(|words| {
                    Error::Option(format!("rank {this} ({}) cannot start its threads: {words}", record.host))
                })?
            }),
        };
        let bells = transport.bells();
        let main_thread_only = transport.main_thread_only();
        let mut roles = Roles::new(transport, scheduler, cluster.survives());
        if cluster.ranks().len() <= this.index() {
            roles.limit_coming(SESSION_BODIES_MAX);
        }
        let limits = cluster.workers().map(|worker| worker.memory_bytes);
        roles.limit_sessions(limits.fold(machine::memory_bytes(), u64::max));
        let spiller = match record.role.worker {
            false => None,
            true => Some(limit_memory(&mut roles, record, &cluster, settings, &bells)?),
        };
        let tally = (settings.wants_tally() && this == Rank::SCHEDULER).then(|| match settings.dashboard {
            Some(_) => Arc::new(Tally::with_vacancies(&cluster)),
            None => Arc::default(),
        });
        let engine = Arc::new(Self {
            this,
            cores,
            only_thread: main_thread_only.then(|| thread::current().id()),
            roles: Mutex::new(roles),
            table: Table::new(this, Arc::clone(&bells), cluster.survives()),
            bells,
            pool,
            spiller,
            scratch,
            watch: watch.map(Mutex::new),
            clock,
            cluster,
            record: record.clone(),
            changes: Mutex::new(0),
            changed: Condvar::new(),
            waiters: AtomicU32::new(0),
            holds_since: Mutex::default(),
            allows_modules: settings.allow_modules,
            outcome: OnceLock::new(),
            failure: OnceLock::new(),
            interrupted: OnceLock::new(),
            over: AtomicBool::new(false),
            was_left: AtomicBool::new(false),
            context: OnceLock::new(),
            parts: Parts::default(),
            recorder,
            device: device.clone(),
            journal,
            tally,
        });
        let client = engine.client(settings);
        let worker = engine.cluster.workers().position(|rank| rank.rank == this).unwrap_or(0);
        let watch: Arc<dyn current::Watch> = match &engine.pool {
            Some(pool) => Arc::clone(pool) as _,
            None => Arc::new(NoTasks),
        };
        let context = Context::new(client, watch, this, worker as u32, Arc::clone(&engine.scratch), device);
        assert!(engine.context.set(context).is_ok(), "an engine has one context");
        if let Some(pool) = &engine.pool {
            let host: Arc<dyn Host> = engine.clone();
            pool.set_host(Arc::downgrade(&host));
        }
        Ok(engine)
    }

    pub(crate) fn client(self: &Arc<Self>, settings: &Settings) -> Client {
        let (table, cluster) = (Arc::clone(&self.table), Arc::clone(&self.cluster));
        let process: Arc<dyn Process> = self.clone();
        Client::new(Arc::downgrade(&process), table, cluster, settings.small_bytes_max, self.journal.clone())
    }

    /// The client of the driver, which is held back where it submits more than can be run.
    pub(crate) fn driver(self: &Arc<Self>, settings: &Settings) -> Client {
        let limit = settings.graph_limit.unwrap_or_else(|| default_limit(&self.cluster));
        self.client(settings).held_back(limit)
    }

    /// How the driver's closure ended, once every rank is to end.
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// This rank's line of the role table.
    pub(crate) fn record(&self) -> &RankRecord {
        &self.record
    }

    /// Who counts how far the run has come, if it is shown.
    pub(crate) fn tally(&self) -> Option<&Arc<Tally>> {
        self.tally.as_ref()
    }

    /// Whether only this thread may use the transport.
    pub(crate) fn needs_this_thread(&self) -> bool {
        self.only_thread == Some(thread::current().id())
    }

    /// Ends all ranks at once, with one line that says why.
    pub(crate) fn abort(&self, error: &Error, status: i32) -> ! {
        let record = self.record();
        leaving::expect_exit();
        tell(format_args!("rank {} ({}): {error}", record.rank, record.host));
        self.scratch.remove();
        match self.roles.try_lock() {
            Ok(mut roles) => roles.transport.abort(status),
            Err(TryLockError::Poisoned(roles)) => roles.into_inner().transport.abort(status),
            Err(TryLockError::WouldBlock) => std::process::exit(status),
        }
    }

    /// Ends this rank, whose program has called `exit` while the run goes on: tells why, and notifies the others.
    pub(super) fn leave_run(&self, status: i32) -> ! {
        let record = self.record();
        let task = running().map(|running| running.task);
        let who = match self.pool.as_ref().zip(task).and_then(|(pool, task)| pool.name_of(task)) {
            Some(name) => format!("task {name} has"),
            None if leaving::is_driver() => "the driver has".into(),
            None => "the program has".into(),
        };
        tell(format_args!(
            "rank {} ({}) left the run before its end: {who} called exit: return an error or panic instead",
            record.rank, record.host
        ));
        self.clean_up();
        // A run that survives losses goes on without it.
        let is_alone = self.is_one_process() || self.cluster.ranks().len() == 1;
        if !(is_alone || self.cluster.survives() && self.this.0 > 1) {
            let others = self.cluster.ranks().iter().filter(|other| other.rank != self.this);
            for other in others {
                self.table.request(Request::Say(other.rank, Message::Left(self.this)));
            }
            // Launchers end the others at once, which are to know why.
            let deadline = Instant::now() + WORD_BEFORE_EXIT;
            while Instant::now() < deadline {
                self.send_soon(true);
                thread::sleep(Duration::from_millis(5));
            }
            // So that the launcher ends with this status, rather than with that of a rank which it kills.
            if let Ok(mut roles) = self.roles.try_lock() {
                roles.transport.abort(status);
            }
        }
        machine::exit_at_once(status)
    }

    /// Whether workers are processes that the program has started itself.
    pub(super) fn is_of_family(&self) -> bool {
        self.record().transport == processes::NAME
    }

    /// Whether another rank has said that its program ends.
    pub(super) fn was_left(&self) -> bool {
        self.was_left.load(Ordering::SeqCst)
    }

    /// Ends this rank, if another one has left and said so.
    pub(super) fn end_if_left(&self) {
        if self.was_left() {
            self.clean_up();
            // The one that left has its word first.
            thread::sleep(WORD_BEFORE_EXIT);
            machine::exit_at_once(STATUS_BROKEN);
        }
    }

    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    /// Says that the closure has ended, and how.
    pub(crate) fn shut_down(&self, outcome: Outcome) {
        let message = Message::ToScheduler(ToScheduler::Shutdown(outcome));
        self.table.request(Request::Say(Rank::SCHEDULER, message));
        self.send_soon(true);
    }

    /// Ends what waits on this rank because of a signal.
    pub(crate) fn interrupt(&self, error: Error) {
        let _ = self.interrupted.set(error);
        self.tell_waiters();
        self.bells.ring_self();
    }

    /// Lets no more tasks begin, on any rank.
    pub(crate) fn stop_beginning(&self) {
        if self.is_session() {
            // The cluster goes on for others.
            return self.table.handle(ToClient::Stopping);
        }
        self.say_time_left(Duration::ZERO);
        self.send_soon(true);
    }

    fn say_time_left(&self, left: Duration) {
        let nanoseconds = units::nanoseconds(left);
        let message = Message::ToScheduler(ToScheduler::TimeLeft { nanoseconds });
        self.table.request(Request::Say(Rank::SCHEDULER, message));
    }

    /// Does what is due as time passes.
    fn look_at_clock(&self) {
        let Some(clock) = &self.clock else { return };
        let now = Instant::now();
        if self.this == Rank::SCHEDULER
            && let Some(left) = clock.news(now)
        {
            self.say_time_left(left);
        }
        if clock.is_over(now) && self.interrupted.set(Error::Stopping).is_ok() {
            self.tell_waiters();
        }
    }

    /// Stops the rank's threads. Returns whether its tasks have all ended in time.
    pub(crate) fn stop_tasks(&self, grace: Duration) -> bool {
        self.over.store(true, Ordering::SeqCst);
        self.table.end_all("the run has ended");
        self.tell_waiters();
        self.bells.ring_self();
        self.spiller.iter().for_each(|spiller| spiller.stop());
        let Some(pool) = &self.pool else { return true };
        pool.stop();
        let deadline = units::after(Instant::now(), grace);
        while pool.is_active() {
            if Instant::now() >= deadline {
                return false;
            }
            self.bells.ring_self();
            thread::sleep(Duration::from_micros(200));
        }
        true
    }

    /// Whether this process is a session of a cluster.
    pub(crate) fn is_session(&self) -> bool {
        self.this.index() >= self.cluster.ranks().len()
    }

    /// Wakes the thread that looks after the rank.
    pub(crate) fn wake(&self) {
        self.bells.ring_self();
    }

    /// Says to the scheduler that a session begins.
    pub(crate) fn say_connected(&self) {
        self.table.request(Request::Say(Rank::SCHEDULER, Message::ToScheduler(ToScheduler::Connected)));
        self.send_soon(true);
    }

    /// What still runs here.
    pub(crate) fn running(&self) -> Vec<String> {
        self.pool.as_ref().map(|pool| pool.running_names()).unwrap_or_default()
    }

    /// Tells rank 0 from now on what this rank does, about once a second.
    pub(crate) fn tell_live(self: &Arc<Self>) {
        let Some(recorder) = &self.recorder else { return };
        let place = self.cluster.workers().position(|rank| rank.rank == self.this);
        let pace = Pace::of(self.cluster.ranks().len(), place, self.cluster.workers().count());
        let (own, other) = (Arc::downgrade(self), Arc::downgrade(self));
        let look = move || {
            let pool = own.upgrade().and_then(|engine| engine.pool.clone());
            pool.map(|pool| pool.running_places()).unwrap_or_default()
        };
        let tell = move |live: Live| {
            let Some(engine) = other.upgrade() else { return };
            let bytes = to_bytes(&live);
            engine.table.request(Request::Say(Rank::SCHEDULER, Message::Live(bytes)));
            engine.send_soon(false);
        };
        recorder.tell_live(pace, Box::new(look), Box::new(tell));
    }

    /// What this rank records with, if it does.
    pub(crate) fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    /// Ends the recording: other ranks tell rank 0, which waits for them and returns what there is. None comes to
    /// the end of the run before that, where ranks wait for each other for seconds only.
    pub(crate) fn gather_records(&self) -> Option<Vec<Chunk>> {
        let recorder = self.recorder.as_ref()?;
        let chunks = recorder.finish();
        if !recorder.keeps() {
            return None;
        }
        if self.this != Rank::SCHEDULER {
            for chunk in chunks {
                self.table.request(Request::Say(Rank::SCHEDULER, Message::Recorded(chunk)));
            }
            self.send_soon(true);
            let deadline = Instant::now() + GATHERED_TIMEOUT;
            self.look_after(|| recorder.is_gathered() || Instant::now() >= deadline);
            return None;
        }
        chunks.iter().for_each(|chunk| recorder.gather(chunk));
        let (ranks, lost) = (self.cluster.ranks(), lock(&self.roles).lost().len());
        let last = Cell::new((0, Instant::now()));
        self.look_after(|| {
            let (chunks, complete) = recorder.gathered_count();
            if chunks != last.get().0 {
                last.set((chunks, Instant::now()));
            }
            complete == ranks.len() - lost || last.get().1.elapsed() >= GATHER_TIMEOUT
        });
        for rank in &ranks[1..] {
            self.table.request(Request::Say(rank.rank, Message::Gathered));
        }
        self.send_soon(true);
        Some(recorder.take_gathered())
    }

    /// Where ranks leave what they record until the files are written.
    pub(crate) fn parts_of_record(&self) -> Option<&std::path::Path> {
        self.recorder.as_ref()?.parts()
    }

    /// Forgets what the ranks left on disk: it is told.
    pub(crate) fn remove_record(&self) {
        self.recorder.iter().for_each(|recorder| recorder.remove_part());
    }

    /// Waits for all ranks and closes the transport. Nobody else uses it any more.
    pub(crate) fn close(&self) -> Result<()> {
        self.scratch.remove();
        self.journal.iter().for_each(|journal| journal.close());
        if self.watch.is_some() && self.leaves_mpi() {
            self.say_bye();
            return Ok(());
        }
        lock(&self.roles).transport.close()
    }

    /// Removes what must not outlive a process that ends at once.
    pub(crate) fn clean_up(&self) {
        self.scratch.remove();
        self.journal.iter().for_each(|journal| journal.close());
    }

    /// Takes in what has arrived, decides, and sends. Returns whether anything happened.
    fn progress(&self, roles: &mut Roles) -> bool {
        self.look_at_clock();
        self.look_after_others(roles);
        let guard = AbortOnPanic(self);
        *lock(&self.holds_since) = None;
        let executor = self.pool.as_ref().map(|pool| pool as &dyn Execute);
        let spiller = self.spiller.as_deref().map(|spiller| spiller as &dyn Spiller);
        let is_scheduler = self.this == Rank::SCHEDULER;
        let scheduling = self.recorder.as_ref().filter(|recorder| is_scheduler && recorder.is_used());
        let since = scheduling.map_or(0, |_| record::now());
        let outcome = roles.progress(Surroundings {
            table: &self.table,
            executor,
            spiller,
            outcome: &self.outcome,
            recorder: self.recorder.as_deref(),
            tally: self.tally.as_deref(),
        });
        if matches!(outcome, Ok(true)) {
            scheduling.iter().for_each(|recorder| recorder.scheduled(since));
        }
        if let Some(recorder) = &self.recorder {
            let device = self.device.as_ref().map_or(0, |device| device.buffer_bytes().0);
            recorder.holds(roles.held_bytes(), roles.spilled_bytes(), device);
            let ran = self.device.iter().flat_map(|device| device.take_ran());
            ran.for_each(|ran| recorder.ran_on_device(ran.task, ran.start, ran.end));
        }
        std::mem::forget(guard);
        match outcome {
            Ok(active) => {
                if active {
                    self.tell_waiters();
                }
                active
            }
            Err(error) => {
                if roles.was_left() {
                    self.was_left.store(true, Ordering::SeqCst);
                }
                let _ = self.failure.set(error);
                self.tell_waiters();
                false
            }
        }
    }
}

/// Keeps a worker's values within its memory limit.
fn limit_memory(
    roles: &mut Roles,
    record: &RankRecord,
    cluster: &Cluster,
    settings: &Settings,
    bells: &Arc<Bells>,
) -> Result<Arc<SpillThread>> {
    let directory = settings.local_directory.clone().unwrap_or_else(std::env::temp_dir);
    let is_here = |other: &&RankRecord| other.host == record.host && other.pid == record.pid;
    let account = Arc::default();
    let options = SpillerOptions {
        account: Arc::clone(&account),
        process_workers: cluster.workers().filter(is_here).count() as u64,
        rank: record.rank,
        host: record.host.clone(),
        limit_bytes: record.memory_bytes,
        disk: Arc::new(SpillFile::new(directory, settings.spill)),
        compression: settings.spill_compression,
    };
    roles.limit_memory(record.memory_bytes, settings.memory_thresholds, account);
    SpillThread::start(options, Arc::clone(bells)).map_err(|error| {
        Error::Option(format!("rank {} ({}) cannot start its threads: {error}", record.rank, record.host))
    })
}

/// This process, as a session of a cluster, which has no line in its role table.
fn session_record(rank: Rank) -> RankRecord {
    RankRecord {
        rank,
        role: Role { scheduler: false, driver: true, worker: false },
        host: machine::host_name(),
        pid: std::process::id(),
        threads: 0,
        cores: Vec::new(),
        memory_bytes: 0,
        resources: Vec::new(),
        device: None,
        transport: "session".into(),
    }
}

/// Of a rank that runs no tasks.
struct NoTasks;

impl current::Watch for NoTasks {
    fn is_cancelled(&self, _: TaskId, _: u32) -> bool {
        false
    }
}

/// A panic of this library's own must not leave other ranks waiting.
struct AbortOnPanic<'a>(&'a Engine);

impl Drop for AbortOnPanic<'_> {
    fn drop(&mut self) {
        let record = self.0.record();
        tell(format_args!(
            "rank {} ({}): a bug in maniple (see above) ends the run",
            record.rank, record.host
        ));
        self.0.scratch.remove();
        leaving::expect_exit();
        // The lock is held by this very thread; MPI's launchers end all ranks when one ends like this.
        std::process::exit(STATUS_BROKEN);
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({:?})", self.this)
    }
}
