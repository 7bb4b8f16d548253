//! What a rank records besides its tasks, to find the causes of idle time: layers that it submits, tasks that rank 0
//! gives out and that workers queue, when rank 0 schedules, and when the driver runs and waits.
//!
//! Only what is kept for files is recorded.

use super::{
    Recorder,
    clock::now,
    history::{ANY_TASK, Event, GivenTo, Kind},
};
use crate::{
    ids::{TaskId, Tasks},
    lock::lock,
    message::{Message, ToWorker},
    rank::Rank,
};
use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

/// What is going on now.
#[derive(Debug, Default)]
pub(super) struct Activity {
    scheduling: Mutex<Joined>,
    /// For how long rank 0 has worked.
    scheduled: AtomicU64,
    driver: Mutex<DriverNow>,
}

/// What the driver does, if it is on this rank.
#[derive(Debug, Default)]
struct DriverNow {
    /// Since when its closure runs, and since when it waits, without what was recorded already.
    runs_since: Option<u64>,
    waits_since: Option<u64>,
    /// How long it has waited before that.
    waited: u64,
    /// How many of its threads wait: a program may have several that use the client.
    waiting: usize,
    waits: Joined,
}

/// Joins stretches that are near each other, so that only a bounded number is recorded.
#[derive(Debug, Default)]
struct Joined {
    open: Option<Event>,
    count: u64,
}

impl Joined {
    /// Stretches that are nearer than this are one, in nanoseconds. It doubles each time that so many were recorded.
    const NEARNESS: u64 = 1_000;
    const DOUBLES_AFTER: u64 = 1 << 16;

    /// Adds a stretch. Returns the one before, if that is complete.
    fn add(&mut self, event: Event) -> Option<Event> {
        let nearness = Self::NEARNESS << (self.count / Self::DOUBLES_AFTER).min(30);
        match &mut self.open {
            Some(open) if event.start.saturating_sub(open.end) < nearness => {
                (open.end, open.subject) = (event.end.max(open.end), event.subject);
                None
            }
            _ => {
                self.count += 1;
                self.open.replace(event)
            }
        }
    }
}

fn event(kind: Kind, subject: u64, amount: u64, start: u64, end: u64) -> Event {
    Event { kind, lane: 0, subject, amount, start, end: end.max(start) }
}

impl Recorder {
    /// This rank sends messages: those among them that are layers. The rank's roles call this, one thread at a time, as
    /// the next three.
    pub(crate) fn submitted(&self, layers: impl Iterator<Item = Tasks>) {
        if !self.keeps() {
            return;
        }
        let mut at = None;
        for tasks in layers {
            let at = *at.get_or_insert_with(now);
            self.push_own(event(Kind::Submitted, tasks.first.0, tasks.count.into(), at, at));
        }
    }

    /// Rank 0 has decided what to send: the tasks among it that workers are given.
    pub(crate) fn given(&self, decisions: &[(Rank, Message)]) {
        if !self.keeps() {
            return;
        }
        let mut at = None;
        for (target, message) in decisions {
            let Message::ToWorker(ToWorker::Run(run)) = message else { continue };
            let at = *at.get_or_insert_with(now);
            let given = GivenTo { count: run.tasks.count, worker: target.0 };
            self.push_own(event(Kind::Given, run.tasks.first.0, given.packed(), at, at));
        }
    }

    /// Tasks with all their inputs are queued for the threads of this rank.
    pub(crate) fn queued(&self, tasks: Tasks) {
        if self.keeps() {
            let at = now();
            self.push_own(event(Kind::Queued, tasks.first.0, tasks.count.into(), at, at));
        }
    }

    /// Rank 0 has handled messages and scheduled since then.
    pub(crate) fn scheduled(&self, since: u64) {
        let scheduling = event(Kind::Scheduling, 0, 0, since, now());
        self.activity().scheduled.fetch_add(scheduling.end - since, Ordering::Relaxed);
        let complete = lock(&self.activity().scheduling).add(scheduling);
        complete.into_iter().for_each(|event| self.push_own(event));
    }

    /// The driver's closure begins.
    pub(crate) fn driver_begins(&self) {
        lock(&self.activity().driver).runs_since = self.keeps().then(now);
    }

    /// The driver's closure has ended.
    pub(crate) fn driver_ends(&self) {
        if let Some(since) = lock(&self.activity().driver).runs_since.take() {
            self.push_shared(event(Kind::Driver, 0, 0, since, now()));
        }
    }

    /// A thread of the driver begins to wait.
    pub(crate) fn driver_waits(&self) {
        if self.is_used() {
            let mut driver = lock(&self.activity().driver);
            driver.waiting += 1;
            driver.waits_since.get_or_insert_with(now);
        }
    }

    /// A thread of the driver has waited; for a task, if exactly one is known.
    pub(crate) fn driver_waited(&self, task: Option<TaskId>) {
        let mut driver = lock(&self.activity().driver);
        driver.waiting = driver.waiting.saturating_sub(1);
        if driver.waiting > 0 {
            return;
        }
        if let Some(since) = driver.waits_since.take() {
            let waited = event(Kind::Waited, task.map_or(ANY_TASK, |task| task.0), 0, since, now());
            driver.waited += waited.end - waited.start;
            let complete = driver.waits.add(waited);
            drop(driver);
            complete.into_iter().for_each(|event| self.push_shared(event));
        }
    }

    /// How long the driver has waited until then, and rank 0 has worked.
    pub(super) fn passed(&self, at: u64) -> (u64, u64) {
        let driver = lock(&self.activity().driver);
        let waits = driver.waits_since.map_or(0, |since| at.saturating_sub(since));
        (driver.waited + waits, self.activity().scheduled.load(Ordering::Relaxed))
    }

    /// Moves what is complete to `events`.
    pub(super) fn take_activity(&self, own_lane: u16, events: &mut Vec<Event>) {
        let joined =
            [lock(&self.activity().scheduling).open.take(), lock(&self.activity().driver).waits.open.take()];
        events.extend(joined.into_iter().flatten().map(|event| Event { lane: own_lane, ..event }));
    }

    /// Moves what has passed of what goes on to `events`, so that a killed run leaves it.
    pub(super) fn take_begun_activity(&self, own_lane: u16, events: &mut Vec<Event>) {
        let mut guard = lock(&self.activity().driver);
        let (driver, at) = (&mut *guard, now());
        let runs = driver
            .runs_since
            .as_mut()
            .map(|since| event(Kind::Driver, 0, 0, std::mem::replace(since, at), at));
        let waits = driver
            .waits_since
            .as_mut()
            .map(|since| event(Kind::Waited, ANY_TASK, 0, std::mem::replace(since, at), at));
        driver.waited += waits.map_or(0, |waits| waits.end - waits.start);
        let begun = runs.into_iter().chain(waits);
        events.extend(begun.map(|event| Event { lane: own_lane, ..event }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{History, Start, accounts::tests::head};
    use std::{thread::sleep, time::Duration};

    #[test]
    fn the_driver_waits_as_long_as_one_of_its_threads_does() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Some(folder.path().join("run.parts"));
        let start = Start { rank: Rank(0), threads: 1, head: head(1, 1), parts, claim: None };
        let recorder = Recorder::start(start);
        let task = Some(TaskId(7));
        recorder.driver_begins();
        recorder.driver_waits();
        recorder.driver_waits();
        recorder.driver_waited(None);
        sleep(Duration::from_millis(2));
        recorder.driver_waited(task);
        sleep(Duration::from_millis(1));
        recorder.driver_waits();
        recorder.driver_waited(None);
        // What still goes on is left by a run that is killed.
        recorder.driver_waits();
        recorder.finish().iter().for_each(|chunk| recorder.gather(chunk));
        let history = History::of(recorder.take_gathered()).unwrap();
        let of_kind = |kind: Kind| -> Vec<Event> {
            let mut events = history.ranks[0].events.clone();
            events.retain(|event| event.kind == kind);
            events.sort_by_key(|event| event.start);
            events
        };
        let (waits, runs) = (of_kind(Kind::Waited), of_kind(Kind::Driver));
        assert_eq!(waits.iter().map(|wait| wait.subject).collect::<Vec<_>>()[..2], [7, ANY_TASK]);
        assert!(waits[0].end - waits[0].start >= 2_000_000 && waits[1].start >= waits[0].end + 1_000_000);
        let (first, last) = (runs.first().unwrap(), runs.last().unwrap());
        let waited = recorder.passed(now()).0;
        let sum = waits.iter().map(|wait| wait.end - wait.start).sum::<u64>();
        assert!(waited >= sum && waited < sum + 1_000_000_000, "{waited} {waits:?}");
        assert!(first.start <= waits[0].start && last.end >= waits[2].start, "{runs:?} {waits:?}");
        recorder.remove_part();
    }

    #[test]
    fn near_stretches_are_one_and_nearness_grows_with_their_number() {
        let mut joined = Joined::default();
        let wait = |subject, start, end| event(Kind::Waited, subject, 0, start, end);
        assert_eq!(joined.add(wait(1, 0, 100)), None);
        assert_eq!(joined.add(wait(2, 1_099, 1_200)), None, "they are one");
        assert_eq!(joined.add(wait(3, 2_200, 2_300)), Some(wait(2, 0, 1_200)));
        joined.count = 2 * Joined::DOUBLES_AFTER;
        assert_eq!(joined.add(wait(4, 6_299, 7_000)), None, "4 us are near now");
        assert_eq!(joined.add(wait(5, 11_000, 12_000)), Some(wait(4, 2_200, 7_000)));
    }

    #[test]
    fn what_tasks_are_given_to_whom_fits_in_an_amount() {
        let given = GivenTo { count: u32::MAX, worker: 0xff_fffe };
        assert!(given.packed() < 1 << 56);
        assert_eq!(GivenTo::of(given.packed()), given);
    }
}
