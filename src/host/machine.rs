//! What this process can use of its machine.

use super::affinity;
use std::{
    env,
    ffi::CString,
    fs,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    thread,
};

/// File systems that all hosts share by a network: slow, and full of the files of others.
const NETWORK_FILE_SYSTEMS: [&str; 14] = [
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "cifs",
    "smb3",
    "afs",
    "panfs",
    "pvfs2",
    "wekafs",
    "9p",
    "fuse.sshfs",
];

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

/// What tells this start of this machine from all others.
pub(crate) fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().into())
}

/// How many cores this process may use: its affinity and its cgroup's quota.
pub(crate) fn core_count() -> u32 {
    thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// The cores that this process may use; none if the system does not tell.
pub(crate) fn listed_cores() -> Vec<u32> {
    affinity::allowed(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The cores that this process may use, those of one physical core next to each other.
pub(crate) fn allowed_cores() -> Vec<u32> {
    let mut cores = listed_cores();
    cores.sort_by_cached_key(|core| (siblings(*core).into_iter().min().unwrap_or(*core), *core));
    cores
}

/// The hardware threads of the physical core that this one belongs to; none if the system does not tell.
fn siblings(core: u32) -> Vec<u32> {
    let file = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    fs::read_to_string(file).map(|text| affinity::listed(&text)).unwrap_or_default()
}

/// The cores near a device with this address on the bus; none if the system does not tell.
pub(crate) fn cores_near(pci: &str) -> Vec<u32> {
    let device = Path::new("/sys/bus/pci/devices").join(pci.to_ascii_lowercase());
    fs::read_to_string(device.join("local_cpulist")).map(|text| affinity::listed(&text)).unwrap_or_default()
}

/// Has this thread, and those that it starts, run on these cores only. Where the system refuses, all stays as
/// it is.
pub(crate) fn keep_to(cores: &[u32]) {
    // SAFETY: a set of zeros is a valid, empty set; the call reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let fitting =
            cores.iter().map(|core| *core as usize).filter(|core| *core < libc::CPU_SETSIZE as usize);
        fitting.for_each(|core| libc::CPU_SET(core, &mut set));
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

/// How many bytes of memory this process may use: the machine's, its cgroup's limit, or its job's share.
pub(crate) fn memory_bytes() -> u64 {
    let job = job_memory_bytes(|name| env::var(name).ok());
    [host_memory_bytes(), cgroup_limit(), job].into_iter().flatten().min().unwrap_or(1 << 30)
}

/// How many bytes of each node a job of Slurm's asked for, which not all sites enforce by cgroups.
fn job_memory_bytes(read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mebibytes: u64 = read("SLURM_MEM_PER_NODE")?.parse().ok()?;
    // 0 stands for all of it.
    (mebibytes > 0).then_some(mebibytes << 20)
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

/// The kind of the file system that a path is on, such as `ext4` or `nfs4`.
pub(crate) fn file_system(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_of(&mounts, &path.canonicalize().unwrap_or_else(|_| path.into()))
}

/// The kind of the file system that a path is on, from `/proc/self/mountinfo`.
fn file_system_of(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (head, tail) = line.split_once(" - ")?;
        let point = PathBuf::from(head.split(' ').nth(4)?.replace("\\040", " "));
        path.starts_with(&point).then_some((point.components().count(), tail.split(' ').next()?.to_string()))
    };
    // Of two on one place the later one hides the other.
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// Whether all hosts share file systems of this kind by a network.
pub(crate) fn is_network_file_system(kind: &str) -> bool {
    NETWORK_FILE_SYSTEMS.contains(&kind)
}

/// Gives the disk space of a range within a file back, where the file system can.
pub(crate) fn punch_hole(file: &fs::File, offset: u64, length: u64) {
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the descriptor is open, and the call touches no memory.
    unsafe { libc::fallocate(file.as_raw_fd(), mode, offset as i64, length as i64) };
}

/// How many bytes of memory this process has in use.
pub(crate) fn resident_bytes() -> u64 {
    let pages =
        || fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse::<u64>().ok();
    // SAFETY: the call only asks for a number.
    pages().unwrap_or(0) * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(0) as u64
}

/// The stack that a thread of a program should have, in bytes: as much as the shell gives `main` (`ulimit -s`), or 8 MiB
/// where that is unlimited.
pub(crate) fn stack_bytes() -> usize {
    const DEFAULT: u64 = 8 << 20;
    /// Each thread has one, and address space may be limited.
    const MAX: u64 = 1 << 30;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes to the record that it is given.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } == 0;
    let is_limited = is_known && limit.rlim_cur != libc::RLIM_INFINITY;
    (if is_limited { limit.rlim_cur.clamp(1 << 20, MAX) } else { DEFAULT }) as usize
}

/// The number of this thread in the system, if it has one.
pub(crate) fn thread_number() -> Option<i32> {
    let path = fs::read_link("/proc/thread-self").ok()?;
    path.file_name()?.to_str()?.parse().ok()
}

/// Whether a thread of this process waits for something else than a core, if the system tells.
pub(crate) fn is_thread_asleep(number: i32) -> Option<bool> {
    let line = fs::read_to_string(format!("/proc/self/task/{number}/stat")).ok()?;
    // The name of the thread, in brackets, may have brackets.
    let state = line.rsplit_once(')')?.1.trim_start().chars().next()?;
    Some(matches!(state, 'S' | 'D'))
}

/// Lets all other threads that want a core have it before this one.
#[cfg(feature = "dashboard")]
pub(crate) fn give_way() {
    const NICENESS: libc::c_int = 10;
    // SAFETY: the call changes how this thread is scheduled, and touches no memory.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
}

/// Gives memory that was freed back to the system, where the C library has kept it.
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call may be made at any time, by any thread.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Lets this process use all cores of its node again, where Open MPI has bound it to one physical core
/// without being asked to: it does that with two ranks, and all threads of a worker would share the core.
#[cfg(feature = "mpi")]
pub(crate) fn undo_default_binding(variable: impl Fn(&str) -> Option<String>) {
    let asked = [
        "OMPI_MCA_hwloc_base_binding_policy",
        "OMPI_MCA_rmaps_base_mapping_policy",
        "PRTE_MCA_hwloc_default_binding_policy",
    ];
    if variable("OMPI_COMM_WORLD_SIZE").is_none()
        || asked.iter().any(|name| variable(name).is_some())
        || !affinity::is_one_core(&listed_cores(), siblings)
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

/// Ends this process at once: no destructor of a library waits for others.
pub(crate) fn exit_at_once(status: i32) -> ! {
    // SAFETY: ends the process; nothing of it is used afterwards.
    unsafe { libc::_exit(status) }
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
    fn a_job_has_the_memory_that_it_asked_for() {
        let bytes = |said: Option<&str>| job_memory_bytes(|_| said.map(String::from));
        assert_eq!(bytes(Some("32768")), Some(32 << 30));
        assert_eq!([bytes(Some("0")), bytes(Some("all")), bytes(None)], [None; 3]);
    }

    #[test]
    fn a_thread_keeps_to_its_cores() {
        let cores = allowed_cores();
        assert!(!cores.is_empty());
        let last = *cores.last().unwrap();
        let allowed = thread::spawn(move || {
            keep_to(&[last]);
            // SAFETY: asks for a number.
            let here = unsafe { libc::sched_getcpu() };
            (here, thread::available_parallelism().unwrap().get())
        });
        assert_eq!(allowed.join().unwrap(), (last as i32, 1));
        assert_eq!(allowed_cores(), cores, "other threads are as they were");
        assert!(cores_near("ffff:ff:1f.7").is_empty(), "no such device");
    }

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      30 22 0:40 / /home rw shared:5 - nfs4 server:/home rw\n\
                      31 22 0:41 / /home/with\\040blank rw - lustre x rw\n\
                      32 22 0:42 / /scratch rw - ext4 /dev/sdb rw\n\
                      33 32 0:43 / /scratch rw - tmpfs none rw\n";
        let table = [
            ("/tmp", "ext4"),
            ("/home/me", "nfs4"),
            ("/homes", "ext4"),
            ("/home/with blank/x", "lustre"),
            ("/scratch/me", "tmpfs"),
        ];
        for (path, kind) in table {
            assert_eq!(file_system_of(mounts, Path::new(path)).as_deref(), Some(kind), "{path}");
        }
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
