//! What the tasks of arrays run on workers.

use crate::{
    array::{
        DataType, Element,
        element::{Sealed, with_type},
        kernel::{
            Kernel,
            evaluate::{Memory, evaluate, evaluate_reduced},
            reduce::{Reduce, Reduction, State},
        },
        on_device::run,
    },
    current,
    device::{self, Device, DeviceArray},
    error::Result,
    part::Source,
    task::{
        Shared,
        inputs::{Parts, Untyped},
    },
};
use ndarray::{ArrayD, IxDyn};
use std::sync::Arc;

/// The inputs of a kernel as memory.
fn memories(data_types: &[(usize, DataType)], inputs: &Untyped) -> Vec<Memory> {
    let memory = |slot: usize| {
        let (_, data_type) = data_types.iter().find(|(own, _)| *own == slot).expect("every input is used");
        with_type!(*data_type, T => Memory::of::<T>(inputs.get(slot).unwrap_or_else(|words| panic!("{words}"))))
    };
    (0..inputs.len()).map(memory).collect()
}

pub(crate) fn made_block<T: Element>(kernel: &Kernel, block: u64) -> ArrayD<T> {
    evaluate(kernel, block as usize, &[])
}

pub(crate) fn block<T: Element>(kernel: &Kernel, block: u64, inputs: Untyped) -> ArrayD<T> {
    evaluate(kernel, block as usize, &memories(&kernel.scope.input_types(), &inputs))
}

/// The inputs of a kernel for a device.
fn device_blocks(kernel: &Kernel, inputs: &Untyped) -> Vec<Arc<dyn device::Block>> {
    let data_types = kernel.scope.input_types();
    let block = |slot: usize| {
        let (_, data_type) = data_types.iter().find(|(own, _)| *own == slot).expect("every input is used");
        with_type!(*data_type, T => {
            let block = inputs.get::<DeviceArray<<T as Sealed>::OnDevice>>(slot);
            block.unwrap_or_else(|words| panic!("{words}")) as Arc<dyn device::Block>
        })
    };
    (0..inputs.len()).map(block).collect()
}

pub(crate) fn made_device_block<T: Element>(kernel: &Kernel, block: u64) -> DeviceArray<T::OnDevice> {
    on_own_device(|device| run::block::<T>(device, kernel, block as usize, &[]))
}

pub(crate) fn device_block<T: Element>(
    kernel: &Kernel,
    block: u64,
    inputs: Untyped,
) -> DeviceArray<T::OnDevice> {
    let inputs = device_blocks(kernel, &inputs);
    on_own_device(|device| run::block::<T>(device, kernel, block as usize, &inputs))
}

pub(crate) fn made_device_state((kernel, reduction, reduced): &Reduced, block: u64) -> State {
    on_own_device(|device| run::state(device, kernel, *reduction, reduced, block as usize, &[]))
}

pub(crate) fn device_state((kernel, reduction, reduced): &Reduced, block: u64, inputs: Untyped) -> State {
    let inputs = device_blocks(kernel, &inputs);
    on_own_device(|device| run::state(device, kernel, *reduction, reduced, block as usize, &inputs))
}

pub(crate) fn on_own_device<R>(work: impl FnOnce(&Device) -> Result<R>) -> R {
    current::device().and_then(|device| work(&device)).unwrap_or_else(|error| panic!("{error}"))
}

/// A kernel, what its blocks are reduced to, and along which axes.
type Reduced = (Kernel, Reduction, Vec<bool>);

pub(crate) fn made_state((kernel, reduction, reduced): &Reduced, block: u64) -> State {
    evaluate_reduced(kernel, *reduction, reduced, block as usize, &[])
}

pub(crate) fn state((kernel, reduction, reduced): &Reduced, block: u64, inputs: Untyped) -> State {
    let inputs = memories(&kernel.scope.input_types(), &inputs);
    evaluate_reduced(kernel, *reduction, reduced, block as usize, &inputs)
}

pub(crate) fn combine(reduction: &Reduction, states: Vec<Shared<State>>) -> State {
    let states: Vec<&State> = states.iter().map(|state| &**state).collect();
    State::combine(*reduction, &states)
}

pub(crate) fn finish<T: Reduce>(
    (reduction, dropped): &(Reduction, Vec<bool>),
    states: Vec<Shared<State>>,
) -> ArrayD<T> {
    let state = combine(reduction, states);
    let axes = state.shape.iter().zip(dropped).filter(|(_, dropped)| !**dropped);
    let shape: Vec<usize> = axes.map(|(length, _)| *length).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), state.finish(*reduction)).expect("an element for each place")
}

pub(crate) fn gather<T: Element>(inputs: Parts) -> ArrayD<T> {
    let block = |place: usize| {
        let (block, is_part) = inputs.get::<ArrayD<T>>(place).unwrap_or_else(|words| panic!("{words}"));
        (block.shape().to_vec(), Memory::of(block), is_part)
    };
    let blocks: Vec<(Vec<usize>, Memory, bool)> = (0..inputs.len()).map(block).collect();
    let sources: Vec<Source<'_, T>> = blocks
        .iter()
        .map(|(shape, memory, is_part)| Source { elements: memory.slice(), shape, is_part: *is_part })
        .collect();
    let assembly = inputs.assembly();
    ArrayD::from_shape_vec(assembly.shape(), assembly.assemble(&sources))
        .expect("as many elements as the shape has")
}

pub(crate) fn device_gather<T: Element>(inputs: Parts) -> DeviceArray<T::OnDevice> {
    let block = |place: usize| {
        inputs.get::<DeviceArray<T::OnDevice>>(place).unwrap_or_else(|words| panic!("{words}"))
    };
    let blocks: Vec<(Arc<DeviceArray<T::OnDevice>>, bool)> = (0..inputs.len()).map(block).collect();
    let borrowed: Vec<(&dyn device::Block, bool)> =
        blocks.iter().map(|(block, is_part)| (&**block as &dyn device::Block, *is_part)).collect();
    on_own_device(|device| device::gather::<T::OnDevice>(device, inputs.assembly(), &borrowed))
}

/// The very block, for the journal to keep.
pub(crate) fn copy<T: Element>(inputs: Untyped) -> ArrayD<T> {
    let block: Arc<ArrayD<T>> = inputs.get(0).unwrap_or_else(|words| panic!("{words}"));
    (*block).clone()
}

pub(crate) fn reshape<T: Element>(shape: &[usize], inputs: Untyped) -> ArrayD<T> {
    let block: Arc<ArrayD<T>> = inputs.get(0).unwrap_or_else(|words| panic!("{words}"));
    let elements: Vec<T> = Memory::of(block).slice::<T>().to_vec();
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("blocks of as many elements")
}

pub(crate) fn device_reshape<T: Element>(shape: &[usize], inputs: Untyped) -> DeviceArray<T::OnDevice> {
    let block = inputs.get::<DeviceArray<T::OnDevice>>(0).unwrap_or_else(|words| panic!("{words}"));
    DeviceArray::new(shape.to_vec(), block.elements().clone())
}
