//! What follows from the record of a run: where each thread's time went, what each function took, what
//! moved, and the tasks that the run could not have been shorter than.

use super::history::{Event, History, Kind, LayerRecord, RankHistory};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// Stretches of time, in order and apart.
pub(super) type Stretches = Vec<(u64, u64)>;

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

/// Tasks of one group that follow each other on the longest path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub group: usize,
    pub tasks: u64,
    pub nanoseconds: u64,
    /// Where and when the first one started.
    pub rank: u32,
    pub start: u64,
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
    pub times: Vec<Vec<Time>>,
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
        let (path, path_nanoseconds) = longest_path(history, &layers);
        let times = (0..history.ranks.len()).map(|rank| times(history, rank, &transfers)).collect();
        Self { layers, groups, times, transfers, path, path_nanoseconds }
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
fn times(history: &History, rank: usize, transfers: &[Transfer]) -> Vec<Time> {
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
        Time {
            compute: length(&compute) - idle_within,
            transfer: length(&transfer),
            wait: length(&wait) + idle_within,
            spill: length(&spill),
        }
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

/// One step of the longest path up to a task.
#[derive(Clone, Copy)]
struct Reached {
    /// How long the tasks up to and with this one ran, and this one alone.
    total: u64,
    own: u64,
    before: Option<u64>,
    rank: u32,
    start: u64,
}

/// The tasks, each of which needs the one before, that ran longest together.
fn longest_path(history: &History, layers: &Layers<'_>) -> (Vec<Step>, u64) {
    let mut reached: FxHashMap<u64, Reached> = FxHashMap::default();
    for (rank, told) in history.ranks.iter().enumerate() {
        for event in told.events.iter().filter(|event| event.kind == Kind::Tasks) {
            let own = (event.end - event.start) / event.amount.max(1);
            for index in 0..event.amount {
                let start = event.start + index * own;
                let step = Reached { total: own, own, before: None, rank: rank as u32, start };
                reached.insert(event.subject + index, step);
            }
        }
    }
    let mut last: Option<(u64, u64)> = None;
    // A layer is heard of after those that it needs.
    for layer in &history.layers {
        for index in 0..layer.count {
            let task = layer.first + u64::from(index);
            if !reached.contains_key(&task) {
                continue;
            }
            let mut best: Option<(u64, u64)> = None;
            layer.for_each_need(index, |needed| {
                if let Some(step) = reached.get(&needed)
                    && best.is_none_or(|(total, _)| step.total > total)
                {
                    best = Some((step.total, needed));
                }
            });
            let step = reached.get_mut(&task).expect("it is there");
            if let Some((total, needed)) = best {
                (step.total, step.before) = (step.own + total, Some(needed));
            }
            if last.is_none_or(|(total, _)| step.total > total) {
                last = Some((step.total, task));
            }
        }
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut at = last.map(|(_, task)| task);
    while let Some(task) = at {
        let (step, group) = (reached[&task], layers.group(task).unwrap_or(0));
        match steps.last_mut().filter(|after| after.group == group) {
            Some(after) => {
                (after.tasks, after.nanoseconds) = (after.tasks + 1, after.nanoseconds + step.own);
                (after.rank, after.start) = (step.rank, step.start);
            }
            None => steps.push(Step {
                group,
                tasks: 1,
                nanoseconds: step.own,
                rank: step.rank,
                start: step.start,
            }),
        }
        at = step.before;
    }
    steps.reverse();
    (steps, last.map_or(0, |(total, _)| total))
}

/// Stretches in order and apart that cover what these cover.
fn union(mut stretches: Stretches) -> Stretches {
    stretches.sort_unstable();
    let mut union = Stretches::new();
    for (start, end) in stretches {
        match union.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ if start < end => union.push((start, end)),
            _ => {}
        }
    }
    union
}

/// What lies in both.
fn both(left: &Stretches, right: &Stretches) -> Stretches {
    let (mut l, mut r, mut both) = (0, 0, Stretches::new());
    while let (Some((a, b)), Some((c, d))) = (left.get(l), right.get(r)) {
        if a.max(c) < b.min(d) {
            both.push((*a.max(c), *b.min(d)));
        }
        if b < d { l += 1 } else { r += 1 }
    }
    both
}

/// What lies in the first and not in the second.
fn minus(left: &Stretches, right: &Stretches) -> Stretches {
    let mut minus = Stretches::new();
    let mut r = 0;
    for (start, end) in left {
        let mut at = *start;
        while let Some((c, d)) = right.get(r).filter(|(c, _)| c < end) {
            if *c > at {
                minus.push((at, *c));
            }
            at = at.max(*d);
            if d > end {
                break;
            }
            r += 1;
        }
        if at < *end {
            minus.push((at, *end));
        }
    }
    minus
}

fn length(stretches: &Stretches) -> u64 {
    stretches.iter().map(|(start, end)| end - start).sum()
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

    fn event(kind: Kind, lane: u16, subject: u64, amount: u64, start: u64, end: u64) -> Event {
        Event { kind, lane, subject, amount, start, end }
    }

    /// Two loads, of which the second takes longer and moves; then their sum on rank 3, and a task that
    /// waits for one of its own, and a task that nobody needs.
    pub(in crate::record) fn known() -> History {
        let layer =
            |first, count, name: &str, needs| LayerRecord { first, count, name: name.into(), needs, at: 0 };
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
        assert!(accounts.times[0].is_empty(), "rank 0 runs nothing");
        for time in accounts.times.iter().flatten() {
            assert_eq!(sum(time), 100_000);
        }
        let of = |rank: usize, lane: usize| {
            let Time { compute, transfer, wait, spill } = accounts.times[rank][lane];
            (compute, transfer, wait, spill)
        };
        assert_eq!(of(2, 0), (15_000, 0, 85_000, 0));
        assert_eq!(of(3, 0), (20_000, 10_000, 65_000, 5_000));
        assert_eq!(of(3, 1), (14_000, 10_000, 71_000, 5_000), "a task that waits does not compute");
    }

    #[test]
    fn what_a_task_reads_from_the_disk_is_no_computing() {
        let mut history = known();
        let before = Accounts::of(&history).times[3][0];
        history.ranks[3].events.push(event(Kind::Spill, 0, 0, 64, 41_000, 45_000));
        let time = Accounts::of(&history).times[3][0];
        assert_eq!((time.compute, time.spill), (before.compute - 4_000, before.spill + 4_000));
        assert_eq!(sum(&time), sum(&before));
    }

    #[test]
    fn the_known_longest_path_is_found() {
        let history = known();
        let accounts = Accounts::of(&history);
        let name = |step: &Step| (accounts.groups[step.group].name.clone(), step.nanoseconds, step.rank);
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
        let times = &Accounts::of(&history).times[2];
        assert_eq!((times[1].compute, sum(&times[1])), (30_000, 100_000));
    }

    proptest::proptest! {
        #[test]
        fn stretches_are_cut_as_sets_are(left in stretches(), right in stretches()) {
            let has = |stretches: &Stretches, at: u64| stretches.iter().any(|(a, b)| (*a..*b).contains(&at));
            let (l, r) = (union(left.clone()), union(right.clone()));
            for at in 0..60 {
                proptest::prop_assert_eq!(has(&both(&l, &r), at), has(&left, at) && has(&right, at));
                proptest::prop_assert_eq!(has(&minus(&l, &r), at), has(&left, at) && !has(&right, at));
            }
            proptest::prop_assert_eq!(length(&both(&l, &r)) + length(&minus(&l, &r)), length(&l));
        }
    }

    fn stretches() -> impl proptest::strategy::Strategy<Value = Stretches> {
        let stretch =
            proptest::strategy::Strategy::prop_map((0u64..50, 0u64..10), |(at, long)| (at, at + long));
        proptest::collection::vec(stretch, 0..8)
    }
}
