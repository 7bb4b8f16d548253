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
    let mut story = Story::of(1).without_early();
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
    let first = vec![Column::values(vec![id(0)])];
    let rest = vec![Column::stride(id(n), 1), Column::stride(id(1), 1)];
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
    // Three workers of 1000 bytes each: a tenth of that, and what was given out before.
    let (most, ran) = run_all(&mut story, 1000, 10, 0);
    assert_eq!(ran, 2000);
    assert!(most <= 30 + 3 * 8, "{most} sources had values");
    story.hear(1, [ToScheduler::Release(vec![range(1999, 1)])]);
    story.assert_empty();
    assert!(
        story.scheduler.left_over().iter().all(|(_, count)| *count == 0),
        "{:?}",
        story.scheduler.left_over()
    );
}

#[test]
fn sources_whose_values_are_small_do_not_hold_others_back() {
    let mut story = Story::of(1);
    story.hear(1, chain(100));
    let mut given = story.given();
    let mut ended = 0;
    while let Some((rank, first, count)) = given.pop() {
        // The chain does not go on.
        let sources = (first..first + u64::from(count)).filter(|task| *task < 100);
        for task in sources {
            story.hear(rank, [finished(task, 1)]);
            given.extend(story.given());
            ended += 1;
        }
    }
    assert_eq!(ended, 100);
}

#[test]
fn what_was_put_aside_stays_so_when_a_worker_is_lost() {
    let mut story = Story::of(3);
    story.scheduler = story.scheduler.survive(2);
    story.hear(1, chain(1000));
    for (rank, first, count) in story.given() {
        // They fill all memory that sources may have before they are due.
        for task in (first..first + u64::from(count)).filter(|task| (1..1000).contains(task)) {
            story.hear(rank, [stored(task, 300)]);
        }
    }
    let before = story.scheduler.ahead.aside();
    assert!(before > 900, "{before} are put aside");
    let standing = story.scheduler.story(id(999)).map(|story| story.standing);
    assert_eq!(standing, Some(crate::message::Standing::Aside));
    story.hear(0, [ToScheduler::Died { rank: Rank(4), how: "was ended by signal 9".into() }]);
    for rank in [2, 3] {
        story.hear(rank, [ToScheduler::Lacks { lost: Rank(4), values: vec![], orphaned: vec![] }]);
    }
    let after = story.scheduler.ahead.aside();
    assert!(after > 900, "{after} of {before} are put aside");
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
    story.hear(1, [ToScheduler::Submit(layer(200, 1, vec![Column::values(vec![id(90)])]))]);
    let mut ran = 0;
    while story.scheduler.pages.get(id(200)).is_none_or(|slot| !story.scheduler.tasks[slot].is_ended()) {
        let task = (0..201).rev().find(|task| story.is_assigned(*task)).expect("something runs");
        story.hear(2, [stored(task, 100)]);
        ran += 1;
    }
    assert!(ran < 20, "{ran} tasks ran before it");
}

#[test]
fn a_source_is_not_due_for_tasks_that_have_failed() {
    let mut story = Story::of(1);
    story.scheduler = story.scheduler.run_ahead_at_most(0);
    // Tasks 0 to 2 are ready, and 3 is the source: 4 needs it, 0 and 1, and 5 needs it and 2.
    let needs = |list: &[u64]| Column::Lists {
        lists: vec![list.iter().map(|task| range(*task, 1)).collect()],
        collect: Code { module: 0, offset: 8 },
    };
    let given = [Column::values(vec![id(10), id(10), id(10)])];
    let place =
        ToScheduler::Give(Finished { first: id(10), values: [[7u8].as_slice()].into_iter().collect() });
    story.hear(1, [place, ToScheduler::Submit(layer(0, 3, given.to_vec())), roots(3, 1)]);
    story.hear(
        1,
        [
            ToScheduler::Submit(layer(4, 1, vec![needs(&[0, 1, 3])])),
            ToScheduler::Submit(layer(5, 1, vec![needs(&[2, 3])])),
            ToScheduler::Release(vec![range(3, 1)]),
        ],
    );
    story.hear(2, [failed(0)]);
    story.hear(2, [failed(1)]);
    assert!(!story.is_assigned(3), "4 has failed, and 5 waits for 2");
    story.hear(2, [finished(2, 1)]);
    assert!(story.is_assigned(3), "5 waits for nothing else");
    story.hear(2, [finished(3, 1)]);
    assert!(story.is_assigned(5));
}
