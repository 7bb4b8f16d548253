//! Pure: how fast the tasks of each function end, and how long those that are left will take. Progress lines and the
//! dashboard show these estimates and no other ones.

use super::{cycles::Acyclic, tally::Progress};
use std::time::Duration;

/// The weight of what happened so many seconds ago is half of that of now.
const MEMORY_SECONDS: f64 = 10.0;
/// How long it is at least from one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How fast the tasks of a function end, and how long those that are left will take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Estimate {
    /// Tasks a second, lately.
    pub rate: f64,
    /// `None` if that is not known: nothing has ended yet, here or in a function that this one waits for.
    pub left: Option<Duration>,
    /// Whether its number of tasks has grown since that was first shown, and so may grow again.
    pub grows: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Look {
    at: Duration,
    done: u64,
    rate: f64,
    total: u64,
    grows: bool,
}

/// The rates of all functions, in the order in which these were first submitted.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    functions: Vec<Look>,
    /// How many tasks the run had when that was last shown, and whether that number has grown.
    total: u64,
    grows: bool,
}

impl Rates {
    /// Notes how far the functions have come at this time of the run.
    pub(crate) fn note(&mut self, progress: &[Progress], at: Duration) {
        let total = progress.iter().map(|progress| progress.total).sum();
        self.grows |= self.total > 0 && total > self.total;
        self.total = total;
        self.functions.resize(progress.len(), Look::default());
        for (look, progress) in self.functions.iter_mut().zip(progress) {
            look.grows |= look.total > 0 && progress.total > look.total;
            look.total = progress.total;
            let elapsed = at.saturating_sub(look.at);
            if elapsed < LOOK_EVERY {
                continue;
            }
            let seconds = elapsed.as_secs_f64();
            let now = progress.done.saturating_sub(look.done) as f64 / seconds;
            let weight = if look.rate == 0.0 { 1.0 } else { 1.0 - (-seconds / MEMORY_SECONDS).exp2() };
            (look.at, look.done, look.rate) = (at, progress.done, look.rate + weight * (now - look.rate));
        }
    }

    /// The estimate for each function. None is shorter than that of a function whose values it needs.
    pub(crate) fn estimates(&self, progress: &[Progress]) -> Vec<Estimate> {
        let needs: Vec<Vec<usize>> = progress.iter().map(|progress| progress.needs.clone()).collect();
        let graph = Acyclic::of(&needs);
        let mut estimates = vec![Estimate::default(); progress.len()];
        for function in graph.order {
            let look = self.functions.get(function).copied().unwrap_or_default();
            let rate = look.rate;
            let before = graph.needs[function].iter().filter(|needed| !progress[**needed].is_over());
            let own = own(&progress[function], rate);
            let left = before.fold(own, |left, needed| Some(left?.max(estimates[*needed].left?)));
            estimates[function] = Estimate { rate, left, grows: look.grows };
        }
        estimates
    }

    /// The estimate for the whole run, of those of its functions: it takes as long as the one that takes longest.
    pub(crate) fn of_run(&self, progress: &[Progress], estimates: &[Estimate]) -> Estimate {
        let open = || progress.iter().zip(estimates).filter(|(progress, _)| !progress.is_over());
        let left = open().try_fold(Duration::ZERO, |left, (_, estimate)| Some(left.max(estimate.left?)));
        let rate = estimates.iter().map(|estimate| estimate.rate).sum();
        Estimate { rate, left: left.filter(|_| open().next().is_some()), grows: self.grows }
    }
}

/// How long a function's tasks take that are left, if they go on to end at this rate.
fn own(progress: &Progress, rate: f64) -> Option<Duration> {
    let left = progress.total.saturating_sub(progress.done) as f64;
    if left == 0.0 {
        return Some(Duration::ZERO);
    }
    Duration::try_from_secs_f64(left / rate).ok().filter(|_| rate > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(total: u64, done: u64, needs: &[usize]) -> Progress {
        Progress { total, done, needs: needs.to_vec(), ..Progress::default() }
    }

    #[test]
    fn a_rate_is_of_late() {
        let mut rates = Rates::default();
        let at = |done| [progress(1000, done, &[])];
        rates.note(&at(0), Duration::from_secs(1));
        rates.note(&at(100), Duration::from_secs(11));
        let estimate = rates.estimates(&at(100))[0];
        assert_eq!(estimate, Estimate { rate: 10.0, left: Some(Duration::from_secs(90)), grows: false });
        rates.note(&at(400), Duration::from_secs(21));
        rates.note(&at(400), Duration::from_millis(21_100));
        let estimate = rates.estimates(&at(400))[0];
        assert!((estimate.rate - 20.0).abs() < 1e-9, "half of what was, half of what is: {estimate:?}");
        assert_eq!(estimate.left, Some(Duration::from_secs(30)));
    }

    #[test]
    fn the_run_has_one_remaining_time_and_totals_that_grow_are_marked() {
        let mut rates = Rates::default();
        let at = |first, second| [progress(100, first, &[]), progress(50, second, &[])];
        rates.note(&at(0, 0), Duration::from_secs(1));
        let run = |rates: &Rates, progress: &[Progress]| rates.of_run(progress, &rates.estimates(progress));
        assert_eq!(run(&rates, &at(0, 0)).left, None, "nothing has ended");
        rates.note(&at(10, 10), Duration::from_secs(2));
        let expected = Estimate { rate: 20.0, left: Some(Duration::from_secs(9)), grows: false };
        assert_eq!(run(&rates, &at(10, 10)), expected);
        assert_eq!(run(&rates, &at(100, 50)).left, None, "nothing is left");

        let more = [progress(100, 10, &[]), progress(60, 10, &[])];
        rates.note(&more, Duration::from_secs(3));
        let grows: Vec<bool> = rates.estimates(&more).iter().map(|estimate| estimate.grows).collect();
        assert_eq!((grows, run(&rates, &more).grows), (vec![false, true], true));

        let mut rates = Rates::default();
        rates.note(&at(0, 0)[..1], Duration::from_secs(1));
        rates.note(&at(0, 0), Duration::from_secs(2));
        assert!(rates.estimates(&at(0, 0)).iter().all(|estimate| !estimate.grows));
        assert!(run(&rates, &at(0, 0)).grows, "a function more");
    }

    #[test]
    fn no_function_ends_before_those_that_it_needs() {
        let mut rates = Rates::default();
        let at = |load, sum| {
            [progress(100, load, &[]), progress(10, sum, &[0]), progress(1, 0, &[1]), progress(5, 5, &[])]
        };
        rates.note(&at(0, 0), Duration::from_secs(1));
        rates.note(&at(10, 9), Duration::from_secs(2));
        let left = |progress: &[Progress]| -> Vec<Option<u64>> {
            let estimates = rates.estimates(progress);
            estimates.iter().map(|estimate| estimate.left.map(|left| left.as_secs())).collect()
        };
        assert_eq!(left(&at(10, 9)), [Some(9), Some(9), None, Some(0)], "the last has not begun");
        let mut circle = at(10, 9);
        circle[0].needs = vec![1];
        assert_eq!(left(&circle), [Some(9), Some(0), None, Some(0)], "of a circle one need does not count");
        let mut unknown = at(10, 9);
        unknown[1].needs = vec![2];
        unknown[2].needs = vec![];
        assert_eq!(left(&unknown)[1], None, "it waits for one of which nothing has ended");
    }
}
