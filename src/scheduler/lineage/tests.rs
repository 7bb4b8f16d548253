//! Stories of losses.

use super::*;
use crate::{
    ids::Size,
    message::{Column, Layer, Need, Options, Run, ToScheduler, ToWorker},
    scheduler::tests::{Story, after, finished, id, layer, range, roots, stored, with},
};

/// A world that survives losses, of workers 2 and up with one thread each.
fn story(workers: u32) -> Story {
    let mut story = Story::of(workers).without_early();
    story.scheduler = story.scheduler.survive(2);
    story
}

fn died(rank: u32) -> ToScheduler {
    ToScheduler::Died { rank: Rank(rank), how: "was ended by signal 9".into() }
}

fn lacks(lost: u32, values: &[u64]) -> ToScheduler {
    let values = values.iter().map(|value| id(*value)).collect();
    ToScheduler::Lacks { lost: Rank(lost), values, orphaned: vec![] }
}

fn release(first: u64, count: u32) -> ToScheduler {
    ToScheduler::Release(vec![range(first, count)])
}

/// Who is told to get the values of a run's only list from whom.
fn holders(run: &Run) -> Vec<u32> {
    let crate::message::Given::Values(needs) = &run.arguments[0] else { panic!("{run:?}") };
    let holder = |need: &Need| match need {
        Need::Held(held) => held.holder.0,
        other => panic!("{other:?}"),
    };
    needs.iter().map(holder).collect()
}

fn one_after(task: u64, need: u64) -> Layer {
    layer(task, 1, vec![Column::values(vec![id(need)])])
}

#[test]
fn what_a_lost_worker_had_runs_elsewhere_when_all_have_said_what_they_lack() {
    let mut story = story(2);
    story.hear(1, [roots(0, 2)]);
    let lost = story.given().iter().find(|(_, task, _)| *task == 0).unwrap().0;
    let other = 5 - lost;
    story.hear(0, [died(lost)]);
    assert!(story.given().is_empty(), "nobody knows yet who holds what");
    let losses: Vec<String> = story.scheduler.take_losses().iter().map(ToString::to_string).collect();
    let line = format!(
        "rank {lost} (h) was ended by signal 9; the run goes on without it: what it had to do (1 tasks) is \
         done elsewhere"
    );
    assert_eq!(losses, [line]);
    let told = story.said.iter().filter(|(_, message)| *message == Message::Lost(Rank(lost)));
    assert_eq!(told.count(), 4, "every rank is told");
    story.hear(other, [lacks(lost, &[]), finished(1, 1)]);
    assert_eq!(story.given(), [(other, 0, 1)]);
    assert_eq!(story.runs()[0].1.attempt, 1);
    story.hear(lost, [finished(0, 1)]);
    assert!(story.told_client().is_empty(), "what the lost one says does not count");
    story.hear(other, [finished(0, 1)]);
    story.hear(1, [release(0, 2)]);
    story.assert_empty();
}

#[test]
fn a_lost_value_is_made_again_from_what_was_released() {
    let mut story = story(2);
    story.hear(1, [with(layer(0, 1, vec![]), only_on(2)), after(1, 1, 0), after(2, 1, 1), release(0, 2)]);
    story.hear(2, [stored(0, 100)]);
    story.hear(2, [stored(1, 100)]);
    assert_eq!(story.freed(), [(2, 0)], "the value goes, the record stays");
    story.hear(2, [stored(2, 100)]);
    assert_eq!(story.freed(), [(2, 1)]);
    assert_eq!(story.scheduler.record_count(), 3);
    story.hear(0, [died(2)]);
    story.hear(3, [lacks(2, &[])]);
    // The first one may run on the lost worker only.
    assert_eq!(story.failures(), [(2, Reason::Lost)]);
    story.hear(1, [release(2, 1)]);
    story.assert_empty();
}

fn only_on(rank: u32) -> Options {
    Options { workers: vec![Rank(rank)], ..Options::default() }
}

#[test]
fn lost_values_are_made_again_one_after_the_other() {
    let mut story = story(2);
    story.hear(1, [roots(0, 1), after(1, 1, 0), after(2, 1, 1), release(0, 2)]);
    let lost = story.given()[0].0;
    let other = 5 - lost;
    for task in 0..3 {
        story.hear(lost, [stored(task, 100)]);
    }
    story.hear(0, [died(lost)]);
    assert!(story.scheduler.take_losses()[0].to_string().contains("what only it held (1 values)"));
    story.hear(other, [lacks(lost, &[])]);
    for task in 0..3 {
        assert_eq!(story.given(), [(other, task, 1)]);
        story.hear(other, [stored(task, 100)]);
    }
    assert!(matches!(story.told_client()[..], [ToClient::Stored(held)] if held.holder == Rank(other)));
    story.hear(1, [release(2, 1)]);
    story.assert_empty();
}

#[test]
fn what_another_holds_is_not_made_again_and_its_client_hears_where_it_is() {
    let mut story = story(2);
    story.hear(1, [roots(0, 1)]);
    let lost = story.given()[0].0;
    let other = 5 - lost;
    story.hear(lost, [stored(0, 100)]);
    story.hear(1, [with(one_after(1, 0), only_on(other))]);
    assert_eq!(story.given(), [(other, 1, 1)]);
    story.hear(0, [died(lost)]);
    story.hear(other, [lacks(lost, &[])]);
    assert!(story.given().is_empty());
    assert!(matches!(story.told_client()[..], [ToClient::Stored(held)] if held.holder == Rank(other)));
    story.hear(other, [finished(1, 1)]);
    story.hear(1, [release(0, 2)]);
    story.assert_empty();
}

#[test]
fn what_was_on_its_way_is_made_again_and_what_waited_for_it_begins_again() {
    let mut story = story(3);
    story.hear(1, [roots(0, 1)]);
    let lost = story.given()[0].0;
    story.hear(lost, [stored(0, 100)]);
    let other = if lost == 2 { 3 } else { 2 };
    let third = 9 - lost - other;
    story.hear(1, [with(one_after(1, 0), only_on(other))]);
    assert_eq!(holders(story.runs()[0].1), [lost]);
    story.hear(0, [died(lost)]);
    story.hear(third, [lacks(lost, &[])]);
    story.hear(other, [lacks(lost, &[0]), ToScheduler::Yielded(vec![range(1, 1)])]);
    let given = story.given();
    assert_eq!((given.len(), given[0].1), (1, 0));
    story.hear(given[0].0, [stored(0, 100)]);
    assert_eq!(story.given(), [(other, 1, 1)]);
    story.hear(other, [finished(1, 1)]);
    story.hear(1, [release(0, 2)]);
    story.assert_empty();
}

#[test]
fn a_given_value_comes_from_its_giver_who_may_drop_it_when_all_is_forgotten() {
    let mut story = story(2);
    let size = Size { bytes: 100, align: 8 };
    let place = ToScheduler::Place { task: id(0), size, holders: vec![Rank(2)] };
    story.hear(1, [place, with(one_after(1, 0), only_on(2)), release(0, 1)]);
    story.hear(2, [stored(1, 50)]);
    assert_eq!(story.freed(), [(2, 0)]);
    story.hear(1, [with(one_after(2, 1), only_on(3))]);
    story.hear(0, [died(2)]);
    story.hear(3, [lacks(2, &[1]), ToScheduler::Yielded(vec![range(2, 1)])]);
    assert_eq!(story.failures(), [(1, Reason::Lost), (2, Reason::Lost)], "its only worker is lost");
    let forgotten = |message: &&ToClient| **message == ToClient::Forgotten(vec![Tasks::one(id(0))]);
    assert_eq!(story.told_client().into_iter().filter(forgotten).count(), 1);
    story.hear(1, [release(1, 2)]);
    story.assert_empty();
}

#[test]
fn a_value_that_a_lost_rank_gave_is_lost_with_it() {
    let mut story = story(2);
    let own = TaskId::new(Rank(2), 0);
    let place = ToScheduler::Place { task: own, size: Size { bytes: 100, align: 8 }, holders: vec![Rank(3)] };
    story.hear(2, [place]);
    story.hear(0, [died(2)]);
    assert_eq!(story.freed(), [(3, 0)]);
    let orphaned =
        ToScheduler::Lacks { lost: Rank(2), values: vec![], orphaned: vec![TaskId::new(Rank(2), 9)] };
    story.hear(3, [orphaned]);
    assert_eq!(story.freed(), [(3, 9)], "also one that nobody had told of");
    story.assert_empty();
}

#[test]
fn who_ends_its_workers_again_and_again_is_named() {
    let mut story = story(4);
    story.hear(1, [roots(0, 1)]);
    let mut lost = vec![];
    for time in 0..3 {
        let (rank, _, _) = story.given()[0];
        lost.push(rank);
        story.hear(0, [died(rank)]);
        let words = story.told_client().iter().find_map(|message| match message {
            ToClient::Failed { error, .. } => Some(error.to_string()),
            _ => None,
        });
        match words {
            None => assert!(time < 2),
            // As soon as it is known, before the others have answered.
            Some(words) => {
                assert!(time == 2 && words.contains(&format!("on rank {rank} (h)")), "{words}");
                assert!(words.contains("3 workers were lost while they had it"), "{words}");
                assert!(words.contains("the last one was ended by signal 9"), "{words}");
            }
        }
        for other in (2..6).filter(|other| !lost.contains(other)) {
            story.hear(other, [lacks(rank, &[])]);
        }
    }
    assert!(story.given().is_empty());
    assert_eq!(story.scheduler.load(), (0, 0));
    story.hear(1, [release(0, 1)]);
    story.assert_empty();
}

#[test]
fn a_suspect_is_sent_alone() {
    let mut story = story(2);
    story.hear(1, [roots(0, 4)]);
    let given = story.given();
    let (lost, _, _) = given[0];
    story.hear(0, [died(lost)]);
    story.hear(5 - lost, [lacks(lost, &[])]);
    for _ in 0..4 {
        let runs: Vec<(u32, u64, u32)> = story.given();
        assert!(runs.iter().all(|(_, _, count)| *count == 1), "{runs:?}");
        let open: Vec<u64> = (0..4).filter(|task| story.is_assigned(*task)).collect();
        if let Some(task) = open.first() {
            story.hear(5 - lost, [finished(*task, 1)]);
        }
    }
    story.hear(1, [release(0, 4)]);
    story.assert_empty();
}

#[test]
fn without_workers_everything_fails() {
    let mut story = story(2);
    story.hear(1, [roots(0, 5), after(5, 5, 0)]);
    story.hear(0, [died(2), died(3)]);
    let failed = story.failures();
    assert_eq!(failed.len(), 10);
    assert!(failed.iter().all(|(_, reason)| *reason == Reason::Lost));
    story.hear(1, [roots(10, 1)]);
    assert_eq!(story.failures(), [(10, Reason::NoWorker)]);
    story.hear(1, [release(0, 11)]);
    story.assert_empty();
}

#[test]
fn the_oldest_that_is_kept_goes_when_there_is_too_much() {
    let mut story = story(2);
    story.scheduler.lineage.as_deref_mut().unwrap().released_max = 2;
    story.hear(1, [roots(0, 1)]);
    let lost = story.given()[0].0;
    for task in 0..6 {
        story.hear(1, [after(task + 1, 1, task), release(task, 1)]);
        story.hear(lost, [stored(task, 100)]);
    }
    story.hear(lost, [stored(6, 100)]);
    assert_eq!(story.scheduler.record_count(), 3);
    story.hear(0, [died(lost)]);
    story.hear(5 - lost, [lacks(lost, &[])]);
    assert_eq!(story.failures(), [(6, Reason::Lost)]);
    story.hear(1, [release(6, 1)]);
    story.assert_empty();
}

#[test]
fn a_worker_frees_a_value_before_it_is_told_to_get_it_again() {
    let mut story = story(2);
    let place = ToScheduler::Place {
        task: id(0),
        size: Size { bytes: 100, align: 8 },
        holders: vec![Rank(2), Rank(3)],
    };
    let rather_on = |rank| Options { allow_other: true, ..only_on(rank) };
    story.hear(1, [place, with(one_after(1, 0), only_on(3)), with(one_after(2, 0), rather_on(2))]);
    story.hear(1, [release(0, 1)]);
    story.hear(2, [stored(2, 100)]);
    story.hear(0, [died(2)]);
    // Nothing needs the given value any more; and at once something does, since what was made of it is lost.
    story.hear(3, [stored(1, 100), lacks(2, &[])]);
    let told: Vec<&ToWorker> = story
        .said
        .iter()
        .filter_map(|(rank, message)| match message {
            Message::ToWorker(message) if *rank == Rank(3) => Some(message),
            _ => None,
        })
        .collect();
    let [ToWorker::Free(freed), ToWorker::Run(run)] = told[..] else { panic!("{told:?}") };
    assert_eq!((&freed[..], holders(run)), (&[range(0, 1)][..], vec![1]), "who gave it has it");
    story.hear(3, [stored(2, 100)]);
    story.hear(1, [release(1, 2)]);
    story.assert_empty();
}

#[test]
fn what_is_made_again_and_given_up_leaves_no_record() {
    let mut story = story(2);
    let rather_on = |rank| Options { allow_other: true, ..only_on(rank) };
    story.hear(1, [with(layer(0, 1, vec![]), rather_on(2))]).hear(2, [stored(0, 100)]);
    // Too large for a copy of it to stay.
    story.hear(1, [with(one_after(1, 0), rather_on(2))]).hear(2, [stored(1, 600)]);
    story.hear(1, [with(one_after(2, 1), only_on(3))]).hear(3, [stored(2, 100)]);
    story.hear(1, [release(0, 1)]);
    story.hear(0, [died(2)]).hear(3, [lacks(2, &[])]);
    assert_eq!(story.given(), [(3, 0, 1)], "the second value is wanted, and the first needed for it");
    story.hear(1, [release(1, 1)]);
    story.hear(3, [finished(0, 1)]);
    story.hear(1, [release(2, 1)]);
    story.assert_empty();
}

#[test]
fn what_is_too_late_is_asked_for_before_all_have_answered() {
    let mut story = story(2);
    story.hear(1, [roots(0, 6)]);
    story.hear(0, [died(2), ToScheduler::TimeLeft { nanoseconds: 0 }]);
    let is_recalled = |(rank, message): &(Rank, Message)| {
        *rank == Rank(3) && matches!(message, Message::ToWorker(ToWorker::Recall(_)))
    };
    assert!(story.said.iter().any(is_recalled), "or it would begin them: {:?}", story.said);
}

#[test]
fn what_a_lost_worker_had_does_not_wait_for_all_that_has_not_begun() {
    let mut story = story(2);
    story.hear(1, [roots(0, 1000)]);
    let of = |story: &Story, rank: u32| -> Vec<u64> {
        let given = story.given().into_iter().filter(|(worker, ..)| *worker == rank);
        given.flat_map(|(_, first, count)| first..first + u64::from(count)).collect()
    };
    let (mut here, mut suspects) = (of(&story, 2), of(&story, 3));
    assert!(!here.is_empty() && !suspects.is_empty());
    story.hear(0, [died(3)]).hear(2, [lacks(3, &[])]);
    // Each of them gets the first thread that is free, and nothing comes before.
    while !suspects.is_empty() {
        let given = of(&story, 2);
        let only_suspects = given.iter().all(|task| suspects.contains(task));
        suspects.retain(|task| !given.contains(task));
        assert!(suspects.is_empty() || only_suspects, "{:?}", story.given());
        here.extend(given);
        let Some(next) = here.pop() else { panic!("{suspects:?} are not given to a worker without tasks") };
        story.hear(2, [finished(next, 1)]);
    }
}
