//! Chunked arrays against NumPy: programs of one to six operations, whose results `numpy_cases/generate.py` had
//! NumPy compute, on inputs that are cut in several ways.
//!
//! `NUMPY_CASE=123` replays one entry of the table and prints it, `NUMPY_CASE=123.1` one of its ways to be cut;
//! `NUMPY_SEED=7` cuts with another seed, `NUMPY_TABLE=path` takes another table, and
//! `NUMPY_PRINTED=100` prints more differences.

mod algebra;
mod differences;
mod elementwise;
mod further;
mod more;
mod operations;
mod reductions;
mod sets;
mod shapes;
mod table;
mod value;

use crate::arrays::with_client;
use differences::Differences;
use maniple::Client;
use std::{
    cell::Cell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use table::{Entry, Header, Random, Table, Tolerance};
use value::{NO_OPERATION, NOT_BUILT, Value};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy_cases/cases.lz4");
/// Whether all operations are built.
const IS_WHOLE: bool = cfg!(all(feature = "fourier", feature = "linear-algebra"));
const DIFFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy_cases/differences.md");
/// How many cases are computed at the same time.
const CASES_TOGETHER: usize = 64;
/// How many runs there are, each with a client of its own.
const RUNS: usize = 2;
/// How many differences are printed.
const PRINTED: usize = 20;

/// A case: an entry of the table and the number of a way to cut its inputs.
type Case = (usize, usize);

/// What came out of a case, or why nothing did.
type Outcome = Result<Vec<Value>, String>;

/// A case that is being computed: the chunks of its inputs, and its outcome.
type Started = (Vec<Vec<Vec<usize>>>, Outcome);

/// The case, or all cases of an entry, that the environment asks for.
fn wanted() -> Option<(usize, Option<usize>)> {
    let text = std::env::var("NUMPY_CASE").ok()?;
    let (entry, variant) =
        text.split_once('.').map_or((text.as_str(), None), |(entry, way)| (entry, Some(way)));
    let number = |text: &str| text.parse().expect("NUMPY_CASE is a number, or two with a dot between them");
    Some((number(entry), variant.map(number)))
}

thread_local! {
    /// Whether panics of this thread are results, which are not printed.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Has panics within [`quietly`] not printed.
fn install_quiet_hook() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !IS_QUIET.get() {
            hook(panic);
        }
    }));
}

/// What a function returns, or the message that it panics with.
fn quietly<R>(function: impl FnOnce() -> R) -> Result<R, String> {
    IS_QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(function));
    IS_QUIET.set(false);
    result.map_err(|error| {
        let text = error.downcast_ref::<String>().cloned();
        let text = text.or_else(|| error.downcast_ref::<&str>().map(ToString::to_string));
        format!("panics: {}", text.unwrap_or_default())
    })
}

/// Builds the arrays of a case and starts to compute them.
fn start(client: &Client, entry: &Entry, random: &mut Random) -> Started {
    let chunks: Vec<Vec<Vec<usize>>> = entry.inputs.iter().map(|table| random.chunks(&table.shape)).collect();
    let outcome = quietly(|| -> Outcome {
        let mut values = Vec::new();
        for (table, chunks) in entry.inputs.iter().zip(&chunks) {
            let value = Value::new(client, table, chunks.clone(), random.below(2) == 0);
            values.push(value.map_err(|error| error.to_string())?);
        }
        let mut results = Vec::new();
        for step in &entry.steps {
            results = operations::apply(client, step, &values, random)?;
            values.extend(results.iter().cloned());
        }
        results.iter().map(|value| value.persist().map_err(|error| error.to_string())).collect()
    });
    (chunks, outcome.unwrap_or_else(Err))
}

/// How an outcome differs from results; `None` if it does not.
fn difference(outcome: &Outcome, wanted: &[Table], tolerance: Tolerance) -> Option<String> {
    let values = match outcome {
        Ok(values) => values,
        Err(error) => return Some(format!("is refused: {error}")),
    };
    if values.len() != wanted.len() {
        return Some(format!("gives {} arrays, not {}", values.len(), wanted.len()));
    }
    values.iter().zip(wanted).find_map(|(value, wanted)| {
        match quietly(|| value.difference(wanted, tolerance)) {
            Ok(Ok(difference)) => difference,
            Ok(Err(error)) => Some(format!("fails: {error}")),
            Err(error) => Some(error),
        }
    })
}

/// Whether nothing came out of a case, as NumPy gives nothing.
fn is_refused(outcome: &Outcome) -> bool {
    match outcome {
        Ok(values) => values.iter().any(|value| value.wait().is_err()),
        Err(error) => !error.contains(NO_OPERATION),
    }
}

/// The replay of a table.
struct Replay {
    header: Header,
    seed: u64,
    entries: Vec<Entry>,
    next: AtomicUsize,
    cases: Vec<Case>,
    differences: Mutex<Differences>,
    /// The names of the entries that differ, and how.
    found: Mutex<Vec<(String, String)>>,
}

impl Replay {
    /// Replays cases that no other thread has taken, until there are no more.
    fn work(&self, client: &Client) {
        loop {
            let from = self.next.fetch_add(CASES_TOGETHER, Ordering::Relaxed).min(self.cases.len());
            let cases = &self.cases[from..self.cases.len().min(from + CASES_TOGETHER)];
            if cases.is_empty() {
                return;
            }
            let started: Vec<Started> = cases
                .iter()
                .map(|(place, variant)| {
                    let mut random = Random::new(self.seed, *place, *variant);
                    start(client, &self.entries[*place], &mut random)
                })
                .collect();
            cases.iter().zip(started).for_each(|(case, outcome)| self.check(*case, outcome));
        }
    }

    fn check(&self, (place, variant): Case, (chunks, outcome): Started) {
        let outcome = &outcome;
        let is_not_built = |error: &str| error.contains(NOT_BUILT) || error.contains("wants the feature");
        if matches!(outcome, Err(error) if !IS_WHOLE && is_not_built(error)) {
            return;
        }
        let entry = &self.entries[place];
        let difference = match &entry.error {
            Some(_) if is_refused(outcome) => None,
            Some(error) => Some(format!("NumPy refuses: {error}")),
            None => difference(outcome, &entry.results, entry.tolerance),
        };
        let Some(difference) = difference else { return };
        if let Some(meant) = &entry.meant {
            let is_meant = self::difference(outcome, &meant.results, entry.tolerance).is_none();
            if is_meant && self.differences.lock().unwrap().meet(&meant.row) {
                return;
            }
        }
        if self.differences.lock().unwrap().meet_fault(&entry.name) {
            return;
        }
        let text = format!(
            "case {place}.{variant} ({}) in chunks {chunks:?}: {difference}\n{entry}  \
             rerun: NUMPY_CASE={place}.{variant} NUMPY_SEED={} cargo test --test local numpy",
            entry.name, self.seed
        );
        self.found.lock().unwrap().push((entry.name.clone(), text));
    }
}

/// How many cases of each name differ, and the first ones in detail.
fn report(found: &[(String, String)]) -> String {
    let mut counts = BTreeMap::new();
    found.iter().for_each(|(name, _)| *counts.entry(name.as_str()).or_insert(0) += 1);
    let printed = std::env::var("NUMPY_PRINTED").map_or(PRINTED, |count| count.parse().expect("a number"));
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let texts: Vec<&str> = found.iter().take(printed).map(|(_, text)| text.as_str()).collect();
    format!("{} cases differ from NumPy\n{}\n{}", found.len(), counts.join("\n"), texts.join("\n"))
}

#[test]
fn every_case_of_the_table() {
    install_quiet_hook();
    let path = std::env::var("NUMPY_TABLE").unwrap_or_else(|_| TABLE.into());
    let (header, entries) = table::read(&path);
    let seed = std::env::var("NUMPY_SEED").map_or(header.seed, |seed| seed.parse().expect("a number"));
    let wanted = wanted();
    let is_wanted = |case: &Case| {
        wanted
            .is_none_or(|(entry, variant)| case.0 == entry && variant.is_none_or(|variant| case.1 == variant))
    };
    let ways = |(place, entry): (usize, &Entry)| (0..entry.variants).map(move |variant| (place, variant));
    let cases: Vec<Case> = entries.iter().enumerate().flat_map(ways).filter(is_wanted).collect();
    let is_whole = wanted.is_none() && std::env::var_os("NUMPY_TABLE").is_none();
    assert!(!is_whole || cases.len() >= 20_000, "{} cases are too few", cases.len());
    if let Some((place, _)) = wanted {
        println!("{}\n{}", entries[place].name, entries[place]);
    }
    let differences = Differences::read(&std::fs::read_to_string(DIFFERENCES).unwrap());
    let replay = Replay {
        header,
        seed,
        entries,
        next: AtomicUsize::new(0),
        cases,
        differences: Mutex::new(differences),
        found: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| with_client(|client| replay.work(client)));
        }
    });
    let Header { seed: programs, numpy } = &replay.header;
    println!("{} cases of NumPy {numpy}, seed {programs}, cut with seed {seed}", replay.cases.len());
    let found = replay.found.into_inner().unwrap();
    assert!(found.is_empty(), "{}", report(&found));
    let differences = replay.differences.into_inner().unwrap();
    let unmet = differences.unmet();
    let is_whole = is_whole && IS_WHOLE;
    assert!(!is_whole || unmet.is_empty(), "differences.md lists what does not differ (any more): {unmet:?}");
}
