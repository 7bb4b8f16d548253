//! The transport of a session: all goes over its connection to the cluster's rank 1.

use super::{
    link::{Event, Inbox, Link, Reconnect, SILENCE_MAX},
    outbox::{Packet, Payload},
    packet::{FRAME_BYTES_MAX, Kind},
    pieces::Pieces,
    stream::Stream,
};
use crate::{
    comm::{Arrival, Bells, Body, BodyTag, Buffer, Transport, bell::Bell},
    error::{Error, Result},
    rank::Rank,
};
use std::{ops::Range, sync::Arc, time::Duration};

/// How long a session waits at its end until it has written that it ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What a session knows of its cluster.
#[derive(Clone, Debug)]
pub struct SessionEnd {
    /// The rank of the session, beyond those of the cluster.
    pub rank: Rank,
    /// The number of ranks of the cluster.
    pub size: u32,
    /// The name of the host on which the cluster listens.
    pub host: String,
}

/// See the module.
#[derive(Debug)]
pub struct SessionTransport {
    end: SessionEnd,
    link: Arc<Link>,
    inbox: Arc<Inbox>,
    bells: Arc<Bells>,
    pieces: Pieces,
}

impl SessionTransport {
    /// Of a stream on which both sides know each other. When it breaks, `reconnect` makes a new one within the grace
    /// time.
    ///
    /// # Errors
    ///
    /// The system's, if threads cannot be started.
    pub fn new(
        stream: Stream,
        end: SessionEnd,
        grace: Duration,
        reconnect: Box<Reconnect>,
    ) -> std::io::Result<Self> {
        let bell = Box::new(Bell::default());
        let address = &raw const *bell;
        // SAFETY: the bell is kept by the box that `Bells` keeps, within which it does not move.
        let bells = Arc::new(unsafe { Bells::new(Rank(0), Box::new([address]), bell) });
        let inbox = Arc::new(Inbox::new(Arc::clone(&bells)));
        let link = Link::new(stream, Some(reconnect))?;
        link.set_grace(grace);
        link.start_writer()?;
        link.start_reader(Rank(1), Arc::clone(&inbox))?;
        Ok(Self { end, link, inbox, bells, pieces: Pieces::default() })
    }

    fn put(&self, kind: Kind, tag: BodyTag, peer: Rank, payload: Payload) {
        self.link.send(Packet { kind, tag, peer, payload });
    }

    fn send_pieces(&self, target: Rank, tag: BodyTag, pieces: Vec<(Body, Range<usize>)>) {
        for (body, range) in pieces {
            self.put(Kind::Piece, tag, target, Payload::Part(body, range));
        }
    }
}

impl Transport for SessionTransport {
    fn rank(&self) -> Rank {
        self.end.rank
    }

    fn size(&self) -> u32 {
        self.end.size
    }

    fn node(&self) -> Rank {
        self.end.rank
    }

    fn name(&self) -> String {
        "session".into()
    }

    fn send(&mut self, target: Rank, control: Vec<u8>) -> Result<()> {
        if control.len() > FRAME_BYTES_MAX {
            return Err(Error::World(format!(
                "the arguments of calls have {} bytes together, and a session sends at most {FRAME_BYTES_MAX} at a \
                 time: scatter them first, or submit fewer at a time",
                control.len()
            )));
        }
        self.put(Kind::Frame, 0, target, Payload::Bytes(control));
        Ok(())
    }

    fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) -> Result<()> {
        self.pieces.post(source, tag, buffer);
        Ok(())
    }

    fn withdraw(&mut self, source: Rank, tag: BodyTag) -> Result<()> {
        self.pieces.withdraw(source, tag);
        Ok(())
    }

    fn send_body(&mut self, target: Rank, tag: BodyTag, body: Body) -> Result<()> {
        let pieces = self.pieces.send(target, tag, body);
        self.send_pieces(target, tag, pieces);
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<Arrival>> {
        while let Some((_, event)) = self.inbox.take() {
            let (header, payload) = match event {
                Event::Packet(header, payload) => (header, payload),
                Event::Ended(Ok(reason)) => return Err(Error::World(reason)),
                Event::Ended(Err(reason)) => {
                    return Err(Error::World(format!(
                        "the connection to the cluster on {} is lost: {reason}",
                        self.end.host
                    )));
                }
            };
            self.link.taken(payload.len());
            let (source, tag) = (header.peer, header.tag);
            match header.kind {
                Kind::Frame => return Ok(Some(Arrival::Frame { source, control: payload })),
                Kind::Credit => {
                    let bytes = payload.try_into().map_or(0, u32::from_le_bytes);
                    let pieces = self.pieces.credit(source, tag, bytes);
                    self.send_pieces(source, tag, pieces);
                }
                Kind::Piece => {
                    let taken = self.pieces.take(source, tag, &payload);
                    if let Some(bytes) = taken.credit {
                        self.put(Kind::Credit, tag, source, Payload::Bytes(bytes.to_le_bytes().into()));
                    }
                    if let Some(buffer) = taken.arrived {
                        return Ok(Some(Arrival::Body { source, tag, buffer }));
                    }
                }
                Kind::End | Kind::Ping | Kind::Pong | Kind::Ack | Kind::Grace => {}
            }
        }
        Ok(None)
    }

    fn lose(&mut self, rank: Rank) {
        self.pieces.lose(rank);
    }

    fn is_busy(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn bells(&self) -> Arc<Bells> {
        Arc::clone(&self.bells)
    }

    fn all_gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        // A session is alone: what ranks agree on at the start, it is told.
        Ok(vec![bytes])
    }

    fn close(&mut self) -> Result<()> {
        let is_heard = self.link.settle(SILENCE_MAX);
        self.put(Kind::End, 0, Rank(0), Payload::Bytes(b"the session has ended".to_vec()));
        self.link.flush(FLUSH_TIMEOUT);
        self.link.close();
        if is_heard {
            return Ok(());
        }
        Err(Error::World(format!(
            "the cluster on {} has not confirmed in {SILENCE_MAX:?} what this session sent last: see whether it hangs",
            self.end.host
        )))
    }

    fn abort(&mut self, code: i32) -> ! {
        self.link.close();
        std::process::exit(code)
    }
}
