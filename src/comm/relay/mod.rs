//! A cluster that sessions connect to: rank 1 passes on what they and the other ranks send each other.
//!
//! A session has a rank beyond those of the cluster. [`RelayTransport`] gives each rank of the cluster a transport
//! over which such ranks are reached, too: frames as they are, bodies in pieces ([`pieces`]). Rank 1 has a
//! [`Gate`], which holds the connections; the others send through it.
//!
//! - [`packet`], [`outbox`], [`pieces`]: pure. - [`link`]: one connection. - [`session`]: the other end.

pub mod link;
pub mod outbox;
pub mod packet;
pub mod pieces;
pub mod session;
pub mod stream;

use super::{Arrival, Bells, Body, BodyTag, Buffer, Transport};
use crate::{
    error::{DecodeErrorKind, Error, Result},
    lock::lock,
    rank::Rank,
};
use link::{Event, Inbox, Link};
use outbox::{Packet, Payload};
use packet::{Kind, Trailer};
use pieces::Pieces;
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How many packets are passed on before the rank looks at what follows.
const PASSED_ON_MAX: usize = 1024;
/// The number of bits of a rank in the number of a task, less the one that stands for nobody.
const RANK_MAX: u32 = (1 << 20) - 2;

/// What a session proves with that it is the one which has a rank.
pub type Key = [u8; 16];

/// The connections of a cluster, on the rank that holds them.
#[derive(Debug)]
pub struct Gate {
    inbox: Arc<Inbox>,
    /// The number of ranks of the cluster.
    size: u32,
    sessions: Mutex<Sessions>,
    /// Whether the cluster was asked to end.
    is_stopped: AtomicBool,
    bells: Arc<Bells>,
}

/// Pure: which ranks sessions have.
#[derive(Debug)]
struct Sessions {
    /// The connections, each with what its session proves itself with when it connects again.
    links: BTreeMap<Rank, (Arc<Link>, Key)>,
    next: u32,
    /// When the last one has left; nothing while there is one.
    idle_since: Option<Instant>,
}

impl Gate {
    /// Of a rank with these bells, in a cluster of so many ranks.
    pub fn new(bells: Arc<Bells>, size: u32) -> Self {
        let sessions = Sessions { links: BTreeMap::new(), next: size, idle_since: Some(Instant::now()) };
        let inbox = Arc::new(Inbox::new(Arc::clone(&bells)));
        Self { inbox, size, sessions: Mutex::new(sessions), is_stopped: AtomicBool::new(false), bells }
    }

    /// Asks the cluster to end.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.bells.ring_self();
    }

    /// Whether the cluster was asked to end.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    /// Gives a session a rank: one that no session has had for a long time.
    pub fn join(&self, link: &Arc<Link>, key: Key) -> Rank {
        let mut sessions = lock(&self.sessions);
        let rank = loop {
            let rank = Rank(sessions.next);
            sessions.next = if sessions.next >= RANK_MAX { self.size } else { sessions.next + 1 };
            if !sessions.links.contains_key(&rank) {
                break rank;
            }
        };
        sessions.links.insert(rank, (Arc::clone(link), key));
        sessions.idle_since = None;
        rank
    }

    /// The connection of a session that connects again, if it is known.
    pub fn known(&self, rank: Rank, key: Key) -> Option<Arc<Link>> {
        let sessions = lock(&self.sessions);
        sessions.links.get(&rank).filter(|(_, known)| *known == key).map(|(link, _)| Arc::clone(link))
    }

    /// Reads what a session sends until it ends.
    pub fn read(&self, rank: Rank, link: &Link) {
        link.read(rank, &self.inbox);
    }

    fn leave(&self, rank: Rank) {
        let mut sessions = lock(&self.sessions);
        sessions.links.remove(&rank);
        if sessions.links.is_empty() {
            sessions.idle_since = Some(Instant::now());
        }
    }

    /// The number of sessions.
    pub fn count(&self) -> usize {
        lock(&self.sessions).links.len()
    }

    /// How long there has been no session.
    pub fn idle_time(&self) -> Duration {
        lock(&self.sessions).idle_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn link(&self, rank: Rank) -> Option<Arc<Link>> {
        lock(&self.sessions).links.get(&rank).map(|(link, _)| Arc::clone(link))
    }

    fn send(&self, session: Rank, packet: Packet) {
        // Nobody is told what a session that has left has missed.
        if let Some(link) = self.link(session) {
            link.send(packet);
        }
    }

    /// Ends a session, and tells it why. That it has ended is noted as for any other.
    pub fn dismiss(&self, session: Rank, reason: &str) {
        let payload = Payload::Bytes(reason.as_bytes().to_vec());
        self.send(session, Packet { kind: Kind::End, tag: 0, peer: Rank(0), payload });
    }

    /// Tells all sessions why the cluster ends, and ends them. Waits a moment for those that are slow.
    pub fn close(&self, reason: &str, timeout: Duration) {
        let links: Vec<Arc<Link>> =
            lock(&self.sessions).links.values().map(|(link, _)| Arc::clone(link)).collect();
        for link in &links {
            let payload = Payload::Bytes(reason.as_bytes().to_vec());
            link.send(Packet { kind: Kind::End, tag: 0, peer: Rank(0), payload });
        }
        let deadline = Instant::now() + timeout;
        for link in &links {
            link.flush(deadline.saturating_duration_since(Instant::now()));
            link.close();
        }
    }
}

/// Makes the frame by which ranks learn that a session has ended.
pub type EndFrame = fn(Rank) -> Vec<u8>;

/// A transport over which sessions are reached, too. See the module.
pub struct RelayTransport {
    base: Box<dyn Transport>,
    this: Rank,
    size: u32,
    /// The rank that has the gate, and the gate, if this is the one.
    keeper: Rank,
    gate: Option<Arc<Gate>>,
    end_frame: EndFrame,
    pieces: Pieces,
    arrived: VecDeque<Arrival>,
}

impl RelayTransport {
    /// Over the transport of the cluster. All its ranks must have one.
    pub fn new(base: Box<dyn Transport>, keeper: Rank, gate: Option<Arc<Gate>>, end_frame: EndFrame) -> Self {
        let (this, size) = (base.rank(), base.size());
        let (pieces, arrived) = (Pieces::default(), VecDeque::new());
        Self { base, this, size, keeper, gate, end_frame, pieces, arrived }
    }

    fn is_session(&self, rank: Rank) -> bool {
        rank.0 >= self.size
    }

    /// Sends to a session, on behalf of this rank.
    fn route(&mut self, session: Rank, kind: Kind, tag: BodyTag, payload: Payload) -> Result<()> {
        if let Some(gate) = &self.gate {
            gate.send(session, Packet { kind, tag, peer: self.this, payload });
            return Ok(());
        }
        let mut frame = payload.into_bytes();
        Trailer { relayed: Some((kind, tag, session)) }.seal(&mut frame);
        self.base.send(self.keeper, frame)
    }

    fn send_pieces(&mut self, session: Rank, tag: BodyTag, pieces: Vec<(Body, Range<usize>)>) -> Result<()> {
        pieces
            .into_iter()
            .try_for_each(|(body, range)| self.route(session, Kind::Piece, tag, Payload::Part(body, range)))
    }

    /// Takes in what a session has sent to this rank.
    fn deliver(&mut self, source: Rank, kind: Kind, tag: BodyTag, payload: Vec<u8>) -> Result<()> {
        match kind {
            Kind::Frame => self.arrived.push_back(Arrival::Frame { source, control: payload }),
            Kind::Credit => {
                let bytes = payload.try_into().map_or(0, u32::from_le_bytes);
                let pieces = self.pieces.credit(source, tag, bytes);
                self.send_pieces(source, tag, pieces)?;
            }
            Kind::Piece => {
                let taken = self.pieces.take(source, tag, &payload);
                if let Some(bytes) = taken.credit {
                    self.route(source, Kind::Credit, tag, Payload::Bytes(bytes.to_le_bytes().into()))?;
                }
                if let Some(buffer) = taken.arrived {
                    self.arrived.push_back(Arrival::Body { source, tag, buffer });
                }
            }
            Kind::End | Kind::Ping | Kind::Pong | Kind::Ack | Kind::Grace => {}
        }
        Ok(())
    }

    /// Passes on what sessions have sent.
    fn pass_on(&mut self) -> Result<()> {
        let Some(gate) = self.gate.clone() else { return Ok(()) };
        for _ in 0..PASSED_ON_MAX {
            let Some((session, event)) = gate.inbox.take() else { return Ok(()) };
            match event {
                Event::Ended(_) => {
                    gate.leave(session);
                    let frame = (self.end_frame)(session);
                    let (this, others) = (self.this, (0..self.size).map(Rank));
                    others
                        .filter(|rank| *rank != this)
                        .try_for_each(|rank| self.send(rank, frame.clone()))?;
                    self.arrived.push_back(Arrival::Frame { source: self.this, control: frame });
                }
                Event::Packet(header, mut payload) => {
                    if let Some(link) = gate.link(session) {
                        link.taken(payload.len());
                    }
                    let (kind, tag, target) = (header.kind, header.tag, header.peer);
                    if target == self.this {
                        self.deliver(session, kind, tag, payload)?;
                    } else if !self.is_session(target) {
                        Trailer { relayed: Some((kind, tag, session)) }.seal(&mut payload);
                        self.base.send(target, payload)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in a frame from another rank of the cluster. Returns it if it is for this rank.
    fn open(&mut self, source: Rank, mut control: Vec<u8>) -> Result<Option<Arrival>> {
        let trailer = Trailer::open(&mut control).ok_or_else(|| {
            Error::decode(DecodeErrorKind::Message, format!("a frame from {source:?} has no trailer"))
        })?;
        let Some((kind, tag, session)) = trailer.relayed else {
            return Ok(Some(Arrival::Frame { source, control }));
        };
        match &self.gate {
            Some(gate) => {
                gate.send(session, Packet { kind, tag, peer: source, payload: Payload::Bytes(control) });
            }
            None => self.deliver(session, kind, tag, control)?,
        }
        Ok(None)
    }
}

impl Transport for RelayTransport {
    fn rank(&self) -> Rank {
        self.this
    }

    fn size(&self) -> u32 {
        self.size
    }

    fn node(&self) -> Rank {
        self.base.node()
    }

    fn name(&self) -> String {
        self.base.name()
    }

    fn send(&mut self, target: Rank, mut control: Vec<u8>) -> Result<()> {
        if self.is_session(target) {
            return self.route(target, Kind::Frame, 0, Payload::Bytes(control));
        }
        Trailer { relayed: None }.seal(&mut control);
        self.base.send(target, control)
    }

    fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) -> Result<()> {
        if self.is_session(source) {
            self.pieces.post(source, tag, buffer);
            return Ok(());
        }
        self.base.post(source, tag, buffer)
    }

    fn withdraw(&mut self, source: Rank, tag: BodyTag) -> Result<()> {
        if self.is_session(source) {
            self.pieces.withdraw(source, tag);
            return Ok(());
        }
        self.base.withdraw(source, tag)
    }

    fn send_body(&mut self, target: Rank, tag: BodyTag, body: Body) -> Result<()> {
        if !self.is_session(target) {
            return self.base.send_body(target, tag, body);
        }
        let pieces = self.pieces.send(target, tag, body);
        self.send_pieces(target, tag, pieces)
    }

    fn poll(&mut self) -> Result<Option<Arrival>> {
        self.pass_on()?;
        loop {
            if let Some(arrival) = self.arrived.pop_front() {
                return Ok(Some(arrival));
            }
            match self.base.poll()? {
                None => return Ok(None),
                Some(Arrival::Frame { source, control }) => {
                    if let Some(arrival) = self.open(source, control)? {
                        return Ok(Some(arrival));
                    }
                }
                Some(body @ Arrival::Body { .. }) => return Ok(Some(body)),
            }
        }
    }

    fn lose(&mut self, rank: Rank) {
        match self.is_session(rank) {
            true => self.pieces.lose(rank),
            false => self.base.lose(rank),
        }
    }

    fn is_busy(&self) -> bool {
        self.base.is_busy() || self.gate.as_ref().is_some_and(|gate| !gate.inbox.is_empty())
    }

    fn dismiss(&mut self, session: Rank, reason: &str) {
        self.gate.iter().for_each(|gate| gate.dismiss(session, reason));
    }

    fn bells(&self) -> Arc<Bells> {
        self.base.bells()
    }

    fn main_thread_only(&self) -> bool {
        self.base.main_thread_only()
    }

    fn all_gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        self.base.all_gather(bytes)
    }

    fn close(&mut self) -> Result<()> {
        self.base.close()
    }

    fn abort(&mut self, code: i32) -> ! {
        self.base.abort(code)
    }
}
