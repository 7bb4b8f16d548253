//! Whole runs in one thread, hundreds of them, each with what a seed draws: the world, a program of
//! the driver's, how long everything takes and in which order it arrives.
//!
//! In a quarter of them the time runs out; in a third some tasks may run for a limited time only.
//! In others, workers are lost at any instant.
//!
//! In some a bit flips on a worker's disk: then what needs that value fails, and nothing else does.
//!
//! Beside each run goes a plain model: which value each task has, or with which error it fails. At the
//! end every future has the right answer, and when all are dropped nothing is left on any rank.
//!
//! `MANIPLE_SEED=7` runs one seed and prints every message; `MANIPLE_SEEDS=10000` runs more seeds, beginning
//! with `MANIPLE_FIRST_SEED`.

use maniple::{
    Client, Error, Future, Rank, Reason, Shared, SubmitOptions, TaskError,
    comm::simulated::Random,
    current,
    message::TaskId,
    simulation::{Options, Simulation, poll, prefetch, submit_parts, task_of, wait_in_task},
};
use std::{
    any::type_name_of_val,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// More messages than any of these runs needs: of its tasks, some submit hundreds of others.
const MESSAGES_MAX: u64 = 20_000;
/// How many seeds a test run tries.
const SEEDS: u64 = 400;
/// More time than is ever left where it is known, in nanoseconds.
const TIME_LEFT_MAX: u64 = 1_000;
/// How errors begin that tell of a flipped bit.
const DAMAGED: &str = "its copy on the disk of this worker is damaged";
/// Limits for tasks, in nanoseconds of the simulated clock.
const LIMITS: [u64; 3] = [50, 20_000, 2_000_000];
/// Seeds beyond those that once found a bug.
const SEEDS_KEPT: [u64; 10] = [248, 868, 986, 1106, 4432, 4504, 6014, 6132, 7769, 13104];

fn number(x: u64) -> u64 {
    // Large numbers take more bytes encoded than in memory.
    x.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (x % 64)
}

fn constant() -> u64 {
    42
}

fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

fn sum(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, value| sum.wrapping_add(*value))
}

fn grow(x: u64, count: u64) -> Vec<u64> {
    (0..count).map(|index| x.wrapping_add(number(index))).collect()
}

fn extend(mut values: Vec<u64>, x: u64) -> Vec<u64> {
    values.push(x);
    values
}

fn merge(lists: Vec<Shared<Vec<u64>>>) -> Vec<u64> {
    lists.iter().flat_map(|list| list.iter().copied()).collect()
}

fn flaky(x: u64, failures: u32) -> u64 {
    let attempt = current().attempt();
    assert!(attempt >= failures, "attempt {attempt} of {x} fails");
    x
}

/// Runs on one of these ranks only.
fn placed(x: u64, ranks: Vec<u32>) -> u64 {
    assert!(ranks.contains(&current().rank().0), "not on {}", current().rank());
    x
}

/// Goes on until somebody says that nobody waits for it.
fn patient(x: u64) -> u64 {
    let task = current();
    wait_in_task(move || task.cancelled());
    x
}

fn where_am_i(x: u64) -> u64 {
    x.wrapping_add(current().rank().0.into())
}

/// Has tasks of its own run, and waits for them.
fn nest(x: u64, depth: u64) -> u64 {
    let client = current().client().clone();
    let parts = client.map(grow, (0..3).map(|index| (x, 20 * index)));
    let joined = client.submit(merge, &parts);
    let deeper = client.submit(if_deeper, (x, depth));
    let answer = client.submit(add, (client.submit(sum, &joined), &deeper));
    let expected = nested(x, depth);
    let mut asked = false;
    wait_in_task(move || {
        let answered = poll(&answer, &mut asked);
        answered.is_some_and(|result| {
            match result {
                Ok(value) => assert_eq!(value, expected),
                Err(error) if error.to_string().contains(DAMAGED) => {}
                Err(error) => assert!(error.is_stopping() && client.stopping(), "a nested task: {error}"),
            }
            true
        })
    });
    expected
}

fn if_deeper(x: u64, depth: u64) -> u64 {
    if depth > 0 { nest(x, depth - 1) } else { x }
}

fn nested(x: u64, depth: u64) -> u64 {
    let lists = (0..3).flat_map(|index| grow(x, 20 * index)).collect::<Vec<u64>>();
    sum(&lists).wrapping_add(if depth > 0 { nested(x, depth - 1) } else { x })
}

/// The name that errors give a function.
fn name<F>(function: &F) -> String {
    type_name_of_val(function).to_string()
}

/// What a task can come to, if all that it needs has a value.
#[derive(Clone, Debug)]
enum Fate {
    Value,
    Fails(Failure),
}

/// A failure as the model knows it.
#[derive(Clone, Debug, PartialEq)]
struct Failure {
    reason: Reason,
    function: String,
    dependents: Vec<String>,
    /// How its words begin.
    words: String,
    /// How often the task was tried, where that is certain.
    attempts: Option<u32>,
}

impl Failure {
    fn of(error: &TaskError) -> Self {
        Self {
            reason: error.reason.clone(),
            function: error.function.clone(),
            dependents: error.dependents.clone(),
            words: error.message.clone(),
            attempts: None,
        }
    }

    fn is(&self, error: &TaskError) -> bool {
        self.reason == error.reason
            && self.function == error.function
            && self.dependents == error.dependents
            && error.message.starts_with(&self.words)
            && self.attempts.is_none_or(|attempts| attempts == error.attempts)
    }
}

#[derive(Debug)]
enum Hold {
    Number(Future<u64>),
    List(Future<Vec<u64>>),
}

impl Hold {
    /// The value as a list, once it is here.
    fn poll(&self, asked: &mut bool) -> Option<Result<Vec<u64>, Error>> {
        match self {
            Self::Number(future) => poll(future, asked).map(|result| result.map(|value| vec![value])),
            Self::List(future) => poll(future, asked),
        }
    }
}

/// A task, or a value of the driver's, and what the model knows of it.
struct Entry {
    id: TaskId,
    name: String,
    needs: Vec<usize>,
    value: Vec<u64>,
    fate: Fate,
    /// How long it is expected to run.
    expected_nanoseconds: u64,
    /// Whether its time is limited.
    is_limited: bool,
    /// Whether it was submitted after everybody knew that no more tasks begin.
    is_too_late: bool,
    is_cancelled: bool,
    /// Whether only some workers may run it.
    is_bound: bool,
    hold: Option<Hold>,
    asked: bool,
    is_read: bool,
    answer: Option<Result<Vec<u64>, TaskError>>,
}

/// Options, and what they mean for the model.
struct Chosen {
    options: SubmitOptions,
    label: Option<String>,
    retries: u32,
    /// Why it can run nowhere.
    refusal: Option<String>,
    expected_nanoseconds: u64,
    is_limited: bool,
    ranks: Vec<u32>,
}

impl Chosen {
    fn limit(&mut self, limiting: &mut Random) {
        let limit = Duration::from_nanos(*limiting.choose(&LIMITS));
        self.options = std::mem::take(&mut self.options).timeout(limit);
        self.is_limited = true;
    }
}

/// A driver that does what a seed says.
struct Program {
    client: Client,
    random: Random,
    entries: Vec<Entry>,
    actions_left: u64,
    /// Decides when tasks that take parts are submitted, if there are any.
    parting: Option<Random>,
    /// Decides about the time, if that is limited.
    timing: Option<Random>,
    /// Decides which tasks may run for how long, if any are limited.
    limiting: Option<Random>,
    /// How much time was said to be left last.
    time_left: u64,
    /// Whether bits flip on the workers' disks.
    damages: bool,
    /// Loses workers, if there are losses.
    losing: Option<Losing>,
}

/// Decides which workers are lost, and when.
struct Losing {
    random: Random,
    /// Once in so many events.
    seldom: u64,
    /// The workers that may yet be lost, and how many will at most.
    ranks: Vec<u32>,
    left: u64,
}

impl Losing {
    fn new(seed: u64, client: &Client) -> Self {
        let mut random = Random::new(seed ^ 0x105e);
        Self {
            seldom: *random.choose(&[20, 200, 1000]),
            left: random.below(4),
            ranks: client.cluster().workers().map(|worker| worker.rank.0).filter(|rank| *rank > 1).collect(),
            random,
        }
    }

    /// The next worker to be lost, if its time has come.
    fn next(&mut self) -> Option<Rank> {
        if self.left == 0 || self.ranks.is_empty() || !self.random.chance(1, self.seldom) {
            return None;
        }
        self.left -= 1;
        let place = self.random.below(self.ranks.len() as u64) as usize;
        Some(Rank(self.ranks.swap_remove(place)))
    }
}

impl Program {
    fn new(client: Client, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xd21_7e2);
        let actions_left = 3 + random.below(40);
        let timing = (seed % 4 == 3).then(|| Random::new(seed ^ 0x71_3e));
        // The seeds that once found a bug go on to do what found it.
        let parting = (seed % 2 == 1 && !SEEDS_KEPT.contains(&seed)).then(|| Random::new(seed ^ 0x9a_27));
        let limiting = (seed % 3 == 1 && !SEEDS_KEPT.contains(&seed)).then(|| Random::new(seed ^ 0x11_317));
        let (entries, losing, time_left) = (Vec::new(), None, u64::MAX);
        let damages = has_damage(seed);
        Self { client, random, entries, actions_left, parting, timing, limiting, time_left, damages, losing }
    }

    fn chosen(&mut self) -> Chosen {
        let mut chosen = self.chosen_without_limit();
        if let Some(limiting) = &mut self.limiting
            && limiting.chance(1, 3)
        {
            chosen.limit(limiting);
        }
        chosen
    }

    fn chosen_without_limit(&mut self) -> Chosen {
        let workers: Vec<(u32, u32)> = self
            .client
            .cluster()
            .workers()
            .map(|worker| (worker.rank.0, worker.resources.first().map_or(0, |(_, amount)| *amount)))
            .collect();
        let random = &mut self.random;
        let all: Vec<u32> = workers.iter().map(|(rank, _)| *rank).collect();
        let mut chosen = Chosen {
            options: SubmitOptions::new(),
            label: None,
            retries: 0,
            refusal: None,
            expected_nanoseconds: 0,
            is_limited: false,
            ranks: all.clone(),
        };
        if random.chance(1, 2) {
            return chosen;
        }
        let mut options = SubmitOptions::new();
        if random.chance(1, 3) {
            options = options.priority(random.below(5) as i32 - 2);
        }
        if random.chance(1, 3) {
            options = options.label("labelled");
            chosen.label = Some("labelled".into());
        }
        if random.chance(1, 3) {
            chosen.retries = random.below(3) as u32;
            options = options.retries(chosen.retries);
        }
        if let Some(timing) = &mut self.timing
            && timing.chance(1, 3)
        {
            chosen.expected_nanoseconds = timing.below(TIME_LEFT_MAX);
            options = options.expected(Duration::from_nanos(chosen.expected_nanoseconds));
        }
        match random.below(12) {
            0 => {
                let allow = random.chance(1, 2);
                options = options.workers([99]).allow_other(allow);
                chosen.refusal = (!allow).then(|| "no worker has rank 99".into());
            }
            1 => {
                options = options.workers(["nowhere"]);
                chosen.refusal = Some("no worker is on host \"nowhere\"".into());
            }
            2..=5 => {
                let mut ranks = vec![*random.choose(&all), *random.choose(&all)];
                ranks.dedup();
                options = options.workers(ranks.iter().copied());
                chosen.ranks = ranks;
            }
            _ => {}
        }
        if chosen.refusal.is_none() && random.chance(1, 4) {
            let amount = 1 + random.below(2) as u32;
            options = options.resource("GPU", amount);
            chosen
                .ranks
                .retain(|rank| workers.iter().any(|(worker, gpus)| worker == rank && *gpus >= amount));
            if chosen.ranks.is_empty() {
                chosen.refusal = Some(format!("no worker that may run it declares GPU={amount} or more"));
            }
        }
        chosen.options = options;
        chosen
    }

    /// Notes a task, and returns its place.
    fn add(&mut self, hold: Hold, name: String, needs: &[usize], value: Vec<u64>) -> usize {
        let id = match &hold {
            Hold::Number(future) => task_of(future),
            Hold::List(future) => task_of(future),
        };
        self.entries.push(Entry {
            id,
            name,
            needs: needs.to_vec(),
            value,
            fate: Fate::Value,
            expected_nanoseconds: 0,
            is_limited: false,
            is_too_late: self.client.stopping(),
            is_cancelled: false,
            is_bound: false,
            hold: Some(hold),
            asked: false,
            is_read: false,
            answer: None,
        });
        self.entries.len() - 1
    }

    /// Notes a task that was submitted with options.
    fn add_chosen(&mut self, hold: Hold, chosen: &Chosen, name: String, needs: &[usize], value: Vec<u64>) {
        let name = chosen.label.clone().unwrap_or(name);
        let place = self.add(hold, name.clone(), needs, value);
        self.entries[place].expected_nanoseconds = chosen.expected_nanoseconds;
        self.entries[place].is_limited = chosen.is_limited;
        self.entries[place].is_bound = chosen.ranks.len() < self.client.cluster().workers().count();
        if let Some(words) = &chosen.refusal {
            self.entries[place].fate = Fate::Fails(Failure {
                reason: Reason::NoWorker,
                function: name,
                dependents: Vec::new(),
                words: words.clone(),
                attempts: Some(0),
            });
        }
    }

    fn is_number(&self, place: usize) -> bool {
        matches!(self.entries[place].hold, Some(Hold::Number(_)))
    }

    fn is_list(&self, place: usize) -> bool {
        matches!(self.entries[place].hold, Some(Hold::List(_)))
    }

    /// Up to `most` places of futures that are held, numbers or lists.
    fn some(&mut self, most: u64, is: fn(&Self, usize) -> bool) -> Vec<usize> {
        let all: Vec<usize> = (0..self.entries.len()).filter(|place| is(self, *place)).collect();
        if all.is_empty() {
            return all;
        }
        let count = self.random.below(most + 1);
        // Those of late more often, so that chains grow.
        let late = all.len().saturating_sub(6);
        (0..count)
            .map(|_| {
                let late = if self.random.chance(1, 2) { &all[late..] } else { &all };
                *self.random.choose(late)
            })
            .collect()
    }

    fn number_at(&self, place: usize) -> (Future<u64>, u64) {
        match &self.entries[place].hold {
            Some(Hold::Number(future)) => (future.clone(), self.entries[place].value[0]),
            other => panic!("{other:?} is no number"),
        }
    }

    fn list_at(&self, place: usize) -> (Future<Vec<u64>>, Vec<u64>) {
        match &self.entries[place].hold {
            Some(Hold::List(future)) => (future.clone(), self.entries[place].value.clone()),
            other => panic!("{other:?} is no list"),
        }
    }

    /// Does the next thing.
    fn act(&mut self) {
        self.actions_left -= 1;
        if self.parting.as_mut().is_some_and(|parting| parting.chance(1, 8)) {
            return self.submit_parts();
        }
        if self.limiting.as_mut().is_some_and(|limiting| limiting.chance(1, 10)) {
            return self.submit_patient();
        }
        match self.random.below(30) {
            0 | 1 => self.submit_roots(),
            2 | 3 => self.submit_large(),
            4..=6 => self.submit_sums(),
            7 | 8 => self.submit_pairs(),
            9 | 10 => self.submit_lists(),
            11 | 12 => self.submit_merges(),
            13 => self.submit_extended(),
            14 | 15 => self.hand_out(),
            16 | 17 => self.submit_flaky(),
            18 | 19 => self.submit_nested(),
            20 => self.submit_placed(),
            21 => self.run_everywhere(),
            22 | 23 => self.cancel(),
            24..=26 => self.drop_some(),
            27 => self.prefetch(),
            _ => self.read(),
        }
    }

    /// Now and then less time is left, and at some time none.
    fn pass_time(&mut self, simulation: &Simulation) {
        let Some(timing) = &mut self.timing else { return };
        if !timing.chance(1, 10) {
            return;
        }
        self.time_left = match timing.below(4) {
            0 => 0,
            _ => timing.below(self.time_left.clamp(1, TIME_LEFT_MAX)),
        };
        simulation.say_time_left(self.time_left);
    }

    fn submit_roots(&mut self) {
        let chosen = self.chosen();
        if self.random.chance(1, 2) {
            let future = self.client.submit_with(&chosen.options, constant, ());
            return self.add_chosen(Hold::Number(future), &chosen, name(&constant), &[], vec![42]);
        }
        let count = self.random.below(12);
        let items = (0..count).map(|index| (number(index), 1));
        for (index, future) in (0..).zip(self.client.map_with(&chosen.options, add, items)) {
            let value = vec![number(index).wrapping_add(1)];
            self.add_chosen(Hold::Number(future), &chosen, name(&add), &[], value);
        }
    }

    fn submit_large(&mut self) {
        let (chosen, count) = (self.chosen(), self.random.below(6));
        let sizes: Vec<u64> = (0..count).map(|_| self.random.below(90)).collect();
        let items = sizes.iter().map(|size| (*size, *size));
        for (size, future) in sizes.iter().zip(self.client.map_with(&chosen.options, grow, items)) {
            self.add_chosen(Hold::List(future), &chosen, name(&grow), &[], grow(*size, *size));
        }
    }

    /// One by one, with futures and values as arguments.
    fn submit_sums(&mut self) {
        for place in self.some(5, Self::is_number) {
            let (chosen, (future, value)) = (self.chosen(), self.number_at(place));
            let by_value = self.random.below(9);
            let submitted = match self.random.chance(1, 2) {
                true => self.client.submit_with(&chosen.options, add, (&future, by_value)),
                false => self.client.submit_with(&chosen.options, add, (by_value, future)),
            };
            let value = vec![value.wrapping_add(by_value)];
            self.add_chosen(Hold::Number(submitted), &chosen, name(&add), &[place], value);
        }
    }

    fn submit_pairs(&mut self) {
        let (left, right) = (self.some(6, Self::is_number), self.some(6, Self::is_number));
        let pairs: Vec<(usize, usize)> = left.into_iter().zip(right).collect();
        let items: Vec<_> = pairs.iter().map(|(a, b)| (self.number_at(*a).0, self.number_at(*b).0)).collect();
        let chosen = self.chosen();
        for ((a, b), future) in pairs.into_iter().zip(self.client.map_with(&chosen.options, add, items)) {
            let value = vec![self.number_at(a).1.wrapping_add(self.number_at(b).1)];
            self.add_chosen(Hold::Number(future), &chosen, name(&add), &[a, b], value);
        }
    }

    /// Tasks that take a list, and tasks that take a list of futures of numbers.
    fn submit_lists(&mut self) {
        let chosen = self.chosen();
        if self.random.chance(1, 2) {
            let places = self.some(8, Self::is_number);
            let (futures, values): (Vec<_>, Vec<_>) =
                places.iter().map(|place| self.number_at(*place)).unzip();
            let future = self.client.submit_with(&chosen.options, sum, &futures);
            return self.add_chosen(Hold::Number(future), &chosen, name(&sum), &places, vec![sum(&values)]);
        }
        let places = self.some(6, Self::is_list);
        let futures: Vec<_> = places.iter().map(|place| self.list_at(*place).0).collect();
        for (place, future) in places.into_iter().zip(self.client.map_with(&chosen.options, sum, futures)) {
            let value = vec![sum(&self.list_at(place).1)];
            self.add_chosen(Hold::Number(future), &chosen, name(&sum), &[place], value);
        }
    }

    fn submit_merges(&mut self) {
        let (chosen, places) = (self.chosen(), self.some(5, Self::is_list));
        let (futures, values): (Vec<_>, Vec<_>) = places.iter().map(|place| self.list_at(*place)).unzip();
        let future = self.client.submit_with(&chosen.options, merge, futures);
        self.add_chosen(Hold::List(future), &chosen, name(&merge), &places, values.concat());
    }

    /// Tasks that take parts of lists.
    fn submit_parts(&mut self) {
        let mut chosen = self.chosen();
        let mut places = self.some(5, Self::is_list);
        places.retain(|place| !self.entries[*place].value.is_empty());
        let lists: Vec<(Future<Vec<u64>>, Vec<u64>)> =
            places.iter().map(|place| self.list_at(*place)).collect();
        let random = &mut self.random;
        let mut part = |length: usize| {
            let count = 1 + random.below(length as u64) as usize;
            let step = 1 + random.below(((length - 1) / (count - 1).max(1)).max(1) as u64) as usize;
            let from = random.below((length - step * (count - 1)) as u64) as usize;
            match random.chance(1, 4) {
                true => (from + step * (count - 1), -(step as i64), count),
                false => (from, step as i64, count),
            }
        };
        let mut parts_of_each = || lists.iter().map(|(_, list)| part(list.len())).collect::<Vec<_>>();
        let parts: Vec<Vec<(usize, i64, usize)>> = (0..3).map(|_| parts_of_each()).collect();
        let futures: Vec<Future<Vec<u64>>> = lists.iter().map(|(future, _)| future.clone()).collect();
        chosen.label = Some("parts".into());
        let options = chosen.options.clone().label("parts");
        let submitted = submit_parts(&self.client, &options, &futures, &parts);
        for (future, parts) in submitted.into_iter().zip(parts) {
            let taken = parts.iter().zip(&lists).flat_map(|((from, step, count), (_, list))| {
                (0..*count as i64).map(move |place| list[(*from as i64 + step * place) as usize])
            });
            let value = taken.collect();
            self.add_chosen(Hold::List(future), &chosen, String::new(), &places, value);
        }
    }

    /// Arguments that are too large to travel with the task.
    fn submit_extended(&mut self) {
        let (chosen, values) = (self.chosen(), grow(self.random.below(9), self.random.below(90)));
        for place in self.some(2, Self::is_number) {
            let (future, value) = self.number_at(place);
            let future = self.client.submit_with(&chosen.options, extend, (values.clone(), future));
            let value = extend(values.clone(), value);
            self.add_chosen(Hold::List(future), &chosen, name(&extend), &[place], value);
        }
    }

    fn hand_out(&mut self) {
        let values = grow(self.random.below(9), self.random.below(90));
        let given = match self.random.below(3) {
            0 => self.client.scatter(values.clone()).map(Hold::List),
            1 => self.client.broadcast(values.clone()).map(Hold::List),
            _ => {
                let future = self.client.scatter(7);
                self.add(Hold::Number(future.expect("7 can be encoded")), "a value".into(), &[], vec![7]);
                return;
            }
        };
        self.add(given.expect("numbers can be encoded"), "a value".into(), &[], values);
    }

    fn submit_flaky(&mut self) {
        let (chosen, failures) = (self.chosen(), self.random.below(4) as u32);
        let count = 1 + self.random.below(3);
        let items = (0..count).map(|x| (x, if x == 1 { 0 } else { failures }));
        let futures = self.client.map_with(&chosen.options, flaky, items);
        for (x, future) in (0..).zip(futures) {
            self.add_chosen(Hold::Number(future), &chosen, name(&flaky), &[], vec![x]);
            if x != 1 && failures > chosen.retries && chosen.refusal.is_none() {
                let entry = self.entries.last_mut().expect("just added");
                entry.fate = Fate::Fails(Failure {
                    reason: Reason::Panic,
                    function: entry.name.clone(),
                    dependents: Vec::new(),
                    words: format!("attempt {} of {x} fails", chosen.retries),
                    attempts: Some(chosen.retries + 1),
                });
            }
        }
    }

    fn submit_nested(&mut self) {
        let chosen = self.chosen();
        let count = 1 + self.random.below(4);
        let depth = self.random.below(3);
        let futures = self.client.map_with(&chosen.options, nest, (0..count).map(|x| (x, depth)));
        for (x, future) in (0..).zip(futures) {
            self.add_chosen(Hold::Number(future), &chosen, name(&nest), &[], vec![nested(x, depth)]);
        }
    }

    fn submit_patient(&mut self) {
        let mut chosen = self.chosen_without_limit();
        if let Some(limiting) = &mut self.limiting {
            chosen.limit(limiting);
        }
        let future = self.client.submit_with(&chosen.options, patient, 7);
        self.add_chosen(Hold::Number(future), &chosen, name(&patient), &[], vec![7]);
        if chosen.refusal.is_none() {
            let entry = self.entries.last_mut().expect("just added");
            entry.fate = Fate::Fails(entry.overdue(Some(chosen.retries + 1)));
        }
    }

    fn submit_placed(&mut self) {
        let chosen = self.chosen();
        for place in self.some(3, Self::is_number) {
            let (future, value) = self.number_at(place);
            let arguments = (future, chosen.ranks.clone());
            let future = self.client.submit_with(&chosen.options, placed, arguments);
            self.add_chosen(Hold::Number(future), &chosen, name(&placed), &[place], vec![value]);
        }
    }

    fn run_everywhere(&mut self) {
        let ranks: Vec<u64> = self.client.cluster().workers().map(|worker| worker.rank.0.into()).collect();
        let place = self.some(1, Self::is_number).pop();
        let (futures, value) = match place.map(|place| self.number_at(place)) {
            Some((future, value)) => (self.client.run_on_workers(where_am_i, &future), value),
            None => (self.client.run_on_workers(where_am_i, 5), 5),
        };
        let needs: Vec<usize> = place.into_iter().collect();
        for (rank, future) in ranks.into_iter().zip(futures) {
            let value = vec![value.wrapping_add(rank)];
            let place = self.add(Hold::Number(future), name(&where_am_i), &needs, value);
            self.entries[place].is_bound = true;
        }
    }

    fn cancel(&mut self) {
        for place in self.some(4, Self::is_number) {
            self.entries[place].is_cancelled = true;
            self.number_at(place).0.cancel();
        }
        for place in self.some(1, Self::is_list) {
            self.entries[place].is_cancelled = true;
            self.list_at(place).0.cancel();
        }
    }

    fn drop_some(&mut self) {
        let mut places = self.some(8, Self::is_number);
        places.extend(self.some(3, Self::is_list));
        for place in places {
            let entry = &mut self.entries[place];
            // Who waits for a result holds the future.
            if !entry.asked {
                entry.hold = None;
            }
        }
    }

    fn prefetch(&mut self) {
        for place in self.some(3, Self::is_list) {
            prefetch(&self.list_at(place).0);
        }
    }

    fn read(&mut self) {
        let mut places = self.some(4, Self::is_number);
        places.extend(self.some(3, Self::is_list));
        places.into_iter().for_each(|place| self.entries[place].is_read = true);
    }

    /// Looks for the answers that somebody waits for.
    fn poll(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.is_read) {
            let Some(hold) = &entry.hold else { continue };
            let Some(result) = hold.poll(&mut entry.asked) else { continue };
            entry.is_read = false;
            let answer = match result {
                Ok(value) => Ok(value),
                Err(Error::Task(error)) => Err((*error).clone()),
                // It was made, and lost before it was read.
                Err(Error::Decode(words)) if self.damages && words.contains(DAMAGED) => {
                    entry.hold = None;
                    continue;
                }
                Err(error) => panic!("task {:?}: {error}", entry.id),
            };
            if self.losing.is_some() && entry.answer.is_some() && answer.is_err() {
                // It was there, and is not any more.
                continue;
            }
            if let Some(before) = entry.answer.replace(answer.clone()) {
                assert_eq!(before, answer, "task {:?}: it keeps its answer", entry.id);
            }
        }
    }

    /// Whether every future that is held has been answered.
    fn unanswered(&self) -> Option<TaskId> {
        let waits = |entry: &&Entry| entry.hold.is_some() && entry.answer.is_none();
        self.entries.iter().find(waits).map(|entry| entry.id)
    }

    /// Compares all answers with the model.
    fn check(&self) {
        let mut known: Vec<(bool, Vec<Failure>)> = Vec::new();
        for entry in &self.entries {
            let (mut has_value, mut failures) = self.possible(entry, &known);
            let all = self.losing.is_some().then(|| (has_value, failures.clone()));
            match &entry.answer {
                None => {}
                Some(Ok(value)) => {
                    assert!(has_value, "task {:?}: has a value, and must fail: {failures:?}", entry.id);
                    assert_eq!(*value, entry.value, "task {:?}: {}", entry.id, entry.name);
                    failures.clear();
                }
                Some(Err(error)) => {
                    failures.retain(|failure| failure.is(error));
                    if self.damages && error.message.starts_with(DAMAGED) {
                        // Those that take parts panic with the words.
                        assert!(matches!(error.reason, Reason::Decode | Reason::Panic), "{error}");
                        known.push((false, vec![Failure::of(error)]));
                        continue;
                    }
                    let expected = self.possible(entry, &known);
                    assert!(!failures.is_empty(), "task {:?}: {error:?}, not {expected:?}", entry.id);
                    has_value = false;
                }
            }
            // What is lost later may have had a value before, and what has a value may be lost.
            known.push(all.unwrap_or((has_value, failures)));
        }
    }

    /// Whether a task may have a value, and how it may fail, given the same of what it needs.
    fn possible(&self, entry: &Entry, known: &[(bool, Vec<Failure>)]) -> (bool, Vec<Failure>) {
        let (mut has_value, mut failures) = entry.possible(known, self.time_left);
        let Some(losing) = &self.losing else { return (has_value, failures) };
        if entry.is_bound || losing.ranks.is_empty() {
            failures.extend([Reason::Lost, Reason::NoWorker].map(|reason| Failure {
                reason,
                function: entry.name.clone(),
                dependents: Vec::new(),
                words: String::new(),
                attempts: None,
            }));
        }
        if let Fate::Fails(failure @ Failure { reason: Reason::Panic, .. }) = &entry.fate {
            // An attempt that came to nothing with its worker counts, too.
            has_value |= entry.needs.iter().all(|need| known[*need].0);
            let failure = Failure { words: "attempt ".into(), attempts: None, ..failure.clone() };
            failures.push(failure);
        }
        (has_value, failures)
    }

    /// Lets a worker be lost, if it is time.
    fn lose(&mut self, simulation: &mut Simulation) {
        let Some(losing) = &mut self.losing else { return };
        if let Some(rank) = losing.next() {
            let silent = losing.random.chance(1, 3);
            simulation.lose(rank, silent);
        }
    }
}

impl Entry {
    /// Its failure when its time is over.
    fn overdue(&self, attempts: Option<u32>) -> Failure {
        let (function, words) = (self.name.clone(), String::new());
        Failure { reason: Reason::Timeout, function, dependents: Vec::new(), words, attempts }
    }

    /// Whether it may have a value, and how it may fail, given the same of what it needs.
    fn possible(&self, known: &[(bool, Vec<Failure>)], time_left: u64) -> (bool, Vec<Failure>) {
        if let Fate::Fails(failure @ Failure { reason: Reason::NoWorker, .. }) = &self.fate {
            return (false, vec![failure.clone()]);
        }
        let mut failures = Vec::new();
        for need in &self.needs {
            for failure in &known[*need].1 {
                let mut failure = failure.clone();
                failure.dependents.push(self.name.clone());
                failures.push(failure);
            }
        }
        if self.is_cancelled && self.name != "a value" {
            let function = self.name.clone();
            let (reason, words) = (Reason::Cancelled, String::new());
            failures.push(Failure { reason, function, dependents: Vec::new(), words, attempts: None });
        }
        let is_late = self.expected_nanoseconds >= time_left && self.name != "a value";
        if is_late {
            let (function, words) = (self.name.clone(), String::new());
            let reason = Reason::Stopping;
            failures.push(Failure { reason, function, dependents: Vec::new(), words, attempts: None });
        }
        let all_have_values = self.needs.iter().all(|need| known[*need].0);
        if self.is_limited && all_have_values {
            failures.push(self.overdue(None));
        }
        match &self.fate {
            Fate::Fails(failure) if all_have_values => failures.push(failure.clone()),
            _ => {}
        }
        (all_have_values && matches!(self.fate, Fate::Value) && !(is_late && self.is_too_late), failures)
    }
}

/// Whether bits flip on the disks of a seed's workers.
fn has_damage(seed: u64) -> bool {
    seed % 5 == 2 && !SEEDS_KEPT.contains(&seed)
}

/// The world that a seed draws, where workers are lost or not.
fn world(seed: u64, losses: bool) -> Options {
    let mut options = Options::of_seed(seed);
    options.disk.damages = has_damage(seed);
    options.survives = losses;
    while losses && options.ranks.len() < 4 {
        options.ranks.push(options.ranks[0].clone());
    }
    options
}

/// Runs a seed's program to its end. Returns how many tasks had values, and for how many it was too late.
fn play(simulation: &mut Simulation, seed: u64) -> (usize, usize) {
    play_program(simulation, Program::new(simulation.client(), seed))
}

fn play_program(simulation: &mut Simulation, mut program: Program) -> (usize, usize) {
    let haste = 1 + program.random.below(30);
    while program.actions_left > 0 {
        if program.random.chance(1, haste) || !simulation.step() {
            program.act();
            program.pass_time(simulation);
        }
        program.lose(simulation);
        program.poll();
    }
    program.entries.iter_mut().for_each(|entry| entry.is_read = entry.hold.is_some());
    loop {
        program.poll();
        program.lose(simulation);
        if simulation.step() {
            continue;
        }
        let Some(task) = program.unanswered() else { break };
        panic!("task {task:?}: nobody will ever answer\n{simulation:?}");
    }
    program.check();
    let (messages, limit) = (simulation.traffic().0, MESSAGES_MAX);
    assert!(messages < limit, "{messages} messages for {} tasks", program.entries.len());
    let count = |is: fn(&Result<Vec<u64>, TaskError>) -> bool| {
        program.entries.iter().filter(|entry| entry.answer.as_ref().is_some_and(is)).count()
    };
    let answers = (
        count(Result::is_ok),
        count(|answer| answer.as_ref().is_err_and(|error| error.reason == Reason::Stopping)),
    );
    assert_eq!(simulation.client().stopping(), program.time_left == 0);
    program.entries.clear();
    while simulation.step() {}
    let mut left = simulation.left_over();
    if program.damages {
        // Where room was made for a value that is lost, nothing comes any more.
        left.retain(|line| !line.ends_with("rooms posted") && !line.ends_with("values that are coming"));
    }
    assert!(left.is_empty(), "something is left\n{simulation:?}");
    simulation.shut_down();
    while simulation.step() {}
    assert!(simulation.is_over(), "every rank hears of the end");
    answers
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().cloned();
    words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// Plays a seed, with losses or without. Returns the hash of all that happened.
fn run(seed: u64, losses: bool) -> Result<u64, String> {
    let mut simulation = Simulation::new(world(seed, losses), false);
    let played = catch_unwind(AssertUnwindSafe(|| play_with(&mut simulation, seed, losses)));
    played.map(|_| simulation.trace_hash()).map_err(|panic| words_of(&*panic))
}

fn play_with(simulation: &mut Simulation, seed: u64, losses: bool) -> (usize, usize) {
    let mut program = Program::new(simulation.client(), seed);
    program.losing = losses.then(|| Losing::new(seed, &simulation.client()));
    play_program(simulation, program)
}

/// The first task that these words name.
fn task_in(words: &str) -> Option<TaskId> {
    words.split([' ', ':', '\n']).find_map(|word| {
        let (owner, sequence) = word.split_once('.')?;
        Some(TaskId::new(Rank(owner.parse().ok()?), sequence.parse().ok()?))
    })
}

/// Plays a seed again and prints what happened: to the task that its words name, or at all.
fn tell(seed: u64, losses: bool, words: &str, everything: bool) {
    let mut simulation = Simulation::new(world(seed, losses), true);
    let _ = catch_unwind(AssertUnwindSafe(|| play_with(&mut simulation, seed, losses)));
    let task = task_in(words);
    let told =
        simulation.lines().iter().filter(|line| everything || task.is_some_and(|task| line.concerns(task)));
    told.for_each(|line| eprintln!("{line}"));
}

/// Plays a seed, and if it fails tells all there is to know.
fn check(seed: u64, losses: bool) {
    if let Err(words) = run(seed, losses) {
        tell(seed, losses, &words, false);
        panic!(
            "{words}\nseed {seed} failed: replay with MANIPLE_SEED={seed} cargo test --no-default-features --test \
             simulation"
        );
    }
}

/// The seeds to be run.
fn seeds() -> std::ops::Range<u64> {
    let first = variable("MANIPLE_FIRST_SEED").unwrap_or(0);
    first..first + variable("MANIPLE_SEEDS").unwrap_or(SEEDS)
}

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn every_future_is_answered_and_nothing_is_left() {
    if let Some(seed) = variable("MANIPLE_SEED") {
        tell(seed, false, "", true);
        return check(seed, false);
    }
    SEEDS_KEPT.into_iter().chain(seeds()).for_each(|seed| check(seed, false));
}

#[test]
fn what_is_lost_with_a_worker_is_made_again() {
    if let Some(seed) = variable("MANIPLE_SEED") {
        tell(seed, true, "", true);
        return check(seed, true);
    }
    seeds().for_each(|seed| check(seed, true));
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let (first, second) = (run(seed, seed % 2 == 1), run(seed, seed % 2 == 1));
        assert!(first.is_ok() && first == second, "seed {seed}: {first:?} and {second:?}");
    }
}

#[test]
fn some_runs_stop_with_tasks_that_ran_and_tasks_that_did_not() {
    let both = (0..25).map(|index| 4 * index + 3).filter(|seed| {
        let (values, too_late) = play(&mut Simulation::new(world(*seed, false), false), *seed);
        values > 0 && too_late > 0
    });
    assert!(both.count() > 5);
}
