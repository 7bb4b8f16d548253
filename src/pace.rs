//! How long a worker's tasks take.

/// The mean time of a worker's tasks, lately. The scheduler reckons with it; the worker, which tells it of all tasks,
/// knows with what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace(Option<u64>);

impl Pace {
    /// The mean, unless no task has ended yet.
    pub(crate) fn nanoseconds(self) -> Option<u64> {
        self.0
    }

    /// So many tasks have ended, which took so long all together.
    pub(crate) fn learn(&mut self, nanoseconds: u64, count: u32) {
        let mean = nanoseconds / u64::from(count.max(1));
        let old = self.0.unwrap_or(mean);
        self.0 = Some((old * 3 + mean) / 4);
    }

    /// Tasks that have not ended have run for so long.
    pub(crate) fn is_at_least(&mut self, nanoseconds: u64) {
        self.0 = self.0.max(Some(nanoseconds));
    }
}
