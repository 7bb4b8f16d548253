//! What one rank finds on its host.

use crate::{comm::launcher::Launcher, device, host::machine};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The variables that tell of launchers, jobs and settings, and whose values are no secrets.
const VARIABLES: [&str; 17] = [
    "OMPI_COMM_WORLD_SIZE",
    "PMIX_NAMESPACE",
    "PMI_SIZE",
    "MV2_COMM_WORLD_SIZE",
    "PALS_SIZE",
    "SLURM_JOB_ID",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_NTASKS",
    "SLURM_JOB_END_TIME",
    "PBS_JOBID",
    "PBS_NODEFILE",
    "PBS_WALLTIME",
    "MANIPLE_THREADS",
    "MANIPLE_MEMORY_LIMIT",
    "MANIPLE_INCLUSIVE",
    "MANIPLE_LOCAL_DIRECTORY",
    "MANIPLE_END_TIME",
];

/// A family of MPI libraries: a program starts by the launcher of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Family {
    /// Open MPI.
    OpenMpi,
    /// MPICH, and what is made of it: MVAPICH, Intel MPI, HPE Cray MPI.
    Mpich,
}

impl Family {
    /// The family that the version of a library or of a launcher names.
    pub fn of(version: &str) -> Option<Self> {
        let names = |words: &[&str]| words.iter().any(|word| version.contains(word));
        match () {
            () if names(&["Open MPI", "OpenRTE", "PRRTE"]) => Some(Self::OpenMpi),
            () if names(&["MPICH", "HYDRA", "Hydra", "MVAPICH", "Intel"]) => Some(Self::Mpich),
            () => None,
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenMpi => "Open MPI",
            Self::Mpich => "MPICH",
        }
    }
}

/// The MPI library that the program is linked with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Library {
    /// Its name and version, in its own words.
    pub version: String,
    /// Its file.
    pub file: Option<PathBuf>,
    /// What it allows the threads of a process; known when it was initialised.
    pub thread_level: Option<String>,
}

/// A directory, and the file system that it is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The directory.
    pub path: PathBuf,
    /// The kind of the file system, such as `ext4` or `nfs4`.
    pub file_system: String,
    /// How many bytes it holds altogether.
    pub bytes: u64,
    /// How many bytes are free.
    pub free_bytes: u64,
}

/// How much memory there is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// That of the host, in bytes.
    pub host_bytes: u64,
    /// The limit of the cgroup, in bytes, if that is less.
    pub cgroup_bytes: Option<u64>,
}

impl Memory {
    /// How many bytes a program may use.
    pub fn bytes(self) -> u64 {
        self.host_bytes.min(self.cgroup_bytes.unwrap_or(u64::MAX))
    }
}

/// What programs are built and started with; looked for where no launcher has started this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildTools {
    /// Whether there is a `libclang`, which the bindings to MPI are made with.
    pub has_libclang: bool,
    /// The launchers on the `PATH`, and whose they are.
    pub launchers: Vec<(String, Family)>,
    /// Whether Slurm can start ranks.
    pub has_srun: bool,
}

/// What one rank finds on its host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The name of the host.
    pub host: String,
    /// The launcher that announces itself, and how many ranks it says it started.
    pub launcher: Option<(String, u32)>,
    /// Variables of launchers and batch schedulers, and settings of this library.
    pub variables: Vec<(String, String)>,
    /// The MPI library; `None` if the program was built without.
    pub library: Option<Library>,
    /// The cores that the process may run on.
    pub cpus: BTreeSet<u32>,
    /// How many of them at a time, by its cgroup.
    pub core_count: u32,
    /// The memory.
    pub memory: Memory,
    /// Where scratch directories are made.
    pub scratch: Option<Place>,
    /// The shared memory of the host, by which its ranks pass messages.
    pub shared_memory: Option<Place>,
    /// The OpenCL devices of the host, or why none can be found.
    pub devices: Result<Vec<String>, String>,
    /// What programs are built with.
    pub build_tools: Option<BuildTools>,
}

impl Facts {
    /// Looks around.
    pub(super) fn here(launcher: Option<Launcher>) -> Self {
        let variables = VARIABLES.iter().filter_map(|name| Some(((*name).into(), env::var(name).ok()?)));
        let scratch = env::var_os("MANIPLE_LOCAL_DIRECTORY").map_or_else(env::temp_dir, PathBuf::from);
        Self {
            host: machine::host_name(),
            launcher: launcher.map(|launcher| (launcher.name.to_string(), launcher.size)),
            variables: variables.collect(),
            library: Library::of_this_program(),
            cpus: machine::listed_cores().into_iter().collect(),
            core_count: machine::core_count(),
            memory: memory(),
            scratch: Place::at(&scratch),
            shared_memory: Place::at(Path::new("/dev/shm")),
            devices: devices(),
            build_tools: launcher.is_none().then(build_tools),
        }
    }
}

impl Library {
    /// The MPI library of this program; `None` if it was built without. It need not be initialised.
    #[cfg(feature = "mpi")]
    pub fn of_this_program() -> Option<Self> {
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let mut files = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        let is_mpi = |file: &&str| file.rsplit('/').next().is_some_and(|name| name.starts_with("libmpi"));
        Some(Self {
            version: crate::comm::mpi::library_name(),
            file: files.find(is_mpi).map(PathBuf::from),
            thread_level: crate::comm::mpi::thread_level().map(String::from),
        })
    }

    /// The MPI library of this program; `None` if it was built without. It need not be initialised.
    #[cfg(not(feature = "mpi"))]
    pub fn of_this_program() -> Option<Self> {
        None
    }

    /// The family that it belongs to, if its version names one.
    pub fn family(&self) -> Option<Family> {
        Family::of(&self.version)
    }
}

impl Place {
    fn at(path: &Path) -> Option<Self> {
        let (bytes, free_bytes) = machine::space(path)?;
        let file_system = machine::file_system(path).unwrap_or_else(|| "unknown".into());
        Some(Self { path: path.into(), file_system, bytes, free_bytes })
    }
}

fn memory() -> Memory {
    let host_bytes = machine::host_memory_bytes().unwrap_or_else(machine::memory_bytes);
    // Without a limit some cgroups say the largest number that there is.
    Memory { host_bytes, cgroup_bytes: machine::cgroup_limit().filter(|limit| *limit < host_bytes) }
}

fn devices() -> Result<Vec<String>, String> {
    let devices = device::list().map_err(|error| error.to_string())?;
    Ok(devices.iter().map(|device| format!("{device:#}")).collect())
}

fn build_tools() -> BuildTools {
    let names = ["mpirun", "mpiexec", "mpirun.openmpi", "mpiexec.mpich", "mpiexec.hydra"];
    let launcher = |name: &str| Some((name.to_string(), Family::of(&version_of(&on_path(name)?)?)?));
    BuildTools {
        has_libclang: has_libclang(),
        launchers: names.into_iter().filter_map(launcher).collect(),
        has_srun: on_path("srun").is_some(),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn version_of(launcher: &Path) -> Option<String> {
    let output = Command::new(launcher).arg("--version").stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether there is a `libclang` where the tools that make bindings look for one.
fn has_libclang() -> bool {
    if let Some(path) = env::var_os("LIBCLANG_PATH").map(PathBuf::from) {
        return path.is_file() || files_in(&path).iter().any(|name| is_libclang(name));
    }
    let libraries = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"].map(PathBuf::from);
    let below = |folder: &PathBuf| {
        let names = files_in(folder).into_iter();
        let names = names.filter(|name| name.ends_with("-linux-gnu") || name.starts_with("llvm"));
        names.flat_map(|name| [folder.join(&name), folder.join(name).join("lib")]).collect::<Vec<_>>()
    };
    let loaded = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = libraries.iter().flat_map(below).collect();
    folders.extend(libraries.iter().cloned().chain(env::split_paths(&loaded)));
    folders.iter().any(|folder| files_in(folder).iter().any(|name| is_libclang(name)))
}

/// Whether a file of this name is the C library of Clang, rather than its C++ one.
fn is_libclang(name: &str) -> bool {
    (name.starts_with("libclang.so") || name.starts_with("libclang-"))
        && name.contains(".so")
        && !name.contains("cpp")
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_their_versions() {
        let table = [
            ("mpirun (Open MPI) 4.1.4", Some(Family::OpenMpi)),
            ("prterun (PRRTE) 3.0.2", Some(Family::OpenMpi)),
            ("HYDRA build details:", Some(Family::Mpich)),
            ("Intel(R) MPI Library for Linux* OS, Version 2021.9", Some(Family::Mpich)),
            ("MPICH Version:\t4.0.2", Some(Family::Mpich)),
            ("slurm 22.05", None),
        ];
        for (version, family) in table {
            assert_eq!(Family::of(version), family, "{version}");
        }
    }

    #[test]
    fn the_library_of_clang_is_told_from_others() {
        for name in ["libclang.so", "libclang.so.1", "libclang-14.so.1", "libclang-14.so.14.0.6"] {
            assert!(is_libclang(name), "{name}");
        }
        for name in ["libclang-cpp.so.14", "libclang-common-14-dev", "libclangBasic.a"] {
            assert!(!is_libclang(name), "{name}");
        }
    }

    #[test]
    fn there_is_something_here() {
        let facts = Facts::here(None);
        assert!(facts.core_count >= 1 && !facts.cpus.is_empty());
        assert!(facts.memory.bytes() > 1 << 20);
        let scratch = facts.scratch.unwrap();
        assert!(scratch.file_system != "unknown" && scratch.bytes >= scratch.free_bytes, "{scratch:?}");
    }
}
