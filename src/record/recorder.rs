//! What one rank records: its threads' rings, and the thread that empties them now and then.

use super::{
    activity::Activity,
    clock::now,
    history::{Chunk, Event, Head, Kind, LayerRecord, Sample, write_part},
    live::{Counts, Live, Pace},
    ring::Ring,
};
use crate::{
    disk::ReadBack,
    files::{self, claim::Claim},
    host::machine,
    ids::TaskId,
    lock::lock,
    message::Running,
    rank::Rank,
};
use rustc_hash::FxHashMap;
use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

/// How often memory is looked at and the rings are emptied.
const TICK: Duration = Duration::from_millis(20);
/// After how many ticks what was recorded is written to the rank's file.
const TICKS_A_CHUNK: u32 = 25;
/// Tasks shorter than this that follow each other are one event, of at most the time below.
const SHORT: u64 = 10_000;
const TOGETHER: u64 = 200_000;
/// How many events a rank keeps; of what comes later only sums are kept, one a thread and chunk.
const EVENTS_MAX: usize = 1 << 20;
/// How many lists of needed tasks rank 0 keeps.
const NEEDS_MAX: usize = 1 << 22;
/// How many samples rank 0 keeps that nobody has taken.
const HEARD_MAX: usize = 1 << 14;

/// What a recorder is told at the start.
#[derive(Debug)]
pub(crate) struct Start {
    pub rank: Rank,
    /// How many threads run tasks.
    pub threads: usize,
    pub head: Head,
    /// The directory in which ranks leave what they have recorded until the run is over; without one,
    /// nothing is kept.
    pub parts: Option<PathBuf>,
    /// On rank 0, what keeps other runs from that directory.
    pub claim: Option<Claim>,
}

/// Records what a rank does. See the module.
#[derive(Debug)]
pub struct Recorder {
    rank: Rank,
    /// One for each thread that runs tasks, and one for the rank itself.
    rings: Vec<Ring>,
    began: u64,
    #[cfg(feature = "dashboard")]
    head: Head,
    /// Bytes in the store, on disk and on the device.
    held: AtomicU64,
    spilled: AtomicU64,
    device: AtomicU64,
    pending: Mutex<Pending>,
    /// What threads have recorded that share a place with others.
    shared: Mutex<Vec<Event>>,
    activity: Activity,
    /// Bodies that are on their way here, since when.
    coming: Mutex<FxHashMap<(Rank, u16), u64>>,
    part: Option<PathBuf>,
    claim: Mutex<Option<Claim>>,
    /// What is told while the run goes on, if anybody wants that.
    feed: Mutex<Option<Feed>>,
    is_fed: AtomicBool,
    /// What rank 0 was told so, and nobody has taken yet.
    heard: Mutex<Vec<Live>>,
    /// Chunks that rank 0 was sent, and how many ranks have sent their last.
    gathered: Mutex<(Vec<Chunk>, usize)>,
    /// Whether rank 0 was told all, as it says to the others.
    is_gathered: AtomicBool,
    is_over: AtomicBool,
    emptier: Mutex<Option<JoinHandle<()>>>,
    emptier_thread: OnceLock<Thread>,
    /// The system's names of the threads that run tasks.
    thread_ids: Vec<OnceLock<PathBuf>>,
}

/// Told what a rank tells of itself.
type Tell = Box<dyn Fn(Live) + Send>;
/// Asked what the threads run.
type Look = Box<dyn Fn() -> Vec<(u16, Running)> + Send>;

struct Feed {
    counts: Counts,
    look: Look,
    tell: Tell,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.fmt(f)
    }
}

/// What is known besides the rings.
#[derive(Debug, Default)]
struct Pending {
    head: Option<Head>,
    layers: Vec<LayerRecord>,
    needs_count: usize,
    samples: Vec<Sample>,
    events: Vec<Event>,
    kept_count: usize,
    /// All chunks so far, as they are sent at the end.
    chunks: Vec<Vec<u8>>,
    file: Option<File>,
    /// How much of a core each thread had used when it was last looked at.
    used: Vec<u64>,
    looked_at: u64,
}

impl Recorder {
    pub(crate) fn start(start: Start) -> Arc<Self> {
        let part = start.parts.map(|parts| parts.join(format!("rank-{:05}", start.rank.0)));
        let create = |part: &PathBuf| {
            let parts = part.parent()?;
            files::create_named(parts).and_then(|()| files::check_private(parts)).ok()?;
            // A run that was killed may have left one on this host.
            let _ = fs::remove_file(part);
            files::create_private_file(part).ok()
        };
        // Where the directory cannot be reached from here, rank 0 hears of it at the end only.
        let file = part.as_ref().and_then(create);
        let began = now();
        let recorder = Arc::new(Self {
            rank: start.rank,
            rings: (0..=start.threads).map(|_| Ring::new()).collect(),
            began,
            #[cfg(feature = "dashboard")]
            head: start.head.clone(),
            held: AtomicU64::new(0),
            spilled: AtomicU64::new(0),
            device: AtomicU64::new(0),
            pending: Mutex::new(Pending {
                head: Some(start.head),
                file,
                used: vec![0; start.threads],
                looked_at: began,
                ..Pending::default()
            }),
            shared: Mutex::default(),
            activity: Activity::default(),
            coming: Mutex::default(),
            part,
            claim: Mutex::new(start.claim),
            feed: Mutex::default(),
            is_fed: AtomicBool::new(false),
            heard: Mutex::default(),
            gathered: Mutex::default(),
            is_gathered: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            emptier: Mutex::default(),
            emptier_thread: OnceLock::new(),
            thread_ids: (0..start.threads).map(|_| OnceLock::new()).collect(),
        });
        recorder.close_chunk(false);
        let emptied = Arc::clone(&recorder);
        let emptier =
            thread::Builder::new().name("maniple-record".into()).spawn(move || emptied.empty_rings());
        if let Ok(emptier) = emptier {
            let _ = recorder.emptier_thread.set(emptier.thread().clone());
            *lock(&recorder.emptier) = Some(emptier);
        }
        recorder
    }

    /// A thread that will run tasks says so.
    pub(crate) fn thread_starts(&self, place: usize) {
        if let (Some(id), Ok(path)) = (self.thread_ids.get(place), fs::read_link("/proc/thread-self")) {
            let _ = id.set(path);
        }
    }

    /// Begins to record what a thread runs, if it is one of the rank's that runs tasks. Where the place is shared
    /// with another thread, whose task waits, that does not disturb the other's record.
    pub(crate) fn lane(&self, place: Option<usize>, is_shared: bool) -> Option<Lane<'_>> {
        let place = place.filter(|place| *place + 1 < self.rings.len())?;
        let began = now();
        Some(Lane { recorder: self, place, is_shared, began, since: began, open: None })
    }

    fn push_from(&self, lane: usize, is_shared: bool, event: Event) {
        match is_shared {
            true => lock(&self.shared).push(Event { lane: lane as u16, ..event }),
            false => self.push(lane, event),
        }
    }

    fn own_lane(&self) -> u16 {
        (self.rings.len() - 1) as u16
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Records what the rank itself does; one thread at a time.
    pub(super) fn push_own(&self, event: Event) {
        self.push(self.rings.len() - 1, event);
    }

    /// Records what the rank itself does; several threads may at the same time.
    pub(super) fn push_shared(&self, event: Event) {
        self.push_from(self.rings.len() - 1, true, event);
    }

    fn push(&self, lane: usize, event: Event) {
        if self.rings[lane].push(event)
            && let Some(thread) = self.emptier_thread.get()
        {
            thread.unpark();
        }
    }

    /// A task on this thread has waited for others since then.
    pub(crate) fn blocked(&self, place: Option<usize>, is_shared: bool, since: u64) {
        if let Some(lane) = place.filter(|place| *place + 1 < self.rings.len()) {
            let kind = Kind::Blocked;
            let event = Event { kind, lane: 0, subject: 0, amount: 0, start: since, end: now() };
            self.push_from(lane, is_shared, event);
        }
    }

    /// A body is expected. The rank's roles call this, one thread at a time, as the next two.
    pub(crate) fn fetch_begins(&self, source: Rank, tag: u16) {
        lock(&self.coming).insert((source, tag), now());
    }

    /// A body has come.
    pub(crate) fn fetched(&self, source: Rank, tag: u16, bytes: usize) {
        let end = now();
        let start = lock(&self.coming).remove(&(source, tag)).unwrap_or(end);
        self.transfer(Kind::Fetch, source, tag, bytes, start, end);
    }

    /// A body was sent.
    pub(crate) fn sent(&self, target: Rank, tag: u16, bytes: usize) {
        let at = now();
        self.transfer(Kind::Send, target, tag, bytes, at, at);
    }

    fn transfer(&self, kind: Kind, peer: Rank, tag: u16, bytes: usize, start: u64, end: u64) {
        let subject = u64::from(peer.0) << 16 | u64::from(tag);
        let event = Event { kind, lane: 0, subject, amount: bytes as u64, start, end };
        self.push_own(event);
    }

    /// A value was moved to the disk, or from it, and that has just ended. As `fetch_begins`.
    pub(crate) fn spilled(&self, bytes: u64, nanoseconds: u64) {
        let end = now();
        let start = end.saturating_sub(nanoseconds);
        let event = Event { kind: Kind::Spill, lane: 0, subject: 0, amount: bytes, start, end };
        self.push(self.rings.len() - 1, event);
    }

    /// A kernel ran on the rank's device, for a task. As `fetch_begins`.
    pub(crate) fn ran_on_device(&self, task: Option<TaskId>, start: Instant, end: Instant) {
        let ago = |moment: Instant| now().saturating_sub(moment.elapsed().as_nanos() as u64);
        let (kind, subject) = (Kind::Device, task.map_or(u64::MAX, |task| task.0));
        let event = Event { kind, lane: 0, subject, amount: 1, start: ago(start), end: ago(end) };
        self.push(self.rings.len() - 1, event);
    }

    /// A layer was submitted, rank 0 has heard.
    pub(crate) fn layer(&self, layer: &crate::message::Layer) {
        if self.part.is_none() {
            return;
        }
        let mut record = LayerRecord::new(layer, now());
        let mut pending = lock(&self.pending);
        let mut count = 0;
        record.needs.iter().for_each(|needs| count += needs.len());
        pending.needs_count += count;
        if pending.needs_count > NEEDS_MAX {
            let all = record.needs.len();
            record.needs.retain(|needs| needs.len() == 0);
            record.is_cut = record.needs.len() < all;
        }
        pending.layers.push(record);
    }

    /// How many bytes of values the rank holds now, how many of them on its disk only, and how many bytes are
    /// in use on its device.
    pub(crate) fn holds(&self, held: u64, spilled: u64, device: u64) {
        self.held.store(held, Ordering::Relaxed);
        self.spilled.store(spilled, Ordering::Relaxed);
        self.device.store(device, Ordering::Relaxed);
    }

    /// What the emptying thread does.
    fn empty_rings(&self) {
        let mut ticks = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            thread::park_timeout(TICK);
            self.tick();
            ticks += 1;
            if ticks % TICKS_A_CHUNK == 0 {
                self.close_chunk(false);
            }
        }
    }

    fn tick(&self) {
        let mut guard = lock(&self.pending);
        let pending = &mut *guard;
        let before = pending.events.len();
        for (lane, ring) in self.rings.iter().enumerate() {
            ring.take(lane as u16, &mut pending.events);
        }
        pending.events.append(&mut lock(&self.shared));
        self.take_activity(self.own_lane(), &mut pending.events);
        let at = now();
        self.feed(&pending.events[before..], at);
        if self.part.is_none() {
            return pending.events.clear();
        }
        if at - pending.looked_at >= TICK.as_nanos() as u64 * 3 / 4 {
            self.look_at_threads(pending, at);
            pending.samples.push(self.sample(at));
            pending.looked_at = at;
        }
    }

    /// Counts what has just ended, and tells that now and then.
    fn feed(&self, events: &[Event], at: u64) {
        if let Some(feed) = &mut *lock(&self.feed) {
            feed.counts.note(events);
            if feed.counts.is_due(at) {
                let live = feed.counts.take(self.sample(at), (feed.look)(), self.passed(at));
                (feed.tell)(live);
            }
        }
    }

    /// Has this rank tell from now on what it does: what `look` sees, and what was recorded.
    pub(crate) fn tell_live(&self, pace: Pace, look: Look, tell: Tell) {
        let counts = Counts::new(pace, self.rank.0, self.thread_ids.len(), now());
        *lock(&self.feed) = Some(Feed { counts, look, tell });
        self.is_fed.store(true, Ordering::Relaxed);
    }

    /// Rank 0 is told what a rank does.
    pub(crate) fn hear_live(&self, live: &[u8]) {
        let Ok(live) = postcard::from_bytes::<Live>(live) else { return };
        let mut heard = lock(&self.heard);
        if heard.len() < HEARD_MAX {
            heard.push(live);
        }
    }

    /// What rank 0 was told of what ranks do, since the last call.
    #[cfg(feature = "dashboard")]
    pub(crate) fn take_heard(&self) -> Vec<Live> {
        std::mem::take(&mut *lock(&self.heard))
    }

    fn sample(&self, at: u64) -> Sample {
        let read = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        Sample {
            at,
            held: read(&self.held),
            spilled: read(&self.spilled),
            device: read(&self.device),
            resident: machine::resident_bytes(),
        }
    }

    /// A thread without a task that works all the same is at a part of another thread's.
    fn look_at_threads(&self, pending: &mut Pending, at: u64) {
        for (lane, (id, used)) in self.thread_ids.iter().zip(&mut pending.used).enumerate() {
            let Some(now_used) = id.get().and_then(|id| core_nanoseconds(id)) else { continue };
            let share = now_used.saturating_sub(*used) * 3 > at - pending.looked_at && *used > 0;
            *used = now_used.max(1);
            if !share {
                continue;
            }
            let (lane, start) = (lane as u16, pending.looked_at);
            let kind = Kind::Helping;
            pending.events.push(Event { kind, lane, subject: 0, amount: 0, start, end: at });
        }
    }

    /// Puts what was recorded since the last chunk into one, and the chunk into the rank's file.
    fn close_chunk(&self, is_last: bool) {
        if self.part.is_none() {
            return;
        }
        let mut guard = lock(&self.pending);
        let pending = &mut *guard;
        let mut events = std::mem::take(&mut pending.events);
        self.take_begun_activity(self.own_lane(), &mut events);
        if pending.kept_count + events.len() > EVENTS_MAX {
            events = sums(&events);
        }
        pending.kept_count += events.len();
        let chunk = Chunk {
            rank: self.rank.0,
            head: pending.head.take(),
            began: self.began,
            until: now(),
            is_last,
            lost: self.rings.iter().map(Ring::lost).sum(),
            events,
            samples: std::mem::take(&mut pending.samples),
            layers: std::mem::take(&mut pending.layers),
        };
        let file = pending.file.take();
        drop(guard);
        // A disk may be slow, and nobody shall wait for it.
        let bytes = chunk.encoded();
        // One that is full: what is recorded from here on is in memory only.
        let file = file.and_then(|mut file| write_part(&mut file, &bytes).is_ok().then_some(file));
        // To rank 0 the head is known, and it is large where there are many ranks.
        let bytes = match chunk.head {
            Some(_) if self.rank != Rank::SCHEDULER => Chunk { head: None, ..chunk }.encoded(),
            _ => bytes,
        };
        let mut pending = lock(&self.pending);
        pending.file = file;
        pending.chunks.push(bytes);
    }

    /// What is the same for all ranks.
    #[cfg(feature = "dashboard")]
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Whether what is recorded is kept, for files.
    pub(crate) fn keeps(&self) -> bool {
        self.part.is_some()
    }

    /// Whether what is recorded is kept, or told while the run goes on.
    pub(crate) fn is_used(&self) -> bool {
        self.keeps() || self.is_fed.load(Ordering::Relaxed)
    }

    /// Ends the recording of this rank, and returns its chunks.
    pub(crate) fn finish(&self) -> Vec<Vec<u8>> {
        self.is_over.store(true, Ordering::SeqCst);
        *lock(&self.feed) = None;
        let emptier = lock(&self.emptier).take();
        if let Some(emptier) = emptier {
            emptier.thread().unpark();
            let _ = emptier.join();
        }
        self.tick();
        lock(&self.pending).samples.push(self.sample(now()));
        self.close_chunk(true);
        std::mem::take(&mut lock(&self.pending).chunks)
    }

    /// Rank 0 is told a chunk.
    pub(crate) fn gather(&self, chunk: &[u8]) {
        let Ok(chunk) = postcard::from_bytes::<Chunk>(chunk) else { return };
        let mut gathered = lock(&self.gathered);
        gathered.1 += usize::from(chunk.is_last);
        gathered.0.push(chunk);
    }

    /// How many chunks rank 0 was told, and how many ranks have told all.
    pub(crate) fn gathered_count(&self) -> (usize, usize) {
        let gathered = lock(&self.gathered);
        (gathered.0.len(), gathered.1)
    }

    /// Another rank is told that rank 0 was told all.
    pub(crate) fn note_gathered(&self) {
        self.is_gathered.store(true, Ordering::SeqCst);
    }

    /// Whether rank 0 was told all.
    pub(crate) fn is_gathered(&self) -> bool {
        self.is_gathered.load(Ordering::SeqCst)
    }

    /// What rank 0 was told.
    pub(crate) fn take_gathered(&self) -> Vec<Chunk> {
        std::mem::take(&mut lock(&self.gathered).0)
    }

    /// Removes what was left on disk, since it is told: rank 0 what it sees, others what rank 0 does not.
    pub(crate) fn remove_part(&self) {
        let Some((part, parts)) = self.part.as_ref().and_then(|part| Some((part, part.parent()?))) else {
            return;
        };
        if self.rank == Rank::SCHEDULER {
            let files = fs::read_dir(parts).into_iter().flatten().flatten();
            let left = files.filter(|file| file.file_name().to_string_lossy().starts_with("rank-"));
            left.for_each(|file| drop(fs::remove_file(file.path())));
        } else if !parts.join("rank-00000").exists() {
            let _ = fs::remove_file(part);
        }
        lock(&self.claim).take();
        let _ = fs::remove_dir(parts);
    }

    /// Where ranks leave what they record until the files are written.
    pub(crate) fn parts(&self) -> Option<&Path> {
        self.part.as_ref()?.parent()
    }
}

#[cfg(feature = "testing")]
impl Recorder {
    /// Records so many tasks that do nothing, and returns how many nanoseconds each took. For `benches/`.
    pub fn nanoseconds_a_task(count: u64) -> f64 {
        let recorder = Self::start(Start {
            rank: Rank::SCHEDULER,
            threads: 1,
            head: Head::default(),
            parts: files::create_unguessable(&std::env::temp_dir(), "maniple-record-").ok(),
            claim: None,
        });
        let start = now();
        if let Some(mut lane) = recorder.lane(Some(0), false) {
            (0..count).for_each(|task| lane.ran(TaskId(task), ReadBack::take()));
        }
        let nanoseconds = now() - start;
        recorder.finish();
        recorder.remove_part();
        nanoseconds as f64 / count as f64
    }
}

/// Records the tasks that a thread runs one after the other.
#[derive(Debug)]
pub(crate) struct Lane<'a> {
    recorder: &'a Recorder,
    place: usize,
    is_shared: bool,
    began: u64,
    /// When the last task ended.
    since: u64,
    /// Short tasks that belong together.
    open: Option<Event>,
}

impl Lane<'_> {
    /// How long after the lane's beginning the last task ended.
    #[inline]
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.since - self.began)
    }

    /// A task has run since the last one did, and has read this back from the disk, as tasks do at their beginning.
    #[inline]
    pub(crate) fn ran(&mut self, task: TaskId, read: ReadBack) {
        let end = now();
        let start = std::mem::replace(&mut self.since, end);
        if read.nanoseconds > 0 {
            let (kind, amount) = (Kind::Spill, read.bytes);
            let end = end.min(start + read.nanoseconds);
            self.recorder.push_from(
                self.place,
                self.is_shared,
                Event { kind, lane: 0, subject: 0, amount, start, end },
            );
        }
        if let Some(open) = &mut self.open {
            let follows = open.subject + open.amount == task.0;
            if follows && end - start < SHORT && end - open.start < TOGETHER {
                (open.amount, open.end) = (open.amount + 1, end);
                return;
            }
            self.recorder.push_from(self.place, self.is_shared, *open);
            self.open = None;
        }
        let event = Event { kind: Kind::Tasks, lane: 0, subject: task.0, amount: 1, start, end };
        if end - start < SHORT {
            self.open = Some(event);
        } else {
            self.recorder.push_from(self.place, self.is_shared, event);
        }
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.recorder.push_from(self.place, self.is_shared, open);
        }
    }
}

/// Tasks of each thread as one event with their sums, and what there may be as many of as of tasks as one without any;
/// all else stays.
fn sums(events: &[Event]) -> Vec<Event> {
    let mut sums: Vec<Event> = Vec::new();
    for event in events {
        let (tasks, busy) = match event.kind {
            Kind::Tasks => (event.amount, event.end - event.start),
            Kind::Submitted | Kind::Given | Kind::Queued => (0, 0),
            Kind::Helping => continue,
            _ => {
                sums.push(*event);
                continue;
            }
        };
        match sums.iter_mut().find(|sum| sum.kind == Kind::Dense && sum.lane == event.lane) {
            Some(sum) => {
                sum.start = sum.start.min(event.start);
                sum.end = sum.end.max(event.end);
                sum.subject += tasks;
                sum.amount += busy;
            }
            None => sums.push(Event { kind: Kind::Dense, subject: tasks, amount: busy, ..*event }),
        }
    }
    sums
}

/// How long a thread has run on a core, in nanoseconds.
fn core_nanoseconds(thread: &Path) -> Option<u64> {
    let path = Path::new("/proc").join(thread).join("schedstat");
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::history::History;

    fn recorder(parts: PathBuf) -> Arc<Recorder> {
        let head = crate::record::accounts::tests::head(1, 2);
        Recorder::start(Start { rank: Rank(0), threads: 2, head, parts: Some(parts), claim: None })
    }

    #[test]
    fn what_is_recorded_is_gathered_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let parts = folder.path().join("run.parts");
        let recorder = recorder(parts.clone());
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut lane = recorder.lane(Some(1), false).unwrap();
                (0..10_000).for_each(|task| lane.ran(TaskId(task), ReadBack::default()));
            });
        });
        assert!(recorder.lane(Some(2), false).is_none() && recorder.lane(None, false).is_none());
        recorder.fetch_begins(Rank(0), 7);
        recorder.fetched(Rank(0), 7, 100);
        recorder.spilled(32, 1000);
        recorder.holds(64, 32, 16);
        for chunk in recorder.finish() {
            recorder.gather(&chunk);
        }
        assert_eq!(recorder.gathered_count().1, 1);
        let left = History::read(&parts).unwrap();
        recorder.remove_part();
        assert!(!parts.exists());
        let history = History::of(recorder.take_gathered()).unwrap();
        assert_eq!(left, history, "what lies on disk is what is told");
        let tasks = history.ranks[0].events.iter().filter(|event| event.kind == Kind::Tasks);
        assert_eq!(tasks.clone().map(|event| event.amount).sum::<u64>(), 10_000);
        assert!(tasks.count() < 1000, "short ones are told together");
        let spills = history.ranks[0].events.iter().filter(|event| event.kind == Kind::Spill);
        assert_eq!(spills.map(|event| (event.lane, event.amount)).collect::<Vec<_>>(), [(2, 32)]);
        let sample = history.ranks[0].samples.last().unwrap();
        assert_eq!((sample.held, sample.spilled, sample.device), (64, 32, 16));
        assert!(sample.resident > 0);
    }

    #[test]
    fn beyond_what_is_kept_there_are_sums() {
        let event = |lane, start, end| Event { kind: Kind::Tasks, lane, subject: 3, amount: 2, start, end };
        let sums = sums(&[event(0, 0, 10), event(1, 2, 4), event(0, 20, 25)]);
        assert_eq!(sums.len(), 2);
        assert_eq!((sums[0].subject, sums[0].amount, sums[0].start, sums[0].end), (4, 15, 0, 25));
        let given = |at| Event { kind: Kind::Given, ..event(4, at, at) };
        let [left] = &super::sums(&[given(3), given(8)])[..] else { panic!("they are one") };
        assert_eq!((left.kind, left.subject, left.start, left.end), (Kind::Dense, 0, 3, 8));
    }
}
