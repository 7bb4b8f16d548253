//! A driver whose program a seed draws.

use super::{functions::*, model::*};
use maniple::{
    Client, Error, Future, Rank, Reason, SubmitOptions,
    internals::{
        comm::simulated::Random,
        ids::TaskId,
        simulation::{Simulation, prefetch, submit_parts, task_of},
    },
};
use std::time::Duration;

/// More time than is ever left where it is known, in nanoseconds.
const TIME_LEFT_MAX: u64 = 1_000;
/// Seeds beyond those that once found a bug.
pub(super) const SEEDS_KEPT: [u64; 10] = [248, 868, 986, 1106, 4432, 4504, 6014, 6132, 7769, 13104];

/// A driver that does what a seed says.
pub(super) struct Program {
    pub(super) client: Client,
    pub(super) random: Random,
    pub(super) entries: Vec<Entry>,
    pub(super) actions_left: u64,
    /// Decides when tasks that take parts are submitted, if there are any.
    pub(super) parting: Option<Random>,
    /// Decides when chains are submitted whose tasks need sources, if there are any.
    pub(super) sourcing: Option<Random>,
    /// Decides about the time, if that is limited.
    pub(super) timing: Option<Random>,
    /// Decides which tasks may run for how long, if any are limited.
    pub(super) limiting: Option<Random>,
    /// How much time was said to be left last.
    pub(super) time_left: u64,
    /// Whether bits flip on the workers' disks.
    pub(super) damages: bool,
    /// Loses workers, if there are losses.
    pub(super) losing: Option<Losing>,
    /// Retires workers, if some are to be, and which are left.
    pub(super) retiring: Option<(Random, Vec<Rank>)>,
}

/// Decides which workers are lost, and when.
pub(super) struct Losing {
    pub(super) random: Random,
    /// Once in so many events.
    pub(super) seldom: u64,
    /// The workers that may yet be lost, and how many will at most.
    pub(super) ranks: Vec<u32>,
    pub(super) left: u64,
}

impl Losing {
    pub(super) fn new(seed: u64, client: &Client) -> Self {
        let mut random = Random::new(seed ^ 0x105e);
        Self {
            seldom: *random.choose(&[20, 200, 1000]),
            left: random.below(4),
            ranks: client.cluster().workers().map(|worker| worker.rank.0).filter(|rank| *rank > 1).collect(),
            random,
        }
    }

    /// The next worker to be lost, if its time has come.
    pub(super) fn next(&mut self) -> Option<Rank> {
        if self.left == 0 || self.ranks.is_empty() || !self.random.chance(1, self.seldom) {
            return None;
        }
        self.left -= 1;
        let place = self.random.below(self.ranks.len() as u64) as usize;
        Some(Rank(self.ranks.swap_remove(place)))
    }
}

impl Program {
    pub(super) fn new(client: Client, seed: u64, losses: bool) -> Self {
        let mut random = Random::new(seed ^ 0xd21_7e2);
        let actions_left = 3 + random.below(40);
        let timing = (seed % 4 == 3).then(|| Random::new(seed ^ 0x71_3e));
        // The seeds that once found a bug go on to do what found it.
        let parting = (seed % 2 == 1 && !SEEDS_KEPT.contains(&seed)).then(|| Random::new(seed ^ 0x9a_27));
        let limiting = (seed % 3 == 1 && !SEEDS_KEPT.contains(&seed)).then(|| Random::new(seed ^ 0x11_317));
        let sourcing = has_sources(seed).then(|| Random::new(seed ^ 0x50_4ce));
        let mut losing = losses.then(|| Losing::new(seed, &client));
        let retires = seed % 7 == 5 && !SEEDS_KEPT.contains(&seed);
        let mut workers: Vec<Rank> = client.cluster().workers().map(|worker| worker.rank).collect();
        if let (Some(losing), true, Some(kept)) = (&mut losing, retires, workers.pop()) {
            // One is neither lost nor retired.
            losing.ranks.retain(|rank| *rank != kept.0);
        }
        let retiring = retires.then(|| (Random::new(seed ^ 0x4e_71), workers));
        let (entries, time_left) = (Vec::new(), u64::MAX);
        let damages = has_damage(seed);
        Self {
            client,
            random,
            entries,
            actions_left,
            parting,
            sourcing,
            timing,
            limiting,
            time_left,
            damages,
            losing,
            retiring,
        }
    }

    pub(super) fn chosen(&mut self) -> Chosen {
        let mut chosen = self.chosen_without_limit();
        if let Some(limiting) = &mut self.limiting
            && limiting.chance(1, 3)
        {
            chosen.limit(limiting);
        }
        chosen
    }

    pub(super) fn chosen_without_limit(&mut self) -> Chosen {
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
    pub(super) fn add(&mut self, hold: Hold, name: String, needs: &[usize], value: Vec<u64>) -> usize {
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
    pub(super) fn add_chosen(
        &mut self,
        hold: Hold,
        chosen: &Chosen,
        name: String,
        needs: &[usize],
        value: Vec<u64>,
    ) {
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

    pub(super) fn is_number(&self, place: usize) -> bool {
        matches!(self.entries[place].hold, Some(Hold::Number(_)))
    }

    pub(super) fn is_list(&self, place: usize) -> bool {
        matches!(self.entries[place].hold, Some(Hold::List(_)))
    }

    /// Up to `most` places of futures that are held, numbers or lists.
    pub(super) fn some(&mut self, most: u64, is: fn(&Self, usize) -> bool) -> Vec<usize> {
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

    pub(super) fn number_at(&self, place: usize) -> (Future<u64>, u64) {
        match &self.entries[place].hold {
            Some(Hold::Number(future)) => (future.clone(), self.entries[place].value[0]),
            other => panic!("{other:?} is no number"),
        }
    }

    pub(super) fn list_at(&self, place: usize) -> (Future<Vec<u64>>, Vec<u64>) {
        match &self.entries[place].hold {
            Some(Hold::List(future)) => (future.clone(), self.entries[place].value.clone()),
            other => panic!("{other:?} is no list"),
        }
    }

    /// Does the next thing.
    pub(super) fn act(&mut self) {
        self.actions_left -= 1;
        if self.parting.as_mut().is_some_and(|parting| parting.chance(1, 8)) {
            return self.submit_parts();
        }
        if self.limiting.as_mut().is_some_and(|limiting| limiting.chance(1, 10)) {
            return self.submit_patient();
        }
        if self.sourcing.as_mut().is_some_and(|sourcing| sourcing.chance(1, 5)) {
            return self.submit_chains();
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
    pub(super) fn pass_time(&mut self, simulation: &Simulation) {
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

    pub(super) fn submit_roots(&mut self) {
        let chosen = self.chosen();
        if self.random.chance(1, 2) {
            let future = self.client.with(&chosen.options).submit(constant, ());
            return self.add_chosen(Hold::Number(future), &chosen, name(&constant), &[], vec![42]);
        }
        let count = self.random.below(12);
        let items = (0..count).map(|index| (number(index), 1));
        for (index, future) in (0..).zip(self.client.with(&chosen.options).map(add, items)) {
            let value = vec![number(index).wrapping_add(1)];
            self.add_chosen(Hold::Number(future), &chosen, name(&add), &[], value);
        }
    }

    pub(super) fn submit_large(&mut self) {
        let (chosen, count) = (self.chosen(), self.random.below(6));
        let sizes: Vec<u64> = (0..count).map(|_| self.random.below(90)).collect();
        let items = sizes.iter().map(|size| (*size, *size));
        for (size, future) in sizes.iter().zip(self.client.with(&chosen.options).map(grow, items)) {
            self.add_chosen(Hold::List(future), &chosen, name(&grow), &[], grow(*size, *size));
        }
    }

    /// One by one, with futures and values as arguments.
    pub(super) fn submit_sums(&mut self) {
        for place in self.some(5, Self::is_number) {
            let (chosen, (future, value)) = (self.chosen(), self.number_at(place));
            let by_value = self.random.below(9);
            let submitted = match self.random.chance(1, 2) {
                true => self.client.with(&chosen.options).submit(add, (&future, by_value)),
                false => self.client.with(&chosen.options).submit(add, (by_value, future)),
            };
            let value = vec![value.wrapping_add(by_value)];
            self.add_chosen(Hold::Number(submitted), &chosen, name(&add), &[place], value);
        }
    }

    pub(super) fn submit_pairs(&mut self) {
        let (left, right) = (self.some(6, Self::is_number), self.some(6, Self::is_number));
        let pairs: Vec<(usize, usize)> = left.into_iter().zip(right).collect();
        let items: Vec<_> = pairs.iter().map(|(a, b)| (self.number_at(*a).0, self.number_at(*b).0)).collect();
        let chosen = self.chosen();
        for ((a, b), future) in pairs.into_iter().zip(self.client.with(&chosen.options).map(add, items)) {
            let value = vec![self.number_at(a).1.wrapping_add(self.number_at(b).1)];
            self.add_chosen(Hold::Number(future), &chosen, name(&add), &[a, b], value);
        }
    }

    /// Tasks that take a list, and tasks that take a list of futures of numbers.
    pub(super) fn submit_lists(&mut self) {
        let chosen = self.chosen();
        if self.random.chance(1, 2) {
            let places = self.some(8, Self::is_number);
            let (futures, values): (Vec<_>, Vec<_>) =
                places.iter().map(|place| self.number_at(*place)).unzip();
            let future = self.client.with(&chosen.options).submit(sum, &futures);
            return self.add_chosen(Hold::Number(future), &chosen, name(&sum), &places, vec![sum(&values)]);
        }
        let places = self.some(6, Self::is_list);
        let futures: Vec<_> = places.iter().map(|place| self.list_at(*place).0).collect();
        for (place, future) in places.into_iter().zip(self.client.with(&chosen.options).map(sum, futures)) {
            let value = vec![sum(&self.list_at(place).1)];
            self.add_chosen(Hold::Number(future), &chosen, name(&sum), &[place], value);
        }
    }

    pub(super) fn submit_merges(&mut self) {
        let (chosen, places) = (self.chosen(), self.some(5, Self::is_list));
        let (futures, values): (Vec<_>, Vec<_>) = places.iter().map(|place| self.list_at(*place)).unzip();
        let future = self.client.with(&chosen.options).submit(merge, futures);
        self.add_chosen(Hold::List(future), &chosen, name(&merge), &places, values.concat());
    }

    /// Chains whose tasks each need a source. All sources come first; some are needed by several chains. What is
    /// not kept is dropped at once or, with the other futures, at some time.
    pub(super) fn submit_chains(&mut self) {
        let chosen = self.chosen();
        let mut random = self.sourcing.take().expect("there are chains");
        let (count, chains) = (1 + random.below(12), 1 + random.below(3));
        let futures = self.client.with(&chosen.options).map(add, (0..count).map(|index| (number(index), 1)));
        let first = self.entries.len();
        for (index, future) in (0..).zip(futures) {
            let value = vec![number(index).wrapping_add(1)];
            self.add_chosen(Hold::Number(future), &chosen, name(&add), &[], value);
        }
        let sources: Vec<usize> = (first..self.entries.len()).collect();
        for _ in 0..chains {
            let before = self.some(1, Self::is_number).pop();
            let mut last = before.unwrap_or(sources[0]);
            for source in sources.iter().copied().filter(|source| Some(*source) != before) {
                if random.chance(1, 8) {
                    continue;
                }
                let (chosen, (one, a), (other, b)) =
                    (self.chosen(), self.number_at(last), self.number_at(source));
                let future = self.client.with(&chosen.options).submit(add, (one, other));
                let value = vec![a.wrapping_add(b)];
                let needs = [last, source];
                self.add_chosen(Hold::Number(future), &chosen, name(&add), &needs, value);
                last = self.entries.len() - 1;
            }
        }
        // Most futures go at once, so that nobody wants the sources.
        let kept = random.below(4);
        for place in first..self.entries.len() {
            if !random.chance(kept, 8) {
                self.entries[place].hold = None;
            }
        }
        self.sourcing = Some(random);
    }

    /// Tasks that take parts of lists.
    pub(super) fn submit_parts(&mut self) {
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
        let submitted = submit_parts(&self.client.with(&options), &futures, &parts);
        for (future, parts) in submitted.into_iter().zip(parts) {
            let taken = parts.iter().zip(&lists).flat_map(|((from, step, count), (_, list))| {
                (0..*count as i64).map(move |place| list[(*from as i64 + step * place) as usize])
            });
            let value = taken.collect();
            self.add_chosen(Hold::List(future), &chosen, String::new(), &places, value);
        }
    }

    /// Arguments that are too large to travel with the task.
    pub(super) fn submit_extended(&mut self) {
        let (chosen, values) = (self.chosen(), grow(self.random.below(9), self.random.below(90)));
        for place in self.some(2, Self::is_number) {
            let (future, value) = self.number_at(place);
            let future = self.client.with(&chosen.options).submit(extend, (values.clone(), future));
            let value = extend(values.clone(), value);
            self.add_chosen(Hold::List(future), &chosen, name(&extend), &[place], value);
        }
    }

    pub(super) fn hand_out(&mut self) {
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

    pub(super) fn submit_flaky(&mut self) {
        let (chosen, failures) = (self.chosen(), self.random.below(4) as u32);
        let count = 1 + self.random.below(3);
        let items = (0..count).map(|x| (x, if x == 1 { 0 } else { failures }));
        let futures = self.client.with(&chosen.options).map(flaky, items);
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

    pub(super) fn submit_nested(&mut self) {
        let chosen = self.chosen();
        let count = 1 + self.random.below(4);
        let depth = self.random.below(3);
        let futures = self.client.with(&chosen.options).map(nest, (0..count).map(|x| (x, depth)));
        for (x, future) in (0..).zip(futures) {
            self.add_chosen(Hold::Number(future), &chosen, name(&nest), &[], vec![nested(x, depth)]);
        }
    }

    pub(super) fn submit_patient(&mut self) {
        let mut chosen = self.chosen_without_limit();
        if let Some(limiting) = &mut self.limiting {
            chosen.limit(limiting);
        }
        let future = self.client.with(&chosen.options).submit(patient, 7);
        self.add_chosen(Hold::Number(future), &chosen, name(&patient), &[], vec![7]);
        if chosen.refusal.is_none() {
            let entry = self.entries.last_mut().expect("just added");
            entry.fate = Fate::Fails(entry.overdue(Some(chosen.retries + 1)));
        }
    }

    pub(super) fn submit_placed(&mut self) {
        let chosen = self.chosen();
        for place in self.some(3, Self::is_number) {
            let (future, value) = self.number_at(place);
            let arguments = (future, chosen.ranks.clone());
            let future = self.client.with(&chosen.options).submit(placed, arguments);
            self.add_chosen(Hold::Number(future), &chosen, name(&placed), &[place], vec![value]);
        }
    }

    pub(super) fn run_everywhere(&mut self) {
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

    pub(super) fn cancel(&mut self) {
        for place in self.some(4, Self::is_number) {
            self.entries[place].is_cancelled = true;
            self.number_at(place).0.cancel();
        }
        for place in self.some(1, Self::is_list) {
            self.entries[place].is_cancelled = true;
            self.list_at(place).0.cancel();
        }
    }

    pub(super) fn drop_some(&mut self) {
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

    pub(super) fn prefetch(&mut self) {
        for place in self.some(3, Self::is_list) {
            prefetch(&self.list_at(place).0);
        }
    }

    pub(super) fn read(&mut self) {
        let mut places = self.some(4, Self::is_number);
        places.extend(self.some(3, Self::is_list));
        places.into_iter().for_each(|place| self.entries[place].is_read = true);
    }

    /// Looks for the answers that somebody waits for.
    pub(super) fn poll(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.is_read) {
            let Some(hold) = &entry.hold else { continue };
            let Some(result) = hold.poll(&mut entry.asked) else { continue };
            entry.is_read = false;
            let answer = match result {
                Ok(value) => Ok(value),
                Err(Error::Task(error)) => Err((*error).clone()),
                // It was made, and lost before it was read.
                Err(Error::Decode(words)) if self.damages && words.to_string().contains(DAMAGED) => {
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
    pub(super) fn unanswered(&self) -> Option<TaskId> {
        let waits = |entry: &&Entry| entry.hold.is_some() && entry.answer.is_none();
        self.entries.iter().find(waits).map(|entry| entry.id)
    }

    /// Compares all answers with the model.
    pub(super) fn check(&self) {
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
                        // Who needed it before it was lost, and made again of what is damaged, has a value.
                        known.push((has_value && self.losing.is_some(), vec![Failure::of(error)]));
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

    /// What is possible for each task, whatever was answered.
    pub(super) fn model(&self) -> Vec<(bool, Vec<Failure>)> {
        let mut known = Vec::new();
        for entry in &self.entries {
            known.push(self.possible(entry, &known));
        }
        known
    }

    /// Whether a task is a value that was given, or needs one.
    pub(super) fn needs_given(&self, place: usize) -> bool {
        let entry = &self.entries[place];
        entry.name == "a value" || entry.needs.iter().any(|need| self.needs_given(*need))
    }

    /// Whether a task may have a value, and how it may fail, given the same of what it needs.
    pub(super) fn possible(&self, entry: &Entry, known: &[(bool, Vec<Failure>)]) -> (bool, Vec<Failure>) {
        let (mut has_value, mut failures) = entry.possible(known, self.time_left);
        let is_nobody_left = match (&self.losing, &self.retiring) {
            (None, None) => return (has_value, failures),
            (Some(losing), None) => losing.ranks.is_empty(),
            (_, Some(_)) => false,
        };
        if entry.is_bound || is_nobody_left {
            failures.extend([Reason::Lost, Reason::NoWorker].map(|reason| Failure {
                reason,
                function: entry.name.clone(),
                dependents: Vec::new(),
                words: String::new(),
                attempts: None,
            }));
        }
        if self.losing.is_none() {
            return (has_value, failures);
        }
        if let Fate::Fails(failure @ Failure { reason: Reason::Panic, .. }) = &entry.fate {
            // An attempt that came to nothing with its worker counts, too.
            has_value |= entry.needs.iter().all(|need| known[*need].0);
            let failure = Failure { words: "attempt ".into(), attempts: None, ..failure.clone() };
            failures.push(failure);
        }
        (has_value, failures)
    }

    /// Retires a worker now and then, but not all.
    pub(super) fn retire(&mut self) {
        let Some((random, left)) = &mut self.retiring else { return };
        let kept = usize::from(self.losing.is_none());
        if left.len() > kept && random.chance(1, 8) {
            let rank = left.swap_remove(random.below(left.len() as u64) as usize);
            self.client.retire_workers(&[rank]);
        }
    }

    /// Lets a worker be lost, if it is time.
    pub(super) fn lose(&mut self, simulation: &mut Simulation) {
        let Some(losing) = &mut self.losing else { return };
        if let Some(rank) = losing.next() {
            let silent = losing.random.chance(1, 3);
            simulation.lose(rank, silent);
        }
    }
}

/// Whether bits flip on the disks of a seed's workers.
pub(super) fn has_damage(seed: u64) -> bool {
    seed % 5 == 2 && !SEEDS_KEPT.contains(&seed)
}

/// Whether a seed has chains of tasks that need sources, which are held back.
pub(super) fn has_sources(seed: u64) -> bool {
    seed.is_multiple_of(3) && !SEEDS_KEPT.contains(&seed)
}
