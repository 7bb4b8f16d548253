//! The values that a rank holds, and how they move between ranks.
//!
//! A rank that wants a value knows its size, makes room, and only then asks the holder: so the body
//! arrives where it will stay. Who is asked for a value that is still to come answers when it has it.
//!
//! The store decides and holds; it sends nothing itself. What it wants sent it leaves as [`Action`]s,
//! and which values have arrived as news.
//!
//! Where a worker's memory has a limit, the store sees to it that values which were not used lately go to
//! the disk ([`memory`]), and that no more come than there is room for.
//!
//! Architecture invariant: a value moves from one rank to another at most once under its own name. Parts, and copies
//! for tasks that were given out early, move under names that only those who fetch them know.

mod losses;
mod memory;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use memory::Fullness;
pub use memory::Thresholds;

use crate::{
    checksum,
    comm::{Body, BodyTag, Buffer},
    ids::{Size, TaskId},
    message::{Held, ToStore, WantedPart},
    part::Cut,
    rank::Rank,
    value::{Account, Spill, Value},
};
use memory::Memory;
use rustc_hash::{FxHashMap, FxHashSet};
use std::{collections::VecDeque, sync::Arc};

/// Something the store wants done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Make room for a body.
    Post {
        /// Who will send it.
        source: Rank,
        /// Under which tag.
        tag: BodyTag,
        /// The room.
        buffer: Buffer,
    },
    /// Free the room for a body that will not come.
    Withdraw {
        /// Who would have sent it.
        source: Rank,
        /// Under which tag.
        tag: BodyTag,
    },
    /// Tell another rank's store.
    Say {
        /// Which rank.
        target: Rank,
        /// What.
        message: ToStore,
    },
    /// Send a body.
    SendBody {
        /// To which rank.
        target: Rank,
        /// Under which tag.
        tag: BodyTag,
        /// The body.
        body: Body,
    },
    /// Move a value to the disk, and tell [`Store::spilled`].
    Spill {
        /// Which.
        task: TaskId,
        /// The value.
        value: Value,
    },
    /// Read a value back from the disk, and tell [`Store::loaded`].
    Load {
        /// Which.
        task: TaskId,
        /// The value.
        value: Value,
    },
}

/// On whose behalf a value is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The worker's: until the scheduler frees it.
    Worker = 1,
    /// The client's: until it has read it, or others have fetched it.
    Client = 2,
}

/// What is asked for.
#[derive(Clone, Debug)]
struct Wanted {
    held: Held,
    /// Which part of it; if not said, all.
    cut: Option<Cut>,
    /// Whether the rank that gave the value, and has it, waits until it is here.
    is_given: bool,
}

/// What the next body from a rank with a tag is.
#[derive(Debug)]
struct Coming {
    name: TaskId,
    is_given: bool,
}

impl Wanted {
    fn size(&self) -> Size {
        self.cut.as_ref().map_or(self.held.size, Cut::size)
    }
}

#[derive(Debug)]
enum State {
    Here(Value),
    /// It is wanted, and asked for as soon as there is room.
    Deferred(Box<Wanted>),
    /// It was asked for. Head and body come in any order.
    Coming {
        source: Rank,
        size: Size,
        head: Option<Vec<u8>>,
        body: Option<Buffer>,
    },
    /// It will be made here, or arrive unasked.
    Expected,
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// Whose claims it is here for; with none left it goes, as soon as it has come.
    claims: u8,
    /// Ranks that asked for it before it was here: under which tag, for which part.
    parked: Vec<(Rank, BodyTag, Option<Box<WantedPart>>)>,
    /// Whether somebody was told that it is here, since its owner gives it.
    is_owed: bool,
    /// Who told this rank to pull it, and wants to know when it is here.
    teller: Option<Rank>,
    /// Its place in the order of use; 0 if it has none.
    place: u64,
    /// What the disk does with it.
    on_disk: OnDisk,
    /// How many bytes leave memory with it, while it is written.
    moving_bytes: u64,
}

/// What the disk does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDisk {
    Nothing,
    /// It was to be written; nobody has heard yet how that went.
    Writes,
    /// It has it, unless someone has read it back since.
    Keeps,
    /// It was to be read.
    Reads,
}

impl Entry {
    fn new(state: State) -> Self {
        Self {
            state,
            claims: 0,
            is_owed: false,
            parked: Vec::new(),
            teller: None,
            place: 0,
            on_disk: OnDisk::Nothing,
            moving_bytes: 0,
        }
    }
}

/// Bytes that will be in memory soon.
#[derive(Debug, Default)]
struct UnderWay {
    /// From other ranks.
    coming_bytes: u64,
    /// From the disk, for other ranks.
    loading_bytes: u64,
}

impl UnderWay {
    fn total(&self) -> u64 {
        self.coming_bytes + self.loading_bytes
    }
}

/// A rank's values. See the module.
#[derive(Debug)]
pub(crate) struct Store {
    this: Rank,
    entries: FxHashMap<TaskId, Entry>,
    /// Which value comes from which rank under which tag.
    coming: FxHashMap<(Rank, BodyTag), Coming>,
    /// How many of them come from who gave them.
    given_count: usize,
    next_tag: BodyTag,
    bytes: u64,
    actions: Vec<Action>,
    news: Vec<TaskId>,
    /// If there is a limit.
    memory: Option<Memory>,
    under_way: UnderWay,
    /// Ranks that are lost.
    lost: Vec<Rank>,
    /// Sessions that have ended; no other gets their rank.
    ended: FxHashSet<Rank>,
    /// The first rank that is a session's.
    first_session: Rank,
    /// Values of sessions that nobody needs any more, and that may still be sent here.
    freed_early: FxHashSet<TaskId>,
    /// Whether heads carry the checksums of bodies.
    checks: bool,
    /// Values that are to be asked for when there is room, those that are asked for when fewer of their kind are
    /// under way, and those that are to be read back.
    deferred: VecDeque<TaskId>,
    deferred_given: VecDeque<TaskId>,
    to_load: VecDeque<TaskId>,
    /// How many bodies may be on their way here at a time: see [`COMING_MAX`].
    coming_max: usize,
}

impl Store {
    /// An empty store of this rank.
    pub(crate) fn new(this: Rank) -> Self {
        Self {
            this,
            entries: FxHashMap::default(),
            coming: FxHashMap::default(),
            given_count: 0,
            next_tag: 0,
            bytes: 0,
            actions: Vec::new(),
            news: Vec::new(),
            memory: None,
            under_way: UnderWay::default(),
            lost: Vec::new(),
            ended: FxHashSet::default(),
            first_session: Rank(u32::MAX),
            freed_early: FxHashSet::default(),
            checks: false,
            deferred: VecDeque::new(),
            deferred_given: VecDeque::new(),
            to_load: VecDeque::new(),
            coming_max: COMING_MAX,
        }
    }

    /// Sets a limit: values are counted in the account, and more than the thresholds allow go to the disk.
    pub(crate) fn limit_memory(&mut self, limit_bytes: u64, thresholds: Thresholds, account: Arc<Account>) {
        self.memory = Some(Memory::new(limit_bytes, thresholds, account));
    }

    /// Whether heads carry the checksums of bodies: so on every rank, or on none.
    #[must_use]
    pub(crate) fn checking(mut self, checks: bool) -> Self {
        self.checks = checks;
        self
    }

    /// A value, if it is here.
    pub(crate) fn get(&self, task: TaskId) -> Option<&Value> {
        match &self.entries.get(&task)?.state {
            State::Here(value) => Some(value),
            _ => None,
        }
    }

    /// How many values are here or on their way.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes the values here have.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bodies are expected.
    pub(crate) fn coming_count(&self) -> usize {
        self.coming.values().filter(|coming| self.entries.contains_key(&coming.name)).count()
    }

    /// Keeps a value that was made here.
    pub(crate) fn put(&mut self, task: TaskId, value: Value, claim: Claim) {
        let entry = self.entries.entry(task).or_insert_with(|| Entry::new(State::Expected));
        entry.claims |= claim as u8;
        // The worker and the client of a rank may both put the same value.
        match entry.state {
            State::Here(_) => return,
            State::Coming { size, .. } => self.under_way.coming_bytes -= size.bytes,
            State::Expected | State::Deferred(_) => {}
        }
        entry.state = State::Here(value);
        self.settle(task);
    }

    /// Whether a value is here; if so it stays for this claim.
    pub(crate) fn claim(&mut self, task: TaskId, claim: Claim) -> bool {
        match self.entries.get_mut(&task) {
            Some(entry @ Entry { state: State::Here(_), .. }) => {
                entry.claims |= claim as u8;
                self.touch(task);
                true
            }
            _ => false,
        }
    }

    /// Sees to it that a value comes here. Returns whether it is here; else there will be news.
    pub(crate) fn want(&mut self, held: Held, claim: Claim) -> bool {
        self.want_unless_full(held, claim, None)
    }

    /// As [`want`](Self::want); without regard to memory if another rank has told this one to, and waits for it.
    fn want_unless_full(&mut self, held: Held, claim: Claim, teller: Option<Rank>) -> bool {
        let this = self.this;
        let was_freed = self.freed_early.remove(&held.task) && teller.is_some();
        let entry = self.entries.entry(held.task).or_insert_with(|| Entry::new(State::Expected));
        entry.claims |= if was_freed { 0 } else { claim as u8 };
        match entry.state {
            State::Here(_) => {
                self.touch(held.task);
                return true;
            }
            // Of what was on a rank that is lost, it will be told where it is instead.
            State::Expected if self.lost.contains(&held.holder) => return false,
            // It was with its session alone, and the scheduler did not know yet that this has ended.
            State::Expected if self.ended.contains(&held.holder) => {
                self.break_value(held.task);
                return false;
            }
            State::Expected if held.holder != this => {}
            State::Deferred(_) if teller.is_some() => {}
            State::Expected => {
                self.note_owed(held.task);
                return false;
            }
            State::Deferred(_) | State::Coming { .. } => return false,
        }
        // No ring of waiting may close among those that pass a value on; who gives it waits for nobody.
        let is_given = teller == Some(held.holder);
        self.ask_or_defer(held.task, Wanted { held, cut: None, is_given }, teller.is_some() && !is_given);
        false
    }

    /// Sees to it that a part of a value on another rank, or all of it, comes here under a name that is new. There
    /// will be news.
    pub(crate) fn want_part(&mut self, name: TaskId, held: Held, cut: Option<Cut>) {
        let entry = Entry { claims: Claim::Worker as u8, ..Entry::new(State::Expected) };
        self.entries.insert(name, entry);
        if self.ended.contains(&held.holder) {
            return self.break_value(name);
        }
        self.ask_or_defer(name, Wanted { held, cut, is_given: false }, false);
    }

    fn ask_or_defer(&mut self, name: TaskId, wanted: Wanted, at_once: bool) {
        if at_once || self.may_come(&wanted) {
            return self.ask_for(name, wanted);
        }
        if let Some(entry) = self.entries.get_mut(&name) {
            let is_given = wanted.is_given;
            entry.state = State::Deferred(Box::new(wanted));
            self.deferred(is_given).push_back(name);
        }
    }

    /// Whether there is room for it.
    fn may_come(&self, wanted: &Wanted) -> bool {
        if wanted.is_given {
            return self.given_count < self.coming_max;
        }
        let UnderWay { coming_bytes, .. } = self.under_way;
        let admits =
            |memory: &Memory| memory.admits(wanted.size().bytes, self.under_way.total(), coming_bytes);
        self.coming.len() - self.given_count < self.coming_max && self.memory.as_ref().is_none_or(admits)
    }

    /// Makes room for a value, or a part of one, and asks its holder for it.
    fn ask_for(&mut self, name: TaskId, wanted: Wanted) {
        let (size, Wanted { held, cut, is_given }) = (wanted.size(), wanted);
        let source = held.holder;
        let tag = (0..=TAG_MAX)
            .map(|distance| self.next_tag.wrapping_add(distance) & TAG_MAX)
            .find(|tag| !self.coming.contains_key(&(source, *tag)))
            .expect("there are more tags than bodies on their way");
        self.next_tag = tag.wrapping_add(1) & TAG_MAX;
        self.coming.insert((source, tag), Coming { name, is_given });
        self.given_count += usize::from(is_given);
        self.under_way.coming_bytes += size.bytes;
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.state = State::Coming { source, size, head: None, body: None };
        }
        let buffer = Buffer::unfilled(size.bytes as usize, usize::from(size.align).max(1));
        self.actions.push(Action::Post { source, tag, buffer });
        let part = (name != held.task).then(|| Box::new(WantedPart { name, cut }));
        let message = ToStore::Fetch { task: held.task, tag, part };
        self.actions.push(Action::Say { target: source, message });
    }

    /// Gives a claim up. With the last one the value goes; one that is on its way, when it has come.
    pub(crate) fn free(&mut self, task: TaskId, claim: Claim) {
        let Some(entry) = self.entries.get_mut(&task) else {
            self.note_freed_early(task, claim);
            return;
        };
        entry.claims &= !(claim as u8);
        if entry.claims != 0 {
            return;
        }
        match &entry.state {
            // What is being read from the disk goes when that is done.
            State::Here(value) if entry.parked.is_empty() && entry.on_disk != OnDisk::Reads => {
                self.bytes -= value.size().bytes;
                self.forget(task);
            }
            State::Here(_) | State::Coming { .. } => {}
            // Another rank waits until it has come.
            State::Deferred(wanted) if wanted.is_given => {}
            State::Expected | State::Deferred(_) => {
                // Those that wait for it are told when it comes, or when its session has ended.
                let is_for_others = !entry.parked.is_empty();
                if !self.note_freed_early(task, claim) || !is_for_others {
                    self.forget(task);
                }
            }
        }
    }

    fn forget(&mut self, task: TaskId) {
        if let Some(entry) = self.entries.remove(&task)
            && let Some(memory) = &mut self.memory
        {
            memory.leave(entry.place);
            if entry.on_disk == OnDisk::Writes {
                // Nobody will hear of it.
                memory.end_moving(entry.moving_bytes, None);
            }
        }
    }

    /// Takes in what another rank's store says.
    pub(crate) fn handle(&mut self, source: Rank, message: ToStore) {
        match message {
            ToStore::Pull(mut held) => {
                if self.lost.contains(&held.holder) {
                    held.holder = source;
                }
                if self.want_unless_full(held, Claim::Worker, Some(source)) {
                    let message = ToStore::Pulled(held.task);
                    self.actions.push(Action::Say { target: source, message });
                } else if let Some(entry) = self.entries.get_mut(&held.task) {
                    entry.teller = Some(source);
                }
            }
            // Whoever wants it has given up, or will.
            ToStore::Fetch { task, .. }
                if self.lost.contains(&task.owner()) && !self.entries.contains_key(&task) => {}
            ToStore::Fetch { task, tag, part } => {
                let entry = self.entries.entry(task).or_insert_with(|| Entry::new(State::Expected));
                entry.parked.push((source, tag, part));
                match entry.state {
                    State::Here(_) => {
                        self.touch(task);
                        self.answer_parked(task);
                    }
                    State::Expected => self.note_owed(task),
                    _ => {}
                }
            }
            ToStore::Head { task, head } => {
                if let Some(Entry { state: State::Coming { head: place, .. }, .. }) =
                    self.entries.get_mut(&task)
                {
                    *place = Some(head);
                    self.complete(task);
                }
            }
            ToStore::Gone { task, reason } => self.will_not_come(task, reason),
            ToStore::Pulled(_) => unreachable!("the client counts these"),
        }
    }

    /// A body has arrived.
    pub(crate) fn body_arrived(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) {
        let Some(Coming { name, is_given }) = self.coming.remove(&(source, tag)) else { return };
        self.given_count -= usize::from(is_given);
        self.ask_for_deferred();
        if let Some(Entry { state: State::Coming { body, .. }, .. }) = self.entries.get_mut(&name) {
            *body = Some(buffer);
            self.complete(name);
        }
    }

    /// What is to be done, in order.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Whether there is neither.
    pub(crate) fn is_settled(&self) -> bool {
        self.actions.is_empty() && self.news.is_empty()
    }

    /// Which values that were wanted are here now, in order.
    pub(crate) fn take_news(&mut self) -> Vec<TaskId> {
        std::mem::take(&mut self.news)
    }

    /// Makes a value of a head and a body once both are there.
    fn complete(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let State::Coming { size, head, body, .. } = &mut entry.state else { return };
        if head.is_none() || body.is_none() {
            return;
        }
        if let (Some(mut head), Some(body)) = (head.take(), body.take()) {
            if self.checks && !checksum::open(&mut head, Some(body.as_slice())) {
                // Who was sending it has died, which will be heard of: then it is looked for elsewhere.
                tracing::warn!(rank = self.this.0, "a body did not come whole");
                return;
            }
            self.under_way.coming_bytes -= size.bytes;
            entry.state = State::Here(Value::from_wire(head, body));
            self.settle(task);
        }
    }

    /// A value has come: those who wait for it get it.
    fn settle(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let State::Here(value) = &entry.state else { return };
        self.bytes += value.size().bytes;
        if let Some(memory) = &mut self.memory {
            value.count_in(memory.account(), task);
            entry.place = memory.touch(task, entry.place);
        }
        if let Some(target) = entry.teller.take() {
            self.actions.push(Action::Say { target, message: ToStore::Pulled(task) });
        }
        if entry.claims != 0 {
            self.news.push(task);
        }
        self.answer_parked(task);
    }

    fn answer_parked(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let State::Here(value) = &entry.state else { return };
        match entry.on_disk {
            OnDisk::Keeps if !entry.parked.is_empty() && value.is_spilled() => {
                entry.on_disk = OnDisk::Reads;
                self.to_load.push_back(task);
                return self.load_next();
            }
            OnDisk::Reads => return,
            _ => {}
        }
        let parked = std::mem::take(&mut entry.parked);
        // The encoding of a value that is not sent as it lies there serves all who want it.
        let mut whole = None;
        for (target, tag, part) in parked {
            let name = part.as_ref().map_or(task, |part| part.name);
            let wire = match part.and_then(|part| part.cut) {
                Some(cut) => value.part_to_wire(&cut),
                None => whole.get_or_insert_with(|| value.to_wire()).clone(),
            };
            match wire {
                Ok((mut head, body)) => {
                    if self.checks {
                        checksum::seal(&mut head, Some(body.as_slice()));
                    }
                    self.actions.push(Action::Say { target, message: ToStore::Head { task: name, head } });
                    self.actions.push(Action::SendBody { target, tag, body });
                }
                Err(reason) => {
                    self.actions.push(Action::Say { target, message: ToStore::Gone { task: name, reason } });
                }
            }
        }
        if self.entries.get(&task).is_some_and(|entry| entry.claims == 0) {
            self.free(task, Claim::Worker);
        }
    }
}

/// What concerns a limit of memory.
impl Store {
    fn touch(&mut self, task: TaskId) {
        if let Some(memory) = &mut self.memory
            && let Some(entry) = self.entries.get_mut(&task)
        {
            entry.place = memory.touch(task, entry.place);
        }
    }

    /// Moves values to the disk while there are too many, or less room than is wanted, and lets come what
    /// there is room for. To be called when something has changed.
    pub(crate) fn keep_within_memory(&mut self, wanted_bytes: u64) {
        let Some(memory) = &mut self.memory else { return };
        // Tasks that were queued before a value went to the disk have it read back.
        for task in memory.account().take_restored() {
            if let Some(entry) = self.entries.get_mut(&task) {
                entry.place = memory.touch(task, entry.place);
            }
        }
        let mut excess = memory.excess_bytes(wanted_bytes);
        if excess > 0 {
            let mut chosen = Vec::new();
            for task in memory.in_order() {
                let Some(Entry { state: State::Here(value), on_disk, .. }) = self.entries.get(&task) else {
                    continue;
                };
                // It may have been used again since it was told to go, or be on its way back.
                let is_moving = matches!(on_disk, OnDisk::Writes | OnDisk::Reads);
                if !is_moving && value.is_idle() {
                    let bytes = value.resident_bytes();
                    chosen.push((task, value.clone(), bytes));
                    excess = excess.saturating_sub(bytes);
                }
                if excess == 0 {
                    break;
                }
            }
            for (task, value, bytes) in chosen {
                memory.begin_moving(bytes);
                if let Some(entry) = self.entries.get_mut(&task) {
                    memory.leave(entry.place);
                    entry.moving_bytes = bytes;
                    (entry.place, entry.on_disk) = (0, OnDisk::Writes);
                }
                self.actions.push(Action::Spill { task, value });
            }
        }
        self.load_next();
        self.ask_for_deferred();
    }

    /// What came of moving a value to the disk.
    pub(crate) fn spilled(&mut self, task: TaskId, outcome: Spill) {
        let Some(memory) = &mut self.memory else { return };
        let Some(entry) = self.entries.get_mut(&task).filter(|entry| entry.on_disk == OnDisk::Writes) else {
            return;
        };
        let bytes = std::mem::take(&mut entry.moving_bytes);
        match outcome {
            Spill::Done => {
                memory.end_moving(bytes, None);
                entry.on_disk = OnDisk::Keeps;
            }
            Spill::InUse | Spill::Failed(_) => {
                let trouble = if let Spill::Failed(words) = outcome { Some(words) } else { None };
                memory.end_moving(bytes, trouble);
                entry.on_disk = OnDisk::Nothing;
                entry.place = memory.touch(task, entry.place);
            }
        }
        if !entry.parked.is_empty() {
            self.answer_parked(task);
        }
    }

    /// A value was read back from the disk.
    pub(crate) fn loaded(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task).filter(|entry| entry.on_disk == OnDisk::Reads) else {
            return;
        };
        entry.on_disk = OnDisk::Nothing;
        if let State::Here(value) = &entry.state {
            self.under_way.loading_bytes -= value.size().bytes;
        }
        self.touch(task);
        self.answer_parked(task);
    }

    /// The process was looked at: so many bytes it has, all in all.
    pub(crate) fn observe(&mut self, process_bytes: u64) {
        self.memory.iter_mut().for_each(|memory| memory.observe(process_bytes));
    }

    /// How many bytes are on the disk only.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.memory.as_ref().map_or(0, |memory| memory.account().spilled_bytes())
    }

    /// How many bytes are on the disk only, if that is worth telling.
    pub(crate) fn spilled_news(&mut self) -> Option<u64> {
        self.memory.as_mut()?.news()
    }

    /// How full the memory is, if it has a limit.
    pub(crate) fn fullness(&self) -> Option<Fullness> {
        self.memory.as_ref().map(|memory| memory.fullness(self.under_way.total()))
    }

    /// Reads back what others have asked for, as far as there is room.
    fn load_next(&mut self) {
        let Some(memory) = &self.memory else { return };
        while let Some(task) = self.to_load.front().copied() {
            let entry = self.entries.get(&task).filter(|entry| entry.on_disk == OnDisk::Reads);
            if let Some(Entry { state: State::Here(value), .. }) = entry {
                let UnderWay { loading_bytes, .. } = self.under_way;
                if !memory.admits(value.size().bytes, self.under_way.total(), loading_bytes) {
                    return;
                }
                self.under_way.loading_bytes += value.size().bytes;
                self.actions.push(Action::Load { task, value: value.clone() });
            }
            self.to_load.pop_front();
        }
    }

    /// Asks for values that were put off, as far as there is room.
    fn ask_for_deferred(&mut self) {
        for is_given in [true, false] {
            while let Some(name) = self.deferred(is_given).front().copied() {
                if let Some(Entry { state: State::Deferred(wanted), .. }) = self.entries.get(&name) {
                    if !self.may_come(wanted) {
                        break;
                    }
                    let wanted = wanted.clone();
                    self.ask_for(name, *wanted);
                }
                self.deferred(is_given).pop_front();
            }
        }
    }

    /// The names of what was put off: what was given to this rank, or the rest.
    fn deferred(&mut self, is_given: bool) -> &mut VecDeque<TaskId> {
        if is_given { &mut self.deferred_given } else { &mut self.deferred }
    }
}

/// The largest tag that MPI promises.
const TAG_MAX: BodyTag = 0x7fff;

/// The most bodies that are on their way here at a time of those that were given to this rank, and of others, but
/// for those that ranks pass on which wait for each other.
const COMING_MAX: usize = 8192;
