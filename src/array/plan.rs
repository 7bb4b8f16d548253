//! What computing an array would do, in words and as a picture. Pure.

use super::{
    Array, Dimensions, Element,
    chunks::AxisChunks,
    fuse::{can_fold, fuse, is_elementwise},
    kernel::{Kernel, Operation, Scope},
    lower::{Lowering, devices, unfit_gather, unfit_matmul},
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
    /// How many tasks it submits, if they were counted.
    tasks: u64,
    /// Whether tasks make its blocks: these are not there already, nor those of its inputs.
    pub(super) is_made: bool,
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
    /// The tasks of each array.
    counts: FxHashMap<*const Node, u64>,
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
        let (name, needed) = match &node.kind {
            Kind::Blocks(..) => ("blocks on workers".to_string(), Vec::new()),
            Kind::Reduce { input, .. } if !can_fold(node) => {
                let fused = fuse(input);
                let name = format!("{}; {}", names(&fused.kernel.scope).join(", "), node.name());
                kernel = Some(fused.kernel);
                (name, fused.inputs.into_iter().map(|input| input.node).collect())
            }
            kind if is_elementwise(kind) || can_fold(node) => {
                let fused = fuse(node);
                let name = names(&fused.kernel.scope).join(", ");
                kernel = Some(fused.kernel);
                (name, fused.inputs.into_iter().map(|input| input.node).collect())
            }
            Kind::Concatenate(inputs, _) => (node.name(), inputs.clone()),
            _ => (node.name(), node.inputs().into_iter().map(Arc::clone).collect()),
        };
        let is_made = !matches!(node.kind, Kind::Blocks(..) | Kind::Concatenate(..));
        let tasks = self.counts.get(&Arc::as_ptr(node)).copied().unwrap_or(0);
        let inputs: Vec<usize> = needed.iter().map(|input| self.add(input)).collect();
        let (place, are_on_devices) = self.place(node, kernel.as_ref(), &inputs);
        let block_shape: Vec<usize> = node.grid.0.iter().map(AxisChunks::size_max).collect();
        let block_bytes = node.block_bytes();
        let shape = node.shape();
        self.steps.push(Step {
            name,
            shape,
            tasks,
            is_made,
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
    /// The tasks are those that [`compute`](Self::compute) submits: they are made here, counted and dropped.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.ones::<f64>([1000], 100);
    /// assert!((x * 2.0 + 1.0).sum().explain().contains("multiply, add; sum"));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn explain(&self) -> String {
        let mut text = format!("{self}\n");
        let mut plan = Plan::of(&self.client);
        match Lowering::rehearse(&self.client, &self.node) {
            Ok(counts) => plan.counts = counts,
            Err(error) => return text + &format!("  cannot be computed: {error}"),
        }
        plan.add(&self.node);
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
        let tasks: u64 = plan.steps.iter().map(|step| step.tasks).sum();
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

#[cfg(test)]
mod tests {
    use crate::{
        Array, Client, Runtime,
        array::{Axes, Side, concatenate, select},
    };
    use ndarray::{ArrayD, s};

    /// How many tasks are said, and how many are submitted.
    fn tasks<T: crate::array::Element>(client: &Client, array: &Array<T>) -> (u64, u64) {
        let text = array.explain();
        let last = text.lines().last().expect("a line for all");
        let said = last.trim().strip_suffix(" tasks in all").expect("the number of tasks").parse().unwrap();
        let before = client.submitted_count();
        let blocks = array.to_futures().unwrap();
        let submitted = client.submitted_count() - before;
        client.gather(&blocks).unwrap();
        (said, submitted)
    }

    #[test]
    fn as_many_tasks_are_submitted_as_are_said() {
        Runtime::builder()
            .threads(1)
            .execute(|client| {
                let x = client.from_ndarray(&ArrayD::<f64>::ones(vec![6, 4]), 2)?;
                let y = client.ones::<f64>([6, 4], 2);
                let mut wrong = Vec::new();
                let mut check = |name: &str, array: &Array<f64>, wanted: u64| {
                    let (said, submitted) = tasks(client, array);
                    if (said, submitted) != (wanted, wanted) {
                        wrong.push(format!(
                            "{name}: {wanted} due, {submitted} submitted; {}",
                            array.explain()
                        ));
                    }
                };
                check("blocks", &x, 0);
                check("made", &y, 6);
                check("fused", &(&x * 2.0 + &y), 6);
                check("whole blocks", &x.slice(s![2..4, ..]), 0);
                check("parts and whole blocks", &x.slice(s![1.., ..]), 2);
                check("new chunks", &x.rechunk([6, 2]), 2);
                check("the same chunks with an empty one", &x.rechunk(vec![vec![2, 0, 2, 2], vec![2, 2]]), 2);
                check("side by side", &concatenate(&[&x, &y], 0), 6);
                check("transposed", &x.t(), 6);
                check("reshaped", &x.reshape([24]), 6 + 6);
                check("folded", &x.rechunk([2, 4]).sum_axis(1), 3 + 3);
                check("reduced", &x.sum_axis(1), 6 + 3);
                check("reduced in a tree", &x.sum_axis(Axes::all().fan_in(2)), 6 + 3 + 2 + 1);
                check("shared", &(x.rechunk([6, 2]) + x.rechunk([6, 2]).sum_axis(0)), 2 * 2 + 2 * 2 + 2);
                check("running", &x.cumsum(0), 6 + 2 + 6);
                check("sorted", &x.sort(0), 2 + 2);
                check("chosen", &select(&x.gt(0.0), &y, 0.0), 6);
                check("of a product", &x.matmul(&x.t().rechunk(2)), 6 + 2 * 9 + 9);
                check("diagonal", &x.slice(s![..4, ..]).diagonal(0), 2);
                check(
                    "searched",
                    &x.ravel().rechunk(24).searchsorted(&y.ravel().rechunk(24), Side::Left).cast(),
                    2 * (6 + 6 + 1) + 1 + 1,
                );
                #[cfg(feature = "linear-algebra")]
                {
                    let (q, r) = x.rechunk([2, 4]).qr();
                    let both = q.matmul(&r);
                    let (said, submitted) = tasks(client, &both);
                    assert_eq!(said, submitted);
                    let (said, submitted) =
                        tasks(client, &(x.slice(s![..4, ..]) + client.eye(4, 0, 2)).inv());
                    assert_eq!(said, submitted);
                }
                let kept = (&x + 1.0).persist()?;
                check("kept", &kept, 0);
                assert!(wrong.is_empty(), "{}", wrong.join("\n"));
                Ok(())
            })
            .unwrap();
    }
}
