//! Files and directories of a run: private to its user, claimed by one run at a time, and written whole or not
//! at all. Knows nothing of ranks, tasks or values.

pub(crate) mod claim;
pub(crate) mod whole;

use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Permissions of a private directory, and of the files in it.
const DIRECTORY_MODE: u32 = 0o700;
pub(crate) const FILE_MODE: u32 = 0o600;

/// The user that this process acts for.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// 16 hexadecimal digits that nobody can guess.
pub(crate) fn random_letters() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// Whether a name continues `prefix` with what [`random_letters`] returns and ends in `suffix`.
pub(crate) fn is_random_name(name: &OsStr, prefix: &OsStr, suffix: &str) -> bool {
    let name = name.as_encoded_bytes();
    let rest = name.strip_prefix(prefix.as_encoded_bytes());
    let letters = rest.and_then(|rest| rest.strip_suffix(suffix.as_bytes()));
    letters.is_some_and(|letters| letters.len() == 16 && letters.iter().all(u8::is_ascii_hexdigit))
}

/// Appends to a path's last component.
pub(crate) fn with(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(end);
    name.into()
}

/// Creates a new private directory.
///
/// # Errors
///
/// As `mkdir`: also if there is anything at the path, whoever owns it.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path)
}

/// Creates a new private directory whose name begins with `prefix` and cannot be guessed.
///
/// # Errors
///
/// As `mkdir`.
pub(crate) fn create_unguessable(parent: &Path, prefix: &str) -> io::Result<PathBuf> {
    let path = parent.join(format!("{prefix}{}", random_letters()?));
    create_private(&path)?;
    Ok(path)
}

/// Creates a directory that the user named, and those above it that are missing. One that exists stays as it is.
///
/// # Errors
///
/// As `mkdir`.
pub(crate) fn create_named(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Creates a file that only this user can read and write.
///
/// # Errors
///
/// As `open`: also if there is anything at the path, even a symbolic link.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Opens a file to read it, unless it is a symbolic link.
///
/// # Errors
///
/// As `open`.
pub(crate) fn open_no_link(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Checks that there is a directory at the path that belongs to this user and to which nobody else has access.
///
/// # Errors
///
/// Says what is there instead.
pub(crate) fn check_private(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let mode = found.mode() & 0o777;
    refuse(match () {
        () if found.is_symlink() => Some("it is a symbolic link".into()),
        () if !found.is_dir() => Some("it is no directory".into()),
        () if found.uid() != user() => Some(format!("it belongs to another user ({})", found.uid())),
        () if mode & 0o077 != 0 => Some(format!("other users have access to it (mode {mode:o})")),
        () => None,
    })
}

/// Checks that nobody else can replace files in a directory that the user named, other than members of its group.
/// The user's own symbolic link may lead there.
///
/// # Errors
///
/// Says why the directory is not safe.
pub(crate) fn check_named(path: &Path) -> io::Result<()> {
    let is_foreign = |owner: u32| owner != user() && owner != 0;
    let link = fs::symlink_metadata(path)?;
    let found = fs::metadata(path)?;
    let mode = found.mode() & 0o7777;
    refuse(match () {
        () if is_foreign(link.uid()) && link.is_symlink() => {
            Some(format!("it is a symbolic link of another user ({})", link.uid()))
        }
        () if !found.is_dir() => Some("it is no directory".into()),
        () if is_foreign(found.uid()) => Some(format!("it belongs to another user ({})", found.uid())),
        () if mode & 0o002 != 0 => Some(format!("every user can write to it (mode {mode:o})")),
        () => None,
    })
}

fn refuse(reason: Option<String>) -> io::Result<()> {
    reason.map_or(Ok(()), |reason| Err(io::Error::new(io::ErrorKind::PermissionDenied, reason)))
}

/// Whether users other than this one, and not only its group, can create files in a directory.
pub(crate) fn is_shared(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|found| found.mode() & 0o002 != 0 || found.uid() != user())
}

/// The directory that holds a file.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt, chown, symlink},
    };

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn directories_and_files_are_private_and_never_taken_over() {
        let parent = tempfile::tempdir().unwrap();
        let first = create_unguessable(parent.path(), "run-").unwrap();
        let second = create_unguessable(parent.path(), "run-").unwrap();
        assert_ne!(first, second);
        assert!(is_random_name(first.file_name().unwrap(), "run-".as_ref(), ""));
        assert!(!is_random_name("run-7".as_ref(), "run-".as_ref(), ""));
        assert_eq!((mode(&first), mode(&second)), (0o700, 0o700));
        assert_eq!(create_private(&first).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let file = first.join("file");
        create_private_file(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        assert_eq!(create_private_file(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        symlink("elsewhere", second.join("link")).unwrap();
        create_private_file(&second.join("link")).unwrap_err();
        create_private(&second.join("link")).unwrap_err();
        assert!(!second.join("elsewhere").exists(), "no link is followed");
        open_no_link(&second.join("link")).unwrap_err();
        create_named(&first.join("above/below")).unwrap();
        assert_eq!((mode(&first.join("above")), mode(&first.join("above/below"))), (0o700, 0o700));
    }

    #[test]
    fn what_is_not_safe_is_refused_with_the_reason() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("directory");
        let named = |path: &Path| check_named(path).unwrap_err().to_string();
        let private = |path: &Path| check_private(path).unwrap_err().to_string();
        create_private(&path).unwrap();
        check_private(&path).unwrap();
        check_named(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o770)).unwrap();
        check_named(&path).unwrap();
        assert_eq!(private(&path), "other users have access to it (mode 770)");
        fs::set_permissions(&path, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(named(&path), "every user can write to it (mode 1777)");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        let link = parent.path().join("link");
        symlink(&path, &link).unwrap();
        check_named(&link).unwrap();
        assert_eq!(private(&link), "it is a symbolic link");
        let file = parent.path().join("file");
        create_private_file(&file).unwrap();
        assert_eq!(
            (named(&file), private(&file)),
            ("it is no directory".into(), "it is no directory".into())
        );
        // Only root can give files away.
        if user() == 0 {
            std::os::unix::fs::lchown(&link, Some(65533), None).unwrap();
            assert_eq!(named(&link), "it is a symbolic link of another user (65533)");
            chown(&path, Some(65533), None).unwrap();
            let reason = "it belongs to another user (65533)";
            assert_eq!((named(&path), private(&path)), (reason.into(), reason.into()));
            assert!(is_shared(&path));
        }
    }
}
