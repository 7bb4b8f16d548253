//! Values: where tasks run that need them, who holds them, and when they and their copies go.

use super::*;
use std::collections::{BTreeMap, VecDeque};

#[test]
fn a_dependent_runs_where_its_bytes_are() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2)]);
    let (a, b) = (story.worker_of(0), story.worker_of(1));
    story.hear(a, [stored(0, 1000)]);
    story.hear(b, [stored(1, 10)]);
    let both = vec![Column::values(vec![id(0)]), Column::values(vec![id(1)])];
    story.hear(1, [ToScheduler::Submit(layer(2, 1, both))]);
    assert_eq!(story.given(), [(a, 2, 1)]);
    let held = |task, holder| {
        let bytes = if task == 0 { 1000 } else { 10 };
        Given::Values(vec![Need::Held(Held {
            task: id(task),
            holder: Rank(holder),
            size: Size { bytes, align: 8 },
        })])
    };
    assert_eq!(story.runs()[0].1.arguments, [held(0, a), held(1, b)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 2)])]);
    story.hear(a, [finished(2, 1)]);
    let mut freed = story.freed();
    freed.sort_unstable();
    let mut expected = vec![(a, 0), (a, 1), (b, 1)];
    expected.sort_unstable();
    assert_eq!(freed, expected, "copies go too");
    story.hear(1, [ToScheduler::Release(vec![range(2, 1)])]);
    story.assert_empty();
}

#[test]
fn tasks_that_need_the_same_values_run_where_each_of_these_moves_once() {
    const PAIRS: u64 = 32;
    let mut story = Story::of(2);
    let mut worker_of = BTreeMap::new();
    story.hear(1, [roots(0, 2 * PAIRS as u32)]);
    let mut given = VecDeque::from(story.given());
    while let Some((worker, task, count)) = given.pop_front() {
        worker_of.extend((task..).take(count as usize).map(|task| (task, worker)));
        story.hear(worker, (task..).take(count as usize).map(|task| stored(task, 8)));
        given.extend(story.given());
    }
    let pairs: Vec<(u64, u64)> = {
        let on = |rank| worker_of.iter().filter(move |(_, worker)| **worker == rank).map(|(task, _)| *task);
        on(2).zip(on(3)).collect()
    };
    assert!(pairs.len() as u64 > PAIRS / 2, "{pairs:?}");
    let (left, right): (Vec<_>, Vec<_>) = pairs.iter().map(|(left, right)| (id(*left), id(*right))).unzip();
    let columns = |left: &[TaskId], right: &[TaskId]| {
        vec![Column::values([left, right].concat()), Column::values([right, left].concat())]
    };
    let (first, count) = (2 * PAIRS, pairs.len() as u64);
    story.hear(1, [ToScheduler::Submit(layer(first, 2 * count as u32, columns(&left, &right)))]);
    let (mut ran_on, mut given) = (BTreeMap::new(), VecDeque::from(story.given()));
    while let Some((rank, task, count)) = given.pop_front() {
        ran_on.extend((task..).take(count as usize).map(|task| (task, rank)));
        story.hear(rank, [finished(task, count)]);
        given.extend(story.given());
    }
    let is_together = |pair: &u64| ran_on[pair] == ran_on[&(pair + count)];
    let together = (first..first + count).filter(is_together).count() as u64;
    assert!(together * 4 >= count * 3, "{together} of {count} pairs ran on one worker");
}

#[test]
fn copies_that_no_task_needs_any_more_go() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2)]);
    let (a, b) = (story.worker_of(0), story.worker_of(1));
    story.hear(a, [stored(0, 1000)]);
    story.hear(b, [stored(1, 10)]);
    let both = |first| {
        let columns = vec![Column::values(vec![id(0)]), Column::values(vec![id(1)])];
        ToScheduler::Submit(layer(first, 1, columns))
    };
    story.hear(1, [both(2), both(3)]);
    let given = [2, 3].map(|task| (task, story.worker_of(task)));
    assert_ne!(given[0].1, given[1].1, "who idles takes one");
    story.hear(given[0].1, [finished(given[0].0, 1)]);
    assert_eq!(story.freed(), [], "another task needs them still");
    story.hear(given[1].1, [finished(given[1].0, 1)]);
    let mut copies = vec![(a, 1), (b, 0)];
    copies.sort_unstable();
    let mut freed = story.freed();
    freed.sort_unstable();
    assert_eq!(freed, copies, "those that were made stay");
    story.hear(1, [both(4)]);
    let b_holds = Need::Held(Held { task: id(1), holder: Rank(b), size: Size { bytes: 10, align: 8 } });
    assert_eq!(story.given(), [(a, 4, 1)]);
    assert_eq!(story.runs()[0].1.arguments[1], Given::Values(vec![b_holds]), "it is fetched again");
    story.hear(a, [finished(4, 1)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 5)])]);
    story.assert_empty();
}

#[test]
fn copies_stay_for_later_tasks_as_long_as_there_is_room() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2)]);
    let (a, b) = (story.worker_of(0), story.worker_of(1));
    story.hear(a, [stored(0, 300)]);
    story.hear(b, [stored(1, 100)]);
    for task in [2, 3] {
        let both = vec![Column::values(vec![id(0)]), Column::values(vec![id(1)])];
        story.hear(1, [ToScheduler::Submit(layer(task, 1, both))]);
        assert_eq!(story.given(), [(a, task, 1)]);
        story.hear(a, [finished(task, 1)]);
        assert_eq!(story.freed(), [], "400 bytes of 1000 are held");
    }
    story.hear(1, [roots(4, 2)]);
    let [on_a, on_b] = if story.worker_of(4) == a { [4, 5] } else { [5, 4] };
    story.hear(b, [stored(on_b, 300)]);
    assert_eq!(story.freed(), []);
    story.hear(a, [stored(on_a, 300)]);
    assert_eq!(story.freed(), [(a, 1)], "now it is 700");
    story.hear(1, [ToScheduler::Release(vec![range(0, 6)])]);
    story.assert_empty();
    assert!(story.scheduler.workers.iter().all(|worker| worker.spare.is_empty()));
}

#[test]
fn who_has_to_make_room_in_the_middle_of_a_decision_hears_of_what_comes_later() {
    let mut story = Story::of(2);
    let only_on = |rank| Options { workers: vec![Rank(rank)], ..Options::default() };
    let roots_on = |rank, first| with(layer(first, 1, vec![]), only_on(rank));
    let reads = |first, value| layer(first, 1, vec![Column::values(vec![id(value)])]);
    story.hear(1, [roots_on(3, 0), roots_on(3, 1)]);
    story.hear(3, [stored(0, 100), stored(1, 600)]);
    story.hear(1, [with(reads(2, 0), only_on(2))]);
    story.hear(2, [finished(2, 1)]);
    assert_eq!(story.freed(), [], "there is room for a copy");
    story.hear(1, [roots_on(2, 3)]);
    // A task goes, and another one comes that has the worker fetch what leaves no room for the copy.
    story.hear(1, [ToScheduler::Release(vec![range(3, 1)]), with(reads(4, 1), only_on(2))]);
    assert_eq!(story.given(), [(2, 4, 1)]);
    assert_eq!(story.freed(), [(2, 0)]);
    story.hear(2, [ToScheduler::Yielded(vec![range(3, 1)]), finished(4, 1)]);
    story.hear(1, [roots_on(2, 5)]);
    assert_eq!(story.given(), [(2, 5, 1)]);
    story.hear(2, [finished(5, 1)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 3), range(4, 2)])]);
    story.assert_empty();
}

#[test]
fn each_thread_is_given_a_task_of_those_that_wait_for_its_worker() {
    let mut story = Story::with_specs(vec![spec(2, 3)]);
    story.hear(1, [roots(0, 4)]);
    story.hear(2, (0..4).map(|task| stored(task, 1000)));
    story.hear(1, [after(4, 4, 0)]);
    assert!(story.given().iter().map(|(_, _, count)| count).sum::<u32>() >= 3, "{:?}", story.given());
}

#[test]
fn who_needs_a_part_fetches_it_and_holds_no_value_for_that() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2)]);
    let (a, b) = (story.worker_of(0), story.worker_of(1));
    story.hear(a, [stored(0, 1000)]);
    story.hear(b, [stored(1, 10)]);
    let cuts: Packed = [[5u8].as_slice(), &[6]].into_iter().collect();
    let parts = Column::Parts { lists: vec![vec![range(0, 2)]; 2], cuts };
    let options = Options { workers: vec![Rank(a)], ..Options::default() };
    story.hear(1, [with(layer(2, 2, vec![parts]), options)]);
    let held =
        |task, holder, bytes| Held { task: id(task), holder: Rank(holder), size: Size { bytes, align: 8 } };
    let mut cuts = Vec::new();
    for (rank, run) in story.runs() {
        let [Given::Parts { lists, cuts: own }] = &run.arguments[..] else { panic!("{run:?}") };
        assert_eq!(rank, a);
        cuts.extend(own.iter().map(|cut| cut[0]));
        for list in lists {
            assert_eq!(*list, [Need::Held(held(0, a, 1000)), Need::Part(held(1, b, 10))]);
        }
    }
    cuts.sort_unstable();
    assert_eq!(cuts, [5, 6]);
    story.hear(a, [finished(2, 1), finished(3, 1)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 4)])]);
    let mut freed = story.freed();
    freed.sort_unstable();
    let mut expected = vec![(a, 0), (b, 1)];
    expected.sort_unstable();
    assert_eq!(freed, expected, "there are no copies");
    story.assert_empty();
}

#[test]
fn a_value_stays_while_a_task_needs_it() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 1)]).hear(2, [stored(0, 100)]);
    story.hear(1, [after(1, 1, 0), ToScheduler::Release(vec![range(0, 1)])]);
    assert_eq!(story.freed(), []);
    story.hear(2, [finished(1, 1)]);
    assert_eq!(story.freed(), [(2, 0)]);
    story.hear(1, [ToScheduler::Release(vec![range(1, 1)])]);
    story.assert_empty();
}

#[test]
fn every_task_of_a_run_hears_who_has_the_value_it_needs() {
    let mut story = Story::of(2).without_early();
    story.hear(1, [roots(0, 2)]);
    let other = story.given().iter().find(|given| given.1 == 0).unwrap().0;
    let worker = 5 - other;
    story.hear(worker, [stored(1, 1000)]);
    // The second task comes to value 0 in an earlier column than the first.
    let (first, second) = (Column::values(vec![id(1), id(0)]), Column::values(vec![id(0), id(1)]));
    let options = Options { workers: vec![Rank(worker)], ..Options::default() };
    story.hear(1, [with(layer(2, 2, vec![first, second]), options)]);
    story.hear(other, [stored(0, 10)]);
    let holder = |need: &Need| match need {
        Need::Held(held) => (held.task.sequence(), held.holder.0),
        _ => panic!("large"),
    };
    let mut runs = 0;
    for (_, run) in story.runs() {
        for argument in &run.arguments {
            let Given::Values(needs) = argument else { panic!("{argument:?}") };
            runs = runs.max(needs.len());
            for (task, from) in needs.iter().map(holder) {
                assert_eq!(from, if task == 0 { other } else { worker });
            }
        }
    }
    assert_eq!(runs, 2, "both travel in one run");
}

#[test]
fn given_and_placed_values_are_used_and_freed() {
    let mut story = Story::of(2);
    let values: Packed = [[1u8].as_slice(), &[2]].into_iter().collect();
    let place = ToScheduler::Place {
        task: id(2),
        size: Size { bytes: 50, align: 1 },
        holders: vec![Rank(2), Rank(3)],
    };
    story.hear(1, [ToScheduler::Give(Finished { first: id(0), values }), place]);
    story.hear(1, [after(3, 3, 0)]);
    assert_eq!(story.given().iter().map(|given| given.2).sum::<u32>(), 3);
    for (rank, first, count) in story.given() {
        story.hear(rank, [finished(first, count)]);
    }
    story.hear(1, [ToScheduler::Release(vec![range(0, 6)])]);
    assert_eq!(story.freed().len(), 2);
    story.assert_empty();
}
