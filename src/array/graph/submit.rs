//! Does what a [`Plan`] says: submits the tasks of its steps, and gives the futures of their blocks.

use crate::{
    array::{
        element::with_type,
        graph::{
            blocks::Blocks,
            debug_build,
            fuse::Fused,
            gather::Gathered,
            memory_check,
            node::{Custom, Erased, Kind, Node},
            plan::{Place, Plan, Step, Work},
            submitter::Submitter,
            tasks,
        },
        kernel::reduce::{Reduction, State},
    },
    client::{Client, Future, arguments::OF_ANOTHER_RUN},
    codec::to_bytes,
    error::{Error, Result},
    ids::{Code, Tasks},
    message::Column,
    packed::Packed,
    part::Cut,
    task::{Descriptor, inputs::Nothing},
    value,
};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::sync::Arc;

/// Submits the tasks of a plan; returns the blocks of the arrays that were wanted.
///
/// # Errors
///
/// If no worker can hold some block: then nothing is submitted. The error of an operation with tasks of its own.
pub(crate) fn submit(client: &Client, plan: &Plan) -> Result<Vec<Blocks>> {
    memory_check::check(plan, client.cluster())?;
    debug_build::warn_once(plan);
    let mut submission = Submission::new(client);
    for step in &plan.steps {
        let blocks = submission.blocks(step)?;
        submission.made.push(blocks);
    }
    Ok(plan.wanted.iter().map(|step| submission.made[*step].clone()).collect())
}

/// Submits tasks that have the run's journal keep blocks, if it has one.
pub(crate) fn checkpoint(client: &Client, blocks: Blocks) -> Blocks {
    if !client.has_journal() {
        return blocks;
    }
    let client = client.with(&client.options().clone().checkpoint());
    let client = client.labelled(|| "checkpoint".into());
    let columns = vec![each_alone(&blocks)];
    let code = with_type!(blocks.data_type, T => Code::of_function(tasks::copy::<T>));
    let futures = layer(&client, code, false, blocks.futures.len(), columns);
    Blocks { futures: Arc::new(futures), are_on_devices: false, ..blocks }
}

/// How many tasks each step of a plan submits. Operations with tasks of their own submit them to a client that counts
/// them and sends nothing; all else is known from the plan.
pub(crate) fn count_tasks(client: &Client, plan: &Plan) -> Result<Vec<u64>> {
    let client = client.rehearsal();
    let mut submission = Submission::new(&client);
    let is_known = plan.steps.iter().all(|step| step.tasks().is_some());
    let mut counts = Vec::new();
    for step in &plan.steps {
        if let Some(count) = step.tasks() {
            counts.push(count);
            if !is_known {
                let blocks = submission.stand_ins(&step.node);
                submission.made.push(blocks);
            }
            continue;
        }
        let before = client.submitted_count();
        let blocks = submission.blocks(step)?;
        submission.made.push(blocks);
        counts.push(client.submitted_count() - before);
    }
    Ok(counts)
}

/// The steps of a plan, as far as they were submitted.
struct Submission<'a> {
    client: &'a Client,
    /// The blocks of each step.
    made: Vec<Blocks>,
    /// The blocks of all results of operations with tasks of their own.
    outputs: FxHashMap<*const Custom, Vec<Vec<Future<Erased>>>>,
}

impl<'a> Submission<'a> {
    fn new(client: &'a Client) -> Self {
        Self { client, made: Vec::new(), outputs: FxHashMap::default() }
    }

    /// Submits the tasks of the next step.
    fn blocks(&mut self, step: &Step) -> Result<Blocks> {
        let futures = match &step.work {
            Work::Exist => {
                let Kind::Blocks(futures, _) = &step.node.kind else { unreachable!("blocks exist") };
                if futures.iter().any(|block| !block.is_of_run_of(self.client)) {
                    return Err(Error::World(OF_ANOTHER_RUN.into()));
                }
                futures.clone()
            }
            Work::Concatenate(axis) => self.concatenate(step, *axis),
            Work::Fused(fused) => self.fused(step, fused),
            Work::Reduce { fused, reduction, reduced, dropped, levels } => {
                let states = self.states(step, fused, *reduction, reduced);
                self.reduce(&step.node, *reduction, dropped, levels, states)
            }
            Work::Gather(_) => self.gather(step),
            Work::Reshape => self.reshape(step),
            Work::Custom { custom, output, .. } => self.custom(step, custom, *output)?,
        };
        Ok(self.blocks_of(&step.node, futures, step.are_on_devices))
    }

    fn blocks_of(&self, node: &Node, futures: Vec<Future<Erased>>, are_on_devices: bool) -> Blocks {
        let (data_type, grid) = (node.data_type, node.grid.clone());
        Blocks { data_type, grid, futures: Arc::new(futures), are_on_devices }
    }

    /// Blocks that nothing makes, for a client that sends nothing.
    fn stand_ins(&self, node: &Node) -> Blocks {
        let futures = layer(self.client, nothing(), false, node.grid.count(), Vec::new());
        self.blocks_of(node, futures, false)
    }

    fn fused(&self, step: &Step, fused: &Fused) -> Vec<Future<Erased>> {
        let count = step.node.grid.count();
        let mut columns = vec![same(&fused.kernel), indices(count)];
        let has_inputs = !fused.inputs.is_empty();
        if has_inputs {
            columns.push(self.lists(step, fused, count));
        }
        let is_on_device = step.place == Place::Devices;
        let code = with_type!(step.node.data_type, T => match (is_on_device, has_inputs) {
            (false, true) => Code::of_function(tasks::block::<T>),
            (false, false) => Code::of_function(tasks::made_block::<T>),
            (true, true) => Code::of_function(tasks::device_block::<T>),
            (true, false) => Code::of_function(tasks::made_device_block::<T>),
        });
        layer(&self.of_step(step), code, is_on_device, count, columns)
    }

    /// The client that calls tasks after the operations of a step.
    fn of_step(&self, step: &Step) -> Client {
        self.client.labelled(|| step.label())
    }

    /// The inputs of each block of a kernel.
    fn lists(&self, step: &Step, fused: &Fused, count: usize) -> Column {
        let list = |index: usize| {
            let coordinates = fused.kernel.grid.coordinates(index);
            let mut tasks = Vec::new();
            for (input, fused) in step.inputs.iter().zip(&fused.inputs) {
                let blocks = &self.made[*input];
                let own: Vec<usize> = fused.axes.iter().map(|axis| axis.of(&coordinates)).collect();
                Tasks::push(&mut tasks, blocks.futures[blocks.grid.place(&own)].task());
            }
            tasks
        };
        Column::Lists { lists: (0..count).map(list).collect(), collect: nothing() }
    }

    /// A state of each block that is reduced.
    fn states(
        &self,
        step: &Step,
        fused: &Fused,
        reduction: Reduction,
        reduced: &[bool],
    ) -> Vec<Future<State>> {
        let count = fused.kernel.grid.count();
        let mut columns = vec![same(&(&fused.kernel, reduction, reduced)), indices(count)];
        let has_inputs = !fused.inputs.is_empty();
        if has_inputs {
            columns.push(self.lists(step, fused, count));
        }
        let is_on_device = step.place == Place::Devices;
        let code = match (is_on_device, has_inputs) {
            (false, true) => Code::of_function(tasks::state),
            (false, false) => Code::of_function(tasks::made_state),
            (true, true) => Code::of_function(tasks::device_state),
            (true, false) => Code::of_function(tasks::made_device_state),
        };
        layer(&self.of_step(step), code, is_on_device, count, columns)
    }

    /// Combines states level by level; those of the last one become blocks.
    fn reduce(
        &self,
        node: &Node,
        reduction: Reduction,
        dropped: &[bool],
        levels: &[Vec<Vec<usize>>],
        mut states: Vec<Future<State>>,
    ) -> Vec<Future<Erased>> {
        let client = self.client.labelled(|| node.name());
        let (last, inner) = levels.split_last().expect("a reduction has a last level");
        for lists in inner {
            let columns = vec![same(&reduction), state_lists(lists, &states)];
            states = layer(&client, Code::of_function(tasks::combine), false, lists.len(), columns);
        }
        let columns = vec![same(&(reduction, dropped)), state_lists(last, &states)];
        let code = with_type!(node.data_type, T => Code::of_function(tasks::finish::<T>));
        layer(&client, code, false, last.len(), columns)
    }

    fn concatenate(&self, step: &Step, axis: usize) -> Vec<Future<Erased>> {
        let grid = &step.node.grid;
        let block = |index: usize| {
            let mut coordinates = grid.coordinates(index);
            for input in step.inputs.iter().map(|input| &self.made[*input]) {
                let count = input.grid.0[axis].count();
                if coordinates[axis] < count {
                    return input.futures[input.grid.place(&coordinates)].clone();
                }
                coordinates[axis] -= count;
            }
            unreachable!("as many blocks as the inputs have")
        };
        (0..grid.count()).map(block).collect()
    }

    fn gather(&self, step: &Step) -> Vec<Future<Erased>> {
        let source = &self.made[step.inputs[0]];
        let gathered: Vec<Gathered> = step.gathered().collect();
        let open = || gathered.iter().filter(|block| !block.is_whole);
        let (element_bytes, align) =
            with_type!(source.data_type, T => (size_of::<T>() as u8, align_of::<T>() as u8));
        // Cuts are the runtime's own: workers read them before the task begins.
        let mut cuts = Packed::default();
        for block in open() {
            let assembly = block.assembly.clone();
            cuts.push(&to_bytes(&Cut { element_bytes, align, assembly }));
        }
        let lists = open().map(|block| {
            let mut tasks = Vec::new();
            block.inputs.iter().for_each(|place| Tasks::push(&mut tasks, source.futures[*place].task()));
            tasks
        });
        let columns = vec![Column::Parts { lists: lists.collect(), cuts }];
        let is_on_device = step.place == Place::Devices;
        let code = with_type!(source.data_type, T => match is_on_device {
            true => Code::of_function(tasks::device_gather::<T>),
            false => Code::of_function(tasks::gather::<T>),
        });
        let made: Vec<_> = layer(&self.of_step(step), code, is_on_device, open().count(), columns);
        let mut made = made.into_iter();
        let block = |block: &Gathered| match block.is_whole {
            true => source.futures[block.inputs[0]].clone(),
            false => made.next().expect("a future for each block that is made"),
        };
        gathered.iter().map(block).collect()
    }

    fn reshape(&self, step: &Step) -> Vec<Future<Erased>> {
        let (source, grid) = (&self.made[step.inputs[0]], &step.node.grid);
        let shapes = packed((0..grid.count()).map(|block| grid.region(block).1));
        let columns = vec![Column::Each(shapes), each_alone(source)];
        let is_on_device = step.place == Place::Devices;
        let code = with_type!(step.node.data_type, T => match is_on_device {
            true => Code::of_function(tasks::device_reshape::<T>),
            false => Code::of_function(tasks::reshape::<T>),
        });
        layer(&self.of_step(step), code, is_on_device, grid.count(), columns)
    }

    fn custom(&mut self, step: &Step, custom: &Arc<Custom>, output: usize) -> Result<Vec<Future<Erased>>> {
        if let Some(outputs) = self.outputs.get(&Arc::as_ptr(custom)) {
            return Ok(outputs[output].clone());
        }
        let inputs: Vec<Blocks> = step.inputs.iter().map(|input| self.made[*input].clone()).collect();
        let client = self.of_step(step);
        let submitter = Submitter::new(&client, step.place == Place::Devices);
        let outputs = (custom.submit)(&submitter, &inputs)?;
        let blocks = outputs[output].clone();
        self.outputs.insert(Arc::as_ptr(custom), outputs);
        Ok(blocks)
    }
}

/// Submits one layer of tasks.
fn layer<T>(
    client: &Client,
    code: Code,
    is_on_device: bool,
    count: usize,
    columns: Vec<Column>,
) -> Vec<Future<T>> {
    let count = u32::try_from(count).expect("a plan has no more blocks than a layer");
    match (count, is_on_device) {
        (0, _) => Vec::new(),
        (_, true) => client.on_own_device().submit_layer_of(code, count, columns),
        (_, false) => client.submit_layer_of(code, count, columns),
    }
}

/// How lists of values of any type are collected: not at all.
fn nothing() -> Code {
    Code::of(const { Descriptor::of_list::<Nothing>() })
}

fn same<T: Serialize>(value: &T) -> Column {
    Column::Same(value::to_bytes(value))
}

/// The place of each block.
fn indices(count: usize) -> Column {
    Column::Each(packed(0..count as u64))
}

fn packed<T: Serialize>(values: impl Iterator<Item = T>) -> Packed {
    let mut packed = Packed::default();
    for value in values {
        packed.push(&value::to_bytes(&value));
    }
    packed
}

/// Each block for a task of its own.
fn each_alone(blocks: &Blocks) -> Column {
    let lists = blocks.futures.iter().map(|block| vec![Tasks::one(block.task())]).collect();
    Column::Lists { lists, collect: nothing() }
}

/// The states at these places, for a task each list.
fn state_lists(lists: &[Vec<usize>], states: &[Future<State>]) -> Column {
    let list = |places: &Vec<usize>| {
        let mut tasks = Vec::new();
        places.iter().for_each(|place| Tasks::push(&mut tasks, states[*place].task()));
        tasks
    };
    let collect = Code::of(const { Descriptor::of_list::<State>() });
    Column::Lists { lists: lists.iter().map(list).collect(), collect }
}
