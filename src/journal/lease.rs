//! Says that a run writes a journal, so that no other does at the same time.
//!
//! The run holds a lock on a small file of the directory. A file system that hosts share may have no locks, or
//! locks that other hosts cannot see, so the run also writes the file again and again. One that is not locked and
//! was not written for a while is of a run that was killed; so is one of a process of this machine whose lock is
//! gone.

use crate::{
    error::warn,
    files::{
        self,
        claim::{self, Holder, Locked, TryLock},
    },
};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often the file is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// How long after that the run is given up.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// Files that live for a moment.
const PROBE: &str = "probe-";
const STALE: &str = "stale-";
const NEW: &str = "new-";

/// As long as it lives, no other run takes the journal.
#[derive(Debug)]
pub(crate) struct Lease {
    path: PathBuf,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    /// Has the locked file.
    thread: Option<JoinHandle<File>>,
}

impl Lease {
    /// Takes the journal in this directory for this process of `host`. Returns who has it, if somebody has.
    ///
    /// # Errors
    ///
    /// The system's, if nothing can be written there.
    pub(super) fn take(directory: &Path, host: &str) -> io::Result<Result<Self, String>> {
        Self::take_with(directory, &Holder::this(host), File::try_lock)
    }

    fn take_with(directory: &Path, this: &Holder, try_lock: TryLock) -> io::Result<Result<Self, String>> {
        let path = directory.join(claim::NAME);
        loop {
            match create(directory, &path, this) {
                Ok(file) => match claim::lock(&file, &path, try_lock)? {
                    Locked::Yes => return Self::hold(file, path, this).map(Ok),
                    Locked::NoLocks(error) => {
                        warn(format_args!(
                            "the journal {} is on a file system without locks ({error}): should this run be \
                             killed, the next can have it after {} s",
                            directory.display(),
                            LOST_AFTER.as_secs()
                        ));
                        return Self::hold(file, path, this).map(Ok);
                    }
                    Locked::Held => return Ok(Err("it has just begun".into())),
                    Locked::Replaced => {}
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if let Some(holder) = remove_stale(directory, &path, this, try_lock)? {
                        return Ok(Err(holder));
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the file, and goes on to do so.
    fn hold(file: File, path: PathBuf, this: &Holder) -> io::Result<Self> {
        let words = this.encode();
        file.write_all_at(words.as_bytes(), 0)?;
        remove_left(files::parent_of(&path));
        let (stop, stopped) = channel::<()>();
        let thread = thread::Builder::new().name("journal".into()).spawn(move || {
            while stopped.recv_timeout(WRITE_EVERY) == Err(RecvTimeoutError::Timeout) {
                // If it cannot be written now, it can be the next time. Other hosts must see it soon.
                let _ = file.write_all_at(words.as_bytes(), 0).and_then(|()| file.sync_data());
            }
            file
        })?;
        Ok(Self { path, stop: Some(stop), thread: Some(thread) })
    }
}

/// Creates the file, unless there is one. It says from the start whose it is, where the file system has links.
fn create(directory: &Path, path: &Path, this: &Holder) -> io::Result<File> {
    let new = directory.join(format!("{NEW}{}", files::random_letters()?));
    let file = files::create_private_file(&new)?;
    let linked = file.write_all_at(this.encode().as_bytes(), 0).and_then(|()| fs::hard_link(&new, path));
    fs::remove_file(&new)?;
    match linked {
        Ok(()) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => files::create_private_file(path),
    }
}

/// Removes the file if it is of a run that has ended. Returns who has the journal, as far as can be told.
fn remove_stale(
    directory: &Path,
    path: &Path,
    this: &Holder,
    try_lock: TryLock,
) -> io::Result<Option<String>> {
    let file = match claim::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let holder = Holder::decode(&claim::read(&file)?);
    let words = || format!("{}, process {}", holder.host, holder.process);
    let has_ended = match claim::lock(&file, path, try_lock)? {
        Locked::Held => return Ok(Some(words())),
        Locked::Replaced => return Ok(None),
        Locked::Yes => holder.is_on_machine_of(this),
        Locked::NoLocks(_) => holder.has_ended_for(this),
    };
    if !has_ended && is_fresh(&file, directory)? {
        return Ok(Some(words()));
    }
    // Another run may do the same, and have its own file there by now: that must not be lost.
    let stale = directory.join(format!("{STALE}{}", files::random_letters()?));
    match fs::rename(path, &stale) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        renamed => renamed?,
    }
    if !claim::is_at(&file, &stale)? && fs::hard_link(&stale, path).is_err() {
        return fs::rename(&stale, path).map(|()| None);
    }
    fs::remove_file(&stale)?;
    Ok(None)
}

/// Whether the file was written a short time ago. The clock of the file system counts, not that of this host.
fn is_fresh(file: &File, directory: &Path) -> io::Result<bool> {
    let probe = directory.join(format!("{PROBE}{}", files::random_letters()?));
    let now = files::create_private_file(&probe)
        .and_then(|mut file| file.write_all(b"?").and_then(|()| file.metadata()?.modified()));
    fs::remove_file(&probe)?;
    Ok(now?.duration_since(file.metadata()?.modified()?).unwrap_or_default() < LOST_AFTER)
}

/// Removes what runs that were killed have left besides their results.
fn remove_left(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if [PROBE, STALE, NEW].iter().any(|prefix| files::is_random_name(&name, prefix.as_ref(), "")) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop.take();
        // The thread does nothing that can panic.
        if let Some(file) = self.thread.take().and_then(|thread| thread.join().ok())
            && claim::is_at(&file, &self.path).unwrap_or(false)
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claim::tests::no_locks;
    use std::time::SystemTime;

    fn take(directory: &Path, this: &Holder, try_lock: TryLock) -> Result<Lease, String> {
        Lease::take_with(directory, this, try_lock).unwrap()
    }

    /// A holder of this machine, one of it in another namespace, and one of another machine; none of them is there.
    fn holders() -> [Holder; 3] {
        // No process has a number as large as this.
        let this = Holder { process: "2147483647".into(), ..Holder::this("here") };
        let contained = Holder { namespace: "pid:[1]".into(), ..this.clone() };
        [this.clone(), contained, Holder { boot: "another".into(), host: "there".into(), ..this }]
    }

    /// Leaves the file of a run that was killed, so long after it was written.
    fn leave(directory: &Path, holder: &Holder, age: Duration) {
        fs::write(directory.join(claim::NAME), holder.encode()).unwrap();
        let file = File::options().write(true).open(directory.join(claim::NAME)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn one_run_at_a_time_has_a_journal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let words = format!("here, process {}", std::process::id());
        for try_lock in [File::try_lock, no_locks as TryLock] {
            let lease = take(path, &Holder::this("here"), try_lock).unwrap();
            assert_eq!(take(path, &Holder::this("there"), try_lock).unwrap_err(), words);
            drop(lease);
            assert_eq!(fs::read_dir(path).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_process_of_another_namespace_cannot_take_a_journal_that_is_locked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let [ended, ..] = holders();
        // Whatever its number says, and although it has not been written for long.
        let _lease = take(path, &ended, File::try_lock).unwrap();
        let file = File::options().write(true).open(path.join(claim::NAME)).unwrap();
        file.set_modified(SystemTime::now() - 2 * LOST_AFTER).unwrap();
        take(path, &Holder::this("here"), File::try_lock).unwrap_err();
    }

    #[test]
    fn the_journal_of_a_killed_run_is_free_as_soon_as_that_is_certain() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let this = Holder::this("here");
        let [ended, contained, elsewhere] = holders();
        for (try_lock, holder, is_free) in [
            (File::try_lock as TryLock, &ended, true),
            (File::try_lock, &contained, true),
            (File::try_lock, &elsewhere, false),
            (no_locks, &ended, true),
            (no_locks, &contained, false),
            (no_locks, &elsewhere, false),
        ] {
            leave(path, holder, Duration::ZERO);
            assert_eq!(take(path, &this, try_lock).is_ok(), is_free, "{holder:?}");
            leave(path, holder, 2 * LOST_AFTER);
            drop(take(path, &this, try_lock).unwrap());
            assert_eq!(fs::read_dir(path).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        assert!(Lease::take(Path::new("/no/such/directory"), "here").is_err());
    }
}
