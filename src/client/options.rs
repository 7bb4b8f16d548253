//! Where and how tasks are to run: what `submit` and `map` can be told besides the arguments.

use crate::{cluster::Cluster, ids::Code, message, rank::Rank, units};
use std::time::Duration;

/// A worker, or all workers of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

/// Options of tasks, for [`Client::with`](super::Client::with).
///
/// ```
/// use maniple::SubmitOptions;
///
/// let options = SubmitOptions::new().priority(10).retries(2).resource("GPU", 1).label("train");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
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
    pub fn priority(mut self, priority: i32) -> Self {
        self.options.priority = priority;
        self
    }

    /// Only these workers may run the tasks: ranks, or names of hosts.
    pub fn workers<P: Into<Place>>(mut self, places: impl IntoIterator<Item = P>) -> Self {
        self.places.extend(places.into_iter().map(Into::into));
        self
    }

    /// Others may run the tasks too where none of the [`workers`](Self::workers) exists.
    pub fn allow_other(mut self, allow: bool) -> Self {
        self.options.allow_other = allow;
        self
    }

    /// How often a task that failed, or took too long, is tried again.
    /// [`Current::attempt`](crate::Current::attempt) tells a task how often it was tried before.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// How many workers may be lost that had one of the tasks, in a run that can survive that
    /// ([`Builder::survive`](crate::Builder::survive)). With one more it fails, as what probably ends them,
    /// with [`Reason::Lost`](crate::Reason::Lost). Unless said, what the run was told.
    pub fn allowed_failures(mut self, workers: u32) -> Self {
        self.options.allowed_failures = Some(workers);
        self
    }

    /// What a task takes of its worker while it runs. Workers declare what they have
    /// ([`Builder::resource`](crate::Builder::resource)).
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
    ///     let short = client.with(&SubmitOptions::new().expected(Duration::from_secs(60))).submit(train, 1);
    ///     let long = client.with(&SubmitOptions::new().expected(Duration::from_secs(7200))).submit(train, 1);
    ///     assert_eq!(short.result()?, 2);
    ///     assert!(matches!(long.result(), Err(Error::Task(error)) if error.reason == Reason::Stopping));
    ///     Ok(())
    /// })
    /// # .unwrap()
    /// ```
    pub fn expected(mut self, duration: Duration) -> Self {
        // Of a run without a limit, more than all time is left.
        self.options.expected_nanoseconds = units::nanoseconds(duration).min(u64::MAX - 1);
        self
    }

    /// How long a task may run, from when it begins. One that takes longer fails with
    /// [`Reason::Timeout`](crate::Reason::Timeout), within about 50 ms. Its body cannot be stopped: it is told
    /// by [`cancelled`](crate::cancelled()), takes its thread until it ends, and its value is dropped.
    ///
    /// ```
    /// use maniple::{Error, Reason, Runtime, SubmitOptions};
    /// use std::{thread::sleep, time::Duration};
    ///
    /// fn search() -> u64 {
    ///     let mut steps = 0;
    ///     while !maniple::cancelled() {
    ///         sleep(Duration::from_millis(1));
    ///         steps += 1;
    ///     }
    ///     steps
    /// }
    ///
    /// Runtime::builder().execute(|client| {
    ///     let options = SubmitOptions::new().timeout(Duration::from_millis(20));
    ///     let found = client.with(&options).submit(search, ());
    ///     assert!(matches!(found.result(), Err(Error::Task(error)) if error.reason == Reason::Timeout));
    ///     Ok(())
    /// })
    /// # .unwrap()
    /// ```
    pub fn timeout(mut self, duration: Duration) -> Self {
        self.options.timeout_nanoseconds = units::nanoseconds(duration).max(1);
        self
    }

    /// Keeps the tasks' values in the run's [`journal`](crate::Builder::journal), if it has one: a run that
    /// [resumes](crate::Builder::resume) it answers the same calls with them, and does not run them, nor what
    /// only they need. Calls are the same if function and arguments are; a future is the same argument if
    /// it is of the same call.
    ///
    /// The function must give the same value for the same arguments. Tasks that need what was not made by
    /// this client, or by [`run_on_workers`](crate::Client::run_on_workers), are not kept.
    ///
    /// ```
    /// use maniple::{Resume, Runtime, SubmitOptions};
    ///
    /// # let journal = tempfile::tempdir().unwrap();
    /// for (resume, known) in [(Resume::No, 0), (Resume::Yes, 100)] {
    ///     Runtime::builder().journal(&journal).resume(resume).execute(|client| {
    ///         let squares = client.with(&SubmitOptions::new().checkpoint()).map(|x: u64| x * x, 0..100);
    ///         assert_eq!(client.gather(&squares)?.iter().sum::<u64>(), 328_350);
    ///         assert_eq!(client.restored_count(), known);
    ///         Ok(())
    ///     })
    ///     .unwrap();
    /// }
    /// ```
    pub fn checkpoint(mut self) -> Self {
        self.options.is_kept = true;
        self
    }

    /// What to call the tasks, rather than by their function's name.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = Some(label.into());
        self
    }

    /// The same, for tasks that use their worker's device.
    pub(super) fn on_device(&self) -> Self {
        let options = self.clone();
        let is_declared = options.options.resources.iter().any(|(name, _)| name == "GPU");
        if is_declared { options } else { options.resource("GPU", 1) }
    }

    pub(super) fn has_label(&self) -> bool {
        self.options.label.is_some()
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
    pub(crate) fn resolve(&self, cluster: &Cluster) -> Result<message::Options, String> {
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
