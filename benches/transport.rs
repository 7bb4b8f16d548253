//! Times the MPI transport against raw MPI calls. Start it on 2 or more ranks:
//!
//! ```text
//! cargo bench --bench transport --no-run
//! mpirun -n 2 target/release/deps/transport-...
//! ```

use maniple::{
    Result,
    comm::{
        Arrival, Body, Buffer, Transport,
        bell::{Sleeper, sharpen_timers},
        mpi::{MpiConfig, MpiTransport, library_version},
    },
    rank::Rank,
};
use mpi::ffi;
use std::{
    hint,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const BODY_BYTES: usize = 64 << 20;
const BODIES: usize = 20;
const ROUNDS: usize = 20_000;
const SLOW_ROUNDS: usize = 300;

/// How a rank waits.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Spinning,
    Asleep,
}

fn main() -> Result<()> {
    sharpen_timers();
    let mut transport = MpiTransport::world(MpiConfig::default())?;
    let rank = transport.rank().0;
    if rank == 0 {
        println!("{}, {} ranks", library_version(), transport.size());
    }
    ping_pong(&mut transport, Wait::Spinning, ROUNDS, Duration::ZERO)?;
    ping_pong(&mut transport, Wait::Asleep, ROUNDS, Duration::ZERO)?;
    ping_pong(&mut transport, Wait::Asleep, SLOW_ROUNDS, Duration::from_millis(2))?;
    bandwidth(&mut transport)?;
    transport.close()
}

/// The next arrival, waited for.
fn take(transport: &mut MpiTransport, wait: Wait) -> Result<Arrival> {
    let bells = transport.bells();
    loop {
        for _ in 0..16 {
            if let Some(arrival) = transport.poll()? {
                return Ok(arrival);
            }
        }
        if wait == Wait::Spinning || transport.is_busy() {
            hint::spin_loop();
            continue;
        }
        let rings = bells.rings(Sleeper::Background);
        bells.lie_down(Sleeper::Background);
        let found = match transport.poll()? {
            None => transport.poll()?,
            found => found,
        };
        if found.is_none() {
            bells.wait(Sleeper::Background, rings, Duration::from_millis(50));
        }
        bells.get_up();
        if let Some(arrival) = found {
            return Ok(arrival);
        }
    }
}

/// Ranks 0 and 1 send 8 bytes to and fro, with a pause before each ping; the others wait for the end.
fn ping_pong(transport: &mut MpiTransport, wait: Wait, rounds: usize, pause: Duration) -> Result<()> {
    transport.all_gather(vec![])?;
    let size = transport.size();
    let mut times = Vec::with_capacity(rounds);
    match transport.rank().0 {
        0 => {
            for _ in 0..rounds {
                thread::sleep(pause);
                let start = Instant::now();
                transport.send(Rank(1), vec![0; 8])?;
                take(transport, wait)?;
                times.push(start.elapsed());
            }
            (2..size).try_for_each(|rank| transport.send(Rank(rank), vec![]))?;
        }
        1 => {
            for _ in 0..rounds {
                take(transport, wait)?;
                transport.send(Rank(0), vec![0; 8])?;
            }
        }
        _ => drop(take(transport, wait)?),
    }
    times.sort_unstable();
    if let [.., _] = times[..] {
        let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e6;
        let mean = times.iter().sum::<Duration>().as_secs_f64() * 1e6 / times.len() as f64;
        let name = match wait {
            Wait::Spinning => "spinning",
            Wait::Asleep => "asleep",
        };
        println!(
            "round trip, {name}, pause {pause:?}: mean {mean:.2} us, median {:.2}, 99% {:.2}",
            at(50),
            at(99)
        );
    }
    Ok(())
}

/// Rank 1 sends 64 MiB to rank 0 again and again, in turn by the transport and by raw MPI calls, out
/// of the same memory into the same memory.
fn bandwidth(transport: &mut MpiTransport) -> Result<()> {
    transport.all_gather(vec![])?;
    let mut buffer = Some(Buffer::new(BODY_BYTES, 64));
    buffer.iter_mut().for_each(|buffer| buffer.as_mut_slice().fill(1));
    let source = Arc::new(Buffer::copy_of(&vec![7; BODY_BYTES], 64));
    let body = Body::of(Arc::clone(&source), 64, |buffer| buffer.as_slice());
    let mut times = [vec![], vec![]];
    for turn in 0..2 * BODIES {
        let by_transport = turn % 2 == 0;
        let start = Instant::now();
        match (transport.rank().0, by_transport) {
            (0, true) => {
                transport.post(Rank(1), 0, buffer.take().expect("it came back"))?;
                transport.send(Rank(1), vec![])?;
                let arrival = take(transport, Wait::Spinning)?;
                let Arrival::Body { buffer: back, .. } = arrival else { panic!("no body: {arrival:?}") };
                buffer = Some(back);
            }
            (1, true) => {
                take(transport, Wait::Spinning)?;
                transport.send_body(Rank(0), 0, body.clone())?;
                while transport.is_busy() {
                    transport.poll()?;
                }
            }
            (rank @ (0 | 1), false) => {
                let memory = match rank {
                    0 => buffer.as_mut().expect("it came back").as_mut_slice().as_mut_ptr(),
                    _ => body.as_slice().as_ptr().cast_mut(),
                };
                raw(rank, memory);
            }
            _ => {}
        }
        times[turn % 2].push(start.elapsed());
    }
    transport.all_gather(vec![])?;
    if transport.rank() == Rank(0) {
        let rate = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            BODY_BYTES as f64 / times[times.len() / 2].as_secs_f64() / 1e9
        };
        let (ours, raw) = (rate(&mut times[0]), rate(&mut times[1]));
        println!("64 MiB: transport {ours:.2} GB/s, raw MPI {raw:.2} GB/s, {:.0}%", 100.0 * ours / raw);
    }
    Ok(())
}

/// The same with raw calls: a receive that is posted, a message that asks, and a send.
fn raw(rank: u32, memory: *mut u8) {
    let peer = 1 - rank as i32;
    // SAFETY: `memory` has `BODY_BYTES` bytes, and stays until the request is complete.
    unsafe {
        let (world, bytes) = (ffi::RSMPI_COMM_WORLD, ffi::RSMPI_UINT8_T);
        let ignored = ffi::RSMPI_STATUS_IGNORE;
        let mut request = ffi::RSMPI_REQUEST_NULL;
        let (count, at) = (BODY_BYTES as i32, memory.cast());
        if rank == 0 {
            ffi::MPI_Irecv(at, count, bytes, peer, 5, world, &raw mut request);
            ffi::MPI_Send(at, 0, bytes, peer, 6, world);
        } else {
            ffi::MPI_Recv(at, 0, bytes, peer, 6, world, ignored);
            ffi::MPI_Isend(at, count, bytes, peer, 5, world, &raw mut request);
        }
        ffi::MPI_Wait(&raw mut request, ignored);
    }
}
