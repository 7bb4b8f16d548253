//! How many threads the workers of a node have, and which cores they keep to: those near their devices. Pure.

use crate::rank::Rank;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a worker finds around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    /// The cores that its process may use, those of one physical core next to each other; none if none is near.
    pub(crate) allowed: Vec<u32>,
    /// The cores near its device; none if the system does not tell, or it has no device.
    pub(crate) near: Vec<u32>,
}

/// A worker on its node.
#[derive(Clone, Debug)]
pub(crate) struct Seated {
    pub(crate) rank: Rank,
    /// The first rank of its node.
    pub(crate) node: Rank,
    /// How many threads it is to have at least.
    pub(crate) threads_min: u32,
    pub(crate) seat: Seat,
}

impl Seat {
    /// The cores that it may use near its device.
    fn choice(&self) -> Vec<u32> {
        self.allowed.iter().copied().filter(|core| self.near.contains(core)).collect()
    }
}

/// The cores that the threads of the worker `own` keep to: its share of those near its device, which workers
/// that may use the same ones divide among them. None if it is to use all that it may: where nothing is known
/// to be near, or all is; where the launcher has bound it elsewhere; where one of those that share has fewer
/// cores than threads.
pub(crate) fn cores(own: Rank, workers: &[Seated]) -> Option<Vec<u32>> {
    let own = workers.iter().find(|worker| worker.rank == own)?;
    let choice = own.seat.choice();
    if choice.len() == own.seat.allowed.len() {
        return None;
    }
    let sharers = workers.iter().filter(|other| other.node == own.node && other.seat.choice() == choice);
    let sharers: Vec<&Seated> = sharers.collect();
    let start = |place: usize| choice.len() * place / sharers.len();
    let share = |place: usize| &choice[start(place)..start(place + 1)];
    let has_room =
        |(place, sharer): (usize, &&Seated)| share(place).len() >= sharer.threads_min.max(1) as usize;
    let place = sharers.iter().position(|sharer| sharer.rank == own.rank)?;
    sharers.iter().enumerate().all(has_room).then(|| share(place).to_vec())
}

/// How many threads the workers of a node have that may use these cores each: a core goes to the worker with the
/// fewest among those that may use it, the first of them, and cores that fewer may use go first.
pub(crate) fn threads(allowed: &[Vec<u32>]) -> Vec<u32> {
    let mut workers_of_core: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (worker, cores) in allowed.iter().enumerate() {
        cores.iter().for_each(|core| workers_of_core.entry(*core).or_default().push(worker));
    }
    let mut shared: Vec<Vec<usize>> = workers_of_core.into_values().collect();
    shared.sort_by_key(Vec::len);
    let mut threads = vec![0; allowed.len()];
    for workers in shared {
        let fewest = workers.into_iter().min_by_key(|worker| threads[*worker]);
        threads[fewest.expect("a core is listed for a worker")] += 1;
    }
    threads
}

/// Whether these are hardware threads of one physical core. `siblings` gives those of the core that one belongs to.
#[cfg(any(feature = "mpi", test))]
pub(crate) fn is_one_core(cores: &[u32], siblings: impl Fn(u32) -> Vec<u32>) -> bool {
    let Some(first) = cores.first() else { return false };
    let siblings = siblings(*first);
    cores.iter().all(|core| core == first || siblings.contains(core))
}

/// The cores that a process may use, from its `/proc/self/status`.
pub(crate) fn allowed(status: &str) -> Vec<u32> {
    listed(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default())
}

/// The cores of a list such as `0-3,8,10-11`, as the system writes them.
pub(crate) fn listed(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
        Some(first.parse::<u32>().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// Different numbers, of cores or of ranks, as such a list.
///
/// ```
/// assert_eq!(maniple::info::list([11, 0, 2, 1, 8, 10, 3]), "0-3,8,10-11");
/// ```
pub fn list(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut sorted: Vec<u32> = numbers.into_iter().collect();
    sorted.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in sorted {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let words = ranges.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares of workers of one node: each with the cores it may use, those near its device, and how many
    /// threads it is to have.
    fn shares(seats: &[(&str, &str, u32)]) -> Vec<String> {
        let seated = |(rank, (allowed, near, threads_min)): (u32, &(&str, &str, u32))| {
            let seat = Seat { allowed: listed(allowed), near: listed(near) };
            Seated { rank: Rank(rank), node: Rank(0), threads_min: *threads_min, seat }
        };
        let workers: Vec<Seated> = (2..).zip(seats).map(seated).collect();
        let share = |worker: &Seated| cores(worker.rank, &workers).map_or("all".into(), list);
        workers.iter().map(share).collect()
    }

    #[test]
    fn workers_share_the_cores_near_their_devices() {
        // Two sockets of 52 cores with 3 GPUs each, as on a node of Aurora, whose launcher binds nothing.
        let (all, first, second) = ("0-103", "0-51", "52-103");
        let table = [
            (vec![(all, first, 52), (all, second, 52)], vec!["0-51", "52-103"]),
            (
                [[(all, first, 17); 3], [(all, second, 17); 3]].concat(),
                vec!["0-16", "17-33", "34-51", "52-68", "69-85", "86-103"],
            ),
            // All devices are near one socket: half of the cores would lie idle. Or few threads are asked for.
            (vec![(all, first, 26); 4], vec!["all"; 4]),
            (vec![(all, first, 13); 4], vec!["0-12", "13-25", "26-38", "39-51"]),
            // A worker a core, and more than there are cores.
            (vec![("0-3", "2-3", 1), ("0-3", "2-3", 1)], vec!["2", "3"]),
            (vec![("0-3", "2-3", 1); 3], vec!["all", "all", "all"]),
            // Bound by the launcher: to the right socket, or to cores of their own, or elsewhere.
            (vec![(first, first, 52)], vec!["all"]),
            (vec![("0-7", first, 8), ("8-15", first, 8)], vec!["all", "all"]),
            (vec![(second, first, 52)], vec!["all"]),
            (vec![("48-55", first, 4)], vec!["48-51"]),
            // Nothing is known, or all is near.
            (vec![(all, "", 52), (all, "", 52)], vec!["all", "all"]),
            (vec![("0-1", "0-1", 1), ("0-1", "0-1", 1)], vec!["all", "all"]),
        ];
        for (seats, expected) in table {
            assert_eq!(shares(&seats), expected, "{seats:?}");
        }
    }

    #[test]
    fn workers_of_other_nodes_take_nothing_away() {
        let seated = |rank, node| Seated {
            rank: Rank(rank),
            node: Rank(node),
            threads_min: 4,
            seat: Seat { allowed: listed("0-7"), near: listed("0-3") },
        };
        let workers = [seated(2, 0), seated(3, 3)];
        assert_eq!(cores(Rank(2), &workers), Some(vec![0, 1, 2, 3]));
        assert_eq!(cores(Rank(3), &workers), Some(vec![0, 1, 2, 3]));
        assert_eq!(cores(Rank(9), &workers), None, "no worker");
    }

    #[test]
    fn threads_of_one_physical_core_stay_together() {
        // The second thread of each core follows the first one.
        let seat = Seat { allowed: vec![0, 4, 1, 5, 2, 6, 3, 7], near: listed("0-1,4-5") };
        let seated = |rank| Seated { rank: Rank(rank), node: Rank(0), threads_min: 2, seat: seat.clone() };
        let workers = [seated(2), seated(3)];
        assert_eq!(cores(Rank(2), &workers), Some(vec![0, 4]));
        assert_eq!(cores(Rank(3), &workers), Some(vec![1, 5]));
    }

    #[test]
    fn hardware_threads_of_one_core_are_one_core() {
        let siblings = |core: u32| vec![core % 64, core % 64 + 64];
        assert!(is_one_core(&[3], siblings) && is_one_core(&[3, 67], siblings));
        assert!(!is_one_core(&[3, 4], siblings) && !is_one_core(&[], siblings));
        assert!(is_one_core(&[3], |_| vec![]), "the system does not tell");
    }

    #[test]
    fn each_core_has_one_thread() {
        let table: [(&[&str], &[u32]); 7] = [
            // Not bound: what is over goes to the first workers.
            (&["0-8", "0-8"], &[5, 4]),
            (&["0-1"; 3], &[1, 1, 0]),
            // Bound to cores of their own, as by `srun --cpus-per-task`, and to sockets, as by Open MPI.
            (&["2-9", "10-17", "18-20"], &[8, 8, 3]),
            (&["0-31", "32-63", "0-31", "32-63", "0-31"], &[11, 16, 11, 16, 10]),
            // Bound in part.
            (&["0-1", "0-3"], &[2, 2]),
            (&["0-3", "0-1"], &[2, 2]),
            (&["", "0-1"], &[0, 2]),
        ];
        for (allowed, expected) in table {
            let allowed: Vec<Vec<u32>> = allowed.iter().map(|cores| listed(cores)).collect();
            assert_eq!(threads(&allowed), expected, "{allowed:?}");
        }
    }

    #[test]
    fn sets_of_cores_are_read() {
        let table = [("0-1", vec![0, 1]), ("0,2-4,7", vec![0, 2, 3, 4, 7]), ("5", vec![5]), ("", vec![])];
        for (list, cores) in table {
            let status =
                format!("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t{list}\nMems_allowed:\t1\n");
            assert_eq!(allowed(&status), cores, "{list}");
        }
    }

    #[test]
    fn lists_are_read_and_written() {
        assert_eq!(listed("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(list([11, 0, 2, 1, 8, 10, 3]), "0-3,8,10-11");
        assert_eq!((listed(""), list([])), (vec![], String::new()));
    }
}
