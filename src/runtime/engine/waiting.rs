//! Who waits, looks after the rank.
//!
//! A thread of the rank's own does so when nobody else does; but a driver that waits for a result, or a
//! worker's thread that has run out of tasks, takes the lock and does it itself, so that no result has to be
//! handed from thread to thread. Whoever holds the lock is the one that sleeps on the rank's bell (see
//! [`bell`]). Where MPI may be called by one thread only, that thread alone does it, and the others wait to be
//! told.
//!
//! Idle ranks look hard for a few microseconds, then sleep.
//!
//! A worker's thread whose task has made others ready goes on with these at once: what the scheduler is to hear of it
//! is held back meanwhile, and goes out with what follows or after [`HOLD`]. So a chain of short tasks costs a
//! worker neither messages nor looks for some.

use super::{
    super::{leaving, roles::Roles},
    AbortOnPanic, Engine,
};
use crate::{
    client::process::{Parts, Process},
    client::table::Request,
    comm::{Bells, bell, bell::Sleeper},
    current::{self, Context},
    error::{Error, Result},
    ids::TaskId,
    lock::lock,
    message::{Message, ToScheduler},
    rank::Rank,
    record::{self, Recorder},
    units,
    worker::execute::Host,
};
use std::{
    sync::{MutexGuard, TryLockError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long a thread looks hard for something to do before it sleeps, if there is a core for it.
const SPIN: Duration = Duration::from_micros(50);
/// The same, of a thread that waits for values of other shares of a repetition.
const SPIN_FOR_SHARES: Duration = Duration::from_micros(200);
/// The longest that is held back what the scheduler is to hear of tasks that have ended.
const HOLD: Duration = Duration::from_micros(100);
/// How long a worker's thread without tasks looks after its rank before it rests.
const LINGER: Duration = Duration::from_millis(2);

impl Process for Engine {
    fn send_soon(&self, now: bool) {
        if now {
            self.visit();
        } else {
            self.bells.ring_self();
        }
    }

    fn poll(&self) {
        self.visit();
    }

    fn wait_until(
        &self,
        is_ready: &mut dyn FnMut() -> bool,
        awaited: &dyn Fn() -> Option<TaskId>,
        timeout: Option<Duration>,
    ) -> Result<()> {
        self.wait(|| is_ready().then_some(()), awaited, timeout)
    }

    fn exchange(&self, may_take_long: bool) {
        match self.may_drive().then(|| self.roles.try_lock()) {
            Some(Ok(mut roles)) => {
                self.progress(&mut roles);
                match may_take_long {
                    true => self.leave(roles),
                    false => self.bells.attend(),
                }
            }
            // Who looks after the rank will see it.
            Some(Err(_)) | None => self.bells.ring_self(),
        }
    }

    fn wait_a_moment(&self, is_ready: &mut dyn FnMut() -> bool) -> bool {
        let mut ready = || is_ready().then_some(());
        if ready().is_some() {
            return true;
        }
        let _waiting = Working::new(self, false);
        let _recorded = BlockedStretch::new(self);
        let until = Instant::now() + LINGER;
        let mut idle = Idle::spinning_for(self, SPIN_FOR_SHARES);
        loop {
            if ready().is_some() {
                return true;
            }
            if self.why_over().is_some() || Instant::now() >= until {
                return false;
            }
            if let Some(Ok(mut roles)) = self.may_drive().then(|| self.roles.try_lock()) {
                let result = self.drive_on(&mut roles, idle, &mut ready, || false, Some(until));
                self.bells.attend();
                return result.is_some();
            }
            if !idle.spins() {
                return self.wait_for_change(&mut ready, Some(until)).is_some();
            }
        }
    }

    fn wake_others(&self) {
        self.tell_waiters();
        self.bells.ring_self();
    }

    fn time_left(&self) -> Option<Duration> {
        Some(self.clock.as_ref()?.time_left(Instant::now()))
    }

    fn parts(&self) -> &Parts {
        &self.parts
    }

    fn is_session(&self) -> bool {
        Self::is_session(self)
    }

    fn allows_modules(&self) -> bool {
        self.allows_modules
    }

    fn is_one_process(&self) -> bool {
        let ranks = self.cluster.ranks();
        ranks.len() > 1 && ranks.iter().all(|rank| rank.host == ranks[0].host && rank.pid == ranks[0].pid)
    }
}

impl Engine {
    /// Whether this thread may use the transport.
    fn may_drive(&self) -> bool {
        self.only_thread.is_none_or(|only| only == thread::current().id())
    }

    /// Runs the driver's closure: it works, but while it waits.
    pub(crate) fn driving<R>(&self, closure: impl FnOnce() -> R) -> R {
        let _working = Working::new(self, true);
        self.recorder.iter().for_each(|recorder| recorder.driver_begins());
        let result = leaving::driving(closure);
        self.recorder.iter().for_each(|recorder| recorder.driver_ends());
        result
    }

    /// Moves everything along once, or sees to it that whoever is at it does.
    fn visit(&self) {
        if self.may_drive() {
            while let Ok(mut roles) = self.roles.try_lock() {
                self.bells.get_up();
                self.progress(&mut roles);
                self.leave(roles);
                if !self.has_news() {
                    return;
                }
            }
        }
        self.bells.ring_self();
    }

    /// Whether this rank's own threads have something to say.
    fn has_news(&self) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.has_ended())
            || self.table.has_requests()
            || self.spiller.as_ref().is_some_and(|spiller| spiller.has_done())
    }

    /// Gives the rank back to its own thread, which sleeps.
    fn leave(&self, mut roles: MutexGuard<'_, Roles>) {
        self.bells.lie_down(Sleeper::Background);
        // What came before others were told to ring: MPI shows some messages at the second look only.
        while self.progress(&mut roles) || self.progress(&mut roles) {}
        let busy = roles.transport.is_busy();
        drop(roles);
        if busy || self.over.load(Ordering::SeqCst) {
            self.bells.ring_self();
        }
    }

    /// Waits until `ready` gives something, and looks after the rank meanwhile.
    pub(crate) fn wait<T>(
        &self,
        mut ready: impl FnMut() -> Option<T>,
        awaited: impl Fn() -> Option<TaskId>,
        timeout: Option<Duration>,
    ) -> Result<T> {
        let deadline = timeout.map(|timeout| (units::after(Instant::now(), timeout), timeout));
        if let Some(result) = ready() {
            return Ok(result);
        }
        let blocked = current::is_in_task().then(|| Blocked::new(self));
        // Another thread that the driver has started was never counted as one that works.
        let _waiting = leaving::is_within_run().then(|| Working::new(self, false));
        let _recorded = blocked.is_none().then(|| DriverWaits::new(self, &awaited)).flatten();
        loop {
            if let Some(result) = ready() {
                return Ok(result);
            }
            if let Some(error) = self.why_over() {
                return Err(error);
            }
            if let Some((_, timeout)) = deadline.filter(|(deadline, _)| Instant::now() >= *deadline) {
                return Err(Error::Timeout(timeout));
            }
            if blocked.is_some() && self.pool.as_ref().is_some_and(|pool| pool.help()) {
                continue;
            }
            let until = deadline.map(|(deadline, _)| deadline);
            if let Some(task) = self.is_lone_driver().then(&awaited).flatten() {
                match self.wait_for_others(task, &mut ready, until) {
                    Some(result) => return Ok(result),
                    None => continue,
                }
            }
            match self.may_drive().then(|| self.roles.try_lock()) {
                Some(Ok(roles)) => {
                    let needs_help =
                        || blocked.is_some() && self.pool.as_ref().is_some_and(|pool| pool.needs_help());
                    if let Some(result) = self.drive(roles, &mut ready, needs_help, until) {
                        return Ok(result);
                    }
                }
                Some(Err(TryLockError::Poisoned(_))) => return Err(Error::Ended),
                Some(Err(TryLockError::WouldBlock)) | None => {
                    let result = match self.is_spared().then(&awaited).flatten() {
                        Some(task) => self.wait_for_task(task, &mut ready, until),
                        None => self.wait_for_change(&mut ready, until),
                    };
                    if let Some(result) = result {
                        return Ok(result);
                    }
                }
            }
        }
    }

    fn why_over(&self) -> Option<Error> {
        if let Some(error) = self.interrupted.get().or(self.failure.get()) {
            return Some(error.clone());
        }
        self.over.load(Ordering::SeqCst).then_some(Error::Ended)
    }

    /// Looks after the rank until `ready` gives something, or there is another reason to stop.
    fn drive<T>(
        &self,
        mut roles: MutexGuard<'_, Roles>,
        ready: &mut impl FnMut() -> Option<T>,
        other_reason: impl Fn() -> bool,
        deadline: Option<Instant>,
    ) -> Option<T> {
        let result = self.drive_on(&mut roles, Idle::new(self), ready, other_reason, deadline);
        self.leave(roles);
        result
    }

    /// As `drive`, of a thread that keeps the rank.
    fn drive_on<T>(
        &self,
        roles: &mut Roles,
        mut idle: Idle<'_>,
        ready: &mut impl FnMut() -> Option<T>,
        other_reason: impl Fn() -> bool,
        deadline: Option<Instant>,
    ) -> Option<T> {
        self.bells.get_up();
        loop {
            let active = self.progress(roles);
            let result = ready();
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if result.is_some() || self.why_over().is_some() || other_reason() || late {
                return result;
            }
            if active {
                idle.reset();
            } else if !idle.spins() {
                let rings = self.bells.rings(Sleeper::Visitor);
                self.bells.lie_down(Sleeper::Visitor);
                if !self.progress(roles) && !self.progress(roles) && !self.has_news() {
                    let nap = idle.nap(self.bells.has_remote() || roles.transport.is_busy());
                    let left =
                        deadline.map_or(nap, |deadline| deadline.saturating_duration_since(Instant::now()));
                    self.bells.wait(Sleeper::Visitor, rings, nap.min(left));
                }
                self.bells.get_up();
            }
        }
    }

    /// Waits, while another thread looks after the rank, until that changes something, unless `ready` gives
    /// something already: that may be given once only.
    fn wait_for_change<T>(
        &self,
        ready: &mut impl FnMut() -> Option<T>,
        deadline: Option<Instant>,
    ) -> Option<T> {
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let mut changes = lock(&self.changes);
        let before = *changes;
        drop(changes);
        // It may have changed before we counted as a waiter.
        let result = ready();
        if result.is_none() && self.why_over().is_none() {
            self.bells.ring_self();
            // What it waits for may be the lock itself, whose release tells nobody.
            let nap = Duration::from_millis(if self.may_drive() { 1 } else { 50 });
            let left = deadline.map_or(nap, |deadline| deadline.saturating_duration_since(Instant::now()));
            changes = lock(&self.changes);
            if *changes == before {
                drop(self.changed.wait_timeout(changes, nap.min(left)));
            }
        }
        self.waiters.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Whether other threads run the tasks of this rank while this one waits within a task.
    fn is_spared(&self) -> bool {
        current::is_in_task() && self.pool.is_some()
    }

    /// As `wait_for_change`, but is only woken for a task on which `ready` depends: there may be thousands of threads
    /// that wait.
    fn wait_for_task<T>(
        &self,
        task: TaskId,
        ready: &mut impl FnMut() -> Option<T>,
        deadline: Option<Instant>,
    ) -> Option<T> {
        let _parked = self.table.parked.park_for(task);
        // It may have ended before it was known who waits for it.
        let result = ready();
        if result.is_none() && self.why_over().is_none() {
            self.bells.ring_self();
            let waiting = self.pool.as_ref().map_or(1, |pool| pool.waiting_count());
            // A few look after the rank in turns; thousands would do nothing else.
            let nap = Duration::from_millis(waiting.clamp(1, 10_000) as u64);
            let left = deadline.map_or(nap, |deadline| deadline.saturating_duration_since(Instant::now()));
            thread::park_timeout(nap.min(left));
        }
        result
    }

    /// Whether this is the driver of a rank that does all by itself. Its worker's threads then look after the rank as
    /// tasks end, which takes no change from thread to thread, unlike to wake the driver for each.
    fn is_lone_driver(&self) -> bool {
        self.cluster.ranks().len() == 1 && self.pool.is_some() && !current::is_in_task()
    }

    /// As `wait_for_task`, of the lone driver.
    fn wait_for_others<T>(
        &self,
        task: TaskId,
        ready: &mut impl FnMut() -> Option<T>,
        deadline: Option<Instant>,
    ) -> Option<T> {
        let _parked = self.table.parked.park_for(task);
        self.visit();
        let mut idle = Idle::new(self);
        loop {
            let result = ready();
            if result.is_some() || self.why_over().is_some() {
                return result;
            }
            if !idle.spins() {
                break;
            }
        }
        let left =
            deadline.map_or(bell::SLEEP_MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        thread::park_timeout(left.min(bell::SLEEP_MAX));
        None
    }

    pub(super) fn tell_waiters(&self) {
        if self.why_over().is_some() {
            self.table.parked.unpark_all();
        }
        if self.waiters.load(Ordering::SeqCst) > 0 {
            *lock(&self.changes) += 1;
            self.changed.notify_all();
        }
    }

    /// Looks after the rank until the run is over; what the rank's own thread does.
    pub(crate) fn look_after(&self, is_over: impl Fn() -> bool) {
        bell::sharpen_timers();
        let (mut idle, mut has_held) = (Idle::new(self), false);
        while !is_over() && self.failure.get().is_none() {
            let rings = self.bells.rings(Sleeper::Background);
            let holds = lock(&self.holds_since).is_some();
            if holds && !std::mem::replace(&mut has_held, true) {
                self.bells.wait(Sleeper::Background, rings, HOLD);
                continue;
            }
            has_held = false;
            let Ok(mut roles) = self.roles.try_lock() else {
                self.bells.wait(Sleeper::Background, rings, if holds { HOLD } else { bell::SLEEP_MAX });
                continue;
            };
            self.bells.get_up();
            if self.progress(&mut roles) {
                idle.reset();
            } else if !idle.spins() {
                self.bells.lie_down(Sleeper::Background);
                let active = self.progress(&mut roles) || self.progress(&mut roles);
                let nap = idle.nap(self.bells.has_remote() || roles.transport.is_busy());
                drop(roles);
                if !active && !is_over() && !self.has_news() {
                    self.bells.wait(Sleeper::Background, rings, nap);
                }
            }
        }
    }
}

impl Host for Engine {
    fn ended(&self) {
        self.visit();
    }

    fn goes_on(&self) -> bool {
        let (Some(pool), Ok(mut roles)) = (&self.pool, self.roles.try_lock()) else { return false };
        let guard = AbortOnPanic(self);
        let may_wait = roles.hear_ended(pool);
        std::mem::forget(guard);
        if !may_wait || !pool.has_queued() {
            return false;
        }
        // Under the lock of the roles, as in `progress`.
        let mut holds_since = lock(&self.holds_since);
        let Some(since) = *holds_since else {
            *holds_since = Some(Instant::now());
            // The rank's own thread: should the next task take long, that sends what is held back.
            self.bells.ring_self();
            return true;
        };
        since.elapsed() < HOLD
    }

    fn works(&self, works: bool) {
        self.bells.work(works);
    }

    fn linger(&self) -> bool {
        let Some(pool) = self.pool.as_ref().filter(|_| self.may_drive()) else { return false };
        if self.over.load(Ordering::SeqCst) {
            return false;
        }
        let Ok(roles) = self.roles.try_lock() else {
            // Another thread of this rank is at it; it may bring work in a moment.
            let mut idle = Idle::new(self);
            while !pool.has_queued() && idle.spins() {}
            return pool.has_queued();
        };
        let queued = || pool.has_queued().then_some(());
        let until = Some(Instant::now() + LINGER);
        self.drive(roles, &mut { queued }, || false, until).is_some()
    }

    fn spares(&self, delta: i32) {
        Blocked::say(self, delta);
        self.bells.ring_self();
    }

    fn context(&self) -> Context {
        self.context.get().expect("set when the engine was made").clone()
    }
}

/// Says, as long as it lives, that this thread works, or that it waits and does not.
struct Working<'a> {
    bells: &'a Bells,
    works: bool,
}

impl<'a> Working<'a> {
    fn new(engine: &'a Engine, works: bool) -> Self {
        engine.bells.work(works);
        Self { bells: &engine.bells, works }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.bells.work(!self.works);
    }
}

/// Says, as long as it lives, that a task of this rank waits and needs no thread.
struct Blocked<'a> {
    engine: &'a Engine,
    _recorded: BlockedStretch<'a>,
}

impl<'a> Blocked<'a> {
    fn new(engine: &'a Engine) -> Self {
        engine.pool.iter().for_each(|pool| pool.pause());
        Self::say(engine, 1);
        Self { engine, _recorded: BlockedStretch::new(engine) }
    }

    fn say(engine: &Engine, delta: i32) {
        let message = Message::ToScheduler(ToScheduler::Blocked(delta));
        engine.table.request(Request::Say(Rank::SCHEDULER, message));
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        let engine = self.engine;
        Self::say(engine, -1);
        engine.pool.iter().for_each(|pool| pool.resume());
    }
}

/// Records, as long as it lives, that the task on this thread waits.
struct BlockedStretch<'a> {
    engine: &'a Engine,
    since: u64,
}

impl<'a> BlockedStretch<'a> {
    fn new(engine: &'a Engine) -> Self {
        Self { engine, since: engine.recorder.as_ref().map_or(0, |_| record::now()) }
    }
}

impl Drop for BlockedStretch<'_> {
    fn drop(&mut self) {
        let Some(recorder) = &self.engine.recorder else { return };
        if let Some((place, is_shared)) = self.engine.pool.as_ref().and_then(|pool| pool.place()) {
            recorder.blocked(Some(place), is_shared, self.since);
        }
    }
}

/// Records, as long as it lives, that a thread of the driver waits.
struct DriverWaits<'a, F: Fn() -> Option<TaskId>> {
    recorder: &'a Recorder,
    awaited: &'a F,
    first: Option<TaskId>,
}

impl<'a, F: Fn() -> Option<TaskId>> DriverWaits<'a, F> {
    fn new(engine: &'a Engine, awaited: &'a F) -> Option<Self> {
        let recorder = engine.recorder.as_deref()?;
        recorder.driver_waits();
        Some(Self { recorder, awaited, first: awaited() })
    }
}

impl<F: Fn() -> Option<TaskId>> Drop for DriverWaits<'_, F> {
    fn drop(&mut self) {
        // Of several tasks it is not known which one ended the wait.
        let last = (self.awaited)();
        self.recorder.driver_waited(self.first.filter(|_| last == self.first));
    }
}

/// How a thread waits that finds nothing to do: hard at first, then asleep for longer and longer.
struct Idle<'a> {
    engine: &'a Engine,
    spin: Duration,
    spinning_since: Option<Instant>,
    has_spun: bool,
    nap: Duration,
}

impl<'a> Idle<'a> {
    const NAP_MIN: Duration = Duration::from_micros(20);

    fn new(engine: &'a Engine) -> Self {
        Self::spinning_for(engine, SPIN)
    }

    fn spinning_for(engine: &'a Engine, spin: Duration) -> Self {
        Self { engine, spin, spinning_since: None, has_spun: false, nap: Self::NAP_MIN }
    }

    /// There was something to do.
    fn reset(&mut self) {
        self.stop_spinning();
        self.has_spun = false;
        self.nap = Self::NAP_MIN;
    }

    /// Whether to look again at once.
    fn spins(&mut self) -> bool {
        if self.has_spun {
            return false;
        }
        let bells = &self.engine.bells;
        let since = *self.spinning_since.get_or_insert_with(|| {
            bells.spin(true);
            Instant::now()
        });
        if since.elapsed() < self.spin && bells.may_spin(self.engine.cores) {
            std::hint::spin_loop();
            return true;
        }
        self.has_spun = true;
        self.stop_spinning();
        false
    }

    fn stop_spinning(&mut self) {
        if self.spinning_since.take().is_some() {
            self.engine.bells.spin(false);
        }
    }

    /// How long to sleep now; not long if nobody may ring.
    fn nap(&mut self, unrung: bool) -> Duration {
        if !unrung {
            return bell::SLEEP_MAX;
        }
        let nap = self.nap;
        self.nap = (nap * 2).min(bell::NAP_MAX);
        nap
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.stop_spinning();
    }
}
