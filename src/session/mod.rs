//! Sessions: programs without MPI that connect to a cluster, and how the two find and trust each other.
//!
//! - [`handshake`]: pure. - [`file`]: connection files. - [`door`]: where the cluster listens.
//!
//! What travels once they do is [`comm::relay`](crate::comm::relay)'s.

mod allowance;
pub(crate) mod door;
pub(crate) mod file;
pub(crate) mod handshake;

use crate::{
    comm::relay::{Key, link::Unconnected, stream::Stream},
    error::{Error, Result},
    files,
    host::machine,
    rank::Rank,
};
use file::Connection;
use handshake::{ANSWER_BYTES, CHALLENGE_BYTES, Identity, Purpose, SessionSide, Verdict};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, Instant},
};

/// How long a cluster may take to answer a session.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The maximum length of what a session is told at the start, in bytes.
const WELCOME_BYTES_MAX: usize = 64 << 20;

/// What ends a cluster, said by somebody who may control it.
const STOP: [u8; 1] = [1];

/// How a cluster serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Serve {
    /// The connection file, where it is not the default one.
    pub file: Option<PathBuf>,
    /// The port at 127.0.0.1, if it listens there, too; 0 for any.
    pub port: Option<u16>,
}

impl FromStr for Serve {
    type Err = Error;

    /// Reads words such as `1`, `tcp`, `tcp:9000` and the path of a file, with commas between them.
    fn from_str(text: &str) -> Result<Self> {
        let mut serve = Self::default();
        for word in text.split(',').map(str::trim) {
            match word.split_once(':') {
                _ if matches!(word, "" | "1" | "true" | "yes") => {}
                None if word == "tcp" => serve.port = Some(0),
                Some(("tcp", port)) => {
                    let wrong = || Error::Option(format!("{word:?} is not a port, such as tcp:9000"));
                    serve.port = Some(port.parse().map_err(|_| wrong())?);
                }
                _ => serve.file = Some(word.into()),
            }
        }
        Ok(serve)
    }
}

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::World(format!("no random bytes can be had: {error}")))?;
    Ok(bytes)
}

/// Fills a buffer until a deadline.
fn read_within(stream: &Stream, mut bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_timeouts(Some(left), Some(left))?;
        let mut source = stream;
        match source.read(bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes = &mut bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the process at the other end of a Unix socket is this user's. Of a port that is not known: there the
/// token alone counts.
fn is_own_user(stream: &Stream) -> bool {
    let Stream::Unix(stream) = stream else { return true };
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid.as_raw() == files::user())
}

/// A connection to a cluster.
pub(crate) struct Connected {
    pub stream: Stream,
    /// What stands in its file.
    pub connection: Connection,
    /// What the session proves itself with when it connects again.
    pub key: Key,
    /// What the cluster says to a session.
    pub welcome: Vec<u8>,
}

/// Connects to a cluster: that of a connection file, or the newest one of this program.
///
/// # Errors
///
/// If there is none, or it does not let this program in; in one line that says what to do.
pub(crate) fn connect(file: Option<&Path>, own: &Identity) -> Result<Connected> {
    let (path, connection) = match file {
        Some(file) => file::named(file)?,
        None => file::newest(&format!("{:016x}", own.build))?,
    };
    let trouble = |error: io::Error| {
        let (host, own_host) = (&connection.host, machine::host_name());
        let remedy = match *host == own_host {
            true => format!("it may have ended: remove {} then, or start it again", path.display()),
            false => format!("from this host ({own_host}) it is reached through: {}", connection.tunnel()),
        };
        Error::World(format!(
            "cannot connect to the cluster {} on {host}: {error}: {remedy}",
            connection.name
        ))
    };
    let stream = open(&connection).map_err(trouble)?;
    introduce(&stream, &connection, own, Purpose::Session, trouble)?;
    let mut key = Key::default();
    read_within(&stream, &mut key, Instant::now() + ANSWER_TIMEOUT).map_err(trouble)?;
    let welcome = read_welcome(&stream, trouble)?;
    Ok(Connected { stream, connection, key, welcome })
}

/// What a session sends that connects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resumption {
    pub rank: Rank,
    pub key: Key,
    /// How many packets it has.
    pub received: u64,
}

impl Resumption {
    const BYTES: usize = 28;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.rank.0.to_le_bytes());
        bytes[4..20].copy_from_slice(&self.key);
        bytes[20..].copy_from_slice(&self.received.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let (mut key, mut received) = (Key::default(), [0; 8]);
        key.copy_from_slice(&bytes[4..20]);
        received.copy_from_slice(&bytes[20..]);
        let rank = Rank(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        Self { rank, key, received: u64::from_le_bytes(received) }
    }
}

/// Connects again. Returns the stream, and how many packets the cluster has.
///
/// # Errors
///
/// Whether it may be possible later.
pub(crate) fn resume(
    connection: &Connection,
    own: &Identity,
    resumption: Resumption,
) -> Result<(Stream, u64), Unconnected> {
    if is_gone(connection) {
        return Err(Unconnected::Forever("the cluster has ended".into()));
    }
    let yet = |error: io::Error| Unconnected::Yet(error.to_string());
    let trouble = |error: io::Error| Error::World(error.to_string());
    let stream = open(connection).map_err(yet)?;
    introduce(&stream, connection, own, Purpose::Resume, trouble)
        .map_err(|error| Unconnected::Yet(error.to_string()))?;
    let mut writer = &stream;
    writer.write_all(&resumption.to_bytes()).map_err(yet)?;
    let mut answer = [0; 9];
    read_within(&stream, &mut answer, Instant::now() + ANSWER_TIMEOUT).map_err(yet)?;
    let [is_known, received @ ..] = answer;
    match is_known {
        1 => Ok((stream, u64::from_le_bytes(received))),
        _ => Err(Unconnected::Forever("the cluster does not know this session any more".into())),
    }
}

/// Asks a cluster how many sessions it has, and ends it if that is asked for.
///
/// # Errors
///
/// The system's, if it cannot be reached from here.
pub(crate) fn control(connection: &Connection, stop: bool) -> Result<u32> {
    let own = Identity { build: 0, version: env!("CARGO_PKG_VERSION").into() };
    let trouble = |error: io::Error| {
        Error::World(format!("cannot reach the cluster {} on {}: {error}", connection.name, connection.host))
    };
    let stream = open(connection).map_err(trouble)?;
    introduce(&stream, connection, &own, Purpose::Control, trouble)?;
    let mut sessions = [0; 4];
    read_within(&stream, &mut sessions, Instant::now() + ANSWER_TIMEOUT).map_err(trouble)?;
    let mut writer = &stream;
    writer.write_all(if stop { &STOP } else { &[0] }).map_err(trouble)?;
    Ok(u32::from_le_bytes(sessions))
}

/// Whether nothing listens at the socket and the port of a cluster, though it should be here.
pub(crate) fn is_gone(connection: &Connection) -> bool {
    let is_closed =
        |error: io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
    connection.host == machine::host_name()
        && UnixStream::connect(&connection.socket).is_err_and(is_closed)
        && connection
            .port
            .is_none_or(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err_and(is_closed))
}

fn open(connection: &Connection) -> io::Result<Stream> {
    match UnixStream::connect(&connection.socket) {
        Ok(stream) => Ok(Stream::Unix(stream)),
        Err(error) => match connection.port {
            Some(port) => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map(Stream::Tcp),
            None => Err(error),
        },
    }
}

/// Proves to a cluster that this program knows its token, and finds out that the cluster does.
fn introduce(
    stream: &Stream,
    connection: &Connection,
    own: &Identity,
    purpose: Purpose,
    trouble: impl Fn(io::Error) -> Error,
) -> Result<()> {
    if !is_own_user(stream) {
        return Err(trouble(io::Error::other("the socket is another user's")));
    }
    let token = connection.token().ok_or_else(|| trouble(io::Error::other("its file has no token")))?;
    let side = SessionSide::new(token, own, random()?, purpose);
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let (mut writer, mut challenge) = (stream, [0; CHALLENGE_BYTES]);
    writer.write_all(side.hello()).map_err(&trouble)?;
    read_within(stream, &mut challenge, deadline).map_err(&trouble)?;
    let (answer, cluster): ([u8; ANSWER_BYTES], Identity) =
        side.answer(&challenge).map_err(|words| trouble(io::Error::other(words)))?;
    writer.write_all(&answer).map_err(&trouble)?;
    let mut verdict = [0];
    read_within(stream, &mut verdict, deadline).map_err(&trouble)?;
    let refused = |words: &str| Err(trouble(io::Error::other(words)));
    match Verdict::of(verdict[0]) {
        Some(Verdict::Welcome) => Ok(()),
        Some(Verdict::WrongBuild) => Err(Error::World(format!(
            "this program ({own}) is not that of the cluster ({cluster}): start both from the same executable"
        ))),
        Some(Verdict::Full) => refused("it has as many sessions as it can have"),
        Some(Verdict::WrongToken) | None => refused("it does not accept the token"),
    }
}

/// Reads what a session is told.
fn read_welcome(stream: &Stream, trouble: impl Fn(io::Error) -> Error) -> Result<Vec<u8>> {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let mut length = [0; 4];
    read_within(stream, &mut length, deadline).map_err(&trouble)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > WELCOME_BYTES_MAX {
        return Err(trouble(io::Error::other("its answer is too long")));
    }
    let mut welcome = vec![0; length];
    read_within(stream, &mut welcome, deadline).map_err(&trouble)?;
    stream.set_timeouts(None, None).map_err(&trouble)?;
    Ok(welcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_sends_that_connects_again_is_read_as_it_was_written() {
        let resumption = Resumption { rank: Rank(70_000), key: [9; 16], received: u64::MAX - 3 };
        assert_eq!(Resumption::from_bytes(resumption.to_bytes()), resumption);
    }

    #[test]
    fn how_a_cluster_serves_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<Serve>().unwrap();
        assert_eq!(read("1"), Serve::default());
        assert_eq!(read("tcp"), Serve { port: Some(0), file: None });
        assert_eq!(read("tcp:9000,run.json"), Serve { port: Some(9000), file: Some("run.json".into()) });
        assert!("tcp:many".parse::<Serve>().is_err());
    }
}
