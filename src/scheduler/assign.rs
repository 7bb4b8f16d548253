//! Who gets what.
//!
//! A task whose inputs lie on a worker queues for that worker: for the one that holds most of their
//! bytes; of two, where others queue that need the same, unless it is more loaded. Others queue for all.
//! Tasks that need nothing are withheld in their layers, and given out in ranges, after what is ready: so
//! what has begun is finished before more is begun, and a worker that holds much is given no new beginnings.
//!
//! A worker is first given a task for each thread, then a backlog worth [`Backlog`] of its time; a
//! share of what is left, so that the last tasks are spread. A worker with nothing left takes from
//! the queue of another, and last asks another to give back what it has not begun.
//!
//! The choice of a worker is from stacks of workers with room: its cost does not grow with the number
//! of workers. (`Queue` holds the order: priority, depth, level, latest first. Tasks that tasks submitted come
//! before those of the driver, since tasks wait for them.)
//!
//! [`Backlog`]: super::Backlog

use super::{
    Assigned, Scheduler,
    class::ClassIndex,
    table::{LayerSlot, NONE, Slot, State, Task, WorkerIndex},
    turns::First,
};
use crate::{
    ids::{TaskId, Tasks},
    message::{Column, Given, Held, Message, Need, Run, ToWorker},
    packed::Packed,
    rank::Rank,
};
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::{cmp::Reverse, hash::BuildHasher};

/// Less work than this is not worth asking back for.
const YIELD_NANOSECONDS_MIN: u64 = 200_000;
/// By how many tasks a thread a worker may be more loaded than another that holds as much, and be chosen.
const LOAD_DIFFERENCE_MAX: usize = 8;
/// How many workers are few enough that all of them are looked at, though all have the value.
const HOLDERS_MAX: usize = 32;
/// How many workers a search for one that can give back looks at.
const VICTIMS_MAX: usize = 64;

/// Where a worker's next task comes from.
#[derive(Clone, Copy)]
enum Source {
    Own(ClassIndex),
    Ready(ClassIndex),
    Roots(ClassIndex),
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
        let (class, urgency, level) = (record.class, record.urgency(), record.layer.level);
        let lane = self.lane(self.tasks[slot].id.owner());
        if record.layer.is_one_each() {
            let index = (self.tasks[slot].id.0 - record.layer.tasks.first.0) as usize;
            let rank = record.layer.options.as_ref().and_then(|options| options.workers.get(index).copied());
            if let Some(worker) = rank.and_then(|rank| self.worker_at(rank)) {
                self.workers[worker as usize].pinned.push_back(slot);
                self.pinned += 1;
                return self.offer(worker);
            }
            return self.fail_bound(slot, rank);
        }
        if self.classes[class].is_nobodys {
            (self.tasks[slot].state, self.tasks[slot].queued) = (State::Waiting, false);
            return self.fail_without_workers(slot);
        }
        if self.tasks[slot].suspected > 0 {
            return self.suspects.push_back(slot);
        }
        match self.nearest_worker(slot) {
            Some(worker) => {
                self.workers[worker as usize].queue.push(class, lane, urgency, level, slot);
                if !self.workers[worker as usize].in_loaded {
                    self.workers[worker as usize].in_loaded = true;
                    self.loaded.push(worker);
                }
                self.offer(worker);
            }
            None => {
                self.ready += 1;
                self.classes[class].ready.push(lane, urgency, level, slot);
            }
        }
    }

    /// The worker that holds most bytes of what a task needs, if any are held. Of several, one of the less
    /// loaded, and the same for all tasks that need the same values, so that each of these moves once: so do
    /// two blocks of `x + x.T`, which lie across from each other.
    fn nearest_worker(&self, slot: Slot) -> Option<WorkerIndex> {
        if self.held_count == 0 {
            return None;
        }
        let task = &self.tasks[slot];
        let record = &self.layers[task.layer];
        let index = (task.id.0 - record.layer.tasks.first.0) as u32;
        let mut held: SmallVec<[(WorkerIndex, u64); 8]> = SmallVec::new();
        // Of a set: whatever the order.
        let mut hash = 0_u64;
        super::table::for_each_need(&record.layer, index, |need| {
            let Some(needed) = self.pages.get(need) else { return };
            let needed = &self.tasks[needed];
            if needed.state == State::Held {
                hash = hash.wrapping_add(FxBuildHasher.hash_one(need));
                let before = held.len();
                held.push((needed.worker, needed.size.bytes));
                held.extend(self.chains.iter(needed.other_holders).map(|worker| (worker, needed.size.bytes)));
                // What all of many have, as after a broadcast, says nothing.
                let count = held.len() - before;
                if count > HOLDERS_MAX && count >= self.workers.len() {
                    held.truncate(before);
                }
            }
        });
        held.sort_unstable();
        held.dedup_by(|(worker, bytes), (known, total)| {
            let is_known = worker == known;
            *total += if is_known { *bytes } else { 0 };
            is_known
        });
        held.retain(|(worker, _)| {
            (*worker as usize) < self.workers.len() && self.classes[record.class].may_run_on(*worker)
        });
        let most = held.iter().map(|(_, bytes)| *bytes).max()?;
        held.retain(|(_, bytes)| *bytes == most);
        if held.len() == 1 {
            return Some(held[0].0);
        }
        let load = |worker: WorkerIndex| {
            let record = &self.workers[worker as usize];
            (record.outstanding as usize + record.queue.len()) / record.spec.threads.max(1) as usize
        };
        let least = held.iter().map(|(worker, _)| load(*worker)).min()?;
        held.retain(|(worker, _)| load(*worker) <= least + LOAD_DIFFERENCE_MAX);
        Some(held[hash as usize % held.len()].0)
    }

    /// Puts a worker among those with a thread to spare, or with room, if it is one.
    pub(super) fn offer(&mut self, worker: WorkerIndex) {
        let record = &mut self.workers[worker as usize];
        if !record.early_queue.is_empty() && !std::mem::replace(&mut record.in_early, true) {
            self.early.looks.push_back(worker);
        }
        if !record.takes_tasks() {
            return;
        }
        if record.nested_room() > 0 && !record.in_blocked {
            record.in_blocked = true;
            self.blocked.push_front(worker);
        }
        if record.busy() < record.threads() {
            if !record.in_idle {
                record.in_idle = true;
                self.idle.push(worker);
                self.idled_count += 1;
            }
        } else if record.outstanding < record.window(self.backlog) && !record.in_roomy {
            record.in_roomy = true;
            self.roomy.push(worker);
        }
    }

    pub(super) fn give_out_work(&mut self) {
        self.run_ahead();
        self.give_suspects();
        self.fill_idle();
        self.fill_blocked();
        // Before backlogs are filled: what came back from one must not go there again.
        self.share();
        if self.suspects.is_empty() {
            // While some wait for a thread to be free, backlogs would keep all threads busy.
            self.fill_roomy();
        }
        self.give_early();
        if self.common_work() == 0 && !self.idle.is_empty() {
            self.ask_back();
        }
        self.settle();
    }

    /// Gives each worker with a thread to spare its share, up to a task a thread.
    fn fill_idle(&mut self) {
        let mut still_idle = Vec::new();
        while let Some(worker) = self.idle.pop() {
            let record = &mut self.workers[worker as usize];
            record.in_idle = false;
            let spare = record.threads().saturating_sub(record.busy());
            if spare == 0 {
                self.offer(worker);
                continue;
            }
            let fair = self.common_work().div_ceil(self.idle.len() as u64 + 1).max(1);
            self.give(worker, spare, spare.min(fair.min(u64::from(u32::MAX)) as u32));
            let record = &mut self.workers[worker as usize];
            if record.takes_tasks() && record.busy() < record.threads() {
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

    /// Gives workers whose tasks wait what tasks submitted: they run it first, however much they have.
    fn fill_blocked(&mut self) {
        // The others' turn comes in later decisions.
        for _ in 0..self.blocked.len().min(VICTIMS_MAX) {
            if self.common_work() == 0 && self.loaded.is_empty() {
                return;
            }
            let worker = self.blocked.pop_front().expect("counted above");
            while self.workers[worker as usize].nested_room() > 0
                && let Some((first, source)) = self.first_source(worker, true)
                && first.urgency.depth > 0
            {
                self.give_from(worker, source, 1, 1);
            }
            let record = &mut self.workers[worker as usize];
            record.in_blocked = record.nested_room() > 0;
            if record.in_blocked {
                self.blocked.push_back(worker);
            }
        }
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
        self.withheld + self.ready
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
        while let Some((_, source)) = self.first_source(worker, share > 0) {
            // Nobody may want what was left there; then the next one's turn comes.
            let given = self.give_from(worker, source, room, share);
            if given > 0 {
                return (given, !matches!(source, Source::Own(_)));
            }
        }
        (0, false)
    }

    /// Gives a worker what comes first in a source, which is not empty. Returns how many tasks: none if nobody wants
    /// these any more.
    fn give_from(&mut self, worker: WorkerIndex, source: Source, room: u32, share: u32) -> u32 {
        let slot = match source {
            Source::Own(class) => self.workers[worker as usize].queue.pop(class, &self.turns),
            Source::Ready(class) => {
                self.ready -= 1;
                self.classes[class].ready.pop(&self.turns)
            }
            Source::Roots(class) => return self.give_roots(worker, class, room.min(share)),
        };
        let slot = slot.expect("the source is not empty");
        let is_wanted = self.leave_queue(slot);
        if is_wanted {
            self.assign(slot, worker);
        }
        u32::from(is_wanted)
    }

    /// Where what comes first of all that the worker can start now waits.
    fn first_source(&self, worker: WorkerIndex, with_common: bool) -> Option<(First, Source)> {
        let (record, turns) = (&self.workers[worker as usize], &self.turns);
        let can_start = |class: &ClassIndex| self.classes[*class].can_start_on(record);
        let own = record.queue.first(turns, can_start).map(|(first, class)| (first, Source::Own(class)));
        if !with_common {
            return own;
        }
        let classes = || record.classes.iter().copied().filter(can_start);
        let ready =
            classes().filter_map(|class| Some((self.classes[class].ready.first(turns)?, class))).max();
        let ready = ready.map(|(first, class)| (first, Source::Ready(class)));
        let first_root = |class: ClassIndex| Some((self.classes[class].roots.first(turns)?.0, class));
        let root = if record.may_begin() { classes().filter_map(first_root).min() } else { None };
        let root = root.map(|((Reverse(urgency), turn, _), class)| {
            (First { urgency, turn: Reverse(turn), level: 0 }, Source::Roots(class))
        });
        // Of one urgency and turn, those that come first here do so there.
        let sources = [own, ready, root].into_iter().flatten();
        let order = |first: &First| (first.urgency, first.turn);
        sources.reduce(|best, next| if order(&next.0) > order(&best.0) { next } else { best })
    }

    fn give_pinned(&mut self, worker: WorkerIndex) -> bool {
        while let Some(slot) = self.workers[worker as usize].pinned.pop_front() {
            self.pinned -= 1;
            if self.leave_queue(slot) {
                self.assign(slot, worker);
                return true;
            }
        }
        false
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

    /// Gives up to `room` withheld tasks of the first layer of a class.
    fn give_roots(&mut self, worker: WorkerIndex, class: ClassIndex, room: u32) -> u32 {
        let Some((_, layer)) = self.classes[class].roots.first(&self.turns) else { return 0 };
        // Where sessions take turns, each gets a part of the room.
        let room = room.div_ceil(1 + self.sessions.len() as u32);
        let mut given = 0;
        let count = self.layers[layer].layer.tasks.count;
        while given < room
            && self.layers[layer].cursor < count
            && self.classes[class].can_start_on(&self.workers[worker as usize])
        {
            given += u32::from(self.give_root(worker, layer));
        }
        if self.layers[layer].cursor == count {
            self.leave_roots(layer);
        }
        given
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
        if !self.leave_queue(slot) || self.put_aside(slot) {
            return false;
        }
        self.assign(slot, worker);
        true
    }

    pub(super) fn assign(&mut self, slot: Slot, worker: WorkerIndex) {
        let record = &mut self.workers[worker as usize];
        let task = &mut self.tasks[slot];
        let was_with_one = task.worker != NONE;
        let waits = record.busy() >= record.threads();
        record.asked_in_vain_at = (was_with_one && waits).then_some(self.idled_count);
        task.state = State::Assigned;
        task.worker = worker;
        task.cancelled = false;
        let (layer, id, attempt, is_alone) = (task.layer, task.id, task.attempt, task.suspected > 0);
        self.turns.serve(self.lane(id.owner()));
        self.touch(worker);
        let record = &self.layers[layer];
        let index = (id.0 - record.layer.tasks.first.0) as u32;
        let worker = &mut self.workers[worker as usize];
        worker.outstanding += 1;
        worker.leaves += 1;
        worker.nested += u32::from(record.is_nested());
        worker.take(self.classes[record.class].resources());
        let joins =
            |run: &&mut Assigned| run.layer == layer && run.attempt == attempt && !run.is_alone && !is_alone;
        match worker.runs.last_mut().filter(joins) {
            Some(run) if run.first + run.count == index => run.count += 1,
            // The queues give the latest first.
            Some(run) if run.first == index + 1 => {
                run.first = index;
                run.count += 1;
            }
            _ => worker.runs.push(Assigned { layer, first: index, count: 1, attempt, is_alone }),
        }
        self.promise(slot);
    }

    /// Idle workers take from the queues of others.
    fn share(&mut self) {
        let mut looks = VICTIMS_MAX;
        // From the last on; those that nobody has anything for are passed.
        let mut place = self.idle.len();
        while place > 0 && looks > 0 {
            while self.loaded.last().is_some_and(|victim| self.workers[*victim as usize].queue.is_empty()) {
                let victim = self.loaded.pop().expect("looked at above");
                self.workers[victim as usize].in_loaded = false;
            }
            let worker = self.idle[place - 1];
            let victims = self.loaded.iter().rev().take(looks).filter(|victim| **victim != worker);
            let found =
                victims.copied().find_map(|victim| Some((victim, self.first_to_take(worker, victim)?)));
            let Some((victim, class)) = found else {
                looks -= self.loaded.len().clamp(1, looks);
                place -= 1;
                continue;
            };
            let slot = self.workers[victim as usize]
                .queue
                .pop(class, &self.turns)
                .expect("the class was found there");
            if self.leave_queue(slot) {
                self.assign(slot, worker);
            }
            let record = &mut self.workers[worker as usize];
            if record.busy() >= record.threads() {
                record.in_idle = false;
                place -= 1;
                self.idle.remove(place);
                self.offer(worker);
            }
        }
    }

    /// The class of the task that a worker may take from another's queue, if there is one.
    fn first_to_take(&self, worker: WorkerIndex, victim: WorkerIndex) -> Option<ClassIndex> {
        let can_start = |class: &ClassIndex| {
            let class = &self.classes[*class];
            class.may_run_on(worker) && class.can_start_on(&self.workers[worker as usize])
        };
        self.workers[victim as usize].queue.first(&self.turns, can_start).map(|(_, class)| class)
    }

    /// Asks a worker that has more than its threads can run to give half of that back.
    fn ask_back(&mut self) {
        let count = self.workers.len();
        let worth_min = self.yield_nanoseconds_min();
        for _ in 0..count.min(VICTIMS_MAX) {
            let victim = self.next_victim % count;
            self.next_victim = victim + 1;
            let record = &mut self.workers[victim];
            let surplus = record.busy().saturating_sub(record.threads());
            let worth = record
                .pace
                .nanoseconds()
                .is_none_or(|nanoseconds| nanoseconds.saturating_mul(u64::from(surplus)) >= worth_min);
            let in_vain = record.asked_in_vain_at == Some(self.idled_count);
            if surplus > 0 && worth && !record.yielding && !in_vain {
                record.yielding = true;
                let rank = record.spec.rank;
                self.out.push((rank, Message::ToWorker(ToWorker::Yield(surplus.div_ceil(2)))));
                return;
            }
        }
    }

    /// How much work is worth asking back for. Who waits for values of tasks that others have will soon have work
    /// again, and what others wait for is better left where it is: only a good part of a backlog is worth it then.
    fn yield_nanoseconds_min(&self) -> u64 {
        let is_empty = |worker: &WorkerIndex| self.workers[*worker as usize].early == 0;
        let has_empty = self.idle.iter().rev().take(VICTIMS_MAX).any(is_empty);
        if has_empty {
            YIELD_NANOSECONDS_MIN
        } else {
            YIELD_NANOSECONDS_MIN.max(self.backlog.nanoseconds / 2)
        }
    }

    /// Writes what each worker is told in this decision.
    pub(super) fn write_to_workers(&mut self) {
        // Also those that have to make room for what a run has them fetch.
        while let Some(worker) = self.touched.pop() {
            let record = &mut self.workers[worker as usize];
            record.is_touched = false;
            let rank = record.spec.rank;
            // Before the runs, which may have the worker fetch again what it is told to free.
            let free = self.workers[worker as usize].free_message();
            self.out.extend(free.map(|free| (rank, Message::ToWorker(free))));
            for assigned in std::mem::take(&mut self.workers[worker as usize].runs) {
                let run = self.run(worker, &assigned);
                self.out.push((rank, Message::ToWorker(ToWorker::Run(run))));
            }
            self.write_forwards(worker);
            let messages = self.workers[worker as usize].messages();
            self.out.extend(messages.map(|message| (rank, Message::ToWorker(message))));
        }
    }

    fn run(&mut self, worker: WorkerIndex, assigned: &Assigned) -> Run {
        let Assigned { layer, first, count, attempt, .. } = *assigned;
        let record = &self.layers[layer];
        let tasks = Tasks { first: record.layer.tasks.first.plus(first), count };
        let options = record.layer.options.as_ref();
        let label = options.and_then(|options| options.label.clone());
        let timeout_nanoseconds = options.map_or(0, |options| options.timeout_nanoseconds);
        let is_kept = options.is_some_and(|options| options.is_kept);
        let (code, depth) = (record.layer.code, record.layer.depth);
        let columns = record.layer.columns.len();
        let arguments =
            (0..columns).map(|column| self.argument(worker, layer, column, first, count)).collect();
        // Only now, so that wherever this run needs a value, it is said who has it.
        while let Some(slot) = self.fetched.pop() {
            if !self.holds(worker, slot) {
                self.add_holder(slot, worker);
            }
        }
        Run {
            tasks,
            code,
            attempt: u32::from(attempt),
            arguments,
            label,
            timeout_nanoseconds,
            is_kept,
            depth,
            order: self.order_sent(worker),
        }
    }

    /// One argument of `count` tasks of a layer, from the one at `first` on.
    fn argument(
        &mut self,
        worker: WorkerIndex,
        layer: LayerSlot,
        column: usize,
        first: u32,
        count: u32,
    ) -> Given {
        let range = first as usize..(first + count) as usize;
        let column = &self.layers[layer].layer.columns[column];
        if let Column::Values(ids) = column {
            let ids: SmallVec<[TaskId; 4]> = range.map(|index| ids.at(index)).collect();
            return self.needs(worker, &ids);
        }
        match column.slice(range) {
            Column::Same(bytes) => Given::Same(bytes),
            Column::Each(values) => Given::Each(values),
            Column::Values(_) => unreachable!("looked at above"),
            Column::Lists { lists, collect } => {
                let need_list = |list: Vec<Tasks>| {
                    list.into_iter().flat_map(Tasks::iter).map(|id| self.need(worker, id)).collect()
                };
                Given::Lists { lists: lists.into_iter().map(need_list).collect(), collect }
            }
            Column::Parts { lists, cuts } => {
                let need_list = |list: Vec<Tasks>| {
                    list.into_iter().flat_map(Tasks::iter).map(|id| self.need_part(worker, id)).collect()
                };
                Given::Parts { lists: lists.into_iter().map(need_list).collect(), cuts }
            }
        }
    }

    /// Values for tasks one by one; all small, which is common, as one string.
    fn needs(&mut self, worker: WorkerIndex, ids: &[TaskId]) -> Given {
        let small: Option<Packed> = ids
            .iter()
            .map(|id| {
                let task = &self.tasks[self.pages.get(*id)?];
                (task.state == State::Small).then_some(task.small.as_slice())
            })
            .collect();
        match small {
            Some(values) => Given::Each(values),
            None => Given::Values(ids.iter().map(|id| self.need(worker, *id)).collect()),
        }
    }

    /// Whether a worker has a value, or will.
    pub(super) fn holds(&self, worker: WorkerIndex, slot: Slot) -> bool {
        let task = &self.tasks[slot];
        task.worker == worker || self.chains.iter(task.other_holders).any(|other| other == worker)
    }

    /// Who is asked for a value first: who gave it, where no worker has it.
    pub(super) fn holder_of(&self, task: &Task) -> Rank {
        self.workers.get(task.worker as usize).map_or(task.id.owner(), |worker| worker.spec.rank)
    }

    /// Who a worker is told has a value: it itself, if it does.
    pub(super) fn holder_for(&self, worker: WorkerIndex, slot: Slot) -> Rank {
        if self.holds(worker, slot) {
            self.workers[worker as usize].spec.rank
        } else {
            self.holder_of(&self.tasks[slot])
        }
    }

    /// Where the worker gets a value of which it needs a part: after that it holds no more than before.
    fn need_part(&mut self, worker: WorkerIndex, id: TaskId) -> Need {
        let slot = self.pages.get(id).expect("a needed value has a record");
        let task = &self.tasks[slot];
        if matches!(task.state, State::Small | State::Assigned) || self.holds(worker, slot) {
            return self.need(worker, id);
        }
        Need::Part(Held { task: id, holder: self.holder_of(task), size: task.size })
    }

    /// Where the worker gets a value.
    fn need(&mut self, worker: WorkerIndex, id: TaskId) -> Need {
        let slot = self.pages.get(id).expect("a needed value has a record");
        let task = &self.tasks[slot];
        if task.state == State::Small {
            return Need::Inline(task.small.to_vec());
        }
        if task.state == State::Assigned {
            return self.need_unmade(worker, slot);
        }
        let held = Held { task: id, holder: self.holder_for(worker, slot), size: task.size };
        if !self.holds(worker, slot) {
            self.fetched.push(slot);
        }
        Need::Held(held)
    }
}
