//! What a worker's threads have begun: which of it has run for too long, and which nobody wants any more.
//!
//! A thread begins and ends pieces of work, one within another where a task waits; this is all that costs
//! anything. What is asked about limits and cancelled tasks is asked of all threads, and seldom.

use super::{piece::SharedPiece, queue::Batch};
use crate::{
    ids::{TaskId, Tasks},
    lock::lock,
    message::Run,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// What a thread has begun, and when.
pub(super) struct Begun {
    pub run: Arc<Run>,
    pub tasks: Tasks,
    pub since: Instant,
    /// What waits there for the task that runs.
    pub piece: SharedPiece,
    /// When its one task must have ended, if its time is limited and it has not.
    deadline: Option<Instant>,
    /// Whether that was too late.
    is_overdue: bool,
    cancelled: Vec<TaskId>,
}

impl Begun {
    pub(super) fn new(batch: &Batch, piece: SharedPiece, since: Instant) -> Self {
        let (run, tasks) = (Arc::clone(&batch.run), batch.tasks());
        let limit = (run.timeout_nanoseconds > 0).then(|| Duration::from_nanos(run.timeout_nanoseconds));
        // Beyond the end of time is no limit.
        let deadline = limit.and_then(|limit| since.checked_add(limit));
        Self { run, tasks, since, piece, deadline, is_overdue: false, cancelled: Vec::new() }
    }

    /// How many of its tasks were told to end.
    fn marks(&self) -> usize {
        self.cancelled.len() + usize::from(self.is_overdue)
    }
}

/// What all threads have begun. See the module.
pub(super) struct BegunTasks {
    /// By thread: the latest last.
    places: RwLock<Vec<Arc<Mutex<Vec<Begun>>>>>,
    /// How many pieces have a limit.
    limits: AtomicUsize,
    /// How many tasks were told to end.
    marks: AtomicUsize,
}

impl BegunTasks {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            places: RwLock::new((0..threads).map(|_| Arc::default()).collect()),
            limits: AtomicUsize::new(0),
            marks: AtomicUsize::new(0),
        }
    }

    /// A thread is there that has this place.
    pub(super) fn add_place(&self, place: usize) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        while places.len() <= place {
            places.push(Arc::default());
        }
    }

    fn places(&self) -> RwLockReadGuard<'_, Vec<Arc<Mutex<Vec<Begun>>>>> {
        self.places.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `look` with what the thread at `place` has begun, if there is such a thread.
    fn at<R>(&self, place: Option<usize>, look: impl FnOnce(&mut Vec<Begun>) -> R) -> Option<R> {
        self.places().get(place?).map(|begun| look(&mut lock(begun)))
    }

    /// The thread at `place` begins this.
    pub(super) fn begin(&self, place: Option<usize>, begun: Begun) {
        self.at(place, |running| {
            self.limits.fetch_add(usize::from(begun.deadline.is_some()), Ordering::SeqCst);
            running.push(begun);
        });
    }

    /// The thread at `place` is at the end of what it began last.
    pub(super) fn end(&self, place: Option<usize>) {
        let Some(begun) = self.at(place, Vec::pop).flatten() else { return };
        self.limits.fetch_sub(usize::from(begun.deadline.is_some()), Ordering::SeqCst);
        self.marks.fetch_sub(begun.marks(), Ordering::SeqCst);
    }

    /// The one task that the thread at `place` began last has ended. Returns whether it was overdue; if not,
    /// it will not be.
    pub(super) fn has_run_on(&self, place: Option<usize>) -> bool {
        let has_run_on = |running: &mut Vec<Begun>| {
            let Some(begun) = running.last_mut() else { return false };
            self.limits.fetch_sub(usize::from(begun.deadline.take().is_some()), Ordering::SeqCst);
            begun.is_overdue
        };
        self.at(place, has_run_on).unwrap_or(false)
    }

    /// Whether something runs whose time is limited.
    pub(super) fn has_limits(&self) -> bool {
        self.limits.load(Ordering::SeqCst) > 0
    }

    /// The tasks whose time is over; each is told once.
    pub(super) fn take_overdue(&self, now: Instant) -> Vec<(Arc<Run>, TaskId)> {
        let mut overdue = Vec::new();
        for place in self.places().iter() {
            let mut running = lock(place);
            for begun in running.iter_mut().filter(|begun| begun.deadline.is_some_and(|end| end <= now)) {
                begun.deadline = None;
                begun.is_overdue = true;
                self.limits.fetch_sub(1, Ordering::SeqCst);
                self.marks.fetch_add(1, Ordering::SeqCst);
                overdue.push((Arc::clone(&begun.run), begun.tasks.first));
            }
        }
        overdue
    }

    /// Notes that nobody wants the values of these tasks, as far as they run.
    pub(super) fn cancel(&self, tasks: &[Tasks]) {
        for place in self.places().iter() {
            for begun in lock(place).iter_mut() {
                let cancelled =
                    begun.tasks.iter().filter(|task| tasks.iter().any(|tasks| tasks.contains(*task)));
                let new: Vec<TaskId> = cancelled.filter(|task| !begun.cancelled.contains(task)).collect();
                self.marks.fetch_add(new.len(), Ordering::SeqCst);
                begun.cancelled.extend(new);
            }
        }
    }

    /// Whether an attempt of a task should end.
    pub(super) fn is_cancelled(&self, task: TaskId, attempt: u32) -> bool {
        let is_marked = |begun: &Begun| {
            let is_this = begun.run.attempt == attempt && begun.tasks.contains(task);
            is_this && (begun.is_overdue || begun.cancelled.contains(&task))
        };
        self.marks.load(Ordering::SeqCst) > 0
            && self.places().iter().any(|place| lock(place).iter().any(is_marked))
    }

    /// Looks at what each thread has begun last, with the thread's place.
    pub(super) fn latest<T>(&self, look: impl Fn(usize, &Begun) -> T) -> Vec<T> {
        let places = self.places();
        let places = places.iter().enumerate();
        places.filter_map(|(place, begun)| Some(look(place, lock(begun).last()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::piece::Piece, *};
    use crate::ids::Code;

    fn begun(first: u64, count: u32, attempt: u32, timeout: Duration, since: Instant) -> Begun {
        let tasks = Tasks { first: TaskId(first), count };
        let run = Run {
            tasks,
            code: Code { module: 0, offset: 0 },
            attempt,
            arguments: Vec::new(),
            label: None,
            timeout_nanoseconds: timeout.as_nanos() as u64,
            is_kept: false,
            depth: 0,
            order: 0,
        };
        let batch = Batch { run: Arc::new(run), values: Arc::default(), next: 0, end: count };
        Begun::new(&batch, Arc::new(Mutex::new(Piece::new(batch.clone(), since))), since)
    }

    #[test]
    fn a_task_is_overdue_once_and_only_while_it_runs() {
        let (all, start, limit) = (BegunTasks::new(2), Instant::now(), Duration::from_secs(5));
        all.begin(Some(0), begun(7, 1, 0, limit, start));
        all.begin(Some(1), begun(9, 1, 0, limit, start));
        assert!(all.take_overdue(start).is_empty() && all.has_limits());
        assert!(!all.has_run_on(Some(1)));
        let overdue = all.take_overdue(start + limit);
        assert_eq!(overdue.iter().map(|(_, task)| task.0).collect::<Vec<_>>(), [7]);
        assert!(all.take_overdue(start + limit).is_empty() && !all.has_limits());
        // It is tried again on the other thread.
        all.end(Some(1));
        all.begin(Some(1), begun(7, 1, 1, limit, start));
        assert!(all.is_cancelled(TaskId(7), 0) && !all.is_cancelled(TaskId(7), 1));
        assert!(all.has_run_on(Some(0)));
        [0, 1].into_iter().for_each(|place| all.end(Some(place)));
        assert!(!all.is_cancelled(TaskId(7), 0) && !all.has_limits());
        assert_eq!(all.marks.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn cancelled_tasks_are_known_as_long_as_they_run_also_beneath_others() {
        let all = BegunTasks::new(1);
        all.begin(Some(0), begun(3, 4, 0, Duration::ZERO, Instant::now()));
        all.begin(Some(0), begun(20, 1, 0, Duration::ZERO, Instant::now()));
        let tasks = [Tasks { first: TaskId(5), count: 9 }];
        [&tasks, &tasks].into_iter().for_each(|tasks| all.cancel(tasks));
        assert_eq!(
            [4, 5, 6, 7, 20].map(|task| all.is_cancelled(TaskId(task), 0)),
            [false, true, true, false, false]
        );
        (0..2).for_each(|_| all.end(Some(0)));
        assert_eq!(all.marks.load(Ordering::SeqCst), 0);
    }
}
