//! Shows how far a run has come: bars in a terminal, a line a minute in a log, the first one sooner.

use super::{
    estimate::{Estimate, Rates},
    tally::{Progress, Tally},
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
                let shown = shown(&progress, &rates);
                match (is_terminal, is_over) {
                    (true, false) => bars.draw(&shown),
                    (true, true) => bars.clear(),
                    (false, false) => show(line(&progress, &shown, elapsed)),
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

    fn draw(&self, shown: &[(&Progress, Estimate)]) {
        let mut bars = lock(&self.bars);
        bars.retain(|name, bar| {
            let stays = shown.iter().any(|(progress, _)| progress.name == *name);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for (progress, estimate) in shown {
            let bar = bars.entry(progress.name.clone()).or_insert_with(|| {
                let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
                let bar = self.all.add(ProgressBar::new(progress.total));
                bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            });
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            bar.set_message(format!("{}, {}", progress.name, words(progress, *estimate)));
        }
    }

    fn clear(&self) {
        let _ = self.all.clear();
    }
}

/// The functions to show: of those that are not over, the first ones.
fn shown<'a>(progress: &'a [Progress], rates: &Rates) -> Vec<(&'a Progress, Estimate)> {
    let all = progress.iter().zip(rates.estimates(progress));
    all.filter(|(progress, _)| !progress.is_over()).take(SHOWN_MAX).collect()
}

fn words(progress: &Progress, Estimate { rate, left }: Estimate) -> String {
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

/// Where all functions stand, for a log.
fn line(progress: &[Progress], shown: &[(&Progress, Estimate)], elapsed: Duration) -> String {
    let (done, total) = (sum(progress, |of| of.done), sum(progress, |of| of.total));
    let mut line = format!("maniple: {} {done}/{total} tasks done", clock(elapsed));
    for (progress, estimate) in shown {
        let Progress { name, done, total, .. } = progress;
        line.push_str(&format!("; {name} {done}/{total}, {}", words(progress, *estimate)));
    }
    line
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

    fn progress(name: &str, total: u64, done: u64, running: u64) -> Progress {
        Progress { name: name.into(), total, done, running, ..Progress::default() }
    }

    #[test]
    fn a_line_tells_where_every_function_stands() {
        let mut rates = Rates::default();
        let at = |done| [progress("load", 100, 100, 0), progress("sum", 1000, done, 4)];
        rates.note(&at(0), Duration::from_secs(1));
        rates.note(&at(100), Duration::from_secs(11));
        assert_eq!(
            line(&at(100), &shown(&at(100), &rates), Duration::from_secs(71)),
            "maniple: 1:11 200/1100 tasks done; sum 100/1000, 4 on workers, 896 waiting, 10.0/s, 1:30 left"
        );
        assert_eq!(
            last_line(&at(1000), Duration::from_secs(3700)),
            "maniple: 1100/1100 tasks done in 1:01:40, 0.3/s"
        );
    }
}
