//! What follows from the record of a run: where each thread's time went, what each function took, what
//! moved, and the tasks that the run could not have been shorter than.

use super::{
    history::{Event, History, Kind, LayerRecord, RankHistory},
    idle::{self, Causes, Idle, Sums},
    path::{Step, longest_path},
    stretches::{Stretches, both, length, minus, union},
    timings::Timings,
};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// Where time went, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time {
    pub compute: u64,
    pub transfer: u64,
    pub wait: u64,
    pub spill: u64,
}

impl Time {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            compute: self.compute + other.compute,
            transfer: self.transfer + other.transfer,
            wait: self.wait + other.wait,
            spill: self.spill + other.spill,
        }
    }
}

/// A thread's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thread {
    pub time: Time,
    /// When it waited for work, and for what reason.
    pub idle: Vec<Idle>,
    /// The sums of these, which are [`Time::wait`] together.
    pub causes: Sums,
}

/// A value that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub source: u32,
    pub target: u32,
    pub bytes: u64,
    /// When it was asked for, when it left, if that is known, and when it was there.
    pub asked: u64,
    pub sent: Option<u64>,
    pub arrived: u64,
}

/// All tasks of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub name: String,
    /// How often it was submitted, how many tasks, and how many of them ran.
    pub layers: u64,
    pub tasks: u64,
    pub ran: u64,
    pub nanoseconds: u64,
    pub longest: u64,
    pub first_start: u64,
    pub last_end: u64,
    /// The groups whose values its tasks need.
    pub needs: Vec<usize>,
}

/// Finds the layer of a task.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    /// By first task; with each the group.
    by_first: Vec<(&'a LayerRecord, usize)>,
}

impl<'a> Layers<'a> {
    fn new(history: &'a History) -> (Self, Vec<Group>) {
        let mut places: FxHashMap<&str, usize> = FxHashMap::default();
        let mut groups: Vec<Group> = Vec::new();
        let mut by_first = Vec::new();
        for layer in &history.layers {
            let place = *places.entry(&layer.name).or_insert_with(|| {
                groups.push(Group { name: layer.name.clone(), first_start: u64::MAX, ..Group::default() });
                groups.len() - 1
            });
            groups[place].layers += 1;
            groups[place].tasks += u64::from(layer.count);
            by_first.push((layer, place));
        }
        by_first.sort_by_key(|(layer, _)| layer.first);
        (Self { by_first }, groups)
    }

    fn find(&self, task: u64) -> Option<(&'a LayerRecord, usize)> {
        let after = self.by_first.partition_point(|(layer, _)| layer.first <= task);
        let (layer, group) = *self.by_first.get(after.checked_sub(1)?)?;
        (task < layer.first + u64::from(layer.count)).then_some((layer, group))
    }

    pub(super) fn group(&self, task: u64) -> Option<usize> {
        Some(self.find(task)?.1)
    }
}

/// What follows from a history. See the module.
#[derive(Debug)]
pub(super) struct Accounts<'a> {
    pub layers: Layers<'a>,
    pub groups: Vec<Group>,
    /// By rank, then by thread.
    pub threads: Vec<Vec<Thread>>,
    pub transfers: Vec<Transfer>,
    pub path: Vec<Step>,
    pub path_nanoseconds: u64,
}

impl<'a> Accounts<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let (layers, mut groups) = Layers::new(history);
        let transfers = transfers(history);
        for event in history.ranks.iter().flat_map(|rank| &rank.events) {
            if let (Kind::Tasks, Some(group)) = (event.kind, layers.group(event.subject)) {
                let (group, length) = (&mut groups[group], event.end - event.start);
                group.ran += event.amount;
                group.nanoseconds += length;
                group.longest = group.longest.max(length / event.amount.max(1));
                group.first_start = group.first_start.min(event.start);
                group.last_end = group.last_end.max(event.end);
            }
        }
        note_needs(history, &layers, &mut groups);
        let timings = Timings::of(history);
        let (path, path_nanoseconds) = longest_path(history, &layers, &timings);
        let causes = Causes::of(history, &timings);
        let threads =
            (0..history.ranks.len()).map(|rank| threads(history, rank, &transfers, &causes)).collect();
        Self { layers, groups, threads, transfers, path, path_nanoseconds }
    }
}

/// Which groups need which: a task of each layer tells, as all of its tasks are of one shape.
fn note_needs(history: &History, layers: &Layers<'_>, groups: &mut [Group]) {
    for layer in &history.layers {
        let Some(group) = layers.group(layer.first) else { continue };
        for index in [0, layer.count.saturating_sub(1)] {
            layer.for_each_need(index, |task| {
                if let Some(needed) = layers.group(task)
                    && !groups[group].needs.contains(&needed)
                {
                    groups[group].needs.push(needed);
                }
            });
        }
    }
}

/// The bodies that came, each with when it left.
fn transfers(history: &History) -> Vec<Transfer> {
    let mut sends: FxHashMap<(u32, u32, u16), VecDeque<u64>> = FxHashMap::default();
    let of_kind = |kind: Kind| {
        let ranks = history.ranks.iter().enumerate();
        let events = ranks.flat_map(|(rank, told)| told.events.iter().map(move |event| (rank as u32, event)));
        let mut events: Vec<_> = events.filter(|(_, event)| event.kind == kind).collect();
        events.sort_by_key(|(_, event)| event.end);
        events
    };
    let peer = |event: &Event| ((event.subject >> 16) as u32, event.subject as u16);
    for (source, event) in of_kind(Kind::Send) {
        let (target, tag) = peer(event);
        sends.entry((source, target, tag)).or_default().push_back(event.start);
    }
    let transfer = |(target, event): (u32, &Event)| {
        let (source, tag) = peer(event);
        // A tag is used again only after its body has come: the first sent came first.
        let sent = sends.get_mut(&(source, target, tag)).and_then(VecDeque::pop_front);
        let (asked, arrived) = (event.start, event.end);
        // Clocks are aligned to microseconds, and a body has left before it is there.
        let sent = sent.map(|sent| sent.clamp(asked, arrived));
        Transfer { source, target, bytes: event.amount, asked, sent, arrived }
    };
    of_kind(Kind::Fetch).into_iter().map(transfer).collect()
}

/// Where the time of a rank's threads went.
fn threads(history: &History, rank: usize, transfers: &[Transfer], causes: &Causes) -> Vec<Thread> {
    let told = &history.ranks[rank];
    let threads = history.head.cluster.ranks()[rank].threads as usize;
    let is_coming = |transfer: &&Transfer| transfer.target as usize == rank;
    let coming = transfers.iter().filter(is_coming);
    let coming = union(coming.map(|moved| (moved.sent.unwrap_or(moved.asked), moved.arrived)).collect());
    let spilling = |lane| stretches_of(told, Kind::Spill, Some(lane as u16));
    let mut computes: Vec<(Stretches, u64)> =
        (0..threads as u16).map(|lane| (compute(told, lane), sparse(told, lane))).collect();
    let any = union(computes.iter().flat_map(|(compute, _)| compute.iter().copied()).collect());
    for (lane, (compute, _)) in computes.iter_mut().enumerate() {
        // Whole stretches without a task of the thread's own in which another thread has one.
        let helping = union(stretches_of(told, Kind::Helping, Some(lane as u16)));
        let apart = |stretch: &(u64, u64)| both(&vec![*stretch], compute).is_empty();
        let helping: Stretches = helping.into_iter().filter(apart).collect();
        let helping = both(&helping, &any);
        *compute = union(compute.iter().copied().chain(helping).collect());
        // What a task itself reads from the disk.
        *compute = minus(compute, &union(spilling(lane)));
    }
    let account = |(lane, (compute, idle_within)): (usize, (Stretches, u64))| {
        let spilling = union(spilling(lane).into_iter().chain(spilling(threads)).collect());
        let whole = vec![(told.began, told.ended.max(told.began))];
        let compute = both(&compute, &whole);
        let idle = minus(&whole, &compute);
        let (spill, idle) = (both(&idle, &spilling), minus(&idle, &spilling));
        let (transfer, wait) = (both(&idle, &coming), minus(&idle, &coming));
        let idle_within = idle_within.min(length(&compute));
        let time = Time {
            compute: length(&compute) - idle_within,
            transfer: length(&transfer),
            wait: length(&wait) + idle_within,
            spill: length(&spill),
        };
        let blocked = union(stretches_of(told, Kind::Blocked, Some(lane as u16)));
        let idle = causes.split(rank, &wait, &blocked);
        Thread { time, causes: idle::sums(&idle, idle_within), idle }
    };
    computes.into_iter().enumerate().map(account).collect()
}

fn stretches_of(told: &RankHistory, kind: Kind, lane: Option<u16>) -> Stretches {
    let events = told.events.iter().filter(|event| event.kind == kind);
    events
        .filter(|event| lane.is_none_or(|lane| event.lane == lane))
        .map(|event| (event.start, event.end))
        .collect()
}

/// When a thread ran tasks that did not wait. What runs within a wait, runs.
fn compute(told: &RankHistory, lane: u16) -> Stretches {
    let of_lane = |event: &&Event| {
        event.lane == lane && matches!(event.kind, Kind::Tasks | Kind::Blocked | Kind::Dense)
    };
    let mut events: Vec<&Event> = told.events.iter().filter(of_lane).collect();
    // What lies within something comes after it.
    events.sort_by_key(|event| (event.start, std::cmp::Reverse(event.end)));
    let mut stretches = Stretches::new();
    let mut open: Vec<&Event> = Vec::new();
    let mut since = 0;
    let mut add = |event: Option<&&Event>, start: u64, end: u64| {
        if event.is_some_and(|event| event.kind != Kind::Blocked) && start < end {
            stretches.push((start, end));
        }
    };
    for event in events {
        while let Some(last) = open.last().filter(|last| last.end <= event.start) {
            let end = last.end;
            add(open.last(), since, end);
            since = since.max(end);
            open.pop();
        }
        add(open.last(), since, event.start);
        since = event.start;
        open.push(event);
    }
    while let Some(last) = open.pop() {
        add(Some(&last), since, last.end);
        since = since.max(last.end);
    }
    union(stretches)
}

/// How much of the stretches in which many tasks ran none did.
fn sparse(told: &RankHistory, lane: u16) -> u64 {
    let dense = told.events.iter().filter(|event| event.kind == Kind::Dense && event.lane == lane);
    dense.map(|event| (event.end - event.start).saturating_sub(event.amount)).sum()
}

/// How many bytes went from which rank to which, and in how many values.
pub(super) fn matrix(transfers: &[Transfer]) -> BTreeMap<(u32, u32), (u64, u64)> {
    let mut matrix: BTreeMap<(u32, u32), (u64, u64)> = BTreeMap::new();
    for transfer in transfers {
        let (bytes, count) = matrix.entry((transfer.source, transfer.target)).or_default();
        (*bytes, *count) = (*bytes + transfer.bytes, *count + 1);
    }
    matrix
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        cluster::{Cluster, RankRecord},
        rank::{Rank, Role},
        record::history::{Head, Needs, RunEnd, Sample},
    };

    pub(in crate::record) fn head(ranks: u32, threads: u32) -> Head {
        let rank = |rank: u32| {
            let role = Role::of(Rank(rank), ranks, true);
            RankRecord {
                rank: Rank(rank),
                role,
                host: format!("node{rank}"),
                pid: 7,
                threads: if role.worker { threads } else { 0 },
                memory_bytes: 1 << 30,
                resources: vec![],
                device: None,
                cores: vec![],
                transport: "threads".into(),
            }
        };
        Head {
            version: "1".into(),
            program: "test".into(),
            command: vec!["./test".into(), "-n 7".into()],
            started: 1.7e9,
            cluster: Cluster::new((0..ranks).map(rank).collect()),
            offsets: vec![0; ranks as usize],
        }
    }

    pub(in crate::record) fn event(
        kind: Kind,
        lane: u16,
        subject: u64,
        amount: u64,
        start: u64,
        end: u64,
    ) -> Event {
        Event { kind, lane, subject, amount, start, end }
    }

    /// Two loads, of which the second takes longer and moves; then their sum on rank 3, and a task that
    /// waits for one of its own, and a task that nobody needs.
    pub(in crate::record) fn known() -> History {
        let layer = |first, count, name: &str, needs| LayerRecord {
            first,
            count,
            name: name.into(),
            needs,
            at: 0,
            is_cut: false,
        };
        let mut ranks = vec![RankHistory { ended: 100_000, is_complete: true, ..RankHistory::default() }; 4];
        ranks[2].events = vec![
            event(Kind::Tasks, 0, 10, 1, 0, 10_000),
            event(Kind::Tasks, 1, 11, 1, 0, 30_000),
            event(Kind::Device, 2, 10, 1, 2_000, 9_000),
            event(Kind::Send, 2, 3 << 16 | 5, 800, 31_000, 31_000),
            event(Kind::Tasks, 0, 15, 1, 20_000, 25_000),
        ];
        ranks[3].events = vec![
            event(Kind::Fetch, 2, 2 << 16 | 5, 800, 30_500, 41_000),
            event(Kind::Tasks, 0, 12, 1, 41_000, 61_000),
            event(Kind::Tasks, 1, 14, 1, 52_000, 56_000),
            event(Kind::Blocked, 1, 0, 0, 50_000, 60_000),
            event(Kind::Tasks, 1, 13, 1, 45_000, 65_000),
            event(Kind::Spill, 2, 0, 64, 90_000, 95_000),
        ];
        ranks[3].samples = vec![Sample { at: 50_000, held: 800, ..Sample::default() }];
        let list = Needs::Lists(vec![vec![(10, 2)]]);
        History {
            head: head(4, 2),
            end: Some(RunEnd { status: 1, words: "it was \"too large\"".into() }),
            ranks,
            layers: vec![
                layer(10, 2, "load", vec![]),
                layer(12, 1, "sum", vec![list]),
                layer(13, 1, "outer", vec![Needs::Values(vec![10])]),
                layer(14, 1, "inner", vec![]),
                layer(15, 1, "alone", vec![Needs::Stride { first: 10, stride: 0 }]),
            ],
        }
    }

    fn sum(time: &Time) -> u64 {
        time.compute + time.transfer + time.wait + time.spill
    }

    #[test]
    fn the_time_of_every_thread_adds_up_to_the_run() {
        let history = known();
        let accounts = Accounts::of(&history);
        assert!(accounts.threads[0].is_empty(), "rank 0 runs nothing");
        for thread in accounts.threads.iter().flatten() {
            assert_eq!(sum(&thread.time), 100_000);
            assert_eq!(thread.causes.iter().sum::<u64>(), thread.time.wait);
        }
        let of = |rank: usize, lane: usize| {
            let Time { compute, transfer, wait, spill } = accounts.threads[rank][lane].time;
            (compute, transfer, wait, spill)
        };
        assert_eq!(of(2, 0), (15_000, 0, 85_000, 0));
        assert_eq!(of(3, 0), (20_000, 10_000, 65_000, 5_000));
        assert_eq!(of(3, 1), (14_000, 10_000, 71_000, 5_000), "a task that waits does not compute");
    }

    #[test]
    fn what_a_task_reads_from_the_disk_is_no_computing() {
        let mut history = known();
        let before = Accounts::of(&history).threads[3][0].time;
        history.ranks[3].events.push(event(Kind::Spill, 0, 0, 64, 41_000, 45_000));
        let time = Accounts::of(&history).threads[3][0].time;
        assert_eq!((time.compute, time.spill), (before.compute - 4_000, before.spill + 4_000));
        assert_eq!(sum(&time), sum(&before));
    }

    #[test]
    fn the_known_longest_path_is_found() {
        let history = known();
        let accounts = Accounts::of(&history);
        let name =
            |step: &Step| (accounts.groups[step.group.unwrap()].name.clone(), step.nanoseconds, step.rank);
        let path: Vec<_> = accounts.path.iter().map(name).collect();
        assert_eq!(path, [("load".into(), 30_000, 2), ("sum".into(), 20_000, 3)]);
        assert_eq!(accounts.path_nanoseconds, 50_000);
        let sum = accounts.groups.iter().find(|group| group.name == "sum").unwrap();
        assert_eq!((sum.needs.clone(), sum.ran, sum.nanoseconds), (vec![0], 1, 20_000));
    }

    #[test]
    fn a_transfer_knows_when_it_left() {
        let history = known();
        let transfers = Accounts::of(&history).transfers;
        let expected =
            Transfer { source: 2, target: 3, bytes: 800, asked: 30_500, sent: Some(31_000), arrived: 41_000 };
        assert_eq!(transfers, [expected]);
        assert_eq!(matrix(&transfers)[&(2, 3)], (800, 1));
    }

    #[test]
    fn threads_that_help_compute_while_another_has_a_task() {
        let mut history = known();
        history.ranks[2].events = vec![
            event(Kind::Tasks, 0, 10, 1, 10_000, 50_000),
            event(Kind::Helping, 1, 0, 0, 20_000, 40_000),
            event(Kind::Helping, 1, 0, 0, 40_000, 60_000),
        ];
        let times = &Accounts::of(&history).threads[2];
        assert_eq!((times[1].time.compute, sum(&times[1].time)), (30_000, 100_000));
    }
}
