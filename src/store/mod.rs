//! The values that a rank holds, and how they move between ranks.
//!
//! A rank that wants a value knows its size, makes room, and only then asks the holder: so the body
//! arrives where it will stay. Who is asked for a value that is still to come answers when it has it.
//!
//! The store decides and holds; it sends nothing itself. What it wants sent it leaves as [`Action`]s,
//! and which values have arrived as news.
//!
//! Architecture invariant: a value moves from one rank to another at most once.

use crate::{
    comm::{Body, BodyTag, Buffer},
    message::{Held, Size, TaskId, ToStore, WantedPart},
    part::Cut,
    rank::Rank,
    value::Value,
};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Something the store wants done.
#[derive(Debug)]
pub enum Action {
    /// Make room for a body.
    Post {
        /// Who will send it.
        source: Rank,
        /// Under which tag.
        tag: BodyTag,
        /// The room.
        buffer: Buffer,
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
}

/// On whose behalf a value is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The worker's: until the scheduler frees it.
    Worker = 1,
    /// The client's: until it has read it, or others have fetched it.
    Client = 2,
}

#[derive(Debug)]
enum State {
    Here(Value),
    /// It was asked for. Head and body come in any order.
    Coming {
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
    /// Who told this rank to pull it, and wants to know when it is here.
    teller: Option<Rank>,
}

impl Entry {
    fn new(state: State) -> Self {
        Self { state, claims: 0, parked: Vec::new(), teller: None }
    }
}

/// Something that is to be fetched.
#[derive(Debug)]
struct Asked {
    /// What this rank calls it.
    name: TaskId,
    /// Where it is, or what it is a part of.
    held: Held,
    size: Size,
    part: Option<Box<WantedPart>>,
}

/// A rank's values. See the module.
#[derive(Debug)]
pub struct Store {
    this: Rank,
    entries: FxHashMap<TaskId, Entry>,
    /// Which value comes from which rank under which tag.
    coming: FxHashMap<(Rank, BodyTag), TaskId>,
    /// What is asked for when fewer are coming.
    later: VecDeque<Asked>,
    next_tag: BodyTag,
    bytes: u64,
    actions: Vec<Action>,
    news: Vec<TaskId>,
}

impl Store {
    /// An empty store of this rank.
    pub fn new(this: Rank) -> Self {
        Self {
            this,
            entries: FxHashMap::default(),
            coming: FxHashMap::default(),
            later: VecDeque::new(),
            next_tag: 0,
            bytes: 0,
            actions: Vec::new(),
            news: Vec::new(),
        }
    }

    /// A value, if it is here.
    pub fn get(&self, task: TaskId) -> Option<&Value> {
        match &self.entries.get(&task)?.state {
            State::Here(value) => Some(value),
            _ => None,
        }
    }

    /// How many values are here or on their way.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes the values here have.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bodies are expected.
    pub(crate) fn coming_count(&self) -> usize {
        self.coming.len()
    }

    /// Keeps a value that was made here.
    pub fn put(&mut self, task: TaskId, value: Value, claim: Claim) {
        let entry = self.entries.entry(task).or_insert_with(|| Entry::new(State::Expected));
        entry.claims |= claim as u8;
        // The worker and the client of a rank may both put the same value.
        if !matches!(entry.state, State::Here(_)) {
            entry.state = State::Here(value);
            self.settle(task);
        }
    }

    /// Whether a value is here; if so it stays for this claim.
    pub fn claim(&mut self, task: TaskId, claim: Claim) -> bool {
        match self.entries.get_mut(&task) {
            Some(entry @ Entry { state: State::Here(_), .. }) => {
                entry.claims |= claim as u8;
                true
            }
            _ => false,
        }
    }

    /// Sees to it that a value comes here. Returns whether it is here; else there will be news.
    pub fn want(&mut self, held: Held, claim: Claim) -> bool {
        let (task, this) = (held.task, self.this);
        let entry = self.entries.entry(task).or_insert_with(|| Entry::new(State::Expected));
        entry.claims |= claim as u8;
        match entry.state {
            State::Here(_) => return true,
            State::Expected if held.holder != this => {}
            State::Expected | State::Coming { .. } => return false,
        }
        entry.state = State::Coming { head: None, body: None };
        self.ask(Asked { name: task, held, size: held.size, part: None });
        false
    }

    /// Sees to it that a part of a value on another rank comes here, under a name that is new. There
    /// will be news.
    pub fn want_part(&mut self, name: TaskId, held: Held, cut: Cut) {
        let state = State::Coming { head: None, body: None };
        self.entries.insert(name, Entry { claims: Claim::Worker as u8, ..Entry::new(state) });
        let size = cut.size();
        self.ask(Asked { name, held, size, part: Some(Box::new(WantedPart { name, cut })) });
    }

    /// Makes room for a body and asks for it; later, if very many are on their way.
    fn ask(&mut self, asked: Asked) {
        if self.coming.len() >= COMING_MAX {
            return self.later.push_back(asked);
        }
        let Asked { name, held: Held { task, holder, .. }, size, part } = asked;
        let tag = (0..=TAG_MAX)
            .map(|distance| self.next_tag.wrapping_add(distance) & TAG_MAX)
            .find(|tag| !self.coming.contains_key(&(holder, *tag)))
            .expect("there are more tags than bodies on their way");
        self.next_tag = tag.wrapping_add(1) & TAG_MAX;
        self.coming.insert((holder, tag), name);
        let buffer = Buffer::unfilled(size.bytes as usize, usize::from(size.align).max(1));
        self.actions.push(Action::Post { source: holder, tag, buffer });
        self.actions.push(Action::Say { target: holder, message: ToStore::Fetch { task, tag, part } });
    }

    /// Gives a claim up. With the last one the value goes; one that is on its way, when it has come.
    pub fn free(&mut self, task: TaskId, claim: Claim) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        entry.claims &= !(claim as u8);
        if entry.claims != 0 {
            return;
        }
        match &entry.state {
            State::Here(value) if entry.parked.is_empty() => {
                self.bytes -= value.size().bytes;
                self.entries.remove(&task);
            }
            State::Here(_) | State::Coming { .. } => {}
            State::Expected => {
                self.entries.remove(&task);
            }
        }
    }

    /// Takes in what another rank's store says.
    pub fn handle(&mut self, source: Rank, message: ToStore) {
        match message {
            ToStore::Pull(held) => {
                if self.want(held, Claim::Worker) {
                    let message = ToStore::Pulled(held.task);
                    self.actions.push(Action::Say { target: source, message });
                } else if let Some(entry) = self.entries.get_mut(&held.task) {
                    entry.teller = Some(source);
                }
            }
            ToStore::Fetch { task, tag, part } => {
                let entry = self.entries.entry(task).or_insert_with(|| Entry::new(State::Expected));
                entry.parked.push((source, tag, part));
                if matches!(entry.state, State::Here(_)) {
                    self.answer_parked(task);
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
            // The room stays posted, and its tag taken: nothing will arrive there.
            ToStore::Gone { task, reason } => self.put(task, Value::broken(reason), Claim::Worker),
            ToStore::Pulled(_) => unreachable!("the client counts these"),
        }
    }

    /// A body has arrived.
    pub fn body_arrived(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) {
        let Some(task) = self.coming.remove(&(source, tag)) else { return };
        if let Some(asked) = self.later.pop_front() {
            self.ask(asked);
        }
        if let Some(Entry { state: State::Coming { body, .. }, .. }) = self.entries.get_mut(&task) {
            *body = Some(buffer);
            self.complete(task);
        }
    }

    /// What is to be done, in order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Whether there is neither.
    pub fn is_settled(&self) -> bool {
        self.actions.is_empty() && self.news.is_empty()
    }

    /// Which values that were wanted are here now, in order.
    pub fn take_news(&mut self) -> Vec<TaskId> {
        std::mem::take(&mut self.news)
    }

    /// Makes a value of a head and a body once both are there.
    fn complete(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let State::Coming { head, body, .. } = &mut entry.state else { return };
        if head.is_none() || body.is_none() {
            return;
        }
        if let (Some(head), Some(body)) = (head.take(), body.take()) {
            entry.state = State::Here(Value::from_wire(head, body));
            self.settle(task);
        }
    }

    /// A value has come: those who wait for it get it.
    fn settle(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let State::Here(value) = &entry.state else { return };
        self.bytes += value.size().bytes;
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
        let parked = std::mem::take(&mut entry.parked);
        // The encoding of a value that is not sent as it lies there serves all who want it.
        let whole = parked.iter().any(|(_, _, part)| part.is_none()).then(|| value.to_wire());
        for (target, tag, part) in parked {
            let (task, wire) = match (part, &whole) {
                (Some(part), _) => (part.name, value.part_to_wire(&part.cut)),
                (None, Some(whole)) => (task, whole.clone()),
                (None, None) => unreachable!("made above"),
            };
            match wire {
                Ok((head, body)) => {
                    self.actions.push(Action::Say { target, message: ToStore::Head { task, head } });
                    self.actions.push(Action::SendBody { target, tag, body });
                }
                Err(reason) => {
                    self.actions.push(Action::Say { target, message: ToStore::Gone { task, reason } });
                }
            }
        }
        if self.entries.get(&task).is_some_and(|entry| entry.claims == 0) {
            self.free(task, Claim::Worker);
        }
    }
}

/// The largest tag that MPI promises.
const TAG_MAX: BodyTag = 0x7fff;

/// The most bodies that are on their way here at a time.
const COMING_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        part::{Assembly, Run},
        value::encode,
    };

    fn value(elements: usize) -> Value {
        encode(vec![1.5f64; elements], 0, &mut Vec::new()).unwrap().unwrap()
    }

    type Posted = Vec<(Rank, Rank, BodyTag, Buffer)>;

    /// Carries the actions of both stores out until there are none.
    fn exchange(stores: &mut [Store; 2], posted: &mut Posted) {
        loop {
            let mut quiet = true;
            for this in 0..2 {
                for action in stores[this].take_actions() {
                    quiet = false;
                    let from = Rank(this as u32);
                    match action {
                        Action::Post { source, tag, buffer } => posted.push((from, source, tag, buffer)),
                        Action::Say { target, message } => stores[target.index()].handle(from, message),
                        Action::SendBody { target, tag, body } => {
                            let place = posted
                                .iter()
                                .position(|(to, source, t, _)| (*to, *source, *t) == (target, from, tag));
                            let (_, _, _, mut buffer) =
                                posted.remove(place.expect("posted before it is asked for"));
                            buffer.fill_from(body.as_slice());
                            stores[target.index()].body_arrived(from, tag, buffer);
                        }
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn held(task: u64, holder: u32, value: &Value) -> Held {
        Held { task: TaskId(task), holder: Rank(holder), size: value.size() }
    }

    #[test]
    fn a_value_moves_once_to_who_wants_it() {
        let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
        let value = value(100);
        assert!(!stores[1].want(held(7, 0, &value), Claim::Worker));
        assert!(!stores[1].want(held(7, 0, &value), Claim::Worker), "asked for once");
        exchange(&mut stores, &mut posted);
        assert!(stores[1].take_news().is_empty(), "not made yet");
        stores[0].put(TaskId(7), value.clone(), Claim::Worker);
        exchange(&mut stores, &mut posted);
        assert_eq!(stores[1].take_news(), [TaskId(7)]);
        assert_eq!(*stores[1].get(TaskId(7)).unwrap().get::<Vec<f64>>().unwrap(), vec![1.5; 100]);
        assert_eq!((stores[0].bytes(), stores[1].bytes()), (800, 800));
        assert!(posted.is_empty());
        stores[0].free(TaskId(7), Claim::Worker);
        stores[1].free(TaskId(7), Claim::Worker);
        assert_eq!((stores[0].len(), stores[1].len(), stores[0].bytes()), (0, 0, 0));
    }

    #[test]
    fn a_part_comes_without_the_value() {
        let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
        let value = encode((0..9u32).collect::<Vec<_>>(), 0, &mut Vec::new()).unwrap().unwrap();
        let cut = |from: usize, step: i64| {
            let (assembly, _) = Assembly::new(vec![vec![Run { piece: 0, from, step, count: 3 }]]);
            Cut { element_bytes: 4, align: 4, assembly }
        };
        let names = [TaskId::of_part(0), TaskId::of_part(1), TaskId::of_part(2)];
        stores[1].want_part(names[0], held(7, 0, &value), cut(4, 1));
        exchange(&mut stores, &mut posted);
        assert!(stores[1].take_news().is_empty(), "not made yet");
        stores[0].put(TaskId(7), value.clone(), Claim::Worker);
        stores[1].want_part(names[1], held(7, 0, &value), cut(8, -4));
        stores[1].want_part(names[2], held(7, 0, &value), cut(7, 1));
        exchange(&mut stores, &mut posted);
        assert_eq!(stores[1].take_news(), names);
        let part = |name| stores[1].get(name).unwrap().get::<Vec<u32>>();
        assert_eq!(*part(names[0]).unwrap(), [4, 5, 6]);
        assert_eq!(*part(names[1]).unwrap(), [8, 4, 0]);
        assert!(part(names[2]).unwrap_err().contains("has no part"), "there is no element 9");
        assert!(stores[1].get(TaskId(7)).is_none());
        names.into_iter().for_each(|name| stores[1].free(name, Claim::Worker));
        assert_eq!((stores[1].len(), stores[1].bytes()), (0, 0));
    }

    #[test]
    fn more_parts_than_there_are_tags_come_one_after_the_other() {
        let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
        let (value, count) = (value(2), 1 + u64::from(TAG_MAX) + 1);
        stores[0].put(TaskId(7), value.clone(), Claim::Worker);
        let (assembly, _) = Assembly::new(vec![vec![Run { piece: 0, from: 1, step: 1, count: 1 }]]);
        let cut = Cut { element_bytes: 8, align: 8, assembly };
        for part in 0..count {
            stores[1].want_part(TaskId::of_part(part), held(7, 0, &value), cut.clone());
        }
        assert_eq!(stores[1].coming_count(), COMING_MAX);
        exchange(&mut stores, &mut posted);
        assert_eq!(stores[1].take_news().len() as u64, count);
        assert_eq!(stores[1].coming_count(), 0);
    }

    #[test]
    fn a_value_freed_on_its_way_goes_when_it_has_come() {
        let (mut stores, mut posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
        let value = value(3);
        stores[1].want(held(7, 0, &value), Claim::Worker);
        stores[1].free(TaskId(7), Claim::Worker);
        stores[0].put(TaskId(7), value, Claim::Worker);
        exchange(&mut stores, &mut posted);
        assert!(stores[1].is_empty() && stores[1].take_news().is_empty());
    }

    #[test]
    fn a_value_put_for_the_worker_and_for_the_client_is_counted_once() {
        let (mut store, value) = (Store::new(Rank(0)), value(3));
        store.put(TaskId(1), value.clone(), Claim::Worker);
        store.put(TaskId(1), value, Claim::Client);
        assert_eq!(store.bytes(), 24);
        store.free(TaskId(1), Claim::Client);
        store.free(TaskId(1), Claim::Worker);
        assert_eq!((store.len(), store.bytes()), (0, 0));
    }

    #[test]
    fn who_pulls_reports_to_who_told_it() {
        let (mut stores, _posted) = ([Store::new(Rank(0)), Store::new(Rank(1))], Posted::new());
        let value = value(3);
        stores[0].put(TaskId(1), value.clone(), Claim::Client);
        stores[1].handle(Rank(0), ToStore::Pull(held(1, 0, &value)));
        let fetch = stores[1].take_actions();
        assert_eq!(fetch.len(), 2);
        stores[0].handle(Rank(1), ToStore::Fetch { task: TaskId(1), tag: 0, part: None });
        let [Action::Say { .. }, Action::SendBody { body, .. }] = &stores[0].take_actions()[..] else {
            panic!()
        };
        stores[1].body_arrived(Rank(0), 0, Buffer::copy_of(body.as_slice(), 8));
        assert!(stores[1].take_actions().is_empty(), "the head is missing");
        stores[1].handle(Rank(0), ToStore::Head { task: TaskId(1), head: vec![1] });
        let [Action::Say { target: Rank(0), message: ToStore::Pulled(TaskId(1)) }] =
            stores[1].take_actions()[..]
        else {
            panic!()
        };
    }

    #[test]
    fn a_value_that_cannot_be_sent_is_gone() {
        let mut stores = [Store::new(Rank(0)), Store::new(Rank(1))];
        let broken = Value::from_wire(vec![1], Buffer::new(9, 8));
        assert!(broken.get::<Vec<f64>>().is_err());
        stores[0].put(TaskId(7), broken, Claim::Worker);
        stores[1].want(
            Held { task: TaskId(7), holder: Rank(0), size: Size { bytes: 9, align: 8 } },
            Claim::Worker,
        );
        for action in stores[1].take_actions() {
            if let Action::Say { message, .. } = action {
                stores[0].handle(Rank(1), message);
            }
        }
        for action in stores[0].take_actions() {
            if let Action::Say { message, .. } = action {
                stores[1].handle(Rank(0), message);
            }
        }
        assert_eq!(stores[1].take_news(), [TaskId(7)]);
        let error = stores[1].get(TaskId(7)).unwrap().get::<Vec<f64>>().unwrap_err();
        assert!(error.contains("Vec<f64>"), "{error}");
    }
}
