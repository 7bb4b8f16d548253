//! New arrays: filled, generated, random, and of NumPy's blocks.

use super::{
    ArrayCore,
    any::{Packed, with_type},
    caught,
};
use crate::{client::Core, errors};
use maniple::{
    array::{BitGenerator, Chunks},
    ndarray::{ArrayD, IxDyn},
};
use pyo3::{buffer::PyBuffer, exceptions::PyValueError, prelude::*};

pub(super) type Sizes = Vec<Vec<usize>>;

fn shape_of(chunks: &Sizes) -> Vec<usize> {
    chunks.iter().map(|sizes| sizes.iter().sum()).collect()
}

pub(super) fn element<T: Packed>(bytes: &[u8]) -> PyResult<T> {
    match T::unpack(bytes).as_slice() {
        [element] => Ok(*element),
        others => Err(PyValueError::new_err(format!("{} elements where one is due", others.len()))),
    }
}

/// An array that has the element of these bytes everywhere.
#[pyfunction]
pub(crate) fn array_full(
    core: &Core,
    dtype: &str,
    element_bytes: &[u8],
    chunks: Sizes,
) -> PyResult<ArrayCore> {
    let client = core.client();
    caught(|| {
        with_type!(Element, dtype, T => {
            let element: T = element(element_bytes)?;
            ArrayCore(client.full(element, shape_of(&chunks), chunks).into())
        })
    })
}

/// Integers from `start` to before `stop`, `step` apart.
#[pyfunction]
pub(crate) fn array_integers(
    core: &Core,
    start: i64,
    stop: i64,
    step: i64,
    chunks: Sizes,
) -> PyResult<ArrayCore> {
    caught(|| Ok(ArrayCore(core.client().arange(start, stop, step, chunks).into())))
}

/// Numbers from `start` to before `stop`, `step` apart.
#[pyfunction]
pub(crate) fn array_reals(
    core: &Core,
    start: f64,
    stop: f64,
    step: f64,
    chunks: Sizes,
) -> PyResult<ArrayCore> {
    caught(|| Ok(ArrayCore(core.client().arange_real::<f64>(start, stop, step, chunks).into())))
}

/// Evenly spaced numbers, as many as the chunks hold, both ends included.
#[pyfunction]
pub(crate) fn array_linspace(core: &Core, start: f64, stop: f64, chunks: Sizes) -> PyResult<ArrayCore> {
    let count = chunks.iter().flatten().sum();
    caught(|| Ok(ArrayCore(core.client().linspace::<f64>(start, stop, count, chunks).into())))
}

/// A square matrix with ones on a diagonal.
#[pyfunction]
pub(crate) fn array_eye(core: &Core, dtype: &str, diagonal: i64, chunks: Sizes) -> PyResult<ArrayCore> {
    let size = chunks.first().map_or(0, |sizes| sizes.iter().sum());
    caught(
        || with_type!(Number, dtype, T => ArrayCore(core.client().eye::<T>(size, diagonal, chunks).into())),
    )
}

/// An array of blocks in C order, each given as its shape and its bytes. They are handed to workers.
#[pyfunction]
pub(crate) fn array_of_blocks(
    core: &Core,
    dtype: &str,
    blocks: &Bound<'_, PyAny>,
    chunks: Sizes,
) -> PyResult<ArrayCore> {
    let (py, client) = (blocks.py(), core.client());
    with_type!(Element, dtype, T => {
        let mut futures = Vec::new();
        for block in blocks.try_iter()? {
            let (shape, bytes): (Vec<usize>, PyBuffer<u8>) = block?.extract()?;
            let elements = <T as Packed>::unpack(&bytes.to_vec(py)?);
            let block = ArrayD::from_shape_vec(IxDyn(&shape), elements)
                .map_err(|error| PyValueError::new_err(format!("a block of shape {shape:?}: {error}")))?;
            let future = py.detach(|| client.scatter(block));
            futures.push(future.map_err(|error| errors::to_python(py, &error))?);
        }
        caught(|| Ok(ArrayCore(client.from_futures(futures, shape_of(&chunks), chunks).into())))?
    })
}

/// A source of random arrays: each one that it makes is another.
#[pyclass(frozen, module = "maniple")]
pub(crate) struct RandomCore(maniple::array::Random);

#[pymethods]
impl RandomCore {
    #[new]
    fn new(core: &Core, seed: u64, philox: bool) -> Self {
        let generator = if philox { BitGenerator::Philox } else { BitGenerator::default() };
        Self(core.client().random_with(generator, seed))
    }

    /// Real numbers of a distribution with these parameters.
    fn reals(&self, name: &str, parameters: (f64, f64), dtype: &str, chunks: Sizes) -> PyResult<ArrayCore> {
        let (shape, (first, second)) = (shape_of(&chunks), parameters);
        let chunks: Chunks = chunks.into();
        caught(|| {
            with_type!(Real, dtype, T => ArrayCore(match name {
                "uniform" => self.0.uniform::<T>(first, second, shape, chunks),
                "normal" => self.0.normal::<T>(first, second, shape, chunks),
                "exponential" => self.0.exponential::<T>(first, shape, chunks),
                other => return Err(PyValueError::new_err(format!("there is no distribution {other}"))),
            }.into()))
        })
    }

    /// Numbers of a distribution by NumPy's name, with its parameters in NumPy's order.
    fn drawn(&self, name: &str, parameters: Vec<f64>, chunks: Sizes) -> PyResult<ArrayCore> {
        let (shape, chunks, random) = (shape_of(&chunks), Chunks::from(chunks), &self.0);
        let at = |place: usize| parameters.get(place).copied().unwrap_or_default();
        macro_rules! real {
            ($method:ident($($place:literal)*)) => { random.$method::<f64>($(at($place),)* shape, chunks).into() };
        }
        macro_rules! whole {
            ($method:ident($($parameter:expr),*)) => { random.$method($($parameter,)* shape, chunks).into() };
        }
        caught(|| {
            Ok(ArrayCore(match name {
                "beta" => real!(beta(0 1)),
                "binomial" => whole!(binomial(at(0) as u64, at(1))),
                "chisquare" => real!(chisquare(0)),
                "f" => real!(f(0 1)),
                "gamma" => real!(gamma(0 1)),
                "geometric" => whole!(geometric(at(0))),
                "gumbel" => real!(gumbel(0 1)),
                "hypergeometric" => whole!(hypergeometric(at(0) as u64, at(1) as u64, at(2) as u64)),
                "laplace" => real!(laplace(0 1)),
                "logistic" => real!(logistic(0 1)),
                "lognormal" => real!(lognormal(0 1)),
                "logseries" => whole!(logseries(at(0))),
                "negative_binomial" => whole!(negative_binomial(at(0), at(1))),
                "noncentral_chisquare" => real!(noncentral_chisquare(0 1)),
                "noncentral_f" => real!(noncentral_f(0 1 2)),
                "pareto" => real!(pareto(0)),
                "poisson" => whole!(poisson(at(0))),
                "power" => real!(power(0)),
                "rayleigh" => real!(rayleigh(0)),
                "standard_cauchy" => real!(standard_cauchy()),
                "standard_gamma" => random.gamma::<f64>(at(0), 1.0, shape, chunks).into(),
                "standard_t" => real!(standard_t(0)),
                "triangular" => real!(triangular(0 1 2)),
                "vonmises" => real!(vonmises(0 1)),
                "wald" => real!(wald(0 1)),
                "weibull" => real!(weibull(0)),
                "zipf" => whole!(zipf(at(0))),
                other => return Err(PyValueError::new_err(format!("there is no distribution {other}"))),
            }))
        })
    }

    /// Integers from `low` to below `high`.
    fn integers(&self, low: i128, high: i128, dtype: &str, chunks: Sizes) -> PyResult<ArrayCore> {
        let shape = shape_of(&chunks);
        caught(
            || with_type!(Integer, dtype, T => ArrayCore(self.0.integers::<T>(low, high, shape, chunks).into())),
        )
    }

    /// The integers below a length in random order.
    fn permutation(&self, chunks: Sizes) -> PyResult<ArrayCore> {
        let length = chunks.iter().flatten().sum();
        caught(|| Ok(ArrayCore(self.0.permutation(length, chunks).into())))
    }
}
