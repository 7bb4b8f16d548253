//! Pure: what the dashboard knows of the run, put together from what ranks tell, and how it is said.

use crate::{
    cluster::RankRecord,
    ids::Tasks,
    rank::{Rank, driver_of},
    record::{
        Acyclic, Cause, Estimate, Failure, Head, Kind, Known, Live, Progress, Rates, Sample, SessionProgress,
        Shares, Span, Sums, split,
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    time::Duration,
};

/// How many points the plots go back, and how many spans the task stream.
const POINTS_MAX: usize = 900;
const SPANS_MAX: usize = 24_000;
/// After how many samples that did not come what the last one told of is no more.
const SILENCES_MAX: u64 = 4;
/// How many functions are told of; what a run has besides is in a sum.
const FUNCTIONS_MAX: usize = 500;
/// How many lines the log has, how many failures are listed, and how many letters of an error.
const LINES_MAX: usize = 500;
const FAILURES_MAX: usize = 200;
const ERROR_LETTERS_MAX: usize = 600;

/// A rank, as far as it has told.
#[derive(Debug, Default)]
struct RankNow {
    live: Live,
    /// When that was, in nanoseconds since the run began, if it has told anything.
    heard: Option<u64>,
    /// Sums of all that it has told.
    tasks: u64,
    fetched: u64,
    sent: u64,
    spilled: u64,
    /// What its threads' time was spent on: tasks, values that arrived, the disk; and why they were idle.
    spent: [u64; 3],
    idle: Sums,
    /// What of [`Board::known`] is in there.
    known: Known,
}

impl RankNow {
    /// A number of the last sample as a second's; none if that was long ago.
    fn rate(&self, now: u64, of: fn(&Live) -> u64) -> f64 {
        let length = self.live.memory.at.saturating_sub(self.live.since);
        let seconds = length as f64 / 1e9;
        if self.heard.is_none_or(|heard| now.saturating_sub(heard) > SILENCES_MAX * length) {
            return 0.0;
        }
        if seconds > 0.0 { of(&self.live) as f64 / seconds } else { 0.0 }
    }
}

/// All ranks together at one time, as the plots show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Point {
    /// Milliseconds since the run began.
    at: u64,
    /// Bytes of values in memory, on disks, on devices, and of all processes.
    memory: u64,
    spilled: u64,
    device: u64,
    resident: u64,
    /// How many threads have a task, and how many tasks end in a second.
    busy: f64,
    tasks: f64,
    /// Bytes a second from rank to rank, and to and from disks.
    moved: f64,
    disk: f64,
}

/// What the dashboard knows. See the module.
#[derive(Debug)]
pub(super) struct Board {
    head: Head,
    ranks: Vec<RankNow>,
    points: VecDeque<Point>,
    /// Spans as the page draws them: rank, thread, function (or below), first task, tasks, start, length, and how
    /// much of the length is a task's. In microseconds.
    spans: VecDeque<[i64; 8]>,
    functions: Vec<Progress>,
    outstanding: Vec<u64>,
    sessions: Vec<SessionProgress>,
    lines: VecDeque<String>,
    failures: VecDeque<Value>,
    rates: Rates,
    /// By rank, for how long its threads had no task, by what rank 0 knew.
    known: Vec<Known>,
    shares: Shares,
    /// How many points, spans, lines and failures there were ever, and how many when news were last told.
    ever: [u64; 4],
    told: [u64; 4],
    number: u64,
    /// What was told last, without the lists.
    heading: Value,
}

/// In place of a function: a move to or from the disk, tasks of unknown functions.
const DISK: i64 = -2;
const UNKNOWN: i64 = -1;

impl Board {
    pub(super) fn new(head: Head) -> Self {
        let ranks = head.cluster.ranks().iter().map(|_| RankNow::default()).collect();
        Self {
            head,
            ranks,
            points: VecDeque::new(),
            spans: VecDeque::new(),
            functions: Vec::new(),
            outstanding: Vec::new(),
            sessions: Vec::new(),
            lines: VecDeque::new(),
            failures: VecDeque::new(),
            rates: Rates::default(),
            known: Vec::new(),
            shares: Shares::default(),
            ever: [0; 4],
            told: [0; 4],
            number: 0,
            heading: json!({}),
        }
    }

    /// A rank's time in nanoseconds since the run began; `start` is that by rank 0's clock.
    fn aligned(&self, rank: u32, at: u64, start: u64) -> u64 {
        let offset = self.head.offsets.get(rank as usize).copied().unwrap_or(0);
        (at as i64 + offset - start as i64).max(0) as u64
    }

    /// Takes in what ranks have told. `places` says which function each task belongs to.
    pub(super) fn hear(
        &mut self,
        told: Vec<Live>,
        start: u64,
        places: impl Fn(&[Span]) -> Vec<Option<usize>>,
    ) {
        let mut idle = BTreeMap::<u32, u64>::new();
        told.iter().for_each(|live| self.note_shares(live));
        for mut live in told {
            *idle.entry(live.rank).or_default() += live.idle;
            let spans = std::mem::take(&mut live.spans);
            for (span, place) in spans.iter().zip(places(&spans)) {
                let function = match (span.kind, place) {
                    (Kind::Spill, _) => DISK,
                    (Kind::Dense, _) | (_, None) => UNKNOWN,
                    (_, Some(place)) => place as i64,
                };
                let time = |at| (self.aligned(live.rank, at, start) / 1000) as i64;
                let (start, end) = (time(span.start), time(span.end));
                let numbers = [span.task & ((1 << 44) - 1), span.tasks].map(|number| number as i64);
                push(
                    &mut self.spans,
                    SPANS_MAX,
                    &mut self.ever[1],
                    [
                        i64::from(live.rank),
                        i64::from(span.lane),
                        function,
                        numbers[0],
                        numbers[1],
                        start,
                        (end - start).max(1),
                        (span.busy / 1000) as i64,
                    ],
                );
            }
            let heard = self.aligned(live.rank, live.memory.at, start);
            let Some(rank) = self.ranks.get_mut(live.rank as usize) else { continue };
            rank.heard = Some(heard);
            rank.tasks += live.tasks;
            rank.fetched += live.fetched;
            rank.sent += live.sent;
            rank.spilled += live.spilled;
            let spent = [live.busy, live.fetching, live.spilling];
            rank.spent.iter_mut().zip(spent).for_each(|(sum, time)| *sum += time);
            rank.live = live;
        }
        for (place, idle) in idle {
            let Some(rank) = self.ranks.get_mut(place as usize) else { continue };
            let known = self.known.get(place as usize).copied().unwrap_or(rank.known);
            let new = std::array::from_fn(|at| known[at].saturating_sub(rank.known[at]));
            let causes = split(idle, new, self.shares);
            rank.idle.iter_mut().zip(causes).for_each(|(sum, time)| *sum += time);
            rank.known = known;
        }
    }

    /// Takes in for which share of a sample the driver waited, or rank 0 worked.
    fn note_shares(&mut self, live: &Live) {
        let length = live.memory.at.saturating_sub(live.since).max(1) as f64;
        if live.rank == driver_of(self.ranks.len() as u32).0 {
            self.shares.driver_waits = live.waited as f64 / length;
        }
        if live.rank == Rank::SCHEDULER.0 {
            self.shares.scheduling = live.scheduled as f64 / length;
        }
    }

    /// For how long each rank's threads had no task since the run began, by what rank 0 knew.
    pub(super) fn note_vacancies(&mut self, known: Vec<Known>) {
        self.known = known;
    }

    /// Where the functions stand, and how many tasks each rank has. `at` is in nanoseconds since the run began.
    pub(super) fn note_progress(&mut self, functions: Vec<Progress>, outstanding: Vec<u64>, at: u64) {
        self.rates.note(&functions, Duration::from_nanos(at));
        (self.functions, self.outstanding) = (functions, outstanding);
    }

    pub(super) fn note_sessions(&mut self, sessions: Vec<SessionProgress>) {
        self.sessions = sessions;
    }

    pub(super) fn note_failures(&mut self, failures: impl IntoIterator<Item = Failure>) {
        for Failure { tasks, name, error } in failures {
            let words: String = error.to_string().chars().take(ERROR_LETTERS_MAX).collect();
            let failure = json!({
                "task": self.called(tasks),
                "count": tasks.count,
                "name": name,
                "rank": error.rank.map(|rank| rank.0),
                "words": words,
            });
            push(&mut self.failures, FAILURES_MAX, &mut self.ever[3], failure);
        }
    }

    /// What people call the first of these tasks: its number, after its rank if a task submitted it.
    fn called(&self, tasks: Tasks) -> String {
        let (owner, number) = (tasks.first.owner(), tasks.first.sequence());
        let driver = driver_of(self.head.cluster.ranks().len() as u32);
        if owner == driver { number.to_string() } else { format!("{owner}.{number}") }
    }

    pub(super) fn note_lines(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            push(&mut self.lines, LINES_MAX, &mut self.ever[2], line);
        }
    }

    /// Adds what all ranks have now to the plots.
    pub(super) fn note_point(&mut self, at: u64) {
        let sum = |of: fn(&RankNow) -> u64| self.ranks.iter().map(of).sum::<u64>();
        let rate = |of: fn(&Live) -> u64| self.ranks.iter().map(|rank| rank.rate(at, of)).sum::<f64>();
        let spilled = sum(|rank| rank.live.memory.spilled);
        let point = Point {
            at: at / 1_000_000,
            memory: sum(|rank| rank.live.memory.held).saturating_sub(spilled),
            spilled,
            device: sum(|rank| rank.live.memory.device),
            resident: self.resident(),
            busy: rounded(rate(|live| live.busy) / 1e9),
            tasks: rounded(rate(|live| live.tasks)),
            moved: rounded(rate(|live| live.fetched)),
            disk: rounded(rate(|live| live.spilled)),
        };
        push(&mut self.points, POINTS_MAX, &mut self.ever[0], point);
    }

    /// Bytes of all processes: ranks may be threads of one.
    fn resident(&self) -> u64 {
        let mut seen = BTreeMap::new();
        for (record, rank) in self.head.cluster.ranks().iter().zip(&self.ranks) {
            seen.insert((record.host.as_str(), record.pid), rank.live.memory.resident);
        }
        seen.values().sum()
    }

    /// Says what is new since the last call. `now` is in nanoseconds since the run began.
    pub(super) fn tell(&mut self, now: u64, is_over: bool, server: &Value) -> String {
        self.number += 1;
        let estimates = self.rates.estimates(&self.functions);
        let run = self.rates.of_run(&self.functions, &estimates);
        let ranks = self.ranks.iter().enumerate().map(|(rank, told)| self.rank(rank, told, now));
        let graph = self.graph();
        self.heading = json!({
            "number": self.number,
            "at": now / 1_000_000,
            "over": is_over,
            "left": run.left.map(|left| rounded(left.as_secs_f64())),
            "grows": run.grows,
            "ranks": ranks.collect::<Vec<_>>(),
            "functions": self.functions(graph.needs, estimates),
            "sessions": self.sessions.iter().map(session).collect::<Vec<_>>(),
            "leftOut": graph.left_out,
            "others": others(self.functions.get(FUNCTIONS_MAX..).unwrap_or_default()),
            "server": server,
        });
        let new = |at: usize, len: usize| len.saturating_sub((self.ever[at] - self.told[at]) as usize);
        let from = [
            new(0, self.points.len()),
            new(1, self.spans.len()),
            new(2, self.lines.len()),
            new(3, self.failures.len()),
        ];
        let news = self.with_lists(from).to_string();
        self.told = self.ever;
        news
    }

    /// The number of what was told last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// That number, and all of which that told the news.
    pub(super) fn all(&self) -> (u64, String) {
        let mut all = self.with_lists([0; 4]);
        all["run"] = self.run();
        (self.number, all.to_string())
    }

    /// The functions that are told of, and which need which, without cycles.
    fn graph(&self) -> Acyclic {
        let told = self.functions.iter().take(FUNCTIONS_MAX);
        Acyclic::of(&told.map(|function| function.needs.clone()).collect::<Vec<_>>())
    }

    /// The functions that are told of, each with those that it needs.
    fn functions(&self, needs: Vec<Vec<usize>>, estimates: Vec<Estimate>) -> Vec<Value> {
        let all = self.functions.iter().zip(needs).zip(estimates);
        let function = |((progress, needs), estimate): ((&Progress, Vec<usize>), Estimate)| {
            let Progress { name, total, done, failed, running, tasks, .. } = progress;
            let left = estimate.left.filter(|_| !progress.is_over());
            let tasks: Vec<Value> =
                tasks.iter().map(|tasks| json!([self.called(*tasks), tasks.count])).collect();
            json!({
                "name": name, "total": total, "done": done, "failed": failed, "running": running,
                "needs": needs, "left": left.map(|left| rounded(left.as_secs_f64())), "grows": estimate.grows,
                "tasks": tasks,
            })
        };
        all.map(function).collect()
    }

    /// What was told last, with points, spans, lines and failures from these places on.
    fn with_lists(&self, from: [usize; 4]) -> Value {
        let points: Vec<&Point> = self.points.iter().skip(from[0]).collect();
        let spans: Vec<i64> = self.spans.iter().skip(from[1]).flatten().copied().collect();
        let lines: Vec<&String> = self.lines.iter().skip(from[2]).collect();
        let mut value = self.heading.clone();
        (value["points"], value["spans"], value["log"]) = (json!(points), json!(spans), json!(lines));
        value["failures"] = self.failures.iter().skip(from[3]).cloned().collect();
        value
    }

    /// What stays as it is as long as the run goes on.
    fn run(&self) -> Value {
        let head = &self.head;
        let rank = |record: &RankRecord| {
            json!({
                "rank": record.rank.0,
                "role": record.role.to_string(),
                "works": record.role.worker,
                "host": record.host,
                "pid": record.pid,
                "threads": record.threads,
                "limit": record.memory_bytes,
                "resources": record.resources,
                "device": record.device.as_ref().map(ToString::to_string),
            })
        };
        json!({
            "program": head.program,
            "command": head.command,
            "version": head.version,
            "started": head.started,
            "causes": Cause::ALL.map(|cause| json!({"name": cause.name(), "advice": cause.advice()})),
            "transport": head.cluster.ranks().first().map(|rank| &rank.transport),
            "ranks": head.cluster.ranks().iter().map(rank).collect::<Vec<_>>(),
        })
    }

    fn rank(&self, place: usize, rank: &RankNow, now: u64) -> Value {
        let memory: &Sample = &rank.live.memory;
        let running = rank.live.running.iter().map(|(lane, running)| {
            let microseconds = running.nanoseconds / 1000;
            json!([lane, self.called(running.tasks), running.tasks.count, running.name, microseconds])
        });
        json!({
            "heard": rank.heard.map(|heard| heard / 1_000_000),
            "memory": memory.held.saturating_sub(memory.spilled),
            "spilled": memory.spilled,
            "deviceBytes": memory.device,
            "resident": memory.resident,
            "busy": rounded(rank.rate(now, |live| live.busy) / 1e9),
            "rate": rounded(rank.rate(now, |live| live.tasks)),
            "received": rounded(rank.rate(now, |live| live.fetched)),
            "sent": rounded(rank.rate(now, |live| live.sent)),
            "done": rank.tasks,
            "spent": rank.spent,
            "idle": rank.idle,
            "has": self.outstanding.get(place).copied().unwrap_or(0),
            "running": running.collect::<Vec<_>>(),
        })
    }

    /// The same in Prometheus's text format.
    pub(super) fn metrics(&self, now: u64) -> String {
        let mut text = String::new();
        let mut family =
            |name: &str, kind: &str, help: &str, lines: &mut dyn Iterator<Item = (String, f64)>| {
                let _ = writeln!(text, "# HELP maniple_{name} {help}\n# TYPE maniple_{name} {kind}");
                for (labels, value) in lines {
                    let _ = writeln!(text, "maniple_{name}{labels} {value}");
                }
            };
        let plain = String::new;
        family("run_seconds", "gauge", "How long the run has gone on.", &mut one(plain(), now as f64 / 1e9));
        let workers = self.head.cluster.workers().count();
        family("workers", "gauge", "How many ranks run tasks.", &mut one(plain(), workers as f64));
        let mut tasks = self.functions.iter().flat_map(|function| {
            let name = label(&function.name);
            let done = function.done.saturating_sub(function.failed);
            [
                ("waiting", function.waiting()),
                ("assigned", function.running),
                ("done", done),
                ("failed", function.failed),
            ]
            .map(|(state, count)| (format!("{{function=\"{name}\",state=\"{state}\"}}"), count as f64))
        });
        family("tasks", "gauge", "Tasks by function and state.", &mut tasks);
        let of_ranks = |of: fn(&RankNow, u64) -> f64| {
            let ranks = self.ranks.iter().enumerate();
            ranks.map(move |(place, rank)| (format!("{{rank=\"{place}\"}}"), of(rank, now)))
        };
        let mut memory = self.ranks.iter().enumerate().flat_map(|(place, rank)| {
            let memory = &rank.live.memory;
            let values = memory.held.saturating_sub(memory.spilled);
            [
                ("values", values),
                ("disk", memory.spilled),
                ("device", memory.device),
                ("process", memory.resident),
            ]
            .map(|(kind, bytes)| (format!("{{rank=\"{place}\",kind=\"{kind}\"}}"), bytes as f64))
        });
        family("memory_bytes", "gauge", "Bytes by rank and place.", &mut memory);
        family(
            "threads_busy",
            "gauge",
            "Threads that have a task.",
            &mut of_ranks(|rank, now| rank.rate(now, |live| live.busy) / 1e9),
        );
        let mut time = self.ranks.iter().enumerate().flat_map(|(place, rank)| {
            let spent =
                ["computing", "values arriving", "disk"].map(String::from).into_iter().zip(rank.spent);
            let idle = Cause::ALL.map(|cause| format!("idle: {}", cause.name())).into_iter().zip(rank.idle);
            let all = spent.chain(idle).filter(|(_, time)| *time > 0);
            all.map(move |(kind, time)| (format!("{{rank=\"{place}\",kind=\"{kind}\"}}"), time as f64 / 1e9))
        });
        family("thread_seconds_total", "counter", "What threads' time was spent on.", &mut time);
        family("tasks_run_total", "counter", "Tasks that ran.", &mut of_ranks(|rank, _| rank.tasks as f64));
        family(
            "received_bytes_total",
            "counter",
            "Bytes of values from other ranks.",
            &mut of_ranks(|rank, _| rank.fetched as f64),
        );
        family(
            "sent_bytes_total",
            "counter",
            "Bytes of values to other ranks.",
            &mut of_ranks(|rank, _| rank.sent as f64),
        );
        family(
            "disk_bytes_total",
            "counter",
            "Bytes moved to or from the disk.",
            &mut of_ranks(|rank, _| rank.spilled as f64),
        );
        text
    }
}

fn session(session: &SessionProgress) -> Value {
    let SessionProgress { rank, total, done, failed } = session;
    json!({"rank": rank.0, "total": total, "done": done, "failed": failed})
}

fn one(labels: String, value: f64) -> impl Iterator<Item = (String, f64)> {
    std::iter::once((labels, value))
}

/// Text within the quotes of a label.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Adds to a list that forgets what is oldest, and counts.
fn push<T>(list: &mut VecDeque<T>, most: usize, ever: &mut u64, item: T) {
    if list.len() == most {
        list.pop_front();
    }
    list.push_back(item);
    *ever += 1;
}

/// Three digits after the point are enough for everybody, and short.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn others(progress: &[Progress]) -> Value {
    let sum = |of: fn(&Progress) -> u64| progress.iter().map(of).sum::<u64>();
    json!({
        "count": progress.len(),
        "total": sum(|of| of.total),
        "done": sum(|of| of.done),
        "failed": sum(|of| of.failed),
        "running": sum(|of| of.running),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Reason, TaskError},
        ids::TaskId,
    };

    fn board() -> Board {
        let head = Head { program: "pi".into(), offsets: vec![0, 0, 500, 0], ..Head::default() };
        let mut board = Board::new(head);
        board.ranks = (0..4).map(|_| RankNow::default()).collect();
        board
    }

    fn live(rank: u32, since: u64, at: u64) -> Live {
        let memory = Sample { at, held: 100, spilled: 40, device: 7, resident: 1000 };
        Live { rank, since, memory, busy: (at - since) / 2, tasks: 10, fetched: 5, ..Live::default() }
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn news_hold_what_came_since_and_all_holds_all() {
        let mut board = board();
        let second = 1_000_000_000;
        board.hear(vec![live(2, 0, second)], 0, |_| vec![]);
        board.note_point(second);
        board.note_lines(["one".to_string()]);
        let news = board.tell(second, false, &json!({}));
        assert_eq!(value(&board.all().1)["points"], value(&news)["points"]);
        board.note_lines(["two".to_string()]);
        board.note_sessions(vec![SessionProgress { rank: Rank(9), total: 10, done: 4, failed: 1 }]);
        let news = value(&board.tell(second, true, &json!({})));
        let (number, all) = board.all();
        let all = value(&all);
        assert_eq!((all["log"].clone(), news["log"].clone()), (json!(["one", "two"]), json!(["two"])));
        assert_eq!((all["points"].as_array().unwrap().len(), news["points"].clone()), (1, json!([])));
        assert!(news["run"].is_null() && all["run"]["program"] == "pi" && news["over"] == true);
        assert_eq!((number, &news["number"]), (2, &json!(2)));
        let session = json!([{"rank": 9, "total": 10, "done": 4, "failed": 1}]);
        assert_eq!((&news["sessions"], &all["sessions"]), (&session, &session));
        let point = &all["points"][0];
        assert_eq!(
            (&point["memory"], &point["spilled"], &point["device"]),
            (&json!(60), &json!(40), &json!(7))
        );
        assert_eq!(
            (&point["busy"], &point["tasks"], &point["moved"]),
            (&json!(0.5), &json!(10.0), &json!(5.0))
        );
        assert_eq!(all["ranks"][2]["heard"], 1000, "by rank 0's clock");
        assert!(all["ranks"][3]["heard"].is_null());
        board.note_point(6 * second);
        let news = value(&board.tell(6 * second, false, &json!({})));
        assert_eq!(
            (&news["points"][0]["busy"], &news["ranks"][2]["busy"]),
            (&json!(0.0), &json!(0.0)),
            "long ago"
        );
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut board = board();
        for line in 0..LINES_MAX + 10 {
            board.note_lines([line.to_string()]);
        }
        let log = value(&board.tell(0, false, &json!({})))["log"].clone();
        assert_eq!((log.as_array().unwrap().len(), log[0].clone()), (LINES_MAX, json!("10")));
        let functions = (0..FUNCTIONS_MAX + 3).map(|place| Progress {
            name: place.to_string(),
            total: 2,
            done: 1,
            ..Progress::default()
        });
        board.note_progress(functions.collect(), vec![], 0);
        board.tell(0, false, &json!({}));
        let all = value(&board.all().1);
        assert_eq!(all["functions"].as_array().unwrap().len(), FUNCTIONS_MAX);
        assert_eq!((&all["others"]["count"], &all["others"]["total"]), (&json!(3), &json!(6)));
    }

    #[test]
    fn failures_are_listed_with_what_people_call_their_tasks() {
        let mut board = board();
        let error = |message: &str| TaskError {
            reason: Reason::Panic,
            function: "load".into(),
            task: 3,
            rank: Some(Rank(2)),
            host: "node2".into(),
            message: TaskError::message(message),
            attempts: 1,
            dependents: vec![],
        };
        let long = "x".repeat(2 * ERROR_LETTERS_MAX);
        for (owner, message) in [(Rank(0), "no such file"), (Rank(2), long.as_str())] {
            let tasks = Tasks { first: TaskId::new(owner, 3), count: 2 };
            board.note_failures([Failure { tasks, name: "load".into(), error: error(message).into() }]);
        }
        let failures = value(&board.tell(0, false, &json!({})))["failures"].clone();
        assert_eq!((&failures[0]["task"], &failures[1]["task"]), (&json!("3"), &json!("2.3")));
        assert_eq!(
            (&failures[0]["name"], &failures[0]["rank"], &failures[0]["count"]),
            (&json!("load"), &json!(2), &json!(2))
        );
        let words = |place: usize| failures[place]["words"].as_str().unwrap();
        assert!(words(0).contains("no such file") && words(0).contains("node2"), "{}", words(0));
        assert_eq!(words(1).chars().count(), ERROR_LETTERS_MAX);
        assert_eq!(value(&board.tell(0, false, &json!({})))["failures"], json!([]));
        assert_eq!(value(&board.all().1)["failures"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn functions_have_their_tasks_the_time_that_is_left_and_edges_without_cycles() {
        let mut board = board();
        let at = |done| {
            let function = |name: &str, needs: &[usize], done| Progress {
                name: name.into(),
                total: 100,
                done,
                needs: needs.to_vec(),
                tasks: vec![Tasks { first: TaskId::new(Rank(0), 7), count: 100 }],
                ..Progress::default()
            };
            vec![function("load", &[1], done), function("sum", &[0], 2 * done)]
        };
        board.note_progress(at(0), vec![], 1_000_000_000);
        board.note_progress(at(10), vec![], 2_000_000_000);
        let told = value(&board.tell(0, false, &json!({})));
        let of = |what: &str| [told["functions"][0][what].clone(), told["functions"][1][what].clone()];
        assert_eq!(
            of("left"),
            [json!(9.0), json!(4.0)],
            "load needs sum, and sum's need of load is left out"
        );
        assert_eq!(
            (&told["left"], &told["grows"], of("grows")[0].clone()),
            (&json!(9.0), &json!(false), json!(false))
        );
        assert_eq!((of("needs"), &told["leftOut"]), ([json!([1]), json!([])], &json!([[0, 1]])));
        assert_eq!(of("tasks")[0], json!([["7", 100]]));
    }

    #[test]
    fn the_time_of_threads_adds_up_with_its_causes() {
        let mut board = board();
        let second = 1_000_000_000;
        let sample = |at| Sample { at, ..Sample::default() };
        let of = |rank, at, live: Live| Live { rank, since: at - second, memory: sample(at), ..live };
        board.note_vacancies(vec![[0; 3], [0; 3], [second / 4, 0, 0], [0, second / 10, second / 5]]);
        let driver = Live { waited: second / 2, ..Live::default() };
        let scheduler = Live { scheduled: second / 4, ..Live::default() };
        let worker = Live { busy: second / 4, fetching: second / 8, idle: second * 5 / 8, ..Live::default() };
        let all = [worker.clone(), worker.clone(), scheduler, driver].into_iter().zip([2, 3, 0, 1]);
        board.hear(all.map(|(live, rank)| of(rank, second, live)).collect(), 0, |_| vec![]);
        // Two samples that came at once, and rank 0 knows no cause.
        let more = [of(2, 2 * second, worker.clone()), of(2, 3 * second, worker)];
        board.hear(more.to_vec(), 0, |_| vec![]);
        let told = value(&board.tell(3 * second, false, &json!({})));
        let sum = |of: &Value| of.as_array().unwrap().iter().map(|time| time.as_u64().unwrap()).sum::<u64>();
        for (rank, seconds) in [(0, 0), (1, 0), (2, 3), (3, 1)] {
            let rank = &told["ranks"][rank];
            assert_eq!(sum(&rank["spent"]) + sum(&rank["idle"]), seconds * second, "{rank}");
        }
        let idle = |rank: usize, cause: Cause| told["ranks"][rank]["idle"][cause as usize].as_u64().unwrap();
        assert_eq!(idle(2, Cause::DriverWaited), second / 8);
        assert_eq!(idle(2, Cause::DriverRan), second / 8);
        assert_eq!((idle(3, Cause::Inputs), idle(3, Cause::Elsewhere)), (second / 10, second / 5));
        let in_transit = second * 5 / 8 - second * 3 / 10;
        assert_eq!(idle(3, Cause::Scheduler), in_transit / 4);
        assert_eq!(idle(3, Cause::Messages), in_transit - in_transit / 4);
        let text = board.metrics(second);
        let line = "maniple_thread_seconds_total{rank=\"3\",kind=\"idle: ready tasks on other workers\"} 0.2";
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn metrics_are_what_prometheus_reads() {
        let mut board = board();
        board.hear(vec![live(2, 0, 1_000_000_000)], 0, |_| vec![]);
        let name = "a::sum<\"x\">".to_string();
        let progress = Progress { name, total: 9, done: 4, failed: 1, running: 2, ..Progress::default() };
        board.note_progress(vec![progress], vec![0, 0, 2], 0);
        let text = board.metrics(2_500_000_000);
        for line in [
            "# TYPE maniple_run_seconds gauge",
            "maniple_run_seconds 2.5",
            "maniple_tasks{function=\"a::sum<\\\"x\\\">\",state=\"done\"} 3",
            "maniple_tasks{function=\"a::sum<\\\"x\\\">\",state=\"waiting\"} 3",
            "maniple_memory_bytes{rank=\"2\",kind=\"values\"} 60",
            "maniple_tasks_run_total{rank=\"2\"} 10",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        let is_line = |line: &str| {
            line.starts_with('#')
                || line.rsplit_once(' ').is_some_and(|(_, number)| number.parse::<f64>().is_ok())
        };
        assert!(text.lines().all(is_line), "{text}");
    }
}
