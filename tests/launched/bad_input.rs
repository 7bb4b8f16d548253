//! What goes wrong for users: each ends all ranks, soon, with a status that says so and one clear line.

#[cfg(feature = "mpi")]
use crate::support;
use crate::support::itself;
use itself::{ARGS, ways};
use maniple::{Result, SubmitOptions, current};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Set in the processes that a test has started: which program they are.
const PROGRAM: &str = "MANIPLE_BAD_PROGRAM";

fn nap(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

fn fails(x: u64) -> u64 {
    panic!("the task's own words about {x}")
}

fn crashes(signal: i32) -> u64 {
    // SAFETY: sends this thread a signal, which ends the process.
    unsafe { libc::raise(signal) };
    0
}

/// What the started processes do.
pub(crate) fn program() {
    let Ok(program) = env::var(PROGRAM) else { return };
    let is_twice = program == "run twice";
    let run = maniple::run(move |client| -> Result<()> {
        match program.as_str() {
            "run twice" => {}
            "run in run" => return maniple::run(|_| Ok(())),
            "execute in run" => return maniple::Runtime::builder().execute(|_| Ok(())),
            "run in a task" => client.submit(runs, ()).result()?,
            "exit in a task" => client.submit(exits, 0).result()?,
            "exit in the driver" => exits(0),
            "recursion" => assert_eq!(client.submit(depth, 3000).result()?, 3000),
            "segv" => drop(client.submit(crashes, libc::SIGSEGV).result()?),
            "overflow" => drop(client.submit(depth, 1 << 40).result()?),
            "well" => assert_eq!(client.submit(|x: u64| x, 7).result()?, 7),
            "error" => return Err("the driver's own words".into()),
            "panic" => panic!("the driver's panic"),
            "task" => assert_eq!(client.submit(fails, 7).result()?, 7),
            "no such rank" => {
                assert_eq!(client.with(&SubmitOptions::new().workers([77u32])).submit(fails, 7).result()?, 7)
            }
            "does not decode" => assert_eq!(client.submit(|| Odd(3), ()).result()?.0, 3),
            "scratch" => client.gather(&client.run_on_workers(use_scratch, ())).map(drop)?,
            "waits" => {
                println!("waiting in {}", client.submit(std::process::id, ()).result()?);
                client.gather(&client.run_on_workers(use_scratch, ()))?;
                client.submit(nap, 60).result()?;
            }
            "left" => drop((client.submit(nap, 60), thread::sleep(Duration::from_millis(200)))),
            other => panic!("no program {other}"),
        }
        Ok(())
    });
    let run = run.and_then(|()| if is_twice { maniple::run(|_| Ok(())) } else { Ok(()) });
    if let Err(error) = run {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

fn exits(status: i32) {
    std::process::exit(status)
}

fn runs() {
    maniple::run(|_| Ok(())).unwrap();
}

/// Needs a KiB of stack for each.
#[inline(never)]
fn depth(left: u64) -> u64 {
    let frame = std::hint::black_box([left; 128]);
    if left == 0 { 0 } else { depth(left - 1) + 1 + (frame[127] - left) }
}

fn use_scratch() {
    let directory = current().scratch_directory().expect("a scratch directory");
    fs::write(directory.join("file"), "content").expect("a file in it");
}

/// A value that is written as one thing and read as another.
#[derive(serde::Serialize)]
struct Odd(u8);

impl<'de> serde::Deserialize<'de> for Odd {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}

fn run(way: Option<u32>, program: &str, variables: &[(&str, &str)]) -> Output {
    let this = env::current_exe().unwrap();
    let variables = [&[(PROGRAM, program)], variables].concat();
    match way {
        None => Command::new(this).args(ARGS).envs(variables).output().unwrap(),
        #[cfg(feature = "mpi")]
        Some(ranks) => support::mpirun(ranks, &this, &ARGS, &variables, Duration::from_secs(30)),
        #[cfg(not(feature = "mpi"))]
        Some(_) => unreachable!("no way without MPI"),
    }
}

/// Runs the program each way; it fails within `seconds`, and its words are said once.
fn assert_fails(program: &str, variables: &[(&str, &str)], words: &str, seconds: f64) {
    for_each_failure(program, variables, words, seconds, |_, _, _| ());
}

/// As `assert_fails`, and looks at each way's standard error and status.
fn for_each_failure(
    program: &str,
    variables: &[(&str, &str)],
    words: &str,
    seconds: f64,
    look: impl Fn(Option<u32>, &str, Option<i32>),
) {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    for way in ways([2, 4]) {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let start = Instant::now();
        let output = run(way, program, variables);
        drop(turn);
        let took = start.elapsed().as_secs_f64();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{program} on {way:?} ranks: it fails\n{stderr}");
        assert_eq!(stderr.matches(words).count(), 1, "{program} on {way:?} ranks: {words:?} once\n{stderr}");
        // The launcher takes up to a second of it, and other tests the machine's cores.
        assert!(took < seconds + 9.0, "{program} on {way:?} ranks took {took} s");
        look(way, &stderr, output.status.code());
    }
}

#[test]
fn a_run_that_goes_well_says_nothing() {
    if env::var_os(PROGRAM).is_none() {
        for way in ways([2, 4]) {
            for program in ["well", "recursion"] {
                let output = run(way, program, &[]);
                assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            }
        }
    }
}

#[test]
fn a_misspelt_setting_is_told_once() {
    if env::var_os(PROGRAM).is_none() {
        for way in ways([2, 4]) {
            let output = run(way, "well", &[("MANIPLE_REPROT", "run.html")]);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && stderr.lines().count() == 1, "{output:?}");
            assert!(stderr.contains("MANIPLE_REPROT is no setting: is MANIPLE_REPORT meant?"), "{stderr}");
        }
    }
}

#[test]
fn a_task_that_ends_its_process_by_a_signal_is_named() {
    for_each_failure(
        "segv",
        &[],
        "launched::bad_input::crashes has ended its process by SIGSEGV",
        2.0,
        |way, _, code| {
            // A shell's 139 comes from the launcher.
            assert!(way.is_some() || code.is_none(), "{code:?}");
        },
    );
}

#[test]
fn an_error_of_the_driver_ends_all_ranks() {
    assert_fails("error", &[], "Error: the driver's own words", 1.0);
}

#[test]
fn a_panic_of_the_driver_ends_all_ranks() {
    assert_fails("panic", &[], "the driver's panic", 1.0);
}

#[test]
fn a_task_that_panics_is_told_with_function_rank_and_place() {
    assert_fails("task", &[], "launched::bad_input::fails) panicked on rank", 1.0);
}

#[test]
fn a_worker_that_does_not_exist_is_told() {
    assert_fails("no such rank", &[], "cannot run: no worker has rank 77", 1.0);
}

#[test]
fn a_value_that_does_not_decode_is_told() {
    assert_fails("does not decode", &[], "cannot be sent: ", 1.0);
}

#[test]
fn a_scratch_directory_that_cannot_be_made_is_told_with_rank_and_remedy() {
    let variables = [("MANIPLE_LOCAL_DIRECTORY", "/proc/nowhere")];
    for_each_failure(
        "scratch",
        &variables,
        "MANIPLE_LOCAL_DIRECTORY): /proc/nowhere",
        1.0,
        |way, stderr, _| {
            let line = stderr.lines().find(|line| line.contains("MANIPLE_LOCAL_DIRECTORY")).unwrap();
            assert_eq!(line.matches("rank ").count(), 1, "{way:?} ranks: {line}");
        },
    );
}

#[test]
fn a_program_that_exits_within_a_run_is_told_with_its_rank() {
    let words = [
        ("exit in a task", "left the run before its end: task launched::bad_input::exits has called exit"),
        ("exit in the driver", "left the run before its end: the driver has called exit"),
    ];
    for (program, words) in words {
        for_each_failure(program, &[], words, 1.0, |way, stderr, status| {
            assert_eq!(status, Some(70), "{way:?} ranks: {stderr}");
            assert!(!stderr.contains("interrupted by"), "{way:?} ranks: {stderr}");
        });
    }
}

#[test]
fn a_run_that_is_started_where_none_can_be_names_execute() {
    for (program, words) in [
        ("run in run", "maniple::run is called within a run"),
        ("execute in run", "execute is called within a run"),
        ("run in a task", "maniple::run is called within a run"),
        ("run twice", "maniple::run is called a second time"),
    ] {
        for_each_failure(program, &[], words, 1.0, |way, stderr, status| {
            assert_eq!(status, Some(1), "{program}, {way:?} ranks: {stderr}");
            assert!(stderr.contains("execute"), "{program}, {way:?} ranks: {stderr}");
        });
    }
}

#[test]
fn a_task_that_needs_more_stack_than_there_is_is_told_with_the_remedy() {
    let words = "launched::bad_input::depth has overflowed its stack of 1.00 MiB: set a larger one with MANIPLE_STACK_SIZE";
    assert_fails("overflow", &[("MANIPLE_STACK_SIZE", "1MiB")], words, 1.0);
}

/// A disk with room for this many files and directories, its own one among them.
#[test]
fn a_full_scratch_disk_is_told() {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    let words = [
        (1, "cannot make its scratch directory (choose another with MANIPLE_LOCAL_DIRECTORY)"),
        // The directory, but not the file that its lock is on.
        (2, "cannot make its scratch directory (choose another with MANIPLE_LOCAL_DIRECTORY)"),
        (4, "a file in it: Os { code: 28, kind: StorageFull"),
    ];
    for (room, words) in words {
        let disk = tempfile::tempdir().unwrap();
        // Mounted for the program alone, and gone with it.
        let script = format!("mount -t tmpfs -o nr_inodes={room} tmpfs \"$0\" || exit 77; exec \"$@\"");
        let output = Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", &script])
            .args([disk.path(), &env::current_exe().unwrap()])
            .args(ARGS)
            .envs([(PROGRAM, "scratch".as_ref()), ("MANIPLE_LOCAL_DIRECTORY", disk.path().as_os_str())])
            .output();
        // Only some users may mount, and only in some containers.
        let mounted =
            |output: &Output| output.status.code() != Some(77) && !output.stderr.starts_with(b"unshare:");
        let Some(output) = output.ok().filter(mounted) else {
            return println!("skipped: no file system can be mounted here");
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert_eq!(stderr.matches(words).count(), 1, "{stderr}");
        assert!(stderr.contains("rank 0"), "{stderr}");
    }
}

#[test]
fn variables_that_make_no_sense_are_told() {
    for (name, value) in [
        ("MANIPLE_THREADS", "many"),
        ("MANIPLE_MEMORY_LIMIT", "lots"),
        ("MANIPLE_INCLUSIVE", "perhaps"),
        ("MANIPLE_END_TIME", "1000000000"),
    ] {
        assert_fails("well", &[(name, value)], value, 1.0);
    }
}

#[test]
fn a_task_that_never_ends_is_named_after_the_grace() {
    let variables = [("MANIPLE_SHUTDOWN_GRACE_SECONDS", "0.5")];
    assert_fails("left", &variables, "launched::bad_input::nap still runs", 2.0);
}

/// A program that was started, and the files that its ranks use.
struct Started {
    child: Child,
    scratch: tempfile::TempDir,
    /// A process that runs a task.
    worker: i32,
}

fn start(way: Option<u32>) -> Started {
    let scratch = tempfile::tempdir().unwrap();
    let mut child = itself::command(way)
        .env(PROGRAM, "waits")
        .env("MANIPLE_LOCAL_DIRECTORY", scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line =
        lines.map_while(|line| line.ok()).find(|line| line.contains("waiting in ")).expect("it starts");
    let worker = line.rsplit(' ').next().unwrap().parse().unwrap();
    thread::sleep(Duration::from_millis(300));
    Started { child, scratch, worker }
}

#[cfg(feature = "mpi")]
fn on_mpich() -> bool {
    !support::is_open_mpi()
}

#[cfg(not(feature = "mpi"))]
fn on_mpich() -> bool {
    false
}

/// Interrupts a run in the middle: it ends soon, with a status, and leaves neither files nor processes.
fn interrupt(way: Option<u32>, signal: i32, whole_group: bool, times: u32) {
    let Started { mut child, scratch, worker } = start(way);
    let id = i32::try_from(child.id()).unwrap();
    for time in 0..times {
        thread::sleep(Duration::from_millis(u64::from(50 * time)));
        // SAFETY: signals a process group, or a process, that this test has started and not waited for.
        unsafe { libc::kill(if whole_group { -id } else { id }, signal) };
    }
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(15) {
            // SAFETY: as above.
            unsafe { libc::kill(-id, libc::SIGKILL) };
            panic!("{way:?} ranks do not end after signal {signal}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    // MPICH's launcher ends now and then with status 0, whatever it runs: 28 of 60 `mpiexec -n 2 sleep 60` did on a
    // busy machine.
    let status_is_ours = way.is_none() || !on_mpich();
    assert!(!status_is_ours || !output.status.success(), "{way:?} ranks, signal {signal}: {stderr}");
    if way.is_none() {
        assert_eq!(output.status.code(), Some(130), "{stderr}");
    }
    // The second signal ends a process that may not have had its word. Open MPI's launcher passes the signal on, and
    // kills a second later; MPICH's kills at once.
    let told = stderr.matches("Error: interrupted by SIG").count();
    let may_be_silent = times > 1 || way.is_some() && on_mpich();
    assert!(told == 1 || told == 0 && may_be_silent, "{told} messages: {stderr}");
    let until = Instant::now() + Duration::from_secs(5);
    // SAFETY: signal 0 only asks whether the process is there.
    while unsafe { libc::kill(worker, 0) } == 0 {
        assert!(Instant::now() < until, "process {worker} is left of {way:?} ranks");
        thread::sleep(Duration::from_millis(10));
    }
    if way.is_some() {
        // Launchers may kill ranks before they can remove their directories: the next run does.
        let next = run(None, "scratch", &[("MANIPLE_LOCAL_DIRECTORY", scratch.path().to_str().unwrap())]);
        assert!(next.status.success() && next.stderr.is_empty(), "{next:?}");
    }
    let left: Vec<PathBuf> =
        fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?} is left of {way:?} ranks after signal {signal}");
}

#[test]
fn an_interrupt_ends_all_ranks_and_leaves_nothing() {
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    for way in ways([2, 4]) {
        interrupt(way, libc::SIGINT, true, 1);
        interrupt(way, libc::SIGINT, true, 2);
        interrupt(way, libc::SIGTERM, false, 1);
    }
}

/// Programs of another MPI's launcher each believe to be alone.
#[cfg(feature = "mpi")]
#[test]
fn the_launcher_of_another_mpi_is_told() {
    let other = if support::is_open_mpi() { "mpiexec.mpich" } else { "mpirun.openmpi" };
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    let this = env::current_exe().unwrap();
    let mut command = support::launch_with(other.as_ref(), 3, &this);
    let Ok(output) = command.args(ARGS).env(PROGRAM, "well").stdin(Stdio::null()).output() else {
        return println!("skipped: only one MPI is installed");
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("started 3 ranks, but the MPI library of this program").count(), 1, "{stderr}");
}

/// Ranks of different programs stop before they call each other's functions.
#[cfg(feature = "mpi")]
#[test]
fn different_executables_are_told_with_rank_and_host() {
    if env::var_os(PROGRAM).is_some() || support::launcher().is_none() {
        return;
    }
    let this = env::current_exe().unwrap();
    // A copy with another build id.
    let other = tempfile::tempdir().unwrap();
    let example = other.path().join("another_build");
    let mut bytes = fs::read(&this).unwrap();
    let place = bytes
        .windows(16)
        .position(|window| window == b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")
        .expect("a build id");
    bytes[place + 16] ^= 1;
    fs::write(&example, bytes).unwrap();
    fs::set_permissions(&example, fs::metadata(&this).unwrap().permissions()).unwrap();
    let mut command = support::launch(2, &this);
    let command = command
        .args(ARGS)
        .args([":", "-n", "1"])
        .arg(example)
        .args(ARGS)
        .env(PROGRAM, "well")
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("the executable of rank 0").count(), 1, "{stderr}");
    assert!(stderr.contains("is not that of rank 2 ("), "{stderr}");
}
