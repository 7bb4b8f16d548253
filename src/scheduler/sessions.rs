//! Sessions: clients that come and go while the cluster stands.
//!
//! A session is a client with a rank beyond those of the cluster. When it ends, its futures are dropped as if it had
//! dropped them itself; its tasks that run end first. Once nothing of it is known, all ranks are told
//! ([`Message::SessionForgotten`]).

use super::{
    Scheduler,
    table::{LayerSlot, for_each_need},
    turns::Lane,
};
use crate::{
    ids::{TaskId, Tasks},
    message::{Layer, Message},
    rank::{Rank, driver_of},
};
use smallvec::SmallVec;

impl Scheduler {
    /// The ranks that may have submitted tasks: those of the cluster, and sessions.
    pub(super) fn clients(&self) -> impl Iterator<Item = Rank> + '_ {
        (0..self.worker_of.len() as u32).map(Rank).chain(self.sessions.iter().copied())
    }

    /// The tasks of a session of which there is a record.
    #[cfg(feature = "testing")]
    pub(crate) fn records_of(&self, session: Rank) -> impl Iterator<Item = TaskId> + '_ {
        self.pages.of(session).map(|slot| self.tasks[slot].id)
    }

    /// Whether a client is there no more.
    pub(super) fn is_gone(&self, client: Rank) -> bool {
        let is_session = client.index() >= self.worker_of.len();
        self.is_lost(client) || is_session && !self.sessions.contains(&client)
    }

    /// A session begins. It is told which ranks are lost.
    pub(super) fn begin_session(&mut self, session: Rank) {
        self.sessions.insert(session);
        self.turns.open(session);
        // It gives nothing to those that are lost already.
        let lost = self.lineage.iter().flat_map(|lineage| lineage.lost_ranks());
        self.out.extend(lost.map(|rank| (session, Message::Lost(rank))));
    }

    /// The lane of what a rank submits.
    pub(super) fn lane(&self, owner: Rank) -> Lane {
        Some(owner).filter(|owner| owner.index() >= self.worker_of.len())
    }

    /// Whether a layer of a session needs only what is known, and has new numbers. If not, the session is dismissed: to
    /// go on with its tables would be to go on with wrong ones.
    pub(super) fn is_sound(&mut self, layer: &Layer) -> bool {
        let owner = layer.tasks.first.owner();
        if self.lane(owner).is_none() {
            return true;
        }
        if !self.are_new(layer.tasks) {
            return false;
        }
        for index in 0..layer.tasks.count {
            let mut needs: SmallVec<[TaskId; 8]> = SmallVec::new();
            for_each_need(layer, index, |need| needs.push(need));
            // A task may need those before it in its layer.
            let own = layer.tasks.first..layer.tasks.first.plus(index);
            needs.retain(|need| !own.contains(need));
            if let Some(unknown) = needs.into_iter().find(|need| self.record(*need).is_none()) {
                self.dismiss(owner, format!("its tasks need task {unknown:?}, which is not known"));
                return false;
            }
        }
        true
    }

    /// Whether numbers of a session's tasks are new. If not, it is dismissed.
    pub(super) fn are_new(&mut self, tasks: Tasks) -> bool {
        let owner = tasks.first.owner();
        if self.lane(owner).is_none() {
            return true;
        }
        let last = tasks.first.plus(tasks.count.max(1) - 1);
        let is_taken = |layer: LayerSlot| {
            let known = self.layers[layer].layer.tasks;
            known.first.owner() == owner && known.first.plus(known.count) > tasks.first
        };
        let is_new = !self.layer_index.before(last).is_some_and(is_taken) && !self.pages.has_any(tasks);
        if !is_new {
            self.dismiss(owner, format!("it numbered tasks {tasks:?} twice"));
        }
        is_new
    }

    fn dismiss(&mut self, session: Rank, reason: String) {
        let reason = format!("the cluster has ended this session: {reason}");
        let keeper = driver_of(self.worker_of.len() as u32);
        self.out.push((keeper, Message::Dismiss { session, reason }));
    }

    /// Drops all futures of a session.
    pub(super) fn end_session(&mut self, session: Rank) {
        self.sessions.remove(&session);
        self.turns.close(session);
        self.room.forget(session);
        self.ended_sessions.insert(session);
        // What has no record is dropped layer by layer, the rest task by task.
        let layers: Vec<Tasks> =
            self.layer_index.of(session).map(|slot| self.layers[slot].layer.tasks).collect();
        layers.into_iter().for_each(|tasks| self.release(session, tasks));
        self.let_go_of_others(session);
        let own: Vec<TaskId> = self.pages.of(session).map(|slot| self.tasks[slot].id).collect();
        own.into_iter().for_each(|task| self.let_go_of(session, task));
    }

    /// Tells all ranks of sessions of which nothing is known any more.
    pub(super) fn forget_sessions(&mut self) {
        if self.ended_sessions.is_empty() {
            return;
        }
        let is_known = |session: &Rank| {
            self.pages.of(*session).next().is_some() || self.layer_index.of(*session).next().is_some()
        };
        let forgotten: Vec<Rank> =
            self.ended_sessions.iter().copied().filter(|session| !is_known(session)).collect();
        for session in forgotten {
            self.ended_sessions.remove(&session);
            self.room.forget_client(session);
            for rank in 0..self.worker_of.len() as u32 {
                self.out.push((Rank(rank), Message::SessionForgotten(session)));
            }
        }
    }
}
