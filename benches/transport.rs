//! Moving a body from rank to rank: this library's transport beside raw MPI, from and to the same kind
//! of buffers.
//!
//! `mpirun -n 2 <this>`; `jobs/bench.sh` builds and runs it.

use maniple::{
    Rank, Result,
    comm::{
        Arrival, Body, Buffer, Transport,
        mpi::{MpiConfig, MpiTransport},
    },
};
use mpi::{
    Threading,
    point_to_point::{Destination, Source},
    topology::Communicator,
};
use std::{sync::Arc, time::Instant};

const SIZES: [usize; 4] = [4 << 10, 1 << 20, 64 << 20, 256 << 20];
const REPETITIONS: usize = 9;

#[global_allocator]
static ALLOCATOR: maniple::Allocator = maniple::Allocator::new();

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Bytes a second from rank 0 to rank 1 and an empty answer back, by raw MPI.
fn raw(world: &impl Communicator, bytes: usize) -> f64 {
    let mut memory = vec![1u8; bytes];
    let other = world.process_at_rank(1 - world.rank());
    let figures = (0..REPETITIONS).map(|_| {
        let start = Instant::now();
        if world.rank() == 0 {
            other.send(&memory[..]);
            other.receive_into(&mut [0u8; 0]);
        } else {
            other.receive_into(&mut memory[..]);
            other.send(&[0u8; 0]);
        }
        bytes as f64 / start.elapsed().as_secs_f64()
    });
    median(figures.collect())
}

/// The same by the transport: the receiver makes room, asks, and gets the body.
fn ours(transport: &mut MpiTransport, bytes: usize) -> Result<f64> {
    let other = Rank(1 - transport.rank().0);
    let value = Arc::new(vec![1u8; bytes]);
    let mut figures = Vec::new();
    for tag in 0..REPETITIONS as u16 {
        let start = Instant::now();
        if transport.rank().0 == 0 {
            wait(transport)?;
            transport.send_body(other, tag, Body::of(Arc::clone(&value), 1, |value| value))?;
            wait(transport)?;
        } else {
            transport.post(other, tag, Buffer::unfilled(bytes, 1))?;
            transport.send(other, vec![1])?;
            wait(transport)?;
            transport.send(other, vec![2])?;
        }
        figures.push(bytes as f64 / start.elapsed().as_secs_f64());
    }
    Ok(median(figures))
}

fn wait(transport: &mut MpiTransport) -> Result<Arrival> {
    loop {
        if let Some(arrival) = transport.poll()? {
            return Ok(arrival);
        }
    }
}

fn main() -> Result<()> {
    let (universe, _) = mpi::initialize_with_threading(Threading::Serialized)
        .ok_or_else(|| maniple::Error::other("MPI is initialised already"))?;
    let world = universe.world();
    if world.size() != 2 {
        return Err("start this on two ranks: mpirun -n 2".into());
    }
    // SAFETY: the world is a valid communicator while the universe lives.
    let mut transport = unsafe { MpiTransport::on(mpi::raw::AsRaw::as_raw(&world), MpiConfig::default())? };
    for bytes in SIZES {
        let (raw, ours) = (raw(&world, bytes), ours(&mut transport, bytes)?);
        if world.rank() == 0 {
            println!(
                "body of {:>9} bytes: raw MPI {raw:.3e} B/s, transport {ours:.3e} B/s, {:.0} %",
                bytes,
                ours / raw * 100.0
            );
        }
    }
    transport.close()
}
