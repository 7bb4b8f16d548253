//! Fuzz targets: each decoder as a function that must accept any bytes.
//!
//! `cargo test fuzzing` gives them what is broken in small ways for a moment; `fuzz/` gives them whatever a
//! fuzzer comes upon. None may panic, run for long, or ask for memory because a length says so.

use crate::{
    array::read_npy_header,
    comm::{
        Buffer,
        relay::{
            packet::{Header, Kind, Trailer},
            pieces::Pieces,
        },
    },
    disk::{Compression, Disk, DiskCopy, Extent},
    journal::record,
    lock::lock,
    message::{self, Message},
    part::Cut,
    rank::Rank,
    record as record_of_a_run,
    session::handshake::{
        ANSWER_BYTES, CHALLENGE_BYTES, ClusterSide, HELLO_BYTES, Identity, Purpose, SessionSide, Token,
        Verdict,
    },
    value::{self, Value},
};
use ndarray::{Array2, ArrayD};
use std::{
    io::{self, Cursor},
    sync::{Arc, Mutex},
};

/// A function that takes any bytes, by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("messages", messages),
    ("values", values),
    ("parts", parts),
    ("spilled", spilled),
    ("journal", journal),
    ("npy", npy),
    ("traces", traces),
    ("packets", packets),
    ("handshake", handshake),
];

/// A frame of the protocol. What can be read says the same when it is written and read again.
pub fn messages(bytes: &[u8]) {
    let Ok(messages) = message::decode(Rank(1), bytes) else { return };
    let mut again = Vec::new();
    messages.iter().for_each(|message: &Message| message::encode(message, &mut again));
    assert_eq!(message::decode(Rank(1), &again).ok(), Some(messages));
}

/// A value as it comes from another rank: its head and its body.
pub fn values(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (head, body) = rest.split_at(rest.len().min(usize::from(*length)));
    let arrived = || Value::from_wire(head.to_vec(), Buffer::copy_of(body, 8));
    let _ = arrived().get::<Vec<f64>>();
    let _ = arrived().get::<ArrayD<f32>>();
    let _ = arrived().get::<Array2<u64>>();
    let _ = arrived().get::<ArrayD<bool>>();
    let _ = arrived().get::<Vec<(String, Option<i32>)>>();
    let _ = arrived().to_owned_value::<Vec<u8>>();
    let _ = value::decode::<(u64, Vec<Vec<u8>>)>(body);
}

/// The description of a part, and a value that it is cut out of.
pub fn parts(bytes: &[u8]) {
    let Ok((cut, rest)) = postcard::take_from_bytes::<Cut>(bytes) else { return };
    let Some((length, rest)) = rest.split_first() else { return };
    let (head, body) = rest.split_at(rest.len().min(usize::from(*length)));
    let _ = Value::from_wire(head.to_vec(), Buffer::copy_of(body, 16)).part_to_wire(&cut);
}

/// A disk on which bits may flip.
#[derive(Debug, Default)]
struct Flipping {
    bytes: Mutex<Vec<u8>>,
    /// Where a byte is changed, and how.
    changes: Vec<(u8, u8)>,
}

impl Disk for Flipping {
    fn write(&self, bytes: &[u8]) -> io::Result<Extent> {
        *lock(&self.bytes) = bytes.to_vec();
        Ok(Extent { offset: 0, length: bytes.len() as u64 })
    }

    fn read(&self, _: Extent, bytes: &mut [u8]) -> io::Result<()> {
        bytes.copy_from_slice(&lock(&self.bytes));
        for (place, change) in &self.changes {
            if let Some(byte) = bytes.get_mut(usize::from(*place)) {
                *byte ^= change;
            }
        }
        Ok(())
    }

    fn free(&self, _: Extent) {}
}

/// A value that was moved to a disk, with changes: what comes back is what was written, or nothing.
pub fn spilled(bytes: &[u8]) {
    let Some(([kind, count], rest)) = bytes.split_first_chunk() else { return };
    let (changes, body) = rest.split_at(rest.len().min(2 * usize::from(*count % 4)));
    let changes = changes.chunks_exact(2).map(|change| (change[0], change[1])).collect();
    let compression = [Compression::None, Compression::Lz4][usize::from(*kind % 2)];
    let disk = Arc::new(Flipping { changes, ..Flipping::default() });
    let copy = DiskCopy::write(disk, vec![*kind], body, 8, compression).expect("the disk takes all");
    if let Ok((head, read)) = copy.read() {
        assert_eq!((head.as_slice(), read.as_slice()), ([*kind].as_slice(), body));
    }
}

/// A file of a journal.
pub fn journal(mut bytes: &[u8]) {
    let Ok(Some(head)) = record::read_file_head(&mut bytes) else { return };
    let scan = record::scan(head.salt, bytes).expect("memory can be read");
    for found in scan.found {
        let start = found.offset as usize - record::FileHead::BYTES + record::RecordHead::BYTES;
        let contents = &bytes[start..][..found.head.contents_bytes() as usize];
        assert!(found.small.is_none_or(|small| small == contents));
    }
}

/// What comes over the connection of a session: packets of which the headers are checked, and pieces of bodies that
/// some rank waits for. What a rank passes on has a trailer.
pub fn packets(bytes: &[u8]) {
    let mut pieces = Pieces::default();
    pieces.post(Rank(2), 0, Buffer::unfilled(100, 8));
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_first_chunk::<{ Header::BYTES }>() {
        let Ok(header) = Header::read(*head) else { break };
        assert_eq!(Header::read(header.to_bytes()), Ok(header));
        let Some((payload, after)) = after.split_at_checked(header.length as usize) else { break };
        rest = after;
        match header.kind {
            Kind::Piece => drop(pieces.take(header.peer, header.tag, payload)),
            Kind::Credit => drop(pieces.credit(header.peer, header.tag, u32::MAX)),
            _ => drop(message::decode(header.peer, payload)),
        }
    }
    let mut frame = bytes.to_vec();
    if let Some(trailer) = Trailer::open(&mut frame) {
        trailer.seal(&mut frame);
        assert_eq!(Trailer::open(&mut frame), Some(trailer));
    }
}

/// What a stranger says to a cluster, and what one says that is no cluster.
pub fn handshake(bytes: &[u8]) {
    let own = Identity { build: 7, version: "0.1.0".into() };
    let token = Token::new([1; 32]);
    if let Some((hello, rest)) = bytes.split_first_chunk::<{ HELLO_BYTES }>()
        && let Some(side) = ClusterSide::new(&token, &own, [2; 32], hello)
        && let Some((answer, _)) = rest.split_first_chunk::<{ ANSWER_BYTES }>()
    {
        assert_eq!(side.verdict(answer), Verdict::WrongToken, "nobody guesses the answer");
    }
    if let Some((challenge, _)) = bytes.split_first_chunk::<{ CHALLENGE_BYTES }>() {
        SessionSide::new(token, &own, [3; 32], Purpose::Session).answer(challenge).unwrap_err();
    }
}

/// The header of an `.npy` file.
pub fn npy(bytes: &[u8]) {
    let _ = read_npy_header::<f64>(&mut Cursor::new(bytes), bytes.len() as u64);
}

/// What ranks have recorded, as a trace or as they left it.
pub fn traces(bytes: &[u8]) {
    record_of_a_run::read_any(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::{append, to_bytes},
        comm::simulated::Random,
        ids::Code,
        ids::{TaskId, Tasks},
        message::{Column, Finished, Layer, Options, ToClient, ToScheduler},
        part::{Assembly, Run},
    };
    use std::{
        env,
        time::{Duration, Instant},
    };

    /// Bytes that a target can make something of.
    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let values = || [[1u8, 2].as_slice(), &[3, 4]].into_iter().collect();
        let cut = |from, step, count| {
            let runs = vec![vec![Run { piece: 0, from, step, count }]];
            Cut { element_bytes: 4, align: 4, assembly: Assembly::new(runs).0 }
        };
        match target {
            "messages" => {
                let tasks = Tasks { first: TaskId::new(Rank(1), 3), count: 2 };
                let layer = Layer {
                    tasks,
                    code: Code { module: 0, offset: 64 },
                    columns: vec![
                        Column::Each(values()),
                        Column::Lists { lists: vec![vec![tasks]; 2], collect: Code { module: 0, offset: 8 } },
                    ],
                    level: 1,
                    depth: 0,
                    options: Some(Box::new(Options { label: Some("a".into()), ..Options::default() })),
                };
                let messages = [
                    Message::ToScheduler(ToScheduler::Submit(layer)),
                    Message::ToClient(ToClient::Finished(Finished { first: tasks.first, values: values() })),
                ];
                let mut frame = Vec::new();
                messages.iter().for_each(|message| message::encode(message, &mut frame));
                vec![frame]
            }
            "values" => {
                vec![[&[1, 1], [0; 64].as_slice()].concat(), [&[4, 2, 2, 2, 3], [1; 24].as_slice()].concat()]
            }
            "parts" => [cut(1, 2, 3), cut(7, -1, 8)]
                .iter()
                .map(|cut| {
                    let bytes = to_bytes(&cut);
                    [bytes.as_slice(), &[1, 1], &[5; 32]].concat()
                })
                .collect(),
            "spilled" => vec![
                [&[0, 1, 7, 8], [9; 90].as_slice()].concat(),
                [&[1, 1, 7, 8], [9; 90].as_slice()].concat(),
            ],
            "journal" => {
                let head = record::FileHead { build: 1, salt: 2 };
                let one = record::RecordHead::new(record::Key([3; 16]), 7, &[], &[4; 20], 1).encode(2);
                vec![[head.encode().as_slice(), &one, &[4; 20], &one, &[4; 20]].concat()]
            }
            "packets" => {
                let packet = |kind: Kind, payload: &[u8]| {
                    let header = Header { kind, tag: 0, peer: Rank(2), length: payload.len() as u32 };
                    [header.to_bytes().as_slice(), payload].concat()
                };
                let frame = seeds("messages").remove(0);
                vec![
                    [
                        packet(Kind::Frame, &frame),
                        packet(Kind::Piece, &[7; 50]),
                        packet(Kind::Piece, &[7; 50]),
                    ]
                    .concat(),
                    [
                        packet(Kind::Credit, &[1, 0, 0, 0]),
                        packet(Kind::End, b"over"),
                        packet(Kind::Ping, &[]),
                    ]
                    .concat(),
                ]
            }
            "handshake" => {
                let own = Identity { build: 7, version: "0.1.0".into() };
                let side = SessionSide::new(Token::new([1; 32]), &own, [3; 32], Purpose::Session);
                vec![[side.hello().as_slice(), &[0; ANSWER_BYTES]].concat(), vec![5; CHALLENGE_BYTES]]
            }
            "npy" => vec![crate::array::npy_header(&[3, 4])],
            _ => record_of_a_run::samples().to_vec(),
        }
    }

    fn change(bytes: &mut Vec<u8>, random: &mut Random) {
        let place = random.below(bytes.len() as u64 + 1) as usize;
        let end = (place + 1 + random.below(9) as usize).min(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, random.below(256) as u8),
            2 => drop(bytes.drain(place.min(end)..end)),
            3 => {
                let again = bytes[place.min(end)..end].to_vec();
                drop(bytes.splice(place..place, again));
            }
            4 => bytes[place.min(end)..end].fill(*random.choose(&[0, 0x7f, 0x80, 0xff])),
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }

    /// What a fuzzer has found: runs of nothing beyond the value, and more elements than can be counted.
    #[test]
    fn parts_that_no_value_has_do_no_harm() {
        let runs = |runs: &[(usize, usize)]| {
            let run = |(from, count): &(usize, usize)| Run { piece: 0, from: *from, step: 1, count: *count };
            runs.iter().map(run).collect::<Vec<Run>>()
        };
        for axes in [
            vec![runs(&[(32, 0), (0, 1)])],
            vec![runs(&[(0, usize::MAX), (0, 2)])],
            vec![runs(&[(0, usize::MAX)]), runs(&[(0, 2)])],
        ] {
            let lengths = vec![1u64; axes.len()];
            let cut = Cut { element_bytes: 4, align: 4, assembly: Assembly::new(axes).0 };
            let (mut bytes, mut head) = (Vec::new(), Vec::new());
            append(&cut, &mut bytes);
            append(&lengths, &mut head);
            // An array of one element.
            let value = [&[1 + head.len() as u8, 2], head.as_slice(), &[5; 4]].concat();
            parts(&[bytes, value].concat());
        }
    }

    /// For a moment, or for `MANIPLE_FUZZ_SECONDS` each. `MANIPLE_FUZZ_CORPUS` is where to leave the seeds.
    #[test]
    fn bytes_that_are_broken_in_small_ways_do_no_harm() {
        let seconds = env::var("MANIPLE_FUZZ_SECONDS").map_or(0.3, |text| text.parse().expect("a number"));
        for (name, target) in TARGETS {
            let seeds = seeds(name);
            if let Some(corpus) = env::var_os("MANIPLE_FUZZ_CORPUS") {
                let folder = std::path::Path::new(&corpus).join(name);
                std::fs::create_dir_all(&folder).unwrap();
                for (index, seed) in seeds.iter().enumerate() {
                    std::fs::write(folder.join(format!("seed-{index}")), seed).unwrap();
                }
            }
            let (start, mut random, mut rounds) = (Instant::now(), Random::new(7), 0u64);
            seeds.iter().for_each(|seed| target(seed));
            while start.elapsed() < Duration::from_secs_f64(seconds) {
                let mut bytes = random.choose(&seeds).clone();
                (0..=random.below(4)).for_each(|_| change(&mut bytes, &mut random));
                target(&bytes);
                rounds += 1;
            }
            println!("{name}: {rounds} rounds");
        }
    }
}
