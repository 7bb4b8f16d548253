use super::{
    share::{Outgoing, Share, WINDOW},
    step::{Shares, Step},
};
use crate::{
    ids::{Code, TaskId, Tasks},
    message::{Argument, Column, Layer, Options},
    rank::Rank,
};
use proptest::prelude::*;
use std::collections::VecDeque;

const CODE: Code = Code { module: 0, offset: 0 };
/// The numbers of what stands for the state, of tasks, and of the values that exist before.
const STATE: u64 = 1000;
const TASK: u64 = 2000;
const GIVEN: u64 = 10;

/// A step: for each layer, for each of its tasks what it takes; and what the next step takes.
#[derive(Clone, Debug)]
struct Sketch {
    width: u32,
    layers: Vec<Vec<Vec<u64>>>,
    next: Vec<u64>,
}

fn mix(values: impl Iterator<Item = u64>, own: u64) -> u64 {
    values.fold(own.wrapping_mul(0x9e37_79b9_7f4a_7c15), |sum, value| {
        (sum ^ value).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31)
    })
}

impl Sketch {
    fn recorded(&self) -> Option<Step> {
        let mut first = TASK;
        let layer = |tasks: &Vec<Vec<u64>>| {
            let count = tasks.len() as u32;
            let list = |needs: &Vec<u64>| needs.iter().map(|need| Tasks::one(TaskId(*need))).collect();
            let lists = tasks.iter().map(list).collect();
            let layer = Layer {
                tasks: Tasks { first: TaskId(first), count },
                code: CODE,
                columns: vec![Column::Lists { lists, collect: CODE }],
                level: 0,
                depth: 0,
                options: None,
            };
            first += u64::from(count);
            layer
        };
        let layers = self.layers.iter().map(layer).collect();
        let next: Vec<TaskId> = self.next.iter().copied().map(TaskId).collect();
        Step::new(layers, Tasks { first: TaskId(STATE), count: self.width }, &next)
    }

    /// What comes of the steps, one task after the other.
    fn expected(&self, steps: u64) -> Vec<u64> {
        let mut state: Vec<u64> = (0..u64::from(self.width)).map(|slot| GIVEN + slot).collect();
        for _ in 0..steps {
            let mut values = Vec::new();
            for needs in self.layers.iter().flatten() {
                let value = |need: &u64| value_of(*need, &state, &values);
                let value = mix(needs.iter().map(value), needs.len() as u64);
                values.push(value);
            }
            state = self.next.iter().map(|task| value_of(*task, &state, &values)).collect();
        }
        state
    }
}

fn value_of(need: u64, state: &[u64], values: &[u64]) -> u64 {
    match need {
        TASK.. => values[(need - TASK) as usize],
        STATE.. => state[(need - STATE) as usize],
        constant => constant,
    }
}

fn sketches() -> impl Strategy<Value = Sketch> {
    let counts = (1..6_u32, proptest::collection::vec(1..7_usize, 1..4));
    counts.prop_flat_map(|(width, counts)| {
        let mut before = 0;
        let mut layers = Vec::new();
        for count in counts {
            // What stands for the state, a constant, and tasks of the layers before.
            let need = (0..u64::from(width) + 1 + before).prop_map(move |place| match place {
                place if place < u64::from(width) => STATE + place,
                place if place == u64::from(width) => GIVEN,
                place => TASK + place - u64::from(width) - 1,
            });
            layers.push(proptest::collection::vec(proptest::collection::vec(need, 0..4), count..=count));
            before += count as u64;
        }
        let next: Vec<_> = (0..u64::from(width))
            .map(|slot| prop_oneof![4 => (0..before).prop_map(|task| TASK + task), 1 => Just(STATE + slot)])
            .collect();
        (layers, next).prop_map(move |(layers, next)| Sketch { width, layers, next })
    })
}

/// Runs the shares in an order that the random numbers say; messages between two shares arrive in order, whenever.
fn run(sketch: &Sketch, step: &Step, steps: u64, count: u32, mut random: u64) -> Vec<u64> {
    let initial: Vec<TaskId> = (0..u64::from(sketch.width)).map(|slot| TaskId(GIVEN + slot)).collect();
    let Shares { plans, given, sources, outputs } = step.split(count, &initial, |_, _| false);
    let mut shares: Vec<Share<u64>> = Vec::new();
    for ((plan, given), sources) in plans.into_iter().zip(given).zip(sources) {
        shares.push(Share::new(plan, steps, given.iter().map(|task| task.0).collect(), sources));
    }
    let mut on_the_way: Vec<Vec<VecDeque<Outgoing<u64>>>> =
        (0..count).map(|_| (0..count).map(|_| VecDeque::new()).collect()).collect();
    let mut idle = 0;
    while !shares.iter().all(Share::is_complete) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (a, b) = ((random >> 33) as u32 % count, (random >> 50) as u32 % count);
        idle += 1;
        assert!(idle < 100_000, "nothing goes on: {sketch:?}");
        if random >> 20 & 1 == 0 {
            match on_the_way[a as usize][b as usize].pop_front() {
                Some(Outgoing::Value { item, step, value, .. }) => {
                    shares[b as usize].take_in(item, step, value)
                }
                Some(Outgoing::Completed { steps, .. }) => shares[b as usize].has_completed(a, steps),
                None => continue,
            }
        } else {
            let share = &mut shares[a as usize];
            let Some((task, step)) = share.next() else { continue };
            let (group, _, index) = share.call(task);
            let Argument::Lists { lists, .. } = &group.arguments[0] else { panic!("one list") };
            let values = lists[index].iter().map(|item| *share.value(*item, step).expect("it is ready"));
            let value = mix(values, lists[index].len() as u64);
            let mut out = Vec::new();
            share.ended(task, step, value, &mut out);
            for out in out {
                let (Outgoing::Value { share: target, .. } | Outgoing::Completed { share: target, .. }) =
                    &out;
                let queue = &mut on_the_way[a as usize][*target as usize];
                queue.push_back(out);
                assert!(queue.len() <= 64 * WINDOW as usize, "too much is under way");
            }
        }
        idle = 0;
    }
    assert!(on_the_way.iter().flatten().all(VecDeque::is_empty), "a share ended before all had come");
    let results: Vec<Vec<u64>> = shares.into_iter().map(Share::into_results).collect();
    let value = |(slot, output): (usize, &Option<(u32, u32)>)| match output {
        Some((share, place)) => results[*share as usize][*place as usize],
        None => GIVEN + slot as u64,
    };
    outputs.iter().enumerate().map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn shares_give_what_one_task_after_the_other_gives(
        sketch in sketches(), steps in 2..40_u64, count in 1..5_u32, random: u64,
    ) {
        if let Some(step) = sketch.recorded() {
            prop_assert_eq!(run(&sketch, &step, steps, count, random), sketch.expected(steps));
        }
    }
}

#[test]
fn values_wait_in_a_bounded_number_of_steps() {
    // The second share takes what the first one makes, and never runs.
    let sketch = Sketch {
        width: 2,
        layers: vec![vec![vec![STATE], vec![STATE, STATE + 1]]],
        next: vec![TASK, TASK + 1],
    };
    let step = sketch.recorded().unwrap();
    let initial = [TaskId(GIVEN), TaskId(GIVEN + 1)];
    let mut shares = step.split(2, &initial, |_, _| false);
    let mut first = Share::new(shares.plans.remove(0), 1000, vec![GIVEN, GIVEN + 1], Vec::new());
    let (mut out, mut count) = (Vec::new(), 0);
    while let Some((task, step)) = first.next() {
        first.ended(task, step, 1, &mut out);
        count += 1;
    }
    assert_eq!(count, WINDOW - 1);
    first.has_completed(1, 3);
    assert_eq!(first.next(), Some((0, WINDOW - 1)));
}

#[test]
fn what_has_options_is_submitted_step_by_step() {
    let sketch = Sketch { width: 1, layers: vec![vec![vec![STATE]]], next: vec![TASK] };
    let with = |options: Options| {
        let layer = Layer {
            tasks: Tasks::one(TaskId(TASK)),
            code: CODE,
            columns: vec![Column::values(vec![TaskId(STATE)])],
            level: 0,
            depth: 0,
            options: Some(Box::new(options)),
        };
        Step::new(vec![layer], Tasks::one(TaskId(STATE)), &[TaskId(TASK)]).is_some()
    };
    assert!(sketch.recorded().is_some());
    assert!(with(Options { label: Some("a name".into()), priority: 3, ..Options::default() }));
    assert!(!with(Options { retries: 1, ..Options::default() }));
    assert!(!with(Options { workers: vec![Rank(2)], ..Options::default() }));
    // A step that gives a value of another place on.
    let swapped = Sketch { width: 2, layers: vec![vec![vec![STATE]]], next: vec![STATE + 1, TASK] };
    assert!(swapped.recorded().is_none());
}
