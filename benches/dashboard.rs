//! What it costs a run to be watched: the same tasks without a dashboard, with one, and with 200 open streams.
//!
//! `cargo bench --no-default-features --features dashboard --bench dashboard`. The runs are processes of their own, of two workers;
//! the three kinds are taken in turns, so that what else the machine does concerns all of them.

use maniple::{Result, Runtime};
use std::{
    env,
    hint::black_box,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const TASKS: u64 = 1_000_000;
const WORKING_TASKS: u64 = 20_000;
const MAPS: usize = 4;
const STREAMS: usize = 200;
const REPETITIONS: usize = 9;
/// Told to the process that is the run: where its dashboard is to listen, if it has one.
const RUN: &str = "MANIPLE_BENCH_RUN";

fn identity(x: u64) -> u64 {
    x
}

/// Works for some 40 us.
fn work(x: u64) -> u64 {
    (0..60_000).fold(x, |sum, step| black_box(sum ^ step))
}

/// Prints the nanoseconds a task of the shortest tasks, and of such that work.
fn run(dashboard: &str) -> Result<()> {
    let mut runtime = Runtime::builder().local_workers(2).threads(1);
    if dashboard == "yes" {
        runtime = runtime.dashboard("127.0.0.1:0");
    }
    runtime.execute(|client| {
        // Whoever looks may come first.
        thread::sleep(Duration::from_millis(1500));
        let start = Instant::now();
        for _ in 0..MAPS {
            assert_eq!(client.gather(&client.map(identity, 0..TASKS))?.len() as u64, TASKS);
        }
        let short = start.elapsed().as_nanos() as f64 / (MAPS as u64 * TASKS) as f64;
        let start = Instant::now();
        client.gather(&client.map(work, 0..WORKING_TASKS))?;
        println!("{short} {}", start.elapsed().as_nanos() as f64 / WORKING_TASKS as f64);
        Ok(())
    })
}

/// The two figures of a run, with so many who look.
fn figures(dashboard: bool, streams: usize) -> [f64; 2] {
    let program = env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.env(RUN, if dashboard { "yes" } else { "no" }).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("this program can be started again");
    let looking: Vec<_> = (0..streams).zip(std::iter::repeat(url(&mut child))).map(look).collect();
    let mut printed = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut printed).expect("it prints text");
    assert!(child.wait().expect("it ends").success());
    let read: usize = looking.into_iter().map(|looking| looking.join().expect("it looked")).sum();
    assert!(streams == 0 || read > streams * 1000, "every stream is told something");
    let mut numbers = printed.split_whitespace().map(|number| number.parse().expect("a number"));
    [(); 2].map(|()| numbers.next().expect("two numbers"))
}

fn url(child: &mut std::process::Child) -> Option<(String, String)> {
    let lines = BufReader::new(child.stderr.as_mut().expect("piped")).lines();
    let first = lines.map_while(|line| line.ok()).next()?;
    let (address, token) = first.split_once("http://")?.1.split_once("/?token=")?;
    Some((address.into(), token.into()))
}

/// Reads a stream to its end, and tells how many bytes there were.
fn look((_, url): (usize, Option<(String, String)>)) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let (address, token) = url.expect("the run says where it is");
        let mut stream = TcpStream::connect(&address).expect("it listens");
        let request = format!("GET /api/events?token={token} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it takes a request");
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes.len()
    })
}

fn report(what: &str, unit: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    println!("{what:<52} {:>9.1} {unit} ({least:.1} to {most:.1})", figures[figures.len() / 2]);
}

fn main() -> Result<()> {
    if let Ok(dashboard) = env::var(RUN) {
        return run(&dashboard);
    }
    let mut kinds = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..REPETITIONS {
        for (kind, (dashboard, streams)) in [(false, 0), (true, 0), (true, STREAMS)].into_iter().enumerate() {
            kinds[kind].push(figures(dashboard, streams));
        }
    }
    let streams = format!("dashboard with {STREAMS} open streams");
    let names = ["no dashboard", "dashboard that nobody looks at", &streams];
    for (place, tasks) in [(0, "no-op tasks"), (1, "tasks of 40 us")] {
        for (name, figures) in names.iter().zip(&kinds) {
            let figures = figures.iter().map(|figures| figures[place]).collect();
            report(&format!("{tasks}, {name}"), "ns a task", figures);
        }
        let more = kinds[1].iter().zip(&kinds[2]).map(|(few, many)| (many[place] / few[place] - 1.0) * 100.0);
        report(&format!("{tasks}, what the streams cost, pairwise"), "%", more.collect());
    }
    Ok(())
}
