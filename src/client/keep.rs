//! What a client does where its run has a journal: it knows its tasks by their keys, and submits those only
//! whose results no earlier run has left.

use super::{
    Client,
    table::{Table, Tracked},
};
use crate::{
    journal::{self, Journal, Kept, Key, key},
    message::{Column, Finished, Layer, Options, ToClient},
    packed::Packed,
    value::{Value, to_bytes},
};
use std::sync::Arc;

impl Client {
    /// How many tasks that this client submitted were not run, since the run's
    /// [`journal`](crate::Builder::journal) had their results.
    pub fn restored_count(&self) -> u64 {
        self.shared.journal.as_ref().map_or(0, |journal| journal.restored_count())
    }

    /// Whether the run has a journal.
    pub(crate) fn has_journal(&self) -> bool {
        self.shared.journal.is_some()
    }

    /// Notes what the journal knows values by that were given.
    pub(super) fn set_keys_of_small(&self, tracked: &Tracked, values: &Packed) {
        if self.shared.journal.is_some() {
            tracked.set_keys(values.iter().map(|bytes| Some(key::of_value(&[], bytes))).collect());
        }
    }

    /// Notes what the journal knows a value by that was given.
    pub(super) fn set_key_of_large(&self, tracked: &Tracked, value: &Value) {
        if self.shared.journal.is_some() {
            let key = value.to_wire().ok().map(|(head, body)| key::of_value(&head, body.as_slice()));
            tracked.set_keys(vec![key]);
        }
    }

    /// Submits those tasks of a layer whose results the journal does not have, and answers the others with
    /// these. Returns whether nothing else was waiting to be said.
    pub(super) fn submit_what_is_missing(
        &self,
        journal: &Journal,
        tracked: &Tracked,
        mut layer: Layer,
    ) -> bool {
        let table = self.table();
        let keys = key::of_layer(&layer, |task| table.key_of(task));
        tracked.set_keys(keys.clone());
        let is_kept = layer.options.as_ref().is_some_and(|options| options.is_kept);
        if !is_kept {
            return table.submit(layer);
        }
        if keys.contains(&None) {
            tracing::warn!(
                "tasks of {} are not kept in the journal, as what they need has no key",
                layer.name()
            );
            if let Some(options) = &mut layer.options {
                options.is_kept = false;
            }
            return table.submit(layer);
        }
        let keys: Vec<Key> = keys.into_iter().flatten().collect();
        layer.columns.push(Column::Each(keys.iter().map(|key| key.0.as_slice()).collect()));
        let is_first = !table.has_requests();
        let kept: Vec<Option<Kept>> = keys.into_iter().map(|key| journal.find(key, layer.code)).collect();
        let mut first = 0;
        for group in kept.chunk_by(|a, b| kind(a) == kind(b)) {
            submit_group(table, layer.slice(first, group.len() as u32), group);
            first += group.len() as u32;
        }
        is_first
    }

    /// Lets nothing be sent while `submit` submits, if there is a journal: what only tasks need whose results
    /// it has is released again before anybody begins it.
    pub(crate) fn submit_together<T>(&self, submit: impl FnOnce() -> T) -> T {
        struct Together(Option<Arc<Table>>);
        impl Drop for Together {
            fn drop(&mut self) {
                self.0.iter().for_each(|table| table.go_on());
            }
        }
        // Later it could not wait, since what is held back does not begin.
        self.wait_for_room();
        let table = self.shared.journal.as_ref().map(|_| Arc::clone(self.table()));
        table.iter().for_each(|table| table.hold_back());
        let _together = Together(table);
        submit()
    }
}

fn kind(kept: &Option<Kept>) -> u8 {
    match kept {
        None => 0,
        Some(Kept::Small(_)) => 1,
        Some(Kept::At(_)) => 2,
    }
}

/// Submits or answers tasks that are of one kind.
fn submit_group(table: &Arc<Table>, mut layer: Layer, group: &[Option<Kept>]) {
    let (mut values, mut locations) = (Packed::default(), Packed::default());
    for kept in group.iter().flatten() {
        match kept {
            Kept::Small(bytes) => values.push(bytes),
            Kept::At(location) => {
                let bytes = to_bytes(&location);
                locations.push(&bytes);
            }
        }
    }
    if !values.is_empty() {
        let finished = Finished { first: layer.tasks.first, values };
        table.give(finished.clone());
        return table.handle(ToClient::Finished(finished));
    }
    if !locations.is_empty() {
        // They need nothing but a place to read to.
        let label = Some(layer.name());
        let asked = layer.options.take().map(|options| *options).unwrap_or_default();
        let (priority, workers, allow_other) = (asked.priority, asked.workers, asked.allow_other);
        let options = Options { priority, workers, allow_other, label, ..Options::default() };
        layer.options = Some(Box::new(options));
        layer.code = journal::code();
        layer.columns = vec![Column::Each(locations)];
    }
    table.submit(layer);
}
