//! A cluster that stands, and programs that connect to it: without a launcher and with each MPI.

mod forwarder;
#[cfg(feature = "mpi")]
mod losses;
mod modules;
mod published;
mod ssh;
mod strangers;

use crate::support::{example, itself};
use itself::{text, ways};
use maniple::{Client, Error, Result, Runtime, clusters};
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Writes a connection file, which only this user may read.
fn write_connection(file: &Path, connection: &serde_json::Value) {
    fs::write(file, connection.to_string()).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Set in the processes that a test has started: which driver they have.
const PROGRAM: &str = "MANIPLE_SESSIONS_PROGRAM";
/// Longer than any of these programs takes.
const TIMEOUT: Duration = Duration::from_secs(60);

fn square(x: u64) -> u64 {
    x * x
}

fn nap(milliseconds: u64) -> u64 {
    thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

/// What a driver can do, a session can.
fn everything(client: &Client) -> Result<()> {
    assert_eq!(client.submit(square, 7).result()?, 49);
    let squares = client.map(square, 0..1000);
    let sum = client.submit(|squares: &[u64]| squares.iter().sum::<u64>(), &squares);
    assert_eq!(sum.result()?, 332_833_500);
    assert_eq!(client.gather(&squares)?[999], 998_001);
    let few = client.map(square, 0..20);
    let mut ended: Vec<u64> =
        client.as_completed(&few).map(|future| future.result()).collect::<Result<_>>()?;
    ended.sort_unstable();
    assert_eq!(ended, (0..20).map(square).collect::<Vec<_>>());
    // Large values, there and back; one beyond any window.
    let length = 3_000_000;
    let numbers = client.scatter((0..length).map(|x| x as f64).collect::<Vec<f64>>())?;
    let halves = client.submit(|x: &[f64]| x.iter().map(|x| x / 2.0).collect::<Vec<f64>>(), &numbers);
    let back: Vec<f64> = halves.result()?;
    assert!(back.iter().enumerate().all(|(place, half)| *half == place as f64 / 2.0) && back.len() == length);
    let everywhere = client.broadcast(vec![1_u8; 5_000_000])?;
    let sums = client
        .run_on_workers(|bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>(), &everywhere);
    assert!(client.gather(&sums)?.iter().all(|sum| *sum == 5_000_000));
    let large = client.submit(|bytes: Vec<u8>| bytes.len(), vec![7_u8; 9_000_000]);
    assert_eq!(large.result()?, 9_000_000);
    // Arrays.
    let x = client.arange(0, 1_000_000, 1, 100_000);
    assert_eq!((&x * 2).sum().compute()?, 999_999_000_000);
    let y = client.persist(&x.reshape([1000, 1000]))?.t();
    assert_eq!(client.compute(&y)?[[3, 2]], 2003);
    // Errors, and tasks that submit tasks.
    let error = client.submit(|x: u64| -> u64 { panic!("no {x}") }, 5).result().unwrap_err();
    assert!(error.to_string().contains("no 5"), "{error}");
    let nested = client.submit(|x: u64| maniple::current().client().submit(square, x).result().unwrap(), 9);
    assert_eq!(nested.result()?, 81);
    let slow = client.map(nap, vec![300; 50]);
    client.cancel(&slow[1..]);
    assert!(slow[40].result().is_err());
    Ok(())
}

/// What the ranks hold, and the scheduler knows; nothing where that is nothing.
fn left_over(client: &Client) -> Result<String> {
    let path = env::temp_dir().join(format!("sessions-{}.json", std::process::id()));
    client.dump_state(&path)?;
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ranks = state["ranks"].as_array().unwrap();
    let count = |rank: &serde_json::Value| {
        let scheduler = |name: &str| rank["scheduler"][name].as_u64().unwrap_or(0);
        let own = rank["values"].as_u64().unwrap() + rank["bytes"].as_u64().unwrap();
        own + scheduler("records") + scheduler("waiting") + scheduler("assigned")
    };
    let left: u64 = ranks.iter().map(count).sum();
    Ok(if left == 0 { String::new() } else { text })
}

fn drive(program: &str) -> Result<u64> {
    maniple::run(|client| {
        match program {
            "everything" => everything(client)?,
            "everything thrice" => {
                println!("connected");
                (0..3).try_for_each(|_| everything(client))?;
            }
            "square" => {
                let numbers = client.map(square, 0..10);
                println!("sum {}", client.gather(&numbers)?.iter().sum::<u64>());
            }
            "publishes" => published::publish(client, false)?,
            "publishes and waits" => published::publish(client, true)?,
            "reads" => published::read(client)?,
            "looks up again and again" => published::look_up_again_and_again(client)?,
            "unpublishes" => published::unpublish(client)?,
            #[cfg(feature = "mpi")]
            "loses a worker" => losses::lose_a_worker(client)?,
            "calls a module" => modules::call(client)?,
            "is refused a module" => modules::be_refused(client)?,
            "shutdown" => client.shutdown(),
            "shutdown in a moment" => {
                println!("connected");
                thread::sleep(Duration::from_millis(500));
                client.shutdown();
            }
            "waits" => {
                let naps = client.map(nap, vec![20; 100_000]);
                println!("waiting");
                client.gather(&naps)?;
            }
            "holds" => {
                let held = client.scatter(vec![1_u8; 50_000_000])?;
                let more = client.map(|x: &[u8]| x.to_vec(), vec![&held; 4]);
                client.gather(&more)?;
                println!("holding");
                thread::sleep(TIMEOUT);
            }
            "forgets" => {
                // It ends without dropping its futures, with tasks that run and a value that travels.
                std::mem::forget(client.map(nap, vec![50; 1000]));
                std::mem::forget(client.scatter(vec![1_u8; 20_000_000])?);
            }
            "left over" => {
                let deadline = Instant::now() + TIMEOUT / 2;
                loop {
                    let left = left_over(client)?;
                    if left.is_empty() {
                        break;
                    }
                    assert!(Instant::now() < deadline, "{left}");
                    thread::sleep(Duration::from_millis(10));
                }
            }
            other => panic!("{other}"),
        }
        Ok(1)
    })
}

/// What the started processes do.
pub(crate) fn program() -> Result<()> {
    let Ok(program) = env::var(PROGRAM) else { return Ok(()) };
    if program == "lists" {
        for cluster in clusters::list()? {
            println!("cluster {} of {} with {:?} sessions", cluster.name, cluster.workers, cluster.sessions);
        }
        return Ok(());
    }
    if program == "another user" {
        strangers::try_as_another_user();
        return Ok(());
    }
    drive(&program).map(drop)
}

/// A cluster that a test has started.
struct Cluster {
    process: Child,
    folder: tempfile::TempDir,
    lines: Option<thread::JoinHandle<String>>,
}

impl Cluster {
    fn start(way: Option<u32>, words: &str, variables: &[(&str, &str)]) -> Self {
        Self::of(itself::command(way), words, variables)
    }

    fn of(mut command: Command, words: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluster.json");
        let words = [words, &file.display().to_string()].join(",");
        command.env(PROGRAM, "square").env("MANIPLE_SERVE", words).envs(variables.iter().copied());
        command.env("MANIPLE_LOCAL_WORKERS", "2").env("MANIPLE_THREADS", "2").process_group(0);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        assert!(first.contains("stands on"), "{first}");
        let lines = thread::spawn(move || {
            let mut text = String::new();
            lines.lines().map_while(|line| line.ok()).for_each(|line| text += &(line + "\n"));
            text
        });
        Self { process, folder, lines: Some(lines) }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cluster.json")
    }

    fn session(&self, program: &str) -> Command {
        session(&self.file(), program)
    }

    /// Waits for its end. Returns what it printed.
    fn end(mut self) -> (std::process::ExitStatus, String) {
        let deadline = Instant::now() + TIMEOUT;
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the cluster does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.process.wait().unwrap();
        let text = self.lines.take().unwrap().join().unwrap();
        assert!(!self.file().exists(), "the connection file is left");
        (status, text)
    }

    /// Has a session end it, and checks that it ends well.
    fn shut_down(self) {
        assert_clean(&self.session("shutdown").output().unwrap());
        let (status, text) = self.end();
        assert!(status.success(), "{status}: {text}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SAFETY: signals the process group that was made for the cluster; it may have ended.
        unsafe { libc::kill(-(self.process.id() as i32), libc::SIGKILL) };
        let _ = self.process.wait();
    }
}

fn session(file: &Path, program: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(itself::ARGS).env(PROGRAM, program).env("MANIPLE_CONNECT", file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn assert_clean(output: &Output) {
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}\n{}",
        output.status,
        text(&output.stderr)
    );
}

/// Starts a process, and waits until it has printed a line.
fn begun(mut command: Command, line: &str) -> Child {
    let mut process = command.spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let found = lines.map_while(|line| line.ok()).any(|found| found.contains(line));
    assert!(found, "{line} is printed");
    process
}

#[test]
fn a_session_does_what_a_driver_does_and_shuts_the_cluster_down() {
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "tcp", &[]);
        let mode = fs::metadata(cluster.file()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let output = cluster.session("everything").output().unwrap();
        assert_clean(&output);
        for _ in 0..3 {
            let output = cluster.session("square").output().unwrap();
            assert_clean(&output);
            assert!(text(&output.stdout).contains("sum 285"));
        }
        cluster.shut_down();
    }
}

/// What a session has said arrives although the cluster is busy with something else for a while.
#[test]
fn a_session_does_not_end_before_the_cluster_has_heard_it() {
    let cluster = Cluster::start(None, "", &[]);
    let pid = cluster.process.id() as i32;
    let mut session = begun(cluster.session("shutdown in a moment"), "connected");
    // SAFETY: the process is a child of this one that has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGSTOP) }, 0);
    thread::sleep(Duration::from_secs(8));
    assert!(session.try_wait().unwrap().is_none(), "it has not been heard yet");
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGCONT) }, 0);
    let (status, text) = cluster.end();
    assert!(status.success(), "{status}: {text}");
    session.wait().unwrap();
}

#[test]
fn a_cluster_of_one_process_serves_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.json");
    let (serves, connects) = (file.display().to_string(), file.clone());
    let cluster = thread::spawn(move || Runtime::builder().threads(2).serve(&serves).execute(|_| Ok(())));
    let deadline = Instant::now() + TIMEOUT;
    while !file.exists() {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
    assert_clean(&session(&connects, "everything").output().unwrap());
    assert_clean(&session(&connects, "shutdown").output().unwrap());
    cluster.join().unwrap().unwrap();
}

#[test]
fn sessions_hear_of_the_end_of_their_cluster() {
    for way in ways([3, 4]) {
        for (signal, words) in
            [(libc::SIGTERM, "has ended: interrupted by SIGTERM"), (libc::SIGKILL, " is lost: ")]
        {
            let cluster = Cluster::start(way, "", &[]);
            let waiting = begun(cluster.session("waits"), "waiting");
            // SAFETY: signals the process group that was made for the cluster.
            unsafe { libc::kill(-(cluster.process.id() as i32), signal) };
            let output = waiting.wait_with_output().unwrap();
            let printed = text(&output.stderr);
            // MPICH's launcher kills its ranks as soon as it gets the signal itself.
            let was_killed = way.is_some() && printed.contains(" is lost: ");
            assert!(!output.status.success() && (was_killed || printed.contains(words)), "{way:?} {printed}");
            assert_eq!(printed.matches("Error").count(), 1, "{printed}");
            if signal == libc::SIGTERM && !was_killed {
                let (_, told) = cluster.end();
                assert!(told.contains("SIGTERM"), "{told}");
            }
        }
    }
}

#[test]
fn a_cluster_without_sessions_ends_after_a_while() {
    for way in ways([2, 3]) {
        let cluster = Cluster::start(way, "", &[("MANIPLE_IDLE_TIMEOUT", "1")]);
        let (status, told) = cluster.end();
        assert!(status.success(), "{told}");
    }
}

#[test]
fn a_cluster_whose_time_is_over_ends_well_and_tells_its_sessions() {
    for way in ways([2, 3]) {
        let cluster = Cluster::start(way, "", &[("MANIPLE_TIME_LIMIT", "4"), ("MANIPLE_TIME_MARGIN", "2")]);
        let output = cluster.session("waits").output().unwrap();
        let printed = text(&output.stderr);
        assert!(printed.contains("came too late") || printed.contains("its time is over"), "{printed}");
        let (status, told) = cluster.end();
        assert!(status.success(), "{told}");
    }
}

#[test]
fn what_a_session_leaves_goes_with_it() {
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "", &[]);
        assert_clean(&cluster.session("forgets").output().unwrap());
        assert_clean(&cluster.session("left over").output().unwrap());
        // Killed with values, with tasks that wait, and amid a scatter.
        for (program, line) in [("holds", "holding"), ("waits", "waiting"), ("everything", "running 1 test")]
        {
            let mut killed = begun(cluster.session(program), line);
            killed.kill().unwrap();
            killed.wait().unwrap();
            assert_clean(&cluster.session("left over").output().unwrap());
        }
        cluster.shut_down();
    }
}

#[test]
fn a_session_with_many_tasks_starves_no_other() {
    for way in ways([3, 4]) {
        let cluster = Cluster::start(way, "", &[]);
        let mut waiting = begun(cluster.session("waits"), "waiting");
        let start = Instant::now();
        let others: Vec<Child> = (0..2).map(|_| cluster.session("square").spawn().unwrap()).collect();
        for other in others {
            assert_clean(&other.wait_with_output().unwrap());
        }
        assert!(start.elapsed() < TIMEOUT / 3, "100,000 naps of 20 ms take longer");
        assert!(waiting.try_wait().unwrap().is_none());
        // The cluster goes on when it is killed, and when it is only stopped.
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        assert_clean(&cluster.session("square").output().unwrap());
        cluster.shut_down();
    }
}

/// How many bytes of memory the processes of a group have.
fn resident_bytes(pid: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_thousand_sessions_one_after_the_other_leave_memory_flat() {
    let cluster = Cluster::start(None, "", &[]);
    let one = || {
        let runtime = Runtime::builder().connect(cluster.file());
        let sum = runtime.execute(|client| {
            let numbers = client.map(square, 0..10);
            let value = client.scatter(vec![1_u8; 10_000])?;
            let length = client.submit(|bytes: &[u8]| bytes.len() as u64, &value);
            Ok(client.gather(&numbers)?.iter().sum::<u64>() + length.result()?)
        });
        assert_eq!(sum.unwrap(), 10_285);
    };
    let start = Instant::now();
    (0..200).for_each(|_| one());
    let before = resident_bytes(cluster.process.id());
    (0..1000).for_each(|_| one());
    let after = resident_bytes(cluster.process.id());
    println!("{:?} a session", start.elapsed() / 1200);
    assert!(after < before + (8 << 20), "{before} and {after} bytes");
    assert_clean(&cluster.session("left over").output().unwrap());
    cluster.shut_down();
}

#[test]
fn clusters_are_listed_and_stopped_by_any_program_of_the_user() {
    let cluster = Cluster::start(None, "", &[]);
    let found = clusters::wait_ready(cluster.file(), TIMEOUT).unwrap();
    assert_eq!((found.workers, found.threads, found.sessions), (2, 4, Some(0)));
    let waiting = begun(cluster.session("waits"), "waiting");
    assert_eq!(clusters::wait_ready(cluster.file(), TIMEOUT).unwrap().sessions, Some(1));
    clusters::stop(cluster.file(), TIMEOUT).unwrap();
    let printed = text(&waiting.wait_with_output().unwrap().stderr);
    assert!(printed.contains("has ended: it was stopped"), "{printed}");
    assert!(cluster.end().0.success());
    let error = clusters::wait_ready("/nonexistent/cluster.json", Duration::ZERO).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
}

#[test]
fn sessions_find_the_newest_cluster_and_files_of_killed_ones_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = itself::command(None);
        command.env(PROGRAM, "square").env("MANIPLE_SERVE", "1").env("MANIPLE_CLUSTERS", folder.path());
        command.env("MANIPLE_LOCAL_WORKERS", "2").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("stands on"), "{line}");
        process
    };
    let run = |program: &str| {
        let mut session = session(Path::new("1"), program);
        session.env("MANIPLE_CLUSTERS", folder.path()).output().unwrap()
    };
    let files = || fs::read_dir(folder.path()).unwrap().count();
    // On a busy machine a cluster may not answer in time.
    let list = |count: usize| {
        let start = Instant::now();
        loop {
            let listed = text(&run("lists").stdout);
            if listed.matches("of 2 with Some(0) sessions").count() == count && files() == count {
                return;
            }
            assert!(start.elapsed() < TIMEOUT, "{listed}");
        }
    };
    // One of another host whose time was over long ago.
    let (mut first, mut second) = (start(), start());
    let text_of = |name: &Path| fs::read_to_string(name).unwrap();
    let some = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut over: serde_json::Value = serde_json::from_str(&text_of(&some)).unwrap();
    (over["host"], over["ends"]) = ("elsewhere".into(), 1000.0.into());
    let over_file = folder.path().join("over.json");
    write_connection(&over_file, &over);
    list(2);
    second.kill().unwrap();
    second.wait().unwrap();
    let refused = text(&run("square").stderr);
    assert!(refused.contains("it may have ended: remove"), "{refused}");
    list(1);
    assert_clean(&run("square"));
    assert_clean(&run("shutdown"));
    assert!(first.wait().unwrap().success() && files() == 0);
}

#[test]
fn a_cluster_stands_though_nobody_reads_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.json");
    let mut command = itself::command(None);
    command.env(PROGRAM, "square").env("MANIPLE_SERVE", &file).env("MANIPLE_LOCAL_WORKERS", "2");
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stderr.take());
    let start = Instant::now();
    while !file.exists() {
        assert!(start.elapsed() < TIMEOUT, "it does not serve: {:?}", process.try_wait());
        thread::sleep(Duration::from_millis(10));
    }
    assert_clean(&session(&file, "square").output().unwrap());
    assert_clean(&session(&file, "shutdown").output().unwrap());
    assert!(process.wait().unwrap().success());
}

#[test]
fn another_build_is_refused_with_both_ids() {
    let cluster = Cluster::start(None, "", &[]);
    let program = example::example("tree_sum");
    let output = Command::new(program).env("MANIPLE_CONNECT", cluster.file()).output().unwrap();
    let printed = text(&output.stderr);
    assert!(!output.status.success() && printed.lines().count() == 1, "{printed}");
    let connection: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(cluster.file()).unwrap()).unwrap();
    let build = connection["build"].as_str().unwrap();
    assert!(printed.contains("is not that of the cluster") && printed.contains(build), "{printed}");
    cluster.shut_down();
}

#[test]
fn a_connection_file_that_is_not_there_is_named() {
    let error = Runtime::builder().connect("/nonexistent/cluster.json").execute(|_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
    assert!(error.to_string().contains("/nonexistent/cluster.json"), "{error}");
}
