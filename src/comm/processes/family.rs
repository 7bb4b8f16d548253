//! The processes of the workers, seen from the process that has started them, and from within.

use super::segment::Segment;
use crate::{lock::lock, rank::Rank};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use signal_hook::low_level;
use std::{
    env,
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Tells a worker's process its parent, its rank and the number of ranks.
const VARIABLE: &str = "MANIPLE_PROCESS";
/// How often it is looked whether the processes have ended.
const PAUSE: Duration = Duration::from_millis(5);

/// What a worker's process finds in its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Its rank.
    pub rank: Rank,
    /// The number of ranks.
    pub size: u32,
}

impl Membership {
    /// That of this process, if it is a worker's.
    pub fn of_this_process() -> Option<Self> {
        Self::parse(&env::var(VARIABLE).ok()?, parent())
    }

    /// Programs that a worker starts inherit the variable, but not the parent.
    fn parse(text: &str, parent: u32) -> Option<Self> {
        let mut numbers = text.split(':').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let (named, rank, size) = (next()?, next()?, next()?);
        (named == parent && rank < size).then_some(Self { rank: Rank(rank), size })
    }

    /// Maps what the parent shares. From now on this process ends with its parent.
    pub(super) fn take_segment(self) -> io::Result<Arc<Segment>> {
        let before = parent();
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if parent() != before {
            return Err(io::Error::other("it has ended"));
        }
        let segment = Segment::map(io::stdin(), self.size)?;
        // Tasks that read find nothing there.
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(segment)
    }
}

/// The process that has started this one.
pub(super) fn parent() -> u32 {
    getppid().map_or(0, |pid| pid.as_raw_nonzero().get() as u32)
}

/// The processes of ranks 2 and up. Those that have not ended are killed when it is dropped.
#[derive(Debug)]
pub struct Family {
    children: Mutex<Vec<Child>>,
}

impl Family {
    /// Starts the processes. The calling thread must live as long as they are to: they are killed with it.
    pub(super) fn start(size: u32, command: &dyn Fn() -> Command, memory: &OwnedFd) -> io::Result<Self> {
        let family = Self { children: Mutex::default() };
        for rank in 2..size {
            let mut command = command();
            command
                .env(VARIABLE, format!("{}:{rank}:{size}", std::process::id()))
                .stdin(Stdio::from(memory.try_clone()?))
                // Ctrl-C is the program's; what it does about it, it tells its workers.
                .process_group(0);
            let child = command.spawn().map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", command.get_program().display()))
            })?;
            lock(&family.children).push(child);
        }
        Ok(family)
    }

    /// How the process of a rank has ended, in words, if it has.
    pub(super) fn how_ended(&self, rank: Rank) -> Option<String> {
        let place = rank.index().checked_sub(2)?;
        let status = lock(&self.children).get_mut(place)?.try_wait().ok()??;
        Some(in_words(status))
    }

    /// Waits until all processes have ended, and kills those that have not in time.
    pub fn end(&self, timeout: Duration) {
        let deadline = Instant::now().checked_add(timeout);
        let mut children = lock(&self.children);
        for mut child in children.drain(..) {
            let is_late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            while matches!(child.try_wait(), Ok(None)) && !is_late() {
                thread::sleep(PAUSE);
            }
            // It fails if the process has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// How a process has ended, in words.
pub fn in_words(status: ExitStatus) -> String {
    match status.signal().map(|signal| (signal, low_level::signal_name(signal))) {
        Some((signal, Some(name))) => format!("was ended by signal {signal} ({name})"),
        Some((signal, None)) => format!("was ended by signal {signal}"),
        None => format!("ended with status {}", status.code().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_of_the_parent_that_is_named_is_a_member() {
        let member = Membership { rank: Rank(3), size: 4 };
        assert_eq!(Membership::parse("17:3:4", 17), Some(member));
        for text in ["17:3:4", "17:4:4", "17:3", "", "a:b:c"] {
            assert_eq!(Membership::parse(text, 18), None, "{text}");
        }
        assert_eq!(Membership::parse("17:4:4", 17), None);
    }
}
