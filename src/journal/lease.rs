//! Says that a run writes a journal, so that no other does at the same time.
//!
//! A file system that hosts share may have no locks, so the run writes a small file again and again. One
//! that was not written for a while is of a run that was killed; so is one of a process of this host that
//! is gone.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often the file is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// How long after that the run is given up.
const LOST_AFTER: Duration = Duration::from_secs(30);
const NAME: &str = "in-use";

/// As long as it lives, no other run takes the journal.
#[derive(Debug)]
pub(crate) struct Lease {
    path: PathBuf,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the journal in this directory for this process of `host`. Returns who has it, if somebody has.
    ///
    /// # Errors
    ///
    /// The system's, if nothing can be written there.
    pub(super) fn take(directory: &Path, host: &str) -> io::Result<Result<Self, String>> {
        let path = directory.join(NAME);
        let words = format!("{host} {}\n", process::id());
        loop {
            match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(words.as_bytes())?;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let Ok(holder) = fs::read_to_string(&path) else { continue };
            if is_held(&path, directory, &holder, host)? {
                return Ok(Err(holder.trim().replace(' ', ", process ")));
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let (stop, stopped) = channel::<()>();
        let again = path.clone();
        let thread = thread::Builder::new().name("journal".into()).spawn(move || {
            while stopped.recv_timeout(WRITE_EVERY) == Err(RecvTimeoutError::Timeout) {
                // If it cannot be written now, it can be the next time.
                let _ = fs::write(&again, &words);
            }
        })?;
        Ok(Ok(Self { path, stop: Some(stop), thread: Some(thread) }))
    }
}

/// Whether the run that wrote the file goes on, as far as can be told.
fn is_held(path: &Path, directory: &Path, holder: &str, host: &str) -> io::Result<bool> {
    if let Some((of, id)) = holder.trim().rsplit_once(' ')
        && of == host
        && !Path::new("/proc").join(id).exists()
    {
        return Ok(false);
    }
    // The clock of the file system counts, not that of this host.
    let probe = directory.join(format!("probe-{}", process::id()));
    fs::write(&probe, b"?")?;
    let now = fs::metadata(&probe)?.modified()?;
    fs::remove_file(&probe)?;
    let Ok(written) = fs::metadata(path).and_then(|file| file.modified()) else { return Ok(false) };
    Ok(now.duration_since(written).unwrap_or_default() < LOST_AFTER)
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It does nothing that can panic.
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn one_run_at_a_time_has_a_journal() {
        let directory = tempfile::tempdir().unwrap();
        let take = |host| Lease::take(directory.path(), host).unwrap();
        let lease = take("here").unwrap();
        assert_eq!(take("there").unwrap_err(), format!("here, process {}", process::id()));
        drop(lease);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        // No process has an id as large as this.
        fs::write(directory.path().join(NAME), "here 2147483647\n").unwrap();
        take("there").unwrap_err();
        drop(take("here").unwrap());
        fs::write(directory.path().join(NAME), "elsewhere 1\n").unwrap();
        let file = fs::File::options().write(true).open(directory.path().join(NAME)).unwrap();
        file.set_modified(SystemTime::now() - 2 * LOST_AFTER).unwrap();
        drop(take("here").unwrap());
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        assert!(Lease::take(Path::new("/no/such/directory"), "here").is_err());
    }
}
