//! `maniple report`: a report made again, from the trace of a run or from what a killed run left.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What `maniple report` is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The trace of a run, or the directory, called as its file with '.parts' at its end, that is left of a
    /// run that was killed
    record: PathBuf,
    /// Where to write the report [default: the record's name with '.html' at its end]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let output = options.output.clone().unwrap_or_else(|| beside(&options.record));
    maniple::report_again(&options.record, &output)?;
    println!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}

/// `run.json` becomes `run.html`, `run.html.parts` becomes `run.html`.
fn beside(record: &Path) -> PathBuf {
    let mut without = record.with_extension("");
    let is_random = |end: &std::ffi::OsStr| {
        end.len() == 16 && end.to_string_lossy().chars().all(|c| c.is_ascii_hexdigit())
    };
    if without.extension().is_some_and(is_random) {
        // The name was not to be guessed.
        without = without.with_extension("");
    }
    if record.extension().is_some_and(|extension| extension == "parts") {
        return if without.extension().is_some_and(|extension| extension == "html") {
            without
        } else {
            without.with_extension("html")
        };
    }
    record.with_extension("html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_named_after_its_record() {
        for (record, report) in [
            ("a/run.json", "a/run.html"),
            ("run.trace", "run.html"),
            ("run.html.parts", "run.html"),
            ("run.json.parts/", "run.html"),
            ("run.html.0123456789abcdef.parts", "run.html"),
        ] {
            assert_eq!(beside(Path::new(record)), Path::new(report));
        }
    }
}
