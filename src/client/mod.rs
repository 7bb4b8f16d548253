//! The client: submits tasks, from the driver or from other tasks.

pub(crate) mod arguments;
pub(crate) mod delayed;
pub(crate) mod each;
mod explain;
mod future;
mod keep;
pub(crate) mod mail;
mod options;
mod parked;
pub(crate) mod process;
mod progress;
pub(crate) mod publish;
pub(crate) mod room;
pub(crate) mod table;

use crate::{
    cluster::Cluster,
    error::{DecodeErrorKind, Error, Reason, Result, TaskError},
    ids::Code,
    ids::{TaskId, Tasks},
    journal::Journal,
    message::{Column, Finished, Held, Layer, Message, Options, Outcome, ToScheduler},
    packed::Packed,
    rank::Rank,
    running::running,
    task::{Descriptor, TaskFunction},
    value::{self, Data},
};
use arguments::{Arguments, Columns};
pub use delayed::{Delayed, delayed};
pub use each::{Each, EachWith, each};
pub use future::{Future, Status};
pub use options::{Place, SubmitOptions};
use process::Process;
pub use progress::{AsCompleted, Completions};
pub(crate) use publish::Parts;
pub use publish::Publish;
use std::{
    borrow::Borrow,
    cell::Cell,
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use table::{Progress, Request, Table, Tracked};

/// What [`Client::wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitFor {
    /// Every one of the futures.
    All,
    /// One of them.
    Any,
}

/// The handle with which a program has functions run on the workers of its run.
///
/// [`run`](crate::run) hands one to the driver's closure; a task gets one from
/// [`current`](crate::current()). Clones share everything.
#[derive(Clone, Debug)]
pub struct Client {
    process: Weak<dyn Process>,
    shared: Arc<Shared>,
    is_on_devices: bool,
    /// The options of its tasks, if it has any.
    options: Option<Arc<SubmitOptions>>,
    /// How many of its tasks may be open before it is held back, if it is the driver's.
    graph_limit: Option<u64>,
}

#[derive(Debug)]
struct Shared {
    table: Arc<Table>,
    cluster: Arc<Cluster>,
    small_bytes_max: usize,
    /// The worker that takes the next value that is scattered.
    next_worker: AtomicUsize,
    journal: Option<Arc<Journal>>,
    /// How many tasks were submitted.
    submitted: AtomicU64,
}

impl Client {
    pub(crate) fn new(
        process: Weak<dyn Process>,
        table: Arc<Table>,
        cluster: Arc<Cluster>,
        small_bytes_max: usize,
        journal: Option<Arc<Journal>>,
    ) -> Self {
        let next_worker = AtomicUsize::new(0);
        let submitted = AtomicU64::new(0);
        let shared = Arc::new(Shared { table, cluster, small_bytes_max, next_worker, journal, submitted });
        Self { process, shared, is_on_devices: false, options: None, graph_limit: None }
    }

    /// A client of the same run whose tasks are counted and not submitted.
    pub(crate) fn rehearsal(&self) -> Self {
        let (table, cluster) = (self.table().rehearsal(), Arc::clone(&self.shared.cluster));
        let own = Self::new(self.process.clone(), table, cluster, self.shared.small_bytes_max, None);
        Self { is_on_devices: self.is_on_devices, options: self.options.clone(), ..own }
    }

    /// A client of the same run whose tasks are recorded, to be run later; the futures are of use to it only.
    pub(crate) fn recording(&self, process: Weak<dyn Process>) -> Self {
        let (table, cluster) = (self.table().recording(), Arc::clone(&self.shared.cluster));
        Self {
            options: self.options.clone(),
            ..Self::new(process, table, cluster, self.shared.small_bytes_max, None)
        }
    }

    /// So many futures of nothing, with their numbers, that stand for values.
    pub(crate) fn placeholders(&self, count: u32) -> (Tasks, Vec<Future<()>>) {
        let tracked = self.table().track(count, &Progress::Pending);
        (tracked.tasks, (0..count).map(|index| Future::new(self.clone(), &tracked, index)).collect())
    }

    /// How many tasks were submitted by this client and its clones.
    pub(crate) fn submitted_count(&self) -> u64 {
        self.shared.submitted.load(Ordering::Relaxed)
    }

    /// The process that this client belongs to, unless the run is over.
    pub(crate) fn process(&self) -> Option<Arc<dyn Process>> {
        self.process.upgrade()
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.shared.table
    }

    /// The ranks of the run: who does what, where, with what.
    pub fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    /// The same client, whose arrays compute on the workers' [devices](mod@crate::device): where a step can, and
    /// where some worker has one. [`explain`](crate::Array::explain) says where each step is made, and why.
    /// Blocks stay on the device that made them until the host needs them.
    ///
    /// Random numbers, integers, comparisons, sums and products of elements come out as on CPUs, bit for bit;
    /// other functions and sums of blocks within a few units in the last place, products of all elements and
    /// variances in `f64` within 2e-10; products of matrices differ by the roundings of their sums.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let client = client.on_devices();
    /// let x = client.random(1).uniform::<f64>(0.0, 1.0, [1000, 1000], 500);
    /// let sum = (&x + x.t()).sum();
    /// println!("{}", sum.explain()); // "on devices", or "on CPUs (no worker has a device)"
    /// assert!((sum.compute()? / 1e6 - 1.0).abs() < 0.01);
    /// # Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn on_devices(&self) -> Self {
        Self { is_on_devices: true, ..self.clone() }
    }

    pub(crate) fn is_on_devices(&self) -> bool {
        self.is_on_devices
    }

    /// The same client, whose tasks have these options instead: the tasks of [`submit`](Self::submit) and
    /// [`map`](Self::map), and those of arrays that it [computes](Self::compute) or [persists](Self::persist).
    ///
    /// ```
    /// use maniple::SubmitOptions;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let patient = client.with(&SubmitOptions::new().retries(2).priority(-1));
    /// let squares = patient.map(|x: u64| x * x, 0..4);
    /// assert_eq!(client.gather(&squares)?, [0, 1, 4, 9]);
    /// let x = client.arange(0, 5, 1, 2).cumsum(0);
    /// let x = client.with(&SubmitOptions::new().label("running sums")).compute(&x)?;
    /// assert_eq!(x[[4]], 10);
    /// # Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn with(&self, options: &SubmitOptions) -> Self {
        Self { options: Some(Arc::new(options.clone())), ..self.clone() }
    }

    /// The same client, whose tasks are called so unless its options have a label.
    pub(crate) fn labelled(&self, label: impl FnOnce() -> String) -> Self {
        match self.options().has_label() {
            true => self.clone(),
            false => self.with(&self.options().clone().label(label())),
        }
    }

    /// The same client, whose tasks use their worker's device.
    pub(crate) fn on_own_device(&self) -> Self {
        self.with(&self.options().on_device())
    }

    /// The options that it was given, if it was.
    pub(crate) fn own_options(&self) -> Option<&SubmitOptions> {
        self.options.as_deref()
    }

    /// The options of its tasks.
    pub(crate) fn options(&self) -> &SubmitOptions {
        static NONE: LazyLock<SubmitOptions> = LazyLock::new(SubmitOptions::new);
        self.options.as_deref().unwrap_or(&NONE)
    }

    /// How much time is left until the run must end: until its job's walltime is over, or its
    /// [`time_limit`](crate::Builder::time_limit). `None` if neither is known.
    pub fn time_left(&self) -> Option<Duration> {
        self.process()?.time_left()
    }

    /// Whether the run is stopping: no more tasks begin, and those that run should come to an end.
    ///
    /// It does so a margin before its time is over ([`time_margin`](crate::Builder::time_margin)), and on
    /// SIGUSR1. Tasks that were not begun fail with [`Reason::Stopping`]. A closure that ends with such an
    /// error, or with [`Error::Stopping`], ends the program with status 75, which says: run it again.
    ///
    /// ```
    /// # use maniple::{Error, Runtime};
    /// # let ended = Runtime::builder().execute(|client| {
    /// for step in 0..1000 {
    ///     if client.stopping() {
    ///         // ... save what there is ...
    ///         return Err(Error::Stopping);
    ///     }
    ///     client.submit(|step: u32| step, step).result()?;
    /// }
    /// # Ok(()) });
    /// # assert!(ended.is_ok());
    /// ```
    pub fn stopping(&self) -> bool {
        self.look();
        self.table().is_stopping()
    }

    /// Has `function` called with these arguments, on a worker. Returns at once, unless the driver has more
    /// than [`graph_limit`](crate::Builder::graph_limit) unfinished tasks: then it waits until half of them have
    /// finished.
    ///
    /// A function is a `fn` or a closure that captures nothing. Its arguments are `()`, one bare
    /// argument, or a tuple; each a value, a future of one, or for a list, futures.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// fn add(a: i64, b: i64) -> i64 { a + b }
    /// let three = client.submit(add, (1, 2));
    /// let eight = client.submit(add, (&three, 5));
    /// let sum = client.submit(|values: &[i64]| values.iter().sum::<i64>(), &vec![three, eight]);
    /// assert_eq!(sum.result()?, 11);
    /// # Ok(()) }).unwrap();
    /// ```
    ///
    /// A closure with captures does not compile:
    ///
    /// ```compile_fail,E0080
    /// # maniple::Runtime::builder().execute(|client| {
    /// let factor = 3;
    /// client.submit(move |x: i64| x * factor, 2);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn submit<F, P, M>(&self, function: F, arguments: impl Arguments<P>) -> Future<F::Out>
    where
        F: TaskFunction<P, M>,
        F::Out: Data,
    {
        let (code, misfit) = function.place(const { Descriptor::of::<F, P, M>() });
        let mut columns = Columns::new(self);
        columns.failure = misfit;
        columns.push(arguments);
        let tracked = self.submit_layer(code, 1, &mut columns);
        Future::new(self.clone(), &tracked, 0)
    }

    /// Has `function` called once for each of the items; all travel as one message. Returns as
    /// [`submit`](Self::submit) does.
    ///
    /// The items are what [`submit`](Self::submit) takes as arguments: values, futures, or, `zip`ped,
    /// tuples of them. What all tasks take alike follows in [`each(items).with(argument)`](super::each()).
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let squares = client.map(|x: i64| x * x, 1..=3);
    /// let negatives = client.map(|x: i64| -x, &squares);
    /// let zeros = client.map(|a: i64, b: i64| a + b, squares.iter().zip(&negatives));
    /// assert_eq!(client.gather(&zeros)?, [0, 0, 0]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn map<F, P, M, I>(&self, function: F, items: I) -> Vec<Future<F::Out>>
    where
        F: TaskFunction<P, M>,
        I: IntoIterator,
        I::Item: Arguments<P>,
        F::Out: Data,
    {
        let (code, misfit) = function.place(const { Descriptor::of::<F, P, M>() });
        let mut columns = Columns::new(self);
        columns.failure = misfit;
        let mut count = 0;
        for item in items {
            columns.push(item);
            count += 1;
        }
        let tracked = self.submit_layer(code, count, &mut columns);
        (0..count).map(|index| Future::new(self.clone(), &tracked, index)).collect()
    }

    /// Has `function` called with these arguments once on every worker, in rank order, whatever
    /// [`workers`](SubmitOptions::workers) says.
    pub fn run_on_workers<F, P, M, A>(&self, function: F, arguments: A) -> Vec<Future<F::Out>>
    where
        F: TaskFunction<P, M>,
        A: Arguments<P> + Clone,
        F::Out: Data,
    {
        let (code, misfit) = function.place(const { Descriptor::of::<F, P, M>() });
        let mut columns = Columns::new(self);
        columns.failure = misfit;
        let workers: Vec<Rank> = self.cluster().workers().map(|rank| rank.rank).collect();
        workers.iter().for_each(|_| columns.push(arguments.clone()));
        let count = workers.len() as u32;
        let own = self.options().resolve(self.cluster());
        let options = own.map(|own| Options { workers, one_each: true, ..own });
        let name = self.options().label_or(code);
        let tracked = self.submit_resolved(code, name, options, 0, count, &mut columns);
        (0..count).map(|index| Future::new(self.clone(), &tracked, index)).collect()
    }

    /// Hands a value to the workers, and returns a future of it: to be used by many tasks, it travels
    /// once to each worker that needs it.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] if the value cannot be encoded.
    pub fn scatter<T: Data>(&self, value: T) -> Result<Future<T>> {
        let worker = self.next_worker();
        self.scatter_to(value, &[worker])
    }

    /// Hands a value to every worker, through a tree of them.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] if the value cannot be encoded.
    pub fn broadcast<T: Data>(&self, value: T) -> Result<Future<T>> {
        let lost = self.table().lost();
        let workers: Vec<Rank> = self.living_workers(&lost).collect();
        self.scatter_to(value, &workers)
    }

    fn scatter_to<T: Data>(&self, value: T, workers: &[Rank]) -> Result<Future<T>> {
        let mut small = Packed::default();
        let mut large = None;
        let outcome = small.push_with(|bytes| {
            large = value::encode(value, self.shared.small_bytes_max, bytes)?;
            Ok(())
        });
        outcome.map_err(|words: String| Error::decode(DecodeErrorKind::Encode, words))?;
        let tracked = match large {
            None => {
                let bytes = smallvec::SmallVec::from_slice(small.at(0));
                let tracked = self.table().track(1, &Progress::Small(bytes));
                self.set_keys_of_small(&tracked, &small);
                self.table().give(Finished { first: tracked.tasks.first, values: small });
                tracked
            }
            Some(value) => {
                let held = Held { task: TaskId(0), holder: workers[0], size: value.size() };
                let tracked = self.table().track_held(held);
                self.set_key_of_large(&tracked, &value);
                self.table().lend(tracked.tasks.first, value, workers);
                tracked
            }
        };
        self.said(true);
        Ok(Future::new(self.clone(), &tracked, 0))
    }

    fn next_worker(&self) -> Rank {
        let lost = self.table().lost();
        let count = self.living_workers(&lost).count();
        let index = self.shared.next_worker.fetch_add(1, Ordering::Relaxed) % count.max(1);
        self.living_workers(&lost).nth(index).expect("a run has a worker")
    }

    /// The workers that are not lost; all, if all are.
    fn living_workers<'a>(&'a self, lost: &'a [Rank]) -> impl Iterator<Item = Rank> + 'a {
        let all = || self.cluster().workers().map(|rank| rank.rank);
        let is_any_left = all().any(|rank| !lost.contains(&rank));
        all().filter(move |rank| !is_any_left || !lost.contains(rank))
    }

    fn submit_layer(&self, code: Code, count: u32, columns: &mut Columns<'_>) -> Arc<Tracked> {
        let options = self.options();
        let name = options.label_or(code);
        self.submit_resolved(code, name, options.resolve(self.cluster()), 0, count, columns)
    }

    /// Submits one call, which so many others wait for at most.
    pub(crate) fn submit_call(
        &self,
        code: Code,
        options: Option<&SubmitOptions>,
        level: u32,
        columns: &mut Columns<'_>,
    ) -> Arc<Tracked> {
        let options = options.unwrap_or(self.options());
        let name = options.label_or(code);
        self.submit_resolved(code, name, options.resolve(self.cluster()), level, 1, columns)
    }

    fn submit_resolved(
        &self,
        code: Code,
        name: &str,
        options: Result<Options, String>,
        level: u32,
        count: u32,
        columns: &mut Columns<'_>,
    ) -> Arc<Tracked> {
        let failure = columns.failure.take().map(|words| (Reason::Decode, words));
        let options = match (failure, options) {
            (None, Ok(options)) => options,
            (Some((reason, words)), _) => return self.fail_at_once(name, count, reason, words),
            (None, Err(words)) => return self.fail_at_once(name, count, Reason::NoWorker, words),
        };
        self.submit_columns(code, options, level, count, columns.finish())
    }

    /// Has a function called `count` times with the values of these columns.
    pub(crate) fn submit_layer_of<T>(&self, code: Code, count: u32, columns: Vec<Column>) -> Vec<Future<T>> {
        let options = self.options();
        let tracked = match options.resolve(self.cluster()) {
            Ok(resolved) => self.submit_columns(code, resolved, 0, count, columns),
            Err(words) => self.fail_at_once(options.label_or(code), count, Reason::NoWorker, words),
        };
        (0..count).map(|index| Future::new(self.clone(), &tracked, index)).collect()
    }

    /// Has a function called once on each of `options.workers`, with the values of these columns.
    pub(crate) fn submit_bound(&self, code: Code, options: Options, columns: Vec<Column>) -> Vec<Future<()>> {
        let count = options.workers.len() as u32;
        let tracked = self.submit_columns(code, options, 0, count, columns);
        (0..count).map(|index| Future::new(self.clone(), &tracked, index)).collect()
    }

    /// Submits a layer whose columns are made already.
    fn submit_columns(
        &self,
        code: Code,
        mut options: Options,
        level: u32,
        count: u32,
        columns: Vec<Column>,
    ) -> Arc<Tracked> {
        self.wait_for_room();
        // Ranks that run no tasks do not have the module.
        if code.module != 0 {
            options.label.get_or_insert_with(|| code.name().to_string());
        }
        options.is_kept &= self.shared.journal.is_some();
        let options = (options != Options::default()).then(|| Box::new(options));
        let tracked = self.table().track(count, &Progress::Pending);
        self.shared.submitted.fetch_add(u64::from(count), Ordering::Relaxed);
        let depth = running().map_or(0, |running| running.depth + 1);
        let layer = Layer { tasks: tracked.tasks, code, columns, level, depth, options };
        let first = match &self.shared.journal {
            None => self.table().submit(layer),
            Some(journal) => self.submit_what_is_missing(journal, &tracked, layer),
        };
        self.said(first);
        tracked
    }

    /// Tasks that have failed before they could be submitted.
    fn fail_at_once(&self, name: &str, count: u32, reason: Reason, message: String) -> Arc<Tracked> {
        let error = TaskError {
            reason,
            function: name.to_string(),
            task: 0,
            rank: None,
            host: String::new(),
            message: TaskError::message(message),
            attempts: 0,
            dependents: Vec::new(),
        };
        self.table().track_failed(count, error)
    }

    /// Sees to it that what was said is sent.
    fn said(&self, first: bool) {
        if let Some(process) = self.process().filter(|_| first) {
            process.send_soon(self.table().pending_count() <= 1);
        }
    }

    /// Lets what has arrived be seen, without waiting.
    fn look(&self) {
        if let Some(process) = self.process() {
            process.poll();
        }
    }

    fn wait_for<T>(&self, ready: impl FnMut() -> Option<T>, timeout: Option<Duration>) -> Result<T> {
        self.wait_for_task(ready, || None, timeout)
    }

    /// As `wait_for`; `awaited` names a task before whose end there is nothing, if there is one.
    fn wait_for_task<T>(
        &self,
        mut ready: impl FnMut() -> Option<T>,
        awaited: impl Fn() -> Option<TaskId>,
        timeout: Option<Duration>,
    ) -> Result<T> {
        let mut found = None;
        let mut is_ready = || {
            found = ready();
            found.is_some()
        };
        self.process().ok_or(Error::Ended)?.wait_until(&mut is_ready, &awaited, timeout)?;
        Ok(found.expect("waiting ends with what was waited for, or with an error"))
    }

    /// Waits for the values of all these futures and brings them here, in order.
    ///
    /// # Errors
    ///
    /// As [`Future::result`], of the first future that has one.
    pub fn gather<T: Data, F: Borrow<Future<T>>>(&self, futures: &[F]) -> Result<Vec<T>> {
        let futures: Vec<&Future<T>> = futures.iter().map(Borrow::borrow).collect();
        let mut asked = 0;
        let mut values = Vec::with_capacity(futures.len());
        for (index, future) in futures.iter().enumerate() {
            // Large values come a few at a time.
            asked = asked.max(index);
            while asked < futures.len().min(index + 8)
                && !futures[asked].tracked().is_pending(futures[asked].index())
            {
                futures[asked].prefetch();
                asked += 1;
            }
            values.push(future.result()?);
        }
        Ok(values)
    }

    /// Waits until all of these futures, or one of them, have ended, well or not.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if the time is over; [`Error::Interrupted`] and [`Error::Ended`] if the run
    /// is.
    pub fn wait<T, F: Borrow<Future<T>>>(
        &self,
        futures: &[F],
        what: WaitFor,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<()> {
        let at = Cell::new(0);
        let is_pending = |future: &F| future.borrow().tracked().is_pending(future.borrow().index());
        let ready = || {
            let ready = match what {
                WaitFor::Any => futures.is_empty() || futures.iter().any(|future| !is_pending(future)),
                WaitFor::All => {
                    while at.get() < futures.len() && !is_pending(&futures[at.get()]) {
                        at.set(at.get() + 1);
                    }
                    at.get() == futures.len()
                }
            };
            ready.then_some(())
        };
        let awaited = || match what {
            WaitFor::Any => None,
            WaitFor::All => Some(futures.get(at.get())?.borrow().task()),
        };
        self.wait_for_task(ready, awaited, timeout.into())
    }

    /// Ends the cluster that this session is connected to, and with it all other sessions. Elsewhere it does nothing:
    /// a run ends with its driver.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let six = client.submit(|x: u32| 3 * x, 2);
    /// assert_eq!(six.result()?, 6);
    /// client.shutdown();
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn shutdown(&self) {
        let Some(process) = self.process().filter(|process| process.is_session()) else { return };
        let mut nothing = Vec::new();
        value::encode((), usize::MAX >> 1, &mut nothing).expect("nothing can be encoded");
        let message = ToScheduler::Shutdown(Outcome::Value(nothing));
        self.table().request(Request::Say(Rank::SCHEDULER, Message::ToScheduler(message)));
        process.send_soon(true);
    }

    /// Cancels all tasks of this process that have not finished and whose futures are held, and what needs them.
    /// Clones of the client share their tasks.
    ///
    /// ```
    /// # use maniple::Status;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let done = client.submit(|x: u32| x + 1, 1);
    /// done.wait(None)?;
    /// client.cancel_all();
    /// assert_eq!(done.status(), Status::Finished);
    /// assert_eq!(client.submit(|x: u32| x + 1, 2).result()?, 3);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn cancel_all(&self) {
        self.cancel_tasks(self.table().pending_tasks());
    }

    /// Cancels tasks that have not ended, and what needs them.
    pub fn cancel<'a, T: 'a>(&self, futures: impl IntoIterator<Item = &'a Future<T>>) {
        let mut tasks = Vec::new();
        futures.into_iter().for_each(|future| Tasks::push(&mut tasks, future.task()));
        self.cancel_tasks(tasks);
    }

    /// Has workers run no more tasks. They finish what they have begun, and keep the values that they hold; what they
    /// have not begun runs elsewhere. Tasks that no worker is left to run fail with
    /// [`Reason::Lost`](crate::Reason::Lost), and later ones with [`Reason::NoWorker`](crate::Reason::NoWorker).
    /// [`run_on_workers`](Self::run_on_workers) still reaches all.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().local_workers(2).execute(|client| {
    /// client.retire_workers(&[maniple::Rank(2)]);
    /// let ranks = client.map(|_: u32| maniple::current().rank(), 0..10);
    /// assert!(client.gather(&ranks)?.iter().all(|rank| *rank == maniple::Rank(3)));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn retire_workers(&self, workers: &[Rank]) {
        let message = Message::ToScheduler(ToScheduler::Retire(workers.to_vec()));
        self.table().request(Request::Say(Rank::SCHEDULER, message));
        self.said(true);
    }

    fn cancel_tasks(&self, tasks: Vec<Tasks>) {
        let message = Message::ToScheduler(ToScheduler::Cancel(tasks));
        self.table().request(Request::Say(Rank::SCHEDULER, message));
        self.said(true);
    }
}
