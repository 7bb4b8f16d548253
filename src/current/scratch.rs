//! A worker's scratch directory: private, claimed for as long as the worker lives, removed with it. What killed
//! workers of this host have left is removed when another creates its own.

use crate::{
    error::{Error, Result, warn},
    files::{
        self,
        claim::{self, Claim, Holder, TryLock},
    },
    lock::lock,
    rank::Rank,
};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

/// What tasks get: the claim lies beside it.
const INNER: &str = "scratch";

/// A worker's scratch directory; removed with it.
#[derive(Debug)]
pub(crate) struct Scratch {
    parent: PathBuf,
    rank: Rank,
    host: String,
    try_lock: TryLock,
    made: OnceLock<Result<PathBuf>>,
    claim: Mutex<Option<Claim>>,
}

impl Scratch {
    pub(crate) fn new(parent: PathBuf, rank: Rank, host: String) -> Self {
        let (made, claim) = (OnceLock::new(), Mutex::default());
        Self { parent, rank, host, try_lock: File::try_lock, made, claim }
    }

    pub(super) fn path(&self) -> Result<&Path> {
        let made = self.made.get_or_init(|| self.create());
        made.as_deref().map_err(Clone::clone)
    }

    fn create(&self) -> Result<PathBuf> {
        let this = Holder::this(&self.host);
        let create = || -> io::Result<PathBuf> {
            // A job's script may have made it on its first node only.
            files::create_named(&self.parent)?;
            let prefix = format!("{}{}-rank{}-", self.prefix(), std::process::id(), self.rank);
            loop {
                let directory = files::create_unguessable(&self.parent, &prefix)?;
                if let Some(claim) = Claim::new(directory.clone(), &this, self.try_lock)? {
                    let path = directory.join(INNER);
                    self.sweep(&this, claim.no_locks.as_ref());
                    *lock(&self.claim) = Some(claim);
                    files::create_private(&path)?;
                    return Ok(path);
                }
            }
        };
        create().map_err(|source| self.error(source))
    }

    /// How the directories of this host's processes are called, before their process ids.
    fn prefix(&self) -> String {
        format!("maniple-{}-", self.host)
    }

    /// The directories of other processes of this user and this host, with the processes' numbers.
    fn others(&self) -> impl Iterator<Item = (PathBuf, u32)> {
        let (prefix, user) = (self.prefix(), files::user());
        fs::read_dir(&self.parent).into_iter().flatten().flatten().filter_map(move |entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix(&prefix)?;
            let id = rest.split_once("-rank")?.0.parse().ok()?;
            let found = fs::symlink_metadata(entry.path()).ok()?;
            (found.is_dir() && found.uid() == user).then(|| (entry.path(), id))
        })
    }

    /// Removes what processes of this host have left that were killed. Without locks it says what it finds, since
    /// a process may be one of another namespace.
    fn sweep(&self, this: &Holder, no_locks: Option<&io::Error>) {
        if let Some(error) = no_locks {
            let is_left = |(path, id): &(PathBuf, u32)| {
                !Path::new("/proc").join(id.to_string()).exists() && path.join(claim::NAME).exists()
            };
            if let Some((path, _)) = self.others().find(is_left) {
                warn(format_args!(
                    "rank {} ({}): {} is kept, since its file system has no locks ({error}): remove it if no run \
                     uses it",
                    self.rank,
                    self.host,
                    path.display()
                ));
            }
            return;
        }
        for (path, _) in self.others() {
            match Claim::of_left(&path, this, self.try_lock) {
                Some(claim) => claim.remove(),
                // One without a claim, unless it is empty, is not ours to judge.
                None => drop(fs::remove_dir(&path)),
            }
        }
    }

    /// Says now, rather than in a task, that the directory cannot be made.
    pub(crate) fn check(&self) -> Result<()> {
        self.path().map(|_| ())
    }

    fn error(&self, source: io::Error) -> Error {
        let message = format!(
            "rank {} ({}) cannot make its scratch directory (choose another with MANIPLE_LOCAL_DIRECTORY)",
            self.rank, self.host
        );
        Error::File { message, path: self.parent.clone(), source: Arc::new(source) }
    }

    /// Removes the directory and what is in it.
    pub(crate) fn remove(&self) {
        if let Some(claim) = lock(&self.claim).take() {
            claim.remove();
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(parent: &Path, try_lock: TryLock) -> Scratch {
        let mut scratch = Scratch::new(parent.into(), Rank(0), "here".into());
        scratch.try_lock = try_lock;
        scratch
    }

    fn names(parent: &Path) -> Vec<String> {
        let entries = fs::read_dir(parent).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What the scratch directory of another process of this host looks like.
    fn other(parent: &Path, id: &str) -> (PathBuf, Claim) {
        let path = files::create_unguessable(parent, &format!("maniple-here-{id}-rank3-")).unwrap();
        fs::write(path.join("half-done"), "two hours of work").unwrap();
        let claim = Claim::new(path.clone(), &Holder::this("here"), File::try_lock).unwrap().unwrap();
        (path, claim)
    }

    #[test]
    fn what_killed_processes_left_is_swept_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        // No process has a number as large as this: that of one in another namespace could be any.
        let (alive, _claim) = other(parent.path(), "2147483647");
        let (killed, claim) = other(parent.path(), "1");
        claim.abandon();
        fs::create_dir(parent.path().join("maniple-there-2147483647-rank0-0")).unwrap();
        fs::create_dir_all(parent.path().join("maniple-here-7-rank0-0/unclaimed")).unwrap();
        fs::create_dir(parent.path().join("notes")).unwrap();
        std::os::unix::fs::symlink("notes", parent.path().join("maniple-here-8-rank0-0")).unwrap();
        let before = names(parent.path());
        let scratch = scratch(parent.path(), File::try_lock);
        scratch.check().unwrap();
        drop(scratch);
        assert!(!killed.exists() && alive.join("half-done").exists());
        assert_eq!(names(parent.path()).len(), before.len() - 1);
    }

    #[test]
    fn without_locks_nothing_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let (killed, claim) = other(parent.path(), "2147483647");
        claim.abandon();
        drop(scratch(parent.path(), claim::tests::no_locks).check());
        assert!(killed.join("half-done").exists());
    }

    #[test]
    fn it_is_private_and_has_another_name_each_time() {
        let parent = tempfile::tempdir().unwrap();
        let (first, second) =
            (scratch(parent.path(), File::try_lock), scratch(parent.path(), File::try_lock));
        let (path, again) = (first.path().unwrap(), second.path().unwrap());
        assert_ne!(path, again);
        files::check_private(path).unwrap();
        files::check_private(path.parent().unwrap()).unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
        drop((first, second));
        assert_eq!(names(parent.path()).len(), 0);
    }
}
