//! What one thread has recorded and nobody has taken yet: one writes, one takes, neither waits.
//!
//! A ring that is full counts what it loses, so that a slow reader costs details and never time.

use super::history::{Event, Kind};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many events a ring holds: a few milliseconds of the shortest tasks, seconds of all others.
const LENGTH: u64 = 8192;

/// An event as it lies in the ring: subject, amount with the kind above it, start, end.
type Place = [AtomicU64; 4];

const KIND_SHIFT: u32 = 56;

/// One thread's events. See the module.
#[derive(Debug)]
pub(super) struct Ring {
    places: Box<[Place]>,
    /// How many were ever written, and how many ever taken.
    written: AtomicU64,
    taken: AtomicU64,
    lost: AtomicU64,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            places: (0..LENGTH).map(|_| Place::default()).collect(),
            written: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Adds an event; one thread at a time. Returns whether the ring should be emptied soon.
    pub(super) fn push(&self, event: Event) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        let held = written - self.taken.load(Ordering::Acquire);
        if held >= LENGTH {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let place = &self.places[(written % LENGTH) as usize];
        let amount = event.amount & ((1 << KIND_SHIFT) - 1) | (event.kind as u64) << KIND_SHIFT;
        for (cell, word) in place.iter().zip([event.subject, amount, event.start, event.end]) {
            cell.store(word, Ordering::Relaxed);
        }
        self.written.store(written + 1, Ordering::Release);
        held == LENGTH / 2
    }

    /// Moves what was written to `events`; one thread at a time.
    pub(super) fn take(&self, lane: u16, events: &mut Vec<Event>) {
        let (taken, written) = (self.taken.load(Ordering::Relaxed), self.written.load(Ordering::Acquire));
        for number in taken..written {
            let [subject, amount, start, end] =
                self.places[(number % LENGTH) as usize].each_ref().map(|cell| cell.load(Ordering::Relaxed));
            let kind = Kind::of((amount >> KIND_SHIFT) as u8);
            let amount = amount & ((1 << KIND_SHIFT) - 1);
            events.push(Event { kind, lane, subject, amount, start, end });
        }
        self.taken.store(written, Ordering::Release);
    }

    /// How many events found no place.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Event {
        Event {
            kind: Kind::Fetch,
            lane: 3,
            subject: number,
            amount: number * 2,
            start: number,
            end: number + 1,
        }
    }

    #[test]
    fn a_ring_gives_what_was_written_in_order_and_counts_what_it_loses() {
        let (ring, mut events) = (Ring::new(), Vec::new());
        let calls = (0..LENGTH + 5).filter(|number| ring.push(event(*number))).count();
        assert_eq!(calls, 1, "whoever empties it is called once");
        ring.take(3, &mut events);
        assert_eq!((events.len() as u64, ring.lost()), (LENGTH, 5));
        ring.push(event(7));
        ring.take(3, &mut events);
        assert_eq!((events[0], events[LENGTH as usize - 1]), (event(0), event(LENGTH - 1)));
        assert_eq!(events[LENGTH as usize], event(7));
    }

    #[test]
    fn a_ring_may_be_emptied_while_it_is_written() {
        const COUNT: u64 = 200_000;
        let ring = Ring::new();
        let events = std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..COUNT).filter(|number| ring.push(event(*number))).count());
            let mut events = Vec::new();
            while !writer.is_finished() {
                ring.take(3, &mut events);
            }
            ring.take(3, &mut events);
            events
        });
        assert_eq!(events.len() as u64 + ring.lost(), COUNT);
        assert!(events.windows(2).all(|pair| pair[0].subject < pair[1].subject));
        assert!(events.iter().all(|found| *found == event(found.subject)), "no event is torn");
    }
}
