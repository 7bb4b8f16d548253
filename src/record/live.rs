//! Pure: what a rank tells of itself while the run goes on, about once a second, and how that is made of events.

use super::{
    history::{Event, Kind, Sample},
    stretches::{Cover, Stretches, both, length, minus},
};
use crate::message::Running;
use serde::{Deserialize, Serialize};

/// How rank 0 wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The nanoseconds from one sample to the next.
    pub nanoseconds: u64,
    /// How many spans a sample may have.
    pub spans_max: usize,
}

impl Pace {
    /// How many samples rank 0 hears in a second at most, and how many spans, from how many workers.
    const SAMPLES_A_SECOND: u64 = 1000;
    const SPANS_A_SECOND: usize = 400;
    pub(crate) const WORKERS_WITH_SPANS: usize = 64;

    /// For a rank of so many, the worker at `place` among so many, if it is one.
    pub(crate) fn of(ranks: usize, place: Option<usize>, workers: usize) -> Self {
        let seconds = (ranks as u64).div_ceil(Self::SAMPLES_A_SECOND).max(1);
        let told = place.is_some_and(|place| place < Self::WORKERS_WITH_SPANS);
        let each = Self::SPANS_A_SECOND / workers.clamp(1, Self::WORKERS_WITH_SPANS);
        Self { nanoseconds: seconds * 1_000_000_000, spans_max: if told { each } else { 0 } }
    }
}

/// Tasks that one thread ran, or a move to or from the disk, in nanoseconds of the rank's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub kind: Kind,
    pub lane: u16,
    /// The task that ran longest.
    pub task: u64,
    pub tasks: u64,
    pub start: u64,
    pub end: u64,
    /// How long within there was a task, and how long the longest took.
    pub busy: u64,
    longest: u64,
}

impl Span {
    fn of(event: &Event) -> Option<Self> {
        let length = event.end - event.start;
        let (tasks, busy) = match event.kind {
            Kind::Tasks => (event.amount, length),
            Kind::Dense => (event.subject, event.amount),
            Kind::Spill => (0, length),
            _ => return None,
        };
        let Event { kind, lane, start, end, .. } = *event;
        Some(Self { kind, lane, task: event.subject, tasks, start, end, busy, longest: length })
    }
}

/// What a rank tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Live {
    pub rank: u32,
    /// Since when it counts; the memory is of its end. In nanoseconds of the rank's clock.
    pub since: u64,
    pub memory: Sample,
    /// How long the threads had tasks, all together.
    pub busy: u64,
    /// Besides, how long values arrived meanwhile, or moved to or from the disk, and how long threads were idle.
    pub fetching: u64,
    pub spilling: u64,
    pub idle: u64,
    /// How long the driver waited, if it is here, and how long rank 0 worked.
    pub waited: u64,
    pub scheduled: u64,
    /// How many tasks ran to their end.
    pub tasks: u64,
    /// Bytes of values that came, left, and moved to or from the disk.
    pub fetched: u64,
    pub sent: u64,
    pub spilled: u64,
    /// What the threads run now.
    pub running: Vec<(u16, Running)>,
    pub spans: Vec<Span>,
}

/// Counts up to the next sample.
#[derive(Debug)]
pub(super) struct Counts {
    pace: Pace,
    live: Live,
    /// When the last task of each thread ended.
    ended: Vec<u64>,
    nearness: u64,
    /// When each thread had no task, as far as it is not settled; how many stretches that are; and when values arrived
    /// or moved to or from the disk.
    gaps: Vec<Stretches>,
    gap_count: usize,
    fetches: Cover,
    spills: Cover,
    /// How long the driver had waited, and rank 0 worked, when that was last asked.
    activity: (u64, u64),
}

/// After how many stretches without a task these are settled.
const GAPS_MAX: usize = 1 << 14;

/// Spans that are nearer to each other than this are one, if they are short: a picture shows no more.
const NEARNESS: u64 = 1_000_000;
const NEARNESS_MAX: u64 = 1 << 40;

impl Counts {
    pub(super) fn new(pace: Pace, rank: u32, threads: usize, since: u64) -> Self {
        let live = Live { rank, since, ..Live::default() };
        Self {
            pace,
            live,
            ended: vec![since; threads],
            nearness: NEARNESS,
            gaps: vec![Stretches::new(); threads],
            gap_count: 0,
            fetches: Cover::default(),
            spills: Cover::default(),
            activity: (0, 0),
        }
    }

    /// Events that have just ended, in the order of each thread.
    pub(super) fn note(&mut self, events: &[Event]) {
        for event in events {
            let within = event.end.saturating_sub(event.start.max(self.live.since));
            match event.kind {
                Kind::Fetch => {
                    self.live.fetched += event.amount;
                    self.fetches.add(event.start, event.end);
                }
                Kind::Send => self.live.sent += event.amount,
                Kind::Spill => {
                    self.live.spilled += event.amount;
                    if usize::from(event.lane) >= self.ended.len() {
                        self.spills.add(event.start, event.end);
                    }
                }
                Kind::Tasks => {
                    self.live.tasks += event.amount;
                    self.live.busy += within;
                }
                _ => {}
            }
            if event.kind == Kind::Tasks {
                self.ran(event.lane.into(), event.start, event.end);
            }
            if let Some(span) = Span::of(event).filter(|_| self.pace.spans_max > 0) {
                add(&mut self.live.spans, span, self.nearness);
            }
        }
        // A second of the shortest tasks on many threads must not pile up.
        let spans_max = 4 * self.pace.spans_max;
        fit(&mut self.live.spans, spans_max, &mut self.nearness);
        if self.gap_count > GAPS_MAX {
            self.settle();
        }
    }

    /// A thread had a task; before, none since the last one.
    fn ran(&mut self, lane: usize, start: u64, end: u64) {
        let Some(ended) = self.ended.get_mut(lane) else { return };
        let free = self.live.since.max(*ended);
        if free < start {
            self.gaps[lane].push((free, start));
            self.gap_count += 1;
        }
        *ended = end.max(*ended);
    }

    /// Adds up what happened while threads had no task.
    fn settle(&mut self) {
        let (fetches, spills) = (self.fetches.clone().into_stretches(), self.spills.clone().into_stretches());
        for gaps in &mut self.gaps {
            let gaps = std::mem::take(gaps);
            self.live.spilling += length(&both(&gaps, &spills));
            self.live.fetching += length(&both(&minus(&gaps, &spills), &fetches));
        }
        self.gap_count = 0;
    }

    pub(super) fn is_due(&self, at: u64) -> bool {
        at - self.live.since >= self.pace.nanoseconds
    }

    /// What is told now; counting begins anew. `activity` is how long the driver has waited ever, and rank 0 worked.
    pub(super) fn take(
        &mut self,
        memory: Sample,
        running: Vec<(u16, Running)>,
        activity: (u64, u64),
    ) -> Live {
        let (at, since) = (memory.at, self.live.since);
        for (lane, running) in &running {
            let began = at.saturating_sub(running.nanoseconds).max(since);
            let free = self.ended.get(usize::from(*lane)).map_or(at, |ended| began.max(*ended));
            self.live.busy += at.saturating_sub(free);
            self.ran(usize::from(*lane), began, at);
        }
        (0..self.ended.len()).for_each(|lane| self.ran(lane, at, at));
        self.settle();
        (self.fetches, self.spills) = (Cover::default(), Cover::default());
        let before = std::mem::replace(&mut self.activity, activity);
        self.live.waited = activity.0.saturating_sub(before.0);
        self.live.scheduled = activity.1.saturating_sub(before.1);
        let next = Live { rank: self.live.rank, since: at, ..Live::default() };
        let mut live = std::mem::replace(&mut self.live, next);
        fit(&mut live.spans, self.pace.spans_max, &mut self.nearness);
        self.nearness = NEARNESS;
        let most = (at - since) * self.ended.len() as u64;
        let busy = live.busy.min(most);
        let spilling = live.spilling.min(most - busy);
        let fetching = live.fetching.min(most - busy - spilling);
        let idle = most - busy - spilling - fetching;
        Live { memory, running, busy, spilling, fetching, idle, ..live }
    }
}

/// Adds a span at the end, or to the last one of its thread.
fn add(spans: &mut Vec<Span>, span: Span, nearness: u64) {
    let last = spans.iter_mut().rev().take(8).find(|last| last.lane == span.lane);
    let near = |last: &Span| {
        let short = last.end - last.start < 16 * nearness && span.end - span.start < 16 * nearness;
        last.kind == span.kind && short && span.start.saturating_sub(last.end) < nearness
    };
    match last {
        Some(last) if near(last) => {
            if span.longest > last.longest {
                (last.task, last.longest) = (span.task, span.longest);
            }
            last.end = last.end.max(span.end);
            (last.tasks, last.busy) = (last.tasks + span.tasks, last.busy + span.busy);
        }
        _ => spans.push(span),
    }
}

/// Makes so few of them that they fit.
fn fit(spans: &mut Vec<Span>, spans_max: usize, nearness: &mut u64) {
    while spans.len() > spans_max && *nearness < NEARNESS_MAX {
        *nearness *= 2;
        put_together(spans, *nearness);
    }
    // A rank may have more threads than that.
    spans.truncate(spans_max);
}

/// Makes one span of those that are near each other.
fn put_together(spans: &mut Vec<Span>, nearness: u64) {
    spans.sort_by_key(|span| (span.lane, span.start));
    let mut kept = Vec::with_capacity(spans.len() / 2);
    spans.drain(..).for_each(|span| add(&mut kept, span, nearness));
    *spans = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{TaskId, Tasks};

    const MILLISECOND: u64 = 1_000_000;

    fn task(lane: u16, task: u64, start: u64, end: u64) -> Event {
        Event { kind: Kind::Tasks, lane, subject: task, amount: 1, start, end }
    }

    fn counts(spans_max: usize) -> Counts {
        Counts::new(Pace { nanoseconds: 1000 * MILLISECOND, spans_max }, 2, 2, 0)
    }

    #[test]
    fn the_time_of_tasks_is_counted_once_though_they_run_on() {
        let mut counts = counts(10);
        counts.note(&[task(0, 1, 0, 300 * MILLISECOND), task(0, 2, 300 * MILLISECOND, 400 * MILLISECOND)]);
        let running = |nanoseconds| {
            let tasks = Tasks { first: TaskId(3), count: 1 };
            vec![(1u16, Running { tasks, name: "long".into(), nanoseconds })]
        };
        let at = |at| Sample { at, ..Sample::default() };
        assert!(!counts.is_due(999 * MILLISECOND) && counts.is_due(1000 * MILLISECOND));
        let live = counts.take(at(1000 * MILLISECOND), running(600 * MILLISECOND), (0, 0));
        assert_eq!((live.busy, live.tasks), (1000 * MILLISECOND, 2));
        assert_eq!(live.idle, 1000 * MILLISECOND, "600 ms of one thread, 400 of the other one");
        // What was told of the long one is not told again.
        counts.note(&[task(1, 3, 400 * MILLISECOND, 1500 * MILLISECOND)]);
        let live = counts.take(at(2000 * MILLISECOND), vec![], (0, 0));
        assert_eq!((live.busy, live.tasks, live.since), (500 * MILLISECOND, 1, 1000 * MILLISECOND));
    }

    #[test]
    fn what_threads_do_adds_up_to_the_time_between_samples() {
        let mut counts = counts(0);
        let of = |kind, lane, start, end| Event {
            kind,
            lane,
            subject: 0,
            amount: 1,
            start: start * MILLISECOND,
            end: end * MILLISECOND,
        };
        counts.note(&[of(Kind::Fetch, 2, 100, 300), of(Kind::Spill, 2, 250, 280)]);
        counts.note(&[of(Kind::Tasks, 0, 200, 600), of(Kind::Tasks, 1, 0, 1000)]);
        let at = |at: u64| Sample { at: at * MILLISECOND, ..Sample::default() };
        let live = counts.take(at(1000), vec![], (7, 9));
        let milliseconds =
            |live: &Live| [live.busy, live.fetching, live.spilling, live.idle].map(|time| time / MILLISECOND);
        assert_eq!(
            milliseconds(&live),
            [1400, 100, 0, 500],
            "thread 0 waited for a value from 100 to 200 ms"
        );
        assert_eq!((live.waited, live.scheduled), (7, 9));
        // More stretches than are kept, and a value that arrives all the time.
        counts.note(&[of(Kind::Fetch, 2, 1000, 2000)]);
        for number in 0..40_000 {
            let start = 1000 * MILLISECOND + number * 25_000;
            counts.note(&[task(0, number, start, start + 20_000)]);
            assert!(counts.gap_count <= GAPS_MAX);
        }
        let live = counts.take(at(2000), vec![], (8, 9));
        assert_eq!(milliseconds(&live), [800, 200 + 1000, 0, 0]);
        assert_eq!((live.waited, live.scheduled), (1, 0));
    }

    #[test]
    fn however_many_tasks_there_are_the_spans_are_few_and_hold_them_all() {
        let mut counts = counts(20);
        for number in 0..200_000 {
            let start = number * 5000;
            counts.note(&[task((number % 2) as u16, number, start, start + 4000)]);
            assert!(counts.live.spans.len() <= 81);
        }
        let live = counts.take(Sample { at: 1000 * MILLISECOND, ..Sample::default() }, vec![], (0, 0));
        assert!(!live.spans.is_empty() && live.spans.len() <= 20, "{}", live.spans.len());
        assert_eq!(live.spans.iter().map(|span| span.tasks).sum::<u64>(), 200_000);
        assert_eq!(live.spans.iter().map(|span| span.busy).sum::<u64>(), 200_000 * 4000);
    }

    #[test]
    fn a_span_of_many_tasks_is_named_by_the_longest() {
        let mut counts = counts(20);
        counts.note(&[task(0, 7, 0, 10), task(0, 8, 20, 2000), task(0, 9, 2100, 2200)]);
        let live = counts.take(Sample { at: 5000, ..Sample::default() }, vec![], (0, 0));
        assert_eq!(live.spans.len(), 1);
        assert_eq!((live.spans[0].task, live.spans[0].tasks, live.spans[0].end), (8, 3, 2200));
    }

    #[test]
    fn rank_0_hears_so_many_samples_and_spans_and_no_more() {
        for ranks in [3, 66, 1000, 20_000] {
            let paces = (0..ranks).map(|place| Pace::of(ranks, Some(place), ranks));
            let seconds = |pace: Pace| pace.nanoseconds as f64 / 1e9;
            let (mut samples, mut spans) = (0.0, 0.0);
            for pace in paces {
                samples += 1.0 / seconds(pace);
                spans += pace.spans_max as f64 / seconds(pace);
            }
            assert!(samples <= 1000.0 && (10.0..=400.0).contains(&spans), "{ranks}: {samples} {spans}");
        }
        assert_eq!(Pace::of(3, None, 1).spans_max, 0);
    }
}
