//! Datasets of HDF5 and NetCDF-4 files: each task reads or writes the region of its own block.
//!
//! The HDF5 library lets one thread of a process in at a time, and one process write to a file. So the library
//! lays a dataset out, in one piece, and says where that lies; the tasks then write there by themselves, all at
//! once, as they do to `.npy` files. A dataset that lies in one piece is read in the same way. One in
//! chunks is read by the library, which decompresses them; every worker opens the file for itself.

use crate::{
    array::{
        Array, Chunks, DataType, Element,
        element::{Elements, Sealed},
        error::expect,
        files::{
            identity::{self, FileId},
            npy::{array_in_file, told},
        },
        graph::custom::file_node,
        with_type,
    },
    client::Client,
    error::Result,
};
use hdf5_metno::{
    Dataset, Extents, File, H5Type, Hyperslab, SliceOrIndex,
    dataset::{AllocTime, FillTime},
    types::{FloatSize, IntSize, TypeDescriptor},
};
use ndarray::{ArrayD, IxDyn};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What an HDF5 file says of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hdf5Dataset {
    /// The type to read it as: that of its elements, or the smallest that holds them.
    pub data_type: DataType,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The shape of the chunks that are stored, and maybe compressed, one by one; `None` if it lies in one piece.
    pub chunks: Option<Vec<usize>>,
}

impl Client {
    /// Returns the element type, the shape and the stored chunks of a dataset of an HDF5 or NetCDF-4 file.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if there is no such file or dataset, or no element type holds
    /// its elements.
    pub fn hdf5_dataset(&self, path: impl AsRef<Path>, dataset: &str) -> Result<Hdf5Dataset> {
        let described =
            self.on_file(CANNOT_READ, path.as_ref(), |path| Ok(Opened::new(path, dataset)?.described));
        described.map(|(_, described)| described)
    }

    /// Returns the array in a dataset (`"/group/name"`) of an HDF5 or NetCDF-4 file that all ranks see. Its type
    /// and shape are read now; each block is read by the task that makes it, when it is wanted.
    ///
    /// Elements are converted to this machine's byte order. Attributes are not applied: NetCDF's `scale_factor`,
    /// `add_offset` and `_FillValue` are the caller's. Parts that were never written have the dataset's fill value.
    ///
    /// Of a dataset that is stored in chunks, blocks that are made of whole ones are read fastest:
    /// a chunk is read and decompressed for each block that has a part in it. [`hdf5_dataset`](Self::hdf5_dataset)
    /// says how it is stored.
    ///
    /// The array remembers which file it was made from. If the file was replaced or changed since, its tasks
    /// fail and say so.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if there is no such file or dataset, it is no HDF5 file or shorter than
    /// it should be, or has elements of another type than `T`.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape in the file.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let path = std::env::temp_dir().join(format!("maniple-doc-{}.h5", std::process::id()));
    /// client.arange(0, 12, 1, 5).store_hdf5(&path, "numbers/x")?;
    /// let x = client.from_hdf5::<i64>(&path, "numbers/x", 4)?;
    /// assert_eq!((x.shape(), x.sum().compute()?), (vec![12], 66));
    /// # std::fs::remove_file(path)?;
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn from_hdf5<T: Element>(
        &self,
        path: impl AsRef<Path>,
        dataset: &str,
        chunks: impl Into<Chunks>,
    ) -> Result<Array<T>> {
        let (path, opened) = self.on_file(CANNOT_READ, path.as_ref(), |path| {
            let opened = Opened::new(path, dataset)?;
            opened.check_type::<T>().map(|()| opened)
        })?;
        let grid = expect("from_hdf5", chunks.into().grid(&opened.described.shape, size_of::<T>()));
        let id = opened.id;
        if let Some(data_start) = opened.data_start {
            return Ok(array_in_file(self, "from_hdf5", path, id, data_start, grid));
        }
        let regions: Vec<Region> = (0..grid.count()).map(|block| grid.region(block)).collect();
        let dataset = dataset.to_owned();
        let node = file_node("from_hdf5", id, grid, move |client| {
            let blocks = regions.iter().map(|region| (path.clone(), dataset.clone(), id, region.clone()));
            Ok(client.map(read_block::<T>, blocks))
        });
        Ok(Array::new(self, node))
    }
}

impl<T: Element> Array<T> {
    /// Writes the array as a new dataset (`"/group/name"`) of an HDF5 file on a file system that all ranks share:
    /// every worker its own blocks. The file is made if there is none, and so are the groups; what else is in
    /// the file stays. The dataset has its name only when it is whole; until then `.partial` follows it.
    ///
    /// The dataset lies in one piece and is not compressed: that is what several processes can write at once
    /// without a library of parallel HDF5. `h5repack -f GZIP=4 -l CHUNK=...` compresses it afterwards.
    /// Python's `h5py` reads all types as NumPy's, complex and `bool` ones included.
    ///
    /// # Errors
    ///
    /// [`Error::File`](crate::Error::File) if the file cannot be made or changed, is open elsewhere, has such a
    /// dataset or a partial one, or the array is read from this file; and the error of a task that cannot make or
    /// write its block.
    pub fn store_hdf5(&self, path: impl AsRef<Path>, dataset: &str) -> Result<()> {
        let path = path.as_ref();
        let partial = format!("{dataset}.partial");
        let (_, is_new) = self.client.on_file(CANNOT_WRITE, path, |path| {
            identity::check_target(&self.node, path)?;
            Ok(!path.try_exists()?)
        })?;
        let laid_out = self.client.on_file(CANNOT_WRITE, path, |path| {
            let data_start = lay_out::<T>(path, dataset, &partial, &self.shape())?;
            Ok((FileId::of(&fs::metadata(path)?), data_start))
        });
        let written = laid_out.and_then(|(absolute, (id, data_start))| {
            let written = self.write_blocks(&absolute, id, data_start).and_then(|()| {
                let renamed = |path: &Path| {
                    id.check_written(&fs::metadata(path)?)?;
                    rename(path, &partial, Some(dataset)).map_err(|error| of_dataset(dataset, error))
                };
                self.client.on_file("the HDF5 dataset cannot be given its name", path, renamed)
            });
            if written.is_err() && !is_new {
                // The first error is the one to tell.
                let _: hdf5_metno::Result<()> = rename(path, &partial, None);
            }
            written
        });
        if written.is_err() && is_new {
            let _: io::Result<()> = fs::remove_file(path);
        }
        written.map(|_| ())
    }
}

const CANNOT_READ: &str = "the HDF5 dataset cannot be read";
const CANNOT_WRITE: &str = "the HDF5 dataset cannot be written";

/// Where a block lies: its start and its shape.
type Region = (Vec<usize>, Vec<usize>);

/// An error of the library as one line: what failed, and why.
fn failed(error: &hdf5_metno::Error) -> io::Error {
    let frames: Vec<String> = match error.stack() {
        Some(stack) => stack.iter().map(|frame| frame.desc().to_owned()).collect(),
        None => vec![error.to_string()],
    };
    let words = match &frames[..] {
        [] => "the HDF5 library gives no reason".to_owned(),
        [only] => only.clone(),
        [first, .., last] => format!("{first}: {last}"),
    };
    io::Error::other(words.replace('\n', " "))
}

fn of_dataset(dataset: &str, error: hdf5_metno::Error) -> io::Error {
    io::Error::other(format!("dataset {dataset}: {}", failed(&error)))
}

/// A dataset of a file, as it is now.
struct Opened {
    id: FileId,
    described: Hdf5Dataset,
    /// Where its elements lie if they are, from there on, what they are in memory.
    data_start: Option<u64>,
}

impl Opened {
    fn new(path: &Path, dataset: &str) -> io::Result<Self> {
        // Else the library says that it cannot open it.
        let id = FileId::of(&fs::metadata(path)?);
        let file = File::open(path).map_err(|error| failed(&error))?;
        let found = open_dataset(&file, dataset)?;
        let of_dataset = |error| of_dataset(dataset, error);
        let descriptor = found.dtype().and_then(|dtype| dtype.to_descriptor()).map_err(of_dataset)?;
        let data_type = data_type_of(&descriptor).ok_or_else(|| {
            io::Error::other(format!("dataset {dataset}: no element type holds its elements, {descriptor}"))
        })?;
        let is_as_in_memory = with_type!(data_type, U => found.dtype().map_err(of_dataset)?.is::<U>());
        let described = Hdf5Dataset { data_type, shape: found.shape(), chunks: found.chunk() };
        Ok(Self { id, described, data_start: found.offset().filter(|_| is_as_in_memory) })
    }

    fn check_type<T: Element>(&self) -> io::Result<()> {
        let own = self.described.data_type;
        match own == T::DATA_TYPE {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "its elements are read as {own}, not {}: read it as {own} and cast it",
                T::DATA_TYPE
            ))),
        }
    }
}

fn open_dataset(file: &File, dataset: &str) -> io::Result<Dataset> {
    file.dataset(dataset).map_err(|error| match file.link_exists(dataset) {
        true => of_dataset(dataset, error),
        false => io::Error::new(io::ErrorKind::NotFound, format!("there is no dataset {dataset} in it")),
    })
}

/// The smallest type that holds elements of the file.
fn data_type_of(descriptor: &TypeDescriptor) -> Option<DataType> {
    use TypeDescriptor::{Boolean, Compound, Float, Integer, Unsigned};
    let complex = [
        (DataType::Complex32, num_complex::Complex::<f32>::type_descriptor()),
        (DataType::Complex64, num_complex::Complex::<f64>::type_descriptor()),
    ];
    match descriptor {
        Boolean => Some(DataType::Bool),
        Unsigned(IntSize::U1) => Some(DataType::U8),
        Unsigned(IntSize::U2) => Some(DataType::U16),
        Unsigned(IntSize::U4) => Some(DataType::U32),
        Unsigned(IntSize::U8) => Some(DataType::U64),
        Integer(IntSize::U1) => Some(DataType::I8),
        Integer(IntSize::U2) => Some(DataType::I16),
        Integer(IntSize::U4) => Some(DataType::I32),
        Integer(IntSize::U8) => Some(DataType::I64),
        Float(FloatSize::U2) => Some(DataType::F16),
        Float(FloatSize::U4) => Some(DataType::F32),
        Float(FloatSize::U8) => Some(DataType::F64),
        Compound(_) => complex.iter().find(|(_, own)| own == descriptor).map(|(data_type, _)| *data_type),
        _ => None,
    }
}

/// Makes a dataset whose elements nobody has written yet, and says where they will lie.
fn lay_out<T: Element>(path: &Path, dataset: &str, partial: &str, shape: &[usize]) -> io::Result<u64> {
    let file = File::append(path).map_err(|error| failed(&error))?;
    if let Some(name) = [dataset, partial].into_iter().find(|name| file.link_exists(name)) {
        let words = format!("there is {name} in it: delete that, or choose another name");
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
    }
    let extents = if shape.is_empty() { Extents::Scalar } else { shape.to_vec().into() };
    let made = with_type!(T::DATA_TYPE, U => file.new_dataset::<U>())
        .shape(extents)
        .with_dcpl(|list| list.alloc_time(Some(AllocTime::Early)).fill_time(FillTime::Never).no_chunk())
        .with_lcpl(|list| list.create_intermediate_group(true))
        .create(partial)
        .map_err(|error| of_dataset(dataset, error))?;
    match made.offset() {
        Some(offset) => Ok(offset),
        None if shape.contains(&0) => Ok(0),
        None => {
            Err(io::Error::other(format!("dataset {dataset}: the library gives it no place in the file")))
        }
    }
}

/// Gives a dataset another name, or removes it.
fn rename(path: &Path, from: &str, to: Option<&str>) -> hdf5_metno::Result<()> {
    let file = File::open_rw(path)?;
    match to {
        Some(to) => file.relink(from, to),
        None => file.unlink(from),
    }
}

fn read_block<T: Element>(path: PathBuf, dataset: String, id: FileId, (starts, shape): Region) -> ArrayD<T> {
    // Before and after, so that the file is not changed meanwhile.
    let check = || id.check(&fs::metadata(&path)?);
    let read = || {
        check()?;
        let file = File::open(&path).map_err(|error| failed(&error))?;
        let found = open_dataset(&file, &dataset)?;
        let elements = read_region::<T>(&found, &starts, &shape)
            .map_err(|error| io::Error::other(format!("dataset {dataset}: {error}")))?;
        check().map(|()| elements)
    };
    let elements = T::into_vector(told(&path, "read", read()));
    ArrayD::from_shape_vec(IxDyn(&shape), elements).expect("an element for each place")
}

fn read_region<T: Element>(found: &Dataset, starts: &[usize], shape: &[usize]) -> io::Result<Elements> {
    let slab = |starts: &[usize]| {
        let axis = |(start, length): (&usize, &usize)| SliceOrIndex::from(*start..start + length);
        Hyperslab::from(starts.iter().zip(shape).map(axis).collect::<Vec<_>>())
    };
    // Not every byte of a file is a `bool`.
    if T::DATA_TYPE == DataType::Bool {
        let bytes: ArrayD<u8> = found.read_slice(slab(starts)).map_err(|error| failed(&error))?;
        let element = |byte: &u8| match byte {
            0 | 1 => Ok(*byte == 1),
            _ => Err(io::Error::other("it holds bytes that are no bool")),
        };
        return Ok(Elements::Bool(bytes.iter().map(element).collect::<io::Result<_>>()?));
    }
    with_type!(T::DATA_TYPE, U => {
        let block: ArrayD<U> = found.read_slice(slab(starts)).map_err(|error| failed(&error))?;
        Ok(U::wrap(block.into_raw_vec_and_offset().0))
    })
}
