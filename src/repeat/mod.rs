//! Repetitions: a step of a computation that is sent to the workers once, and run there many times.
//!
//! The step is recorded ([`step`]): its closure submits tasks to a client that sends nothing. It is cut into *shares*,
//! one for each thread of a worker. One task for each share runs all steps ([`run`]): it decides itself what runs next
//! ([`share`]), and sends values to the other shares. The scheduler hears of the beginning and of the end.

mod run;
mod share;
mod step;
#[cfg(test)]
mod tests;

use crate::{
    client::{
        Client, Future, Parts, Publish,
        process::{self, Process},
    },
    error::{Error, Result},
    ids::{Code, TaskId, Tasks},
    message::{Column, Options},
    rank::Rank,
    task::Descriptor,
    value::to_bytes,
};
use std::{sync::Arc, time::Duration};
use step::{Shares, Step};

impl Client {
    /// Runs a step many times: the first one takes `state`, each of the others what the one before it gave. Returns what
    /// the last one gave. The result is that of
    ///
    /// ```text
    /// for _ in 0..steps { state = step(client, state)?; }
    /// ```
    ///
    /// but the tasks of a step are sent to the workers once, and the workers then go through the steps by themselves:
    /// a task costs about a microsecond, and values that several workers need go from one to the other. Use it for time
    /// steps and iterations of short tasks. `state` is a future, a vector of futures or an array; the step gives one with
    /// as many futures, or blocks.
    ///
    /// The step must submit to the client that it is called with, and cannot wait for values. It is called once, so each
    /// step runs the same tasks; what changes from step to step is part of `state`. While the steps run, each thread
    /// of the workers that has a share of them runs nothing else, unless it waits, and the values of up to eight steps are in
    /// memory, where no memory limit counts them. If a task fails, all of them end, and the result has its error.
    ///
    /// The tasks are submitted step by step instead, with the same result, if the run survives losses or has a
    /// journal, if tasks have options other than a label and a priority, or if the step scatters values or gives futures
    /// that it did not make.
    ///
    /// # Errors
    ///
    /// The error of the step, or [`Error::Option`] if it gives another number of futures than it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().local_workers(2).execute(|client| {
    /// fn relax(left: f64, here: f64, right: f64) -> f64 {
    ///     0.5 * here + 0.25 * (left + right)
    /// }
    /// let ring = client.map(|i: u32| if i == 0 { 8.0 } else { 0.0 }, 0..8);
    /// let ring = client.repeat(100, ring, |client, ring| {
    ///     let neighbours = (0..8).map(|i| (&ring[(i + 7) % 8], &ring[i], &ring[(i + 1) % 8]));
    ///     Ok(client.map(relax, neighbours))
    /// })?;
    /// let values = client.gather(&ring)?;
    /// assert!(values.iter().all(|value| (value - 1.0).abs() < 1e-6));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn repeat<S: Publish>(
        &self,
        steps: usize,
        state: S,
        step: impl Fn(&Self, S) -> Result<S>,
    ) -> Result<S> {
        if steps > 1 && self.may_send_steps() {
            let initial = state.to_published()?;
            if let Some(result) = self.send_steps(steps, &initial, &step)? {
                return Ok(result);
            }
        }
        (0..steps).try_fold(state, |state, _| step(self, state))
    }

    /// Whether tasks of the client may run on workers without the scheduler's knowledge.
    fn may_send_steps(&self) -> bool {
        let options = self.options().resolve(self.cluster());
        let are_plain = options.is_ok_and(|options| options.is_plain());
        are_plain && !self.cluster().survives() && !self.has_journal() && !self.is_on_devices()
    }

    /// Has workers run a step many times. `None` if it must be submitted step by step.
    fn send_steps<S: Publish>(
        &self,
        steps: usize,
        initial: &Parts,
        step: &impl Fn(&Self, S) -> Result<S>,
    ) -> Result<Option<S>> {
        let recorder: Arc<dyn Process> =
            Arc::new(Recorder { client: self.clone(), parts: Default::default() });
        let client = self.recording(Arc::downgrade(&recorder));
        let count = initial.futures.len();
        let (state, futures) = client.placeholders(count as u32);
        let parts = Parts { head: initial.head.clone(), futures };
        let Some(first) = S::from_published(&client, parts) else { return Ok(None) };
        let next = step(&client, first)?.to_published()?;
        if next.futures.len() != count {
            return Err(Error::Option(format!(
                "a step that takes {count} futures gives {}: it must give as many, for the next step",
                next.futures.len()
            )));
        }
        let ids: Vec<TaskId> = next.futures.iter().map(Future::task).collect();
        let recorded = client.table().take_recorded();
        let Some(recorded) = recorded.and_then(|layers| Step::new(layers, state, &ids)) else {
            return Ok(None);
        };
        if next.head != initial.head {
            return Ok(None);
        }
        let futures = self.submit_shares(steps as u64, &recorded, &initial.futures);
        Ok(S::from_published(self, Parts { head: next.head, futures }))
    }

    /// Submits the tasks that run the shares of a step, and those that take the values of the last step from them.
    fn submit_shares(&self, steps: u64, step: &Step, initial: &[Future<()>]) -> Vec<Future<()>> {
        let ranks = self.ranks_of_shares(step.width());
        let tasks: Vec<TaskId> = initial.iter().map(Future::task).collect();
        let are_near = |a: u32, b: u32| ranks[a as usize] == ranks[b as usize];
        let Shares { plans, given, sources, outputs } = step.split(ranks.len() as u32, &tasks, are_near);
        let part = |(share, (plan, sources))| {
            to_bytes(&run::Part { share: share as u32, ranks: ranks.clone(), steps, plan, sources })
        };
        let parts: Vec<Vec<u8>> = plans.into_iter().zip(sources).enumerate().map(part).collect();
        let lists = given.iter().map(|tasks| tasks.iter().fold(Vec::new(), with_task)).collect();
        let columns = vec![
            Column::Each(parts.iter().map(Vec::as_slice).collect()),
            Column::Lists { lists, collect: Code::of(Descriptor::of_list::<()>()) },
        ];
        let options =
            |workers| Options { workers, one_each: true, label: Some(step.name()), ..self.plain_options() };
        let together = Options { together: true, ..options(ranks.clone()) };
        let shares = self.submit_bound(run::code(), together, columns);
        // Those that take values are where these are.
        let picked: Vec<(u32, u32)> = outputs.iter().flatten().copied().collect();
        let places: Vec<Vec<u8>> = picked.iter().map(|(_, place)| to_bytes(place)).collect();
        let columns = vec![
            Column::values(picked.iter().map(|(share, _)| shares[*share as usize].task()).collect()),
            Column::Each(places.iter().map(Vec::as_slice).collect()),
        ];
        let workers = picked.iter().map(|(share, _)| ranks[*share as usize]).collect();
        let mut picks = self.submit_bound(run::code_of_pick(), options(workers), columns).into_iter();
        let value = |(output, initial): (&Option<(u32, u32)>, &Future<()>)| match output {
            Some(_) => picks.next().expect("one for each value that a share has"),
            None => initial.clone(),
        };
        outputs.iter().zip(initial).map(value).collect()
    }

    /// The options of its tasks, if workers may run these without the scheduler's knowledge.
    fn plain_options(&self) -> Options {
        let options = self.options().resolve(self.cluster()).unwrap_or_default();
        Options { label: None, priority: options.priority, ..Options::default() }
    }

    /// The rank of each share, at most `width` of them: one for each thread, of all workers alike, and those of one rank
    /// next to each other.
    fn ranks_of_shares(&self, width: u32) -> Vec<Rank> {
        let workers = || self.cluster().workers();
        let most = workers().map(|worker| worker.threads).max().unwrap_or(1);
        let of_thread = |thread: u32| workers().filter(move |worker| thread < worker.threads);
        let mut ranks: Vec<Rank> = (0..most).flat_map(of_thread).map(|worker| worker.rank).collect();
        ranks.truncate(width.max(1) as usize);
        ranks.sort_unstable();
        ranks
    }
}

fn with_task(mut tasks: Vec<Tasks>, task: &TaskId) -> Vec<Tasks> {
    Tasks::push(&mut tasks, *task);
    tasks
}

/// The process of a client that records a step.
#[derive(Debug)]
struct Recorder {
    client: Client,
    parts: process::Parts,
}

impl Process for Recorder {
    fn send_soon(&self, _now: bool) {}

    fn poll(&self) {}

    fn wait_until(
        &self,
        _is_ready: &mut dyn FnMut() -> bool,
        _awaited: &dyn Fn() -> Option<TaskId>,
        _timeout: Option<Duration>,
    ) -> Result<()> {
        Err(Error::Option(
            "a step that is repeated cannot wait for values: they exist when Client::repeat has returned"
                .into(),
        ))
    }

    fn exchange(&self, _may_take_long: bool) {}

    fn wait_a_moment(&self, is_ready: &mut dyn FnMut() -> bool) -> bool {
        is_ready()
    }

    fn wake_others(&self) {}

    fn time_left(&self) -> Option<Duration> {
        self.client.time_left()
    }

    fn parts(&self) -> &process::Parts {
        &self.parts
    }

    fn is_one_process(&self) -> bool {
        true
    }

    fn is_session(&self) -> bool {
        false
    }

    fn allows_modules(&self) -> bool {
        false
    }
}
