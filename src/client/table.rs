//! What a client keeps: its layers, what it has yet to say, and who waits for what.
//!
//! All is under locks that are held for moments and under which nothing else is locked.

mod joined;
mod recording;
mod shared;

use super::{mail::Mail, parked::ParkedThreads, room::Room};
use crate::{
    comm::Bells,
    error::{Reason, TaskError},
    ids::{Size, TaskId, Tasks},
    journal::Key,
    lock::lock,
    message::{Finished, Held, Layer, Message, RankState, ToClient, ToScheduler, ToStore},
    rank::Rank,
    store::Claim,
    value::Value,
};
use rustc_hash::{FxHashMap, FxHashSet};
pub(crate) use shared::Answered;
use smallvec::SmallVec;
use std::{
    collections::{BTreeMap, VecDeque, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

/// How many runs of released tasks may wait for the next time that the rank is looked after, which is
/// within [`SLEEP_MAX`](crate::comm::bell::SLEEP_MAX).
const RELEASED_MAX: usize = 256;

/// Where a task stands, as its client sees it.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// Not ended.
    Pending,
    /// Ended with these bytes.
    Small(SmallVec<[u8; 16]>),
    /// Ended; its value is held by a rank.
    Held(Held),
    /// Failed.
    Failed(Arc<TaskError>),
    /// Dropped before it ended: nobody will ask.
    Dropped,
}

impl Progress {
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }
}

/// Tasks that were submitted together, while futures of them are held.
pub(crate) struct Tracked {
    table: Weak<Table>,
    pub(crate) tasks: Tasks,
    /// How many futures there are of each.
    references: Box<[AtomicU32]>,
    progress: Mutex<Vec<Progress>>,
    /// What the journal knows them by, if there is one.
    keys: OnceLock<Vec<Option<Key>>>,
}

impl Tracked {
    /// Whether it is of the run of a table: that of the driver, say, where a task of another rank of this process
    /// uses it.
    pub(super) fn is_of_run_of(&self, table: &Arc<Table>) -> bool {
        let is_own = self.table.as_ptr() == Arc::as_ptr(table);
        let is_of_run = |own: Arc<Table>| !own.is_recording && own.bells.are_of_run_of(&table.bells);
        is_own || self.table.upgrade().is_some_and(is_of_run)
    }

    pub(crate) fn set_keys(&self, keys: Vec<Option<Key>>) {
        // They are set where the tasks are made, once.
        let _ = self.keys.set(keys);
    }

    pub(crate) fn progress(&self, index: u32) -> Progress {
        lock(&self.progress)[index as usize].clone()
    }

    pub(crate) fn is_pending(&self, index: u32) -> bool {
        lock(&self.progress)[index as usize].is_pending()
    }

    pub(crate) fn add_reference(&self, index: u32) {
        self.references[index as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn drop_reference(&self, index: u32) {
        if self.references[index as usize].fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(table) = self.table.upgrade()
        {
            table.count_ended(self.give_up(index));
            table.release(self, index);
        }
    }

    /// Nobody will ask for it, unless it was looked up meanwhile. Returns whether it was pending.
    fn give_up(&self, index: u32) -> bool {
        let mut progress = lock(&self.progress);
        let given_up = !self.has_references(index) && progress[index as usize].is_pending();
        if given_up {
            progress[index as usize] = Progress::Dropped;
        }
        given_up
    }

    fn has_references(&self, index: u32) -> bool {
        self.references[index as usize].load(Ordering::Acquire) > 0
    }

    /// Returns whether it was pending.
    fn set(&self, index: u32, progress: Progress) -> bool {
        std::mem::replace(&mut lock(&self.progress)[index as usize], progress).is_pending()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        // An empty one was not noted: its number is that of the one after it.
        if let Some(table) = self.table.upgrade().filter(|_| self.tasks.count > 0) {
            let mut state = lock(&table.state);
            // Another one may have its place: it was looked up meanwhile.
            if state.tracked.get(&self.tasks.first).is_some_and(|tracked| tracked.strong_count() == 0) {
                state.tracked.remove(&self.tasks.first);
            }
        }
    }
}

impl fmt::Debug for Tracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.tasks)
    }
}

/// Something that a client wants done where the transport is.
#[derive(Debug)]
pub(crate) enum Request {
    /// Say this to a rank.
    Say(Rank, Message),
    /// Keep a value, for the worker of this rank or for others to fetch.
    Put(TaskId, Value, Claim),
    /// Get a value for the client.
    Want(Held),
    /// Give up the client's claim to a value.
    Drop(TaskId),
}

impl Request {
    /// The tasks that it submits, if it does.
    pub(crate) fn submitted(&self) -> Option<Tasks> {
        match self {
            Self::Say(_, Message::ToScheduler(ToScheduler::Submit(layer))) => Some(layer.tasks),
            _ => None,
        }
    }
}

/// The tasks of [`as_completed`](super::Client::as_completed) that have ended and were not handed on.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    awaited: Mutex<FxHashMap<TaskId, SmallVec<[usize; 1]>>>,
    ended: Mutex<VecDeque<usize>>,
}

impl Watcher {
    pub(crate) fn next(&self) -> Option<usize> {
        lock(&self.ended).pop_front()
    }

    /// Watches one more task. The table must know the watcher.
    pub(crate) fn add(&self, place: usize, task: TaskId, tracked: &Tracked, index: u32) {
        // It watches before it looks, so that it misses none.
        lock(&self.awaited).entry(task).or_default().push(place);
        if !tracked.is_pending(index) {
            self.see(task);
        }
    }

    fn see(&self, task: TaskId) {
        if let Some(places) = lock(&self.awaited).remove(&task) {
            lock(&self.ended).extend(places);
        }
    }
}

/// A value that was asked for.
#[derive(Default)]
struct Fetch {
    /// How many wait for it, or read it.
    readers: u32,
    value: Option<Value>,
}

#[derive(Default)]
struct State {
    next_sequence: u64,
    tracked: BTreeMap<TaskId, Weak<Tracked>>,
    requests: Vec<Request>,
    released: Vec<Tasks>,
    /// How much of what was submitted is open.
    room: Room,
    /// How many want nothing said for now.
    held_back: u32,
    /// Values put for others, and which of them have not fetched theirs.
    lent: FxHashMap<TaskId, Vec<Rank>>,
    /// Values put for others that are kept until nothing can be made again of them.
    kept: FxHashSet<TaskId>,
    /// Ranks that are lost.
    lost: Vec<Rank>,
    /// Released while lent, or while the value is on its way here.
    release_later: FxHashSet<TaskId>,
    /// Values that were asked for.
    fetches: FxHashMap<TaskId, Fetch>,
    watchers: Vec<Weak<Watcher>>,
    /// What ranks were asked, and have said.
    answers: FxHashMap<u64, RankState>,
    next_question: u64,
    /// What the catalog of publications has answered.
    catalog: FxHashMap<u64, Answered>,
}

impl State {
    /// Lets the store drop a value, unless it is still read here or lent to others.
    fn drop_claim(&mut self, task: TaskId) {
        let is_kept = self.lent.contains_key(&task) || self.kept.contains(&task);
        if !is_kept && !self.fetches.contains_key(&task) {
            self.requests.push(Request::Drop(task));
        }
    }

    /// Whether no value is on its way from here or to here, so that whoever holds it may let it go.
    fn is_at_rest(&self, task: TaskId) -> bool {
        let is_coming = self.fetches.get(&task).is_some_and(|fetch| fetch.value.is_none());
        !is_coming && !self.lent.contains_key(&task)
    }

    /// Asks for a value, if nobody has.
    fn fetch(&mut self, held: Held) -> &mut Fetch {
        match self.fetches.entry(held.task) {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => {
                self.requests.push(Request::Want(held));
                vacant.insert(Fetch::default())
            }
        }
    }

    /// Releases a task without futures whose value is at rest.
    fn release(&mut self, task: TaskId) {
        if self.fetches.remove(&task).is_some() {
            self.drop_claim(task);
        }
        Tasks::push(&mut self.released, task);
    }

    /// A value has come, or has been fetched: now a task may be released that could not be before.
    fn release_late(&mut self, task: TaskId) {
        if self.is_at_rest(task) && self.release_later.remove(&task) {
            self.release(task);
        }
    }
}

/// A client's table. See the module.
pub(crate) struct Table {
    own: Weak<Self>,
    this: Rank,
    bells: Arc<Bells>,
    state: Mutex<State>,
    /// How many tasks have not ended.
    pending: AtomicU64,
    /// Threads that wait for tasks, or for their values to arrive.
    pub(crate) parked: ParkedThreads,
    /// Whether no more tasks begin.
    stopping: AtomicBool,
    /// Values between shares of repetitions.
    pub(crate) mail: Mail,
    /// Whether the run can survive the loss of a worker.
    survives: bool,
    /// Whether what is submitted is recorded, and not sent.
    is_recording: bool,
}

impl Table {
    pub(crate) fn new(this: Rank, bells: Arc<Bells>, survives: bool) -> Arc<Self> {
        Arc::new_cyclic(|own| Self { own: own.clone(), ..Self::unshared(this, bells, survives) })
    }

    fn unshared(this: Rank, bells: Arc<Bells>, survives: bool) -> Self {
        Self {
            own: Weak::new(),
            this,
            bells,
            state: Mutex::default(),
            pending: AtomicU64::new(0),
            parked: ParkedThreads::default(),
            stopping: AtomicBool::new(false),
            mail: Mail::default(),
            survives,
            is_recording: false,
        }
    }

    /// A table of the same rank whose requests are never carried out.
    pub(crate) fn rehearsal(&self) -> Arc<Self> {
        Self::new(self.this, Arc::clone(&self.bells), false)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// How many tasks have not ended.
    pub(crate) fn pending_count(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Whether no more tasks begin.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Counts a task that is not pending any more, if it was.
    fn count_ended(&self, was_pending: bool) {
        self.pending.fetch_sub(u64::from(was_pending), Ordering::Relaxed);
    }

    /// Numbers for `count` tasks, which are `progress` at first.
    pub(crate) fn track(&self, count: u32, progress: &Progress) -> Arc<Tracked> {
        let mut state = self.state();
        let tasks = Tasks { first: TaskId::new(self.this, state.next_sequence), count };
        state.next_sequence += u64::from(count);
        self.track_these(&mut state, tasks, progress)
    }

    fn track_these(&self, state: &mut State, tasks: Tasks, progress: &Progress) -> Arc<Tracked> {
        let count = tasks.count;
        let tracked = Arc::new(Tracked {
            table: self.own.clone(),
            tasks,
            references: (0..count).map(|_| AtomicU32::new(0)).collect(),
            progress: Mutex::new(vec![progress.clone(); count as usize]),
            keys: OnceLock::new(),
        });
        if count > 0 {
            state.tracked.insert(tasks.first, Arc::downgrade(&tracked));
        }
        if progress.is_pending() {
            self.pending.fetch_add(u64::from(count), Ordering::Relaxed);
        }
        tracked
    }

    /// A number for a value that `held.holder` is to hold.
    pub(crate) fn track_held(&self, held: Held) -> Arc<Tracked> {
        let tracked = self.track(1, &Progress::Held(held));
        tracked.set(0, Progress::Held(Held { task: tracked.tasks.first, ..held }));
        tracked
    }

    /// Numbers for tasks that failed before they could be submitted.
    pub(crate) fn track_failed(&self, count: u32, error: TaskError) -> Arc<Tracked> {
        let error = Arc::new(error);
        let tracked = self.track(count, &Progress::Failed(Arc::clone(&error)));
        let message = ToScheduler::Refuse { tasks: tracked.tasks, error: Box::new((*error).clone()) };
        self.request(Request::Say(Rank::SCHEDULER, Message::ToScheduler(message)));
        tracked
    }

    /// Submits a layer. Returns whether nothing else was waiting to be said.
    pub(crate) fn submit(&self, layer: Layer) -> bool {
        let mut state = self.state();
        state.room.fill(u64::from(layer.tasks.count) * layer.weight());
        if let Some(Request::Say(_, Message::ToScheduler(ToScheduler::Submit(last)))) =
            state.requests.last_mut()
            && joined::append(last, &layer)
        {
            return false;
        }
        let first = state.requests.is_empty();
        let message = Message::ToScheduler(ToScheduler::Submit(layer));
        state.requests.push(Request::Say(Rank::SCHEDULER, message));
        first
    }

    /// Asks for something to be done.
    pub(crate) fn request(&self, request: Request) {
        self.state().requests.push(request);
    }

    /// The number of a question to come.
    pub(crate) fn new_question(&self) -> u64 {
        let mut state = self.state();
        state.next_question += 1;
        state.next_question
    }

    /// What was answered, once.
    pub(crate) fn take_answer(&self, question: u64) -> Option<RankState> {
        self.state().answers.remove(&question)
    }

    /// Gives a small value.
    pub(crate) fn give(&self, given: Finished) {
        let message = Message::ToScheduler(ToScheduler::Give(given));
        self.request(Request::Say(Rank::SCHEDULER, message));
    }

    /// Lends a value to workers, each of which fetches it from the one before it in a tree.
    pub(crate) fn lend(&self, task: TaskId, value: Value, workers: &[Rank]) {
        let size: Size = value.size();
        let mut state = self.state();
        let is_other = |rank: &Rank| *rank != self.this && !state.lost.contains(rank);
        let others: Vec<Rank> = workers.iter().copied().filter(is_other).collect();
        if workers.contains(&self.this) {
            state.requests.push(Request::Put(task, value.clone(), Claim::Worker));
        }
        if self.survives {
            state.kept.insert(task);
        }
        if self.survives || !others.is_empty() {
            state.requests.push(Request::Put(task, value, Claim::Client));
        }
        if !others.is_empty() {
            state.lent.insert(task, others.clone());
        }
        let place = ToScheduler::Place { task, size, holders: workers.to_vec() };
        state.requests.push(Request::Say(Rank::SCHEDULER, Message::ToScheduler(place)));
        for (index, rank) in others.iter().enumerate() {
            let holder = if index == 0 { self.this } else { others[(index - 1) / 2] };
            let pull = ToStore::Pull(Held { task, holder, size });
            state.requests.push(Request::Say(*rank, Message::ToStore(pull)));
        }
    }

    /// The last future of a task is gone.
    fn release(&self, tracked: &Tracked, index: u32) {
        let task = tracked.tasks.first.plus(index);
        let mut state = self.state();
        if tracked.has_references(index) {
            // It was looked up meanwhile, which counts for itself.
            Tasks::push(&mut state.released, task);
        } else if !state.is_at_rest(task) {
            state.release_later.insert(task);
            return;
        } else {
            state.release(task);
        }
        if state.released.len() == RELEASED_MAX {
            drop(state);
            self.bells.ring_self();
        }
    }

    /// Whether something is to be done.
    pub(crate) fn has_requests(&self) -> bool {
        let state = self.state();
        state.held_back == 0 && (!state.requests.is_empty() || !state.released.is_empty())
    }

    /// What is to be done, in order: what was released goes last, after what may use it.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        let mut state = self.state();
        if state.held_back > 0 {
            return Vec::new();
        }
        let mut requests = std::mem::take(&mut state.requests);
        if !state.released.is_empty() {
            let release = ToScheduler::Release(std::mem::take(&mut state.released));
            requests.push(Request::Say(Rank::SCHEDULER, Message::ToScheduler(release)));
        }
        requests
    }

    /// Takes in what the scheduler says.
    pub(crate) fn handle(&self, message: ToClient) {
        match message {
            ToClient::Finished(finished) => self.finished(&finished),
            ToClient::Stored(held) => {
                self.end(held.task, Progress::Held(held));
                self.fetch_again(held);
            }
            ToClient::Failed { tasks, error } => tasks.into_iter().flat_map(Tasks::iter).for_each(|task| {
                self.end(task, Progress::Failed(Arc::clone(&error)));
                self.fetch_no_more(task);
            }),
            ToClient::Forgotten(tasks) => tasks.into_iter().flat_map(Tasks::iter).for_each(|task| {
                let mut state = self.state();
                state.kept.remove(&task);
                state.drop_claim(task);
            }),
            ToClient::Answer { question, state } => {
                self.state().answers.insert(question, *state);
            }
            ToClient::Catalog { question, answer } => self.catalog_answers(question, answer),
            ToClient::Room { open } => self.state().room.learn(open),
            ToClient::Stopping => self.stopping.store(true, Ordering::Relaxed),
        }
    }

    fn finished(&self, finished: &Finished) {
        let count = finished.values.len() as u32;
        let mut ended = 0;
        let mut index = 0;
        while index < count {
            let id = finished.first.plus(index);
            let found = self.find(id);
            let Some((tracked, at)) = found else {
                index += 1;
                continue;
            };
            let here = (tracked.tasks.count - at).min(count - index);
            let mut progress = lock(&tracked.progress);
            for offset in 0..here {
                let bytes = finished.values.at((index + offset) as usize);
                let place = &mut progress[(at + offset) as usize];
                ended += u64::from(place.is_pending());
                *place = Progress::Small(SmallVec::from_slice(bytes));
            }
            drop(progress);
            index += here;
        }
        self.pending.fetch_sub(ended, Ordering::Relaxed);
        if self.survives {
            (0..count).for_each(|index| self.fetch_no_more(finished.first.plus(index)));
        }
        let tasks = || (0..count).map(|index| finished.first.plus(index));
        self.watch(tasks());
        self.parked.unpark(Tasks { first: finished.first, count });
    }

    fn end(&self, task: TaskId, progress: Progress) {
        if let Some((tracked, index)) = self.find(task) {
            self.count_ended(tracked.set(index, progress));
        }
        self.watch([task]);
        self.parked.unpark(Tasks::one(task));
    }

    fn find(&self, task: TaskId) -> Option<(Arc<Tracked>, u32)> {
        let tracked = self.state().tracked.range(..=task).next_back()?.1.upgrade()?;
        let index = task.0 - tracked.tasks.first.0;
        (index < u64::from(tracked.tasks.count)).then_some((tracked, index as u32))
    }

    /// The tasks that have not ended and whose futures are held.
    pub(crate) fn pending_tasks(&self) -> Vec<Tasks> {
        let tracked: Vec<Arc<Tracked>> = self.state().tracked.values().filter_map(Weak::upgrade).collect();
        let mut pending = Vec::new();
        for tracked in tracked {
            for (task, progress) in tracked.tasks.iter().zip(&*lock(&tracked.progress)) {
                if progress.is_pending() {
                    Tasks::push(&mut pending, task);
                }
            }
        }
        pending
    }

    /// What the journal knows a task by, of which a future is held.
    pub(crate) fn key_of(&self, task: TaskId) -> Option<Key> {
        let (tracked, index) = self.find(task)?;
        *tracked.keys.get()?.get(index as usize)?
    }

    /// Whether more may be submitted, where `limit` may be open. What is held back is not sent, so it can't end.
    pub(crate) fn has_room(&self, limit: u64) -> bool {
        let mut state = self.state();
        if let Some(open_max) = state.room.ask(limit) {
            let message = Message::ToScheduler(ToScheduler::AskRoom { open_max });
            state.requests.push(Request::Say(Rank::SCHEDULER, message));
            self.bells.ring_self();
        }
        state.held_back > 0 || state.room.is_left(limit)
    }

    /// Holds back what is to be said until [`go_on`](Self::go_on).
    pub(crate) fn hold_back(&self) {
        self.state().held_back += 1;
    }

    /// See [`hold_back`](Self::hold_back).
    pub(crate) fn go_on(&self) {
        self.state().held_back -= 1;
        self.bells.ring_self();
    }

    /// A watcher of these tasks, each with its place; it has seen those that have ended.
    pub(crate) fn watcher<'a>(
        &self,
        tasks: impl Iterator<Item = (TaskId, &'a Arc<Tracked>, u32)>,
    ) -> Arc<Watcher> {
        let watcher = Arc::new(Watcher::default());
        self.state().watchers.push(Arc::downgrade(&watcher));
        for (place, (task, tracked, index)) in tasks.enumerate() {
            watcher.add(place, task, tracked, index);
        }
        watcher
    }

    fn watch(&self, tasks: impl IntoIterator<Item = TaskId>) {
        let watchers: SmallVec<[Arc<Watcher>; 2]> = {
            let mut state = self.state();
            if state.watchers.is_empty() {
                return;
            }
            state.watchers.retain(|watcher| watcher.strong_count() > 0);
            state.watchers.iter().filter_map(Weak::upgrade).collect()
        };
        for task in tasks {
            watchers.iter().for_each(|watcher| watcher.see(task));
        }
    }

    /// A worker has fetched its copy of a value, or never will.
    pub(crate) fn pulled(&self, source: Rank, task: TaskId) {
        let mut state = self.state();
        let Some(left) = state.lent.get_mut(&task) else { return };
        left.retain(|rank| *rank != source);
        if !left.is_empty() {
            return;
        }
        state.lent.remove(&task);
        state.drop_claim(task);
        state.release_late(task);
    }

    /// A rank is lost: it will fetch nothing.
    pub(crate) fn lose(&self, rank: Rank) {
        let lent: Vec<TaskId> = {
            let mut state = self.state();
            state.lost.push(rank);
            let mut lent: Vec<TaskId> = state.lent.keys().copied().collect();
            lent.sort_unstable();
            lent
        };
        lent.into_iter().for_each(|task| self.pulled(rank, task));
    }

    /// The ranks that are lost.
    pub(crate) fn lost(&self) -> Vec<Rank> {
        self.state().lost.clone()
    }

    /// A value is elsewhere than was known, or was made again: who waits for it asks there.
    fn fetch_again(&self, held: Held) {
        if !self.survives {
            return;
        }
        let mut state = self.state();
        if state.fetches.get(&held.task).is_some_and(|fetch| fetch.value.is_none()) {
            state.requests.push(Request::Want(held));
        }
    }

    /// A value that was lost will not be made again as a large one.
    fn fetch_no_more(&self, task: TaskId) {
        let mut state = self.state();
        if state.fetches.get(&task).is_some_and(|fetch| fetch.value.is_none() && fetch.readers == 0) {
            state.fetches.remove(&task);
            state.drop_claim(task);
            state.release_late(task);
        }
    }

    /// Asks for a value, if nobody has. It is kept until its last reader, or its last future, is gone.
    pub(crate) fn fetch(&self, held: Held) {
        self.state().fetch(held);
    }

    /// As [`fetch`](Self::fetch), for a reader that will call [`read`](Self::read) until it has the
    /// value, and then [`has_read`](Self::has_read).
    pub(crate) fn fetch_to_read(&self, held: Held) {
        // At once, or another reader that has finished would give the value up in between.
        self.state().fetch(held).readers += 1;
    }

    /// A value that was asked for, if it has come.
    pub(crate) fn read(&self, task: TaskId) -> Option<Value> {
        self.state().fetches.get(&task)?.value.clone()
    }

    /// A reader has its value.
    pub(crate) fn has_read(&self, task: TaskId) {
        let mut state = self.state();
        if let Some(fetch) = state.fetches.get_mut(&task) {
            fetch.readers -= 1;
            if fetch.readers == 0 {
                state.fetches.remove(&task);
                state.drop_claim(task);
            }
        }
    }

    /// A value has come. Returns whether it was asked for here.
    pub(crate) fn arrived(&self, task: TaskId, value: &Value) -> bool {
        let mut state = self.state();
        let Some(fetch) = state.fetches.get_mut(&task) else { return false };
        fetch.value = Some(value.clone());
        state.release_late(task);
        drop(state);
        self.parked.unpark(Tasks::one(task));
        true
    }

    /// How much of what is left by the end of a run: all zero when every future was dropped.
    pub(crate) fn left_over(&self) -> [(&'static str, usize); 8] {
        let state = self.state();
        [
            ("layers that are tracked", state.tracked.len()),
            ("requests", state.requests.len()),
            ("releases to be said", state.released.len()),
            ("values lent", state.lent.len()),
            ("values kept", state.kept.len()),
            ("values to be released later", state.release_later.len()),
            ("values asked for", state.fetches.len()),
            ("tasks pending", self.pending_count() as usize),
        ]
    }

    /// Fails what is pending: the run ends.
    pub(crate) fn end_all(&self, words: &str) {
        let tracked: Vec<Arc<Tracked>> = self.state().tracked.values().filter_map(Weak::upgrade).collect();
        for tracked in tracked {
            for (index, progress) in lock(&tracked.progress).iter_mut().enumerate() {
                if progress.is_pending() {
                    let error =
                        TaskError::cancelled(tracked.tasks.first.plus(index as u32).sequence(), words);
                    *progress = Progress::Failed(Arc::new(error));
                }
            }
        }
    }
}

impl TaskError {
    fn cancelled(task: u64, words: &str) -> Self {
        Self {
            reason: Reason::Cancelled,
            function: String::new(),
            task,
            rank: None,
            host: String::new(),
            message: words.into(),
            attempts: 0,
            dependents: Vec::new(),
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({:?}, {} pending)", self.this, self.pending_count())
    }
}

#[cfg(test)]
mod tests;
