//! Which files an array is read from, and whether they are still what they were.
//!
//! The tasks that make the blocks of an array read its files long after the array was made, maybe more than
//! once. So the array remembers each file's identity, and a task fails if the file is another one by then.

use crate::array::graph::node::{Kind, Node};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use std::{fs::Metadata, io, os::unix::fs::MetadataExt, path::Path, sync::Arc};

/// The identity of a file, and of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }

    /// Whether both are the same file, whatever is in it. Only identities that one host has seen can be
    /// compared: hosts number their file systems on their own.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Whether this is the same file with the same content, as far as any host can see.
    fn is_unchanged(&self, other: &Self) -> bool {
        let seen = |id: &Self| (id.inode, id.bytes, id.modified_s, id.modified_ns);
        seen(self) == seen(other)
    }

    /// Checks that a file is the one that the array was made from.
    ///
    /// # Errors
    ///
    /// Says that the file was replaced, or that it was changed.
    pub(crate) fn check(&self, metadata: &Metadata) -> io::Result<()> {
        let found = Self::of(metadata);
        if found.is_unchanged(self) {
            return Ok(());
        }
        Err(changed(if found.inode == self.inode { "was changed" } else { "was replaced" }))
    }

    /// Checks that a file is the one that is being written, whatever is in it.
    ///
    /// # Errors
    ///
    /// Says that another run writes there.
    pub(crate) fn check_written(&self, metadata: &Metadata) -> io::Result<()> {
        if metadata.ino() == self.inode {
            return Ok(());
        }
        Err(io::Error::other(
            "another run has begun to write the same array: give each run a name of its own",
        ))
    }
}

/// A file is not what it was when the array was made.
#[derive(Debug)]
pub(crate) struct Changed(String);

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Changed {}

/// The error of a file that was changed, or replaced, or removed.
pub(crate) fn changed(how: &str) -> io::Error {
    io::Error::other(Changed(format!(
        "the file {how} after the array was made from it: make the array again"
    )))
}

/// Refuses to write to a path whose file the array is read from, also by another name of the file.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if it is such a file.
pub(crate) fn check_target(node: &Arc<Node>, path: &Path) -> io::Result<()> {
    // Where nothing is, nothing can be overwritten.
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let target = FileId::of(&metadata);
    match sources(node).iter().any(|source| source.is_same_file(&target)) {
        false => Ok(()),
        true => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the array is read from this file, which would change while it is read: choose another name",
        )),
    }
}

/// The files and directories that the blocks of an array will be read from.
fn sources(node: &Arc<Node>) -> Vec<FileId> {
    let (mut found, mut seen, mut open) = (Vec::new(), FxHashSet::default(), vec![node]);
    while let Some(node) = open.pop() {
        if !seen.insert(Arc::as_ptr(node)) {
            continue;
        }
        if let Kind::Output(custom, _) = &node.kind {
            found.extend(custom.source);
        }
        open.extend(node.inputs());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Duration};

    #[test]
    fn a_file_is_told_from_one_that_took_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let [path, link, other] = ["a", "b", "c"].map(|name| directory.path().join(name));
        fs::write(&path, "12345").unwrap();
        let id = FileId::of(&fs::metadata(&path).unwrap());
        id.check(&fs::metadata(&path).unwrap()).unwrap();
        fs::hard_link(&path, &link).unwrap();
        assert!(id.is_same_file(&FileId::of(&fs::metadata(&link).unwrap())));
        let words = |path: &Path| id.check(&fs::metadata(path).unwrap()).unwrap_err().to_string();
        // The same length, another time.
        let file = fs::File::options().write(true).open(&path).unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        file.set_modified(time + Duration::from_nanos(1)).unwrap();
        assert!(words(&path).contains("was changed"));
        file.set_modified(time).unwrap();
        id.check(&fs::metadata(&path).unwrap()).unwrap();
        file.set_len(4).unwrap();
        assert!(words(&path).contains("was changed"));
        fs::write(&other, "12345").unwrap();
        assert!(words(&other).contains("was replaced"));
        assert!(id.check_written(&fs::metadata(&path).unwrap()).is_ok());
        assert!(id.check_written(&fs::metadata(&other).unwrap()).is_err());
    }
}
