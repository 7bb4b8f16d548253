//! A cluster that stands: rank 1 lets sessions in instead of running a driver.

use super::{Builder, Engine, ending::Driver, settings::Settings, time};
use crate::{
    checksum,
    client::{Client, process::Process},
    cluster::Cluster,
    codec::to_bytes,
    comm::{
        Transport,
        relay::{EndFrame, Gate, RelayTransport},
    },
    error::{DecodeErrorKind, Error, Result, show},
    message::Message,
    rank::{Rank, driver_of},
    session::{
        door::{Door, Serving},
        file::{Connection, cluster_name},
        handshake::Identity,
    },
    task, units, value,
};
use serde::{Deserialize, Serialize};
use std::{
    env,
    path::PathBuf,
    process,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is looked whether the cluster has been idle for too long.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a session is told at the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub rank: Rank,
    pub cluster: Cluster,
    pub small_bytes_max: usize,
    /// When the cluster must end, in seconds since 1970.
    pub ends: Option<f64>,
}

/// This program, as sessions and clusters compare it.
pub(super) fn identity() -> Identity {
    Identity { build: task::fingerprint(), version: env!("CARGO_PKG_VERSION").into() }
}

/// What makes the frames by which ranks learn that a session has ended, with a checksum where losses are survived.
pub(super) fn end_frames(survives: bool) -> EndFrame {
    if survives { sealed_end_frame } else { end_frame }
}

fn end_frame(session: Rank) -> Vec<u8> {
    to_bytes(&Message::SessionEnded(session))
}

fn sealed_end_frame(session: Rank) -> Vec<u8> {
    let mut frame = end_frame(session);
    checksum::seal(&mut frame, None);
    frame
}

/// The transport of a rank of a cluster that serves; and the connections, on the rank that has them.
pub(super) fn relay(
    transport: Box<dyn Transport>,
    cluster: &Cluster,
) -> (Box<dyn Transport>, Option<Arc<Gate>>) {
    let keeper = driver_of(transport.size());
    let is_keeper = transport.rank() == keeper;
    let gate = is_keeper.then(|| Arc::new(Gate::new(transport.bells(), transport.size())));
    let end_frame = end_frames(cluster.survives());
    (Box::new(RelayTransport::new(transport, keeper, gate.clone(), end_frame)), gate)
}

/// What rank 1 needs to serve.
pub(super) struct Service {
    pub door: Door,
    pub gate: Arc<Gate>,
    pub ends: Option<f64>,
}

impl Service {
    /// What rank 1 does in the place of the driver.
    pub(super) fn driver(self, engine: &Arc<Engine>, settings: &Settings) -> Driver<'static> {
        let (engine, idle_timeout) = (Arc::clone(engine), settings.idle_timeout);
        let small_bytes_max = settings.small_bytes_max;
        Box::new(move |client: &Client| {
            let gate = Arc::clone(&self.gate);
            let serving = self.open(client.cluster(), engine.record().pid, small_bytes_max)?;
            announce(&serving);
            let (outcome, reason) = stand(&engine, &gate, idle_timeout);
            drop(engine);
            serving.close(&reason);
            outcome
        })
    }

    fn open(self, cluster: &Cluster, pid: u32, small_bytes_max: usize) -> Result<Serving> {
        let (own, ends) = (identity(), self.ends);
        let connection = describe(cluster, &own, pid, ends);
        let cluster = cluster.clone();
        let welcome =
            move |rank| to_bytes(&Welcome { rank, cluster: cluster.clone(), small_bytes_max, ends });
        self.door.serve(self.gate, own, connection, Box::new(welcome))
    }
}

/// Waits until the cluster is to end. Returns how, and the reason for sessions.
fn stand(engine: &Arc<Engine>, gate: &Gate, idle_timeout: Option<Duration>) -> (Result<Vec<u8>>, String) {
    let process: &dyn Process = &**engine;
    let idle_max = idle_timeout.unwrap_or(Duration::MAX);
    let began = Instant::now();
    let host = &engine.record().host;
    let told = |why: &str| format!("the cluster on {host} has ended: {why}");
    loop {
        let look = idle_timeout.map(|timeout| timeout.min(LOOK_EVERY).max(Duration::from_millis(1)));
        let mut is_over = || engine.outcome().is_some() || gate.is_stopped();
        let waited = process.wait_until(&mut is_over, &|| None, look);
        let nothing = || {
            let mut bytes = Vec::new();
            value::encode((), usize::MAX >> 1, &mut bytes)
                .map_err(|words| Error::decode(DecodeErrorKind::Encode, words))?;
            Ok(bytes)
        };
        match waited {
            Ok(()) if gate.is_stopped() => return (nothing(), told("it was stopped")),
            Ok(()) => return (nothing(), told("a session has shut it down")),
            Err(Error::Timeout(_)) if gate.idle_time().min(began.elapsed()) < idle_max => {}
            Err(Error::Timeout(_)) => {
                return (nothing(), told(&format!("no session was connected for {idle_max:?}")));
            }
            // Nothing is left undone that another run would do.
            Err(Error::Stopping) => return (nothing(), told("its time is over")),
            Err(error) => {
                let reason = told(&error.to_string());
                return (Err(error), reason);
            }
        }
    }
}

/// What stands in the connection file, but for the sockets and the token.
fn describe(cluster: &Cluster, own: &Identity, pid: u32, ends: Option<f64>) -> Connection {
    let read = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let job = ["SLURM_JOB_ID", "PBS_JOBID", "JOB_ID", "FLUX_JOB_ID", "LSB_JOBID"].into_iter().find_map(read);
    let program = env::args().next().unwrap_or_default();
    let program: String = program.rsplit('/').next().unwrap_or_default().into();
    let host = cluster.ranks()[driver_of(cluster.ranks().len() as u32).index()].host.clone();
    let name = match &job {
        Some(job) => cluster_name(&program, job),
        None => {
            let host = host.split('.').next().unwrap_or_default();
            cluster_name(&program, &format!("{host}-{}", process::id()))
        }
    };
    Connection {
        name,
        host,
        pid,
        socket: Default::default(),
        port: None,
        token: String::new(),
        job,
        build: format!("{:016x}", own.build),
        version: own.version.clone(),
        program,
        started: time::now(),
        ends,
        ranks: cluster.ranks().len() as u32,
        workers: cluster.worker_count() as u32,
        threads: cluster.thread_count() as u32,
        devices: cluster.workers().filter(|worker| worker.device.is_some()).count() as u32,
    }
}

/// Says how programs connect.
fn announce(serving: &Serving) {
    let (file, connection) = (serving.file().display(), serving.connection());
    show(format_args!(
        "maniple: the cluster {} stands on {}: connect with --connect {file}, or MANIPLE_CONNECT={file}\n\
         maniple: from another host: {}",
        connection.name,
        connection.host,
        connection.tunnel()
    ));
}

impl Builder {
    /// Serves sessions instead of running the driver: the cluster stands until a session calls
    /// [`Client::shutdown`](crate::Client::shutdown), its time is over, or it gets SIGTERM. Programs
    /// [connect](Self::connect) to it, one after the other or several at once, and run their drivers in their own
    /// processes and their tasks here. They must be the same executable. The process ends within
    /// [`run`](Self::run).
    ///
    /// `words` are separated by commas: `tcp` or `tcp:PORT` to listen at 127.0.0.1, too; the path of the connection
    /// file, where it is not the default one; or nothing. Rank 1 listens on a Unix socket that only this user can
    /// open, and prints where the connection file is, with the `ssh -L` line for other hosts.
    pub fn serve(mut self, words: &str) -> Self {
        match words.parse() {
            Ok(serve) => self.set(|settings| settings.serve = Some(serve)),
            Err(error) => {
                self.settings = self.settings.and(Err(error));
                self
            }
        }
    }

    /// Time without a session after which a cluster that [serves](Self::serve) ends.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.idle_timeout = Some(timeout))
    }

    /// Whether drivers and sessions may [load modules](crate::Client::load_module), which are code from files.
    pub fn allow_modules(self, allow: bool) -> Self {
        self.set(|settings| settings.allow_modules = allow)
    }

    /// Connects to a cluster that [serves](Self::serve) and runs the driver as one of its sessions, in this process
    /// and without MPI. `file` is a connection file, or the name of a cluster of this user; empty: the newest cluster
    /// of this executable.
    pub fn connect(self, file: impl Into<PathBuf>) -> Self {
        let file: PathBuf = file.into();
        self.set(|settings| settings.connect = Some(Some(file).filter(|file| !file.as_os_str().is_empty())))
    }

    /// Time within which a session whose connection broke connects again and goes on as if nothing had happened. Its
    /// tasks run meanwhile, and the cluster keeps what it holds. Without it: 60 s where the cluster is on another host,
    /// none where it is on this one. At most an hour.
    pub fn reconnect_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.reconnect_timeout = Some(timeout))
    }

    /// What the program was started with: `--serve [WORDS]`, `--connect [FILE]`, `--idle-timeout SECONDS` and
    /// `--allow-modules`.
    pub(super) fn with_arguments(mut self, arguments: impl Iterator<Item = String>) -> Self {
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_string(), Some(value.to_string())),
                None => (argument, None),
            };
            // A word that follows may be the program's own.
            let mut following = |is_ours: fn(&str) -> bool| {
                value.clone().or_else(|| arguments.next_if(|next| is_ours(next))).unwrap_or_default()
            };
            match name.as_str() {
                "--serve" => {
                    self = self.serve(&following(|next| next.starts_with("tcp") || next.ends_with(".json")))
                }
                "--connect" => self = self.connect(following(|next| next.ends_with(".json"))),
                "--allow-modules" => self = self.allow_modules(true),
                "--idle-timeout" => match following(|next| next.parse::<f64>().is_ok()).parse() {
                    Ok(seconds) => self = self.idle_timeout(units::from_seconds(seconds)),
                    Err(_) => {
                        let error = Error::Option("--idle-timeout: it must be seconds, 0 or more".into());
                        self.settings = self.settings.and(Err(error));
                    }
                },
                _ => {}
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Runtime, session::Serve};

    fn read(arguments: &[&str]) -> Settings {
        let arguments = arguments.iter().map(ToString::to_string);
        Runtime::builder().with_arguments(arguments).settings.unwrap()
    }

    #[test]
    fn a_program_is_told_to_serve_or_to_connect_by_its_arguments() {
        let settings = read(&["input.dat", "--serve", "tcp:9000", "--idle-timeout", "60", "--allow-modules"]);
        assert!(settings.allow_modules && !read(&["--serve"]).allow_modules);
        assert_eq!(settings.serve, Some(Serve { port: Some(9000), file: None }));
        assert_eq!((settings.idle_timeout, settings.connect), (Some(Duration::from_secs(60)), None));
        assert_eq!(read(&["--connect", "input.dat"]).connect, Some(None), "input.dat is the program's own");
        assert_eq!(read(&["--connect=pi-7"]).connect, Some(Some("pi-7".into())));
        assert_eq!(read(&["--connect", "run.json", "--serve"]).serve, Some(Serve::default()));
        let wrong = ["--idle-timeout=soon".to_string()].into_iter();
        Runtime::builder().with_arguments(wrong).settings.unwrap_err();
    }
}
