//! Values under a name: they outlive the session that has published them, and other clients look them up.

use super::{
    Client, Future,
    table::{Answered, Request},
};
use crate::{
    error::{DecodeErrorKind, Error, Result},
    ids::Tasks,
    message::{CatalogAnswer, CatalogRequest, Message, Publication, Published, ToScheduler},
    rank::Rank,
    value::Data,
};
use std::any::type_name;

/// What can be [published](Client::publish), and what a [repeated](Client::repeat) step takes and gives: a future, a
/// vector of futures, an array.
pub trait Publish: Sized {
    /// The futures, and what makes a value of them again.
    ///
    /// # Errors
    ///
    /// If they cannot be submitted.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn to_published(&self) -> Result<Parts>;
    /// Makes a value of what was published.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate calls it")]
    fn from_published(client: &Client, parts: Parts) -> Option<Self>;
}

/// What is published of a value.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) head: Vec<u8>,
    pub(crate) futures: Vec<Future<()>>,
}

impl<T: Data> Publish for Future<T> {
    #[allow(private_interfaces, reason = "see the trait")]
    fn to_published(&self) -> Result<Parts> {
        Ok(Parts { head: Vec::new(), futures: vec![self.retype()] })
    }

    #[allow(private_interfaces, reason = "see the trait")]
    fn from_published(_: &Client, parts: Parts) -> Option<Self> {
        Some(parts.futures.first()?.retype())
    }
}

impl<T: Data> Publish for Vec<Future<T>> {
    #[allow(private_interfaces, reason = "see the trait")]
    fn to_published(&self) -> Result<Parts> {
        Ok(Parts { head: Vec::new(), futures: self.iter().map(Future::retype).collect() })
    }

    #[allow(private_interfaces, reason = "see the trait")]
    fn from_published(_: &Client, parts: Parts) -> Option<Self> {
        Some(parts.futures.iter().map(Future::retype).collect())
    }
}

impl Client {
    /// Publishes a future, a vector of futures or an array under a name. Its values then stay on the cluster until
    /// [`unpublish`](Self::unpublish) or the end of the cluster, also when this session has ended, and any client
    /// [finds](Self::published) them by the name. Tasks that have not ended are run to their end.
    ///
    /// The blocks of an array are [persisted](Self::persist). Where losses are survived, values that this session has
    /// scattered cannot be recomputed once it has ended.
    ///
    /// ```
    /// use maniple::{Array, prelude::*};
    /// # maniple::Runtime::builder().execute(|client| {
    /// client.publish("x", &client.arange(0, 100, 1, 25).square())?;
    /// let x: Array<i64> = client.published("x")?; // maybe in another session
    /// assert_eq!(x.sum().compute()?, 328_350);
    /// assert_eq!(client.publications()?[0].name, "x");
    /// assert!(client.unpublish("x")?);
    /// # Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if something else has the name; the error of [`persist`](Self::persist) for an array;
    /// [`Error::Interrupted`] and [`Error::Ended`] if the run is over.
    pub fn publish<P: Publish>(&self, name: impl Into<String>, value: &P) -> Result<()> {
        let (name, parts) = (name.into(), value.to_published()?);
        // Values that workers have yet to fetch from here would end with this session, and what needs them would fail.
        self.wait_for(|| (!self.table().is_lending()).then_some(()), None)?;
        let publication = publication_of::<P>(&parts);
        match self.ask_catalog(CatalogRequest::Publish { name: name.clone(), publication })?.answer {
            CatalogAnswer::Done(true) => Ok(()),
            CatalogAnswer::Done(false) => Err(Error::Option(format!(
                "{name:?} is published already: take another name, or unpublish it first"
            ))),
            other => Err(unexpected(&name, other)),
        }
    }

    /// Finds what was [published](Self::publish) under a name. It stays for as long as this client holds it, even if the
    /// name is unpublished meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if nothing has the name, or something of another type;
    /// [`Error::Interrupted`] and [`Error::Ended`] if the run is over.
    pub fn published<P: Publish>(&self, name: &str) -> Result<P> {
        let found = self.ask_catalog(CatalogRequest::Find { name: name.into() })?;
        self.found(name, found)
    }

    /// What the catalog has found under a name.
    pub(crate) fn found<P: Publish>(&self, name: &str, found: Answered) -> Result<P> {
        let futures: Vec<Future<()>> =
            found.tasks.iter().map(|(tracked, index)| Future::new(self.clone(), tracked, *index)).collect();
        // The futures hold them now.
        found.tasks.iter().for_each(|(tracked, index)| tracked.drop_reference(*index));
        match found.answer {
            CatalogAnswer::Found(Some(publication)) => {
                let wanted = type_name::<P>();
                let wrong = || {
                    Error::Option(format!("{name:?} is published as {}, not as {wanted}", publication.kind))
                };
                if publication.kind != wanted {
                    return Err(wrong());
                }
                P::from_published(self, Parts { head: publication.head.clone(), futures }).ok_or_else(wrong)
            }
            CatalogAnswer::Found(None) => Err(Error::Option(format!(
                "nothing is published as {name:?}: Client::publications lists what is"
            ))),
            other => Err(unexpected(name, other)),
        }
    }

    /// Forgets a name. Returns whether it was known. The values are freed as soon as no client holds them.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] and [`Error::Ended`] if the run is over.
    pub fn unpublish(&self, name: &str) -> Result<bool> {
        match self.ask_catalog(CatalogRequest::Unpublish { name: name.into() })?.answer {
            CatalogAnswer::Done(was_known) => Ok(was_known),
            other => Err(unexpected(name, other)),
        }
    }

    /// All that is [published](Self::publish), by name.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] and [`Error::Ended`] if the run is over.
    pub fn publications(&self) -> Result<Vec<Published>> {
        match self.ask_catalog(CatalogRequest::List)?.answer {
            CatalogAnswer::All(all) => Ok(all),
            other => Err(unexpected("the list", other)),
        }
    }

    fn ask_catalog(&self, request: CatalogRequest) -> Result<Answered> {
        let question = self.begin_to_ask(request);
        self.said(true);
        self.wait_for(|| self.table().take_catalog_answer(question), None)
    }

    /// Asks the catalog. Returns the number of the question.
    pub(crate) fn begin_to_ask(&self, request: CatalogRequest) -> u64 {
        let question = self.table().new_question();
        let message = Message::ToScheduler(ToScheduler::Catalog { question, request });
        self.table().request(Request::Say(Rank::SCHEDULER, message));
        question
    }
}

/// What the catalog keeps of a value.
pub(crate) fn publication_of<P: Publish>(parts: &Parts) -> Publication {
    let mut tasks = Vec::new();
    parts.futures.iter().for_each(|future| Tasks::push(&mut tasks, future.task()));
    Publication { kind: type_name::<P>().into(), head: parts.head.clone(), tasks }
}

fn unexpected(name: &str, answer: CatalogAnswer) -> Error {
    match answer {
        CatalogAnswer::Refused(reason) => Error::Option(format!("{name:?} cannot be published: {reason}")),
        _ => Error::decode(
            DecodeErrorKind::Message,
            format!("the scheduler's answer about {name:?} is another one than was asked for"),
        ),
    }
}
