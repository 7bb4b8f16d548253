//! The functions that the driver's tasks run.

use maniple::{
    Shared, current,
    internals::simulation::{poll, wait_in_task},
};

/// How errors begin that tell of a flipped bit.
pub(super) const DAMAGED: &str = "its copy on the disk of this worker is damaged";

pub(super) fn number(x: u64) -> u64 {
    // Large numbers take more bytes encoded than in memory.
    x.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (x % 64)
}

pub(super) fn constant() -> u64 {
    42
}

pub(super) fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

pub(super) fn sum(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, value| sum.wrapping_add(*value))
}

pub(super) fn grow(x: u64, count: u64) -> Vec<u64> {
    (0..count).map(|index| x.wrapping_add(number(index))).collect()
}

pub(super) fn extend(mut values: Vec<u64>, x: u64) -> Vec<u64> {
    values.push(x);
    values
}

pub(super) fn merge(lists: Vec<Shared<Vec<u64>>>) -> Vec<u64> {
    lists.iter().flat_map(|list| list.iter().copied()).collect()
}

pub(super) fn flaky(x: u64, failures: u32) -> u64 {
    let attempt = current().attempt();
    assert!(attempt >= failures, "attempt {attempt} of {x} fails");
    x
}

/// Runs on one of these ranks only.
pub(super) fn placed(x: u64, ranks: Vec<u32>) -> u64 {
    assert!(ranks.contains(&current().rank().0), "not on {}", current().rank());
    x
}

/// Goes on until somebody says that nobody waits for it.
pub(super) fn patient(x: u64) -> u64 {
    let task = current();
    wait_in_task(move || task.cancelled());
    x
}

pub(super) fn where_am_i(x: u64) -> u64 {
    x.wrapping_add(current().rank().0.into())
}

/// Has tasks of its own run, and waits for them.
pub(super) fn nest(x: u64, depth: u64) -> u64 {
    let client = current().client().clone();
    let parts = client.map(grow, (0..3).map(|index| (x, 20 * index)));
    let joined = client.submit(merge, &parts);
    let deeper = client.submit(if_deeper, (x, depth));
    let answer = client.submit(add, (client.submit(sum, &joined), &deeper));
    let expected = nested(x, depth);
    let mut asked = false;
    wait_in_task(move || {
        let answered = poll(&answer, &mut asked);
        answered.is_some_and(|result| {
            match result {
                Ok(value) => assert_eq!(value, expected),
                Err(error) if error.to_string().contains(DAMAGED) => {}
                Err(error) => assert!(error.is_stopping() && client.stopping(), "a nested task: {error}"),
            }
            true
        })
    });
    expected
}

pub(super) fn if_deeper(x: u64, depth: u64) -> u64 {
    if depth > 0 { nest(x, depth - 1) } else { x }
}

pub(super) fn nested(x: u64, depth: u64) -> u64 {
    let lists = (0..3).flat_map(|index| grow(x, 20 * index)).collect::<Vec<u64>>();
    sum(&lists).wrapping_add(if depth > 0 { nested(x, depth - 1) } else { x })
}

pub(super) fn sum_of(values: Vec<u64>) -> u64 {
    sum(&values)
}
