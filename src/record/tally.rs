//! How far a run has come, function by function: what rank 0 hears, counted. No clock.

use super::history::LayerRecord;
use crate::{
    ids::{TaskId, Tasks},
    lock::lock,
    message::{Layer, Message, ToClient, ToScheduler, ToWorker},
    rank::Rank,
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
    /// The places of those whose values its tasks need.
    pub needs: Vec<usize>,
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
    /// By rank: how many tasks a worker has.
    outstanding: Vec<u64>,
}

impl Counts {
    fn place(&self, task: TaskId) -> Option<usize> {
        let (first, (count, place)) = self.layers.range(..=task).next_back()?;
        (task < first.plus(*count)).then_some(*place)
    }

    fn of(&mut self, task: TaskId) -> Option<&mut Progress> {
        self.place(task).map(|place| &mut self.progress[place])
    }

    fn submitted(&mut self, layer: &Layer) {
        let name = layer.name();
        let next = self.progress.len();
        let place = *self.places.entry(name.clone()).or_insert(next);
        if place == next {
            self.progress.push(Progress { name, ..Progress::default() });
        }
        self.progress[place].total += u64::from(layer.tasks.count);
        self.layers.insert(layer.tasks.first, (layer.tasks.count, place));
        // All tasks of a layer are of one shape, so that the first and the last tell.
        let needs = LayerRecord::new(layer, 0);
        for index in [0, layer.tasks.count.saturating_sub(1)] {
            needs.for_each_need(index, |task| {
                if let Some(needed) = self.place(TaskId(task)).filter(|needed| *needed != place)
                    && !self.progress[place].needs.contains(&needed)
                {
                    self.progress[place].needs.push(needed);
                }
            });
        }
    }

    fn outstanding(&mut self, rank: Rank) -> &mut u64 {
        if self.outstanding.len() <= rank.index() {
            self.outstanding.resize(rank.index() + 1, 0);
        }
        &mut self.outstanding[rank.index()]
    }

    fn left_workers(&mut self, rank: Rank, tasks: Tasks) -> Option<&mut Progress> {
        let outstanding = self.outstanding(rank);
        *outstanding = outstanding.saturating_sub(u64::from(tasks.count));
        let progress = self.of(tasks.first)?;
        progress.running = progress.running.saturating_sub(u64::from(tasks.count));
        Some(progress)
    }

    fn done(&mut self, rank: Rank, tasks: Tasks) {
        if let Some(progress) = self.left_workers(rank, tasks) {
            progress.done += u64::from(tasks.count);
        }
    }
}

impl Tally {
    /// The scheduler hears this from that rank.
    pub(crate) fn hear(&self, source: Rank, message: &ToScheduler) {
        let mut counts = lock(&self.0);
        match message {
            ToScheduler::Submit(layer) => counts.submitted(layer),
            ToScheduler::Finished { finished, .. } => counts.done(source, finished.tasks()),
            ToScheduler::Stored { task, .. } => counts.done(source, Tasks::one(*task)),
            ToScheduler::Yielded(tasks) => {
                for tasks in tasks {
                    counts.left_workers(source, *tasks);
                }
            }
            // It may be tried again; if not, its client is told.
            ToScheduler::Failed(error) => {
                counts.left_workers(source, Tasks::one(TaskId(error.task)));
            }
            _ => {}
        }
    }

    /// The scheduler says this to that rank.
    pub(crate) fn say(&self, target: Rank, message: &Message) {
        match message {
            Message::ToWorker(ToWorker::Run(run)) => {
                let mut counts = lock(&self.0);
                *counts.outstanding(target) += u64::from(run.tasks.count);
                if let Some(progress) = counts.of(run.tasks.first) {
                    progress.running += u64::from(run.tasks.count);
                }
            }
            Message::ToClient(ToClient::Failed { tasks, .. }) => {
                let mut counts = lock(&self.0);
                for task in tasks.iter().copied().flat_map(Tasks::iter) {
                    if let Some(progress) = counts.of(task) {
                        progress.done += 1;
                        progress.failed += 1;
                    }
                }
            }
            _ => {}
        }
    }

    /// How far each function has come, in the order they were first submitted.
    pub(crate) fn progress(&self) -> Vec<Progress> {
        lock(&self.0).progress.clone()
    }

    /// How many tasks each rank has, those of the last ranks being none.
    pub(crate) fn outstanding(&self) -> Vec<u64> {
        lock(&self.0).outstanding.clone()
    }

    /// Which of what [`progress`](Self::progress) tells these tasks belong to.
    pub(crate) fn places(&self, tasks: impl Iterator<Item = u64>) -> Vec<Option<usize>> {
        let counts = lock(&self.0);
        tasks.map(|task| counts.place(TaskId(task))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::Code,
        ids::Size,
        message::{Column, Finished, Options, Run},
        packed::Packed,
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
            depth: 0,
            options: Some(Box::new(options)),
        })
    }

    fn run(first: u64, count: u32) -> Message {
        let tasks = Tasks { first: TaskId(first), count };
        let code = Code { module: 0, offset: 0 };
        let (attempt, arguments, label, timeout_nanoseconds, is_kept) = (0, vec![], None, 0, false);
        let run = Run { tasks, code, attempt, arguments, label, timeout_nanoseconds, is_kept, depth: 0 };
        Message::ToWorker(ToWorker::Run(run))
    }

    #[test]
    fn what_is_given_out_comes_back_or_is_done() {
        let tally = Tally::default();
        [layer(0, 10, "load"), layer(10, 2, "sum"), layer(12, 5, "load")]
            .iter()
            .for_each(|said| tally.hear(Rank(2), said));
        tally.say(Rank(2), &run(0, 6));
        tally.say(Rank(2), &run(10, 1));
        tally.hear(Rank(2), &ToScheduler::Yielded(vec![Tasks { first: TaskId(4), count: 2 }]));
        let values: Packed = [&[1u8][..]; 3].into_iter().collect();
        tally.hear(
            Rank(2),
            &ToScheduler::Finished { finished: Finished { first: TaskId(0), values }, nanoseconds: 1 },
        );
        tally.hear(Rank(2), &ToScheduler::Stored { task: TaskId(10), size: Size::default(), nanoseconds: 1 });
        let progress = tally.progress();
        let [load, sum] = &progress[..] else { panic!("{progress:?}") };
        assert_eq!((load.total, load.done, load.running, load.waiting()), (15, 3, 1, 11));
        assert_eq!((sum.total, sum.done, sum.running, sum.waiting()), (2, 1, 0, 1));
        assert_eq!(tally.outstanding(), [0, 0, 1]);
        assert_eq!(tally.places([9, 10, 16, 17].into_iter()), [Some(0), Some(1), Some(0), None]);
        let error = crate::error::TaskError {
            reason: crate::error::Reason::Panic,
            function: "load".into(),
            task: 3,
            rank: Some(Rank(2).0),
            host: String::new(),
            message: crate::error::TaskError::message(""),
            attempts: 1,
            dependents: vec![],
        };
        tally.hear(Rank(2), &ToScheduler::Failed(Box::new(error.clone())));
        tally.say(
            Rank(2),
            &Message::ToClient(ToClient::Failed { tasks: vec![Tasks::one(TaskId(3))], error: error.into() }),
        );
        let load = &tally.progress()[0];
        assert_eq!((load.done, load.failed, load.running), (4, 1, 0));
    }

    #[test]
    fn which_functions_need_which_is_known() {
        let tally = Tally::default();
        let with = |first: u64, count: u32, name: &str, columns: Vec<Column>| {
            let ToScheduler::Submit(layer) = layer(first, count, name) else { unreachable!() };
            tally.hear(Rank(1), &ToScheduler::Submit(Layer { columns, ..layer }));
        };
        with(0, 4, "load", vec![]);
        with(4, 4, "add", vec![Column::Stride { first: TaskId(0), stride: 1 }]);
        with(8, 1, "add", vec![Column::Stride { first: TaskId(4), stride: 0 }]);
        with(9, 1, "sum", vec![Column::Values(vec![TaskId(8)]), Column::Values(vec![TaskId(3)])]);
        let needs: Vec<Vec<usize>> = tally.progress().into_iter().map(|progress| progress.needs).collect();
        assert_eq!(needs, [vec![], vec![0], vec![1, 0]]);
    }
}
