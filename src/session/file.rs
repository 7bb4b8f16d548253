//! Connection files: how the programs of a user find the user's clusters.

use super::handshake::Token;
use crate::{
    error::{DecodeErrorKind, Error, Result},
    files::{
        self,
        whole::{Access, write_whole},
    },
};
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What stands in a connection file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Connection {
    /// The name of the cluster.
    pub name: String,
    /// The host of the rank that listens, and its process.
    pub host: String,
    pub pid: u32,
    /// The Unix socket.
    pub socket: PathBuf,
    /// The port at 127.0.0.1, if it was asked for.
    pub port: Option<u16>,
    /// What a session has to know, in hexadecimal digits.
    pub token: String,
    /// The batch job.
    pub job: Option<String>,
    /// The build id of the program, in hexadecimal digits, and the version of this library.
    pub build: String,
    pub version: String,
    pub program: String,
    /// When it began, and when it must end, in seconds since 1970.
    pub started: f64,
    pub ends: Option<f64>,
    /// How many ranks, workers, threads and devices it has.
    pub ranks: u32,
    pub workers: u32,
    pub threads: u32,
    pub devices: u32,
}

/// A connection file with its own path.
#[derive(Serialize)]
struct Addressed<'a> {
    address: &'a Path,
    #[serde(flatten)]
    connection: &'a Connection,
}

/// The maximum length of a connection file, in bytes.
const BYTES_MAX: u64 = 64 << 10;

impl Connection {
    pub(super) fn token(&self) -> Option<Token> {
        Token::from_hex(&self.token)
    }

    /// The line with which a port or socket of the cluster's host is reached from another one.
    pub(crate) fn tunnel(&self) -> String {
        match self.port {
            Some(port) => format!("ssh -N -L {port}:127.0.0.1:{port} {}", self.host),
            None => {
                let (socket, folder) =
                    (self.socket.display(), self.socket.parent().unwrap_or(Path::new("/")));
                format!("mkdir -p -m 700 {}; ssh -N -L {socket}:{socket} {}", folder.display(), self.host)
            }
        }
    }

    /// Reads a connection file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no connection file, or may be read by other users.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let trouble = |message: &str, error: io::Error| Error::File {
            message: message.into(),
            path: path.into(),
            source: Arc::new(error),
        };
        let cannot = |error| trouble("cannot read the connection file", error);
        let file = fs::File::open(path).map_err(cannot)?;
        let found = file.metadata().map_err(cannot)?;
        if found.uid() != files::user() || found.mode() & 0o077 != 0 {
            let why = "it holds a token, and belongs to another user or is open to other users: start the cluster again";
            return Err(trouble("the connection file is not private", io::Error::other(why)));
        }
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(cannot)?;
        let broken =
            |error: serde_json::Error| trouble("this is no connection file", io::Error::other(error));
        serde_json::from_str(&text).map_err(broken)
    }

    /// Writes the connection file, whole or not at all, for this user only.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        // Programs that read the file, as those for Dask do, take its `address` to connect to.
        let address = std::path::absolute(path).unwrap_or_else(|_| path.into());
        let text = serde_json::to_vec_pretty(&Addressed { address: &address, connection: self })
            .map_err(|error| Error::decode(DecodeErrorKind::Record, error.to_string()))?;
        let write = |file: &mut dyn Write| file.write_all(&text);
        // One that is there may be open to others, and would stay so.
        let _ = fs::remove_file(path);
        write_whole(path, Access::Private, write).map_err(|error| Error::File {
            message: "cannot write the connection file".into(),
            path: path.into(),
            source: Arc::new(error),
        })
    }
}

/// The directory of connection files: `MANIPLE_CLUSTERS`, else in the user's home, which hosts share.
pub(crate) fn directory() -> Result<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = || variable("XDG_STATE_HOME").map(|state| state.join("maniple/clusters"));
    let home = || variable("HOME").map(|home| home.join(".local/state/maniple/clusters"));
    variable("MANIPLE_CLUSTERS").or_else(state).or_else(home).ok_or_else(|| {
        Error::Option(
            "HOME is not set, so there is no place for connection files: set MANIPLE_CLUSTERS".into(),
        )
    })
}

/// The directory of connection files, made if it is not there.
pub(super) fn make_directory() -> Result<PathBuf> {
    let path = directory()?;
    let made = files::create_named(&path).and_then(|()| files::check_named(&path));
    made.map_err(|error| Error::File {
        message: "cannot use the directory of connection files (MANIPLE_CLUSTERS sets another one)".into(),
        path: path.clone(),
        source: Arc::new(error),
    })?;
    Ok(path)
}

/// The connection files that there are, the newest first. Files that cannot be read are left out.
pub(crate) fn all() -> Result<Vec<(PathBuf, Connection)>> {
    let Ok(entries) = fs::read_dir(directory()?) else { return Ok(Vec::new()) };
    let paths = entries.flatten().map(|entry| entry.path());
    let is_file = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut found: Vec<(PathBuf, Connection)> = paths
        .filter(is_file)
        .filter_map(|path| Some((path.clone(), Connection::read(&path).ok()?)))
        .collect();
    found.sort_by(|(_, left), (_, right)| right.started.total_cmp(&left.started));
    Ok(found)
}

/// The name of a cluster of a program: with its batch job, or else with what tells it from others of its host.
pub(crate) fn cluster_name(program: &str, job: &str) -> String {
    let program = program.rsplit('/').next().unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let plain = |letter| if is_plain(letter) { letter } else { '_' };
    format!("{program}-{job}").chars().map(plain).collect()
}

/// The connection file of a name, or a file at a path.
pub(crate) fn named(name: &Path) -> Result<(PathBuf, Connection)> {
    let is_name = name.components().count() == 1 && name.extension().is_none() && !name.exists();
    let path = if is_name { directory()?.join(name).with_extension("json") } else { name.into() };
    let connection = Connection::read(&path)?;
    Ok((path, connection))
}

/// The newest cluster of this build; where there is none, the newest.
pub(super) fn newest(build: &str) -> Result<(PathBuf, Connection)> {
    let mut all = all()?;
    if all.is_empty() {
        return Err(Error::World(format!(
            "there is no cluster to connect to: no connection file in {}: start one with --serve",
            directory()?.display()
        )));
    }
    let place = all.iter().position(|(_, connection)| connection.build == build).unwrap_or(0);
    Ok(all.swap_remove(place))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    pub(in super::super) fn connection() -> Connection {
        Connection {
            name: "pi-7".into(),
            host: "node7".into(),
            pid: 7,
            socket: "/tmp/maniple-1000/7.socket".into(),
            port: None,
            token: Token::new([5; 32]).to_hex(),
            job: Some("7".into()),
            build: format!("{:016x}", 7),
            version: "0.1.0".into(),
            program: "pi".into(),
            started: 0.0,
            ends: None,
            ranks: 6,
            workers: 4,
            threads: 8,
            devices: 0,
        }
    }

    #[test]
    fn connection_files_are_private_and_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pi-7.json");
        fs::write(&path, "open to all").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        connection().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Connection::read(&path).unwrap(), connection());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Connection::read(&path).unwrap_err().to_string();
        assert!(error.contains("open to other users") && !error.contains(&connection().token), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "{}").unwrap();
        assert!(Connection::read(&path).unwrap_err().to_string().contains("no connection file"));
    }

    #[test]
    fn tunnels_lead_to_the_same_place_on_this_host() {
        let unix = connection();
        assert_eq!(
            unix.tunnel(),
            "mkdir -p -m 700 /tmp/maniple-1000; ssh -N -L /tmp/maniple-1000/7.socket:/tmp/maniple-1000/7.socket node7"
        );
        let tcp = Connection { port: Some(9000), ..unix };
        assert_eq!(tcp.tunnel(), "ssh -N -L 9000:127.0.0.1:9000 node7");
    }
}
