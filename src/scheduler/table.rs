//! The scheduler's tables: tasks, layers, and who waits for whom.
//!
//! A task is a record in one arena, found by its number through pages of slots; what it needs is read
//! from its layer's columns, and what needs it is a chain of cells in one pool. So a task costs tens
//! of bytes and no allocation of its own. Tasks that need nothing have no record until a worker gets
//! them: a million of them cost what their arguments cost.

use super::{
    class::ClassIndex,
    turns::{First, Lane, Turns},
};
use crate::{
    error::TaskError,
    ids::{Size, TaskId, Tasks},
    message::{Column, Layer},
    rank::Rank,
};
use smallvec::SmallVec;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// The place of a task's record.
pub(super) type Slot = u32;
/// The place of a layer's record.
pub(super) type LayerSlot = u32;
/// A worker, counted from 0 in rank order.
pub(super) type WorkerIndex = u32;

/// The end of a chain, and the absence of a slot.
pub(super) const NONE: u32 = u32::MAX;

/// Where a task stands.
///
/// ```text
/// Withheld ─┐
///           ├─► Assigned ─► Small | Held | Failed ─► (forgotten)
/// Waiting ─► Ready ─┘             │
///    ▲                            ▼
///    └───────────────────────── Released   (where losses are survived)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It needs nothing, and its layer has not come to it yet.
    Withheld,
    /// It waits for values.
    Waiting,
    /// It is in a queue.
    Ready,
    /// A worker has it.
    Assigned,
    /// It ended with a small value, kept here.
    Small,
    /// It ended with a large value, kept by its holders.
    Held,
    /// It had a large value, which nobody holds; it can be made again.
    Released,
    /// It has no value, and an error.
    Failed,
    /// Nobody wants it, and it has not run; the record goes when nothing names it any more.
    Abandoned,
}

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    pub id: TaskId,
    pub layer: LayerSlot,
    pub state: State,
    pub attempt: u16,
    /// How many of its attempts came to nothing through the loss of a worker.
    pub excused: u16,
    /// How many workers were lost that had it.
    pub suspected: u8,
    /// Whether its client holds a future of it.
    pub wanted: bool,
    /// Whether it needs nothing.
    pub is_source: bool,
    /// Whether it needs a source.
    pub has_sources: bool,
    /// Whether it is a source that was given out before it was due, or that was put aside.
    pub is_ahead: bool,
    pub is_aside: bool,
    /// Whether it counts among its client's tasks that have not ended.
    pub is_open: bool,
    /// Whether the worker that has it was asked to let go of it.
    pub cancelled: bool,
    /// Whether a worker has it and is to make its value, so that what needs it may be given out early.
    pub is_promised: bool,
    /// Whether that worker was given a task early that needs it.
    pub has_heir: bool,
    /// Whether a queue, or its layer's cursor, has yet to come to it.
    pub queued: bool,
    /// How many of the values it needs do not exist yet.
    pub missing: u32,
    /// How many of these are no sources.
    pub missing_others: u32,
    /// How many of the missing values no worker has promised.
    pub unpromised: u32,
    /// How many tasks that need its value have not ended.
    pub needed_by: u32,
    /// How many tasks whose values may have to be made again need its value for that.
    pub kept_by: u32,
    /// The tasks that wait for it: a chain of cells.
    pub dependents: u32,
    /// The worker that has it, or had it last, or the first holder of its value.
    pub worker: WorkerIndex,
    /// The other holders of its value: a chain of cells.
    pub other_holders: u32,
    pub size: Size,
    pub small: SmallVec<[u8; 16]>,
}

impl Task {
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.state, State::Small | State::Held | State::Failed)
    }
}

/// A layer some of whose tasks are not forgotten.
#[derive(Debug)]
pub(super) struct LayerRecord {
    pub layer: Layer,
    /// Where the tasks stand that have no record: those from here on are withheld.
    pub cursor: u32,
    /// How many of its tasks are not forgotten.
    pub live: u32,
    /// How many of its tasks have got a record before their time, because something needs them.
    pub early: u32,
    pub class: ClassIndex,
    /// Whether its tasks need nothing.
    pub is_source: bool,
    /// What each of its tasks weighs while it is open.
    pub weight: u64,
    /// How many layers came before it.
    pub order: u64,
}

impl LayerRecord {
    pub(super) fn priority(&self) -> i32 {
        self.layer.options.as_ref().map_or(0, |options| options.priority)
    }

    /// How many workers may be lost that had one of its tasks, if that was said.
    pub(super) fn allowed_failures(&self) -> Option<u32> {
        self.layer.options.as_ref()?.allowed_failures
    }

    pub(super) fn retries(&self) -> u32 {
        self.layer.options.as_ref().map_or(0, |options| options.retries)
    }

    /// How long its tasks are expected to run; 0 if that was not said.
    pub(super) fn expected_nanoseconds(&self) -> u64 {
        self.layer.options.as_ref().map_or(0, |options| options.expected_nanoseconds)
    }

    /// What it is compared by with all others.
    pub(super) fn urgency(&self) -> Urgency {
        Urgency { priority: self.priority(), depth: self.layer.depth }
    }

    /// Whether tasks have submitted it, which may wait for its tasks.
    pub(super) fn is_nested(&self) -> bool {
        self.layer.depth > 0
    }

    /// Its place among the layers of its class.
    pub(super) fn root_key(&self) -> (Reverse<Urgency>, u64) {
        (Reverse(self.urgency()), self.order)
    }

    pub(super) fn name(&self) -> String {
        self.layer.name()
    }
}

/// Whether any task of the layer needs another task.
pub(super) fn needs_values(layer: &Layer) -> bool {
    layer.columns.iter().any(Column::takes_values)
}

/// Calls `visit` with each task that the layer's task at `index` needs, as often as it needs it.
pub(super) fn for_each_need(layer: &Layer, index: u32, mut visit: impl FnMut(TaskId)) {
    for column in &layer.columns {
        column.for_each_need(index as usize, &mut visit);
    }
}

/// Records with stable places, reused when freed.
#[derive(Debug)]
pub(super) struct Arena<T> {
    records: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { records: Vec::new(), free: Vec::new() }
    }
}

impl<T> Arena<T> {
    pub(super) fn insert(&mut self, record: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.records[slot as usize] = Some(record);
            return slot;
        }
        self.records.push(Some(record));
        (self.records.len() - 1) as u32
    }

    pub(super) fn remove(&mut self, slot: u32) -> T {
        self.free.push(slot);
        self.records[slot as usize].take().expect("a record is removed once")
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.records.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.records.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.records.iter().enumerate().filter_map(|(slot, record)| Some((slot as u32, record.as_ref()?)))
    }
}

impl<T> std::ops::Index<u32> for Arena<T> {
    type Output = T;
    fn index(&self, slot: u32) -> &T {
        self.records[slot as usize].as_ref().expect("the slot holds a record")
    }
}

impl<T> std::ops::IndexMut<u32> for Arena<T> {
    fn index_mut(&mut self, slot: u32) -> &mut T {
        self.records[slot as usize].as_mut().expect("the slot holds a record")
    }
}

/// Chains of numbers in one pool of cells.
#[derive(Debug, Default)]
pub(super) struct Chains {
    cells: Vec<(u32, u32)>,
    free: Vec<u32>,
}

impl Chains {
    /// Puts `value` in front of the chain that starts at `head`.
    pub(super) fn push(&mut self, head: &mut u32, value: u32) {
        let cell = (value, *head);
        *head = if let Some(place) = self.free.pop() {
            self.cells[place as usize] = cell;
            place
        } else {
            self.cells.push(cell);
            (self.cells.len() - 1) as u32
        };
    }

    /// Takes the first value off the chain.
    pub(super) fn pop(&mut self, head: &mut u32) -> Option<u32> {
        if *head == NONE {
            return None;
        }
        let (value, next) = self.cells[*head as usize];
        self.free.push(*head);
        *head = next;
        Some(value)
    }

    /// The values of a chain.
    pub(super) fn iter(&self, head: u32) -> impl Iterator<Item = u32> + '_ {
        let mut at = head;
        std::iter::from_fn(move || {
            if at == NONE {
                return None;
            }
            let (value, next) = self.cells[at as usize];
            at = next;
            Some(value)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len() - self.free.len()
    }
}

const PAGE: u64 = 1024;

#[derive(Debug)]
struct Page {
    slots: Box<[Slot; PAGE as usize]>,
    live: u32,
}

/// The pages of one submitting rank: it numbers its tasks one after the other, so they are found by
/// their place.
#[derive(Debug, Default)]
struct Directory {
    /// The number of the first page.
    first: u64,
    pages: VecDeque<Option<Page>>,
}

/// From a task's number to its slot.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// By rank, for the ranks of the cluster.
    directories: Vec<Directory>,
    /// By rank, for sessions some of whose tasks are known: there may have been many.
    of_sessions: BTreeMap<u32, Directory>,
}

impl Pages {
    /// Of a cluster of so many ranks.
    pub(super) fn new(size: u32) -> Self {
        let directories = (0..size).map(|_| Directory::default()).collect();
        Self { directories, of_sessions: BTreeMap::new() }
    }

    fn directory(&self, owner: Rank) -> Option<&Directory> {
        self.directories.get(owner.index()).or_else(|| self.of_sessions.get(&owner.0))
    }

    /// The slots of all tasks that a rank has submitted, in order.
    pub(super) fn of(&self, owner: Rank) -> impl Iterator<Item = Slot> + '_ {
        let pages = self.directory(owner).into_iter().flat_map(|directory| directory.pages.iter().flatten());
        pages.flat_map(|page| page.slots.iter().copied()).filter(|slot| *slot != NONE)
    }

    /// Whether any of these has a record.
    pub(super) fn has_any(&self, tasks: Tasks) -> bool {
        let Some(directory) = self.directory(tasks.first.owner()) else { return false };
        let (first, end) = (tasks.first.sequence(), tasks.first.sequence() + u64::from(tasks.count));
        let place =
            |number: u64| (number.saturating_sub(directory.first) as usize).min(directory.pages.len());
        let pages = place(first / PAGE)..place(end.div_ceil(PAGE).max(directory.first));
        let numbers = directory.first + pages.start as u64..;
        let mut slots = numbers
            .zip(directory.pages.range(pages))
            .flat_map(|(number, page)| (number * PAGE..).zip(page.iter().flat_map(|page| page.slots.iter())));
        slots.any(|(at, slot)| (first..end).contains(&at) && *slot != NONE)
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Slot> {
        let directory = self.directory(id.owner())?;
        let (number, index) = (id.sequence() / PAGE, (id.sequence() % PAGE) as usize);
        let page = directory.pages.get(number.checked_sub(directory.first)? as usize)?.as_ref()?;
        let slot = page.slots[index];
        (slot != NONE).then_some(slot)
    }

    pub(super) fn insert(&mut self, id: TaskId, slot: Slot) {
        let owner = id.owner();
        let directory = match self.directories.get_mut(owner.index()) {
            Some(directory) => directory,
            None => self.of_sessions.entry(owner.0).or_default(),
        };
        let (number, index) = (id.sequence() / PAGE, (id.sequence() % PAGE) as usize);
        if directory.pages.is_empty() {
            directory.first = number;
        }
        while number < directory.first {
            directory.pages.push_front(None);
            directory.first -= 1;
        }
        let place = (number - directory.first) as usize;
        if place >= directory.pages.len() {
            directory.pages.resize_with(place + 1, || None);
        }
        let page = directory.pages[place]
            .get_or_insert_with(|| Page { slots: Box::new([NONE; PAGE as usize]), live: 0 });
        page.live += u32::from(page.slots[index] == NONE);
        page.slots[index] = slot;
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        let owner = id.owner();
        let directory = match self.directories.get_mut(owner.index()) {
            Some(directory) => directory,
            None => match self.of_sessions.get_mut(&owner.0) {
                Some(directory) => directory,
                None => return,
            },
        };
        let (number, index) = (id.sequence() / PAGE, (id.sequence() % PAGE) as usize);
        let Some(place) = number.checked_sub(directory.first) else { return };
        let Some(entry) = directory.pages.get_mut(place as usize) else { return };
        let Some(page) = entry else { return };
        page.live -= u32::from(page.slots[index] != NONE);
        page.slots[index] = NONE;
        if page.live == 0 {
            *entry = None;
            while let Some(None) = directory.pages.front() {
                directory.pages.pop_front();
                directory.first += 1;
            }
            if directory.pages.is_empty() {
                self.of_sessions.remove(&owner.0);
            }
        }
    }
}

/// Which layer a task without a record belongs to.
#[derive(Debug, Default)]
pub(super) struct LayerIndex {
    by_first: BTreeMap<TaskId, LayerSlot>,
}

impl LayerIndex {
    pub(super) fn insert(&mut self, first: TaskId, layer: LayerSlot) {
        self.by_first.insert(first, layer);
    }

    pub(super) fn remove(&mut self, first: TaskId) {
        self.by_first.remove(&first);
    }

    /// The layers that a rank has submitted, in order.
    pub(super) fn of(&self, owner: Rank) -> impl Iterator<Item = LayerSlot> + '_ {
        let range = TaskId::new(owner, 0)..TaskId::new(Rank(owner.0 + 1), 0);
        self.by_first.range(range).map(|(_, layer)| *layer)
    }

    /// The layer that starts last before or at `id`: the only one that can hold it.
    pub(super) fn before(&self, id: TaskId) -> Option<LayerSlot> {
        self.by_first.range(..=id).next_back().map(|(_, layer)| *layer)
    }
}

/// What goes first: the higher priority, then what was submitted by the deeper task, since that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Urgency {
    pub priority: i32,
    pub depth: u32,
}

/// Slots in the order they are to run: by urgency, then by turn, then by level, then the latest first, so that
/// what has begun is finished before more is begun.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// None of them is empty.
    lanes: Vec<(Lane, Buckets)>,
}

/// Slots by urgency and level.
type Buckets = BTreeMap<(Urgency, u32), Vec<Slot>>;

impl Queue {
    pub(super) fn push(&mut self, lane: Lane, urgency: Urgency, level: u32, slot: Slot) {
        let place = self.lanes.iter().position(|(known, _)| *known == lane).unwrap_or_else(|| {
            self.lanes.push((lane, BTreeMap::new()));
            self.lanes.len() - 1
        });
        self.lanes[place].1.entry((urgency, level)).or_default().push(slot);
    }

    /// What is first, and the place of its lane.
    fn first_lane(&self, turns: &Turns) -> Option<(First, usize)> {
        let lanes = self.lanes.iter().enumerate();
        let first = |(place, (lane, buckets)): (usize, &(Lane, Buckets))| {
            let ((urgency, level), _) = buckets.last_key_value()?;
            Some((First { urgency: *urgency, turn: Reverse(turns.of(*lane)), level: *level }, place))
        };
        lanes.filter_map(first).max()
    }

    /// What is first.
    pub(super) fn first(&self, turns: &Turns) -> Option<First> {
        self.first_lane(turns).map(|(first, _)| first)
    }

    pub(super) fn pop(&mut self, turns: &Turns) -> Option<Slot> {
        let (_, place) = self.first_lane(turns)?;
        let buckets = &mut self.lanes[place].1;
        let mut bucket = buckets.last_entry()?;
        let slot = bucket.get_mut().pop();
        if bucket.get().is_empty() {
            bucket.remove();
        }
        if buckets.is_empty() {
            self.lanes.swap_remove(place);
        }
        slot
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}

/// The errors of failed tasks.
pub(super) type Errors = BTreeMap<Slot, Arc<TaskError>>;
