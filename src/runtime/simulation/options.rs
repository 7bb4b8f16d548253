//! What a simulated run is like, drawn from a seed.

use super::shelf::DiskOptions;
use crate::{comm::simulated::Random, scheduler::Backlog};

/// What a simulated run is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// What all that happens is drawn from.
    pub seed: u64,
    /// Whether ranks 0 and 1 only schedule and drive.
    pub exclusive_workers: bool,
    /// The ranks.
    pub ranks: Vec<RankOptions>,
    /// The most bytes of a small value.
    pub small_bytes_max: usize,
    /// How far ahead workers are given tasks.
    pub backlog: Backlog,
    /// How long a message mostly travels at most, in nanoseconds.
    pub delay_nanoseconds: u64,
    /// How long a task mostly takes at most, in nanoseconds.
    pub task_nanoseconds: u64,
    /// How long a rank mostly takes at most to look at what has arrived, in nanoseconds.
    pub wake_nanoseconds: u64,
    /// Whether messages and tasks take just as long, rather than mostly at most.
    pub is_steady: bool,
    /// The most bytes of a frame that travel in one piece.
    pub piece_bytes_max: usize,
    /// What the workers' disks are like.
    pub disk: DiskOptions,
    /// Whether the loss of workers is survived.
    pub survives: bool,
    /// How many tasks for each thread that need nothing may begin before they are due, if not the usual number.
    pub sources_ahead_max: Option<u64>,
    /// At how many tasks a decision looks that may be given out early.
    pub looks_max: u32,
}

/// What one rank is like.
#[derive(Clone, Debug)]
pub struct RankOptions {
    /// How many tasks it runs at a time, if it works.
    pub threads: u32,
    /// How many times as long as elsewhere its tasks take.
    pub slowness: u64,
    /// How many bytes of values it may hold.
    pub memory_bytes: u64,
    /// How many `GPU`s it declares.
    pub gpus: u32,
}

impl Options {
    /// A world that this seed draws.
    pub fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let size = *random.choose(&[1, 2, 3, 3, 4, 6]);
        let memory_bytes = *random.choose(&[100, 5_000, 1 << 30, 1 << 30]);
        let rank = |random: &mut Random| RankOptions {
            threads: 1 + random.below(3) as u32,
            slowness: *random.choose(&[1, 1, 1, 30]),
            memory_bytes,
            gpus: random.below(3) as u32,
        };
        Self {
            seed,
            exclusive_workers: random.chance(2, 3),
            ranks: (0..size).map(|_| rank(&mut random)).collect(),
            small_bytes_max: *random.choose(&[0, 8, 8, 512, 1 << 30]),
            backlog: Backlog {
                nanoseconds: *random.choose(&[1_000, 2_000_000]),
                tasks_max: *random.choose(&[1, 4, 4096]),
            },
            delay_nanoseconds: *random.choose(&[1_000, 20_000, 5_000_000]),
            task_nanoseconds: *random.choose(&[100, 10_000, 3_000_000]),
            wake_nanoseconds: *random.choose(&[1, 1_000, 100_000]),
            is_steady: false,
            piece_bytes_max: *random.choose(&[13, 1 << 30, 1 << 30]),
            disk: DiskOptions::of_seed(seed),
            survives: false,
            sources_ahead_max: None,
            looks_max: *random.choose(&[1, 3, 4096]),
        }
    }
}
