//! What this process can use of its machine.

use std::{
    ffi::CString,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    thread,
};

/// The name of this host.
pub(crate) fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the buffer is valid for its length; the last byte stays zero.
    let outcome = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    match outcome {
        0 if length > 0 => String::from_utf8_lossy(&name[..length]).into_owned(),
        _ => "unknown-host".into(),
    }
}

/// How many cores this process may use: its affinity and its cgroup's quota.
pub(crate) fn core_count() -> u32 {
    thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// How many bytes of memory this process may use: the machine's, or its cgroup's limit.
pub(crate) fn memory_bytes() -> u64 {
    match (host_memory_bytes(), cgroup_limit()) {
        (Some(machine), Some(limit)) => machine.min(limit),
        (Some(bytes), None) | (None, Some(bytes)) => bytes,
        (None, None) => 1 << 30,
    }
}

/// How many bytes of memory the host has.
pub(crate) fn host_memory_bytes() -> Option<u64> {
    total_of(&fs::read_to_string("/proc/meminfo").ok()?)
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The least limit of this process's cgroup and those above it, of version 2 or 1.
pub(crate) fn cgroup_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least: Option<u64> = None;
    for (directory, file) in cgroup_places(&groups) {
        let mut directory = directory.as_path();
        while directory.starts_with("/sys/fs/cgroup") {
            let limit =
                fs::read_to_string(directory.join(file)).ok().and_then(|text| text.trim().parse().ok());
            least = least.into_iter().chain(limit).min();
            match directory.parent() {
                Some(parent) => directory = parent,
                None => break,
            }
        }
    }
    least
}

/// Where the limits are, from the lines of `/proc/self/cgroup`.
fn cgroup_places(groups: &str) -> Vec<(PathBuf, &'static str)> {
    let place = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            Some((PathBuf::from("/sys/fs/cgroup").join(path), "memory.max"))
        } else if controllers.split(',').any(|controller| controller == "memory") {
            Some((PathBuf::from("/sys/fs/cgroup/memory").join(path), "memory.limit_in_bytes"))
        } else {
            None
        }
    };
    groups.lines().filter_map(place).collect()
}

/// How many bytes the file system of a path has, and how many are free for everybody.
pub(crate) fn space(path: &Path) -> Option<(u64, u64)> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: the struct consists of integers; the call reads a string and writes the struct.
    let (outcome, space) = unsafe {
        let mut space: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &raw mut space), space)
    };
    (outcome == 0).then(|| (space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize))
}

/// Lets this process use all cores of its node again, where Open MPI has bound it to one without
/// being asked to: it does that with two ranks, and all threads of a worker would share the core.
#[cfg(feature = "mpi")]
pub(crate) fn undo_default_binding(variable: impl Fn(&str) -> Option<String>) {
    let asked = [
        "OMPI_MCA_hwloc_base_binding_policy",
        "OMPI_MCA_rmaps_base_mapping_policy",
        "PRTE_MCA_hwloc_default_binding_policy",
    ];
    if variable("OMPI_COMM_WORLD_SIZE").is_none()
        || asked.iter().any(|name| variable(name).is_some())
        || core_count() > 1
    {
        return;
    }
    // SAFETY: a set of all ones is a valid set; the kernel cuts it to the cores that may be used.
    unsafe {
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        (0..libc::CPU_SETSIZE as usize).for_each(|core| libc::CPU_SET(core, &mut all));
        libc::sched_setaffinity(0, size_of_val(&all), &raw const all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_something() {
        assert!(!host_name().is_empty());
        assert!(core_count() >= 1);
        assert!(memory_bytes() > 1 << 20);
    }

    #[test]
    fn cgroups_of_both_versions_are_found() {
        assert_eq!(
            cgroup_places("0::/user.slice/job_1\n"),
            [(PathBuf::from("/sys/fs/cgroup/user.slice/job_1"), "memory.max")]
        );
        assert_eq!(
            cgroup_places("5:cpu,cpuacct:/x\n4:memory:/slurm/job_7\n"),
            [(PathBuf::from("/sys/fs/cgroup/memory/slurm/job_7"), "memory.limit_in_bytes")]
        );
        assert_eq!(total_of("MemTotal:       1000 kB\n"), Some(1_024_000));
    }
}
