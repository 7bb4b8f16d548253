//! The clusters of this user that serve sessions: which there are, how they stand, and their end.
//!
//! This is what `maniple clusters` shows. It works from the connection files of the user, on any host that has them.
//!
//! ```no_run
//! for cluster in maniple::clusters::list()? {
//!     println!("{} on {}: {:?} sessions", cluster.name, cluster.host, cluster.sessions);
//! }
//! # Ok::<(), maniple::Error>(())
//! ```

use crate::{
    error::{Error, Result},
    host::machine,
    session::{
        self,
        file::{self, Connection},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// By how much the clocks of hosts may differ, and what a batch system gives a job beyond its time.
const MARGIN_SECONDS: f64 = 600.0;

/// A cluster that has a connection file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServingCluster {
    /// Its name: that of its program and its job.
    pub name: String,
    /// The connection file.
    pub file: PathBuf,
    /// The host of rank 1.
    pub host: String,
    /// The batch job, if it is one.
    pub job: Option<String>,
    /// The number of ranks.
    pub ranks: u32,
    /// The number of workers, of their threads, and of workers with a device.
    pub workers: u32,
    /// See `workers`.
    pub threads: u32,
    /// See `workers`.
    pub devices: u32,
    /// When it began, and when it must end, in seconds since 1970.
    pub started: f64,
    /// See `started`.
    pub ends: Option<f64>,
    /// The number of sessions; nothing if it cannot be reached from this host.
    pub sessions: Option<u32>,
}

impl ServingCluster {
    fn new(file: PathBuf, connection: Connection) -> Self {
        let sessions = session::control(&connection, false).ok();
        Self {
            name: connection.name,
            file,
            host: connection.host,
            job: connection.job,
            ranks: connection.ranks,
            workers: connection.workers,
            threads: connection.threads,
            devices: connection.devices,
            started: connection.started,
            ends: connection.ends,
            sessions,
        }
    }
}

/// Returns the clusters of this user, the newest first. Connection files of clusters of this host that have failed are
/// removed.
///
/// # Errors
///
/// If there is no place for connection files: neither `MANIPLE_CLUSTERS` nor `HOME` is set.
pub fn list() -> Result<Vec<ServingCluster>> {
    remove_leftovers()?;
    Ok(file::all()?.into_iter().map(|(path, connection)| ServingCluster::new(path, connection)).collect())
}

/// Removes the connection files of clusters that have ended without doing so, and their sockets on this host. Returns
/// what was removed. Of clusters on other hosts it is known that they have ended once their time is over.
///
/// # Errors
///
/// As [`list`].
pub fn remove_leftovers() -> Result<Vec<PathBuf>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    let is_over = |connection: &Connection| connection.ends.is_some_and(|end| now > end + MARGIN_SECONDS);
    let is_gone = |connection: &Connection| session::is_gone(connection) || is_over(connection);
    let gone = file::all()?.into_iter().filter(|(_, connection)| is_gone(connection));
    // Another process may do the same.
    let files = gone.map(|(path, _)| path).filter(|path| fs::remove_file(path).is_ok());
    let files: Vec<PathBuf> = files.collect();
    Ok(files.into_iter().chain(session::door::remove_dead_sockets()).collect())
}

/// Ends the cluster of a name or connection file, and waits until it has told its sessions.
///
/// # Errors
///
/// If there is none, if it cannot be reached from this host, and if it does not end in time.
pub fn stop(name: impl AsRef<Path>, timeout: Duration) -> Result<()> {
    let (path, connection) = file::named(name.as_ref())?;
    session::control(&connection, true)?;
    wait(timeout, || (!path.exists()).then_some(()))
}

/// The name of the cluster that a batch job makes of a program, given as on its command line.
pub fn name_of_job(program: &str, job: &str) -> String {
    file::cluster_name(program, job)
}

/// Waits until the cluster of a name or connection file can be connected to: from its host, and from another one with
/// the `ssh -L` line that it prints.
///
/// # Errors
///
/// [`Error::Timeout`] if it cannot in time.
pub fn wait_ready(name: impl AsRef<Path>, timeout: Duration) -> Result<ServingCluster> {
    wait(timeout, || {
        let (path, connection) = file::named(name.as_ref()).ok()?;
        Some(ServingCluster::new(path, connection))
            .filter(|cluster| cluster.sessions.is_some() || cluster.host != machine::host_name())
    })
}

fn wait<T>(timeout: Duration, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(result) = ready() {
            return Ok(result);
        }
        if start.elapsed() >= timeout {
            return Err(Error::Timeout(timeout));
        }
        thread::sleep(Duration::from_millis(50));
    }
}
