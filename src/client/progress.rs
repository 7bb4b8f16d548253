//! Futures in the order they end, and a bar that shows how many have.

use super::{Client, Future, table::Watcher};
use crate::{
    error::{Result, show},
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

/// Futures in the order they end, where more can be added at any time. See [`Client::completions`].
#[derive(Debug)]
pub struct Completions {
    client: Client,
    watcher: Arc<Watcher>,
}

impl Completions {
    /// Adds a future, which `number` stands for. It must live until it is returned.
    pub fn add<T>(&self, future: &Future<T>, number: usize) {
        self.watcher.add(number, future.task(), future.tracked(), future.index());
    }

    /// Waits until one more of the futures has ended, well or not, and returns its number; each is returned once.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`](crate::Error::Timeout) if the time is over;
    /// [`Error::Interrupted`](crate::Error::Interrupted) and [`Error::Ended`](crate::Error::Ended) if the run is.
    pub fn next(&self, timeout: impl Into<Option<Duration>>) -> Result<usize> {
        self.client.wait_for(|| self.watcher.next(), timeout.into())
    }
}

impl Client {
    /// The order in which futures end that are added one by one: for event loops and callbacks.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let squares = client.map(|x: u64| x * x, 0..3);
    /// let completions = client.completions();
    /// squares.iter().enumerate().for_each(|(number, square)| completions.add(square, number));
    /// let mut numbers: Vec<usize> = (0..3).map(|_| completions.next(None)).collect::<Result<_, _>>()?;
    /// numbers.sort();
    /// assert_eq!(numbers, [0, 1, 2]);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn completions(&self) -> Completions {
        Completions { client: self.clone(), watcher: self.table().watcher([].into_iter()) }
    }

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
                let count = futures.len();
                show(format_args!("maniple: {done}/{count} tasks done, {rate:.1}/s, {left:.0} s left"));
            }
        }
        bar.finish_and_clear();
        // Tells why, if the run ended before the futures did.
        self.wait(futures, super::WaitFor::All, None)
    }
}
