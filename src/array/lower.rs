//! From expressions to tasks: each array that cannot be fused into another becomes a layer of tasks,
//! once, and the futures of its blocks.

use super::{
    DataType, Element,
    chunks::Grid,
    element::{Sealed, with_type},
    fuse::{Fused, can_fold, fuse, is_elementwise},
    gather::Selection,
    kernel::{
        Kernel,
        evaluate::{Memory, evaluate, evaluate_reduced},
        reduce::{Reduce, Reduction, State},
    },
    node::{Custom, Erased, Kind, Node},
    on_device::{Devices, Unfit, run, unfit, unfit_parts, unfit_product},
    stack,
    submitter::Submitter,
};
use crate::{
    client::{Client, Future, SubmitOptions},
    codec, current,
    device::{self, Device, DeviceArray},
    error::Result,
    ids::Code,
    ids::Tasks,
    message::Column,
    packed::Packed,
    part::{Assembly, Cut, Source},
    task::{
        Descriptor, Shared,
        inputs::{Parts, Untyped},
    },
    value::{Data, to_bytes},
};
use ndarray::{ArrayD, IxDyn};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::sync::Arc;

/// The blocks of an array, in C order.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    pub(crate) data_type: DataType,
    pub(crate) grid: Grid,
    pub(crate) futures: Arc<Vec<Future<Erased>>>,
    /// Whether devices make them; who asks for them as they are on the host is given that.
    pub(crate) are_on_devices: bool,
}

impl Blocks {
    /// The futures with the type of their values.
    pub(crate) fn typed<T: Element>(&self) -> Vec<Future<ArrayD<T>>> {
        assert_eq!(self.data_type, T::DATA_TYPE, "blocks have one type");
        self.futures.iter().map(Future::retype).collect()
    }

    /// The futures with the type that their values have on devices.
    pub(crate) fn typed_on_device<T: Element>(&self) -> Vec<Future<DeviceArray<T::OnDevice>>> {
        assert_eq!(self.data_type, T::DATA_TYPE, "blocks have one type");
        self.futures.iter().map(Future::retype).collect()
    }
}

/// Submits what arrays need; what several need, once.
pub(crate) struct Lowering<'a> {
    client: &'a Client,
    options: &'a SubmitOptions,
    known: FxHashMap<*const Node, Blocks>,
    outputs: FxHashMap<*const Custom, Vec<Vec<Future<Erased>>>>,
    /// The arrays must live as long as their addresses are used.
    kept: Vec<Arc<Node>>,
    /// How many tasks were submitted for each array, without those for its inputs.
    counts: FxHashMap<*const Node, u64>,
    /// How many tasks were submitted for the inputs of the array at hand, so far.
    for_inputs: u64,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(client: &'a Client, options: &'a SubmitOptions) -> Self {
        let (known, outputs) = (FxHashMap::default(), FxHashMap::default());
        let counts = FxHashMap::default();
        Self { client, options, known, outputs, kept: Vec::new(), counts, for_inputs: 0 }
    }

    /// How many tasks computing an array would submit, for each array that it is made of.
    pub(super) fn rehearse(client: &Client, node: &Arc<Node>) -> Result<FxHashMap<*const Node, u64>> {
        let (client, options) = (client.rehearsal(), SubmitOptions::default());
        let mut lowering = Lowering::new(&client, &options);
        lowering.blocks(node)?;
        Ok(std::mem::take(&mut lowering.counts))
    }

    /// The blocks of an array.
    pub(crate) fn blocks(&mut self, node: &Arc<Node>) -> Result<Blocks> {
        stack::deep(|| self.blocks_of(node))
    }

    /// The blocks of an array, which the run's journal keeps.
    pub(crate) fn kept_blocks(mut self, node: &Arc<Node>) -> Result<Blocks> {
        let blocks = self.blocks(node)?;
        if !self.client.has_journal() {
            return Ok(blocks);
        }
        let options = self.options.clone().checkpoint();
        let lists = blocks.futures.iter().map(|block| vec![Tasks::one(block.task())]).collect();
        let columns = vec![Column::Lists { lists, collect: nothing() }];
        let code = with_type!(node.data_type, T => Code::of_function(copy::<T>));
        let kept = Lowering::new(self.client, &options).submit(code, blocks.futures.len(), columns)?;
        let futures = Arc::new(kept);
        Ok(Blocks { futures, are_on_devices: false, ..blocks })
    }

    fn blocks_of(&mut self, node: &Arc<Node>) -> Result<Blocks> {
        if let Some(blocks) = self.known.get(&Arc::as_ptr(node)) {
            return Ok(blocks.clone());
        }
        check_count(&node.grid)?;
        let (before, outer) = (self.client.submitted_count(), std::mem::take(&mut self.for_inputs));
        let (futures, are_on_devices) = match &node.kind {
            Kind::Blocks(futures, are_on_devices) => (futures.clone(), *are_on_devices),
            Kind::Concatenate(inputs, axis) => self.concatenate(node, inputs, *axis)?,
            Kind::Gather(input, selections) => self.gather(node, input, selections)?,
            Kind::Reshape(input) => self.reshape(node, input)?,
            Kind::Output(custom, index) => self.output(node, custom, *index)?,
            kind if is_elementwise(kind) || can_fold(node) => self.fused(node)?,
            Kind::Reduce { .. } => (self.reduce(node)?, false),
            kind => unreachable!("{kind:?} is elementwise"),
        };
        let count = self.client.submitted_count() - before;
        self.counts.insert(Arc::as_ptr(node), count.saturating_sub(self.for_inputs));
        self.for_inputs = outer + count;
        let (data_type, grid, futures) = (node.data_type, node.grid.clone(), Arc::new(futures));
        let blocks = Blocks { data_type, grid, futures, are_on_devices };
        self.known.insert(Arc::as_ptr(node), blocks.clone());
        self.kept.push(Arc::clone(node));
        Ok(blocks)
    }

    fn fused(&mut self, node: &Arc<Node>) -> Result<Made> {
        let fused = fuse(node);
        let count = node.grid.count();
        let mut columns = vec![same(&fused.kernel), indices(count)];
        let has_inputs = !fused.inputs.is_empty();
        if has_inputs {
            columns.push(self.lists(&fused, count)?);
        }
        let is_on_device = self.is_for_devices(&fused.kernel, None);
        let code = with_type!(node.data_type, T => match (is_on_device, has_inputs) {
            (false, true) => Code::of_function(block::<T>),
            (false, false) => Code::of_function(made_block::<T>),
            (true, true) => Code::of_function(device_block::<T>),
            (true, false) => Code::of_function(made_device_block::<T>),
        });
        Ok((self.submit_placed(code, is_on_device, count, columns)?, is_on_device))
    }

    /// Whether devices make the blocks of a kernel, or their reduction.
    fn is_for_devices(&self, kernel: &Kernel, reduction: Option<Reduction>) -> bool {
        devices(self.client).is_some_and(|devices| unfit(kernel, reduction, devices).is_none())
    }

    /// The inputs of each block of a kernel.
    fn lists(&mut self, fused: &Fused, count: usize) -> Result<Column> {
        let inputs = fused.inputs.iter().map(|input| Ok((self.blocks(&input.node)?, &input.axes)));
        let inputs: Vec<_> = inputs.collect::<Result<_>>()?;
        let list = |index: usize| {
            let coordinates = fused.kernel.grid.coordinates(index);
            let mut tasks = Vec::new();
            for (blocks, axes) in &inputs {
                let own: Vec<usize> = axes.iter().map(|axis| axis.of(&coordinates)).collect();
                Tasks::push(&mut tasks, blocks.futures[blocks.grid.place(&own)].task());
            }
            tasks
        };
        Ok(Column::Lists { lists: (0..count).map(list).collect(), collect: nothing() })
    }

    fn reduce(&mut self, node: &Arc<Node>) -> Result<Vec<Future<Erased>>> {
        let Kind::Reduce { input, reduction, reduced, keep, fan_in } = &node.kind else {
            unreachable!("a reduction")
        };
        let states = self.reduce_blocks(input, *reduction, reduced)?;
        let mut states: Vec<Option<Future<State>>> = states.into_iter().map(Some).collect();
        let of_group = |group: Vec<usize>| group.iter().filter_map(|block| states[*block].take()).collect();
        let mut groups: Vec<Vec<Future<State>>> =
            input.grid.groups(reduced).into_iter().map(of_group).collect();
        while groups.iter().any(|group| group.len() > *fan_in) {
            groups = self.combine(*reduction, &groups, *fan_in)?;
        }
        let dropped: Vec<bool> = reduced.iter().map(|reduced| *reduced && !keep).collect();
        let columns = vec![same(&(*reduction, dropped)), list_column(&groups)];
        let code = with_type!(node.data_type, T => Code::of_function(finish::<T>));
        self.submit(code, groups.len(), columns)
    }

    fn reduce_blocks(
        &mut self,
        input: &Arc<Node>,
        reduction: Reduction,
        reduced: &[bool],
    ) -> Result<Vec<Future<State>>> {
        check_count(&input.grid)?;
        let fused = fuse(input);
        let count = input.grid.count();
        let mut columns = vec![same(&(&fused.kernel, reduction, reduced)), indices(count)];
        let has_inputs = !fused.inputs.is_empty();
        if has_inputs {
            columns.push(self.lists(&fused, count)?);
        }
        let is_on_device = self.is_for_devices(&fused.kernel, Some(reduction));
        let code = match (is_on_device, has_inputs) {
            (false, true) => Code::of_function(state),
            (false, false) => Code::of_function(made_state),
            (true, true) => Code::of_function(device_state),
            (true, false) => Code::of_function(made_device_state),
        };
        self.submit_placed(code, is_on_device, count, columns)
    }

    /// One level of the tree: up to `fan_in` neighbours become one.
    fn combine(
        &mut self,
        reduction: Reduction,
        groups: &[Vec<Future<State>>],
        fan_in: usize,
    ) -> Result<Vec<Vec<Future<State>>>> {
        let parts: Vec<&[Future<State>]> = groups.iter().flat_map(|group| group.chunks(fan_in)).collect();
        let columns = vec![same(&reduction), list_column(&parts)];
        let combined: Vec<Future<State>> = self.submit(Code::of_function(combine), parts.len(), columns)?;
        let mut combined = combined.into_iter();
        let next = groups.iter().map(|group| combined.by_ref().take(group.len().div_ceil(fan_in)).collect());
        Ok(next.collect())
    }

    fn concatenate(&mut self, node: &Arc<Node>, inputs: &[Arc<Node>], axis: usize) -> Result<Made> {
        let inputs: Vec<Blocks> = inputs.iter().map(|input| self.blocks(input)).collect::<Result<_>>()?;
        let block = |index: usize| {
            let mut coordinates = node.grid.coordinates(index);
            for input in &inputs {
                let count = input.grid.0[axis].count();
                if coordinates[axis] < count {
                    return input.futures[input.grid.place(&coordinates)].clone();
                }
                coordinates[axis] -= count;
            }
            unreachable!("as many blocks as the inputs have")
        };
        let are_on_devices = inputs.iter().all(|input| input.are_on_devices);
        Ok(((0..node.grid.count()).map(block).collect(), are_on_devices))
    }

    fn gather(&mut self, node: &Arc<Node>, input: &Arc<Node>, selections: &[Selection]) -> Result<Made> {
        let source = self.blocks(input)?;
        let devices = devices(self.client);
        let unfit = |devices| unfit_gather(node, selections, source.are_on_devices, devices);
        let is_on_device = devices.is_some_and(|devices| unfit(devices).is_none());
        let count = node.grid.count();
        let plans: Vec<Plan> =
            (0..count).map(|block| Plan::new(node, block, &source.grid, selections)).collect();
        let open = || plans.iter().filter(|plan| !plan.is_whole);
        let (element_bytes, align) =
            with_type!(node.data_type, T => (size_of::<T>() as u8, align_of::<T>() as u8));
        // Cuts are the runtime's own: workers read them before the task begins.
        let cuts = open().map(|plan| Cut { element_bytes, align, assembly: plan.assembly.clone() });
        let mut packed_cuts = Packed::default();
        cuts.for_each(|cut| packed_cuts.push(&codec::to_bytes(&cut)));
        let lists = open().map(|plan| {
            let mut tasks = Vec::new();
            plan.inputs.iter().for_each(|place| Tasks::push(&mut tasks, source.futures[*place].task()));
            tasks
        });
        let columns = vec![Column::Parts { lists: lists.collect(), cuts: packed_cuts }];
        let code = with_type!(node.data_type, T => match is_on_device {
            true => Code::of_function(device_gather::<T>),
            false => Code::of_function(gather::<T>),
        });
        let mut made = self.submit_placed(code, is_on_device, open().count(), columns)?.into_iter();
        let block = |plan: &Plan| match plan.is_whole {
            true => source.futures[plan.inputs[0]].clone(),
            false => made.next().expect("a future for each block that is made"),
        };
        Ok((plans.iter().map(block).collect(), is_on_device))
    }

    fn reshape(&mut self, node: &Arc<Node>, input: &Arc<Node>) -> Result<Made> {
        let source = self.blocks(input)?;
        let count = node.grid.count();
        let shapes = packed((0..count).map(|block| node.grid.region(block).1));
        let lists = source.futures.iter().map(|block| vec![Tasks::one(block.task())]).collect();
        let columns = vec![Column::Each(shapes), Column::Lists { lists, collect: nothing() }];
        // Blocks on a device stay there, under another shape.
        let is_on_device = source.are_on_devices && devices(self.client).is_some();
        let code = with_type!(node.data_type, T => match is_on_device {
            true => Code::of_function(device_reshape::<T>),
            false => Code::of_function(reshape::<T>),
        });
        Ok((self.submit_placed(code, is_on_device, count, columns)?, is_on_device))
    }

    fn output(&mut self, node: &Arc<Node>, custom: &Arc<Custom>, index: usize) -> Result<Made> {
        let is_fit = |devices| custom.is_product && unfit_matmul(node, custom, devices).is_none();
        let are_on_devices = devices(self.client).is_some_and(is_fit);
        if let Some(outputs) = self.outputs.get(&Arc::as_ptr(custom)) {
            return Ok((outputs[index].clone(), are_on_devices));
        }
        let inputs: Vec<Blocks> =
            custom.inputs.iter().map(|input| self.blocks(input)).collect::<Result<_>>()?;
        let outputs = (custom.submit)(&Submitter::new(self.client, self.options, are_on_devices), &inputs)?;
        let blocks = outputs[index].clone();
        self.outputs.insert(Arc::as_ptr(custom), outputs);
        Ok((blocks, are_on_devices))
    }

    fn submit<T>(&self, code: Code, count: usize, columns: Vec<Column>) -> Result<Vec<Future<T>>> {
        self.submit_placed(code, false, count, columns)
    }

    fn submit_placed<T>(
        &self,
        code: Code,
        is_on_device: bool,
        count: usize,
        columns: Vec<Column>,
    ) -> Result<Vec<Future<T>>> {
        let count =
            u32::try_from(count).map_err(|_| format!("{count} blocks are more than a layer can have"))?;
        if count == 0 {
            return Ok(Vec::new());
        }
        match is_on_device {
            true => Ok(self.client.submit_layer_of(code, &self.options.on_device(), count, columns)),
            false => Ok(self.client.submit_layer_of(code, self.options, count, columns)),
        }
    }
}

/// Checks that a layer of tasks can make the blocks of a grid, before anything is made for each of them.
fn check_count(grid: &Grid) -> Result<()> {
    let count = grid.count();
    match u32::try_from(count) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(format!("{count} blocks are more than a layer can have: make the chunks larger").into())
        }
    }
}

/// The blocks of an array, and whether devices make them.
type Made = (Vec<Future<Erased>>, bool);

/// Why devices do not put together the blocks of a node that takes these parts of its input.
pub(crate) fn unfit_gather(
    node: &Node,
    selections: &[Selection],
    are_on_devices: bool,
    devices: Devices,
) -> Option<Unfit> {
    let are_even = selections.iter().all(|selection| matches!(selection, Selection::Range { .. }));
    unfit_parts(node.data_type, &node.grid, are_even, are_on_devices, devices)
}

/// Why devices do not make the blocks of a product.
pub(crate) fn unfit_matmul(node: &Node, product: &Custom, devices: Devices) -> Option<Unfit> {
    let operands = product.inputs.iter().map(|input| &input.grid);
    unfit_product(node.data_type, operands.chain([&node.grid]), devices)
}

/// What devices the client's arrays may use; `None` if they are to use none.
pub(crate) fn devices(client: &Client) -> Option<Devices> {
    let records = || client.cluster().workers().filter_map(|worker| worker.device.as_ref());
    client.is_on_devices().then(|| match records().next() {
        None => Devices::None,
        Some(_) if records().all(|device| device.has_doubles) => Devices::Double,
        Some(_) => Devices::Single,
    })
}

/// How one block is gathered.
struct Plan {
    assembly: Assembly,
    /// The blocks of the source that are needed.
    inputs: Vec<usize>,
    /// Whether it is one of them, as it is.
    is_whole: bool,
}

impl Plan {
    fn new(node: &Node, block: usize, source: &Grid, selections: &[Selection]) -> Self {
        let (starts, shape) = node.grid.region(block);
        let runs = selections
            .iter()
            .zip(&source.0)
            .enumerate()
            .map(|(axis, (selection, chunks))| selection.runs(chunks, starts[axis], shape[axis]));
        let (assembly, wanted) = Assembly::new(runs.collect());
        let place = |input: usize| {
            let piece = assembly.piece(input);
            let own: Vec<usize> = piece.iter().zip(&wanted).map(|(piece, wanted)| wanted[*piece]).collect();
            source.place(&own)
        };
        let inputs: Vec<usize> = (0..assembly.input_count()).map(place).collect();
        let is_whole = match inputs.as_slice() {
            [place] => assembly.is_identity(&source.region(*place).1),
            _ => false,
        };
        Self { assembly, inputs, is_whole }
    }
}

/// How lists of values of any type are collected: not at all.
fn nothing() -> Code {
    Code::of(const { Descriptor::of_list::<crate::task::inputs::Nothing>() })
}

fn same<T: Serialize>(value: &T) -> Column {
    Column::Same(to_bytes(value))
}

/// The place of each block.
fn indices(count: usize) -> Column {
    Column::Each(packed(0..count as u64))
}

fn packed<T: Serialize>(values: impl Iterator<Item = T>) -> Packed {
    let mut packed = Packed::default();
    for value in values {
        packed.push(&to_bytes(&value));
    }
    packed
}

fn list_column<T: Data, L: AsRef<[Future<T>]>>(lists: &[L]) -> Column {
    let list = |futures: &L| {
        let mut tasks = Vec::new();
        futures.as_ref().iter().for_each(|future| Tasks::push(&mut tasks, future.task()));
        tasks
    };
    let collect = Code::of(const { Descriptor::of_list::<T>() });
    Column::Lists { lists: lists.iter().map(list).collect(), collect }
}

/// The inputs of a kernel as memory.
fn memories(data_types: &[(usize, DataType)], inputs: &Untyped) -> Vec<Memory> {
    let memory = |slot: usize| {
        let (_, data_type) = data_types.iter().find(|(own, _)| *own == slot).expect("every input is used");
        with_type!(*data_type, T => Memory::of::<T>(inputs.get(slot).unwrap_or_else(|words| panic!("{words}"))))
    };
    (0..inputs.len()).map(memory).collect()
}

fn made_block<T: Element>(kernel: &Kernel, block: u64) -> ArrayD<T> {
    evaluate(kernel, block as usize, &[])
}

fn block<T: Element>(kernel: &Kernel, block: u64, inputs: Untyped) -> ArrayD<T> {
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

fn made_device_block<T: Element>(kernel: &Kernel, block: u64) -> DeviceArray<T::OnDevice> {
    on_own_device(|device| run::block::<T>(device, kernel, block as usize, &[]))
}

fn device_block<T: Element>(kernel: &Kernel, block: u64, inputs: Untyped) -> DeviceArray<T::OnDevice> {
    let inputs = device_blocks(kernel, &inputs);
    on_own_device(|device| run::block::<T>(device, kernel, block as usize, &inputs))
}

fn made_device_state((kernel, reduction, reduced): &Reduced, block: u64) -> State {
    on_own_device(|device| run::state(device, kernel, *reduction, reduced, block as usize, &[]))
}

fn device_state((kernel, reduction, reduced): &Reduced, block: u64, inputs: Untyped) -> State {
    let inputs = device_blocks(kernel, &inputs);
    on_own_device(|device| run::state(device, kernel, *reduction, reduced, block as usize, &inputs))
}

pub(crate) fn on_own_device<R>(work: impl FnOnce(&Device) -> Result<R>) -> R {
    current::device().and_then(|device| work(&device)).unwrap_or_else(|error| panic!("{error}"))
}

type Reduced = (Kernel, Reduction, Vec<bool>);

fn made_state((kernel, reduction, reduced): &Reduced, block: u64) -> State {
    evaluate_reduced(kernel, *reduction, reduced, block as usize, &[])
}

fn state((kernel, reduction, reduced): &Reduced, block: u64, inputs: Untyped) -> State {
    let inputs = memories(&kernel.scope.input_types(), &inputs);
    evaluate_reduced(kernel, *reduction, reduced, block as usize, &inputs)
}

fn combine(reduction: &Reduction, states: Vec<Shared<State>>) -> State {
    let states: Vec<&State> = states.iter().map(|state| &**state).collect();
    State::combine(*reduction, &states)
}

fn finish<T: Reduce>((reduction, dropped): &(Reduction, Vec<bool>), states: Vec<Shared<State>>) -> ArrayD<T> {
    let state = combine(reduction, states);
    let axes = state.shape.iter().zip(dropped).filter(|(_, dropped)| !**dropped);
    let shape: Vec<usize> = axes.map(|(length, _)| *length).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), state.finish(*reduction)).expect("an element for each place")
}

fn gather<T: Element>(inputs: Parts) -> ArrayD<T> {
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

fn device_gather<T: Element>(inputs: Parts) -> DeviceArray<T::OnDevice> {
    let block = |place: usize| {
        inputs.get::<DeviceArray<T::OnDevice>>(place).unwrap_or_else(|words| panic!("{words}"))
    };
    let blocks: Vec<(Arc<DeviceArray<T::OnDevice>>, bool)> = (0..inputs.len()).map(block).collect();
    let borrowed: Vec<(&dyn device::Block, bool)> =
        blocks.iter().map(|(block, is_part)| (&**block as &dyn device::Block, *is_part)).collect();
    on_own_device(|device| device::gather::<T::OnDevice>(device, inputs.assembly(), &borrowed))
}

/// The very block, for the journal to keep.
fn copy<T: Element>(inputs: Untyped) -> ArrayD<T> {
    let block: Arc<ArrayD<T>> = inputs.get(0).unwrap_or_else(|words| panic!("{words}"));
    (*block).clone()
}

fn reshape<T: Element>(shape: &[usize], inputs: Untyped) -> ArrayD<T> {
    let block: Arc<ArrayD<T>> = inputs.get(0).unwrap_or_else(|words| panic!("{words}"));
    let elements: Vec<T> = Memory::of(block).slice::<T>().to_vec();
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("blocks of as many elements")
}

fn device_reshape<T: Element>(shape: &[usize], inputs: Untyped) -> DeviceArray<T::OnDevice> {
    let block = inputs.get::<DeviceArray<T::OnDevice>>(0).unwrap_or_else(|words| panic!("{words}"));
    DeviceArray::new(shape.to_vec(), block.elements().clone())
}
