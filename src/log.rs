//! Logging to standard error, enabled by `MANIPLE_LOG`.
//!
//! Each begins with the time since the process first logged, the level, and the rank with its role and host.
//! What happened is said by `tracing`'s macros where it happens, with the field `rank`; a program that has
//! set a subscriber of its own gets the same events there, and no lines.

use crate::{cluster::Cluster, lock::lock};
use std::{
    collections::VecDeque,
    fmt::{self, Write},
    io,
    sync::{Arc, Mutex, RwLock, Weak},
    time::Instant,
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
pub(crate) use tracing_subscriber::filter::Targets;
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

/// Reads what `MANIPLE_LOG` may be: a level, or levels by module, such as `info,maniple::store=debug`.
///
/// # Errors
///
/// Says what is wrong.
pub(crate) fn parse(text: &str) -> Result<Targets, String> {
    let wrong = |part: &str| {
        format!("{part:?} is neither a level (off, error, warn, info, debug or trace) nor module=level")
    };
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            return Err(wrong(part));
        }
    }
    text.parse().map_err(|_| wrong(text))
}

/// Begins to print lines as `MANIPLE_LOG` asks for them, and to keep some if somebody wants to see them, if
/// nobody listens yet. The role table names the ranks of this process's lines.
pub(crate) fn start(targets: Option<&Targets>, kept: Option<&Arc<Kept>>, cluster: &Cluster) {
    if let Some(kept) = kept {
        *write(&KEPT) = Arc::downgrade(kept);
    }
    if targets.is_none() && kept.is_none() {
        return;
    }
    let names = cluster.ranks().iter().map(|rank| format!("rank {} {} {}", rank.rank, rank.role, rank.host));
    *write(&RANKS) = names.collect();
    let lines = |out| Lines { start: Instant::now(), out };
    let printed = lines(print).with_filter(targets.cloned().unwrap_or_default());
    let kept = lines(keep).with_filter(LevelFilter::INFO);
    // Whoever came first stays: the program itself, or another run in this process.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(printed).with(kept));
}

static RANKS: RwLock<Vec<String>> = RwLock::new(Vec::new());
static KEPT: RwLock<Weak<Kept>> = RwLock::new(Weak::new());

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Lines for whoever takes them; of those that nobody has taken the last ones.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<VecDeque<String>>);

impl Kept {
    const LINES_MAX: usize = 500;

    /// The lines since the last call.
    #[cfg(feature = "dashboard")]
    pub(crate) fn take(&self) -> Vec<String> {
        lock(&self.0).drain(..).collect()
    }

    fn add(&self, line: String) {
        let mut lines = lock(&self.0);
        if lines.len() == Self::LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

fn print(line: &str) {
    // In one piece, as other ranks write too. A standard error that is closed is no reason to stop.
    let _ = io::Write::write_all(&mut io::stderr(), format!("{line}\n").as_bytes());
}

fn keep(line: &str) {
    if let Some(kept) = read(&KEPT).upgrade() {
        kept.add(line.into());
    }
}

struct Lines {
    start: Instant,
    out: fn(&str),
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let ranks = read(&RANKS);
        let who = words.rank.and_then(|rank| ranks.get(rank as usize));
        let who = who.map_or(event.metadata().target(), String::as_str);
        let (at, level) = (self.start.elapsed().as_secs_f64(), event.metadata().level());
        (self.out)(&format!("{at:10.6} {level:<5} {who}: {}{}", words.message, words.fields));
    }
}

/// What an event says.
#[derive(Default)]
struct Words {
    rank: Option<u64>,
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rank" => self.rank = Some(value),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        written.expect("a string takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_and_other_words_refused() {
        for right in ["debug", "INFO", "warn,maniple::store=trace", "off"] {
            assert!(parse(right).is_ok(), "{right}");
        }
        for wrong in ["loud", "maniple=loud", "info,quiet", ""] {
            let words = parse(wrong).unwrap_err();
            assert!(words.contains("neither a level"), "{words}");
        }
    }
}
