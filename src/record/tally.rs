//! How far a run has come, function by function: what rank 0 hears, counted. No clock.

use crate::{
    lock::lock,
    message::{Message, TaskId, Tasks, ToClient, ToScheduler, ToWorker},
};
use rustc_hash::FxHashMap;
use std::{collections::BTreeMap, sync::Mutex};

/// How far the tasks of one name have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub name: String,
    pub total: u64,
    pub done: u64,
    /// Of those that are done, how many have no value.
    pub failed: u64,
    /// How many a worker has, and has not told to be done.
    pub running: u64,
}

impl Progress {
    pub(crate) fn waiting(&self) -> u64 {
        self.total.saturating_sub(self.done + self.running)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.done >= self.total
    }
}

/// Counts. See the module.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    places: FxHashMap<String, usize>,
    progress: Vec<Progress>,
    /// The layers by their first tasks: how many tasks, and of which name.
    layers: BTreeMap<TaskId, (u32, usize)>,
}

impl Counts {
    fn of(&mut self, task: TaskId) -> Option<&mut Progress> {
        let (first, (count, place)) = self.layers.range(..=task).next_back()?;
        (task < first.plus(*count)).then(|| &mut self.progress[*place])
    }

    fn left_workers(&mut self, tasks: Tasks) -> Option<&mut Progress> {
        let progress = self.of(tasks.first)?;
        progress.running = progress.running.saturating_sub(u64::from(tasks.count));
        Some(progress)
    }

    fn done(&mut self, tasks: Tasks) {
        if let Some(progress) = self.left_workers(tasks) {
            progress.done += u64::from(tasks.count);
        }
    }
}

impl Tally {
    /// The scheduler hears this.
    pub(crate) fn hear(&self, message: &ToScheduler) {
        let mut counts = lock(&self.0);
        match message {
            ToScheduler::Submit(layer) => {
                let name = layer.name();
                let next = counts.progress.len();
                let place = *counts.places.entry(name.clone()).or_insert(next);
                if place == next {
                    counts.progress.push(Progress { name, ..Progress::default() });
                }
                counts.progress[place].total += u64::from(layer.tasks.count);
                counts.layers.insert(layer.tasks.first, (layer.tasks.count, place));
            }
            ToScheduler::Finished { finished, .. } => counts.done(finished.tasks()),
            ToScheduler::Stored { task, .. } => counts.done(Tasks::one(*task)),
            ToScheduler::Yielded(tasks) => {
                for tasks in tasks {
                    counts.left_workers(*tasks);
                }
            }
            // It may be tried again; if not, its client is told.
            ToScheduler::Failed(error) => {
                counts.left_workers(Tasks::one(TaskId(error.task)));
            }
            _ => {}
        }
    }

    /// The scheduler says this.
    pub(crate) fn say(&self, message: &Message) {
        match message {
            Message::ToWorker(ToWorker::Run(run)) => {
                if let Some(progress) = lock(&self.0).of(run.tasks.first) {
                    progress.running += u64::from(run.tasks.count);
                }
            }
            Message::ToClient(ToClient::Failed { task, .. }) => {
                if let Some(progress) = lock(&self.0).of(*task) {
                    progress.done += 1;
                    progress.failed += 1;
                }
            }
            _ => {}
        }
    }

    /// How far each function has come, in the order they were first submitted.
    pub(crate) fn progress(&self) -> Vec<Progress> {
        lock(&self.0).progress.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{Finished, Layer, Options, Packed, Run, Size},
        rank::Rank,
        task::Code,
    };

    fn layer(first: u64, count: u32, name: &str) -> ToScheduler {
        let options = Options { label: Some(name.into()), ..Options::default() };
        let tasks = Tasks { first: TaskId(first), count };
        let code = Code { module: 0, offset: 0 };
        ToScheduler::Submit(Layer {
            tasks,
            code,
            columns: vec![],
            level: 0,
            options: Some(Box::new(options)),
        })
    }

    fn run(first: u64, count: u32) -> Message {
        let tasks = Tasks { first: TaskId(first), count };
        let code = Code { module: 0, offset: 0 };
        Message::ToWorker(ToWorker::Run(Run { tasks, code, attempt: 0, arguments: vec![], label: None }))
    }

    #[test]
    fn what_is_given_out_comes_back_or_is_done() {
        let tally = Tally::default();
        [layer(0, 10, "load"), layer(10, 2, "sum"), layer(12, 5, "load")]
            .iter()
            .for_each(|said| tally.hear(said));
        tally.say(&run(0, 6));
        tally.say(&run(10, 1));
        tally.hear(&ToScheduler::Yielded(vec![Tasks { first: TaskId(4), count: 2 }]));
        let values: Packed = [&[1u8][..]; 3].into_iter().collect();
        tally
            .hear(&ToScheduler::Finished { finished: Finished { first: TaskId(0), values }, nanoseconds: 1 });
        tally.hear(&ToScheduler::Stored { task: TaskId(10), size: Size::default(), nanoseconds: 1 });
        let progress = tally.progress();
        let [load, sum] = &progress[..] else { panic!("{progress:?}") };
        assert_eq!((load.total, load.done, load.running, load.waiting()), (15, 3, 1, 11));
        assert_eq!((sum.total, sum.done, sum.running, sum.waiting()), (2, 1, 0, 1));
        let error = crate::error::TaskError {
            reason: crate::error::Reason::Panic,
            function: "load".into(),
            task: 3,
            rank: Some(Rank(2).0),
            host: String::new(),
            message: String::new(),
            attempts: 1,
            dependents: vec![],
        };
        tally.hear(&ToScheduler::Failed(Box::new(error.clone())));
        tally.say(&Message::ToClient(ToClient::Failed { task: TaskId(3), error: Box::new(error) }));
        let load = &tally.progress()[0];
        assert_eq!((load.done, load.failed, load.running), (4, 1, 0));
    }
}
