//! The whole run as data, as it travels to rank 0 and lies in files.

use crate::{
    cluster::Cluster,
    codec::to_bytes,
    error::{DecodeErrorKind, Error, Result},
    message::{Column, Ids, Layer},
};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, sync::Arc};

/// What an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Tasks ran, one after the other: the first one's number, and how many.
    Tasks = 0,
    /// The task on this thread waited for others.
    Blocked,
    /// A value was asked for and came: from whom and under which tag, and its bytes.
    Fetch,
    /// A value was sent: to whom and under which tag, and its bytes. It has no length.
    Send,
    /// Values moved to disk, or from it: their bytes.
    Spill,
    /// The thread was at a part of another thread's task.
    Helping,
    /// So many tasks ran in here, for so long: details beyond what is kept. Without tasks, other details.
    Dense,
    /// A kernel ran on the rank's device for a task.
    Device,
    /// The rank sent a layer to rank 0: its first task, and how many. It has no length, as the next two.
    Submitted,
    /// Rank 0 gave tasks to a worker: the first one, and what [`GivenTo`] packs.
    Given,
    /// Tasks with all their inputs were queued for the worker's threads: the first one, and how many.
    Queued,
    /// Rank 0 handled messages and scheduled.
    Scheduling,
    /// The driver waited: for a task, if exactly one is known, or [`ANY_TASK`].
    Waited,
    /// The driver's closure ran.
    Driver,
}

/// The subject of a [`Kind::Waited`] without a known task.
pub(super) const ANY_TASK: u64 = u64::MAX;

/// The amount of a [`Kind::Given`]: how many tasks, and to which worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenTo {
    pub count: u32,
    pub worker: u32,
}

impl GivenTo {
    /// In 56 bits, as many as a ring has for an amount.
    pub(super) fn packed(self) -> u64 {
        u64::from(self.worker & 0xff_ffff) << 32 | u64::from(self.count)
    }

    pub(super) fn of(amount: u64) -> Self {
        Self { count: amount as u32, worker: (amount >> 32) as u32 & 0xff_ffff }
    }
}

impl Kind {
    pub(super) fn of(number: u8) -> Self {
        let all = [
            Self::Tasks,
            Self::Blocked,
            Self::Fetch,
            Self::Send,
            Self::Spill,
            Self::Helping,
            Self::Dense,
            Self::Device,
            Self::Submitted,
            Self::Given,
            Self::Queued,
            Self::Scheduling,
            Self::Waited,
            Self::Driver,
        ];
        all.get(usize::from(number)).copied().unwrap_or(Self::Dense)
    }
}

/// Something that took its time. In nanoseconds of the rank's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub kind: Kind,
    /// Which of the rank's threads; the one after the last is the rank itself.
    pub lane: u16,
    /// A task, or a peer and a tag.
    pub subject: u64,
    /// Tasks, bytes, for [`Kind::Dense`] nanoseconds, for [`Kind::Given`] see there.
    pub amount: u64,
    pub start: u64,
    pub end: u64,
}

/// How much memory a rank used at a time, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub at: u64,
    /// In values, on disk, on its device, and in all of its process.
    pub held: u64,
    pub spilled: u64,
    pub device: u64,
    pub resident: u64,
}

/// Which tasks' values a layer's tasks need: as its columns, without the values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Needs {
    Stride { first: u64, stride: u32 },
    Values(Vec<u64>),
    Lists(Vec<Vec<(u64, u32)>>),
}

impl Needs {
    /// How many numbers it takes to tell, besides a few.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Stride { .. } => 0,
            Self::Values(tasks) => tasks.len(),
            Self::Lists(lists) => lists.iter().map(|list| 1 + list.len()).sum(),
        }
    }
}

/// A layer that was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    /// The first task's number, and how many tasks.
    pub first: u64,
    pub count: u32,
    pub name: String,
    pub needs: Vec<Needs>,
    /// When rank 0 heard of it.
    pub at: u64,
    /// Whether lists of needed tasks were too long to be kept.
    #[serde(default)]
    pub is_cut: bool,
}

impl LayerRecord {
    pub(crate) fn new(layer: &Layer, at: u64) -> Self {
        let needs = |column: &Column| match column {
            Column::Same(_) | Column::Each(_) => None,
            Column::Values(Ids::Stride { first, stride }) => {
                Some(Needs::Stride { first: first.0, stride: *stride })
            }
            Column::Values(Ids::Listed(tasks)) => {
                Some(Needs::Values(tasks.iter().map(|task| task.0).collect()))
            }
            Column::Lists { lists, .. } | Column::Parts { lists, .. } => {
                let list = |list: &Vec<crate::ids::Tasks>| {
                    list.iter().map(|tasks| (tasks.first.0, tasks.count)).collect()
                };
                Some(Needs::Lists(lists.iter().map(list).collect()))
            }
        };
        Self {
            first: layer.tasks.first.0,
            count: layer.tasks.count,
            name: layer.name(),
            needs: layer.columns.iter().filter_map(needs).collect(),
            at,
            is_cut: false,
        }
    }

    /// Calls `visit` with each task that the task at `index` needs.
    pub(super) fn for_each_need(&self, index: u32, mut visit: impl FnMut(u64)) {
        for needs in &self.needs {
            match needs {
                Needs::Stride { first, stride } => visit(first + u64::from(index) * u64::from(*stride)),
                Needs::Values(tasks) => tasks.get(index as usize).copied().into_iter().for_each(&mut visit),
                Needs::Lists(lists) => {
                    let list = lists.get(index as usize).into_iter().flatten();
                    list.flat_map(|(first, count)| (0..u64::from(*count)).map(move |at| first + at))
                        .for_each(&mut visit);
                }
            }
        }
    }
}

/// What is the same for all ranks of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub version: String,
    pub program: String,
    /// The command line: the program's path and its arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// When it started, in seconds since 1970.
    pub started: f64,
    pub cluster: Cluster,
    /// What to add to each rank's clock to get rank 0's, in nanoseconds.
    pub offsets: Vec<i64>,
}

/// A piece of what a rank recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chunk {
    pub rank: u32,
    /// In the first one of a rank.
    pub head: Option<Head>,
    pub began: u64,
    /// Up to when the rank has recorded, and whether that is all.
    pub until: u64,
    pub is_last: bool,
    pub lost: u64,
    pub events: Vec<Event>,
    pub samples: Vec<Sample>,
    pub layers: Vec<LayerRecord>,
}

impl Chunk {
    pub(super) fn encoded(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

/// What one rank did. Times are of rank 0's clock, from the start of the run on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RankHistory {
    pub began: u64,
    pub ended: u64,
    /// Whether it came to its end, and told all.
    pub is_complete: bool,
    /// How many events found no place.
    pub lost: u64,
    pub events: Vec<Event>,
    pub samples: Vec<Sample>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunEnd {
    /// The exit status that the run gives its program.
    pub status: i32,
    pub words: String,
}

/// What a run did. Times as in [`RankHistory`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    pub head: Head,
    /// `None` of a run that was killed.
    #[serde(default)]
    pub end: Option<RunEnd>,
    /// By rank.
    pub ranks: Vec<RankHistory>,
    /// In the order rank 0 heard of them.
    pub layers: Vec<LayerRecord>,
}

impl History {
    /// Puts together what ranks recorded, in each rank's order. `None` if nobody said what run it is.
    pub(crate) fn of(chunks: Vec<Chunk>) -> Option<Self> {
        let head = chunks.iter().find_map(|chunk| chunk.head.clone())?;
        let offset = |rank: u32| head.offsets.get(rank as usize).copied().unwrap_or(0);
        let aligned = |rank: u32, at: u64| (at as i64).saturating_add(offset(rank));
        let start = chunks.iter().map(|chunk| aligned(chunk.rank, chunk.began)).min()?;
        let mut ranks = vec![RankHistory::default(); head.cluster.ranks().len()];
        let mut layers = Vec::new();
        for mut chunk in chunks {
            let time = |at: u64| aligned(chunk.rank, at).saturating_sub(start).max(0) as u64;
            let Some(rank) = ranks.get_mut(chunk.rank as usize) else { continue };
            rank.began = time(chunk.began);
            rank.ended = rank.ended.max(time(chunk.until));
            rank.is_complete |= chunk.is_last;
            rank.lost = rank.lost.max(chunk.lost);
            let moved = |event: Event| Event { start: time(event.start), end: time(event.end), ..event };
            rank.events.extend(chunk.events.into_iter().map(moved));
            rank.samples.extend(chunk.samples.iter().map(|sample| Sample { at: time(sample.at), ..*sample }));
            chunk.layers.iter_mut().for_each(|layer| layer.at = time(layer.at));
            layers.append(&mut chunk.layers);
        }
        // A rank of which nothing is known was there all the same.
        let ended = ranks.iter().map(|rank| rank.ended).max().unwrap_or(0);
        ranks.iter_mut().filter(|rank| rank.ended == 0).for_each(|rank| rank.ended = ended);
        Some(Self { head, end: None, ranks, layers })
    }

    /// How long the run took, in nanoseconds.
    pub(crate) fn wall(&self) -> u64 {
        self.ranks.iter().map(|rank| rank.ended).max().unwrap_or(0)
    }

    /// Whether every rank told all.
    pub(crate) fn is_complete(&self) -> bool {
        self.ranks.iter().all(|rank| rank.is_complete)
    }

    /// Reads a trace, or the directory of what the ranks of a killed run left.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be read, [`Error::Decode`] if it holds no run.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let failed = |source| Error::File {
            message: "the record of the run cannot be read".into(),
            path: path.into(),
            source: Arc::new(source),
        };
        let nothing =
            |words: &str| Error::decode(DecodeErrorKind::Record, format!("{}: {words}", path.display()));
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            let bytes = fs::read(path).map_err(failed)?;
            return super::trace::read(&bytes)
                .map_err(|words| nothing(&format!("this is no trace of a run, or not all of one: {words}")));
        }
        let mut chunks = Vec::new();
        let mut parts: Vec<_> =
            fs::read_dir(path).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        let is_part = |part: &std::path::PathBuf| {
            part.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"rank-"))
        };
        for part in parts.into_iter().filter(is_part) {
            read_part(&fs::read(&part).map_err(failed)?, &mut chunks);
        }
        Self::of(chunks).ok_or_else(|| nothing("no rank of a run has left a record here"))
    }
}

/// Appends a chunk to what a rank leaves in its file.
pub(super) fn write_part(file: &mut impl std::io::Write, chunk: &[u8]) -> std::io::Result<()> {
    file.write_all(&(chunk.len() as u64).to_le_bytes())?;
    file.write_all(chunk)
}

/// The chunks of a rank's file; of one that was cut off, those that are whole.
pub(super) fn read_part(mut bytes: &[u8], chunks: &mut Vec<Chunk>) {
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let length = u64::from_le_bytes(*length) as usize;
        let Some((chunk, rest)) = rest.split_at_checked(length) else { return };
        let Ok(chunk) = postcard::from_bytes(chunk) else { return };
        chunks.push(chunk);
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_rank_left_is_read_up_to_where_it_was_cut_off() {
        let head = super::super::accounts::tests::head(1, 1);
        let chunk = |until| Chunk {
            rank: 0,
            head: Some(head.clone()),
            began: 5,
            until,
            is_last: false,
            lost: 0,
            events: Vec::new(),
            samples: Vec::new(),
            layers: Vec::new(),
        };
        let mut bytes = Vec::new();
        for until in [10, 20] {
            write_part(&mut bytes, &chunk(until).encoded()).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rank-0"), &bytes[..bytes.len() - 1]).unwrap();
        let history = History::read(folder.path()).unwrap();
        assert_eq!((history.wall(), history.is_complete()), (5, false));
        fs::write(folder.path().join("rank-0"), &bytes).unwrap();
        assert_eq!(History::read(folder.path()).unwrap().wall(), 15);
    }

    #[test]
    fn what_holds_no_run_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let words = |path: &Path| History::read(path).unwrap_err().to_string();
        assert!(words(folder.path()).ends_with("no rank of a run has left a record here"));
        let path = folder.path().join("run.json");
        assert!(words(&path).contains("cannot be read"));
        fs::write(&path, "{\"traceEvents\": [").unwrap();
        assert!(words(&path).contains("no trace of a run, or not all of one"), "{}", words(&path));
        assert_eq!(words(&path).lines().count(), 1);
    }
}
