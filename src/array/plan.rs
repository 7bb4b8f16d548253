//! What computing an array would do, in words and as a picture. Pure.

use super::{
    Array, Dimensions, Element,
    chunks::AxisChunks,
    fuse::{can_fold, fuse, is_elementwise},
    kernel::{Kernel, Operation, Scope},
    lower::{devices, unfit_gather, unfit_matmul},
    node::{Kind, Node},
    on_device::{Devices, Unfit, unfit},
    stack,
};
use crate::{client::Client, error::Result, picture::Picture};
use rustc_hash::FxHashMap;
use std::{fmt::Write, path::Path, sync::Arc};

/// One layer of tasks, or blocks that exist.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) tasks: usize,
    blocks: usize,
    /// The shape of the largest block, and how large it is.
    pub(super) block_shape: Vec<usize>,
    pub(super) block_bytes: usize,
    /// The steps whose blocks it takes.
    inputs: Vec<usize>,
    /// Where it is made, if that was asked.
    place: Option<String>,
    /// Whether its blocks come to be on devices.
    are_on_devices: bool,
}

/// The steps of an array, what is needed first.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The devices, if arrays are to compute there.
    devices: Option<Devices>,
    known: FxHashMap<*const Node, usize>,
}

impl Plan {
    /// Of a client's arrays.
    fn of(client: &Client) -> Self {
        Self { devices: devices(client), ..Self::default() }
    }

    pub(super) fn add(&mut self, node: &Arc<Node>) -> usize {
        stack::deep(|| self.added(node))
    }

    fn added(&mut self, node: &Arc<Node>) -> usize {
        if let Some(step) = self.known.get(&Arc::as_ptr(node)) {
            return *step;
        }
        let blocks = node.grid.count();
        let mut kernel = None;
        let (name, needed, tasks) = match &node.kind {
            Kind::Blocks(..) => ("blocks on workers".to_string(), Vec::new(), 0),
            Kind::Reduce { input, fan_in, .. } if !can_fold(node) => {
                let fused = fuse(input);
                let states = input.grid.count();
                let mut open = states / blocks.max(1);
                let mut tasks = states + blocks;
                while open > *fan_in {
                    open = open.div_ceil(*fan_in);
                    tasks += open * blocks;
                }
                let name = format!("{}; {}", names(&fused.kernel.scope).join(", "), node.name());
                kernel = Some(fused.kernel);
                (name, fused.inputs.into_iter().map(|input| input.node).collect(), tasks)
            }
            kind if is_elementwise(kind) || can_fold(node) => {
                let fused = fuse(node);
                let name = names(&fused.kernel.scope).join(", ");
                kernel = Some(fused.kernel);
                (name, fused.inputs.into_iter().map(|input| input.node).collect(), blocks)
            }
            Kind::Concatenate(inputs, _) => (node.name(), inputs.clone(), 0),
            _ => (node.name(), node.inputs().into_iter().map(Arc::clone).collect(), blocks),
        };
        let inputs: Vec<usize> = needed.iter().map(|input| self.add(input)).collect();
        let (place, are_on_devices) = self.place(node, kernel.as_ref(), &inputs);
        let block_shape: Vec<usize> = node.grid.0.iter().map(AxisChunks::size_max).collect();
        let block_bytes = node.block_bytes();
        let shape = node.shape();
        self.steps.push(Step {
            name,
            shape,
            tasks,
            blocks,
            block_shape,
            block_bytes,
            inputs,
            place,
            are_on_devices,
        });
        self.known.insert(Arc::as_ptr(node), self.steps.len() - 1);
        self.steps.len() - 1
    }

    /// Where a node's tasks work, in words, if that was asked and it has any; and whether its blocks come to
    /// be on devices.
    fn place(&self, node: &Node, kernel: Option<&Kernel>, inputs: &[usize]) -> (Option<String>, bool) {
        let Some(devices) = self.devices else { return (None, false) };
        let are_there = inputs.iter().all(|input| self.steps[*input].are_on_devices);
        let words = |why| format!("on CPUs ({why})");
        let unfit = match (&node.kind, kernel) {
            (Kind::Blocks(_, are_on_devices), _) => return (None, *are_on_devices),
            (Kind::Concatenate(..), _) => return (None, are_there),
            (Kind::Reduce { reduction, .. }, Some(kernel)) if !can_fold(node) => {
                let unfit = unfit(kernel, Some(*reduction), devices);
                return (Some(unfit.map_or("on devices".into(), words)), false);
            }
            (_, Some(kernel)) => unfit(kernel, None, devices),
            (Kind::Gather(_, selections), _) => unfit_gather(node, selections, are_there, devices),
            (Kind::Reshape(_), _) => (!are_there).then_some(Unfit::Elsewhere),
            (Kind::Output(custom, _), _) if custom.is_product => unfit_matmul(node, custom, devices),
            _ => return (Some("on CPUs".into()), false),
        };
        let is_fit = unfit.is_none();
        (Some(unfit.map_or("on devices".into(), words)), is_fit)
    }
}

/// The operations of a scope, in order.
fn names(scope: &Scope) -> Vec<String> {
    let name = |operation: &Operation| match operation {
        Operation::Constant(_) | Operation::Input { .. } => None,
        Operation::Generated { generator, .. } => Some(generator.name().to_string()),
        Operation::Unary(operator, _) => Some(format!("{operator:?}").to_lowercase()),
        Operation::Binary(operator, ..) => Some(format!("{operator:?}").to_lowercase()),
        Operation::Select(..) => Some("where".into()),
        Operation::Cast(_) => Some("astype".into()),
        Operation::Fold { reduction, scope, .. } => {
            let inner = names(scope);
            Some(format!("{}({})", reduction.name(), inner.join(", ")))
        }
    };
    let names: Vec<String> = scope.steps.iter().filter_map(|step| name(&step.operation)).collect();
    if names.is_empty() { vec!["copy".into()] } else { names }
}

impl<T: Element, D: Dimensions> Array<T, D> {
    /// What computing the array would do: the steps, what is fused in each, how many tasks and blocks. With
    /// [`on_devices`](crate::Client::on_devices) also where each step is made.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([1000], 100);
    /// assert!((x * 2.0 + 1.0).sum().explain().contains("multiply, add; sum"));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn explain(&self) -> String {
        let mut plan = Plan::of(&self.client);
        plan.add(&self.node);
        let mut text = format!("{self}\n");
        for (place, step) in plan.steps.iter().enumerate() {
            let from = match step.inputs.as_slice() {
                [] => String::new(),
                inputs => format!(" from step {}", list(inputs)),
            };
            let made = step.place.as_ref().map_or(String::new(), |place| format!(", {place}"));
            writeln!(
                text,
                "  {}. {}{from}{made}: {} tasks, {} blocks of up to {}, shape {:?}",
                place + 1,
                step.name,
                step.tasks,
                step.blocks,
                indicatif::BinaryBytes(step.block_bytes as u64),
                step.shape
            )
            .expect("a string takes all");
        }
        let tasks: usize = plan.steps.iter().map(|step| step.tasks).sum();
        write!(text, "  {tasks} tasks in all").expect("a string takes all");
        text
    }

    /// Writes a picture of the [steps](Self::explain): as SVG, or as a DOT file for Graphviz if the
    /// name ends so.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if it cannot be written.
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut plan = Plan::default();
        plan.add(&self.node);
        let mut picture = Picture::default();
        for step in plan.steps {
            let name = format!("{}\n{:?} in {} blocks", step.name, step.shape, step.blocks);
            picture.add(name, step.inputs);
        }
        picture.write(path.as_ref())
    }
}

fn list(steps: &[usize]) -> String {
    steps.iter().map(|step| (step + 1).to_string()).collect::<Vec<_>>().join(" and ")
}
