//! Starts and ends runs.
//!
//! A run belongs to a thread of its own, which starts and ends MPI, so that Python's main thread can go on as the
//! driver. On ranks that only serve, that thread does all, and Python's main thread waits for its end.

use crate::{client::Core, errors, waiting};
use maniple::{Error, MemoryLimit, Result, Runtime, info::Launcher};
use pyo3::{exceptions::PyRuntimeError, prelude::*};
use std::{
    ffi::OsString,
    process::Command,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What the thread of a run reports.
enum Event {
    /// This process drives.
    Drives(maniple::Client),
    /// The run has ended.
    Ended(Result<()>),
}

/// How the driver has ended.
enum Ending {
    Well,
    /// With this error, which Python has printed.
    Failed(String),
}

/// Settings of a run.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Settings {
    nthreads: Option<u32>,
    #[pyo3(default)]
    n_workers: Option<u32>,
    /// The command of a worker, where workers are processes.
    #[pyo3(default)]
    command: Option<Vec<OsString>>,
    #[pyo3(default)]
    memory_limit: Option<String>,
    #[pyo3(default)]
    local_directory: Option<String>,
    #[pyo3(default)]
    exclusive_workers: Option<bool>,
    #[pyo3(default)]
    resources: Vec<(String, u32)>,
    #[pyo3(default)]
    dashboard: Option<String>,
    #[pyo3(default)]
    report: Option<String>,
    /// The cluster to connect to: a connection file, a name, or nothing for the newest.
    #[pyo3(default)]
    connect: Option<String>,
    /// With this, the ranks serve sessions.
    #[pyo3(default)]
    serve: Option<String>,
    #[pyo3(default)]
    idle_timeout: Option<f64>,
}

impl Settings {
    fn builder(self) -> Result<maniple::Builder> {
        let mut builder = Runtime::builder();
        if let Some(threads) = self.nthreads {
            builder = builder.threads(threads);
        }
        match (self.n_workers, self.command) {
            (Some(workers), Some(words)) => {
                let command = move || {
                    let mut command = Command::new(&words[0]);
                    command.args(&words[1..]);
                    command
                };
                builder = builder.local_processes(workers, command);
            }
            (Some(workers), None) => builder = builder.local_workers(workers),
            (None, _) => {}
        }
        if let Some(limit) = self.memory_limit {
            builder = builder.memory_limit(limit.parse::<MemoryLimit>()?);
        }
        if let Some(directory) = self.local_directory {
            builder = builder.local_directory(directory);
        }
        if let Some(exclusive) = self.exclusive_workers {
            builder = builder.exclusive_workers(exclusive);
        }
        if let Some(address) = self.dashboard {
            builder = builder.dashboard(&address);
        }
        if let Some(path) = self.report {
            builder = builder.report(path);
        }
        if let Some(cluster) = self.connect {
            builder = builder.connect(cluster);
        }
        if let Some(words) = self.serve {
            builder = builder.serve(&words);
        }
        if let Some(seconds) = self.idle_timeout {
            let timeout = Duration::try_from_secs_f64(seconds)
                .map_err(|_| Error::Option(format!("the idle timeout is {seconds} s: it is not negative")))?;
            builder = builder.idle_timeout(timeout);
        }
        Ok(self.resources.iter().fold(builder, |builder, (name, amount)| builder.resource(name, *amount)))
    }
}

/// A run that this process drives.
#[pyclass(frozen, weakref, module = "maniple")]
pub(crate) struct Run {
    client: maniple::Client,
    end: Sender<Ending>,
    events: Mutex<Receiver<Event>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The number of the run's thread, as the system counts.
    #[pyo3(get)]
    thread_id: i32,
    /// Whether all its tasks run in this process.
    #[pyo3(get)]
    is_local: bool,
}

#[pymethods]
impl Run {
    /// The client of the run.
    fn core(&self) -> Core {
        Core::new(self.client.clone())
    }

    /// Ends the run on all ranks: well, or with the words of an error, and then with status 1. Waits until it has
    /// ended. Returns whether it had not ended before.
    ///
    /// It has not ended if the wait is given up, or the time is over: it can be waited for again.
    #[pyo3(signature = (failure = None, timeout = None))]
    fn end(&self, py: Python<'_>, failure: Option<String>, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = waiting::timeout(timeout)?;
        if self.thread.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Ok(false);
        }
        let has_failed = failure.is_some();
        // If the thread is at its end, or this was said before, nobody hears it.
        let _ = self.end.send(failure.map_or(Ending::Well, Ending::Failed));
        let event = waiting::wait(py, timeout, |slice| match next_event(&self.events, slice) {
            // Another thread has waited for it, too.
            Err(Error::Ended) => Ok(None),
            event => event.map(Some),
        })?;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = py.detach(|| thread.join());
        }
        match event {
            Some(Event::Ended(Err(error))) if !has_failed => Err(errors::to_python(py, &error)),
            event => Ok(event.is_some()),
        }
    }
}

/// The number of ranks that a launcher has started, or None.
#[pyfunction]
pub(crate) fn launched_size() -> Option<u32> {
    Launcher::of_this_process().map(|launcher| launcher.size)
}

/// The number of this process among those that a launcher has started, or None.
#[pyfunction]
pub(crate) fn launched_rank() -> Option<u32> {
    Launcher::rank_of_this_process()
}

/// Starts a run. Returns it on the rank that drives, and None on the others once it has ended.
#[pyfunction]
pub(crate) fn start(py: Python<'_>, settings: Settings) -> PyResult<Option<Run>> {
    let owns_process = settings.serve.is_some() || launched_size().is_some_and(|size| size > 1);
    let is_local = !owns_process && settings.connect.is_none() && settings.command.is_none();
    let ((report, events), (end, ending), (say, number)) = (channel(), channel(), channel());
    let driver = {
        let report = report.clone();
        move |client: &maniple::Client| {
            let _ = report.send(Event::Drives(client.clone()));
            match ending.recv() {
                Ok(Ending::Well) => Ok(()),
                Ok(Ending::Failed(words)) => Err(Error::Driver(words)),
                Err(_) => Err(Error::Driver("the driver has gone".into())),
            }
        }
    };
    let body = move || {
        let _ = say.send(rustix::thread::gettid().as_raw_nonzero().get());
        let ended = settings.builder().and_then(|builder| match owns_process {
            true => builder.run(driver),
            // Tasks are waited for as long as it takes: to end this process would end a notebook.
            false if is_local => builder.shutdown_grace(Duration::MAX).execute(driver),
            false => builder.execute(driver),
        });
        let _ = report.send(Event::Ended(ended));
    };
    let thread = thread::Builder::new().name("maniple-run".into()).spawn(body);
    let thread =
        thread.map_err(|error| PyRuntimeError::new_err(format!("no thread for the run: {error}")))?;
    let events = Mutex::new(events);
    let event = waiting::wait(py, None, |slice| next_event(&events, slice))?;
    match event {
        Event::Drives(client) => {
            let thread_id = number.recv().unwrap_or(0);
            Ok(Some(Run { client, end, events, thread: Mutex::new(Some(thread)), thread_id, is_local }))
        }
        Event::Ended(Ok(())) => {
            let _ = py.detach(|| thread.join());
            Ok(None)
        }
        Event::Ended(Err(error)) => Err(errors::to_python(py, &error)),
    }
}

fn next_event(events: &Mutex<Receiver<Event>>, timeout: Duration) -> Result<Event> {
    match events.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(timeout) {
        Ok(event) => Ok(event),
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout)),
        Err(RecvTimeoutError::Disconnected) => Err(Error::Ended),
    }
}
