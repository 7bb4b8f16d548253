//! Doorbells: how a rank sleeps, and how others wake it.
//!
//! Each rank has a [`Bell`] in memory that the ranks of its node share. A rank about to sleep says so
//! in its bell, looks once more for messages, and waits on a futex; who sends to it rings. An idle
//! rank then costs nothing and wakes in microseconds. Ranks of other nodes cannot ring: with such
//! peers a sleep is a nap of at most [`NAP_MAX`].
//!
//! Before it sleeps, a rank looks hard for a moment: but only while there is a core for it besides
//! those that work ([`Bells::may_spin`]), which the bells of the node also tell.
//!
//! Two kinds of threads sleep here ([`Sleeper`]): the one that always looks after the rank, and a
//! visitor that waits for something of its own and looks after the rank meanwhile. One of them is
//! woken, never both.

use crate::rank::Rank;
use std::{
    any::Any,
    sync::atomic::{AtomicU32, Ordering, fence},
    time::Duration,
};

/// The longest sleep of a rank that some peer cannot ring.
pub const NAP_MAX: Duration = Duration::from_millis(1);
/// The longest sleep of a rank that all peers can ring; a bound, so that no lost wake hangs a run.
pub const SLEEP_MAX: Duration = Duration::from_millis(50);

/// Who sleeps on a bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleeper {
    /// The thread that looks after the rank when nobody else does.
    Background = 1,
    /// A thread that waits for something of its own.
    Visitor = 2,
}

const AWAKE: u32 = 0;
/// Nobody looks after the rank, but a thread that works will in a moment.
const ATTENDED: u32 = 3;

/// The doorbell of one rank; all zeros is a valid one.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Bell {
    asleep: AtomicU32,
    /// How often each kind of sleeper was rung: the futex words.
    rings: [AtomicU32; 2],
    /// How many threads of the rank run tasks, or the driver.
    working: AtomicU32,
    /// How many threads of the rank look hard for messages.
    spinning: AtomicU32,
}

impl Bell {
    fn word(&self, sleeper: Sleeper) -> &AtomicU32 {
        &self.rings[sleeper as usize - 1]
    }

    fn ring(&self) {
        // What was sent must be visible before we look whether its receiver sleeps; the receiver
        // does the two in the other order.
        fence(Ordering::SeqCst);
        if matches!(self.asleep.load(Ordering::SeqCst), AWAKE | ATTENDED) {
            return;
        }
        let sleeper = match self.asleep.swap(AWAKE, Ordering::SeqCst) {
            1 => Sleeper::Background,
            2 => Sleeper::Visitor,
            _ => return,
        };
        let word = self.word(sleeper);
        word.fetch_add(1, Ordering::SeqCst);
        futex_wake(word);
    }
}

/// How many cores there are to spin on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// Those that this rank may use.
    pub own: u32,
    /// Those that one or another rank of its node may use.
    pub node: u32,
}

/// The bells of all ranks, as one rank sees them.
pub struct Bells {
    this: Rank,
    bells: Box<[*const Bell]>,
    has_remote: bool,
    _memory: Box<dyn Any + Send + Sync>,
}

// SAFETY: the bells are atomics in memory that `_memory` keeps mapped.
unsafe impl Send for Bells {}
// SAFETY: as above.
unsafe impl Sync for Bells {}

impl Bells {
    /// Bells at the given addresses, one a rank, null where the rank is on another node.
    ///
    /// # Safety
    ///
    /// Each address that is not null must point to a [`Bell`] that stays valid while `memory` lives,
    /// and the bell of `this` must be among them.
    pub unsafe fn new(this: Rank, bells: Box<[*const Bell]>, memory: Box<dyn Any + Send + Sync>) -> Self {
        assert!(!bells[this.index()].is_null(), "a rank has a bell of its own");
        let has_remote = bells.iter().any(|bell| bell.is_null());
        Self { this, bells, has_remote, _memory: memory }
    }

    fn bell(&self, rank: Rank) -> Option<&Bell> {
        // SAFETY: null or valid, by the contract of `new`.
        unsafe { self.bells[rank.index()].as_ref() }
    }

    fn own(&self) -> &Bell {
        self.bell(self.this).expect("a rank has a bell of its own")
    }

    /// Whether these are the bells of the same run, as another rank of this process may see them.
    pub fn are_of_run_of(&self, other: &Self) -> bool {
        self.bells == other.bells
    }

    /// Wakes a rank, if it sleeps and is on this node. Call it after sending.
    pub fn ring(&self, rank: Rank) {
        if let Some(bell) = self.bell(rank) {
            bell.ring();
        }
    }

    /// Wakes whoever looks after this rank.
    pub fn ring_self(&self) {
        self.own().ring();
    }

    /// Whether some rank cannot ring this one.
    pub fn has_remote(&self) -> bool {
        self.has_remote
    }

    /// Says that a thread of this rank works, or (`false`) no longer does.
    pub fn work(&self, works: bool) {
        count(&self.own().working, works);
    }

    /// Says that a thread of this rank looks hard for messages, or (`false`) no longer does.
    pub fn spin(&self, spins: bool) {
        count(&self.own().spinning, spins);
    }

    /// Whether a thread of this rank, one that has said that it spins, may go on: whether there is a
    /// core for it besides those of the threads of this node that work, of the ranks that were rung
    /// and have something to do, and of the ranks that spin and go before it; and one of this rank's
    /// own cores besides those of its own threads that work.
    ///
    /// Rank 1, where the user waits, goes first, rank 0 last: the ranks that sleep then share a core
    /// and wake each other there, which takes a tenth of the time that waking an idle core takes.
    pub fn may_spin(&self, cores: Cores) -> bool {
        let bell = self.own();
        if bell.working.load(Ordering::Relaxed) + bell.spinning.load(Ordering::Relaxed) > cores.own {
            return false;
        }
        let size = self.bells.len();
        let precedence = |rank: usize| (rank + size - 1) % size;
        let own = precedence(self.this.index());
        let mut taken = 0;
        for (rank, bell) in self.bells.iter().enumerate() {
            // SAFETY: null or valid, by the contract of `new`.
            let Some(bell) = (unsafe { bell.as_ref() }) else { continue };
            let spinning = bell.spinning.load(Ordering::Relaxed);
            taken += bell.working.load(Ordering::Relaxed);
            taken += match precedence(rank).cmp(&own) {
                std::cmp::Ordering::Equal => spinning,
                std::cmp::Ordering::Greater if spinning > 0 => 0,
                _ => u32::from(bell.asleep.load(Ordering::Relaxed) == AWAKE),
            };
        }
        taken <= cores.node
    }

    /// How often this kind of sleeper was rung. Take it before the last look for work, and
    /// [`wait`](Self::wait) with it.
    pub fn rings(&self, sleeper: Sleeper) -> u32 {
        self.own().word(sleeper).load(Ordering::SeqCst)
    }

    /// Says that this kind of sleeper is about to sleep for the rank and wants to be rung.
    pub fn lie_down(&self, sleeper: Sleeper) {
        self.own().asleep.store(sleeper as u32, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Says that this rank is awake and need not be rung.
    pub fn get_up(&self) {
        self.own().asleep.store(AWAKE, Ordering::SeqCst);
    }

    /// Says that a thread of this rank works, and looks after the rank in a moment: it need not be rung meanwhile.
    pub fn attend(&self) {
        self.own().asleep.store(ATTENDED, Ordering::SeqCst);
    }

    /// Sleeps until this kind of sleeper has been rung since `rings` was read, or the time is over.
    pub fn wait(&self, sleeper: Sleeper, rings: u32, timeout: Duration) {
        futex_wait(self.own().word(sleeper), rings, timeout);
    }
}

impl std::fmt::Debug for Bells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bells({} ranks)", self.bells.len())
    }
}

fn count(counter: &AtomicU32, up: bool) {
    if up {
        counter.fetch_add(1, Ordering::Relaxed);
    } else {
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos() as libc::c_long,
    };
    // SAFETY: the word outlives the call. The futex is not private: the word may be shared between
    // processes. Returning early, for whatever reason, is allowed by `wait`.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, &raw const timeout);
    }
}

fn futex_wake(word: &AtomicU32) {
    // SAFETY: the word outlives the call, which touches no memory.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1);
    }
}

/// Lets this thread's naps end when they are due: by default the kernel adds up to 50 us.
pub fn sharpen_timers() {
    // SAFETY: changes a property of the calling thread only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, thread, time::Instant};

    fn single() -> Arc<Bells> {
        let bell = Box::new(Bell::default());
        let address = &raw const *bell;
        // SAFETY: the bell is kept by `memory` and does not move within its box.
        Arc::new(unsafe { Bells::new(Rank(0), Box::new([address]), bell) })
    }

    #[test]
    fn a_ring_wakes_the_sleeper() {
        let bells = single();
        let rings = bells.rings(Sleeper::Background);
        bells.lie_down(Sleeper::Background);
        let ringer = Arc::clone(&bells);
        let thread = thread::spawn(move || ringer.ring_self());
        let start = Instant::now();
        bells.wait(Sleeper::Background, rings, Duration::from_secs(10));
        assert!(start.elapsed() < Duration::from_secs(9));
        thread.join().unwrap();
    }

    #[test]
    fn a_ring_before_the_sleep_is_not_lost() {
        let bells = single();
        let rings = bells.rings(Sleeper::Visitor);
        bells.lie_down(Sleeper::Visitor);
        bells.ring_self();
        let start = Instant::now();
        bells.wait(Sleeper::Visitor, rings, Duration::from_secs(10));
        assert!(start.elapsed() < Duration::from_secs(9));
    }

    #[test]
    fn a_rank_spins_only_on_a_core_that_nobody_needs() {
        let bells = single();
        bells.spin(true);
        let may_spin = |own, node| bells.may_spin(Cores { own, node });
        assert!(may_spin(1, 1));
        bells.work(true);
        assert!(!may_spin(1, 1) && may_spin(2, 2));
        assert!(!may_spin(1, 8), "bound to the core on which its other thread works");
        bells.work(false);
        bells.spin(false);
    }

    #[test]
    fn who_is_awake_is_not_rung() {
        let bells = single();
        let rings = bells.rings(Sleeper::Background);
        bells.ring_self();
        assert_eq!(bells.rings(Sleeper::Background), rings);
    }
}
