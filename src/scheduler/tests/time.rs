//! Stories of runs that must end at some time.

use super::*;

fn time_left(nanoseconds: u64) -> ToScheduler {
    ToScheduler::TimeLeft { nanoseconds }
}

#[test]
fn with_no_time_left_what_has_not_begun_fails_and_what_runs_goes_on() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 5), after(5, 1, 0), after(6, 1, 5)]);
    assert_eq!(story.given(), [(2, 0, 2)]);
    story.hear(1, [time_left(0)]);
    // 0 and 1 are with the worker; 2 to 4 were withheld, and 5 and 6 wait.
    let stopped = |task: u64| (task, Reason::Stopping);
    let mut failed = story.failures();
    failed.sort_by_key(|(task, _)| *task);
    assert_eq!(failed, [2, 3, 4, 5, 6].map(stopped));
    let told: Vec<u32> = story
        .said
        .iter()
        .filter(|(_, message)| *message == Message::ToClient(ToClient::Stopping))
        .map(|(rank, _)| rank.0)
        .collect();
    assert_eq!(told, [0, 1, 2], "every rank hears of it");
    let recall = Message::ToWorker(ToWorker::Recall(vec![range(0, 2)]));
    assert!(story.said.contains(&(Rank(2), recall)), "{:?}", story.said);
    // The worker has begun the first one.
    story.hear(2, [ToScheduler::Yielded(vec![range(1, 1)]), finished(0, 1)]);
    assert_eq!(story.failures(), [stopped(1)]);
    assert!(story.told_client().iter().any(|message| matches!(message, ToClient::Finished(_))));
    story.hear(1, [roots(7, 2)]);
    assert_eq!(story.failures(), [7, 8].map(stopped));
    assert_eq!(story.given(), []);
    story.hear(1, [ToScheduler::Release(vec![range(0, 9)])]);
    story.assert_empty();
}

#[test]
fn a_task_that_cannot_end_in_time_is_not_begun() {
    let expected = |first, seconds: u64| {
        let options = Options { expected_nanoseconds: seconds * 1_000_000_000, ..Options::default() };
        with(layer(first, 1, vec![]), options)
    };
    let mut story = Story::of(1);
    story.hear(0, [time_left(100_000_000_000)]);
    story.hear(1, [expected(0, 100), expected(1, 99), expected(2, 50), expected(3, 50), roots(4, 1)]);
    assert_eq!(story.failures(), [(0, Reason::Stopping)]);
    let [ToClient::Failed { error, .. }, ..] = story.told_client()[..] else { panic!("{:?}", story.said) };
    assert_eq!(
        error.to_string(),
        format!(
            "task 0 ({}) came too late: it is expected to take 100.0 s, and 100.0 s are left",
            error.function
        )
    );
    assert_eq!(story.given(), [(2, 1, 1), (2, 2, 1)]);
    story.hear(0, [time_left(50_000_000_000)]);
    assert_eq!(story.failures(), [(3, Reason::Stopping)]);
    // What was said later but is more does not count.
    story.hear(0, [time_left(70_000_000_000)]);
    story.hear(2, [finished(1, 1), ToScheduler::Yielded(vec![range(2, 1)])]);
    assert_eq!(story.failures(), [(2, Reason::Stopping)]);
    assert_eq!(story.given(), [(2, 4, 1)], "a task of which nothing is expected runs");
    story.hear(2, [finished(4, 1)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 5)])]);
    story.assert_empty();
}

#[test]
fn a_task_that_fails_too_late_is_not_tried_again() {
    let mut story = Story::of(1);
    story.hear(1, [with(layer(0, 1, vec![]), Options { retries: 3, ..Options::default() })]);
    story.hear(1, [time_left(0)]);
    story.hear(2, [failed(0)]);
    assert_eq!(story.failures(), [(0, Reason::Stopping)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 1)])]);
    story.assert_empty();
}
