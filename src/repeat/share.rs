//! Pure: which task of a share of a repetition runs next, and what it sends to other shares.
//!
//! A share is what one thread runs of each step. Its *items* are the values that its tasks take: constants, and values
//! that are made in each step, here or by another share. A value is known by its item and by the step that takes it.
//! A share begins a step only if those that take its values are less than [`WINDOW`] steps behind, so that a bounded
//! number of values waits anywhere.

use crate::{ids::Code, message::Argument, part::Cut};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BinaryHeap};

/// How many steps are under way at most.
pub(super) const WINDOW: u64 = 8;

/// What one thread runs of each step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Its tasks, by the function that they call, one after the other.
    pub(super) groups: Vec<Group>,
    /// What becomes of the value of each task.
    pub(super) tasks: Vec<Targets>,
    pub(super) items: Vec<Item>,
    /// The tasks whose values of the last step are wanted.
    pub(super) outputs: Vec<u32>,
}

/// Tasks that call one function. Their arguments are items of the share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) code: Code,
    pub(super) count: u32,
    pub(super) arguments: Vec<Argument<Vec<u32>, Vec<u32>>>,
}

/// Which items the value of a task is for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Targets {
    pub(super) here: Vec<Target>,
    /// With the share, and what is wanted of the value if that is not all of it.
    pub(super) elsewhere: Vec<(u32, Target, Option<Cut>)>,
}

/// An item that a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) item: u32,
    /// Whether it is for the next step.
    pub(super) is_later: bool,
}

/// A value that tasks of a share take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Item {
    /// The same in each step: one of the values that the share is given.
    Constant(u32),
    /// Made in the step that takes it.
    Made,
    /// Made in the step before; in the first step it is one of the values that the share is given.
    Carried(u32),
}

/// Where a share stands. `V` is a value.
#[derive(Debug)]
pub(super) struct Share<V> {
    plan: Plan,
    steps: u64,
    /// The group and the place in it of each task.
    places: Vec<(u32, u32)>,
    /// The items that each task takes, each once, but for constants.
    needs: Vec<Vec<u32>>,
    /// The tasks that take each item.
    takers: Vec<Vec<u32>>,
    constants: Vec<V>,
    /// The value of an item in a step, and how many tasks have yet to take it; a window of them for each item.
    values: Vec<Option<(V, u32)>>,
    /// How many items a task lacks in a step; a window of them for each task.
    missing: Vec<u32>,
    /// How many tasks of a step have not ended, for a window of steps.
    open: Vec<u32>,
    /// Tasks that have all they need: those of early steps first, and of a step those that others wait for.
    ready: BinaryHeap<Reverse<(u64, bool, u32)>>,
    /// How many steps are complete.
    completed: u64,
    /// The shares that take values of this one, and how many steps each has completed.
    takers_elsewhere: Vec<(u32, u64)>,
    /// The shares that this one takes values of, and how many steps they know it to have completed.
    sources: Vec<u32>,
    told: u64,
    results: Vec<Option<V>>,
}

/// What is to be sent to other shares.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing<V> {
    Value { share: u32, item: u32, step: u64, value: V, cut: Option<Cut> },
    Completed { share: u32, steps: u64 },
}

impl<V: Clone> Share<V> {
    /// A share at its beginning, with the values that it is given; `sources` are the shares that send it some.
    pub(super) fn new(plan: Plan, steps: u64, given: Vec<V>, sources: Vec<u32>) -> Self {
        let window = WINDOW as usize;
        let (task_count, item_count) = (plan.tasks.len(), plan.items.len());
        let mut places = Vec::with_capacity(task_count);
        for (group, tasks) in plan.groups.iter().enumerate() {
            places.extend((0..tasks.count).map(|index| (group as u32, index)));
        }
        let mut takers: Vec<Vec<u32>> = vec![Vec::new(); item_count];
        let mut needs: Vec<Vec<u32>> = vec![Vec::new(); task_count];
        for (task, (group, index)) in places.iter().enumerate() {
            for argument in &plan.groups[*group as usize].arguments {
                for item in argument.taken_by(*index as usize).iter().copied() {
                    let is_made = !matches!(plan.items[item as usize], Item::Constant(_));
                    if is_made && !needs[task].contains(&item) {
                        needs[task].push(item);
                        takers[item as usize].push(task as u32);
                    }
                }
            }
        }
        let mut elsewhere: Vec<u32> = plan
            .tasks
            .iter()
            .flat_map(|targets| targets.elsewhere.iter().map(|(share, ..)| *share))
            .collect();
        elsewhere.sort_unstable();
        elsewhere.dedup();
        let missing = needs.iter().flat_map(|needs| [needs.len() as u32; WINDOW as usize]).collect();
        let mut share = Self {
            steps,
            places,
            constants: given,
            values: vec![None; item_count * window],
            missing,
            open: vec![task_count as u32; window],
            ready: BinaryHeap::new(),
            completed: if task_count == 0 { steps } else { 0 },
            takers_elsewhere: elsewhere.into_iter().map(|share| (share, 0)).collect(),
            sources,
            told: 0,
            results: vec![None; plan.outputs.len()],
            needs,
            takers,
            plan,
        };
        share.begin();
        share
    }

    /// Tasks that need nothing are ready in each step of the window; what is carried has its first value.
    fn begin(&mut self) {
        for item in 0..self.plan.items.len() {
            if let Item::Carried(given) = self.plan.items[item] {
                let value = self.constants[given as usize].clone();
                self.take_in(item as u32, 0, value);
            }
        }
        for step in 0..WINDOW.min(self.steps) {
            self.make_ready_without_needs(step);
        }
    }

    fn make_ready_without_needs(&mut self, step: u64) {
        for task in 0..self.needs.len() {
            if self.needs[task].is_empty() {
                self.make_ready(task as u32, step);
            }
        }
    }

    fn make_ready(&mut self, task: u32, step: u64) {
        let is_inner = self.plan.tasks[task as usize].elsewhere.is_empty();
        self.ready.push(Reverse((step, is_inner, task)));
    }

    /// A value has come, for a step.
    pub(super) fn take_in(&mut self, item: u32, step: u64, value: V) {
        let at = (step % WINDOW) as usize;
        let count = self.takers[item as usize].len();
        self.values[item as usize * WINDOW as usize + at] = Some((value, count as u32));
        for place in 0..count {
            let task = self.takers[item as usize][place];
            let missing = &mut self.missing[task as usize * WINDOW as usize + at];
            *missing -= 1;
            if *missing == 0 {
                self.make_ready(task, step);
            }
        }
    }

    /// Another share has completed so many steps.
    pub(super) fn has_completed(&mut self, share: u32, steps: u64) {
        for (taker, completed) in &mut self.takers_elsewhere {
            if *taker == share {
                *completed = (*completed).max(steps);
            }
        }
    }

    /// The task to run next, and its step, if one can begin.
    pub(super) fn next(&mut self) -> Option<(u32, u64)> {
        let step = self.peek()?.0;
        let Reverse((_, _, task)) = self.ready.pop()?;
        Some((task, step))
    }

    /// Whether the next task makes something for other shares.
    pub(super) fn next_is_awaited(&self) -> bool {
        self.peek().is_some_and(|(_, is_inner)| !is_inner)
    }

    fn peek(&self) -> Option<(u64, bool)> {
        let Reverse((step, is_inner, _)) = self.ready.peek()?;
        let slowest = self.takers_elsewhere.iter().map(|(_, completed)| *completed).min();
        let behind = slowest.unwrap_or(self.completed).min(self.completed);
        (*step < behind + WINDOW - 1).then_some((*step, *is_inner))
    }

    /// The function of a task, and its place among those that call it.
    pub(super) fn call(&self, task: u32) -> (&Group, usize, usize) {
        let (group, index) = self.places[task as usize];
        (&self.plan.groups[group as usize], group as usize, index as usize)
    }

    /// The value of an item in a step.
    pub(super) fn value(&self, item: u32, step: u64) -> Option<&V> {
        match self.plan.items[item as usize] {
            Item::Constant(given) => self.constants.get(given as usize),
            Item::Made | Item::Carried(_) => {
                let at = item as usize * WINDOW as usize + (step % WINDOW) as usize;
                self.values[at].as_ref().map(|(value, _)| value)
            }
        }
    }

    /// A task has ended with a value. Adds what is to be sent.
    pub(super) fn ended(&mut self, task: u32, step: u64, value: V, out: &mut Vec<Outgoing<V>>) {
        let at = (step % WINDOW) as usize;
        for place in 0..self.needs[task as usize].len() {
            let item = self.needs[task as usize][place] as usize;
            let slot = &mut self.values[item * WINDOW as usize + at];
            if let Some((_, left)) = slot {
                *left -= 1;
                if *left == 0 {
                    *slot = None;
                }
            }
        }
        self.missing[task as usize * WINDOW as usize + at] = self.needs[task as usize].len() as u32;
        if step + 1 == self.steps
            && let Some(output) = self.plan.outputs.iter().position(|output| *output == task)
        {
            self.results[output] = Some(value.clone());
        }
        let targets = std::mem::take(&mut self.plan.tasks[task as usize]);
        let steps = self.steps;
        let step_of = |target: Target| {
            let step = step + u64::from(target.is_later);
            (step < steps).then_some(step)
        };
        for (share, target, cut) in &targets.elsewhere {
            if let Some(step) = step_of(*target) {
                let (item, value, cut) = (target.item, value.clone(), cut.clone());
                out.push(Outgoing::Value { share: *share, item, step, value, cut });
            }
        }
        for target in &targets.here {
            if let Some(step) = step_of(*target) {
                self.take_in(target.item, step, value.clone());
            }
        }
        self.plan.tasks[task as usize] = targets;
        self.close(step, out);
    }

    /// One task less of a step is open.
    fn close(&mut self, step: u64, out: &mut Vec<Outgoing<V>>) {
        self.open[(step % WINDOW) as usize] -= 1;
        while self.completed < self.steps && self.open[(self.completed % WINDOW) as usize] == 0 {
            self.open[(self.completed % WINDOW) as usize] = self.plan.tasks.len() as u32;
            if self.completed + WINDOW < self.steps {
                self.make_ready_without_needs(self.completed + WINDOW);
            }
            self.completed += 1;
        }
        // They wait to know only as long as they have steps to begin.
        if self.completed - self.told >= WINDOW / 2 && self.told + WINDOW <= self.steps {
            self.told = self.completed;
            out.extend(
                self.sources.iter().map(|share| Outgoing::Completed { share: *share, steps: self.completed }),
            );
        }
    }

    /// Whether all steps are complete.
    pub(super) fn is_complete(&self) -> bool {
        self.completed == self.steps
    }

    /// The values of the last step that are wanted.
    pub(super) fn into_results(self) -> Vec<V> {
        self.results.into_iter().flatten().collect()
    }
}
