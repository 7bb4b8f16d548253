//! What a client needs of the process that it belongs to.

use crate::{
    error::Result,
    ids::TaskId,
    image::{self, Image},
    lock::lock,
    value::Data,
};
use std::{any::Any, fmt, sync::Mutex, time::Duration};

/// The process of a client: drives the progress of its rank.
pub(crate) trait Process: fmt::Debug + Send + Sync {
    /// Sends what the client has submitted: at once, or when some time has passed or more has come together.
    fn send_soon(&self, now: bool);
    /// Takes in what has arrived, without waiting.
    fn poll(&self);
    /// Waits until `is_ready`, and drives progress meanwhile. `awaited` names a task before whose end it is not
    /// ready, if there is one.
    ///
    /// # Errors
    ///
    /// When the time is over, and when the run ends.
    fn wait_until(
        &self,
        is_ready: &mut dyn FnMut() -> bool,
        awaited: &dyn Fn() -> Option<TaskId>,
        timeout: Option<Duration>,
    ) -> Result<()>;
    /// Sends what there is and takes in what has arrived, of a thread that does so again soon; until then nobody else
    /// need be woken for it, unless what it does next may take long.
    fn exchange(&self, may_take_long: bool);
    /// Waits for a moment until `is_ready`, and drives progress meanwhile; as `exchange` otherwise. Returns whether it
    /// is.
    fn wait_a_moment(&self, is_ready: &mut dyn FnMut() -> bool) -> bool;
    /// Has other threads of this rank look whether what they wait for is ready.
    fn wake_others(&self);
    /// The time until the run must end, if that is known.
    fn time_left(&self) -> Option<Duration>;
    /// What this rank has handed over to the run, and what it gets back.
    fn parts(&self) -> &Parts;
    /// Whether all ranks are threads of this process.
    fn is_one_process(&self) -> bool;
    /// Whether it is a session of a cluster.
    fn is_session(&self) -> bool;
    /// Whether modules may be loaded here.
    fn allows_modules(&self) -> bool;
}

/// What a rank has handed over, and what it is to get back.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) given: Slot,
    pub(crate) returned: Slot,
}

/// Holds a part until it is taken.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<Option<(Box<dyn Any + Send>, &'static Image)>>);

impl Slot {
    pub(crate) fn put<V: Data>(&self, part: V) {
        *lock(&self.0) = Some((Box::new(part), &image::OWN));
    }

    /// What was put, if it is a `V` of the same image.
    pub(crate) fn take<V: Data>(&self) -> Option<V> {
        let (part, _) = lock(&self.0).take().filter(|(_, image)| image.is_own())?;
        part.downcast().ok().map(|part| *part)
    }
}
