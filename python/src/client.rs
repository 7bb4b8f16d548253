//! What Python submits, and what it asks of a run.

use crate::{completions::Completions, errors, future::Future, packet, task, waiting};
use maniple::{Place, Rank, SubmitOptions};
use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    prelude::*,
    types::{PyDict, PyList, PyTuple},
};
use std::{
    any::type_name,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

type Bytes = Vec<u8>;

/// A run's client.
#[pyclass(frozen, module = "maniple")]
pub(crate) struct Core(maniple::Client);

impl Core {
    pub(crate) fn new(client: maniple::Client) -> Self {
        Self(client)
    }

    pub(crate) fn client(&self) -> &maniple::Client {
        &self.0
    }
}

/// A function that was handed to a run, to be called by any number of tasks.
#[pyclass(frozen, module = "maniple")]
pub(crate) struct Function {
    future: maniple::Future<Bytes>,
    name: Arc<str>,
}

/// Options of tasks, as Dask names them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct TaskOptions {
    priority: i32,
    retries: u32,
    ranks: Vec<u32>,
    hosts: Vec<String>,
    allow_other_workers: bool,
    resources: Vec<(String, u32)>,
}

/// The options of tasks of this name.
fn options(name: &str, given: Option<TaskOptions>) -> SubmitOptions {
    chosen(SubmitOptions::new().label(name), given)
}

/// These options, with those that were given.
pub(crate) fn chosen(options: SubmitOptions, given: Option<TaskOptions>) -> SubmitOptions {
    let Some(given) = given else { return options };
    let places = given.ranks.into_iter().map(Place::from).chain(given.hosts.into_iter().map(Place::from));
    let options = options
        .priority(given.priority)
        .retries(given.retries)
        .workers(places)
        .allow_other(given.allow_other_workers);
    given.resources.iter().fold(options, |options, (name, amount)| options.resource(name, *amount))
}

/// Numbers for the keys of futures.
pub(crate) fn next_numbers(count: u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(count, Ordering::Relaxed)
}

fn inputs(py: Python<'_>, met: &[Py<Future>]) -> Vec<maniple::Future<Bytes>> {
    met.iter().map(|future| future.borrow(py).future.clone()).collect()
}

#[pymethods]
impl Core {
    /// Hands a pickled function to the run.
    fn function(&self, py: Python<'_>, pickle: &[u8], name: &str) -> PyResult<Function> {
        let packet = task::pack_function(pickle);
        let future = py.detach(|| self.0.scatter(packet)).map_err(|error| errors::to_python(py, &error))?;
        Ok(Function { future, name: name.into() })
    }

    /// Hands an object to a worker, or to all.
    fn scatter(&self, object: &Bound<'_, PyAny>, broadcast: bool, client: Py<PyAny>) -> PyResult<Future> {
        let py = object.py();
        let packet = packet::pack(object)?;
        let future = py.detach(|| if broadcast { self.0.broadcast(packet) } else { self.0.scatter(packet) });
        let future = future.map_err(|error| errors::to_python(py, &error))?;
        Ok(Future::new(future, "scatter".into(), next_numbers(1), client))
    }

    /// Has a function called with these arguments, a pair of a tuple and a dictionary. The future has this key, or one of
    /// its own.
    #[pyo3(signature = (function, arguments, client, given = None, key = None))]
    fn submit(
        &self,
        py: Python<'_>,
        function: &Function,
        arguments: &Bound<'_, PyTuple>,
        client: Py<PyAny>,
        given: Option<TaskOptions>,
        key: Option<&str>,
    ) -> PyResult<Future> {
        let (packet, met) = packet::pack_arguments(arguments)?;
        let options = options(&function.name, given);
        let future = match met.is_empty() {
            true => py.detach(|| self.0.with(&options).submit(task::call, (&function.future, packet))),
            false => {
                let inputs = inputs(py, &met);
                py.detach(|| {
                    self.0.with(&options).submit(task::call_with, (&function.future, packet, &inputs))
                })
            }
        };
        Ok(match key {
            Some(key) => Future::with_key(future, key.into(), client),
            None => Future::new(future, Arc::clone(&function.name), next_numbers(1), client),
        })
    }

    /// Has a function called once for each of these pairs of a tuple and a dictionary.
    #[pyo3(signature = (function, calls, client, given = None))]
    fn map(
        &self,
        py: Python<'_>,
        function: &Function,
        calls: &Bound<'_, PyAny>,
        client: Py<PyAny>,
        given: Option<TaskOptions>,
    ) -> PyResult<Vec<Future>> {
        let mut packets = Vec::new();
        let mut has_inputs = false;
        for arguments in calls.try_iter()? {
            let (packet, met) = packet::pack_arguments(&arguments?)?;
            has_inputs |= !met.is_empty();
            packets.push((packet, inputs(py, &met)));
        }
        let options = options(&function.name, given);
        let handed = &function.future;
        let futures = py.detach(|| match has_inputs {
            false => {
                let calls = packets.into_iter().map(|(packet, _)| (handed, packet));
                self.0.with(&options).map(task::call, calls)
            }
            true => {
                let calls = packets.into_iter().map(|(packet, inputs)| (handed, packet, inputs));
                self.0.with(&options).map(task::call_with, calls)
            }
        });
        let first = next_numbers(futures.len() as u64);
        let named = |(index, future)| {
            Future::new(future, Arc::clone(&function.name), first + index as u64, client.clone_ref(py))
        };
        Ok(futures.into_iter().enumerate().map(named).collect())
    }

    /// Has a function called with these arguments once on every worker, in rank order.
    fn run(
        &self,
        py: Python<'_>,
        function: &Function,
        arguments: &Bound<'_, PyTuple>,
        client: Py<PyAny>,
    ) -> PyResult<Vec<Future>> {
        let (packet, met) = packet::pack_arguments(arguments)?;
        let inputs = inputs(py, &met);
        let futures =
            py.detach(|| self.0.run_on_workers(task::call_with, (&function.future, packet, inputs)));
        let first = next_numbers(futures.len() as u64);
        let named = |(index, future)| {
            Future::new(future, Arc::clone(&function.name), first + index as u64, client.clone_ref(py))
        };
        Ok(futures.into_iter().enumerate().map(named).collect())
    }

    /// The objects of these futures, in order. Raises what the first failed one raised; or, with `skip`, leaves out
    /// those that failed.
    fn gather(&self, py: Python<'_>, futures: Vec<Py<Future>>, skip: bool) -> PyResult<Vec<Py<PyAny>>> {
        let all: Vec<&maniple::Future<Bytes>> = futures.iter().map(|future| &future.get().future).collect();
        waiting::wait(py, None, |slice| {
            let start = std::time::Instant::now();
            for future in &all {
                future.wait(slice.saturating_sub(start.elapsed()))?;
                if !skip && future.error().is_some() {
                    break;
                }
            }
            Ok(())
        })?;
        let wanted: Vec<_> = match skip {
            true => all.into_iter().filter(|future| future.error().is_none()).collect(),
            false => all,
        };
        let values = py.detach(|| self.0.gather(&wanted));
        let values = values.map_err(|error| errors::to_python(py, &error))?;
        values.into_iter().map(|bytes| packet::unpack_own(py, bytes)).collect()
    }

    /// Waits until all of these futures, or one, have ended.
    #[pyo3(signature = (futures, all, timeout = None))]
    fn wait(
        &self,
        py: Python<'_>,
        futures: Vec<Py<Future>>,
        all: bool,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let what = if all { maniple::WaitFor::All } else { maniple::WaitFor::Any };
        let futures: Vec<&maniple::Future<Bytes>> =
            futures.iter().map(|future| &future.get().future).collect();
        waiting::wait(py, waiting::timeout(timeout)?, |slice| self.0.wait(&futures, what, slice))
    }

    /// Cancels tasks and those that need them.
    fn cancel(&self, py: Python<'_>, futures: Vec<Py<Future>>) {
        let futures: Vec<&maniple::Future<Bytes>> =
            futures.iter().map(|future| &future.get().future).collect();
        py.detach(|| self.0.cancel(futures));
    }

    /// Cancels all tasks of this process that have not ended.
    fn cancel_all(&self, py: Python<'_>) {
        py.detach(|| self.0.cancel_all());
    }

    /// Has workers run no more tasks.
    fn retire_workers(&self, py: Python<'_>, ranks: Vec<u32>) {
        let ranks: Vec<Rank> = ranks.into_iter().map(Rank).collect();
        py.detach(|| self.0.retire_workers(&ranks));
    }

    /// Says why a task does not run, or where it ran.
    fn explain(&self, py: Python<'_>, future: &Future) -> PyResult<String> {
        let explained = py.detach(|| self.0.explain(&future.future));
        explained.map_err(|error| errors::to_python(py, &error))
    }

    /// Writes the state of the scheduler and the workers to a file, as JSON.
    fn dump_state(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.dump_state(path)).map_err(|error| errors::to_python(py, &error))
    }

    /// Ends the cluster that this session is connected to.
    fn shutdown(&self, py: Python<'_>) {
        py.detach(|| self.0.shutdown());
    }

    /// Publishes a future, or several, under a name.
    fn publish(&self, py: Python<'_>, name: String, futures: Vec<Py<Future>>, is_one: bool) -> PyResult<()> {
        let futures = inputs(py, &futures);
        let published = py.detach(|| match is_one {
            true => self.0.publish(name, &futures[0]),
            false => self.0.publish(name, &futures),
        });
        published.map_err(errors::of_publishing(py))
    }

    /// The future that is published under a name, or a list of futures. None if nothing is.
    fn published<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        client: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let to_python = |error: maniple::Error| errors::to_python(py, &error);
        let all = py.detach(|| self.0.publications()).map_err(to_python)?;
        let Some(publication) = all.into_iter().find(|publication| publication.name == name) else {
            return Ok(None);
        };
        let named = |future| Future::new(future, name.into(), next_numbers(1), client.clone_ref(py));
        if publication.kind == type_name::<maniple::Future<Bytes>>() {
            let future = py.detach(|| self.0.published(name)).map_err(to_python)?;
            return Ok(Some(Bound::new(py, named(future))?.into_any()));
        }
        let futures =
            py.detach(|| self.0.published::<Vec<maniple::Future<Bytes>>>(name)).map_err(to_python)?;
        let futures: Vec<Future> = futures.into_iter().map(named).collect();
        Ok(Some(futures.into_pyobject(py)?.into_any()))
    }

    /// Forgets a name. Returns whether it was known.
    fn unpublish(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        py.detach(|| self.0.unpublish(name)).map_err(|error| errors::to_python(py, &error))
    }

    /// The names under which something is published.
    fn publications(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let published = py.detach(|| self.0.publications()).map_err(|error| errors::to_python(py, &error))?;
        Ok(published.into_iter().map(|published| published.name).collect())
    }

    /// The order in which futures end.
    fn completions(&self) -> Completions {
        Completions::new(&self.0)
    }

    /// The ranks of the run: a dictionary each.
    fn ranks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let ranks = PyList::empty(py);
        for record in self.0.cluster().ranks() {
            let entry = PyDict::new(py);
            entry.set_item("rank", record.rank.0)?;
            entry.set_item("host", &record.host)?;
            entry.set_item("pid", record.pid)?;
            entry.set_item("is_scheduler", record.role.scheduler)?;
            entry.set_item("is_driver", record.role.driver)?;
            entry.set_item("is_worker", record.role.worker)?;
            entry.set_item("nthreads", record.threads)?;
            entry.set_item("memory_limit", record.memory_bytes)?;
            let resources = PyDict::new(py);
            record.resources.iter().try_for_each(|(name, amount)| resources.set_item(name, amount))?;
            entry.set_item("resources", resources)?;
            ranks.append(entry)?;
        }
        Ok(ranks)
    }

    /// The time until the run must end, in seconds, if that is known.
    fn time_left(&self) -> Option<f64> {
        self.0.time_left().as_ref().map(Duration::as_secs_f64)
    }

    /// Whether no more tasks begin, since the time of the run is over.
    fn stopping(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.stopping())
    }
}

/// The client of the task that runs on this thread.
#[pyfunction]
pub(crate) fn current_core() -> PyResult<Core> {
    match maniple::is_in_task() {
        true => Ok(Core(maniple::current().client().clone())),
        false => Err(PyValueError::new_err("no task runs on this thread")),
    }
}

/// The rank and the worker's number of the task that runs on this thread, and how often it was tried before.
#[pyfunction]
pub(crate) fn current_worker() -> PyResult<(u32, usize, u32)> {
    match maniple::is_in_task() {
        true => {
            let task = maniple::current();
            Ok((task.rank().0, task.worker(), task.attempt()))
        }
        false => Err(PyRuntimeError::new_err("no task runs on this thread")),
    }
}
