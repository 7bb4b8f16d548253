//! Puts the frames of each sender together again, in the order sent.
//!
//! A frame may be cut into pieces, and a large piece may still be arriving when a later small one is
//! here already. Pure: knows bytes and ranks, not MPI.

use crate::rank::Rank;
use std::{collections::VecDeque, mem};

/// One piece of a frame.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// Whether the frame ends here.
    pub(super) last: bool,
}

/// The place of a piece among those that its sender sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) source: Rank,
    number: u64,
}

/// What one rank has sent and is not delivered.
#[derive(Debug, Default)]
struct Stream {
    /// The pieces from the first that is not here.
    pieces: VecDeque<Option<Piece>>,
    /// The number of the first of `pieces`.
    first: u64,
    /// The beginning of a frame whose end is not here.
    beginning: Vec<u8>,
}

/// What all ranks have sent.
#[derive(Debug)]
pub(super) struct Streams(Box<[Stream]>);

impl Streams {
    pub(super) fn new(ranks: u32) -> Self {
        Self((0..ranks).map(|_| Stream::default()).collect())
    }

    /// Makes room for the next piece from a rank.
    pub(super) fn expect(&mut self, source: Rank) -> Place {
        let stream = &mut self.0[source.index()];
        stream.pieces.push_back(None);
        Place { source, number: stream.first + stream.pieces.len() as u64 - 1 }
    }

    /// Puts a piece in its place and hands out the frames that are whole now.
    pub(super) fn fill(&mut self, place: Place, piece: Piece, mut deliver: impl FnMut(Rank, Vec<u8>)) {
        let stream = &mut self.0[place.source.index()];
        stream.pieces[(place.number - stream.first) as usize] = Some(piece);
        while let Some(piece) = stream.pieces.front_mut().and_then(Option::take) {
            stream.pieces.pop_front();
            stream.first += 1;
            if let Some(frame) = stream.join(piece) {
                deliver(place.source, frame);
            }
        }
    }
}

impl Stream {
    /// Adds a piece to the frame, and returns the frame if it is whole.
    fn join(&mut self, piece: Piece) -> Option<Vec<u8>> {
        if self.beginning.is_empty() {
            self.beginning = piece.bytes;
        } else {
            self.beginning.extend_from_slice(&piece.bytes);
        }
        piece.last.then(|| mem::take(&mut self.beginning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &[u8], last: bool) -> Piece {
        Piece { bytes: bytes.to_vec(), last }
    }

    #[test]
    fn pieces_that_come_in_disorder_leave_in_order() {
        let mut streams = Streams::new(2);
        let mut frames = vec![];
        let places = [(); 4].map(|()| streams.expect(Rank(1)));
        let mut deliver = |source: Rank, frame: Vec<u8>| frames.push((source.0, frame));
        streams.fill(places[3], piece(b"", true), &mut deliver);
        streams.fill(places[1], piece(b"cd", true), &mut deliver);
        streams.fill(places[0], piece(b"ab", false), &mut deliver);
        streams.fill(places[2], piece(b"ef", true), &mut deliver);
        let other = streams.expect(Rank(0));
        streams.fill(other, piece(b"x", true), &mut deliver);
        let expected = [(1, &b"abcd"[..]), (1, b"ef"), (1, b""), (0, b"x")];
        assert_eq!(frames, expected.map(|(source, frame)| (source, frame.to_vec())));
    }
}
