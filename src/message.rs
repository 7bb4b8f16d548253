//! The protocol: all messages between ranks.
//!
//! One enum a receiver. A role collects what it has to say, and one frame a peer carries it
//! ([`encode`], [`decode`]). Values are not in here: small ones ride as bytes in [`Packed`], the bytes
//! of large ones go beside the frames, from the rank that holds them to the rank that wants them.
//!
//! Many tasks of one shape are one record ([`Layer`], [`Run`], [`Finished`]), whose arguments are
//! columns ([`Column`]): a million tasks cost a few bytes each.

use crate::{
    codec::append,
    error::{DecodeErrorKind, Error, Result, TaskError},
    ids::{Code, Size, TaskId, Tasks},
    packed::Packed,
    part::Cut,
    rank::Rank,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod argument;
mod parcel;
mod permitted;
mod publication;
pub use argument::{Argument, Column, Given, Ids, PerTask};
pub use parcel::{Encoded, Letter, Parcel, Wire};
pub use publication::{CatalogAnswer, CatalogRequest, Publication, Published};

/// Where tasks may run and how often; what `submit` and `map` were told besides the arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Higher runs first.
    pub priority: i32,
    /// The ranks that may run it; empty: all.
    pub workers: Vec<Rank>,
    /// Task `i` runs on the `i`th of `workers`, and nowhere else; it takes no resources.
    pub one_each: bool,
    /// If one of the tasks fails, all of them do.
    pub together: bool,
    /// Others may run it too where none of `workers` exists.
    pub allow_other: bool,
    /// How often to try again after a failure.
    pub retries: u32,
    /// How many workers may be lost that had one of the tasks, if that was said.
    pub allowed_failures: Option<u32>,
    /// How long a task is expected to run; 0 if that was not said.
    pub expected_nanoseconds: u64,
    /// How long a task may run; 0 if that was not said.
    pub timeout_nanoseconds: u64,
    /// Whether its value is kept in the run's journal; then the last column has its key, and is no argument.
    pub is_kept: bool,
    /// What it takes of a worker while it runs, by name.
    pub resources: Vec<(String, u32)>,
    /// What to call it, rather than by its function's name.
    pub label: Option<String>,
}

impl Options {
    /// Whether nothing is said but what they are called, and how urgent they are.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self { label: self.label.clone(), priority: self.priority, ..Self::default() }
    }
}

/// Tasks that call one function, described together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Their numbers.
    pub tasks: Tasks,
    /// The function.
    pub code: Code,
    /// Its arguments.
    pub columns: Vec<Column>,
    /// How many layers follow it at most, as far as was known when it was submitted: those with more
    /// to come go first.
    pub level: u32,
    /// How many tasks are above it: 0 if the driver submitted it, 1 if a task of the driver did.
    pub depth: u32,
    /// Where and how to run them; nothing where nothing was said.
    pub options: Option<Box<Options>>,
}

impl Layer {
    /// The tasks from the one at `first` on, so many, with their arguments.
    pub(crate) fn slice(&self, first: u32, count: u32) -> Self {
        let range = first as usize..(first + count) as usize;
        Self {
            tasks: Tasks { first: self.tasks.first.plus(first), count },
            columns: self.columns.iter().map(|column| column.slice(range.clone())).collect(),
            options: self.options.clone(),
            ..*self
        }
    }

    /// Whether each of its tasks has a worker of its own, which alone may run it.
    pub(crate) fn is_one_each(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.one_each)
    }

    /// Whether all of its tasks fail if one does.
    pub(crate) fn is_together(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.together)
    }

    /// What each of its tasks weighs among those that have not ended: one, and one more for each KiB of its
    /// arguments.
    pub(crate) fn weight(&self) -> u64 {
        let bytes: usize = self.columns.iter().map(Column::byte_count).sum();
        1 + bytes as u64 / (1024 * u64::from(self.tasks.count.max(1)))
    }

    /// What its tasks are called.
    pub(crate) fn name(&self) -> String {
        let label = self.options.as_ref().and_then(|options| options.label.clone());
        label.unwrap_or_else(|| self.code.name().to_string())
    }
}

/// Where a worker gets an argument from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// From here: the encoded value.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// From the store of a rank, maybe the worker's own.
    Held(Held),
    /// A part of it, from the store of another rank.
    Part(Held),
    /// A task that the worker has been given makes it.
    Own(TaskId),
    /// A task that another worker has been given makes it, and that worker sends it, or says where it is.
    Sent(TaskId),
}

/// A value that a task waited for which was given to its worker early: before the value existed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Made {
    /// A small one, encoded.
    Small {
        /// Whose.
        task: TaskId,
        /// The encoding.
        #[serde(with = "serde_bytes")]
        value: Vec<u8>,
    },
    /// A large one.
    Large(Held),
}

/// A value that some rank holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Whose value.
    pub task: TaskId,
    /// Who has it, or will.
    pub holder: Rank,
    /// How large its body is.
    pub size: Size,
}

/// Tasks of one layer that a worker is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Their numbers.
    pub tasks: Tasks,
    /// The function.
    pub code: Code,
    /// How often they were tried before, so that an answer to an older attempt is known.
    pub attempt: u32,
    /// Their arguments.
    pub arguments: Vec<Given>,
    /// What to call them in errors, where it is not the function's name.
    pub label: Option<String>,
    /// How long each may run; 0 if that was not said.
    pub timeout_nanoseconds: u64,
    /// Whether their values are kept in the run's journal; then the last argument has their keys.
    pub is_kept: bool,
    /// How many tasks are above them: 0 if the driver submitted them, 1 if a task of the driver did.
    pub depth: u32,
    /// If other workers send some of their values ([`Need::Sent`]): how many such runs the worker has been given, this
    /// one included. Otherwise 0.
    pub order: u64,
}

/// Tasks that ended with small values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The first task; the others follow it.
    pub first: TaskId,
    /// Their encoded values.
    pub values: Packed,
}

impl Finished {
    /// Which tasks.
    pub(crate) fn tasks(&self) -> Tasks {
        Tasks { first: self.first, count: self.values.len() as u32 }
    }
}

/// What the scheduler is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToScheduler {
    /// A client wants tasks run.
    Submit(Layer),
    /// A client has small values of its own: these are their numbers and bytes.
    Give(Finished),
    /// A client has a large value of its own, and has told these workers to fetch it.
    Place {
        /// The value's number.
        task: TaskId,
        /// Its size.
        size: Size,
        /// Who holds it, or will.
        holders: Vec<Rank>,
    },
    /// A client could not submit these tasks: they have failed, and so will what needs them.
    Refuse {
        /// Which.
        tasks: Tasks,
        /// Why.
        error: Box<TaskError>,
    },
    /// A client has dropped its futures of these tasks.
    Release(Vec<Tasks>),
    /// A client no longer wants these tasks run.
    Cancel(Vec<Tasks>),
    /// A client wants these workers to run no more tasks.
    Retire(Vec<Rank>),
    /// A worker ran tasks whose values are small.
    Finished {
        /// Which, and their values.
        finished: Finished,
        /// How long the function ran, all together.
        nanoseconds: u64,
    },
    /// A worker ran a task and keeps its value.
    Stored {
        /// Which.
        task: TaskId,
        /// The value's size.
        size: Size,
        /// How long the function ran.
        nanoseconds: u64,
    },
    /// A task failed on a worker.
    Failed(Box<TaskError>),
    /// A worker gives back tasks that it had not begun.
    Yielded(Vec<Tasks>),
    /// A worker does not have this task any more, whose value a run needs.
    Missed {
        /// The task.
        task: TaskId,
        /// The rank that was given the run.
        target: Rank,
        /// The run.
        order: u64,
    },
    /// So many bytes of a worker's values are on its disk only.
    Spilled {
        /// How many.
        bytes: u64,
    },
    /// So many more tasks of a worker now wait for others, and need no thread; fewer, if negative. Tasks
    /// whose time is over are counted against these as long as they still take a thread.
    Blocked(i32),
    /// All threads of a worker have run their tasks for so long, and others are queued behind these: tasks take longer
    /// than before.
    Behind {
        /// How long, at least.
        nanoseconds: u64,
    },
    /// So much time is left for tasks to run in: what is expected to take as long, or longer, is not begun
    /// any more. Zero: nothing is.
    TimeLeft {
        /// How much; the least that was said counts.
        nanoseconds: u64,
    },
    /// A client wants to be told when its tasks that have not ended weigh no more than this
    /// ([`ToClient::Room`]).
    AskRoom {
        /// The most that they may weigh.
        open_max: u64,
    },
    /// A rank's process has ended, or nothing is heard of it: it is lost.
    Died {
        /// Which.
        rank: Rank,
        /// How, as far as that is known: "was ended by signal 9".
        how: String,
    },
    /// A client asks something of the catalog of published values.
    Catalog {
        /// The number of the question.
        question: u64,
        /// What it asks.
        request: CatalogRequest,
    },
    /// A session begins, which is a client.
    Connected,
    /// A session has ended: its futures are dropped.
    Disconnected {
        /// Its rank.
        session: Rank,
    },
    /// A worker has heard that a rank is lost, and counts on nothing any more that was to come from there.
    Lacks {
        /// The rank that is lost.
        lost: Rank,
        /// The values that have not come from there. What needs them is given back, as soon as nothing else is
        /// on its way for it.
        values: Vec<TaskId>,
        /// Values of the lost rank's own, or of its tasks, that the worker has: maybe nobody else knows.
        orphaned: Vec<TaskId>,
    },
    /// The driver is done; everybody shall end with this outcome.
    Shutdown(Outcome),
}

/// What a worker is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Run these tasks.
    Run(Run),
    /// Give back these tasks if they have not begun; those that have should end, as nobody wants their values.
    Cancel(Vec<Tasks>),
    /// Give back these tasks if they have not begun.
    Recall(Vec<Tasks>),
    /// Give back up to this many tasks that have not begun.
    Yield(u32),
    /// Forget these values.
    Free(Vec<Tasks>),
    /// When this task of yours has its value, send that to a worker for a run.
    Forward {
        /// The task.
        task: TaskId,
        /// The worker's rank.
        target: Rank,
        /// The run.
        order: u64,
    },
    /// A value for a run. Another worker sends it, or the scheduler if that one had it before it was asked.
    Made {
        /// The run.
        order: u64,
        /// The value.
        made: Made,
    },
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToClient {
    /// Tasks ended with small values.
    Finished(Finished),
    /// A task ended; its value is held there.
    Stored(Held),
    /// Tasks failed, or were cancelled, for one reason.
    Failed {
        /// The tasks.
        tasks: Vec<Tasks>,
        /// The error.
        #[serde(with = "crate::codec::shared")]
        error: Arc<TaskError>,
    },
    /// No more tasks begin.
    Stopping,
    /// Nothing will ever be made again of these values of the client's own.
    Forgotten(Vec<Tasks>),
    /// A client's tasks that have not ended weigh no more than it asked for.
    Room {
        /// What they weigh.
        open: u64,
    },
    /// What the catalog answers.
    Catalog {
        /// The number of the question.
        question: u64,
        /// The answer.
        answer: CatalogAnswer,
    },
    /// What a rank was asked.
    Answer {
        /// The number of the question.
        question: u64,
        /// The answer.
        state: Box<RankState>,
    },
}

/// How a rank stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankState {
    /// What the scheduler knows of the task that was asked about, if it is there.
    pub story: Option<Story>,
    /// All that the scheduler knows, if it is there, and nothing was asked about.
    pub scheduler: Option<SchedulerState>,
    /// What the rank's threads run.
    pub running: Vec<Running>,
    /// What may begin, in order.
    pub queued: Vec<Tasks>,
    /// What waits for values.
    pub waiting: Vec<WaitingTask>,
    /// How many values the rank holds, or expects.
    pub values: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Tasks that one thread runs, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Which.
    pub tasks: Tasks,
    /// What they are called.
    pub name: String,
    /// Since when.
    pub nanoseconds: u64,
}

/// A task that waits on its worker for values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingTask {
    /// Which.
    pub task: TaskId,
    /// Those that it fetches.
    pub values: Vec<Held>,
    /// The tasks that have yet to make others.
    pub unmade: Vec<TaskId>,
}

/// How a task stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// Which.
    pub task: TaskId,
    /// What it is called.
    pub name: String,
    /// The ranks that may run it; empty: all.
    pub workers: Vec<Rank>,
    /// What it takes of a worker.
    pub resources: Vec<(String, u32)>,
    /// How it stands.
    pub standing: Standing,
}

/// How a task stands, as the scheduler sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It needs nothing, and its layer has not come to it yet.
    Withheld {
        /// How many tasks wait for a worker.
        before: u64,
    },
    /// It needs nothing, and all tasks that need it wait for others: it is not run long before them.
    Aside,
    /// It waits for values.
    Waiting {
        /// For how many.
        count: u32,
        /// The first of them: which, what they are called, and where they run.
        inputs: Vec<(TaskId, String, Option<Rank>)>,
    },
    /// It waits for a worker.
    Ready {
        /// How many tasks do.
        before: u64,
    },
    /// A worker has it.
    Assigned {
        /// Which one.
        rank: Rank,
        /// How often it was tried before.
        attempt: u32,
    },
    /// It has its value.
    Done {
        /// Where it ran, or who holds the value that was given.
        rank: Option<Rank>,
        /// The size of the value.
        bytes: u64,
    },
    /// It has no value, or nobody wants it any more.
    Failed,
}

/// All that the scheduler knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulerState {
    /// How many tasks have a record.
    pub records: u64,
    /// How many tasks wait for a worker.
    pub waiting: u64,
    /// How many tasks a worker has.
    pub assigned: u64,
    /// The layers some of whose tasks are not forgotten.
    pub layers: Vec<LayerState>,
    /// The workers.
    pub workers: Vec<WorkerState>,
}

/// A layer, as the scheduler sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerState {
    /// What its tasks are called.
    pub name: String,
    /// The first task.
    pub first: TaskId,
    /// How many tasks.
    pub count: u32,
    /// The place from which on tasks have no record yet.
    pub withheld_from: u32,
    /// How many tasks are not forgotten.
    pub live: u32,
}

/// A worker, as the scheduler sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerState {
    /// Its rank.
    pub rank: Rank,
    /// How many tasks it has.
    pub outstanding: u32,
    /// How many of them wait for other tasks.
    pub blocked: i32,
    /// How many bytes it holds.
    pub held_bytes: u64,
    /// How many tasks wait for this worker as it holds their inputs, and as they may run nowhere else.
    pub queued: u64,
    /// See `queued`.
    pub pinned: u64,
    /// What is left of its resources.
    pub available: Vec<(String, u32)>,
    /// Whether it was asked to give tasks back.
    pub yielding: bool,
}

/// What a rank's store is told by another rank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToStore {
    /// Get this value from its holder, and keep it until told to free it.
    Pull(Held),
    /// Send me this value; I have made room under this tag.
    Fetch {
        /// Which.
        task: TaskId,
        /// The tag.
        tag: u16,
        /// If not all of it.
        part: Option<Box<WantedPart>>,
    },
    /// Here is the head of a value that you fetched; its body comes under your tag.
    Head {
        /// Which.
        task: TaskId,
        /// What the body means.
        #[serde(with = "serde_bytes")]
        head: Vec<u8>,
    },
    /// I have the value that you told me to pull.
    Pulled(TaskId),
    /// I do not have this value, for this reason.
    Gone {
        /// Which.
        task: TaskId,
        /// Why.
        reason: String,
    },
}

/// A part of a value, or the whole under another name, wanted by a rank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedPart {
    /// What the rank that wants it calls it: the answer names it so.
    pub name: TaskId,
    /// Which elements, if not all.
    pub cut: Option<Cut>,
}

/// How the driver's closure ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// With this value, encoded.
    Value(#[serde(with = "serde_bytes")] Vec<u8>),
    /// With this error.
    Error(String),
    /// With this panic.
    Panic(String),
    /// Because of a signal.
    Interrupted(String),
    /// Before it was done, since its time was over: it should be run again.
    Stopping,
}

/// Everything that one rank says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// To the scheduler on rank 0.
    ToScheduler(ToScheduler),
    /// To a worker.
    ToWorker(ToWorker),
    /// To the client that submitted the tasks it speaks of.
    ToClient(ToClient),
    /// To a rank's store.
    ToStore(ToStore),
    /// To every rank: end with this outcome.
    Stop(Outcome),
    /// To a rank: the one that says it lives.
    Lives,
    /// To rank 0, when ranks were lost: the one that says it has come to its end.
    Bye,
    /// To every rank: this one is lost, and nothing it says counts any more.
    Lost(Rank),
    /// To every rank: the program of this one ends, and the run with it.
    Left(Rank),
    /// To a rank that runs a share of a repetition.
    Parcel(Parcel),
    /// To any rank: say how you stand.
    Ask {
        /// The number of the question, of the client that asks.
        question: u64,
        /// The task it is about; without one, everything.
        task: Option<TaskId>,
    },
    /// To rank 0: a piece of what a rank has recorded.
    Recorded(#[serde(with = "serde_bytes")] Vec<u8>),
    /// From rank 0, to every other rank: it has what they have recorded.
    Gathered,
    /// To rank 0: what a rank does now, where somebody looks.
    Live(#[serde(with = "serde_bytes")] Vec<u8>),
    /// To the rank that holds the connections: end that of a session, for this reason.
    Dismiss {
        /// The session.
        session: Rank,
        /// What it did.
        reason: String,
    },
    /// To every rank, from the one that holds the connections: a session has ended, and nothing follows from it.
    SessionEnded(Rank),
    /// To every rank, from the scheduler: it knows no task of an ended session any more.
    SessionForgotten(Rank),
}

/// Appends a message to a frame.
pub fn encode(message: &Message, frame: &mut Vec<u8>) {
    append(message, frame);
}

/// The messages of a frame, in the order they were said.
///
/// # Errors
///
/// [`Error::Decode`] if the bytes are no messages.
pub fn decode(source: Rank, mut frame: &[u8]) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    while !frame.is_empty() {
        let (message, rest) = postcard::take_from_bytes::<Message>(frame).map_err(|error| {
            Error::decode(
                DecodeErrorKind::Message,
                format!("a frame from {source:?} holds no message: {error}"),
            )
        })?;
        if !is_valid(&message) {
            return Err(Error::decode(
                DecodeErrorKind::Message,
                format!("a frame from {source:?} holds a broken message"),
            ));
        }
        messages.push(message);
        frame = rest;
    }
    Ok(messages)
}

/// Whether the parts of a message fit each other, so that no reader runs past an end.
fn is_valid(message: &Message) -> bool {
    let finished = |finished: &Finished| finished.values.is_valid();
    match message {
        Message::ToScheduler(ToScheduler::Submit(layer)) => layer.is_valid(),
        Message::ToScheduler(ToScheduler::Give(given)) => finished(given),
        Message::ToScheduler(ToScheduler::Finished { finished: ended, .. }) => finished(ended),
        Message::ToClient(ToClient::Finished(ended)) => finished(ended),
        Message::ToWorker(ToWorker::Run(run)) => run.is_valid(),
        Message::Parcel(parcel) => parcel.is_valid(),
        _ => true,
    }
}

impl Layer {
    fn is_valid(&self) -> bool {
        let count = self.tasks.count as usize;
        let is_kept = self.options.as_ref().is_some_and(|options| options.is_kept);
        let has_keys = !is_kept || matches!(self.columns.last(), Some(Column::Each(_)));
        has_keys && self.columns.iter().all(|column| column.is_valid(count))
    }
}

impl Run {
    /// What its tasks are called.
    pub(crate) fn name(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.code.name().to_string())
    }

    fn is_valid(&self) -> bool {
        let count = self.tasks.count as usize;
        let has_keys = !self.is_kept || matches!(self.arguments.last(), Some(Given::Each(_)));
        has_keys && self.arguments.iter().all(|argument| argument.is_valid(count))
    }
}

#[cfg(test)]
mod tests;
