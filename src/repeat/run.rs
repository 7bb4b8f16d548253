//! The task that runs one share of a repetition, on one thread of a worker, from the first step to the last one.

use super::share::{Group, Outgoing, Plan, Share};
use crate::{
    client::{
        Client,
        mail::{Content, MailBox, Post},
        process::Process,
        table::Request,
    },
    current::{cancelled, current},
    error::Error,
    ids::{Code, TaskId},
    message::{Argument, Letter, Message, Parcel},
    packed::Packed,
    rank::Rank,
    running::running,
    task::{Descriptor, Input, Inputs, Output},
    value::Value,
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// So many tasks run before the thread looks whether it should end.
const TASKS_BETWEEN_LOOKS: u32 = 1024;

/// After this time without a look at messages, others look for them while a task runs.
const LONG: Duration = Duration::from_micros(100);

/// What the task that runs a share is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    /// Which share it is.
    pub(super) share: u32,
    /// The rank of each share.
    pub(super) ranks: Vec<Rank>,
    pub(super) steps: u64,
    pub(super) plan: Plan,
    /// The shares that it takes values of.
    pub(super) sources: Vec<u32>,
}

/// The values that a share has in the end.
#[derive(Debug, Serialize, Deserialize)]
struct Results(Vec<Content>);

/// The function that runs a share. It takes a [`Part`] and a list of values, and gives [`Results`].
pub(super) fn code() -> Code {
    static RUN: Descriptor = Descriptor::of_values(run_share, || "repeat");
    Code::of(&RUN)
}

/// The function that takes one of the [`Results`] of a share, by its place.
pub(super) fn code_of_pick() -> Code {
    static PICK: Descriptor = Descriptor::of_values(pick, || "repeat");
    Code::of(&PICK)
}

fn pick(inputs: &mut Inputs<'_>, output: &mut Output<'_>) -> Result<(), String> {
    let results: Arc<Results> = inputs.shared()?;
    let place: u32 = inputs.owned()?;
    match results.0.get(place as usize) {
        Some(Content::Small(bytes)) => output.small.push(bytes),
        Some(Content::Whole(value) | Content::Part(value)) => output.large = Some(value.clone()),
        None => return Err(format!("a share of a repetition has {} values", results.0.len())),
    }
    Ok(())
}

fn run_share(inputs: &mut Inputs<'_>, output: &mut Output<'_>) -> Result<(), String> {
    let part: Part = inputs.owned()?;
    let given = inputs.items()?.into_iter().map(given).collect::<Result<_, _>>()?;
    let task = running().ok_or("no task runs on this thread")?.task;
    let (client, rank) = (current().client().clone(), current().rank());
    let process = client.process().ok_or_else(|| Error::Ended.to_string())?;
    let is_rank = |rank: &Rank| rank.index() < client.cluster().ranks().len();
    if part.share as usize >= part.ranks.len() || !part.ranks.iter().all(is_rank) {
        return Err("a share of a repetition is of no rank".into());
    }
    let repetition = TaskId(task.0.wrapping_sub(u64::from(part.share)));
    let post_box = PostBox::open(&client, repetition, part.share);
    let mut runner = Runner {
        process: &*process,
        outgoing: part.ranks.iter().map(|_| Outbox::default()).collect(),
        filled: Vec::new(),
        is_near: part.ranks.iter().map(|other| *other == rank).collect(),
        ranks: part.ranks,
        small_bytes_max: output.small_bytes_max,
        looked: Instant::now(),
        post_box,
    };
    let calls = calls_of(&part.plan)?;
    let mut share = Share::new(part.plan, part.steps, given, part.sources);
    runner.run(&mut share, &calls)?;
    runner.post_box.is_complete = true;
    let results = share.into_results();
    let bytes = results.iter().map(Content::byte_count).sum();
    output.large = Some(Value::staying(Results(results), bytes));
    Ok(())
}

fn given(input: Input<'_>) -> Result<Content, String> {
    match input {
        Input::Bytes(bytes) => Ok(Content::Small(SmallVec::from_slice(bytes))),
        Input::Value(value) => Ok(Content::Whole(value.clone())),
        Input::Part(_) | Input::List(..) | Input::Parts(..) => Err("a value of a list is no value".into()),
    }
}

/// The functions of a share, and how each makes the lists that it takes.
fn calls_of(plan: &Plan) -> Result<Vec<Call>, String> {
    let descriptor = |code: Code| code.descriptor().map_err(|error| error.to_string());
    let call = |group: &Group| {
        let list = |argument: &Argument<Vec<u32>, Vec<u32>>| match argument {
            Argument::Lists { collect, .. } => descriptor(*collect).map(Some),
            _ => Ok(None),
        };
        let lists = group.arguments.iter().map(list).collect::<Result<_, _>>()?;
        Ok(Call { function: descriptor(group.code)?, lists })
    };
    plan.groups.iter().map(call).collect()
}

/// A function of a share.
struct Call {
    function: &'static Descriptor,
    /// Of each argument, how a list is made of values.
    lists: Vec<Option<&'static Descriptor>>,
}

/// The mailbox of a share, which is closed when the share ends.
struct PostBox<'a> {
    client: &'a Client,
    repetition: TaskId,
    share: u32,
    mail: Arc<MailBox>,
    is_complete: bool,
}

impl<'a> PostBox<'a> {
    fn open(client: &'a Client, repetition: TaskId, share: u32) -> Self {
        let mail = client.table().mail.open(repetition, share);
        Self { client, repetition, share, mail, is_complete: false }
    }
}

impl Drop for PostBox<'_> {
    fn drop(&mut self) {
        self.client.table().mail.close(self.repetition, self.share, self.is_complete);
    }
}

/// What is to be sent to a share.
#[derive(Debug, Default)]
struct Outbox {
    letters: Vec<Letter>,
    posts: Vec<Post>,
    completed: Option<u64>,
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.letters.is_empty() && self.posts.is_empty() && self.completed.is_none()
    }
}

/// Runs a share.
struct Runner<'a> {
    process: &'a dyn Process,
    post_box: PostBox<'a>,
    ranks: Vec<Rank>,
    /// Whether each share is on this rank.
    is_near: Vec<bool>,
    outgoing: Vec<Outbox>,
    /// The shares whose outboxes have something in them.
    filled: Vec<u32>,
    small_bytes_max: usize,
    /// When this thread looked for messages last.
    looked: Instant,
}

impl Runner<'_> {
    fn run(&mut self, share: &mut Share<Content>, calls: &[Call]) -> Result<(), String> {
        let (mut small, mut outgoing) = (Packed::default(), Vec::new());
        let mut until_look = TASKS_BETWEEN_LOOKS;
        while !share.is_complete() {
            self.take_in(share);
            match share.next() {
                Some((task, step)) => {
                    let content = self.call(share, calls, task, step, &mut small)?;
                    share.ended(task, step, content, &mut outgoing);
                    for out in outgoing.drain(..) {
                        self.put(out)?;
                    }
                    self.send(share.next_is_awaited());
                    until_look -= 1;
                }
                None => {
                    self.wait()?;
                    until_look = 0;
                }
            }
            if until_look == 0 {
                until_look = TASKS_BETWEEN_LOOKS;
                if cancelled() {
                    return Err("it is not wanted any more".into());
                }
            }
        }
        self.send(false);
        Ok(())
    }

    fn take_in(&self, share: &mut Share<Content>) {
        if !self.post_box.mail.has_news() {
            return;
        }
        for post in self.post_box.mail.take() {
            match post {
                Post::Value { item, step, content } => share.take_in(item, step, content),
                Post::Completed { share: other, steps } => share.has_completed(other, steps),
            }
        }
    }

    /// Runs a task of a step.
    fn call(
        &self,
        share: &Share<Content>,
        calls: &[Call],
        task: u32,
        step: u64,
        small: &mut Packed,
    ) -> Result<Content, String> {
        let (group, place, index) = share.call(task);
        let call = &calls[place];
        let input = |item: &u32| match share.value(*item, step) {
            Some(Content::Small(bytes)) => Ok(Input::Bytes(bytes)),
            Some(Content::Whole(value)) => Ok(Input::Value(value)),
            Some(Content::Part(value)) => Ok(Input::Part(value)),
            None => Err("an input is missing".to_string()),
        };
        let mut inputs: SmallVec<[Input<'_>; 4]> = SmallVec::new();
        for (argument, list) in group.arguments.iter().zip(&call.lists) {
            inputs.push(match argument {
                Argument::Same(bytes) => Input::Bytes(bytes),
                Argument::Each(values) => Input::Bytes(values.at(index)),
                Argument::Values(items) => input(&items[index])?,
                Argument::Lists { lists, .. } => {
                    let list = list.ok_or("a list without its type")?;
                    let items = lists[index].iter().map(input).collect::<Result<_, _>>()?;
                    Input::List(items, list.collect, list.image)
                }
                Argument::Parts { lists, cuts } => {
                    Input::Parts(cuts.at(index), lists[index].iter().map(input).collect::<Result<_, _>>()?)
                }
            });
        }
        small.truncate(0);
        let mut output = Output { small, small_bytes_max: self.small_bytes_max, large: None };
        (call.function.run)(&mut Inputs::new(inputs), &mut output)?;
        Ok(match output.large.take() {
            Some(value) => Content::Whole(value),
            None => Content::Small(SmallVec::from_slice(small.at(0))),
        })
    }

    /// Puts something into the outbox of a share.
    fn put(&mut self, out: Outgoing<Content>) -> Result<(), String> {
        let (Outgoing::Value { share, .. } | Outgoing::Completed { share, .. }) = out;
        let outbox = &mut self.outgoing[share as usize];
        if outbox.is_empty() {
            self.filled.push(share);
        }
        match out {
            Outgoing::Value { item, step, value, cut, .. } => {
                if self.is_near[share as usize] {
                    outbox.posts.push(Post::Value { item, step, content: value });
                } else {
                    outbox.letters.push(Letter { item, step, value: value.encoded(cut.as_ref())? });
                }
            }
            Outgoing::Completed { steps, .. } => outbox.completed = Some(steps),
        }
        Ok(())
    }

    /// Sends what is in the outboxes, unless there is more to come, and looks for messages if that is due.
    fn send(&mut self, is_more_to_come: bool) {
        let (mut is_sent, mut is_delivered) = (false, false);
        let PostBox { client, repetition, share: source, .. } = self.post_box;
        if !is_more_to_come {
            for share in self.filled.drain(..) {
                let Outbox { letters, mut posts, completed } =
                    std::mem::take(&mut self.outgoing[share as usize]);
                if self.is_near[share as usize] {
                    posts.extend(completed.map(|steps| Post::Completed { share: source, steps }));
                    client.table().mail.deliver(repetition, share, posts);
                    is_delivered = true;
                } else {
                    let parcel = Parcel { repetition, share, source, letters, completed };
                    client.table().request(Request::Say(self.ranks[share as usize], Message::Parcel(parcel)));
                    is_sent = true;
                }
            }
        }
        if is_delivered {
            self.process.wake_others();
        }
        let now = Instant::now();
        let is_long = now.duration_since(self.looked) >= LONG;
        if is_sent || is_long {
            self.process.exchange(is_long);
            self.looked = now;
        }
    }

    /// Waits until something has come, or the share is to end.
    fn wait(&mut self) -> Result<(), String> {
        let mail = &self.post_box.mail;
        if !self.process.wait_a_moment(&mut || mail.has_news()) {
            let is_ready = &mut || mail.has_news() || cancelled();
            self.process.wait_until(is_ready, &|| None, None).map_err(|error| error.to_string())?;
        }
        self.looked = Instant::now();
        Ok(())
    }
}
