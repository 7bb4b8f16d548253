//! The clock that events are timed by, and how far the ranks' clocks are apart.

use crate::{
    comm::{Arrival, Transport},
    error::{Error, Result},
    rank::Rank,
};
use std::{
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// How often rank 0 asks each rank for its time; the fastest answer counts.
const ROUNDS: usize = 16;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nanoseconds since this process first asked.
pub(crate) fn now() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let since = FIRST.get_or_init(Instant::now).elapsed();
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}

/// What to add to each rank's clock to get rank 0's, in nanoseconds. Collective; before anything else is
/// said.
///
/// # Errors
///
/// The transport's; [`Error::World`] if a rank does not answer.
pub(crate) fn align(transport: &mut dyn Transport) -> Result<Vec<i64>> {
    let mut offsets = vec![0i64; transport.size() as usize];
    if transport.rank() == Rank::SCHEDULER {
        for (rank, offset) in offsets.iter_mut().enumerate().skip(1) {
            let rank = Rank(rank as u32);
            let mut best = u64::MAX;
            for _ in 0..ROUNDS {
                let asked = now();
                transport.send(rank, vec![1])?;
                let answer = hear(transport, rank)?;
                let heard = now();
                let theirs = answer.try_into().map(u64::from_le_bytes).unwrap_or(0);
                if heard - asked < best {
                    best = heard - asked;
                    *offset = asked.midpoint(heard) as i64 - theirs as i64;
                }
            }
            transport.send(rank, vec![0])?;
        }
    } else {
        while hear(transport, Rank::SCHEDULER)? == [1] {
            transport.send(Rank::SCHEDULER, now().to_le_bytes().to_vec())?;
        }
    }
    // Nobody speaks of other things before rank 0 has heard all, and every rank learns the outcome.
    let bytes = crate::codec::to_bytes(&offsets);
    let heard = transport.all_gather(bytes)?;
    postcard::from_bytes(&heard[0]).map_err(|_| Error::World("the ranks cannot align their clocks".into()))
}

fn hear(transport: &mut dyn Transport, rank: Rank) -> Result<Vec<u8>> {
    let started = Instant::now();
    loop {
        match transport.poll()? {
            Some(Arrival::Frame { source, control }) if source == rank => return Ok(control),
            Some(_) => {}
            None if started.elapsed() > PATIENCE => {
                return Err(Error::World(format!("rank {rank} does not answer when asked for its time")));
            }
            None if started.elapsed() > Duration::from_millis(1) => thread::sleep(Duration::from_micros(50)),
            None => thread::yield_now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_one_process_have_one_clock() {
        let offsets: Vec<Vec<i64>> = thread::scope(|scope| {
            let ends = crate::comm::threads::world(3).into_iter();
            let aligning: Vec<_> =
                ends.map(|mut end| scope.spawn(move || align(&mut end).unwrap())).collect();
            aligning.into_iter().map(|rank| rank.join().unwrap()).collect()
        });
        assert!(offsets.iter().all(|each| *each == offsets[0]), "all ranks know them");
        assert!(offsets[0].len() == 3 && offsets[0].iter().all(|offset| offset.abs() < 20_000_000));
    }
}
