//! Ranks as MPI processes.
//!
//! This file and its folder are the only ones that call MPI. They call the C interface and look at
//! every return code: the `mpi` crate's own calls drop them.
//!
//! - Frames travel on one communicator, bodies on another one; both are duplicates of the one given.
//! - Frames are found by `MPI_Improbe` and received at their size. Bodies are received by requests
//!   that are posted before they are asked for.
//! - Nothing here blocks but the collective calls, and these wait asleep.
//! - MPI is called by one thread at a time. That holds for all transports of a process together.

mod asleep;
mod call;
mod finalize;
mod node;
mod requests;
mod streams;

use super::{Arrival, Bells, Body, BodyTag, Buffer, Transport};
use crate::{Error, Result, rank::Rank};
use call::{Communicator, mpi_call};
pub use call::{library_name, library_version, thread_level};
use mpi::ffi;
use node::Node;
use requests::Requests;
use rustc_hash::FxHashMap;
use std::{
    collections::VecDeque,
    ffi::{c_int, c_void},
    mem,
    ops::Range,
    process, slice,
    sync::Arc,
    time::{Duration, Instant},
};
use streams::{Piece, Place, Streams};

/// The tag of a frame's last piece, which mostly is its only one.
const LAST_PIECE: c_int = 0;
/// The tag of a piece that others of the same frame follow.
const MORE_PIECES: c_int = 1;
/// How often `poll` may hand out a frame before it looks at what is under way.
const FRAMES_BETWEEN_TESTS: u32 = 16;

/// How a transport behaves. All ranks of a run must use the same.
#[derive(Clone, Debug)]
pub struct MpiConfig {
    /// The length, in bytes, over which a frame is cut. At most 2 GiB less one byte are used.
    pub frame_bytes_max: usize,
    /// The length, in bytes, over which a body is cut. At most 2 GiB less one byte are used.
    pub body_bytes_max: usize,
    /// How long `close` waits for the other ranks.
    pub close_timeout: Duration,
    /// Whether ranks may be lost: errors of single messages are then no errors of the run.
    pub survives: bool,
}

impl Default for MpiConfig {
    fn default() -> Self {
        let close_timeout = Duration::from_secs(5);
        Self { frame_bytes_max: 256 << 20, body_bytes_max: 256 << 20, close_timeout, survives: false }
    }
}

/// A transport over MPI.
///
/// Dropping it without [`close`](Transport::close) leaks what it holds, for other ranks may be using
/// it.
pub struct MpiTransport {
    config: MpiConfig,
    frames: Communicator,
    bodies: Communicator,
    node: Node,
    bells: Arc<Bells>,
    /// Sends, and frames that are arriving.
    moving: Requests<Moving>,
    /// Pieces of bodies that are waited for.
    expected: Requests<ExpectedPiece>,
    posted: FxHashMap<(Rank, BodyTag), Posted>,
    streams: Streams,
    arrived: VecDeque<Arrival>,
    frames_since_test: u32,
    owns_mpi: bool,
    main_thread_only: bool,
    closed: bool,
    released: bool,
}

// SAFETY: MPI's handles may be used by any thread where MPI grants MPI_THREAD_SERIALIZED, one thread
// at a time, which `&mut self` sees to. Where it grants less, `main_thread_only` says so, and whoever
// moves a transport must heed it, as the trait tells.
unsafe impl Send for MpiTransport {}

/// A send, or a piece of a frame that is arriving, and the memory it needs.
enum Moving {
    /// A frame sent whole.
    FrameOut { target: Rank, _memory: Vec<u8> },
    /// A piece sent of something larger.
    PieceOut { target: Rank, _memory: Body },
    /// A piece of a frame, arriving in the spare capacity of its bytes.
    PieceIn { place: Place, piece: Piece, length: usize },
    /// A piece of a body that nobody waits for any more.
    Stray { _memory: Vec<u8> },
}

/// What a look for a message found.
#[derive(Default)]
enum Look {
    #[default]
    Nothing,
    /// A message that is still arriving.
    Started,
    /// A message that is here.
    Complete(Moving),
}

/// A piece of a posted body. Its memory belongs to the [`Posted`] one.
struct ExpectedPiece {
    body: (Rank, BodyTag),
    length: usize,
}

/// A body that is waited for.
struct Posted {
    buffer: Buffer,
    pieces_missing: usize,
    /// What went wrong with a piece.
    fault: Option<Error>,
}

/// The ranges that something is cut into; one at least.
fn pieces(length: usize, longest: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = length.div_ceil(longest).max(1);
    (0..count).map(move |at| at * longest..((at + 1) * longest).min(length))
}

impl MpiTransport {
    /// A transport between all ranks that the launcher started. Collective.
    ///
    /// Initialises MPI if that was not done; then `close` finalizes it. Call it early in the program,
    /// before there are threads that read the environment.
    pub fn world(config: MpiConfig) -> Result<Self> {
        let library = call::initialise()?;
        // SAFETY: MPI is initialised, so its world is a valid communicator.
        let mut transport = unsafe { Self::on(ffi::RSMPI_COMM_WORLD, config)? };
        if library.initialised_here {
            call::yield_no_more();
        }
        transport.owns_mpi = library.initialised_here;
        transport.main_thread_only = library.main_thread_only;
        Ok(transport)
    }

    /// A transport between the ranks of a communicator, in an MPI program that has its own life.
    /// Collective.
    ///
    /// The communicator is duplicated, not used; MPI is never finalized. A process may have several
    /// transports at once and one after another, but only one thread at a time may use any of them.
    ///
    /// # Safety
    ///
    /// MPI must be initialised, and `communicator` a valid handle, or `MPI_COMM_NULL` (an error).
    pub unsafe fn on(communicator: ffi::MPI_Comm, config: MpiConfig) -> Result<Self> {
        let main_thread_only = call::main_thread_only()?;
        // SAFETY: valid by contract.
        let frames = unsafe { Communicator::duplicate_of(communicator)? };
        // SAFETY: just made.
        let bodies = unsafe { Communicator::duplicate_of(frames.raw)? };
        let (node, bells) = Node::new(&frames)?;
        let largest = c_int::MAX as usize;
        Ok(Self {
            config: MpiConfig {
                frame_bytes_max: config.frame_bytes_max.clamp(1, largest),
                body_bytes_max: config.body_bytes_max.clamp(1, largest),
                ..config
            },
            frames,
            bodies,
            node,
            bells: Arc::new(bells),
            moving: Requests::new(frames.rank),
            expected: Requests::new(frames.rank),
            posted: FxHashMap::default(),
            streams: Streams::new(frames.size),
            arrived: VecDeque::new(),
            frames_since_test: 0,
            owns_mpi: false,
            main_thread_only,
            closed: false,
            released: false,
        })
    }

    /// An error of a message, which is none of the run where ranks may be lost: that is seen elsewhere, and what
    /// is sent to a lost rank, or comes from one, does not count.
    fn bear<T: Default>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(error @ Error::Mpi { .. }) if self.config.survives => {
                tracing::debug!(rank = self.frames.rank.0, "{error}");
                Ok(T::default())
            }
            result => result,
        }
    }

    fn check_open(&self) -> Result<()> {
        if self.closed { Err(Error::Ended) } else { Ok(()) }
    }

    /// Starts to send bytes, which must stay until the request is complete.
    fn start_send(on: &Communicator, target: Rank, tag: c_int, bytes: &[u8]) -> Result<ffi::MPI_Request> {
        // SAFETY: reads the null request.
        let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
        // SAFETY: the bytes are valid for reads of their length, which fits: both limits are clamped.
        // The caller keeps them until the request is complete.
        unsafe {
            mpi_call!(
                on.rank,
                MPI_Isend(
                    bytes.as_ptr().cast::<c_void>(),
                    bytes.len() as c_int,
                    ffi::RSMPI_UINT8_T,
                    target.0 as c_int,
                    tag,
                    on.raw,
                    &raw mut request
                )
            )?;
        }
        Ok(request)
    }

    /// Sends one piece of something larger.
    fn send_piece(
        &mut self,
        on: Communicator,
        target: Rank,
        tag: c_int,
        body: &Body,
        at: Range<usize>,
    ) -> Result<()> {
        let request = Self::start_send(&on, target, tag, &body.as_slice()[at])?;
        self.moving
            .push_unless_complete(request, Moving::PieceOut { target, _memory: body.clone() })
            .map(|_| ())
    }

    fn send_whole(&mut self, target: Rank, control: Vec<u8>) -> Result<()> {
        let request = Self::start_send(&self.frames, target, LAST_PIECE, &control)?;
        self.moving.push_unless_complete(request, Moving::FrameOut { target, _memory: control }).map(|_| ())
    }

    fn send_in_pieces(&mut self, target: Rank, control: Vec<u8>) -> Result<()> {
        let body = Body::of(Arc::new(control), 1, |bytes| bytes);
        let length = body.as_slice().len();
        for piece in pieces(length, self.config.frame_bytes_max) {
            let tag = if piece.end == length { LAST_PIECE } else { MORE_PIECES };
            self.send_piece(self.frames, target, tag, &body, piece)?;
        }
        Ok(())
    }

    /// Takes in the next message of a communicator, if one is here.
    ///
    /// MPI looks at what it has first and makes progress only if that is nothing; then it still says
    /// that nothing is here. So a message that came during a nap is seen by the second look.
    fn receive(
        on: &Communicator,
        into: impl FnOnce(&ffi::MPI_Status, Vec<u8>, usize) -> Moving,
        moving: &mut Requests<Moving>,
    ) -> Result<Look> {
        let (mut found, mut length, mut status) = (0, 0, call::empty_status());
        // SAFETY: the probe writes to locals; a message it finds is received here, once, into memory
        // of its length, which `Moving` then keeps until the request is complete (MPI 3.1, section 3.8.2).
        unsafe {
            let mut message = ffi::RSMPI_MESSAGE_NULL;
            let (source, tag) = (ffi::RSMPI_ANY_SOURCE, ffi::RSMPI_ANY_TAG);
            mpi_call!(
                on.rank,
                MPI_Improbe(source, tag, on.raw, &raw mut found, &raw mut message, &raw mut status)
            )?;
            if found == 0 {
                return Ok(Look::Nothing);
            }
            mpi_call!(on.rank, MPI_Get_count(&raw const status, ffi::RSMPI_UINT8_T, &raw mut length))?;
            let mut bytes = Vec::<u8>::with_capacity(length as usize);
            let mut request = ffi::RSMPI_REQUEST_NULL;
            mpi_call!(
                on.rank,
                MPI_Imrecv(
                    bytes.as_mut_ptr().cast::<c_void>(),
                    length,
                    ffi::RSMPI_UINT8_T,
                    &raw mut message,
                    &raw mut request
                )
            )?;
            let moving_in = into(&status, bytes, length as usize);
            Ok(moving.push_unless_complete(request, moving_in)?.map_or(Look::Started, Look::Complete))
        }
    }

    /// Takes in the next piece of a frame. Says whether there was one.
    fn receive_piece(&mut self) -> Result<bool> {
        let streams = &mut self.streams;
        let piece_in = |status: &ffi::MPI_Status, bytes: Vec<u8>, length: usize| {
            let place = streams.expect(Rank(status.MPI_SOURCE as u32));
            Moving::PieceIn { place, piece: Piece { bytes, last: status.MPI_TAG == LAST_PIECE }, length }
        };
        let found = Self::receive(&self.frames, piece_in, &mut self.moving);
        match self.bear(found)? {
            Look::Nothing => return Ok(false),
            Look::Started => {}
            Look::Complete(piece) => piece.finish(&mut self.streams, &mut self.arrived),
        }
        Ok(true)
    }

    /// Moves along what is under way.
    fn test(&mut self) -> Result<()> {
        self.frames_since_test = 0;
        let (streams, arrived) = (&mut self.streams, &mut self.arrived);
        // A send that MPI has put off leaves later than its ring, so its target may sleep.
        ring_targets(&self.bells, self.moving.purposes());
        let bells = &self.bells;
        let moved = self.moving.take_complete(|moving, _| {
            ring_targets(bells, slice::from_ref(&moving));
            moving.finish(streams, arrived);
        });
        let (posted, closed) = (&mut self.posted, self.closed);
        let (rank, mut fault) = (self.frames.rank, None);
        let received = self.expected.take_complete(|piece, status| {
            if !closed {
                fault = finish_body_piece(posted, arrived, rank, &piece, status).err().or(fault.take());
            }
        });
        self.bear(moved.and(received).and(fault.map_or(Ok(()), Err)))
    }

    fn moves_something_out(&self) -> bool {
        self.moving.purposes().iter().any(|moving| moving.target().is_some())
    }

    /// Takes in and drops what other ranks still send, so that they can come to an end.
    fn discard(&mut self) -> Result<bool> {
        let frame = self.receive_piece()?;
        let stray = |_: &ffi::MPI_Status, bytes: Vec<u8>, _| Moving::Stray { _memory: bytes };
        let body = !matches!(Self::receive(&self.bodies, stray, &mut self.moving)?, Look::Nothing);
        self.test()?;
        self.arrived.clear();
        Ok(frame || body)
    }

    /// Waits, asleep and discarding, until something holds. Says whether it did in time.
    fn discard_until(&mut self, deadline: Instant, done: impl Fn(&Self) -> bool) -> Result<bool> {
        let mut naps = asleep::Naps::new();
        while !done(self) {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.discard()?;
            self.discard()?;
            naps.next();
        }
        Ok(true)
    }

    fn too_late(&self, what: &str) -> Error {
        Error::World(format!(
            "rank {} gave up closing its transport after {:?}: {what}",
            self.frames.rank, self.config.close_timeout
        ))
    }

    /// Waits for all ranks and ends all requests.
    fn settle(&mut self, deadline: Instant) -> Result<()> {
        if !self.discard_until(deadline, |this| !this.moves_something_out())? {
            return Err(self.too_late("some rank does not receive what was sent to it"));
        }
        let frames = self.frames;
        if !asleep::barrier_until(&frames, Some(deadline), || self.discard().map(|_| ()))? {
            return Err(self.too_late("some rank has not come to its end"));
        }
        // All ranks have sent all they will. What is here yet is dropped; what was posted will not come.
        while self.discard()? || self.discard()? {}
        self.expected.cancel_all()?;
        if !self.discard_until(deadline, |this| this.moving.is_empty() && this.expected.is_empty())? {
            return Err(self.too_late("a receive does not end"));
        }
        self.posted.clear();
        Ok(())
    }

    /// Frees what MPI holds for us. Collective, and all ranks are there.
    fn release(&mut self) -> Result<()> {
        self.released = true;
        // SAFETY: all ranks are past their last use of the communicators.
        unsafe {
            self.bodies.free()?;
            self.frames.free()?;
            if self.owns_mpi {
                let has_remote_ranks = self.node.size < self.frames.size;
                finalize::finalize(self.frames.rank, has_remote_ranks)?;
            }
        }
        Ok(())
    }
}

/// Rings the ranks that something is being sent to. Neighbours mostly have the same target.
fn ring_targets(bells: &Bells, moving: &[Moving]) {
    let mut last = None;
    for target in moving.iter().filter_map(Moving::target) {
        if last.replace(target) != Some(target) {
            bells.ring(target);
        }
    }
}

impl Moving {
    /// The rank it is sent to, if it is a send.
    fn target(&self) -> Option<Rank> {
        match self {
            Self::FrameOut { target, .. } | Self::PieceOut { target, .. } => Some(*target),
            Self::PieceIn { .. } | Self::Stray { .. } => None,
        }
    }

    /// The rank that sends it, if it is a piece of a frame.
    fn source(&self) -> Option<Rank> {
        match self {
            Self::PieceIn { place, .. } => Some(place.source),
            _ => None,
        }
    }

    fn finish(self, streams: &mut Streams, arrived: &mut VecDeque<Arrival>) {
        let Self::PieceIn { place, mut piece, length } = self else { return };
        // SAFETY: room for `length` bytes was made, and a message of that length has filled it.
        unsafe { piece.bytes.set_len(length) };
        streams.fill(place, piece, |source, control| arrived.push_back(Arrival::Frame { source, control }));
    }
}

/// Notes that a piece of a posted body is here, and hands the body out with its last one.
fn finish_body_piece(
    posted: &mut FxHashMap<(Rank, BodyTag), Posted>,
    arrived: &mut VecDeque<Arrival>,
    rank: Rank,
    piece: &ExpectedPiece,
    status: &ffi::MPI_Status,
) -> Result<()> {
    let mut length = 0;
    // SAFETY: the status is that of a complete receive.
    unsafe { mpi_call!(rank, MPI_Get_count(status, ffi::RSMPI_UINT8_T, &raw mut length))? };
    let body = posted.get_mut(&piece.body).expect("a piece that is expected belongs to a posted body");
    if length as usize != piece.length {
        let (source, tag) = piece.body;
        let message = format!("body {tag} of rank {source}: a piece of {length} bytes, not {}", piece.length);
        body.fault = Some(Error::Mpi { rank, call: "MPI_Irecv", message });
    }
    body.pieces_missing -= 1;
    if body.pieces_missing == 0 {
        let (source, tag) = piece.body;
        let Posted { mut buffer, fault, .. } = posted.remove(&piece.body).expect("found above");
        if let Some(fault) = fault {
            return Err(fault);
        }
        // SAFETY: all its pieces have arrived, each of the length that was asked for.
        unsafe { buffer.set_filled() };
        arrived.push_back(Arrival::Body { source, tag, buffer });
    }
    Ok(())
}

impl Transport for MpiTransport {
    fn rank(&self) -> Rank {
        self.frames.rank
    }

    fn size(&self) -> u32 {
        self.frames.size
    }

    fn node(&self) -> Rank {
        self.node.first
    }

    fn name(&self) -> String {
        library_name()
    }

    fn send(&mut self, target: Rank, control: Vec<u8>) -> Result<()> {
        self.check_open()?;
        let sent = if control.len() > self.config.frame_bytes_max {
            self.send_in_pieces(target, control)
        } else {
            self.send_whole(target, control)
        };
        self.bear(sent)?;
        self.bells.ring(target);
        Ok(())
    }

    fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) -> Result<()> {
        self.check_open()?;
        let length = buffer.length();
        let pieces = pieces(length, self.config.body_bytes_max);
        let body = (source, tag);
        let posted = Posted { buffer, pieces_missing: pieces.len(), fault: None };
        // A buffer under a pending request must not be freed, so this cannot be left to the caller.
        assert!(!self.posted.contains_key(&body), "body {tag} of rank {source} is posted already");
        let memory = self.posted.entry(body).or_insert(posted).buffer.as_mut_ptr();
        for piece in pieces {
            // SAFETY: reads the null request.
            let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
            // SAFETY: the piece lies within the buffer, which stays in `posted` until all its pieces
            // have come, and is leaked with it otherwise.
            let started = unsafe {
                mpi_call!(
                    self.bodies.rank,
                    MPI_Irecv(
                        memory.add(piece.start).cast::<c_void>(),
                        piece.len() as c_int,
                        ffi::RSMPI_UINT8_T,
                        source.0 as c_int,
                        c_int::from(tag),
                        self.bodies.raw,
                        &raw mut request
                    )
                )
            };
            if started.is_err() {
                self.bear(started)?;
                continue;
            }
            self.expected.push(request, ExpectedPiece { body, length: piece.len() });
        }
        Ok(())
    }

    fn withdraw(&mut self, source: Rank, tag: BodyTag) -> Result<()> {
        let body = (source, tag);
        self.expected.withdraw(|piece| piece.body == body)?;
        self.posted.remove(&body);
        Ok(())
    }

    fn send_body(&mut self, target: Rank, tag: BodyTag, body: Body) -> Result<()> {
        self.check_open()?;
        // The pieces have one tag, and MPI keeps their order (MPI 3.1, section 3.5).
        for piece in pieces(body.as_slice().len(), self.config.body_bytes_max) {
            let sent = self.send_piece(self.bodies, target, c_int::from(tag), &body, piece);
            self.bear(sent)?;
        }
        self.bells.ring(target);
        Ok(())
    }

    /// Call it twice after a nap: the first look moves along what came meanwhile, and often only the
    /// second one sees it.
    fn poll(&mut self) -> Result<Option<Arrival>> {
        if self.closed {
            return Ok(None);
        }
        if self.arrived.is_empty() {
            // To the end of a frame, or of what is here: the caller sleeps when we find nothing.
            while self.arrived.is_empty() && self.receive_piece()? {}
            self.frames_since_test += 1;
            // What is under way is looked at when there is nothing else, or not for long.
            if self.arrived.is_empty() || self.frames_since_test >= FRAMES_BETWEEN_TESTS {
                self.test()?;
            }
        }
        Ok(self.arrived.pop_front())
    }

    fn lose(&mut self, rank: Rank) {
        self.moving.give_up(|moving| moving.target() == Some(rank) || moving.source() == Some(rank));
        self.expected.give_up(|piece| piece.body.0 == rank);
        let posted: Vec<(Rank, BodyTag)> =
            self.posted.keys().filter(|(source, _)| *source == rank).copied().collect();
        posted.into_iter().for_each(|body| mem::forget(self.posted.remove(&body)));
    }

    fn is_busy(&self) -> bool {
        !(self.moving.is_empty() && self.expected.is_empty() && self.arrived.is_empty())
    }

    /// The doorbells. They may be used as long as somebody has them, even after the end.
    fn bells(&self) -> Arc<Bells> {
        Arc::clone(&self.bells)
    }

    fn main_thread_only(&self) -> bool {
        self.main_thread_only
    }

    fn all_gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        self.check_open()?;
        // What was sent before goes on, and those it is sent to are rung.
        let frames = self.frames;
        asleep::all_gather(&frames, bytes, || self.test())
    }

    /// Ends the whole job at once, also the ranks that are not of this run.
    ///
    /// MPI lets one abort the ranks of a communicator alone, but Open MPI ends all of them anyway, and
    /// MPICH 4 then waits until the others call MPI, which a rank that hangs never does.
    fn abort(&mut self, code: i32) -> ! {
        // After the release MPI may have been finalized, by us or by the program around us.
        if !self.released {
            // SAFETY: MPI is initialised as long as we have communicators (MPI 3.1, section 8.7).
            unsafe { ffi::MPI_Abort(ffi::RSMPI_COMM_WORLD, code) };
        }
        process::exit(code)
    }

    /// Frames and bodies that nobody has polled are dropped. After an error nothing is freed and MPI
    /// is not finalized, for some rank may still be at work.
    fn close(&mut self) -> Result<()> {
        if mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        self.settle(Instant::now() + self.config.close_timeout)?;
        self.release()
    }
}

impl Drop for MpiTransport {
    fn drop(&mut self) {
        // Requests under way may write to the buffers posted, at any time later.
        if !self.expected.is_empty() {
            mem::forget(mem::take(&mut self.posted));
        }
    }
}
