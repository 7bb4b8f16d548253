//! Pure: the causes of idle time while the run goes on, as far as rank 0 knows them.
//!
//! Rank 0 knows at each instant how many tasks each worker has, and how many there are besides: from that follows why
//! a thread has none. Workers measure for how long their threads had no task. What rank 0 does not account for passed
//! while a task or a result was between two ranks. The driver measures its waits, and rank 0 its own work.

#[cfg(any(test, feature = "dashboard"))]
use super::idle::{Cause, Sums};
use crate::rank::Rank;

/// Time by what rank 0 knew: nothing submitted was left, all that was left needed values, other workers had tasks that
/// could begin.
pub(crate) type Known = [u64; 3];
const NOTHING: usize = 0;
const INPUTS: usize = 1;
const ELSEWHERE: usize = 2;

/// What rank 0 knows of the threads without a task.
#[derive(Debug, Default)]
pub(super) struct Vacancies {
    at: u64,
    totals: Known,
    /// By rank.
    workers: Vec<Worker>,
    /// How many tasks workers have for which they have no thread.
    surplus: u64,
    /// How many could begin and have no worker; whether others wait for values.
    ready: u64,
    waits: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    threads: u64,
    tasks: u64,
    /// What the totals were when this was last brought up to date.
    since: Known,
    sums: Known,
}

impl Worker {
    fn surplus(&self) -> u64 {
        self.tasks.saturating_sub(self.threads)
    }

    fn settle(&mut self, totals: Known) {
        let free = self.threads.saturating_sub(self.tasks);
        for ((sum, since), total) in self.sums.iter_mut().zip(&mut self.since).zip(totals) {
            *sum += free * (total - *since);
            *since = total;
        }
    }
}

impl Vacancies {
    /// Of workers with so many threads, by rank.
    pub(super) fn new(threads: impl Iterator<Item = u32>, at: u64) -> Self {
        let worker = |threads| Worker { threads: u64::from(threads), ..Worker::default() };
        Self { at, workers: threads.map(worker).collect(), ..Self::default() }
    }

    fn advance(&mut self, at: u64) {
        let known = match (self.ready + self.surplus, self.waits) {
            (1.., _) => ELSEWHERE,
            (0, true) => INPUTS,
            (0, false) => NOTHING,
        };
        self.totals[known] += at.saturating_sub(self.at);
        self.at = at.max(self.at);
    }

    /// So many tasks could begin and have no worker, others wait for values or do not, and workers have so many that
    /// could begin or have begun.
    pub(super) fn note(
        &mut self,
        at: u64,
        ready: u64,
        waits: bool,
        workers: impl Iterator<Item = (Rank, u64)>,
    ) {
        self.advance(at);
        (self.ready, self.waits) = (ready, waits);
        workers.for_each(|(rank, tasks)| self.has(rank.index(), tasks));
    }

    fn has(&mut self, rank: usize, tasks: u64) {
        let Some(worker) = self.workers.get_mut(rank).filter(|worker| worker.tasks != tasks) else { return };
        worker.settle(self.totals);
        self.surplus -= worker.surplus();
        worker.tasks = tasks;
        self.surplus += worker.surplus();
    }

    /// How long each worker's threads had no task until now, all together, by rank.
    #[cfg(any(test, feature = "dashboard"))]
    pub(super) fn sums(&mut self, at: u64) -> Vec<Known> {
        self.advance(at);
        self.workers.iter_mut().for_each(|worker| worker.settle(self.totals));
        self.workers.iter().map(|worker| worker.sums).collect()
    }
}

/// What is measured besides: for which share of the time the driver waited, and rank 0 worked.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(not(any(test, feature = "dashboard")), expect(dead_code, reason = "nothing is shown"))]
pub(crate) struct Shares {
    pub driver_waits: f64,
    pub scheduling: f64,
}

/// Splits measured idle time by cause. The causes add up to it.
#[cfg(any(test, feature = "dashboard"))]
pub(crate) fn split(idle: u64, known: Known, shares: Shares) -> Sums {
    let all: u64 = known.iter().sum();
    // Samples of two ranks do not end in the same instant.
    let scaled = |part: u64| match all > idle {
        true => (u128::from(part) * u128::from(idle) / u128::from(all)) as u64,
        false => part,
    };
    let share = |time: u64, share: f64| ((time as f64 * share.clamp(0.0, 1.0)) as u64).min(time);
    let mut sums = Sums::default();
    let mut add = |cause: Cause, time: u64| sums[cause as usize] += time;
    let known = known.map(scaled);
    let in_transit = idle - known.iter().sum::<u64>();
    let (waited, scheduled) =
        (share(known[NOTHING], shares.driver_waits), share(in_transit, shares.scheduling));
    add(Cause::DriverWaited, waited);
    add(Cause::DriverRan, known[NOTHING] - waited);
    add(Cause::Inputs, known[INPUTS]);
    add(Cause::Elsewhere, known[ELSEWHERE]);
    add(Cause::Scheduler, scheduled);
    add(Cause::Messages, in_transit - scheduled);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn threads_without_a_task_lack_what_rank_0_knows() {
        // Ranks 2 and 3 work, with one thread and two.
        let mut vacancies = Vacancies::new([0, 0, 1, 2].into_iter(), 100);
        let mut note = |at, ready, waits, first, second| {
            vacancies.note(at, ready, waits, [(Rank(2), first), (Rank(3), second)].into_iter());
        };
        // Three tasks are submitted, one of which needs the others.
        note(200, 0, true, 2, 0);
        // One of them is taken back, and could begin.
        note(260, 1, true, 1, 0);
        note(270, 0, true, 1, 1);
        note(300, 0, true, 0, 1);
        note(400, 0, false, 1, 0);
        let sums = vacancies.sums(500);
        assert_eq!(sums[2], [100, 100, 0], "nothing until 200; inputs from 300 to 400");
        assert_eq!(
            sums[3],
            [2 * 100 + 2 * 100, 130, 2 * 70],
            "one of its threads had a task from 270 to 400"
        );
    }

    #[test]
    fn measured_idle_time_has_its_causes() {
        let shares = Shares { driver_waits: 0.25, scheduling: 0.5 };
        let sums = split(1000, [400, 100, 200], shares);
        let of = |cause: Cause| sums[cause as usize];
        assert_eq!((of(Cause::DriverWaited), of(Cause::DriverRan)), (100, 300));
        assert_eq!((of(Cause::Inputs), of(Cause::Elsewhere)), (100, 200));
        assert_eq!((of(Cause::Scheduler), of(Cause::Messages)), (150, 150));
        let sums = split(350, [400, 100, 200], shares);
        assert_eq!((sums[Cause::Elsewhere as usize], sums[Cause::Messages as usize]), (100, 0));
    }

    proptest! {
        #[test]
        fn causes_add_up_to_what_was_measured(
            idle in 0u64..1 << 50,
            known in prop::array::uniform3(0u64..1 << 50),
            driver_waits in 0.0f64..1.5,
            scheduling in 0.0f64..1.5,
        ) {
            let sums = split(idle, known, Shares { driver_waits, scheduling });
            prop_assert_eq!(sums.iter().sum::<u64>(), idle);
        }

        /// Whatever happens, each thread that has no task lacks one for exactly one cause.
        #[test]
        fn what_is_known_adds_up_to_the_time_without_a_task(
            steps in prop::collection::vec((0u64..3, any::<bool>(), 0u64..5, 0u64..5, 0u64..100), 0..40),
        ) {
            let mut vacancies = Vacancies::new([0, 0, 1, 2].into_iter(), 0);
            let (mut at, mut tasks, mut expected) = (0, [0u64; 4], [0u64; 4]);
            for (ready, waits, first, second, long) in steps {
                for (rank, threads) in [(2, 1u64), (3, 2)] {
                    expected[rank] += threads.saturating_sub(tasks[rank]) * long;
                }
                at += long;
                vacancies.note(at, ready, waits, [(Rank(2), first), (Rank(3), second)].into_iter());
                tasks = [0, 0, first, second];
            }
            let sums: Vec<u64> = vacancies.sums(at).iter().map(|known| known.iter().sum()).collect();
            prop_assert_eq!(sums, expected);
        }
    }
}
