//! Tasks that are given to workers early: before all that they need exists.
//!
//! A task is *promised* while a worker has it and is to make its value. Once all that a task needs exists or is
//! promised, it may be given to a worker, as far as there is room in that one's backlog. It waits there, without a
//! thread, for values of this worker's own tasks, or for what other workers are told to send ([`ToWorker::Forward`]).
//! So a value goes to where it is needed without this scheduler, which hears of it later.
//!
//! A promise is broken if the task comes back without a value. Then what was given out early for it is asked back.
//!
//! The end of a task may be heard of before the end of one that it needed, as they come from different workers: it
//! counts when the other one is heard of.
//!
//! Which worker is given such a task: the one that makes most of what it needs, unless it costs less time to send
//! these values to another one than to have more work side by side before this one. How wide that work is, is the number of its tasks that nothing was given to it
//! early for (`leaves`): a chain of a thousand tasks is one wide. Large values stay where they are made.

use super::{
    Scheduler,
    table::{NONE, Slot, State, WorkerIndex},
};
use crate::{
    ids::{Code, Size, TaskId},
    message::{Finished, Held, Made, Message, Need, ToWorker},
    rank::Rank,
};
use smallvec::SmallVec;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

/// What it costs two workers that one sends the other a small value, in nanoseconds.
const SEND_NANOSECONDS: i64 = 5_000;
/// How a task ended.
#[derive(Debug)]
pub(super) enum End {
    Small(SmallVec<[u8; 16]>),
    Large(Size),
}

/// What the scheduler knows of tasks that are given out early.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Tasks that may be given out early, if nothing has changed since.
    candidates: VecDeque<(Slot, TaskId)>,
    /// Workers that may have got room for what is to be given to them early.
    pub(super) looks: VecDeque<WorkerIndex>,
    /// Tasks that have ended before what they need has, as far as was heard.
    ends: BTreeMap<Slot, End>,
    /// Those of them that count now, or that nobody wants any more.
    due: Vec<Slot>,
    /// Large values of tasks that have failed, and who holds them: workers that were given tasks for them early may be
    /// about to fetch them, until they have given these back.
    leaving: BTreeMap<Slot, WorkerIndex>,
    /// Functions that have made large values.
    large: BTreeSet<Code>,
    /// The tasks whose values other workers send for the run that is being written.
    sent: Vec<Slot>,
    #[cfg(test)]
    is_off: bool,
}

impl Early {
    /// With this, nothing is given out early.
    #[cfg(test)]
    pub(super) fn switched_off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    /// A task has ended before something that it needs has.
    pub(super) fn outrun(&mut self, slot: Slot, end: End) {
        self.ends.insert(slot, end);
    }

    /// The end of a task counts, if it was heard of. Returns whether it was.
    pub(super) fn end_is_due(&mut self, slot: Slot) -> bool {
        let has_ended = self.ends.contains_key(&slot);
        if has_ended {
            self.due.push(slot);
        }
        has_ended
    }

    pub(super) fn has_due_ends(&self) -> bool {
        !self.due.is_empty()
    }

    pub(super) fn end_count(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn leaving_count(&self) -> usize {
        self.leaving.len()
    }

    /// Who holds the value of a failed task that is forgotten now.
    pub(super) fn take_leaving(&mut self, slot: Slot) -> Option<WorkerIndex> {
        self.leaving.remove(&slot)
    }

    /// The worker of a task was lost.
    pub(super) fn forget_end(&mut self, slot: Slot) {
        self.ends.remove(&slot);
    }

    pub(super) fn learn_large(&mut self, code: Code) {
        self.large.insert(code);
    }
}

/// What a worker makes of what a task needs.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    /// How many values, and how many bytes it has of others.
    count: u32,
    bytes: u64,
    /// How many of its leaves would be leaves no more.
    leaves: u32,
}

impl Scheduler {
    /// Has a task wait for another one, which has no value yet.
    pub(super) fn wait_for(&mut self, slot: Slot, needed: Slot) {
        let task = &mut self.tasks[needed];
        let (is_source, is_promised) = (task.is_source, task.is_promised);
        self.chains.push(&mut task.dependents, slot);
        let task = &mut self.tasks[slot];
        task.missing += 1;
        self.missing_count += 1;
        task.missing_others += u32::from(!is_source);
        task.unpromised += u32::from(!is_promised);
    }

    /// A task that waited for another one does so no more.
    pub(super) fn wait_less(&mut self, slot: Slot, needed: Slot) {
        let (is_source, is_promised) = (self.tasks[needed].is_source, self.tasks[needed].is_promised);
        let task = &mut self.tasks[slot];
        task.missing -= 1;
        self.missing_count -= 1;
        task.missing_others -= u32::from(!is_source);
        task.unpromised -= u32::from(!is_promised);
        if task.missing == 0 && task.state == State::Assigned {
            self.workers[task.worker as usize].early -= 1;
        }
    }

    /// A worker has got a task, and is to make its value.
    pub(super) fn promise(&mut self, slot: Slot) {
        let task = &mut self.tasks[slot];
        task.is_promised = true;
        let (missing, worker) = (task.missing, task.worker);
        for dependent in self.chains.iter(task.dependents) {
            let task = &mut self.tasks[dependent];
            task.unpromised -= 1;
            if task.unpromised == 0 && task.state == State::Waiting {
                self.early.candidates.push_back((dependent, task.id));
            }
        }
        if missing > 0 {
            self.workers[worker as usize].early += 1;
            self.inherit(slot, worker);
        }
    }

    /// A task was given early to a worker: what it needs of that worker's tasks has an heir.
    fn inherit(&mut self, slot: Slot, worker: WorkerIndex) {
        for need in self.needs_of(slot) {
            let Some(needed) = self.pages.get(need) else { continue };
            let task = &mut self.tasks[needed];
            if task.state == State::Assigned && task.worker == worker && !task.has_heir {
                task.has_heir = true;
                self.workers[worker as usize].leaves -= 1;
            }
        }
    }

    /// A task's worker will not make its value: what was given out early for it is asked back.
    pub(super) fn break_promise(&mut self, slot: Slot) {
        let task = &mut self.tasks[slot];
        if !std::mem::take(&mut task.is_promised) {
            return;
        }
        let dependents: SmallVec<[Slot; 8]> = self.chains.iter(task.dependents).collect();
        for dependent in dependents {
            let task = &mut self.tasks[dependent];
            task.unpromised += 1;
            if task.state == State::Assigned && !task.cancelled {
                self.ask_for(dependent);
            }
        }
    }

    /// A task waits for values: it is given out early, if all of them are promised.
    pub(super) fn may_be_early(&mut self, slot: Slot) {
        let task = &self.tasks[slot];
        if task.state == State::Waiting && task.unpromised == 0 {
            self.early.candidates.push_back((slot, task.id));
        }
    }

    /// Gives out early what may be, as far as there is room: first to workers that have got some.
    pub(super) fn give_early(&mut self) {
        #[cfg(test)]
        if self.early.is_off {
            self.early.candidates.clear();
        }
        let mut left = self.looks_max;
        while left > 0
            && let Some(next) = self.early.candidates.pop_front().or_else(|| self.next_queued())
        {
            left -= 1;
            self.give_candidate(next);
        }
    }

    /// Sets at how many tasks a decision looks that may be given out early, instead of the usual number.
    #[must_use]
    pub fn look_at_most(mut self, tasks: u32) -> Self {
        self.looks_max = tasks.max(1);
        self
    }

    /// Whether the next decision is due without any news.
    pub fn has_more_to_decide(&self) -> bool {
        self.is_whole() && !(self.early.candidates.is_empty() && self.early.looks.is_empty())
    }

    /// The next task that waits for a worker's room, where there is some.
    fn next_queued(&mut self) -> Option<(Slot, TaskId)> {
        while let Some(worker) = self.early.looks.front().copied() {
            if self.has_room(worker)
                && let Some(next) = self.workers[worker as usize].early_queue.pop_front()
            {
                return Some(next);
            }
            self.workers[worker as usize].in_early = false;
            self.early.looks.pop_front();
        }
        None
    }

    fn give_candidate(&mut self, (slot, id): (Slot, TaskId)) {
        if !self.is_candidate(slot, id) {
            return;
        }
        let Some(worker) = self.place_for(slot) else { return };
        if self.has_room(worker) {
            self.assign(slot, worker);
        } else {
            self.workers[worker as usize].early_queue.push_back((slot, id));
        }
    }

    fn has_room(&self, worker: WorkerIndex) -> bool {
        let record = &self.workers[worker as usize];
        record.outstanding < record.window(self.backlog)
    }

    /// Whether a task may still be given out early. Tasks that tasks submitted may not, as others wait for them on
    /// their threads; nor what takes resources, which others could use meanwhile.
    fn is_candidate(&self, slot: Slot, id: TaskId) -> bool {
        let Some(task) = self.tasks.get(slot).filter(|task| task.id == id) else { return false };
        if task.state != State::Waiting || task.missing == 0 || task.unpromised > 0 || task.suspected > 0 {
            return false;
        }
        let record = &self.layers[task.layer];
        let takes = !self.classes[record.class].resources().is_empty();
        !record.is_nested() && !record.layer.is_one_each() && !takes && !self.is_late(task.layer)
    }

    /// The worker that a task should be given to early.
    fn place_for(&self, slot: Slot) -> Option<WorkerIndex> {
        let class = &self.classes[self.layers[self.tasks[slot].layer].class];
        let (mut shares, is_large) = self.shares(slot);
        shares.retain(|(worker, _)| class.may_run_on(*worker));
        if is_large {
            let most = |(worker, share): &(WorkerIndex, Share)| (share.bytes, share.count, Reverse(*worker));
            return shares.into_iter().max_by_key(most).map(|(worker, _)| worker);
        }
        let idle = self.idle.last().copied().filter(|idle| class.may_run_on(*idle));
        let idle = idle.filter(|idle| shares.iter().all(|(worker, _)| worker != idle));
        shares.extend(idle.map(|idle| (idle, Share::default())));
        let cost = |(worker, share): &(WorkerIndex, Share)| {
            let record = &self.workers[*worker as usize];
            let width = i64::from(record.leaves + 1) - i64::from(share.leaves);
            let excess = (width - i64::from(record.threads())).max(0);
            // To be one wider costs the time of a task, shared by the threads.
            let task_nanoseconds = record.pace.nanoseconds().unwrap_or(0).clamp(1_000, 1 << 40) as i64;
            let wider = excess.saturating_mul(task_nanoseconds) / i64::from(record.threads().max(1));
            let sent = i64::from(share.count) * SEND_NANOSECONDS;
            (wider.saturating_sub(sent), Reverse(share.count), *worker)
        };
        shares.into_iter().min_by_key(cost).map(|(worker, _)| worker)
    }

    /// What each worker makes, or has, of what a task needs; and whether some of that is large.
    fn shares(&self, slot: Slot) -> (SmallVec<[(WorkerIndex, Share); 8]>, bool) {
        let mut shares: SmallVec<[(WorkerIndex, Share); 8]> = SmallVec::new();
        let mut is_large = false;
        for need in self.needs_of(slot) {
            let Some(needed) = self.pages.get(need) else { continue };
            let task = &self.tasks[needed];
            if !matches!(task.state, State::Assigned | State::Held) || task.worker == NONE {
                continue;
            }
            let place = shares.iter().position(|(worker, _)| *worker == task.worker).unwrap_or_else(|| {
                shares.push((task.worker, Share::default()));
                shares.len() - 1
            });
            let share = &mut shares[place].1;
            match task.state {
                State::Assigned => {
                    share.count += 1;
                    share.leaves += u32::from(!task.has_heir);
                    is_large |= self.early.large.contains(&self.layers[task.layer].layer.code);
                }
                _ => {
                    share.bytes += task.size.bytes;
                    is_large = true;
                }
            }
        }
        (shares, is_large)
    }

    /// Where a worker gets a value that does not exist yet.
    pub(super) fn need_unmade(&mut self, worker: WorkerIndex, slot: Slot) -> Need {
        let task = &self.tasks[slot];
        if task.worker == worker {
            return Need::Own(task.id);
        }
        let id = task.id;
        self.early.sent.push(slot);
        Need::Sent(id)
    }

    /// Has other workers send what they make for the run that is being written. Returns which of the worker's runs
    /// with such values it is, or 0 if it is none.
    pub(super) fn order_sent(&mut self, worker: WorkerIndex) -> u64 {
        if self.early.sent.is_empty() {
            return 0;
        }
        let record = &mut self.workers[worker as usize];
        record.orders += 1;
        let (order, target) = (record.orders, record.spec.rank);
        let mut sent = std::mem::take(&mut self.early.sent);
        sent.sort_unstable();
        sent.dedup();
        for slot in sent.drain(..) {
            let (task, maker) = (self.tasks[slot].id, self.tasks[slot].worker);
            self.workers[maker as usize].forwards.push(ToWorker::Forward { task, target, order });
            self.touch(maker);
        }
        self.early.sent = sent;
        order
    }

    /// Writes to whom a worker is to send values: after the runs that make them.
    pub(super) fn write_forwards(&mut self, worker: WorkerIndex) {
        let record = &mut self.workers[worker as usize];
        let rank = record.spec.rank;
        self.out.extend(record.forwards.drain(..).map(|forward| (rank, Message::ToWorker(forward))));
    }

    /// A worker was told too late to send a value: its end was heard of before this, if it has one.
    pub(super) fn missed(&mut self, id: TaskId, target: Rank, order: u64) {
        let Some(slot) = self.pages.get(id) else { return };
        let task = &self.tasks[slot];
        let small = |bytes: &[u8]| Made::Small { task: id, value: bytes.to_vec() };
        let held = |holder, size| Made::Large(Held { task: id, holder, size });
        let made = match (self.early.ends.get(&slot), task.state) {
            (Some(End::Small(bytes)), _) => small(bytes),
            (Some(End::Large(size)), _) => held(self.holder_of(task), *size),
            (None, State::Small) => small(&task.small),
            (None, State::Held) => {
                let worker = self.worker_at(target);
                let holder = worker.map_or(self.holder_of(task), |worker| self.holder_for(worker, slot));
                held(holder, task.size)
            }
            _ => return,
        };
        self.out.push((target, Message::ToWorker(ToWorker::Made { order, made })));
    }

    /// A cancelled task has made a large value all the same. It goes, as soon as nobody can be about to fetch it.
    pub(super) fn end_cancelled_with_value(&mut self, slot: Slot) {
        let (id, worker, needed_by) = {
            let task = &self.tasks[slot];
            (task.id, task.worker, task.needed_by)
        };
        if needed_by > 0 && self.errors.contains_key(&slot) {
            self.early.leaving.insert(slot, worker);
        } else {
            self.tell_to_free(worker, id);
        }
        self.end_cancelled(slot);
    }

    /// Counts the ends that are due.
    pub(super) fn take_due_ends(&mut self) {
        while let Some(slot) = self.early.due.pop() {
            let Some(end) = self.early.ends.remove(&slot) else { continue };
            let task = &self.tasks[slot];
            let id = task.id;
            match end {
                End::Small(_) if task.cancelled => self.end_cancelled(slot),
                End::Large(_) if task.cancelled => self.end_cancelled_with_value(slot),
                End::Small(bytes) => {
                    if task.wanted {
                        let values = [bytes.as_slice()].into_iter().collect();
                        self.tell_finished(Finished { first: id, values }, &[]);
                    }
                    self.has_small(slot, bytes);
                }
                End::Large(size) => self.has_large(slot, size),
            }
        }
    }

    /// No task waits for another: all ends that were heard of count.
    pub(super) fn take_outrun_ends(&mut self) {
        self.early.due = self.early.ends.keys().rev().copied().collect();
        self.take_due_ends();
    }

    /// Checks that what is counted is so.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn validate_early(&self) {
        let mut unpromised: BTreeMap<Slot, u32> = BTreeMap::new();
        let mut counts = vec![(0, 0); self.workers.len()];
        for (_, task) in self.tasks.iter() {
            let is_assigned = task.state == State::Assigned;
            assert!(is_assigned || !task.is_promised, "{:?} is promised", task.id);
            for dependent in self.chains.iter(task.dependents) {
                *unpromised.entry(dependent).or_default() += u32::from(!task.is_promised);
            }
            if is_assigned {
                let (early, leaves) = &mut counts[task.worker as usize];
                *early += u32::from(task.missing > 0);
                *leaves += u32::from(!task.has_heir);
            }
        }
        for (slot, task) in self.tasks.iter() {
            let counted = unpromised.get(&slot).copied().unwrap_or(0);
            assert_eq!(task.unpromised, counted, "what nobody has promised to {:?}", task.id);
        }
        for (worker, counts) in self.workers.iter().zip(counts) {
            assert_eq!((worker.early, worker.leaves), counts, "early tasks of {:?}", worker.spec.rank);
        }
        for slot in self.early.ends.keys() {
            let task = &self.tasks[*slot];
            assert!(task.state == State::Assigned && task.missing > 0, "{:?} has ended too early", task.id);
        }
    }
}
