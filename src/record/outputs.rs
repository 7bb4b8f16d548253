//! Which files tell of a run, and how they come to be.

use super::{history::History, report, trace};
use crate::{
    error::{Error, Result, warn},
    files::{
        self,
        claim::{self, Claim, Holder, TryLock},
        whole::{self, Access},
    },
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How names of directories of records end.
const PARTS: &str = ".parts";

/// The files that are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    pub report: Option<PathBuf>,
    pub trace: Option<PathBuf>,
}

impl Outputs {
    /// Creates the directory where ranks leave what they record until the files are written, and claims it. A run that
    /// was killed may have left one of this name: it is replaced. `None` if no file is asked for.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it can't be created, or something else is in its place.
    pub(crate) fn claim_parts(&self, host: &str) -> Result<Option<Claim>> {
        let Some(path) = self.report.as_ref().or(self.trace.as_ref()) else { return Ok(None) };
        // Ranks may have been started in different directories.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        claim_beside(&path, &Holder::this(host), File::try_lock).map(Some).map_err(|source| Error::File {
            message: "what ranks record cannot be kept until the end of the run".into(),
            path: files::with(&path, PARTS),
            source: Arc::new(source),
        })
    }

    /// Sees whether the files can be made, and leaves no trace of that.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if not.
    pub(crate) fn check(&self) -> Result<()> {
        for (what, path) in [("report", &self.report), ("trace", &self.trace)] {
            let Some(path) = path else { continue };
            whole::check(path).map_err(|source| cannot_write(what, path, source))?;
        }
        Ok(())
    }

    /// Makes the files. What was recorded is left in `parts` if that fails.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if one can't be written whole; none of it is left then.
    pub(crate) fn write(&self, history: &History, parts: Option<&Path>) -> Result<()> {
        let left = |error| match (error, parts.filter(|parts| parts.exists())) {
            (Error::File { message, path, source }, Some(parts)) => {
                let message = format!("{message} (what was recorded is left in {})", parts.display());
                Error::File { message, path, source }
            }
            (error, _) => error,
        };
        if let Some(path) = &self.trace {
            write_output("trace", path, |file| trace::write(history, file)).map_err(left)?;
        }
        if let Some(path) = &self.report {
            write_output("report", path, |file| report::write(history, file)).map_err(left)?;
        }
        Ok(())
    }
}

/// Creates the directory beside a file and claims it. In a directory of other users its name cannot be guessed; nor
/// if another run has the usual name.
fn claim_beside(path: &Path, this: &Holder, try_lock: TryLock) -> io::Result<Claim> {
    let parent = files::parent_of(path);
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut prefix = name.to_os_string();
    prefix.push(".");
    for entry in fs::read_dir(parent)?.flatten() {
        if files::is_random_name(&entry.file_name(), &prefix, PARTS)
            && files::check_private(&entry.path()).is_ok()
        {
            Claim::of_left(&entry.path(), this, try_lock).into_iter().for_each(Claim::remove);
        }
    }
    let usual = files::with(path, PARTS);
    if !files::is_shared(parent) {
        if fs::symlink_metadata(&usual).is_ok() {
            files::check_private(&usual)?;
            let left = match usual.join(claim::NAME).exists() {
                true => Claim::of_left(&usual, this, try_lock),
                false => Claim::new(usual.clone(), this, try_lock)?,
            };
            left.into_iter().for_each(Claim::remove);
        }
        match files::create_private(&usual) {
            Ok(()) => {
                if let Some(claim) = Claim::new(usual.clone(), this, try_lock)? {
                    return Ok(claim);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    loop {
        prefix.push(files::random_letters()? + PARTS);
        let directory = parent.join(&prefix);
        files::create_private(&directory)?;
        if let Some(claim) = Claim::new(directory, this, try_lock)? {
            if let Some(error) = claim.no_locks.as_ref().filter(|_| usual.exists()) {
                warn(format_args!(
                    "{} is kept, since its file system has no locks ({error}): remove it if no run uses it",
                    usual.display()
                ));
            }
            return Ok(claim);
        }
        prefix = name.to_os_string();
        prefix.push(".");
    }
}

/// Makes a report from a trace, or from what the ranks of a killed run left.
///
/// # Errors
///
/// [`Error::File`] and [`Error::Decode`] if there is nothing to make it from; [`Error::File`] if it can't be
/// written.
pub fn report_again(record: &Path, report: &Path) -> Result<()> {
    let history = History::read(record)?;
    Outputs { report: Some(report.into()), trace: None }.write(&history, None)
}

fn cannot_write(what: &str, path: &Path, source: io::Error) -> Error {
    Error::File {
        message: format!("the {what} of the run cannot be written"),
        path: path.into(),
        source: Arc::new(source),
    }
}

fn write_output(what: &str, path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    whole::write_whole(path, Access::Usual, write).map_err(|source| cannot_write(what, path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_cannot_be_written_is_told_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("run.html");
        let error = Outputs { report: Some(path.clone()), trace: None }.check().unwrap_err().to_string();
        assert!(error.starts_with("the report of the run cannot be written: "), "{error}");
        assert!(error.contains(path.to_str().unwrap()) && error.lines().count() == 1, "{error}");
        let path = folder.path().join("run.html");
        Outputs { report: Some(path.clone()), trace: Some(path.clone()) }.check().unwrap();
        assert!(!path.exists(), "looking leaves nothing");
        fs::write(&path, "old").unwrap();
        Outputs { report: Some(path.clone()), trace: None }.check().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn a_directory_of_records_is_private_and_replaces_what_a_killed_run_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.html");
        let this = Holder::this("here");
        let claim = || claim_beside(&path, &this, File::try_lock);
        let first = claim().unwrap();
        assert_eq!(first.directory(), folder.path().join("run.html.parts"));
        files::check_private(first.directory()).unwrap();
        let second = claim().unwrap();
        assert_ne!(second.directory(), first.directory(), "the other run goes on");
        for left in [first, second] {
            fs::write(left.directory().join("rank-00000"), "half").unwrap();
            left.abandon();
        }
        let third = claim().unwrap();
        assert_eq!(third.directory(), folder.path().join("run.html.parts"));
        assert_eq!(fs::read_dir(third.directory()).unwrap().count(), 1, "nothing but the claim");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        third.abandon();
        let kept = claim_beside(&path, &this, claim::tests::no_locks).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "without locks it is kept");
        drop(kept);
        drop(claim().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        std::os::unix::fs::symlink("elsewhere", folder.path().join("run.html.parts")).unwrap();
        assert_eq!(claim().unwrap_err().to_string(), "it is a symbolic link");
    }

    #[test]
    fn among_other_users_the_name_of_the_records_cannot_be_guessed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let claim = claim_beside(&folder.path().join("run.html"), &Holder::this("here"), File::try_lock);
        let claim = claim.unwrap();
        let name = claim.directory().file_name().unwrap();
        assert!(files::is_random_name(name, "run.html.".as_ref(), PARTS), "{name:?}");
        files::check_private(claim.directory()).unwrap();
    }
}
