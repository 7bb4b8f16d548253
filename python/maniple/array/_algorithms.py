"""Functions of arrays that look at all elements: order, sets, histograms, padding."""

import builtins
import functools
import operator

import numpy as np

from .. import _maniple
from ._array import Array
from ._create import arange, from_array, ones_like, zeros
from ._functions import _floats, asarray, broadcast_to, concatenate, flip, nanquantile, ravel, stack, take
from ._map import along_lines
from ._types import axis_index
from ._ufuncs import Quiet


def _of_one_type(a, b):
    """Two arrays with the type that holds both."""
    a, b = asarray(a), asarray(b)
    dtype = np.result_type(a.dtype, b.dtype)
    return a.astype(dtype), b.astype(dtype)


# Order


def sort(a, axis=-1, *, descending=False, stable=True):
    """The elements in ascending order along an axis, NaN last; equal ones keep their order. None: of all elements.

    In descending order NaN comes first.
    """
    a = ravel(asarray(a)) if axis is None else asarray(a)
    axis = axis_index(-1 if axis is None else axis, a.ndim)
    found = a._with(a._core.along("sort", axis))
    return flip(found, axis) if descending else found


def argsort(a, axis=-1, *, descending=False, stable=True):
    """The places of the elements in ascending order along an axis, NaN last; equal ones keep their order.

    In descending order NaN comes first.
    """
    a = ravel(asarray(a)) if axis is None else asarray(a)
    axis = axis_index(-1 if axis is None else axis, a.ndim)
    if descending:
        # Equal elements keep their order in this one, too.
        backwards = flip(a, axis)
        places = backwards._with(backwards._core.along("argsort", axis))
        return a.shape[axis] - 1 - flip(places, axis)
    return a._with(a._core.along("argsort", axis))


def _first(a, k, axis, are_places):
    a, k = asarray(a), operator.index(k)
    axis = axis_index(axis, a.ndim)
    if k >= 0:
        return a._with(_maniple.array_topk(a._core, k, axis, are_places))
    ordered = argsort(a, axis) if are_places else sort(a, axis)
    return ordered[(slice(None),) * axis + (slice(0, -k),)]


def topk(a, k, axis=-1, split_every=None):
    """The ``k`` largest elements along an axis, the largest first; of negative ``k``, as many of the smallest ones, the
    smallest first."""
    return _first(a, k, axis, False)


def argtopk(a, k, axis=-1, split_every=None):
    """The places of the ``k`` largest elements along an axis: see `topk`."""
    return _first(a, k, axis, True)


def searchsorted(a, v, side="left", sorter=None):
    """Where values would be put in a sorted array of one axis so that it stays sorted."""
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right', not {side!r}")
    a, v = _of_one_type(a, v)
    a = a if sorter is None else take(a, sorter)
    return a._with(_maniple.array_searchsorted(a._core, v._core, side == "right"))


# Sets


def unique(ar, return_index=False, return_inverse=False, return_counts=False):
    """The distinct elements in ascending order. The elements are ordered at once, so that the shape is known.

    Parameters
    ----------
    return_index, return_inverse, return_counts : bool
        Whether to return where each comes first, which of them each element is, and how often each comes, too.
    """
    ar = asarray(ar)
    values, *rest = (ar._with(core) for core in _maniple.array_unique(ar._core))
    chosen = [array for array, is_asked in zip(rest, (return_index, return_inverse, return_counts)) if is_asked]
    return (values, *chosen) if chosen else values


def _set(name, a, b):
    a, b = _of_one_type(a, b)
    return a._with(_maniple.array_sets(name, a._core, b._core))


def isin(element, test_elements, assume_unique=False, invert=False):
    """Whether each element is one of others."""
    found = _set("isin", element, test_elements)
    return ~found if invert else found


def union1d(ar1, ar2):
    """The distinct elements of both arrays, in ascending order."""
    return _set("union1d", ar1, ar2)


def intersect1d(ar1, ar2):
    """The distinct elements that both arrays have, in ascending order."""
    return _set("intersect1d", ar1, ar2)


def setdiff1d(ar1, ar2):
    """The distinct elements of the first array that the second one lacks, in ascending order."""
    return _set("setdiff1d", ar1, ar2)


# Counts


def digitize(a, bins, right=False):
    """The number of the bin that each element falls into, between edges in ascending order."""
    a, edges = asarray(a), np.asarray(bins, dtype=np.float64)
    if right:
        return searchsorted(from_array(edges), _floats(a), "left")
    return a._with(_maniple.array_digitize(a._core, edges.tolist()))


def bincount(x, weights=None, minlength=0, split_every=None):
    """How often each number from 0 on comes among integers; with ``weights`` their sums."""
    x = asarray(x)
    if x.dtype.kind not in "biu":
        raise TypeError(f"bincount takes integers, not {x.dtype}")
    x = ravel(x).astype(np.int64)
    weights = None if weights is None else ravel(asarray(weights)).astype(np.float64)._core
    return x._with(_maniple.array_bincount(x._core, weights, operator.index(minlength)))


def histogram(a, bins=None, range=None, normed=False, weights=None, density=None):
    """How many elements fall into each bin; the last bin includes its upper edge.

    Parameters
    ----------
    bins : int or array_like
        The number of bins of one width within ``range``, or the edges.
    weights : array, optional
        What each element counts.
    density : bool
        Whether counts are divided by the width of the bin and by all counts.

    Returns
    -------
    The counts, an array, and the edges, a NumPy array.
    """
    edges = _edges(bins, range)
    counts = bincount(_bins(ravel(asarray(a)), edges), weights, len(edges) + 1)[1:-1]
    if density or normed:
        counts = counts / np.diff(edges) / counts.sum()
    return counts, edges


def histogram2d(x, y, bins=10, range=None, normed=None, weights=None, density=None):
    """How many points fall into each cell of a grid: the counts, and the edges along both axes.

    Parameters
    ----------
    bins : int, array_like or pair of these
        As for `histogram`, for both axes or for each.
    range : pair of pairs, optional
        The lowest and the highest edge along each axis.
    """
    counts, edges = histogramdd((x, y), bins, range, normed, weights, density)
    return counts, *edges


def histogramdd(sample, bins, range=None, normed=None, weights=None, density=None):
    """How many points fall into each cell of a grid: the counts, and a list of the edges along each axis.

    Parameters
    ----------
    sample : array or sequence of arrays
        The points: an array of one row each, or an array of each coordinate.
    bins, range
        As for `histogram2d`.
    """
    if isinstance(sample, Array) or isinstance(sample, np.ndarray):
        sample = asarray(sample)
        sample = [sample[:, place] for place in builtins.range(sample.shape[1])]
    of_each = isinstance(bins, (list, tuple)) and len(bins) == len(sample)
    all_edges = [
        _edges(bins[place] if of_each else bins, None if range is None else range[place])
        for place in builtins.range(len(sample))
    ]
    cells, size = None, 1
    for values, edges in zip(sample, all_edges):
        places = _bins(ravel(asarray(values)), edges)
        size *= len(edges) + 1
        cells = places if cells is None else cells * (len(edges) + 1) + places
    whole = _floats(bincount(cells, weights, size)).reshape([len(edges) + 1 for edges in all_edges])
    counts = whole[(slice(1, -1),) * len(all_edges)]
    if density or normed:
        counts = counts / counts.sum()
        for axis, edges in enumerate(all_edges):
            counts = counts / np.diff(edges).reshape([-1 if axis == own else 1 for own in builtins.range(counts.ndim)])
    return counts, all_edges


def _edges(bins, limits):
    """The edges of bins that are given as such, or as a number within limits."""
    if np.ndim(bins) == 0:
        if bins is None or limits is None:
            raise ValueError("histogram takes bins= as edges, or as a number together with range=(low, high)")
        low, high = map(float, limits)
        return np.linspace(low, high, operator.index(bins) + 1)
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or np.any(edges[1:] < edges[:-1]):
        raise ValueError("bins must increase monotonically, when an array")
    return edges


def _bins(values, edges):
    """The bin of each value, from 1: 0 is below all, the number of edges is above all or NaN. The last bin includes its
    upper edge."""
    values = _floats(values)
    places = digitize(values, edges)
    places = np.where(values == edges[-1], len(edges) - 1, places)
    return np.where(np.isnan(values), len(edges), places)


def cov(m, y=None, rowvar=True, bias=False, ddof=None):
    """Covariances of the variables that the rows of a matrix are, or its columns unless ``rowvar``."""
    degrees = float((0 if bias else 1) if ddof is None else ddof)
    m = _variables(m, y, rowvar)
    covariances = m._with(_maniple.array_covariance(m._core, degrees, False))
    return covariances.squeeze()


def corrcoef(x, y=None, rowvar=True):
    """Correlations of the variables that the rows of a matrix are, or its columns unless ``rowvar``."""
    x = _variables(x, y, rowvar)
    return x._with(_maniple.array_covariance(x._core, 1.0, True)).squeeze()


def _variables(m, y, rowvar):
    """The variables as rows of a matrix."""

    def rows(array):
        array = _floats(asarray(array))
        if array.ndim > 2:
            raise ValueError("m has more than 2 dimensions")
        is_row = array.ndim < 2
        array = array.reshape(1, -1) if is_row else array
        return array if rowvar or is_row else array.T

    return rows(m) if y is None else concatenate(_of_one_type(rows(m), rows(y)), axis=0)


# Shapes


def pad(array, pad_width, mode="constant", **kwargs):
    """An array with elements before and after those along its axes.

    Parameters
    ----------
    pad_width : int or sequence
        How many before and after: one number, one pair, or a pair for each axis.
    mode : str or callable
        What they are: one of the modes of `numpy.pad`. ``constant_values`` is 0 by default.
    **kwargs
        The keywords of this mode.
    """
    array = asarray(array)
    widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2)).tolist()
    if mode == "constant":
        values = np.broadcast_to(np.asarray(kwargs.pop("constant_values", 0)), (array.ndim, 2)).tolist()
        _no_more(kwargs)
        for axis, ((before, after), (first, last)) in enumerate(zip(widths, values)):
            for count, value, is_before in ((before, first, True), (after, last, False)):
                element = np.array(value).astype(array.dtype).tobytes()
                counts = (count, 0) if is_before else (0, count)
                array = array._with(_maniple.array_pad(array._core, axis, *counts, element)) if count else array
        return array
    if callable(mode) or mode not in ("edge", "reflect", "symmetric", "wrap") or kwargs:
        return _padded_by_numpy(array, widths, mode, kwargs)
    for axis, (before, after) in enumerate(widths):
        if before or after:
            places = np.pad(np.arange(array.shape[axis]), (before, after), mode=mode)
            array = take(array, places, axis)
    return array


def _padded_by_numpy(array, widths, mode, kwargs):
    """What NumPy puts around blocks that are whole along an axis, one axis after the other."""
    if not callable(mode):
        # A wrong keyword is an error now, not in the tasks.
        np.pad(np.zeros((1,) * array.ndim), 0, mode, **kwargs)
    for axis, (before, after) in enumerate(widths):
        if not (before or after):
            continue
        own = [(before, after) if place == axis else (0, 0) for place in range(array.ndim)]
        named = {key: value if np.ndim(value) == 0 or mode == "constant" or np.ndim(value) == 1 and array.ndim == 1
                 else np.broadcast_to(value, (array.ndim, 2)).tolist() for key, value in kwargs.items()}  # fmt: skip
        sizes = array.chunks[axis]
        if callable(mode):
            function = functools.partial(_padded_by, mode, axis, (before, after), kwargs)
            array = along_lines(function, array, (axis,), {axis: sum(sizes) + before + after}, array.dtype)
            continue
        array = along_lines(
            Quiet(np.pad, pad_width=own, mode=mode, **named),
            array,
            (axis,),
            {axis: sum(sizes) + before + after},
            array.dtype,
        )
        array = array.rechunk({axis: ((before,) if before else ()) + sizes + ((after,) if after else ())})
    return array


def _padded_by(function, axis, widths, named, block):
    """A block with elements that a function sets in each line, as `numpy.pad` has it."""
    own = [widths if place == axis else (0, 0) for place in range(block.ndim)]
    padded = np.pad(block, own)

    def line(vector):
        vector = vector.copy()
        function(vector, widths, axis, named)
        return vector

    return np.apply_along_axis(line, axis, padded)


def _no_more(keywords):
    if keywords:
        raise TypeError(f"pad() got an unexpected keyword argument {next(iter(keywords))!r}")


def fliplr(m):
    """The columns in the other order."""
    return flip(m, 1)


def flipud(m):
    """The rows in the other order."""
    return flip(m, 0)


def rot90(m, k=1, axes=(0, 1)):
    """The array turned by ``k`` quarters of a circle in the plane of two axes."""
    m = asarray(m)
    first, second = (axis_index(axis, m.ndim) for axis in axes)
    if first == second:
        raise ValueError("Axes must be different.")
    k = operator.index(k) % 4
    if k == 2:
        return flip(flip(m, first), second)
    if k == 0:
        return m
    order = list(builtins.range(m.ndim))
    order[first], order[second] = order[second], order[first]
    return flip(m, second).transpose(order) if k == 1 else flip(m.transpose(order), second)


def indices(dimensions, dtype=int, chunks="auto"):
    """For each axis of a shape an array of the places along it."""
    shape = tuple(map(operator.index, dimensions))
    whole = zeros(shape, dtype=dtype, chunks=chunks)
    return stack([
        arange(length, chunks=(own,), dtype=dtype).reshape((-1,) + (1,) * (len(shape) - axis - 1)) + whole
        for axis, (length, own) in enumerate(zip(shape, whole.chunks))
    ])  # fmt: skip


def meshgrid(*xi, sparse=False, indexing="xy"):
    """The coordinates of a grid, of the coordinates along its axes."""
    if indexing not in ("xy", "ij"):
        raise ValueError("`indexing` must be `'xy'` or `'ij'`")
    arrays = [asarray(x).reshape(-1) for x in xi]
    swaps = indexing == "xy" and len(arrays) > 1
    places = [1, 0, *builtins.range(2, len(arrays))] if swaps else list(builtins.range(len(arrays)))
    shaped = []
    for array, place in zip(arrays, places):
        shape = [1] * len(arrays)
        shape[place] = -1
        shaped.append(array.reshape(shape))
    if sparse:
        return tuple(shaped)
    full = np.broadcast_shapes(*(array.shape for array in shaped)) if shaped else ()
    return tuple(broadcast_to(array, full) for array in shaped)


def average(a, axis=None, weights=None, returned=False, keepdims=False):
    """Means over all axes or some; with ``weights`` of elements that count differently."""
    a = _floats(asarray(a))
    if weights is None:
        mean = a.mean(axis=axis, keepdims=keepdims)
        total = ones_like(a).sum(axis=axis, keepdims=keepdims)
        return (mean, total) if returned else mean
    weights = asarray(weights)
    if weights.shape != a.shape:
        if axis is None or np.iterable(axis):
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        if weights.ndim != 1 or weights.shape[0] != a.shape[axis]:
            raise ValueError("Length of weights not compatible with specified axis.")
        shape = [1] * a.ndim
        shape[axis] = -1
        weights = broadcast_to(weights.reshape(shape), a.shape)
    total = _floats(weights).sum(axis=axis, keepdims=keepdims)
    mean = (a * weights).sum(axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


def nanmedian(a, axis=None, keepdims=False, out=None):
    """The medians along axes, without NaN."""
    a = _floats(asarray(a))
    if np.iterable(axis) or out is not None or a.dtype.kind == "c":
        return nanquantile(a, 0.5, axis, out, keepdims=keepdims)
    whole, axis = (ravel(a), 0) if axis is None else (a, axis_index(axis, a.ndim))
    found = a._with(whole._core.along("nanmedian", axis))
    if not keepdims:
        return found
    return found.reshape((1,) * a.ndim if found.ndim == 0 else found.shape[:axis] + (1,) + found.shape[axis:])


# What arrays have as methods, too.
for _function in (topk, argtopk):
    setattr(Array, _function.__name__, _function)
