//! Who gets what.
//!
//! A task whose inputs lie on a worker queues for that worker: for the one that holds most of their
//! bytes, the less loaded of two. Others queue for all. Tasks that need nothing are withheld in their
//! layers, and given out in ranges, after what is ready: so what has begun is finished before more is
//! begun, and a worker that holds much is given no new beginnings.
//!
//! A worker is first given a task for each thread, then a backlog worth [`Backlog`] of its time; a
//! share of what is left, so that the last tasks are spread. A worker with nothing left takes from
//! the queue of another, and last asks another to give back what it has not begun.
//!
//! The choice of a worker is from stacks of workers with room: its cost does not grow with the number
//! of workers. (`Queue` holds the order: priority, level, latest first.)
//!
//! [`Backlog`]: super::Backlog

use super::{
    Assigned, Scheduler,
    table::{LayerSlot, Slot, State, WorkerIndex},
};
use crate::message::{Argument, Column, Held, Message, Need, Packed, Run, TaskId, Tasks, ToWorker};
use smallvec::SmallVec;
use std::cmp::Reverse;

/// The share of a worker's memory that may be full when it is given tasks that need nothing.
const ROOT_MEMORY_SHARE: f64 = 0.6;
/// Less work than this is not worth asking back for.
const YIELD_NANOSECONDS_MIN: u64 = 200_000;
/// How many workers a search for one that can give back looks at.
const VICTIMS_MAX: usize = 64;

/// Where a worker's next task comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Own,
    Ready,
    Roots,
}

impl Scheduler {
    /// A task has all it needs: it queues, if there is time left for it.
    pub(super) fn become_ready(&mut self, slot: Slot) {
        let layer = self.tasks[slot].layer;
        if self.is_late(layer) {
            self.tasks[slot].state = State::Waiting;
            return self.fail_late(slot);
        }
        self.tasks[slot].state = State::Ready;
        self.tasks[slot].queued = true;
        let record = &self.layers[layer];
        let (priority, level) = (record.priority(), record.layer.level);
        if record.layer.options.as_ref().is_some_and(|options| options.one_each) {
            let index = (self.tasks[slot].id.0 - record.layer.tasks.first.0) as usize;
            let rank = record.layer.options.as_ref().and_then(|options| options.workers.get(index).copied());
            if let Some(worker) = rank.and_then(|rank| self.worker_at(rank)) {
                self.workers[worker as usize].pinned.push_back(slot);
                self.pinned += 1;
                return self.offer(worker);
            }
        }
        match self.nearest_worker(slot) {
            Some(worker) => {
                self.workers[worker as usize].queue.push(priority, level, slot);
                if !self.workers[worker as usize].in_loaded {
                    self.workers[worker as usize].in_loaded = true;
                    self.loaded.push(worker);
                }
                self.offer(worker);
            }
            None => self.ready.push(priority, level, slot),
        }
    }

    /// The worker that holds most bytes of what a task needs, if any are held.
    fn nearest_worker(&self, slot: Slot) -> Option<WorkerIndex> {
        if self.held_count == 0 {
            return None;
        }
        let task = &self.tasks[slot];
        let record = &self.layers[task.layer];
        let index = (task.id.0 - record.layer.tasks.first.0) as u32;
        let mut held: SmallVec<[(WorkerIndex, u64); 8]> = SmallVec::new();
        let mut add =
            |worker: WorkerIndex, bytes: u64| match held.iter_mut().find(|(known, _)| *known == worker) {
                Some((_, total)) => *total += bytes,
                None => held.push((worker, bytes)),
            };
        super::table::for_each_need(&record.layer, index, |need| {
            let Some(needed) = self.pages.get(need) else { return };
            let needed = &self.tasks[needed];
            if needed.state == State::Held {
                add(needed.worker, needed.size.bytes);
                self.chains.iter(needed.other_holders).for_each(|worker| add(worker, needed.size.bytes));
            }
        });
        held.retain(|(worker, _)| {
            (*worker as usize) < self.workers.len()
                && record.eligible.as_ref().is_none_or(|eligible| eligible[*worker as usize])
        });
        let load = |worker: WorkerIndex| {
            let record = &self.workers[worker as usize];
            (record.outstanding as usize + record.queue.len()) / record.spec.threads.max(1) as usize
        };
        let best = held.iter().max_by(|(a, a_bytes), (b, b_bytes)| {
            a_bytes.cmp(b_bytes).then(load(*b).cmp(&load(*a))).then(b.cmp(a))
        });
        best.map(|(worker, _)| *worker)
    }

    /// Puts a worker among those with a thread to spare, or with room, if it is one.
    pub(super) fn offer(&mut self, worker: WorkerIndex) {
        let record = &mut self.workers[worker as usize];
        if record.outstanding < record.threads() {
            if !record.in_idle {
                record.in_idle = true;
                self.idle.push(worker);
            }
        } else if record.outstanding < record.window(self.backlog) && !record.in_roomy {
            record.in_roomy = true;
            self.roomy.push(worker);
        }
    }

    pub(super) fn give_out_work(&mut self) {
        self.fill_idle();
        // Before backlogs are filled: what came back from one must not go there again.
        self.share();
        self.fill_roomy();
        if self.common_work() == 0 && !self.idle.is_empty() {
            self.ask_back();
        }
        self.forget_unneeded();
    }

    /// Gives each worker with a thread to spare its share, up to a task a thread.
    fn fill_idle(&mut self) {
        let mut still_idle = Vec::new();
        while let Some(worker) = self.idle.pop() {
            let record = &mut self.workers[worker as usize];
            record.in_idle = false;
            let spare = record.threads().saturating_sub(record.outstanding);
            if spare == 0 {
                self.offer(worker);
                continue;
            }
            let fair = self.common_work().div_ceil(self.idle.len() as u64 + 1).max(1);
            self.give(worker, spare.min(fair.min(u64::from(u32::MAX)) as u32), fair as u32);
            let record = &mut self.workers[worker as usize];
            if record.outstanding < record.threads() {
                record.in_idle = true;
                still_idle.push(worker);
            } else {
                self.offer(worker);
            }
            if self.common_work() == 0 && self.loaded.is_empty() && self.pinned == 0 {
                break;
            }
        }
        still_idle.reverse();
        self.idle.extend(still_idle);
    }

    /// Fills backlogs, a share of what is left at a time.
    fn fill_roomy(&mut self) {
        loop {
            let round = std::mem::take(&mut self.roomy);
            let mut given = 0;
            for worker in round {
                let room = {
                    let record = &mut self.workers[worker as usize];
                    record.in_roomy = false;
                    record.window(self.backlog).saturating_sub(record.outstanding)
                };
                if room > 0 {
                    let share = self.common_work().div_ceil(2 * self.workers.len() as u64).max(1);
                    given += self.give(worker, room, share.min(u64::from(u32::MAX)) as u32);
                }
                self.offer(worker);
            }
            if given == 0 || self.common_work() == 0 {
                return;
            }
        }
    }

    /// How many tasks any worker may take.
    fn common_work(&self) -> u64 {
        self.withheld + self.ready.len() as u64
    }

    /// Gives a worker up to `room` tasks: its own first, then at most `share` of the common ones.
    fn give(&mut self, worker: WorkerIndex, room: u32, share: u32) -> u32 {
        let mut given = 0;
        let mut common = 0;
        while given < room {
            if self.give_pinned(worker) {
                given += 1;
                continue;
            }
            let (count, is_common) = self.give_next(worker, room - given, share - common);
            common += if is_common { count } else { 0 };
            if count == 0 {
                break;
            }
            given += count;
        }
        given
    }

    /// Gives a worker what comes first of what it may take: of its own queue, or, up to `share`, of
    /// what is common. Returns how many tasks, and whether these were common.
    fn give_next(&mut self, worker: WorkerIndex, room: u32, share: u32) -> (u32, bool) {
        let root = self.roots.last_key_value().map(|(priority, _)| *priority);
        let mut sources = [
            (self.workers[worker as usize].queue.priority(), Source::Own),
            (self.ready.priority(), Source::Ready),
            (root, Source::Roots),
        ];
        // Of one priority, those that come first here do so there.
        sources.sort_by_key(|(priority, _)| Reverse(*priority));
        for source in sources.into_iter().filter_map(|(priority, source)| priority.map(|_| source)) {
            let is_common = source != Source::Own;
            let count = match source {
                _ if is_common && share == 0 => 0,
                Source::Own => self.give_queued(worker, true),
                Source::Ready => self.give_queued(worker, false),
                Source::Roots => self.give_roots(worker, room.min(share)),
            };
            // What comes first may not be for this worker; what comes next may.
            if count > 0 {
                return (count, is_common);
            }
        }
        (0, false)
    }

    fn give_pinned(&mut self, worker: WorkerIndex) -> bool {
        while let Some(slot) = self.workers[worker as usize].pinned.pop_front() {
            self.pinned -= 1;
            if !self.leave_queue(slot) {
                continue;
            }
            if self.may_take(worker, slot) {
                self.assign(slot, worker);
                return true;
            }
            self.tasks[slot].queued = true;
            self.workers[worker as usize].pinned.push_front(slot);
            self.pinned += 1;
            return false;
        }
        false
    }

    /// Gives the next task of the worker's own queue, or of the common one, that it may take.
    fn give_queued(&mut self, worker: WorkerIndex, own: bool) -> u32 {
        let mut passed: SmallVec<[Slot; 4]> = SmallVec::new();
        let mut given = 0;
        // Only tasks that want workers or resources of their own are ever passed.
        while given == 0 && passed.len() < 64 {
            let queue = if own { &mut self.workers[worker as usize].queue } else { &mut self.ready };
            let Some(slot) = queue.pop() else { break };
            if !self.leave_queue(slot) {
                continue;
            }
            if self.may_take(worker, slot) {
                self.assign(slot, worker);
                given = 1;
            } else {
                passed.push(slot);
            }
        }
        for slot in passed.into_iter().rev() {
            self.tasks[slot].queued = true;
            let record = &self.layers[self.tasks[slot].layer];
            let (priority, level) = (record.priority(), record.layer.level);
            let queue = if own { &mut self.workers[worker as usize].queue } else { &mut self.ready };
            queue.push(priority, level, slot);
        }
        given
    }

    /// A queue has come to this task: whether it is still to run.
    pub(super) fn leave_queue(&mut self, slot: Slot) -> bool {
        self.tasks[slot].queued = false;
        let runs = matches!(self.tasks[slot].state, State::Ready | State::Withheld);
        if !runs {
            self.unneeded.push(slot);
        }
        runs
    }

    fn may_take(&self, worker: WorkerIndex, slot: Slot) -> bool {
        self.may_run(worker, self.tasks[slot].layer)
    }

    /// Gives up to `room` withheld tasks, of the first layer that the worker may run.
    fn give_roots(&mut self, worker: WorkerIndex, room: u32) -> u32 {
        let record = &self.workers[worker as usize];
        let full = record.held_bytes as f64 > ROOT_MEMORY_SHARE * record.spec.memory_bytes as f64;
        // Tasks that wait within may wait for these very ones, so they are no reason to hold them back.
        if full && record.outstanding > 0 && record.blocked <= 0 {
            return 0;
        }
        // Nobody may want what is left of a layer any more; then the next one's turn comes.
        loop {
            let found = self.roots.iter().rev().find_map(|(priority, layers)| {
                let place = layers.iter().take(VICTIMS_MAX).position(|layer| self.may_run(worker, *layer))?;
                Some((*priority, place))
            });
            let Some((priority, place)) = found else { return 0 };
            let (given, is_done) = self.give_roots_of(self.roots[&priority][place], worker, room);
            if is_done {
                self.remove_roots(priority, place);
            }
            if given > 0 || !is_done {
                return given;
            }
        }
    }

    /// Gives up to `room` withheld tasks of a layer, and tells whether none are left.
    fn give_roots_of(&mut self, layer: LayerSlot, worker: WorkerIndex, room: u32) -> (u32, bool) {
        let mut given = 0;
        let record = &self.layers[layer];
        let (count, has_resources) = (record.layer.tasks.count, record.has_resources());
        while given < room && self.layers[layer].cursor < count {
            if has_resources && !self.workers[worker as usize].has(self.layers[layer].resources()) {
                break;
            }
            given += u32::from(self.give_root(worker, layer));
        }
        (given, self.layers[layer].cursor == count)
    }

    fn remove_roots(&mut self, priority: i32, place: usize) {
        let layers = self.roots.get_mut(&priority).expect("the layer was found there");
        layers.remove(place);
        if layers.is_empty() {
            self.roots.remove(&priority);
        }
    }

    fn may_run(&self, worker: WorkerIndex, layer: LayerSlot) -> bool {
        let record = &self.layers[layer];
        record.eligible.as_ref().is_none_or(|eligible| eligible[worker as usize])
            && (!record.has_resources() || self.workers[worker as usize].has(record.resources()))
    }

    /// Gives the layer's next withheld task, unless nobody wants it any more.
    fn give_root(&mut self, worker: WorkerIndex, layer: LayerSlot) -> bool {
        let record = &mut self.layers[layer];
        let id = record.layer.tasks.first.plus(record.cursor);
        record.cursor += 1;
        self.withheld -= 1;
        let slot = match self.pages.get(id) {
            Some(slot) => slot,
            None => self.insert(id, layer, State::Withheld),
        };
        if !self.leave_queue(slot) {
            return false;
        }
        self.assign(slot, worker);
        true
    }

    fn assign(&mut self, slot: Slot, worker: WorkerIndex) {
        let task = &mut self.tasks[slot];
        self.workers[worker as usize].has_nothing_to_give = task.worker == worker;
        task.state = State::Assigned;
        task.worker = worker;
        task.cancelled = false;
        let (layer, id, attempt) = (task.layer, task.id, task.attempt);
        self.touch(worker);
        let record = &self.layers[layer];
        let index = (id.0 - record.layer.tasks.first.0) as u32;
        let worker = &mut self.workers[worker as usize];
        worker.outstanding += 1;
        if record.has_resources() {
            worker.take(record.resources());
        }
        match worker.runs.last_mut() {
            Some(run) if run.layer == layer && run.attempt == attempt && run.first + run.count == index => {
                run.count += 1;
            }
            // The queues give the latest first.
            Some(run) if run.layer == layer && run.attempt == attempt && run.first == index + 1 => {
                run.first = index;
                run.count += 1;
            }
            _ => worker.runs.push(Assigned { layer, first: index, count: 1, attempt }),
        }
    }

    /// Idle workers take from the queues of others.
    fn share(&mut self) {
        while let (Some(worker), Some(victim)) = (self.idle.last().copied(), self.loaded.last().copied()) {
            if self.workers[victim as usize].queue.is_empty() {
                self.loaded.pop();
                self.workers[victim as usize].in_loaded = false;
                continue;
            }
            if worker == victim || !self.take_from(worker, victim) {
                break;
            }
        }
    }

    /// Gives an idle worker a task from another's queue.
    fn take_from(&mut self, worker: WorkerIndex, victim: WorkerIndex) -> bool {
        let Some(slot) = self.workers[victim as usize].queue.pop() else { return false };
        if !self.leave_queue(slot) {
            return true;
        }
        if !self.may_take(worker, slot) {
            self.tasks[slot].queued = true;
            let record = &self.layers[self.tasks[slot].layer];
            let (priority, level) = (record.priority(), record.layer.level);
            self.workers[victim as usize].queue.push(priority, level, slot);
            return false;
        }
        self.assign(slot, worker);
        let record = &mut self.workers[worker as usize];
        if record.outstanding >= record.threads() {
            record.in_idle = false;
            self.idle.pop();
            self.offer(worker);
        }
        true
    }

    /// Asks a worker that has more than its threads can run to give half of that back.
    fn ask_back(&mut self) {
        let count = self.workers.len();
        for _ in 0..count.min(VICTIMS_MAX) {
            let victim = self.next_victim % count;
            self.next_victim = victim + 1;
            let record = &mut self.workers[victim];
            let surplus = record.outstanding.saturating_sub(record.threads());
            let worth = record
                .task_nanoseconds
                .is_none_or(|nanoseconds| nanoseconds * u64::from(surplus) >= YIELD_NANOSECONDS_MIN);
            if surplus > 0 && worth && !record.yielding && !record.has_nothing_to_give {
                record.yielding = true;
                let rank = record.spec.rank;
                self.out.push((rank, Message::ToWorker(ToWorker::Yield(surplus.div_ceil(2)))));
                return;
            }
        }
    }

    /// Writes what each worker is told in this decision.
    pub(super) fn write_to_workers(&mut self) {
        for worker in std::mem::take(&mut self.touched) {
            let rank = self.workers[worker as usize].spec.rank;
            for assigned in std::mem::take(&mut self.workers[worker as usize].runs) {
                let run = self.run(worker, &assigned);
                self.out.push((rank, Message::ToWorker(ToWorker::Run(run))));
            }
            let messages = self.workers[worker as usize].messages();
            self.out.extend(messages.map(|message| (rank, Message::ToWorker(message))));
        }
    }

    fn run(&mut self, worker: WorkerIndex, assigned: &Assigned) -> Run {
        let Assigned { layer, first, count, attempt } = *assigned;
        let record = &self.layers[layer];
        let tasks = Tasks { first: record.layer.tasks.first.plus(first), count };
        let label = record.layer.options.as_ref().and_then(|options| options.label.clone());
        let (code, columns) = (record.layer.code, record.layer.columns.len());
        let arguments =
            (0..columns).map(|column| self.argument(worker, layer, column, first, count)).collect();
        // Only now, so that wherever this run needs a value, it is said who has it.
        while let Some(slot) = self.fetched.pop() {
            if !self.holds(worker, slot) {
                self.add_holder(slot, worker);
            }
        }
        Run { tasks, code, attempt: u32::from(attempt), arguments, label }
    }

    /// One argument of `count` tasks of a layer, from the one at `first` on.
    fn argument(
        &mut self,
        worker: WorkerIndex,
        layer: LayerSlot,
        column: usize,
        first: u32,
        count: u32,
    ) -> Argument {
        let range = first as usize..(first + count) as usize;
        match &self.layers[layer].layer.columns[column] {
            Column::Same(bytes) => Argument::Same(bytes.clone()),
            Column::Each(values) => Argument::Each(values.slice(first as usize, count as usize)),
            Column::Stride { first: start, stride } => {
                let (start, stride) = (*start, u64::from(*stride));
                let ids: SmallVec<[TaskId; 4]> =
                    range.map(|index| TaskId(start.0 + index as u64 * stride)).collect();
                self.needs(worker, &ids)
            }
            Column::Values(ids) => {
                let ids: SmallVec<[TaskId; 4]> = SmallVec::from_slice(&ids[range]);
                self.needs(worker, &ids)
            }
            Column::Lists { lists, collect } => {
                let (lists, collect) = (lists[range].to_vec(), *collect);
                let need_list = |list: Vec<Tasks>| {
                    list.into_iter().flat_map(Tasks::iter).map(|id| self.need(worker, id)).collect()
                };
                Argument::Lists { lists: lists.into_iter().map(need_list).collect(), collect }
            }
        }
    }

    /// Values for tasks one by one; all small, which is common, as one string.
    fn needs(&mut self, worker: WorkerIndex, ids: &[TaskId]) -> Argument {
        let small: Option<Packed> = ids
            .iter()
            .map(|id| {
                let task = &self.tasks[self.pages.get(*id)?];
                (task.state == State::Small).then_some(task.small.as_slice())
            })
            .collect();
        match small {
            Some(values) => Argument::Each(values),
            None => Argument::Needs(ids.iter().map(|id| self.need(worker, *id)).collect()),
        }
    }

    /// Whether a worker has a value, or will.
    fn holds(&self, worker: WorkerIndex, slot: Slot) -> bool {
        let task = &self.tasks[slot];
        task.worker == worker || self.chains.iter(task.other_holders).any(|other| other == worker)
    }

    /// Where the worker gets a value.
    fn need(&mut self, worker: WorkerIndex, id: TaskId) -> Need {
        let slot = self.pages.get(id).expect("a needed value has a record");
        let task = &self.tasks[slot];
        if task.state == State::Small {
            return Need::Inline(task.small.to_vec());
        }
        let (size, first_holder) = (task.size, task.worker);
        let holder = if self.holds(worker, slot) {
            worker
        } else {
            self.fetched.push(slot);
            first_holder
        };
        Need::Held(Held { task: id, holder: self.workers[holder as usize].spec.rank, size })
    }
}
