//! A run as one page of HTML that needs nothing else: the numbers as JSON, a script that draws them.

use super::{
    accounts::{Accounts, Group, Thread, Time, matrix},
    cycles::Acyclic,
    history::{Event, History, Kind, RankHistory},
    idle::{Cause, Sums},
};
use crate::{cluster::RankRecord, picture::Picture};
use serde_json::{Value, json};
use std::{io, io::Write};

const PAGE: &str = include_str!("report.html");
const STYLE: &str = concat!(include_str!("../../page/page.css"), include_str!("report.css"));
const SCRIPT: &str = concat!(include_str!("../../page/page.js"), include_str!("report.js"));

/// How many spans the timeline shows; where there are more, short ones of one function are shown as one.
const SPANS_MAX: usize = 150_000;
const SAMPLES_MAX: usize = 500;
const TRANSFERS_MAX: usize = 20_000;
/// How many functions the graph shows; the others are in the table.
const GRAPH_MAX: usize = 60;

/// Writes the report of a run.
pub(super) fn write(history: &History, file: &mut dyn Write) -> io::Result<()> {
    let accounts = Accounts::of(history);
    // Within a script `</` and `<!--` would end it, or begin something else.
    let data = serde_json::to_string(&data(history, &accounts))?.replace('<', "\\u003c");
    let graph = graph(&accounts.groups);
    let parts = [("{{title}}", escaped(&history.head.program)), ("{{style}}", STYLE.into())];
    let parts = parts.into_iter().chain([
        ("{{graph}}", graph),
        ("{{data}}", data),
        ("{{script}}", SCRIPT.to_string()),
    ]);
    // What was put in is not looked at again.
    let mut rest = PAGE;
    for (place, text) in parts {
        let (before, after) = rest.split_once(place).expect("the page has a place for it");
        file.write_all(before.as_bytes())?;
        file.write_all(text.as_bytes())?;
        rest = after;
    }
    file.write_all(rest.as_bytes())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn data(history: &History, accounts: &Accounts<'_>) -> Value {
    let head = &history.head;
    let ranks: Vec<Value> = head
        .cluster
        .ranks()
        .iter()
        .zip(&history.ranks)
        .zip(&accounts.threads)
        .zip(&head.offsets)
        .map(|(((record, told), threads), offset)| rank(record, told, threads, *offset))
        .collect();
    let groups: Vec<Value> = accounts.groups.iter().map(group).collect();
    let transfers = accounts.transfers.len();
    let every = transfers.div_ceil(TRANSFERS_MAX).max(1);
    let moved = accounts.transfers.iter().step_by(every).map(|moved| {
        json!([moved.source, moved.target, moved.bytes, moved.sent.unwrap_or(moved.asked), moved.arrived])
    });
    let path = accounts.path.iter().map(|step| {
        json!({"group": step.group.map_or(DRIVER, |group| group as i64), "tasks": step.tasks, "time": step.nanoseconds,
            "rank": step.rank, "start": step.start})
    });
    let matrix = matrix(&accounts.transfers);
    let matrix = matrix.iter().map(|((s, t), (bytes, count))| json!([s, t, bytes, count]));
    json!({
        "program": head.program,
        "command": head.command,
        "end": history.end,
        "version": head.version,
        "started": head.started,
        "wall": history.wall(),
        "complete": history.is_complete(),
        "ranks": ranks,
        "groups": groups,
        "lanes": lanes(history, accounts),
        "transfers": moved.collect::<Vec<_>>(),
        "transferCount": transfers,
        "matrix": matrix.collect::<Vec<_>>(),
        "path": path.collect::<Vec<_>>(),
        "pathTime": accounts.path_nanoseconds,
        "causes": Cause::ALL.map(|cause| json!({"name": cause.name(), "advice": cause.advice()})),
    })
}

fn rank(record: &RankRecord, told: &RankHistory, threads: &[Thread], offset: i64) -> Value {
    let time = threads.iter().map(|thread| thread.time).fold(Time::default(), Time::plus);
    let mut idle = Sums::default();
    for thread in threads {
        idle.iter_mut().zip(thread.causes).for_each(|(sum, nanoseconds)| *sum += nanoseconds);
    }
    let every = told.samples.len().div_ceil(SAMPLES_MAX).max(1);
    // The fullest moment of each stretch: a peak must not be lost.
    let samples = told.samples.chunks(every).filter_map(|samples| {
        let most = samples.iter().max_by_key(|sample| (sample.held, sample.resident))?;
        Some(json!([most.at, most.held, most.spilled, most.device, most.resident]))
    });
    json!({
        "rank": record.rank.0,
        "role": record.role.to_string(),
        "host": record.host,
        "pid": record.pid,
        "threads": record.threads,
        "memory": record.memory_bytes,
        "resources": record.resources,
        "device": record.device.as_ref().map(ToString::to_string),
        "transport": record.transport,
        "offset": offset,
        "began": told.began,
        "ended": told.ended,
        "complete": told.is_complete,
        "lost": told.lost,
        "beyond": told.events.iter().filter(|event| event.kind == Kind::Dense).map(|event| event.subject).sum::<u64>(),
        "time": [time.compute, time.transfer, time.wait, time.spill],
        "idle": idle,
        "samples": samples.collect::<Vec<_>>(),
    })
}

fn group(group: &Group) -> Value {
    json!({
        "name": group.name,
        "layers": group.layers,
        "tasks": group.tasks,
        "ran": group.ran,
        "time": group.nanoseconds,
        "longest": group.longest,
        "start": if group.ran == 0 { 0 } else { group.first_start },
        "end": group.last_end,
    })
}

/// What a thread did, for the timeline.
#[derive(Clone, Copy)]
struct Span {
    /// Which function; one of those below.
    group: i64,
    start: u64,
    end: u64,
    tasks: u64,
    /// How long within there was a task.
    busy: u64,
}

/// Not a function: tasks of many, a task that waits, part of another thread's task, a spill.
const MANY: i64 = -1;
const WAITS: i64 = -2;
const HELPS: i64 = -3;
const SPILLS: i64 = -4;
/// In the critical path: the driver's own code.
const DRIVER: i64 = -5;

fn lanes(history: &History, accounts: &Accounts<'_>) -> Vec<Value> {
    let mut lanes: Vec<(usize, u32, Vec<Span>)> = Vec::new();
    for (rank, told) in history.ranks.iter().enumerate() {
        let threads = history.head.cluster.ranks()[rank].threads;
        let has = |kind: Kind| {
            told.events.iter().any(|event| event.kind == kind && u32::from(event.lane) == threads)
        };
        // What moves values to the disk and back comes after the threads, then the device.
        let disk = has(Kind::Spill).then_some(threads);
        let device = has(Kind::Device).then_some(threads + 1);
        for lane in (0..threads).chain(disk).chain(device) {
            let lane_of = |event: &Event| match event.kind {
                Kind::Device => threads + 1,
                _ => event.lane.into(),
            };
            let events = told.events.iter().filter(|event| lane_of(event) == lane);
            let mut spans: Vec<Span> = events.filter_map(|event| span(event, accounts)).collect();
            // What a thread is said to have helped with while it had a task of its own was that.
            let mut busy_until = 0;
            spans.sort_by_key(|span| (span.start, span.group != HELPS));
            let own: Vec<(u64, u64)> =
                spans.iter().filter(|span| span.group >= MANY).map(|span| (span.start, span.end)).collect();
            let mut next = 0;
            spans.retain(|span| {
                while let Some((_, end)) = own.get(next).filter(|(start, _)| *start < span.end) {
                    busy_until = busy_until.max(*end);
                    next += 1;
                }
                span.group != HELPS || busy_until <= span.start
            });
            // Longer ones first, so that what lies within is drawn over them.
            spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
            lanes.push((rank, lane, spans));
        }
    }
    let mut nearness = history.wall() / 100_000 + 1;
    while lanes.iter().map(|(_, _, spans)| spans.len()).sum::<usize>() > SPANS_MAX
        && nearness < history.wall()
    {
        lanes.iter_mut().for_each(|(_, _, spans)| put_together(spans, nearness));
        nearness *= 2;
    }
    let flat = |span: &Span| {
        let numbers = [span.start, span.end - span.start, span.tasks, span.busy];
        std::iter::once(span.group).chain(numbers.map(|number| number as i64))
    };
    lanes
        .iter()
        .map(|(rank, lane, spans)| {
            json!({"rank": rank, "lane": lane, "spans": spans.iter().flat_map(flat).collect::<Vec<i64>>()})
        })
        .collect()
}

fn span(event: &Event, accounts: &Accounts<'_>) -> Option<Span> {
    let group = match event.kind {
        Kind::Tasks | Kind::Device => accounts.layers.group(event.subject).map_or(MANY, |group| group as i64),
        Kind::Dense if event.subject > 0 => MANY,
        Kind::Blocked => WAITS,
        Kind::Helping => HELPS,
        Kind::Spill => SPILLS,
        _ => return None,
    };
    let length = event.end - event.start;
    let (tasks, busy) = match event.kind {
        Kind::Tasks => (event.amount, length),
        Kind::Dense => (event.subject, event.amount),
        _ => (0, length),
    };
    Some(Span { group, start: event.start, end: event.end, tasks, busy })
}

/// Makes one span of short ones of one function that are near each other.
fn put_together(spans: &mut Vec<Span>, nearness: u64) {
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len() / 2);
    for span in spans.drain(..) {
        let near = |last: &Span| {
            let follows = span.start >= last.end && span.start - last.end < nearness;
            follows && last.group == span.group && span.end - span.start < 4 * nearness
        };
        match kept.last_mut().filter(|last| near(last)) {
            Some(last) => {
                last.end = span.end;
                last.tasks += span.tasks;
                last.busy += span.busy;
            }
            None => kept.push(span),
        }
    }
    *spans = kept;
}

/// The functions and what needs what, drawn.
fn graph(groups: &[Group]) -> String {
    let mut shown: Vec<usize> = (0..groups.len()).collect();
    shown.sort_by_key(|place| std::cmp::Reverse(groups[*place].nanoseconds));
    shown.truncate(GRAPH_MAX);
    shown.sort_unstable();
    let place_of = |group: &usize| shown.binary_search(group).ok();
    let needs: Vec<Vec<usize>> =
        shown.iter().map(|group| groups[*group].needs.iter().filter_map(place_of).collect()).collect();
    let graph = Acyclic::of(&needs);
    let mut picture = Picture::default();
    let mut boxes = vec![0; shown.len()];
    for (place, function) in graph.order.iter().enumerate() {
        boxes[*function] = place;
        let group = &groups[shown[*function]];
        let needs = graph.needs[*function].iter().map(|needed| boxes[*needed]).collect();
        picture.add(format!("{}\n{} tasks", short(&group.name), group.tasks), needs);
    }
    let svg = picture.svg();
    // What comes before the picture itself is for files.
    let picture = svg.find("<svg").map_or(String::new(), |start| svg[start..].to_string());
    let name = |function: usize| escaped(&short(&groups[shown[function]].name));
    let left_out: Vec<String> =
        graph.left_out.iter().map(|(needed, by)| format!("{} → {}", name(*needed), name(*by))).collect();
    let mut notes = String::new();
    if !left_out.is_empty() {
        notes +=
            &format!("<p class=\"quiet\">Not drawn, since they close a circle: {}</p>", left_out.join(", "));
    }
    let hidden = groups.len() - shown.len();
    if hidden > 0 {
        notes += &format!("<p class=\"quiet\">and {hidden} more functions, which took less time</p>");
    }
    picture + &notes
}

/// A name without the paths before its parts: `a::sum<b::C>` becomes `sum<C>`.
fn short(name: &str) -> String {
    let mut short = String::new();
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let after = rest[word..].strip_prefix("::");
        // Of a closure its function is told, too.
        let is_path =
            after.is_some_and(|after| after.starts_with(|next: char| next.is_alphanumeric() || next == '_'));
        match (word, after) {
            (1.., Some(after)) if is_path => rest = after,
            _ => {
                let length = word.max(letter.len_utf8());
                short.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    if short.chars().count() <= 40 { short } else { short.chars().take(39).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::accounts::tests::known;

    fn page(history: &History) -> String {
        let mut page = Vec::new();
        write(history, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    fn numbers(page: &str) -> Value {
        let start = page.split_once("type=\"application/json\">").unwrap().1;
        serde_json::from_str(start.split_once("</script>").unwrap().0).unwrap()
    }

    #[test]
    fn a_report_is_one_page_that_asks_for_nothing() {
        let page = page(&known());
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
        for asks in ["src=", "@import", "fetch(", "XMLHttpRequest", "<link", "{{data}}"] {
            assert!(!page.contains(asks), "{asks}");
        }
        assert!(page.match_indices("url(").all(|(at, _)| page[at..].starts_with("url(#")));
        let addresses = page.match_indices("http").map(|(at, _)| page[at..].split('"').next().unwrap());
        assert!(addresses.into_iter().all(|address| address == "http://www.w3.org/2000/svg"));
    }

    #[test]
    fn a_report_shows_the_known_path_and_times_that_add_up() {
        let numbers = numbers(&page(&known()));
        let name = |step: &Value| numbers["groups"][step["group"].as_u64().unwrap() as usize]["name"].clone();
        let path: Vec<Value> = numbers["path"].as_array().unwrap().iter().map(name).collect();
        assert_eq!(path, ["load", "sum"]);
        assert_eq!(numbers["pathTime"], 50_000);
        for rank in numbers["ranks"].as_array().unwrap() {
            let sum: u64 = rank["time"].as_array().unwrap().iter().map(|time| time.as_u64().unwrap()).sum();
            assert_eq!(sum, rank["threads"].as_u64().unwrap() * numbers["wall"].as_u64().unwrap());
            let idle = rank["idle"].as_array().unwrap().iter().map(|time| time.as_u64().unwrap());
            assert_eq!(idle.sum::<u64>(), rank["time"][2].as_u64().unwrap());
        }
        assert_eq!(numbers["matrix"], json!([[2, 3, 800, 1]]));
    }

    #[test]
    fn a_report_tells_the_command_line_and_how_the_run_ended() {
        let mut history = known();
        let told = numbers(&page(&history));
        assert_eq!(told["command"], json!(["./test", "-n 7"]));
        assert_eq!(told["end"], json!({"status": 1, "words": "it was \"too large\""}));
        history.end = None;
        assert!(numbers(&page(&history))["end"].is_null(), "it was killed");
    }

    #[test]
    fn names_are_text_wherever_they_are_shown() {
        let mut history = known();
        history.layers[0].name = "</script><script>alert(1)</script>".into();
        history.head.program = "<b>&".into();
        let page = page(&history);
        assert!(!page.contains("alert(1)</script>") && !page.contains("<b>&"));
        assert!(page.contains("&lt;b&gt;&amp;"));
        assert_eq!(numbers(&page)["groups"][0]["name"], history.layers[0].name);
    }

    #[test]
    fn names_are_short_in_pictures() {
        for (name, expected) in [
            ("pi::count", "count"),
            ("a::main::{{closure}}", "main::{{closure}}"),
            ("a::trimmed<f64, b::c::D>", "trimmed<f64, D>"),
            ("größe", "größe"),
            ("::", "::"),
        ] {
            assert_eq!(short(name), expected);
        }
    }

    #[test]
    fn the_graph_says_how_many_functions_it_does_not_draw() {
        let group = Group { name: "f".into(), tasks: 1, ..Group::default() };
        assert!(!graph(&vec![group.clone(); GRAPH_MAX]).contains("more functions"));
        assert!(graph(&vec![group; GRAPH_MAX + 2]).contains("and 2 more functions"));
    }

    #[test]
    fn the_graph_names_the_edges_that_it_leaves_out() {
        let group = |name: &str, needs| Group { name: name.into(), needs, tasks: 1, ..Group::default() };
        let straight = [group("load", vec![]), group("a::sum", vec![0])];
        assert!(!graph(&straight).contains("Not drawn"));
        let circle = [group("a::step", vec![1]), group("exchange<T>", vec![0])];
        let drawn = graph(&circle);
        assert!(drawn.contains("Not drawn, since they close a circle: step → exchange&lt;T&gt;"), "{drawn}");
    }

    #[test]
    fn many_short_spans_become_few_that_hold_as_many_tasks() {
        let span = |start: u64| Span { group: 1, start, end: start + 2, tasks: 1, busy: 2 };
        let mut spans: Vec<Span> = (0..1000).map(|at| span(at * 3)).collect();
        put_together(&mut spans, 10);
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].tasks, spans[0].busy, spans[0].end), (1000, 2000, 2999));
    }
}
