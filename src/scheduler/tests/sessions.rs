//! Stories of sessions: clients that come and go.

use super::*;
use crate::message::{CatalogAnswer, CatalogRequest, Publication};

fn roots_of(session: u32, first: u64, count: u32) -> ToScheduler {
    let mut layer = layer(0, count, vec![]);
    layer.tasks.first = TaskId::new(Rank(session), first);
    ToScheduler::Submit(layer)
}

fn finished_of(session: u32, first: u64, count: u32) -> ToScheduler {
    let values: Packed = (0..count).map(|_| [7u8].as_slice()).collect();
    let finished = Finished { first: TaskId::new(Rank(session), first), values };
    ToScheduler::Finished { finished, nanoseconds: 1_000_000 * u64::from(count) }
}

fn ends(session: u32) -> ToScheduler {
    ToScheduler::Disconnected { session: Rank(session) }
}

/// The sessions of which all ranks were told that nothing is known of them.
fn forgotten(story: &Story) -> Vec<u32> {
    let forgotten = story.said.iter().filter_map(|(rank, message)| match message {
        Message::SessionForgotten(session) if rank.0 == 0 => Some(session.0),
        _ => None,
    });
    forgotten.collect()
}

/// How many tasks of each session were given out.
fn shares(story: &Story, sessions: [u32; 2]) -> [u32; 2] {
    sessions.map(|session| {
        let of_it = |run: &&(u32, &Run)| run.1.tasks.first.owner() == Rank(session);
        story.runs().iter().filter(of_it).map(|(_, run)| run.tasks.count).sum()
    })
}

#[test]
fn a_session_that_ends_leaves_nothing_once_its_tasks_have_ended() {
    let mut story = Story::of(1);
    let mut needs = layer(0, 1, vec![Column::stride(TaskId::new(Rank(9), 0), 1)]);
    needs.tasks.first = TaskId::new(Rank(9), 100_000);
    story.hear(9, [ToScheduler::Connected, roots_of(9, 0, 100_000), ToScheduler::Submit(needs)]);
    let given: u32 = story.given().iter().map(|(_, _, count)| count).sum();
    assert!(given > 0);
    story.hear(1, [ends(9)]);
    assert_eq!(forgotten(&story), [] as [u32; 0], "a worker has tasks of it");
    let cancelled = |message: &Message| matches!(message, Message::ToWorker(ToWorker::Cancel(_)));
    assert!(story.said.iter().any(|(_, message)| cancelled(message)));
    story.hear(2, [finished_of(9, 0, given)]);
    assert_eq!(forgotten(&story), [9]);
    assert!(story.told_client().is_empty(), "there is no client to tell");
    story.assert_empty();
    assert!(story.scheduler.left_over().iter().all(|(_, count)| *count == 0));
}

#[test]
fn a_session_submits_a_chain_whose_tasks_are_in_one_layer() {
    let mut story = Story::of(1);
    let mut chain = layer(0, 3, vec![Column::stride(TaskId::new(Rank(9), 0), 1)]);
    chain.tasks.first = TaskId::new(Rank(9), 1);
    story.hear(9, [ToScheduler::Connected, roots_of(9, 0, 1), ToScheduler::Submit(chain)]);
    assert!(!story.said.iter().any(|(_, message)| matches!(message, Message::Dismiss { .. })));
    assert_eq!(story.scheduler.record_count(), 4);
    let mut circle = layer(0, 2, vec![Column::stride(TaskId::new(Rank(9), 11), 1)]);
    circle.tasks.first = TaskId::new(Rank(9), 10);
    story.hear(9, [ToScheduler::Submit(circle)]);
    let dismissed = |message: &Message| matches!(message, Message::Dismiss { session: Rank(9), .. });
    assert!(story.said.iter().any(|(_, message)| dismissed(message)), "a task needs one after it");
}

#[test]
fn values_that_a_session_gave_go_with_it_and_those_of_another_stay() {
    let mut story = Story::of(1);
    let place = |session: u32| ToScheduler::Place {
        task: TaskId::new(Rank(session), 5),
        size: Size { bytes: 100, align: 8 },
        holders: vec![Rank(2)],
    };
    story.hear(8, [ToScheduler::Connected, place(8)]).hear(9, [ToScheduler::Connected, place(9)]);
    story.hear(1, [ends(9)]);
    assert_eq!((story.freed(), forgotten(&story)), (vec![(2, 5)], vec![9]));
    assert_eq!(story.scheduler.record_count(), 1);
    story.hear(1, [ends(8), ends(7)]);
    assert_eq!(forgotten(&story), [8, 7], "one that had submitted nothing, too");
    story.assert_empty();
}

#[test]
fn two_sessions_with_as_urgent_tasks_share_the_workers_and_urgent_tasks_go_first() {
    let mut story = Story::of(1);
    story.hear(8, [ToScheduler::Connected, roots_of(8, 0, 100_000)]);
    let first: u32 = story.given().iter().map(|(_, _, count)| count).sum();
    story.hear(9, [ToScheduler::Connected, roots_of(9, 0, 100_000)]);
    let (mut of_8, mut of_9) = (first, 0);
    let (mut ended_8, mut ended_9) = (0, 0);
    for _ in 0..40 {
        let messages = [finished_of(8, ended_8, of_8), finished_of(9, ended_9, of_9)];
        (ended_8, ended_9) = (ended_8 + u64::from(of_8), ended_9 + u64::from(of_9));
        story.hear(
            2,
            messages.into_iter().filter(|message| match message {
                ToScheduler::Finished { finished, .. } => !finished.values.is_empty(),
                _ => true,
            }),
        );
        [of_8, of_9] = shares(&story, [8, 9]);
    }
    let share = ended_9 as f64 / (ended_8 + ended_9) as f64;
    assert!((0.4..=0.6).contains(&share), "{ended_8} and {ended_9} have ended");
    let mut urgent = layer(0, 2, vec![]);
    urgent.tasks.first = TaskId::new(Rank(8), 200_000);
    story.hear(8, [with(urgent, Options { priority: 1, ..Options::default() })]);
    let messages = [finished_of(8, ended_8, of_8), finished_of(9, ended_9, of_9)];
    story.hear(2, messages);
    assert_eq!(story.runs()[0].1.tasks.first, TaskId::new(Rank(8), 200_000));
}

fn publish(name: &str, tasks: Vec<Tasks>) -> ToScheduler {
    let publication = Publication { kind: "numbers".into(), head: vec![3], tasks };
    let request = CatalogRequest::Publish { name: name.into(), publication };
    ToScheduler::Catalog { question: 1, request }
}

fn find(name: &str) -> ToScheduler {
    ToScheduler::Catalog { question: 2, request: CatalogRequest::Find { name: name.into() } }
}

fn unpublish(name: &str) -> ToScheduler {
    ToScheduler::Catalog { question: 3, request: CatalogRequest::Unpublish { name: name.into() } }
}

/// What one rank's client was told.
fn told(story: &Story, client: u32) -> Vec<&ToClient> {
    let told = story.said.iter().filter_map(|(rank, message)| match message {
        Message::ToClient(message) if rank.0 == client => Some(message),
        _ => None,
    });
    told.collect()
}

fn stored_of(session: u32, sequence: u64) -> ToScheduler {
    let size = Size { bytes: 100, align: 8 };
    ToScheduler::Stored { task: TaskId::new(Rank(session), sequence), size, nanoseconds: 1_000_000 }
}

#[test]
fn what_is_published_outlives_its_session_until_it_is_unpublished_and_nobody_reads_it() {
    let mut story = Story::of(1);
    let own = |first, count| Tasks { first: TaskId::new(Rank(8), first), count };
    story.hear(8, [ToScheduler::Connected, roots_of(8, 0, 2), publish("x", vec![own(0, 1)])]);
    story.hear(2, [stored_of(8, 0), stored_of(8, 1)]);
    story.hear(1, [ends(8)]);
    assert_eq!((story.freed(), forgotten(&story)), (vec![(2, 1)], vec![]), "only what was not published");
    // Another session finds it, reads it, and goes on reading when the name is gone.
    story.hear(9, [ToScheduler::Connected, find("x"), find("y")]);
    let [
        ToClient::Catalog { answer: CatalogAnswer::Found(Some(found)), .. },
        ToClient::Stored(held),
        ToClient::Catalog { answer: CatalogAnswer::Found(None), .. },
    ] = told(&story, 9)[..]
    else {
        panic!("{:?}", story.said)
    };
    assert_eq!((&found.head, held.task, held.holder), (&vec![3], own(0, 1).first, Rank(2)));
    story.hear(1, [unpublish("x")]);
    assert!(story.freed().is_empty());
    story.hear(9, [ToScheduler::Release(vec![own(0, 1)])]);
    assert_eq!((story.freed(), forgotten(&story)), (vec![(2, 0)], vec![8]));
    story.hear(1, [ends(9)]);
    story.assert_empty();
    assert!(story.scheduler.left_over().iter().all(|(_, count)| *count == 0));
}

#[test]
fn a_task_that_is_published_before_it_ends_is_run_and_its_readers_are_told() {
    let mut story = Story::of(1);
    let all = Tasks { first: TaskId::new(Rank(8), 0), count: 100_000 };
    let last = Tasks { first: TaskId::new(Rank(8), 99_999), count: 1 };
    story.hear(8, [ToScheduler::Connected, roots_of(8, 0, 100_000), publish("x", vec![last])]);
    let given: u32 = story.given().iter().map(|(_, _, count)| count).sum();
    story.hear(9, [ToScheduler::Connected, find("x")]);
    assert_eq!(told(&story, 9).len(), 1, "it has not ended");
    story.hear(1, [ends(8)]);
    story.hear(2, [finished_of(8, 0, given)]);
    assert_eq!(story.given(), [(2, 99_999, 1)], "the others are dropped");
    story.hear(2, [finished_of(8, 99_999, 1)]);
    assert!(matches!(told(&story, 9)[..], [ToClient::Finished(_)]));
    // Whoever ends without a word lets go, too; a session has no say in what it does not hold.
    story.hear(10, [ToScheduler::Connected, ToScheduler::Release(vec![all])]);
    assert_eq!(story.scheduler.record_count(), 1);
    story.hear(1, [unpublish("x"), ends(10)]);
    assert_eq!(story.scheduler.record_count(), 1, "a session holds it");
    story.hear(1, [ends(9)]);
    assert_eq!(forgotten(&story), [8, 9]);
    story.assert_empty();
}

#[test]
fn a_name_is_taken_once_and_readers_hear_of_failures() {
    let mut story = Story::of(1);
    let own = |first| Tasks { first: TaskId::new(Rank(8), first), count: 1 };
    let unknown = publish("z", vec![own(7)]);
    story.hear(8, [ToScheduler::Connected, roots_of(8, 0, 1), publish("x", vec![own(0)]), unknown]);
    story.hear(9, [ToScheduler::Connected, publish("x", vec![own(0)]), find("x")]);
    let taken = ToClient::Catalog { question: 1, answer: CatalogAnswer::Done(false) };
    assert_eq!(told(&story, 9)[0], &taken);
    story.hear(8, [ToScheduler::Cancel(vec![own(0)])]);
    assert!(matches!(told(&story, 9)[..], [ToClient::Failed { .. }]), "{:?}", story.said);
    story.hear(10, [ToScheduler::Connected, find("x")]);
    assert!(matches!(told(&story, 10)[..], [_, ToClient::Failed { .. }]), "one that comes later, too");
    story.hear(2, [ToScheduler::Yielded(vec![own(0)])]);
    story.hear(1, [unpublish("x"), ends(8), ends(9), ends(10)]);
    story.assert_empty();
}

#[test]
fn a_session_whose_messages_make_no_sense_is_dismissed_and_others_are_not_concerned() {
    let dismissed = |story: &Story| {
        let is_it = |(rank, message): &(Rank, Message)| match message {
            Message::Dismiss { session, .. } => {
                assert_eq!(*rank, DRIVER, "who holds the connections");
                *session == Rank(9)
            }
            _ => false,
        };
        story.said.iter().any(is_it)
    };
    let mut needs = layer(0, 1, vec![Column::stride(TaskId::new(Rank(8), 77), 1)]);
    needs.tasks.first = TaskId::new(Rank(9), 500);
    let given = |first| {
        ToScheduler::Give(Finished {
            first: TaskId::new(Rank(9), first),
            values: [[7u8].as_slice(), &[8]].into_iter().collect(),
        })
    };
    let wrong =
        [ToScheduler::Submit(needs), roots_of(9, 99, 4), given(99), given(2047), roots_of(9, 0, 5000)];
    for wrong in wrong {
        let mut story = Story::of(1);
        story.hear(8, [ToScheduler::Connected]);
        story.hear(9, [ToScheduler::Connected, roots_of(9, 100, 10), given(2048)]);
        assert!(!dismissed(&story));
        story.hear(9, [wrong]);
        assert!(dismissed(&story));
        let tasks = |story: &Story| {
            let (waiting, assigned) = story.scheduler.load();
            waiting + assigned
        };
        let before = tasks(&story);
        story.hear(8, [roots_of(8, 0, 1)]);
        assert_eq!(tasks(&story), before + 1);
    }
}
