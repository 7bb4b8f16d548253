//! Shows how far a run has come: bars in a terminal, a line a minute in a log, the first one sooner.

use super::{
    estimate::{Estimate, Rates},
    tally::{Progress, SessionProgress, Tally},
};
use crate::{error::show, lock::lock};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustc_hash::FxHashMap;
use std::{
    io::{IsTerminal, stderr, stdout},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often bars are drawn again.
const REDRAW: Duration = Duration::from_millis(200);
/// When a log has its first line, if not sooner.
pub(crate) const FIRST_LINE: Duration = Duration::from_secs(10);
/// How many functions have a bar, or a place in a line.
const SHOWN_MAX: usize = 8;

/// Shows progress until it is dropped. See the module.
#[derive(Debug)]
pub(crate) struct Display {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Shows what is counted; in a log, a line each `every`.
    pub(crate) fn start(tally: Arc<Tally>, every: Duration) -> Self {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&over);
        let target = draw_target();
        let is_terminal = target.is_some();
        let show = move || {
            let start = Instant::now();
            let mut rates = Rates::default();
            let bars = Bars::new(target.unwrap_or_else(ProgressDrawTarget::hidden));
            let mut pause = if is_terminal { REDRAW } else { every.min(FIRST_LINE) };
            loop {
                let (over, changed) = &*told;
                let guard = lock(over);
                let (guard, _) = match changed.wait_timeout_while(guard, pause, |over| !*over) {
                    Ok(waited) => waited,
                    Err(poisoned) => poisoned.into_inner(),
                };
                let is_over = *guard;
                drop(guard);
                pause = if is_terminal { REDRAW } else { every };
                let (progress, elapsed) = (tally.progress(), start.elapsed());
                rates.note(&progress, elapsed);
                let shown = Shown::of(&progress, &rates, tally.sessions());
                match (is_terminal, is_over) {
                    (true, false) => bars.draw(&shown),
                    (true, true) => bars.clear(),
                    (false, false) => show(shown.line(elapsed)),
                    (false, true) => {}
                }
                if is_over {
                    return show(last_line(&progress, elapsed));
                }
            }
        };
        // Without a thread nothing is shown, and nothing is wrong.
        let thread = thread::Builder::new().name("maniple-progress".into()).spawn(show).ok();
        Self { over, thread }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        *lock(&self.over.0) = true;
        self.over.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    bars: Mutex<FxHashMap<String, ProgressBar>>,
}

/// Where bars are drawn: on standard error, or on standard output where only that is a terminal, as that of the ranks
/// of Open MPI's `mpirun` in one. Nothing where neither is.
pub(crate) fn draw_target() -> Option<ProgressDrawTarget> {
    match (stderr().is_terminal(), stdout().is_terminal()) {
        (true, _) => Some(ProgressDrawTarget::stderr()),
        (false, true) => Some(ProgressDrawTarget::stdout()),
        (false, false) => None,
    }
}

impl Bars {
    fn new(target: ProgressDrawTarget) -> Self {
        Self { all: MultiProgress::with_draw_target(target), bars: Mutex::default() }
    }

    fn draw(&self, shown: &Shown<'_>) {
        let mut bars = lock(&self.bars);
        bars.retain(|name, bar| {
            let stays = name == RUN || shown.functions.iter().any(|(progress, _)| progress.name == *name);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        self.draw_one(&mut bars, RUN, (shown.done, shown.total), shown.run.grows, shown.run_words());
        for (progress, estimate) in &shown.functions {
            let words = format!("{}, {}", progress.name, words(progress, *estimate));
            self.draw_one(&mut bars, &progress.name, (progress.done, progress.total), estimate.grows, words);
        }
    }

    fn draw_one(
        &self,
        bars: &mut FxHashMap<String, ProgressBar>,
        name: &str,
        (done, total): (u64, u64),
        grows: bool,
        words: String,
    ) {
        let bar = bars.entry(name.to_string()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len}{prefix} {msg}");
            let bar = self.all.add(ProgressBar::new(total));
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_length(total);
        bar.set_position(done);
        bar.set_prefix(mark(grows));
        bar.set_message(words);
    }

    fn clear(&self) {
        let _ = self.all.clear();
    }
}

/// The bar of all tasks.
const RUN: &str = "all tasks";

/// What stands behind a number of tasks: a mark if it has grown since it was first shown.
fn mark(grows: bool) -> &'static str {
    if grows { "+" } else { "" }
}

/// What is shown at one time.
struct Shown<'a> {
    /// Of the functions that are not over, the first ones.
    functions: Vec<(&'a Progress, Estimate)>,
    run: Estimate,
    done: u64,
    total: u64,
    /// Those that have open tasks.
    sessions: Vec<SessionProgress>,
}

impl<'a> Shown<'a> {
    fn of(progress: &'a [Progress], rates: &Rates, mut sessions: Vec<SessionProgress>) -> Self {
        let estimates = rates.estimates(progress);
        let run = rates.of_run(progress, &estimates);
        let (done, total) = (sum(progress, |of| of.done), sum(progress, |of| of.total));
        let open = progress.iter().zip(estimates).filter(|(progress, _)| !progress.is_over());
        sessions.retain(|session| session.done < session.total);
        sessions.truncate(SHOWN_MAX);
        Self { functions: open.take(SHOWN_MAX).collect(), run, done, total, sessions }
    }

    /// How long all tasks will take, and whose they are.
    fn run_words(&self) -> String {
        let mut words = "tasks done".to_string();
        if let Some(left) = self.run.left {
            words.push_str(&format!(", {} left", clock(left)));
        }
        for SessionProgress { rank, total, done, .. } in &self.sessions {
            words.push_str(&format!(", session {rank} {done}/{total}"));
        }
        words
    }

    /// Where all functions stand, for a log.
    fn line(&self, elapsed: Duration) -> String {
        let (done, total, grows) = (self.done, self.total, mark(self.run.grows));
        let mut line = format!("maniple: {} {done}/{total}{grows} {}", clock(elapsed), self.run_words());
        for (progress, estimate) in &self.functions {
            let (Progress { name, done, total, .. }, grows) = (progress, mark(estimate.grows));
            line.push_str(&format!("; {name} {done}/{total}{grows}, {}", words(progress, *estimate)));
        }
        line
    }
}

fn words(progress: &Progress, Estimate { rate, left, .. }: Estimate) -> String {
    let mut words = format!("{} on workers, {} waiting, {rate:.1}/s", progress.running, progress.waiting());
    if let Some(left) = left {
        words.push_str(&format!(", {} left", clock(left)));
    }
    if progress.failed > 0 {
        words.push_str(&format!(", {} failed", progress.failed));
    }
    words
}

fn sum(progress: &[Progress], of: fn(&Progress) -> u64) -> u64 {
    progress.iter().map(of).sum()
}

fn last_line(progress: &[Progress], elapsed: Duration) -> String {
    let (done, total) = (sum(progress, |of| of.done), sum(progress, |of| of.total));
    let failed = sum(progress, |of| of.failed);
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-9);
    format!("maniple: {done}/{total} tasks done in {}, {rate:.1}/s{failed}", clock(elapsed))
}

/// Hours, minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::Rank;

    fn progress(name: &str, total: u64, done: u64, running: u64) -> Progress {
        Progress { name: name.into(), total, done, running, ..Progress::default() }
    }

    #[test]
    fn a_line_tells_where_every_function_stands() {
        let mut rates = Rates::default();
        let at = |done| [progress("load", 100, 100, 0), progress("sum", 1000, done, 4)];
        rates.note(&at(0), Duration::from_secs(1));
        rates.note(&at(100), Duration::from_secs(11));
        let line = |progress: &[Progress], rates: &Rates, sessions: &[SessionProgress]| {
            Shown::of(progress, rates, sessions.to_vec()).line(Duration::from_secs(71))
        };
        assert_eq!(
            line(&at(100), &rates, &[]),
            "maniple: 1:11 200/1100 tasks done, 1:30 left; sum 100/1000, 4 on workers, 896 waiting, 10.0/s, 1:30 left"
        );
        let session = |rank, total, done| SessionProgress { rank: Rank(rank), total, done, failed: 0 };
        let mut more = at(100);
        more[1].total += 10;
        rates.note(&more, Duration::from_millis(11_100));
        assert_eq!(
            line(&more, &rates, &[session(9, 10, 4), session(10, 7, 7)]),
            "maniple: 1:11 200/1110+ tasks done, 1:31 left, session 9 4/10; \
             sum 100/1010+, 4 on workers, 906 waiting, 10.0/s, 1:31 left"
        );
        assert_eq!(
            last_line(&at(1000), Duration::from_secs(3700)),
            "maniple: 1100/1100 tasks done in 1:01:40, 0.3/s"
        );
    }
}
