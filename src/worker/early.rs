//! Tasks that the worker is given early: before all that they need exists.
//!
//! What such a task needs is made by a task of this worker ([`Need::Own`]), or by one of another worker, which then
//! sends it ([`Need::Sent`]): the scheduler is in neither way. It has told that worker to ([`ToWorker::Forward`]).
//! Who is told to send what it has made before asks the scheduler to ([`ToScheduler::Missed`]).
//!
//! A value may overtake the run that it is for, as they come from different ranks. So the runs for which values are
//! sent are counted: a value for a later run than the last one is kept for it; of an earlier run, nobody may wait
//! for it any more.
//!
//! A large value of another worker is fetched for the tasks that wait for it then, under a name that only they know.

use super::{Action, Waiting, Worker, for_each_held, new_name};
use crate::{
    ids::{Size, TaskId, Tasks},
    message::{Finished, Given, Held, Made, Need, Run, ToScheduler},
    part::Cut,
    rank::Rank,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// What a worker knows of values that do not exist yet.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// The tasks that it has been given and that have not ended.
    pub(super) given: Ranges,
    /// The latest run for which values are sent.
    pub(super) order: u64,
    /// The tasks that wait for a value which does not exist yet.
    awaiting: FxHashMap<TaskId, SmallVec<[TaskId; 2]>>,
    /// To whom the value of a task goes, and for which runs.
    forwards: FxHashMap<TaskId, SmallVec<[(Rank, u64); 2]>>,
    /// Values that have overtaken their runs.
    outrun: BTreeMap<u64, Vec<Made>>,
    /// Copies of values of other workers: how many tasks that have not begun use each.
    copies: FxHashMap<TaskId, u32>,
}

impl Made {
    fn task(&self) -> TaskId {
        match self {
            Self::Small { task, .. } => *task,
            Self::Large(held) => held.task,
        }
    }
}

impl Need {
    /// The task whose value is needed, if it does not exist yet.
    fn unmade(&self) -> Option<TaskId> {
        match self {
            Self::Own(task) | Self::Sent(task) => Some(*task),
            Self::Inline(_) | Self::Held(_) | Self::Part(_) => None,
        }
    }
}

impl Worker {
    /// How much there is of what goes with tasks that were given early.
    pub(crate) fn left_early(&self) -> [(&'static str, usize); 5] {
        [
            ("tasks given to the worker", self.early.given.len()),
            ("values that are awaited", self.early.awaiting.len()),
            ("values to send", self.early.forwards.len()),
            ("values before their run", self.early.outrun.len()),
            ("copies for tasks", self.early.copies.len()),
        ]
    }

    /// Has a new task wait for what does not exist yet. Returns for how many values.
    pub(super) fn expect(
        &mut self,
        run: &mut Run,
        is_here: &mut impl FnMut(TaskId) -> bool,
        actions: &mut Vec<Action>,
    ) -> u32 {
        let (waiter, this) = (run.tasks.first, self.this);
        let order = self.early.order;
        let mut unmade: SmallVec<[TaskId; 4]> = SmallVec::new();
        for_each_need_mut(run, |need, _| match *need {
            // The scheduler has yet to hear that it was made.
            Need::Own(task) if is_here(task) => {
                *need = Need::Held(Held { task, holder: this, size: Size::default() });
            }
            Need::Own(task) | Need::Sent(task) if unmade.contains(&task) => {}
            Need::Own(task) => {
                unmade.push(task);
                if !self.early.given.contains(task) {
                    actions.push(Action::Say(ToScheduler::Missed { task, target: this, order }));
                }
            }
            Need::Sent(task) => unmade.push(task),
            Need::Inline(_) | Need::Held(_) | Need::Part(_) => {}
        });
        for task in &unmade {
            self.early.awaiting.entry(*task).or_default().push(waiter);
        }
        unmade.len() as u32
    }

    /// A task waits no more for what does not exist yet.
    pub(super) fn expect_no_more(&mut self, task: TaskId) {
        let Some(waiting) = self.waiting.get_mut(&task).filter(|waiting| waiting.unmade > 0) else { return };
        waiting.missing -= std::mem::take(&mut waiting.unmade);
        let awaiting = &mut self.early.awaiting;
        for_each_need_mut(&mut waiting.run, |need, _| {
            let Some(value) = need.unmade() else { return };
            if let Some(waiters) = awaiting.get_mut(&value) {
                waiters.retain(|waiter| *waiter != task);
                if waiters.is_empty() {
                    awaiting.remove(&value);
                }
            }
        });
    }

    /// A rank is lost: all that waits for what does not exist yet is given back, as it may never be made.
    pub(crate) fn give_up_unmade(&mut self) -> Vec<Action> {
        let unmade = self.waiting.iter().filter(|(_, waiting)| waiting.unmade > 0);
        let mut tasks: Vec<TaskId> = unmade.map(|(task, _)| *task).collect();
        tasks.sort_unstable();
        let mut actions = Vec::new();
        tasks.into_iter().for_each(|task| self.give_up(task, &mut actions));
        actions
    }

    /// The value of a task is to be sent to another worker when it is made.
    pub(super) fn forward(&mut self, task: TaskId, target: Rank, order: u64) -> Vec<Action> {
        if !self.early.given.contains(task) {
            return vec![Action::Say(ToScheduler::Missed { task, target, order })];
        }
        self.early.forwards.entry(task).or_default().push((target, order));
        Vec::new()
    }

    /// A value was sent for a run.
    pub(super) fn take_in(
        &mut self,
        order: u64,
        made: Made,
        is_here: &mut impl FnMut(TaskId) -> bool,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        if order > self.early.order {
            self.early.outrun.entry(order).or_default().push(made);
        } else {
            self.made(&made, is_here, &mut actions);
        }
        actions
    }

    /// Values may have overtaken this run.
    pub(super) fn take_in_outrun(
        &mut self,
        order: u64,
        is_here: &mut impl FnMut(TaskId) -> bool,
        actions: &mut Vec<Action>,
    ) {
        for made in self.early.outrun.remove(&order).into_iter().flatten() {
            self.made(&made, is_here, actions);
        }
    }

    /// Tasks of this worker have small values.
    pub(crate) fn made_small(&mut self, finished: &Finished) -> Vec<Action> {
        let mut actions = Vec::new();
        self.early.given.remove(finished.tasks());
        if self.early.awaiting.is_empty() && self.early.forwards.is_empty() {
            return actions;
        }
        for (index, value) in finished.values.iter().enumerate() {
            let task = finished.first.plus(index as u32);
            self.pass_on(task, || Made::Small { task, value: value.to_vec() }, &mut actions);
        }
        actions
    }

    /// A task of this worker has a large value.
    pub(crate) fn made_large(&mut self, held: Held) -> Vec<Action> {
        let mut actions = Vec::new();
        self.early.given.remove(Tasks::one(held.task));
        self.pass_on(held.task, || Made::Large(held), &mut actions);
        actions
    }

    /// Tasks were given back, or have failed: they make no value here.
    pub(crate) fn ended_without(&mut self, tasks: Tasks) {
        self.early.given.remove(tasks);
        if !self.early.forwards.is_empty() {
            tasks.iter().for_each(|task| drop(self.early.forwards.remove(&task)));
        }
    }

    /// A task begins, or is given back: it uses copies no more, and the last one that does frees them.
    pub(super) fn leave_copies(&mut self, run: &Run, actions: &mut Vec<Action>) {
        if self.early.copies.is_empty() {
            return;
        }
        let mut names: SmallVec<[TaskId; 4]> = SmallVec::new();
        for_each_held(run, |held| names.extend(Some(held.task).filter(|name| name.is_part())));
        // It may need a value more than once.
        names.sort_unstable();
        names.dedup();
        for name in names {
            let Some(users) = self.early.copies.get_mut(&name) else { continue };
            *users -= 1;
            if *users == 0 {
                self.early.copies.remove(&name);
                actions.push(Action::Free(name));
            }
        }
    }

    /// Passes a value on to whoever waits for it, here and elsewhere.
    fn pass_on(&mut self, task: TaskId, value: impl Fn() -> Made, actions: &mut Vec<Action>) {
        for (target, order) in self.early.forwards.remove(&task).unwrap_or_default() {
            actions.push(Action::Send { target, order, made: value() });
        }
        if self.early.awaiting.contains_key(&task) {
            self.made(&value(), &mut |_| true, actions);
        }
    }

    /// Gives a value to the tasks that wait for it to be made.
    fn made(&mut self, made: &Made, is_here: &mut impl FnMut(TaskId) -> bool, actions: &mut Vec<Action>) {
        let value = made.task();
        // All that wait for the whole of it share one copy.
        let mut copy = None;
        for task in self.early.awaiting.remove(&value).unwrap_or_default() {
            let Some(waiting) = self.waiting.get_mut(&task) else { continue };
            let mut wanted = match made {
                Made::Large(held) if held.holder != self.this => {
                    fetches(waiting, *held, &mut copy, &mut self.parts, actions)
                }
                // The scheduler may know that it is on its way here for another task.
                Made::Large(held) if !is_here(held.task) => SmallVec::from_slice(&[held.task]),
                _ => SmallVec::new(),
            };
            for_each_need_mut(&mut waiting.run, |need, _| {
                if need.unmade() == Some(value) {
                    *need = match made {
                        Made::Small { value, .. } => Need::Inline(value.clone()),
                        Made::Large(held) => Need::Held(*held),
                    };
                }
            });
            waiting.unmade -= 1;
            waiting.missing += wanted.len() as u32;
            waiting.missing -= 1;
            if let Some(name) = copy.filter(|name| wanted.contains(name)) {
                *self.early.copies.entry(name).or_default() += 1;
            }
            let is_complete = waiting.missing == 0;
            wanted.drain(..).for_each(|name| self.waiting_for.entry(name).or_default().push(task));
            if is_complete {
                self.end_waiting(task, actions);
            }
        }
    }
}

/// Has a task fetch what it needs of a value of another worker's, which has just been made: parts for itself, or a
/// copy that it shares. Returns what these are called.
fn fetches(
    waiting: &mut Waiting,
    held: Held,
    copy: &mut Option<TaskId>,
    parts: &mut u64,
    actions: &mut Vec<Action>,
) -> SmallVec<[TaskId; 2]> {
    let mut wanted = SmallVec::new();
    for_each_need_mut(&mut waiting.run, |need, cut| {
        if need.unmade() != Some(held.task) {
            return;
        }
        if let Some(cut) = cut {
            let name = new_name(parts);
            wanted.push(name);
            *need = Need::Part(Held { task: name, size: cut.size(), ..held });
            actions.push(Action::WantPart { name, held, cut: Some(cut) });
            return;
        }
        let name = *copy.get_or_insert_with(|| {
            let name = new_name(parts);
            actions.push(Action::WantPart { name, held, cut: None });
            name
        });
        if !wanted.contains(&name) {
            wanted.push(name);
        }
        *need = Need::Held(Held { task: name, ..held });
    });
    wanted
}

/// Calls `visit` with each need of a single task, and with which part of it is needed if that can be said.
fn for_each_need_mut(run: &mut Run, mut visit: impl FnMut(&mut Need, Option<Cut>)) {
    for argument in &mut run.arguments {
        match argument {
            Given::Same(_) | Given::Each(_) => {}
            Given::Values(needs) => needs.iter_mut().for_each(|need| visit(need, None)),
            Given::Lists { lists, .. } => lists.iter_mut().flatten().for_each(|need| visit(need, None)),
            Given::Parts { lists, cuts } => {
                let cut = postcard::from_bytes::<Cut>(cuts.at(0)).ok();
                for (place, need) in lists.iter_mut().flatten().enumerate() {
                    let is_awaited = need.unmade().is_some();
                    let cut = cut.as_ref().filter(|cut| is_awaited && place < cut.assembly.input_count());
                    visit(need, cut.map(|cut| cut.part(place)));
                }
            }
        }
    }
}

/// Sets of tasks as ranges, from the first to the one after the last.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(super) fn insert(&mut self, tasks: Tasks) {
        let (mut start, mut end) = (tasks.first.0, tasks.first.0 + u64::from(tasks.count));
        if let Some((before, until)) = self.0.range(..=start).next_back()
            && *until >= start
        {
            (start, end) = (*before, end.max(*until));
        }
        while let Some((after, until)) = self.0.range(start + 1..=end).next() {
            end = end.max(*until);
            let after = *after;
            self.0.remove(&after);
        }
        self.0.insert(start, end);
    }

    pub(super) fn remove(&mut self, tasks: Tasks) {
        let (start, end) = (tasks.first.0, tasks.first.0 + u64::from(tasks.count));
        while let Some((from, until)) = self.0.range(..end).next_back().map(|(from, until)| (*from, *until))
            && until > start
        {
            self.0.remove(&from);
            if from < start {
                self.0.insert(from, start);
            }
            if until > end {
                self.0.insert(end, until);
            }
        }
    }

    pub(super) fn contains(&self, task: TaskId) -> bool {
        self.0.range(..=task.0).next_back().is_some_and(|(_, end)| *end > task.0)
    }

    fn len(&self) -> usize {
        self.0.iter().map(|(start, end)| (end - start) as usize).sum()
    }
}

#[cfg(test)]
mod tests;
