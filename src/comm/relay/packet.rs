//! Pure: how a session and the cluster send frames and pieces of values over one byte stream.
//!
//! A packet is a header of [`Header::BYTES`] bytes and a payload. Nothing is allocated because a length says so:
//! whoever reads a header checks it first ([`Header::read`]).

use crate::{comm::BodyTag, rank::Rank};

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A whole frame.
    Frame = 1,
    /// The next bytes of a body.
    Piece = 2,
    /// The receiver of a body has taken so many bytes of it.
    Credit = 3,
    /// The sender ends the connection; the payload says why.
    End = 4,
    /// Asks for a sign of life, and answers.
    Ping = 5,
    /// See `Ping`.
    Pong = 6,
    /// So many numbered packets have come, all together.
    Ack = 7,
    /// How many milliseconds the session may be without a connection.
    Grace = 8,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        use Kind::*;
        [Frame, Piece, Credit, End, Ping, Pong, Ack, Grace].into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Whether it is numbered, so that it is sent again where a connection has broken.
    pub fn is_numbered(self) -> bool {
        matches!(self, Self::Frame | Self::Piece | Self::Credit)
    }

    /// The maximum length of its payload, in bytes.
    pub fn bytes_max(self) -> usize {
        match self {
            Self::Frame => FRAME_BYTES_MAX,
            Self::Piece => PIECE_BYTES_MAX,
            Self::Credit | Self::Grace => size_of::<u32>(),
            Self::Ack => size_of::<u64>(),
            Self::End => 4096,
            Self::Ping | Self::Pong => 0,
        }
    }
}

/// Maximum length of a frame of a session, in bytes.
pub const FRAME_BYTES_MAX: usize = 1 << 30;
/// Length of the pieces of a body, in bytes.
pub const PIECE_BYTES_MAX: usize = 512 << 10;

/// The head of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// The tag of the body, for pieces and credits.
    pub tag: BodyTag,
    /// The rank it goes to, on the way from a session; the rank it comes from, on the way to one.
    pub peer: Rank,
    /// The length of the payload, in bytes.
    pub length: u32,
}

impl Header {
    /// Its length on the stream, in bytes.
    pub const BYTES: usize = 12;

    /// As it is sent.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = self.kind as u8;
        bytes[2..4].copy_from_slice(&self.tag.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.peer.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn read(bytes: [u8; Self::BYTES]) -> Result<Self, String> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let kind = Kind::of(bytes[0]).filter(|_| bytes[1] == 0);
        let kind = kind.ok_or_else(|| format!("packets of kind {} do not exist", bytes[0]))?;
        let header = Self {
            kind,
            tag: u16::from_le_bytes([bytes[2], bytes[3]]),
            peer: Rank(word(4)),
            length: word(8),
        };
        if header.length as usize > kind.bytes_max() {
            return Err(format!(
                "a packet of {} bytes is longer than {} bytes, the maximum for {kind:?}",
                header.length,
                kind.bytes_max()
            ));
        }
        Ok(header)
    }
}

/// What the ranks of a serving cluster append to each frame, so that rank 1 can pass frames on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// What the frame is; nothing for a frame of the rank that sends it, to the rank that receives it.
    pub relayed: Option<(Kind, BodyTag, Rank)>,
}

impl Trailer {
    const BYTES: usize = 7;

    /// Appends it to a frame.
    pub fn seal(self, frame: &mut Vec<u8>) {
        let (kind, tag, peer) =
            self.relayed.map_or((0, 0, Rank(0)), |(kind, tag, peer)| (kind as u8, tag, peer));
        frame.extend_from_slice(&tag.to_le_bytes());
        frame.extend_from_slice(&peer.0.to_le_bytes());
        frame.push(kind);
    }

    /// Takes it off a frame, if there is one.
    pub fn open(frame: &mut Vec<u8>) -> Option<Self> {
        let at = frame.len().checked_sub(Self::BYTES)?;
        let bytes: [u8; Self::BYTES] = frame[at..].try_into().ok()?;
        frame.truncate(at);
        let tag = u16::from_le_bytes([bytes[0], bytes[1]]);
        let peer = Rank(u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]));
        let relayed = match bytes[6] {
            0 => None,
            kind => Some((Kind::of(kind)?, tag, peer)),
        };
        Some(Self { relayed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_were_written_and_lengths_are_checked() {
        let header = Header { kind: Kind::Piece, tag: 7, peer: Rank(70_000), length: 1000 };
        assert_eq!(Header::read(header.to_bytes()), Ok(header));
        let long = Header { length: u32::MAX, ..header };
        assert!(Header::read(long.to_bytes()).unwrap_err().contains("longer than"));
        assert!(Header::read([0; Header::BYTES]).is_err() && Header::read([9; Header::BYTES]).is_err());
    }

    #[test]
    fn trailers_come_off_as_they_were_put_on() {
        for relayed in [None, Some((Kind::Credit, 9, Rank(5)))] {
            let mut frame = b"frame".to_vec();
            Trailer { relayed }.seal(&mut frame);
            assert_eq!(Trailer::open(&mut frame), Some(Trailer { relayed }));
            assert_eq!(frame, b"frame");
        }
        assert_eq!(Trailer::open(&mut vec![1, 2]), None);
    }
}
