//! Datasets of HDF5 and NetCDF-4 files, where the library was built with them.

use super::{
    ArrayCore,
    algorithms::computed,
    any::{with_array, with_type},
    caught,
    create::Sizes,
};
use crate::client::Core;
use pyo3::prelude::*;

/// The name of the type that a dataset is read as, its shape, and the shape of its stored chunks.
#[pyfunction]
pub(crate) fn hdf5_dataset(
    py: Python<'_>,
    core: &Core,
    path: &str,
    dataset: &str,
) -> PyResult<(&'static str, Vec<usize>, Option<Vec<usize>>)> {
    let client = core.client();
    let found = computed(py, py.detach(|| client.hdf5_dataset(path, dataset)))?;
    Ok((found.data_type.name(), found.shape, found.chunks))
}

/// The array in a dataset whose elements are read as this type, cut into these chunks.
#[pyfunction]
pub(crate) fn array_from_hdf5(
    py: Python<'_>,
    core: &Core,
    dtype: &str,
    path: &str,
    dataset: &str,
    chunks: Sizes,
) -> PyResult<ArrayCore> {
    let client = core.client();
    caught(|| {
        with_type!(Element, dtype, T => {
            let array = py.detach(|| client.from_hdf5::<T>(path, dataset, chunks));
            ArrayCore(computed(py, array)?.into())
        })
    })
}

/// Makes the array and writes it as a new dataset of a file.
#[pyfunction]
pub(crate) fn array_store_hdf5(py: Python<'_>, array: &ArrayCore, path: &str, dataset: &str) -> PyResult<()> {
    caught(|| {
        let stored = py.detach(|| with_array!(Element, &array.0, x => x.store_hdf5(path, dataset)));
        computed(py, stored.unwrap_or(Ok(())))
    })
}
