//! Pure: what is to be written on a connection, and what is kept until the other side has confirmed it.
//!
//! Frames, pieces and credits are numbered in the order in which they are sent. Each side confirms how many of them it
//! has; when a connection is made anew, the sender goes back to the first one that the other side lacks.

use super::packet::Kind;
use crate::{
    comm::{Body, BodyTag},
    rank::Rank,
};
use std::{collections::VecDeque, ops::Range, sync::Arc};

/// What a packet carries.
#[derive(Debug)]
pub enum Payload {
    /// Bytes of its own.
    Bytes(Vec<u8>),
    /// A part of a value, which stays where it is until it is written.
    Part(Body, Range<usize>),
}

impl Payload {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Part(body, range) => &body.as_slice()[range.clone()],
        }
    }

    /// The bytes, copied if they are a value's.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Part(body, range) => body.as_slice()[range].to_vec(),
        }
    }
}

/// A packet to be sent.
#[derive(Debug)]
pub struct Packet {
    /// What it is.
    pub kind: Kind,
    /// See [`Header::tag`].
    pub tag: BodyTag,
    /// See [`Header::peer`].
    pub peer: Rank,
    /// What it carries.
    pub payload: Payload,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What is numbered and not confirmed, in order.
    packets: VecDeque<Arc<Packet>>,
    /// The number of the first of these.
    first: u64,
    /// How many of them were taken since the connection was made.
    taken: usize,
    /// How many bytes the others have.
    waiting_bytes: usize,
    /// What is not numbered, to be written after what is.
    unnumbered: Vec<Arc<Packet>>,
}

impl Outbox {
    /// Adds a packet. Returns how many bytes wait to be taken.
    pub fn push(&mut self, packet: Packet) -> usize {
        if packet.kind.is_numbered() {
            self.waiting_bytes += packet.payload.as_slice().len();
            self.packets.push_back(Arc::new(packet));
        } else {
            self.unnumbered.push(Arc::new(packet));
        }
        self.waiting_bytes
    }

    /// Whether there is nothing to take.
    pub fn is_idle(&self) -> bool {
        self.taken == self.packets.len() && self.unnumbered.is_empty()
    }

    /// Whether the other side has all that was sent.
    pub fn is_confirmed(&self) -> bool {
        self.packets.is_empty()
    }

    /// Takes all that is to be written.
    pub fn take(&mut self) -> Vec<Arc<Packet>> {
        let mut packets: Vec<Arc<Packet>> = self.packets.range(self.taken..).cloned().collect();
        self.taken = self.packets.len();
        self.waiting_bytes = 0;
        packets.append(&mut self.unnumbered);
        packets
    }

    /// The other side has so many packets, all together.
    pub fn confirm(&mut self, count: u64) {
        while self.first < count && self.taken > 0 {
            self.packets.pop_front();
            self.first += 1;
            self.taken -= 1;
        }
    }

    /// The connection was made anew, and the other side has so many packets. Returns whether the others are here.
    pub fn rewind(&mut self, count: u64) -> bool {
        self.confirm(count);
        let is_possible = self.first == count;
        self.taken = 0;
        self.waiting_bytes = self.packets.iter().map(|packet| packet.payload.as_slice().len()).sum();
        // These were for the connection before.
        self.unnumbered.retain(|packet| packet.kind == Kind::End);
        is_possible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: Kind, byte: u8) -> Packet {
        Packet { kind, tag: 0, peer: Rank(0), payload: Payload::Bytes(vec![byte]) }
    }

    fn bytes(packets: Vec<Arc<Packet>>) -> Vec<u8> {
        packets.iter().map(|packet| packet.payload.as_slice()[0]).collect()
    }

    #[test]
    fn what_was_not_confirmed_is_written_again_on_a_new_connection() {
        let mut outbox = Outbox::default();
        for byte in 0..4 {
            outbox.push(packet(Kind::Frame, byte));
        }
        outbox.push(packet(Kind::Ping, 90));
        assert_eq!(bytes(outbox.take()), [0, 1, 2, 3, 90]);
        assert!(outbox.is_idle());
        assert_eq!(outbox.push(packet(Kind::Piece, 4)), 1);
        outbox.confirm(2);
        // The other side has three: one was confirmed no more.
        assert!(outbox.rewind(3));
        assert_eq!(bytes(outbox.take()), [3, 4]);
        outbox.confirm(5);
        assert!(outbox.rewind(5) && outbox.is_idle());
        outbox.push(packet(Kind::Credit, 5));
        assert_eq!(bytes(outbox.take()), [5]);
    }

    #[test]
    fn confirmations_of_what_was_not_sent_are_ignored_and_impossible_ones_refused() {
        let mut outbox = Outbox::default();
        for byte in 0..3 {
            outbox.push(packet(Kind::Frame, byte));
        }
        outbox.confirm(3);
        assert_eq!(bytes(outbox.take()), [0, 1, 2], "they were not even written");
        outbox.confirm(1);
        assert!(!outbox.rewind(0), "the first one is gone");
        let mut outbox = Outbox::default();
        assert!(!outbox.rewind(1), "there was none");
    }
}
