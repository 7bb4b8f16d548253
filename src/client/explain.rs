//! Why a task does not run, or where it ran, in words; and the state of everything in a file.

use super::{
    Client, Future,
    table::{Progress, Request},
};
use crate::{
    error::{Error, Result},
    files::whole::{Access, write_whole},
    ids::TaskId,
    message::{Message, RankState, Standing, Story},
    rank::Rank,
    units::human_bytes,
};
use std::{path::Path, sync::Arc, time::Duration};

/// How long a rank may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a thread that does not look after the rank looks for an answer.
#[cfg(feature = "dashboard")]
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How many tasks are named one by one.
const NAMED_MAX: usize = 3;

impl Client {
    /// Says in words why a task is not running, since when it runs, or where it ran.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let sum = client.submit(|a: u64, b: u64| a + b, (1, 2));
    /// sum.result()?;
    /// assert!(client.explain(&sum)?.contains(" is done"));
    /// # Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if a rank does not answer; [`Error::Interrupted`] and [`Error::Ended`] if the run is
    /// over.
    pub fn explain<T>(&self, future: &Future<T>) -> Result<String> {
        let task = future.task();
        if let Progress::Failed(error) = future.tracked().progress(future.index()) {
            return Ok(error.to_string());
        }
        let unknown = || format!("task {} is not known to the scheduler: its value is here", task.sequence());
        Ok(self.told_of(task, |rank| self.ask(rank, Some(task)))?.unwrap_or_else(unknown))
    }

    /// As [`explain`](Self::explain), of any client's task. This thread does not look after the rank meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if a rank does not answer in time, [`Error::Ended`] if the run is over.
    #[cfg(feature = "dashboard")]
    pub(crate) fn story_of(&self, task: TaskId, patience: Duration) -> Result<String> {
        let deadline = crate::units::after(std::time::Instant::now(), patience);
        let ask = |rank| {
            let question = self.table().new_question();
            self.table().request(Request::Say(rank, Message::Ask { question, task: Some(task) }));
            self.process().ok_or(Error::Ended)?.send_soon(false);
            loop {
                if let Some(state) = self.table().take_answer(question) {
                    return Ok(state);
                }
                if std::time::Instant::now() >= deadline {
                    return Err(Error::Timeout(patience));
                }
                std::thread::sleep(LOOK_EVERY);
            }
        };
        let unknown = || {
            format!(
                "task {} is not known to the scheduler: there was none, or its value was released",
                task.sequence()
            )
        };
        Ok(self.told_of(task, ask)?.unwrap_or_else(unknown))
    }

    /// What the scheduler, and the worker that has the task, tell of it when they are asked.
    fn told_of(
        &self,
        task: TaskId,
        mut ask: impl FnMut(Rank) -> Result<RankState>,
    ) -> Result<Option<String>> {
        let Some(story) = ask(Rank::SCHEDULER)?.story else { return Ok(None) };
        let mut words = self.words(&story);
        if let Standing::Assigned { rank, .. } = story.standing {
            words.push_str(&on_worker(task, &ask(rank)?));
        }
        Ok(Some(words))
    }

    /// Writes the state of the scheduler and of all workers to a file, as JSON: layers, queues, what runs
    /// since when, what waits for which values.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it can't be written, and as [`explain`](Self::explain).
    pub fn dump_state(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ranks = self.cluster().ranks().iter().map(|rank| self.ask(rank.rank, None));
        let ranks: Vec<RankState> = ranks.collect::<Result<_>>()?;
        let state = serde_json::json!({"cluster": self.cluster(), "ranks": ranks});
        let written = write_whole(path, Access::Usual, |file| writeln!(file, "{state:#}"));
        written.map_err(|source| Error::File {
            message: "the state of the run cannot be written".into(),
            path: path.into(),
            source: Arc::new(source),
        })
    }

    fn ask(&self, rank: Rank, task: Option<TaskId>) -> Result<RankState> {
        let question = self.table().new_question();
        self.table().request(Request::Say(rank, Message::Ask { question, task }));
        self.said(true);
        self.wait_for(|| self.table().take_answer(question), PATIENCE.into())
    }

    fn words(&self, story: &Story) -> String {
        let host = |rank: Rank| {
            let record = self.cluster().ranks().get(rank.index());
            format!("rank {rank} ({})", record.map_or("", |record| record.host.as_str()))
        };
        let mut words = format!("task {} ({}) ", story.task.sequence(), story.name);
        match &story.standing {
            Standing::Withheld { before } | Standing::Ready { before } => {
                words.push_str(&format!(
                    "is queued: it needs no value that is not there, and {before} tasks wait for a worker"
                ));
            }
            Standing::Aside => {
                words.push_str("is not begun yet: every task that needs it waits for other values, too");
            }
            Standing::Waiting { count, inputs } => {
                words.push_str(&format!("waits for {count} of its inputs: "));
                let name = |(task, name, rank): &(TaskId, String, Option<Rank>)| {
                    let place =
                        rank.map_or(", not with a worker yet".into(), |rank| format!(" on {}", host(rank)));
                    format!("task {} ({name}){place}", task.sequence())
                };
                words.push_str(&some(inputs.iter().map(name), *count as usize));
            }
            Standing::Assigned { rank, attempt } => {
                words.push_str(&format!("was given to {}", host(*rank)));
                if *attempt > 0 {
                    words.push_str(&format!(" as attempt {}", attempt + 1));
                }
            }
            Standing::Done { rank: Some(rank), bytes } => {
                words.push_str(&format!(
                    "is done: it ran on {}, and its value has {}",
                    host(*rank),
                    human_bytes(*bytes)
                ));
            }
            Standing::Done { rank: None, bytes } => {
                words.push_str(&format!("is done: its value of {} was given", human_bytes(*bytes)));
            }
            Standing::Failed => words.push_str("has failed, or was cancelled"),
        }
        if !matches!(story.standing, Standing::Done { .. } | Standing::Failed) {
            if !story.workers.is_empty() {
                let ranks = story.workers.iter().map(|rank| rank.to_string());
                words.push_str(&format!("; it may run only on rank {}", some(ranks, story.workers.len())));
            }
            if !story.resources.is_empty() {
                let takes = story.resources.iter().map(|(name, amount)| format!("{name}={amount}"));
                words.push_str(&format!("; it takes {} of its worker", some(takes, story.resources.len())));
            }
        }
        words
    }
}

/// The first ones, and how many others.
fn some(words: impl Iterator<Item = String>, count: usize) -> String {
    let named: Vec<String> = words.take(NAMED_MAX).collect();
    let others = count.saturating_sub(named.len());
    if others > 0 { format!("{} and {others} more", named.join(", ")) } else { named.join(", ") }
}

/// What the worker that has a task says of it.
fn on_worker(task: TaskId, state: &RankState) -> String {
    if let Some(running) = state.running.iter().find(|running| running.tasks.contains(task)) {
        let since = Duration::from_nanos(running.nanoseconds);
        let among = running.tasks.count;
        let among =
            if among > 1 { format!(" among {among} tasks that one thread runs") } else { String::new() };
        return format!(", which runs it since {since:.3?}{among}");
    }
    if let Some(waiting) = state.waiting.iter().find(|waiting| waiting.task == task) {
        let value = |held: &crate::message::Held| {
            format!(
                "{} of task {} from rank {}",
                human_bytes(held.size.bytes),
                held.task.sequence(),
                held.holder
            )
        };
        if waiting.values.is_empty() {
            let tasks = waiting.unmade.iter().map(|task| format!("task {}", task.sequence()));
            return format!(", where it waits for the values of {}", some(tasks, waiting.unmade.len()));
        }
        return format!(", which fetches {}", some(waiting.values.iter().map(value), waiting.values.len()));
    }
    let before = state.queued.iter().take_while(|tasks| !tasks.contains(task));
    match state.queued.iter().any(|tasks| tasks.contains(task)) {
        true => format!(", where it is behind {} others", before.map(|tasks| tasks.count).sum::<u32>()),
        false => ", and is on its way there or back".into(),
    }
}
