//! A worker's disk in a simulated run: slow, and maybe small, and maybe one on which bits flip.

use super::super::roles::{Spilled, Spiller};
use crate::{
    comm::simulated::Random,
    disk::{Compression, Disk, Extent},
    ids::TaskId,
    lock::lock,
    value::{Spill, Value},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    fmt, io,
    sync::{Arc, Mutex},
};

/// What the disks are like.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// How long something mostly takes at most, in nanoseconds.
    pub nanoseconds: u64,
    /// How many bytes each holds.
    pub capacity_bytes: u64,
    /// Whether now and then a bit of what is written is another.
    pub damages: bool,
}

impl DiskOptions {
    /// Disks that this seed draws.
    pub(super) fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xd15c);
        Self {
            nanoseconds: *random.choose(&[100, 50_000, 5_000_000]),
            capacity_bytes: *random.choose(&[0, 300, 1 << 40, 1 << 40]),
            damages: false,
        }
    }
}

enum Job {
    Spill(TaskId, Value),
    Load(TaskId, Value),
}

/// A worker's disk and what it is to do.
pub(super) struct Shelf {
    disk: Arc<dyn Disk>,
    options: DiskOptions,
    random: Random,
    jobs: RefCell<VecDeque<Job>>,
    done: RefCell<Vec<Spilled>>,
    /// Whether it is at something, and whether it is to say that it may be tried again.
    is_busy: bool,
    was_full: bool,
}

impl Shelf {
    pub(super) fn new(seed: u64, options: DiskOptions) -> Self {
        let random = Random::new(seed ^ 0xf11b);
        let plates = Plates { options, held: BTreeMap::new(), end: 0, random };
        Self {
            disk: Arc::new(SimulatedDisk(Mutex::new(plates))),
            options,
            random: Random::new(seed ^ 0x5e1f),
            jobs: RefCell::default(),
            done: RefCell::default(),
            is_busy: false,
            was_full: false,
        }
    }

    pub(super) fn has_done(&self) -> bool {
        !self.done.borrow().is_empty()
    }

    /// Begins with what comes next. Returns how long that takes, if it has begun.
    pub(super) fn begin(&mut self) -> Option<u64> {
        if self.is_busy || self.jobs.get_mut().is_empty() && !self.was_full {
            return None;
        }
        self.is_busy = true;
        Some(self.random.delay(self.options.nanoseconds))
    }

    /// Has done what it began with.
    pub(super) fn end(&mut self) {
        self.is_busy = false;
        let done = match self.jobs.get_mut().pop_front() {
            Some(Job::Spill(task, value)) => {
                let bytes = value.size().bytes;
                let outcome = value.spill(&self.disk, Compression::None);
                // Not for ever, or such a run would have no end.
                self.was_full = matches!(outcome, Spill::Failed(_)) && self.random.chance(3, 4);
                Spilled::Moved { task, outcome, bytes, nanoseconds: 0 }
            }
            Some(Job::Load(task, value)) => {
                value.load();
                Spilled::Loaded { task, bytes: value.size().bytes, nanoseconds: 0 }
            }
            None => {
                self.was_full = false;
                Spilled::Observed(0)
            }
        };
        self.done.get_mut().push(done);
    }
}

impl Spiller for Shelf {
    fn spill(&self, task: TaskId, value: Value) {
        self.jobs.borrow_mut().push_back(Job::Spill(task, value));
    }

    fn load(&self, task: TaskId, value: Value) {
        self.jobs.borrow_mut().push_back(Job::Load(task, value));
    }

    fn take_done(&self) -> Vec<Spilled> {
        self.done.take()
    }
}

struct SimulatedDisk(Mutex<Plates>);

struct Plates {
    options: DiskOptions,
    held: BTreeMap<u64, Vec<u8>>,
    end: u64,
    random: Random,
}

impl Disk for SimulatedDisk {
    fn write(&self, bytes: &[u8]) -> io::Result<Extent> {
        let mut plates = lock(&self.0);
        let used: usize = plates.held.values().map(Vec::len).sum();
        if (used + bytes.len()) as u64 > plates.options.capacity_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let extent = Extent { offset: plates.end, length: bytes.len() as u64 };
        plates.end += extent.length.max(1);
        let mut bytes = bytes.to_vec();
        if plates.options.damages && plates.random.chance(1, 8) {
            let place = plates.random.below(extent.length.max(1)) as usize;
            bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 16);
        }
        plates.held.insert(extent.offset, bytes);
        Ok(extent)
    }

    fn read(&self, extent: Extent, bytes: &mut [u8]) -> io::Result<()> {
        bytes.copy_from_slice(&lock(&self.0).held[&extent.offset]);
        Ok(())
    }

    fn free(&self, extent: Extent) {
        let bytes = lock(&self.0).held.remove(&extent.offset);
        assert!(bytes.is_some(), "what is freed was there");
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedDisk({:?})", lock(&self.0).options)
    }
}
