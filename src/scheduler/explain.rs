//! What the scheduler knows of a task, and of everything, for people who ask.

use super::{
    Scheduler,
    table::{LayerSlot, NONE, State, WorkerIndex, for_each_need},
};
use crate::{
    ids::TaskId,
    message::{LayerState, SchedulerState, Standing, Story, WorkerState},
    rank::Rank,
};

/// How many inputs that are missing are named.
const NAMED_MAX: usize = 8;

impl Scheduler {
    /// How a task stands. `None` if nobody wants it any more.
    pub(crate) fn story(&self, id: TaskId) -> Option<Story> {
        let (layer, standing) = match self.pages.get(id) {
            None => (self.layer_of(id)?, Standing::Withheld { before: self.load().0 }),
            Some(slot) => (self.tasks[slot].layer, self.standing(slot)),
        };
        let name = self.layer_name(layer);
        let options = self.layer_options(layer);
        let (workers, resources) =
            options.map(|options| (options.workers.clone(), options.resources.clone())).unwrap_or_default();
        Some(Story { task: id, name, workers, resources, standing })
    }

    fn layer_of(&self, id: TaskId) -> Option<LayerSlot> {
        let slot = self.layer_index.before(id)?;
        self.layers[slot].layer.tasks.contains(id).then_some(slot)
    }

    /// Values that a client gave are of no layer.
    fn layer_name(&self, layer: LayerSlot) -> String {
        if layer == NONE { "a value that was given".into() } else { self.layers[layer].name() }
    }

    fn layer_options(&self, layer: LayerSlot) -> Option<&crate::message::Options> {
        if layer == NONE { None } else { self.layers[layer].layer.options.as_deref() }
    }

    fn rank_of(&self, worker: WorkerIndex) -> Option<Rank> {
        self.workers.get(worker as usize).map(|worker| worker.spec.rank)
    }

    fn standing(&self, slot: u32) -> Standing {
        let task = &self.tasks[slot];
        let rank = self.rank_of(task.worker);
        match task.state {
            State::Withheld if task.is_aside => Standing::Aside,
            State::Withheld => Standing::Withheld { before: self.load().0 },
            State::Waiting => self.waiting(slot),
            // It was given out early.
            State::Assigned if task.missing > 0 => self.waiting(slot),
            State::Ready => Standing::Ready { before: self.load().0 },
            State::Assigned => match rank {
                Some(rank) => Standing::Assigned { rank, attempt: task.attempt.into() },
                None => Standing::Ready { before: self.load().0 },
            },
            State::Small => Standing::Done { rank, bytes: task.small.len() as u64 },
            State::Held => Standing::Done { rank, bytes: task.size.bytes },
            State::Released | State::Failed | State::Abandoned => Standing::Failed,
        }
    }

    fn waiting(&self, slot: u32) -> Standing {
        Standing::Waiting { count: self.tasks[slot].missing, inputs: self.missing_inputs(slot) }
    }

    /// The first inputs that a task waits for, and where they are.
    fn missing_inputs(&self, slot: u32) -> Vec<(TaskId, String, Option<Rank>)> {
        let task = &self.tasks[slot];
        let layer = &self.layers[task.layer].layer;
        let mut inputs: Vec<(TaskId, String, Option<Rank>)> = Vec::new();
        for_each_need(layer, (task.id.0 - layer.tasks.first.0) as u32, |id| {
            if inputs.len() >= NAMED_MAX || inputs.iter().any(|(known, ..)| *known == id) {
                return;
            }
            match self.pages.get(id).map(|slot| &self.tasks[slot]) {
                Some(input) if input.is_ended() => {}
                Some(input) => {
                    let runs_on = self.rank_of(input.worker).filter(|_| input.state == State::Assigned);
                    inputs.push((id, self.layer_name(input.layer), runs_on));
                }
                None => {
                    let name = self.layer_of(id).map_or_else(String::new, |layer| self.layer_name(layer));
                    inputs.push((id, name, None));
                }
            }
        });
        inputs
    }

    /// Everything at once: layers, and what each worker has.
    pub(crate) fn state(&self) -> SchedulerState {
        let (waiting, assigned) = self.load();
        let layer = |(_, record): (u32, &super::LayerRecord)| LayerState {
            name: record.name(),
            first: record.layer.tasks.first,
            count: record.layer.tasks.count,
            withheld_from: record.cursor,
            live: record.live,
        };
        let worker = |worker: &super::Worker| WorkerState {
            rank: worker.spec.rank,
            outstanding: worker.outstanding,
            blocked: worker.blocked,
            held_bytes: worker.held_bytes,
            queued: worker.queue.len() as u64,
            pinned: worker.pinned.len() as u64,
            available: worker.available.clone(),
            yielding: worker.yielding,
        };
        SchedulerState {
            records: self.tasks.len() as u64,
            waiting,
            assigned,
            layers: self.layers.iter().map(layer).collect(),
            workers: self.workers.iter().map(worker).collect(),
        }
    }
}
