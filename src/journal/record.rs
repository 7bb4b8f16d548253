//! Pure: how results lie in a journal's file, and how they are found again, whatever has become of the file.
//!
//! A file has a head and then records, one after the other. A record is a head with a checksum of its own,
//! the head of the value and its body, with another. A record that is damaged is passed over; where even
//! its head is, the next one is looked for. The end of the file may be torn.

use std::io::{self, Read};

/// What tells a result from all others: a hash of the function and of all that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Key(pub [u8; 16]);

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHead {
    /// The build of the program that wrote it.
    pub build: u64,
    /// Goes into the checksums of its records' heads, so that no file within a file is taken for one.
    pub salt: u32,
}

/// How a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Whose result it is.
    pub key: Key,
    /// Where its function is in the build that wrote it: two functions may have one name.
    pub place: u64,
    /// How many bytes the value's head has. A value without one is the encoding of its type.
    pub head_bytes: u32,
    /// How many bytes the value's body has.
    pub body_bytes: u64,
    /// The alignment of the body in bytes.
    pub align: u8,
    /// Of the value's head and body.
    pub checksum: u32,
}

/// A record that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it begins in its file.
    pub offset: u64,
    /// Its head.
    pub head: RecordHead,
    /// Its body, if that is small and all there is.
    pub small: Option<Vec<u8>>,
}

/// What was found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The records that are whole.
    pub found: Vec<Found>,
    /// How many places were damaged.
    pub damaged: u64,
}

const FILE_MAGIC: [u8; 8] = *b"maniple\x02";
const RECORD_MAGIC: [u8; 8] = *b"\x93record\n";
/// Bodies up to this size are read when a file is looked through.
const SMALL_BYTES_MAX: u64 = 1024;
/// How much is read at a time.
const CHUNK_BYTES: usize = 64 << 10;

impl FileHead {
    /// How many bytes it has in a file.
    pub const BYTES: usize = 24;

    /// Its bytes.
    pub fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&FILE_MAGIC);
        bytes[8..16].copy_from_slice(&self.build.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..20]);
        bytes[20..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// What was encoded, if that is there.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let is_whole = bytes[..8] == FILE_MAGIC && crc32fast::hash(&bytes[..20]) == word(&bytes[20..]);
        is_whole.then(|| Self { build: double_word(&bytes[8..]), salt: word(&bytes[16..]) })
    }
}

impl RecordHead {
    /// How many bytes it has in a file.
    pub const BYTES: usize = 56;

    /// The head of a record of this value.
    pub fn new(key: Key, place: u64, head: &[u8], body: &[u8], align: u8) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(head);
        hasher.update(body);
        let (head_bytes, body_bytes) = (head.len() as u32, body.len() as u64);
        Self { key, place, head_bytes, body_bytes, align, checksum: hasher.finalize() }
    }

    /// Its bytes in a file with this salt.
    pub fn encode(self, salt: u32) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&RECORD_MAGIC);
        bytes[8..24].copy_from_slice(&self.key.0);
        bytes[24..28].copy_from_slice(&self.head_bytes.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[36] = self.align;
        bytes[40..44].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[44..52].copy_from_slice(&self.place.to_le_bytes());
        let checksum = salted(salt, &bytes[..52]);
        bytes[52..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// What was encoded with this salt, if that is there.
    pub fn decode(bytes: &[u8; Self::BYTES], salt: u32) -> Option<Self> {
        if bytes[..8] != RECORD_MAGIC || salted(salt, &bytes[..52]) != word(&bytes[52..]) {
            return None;
        }
        let mut key = Key([0; 16]);
        key.0.copy_from_slice(&bytes[8..24]);
        Some(Self {
            key,
            place: double_word(&bytes[44..]),
            head_bytes: word(&bytes[24..]),
            body_bytes: double_word(&bytes[28..]),
            align: bytes[36],
            checksum: word(&bytes[40..]),
        })
    }

    /// How many bytes follow it in the file.
    pub fn contents_bytes(self) -> u64 {
        self.body_bytes.saturating_add(u64::from(self.head_bytes))
    }
}

fn salted(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn double_word(bytes: &[u8]) -> u64 {
    u64::from(word(bytes)) | u64::from(word(&bytes[4..])) << 32
}

/// Reads the head of a file.
///
/// # Errors
///
/// The reader's. That there is no head is none.
pub fn read_file_head(source: &mut impl Read) -> io::Result<Option<FileHead>> {
    let mut bytes = [0; FileHead::BYTES];
    match source.read_exact(&mut bytes) {
        Ok(()) => Ok(FileHead::decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks through the records of a file, whose head was read.
///
/// # Errors
///
/// The reader's. Damage is none: it is counted.
pub fn scan(salt: u32, source: impl Read) -> io::Result<Scan> {
    let mut scanner = Scanner { salt, source, window: Vec::new(), start: 0, offset: FileHead::BYTES as u64 };
    let mut scan = Scan::default();
    let mut was_lost = false;
    while scanner.fill(RecordHead::BYTES)? {
        let Some(head) = scanner.head() else {
            scan.damaged += u64::from(!was_lost);
            was_lost = true;
            scanner.skip_to_magic();
            continue;
        };
        was_lost = false;
        let offset = scanner.offset;
        scanner.skip(RecordHead::BYTES);
        match scanner.contents(head)? {
            Contents::Whole(small) => scan.found.push(Found { offset, head, small }),
            Contents::Damaged => scan.damaged += 1,
            Contents::Torn => return Ok(scan),
        }
    }
    Ok(scan)
}

/// What follows the head of a record.
enum Contents {
    Whole(Option<Vec<u8>>),
    Damaged,
    Torn,
}

/// Reads a file from its front.
struct Scanner<R> {
    salt: u32,
    source: R,
    /// What was read; what lies before `start` is done with.
    window: Vec<u8>,
    start: usize,
    /// Where in the file the window's start is.
    offset: u64,
}

impl<R: Read> Scanner<R> {
    fn ahead(&self) -> &[u8] {
        &self.window[self.start..]
    }

    fn skip(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads until so many bytes are ahead. Returns whether they are.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        while self.ahead().len() < count {
            self.window.drain(..self.start);
            self.start = 0;
            let length = self.window.len();
            self.window.resize(length + CHUNK_BYTES, 0);
            let read = loop {
                match self.source.read(&mut self.window[length..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.window.truncate(length + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn head(&self) -> Option<RecordHead> {
        RecordHead::decode(self.ahead().first_chunk()?, self.salt)
    }

    /// Goes on to where the next record may begin, as far as has been read.
    fn skip_to_magic(&mut self) {
        let ahead = &self.ahead()[1..];
        let place = ahead.windows(RECORD_MAGIC.len()).position(|bytes| bytes == RECORD_MAGIC);
        // A record may begin in the last bytes.
        let place = place.unwrap_or(ahead.len().saturating_sub(RECORD_MAGIC.len() - 1));
        self.skip(1 + place);
    }

    /// Reads what belongs to a head, a chunk at a time, whatever length that says.
    fn contents(&mut self, head: RecordHead) -> io::Result<Contents> {
        let mut hasher = crc32fast::Hasher::new();
        let is_small = head.head_bytes == 0 && head.body_bytes <= SMALL_BYTES_MAX;
        let mut small = Vec::new();
        let mut left = head.contents_bytes();
        while left > 0 {
            let wanted = left.min(CHUNK_BYTES as u64) as usize;
            if !self.fill(wanted)? {
                return Ok(Contents::Torn);
            }
            let bytes = &self.window[self.start..self.start + wanted];
            hasher.update(bytes);
            if is_small {
                small.extend_from_slice(bytes);
            }
            self.skip(wanted);
            left -= wanted as u64;
        }
        if hasher.finalize() != head.checksum {
            return Ok(Contents::Damaged);
        }
        Ok(Contents::Whole(is_small.then_some(small)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: u32 = 77;

    fn record(number: u8, length: usize) -> Vec<u8> {
        let (head, body) = (vec![7; usize::from(number % 3)], vec![number; length]);
        let mut bytes = RecordHead::new(Key([number; 16]), 1, &head, &body, 8).encode(SALT).to_vec();
        bytes.extend(head);
        bytes.extend(body);
        bytes
    }

    fn file(lengths: &[usize]) -> Vec<u8> {
        (0..).zip(lengths).flat_map(|(number, length)| record(number, *length)).collect()
    }

    fn numbers(scan: &Scan) -> Vec<u8> {
        scan.found.iter().map(|found| found.head.key.0[0]).collect()
    }

    #[test]
    fn records_are_found_with_their_places_and_small_bodies() {
        let lengths = [5, 0, 200_000, 1024, 1025];
        let scan = scan(SALT, file(&lengths).as_slice()).unwrap();
        assert_eq!((numbers(&scan), scan.damaged), (vec![0, 1, 2, 3, 4], 0));
        let small: Vec<_> = scan.found.iter().map(|found| found.small.as_ref().map(Vec::len)).collect();
        assert_eq!(small, [Some(5), None, None, Some(1024), None]);
        assert_eq!(scan.found[1].offset, (FileHead::BYTES + RecordHead::BYTES + 5) as u64);
    }

    #[test]
    fn a_head_tells_its_file_and_its_build() {
        let head = FileHead { build: 3, salt: SALT };
        assert_eq!(read_file_head(&mut head.encode().as_slice()).unwrap(), Some(head));
        assert_eq!(read_file_head(&mut [0; 40].as_slice()).unwrap(), None);
        assert_eq!(read_file_head(&mut b"short".as_slice()).unwrap(), None);
        let other = scan(SALT + 1, file(&[9]).as_slice()).unwrap();
        assert_eq!((other.found.len(), other.damaged), (0, 1), "another file's records are none of this one");
    }

    proptest! {
        #[test]
        fn a_flipped_bit_costs_one_record(lengths in prop::collection::vec(0usize..3000, 1..9), place: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = file(&lengths);
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            let mut start = 0;
            let hit = (0..).zip(&lengths).find_map(|(number, length)| {
                start += record(number, *length).len();
                (place < start).then_some(number)
            });
            let scan = scan(SALT, bytes.as_slice()).unwrap();
            let whole: Vec<u8> = (0..lengths.len() as u8).filter(|number| Some(*number) != hit).collect();
            prop_assert_eq!(numbers(&scan), whole);
            prop_assert_eq!(scan.damaged, 1);
        }

        #[test]
        fn a_torn_end_costs_what_is_gone(lengths in prop::collection::vec(0usize..3000, 1..9), end: prop::sample::Index) {
            let bytes = file(&lengths);
            let end = end.index(bytes.len());
            let scan = scan(SALT, &bytes[..end]).unwrap();
            let mut start = 0;
            let whole = (0..).zip(&lengths).filter(|(number, length)| {
                start += record(*number, **length).len();
                start <= end
            });
            prop_assert_eq!(numbers(&scan), whole.map(|(number, _)| number).collect::<Vec<u8>>());
        }

        #[test]
        fn any_bytes_are_records_or_damage(bytes: Vec<u8>, lengths in prop::collection::vec(0usize..300, 0..3)) {
            let mut all = bytes;
            all.extend(file(&lengths));
            let scan = scan(SALT, all.as_slice()).unwrap();
            prop_assert_eq!(scan.found.len(), lengths.len());
        }
    }
}
