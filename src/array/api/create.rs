//! Where arrays come from.

use crate::{
    array::{
        Array, Chunks, DataType, Element, Integer, Number, Real,
        element::{Scalar, Sealed},
        error::expect,
        graph::{
            chunks::Grid,
            node::{Kind, Node},
        },
        kernel::{
            generate::{Distribution, Generator, limits_f32},
            operators::{real_of, wide},
        },
        random::{BitGenerator, Key},
    },
    client::{Client, Future},
    error::Result,
};
use ndarray::{ArrayBase, ArrayD, Data as NdData, Dimension, IxDyn};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Arrays made from nothing but their shape. Chunks are one size for every axis, sizes in an array,
/// lists of sizes, or [`Chunks::Auto`].
///
/// All of these panic if the chunks do not fit the shape.
impl Client {
    /// An array of one value. Shape and chunks as for [`zeros`](Self::zeros).
    #[track_caller]
    pub fn full<T: Element>(
        &self,
        value: T,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        self.filled("full", value, shape.into(), chunks.into())
    }

    #[track_caller]
    fn filled<T: Element>(&self, name: &str, value: T, shape: Vec<usize>, chunks: Chunks) -> Array<T> {
        let grid = expect(name, chunks.grid(&shape, size_of::<T>()));
        Array::new(self, Node::new(T::DATA_TYPE, grid, Kind::Constant(value.scalar())))
    }

    /// An array of zeros.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.zeros::<f64>([1000, 1000], [100, 1000]);
    /// assert_eq!(x.num_blocks(), [10, 1]);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn zeros<T: Element>(&self, shape: impl Into<Vec<usize>>, chunks: impl Into<Chunks>) -> Array<T> {
        self.filled("zeros", T::default(), shape.into(), chunks.into())
    }

    /// An array of ones.
    #[track_caller]
    pub fn ones<T: Element>(&self, shape: impl Into<Vec<usize>>, chunks: impl Into<Chunks>) -> Array<T> {
        self.filled("ones", one(), shape.into(), chunks.into())
    }

    /// A square matrix of zeros with ones on the diagonal `diagonal` places above the main one.
    #[track_caller]
    pub fn eye<T: Number>(&self, size: usize, diagonal: i64, chunks: impl Into<Chunks>) -> Array<T> {
        let generator = Generator::Eye { columns: size.max(1), diagonal };
        self.generated(generator, vec![size, size], chunks.into())
    }

    /// The integers from `start` to before `stop`, `step` apart.
    ///
    /// # Panics
    ///
    /// Panics if `step` is zero.
    #[track_caller]
    pub fn arange(&self, start: i64, stop: i64, step: i64, chunks: impl Into<Chunks>) -> Array<i64> {
        assert!(step != 0, "arange: step is 0 from {start} to {stop}, it must not be 0");
        let distance = i128::from(stop) - i128::from(start);
        let step_wide = i128::from(step);
        let count = (distance + step_wide - step_wide.signum()) / step_wide;
        let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
        self.generated(Generator::Integers { start, step }, vec![count], chunks.into())
    }

    /// The numbers from `start` to before `stop`, `step` apart.
    ///
    /// # Panics
    ///
    /// Panics if the count of numbers is not finite.
    #[track_caller]
    pub fn arange_real<T: Real>(
        &self,
        start: f64,
        stop: f64,
        step: f64,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        let count = ((stop - start) / step).ceil();
        assert!(
            count.is_finite(),
            "arange_real: step is {step} from {start} to {stop}, so there is no finite number of elements"
        );
        self.generated(Generator::Reals { start, step }, vec![count.max(0.0) as usize], chunks.into())
    }

    /// `count` numbers from `start` to `stop`, evenly spaced, both ends included.
    #[track_caller]
    pub fn linspace<T: Real>(
        &self,
        start: f64,
        stop: f64,
        count: usize,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        self.generated(Generator::Linspace { start, stop, count }, vec![count], chunks.into())
    }

    #[track_caller]
    fn generated<T: Element>(&self, generator: Generator, shape: Vec<usize>, chunks: Chunks) -> Array<T> {
        let grid = expect(generator.name(), chunks.grid(&shape, size_of::<T>()));
        Array::new(self, Node::new(T::DATA_TYPE, grid, Kind::Generated(generator)))
    }

    /// An array of an `ndarray` that the driver has: its blocks are handed to the workers.
    ///
    /// # Errors
    ///
    /// As [`scatter`](Self::scatter).
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape.
    #[track_caller]
    pub fn from_ndarray<T: Element, S: NdData<Elem = T>, D: Dimension>(
        &self,
        array: &ArrayBase<S, D>,
        chunks: impl Into<Chunks>,
    ) -> Result<Array<T>> {
        let grid = expect("from_ndarray", chunks.into().grid(array.shape(), size_of::<T>()));
        let whole = array.view().into_dyn();
        let blocks = (0..grid.count()).map(|block| {
            let (starts, shape) = grid.region(block);
            let part = whole.slice_each_axis(|axis| {
                let start = starts[axis.axis.index()];
                ndarray::Slice::from(start..start + shape[axis.axis.index()])
            });
            // A slice of one block may keep another order than C.
            let elements: Vec<T> = part.iter().copied().collect();
            let block = ArrayD::from_shape_vec(IxDyn(&shape), elements).expect("an element for each place");
            Ok(self.scatter(block)?.retype())
        });
        let blocks = blocks.collect::<Result<_>>()?;
        Ok(Array::new(self, Node::new(T::DATA_TYPE, grid, Kind::Blocks(blocks, false))))
    }

    /// An array of blocks that tasks make or have made, in C order of their places in the array.
    ///
    /// Each block must turn out with the shape that `chunks` give it.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape, or if there are not as many blocks.
    #[track_caller]
    pub fn from_futures<T: Element>(
        &self,
        blocks: Vec<Future<ArrayD<T>>>,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        let grid = expect("from_futures", chunks.into().grid(&shape.into(), size_of::<T>()));
        let (given, due) = (blocks.len(), grid.count());
        assert!(given == due, "from_futures: {given} blocks are given, chunks {grid} have {due}");
        Array::new(self, blocks_node::<T>(grid, &blocks))
    }

    /// An array of what `function` gives for the index of each element. The function is a `fn` or a
    /// closure that captures nothing.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.from_function(|index: &[usize]| (index[0] * 10 + index[1]) as f64, [3, 4], 2);
    /// assert_eq!(x.compute()?[[2, 3]], 23.0);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn from_function<T, F>(
        &self,
        function: F,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T>
    where
        T: Element,
        F: Fn(&[usize]) -> T + Copy + Send + Sync + 'static,
    {
        let grid = expect("from_function", chunks.into().grid(&shape.into(), size_of::<T>()));
        crate::array::graph::custom::from_function(self, function, grid)
    }

    /// Random arrays. What an element is depends on the seed, on how many arrays were made from this
    /// handle before, and on the element's index: not on chunks, workers or timing.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let a = client.random(7).normal::<f64>(0.0, 1.0, [100], 10).sum().compute()?;
    /// let b = client.random(7).normal::<f64>(0.0, 1.0, [100], 10).sum().compute()?;
    /// assert_eq!(a, b);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn random(&self, seed: u64) -> Random {
        self.random_with(BitGenerator::default(), seed)
    }

    /// [`random`](Self::random), with the random bits of this generator.
    ///
    /// ```
    /// # use maniple::array::BitGenerator;
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random_with(BitGenerator::Philox, 7).random::<f64>([3], 3).compute()?;
    /// assert_eq!(x[0], 0.7501522221031126);
    /// # Ok(()) }).unwrap();
    /// ```
    pub fn random_with(&self, generator: BitGenerator, seed: u64) -> Random {
        Random { client: self.clone(), generator, seed, streams: AtomicU32::new(0) }
    }
}

/// The node of blocks that exist.
pub(crate) fn blocks_node<T: Element>(grid: Grid, blocks: &[Future<ArrayD<T>>]) -> Arc<Node> {
    Node::new(T::DATA_TYPE, grid, Kind::Blocks(blocks.iter().map(Future::retype).collect(), false))
}

pub(crate) fn one<T: Element>() -> T {
    let one = Scalar::U8(1);
    crate::array::with_type!(T::DATA_TYPE, U => {
        let one = crate::array::kernel::operators::convert::<U>(one).scalar();
        T::of_scalar(one)
    })
}

/// Makes random arrays, of the random bits of a [`BitGenerator`].
#[derive(Debug)]
pub struct Random {
    pub(crate) client: Client,
    generator: BitGenerator,
    seed: u64,
    streams: AtomicU32,
}

impl Random {
    /// Uniformly distributed numbers from `low` to below `high`, as `f64` has them: also where a type has few
    /// numbers between the two, none is `high`.
    ///
    /// # Panics
    ///
    /// Panics if `low` is not below `high`, one of them or their difference is not finite in the type of the
    /// elements, that type has no number from `low` to below `high`, or the chunks do not fit the shape.
    #[track_caller]
    pub fn uniform<T: Real>(
        &self,
        low: f64,
        high: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        for (argument, value) in [("low", low), ("high", high)] {
            check_finite::<T>("uniform", argument, value);
        }
        assert!(low < high, "uniform: low is {low} and high is {high}, low must be below high");
        check_finite::<T>("uniform", "high - low", high - low);
        let has_number = match T::DATA_TYPE {
            DataType::F32 => limits_f32(low, high).0 <= limits_f32(low, high).1,
            _ => true,
        };
        let dtype = T::DATA_TYPE;
        assert!(has_number, "uniform: low is {low} and high is {high}, no {dtype} is from low to below high");
        self.generate(Distribution::Uniform { low, high }, shape.into(), chunks.into())
    }

    /// Uniformly distributed numbers from 0 to below 1.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit the shape.
    #[track_caller]
    pub fn random<T: Real>(&self, shape: impl Into<Vec<usize>>, chunks: impl Into<Chunks>) -> Array<T> {
        self.uniform(0.0, 1.0, shape, chunks)
    }

    /// Normally distributed numbers of this mean and standard deviation.
    ///
    /// # Panics
    ///
    /// Panics if `mean` or `deviation` is not finite in the type of the elements, `deviation` is negative, or
    /// the chunks do not fit the shape.
    #[track_caller]
    pub fn normal<T: Real>(
        &self,
        mean: f64,
        deviation: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        check_finite::<T>("normal", "mean", mean);
        check_finite::<T>("normal", "deviation", deviation);
        assert!(deviation >= 0.0, "normal: deviation is {deviation}, it must be at least 0");
        self.generate(Distribution::Normal { mean, deviation }, shape.into(), chunks.into())
    }

    /// Exponentially distributed numbers of this mean.
    ///
    /// # Panics
    ///
    /// Panics if `mean` is negative or not finite in the type of the elements, or the chunks do not fit the
    /// shape.
    #[track_caller]
    pub fn exponential<T: Real>(
        &self,
        mean: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        check_finite::<T>("exponential", "mean", mean);
        assert!(mean >= 0.0, "exponential: mean is {mean}, it must be at least 0");
        self.generate(Distribution::Exponential { mean }, shape.into(), chunks.into())
    }

    /// Uniformly distributed integers from `low` to below `high`.
    ///
    /// # Panics
    ///
    /// Panics if there are none, or the type has not all of them.
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let bytes = client.random(1).integers::<u8>(0, 256, [10_000], 1000);
    /// assert_eq!((bytes.min().compute()?, bytes.max().compute()?), (0, 255));
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn integers<T: Integer>(
        &self,
        low: i128,
        high: i128,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        assert!(low < high, "integers: low is {low} and high is {high}, low must be below high");
        let (least, most) = match T::DATA_TYPE {
            DataType::U8 => (0, u8::MAX.into()),
            DataType::U16 => (0, u16::MAX.into()),
            DataType::U32 => (0, u32::MAX.into()),
            DataType::U64 => (0, u64::MAX.into()),
            DataType::I8 => (i8::MIN.into(), i8::MAX.into()),
            DataType::I16 => (i16::MIN.into(), i16::MAX.into()),
            DataType::I32 => (i32::MIN.into(), i32::MAX.into()),
            _ => (i64::MIN.into(), i64::MAX.into()),
        };
        let dtype = T::DATA_TYPE;
        assert!(
            low >= least && high - 1 <= most,
            "integers: low is {low} and high is {high}, but {dtype} holds the integers from {least} to {most}"
        );
        self.generate(Distribution::Integers { low, high }, shape.into(), chunks.into())
    }

    /// The integers below `length`, each once, in random order. Each element is computed alone.
    ///
    /// # Panics
    ///
    /// Panics if the chunks do not fit.
    #[track_caller]
    pub fn permutation(&self, length: usize, chunks: impl Into<Chunks>) -> Array<i64> {
        let distribution = Distribution::Permutation { length: length.max(1) as u64 };
        self.generate(distribution, vec![length], chunks.into())
    }

    /// `true` with this probability.
    ///
    /// # Panics
    ///
    /// Panics if `probability` is not from 0 to 1, or the chunks do not fit the shape.
    #[track_caller]
    pub fn bernoulli(
        &self,
        probability: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<bool> {
        assert!(
            (0.0..=1.0).contains(&probability),
            "bernoulli: probability is {probability}, it must be from 0 to 1"
        );
        self.generate(Distribution::Bernoulli { probability }, shape.into(), chunks.into())
    }

    /// Names the stream of the next array.
    pub(super) fn next_key(&self) -> Key {
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        Key { generator: self.generator, seed: self.seed, stream }
    }

    #[track_caller]
    pub(super) fn generate<T: Element>(
        &self,
        distribution: Distribution,
        shape: Vec<usize>,
        chunks: Chunks,
    ) -> Array<T> {
        let key = self.next_key();
        self.client.generated(Generator::Random { distribution, key }, shape, chunks)
    }
}

/// Panics at the caller's line if a parameter of a distribution is not finite in the type of its numbers.
#[track_caller]
pub(super) fn check_finite<T: Real>(function: &str, argument: &str, value: f64) {
    let dtype = T::DATA_TYPE;
    let is_finite = real_of(wide::<T>(value)).is_finite();
    assert!(is_finite, "{function}: {argument} is {value:?}, it must be finite as {dtype}");
}
