//! Transports: how messages and values are sent between ranks.
//!
//! A [`Transport`] carries two kinds of things. *Frames* are control messages, small or large, that
//! arrive whole and unasked. *Bodies* are the bytes of one value: the receiver makes room first
//! ([`Transport::post`]), tells the sender by a frame, and the sender sends the value's own memory.
//! So no body is copied on the way but by the transport itself.
//!
//! This module knows bytes and ranks. It does not know what a message or a value is.

pub mod bell;
pub mod buffer;
pub mod launcher;
#[cfg(feature = "mpi")]
pub mod mpi;
pub mod processes;
pub mod relay;
#[cfg(feature = "testing")]
pub mod simulated;
pub mod threads;

use crate::{Result, rank::Rank};
pub use bell::Bells;
pub use buffer::{Body, Buffer};
use std::sync::Arc;

/// Tells apart the bodies that one rank is waiting for. The receiver chooses it.
pub type BodyTag = u16;

/// Something that came in.
#[derive(Debug)]
pub enum Arrival {
    /// A control message.
    Frame {
        /// Who sent it.
        source: Rank,
        /// What was sent.
        control: Vec<u8>,
    },
    /// The body that was posted with this tag has arrived in its buffer.
    Body {
        /// Who sent it.
        source: Rank,
        /// The tag it was posted with.
        tag: BodyTag,
        /// The posted buffer, now full.
        buffer: Buffer,
    },
}

/// Carries frames and bodies between the ranks of one run.
///
/// - From one rank to another, frames arrive once, whole, and in the order sent.
/// - Between different senders no order is promised, nor between a frame and a body.
/// - `send`, `post`, `send_body` and `poll` never block.
/// - A rank does not send to itself: the runtime delivers such messages without a transport.
///
/// A transport is used by one thread at a time, not always by the same one, unless
/// [`Transport::main_thread_only`] says so.
pub trait Transport: Send {
    /// This rank.
    fn rank(&self) -> Rank;

    /// How many ranks there are.
    fn size(&self) -> u32;

    /// The first of the ranks that share this one's memory: those of a node have the same.
    fn node(&self) -> Rank;

    /// What carries the bytes, for people: the MPI library, say.
    fn name(&self) -> String;

    /// Sends a control message.
    fn send(&mut self, target: Rank, control: Vec<u8>) -> Result<()>;

    /// Makes room for a body that `source` will send with this tag, once it is asked to.
    ///
    /// A tag may be posted again for the same source only after its body has arrived, or was withdrawn.
    fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) -> Result<()>;

    /// Frees the buffer that was posted for a body which `source` has said it will not send.
    fn withdraw(&mut self, source: Rank, tag: BodyTag) -> Result<()>;

    /// Sends a body that `target` has posted. The bytes are kept alive until they have left.
    fn send_body(&mut self, target: Rank, tag: BodyTag, body: Body) -> Result<()>;

    /// Takes the next thing that has come in, and moves along what is under way.
    fn poll(&mut self) -> Result<Option<Arrival>>;

    /// A rank is lost: nothing is sent to it any more, and what is under way to it or posted for it is given
    /// up, with its memory. What it has sent may still arrive.
    fn lose(&mut self, rank: Rank);

    /// Whether something sent or posted is not complete, so that `poll` must be called soon.
    fn is_busy(&self) -> bool;

    /// Ends the connection of a session, if this rank has it, and tells the session why.
    fn dismiss(&mut self, _session: Rank, _reason: &str) {}

    /// What a thread of this rank sleeps on, and how other ranks wake it.
    fn bells(&self) -> Arc<Bells>;

    /// Whether only the thread that made the transport may use it.
    fn main_thread_only(&self) -> bool {
        false
    }

    /// Gives every rank's bytes to every rank, in rank order. Collective; blocks, asleep.
    fn all_gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>>;

    /// Waits until what was sent has left and every rank has come here. Collective; blocks, asleep.
    fn close(&mut self) -> Result<()>;

    /// Ends all ranks of the run at once.
    fn abort(&mut self, code: i32) -> !;
}
