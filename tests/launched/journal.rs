//! Runs that are killed and gone on with, and journals that cannot be used.

use crate::support::itself;
use itself::{text, ways};
use maniple::{
    Client, Result, Resume, Runtime, SubmitOptions,
    internals::journal::record::{FileHead, read_file_head},
};
use std::{
    env,
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Set in the processes that a test has started: where the driver kills its process, if it does.
const PROGRAM: &str = "MANIPLE_JOURNAL_PROGRAM";
const TASKS: u64 = 1000;

/// Set in a run that is to be killed: tasks from this one on do not end.
const GATE: &str = "MANIPLE_JOURNAL_GATE";

/// How many of some points lie in the circle.
fn inside(task: u64) -> u64 {
    if env::var(GATE).is_ok_and(|first| task >= first.parse().unwrap()) {
        loop {
            std::thread::park();
        }
    }
    let mut state = task;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..2000).filter(|_| next().powi(2) + next().powi(2) < 1.0).count() as u64
}

fn counted(client: &Client, kill_after: Option<usize>) -> Result<()> {
    let counts = client.with(&SubmitOptions::new().checkpoint()).map(inside, 0..TASKS);
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

/// Has a scratch directory in use while a run of another PID namespace starts, which wants one, too, and the journal.
fn beside_another_namespace(client: &Client) -> Result<()> {
    let scratch = || {
        let path = maniple::current().scratch_directory().unwrap();
        fs::write(path.join("half-done"), "two hours of work").unwrap();
        path
    };
    let path = client.submit(scratch, ()).result()?;
    let other = |program: &str, journal: &str| {
        let mut command = Command::new("unshare");
        command.args(["-Urpf", "--mount-proc"]).arg(env::current_exe()?).args(itself::ARGS);
        command.env(PROGRAM, program).env("MANIPLE_JOURNAL", journal).env("MANIPLE_RESUME", "1");
        command.output()
    };
    let journal = env::var("MANIPLE_JOURNAL").unwrap();
    let refused = other("goes on", &journal)?;
    assert!(!refused.status.success());
    let stderr = text(&refused.stderr);
    assert!(
        stderr.contains("is in use by another run (") && stderr.matches("Error: ").count() == 1,
        "{stderr}"
    );
    let with_scratch = other("scratch", &format!("{journal}-of-the-other"))?;
    assert!(with_scratch.status.success(), "{}", text(&with_scratch.stderr));
    assert!(path.join("half-done").exists(), "it is in use");
    println!("both went on");
    Ok(())
}

/// Writes files of all kinds into a directory, besides those of the run itself.
fn write_all(client: &Client, directory: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(directory.join("x.zarr"));
    let kept = SubmitOptions::new().checkpoint();
    let blocks = client.with(&kept).map(block, (0..20).map(|number| (number, 200usize)));
    client.gather(&blocks)?;
    client.dump_state(directory.join("state.json"))?;
    let x = client.random(7).uniform::<f64>(0.0, 1.0, [60, 50], [20, 25]);
    let y = x.t().matmul(&x);
    y.visualize(directory.join("graph.svg"))?;
    y.visualize(directory.join("graph.dot"))?;
    y.store_npy(directory.join("y.npy"))?;
    #[cfg(feature = "zarr")]
    y.store_zarr(directory.join("x.zarr"))?;
    println!("{} written", client.from_npy::<f64>(directory.join("y.npy"), [50, 50])?.size());
    Ok(())
}

/// What the started processes do.
pub(crate) fn program() {
    let Ok(program) = env::var(PROGRAM) else { return };
    if let Some(directory) = program.strip_prefix("write into ") {
        let directory = Path::new(directory);
        let builder = Runtime::builder()
            .journal(directory.join("journal"))
            .resume(Resume::Yes)
            .report(directory.join("run.html"))
            .trace(directory.join("run.json"));
        return builder.run(|client| write_all(client, directory)).unwrap();
    }
    let run = maniple::run(move |client| {
        if program == "journal vanishes" {
            fs::remove_dir_all(env::var_os("MANIPLE_JOURNAL").unwrap())?;
        }
        match program.as_str() {
            "beside another namespace" => return beside_another_namespace(client),
            "scratch" => {
                let scratch = || maniple::current().scratch_directory().unwrap();
                return client.submit(scratch, ()).result().map(drop);
            }
            _ => {}
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
        const GATED_FROM: u64 = 900;
        let mut command = itself::command(*way);
        command.env(PROGRAM, "300").env("MANIPLE_JOURNAL", &journal).env(GATE, GATED_FROM.to_string());
        let killed = command.stdin(Stdio::null()).output().unwrap();
        assert!(
            !killed.status.success() && text(&killed.stdout).lines().all(|line| !line.contains("inside"))
        );
        // With as many ranks, and with others.
        let resumed = start(*way, "goes on", &journal, "1");
        assert!(resumed.stderr.is_empty(), "{}", text(&resumed.stderr));
        // Workers may be far ahead of the driver, whose death is what ends them.
        let known = restored(&resumed);
        assert!((300..=GATED_FROM).contains(&known), "{way:?}: {known} results were there");
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
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        refused("0", &open, "cannot be used: every user can write to it (mode 777)");
        // Only root can give a directory away.
        if std::os::unix::fs::chown(&open, Some(65533), None).is_ok() {
            refused("0", &open, "cannot be used: it belongs to another user (65533)");
        }
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

/// A process of another namespace of this host cannot be asked by its number whether it lives.
#[test]
fn a_run_of_another_pid_namespace_takes_nothing_that_is_in_use() {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    let made = Command::new("unshare").args(["-Urpf", "--mount-proc", "true"]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        println!("skipped: no PID namespace can be made here");
        return;
    }
    let (journal, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = itself::command(None);
    command.env(PROGRAM, "beside another namespace").env("MANIPLE_JOURNAL", journal.path().join("journal"));
    let output = command.env("MANIPLE_LOCAL_DIRECTORY", local.path()).output().unwrap();
    assert!(text(&output.stdout).contains("both went on"), "{output:?}");
    assert_eq!(fs::read_dir(local.path()).unwrap().count(), 0, "nothing is left");
}

/// Checks that the files that have their name are whole, and returns how many there are.
fn whole(directory: &Path) -> usize {
    let is_whole = |name: &str, bytes: &[u8]| match name {
        "run.html" => bytes.trim_ascii().ends_with(b"</html>"),
        "graph.svg" => bytes.trim_ascii().ends_with(b"</svg>"),
        "graph.dot" => bytes.trim_ascii().ends_with(b"}"),
        "run.json" | "state.json" => serde_json::from_slice::<serde_json::Value>(bytes).is_ok(),
        _ => bytes.len() == 50 * 50 * 8 + 128,
    };
    let names = ["run.html", "graph.svg", "graph.dot", "run.json", "state.json", "y.npy"];
    let files = names.iter().filter_map(|name| Some((name, fs::read(directory.join(name)).ok()?)));
    files.inspect(|(name, bytes)| assert!(is_whole(name, bytes), "{name} is not whole")).count()
}

/// The system ends a process that writes more to a file than it may: in the middle of whichever writer gets there.
#[test]
fn a_run_killed_while_it_writes_leaves_nothing_that_is_in_the_way_of_the_next() {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |bytes_max: u64| {
        use std::os::unix::process::{CommandExt, ExitStatusExt};
        let limit = move || {
            for (what, bytes) in [(libc::RLIMIT_FSIZE, bytes_max), (libc::RLIMIT_CORE, 0)] {
                let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
                // SAFETY: the limit outlives the call.
                assert_eq!(unsafe { libc::setrlimit(what, &limit) }, 0);
            }
            Ok(())
        };
        let mut command = itself::command(None);
        command.env(PROGRAM, format!("write into {}", folder.path().display()));
        // SAFETY: the closure makes system calls only.
        let output = unsafe { command.pre_exec(limit) }.output().unwrap();
        (output.status.signal(), output)
    };
    let mut killed_with = Vec::new();
    // So large are the files: of the claims, of a graph, of blocks, of the array, of the report.
    for bytes_max in [1, 200, 1000, 3000, 10_000, 18_000, 30_000, 60_000] {
        let (signal, output) = run(bytes_max);
        if signal == Some(libc::SIGXFSZ) {
            killed_with.push(whole(folder.path()));
        } else {
            assert!(output.status.success(), "{output:?}");
        }
        let (signal, output) = run(libc::RLIM_INFINITY);
        assert!(signal.is_none() && output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(whole(folder.path()), 6);
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        left.retain(|name| name != "x.zarr");
        assert_eq!(
            left,
            ["graph.dot", "graph.svg", "journal", "run.html", "run.json", "state.json", "y.npy"],
            "after {bytes_max}"
        );
        assert_eq!(
            fs::read_dir(folder.path().join("journal")).unwrap().count(),
            files(&folder.path().join("journal")).len()
        );
    }
    assert!(killed_with.len() >= 5, "{killed_with:?}");
}

fn block(number: u64, length: usize) -> Vec<f64> {
    (0..length).map(|index| (number * 1000 + index as u64) as f64).collect()
}

/// Large values, lists of them, arguments of all kinds, arrays, and what cannot be kept.
fn all_kinds(client: &Client) -> Result<(f64, u64)> {
    let kept = SubmitOptions::new().checkpoint();
    let large = client.scatter(vec![0.5; 2000])?;
    let blocks = client.with(&kept).map(block, (0..20).map(|number| (number, 100 + 10 * number as usize)));
    let add =
        |block: &[f64], large: &[f64], more: Vec<f64>| block.iter().chain(large).chain(&more).sum::<f64>();
    let sums = client.with(&kept).map(add, blocks.iter().map(|block| (block, &large, vec![1.0; 300])));
    let total = client.with(&kept).submit(|sums: &[f64]| sums.iter().sum::<f64>(), &sums).result()?;
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
        client.with(&kept).submit(change, 8).result()?
    };
    let thrice = {
        fn change(x: u64) -> u64 {
            3 * x
        }
        client.with(&kept).submit(change, 8).result()?
    };
    assert_eq!((twice, thrice), (16, 24));
    let named = client.with(&kept).submit(|ranks: &[u32]| ranks.len(), &ranks).result()?;
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
