//! NumPy's `.npy` files: each task reads or writes the region of its own block.

use crate::{
    array::{
        Array, Chunks, Element,
        element::Sealed,
        error::expect,
        files::{
            identity::{self, Changed, FileId},
            npy_header::{Header, header},
        },
        graph::{chunks::Grid, custom::file_node},
        with_type,
    },
    client::Client,
    current::current,
    error::{Error, Result},
};
use ndarray::{ArrayD, IxDyn};
use std::{
    fs::{self, File},
    io::{self, BufReader},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

impl Client {
    /// The array in an `.npy` file that all ranks see. The header is read now; each block is read by the
    /// task that makes it, when it is wanted.
    ///
    /// The array remembers which file it was made from. If the file was replaced or changed since, its tasks
    /// fail and say so.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file is not there, is no `.npy` file, is shorter than its header says, or
    /// has elements of another type than `T`.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape in the file.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let path = std::env::temp_dir().join(format!("maniple-doc-{}.npy", std::process::id()));
    /// client.arange(0, 12, 1, 5).store_npy(&path)?;
    /// let x = client.from_npy::<i64>(&path, 4)?;
    /// assert_eq!((x.shape(), x.sum().compute()?), (vec![12], 66));
    /// # std::fs::remove_file(path)?;
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn from_npy<T: Element>(
        &self,
        path: impl AsRef<Path>,
        chunks: impl Into<Chunks>,
    ) -> Result<Array<T>> {
        let (path, layout) =
            self.on_file("the .npy file cannot be read", path.as_ref(), |path| Layout::read::<T>(path))?;
        let grid = expect("from_npy", chunks.into().grid(&layout.shape, size_of::<T>()));
        let Layout { id, data_start, .. } = layout;
        if layout.is_fortran {
            // The same bytes are the transpose in C order.
            let reversed = Grid(grid.0.into_iter().rev().collect());
            return Ok(array_in_file::<T>(self, "from_npy", path, id, data_start, reversed).transpose());
        }
        Ok(array_in_file(self, "from_npy", path, id, data_start, grid))
    }

    /// Does something with a file on this rank; what goes wrong is said with the rank and its host.
    pub(crate) fn on_file<T>(
        &self,
        what: &str,
        path: &Path,
        act: impl FnOnce(&Path) -> io::Result<T>,
    ) -> Result<(PathBuf, T)> {
        let done = std::path::absolute(path).and_then(|path| act(&path).map(|value| (path, value)));
        done.map_err(|source| {
            let driver = self.cluster().ranks().iter().find(|rank| rank.role.driver);
            let place =
                driver.map_or_else(String::new, |rank| format!(" on rank {} ({})", rank.rank, rank.host));
            Error::File { message: format!("{what}{place}"), path: path.into(), source: Arc::new(source) }
        })
    }
}

/// The array whose elements lie in a file one after the other, in C order, from a byte on.
pub(super) fn array_in_file<T: Element>(
    client: &Client,
    name: &'static str,
    path: PathBuf,
    id: FileId,
    data_start: u64,
    grid: Grid,
) -> Array<T> {
    let regions = regions(&grid, data_start);
    let node = file_node(name, id, grid, move |client| {
        let blocks = regions.iter().map(|region| (path.clone(), id, region.clone()));
        Ok(client.map(read_block::<T>, blocks))
    });
    Array::new(client, node)
}

impl<T: Element> Array<T> {
    /// Writes the array to an `.npy` file on a file system that all ranks share: every worker its own
    /// blocks. The file has its name only when it is whole; until then `.partial` follows it. What a run
    /// that was killed left there is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file cannot be made, or the array is read from it, by whatever name; and the
    /// error of a task that cannot make or write its block.
    pub fn store_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let header = header(T::DATA_TYPE, &self.shape());
        let bytes = (header.len() + self.nbytes()) as u64;
        let say = "the .npy file cannot be written";
        self.client.on_file(say, path, |path| identity::check_target(&self.node, path))?;
        let (partial, id) = self.client.on_file(say, Path::new(&partial), |path| {
            let file = new_file(path)?;
            file.write_all_at(&header, 0)?;
            file.set_len(bytes)?;
            Ok(FileId::of(&file.metadata()?))
        })?;
        let written = self.write_blocks(&partial, id, header.len() as u64).and_then(|()| {
            self.client.on_file("the .npy file cannot be given its name", path, |path| {
                id.check_written(&fs::metadata(&partial)?)?;
                fs::rename(&partial, path)
            })
        });
        if written.is_err() {
            // The first error is the one to tell.
            let _: io::Result<()> = fs::remove_file(&partial);
        }
        written.map(|_| ())
    }

    /// Writes the blocks where they lie in a file that has their place already, in C order from a byte on.
    pub(super) fn write_blocks(&self, path: &Path, id: FileId, data_start: u64) -> Result<()> {
        let regions = regions(&self.node.grid, data_start);
        let tasks = self.to_futures()?.into_iter().zip(regions);
        let tasks = tasks.map(|(block, region)| (block, path.to_path_buf(), id, region));
        let written = self.client.map(write_block::<T>, tasks);
        self.client.gather(&written).map(|_| ())
    }
}

/// Makes a file in place of what a run that was killed left under this name.
fn new_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).open(path)
}

/// What the header of a file says, and which file it is.
struct Layout {
    id: FileId,
    shape: Vec<usize>,
    is_fortran: bool,
    data_start: u64,
}

impl Layout {
    fn read<T: Element>(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let Header { shape, is_fortran, data_start } =
            Header::read::<T>(&mut BufReader::new(file), metadata.len())?;
        Ok(Self { id: FileId::of(&metadata), shape, is_fortran, data_start })
    }
}

/// Reads a header only.
#[cfg(feature = "testing")]
pub(crate) fn read_npy_header<T: Element>(reader: &mut impl io::Read, bytes: u64) -> io::Result<Vec<usize>> {
    Header::read::<T>(reader, bytes).map(|header| header.shape)
}

/// The header of a file of numbers with this shape.
#[cfg(test)]
pub(crate) fn npy_header(shape: &[usize]) -> Vec<u8> {
    header(crate::array::DataType::F64, shape)
}

/// Where a block lies in a file: where data starts, the shape of all, the block's start and shape.
type Region = (u64, Vec<usize>, Vec<usize>, Vec<usize>);

fn regions(grid: &Grid, data_start: u64) -> Vec<Region> {
    let region = |block| {
        let (starts, shape) = grid.region(block);
        (data_start, grid.shape(), starts, shape)
    };
    (0..grid.count()).map(region).collect()
}

/// The places of a region's runs, in elements, and how long each of them is.
fn runs(whole: &[usize], starts: &[usize], shape: &[usize]) -> (Vec<usize>, usize) {
    if shape.contains(&0) {
        return (Vec::new(), 0);
    }
    // The axes after the last one that is cut lie together, and with them that one.
    let cut = (0..shape.len()).rev().find(|axis| shape[*axis] != whole[*axis]).unwrap_or(0);
    let length = shape[cut..].iter().product();
    let stride = |axis: usize| whole[axis + 1..].iter().product::<usize>();
    let mut places = vec![(0..shape.len()).map(|axis| starts[axis] * stride(axis)).sum()];
    for (axis, length) in shape.iter().enumerate().take(cut) {
        let next = |place: &usize| {
            let place = *place;
            (0..*length).map(move |index| place + index * stride(axis))
        };
        places = places.iter().flat_map(next).collect();
    }
    (places, length)
}

fn read_block<T: Element>(
    path: PathBuf,
    id: FileId,
    (data_start, whole, starts, shape): Region,
) -> ArrayD<T> {
    let (places, length) = runs(&whole, &starts, &shape);
    let bytes_per_run = length * size_of::<T>();
    let mut bytes = vec![0; places.len() * bytes_per_run];
    let mut read = || -> io::Result<()> {
        let file = File::open(&path)?;
        id.check(&file.metadata()?)?;
        for (place, bytes) in places.iter().zip(bytes.chunks_exact_mut(bytes_per_run.max(1))) {
            file.read_exact_at(bytes, data_start + (place * size_of::<T>()) as u64)?;
        }
        // Nor was it changed meanwhile.
        id.check(&file.metadata()?)
    };
    told(&path, "read", read());
    let elements = with_type!(T::DATA_TYPE, U => {
        let element = |bytes| bytemuck::checked::try_pod_read_unaligned::<U>(bytes)
            .unwrap_or_else(|_| panic!("{} holds bytes that are no {}", path.display(), T::DATA_TYPE));
        U::wrap(bytes.chunks_exact(size_of::<U>()).map(element).collect())
    });
    ArrayD::from_shape_vec(IxDyn(&shape), T::into_vector(elements)).expect("an element for each place")
}

fn write_block<T: Element>(
    block: &ArrayD<T>,
    path: PathBuf,
    id: FileId,
    (data_start, whole, starts, shape): Region,
) {
    assert_eq!(block.shape(), shape, "a block has the shape that its chunks give it");
    let (places, length) = runs(&whole, &starts, &shape);
    let elements = T::wrap(block.iter().copied().collect());
    let bytes: &[u8] = with_type!(T::DATA_TYPE, U => bytemuck::cast_slice(U::vector(&elements)));
    let write = || -> io::Result<()> {
        let file = File::options().write(true).open(&path)?;
        id.check_written(&file.metadata()?)?;
        for (place, bytes) in places.iter().zip(bytes.chunks_exact((length * size_of::<T>()).max(1))) {
            file.write_all_at(bytes, data_start + (place * size_of::<T>()) as u64)?;
        }
        Ok(())
    };
    told(&path, "written", write());
}

/// Ends the task with one line if its file could not be used.
pub(crate) fn told<T>(path: &Path, verb: &str, result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        let (path, rank) = (path.display(), current().rank());
        if error.get_ref().is_some_and(|error| error.is::<Changed>()) {
            panic!("{path} cannot be {verb} on rank {rank}: {error}");
        }
        panic!("{path} cannot be {verb} on rank {rank}: {error}; all ranks must share its file system")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_long_as_can_be() {
        assert_eq!(runs(&[4, 5], &[1, 0], &[2, 5]), (vec![5], 10));
        assert_eq!(runs(&[4, 5], &[1, 2], &[2, 3]), (vec![7, 12], 3));
        assert_eq!(runs(&[2, 3, 4], &[0, 1, 0], &[2, 2, 4]), (vec![4, 16], 8));
        assert_eq!(runs(&[], &[], &[]), (vec![0], 1));
        assert_eq!(runs(&[0, 3], &[0, 0], &[0, 3]), (vec![], 0));
    }
}
