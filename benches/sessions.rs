//! What it costs to be a session of a cluster instead of the driver of a run.
//!
//! `<this>`, without `mpirun`: it starts a cluster of two local workers, connects to it, and prints a line a figure:
//! median, least and most of the repetitions. Figures of the driver are of a run of the same shape.
//! `<this> strangers` measures only what strangers cost who connect to the cluster.

use maniple::{Client, Result, Runtime};
use std::{
    env, fs,
    io::Write,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOCATOR: maniple::Allocator = maniple::Allocator::new();

/// Set in the processes that this program starts: what they do.
const PART: &str = "MANIPLE_BENCH_PART";
const TASKS: u64 = 500_000;
const REPETITIONS: usize = 5;
const BLOCK_BYTES: usize = 64 << 20;
const BLOCKS: u64 = 16;
/// How many strangers there are, and how often each of them connects again.
const STRANGERS: usize = 200;
const STRANGE_PAUSE: Duration = Duration::from_millis(100);
/// How often the same is measured with strangers and without.
const ROUNDS: usize = 60;

fn identity(x: u64) -> u64 {
    x
}

fn block(x: u64) -> Vec<u8> {
    vec![x as u8; BLOCK_BYTES]
}

fn report(what: &str, unit: &str, mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let median = figures[figures.len() / 2];
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    println!("{what:<58} {median:>14.4e} {unit:<8} ({least:.3e} to {most:.3e})");
    median
}

fn repeat(what: &str, unit: &str, mut once: impl FnMut() -> Result<f64>) -> Result<f64> {
    once()?;
    let figures = (0..REPETITIONS).map(|_| once()).collect::<Result<Vec<f64>>>()?;
    Ok(report(what, unit, figures))
}

/// Tasks a second.
fn map(client: &Client) -> Result<f64> {
    let start = Instant::now();
    let values = client.gather(&client.map(identity, 0..TASKS))?;
    let rate = TASKS as f64 / start.elapsed().as_secs_f64();
    assert!(values.iter().copied().eq(0..TASKS));
    Ok(rate)
}

/// Bytes a second that come from the workers, which have made them before.
fn gather(client: &Client) -> Result<f64> {
    let blocks = client.map(block, 0..BLOCKS);
    blocks.iter().try_for_each(|block| block.wait(None))?;
    let start = Instant::now();
    let mut bytes = 0;
    for block in &blocks {
        bytes += block.result()?.len();
    }
    assert_eq!(bytes, BLOCK_BYTES * BLOCKS as usize);
    Ok(bytes as f64 / start.elapsed().as_secs_f64())
}

/// Seconds that a round trip of one task takes, on average.
fn round_trip(client: &Client) -> Result<f64> {
    const COUNT: u64 = 2000;
    let start = Instant::now();
    for x in 0..COUNT {
        assert_eq!(client.submit(identity, x).result()?, x);
    }
    Ok(start.elapsed().as_secs_f64() / COUNT as f64)
}

fn all(client: &Client, who: &str) -> Result<()> {
    repeat(&format!("{who}: map and gather"), "tasks/s", || map(client))?;
    repeat(&format!("{who}: round trip of one task"), "s", || round_trip(client))?;
    repeat(&format!("{who}: 1 GiB gathered, 16 values"), "B/s", || gather(client))?;
    Ok(())
}

/// This program again, in another part.
fn part(part: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command
        .env(PART, part)
        .env("MANIPLE_LOCAL_WORKERS", "2")
        .env("MANIPLE_THREADS", "1")
        .stdin(Stdio::null());
    command
}

fn main() -> Result<()> {
    match env::var(PART).as_deref() {
        Ok("driver") => return Runtime::builder().execute(|client| all(client, "driver")),
        Ok("cluster") => return Runtime::builder().execute(|_| Ok(())),
        Ok("connect") => {
            let started = Runtime::builder().execute(|client| client.submit(identity, 1).result());
            return started.map(drop);
        }
        _ => {}
    }
    let only_strangers = env::args().any(|argument| argument == "strangers");
    if !only_strangers {
        assert!(part("driver").status()?.success());
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cluster.json");
    let mut cluster = part("cluster").env("MANIPLE_SERVE", format!("tcp,{}", file.display())).spawn()?;
    maniple::clusters::wait_ready(&file, Duration::from_secs(60))?;
    let result = match only_strangers {
        true => strangers(&file),
        false => sessions(&file).and_then(|()| strangers(&file)),
    };
    let stopped = maniple::clusters::stop(&file, Duration::from_secs(60));
    end(&mut cluster, stopped.is_ok());
    result
}

fn end(cluster: &mut Child, is_stopping: bool) {
    if !is_stopping {
        let _ = cluster.kill();
    }
    let _ = cluster.wait();
}

fn sessions(file: &Path) -> Result<()> {
    let session = || Runtime::builder().connect(file);
    session().execute(|client| all(client, "session"))?;
    let times = (0..50).map(|_| {
        let start = Instant::now();
        session().execute(|client| client.submit(identity, 1).result())?;
        Ok(start.elapsed().as_secs_f64())
    });
    report("session: from connecting to the first result, and its end", "s", times.collect::<Result<_>>()?);
    let times = (0..50).map(|_| {
        let start = Instant::now();
        assert!(part("connect").env("MANIPLE_CONNECT", file).status()?.success());
        Ok(start.elapsed().as_secs_f64())
    });
    report("session: a process that connects and has one result", "s", times.collect::<Result<_>>()?);
    Ok(())
}

/// What strangers cost: beside nobody, and beside strangers whom another port turns away. The latter take their share of
/// the cores without concerning the cluster. Measurements are short, and now one comes first, now another, so that what
/// else the machine does concerns all.
fn strangers(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let connection: serde_json::Value = serde_json::from_str(&text).expect("a connection file");
    let port = connection["port"].as_u64().expect("it listens at a port") as u16;
    let elsewhere = turning_away()?;
    Runtime::builder().connect(file).execute(|client| {
        map(client)?;
        let (mut alone, mut beside, mut among) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            for turn in 0..3 {
                match (round + turn) % 3 {
                    0 => alone.push(map(client)?),
                    1 => beside.push(among_strangers(elsewhere, || map(client))?),
                    _ => among.push(among_strangers(port, || map(client))?),
                }
            }
        }
        let shares = |of: &[f64], to: &[f64]| of.iter().zip(to).map(|(of, to)| of / to).collect();
        report("session: rate among strangers to that alone", "", shares(&among, &alone));
        report("session: rate among strangers to that beside others", "", shares(&among, &beside));
        report("session: map and gather, alone", "tasks/s", alone);
        report("session: map and gather, beside 200 strangers", "tasks/s", beside);
        report("session: map and gather, among 200 strangers", "tasks/s", among);
        Ok(())
    })
}

/// A port of this process that turns away whoever connects.
fn turning_away() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().for_each(drop));
    Ok(port)
}

/// Measures while strangers connect to a port, and send it what makes no sense.
fn among_strangers(port: u16, once: impl FnOnce() -> Result<f64>) -> Result<f64> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut strangers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                strangers.clear();
                for _ in 0..STRANGERS {
                    if let Ok(mut stranger) = TcpStream::connect(("127.0.0.1", port)) {
                        let _ = stranger.write_all(&[0xff; 72]);
                        strangers.push(stranger);
                    }
                }
                thread::sleep(STRANGE_PAUSE);
            }
        });
        let figure = once();
        is_over.store(true, Ordering::Relaxed);
        figure
    })
}
