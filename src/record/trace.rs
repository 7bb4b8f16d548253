//! A run as a trace in Chrome's format, which Perfetto reads too: a process is a rank, a track a thread.
//!
//! Besides the events the file holds the record itself, so that a report can be made of it.

use super::{
    accounts::Accounts,
    history::{Event, History, Kind},
};
use serde::{Deserialize, Serialize, ser::SerializeSeq};
use serde_json::{Value, json};
use std::{cell::RefCell, io};

/// The track of a rank's transfers.
const TRANSFERS: u64 = 1000;
const DEVICE: u64 = 1001;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a, E: Serialize> {
    display_time_unit: &'static str,
    trace_events: E,
    maniple: &'a History,
}

/// What is read of a trace.
#[derive(Deserialize)]
struct Kept {
    maniple: History,
}

/// Writes the trace of a run.
pub(super) fn write(history: &History, file: &mut dyn io::Write) -> io::Result<()> {
    let accounts = Accounts::of(history);
    let events = Events(RefCell::new(Some(events(history, &accounts))));
    let trace = Trace { display_time_unit: "ms", trace_events: events, maniple: history };
    serde_json::to_writer(file, &trace).map_err(io::Error::from)
}

/// The run that a trace is of.
pub(super) fn read(bytes: &[u8]) -> Result<History, String> {
    serde_json::from_slice::<Kept>(bytes).map(|kept| kept.maniple).map_err(|error| error.to_string())
}

/// A million events are written one after the other, and never lie in memory.
struct Events<I>(RefCell<Option<I>>);

impl<I: Iterator<Item = Value>> Serialize for Events<I> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for event in self.0.take().into_iter().flatten() {
            list.serialize_element(&event)?;
        }
        list.end()
    }
}

fn events<'a>(history: &'a History, accounts: &'a Accounts<'_>) -> impl Iterator<Item = Value> {
    let names = (0..history.ranks.len()).flat_map(|rank| names(history, rank));
    let ranks = || history.ranks.iter().enumerate();
    let spans = ranks().flat_map(move |(rank, told)| {
        told.events.iter().filter_map(move |event| span(rank, event, accounts))
    });
    let transfers = accounts.transfers.iter().enumerate().flat_map(|(number, moved)| {
        let (sent, arrived) = (microseconds(moved.sent.unwrap_or(moved.asked)), microseconds(moved.arrived));
        let name = format!("{} to rank {}", crate::units::human_bytes(moved.bytes), moved.target);
        let flow = |phase: &str, rank: u32, at: f64| {
            let mut flow = json!({"ph": phase, "cat": "transfer", "name": "transfer", "id": number,
                "pid": rank, "tid": TRANSFERS, "ts": at});
            if phase == "f" {
                flow["bp"] = json!("e");
            }
            flow
        };
        // Transfers overlap, so they are asynchronous; the flow goes from a mark to a mark.
        let mark = |rank: u32, at: f64, name: &str| {
            json!({"ph": "X", "cat": "transfer", "name": name, "pid": rank, "tid": TRANSFERS,
                "ts": at, "dur": 0.0, "args": {"bytes": moved.bytes}})
        };
        [
            mark(moved.source, sent, &name),
            flow("s", moved.source, sent),
            mark(moved.target, arrived, &format!("from rank {}", moved.source)),
            flow("f", moved.target, arrived),
        ]
    });
    let memory = ranks().flat_map(|(rank, told)| {
        told.samples.iter().map(move |sample| {
            json!({"ph": "C", "name": "memory", "pid": rank, "tid": 0, "ts": microseconds(sample.at),
                "args": {"values": sample.held, "spilled": sample.spilled, "device": sample.device}})
        })
    });
    names.chain(spans).chain(idle(accounts)).chain(transfers).chain(memory)
}

fn names(history: &History, rank: usize) -> Vec<Value> {
    let record = &history.head.cluster.ranks()[rank];
    let name = |what: &str, thread: u64, name: String| json!({"ph": "M", "name": what, "pid": rank, "tid": thread, "args": {"name": name}});
    let mut names = vec![name("process_name", 0, format!("rank {rank} {} {}", record.role, record.host))];
    names.extend((0..record.threads).map(|lane| name("thread_name", lane.into(), format!("thread {lane}"))));
    if history.ranks[rank].events.iter().any(|event| event.kind == Kind::Spill) {
        names.push(name("thread_name", record.threads.into(), "disk".into()));
    }
    if history.ranks[rank].events.iter().any(|event| event.kind == Kind::Device) {
        let device = record.device.as_ref().map_or("device".into(), |device| device.name.clone());
        names.push(name("thread_name", DEVICE, device));
    }
    names.push(name("thread_name", TRANSFERS, "transfers".into()));
    names
}

fn span(rank: usize, event: &Event, accounts: &Accounts<'_>) -> Option<Value> {
    let function = || {
        let group = accounts.layers.group(event.subject);
        group.map_or("task", |group| accounts.groups[group].name.as_str())
    };
    let (category, name) = match event.kind {
        Kind::Device => ("device", function().to_string()),
        Kind::Tasks => {
            let name = function();
            let several = event.amount > 1;
            ("task", if several { format!("{name} x{}", event.amount) } else { name.to_string() })
        }
        Kind::Blocked => ("wait", "waits for tasks".into()),
        Kind::Spill => ("spill", "to or from disk".into()),
        Kind::Dense if event.subject > 0 => ("task", format!("{} tasks", event.subject)),
        _ => return None,
    };
    let args = match event.kind {
        Kind::Tasks => json!({"task": event.subject, "count": event.amount}),
        Kind::Device => json!({"task": event.subject}),
        Kind::Spill => json!({"bytes": event.amount}),
        _ => json!({}),
    };
    let lane = if event.kind == Kind::Device { DEVICE } else { event.lane.into() };
    Some(json!({"ph": "X", "cat": category, "name": name, "pid": rank, "tid": lane,
        "ts": microseconds(event.start), "dur": microseconds(event.end - event.start), "args": args}))
}

/// What threads without a task waited for.
fn idle<'a>(accounts: &'a Accounts<'_>) -> impl Iterator<Item = Value> + 'a {
    let ranks = accounts.threads.iter().enumerate();
    let threads =
        ranks.flat_map(|(rank, threads)| threads.iter().enumerate().map(move |thread| (rank, thread)));
    threads.flat_map(|(rank, (lane, thread))| {
        thread.idle.iter().map(move |idle| {
            json!({"ph": "X", "cat": "idle", "name": format!("idle: {}", idle.cause.name()), "pid": rank,
                "tid": lane, "ts": microseconds(idle.start), "dur": microseconds(idle.end - idle.start), "args": {}})
        })
    })
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::accounts::tests::known;

    /// Checks that it is what Chrome's format says, that spans nest, and that flows pair.
    fn check(trace: &Value) {
        let events = trace["traceEvents"].as_array().unwrap();
        let mut tracks = std::collections::BTreeMap::<_, Vec<(f64, f64)>>::new();
        let mut flows = std::collections::BTreeMap::<u64, Vec<(String, f64)>>::new();
        for event in events {
            let phase = event["ph"].as_str().unwrap();
            assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
            let at = event["ts"].as_f64();
            assert!(phase == "M" || at.is_some_and(|at| at >= 0.0), "{event}");
            match phase {
                "X" => {
                    let track = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
                    let end = at.unwrap() + event["dur"].as_f64().unwrap();
                    tracks.entry(track).or_default().push((at.unwrap(), end));
                }
                "s" | "f" => {
                    let flow = flows.entry(event["id"].as_u64().unwrap()).or_default();
                    flow.push((phase.to_string(), at.unwrap()));
                }
                "C" => assert!(event["args"].as_object().unwrap().values().all(Value::is_u64), "{event}"),
                "M" => assert!(event["args"]["name"].is_string(), "{event}"),
                _ => panic!("{event}"),
            }
        }
        for spans in tracks.values_mut() {
            spans.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
            let mut open: Vec<f64> = Vec::new();
            for (start, end) in spans {
                open.retain(|outer| outer > start);
                assert!(open.iter().all(|outer| *end <= *outer), "spans nest");
                open.push(*end);
            }
        }
        for flow in flows.values() {
            let [(start, from), (finish, to)] = &flow[..] else { panic!("{flow:?}") };
            assert!(start == "s" && finish == "f" && from <= to, "{flow:?}");
        }
    }

    #[test]
    fn a_trace_is_what_the_format_says_and_holds_the_run() {
        let (history, mut bytes) = (known(), Vec::new());
        write(&history, &mut bytes).unwrap();
        assert_eq!(read(&bytes).unwrap(), history);
        let trace: Value = serde_json::from_slice(&bytes).unwrap();
        check(&trace);
        let events = trace["traceEvents"].as_array().unwrap();
        let names: Vec<&str> = events.iter().filter_map(|event| event["args"]["name"].as_str()).collect();
        assert!(names.contains(&"rank 2 worker node2"), "{names:?}");
        let count = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
        assert_eq!((count("s"), count("f"), count("C")), (1, 1, 1));
        let on_device: Vec<&Value> = events.iter().filter(|event| event["cat"] == "device").collect();
        assert_eq!(on_device.len(), 1, "{on_device:?}");
        assert_eq!((&on_device[0]["name"], &on_device[0]["tid"]), (&json!("load"), &json!(DEVICE)));
        let sum = events.iter().find(|event| event["name"] == "sum").unwrap();
        assert_eq!((&sum["ts"], &sum["dur"]), (&json!(41.0), &json!(20.0)));
        let accounts = Accounts::of(&history);
        for (rank, threads) in accounts.threads.iter().enumerate() {
            for (lane, thread) in threads.iter().enumerate() {
                let here =
                    |event: &&Value| event["cat"] == "idle" && event["pid"] == rank && event["tid"] == lane;
                let idle: f64 = events.iter().filter(here).map(|event| event["dur"].as_f64().unwrap()).sum();
                assert!((idle - microseconds(thread.time.wait)).abs() < 1e-6, "{idle} of {:?}", thread.time);
            }
        }
        let first = events.iter().find(|event| event["cat"] == "idle").unwrap();
        assert_eq!(first["name"], "idle: messages in transit");
    }
}
