//! Stories of tasks that are given out before what they need exists.

use super::*;
use crate::message::Made;

/// Tasks that need two others.
fn both(task: u64, first: u64, second: u64) -> ToScheduler {
    let need = |task| Column::values(vec![id(task)]);
    ToScheduler::Submit(layer(task, 1, vec![need(first), need(second)]))
}

/// Tasks that ended at once, so that many of them fit into a backlog.
fn quick(first: u64, count: u32) -> ToScheduler {
    ended(first, count, 1)
}

/// Tasks that ended after so many nanoseconds each.
fn ended(first: u64, count: u32, nanoseconds: u64) -> ToScheduler {
    let values: Packed = (0..count).map(|_| [7u8].as_slice()).collect();
    let nanoseconds = nanoseconds * u64::from(count);
    ToScheduler::Finished { finished: Finished { first: id(first), values }, nanoseconds }
}

fn release(first: u64, count: u32) -> ToScheduler {
    ToScheduler::Release(vec![range(first, count)])
}

/// What workers were told besides their runs.
fn told(story: &Story) -> Vec<(u32, &ToWorker)> {
    let said = story.said.iter().filter_map(|(rank, message)| match message {
        Message::ToWorker(message) if !matches!(message, ToWorker::Run(_)) => Some((rank.0, message)),
        _ => None,
    });
    said.collect()
}

impl Story {
    /// Tasks 0 and 1 show how long the tasks of two workers take.
    fn take(&mut self, nanoseconds: u64) {
        self.hear(1, [roots(0, 2)]);
        let first = self.worker_of(0);
        self.hear(first, [ended(0, 1, nanoseconds)]).hear(5 - first, [ended(1, 1, nanoseconds)]);
    }
}

/// A task, 2, that needs two others: one of its own worker, and one of another.
struct Shared {
    story: Story,
    worker: u32,
    own: u64,
    maker: u32,
    other: u64,
}

impl Shared {
    fn new() -> Self {
        let mut story = Story::of(2);
        story.hear(1, [roots(0, 2), both(2, 0, 1)]);
        let worker = story.worker_of(2);
        let (own, other) = if story.worker_of(0) == worker { (0, 1) } else { (1, 0) };
        let maker = story.worker_of(other);
        Self { story, worker, own, maker, other }
    }
}

#[test]
fn a_chain_is_given_to_one_worker_as_far_as_there_is_room() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 1), after(1, 1, 0), after(2, 1, 1)]);
    let worker = story.worker_of(0);
    assert_eq!(story.given(), [(worker, 0, 1), (worker, 1, 1)], "two of unknown length");
    assert_eq!(story.runs()[1].1.arguments, [Given::Values(vec![Need::Own(id(0))])]);
    story.hear(worker, [quick(0, 1)]);
    assert_eq!(story.given(), [(worker, 2, 1)]);
    assert!(told(&story).is_empty());
    story.hear(worker, [quick(1, 2)]).hear(1, [release(0, 3)]);
    story.assert_empty();
}

#[test]
fn a_value_of_another_worker_is_sent_for_the_run_that_needs_it() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2)]);
    let (first, second) = (story.worker_of(0), story.worker_of(1));
    story.hear(1, [both(2, 0, 1)]);
    let worker = story.worker_of(2);
    let (own, sent, maker) = if worker == first { (0, 1, second) } else { (1, 0, first) };
    let run = story.runs()[0].1;
    assert_eq!(run.order, 1);
    assert!(run.arguments.contains(&Given::Values(vec![Need::Own(id(own))])));
    assert!(run.arguments.contains(&Given::Values(vec![Need::Sent(id(sent))])));
    let forward = ToWorker::Forward { task: id(sent), target: Rank(worker), order: 1 };
    assert_eq!(told(&story), [(maker, &forward)]);
}

#[test]
fn a_worker_is_told_to_send_a_value_after_it_is_told_to_make_it() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2), both(2, 0, 1)]);
    let maker = told(&story)[0].0;
    let to_maker = story.said.iter().filter(|(rank, _)| rank.0 == maker);
    let to_maker: Vec<bool> =
        to_maker.map(|(_, message)| matches!(message, Message::ToWorker(ToWorker::Run(_)))).collect();
    assert_eq!(to_maker, [true, false]);
}

#[test]
fn who_was_told_too_late_to_send_a_value_has_the_scheduler_send_it() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2), both(2, 0, 1)]);
    let (maker, ToWorker::Forward { task, target, order }) = told(&story)[0] else {
        panic!("{:?}", story.said)
    };
    let (task, target, order) = (*task, *target, *order);
    story.hear(maker, [finished(task.sequence(), 1), ToScheduler::Missed { task, target, order }]);
    let made = ToWorker::Made { order, made: Made::Small { task, value: vec![7] } };
    assert_eq!(told(&story), [(target.0, &made)]);
}

#[test]
fn a_value_may_be_missed_whose_end_does_not_count_yet() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2), both(2, 0, 1)]);
    let worker = story.worker_of(2);
    let own = if story.worker_of(0) == worker { 0 } else { 1 };
    let (task, target) = (id(2), Rank(worker));
    story.hear(worker, [finished(own, 1), finished(2, 1), ToScheduler::Missed { task, target, order: 1 }]);
    let made = ToWorker::Made { order: 1, made: Made::Small { task, value: vec![7] } };
    assert_eq!(told(&story), [(worker, &made)]);
}

#[test]
fn when_a_task_is_tried_again_what_was_given_out_early_for_it_comes_back() {
    let mut story = Story::of(1);
    let options = Options { retries: 1, ..Options::default() };
    story.hear(1, [with(layer(0, 1, vec![]), options), after(1, 1, 0)]);
    assert_eq!(story.given().len(), 2);
    story.hear(2, [failed(0)]);
    assert_eq!(told(&story), [(2, &ToWorker::Recall(vec![range(1, 1)]))]);
    assert_eq!(story.given(), [(2, 0, 1)], "it is tried again");
    story.hear(2, [ToScheduler::Yielded(vec![range(1, 1)])]);
    assert_eq!(story.given(), [(2, 1, 1)], "a worker has it again");
    story.hear(2, [finished(0, 2)]).hear(1, [release(0, 2)]);
    story.assert_empty();
}

#[test]
fn a_task_that_fails_fails_what_was_given_out_early_for_it() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 1), after(1, 1, 0), after(2, 1, 1)]);
    story.hear(2, [failed(0)]);
    assert_eq!(story.failures().iter().map(|(task, _)| *task).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(told(&story), [(2, &ToWorker::Cancel(vec![range(1, 1)]))], "nobody had the last one");
    story.hear(2, [ToScheduler::Yielded(vec![range(1, 1)])]).hear(1, [release(0, 3)]);
    story.assert_empty();
}

#[test]
fn an_end_that_overtakes_that_of_what_was_needed_counts_after_it() {
    let Shared { mut story, worker, own, maker, other } = Shared::new();
    story.hear(worker, [finished(own, 1), finished(2, 1)]);
    let ends = |story: &Story| {
        let ended = story.told_client().into_iter().map(|message| match message {
            ToClient::Finished(finished) => finished.first.sequence(),
            other => panic!("{other:?}"),
        });
        ended.collect::<Vec<_>>()
    };
    assert_eq!(ends(&story), [own]);
    story.hear(maker, [finished(other, 1)]);
    let mut told = ends(&story);
    told.sort_unstable();
    assert_eq!(told, [other, 2]);
    story.hear(1, [release(0, 3)]);
    story.assert_empty();
}

#[test]
fn an_end_that_overtakes_another_may_be_wanted_by_nobody() {
    let Shared { mut story, worker, own, maker, other } = Shared::new();
    story.hear(worker, [finished(own, 1), stored(2, 100)]);
    story.hear(1, [release(0, 3)]);
    assert!(story.freed().contains(&(worker, 2)));
    story.hear(maker, [finished(other, 1)]);
    story.assert_empty();
}

#[test]
fn the_value_of_a_failed_task_stays_until_nobody_can_be_about_to_fetch_it() {
    let Shared { mut story, worker, own, maker, other } = Shared::new();
    story.hear(1, [ToScheduler::Cancel(vec![range(other, 1)])]);
    // It ran already: the other worker hears of its value, before it is asked for the task that needs it.
    story.hear(maker, [stored(other, 100)]);
    assert!(story.freed().is_empty());
    story.hear(worker, [finished(own, 1), ToScheduler::Yielded(vec![range(2, 1)])]);
    story.hear(1, [release(0, 3)]);
    assert!(story.freed().contains(&(maker, other)));
    story.assert_empty();
}

#[test]
fn what_needs_one_task_is_spread_over_idle_workers() {
    let mut story = Story::of(2);
    story.take(20_000);
    let all_of = |first, needs| ToScheduler::Submit(layer(first, 8, vec![Column::stride(id(needs), 0)]));
    story.hear(1, [roots(2, 1), all_of(3, 2)]);
    let count = |worker| -> u32 {
        let given = story.given().into_iter().filter(|(rank, first, _)| *rank == worker && *first > 2);
        given.map(|(_, _, count)| count).sum()
    };
    assert_eq!((count(2), count(3)), (4, 4));
}

#[test]
fn chains_side_by_side_stay_where_they_are() {
    let mut story = Story::of(2);
    story.take(1);
    story.hear(1, [roots(2, 8), after(10, 8, 2), after(18, 8, 10)]);
    let mut workers = BTreeMap::new();
    for (rank, task, count) in story.given() {
        workers.extend((task..task + u64::from(count)).map(|task| (task, rank)));
    }
    assert_eq!(workers.len(), 24);
    assert!((2..18).all(|task| workers[&task] == workers[&(task + 8)]), "{workers:?}");
}

#[test]
fn who_waits_for_values_of_others_asks_for_their_tasks_only_if_these_are_long() {
    let is_asked = |nanoseconds| {
        let mut story = Story::of(2);
        story.take(nanoseconds);
        story.hear(1, [roots(2, 8)]);
        let given = story.given();
        let tasks_of = |rank| {
            let given = given.iter().filter(move |(other, ..)| *other == rank);
            given.flat_map(|(_, first, count)| *first..first + u64::from(*count)).collect::<Vec<u64>>()
        };
        let (rank, own, others) = (2, tasks_of(2), tasks_of(3));
        let needs = [own[0], own[1], others[0]].map(|task| Column::values(vec![id(task)]));
        story.hear(1, [ToScheduler::Submit(layer(10, 1, needs.to_vec()))]);
        assert_eq!(story.given(), [(rank, 10, 1)], "early");
        story.hear(rank, own.iter().map(|task| ended(*task, 1, nanoseconds)));
        told(&story).iter().any(|(_, message)| matches!(message, ToWorker::Yield(_)))
    };
    assert!(!is_asked(100_000));
    assert!(is_asked(400_000));
}

#[test]
fn a_stencil_is_shared_evenly() {
    let mut story = Story::of(2);
    story.take(20_000);
    let row = |step: u64| {
        let lists = (0..8).map(|column| {
            let near = [column + 7, column, column + 1].map(|near| 2 + 8 * (step - 1) + near % 8);
            near.map(|task| range(task, 1)).to_vec()
        });
        let lists = Column::Lists { lists: lists.collect(), collect: Code { module: 0, offset: 16 } };
        ToScheduler::Submit(layer(2 + 8 * step, 8, vec![lists]))
    };
    story.hear(1, std::iter::once(roots(2, 8)).chain((1..12).map(row)));
    let mut workers = BTreeMap::new();
    for (rank, task, count) in story.given() {
        workers.extend((task..task + u64::from(count)).map(|task| (task, rank)));
    }
    assert_eq!(workers.len(), 96);
    let row = |step: u64| (0..8).map(|column| workers[&(2 + 8 * step + column)]).collect::<Vec<u32>>();
    for step in 4..12 {
        assert_eq!(row(step).iter().filter(|rank| **rank == 2).count(), 4, "row {step}: {:?}", row(step));
    }
}

#[test]
fn a_decision_looks_at_a_few_tasks_and_the_next_ones_at_the_others() {
    let mut story = Story::of(2);
    story.take(1);
    story.scheduler = story.scheduler.look_at_most(4);
    story.hear(1, [roots(10, 1)].into_iter().chain((11..20).map(|task| after(task, 1, task - 1))));
    let assigned = |story: &Story| (10..20).filter(|task| story.is_assigned(*task)).count();
    assert_eq!(assigned(&story), 5);
    let mut counts = vec![];
    while story.scheduler.has_more_to_decide() {
        story.hear(1, []);
        counts.push(assigned(&story));
    }
    assert_eq!(counts, [9, 10]);
}
