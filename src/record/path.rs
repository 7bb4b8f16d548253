//! Pure: the critical path: tasks and work of the driver, each of which needs what is before it.

use super::{
    accounts::Layers,
    history::{History, LayerRecord},
    timings::Timings,
};
use crate::ids::TaskId;
use rustc_hash::FxHashMap;

/// Tasks of one group that follow each other on the path, or work of the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// `None` for the driver's own code, which has no tasks.
    pub group: Option<usize>,
    pub tasks: u64,
    pub nanoseconds: u64,
    /// Where and when the first one started.
    pub rank: u32,
    pub start: u64,
}

/// A place on a path.
#[derive(Clone, Copy, Debug)]
enum Node {
    Task(u64),
    /// A piece of work of the driver.
    Work(usize),
}

/// How long everything on the longest path to a place took together, and what is before it.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    total: u64,
    before: Option<Node>,
}

/// Work of the driver between two submissions or waits.
#[derive(Clone, Copy, Debug)]
struct Work {
    start: u64,
    own: u64,
    reached: Reached,
}

/// Follows the driver: it submits and waits in the order of its program.
struct Driver<'a> {
    timings: &'a Timings,
    next_wait: usize,
    at: u64,
    reached: Reached,
    works: Vec<Work>,
}

impl Driver<'_> {
    /// Follows the driver up to a time.
    fn advance(&mut self, until: u64, tasks: &FxHashMap<u64, Reached>) {
        while let Some(wait) = self.timings.waits.get(self.next_wait).filter(|wait| wait.start < until) {
            self.work(wait.start);
            // What the rank sends during a wait, the driver submitted before it.
            if wait.end > until {
                return;
            }
            if let Some((task, reached)) =
                self.timings.awaited(wait).and_then(|task| Some((task, tasks.get(&task)?)))
                && reached.total > self.reached.total
            {
                self.reached = Reached { total: reached.total, before: Some(Node::Task(task)) };
            }
            self.at = self.at.max(wait.end);
            self.next_wait += 1;
        }
        self.work(until);
    }

    fn work(&mut self, until: u64) {
        let (start, own) = (self.at, until.saturating_sub(self.at));
        if own > 0 {
            let reached = Reached { total: self.reached.total + own, before: self.reached.before };
            self.works.push(Work { start, own, reached });
            self.reached = Reached { total: reached.total, before: Some(Node::Work(self.works.len() - 1)) };
            self.at = until;
        }
    }
}

/// Finds the path that took longest: tasks that need each other, and the driver's own code between its submissions and
/// waits, which the tasks it submits later need. Of tasks that other tasks submitted it is not known which ones did.
pub(super) fn longest_path(history: &History, layers: &Layers<'_>, timings: &Timings) -> (Vec<Step>, u64) {
    let mut tasks: FxHashMap<u64, Reached> = FxHashMap::default();
    let begins = timings.driver_runs.first().map(|(start, _)| *start);
    let mut driver =
        begins.map(|at| Driver { timings, next_wait: 0, at, reached: Reached::default(), works: Vec::new() });
    let mut last: Option<(u64, Node)> = None;
    // Rank 0 received a layer after those that it needs.
    for layer in &history.layers {
        let base = match &mut driver {
            Some(driver) if TaskId(layer.first).owner().0 == timings.driver => {
                driver.advance(timings.sent.get(&layer.first).copied().unwrap_or(layer.at), &tasks);
                driver.reached
            }
            _ => Reached::default(),
        };
        let best = reach(layer, base, timings, &mut tasks);
        last = best.into_iter().chain(last).max_by_key(|(total, _)| *total);
    }
    if let (Some(driver), Some((_, end))) = (&mut driver, timings.driver_runs.last()) {
        driver.advance(*end, &tasks);
        let end = driver.reached.before.map(|node| (driver.reached.total, node));
        last = last.into_iter().chain(end).max_by_key(|(total, _)| *total);
    }
    let works = driver.map(|driver| driver.works).unwrap_or_default();
    (steps(last.map(|(_, node)| node), layers, timings, &tasks, &works), last.map_or(0, |(total, _)| total))
}

/// Finds the longest paths to the tasks of a layer, and the longest of them.
fn reach(
    layer: &LayerRecord,
    base: Reached,
    timings: &Timings,
    tasks: &mut FxHashMap<u64, Reached>,
) -> Option<(u64, Node)> {
    let mut longest: Option<(u64, Node)> = None;
    for index in 0..layer.count {
        let task = layer.first + u64::from(index);
        // Of layers that share tasks, as in a damaged file, the first counts: no path goes in a circle.
        let Some(ran) = timings.ran.get(&task).filter(|_| !tasks.contains_key(&task)) else { continue };
        let mut best = base;
        layer.for_each_need(index, |needed| {
            if let Some(reached) = tasks.get(&needed)
                && (reached.total > best.total || best.before.is_none())
            {
                best = Reached { total: reached.total, before: Some(Node::Task(needed)) };
            }
        });
        let total = best.total + ran.own;
        tasks.insert(task, Reached { total, before: best.before });
        if longest.is_none_or(|(most, _)| total > most) {
            longest = Some((total, Node::Task(task)));
        }
    }
    longest
}

/// The steps of the path that ends at a place.
fn steps(
    mut at: Option<Node>,
    layers: &Layers<'_>,
    timings: &Timings,
    tasks: &FxHashMap<u64, Reached>,
    works: &[Work],
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    while let Some(node) = at {
        let (step, before) = match node {
            Node::Task(task) => {
                let (ran, group) = (timings.ran[&task], layers.group(task).unwrap_or(0));
                let step = Step {
                    group: Some(group),
                    tasks: 1,
                    nanoseconds: ran.own,
                    rank: ran.rank,
                    start: ran.start,
                };
                (step, tasks[&task].before)
            }
            Node::Work(place) => {
                let Work { start, own, reached } = works[place];
                let step = Step { group: None, tasks: 0, nanoseconds: own, rank: timings.driver, start };
                (step, reached.before)
            }
        };
        match steps.last_mut().filter(|after| after.group == step.group) {
            Some(after) => {
                (after.tasks, after.nanoseconds) =
                    (after.tasks + step.tasks, after.nanoseconds + step.nanoseconds);
                (after.rank, after.start) = (step.rank, step.start);
            }
            None => steps.push(step),
        }
        at = before;
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rank::Rank,
        record::{
            accounts::{
                Accounts,
                tests::{event, known},
            },
            history::{ANY_TASK, Event, Kind, LayerRecord},
        },
    };

    /// The driver works for 10 us, submits a task of 20 us, waits for it, works for 30 us, and submits another one, of
    /// 5 us, which needs nothing; it waits for both together and works for 2 us.
    fn driven() -> History {
        let task = |number| TaskId::new(Rank(1), number).0;
        let mut history = known();
        let layer = |number, at, name: &str| LayerRecord {
            first: task(number),
            count: 1,
            name: name.into(),
            needs: vec![],
            at,
            is_cut: false,
        };
        history.layers = vec![layer(0, 12_000, "first"), layer(1, 70_000, "second")];
        let instant = |kind, number, at| event(kind, 0, task(number), 1, at, at);
        history.ranks[1].events = vec![
            event(Kind::Driver, 0, 0, 0, 1_000, 99_000),
            instant(Kind::Submitted, 0, 11_000),
            event(Kind::Waited, 0, task(0), 0, 11_000, 38_000),
            instant(Kind::Submitted, 1, 68_000),
            event(Kind::Waited, 0, ANY_TASK, 0, 68_000, 97_000),
        ];
        history.ranks[2].events = vec![event(Kind::Tasks, 0, task(0), 1, 15_000, 35_000)];
        history.ranks[3].events = vec![event(Kind::Tasks, 0, task(1), 1, 80_000, 85_000)];
        history
    }

    fn path(history: &History) -> (Vec<(String, u64)>, u64) {
        let accounts = Accounts::of(history);
        let name =
            |group: Option<usize>| group.map_or("driver".into(), |group| accounts.groups[group].name.clone());
        (
            accounts.path.iter().map(|step| (name(step.group), step.nanoseconds)).collect(),
            accounts.path_nanoseconds,
        )
    }

    #[test]
    fn the_drivers_own_order_is_on_the_path() {
        let step = |name: &str, nanoseconds| (name.to_string(), nanoseconds);
        let expected = [
            step("driver", 10_000),
            step("first", 20_000),
            step("driver", 30_000),
            step("second", 5_000),
            step("driver", 2_000),
        ];
        assert_eq!(path(&driven()), (expected.to_vec(), 67_000));
    }

    #[test]
    fn what_is_sent_during_a_wait_was_submitted_before_it() {
        let mut history = driven();
        let sent = history.ranks[1].events.iter_mut().find(|event| event.kind == Kind::Submitted).unwrap();
        (sent.start, sent.end) = (11_500, 11_500);
        assert_eq!(path(&history), path(&driven()));
    }

    #[test]
    fn without_a_wait_the_driver_does_not_need_its_task() {
        let mut history = driven();
        history.ranks[1].events.retain(|event| event.kind != Kind::Waited || event.start > 60_000);
        // It works from 1 us to 68 us, and does not need the first task.
        let expected =
            [("driver".to_string(), 67_000), ("second".to_string(), 5_000), ("driver".to_string(), 2_000)];
        assert_eq!(path(&history), (expected.to_vec(), 74_000));
    }

    #[test]
    fn a_history_without_a_driver_has_a_path_of_tasks() {
        let mut history = driven();
        history.ranks[1].events = Vec::<Event>::new();
        assert_eq!(path(&history), (vec![("first".to_string(), 20_000)], 20_000));
    }
}
