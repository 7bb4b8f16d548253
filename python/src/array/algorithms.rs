//! Algorithms that look at a whole array: order, sets, histograms, products, factorizations, Fourier transforms, files.

use super::{
    ArrayCore,
    any::{AnyArray, no_operation, of_type, with_array, with_type},
    axes_of, caught,
    create::{Sizes, element},
    made,
    operations::{like, unknown},
};
use crate::{client::Core, errors};
use maniple::array::{DataType, Fourier, FourierNorm, Norm, Side, einsum};
use pyo3::prelude::*;

/// Several arrays, or the exception for an element type that has no such operation.
fn all_made<const N: usize>(name: &str, result: Result<[AnyArray; N], DataType>) -> PyResult<[ArrayCore; N]> {
    let arrays = result.map_err(|data_type| no_operation(name, data_type))?;
    Ok(arrays.map(ArrayCore))
}

/// What the library has computed on the way to an array, or its error as an exception.
pub(super) fn computed<R>(py: Python<'_>, result: maniple::Result<R>) -> PyResult<R> {
    result.map_err(|error| errors::to_python(py, &error))
}

/// The largest elements along an axis, the largest first.
#[pyfunction]
pub(crate) fn array_topk(
    array: &ArrayCore,
    count: usize,
    axis: usize,
    are_places: bool,
) -> PyResult<ArrayCore> {
    caught(|| {
        made(
            "topk",
            with_array!(Ordered, &array.0, x => {
                if are_places { x.argtopk(count, axis).into() } else { x.topk(count, axis).into() }
            }),
        )
    })
}

/// The distinct elements in ascending order, where each comes first, which of them each element is, and how often each
/// comes. The elements are ordered at once.
#[pyfunction]
pub(crate) fn array_unique(py: Python<'_>, array: &ArrayCore) -> PyResult<[ArrayCore; 4]> {
    caught(|| {
        let unique = with_array!(Ordered, &array.0, x => {
            let unique = computed(py, py.detach(|| x.unique_all()))?;
            [unique.values.into(), unique.indices.into(), unique.inverse.into(), unique.counts.into()]
        });
        all_made("unique", unique)
    })
}

/// What two arrays are as sets.
#[pyfunction]
pub(crate) fn array_sets(
    py: Python<'_>,
    name: &str,
    left: &ArrayCore,
    right: &ArrayCore,
) -> PyResult<ArrayCore> {
    caught(|| {
        let set = with_array!(Ordered, &left.0, x => {
            let y = like(x, &right.0)?;
            match name {
                "isin" => x.is_in(y).into(),
                "union1d" => computed(py, py.detach(|| x.union1d(y)))?.into(),
                "intersect1d" => computed(py, py.detach(|| x.intersect1d(y)))?.into(),
                "setdiff1d" => computed(py, py.detach(|| x.setdiff1d(y)))?.into(),
                other => return Err(unknown(other)),
            }
        });
        made(name, set)
    })
}

/// The number of the bin between ascending edges that each element falls into.
#[pyfunction]
pub(crate) fn array_digitize(array: &ArrayCore, edges: Vec<f64>) -> PyResult<ArrayCore> {
    caught(|| made("digitize", with_array!(Ordered, &array.0, x => x.digitize(&edges).into())))
}

/// How often each number from 0 on comes among integers, or the sum of the weights where it comes.
#[pyfunction]
pub(crate) fn array_bincount(
    py: Python<'_>,
    array: &ArrayCore,
    weights: Option<&ArrayCore>,
    length_min: usize,
) -> PyResult<ArrayCore> {
    let numbers = of_type::<i64>(&array.0)?;
    let weights = weights.map(|weights| of_type::<f64>(&weights.0)).transpose()?;
    caught(|| {
        let counted = py.detach(|| match weights {
            Some(weights) => numbers.bincount_weighted(weights, length_min).map(AnyArray::from),
            None => numbers.bincount(length_min).map(AnyArray::from),
        });
        computed(py, counted).map(ArrayCore)
    })
}

/// The places in a sorted array where values would be put.
#[pyfunction]
pub(crate) fn array_searchsorted(sorted: &ArrayCore, values: &ArrayCore, after: bool) -> PyResult<ArrayCore> {
    let side = if after { Side::Right } else { Side::Left };
    caught(|| {
        made(
            "searchsorted",
            with_array!(Ordered, &sorted.0, x => x.searchsorted(like(x, &values.0)?, side).into()),
        )
    })
}

/// Covariances or correlations of the rows of a matrix.
#[pyfunction]
pub(crate) fn array_covariance(array: &ArrayCore, ddof: f64, are_correlations: bool) -> PyResult<ArrayCore> {
    caught(|| {
        made(
            "cov",
            with_array!(Element, &array.0, x => if are_correlations { x.corrcoef().into() } else { x.cov(ddof).into() }),
        )
    })
}

/// Sums of products by subscripts.
#[pyfunction]
pub(crate) fn array_einsum(
    subscripts: &str,
    first: &ArrayCore,
    others: Vec<Py<ArrayCore>>,
) -> PyResult<ArrayCore> {
    caught(|| {
        let product = with_array!(Float, &first.0, x => {
            let mut all = vec![x];
            for other in &others {
                all.push(like(x, &other.get().0)?);
            }
            einsum(subscripts, &all).into()
        });
        made("einsum", product)
    })
}

/// The array with elements of one value before and after those along an axis.
#[pyfunction]
pub(crate) fn array_pad(
    array: &ArrayCore,
    axis: usize,
    before: usize,
    after: usize,
    bytes: &[u8],
) -> PyResult<ArrayCore> {
    caught(|| {
        made("pad", with_array!(Element, &array.0, x => x.pad(axis, before, after, element(bytes)?).into()))
    })
}

/// A matrix that is made of one matrix: its inverse, its Cholesky factor, its determinant.
#[pyfunction]
pub(crate) fn array_matrix(name: &str, array: &ArrayCore) -> PyResult<ArrayCore> {
    caught(|| {
        let matrix = with_array!(Float, &array.0, x => match name {
            "inv" => x.inv().into(),
            "cholesky" => x.cholesky().into(),
            "det" => x.det().into_dyn().into(),
            other => return Err(unknown(other)),
        });
        made(name, matrix)
    })
}

/// Q and R of a matrix.
#[pyfunction]
pub(crate) fn array_qr(array: &ArrayCore) -> PyResult<[ArrayCore; 2]> {
    caught(|| {
        let factors = with_array!(Float, &array.0, x => {
            let (q, r) = x.qr();
            [q.into(), r.into()]
        });
        all_made("qr", factors)
    })
}

/// The permutation, L and U of a matrix.
#[pyfunction]
pub(crate) fn array_lu(array: &ArrayCore) -> PyResult<[ArrayCore; 3]> {
    caught(|| {
        let factors = with_array!(Float, &array.0, x => {
            let lu = x.lu();
            [lu.permutation_matrix().into(), lu.lower.clone().into(), lu.upper.clone().into()]
        });
        all_made("lu", factors)
    })
}

/// The singular value decomposition of a matrix: of all values, or of the largest ones, found with so many iterations
/// and a seed.
#[pyfunction]
pub(crate) fn array_svd(
    array: &ArrayCore,
    compressed: Option<(usize, usize, u64)>,
) -> PyResult<[ArrayCore; 3]> {
    caught(|| {
        let factors = with_array!(Float, &array.0, x => {
            let (u, s, v) = match compressed {
                Some((rank, iterations, seed)) => x.svd_compressed(rank, iterations, seed),
                None => x.svd(),
            };
            [u.into(), s.into(), v.into()]
        });
        all_made("svd", factors)
    })
}

/// The solution of a system of equations; `is_lower` says of which triangle the matrix consists, if of one.
#[pyfunction]
pub(crate) fn array_solve(
    matrix: &ArrayCore,
    right: &ArrayCore,
    is_lower: Option<bool>,
) -> PyResult<ArrayCore> {
    caught(|| {
        let solution = with_array!(Float, &matrix.0, x => {
            let right = like(x, &right.0)?;
            match is_lower {
                Some(is_lower) => x.solve_triangular(right, is_lower).into(),
                None => x.solve(right).into(),
            }
        });
        made("solve", solution)
    })
}

/// The least squares solution, the residuals, the rank and the singular values.
#[pyfunction]
pub(crate) fn array_lstsq(matrix: &ArrayCore, right: &ArrayCore) -> PyResult<[ArrayCore; 4]> {
    caught(|| {
        let found = with_array!(Float, &matrix.0, x => {
            let found = x.lstsq(like(x, &right.0)?, None);
            [
                found.solution.into(),
                found.residuals.into(),
                found.rank.into_dyn().into(),
                found.singular_values.into(),
            ]
        });
        all_made("lstsq", found)
    })
}

/// Norms of vectors or matrices along axes: of an order, or "fro" or "nuc".
#[pyfunction]
pub(crate) fn array_norm(
    array: &ArrayCore,
    order: Option<f64>,
    name: Option<&str>,
    axes: Option<Vec<usize>>,
    keep: bool,
) -> PyResult<ArrayCore> {
    let norm = match (order, name) {
        (Some(order), _) => Norm::Order(order),
        (None, Some("nuc")) => Norm::Nuclear,
        (None, _) => Norm::Frobenius,
    };
    caught(|| {
        made("norm", with_array!(Element, &array.0, x => x.norm_axis(norm, axes_of(axes, keep)).into()))
    })
}

/// A Fourier transform along axes, which are cropped or padded to these lengths, with NumPy's scaling of this name.
#[pyfunction]
#[pyo3(signature = (name, array, axes, lengths=None, norm=None))]
pub(crate) fn array_fourier(
    name: &str,
    array: &ArrayCore,
    axes: Vec<usize>,
    lengths: Option<Vec<usize>>,
    norm: Option<&str>,
) -> PyResult<ArrayCore> {
    let transform = Fourier::along(&axes).norm(match norm {
        Some("ortho") => FourierNorm::Ortho,
        Some("forward") => FourierNorm::Forward,
        _ => FourierNorm::Backward,
    });
    let transform = match lengths {
        Some(lengths) => transform.lengths(lengths),
        None => transform,
    };
    caught(|| {
        let transformed = with_array!(Element, &array.0, x => match name {
            "fft" => x.fftn(transform).into(),
            "ifft" => x.ifftn(transform).into(),
            "rfft" => x.rfftn(transform).into(),
            "irfft" => x.irfftn(transform, None).into(),
            "fftshift" => x.fftshift(&axes).into(),
            "ifftshift" => x.ifftshift(&axes).into(),
            other => return Err(unknown(other)),
        });
        made(name, transformed)
    })
}

/// The array in a file, whose elements are of this type: an .npy file that is cut into these chunks, or a Zarr array.
#[pyfunction]
pub(crate) fn array_from_file(
    py: Python<'_>,
    core: &Core,
    dtype: &str,
    path: &str,
    chunks: Option<Sizes>,
) -> PyResult<ArrayCore> {
    let client = core.client();
    caught(|| {
        with_type!(Element, dtype, T => {
            let array = py.detach(|| match chunks {
                Some(chunks) => client.from_npy::<T>(path, chunks),
                None => client.from_zarr::<T>(path),
            });
            ArrayCore(computed(py, array)?.into())
        })
    })
}

/// Makes the array and writes it to an .npy file or a Zarr store.
#[pyfunction]
pub(crate) fn array_store(py: Python<'_>, array: &ArrayCore, path: &str, is_zarr: bool) -> PyResult<()> {
    caught(|| {
        let stored = py.detach(
            || with_array!(Element, &array.0, x => if is_zarr { x.store_zarr(path) } else { x.store_npy(path) }),
        );
        computed(py, stored.unwrap_or(Ok(())))
    })
}
