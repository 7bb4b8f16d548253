//! Runs that are killed and gone on with, and journals that cannot be used.

#[path = "support/itself.rs"]
mod itself;
#[cfg(feature = "mpi")]
mod support;

use itself::{text, ways};
use maniple::{
    Client, Result, Resume, Runtime, SubmitOptions,
    journal::record::{FileHead, read_file_head},
};
use std::{
    env,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

/// Set in the processes that a test has started: where the driver kills its process, if it does.
const PROGRAM: &str = "MANIPLE_JOURNAL_PROGRAM";
const TASKS: u64 = 1000;

/// How many of some points lie in the circle.
fn inside(task: u64) -> u64 {
    let mut state = task;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..2000).filter(|_| next().powi(2) + next().powi(2) < 1.0).count() as u64
}

fn counted(client: &Client, kill_after: Option<usize>) -> Result<()> {
    let counts = client.map_with(&SubmitOptions::new().checkpoint(), inside, 0..TASKS);
    for (place, _) in client.as_completed(&counts).enumerate() {
        if kill_after == Some(place) {
            // SAFETY: ends this process, as a node that dies would.
            unsafe { libc::kill(std::process::id() as i32, libc::SIGKILL) };
        }
    }
    let count: u64 = client.gather(&counts)?.iter().sum();
    println!("{count} inside, {} restored", client.restored_count());
    Ok(())
}

/// What the started processes do.
#[test]
fn program() {
    let Ok(program) = env::var(PROGRAM) else { return };
    let run = maniple::run(move |client| {
        if program == "journal vanishes" {
            fs::remove_dir_all(env::var_os("MANIPLE_JOURNAL").unwrap())?;
        }
        counted(client, program.parse().ok())
    });
    if let Err(error) = run {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

/// On how many ranks it is started besides.
const RANKS: [u32; 2] = [4, 2];

fn start(way: Option<u32>, program: &str, journal: &Path, resume: &str) -> Output {
    let mut command = itself::command(way);
    command.env(PROGRAM, program).env("MANIPLE_JOURNAL", journal).env("MANIPLE_RESUME", resume);
    command.stdin(Stdio::null()).output().unwrap()
}

/// How many tasks were restored, after a run that went well.
fn restored(output: &Output) -> u64 {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    let line = stdout.lines().find(|line| line.ends_with(" restored")).expect("the count is printed");
    let mut numbers = line.split(' ').filter_map(|word| word.parse::<u64>().ok());
    assert_eq!(numbers.next(), Some((0..TASKS).map(inside).sum()), "the same count");
    numbers.next().unwrap()
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let ways = ways(RANKS);
    for (index, way) in ways.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("new");
        let killed = start(*way, "300", &journal, "0");
        assert!(
            !killed.status.success() && text(&killed.stdout).lines().all(|line| !line.contains("inside"))
        );
        // With as many ranks, and with others.
        let resumed = start(*way, "goes on", &journal, "1");
        assert!(resumed.stderr.is_empty(), "{}", text(&resumed.stderr));
        // Workers may be far ahead of the driver, whose death is what ends them.
        let known = restored(&resumed);
        assert!((300..=TASKS).contains(&known), "{way:?}: {known} results were there");
        let other = ways[(index + 1) % ways.len()];
        assert_eq!(restored(&start(other, "goes on", &journal, "1")), TASKS);
    }
}

fn files(journal: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "journal")).collect()
}

#[test]
fn what_is_damaged_or_torn_is_computed_again() {
    if ways(RANKS).is_empty() {
        return;
    }
    let journal = tempfile::tempdir().unwrap();
    assert_eq!(restored(&start(None, "goes on", journal.path(), "0")), 0);
    let file = File::options().read(true).write(true).open(&files(journal.path())[0]).unwrap();
    let length = file.metadata().unwrap().len();
    let mut byte = [0];
    file.read_exact_at(&mut byte, length / 2).unwrap();
    file.write_all_at(&[byte[0] ^ 16], length / 2).unwrap();
    file.set_len(length - 5).unwrap();
    let output = start(None, "goes on", journal.path(), "1");
    assert_eq!(restored(&output), TASKS - 2, "one damaged, one torn");
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("Warning: the journal ") && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains("is damaged in 1 places: what was there is computed again"), "{stderr}");
}

#[test]
fn a_journal_that_cannot_be_written_stops_no_run() {
    for way in ways(RANKS) {
        let folder = tempfile::tempdir().unwrap();
        let output = start(way, "journal vanishes", &folder.path().join("journal"), "0");
        assert_eq!(restored(&output), 0);
        let stderr = text(&output.stderr);
        let told = stderr.lines().filter(|line| {
            line.starts_with("Warning: rank ") && line.contains("results cannot be kept in the journal")
        });
        let workers = way.map_or(1, |ranks| (ranks - 1).min(2)) as usize;
        assert_eq!((told.count(), stderr.lines().count()), (workers, workers), "once a worker: {stderr}");
    }
}

#[test]
fn what_keeps_a_run_from_its_journal_is_one_line() {
    for way in ways(RANKS) {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let refused = |resume: &str, journal: &Path, expected: &str| {
            let output = start(way, "goes on", journal, resume);
            let stderr = text(&output.stderr);
            assert!(!output.status.success(), "{expected}");
            assert_eq!(stderr.matches("Error: ").count(), 1, "{stderr}");
            assert!(stderr.contains(expected), "{stderr}");
        };
        fs::write(folder.path().join("file"), "").unwrap();
        refused("0", &folder.path().join("file"), "cannot be used: ");
        refused("perhaps", &journal, "MANIPLE_RESUME");
        assert_eq!(restored(&start(way, "goes on", &journal, "1")), 0, "nobody has written it");
        refused(
            "0",
            &journal,
            "has results of an earlier run: go on with them (--resume, or MANIPLE_RESUME=1)",
        );
        fs::write(journal.join("in-use"), "elsewhere 12\n").unwrap();
        refused("1", &journal, "is in use by another run (elsewhere, process 12)");
        fs::remove_file(journal.join("in-use")).unwrap();
        for path in files(&journal) {
            let mut file = File::options().read(true).write(true).open(path).unwrap();
            let head = read_file_head(&mut file).unwrap().unwrap();
            file.write_all_at(&FileHead { build: head.build ^ 1, ..head }.encode(), 0).unwrap();
        }
        refused("1", &journal, "is of another build of this program");
        assert_eq!(restored(&start(way, "goes on", &journal, "any-build")), TASKS);
        assert!(!journal.join("in-use").exists(), "nobody uses it any more");
    }
}

fn block(number: u64, length: usize) -> Vec<f64> {
    (0..length).map(|index| (number * 1000 + index as u64) as f64).collect()
}

/// Large values, lists of them, arguments of all kinds, arrays, and what cannot be kept.
fn all_kinds(client: &Client) -> Result<(f64, u64)> {
    let kept = SubmitOptions::new().checkpoint();
    let large = client.scatter(vec![0.5; 2000])?;
    let blocks = client.map_with(&kept, block, (0..20).map(|number| (number, 100 + 10 * number as usize)));
    let add =
        |block: &[f64], large: &[f64], more: Vec<f64>| block.iter().chain(large).chain(&more).sum::<f64>();
    let sums = client.map_with(&kept, add, blocks.iter().map(|block| (block, &large, vec![1.0; 300])));
    let total = client.submit_with(&kept, |sums: &[f64]| sums.iter().sum::<f64>(), &sums).result()?;
    let length = client.submit(|blocks: &[f64]| blocks.len(), &blocks[7]).result()?;
    let x = client.random(7).uniform::<f64>(0.0, 1.0, [60, 50], [20, 25]);
    let product = x.t().rechunk([10, 60]).checkpoint()?.matmul(&x).checkpoint()?;
    let x: f64 = product.sum().compute()?;
    let ranks = client.run_on_workers(|| maniple::current().rank().0, ());
    // Of one name.
    let twice = {
        fn change(x: u64) -> u64 {
            2 * x
        }
        client.submit_with(&kept, change, 8).result()?
    };
    let thrice = {
        fn change(x: u64) -> u64 {
            3 * x
        }
        client.submit_with(&kept, change, 8).result()?
    };
    assert_eq!((twice, thrice), (16, 24));
    let named = client.submit_with(&kept, |ranks: &[u32]| ranks.len(), &ranks).result()?;
    assert_eq!(named, client.cluster().worker_count());
    Ok((total + x + length as f64, client.restored_count()))
}

#[test]
fn values_of_all_kinds_come_back_to_any_number_of_workers() {
    if ways(RANKS).is_empty() {
        return;
    }
    let plain = Runtime::builder().execute(all_kinds).unwrap();
    let journal = tempfile::tempdir().unwrap();
    let on = |workers: u32, resume| {
        let builder = Runtime::builder().threads(2).local_workers(workers);
        builder.journal(&journal).resume(resume).execute(all_kinds).unwrap()
    };
    assert_eq!(on(2, Resume::No), plain);
    let again = on(3, Resume::Yes);
    assert_eq!(again.0, plain.0);
    assert!(again.1 > 50, "{} results were there", again.1);
    assert_eq!(on(1, Resume::Yes), again);
}
