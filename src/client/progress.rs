//! Futures in the order they end, and a bar that shows how many have.

use super::{Client, Future, table::Watcher};
use crate::{
    error::Result,
    record::{FIRST_LINE, draw_target},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    borrow::Borrow,
    sync::Arc,
    time::{Duration, Instant},
};

const A_MINUTE: Duration = Duration::from_secs(60);

/// Futures in the order they end. See [`Client::as_completed`].
#[derive(Debug)]
pub struct AsCompleted<'a, T, F> {
    client: Client,
    futures: &'a [F],
    watcher: Arc<Watcher>,
    left: usize,
    marker: std::marker::PhantomData<fn() -> T>,
}

impl<'a, T, F: Borrow<Future<T>>> Iterator for AsCompleted<'a, T, F> {
    type Item = &'a F;

    /// Waits for the next one; `None` when all were given, or the run has ended.
    fn next(&mut self) -> Option<&'a F> {
        if self.left == 0 {
            return None;
        }
        let index = self.client.wait_for(|| self.watcher.next(), None).ok()?;
        self.left -= 1;
        Some(&self.futures[index])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl Client {
    /// These futures in the order their tasks end, well or not.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let squares = client.map(|x: u64| x * x, 0..10);
    /// let mut sum = 0;
    /// for square in client.as_completed(&squares) {
    ///     sum += square.result()?;
    /// }
    /// assert_eq!(sum, 285);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn as_completed<'a, T, F: Borrow<Future<T>>>(&self, futures: &'a [F]) -> AsCompleted<'a, T, F> {
        let tasks = futures.iter().map(Borrow::borrow);
        let watcher = self
            .table()
            .watcher(tasks.map(|future: &Future<T>| (future.task(), future.tracked(), future.index())));
        AsCompleted {
            client: self.clone(),
            futures,
            watcher,
            left: futures.len(),
            marker: std::marker::PhantomData,
        }
    }

    /// Waits for all these futures and shows how many have ended, how many end in a second and how long it
    /// will take: a bar if standard error or standard output is a terminal, else a line a minute, the first one after
    /// 10 seconds.
    ///
    /// [`Builder::progress`](crate::Builder::progress) shows all functions of a run.
    ///
    /// # Errors
    ///
    /// As [`Client::wait`]. That a task failed is no error here.
    pub fn progress<T, F: Borrow<Future<T>>>(&self, futures: &[F]) -> Result<()> {
        let target = draw_target();
        let is_drawn = target.is_some();
        let target = target.unwrap_or_else(ProgressDrawTarget::hidden);
        let bar = ProgressBar::with_draw_target(Some(futures.len() as u64), target);
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} tasks, {per_sec}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let (start, mut done) = (Instant::now(), 0);
        let mut next_line = start + FIRST_LINE;
        for _ in self.as_completed(futures) {
            bar.inc(1);
            done += 1;
            if !is_drawn && Instant::now() >= next_line {
                next_line = Instant::now() + A_MINUTE;
                let rate = f64::from(done) / start.elapsed().as_secs_f64();
                let left = (futures.len() as f64 - f64::from(done)) / rate;
                eprintln!("maniple: {done}/{} tasks done, {rate:.1}/s, {left:.0} s left", futures.len());
            }
        }
        bar.finish_and_clear();
        // Tells why, if the run ended before the futures did.
        self.wait(futures, super::WaitFor::All, None)
    }
}
