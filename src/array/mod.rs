//! Chunked arrays: NumPy over ranks, lazily.
//!
//! An [`Array`] is an expression. Building it sends nothing; [`Array::compute`] and [`Array::persist`]
//! have its blocks made by the workers, each block by one task for as many operations as possible.
//!
//! ```
//! use maniple::{array::chunks, prelude::*};
//! # fn main() -> maniple::Result<()> {
//! # maniple::Runtime::builder().execute(|client| {
//! let n = 100_000;
//! let x = client.random(42).uniform::<f64>(0.0, 1.0, [n, 2], chunks([10_000, 2]));
//! let inside = x.square().sum_axis(1).lt(1.0);
//! let pi = 4.0 * inside.count_nonzero().compute()? as f64 / n as f64;
//! assert!((pi - 3.14).abs() < 0.05);
//! # Ok(()) }) }
//! ```
//!
//! - `api`: what users call; each method makes a node.
//! - `graph`: the expression, how it is cut and fused, the plan, and its tasks.
//! - `kernel`: what one task does to make a block, with `math` and `random`; `on_device`: the same in OpenCL C.
//! - `files`: `.npy` files, Zarr stores, and whether what is read is still what it was.
//! - [`element`]: element types.
//!
//! The same bits come out for any number of ranks and threads, given shape, chunks and seed: sums are
//! taken in an order that depends on the blocks alone, and random numbers on the index of their
//! element alone.

mod api;
pub(crate) mod element;
mod error;
mod files;
mod graph;
pub(crate) mod kernel;
pub(crate) mod math;
pub(crate) mod on_device;
pub(crate) mod random;

pub use crate::error::{ShapeError, ShapeErrorKind};
#[cfg(feature = "fourier")]
pub use api::fourier::{Fourier, FourierNorm};
#[cfg(feature = "linear-algebra")]
pub use api::linear_algebra::{LeastSquares, Lu};
pub use api::{
    arrange::{Indexing, Pad, column_stack, dstack, meshgrid},
    blockwise::{BlockArgument, BlockArguments, BlockTuple, blockwise, map_blocks, try_blockwise},
    create::Random,
    derived::{hstack, vstack},
    groups::Groups,
    linear_algebra::{Norm, einsum, try_einsum},
    masked::Masked,
    operators::{Operand, maximum, minimum, select},
    overlap::Boundary,
    padding::PadStatistic,
    places::{ravel_multi_index, select_first},
    quantile::QuantileMethod,
    reductions::Axes,
    search::Side,
    shape::{block, concatenate, stack, try_concatenate},
    together::Together,
    unique::Unique,
    windows::{histogramdd, histogramdd_weighted},
};
pub use element::{DataType, Element, Float, Integer, Number, Ordered, Real};
#[cfg(feature = "hdf5")]
pub use files::hdf5::Hdf5Dataset;
pub use graph::chunks::{Chunks, chunks};
pub use random::BitGenerator;

pub(crate) use element::with_type;
#[cfg(test)]
pub(crate) use files::npy::npy_header;
#[cfg(feature = "testing")]
pub(crate) use files::npy::read_npy_header;

use crate::{
    client::{Client, Future, WaitFor},
    error::Result,
};
use graph::{
    blocks::Blocks,
    chunks::AxisChunks,
    node::{Kind, Node},
    plan::Plan,
    submit,
};
use ndarray::{ArrayD, Dimension, Ix0, IxDyn};
use on_device::Devices;
use std::{fmt, marker::PhantomData, sync::Arc};

/// A lazy chunked array of `T`s, of any number of dimensions.
///
/// `D` is `IxDyn`, or `Ix0` for what has no axes, such as the sum of all elements:
/// [`compute`](Self::compute) then gives a bare `T`.
///
/// Cloning is cheap. Operators take arrays, references to them and numbers; shapes are broadcast as in
/// NumPy, and shapes that do not fit panic at the line of the operator with both shapes in the text
/// (methods that begin with `try_` return a [`ShapeError`]).
#[must_use = "an array is lazy: `compute` or `persist` have its blocks made"]
pub struct Array<T, D = IxDyn> {
    client: Client,
    node: Arc<Node>,
    marker: PhantomData<fn() -> (T, D)>,
}

impl<T, D> Clone for Array<T, D> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), node: Arc::clone(&self.node), marker: PhantomData }
    }
}

/// The dimensions that an [`Array`] may have: `Ix0` and `IxDyn`.
pub trait Dimensions: Dimension {
    /// What computing the array gives: a `T`, or an `ndarray` of them.
    type Computed<T: Element>;
    #[doc(hidden)]
    fn computed<T: Element>(array: ArrayD<T>) -> Self::Computed<T>;
}

impl Dimensions for Ix0 {
    type Computed<T: Element> = T;
    fn computed<T: Element>(array: ArrayD<T>) -> T {
        *array.first().expect("an array without axes has one element")
    }
}

impl Dimensions for IxDyn {
    type Computed<T: Element> = ArrayD<T>;
    fn computed<T: Element>(array: ArrayD<T>) -> ArrayD<T> {
        array
    }
}

impl<T: Element, D: Dimensions> Array<T, D> {
    fn new(client: &Client, node: Arc<Node>) -> Self {
        debug_assert_eq!(node.data_type, T::DATA_TYPE);
        Self { client: client.clone(), node, marker: PhantomData }
    }

    /// An array of another type of elements or dimensions, in the same run.
    fn derive<U: Element, E: Dimensions>(&self, node: Arc<Node>) -> Array<U, E> {
        Array::new(&self.client, node)
    }

    /// The length of each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.node.shape()
    }

    /// How many axes there are.
    pub fn ndim(&self) -> usize {
        self.node.ndim()
    }

    /// How many elements there are.
    pub fn size(&self) -> usize {
        self.shape().iter().product()
    }

    /// The type of the elements, as a value.
    pub fn dtype(&self) -> DataType {
        T::DATA_TYPE
    }

    /// How many bytes all elements take.
    pub fn nbytes(&self) -> usize {
        self.size() * size_of::<T>()
    }

    /// The sizes of the blocks along each axis.
    pub fn chunks(&self) -> Vec<Vec<usize>> {
        self.node.grid.0.iter().map(AxisChunks::sizes).collect()
    }

    /// The largest size of a block along each axis.
    pub fn chunk_size(&self) -> Vec<usize> {
        self.node.grid.0.iter().map(AxisChunks::size_max).collect()
    }

    /// How many blocks there are along each axis.
    pub fn num_blocks(&self) -> Vec<usize> {
        self.node.grid.counts()
    }

    /// The run that the array belongs to.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Has all blocks made, and brings the whole array here.
    ///
    /// # Errors
    ///
    /// As [`Future::result`]: a task failed, or the run is over. And if a block would be larger than the
    /// memory limit of every worker: then nothing is computed.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let squares = client.arange(0, 5, 1, 2).square();
    /// assert_eq!(squares.compute()?.as_slice(), Some(&[0, 1, 4, 9, 16][..]));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn compute(&self) -> Result<D::Computed<T>> {
        let blocks = self.blocks()?;
        let values = self.client.gather(&blocks.typed::<T>())?;
        Ok(D::computed(assemble(&blocks, values)))
    }

    /// Has all blocks made and kept by the workers. Returns at once with an array of them: what is
    /// computed from it does not make them again.
    ///
    /// # Errors
    ///
    /// If a part of the work cannot be submitted.
    pub fn persist(&self) -> Result<Self> {
        Ok(self.of_blocks(self.blocks()?))
    }

    /// The same array, of blocks that exist.
    fn of_blocks(&self, blocks: Blocks) -> Self {
        let kind = Kind::Blocks(blocks.futures.to_vec(), blocks.are_on_devices);
        self.derive(Node::new(T::DATA_TYPE, blocks.grid, kind))
    }

    /// As [`persist`](Self::persist), and keeps the blocks in the run's
    /// [`journal`](crate::Builder::journal), if it has one: a run that [resumes](crate::Builder::resume) it
    /// reads them back, and makes neither them nor what only they need. Without a journal it does what `persist`
    /// does. What it costs: a copy of each block while it is written.
    ///
    /// # Errors
    ///
    /// As [`persist`](Self::persist).
    ///
    /// ```
    /// use maniple::{Resume, Runtime};
    ///
    /// # let journal = tempfile::tempdir().unwrap();
    /// for (resume, known) in [(Resume::No, 0), (Resume::Yes, 10)] {
    ///     Runtime::builder().journal(&journal).resume(resume).execute(|client| {
    ///         let squares = client.arange(0, 1000, 1, 100).square().checkpoint()?;
    ///         assert_eq!(squares.sum().compute()?, 332_833_500);
    ///         assert_eq!(client.restored_count(), known);
    ///         Ok(())
    ///     })
    ///     .unwrap();
    /// }
    /// ```
    pub fn checkpoint(&self) -> Result<Self> {
        let submit = || -> Result<Blocks> { Ok(submit::checkpoint(&self.client, self.blocks()?)) };
        Ok(self.of_blocks(self.client.submit_together(submit)?))
    }

    /// Returns how many blocks of a [persisted](Self::persist) array have finished, and how many it has. `None` if the
    /// array was not persisted.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let squares = client.arange(0, 5, 1, 2).square();
    /// assert_eq!(squares.persisted_blocks(), None);
    /// let squares = squares.persist()?;
    /// squares.wait()?;
    /// assert_eq!(squares.persisted_blocks(), Some((3, 3)));
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn persisted_blocks(&self) -> Option<(usize, usize)> {
        let Kind::Blocks(blocks, _) = &self.node.kind else { return None };
        Some((blocks.iter().filter(|block| block.is_done()).count(), blocks.len()))
    }

    /// Waits until all blocks of an array that was [persisted](Self::persist) are made.
    ///
    /// # Errors
    ///
    /// The error of a block's task, and as [`Client::wait`].
    pub fn wait(&self) -> Result<()> {
        let blocks = self.blocks()?;
        self.client.wait(&blocks.futures, WaitFor::All, None)?;
        match blocks.futures.iter().find_map(Future::error) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// The blocks as futures, in C order.
    ///
    /// # Errors
    ///
    /// As [`persist`](Self::persist).
    pub fn to_futures(&self) -> Result<Vec<Future<ArrayD<T>>>> {
        Ok(self.blocks()?.typed())
    }

    fn blocks(&self) -> Result<Blocks> {
        let plan = self.plan()?;
        let mut blocks = submit::submit(&self.client, &plan)?;
        Ok(blocks.pop().expect("the blocks of one array"))
    }

    /// What computing the array would do.
    fn plan(&self) -> Result<Plan> {
        let mut plan = Plan::new(devices(&self.client));
        plan.want(&self.node)?;
        Ok(plan)
    }

    /// The same array with no axes fixed in its type.
    pub fn into_dyn(self) -> Array<T> {
        Array::new(&self.client, self.node)
    }
}

/// What devices the client's arrays may use; `None` if they are to use none.
fn devices(client: &Client) -> Option<Devices> {
    let records = || client.cluster().workers().filter_map(|worker| worker.device.as_ref());
    client.is_on_devices().then(|| match records().next() {
        None => Devices::None,
        Some(_) if records().all(|device| device.has_doubles) => Devices::Double,
        Some(_) => Devices::Single,
    })
}

/// Puts blocks side by side.
fn assemble<T: Element>(blocks: &Blocks, values: Vec<ArrayD<T>>) -> ArrayD<T> {
    if values.len() == 1 {
        return values.into_iter().next().expect("there is one");
    }
    let mut whole = ArrayD::from_elem(blocks.grid.shape(), T::default());
    for (block, value) in values.into_iter().enumerate() {
        let (starts, shape) = blocks.grid.region(block);
        let mut region = whole.slice_each_axis_mut(|axis| {
            let start = starts[axis.axis.index()];
            ndarray::Slice::from(start..start + shape[axis.axis.index()])
        });
        region.assign(&value);
    }
    whole
}

/// As Dask prints an array.
impl<T: Element, D: Dimensions> fmt::Display for Array<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tuple = |items: Vec<usize>| match items.as_slice() {
            [one] => format!("({one},)"),
            items => format!("({})", items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        write!(
            f,
            "maniple.array<{}, shape={}, dtype={}, chunksize={}, chunktype=ndarray>",
            self.node.name(),
            tuple(self.shape()),
            self.dtype(),
            tuple(self.chunk_size())
        )
    }
}

impl<T: Element, D: Dimensions> fmt::Debug for Array<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
