//! A file without a name that values are spilled to.

use super::{
    Disk,
    extents::{Extent, Extents},
};
use crate::{files, host::machine, lock::lock};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

/// Disk space that is left to others.
const RESERVE_BYTES: u64 = 64 << 20;

/// Where values may be spilled to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpillPlace {
    /// To a disk of the node; to no network and to no file system that is itself in memory.
    #[default]
    Local,
    /// To whatever the local directory is on.
    Anywhere,
    /// Nowhere.
    Nowhere,
}

impl std::str::FromStr for SpillPlace {
    type Err = crate::Error;

    /// Reads `local`, `anywhere` or `nowhere`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "local" => Ok(Self::Local),
            "anywhere" => Ok(Self::Anywhere),
            "nowhere" => Ok(Self::Nowhere),
            text => Err(crate::Error::Option(format!("{text:?} is not local, anywhere or nowhere"))),
        }
    }
}

/// The file that a rank spills values to; made when the first one is written.
#[derive(Debug)]
pub(crate) struct SpillFile {
    directory: PathBuf,
    place: SpillPlace,
    file: OnceLock<Result<File, String>>,
    extents: Mutex<Extents>,
}

impl SpillFile {
    /// A file in this directory.
    pub(crate) fn new(directory: PathBuf, place: SpillPlace) -> Self {
        Self { directory, place, file: OnceLock::new(), extents: Mutex::default() }
    }

    fn file(&self) -> io::Result<&File> {
        let file = self.file.get_or_init(|| {
            if self.place == SpillPlace::Nowhere {
                return Err("MANIPLE_SPILL=nowhere".into());
            }
            let trouble = |error| format!("{}: {error}", self.directory.display());
            // A job's script may have made it on its first node only.
            files::create_named(&self.directory).map_err(trouble)?;
            check_place(&self.directory, self.place)?;
            open(&self.directory).map_err(trouble)
        });
        file.as_ref().map_err(|words| io::Error::other(words.clone()))
    }

    fn write_at(&self, bytes: &[u8], extent: Extent) -> io::Result<()> {
        let file = self.file()?;
        if let Some((_, free)) = machine::space(&self.directory)
            && free < bytes.len() as u64 + RESERVE_BYTES
        {
            let words = format!("{} is full", self.directory.display());
            return Err(io::Error::new(io::ErrorKind::StorageFull, words));
        }
        file.write_all_at(bytes, extent.offset)
    }
}

/// Says why nothing may be spilled there, if so.
fn check_place(directory: &Path, place: SpillPlace) -> Result<(), String> {
    let remedy = "choose a directory on a disk of the node with MANIPLE_LOCAL_DIRECTORY, \
                  or say MANIPLE_SPILL=anywhere";
    if place == SpillPlace::Anywhere {
        return Ok(());
    }
    let Some(kind) = machine::file_system(directory) else { return Ok(()) };
    match kind.as_str() {
        "tmpfs" | "ramfs" => {
            Err(format!("{} is on {kind}, which is memory itself: {remedy}", directory.display()))
        }
        kind if machine::is_network_file_system(kind) => {
            Err(format!("{} is on {kind}, a network: {remedy}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// A new file without a name.
fn open(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(files::FILE_MODE);
    match options.custom_flags(libc::O_TMPFILE | libc::O_CLOEXEC).open(directory) {
        Ok(file) => return Ok(file),
        // Not every file system can.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
        Err(error) if error.raw_os_error() == Some(libc::EISDIR) => {}
        Err(error) => return Err(error),
    }
    let path = directory.join(format!("maniple-spill-{}", files::random_letters()?));
    let file = files::create_private_file(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

impl Disk for SpillFile {
    fn write(&self, bytes: &[u8]) -> io::Result<Extent> {
        let extent = lock(&self.extents).take(bytes.len() as u64);
        self.write_at(bytes, extent).inspect_err(|_| self.free(extent))?;
        Ok(extent)
    }

    fn read(&self, extent: Extent, bytes: &mut [u8]) -> io::Result<()> {
        self.file()?.read_exact_at(bytes, extent.offset)
    }

    fn free(&self, extent: Extent) {
        let mut extents = lock(&self.extents);
        let end = extents.give_back(extent);
        let Ok(file) = self.file() else { return };
        // Under the lock: nobody else may have got the range by now. Where the disk space cannot be
        // given back, it is used again for other values.
        match end {
            Some(end) => drop(file.set_len(end)),
            None => machine::punch_hole(file, extent.offset, extent.length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spill_file_has_no_name_and_gives_its_space_back() {
        let directory = tempfile::tempdir().unwrap();
        let file = SpillFile::new(directory.path().into(), SpillPlace::Anywhere);
        let (first, second) = (file.write(&[1; 10_000]).unwrap(), file.write(&[2; 10_000]).unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let mut read = [0; 10_000];
        file.read(second, &mut read).unwrap();
        assert_eq!(read, [2; 10_000]);
        file.free(second);
        file.free(first);
        assert_eq!(file.file().unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn memory_and_networks_are_refused_unless_asked_for() {
        let shared_memory = Path::new("/dev/shm");
        if shared_memory.exists() {
            let refused = SpillFile::new(shared_memory.into(), SpillPlace::Local).write(&[1]).unwrap_err();
            assert!(refused.to_string().contains("memory itself"), "{refused}");
            SpillFile::new(shared_memory.into(), SpillPlace::Anywhere).write(&[1]).unwrap();
        }
        let nowhere = SpillFile::new("/tmp".into(), SpillPlace::Nowhere).write(&[1]).unwrap_err();
        assert!(nowhere.to_string().contains("MANIPLE_SPILL"), "{nowhere}");
    }

    #[test]
    fn a_directory_that_cannot_be_is_told() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        let file = SpillFile::new(directory.path().join("file/below"), SpillPlace::Anywhere);
        assert!(file.write(&[1]).unwrap_err().to_string().contains("file/below"));
    }

    #[test]
    fn a_directory_that_only_other_nodes_have_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let file = SpillFile::new(directory.path().join("jobs/7"), SpillPlace::Anywhere);
        file.write(&[1]).unwrap();
    }
}
