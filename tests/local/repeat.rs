//! Steps that are sent to the workers once.

use maniple::{Client, Error, Future, Reason, Result, Runtime, array::Boundary};
use ndarray::ArrayD;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

fn on(workers: u32, threads: u32) -> maniple::Builder {
    Runtime::builder().local_workers(workers).threads(threads)
}

/// What a loop gives, and what a repetition gives.
fn both<S: maniple::Publish + Clone, T>(
    client: &Client,
    steps: usize,
    state: &S,
    step: impl Fn(&Client, S) -> Result<S>,
    value: impl Fn(&S) -> Result<T>,
) -> Result<(T, T)> {
    let looped = (0..steps).try_fold(state.clone(), |state, _| step(client, state))?;
    let repeated = client.repeat(steps, state.clone(), step)?;
    Ok((value(&looped)?, value(&repeated)?))
}

fn mix(a: u64, b: u64, c: u64) -> u64 {
    (a ^ b.rotate_left(7) ^ c.rotate_left(31)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[test]
fn a_ring_of_small_values_is_that_of_a_loop() {
    for (workers, threads) in [(1, 1), (1, 2), (2, 1), (3, 2)] {
        for steps in [0, 1, 2, 7, 8, 9, 300] {
            let (looped, repeated) = on(workers, threads)
                .execute(|client| {
                    let ring = client.map(|i: u64| i * i, 0..9);
                    let step = |client: &Client, ring: Vec<Future<u64>>| {
                        let around = (0..9).map(|i| (&ring[(i + 8) % 9], &ring[i], &ring[(i + 1) % 9]));
                        Ok(client.map(mix, around))
                    };
                    both(client, steps, &ring, step, |ring| client.gather(ring))
                })
                .unwrap();
            assert_eq!(looped, repeated, "{workers} workers of {threads} threads, {steps} steps");
        }
    }
}

#[test]
fn large_values_lists_and_constants_are_those_of_a_loop() {
    fn add(own: &[u64], all: Vec<maniple::Shared<Vec<u64>>>, sum: u64, factor: u64) -> Vec<u64> {
        let all = all.iter().map(|other| other[other.len() - 1]).sum::<u64>();
        own.iter().map(|x| x.wrapping_mul(factor).wrapping_add(all ^ sum)).collect()
    }
    for workers in [1, 2, 3] {
        let (looped, repeated) = on(workers, 1)
            .execute(|client| {
                let rows = client.map(|i: u64| vec![i; 5000], 0..4);
                let factor = client.submit(|| 3u64, ());
                let step = |client: &Client, rows: Vec<Future<Vec<u64>>>| {
                    let sum = client.submit(|rows: Vec<maniple::Shared<Vec<u64>>>| rows[1][0], &rows);
                    let items = rows.iter().map(|row| (row, &rows, &sum, &factor));
                    Ok(client.map(add, items))
                };
                both(client, 20, &rows, step, |rows| client.gather(rows))
            })
            .unwrap();
        assert_eq!(looped, repeated, "{workers} workers");
    }
}

#[test]
fn a_single_future_and_what_stays_the_same() -> Result<()> {
    on(2, 1).execute(|client| {
        let one = client.submit(|| 1u64, ());
        let power = client.repeat(10, one, |client, x| Ok(client.submit(|x: u64| 2 * x, &x)))?;
        assert_eq!(power.result()?, 1024);
        let pair = client.map(|x: u64| x, [5, 1]);
        let pair = client.repeat(10, pair, |client, pair| {
            Ok(vec![pair[0].clone(), client.submit(|a: u64, b: u64| a + b, (&pair[0], &pair[1]))])
        })?;
        assert_eq!(client.gather(&pair)?, [5, 51]);
        // Places that are exchanged are submitted step by step.
        let pair = client.repeat(3, pair, |_, pair| Ok(vec![pair[1].clone(), pair[0].clone()]))?;
        assert_eq!(client.gather(&pair)?, [51, 5]);
        Ok(())
    })
}

#[test]
fn an_array_spreads_over_blocks_of_several_workers() {
    fn spread(block: &ArrayD<f64>) -> ArrayD<f64> {
        let mut new = block.clone();
        for i in 1..block.shape()[0] - 1 {
            for j in 1..block.shape()[1] - 1 {
                let around = block[[i - 1, j]] + block[[i + 1, j]] + block[[i, j - 1]] + block[[i, j + 1]];
                new[[i, j]] += 0.2 * (around - 4.0 * block[[i, j]]);
            }
        }
        new
    }
    for workers in [1, 2, 3] {
        let (looped, repeated) = on(workers, 1)
            .execute(|client| {
                let plate = client.random(7).uniform::<f64>(0.0, 1.0, [50, 60], 20).persist()?;
                let step = |_: &Client, plate: maniple::Array<f64>| {
                    Ok(plate.map_overlap(spread, &[1, 1], Boundary::Constant(0.0)))
                };
                both(client, 25, &plate, step, |plate| plate.compute())
            })
            .unwrap();
        assert_eq!(looped, repeated, "{workers} workers");
    }
}

#[test]
fn a_failure_ends_all_and_keeps_its_words() {
    fn fails(x: u64, step: u64) -> u64 {
        assert!(x < 2000, "too large: {x} after {step}");
        x + 1
    }
    on(2, 1)
        .execute(|client| {
            let row = client.map(|i: u64| i * 1000, 0..4);
            let row = client
                .repeat(1_000_000, row, |client, row| Ok(client.map(fails, row.iter().map(|x| (x, 7u64)))))?;
            let error = row[0].result().unwrap_err();
            assert_eq!(client.submit(|x: u32| x + 1, 1).result()?, 2, "the workers go on");
            let Error::Task(error) = error else { panic!("{error}") };
            assert_eq!(error.reason, Reason::Panic);
            assert!(error.message.contains("too large: 2000 after 7"), "{error}");
            assert!(error.function.contains("fails"), "{error}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_repetition_can_be_cancelled() {
    on(2, 1)
        .execute(|client| {
            let pair = client.map(|x: u64| x, 0..2);
            let pair = client.repeat(usize::MAX >> 1, pair, |client, pair| {
                Ok(client.map(|a: u64, b: u64| a ^ b, [(&pair[0], &pair[1]), (&pair[1], &pair[0])]))
            })?;
            pair[0].wait(Duration::from_millis(200)).unwrap_err();
            client.cancel(&pair);
            assert!(pair[0].result().is_err());
            drop(pair);
            let after = client.submit(|x: u64| x + 1, 1);
            after.wait(Duration::from_secs(20))?;
            assert_eq!(after.result()?, 2);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_a_step_must_not_do_is_said() {
    on(1, 1)
        .execute(|client| {
            let one = || client.submit(|| 1u64, ());
            let error = client
                .repeat(3, one(), |client, x| {
                    x.result()?;
                    Ok(client.submit(|x: u64| x, &x))
                })
                .unwrap_err();
            assert!(error.to_string().contains("cannot wait for values"), "{error}");
            let error = client
                .repeat(3, vec![one()], |client, x| Ok(client.map(|x: u64| x, [&x[0], &x[0]])))
                .unwrap_err();
            assert!(error.to_string().contains("takes 1 futures gives 2"), "{error}");
            // The client of the run cannot take what stands for the values of a step.
            let outer = client.clone();
            let mixed = client.repeat(3, one(), |client, x| {
                let more = outer.submit(|x: u64| x + 1, &x);
                Ok(client.submit(|a: u64, b: u64| a + b, (&x, &more)))
            })?;
            let error = mixed.result().unwrap_err();
            assert!(error.to_string().contains("a future of another run"), "{error}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn two_repetitions_and_other_tasks_share_the_threads() {
    static RAN: AtomicU32 = AtomicU32::new(0);
    on(2, 1)
        .execute(|client| {
            let start = |first: u64| {
                let row = client.map(|x: u64| x, [first, first + 1]);
                client.repeat(2000, row, |client, row| {
                    Ok(client.map(|a: u64, b: u64| a.max(b), [(&row[0], &row[1]), (&row[1], &row[0])]))
                })
            };
            let (a, b) = (start(10)?, start(20)?);
            let others = client.map(|_: u32| RAN.fetch_add(1, Ordering::Relaxed), 0..100);
            assert_eq!(client.gather(&a)?, [11, 11]);
            assert_eq!(client.gather(&b)?, [21, 21]);
            client.gather(&others)?;
            assert_eq!(RAN.load(Ordering::Relaxed), 100);
            Ok(())
        })
        .unwrap();
}
