//! Workers that are retired: they are given nothing any more, end what they have begun, and keep what they hold.

use super::{
    Scheduler,
    table::{Slot, State, Task, WorkerIndex},
};
use crate::rank::Rank;

impl Scheduler {
    /// Workers are to run no more tasks, but those that may run nowhere else. What they have not begun is given to
    /// others, or fails if no worker is left that may run it.
    pub(super) fn retire(&mut self, ranks: &[Rank]) {
        let workers: Vec<WorkerIndex> = ranks.iter().filter_map(|rank| self.worker_at(*rank)).collect();
        let mut queued = self.classes.take_ready();
        self.ready = 0;
        for worker in &workers {
            self.workers[*worker as usize].is_retired = true;
            self.forget_room_of(*worker);
            queued.extend(std::mem::take(&mut self.workers[*worker as usize].queue).take());
        }
        self.classes.choose_again(&mut self.workers);
        self.end_layers_without_workers();
        for slot in queued {
            if self.leave_queue(slot) {
                self.become_ready(slot);
            }
        }
        workers.iter().for_each(|worker| self.ask_back_all(*worker));
    }

    /// Asks a worker for all that it has not begun, and others may run.
    fn ask_back_all(&mut self, worker: WorkerIndex) {
        let is_asked_for = |task: &Task| {
            let is_assigned = task.worker == worker && task.state == State::Assigned && !task.cancelled;
            is_assigned && !self.layers[task.layer].layer.is_one_each()
        };
        let asked: Vec<Slot> =
            self.tasks.iter().filter(|(_, task)| is_asked_for(task)).map(|(slot, _)| slot).collect();
        asked.into_iter().for_each(|slot| self.ask_for(slot));
        self.offer(worker);
    }

    /// Takes a worker from the lists of those with something to spare.
    pub(super) fn forget_room_of(&mut self, worker: WorkerIndex) {
        let record = &mut self.workers[worker as usize];
        (record.in_idle, record.in_roomy, record.in_blocked, record.in_loaded) = (false, false, false, false);
        for list in [&mut self.idle, &mut self.roomy, &mut self.loaded] {
            list.retain(|listed| *listed != worker);
        }
        self.blocked.retain(|listed| *listed != worker);
    }
}
