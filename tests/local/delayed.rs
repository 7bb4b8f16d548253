//! Delayed calls: built without running, shared, culled, computed.

use maniple::{Error, SubmitOptions, delayed, prelude::*};
use std::sync::atomic::{AtomicU32, Ordering};

static RUNS: AtomicU32 = AtomicU32::new(0);

fn counted(x: i64) -> i64 {
    RUNS.fetch_add(1, Ordering::SeqCst);
    x + 1
}

fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn sum(values: &[i64]) -> i64 {
    values.iter().sum()
}

#[test]
fn calls_run_when_asked_for_and_once() -> Result<()> {
    Runtime::builder().threads(2).execute(|client| {
        let shared = delayed(counted, 1);
        let _never = delayed(counted, &shared);
        let parts: Vec<Delayed<i64>> = (0..10).map(|x| delayed(add, (&shared, x))).collect();
        let total = delayed(sum, &parts);
        let future = client.submit(add, (3, 4));
        let mixed = delayed(add, (&total, &future));
        assert_eq!(RUNS.load(Ordering::SeqCst), 0, "nothing runs while a graph is built");
        assert_eq!(client.compute_all(&[total.clone(), mixed])?, [65, 72]);
        assert_eq!(
            RUNS.load(Ordering::SeqCst),
            1,
            "what is shared runs once, what nobody asks for not at all"
        );
        // A delayed call stands where a task takes a value.
        assert_eq!(client.submit(add, (&total, 1)).result()?, 66);
        assert_eq!(client.submit(sum, &parts).result()?, 65);
        Ok(())
    })
}

#[test]
fn values_of_any_size_and_long_chains() -> Result<()> {
    Runtime::builder().threads(1).local_workers(2).execute(|client| {
        let long = delayed(|values: &[f64]| values.len() as i64, vec![1.0; 100_000]);
        assert_eq!(delayed(add, (&long, 1)).compute(client)?, 100_001);
        let mut chain = delayed(add, (0, 0));
        for _ in 0..20_000 {
            chain = delayed(add, (&chain, 1));
        }
        assert_eq!(chain.compute(client)?, 20_000);
        Ok(())
    })
}

#[test]
fn errors_name_the_call() -> Result<()> {
    Runtime::builder().threads(1).execute(|client| {
        let options = SubmitOptions::new().label("divide").retries(1);
        let broken = delayed(|x: i64| -> i64 { 1 / x }, 0).with(&options);
        let after = delayed(add, (&broken, 1));
        let Err(Error::Task(error)) = after.compute(client) else { panic!("it must fail") };
        assert_eq!((error.function.as_str(), error.attempts), ("divide", 2));
        Ok(())
    })
}

#[test]
fn graphs_are_drawn() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let parts: Vec<Delayed<i64>> = (0..5).map(|x| delayed(counted, x)).collect();
    let total = delayed(sum, &parts);
    let (dot, svg) = (folder.path().join("graph.dot"), folder.path().join("graph.svg"));
    total.visualize(&dot)?;
    total.visualize(&svg)?;
    let text = std::fs::read_to_string(dot).unwrap();
    assert_eq!((text.matches("label=\"counted\"").count(), text.matches(" -> n5").count()), (5, 5), "{text}");
    assert_eq!(std::fs::read_to_string(svg).unwrap().matches("counted").count(), 5);
    let error = total.visualize(folder.path().join("no/such/folder.svg")).unwrap_err().to_string();
    assert!(error.contains("no/such/folder.svg"), "{error}");
    Ok(())
}
