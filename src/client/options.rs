//! Where and how tasks are to run: what `submit` and `map` can be told besides the arguments.

use crate::{message, rank::Rank, runtime::Cluster, task::Code};
use std::time::Duration;

/// A worker, or all workers of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The worker of this rank.
    Rank(Rank),
    /// The workers on the host of this name.
    Host(String),
}

impl From<u32> for Place {
    fn from(rank: u32) -> Self {
        Self::Rank(Rank(rank))
    }
}

impl From<Rank> for Place {
    fn from(rank: Rank) -> Self {
        Self::Rank(rank)
    }
}

impl From<&str> for Place {
    fn from(host: &str) -> Self {
        Self::Host(host.into())
    }
}

impl From<String> for Place {
    fn from(host: String) -> Self {
        Self::Host(host)
    }
}

/// Options of tasks, for [`Client::submit_with`](super::Client::submit_with) and
/// [`Client::map_with`](super::Client::map_with).
///
/// ```
/// use maniple::SubmitOptions;
///
/// let options = SubmitOptions::new().priority(10).retries(2).resource("GPU", 1).label("train");
/// ```
#[derive(Clone, Debug, Default)]
pub struct SubmitOptions {
    options: message::Options,
    places: Vec<Place>,
}

impl SubmitOptions {
    /// No options: any worker, tried once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tasks of higher priority begin first; 0 unless said.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.options.priority = priority;
        self
    }

    /// Only these workers may run the tasks: ranks, or names of hosts.
    #[must_use]
    pub fn workers<P: Into<Place>>(mut self, places: impl IntoIterator<Item = P>) -> Self {
        self.places.extend(places.into_iter().map(Into::into));
        self
    }

    /// Others may run the tasks too where none of the [`workers`](Self::workers) exists.
    #[must_use]
    pub fn allow_other(mut self, allow: bool) -> Self {
        self.options.allow_other = allow;
        self
    }

    /// How often a task that failed is tried again.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// What a task takes of its worker while it runs. Workers declare what they have
    /// ([`Builder::resource`](crate::Builder::resource)).
    #[must_use]
    pub fn resource(mut self, name: &str, amount: u32) -> Self {
        self.options.resources.push((name.into(), amount));
        self
    }

    /// How long a task is expected to run at most. One that could not end in time, with the run's
    /// [`time_left`](crate::Client::time_left) less its margin, is not begun, and fails with
    /// [`Reason::Stopping`](crate::Reason::Stopping).
    ///
    /// ```
    /// use maniple::{Error, Reason, Runtime, SubmitOptions};
    /// use std::time::Duration;
    ///
    /// Runtime::builder().time_limit(Duration::from_secs(3600)).execute(|client| {
    ///     let train = |epoch: u32| epoch + 1;
    ///     let short = client.submit_with(&SubmitOptions::new().expected(Duration::from_secs(60)), train, 1);
    ///     let long = client.submit_with(&SubmitOptions::new().expected(Duration::from_secs(7200)), train, 1);
    ///     assert_eq!(short.result()?, 2);
    ///     assert!(matches!(long.result(), Err(Error::Task(error)) if error.reason == Reason::Stopping));
    ///     Ok(())
    /// })
    /// # .unwrap()
    /// ```
    #[must_use]
    pub fn expected(mut self, duration: Duration) -> Self {
        // Of a run without a limit, more than all time is left.
        let longest = u128::from(u64::MAX - 1);
        self.options.expected_nanoseconds = duration.as_nanos().min(longest) as u64;
        self
    }

    /// What to call the tasks, rather than by their function's name.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = Some(label.into());
        self
    }

    /// What errors call tasks of this function.
    pub(super) fn label_or(&self, code: Code) -> &str {
        self.options.label.as_deref().unwrap_or_else(|| code.name())
    }

    /// The options as the scheduler takes them.
    ///
    /// # Errors
    ///
    /// Says which host has no worker.
    pub(super) fn resolve(&self, cluster: &Cluster) -> Result<message::Options, String> {
        let mut options = self.options.clone();
        let mut unknown = None;
        for place in &self.places {
            match place {
                Place::Rank(rank) => options.workers.push(*rank),
                Place::Host(host) => {
                    let before = options.workers.len();
                    options
                        .workers
                        .extend(cluster.workers().filter(|rank| rank.host == *host).map(|rank| rank.rank));
                    if options.workers.len() == before {
                        unknown = Some(host);
                    }
                }
            }
        }
        match unknown {
            Some(host) if options.workers.is_empty() && !options.allow_other => {
                Err(format!("no worker is on host {host:?}: there are {}", cluster.worker_hosts().join(", ")))
            }
            _ => Ok(options),
        }
    }
}
