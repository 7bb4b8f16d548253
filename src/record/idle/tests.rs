use super::*;
use crate::record::{
    accounts::{
        Accounts, Thread,
        tests::{event, head},
    },
    history::{ANY_TASK, Needs, RankHistory},
};
use proptest::prelude::*;

/// A run of 1,000 ns: rank 0 schedules, rank 1 drives for all of it, ranks 2 and 3 have one thread each.
fn empty() -> History {
    let mut ranks = vec![RankHistory { ended: 1000, is_complete: true, ..RankHistory::default() }; 4];
    ranks[1].events = vec![event(Kind::Driver, 0, 0, 0, 0, 1000)];
    History { head: head(4, 1), end: None, ranks, layers: vec![] }
}

fn layer(first: u64, count: u32, at: u64, needs: &[u64]) -> LayerRecord {
    let needs = needs.iter().map(|task| Needs::Stride { first: *task, stride: 0 }).collect();
    LayerRecord { first, count, name: "f".into(), needs, at, is_cut: false }
}

fn ran(task: u64, start: u64, end: u64) -> Event {
    event(Kind::Tasks, 0, task, 1, start, end)
}

fn given(first: u64, count: u32, worker: u32, at: u64) -> Event {
    event(Kind::Given, 0, first, GivenTo { count, worker }.packed(), at, at)
}

fn queued(first: u64, count: u64, at: u64) -> Event {
    event(Kind::Queued, 1, first, count, at, at)
}

fn waited(start: u64, end: u64) -> Event {
    event(Kind::Waited, 0, ANY_TASK, 0, start, end)
}

/// The causes of the idle time of a worker's thread, in order.
fn causes(history: &History, rank: usize) -> Vec<(u64, u64, Cause)> {
    let accounts = Accounts::of(history);
    let thread = &accounts.threads[rank][0];
    assert_eq!(adds_up(thread), 1000);
    thread.idle.iter().map(|idle| (idle.start, idle.end, idle.cause)).collect()
}

/// All that the time of a thread was spent on, with its idle time cause by cause.
fn adds_up(thread: &Thread) -> u64 {
    assert_eq!(thread.causes.iter().sum::<u64>(), thread.time.wait);
    thread.time.compute + thread.time.transfer + thread.time.spill + thread.causes.iter().sum::<u64>()
}

#[test]
fn nothing_is_submitted_while_the_driver_computes() {
    assert_eq!(causes(&empty(), 2), [(0, 1000, Cause::DriverRan)]);
}

#[test]
fn nothing_is_submitted_while_the_driver_waits_for_tasks_that_run() {
    let mut history = empty();
    history.layers = vec![layer(10, 1, 100, &[])];
    history.ranks[2].events = vec![ran(10, 100, 700)];
    history.ranks[1].events.push(waited(200, 900));
    let expected = [
        (0, 200, Cause::DriverRan),
        (200, 700, Cause::DriverWaited),
        // The task has ended, and its result is on the way to the driver.
        (700, 900, Cause::Messages),
        (900, 1000, Cause::DriverRan),
    ];
    assert_eq!(causes(&history, 3), expected);
    history.ranks[0].events = vec![event(Kind::Scheduling, 0, 0, 0, 750, 800)];
    assert_eq!(causes(&history, 3)[2..4], [(700, 750, Cause::Messages), (750, 800, Cause::Scheduler)]);
}

#[test]
fn a_submitted_task_needs_one_that_runs() {
    let mut history = empty();
    history.layers = vec![layer(10, 1, 100, &[]), layer(11, 1, 150, &[10])];
    history.ranks[2].events = vec![ran(10, 100, 600), ran(11, 600, 1000)];
    history.ranks[1].events.push(waited(160, 1000));
    let expected = [(0, 150, Cause::DriverRan), (150, 600, Cause::Inputs), (600, 1000, Cause::DriverWaited)];
    let causes_of = |history: &History| {
        let causes = causes(history, 3);
        [causes[0], causes[1], *causes.last().unwrap()]
    };
    assert_eq!(causes_of(&history), [expected[0], expected[1], expected[2]]);
    history.layers[1].needs.clear();
    assert_eq!(causes(&history, 3)[1], (150, 600, Cause::Elsewhere), "it could begin");
}

#[test]
fn a_task_could_begin_that_another_worker_has() {
    let mut history = empty();
    history.layers = vec![layer(10, 2, 100, &[])];
    history.ranks[0].events = vec![given(10, 2, 2, 120)];
    history.ranks[2].events = vec![queued(10, 2, 140), ran(10, 150, 500), ran(11, 500, 800)];
    let expected = [(0, 100, Cause::DriverRan), (100, 500, Cause::Elsewhere), (500, 1000, Cause::DriverRan)];
    assert_eq!(causes(&history, 3), expected);
    let expected = [
        (0, 100, Cause::DriverRan),
        (100, 140, Cause::Messages),
        (140, 150, Cause::Queued),
        (800, 1000, Cause::DriverRan),
    ];
    assert_eq!(causes(&history, 2), expected, "to the worker that has it, it was on its way");
}

#[test]
fn a_task_that_was_taken_back_was_elsewhere_until_then() {
    let mut history = empty();
    history.layers = vec![layer(10, 2, 100, &[])];
    history.ranks[0].events = vec![given(10, 2, 2, 100), given(11, 1, 3, 400)];
    history.ranks[2].events = vec![ran(10, 100, 1000)];
    history.ranks[3].events = vec![queued(11, 1, 420), ran(11, 430, 1000)];
    let expected = [
        (0, 100, Cause::DriverRan),
        (100, 400, Cause::Elsewhere),
        (400, 420, Cause::Messages),
        (420, 430, Cause::Queued),
    ];
    assert_eq!(causes(&history, 3), expected);
}

#[test]
fn submissions_tasks_and_results_are_on_their_way_or_with_rank_0() {
    let mut history = empty();
    history.layers = vec![layer(10, 1, 200, &[])];
    history.ranks[1].events.push(event(Kind::Submitted, 0, 10, 1, 100, 100));
    history.ranks[0].events = vec![
        event(Kind::Scheduling, 0, 0, 0, 150, 250),
        given(10, 1, 2, 240),
        event(Kind::Scheduling, 0, 0, 0, 280, 300),
    ];
    history.ranks[2].events = vec![queued(10, 1, 320), ran(10, 330, 1000)];
    let expected = [
        (0, 100, Cause::DriverRan),
        (100, 150, Cause::Messages),
        (150, 240, Cause::Scheduler),
        // What rank 0 does once it has given the task out is not what the worker waits for.
        (240, 320, Cause::Messages),
        (320, 330, Cause::Queued),
    ];
    assert_eq!(causes(&history, 2), expected);
    history.ranks[0].events.clear();
    history.ranks[2].events.remove(0);
    assert_eq!(causes(&history, 2)[1..], [(100, 330, Cause::Messages)], "details beyond what is kept");
}

#[test]
fn before_the_driver_begins_and_after_it_has_ended_there_are_no_tasks() {
    let mut history = empty();
    history.ranks[1].events =
        vec![event(Kind::Driver, 0, 0, 0, 100, 500), event(Kind::Driver, 0, 0, 0, 500, 900)];
    let expected = [(0, 100, Cause::Ends), (100, 900, Cause::DriverRan), (900, 1000, Cause::Ends)];
    assert_eq!(causes(&history, 2), expected);
}

#[test]
fn a_task_that_waits_for_its_own_tasks_waits_for_inputs() {
    let mut history = empty();
    history.layers = vec![layer(10, 1, 0, &[]), layer(11, 1, 200, &[])];
    history.ranks[2].events = vec![ran(10, 0, 1000), event(Kind::Blocked, 0, 0, 0, 200, 900)];
    history.ranks[3].events = vec![ran(11, 200, 800)];
    assert_eq!(causes(&history, 2), [(200, 900, Cause::Inputs)]);
    assert_eq!(causes(&history, 3)[0], (0, 200, Cause::DriverRan), "but for the other one nothing is left");
}

#[test]
fn what_was_not_recorded_has_no_cause() {
    let mut history = empty();
    // From 400 ns on only sums are known: 300 ns of tasks.
    history.ranks[2].events = vec![event(Kind::Dense, 0, 7, 300, 400, 900)];
    assert_eq!(causes(&history, 3), [(0, 400, Cause::DriverRan), (400, 1000, Cause::Unknown)]);
    let thread = &Accounts::of(&history).threads[2][0];
    assert_eq!(adds_up(thread), 1000);
    assert_eq!(thread.causes[Cause::Unknown as usize], 200 + 100, "between those tasks, and after them");

    let mut history = empty();
    history.layers = vec![layer(10, 1, 100, &[])];
    history.layers[0].is_cut = true;
    history.ranks[2].events = vec![ran(10, 300, 1000)];
    assert_eq!(causes(&history, 3)[1], (100, 300, Cause::Unknown), "what it needed is not known");
}

#[test]
fn a_task_that_never_ran_is_waited_for_until_it_was_given_up() {
    let mut history = empty();
    // It fails at 300 ns, with all that need it.
    history.layers = vec![layer(10, 1, 0, &[]), layer(11, 1, 0, &[10]), layer(12, 1, 0, &[11])];
    history.ranks[2].events = vec![ran(10, 0, 300)];
    assert_eq!(causes(&history, 3), [(0, 300, Cause::Inputs), (300, 1000, Cause::DriverRan)]);
    // In a run that was killed it is the one that ran then.
    history.ranks[3].is_complete = false;
    history.ranks[0].events = vec![given(11, 1, 2, 320)];
    let expected = [(0, 300, Cause::Inputs), (300, 320, Cause::Elsewhere), (320, 1000, Cause::Inputs)];
    assert_eq!(causes(&history, 3), expected);
}

#[test]
fn each_cause_has_its_own_words() {
    let names: std::collections::BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    assert_eq!(names.len(), Cause::COUNT);
    assert!(Cause::ALL.iter().enumerate().all(|(place, cause)| *cause as usize == place));
}

/// Any events at all, whatever they mean together.
fn any_event() -> impl Strategy<Value = Event> {
    (0u8..14, 0u16..3, 0u64..12, 0u64..4, 0u64..1000, 0u64..300, 0u32..5).prop_map(
        |(kind, lane, subject, amount, start, long, worker)| {
            let kind = Kind::of(kind);
            let amount = match kind {
                Kind::Given => GivenTo { count: amount as u32, worker }.packed(),
                Kind::Tasks => amount.max(1),
                _ => amount,
            };
            let long = if matches!(kind, Kind::Given | Kind::Queued | Kind::Submitted) { 0 } else { long };
            event(kind, lane, subject, amount, start, (start + long).min(1000))
        },
    )
}

fn any_layer() -> impl Strategy<Value = LayerRecord> {
    (0u64..10, 1u32..4, 0u64..1000, prop::collection::vec(0u64..12, 0..3), any::<bool>()).prop_map(
        |(first, count, at, needs, is_cut)| LayerRecord { is_cut, ..layer(first, count, at, &needs) },
    )
}

proptest! {
    #[test]
    fn the_causes_add_up_to_the_wall_time(
        events in prop::collection::vec(prop::collection::vec(any_event(), 0..20), 4),
        layers in prop::collection::vec(any_layer(), 0..6),
        is_complete in any::<bool>(),
    ) {
        let mut history = empty();
        for (rank, events) in history.ranks.iter_mut().zip(events) {
            rank.events.extend(events);
            rank.is_complete = is_complete;
        }
        history.layers = layers;
        for thread in Accounts::of(&history).threads.iter().flatten() {
            prop_assert_eq!(adds_up(thread), 1000);
            prop_assert!(thread.idle.windows(2).all(|pair| pair[0].end <= pair[1].start), "{:?}", thread.idle);
        }
    }
}
