//! How many ranks a job has, on which node each is, and what a worker gets of its node.
//!
//! ```text
//! workers_per_node = 3, two nodes                ranks = 6, two nodes
//! node 1: scheduler driver worker worker worker   node 1: scheduler driver worker
//! node 2: worker worker worker                    node 2: worker worker worker
//! ```
//!
//! Ranks fill one node after the other, so that ranks 0 and 1 are on the first.

use super::{JobError, Memory, Request};
use maniple::{Rank, Role};
use std::fmt::Write;

/// What a request says about size. The fields are those of [`Request`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Wanted {
    pub nodes: Option<u32>,
    pub workers: Option<u32>,
    pub workers_per_node: Option<u32>,
    pub ranks: Option<u32>,
    pub ranks_per_node: Option<u32>,
    pub inclusive: bool,
    pub threads: Option<u32>,
    pub memory: Option<Memory>,
    pub cpus_per_node: Option<u32>,
    pub memory_per_node: Option<Memory>,
}

impl From<&Request> for Wanted {
    fn from(request: &Request) -> Self {
        Self {
            nodes: request.nodes,
            workers: request.workers,
            workers_per_node: request.workers_per_node,
            ranks: request.ranks,
            ranks_per_node: request.ranks_per_node,
            inclusive: request.inclusive,
            threads: request.threads,
            memory: request.memory,
            cpus_per_node: request.cpus_per_node,
            memory_per_node: request.memory_per_node,
        }
    }
}

/// Which rank goes to which node, and what a worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Nodes.
    pub nodes: u32,
    /// Ranks altogether.
    pub ranks: u32,
    /// Ranks on the first node.
    pub first_node_ranks: u32,
    /// Ranks on each further node. The last one may have fewer.
    pub ranks_per_node: u32,
    /// Ranks a node that CPUs are asked for. The scheduler and the driver share those of the
    /// workers, unless they were counted as ranks.
    pub slots_per_node: u32,
    /// Whether the scheduler's and the driver's rank work too.
    pub inclusive: bool,
    /// Threads of a worker, where known.
    pub threads: Option<u32>,
    /// Memory of a worker, where known.
    pub memory: Option<Memory>,
}

/// Ranks that only schedule or drive.
const EXTRA_RANKS: u32 = 2;

impl Layout {
    /// Computes the layout.
    ///
    /// # Errors
    ///
    /// Fails if the numbers contradict each other, or if a node has too few CPUs or too little
    /// memory for the workers it would get.
    pub fn new(wanted: &Wanted) -> Result<Self, JobError> {
        let mut layout = if wanted.ranks.is_some() || wanted.ranks_per_node.is_some() {
            Self::from_ranks(wanted)?
        } else {
            Self::from_workers(wanted)?
        };
        layout.threads = layout.threads_of_a_worker(wanted)?;
        layout.memory = layout.memory_of_a_worker(wanted)?;
        Ok(layout)
    }

    fn from_ranks(wanted: &Wanted) -> Result<Self, JobError> {
        let nodes = match (wanted.nodes, wanted.ranks, wanted.ranks_per_node) {
            (Some(nodes), _, _) => nodes,
            (None, Some(ranks), Some(ranks_per_node)) => ranks.div_ceil(ranks_per_node),
            _ => 1,
        };
        let ranks_per_node = match (wanted.ranks_per_node, wanted.ranks) {
            (Some(ranks_per_node), _) => ranks_per_node,
            (None, ranks) => ranks.unwrap_or(1).div_ceil(nodes),
        };
        let room = product("--ranks-per-node", nodes, ranks_per_node)?;
        let ranks = wanted.ranks.unwrap_or(room);
        if ranks > room {
            let message =
                format!("{ranks} ranks do not go on {nodes} nodes with {ranks_per_node} ranks each");
            return Err(JobError::option("--ranks", message));
        }
        Self::filling(nodes, ranks, ranks_per_node, ranks_per_node, wanted)
    }

    fn from_workers(wanted: &Wanted) -> Result<Self, JobError> {
        let workers_per_node = match (wanted.workers_per_node, wanted.workers, wanted.nodes) {
            (Some(workers_per_node), _, _) => workers_per_node,
            (None, Some(workers), nodes) => workers.div_ceil(nodes.unwrap_or(1)),
            (None, None, _) => 1,
        };
        let nodes = wanted.nodes.unwrap_or_else(|| wanted.workers.unwrap_or(1).div_ceil(workers_per_node));
        let room = product("--workers-per-node", nodes, workers_per_node)?;
        let workers = wanted.workers.unwrap_or(room);
        if workers > room {
            let message =
                format!("{workers} workers do not go on {nodes} nodes with {workers_per_node} each");
            return Err(JobError::option("--workers", message));
        }
        let extra = if wanted.inclusive { 0 } else { EXTRA_RANKS };
        let first = workers.min(workers_per_node) + extra;
        Self::filling(nodes, workers + extra, first, workers_per_node, wanted)
    }

    /// Fills the first node, then the others. Each must get at least one rank.
    fn filling(nodes: u32, ranks: u32, first: u32, others: u32, wanted: &Wanted) -> Result<Self, JobError> {
        let used = 1 + ranks.saturating_sub(first).div_ceil(others);
        if used < nodes {
            let message = format!("{ranks} ranks fill {used} of {nodes} nodes: ask for fewer nodes");
            return Err(JobError::option("--nodes", message));
        }
        Ok(Self {
            nodes,
            ranks,
            first_node_ranks: first.min(ranks),
            ranks_per_node: if nodes == 1 { first } else { others },
            slots_per_node: others,
            inclusive: wanted.inclusive,
            threads: None,
            memory: None,
        })
    }

    /// The node's CPUs go to its workers; where every rank was counted, to its ranks.
    fn threads_of_a_worker(&self, wanted: &Wanted) -> Result<Option<u32>, JobError> {
        let Some(cpus) = wanted.cpus_per_node else { return Ok(wanted.threads) };
        let count = self.slots_per_node;
        let threads = wanted.threads.unwrap_or_else(|| (cpus / count).max(1));
        let needed = u64::from(threads) * u64::from(count);
        if needed > u64::from(cpus) {
            return Err(JobError::NodeTooSmall {
                count,
                need: format!("of {}", plural(threads, "thread")),
                needed: needed.to_string(),
                what: "CPUs",
                available: cpus.to_string(),
                remedy: "ask for fewer workers a node or fewer threads",
            });
        }
        Ok(Some(threads))
    }

    fn memory_of_a_worker(&self, wanted: &Wanted) -> Result<Option<Memory>, JobError> {
        let Some(node) = wanted.memory_per_node else { return Ok(wanted.memory) };
        let count = self.workers_per_node_max().max(1);
        let memory = wanted.memory.unwrap_or_else(|| node.share(count));
        let needed = Memory(memory.0.saturating_mul(count.into()));
        if needed > node || memory.0 == 0 {
            return Err(JobError::NodeTooSmall {
                count,
                need: format!("with {memory} each"),
                needed: needed.to_string(),
                what: "of memory",
                available: node.to_string(),
                remedy: "ask for fewer workers a node or less memory for each",
            });
        }
        Ok(Some(memory))
    }

    /// Ranks on a node; nodes count from 0.
    pub fn ranks_on(&self, node: u32) -> u32 {
        let others = self.ranks - self.first_node_ranks;
        match node {
            0 => self.first_node_ranks,
            node => {
                others.saturating_sub((node - 1).saturating_mul(self.ranks_per_node)).min(self.ranks_per_node)
            }
        }
    }

    /// Workers on a node; nodes count from 0.
    pub fn workers_on(&self, node: u32) -> u32 {
        let first = match node {
            0 => 0,
            node => self.first_node_ranks + (node - 1) * self.ranks_per_node,
        };
        let early = first.min(EXTRA_RANKS)..(first + self.ranks_on(node)).min(EXTRA_RANKS);
        let early_workers = early.clone().filter(|rank| self.role(*rank).worker).count() as u32;
        self.ranks_on(node) - early.len() as u32 + early_workers
    }

    /// Workers altogether.
    pub fn workers(&self) -> u32 {
        let early = (0..self.ranks.min(EXTRA_RANKS)).filter(|rank| self.role(*rank).worker).count() as u32;
        early + self.ranks.saturating_sub(EXTRA_RANKS)
    }

    /// Workers on the fullest node.
    pub fn workers_per_node_max(&self) -> u32 {
        (0..self.nodes.min(3)).map(|node| self.workers_on(node)).max().unwrap_or(0)
    }

    /// Whether all nodes have the same number of ranks, so that a launcher needs no list of hosts.
    pub fn is_even(&self) -> bool {
        self.nodes == 1 || u64::from(self.ranks) == u64::from(self.nodes) * u64::from(self.first_node_ranks)
    }

    /// Whether some node has more ranks than CPUs were asked for.
    pub fn shares_slots(&self) -> bool {
        self.first_node_ranks > self.slots_per_node
    }

    fn role(&self, rank: u32) -> Role {
        Role::of(Rank(rank), self.ranks, !self.inclusive)
    }

    /// Describes the layout in lines for the head of a script.
    pub fn table(&self) -> Vec<String> {
        let mut total = format!("{} on {}", plural(self.ranks, "rank"), plural(self.nodes, "node"));
        let _ = write!(total, ", {}", plural(self.workers(), "worker"));
        let threads = self.threads.map(|threads| plural(threads, "thread"));
        let each = [threads, self.memory.map(|memory| memory.to_string())];
        let each = each.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        if !each.is_empty() {
            let _ = write!(total, " of {each}");
        }
        let mut lines = vec![total, self.table_line(0, 0)];
        // Nodes in the middle are alike; the second can hold the driver, and the last can hold
        // fewer ranks.
        let mut node = 1;
        while node < self.nodes {
            let alike = |other: &u32| self.roles_on(*other) == self.roles_on(node);
            let last = if node == 1 && self.first_node_ranks < EXTRA_RANKS {
                1
            } else {
                [self.nodes - 1, self.nodes - 2]
                    .into_iter()
                    .find(|other| *other >= node && alike(other))
                    .unwrap_or(node)
            };
            lines.push(self.table_line(node, last));
            node = last + 1;
        }
        lines
    }

    fn table_line(&self, first: u32, last: u32) -> String {
        let nodes = match last - first {
            0 => format!("node {}", first + 1),
            1 => format!("nodes {} and {}", first + 1, last + 1),
            _ => format!("nodes {} to {}", first + 1, last + 1),
        };
        format!("{nodes}: {}", self.roles_on(first))
    }

    /// The roles of the ranks on a node, such as `scheduler, driver, 6 workers`.
    fn roles_on(&self, node: u32) -> String {
        let before = if node == 0 { 0 } else { self.first_node_ranks + (node - 1) * self.ranks_per_node };
        let end = before + self.ranks_on(node);
        let early = (before.min(EXTRA_RANKS)..end.min(EXTRA_RANKS)).map(|rank| self.role(rank).to_string());
        let mut roles: Vec<String> = early.collect();
        let workers = end.saturating_sub(before.max(EXTRA_RANKS));
        if workers > 0 {
            roles.push(plural(workers, "worker"));
        }
        roles.join(", ")
    }
}

fn product(option: &'static str, nodes: u32, each: u32) -> Result<u32, JobError> {
    let ranks = nodes.checked_mul(each).filter(|ranks| *ranks <= u32::MAX - EXTRA_RANKS);
    ranks
        .ok_or_else(|| JobError::option(option, format!("{nodes} nodes with {each} each are too many ranks")))
}

fn plural(count: u32, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(text: &str) -> Option<Memory> {
        Some(text.parse().unwrap())
    }

    const AURORA: Wanted = Wanted {
        cpus_per_node: Some(208),
        memory_per_node: Some(Memory(1_100_000_000_000)),
        nodes: Some(2),
        workers: None,
        workers_per_node: None,
        ranks: None,
        ranks_per_node: None,
        inclusive: false,
        threads: None,
        memory: None,
    };

    #[test]
    fn aurora_has_6_12_or_104_workers_a_node() {
        for (workers_per_node, threads, gigabytes) in [(6, 34, 183), (12, 17, 91), (104, 2, 10)] {
            let wanted = Wanted { workers_per_node: Some(workers_per_node), ..AURORA };
            let layout = Layout::new(&wanted).unwrap();
            assert_eq!(layout.ranks, 2 * workers_per_node + 2);
            assert_eq!((layout.ranks_on(0), layout.ranks_on(1)), (workers_per_node + 2, workers_per_node));
            assert_eq!((layout.workers_on(0), layout.workers_on(1)), (workers_per_node, workers_per_node));
            assert_eq!(layout.threads, Some(threads));
            assert_eq!(layout.memory, Some(Memory(gigabytes * 1_000_000_000)));
            assert!(!layout.is_even() && layout.shares_slots());

            let layout = Layout::new(&Wanted { inclusive: true, ..wanted }).unwrap();
            assert_eq!((layout.ranks, layout.workers()), (2 * workers_per_node, 2 * workers_per_node));
            assert_eq!(layout.threads, Some(threads));
            assert!(layout.is_even() && !layout.shares_slots());
        }
    }

    #[test]
    fn kay_has_six_ranks_three_a_node() {
        let wanted = Wanted {
            nodes: Some(2),
            ranks: Some(6),
            threads: Some(4),
            memory: memory("40GB"),
            cpus_per_node: Some(40),
            memory_per_node: memory("180GB"),
            ..Wanted::default()
        };
        let layout = Layout::new(&wanted).unwrap();
        assert_eq!((layout.ranks, layout.ranks_per_node, layout.workers()), (6, 3, 4));
        assert!(layout.is_even() && !layout.shares_slots());
        let table = [
            "6 ranks on 2 nodes, 4 workers of 4 threads and 40GB",
            "node 1: scheduler, driver, 1 worker",
            "node 2: 3 workers",
        ];
        assert_eq!(layout.table(), table);
    }

    #[test]
    fn gadi_sophia_and_vortex() {
        let gadi = Wanted {
            nodes: Some(2),
            workers_per_node: Some(4),
            cpus_per_node: Some(48),
            memory_per_node: memory("192GiB"),
            ..Wanted::default()
        };
        let layout = Layout::new(&gadi).unwrap();
        assert_eq!((layout.ranks, layout.threads, layout.memory), (10, Some(12), memory("51GB")));

        let sophia = Wanted {
            workers_per_node: Some(8),
            cpus_per_node: Some(256),
            memory_per_node: memory("1TB"),
            ..Wanted::default()
        };
        let layout = Layout::new(&sophia).unwrap();
        assert_eq!(
            (layout.nodes, layout.ranks, layout.threads, layout.memory),
            (1, 10, Some(32), memory("125GB"))
        );
        assert!(layout.is_even() && layout.shares_slots());

        let vortex = Wanted {
            nodes: Some(1),
            ranks_per_node: Some(12),
            cpus_per_node: Some(12),
            memory_per_node: memory("32GB"),
            ..Wanted::default()
        };
        let layout = Layout::new(&vortex).unwrap();
        assert_eq!((layout.ranks, layout.workers(), layout.threads), (12, 10, Some(1)));
        assert_eq!(layout.memory, memory("3200MB"));
    }

    #[test]
    fn workers_take_as_many_nodes_as_they_fill() {
        let wanted = Wanted { workers: Some(48), workers_per_node: Some(12), ..Wanted::default() };
        assert_eq!(Layout::new(&wanted).unwrap().nodes, 4);
        let layout = Layout::new(&Wanted { workers: Some(5), workers_per_node: Some(2), ..wanted }).unwrap();
        let per_node: Vec<_> = (0..layout.nodes).map(|node| layout.ranks_on(node)).collect();
        assert_eq!(per_node, [4, 2, 1]);
        assert_eq!(
            layout.table()[1..],
            ["node 1: scheduler, driver, 2 workers", "node 2: 2 workers", "node 3: 1 worker"]
        );
    }

    #[test]
    fn every_rank_is_on_exactly_one_node() {
        for nodes in 1..6 {
            for ranks in nodes..24 {
                let Ok(layout) =
                    Layout::new(&Wanted { nodes: Some(nodes), ranks: Some(ranks), ..Wanted::default() })
                else {
                    continue;
                };
                assert_eq!((0..nodes).map(|node| layout.ranks_on(node)).sum::<u32>(), ranks);
                assert_eq!((0..nodes).map(|node| layout.workers_on(node)).sum::<u32>(), layout.workers());
                let fullest = (0..nodes).map(|node| layout.workers_on(node)).max();
                assert_eq!(Some(layout.workers_per_node_max()), fullest, "{layout:?}");
            }
        }
    }

    #[test]
    fn small_worlds_have_the_roles_of_the_runtime() {
        let table = |ranks, nodes| {
            let wanted = Wanted { ranks: Some(ranks), nodes: Some(nodes), ..Wanted::default() };
            Layout::new(&wanted).unwrap().table()[1..].join("; ")
        };
        assert_eq!(table(1, 1), "node 1: scheduler+driver+worker");
        assert_eq!(table(2, 2), "node 1: scheduler; node 2: driver+worker");
        assert_eq!(table(4, 4), "node 1: scheduler; node 2: driver; nodes 3 and 4: 1 worker");
        assert_eq!(table(9, 3), "node 1: scheduler, driver, 1 worker; nodes 2 and 3: 3 workers");
    }

    #[test]
    fn inclusive_ranks_work_too() {
        let wanted =
            Wanted { workers_per_node: Some(6), nodes: Some(3), inclusive: true, ..Wanted::default() };
        let layout = Layout::new(&wanted).unwrap();
        assert_eq!((layout.ranks, layout.workers()), (18, 18));
        assert_eq!(layout.table()[1], "node 1: scheduler+worker, driver+worker, 4 workers");
    }

    #[test]
    fn what_a_node_cannot_hold_is_refused() {
        let message = |wanted: Wanted| Layout::new(&wanted).unwrap_err().to_string();
        let wanted = Wanted { workers_per_node: Some(300), ..AURORA };
        assert_eq!(
            message(wanted),
            "300 workers a node of 1 thread need 300 CPUs, but a node has 208: \
             ask for fewer workers a node or fewer threads"
        );
        let wanted = Wanted { workers_per_node: Some(12), threads: Some(20), ..AURORA };
        assert!(
            message(wanted).starts_with("12 workers a node of 20 threads need 240 CPUs, but a node has 208")
        );
        let wanted = Wanted { workers_per_node: Some(12), memory: memory("100GB"), ..AURORA };
        assert!(
            message(wanted).contains("need 1200GB of memory, but a node has 1100GB"),
            "{}",
            message(wanted)
        );
        let wanted = Wanted { nodes: Some(4), ranks: Some(3), ..Wanted::default() };
        assert_eq!(message(wanted), "--nodes: 3 ranks fill 3 of 4 nodes: ask for fewer nodes");
        let wanted =
            Wanted { workers: Some(9), workers_per_node: Some(2), nodes: Some(3), ..Wanted::default() };
        assert_eq!(message(wanted), "--workers: 9 workers do not go on 3 nodes with 2 each");
        let wanted = Wanted { nodes: Some(u32::MAX), workers_per_node: Some(2), ..Wanted::default() };
        assert!(message(wanted).contains("too many ranks"));
    }
}
