//! A connection between a session and the cluster: one thread reads packets, one writes them.
//!
//! Whoever sends puts packets into the [`Outbox`] of a [`Link`] and never waits. What is read goes into an [`Inbox`],
//! which rings the rank's bell; a reader that is too far ahead of the rank waits, and the other side then waits with it.
//!
//! A link outlives its stream: when that breaks, the session makes a new one within a grace time, both sides exchange how
//! many packets they have, and nothing is lost or comes twice. Each stream has an epoch: what comes of an earlier one
//! does not count.

use super::{
    outbox::{Outbox, Packet, Payload},
    packet::{Header, Kind},
    stream::Stream,
};
use crate::{comm::Bells, lock::lock, rank::Rank};
use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufReader, Read, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The number of bytes that the rank has not taken beyond which a connection is not read.
const UNREAD_BYTES_MAX: usize = 16 << 20;
/// The number of bytes that wait to be written beyond which a connection is given up.
const UNWRITTEN_BYTES_MAX: usize = 1 << 30;
/// Length of the buffers of a connection, in bytes.
const BUFFER_BYTES: usize = 64 << 10;
/// The stack of the threads of a connection, in bytes.
const STACK_BYTES: usize = 256 << 10;
/// The time after which a silent peer is asked for a sign of life.
const PING_AFTER: Duration = Duration::from_secs(10);
/// The time of silence after which a stream is considered broken.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The number of packets that are not confirmed, and the time that they are not, if nothing else is written.
const UNCONFIRMED_MAX: u64 = 64;
/// See `UNCONFIRMED_MAX`.
const CONFIRM_AFTER: Duration = Duration::from_millis(50);
/// The longest grace time.
pub const GRACE_MAX: Duration = Duration::from_secs(3600);
/// How often a session tries to connect again.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// A packet that has come, or the end of a connection.
#[derive(Debug)]
pub enum Event {
    /// A packet.
    Packet(Header, Vec<u8>),
    /// Nothing more comes; the reason that the peer gave, or what went wrong.
    Ended(Result<String, String>),
}

/// What has come over some connections, each of which has the number of a rank.
#[derive(Debug)]
pub struct Inbox {
    events: Mutex<VecDeque<(Rank, Event)>>,
    bells: Arc<Bells>,
}

impl Inbox {
    /// An empty one of the rank with these bells.
    pub fn new(bells: Arc<Bells>) -> Self {
        Self { events: Mutex::default(), bells }
    }

    fn push(&self, from: Rank, event: Event) {
        lock(&self.events).push_back((from, event));
        self.bells.ring_self();
    }

    /// Takes the first event.
    pub fn take(&self) -> Option<(Rank, Event)> {
        lock(&self.events).pop_front()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        lock(&self.events).is_empty()
    }
}

/// Why a session could not connect again.
#[derive(Debug)]
pub enum Unconnected {
    /// It may be possible later.
    Yet(String),
    /// The cluster has ended, or does not know the session any more.
    Forever(String),
}

/// Makes a new stream to the cluster, given how many packets this side has. Returns how many the other side has.
pub type Reconnect = dyn Fn(u64) -> Result<(Stream, u64), Unconnected> + Send + Sync;

#[derive(Default)]
struct State {
    outbox: Outbox,
    /// Whether the writer has packets that it has taken and not written.
    is_writing: bool,
    /// Whether the writer has nothing to do for longer.
    is_resting: bool,
    is_closed: bool,
    /// The stream, unless it is broken.
    stream: Option<Arc<Stream>>,
    epoch: u64,
    /// Since when there is none, and why.
    broken: Option<(Instant, String)>,
    /// How long there may be none.
    grace: Duration,
    /// How many packets have come, and how many of them were confirmed.
    received: u64,
    confirmed: u64,
    /// Bytes that were read and not taken.
    unread: usize,
    read_at: Option<Instant>,
}

impl State {
    fn attach(&mut self, stream: Stream) -> io::Result<()> {
        if let Stream::Tcp(stream) = &stream {
            // Slower without, but right.
            let _ = stream.set_nodelay(true);
        }
        stream.set_timeouts(None, Some(SILENCE_MAX))?;
        self.stream = Some(Arc::new(stream));
        self.epoch += 1;
        self.broken = None;
        self.read_at = Some(Instant::now());
        Ok(())
    }

    fn detach(&mut self, why: impl FnOnce() -> String) {
        if let Some(stream) = self.stream.take() {
            stream.shut_down();
            self.broken = Some((Instant::now(), why()));
        }
    }
}

/// One connection.
pub struct Link {
    state: Mutex<State>,
    changed: Condvar,
    reconnect: Option<Box<Reconnect>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(..)")
    }
}

impl Link {
    /// Of a stream on which both sides know each other. `reconnect` makes a new one, if it is this side that does.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn new(stream: Stream, reconnect: Option<Box<Reconnect>>) -> io::Result<Arc<Self>> {
        let mut state = State::default();
        state.attach(stream)?;
        Ok(Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), reconnect }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Sets how long it may be without a stream, and tells the other side if it is this one that connects.
    pub fn set_grace(&self, grace: Duration) {
        let grace = grace.min(GRACE_MAX);
        self.state().grace = grace;
        if self.reconnect.is_some() {
            let payload = Payload::Bytes((grace.as_millis() as u32).to_le_bytes().into());
            self.send(Packet { kind: Kind::Grace, tag: 0, peer: Rank(0), payload });
        }
    }

    /// Sends a packet, later. Where far too much waits already, the connection ends.
    pub fn send(&self, packet: Packet) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        let bytes = state.outbox.push(packet);
        drop(state);
        if bytes > UNWRITTEN_BYTES_MAX {
            return self.close();
        }
        self.changed.notify_all();
    }

    /// The rank has taken a packet of so many bytes.
    pub fn taken(&self, bytes: usize) {
        let mut state = self.state();
        let was_full = state.unread > UNREAD_BYTES_MAX;
        state.unread = state.unread.saturating_sub(bytes);
        if was_full && state.unread <= UNREAD_BYTES_MAX {
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits until all is written that was sent, or the time is over. Returns whether it is.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| !state.is_writing && state.outbox.is_idle())
    }

    /// Waits until the other side has all that was sent, or the connection or the time is over. Returns whether the time
    /// is not. What is only written may be lost: the other side drops what it has not read when its own write fails.
    pub fn settle(&self, timeout: Duration) -> bool {
        // The answer brings a confirmation at once.
        self.send(Packet { kind: Kind::Ping, tag: 0, peer: Rank(0), payload: Payload::Bytes(Vec::new()) });
        self.wait_until(timeout, |state| state.outbox.is_confirmed())
    }

    /// Waits until this holds, or the connection or the time is over. Returns whether the time is not.
    fn wait_until(&self, timeout: Duration, holds: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        while !state.is_closed && !holds(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.wait(state, left);
        }
        true
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends the connection: its threads end soon.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.detach(|| "it was closed".into());
        drop(state);
        self.changed.notify_all();
    }

    /// Writes bytes at once, before anything is sent.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn write_first(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(stream) = self.state().stream.clone() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        (&*stream).write_all(bytes)
    }

    /// A session is about to connect again: the stream that there is does not count any more. Returns the epoch and how
    /// many packets this side has, unless the connection has ended.
    pub fn expect(&self) -> Option<(u64, u64)> {
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        state.detach(|| "the session connects again".into());
        state.epoch += 1;
        let expected = (state.epoch, state.received);
        drop(state);
        self.changed.notify_all();
        Some(expected)
    }

    /// A session has connected again and has so many packets. Returns whether the connection goes on.
    pub fn resume(&self, epoch: u64, stream: Stream, peer_has: u64) -> bool {
        let mut state = self.state();
        let goes_on = !state.is_closed
            && state.epoch == epoch
            && state.outbox.rewind(peer_has)
            && state.attach(stream).is_ok();
        drop(state);
        self.changed.notify_all();
        goes_on
    }

    /// Starts a thread that writes what is sent.
    ///
    /// # Errors
    ///
    /// The system's, if there can be no thread.
    pub fn start_writer(self: &Arc<Self>) -> io::Result<()> {
        let link = Arc::clone(self);
        let write = move || link.write();
        thread::Builder::new().name("session-writer".into()).stack_size(STACK_BYTES).spawn(write).map(drop)
    }

    /// Starts a thread that reads what comes from the peer with this number.
    ///
    /// # Errors
    ///
    /// The system's, if there can be no thread.
    pub fn start_reader(self: &Arc<Self>, from: Rank, inbox: Arc<Inbox>) -> io::Result<()> {
        let link = Arc::clone(self);
        let read = move || link.read(from, &inbox);
        thread::Builder::new().name("session-reader".into()).stack_size(STACK_BYTES).spawn(read).map(drop)
    }

    /// Reads until the connection ends, and says so.
    pub fn read(&self, from: Rank, inbox: &Inbox) {
        let reason = loop {
            let (epoch, stream) = match self.next_stream() {
                Ok(next) => next,
                Err(reason) => break Err(reason),
            };
            match self.read_packets(epoch, &stream, from, inbox) {
                Ok(reason) => break Ok(reason),
                // What it sends makes no sense.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => break Err(error.to_string()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.is_broken(epoch, || "it was closed".into());
                }
                Err(error) => self.is_broken(epoch, || error.to_string()),
            }
        };
        self.close();
        inbox.push(from, Event::Ended(reason));
    }

    fn is_broken(&self, epoch: u64, why: impl FnOnce() -> String) {
        let mut state = self.state();
        if state.epoch == epoch {
            state.detach(why);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The stream to read, once there is one.
    ///
    /// # Errors
    ///
    /// Why there is none, if the grace time is over.
    fn next_stream(&self) -> Result<(u64, Arc<Stream>), String> {
        let mut state = self.state();
        loop {
            if let Some(stream) = &state.stream {
                return Ok((state.epoch, Arc::clone(stream)));
            }
            let (since, why) =
                state.broken.clone().unwrap_or_else(|| (Instant::now(), "it was closed".into()));
            let left = state.grace.saturating_sub(since.elapsed());
            if state.is_closed || state.grace.is_zero() {
                return Err(why);
            }
            if left.is_zero() {
                return Err(format!("{why}, and was not made anew within {:?}", state.grace));
            }
            let Some(reconnect) = &self.reconnect else {
                state = self.wait(state, left);
                continue;
            };
            let received = state.received;
            drop(state);
            match reconnect(received) {
                Ok((stream, peer_has)) => {
                    state = self.state();
                    let is_whole = state.outbox.rewind(peer_has);
                    let attached = state.attach(stream);
                    if !is_whole || attached.is_err() {
                        return Err(format!("{why}, and the cluster has not what was sent"));
                    }
                    self.changed.notify_all();
                }
                Err(Unconnected::Forever(reason)) => return Err(format!("{why}; {reason}")),
                Err(Unconnected::Yet(_)) => {
                    state = self.state();
                    state = self.wait(state, RETRY_EVERY.min(left));
                }
            }
        }
    }

    fn read_packets(&self, epoch: u64, stream: &Stream, from: Rank, inbox: &Inbox) -> io::Result<String> {
        let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
        loop {
            let mut bytes = [0; Header::BYTES];
            stream.read_exact(&mut bytes)?;
            let invalid = |words| io::Error::new(io::ErrorKind::InvalidData, words);
            let header = Header::read(bytes).map_err(invalid)?;
            // The memory grows with what comes, not with what was announced.
            let length = header.length as usize;
            let mut payload = Vec::with_capacity(length.min(super::packet::PIECE_BYTES_MAX));
            if (&mut stream).take(length as u64).read_to_end(&mut payload)? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match header.kind {
                Kind::End => return Ok(String::from_utf8_lossy(&payload).into_owned()),
                Kind::Ping => self.send(Packet {
                    kind: Kind::Pong,
                    tag: 0,
                    peer: Rank(0),
                    payload: Payload::Bytes(Vec::new()),
                }),
                Kind::Pong => {}
                Kind::Ack => {
                    let count = payload.try_into().map_or(0, u64::from_le_bytes);
                    self.state().outbox.confirm(count);
                    self.changed.notify_all();
                }
                Kind::Grace => {
                    let milliseconds = payload.try_into().map_or(0, u32::from_le_bytes);
                    self.set_grace(Duration::from_millis(milliseconds.into()));
                }
                Kind::Frame | Kind::Piece | Kind::Credit => {
                    self.note_received(epoch, length)?;
                    inbox.push(from, Event::Packet(header, payload));
                }
            }
            self.wait_until_taken(epoch);
        }
    }

    /// A numbered packet has come.
    ///
    /// # Errors
    ///
    /// If it was of an earlier stream: then it comes again.
    fn note_received(&self, epoch: u64, bytes: usize) -> io::Result<()> {
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        state.received += 1;
        state.unread += bytes;
        if state.is_resting || state.received - state.confirmed == UNCONFIRMED_MAX {
            drop(state);
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Notes that something has come, and waits while too much was not taken.
    fn wait_until_taken(&self, epoch: u64) {
        let mut state = self.state();
        while state.unread > UNREAD_BYTES_MAX && !state.is_closed && state.epoch == epoch {
            // Nobody else looks for signs of life meanwhile.
            state.read_at = None;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.read_at = Some(Instant::now());
    }

    fn write(&self) {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        while let Some((epoch, stream, packets)) = self.next_packets() {
            let is_last = packets.iter().any(|packet| packet.kind == Kind::End);
            if let Err(error) = write_packets(&stream, packets, &mut buffer) {
                self.is_broken(epoch, || error.to_string());
            } else if is_last {
                break;
            }
        }
        self.close();
    }

    /// What is to be written next, and where; nothing once the connection is closed.
    fn next_packets(&self) -> Option<(u64, Arc<Stream>, Vec<Arc<Packet>>)> {
        let mut state = self.state();
        state.is_writing = false;
        let (mut was_asked, mut waited) = (false, false);
        self.changed.notify_all();
        loop {
            state.is_resting = false;
            if state.is_closed {
                return None;
            }
            let Some(stream) = state.stream.clone() else {
                (was_asked, waited) = (false, false);
                state = self.wait(state, PING_AFTER);
                continue;
            };
            let unconfirmed = state.received - state.confirmed;
            if !state.outbox.is_idle() || unconfirmed >= UNCONFIRMED_MAX || unconfirmed > 0 && waited {
                if unconfirmed > 0 {
                    state.confirmed = state.received;
                    let payload = Payload::Bytes(state.received.to_le_bytes().into());
                    state.outbox.push(Packet { kind: Kind::Ack, tag: 0, peer: Rank(0), payload });
                }
                state.is_writing = true;
                return Some((state.epoch, stream, state.outbox.take()));
            }
            let silence = state.read_at.map_or(Duration::ZERO, |at| at.elapsed());
            if silence >= SILENCE_MAX {
                state.detach(|| format!("it gave no sign of life for {silence:?}"));
                self.changed.notify_all();
                continue;
            }
            if silence >= PING_AFTER && !was_asked {
                was_asked = true;
                let payload = Payload::Bytes(Vec::new());
                state.outbox.push(Packet { kind: Kind::Ping, tag: 0, peer: Rank(0), payload });
                continue;
            }
            // At first it expects that something comes which is to be confirmed.
            state.is_resting = waited;
            let before = state.received;
            state = self.wait(state, if waited && unconfirmed == 0 { PING_AFTER } else { CONFIRM_AFTER });
            waited = state.received == before || !waited;
        }
    }
}

/// Writes packets; small ones together.
fn write_packets(mut stream: &Stream, packets: Vec<Arc<Packet>>, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    // An end comes after all others: what confirms them is written before.
    let (ends, others): (Vec<_>, Vec<_>) = packets.into_iter().partition(|packet| packet.kind == Kind::End);
    for packet in others.into_iter().chain(ends) {
        let payload = packet.payload.as_slice();
        let header =
            Header { kind: packet.kind, tag: packet.tag, peer: packet.peer, length: payload.len() as u32 };
        buffer.extend_from_slice(&header.to_bytes());
        if payload.len() < BUFFER_BYTES / 4 {
            buffer.extend_from_slice(payload);
        } else {
            stream.write_all(buffer)?;
            buffer.clear();
            stream.write_all(payload)?;
        }
        if buffer.len() >= BUFFER_BYTES {
            stream.write_all(buffer)?;
            buffer.clear();
        }
    }
    stream.write_all(buffer)
}
