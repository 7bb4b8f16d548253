//! What clients say: new tasks, values of their own, and that they no longer want something.

use super::{
    Scheduler,
    class::ANYWHERE,
    table::{LayerRecord, LayerSlot, NONE, Slot, State, Task, for_each_need, needs_values},
};
use crate::{
    error::{Reason, TaskError},
    ids::{Size, TaskId, Tasks},
    message::{Finished, Layer},
    rank::Rank,
};
use smallvec::SmallVec;
use std::sync::Arc;

impl Scheduler {
    pub(super) fn submit(&mut self, layer: Layer) {
        let tasks = layer.tasks;
        if tasks.count == 0 || !self.is_sound(&layer) {
            return;
        }
        let (class, refusal) = match self.classes.enter(layer.options.as_deref(), &mut self.workers) {
            Ok(class) => (class, None),
            Err(words) => (ANYWHERE, Some(words)),
        };
        let is_root = !needs_values(&layer) && !layer.is_one_each();
        let (weight, order) = (layer.weight(), self.layers_ever);
        let record = LayerRecord {
            layer,
            cursor: 0,
            live: tasks.count,
            early: 0,
            class,
            is_source: is_root,
            weight,
            order,
        };
        self.layers_ever += 1;
        let slot = self.layers.insert(record);
        self.open(slot);
        self.layer_index.insert(tasks.first, slot);
        if let Some(words) = refusal.or_else(|| self.why_nobody()) {
            return self.refuse(slot, Reason::NoWorker, words);
        }
        if self.is_late(slot) {
            let words = self.why_late(slot);
            return self.refuse(slot, Reason::Stopping, words);
        }
        let expected = self.layers[slot].expected_nanoseconds();
        if expected > 0 {
            self.timed.insert((expected, slot));
        }
        if is_root {
            let lane = self.lane(tasks.first.owner());
            self.classes[class].roots.insert(lane, self.layers[slot].root_key(), slot);
            self.withheld += u64::from(tasks.count);
        } else {
            self.layers[slot].cursor = tasks.count;
            for index in 0..tasks.count {
                self.submit_waiting(slot, index);
            }
        }
    }

    /// Fails all tasks of a new layer.
    fn refuse(&mut self, layer: LayerSlot, reason: Reason, words: String) {
        let record = &mut self.layers[layer];
        record.cursor = record.layer.tasks.count;
        let error = TaskError {
            reason,
            function: record.name(),
            task: record.layer.tasks.first.sequence(),
            rank: None,
            host: String::new(),
            message: TaskError::message(words),
            attempts: 0,
            dependents: Vec::new(),
        };
        for id in record.layer.tasks.iter() {
            let slot = self.insert(id, layer, State::Withheld);
            self.count_needs(slot);
            let error = TaskError { task: id.sequence(), ..error.clone() };
            self.fail(slot, Arc::new(error));
        }
    }

    /// Adds a record for a task.
    pub(super) fn insert(&mut self, id: TaskId, layer: LayerSlot, state: State) -> Slot {
        let slot = self.tasks.insert(Task {
            id,
            layer,
            state,
            attempt: 0,
            excused: 0,
            suspected: 0,
            wanted: true,
            is_source: layer != NONE && self.layers[layer].is_source,
            has_sources: false,
            is_ahead: false,
            is_aside: false,
            is_open: layer != NONE,
            cancelled: false,
            is_promised: false,
            has_heir: false,
            queued: false,
            missing: 0,
            missing_others: 0,
            unpromised: 0,
            needed_by: 0,
            kept_by: 0,
            dependents: NONE,
            worker: NONE,
            other_holders: NONE,
            size: Size::default(),
            small: SmallVec::new(),
        });
        self.pages.insert(id, slot);
        slot
    }

    /// The record of a task, made now if its layer has not come to it.
    pub(super) fn record(&mut self, id: TaskId) -> Option<Slot> {
        if let Some(slot) = self.pages.get(id) {
            return Some(slot);
        }
        let layer = self.layer_index.before(id)?;
        let record = &self.layers[layer];
        let index = id.0 - record.layer.tasks.first.0;
        let withheld = index >= u64::from(record.cursor) && index < u64::from(record.layer.tasks.count);
        if !withheld {
            return None;
        }
        self.layers[layer].early += 1;
        let slot = self.insert(id, layer, State::Withheld);
        self.tasks[slot].queued = true;
        Some(slot)
    }

    /// Adds a task that needs values, or that may run on one worker only.
    fn submit_waiting(&mut self, layer: LayerSlot, index: u32) {
        let id = self.layers[layer].layer.tasks.first.plus(index);
        let slot = self.insert(id, layer, State::Waiting);
        if let Some(error) = self.count_needs(slot) {
            self.fail(slot, error);
        } else if self.tasks[slot].missing == 0 {
            self.become_ready(slot);
        } else {
            self.may_be_early(slot);
        }
    }

    /// Counts what a new task needs, and makes it wait. Returns the error of a need that has failed.
    fn count_needs(&mut self, slot: Slot) -> Option<Arc<TaskError>> {
        let (layer, id) = (self.tasks[slot].layer, self.tasks[slot].id);
        let index = (id.0 - self.layers[layer].layer.tasks.first.0) as u32;
        let mut needs: SmallVec<[TaskId; 8]> = SmallVec::new();
        for_each_need(&self.layers[layer].layer, index, |need| needs.push(need));
        let (mut failed, mut has_sources, mut are_early) = (None, false, false);
        for need in needs {
            let Some(needed) = self.record(need) else {
                // A client releases only after it has submitted what uses a value, so this is a bug.
                panic!("task {id:?} needs {need:?}, which nobody holds");
            };
            let task = &mut self.tasks[needed];
            task.needed_by += 1;
            has_sources |= task.is_source;
            are_early |= task.is_ahead || task.is_aside;
            if task.state == State::Failed || task.cancelled {
                failed = failed.or_else(|| self.errors.get(&needed).cloned());
            } else if !task.is_ended() {
                self.wait_for(slot, needed);
            }
        }
        self.tasks[slot].has_sources = has_sources;
        if are_early && self.tasks[slot].missing_others == 0 {
            self.sources_are_due(slot);
        }
        failed.map(|error| self.inherited(&error, layer))
    }

    pub(super) fn give_values(&mut self, given: Finished) {
        if !self.are_new(given.tasks()) {
            return;
        }
        for (index, bytes) in given.values.iter().enumerate() {
            let slot = self.insert(given.first.plus(index as u32), NONE, State::Small);
            self.tasks[slot].small = SmallVec::from_slice(bytes);
        }
    }

    pub(super) fn place_value(&mut self, id: TaskId, size: Size, holders: &[Rank]) {
        if !self.are_new(Tasks::one(id)) {
            return;
        }
        let slot = self.insert(id, NONE, State::Held);
        self.held_count += 1;
        self.tasks[slot].size = size;
        for rank in holders {
            if let Some(worker) = self.worker_at(*rank) {
                self.add_holder(slot, worker);
            }
        }
    }

    /// A client's tasks failed before it could submit them: it knows, what needs them shall.
    pub(super) fn refused(&mut self, tasks: Tasks, error: TaskError) {
        if !self.are_new(tasks) {
            return;
        }
        let error = Arc::new(error);
        for id in tasks.iter() {
            let slot = self.insert(id, NONE, State::Failed);
            self.errors.insert(slot, Arc::clone(&error));
        }
    }

    /// A client has dropped its futures of these tasks.
    pub(super) fn release(&mut self, source: Rank, tasks: Tasks) {
        let kept = self.release_withheld(tasks);
        for id in kept.iter() {
            self.let_go_of(source, id);
        }
    }

    /// Drops the end of a layer that no worker has got any task of, and that nothing needs, all at
    /// once. Returns the tasks that are left to be looked at one by one.
    fn release_withheld(&mut self, tasks: Tasks) -> Tasks {
        let Some(slot) = self.layer_index.before(tasks.first) else { return tasks };
        let record = &mut self.layers[slot];
        let all = record.layer.tasks;
        let withheld = all.count - record.cursor;
        let covered = tasks.first <= all.first.plus(record.cursor)
            && tasks.first.plus(tasks.count) == all.first.plus(all.count);
        if withheld == 0 || !covered || record.early > 0 {
            return tasks;
        }
        record.cursor = all.count;
        record.live -= withheld;
        self.withheld -= u64::from(withheld);
        self.close_many(slot, withheld);
        let record = &self.layers[slot];
        let done = record.live == 0;
        self.leave_roots(slot);
        if done {
            self.remove_layer(slot);
        }
        Tasks { first: tasks.first, count: tasks.count - withheld }
    }

    /// A layer has no withheld tasks any more.
    pub(super) fn leave_roots(&mut self, slot: LayerSlot) {
        let record = &self.layers[slot];
        let lane = self.lane(record.layer.tasks.first.owner());
        self.classes[record.class].roots.remove(lane, &record.root_key());
    }

    /// Forgets a layer all of whose tasks are forgotten.
    pub(super) fn remove_layer(&mut self, slot: LayerSlot) {
        let record = self.layers.remove(slot);
        // Another layer may get its slot.
        self.last_inherited = None;
        self.layer_index.remove(record.layer.tasks.first);
        self.timed.remove(&(record.expected_nanoseconds(), slot));
        self.classes.leave(record.class, &mut self.workers);
    }

    pub(super) fn cancel(&mut self, tasks: Tasks) {
        for id in tasks.iter() {
            let Some(slot) = self.record(id) else { continue };
            let task = &self.tasks[slot];
            if task.layer == NONE
                || task.is_ended()
                || task.state == State::Abandoned
                || self.errors.contains_key(&slot)
            {
                continue;
            }
            let error = Arc::new(TaskError {
                reason: Reason::Cancelled,
                function: self.layers[task.layer].name(),
                task: id.sequence(),
                rank: None,
                host: String::new(),
                message: TaskError::message(""),
                attempts: u32::from(task.attempt),
                dependents: Vec::new(),
            });
            self.fail(slot, error);
        }
    }
}
