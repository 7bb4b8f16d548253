//! Spilled values on a disk of the node.
//!
//! A [`Disk`] keeps ranges of bytes. A [`DiskCopy`] is one value's body there, with its checksum, and
//! goes from the disk when it is dropped. [`SpillFile`] is the real disk: one file a rank, which has no
//! name from the start, so that nothing is left of it however the rank ends.

mod extents;
mod file;

use crate::{comm::Buffer, ids::Size, units};
pub(crate) use extents::Extent;
pub(crate) use file::SpillFile;
pub use file::SpillPlace;
use std::{cell::Cell, fmt, io, sync::Arc, time::Instant};

/// Keeps ranges of bytes.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Writes bytes, and says where.
    ///
    /// # Errors
    ///
    /// The system's, when they cannot be written; then nothing is kept.
    fn write(&self, bytes: &[u8]) -> io::Result<Extent>;

    /// Reads what was written there.
    ///
    /// # Errors
    ///
    /// The system's.
    fn read(&self, extent: Extent, bytes: &mut [u8]) -> io::Result<()>;

    /// Forgets what was written there.
    fn free(&self, extent: Extent);
}

/// How values are packed before they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not: numbers seldom get much smaller, and disks of nodes are fast.
    #[default]
    None,
    /// By LZ4, which costs little.
    Lz4,
}

impl std::str::FromStr for Compression {
    type Err = crate::Error;

    /// Reads `none` or `lz4`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "none" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            text => Err(crate::Error::Option(format!("compression {text:?} is neither none nor lz4"))),
        }
    }
}

/// A value's body on a disk.
#[derive(Debug)]
pub(crate) struct DiskCopy {
    disk: Arc<dyn Disk>,
    extent: Extent,
    /// The value's head, which stays in memory.
    head: Vec<u8>,
    size: Size,
    checksum: u32,
    compression: Compression,
}

impl DiskCopy {
    /// Writes a body.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub(crate) fn write(
        disk: Arc<dyn Disk>,
        head: Vec<u8>,
        body: &[u8],
        align: u8,
        compression: Compression,
    ) -> io::Result<Self> {
        let packed = match compression {
            Compression::None => None,
            Compression::Lz4 => Some(lz4_flex::block::compress(body)),
        };
        // What does not get smaller is written as it is.
        let packed = packed.filter(|packed| packed.len() < body.len());
        let compression = if packed.is_some() { compression } else { Compression::None };
        let bytes = packed.as_deref().unwrap_or(body);
        let checksum = crc32fast::hash(bytes);
        let extent = disk.write(bytes)?;
        let size = Size { bytes: body.len() as u64, align };
        Ok(Self { disk, extent, head, size, checksum, compression })
    }

    /// Reads the head and the body back.
    ///
    /// # Errors
    ///
    /// Says what is wrong if the bytes cannot be read, or are not those that were written.
    pub(crate) fn read(&self) -> Result<(Vec<u8>, Buffer), String> {
        let start = Instant::now();
        let read = self.read_and_unpack();
        let nanoseconds = units::nanoseconds(start.elapsed());
        READ.with(|read| read.set(read.get().plus(ReadBack { bytes: self.size.bytes, nanoseconds })));
        read
    }

    fn read_and_unpack(&self) -> Result<(Vec<u8>, Buffer), String> {
        let length = self.size.bytes as usize;
        let mut body = Buffer::new(length, usize::from(self.size.align).max(1));
        let trouble = |what: String| format!("its copy on the disk of this worker {what}");
        if self.compression == Compression::None {
            self.read_checked(body.as_mut_slice()).map_err(trouble)?;
            return Ok((self.head.clone(), body));
        }
        let mut packed = vec![0; self.extent.length as usize];
        self.read_checked(&mut packed).map_err(trouble)?;
        match lz4_flex::block::decompress_into(&packed, body.as_mut_slice()) {
            Ok(count) if count == length => Ok((self.head.clone(), body)),
            _ => Err(trouble("cannot be unpacked".into())),
        }
    }

    fn read_checked(&self, bytes: &mut [u8]) -> Result<(), String> {
        self.disk.read(self.extent, bytes).map_err(|error| format!("cannot be read: {error}"))?;
        match crc32fast::hash(bytes) == self.checksum {
            true => Ok(()),
            false => Err("is damaged: its checksum is wrong".into()),
        }
    }
}

impl Drop for DiskCopy {
    fn drop(&mut self) {
        self.disk.free(self.extent);
    }
}

/// What a thread has read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadBack {
    pub bytes: u64,
    pub nanoseconds: u64,
}

thread_local! {
    static READ: Cell<ReadBack> = const { Cell::new(ReadBack { bytes: 0, nanoseconds: 0 }) };
}

impl ReadBack {
    /// What this thread has read back since the last call.
    pub(crate) fn take() -> Self {
        READ.take()
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            nanoseconds: self.nanoseconds.saturating_add(other.nanoseconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Memory(Mutex<Vec<u8>>);

    impl Disk for Memory {
        fn write(&self, bytes: &[u8]) -> io::Result<Extent> {
            let mut held = self.0.lock().unwrap();
            let extent = Extent { offset: held.len() as u64, length: bytes.len() as u64 };
            held.extend_from_slice(bytes);
            Ok(extent)
        }
        fn read(&self, extent: Extent, bytes: &mut [u8]) -> io::Result<()> {
            let start = extent.offset as usize;
            bytes.copy_from_slice(&self.0.lock().unwrap()[start..start + bytes.len()]);
            Ok(())
        }
        fn free(&self, _: Extent) {}
    }

    #[test]
    fn what_was_written_is_read_packed_or_not() {
        let body: Vec<u8> = (0..100_000u32).map(|n| (n / 1000) as u8).collect();
        for compression in [Compression::None, Compression::Lz4] {
            let disk = Arc::new(Memory::default());
            let copy = DiskCopy::write(disk.clone(), vec![7], &body, 8, compression).unwrap();
            let (head, read) = copy.read().unwrap();
            assert_eq!((head.as_slice(), read.as_slice()), ([7].as_slice(), body.as_slice()));
            assert_eq!(ReadBack::take().bytes, body.len() as u64, "a thread knows what it has read");
            let written = disk.0.lock().unwrap().len();
            assert_eq!(written < body.len(), compression != Compression::None, "{compression:?}");
        }
    }

    #[test]
    fn a_flipped_bit_is_told() {
        for compression in [Compression::None, Compression::Lz4] {
            let disk = Arc::new(Memory::default());
            let copy = DiskCopy::write(disk.clone(), vec![], &[1; 5000], 1, compression).unwrap();
            let mut held = disk.0.lock().unwrap();
            let middle = held.len() / 2;
            held[middle] ^= 4;
            drop(held);
            assert!(copy.read().unwrap_err().contains("checksum"));
        }
    }
}
