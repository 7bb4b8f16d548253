//! Stories: what the scheduler is told, and what it says. Every message goes through the codec.

use super::*;
use crate::{
    error::{Reason, TaskError},
    ids::Code,
    ids::{Size, TaskId},
    message::{Column, Finished, Given, Held, Layer, Need, Options, Run, decode, encode},
    packed::Packed,
};
use std::collections::BTreeMap;

mod early;
mod retire;
mod room;
mod sessions;
mod time;
mod values;

const DRIVER: Rank = Rank(1);

/// A scheduler and what it said last.
pub(super) struct Story {
    pub(super) scheduler: Scheduler,
    pub(super) said: Vec<(Rank, Message)>,
}

pub(super) fn id(sequence: u64) -> TaskId {
    TaskId::new(DRIVER, sequence)
}

pub(super) fn range(first: u64, count: u32) -> Tasks {
    Tasks { first: id(first), count }
}

pub(super) fn layer(first: u64, count: u32, columns: Vec<Column>) -> Layer {
    Layer {
        tasks: range(first, count),
        code: Code { module: 0, offset: 8 },
        columns,
        level: 0,
        depth: 0,
        options: None,
    }
}

pub(super) fn with(mut layer: Layer, options: Options) -> ToScheduler {
    layer.options = Some(Box::new(options));
    ToScheduler::Submit(layer)
}

/// Tasks that need nothing.
pub(super) fn roots(first: u64, count: u32) -> ToScheduler {
    ToScheduler::Submit(layer(first, count, vec![]))
}

/// Tasks each of which needs the one `distance` before it.
pub(super) fn after(first: u64, count: u32, needs: u64) -> ToScheduler {
    ToScheduler::Submit(layer(first, count, vec![Column::stride(id(needs), 1)]))
}

pub(super) fn finished(first: u64, count: u32) -> ToScheduler {
    let values: Packed = (0..count).map(|_| [7u8].as_slice()).collect();
    ToScheduler::Finished {
        finished: Finished { first: id(first), values },
        nanoseconds: 1_000_000 * u64::from(count),
    }
}

pub(super) fn stored(task: u64, bytes: u64) -> ToScheduler {
    ToScheduler::Stored { task: id(task), size: Size { bytes, align: 8 }, nanoseconds: 1_000_000 }
}

pub(super) fn failed(task: u64) -> ToScheduler {
    ToScheduler::Failed(Box::new(TaskError {
        reason: Reason::Panic,
        function: "f".into(),
        task: id(task).0,
        rank: Some(Rank(2)),
        host: String::new(),
        message: "no".into(),
        attempts: 1,
        dependents: vec![],
    }))
}

impl Story {
    /// A world with this many workers, ranks 2 and up, of one thread each.
    pub(super) fn of(workers: u32) -> Self {
        Self::with_specs((0..workers).map(|index| spec(index + 2, 1)).collect())
    }

    fn with_specs(specs: Vec<WorkerSpec>) -> Self {
        let size = specs.len() as u32 + 2;
        Self { scheduler: Scheduler::new(specs, size, Backlog::default()), said: vec![] }
    }

    /// The same, where tasks are given out only when all that they need exists.
    pub(super) fn without_early(mut self) -> Self {
        self.scheduler.early = Early::switched_off();
        self
    }

    pub(super) fn hear(&mut self, source: u32, messages: impl IntoIterator<Item = ToScheduler>) -> &mut Self {
        for message in messages {
            let mut frame = Vec::new();
            encode(&Message::ToScheduler(message), &mut frame);
            for message in decode(Rank(source), &frame).unwrap() {
                let Message::ToScheduler(message) = message else { unreachable!() };
                self.scheduler.handle(Rank(source), message);
            }
        }
        self.said = self.scheduler.decide();
        self
    }

    pub(super) fn runs(&self) -> Vec<(u32, &Run)> {
        let run = |said: &'_ (Rank, Message)| matches!(said.1, Message::ToWorker(ToWorker::Run(_)));
        let said = self.said.iter().filter(|said| run(said));
        said.map(|(rank, message)| match message {
            Message::ToWorker(ToWorker::Run(run)) => (rank.0, run),
            _ => unreachable!("filtered above"),
        })
        .collect()
    }

    /// Who was given which tasks: (rank, first, count).
    pub(super) fn given(&self) -> Vec<(u32, u64, u32)> {
        self.runs().iter().map(|(rank, run)| (*rank, run.tasks.first.sequence(), run.tasks.count)).collect()
    }

    /// Who was given the tasks that begin with this one.
    fn worker_of(&self, task: u64) -> u32 {
        self.given().iter().find(|(_, first, _)| *first == task).expect("it was given").0
    }

    pub(super) fn told_client(&self) -> Vec<&ToClient> {
        self.said
            .iter()
            .filter_map(|(_, message)| match message {
                Message::ToClient(message) => Some(message),
                _ => None,
            })
            .collect()
    }

    /// Which tasks the client was told of, and why they failed.
    pub(super) fn failures(&self) -> Vec<(u64, Reason)> {
        let mut failures = Vec::new();
        for message in self.told_client() {
            if let ToClient::Failed { tasks, error } = message {
                let tasks = tasks.iter().copied().flat_map(Tasks::iter);
                failures.extend(tasks.map(|task| (task.sequence(), error.reason.clone())));
            }
        }
        failures
    }

    pub(super) fn freed(&self) -> Vec<(u32, u64)> {
        let mut freed = Vec::new();
        for (rank, message) in &self.said {
            if let Message::ToWorker(ToWorker::Free(tasks)) = message {
                freed.extend(
                    tasks.iter().copied().flat_map(Tasks::iter).map(|task| (rank.0, task.sequence())),
                );
            }
        }
        freed
    }

    /// Whether a worker has a task.
    pub(super) fn is_assigned(&self, task: u64) -> bool {
        let slot = self.scheduler.pages.get(id(task));
        slot.is_some_and(|slot| self.scheduler.tasks[slot].state == table::State::Assigned)
    }

    pub(super) fn assert_empty(&mut self) {
        assert_eq!(self.scheduler.record_count(), 0, "no record is left");
        assert_eq!(self.scheduler.layers.len(), 0, "no layer is left");
        assert_eq!(self.scheduler.classes.len(), 0, "no class is left");
        assert_eq!(self.scheduler.load(), (0, 0));
        assert!(self.scheduler.errors.is_empty());
    }
}

fn spec(rank: u32, threads: u32) -> WorkerSpec {
    WorkerSpec { rank: Rank(rank), host: "h".into(), threads, memory_bytes: 1000, resources: vec![] }
}

#[test]
fn as_many_tasks_as_workers_are_spread() {
    let mut story = Story::of(4);
    story.hear(1, [roots(0, 4)]);
    let mut given = story.given();
    given.sort_unstable();
    assert_eq!(
        given.iter().map(|(rank, _, count)| (*rank, *count)).collect::<Vec<_>>(),
        [(2, 1), (3, 1), (4, 1), (5, 1)]
    );
}

#[test]
fn a_layer_of_a_million_has_no_records_before_it_is_given_out() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 1_000_000)]);
    assert!(story.scheduler.record_count() <= 4);
    assert_eq!(story.scheduler.load().0 + story.scheduler.load().1, 1_000_000);
    story.hear(1, [ToScheduler::Release(vec![range(0, 1_000_000)])]);
    assert_eq!(story.scheduler.load().0, 0, "what was not given out is not run");
}

#[test]
fn short_tasks_earn_a_long_backlog() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 100_000)]);
    let first = story.given();
    assert_eq!(first.iter().map(|(_, _, count)| count).sum::<u32>(), 2);
    let values: Packed = [[7u8].as_slice(), &[7]].into_iter().collect();
    let quick = Finished { first: id(0), values };
    story.hear(2, [ToScheduler::Finished { finished: quick, nanoseconds: 200 }]);
    assert_eq!(story.given().iter().map(|(_, _, count)| count).sum::<u32>(), 4096);
    assert_eq!(story.runs().len(), 1, "a range is one message");
}

#[test]
fn a_dependent_gets_small_values_with_its_message() {
    let mut story = Story::of(1).without_early();
    story.hear(1, [roots(0, 1), after(1, 1, 0)]);
    assert_eq!(story.given(), [(2, 0, 1)]);
    story.hear(2, [finished(0, 1)]);
    assert!(matches!(story.told_client()[..], [ToClient::Finished(_)]));
    assert_eq!(story.given(), [(2, 1, 1)]);
    let expected: Packed = [[7u8].as_slice()].into_iter().collect();
    assert_eq!(story.runs()[0].1.arguments, [Given::Each(expected)]);
    story.hear(2, [finished(1, 1)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 2)])]);
    story.assert_empty();
}

#[test]
fn a_failed_task_fails_what_needs_it() {
    let mut story = Story::of(1).without_early();
    story.hear(1, [roots(0, 1), after(1, 1, 0), after(2, 1, 1)]);
    story.hear(2, [failed(0)]);
    let errors: Vec<_> = story
        .told_client()
        .into_iter()
        .map(|message| match message {
            ToClient::Failed { tasks, error } => {
                (tasks[0].first.sequence(), error.task, error.dependents.len())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(errors, [(0, 0, 0), (1, 0, 1), (2, 0, 2)]);
    story.hear(1, [after(3, 1, 2)]);
    assert!(matches!(story.told_client()[..], [ToClient::Failed { .. }]), "later ones too");
    story.hear(1, [ToScheduler::Release(vec![range(0, 4)])]);
    story.assert_empty();
}

#[test]
fn what_a_thousand_tasks_need_fails_them_with_one_error() {
    let all_of = |first, needs| ToScheduler::Submit(layer(first, 1000, vec![Column::stride(id(needs), 0)]));
    let mut story = Story::of(1).without_early();
    story.hear(1, [roots(0, 1), all_of(1, 0), after(1001, 1000, 1)]);
    story.hear(2, [failed(0)]);
    let told = story.told_client();
    let told: Vec<(&[Tasks], usize)> = told
        .iter()
        .map(|message| match message {
            ToClient::Failed { tasks, error } => (&tasks[..], error.dependents.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [(&[range(0, 1)][..], 0), (&[range(1, 1000)], 1), (&[range(1001, 1000)], 2)]);
    // What is submitted later shares it, too.
    story.hear(1, [all_of(2001, 0)]);
    let [ToClient::Failed { tasks, error }] = &story.told_client()[..] else { panic!("{:?}", story.said) };
    assert_eq!((&tasks[..], error.dependents.len()), (&[range(2001, 1000)][..], 1));
    story.hear(1, [ToScheduler::Release(vec![range(0, 3001)])]);
    story.assert_empty();
}

#[test]
fn a_task_that_needs_a_failed_one_twice_fails_once() {
    let mut story = Story::of(1).without_early();
    let both = vec![Column::values(vec![id(0)]), Column::values(vec![id(0)])];
    story.hear(1, [roots(0, 1), ToScheduler::Submit(layer(1, 1, both))]);
    story.hear(2, [failed(0)]);
    assert_eq!(story.told_client().len(), 2, "one word for each of the two");
    story.hear(1, [ToScheduler::Release(vec![range(0, 2)])]);
    story.assert_empty();
}

#[test]
fn a_task_cancelled_before_its_layer_comes_to_it_may_be_released() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 4)]);
    story.hear(1, [ToScheduler::Cancel(vec![range(3, 1)]), ToScheduler::Release(vec![range(3, 1)])]);
    story.hear(2, [finished(0, 2)]).hear(2, [finished(2, 1)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 3)])]);
    story.assert_empty();
}

#[test]
fn a_full_worker_whose_tasks_wait_runs_what_they_wait_for() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 2)]);
    story.hear(2, [stored(0, 800)]);
    story.hear(1, [roots(10, 1)]);
    assert!(story.given().is_empty(), "it is full");
    story.hear(2, [ToScheduler::Blocked(1)]);
    assert_eq!(story.given(), [(2, 10, 1)]);
}

#[test]
fn a_task_is_tried_again_as_often_as_asked() {
    let mut story = Story::of(1);
    story.hear(1, [with(layer(0, 1, vec![]), Options { retries: 2, ..Options::default() })]);
    for attempt in 1..=2 {
        story.hear(2, [failed(0)]);
        assert_eq!(story.runs()[0].1.attempt, attempt);
        assert!(story.told_client().is_empty());
    }
    story.hear(2, [failed(0)]);
    let [ToClient::Failed { error, .. }] = story.told_client()[..] else { panic!() };
    assert_eq!(error.attempts, 3);
    story.hear(1, [ToScheduler::Release(vec![range(0, 1)])]);
    story.assert_empty();
}

#[test]
fn cancelled_tasks_fail_at_once_and_late_answers_are_ignored() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 3), after(3, 1, 0)]);
    assert_eq!(story.given(), [(2, 0, 2)]);
    story.hear(1, [ToScheduler::Cancel(vec![range(0, 4)])]);
    assert_eq!(story.told_client().len(), 4);
    let cancel =
        story.said.iter().any(|(_, message)| matches!(message, Message::ToWorker(ToWorker::Cancel(_))));
    assert!(cancel);
    // The first was running and ends; the second comes back.
    story.hear(2, [finished(0, 1), ToScheduler::Yielded(vec![range(1, 1)])]);
    assert!(story.told_client().is_empty());
    story.hear(1, [ToScheduler::Release(vec![range(0, 4)])]);
    story.assert_empty();
}

#[test]
fn what_nobody_wants_any_more_is_not_run() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 10), after(10, 10, 0)]);
    story.hear(1, [ToScheduler::Release(vec![range(0, 20)])]);
    let given = [0u64, 1];
    story.hear(2, [ToScheduler::Yielded(given.iter().map(|task| range(*task, 1)).collect())]);
    assert!(story.given().is_empty());
    story.assert_empty();
}

#[test]
fn priority_goes_first() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 2), roots(2, 2)]);
    let urgent = with(layer(4, 1, vec![]), Options { priority: 5, ..Options::default() });
    story.hear(1, [urgent]);
    assert!(story.given().is_empty(), "the worker is full");
    story.hear(2, [finished(0, 1)]);
    assert_eq!(story.given(), [(2, 4, 1)]);
}

#[test]
fn tasks_run_on_the_workers_asked_for() {
    let mut story = Story::of(3);
    let on = |first, workers: &[u32], allow_other| {
        let workers = workers.iter().copied().map(Rank).collect();
        with(layer(first, 2, vec![]), Options { workers, allow_other, ..Options::default() })
    };
    story.hear(1, [on(0, &[3], false)]);
    assert_eq!(story.given(), [(3, 0, 2)]);
    story.hear(1, [on(2, &[9], false)]);
    let [ToClient::Failed { error, .. }, _] = story.told_client()[..] else { panic!("{:?}", story.said) };
    assert_eq!((&error.reason, &*error.message), (&Reason::NoWorker, "no worker has rank 9"));
    story.hear(1, [on(4, &[9], true)]);
    assert_eq!(story.given().iter().map(|(_, _, count)| count).sum::<u32>(), 2);
}

#[test]
fn one_each_runs_once_a_worker() {
    let mut story = Story::of(3);
    story.hear(1, [roots(100, 6)]);
    let options = Options { workers: vec![Rank(2), Rank(3), Rank(4)], one_each: true, ..Options::default() };
    story.hear(1, [with(layer(0, 3, vec![]), options)]);
    // All are full: each gets its own as soon as it has room.
    for rank in [4, 2, 3] {
        let done = story.scheduler.tasks.iter().find(|(_, task)| {
            task.state == table::State::Assigned && task.worker == rank - 2 && task.id.sequence() >= 100
        });
        let task = done.unwrap().1.id.sequence();
        story.hear(rank, [finished(task, 1)]);
        assert_eq!(story.given(), [(rank, u64::from(rank) - 2, 1)]);
    }
}

#[test]
fn one_each_reaches_a_worker_under_others_that_idle() {
    let mut story = Story::of(3);
    story.hear(1, [roots(0, 1)]);
    let first = story.given()[0].0;
    let workers = vec![Rank(2), Rank(3), Rank(4)];
    let options = Options { workers: workers.clone(), one_each: true, ..Options::default() };
    let needs = vec![Column::stride(id(0), 0)];
    story.hear(1, [with(layer(1, 3, needs), options)]);
    // Only one of the three is left when they can run; whichever it is, its worker gets it.
    let kept = workers.iter().position(|rank| rank.0 != first).unwrap() as u64 + 1;
    let others = (1..4).filter(|task| *task != kept).map(|task| range(task, 1)).collect();
    story.hear(1, [ToScheduler::Release(others)]);
    story.hear(first, [finished(0, 1)]);
    assert_eq!(story.given(), [(kept as u32 + 1, kept, 1)]);
}

#[test]
fn a_worker_may_run_what_comes_after_what_it_may_not_run() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 4)]);
    // Ready, for rank 3 only, which is full: rank 2 goes on with what is withheld.
    let options = Options { workers: vec![Rank(3)], ..Options::default() };
    let values: Packed = [[1u8].as_slice()].into_iter().collect();
    let needs = vec![Column::values(vec![id(9)])];
    story.hear(1, [ToScheduler::Give(Finished { first: id(9), values })]);
    story.hear(1, [with(layer(10, 1, needs), options), roots(11, 2)]);
    let given: Vec<u64> = story
        .scheduler
        .tasks
        .iter()
        .filter(|(_, task)| task.worker == 0)
        .map(|(_, task)| task.id.sequence())
        .collect();
    let done = given.iter().filter(|task| **task < 4).map(|task| finished(*task, 1)).collect::<Vec<_>>();
    story.hear(2, done);
    assert!(story.given().iter().any(|(rank, first, _)| (*rank, *first) == (2, 11)), "{:?}", story.said);
}

#[test]
fn a_layer_whose_rest_nobody_wants_keeps_none_from_the_next() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 4), roots(4, 1)]);
    story.hear(1, [ToScheduler::Cancel(vec![range(2, 2)])]);
    story.hear(2, [finished(0, 2)]);
    assert_eq!(story.given(), [(2, 4, 1)]);
}

#[test]
fn who_gives_back_what_only_it_may_run_is_not_asked_again_at_once() {
    let mut story = Story::of(2);
    let options = Options { workers: vec![Rank(2)], ..Options::default() };
    let asked = (Rank(2), Message::ToWorker(ToWorker::Yield(1)));
    story.hear(1, [with(layer(0, 2, vec![]), options)]);
    assert!(story.said.contains(&asked), "rank 3 idles");
    story.hear(2, [ToScheduler::Yielded(vec![range(1, 1)])]);
    assert_eq!(story.given(), [(2, 1, 1)]);
    assert!(!story.said.contains(&asked), "{:?}", story.said);
}

#[test]
fn what_is_given_back_goes_to_who_idles_though_its_inputs_are_elsewhere() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 2)]);
    let holder = story.given().iter().find(|given| given.1 == 0).unwrap().0;
    let other = 5 - holder;
    story.hear(holder, [stored(0, 100)]);
    let needs = vec![Column::stride(id(0), 0)];
    story.hear(1, [ToScheduler::Submit(layer(2, 2, needs))]);
    assert_eq!(story.given(), [(holder, 2, 2)]);
    story.hear(other, [finished(1, 1)]);
    assert_eq!(story.said.last(), Some(&(Rank(holder), Message::ToWorker(ToWorker::Yield(1)))));
    story.hear(holder, [ToScheduler::Yielded(vec![range(3, 1)])]);
    assert_eq!(story.given(), [(other, 3, 1)]);
}

#[test]
fn what_only_busy_workers_may_run_does_not_go_to_and_fro() {
    let mut story = Story::of(3);
    let options = Options { workers: vec![Rank(2), Rank(3)], ..Options::default() };
    story.hear(1, [with(layer(0, 3, vec![]), options)]);
    let mut tasks_of: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    let mut asked_count = 0;
    loop {
        for (rank, first, count) in story.given() {
            tasks_of.entry(rank).or_default().extend(first..first + u64::from(count));
        }
        let is_yield =
            |(_, message): &&(Rank, Message)| matches!(message, Message::ToWorker(ToWorker::Yield(_)));
        let Some((asked, _)) = story.said.iter().find(is_yield) else { break };
        let asked = asked.0;
        asked_count += 1;
        assert!(asked_count < 10, "rank 4 idles and may not run it: {tasks_of:?}");
        // Its thread runs the first one.
        let tasks = tasks_of.get_mut(&asked).expect("only who has something is asked");
        let back = if tasks.len() > 1 { tasks.pop() } else { None };
        story.hear(asked, [ToScheduler::Yielded(back.into_iter().map(|task| range(task, 1)).collect())]);
    }
    assert!(asked_count > 0);
    assert_eq!(tasks_of.values().map(Vec::len).sum::<usize>(), 3, "{tasks_of:?}");
}

/// Tasks are short, so what is queued is not worth asking for; then one of them goes on and on.
#[test]
fn what_is_queued_behind_a_long_task_goes_to_who_idles() {
    let mut story = Story::of(2);
    let short = |first: u64, count: u32| match finished(first, count) {
        ToScheduler::Finished { finished, .. } => ToScheduler::Finished { finished, nanoseconds: 1_000 },
        message => message,
    };
    story.hear(1, [roots(0, 2)]);
    for (rank, first, _) in story.given() {
        story.hear(rank, [short(first, 1)]);
    }
    story.hear(1, [roots(2, 4)]);
    let (mut behind, mut others): (Vec<_>, Vec<_>) =
        story.given().into_iter().partition(|given| given.0 == 2);
    let count = |given: &[(u32, u64, u32)]| given.iter().map(|(_, _, count)| count).sum::<u32>();
    assert_eq!((count(&behind), count(&others)), (2, 2));
    story.hear(3, others.drain(..).map(|(_, first, count)| short(first, count)));
    assert_eq!(
        story.said.iter().filter(|(rank, _)| *rank == Rank(2)).count(),
        0,
        "one short task is not worth it"
    );
    story.hear(2, [ToScheduler::Behind { nanoseconds: 1_000_000 }]);
    assert_eq!(story.said, [(Rank(2), Message::ToWorker(ToWorker::Yield(1)))]);
    let (_, first, count) = behind.pop().expect("counted above");
    let last = first + u64::from(count) - 1;
    story.hear(2, [ToScheduler::Yielded(vec![range(last, 1)])]);
    assert_eq!(story.given(), [(3, last, 1)]);
}

#[test]
fn who_has_nothing_to_give_back_is_not_asked_again_at_once() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 3)]);
    let mut given = story.given();
    given.sort_unstable_by_key(|(_, first, _)| *first);
    let (loaded, idle) = (given[2].0, 5 - given[2].0);
    let task = given.iter().find(|(rank, _, _)| *rank == idle).unwrap().1;
    story.hear(idle, [finished(task, 1)]);
    assert_eq!(story.said.last(), Some(&(Rank(loaded), Message::ToWorker(ToWorker::Yield(1)))));
    story.hear(loaded, [ToScheduler::Yielded(vec![])]);
    assert_eq!(story.said, []);
}

#[test]
fn a_task_tried_again_and_one_tried_first_are_two_runs() {
    let mut story = Story::of(1);
    let again = Options { retries: 1, ..Options::default() };
    story.hear(1, [with(layer(0, 3, vec![]), again)]);
    assert_eq!(story.given(), [(2, 0, 2)]);
    story.hear(2, [failed(1), finished(0, 1)]);
    let attempts: Vec<_> = story
        .runs()
        .iter()
        .map(|(_, run)| (run.tasks.first.sequence(), run.tasks.count, run.attempt))
        .collect();
    assert_eq!(attempts, [(1, 1, 1), (2, 1, 0)]);
}

#[test]
fn resources_limit_how_many_run_at_a_time() {
    let mut specs = vec![spec(2, 4), spec(3, 4)];
    specs[1].resources = vec![("GPU".into(), 2)];
    let mut story = Story::with_specs(specs);
    let gpu = |amount| Options { resources: vec![("GPU".into(), amount)], ..Options::default() };
    story.hear(1, [with(layer(0, 5, vec![]), gpu(1))]);
    assert_eq!(story.given(), [(3, 0, 2)]);
    story.hear(3, [finished(0, 1)]);
    assert_eq!(story.given(), [(3, 2, 1)]);
    story.hear(1, [with(layer(9, 1, vec![]), gpu(3))]);
    let [ToClient::Failed { error, .. }] = story.told_client()[..] else { panic!() };
    assert_eq!(&*error.message, "no worker that may run it declares GPU=3 or more");
}

/// Two workers of one thread, of which rank 3 alone has a GPU, and it runs task 0.
fn story_with_a_busy_gpu() -> Story {
    let mut specs = vec![spec(2, 1), spec(3, 1)];
    specs[1].resources = vec![("GPU".into(), 1)];
    let mut story = Story::with_specs(specs);
    story.hear(1, [with(layer(0, 1, vec![]), gpu())]);
    assert_eq!(story.given(), [(3, 0, 1)]);
    story
}

fn gpu() -> Options {
    Options { resources: vec![("GPU".into(), 1)], ..Options::default() }
}

#[test]
fn many_that_wait_for_a_resource_hide_none_that_can_run() {
    let mut story = story_with_a_busy_gpu();
    let values: Packed = [[7u8].as_slice()].into_iter().collect();
    let needs = || vec![Column::stride(id(1), 0)];
    // The latest come first: those that want the GPU would be met before the one that wants nothing.
    story.hear(
        1,
        [
            ToScheduler::Give(Finished { first: id(1), values }),
            ToScheduler::Submit(layer(2, 1, needs())),
            with(layer(3, 1000, needs()), gpu()),
        ],
    );
    assert_eq!(story.given(), [(2, 2, 1)]);
    assert_eq!(story.scheduler.load(), (1000, 2));
    story.hear(3, [finished(0, 1)]);
    assert_eq!(story.given(), [(3, 1002, 1)], "the GPU goes from task to task");
}

#[test]
fn many_layers_for_another_worker_hide_none_that_can_run() {
    let mut story = story_with_a_busy_gpu();
    let layers = (1..=100).map(|task| with(layer(task, 1, vec![]), gpu()));
    story.hear(1, layers.chain([roots(101, 1)]));
    assert_eq!(story.given(), [(2, 101, 1)]);
    story.hear(3, [finished(0, 1)]);
    assert_eq!(story.given(), [(3, 1, 1)], "in the order that they came");
    story.hear(1, [ToScheduler::Release(vec![range(0, 102)])]);
    story.hear(2, [finished(101, 1)]).hear(3, [ToScheduler::Yielded(vec![range(1, 1)])]);
    story.assert_empty();
}

#[test]
fn an_idle_worker_takes_what_it_may_from_behind_what_it_may_not() {
    let mut story = story_with_a_busy_gpu();
    story.hear(3, [stored(0, 100)]);
    let needs = || vec![Column::stride(id(0), 0)];
    story.hear(1, [ToScheduler::Submit(layer(1, 3, needs())), with(layer(4, 100, needs()), gpu())]);
    let mut given = story.given();
    given.sort_unstable();
    assert!(given.iter().any(|(rank, first, _)| *rank == 2 && *first < 4), "{given:?}");
}

#[test]
fn a_full_worker_is_given_no_new_beginnings() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 10)]);
    assert_eq!(story.given(), [(2, 0, 2)]);
    story.hear(2, [stored(0, 800)]);
    assert!(story.given().is_empty(), "800 of 1000 bytes are held, and it has work");
    story.hear(1, [after(20, 1, 0)]);
    assert_eq!(story.given(), [(2, 20, 1)], "what has begun goes on");
    story.hear(2, [stored(1, 1), finished(20, 1)]);
    assert_eq!(story.given().len(), 1, "with nothing else to do it goes on with one");
}

#[test]
fn what_a_worker_has_on_its_disk_does_not_fill_its_memory() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 10)]);
    assert_eq!(story.given(), [(2, 0, 2)]);
    story.hear(2, [stored(0, 800)]);
    assert!(story.given().is_empty(), "it is full");
    story.hear(2, [ToScheduler::Spilled { bytes: 300 }]);
    assert_eq!(story.given(), [(2, 2, 1)]);
}

#[test]
fn an_idle_worker_gets_what_another_has_not_begun() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 3)]);
    let mut given = story.given();
    given.sort_unstable_by_key(|(_, first, _)| *first);
    let (loaded, idle) = (given[2].0, 5 - given[2].0);
    let task = given.iter().find(|(rank, _, _)| *rank == idle).unwrap().1;
    story.hear(idle, [finished(task, 1)]);
    assert!(story.said.contains(&(Rank(loaded), Message::ToWorker(ToWorker::Yield(1)))));
    story.hear(loaded, [ToScheduler::Yielded(vec![range(2, 1)])]);
    assert_eq!(story.given(), [(idle, 2, 1)]);
}

#[test]
fn an_idle_worker_takes_from_anothers_queue() {
    let mut story = Story::of(2);
    story.hear(1, [roots(0, 1)]);
    let holder = story.given()[0].0;
    story.hear(holder, [stored(0, 100)]);
    let needs = vec![Column::stride(id(0), 0)];
    story.hear(1, [ToScheduler::Submit(layer(1, 8, needs))]);
    let count = |rank| story.given().iter().filter(|given| given.0 == rank).map(|given| given.2).sum::<u32>();
    assert_eq!((count(holder), count(5 - holder)), (2, 1));
}

#[test]
fn blocked_tasks_make_room_for_those_they_wait_for() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 6)]);
    assert_eq!(story.scheduler.load().1, 2);
    story.hear(2, [ToScheduler::Blocked(1)]);
    assert_eq!(story.scheduler.load().1, 4);
    story.hear(2, [ToScheduler::Blocked(-1), finished(0, 1), finished(1, 1)]);
    assert_eq!(story.scheduler.load().1, 2);
}

#[test]
fn what_idle_threads_lack_is_counted() {
    let mut story = Story::of(2);
    let lack = |story: &Story| {
        let mut startable: Vec<u64> = story.scheduler.startable_tasks().map(|(_, tasks)| tasks).collect();
        startable.sort_unstable();
        (story.scheduler.ready_count(), story.scheduler.has_waiting_tasks(), startable)
    };
    story.hear(1, [roots(0, 1), after(1, 1, 0)]);
    assert_eq!(lack(&story), (0, true, vec![0, 1]), "what was given out early cannot begin");
    let worker = story.worker_of(0);
    story.hear(worker, [finished(0, 1)]);
    assert_eq!(lack(&story), (0, false, vec![0, 1]));
    let options = Options { workers: vec![Rank(worker)], ..Options::default() };
    story.hear(1, [with(layer(2, 100, vec![]), options)]);
    let (ready, waits, startable) = lack(&story);
    assert_eq!(
        (ready + startable[1], waits, startable[0]),
        (101, false, 0),
        "only one of them may run these"
    );
}

#[test]
fn what_blocked_tasks_wait_for_is_given_beyond_the_backlog() {
    let mut story = Story::of(1);
    let ends = |first, time| match finished(first, 1) {
        ToScheduler::Finished { finished, .. } => ToScheduler::Finished { finished, nanoseconds: time },
        other => other,
    };
    // Short tasks earn a long backlog; then one takes long.
    story.hear(1, [roots(0, 2)]);
    story.hear(2, [ends(0, 100), ends(1, 100)]);
    story.hear(1, [roots(2, 100)]);
    story.hear(2, [ends(2, 1_000_000_000)]);
    story.given();
    let nested = |first| ToScheduler::Submit(Layer { depth: 1, ..layer(first, 1, vec![]) });
    story.hear(1, [nested(200), nested(201)]);
    assert_eq!(story.given(), [], "its backlog is more than full");
    story.hear(2, [ToScheduler::Blocked(1)]);
    assert_eq!(story.given(), [(2, 200, 1)], "one task waits for one");
    story.hear(2, [finished(200, 1)]);
    assert_eq!(story.given(), [(2, 201, 1)], "it waits still");
}

#[test]
fn shutdown_reaches_every_rank_once() {
    let mut story = Story::of(2);
    story.hear(1, [ToScheduler::Shutdown(crate::message::Outcome::Error("x".into()))]);
    let ranks: Vec<u32> = story.said.iter().map(|(rank, _)| rank.0).collect();
    assert_eq!(ranks, [0, 1, 2, 3]);
}

#[test]
fn what_a_task_submitted_goes_before_what_the_driver_submitted_earlier() {
    let mut story = Story::of(1);
    story.hear(1, [roots(0, 6)]);
    story.given();
    let nested = ToScheduler::Submit(Layer { depth: 1, ..layer(10, 1, vec![]) });
    story.hear(1, [nested]);
    story.hear(2, [finished(0, 1)]);
    assert_eq!(story.given(), [(2, 10, 1)], "a task waits for it");
}
