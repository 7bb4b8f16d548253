//! Futures and arrays where they cannot be used.

use maniple::{Client, Error, Result, Runtime};
use std::{
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

/// Calls `use_it` with the client of one run and what `make` has made in another run, which still stands.
fn in_another_run<T: Send>(
    make: impl FnOnce(&Client) -> Result<T> + Send,
    use_it: impl FnOnce(&Client, T) -> Error + Send,
) -> String {
    let ((hand, handed), (end, ended)) = (channel(), channel::<()>());
    let runtime = || Runtime::builder().local_workers(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            runtime().execute(move |client| {
                let _ = hand.send(make(client)?);
                let _ = ended.recv();
                Ok(())
            })
        });
        let error = runtime().execute(move |client| Ok(use_it(client, handed.recv().unwrap()).to_string()));
        drop(end);
        error.unwrap()
    })
}

#[test]
fn a_future_of_another_run_is_refused() {
    const WORDS: &str = "a future of another run is passed";
    let error = in_another_run(
        |client| Ok(client.submit(|x: i64| x + 1, 1i64)),
        |client, future| client.submit(|x: i64| x, &future).result().unwrap_err(),
    );
    assert!(error.contains(WORDS), "{error}");
    let error = in_another_run(
        |client| Ok(client.map(|x: i64| x + 1, 0i64..3)),
        |client, futures| client.submit(|x: &[i64]| x.len() as u64, &futures).result().unwrap_err(),
    );
    assert!(error.contains(WORDS), "{error}");
    let error = in_another_run(
        |client| client.arange(0i64, 6, 1, 2).persist(),
        |client, x| (client.arange(0i64, 6, 1, 2) + x).compute().unwrap_err(),
    );
    assert!(error.contains(WORDS), "{error}");
}

/// A worker's thread that goes on with the next task at once holds back what the last one has given, but not for long.
#[test]
fn a_result_does_not_wait_for_the_task_that_goes_on_with_it() {
    fn lasts(x: u64) -> u64 {
        thread::sleep(Duration::from_secs(2));
        x + 1
    }
    Runtime::builder()
        .threads(1)
        .local_workers(1)
        .execute(|client| {
            for _ in 0..3 {
                let start = Instant::now();
                let first = client.submit(|x: u64| x, 1);
                let second = client.submit(lasts, &first);
                assert_eq!(first.result()?, 1);
                assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
                assert_eq!(second.result()?, 2);
            }
            Ok(())
        })
        .unwrap();
}
