//! Programs in OpenCL C: each is built once a rank, and its binary kept for the next run.

use super::opencl::status_name;
use crate::{
    error::{Error, Result},
    files::{
        self,
        whole::{Access, write_whole},
    },
    lock::lock,
};
use ocl::{
    Context, Device,
    core::{self, Program, ProgramBuildInfo, ProgramBuildInfoResult, ProgramInfo, ProgramInfoResult},
};
use rustc_hash::{FxHashMap, FxHasher};
use serde_bytes::ByteBuf;
use std::{
    ffi::CString,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

/// Built programs, by their text and options.
pub(super) struct Programs {
    context: Context,
    device: Device,
    /// What a binary is good for, besides its text and options: device and driver.
    machine: String,
    /// Where binaries are kept, if they can be.
    folder: Option<PathBuf>,
    built: Mutex<FxHashMap<String, Slot>>,
}

/// A program that is built, or that the first who asks for it builds.
type Slot = Arc<OnceLock<Result<Program, String>>>;

impl Programs {
    /// Keeps binaries below `parent`, a directory of this host.
    pub(super) fn new(context: Context, device: Device, machine: String, parent: &Path) -> Self {
        let folder = own_folder(parent);
        Self { context, device, machine, folder, built: Mutex::default() }
    }

    /// The program with this text. `name` is the kernel that it is built for, in the error.
    pub(super) fn get(&self, name: &str, source: &str, options: &str) -> Result<Program> {
        let key = format!("{}\n{options}\n{source}", self.machine);
        let slot = Arc::clone(lock(&self.built).entry(key.clone()).or_default());
        let built = slot.get_or_init(|| self.build(&key, source, options));
        built.clone().map_err(|words| Error::Device(format!("kernel {name:?} does not compile for {words}")))
    }

    fn build(&self, key: &str, source: &str, options: &str) -> Result<Program, String> {
        let options = c_string(options)?;
        let file = self.folder.as_ref().map(|folder| folder.join(format!("{:016x}", hash(key))));
        if let Some(program) = file.as_ref().and_then(|file| self.kept_program(file, key, &options)) {
            return Ok(program);
        }
        let program =
            core::create_program_with_source(&self.context, &[c_string(source)?]).map_err(|error| {
                self.words(&error.api_status().map_or(String::new(), |s| status_name(s as i32)))
            })?;
        let outcome = core::build_program(&program, Some(&[self.device]), &options, None, None);
        if outcome.is_err() || !self.is_built(&program) {
            return Err(self.words(&self.log(&program)));
        }
        if let Some(file) = file {
            keep(&program, &file, key);
        }
        Ok(program)
    }

    fn words(&self, log: &str) -> String {
        let name = self.device.name().unwrap_or_default();
        let log = log.trim();
        format!("{name}: {}", if log.is_empty() { "its compiler says nothing" } else { log })
    }

    fn log(&self, program: &Program) -> String {
        match core::get_program_build_info(program, self.device.as_core(), ProgramBuildInfo::BuildLog) {
            Ok(ProgramBuildInfoResult::BuildLog(log)) => log,
            _ => String::new(),
        }
    }

    /// Asks: `ocl` takes a failure without a log for a success.
    fn is_built(&self, program: &Program) -> bool {
        let status =
            core::get_program_build_info(program, self.device.as_core(), ProgramBuildInfo::BuildStatus);
        matches!(status, Ok(ProgramBuildInfoResult::BuildStatus(core::ProgramBuildStatus::Success)))
    }

    /// The program of a kept binary, if it is of this very text, and if the driver takes it.
    fn kept_program(&self, file: &Path, key: &str, options: &CString) -> Option<Program> {
        let bytes = fs::read(file).ok()?;
        let (kept, binary): (String, ByteBuf) = postcard::from_bytes(&bytes).ok()?;
        if kept != key {
            return None;
        }
        let devices = [*self.device.as_core()];
        let program = core::create_program_with_binary(&self.context, &devices, &[&binary]).ok()?;
        core::build_program(&program, Some(&[self.device]), options, None, None).ok()?;
        self.is_built(&program).then_some(program)
    }
}

/// Keeps a binary. What cannot be kept is built again.
fn keep(program: &Program, file: &Path, key: &str) {
    let Ok(ProgramInfoResult::Binaries(binaries)) = core::get_program_info(program, ProgramInfo::Binaries)
    else {
        return;
    };
    let Some(binary) = binaries.into_iter().next().filter(|binary| !binary.is_empty()) else { return };
    let Ok(bytes) = postcard::to_stdvec(&(key, ByteBuf::from(binary))) else { return };
    // Another rank may read it now, or write the same.
    let _ = write_whole(file, Access::Private, |file| file.write_all(&bytes));
}

/// A folder below `parent` that nobody else can write, since what is in it will run; `None` if there is
/// none to be had. Its name cannot be guessed, so nobody else can have taken it.
fn own_folder(parent: &Path) -> Option<PathBuf> {
    let prefix = format!("maniple-kernels-{}-", files::user());
    let find = || {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let is_own = |entry: &fs::DirEntry| {
            files::is_random_name(&entry.file_name(), prefix.as_ref(), "")
                && files::check_private(&entry.path()).is_ok()
        };
        entries.filter(is_own).map(|entry| entry.path()).min()
    };
    // It may be there from the run before. Of two that ranks create at once all use the first.
    find().or_else(|| files::create_unguessable(parent, &prefix).ok().and_then(|_| find()))
}

fn hash(key: &str) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| "any device: its text or its options hold a zero".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn binaries_are_kept_only_where_nobody_else_can_write() {
        let parent = tempfile::tempdir().unwrap();
        let folder = own_folder(parent.path()).unwrap();
        assert_eq!(own_folder(parent.path()), Some(folder.clone()), "it is found again");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let second = own_folder(parent.path()).unwrap();
        assert_ne!(second, folder, "others can write into it");
        fs::remove_dir(&second).unwrap();
        std::os::unix::fs::symlink(parent.path(), &second).unwrap();
        let third = own_folder(parent.path()).unwrap();
        assert!(third != second && third != folder, "a link leads elsewhere");
        files::check_private(&third).unwrap();
        assert_eq!(own_folder(Path::new("/proc")), None);
    }
}
