//! The dashboard of real runs: what it shows in a browser, whom it refuses, and that nobody who looks, however
//! badly, keeps a run from its work.

#[cfg(feature = "mpi")]
use crate::support;
use crate::support::{browser, example};
use browser::Browser;
use example::example;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A run that serves a dashboard.
struct Served {
    child: Child,
    /// Such as `127.0.0.1:8787`.
    address: String,
    token: String,
    /// What else it says on standard error.
    words: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

impl Served {
    /// Starts an example on four ranks: under MPI if there is one, else as threads.
    fn start(name: &str, args: &[&str]) -> Self {
        #[cfg(feature = "mpi")]
        if support::launcher().is_some() {
            return Self::of(support::launch(4, &example(name)).args(args));
        }
        Self::threads(name, args)
    }

    fn threads(name: &str, args: &[&str]) -> Self {
        Self::of(Command::new(example(name)).args(args).env("MANIPLE_LOCAL_WORKERS", "2"))
    }

    fn of(command: &mut Command) -> Self {
        let command = command.env("MANIPLE_DASHBOARD", "1").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(|line| line.ok());
        // A cluster that stands says first how one connects to it.
        let first = lines.find(|line| line.starts_with("maniple: dashboard")).expect("it says where it is");
        let second = lines.next().expect("it says how to get there");
        let (address, token) =
            first.strip_prefix("maniple: dashboard at http://").unwrap().split_once("/?token=").unwrap();
        assert!(token.len() >= 40 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
        let port = address.strip_prefix("127.0.0.1:").unwrap();
        assert!(second.contains(&format!(": ssh -L {port}:127.0.0.1:{port} ")), "{second}");
        let (address, token) = (address.to_string(), token.to_string());
        let words = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&words);
        let reading = thread::spawn(move || lines.for_each(|line| *told.lock().unwrap() += &line));
        Self { child, address, token, words, reading: Some(reading) }
    }

    fn url(&self) -> String {
        format!("http://{}/?token={}", self.address, self.token)
    }

    fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end, which must be a good one.
    fn end(mut self) {
        assert!(self.child.wait().unwrap().success(), "{}", self.words.lock().unwrap());
        self.reading.take().unwrap().join().unwrap();
        assert_eq!(*self.words.lock().unwrap(), "", "nothing else is said");
    }

    /// Asks for something. Returns the status, the head and the body of the answer.
    fn ask(&self, line: &str, headers: &str) -> (u16, String, String) {
        let answer = self.say(&format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{line}: {answer:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.into())
    }

    /// Sends bytes and reads what comes until the other side ends.
    fn say(&self, bytes: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What somebody is told who has the token.
    fn get(&self, path: &str) -> String {
        let headers = format!("Host: {}\r\nAuthorization: Bearer {}\r\n", self.address, self.token);
        let (status, _, body) = self.ask(&format!("GET {path}"), &headers);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Opens a stream of states, and reads nothing of it.
    fn open_stream(&self) -> TcpStream {
        let mut stream = self.connect();
        let request = format!(
            "GET /api/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.address, self.token
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.reading.is_some() {
            // A launcher ends its ranks when it is asked to end.
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let _ = self.child.wait();
        }
    }
}

/// A run for no end in sight.
fn endless() -> Served {
    Served::threads("heat", &["--side", "200", "--chunk", "50", "--steps", "1000000"])
}

/// The first of the cards: how many tasks are done, and how many there are.
const COUNTS: &str = "document.querySelector('#cards .card b').textContent";
const BADGE: &str = "document.getElementById('state').textContent";

/// Opens the page of a run of so many steps, and of longer ones until one goes on long enough for `seen` to be
/// true on its page meanwhile.
fn watched(browser: &mut Browser, name: &str, args: &[&str], steps: (&str, u32), seen: &str) -> Served {
    for factor in [1, 4, 16, 64] {
        let many = (steps.1 * factor).to_string();
        let mut served = Served::start(name, &[args, &[steps.0, &many]].concat());
        browser.troubles.clear();
        browser.open(&served.url());
        let deadline = Instant::now() + PATIENCE;
        while !served.is_over() && Instant::now() < deadline {
            if browser.evaluate(BADGE) == "running" && browser.evaluate(seen) == true {
                return served;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    panic!("{name} is over before it can be seen");
}

#[test]
fn a_browser_shows_pi_and_arrays_while_they_are_computed() {
    let Some(mut browser) = Browser::start() else { return };
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"));

    let served = watched(
        &mut browser,
        "pi",
        &["--samples", "2e6"],
        ("--runs", 60),
        "points.some((point) => point.busy > 0)",
    );
    let origin = format!("http://{}/", served.address);
    assert_eq!(browser.evaluate("location.href"), origin, "the token is not in the address any more");
    browser.until("document.getElementById('program').textContent === 'pi'");
    browser.until("document.querySelectorAll('#load .line').length === 2");
    browser.until(&format!("{BADGE} === 'ended'"));
    served.end();
    browser.until(&format!("(([done, total]) => done === total && total !== '0')({COUNTS}.split(' / '))"));
    let words = browser.words();
    assert!(words.contains("rank 2") && words.contains("rank 3") && words.contains(" / 2\n"), "{words}");

    let heat = ["--side", "200", "--chunk", "50"];
    let served =
        watched(&mut browser, "heat", &heat, ("--steps", 100), "points.some((point) => point.memory > 0)");
    let second = format!("http://{}/", served.address);
    browser.until("document.querySelectorAll('#cards .card')[3].textContent.includes(' in values')");
    browser.press("2", "2");
    browser.until("document.querySelectorAll('#workers-table tbody tr').length === 4");
    browser.until("document.querySelectorAll('#workers-table tbody .bar').length === 4");
    browser.press("1", "1");
    browser.until(&format!("{BADGE} === 'ended'"));
    served.end();
    browser.until(&format!("(([done, total]) => done === total && total !== '0')({COUNTS}.split(' / '))"));
    browser.until("document.querySelectorAll('#progress .line').length >= 3");
    browser.until("document.querySelectorAll('.uplot canvas').length === 4");
    browser.until("document.getElementById('spent-table').textContent.includes('idle: ')");
    let shares =
        "[...document.querySelectorAll('#spent-bar > div')].map((part) => parseFloat(part.style.width))";
    browser.until(&format!("Math.abs({shares}.reduce((sum, share) => sum + share) - 100) < 0.01"));
    browser.picture(&pictures.join("dashboard-light.png"));
    browser.scheme("dark");
    browser.until("getComputedStyle(document.body).backgroundColor === 'rgb(18, 22, 28)'");
    browser.picture(&pictures.join("dashboard-dark.png"));
    let edges = "[...document.querySelectorAll('nav button')].map((tab) => tab.getBoundingClientRect())";
    for page in ["1", "2", "3", "4", "5", "6"] {
        browser.press(page, page);
        browser.size(390, 844);
        browser.until("document.documentElement.scrollWidth <= 390");
        browser.until(&format!("{edges}.every((tab) => tab.left >= 0 && tab.right <= 390)"));
        browser.size(1920, 1080);
        browser.until("Math.max(...[...document.querySelectorAll('section')].map((one) => one.getBoundingClientRect().right)) > 1860");
    }
    browser.press("1", "1");
    browser.picture(&pictures.join("dashboard-wide.png"));
    browser.size(390, 844);
    browser.picture(&pictures.join("dashboard-phone.png"));
    browser.size(1440, 1200);
    browser.press("3", "3");
    browser.until("document.querySelectorAll('#graph-picture .node').length >= 3");
    browser.until("document.querySelectorAll('#graph-picture .over .node').length >= 3");
    browser.picture(&pictures.join("dashboard-graph.png"));
    for (key, words) in [("4", "Running now"), ("5", "Log of rank 0"), ("6", "Refused connections")] {
        browser.press(key, key);
        browser.until(&format!("document.body.innerText.includes('{words}')"));
    }
    find_tasks(&mut browser);
    let strangers = browser.requests.iter().filter(|url| {
        let own = [&origin, &second].iter().any(|own| url.starts_with(own.as_str()));
        !own && !url.starts_with("data:") && *url != "about:blank"
    });
    assert_eq!(strangers.collect::<Vec<_>>(), Vec::<&String>::new(), "no request leaves the host");
    assert!(browser.requests.iter().any(|url| *url == format!("{second}api/events")));
    assert_eq!(browser.troubles, Vec::<String>::new());
}

#[test]
fn a_browser_shows_the_sessions_of_a_cluster_while_they_last() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.json");
    let mut cluster = Command::new(example("pi"));
    let served = Served::of(cluster.env("MANIPLE_LOCAL_WORKERS", "2").env("MANIPLE_SERVE", &file));
    browser.open(&served.url());
    browser.until("document.getElementById('program').textContent === 'pi'");
    browser.press("2", "2");
    browser.until("document.querySelectorAll('#workers-table tbody tr').length === 4");
    browser.until("byId('sessions').hidden");
    let mut session = Command::new(example("pi"));
    session.args(["--samples", "1e6", "--runs", "1000000"]).env("MANIPLE_CONNECT", &file);
    let mut session = session.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    browser.until("document.querySelectorAll('#sessions-table tbody tr').length === 1");
    browser.until(
        "(([one]) => one && one.done > 0 && byId('sessions-table').innerText.includes(`rank ${one.rank}`))(state.sessions)",
    );
    browser.picture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard-sessions.png"));
    session.kill().unwrap();
    session.wait().unwrap();
    browser.until("byId('sessions').hidden && !state.sessions.length");
    assert_eq!(browser.troubles, Vec::<String>::new());
}

/// Looks for tasks by the name of their function, and at those that have failed.
fn find_tasks(browser: &mut Browser) {
    browser.press("4", "4");
    let look = |browser: &mut Browser, words: &str| {
        browser.evaluate(&format!(
            "(() => {{ const field = byId('task-number'); field.value = '{words}'; field.dispatchEvent(new Event('input')); }})()"
        ));
    };
    look(browser, "no such function");
    browser.until("byId('story').textContent.includes('No function is called so')");
    let name = browser.evaluate("state.functions[0].name");
    look(browser, name.as_str().unwrap());
    browser.until(
        "document.querySelectorAll('#found-table tbody tr').length >= 1 && byId('story').textContent === ''",
    );
    browser.until("byId('failed').hidden");
    browser.evaluate(
        "failures = [{ task: '7', count: 2, name: 'load', rank: 3, words: 'no such file' }], draw()",
    );
    browser.until("!byId('failed').hidden && byId('failed-table').innerText.includes('no such file')");
}

#[test]
fn what_is_shorter_than_a_pixel_adds_up_in_it() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.html");
    let output = Command::new(example("chain")).env("MANIPLE_REPORT", &path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    browser.open(&format!("file://{}", path.display()));
    browser.until("document.getElementById('program').textContent === 'chain'");
    browser.until(
        "byId('end').textContent === 'exit status 0' && byId('command').textContent.endsWith('chain')",
    );
    let shares = browser.evaluate(
        "(() => {
            const pixels = new Pixels(4);
            for (let at = 0; at < 100; at++) pixels.add(at / 100, at / 100 + 0.005, 1, at < 90 ? 1 : 2);
            pixels.add(1.5, 3, 0.5, 3);
            return [[...pixels.busy].map((share) => Math.round(share * 100)), [...pixels.whose]].join();
        })()",
    );
    assert_eq!(shares, "50,25,50,0,0,1,3,3,0,0", "how busy each pixel is, in percent, and with what");
}

#[test]
fn a_browser_zooms_the_timeline_of_a_report() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.html");
    let args = ["--side", "200", "--chunk", "50", "--steps", "10"];
    let output = Command::new(example("heat")).args(args).env("MANIPLE_REPORT", &path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    browser.open(&format!("file://{}", path.display()));
    browser.until("document.getElementById('program').textContent === 'heat'");
    browser.evaluate("document.getElementById('timeline-canvas').focus()");
    let length = "view.end - view.start";
    let whole = browser.evaluate(length).as_f64().unwrap();
    (0..3).for_each(|_| browser.press("+", "+"));
    let near = browser.evaluate(length).as_f64().unwrap();
    assert!(near < whole / 2.0, "{near} of {whole}");
    let start = browser.evaluate("view.start").as_f64().unwrap();
    browser.press("ArrowRight", "");
    assert!(browser.evaluate("view.start").as_f64().unwrap() > start);
    browser.press("-", "-");
    assert!(browser.evaluate(length).as_f64().unwrap() > near);
    browser.press("0", "0");
    assert_eq!(browser.evaluate(length).as_f64().unwrap(), whole);
    assert!(browser.requests.iter().all(|url| url.starts_with("file:") || url.starts_with("data:")));
    assert_eq!(browser.troubles, Vec::<String>::new());
}

#[test]
fn only_who_has_the_token_sees_and_only_under_our_name() {
    let served = endless();
    let (host, token) = (format!("Host: {}\r\n", served.address), &served.token);
    let paths =
        ["/", "/dashboard.js", "/api/state", "/api/events", "/api/task?id=1", "/metrics", "/health", "/x"];
    for path in paths {
        let line = format!("GET {path}");
        let (status, head, body) = served.ask(&line, &host);
        assert_eq!(status, 401, "{path}");
        assert!(head.contains("connection: close") && !body.contains("heat"), "{path}");
        for wrong in ["Host: evil.example\r\n", "Host: 127.0.0.2.evil.example:8787\r\n", ""] {
            let headers = format!("{wrong}Authorization: Bearer {token}\r\n");
            assert_eq!(served.ask(&line, &headers).0, 403, "{path} {wrong}");
        }
        let headers = format!("{host}Authorization: Bearer {token}\r\nOrigin: http://evil.example\r\n");
        assert_eq!(served.ask(&line, &headers).0, 403, "{path}");
    }
    let cookie = format!("{host}Cookie: maniple-{}={token}\r\n", served.address.rsplit(':').next().unwrap());
    let (status, head, _) = served.ask("GET /", &cookie);
    assert_eq!(status, 200);
    for line in [
        "content-security-policy: default-src 'none'; script-src 'self';",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
        "httponly; samesite=strict",
    ] {
        assert!(head.contains(line), "{line} in\n{head}");
    }
    assert!(!head.contains("access-control"), "{head}");
    assert_eq!(served.ask("GET /api/state", &format!("{cookie}Sec-Fetch-Site: cross-site\r\n")).0, 401);
    assert_eq!(served.ask(&format!("GET /health?token={token}"), &host).0, 200);
    assert_eq!(served.ask("POST /api/state", &cookie).0, 405);
    assert_eq!(served.ask("GET /x", &cookie).0, 404);
    assert_eq!(served.ask("GET /api/task?id=x", &cookie).0, 400);
}

#[test]
fn programs_are_told_what_the_page_shows() {
    let served = endless();
    let deadline = Instant::now() + PATIENCE;
    let state = loop {
        let state: Value = serde_json::from_str(&served.get("/api/state")).unwrap();
        // A small array may lie on one of the workers only.
        let is_heard = |rank: &usize| !state["ranks"][*rank]["heard"].is_null();
        let holds = |rank: &usize| state["ranks"][*rank]["memory"] != 0;
        if [2, 3].iter().all(is_heard) && [2, 3].iter().any(holds) {
            break state;
        }
        assert!(Instant::now() < deadline, "{state}");
        thread::sleep(Duration::from_millis(100));
    };
    assert_eq!((&state["run"]["program"], &state["over"]), (&Value::from("heat"), &Value::from(false)));
    let roles: Vec<&str> =
        state["run"]["ranks"].as_array().unwrap().iter().map(|rank| rank["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["scheduler", "driver", "worker", "worker"]);
    let functions = state["functions"].as_array().unwrap();
    assert!(functions.iter().any(|function| function["done"].as_u64().unwrap() > 0), "{state}");
    assert!(
        !state["spans"].as_array().unwrap().is_empty() && !state["points"].as_array().unwrap().is_empty()
    );
    assert!(
        state["log"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("starts pid="))
    );
    // What threads spend their time on adds up to the time between the first and the last sample, cause by cause.
    let causes = state["run"]["causes"].as_array().unwrap();
    for rank in [2, 3] {
        let (rank, record) = (&state["ranks"][rank], &state["run"]["ranks"][rank]);
        let of = |what: &str| -> Vec<u64> {
            rank[what].as_array().unwrap().iter().map(|time| time.as_u64().unwrap()).collect()
        };
        let (spent, idle) = (of("spent"), of("idle"));
        assert_eq!(idle.len(), causes.len());
        let seconds =
            spent.iter().chain(&idle).sum::<u64>() as f64 / 1e9 / record["threads"].as_f64().unwrap();
        let heard = rank["heard"].as_f64().unwrap() / 1e3;
        assert!((0.9..heard + 0.5).contains(&seconds), "{seconds} of {heard}: {rank}");
        assert!(spent[0] > 0 && idle.iter().sum::<u64>() > 0, "{rank}");
    }
    let metrics = served.get("/metrics");
    assert!(metrics.contains("maniple_thread_seconds_total{rank=\"3\",kind=\"idle: "), "{metrics}");
    assert!(metrics.lines().any(|line| line == "maniple_workers 2"), "{metrics}");
    assert!(metrics.contains("maniple_memory_bytes{rank=\"3\",kind=\"values\"} "), "{metrics}");
    assert_eq!(served.get("/health"), "{\"status\":\"ok\"}");
    // The last tasks that were submitted wait, and may be done in a moment: they have a story in any case.
    let last = functions.iter().map(|function| function["total"].as_u64().unwrap()).sum::<u64>() - 1;
    let story: Value = serde_json::from_str(&served.get(&format!("/api/task?id={last}"))).unwrap();
    assert!(story["words"].as_str().unwrap().starts_with(&format!("task {last} ")), "{story}");
}

/// The nanoseconds of a run of so many steps, with what `beset` does to its dashboard.
fn timed(steps: u32, beset: impl FnOnce(&Served) -> Vec<TcpStream>) -> Duration {
    let args = ["--side", "200", "--chunk", "50", "--steps", &steps.to_string()];
    let start = Instant::now();
    let served = Served::threads("heat", &args);
    let streams = beset(&served);
    served.end();
    drop(streams);
    start.elapsed()
}

#[test]
fn who_looks_badly_keeps_no_run_from_its_work() {
    // Seconds: all are to have come before it is over.
    let steps = 200;
    let alone = timed(steps, |_| Vec::new());
    let beset = timed(steps, |served| {
        let mut streams: Vec<TcpStream> = (0..200).map(|_| served.open_stream()).collect();
        // Who says nothing, half of something, and too much.
        streams.push(served.connect());
        let mut half = served.connect();
        half.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
        streams.push(half);
        let long = format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", served.address, "x".repeat(60_000));
        let mut much = served.connect();
        let _ = much.write_all(long.as_bytes());
        streams.push(much);
        let mut nonsense = served.connect();
        let _ = nonsense.write_all(&[0xff; 1000]);
        streams.push(nonsense);
        streams
    });
    // The figure is for `benches/dashboard.rs`; here the machine may do other things, too.
    assert!(beset < alone * 4 + Duration::from_secs(10), "{beset:?}, alone {alone:?}");
}

#[test]
fn who_looks_to_the_end_sees_it() {
    let args = ["--side", "200", "--chunk", "50", "--steps", "20"];
    let served = Served::threads("heat", &args);
    let mut stream = served.open_stream();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    served.end();
    let last = text.split("data: ").last().unwrap();
    // The pieces of a body come with their lengths.
    let last: String = last.lines().next().unwrap().into();
    let state: Value = serde_json::from_str(&last).unwrap_or_else(|error| panic!("{error}: {last}"));
    assert_eq!(state["over"], true);
    for function in state["functions"].as_array().unwrap() {
        assert_eq!(function["done"], function["total"], "{function}");
    }
}

#[test]
fn where_it_cannot_listen_nothing_runs_and_one_line_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (variable, expected) in [
        (port.as_str(), "Address already in use: give another port"),
        ("192.0.2.1:0", "give an address of rank 0's host"),
        ("no such host", "\"no such host\" is no address like 8787"),
        ("127.0.0.1:many", "MANIPLE_DASHBOARD: dashboard address \"127.0.0.1:many\" is no address"),
    ] {
        for workers in ["", "2"] {
            let mut command = Command::new(example("chain"));
            command.env("MANIPLE_LOCAL_WORKERS", workers).env("MANIPLE_DASHBOARD", variable);
            let output = command.output().unwrap();
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
            assert!(words.contains(expected) && words.lines().count() == 1, "{words}");
            assert!(words.contains("rank 0 (") && words.contains("cannot start"), "{words}");
        }
    }
}
