//! Which files tell of a run, and how they come to be.

use super::{history::History, report, trace};
use crate::error::{Error, Result};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The files that are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    pub report: Option<PathBuf>,
    pub trace: Option<PathBuf>,
}

impl Outputs {
    /// Where ranks leave what they record until the files are made. `None` if none is asked for.
    pub(crate) fn parts(&self) -> Option<PathBuf> {
        let path = self.report.as_ref().or(self.trace.as_ref())?;
        // Ranks may have been started in different directories.
        Some(with(&std::path::absolute(path).unwrap_or_else(|_| path.clone()), ".parts"))
    }

    /// Sees whether the files can be made, and leaves no trace of that.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if not.
    pub(crate) fn check(&self) -> Result<()> {
        for (what, path) in [("report", &self.report), ("trace", &self.trace)] {
            let Some(path) = path else { continue };
            let is_new = !path.exists();
            let opened = OpenOptions::new().append(true).create(true).open(path);
            opened.map_err(|source| cannot_write(what, path, source))?;
            if is_new {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Makes the files.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if one can't be written whole; none of it is left then.
    pub(crate) fn write(&self, history: &History) -> Result<()> {
        let left = |error| match (error, self.parts().filter(|parts| parts.exists())) {
            (Error::File { message, path, source }, Some(parts)) => {
                let message = format!("{message} (what was recorded is left in {})", parts.display());
                Error::File { message, path, source }
            }
            (error, _) => error,
        };
        if let Some(path) = &self.trace {
            write_whole("trace", path, |file| trace::write(history, file)).map_err(left)?;
        }
        if let Some(path) = &self.report {
            write_whole("report", path, |file| report::write(history, file)).map_err(left)?;
        }
        Ok(())
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
    Outputs { report: Some(report.into()), trace: None }.write(&history)
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(end);
    name.into()
}

fn cannot_write(what: &str, path: &Path, source: io::Error) -> Error {
    Error::File {
        message: format!("the {what} of the run cannot be written"),
        path: path.into(),
        source: Arc::new(source),
    }
}

/// Writes a file beside the path and puts it there when it is whole. What is no plain file is written to.
fn write_whole(what: &str, path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let is_plain = fs::metadata(path).map_or(true, |found| found.is_file());
    let target = if is_plain { with(path, ".unfinished") } else { path.to_path_buf() };
    let written = File::create(&target).and_then(|file| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush()?;
        if is_plain { fs::rename(&target, path) } else { Ok(()) }
    });
    if written.is_err() && is_plain {
        let _ = fs::remove_file(&target);
    }
    written.map_err(|source| cannot_write(what, path, source))
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
    fn of_a_file_that_cannot_be_written_whole_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.html");
        let full = |_: &mut dyn Write| Err(io::ErrorKind::StorageFull.into());
        let error = write_whole("report", &path, full).unwrap_err().to_string();
        assert!(error.starts_with("the report of the run cannot be written"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
