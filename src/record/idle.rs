//! Pure: what threads without a task waited for.
//!
//! Each instant at which a thread is idle has one cause, so that the causes add up to its idle time. They follow from
//! when each task was submitted, could begin, was given out, was queued and began. Where several tasks could have
//! run, the one that had come furthest on its way to this worker counts.

use super::{
    history::{Event, GivenTo, History, Kind, LayerRecord},
    stretches::{Cover, Stretches, both, minus, union},
    timings::Timings,
};
use rustc_hash::FxHashMap;

/// Why a thread was idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing submitted was left, and the driver ran its own code.
    DriverRan,
    /// Nothing submitted was left, and the driver waited for tasks that ran.
    DriverWaited,
    /// Each submitted task needed the value of one that had not ended.
    Inputs,
    /// Tasks that could begin were on their way to other workers, or queued there.
    Elsewhere,
    /// A task, a result or a submission was on its way.
    Messages,
    /// As above, while rank 0 handled messages or scheduled.
    Scheduler,
    /// A task was queued on the worker, and had not begun.
    Queued,
    /// The driver's closure had not begun, or had ended.
    Ends,
    /// Not recorded.
    Unknown,
}

impl Cause {
    pub(crate) const COUNT: usize = 9;
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::DriverRan,
        Self::DriverWaited,
        Self::Inputs,
        Self::Elsewhere,
        Self::Messages,
        Self::Scheduler,
        Self::Queued,
        Self::Ends,
        Self::Unknown,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DriverRan => "nothing submitted, driver computing",
            Self::DriverWaited => "nothing submitted, driver waiting",
            Self::Inputs => "inputs still being computed",
            Self::Elsewhere => "ready tasks on other workers",
            Self::Messages => "messages in transit",
            Self::Scheduler => "rank 0 busy",
            Self::Queued => "task queued here, not started",
            Self::Ends => "start or end of the run",
            Self::Unknown => "not recorded",
        }
    }

    /// What a user can do about it.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::DriverRan => {
                "All submitted tasks had started, and the driver ran its own code. Submit more tasks before that \
                 code, or make it a task."
            }
            Self::DriverWaited => {
                "All submitted tasks had started, and the driver waited for them. Submit the next tasks before you \
                 wait, use as_completed, or split the longest tasks."
            }
            Self::Inputs => {
                "Each task that was left needed a value that was still being computed. Split the tasks on the \
                 critical path, or use more and smaller chunks."
            }
            Self::Elsewhere => {
                "Tasks that could start were queued on other workers or may run only there. Relax the options \
                 workers and resources, or split long tasks."
            }
            Self::Messages => {
                "A task, its result or its submission was between two ranks. Make tasks longer, or submit many at \
                 once with map."
            }
            Self::Scheduler => {
                "Rank 0 handled messages or scheduled. Make tasks fewer and longer: larger chunks, map instead of \
                 submit in a loop."
            }
            Self::Queued => {
                "A task had arrived with all its inputs. A thread was waking up, a longer task was ahead of it, or \
                 the memory limit held it back: see Memory."
            }
            Self::Ends => {
                "The driver's closure had not started, or had ended. This matters in short runs only."
            }
            Self::Unknown => "More was to be recorded than is kept, so the cause is not known.",
        }
    }
}

/// A stretch of idle time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Idle {
    pub start: u64,
    pub end: u64,
    pub cause: Cause,
}

/// Sums by cause, in nanoseconds, in the order of [`Cause::ALL`].
pub(crate) type Sums = [u64; Cause::COUNT];

/// The sums of a thread's idle stretches. `within` is idle time between tasks of which only sums are known.
pub(super) fn sums(idle: &[Idle], within: u64) -> Sums {
    let mut sums = Sums::default();
    idle.iter().for_each(|idle| sums[idle.cause as usize] += idle.end - idle.start);
    sums[Cause::Unknown as usize] += within;
    sums
}

/// Where a range of tasks was from a time on: sent to a worker, or in its queue.
#[derive(Clone, Copy, Debug)]
struct Place {
    first: u64,
    count: u32,
    at: u64,
    worker: u32,
    is_queued: bool,
}

impl Place {
    fn of(rank: u32, event: &Event) -> Option<Self> {
        let (first, at) = (event.subject, event.start);
        match event.kind {
            Kind::Given => {
                let GivenTo { count, worker } = GivenTo::of(event.amount);
                Some(Self { first, count, at, worker, is_queued: false })
            }
            Kind::Queued => {
                Some(Self { first, count: event.amount as u32, at, worker: rank, is_queued: true })
            }
            _ => None,
        }
    }
}

/// How far tasks had come on their way to a worker: with rank 0 or on the way there; sent to the worker; in its queue.
const PENDING: usize = 0;
const GIVEN: usize = 1;
const QUEUED: usize = 2;

/// When tasks of all kinds were where, gathered task by task.
#[derive(Default)]
struct Gathered {
    sent: Cover,
    submitted: Cover,
    uncertain: Cover,
    ready: Cover,
    /// By rank, then by how far tasks had come.
    workers: Vec<[Cover; 3]>,
    /// When tasks without a record of their run ended, as far as it is known.
    ends: FxHashMap<u64, u64>,
}

impl Gathered {
    fn add(&mut self, layer: &LayerRecord, places: &[Place], timings: &Timings, unfinished: Option<u64>) {
        let sent = timings.sent.get(&layer.first).map_or(layer.at, |sent| layer.at.min(*sent));
        self.sent.add(sent, layer.at);
        let mut next = places.partition_point(|place| place.first < layer.first);
        let mut current: Vec<Place> = Vec::new();
        for task in layer.first..layer.first + u64::from(layer.count) {
            current.retain(|place| task < place.first + u64::from(place.count));
            while let Some(place) = places.get(next).filter(|place| place.first <= task) {
                current.push(*place);
                current.sort_by_key(|place| place.at);
                next += 1;
            }
            let mut ready = layer.at;
            layer.for_each_need((task - layer.first) as u32, |needed| {
                let end = timings.ran.get(&needed).map(|ran| ran.end());
                ready = ready.max(end.or_else(|| self.ends.get(&needed).copied()).unwrap_or(0));
            });
            let start = match (timings.ran.get(&task), unfinished) {
                (Some(ran), _) => ran.start,
                // It was cancelled, or what it needs failed: from then on nothing waited for it.
                (None, None) => {
                    self.ends.insert(task, ready);
                    ready
                }
                // It ran until the run was killed, or never began.
                (None, Some(end)) => {
                    self.ends.insert(task, end);
                    current.last().map_or(end, |place| place.at)
                }
            };
            self.submitted.add(layer.at, start);
            match layer.is_cut {
                true => self.uncertain.add(layer.at, start),
                false => self.follow(ready, start, &current, timings.ran.get(&task).map(|ran| ran.rank)),
            }
        }
    }

    /// Follows a task that could begin from place to place, until it begins on a worker.
    fn follow(&mut self, ready: u64, start: u64, places: &[Place], worker: Option<u32>) {
        self.ready.add(ready, start);
        let Some(mut to) = places.first().map(|place| place.worker).or(worker) else { return };
        let (mut since, mut state) = (ready, PENDING);
        for place in places {
            let until = place.at.min(start);
            self.note(to, state, since, until);
            since = since.max(until);
            (to, state) = (place.worker, if place.is_queued { QUEUED } else { GIVEN });
        }
        self.note(to, state, since, start);
    }

    fn note(&mut self, worker: u32, state: usize, start: u64, end: u64) {
        if let Some(worker) = self.workers.get_mut(worker as usize) {
            worker[state].add(start, end);
        }
    }
}

/// When what was so, for all threads of all ranks.
#[derive(Debug)]
pub(super) struct Causes {
    ends: Stretches,
    unknown: Stretches,
    sent: Stretches,
    submitted: Stretches,
    uncertain: Stretches,
    ready: Stretches,
    /// The driver waited and no task ran; it waited.
    results: Stretches,
    waits: Stretches,
    scheduling: Stretches,
    /// By rank, then by how far tasks had come.
    workers: Vec<[Stretches; 3]>,
}

impl Causes {
    pub(super) fn of(history: &History, timings: &Timings) -> Self {
        let events = || {
            let ranks = history.ranks.iter().enumerate();
            ranks.flat_map(|(rank, told)| told.events.iter().map(move |event| (rank as u32, event)))
        };
        let of_kind = |kinds: &[Kind]| {
            let mut cover = Cover::default();
            let of_kinds = events().filter(|(_, event)| kinds.contains(&event.kind));
            of_kinds.for_each(|(_, event)| cover.add(event.start, event.end));
            cover.into_stretches()
        };
        let mut places: Vec<Place> = events().filter_map(|(rank, event)| Place::of(rank, event)).collect();
        places.sort_by_key(|place| (place.first, place.at));
        let workers = history.ranks.iter().map(|_| Default::default()).collect();
        let mut gathered = Gathered { workers, ..Gathered::default() };
        let unfinished = (!history.is_complete()).then(|| history.wall());
        history.layers.iter().for_each(|layer| gathered.add(layer, &places, timings, unfinished));
        let whole = vec![(0, u64::MAX)];
        let runs = &timings.driver_runs;
        let ends = if runs.is_empty() { Stretches::new() } else { minus(&whole, runs) };
        let dense = events().filter(|(_, event)| event.kind == Kind::Dense).map(|(_, event)| event.start);
        let waits = union(timings.waits.iter().map(|wait| (wait.start, wait.end)).collect());
        let workers = gathered.workers.into_iter();
        Self {
            ends,
            unknown: dense.min().map(|start| (start, u64::MAX)).into_iter().collect(),
            sent: gathered.sent.into_stretches(),
            submitted: gathered.submitted.into_stretches(),
            uncertain: gathered.uncertain.into_stretches(),
            ready: gathered.ready.into_stretches(),
            results: minus(&waits, &of_kind(&[Kind::Tasks, Kind::Dense])),
            waits,
            scheduling: of_kind(&[Kind::Scheduling]),
            workers: workers.map(|states| states.map(Cover::into_stretches)).collect(),
        }
    }

    /// Splits the idle time of a thread of a rank by cause. `blocked` is when a task on it waited for others.
    pub(super) fn split(&self, rank: usize, idle: &Stretches, blocked: &Stretches) -> Vec<Idle> {
        let mut rest = idle.clone();
        let mut split: Vec<Idle> = Vec::new();
        let mut take = |set: &Stretches, cause: Cause| {
            split.extend(both(&rest, set).into_iter().map(|(start, end)| Idle { start, end, cause }));
            rest = minus(&rest, set);
        };
        let none: [Stretches; 3] = Default::default();
        let [pending, given, queued] = self.workers.get(rank).unwrap_or(&none);
        let while_scheduling = |set: &Stretches| both(set, &self.scheduling);
        take(&self.ends, Cause::Ends);
        take(&self.unknown, Cause::Unknown);
        take(queued, Cause::Queued);
        take(given, Cause::Messages);
        take(&while_scheduling(pending), Cause::Scheduler);
        take(pending, Cause::Messages);
        take(&self.ready, Cause::Elsewhere);
        take(&self.uncertain, Cause::Unknown);
        take(&self.submitted, Cause::Inputs);
        take(&while_scheduling(&self.sent), Cause::Scheduler);
        take(&self.sent, Cause::Messages);
        take(blocked, Cause::Inputs);
        take(&while_scheduling(&self.results), Cause::Scheduler);
        take(&self.results, Cause::Messages);
        take(&self.waits, Cause::DriverWaited);
        take(&vec![(0, u64::MAX)], Cause::DriverRan);
        split.sort_unstable_by_key(|idle| idle.start);
        joined(split)
    }
}

/// Makes one stretch of those that follow each other and have one cause.
fn joined(split: Vec<Idle>) -> Vec<Idle> {
    let mut joined: Vec<Idle> = Vec::with_capacity(split.len());
    for idle in split {
        match joined.last_mut().filter(|last| last.end == idle.start && last.cause == idle.cause) {
            Some(last) => last.end = idle.end,
            None => joined.push(idle),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
