//! Pure: how many connections are taken in, so that strangers at a port cost the run little.

use std::time::{Duration, Instant};

/// How many connections are taken in at once.
const BURST: f64 = 64.0;
/// How many a second, from then on. One takes about 30 us of a core.
const RATE: f64 = 500.0;

/// What may be taken in now; it grows at a constant rate.
#[derive(Debug)]
pub(super) struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, at: now }
    }

    /// Counts a connection that was taken in. Returns how long the next one waits.
    pub(super) fn count(&mut self, now: Instant) -> Duration {
        let grown = now.saturating_duration_since(self.at).as_secs_f64() * RATE;
        self.left = (self.left + grown).min(BURST) - 1.0;
        self.at = now;
        Duration::from_secs_f64((-self.left).max(0.0) / RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_in_at_once_and_more_at_a_constant_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert!((0..64).all(|_| allowance.count(start).is_zero()));
        let (mut now, mut taken) = (start, 0);
        while now < start + Duration::from_secs(2) {
            now += allowance.count(now);
            taken += 1;
        }
        assert!((999..1003).contains(&taken), "{taken} in two seconds");
        // After a pause there is a burst again, and no more than one.
        now += Duration::from_secs(100);
        let at_once = (0..200).filter(|_| allowance.count(now).is_zero()).count();
        assert_eq!(at_once, 64);
    }
}
