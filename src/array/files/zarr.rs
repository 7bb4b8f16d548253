//! Arrays in Zarr stores on a shared file system: each task reads or writes chunks of its own.
//!
//! The blocks of an array that is read are the chunks of the store, and those of one that is written
//! become chunks, so no two tasks ever touch the same file.

use crate::{
    array::{
        Array, DataType, Element,
        element::Sealed,
        files::{
            identity::{self, FileId},
            npy::told,
        },
        graph::{
            chunks::{AxisChunks, Grid},
            custom::file_node,
        },
        with_type,
    },
    client::Client,
    error::Result,
};
use ndarray::{ArrayD, IxDyn};
use std::{
    fs, io,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
};
use zarrs::{
    array::{ArrayBuilder, ArraySubset, FillValue, data_type},
    filesystem::FilesystemStore,
};

type Store = zarrs::array::Array<FilesystemStore>;

/// Where a block lies: its start and its shape.
type Region = (Vec<usize>, Vec<usize>);

impl Client {
    /// The array of a Zarr store (version 3 or 2) in a directory that all ranks see. What it is like is
    /// read now; each chunk becomes a block, and is read by the task that makes it, when it is wanted.
    /// Chunks that are missing have the store's fill value.
    ///
    /// The array remembers the files it was made from: that of the metadata, and those of the chunks if there
    /// are at most 65,536 of them. If one was replaced, changed, removed or added since, the tasks that need it
    /// fail and say so.
    ///
    /// Where the chunks are small, [`rechunk`](Array::rechunk) puts them together.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if there is no such array, or its elements have another type
    /// than `T`, or are encoded in a way that this build cannot read.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let path = std::env::temp_dir().join(format!("maniple-doc-{}.zarr", std::process::id()));
    /// client.arange(0, 12, 1, 5).store_zarr(&path)?;
    /// let x = client.from_zarr::<i64>(&path)?;
    /// assert_eq!((x.chunks(), x.sum().compute()?), (vec![vec![5, 5, 2]], 66));
    /// # std::fs::remove_dir_all(path)?;
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn from_zarr<T: Element>(&self, path: impl AsRef<Path>) -> Result<Array<T>> {
        let (path, (grid, directory, files)) =
            self.on_file("the Zarr store cannot be read", path.as_ref(), |path| {
                let directory = FileId::of(&fs::metadata(path)?);
                let store = open(path)?;
                let grid = grid_of::<T>(&store)?;
                let files = StoreFiles::of(path, &store, &grid)?;
                Ok((grid, directory, files))
            })?;
        let regions: Vec<Region> = (0..grid.count()).map(|block| grid.region(block)).collect();
        let node = file_node("from_zarr", directory, grid, move |client| {
            let blocks = regions.iter().enumerate().map(|(block, region)| {
                (path.clone(), files.metadata.clone(), files.chunk(block), region.clone())
            });
            Ok(client.map(read_block::<T>, blocks))
        });
        Ok(Array::new(self, node))
    }
}

impl<T: Element> Array<T> {
    /// Writes the array as a new Zarr store (version 3, not compressed) in a directory that all ranks
    /// share: every worker its own blocks. The directory has its name only when all is written; until
    /// then `.partial` follows it. What a run that was killed left there is removed.
    ///
    /// Zarr's chunks have one size along each axis. If the blocks do not, the array is
    /// [rechunked](Array::rechunk) first, to the largest of them.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if the directory exists or cannot be made, and the error of a
    /// task that cannot make or write its block.
    pub fn store_zarr(&self, path: impl AsRef<Path>) -> Result<()> {
        let sizes: Vec<usize> = self.node.grid.0.iter().map(|axis| axis.size_max().max(1)).collect();
        let even = self.rechunk(sizes.clone());
        let path = path.as_ref();
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let say = "the Zarr store cannot be written";
        let (partial, id) = self.client.on_file(say, Path::new(&partial), |partial| {
            identity::check_target(&self.node, path)?;
            if path.exists() {
                let words = format!("{} exists: remove it, or choose another name", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
            }
            new_directory(partial)?;
            create::<T>(partial, &even.shape(), &sizes)?;
            Ok(FileId::of(&fs::metadata(partial)?))
        })?;
        let written = even.write_chunks(&partial, id).and_then(|()| {
            self.client.on_file("the Zarr store cannot be given its name", path, |path| {
                id.check_written(&fs::metadata(&partial)?)?;
                fs::rename(&partial, path)
            })
        });
        if written.is_err() {
            // The first error is the one to tell.
            let _: io::Result<()> = fs::remove_dir_all(&partial);
        }
        written.map(|_| ())
    }

    fn write_chunks(&self, path: &Path, id: FileId) -> Result<()> {
        let grid = &self.node.grid;
        let starts = (0..grid.count()).map(|block| grid.region(block).0);
        let tasks = self.to_futures()?.into_iter().zip(starts);
        let tasks = tasks.map(|(block, starts)| (block, path.to_path_buf(), id, starts));
        let written = self.client.map(write_block::<T>, tasks);
        self.client.gather(&written).map(|_| ())
    }
}

/// Makes a directory in place of what a run that was killed left under this name.
fn new_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir(path),
    }
}

/// The most chunks whose files are remembered one by one.
const CHUNK_FILES_MAX: usize = 1 << 16;

/// A file below a store's directory, and its identity; `None` if there is none.
type StoreFile = (PathBuf, Option<FileId>);

/// The files of a store, as they were when the array was made from it.
struct StoreFiles {
    metadata: StoreFile,
    /// One for each block; none if there are too many.
    chunks: Vec<StoreFile>,
}

impl StoreFiles {
    fn of(path: &Path, store: &Store, grid: &Grid) -> io::Result<Self> {
        let file = |name: PathBuf| Ok((name.clone(), identity(&path.join(&name))?));
        let name = ["zarr.json", ".zarray"].into_iter().find(|name| path.join(name).is_file());
        let chunk = |block: usize| {
            let place: Vec<u64> = grid.coordinates(block).into_iter().map(|index| index as u64).collect();
            file(store.chunk_key(&place).as_str().into())
        };
        let count = if grid.count() > CHUNK_FILES_MAX { 0 } else { grid.count() };
        Ok(Self {
            metadata: file(name.unwrap_or("zarr.json").into())?,
            chunks: (0..count).map(chunk).collect::<io::Result<_>>()?,
        })
    }

    fn chunk(&self, block: usize) -> Option<StoreFile> {
        self.chunks.get(block).cloned()
    }
}

/// The identity of a file, if there is one.
fn identity(path: &Path) -> io::Result<Option<FileId>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(FileId::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks that a file of a store is what it was.
fn check_file(store: &Path, (name, id): &StoreFile) -> io::Result<()> {
    let path = store.join(name);
    match (id, fs::metadata(&path)) {
        (Some(id), Ok(metadata)) => id.check(&metadata),
        (None, Ok(_)) => Err(identity::changed("was added")),
        (id, Err(error)) if error.kind() == io::ErrorKind::NotFound => match id {
            Some(_) => Err(identity::changed("was removed")),
            None => Ok(()),
        },
        (_, Err(error)) => Err(error),
    }
}

/// What `zarrs` says, as an error of a file.
fn failed(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

fn open(path: &Path) -> io::Result<Store> {
    // Else what is said is that metadata are missing.
    fs::metadata(path)?;
    let store = FilesystemStore::new(path).map_err(failed)?;
    Store::open(Arc::new(store), "/").map_err(failed)
}

/// The type of elements as `zarrs` has it.
fn data_type_of(data_type: DataType) -> zarrs::array::DataType {
    match data_type {
        DataType::Bool => data_type::bool(),
        DataType::U8 => data_type::uint8(),
        DataType::U16 => data_type::uint16(),
        DataType::U32 => data_type::uint32(),
        DataType::U64 => data_type::uint64(),
        DataType::I8 => data_type::int8(),
        DataType::I16 => data_type::int16(),
        DataType::I32 => data_type::int32(),
        DataType::I64 => data_type::int64(),
        DataType::F16 => data_type::float16(),
        DataType::F32 => data_type::float32(),
        DataType::F64 => data_type::float64(),
        DataType::Complex32 => data_type::complex64(),
        DataType::Complex64 => data_type::complex128(),
    }
}

/// How the store is cut, if its elements are `T`s.
fn grid_of<T: Element>(store: &Store) -> io::Result<Grid> {
    if *store.data_type() != data_type_of(T::DATA_TYPE) {
        return Err(failed(format!(
            "its elements are {:?}, not {}: read it as its own type and cast it",
            store.data_type(),
            T::DATA_TYPE
        )));
    }
    let counts = store.chunk_grid_shape();
    let size = |axis: usize, index: u64| {
        let mut place = vec![0; counts.len()];
        place[axis] = index;
        let subset = store.chunk_subset_bounded(&place).map_err(failed)?;
        Ok(subset.shape()[axis] as usize)
    };
    let axis = |axis: usize| {
        let sizes = (0..counts[axis]).map(|index| size(axis, index)).collect::<io::Result<Vec<usize>>>()?;
        Ok(AxisChunks::listed(if sizes.is_empty() { &[0] } else { &sizes }))
    };
    Ok(Grid((0..counts.len()).map(axis).collect::<io::Result<_>>()?))
}

/// Writes what says what an array is like.
fn create<T: Element>(path: &Path, shape: &[usize], sizes: &[usize]) -> io::Result<()> {
    let store = FilesystemStore::new(path).map_err(failed)?;
    let sizes: Vec<NonZeroU64> = sizes
        .iter()
        .map(|size| NonZeroU64::new(*size as u64).expect("a chunk has at least one element"))
        .collect();
    let shape: Vec<u64> = shape.iter().map(|length| *length as u64).collect();
    let zero = FillValue::new(vec![0; size_of::<T>()]);
    let array = ArrayBuilder::new(shape, sizes, data_type_of(T::DATA_TYPE), zero)
        .build(Arc::new(store), "/")
        .map_err(failed)?;
    array.store_metadata().map_err(failed)
}

fn subset(starts: &[usize], shape: &[usize]) -> io::Result<ArraySubset> {
    let numbers = |list: &[usize]| list.iter().map(|number| *number as u64).collect::<Vec<u64>>();
    ArraySubset::new_with_start_shape(numbers(starts), numbers(shape)).map_err(failed)
}

fn read_block<T: Element>(
    path: PathBuf,
    metadata: StoreFile,
    chunk: Option<StoreFile>,
    (starts, shape): Region,
) -> ArrayD<T> {
    // Before and after, so that no file is changed meanwhile.
    let check = || {
        check_file(&path, &metadata)?;
        chunk.as_ref().map_or(Ok(()), |chunk| check_file(&path, chunk))
    };
    let read = || {
        check()?;
        let (store, subset) = (open(&path)?, subset(&starts, &shape)?);
        let elements = with_type!(T::DATA_TYPE, U => {
            U::wrap(store.retrieve_array_subset::<Vec<U>>(&subset).map_err(failed)?)
        });
        check()?;
        Ok(elements)
    };
    let elements = T::into_vector(told(&path, "read", read()));
    ArrayD::from_shape_vec(IxDyn(&shape), elements).expect("an element for each place")
}

fn write_block<T: Element>(block: &ArrayD<T>, path: PathBuf, id: FileId, starts: Vec<usize>) {
    if block.is_empty() {
        return;
    }
    let elements = T::wrap(block.iter().copied().collect());
    let write = || {
        id.check_written(&fs::metadata(&path)?)?;
        let (store, subset) = (open(&path)?, subset(&starts, block.shape())?);
        with_type!(T::DATA_TYPE, U => {
            store.store_array_subset(&subset, U::vector(&elements).as_slice()).map_err(failed)
        })
    };
    told(&path, "written", write());
}
