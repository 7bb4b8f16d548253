//! Values that outlive the session that has published them.

use super::*;
use maniple::{Array, Future};

/// Publishes one value of each kind, and waits to be killed if that is asked for.
pub(super) fn publish(client: &Client, waits: bool) -> Result<()> {
    let squares = client.arange(0, 100_000, 1, 10_000).square();
    client.publish("squares", &squares)?;
    client.publish("numbers", &client.map(square, 0..10))?;
    client.publish("held", &client.scatter(vec![1_u8; 20_000_000])?)?;
    // One that has not ended when the session does.
    client.publish("nap", &client.submit(nap, 300))?;
    let error = client.publish("nap", &client.submit(nap, 1)).unwrap_err().to_string();
    assert!(error.contains("\"nap\" is published already"), "{error}");
    if waits {
        println!("published");
        thread::sleep(TIMEOUT);
    }
    Ok(())
}

/// Reads what [`publish`] has published, as values and in tasks.
pub(super) fn read(client: &Client) -> Result<()> {
    let names: Vec<String> = client.publications()?.into_iter().map(|published| published.name).collect();
    assert_eq!(names, ["held", "nap", "numbers", "squares"]);
    let squares: Array<i64> = client.published("squares")?;
    assert_eq!(squares.shape(), [100_000]);
    let sum = (0..100_000_i64).map(|x| x * x).sum::<i64>();
    assert_eq!(((&squares * 2).sum().compute()?, squares.compute()?[[99_999]]), (2 * sum, 99_999 * 99_999));
    let numbers: Vec<Future<u64>> = client.published("numbers")?;
    let again: Vec<Future<u64>> = client.published("numbers")?;
    drop(numbers);
    assert_eq!(client.gather(&again)?[9], 81);
    let total = client.submit(|numbers: &[u64]| numbers.iter().sum::<u64>(), &again);
    assert_eq!(total.result()?, 285);
    let held: Future<Vec<u8>> = client.published("held")?;
    assert_eq!(client.submit(|bytes: &[u8]| bytes.len(), &held).result()?, 20_000_000);
    assert!(held.result()?.iter().all(|byte| *byte == 1));
    let nap: Future<u64> = client.published("nap")?;
    assert_eq!(nap.result()?, 300);
    let error = client.published::<Future<u8>>("nap").unwrap_err().to_string();
    assert!(error.contains("Future<u64>, not as") && error.contains("Future<u8>"), "{error}");
    let error = client.published::<Future<u8>>("nothing").unwrap_err().to_string();
    assert!(error.contains("nothing is published as \"nothing\""), "{error}");
    Ok(())
}

/// Looks values up and lets go of them, while others do, and while they are on their way.
pub(super) fn look_up_again_and_again(client: &Client) -> Result<()> {
    for round in 0..30 {
        let held: Future<Vec<u8>> = client.published("held")?;
        let again: Future<Vec<u8>> = client.published("held")?;
        if round % 3 == 0 {
            drop(held);
        }
        thread::scope(|scope| {
            // The last future is dropped while the value comes, and the name is looked up at the same time.
            scope.spawn(move || drop(again.result()));
            let third: Future<Vec<u8>> = client.published("held").unwrap();
            assert_eq!(third.result().unwrap().len(), 20_000_000);
        });
    }
    Ok(())
}

pub(super) fn unpublish(client: &Client) -> Result<()> {
    for published in client.publications()? {
        assert!(client.unpublish(&published.name)?);
    }
    assert!(!client.unpublish("squares")?);
    Ok(())
}

#[test]
fn what_a_session_publishes_is_there_for_others_until_it_is_unpublished() {
    for way in ways([3, 4]) {
        for is_killed in [false, true] {
            let cluster = Cluster::start(way, "", &[]);
            if is_killed {
                let mut publisher = begun(cluster.session("publishes and waits"), "published");
                publisher.kill().unwrap();
                publisher.wait().unwrap();
            } else {
                assert_clean(&cluster.session("publishes").output().unwrap());
            }
            let readers: Vec<Child> = (0..2).map(|_| cluster.session("reads").spawn().unwrap()).collect();
            for reader in readers {
                assert_clean(&reader.wait_with_output().unwrap());
            }
            assert_clean(&cluster.session("looks up again and again").output().unwrap());
            assert_clean(&cluster.session("unpublishes").output().unwrap());
            assert_clean(&cluster.session("left over").output().unwrap());
            cluster.shut_down();
        }
    }
}

#[test]
fn a_run_that_publishes_to_itself_ends_well() {
    let run = Runtime::builder().threads(2).execute(|client| {
        publish(client, false)?;
        read(client)?;
        look_up_again_and_again(client)?;
        // A task looks it up, too.
        let lookup = |name: String| {
            let numbers: Vec<Future<u64>> = maniple::current().client().published(&name).unwrap();
            maniple::current().client().gather(&numbers).unwrap().iter().sum::<u64>()
        };
        assert_eq!(client.submit(lookup, "numbers".to_string()).result()?, 285);
        unpublish(client)
    });
    run.unwrap();
}
