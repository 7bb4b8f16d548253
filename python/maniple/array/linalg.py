"""Linear algebra, with the names of `dask.array.linalg`."""

import operator

import numpy as np

from .. import _maniple
from ._algorithms import _of_one_type
from ._create import eye
from ._functions import _floats, asarray
from ._functions import diagonal as _diagonal
from ._functions import sum as _sum
from ._products import matmul, outer, tensordot, vecdot
from ._standard import cross, matrix_transpose
from ._types import axis_tuple

__all__ = [
    "cholesky", "cross", "det", "diagonal", "inv", "lstsq", "lu", "matmul", "matrix_norm", "matrix_power", "matrix_rank",
    "matrix_transpose", "norm", "outer", "pinv", "qr", "sfqr", "solve", "solve_triangular", "svd", "svd_compressed",
    "svdvals", "tensordot", "trace", "tsqr", "vecdot", "vector_norm",
]  # fmt: skip


def _matrix(a):
    a = _floats(asarray(a))
    if a.ndim != 2:
        raise ValueError(f"the array has {a.ndim} axes, a matrix has 2")
    return a


def _all(a, cores):
    return tuple(a._with(core) for core in cores)


def qr(a):
    """Q, whose columns are orthonormal, and R, an upper triangle, whose product is the matrix."""
    a = _matrix(a)
    return _all(a, _maniple.array_qr(a._core))


def tsqr(data, compute_svd=False):
    """`qr` of a matrix with more rows than columns; with ``compute_svd``, `svd`."""
    return svd(data) if compute_svd else qr(data)


def sfqr(data, name=None):
    """`qr` of a matrix with more columns than rows."""
    return qr(data)


def lu(a):
    """A permutation matrix, a lower and an upper triangle whose product is the matrix, as `scipy.linalg.lu`."""
    a = _matrix(a)
    return _all(a, _maniple.array_lu(a._core))


def svd(a, coerce_signs=True, full_matrices=False):
    """U, the singular values with the largest first, and V transposed: as NumPy's with ``full_matrices=False``."""
    if full_matrices:
        raise NotImplementedError("svd(full_matrices=True)")
    a = _matrix(a)
    return _all(a, _maniple.array_svd(a._core, None))


def svd_compressed(
    a, k, iterator="power", n_power_iter=0, n_oversamples=10, seed=None, compute=False, coerce_signs=True
):
    """The ``k`` largest singular values and their vectors, nearly, by random products (Halko, Martinsson, Tropp 2011).

    Parameters
    ----------
    n_power_iter : int
        Iterations that make them more exact where singular values decay slowly.
    seed : int
        Of the random products; 0 by default.
    iterator, n_oversamples, compute, coerce_signs
        Accepted without effect: products are iterated with a factorization between them, and 10 more columns.
    """
    a = _matrix(a)
    seed = operator.index(seed) if hasattr(seed, "__index__") else 0
    return _all(a, _maniple.array_svd(a._core, (int(k), int(n_power_iter), seed)))


def cholesky(a, lower=False):
    """The triangular factor of a positive definite matrix: the upper one, or the lower one."""
    a = _matrix(a)
    factor = a._with(_maniple.array_matrix("cholesky", a._core))
    return factor if lower else factor.conj().T


def inv(a):
    """The inverse of a square matrix."""
    a = _matrix(a)
    return a._with(_maniple.array_matrix("inv", a._core))


def det(a):
    """The determinant of a square matrix."""
    a = _matrix(a)
    return a._with(_maniple.array_matrix("det", a._core))


def _solve(a, b, is_lower):
    a, b = _of_one_type(_matrix(a), _floats(asarray(b)))
    return a._with(_maniple.array_solve(a._core, b._core, is_lower))


def solve(a, b, sym_pos=None, assume_a="gen"):
    """The solution of a system of equations with a square matrix, for one right side or for each column."""
    return _solve(a, b, None)


def solve_triangular(a, b, lower=False):
    """The solution of a system of equations with a triangular matrix."""
    return _solve(a, b, bool(lower))


def lstsq(a, b):
    """The least squares solution, the sums of squared residuals, the rank, and the singular values."""
    a, b = _of_one_type(_matrix(a), _floats(asarray(b)))
    solution, residuals, rank, values = _all(a, _maniple.array_lstsq(a._core, b._core))
    return solution, residuals if residuals.ndim else residuals.reshape(1), rank, values


def norm(x, ord=None, axis=None, keepdims=False):
    """Norms of vectors or matrices along one axis or two, or of all elements: see `numpy.linalg.norm`."""
    x = _floats(asarray(x))
    axes = axis_tuple(axis, x.ndim)
    if ord is None:
        return np.sqrt(_sum(np.square(np.absolute(x)), axis=axes, keepdims=keepdims))
    if ord not in ("fro", "nuc"):
        ord = float(ord)
    name, order = (ord, None) if isinstance(ord, str) else (None, ord)
    return x._with(_maniple.array_norm(x._core, order, name, axes, bool(keepdims)))


# Names of the array API standard


def diagonal(x, /, *, offset=0):
    """The diagonals of the matrices along the last two axes."""
    return _diagonal(x, offset, -2, -1)


def trace(x, /, *, offset=0, dtype=None):
    """The sums of the diagonals of the matrices along the last two axes."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """The norms of the matrices along the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """The norms of vectors along axes, or of all elements."""
    x = asarray(x)
    if axis is None:
        found = norm(x.ravel(), ord)
        return found.reshape((1,) * x.ndim) if keepdims else found
    return norm(x, ord, axis, keepdims)


def matrix_power(x, n, /):
    """A power of a square matrix."""
    x = asarray(x)
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        raise ValueError(f"matrix_power takes a square matrix, not the shape {x.shape}")
    if n < 0:
        return matrix_power(inv(x), -n)
    result = eye(x.shape[0], chunks=x.chunks[0], dtype=x.dtype)
    for bit in bin(n)[2:]:
        result = matmul(result, result)
        result = matmul(result, x) if bit == "1" else result
    return result


def matrix_rank(x, /, *, rtol=None):
    """How many singular values of a matrix are not zero, nearly."""
    values = svdvals(x)
    rtol = max(x.shape) * np.finfo(values.dtype).eps if rtol is None else rtol
    return _sum(values > values.max() * rtol)


def svdvals(x, /):
    """The singular values of a matrix, the largest first."""
    return svd(x)[1]


def pinv(x, /, *, rtol=None):
    """The pseudo-inverse of a matrix."""
    x = _matrix(x)
    u, values, vh = svd(x)
    rtol = max(x.shape) * np.finfo(values.dtype).eps if rtol is None else rtol
    scaled = np.where(values > values.max() * rtol, 1 / values, values.dtype.type(0))
    return matmul(vh.conj().T * scaled, u.conj().T)


# What NumPy's functions of `numpy.linalg` do with arrays, where they do the same.
_numpy_functions = {getattr(np.linalg, name): globals()[name] for name in ("det", "inv", "norm", "qr", "solve")}
_numpy_functions[np.linalg.cholesky] = lambda a: cholesky(a, lower=True)
