//! Writes files so that whoever reads one finds all of it or what was there before.

use super::{
    FILE_MODE,
    claim::{self, Locked},
    is_random_name, parent_of, random_letters,
};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

const SUFFIX: &str = ".unfinished";
/// The longest part of a file's name in that of the unfinished file; names end at 255 bytes.
const NAME_BYTES_MAX: usize = 200;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever the user's umask lets.
    Usual,
    /// This user.
    Private,
}

/// Writes a file under another name in its directory, and gives it its name once it is whole: a file that was there
/// is replaced then, and keeps its permissions. Files that killed processes left unfinished are removed. What is no
/// plain file, such as a terminal, is written to.
///
/// # Errors
///
/// The system's, if the file cannot be written whole; nothing is left of it then.
pub(crate) fn write_whole(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let Some(target) = Target::of(path)? else {
        let mut file = BufWriter::new(OpenOptions::new().write(true).open(path)?);
        write(&mut file)?;
        return file.flush();
    };
    target.sweep();
    let (unfinished, file) = target.create(access)?;
    let written = || {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        // Else the name could outlast a crash of the host that the contents do not.
        file.sync_data()?;
        fs::rename(&unfinished, &target.path)
    };
    written().inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

/// Sees whether a file could be written, and leaves no trace of that.
///
/// # Errors
///
/// The system's, if not.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    let Some(target) = Target::of(path)? else {
        return OpenOptions::new().write(true).open(path).map(drop);
    };
    let (unfinished, _) = target.create(Access::Private)?;
    fs::remove_file(unfinished)
}

/// A plain file that is to be written.
struct Target {
    path: PathBuf,
    /// Of the file that is there.
    permissions: Option<Permissions>,
    /// How names of unfinished files begin.
    prefix: OsString,
}

impl Target {
    /// `None` if there is something that is no plain file.
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let path = follow(path)?;
        let permissions = match fs::metadata(&path) {
            Ok(found) if !found.is_file() && !found.is_dir() => return Ok(None),
            Ok(found) => {
                // Who has made it read-only wants to keep it.
                OpenOptions::new().write(true).open(&path)?;
                Some(Permissions::from_mode(found.mode() & 0o777))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
        let mut end = name.len().min(NAME_BYTES_MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let prefix = format!(".{}.", &name[..end]).into();
        Ok(Some(Self { path, permissions, prefix }))
    }

    fn create(&self, access: Access) -> io::Result<(PathBuf, File)> {
        let mode = if access == Access::Private || self.permissions.is_some() { FILE_MODE } else { 0o666 };
        let (unfinished, file) = loop {
            let mut name = self.prefix.clone();
            name.push(random_letters()? + SUFFIX);
            let unfinished = parent_of(&self.path).join(name);
            let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
            // Says that somebody is at it, unless somebody was faster to take it for one that was left.
            match claim::lock(&file, &unfinished, File::try_lock)? {
                Locked::Yes | Locked::NoLocks(_) => break (unfinished, file),
                Locked::Held | Locked::Replaced => {}
            }
        };
        if let Some(permissions) = &self.permissions {
            // Some file systems have none.
            let _ = file.set_permissions(permissions.clone());
        }
        Ok((unfinished, file))
    }

    /// Removes what processes that were killed have left of this file.
    fn sweep(&self) {
        for entry in fs::read_dir(parent_of(&self.path)).into_iter().flatten().flatten() {
            if !is_random_name(&entry.file_name(), &self.prefix, SUFFIX) {
                continue;
            }
            let left = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(entry.path());
            if left.is_ok_and(|left| left.try_lock().is_ok()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Where a symbolic link leads, so that it is not replaced itself.
fn follow(path: &Path) -> io::Result<PathBuf> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        return Ok(path.into());
    }
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(parent_of(path).join(fs::read_link(path)?))
        }
        target => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn put(path: &Path, text: &str) {
        write_whole(path, Access::Usual, |file| file.write_all(text.as_bytes())).unwrap();
    }

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.html");
        let full = |file: &mut dyn Write| {
            file.write_all(b"half")?;
            file.flush()?;
            Err(io::ErrorKind::StorageFull.into())
        };
        write_whole(&path, Access::Usual, full).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        put(&path, "old");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write_whole(&path, Access::Usual, |file| {
            file.write_all(b"new")?;
            file.flush()?;
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            Ok(())
        })
        .unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("new", 0o640));
        let private = folder.path().join("private");
        write_whole(&private, Access::Private, |_| Ok(())).unwrap();
        assert_eq!(mode(&private), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_dead_writers_left_is_removed_and_what_living_ones_write_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        let target = Target::of(&path).unwrap().unwrap();
        let (dead, file) = target.create(Access::Usual).unwrap();
        drop(file);
        let (alive, _file) = target.create(Access::Usual).unwrap();
        put(&path, "whole");
        assert!(!dead.exists() && alive.exists());
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    }

    #[test]
    fn links_and_what_is_no_file_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (link, path) = (folder.path().join("link"), folder.path().join("file"));
        std::os::unix::fs::symlink("file", &link).unwrap();
        put(&link, "first");
        put(&link, "second");
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        put(Path::new("/dev/null"), "nothing");
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let refused = write_whole(folder.path(), Access::Usual, |_| Ok(())).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::IsADirectory);
        check(&folder.path().join("none/file")).unwrap_err();
        check(&folder.path().join("new")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
