//! Claims: a run holds an advisory lock on a file in each directory that is its own, for as long as it lives.
//!
//! A process number means nothing in another PID namespace, a lock does: what is locked is in use, whoever
//! holds it. Where the file system has no locks, nothing is known of a directory, and it is kept.

use super::create_private_file;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

/// The file of a directory whose lock says that the directory is in use.
pub(crate) const NAME: &str = "in-use";

/// How a file is locked; [`File::try_lock`] but in tests.
pub(crate) type TryLock = fn(&File) -> Result<(), TryLockError>;

/// Says who holds a claim, for messages and for file systems without locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holder {
    pub host: String,
    pub process: String,
    /// The start of the machine that the process runs on; the same in all its containers.
    pub boot: String,
    /// The namespace in which the process has its number.
    pub namespace: String,
}

impl Holder {
    /// This process.
    pub(crate) fn this(host: &str) -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            host: host.into(),
            process: process::id().to_string(),
            boot: boot.trim().into(),
            namespace: namespace.display().to_string(),
        }
    }

    pub(crate) fn encode(&self) -> String {
        let Self { host, process, boot, namespace } = self;
        format!("{host} {process} {boot} {namespace}\n")
    }

    pub(crate) fn decode(text: &str) -> Self {
        let mut words = text.split_whitespace().map(str::to_string);
        let mut next = || words.next().unwrap_or_default();
        Self { host: next(), process: next(), boot: next(), namespace: next() }
    }

    /// Whether the process is on the machine of `this`.
    pub(crate) fn is_on_machine_of(&self, this: &Self) -> bool {
        !self.boot.is_empty() && self.boot == this.boot
    }

    /// Whether `this` can see that the process has ended.
    pub(crate) fn has_ended_for(&self, this: &Self) -> bool {
        self.is_on_machine_of(this)
            && !self.namespace.is_empty()
            && self.namespace == this.namespace
            && !Path::new("/proc").join(&self.process).exists()
    }
}

/// What locking a file came to.
#[derive(Debug)]
pub(crate) enum Locked {
    Yes,
    /// Another process, or another claim of this one, holds it.
    Held,
    /// The file system has no locks, for this reason.
    NoLocks(io::Error),
    /// The file has gone from its path meanwhile, or another is there.
    Replaced,
}

/// Locks an open file, and sees whether it is still the one at the path.
pub(crate) fn lock(file: &File, path: &Path, try_lock: TryLock) -> io::Result<Locked> {
    let outcome = match try_lock(file) {
        Ok(()) => Locked::Yes,
        Err(TryLockError::WouldBlock) => return Ok(Locked::Held),
        Err(TryLockError::Error(error)) => Locked::NoLocks(error),
    };
    Ok(if is_at(file, path)? { outcome } else { Locked::Replaced })
}

/// Whether an open file is the one at the path.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens the file of a claim that exists.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// What a claim's file says.
pub(crate) fn read(mut file: &File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.take(4096).read_to_string(&mut text)?;
    Ok(text)
}

/// A directory that this process has created, or taken over from one that has ended. It is given up when this is
/// dropped, and removed if it is empty.
#[derive(Debug)]
pub(crate) struct Claim {
    directory: PathBuf,
    /// Locked, until it is given up.
    file: Option<File>,
    /// Why the file system has no locks, if it has none.
    pub no_locks: Option<io::Error>,
}

impl Claim {
    /// Claims a directory that this process has just created. Returns `None` if another has taken it for one that is
    /// left, in the moment in between: then the directory is gone.
    pub(crate) fn new(directory: PathBuf, holder: &Holder, try_lock: TryLock) -> io::Result<Option<Self>> {
        let path = directory.join(NAME);
        let file = match create_private_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let no_locks = match lock(&file, &path, try_lock)? {
            Locked::Yes => None,
            Locked::NoLocks(error) => Some(error),
            Locked::Held | Locked::Replaced => return Ok(None),
        };
        file.write_all_at(holder.encode().as_bytes(), 0)?;
        Ok(Some(Self { directory, file: Some(file), no_locks }))
    }

    /// Claims a directory whose process has ended. `None` if it may be in use.
    pub(crate) fn of_left(directory: &Path, this: &Holder, try_lock: TryLock) -> Option<Self> {
        let path = directory.join(NAME);
        let file = open(&path).ok()?;
        match lock(&file, &path, try_lock).ok()? {
            // On some file systems each host has locks of its own.
            Locked::Yes => {
                let text = read(&file).ok()?;
                let is_known = text.is_empty() || Holder::decode(&text).is_on_machine_of(this);
                (is_known || is_local(directory)).then(|| Self {
                    directory: directory.into(),
                    file: Some(file),
                    no_locks: None,
                })
            }
            Locked::Held | Locked::NoLocks(_) | Locked::Replaced => None,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes the directory and what is in it.
    pub(crate) fn remove(self) {
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if entry.file_name() == NAME {
                continue;
            }
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // It may be gone already, by the user's hand.
            let _ = match is_directory {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
        }
    }

    /// Leaves the directory as a process does that is killed.
    #[cfg(test)]
    pub(crate) fn abandon(mut self) {
        self.file = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The lock is held until the name is gone. The directory goes last: on NFS an open file keeps it.
        if let Some(file) = self.file.take() {
            let _ = fs::remove_file(self.directory.join(NAME));
            drop(file);
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

/// Whether only this machine can see a directory.
fn is_local(directory: &Path) -> bool {
    let local = ["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"];
    crate::host::machine::file_system(directory).is_some_and(|kind| local.contains(&kind.as_str()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file system without locks.
    pub(crate) fn no_locks(_: &File) -> Result<(), TryLockError> {
        Err(TryLockError::Error(io::Error::from_raw_os_error(libc::ENOLCK)))
    }

    fn claim(directory: &Path, try_lock: TryLock) -> Option<Claim> {
        Claim::new(directory.into(), &Holder::this("here"), try_lock).unwrap()
    }

    #[test]
    fn what_is_claimed_is_not_taken_until_its_run_has_ended() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("own");
        super::super::create_private(&directory).unwrap();
        let this = Holder::this("here");
        let first = claim(&directory, File::try_lock).unwrap();
        fs::write(directory.join("result"), "two hours of work").unwrap();
        assert!(Claim::of_left(&directory, &this, File::try_lock).is_none(), "it is in use");
        first.abandon();
        assert!(Claim::of_left(&directory, &this, no_locks).is_none(), "without locks it is kept");
        assert!(directory.join("result").exists());
        Claim::of_left(&directory, &this, File::try_lock).unwrap().remove();
        assert!(!directory.exists());
    }

    #[test]
    fn what_is_taken_between_creation_and_claim_is_seen() {
        let parent = tempfile::tempdir().unwrap();
        assert!(claim(&parent.path().join("gone"), File::try_lock).is_none());
        let directory = parent.path().join("own");
        super::super::create_private(&directory).unwrap();
        let path = directory.join(NAME);
        let file = create_private_file(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(lock(&file, &path, File::try_lock).unwrap(), Locked::Replaced));
    }

    #[test]
    fn only_a_process_of_the_same_namespace_can_be_seen_to_have_ended() {
        let this = Holder::this("here");
        // No process has an id as large as this.
        let ended = Holder { process: "2147483647".into(), ..this.clone() };
        assert_eq!(Holder::decode(&ended.encode()), ended);
        assert!(ended.has_ended_for(&this) && !this.has_ended_for(&this));
        let elsewhere = Holder { boot: "another".into(), ..ended.clone() };
        let contained = Holder { namespace: "pid:[1]".into(), ..ended.clone() };
        assert!(!elsewhere.has_ended_for(&this) && !contained.has_ended_for(&this));
        assert!(contained.is_on_machine_of(&this) && !elsewhere.is_on_machine_of(&this));
    }
}
