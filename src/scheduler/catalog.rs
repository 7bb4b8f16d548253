//! Values that are published under a name, and who holds values that others have submitted.
//!
//! A value without an entry here is held by the rank that submitted it, or by nobody. A value with one is held by its
//! submitter, by names, and by ranks that have looked one of these up; it is wanted until the last of them lets go.

use super::{
    Scheduler,
    table::{NONE, Slot, State},
};
use crate::{
    error::{Reason, TaskError},
    ids::{TaskId, Tasks},
    message::{CatalogAnswer, CatalogRequest, Finished, Held, Publication, Published, ToClient},
    rank::Rank,
};
use smallvec::SmallVec;
use std::{collections::BTreeMap, sync::Arc};

/// The names, and the values with several holders.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    names: BTreeMap<String, (Rank, Publication)>,
    shared: BTreeMap<TaskId, Holders>,
}

/// Who holds a value.
#[derive(Debug)]
struct Holders {
    /// Whether the rank that submitted it does.
    has_submitter: bool,
    /// How many names do.
    names: u32,
    /// Ranks that have looked it up, as often as they did and have not let go.
    readers: SmallVec<[Rank; 2]>,
}

impl Holders {
    fn is_empty(&self) -> bool {
        !self.has_submitter && self.names == 0 && self.readers.is_empty()
    }

    /// Whether nobody but its submitter holds the value.
    fn is_usual(&self) -> bool {
        self.has_submitter && self.names == 0 && self.readers.is_empty()
    }
}

impl Catalog {
    /// How many names and shared values there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.names.len(), self.shared.len())
    }

    /// A rank lets go of a value. Returns whether nobody holds it any more.
    fn let_go(&mut self, task: TaskId, rank: Rank) -> bool {
        if !self.shared.contains_key(&task) {
            return task.owner() == rank;
        }
        self.change(task, |holders| match holders.readers.iter().position(|reader| *reader == rank) {
            Some(place) => drop(holders.readers.swap_remove(place)),
            None => holders.has_submitter &= task.owner() != rank,
        })
    }

    /// Changes who holds a shared value. Returns whether nobody holds it any more.
    fn change(&mut self, task: TaskId, change: impl FnOnce(&mut Holders)) -> bool {
        let Some(holders) = self.shared.get_mut(&task) else { return true };
        change(holders);
        let is_empty = holders.is_empty();
        if is_empty || holders.is_usual() {
            self.shared.remove(&task);
        }
        is_empty
    }

    /// Whether a rank has submitted this value, and holds it still.
    fn is_kept_by(&self, task: TaskId, rank: Rank) -> bool {
        task.owner() == rank && self.shared.get(&task).is_none_or(|holders| holders.has_submitter)
    }

    /// The ranks beside its submitter that are to be told how a task stands.
    fn readers(&self, task: TaskId) -> SmallVec<[Rank; 2]> {
        let mut readers = self.shared.get(&task).map(|holders| holders.readers.clone()).unwrap_or_default();
        readers.sort_unstable();
        readers.dedup();
        readers.retain(|reader| *reader != task.owner());
        readers
    }
}

impl Scheduler {
    /// Does what a client asks of the catalog, and answers it.
    pub(super) fn ask_catalog(&mut self, source: Rank, question: u64, request: CatalogRequest) {
        let (mut found, answer) = match request {
            CatalogRequest::Publish { name, publication } => {
                (Vec::new(), self.publish(source, name, publication))
            }
            CatalogRequest::Unpublish { name } => (Vec::new(), CatalogAnswer::Done(self.unpublish(&name))),
            CatalogRequest::List => (Vec::new(), CatalogAnswer::All(self.publications())),
            CatalogRequest::Find { name } => {
                let publication = self.catalog.names.get(&name).map(|(_, publication)| publication.clone());
                let tasks = publication.as_ref().map(|found| found.tasks.clone()).unwrap_or_default();
                (tasks, CatalogAnswer::Found(publication))
            }
        };
        self.tell_client(source, ToClient::Catalog { question, answer });
        for task in found.drain(..).flat_map(Tasks::iter) {
            if let Some(holders) = self.catalog.shared.get_mut(&task) {
                holders.readers.push(source);
            }
            if let Some(slot) = self.pages.get(task) {
                self.tell_standing(source, slot);
            }
        }
    }

    fn publish(&mut self, source: Rank, name: String, publication: Publication) -> CatalogAnswer {
        if self.catalog.names.contains_key(&name) {
            return CatalogAnswer::Done(false);
        }
        let mut slots = Vec::new();
        for task in publication.tasks.iter().copied().flat_map(Tasks::iter) {
            match self.record(task) {
                Some(slot) if self.tasks[slot].wanted => slots.push((task, slot)),
                _ => return CatalogAnswer::Refused(format!("task {task:?} is not known")),
            }
        }
        for (task, _) in slots {
            let usual = || Holders { has_submitter: true, names: 0, readers: SmallVec::new() };
            self.catalog.shared.entry(task).or_insert_with(usual).names += 1;
        }
        self.catalog.names.insert(name, (source, publication));
        CatalogAnswer::Done(true)
    }

    fn unpublish(&mut self, name: &str) -> bool {
        let Some((_, publication)) = self.catalog.names.remove(name) else { return false };
        for task in publication.tasks.into_iter().flat_map(Tasks::iter) {
            if self.catalog.change(task, |holders| holders.names -= 1) {
                self.want_no_more(task);
            }
        }
        true
    }

    fn publications(&self) -> Vec<Published> {
        let bytes_of = |task: TaskId| {
            let task = &self.tasks[self.pages.get(task)?];
            Some(if task.state == State::Small { task.small.len() as u64 } else { task.size.bytes })
        };
        let published = |(name, (publisher, publication)): (&String, &(Rank, Publication))| Published {
            name: name.clone(),
            kind: publication.kind.clone(),
            publisher: *publisher,
            bytes: publication.tasks.iter().copied().flat_map(Tasks::iter).filter_map(bytes_of).sum(),
        };
        self.catalog.names.iter().map(published).collect()
    }

    /// A rank has dropped its futures of a task.
    pub(super) fn let_go_of(&mut self, source: Rank, task: TaskId) {
        if self.catalog.let_go(task, source) {
            self.want_no_more(task);
        }
    }

    /// Lets go of all that a rank holds of what others have submitted: it has ended.
    pub(super) fn let_go_of_others(&mut self, rank: Rank) {
        let is_held = |(task, holders): (&TaskId, &Holders)| {
            let count = holders.readers.iter().filter(|reader| **reader == rank).count();
            std::iter::repeat_n(*task, count)
        };
        let held: Vec<TaskId> = self.catalog.shared.iter().flat_map(is_held).collect();
        held.into_iter().for_each(|task| self.let_go_of(rank, task));
    }

    fn want_no_more(&mut self, task: TaskId) {
        if let Some(slot) = self.record(task) {
            self.tasks[slot].wanted = false;
            self.unneeded.push(slot);
        }
    }

    /// Tells those who hold a task that another rank has submitted how it stands now.
    pub(super) fn tell_readers(&mut self, slot: Slot) {
        if self.catalog.shared.is_empty() {
            return;
        }
        for reader in self.catalog.readers(self.tasks[slot].id) {
            self.tell_standing(reader, slot);
        }
    }

    /// Tells a client how a task has ended, if it has.
    fn tell_standing(&mut self, client: Rank, slot: Slot) {
        let task = &self.tasks[slot];
        let (id, size) = (task.id, task.size);
        let failed = |error: Arc<TaskError>| ToClient::Failed { tasks: vec![Tasks::one(id)], error };
        let message = match task.state {
            _ if self.errors.contains_key(&slot) => failed(Arc::clone(&self.errors[&slot])),
            State::Small => {
                let values = [task.small.as_slice()].into_iter().collect();
                ToClient::Finished(Finished { first: id, values })
            }
            State::Held if task.worker == NONE && !self.catalog.is_kept_by(id, client) => {
                failed(Arc::new(only_with_its_submitter(id)))
            }
            State::Held => ToClient::Stored(Held { task: id, holder: self.holder_of(task), size }),
            _ => return,
        };
        self.tell_client(client, message);
    }
}

/// A value that a session has scattered lies with that session alone once its worker is lost.
fn only_with_its_submitter(task: TaskId) -> TaskError {
    let message =
        format!("the workers that held it were lost, and sessions do not read from rank {}", task.owner());
    TaskError {
        reason: Reason::Lost,
        function: "a value that was given".into(),
        task: task.sequence(),
        rank: None,
        host: String::new(),
        message: TaskError::message(message),
        attempts: 0,
        dependents: Vec::new(),
    }
}
