//! Which worker takes which device: pure decisions over what the workers of a node see.
//!
//! A *root* is a device as its driver lists it, a *leaf* what a worker binds to: a root, or one of its
//! tiles. Each worker picks by its place among the workers of its node, from the devices that it sees.
//! Drivers show other roots under other settings (`ZE_AFFINITY_MASK`, `ZE_FLAT_DEVICE_HIERARCHY`,
//! `CUDA_VISIBLE_DEVICES`, `ROCR_VISIBLE_DEVICES`), for all workers or for each its own, so a worker
//! cannot tell from its list alone whether another one has the same device. Their identities tell: they
//! are compared when all have chosen.

use super::DeviceRecord;
use crate::{
    error::{Error, Result},
    rank::Rank,
};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What each worker binds to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Binding {
    /// No OpenCL device: tasks run on the worker's threads only, and OpenCL is not looked for.
    #[default]
    Cpu,
    /// A device as its driver lists it: a GPU.
    Gpu,
    /// A tile of a device, or a device that has none.
    Tile,
}

impl FromStr for Binding {
    type Err = Error;

    /// Reads `cpu`, `gpu` or `tile`.
    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "tile" => Ok(Self::Tile),
            _ => Err(Error::Option(format!("device {text:?} is neither cpu, gpu nor tile"))),
        }
    }
}

/// Which OpenCL devices count as devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DeviceType {
    /// GPUs, and what OpenCL calls accelerators.
    #[default]
    Gpu,
    /// CPUs: for trying programs where there is no GPU.
    Cpu,
    /// All.
    All,
}

impl FromStr for DeviceType {
    type Err = Error;

    /// Reads `gpu`, `cpu` or `all`.
    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "gpu" => Ok(Self::Gpu),
            "cpu" => Ok(Self::Cpu),
            "all" => Ok(Self::All),
            _ => Err(Error::Option(format!("device type {text:?} is neither gpu, cpu nor all"))),
        }
    }
}

/// One of the devices that a worker sees: the number of its root, and its tile if it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub root: usize,
    pub tile: Option<u32>,
}

/// The leaves in order: root by root, a root's tiles one after the other. `tile_counts` has the tiles of
/// each root; a root that cannot be cut has none, and is a leaf itself.
pub(crate) fn leaves(tile_counts: &[u32], binding: Binding) -> Vec<Leaf> {
    let tiles = |(root, count): (usize, &u32)| match binding {
        Binding::Cpu => Vec::new(),
        Binding::Tile if *count > 1 => (0..*count).map(|tile| Leaf { root, tile: Some(tile) }).collect(),
        Binding::Gpu | Binding::Tile => vec![Leaf { root, tile: None }],
    };
    tile_counts.iter().enumerate().flat_map(tiles).collect()
}

/// The leaf of the worker that has this place among the workers of its host. `None` if there is none.
pub(crate) fn choose(place: u32, leaves: &[Leaf]) -> Option<Leaf> {
    leaves.get((place as usize).checked_rem(leaves.len())?).copied()
}

/// A worker and what it is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    pub rank: Rank,
    /// The first rank of its node.
    pub node: Rank,
    pub host: &'a str,
    pub device: &'a DeviceRecord,
}

/// Refuses two workers of one node that are bound to the same device, or to a device and a tile of it.
pub(crate) fn refuse_sharing(workers: &[Bound<'_>]) -> Result<()> {
    for (index, second) in workers.iter().enumerate() {
        let same = |first: &&Bound<'_>| first.node == second.node && overlap(first.device, second.device);
        if let Some(first) = workers[..index].iter().find(same) {
            let most = match distinct(workers, first.node) {
                1 => "1 worker".into(),
                count => format!("{count} workers"),
            };
            return Err(Error::Device(format!(
                "ranks {} and {} ({}) are both bound to {}: start at most {most} on this host, show \
                 them more devices, or let them share with MANIPLE_SHARE_DEVICE=1",
                first.rank, second.rank, first.host, first.device
            )));
        }
    }
    Ok(())
}

/// How many workers of a node have devices of their own.
fn distinct(workers: &[Bound<'_>], node: Rank) -> usize {
    let here: Vec<&DeviceRecord> =
        workers.iter().filter(|worker| worker.node == node).map(|worker| worker.device).collect();
    let is_new = |index: usize| !here[..index].iter().any(|first| overlap(first, here[index]));
    (0..here.len()).filter(|index| is_new(*index)).count()
}

fn overlap(first: &DeviceRecord, second: &DeviceRecord) -> bool {
    let same_tile = first.tile.is_none() || second.tile.is_none() || first.tile == second.tile;
    same_tile && is_same_root(first, second)
}

/// Whether two records, perhaps of two processes of one host, are of the same root: by the best that
/// both drivers tell. Numbers count only where nothing else is known.
fn is_same_root(first: &DeviceRecord, second: &DeviceRecord) -> bool {
    match (first.uuid, second.uuid, &first.pci, &second.pci) {
        (Some(first), Some(second), ..) => first == second,
        (.., Some(first), Some(second)) => first == second,
        _ => first.index == second.index,
    }
}

/// Which of these roots are listed twice, by two platforms: the later ones.
pub(crate) fn repeated(roots: &[DeviceRecord]) -> Vec<bool> {
    let is_again = |(index, root): (usize, &DeviceRecord)| {
        roots[..index].iter().any(|first| first.platform != root.platform && is_same_root(first, root))
    };
    roots.iter().enumerate().map(is_again).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The devices of a host as one of its workers sees them.
    #[derive(Clone, Copy)]
    struct Seen {
        /// The first root that is visible, and how many are.
        first: u32,
        count: u32,
        tiles: u32,
    }

    fn record(root: u32, tile: Option<u32>, index: u32) -> DeviceRecord {
        DeviceRecord { uuid: Some([root as u8; 16]), index, tile, ..DeviceRecord::default() }
    }

    /// Binds `workers` of one host, each of which sees what `seen` tells of its place, and returns
    /// (root, tile) of each.
    fn bind(
        workers: u32,
        binding: Binding,
        seen: impl Fn(u32) -> Seen,
    ) -> Result<Vec<(u32, Option<u32>)>, String> {
        let records: Vec<DeviceRecord> = (0..workers)
            .map(|place| {
                let seen = seen(place);
                let leaves = leaves(&vec![seen.tiles; seen.count as usize], binding);
                let leaf = choose(place, &leaves).ok_or("no device")?;
                Ok(record(seen.first + leaf.root as u32, leaf.tile, leaf.root as u32))
            })
            .collect::<Result<_, &str>>()?;
        let bound: Vec<Bound<'_>> = records
            .iter()
            .zip(2..)
            .map(|(device, rank)| Bound { rank: Rank(rank), node: Rank(0), host: "node01", device })
            .collect();
        refuse_sharing(&bound).map_err(|error| error.to_string())?;
        Ok(records.iter().map(|record| (record.uuid.unwrap()[0].into(), record.tile)).collect())
    }

    fn aurora(tiles: u32) -> impl Fn(u32) -> Seen {
        move |_| Seen { first: 0, count: if tiles == 1 { 12 } else { 6 }, tiles }
    }

    #[test]
    fn six_gpus_of_two_tiles_serve_6_or_12_workers() {
        let whole: Vec<_> = (0..6).map(|root| (root, None)).collect();
        assert_eq!(bind(6, Binding::Gpu, aurora(2)).unwrap(), whole);
        let tiles: Vec<_> = (0..12).map(|place| (place / 2, Some(place % 2))).collect();
        assert_eq!(bind(12, Binding::Tile, aurora(2)).unwrap(), tiles);
        assert_eq!(bind(6, Binding::Tile, aurora(2)).unwrap(), tiles[..6], "tiles in order");
        // ZE_FLAT_DEVICE_HIERARCHY=FLAT: each tile is a root.
        let flat: Vec<_> = (0..12).map(|root| (root, None)).collect();
        assert_eq!(bind(12, Binding::Tile, aurora(1)).unwrap(), flat);
        assert_eq!(bind(12, Binding::Gpu, aurora(1)).unwrap(), flat);
    }

    #[test]
    fn a_node_with_104_workers_have_no_device_each() {
        assert!(leaves(&[2; 6], Binding::Cpu).is_empty());
        let error = bind(104, Binding::Gpu, aurora(2)).unwrap_err();
        assert!(error.starts_with("ranks 2 and 8 (node01) are both bound to "), "{error}");
        assert!(error.contains("at most 6 workers"), "{error}");
        assert!(error.ends_with("MANIPLE_SHARE_DEVICE=1"), "{error}");
        let error = bind(104, Binding::Tile, aurora(2)).unwrap_err();
        assert!(error.starts_with("ranks 2 and 14 (node01)"), "{error}");
    }

    #[test]
    fn eight_gpus_serve_8_workers() {
        let sophia = |_| Seen { first: 0, count: 8, tiles: 0 };
        let whole: Vec<_> = (0..8).map(|root| (root, None)).collect();
        assert_eq!(bind(8, Binding::Gpu, sophia).unwrap(), whole);
        assert_eq!(bind(8, Binding::Tile, sophia).unwrap(), whole, "what has no tiles is a leaf");
        assert_eq!(bind(3, Binding::Gpu, sophia).unwrap(), whole[..3]);
        assert!(bind(9, Binding::Gpu, sophia).is_err());
    }

    #[test]
    fn a_mask_a_worker_gives_each_the_device_that_it_sees() {
        // CUDA_VISIBLE_DEVICES or ZE_AFFINITY_MASK set to the local rank by a wrapper script.
        let masked = |place| Seen { first: place, count: 1, tiles: 0 };
        let whole: Vec<_> = (0..8).map(|root| (root, None)).collect();
        assert_eq!(bind(8, Binding::Gpu, masked).unwrap(), whole);
        // A mask forgotten: all see the same one.
        let same = |_| Seen { first: 3, count: 1, tiles: 0 };
        assert!(bind(2, Binding::Gpu, same).is_err());
    }

    #[test]
    fn one_gpu_serves_one_worker_unless_it_is_shared() {
        let one = |_| Seen { first: 0, count: 1, tiles: 0 };
        assert_eq!(bind(1, Binding::Gpu, one).unwrap(), [(0, None)]);
        assert!(bind(2, Binding::Gpu, one).is_err());
        let leaves = leaves(&[0], Binding::Gpu);
        assert!((0..4).all(|place| choose(place, &leaves) == Some(Leaf { root: 0, tile: None })));
    }

    #[test]
    fn no_device_serves_nobody() {
        assert_eq!(choose(0, &leaves(&[], Binding::Gpu)), None);
        assert_eq!(
            bind(1, Binding::Tile, |_| Seen { first: 0, count: 0, tiles: 0 }),
            Err("no device".into())
        );
    }

    #[test]
    fn a_device_and_its_tile_are_not_for_two_workers_of_a_node() {
        let (whole, tile) = (record(0, None, 0), record(0, Some(1), 0));
        let at = |rank, node, device| Bound { rank: Rank(rank), node: Rank(node), host: "node01", device };
        assert!(refuse_sharing(&[at(2, 0, &whole), at(3, 0, &tile)]).is_err());
        assert!(refuse_sharing(&[at(2, 0, &whole), at(3, 3, &whole)]).is_ok(), "another node of this name");
        let other = record(0, Some(0), 0);
        assert!(refuse_sharing(&[at(2, 0, &other), at(3, 0, &tile)]).is_ok(), "two tiles");
    }

    #[test]
    fn devices_without_uuid_are_told_apart_by_address_else_by_number() {
        let at = |pci: Option<&str>, index| DeviceRecord {
            pci: pci.map(String::from),
            index,
            ..DeviceRecord::default()
        };
        assert!(!is_same_root(&at(Some("0000:1b:00.0"), 0), &at(Some("0000:3b:00.0"), 0)));
        assert!(is_same_root(&at(Some("0000:1b:00.0"), 0), &at(Some("0000:1b:00.0"), 1)));
        assert!(is_same_root(&at(None, 1), &at(None, 1)));
        assert!(!is_same_root(&at(None, 1), &at(None, 0)));
    }

    #[test]
    fn a_card_that_two_platforms_list_counts_once() {
        let on = |platform: &str, root, index| DeviceRecord {
            platform: platform.into(),
            ..record(root, None, index)
        };
        let roots = [on("A", 0, 0), on("A", 1, 1), on("B", 1, 2), on("B", 2, 3)];
        assert_eq!(repeated(&roots), [false, false, true, false]);
    }

    #[test]
    fn words_are_read() {
        assert_eq!("tile".parse::<Binding>().unwrap(), Binding::Tile);
        assert_eq!(" GPU ".parse::<Binding>().unwrap(), Binding::Gpu);
        assert_eq!("all".parse::<DeviceType>().unwrap(), DeviceType::All);
        for wrong in ["", "cuda", "gpus"] {
            assert!(wrong.parse::<Binding>().unwrap_err().to_string().contains(wrong));
        }
    }
}
