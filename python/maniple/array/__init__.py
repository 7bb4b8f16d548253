"""Lazy arrays in blocks over the ranks of a run, with the names of `dask.array`.

The blocks are made by the runtime's own tasks, which hold no GIL: one makes a block by as many elementwise operations
as possible. Results have the types that NumPy gives them, and the same values whatever the chunks and the number of
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
from . import fft, linalg, ma, overlap, random
from ._algorithms import (
    argsort,
    argtopk,
    average,
    bincount,
    corrcoef,
    cov,
    digitize,
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
    from_delayed,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from ._files import from_npy, from_npy_stack, from_zarr, store, to_npy, to_npy_stack, to_zarr
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
    broadcast_to,
    clip,
    concatenate,
    count_nonzero,
    cumprod,
    cumsum,
    diag,
    diagonal,
    diff,
    expand_dims,
    flip,
    hstack,
    imag,
    isclose,
    iscomplexobj,
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
    nanpercentile,
    nanprod,
    nanquantile,
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
    trace,
    transpose,
    tril,
    triu,
    var,
    vstack,
    where,
)
from ._gufunc import apply_gufunc, as_gufunc, gufunc
from ._hdf5 import from_hdf5, to_hdf5
from ._map import blockwise, map_blocks, reduction, unify_chunks
from ._overlap import apply_along_axis, map_overlap
from ._products import dot, einsum, matmul, outer, tensordot, vdot, vecdot
from ._routines import (
    angle,
    append,
    apply_over_axes,
    argwhere,
    array,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block,
    broadcast_arrays,
    choose,
    coarsen,
    compress,
    delete,
    dstack,
    ediff1d,
    extract,
    fix,
    flatnonzero,
    fromfunction,
    gradient,
    i0,
    insert,
    iscomplex,
    isneginf,
    isnull,
    isposinf,
    isreal,
    moment,
    nan_to_num,
    nanargmax,
    nanargmin,
    notnull,
    piecewise,
    push,
    ravel_multi_index,
    rollaxis,
    select,
    shuffle,
    sinc,
    tile,
    tri,
    tril_indices,
    tril_indices_from,
    triu_indices,
    triu_indices_from,
    unravel_index,
)
from ._standard import UNIVERSAL as _STANDARD
from ._standard import (
    __array_namespace_info__,
    astype,
    broadcast_shapes,
    can_cast,
    concat,
    cumulative_prod,
    cumulative_sum,
    finfo,
    from_dlpack,
    iinfo,
    isdtype,
    matrix_transpose,
    permute_dims,
    take_along_axis,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    unstack,
)
from ._types import NAMES as _TYPES
from ._types import normalize_chunks
from ._ufuncs import NAMES as _UFUNCS
from ._ufuncs import OTHERS as _OTHERS

pi, e, inf, nan, newaxis, euler_gamma = _np.pi, _np.e, _np.inf, _np.nan, None, _np.euler_gamma
__array_api_version__ = "2024.12"
_CONSTANTS = ["pi", "e", "inf", "nan", "newaxis", "euler_gamma"]

# Functions of this module, by name. NumPy hands over calls of those that it has, too.
_functions_by_name = {
    name: own
    for name, own in list(globals().items())
    if callable(own) and not name.startswith("_") and name not in ("Array", "compute")
}
_numpy_functions = {}
for _name, _own in _functions_by_name.items():
    if callable(_function := getattr(_np, _name, None)):
        # NumPy's `concat` is its `concatenate`, whose keywords are those of the longer name.
        if _function.__name__ == _name or _function not in _numpy_functions:
            _numpy_functions[_function] = _own
_numpy_functions |= linalg._numpy_functions | fft._numpy_functions

# NumPy's names of types.
_numpy_types = {name: getattr(_np, name) for name in _TYPES if name != "bool"} | {
    "bool": _np.bool_
}
globals().update(_numpy_types)

# NumPy's universal functions take arrays themselves.
_names = [*_UFUNCS, *_OTHERS, "abs", "true_divide", "mod", "conj", "bitwise_not"]
_universal = {name: getattr(_np, name) for name in _names} | _STANDARD
globals().update(_universal)

__all__ = sorted(
    [
        "Array",
        "compute",
        "fft",
        "linalg",
        "ma",
        "overlap",
        "random",
        *_CONSTANTS,
        *_numpy_types,
        *_functions_by_name,
        *_universal,
    ]
)
