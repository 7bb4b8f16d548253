//! Arrays as Python sees them: the library's lazy chunked arrays, of any element type.
//!
//! The Python half of the package knows NumPy's rules: it decides on types, axes and chunks, and converts operands. What
//! arrives here fits; what does not is an exception all the same.
//!
//! - [`algorithms`]: what looks at whole arrays. - [`any`]: arrays of any element type. - [`create`]: new arrays. - [`operations`]: what is made of them.
//! - `hdf5`: datasets of files.
//! - [`together`]: several made at once. - [`blocks`]: blocks as NumPy arrays. - [`quiet`]: panics as exceptions.

pub(crate) mod algorithms;
mod any;
mod blocks;
pub(crate) mod create;
#[cfg(feature = "hdf5")]
pub(crate) mod hdf5;
mod operations;
mod quiet;
pub(crate) mod together;

use crate::{
    client::{Core, TaskOptions, chosen, next_numbers},
    errors,
    future::Future,
    memory::Memory,
    waiting,
};
use any::{AnyArray, no_operation, of_type, with_array, with_type};
use blocks::BlockFunction;
use maniple::{
    Array, SubmitOptions,
    array::{Axes, DataType, concatenate, select, stack},
    ndarray::SliceInfoElem,
};
use operations::{binary, like, reduce, unary, unknown};
use pyo3::prelude::*;
use quiet::caught;

/// An array in Rust. The class `Array` of Python wraps it.
#[pyclass(frozen, module = "maniple")]
pub(crate) struct ArrayCore(AnyArray);

/// What an axis is indexed with; nothing is a new axis.
#[derive(FromPyObject)]
enum Index {
    At(isize),
    Range(isize, isize, isize),
}

fn slices(indices: &[Option<Index>]) -> Vec<SliceInfoElem> {
    let slice = |index: &Option<Index>| match *index {
        Some(Index::At(index)) => SliceInfoElem::Index(index),
        Some(Index::Range(start, end, step)) => SliceInfoElem::Slice { start, end: Some(end), step },
        None => SliceInfoElem::NewAxis,
    };
    indices.iter().map(slice).collect()
}

fn axes_of(axes: Option<Vec<usize>>, keep: bool) -> Axes {
    let axes = axes.map_or_else(Axes::all, Axes::of);
    if keep { axes.keep() } else { axes }
}

/// An array that was made, or the exception for an element type that has no such operation.
fn made(name: &str, result: Result<AnyArray, DataType>) -> PyResult<ArrayCore> {
    result.map(ArrayCore).map_err(|data_type| no_operation(name, data_type))
}

#[pymethods]
impl ArrayCore {
    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.data_type().name()
    }

    /// The sizes of the blocks along each axis.
    #[getter]
    fn chunks(&self) -> Vec<Vec<usize>> {
        with_array!(Element, &self.0, x => x.chunks()).unwrap_or_default()
    }

    /// The name of the operation.
    #[getter]
    fn name(&self) -> String {
        let shown = with_array!(Element, &self.0, x => x.to_string()).unwrap_or_default();
        let name = shown.split_once('<').and_then(|(_, rest)| rest.split_once(", shape="));
        name.map_or_else(String::new, |(name, _)| name.to_string())
    }

    /// What computing the array would do, step by step.
    fn explain(&self) -> String {
        with_array!(Element, &self.0, x => x.explain()).unwrap_or_default()
    }

    /// Writes a picture of the steps.
    fn visualize(&self, py: Python<'_>, path: &str) -> PyResult<()> {
        let written = py.detach(|| with_array!(Element, &self.0, x => x.visualize(path)));
        written.unwrap_or(Ok(())).map_err(|error| errors::to_python(py, &error))
    }

    /// Waits until the blocks of an array that was persisted are made, or one of them has failed.
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        blocks::wait(py, &self.0, waiting::timeout(timeout)?)
    }

    /// The memory of an array that was persisted, once all blocks are made.
    fn value(&self, py: Python<'_>) -> PyResult<Memory> {
        blocks::value(py, &self.0)
    }

    /// How many blocks of a persisted array have finished, and how many it has. None if it was not persisted.
    fn persisted_blocks(&self, py: Python<'_>) -> Option<(usize, usize)> {
        let count = py.detach(|| with_array!(Element, &self.0, x => x.persisted_blocks()));
        count.unwrap_or_default()
    }

    /// A future of the array as a NumPy array.
    fn future(
        &self,
        py: Python<'_>,
        core: &Core,
        client: Py<PyAny>,
        given: Option<TaskOptions>,
    ) -> PyResult<Future> {
        let options = chosen(SubmitOptions::new(), given);
        let future = blocks::future(py, &core.client().with(&options), &self.0)?;
        Ok(Future::new(future, "array".into(), next_numbers(1), client))
    }

    fn astype(&self, dtype: &str) -> PyResult<Self> {
        let cast = with_array!(Element, &self.0, x => with_type!(Element, dtype, U => x.cast::<U>().into())?);
        made("astype", cast)
    }

    /// An elementwise operation.
    fn unary(&self, name: &str) -> PyResult<Self> {
        caught(|| made(name, unary(name, &self.0)?))
    }

    /// An elementwise operation on two arrays of one type.
    fn binary(&self, name: &str, other: &Self) -> PyResult<Self> {
        caught(|| made(name, binary(name, &self.0, &other.0)?))
    }

    /// Elements of `yes` where this array is true, of `no` elsewhere.
    fn select(&self, yes: &Self, no: &Self) -> PyResult<Self> {
        let condition: &Array<bool> = of_type(&self.0)?;
        caught(|| {
            made("where", with_array!(Element, &yes.0, x => select(condition, x, like(x, &no.0)?).into()))
        })
    }

    /// A reduction over these axes, or all.
    fn reduce(&self, name: &str, axes: Option<Vec<usize>>, keep: bool, ddof: f64) -> PyResult<Self> {
        caught(|| made(name, reduce(name, &self.0, axes_of(axes, keep), ddof)?))
    }

    /// An operation along one axis.
    fn along(&self, name: &str, axis: usize) -> PyResult<Self> {
        caught(|| {
            let any = &self.0;
            let result = match name {
                "cumsum" => with_array!(Element, any, x => x.cumsum(axis).into()),
                "cumprod" => with_array!(Element, any, x => x.cumprod(axis).into()),
                "nancumsum" => with_array!(Real, any, x => x.nancumsum(axis).into()),
                "nancumprod" => with_array!(Real, any, x => x.nancumprod(axis).into()),
                "diff" => with_array!(Number, any, x => x.diff(axis).into()),
                "sort" => with_array!(Ordered, any, x => x.sort(axis).into()),
                "argsort" => with_array!(Ordered, any, x => x.argsort(axis).into()),
                "nanmedian" => with_array!(Real, any, x => x.nanmedian(axis).into()),
                "flip" => with_array!(Element, any, x => x.flip(axis).into()),
                other => return Err(unknown(other)),
            };
            made(name, result)
        })
    }

    /// An operation on matrices with a number: a diagonal.
    fn diagonal(&self, name: &str, offset: i64) -> PyResult<Self> {
        caught(|| {
            let any = &self.0;
            let result = match name {
                "tril" => with_array!(Element, any, x => x.tril(offset).into()),
                "triu" => with_array!(Element, any, x => x.triu(offset).into()),
                "diagonal" => with_array!(Element, any, x => x.diagonal(offset).into()),
                other => return Err(unknown(other)),
            };
            made(name, result)
        })
    }

    /// A square matrix with this array as its diagonal.
    fn to_diagonal(&self) -> PyResult<Self> {
        caught(|| made("diag", with_array!(Element, &self.0, x => x.to_diagonal().into())))
    }

    fn slice(&self, indices: Vec<Option<Index>>) -> PyResult<Self> {
        caught(|| made("indexing", with_array!(Element, &self.0, x => x.slice(slices(&indices)).into())))
    }

    fn take(&self, axis: usize, places: Vec<usize>) -> PyResult<Self> {
        caught(|| made("take", with_array!(Element, &self.0, x => x.take(axis, &places).into())))
    }

    /// The elements where a condition holds. The condition is computed.
    fn mask(&self, py: Python<'_>, condition: &Self) -> PyResult<Self> {
        let condition: &Array<bool> = of_type(&condition.0)?;
        let masked = with_array!(Element, &self.0, x => {
            let masked = py.detach(|| x.mask(condition));
            masked.map_err(|error| errors::to_python(py, &error))?.into()
        });
        made("indexing", masked)
    }

    /// The array with other elements in a part of it.
    fn set_slice(&self, indices: Vec<Option<Index>>, value: &Self) -> PyResult<Self> {
        caught(|| {
            made(
                "assignment",
                with_array!(Element, &self.0, x => x.set_slice(slices(&indices), like(x, &value.0)?).into()),
            )
        })
    }

    fn reshape(&self, shape: Vec<isize>) -> PyResult<Self> {
        caught(|| made("reshape", with_array!(Element, &self.0, x => x.reshape(&shape).into())))
    }

    fn permute(&self, axes: Vec<usize>) -> PyResult<Self> {
        caught(|| made("transpose", with_array!(Element, &self.0, x => x.permute_axes(&axes).into())))
    }

    fn rechunk(&self, chunks: Vec<Vec<usize>>) -> PyResult<Self> {
        caught(|| made("rechunk", with_array!(Element, &self.0, x => x.rechunk(chunks).into())))
    }

    fn broadcast_to(&self, shape: Vec<usize>) -> PyResult<Self> {
        caught(|| made("broadcast_to", with_array!(Element, &self.0, x => x.broadcast_to(shape).into())))
    }

    fn roll(&self, shift: i64, axis: usize) -> PyResult<Self> {
        caught(|| made("roll", with_array!(Element, &self.0, x => x.roll(shift, axis).into())))
    }

    fn repeat(&self, count: usize, axis: usize) -> PyResult<Self> {
        caught(|| made("repeat", with_array!(Element, &self.0, x => x.repeat(count, axis).into())))
    }

    fn round(&self, decimals: i32) -> PyResult<Self> {
        caught(|| made("round", with_array!(Real, &self.0, x => x.round_decimals(decimals).into())))
    }

    fn quantile(&self, quantile: f64, axis: usize) -> PyResult<Self> {
        caught(|| made("quantile", with_array!(Real, &self.0, x => x.quantile(quantile, axis).into())))
    }

    /// Sums of products over these axes of both arrays.
    fn tensordot(&self, other: &Self, axes: Vec<usize>, other_axes: Vec<usize>) -> PyResult<Self> {
        caught(|| {
            let product = with_array!(Float, &self.0, x => {
                x.tensordot(like(x, &other.0)?, &axes, &other_axes).into()
            });
            made("tensordot", product)
        })
    }

    fn matmul(&self, other: &Self) -> PyResult<Self> {
        caught(|| made("matmul", with_array!(Float, &self.0, x => x.matmul(like(x, &other.0)?).into())))
    }

    fn dot(&self, other: &Self) -> PyResult<Self> {
        caught(|| made("dot", with_array!(Float, &self.0, x => x.dot(like(x, &other.0)?).into())))
    }

    /// This array and others of its type, one after the other along an axis, which is new if `stacks`.
    fn joined(&self, others: Vec<Py<Self>>, axis: usize, stacks: bool) -> PyResult<Self> {
        caught(|| {
            let joined = with_array!(Element, &self.0, x => {
                let mut all = vec![x];
                for other in &others {
                    all.push(like(x, &other.get().0)?);
                }
                if stacks { stack(&all, axis).into() } else { concatenate(&all, axis).into() }
            });
            made(if stacks { "stack" } else { "concatenate" }, joined)
        })
    }

    /// An array of what a Python function returns for each block of this array and others of its type.
    fn map_blocks(
        &self,
        py: Python<'_>,
        core: &Core,
        others: Vec<Py<Self>>,
        function: BlockFunction,
    ) -> PyResult<Self> {
        let mut arrays = vec![self.0.clone()];
        arrays.extend(others.iter().map(|other| other.get().0.clone()));
        blocks::map_blocks(py, core.client(), &arrays, &function).map(Self)
    }
}

/// Publishes an array under a name: its blocks are made and kept.
#[pyfunction]
pub(crate) fn publish_array(py: Python<'_>, core: &Core, name: &str, array: &ArrayCore) -> PyResult<()> {
    let published = py.detach(|| with_array!(Element, &array.0, x => core.client().publish(name, x)));
    published.unwrap_or(Ok(())).map_err(errors::of_publishing(py))
}

/// The array that is published under a name, if something is and it is one.
#[pyfunction]
pub(crate) fn published_array(py: Python<'_>, core: &Core, name: &str) -> PyResult<Option<ArrayCore>> {
    let to_python = |error: maniple::Error| errors::to_python(py, &error);
    let all = py.detach(|| core.client().publications()).map_err(to_python)?;
    let Some(publication) = all.into_iter().find(|publication| publication.name == name) else {
        return Ok(None);
    };
    any::published(core.client(), &publication)
        .transpose()
        .map_err(to_python)
        .map(|array| array.map(ArrayCore))
}
