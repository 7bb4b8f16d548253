//! Blocks as NumPy arrays, in tasks and in the driver.

use super::any::{AnyArray, Packed, of_type, with_array, with_type};
use crate::{errors, memory::Memory, packet, task, waiting};
use maniple::{
    Array, Client, Shared,
    array::{Element, try_blockwise},
    ndarray::{ArrayD, IxDyn},
};
use pyo3::{buffer::PyBuffer, exceptions::PyValueError, intern, prelude::*};
use std::time::{Duration, Instant};

/// Waits for an array that was persisted, and brings it here: its memory, of which a NumPy array is a view.
pub(super) fn value(py: Python<'_>, any: &AnyArray) -> PyResult<Memory> {
    with_array!(Element, any, x => value_of(py, x)?).map_err(|_| unreachable!("all types are there"))
}

fn value_of<T: Element>(py: Python<'_>, array: &Array<T>) -> PyResult<Memory> {
    wait_for_blocks(py, array, None)?;
    let whole = py.detach(|| array.compute().map(in_c_order));
    whole.map(Memory::own).map_err(|error| errors::to_python(py, &error))
}

/// Waits until the blocks of an array that was persisted are made, or one of them has failed.
pub(super) fn wait(py: Python<'_>, any: &AnyArray, timeout: Option<Duration>) -> PyResult<()> {
    with_array!(Element, any, x => wait_for_blocks(py, x, timeout)).unwrap_or(Ok(()))
}

fn wait_for_blocks<T: Element>(py: Python<'_>, array: &Array<T>, timeout: Option<Duration>) -> PyResult<()> {
    let futures = py.detach(|| array.to_futures()).map_err(|error| errors::to_python(py, &error))?;
    waiting::wait(py, timeout, |slice| {
        let start = Instant::now();
        for future in &futures {
            future.wait(slice.saturating_sub(start.elapsed()))?;
            if future.error().is_some() {
                break;
            }
        }
        Ok(())
    })
}

/// The elements in C order.
fn in_c_order<T: Element>(block: ArrayD<T>) -> Vec<T> {
    if !block.is_standard_layout() {
        return block.iter().copied().collect();
    }
    let count = block.len();
    let (elements, offset) = block.into_raw_vec_and_offset();
    match elements.len() == count {
        true => elements,
        false => elements[offset.unwrap_or(0)..][..count].to_vec(),
    }
}

/// A future of the array as a NumPy array: a task of its own puts its blocks together.
pub(super) fn future(py: Python<'_>, client: &Client, any: &AnyArray) -> PyResult<maniple::Future<Vec<u8>>> {
    let submit = || -> maniple::Result<maniple::Future<Vec<u8>>> {
        let packed = with_array!(Element, any, x => {
            let whole: Vec<Vec<usize>> = x.shape().into_iter().map(|length| vec![length]).collect();
            let blocks = x.rechunk(whole).to_futures()?;
            client.submit(pack_block, &blocks[0])
        });
        Ok(packed.unwrap_or_else(|_| unreachable!("all types are there")))
    };
    py.detach(submit).map_err(|error| errors::to_python(py, &error))
}

fn pack_block<T: Packed>(block: Shared<ArrayD<T>>) -> Vec<u8> {
    let packed = Python::attach(|py| {
        to_numpy(py, block).and_then(|array| packet::pack(&array)).map_err(|error| task::describe(py, &error))
    });
    packed.unwrap_or_else(|(message, detail)| maniple::fail(message, detail))
}

fn to_numpy<T: Packed>(py: Python<'_>, block: Shared<ArrayD<T>>) -> PyResult<Bound<'_, PyAny>> {
    let (shape, name) = (block.shape().to_vec(), T::DATA_TYPE.name());
    let module = py.import(intern!(py, "maniple.array._blocks"))?;
    module.call_method1(intern!(py, "view"), (Memory::shared_block(block), shape, name))
}

/// A Python function of blocks, and what it returns.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct BlockFunction {
    pickle: Vec<u8>,
    dtype: String,
    /// The axes of the arrays, of the function's own bytes, and of the result, as for [`try_blockwise`].
    subscripts: String,
    /// The sizes of the result's blocks where they are not those of the arrays' blocks.
    sizes: Vec<(char, Vec<usize>)>,
}

/// An array of what a Python function returns for each block.
///
/// The function is an operand, too: an array of its bytes, of one block. A rank gets it once.
pub(super) fn map_blocks(
    py: Python<'_>,
    client: &Client,
    arrays: &[AnyArray],
    function: &BlockFunction,
) -> PyResult<AnyArray> {
    let BlockFunction { pickle, dtype, subscripts, sizes } = function;
    let packet = task::pack_function(pickle);
    let length = packet.len();
    let packet = ArrayD::from_shape_vec(IxDyn(&[length]), packet).expect("a byte for each place");
    let packet = py.detach(|| client.scatter(packet)).map_err(|error| errors::to_python(py, &error))?;
    let function = client.from_futures(vec![packet], [length], [length]);
    let Some(first) = arrays.first() else { return Err(PyValueError::new_err("there is no array")) };
    let mapped = with_array!(Element, first, x => with_type!(Element, dtype.as_str(), U => {
        let mapped = match arrays {
            [_] => try_blockwise(call_1::<_, U>, subscripts, (x, &function), sizes),
            [_, y] => try_blockwise(call_2::<_, U>, subscripts, (x, of_type_as(x, y)?, &function), sizes),
            [_, y, z] => {
                let all = (x, of_type_as(x, y)?, of_type_as(x, z)?, &function);
                try_blockwise(call_3::<_, U>, subscripts, all, sizes)
            }
            _ => return Err(PyValueError::new_err("map_blocks takes up to three arrays")),
        };
        mapped.map_err(|error| PyValueError::new_err(error.to_string()))?.into()
    })?);
    mapped.map_err(|_| unreachable!("all types are there"))
}

/// The second array, of the elements of the first.
fn of_type_as<'a, T: Packed>(_: &Array<T>, any: &'a AnyArray) -> PyResult<&'a Array<T>> {
    of_type(any)
}

fn call_1<T: Packed, U: Packed>(block: Shared<ArrayD<T>>, function: Shared<ArrayD<u8>>) -> ArrayD<U> {
    call(vec![block], &function)
}

fn call_2<T: Packed, U: Packed>(
    first: Shared<ArrayD<T>>,
    second: Shared<ArrayD<T>>,
    function: Shared<ArrayD<u8>>,
) -> ArrayD<U> {
    call(vec![first, second], &function)
}

fn call_3<T: Packed, U: Packed>(
    first: Shared<ArrayD<T>>,
    second: Shared<ArrayD<T>>,
    third: Shared<ArrayD<T>>,
    function: Shared<ArrayD<u8>>,
) -> ArrayD<U> {
    call(vec![first, second, third], &function)
}

fn call<T: Packed, U: Packed>(blocks: Vec<Shared<ArrayD<T>>>, function: &ArrayD<u8>) -> ArrayD<U> {
    let called =
        Python::attach(|py| call_python(py, blocks, function).map_err(|error| task::describe(py, &error)));
    // The GIL is released before the stack unwinds.
    called.unwrap_or_else(|(message, detail)| maniple::fail(message, detail))
}

fn call_python<T: Packed, U: Packed>(
    py: Python<'_>,
    blocks: Vec<Shared<ArrayD<T>>>,
    function: &ArrayD<u8>,
) -> PyResult<ArrayD<U>> {
    let function = task::unpickled(py, function.as_slice().unwrap_or_default())?;
    let mut arguments = Vec::with_capacity(blocks.len());
    for block in blocks {
        arguments.push(to_numpy(py, block)?);
    }
    let module = py.import(intern!(py, "maniple.array._blocks"))?;
    let called = module.call_method1(intern!(py, "call"), (function, arguments, U::DATA_TYPE.name()))?;
    let (shape, bytes): (Vec<usize>, PyBuffer<u8>) = called.extract()?;
    let elements = U::unpack(&bytes.to_vec(py)?);
    ArrayD::from_shape_vec(IxDyn(&shape), elements).map_err(|error| PyValueError::new_err(error.to_string()))
}
