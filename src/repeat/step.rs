//! Pure: one step of a repetition, as it was recorded, and which thread runs which of its tasks.

use super::share::{Group, Item, Plan, Target, Targets};
use crate::{
    ids::{TaskId, Tasks},
    message::{Argument, Column, Layer, Options},
    part::Cut,
};
use rustc_hash::FxHashMap;

/// One step: its layers, and what it takes and gives.
#[derive(Debug)]
pub(super) struct Step {
    layers: Vec<Layer>,
    /// What stands for the values that the step takes.
    state: Tasks,
    /// The task that makes each value for the next step, counted over all layers; or nothing, if the value is the same
    /// in each step.
    next: Vec<Option<u32>>,
    /// The layer of each task.
    layer_of: Vec<u32>,
}

/// What a task takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    /// The value of a task of the step before, or the initial one of this place.
    Before(u32, u32),
    /// The value of a task of this step.
    Same(u32),
    /// A value that is the same in all steps.
    Constant(TaskId),
}

/// What the shares of a repetition run, and what they are given.
#[derive(Debug, Default)]
pub(super) struct Shares {
    pub(super) plans: Vec<Plan>,
    /// The values that each is given.
    pub(super) given: Vec<Vec<TaskId>>,
    /// The shares that each takes values of.
    pub(super) sources: Vec<Vec<u32>>,
    /// For each value that the step gives, the share that has it in the end, and its place there; nothing where it is
    /// the initial one.
    pub(super) outputs: Vec<Option<(u32, u32)>>,
}

impl Step {
    /// The step of these layers, which takes the values that `state` stands for and gives those of `next`. `None` if it
    /// must be submitted step by step: for its options, or since it passes values on otherwise than from task to task.
    pub(super) fn new(layers: Vec<Layer>, state: Tasks, next: &[TaskId]) -> Option<Self> {
        let is_plain =
            |layer: &Layer| layer.code.module == 0 && layer.options.as_deref().is_none_or(Options::is_plain);
        if layers.is_empty() || !layers.iter().all(is_plain) || next.len() != state.count as usize {
            return None;
        }
        let mut layer_of = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            layer_of.extend((0..layer.tasks.count).map(|_| index as u32));
        }
        let mut step = Self { layers, state, next: Vec::new(), layer_of };
        for (place, task) in next.iter().enumerate() {
            let own = step.number(*task);
            let is_unchanged = *task == state.first.plus(place as u32);
            if own.is_none() && !is_unchanged {
                return None;
            }
            step.next.push(own);
        }
        step.next.iter().any(Option::is_some).then_some(step)
    }

    /// The number of a task of the step.
    fn number(&self, task: TaskId) -> Option<u32> {
        let mut before = 0;
        for layer in &self.layers {
            if layer.tasks.contains(task) {
                return Some(before + (task.0 - layer.tasks.first.0) as u32);
            }
            before += layer.tasks.count;
        }
        None
    }

    /// The most tasks that may run at a time.
    pub(super) fn width(&self) -> u32 {
        self.layers.iter().map(|layer| layer.tasks.count).max().unwrap_or(0)
    }

    /// What its tasks are called.
    pub(super) fn name(&self) -> String {
        let mut names: Vec<String> = self.layers.iter().map(Layer::name).collect();
        names.dedup();
        names.join(", ")
    }

    fn source(&self, need: TaskId, initial: &[TaskId]) -> Source {
        if self.state.contains(need) {
            let place = (need.0 - self.state.first.0) as u32;
            return match self.next[place as usize] {
                Some(task) => Source::Before(task, place),
                None => Source::Constant(initial[place as usize]),
            };
        }
        self.number(need).map_or(Source::Constant(need), Source::Same)
    }

    /// What each task takes, without arguments that are encoded.
    fn sources(&self, initial: &[TaskId]) -> Vec<Vec<Source>> {
        let mut all = Vec::with_capacity(self.layer_of.len());
        for layer in &self.layers {
            for index in 0..layer.tasks.count {
                let mut sources = Vec::new();
                for column in &layer.columns {
                    column.for_each_need(index as usize, |need| sources.push(self.source(need, initial)));
                }
                all.push(sources);
            }
        }
        all
    }

    /// The tasks that the values for the next step depend on.
    fn is_needed(&self, sources: &[Vec<Source>]) -> Vec<bool> {
        let mut is_needed = vec![false; sources.len()];
        let mut open: Vec<u32> = self.next.iter().flatten().copied().collect();
        while let Some(task) = open.pop() {
            if std::mem::replace(&mut is_needed[task as usize], true) {
                continue;
            }
            open.extend(sources[task as usize].iter().filter_map(|source| match source {
                Source::Before(task, _) | Source::Same(task) => Some(*task),
                Source::Constant(_) => None,
            }));
        }
        is_needed
    }

    /// The share of each task: a layer is cut into as many stretches as there are shares; if it has fewer tasks, each
    /// is where most of what it takes is made.
    fn share_of_each(&self, sources: &[Vec<Source>], count: u32) -> Vec<u32> {
        let mut share_of = Vec::with_capacity(sources.len());
        for layer in &self.layers {
            let tasks = u64::from(layer.tasks.count);
            share_of.extend((0..tasks).map(|index| (index * u64::from(count) / tasks) as u32));
        }
        for task in 0..sources.len() {
            if self.layers[self.layer_of[task] as usize].tasks.count >= count {
                continue;
            }
            let mut votes = vec![0_u32; count as usize];
            for source in &sources[task] {
                if let Source::Before(maker, _) | Source::Same(maker) = source {
                    votes[share_of[*maker as usize] as usize] += 1;
                }
            }
            let most = votes.iter().copied().max().unwrap_or(0);
            if most > 0 && votes[share_of[task] as usize] < most {
                share_of[task] = votes.iter().position(|votes| *votes == most).unwrap_or(0) as u32;
            }
        }
        share_of
    }

    /// Cuts the step into so many shares, of which some may be empty. `initial` are the values that it takes at first;
    /// `are_near` tells whether two shares are on one rank, where values are handed on whole.
    pub(super) fn split(
        &self,
        count: u32,
        initial: &[TaskId],
        are_near: impl Fn(u32, u32) -> bool,
    ) -> Shares {
        let sources = self.sources(initial);
        let is_needed = self.is_needed(&sources);
        let share_of = self.share_of_each(&sources, count);
        let mut split = Split {
            step: self,
            initial,
            share_of: &share_of,
            are_near: &are_near,
            place_of: vec![0; sources.len()],
            known: vec![FxHashMap::default(); count as usize],
            givens: vec![FxHashMap::default(); count as usize],
            shares: Shares {
                plans: vec![Plan::default(); count as usize],
                given: vec![Vec::new(); count as usize],
                sources: vec![Vec::new(); count as usize],
                outputs: Vec::new(),
            },
        };
        split.place_tasks(&is_needed);
        split.give_arguments(&is_needed);
        split.give_outputs();
        split.shares.sources.iter_mut().for_each(|sources| {
            sources.sort_unstable();
            sources.dedup();
        });
        split.shares
    }
}

/// Shares while a step is cut into them.
struct Split<'a, F> {
    step: &'a Step,
    initial: &'a [TaskId],
    share_of: &'a [u32],
    are_near: &'a F,
    /// The place of each task in its share.
    place_of: Vec<u32>,
    /// The items of each share that are whole values.
    known: Vec<FxHashMap<Source, u32>>,
    /// The places of the values that each share is given.
    givens: Vec<FxHashMap<TaskId, u32>>,
    shares: Shares,
}

impl<F: Fn(u32, u32) -> bool> Split<'_, F> {
    /// Gives each task a place in its share.
    fn place_tasks(&mut self, is_needed: &[bool]) {
        for (task, _) in is_needed.iter().enumerate().filter(|(_, is_needed)| **is_needed) {
            let tasks = &mut self.shares.plans[self.share_of[task] as usize].tasks;
            self.place_of[task] = tasks.len() as u32;
            tasks.push(Targets::default());
        }
    }

    /// Gives each share the functions and arguments of its tasks, as items of its own.
    fn give_arguments(&mut self, is_needed: &[bool]) {
        let mut first = 0;
        for layer in &self.step.layers {
            let tasks = first..first + layer.tasks.count;
            first = tasks.end;
            for share in 0..self.shares.plans.len() as u32 {
                let own: Vec<u32> = tasks
                    .clone()
                    .filter(|task| is_needed[*task as usize] && self.share_of[*task as usize] == share)
                    .collect();
                if own.is_empty() {
                    continue;
                }
                let places: Vec<usize> = own.iter().map(|task| (task - tasks.start) as usize).collect();
                let arguments =
                    layer.columns.iter().map(|column| self.argument(column, share, &places)).collect();
                let group = Group { code: layer.code, count: own.len() as u32, arguments };
                self.shares.plans[share as usize].groups.push(group);
            }
        }
    }

    /// A column, for the tasks at these places of its layer.
    fn argument(&mut self, column: &Column, share: u32, places: &[usize]) -> Argument<Vec<u32>, Vec<u32>> {
        match column {
            Argument::Same(bytes) => Argument::Same(bytes.clone()),
            Argument::Each(values) => Argument::Each(places.iter().map(|place| values.at(*place)).collect()),
            Argument::Values(ids) => {
                Argument::Values(places.iter().map(|place| self.item(ids.at(*place), share, None)).collect())
            }
            Argument::Lists { lists, collect } => {
                let list = |place: &usize| self.items(&lists[*place], share, None);
                Argument::Lists { lists: places.iter().map(list).collect(), collect: *collect }
            }
            Argument::Parts { lists, cuts } => {
                let list = |place: &usize| {
                    // A task whose cut cannot be read fails when it runs.
                    let cut = postcard::from_bytes::<Cut>(cuts.at(*place)).ok();
                    self.items(&lists[*place], share, cut.as_ref())
                };
                let lists = places.iter().map(list).collect();
                Argument::Parts { lists, cuts: places.iter().map(|place| cuts.at(*place)).collect() }
            }
        }
    }

    fn items(&mut self, list: &[Tasks], share: u32, cut: Option<&Cut>) -> Vec<u32> {
        let needs = list.iter().copied().flat_map(Tasks::iter).enumerate();
        let cut_at = |place| cut.filter(|cut| place < cut.assembly.input_count()).map(|cut| cut.part(place));
        needs.map(|(place, need)| self.item(need, share, cut_at(place))).collect()
    }

    /// The item of a share that is the value of a task, or the part of it that is wanted if it is made elsewhere.
    fn item(&mut self, need: TaskId, share: u32, cut: Option<Cut>) -> u32 {
        let source = self.step.source(need, self.initial);
        let maker = match source {
            Source::Before(task, _) | Source::Same(task) => Some(task),
            Source::Constant(_) => None,
        };
        let is_far = |task| {
            let other = self.share_of[task as usize];
            other != share && !(self.are_near)(other, share)
        };
        let cut = cut.filter(|_| maker.is_some_and(is_far));
        if cut.is_none()
            && let Some(item) = self.known[share as usize].get(&source)
        {
            return *item;
        }
        let item = match source {
            Source::Before(_, place) => Item::Carried(self.given(self.initial[place as usize], share)),
            Source::Same(_) => Item::Made,
            Source::Constant(task) => Item::Constant(self.given(task, share)),
        };
        let items = &mut self.shares.plans[share as usize].items;
        let number = items.len() as u32;
        items.push(item);
        if cut.is_none() {
            self.known[share as usize].insert(source, number);
        }
        if let Some(task) = maker {
            let target = Target { item: number, is_later: matches!(source, Source::Before(..)) };
            self.aim(task, share, target, cut);
        }
        number
    }

    /// The value of a task is for an item of a share.
    fn aim(&mut self, task: u32, share: u32, target: Target, cut: Option<Cut>) {
        let maker = self.share_of[task as usize];
        let place = self.place_of[task as usize] as usize;
        let targets = &mut self.shares.plans[maker as usize].tasks[place];
        if maker == share {
            targets.here.push(target);
        } else {
            targets.elsewhere.push((share, target, cut));
            self.shares.sources[share as usize].push(maker);
        }
    }

    /// The place of a value among those that a share is given.
    fn given(&mut self, task: TaskId, share: u32) -> u32 {
        let given = &mut self.shares.given[share as usize];
        *self.givens[share as usize].entry(task).or_insert_with(|| {
            given.push(task);
            given.len() as u32 - 1
        })
    }

    /// Notes where the values of the last step will be.
    fn give_outputs(&mut self) {
        let mut known: FxHashMap<u32, (u32, u32)> = FxHashMap::default();
        for next in &self.step.next {
            let output = next.map(|task| {
                *known.entry(task).or_insert_with(|| {
                    let share = self.share_of[task as usize];
                    let outputs = &mut self.shares.plans[share as usize].outputs;
                    outputs.push(self.place_of[task as usize]);
                    (share, outputs.len() as u32 - 1)
                })
            });
            self.shares.outputs.push(output);
        }
    }
}
