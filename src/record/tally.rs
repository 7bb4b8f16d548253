//! How far a run has come, function by function: what rank 0 hears, counted. If there is a dashboard, also what rank 0
//! knows of threads without a task.

use super::{clock::now, history::LayerRecord, vacancy::Vacancies};
use crate::{
    cluster::Cluster,
    error::TaskError,
    ids::{TaskId, Tasks},
    lock::lock,
    message::{Layer, Message, ToClient, ToScheduler, ToWorker},
    rank::Rank,
};
use rustc_hash::FxHashMap;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

/// How many ranges of tasks are known of a function, and how many failures until they are taken.
const RANGES_MAX: usize = 8;
const FAILURES_MAX: usize = 200;

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
    /// Its first tasks.
    pub tasks: Vec<Tasks>,
}

/// Tasks that failed, or were cancelled, for one reason.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The first of them, and how many.
    pub tasks: Tasks,
    pub name: String,
    pub error: Arc<TaskError>,
}

/// How the tasks of a session stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionProgress {
    pub rank: Rank,
    pub total: u64,
    pub done: u64,
    pub failed: u64,
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
    /// The last failures that were not taken.
    failures: VecDeque<Failure>,
    /// The sessions that are connected, or of which tasks are known: how many tasks of each function they have
    /// submitted, and how many of these are done and have failed.
    sessions: BTreeMap<Rank, BTreeMap<usize, [u64; 3]>>,
    vacancies: Option<Vacancies>,
}

impl Counts {
    /// Adds to what is known of the tasks of a session, if it is one's.
    fn add(&mut self, tasks: Tasks, numbers: [u64; 3]) {
        let Some(place) = self.place(tasks.first) else { return };
        if let Some(functions) = self.sessions.get_mut(&tasks.first.owner()) {
            let sums = functions.entry(place).or_default();
            sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        }
    }

    /// Nothing is known of a session any more: what it had and was not done will not be.
    fn forget_session(&mut self, session: Rank) {
        for (place, [total, done, _]) in self.sessions.remove(&session).into_iter().flatten() {
            self.progress[place].total -= total.saturating_sub(done);
        }
        self.layers.retain(|first, _| first.owner() != session);
    }

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
        note(&mut self.progress[place].tasks, layer.tasks);
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

    fn failed(&mut self, tasks: &[Tasks], error: &Arc<TaskError>) {
        for task in tasks.iter().copied().flat_map(Tasks::iter) {
            if let Some(progress) = self.of(task) {
                progress.done += 1;
                progress.failed += 1;
            }
            self.add(Tasks::one(task), [0, 1, 1]);
        }
        let Some(first) = tasks.first().map(|tasks| tasks.first) else { return };
        let count = tasks.iter().map(|tasks| tasks.count).fold(0, u32::saturating_add);
        let name = self.of(first).map_or_else(|| error.function.clone(), |progress| progress.name.clone());
        if self.failures.len() == FAILURES_MAX {
            self.failures.pop_front();
        }
        self.failures.push_back(Failure { tasks: Tasks { first, count }, name, error: Arc::clone(error) });
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
        self.add(tasks, [0, tasks.count.into(), 0]);
    }
}

impl Tally {
    /// For a dashboard, which shows why threads have no task.
    pub(crate) fn with_vacancies(cluster: &Cluster) -> Self {
        let threads = cluster.ranks().iter().map(|rank| if rank.role.worker { rank.threads } else { 0 });
        let vacancies = Some(Vacancies::new(threads, now()));
        Self(Mutex::new(Counts { vacancies, ..Counts::default() }))
    }

    /// The scheduler has decided: `waiting` returns how many tasks could begin and have no worker, and whether others
    /// wait for values. `workers` has how many tasks each worker has that could begin or have begun.
    pub(crate) fn decided(
        &self,
        waiting: impl FnOnce() -> (u64, bool),
        workers: impl Iterator<Item = (Rank, u64)>,
    ) {
        if let Some(vacancies) = &mut lock(&self.0).vacancies {
            let (ready, waits) = waiting();
            vacancies.note(now(), ready, waits, workers);
        }
    }

    /// For how long each worker's threads had no task, by what rank 0 knew, by rank.
    #[cfg(any(test, feature = "dashboard"))]
    pub(crate) fn vacancies(&self) -> Vec<super::vacancy::Known> {
        lock(&self.0).vacancies.as_mut().map(|vacancies| vacancies.sums(now())).unwrap_or_default()
    }

    /// The scheduler hears this from that rank.
    pub(crate) fn hear(&self, source: Rank, message: &ToScheduler) {
        let mut counts = lock(&self.0);
        match message {
            ToScheduler::Submit(layer) => {
                counts.submitted(layer);
                counts.add(layer.tasks, [layer.tasks.count.into(), 0, 0]);
            }
            ToScheduler::Connected => drop(counts.sessions.entry(source).or_default()),
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
            // Others may hold them, too, and are told as well.
            Message::ToClient(ToClient::Failed { tasks, error })
                if tasks.first().is_some_and(|tasks| tasks.first.owner() == target) =>
            {
                lock(&self.0).failed(tasks, error);
            }
            // Every rank is told.
            Message::SessionForgotten(session) if target == Rank::SCHEDULER => {
                lock(&self.0).forget_session(*session);
            }
            _ => {}
        }
    }

    /// How far each function has come, in the order they were first submitted.
    pub(crate) fn progress(&self) -> Vec<Progress> {
        lock(&self.0).progress.clone()
    }

    /// The failures since the last call, of which there may have been more.
    #[cfg(any(test, feature = "dashboard"))]
    pub(crate) fn take_failures(&self) -> Vec<Failure> {
        lock(&self.0).failures.drain(..).collect()
    }

    /// The sessions, by rank.
    pub(crate) fn sessions(&self) -> Vec<SessionProgress> {
        let counts = lock(&self.0);
        let sums = |(rank, functions): (&Rank, &BTreeMap<usize, [u64; 3]>)| {
            let sum = |at: usize| functions.values().map(|numbers| numbers[at]).sum();
            SessionProgress { rank: *rank, total: sum(0), done: sum(1), failed: sum(2) }
        };
        counts.sessions.iter().map(sums).collect()
    }

    /// How many tasks each rank has, those of the last ranks being none.
    #[cfg(any(test, feature = "dashboard"))]
    pub(crate) fn outstanding(&self) -> Vec<u64> {
        lock(&self.0).outstanding.clone()
    }

    /// Which of what [`progress`](Self::progress) tells these tasks belong to.
    #[cfg(any(test, feature = "dashboard"))]
    pub(crate) fn places(&self, tasks: impl Iterator<Item = u64>) -> Vec<Option<usize>> {
        let counts = lock(&self.0);
        tasks.map(|task| counts.place(TaskId(task))).collect()
    }
}

/// Adds tasks to a list that has no more ranges than it may.
fn note(list: &mut Vec<Tasks>, tasks: Tasks) {
    let count = list.len();
    match list.last_mut() {
        Some(last) if last.first.plus(last.count) == tasks.first => {
            last.count = last.count.saturating_add(tasks.count);
        }
        _ if count < RANGES_MAX => list.push(tasks),
        _ => {}
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
        let run =
            Run { tasks, code, attempt, arguments, label, timeout_nanoseconds, is_kept, depth: 0, order: 0 };
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
        let error = TaskError {
            reason: crate::error::Reason::Panic,
            function: "load".into(),
            task: 3,
            rank: Some(Rank(2)),
            host: String::new(),
            message: TaskError::message(""),
            attempts: 1,
            dependents: vec![],
        };
        tally.hear(Rank(2), &ToScheduler::Failed(Box::new(error.clone())));
        tally.say(
            Rank(0),
            &Message::ToClient(ToClient::Failed { tasks: vec![Tasks::one(TaskId(3))], error: error.into() }),
        );
        let load = &tally.progress()[0];
        assert_eq!((load.done, load.failed, load.running), (4, 1, 0));
        let ranges: Vec<(u64, u32)> = load.tasks.iter().map(|tasks| (tasks.first.0, tasks.count)).collect();
        assert_eq!(ranges, [(0, 10), (12, 5)]);
        let [failure] = &tally.take_failures()[..] else { panic!("one failed") };
        assert_eq!((failure.tasks, failure.name.as_str()), (Tasks::one(TaskId(3)), "load"));
        assert!(tally.take_failures().is_empty());
    }

    #[test]
    fn sessions_have_their_tasks_until_nothing_is_known_of_them() {
        let tally = Tally::default();
        let tasks = |first, count| Tasks { first: TaskId::new(Rank(9), first), count };
        let ToScheduler::Submit(submitted) = layer(0, 10, "load") else { unreachable!() };
        tally.hear(Rank(1), &layer(0, 3, "load"));
        tally.hear(Rank(9), &ToScheduler::Connected);
        tally.hear(Rank(9), &ToScheduler::Submit(Layer { tasks: tasks(0, 10), ..submitted }));
        let values: Packed = [&[1u8][..]; 3].into_iter().collect();
        let finished = Finished { first: tasks(0, 1).first, values };
        tally.hear(Rank(2), &ToScheduler::Finished { finished, nanoseconds: 1 });
        let failed = ToClient::Failed {
            tasks: vec![tasks(4, 1)],
            error: TaskError {
                reason: crate::error::Reason::Panic,
                function: "load".into(),
                task: 4,
                rank: None,
                host: String::new(),
                message: TaskError::message(""),
                attempts: 1,
                dependents: vec![],
            }
            .into(),
        };
        // Another session that holds the task is told, too.
        tally.say(Rank(9), &Message::ToClient(failed.clone()));
        tally.say(Rank(8), &Message::ToClient(failed));
        assert_eq!(tally.sessions(), [SessionProgress { rank: Rank(9), total: 10, done: 4, failed: 1 }]);
        tally.say(Rank(0), &Message::SessionForgotten(Rank(9)));
        tally.say(Rank(1), &Message::SessionForgotten(Rank(9)));
        assert!(tally.sessions().is_empty());
        let progress = &tally.progress()[0];
        assert_eq!((progress.total, progress.done), (7, 4), "what will not be done is not awaited");
    }

    #[test]
    fn which_functions_need_which_is_known() {
        let tally = Tally::default();
        let with = |first: u64, count: u32, name: &str, columns: Vec<Column>| {
            let ToScheduler::Submit(layer) = layer(first, count, name) else { unreachable!() };
            tally.hear(Rank(1), &ToScheduler::Submit(Layer { columns, ..layer }));
        };
        with(0, 4, "load", vec![]);
        with(4, 4, "add", vec![Column::stride(TaskId(0), 1)]);
        with(8, 1, "add", vec![Column::stride(TaskId(4), 0)]);
        with(9, 1, "sum", vec![Column::values(vec![TaskId(8)]), Column::values(vec![TaskId(3)])]);
        let needs: Vec<Vec<usize>> = tally.progress().into_iter().map(|progress| progress.needs).collect();
        assert_eq!(needs, [vec![], vec![0], vec![1, 0]]);
    }
}
