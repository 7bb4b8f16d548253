//! Futures as Python sees them.

use crate::{errors, packet, waiting};
use maniple::Status;
use pyo3::{intern, prelude::*};
use std::sync::Arc;

/// A future of a Python object: the result of a task.
///
/// Pass it to a task, also within lists and dictionaries, and the task gets the object. The object stays on the
/// worker that computed it until a task or `result` needs it.
///
/// Examples
/// --------
/// >>> future = client.submit(sum, [1, 2, 3])
/// >>> client.submit(pow, future, 2).result()
/// 36
/// >>> future.status, future.done(), future.exception()
/// ('finished', True, None)
#[pyclass(frozen, weakref, module = "maniple")]
pub(crate) struct Future {
    pub(crate) future: maniple::Future<Vec<u8>>,
    name: Arc<str>,
    /// What follows the name in its key. None: the name is a key that was given.
    number: Option<u64>,
    /// The Python `Client` that made it.
    #[pyo3(get)]
    client: Py<PyAny>,
}

impl Future {
    pub(crate) fn new(
        future: maniple::Future<Vec<u8>>,
        name: Arc<str>,
        number: u64,
        client: Py<PyAny>,
    ) -> Self {
        Self { future, name, number: Some(number), client }
    }

    /// A future with a key that the program has chosen.
    pub(crate) fn with_key(future: maniple::Future<Vec<u8>>, key: Arc<str>, client: Py<PyAny>) -> Self {
        Self { future, name: key, number: None, client }
    }

    /// Waits until the task has ended.
    fn wait_ended(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        waiting::wait(py, waiting::timeout(timeout)?, |slice| self.future.wait(slice))
    }

    /// What a method gives that waits for the end of the task: at once, or as a coroutine if the client is asynchronous.
    fn now_or_later<'py>(
        slf: &Bound<'py, Self>,
        name: &str,
        timeout: Option<f64>,
        now: fn(&Self, Python<'py>, Option<f64>) -> PyResult<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        if !this.client.bind(py).getattr(intern!(py, "asynchronous"))?.is_truthy()? {
            return now(this, py, timeout);
        }
        Ok(asynchronous(py)?.call_method1(intern!(py, "call"), (slf, name, timeout))?.unbind())
    }

    fn result_now(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        self.wait_ended(py, timeout)?;
        match py.detach(|| self.future.result()) {
            Ok(bytes) => packet::unpack_own(py, bytes),
            Err(error) => Err(errors::to_python(py, &error)),
        }
    }

    fn exception_now(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        self.wait_ended(py, timeout)?;
        let error = self.future.error();
        Ok(error.map_or_else(|| py.None(), |error| errors::of_task(py, &error).into_value(py).into_any()))
    }

    fn traceback_now(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let error = self.exception_now(py, timeout)?;
        Ok(py.import("maniple._errors")?.call_method1("traceback_of", (error,))?.unbind())
    }
}

/// The part of the package for programs of asyncio.
fn asynchronous(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import(intern!(py, "maniple._asynchronous"))
}

#[pymethods]
impl Future {
    /// Waits for the object and returns it.
    ///
    /// It is a coroutine if the client is asynchronous.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait.
    ///
    /// Raises
    /// ------
    /// Exception
    ///     The exception of the task, with its type.
    /// TimeoutError
    ///     The task has not ended in time. It runs on.
    /// CancelledError
    ///     The task was cancelled.
    ///
    /// Examples
    /// --------
    /// >>> client.submit(max, [3, 7, 5]).result(timeout=60)
    /// 7
    #[pyo3(signature = (timeout = None))]
    fn result(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        Self::now_or_later(slf, "result", timeout, Self::result_now)
    }

    /// Waits for the end of the task and returns the exception that it raised, or None.
    ///
    /// It is a coroutine if the client is asynchronous.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait before `TimeoutError` is raised.
    ///
    /// Examples
    /// --------
    /// >>> client.submit(int, "seven").exception()
    /// ValueError("invalid literal for int() with base 10: 'seven'")
    #[pyo3(signature = (timeout = None))]
    fn exception(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        Self::now_or_later(slf, "exception", timeout, Self::exception_now)
    }

    /// Waits for the end of the task and returns the traceback of the exception that it raised, or None.
    ///
    /// It is a coroutine if the client is asynchronous.
    ///
    /// Parameters
    /// ----------
    /// timeout : float, optional
    ///     Seconds to wait before `TimeoutError` is raised.
    ///
    /// Examples
    /// --------
    /// >>> import traceback
    /// >>> failed = client.submit(lambda: 1 / 0)
    /// >>> traceback.extract_tb(failed.traceback())[-1].name
    /// '<lambda>'
    #[pyo3(signature = (timeout = None))]
    fn traceback(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        Self::now_or_later(slf, "traceback", timeout, Self::traceback_now)
    }

    /// What the method of this name gives where the client is not asynchronous.
    #[pyo3(signature = (name, timeout = None))]
    fn _now(&self, py: Python<'_>, name: &str, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        match name {
            "result" => self.result_now(py, timeout),
            "exception" => self.exception_now(py, timeout),
            _ => self.traceback_now(py, timeout),
        }
    }

    /// `await future` is its result.
    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        asynchronous(slf.py())?.call_method1("call", (slf, "result"))?.call_method0("__await__")
    }

    /// Whether the task has ended, with a result or not.
    fn done(&self) -> bool {
        self.future.is_done()
    }

    /// Whether the task, or one that it needs, was cancelled.
    fn cancelled(&self) -> bool {
        self.future.status() == Status::Cancelled
    }

    /// Cancels the task, and those that need it, unless it has ended.
    ///
    /// Parameters
    /// ----------
    /// reason, msg, force
    ///     Accepted without effect.
    #[pyo3(signature = (reason = None, msg = None, force = false))]
    fn cancel(&self, py: Python<'_>, reason: Option<&str>, msg: Option<&str>, force: bool) {
        let _ = (reason, msg, force);
        py.detach(|| self.future.cancel());
    }

    /// The state of the task: "pending", "finished", "error" or "cancelled".
    #[getter]
    fn status(&self) -> &'static str {
        match self.future.status() {
            Status::Finished => "finished",
            Status::Failed => "error",
            Status::Cancelled => "cancelled",
            // Also states that a later version of the library distinguishes before the end.
            _ => "pending",
        }
    }

    /// A name for the task that no other one of the client has.
    #[getter]
    fn key(&self) -> String {
        match self.number {
            Some(number) => format!("{}-{number}", self.name),
            None => self.name.to_string(),
        }
    }

    /// The rank that holds the object. None if it is not computed, or so small that it was sent to the client.
    #[getter]
    fn _holder(&self) -> Option<u32> {
        self.future.holder().map(|rank| rank.0)
    }

    /// Calls a function with this future once the task has ended, on a thread of the client's.
    ///
    /// Parameters
    /// ----------
    /// function : callable
    ///     It takes the future. Its exceptions are printed.
    ///
    /// Examples
    /// --------
    /// >>> import queue
    /// >>> results = queue.Queue()
    /// >>> future = client.submit(sum, [1, 2])
    /// >>> future.add_done_callback(lambda future: results.put(future.result()))
    /// >>> results.get(timeout=60)
    /// 3
    fn add_done_callback(slf: Bound<'_, Self>, function: Bound<'_, PyAny>) -> PyResult<()> {
        let client = slf.get().client.bind(slf.py()).clone();
        client.call_method1(intern!(slf.py(), "_call_when_done"), (slf, function)).map(drop)
    }

    /// Drops the hold on the object early. Here it is dropped with the future itself.
    fn release(&self) {}

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Ok(slf.py().import("maniple._html")?.call_method1("future", (slf,))?.unbind())
    }

    fn __repr__(&self) -> String {
        format!("<Future: {}, key: {}>", self.status(), self.key())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (usize,))> {
        packet::reduce_future(slf)
    }
}
