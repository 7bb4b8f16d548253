//! Ranks in one thread, on a network whose time and order a seed decides.
//!
//! A [`Network`] carries what MPI can do to frames and bodies, and not more: from one rank to another
//! frames keep their order; between different senders, between frames and bodies, and between two
//! bodies anything goes, after any delay. Frames may travel in small pieces, put together by the
//! receiver. Nothing is lost or doubled.
//!
//! Sessions [join](Network::join) with ranks beyond those of the world. What they send and get is delivered like all
//! else; when one [ends](Network::end_session), the ranks receive the frame that the rank which relays sends them.
//!
//! What the contract of [`Transport`] forbids ends the simulation with a panic: a body that was never
//! posted, or does not fit its room, and a tag that is posted twice.

use super::{Arrival, Bells, Body, BodyTag, Buffer, Transport, bell::Bell};
use crate::{Error, Result, rank::Rank};
use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Numbers that a seed decides.
#[derive(Clone, Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    /// Whether something happens that does so `share` times in `of`.
    pub fn chance(&mut self, share: u64, of: u64) -> bool {
        self.below(of) < share
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// Panics if there are none.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// A number that is mostly below `typical`, and now and then up to a hundred times as large.
    pub fn delay(&mut self, typical: u64) -> u64 {
        let factor = if self.chance(1, 12) { 100 } else { 1 };
        self.below(typical.max(1) * factor)
    }

    /// How long something takes: `typical` where all is steady, else a [delay](Self::delay).
    pub fn time(&mut self, typical: u64, is_steady: bool) -> u64 {
        if is_steady { typical } else { self.delay(typical) }
    }
}

/// How a network behaves.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// How many ranks there are.
    pub size: u32,
    /// What all else is drawn from.
    pub seed: u64,
    /// How long something mostly travels at most, in nanoseconds.
    pub delay_nanoseconds: u64,
    /// Whether everything travels for just as long, rather than mostly at most.
    pub is_steady: bool,
    /// The most bytes of a frame that travel in one piece.
    pub piece_bytes_max: usize,
}

/// What travels.
#[derive(Debug)]
enum Parcel {
    /// A piece of a frame; with the last one the frame is complete.
    Piece {
        bytes: Vec<u8>,
        is_last: bool,
    },
    Body {
        tag: BodyTag,
        body: Body,
    },
}

/// A frame that was sent, for who watches.
#[derive(Debug)]
pub struct Sent {
    /// Who sent it.
    pub source: Rank,
    /// To whom.
    pub target: Rank,
    /// What; `None` for a body, whose bytes are counted.
    pub control: Option<Vec<u8>>,
    /// How many bytes.
    pub bytes: usize,
}

/// The way from one rank to another.
#[derive(Debug, Default)]
struct Lane {
    /// When the piece that was sent last arrives.
    last_arrival: u64,
    /// The pieces of the frame that is arriving.
    partial: Vec<u8>,
    /// Rooms that the receiver has made.
    posted: BTreeMap<BodyTag, Buffer>,
}

/// What all ranks share: see the module.
#[derive(Debug)]
pub struct Network {
    options: NetworkOptions,
    random: Random,
    now: u64,
    next_number: u64,
    /// By sender and receiver.
    lanes: BTreeMap<(Rank, Rank), Lane>,
    /// What is under way, by the time of its arrival, then in the order sent.
    under_way: BTreeMap<(u64, u64), (Rank, Rank, Parcel)>,
    /// What has arrived at each rank and was not taken.
    arrived: Vec<VecDeque<Arrival>>,
    /// How many arrivals each rank may take before it must look after what follows from them.
    allowance: Vec<u32>,
    /// The last number of what has arrived from each rank: what a session sends passes the relaying rank in order.
    passed_on: Vec<u64>,
    /// Sessions that have ended.
    ended: BTreeSet<Rank>,
    sent: Vec<Sent>,
}

impl Network {
    /// A network, and the ends of its ranks, in rank order.
    pub fn new(options: NetworkOptions) -> (Arc<Mutex<Self>>, Vec<SimulatedTransport>) {
        let size = options.size;
        let network = Self {
            random: Random::new(options.seed),
            now: 0,
            next_number: 0,
            lanes: BTreeMap::new(),
            under_way: BTreeMap::new(),
            arrived: Vec::new(),
            allowance: Vec::new(),
            passed_on: Vec::new(),
            ended: BTreeSet::new(),
            sent: Vec::new(),
            options,
        };
        let network = Arc::new(Mutex::new(network));
        let ends = (0..size).map(|_| Self::join(&network)).collect();
        (network, ends)
    }

    /// The end of one rank more. Beyond the size of the network it is a session.
    pub fn join(network: &Arc<Mutex<Self>>) -> SimulatedTransport {
        let (rank, size) = {
            let mut network = lock(network);
            network.arrived.push(VecDeque::new());
            network.allowance.push(u32::MAX);
            network.passed_on.push(0);
            (Rank(network.arrived.len() as u32 - 1), network.options.size)
        };
        SimulatedTransport::new(rank, size, network)
    }

    /// A session ends, and `relay` sends `frame` to all ranks after what it has passed on: all frames of the session, or
    /// if it was killed maybe only the first of them. Bodies that are under way may not come whole.
    pub fn end_session(&mut self, session: Rank, is_killed: bool, relay: Rank, frame: &[u8]) {
        self.ended.insert(session);
        self.arrived[session.index()].clear();
        let passed_on = self.passed_on[session.index()];
        let is_of_it = |source: &Rank, target: &Rank| [*source, *target].contains(&session);
        let is_open = |((_, number), (source, ..)): (&(u64, u64), &(Rank, Rank, Parcel))| {
            (*source == session && *number > passed_on).then_some(*number)
        };
        let mut open: Vec<u64> = self.under_way.iter().filter_map(is_open).collect();
        open.sort_unstable();
        let place = self.random.below(open.len() as u64 + 1) as usize;
        let end = open.get(place).copied().filter(|_| is_killed).unwrap_or(u64::MAX);
        let random = &mut self.random;
        self.under_way.retain(|(_, number), (source, target, parcel)| {
            let comes = |random: &mut Random| matches!(parcel, Parcel::Piece { .. }) || random.chance(1, 2);
            !is_of_it(source, target) || *source == session && *number < end && comes(random)
        });
        for target in (0..self.options.size).map(Rank) {
            let from_it =
                self.under_way.iter().filter(|(_, (source, to, _))| (*source, *to) == (session, target));
            let last = from_it.map(|((time, _), _)| *time).max().unwrap_or(0);
            let delay = self.random.time(self.options.delay_nanoseconds, self.options.is_steady);
            let lane = self.lanes.entry((relay, target)).or_default();
            lane.last_arrival = lane.last_arrival.max(last).max(self.now + delay);
            let time = lane.last_arrival;
            self.dispatch(time, relay, target, Parcel::Piece { bytes: frame.to_vec(), is_last: true });
            self.sent.push(Sent { source: relay, target, control: Some(frame.to_vec()), bytes: frame.len() });
        }
        // It has no room for anything any more.
        self.lanes.retain(|(_, target), _| *target != session);
    }

    /// When the next thing arrives somewhere.
    pub fn next_arrival(&self) -> Option<u64> {
        self.under_way.first_key_value().map(|((time, _), _)| *time)
    }

    /// Lets time pass, in which nothing arrives.
    ///
    /// # Panics
    ///
    /// Panics if time would run backwards.
    pub fn pass_to(&mut self, now: u64) {
        assert!(now >= self.now, "time runs forwards");
        self.now = now;
    }

    /// Lets the next thing arrive that does so by `now`.
    ///
    /// # Panics
    ///
    /// Panics if time would run backwards.
    pub fn advance(&mut self, now: u64) {
        self.pass_to(now);
        let Some(next) = self.under_way.first_entry().filter(|entry| entry.key().0 <= now) else { return };
        let number = next.key().1;
        let (source, target, parcel) = next.remove();
        let passed_on = &mut self.passed_on[source.index()];
        *passed_on = number.max(*passed_on);
        let lane = self.lanes.entry((source, target)).or_default();
        let arrival = match parcel {
            Parcel::Piece { bytes, is_last } => {
                lane.partial.extend_from_slice(&bytes);
                if !is_last {
                    return;
                }
                Arrival::Frame { source, control: std::mem::take(&mut lane.partial) }
            }
            Parcel::Body { tag, body } => {
                let mut buffer = lane.posted.remove(&tag).expect("checked when it was sent");
                buffer.fill_from(body.as_slice());
                Arrival::Body { source, tag, buffer }
            }
        };
        self.arrived[target.index()].push_back(arrival);
    }

    /// Whether something has arrived at `rank` that it has not taken.
    pub fn has_arrivals(&self, rank: Rank) -> bool {
        !self.arrived[rank.index()].is_empty()
    }

    /// Lets `rank` take this many arrivals; then its [`poll`](Transport::poll) gives nothing.
    pub fn allow(&mut self, rank: Rank, arrivals: u32) {
        self.allowance[rank.index()] = arrivals;
    }

    /// How many rooms were posted for bodies that have not come.
    pub fn posted_count(&self) -> usize {
        self.lanes.values().map(|lane| lane.posted.len()).sum()
    }

    /// What was sent since the last call, in order.
    pub fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    fn send(&mut self, source: Rank, target: Rank, control: Vec<u8>) {
        assert_ne!(source, target, "a rank does not send to itself");
        assert!(!control.is_empty(), "a frame says something");
        assert!(source.0.min(target.0) < self.options.size, "sessions do not reach each other");
        if self.ended.contains(&target) {
            return;
        }
        let pieces = control.chunks(self.options.piece_bytes_max.max(1));
        let count = pieces.len();
        for (index, piece) in pieces.enumerate() {
            let delay = self.random.time(self.options.delay_nanoseconds, self.options.is_steady);
            let lane = self.lanes.entry((source, target)).or_default();
            // Nothing overtakes what was sent before it.
            lane.last_arrival = lane.last_arrival.max(self.now + delay);
            let time = lane.last_arrival;
            let parcel = Parcel::Piece { bytes: piece.to_vec(), is_last: index + 1 == count };
            self.dispatch(time, source, target, parcel);
        }
        let bytes = control.len();
        self.sent.push(Sent { source, target, control: Some(control), bytes });
    }

    fn send_body(&mut self, source: Rank, target: Rank, tag: BodyTag, body: Body) {
        if self.ended.contains(&target) {
            return;
        }
        let room = self.lanes.entry((source, target)).or_default().posted.get(&tag);
        let room = room.unwrap_or_else(|| panic!("{source} sends {target} a body with tag {tag}: no room"));
        let bytes = body.as_slice().len();
        assert_eq!(room.length(), bytes, "a body from {source} fits its room on {target}");
        let time = self.now + self.random.time(self.options.delay_nanoseconds, self.options.is_steady);
        self.dispatch(time, source, target, Parcel::Body { tag, body });
        self.sent.push(Sent { source, target, control: None, bytes });
    }

    fn post(&mut self, this: Rank, source: Rank, tag: BodyTag, buffer: Buffer) {
        let lane = self.lanes.entry((source, this)).or_default();
        let before = lane.posted.insert(tag, buffer);
        assert!(before.is_none(), "{this} posts tag {tag} for {source} while it is posted");
    }

    fn withdraw(&mut self, this: Rank, source: Rank, tag: BodyTag) {
        let room = self.lanes.entry((source, this)).or_default().posted.remove(&tag);
        assert!(
            room.is_some() || self.ended.contains(&source),
            "{this} withdraws tag {tag} of {source}, which is not posted"
        );
    }

    fn dispatch(&mut self, time: u64, source: Rank, target: Rank, parcel: Parcel) {
        self.under_way.insert((time, self.next_number), (source, target, parcel));
        self.next_number += 1;
    }

    fn poll(&mut self, rank: Rank) -> Option<Arrival> {
        let left = self.allowance[rank.index()].checked_sub(1)?;
        let arrival = self.arrived[rank.index()].pop_front()?;
        self.allowance[rank.index()] = left;
        Some(arrival)
    }
}

/// One rank's end.
#[derive(Debug)]
pub struct SimulatedTransport {
    rank: Rank,
    size: u32,
    network: Arc<Mutex<Network>>,
    bells: Arc<Bells>,
}

impl SimulatedTransport {
    fn new(rank: Rank, size: u32, network: &Arc<Mutex<Network>>) -> Self {
        // Nobody sleeps here, so each end has bells of its own that nobody hears.
        let bells: Arc<Vec<Bell>> = Arc::new((0..size.max(rank.0 + 1)).map(|_| Bell::default()).collect());
        let addresses = bells.iter().map(std::ptr::from_ref).collect();
        // SAFETY: the bells are in a vector that is never changed, kept by the box.
        let bells = unsafe { Bells::new(rank, addresses, Box::new(bells)) };
        Self { rank, size, network: Arc::clone(network), bells: Arc::new(bells) }
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        lock(&self.network)
    }
}

impl Transport for SimulatedTransport {
    fn rank(&self) -> Rank {
        self.rank
    }

    fn size(&self) -> u32 {
        self.size
    }

    fn node(&self) -> Rank {
        Rank(0)
    }

    fn name(&self) -> String {
        "simulated".into()
    }

    fn send(&mut self, target: Rank, control: Vec<u8>) -> Result<()> {
        self.network().send(self.rank, target, control);
        Ok(())
    }

    fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) -> Result<()> {
        self.network().post(self.rank, source, tag, buffer);
        Ok(())
    }

    fn withdraw(&mut self, source: Rank, tag: BodyTag) -> Result<()> {
        self.network().withdraw(self.rank, source, tag);
        Ok(())
    }

    fn send_body(&mut self, target: Rank, tag: BodyTag, body: Body) -> Result<()> {
        self.network().send_body(self.rank, target, tag, body);
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<Arrival>> {
        Ok(self.network().poll(self.rank))
    }

    fn lose(&mut self, rank: Rank) {
        if rank.0 >= self.size {
            self.network().lanes.remove(&(rank, self.rank));
        }
    }

    fn dismiss(&mut self, session: Rank, reason: &str) {
        panic!("session {session} is dismissed: {reason}");
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn bells(&self) -> Arc<Bells> {
        Arc::clone(&self.bells)
    }

    fn all_gather(&mut self, _: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Err(Error::other("ranks in one thread cannot wait for each other"))
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    fn abort(&mut self, code: i32) -> ! {
        panic!("{} ends the run with status {code}", self.rank)
    }
}

/// The network, for a moment.
pub fn lock(network: &Mutex<Network>) -> MutexGuard<'_, Network> {
    // A panic under the lock ends the simulation, which may want to tell of it.
    network.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(seed: u64) -> NetworkOptions {
        NetworkOptions { size: 3, seed, delay_nanoseconds: 1000, is_steady: false, piece_bytes_max: 2 }
    }

    fn arrivals(network: &Mutex<Network>, end: &mut SimulatedTransport) -> Vec<Arrival> {
        let next = || lock(network).next_arrival();
        while let Some(time) = next() {
            lock(network).advance(time);
        }
        std::iter::from_fn(|| end.poll().unwrap()).collect()
    }

    #[test]
    fn frames_of_one_sender_keep_their_order_and_others_do_not() {
        let mut orders = Vec::new();
        for seed in 0..20 {
            let (network, mut ends) = Network::new(options(seed));
            for number in 0..3u8 {
                ends[1].send(Rank(0), vec![1, number, 7, 7, 7]).unwrap();
                ends[2].send(Rank(0), vec![2, number]).unwrap();
            }
            let order: Vec<(u8, u8)> = arrivals(&network, &mut ends[0])
                .into_iter()
                .map(|arrival| match arrival {
                    Arrival::Frame { source, control } => {
                        assert_eq!(source, Rank(control[0].into()));
                        (control[0], control[1])
                    }
                    body => panic!("{body:?}"),
                })
                .collect();
            for sender in [1, 2] {
                let numbers: Vec<u8> =
                    order.iter().filter(|(from, _)| *from == sender).map(|(_, number)| *number).collect();
                assert_eq!(numbers, [0, 1, 2]);
            }
            orders.push(order);
        }
        orders.sort_unstable();
        orders.dedup();
        assert!(orders.len() > 3, "seeds differ");
    }

    #[test]
    fn a_body_arrives_in_the_room_that_was_posted_for_it() {
        let (network, mut ends) = Network::new(options(1));
        ends[0].post(Rank(1), 5, Buffer::new(3, 1)).unwrap();
        ends[1].send_body(Rank(0), 5, Body::of(Arc::new(vec![1u8, 2, 3]), 1, |bytes| bytes)).unwrap();
        let [Arrival::Body { source: Rank(1), tag: 5, buffer }] = &arrivals(&network, &mut ends[0])[..]
        else {
            panic!()
        };
        assert_eq!(buffer.as_slice(), [1, 2, 3]);
        assert_eq!(lock(&network).posted_count(), 0);
    }
}
