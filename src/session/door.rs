//! Where a cluster listens: a Unix socket of its user and, if asked for, a port of 127.0.0.1.
//!
//! Whoever connects has [`HANDSHAKE_TIMEOUT`] to prove that it knows the token, and costs a thread and a few hundred
//! bytes until then. Of these strangers there are at most [`STRANGERS_MAX`] at a time at the socket, and as many at the
//! port: one more takes the place of the one that has been there longest. So strangers that stay silent keep no session
//! out, and those at the port concern none at the socket. Of connections to the port so many are taken in a second
//! ([`Allowance`]); others wait.

use super::{
    Resumption, STOP, Serve,
    allowance::Allowance,
    file::{self, Connection},
    handshake::{ANSWER_BYTES, ClusterSide, HELLO_BYTES, Identity, Purpose, Token, Verdict},
    random, read_within,
};
use crate::{
    comm::relay::{Gate, Key, link::Link, stream::Stream},
    error::{Error, Result},
    files,
    lock::lock,
    rank::Rank,
};
use socket2::SockRef;
use std::{
    collections::VecDeque,
    fs::{self, Permissions},
    io::{self, Write},
    net::{Ipv4Addr, Shutdown, TcpListener},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a peer may take to prove itself.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many peers may be at it at a time.
const STRANGERS_MAX: usize = 32;
/// How many sessions there may be at a time.
const SESSIONS_MAX: usize = 256;
/// How long sessions may take to be told of the end.
const FAREWELL: Duration = Duration::from_secs(1);
const STACK_BYTES: usize = 256 << 10;

/// Sockets that are bound, before the cluster stands.
#[derive(Debug)]
pub(crate) struct Door {
    unix: UnixListener,
    tcp: Option<TcpListener>,
    socket: PathBuf,
    file: Option<PathBuf>,
}

impl Door {
    /// Listens.
    ///
    /// # Errors
    ///
    /// If that is not possible, and why.
    pub(crate) fn open(serve: &Serve) -> Result<Self> {
        let folder = socket_directory()?;
        let trouble = |path: &Path, error| Error::File {
            message: "cannot listen for sessions".into(),
            path: path.into(),
            source: Arc::new(error),
        };
        sweep(&folder);
        let letters = files::random_letters().map_err(|error| trouble(&folder, error))?;
        let socket = folder.join(format!("{}-{letters}.socket", process::id()));
        let unix = UnixListener::bind(&socket).map_err(|error| trouble(&socket, error))?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))
            .map_err(|error| trouble(&socket, error))?;
        let listen = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let tcp = serve.port.map(listen).transpose().map_err(|error| {
            let port = serve.port.unwrap_or_default();
            Error::World(format!("cannot listen for sessions at 127.0.0.1:{port}: {error}"))
        })?;
        // What is wrong with the place of the file is told before the cluster stands.
        match &serve.file {
            Some(file) => files::whole::check(file).map_err(|error| trouble(file, error))?,
            None => drop(file::make_directory()?),
        }
        Ok(Self { unix, tcp, socket, file: serve.file.clone() })
    }

    /// Lets sessions in, and tells them what `welcome` makes of their rank.
    ///
    /// `connection` is what is known of the cluster; the rest is filled in.
    ///
    /// # Errors
    ///
    /// If the connection file cannot be written, or there can be no threads.
    pub(crate) fn serve(
        self,
        gate: Arc<Gate>,
        own: Identity,
        mut connection: Connection,
        welcome: Box<dyn Fn(Rank) -> Vec<u8> + Send + Sync>,
    ) -> Result<Serving> {
        let token = Token::new(random()?);
        connection.token = token.to_hex();
        connection.socket.clone_from(&self.socket);
        connection.port = match &self.tcp {
            Some(tcp) => Some(tcp.local_addr()?.port()),
            None => None,
        };
        let file = match self.file {
            Some(file) => std::path::absolute(&file).unwrap_or(file),
            None => file::make_directory()?.join(&connection.name).with_extension("json"),
        };
        let shared = Arc::new(Shared { gate, own, token, welcome, is_over: AtomicBool::new(false) });
        let mut serving =
            Serving { shared, unix: Arc::new(self.unix), tcp: self.tcp.map(Arc::new), file, connection };
        serving.start()?;
        serving.connection.write(&serving.file)?;
        Ok(serving)
    }
}

/// The directory of this user's sockets on this host.
fn socket_directory() -> Result<PathBuf> {
    let path = PathBuf::from(format!("/tmp/maniple-{}", files::user()));
    let made = match files::create_private(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => files::check_private(&path),
        made => made,
    };
    made.map_err(|error| Error::File {
        message: "cannot use the directory of sockets".into(),
        path: path.clone(),
        source: Arc::new(error),
    })?;
    Ok(path)
}

/// Removes the sockets of processes of this user that were killed. Returns which.
pub(crate) fn remove_dead_sockets() -> Vec<PathBuf> {
    socket_directory().map(|folder| sweep(&folder)).unwrap_or_default()
}

fn sweep(folder: &Path) -> Vec<PathBuf> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_suffix(".socket")?.split_once('-'));
        let pid = pid.and_then(|(pid, _)| pid.parse::<u32>().ok());
        // The number of a process may be another container's: only what refuses connections is left behind.
        // One that was made just now may not listen yet.
        let age =
            entry.metadata().and_then(|found| found.modified()).map(|at| at.elapsed().unwrap_or_default());
        let is_old = age.is_ok_and(|age| age > HANDSHAKE_TIMEOUT);
        // A process that lives need not be asked; connecting would wait if it were stopped.
        let is_alive = pid.is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists());
        if pid.is_some()
            && !is_alive
            && is_old
            && matches!(std::os::unix::net::UnixStream::connect(entry.path()), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
        {
            removed.extend(fs::remove_file(entry.path()).is_ok().then(|| entry.path()));
        }
    }
    removed
}

struct Shared {
    gate: Arc<Gate>,
    own: Identity,
    token: Token,
    welcome: Box<dyn Fn(Rank) -> Vec<u8> + Send + Sync>,
    is_over: AtomicBool,
}

/// The peers at one listener that have not proven themselves, those that came first first.
#[derive(Debug, Default)]
struct Strangers {
    queue: VecDeque<(u64, Stream)>,
    next: u64,
    /// How many threads there are of them, which may be some more for a moment.
    threads: usize,
}

impl Strangers {
    /// Takes one more in, and turns the first one away if there are too many. Returns its number; `None` if it must be
    /// turned away itself.
    fn enter(&mut self, stream: &Stream) -> Option<u64> {
        if self.threads >= 2 * STRANGERS_MAX {
            return None;
        }
        // It costs a second file descriptor, by which it can be turned away.
        self.queue.push_back((self.next, stream.try_clone().ok()?));
        if self.queue.len() > STRANGERS_MAX
            && let Some((_, first)) = self.queue.pop_front()
        {
            first.shut_down();
        }
        self.threads += 1;
        self.next += 1;
        Some(self.next - 1)
    }

    /// One has proven itself, or has gone.
    fn leave(&mut self, number: u64) {
        self.queue.retain(|(stranger, _)| *stranger != number);
        self.threads -= 1;
    }
}

/// A cluster that sessions can connect to, as long as this lives.
pub(crate) struct Serving {
    shared: Arc<Shared>,
    unix: Arc<UnixListener>,
    tcp: Option<Arc<TcpListener>>,
    file: PathBuf,
    connection: Connection,
}

impl Serving {
    fn start(&mut self) -> Result<()> {
        let unix = Arc::clone(&self.unix);
        let accept = move || unix.accept().map(|(stream, _)| Stream::Unix(stream));
        listen(Arc::clone(&self.shared), accept, None)?;
        if let Some(tcp) = self.tcp.clone() {
            let accept = move || tcp.accept().map(|(stream, _)| Stream::Tcp(stream));
            listen(Arc::clone(&self.shared), accept, Some(Allowance::new(Instant::now())))?;
        }
        Ok(())
    }

    /// Where the connection file is.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What stands in it.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Lets nobody in any more, and tells the sessions why the cluster ends.
    pub(crate) fn close(self, reason: &str) {
        self.stop();
        self.shared.gate.close(reason, FAREWELL);
    }

    fn stop(&self) {
        if self.shared.is_over.swap(true, Ordering::SeqCst) {
            return;
        }
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_file(&self.connection.socket);
        // Wakes the threads that accept.
        let _ = SockRef::from(&*self.unix).shutdown(Shutdown::Both);
        if let Some(tcp) = &self.tcp {
            let _ = SockRef::from(&**tcp).shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a thread that accepts connections, as many as is allowed: whoever likes can reach a port.
fn listen(
    shared: Arc<Shared>,
    accept: impl Fn() -> io::Result<Stream> + Send + 'static,
    mut allowance: Option<Allowance>,
) -> io::Result<()> {
    let strangers = Arc::new(Mutex::new(Strangers::default()));
    let run = move || {
        while !shared.is_over.load(Ordering::SeqCst) {
            match accept() {
                Ok(stream) => {
                    meet(&shared, &strangers, stream);
                    if let Some(allowance) = &mut allowance {
                        thread::sleep(allowance.count(Instant::now()));
                    }
                }
                // There may be too many open files; that may change.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    };
    thread::Builder::new().name("sessions".into()).stack_size(STACK_BYTES).spawn(run).map(drop)
}

/// Has a thread of its own see to a new connection, unless there are too many that have not proven themselves.
fn meet(shared: &Arc<Shared>, strangers: &Arc<Mutex<Strangers>>, stream: Stream) {
    let Some(number) = lock(strangers).enter(&stream) else { return };
    let (own, others) = (Arc::clone(shared), Arc::clone(strangers));
    let attend = move || {
        let link = own.admit(stream, || lock(&others).leave(number));
        if let Some((rank, link)) = link {
            own.gate.read(rank, &link);
        }
    };
    let started = thread::Builder::new().name("session".into()).stack_size(STACK_BYTES).spawn(attend);
    if started.is_err() {
        lock(strangers).leave(number);
    }
}

impl Shared {
    /// Says how many sessions there are, and ends the cluster if that is asked for.
    fn obey(&self, stream: &Stream, deadline: Instant) {
        let mut bytes = vec![Verdict::Welcome as u8];
        bytes.extend_from_slice(&(self.gate.count() as u32).to_le_bytes());
        let mut writer = stream;
        let mut asked = [0];
        if writer.write_all(&bytes).is_ok()
            && read_within(stream, &mut asked, deadline).is_ok()
            && asked == STOP
        {
            // Whoever asks waits for the connection file to be gone.
            self.gate.stop();
        }
    }

    /// Gives a session the connection that it has made anew. It sends its rank, its key, and how many packets it has; the
    /// answer is whether it is known, and how many packets the cluster has.
    fn resume(&self, stream: Stream) -> Option<()> {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        (&stream).write_all(&[Verdict::Welcome as u8]).ok()?;
        let mut bytes = [0; Resumption::BYTES];
        read_within(&stream, &mut bytes, deadline).ok()?;
        let resumption = Resumption::from_bytes(bytes);
        let link = self.gate.known(resumption.rank, resumption.key);
        let expected = link.as_ref().and_then(|link| link.expect());
        let (is_known, received) = (expected.is_some(), expected.map_or(0, |(_, received)| received));
        let mut answer = vec![u8::from(is_known)];
        answer.extend_from_slice(&received.to_le_bytes());
        (&stream).write_all(&answer).ok()?;
        if let (Some(link), Some((epoch, _))) = (link, expected) {
            link.resume(epoch, stream, resumption.received);
        }
        Some(())
    }

    /// Finds out whether a peer is a session of this cluster, and lets it in. What goes wrong is the peer's. `is_known`
    /// is called once it is no stranger, or has gone.
    fn admit(&self, stream: Stream, is_known: impl FnOnce()) -> Option<(Rank, Arc<Link>)> {
        let verdict = self.examine(&stream);
        is_known();
        match verdict? {
            Purpose::Control => {
                self.obey(&stream, Instant::now() + HANDSHAKE_TIMEOUT);
                None
            }
            Purpose::Session => self.let_in(stream),
            Purpose::Resume => {
                self.resume(stream);
                None
            }
        }
    }

    /// Has a peer prove that it knows the token. Returns what it wants, if it may.
    fn examine(&self, stream: &Stream) -> Option<Purpose> {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        if !super::is_own_user(stream) {
            return None;
        }
        stream.set_timeouts(Some(HANDSHAKE_TIMEOUT), Some(HANDSHAKE_TIMEOUT)).ok()?;
        let mut hello = [0; HELLO_BYTES];
        read_within(stream, &mut hello, deadline).ok()?;
        let side = ClusterSide::new(&self.token, &self.own, random().ok()?, &hello)?;
        let mut writer = stream;
        writer.write_all(side.challenge()).ok()?;
        let mut answer = [0; ANSWER_BYTES];
        read_within(stream, &mut answer, deadline).ok()?;
        let verdict = match side.verdict(&answer) {
            Verdict::Welcome if self.gate.count() >= SESSIONS_MAX => Verdict::Full,
            verdict => verdict,
        };
        if verdict != Verdict::Welcome {
            writer.write_all(&[verdict as u8]).ok()?;
            return None;
        }
        Some(side.purpose())
    }

    /// Lets a session in.
    fn let_in(&self, stream: Stream) -> Option<(Rank, Arc<Link>)> {
        let key: Key = random().ok()?;
        let link = Link::new(stream, None).ok()?;
        let rank = self.gate.join(&link, key);
        let welcome = (self.welcome)(rank);
        let mut bytes = vec![Verdict::Welcome as u8];
        bytes.extend_from_slice(&key);
        bytes.extend_from_slice(&(welcome.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&welcome);
        // Nothing else is sent before the writer starts; the reader of a link that fails tells of its end.
        if link.write_first(&bytes).and_then(|()| link.start_writer()).is_err() {
            link.close();
        }
        Some((rank, link))
    }
}
