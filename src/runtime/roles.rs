//! What one rank does with what it hears: its roles over one transport.
//!
//! What has arrived is handed to the roles, what they say is put into one frame a peer, and what a rank
//! says to itself never leaves it. This module has no thread, no lock and no clock: the
//! [`Engine`](super::Engine) calls it with real ones, the simulation with its own.

use crate::{
    checksum,
    client::table::{Request, Table},
    comm::{Arrival, Transport},
    error::{DecodeErrorKind, Error, Result},
    ids::{TaskId, Tasks},
    message::{Held, Message, Outcome, RankState, ToClient, ToScheduler, ToStore, ToWorker, decode, encode},
    rank::{Rank, driver_of},
    record::{Recorder, Tally},
    scheduler::{Loss, Scheduler},
    store::{self, Claim, Store, Thresholds},
    value::{Account, Spill, Value},
    worker::{self, Execute, Worker, execute::Ended},
};
use rustc_hash::FxHashMap;
use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

/// How many arrivals are taken in before what follows from them is sent.
const ARRIVALS_MAX: usize = 256;

/// Moves values between memory and a disk.
pub(crate) trait Spiller {
    /// Moves a value to the disk.
    fn spill(&self, task: TaskId, value: Value);
    /// Reads a value back.
    fn load(&self, task: TaskId, value: Value);
    /// What has been done since the last call.
    fn take_done(&self) -> Vec<Spilled>;
}

/// What a [`Spiller`] tells.
#[derive(Debug)]
pub(crate) enum Spilled {
    /// A value was moved to the disk, or not; how long that took.
    Moved { task: TaskId, outcome: Spill, bytes: u64, nanoseconds: u64 },
    /// A value was read back; how long that took.
    Loaded { task: TaskId, bytes: u64, nanoseconds: u64 },
    /// So many bytes the process has in memory.
    Observed(u64),
}

/// What a rank's roles work with besides themselves.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The rank's client.
    pub table: &'a Table,
    /// The rank's threads, if it works.
    pub executor: Option<&'a dyn Execute>,
    /// What moves the rank's values to a disk, if its memory has a limit.
    pub spiller: Option<&'a dyn Spiller>,
    /// Where the end of the run is noted.
    pub outcome: &'a OnceLock<Outcome>,
    /// Who records what happens, if anybody does.
    pub recorder: Option<&'a Recorder>,
    /// Who counts how far the run has come, on rank 0 if it is shown.
    pub tally: Option<&'a Tally>,
}

/// A rank's roles and what is on its way between them.
pub(crate) struct Roles {
    this: Rank,
    pub(crate) transport: Box<dyn Transport>,
    scheduler: Option<Scheduler>,
    /// Whether the scheduler has heard something since it decided.
    is_undecided: bool,
    worker: Worker,
    store: Store,
    /// What was said to this very rank.
    local: VecDeque<Message>,
    /// Whether what travels carries checksums.
    checks: bool,
    /// Ranks that are lost.
    lost: Vec<Rank>,
    /// Ranks of which something was heard, and those that have come to their end.
    heard: Vec<Rank>,
    gone: Vec<Rank>,
    /// Whether a rank has said that its program ends.
    was_left: bool,
    /// What was said to others: a frame a peer, and which have something in them.
    frames: FxHashMap<Rank, Vec<u8>>,
    filled: Vec<Rank>,
    /// Sessions of which one of two things was heard: that they have ended, and that the scheduler knows nothing of
    /// them any more.
    ending: Vec<Rank>,
    /// Whether it holds back what it has to say.
    holds: bool,
    /// The maximum size of a value that a session announces, in bytes.
    session_bytes_max: u64,
}

impl Roles {
    /// The roles of one rank. If the run survives losses, what travels carries checksums: of what a rank was
    /// sending when it died nothing is taken in that is not whole.
    pub(crate) fn new(transport: Box<dyn Transport>, scheduler: Option<Scheduler>, survives: bool) -> Self {
        let (this, first_session) = (transport.rank(), Rank(transport.size()));
        Self {
            this,
            scheduler,
            is_undecided: false,
            worker: Worker::new(this),
            store: Store::new(this).checking(survives).with_sessions_from(first_session),
            local: VecDeque::new(),
            checks: survives,
            lost: Vec::new(),
            heard: Vec::new(),
            gone: Vec::new(),
            was_left: false,
            frames: FxHashMap::default(),
            filled: Vec::new(),
            ending: Vec::new(),
            holds: false,
            session_bytes_max: u64::MAX,
            transport,
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// The transport's.
    pub(crate) fn send(&mut self, target: Rank, mut frame: Vec<u8>) -> Result<()> {
        if self.checks {
            checksum::seal(&mut frame, None);
        }
        self.transport.send(target, frame)
    }

    /// Sets a limit for the values here.
    pub(crate) fn limit_memory(&mut self, limit_bytes: u64, thresholds: Thresholds, account: Arc<Account>) {
        self.store.limit_memory(limit_bytes, thresholds, account);
    }

    /// Sets the maximum size of a value that a session announces, in bytes.
    pub(crate) fn limit_sessions(&mut self, bytes_max: u64) {
        self.session_bytes_max = bytes_max;
    }

    /// Sets how many bodies may be on their way here at a time.
    pub(crate) fn limit_coming(&mut self, bodies_max: usize) {
        self.store.limit_coming(bodies_max);
    }

    /// How many bytes of values here are on the disk only.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.store.spilled_bytes()
    }

    /// How many bytes of values the rank holds.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.store.bytes()
    }

    /// How much there is of what goes with the futures: all zero when every one was dropped.
    pub(crate) fn left_over(&self) -> Vec<(&'static str, usize)> {
        let mut left = vec![
            ("tasks that wait for values", self.worker.waiting_count()),
            ("values that tasks wait for", self.worker.wanted_count()),
            ("values in the store", self.store.len()),
            ("bytes in the store", self.store.bytes() as usize),
            ("values that are coming", self.store.coming_count()),
            ("sessions that end", self.ending.len()),
        ];
        left.extend(self.worker.left_early());
        left.extend(self.scheduler.iter().flat_map(Scheduler::left_over));
        left
    }

    /// The tasks of a session of which the rank holds a value or, if it schedules, a record.
    #[cfg(feature = "testing")]
    pub(crate) fn held_of(&self, session: Rank) -> Vec<TaskId> {
        let mut held = self.store.names_of(session);
        held.extend(self.scheduler.iter().flat_map(|scheduler| scheduler.records_of(session)));
        held
    }

    /// Takes in what has arrived, decides, and sends. Returns whether anything happened.
    ///
    /// # Errors
    ///
    /// The transport's, and [`Error::Decode`](crate::Error::Decode) for bytes that are no messages.
    pub(crate) fn progress(&mut self, around: Surroundings<'_>) -> Result<bool> {
        let mut active = std::mem::take(&mut self.holds);
        for _ in 0..ARRIVALS_MAX {
            let Some(arrival) = self.transport.poll()? else { break };
            active = true;
            match arrival {
                // Of a rank that is lost, nothing counts any more.
                Arrival::Frame { source, .. } if self.has_lost(source) => {}
                Arrival::Frame { source, mut control } => {
                    if self.checks && !checksum::open(&mut control, None) {
                        tracing::warn!(rank = self.this.0, source = source.0, "a frame did not come whole");
                        if self.is_session(source) {
                            self.dismiss(source, "it sent a frame that did not come whole".into());
                        }
                        continue;
                    }
                    match self.messages(source, &control) {
                        Ok(messages) => {
                            messages.into_iter().try_for_each(|message| self.hear(source, message, around))?
                        }
                        Err(error) if self.is_session(source) => self.dismiss(source, error.to_string()),
                        Err(error) => return Err(error),
                    }
                }
                Arrival::Body { source, tag, buffer } => {
                    around.recorder.inspect(|recorder| recorder.fetched(source, tag, buffer.length()));
                    tracing::debug!(
                        rank = self.this.0,
                        source = source.0,
                        bytes = buffer.length(),
                        "got a value"
                    );
                    self.store.body_arrived(source, tag, buffer);
                }
            }
        }
        active |= self.hear_client(around);
        active |= self.hear_executor(around.executor);
        active |= self.hear_spiller(around);
        self.settle(around)?;
        active |= self.keep_within_memory(around)?;
        if self.has_more_to_decide() {
            (active, self.is_undecided) = (true, true);
        }
        if !active {
            return Ok(false);
        }
        // What this rank tells itself then may be news to the scheduler again.
        while std::mem::take(&mut self.is_undecided) {
            self.decide(around);
            self.settle(around)?;
        }
        // The scheduler learns of values before those who are to fetch them, even if this rank fails in between.
        self.filled.sort_unstable();
        for target in std::mem::take(&mut self.filled) {
            let frame = self.frames.remove(&target).unwrap_or_default();
            self.send(target, frame)?;
        }
        Ok(true)
    }

    /// Hears what has ended on the rank's threads, and holds back what it has to say of that. Returns whether that may
    /// wait a little: it is for the scheduler on another rank, and nothing is to be done at once.
    pub(crate) fn hear_ended(&mut self, executor: &dyn Execute) -> bool {
        self.holds |= self.hear_executor(Some(executor));
        let is_for_scheduler = self.filled.iter().all(|target| *target == Rank::SCHEDULER);
        is_for_scheduler && self.local.is_empty() && self.store.is_settled()
    }

    /// Whether the scheduler, if this rank has it, has more to decide without any news.
    pub(crate) fn has_more_to_decide(&self) -> bool {
        self.scheduler.as_ref().is_some_and(Scheduler::has_more_to_decide)
    }

    fn is_session(&self, rank: Rank) -> bool {
        rank.0 >= self.transport.size()
    }

    /// The messages of a frame. Those of a session must be some that a session may send.
    fn messages(&self, source: Rank, frame: &[u8]) -> Result<Vec<Message>> {
        let messages = decode(source, frame)?;
        let size = self.transport.size();
        let is_refused = |message: &&Message| !message.is_permitted_of(source, size, self.session_bytes_max);
        match messages.iter().find(is_refused).filter(|_| self.is_session(source)) {
            None => Ok(messages),
            Some(_) => Err(Error::decode(
                DecodeErrorKind::Message,
                format!(
                    "rank {source} sent a message that no session may send, or a value larger than a worker's memory"
                ),
            )),
        }
    }

    /// Has a session ended that has sent what it must not.
    fn dismiss(&mut self, session: Rank, reason: String) {
        tracing::warn!(rank = self.this.0, session = session.0, "ends a session: {reason}");
        let reason = format!("the cluster has ended this session: {reason}");
        self.say(driver_of(self.transport.size()), Message::Dismiss { session, reason });
    }

    /// Says what the scheduler decides.
    fn decide(&mut self, around: Surroundings<'_>) {
        let decisions = self.scheduler.as_mut().map(Scheduler::decide).unwrap_or_default();
        around.recorder.inspect(|recorder| recorder.given(&decisions));
        for (target, message) in decisions {
            if let Message::ToWorker(ToWorker::Yield(count)) = &message {
                tracing::debug!(
                    rank = self.this.0,
                    victim = target.0,
                    count,
                    "asks for tasks back, for others"
                );
            }
            around.tally.inspect(|tally| tally.say(target, &message));
            self.say(target, message);
        }
        if let (Some(tally), Some(scheduler)) = (around.tally, &self.scheduler) {
            let waiting = || (scheduler.ready_count(), scheduler.has_waiting_tasks());
            tally.decided(waiting, scheduler.startable_tasks());
        }
    }

    /// Whether a rank has said that its program ends.
    pub(crate) fn was_left(&self) -> bool {
        self.was_left
    }

    fn has_lost(&self, rank: Rank) -> bool {
        !self.lost.is_empty() && self.lost.contains(&rank)
    }

    /// How a rank was lost, if it was and this one schedules.
    pub(crate) fn how_lost(&self, rank: Rank) -> Option<&str> {
        self.scheduler.as_ref()?.how_lost(rank)
    }

    /// Losses of workers since the last call, if this rank schedules.
    pub(crate) fn take_losses(&mut self) -> Vec<Loss> {
        self.scheduler.as_mut().map(Scheduler::take_losses).unwrap_or_default()
    }

    /// The ranks that are lost, in the order in which that was heard.
    pub(crate) fn lost(&self) -> &[Rank] {
        &self.lost
    }

    /// The ranks that have said since the last call that they live.
    pub(crate) fn take_heard(&mut self) -> Vec<Rank> {
        std::mem::take(&mut self.heard)
    }

    /// The ranks that have come to their end.
    pub(crate) fn gone(&self) -> &[Rank] {
        &self.gone
    }

    fn say(&mut self, target: Rank, message: Message) {
        if self.has_lost(target) {
            return;
        }
        if target == self.this {
            self.local.push_back(message);
            return;
        }
        let frame = self.frames.entry(target).or_default();
        if frame.is_empty() {
            self.filled.push(target);
        }
        encode(&message, frame);
    }

    fn tell_scheduler(&mut self, message: ToScheduler) {
        self.say(Rank::SCHEDULER, Message::ToScheduler(message));
    }

    fn hear_client(&mut self, around: Surroundings<'_>) -> bool {
        let table = around.table;
        let requests = table.take_requests();
        around
            .recorder
            .inspect(|recorder| recorder.submitted(requests.iter().filter_map(Request::submitted)));
        let active = !requests.is_empty();
        for request in requests {
            match request {
                Request::Say(target, message) => self.say(target, message),
                Request::Put(task, value, claim) => self.store.put(task, value, claim),
                Request::Drop(task) => self.store.free(task, Claim::Client),
                Request::Want(held) => {
                    if self.store.want(held, Claim::Client)
                        && let Some(value) = self.store.get(held.task)
                    {
                        table.arrived(held.task, value);
                    }
                }
            }
        }
        active
    }

    fn hear_executor(&mut self, executor: Option<&dyn Execute>) -> bool {
        let ended = executor.map(Execute::take_ended).unwrap_or_default();
        let active = !ended.is_empty();
        for ended in ended {
            let (message, actions) = match ended {
                Ended::Finished { finished, nanoseconds } => {
                    let actions = self.worker.made_small(&finished);
                    (ToScheduler::Finished { finished, nanoseconds }, actions)
                }
                Ended::Stored { task, value, nanoseconds } => {
                    let size = value.size();
                    self.store.put(task, value, Claim::Worker);
                    let actions = self.worker.made_large(Held { task, holder: self.this, size });
                    (ToScheduler::Stored { task, size, nanoseconds }, actions)
                }
                Ended::Failed(error) => {
                    self.worker.ended_without(Tasks::one(TaskId(error.task)));
                    (ToScheduler::Failed(error), Vec::new())
                }
                Ended::RunsOn(count) => (ToScheduler::Blocked(-count), Vec::new()),
                Ended::Behind(nanoseconds) => (ToScheduler::Behind { nanoseconds }, Vec::new()),
            };
            self.tell_scheduler(message);
            self.carry_out(actions, executor);
        }
        active
    }

    fn hear_spiller(&mut self, around: Surroundings<'_>) -> bool {
        let done = around.spiller.map(Spiller::take_done).unwrap_or_default();
        let record = |bytes, nanoseconds| {
            around.recorder.inspect(|recorder| recorder.spilled(bytes, nanoseconds));
        };
        let active = !done.is_empty();
        for done in done {
            match done {
                Spilled::Moved { task, outcome, bytes, nanoseconds } => {
                    if outcome == Spill::Done {
                        record(bytes, nanoseconds);
                    }
                    self.store.spilled(task, outcome);
                }
                Spilled::Loaded { task, bytes, nanoseconds } => {
                    record(bytes, nanoseconds);
                    self.store.loaded(task);
                }
                Spilled::Observed(bytes) => self.store.observe(bytes),
            }
        }
        active
    }

    /// Moves values to the disk where there are too many, and says how full the memory is then. Returns whether
    /// anything happened.
    fn keep_within_memory(&mut self, around: Surroundings<'_>) -> Result<bool> {
        self.store.keep_within_memory(around.executor.map_or(0, Execute::wanted_bytes));
        let mut active = !self.store.is_settled();
        if let Some(bytes) = self.store.spilled_news() {
            self.tell_scheduler(ToScheduler::Spilled { bytes });
            active = true;
        }
        if let (Some(executor), Some(fullness)) = (around.executor, self.store.fullness()) {
            executor.note_fullness(fullness);
        }
        self.settle(around)?;
        Ok(active)
    }

    /// Carries out what the store wants done and what was said to this rank, until nothing is left.
    fn settle(&mut self, around: Surroundings<'_>) -> Result<()> {
        loop {
            for action in self.store.take_actions() {
                match action {
                    store::Action::Post { source, tag, buffer } => {
                        around.recorder.inspect(|recorder| recorder.fetch_begins(source, tag));
                        self.transport.post(source, tag, buffer)?;
                    }
                    // Of what a lost rank was to send, everything was given up when it was lost.
                    store::Action::Withdraw { source, .. } if self.has_lost(source) => {}
                    store::Action::Withdraw { source, tag } => self.transport.withdraw(source, tag)?,
                    store::Action::Say { target, message } => self.say(target, Message::ToStore(message)),
                    store::Action::SendBody { target, .. } if self.has_lost(target) => {}
                    store::Action::SendBody { target, tag, body } => {
                        around.recorder.inspect(|recorder| recorder.sent(target, tag, body.as_slice().len()));
                        self.transport.send_body(target, tag, body)?;
                    }
                    store::Action::Spill { task, value } => {
                        around.spiller.iter().for_each(|spiller| spiller.spill(task, value.clone()));
                    }
                    store::Action::Load { task, value } => {
                        around.spiller.iter().for_each(|spiller| spiller.load(task, value.clone()));
                    }
                }
            }
            for task in self.store.take_news() {
                if let Some(value) = self.store.get(task) {
                    around.table.arrived(task, value);
                }
                let actions = self.worker.news(task);
                self.carry_out(actions, around.executor);
            }
            match self.local.pop_front() {
                Some(message) => self.hear(self.this, message, around)?,
                None if self.store.is_settled() => return Ok(()),
                None => {}
            }
        }
    }

    fn hear(&mut self, source: Rank, message: Message, around: Surroundings<'_>) -> Result<()> {
        match message {
            Message::ToScheduler(message) => {
                if let Some(scheduler) = &mut self.scheduler {
                    if let (Some(recorder), ToScheduler::Submit(layer)) = (around.recorder, &message) {
                        recorder.layer(layer);
                    }
                    log_of(self.this, source, &message);
                    around.tally.inspect(|tally| tally.hear(source, &message));
                    scheduler.handle(source, message);
                    self.is_undecided = true;
                }
            }
            Message::ToWorker(message) => {
                let store = &mut self.store;
                let actions = self.worker.handle(message, |task| store.claim(task, Claim::Worker));
                self.carry_out(actions, around.executor);
            }
            Message::ToClient(message) => around.table.handle(message),
            Message::Parcel(parcel) => around.table.mail.take_in(parcel),
            Message::ToStore(ToStore::Pulled(task)) => around.table.pulled(source, task),
            Message::ToStore(message) => self.store.handle(source, message),
            Message::Stop(outcome) => {
                tracing::info!(rank = self.this.0, "is told that the run ends");
                // The first one counts.
                let _ = around.outcome.set(outcome);
            }
            Message::Lost(rank) => self.lose(rank, around)?,
            Message::SessionEnded(session) => {
                self.transport.lose(session);
                self.store.end_session(session);
                if let Some(scheduler) = &mut self.scheduler {
                    scheduler.handle(source, ToScheduler::Disconnected { session });
                    self.is_undecided = true;
                }
                self.note_ending(session);
            }
            Message::Dismiss { session, reason } => self.transport.dismiss(session, &reason),
            Message::SessionForgotten(session) => self.note_ending(session),
            Message::Left(rank) => {
                self.was_left = true;
                return Err(Error::World(format!("rank {rank} left the run before its end")));
            }
            Message::Lives => self.heard.push(source),
            Message::Bye => self.gone.push(source),
            Message::Ask { question, task } => {
                let state = Box::new(self.state(task, around.executor));
                self.say(source, Message::ToClient(ToClient::Answer { question, state }));
            }
            Message::Recorded(chunk) => {
                around.recorder.inspect(|recorder| recorder.gather(&chunk));
            }
            Message::Gathered => {
                around.recorder.inspect(|recorder| recorder.note_gathered());
            }
            Message::Live(live) => {
                around.recorder.inspect(|recorder| recorder.hear_live(&live));
            }
        }
        Ok(())
    }

    /// A session has ended, or the scheduler knows nothing of it any more. Once both are so, values of it that are
    /// here are nobody's: it gave them without the scheduler's knowledge.
    fn note_ending(&mut self, session: Rank) {
        match self.ending.iter().position(|ending| *ending == session) {
            None => self.ending.push(session),
            Some(place) => {
                self.ending.swap_remove(place);
                self.store.forget_session(session);
            }
        }
    }

    /// A rank is lost: nothing is expected from there, and nothing said to it.
    fn lose(&mut self, rank: Rank, around: Surroundings<'_>) -> Result<()> {
        if self.has_lost(rank) {
            return Ok(());
        }
        tracing::warn!(rank = self.this.0, lost = rank.0, "hears that a rank is lost");
        self.lost.push(rank);
        if rank == self.this {
            return Ok(());
        }
        // The last that it is told, among it that it is lost: it may only have been silent.
        let frame = self.frames.remove(&rank).unwrap_or_default();
        self.filled.retain(|filled| *filled != rank);
        if !frame.is_empty() {
            self.send(rank, frame)?;
        }
        self.transport.lose(rank);
        around.table.lose(rank);
        let (lacking, orphaned) = self.store.lose(rank);
        let unmade = self.worker.give_up_unmade();
        self.carry_out(unmade, around.executor);
        let actions = self.worker.lose(&lacking);
        if around.executor.is_some() {
            let values = lacking.into_iter().filter(|value| !value.is_part()).collect();
            self.tell_scheduler(ToScheduler::Lacks { lost: rank, values, orphaned });
        }
        self.carry_out(actions, around.executor);
        Ok(())
    }

    /// How this rank stands.
    fn state(&self, task: Option<TaskId>, executor: Option<&dyn Execute>) -> RankState {
        let scheduler = self.scheduler.as_ref();
        RankState {
            story: task.and_then(|task| scheduler?.story(task)),
            scheduler: scheduler.filter(|_| task.is_none()).map(Scheduler::state),
            running: executor.map(|executor| executor.running()).unwrap_or_default(),
            queued: executor.map(|executor| executor.queued()).unwrap_or_default(),
            waiting: self.worker.waiting(),
            values: self.store.len() as u64,
            bytes: self.store.bytes(),
        }
    }

    fn carry_out(&mut self, actions: Vec<worker::Action>, executor: Option<&dyn Execute>) {
        let Some(executor) = executor else { return };
        for action in actions {
            match action {
                worker::Action::Begin(run) => executor.begin(run, &|task| self.store.get(task).cloned()),
                worker::Action::Want(held) => {
                    self.store.want(held, Claim::Worker);
                }
                worker::Action::WantPart { name, held, cut } => self.store.want_part(name, held, cut),
                worker::Action::Free(task) => self.store.free(task, Claim::Worker),
                worker::Action::Say(message) => self.tell_scheduler(message),
                worker::Action::Send { target, order, made } => {
                    self.say(target, Message::ToWorker(ToWorker::Made { order, made }));
                }
                worker::Action::TakeBack(count) => {
                    let back = executor.take_back(count);
                    back.iter().for_each(|tasks| self.worker.ended_without(*tasks));
                    self.tell_scheduler(ToScheduler::Yielded(back));
                }
                worker::Action::Cancel(tasks) => executor.cancel(&tasks),
                worker::Action::TakeBackThese(tasks) => {
                    let back = executor.take_back_these(&tasks);
                    if !back.is_empty() {
                        back.iter().for_each(|tasks| self.worker.ended_without(*tasks));
                        self.tell_scheduler(ToScheduler::Yielded(back));
                    }
                }
            }
        }
    }
}

/// Tells what the scheduler hears.
fn log_of(this: Rank, source: Rank, message: &ToScheduler) {
    let (rank, source) = (this.0, source.0);
    match message {
        ToScheduler::Submit(layer) => {
            tracing::debug!(rank, source, tasks = layer.tasks.count, "a layer of {}", layer.name());
        }
        ToScheduler::Failed(error) => tracing::warn!(rank, source, "{error}"),
        ToScheduler::Refuse { tasks, error } => tracing::warn!(rank, source, tasks = tasks.count, "{error}"),
        ToScheduler::Yielded(tasks) => {
            let count: u32 = tasks.iter().map(|tasks| tasks.count).sum();
            tracing::debug!(rank, source, count, "got tasks back that had not begun");
        }
        ToScheduler::Cancel(_) => tracing::info!(rank, source, "tasks are cancelled"),
        ToScheduler::Retire(workers) => tracing::info!(rank, source, "{workers:?} run no more tasks"),
        ToScheduler::TimeLeft { nanoseconds: 0 } => {
            tracing::warn!(rank, source, "the run stops: no more tasks begin")
        }
        ToScheduler::TimeLeft { nanoseconds } => {
            tracing::info!(rank, source, seconds = nanoseconds / 1_000_000_000, "time is left");
        }
        ToScheduler::Shutdown(_) => tracing::info!(rank, source, "the driver is done"),
        ToScheduler::Finished { .. } | ToScheduler::Stored { .. } => {
            tracing::trace!(rank, source, "{message:?}")
        }
        _ => {}
    }
}
