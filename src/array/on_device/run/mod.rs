//! Runs fused kernels on a device.

use super::{Argument, Form, Printed};
use crate::{
    array::{
        Element,
        element::{Elements, Sealed, with_type},
        kernel::{
            Kernel,
            reduce::{Reduction, Regions, State},
        },
    },
    device::{AnyBuffer, Block, Buffer, Device, DeviceArray, DeviceKind},
    error::Result,
};
use std::sync::Arc;

/// Makes a block on the device, and leaves it there.
pub(crate) fn block<T: Element>(
    device: &Device,
    kernel: &Kernel,
    block: usize,
    inputs: &[Arc<dyn Block>],
) -> Result<DeviceArray<T::OnDevice>> {
    let (_, shape) = kernel.grid.region(block);
    let output = device.empty_buffer::<T::OnDevice>(shape.iter().product())?;
    if !output.is_empty() {
        let printed = super::block(kernel, block, &shapes(inputs));
        launch(device, "block", &printed, &borrowed(inputs), &[&output])?;
        // A value is told of when it is there, and what fails is this task's.
        device.finish()?;
    }
    Ok(DeviceArray::new(shape, output.into()))
}

/// Reduces a block along the flagged axes on the device, and brings the state to the host.
pub(crate) fn state(
    device: &Device,
    kernel: &Kernel,
    reduction: Reduction,
    reduced: &[bool],
    block: usize,
    inputs: &[Arc<dyn Block>],
) -> Result<State> {
    let (starts, shape) = kernel.grid.region(block);
    if shape.contains(&0) {
        let kept = Regions::new(&starts, &shape, &kernel.grid.shape(), reduced).kept_shape();
        let mut state = State::new(reduction, kernel.scope.data_type(), kept);
        state.close(reduction);
        return Ok(state);
    }
    let form = if device.record().kind == DeviceKind::Cpu { Form::CPU } else { Form::GPU };
    state_in_form(device, kernel, (reduction, reduced), block, inputs, form)
}

fn state_in_form(
    device: &Device,
    kernel: &Kernel,
    (reduction, reduced): (Reduction, &[bool]),
    block: usize,
    inputs: &[Arc<dyn Block>],
    form: Form,
) -> Result<State> {
    let (starts, shape) = kernel.grid.region(block);
    let kept = Regions::new(&starts, &shape, &kernel.grid.shape(), reduced).kept_shape();
    let (printed, segments) = super::state(kernel, reduction, reduced, block, &shapes(inputs), form);
    let outputs: Vec<Output> = printed
        .outputs
        .iter()
        .map(|(data_type, count)| with_type!(*data_type, T => Output::new::<T>(device, *count)))
        .collect::<Result<_>>()?;
    let buffers: Vec<&dyn AnyBuffer> = outputs.iter().map(|output| &*output.buffer).collect();
    launch(device, "state", &printed, &borrowed(inputs), &buffers)?;
    let parts: Vec<Elements> =
        outputs.iter().map(|output| (output.read)(&*output.buffer)).collect::<Result<_>>()?;
    let states: Vec<State> = (0..segments)
        .map(|segment| State::of_parts(kept.clone(), slices(&parts, segment, segments)))
        .collect();
    Ok(State::combine(reduction, &states.iter().collect::<Vec<_>>()))
}

/// What a kernel writes, and how it comes to the host.
struct Output {
    buffer: Box<dyn AnyBuffer>,
    read: fn(&dyn AnyBuffer) -> Result<Elements>,
}

impl Output {
    fn new<T: Element>(device: &Device, count: usize) -> Result<Self> {
        let buffer = Box::new(device.empty_buffer::<T::OnDevice>(count)?);
        let read = |buffer: &dyn AnyBuffer| {
            let any: &dyn std::any::Any = buffer.as_any();
            let buffer: &Buffer<T::OnDevice> = any.downcast_ref().expect("the type that it was made with");
            Ok(T::wrap(T::of_device(buffer.read()?)))
        };
        Ok(Self { buffer, read })
    }
}

fn slices(parts: &[Elements], segment: usize, segments: usize) -> Vec<Elements> {
    let slice = |part: &Elements| {
        with_type!(part.data_type(), T => {
            let elements = T::vector(part);
            let count = elements.len() / segments;
            T::wrap(elements[segment * count..][..count].to_vec())
        })
    };
    parts.iter().map(slice).collect()
}

fn shapes(inputs: &[Arc<dyn Block>]) -> Vec<Vec<usize>> {
    inputs.iter().map(|input| input.shape().to_vec()).collect()
}

fn borrowed(inputs: &[Arc<dyn Block>]) -> Vec<&dyn Block> {
    inputs.iter().map(|input| &**input).collect()
}

fn launch(
    device: &Device,
    name: &str,
    printed: &Printed,
    inputs: &[&dyn Block],
    outputs: &[&dyn AnyBuffer],
) -> Result<()> {
    let inputs: Vec<Arc<dyn AnyBuffer>> =
        inputs.iter().map(|input| input.buffer(device)).collect::<Result<_>>()?;
    let mut kernel = device.kernel_with_options(name, &printed.source, device.exact_options())?;
    for argument in &printed.arguments {
        use crate::array::element::Scalar;
        kernel = match argument {
            Argument::Output(number) => {
                let (_, count) = printed.outputs[*number];
                assert!(count <= outputs[*number].len(), "a kernel writes within its outputs");
                kernel.arg(outputs[*number])
            }
            Argument::Input(slot, span) => {
                let length = inputs[*slot].len() as i64;
                assert!(
                    span.start >= 0 && span.end <= length,
                    "a kernel reads {span:?} of {length} elements"
                );
                kernel.arg(&*inputs[*slot])
            }
            Argument::Number(number) => match *number {
                Scalar::U8(number) => kernel.arg(number),
                Scalar::U16(number) => kernel.arg(number),
                Scalar::U32(number) => kernel.arg(number),
                Scalar::U64(number) => kernel.arg(number),
                Scalar::I8(number) => kernel.arg(number),
                Scalar::I16(number) => kernel.arg(number),
                Scalar::I32(number) => kernel.arg(number),
                Scalar::I64(number) => kernel.arg(number),
                Scalar::F32(number) => kernel.arg(number),
                Scalar::F64(number) => kernel.arg(number),
                Scalar::Bool(_) | Scalar::F16(_) | Scalar::Complex32(_) | Scalar::Complex64(_) => {
                    unreachable!("{number:?} is no parameter")
                }
            },
        };
    }
    if let Some(group) = printed.group {
        kernel = kernel.in_groups_of(group);
    }
    // SAFETY: text and arguments were printed together, so their types agree; what it reads and writes was
    // found to lie within the buffers.
    unsafe { kernel.run(printed.items) }
}

#[cfg(test)]
mod tests;
