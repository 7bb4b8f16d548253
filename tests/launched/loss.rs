//! Ranks that are killed while the run goes on: it ends with the answers of one that nothing happened to.

use crate::support;
use maniple::{Client, Error, Reason, Result, SubmitOptions, array::chunks, current};
use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Set in the processes that a test has started: which program they are.
const PROGRAM: &str = "MANIPLE_LOSS_PROGRAM";
/// Longer than any of these runs takes, also where all ranks share one busy core.
const TIMEOUT: Duration = Duration::from_secs(150);
const RANKS: u32 = 6;
/// How many counts outlast a run.
const KEPT: u64 = 300;

/// Says where it runs, so that somebody can kill that rank.
fn where_it_runs(_: ()) -> (u32, u32) {
    (current().rank().0, std::process::id())
}

fn tell_processes(client: &Client) -> Result<()> {
    assert!(client.cluster().survives(), "{:#}", client.cluster());
    for (rank, pid) in client.gather(&client.run_on_workers(where_it_runs, ()))? {
        println!("process {rank} {pid}");
    }
    println!("process 1 {}", std::process::id());
    println!("process 0 {}", client.cluster().ranks()[0].pid);
    println!("ready");
    Ok(())
}

/// How many of so many points fall into the circle: slow enough to be killed in the middle.
fn inside(first: u64, count: u64) -> u64 {
    thread::sleep(Duration::from_millis(3));
    let fraction = |x: u64| (x.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64;
    let points = (first..first + count).map(|index| (fraction(2 * index), fraction(2 * index + 1)));
    points.filter(|(x, y)| x * x + y * y < 1.0).count() as u64
}

/// Counts points in many tasks, and again where a sum is to be made of values that lie on workers.
fn pi(client: &Client) -> Result<()> {
    tell_processes(client)?;
    let counts = client.map(inside, (0..600).map(|task| (task * 100, 100)));
    let sums = client.submit(|counts: &[u64]| counts.iter().sum::<u64>(), &counts);
    println!("answer {}", sums.result()?);
    Ok(())
}

/// Counts points in tasks whose counts outlast the run.
fn kept(client: &Client) -> Result<()> {
    tell_processes(client)?;
    let tasks = (0..KEPT).map(|task| (task * 100, 100));
    let counts = client.with(&SubmitOptions::new().checkpoint()).map(inside, tasks);
    let sum: u64 = client.gather(&counts)?.iter().sum();
    println!("answer {sum}, {} restored", client.restored_count());
    Ok(())
}

/// Works for some rounds on blocks that stay on the workers.
fn blocks(client: &Client) -> Result<()> {
    tell_processes(client)?;
    let mut x = client.random(7).uniform::<f64>(0.0, 1.0, [256, 256], chunks([64, 64])).persist()?;
    let given = client.scatter((0..5000).collect::<Vec<u64>>())?;
    for _ in 0..40 {
        x = (x.t() * 0.5 + &x * 0.5).persist()?;
        thread::sleep(Duration::from_millis(10));
    }
    let sum = client.submit(|values: &Vec<u64>| values.iter().sum::<u64>(), &given).result()?;
    println!("answer {:?} {sum}", x.sum().compute()?);
    Ok(())
}

/// Cuts an array anew for some rounds: each worker gets parts of what all others have.
fn rechunk(client: &Client) -> Result<()> {
    tell_processes(client)?;
    let mut x = client.random(7).uniform::<f64>(0.0, 1.0, [512, 512], chunks([64, 512])).persist()?;
    for _ in 0..20 {
        x = x.rechunk(chunks([512, 64])).persist()?;
        x = x.rechunk(chunks([64, 512])).persist()?;
        thread::sleep(Duration::from_millis(10));
    }
    println!("answer {:?}", x.sum().compute()?);
    Ok(())
}

/// Ends its rank.
fn kills(_: u64) -> u64 {
    // SAFETY: ends this very process.
    unsafe { libc::raise(libc::SIGKILL) };
    0
}

/// A task that ends every worker that runs it fails; the others do not.
fn killer(client: &Client) -> Result<()> {
    println!("ready");
    let others = client.map(inside, (0..60).map(|task| (task * 100, 100)));
    let options = SubmitOptions::new().allowed_failures(1);
    match client.with(&options).submit(kills, 7).result() {
        Err(Error::Task(error)) => {
            assert_eq!(error.reason, Reason::Lost, "{error}");
            assert!(error.to_string().contains("kills) was lost with its worker on rank"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    println!("answer {}", client.gather(&others)?.len());
    Ok(())
}

/// What the started processes do.
pub(crate) fn program() {
    let Ok(program) = env::var(PROGRAM) else { return };
    let run = maniple::Runtime::builder().threads(1).run(move |client| match program.as_str() {
        "pi" => pi(client),
        "blocks" => blocks(client),
        "rechunk" => rechunk(client),
        "kept" => kept(client),
        "killer" => killer(client),
        other => panic!("no program {other}"),
    });
    if let Err(error) = run {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

const ARGS: [&str; 4] = ["--exact", "program", "--nocapture", "--test-threads=1"];

fn command(program: &str) -> Command {
    let this = env::current_exe().unwrap();
    let launcher = support::launcher().expect("looked for before");
    let flag = if support::is_open_mpi() { "--enable-recovery" } else { "-disable-auto-cleanup" };
    let launcher = format!("{} {flag}", launcher.display());
    let mut command = support::launch_with(launcher.as_ref(), RANKS, &this);
    command.args(ARGS).env(PROGRAM, program).env("MANIPLE_SURVIVE", "1").stdin(Stdio::null());
    if support::is_open_mpi() {
        command.env("OMPI_MCA_orte_enable_recovery", "1");
    }
    command
}

/// What came of a run.
#[derive(Debug)]
struct Ended {
    answer: Option<String>,
    status: Option<i32>,
    stderr: String,
    /// How long it took from the last kill on.
    after: Duration,
}

/// Ends a launcher and all that it has started, whatever the test comes to.
struct Launched(Child);

impl Drop for Launched {
    fn drop(&mut self) {
        // SAFETY: it leads a process group of its own.
        unsafe { libc::kill(-(self.0.id() as i32), libc::SIGKILL) };
        let _ = self.0.wait();
    }
}

/// The state, the name and what the system does for each process that a launcher has started, and for itself.
fn processes_of(launcher: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let directory = entry.ok()?.path();
        let stat = fs::read_to_string(directory.join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let is_of_launcher = [fields[1], name.split(' ').next()?].contains(&launcher.to_string().as_str());
        let waits_in = fs::read_to_string(directory.join("wchan")).unwrap_or_default();
        is_of_launcher.then(|| format!("{name}) {} in {waits_in}", fields[0]))
    });
    processes.collect()
}

/// Runs a program, and kills these ranks so long after it has begun.
fn run(program: &str, kills: &[(u32, Duration)]) -> Ended {
    run_with(program, kills, &[])
}

/// The same with these variables.
fn run_with(program: &str, kills: &[(u32, Duration)], variables: &[(&str, &str)]) -> Ended {
    let mut command = command(program);
    command.envs(variables.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = Launched(command.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut stderr = child.0.stderr.take().unwrap();
    let stderr = thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let mut processes = Vec::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        if line.contains("ready") {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(place) = words.iter().position(|word| *word == "process") {
            processes
                .push((words[place + 1].parse::<u32>().unwrap(), words[place + 2].parse::<i32>().unwrap()));
        }
    }
    for (rank, pause) in kills {
        thread::sleep(*pause);
        let (_, pid) = processes.iter().find(|(other, _)| other == rank).expect("each rank has told");
        // SAFETY: sends a signal to a process that this test has had started.
        unsafe { libc::kill(*pid, libc::SIGKILL) };
    }
    let killed = Instant::now();
    let answers = thread::spawn(move || {
        let answer = |line: String| Some(line.split_once("answer ")?.1.to_string());
        // To the end, or the launcher would have nobody to write to.
        lines.map_while(std::result::Result::ok).filter_map(answer).last()
    });
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break status;
        }
        assert!(killed.elapsed() < TIMEOUT, "{program} does not end: {:#?}", processes_of(child.0.id()));
        thread::sleep(Duration::from_millis(5));
    };
    let after = killed.elapsed();
    // Who is left in the group would keep the pipes open.
    drop(child);
    Ended { answer: answers.join().unwrap(), status: status.code(), stderr: stderr.join().unwrap(), after }
}

fn has_mpi() -> bool {
    if env::var_os(PROGRAM).is_some() {
        return false;
    }
    let is_there = support::launcher().is_some();
    assert!(is_there || env::var_os("MANIPLE_REQUIRE_MPI").is_none(), "no MPI launcher is installed");
    is_there
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// How often each kind of kill is tried, at another instant each time.
fn rounds() -> u64 {
    env::var("MANIPLE_KILLS").ok().map_or(1, |text| text.parse().expect("MANIPLE_KILLS is a number"))
}

#[test]
fn one_worker_or_two_of_four_are_killed_and_the_answers_are_the_same() {
    if !has_mpi() {
        return;
    }
    for program in ["pi", "blocks", "rechunk"] {
        let whole = run(program, &[]);
        assert_eq!((whole.status, whole.stderr.as_str()), (Some(0), ""), "{whole:?}");
        for round in 0..rounds() {
            let pause = milliseconds(20 + 37 * round % 200);
            let rank = 2 + round as u32 % 4;
            let next = (2 + (rank - 1) % 4, milliseconds(20));
            for kills in [&[(rank, pause)][..], &[(rank, pause), next]] {
                let ended = run(program, kills);
                assert_eq!(
                    (ended.status, &ended.answer),
                    (Some(0), &whole.answer),
                    "{program} {kills:?}: {ended:?}"
                );
                // What Open MPI's launcher itself says begins with its host and process.
                let lines: Vec<&str> = ended.stderr.lines().filter(|line| !line.starts_with('[')).collect();
                assert_eq!(lines.len(), kills.len(), "{kills:?}: {ended:?}");
                for (rank, _) in kills {
                    let begin = format!("Warning: rank {rank} (");
                    let line = lines.iter().find(|line| line.starts_with(&begin));
                    let line = line.unwrap_or_else(|| panic!("no {begin}: {ended:?}"));
                    assert!(line.contains("; the run goes on without it: "), "{line}");
                    // Systems before Linux 6.15 do not know by which signal, unless this library is the parent.
                    assert!(line.contains("by signal 9 (SIGKILL)") || line.contains("has ended"), "{line}");
                }
            }
        }
    }
}

#[test]
fn what_a_lost_worker_had_finished_outlasts_the_run() {
    if !has_mpi() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let journal = [("MANIPLE_JOURNAL", directory.path().to_str().unwrap())];
    let ended = run_with("kept", &[(3, milliseconds(60))], &journal);
    let answer = ended.answer.as_deref().and_then(|answer| answer.strip_suffix(", 0 restored"));
    let (Some(0), Some(sum)) = (ended.status, answer) else { panic!("{ended:?}") };
    let again = run_with("kept", &[], &[journal[0], ("MANIPLE_RESUME", "1")]);
    assert_eq!(again.answer, Some(format!("{sum}, {KEPT} restored")), "{again:?}");
    assert_eq!((again.status, again.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_task_that_ends_its_workers_is_named() {
    if has_mpi() {
        let ended = run("killer", &[]);
        assert_eq!((ended.status, ended.answer.as_deref()), (Some(0), Some("60")), "{ended:?}");
    }
}

#[test]
fn without_the_scheduler_or_the_driver_every_rank_ends() {
    if !has_mpi() {
        return;
    }
    for round in 0..rounds() {
        for rank in [0, 1] {
            let ended = run("pi", &[(rank, milliseconds(20 + 37 * round % 400))]);
            assert_eq!(ended.answer, None, "{ended:?}");
            // Open MPI's launcher, told to go on without ranks, has no status but 0 then, whatever they end with.
            assert!(ended.status != Some(0) || support::is_open_mpi(), "{ended:?}");
            let line = format!("Error: rank {rank} (");
            let lines: Vec<&str> = ended.stderr.lines().filter(|other| other.starts_with(&line)).collect();
            assert!(
                lines.len() == 1 && lines[0].ends_with("the run is lost with it: start it again"),
                "{ended:?}"
            );
            // They end within 5 s; the machine may have other things to do.
            assert!(ended.after < Duration::from_secs(20), "{ended:?}");
            println!("without rank {rank}: {:?} after {:?}", ended.status, ended.after);
        }
    }
}
