//! When kernels ran, for whoever records the run.

use crate::{ids::TaskId, lock::lock, running::running};
use ocl::{core, ffi};
use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, Instant},
};

/// The most launches that are kept; those that come when nobody asks are not timed.
const LAUNCHES_MAX: usize = 10_000;

/// What OpenCL says of a command: when it was queued, when it began and when it ended, by the device's clock.
const QUEUED: u32 = 0x1280;
const START: u32 = 0x1282;
const END: u32 = 0x1283;

/// A kernel that has run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    /// The task that launched it, if one did.
    pub task: Option<TaskId>,
    /// By this process's clock.
    pub start: Instant,
    pub end: Instant,
}

/// The kernels that were launched and not asked for since.
#[derive(Debug, Default)]
pub(super) struct Timing {
    is_on: bool,
    launched: Mutex<VecDeque<Launched>>,
}

#[derive(Debug)]
struct Launched {
    event: core::Event,
    task: Option<TaskId>,
    queued: Instant,
}

impl Timing {
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, launched: Mutex::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// A kernel was launched just now, and this is its event.
    pub(super) fn launched(&self, event: core::Event) {
        let mut launched = lock(&self.launched);
        if launched.len() < LAUNCHES_MAX {
            launched.push_back(Launched {
                event,
                task: running().map(|running| running.task),
                queued: Instant::now(),
            });
        }
    }

    /// The kernels that have ended since the last call; the queue runs them in order.
    pub(super) fn take(&self) -> Vec<Ran> {
        let mut launched = lock(&self.launched);
        let mut ran = Vec::new();
        while let Some(next) = launched.front().and_then(Launched::ran) {
            ran.push(next);
            launched.pop_front();
        }
        ran
    }
}

impl Launched {
    /// Nothing if it has not ended.
    fn ran(&self) -> Option<Ran> {
        let queued = moment(&self.event, QUEUED)?;
        let [start, end] = [START, END].map(|what| {
            let since = Duration::from_nanos(moment(&self.event, what)?.saturating_sub(queued));
            Some(self.queued + since)
        });
        Some(Ran { task: self.task, start: start?, end: end? })
    }
}

fn moment(event: &core::Event, what: u32) -> Option<u64> {
    let mut nanoseconds = 0u64;
    // SAFETY: the event lives; the driver writes one number, for which there is room.
    let status = unsafe {
        let room = (&raw mut nanoseconds).cast();
        ffi::clGetEventProfilingInfo(event_pointer(event), what, 8, room, std::ptr::null_mut())
    };
    (status == 0).then_some(nanoseconds)
}

fn event_pointer(event: &core::Event) -> ffi::cl_event {
    // SAFETY: the pointer is used while the event lives.
    unsafe { *event.as_ptr_ref() }
}
