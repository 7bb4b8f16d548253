//! Ranks that are processes of one host, without MPI: they share memory.
//!
//! The process of the program is ranks 0 and 1, each a thread of it, and starts the workers: [`start`]. A worker finds
//! in its environment which rank it is, and at its standard input the shared memory: [`join`]. It ends with its
//! parent.

mod family;
mod ring;
mod segment;

use super::{Arrival, Bells, Body, BodyTag, Buffer, Transport, bell::Sleeper};
use crate::{Error, Result, rank::Rank};
pub use family::{Family, Membership, in_words};
use ring::{Head, Kind};
use rustc_hash::FxHashMap;
use segment::Segment;
use std::{
    collections::VecDeque,
    process::{self, Command},
    sync::Arc,
    time::{Duration, Instant},
};

/// The name of the transport.
pub const NAME: &str = "processes";
/// How long a rank that waits for others sleeps before it looks whether they live.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// One rank's end.
#[derive(Debug)]
pub struct ProcessTransport {
    rank: Rank,
    size: u32,
    segment: Arc<Segment>,
    bells: Arc<Bells>,
    /// The workers' processes, where they are this one's children.
    family: Option<Arc<Family>>,
    peers: Vec<Peer>,
    posted: FxHashMap<(Rank, BodyTag), Buffer>,
    arrived: VecDeque<Arrival>,
    /// Whose ring is looked at first, so that none is looked at last always.
    first: usize,
    close_timeout: Duration,
}

/// What is under way between this rank and another one.
#[derive(Debug, Default)]
struct Peer {
    frames: VecDeque<Outgoing>,
    bodies: VecDeque<Outgoing>,
    /// The frame whose pieces are arriving, and what was gathered.
    frame: Vec<u8>,
    part: Vec<u8>,
    gathered: VecDeque<Vec<u8>>,
    is_lost: bool,
}

/// Something that is being sent.
#[derive(Debug)]
struct Outgoing {
    kind: Kind,
    tag: BodyTag,
    bytes: Bytes,
    sent: usize,
}

#[derive(Debug)]
enum Bytes {
    Own(Vec<u8>),
    Shared(Body),
}

impl Outgoing {
    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Shared(body) => body.as_slice(),
        }
    }
}

/// Starts the processes of `workers` workers, and returns the ends of ranks 0 and 1 and what ends the processes.
///
/// # Errors
///
/// [`Error::World`] if shared memory or a process cannot be had.
pub fn start(
    workers: u32,
    command: &dyn Fn() -> Command,
    close_timeout: Duration,
) -> Result<(Vec<ProcessTransport>, Arc<Family>)> {
    let size = workers + 2;
    let trouble = |error| Error::World(format!("worker processes cannot be started: {error}"));
    let (file, segment) = Segment::create(size).map_err(trouble)?;
    let family = Arc::new(Family::start(size, command, &file).map_err(trouble)?);
    let end = |rank| {
        let mut end = ProcessTransport::new(Rank(rank), size, &segment, close_timeout);
        end.family = Some(Arc::clone(&family));
        end
    };
    Ok((vec![end(0), end(1)], family))
}

/// The end of this process, which is a worker that [`start`] has started.
///
/// # Errors
///
/// [`Error::World`] if there is no shared memory at its standard input.
pub fn join(membership: Membership, close_timeout: Duration) -> Result<ProcessTransport> {
    let Membership { rank, size } = membership;
    let segment = membership.take_segment().map_err(|error| {
        Error::World(format!(
            "rank {rank} cannot join the processes of process {}: {error}",
            family::parent()
        ))
    })?;
    Ok(ProcessTransport::new(rank, size, &segment, close_timeout))
}

impl ProcessTransport {
    fn new(rank: Rank, size: u32, segment: &Arc<Segment>, close_timeout: Duration) -> Self {
        Self {
            rank,
            size,
            segment: Arc::clone(segment),
            bells: Arc::new(segment.bells(rank)),
            family: None,
            peers: (0..size).map(|_| Peer::default()).collect(),
            posted: FxHashMap::default(),
            arrived: VecDeque::new(),
            first: 0,
            close_timeout,
        }
    }

    fn others(&self) -> impl Iterator<Item = Rank> + use<> {
        let (this, size) = (self.rank, self.size);
        (0..size).map(Rank).filter(move |rank| *rank != this)
    }

    /// Queues something for a rank, and sends as much of it as there is room for.
    fn send_out(&mut self, target: Rank, kind: Kind, tag: BodyTag, bytes: Bytes) {
        let peer = &mut self.peers[target.index()];
        if peer.is_lost {
            return;
        }
        let queue = if kind == Kind::Body { &mut peer.bodies } else { &mut peer.frames };
        queue.push_back(Outgoing { kind, tag, bytes, sent: 0 });
        self.push(target);
    }

    /// Sends what there is room for: frames first, which are short and waited for.
    fn push(&mut self, target: Rank) {
        let ring = self.segment.ring(self.rank, target);
        let longest = self.segment.piece_max();
        let peer = &mut self.peers[target.index()];
        let mut has_sent = false;
        for queue in [&mut peer.frames, &mut peer.bodies] {
            while let Some(outgoing) = queue.front_mut() {
                let rest = &outgoing.bytes()[outgoing.sent..];
                let piece = &rest[..rest.len().min(longest)];
                let is_last = piece.len() == rest.len();
                let head =
                    Head { kind: outgoing.kind, is_last, tag: outgoing.tag, length: piece.len() as u32 };
                if !ring.write(head, piece) {
                    break;
                }
                has_sent = true;
                outgoing.sent += head.length as usize;
                if is_last {
                    queue.pop_front();
                }
            }
        }
        if has_sent {
            self.bells.ring(target);
        }
    }

    fn push_all(&mut self) {
        for target in self.others() {
            let peer = &self.peers[target.index()];
            if !(peer.frames.is_empty() && peer.bodies.is_empty()) {
                self.push(target);
            }
        }
    }

    /// Takes in what has come, to the first thing that is whole.
    fn take_in(&mut self) {
        let size = self.size as usize;
        for step in 0..size {
            let source = Rank(((self.first + step) % size) as u32);
            while source != self.rank && self.arrived.is_empty() {
                let (this, posted) = (self.rank, &mut self.posted);
                let peer = &mut self.peers[source.index()];
                let taken = self
                    .segment
                    .ring(source, this)
                    .read(|head, parts| peer.take(source, head, parts, posted));
                let Some((arrival, writer_waits)) = taken else { break };
                if writer_waits {
                    self.bells.ring(source);
                }
                self.arrived.extend(arrival);
            }
            if !self.arrived.is_empty() {
                self.first = source.index() + 1;
                return;
            }
        }
    }

    /// Gives all ranks' bytes that are not lost to all, or says who has not come in time.
    fn gather(&mut self, bytes: Vec<u8>, deadline: Option<Instant>) -> Result<Vec<Vec<u8>>> {
        for target in self.others() {
            self.send_out(target, Kind::Gathered, 0, Bytes::Own(bytes.clone()));
        }
        let mut waiting = VecDeque::new();
        loop {
            let rings = self.bells.rings(Sleeper::Background);
            self.bells.lie_down(Sleeper::Background);
            self.push_all();
            while let Some(arrival) = self.next_arrival() {
                waiting.push_back(arrival);
            }
            let missing = self.others().find(|rank| {
                let peer = &self.peers[rank.index()];
                peer.gathered.is_empty() && !peer.is_lost
            });
            let Some(missing) = missing else { break };
            if let Some(how) = self.family.as_ref().and_then(|family| family.how_ended(missing)) {
                return Err(Error::World(format!("the worker process of rank {missing} {how}")));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Error::World(format!("rank {missing} has not come to its end")));
            }
            self.bells.wait(Sleeper::Background, rings, LOOK_PAUSE);
        }
        self.bells.get_up();
        self.arrived = waiting;
        let mut own = Some(bytes);
        Ok(self
            .peers
            .iter_mut()
            .enumerate()
            .map(|(rank, peer)| match rank == self.rank.index() {
                true => own.take().unwrap_or_default(),
                false => peer.gathered.pop_front().unwrap_or_default(),
            })
            .collect())
    }

    fn next_arrival(&mut self) -> Option<Arrival> {
        if self.arrived.is_empty() {
            self.take_in();
        }
        self.arrived.pop_front()
    }
}

impl Peer {
    /// Takes a record that has come from this peer. Returns what is whole with it.
    fn take(
        &mut self,
        source: Rank,
        head: Head,
        parts: [&[u8]; 2],
        posted: &mut FxHashMap<(Rank, BodyTag), Buffer>,
    ) -> Option<Arrival> {
        if head.kind == Kind::Body {
            // One that nobody waits for any more is dropped.
            let buffer = posted.get_mut(&(source, head.tag))?;
            let fits = parts.iter().all(|part| buffer.append(part));
            assert!(fits, "a body has the length that was asked for");
            let buffer = head.is_last.then(|| posted.remove(&(source, head.tag)))??;
            return Some(Arrival::Body { source, tag: head.tag, buffer });
        }
        let whole = if head.kind == Kind::Frame { &mut self.frame } else { &mut self.part };
        parts.iter().for_each(|part| whole.extend_from_slice(part));
        let whole = head.is_last.then(|| std::mem::take(whole))?;
        if head.kind == Kind::Frame {
            return Some(Arrival::Frame { source, control: whole });
        }
        self.gathered.push_back(whole);
        None
    }
}

impl Transport for ProcessTransport {
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
        NAME.into()
    }

    fn send(&mut self, target: Rank, control: Vec<u8>) -> Result<()> {
        self.send_out(target, Kind::Frame, 0, Bytes::Own(control));
        Ok(())
    }

    fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) -> Result<()> {
        self.posted.insert((source, tag), buffer);
        Ok(())
    }

    fn withdraw(&mut self, source: Rank, tag: BodyTag) -> Result<()> {
        self.posted.remove(&(source, tag));
        Ok(())
    }

    fn send_body(&mut self, target: Rank, tag: BodyTag, body: Body) -> Result<()> {
        self.send_out(target, Kind::Body, tag, Bytes::Shared(body));
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<Arrival>> {
        self.push_all();
        Ok(self.next_arrival())
    }

    fn lose(&mut self, rank: Rank) {
        self.peers[rank.index()] = Peer { is_lost: true, ..Peer::default() };
        self.posted.retain(|(source, _), _| *source != rank);
    }

    fn is_busy(&self) -> bool {
        let sends = |peer: &Peer| !(peer.frames.is_empty() && peer.bodies.is_empty());
        !self.arrived.is_empty() || self.peers.iter().any(sends)
    }

    fn bells(&self) -> Arc<Bells> {
        Arc::clone(&self.bells)
    }

    fn all_gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        self.gather(bytes, None)
    }

    fn close(&mut self) -> Result<()> {
        let deadline = Instant::now().checked_add(self.close_timeout);
        self.gather(Vec::new(), deadline).map(|_| ())
    }

    fn abort(&mut self, code: i32) -> ! {
        if let Some(family) = &self.family {
            family.end(Duration::ZERO);
        }
        process::exit(code)
    }
}
