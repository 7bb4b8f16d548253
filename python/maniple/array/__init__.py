"""Lazy arrays in blocks over the ranks of a run, with the names of `dask.array`.

The blocks are made by the runtime's own tasks, which hold no GIL: one makes a block by as many elementwise operations as
possible. Results have the types that NumPy gives them, and the same values whatever the chunks and the number of
workers; floating-point sums differ with the chunks in their last digits.

An array belongs to the run of the client that was made last before it; without one, to a run in this process.

Examples
--------
>>> import maniple.array as da
>>> x = da.random.default_rng(1).random((1000, 1000), chunks=(250, 500))
>>> bool(0.45 < (x + x.T).mean().compute() / 2 < 0.55)
True
"""

import numpy as _np

from .._delayed import compute
from . import fft, linalg, random
from ._algorithms import (
    argsort,
    argtopk,
    average,
    bincount,
    corrcoef,
    cov,
    digitize,
    einsum,
    fliplr,
    flipud,
    histogram,
    histogram2d,
    histogramdd,
    indices,
    intersect1d,
    isin,
    meshgrid,
    nanmedian,
    outer,
    pad,
    rot90,
    searchsorted,
    setdiff1d,
    sort,
    topk,
    union1d,
    unique,
)
from ._array import Array
from ._create import (
    arange,
    empty,
    empty_like,
    eye,
    from_array,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from ._files import from_npy, from_zarr, to_npy, to_zarr
from ._functions import (
    all,
    allclose,
    amax,
    amin,
    any,
    argmax,
    argmin,
    around,
    asanyarray,
    asarray,
    atleast_2d,
    broadcast_to,
    clip,
    concatenate,
    count_nonzero,
    cumprod,
    cumsum,
    diag,
    diff,
    dot,
    expand_dims,
    flip,
    hstack,
    imag,
    iscomplexobj,
    isclose,
    map_blocks,
    matmul,
    max,
    mean,
    median,
    min,
    moveaxis,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
    ndim,
    nonzero,
    percentile,
    prod,
    ptp,
    quantile,
    ravel,
    real,
    rechunk,
    repeat,
    reshape,
    result_type,
    roll,
    round,
    shape,
    size,
    squeeze,
    stack,
    std,
    sum,
    swapaxes,
    take,
    tensordot,
    trace,
    transpose,
    tril,
    triu,
    var,
    vstack,
    where,
)
from ._overlap import apply_along_axis, map_overlap
from ._types import normalize_chunks
from ._ufuncs import NAMES as _UFUNCS

pi, e, inf, nan, newaxis = _np.pi, _np.e, _np.inf, _np.nan, None

# Functions of this module, by name. NumPy hands over calls of those that it has, too.
_functions_by_name = {
    name: own
    for name, own in list(globals().items())
    if callable(own) and not name.startswith("_") and name not in ("Array", "compute")
}
_numpy_functions = {
    function: own
    for name, own in _functions_by_name.items()
    if callable(function := getattr(_np, name, None))
}
_numpy_functions |= linalg._numpy_functions | fft._numpy_functions

# NumPy's universal functions take arrays themselves.
_universal = {name: getattr(_np, name) for name in [*_UFUNCS, "abs", "true_divide", "mod", "conj"]}
globals().update(_universal)

__all__ = sorted(["Array", "compute", "fft", "linalg", "random", "pi", "e", "inf", "nan", "newaxis", *_functions_by_name, *_universal])
