//! Pure: bodies that travel in pieces, a bounded number of bytes at a time.
//!
//! The sender of a body is at most [`WINDOW_BYTES`] ahead of what the receiver has taken, which the receiver tells
//! it ([`Taken::credit`]). So what lies between them is bounded, however slow the receiver is.

use super::packet::PIECE_BYTES_MAX;
use crate::{
    comm::{Body, BodyTag, Buffer},
    rank::Rank,
};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// The maximum number of bytes of one body that its receiver has not taken.
pub const WINDOW_BYTES: usize = 4 << 20;

/// The bodies that one rank sends and receives in pieces.
#[derive(Debug, Default)]
pub struct Pieces {
    outgoing: FxHashMap<(Rank, BodyTag), Outgoing>,
    incoming: FxHashMap<(Rank, BodyTag), Incoming>,
}

#[derive(Debug)]
struct Outgoing {
    body: Body,
    sent: usize,
    taken: usize,
}

#[derive(Debug)]
struct Incoming {
    buffer: Buffer,
    received: usize,
}

/// What a received piece leads to.
#[derive(Debug, Default)]
pub struct Taken {
    /// The number of bytes to tell the sender, if it waits for that.
    pub credit: Option<u32>,
    /// The body, once all of it has come.
    pub arrived: Option<Buffer>,
}

impl Pieces {
    /// Begins to send a body. Returns what is sent at once.
    pub fn send(&mut self, target: Rank, tag: BodyTag, body: Body) -> Vec<(Body, Range<usize>)> {
        let outgoing = Outgoing { body, sent: 0, taken: 0 };
        self.outgoing.insert((target, tag), outgoing);
        self.next(target, tag)
    }

    /// The receiver has taken so many more bytes. Returns what is sent then.
    pub fn credit(&mut self, target: Rank, tag: BodyTag, bytes: u32) -> Vec<(Body, Range<usize>)> {
        let Some(outgoing) = self.outgoing.get_mut(&(target, tag)) else { return Vec::new() };
        outgoing.taken = outgoing.taken.saturating_add(bytes as usize).min(outgoing.sent);
        self.next(target, tag)
    }

    fn next(&mut self, target: Rank, tag: BodyTag) -> Vec<(Body, Range<usize>)> {
        let Some(outgoing) = self.outgoing.get_mut(&(target, tag)) else { return Vec::new() };
        let (length, mut pieces) = (outgoing.body.as_slice().len(), Vec::new());
        let end = length.min(outgoing.taken + WINDOW_BYTES);
        while outgoing.sent < end {
            let piece = outgoing.sent..end.min(outgoing.sent + PIECE_BYTES_MAX);
            outgoing.sent = piece.end;
            pieces.push((outgoing.body.clone(), piece));
        }
        if length == 0 {
            pieces.push((outgoing.body.clone(), 0..0));
        }
        if outgoing.sent == length {
            self.outgoing.remove(&(target, tag));
        }
        pieces
    }

    /// Makes room for a body.
    pub fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) {
        self.incoming.insert((source, tag), Incoming { buffer, received: 0 });
    }

    /// Frees the room for a body that does not come.
    pub fn withdraw(&mut self, source: Rank, tag: BodyTag) {
        self.incoming.remove(&(source, tag));
    }

    /// Takes the next piece of a body. One that nobody waits for, or that is too long, is ignored.
    pub fn take(&mut self, source: Rank, tag: BodyTag, bytes: &[u8]) -> Taken {
        let Some(incoming) = self.incoming.get_mut(&(source, tag)) else { return Taken::default() };
        if !incoming.buffer.append(bytes) {
            return Taken::default();
        }
        let before = incoming.received;
        incoming.received += bytes.len();
        if incoming.buffer.is_filled() {
            let arrived = self.incoming.remove(&(source, tag)).map(|incoming| incoming.buffer);
            return Taken { arrived, ..Taken::default() };
        }
        // Only credit without which the sender could not go on: so none is under way when the tag is used again.
        let is_awaited = before + WINDOW_BYTES < incoming.buffer.length();
        Taken { credit: is_awaited.then_some(bytes.len() as u32), arrived: None }
    }

    /// A rank has gone: nothing goes there or comes from there.
    pub fn lose(&mut self, rank: Rank) {
        self.outgoing.retain(|(target, _), _| *target != rank);
        self.incoming.retain(|(source, _), _| *source != rank);
    }

    /// Whether no body is under way.
    pub fn is_empty(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn body(length: usize) -> Body {
        let bytes: Vec<u8> = (0..length).map(|at| (at / 1000 % 251) as u8).collect();
        Body::of(Arc::new(bytes), 1, Vec::as_slice)
    }

    /// Sends a body; returns what came, and the most bytes that were under way.
    fn transfer(length: usize) -> (Buffer, usize) {
        let (mut sender, mut receiver) = (Pieces::default(), Pieces::default());
        let (ahead, behind) = (Rank(9), Rank(2));
        receiver.post(behind, 3, Buffer::unfilled(length, 1));
        let mut under_way: std::collections::VecDeque<_> = sender.send(ahead, 3, body(length)).into();
        let mut most = 0;
        loop {
            most = most.max(under_way.iter().map(|(_, range)| range.len()).sum());
            let (body, range) = under_way.pop_front().expect("the rest comes");
            let taken = receiver.take(behind, 3, &body.as_slice()[range]);
            if let Some(buffer) = taken.arrived {
                assert!(under_way.is_empty() && sender.is_empty() && receiver.is_empty());
                return (buffer, most);
            }
            under_way.extend(taken.credit.iter().flat_map(|credit| sender.credit(ahead, 3, *credit)));
        }
    }

    #[test]
    fn bodies_of_any_length_arrive_and_little_is_under_way() {
        for length in [0, 1, PIECE_BYTES_MAX, WINDOW_BYTES, WINDOW_BYTES + 1, 3 * WINDOW_BYTES + 77] {
            let (buffer, most) = transfer(length);
            assert_eq!(buffer.as_slice(), body(length).as_slice());
            assert!(most <= WINDOW_BYTES, "{most} bytes are under way");
        }
    }

    #[test]
    fn pieces_nobody_waits_for_and_too_long_ones_are_ignored() {
        let mut pieces = Pieces::default();
        assert!(pieces.take(Rank(2), 0, b"x").arrived.is_none());
        pieces.post(Rank(2), 0, Buffer::unfilled(1, 1));
        assert!(pieces.take(Rank(2), 0, b"xy").arrived.is_none());
        pieces.lose(Rank(2));
        assert!(pieces.is_empty());
        assert!(pieces.credit(Rank(2), 0, u32::MAX).is_empty());
    }
}
