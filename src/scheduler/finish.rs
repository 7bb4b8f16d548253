//! What workers say, and what follows from it: who becomes ready, who fails, what is forgotten.

use super::{
    Scheduler,
    early::End,
    table::{LayerSlot, NONE, Slot, State, WorkerIndex, for_each_need},
};
use crate::{
    error::TaskError,
    ids::{Size, TaskId, Tasks},
    message::{Finished, Held, Message, ToClient},
    packed::Packed,
    rank::Rank,
};
use smallvec::SmallVec;
use std::sync::Arc;

impl Scheduler {
    /// A worker ran tasks whose values are small.
    pub(super) fn finished(&mut self, source: Rank, finished: Finished, nanoseconds: u64) {
        let Some(worker) = self.worker_at(source) else { return };
        let count = finished.values.len() as u32;
        self.learn(worker, nanoseconds, count);
        let mut unheard = SmallVec::<[u32; 8]>::new();
        for (index, bytes) in finished.values.iter().enumerate() {
            let slot =
                self.pages.get(finished.first.plus(index as u32)).filter(|slot| self.has(worker, *slot));
            let Some(slot) = slot else {
                unheard.push(index as u32);
                continue;
            };
            if self.tasks[slot].cancelled {
                unheard.push(index as u32);
                self.end_cancelled(slot);
                continue;
            }
            if self.tasks[slot].missing > 0 {
                unheard.push(index as u32);
                self.early.outrun(slot, End::Small(SmallVec::from_slice(bytes)));
                continue;
            }
            if !self.tasks[slot].wanted {
                unheard.push(index as u32);
            }
            self.has_small(slot, SmallVec::from_slice(bytes));
        }
        self.tell_finished(finished, &unheard);
    }

    /// A task has a small value.
    pub(super) fn has_small(&mut self, slot: Slot, bytes: SmallVec<[u8; 16]>) {
        // A small value takes no memory of a worker's.
        self.is_not_ahead(slot);
        let task = &mut self.tasks[slot];
        let worker = task.worker;
        task.state = State::Small;
        task.small = bytes;
        self.leave_worker(slot, worker);
        self.ended(slot);
    }

    /// Tells the owner of tasks that they ended, but for those at the given places.
    pub(super) fn tell_finished(&mut self, finished: Finished, unheard: &[u32]) {
        let owner = finished.first.owner();
        if unheard.is_empty() {
            return self.tell_client(owner, ToClient::Finished(finished));
        }
        let mut from = 0;
        for end in unheard.iter().copied().chain([finished.values.len() as u32]) {
            if end > from {
                let values: Packed = finished.values.slice(from as usize, (end - from) as usize);
                self.tell_client(
                    owner,
                    ToClient::Finished(Finished { first: finished.first.plus(from), values }),
                );
            }
            from = end + 1;
        }
    }

    /// A worker ran a task and keeps its value.
    pub(super) fn stored(&mut self, source: Rank, id: TaskId, size: Size, nanoseconds: u64) {
        let Some(worker) = self.worker_at(source) else { return };
        self.learn(worker, nanoseconds, 1);
        let Some(slot) = self.pages.get(id).filter(|slot| self.has(worker, *slot)) else {
            return self.tell_to_free(worker, id);
        };
        if self.tasks[slot].cancelled {
            return self.end_cancelled_with_value(slot);
        }
        self.early.learn_large(self.layers[self.tasks[slot].layer].layer.code);
        match self.tasks[slot].missing {
            0 => self.has_large(slot, size),
            _ => self.early.outrun(slot, End::Large(size)),
        }
    }

    /// A task has a large value, which its worker keeps.
    pub(super) fn has_large(&mut self, slot: Slot, size: Size) {
        let worker = self.tasks[slot].worker;
        self.leave_worker(slot, worker);
        let task = &mut self.tasks[slot];
        task.state = State::Held;
        self.held_count += 1;
        task.worker = NONE;
        task.size = size;
        let (id, wanted) = (task.id, task.wanted);
        self.has_run_ahead(slot);
        self.add_holder(slot, worker);
        if wanted {
            let holder = self.workers[worker as usize].spec.rank;
            self.tell_client(id.owner(), ToClient::Stored(Held { task: id, holder, size }));
        }
        self.ended(slot);
    }

    /// A task failed on a worker: it is tried again, or it has failed.
    pub(super) fn task_failed(&mut self, source: Rank, mut error: TaskError) {
        let Some(worker) = self.worker_at(source) else { return };
        let id = TaskId(error.task);
        let Some(slot) = self.pages.get(id).filter(|slot| self.has(worker, *slot)) else { return };
        if self.tasks[slot].cancelled {
            return self.end_cancelled(slot);
        }
        self.leave_worker(slot, worker);
        let retries = self.layers[self.tasks[slot].layer].retries();
        let task = &mut self.tasks[slot];
        task.attempt += 1;
        if u32::from(task.attempt - task.excused) <= retries {
            return self.wait_again(slot);
        }
        error.attempts = u32::from(task.attempt);
        error.task = id.sequence();
        error.host.clone_from(&self.workers[worker as usize].spec.host);
        self.tasks[slot].state = State::Waiting;
        self.fail(slot, Arc::new(error));
    }

    /// A worker gives tasks back: because it was asked to share, or because they were cancelled.
    pub(super) fn yielded(&mut self, source: Rank, tasks: Vec<Tasks>) {
        let Some(worker) = self.worker_at(source) else { return };
        let record = &mut self.workers[worker as usize];
        record.yielding = false;
        if tasks.is_empty() {
            record.asked_in_vain_at = Some(self.idled_count);
        }
        for id in tasks.into_iter().flat_map(Tasks::iter) {
            let Some(slot) = self.pages.get(id).filter(|slot| self.has(worker, *slot)) else { continue };
            if self.tasks[slot].cancelled {
                self.end_cancelled(slot);
                continue;
            }
            self.leave_worker(slot, worker);
            self.wait_again(slot);
        }
    }

    /// A worker says how much of what it holds is on its disk.
    pub(super) fn spilled(&mut self, source: Rank, bytes: u64) {
        let Some(worker) = self.worker_at(source) else { return };
        self.workers[worker as usize].spilled_bytes = bytes;
        self.offer(worker);
    }

    pub(super) fn blocked(&mut self, source: Rank, delta: i32) {
        let Some(worker) = self.worker_at(source) else { return };
        self.workers[worker as usize].blocked += delta;
        self.offer(worker);
    }

    /// A worker's tasks take longer than before: what is queued behind them may be worth asking back for now.
    pub(super) fn behind(&mut self, source: Rank, nanoseconds: u64) {
        let Some(worker) = self.worker_at(source) else { return };
        let record = &mut self.workers[worker as usize];
        record.asked_in_vain_at = None;
        record.pace.is_at_least(nanoseconds);
    }

    /// Whether the worker has this task.
    fn has(&self, worker: WorkerIndex, slot: Slot) -> bool {
        let task = &self.tasks[slot];
        task.state == State::Assigned && task.worker == worker
    }

    fn learn(&mut self, worker: WorkerIndex, nanoseconds: u64, count: u32) {
        let record = &mut self.workers[worker as usize];
        record.asked_in_vain_at = None;
        record.pace.learn(nanoseconds, count);
    }

    /// A worker has a task less.
    pub(super) fn count_out(&mut self, slot: Slot, worker: WorkerIndex) {
        let task = &mut self.tasks[slot];
        let is_nested = self.layers[task.layer].is_nested();
        let record = &mut self.workers[worker as usize];
        record.outstanding -= 1;
        record.nested -= u32::from(is_nested);
        record.early -= u32::from(task.missing > 0);
        record.leaves -= u32::from(!std::mem::take(&mut task.has_heir));
    }

    /// A worker no longer has a task: its thread and its resources are free.
    pub(super) fn leave_worker(&mut self, slot: Slot, worker: WorkerIndex) {
        let class = self.layers[self.tasks[slot].layer].class;
        self.count_out(slot, worker);
        let record = &mut self.workers[worker as usize];
        record.put_back(self.classes[class].resources());
        self.offer(worker);
    }

    /// A cancelled task is off its worker: it has failed, or nobody wants it.
    pub(super) fn end_cancelled(&mut self, slot: Slot) {
        let worker = self.tasks[slot].worker;
        self.leave_worker(slot, worker);
        self.let_go(slot);
    }

    /// A task has its value: what waited for it comes nearer, what it needed is needed less.
    fn ended(&mut self, slot: Slot) {
        self.close(slot);
        self.tell_readers(slot);
        let is_source = self.tasks[slot].is_source;
        let mut dependents = std::mem::replace(&mut self.tasks[slot].dependents, NONE);
        while let Some(dependent) = self.chains.pop(&mut dependents) {
            self.wait_less(dependent, slot);
            let task = &mut self.tasks[dependent];
            let are_due = !is_source && task.missing_others == 0 && task.has_sources;
            match task.state {
                State::Waiting => {
                    if task.missing == 0 {
                        self.become_ready(dependent);
                    }
                    if are_due {
                        self.sources_are_due(dependent);
                    }
                }
                State::Assigned => {
                    if task.missing == 0 {
                        self.early.end_is_due(dependent);
                    }
                }
                _ => self.unneeded.push(dependent),
            }
        }
        self.tasks[slot].is_promised = false;
        self.release_needs_of_ended(slot);
        let task = &self.tasks[slot];
        if !task.wanted && task.needed_by == 0 {
            self.unneeded.push(slot);
        }
    }

    /// The tasks that a task needs are needed by one task less.
    pub(super) fn release_needs(&mut self, slot: Slot) {
        self.need_less(slot, 0);
    }

    /// The same; and so many more keep what it takes to make their values again.
    pub(super) fn need_less(&mut self, slot: Slot, kept: u32) {
        let task = &self.tasks[slot];
        if task.layer == NONE {
            return;
        }
        let layer = &self.layers[task.layer].layer;
        let index = (task.id.0 - layer.tasks.first.0) as u32;
        for_each_need(layer, index, |need| {
            if let Some(needed) = self.pages.get(need) {
                let task = &mut self.tasks[needed];
                task.needed_by -= 1;
                task.kept_by += kept;
                let has_copies = task.other_holders != NONE;
                if task.needed_by == 0 && (!task.wanted || has_copies) {
                    self.unneeded.push(needed);
                }
            }
        });
    }

    /// Fails a task and all that needs it, level by level, so that tasks with the same error follow each other.
    pub(super) fn fail(&mut self, slot: Slot, error: Arc<TaskError>) {
        let mut level = vec![(slot, error)];
        while !level.is_empty() {
            let mut next = Vec::new();
            for (slot, error) in level {
                self.fail_one(slot, &error, &mut next);
            }
            level = next;
        }
    }

    /// Fails a task, and adds those that need it to the next level, in the order in which they were submitted.
    ///
    /// A task that a worker has stays assigned until the worker has let go of it.
    fn fail_one(&mut self, slot: Slot, error: &Arc<TaskError>, next: &mut Vec<(Slot, Arc<TaskError>)>) {
        if self.errors.contains_key(&slot) {
            // It needs what failed more than once.
            return;
        }
        let first = next.len();
        let mut dependents = std::mem::replace(&mut self.tasks[slot].dependents, NONE);
        while let Some(dependent) = self.chains.pop(&mut dependents) {
            self.wait_less(dependent, slot);
            let task = &self.tasks[dependent];
            if task.state == State::Waiting || task.state == State::Assigned && !task.cancelled {
                let layer = task.layer;
                next.push((dependent, self.inherited(error, layer)));
            } else {
                self.unneeded.push(dependent);
            }
        }
        next[first..].reverse();
        let task = &mut self.tasks[slot];
        let (id, wanted) = (task.id, task.wanted);
        if task.state == State::Assigned {
            self.cancel_assigned(slot);
        } else {
            task.state = State::Failed;
            task.is_promised = false;
            self.close(slot);
            self.leave_sources(slot);
            self.release_needs(slot);
            self.unneeded.push(slot);
        }
        self.errors.insert(slot, Arc::clone(error));
        self.fail_together(slot, error, next);
        if wanted {
            self.tell_failed(id, error);
            self.tell_readers(slot);
        }
    }

    /// Adds the other tasks of a failed task's layer to those that are to fail, if they fail together.
    fn fail_together(&self, slot: Slot, error: &Arc<TaskError>, next: &mut Vec<(Slot, Arc<TaskError>)>) {
        let layer = self.tasks[slot].layer;
        if layer == NONE || !self.layers[layer].layer.is_together() {
            return;
        }
        for other in self.layers[layer].layer.tasks.iter().filter_map(|id| self.pages.get(id)) {
            let task = &self.tasks[other];
            if !task.is_ended() && !task.cancelled && !self.errors.contains_key(&other) {
                next.push((other, Arc::clone(error)));
            }
        }
    }

    /// Tells a task's client of its error: in one message with those before it that failed for the same one.
    fn tell_failed(&mut self, id: TaskId, error: &Arc<TaskError>) {
        match self.out.last_mut() {
            Some((owner, Message::ToClient(ToClient::Failed { tasks, error: told })))
                if *owner == id.owner() && Arc::ptr_eq(told, error) =>
            {
                Tasks::push(tasks, id);
            }
            _ => {
                let failed = ToClient::Failed { tasks: vec![Tasks::one(id)], error: Arc::clone(error) };
                self.tell_client(id.owner(), failed);
            }
        }
    }

    /// The error of tasks of a layer that need what failed with `error`: the same for all of them.
    pub(super) fn inherited(&mut self, error: &Arc<TaskError>, layer: LayerSlot) -> Arc<TaskError> {
        if let Some((of, last, inherited)) = &self.last_inherited
            && *last == layer
            && Arc::ptr_eq(of, error)
        {
            return Arc::clone(inherited);
        }
        let inherited = Arc::new(error.needed_by(self.layers[layer].name()));
        self.last_inherited = Some((Arc::clone(error), layer, Arc::clone(&inherited)));
        inherited
    }

    /// Asks a worker to let go of a task, whose value nobody wants.
    pub(super) fn cancel_assigned(&mut self, slot: Slot) {
        self.break_promise(slot);
        self.tasks[slot].cancelled = true;
        if self.early.end_is_due(slot) {
            // Its worker does not have it any more.
            return;
        }
        let (id, worker) = (self.tasks[slot].id, self.tasks[slot].worker);
        self.touch(worker);
        Tasks::push(&mut self.workers[worker as usize].cancelled, id);
    }

    /// Asks a worker to give a task back if it has not begun.
    pub(super) fn ask_for(&mut self, slot: Slot) {
        let (id, worker) = (self.tasks[slot].id, self.tasks[slot].worker);
        self.touch(worker);
        Tasks::push(&mut self.workers[worker as usize].recalled, id);
    }

    /// Forgets the tasks noted as maybe unneeded that nobody needs, and what only they needed. Of values that
    /// only a client wants the copies are spare.
    pub(super) fn forget_unneeded(&mut self) {
        while let Some(slot) = self.unneeded.pop() {
            let Some(task) = self.tasks.get_mut(slot) else { continue };
            if task.needed_by > 0 {
                continue;
            }
            if task.wanted {
                self.spare_copies(slot);
                continue;
            }
            match task.state {
                State::Assigned if task.cancelled => continue,
                State::Assigned => {
                    self.cancel_assigned(slot);
                    continue;
                }
                State::Waiting | State::Ready | State::Withheld => self.give_up(slot),
                State::Held if task.kept_by > 0 => self.release_value(slot),
                State::Small | State::Held | State::Released | State::Failed | State::Abandoned => {}
            }
            if self.is_kept(slot) {
                continue;
            }
            // A queue, or the chain of something it waited for, may still name it; then its time
            // comes when it is met there.
            let task = &self.tasks[slot];
            if !task.queued && task.missing == 0 {
                self.forget(slot);
            }
        }
    }

    /// Removes a record; its value goes from all its holders.
    fn forget(&mut self, slot: Slot) {
        self.close(slot);
        self.leave_sources(slot);
        let task = self.tasks.remove(slot);
        self.pages.remove(task.id);
        self.errors.remove(&slot);
        if task.state == State::Held {
            self.free_holders(task.id, task.size.bytes, task.worker, task.other_holders);
        }
        if let Some(worker) = self.early.take_leaving(slot) {
            self.tell_to_free(worker, task.id);
        }
        self.forget_lineage(&task);
        if task.layer != NONE {
            let record = &mut self.layers[task.layer];
            record.live -= 1;
            if record.live == 0 {
                self.remove_layer(task.layer);
            }
        }
    }

    /// No task needs the copies of a value that were made for tasks: they go where there is no room for them.
    /// Those that a client has placed stay.
    fn spare_copies(&mut self, slot: Slot) {
        let task = &self.tasks[slot];
        if task.state != State::Held || task.layer == NONE {
            return;
        }
        let holders: SmallVec<[WorkerIndex; 8]> = self.chains.iter(task.other_holders).collect();
        for worker in holders {
            self.workers[worker as usize].spare.insert(self.tasks[slot].id);
            self.make_room(worker);
        }
    }

    /// Frees spare copies, those of the oldest values first, until others have enough room.
    fn make_room(&mut self, worker: WorkerIndex) {
        while self.workers[worker as usize].is_too_full_for_copies() {
            let Some(id) = self.workers[worker as usize].spare.pop_first() else { return };
            let Some(slot) = self.pages.get(id) else { continue };
            let task = &self.tasks[slot];
            // If tasks need it, it is spare again when these have ended. If no other one has it any more, it is no
            // copy.
            if task.needed_by == 0 && task.worker != worker {
                self.remove_holder(slot, worker);
                self.tell_to_free(worker, id);
            }
        }
    }

    /// A worker has a value no more.
    pub(super) fn remove_holder(&mut self, slot: Slot, worker: WorkerIndex) {
        let mut chain = std::mem::replace(&mut self.tasks[slot].other_holders, NONE);
        let mut holders: SmallVec<[WorkerIndex; 4]> = SmallVec::new();
        holders.push(self.tasks[slot].worker);
        while let Some(holder) = self.chains.pop(&mut chain) {
            holders.push(holder);
        }
        holders.retain(|holder| *holder != NONE);
        let count = holders.len();
        holders.retain(|holder| *holder != worker);
        if holders.len() < count {
            let task = &self.tasks[slot];
            self.workers[worker as usize].let_go_of(task.id, task.size.bytes);
        }
        let mut others = NONE;
        holders.iter().skip(1).rev().for_each(|holder| self.chains.push(&mut others, *holder));
        let task = &mut self.tasks[slot];
        let before = std::mem::replace(&mut task.worker, holders.first().copied().unwrap_or(NONE));
        task.other_holders = others;
        if before == worker {
            self.note_moved(slot);
        }
    }

    /// A worker is told to free a value.
    pub(super) fn tell_to_free(&mut self, worker: WorkerIndex, id: TaskId) {
        self.touch(worker);
        Tasks::push(&mut self.workers[worker as usize].freed, id);
    }

    /// The value of a task goes from all its holders.
    pub(super) fn free_holders(&mut self, id: TaskId, bytes: u64, first: WorkerIndex, mut others: u32) {
        self.held_count -= 1;
        let mut holder = Some(first).filter(|worker| *worker != NONE);
        while let Some(worker) = holder {
            self.workers[worker as usize].let_go_of(id, bytes);
            self.tell_to_free(worker, id);
            holder = self.chains.pop(&mut others);
        }
    }

    /// Notes that a worker holds a value, or will.
    pub(super) fn add_holder(&mut self, slot: Slot, worker: WorkerIndex) {
        let task = &mut self.tasks[slot];
        self.workers[worker as usize].held_bytes += task.size.bytes;
        if task.worker == NONE {
            task.worker = worker;
        } else {
            self.chains.push(&mut task.other_holders, worker);
        }
        self.make_room(worker);
    }
}
