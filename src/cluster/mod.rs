//! The role table: role, host, cores, memory and device of each rank.

mod device;

use crate::{
    host::affinity,
    rank::{Rank, Role},
    units::human_bytes,
};
pub use device::{DeviceKind, DeviceRecord};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One rank of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RankRecord {
    /// Its number.
    pub rank: Rank,
    /// What it does.
    pub role: Role,
    /// The name of its host.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// How many tasks it runs at a time; 0 if it runs none.
    pub threads: u32,
    /// The cores that these threads keep to, near its device; none if they use all that its process may.
    pub cores: Vec<u32>,
    /// How many bytes of values it may hold; 0 if it runs no tasks.
    pub memory_bytes: u64,
    /// What tasks can take of it, by name.
    pub resources: Vec<(String, u32)>,
    /// What it is bound to, if it is.
    pub device: Option<DeviceRecord>,
    /// How ranks reach each other: the MPI library, or `threads`.
    pub transport: String,
}

/// All ranks of a run, in order.
///
/// `Display` prints a line as Dask prints a `Client`; the alternate form `{:#}` adds a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    ranks: Vec<RankRecord>,
    /// Why the loss of a worker ends the run; nothing if it does not.
    mortal: Option<String>,
}

impl Cluster {
    pub(crate) fn new(ranks: Vec<RankRecord>) -> Self {
        Self { ranks, mortal: Some("MANIPLE_SURVIVE is not set".into()) }
    }

    pub(crate) fn set_mortal(&mut self, reason: Option<String>) {
        self.mortal = reason;
    }

    /// Whether the run survives the loss of a worker. See [`Builder::survive`](crate::Builder::survive).
    pub fn survives(&self) -> bool {
        self.mortal.is_none()
    }

    pub(crate) fn ranks_mut(&mut self) -> &mut [RankRecord] {
        &mut self.ranks
    }

    /// Every rank, in order.
    pub fn ranks(&self) -> &[RankRecord] {
        &self.ranks
    }

    /// The ranks that run tasks, in order.
    pub fn workers(&self) -> impl Iterator<Item = &RankRecord> {
        self.ranks.iter().filter(|rank| rank.role.worker)
    }

    /// How many ranks run tasks.
    pub fn worker_count(&self) -> usize {
        self.workers().count()
    }

    /// How many tasks run at a time.
    pub fn thread_count(&self) -> usize {
        self.workers().map(|rank| rank.threads as usize).sum()
    }

    /// How many bytes of values the workers may hold.
    pub fn memory_bytes(&self) -> u64 {
        self.workers().map(|rank| rank.memory_bytes).sum()
    }

    pub(crate) fn worker_hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self.workers().map(|rank| rank.host.clone()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = self.ranks.first().map_or("", |rank| rank.transport.as_str());
        write!(
            f,
            "<Client: '{transport}' ranks={} workers={} threads={}, memory={}>",
            self.ranks.len(),
            self.worker_count(),
            self.thread_count(),
            human_bytes(self.memory_bytes())
        )?;
        if f.alternate() {
            write!(
                f,
                "\n{:>5}  {:<24} {:<20} {:>8} {:>7} {:>12}  {:<12}  device",
                "rank", "role", "host", "pid", "threads", "memory", "resources"
            )?;
            for rank in &self.ranks {
                let memory = if rank.role.worker { human_bytes(rank.memory_bytes) } else { "-".into() };
                let threads = if rank.role.worker { rank.threads.to_string() } else { "-".into() };
                let resources: Vec<String> =
                    rank.resources.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
                let device = rank.device.as_ref().map_or("-".into(), ToString::to_string);
                let device = match rank.cores.as_slice() {
                    [] => device,
                    cores => format!("{device}, near cores {}", affinity::list(cores.iter().copied())),
                };
                write!(
                    f,
                    "\n{:>5}  {:<24} {:<20} {:>8} {threads:>7} {memory:>12}  {:<12}  {device}",
                    rank.rank,
                    rank.role.to_string(),
                    rank.host,
                    rank.pid,
                    if resources.is_empty() { "-".into() } else { resources.join(" ") },
                )?;
            }
            match &self.mortal {
                None => write!(f, "\nthe loss of a worker is survived")?,
                Some(reason) => write!(f, "\nthe loss of a worker ends the run: {reason}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_reads_as_dasks_does() {
        let rank = |number: u32| RankRecord {
            rank: Rank(number),
            role: Role::of(Rank(number), 4, true),
            host: "node01".into(),
            pid: 7,
            threads: 34,
            cores: if number == 3 { (52..86).collect() } else { vec![] },
            memory_bytes: 1 << 39,
            resources: vec![],
            device: None,
            transport: "Open MPI v4.1.4".into(),
        };
        let cluster = Cluster::new((0..4).map(rank).collect());
        assert_eq!(
            cluster.to_string(),
            "<Client: 'Open MPI v4.1.4' ranks=4 workers=2 threads=68, memory=1.00 TiB>"
        );
        assert_eq!(format!("{cluster:#}").lines().count(), 7);
        assert!(format!("{cluster:#}").lines().nth(5).unwrap().ends_with(", near cores 52-85"));
        assert!(format!("{cluster:#}").ends_with("ends the run: MANIPLE_SURVIVE is not set"));
    }
}
