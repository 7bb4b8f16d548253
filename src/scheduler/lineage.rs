//! When a worker is lost: what it ran runs elsewhere, what only it held is made again.
//!
//! Where the run can survive that ([`Scheduler::survive`]), the record of a task stays while a value that
//! was made from its own may have to be made again: its own value goes as ever, it is *released*. A small
//! value is safe here, so nothing is kept for it. What is kept is bounded; beyond that the oldest goes,
//! and a value that would need it can't be made again.
//!
//! A loss stops all giving out until each worker that lives has said what it lacks, namely what was on
//! its way to it from there. Then the tables are true again, and all that has not ended is looked at anew
//! ([`Scheduler::recover`]).
//!
//! Nobody knows which of its tasks a worker was lost by. So each that it had is a *suspect*: it runs again
//! on a thread of its own, and joins no others. Only who is at it again and again stays one.

#[cfg(test)]
mod tests;

use super::{
    Scheduler,
    table::{LayerRecord, NONE, Slot, State, Task, WorkerIndex, for_each_need},
};
use crate::{
    error::{Reason, TaskError},
    ids::{TaskId, Tasks},
    message::{Held, Message, ToClient},
    rank::Rank,
};
use smallvec::SmallVec;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

/// How many tasks are kept at most whose values nobody needs but to make others again.
const RELEASED_MAX: usize = 1 << 20;

/// What is kept to survive losses, and which there were.
#[derive(Debug)]
pub(super) struct Lineage {
    /// How many workers may be lost that had a task, if its options say nothing else.
    allowed_failures: u32,
    /// Tasks that were released, in order; some were forgotten since, or made again.
    released: VecDeque<(Slot, TaskId)>,
    pub(super) released_max: usize,
    /// Ranks that are lost, and how.
    lost: BTreeMap<Rank, String>,
    /// Losses of workers that nobody was told of.
    news: Vec<Loss>,
    /// Values whose first holder is another one than their client knows.
    moved: Vec<Slot>,
    /// Who has yet to say what it lacks because of which loss.
    awaited: BTreeSet<(Rank, WorkerIndex)>,
}

/// A worker that is lost, and what goes with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    rank: Rank,
    host: String,
    how: String,
    /// How many tasks it had.
    tasks: usize,
    /// How many values only it held, as far as it is known that others do not.
    values: usize,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} ({}) {}; the run goes on without it: ", self.rank, self.host, self.how)?;
        match (self.tasks, self.values) {
            (0, 0) => f.write_str("it had nothing that is to be made again"),
            (tasks, 0) => write!(f, "what it had to do ({tasks} tasks) is done elsewhere"),
            (tasks, values) => write!(
                f,
                "what it had to do ({tasks} tasks) is done elsewhere, and what only it held ({values} values) is made \
                 again where it is needed"
            ),
        }
    }
}

impl Lineage {
    pub(super) fn has_lost(&self, rank: Rank) -> bool {
        self.lost.contains_key(&rank)
    }

    pub(super) fn lost_ranks(&self) -> impl Iterator<Item = Rank> + '_ {
        self.lost.keys().copied()
    }

    pub(super) fn has_lost_any(&self) -> bool {
        !self.lost.is_empty()
    }
}

impl Scheduler {
    /// Has the run survive the loss of workers, each task at most so many of them. To be said before anything
    /// is submitted.
    #[must_use]
    pub fn survive(mut self, allowed_failures: u32) -> Self {
        self.lineage = Some(Box::new(Lineage {
            allowed_failures,
            released: VecDeque::new(),
            released_max: RELEASED_MAX,
            lost: BTreeMap::new(),
            news: Vec::new(),
            moved: Vec::new(),
            awaited: BTreeSet::new(),
        }));
        self
    }

    pub(super) fn is_lost(&self, rank: Rank) -> bool {
        self.lineage.as_deref().is_some_and(|lineage| lineage.has_lost(rank))
    }

    /// Whether it is known who holds what.
    pub(super) fn is_whole(&self) -> bool {
        self.lineage.as_deref().is_none_or(|lineage| lineage.awaited.is_empty())
    }

    /// Why nobody can run anything, if so.
    pub(super) fn why_nobody(&self) -> Option<String> {
        let is_left = self.lineage.is_none() || self.workers.iter().any(|worker| !worker.is_lost);
        (!is_left).then(|| "all workers were lost".into())
    }

    /// How a rank was lost, if it was.
    pub(crate) fn how_lost(&self, rank: Rank) -> Option<&str> {
        self.lineage.as_deref()?.lost.get(&rank).map(String::as_str)
    }

    /// Losses of workers since the last call.
    pub(crate) fn take_losses(&mut self) -> Vec<Loss> {
        self.lineage.as_deref_mut().map(|lineage| std::mem::take(&mut lineage.news)).unwrap_or_default()
    }

    /// A rank is lost.
    pub(super) fn lose(&mut self, rank: Rank, how: String) {
        let size = self.worker_of.len() as u32;
        let Some(lineage) = self.lineage.as_deref_mut() else { return };
        if rank.0 >= size || lineage.has_lost(rank) {
            return;
        }
        lineage.lost.insert(rank, how.clone());
        // Also to the rank itself, which may only have been silent: then it ends.
        let clients: Vec<Rank> = self.clients().collect();
        self.out.extend(clients.into_iter().map(|other| (other, Message::Lost(rank))));
        let Some(worker) = self.worker_at(rank) else { return };
        self.worker_of[rank.index()] = NONE;
        self.strike(worker);
        let living = (0..self.workers.len() as WorkerIndex).filter(|at| !self.workers[*at as usize].is_lost);
        let awaited: Vec<(Rank, WorkerIndex)> = living.map(|living| (rank, living)).collect();
        let lineage = self.lineage.as_deref_mut().expect("looked at above");
        lineage.awaited.retain(|(_, other)| *other != worker);
        lineage.awaited.extend(awaited);
        self.disown(rank);
        self.room.forget(rank);
        let (tasks, values) = self.take_from(worker);
        let host = self.workers[worker as usize].spec.host.clone();
        let lineage = self.lineage.as_deref_mut().expect("looked at above");
        lineage.news.push(Loss { rank, host, how, tasks, values });
        if self.is_whole() {
            self.recover();
        }
    }

    /// A lost worker is given nothing any more.
    fn strike(&mut self, worker: WorkerIndex) {
        let record = &mut self.workers[worker as usize];
        record.is_lost = true;
        // So it has neither a thread nor room.
        record.spec.threads = 0;
        (record.blocked, record.held_bytes, record.spilled_bytes) = (0, 0, 0);
        record.spare.clear();
        record.freed.clear();
        record.cancelled.clear();
        record.early_queue.clear();
        record.forwards.clear();
        self.forget_room_of(worker);
        self.classes.choose_again(&mut self.workers);
    }

    /// Nobody wants any more what a rank has submitted.
    fn disown(&mut self, rank: Rank) {
        let own = |tasks: &Tasks| tasks.first.owner() == rank;
        let layers: Vec<Tasks> =
            self.layers.iter().map(|(_, record)| record.layer.tasks).filter(own).collect();
        layers.into_iter().for_each(|tasks| self.release(rank, tasks));
        self.let_go_of_others(rank);
        let is_given = |task: &Task| task.layer == NONE && task.id.owner() == rank;
        let given = self.tasks.iter().filter(|(_, task)| is_given(task));
        let given: Vec<TaskId> = given.map(|(_, task)| task.id).collect();
        given.into_iter().for_each(|task| self.let_go_of(rank, task));
    }

    /// Takes all tasks and values from a lost worker. Returns how many tasks it had, and how many values that
    /// no other one holds.
    fn take_from(&mut self, worker: WorkerIndex) -> (usize, usize) {
        let (mut tasks, mut values) = (0, 0);
        let all: Vec<Slot> = self.tasks.iter().map(|(slot, _)| slot).collect();
        for slot in all {
            let Some(task) = self.tasks.get_mut(slot) else { continue };
            match task.state {
                State::Assigned if task.worker == worker && task.cancelled => {
                    self.early.forget_end(slot);
                    self.count_out(slot, worker);
                    self.let_go(slot);
                }
                State::Assigned if task.worker == worker => {
                    tasks += 1;
                    task.state = State::Waiting;
                    self.early.forget_end(slot);
                    self.count_out(slot, worker);
                    self.break_promise(slot);
                    self.excuse(slot);
                    self.suspect(slot, worker);
                }
                State::Held => {
                    let is_with_giver = task.layer == NONE;
                    let was_held = task.worker != NONE;
                    self.remove_holder(slot, worker);
                    let is_gone = was_held && self.tasks[slot].worker == NONE && !is_with_giver;
                    values += usize::from(is_gone);
                }
                _ => {}
            }
        }
        (tasks, values)
    }

    /// An attempt came to nothing, and is not the task's fault.
    fn excuse(&mut self, slot: Slot) {
        let task = &mut self.tasks[slot];
        task.attempt = task.attempt.saturating_add(1);
        task.excused = task.excused.saturating_add(1);
    }

    /// A worker was lost that had this task: it may be what it was lost by.
    fn suspect(&mut self, slot: Slot, worker: WorkerIndex) {
        let usual = self.lineage.as_deref().map_or(0, |lineage| lineage.allowed_failures);
        let task = &mut self.tasks[slot];
        task.suspected = task.suspected.saturating_add(1);
        let (suspected, attempts) = (task.suspected, u32::from(task.attempt));
        let layer = &self.layers[task.layer];
        if u32::from(suspected) > layer.allowed_failures().unwrap_or(usual) {
            let spec = &self.workers[worker as usize].spec;
            let (rank, host) = (spec.rank, spec.host.clone());
            let how = self.how_lost(rank).unwrap_or_default();
            let message = format!(
                "{suspected} workers were lost while they had it, so it is probably what ends them; the last one \
                 {how}, and might use {} bytes of memory",
                spec.memory_bytes
            );
            self.fail_lost(slot, Some(rank), host, message, attempts);
        }
    }

    fn fail_lost(&mut self, slot: Slot, rank: Option<Rank>, host: String, message: String, attempts: u32) {
        let task = &self.tasks[slot];
        let function =
            if task.layer == NONE { "a value that was given".into() } else { self.layers[task.layer].name() };
        let error = TaskError {
            reason: Reason::Lost,
            function,
            task: task.id.sequence(),
            rank,
            host,
            message: TaskError::message(message),
            attempts,
            dependents: Vec::new(),
        };
        self.fail(slot, Arc::new(error));
    }

    /// Fails a task whose only worker is lost.
    pub(super) fn fail_bound(&mut self, slot: Slot, rank: Option<Rank>) {
        let task = &mut self.tasks[slot];
        (task.state, task.queued) = (State::Waiting, false);
        let attempts = u32::from(task.attempt);
        self.fail_lost(slot, rank, String::new(), "no other worker may run it".into(), attempts);
    }

    pub(super) fn fail_without_workers(&mut self, slot: Slot) {
        let attempts = u32::from(self.tasks[slot].attempt);
        let words =
            self.why_nobody().unwrap_or_else(|| "all workers that may run it were lost or retired".into());
        self.fail_lost(slot, None, String::new(), words, attempts);
    }

    /// A worker says which values have not come to it from a lost rank.
    pub(super) fn lacks(&mut self, source: Rank, lost: Rank, values: &[TaskId], orphaned: &[TaskId]) {
        let Some(worker) = self.worker_at(source) else { return };
        let Some(lineage) = self.lineage.as_deref_mut() else { return };
        if !lineage.awaited.remove(&(lost, worker)) {
            return;
        }
        for value in values {
            if let Some(slot) = self.pages.get(*value).filter(|slot| self.tasks[*slot].state == State::Held) {
                self.remove_holder(slot, worker);
            }
        }
        let unknown = orphaned.iter().filter(|value| self.pages.get(**value).is_none());
        for value in unknown.copied().collect::<Vec<_>>() {
            self.tell_to_free(worker, value);
        }
        if self.is_whole() {
            self.recover();
        }
    }

    /// The first holder of a value is another one than its client knows.
    pub(super) fn note_moved(&mut self, slot: Slot) {
        if let Some(lineage) = self.lineage.as_deref_mut() {
            lineage.moved.push(slot);
        }
    }

    /// All that has not ended is looked at anew, now that it is known who holds what.
    fn recover(&mut self) {
        self.empty_queues();
        let aside = self.begin_ahead_anew();
        self.unlink_all();
        self.take_outrun_ends();
        let mut failing = self.make_lost_again();
        let is_open = |task: &Task| matches!(task.state, State::Waiting | State::Ready);
        let open: Vec<Slot> =
            self.tasks.iter().filter(|(_, task)| is_open(task)).map(|(slot, _)| slot).collect();
        for slot in &open {
            self.tasks[*slot].state = State::Waiting;
            failing.extend(self.link(*slot).map(|error| (*slot, error)));
        }
        for (slot, error) in failing {
            self.fail(slot, error);
        }
        self.end_layers_without_workers();
        for slot in open {
            let task = &self.tasks[slot];
            if task.state == State::Waiting && task.missing == 0 {
                self.become_ready(slot);
            } else {
                self.may_be_early(slot);
            }
        }
        for slot in aside {
            if self.tasks[slot].state == State::Withheld && !self.put_aside(slot) {
                self.become_ready(slot);
            }
        }
        self.tell_holders();
        (0..self.workers.len() as WorkerIndex).for_each(|worker| self.offer(worker));
    }

    /// Takes all tasks out of the queues.
    fn empty_queues(&mut self) {
        let mut queued = self.classes.take_ready();
        for worker in &mut self.workers {
            queued.extend(worker.queue.take());
            queued.extend(std::mem::take(&mut worker.pinned));
        }
        queued.extend(std::mem::take(&mut self.suspects));
        (self.ready, self.pinned) = (0, 0);
        for slot in queued {
            self.tasks[slot].queued = false;
            if self.tasks[slot].state != State::Ready {
                self.unneeded.push(slot);
            }
        }
    }

    /// No task waits for another.
    fn unlink_all(&mut self) {
        let all: Vec<Slot> = self.tasks.iter().map(|(slot, _)| slot).collect();
        for slot in all {
            let mut dependents = std::mem::replace(&mut self.tasks[slot].dependents, NONE);
            while self.chains.pop(&mut dependents).is_some() {}
            let task = &mut self.tasks[slot];
            (task.missing_others, task.unpromised) = (0, 0);
            if std::mem::take(&mut task.missing) > 0 {
                self.unneeded.push(slot);
            }
        }
        self.workers.iter_mut().for_each(|worker| worker.early = 0);
        self.missing_count = 0;
    }

    /// Has the values made again that nobody holds and somebody needs, and what these need for it. Returns those
    /// for which that can't be done.
    fn make_lost_again(&mut self) -> Vec<(Slot, Arc<TaskError>)> {
        let is_orphan = |task: &Task| {
            let with_giver = task.layer == NONE && !self.is_gone(task.id.owner());
            task.state == State::Held && task.worker == NONE && !with_giver
        };
        let orphans: Vec<Slot> =
            self.tasks.iter().filter(|(_, task)| is_orphan(task)).map(|(slot, _)| slot).collect();
        for slot in &orphans {
            self.tasks[*slot].state = State::Released;
            self.held_count -= 1;
        }
        let (mut open, mut failing) = (Vec::new(), Vec::new());
        for slot in orphans {
            match self.is_needed(slot) {
                true => open.push(slot),
                false => self.unneeded.push(slot),
            }
        }
        while let Some(slot) = open.pop() {
            if self.tasks[slot].state == State::Released {
                failing.extend(self.make_again(slot, &mut open).map(|error| (slot, error)));
            }
        }
        failing
    }

    fn is_needed(&self, slot: Slot) -> bool {
        self.tasks[slot].wanted || self.tasks[slot].needed_by > 0
    }

    /// Has a value made again: it waits, for values that may have to be made again, too. Returns why it can't.
    fn make_again(&mut self, slot: Slot, open: &mut Vec<Slot>) -> Option<Arc<TaskError>> {
        let id = self.tasks[slot].id;
        if self.tasks[slot].layer == NONE {
            return self.take_from_giver(slot);
        }
        self.excuse(slot);
        let task = &mut self.tasks[slot];
        (task.state, task.worker) = (State::Waiting, NONE);
        let mut forgotten = None;
        for need in self.needs_of(slot) {
            let Some(needed) = self.pages.get(need) else {
                forgotten = Some(need);
                continue;
            };
            let task = &mut self.tasks[needed];
            task.kept_by = task.kept_by.saturating_sub(1);
            task.needed_by += 1;
            if task.state == State::Released {
                open.push(needed);
            }
        }
        let need = forgotten?;
        let message = format!("it can't be made again: what task {} was is forgotten", need.sequence());
        Some(self.lost_error(id, self.layers[self.tasks[slot].layer].name(), message))
    }

    /// A released value that a client gave is with that client, if it lives.
    fn take_from_giver(&mut self, slot: Slot) -> Option<Arc<TaskError>> {
        let id = self.tasks[slot].id;
        if self.is_gone(id.owner()) {
            let words = format!("rank {}, which gave it, is not there any more", id.owner());
            return Some(self.lost_error(id, "a value that was given".into(), words));
        }
        let task = &mut self.tasks[slot];
        (task.state, task.worker) = (State::Held, NONE);
        self.held_count += 1;
        None
    }

    fn lost_error(&self, id: TaskId, function: String, message: String) -> Arc<TaskError> {
        Arc::new(TaskError {
            reason: Reason::Lost,
            function,
            task: id.sequence(),
            rank: None,
            host: String::new(),
            message: TaskError::message(message),
            attempts: 1,
            dependents: Vec::new(),
        })
    }

    pub(super) fn needs_of(&self, slot: Slot) -> SmallVec<[TaskId; 8]> {
        let task = &self.tasks[slot];
        let mut needs = SmallVec::new();
        if task.layer != NONE {
            let layer = &self.layers[task.layer].layer;
            for_each_need(layer, (task.id.0 - layer.tasks.first.0) as u32, |need| needs.push(need));
        }
        needs
    }

    /// Has a task wait for what it needs and does not exist. Returns the error of a need that has failed.
    fn link(&mut self, slot: Slot) -> Option<Arc<TaskError>> {
        let mut failed = None;
        for need in self.needs_of(slot) {
            let Some(needed) = self.pages.get(need) else { continue };
            if let Some(error) = self.errors.get(&needed) {
                failed = Some(Arc::clone(error));
                continue;
            }
            if !self.tasks[needed].is_ended() {
                self.wait_for(slot, needed);
            }
        }
        let error = failed?;
        Some(self.inherited(&error, self.tasks[slot].layer))
    }

    /// A task came back from a worker: it is ready, or waits for what it was given out before, or for what was lost
    /// meanwhile.
    pub(super) fn wait_again(&mut self, slot: Slot) {
        self.break_promise(slot);
        self.tasks[slot].state = State::Waiting;
        if self.tasks[slot].missing > 0 {
            return self.may_be_early(slot);
        }
        if self.lineage.is_none() {
            return self.become_ready(slot);
        }
        if !self.is_whole() {
            // It is looked at when all is known.
            return;
        }
        match self.link(slot) {
            Some(error) => self.fail(slot, error),
            None if self.tasks[slot].missing == 0 => self.become_ready(slot),
            None => self.may_be_early(slot),
        }
    }

    /// A cancelled task is off its worker: it has failed, nobody wants it, or somebody does again.
    pub(super) fn let_go(&mut self, slot: Slot) {
        self.tasks[slot].worker = NONE;
        if self.errors.contains_key(&slot) {
            self.close(slot);
            self.release_needs(slot);
            self.tasks[slot].state = State::Failed;
            self.unneeded.push(slot);
        } else if self.is_needed(slot) {
            self.tasks[slot].cancelled = false;
            self.excuse(slot);
            self.wait_again(slot);
        } else {
            self.give_up(slot);
            self.unneeded.push(slot);
        }
    }

    /// A task that nobody needs is not run, or not again.
    pub(super) fn give_up(&mut self, slot: Slot) {
        self.close(slot);
        self.leave_sources(slot);
        let mut dependents = std::mem::replace(&mut self.tasks[slot].dependents, NONE);
        while let Some(dependent) = self.chains.pop(&mut dependents) {
            // It is unneeded too, or this task would not be.
            self.wait_less(dependent, slot);
            self.unneeded.push(dependent);
        }
        self.tasks[slot].is_promised = false;
        if self.tasks[slot].kept_by > 0 {
            self.need_less(slot, 1);
            self.note_released(slot);
        } else {
            self.release_needs(slot);
            self.tasks[slot].state = State::Abandoned;
        }
    }

    /// A task has its value: what it needed is needed less, but for making it again.
    pub(super) fn release_needs_of_ended(&mut self, slot: Slot) {
        match self.lineage.is_some() && self.tasks[slot].state == State::Held {
            true => self.need_less(slot, 1),
            false => self.release_needs(slot),
        }
    }

    /// Nobody needs a value but to make others again: it goes, and its record stays.
    pub(super) fn release_value(&mut self, slot: Slot) {
        self.leave_sources(slot);
        let task = &mut self.tasks[slot];
        let (id, bytes, first) = (task.id, task.size.bytes, task.worker);
        let others = std::mem::replace(&mut task.other_holders, NONE);
        self.free_holders(id, bytes, first, others);
        self.tasks[slot].worker = NONE;
        self.note_released(slot);
    }

    /// A task is released. If there are too many, the oldest is forgotten.
    fn note_released(&mut self, slot: Slot) {
        let task = &mut self.tasks[slot];
        task.state = State::Released;
        let id = task.id;
        let Some(lineage) = self.lineage.as_deref_mut() else { return };
        lineage.released.push_back((slot, id));
        if lineage.released.len() <= lineage.released_max {
            return;
        }
        let Some((oldest, id)) = lineage.released.pop_front() else { return };
        if self.pages.get(id) == Some(oldest) && self.tasks[oldest].state == State::Released {
            self.tasks[oldest].kept_by = 0;
            self.unneeded.push(oldest);
        }
    }

    /// Whether the record of a task that nobody needs stays.
    pub(super) fn is_kept(&self, slot: Slot) -> bool {
        let task = &self.tasks[slot];
        task.kept_by > 0 && matches!(task.state, State::Small | State::Released)
    }

    /// A record is removed: what was kept for it is kept no more, and who gave its value may drop it.
    pub(super) fn forget_lineage(&mut self, task: &Task) {
        if self.lineage.is_none() || !matches!(task.state, State::Held | State::Released) {
            return;
        }
        if task.layer == NONE {
            let forgotten = ToClient::Forgotten(vec![Tasks::one(task.id)]);
            return self.tell_client(task.id.owner(), forgotten);
        }
        let layer = &self.layers[task.layer].layer;
        let mut needs: SmallVec<[TaskId; 8]> = SmallVec::new();
        for_each_need(layer, (task.id.0 - layer.tasks.first.0) as u32, |need| needs.push(need));
        for need in needs {
            let Some(needed) = self.pages.get(need) else { continue };
            let task = &mut self.tasks[needed];
            // Of an old record that was not kept, nothing is counted any more.
            task.kept_by = task.kept_by.saturating_sub(1);
            if task.kept_by == 0 && task.needed_by == 0 && !task.wanted {
                self.unneeded.push(needed);
            }
        }
    }

    /// Fails what waits for a worker, where none is left that may run it.
    pub(super) fn end_layers_without_workers(&mut self) {
        // Tasks that have each their own worker run there also when it is retired, and fail one by one when it is lost.
        let is_stranded =
            |record: &LayerRecord| !record.layer.is_one_each() && self.classes[record.class].is_nobodys;
        let stranded: Vec<u32> =
            self.layers.iter().filter(|(_, record)| is_stranded(record)).map(|(slot, _)| slot).collect();
        for layer in stranded {
            self.end_layer(layer, Self::fail_without_workers);
        }
    }

    /// Tells clients where their values are, which they may have known elsewhere.
    fn tell_holders(&mut self) {
        let moved = self.lineage.as_deref_mut().map(|lineage| std::mem::take(&mut lineage.moved));
        for slot in moved.into_iter().flatten() {
            let Some(task) = self.tasks.get_mut(slot) else { continue };
            if task.state == State::Held && task.wanted {
                let (id, size) = (task.id, task.size);
                let holder = self.holder_of(&self.tasks[slot]);
                self.tell_client(id.owner(), ToClient::Stored(Held { task: id, holder, size }));
                self.tell_readers(slot);
            }
        }
    }

    /// Gives each suspect to a thread of its own, as far as there are any.
    pub(super) fn give_suspects(&mut self) {
        for _ in 0..self.suspects.len() {
            let Some(slot) = self.suspects.pop_front() else { return };
            if !self.leave_queue(slot) {
                continue;
            }
            let class = self.layers[self.tasks[slot].layer].class;
            let is_free = |worker: &&WorkerIndex| {
                let (class, record) = (&self.classes[class], &self.workers[**worker as usize]);
                let may_run = class.may_run_on(**worker) && class.can_start_on(record);
                may_run && record.busy() < record.threads()
            };
            match self.idle.iter().rev().find(is_free).copied() {
                Some(worker) => self.assign(slot, worker),
                None => {
                    self.tasks[slot].queued = true;
                    self.suspects.push_back(slot);
                }
            }
        }
    }
}
