//! Moving a body from rank to rank: this library's transport beside raw MPI, from and to the same kind
//! of buffers, and beside what a segment shared by both ranks would give.
//!
//! `mpirun -n 2 <this>`; `scripts/bench.sh` builds and runs it.

use maniple::{
    Rank, Result,
    internals::comm::{
        Arrival, Body, Buffer, Transport,
        mpi::{MpiConfig, MpiTransport},
    },
};
use mpi::{
    Threading,
    point_to_point::{Destination, Source},
    topology::Communicator,
};
use std::{
    fs::File,
    hint::black_box,
    os::fd::{AsRawFd, FromRawFd},
    sync::Arc,
    time::Instant,
};

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

/// Shared memory without a name, mapped by two processes.
struct Segment {
    memory: *mut libc::c_void,
    file: File,
    bytes: usize,
}

impl Segment {
    fn new(bytes: usize) -> Result<Self> {
        // SAFETY: the name is a C string; the file is owned by nobody else.
        let file = unsafe { File::from_raw_fd(libc::memfd_create(c"bench".as_ptr(), libc::MFD_CLOEXEC)) };
        file.set_len(bytes as u64).map_err(maniple::Error::other)?;
        Ok(Self::map(file, bytes))
    }

    /// Maps the segment of another process of this host.
    fn of_peer(pid: u64, descriptor: u64, bytes: usize) -> Result<Self> {
        let path = format!("/proc/{pid}/fd/{descriptor}");
        let file = File::options().read(true).write(true).open(path).map_err(maniple::Error::other)?;
        Ok(Self::map(file, bytes))
    }

    fn map(file: File, bytes: usize) -> Self {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of a file of this length, at an address of the kernel's choice.
        let memory =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        Self { memory, file, bytes }
    }

    fn numbers(&mut self) -> &mut [u64] {
        // SAFETY: the pages are mapped while `self` lives, are zeros at first, and the two ranks use
        // them in turn.
        unsafe { std::slice::from_raw_parts_mut(self.memory.cast(), self.bytes / 8) }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: mapped in `map`, and used by nobody any more.
        unsafe { libc::munmap(self.memory, self.bytes) };
    }
}

/// The bytes a second of `work` on so many bytes.
fn rate<R>(bytes: usize, work: impl FnOnce() -> R) -> f64 {
    let start = Instant::now();
    black_box(work());
    bytes as f64 / start.elapsed().as_secs_f64()
}

fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |sum, number| sum.wrapping_add(*number))
}

/// What rank 1 gets of values that rank 0 makes in shared segments: to make one, and to read it in
/// place the first time and again; and what it gets of memory of its own, to make it and to read it.
fn shared(world: &impl Communicator, bytes: usize) -> Result<[f64; 5]> {
    let other = world.process_at_rank(1 - world.rank());
    let mut figures: [Vec<f64>; 5] = Default::default();
    for _ in 0..REPETITIONS {
        if world.rank() == 0 {
            let mut segment = Segment::new(bytes)?;
            let made = rate(bytes, || segment.numbers().fill(1));
            other.send(&[u64::from(std::process::id()), segment.file.as_raw_fd() as u64, made.to_bits()][..]);
            other.receive_into(&mut [0u8; 0]);
        } else {
            let mut told = [0u64; 3];
            other.receive_into(&mut told[..]);
            let [pid, descriptor, made] = told;
            let mut segment = None;
            let mut map = || -> Result<u64> {
                Ok(sum(segment.insert(Segment::of_peer(pid, descriptor, bytes)?).numbers()))
            };
            let first = rate(bytes, || map().expect("the other rank's segment can be mapped"));
            let again = rate(bytes, || sum(segment.as_mut().expect("mapped above").numbers()));
            let mut own = Vec::new();
            let own_made = rate(bytes, || own.resize(bytes / 8, 1u64));
            let own_read = rate(bytes, || sum(&own));
            let measured = [f64::from_bits(made), first, again, own_made, own_read];
            figures.iter_mut().zip(measured).for_each(|(all, figure)| all.push(figure));
            other.send(&[0u8; 0]);
        }
    }
    Ok(figures.map(|all| if all.is_empty() { 0.0 } else { median(all) }))
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
    for bytes in SIZES {
        let [made, first, again, own_made, own_read] = shared(&world, bytes)?;
        if world.rank() == 1 {
            println!(
                "segment of {bytes:>9} bytes: made {made:.3e} B/s, read by the other rank {first:.3e} B/s, \
                 again {again:.3e} B/s; memory of its own: made {own_made:.3e} B/s, read {own_read:.3e} B/s",
            );
        }
    }
    transport.close()
}
