//! How it is seen that a rank is lost, in a run that survives it.
//!
//! MPI does not tell. So each rank watches the processes of its host (`pidfd_open`): one that has ended is
//! lost, and one that is only busy or stopped is not. Of another host the rank of the lowest number there
//! speaks to rank 0, and hears of it, every 100 ms; when it is silent for long, all ranks of that host are
//! lost. What can't be watched, since its host's system is too old or it is in another container, speaks
//! for itself.
//!
//! Silence counts only while the rank that listens is awake: who was stopped itself hears of others first.

use super::machine;
use crate::{
    comm::processes::in_words,
    rank::{Rank, driver_of},
};
use rustc_hash::FxHashMap;
use std::{
    fs, mem,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::ExitStatus,
    time::{Duration, Instant},
};

/// How often a rank looks after others, and speaks.
const PAUSE: Duration = Duration::from_millis(100);
/// The most that one look adds to a silence.
const STEP_MAX: Duration = Duration::from_millis(300);

/// Where processes can watch each other, in words; `None` if this one can't be watched.
pub(super) fn watched_place(host: &str) -> Option<String> {
    open(std::process::id())?;
    // Names of hosts may be the same, and so is the namespace of every host's first processes.
    let (boot, namespace) = (machine::boot_id()?, fs::read_link("/proc/self/ns/pid").ok()?);
    Some(format!("{host} {boot} {}", namespace.display()))
}

/// A handle of a process, which tells when it has ended.
fn open(pid: u32) -> Option<OwnedFd> {
    // SAFETY: asks the system for a new descriptor, which is owned from here on.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0);
        (descriptor >= 0).then(|| OwnedFd::from_raw_fd(descriptor as i32))
    }
}

/// How a process has ended, in words.
fn how_ended(process: &OwnedFd, pid: u32) -> String {
    // While its parent has not asked for the status the process stands in /proc; after that its handle has it,
    // if the system is new enough.
    let status = status_of(process).or_else(|| status_in_proc(pid)).or_else(|| status_of(process));
    status.map_or_else(|| "has ended".into(), |status| in_words(ExitStatus::from_raw(status)))
}

/// The status that `wait` would give, from the handle of a process.
fn status_of(process: &OwnedFd) -> Option<i32> {
    /// `struct pidfd_info` of Linux, as it was at first.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        status: i32,
    }
    const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: the system writes as many bytes as the request's number says, 64, which is the size of the record.
    let done = unsafe { libc::ioctl(process.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.status)
}

/// The same of a process that has ended and that nobody has waited for.
fn status_in_proc(pid: u32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may have anything in it: the state, and 48 numbers on the status.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let is_ended = fields.next()? == "Z";
    fields.nth(48)?.parse().ok().filter(|_| is_ended)
}

/// What a look has shown.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Ranks that are lost, and how.
    pub(super) lost: Vec<(Rank, String)>,
    /// Ranks that are to hear of this one.
    pub(super) listeners: Vec<Rank>,
}

/// What one rank knows of others.
#[derive(Debug)]
pub(crate) struct Watch {
    this: Rank,
    /// By rank, which of the groups it is in.
    group_of: Vec<usize>,
    groups: Vec<Group>,
    /// For how long nothing is heard of what is lost.
    timeout: Duration,
    /// Those of this host, with their ids.
    processes: Vec<(Rank, OwnedFd, u32)>,
    /// By rank, whether it is known to be lost.
    lost: Vec<bool>,
    last_look: Instant,
}

/// Ranks that are watched together.
#[derive(Debug, Default)]
struct Group {
    /// In order.
    members: Vec<Rank>,
    /// For how long nothing was heard of them.
    silence: Duration,
}

impl Watch {
    /// Begins to watch. `places` are where the ranks are watched, with their process ids.
    pub(super) fn new(this: Rank, places: &[(Option<String>, u32)], timeout: Duration) -> Self {
        let (mut groups, mut group_of) = (Vec::<Group>::new(), Vec::new());
        let mut known: FxHashMap<&str, usize> = FxHashMap::default();
        for (rank, (place, _)) in (0..).map(Rank).zip(places) {
            let new = groups.len();
            let group = place.as_deref().map_or(new, |place| *known.entry(place).or_insert(new));
            if group == new {
                groups.push(Group::default());
            }
            groups[group].members.push(rank);
            group_of.push(group);
        }
        let neighbours = groups[group_of[this.index()]].members.iter().filter(|rank| **rank != this);
        let processes = neighbours.filter_map(|rank| {
            let pid = places[rank.index()].1;
            Some((*rank, open(pid)?, pid))
        });
        let (processes, lost) = (processes.collect(), vec![false; places.len()]);
        Self { this, group_of, groups, timeout, processes, lost, last_look: Instant::now() }
    }

    /// Something was heard of a rank.
    pub(super) fn heard(&mut self, rank: Rank) {
        self.groups[self.group_of[rank.index()]].silence = Duration::ZERO;
    }

    /// A rank is known to be lost.
    pub(super) fn note_lost(&mut self, rank: Rank) {
        if !mem::replace(&mut self.lost[rank.index()], true) {
            self.processes.retain(|(other, ..)| *other != rank);
        }
    }

    /// Whether a rank is known to be lost.
    pub(super) fn has_lost(&self, rank: Rank) -> bool {
        self.lost[rank.index()]
    }

    /// The ranks of a group that are not lost. The first of them speaks for it.
    fn alive(&self, group: usize) -> impl Iterator<Item = Rank> {
        self.groups[group].members.iter().copied().filter(|rank| !self.has_lost(*rank))
    }

    /// Looks after others, if it is time.
    pub(super) fn look(&mut self, now: Instant) -> Option<Seen> {
        let passed = now.duration_since(self.last_look);
        if passed < PAUSE {
            return None;
        }
        self.last_look = now;
        let mut seen = Seen { lost: self.ended(), listeners: Vec::new() };
        let (own, first) = (self.group_of[self.this.index()], self.group_of[Rank::SCHEDULER.index()]);
        let others = match self.this {
            Rank::SCHEDULER => 0..self.groups.len(),
            this if self.alive(own).next() == Some(this) => first..first + 1,
            _ => 0..0,
        };
        for group in others.filter(|group| *group != own) {
            let Some(speaker) = self.alive(group).next() else { continue };
            seen.listeners.push(speaker);
            self.groups[group].silence += passed.min(STEP_MAX);
            if self.groups[group].silence > self.timeout {
                let lost = self.alive(group);
                let how = format!("was not heard of for {:?}", self.timeout);
                seen.lost.extend(lost.map(|rank| (rank, how.clone())));
            }
        }
        Some(seen)
    }

    /// The processes of this host that have ended.
    fn ended(&self) -> Vec<(Rank, String)> {
        let poll = |(_, process, _): &(Rank, OwnedFd, u32)| libc::pollfd {
            fd: process.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut polls: Vec<libc::pollfd> = self.processes.iter().map(poll).collect();
        // SAFETY: the array has that many elements, and the descriptors are open.
        let count = unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, 0) };
        if count <= 0 {
            return Vec::new();
        }
        let ended = polls.iter().zip(&self.processes).filter(|(poll, _)| poll.revents != 0);
        ended.map(|(_, (rank, process, pid))| (*rank, how_ended(process, *pid))).collect()
    }
}

/// The rank of these without which there is no run, if it is among them: this one itself, the scheduler or the
/// driver.
pub(super) fn is_fatal(lost: &[Rank], this: Rank, size: u32) -> Option<Rank> {
    let vital = [this, Rank::SCHEDULER, driver_of(size)];
    vital.into_iter().find(|rank| lost.contains(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: &str, pid: u32) -> (Option<String>, u32) {
        (Some(place.into()), pid)
    }

    #[test]
    fn a_silent_host_is_lost_with_all_its_ranks() {
        let places = [at("a", 0), at("a", 0), at("b", 0), at("b", 0), (None, 0)];
        let mut watch = Watch::new(Rank(0), &places, Duration::from_secs(1));
        let mut now = Instant::now();
        let mut lost = Vec::new();
        for _ in 0..20 {
            now += Duration::from_millis(110);
            watch.heard(Rank(4));
            let seen = watch.look(now).expect("it is time");
            assert_eq!(seen.listeners, [Rank(2), Rank(4)]);
            lost = seen.lost;
        }
        let how = "was not heard of for 1s".to_string();
        assert_eq!(lost, [(Rank(2), how.clone()), (Rank(3), how)]);
    }

    #[test]
    fn a_rank_that_slept_itself_gives_others_time() {
        let mut watch = Watch::new(Rank(0), &[at("a", 0), at("b", 0)], Duration::from_secs(1));
        let later = Instant::now() + Duration::from_secs(600);
        assert!(watch.look(later).expect("it is time").lost.is_empty());
    }

    #[test]
    fn a_process_that_ends_is_lost_and_one_that_is_stopped_is_not() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let places = [at("a", std::process::id()), at("a", child.id())];
        let mut watch = Watch::new(Rank(0), &places, Duration::from_millis(1));
        let stop = |signal: &str| {
            let pid = child.id().to_string();
            assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        };
        stop("-STOP");
        let now = Instant::now();
        assert!(watch.look(now + PAUSE).expect("it is time").lost.is_empty());
        child.kill().unwrap();
        let mut seen = Vec::new();
        while seen.is_empty() {
            seen = watch.ended();
        }
        assert_eq!(seen, [(Rank(1), "was ended by signal 9 (SIGKILL)".to_string())]);
        child.wait().unwrap();
        let lost = watch.look(now + 2 * PAUSE).expect("it is time").lost;
        // Older systems do not know any more how.
        assert!(lost.len() == 1 && lost[0].0 == Rank(1) && lost[0].1.contains("ended"), "{lost:?}");
        watch.note_lost(Rank(1));
        assert!(watch.look(now + 3 * PAUSE).expect("it is time").lost.is_empty());
    }

    #[test]
    fn the_lowest_rank_of_a_host_that_lives_speaks() {
        let places = [at("a", 0), at("b", 0), at("b", 0)];
        let mut watch = Watch::new(Rank(2), &places, Duration::from_secs(1));
        let now = Instant::now();
        assert!(watch.look(now + PAUSE).expect("it is time").listeners.is_empty());
        watch.note_lost(Rank(1));
        assert_eq!(watch.look(now + 2 * PAUSE).expect("it is time").listeners, [Rank(0)]);
        assert_eq!(is_fatal(&[Rank(2)], Rank(0), 3), None);
        assert_eq!(is_fatal(&[Rank(2), Rank(1)], Rank(0), 3), Some(Rank(1)));
    }
}
