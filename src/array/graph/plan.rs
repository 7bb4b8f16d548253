//! How arrays are computed: which tasks make which blocks, of what, and where. Pure: `submit` does what a plan says,
//! `explain` prints it, and `memory_check` looks whether its blocks fit.

use crate::{
    array::{
        graph::{
            chunks::{AxisChunks, Grid},
            fuse::{Fused, can_fold, fuse, is_elementwise},
            gather::{Gathered, Selection},
            node::{Custom, Kind, Node},
            recursion,
        },
        kernel::{Operation, Scope, reduce::Reduction},
        on_device::{Devices, Unfit, unfit, unfit_parts, unfit_product},
    },
    error::Result,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// The steps of some arrays, what is needed first.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// The steps of the arrays that are wanted, in the order in which they were added.
    pub(crate) wanted: Vec<usize>,
    /// The devices, if arrays are to compute there.
    pub(crate) devices: Option<Devices>,
    known: FxHashMap<*const Node, usize>,
    /// The operations with tasks of their own that some step submits.
    customs: FxHashSet<*const Custom>,
}

/// One or more layers of tasks that make the blocks of an array, or blocks that exist.
#[derive(Debug)]
pub(crate) struct Step {
    /// The array; its address stays its own while the plan lives.
    pub(crate) node: Arc<Node>,
    pub(crate) work: Work,
    /// The steps whose blocks it takes.
    pub(crate) inputs: Vec<usize>,
    pub(crate) place: Place,
    /// Whether its blocks come to be on devices.
    pub(crate) are_on_devices: bool,
}

/// How a step comes to its blocks.
#[derive(Debug)]
pub(crate) enum Work {
    /// They exist, or will.
    Exist,
    /// They are those of its inputs, one after the other along an axis.
    Concatenate(usize),
    /// A task a block runs a kernel.
    Fused(Fused),
    /// A task for each block of the input runs a kernel and makes a state; levels of tasks combine states.
    Reduce {
        fused: Fused,
        reduction: Reduction,
        reduced: Vec<bool>,
        /// The axes that the result does not have.
        dropped: Vec<bool>,
        /// For each level, a list for each of its tasks: the places of the states of the level before. The last one
        /// makes blocks.
        levels: Vec<Vec<Vec<usize>>>,
    },
    /// A task for each block that is not one of the input as it is.
    Gather(Vec<Selection>),
    /// A task a block.
    Reshape,
    /// Tasks of its own make one or more results; the first step of them submits all.
    Custom { custom: Arc<Custom>, output: usize, is_first: bool },
}

/// Where the tasks of a step run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has none.
    Nowhere,
    /// On CPUs, and why not on devices, if that was a question.
    Cpus(Option<Unfit>),
    Devices,
}

impl Plan {
    pub(crate) fn new(devices: Option<Devices>) -> Self {
        Self { devices, ..Self::default() }
    }

    /// Adds the steps of an array, except for those that the plan has already.
    ///
    /// # Errors
    ///
    /// If an array has more blocks than a layer of tasks can make.
    pub(crate) fn want(&mut self, node: &Arc<Node>) -> Result<()> {
        let step = self.add(node)?;
        self.wanted.push(step);
        Ok(())
    }

    fn add(&mut self, node: &Arc<Node>) -> Result<usize> {
        recursion::deep(|| self.added(node))
    }

    fn added(&mut self, node: &Arc<Node>) -> Result<usize> {
        if let Some(step) = self.known.get(&Arc::as_ptr(node)) {
            return Ok(*step);
        }
        check_count(&node.grid)?;
        let (mut work, needed) = work(node)?;
        let inputs: Vec<usize> = needed.iter().map(|input| self.add(input)).collect::<Result<_>>()?;
        if let Work::Custom { custom, is_first, .. } = &mut work {
            *is_first = self.customs.insert(Arc::as_ptr(custom));
        }
        let are_there = inputs.iter().all(|input| self.steps[*input].are_on_devices);
        let (place, are_on_devices) = place(node, &work, are_there, self.devices);
        self.steps.push(Step { node: Arc::clone(node), work, inputs, place, are_on_devices });
        self.known.insert(Arc::as_ptr(node), self.steps.len() - 1);
        Ok(self.steps.len() - 1)
    }
}

/// How an array comes to its blocks, and the arrays whose blocks that takes.
fn work(node: &Arc<Node>) -> Result<(Work, Vec<Arc<Node>>)> {
    let needed = |fused: &Fused| fused.inputs.iter().map(|input| Arc::clone(&input.node)).collect();
    Ok(match &node.kind {
        Kind::Blocks(..) => (Work::Exist, Vec::new()),
        Kind::Concatenate(inputs, axis) => (Work::Concatenate(*axis), inputs.clone()),
        Kind::Gather(input, selections) => (Work::Gather(selections.clone()), vec![Arc::clone(input)]),
        Kind::Reshape(input) => (Work::Reshape, vec![Arc::clone(input)]),
        Kind::Output(custom, output) => {
            let inputs = custom.inputs.clone();
            (Work::Custom { custom: Arc::clone(custom), output: *output, is_first: false }, inputs)
        }
        Kind::Reduce { input, reduction, reduced, keep, fan_in } if !can_fold(node) => {
            check_count(&input.grid)?;
            let fused = fuse(input);
            let needed = needed(&fused);
            let dropped = reduced.iter().map(|reduced| *reduced && !keep).collect();
            let (reduced, levels) = (reduced.clone(), levels(input.grid.groups(reduced), *fan_in));
            (Work::Reduce { fused, reduction: *reduction, reduced, dropped, levels }, needed)
        }
        kind => {
            debug_assert!(is_elementwise(kind) || can_fold(node), "{kind:?} goes into a kernel");
            let fused = fuse(node);
            let needed = needed(&fused);
            (Work::Fused(fused), needed)
        }
    })
}

/// The tree in which the states of groups of blocks are combined, up to `fan_in` neighbours by a task; the lists of
/// the last level make a block each.
fn levels(mut groups: Vec<Vec<usize>>, fan_in: usize) -> Vec<Vec<Vec<usize>>> {
    let mut levels = Vec::new();
    while groups.iter().any(|group| group.len() > fan_in) {
        let mut lists = Vec::new();
        for group in &mut groups {
            let first = lists.len();
            lists.extend(group.chunks(fan_in).map(<[usize]>::to_vec));
            *group = (first..lists.len()).collect();
        }
        levels.push(lists);
    }
    levels.push(groups);
    levels
}

/// Where the tasks of a node run, and whether its blocks come to be on devices. `are_there` says whether all blocks
/// that it takes are.
fn place(node: &Node, work: &Work, are_there: bool, devices: Option<Devices>) -> (Place, bool) {
    match (work, &node.kind) {
        (Work::Exist, Kind::Blocks(_, are_on_devices)) => return (Place::Nowhere, *are_on_devices),
        (Work::Concatenate(_), _) => return (Place::Nowhere, are_there),
        _ => {}
    }
    let Some(devices) = devices else { return (Place::Cpus(None), false) };
    let unfit = match work {
        Work::Fused(fused) => unfit(&fused.kernel, None, devices),
        Work::Reduce { fused, reduction, .. } => unfit(&fused.kernel, Some(*reduction), devices),
        Work::Gather(selections) => {
            let are_even = selections.iter().all(|selection| matches!(selection, Selection::Range { .. }));
            unfit_parts(node.data_type, &node.grid, are_even, are_there, devices)
        }
        // Blocks on a device stay there, under another shape.
        Work::Reshape => (!are_there).then_some(Unfit::Elsewhere),
        Work::Custom { custom, .. } if custom.is_product => {
            let operands = custom.inputs.iter().map(|input| &input.grid);
            unfit_product(node.data_type, operands.chain([&node.grid]), devices)
        }
        Work::Custom { .. } | Work::Exist | Work::Concatenate(_) => return (Place::Cpus(None), false),
    };
    match unfit {
        Some(why) => (Place::Cpus(Some(why)), false),
        // The states of a reduction come to the host.
        None => (Place::Devices, !matches!(work, Work::Reduce { .. })),
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

impl Step {
    /// How many tasks it submits; `None` for an operation with tasks of its own, which alone knows.
    pub(crate) fn tasks(&self) -> Option<u64> {
        let blocks = self.node.grid.count();
        let count = match &self.work {
            Work::Exist | Work::Concatenate(_) | Work::Custom { is_first: false, .. } => 0,
            Work::Fused(_) | Work::Reshape => blocks,
            Work::Reduce { fused, levels, .. } => {
                fused.kernel.grid.count() + levels.iter().map(Vec::len).sum::<usize>()
            }
            Work::Gather(_) => self.gathered().filter(|block| !block.is_whole).count(),
            Work::Custom { is_first: true, .. } => return None,
        };
        Some(count as u64)
    }

    /// How each block of a gather is put together.
    pub(crate) fn gathered(&self) -> impl Iterator<Item = Gathered> {
        let (Work::Gather(selections), Kind::Gather(source, _)) = (&self.work, &self.node.kind) else {
            unreachable!("{:?} gathers nothing", self.work)
        };
        let grid = &self.node.grid;
        (0..grid.count()).map(move |block| Gathered::new(grid, block, &source.grid, selections))
    }

    /// Whether tasks make its blocks: these are not there already, nor those of its inputs.
    pub(crate) fn is_made(&self) -> bool {
        self.place != Place::Nowhere
    }

    /// The shape of the largest block.
    pub(crate) fn block_shape(&self) -> Vec<usize> {
        self.node.grid.0.iter().map(AxisChunks::size_max).collect()
    }

    /// The operations that its tasks do.
    pub(crate) fn name(&self) -> String {
        self.name_of(|names| names.join(", "))
    }

    /// What its tasks are called unless the user has given them a label: the operations, those between the first
    /// and the last only counted if there are many.
    pub(crate) fn label(&self) -> String {
        self.name_of(|names| match names {
            [first, second, between @ .., last] if between.len() > 1 => {
                format!("{first}, {second}, {} more, {last}", between.len())
            }
            names => names.join(", "),
        })
    }

    fn name_of(&self, listed: impl Fn(&[String]) -> String) -> String {
        let fused = match &self.work {
            Work::Exist => return "blocks on workers".to_string(),
            Work::Fused(fused) | Work::Reduce { fused, .. } => names(&fused.kernel.scope),
            _ => Vec::new(),
        };
        match &self.work {
            _ if fused.is_empty() => self.node.name(),
            Work::Reduce { .. } => format!("{}; {}", listed(&fused), self.node.name()),
            _ => listed(&fused),
        }
    }
}

/// The operations of a scope, in order.
fn names(scope: &Scope) -> Vec<String> {
    let name = |operation: &Operation| match operation {
        Operation::Constant(_) | Operation::Input { .. } => None,
        Operation::Generated { generator, .. } => Some(generator.name().to_string()),
        Operation::Unary(operator, _) => Some(operator.name()),
        Operation::Binary(operator, ..) => Some(operator.name()),
        Operation::Select(..) => Some("where".into()),
        Operation::Cast(_) => Some("astype".into()),
        Operation::Fold { reduction, scope, .. } => {
            let inner = names(scope);
            Some(format!("{}({})", reduction.name(), inner.join(", ")))
        }
    };
    scope.steps.iter().filter_map(|step| name(&step.operation)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Array, Runtime,
        array::{Axes, Boundary},
    };
    use ndarray::{ArrayD, s};

    /// Each step of an array: its operations, tasks, the bytes of its largest block, and where it is made.
    fn steps(array: &Array<f64>, devices: Option<Devices>) -> Vec<(String, Option<u64>, usize, Place)> {
        let mut plan = Plan::new(devices);
        plan.want(&array.node).unwrap();
        let step = |step: &Step| (step.name(), step.tasks(), step.node.block_bytes(), step.place.clone());
        plan.steps.iter().map(step).collect()
    }

    #[test]
    fn a_plan_has_the_tasks_the_bytes_and_the_place_of_each_step() {
        let expect = |found: Vec<(String, Option<u64>, usize, Place)>,
                      wanted: &[(&str, Option<u64>, usize, Place)]| {
            let wanted = wanted
                .iter()
                .map(|(name, tasks, bytes, place)| (name.to_string(), *tasks, *bytes, place.clone()));
            assert_eq!(found, wanted.collect::<Vec<_>>());
        };
        let cpu = || Place::Cpus(None);
        let because = |why| Place::Cpus(Some(why));
        Runtime::builder()
            .threads(1)
            .execute(|client| {
                // Six blocks of 2 x 2 numbers.
                let x = client.ones::<f64>([6, 4], 2);
                expect(steps(&(&x + 1.0), None), &[("add", Some(6), 32, cpu())]);
                let new_chunks = ("rechunk", Some(2), 96, cpu());
                let kept = client.from_ndarray(&ArrayD::<f64>::ones(vec![6, 4]), 2)?;
                let there = ("blocks on workers", Some(0), 32, Place::Nowhere);
                expect(steps(&kept.rechunk([6, 2]), None), &[there.clone(), new_chunks]);
                // Of six blocks two are taken whole, and two in part.
                expect(
                    steps(&kept.slice(s![1..4, ..]), None),
                    &[there.clone(), ("slice", Some(2), 32, cpu())],
                );
                // Six states, two levels of the tree, and the result.
                let sum = kept.sum_axis(Axes::all().fan_in(2));
                expect(steps(&sum, None), &[there.clone(), ("sum", Some(6 + 3 + 2 + 1), 8, cpu())]);
                expect(steps(&kept.cumsum(0), None)[..1].to_vec(), std::slice::from_ref(&there));
                assert_eq!(steps(&kept.cumsum(0), None)[1].1, None, "only the operation knows");

                let devices = Some(Devices::Double);
                let sums = (&x + 1.0).rechunk([6, 2]).sum_axis(0);
                expect(steps(&sums, devices), &[("add; sum", Some(2 + 2), 16, Place::Devices)]);
                let reshaped = (&kept * 2.0).reshape([24]);
                let wanted = |place: Place, then: Place| {
                    [
                        there.clone(),
                        ("multiply", Some(6), 32, place),
                        ("rechunk", Some(6), 32, then.clone()),
                        ("reshape", Some(6), 32, then),
                    ]
                };
                expect(steps(&reshaped, devices), &wanted(Place::Devices, Place::Devices));
                let (single, none) = (Some(Devices::Single), Some(Devices::None));
                let elsewhere = || because(Unfit::Elsewhere);
                expect(steps(&reshaped, single), &wanted(because(Unfit::NoDoubles), elsewhere()));
                let (why, then) = (because(Unfit::NoDevice), because(Unfit::NoDevice));
                let mut of_none = wanted(why, then);
                of_none[3].3 = elsewhere();
                expect(steps(&reshaped, none), &of_none);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_step_that_several_arrays_need_is_planned_once() {
        Runtime::builder()
            .threads(1)
            .execute(|client| {
                let x = client.from_ndarray(&ArrayD::<f64>::ones(vec![6, 4]), 2)?;
                let shared = x.rechunk([6, 2]);
                let mut plan = Plan::default();
                for array in [&shared + 1.0, &shared * 2.0, shared.clone()] {
                    plan.want(&array.node)?;
                }
                assert_eq!(plan.wanted, [2, 3, 1]);
                let inputs: Vec<&[usize]> = plan.steps.iter().map(|step| &*step.inputs).collect();
                assert_eq!(inputs, [&[][..], &[0], &[1], &[1]]);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn tasks_are_called_after_the_users_operations() {
        Runtime::builder()
            .threads(1)
            .execute(|client| {
                let label = |array: &Array<f64>| {
                    let mut plan = Plan::default();
                    plan.want(&array.node).unwrap();
                    plan.steps.last().expect("the step of the array").label()
                };
                let x = client.random(7).uniform::<f64>(0.0, 1.0, [6, 4], 2);
                let kept = client.from_ndarray(&ArrayD::<f64>::ones(vec![6, 4]), 2)?;
                let squares = x.square();
                let far = ((&squares + &kept).sqrt() * 2.0).sqrt();
                for (array, wanted) in [
                    (&client.ones([6, 4], 2), "full"),
                    (&x, "uniform"),
                    (&squares, "uniform, square"),
                    (&(&squares + &kept).sqrt(), "uniform, square, add, sqrt"),
                    (&far, "uniform, square, 3 more, sqrt"),
                    (&far.sum().into_dyn(), "uniform, square, 3 more, sqrt; sum"),
                    (&kept.sum_axis(1), "sum"),
                    (&kept.t(), "view"),
                    (&kept.rechunk([6, 2]), "rechunk"),
                    (&kept.slice(s![1..4, ..]), "slice"),
                    (&kept.take(0, &[5, 0, 3]), "take"),
                    (&kept.rechunk([2, 4]).reshape([24]), "reshape"),
                    (&kept.cumsum(0), "cumsum"),
                    (&kept.map_overlap(ArrayD::clone, &[1, 1], Boundary::Constant(0.0)), "map_overlap"),
                ] {
                    assert_eq!(label(array), wanted);
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn levels_combine_neighbours_until_a_task_takes_all() {
        let groups = vec![vec![0, 2, 4, 6, 8], vec![1, 3]];
        let expected = vec![
            vec![vec![0, 2], vec![4, 6], vec![8], vec![1, 3]],
            vec![vec![0, 1], vec![2], vec![3]],
            vec![vec![0, 1], vec![2]],
        ];
        assert_eq!(levels(groups.clone(), 2), expected);
        assert_eq!(levels(groups.clone(), 5), [groups]);
    }
}
