//! Stories of clients that are held back, and of sources that wait until they are due.

use super::*;

fn rooms(story: &Story) -> Vec<u64> {
    let room = |told: &ToClient| match told {
        ToClient::Room { open } => Some(*open),
        _ => None,
    };
    story.told_client().into_iter().filter_map(room).collect()
}

fn ask(open_max: u64) -> ToScheduler {
    ToScheduler::AskRoom { open_max }
}

#[test]
fn who_asks_is_told_when_few_enough_of_its_tasks_are_open() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 4), ask(5)]);
    assert_eq!(rooms(&story), [4], "at once");
    story.hear(1, [after(4, 1, 3), ask(3)]);
    assert!(rooms(&story).is_empty());
    // A future that was dropped makes no room: what needs the task is still to run.
    story.hear(1, [ToScheduler::Release(vec![range(3, 1)])]);
    story.hear(2, [finished(0, 1)]);
    assert!(rooms(&story).is_empty());
    story.hear(2, [finished(1, 1)]);
    assert_eq!(rooms(&story), [3], "once");
    story.hear(2, [finished(2, 1)]);
    assert!(rooms(&story).is_empty());
}

#[test]
fn tasks_that_fail_and_that_nobody_wants_make_room() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 2), after(2, 2, 0), roots(4, 100), ask(2)]);
    assert!(rooms(&story).is_empty());
    story.hear(1, [ToScheduler::Release(vec![range(4, 100)])]);
    assert!(rooms(&story).is_empty());
    story.hear(2, [failed(0)]);
    assert_eq!(rooms(&story), [2], "it, what needs it, and what was never begun");
    story.hear(1, [ask(0), ToScheduler::Cancel(vec![range(1, 1)])]);
    assert!(rooms(&story).is_empty(), "a worker has it");
    story.hear(2, [ToScheduler::Yielded(vec![range(1, 1)])]);
    assert_eq!(rooms(&story), [0]);
}

#[test]
fn arguments_weigh_by_their_size() {
    let mut story = Story::of(1);
    let arguments: Packed = [[0; 2048].as_slice(), &[0; 2048]].into_iter().collect();
    story.hear(1, [ToScheduler::Submit(layer(0, 2, vec![Column::Each(arguments)])), ask(10)]);
    assert_eq!(rooms(&story), [6]);
}

/// A chain of so many tasks, each of which needs the one before and a source of its own: the sources are numbered
/// from 0 on, the chain after them. Only the last future is kept.
fn chain(count: u32) -> Vec<ToScheduler> {
    let n = u64::from(count);
    let first = vec![Column::Values(vec![id(0)])];
    let rest = vec![Column::Stride { first: id(n), stride: 1 }, Column::Stride { first: id(1), stride: 1 }];
    vec![
        roots(0, count),
        ToScheduler::Submit(layer(n, 1, first)),
        ToScheduler::Submit(layer(n + 1, count - 1, rest)),
        ToScheduler::Release(vec![range(0, count), range(n, count - 1)]),
    ]
}

/// Runs what is given, one answer after the other, until nothing is. Returns the most sources that had values at a
/// time, once so many tasks had run, and how many tasks ran.
fn run_all(story: &mut Story, sources: u64, bytes: u64, from: u32) -> (usize, u32) {
    let (mut most, mut ran) = (0, 0);
    let mut given: Vec<(u32, u64, u32)> = story.given();
    while !given.is_empty() {
        let (rank, first, count) = given.remove(0);
        for task in first..first + u64::from(count) {
            ran += 1;
            story.hear(rank, [stored(task, bytes)]);
            given.extend(story.given());
            let is_held = |task: &Task| task.state == table::State::Held && task.id < id(sources);
            let count = story.scheduler.tasks.iter().filter(|(_, task)| is_held(task)).count();
            most = most.max(if ran > from { count } else { 0 });
        }
    }
    (most, ran)
}

#[test]
fn sources_do_not_run_far_ahead_of_what_needs_them() {
    let mut story = Story::of(3);
    story.hear(1, chain(1000));
    let (most, ran) = run_all(&mut story, 1000, 1, 0);
    assert_eq!(ran, 2000);
    assert!(most <= 8, "{most} sources had values");
    story.hear(1, [ToScheduler::Release(vec![range(1999, 1)])]);
    story.assert_empty();
    assert!(
        story.scheduler.left_over().iter().all(|(_, count)| *count == 0),
        "{:?}",
        story.scheduler.left_over()
    );
}

#[test]
fn what_needs_many_sources_has_them_all_at_once() {
    let mut story = Story::of(2);
    let all = Column::Lists { lists: vec![vec![range(0, 100)]], collect: Code { module: 0, offset: 8 } };
    story.hear(
        1,
        [
            roots(0, 100),
            ToScheduler::Submit(layer(100, 1, vec![all])),
            ToScheduler::Release(vec![range(0, 100)]),
        ],
    );
    let (most, ran) = run_all(&mut story, 100, 1, 0);
    assert_eq!((most, ran), (100, 101));
}

#[test]
fn a_source_that_a_client_wants_runs_at_once() {
    let mut story = Story::of(1);
    let mut messages = chain(100);
    messages.pop();
    story.hear(1, messages);
    let (most, ran) = run_all(&mut story, 100, 1, 0);
    assert_eq!(ran, 200);
    assert_eq!(most, 100, "their values stay, too");
}

#[test]
fn a_source_that_was_put_aside_runs_when_something_else_needs_it_now() {
    let mut story = Story::of(1);
    story.hear(1, chain(100));
    story.hear(1, [ToScheduler::Submit(layer(200, 1, vec![Column::Values(vec![id(90)])]))]);
    let mut ran = 0;
    while story.scheduler.pages.get(id(200)).is_none_or(|slot| !story.scheduler.tasks[slot].is_ended()) {
        let task = (0..201).rev().find(|task| story.is_assigned(*task)).expect("something runs");
        story.hear(2, [stored(task, 1)]);
        ran += 1;
    }
    assert!(ran < 10, "{ran} tasks ran before it");
}
