//! What is wrong where a program was started, and what to do about it: functions of facts alone.

use super::{BuildTools, Facts, Family, Place, Survey};
use crate::{cluster::Cluster, host::machine, rank::Rank, units::human_bytes};
use std::{collections::BTreeSet, fmt};

/// How much shared memory a rank needs free: its share of the queues and buffers of an MPI library.
const SHARED_BYTES_PER_RANK: u64 = 64 << 20;

/// Something that is wrong, on one line with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong, and on which host.
    pub what: String,
    /// What to do about it. Empty where `what` says that, too.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remedy.as_str() {
            "" => f.write_str(&self.what),
            remedy => write!(f, "{}: {remedy}", self.what),
        }
    }
}

fn finding(what: String, remedy: impl Into<String>) -> Finding {
    Finding { what, remedy: remedy.into() }
}

/// All that is wrong, the worst first.
pub fn findings(survey: &Survey) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if let Err(error) = &survey.cluster {
        found.push(finding(error.to_string(), ""));
    }
    if let Some(first) = survey.facts.first()
        && let (Some(library), Some(tools)) = (&first.library, &first.build_tools)
    {
        found.extend(launchers(Family::of(&library.version), tools));
        found.extend(libclang(tools));
    }
    for (facts, ranks) in survey.hosts() {
        found.extend(shared_memory(facts, ranks.len() as u64));
        found.extend(scratch(facts));
        if let Ok(cluster) = &survey.cluster {
            let cpus = ranks.iter().filter_map(|rank| Some(&survey.facts.get(rank.index())?.cpus));
            found.extend(cores(facts, &cpus.flatten().copied().collect(), &ranks, cluster));
            found.extend(memory(facts, &ranks, cluster));
        }
    }
    found
}

/// The launchers on the `PATH` belong to one MPI, and that is the program's.
fn launchers(family: Option<Family>, tools: &BuildTools) -> Option<Finding> {
    let family = family?;
    let of = |wanted: &str| tools.launchers.iter().find(|(name, _)| name == wanted).map(|(_, of)| *of);
    let own = tools.launchers.iter().find(|(_, of)| *of == family).map(|(name, _)| name);
    let remedy = |own: Option<&String>| match own {
        Some(own) => format!("start it with {own}, or build it with the other MPI (MPICC)"),
        None => format!("load the module of {}, or build it with the other MPI (MPICC)", family.name()),
    };
    let linked = format!("the program is linked with {}", family.name());
    match (of("mpirun"), of("mpiexec")) {
        (Some(mpirun), Some(mpiexec)) if mpirun != mpiexec => {
            let (a, b) = (mpirun.name(), mpiexec.name());
            let what = format!("two MPIs are on the PATH, mpirun of {a} and mpiexec of {b}, and {linked}");
            Some(finding(what, remedy(own)))
        }
        (Some(other), _) | (None, Some(other)) if other != family => {
            let name = if of("mpirun").is_some() { "mpirun" } else { "mpiexec" };
            Some(finding(format!("{name} is that of {}, but {linked}", other.name()), remedy(own)))
        }
        (None, None) if own.is_none() && !tools.has_srun => {
            let what = format!("no launcher is on the PATH, and {linked}");
            Some(finding(what, format!("load the module of {}, or install its programs", family.name())))
        }
        _ => None,
    }
}

fn libclang(tools: &BuildTools) -> Option<Finding> {
    let remedy = "install libclang1, load the module llvm, or set LIBCLANG_PATH to its folder";
    let what = "there is no libclang, so no program can be built with MPI here";
    (!tools.has_libclang).then(|| finding(what.into(), remedy))
}

fn shared_memory(facts: &Facts, ranks: u64) -> Option<Finding> {
    if ranks < 2 {
        return None;
    }
    let host = &facts.host;
    let needed = human_bytes(ranks * SHARED_BYTES_PER_RANK);
    let remedy = "mount -o remount,size=SIZE /dev/shm as root, or docker run --shm-size=SIZE";
    match &facts.shared_memory {
        None => Some(finding(format!("host {host}: there is no /dev/shm"), "mount a tmpfs there")),
        Some(Place { free_bytes, .. }) if *free_bytes < ranks * SHARED_BYTES_PER_RANK => {
            let free = human_bytes(*free_bytes);
            let what = format!("host {host}: /dev/shm has {free} free, and {ranks} ranks want {needed}");
            Some(finding(what, remedy))
        }
        Some(_) => None,
    }
}

fn scratch(facts: &Facts) -> Option<Finding> {
    let host = &facts.host;
    let Some(Place { path, file_system, .. }) = &facts.scratch else {
        let what = format!("host {host}: the scratch directory is not there");
        return Some(finding(what, "set MANIPLE_LOCAL_DIRECTORY to a directory on a disk of the host"));
    };
    let what =
        format!("host {host}: the scratch directory {} is on {file_system}, a network", path.display());
    let remedy = "set MANIPLE_LOCAL_DIRECTORY to a directory on a disk of the host, such as /tmp";
    machine::is_network_file_system(file_system).then(|| finding(what, remedy))
}

/// The workers of a host have a core for each of their threads.
fn cores(facts: &Facts, cpus: &BTreeSet<u32>, ranks: &[Rank], cluster: &Cluster) -> Option<Finding> {
    let workers = cluster.workers().filter(|worker| ranks.contains(&worker.rank));
    let (count, threads) =
        workers.fold((0, 0), |(count, threads), worker| (count + 1, threads + worker.threads));
    // Of ranks that are bound each has its own cores, and a limit counts for all together.
    let is_bound = cpus.len() > facts.cpus.len();
    let cores = if is_bound { cpus.len() as u32 } else { facts.core_count };
    let host = &facts.host;
    let what = format!("host {host}: {count} workers have {threads} threads on {cores} cores");
    let remedy = match is_bound || facts.core_count > 1 {
        true => "ask for more cores, start fewer ranks, or set MANIPLE_THREADS",
        false => "ask for more cores, or free the ranks: mpirun --bind-to none",
    };
    (threads > cores).then(|| finding(what, remedy))
}

/// The workers of a host may not hold more than it has.
fn memory(facts: &Facts, ranks: &[Rank], cluster: &Cluster) -> Option<Finding> {
    let workers = cluster.workers().filter(|worker| ranks.contains(&worker.rank));
    let wanted: u64 = workers.map(|worker| worker.memory_bytes).sum();
    let (there, host) = (facts.memory.bytes(), &facts.host);
    let (wanted_words, there_words) = (human_bytes(wanted), human_bytes(there));
    let what = format!("host {host}: its workers may fill {wanted_words}, and there are {there_words}");
    (wanted > there).then(|| finding(what, "lower MANIPLE_MEMORY_LIMIT, or ask for more memory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::RankRecord,
        error::Error,
        info::{Library, Memory},
        rank::Role,
    };
    use std::path::PathBuf;

    const GIB: u64 = 1 << 30;

    type Change = fn(&mut Facts);

    fn place(path: &str, file_system: &str, free_bytes: u64) -> Option<Place> {
        let (path, file_system) = (PathBuf::from(path), file_system.into());
        Some(Place { path, file_system, bytes: 100 * GIB, free_bytes })
    }

    /// A host with 4 cores and nothing wrong.
    fn facts(host: &str) -> Facts {
        Facts {
            host: host.into(),
            launcher: None,
            variables: vec![],
            library: Some(Library { version: "Open MPI v4.1.4".into(), file: None, thread_level: None }),
            cpus: (0..4).collect(),
            core_count: 4,
            memory: Memory { host_bytes: 8 * GIB, cgroup_bytes: None },
            scratch: place("/tmp", "ext4", GIB),
            shared_memory: place("/dev/shm", "tmpfs", 4 * GIB),
            devices: Ok(vec![]),
            build_tools: None,
        }
    }

    /// Ranks on these hosts, of which 2 and up work with a thread and a gibibyte each.
    fn survey(facts: Vec<Facts>) -> Survey {
        let size = facts.len() as u32;
        let record = |(rank, facts): (u32, &Facts)| {
            let role = Role::of(Rank(rank), size, true);
            RankRecord {
                device: None,
                cores: vec![],
                rank: Rank(rank),
                role,
                host: facts.host.clone(),
                pid: 0,
                threads: u32::from(role.worker),
                memory_bytes: if role.worker { GIB } else { 0 },
                resources: vec![],
                transport: "MPI".into(),
            }
        };
        let cluster = Cluster::new((0..).zip(&facts).map(record).collect());
        Survey { rank: Rank(0), cluster: Ok(cluster), facts, time_left: None }
    }

    fn words(survey: &Survey) -> Vec<String> {
        findings(survey).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_is_wrong_where_nothing_is() {
        assert_eq!(words(&survey(vec![facts("a")])), [""; 0]);
        assert_eq!(words(&survey(["a", "a", "a", "b", "b"].map(facts).to_vec())), [""; 0]);
    }

    #[test]
    fn what_is_wrong_with_a_host_is_said_once_with_its_name() {
        let table: [(Change, &str); 5] = [
            (
                |facts| facts.shared_memory = place("/dev/shm", "tmpfs", 64 << 20),
                "host b: /dev/shm has 64.00 MiB free, and 2 ranks want 128.00 MiB: \
                 mount -o remount,size=SIZE /dev/shm as root, or docker run --shm-size=SIZE",
            ),
            (|facts| facts.shared_memory = None, "host b: there is no /dev/shm: mount a tmpfs there"),
            (
                |facts| facts.scratch = place("/home/me", "nfs4", GIB),
                "host b: the scratch directory /home/me is on nfs4, a network: \
                 set MANIPLE_LOCAL_DIRECTORY to a directory on a disk of the host, such as /tmp",
            ),
            (
                |facts| facts.memory.cgroup_bytes = Some(GIB),
                "host b: its workers may fill 2.00 GiB, and there are 1.00 GiB: \
                 lower MANIPLE_MEMORY_LIMIT, or ask for more memory",
            ),
            (
                |facts| facts.core_count = 1,
                "host b: 2 workers have 2 threads on 1 cores: \
                 ask for more cores, or free the ranks: mpirun --bind-to none",
            ),
        ];
        for (change, expected) in table {
            let mut all = ["a", "a", "b", "b"].map(facts);
            all[2..].iter_mut().for_each(change);
            assert_eq!(words(&survey(all.to_vec())), [expected]);
        }
    }

    #[test]
    fn ranks_that_are_bound_have_the_cores_of_all() {
        let mut all = ["a", "a", "a", "a"].map(facts);
        for (index, facts) in (0..).zip(&mut all) {
            (facts.cpus, facts.core_count) = ([index].into(), 1);
        }
        assert_eq!(words(&survey(all.to_vec())), [""; 0]);
        all.iter_mut().for_each(|facts| facts.cpus = [0].into());
        assert!(words(&survey(all.to_vec()))[0].contains("2 workers have 2 threads on 1 cores"));
    }

    #[test]
    fn the_launcher_must_be_that_of_the_library() {
        use Family::{Mpich, OpenMpi};
        let table = [
            (vec![("mpirun", OpenMpi), ("mpiexec", OpenMpi)], false, None),
            (vec![("mpirun", OpenMpi), ("mpiexec.mpich", Mpich)], false, None),
            (vec![], true, None),
            (
                vec![("mpirun", OpenMpi), ("mpiexec", Mpich)],
                false,
                Some(
                    "two MPIs are on the PATH, mpirun of Open MPI and mpiexec of MPICH, and the program is linked \
                     with Open MPI: start it with mpirun, or build it with the other MPI (MPICC)",
                ),
            ),
            (
                vec![("mpiexec", Mpich)],
                true,
                Some(
                    "mpiexec is that of MPICH, but the program is linked with Open MPI: load the module of Open MPI, \
                     or build it with the other MPI (MPICC)",
                ),
            ),
            (
                vec![("mpirun", Mpich), ("mpirun.openmpi", OpenMpi)],
                false,
                Some(
                    "mpirun is that of MPICH, but the program is linked with Open MPI: start it with \
                     mpirun.openmpi, or build it with the other MPI (MPICC)",
                ),
            ),
            (
                vec![],
                false,
                Some(
                    "no launcher is on the PATH, and the program is linked with Open MPI: load the module of \
                     Open MPI, or install its programs",
                ),
            ),
        ];
        for (launchers, has_srun, expected) in table {
            let launchers = launchers.into_iter().map(|(name, family)| (name.to_string(), family)).collect();
            let mut facts = facts("a");
            facts.build_tools = Some(BuildTools { has_libclang: true, launchers, has_srun });
            assert_eq!(words(&survey(vec![facts])).first().map(String::as_str), expected);
        }
    }

    #[test]
    fn a_missing_libclang_is_told_where_programs_are_built_with_mpi() {
        let mut facts = facts("a");
        facts.build_tools = Some(BuildTools { has_libclang: false, launchers: vec![], has_srun: true });
        assert!(words(&survey(vec![facts.clone()]))[0].starts_with("there is no libclang"));
        facts.library = None;
        assert_eq!(words(&survey(vec![facts])), [""; 0]);
    }

    #[test]
    fn why_there_can_be_no_run_comes_first() {
        let mut survey = survey(vec![facts("a")]);
        survey.facts[0].scratch = None;
        survey.cluster = Err(Error::World("srun started 4 ranks, but MPI knows of one: do this".into()));
        let words = words(&survey);
        assert_eq!(words[0], "srun started 4 ranks, but MPI knows of one: do this");
        assert!(
            words[1].starts_with("host a: the scratch directory is not there: set MANIPLE_LOCAL_DIRECTORY")
        );
    }
}
