//! A ring of bytes in shared memory that one rank writes and another one reads: records, each whole or not there.

use std::{
    ptr,
    sync::atomic::{AtomicU64, Ordering, fence},
};

/// Every record begins at a multiple of this, so that its head does not wrap.
const ALIGN: usize = size_of::<Head>();

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A piece of a control message.
    Frame = 1,
    /// A piece of what all ranks gather.
    Gathered,
    /// A piece of a body.
    Body,
}

/// The head of a record, which precedes its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub kind: Kind,
    /// Whether it is the last piece.
    pub is_last: bool,
    /// The tag of a body.
    pub tag: u16,
    /// The number of its bytes.
    pub length: u32,
}

impl Head {
    fn to_word(self) -> u64 {
        u64::from(self.length) << 32
            | u64::from(self.tag) << 16
            | u64::from(self.is_last) << 8
            | self.kind as u64
    }

    fn of_word(word: u64) -> Option<Self> {
        let kind = match word as u8 {
            1 => Kind::Frame,
            2 => Kind::Gathered,
            3 => Kind::Body,
            _ => return None,
        };
        let is_last = word >> 8 & 1 == 1;
        Some(Self { kind, is_last, tag: (word >> 16) as u16, length: (word >> 32) as u32 })
    }

    /// The bytes that the record takes in the ring.
    fn extent(self) -> usize {
        ALIGN + (self.length as usize).next_multiple_of(ALIGN)
    }
}

/// A number on a cache line of its own.
#[repr(C, align(64))]
#[derive(Debug, Default)]
struct Line(AtomicU64);

/// How far a ring was written and read, in bytes since its beginning; all zeros is an empty one.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Ends {
    written: Line,
    read: Line,
    /// Whether the writer waits for room.
    is_full: Line,
}

/// One rank's view of a ring.
#[derive(Clone, Copy)]
pub(super) struct Ring<'a> {
    ends: &'a Ends,
    bytes: *mut u8,
    capacity: usize,
}

impl<'a> Ring<'a> {
    /// A ring of `capacity` bytes, a power of two.
    ///
    /// # Safety
    ///
    /// `bytes` must be valid for reads and writes of `capacity` bytes for `'a`, aligned to 8 bytes, and used through
    /// rings with these `ends` only, of which one writes and one reads at a time.
    pub(super) unsafe fn new(ends: &'a Ends, bytes: *mut u8, capacity: usize) -> Self {
        debug_assert!(capacity.is_power_of_two() && bytes.cast::<u64>().is_aligned());
        Self { ends, bytes, capacity }
    }

    /// The most bytes that a record should have: several fit, so that one is written while another is read.
    pub(super) fn piece_max(capacity: usize) -> usize {
        capacity / 4 - ALIGN
    }

    /// Writes a record if there is room, and says whether there was.
    pub(super) fn write(self, head: Head, bytes: &[u8]) -> bool {
        debug_assert_eq!(head.length as usize, bytes.len());
        let written = self.ends.written.0.load(Ordering::Relaxed);
        if !self.has_room(written, head.extent()) {
            // Before the second look: who reads looks at it after it has made room.
            self.ends.is_full.0.store(1, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if !self.has_room(written, head.extent()) {
                return false;
            }
        }
        self.copy_in(written, &head.to_word().to_ne_bytes());
        self.copy_in(written + ALIGN as u64, bytes);
        self.ends.written.0.store(written + head.extent() as u64, Ordering::Release);
        true
    }

    fn has_room(self, written: u64, extent: usize) -> bool {
        let used = written - self.ends.read.0.load(Ordering::Acquire);
        used as usize + extent <= self.capacity
    }

    fn copy_in(self, at: u64, bytes: &[u8]) {
        let start = at as usize & (self.capacity - 1);
        let (first, rest) = bytes.split_at(bytes.len().min(self.capacity - start));
        // SAFETY: both parts lie within the ring, in room that the reader has given back and does not look at
        // before `written` says so; they do not overlap this process's own bytes.
        unsafe {
            self.bytes.add(start).copy_from_nonoverlapping(first.as_ptr(), first.len());
            self.bytes.copy_from_nonoverlapping(rest.as_ptr(), rest.len());
        }
    }

    /// Takes the next record: `take` gets its head and its bytes, in up to two parts. `None` if there is none.
    ///
    /// Says besides whether the writer is to be woken, which waits for room.
    pub(super) fn read<R>(self, take: impl FnOnce(Head, [&[u8]; 2]) -> R) -> Option<(R, bool)> {
        let read = self.ends.read.0.load(Ordering::Relaxed);
        if self.ends.written.0.load(Ordering::Acquire) == read {
            return None;
        }
        let start = read as usize & (self.capacity - 1);
        // SAFETY: a record was written here, which begins at a multiple of its head's size.
        let word = unsafe { ptr::read(self.bytes.add(start).cast::<u64>()) };
        let head = Head::of_word(word).filter(|head| head.extent() <= self.capacity);
        let head = head.expect("a ring has records only");
        let taken = take(head, self.parts(read + ALIGN as u64, head.length as usize));
        let read = read + head.extent() as u64;
        self.ends.read.0.store(read, Ordering::Release);
        fence(Ordering::SeqCst);
        // To wake the writer for each record would take longer than to copy it.
        let has_room = self.ends.written.0.load(Ordering::Relaxed) - read <= self.capacity as u64 / 2;
        let is_due = has_room
            && self.ends.is_full.0.load(Ordering::Relaxed) == 1
            && self.ends.is_full.0.swap(0, Ordering::SeqCst) == 1;
        Some((taken, is_due))
    }

    fn parts(&self, at: u64, length: usize) -> [&[u8]; 2] {
        let start = at as usize & (self.capacity - 1);
        let first = length.min(self.capacity - start);
        // SAFETY: both parts lie within the ring, are written, and stay until `read` is moved on.
        unsafe {
            [
                std::slice::from_raw_parts(self.bytes.add(start), first),
                std::slice::from_raw_parts(self.bytes, length - first),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const CAPACITY: usize = 1024;

    struct Memory {
        ends: Ends,
        words: Box<[u64]>,
    }

    // SAFETY: the tests write by one thread and read by one.
    unsafe impl Sync for Memory {}

    impl Memory {
        fn new() -> Self {
            Self { ends: Ends::default(), words: vec![0; CAPACITY / 8].into() }
        }

        fn ring(&self) -> Ring<'_> {
            // SAFETY: the words are used through this ring only.
            unsafe { Ring::new(&self.ends, self.words.as_ptr().cast_mut().cast(), CAPACITY) }
        }
    }

    fn head(length: usize) -> Head {
        Head { kind: Kind::Body, is_last: false, tag: 7, length: length as u32 }
    }

    #[test]
    fn records_arrive_whole_and_in_order_around_the_ends() {
        let memory = Memory::new();
        let lengths = (0..20_000).map(|number| number * 7 % Ring::piece_max(CAPACITY));
        thread::scope(|scope| {
            scope.spawn(|| {
                for (number, length) in lengths.clone().enumerate() {
                    while !memory.ring().write(head(length), &vec![number as u8; length]) {
                        thread::yield_now();
                    }
                }
            });
            for (number, length) in lengths.clone().enumerate() {
                let record = loop {
                    match memory.ring().read(|head, parts| (head, parts.concat())) {
                        Some((record, _)) => break record,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(record, (head(length), vec![number as u8; length]));
            }
        });
        assert!(memory.ring().read(|_, _| ()).is_none());
    }

    #[test]
    fn who_finds_no_room_is_told_of_it_once() {
        let memory = Memory::new();
        let bytes = [1; 240];
        let mut count = 0;
        while memory.ring().write(head(240), &bytes) {
            count += 1;
        }
        assert_eq!(count, CAPACITY / 248);
        let woken: Vec<bool> = (0..count).map(|_| memory.ring().read(|_, _| ()).unwrap().1).collect();
        assert_eq!(woken, [false, true, false, false]);
        assert!(memory.ring().write(head(240), &bytes));
        assert!(!memory.ring().read(|_, _| ()).unwrap().1);
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for kind in [Kind::Frame, Kind::Gathered, Kind::Body] {
            let head = Head { kind, is_last: true, tag: 0xabcd, length: u32::MAX };
            assert_eq!(Head::of_word(head.to_word()), Some(head));
        }
        assert_eq!(Head::of_word(0), None);
    }
}
