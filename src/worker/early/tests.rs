use super::*;
use crate::{
    ids::Code,
    message::ToWorker,
    worker::{Action, Worker},
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

const THIS: Rank = Rank(2);

fn id(task: u64) -> TaskId {
    TaskId(task)
}

/// A task that takes these, and is in the `order`th run for which others send values.
fn run(task: u64, needs: Vec<Need>, order: u64) -> ToWorker {
    ToWorker::Run(Run {
        tasks: Tasks::one(id(task)),
        code: Code { module: 0, offset: 0 },
        attempt: 0,
        arguments: needs.into_iter().map(|need| Given::Values(vec![need])).collect(),
        label: None,
        timeout_nanoseconds: 0,
        is_kept: false,
        depth: 0,
        order,
    })
}

fn tell(worker: &mut Worker, message: ToWorker) -> Vec<Action> {
    worker.handle(message, |_| false)
}

fn small(task: u64, value: &[u8]) -> Made {
    Made::Small { task: id(task), value: value.to_vec() }
}

fn large(task: u64, holder: Rank) -> Made {
    Made::Large(Held { task: id(task), holder, size: Size { bytes: 4096, align: 8 } })
}

fn finished(task: u64, value: &[u8]) -> Finished {
    Finished { first: id(task), values: [value].into_iter().collect() }
}

/// The needs of the tasks that begin, by task.
fn begun(actions: &[Action]) -> Vec<(u64, Vec<Need>)> {
    let needs = |run: &Run| {
        let one = |argument: &Given| match argument {
            Given::Values(needs) => needs[0].clone(),
            other => panic!("{other:?}"),
        };
        run.arguments.iter().map(one).collect()
    };
    let begun = |action: &Action| match action {
        Action::Begin(run) => Some((run.tasks.first.0, needs(run))),
        _ => None,
    };
    actions.iter().filter_map(begun).collect()
}

fn is_empty(worker: &Worker) -> bool {
    worker.waiting_count() == 0 && worker.left_early().iter().all(|(_, count)| *count == 0)
}

#[test]
fn a_chain_on_one_worker_goes_on_without_the_scheduler() {
    let mut worker = Worker::new(THIS);
    tell(&mut worker, run(0, vec![], 0));
    assert!(tell(&mut worker, run(1, vec![Need::Own(id(0))], 0)).is_empty());
    assert!(tell(&mut worker, run(2, vec![Need::Own(id(1)), Need::Own(id(1))], 0)).is_empty());
    let inline = |value: &[u8]| Need::Inline(value.to_vec());
    assert_eq!(begun(&worker.made_small(&finished(0, b"a"))), [(1, vec![inline(b"a")])]);
    assert_eq!(begun(&worker.made_small(&finished(1, b"b"))), [(2, vec![inline(b"b"), inline(b"b")])]);
    assert!(worker.made_small(&finished(2, b"c")).is_empty());
    assert!(is_empty(&worker));
}

#[test]
fn a_large_value_of_its_own_is_taken_from_the_store() {
    let mut worker = Worker::new(THIS);
    tell(&mut worker, run(0, vec![], 0));
    tell(&mut worker, run(1, vec![Need::Own(id(0))], 0));
    let Made::Large(held) = large(0, THIS) else { unreachable!() };
    assert_eq!(begun(&worker.made_large(held)), [(1, vec![Need::Held(held)])]);
}

#[test]
fn a_value_goes_to_the_workers_that_were_named() {
    let mut worker = Worker::new(THIS);
    tell(&mut worker, run(0, vec![], 0));
    for target in [3, 4] {
        let forward = ToWorker::Forward { task: id(0), target: Rank(target), order: 7 };
        assert!(tell(&mut worker, forward).is_empty());
    }
    let send = |target| Action::Send { target: Rank(target), order: 7, made: small(0, b"a") };
    assert_eq!(worker.made_small(&finished(0, b"a")), [send(3), send(4)]);
    assert!(is_empty(&worker));
}

#[test]
fn who_is_told_too_late_says_so() {
    let mut worker = Worker::new(THIS);
    tell(&mut worker, run(0, vec![], 0));
    worker.made_small(&finished(0, b"a"));
    let missed = |target, order| Action::Say(ToScheduler::Missed { task: id(0), target, order });
    let forward = ToWorker::Forward { task: id(0), target: Rank(3), order: 7 };
    assert_eq!(tell(&mut worker, forward), [missed(Rank(3), 7)]);
    assert_eq!(tell(&mut worker, run(1, vec![Need::Own(id(0))], 0)), [missed(THIS, 0)]);
    let sent = ToWorker::Made { order: 0, made: small(0, b"a") };
    assert_eq!(begun(&tell(&mut worker, sent)).len(), 1);
}

#[test]
fn a_value_may_overtake_its_run_and_one_for_an_earlier_run_is_dropped() {
    let mut worker = Worker::new(THIS);
    assert!(tell(&mut worker, ToWorker::Made { order: 2, made: small(50, b"a") }).is_empty());
    tell(&mut worker, run(0, vec![Need::Sent(id(49))], 1));
    let begins = begun(&tell(&mut worker, run(1, vec![Need::Sent(id(50))], 2)));
    assert_eq!(begins, [(1, vec![Need::Inline(b"a".to_vec())])]);
    worker.made_small(&finished(1, b"b"));
    let back = tell(&mut worker, ToWorker::Recall(vec![Tasks::one(id(0))]));
    assert_eq!(back[0], Action::Say(ToScheduler::Yielded(vec![Tasks::one(id(0))])));
    assert!(tell(&mut worker, ToWorker::Made { order: 1, made: small(49, b"c") }).is_empty());
    assert!(is_empty(&worker));
}

#[test]
fn tasks_that_wait_for_a_large_value_share_one_copy() {
    let mut worker = Worker::new(THIS);
    tell(&mut worker, run(0, vec![Need::Sent(id(50)), Need::Sent(id(51))], 1));
    // It needs the value twice, and is one user.
    tell(&mut worker, run(1, vec![Need::Sent(id(50)), Need::Sent(id(50))], 2));
    let actions = tell(&mut worker, ToWorker::Made { order: 1, made: large(50, Rank(3)) });
    let name = TaskId::of_part(0);
    let Made::Large(held) = large(50, Rank(3)) else { unreachable!() };
    assert_eq!(actions, [Action::WantPart { name, held, cut: None }]);
    assert!(tell(&mut worker, ToWorker::Made { order: 2, made: large(50, Rank(3)) }).is_empty());
    let actions = worker.news(name);
    let copy = Need::Held(Held { task: name, ..held });
    assert_eq!(begun(&actions), [(1, vec![copy.clone(), copy.clone()])]);
    assert!(!actions.contains(&Action::Free(name)), "the other one needs it yet");
    let actions = tell(&mut worker, ToWorker::Made { order: 1, made: small(51, b"a") });
    assert_eq!(begun(&actions), [(0, vec![copy, Need::Inline(b"a".to_vec())])]);
    assert!(actions.contains(&Action::Free(name)));
}

#[test]
fn when_a_rank_is_lost_what_waits_for_values_to_be_made_is_given_back() {
    let mut worker = Worker::new(THIS);
    let Made::Large(held) = large(60, Rank(3)) else { unreachable!() };
    tell(&mut worker, run(0, vec![Need::Sent(id(50))], 1));
    tell(&mut worker, run(1, vec![Need::Sent(id(50)), Need::Held(held)], 2));
    tell(&mut worker, run(2, vec![Need::Held(held)], 0));
    let yielded = |task| Action::Say(ToScheduler::Yielded(vec![Tasks::one(id(task))]));
    assert_eq!(worker.give_up_unmade(), [yielded(0)], "the other one fetches something");
    let actions = worker.news(id(60));
    assert_eq!(actions[0], yielded(1));
    assert_eq!(begun(&actions).len(), 1);
}

#[test]
fn what_was_not_made_is_sent_to_nobody() {
    let mut worker = Worker::new(THIS);
    tell(&mut worker, run(0, vec![], 0));
    tell(&mut worker, ToWorker::Forward { task: id(0), target: Rank(3), order: 7 });
    worker.ended_without(Tasks::one(id(0)));
    assert!(is_empty(&worker));
}

proptest! {
    #[test]
    fn ranges_are_sets(steps in vec((any::<bool>(), 0u64..60, 1u32..20), 1..60)) {
        let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
        for (inserts, first, count) in steps {
            let tasks = Tasks { first: id(first), count };
            if inserts {
                ranges.insert(tasks);
                set.extend(tasks.iter());
            } else {
                ranges.remove(tasks);
                set.retain(|task| !tasks.contains(*task));
            }
            prop_assert_eq!(ranges.len(), set.len());
            (0..90).for_each(|task| assert_eq!(ranges.contains(id(task)), set.contains(&id(task))));
        }
    }
}
