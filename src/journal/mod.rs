//! The journal: results on disk from which a later run resumes.
//!
//! In a directory that all ranks share, each rank appends the results of its tasks that are to last to a
//! file of its own ([`record`]). Another run reads all files at its start, and knows a result by its task's
//! key ([`key`]): the function and all that it was given. No file is changed once its run has ended, and no
//! two runs write at once ([`lease`]), so the records need no locks.

pub(crate) mod key;
mod lease;
pub mod record;
mod restore;

use crate::{
    comm::Buffer,
    error::{DecodeErrorKind, Error, Result, warn},
    files,
    ids::Code,
    lock::lock,
};
pub(crate) use lease::Lease;
pub(crate) use record::Key;
use record::{FileHead, RecordHead};
pub(crate) use restore::{Location, code};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Whether a run goes on with what its journal has from earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Resume {
    /// No: the journal must be empty.
    #[default]
    No,
    /// Yes, if the same build of the program wrote it, or nobody has.
    Yes,
    /// Yes, whichever build wrote it: its functions still give the same results, says who asks for this.
    /// Closures count as other functions.
    AnyBuild,
}

impl FromStr for Resume {
    type Err = Error;

    /// Reads `0`, `1` or `any-build`.
    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "0" | "no" | "false" => Ok(Self::No),
            "1" | "yes" | "true" => Ok(Self::Yes),
            "any-build" => Ok(Self::AnyBuild),
            text => Err(Error::Option(format!("{text:?} is not 0, 1 or any-build"))),
        }
    }
}

/// When what was written to a journal is made to outlast its host. It outlasts its process anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalSync {
    /// When the system sees fit.
    Never,
    /// With the first result after so much time, and at the end; with each result, if that is zero.
    Every(Duration),
}

impl Default for JournalSync {
    fn default() -> Self {
        Self::Every(Duration::from_secs(5))
    }
}

impl FromStr for JournalSync {
    type Err = Error;

    /// Reads `never`, or seconds.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
        let seconds = seconds.map(crate::units::from_seconds);
        match (text, seconds) {
            ("never", _) => Ok(Self::Never),
            (_, Some(pause)) => Ok(Self::Every(pause)),
            _ => Err(Error::Option(format!("{text:?} is neither never nor a number of seconds"))),
        }
    }
}

/// What a run was told of its journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct JournalSettings {
    pub directory: Option<PathBuf>,
    pub resume: Resume,
    pub sync: JournalSync,
}

/// Where a run writes, and what earlier runs have left there: rank 0 looks, and tells all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    directory: PathBuf,
    /// The number of the run among those of the journal.
    run: u32,
    /// The files of earlier runs.
    files: Vec<String>,
}

const SUFFIX: &str = ".journal";

impl JournalSettings {
    /// Takes the journal for this run, if there is to be one, and looks whether it can be gone on with.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with it, and what helps.
    pub(crate) fn take(&self, host: &str, build: u64) -> Result<Option<(Start, Lease)>> {
        let Some(directory) = &self.directory else {
            return match self.resume {
                Resume::No => Ok(None),
                _ => Err(Error::Option("there is nothing to resume: name the journal's directory".into())),
            };
        };
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
        let name = directory.display();
        let trouble = |error: io::Error| {
            Error::Option(format!("the journal {name} cannot be used: {error}: choose another directory"))
        };
        files::create_named(&directory).and_then(|()| files::check_named(&directory)).map_err(trouble)?;
        let lease = Lease::take(&directory, host).map_err(trouble)?.map_err(|holder| {
            Error::Option(format!(
                "the journal {name} is in use by another run ({holder}): wait for its end, or choose another \
                 directory; of a run that was killed on another host it is free after 30 s"
            ))
        })?;
        let files = journals(&directory).map_err(trouble)?;
        if !files.is_empty() && self.resume == Resume::No {
            return Err(Error::Option(format!(
                "the journal {name} has results of an earlier run: go on with them (--resume, or \
                 MANIPLE_RESUME=1), or choose another directory"
            )));
        }
        for file in &files {
            let mut file = files::open_no_link(&directory.join(file)).map_err(trouble)?;
            let head = record::read_file_head(&mut file).map_err(trouble)?;
            if self.resume != Resume::AnyBuild && head.is_some_and(|head| head.build != build) {
                return Err(Error::Option(format!(
                    "the journal {name} is of another build of this program: resume it with that build, or, if \
                     the functions still give the same results, say MANIPLE_RESUME=any-build"
                )));
            }
        }
        let run = files.iter().filter_map(|file| run_of(file)).max().unwrap_or(0) + 1;
        Ok(Some((Start { directory, run, files }, lease)))
    }
}

/// The names of the journal's files, in order.
fn journals(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| run_of(name).is_some()));
    }
    names.sort();
    Ok(names)
}

fn name_of(run: u32, rank: u32) -> String {
    format!("run-{run:04}-rank-{rank}{SUFFIX}")
}

/// The number of the run that wrote a file of this name, if it is one of a journal.
fn run_of(name: &str) -> Option<u32> {
    name.strip_prefix("run-")?.strip_suffix(SUFFIX)?.split_once("-rank-")?.0.parse().ok()
}

/// What one rank found in its share of the files.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Share {
    results: Vec<(Name, Entry)>,
    damaged: u64,
    trouble: Option<String>,
}

/// What a result is found by: its key and, if this build wrote it, where its function is.
type Name = (Key, Option<u64>);

/// A result of an earlier run.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    file: u32,
    offset: u64,
    /// Its bytes, if they are few.
    small: Option<Vec<u8>>,
}

/// What an earlier run has left of a result.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// Its bytes.
    Small(Vec<u8>),
    /// Where it is.
    At(Location),
}

/// One rank's journal. See the module.
#[derive(Debug)]
pub(crate) struct Journal {
    start: Start,
    sync: JournalSync,
    build: u64,
    rank: u32,
    host: String,
    index: FxHashMap<Name, Entry>,
    /// How many tasks were answered with what the journal had.
    restored: AtomicU64,
    own: Mutex<Own>,
    /// On rank 0.
    lease: Mutex<Option<Lease>>,
}

/// The file that this rank writes.
#[derive(Debug, Default)]
struct Own {
    file: Option<(File, u32)>,
    end: u64,
    synced: Option<Instant>,
    /// Whether it was told that nothing can be written.
    has_told: bool,
}

/// Who opens a journal.
pub(crate) struct Opener<'a> {
    pub rank: u32,
    pub size: u32,
    pub host: &'a str,
    pub build: u64,
    pub sync: JournalSync,
    pub lease: Option<Lease>,
}

impl Journal {
    /// Reads what earlier runs have left: each rank its share. `all_gather` tells the others.
    pub(crate) fn open(
        start: Start,
        opener: Opener<'_>,
        all_gather: impl FnOnce(Vec<u8>) -> Result<Vec<Vec<u8>>>,
    ) -> Result<Self> {
        let Opener { rank, size, host, build, sync, lease } = opener;
        let bytes = crate::codec::to_bytes(&start.read_share(rank, size, host, build));
        let mut index = FxHashMap::default();
        let mut damaged = 0;
        for bytes in all_gather(bytes)? {
            let share: Share = postcard::from_bytes(&bytes)
                .map_err(|error| Error::decode(DecodeErrorKind::Message, error.to_string()))?;
            if let Some(words) = share.trouble {
                return Err(Error::World(words));
            }
            damaged += share.damaged;
            index.extend(share.results);
        }
        if damaged > 0 && rank == 0 {
            warn(format_args!(
                "the journal {} is damaged in {damaged} places: what was there is computed again",
                start.directory.display()
            ));
        }
        let (restored, own, lease) = (AtomicU64::new(0), Mutex::default(), Mutex::new(lease));
        Ok(Self { start, sync, build, rank, host: host.into(), index, restored, own, lease })
    }

    /// The result of this function with this key, if an earlier run has left it.
    pub(crate) fn find(&self, key: Key, code: Code) -> Option<Kept> {
        let own = self.index.get(&(key, Some(place_of(code))));
        let entry = own.or_else(|| self.index.get(&(key, None)))?;
        self.restored.fetch_add(1, Ordering::Relaxed);
        Some(match &entry.small {
            Some(bytes) => Kept::Small(bytes.clone()),
            None => {
                let path = self.start.directory.join(&self.start.files[entry.file as usize]);
                Kept::At(Location { path, offset: entry.offset, key })
            }
        })
    }

    /// How many tasks this rank has found the results of.
    pub(crate) fn restored_count(&self) -> u64 {
        self.restored.load(Ordering::Relaxed)
    }

    /// Writes a result of this function. If it cannot be written, that is told once, and the run goes on.
    pub(crate) fn append(&self, key: Key, code: Code, head: &[u8], body: &[u8], align: u8) {
        let record = RecordHead::new(key, place_of(code), head, body, align);
        let mut own = lock(&self.own);
        match self.write(&mut own, record, head, body) {
            Ok(()) => own.has_told = false,
            Err(error) => {
                // What is there of it must not be in the way of what comes after it.
                if let Some((file, _)) = &own.file {
                    let _ = file.set_len(own.end);
                }
                if !std::mem::replace(&mut own.has_told, true) {
                    warn(format_args!(
                        "rank {} ({}): results cannot be kept in the journal {}: {error}",
                        self.rank,
                        self.host,
                        self.start.directory.display()
                    ));
                }
            }
        }
    }

    fn write(&self, own: &mut Own, record: RecordHead, head: &[u8], body: &[u8]) -> io::Result<()> {
        if own.file.is_none() {
            let path = self.start.directory.join(name_of(self.start.run, self.rank));
            let mut file = files::create_private_file(&path)?;
            if self.sync != JournalSync::Never {
                // So that its name outlasts the host, too.
                File::open(&self.start.directory)?.sync_all()?;
            }
            let salt = self.salt();
            file.write_all(&FileHead { build: self.build, salt }.encode())?;
            own.end = FileHead::BYTES as u64;
            own.file = Some((file, salt));
            own.synced = Some(Instant::now());
        }
        let Some((file, salt)) = &own.file else { return Ok(()) };
        let mut front = record.encode(*salt).to_vec();
        front.extend_from_slice(head);
        file.write_all_at(&front, own.end)?;
        file.write_all_at(body, own.end + front.len() as u64)?;
        own.end += (front.len() + body.len()) as u64;
        if let JournalSync::Every(pause) = self.sync
            && own.synced.is_none_or(|synced| synced.elapsed() >= pause)
        {
            file.sync_data()?;
            own.synced = Some(Instant::now());
        }
        Ok(())
    }

    /// Differs from file to file.
    fn salt(&self) -> u32 {
        let Start { directory, run, .. } = &self.start;
        crc32fast::hash(
            format!("{} {run} {} {}", directory.display(), self.rank, std::process::id()).as_bytes(),
        )
    }

    /// Nothing more will be written.
    pub(crate) fn close(&self) {
        if let (Some((file, _)), JournalSync::Every(_)) = (&lock(&self.own).file, self.sync) {
            // Whatever went wrong with it was told.
            let _ = file.sync_data();
        }
        lock(&self.lease).take();
    }
}

/// What tells a function from others of its name.
fn place_of(code: Code) -> u64 {
    code.module.rotate_left(32) ^ code.offset
}

impl Start {
    /// Looks through every `size`th file.
    fn read_share(&self, rank: u32, size: u32, host: &str, build: u64) -> Share {
        let mut share = Share::default();
        for (index, name) in (0u32..).zip(&self.files).filter(|(index, _)| index % size == rank) {
            let path = self.directory.join(name);
            match scan_file(&path) {
                Ok((head, scan)) => {
                    share.damaged += scan.damaged;
                    let is_own = head.is_some_and(|head| head.build == build);
                    let entry = |found: record::Found| {
                        let name = (found.head.key, is_own.then_some(found.head.place));
                        (name, Entry { file: index, offset: found.offset, small: found.small })
                    };
                    share.results.extend(scan.found.into_iter().map(entry));
                }
                Err(error) => {
                    let path = path.display();
                    share.trouble = Some(format!("rank {rank} ({host}) cannot read {path}: {error}"));
                }
            }
        }
        share
    }
}

fn scan_file(path: &Path) -> io::Result<(Option<FileHead>, record::Scan)> {
    let mut file = files::open_no_link(path)?;
    let head = record::read_file_head(&mut file)?;
    let scan = match head {
        Some(head) => record::scan(head.salt, file)?,
        // It was torn before it had a head, or the head is damaged: then nothing can be told from it.
        None => record::Scan { found: Vec::new(), damaged: u64::from(file.metadata()?.len() > 0) },
    };
    Ok((head, scan))
}

/// Reads a result.
///
/// # Errors
///
/// Says what is wrong if it cannot be read, or is not what was written.
pub(crate) fn read(location: &Location) -> Result<(Vec<u8>, Buffer), String> {
    let trouble = |what: String| format!("its result in the journal {} {what}", location.path.display());
    let damaged = || trouble("is damaged".into());
    let read = || -> io::Result<Option<(Vec<u8>, Buffer)>> {
        let mut file = files::open_no_link(&location.path)?;
        let Some(file_head) = record::read_file_head(&mut file)? else { return Ok(None) };
        let mut bytes = [0; RecordHead::BYTES];
        file.read_exact_at(&mut bytes, location.offset)?;
        let record = RecordHead::decode(&bytes, file_head.salt).filter(|record| record.key == location.key);
        let Some(record) = record else { return Ok(None) };
        let start = location.offset + RecordHead::BYTES as u64;
        if file.metadata()?.len().saturating_sub(start) < record.contents_bytes() {
            return Ok(None);
        }
        let mut head = vec![0; record.head_bytes as usize];
        file.read_exact_at(&mut head, start)?;
        let mut body = Buffer::new(record.body_bytes as usize, usize::from(record.align).max(1));
        file.read_exact_at(body.as_mut_slice(), start + head.len() as u64)?;
        let is_whole =
            RecordHead::new(record.key, record.place, &head, body.as_slice(), record.align) == record;
        Ok(is_whole.then_some((head, body)))
    };
    match read() {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(damaged()),
        Err(error) => Err(trouble(format!("cannot be read: {error}"))),
    }
}
