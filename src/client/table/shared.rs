//! Tasks that this client has looked up in the catalog of publications: it holds them beside those that submitted them.
//!
//! The scheduler counts each time that a client looks a task up, and each time that it lets go. Here one [`Tracked`]
//! stands for a task, however often it was looked up, so that its last future lets go once; the other times are given
//! back at once.

use super::{Progress, Table, Tracked};
use crate::{
    ids::{TaskId, Tasks},
    lock::lock,
    message::CatalogAnswer,
};
use std::sync::{Arc, atomic::Ordering};

/// What the catalog has answered.
pub(crate) struct Answered {
    pub(crate) answer: CatalogAnswer,
    /// The tasks that were found, each with its place among those tracked together. Each counts as a future.
    pub(crate) tasks: Vec<(Arc<Tracked>, u32)>,
}

impl Tracked {
    /// A future more, maybe the first one again. Returns whether there was one.
    fn add_reference_again(&self, index: u32) -> bool {
        // Under this lock nobody takes it for dropped meanwhile.
        let mut progress = lock(&self.progress);
        let was_held = self.references[index as usize].fetch_add(1, Ordering::AcqRel) > 0;
        let progress = &mut progress[index as usize];
        if matches!(progress, Progress::Dropped) {
            *progress = Progress::Pending;
            if let Some(table) = self.table.upgrade() {
                table.pending.fetch_add(1, Ordering::Relaxed);
            }
        }
        was_held
    }
}

impl Table {
    /// Takes in an answer of the catalog. How the tasks stand that it has found follows.
    pub(super) fn catalog_answers(&self, question: u64, answer: CatalogAnswer) {
        let found = match &answer {
            CatalogAnswer::Found(Some(publication)) => publication.tasks.clone(),
            _ => Vec::new(),
        };
        let tasks = found.into_iter().flat_map(Tasks::iter).map(|task| self.hold(task)).collect();
        self.state().catalog.insert(question, Answered { answer, tasks });
    }

    /// What the catalog has answered, once.
    pub(crate) fn take_catalog_answer(&self, question: u64) -> Option<Answered> {
        self.state().catalog.remove(&question)
    }

    /// The scheduler has noted that this client holds a task once more.
    fn hold(&self, task: TaskId) -> (Arc<Tracked>, u32) {
        let found = self.find(task);
        let (tracked, index) = found.unwrap_or_else(|| {
            let mut state = self.state();
            (self.track_these(&mut state, Tasks::one(task), &Progress::Pending), 0)
        });
        let was_held = tracked.add_reference_again(index);
        let mut state = self.state();
        // Its release waits for its value to arrive: now it is not released.
        let is_held_yet = state.release_later.remove(&task);
        if was_held || is_held_yet {
            Tasks::push(&mut state.released, task);
        }
        drop(state);
        (tracked, index)
    }

    /// Whether other ranks have yet to fetch values of this client's own.
    pub(crate) fn is_lending(&self) -> bool {
        !self.state().lent.is_empty()
    }
}
