//! Values that are published under a name: what clients ask the scheduler for, and its answers.

use crate::{ids::Tasks, rank::Rank};
use serde::{Deserialize, Serialize};

/// Values under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The name of the Rust type that was published.
    pub kind: String,
    /// What makes a value of that type out of the tasks.
    #[serde(with = "serde_bytes")]
    pub head: Vec<u8>,
    /// The tasks whose values it has, in order.
    pub tasks: Vec<Tasks>,
}

/// What a client asks of the scheduler's catalog of publications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatalogRequest {
    /// Keep these values under a name.
    Publish {
        /// The name.
        name: String,
        /// The values.
        publication: Publication,
    },
    /// Let the sender hold the values of a name, too.
    Find {
        /// The name.
        name: String,
    },
    /// Forget a name.
    Unpublish {
        /// The name.
        name: String,
    },
    /// Name all publications.
    List,
}

/// The answer to a [`CatalogRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatalogAnswer {
    /// Whether it was done: a name to publish was free, a name to forget was known.
    Done(bool),
    /// What was looked for, if it is there. How its tasks stand follows in messages as for own tasks.
    Found(Option<Publication>),
    /// All publications, by name.
    All(Vec<Published>),
    /// It cannot be done, and why.
    Refused(String),
}

/// A publication in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// Its name.
    pub name: String,
    /// The name of the Rust type that was published.
    pub kind: String,
    /// The rank that published it: a rank of the cluster, or that of a session, which may have ended.
    pub publisher: Rank,
    /// The size of its values that exist, in bytes.
    pub bytes: u64,
}
