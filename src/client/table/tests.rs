//! Values of a client on their way, and tasks that are dropped.

use super::*;
use crate::{comm::Transport, comm::threads, value::encode};

fn table() -> Arc<Table> {
    Table::new(Rank(1), threads::world(2)[1].bells(), false)
}

/// A large value of the table's own, which rank 2 holds.
fn large(table: &Arc<Table>) -> (Arc<Tracked>, Held, Value) {
    let value = encode(vec![1u64; 9], 0, &mut Vec::new()).unwrap().unwrap();
    let held = Held { task: TaskId(0), holder: Rank(2), size: value.size() };
    let tracked = table.track_held(held);
    tracked.add_reference(0);
    let held = Held { task: tracked.tasks.first, ..held };
    (tracked, held, value)
}

fn drops(requests: &[Request]) -> usize {
    requests.iter().filter(|request| matches!(request, Request::Drop(_))).count()
}

fn releases(requests: &[Request]) -> usize {
    let release = |request: &&Request| {
        matches!(request, Request::Say(_, Message::ToScheduler(ToScheduler::Release(_))))
    };
    requests.iter().filter(release).count()
}

#[test]
fn a_value_that_is_lent_and_read_stays_until_others_have_it() {
    let table = table();
    let (_tracked, held, value) = large(&table);
    table.lend(held.task, value.clone(), &[Rank(2)]);
    table.fetch_to_read(held);
    table.arrived(held.task, &value);
    table.has_read(held.task);
    assert_eq!(drops(&table.take_requests()), 0);
    table.pulled(Rank(2), held.task);
    assert_eq!(drops(&table.take_requests()), 1);
}

#[test]
fn a_value_dropped_on_its_way_is_released_when_it_has_come() {
    let table = table();
    let (tracked, held, value) = large(&table);
    table.fetch(held);
    tracked.drop_reference(0);
    assert_eq!(releases(&table.take_requests()), 0, "its holder is to send it yet");
    table.arrived(held.task, &value);
    let requests = table.take_requests();
    assert_eq!((drops(&requests), releases(&requests)), (1, 1));
    assert!(table.left_over().iter().all(|(what, count)| *count == 0 || what.contains("layers")));
}

#[test]
fn a_task_dropped_before_it_ends_is_not_pending() {
    let table = table();
    let tracked = table.track(2, &Progress::Pending);
    for index in 0..2 {
        tracked.add_reference(index);
    }
    tracked.drop_reference(0);
    assert_eq!(table.pending_count(), 1);
    let values = [[1u8].as_slice(), &[1]].into_iter().collect();
    table.handle(ToClient::Finished(Finished { first: tracked.tasks.first, values }));
    assert_eq!(table.pending_count(), 0);
}

#[test]
fn an_empty_layer_takes_no_others_place() {
    let table = table();
    let empty = table.track(0, &Progress::Pending);
    let tracked = table.track(1, &Progress::Pending);
    drop(empty);
    let values = [[1u8].as_slice()].into_iter().collect();
    table.handle(ToClient::Finished(Finished { first: tracked.tasks.first, values }));
    assert!(!tracked.is_pending(0));
}
