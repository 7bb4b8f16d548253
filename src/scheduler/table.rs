//! The scheduler's tables: tasks, layers, and who waits for whom.
//!
//! A task is a record in one arena, found by its number through pages of slots; what it needs is read
//! from its layer's columns, and what needs it is a chain of cells in one pool. So a task costs tens
//! of bytes and no allocation of its own. Tasks that need nothing have no record until a worker gets
//! them: a million of them cost what their arguments cost.

use super::class::ClassIndex;
use crate::{
    error::TaskError,
    ids::{Size, TaskId, Tasks},
    message::{Column, Layer},
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
    /// Whether the worker that has it was asked to let go of it.
    pub cancelled: bool,
    /// Whether a queue, or its layer's cursor, has yet to come to it.
    pub queued: bool,
    /// How many of the values it needs do not exist yet.
    pub missing: u32,
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
    layer.columns.iter().any(|column| match column {
        Column::Same(_) | Column::Each(_) => false,
        Column::Stride { .. } | Column::Values(_) => true,
        Column::Lists { lists, .. } | Column::Parts { lists, .. } => {
            lists.iter().any(|list| !list.is_empty())
        }
    })
}

/// Calls `visit` with each task that the layer's task at `index` needs, as often as it needs it.
pub(super) fn for_each_need(layer: &Layer, index: u32, mut visit: impl FnMut(TaskId)) {
    for column in &layer.columns {
        match column {
            Column::Same(_) | Column::Each(_) => {}
            Column::Stride { first, stride } => {
                visit(TaskId(first.0 + u64::from(index) * u64::from(*stride)))
            }
            Column::Values(tasks) => visit(tasks[index as usize]),
            Column::Lists { lists, .. } | Column::Parts { lists, .. } => {
                lists[index as usize].iter().copied().flat_map(Tasks::iter).for_each(&mut visit);
            }
        }
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
    /// By rank.
    directories: Vec<Directory>,
}

impl Pages {
    pub(super) fn get(&self, id: TaskId) -> Option<Slot> {
        let directory = self.directories.get(id.owner().index())?;
        let (number, index) = (id.sequence() / PAGE, (id.sequence() % PAGE) as usize);
        let page = directory.pages.get(number.checked_sub(directory.first)? as usize)?.as_ref()?;
        let slot = page.slots[index];
        (slot != NONE).then_some(slot)
    }

    pub(super) fn insert(&mut self, id: TaskId, slot: Slot) {
        let owner = id.owner().index();
        if owner >= self.directories.len() {
            self.directories.resize_with(owner + 1, Directory::default);
        }
        let directory = &mut self.directories[owner];
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
        let Some(directory) = self.directories.get_mut(id.owner().index()) else { return };
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

/// Slots in the order they are to run: by urgency, then by level, then the latest first, so that
/// what has begun is finished before more is begun.
#[derive(Debug, Default)]
pub(super) struct Queue {
    buckets: BTreeMap<(Urgency, u32), Vec<Slot>>,
}

impl Queue {
    pub(super) fn push(&mut self, urgency: Urgency, level: u32, slot: Slot) {
        self.buckets.entry((urgency, level)).or_default().push(slot);
    }

    /// The urgency and the level of what is first.
    pub(super) fn first(&self) -> Option<(Urgency, u32)> {
        self.buckets.last_key_value().map(|(key, _)| *key)
    }

    pub(super) fn pop(&mut self) -> Option<Slot> {
        let mut bucket = self.buckets.last_entry()?;
        let slot = bucket.get_mut().pop();
        if bucket.get().is_empty() {
            bucket.remove();
        }
        slot
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

/// The errors of failed tasks.
pub(super) type Errors = BTreeMap<Slot, Arc<TaskError>>;
