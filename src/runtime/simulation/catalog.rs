//! The catalog of publications for simulated programs, which ask now and are answered later.

use crate::{
    Error,
    client::{
        Client,
        publish::{Publish, publication_of},
    },
    message::{CatalogAnswer, CatalogRequest},
};

/// What a client has asked the catalog.
#[derive(Debug)]
pub struct Question {
    client: Client,
    name: String,
    number: u64,
}

/// As [`Client::publish`], but does not wait: nothing as long as workers have yet to fetch values of the client.
///
/// # Panics
///
/// Panics if the value cannot be published.
pub fn publish<P: Publish>(client: &Client, name: &str, value: &P) -> Option<Question> {
    if client.table().is_lending() {
        return None;
    }
    let parts = value.to_published().expect("futures can be published");
    let publication = publication_of::<P>(&parts);
    Some(ask(client, name, CatalogRequest::Publish { name: name.into(), publication }))
}

/// As [`Client::unpublish`], but does not wait.
pub fn unpublish(client: &Client, name: &str) -> Question {
    ask(client, name, CatalogRequest::Unpublish { name: name.into() })
}

/// As [`Client::published`], but does not wait.
pub fn find(client: &Client, name: &str) -> Question {
    ask(client, name, CatalogRequest::Find { name: name.into() })
}

fn ask(client: &Client, name: &str, request: CatalogRequest) -> Question {
    let number = client.begin_to_ask(request);
    Question { client: client.clone(), name: name.into(), number }
}

impl Question {
    /// Whether it was done, once that is known.
    ///
    /// # Panics
    ///
    /// Panics if it was refused.
    pub fn done(&self) -> Option<bool> {
        match self.client.table().take_catalog_answer(self.number)?.answer {
            CatalogAnswer::Done(was_done) => Some(was_done),
            other => panic!("{}: {other:?}", self.name),
        }
    }

    /// What was found, once that is known: nothing if it is not there.
    ///
    /// # Panics
    ///
    /// Panics if it is of another type.
    pub fn found<P: Publish>(&self) -> Option<Option<P>> {
        let answered = self.client.table().take_catalog_answer(self.number)?;
        if matches!(answered.answer, CatalogAnswer::Found(None)) {
            return Some(None);
        }
        let found: Result<P, Error> = self.client.found(&self.name, answered);
        Some(Some(found.unwrap_or_else(|error| panic!("{}: {error}", self.name))))
    }
}
