//! Python objects as bytes: pickle protocol 5, with large buffers beside the pickle as they are.
//!
//! A packet without buffers is the byte 0 and the pickle. With buffers it is the byte 1, their number and all
//! lengths as little-endian 64-bit numbers from byte 8 on, then each buffer and at last the pickle, each at a
//! multiple of [`ALIGN`].

use crate::{future::Future, memory::Memory};
use maniple::Shared;
use pyo3::{
    buffer::PyBuffer,
    exceptions::{PyRuntimeError, PyTypeError},
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyDict, PyList, PyMemoryView, PySlice},
};
use std::cell::{Cell, RefCell};

/// Alignment of buffers, relative to the packet, whose memory has it where it matters.
const ALIGN: usize = 16;

/// The argument of a task: a future, whose value the worker puts in its place.
pub(crate) struct Inputs(pub(crate) Vec<Shared<Vec<u8>>>);

thread_local! {
    /// Futures that are met while arguments are pickled; `None` where futures have no meaning.
    static MET: RefCell<Option<Vec<Py<Future>>>> = const { RefCell::new(None) };
    /// The values of futures, while arguments are unpickled.
    static INPUTS: Cell<Option<Inputs>> = const { Cell::new(None) };
}

struct Functions {
    dumps: Py<PyAny>,
    loads: Py<PyAny>,
    cloud_dumps: Py<PyAny>,
    input: Py<PyAny>,
}

fn functions(py: Python<'_>) -> PyResult<&'static Functions> {
    static FUNCTIONS: PyOnceLock<Functions> = PyOnceLock::new();
    FUNCTIONS.get_or_try_init(py, || {
        let pickle = py.import("pickle")?;
        Ok(Functions {
            dumps: pickle.getattr("dumps")?.unbind(),
            loads: pickle.getattr("loads")?.unbind(),
            cloud_dumps: py.import("cloudpickle")?.getattr("dumps")?.unbind(),
            input: py.import("maniple._maniple")?.getattr("input")?.unbind(),
        })
    })
}

/// What a future is pickled as: a call of [`input`] with its number among the arguments of the task.
pub(crate) fn reduce_future<'py>(future: &Bound<'py, Future>) -> PyResult<(Bound<'py, PyAny>, (usize,))> {
    let py = future.py();
    let number = MET.with_borrow_mut(|met| {
        let met = met.as_mut()?;
        let known = met.iter().position(|known| known.is(future));
        Some(known.unwrap_or_else(|| {
            met.push(future.clone().unbind());
            met.len() - 1
        }))
    });
    let number = number.ok_or_else(|| {
        PyTypeError::new_err("a Future can only be an argument of a task; pass its result() instead")
    })?;
    Ok((functions(py)?.input.bind(py).clone(), (number,)))
}

/// The value of the future with this number among the arguments of the task that is about to begin.
#[pyfunction]
#[pyo3(name = "input")]
pub(crate) fn input(py: Python<'_>, number: usize) -> PyResult<Py<PyAny>> {
    let inputs = INPUTS.take();
    let bytes = inputs.as_ref().and_then(|inputs| inputs.0.get(number)).cloned();
    INPUTS.set(inputs);
    let bytes =
        bytes.ok_or_else(|| PyRuntimeError::new_err(format!("input {number} of the task is missing")))?;
    unpack_shared(py, &bytes)
}

/// Packs arguments, and returns the futures among them.
pub(crate) fn pack_arguments(object: &Bound<'_, PyAny>) -> PyResult<(Vec<u8>, Vec<Py<Future>>)> {
    let outer = MET.replace(Some(Vec::new()));
    let packed = pack(object);
    let met = MET.replace(outer).unwrap_or_default();
    Ok((packed?, met))
}

/// Packs an object: by pickle, or by cloudpickle where that fails or would name what only this program has.
pub(crate) fn pack(object: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let py = object.py();
    let functions = functions(py)?;
    let buffers = PyList::empty(py);
    let options = PyDict::new(py);
    options.set_item(intern!(py, "buffer_callback"), buffers.getattr(intern!(py, "append"))?)?;
    let plain = functions.dumps.bind(py).call((object, 5), Some(&options));
    let pickle = match plain {
        // What `__main__` defines is unknown to workers, which have not run it.
        Ok(pickle) if !names_main(pickle.cast::<PyBytes>()?.as_bytes()) => pickle,
        _ => {
            buffers.del_slice(0, buffers.len())?;
            MET.with_borrow_mut(|met| met.iter_mut().for_each(Vec::clear));
            functions.cloud_dumps.bind(py).call((object, 5), Some(&options))?
        }
    };
    let pickle = pickle.cast::<PyBytes>()?.as_bytes();
    if buffers.is_empty() {
        let mut packet = Vec::with_capacity(1 + pickle.len());
        packet.push(0);
        packet.extend_from_slice(pickle);
        return Ok(packet);
    }
    let mut raw = Vec::with_capacity(buffers.len());
    for buffer in buffers.iter() {
        raw.push(PyBuffer::<u8>::get(&buffer.call_method0(intern!(py, "raw"))?)?);
    }
    with_buffers(py, pickle, &raw)
}

fn names_main(pickle: &[u8]) -> bool {
    const NAME: &[u8] = b"__main__";
    pickle.windows(NAME.len()).any(|window| window == NAME)
}

fn with_buffers(py: Python<'_>, pickle: &[u8], buffers: &[PyBuffer<u8>]) -> PyResult<Vec<u8>> {
    let head = 16 + 8 * (buffers.len() + 1);
    let lengths: Vec<usize> =
        buffers.iter().map(|buffer| buffer.item_count()).chain([pickle.len()]).collect();
    let total = lengths.iter().fold(head, |at, length| at.next_multiple_of(ALIGN) + length);
    // Zeros that the system provides cost nothing before they are written.
    let mut packet = vec![0; total];
    packet[0] = 1;
    packet[8..16].copy_from_slice(&(buffers.len() as u64).to_le_bytes());
    for (place, length) in packet[16..head].chunks_exact_mut(8).zip(&lengths) {
        place.copy_from_slice(&(*length as u64).to_le_bytes());
    }
    let mut at = head;
    for (buffer, length) in buffers.iter().zip(&lengths) {
        at = at.next_multiple_of(ALIGN);
        buffer.copy_to_slice(py, &mut packet[at..at + length])?;
        at += length;
    }
    packet[at.next_multiple_of(ALIGN)..].copy_from_slice(pickle);
    Ok(packet)
}

/// The object of a packet that other tasks may use at the same time: its buffers are read-only.
pub(crate) fn unpack_shared(py: Python<'_>, packet: &Shared<Vec<u8>>) -> PyResult<Py<PyAny>> {
    match without_buffers(packet) {
        Some(pickle) => load(py, pickle),
        None => unpack_memory(py, packet, Memory::shared(packet.clone())),
    }
}

/// The object of a packet that belongs to the caller: its buffers can be written.
pub(crate) fn unpack_own(py: Python<'_>, packet: Vec<u8>) -> PyResult<Py<PyAny>> {
    if let Some(pickle) = without_buffers(&packet) {
        return load(py, pickle);
    }
    let places = places(&packet)?;
    load_places(py, &places, Memory::own(packet))
}

/// Unpacks arguments, with the values of the futures among them.
pub(crate) fn unpack_arguments(
    py: Python<'_>,
    packet: &Shared<Vec<u8>>,
    inputs: Vec<Shared<Vec<u8>>>,
) -> PyResult<Py<PyAny>> {
    let outer = INPUTS.replace(Some(Inputs(inputs)));
    let arguments = unpack_shared(py, packet);
    INPUTS.set(outer);
    arguments
}

fn without_buffers(packet: &[u8]) -> Option<&[u8]> {
    packet.split_first().filter(|(kind, _)| **kind == 0).map(|(_, pickle)| pickle)
}

fn load(py: Python<'_>, pickle: &[u8]) -> PyResult<Py<PyAny>> {
    functions(py)?.loads.call1(py, (PyBytes::new(py, pickle),))
}

fn unpack_memory(py: Python<'_>, packet: &[u8], memory: Memory) -> PyResult<Py<PyAny>> {
    load_places(py, &places(packet)?, memory)
}

/// The ranges of the buffers and, last, of the pickle.
fn places(packet: &[u8]) -> PyResult<Vec<std::ops::Range<usize>>> {
    let broken = || PyRuntimeError::new_err("the bytes of a value are damaged");
    let number = |at: usize| {
        let bytes = packet.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).ok_or_else(broken)?;
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| broken())
    };
    let count = number(8)?;
    if packet.first() != Some(&1) || count > packet.len() / 8 {
        return Err(broken());
    }
    let mut at = 16 + 8 * (count + 1);
    let mut places = Vec::with_capacity(count + 1);
    for index in 0..=count {
        let start = at.next_multiple_of(ALIGN);
        at = start
            .checked_add(number(16 + 8 * index)?)
            .filter(|end| *end <= packet.len())
            .ok_or_else(broken)?;
        places.push(start..at);
    }
    Ok(places)
}

fn load_places(py: Python<'_>, places: &[std::ops::Range<usize>], memory: Memory) -> PyResult<Py<PyAny>> {
    let whole = PyMemoryView::from(Bound::new(py, memory)?.as_any())?;
    let mut views = Vec::with_capacity(places.len());
    for place in places {
        views.push(whole.get_item(PySlice::new(py, place.start as isize, place.end as isize, 1))?);
    }
    let pickle = views.pop();
    let options = PyDict::new(py);
    options.set_item(intern!(py, "buffers"), views)?;
    functions(py)?.loads.call(py, (pickle,), Some(&options))
}
