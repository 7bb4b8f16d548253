//! The transport over MPI, between real ranks.
//!
//! Each test starts this program again under the launcher; there, only `exercise` runs, and does what
//! the environment names.

use crate::support;
use maniple::{
    Rank, Result,
    internals::comm::{
        Arrival, Bells, Body, Buffer, Transport,
        bell::Sleeper,
        mpi::{MpiConfig, MpiTransport},
    },
};
use std::{
    collections::BTreeMap,
    env,
    process::Output,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const EXERCISE: &str = "MANIPLE_TRANSPORT_EXERCISE";
const LIMITS: &str = "MANIPLE_TRANSPORT_LIMITS";

fn launch(exercise: &str, limits: &str, ranks: u32) -> Option<Output> {
    if env::var_os(EXERCISE).is_some() {
        return None;
    }
    if support::launcher().is_none() {
        println!("skipped: no MPI launcher is installed");
        return None;
    }
    let program = env::current_exe().unwrap();
    let args = ["--exact", "transport::exercise", "--nocapture", "--test-threads=1"];
    let env = [(EXERCISE, exercise), (LIMITS, limits)];
    Some(support::mpirun(ranks, &program, &args, &env, Duration::from_secs(60)))
}

fn assert_runs(exercise: &str, limits: &str, ranks: u32) {
    if let Some(output) = launch(exercise, limits, ranks) {
        support::assert_clean(&output);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.matches("exercise done").count(), ranks as usize, "{}", support::tell(&output));
    }
}

#[test]
fn everything_arrives_on_2_ranks() {
    assert_runs("everything", "default", 2);
}

#[test]
fn everything_arrives_on_3_ranks() {
    assert_runs("everything", "default", 3);
}

#[test]
fn everything_arrives_on_4_ranks() {
    assert_runs("everything", "default", 4);
}

#[test]
fn everything_arrives_in_tiny_pieces_on_2_ranks() {
    assert_runs("everything", "tiny", 2);
}

#[test]
fn everything_arrives_in_tiny_pieces_on_3_ranks() {
    assert_runs("everything", "tiny", 3);
}

#[test]
fn everything_arrives_in_tiny_pieces_on_4_ranks() {
    assert_runs("everything", "tiny", 4);
}

#[test]
fn one_rank_is_a_world() {
    assert_runs("everything", "default", 1);
}

#[test]
fn sub_communicators_carry_runs_and_stay_usable() {
    assert_runs("embedding", "default", 4);
}

#[test]
fn bells_outlive_the_transport() {
    assert_runs("late bells", "default", 3);
}

#[test]
fn close_drops_what_nobody_took() {
    assert_runs("untaken", "default", 3);
}

#[test]
fn close_names_the_rank_that_gave_up_and_abort_ends_the_others() {
    if let Some(output) = launch("absent", "default", 2) {
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{}", support::tell(&output));
        assert!(!told.contains("overslept"), "{}", support::tell(&output));
        assert!(
            told.contains(
                "rank 0 gave up closing its transport after 200ms: some rank has not come to its end"
            ),
            "{}",
            support::tell(&output)
        );
    }
}

/// What the ranks of the tests do.
#[test]
fn exercise() {
    let Ok(exercise) = env::var(EXERCISE) else { return };
    match exercise.as_str() {
        "everything" => everything(&mut world()).unwrap(),
        "embedding" => embedding().unwrap(),
        "late bells" => late_bells().unwrap(),
        "untaken" => untaken().unwrap(),
        "absent" => absent(),
        other => panic!("no exercise {other}"),
    }
    println!("exercise done");
}

fn config() -> MpiConfig {
    let mut config = MpiConfig::default();
    if tiny() {
        config.frame_bytes_max = 16;
        config.body_bytes_max = 16;
    }
    config
}

fn tiny() -> bool {
    env::var(LIMITS).is_ok_and(|limits| limits == "tiny")
}

fn world() -> MpiTransport {
    MpiTransport::world(config()).unwrap()
}

/// Numbers that look random and are the same on all ranks (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn of(source: Rank, target: Rank, number: usize) -> Self {
        Self(u64::from(source.0) << 48 | u64::from(target.0) << 32 | number as u64)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Looks for something, and sleeps if there is nothing.
fn poll_asleep(transport: &mut dyn Transport) -> Option<Arrival> {
    let bells = transport.bells();
    for _ in 0..50 {
        if let Some(arrival) = transport.poll().unwrap() {
            return Some(arrival);
        }
    }
    if transport.is_busy() {
        thread::sleep(Duration::from_micros(50));
        return None;
    }
    let rings = bells.rings(Sleeper::Background);
    bells.lie_down(Sleeper::Background);
    let mut found = None;
    for _ in 0..2 {
        found = found.or_else(|| transport.poll().unwrap());
    }
    if found.is_none() && !transport.is_busy() {
        bells.wait(Sleeper::Background, rings, Duration::from_secs(10));
    }
    bells.get_up();
    found
}

fn peers(transport: &dyn Transport) -> impl Iterator<Item = Rank> + use<> {
    let this = transport.rank();
    (0..transport.size()).map(Rank).filter(move |rank| *rank != this)
}

fn everything(transport: &mut dyn Transport) -> Result<()> {
    gather(transport)?;
    frames(transport)?;
    gather(transport)?;
    bodies(transport)?;
    gather(transport)?;
    token(transport)?;
    transport.close()
}

fn gather(transport: &mut dyn Transport) -> Result<()> {
    let bytes = |rank: u32| vec![rank as u8; rank as usize * 1037 % 5000];
    let all = transport.all_gather(bytes(transport.rank().0))?;
    assert_eq!(all, (0..transport.size()).map(bytes).collect::<Vec<_>>());
    assert_eq!(transport.all_gather(vec![])?, vec![Vec::<u8>::new(); transport.size() as usize]);
    Ok(())
}

/// A frame whose length is 0, near the limit, small, large or very large.
fn frame(source: Rank, target: Rank, number: usize) -> Vec<u8> {
    let mut numbers = Numbers::of(source, target, number);
    let length = match (numbers.next() % 16, tiny()) {
        (0, _) => 0,
        (1, _) => 15,
        (2, _) => 16,
        (3, _) => 17,
        (4, _) => 32,
        (5, true) => 2000,
        (5, false) if number < 40 => 3_000_000,
        (6, false) => 70_000,
        (7, false) => 4096,
        _ => numbers.next() as usize % 300,
    };
    numbers.bytes(length)
}

/// All ranks send to all others; what comes from each must be what it sent, in order.
fn frames(transport: &mut dyn Transport) -> Result<()> {
    const FRAMES: usize = 200;
    let (this, peers) = (transport.rank(), peers(transport).collect::<Vec<_>>());
    let mut received = BTreeMap::<Rank, usize>::new();
    let mut check = |arrival: Option<Arrival>| {
        let Some(Arrival::Frame { source, control }) = arrival else { return false };
        let number = received.entry(source).or_default();
        assert!(control == frame(source, this, *number), "frame {number} of {source:?} to {this:?}");
        *number += 1;
        true
    };
    let mut left = peers.len() * FRAMES;
    for number in 0..FRAMES {
        for &target in &peers {
            transport.send(target, frame(this, target, number))?;
        }
        left -= usize::from(check(transport.poll()?));
    }
    while left > 0 {
        left -= usize::from(check(poll_asleep(transport)));
    }
    Ok(())
}

const BODY_SIZES: [usize; 9] = [0, 1, 15, 16, 17, 33, 4096, 70_000, 3_000_001];

/// All ranks post room for bodies of all sizes from all others, ask for them, and send theirs.
fn bodies(transport: &mut dyn Transport) -> Result<()> {
    let (this, peers) = (transport.rank(), peers(transport).collect::<Vec<_>>());
    let sizes: Vec<usize> = BODY_SIZES.into_iter().filter(|size| !tiny() || *size < 100_000).collect();
    // The largest tag is among them, and neighbours are not in order.
    let tag_of = |at: usize| u16::MAX.wrapping_sub(at as u16 * 7919);
    for &source in &peers {
        for (at, &size) in sizes.iter().enumerate() {
            transport.post(source, tag_of(at), Buffer::new(size, 8))?;
        }
        transport.send(source, b"ready".to_vec())?;
    }
    let (mut bodies_left, mut requests_left) = (peers.len() * sizes.len(), peers.len());
    while bodies_left + requests_left > 0 {
        match poll_asleep(transport) {
            None => {}
            Some(Arrival::Frame { source, control }) => {
                assert_eq!(control, b"ready");
                requests_left -= 1;
                for (at, &size) in sizes.iter().enumerate().rev() {
                    let bytes = Numbers::of(this, source, at).bytes(size);
                    transport.send_body(source, tag_of(at), Body::of(Arc::new(bytes), 1, |bytes| bytes))?;
                }
            }
            Some(Arrival::Body { source, tag, buffer }) => {
                bodies_left -= 1;
                let at = (0..sizes.len()).find(|at| tag_of(*at) == tag).unwrap();
                let expected = Numbers::of(source, this, at).bytes(sizes[at]);
                assert!(buffer.as_slice() == expected, "body of {} bytes, {source:?} to {this:?}", sizes[at]);
            }
        }
    }
    Ok(())
}

/// A token goes round; all but its holder sleep, and are woken by their bell.
fn token(transport: &mut dyn Transport) -> Result<()> {
    const ROUNDS: u32 = 20;
    let (this, size) = (transport.rank(), transport.size());
    if size == 1 {
        return Ok(());
    }
    assert!(!transport.bells().has_remote());
    let start = Instant::now();
    let next = Rank((this.0 + 1) % size);
    if this == Rank(0) {
        transport.send(next, vec![0])?;
    }
    for round in 0..ROUNDS {
        let arrival = loop {
            if let Some(arrival) = poll_asleep(transport) {
                break arrival;
            }
        };
        let Arrival::Frame { mut control, .. } = arrival else { panic!("no frame: {arrival:?}") };
        control[0] += 1;
        if this != Rank(0) || round + 1 < ROUNDS {
            transport.send(next, control)?;
        }
    }
    // A sleeper that is not rung sleeps 10 s.
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    Ok(())
}

fn embedding() -> Result<()> {
    use mpi::{ffi, raw::AsRaw, topology::Color, traits::*};
    let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Serialized).expect("not initialised");
    let world = universe.world();
    let half = world.split_by_color(Color::with_value(world.rank() % 2)).expect("every rank has a half");
    let on = |raw: ffi::MPI_Comm| {
        // SAFETY: the communicators are valid while the universe lives, or null.
        unsafe { MpiTransport::on(raw, config()) }
    };
    let handler = || {
        // SAFETY: the communicator is valid; writes to a local.
        unsafe {
            let mut handler = ffi::RSMPI_ERRORS_RETURN;
            ffi::MPI_Comm_get_errhandler(half.as_raw(), &raw mut handler);
            handler == ffi::RSMPI_ERRORS_RETURN
        }
    };
    assert!(!handler());
    for round in 0..3 {
        let mut transport = on(half.as_raw())?;
        assert_eq!((transport.rank().0, transport.size()), (world.rank() as u32 / 2, 2));
        assert_eq!(transport.node(), Rank(0), "all on one node");
        if round == 2 {
            // A second one at once, between all ranks.
            let mut wide = on(world.as_raw())?;
            frames(&mut wide)?;
            gather(&mut wide)?;
            frames(&mut transport)?;
            gather(&mut transport)?;
            token(&mut wide)?;
            wide.close()?;
        }
        everything(&mut transport)?;
        assert!(transport.send(Rank(0), vec![]).is_err());
        half.barrier();
    }
    assert!(!handler());
    // SAFETY: reads a constant.
    let null = unsafe { ffi::RSMPI_COMM_NULL };
    assert!(on(null).is_err());
    world.barrier();
    Ok(())
}

/// One rank keeps its bells for longer than its transport.
fn late_bells() -> Result<()> {
    let mut transport = world();
    let early = transport.bells();
    let kept: Option<Arc<Bells>> = (transport.rank() == Rank(1)).then_some(early);
    everything(&mut transport)?;
    let after = transport.bells();
    drop(transport);
    for bells in kept.iter().chain([&after]) {
        bells.lie_down(Sleeper::Background);
        (0..3).for_each(|rank| bells.ring(Rank(rank)));
        bells.ring_self();
    }
    Ok(())
}

/// Frames and bodies that nobody polls, posts or sends do not keep ranks from ending.
fn untaken() -> Result<()> {
    let mut transport = world();
    let this = transport.rank();
    for target in peers(&transport) {
        transport.send(target, vec![1; 10])?;
        transport.send(target, vec![2; 3_000_000])?;
        transport.post(target, 1, Buffer::new(2_000_000, 8))?;
        transport.send_body(
            target,
            2,
            Body::of(Arc::new(vec![this.0 as u8; 2_000_000]), 1, |bytes| bytes),
        )?;
    }
    transport.close()
}

/// Rank 1 never closes.
fn absent() {
    let mut transport =
        MpiTransport::world(MpiConfig { close_timeout: Duration::from_millis(200), ..config() })
            .expect("a world of two");
    if transport.rank() == Rank(1) {
        thread::sleep(Duration::from_secs(20));
        println!("overslept");
    }
    let start = Instant::now();
    println!("{}", transport.close().unwrap_err());
    assert!(start.elapsed() < Duration::from_secs(5));
    thread::sleep(Duration::from_millis(100));
    transport.abort(3)
}
