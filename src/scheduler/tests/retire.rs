//! Workers that are retired.

use super::*;

fn recalled(story: &Story) -> Vec<u64> {
    let tasks = story.said.iter().filter_map(|(_, message)| match message {
        Message::ToWorker(ToWorker::Recall(tasks)) => Some(tasks.clone()),
        _ => None,
    });
    tasks.flatten().flat_map(Tasks::iter).map(|task| task.sequence()).collect()
}

#[test]
fn a_retired_worker_gives_back_what_it_has_not_begun_and_is_given_nothing() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 4)]);
    assert!(story.given().iter().any(|(rank, ..)| *rank == 2));
    story.hear(1, [ToScheduler::Retire(vec![Rank(2)])]);
    let asked = recalled(&story);
    assert_eq!(asked.len(), 2, "{:?}", story.said);
    // The first was running, and goes on.
    story.hear(2, [ToScheduler::Yielded(vec![range(asked[1], 1)]), finished(asked[0], 1)]);
    story.hear(1, [roots(4, 8)]);
    let mut run = vec![asked[0]];
    while run.len() < 12 {
        let next: Vec<u64> = (0..12).filter(|task| story.is_assigned(*task) && !run.contains(task)).collect();
        assert!(story.given().iter().all(|(rank, ..)| *rank == 3), "{:?}", story.given());
        assert!(!next.is_empty(), "after {run:?}");
        story.hear(3, next.iter().map(|task| finished(*task, 1)));
        run.extend(next);
    }
    story.hear(1, [ToScheduler::Release(vec![range(0, 12)])]);
    story.assert_empty();
}

#[test]
fn others_read_what_a_retired_worker_holds() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 1)]);
    let holder = story.worker_of(0);
    story.hear(holder, [stored(0, 1 << 20)]);
    story.hear(1, [ToScheduler::Retire(vec![Rank(holder)]), after(1, 1, 0)]);
    let other = 5 - holder;
    assert_eq!(story.given(), [(other, 1, 1)]);
    story.hear(other, [finished(1, 1)]).hear(1, [ToScheduler::Release(vec![range(0, 2)])]);
    assert!(story.freed().contains(&(holder, 0)), "{:?}", story.freed());
}

#[test]
fn without_a_worker_left_tasks_fail_but_those_bound_to_one() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 3), ToScheduler::Retire(vec![Rank(2)])]);
    // Nobody knows yet what has begun; what had a worker may still end.
    let one_each = Options { workers: vec![Rank(2)], one_each: true, ..Options::default() };
    story.hear(1, [with(layer(3, 1, vec![]), one_each)]);
    story.hear(2, [finished(0, 1)]);
    assert!(story.is_assigned(3), "{:?}", story.said);
    // Also what waits for a value when the last worker is retired.
    let waits = Options { workers: vec![Rank(2)], one_each: true, ..Options::default() };
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 1), with(layer(1, 1, vec![Column::stride(id(0), 1)]), waits)]);
    story.hear(1, [ToScheduler::Retire(vec![Rank(2)])]).hear(2, [finished(0, 1)]);
    assert_eq!(story.failures(), []);
    assert!(story.is_assigned(1), "{:?}", story.said);
    let only_there = Options { workers: vec![Rank(2)], ..Options::default() };
    story.hear(1, [with(layer(4, 1, vec![]), only_there)]);
    assert_eq!(story.failures(), [(4, Reason::NoWorker)]);
}
