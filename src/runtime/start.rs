//! What all ranks tell each other at the start, and what is wrong if they do not agree.

use super::{loss, settings::Settings, time};
use crate::{
    cluster::{Cluster, DeviceRecord, RankRecord},
    comm::{Transport, bell::Cores, processes},
    device::{
        Binding, Device,
        binding::{self, Bound},
    },
    error::{Error, Result},
    files::claim::Claim,
    host::{
        affinity::{self, Seat, Seated},
        machine,
    },
    journal::{self, Journal, Lease, Opener},
    rank::{Rank, Role},
    record::{self, Recorder},
    scheduler::WorkerSpec,
    task,
    units::MemoryLimit,
};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

/// Said when another rank's greeting makes no sense.
pub(super) const UNREADABLE: &str =
    "the ranks do not understand each other: start the same build of one program on all ranks";

/// What one rank says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub version: String,
    pub fingerprint: u64,
    pub transport: String,
    pub host: String,
    /// The first rank of its node, as MPI has it: names of hosts may be the same, or differ, within one.
    pub node: Rank,
    /// Which start of which machine this is, if the system tells.
    pub boot: Option<String>,
    pub pid: u32,
    /// How many cores it may use: of those it is bound to as many as a quota of time allows.
    pub cores: u32,
    /// The cores it is bound to, such as `0-3,8`; empty if the system does not tell.
    pub bound_to: String,
    pub machine_memory_bytes: u64,
    pub threads: Option<u32>,
    pub frame_bytes_max: usize,
    /// Bytes, or a negative fraction of the machine's, or zero for its share.
    pub memory: f64,
    pub resources: Vec<(String, u32)>,
    pub exclusive_workers: bool,
    /// When it must end, as its host's clock has it: seconds since 1970.
    pub end_time: Option<f64>,
    /// What it binds to if it works, and whether it may share that.
    pub device: Binding,
    pub share_device: bool,
    /// Where ranks leave what they record, if there is to be a trace or a report. Rank 0's counts.
    pub parts: Option<PathBuf>,
    /// Whether ranks are to tell what they do while the run goes on. Rank 0's counts.
    pub live: bool,
    /// Where results outlast the run. Rank 0 says so.
    pub journal: Option<journal::Start>,
    /// Whether the loss of a worker is to be survived, why it can't be, and where its process can be watched.
    pub survive: bool,
    pub mortal: Option<String>,
    pub place: Option<String>,
    /// Whether sessions may connect. The driver's rank says so.
    pub serves: bool,
    /// What kept this rank from starting.
    pub trouble: Option<String>,
}

impl From<&RankRecord> for WorkerSpec {
    fn from(worker: &RankRecord) -> Self {
        Self {
            rank: worker.rank,
            host: worker.host.clone(),
            threads: worker.threads,
            memory_bytes: worker.memory_bytes,
            resources: worker.resources.clone(),
        }
    }
}

impl Hello {
    pub(super) fn new(
        settings: &Settings,
        transport: &dyn Transport,
        parts: Option<PathBuf>,
        journal: Option<journal::Start>,
        trouble: Option<String>,
    ) -> Self {
        // Processes that this library has started itself are not ended by a launcher.
        let is_own = transport.name() == processes::NAME;
        let survive = settings.survive || is_own;
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            fingerprint: task::fingerprint(),
            transport: transport.name(),
            host: machine::host_name(),
            node: transport.node(),
            boot: machine::boot_id(),
            pid: std::process::id(),
            cores: machine::core_count(),
            bound_to: affinity::list(machine::listed_cores()),
            machine_memory_bytes: machine::memory_bytes(),
            threads: settings.threads,
            frame_bytes_max: settings.frame_bytes_max,
            memory: match settings.memory_limit {
                MemoryLimit::Auto => 0.0,
                MemoryLimit::Bytes(bytes) => bytes as f64,
                MemoryLimit::Fraction(fraction) => -fraction,
            },
            resources: settings.resources.clone(),
            exclusive_workers: settings.exclusive_workers,
            end_time: settings.end_time(time::now()),
            device: settings.device,
            share_device: settings.share_device,
            parts,
            live: settings.dashboard.is_some(),
            journal,
            survive,
            mortal: settings.survive.then(why_mortal).flatten().filter(|_| !is_own),
            place: survive.then(|| loss::watched_place(&machine::host_name())).flatten(),
            serves: settings.serve.is_some(),
            trouble,
        }
    }

    /// Whether it may use fewer cores than it is bound to, by a quota of time: one for all ranks of its node.
    fn has_quota(&self) -> bool {
        self.cores as usize != affinity::listed(&self.bound_to).len()
    }
}

/// How many cores there are for this rank, and for all of its node.
pub(super) fn cores(hellos: &[Hello], rank: Rank) -> Cores {
    let own = &hellos[rank.index()];
    let here = hellos.iter().filter(|other| other.node == own.node);
    let bound_to: FxHashSet<u32> = here.flat_map(|other| affinity::listed(&other.bound_to)).collect();
    Cores { own: own.cores, node: if own.has_quota() { own.cores } else { bound_to.len() as u32 } }
}

/// Why the launcher ends all ranks when one is lost, as far as the environment tells.
fn why_mortal() -> Option<String> {
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| value != "0");
    let with_open_mpi = std::env::var_os("OMPI_COMM_WORLD_SIZE").is_some();
    let recovers =
        ["OMPI_MCA_orte_enable_recovery", "PRTE_MCA_prte_enable_recovery", "OMPI_MCA_mpi_ft_enable"];
    (with_open_mpi && !recovers.into_iter().any(is_set))
        .then(|| "mpirun was not given --enable-recovery".into())
}

/// Why the loss of a worker ends the run, if it does.
fn mortal(hellos: &[Hello], cluster: &Cluster) -> Option<String> {
    if !hellos.iter().all(|hello| hello.survive) {
        return Some("MANIPLE_SURVIVE is not set".into());
    }
    if hellos[0].transport == "threads" {
        return Some("all ranks are one process".into());
    }
    // Where workers are processes of the program's own, it goes on without any, and tells why their tasks fail.
    if cluster.worker_count() < 2 && hellos[0].transport != processes::NAME {
        return Some("there is no other worker".into());
    }
    hellos.iter().find_map(|hello| hello.mortal.clone())
}

/// When the run must end: some ranks may not have heard of it, and the soonest counts.
pub(super) fn end_time(hellos: &[Hello]) -> Option<f64> {
    hellos.iter().filter_map(|hello| hello.end_time).min_by(f64::total_cmp)
}

/// Puts the ranks of one host together on one node where MPI takes each for a node of its own, as MPICH does
/// that is told to keep off shared memory (`MPIR_CVAR_NOLOCAL`): they share its devices, cores and memory.
pub(super) fn join_nodes(hellos: &mut [Hello]) {
    let mut sizes: FxHashMap<Rank, u32> = FxHashMap::default();
    hellos.iter().for_each(|hello| *sizes.entry(hello.node).or_default() += 1);
    let mut firsts: FxHashMap<(String, String), Rank> = FxHashMap::default();
    for hello in hellos {
        if let (1, Some(boot)) = (sizes[&hello.node], &hello.boot) {
            hello.node = *firsts.entry((hello.host.clone(), boot.clone())).or_insert(hello.node);
        }
    }
}

/// The role table, if the ranks agree.
pub(super) fn agree(hellos: &[Hello]) -> Result<Cluster> {
    if let Some((rank, hello, trouble)) =
        hellos.iter().enumerate().find_map(|(rank, hello)| Some((rank, hello, hello.trouble.as_ref()?)))
    {
        return Err(cannot_start(Rank(rank as u32), &hello.host, trouble));
    }
    let first = &hellos[0];
    let same = |what: &str, remedy: &str, differs: &dyn Fn(&Hello) -> bool| {
        let others: Vec<String> = hellos
            .iter()
            .enumerate()
            .filter(|(_, hello)| differs(hello))
            .map(|(rank, hello)| format!("rank {rank} ({})", hello.host))
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(Error::World(format!(
            "{what} of rank 0 ({}) is not that of {}: {remedy}",
            first.host,
            others.join(", ")
        )))
    };
    same("the maniple version", "start one program on all ranks", &|hello| hello.version != first.version)?;
    same("the executable", "start the same build of one program on all ranks", &|hello| {
        hello.fingerprint != first.fingerprint
    })?;
    same("the MPI library", "load the same MPI on all hosts", &|hello| hello.transport != first.transport)?;
    same("the choice whether ranks 0 and 1 work", "give all ranks the same MANIPLE_INCLUSIVE", &|hello| {
        hello.exclusive_workers != first.exclusive_workers
    })?;
    same("the length of frames", "give all ranks the same MANIPLE_FRAME_BYTES", &|hello| {
        hello.frame_bytes_max != first.frame_bytes_max
    })?;
    let mut cluster = cluster(hellos);
    cluster.set_mortal(mortal(hellos, &cluster));
    Ok(cluster)
}

fn cluster(hellos: &[Hello]) -> Cluster {
    let size = hellos.len() as u32;
    let roles: Vec<Role> =
        (0..size).map(|rank| Role::of(Rank(rank), size, hellos[0].exclusive_workers)).collect();
    let mut workers_of_node: FxHashMap<Rank, Vec<usize>> = FxHashMap::default();
    for (index, hello) in hellos.iter().enumerate().filter(|(index, _)| roles[*index].worker) {
        workers_of_node.entry(hello.node).or_default().push(index);
    }
    let mut threads = vec![0; hellos.len()];
    for workers in workers_of_node.values() {
        for (worker, share) in workers.iter().zip(threads_of_node(hellos, workers)) {
            threads[*worker] = hellos[*worker].threads.unwrap_or(share);
        }
    }
    let record = |(index, hello): (usize, &Hello)| {
        let workers = workers_of_node.get(&hello.node).map_or(1, Vec::len) as u64;
        let memory = match hello.memory {
            0.0 => hello.machine_memory_bytes / workers,
            bytes if bytes > 0.0 => bytes as u64,
            fraction => (-fraction * hello.machine_memory_bytes as f64) as u64,
        };
        let role = roles[index];
        RankRecord {
            rank: Rank(index as u32),
            role,
            host: hello.host.clone(),
            pid: hello.pid,
            threads: threads[index],
            cores: Vec::new(),
            memory_bytes: if role.worker { memory } else { 0 },
            resources: if role.worker { hello.resources.clone() } else { Vec::new() },
            device: None,
            transport: hello.transport.clone(),
        }
    };
    Cluster::new(hellos.iter().enumerate().map(record).collect())
}

/// How many threads these workers of one node have unless they were told: one for each core that falls to them.
fn threads_of_node(hellos: &[Hello], workers: &[usize]) -> Vec<u32> {
    let bound_to: Vec<Vec<u32>> =
        workers.iter().map(|worker| affinity::listed(&hellos[*worker].bound_to)).collect();
    let (shares, count) = (affinity::threads(&bound_to), workers.len() as u32);
    let share = |place: usize| {
        let hello = &hellos[workers[place]];
        let of_quota = hello.cores / count + u32::from((place as u32) < hello.cores % count);
        (if hello.has_quota() { of_quota } else { shares[place] }).max(1)
    };
    (0..workers.len()).map(share).collect()
}

/// Binds this rank to a device if it works and was told to, and hears what the others are bound to.
/// Collective, unless no rank was told to.
pub(super) fn bind(
    cluster: &mut Cluster,
    hellos: &[Hello],
    transport: &mut dyn Transport,
    settings: &Settings,
) -> Result<Option<Device>> {
    if hellos.iter().all(|hello| hello.device == Binding::Cpu) {
        return Ok(None);
    }
    let own = &cluster.ranks()[transport.rank().index()];
    let node = |rank: Rank| hellos[rank.index()].node;
    let is_before = |other: &&RankRecord| node(other.rank) == node(own.rank) && other.rank < own.rank;
    let place = cluster.workers().filter(is_before).count();
    let bound = (own.role.worker && settings.device != Binding::Cpu).then(|| {
        let folder = settings.local_directory.clone().unwrap_or_else(std::env::temp_dir);
        let limit = settings.device_memory_limit;
        let is_timed = is_recorded(hellos);
        let bind =
            || Device::bind(place as u32, settings.device, settings.device_type, limit, is_timed, &folder);
        // `ocl` panics at what it does not expect of a driver, and the other ranks wait for this one.
        catch_unwind(AssertUnwindSafe(bind))
            .unwrap_or_else(|_| Err(Error::Device("the OpenCL driver cannot be used".into())))
    });
    let bound = bound.transpose();
    let seat = |device: &Device| {
        let near = device.record().pci.as_deref().map(machine::cores_near).unwrap_or_default();
        // Where nothing is near, the files of each core need not be read.
        let allowed = if near.is_empty() { Vec::new() } else { machine::allowed_cores() };
        Seat { allowed, near }
    };
    let told: Result<Option<(&DeviceRecord, Seat)>, String> = match &bound {
        Ok(device) => Ok(device.as_ref().map(|device| (device.record(), seat(device)))),
        Err(error) => Err(error.to_string()),
    };
    let bytes = crate::codec::to_bytes(&told);
    let heard = transport.all_gather(bytes)?;
    let mut seats = Vec::new();
    for (rank, bytes) in cluster.ranks_mut().iter_mut().zip(heard) {
        let heard: Result<Option<(DeviceRecord, Seat)>, String> =
            postcard::from_bytes(&bytes).map_err(|_| Error::World(UNREADABLE.into()))?;
        let heard = heard.map_err(|trouble| cannot_start(rank.rank, &rank.host, &trouble))?;
        let Some((device, seat)) = heard else { continue };
        rank.device = Some(device);
        seats.push((rank.rank, seat));
        if !rank.resources.iter().any(|(name, _)| name == "GPU") {
            rank.resources.push(("GPU".into(), 1));
        }
    }
    seat_workers(cluster, hellos, seats);
    let shares = |rank: Rank| hellos[rank.index()].share_device;
    let alone = |rank: &'_ RankRecord| !shares(rank.rank);
    let bound_alone: Vec<Bound<'_>> = cluster
        .workers()
        .filter(|rank| alone(rank))
        .filter_map(|rank| {
            let device = rank.device.as_ref()?;
            Some(Bound { rank: rank.rank, node: node(rank.rank), host: &rank.host, device })
        })
        .collect();
    binding::refuse_sharing(&bound_alone)?;
    bound
}

/// Gives the workers cores near their devices to keep to, where there are, with a thread on each unless another
/// number of threads was asked for.
fn seat_workers(cluster: &mut Cluster, hellos: &[Hello], seats: Vec<(Rank, Seat)>) {
    let seated = |(rank, seat): (Rank, Seat)| {
        let hello = &hellos[rank.index()];
        let of_hello = |other: &RankRecord| &hellos[other.rank.index()];
        let shares = |other: &Hello| other.node == hello.node && other.bound_to == hello.bound_to;
        // What is over of cores may go to other workers than before.
        let share_min =
            || cluster.workers().filter(|other| shares(of_hello(other))).map(|other| other.threads).min();
        let threads_min = hello.threads.unwrap_or_else(|| share_min().unwrap_or_default());
        Seated { rank, node: hello.node, threads_min, seat }
    };
    let workers: Vec<Seated> = seats.into_iter().map(seated).collect();
    for worker in &workers {
        let Some(cores) = affinity::cores(worker.rank, &workers) else { continue };
        let hello = &hellos[worker.rank.index()];
        let record = &mut cluster.ranks_mut()[worker.rank.index()];
        // With a quota of time there are fewer threads than cores.
        if hello.threads.is_none() && !hello.has_quota() {
            record.threads = cores.len() as u32;
        }
        record.cores = cores;
    }
}

/// Whether ranks record what they do: rank 0 was asked for it.
pub(super) fn is_recorded(hellos: &[Hello]) -> bool {
    hellos[0].parts.is_some() || hellos[0].live
}

/// Begins to record, if rank 0 was told to. Collective, if so.
pub(super) fn recorder(
    cluster: &Cluster,
    hellos: &[Hello],
    claim: Option<Claim>,
    transport: &mut dyn Transport,
) -> Result<Option<Arc<Recorder>>> {
    if !is_recorded(hellos) {
        return Ok(None);
    }
    let parts = hellos[0].parts.clone();
    let offsets = record::align(transport)?;
    let rank = transport.rank();
    let command: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = command.first().map(String::as_str).unwrap_or_default();
    let head = record::Head {
        version: env!("CARGO_PKG_VERSION").into(),
        program: program.rsplit('/').next().unwrap_or_default().into(),
        command,
        started: time::now(),
        cluster: cluster.clone(),
        offsets,
    };
    let threads = cluster.ranks()[rank.index()].threads as usize;
    Ok(Some(Recorder::start(record::Start { rank, threads, head, parts, claim })))
}

/// Opens the journal, if rank 0 was told of one. Collective, if so.
pub(super) fn open_journal(
    cluster: &Cluster,
    hellos: &[Hello],
    lease: Option<Lease>,
    transport: &mut dyn Transport,
    settings: &Settings,
) -> Result<Option<Arc<Journal>>> {
    let Some(start) = hellos[0].journal.clone() else { return Ok(None) };
    let own = &cluster.ranks()[transport.rank().index()];
    let opener = Opener {
        rank: own.rank.0,
        size: transport.size(),
        host: &own.host,
        build: task::fingerprint(),
        sync: settings.journal.sync,
        lease,
    };
    Journal::open(start, opener, |share| transport.all_gather(share)).map(|journal| Some(Arc::new(journal)))
}

fn cannot_start(rank: Rank, host: &str, trouble: &str) -> Error {
    let who = format!("rank {rank} ({host})");
    // Some say themselves which rank they are of.
    Error::World(match trouble.starts_with(&who) {
        true => trouble.into(),
        false => format!("{who} cannot start: {trouble}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::threads;

    fn hello(host: &str) -> Hello {
        let settings = Settings::from_environment(|_| None).unwrap();
        let transport = threads::world(1).remove(0);
        let mut hello = Hello::new(&settings, &transport, None, None, None);
        hello.host = host.into();
        hello.node = Rank(host.as_bytes()[0].into());
        (hello.cores, hello.bound_to) = (9, "0-8".into());
        hello.machine_memory_bytes = 1000;
        hello
    }

    #[test]
    fn the_cores_and_the_memory_of_a_host_are_shared_by_its_workers() {
        let cluster = agree(&["a", "a", "a", "a", "b"].map(hello)).unwrap();
        let shares: Vec<_> = cluster.workers().map(|worker| (worker.threads, worker.memory_bytes)).collect();
        assert_eq!(shares, [(5, 500), (4, 500), (9, 1000)]);
    }

    #[test]
    fn workers_that_are_bound_have_their_cores_and_those_with_a_quota_share_it() {
        let threads = |cores: u32, bound_to: [&str; 5], asked: Option<u32>| {
            let mut hellos = ["a"; 5].map(hello);
            for (hello, bound_to) in hellos.iter_mut().zip(bound_to) {
                (hello.cores, hello.bound_to, hello.threads) = (cores, bound_to.into(), asked);
            }
            agree(&hellos).unwrap().ranks().iter().map(|rank| rank.threads).collect::<Vec<_>>()
        };
        // `srun --cpus-per-task=8`: those of the scheduler and of the driver lie idle.
        let own = ["0-7", "8-15", "16-23", "24-31", "32-39"];
        assert_eq!(threads(8, own, None), [0, 0, 8, 8, 8]);
        assert_eq!(threads(8, own, Some(3)), [0, 0, 3, 3, 3]);
        assert_eq!(threads(8, ["0-63"; 5], None), [0, 0, 3, 3, 2], "a quota of 8 cores");
        assert_eq!(threads(8, [""; 5], None), [0, 0, 3, 3, 2], "the system does not tell");
        assert_eq!(threads(2, ["0-1"; 5], None), [0, 0, 1, 1, 1]);
        let cores = |cores: u32, bound_to: [&str; 5]| {
            let mut hellos = ["a"; 5].map(hello);
            hellos.iter_mut().for_each(|hello| hello.cores = cores);
            hellos.iter_mut().zip(bound_to).for_each(|(hello, bound_to)| hello.bound_to = bound_to.into());
            let Cores { own, node } = super::cores(&hellos, Rank(0));
            (own, node)
        };
        assert_eq!(cores(8, own), (8, 40));
        assert_eq!(cores(8, ["0-63"; 5]), (8, 8), "a quota");
        assert_eq!(cores(2, ["0-1"; 5]), (2, 2));
    }

    #[test]
    fn ranks_that_mpi_takes_for_nodes_of_their_own_are_put_together() {
        let joined = |hosts: [&str; 6], nodes: [u32; 6], boot: Option<&str>| {
            let mut hellos = hosts.map(hello);
            for (hello, node) in hellos.iter_mut().zip(nodes) {
                (hello.node, hello.boot) = (Rank(node), boot.map(String::from));
            }
            join_nodes(&mut hellos);
            hellos.map(|hello| hello.node.0)
        };
        let (alone, hosts) = ([0, 1, 2, 3, 4, 5], ["a", "a", "b", "b", "a", "c"]);
        assert_eq!(joined(hosts, alone, Some("x")), [0, 0, 2, 2, 0, 5]);
        assert_eq!(joined(hosts, alone, None), alone, "nothing is known");
        // What MPI finds together, it has looked for: names of hosts may be the same on several.
        assert_eq!(joined(["a"; 6], [0, 0, 0, 3, 3, 3], Some("x")), [0, 0, 0, 3, 3, 3]);
    }

    #[test]
    fn workers_keep_to_the_cores_near_their_devices_with_a_thread_on_each() {
        // Two sockets of 5 cores, 4 workers: two near each.
        let seats = || {
            let near = |rank: u32| if rank < 4 { (0..5).collect() } else { (5..10).collect() };
            (2..6).map(|rank| (Rank(rank), Seat { allowed: (0..10).collect(), near: near(rank) })).collect()
        };
        let shares = |change: fn(&mut Hello)| {
            let mut hellos = ["a"; 6].map(hello);
            hellos.iter_mut().for_each(|hello| (hello.cores, hello.bound_to) = (10, "0-9".into()));
            hellos.iter_mut().for_each(change);
            let mut cluster = agree(&hellos).unwrap();
            seat_workers(&mut cluster, &hellos, seats());
            cluster.workers().map(|worker| (worker.threads, worker.cores.clone())).collect::<Vec<_>>()
        };
        let cores = [vec![0, 1], vec![2, 3, 4], vec![5, 6], vec![7, 8, 9]];
        let of = |threads: [u32; 4]| threads.into_iter().zip(cores.clone()).collect::<Vec<_>>();
        assert_eq!(shares(|_| ()), of([2, 3, 2, 3]));
        assert_eq!(shares(|hello| hello.threads = Some(1)), of([1; 4]));
        assert_eq!(shares(|hello| hello.cores = 4), of([1; 4]), "a quota");
        assert_eq!(shares(|hello| hello.threads = Some(3)), vec![(3, vec![]); 4], "more threads than cores");
    }

    #[test]
    fn ranks_that_differ_are_named_with_their_hosts() {
        let mut hellos = ["a", "b", "c"].map(hello);
        hellos[2].fingerprint ^= 1;
        let error = agree(&hellos).unwrap_err().to_string();
        assert_eq!(
            error,
            "the executable of rank 0 (a) is not that of rank 2 (c): start the same build of one program on all ranks"
        );
        let mut hellos = ["a", "b"].map(hello);
        hellos[1].trouble = Some("no memory".into());
        assert_eq!(agree(&hellos).unwrap_err().to_string(), "rank 1 (b) cannot start: no memory");
        hellos[1].trouble = Some("rank 1 (b) cannot make its scratch directory".into());
        assert_eq!(agree(&hellos).unwrap_err().to_string(), "rank 1 (b) cannot make its scratch directory");
    }
}
