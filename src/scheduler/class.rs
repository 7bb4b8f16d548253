//! Classes of layers: those that the same workers may run, and that take the same of them.
//!
//! What waits is kept apart by class. So a worker meets only what it may take, however many tasks wait
//! for others or for a resource. Most programs have one class, [`ANYWHERE`].

use super::{
    Worker,
    table::{Arena, Queue, Slot, Urgency, WorkerIndex},
    turns::{First, Lane, Roots, Turns},
};
use crate::{message::Options, rank::Rank};
use std::collections::BTreeMap;

/// The place of a class.
pub(super) type ClassIndex = u32;

/// The class of layers that any worker may run at any time.
pub(super) const ANYWHERE: ClassIndex = 0;

/// What some layers ask of a worker, and which of their tasks wait for any that has it.
#[derive(Debug, Default)]
pub(super) struct Class {
    asks: Asks,
    /// The workers that may run it; nothing where all may.
    eligible: Option<Box<[bool]>>,
    /// Tasks that are ready, and no nearer to one worker than to another.
    pub ready: Queue,
    /// Layers with withheld tasks.
    pub roots: Roots,
    /// How many layers are of this class; not counted where all workers may run it.
    layers: usize,
    /// Whether all workers that might run it were lost or retired.
    pub(super) is_nobodys: bool,
}

/// The options of a layer that choose its workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Asks {
    workers: Vec<Rank>,
    allow_other: bool,
    resources: Vec<(String, u32)>,
}

impl Class {
    /// What a task takes of its worker while it runs, by name.
    pub(super) fn resources(&self) -> &[(String, u32)] {
        &self.asks.resources
    }

    fn choose(&mut self, eligible: Option<Box<[bool]>>) {
        self.is_nobodys = eligible.as_ref().is_some_and(|eligible| !eligible.contains(&true));
        self.eligible = eligible;
    }

    /// Whether a worker may ever run it.
    pub(super) fn may_run_on(&self, worker: WorkerIndex) -> bool {
        self.eligible.as_ref().is_none_or(|eligible| eligible[worker as usize])
    }

    /// Whether a worker that may run it can do so now.
    pub(super) fn can_start_on(&self, worker: &Worker) -> bool {
        self.asks.resources.is_empty() || worker.has(&self.asks.resources)
    }
}

/// All classes that some layer is of, and [`ANYWHERE`].
#[derive(Debug)]
pub(super) struct Classes {
    classes: Arena<Class>,
    known: BTreeMap<Asks, ClassIndex>,
}

impl Default for Classes {
    fn default() -> Self {
        let mut classes = Arena::default();
        classes.insert(Class::default());
        Self { classes, known: BTreeMap::new() }
    }
}

impl Classes {
    /// The class of a layer with these options, which is counted in.
    ///
    /// # Errors
    ///
    /// Says what is missing if no worker can run the layer.
    pub(super) fn enter(
        &mut self,
        options: Option<&Options>,
        workers: &mut [Worker],
    ) -> Result<ClassIndex, String> {
        // Where each task has its worker, there is nothing to choose.
        if options.is_some_and(|options| options.one_each) {
            return Ok(ANYWHERE);
        }
        let asks_something = |it: &&Options| !(it.workers.is_empty() && it.resources.is_empty());
        let Some(options) = options.filter(asks_something) else {
            return match self.classes[ANYWHERE].is_nobodys {
                true => Err("all workers were lost or retired".into()),
                false => Ok(ANYWHERE),
            };
        };
        let asks = Asks {
            workers: options.workers.clone(),
            allow_other: options.allow_other,
            resources: options.resources.clone(),
        };
        let class = match self.known.get(&asks) {
            Some(class) => {
                if self.classes[*class].is_nobodys {
                    asks.eligible(workers)?;
                }
                *class
            }
            None => {
                let eligible = asks.eligible(workers)?;
                let class = Class { asks: asks.clone(), eligible, ..Class::default() };
                let index = self.classes.insert(class);
                for (place, worker) in workers.iter_mut().enumerate() {
                    if self.classes[index].may_run_on(place as WorkerIndex) {
                        worker.classes.push(index);
                    }
                }
                self.known.insert(asks, index);
                index
            }
        };
        self.classes[class].layers += 1;
        Ok(class)
    }

    /// A layer of the class is gone. The class goes with its last one.
    pub(super) fn leave(&mut self, class: ClassIndex, workers: &mut [Worker]) {
        if class == ANYWHERE {
            return;
        }
        self.classes[class].layers -= 1;
        if self.classes[class].layers == 0 {
            self.known.remove(&self.classes.remove(class).asks);
            for worker in workers {
                worker.classes.retain(|known| *known != class);
            }
        }
    }

    /// A worker was lost or retired: chooses anew who may run what. A class may be left that nobody may run.
    pub(super) fn choose_again(&mut self, workers: &mut [Worker]) {
        self.classes[ANYWHERE].choose(Asks::default().eligible(workers).unwrap_or_default());
        let anywhere = |worker: &Worker| if worker.is_retired { vec![] } else { vec![ANYWHERE] };
        workers.iter_mut().for_each(|worker| worker.classes = anywhere(worker));
        for (asks, index) in &self.known {
            let eligible = asks.eligible(workers).unwrap_or_else(|_| Some(vec![false; workers.len()].into()));
            let class = &mut self.classes[*index];
            class.choose(eligible);
            for (place, worker) in workers.iter_mut().enumerate() {
                if class.may_run_on(place as WorkerIndex) {
                    worker.classes.push(*index);
                }
            }
        }
    }

    /// Takes all that waits in classes.
    pub(super) fn take_ready(&mut self) -> Vec<Slot> {
        let classes = self.known.values().copied().chain([ANYWHERE]);
        let mut taken = Vec::new();
        for class in classes {
            let ready = &mut self.classes[class].ready;
            taken.extend(std::iter::from_fn(|| ready.pop(&Turns::default())));
        }
        taken
    }

    /// How many there are besides the one that is always there.
    pub(super) fn len(&self) -> usize {
        self.classes.len() - 1
    }
}

impl std::ops::Index<ClassIndex> for Classes {
    type Output = Class;
    fn index(&self, class: ClassIndex) -> &Class {
        &self.classes[class]
    }
}

impl std::ops::IndexMut<ClassIndex> for Classes {
    fn index_mut(&mut self, class: ClassIndex) -> &mut Class {
        &mut self.classes[class]
    }
}

impl Asks {
    /// Which workers may run a layer: nothing if all may, an error if none can.
    fn eligible(&self, workers: &[Worker]) -> Result<Option<Box<[bool]>>, String> {
        let takes_tasks = |worker: &Worker| !worker.is_lost && !worker.is_retired;
        let mut eligible: Vec<bool> = workers.iter().map(takes_tasks).collect();
        if !self.workers.is_empty() {
            let wanted: Vec<bool> = workers
                .iter()
                .map(|worker| takes_tasks(worker) && self.workers.contains(&worker.spec.rank))
                .collect();
            if wanted.contains(&true) {
                eligible = wanted;
            } else if !self.allow_other {
                let ranks: Vec<String> = self.workers.iter().map(Rank::to_string).collect();
                let is_retired = |it: &Worker| it.is_retired && self.workers.contains(&it.spec.rank);
                let or_retired = if workers.iter().any(is_retired) { ", or it was retired" } else { "" };
                return Err(format!("no worker has rank {}{or_retired}", ranks.join(" or ")));
            }
        }
        for (name, amount) in &self.resources {
            for (eligible, worker) in eligible.iter_mut().zip(workers) {
                *eligible &= worker.spec.resources.iter().any(|(has, total)| has == name && total >= amount);
            }
            if !eligible.contains(&true) {
                return Err(format!("no worker that may run it declares {name}={amount} or more"));
            }
        }
        Ok(eligible.contains(&false).then(|| eligible.into()))
    }
}

/// A worker's own tasks that are to run, by class: all are of classes that it may run.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// None of them is empty.
    queues: Vec<(ClassIndex, Queue)>,
    len: usize,
}

impl Queues {
    pub(super) fn push(&mut self, class: ClassIndex, lane: Lane, urgency: Urgency, level: u32, slot: Slot) {
        let place = self.queues.iter().position(|(known, _)| *known == class).unwrap_or_else(|| {
            self.queues.push((class, Queue::default()));
            self.queues.len() - 1
        });
        self.queues[place].1.push(lane, urgency, level, slot);
        self.len += 1;
    }

    /// What comes first among the classes that `can_start` lets pass, and its class.
    pub(super) fn first(
        &self,
        turns: &Turns,
        can_start: impl Fn(&ClassIndex) -> bool,
    ) -> Option<(First, ClassIndex)> {
        let startable = self.queues.iter().filter(|(class, _)| can_start(class));
        startable.filter_map(|(class, queue)| Some((queue.first(turns)?, *class))).max()
    }

    /// Takes what comes first in a class.
    pub(super) fn pop(&mut self, class: ClassIndex, turns: &Turns) -> Option<Slot> {
        let place = self.queues.iter().position(|(known, _)| *known == class)?;
        let slot = self.queues[place].1.pop(turns);
        if self.queues[place].1.is_empty() {
            self.queues.swap_remove(place);
        }
        self.len -= usize::from(slot.is_some());
        slot
    }

    /// Takes all.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Slot> + use<> {
        let mut queues = std::mem::take(self).queues;
        std::iter::from_fn(move || {
            let slot = queues.last_mut()?.1.pop(&Turns::default());
            if queues.last().is_some_and(|(_, queue)| queue.is_empty()) {
                queues.pop();
            }
            slot
        })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}
