//! Pure: how full a worker's memory may become, and what is moved to the disk when it is.

use crate::{ids::TaskId, value::Account};
use std::{collections::BTreeMap, sync::Arc};

/// The least part of the limit that values may fill, however much else is in memory.
const VALUES_SHARE_MIN: f64 = 0.1;

/// How much the part on the disk changes, as a share of the limit, before the scheduler is told.
const TOLD_SHARE: f64 = 0.03;

/// At which parts of a worker's memory limit something is done. As in Dask: 0.6, 0.7, 0.8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Values that fill more than this are moved to the disk, the least recently used first.
    pub target: f64,
    /// Values are moved, too, when the process as a whole has more than this.
    pub spill: f64,
    /// No task and no transfer begins that would fill more than this.
    pub pause: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { target: 0.6, spill: 0.7, pause: 0.8 }
    }
}

/// How full a worker's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fullness {
    /// How many more bytes may come.
    pub room_bytes: u64,
    /// Whether values are on their way to the disk, so that there will be more room.
    pub changes: bool,
    /// How many more bytes may come at most, if nothing can be moved to the disk.
    pub hard_room_bytes: Option<u64>,
}

/// What is known of a worker's memory.
#[derive(Debug)]
pub(super) struct Memory {
    limit_bytes: u64,
    thresholds: Thresholds,
    account: Arc<Account>,
    /// Values that may be moved to the disk, by when they were last used.
    order: BTreeMap<u64, TaskId>,
    next_use: u64,
    /// Bytes on their way to the disk.
    moving_bytes: u64,
    /// How much the process has in memory that is no value.
    other_bytes: u64,
    /// Why nothing can be written to the disk.
    trouble: Option<String>,
    /// How many bytes were on the disk when that was last told.
    told_bytes: u64,
}

impl Memory {
    pub(super) fn new(limit_bytes: u64, thresholds: Thresholds, account: Arc<Account>) -> Self {
        Self {
            limit_bytes,
            thresholds,
            account,
            order: BTreeMap::new(),
            next_use: 1,
            moving_bytes: 0,
            other_bytes: 0,
            trouble: None,
            told_bytes: 0,
        }
    }

    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn share(&self, share: f64) -> u64 {
        (self.limit_bytes as f64 * share) as u64
    }

    /// How many bytes of values may stay in memory.
    fn target_bytes(&self) -> u64 {
        let with_all_else = self.share(self.thresholds.spill).saturating_sub(self.other_bytes);
        self.share(self.thresholds.target).min(with_all_else).max(self.share(VALUES_SHARE_MIN))
    }

    /// How many bytes should be moved to the disk, so that there is room for so many.
    pub(super) fn excess_bytes(&self, wanted_bytes: u64) -> u64 {
        if self.trouble.is_some() {
            return 0;
        }
        let staying = self.account.resident_bytes().saturating_sub(self.moving_bytes);
        let with_wanted = self.pause_bytes().saturating_sub(wanted_bytes);
        staying.saturating_sub(self.target_bytes().min(with_wanted))
    }

    /// Whether so many more bytes may come into memory, while `under_way_bytes` come. They may in any case if
    /// none of `alike_bytes`, which come in the same way, do, and nothing is about to leave: else nothing
    /// might ever change again.
    pub(super) fn admits(&self, bytes: u64, under_way_bytes: u64, alike_bytes: u64) -> bool {
        let fits = self.fullness(under_way_bytes).room_bytes >= bytes;
        fits || alike_bytes == 0 && self.moving_bytes == 0
    }

    pub(super) fn fullness(&self, under_way_bytes: u64) -> Fullness {
        let most = self.pause_bytes();
        let taken = self.account.resident_bytes() + under_way_bytes;
        let hard_room = || self.limit_bytes.saturating_sub(taken);
        Fullness {
            room_bytes: most.saturating_sub(taken),
            changes: self.moving_bytes > 0,
            hard_room_bytes: self.trouble.as_ref().map(|_| hard_room()),
        }
    }

    /// How many bytes of values may be in memory when something begins.
    fn pause_bytes(&self) -> u64 {
        self.share(self.thresholds.pause).saturating_sub(self.other_bytes_that_count())
    }

    /// What is in memory besides values, beyond what the thresholds leave for it anyway.
    fn other_bytes_that_count(&self) -> u64 {
        let spared = self.share(1.0 - self.thresholds.pause);
        let most = self.share(self.thresholds.pause) - self.share(VALUES_SHARE_MIN);
        self.other_bytes.saturating_sub(spared).min(most)
    }

    /// A value is used: it is the last to go. Takes where it stood, and returns where it stands.
    pub(super) fn touch(&mut self, task: TaskId, place: u64) -> u64 {
        self.order.remove(&place);
        let place = self.next_use;
        self.next_use += 1;
        self.order.insert(place, task);
        place
    }

    /// A value is gone, or on its way to the disk.
    pub(super) fn leave(&mut self, place: u64) {
        self.order.remove(&place);
    }

    /// The values that may be moved, the least recently used first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.order.values().copied()
    }

    pub(super) fn begin_moving(&mut self, bytes: u64) {
        self.moving_bytes += bytes;
    }

    pub(super) fn end_moving(&mut self, bytes: u64, trouble: Option<String>) {
        self.moving_bytes -= bytes;
        if trouble.is_some() {
            self.trouble = trouble;
        }
    }

    /// The process was looked at: so many bytes it has, all in all. What could not be written may be tried
    /// again.
    pub(super) fn observe(&mut self, process_bytes: u64) {
        self.other_bytes = process_bytes.saturating_sub(self.account.resident_bytes());
        self.trouble = None;
    }

    /// How many bytes are on the disk, if that is worth telling.
    pub(super) fn news(&mut self) -> Option<u64> {
        let bytes = self.account.spilled_bytes();
        let differs = bytes.abs_diff(self.told_bytes) > self.share(TOLD_SHARE) || bytes == 0;
        let news = (differs && bytes != self.told_bytes).then_some(bytes);
        self.told_bytes = news.unwrap_or(self.told_bytes);
        news
    }
}
