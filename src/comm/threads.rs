//! Ranks that are threads of one process: for a laptop, for tests, and for a run of one.

use super::{Arrival, Bells, Body, BodyTag, Buffer, Transport, bell::Bell};
use crate::{Result, lock::lock, rank::Rank};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, PoisonError},
};

/// What all ranks share.
#[derive(Debug)]
struct World {
    boxes: Vec<Mutex<VecDeque<Parcel>>>,
    bells: Arc<Vec<Bell>>,
    gathering: Mutex<Gathering>,
    gathered: Condvar,
}

#[derive(Debug)]
enum Parcel {
    Frame { source: Rank, control: Vec<u8> },
    Body { source: Rank, tag: BodyTag, body: Body },
}

#[derive(Debug, Default)]
struct Gathering {
    round: u64,
    parts: HashMap<u32, Vec<u8>>,
    result: Arc<Vec<Vec<u8>>>,
}

/// One rank's end.
#[derive(Debug)]
pub struct ThreadTransport {
    rank: Rank,
    world: Arc<World>,
    bells: Arc<Bells>,
    posted: HashMap<(Rank, BodyTag), Buffer>,
}

/// The ends of a world of `size` ranks, in rank order.
pub fn world(size: u32) -> Vec<ThreadTransport> {
    let bells = Arc::new((0..size).map(|_| Bell::default()).collect::<Vec<_>>());
    let world = Arc::new(World {
        boxes: (0..size).map(|_| Mutex::default()).collect(),
        bells,
        gathering: Mutex::default(),
        gathered: Condvar::new(),
    });
    (0..size).map(|rank| ThreadTransport::new(Rank(rank), &world)).collect()
}

impl ThreadTransport {
    fn new(rank: Rank, world: &Arc<World>) -> Self {
        let addresses = world.bells.iter().map(std::ptr::from_ref).collect();
        // SAFETY: the bells are in a vector that is never changed, kept by the box.
        let bells = unsafe { Bells::new(rank, addresses, Box::new(Arc::clone(&world.bells))) };
        Self { rank, world: Arc::clone(world), bells: Arc::new(bells), posted: HashMap::new() }
    }

    fn put(&self, target: Rank, parcel: Parcel) {
        lock(&self.world.boxes[target.index()]).push_back(parcel);
        self.bells.ring(target);
    }
}

impl Transport for ThreadTransport {
    fn rank(&self) -> Rank {
        self.rank
    }

    fn size(&self) -> u32 {
        self.world.boxes.len() as u32
    }

    fn node(&self) -> Rank {
        Rank(0)
    }

    fn name(&self) -> String {
        "threads".into()
    }

    fn send(&mut self, target: Rank, control: Vec<u8>) -> Result<()> {
        self.put(target, Parcel::Frame { source: self.rank, control });
        Ok(())
    }

    fn post(&mut self, source: Rank, tag: BodyTag, buffer: Buffer) -> Result<()> {
        self.posted.insert((source, tag), buffer);
        Ok(())
    }

    fn withdraw(&mut self, source: Rank, tag: BodyTag) -> Result<()> {
        self.posted.remove(&(source, tag));
        Ok(())
    }

    fn send_body(&mut self, target: Rank, tag: BodyTag, body: Body) -> Result<()> {
        self.put(target, Parcel::Body { source: self.rank, tag, body });
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<Arrival>> {
        loop {
            let parcel = lock(&self.world.boxes[self.rank.index()]).pop_front();
            match parcel {
                None => return Ok(None),
                Some(Parcel::Frame { source, control }) => {
                    return Ok(Some(Arrival::Frame { source, control }));
                }
                Some(Parcel::Body { source, tag, body }) => {
                    let Some(mut buffer) = self.posted.remove(&(source, tag)) else { continue };
                    buffer.fill_from(body.as_slice());
                    return Ok(Some(Arrival::Body { source, tag, buffer }));
                }
            }
        }
    }

    fn lose(&mut self, _: Rank) {}

    fn is_busy(&self) -> bool {
        false
    }

    fn bells(&self) -> Arc<Bells> {
        Arc::clone(&self.bells)
    }

    fn all_gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let size = self.size();
        let mut gathering = lock(&self.world.gathering);
        let round = gathering.round;
        gathering.parts.insert(self.rank.0, bytes);
        if gathering.parts.len() as u32 == size {
            let mut parts = std::mem::take(&mut gathering.parts);
            let result = (0..size).filter_map(|rank| parts.remove(&rank)).collect();
            gathering.result = Arc::new(result);
            gathering.round += 1;
            self.world.gathered.notify_all();
        }
        while gathering.round == round {
            gathering = self.world.gathered.wait(gathering).unwrap_or_else(PoisonError::into_inner);
        }
        Ok((*gathering.result).clone())
    }

    fn close(&mut self) -> Result<()> {
        self.all_gather(Vec::new()).map(|_| ())
    }

    fn abort(&mut self, code: i32) -> ! {
        std::process::exit(code)
    }
}
