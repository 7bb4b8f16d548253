//! The tasks that run on workers: each calls a Python function.

use crate::packet;
use maniple::Shared;
use pyo3::{intern, prelude::*, sync::PyOnceLock, types::PyDict, types::PyTuple};
use std::{collections::HashMap, sync::Mutex};

/// Length of the hash of a pickled function, in bytes. It precedes the pickle.
const HASH_BYTES: usize = 16;
/// Maximum number of functions that a rank keeps unpickled.
const FUNCTIONS_MAX: usize = 512;

/// A pickled function as it travels: its hash and its pickle.
pub(crate) fn pack_function(pickle: &[u8]) -> Vec<u8> {
    let mut packet = blake3::hash(pickle).as_bytes()[..HASH_BYTES].to_vec();
    packet.extend_from_slice(pickle);
    packet
}

/// Calls a Python function with arguments none of which is a future.
pub(crate) fn call(function: Shared<Vec<u8>>, arguments: Shared<Vec<u8>>) -> Vec<u8> {
    run(&function, &arguments, Vec::new())
}

/// Calls a Python function with arguments among which are futures of these values.
pub(crate) fn call_with(
    function: Shared<Vec<u8>>,
    arguments: Shared<Vec<u8>>,
    inputs: Vec<Shared<Vec<u8>>>,
) -> Vec<u8> {
    run(&function, &arguments, inputs)
}

fn run(function: &[u8], arguments: &Shared<Vec<u8>>, inputs: Vec<Shared<Vec<u8>>>) -> Vec<u8> {
    let outcome = Python::attach(|py| {
        call_python(py, function, arguments, inputs).map_err(|error| describe(py, &error))
    });
    match outcome {
        Ok(result) => result,
        // The GIL is released before the stack unwinds.
        Err((message, detail)) => maniple::fail(message, detail),
    }
}

fn call_python(
    py: Python<'_>,
    function: &[u8],
    arguments: &Shared<Vec<u8>>,
    inputs: Vec<Shared<Vec<u8>>>,
) -> PyResult<Vec<u8>> {
    let function = unpickled(py, function)?;
    let arguments = packet::unpack_arguments(py, arguments, inputs)?;
    let arguments = arguments.bind(py).cast::<PyTuple>()?;
    let (positional, named) = (arguments.get_item(0)?, arguments.get_item(1)?);
    let named = named.cast::<PyDict>().ok();
    let result = function.bind(py).call(positional.cast::<PyTuple>()?, named)?;
    packet::pack(&result)
}

/// The function of these bytes, unpickled once per rank.
pub(crate) fn unpickled(py: Python<'_>, packet: &[u8]) -> PyResult<Py<PyAny>> {
    static KNOWN: Mutex<Option<HashMap<[u8; HASH_BYTES], Py<PyAny>>>> = Mutex::new(None);
    let (hash, pickle) = packet.split_first_chunk::<HASH_BYTES>().expect("a function begins with its hash");
    if let Some(function) = lock(&KNOWN).get_or_insert_default().get(hash) {
        return Ok(function.clone_ref(py));
    }
    // Without the lock: what the pickle imports may run anything.
    let function = loads(py)?.call1(py, (pickle,))?;
    let mut known = lock(&KNOWN);
    let functions = known.get_or_insert_default();
    let old = if functions.len() >= FUNCTIONS_MAX { std::mem::take(functions) } else { HashMap::new() };
    functions.insert(*hash, function.clone_ref(py));
    drop(known);
    // Without the lock: the end of a function may run anything, too.
    drop(old);
    Ok(function)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn loads(py: Python<'_>) -> PyResult<&'static Py<PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS.get_or_try_init(py, || Ok(py.import("pickle")?.getattr("loads")?.unbind()))
}

/// The message of an exception, and its pickle with the text of its traceback.
pub(crate) fn describe(py: Python<'_>, error: &PyErr) -> (String, Vec<u8>) {
    let described = || -> PyResult<(String, Vec<u8>)> {
        let errors = py.import(intern!(py, "maniple._errors"))?;
        errors.call_method1(intern!(py, "describe"), (error.clone_ref(py).into_value(py),))?.extract()
    };
    described().unwrap_or_else(|_| (error.to_string(), Vec::new()))
}
