"""More functions with NumPy's names: joining, selecting, inserting, and what NumPy does block by block."""

import builtins
import functools
import math
import operator

import numpy as np

from ._array import Array, _broadcast, same_run
from ._blockwise import blocks_of, call_blocks, region
from ._create import ones
from ._functions import (
    _filled,
    _floats,
    _of_dtype,
    _promoted,
    asarray,
    broadcast_to,
    concatenate,
    expand_dims,
    mean,
    moveaxis,
    nonzero,
    ravel,
    stack,
    sum,
    take,
    tril,
    where,
)
from ._map import along_lines, elementwise, map_blocks
from ._types import axis_index, axis_tuple, dtype_of, normalize_chunks, shape_of
from ._ufuncs import Quiet

# What arrays are


def array(x, dtype=None, ndmin=None, *, like=None, copy=None, chunks="auto"):
    """An array of anything that NumPy makes an array of, with at least ``ndmin`` axes."""
    x = asarray(x, chunks=chunks, dtype=dtype)
    missing = builtins.max((ndmin or 0) - x.ndim, 0)
    return x[(None,) * missing] if missing else x


def iscomplex(x):
    """Where the imaginary part is not zero."""
    return asarray(x).imag != 0


def isreal(x):
    """Where the imaginary part is zero."""
    return asarray(x).imag == 0


def isnull(values):
    """Where elements are NaN."""
    values = asarray(values)
    return np.isnan(values) if values.dtype.kind in "fc" else values._full_like(False, np.bool_)


def notnull(values):
    """Where elements are not NaN."""
    return ~isnull(values)


# Elementwise, by NumPy


def _by_numpy(function, doc):
    def own(x, *args, **kwargs):
        return elementwise(Quiet(functools.partial(_with_rest, function, args, kwargs)), x)

    own.__name__ = own.__qualname__ = function.__name__
    own.__doc__ = doc
    own.__signature__ = _signature(function)
    return own


def _signature(function):
    import inspect

    found = inspect.signature(function)
    return found.replace(parameters=[each for each in found.parameters.values() if each.name != "out"])


def _with_rest(function, args, kwargs, block):
    return function(block, *args, **kwargs)


angle = _by_numpy(np.angle, "The angles of complex numbers.")
fix = _by_numpy(np.fix, "The elements rounded towards zero.")
i0 = _by_numpy(np.i0, "The modified Bessel function of the first kind and order 0.")
isneginf = _by_numpy(np.isneginf, "Where elements are minus infinity.")
isposinf = _by_numpy(np.isposinf, "Where elements are infinity.")
nan_to_num = _by_numpy(np.nan_to_num, "Numbers in the place of NaN and infinities.")
sinc = _by_numpy(np.sinc, "The normalised sinc function.")


# Axes


def atleast_1d(*arys):
    """Arrays with one axis at least."""
    return _all_or_one([a if a.ndim else a.reshape(1) for a in map(asarray, arys)])


def atleast_2d(*arys):
    """Arrays with two axes at least: of one axis, a row."""
    return _all_or_one([a if a.ndim >= 2 else a[None] if a.ndim else a.reshape(1, 1) for a in map(asarray, arys)])


def atleast_3d(*arys):
    """Arrays with three axes at least: of one axis, in the middle."""
    return _all_or_one([_three(a) for a in map(asarray, arys)])


def _three(a):
    keys = {0: (None, None, None), 1: (None, slice(None), None), 2: (slice(None), slice(None), None)}
    return a[keys[a.ndim]] if a.ndim < 3 else a


def _all_or_one(arrays):
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


def dstack(tup, allow_unknown_chunksizes=False):
    """Arrays one behind the other along the third axis."""
    return concatenate([atleast_3d(a) for a in tup], axis=2)


def rollaxis(a, axis, start=0):
    """The array with an axis moved to before another place: see `numpy.rollaxis`."""
    a = asarray(a)
    axis = axis_index(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    if not 0 <= start <= a.ndim:
        raise ValueError(f"start={start} is no place among {a.ndim} axes")
    return moveaxis(a, axis, start - 1 if axis < start else start)


def broadcast_arrays(*args, subok=False):
    """The arrays, repeated to one shape."""
    arrays = list(map(asarray, args))
    shape = _broadcast(*arrays)
    return tuple(broadcast_to(a, shape) for a in arrays)


def tile(A, reps):
    """The array so many times along each axis."""
    reps = tuple(map(operator.index, reps)) if np.iterable(reps) else (operator.index(reps),)
    if builtins.any(count < 0 for count in reps):
        raise ValueError("Negative `reps` are not allowed.")
    a = asarray(A)
    a = a[(None,) * builtins.max(len(reps) - a.ndim, 0)] if len(reps) > a.ndim else a
    for axis, count in enumerate((1,) * (a.ndim - len(reps)) + reps):
        if count != 1:
            a = concatenate([a] * count, axis) if count else a[(slice(None),) * axis + (slice(0, 0),)]
    return a


def block(arrays, allow_unknown_chunksizes=False):
    """An array of nested lists of arrays: see `numpy.block`."""
    depth = _depth(arrays)
    leaves = list(_leaves(arrays))
    if not leaves:
        raise ValueError("block takes arrays")
    ndim = builtins.max(depth, *(a.ndim for a in leaves))
    return _joined_block(arrays, depth, ndim)


def _depth(arrays):
    if isinstance(arrays, tuple):
        raise TypeError("block takes lists of arrays, no tuples")
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(each) for each in arrays}
    if len(depths) != 1:
        raise ValueError("block: the lists are empty or not nested alike")
    return depths.pop() + 1


def _leaves(arrays):
    if isinstance(arrays, list):
        for each in arrays:
            yield from _leaves(each)
    else:
        yield asarray(arrays)


def _joined_block(arrays, depth, ndim):
    if not isinstance(arrays, list):
        a = asarray(arrays)
        return a[(None,) * (ndim - a.ndim)] if a.ndim < ndim else a
    return concatenate([_joined_block(each, depth - 1, ndim) for each in arrays], axis=-depth)


# Selecting and inserting


def argwhere(a):
    """The indices of the elements that are not zero, a row for each. How many there are is computed."""
    a = asarray(a)
    found = nonzero(a if a.ndim else a.reshape(1))
    return stack(found, axis=1)[:, : a.ndim]


def flatnonzero(a):
    """The indices of the elements that are not zero in the flattened array. How many there are is computed."""
    return nonzero(ravel(asarray(a)))[0]


def extract(condition, arr):
    """The elements where a condition holds. How many there are is computed."""
    return compress(ravel(asarray(condition)), ravel(asarray(arr)))


def compress(condition, a, axis=None):
    """The slices along an axis where a condition holds. How many there are is computed."""
    a = asarray(a)
    a, axis = (ravel(a), 0) if axis is None else (a, axis_index(axis, a.ndim))
    condition = np.asarray(condition).astype(bool)
    if condition.ndim != 1:
        raise ValueError("Condition must be one dimensional")
    if len(condition) > a.shape[axis]:
        raise ValueError("compress: the condition is longer than the array")
    return take(a, np.flatnonzero(condition), axis)


def append(arr, values, axis=None):
    """Arrays one after the other, flattened without an axis."""
    arr, values = asarray(arr), asarray(values)
    if axis is None:
        return concatenate([ravel(arr), ravel(values)])
    if arr.ndim != values.ndim:
        raise ValueError("all the input arrays must have the same number of dimensions")
    return concatenate([arr, values], axis)


def _places(obj, length):
    """The places along an axis that an index of `insert` or `delete` names, and whether it is one integer."""
    if isinstance(obj, slice):
        return np.arange(*obj.indices(length)), False
    places = np.asarray(obj)
    if places.dtype == np.bool_:
        places = np.flatnonzero(places)
    if places.size and np.any((places < -length) | (places > length)):
        raise IndexError(f"index {obj} is out of bounds for an axis of size {length}")
    return np.atleast_1d(np.where(places < 0, places + length, places)).astype(int), places.ndim == 0


def delete(arr, obj, axis=None):
    """The array without slices along an axis."""
    arr = asarray(arr)
    arr, axis = (ravel(arr), 0) if axis is None else (arr, axis_index(axis, arr.ndim))
    places, _ = _places(obj, arr.shape[axis])
    if places.size and places.max() >= arr.shape[axis]:
        raise IndexError(f"index {obj} is out of bounds for axis {axis} with size {arr.shape[axis]}")
    return take(arr, np.setdiff1d(np.arange(arr.shape[axis]), places), axis)


def insert(arr, obj, values, axis=None):
    """The array with values before slices along an axis: see `numpy.insert`."""
    arr = asarray(arr)
    arr, axis = (ravel(arr), 0) if axis is None else (arr, axis_index(axis, arr.ndim))
    length = arr.shape[axis]
    places, is_one = _places(obj, length)
    values = asarray(values).astype(arr.dtype)
    if is_one and values.ndim:
        # One index takes values as an assignment to one slice.
        values = values[(None,) * (arr.ndim - values.ndim)] if values.ndim < arr.ndim else values
        values = moveaxis(values, 0, axis)
        places = np.repeat(places, values.shape[axis])
    shape = list(arr.shape)
    shape[axis] = len(places)
    values = broadcast_to(values, shape)
    # The elements of both, in the order that NumPy gives a list of places.
    order = np.insert(np.arange(length), places, length + np.arange(len(places)))
    return take(concatenate([arr, values], axis), order, axis)


def choose(a, choices, out=None, mode="raise"):
    """The elements of several arrays that integers choose."""
    a = asarray(a)
    choices = list(choices) if not isinstance(choices, Array) else [choices[place] for place in range(len(choices))]
    choices = _promoted(choices, a._client)
    return _filled(out, map_blocks(_choose, a, *choices, dtype=choices[0].dtype, mode=mode))


def _choose(a, *choices, mode):
    return np.choose(a, choices, mode=mode)


def select(condlist, choicelist, default=0):
    """The elements of the first array whose condition holds, or the default."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not condlist:
        raise ValueError("select with an empty condition list is not possible")
    client = same_run(value for value in (*condlist, *choicelist, default) if isinstance(value, Array))
    conditions = [asarray(condition) for condition in condlist]
    if builtins.any(condition.dtype != np.bool_ for condition in conditions):
        raise TypeError("select takes conditions that are arrays of booleans")
    *choices, result = _promoted([*choicelist, default], client or conditions[0]._client)
    for condition, choice in zip(reversed(conditions), reversed(choices)):
        result = where(condition, choice, result)
    return result


def piecewise(x, condlist, funclist, *args, **kw):
    """What functions make of the elements where their conditions hold: see `numpy.piecewise`."""
    x = asarray(x)
    if isinstance(condlist, Array) or np.ndim(condlist[0]) == 0 and not isinstance(condlist[0], Array):
        condlist = [condlist] if np.ndim(condlist) <= x.ndim else list(condlist)
    conditions = [asarray(condition) for condition in condlist]
    return map_blocks(_piecewise, x, *conditions, dtype=x.dtype, funclist=funclist, func_args=args, func_kw=kw)


def _piecewise(x, *condlist, funclist, func_args, func_kw):
    return np.piecewise(x, list(condlist), funclist, *func_args, **func_kw)


# Indices


def tri(N, M=None, k=0, dtype=float, chunks="auto", *, like=None):
    """A matrix with ones on and below a diagonal, and zeros elsewhere."""
    columns = N if M is None else M
    return tril(ones((N, columns), dtype=np.uint8, chunks=chunks), k).astype(dtype)


def tril_indices(n, k=0, m=None, chunks="auto"):
    """The indices of the elements on and below a diagonal. How many there are is computed."""
    return nonzero(tri(n, m, k, dtype=bool, chunks=chunks))


def tril_indices_from(arr, k=0):
    """`tril_indices` of the shape of a matrix."""
    return tril_indices(*_matrix_shape(arr, k), chunks=arr.chunks)


def triu_indices(n, k=0, m=None, chunks="auto"):
    """The indices of the elements on and above a diagonal. How many there are is computed."""
    return nonzero(~tri(n, m, k - 1, dtype=bool, chunks=chunks))


def triu_indices_from(arr, k=0):
    """`triu_indices` of the shape of a matrix."""
    return triu_indices(*_matrix_shape(arr, k), chunks=arr.chunks)


def _matrix_shape(arr, k):
    if arr.ndim != 2:
        raise ValueError("input array must be 2-d")
    return arr.shape[0], k, arr.shape[1]


def unravel_index(indices, shape, order="C"):
    """For each axis of a shape the indices of elements that are given in the flattened array."""
    indices, shape = asarray(indices), shape_of(shape)
    found = []
    for axis in range(len(shape)):
        found.append(elementwise(functools.partial(_unravelled, shape, order, axis), indices, dtype=np.int64))
    return tuple(found)


def _unravelled(shape, order, axis, block):
    return np.unravel_index(block, shape, order)[axis]


def ravel_multi_index(multi_index, dims, mode="raise", order="C"):
    """The indices in the flattened array of elements that are given along each axis."""
    arrays = broadcast_arrays(*(multi_index if not isinstance(multi_index, Array) else list(multi_index)))
    return map_blocks(_ravelled, *arrays, dtype=np.int64, dims=dims, mode=mode, order=order)


def _ravelled(*blocks, dims, mode, order):
    return np.ravel_multi_index(blocks, dims, mode, order)


def fromfunction(func, chunks="auto", shape=None, dtype=float, **kwargs):
    """The array that a Python function makes of the indices of its elements, block by block."""
    shape = shape_of(shape)
    dtype = dtype_of(dtype)
    chunks = normalize_chunks(chunks, shape, dtype=dtype)
    return blocks_of(functools.partial(_of_indices, func, chunks, dtype, kwargs), chunks, dtype)


def _of_indices(func, chunks, dtype, kwargs, location):
    parts = region(location, chunks)
    grid = np.meshgrid(*(np.arange(part.start, part.stop, dtype=dtype) for part in parts), indexing="ij")
    shape = tuple(part.stop - part.start for part in parts)
    return np.broadcast_to(np.asarray(func(*grid, **kwargs)), shape).astype(dtype, copy=False)


# Sums, differences and parts


def moment(a, order, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None):
    """The central moments of an order over all axes or some."""
    if not isinstance(order, int) or order < 0:
        raise ValueError("Order must be an integer >= 0")
    a = _of_dtype(_floats(asarray(a)), dtype)
    if order == 0:
        return _filled(out, sum(a * 0 + 1, axis, keepdims=keepdims) / sum(a * 0 + 1, axis, keepdims=keepdims))
    centred = (a - mean(a, axis, keepdims=True)) ** order
    axes = range(a.ndim) if axis is None else axis_tuple(axis, a.ndim)
    count = math.prod(a.shape[place] for place in axes)
    return _filled(out, sum(centred, axis, keepdims=keepdims) / (count - ddof))


def _nan_place(name):
    function = getattr(np, name)

    def own(a, axis=None, keepdims=False, split_every=None, out=None):
        a = asarray(a)
        if axis is None:
            found = along_lines(function, ravel(a), (0,), dtype=np.int64, keeps=False)
            return _filled(out, found.reshape((1,) * a.ndim) if keepdims else found)
        axis = axis_index(axis, a.ndim)
        found = along_lines(functools.partial(function, axis=axis), a, (axis,), dtype=np.int64, keeps=False)
        return _filled(out, expand_dims(found, axis) if keepdims else found)

    own.__name__ = own.__qualname__ = name
    own.__doc__ = f"The indices of the first {'smallest' if name == 'nanargmin' else 'largest'} elements without NaN."
    return own


nanargmin, nanargmax = _nan_place("nanargmin"), _nan_place("nanargmax")


def ediff1d(ary, to_end=None, to_begin=None):
    """The differences of neighbours in the flattened array, with elements before and after them."""
    a = ravel(asarray(ary))
    parts = [] if to_begin is None else [ravel(asarray(to_begin)).astype(a.dtype)]
    parts.append(a[1:] - a[:-1])
    parts += [] if to_end is None else [ravel(asarray(to_end)).astype(a.dtype)]
    return concatenate(parts) if len(parts) > 1 else parts[0]


def gradient(f, *varargs, axis=None, edge_order=1, **kwargs):
    """The gradient along axes by central differences, an array for each: see `numpy.gradient`."""
    f = asarray(f)
    axes = tuple(range(f.ndim)) if axis is None else axis_tuple(axis, f.ndim)
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(
            f"Spacing must either be a single scalar, or a scalar / 1d-array per axis; {len(varargs)} given"
        )
    spacings = (varargs or (1,)) * (len(axes) if len(varargs) < 2 else 1)
    f = f if f.dtype.kind in "fc" else f.astype(np.float64)
    found = []
    for own, spacing in zip(axes, spacings):
        spacing = spacing if np.ndim(spacing) == 0 else np.asarray(spacing)
        if np.ndim(spacing) and len(spacing) != f.shape[own]:
            raise ValueError("when 1d, distances must match the length of the corresponding dimension")
        if f.shape[own] < edge_order + 1:
            raise ValueError("Shape of array too small to calculate a numerical gradient, at least edge_order + 1")
        function = functools.partial(_gradient, spacing, own, edge_order)
        sizes = f.chunks[own]
        found.append(along_lines(function, f, (own,), dtype=f.dtype).rechunk({own: sizes}))
    return found[0] if len(axes) == 1 else found


def _gradient(spacing, axis, edge_order, block):
    return np.gradient(block, spacing, axis=axis, edge_order=edge_order).astype(block.dtype, copy=False)


def apply_over_axes(func, a, axes):
    """Calls a function of arrays and an axis for one axis after the other, whose axes are kept."""
    result = a = asarray(a)
    for axis in axes if np.iterable(axes) else (axes,):
        axis = axis_index(axis, a.ndim)
        found = func(result, axis)
        result = found if found.ndim == result.ndim else expand_dims(found, axis)
        if result.ndim != a.ndim:
            raise ValueError("function is not returning an array of the correct shape")
    return result


def coarsen(reduction, x, axes, trim_excess=False, **kwargs):
    """Reduces groups of neighbouring elements with a function such as `numpy.mean`.

    Parameters
    ----------
    axes : dict
        How many neighbours along each axis become one element.
    trim_excess : bool
        Whether elements at the end that fill no group are left out. Otherwise they are an error.
    """
    x = asarray(x)
    axes = {axis_index(axis, x.ndim): operator.index(size) for axis, size in axes.items()}
    cut = {}
    for axis, size in axes.items():
        left = x.shape[axis] % size
        if left and not trim_excess:
            raise ValueError(f"Coarsening factors {axes} do not align with array shape {x.shape}.")
        x = x[(slice(None),) * axis + (slice(0, x.shape[axis] - left),)]
        # Blocks that end between groups.
        ends = sorted({end - end % size for end in np.cumsum(x.chunks[axis]).tolist()} | {x.shape[axis]})
        cut[axis] = tuple(end - start for start, end in zip([0, *ends], ends) if end > start) or (0,)
    x = x.rechunk(cut)
    function = functools.partial(_coarsen, reduction, axes, kwargs)
    sizes = {axis: [length // axes[axis] for length in lengths] for axis, lengths in cut.items()}
    dtype = np.asarray(function(np.ones([axes.get(axis, 1) for axis in range(x.ndim)], x.dtype))).dtype
    return call_blocks(function, [(x, tuple(range(x.ndim)))], tuple(range(x.ndim)), dtype, sizes)


def _coarsen(reduction, axes, kwargs, block):
    shape, groups = [], []
    for axis, length in enumerate(block.shape):
        size = axes.get(axis, 1)
        shape += [length // size, size]
        groups.append(2 * axis + 1)
    return reduction(block.reshape(shape), axis=tuple(groups), **kwargs)


def push(array, n=None, axis=-1):
    """The last element that is not NaN in the place of NaN along an axis, at most ``n`` times in a row."""
    array = asarray(array)
    axis = axis_index(axis, array.ndim)
    sizes = array.chunks[axis]
    return along_lines(functools.partial(_push, n, axis), array, (axis,), dtype=array.dtype).rechunk({axis: sizes})


def _push(n, axis, block):
    lines = np.moveaxis(block, axis, -1)
    places = np.arange(lines.shape[-1])
    last = np.maximum.accumulate(np.where(np.isnan(lines), -1, places), axis=-1)
    filled = np.take_along_axis(lines, np.maximum(last, 0), -1)
    is_near = (last >= 0) & ((places - last <= n) if n is not None else True)
    return np.moveaxis(np.where(is_near, filled, lines), -1, axis)


def shuffle(x, indexer, axis, chunks="auto"):
    """The elements along an axis in another order: lists of places, each of which is one block or several."""
    if chunks != "auto":
        raise NotImplementedError("shuffle: chunks is 'auto'")
    x = asarray(x)
    axis = axis_index(axis, x.ndim)
    places = [place for group in indexer for place in group]
    sizes = tuple(len(group) for group in indexer if len(group)) or (0,)
    return take(x, places, axis).rechunk({axis: sizes})


def _method(function):
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


for _function in (choose, moment, shuffle):
    setattr(Array, _function.__name__, _method(_function))
