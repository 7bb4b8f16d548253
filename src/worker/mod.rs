//! The worker's decisions: which of its tasks can begin, and which values it fetches for them.
//!
//! [`Worker`] is told what arrives and answers with [`Action`]s. It knows tasks and the numbers of
//! values, not the values; [`execute`] runs the functions on the worker's threads.

mod admission;
mod begun;
pub(crate) mod call;
mod early;
pub(crate) mod execute;
mod overflow;
mod patrol;
mod piece;
pub(crate) mod queue;
pub(crate) mod threads;

use crate::{
    ids::{TaskId, Tasks},
    message::{Given, Held, Made, Need, Run, Running, ToScheduler, ToWorker, WaitingTask},
    part::Cut,
    rank::Rank,
    store::Fullness,
    value::Value,
};
use early::Early;
use execute::Ended;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Runs a worker's tasks.
pub(crate) trait Execute {
    /// Queues tasks whose values `value` finds.
    fn begin(&self, run: Run, value: &dyn Fn(TaskId) -> Option<Value>);
    /// Takes up to `count` tasks back that have not begun.
    fn take_back(&self, count: u32) -> Vec<Tasks>;
    /// Takes those of these tasks back that have not begun.
    fn take_back_these(&self, tasks: &[Tasks]) -> Vec<Tasks>;
    /// Lets these tasks know, if they run, that nobody wants their values.
    fn cancel(&self, tasks: &[Tasks]);
    /// What the threads run.
    fn running(&self) -> Vec<Running>;
    /// What may begin, in order.
    fn queued(&self) -> Vec<Tasks>;
    /// What has ended since the last call.
    fn take_ended(&self) -> Vec<Ended>;
    /// How much room there should be for a task that waits for it.
    fn wanted_bytes(&self) -> u64;
    /// How full the memory is now.
    fn note_fullness(&self, fullness: Fullness);
}

/// Something a worker wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin these tasks: all they need is in the store.
    Begin(Run),
    /// Get this value; tell [`Worker::news`] when it is here, unless it is here already.
    Want(Held),
    /// Get a part of this value; tell [`Worker::news`] when it is here.
    WantPart {
        /// What to call it.
        name: TaskId,
        /// The value.
        held: Held,
        /// Which elements of it, if not all.
        cut: Option<Cut>,
    },
    /// Send this value to another worker, for a run.
    Send {
        /// Which worker.
        target: Rank,
        /// Which run.
        order: u64,
        /// The value.
        made: Made,
    },
    /// Forget this value.
    Free(TaskId),
    /// Give back up to this many tasks that were told to begin and have not.
    TakeBack(u32),
    /// Give back these tasks, if they were told to begin and have not.
    TakeBackThese(Vec<Tasks>),
    /// Let these tasks know, if they run, that nobody wants their values.
    Cancel(Vec<Tasks>),
    /// Tell the scheduler.
    Say(ToScheduler),
}

#[derive(Debug)]
struct Waiting {
    run: Run,
    /// How many values it waits for.
    missing: u32,
    /// How many of them do not exist yet.
    unmade: u32,
    cancelled: bool,
}

/// A worker's decisions. See the module.
#[derive(Debug)]
pub(crate) struct Worker {
    this: Rank,
    /// Single tasks that wait for values, by their number.
    waiting: FxHashMap<TaskId, Waiting>,
    /// Which of them wait for a value.
    waiting_for: FxHashMap<TaskId, SmallVec<[TaskId; 2]>>,
    /// Values that were asked for and are not here.
    wanted: FxHashSet<TaskId>,
    /// How many parts of values were asked for, ever.
    parts: u64,
    /// What concerns values that do not exist yet.
    early: Early,
}

impl Worker {
    /// The worker on this rank, without a task.
    pub(crate) fn new(this: Rank) -> Self {
        Self {
            this,
            waiting: FxHashMap::default(),
            waiting_for: FxHashMap::default(),
            wanted: FxHashSet::default(),
            parts: 0,
            early: Early::default(),
        }
    }

    /// Takes one message in. `is_here` tells whether the store has a value, which it then keeps.
    pub(crate) fn handle(
        &mut self,
        message: ToWorker,
        mut is_here: impl FnMut(TaskId) -> bool,
    ) -> Vec<Action> {
        match message {
            ToWorker::Run(run) => self.run(run, &mut is_here),
            ToWorker::Free(tasks) => tasks.into_iter().flat_map(Tasks::iter).map(Action::Free).collect(),
            ToWorker::Yield(count) => vec![Action::TakeBack(count)],
            ToWorker::Recall(tasks) => self.recall(tasks),
            ToWorker::Cancel(tasks) => {
                let mut actions = self.recall(tasks.clone());
                actions.push(Action::Cancel(tasks));
                actions
            }
            ToWorker::Forward { task, target, order } => self.forward(task, target, order),
            ToWorker::Made { order, made } => self.take_in(order, made, &mut is_here),
        }
    }

    /// Gives back tasks that have not begun: those that fetch values, when these have come.
    fn recall(&mut self, tasks: Vec<Tasks>) -> Vec<Action> {
        let mut actions = Vec::new();
        for task in tasks.iter().copied().flat_map(Tasks::iter) {
            self.give_up(task, &mut actions);
        }
        actions.push(Action::TakeBackThese(tasks));
        actions
    }

    /// A task is not to begin: it is given back, at once if it fetches nothing.
    fn give_up(&mut self, task: TaskId, actions: &mut Vec<Action>) {
        if !self.waiting.contains_key(&task) {
            return;
        }
        self.expect_no_more(task);
        let waiting = self.waiting.get_mut(&task).expect("looked at above");
        waiting.cancelled = true;
        if waiting.missing == 0 {
            self.end_waiting(task, actions);
        }
    }

    /// A value that was wanted is here.
    pub(crate) fn news(&mut self, value: TaskId) -> Vec<Action> {
        self.wanted.remove(&value);
        let mut actions = Vec::new();
        for task in self.waiting_for.remove(&value).unwrap_or_default() {
            let Some(waiting) = self.waiting.get_mut(&task) else { continue };
            waiting.missing -= 1;
            if waiting.missing == 0 {
                self.end_waiting(task, &mut actions);
            }
        }
        actions
    }

    /// A task waits for nothing any more: it begins, or is given back.
    fn end_waiting(&mut self, task: TaskId, actions: &mut Vec<Action>) {
        let Some(Waiting { run, cancelled, .. }) = self.waiting.remove(&task) else { return };
        // Parts came for this task only, which keeps them itself from its beginning on.
        let mut parts = Vec::new();
        for_each_part(&run, |part| parts.push(Action::Free(part.task)));
        self.leave_copies(&run, &mut parts);
        if cancelled {
            self.ended_without(run.tasks);
            actions.push(Action::Say(ToScheduler::Yielded(vec![run.tasks])));
        } else {
            actions.push(Action::Begin(run));
        }
        actions.append(&mut parts);
    }

    /// These values will not come. What waits for them is given back, when nothing else is on its way for it.
    pub(crate) fn lose(&mut self, values: &[TaskId]) -> Vec<Action> {
        let mut actions = Vec::new();
        for value in values {
            for task in self.waiting_for.get(value).cloned().unwrap_or_default() {
                if let Some(waiting) = self.waiting.get_mut(&task) {
                    waiting.cancelled = true;
                }
            }
            actions.append(&mut self.news(*value));
        }
        actions
    }

    /// The tasks that wait for values, in order, with the values.
    pub(crate) fn waiting(&self) -> Vec<WaitingTask> {
        let mut tasks: Vec<WaitingTask> = self
            .waiting
            .iter()
            .map(|(task, waiting)| {
                let (mut values, mut unmade) = (Vec::new(), Vec::new());
                for_each_need(&waiting.run, |need| match need {
                    Need::Held(held) if self.wanted.contains(&held.task) => values.push(*held),
                    Need::Own(task) | Need::Sent(task) => unmade.push(*task),
                    _ => {}
                });
                WaitingTask { task: *task, values, unmade }
            })
            .collect();
        tasks.sort_unstable_by_key(|waiting| waiting.task);
        tasks
    }

    /// How many tasks wait for values.
    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// How many values tasks wait for.
    pub(crate) fn wanted_count(&self) -> usize {
        self.waiting_for.len().max(self.wanted.len())
    }

    fn run(&mut self, run: Run, mut is_here: impl FnMut(TaskId) -> bool) -> Vec<Action> {
        self.early.given.insert(run.tasks);
        let order = run.order;
        self.early.order = self.early.order.max(order);
        let mut missing = false;
        for_each_need(&run, |need| {
            missing |= match need {
                Need::Inline(_) => false,
                Need::Held(held) => !is_here(held.task),
                Need::Part(_) | Need::Own(_) | Need::Sent(_) => true,
            }
        });
        if !missing {
            return vec![Action::Begin(run)];
        }
        let mut actions = Vec::new();
        for index in 0..run.tasks.count {
            self.wait(single(&run, index), &mut is_here, &mut actions);
        }
        self.take_in_outrun(order, &mut is_here, &mut actions);
        actions
    }

    fn wait(&mut self, mut run: Run, mut is_here: impl FnMut(TaskId) -> bool, actions: &mut Vec<Action>) {
        let task = run.tasks.first;
        let mut missing: SmallVec<[TaskId; 4]> = SmallVec::new();
        for_each_held(&run, |held| {
            if is_here(held.task) {
                return;
            }
            missing.push(held.task);
            if self.wanted.insert(held.task) {
                actions.push(Action::Want(*held));
            }
        });
        self.want_parts(&mut run, &mut missing, actions);
        let unmade = self.expect(&mut run, &mut is_here, actions);
        // A task may need a value more than once, and of a list very many.
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() && unmade == 0 {
            actions.push(Action::Begin(run));
            return;
        }
        for value in &missing {
            self.waiting_for.entry(*value).or_default().push(task);
        }
        let missing = missing.len() as u32 + unmade;
        self.waiting.insert(task, Waiting { run, missing, unmade, cancelled: false });
    }

    /// Asks for the parts that a single task needs, each under a new name that the task then knows it by.
    fn want_parts(&mut self, run: &mut Run, missing: &mut SmallVec<[TaskId; 4]>, actions: &mut Vec<Action>) {
        for argument in &mut run.arguments {
            let Given::Parts { lists, cuts } = argument else { continue };
            let needs = lists.iter_mut().flatten().enumerate();
            let parts = needs.filter_map(|(place, need)| match need {
                Need::Part(held) => Some((place, held)),
                _ => None,
            });
            // A task whose cut cannot be read begins without its parts, and fails.
            let Ok(cut) = postcard::from_bytes::<Cut>(cuts.at(0)) else { continue };
            for (place, held) in parts.filter(|(place, _)| *place < cut.assembly.input_count()) {
                let name = new_name(&mut self.parts);
                missing.push(name);
                let cut = cut.part(place);
                let part = Held { task: name, size: cut.size(), ..*held };
                actions.push(Action::WantPart { name, held: std::mem::replace(held, part), cut: Some(cut) });
            }
        }
    }
}

/// A name for a part of a value.
fn new_name(parts: &mut u64) -> TaskId {
    *parts += 1;
    TaskId::of_part(*parts - 1)
}

/// Calls `visit` with each value from a store that the tasks need whole.
pub(crate) fn for_each_held(run: &Run, mut visit: impl FnMut(&Held)) {
    for_each_need(run, |need| {
        if let Need::Held(held) = need {
            visit(held);
        }
    });
}

/// Calls `visit` with each value of which the tasks need a part.
pub(crate) fn for_each_part(run: &Run, mut visit: impl FnMut(&Held)) {
    for_each_need(run, |need| {
        if let Need::Part(part) = need {
            visit(part);
        }
    });
}

fn for_each_need(run: &Run, mut visit: impl FnMut(&Need)) {
    run.arguments.iter().for_each(|argument| argument.for_each_need(&mut visit));
}

/// The task at `index` of a run, on its own.
fn single(run: &Run, index: u32) -> Run {
    let at = index as usize;
    Run {
        tasks: Tasks::one(run.tasks.first.plus(index)),
        code: run.code,
        attempt: run.attempt,
        arguments: run.arguments.iter().map(|argument| argument.slice(at..at + 1)).collect(),
        label: run.label.clone(),
        timeout_nanoseconds: run.timeout_nanoseconds,
        is_kept: run.is_kept,
        depth: run.depth,
        order: run.order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::to_bytes,
        ids::Code,
        ids::Size,
        part::{self, Assembly},
        rank::Rank,
    };

    fn held(task: u64) -> Held {
        Held { task: TaskId(task), holder: Rank(3), size: Size { bytes: 8, align: 8 } }
    }

    fn run(first: u64, needs: &[&[u64]]) -> Run {
        let arguments = needs
            .iter()
            .map(|values| Given::Values(values.iter().map(|value| Need::Held(held(*value))).collect()))
            .collect();
        let count = needs.first().map_or(1, |values| values.len() as u32);
        let tasks = Tasks { first: TaskId(first), count };
        let code = Code { module: 0, offset: 0 };
        Run {
            tasks,
            code,
            attempt: 0,
            arguments,
            label: None,
            timeout_nanoseconds: 0,
            is_kept: false,
            depth: 0,
            order: 0,
        }
    }

    fn begun(actions: &[Action]) -> Vec<(u64, u32)> {
        let begun = |action: &Action| match action {
            Action::Begin(run) => Some((run.tasks.first.0, run.tasks.count)),
            _ => None,
        };
        actions.iter().filter_map(begun).collect()
    }

    #[test]
    fn tasks_whose_values_are_here_begin_together() {
        let mut worker = Worker::new(Rank(2));
        assert_eq!(begun(&worker.handle(ToWorker::Run(run(0, &[&[50, 51]])), |_| true)), [(0, 2)]);
    }

    #[test]
    fn a_task_begins_when_its_last_value_has_come() {
        let mut worker = Worker::new(Rank(2));
        let is_here = |task: TaskId| task.0 == 50;
        let actions = worker.handle(ToWorker::Run(run(0, &[&[50, 51], &[52, 52]])), is_here);
        assert_eq!(actions, [Action::Want(held(52)), Action::Want(held(51))], "each is asked for once");
        assert_eq!(begun(&worker.news(TaskId(52))), [(0, 1)]);
        assert_eq!(begun(&worker.news(TaskId(51))), [(1, 1)]);
        assert_eq!(worker.waiting_count(), 0);
    }

    /// A task that takes the first element of each of these values, on another rank where flagged.
    fn run_of_parts(task: u64, values: &[(u64, bool)]) -> Run {
        let first = |piece: usize| part::Run { piece, from: 0, step: 1, count: 1 };
        let (assembly, _) = Assembly::new(vec![(0..values.len()).map(first).collect()]);
        let bytes = to_bytes(&Cut { element_bytes: 8, align: 8, assembly });
        let need = |(value, is_far): &(u64, bool)| match is_far {
            true => Need::Part(held(*value)),
            false => Need::Held(held(*value)),
        };
        let lists = vec![values.iter().map(need).collect()];
        let arguments = vec![Given::Parts { lists, cuts: [bytes.as_slice()].into_iter().collect() }];
        Run { arguments, ..run(task, &[]) }
    }

    #[test]
    fn parts_come_for_one_task_and_go_when_it_begins() {
        let mut worker = Worker::new(Rank(2));
        let values = [(50, true), (51, false), (50, true)];
        let actions = worker.handle(ToWorker::Run(run_of_parts(0, &values)), |task| task.0 == 51);
        let wanted = actions.iter().map(|action| match action {
            Action::WantPart { name, held, cut } => (*name, held.task.0, cut.as_ref().unwrap().size().bytes),
            other => panic!("{other:?}"),
        });
        let names = [TaskId::of_part(0), TaskId::of_part(1)];
        assert_eq!(wanted.collect::<Vec<_>>(), [(names[0], 50, 8), (names[1], 50, 8)]);
        assert!(worker.news(names[1]).is_empty());
        let actions = worker.news(names[0]);
        let Action::Begin(begun) = &actions[0] else { panic!("{actions:?}") };
        let mut parts = Vec::new();
        for_each_part(begun, |part| parts.push(part.task));
        assert_eq!(parts, names, "the task knows its parts by their names");
        assert_eq!(actions[1..], names.map(Action::Free));
        assert_eq!((worker.waiting_count(), worker.wanted_count()), (0, 0));
    }

    #[test]
    fn a_cancelled_task_goes_back_when_its_fetches_are_done() {
        let mut worker = Worker::new(Rank(2));
        worker.handle(ToWorker::Run(run(0, &[&[50]])), |_| false);
        let tasks = vec![Tasks::one(TaskId(0))];
        let actions = worker.handle(ToWorker::Cancel(tasks.clone()), |_| false);
        assert_eq!(actions, [Action::TakeBackThese(tasks.clone()), Action::Cancel(tasks.clone())]);
        assert_eq!(worker.news(TaskId(50)), [Action::Say(ToScheduler::Yielded(tasks))]);
    }
}
