"""Python functions of blocks, with the names and parameters of `dask.array`: `map_blocks`, `blockwise`, `reduction`."""

import functools
import inspect
import itertools
import math
import operator

import numpy as np

from ._array import Array, _broadcast, into
from ._blocks import Bound
from ._blockwise import blocks_of, call_blocks, call_located, chunks_along, region, unified
from ._types import axis_index, axis_tuple, dtype_of

# Keywords of Dask's that have no meaning here.
_IGNORED = ("meta", "enforce_ndim", "name", "token")


def map_blocks(func, *args, dtype=None, chunks=None, drop_axis=None, new_axis=None, name=None, token=None, **kwargs):
    """Calls a Python function for each block, in a task: it takes the block as a NumPy array, and returns one.

    Parameters
    ----------
    func : callable
        Takes a block of each array among ``args``, and the other arguments as they are. Blocks are read-only. With a
        parameter ``block_id`` it gets the location of its block in the result, with ``block_info`` what Dask's
        functions get.
    *args
        Arrays, whose shapes are broadcast, and other arguments. Without an array, ``chunks`` and ``dtype`` are due.
    dtype : dtype, optional
        The type of what it returns. By default it is called with a block of one element to find out.
    chunks : tuple, optional
        The sizes of the blocks that it returns, for each axis a size or the sizes of all. By default those it takes.
    drop_axis : int or sequence, optional
        Axes that the result lacks. The function gets blocks that are whole along them.
    new_axis : int or sequence, optional
        Axes of the result that the arrays lack, of one block; of length 1 unless ``chunks`` says otherwise.
    name, token
        Accepted without effect.
    **kwargs
        Passed to the function.
    """
    kwargs = {key: value for key, value in kwargs.items() if key not in _IGNORED}
    places = [place for place, value in enumerate(args) if isinstance(value, Array)]
    arrays = [args[place] for place in places]
    rest = [None if isinstance(value, Array) else value for value in args]
    bound = func if len(rest) == len(arrays) and not kwargs else Bound(func, rest, places, kwargs)
    wants = [key for key in ("block_id", "block_info") if key not in kwargs and key in _parameters(func)]
    if not arrays:
        return _map_locations(bound, chunks, dtype, wants)
    shape = _broadcast(*arrays)
    operands = unified([(array, tuple(range(len(shape) - array.ndim, len(shape)))) for array in arrays])
    result = _result_labels(len(shape), drop_axis, new_axis)
    sizes = _result_sizes(result, operands, chunks)
    if not wants:
        return call_blocks(bound, operands, result, _known_type(bound, arrays, dtype), sizes)
    described = _Described(bound, wants, operands, result, sizes)
    dtype = _known_type(functools.partial(described, (0,) * len(result)), arrays, dtype)
    described.dtype = np.dtype(dtype)
    return call_located(described, operands, result, dtype, sizes)


def _map_locations(func, chunks, dtype, wants):
    """The blocks of a function that takes no array."""
    if chunks is None:
        raise ValueError("map_blocks without an array takes chunks=, the sizes of the result's blocks")
    chunks = tuple((sizes,) if np.ndim(sizes) == 0 else tuple(sizes) for sizes in chunks)
    labels = tuple(range(len(chunks)))
    described = _Described(func, wants, [], labels, dict(zip(labels, chunks)))
    if dtype is None:
        dtype = np.asarray(described((0,) * len(chunks))).dtype
    described.dtype = np.dtype(dtype)
    return blocks_of(described, chunks, dtype)


def _known_type(function, arrays, dtype):
    return dtype_of(_result_type(function, arrays) if dtype is None else dtype)


def _result_labels(ndim, drop_axis, new_axis):
    dropped = axis_tuple(() if drop_axis is None else drop_axis, ndim)
    result = [axis for axis in range(ndim) if axis not in dropped]
    for place in sorted([] if new_axis is None else np.atleast_1d(new_axis).tolist()):
        result.insert(axis_index(place, len(result) + 1), ("new", place))
    return result


def _parameters(func):
    func = getattr(func, "pyfunc", func) if isinstance(func, np.vectorize) else func
    try:
        return inspect.signature(func).parameters
    except (TypeError, ValueError):
        return ()


def _result_type(function, arrays):
    sample = [np.ones((1,) * array.ndim, array.dtype) for array in arrays]
    try:
        with np.errstate(all="ignore"):
            return np.asarray(function(*sample)).dtype
    except Exception as error:
        raise ValueError("map_blocks: the function does not take a block of one element; pass dtype=") from error


def _result_sizes(result, operands, chunks):
    """The sizes of the result's blocks along the axes where they are not those of the arrays' blocks."""
    along = {label: chunks_along(label, operands) for label in result}
    if chunks is None:
        return {label: [1] for label in result if along[label] is None}
    chunks = tuple(chunks) if np.iterable(chunks) else (chunks,)
    if len(chunks) != len(result):
        raise ValueError(f"chunks={chunks} are given for {len(chunks)} axes, the result has {len(result)}")
    return {
        label: list(sizes) if np.iterable(sizes) else [operator.index(sizes)] * len(along[label] or (0,))
        for label, sizes in zip(result, chunks)
    }


class _Described:
    """A function of blocks that gets ``block_id`` or ``block_info``."""

    def __init__(self, function, wants, operands, result, sizes):
        self.function, self.wants, self.dtype, self.result = function, wants, None, result
        self.inputs = [(array.chunks, array.dtype, labels) for array, labels in operands]
        self.chunks = tuple(tuple(sizes.get(label) or chunks_along(label, operands)) for label in result)

    def __call__(self, location, *blocks):
        given = {}
        if "block_id" in self.wants:
            given["block_id"] = location
        if "block_info" in self.wants:
            given["block_info"] = self._info(location)
        return self.function(*blocks, **given)

    def _info(self, location):
        by_label = dict(zip(self.result, location))
        info = {}
        for place, (chunks, dtype, labels) in enumerate(self.inputs):
            # An axis that the result lacks comes whole.
            chunks = tuple(
                own if label in by_label else (sum(own),) for own, label in zip(chunks, labels, strict=True)
            )  # fmt: skip
            own = tuple(by_label.get(label, 0) if len(sizes) > 1 else 0 for label, sizes in zip(labels, chunks))
            info[place] = _info_of(chunks, dtype, own)
        info[None] = _info_of(self.chunks, self.dtype, location)
        info[None]["chunk-shape"] = tuple(sizes[place] for place, sizes in zip(location, self.chunks))
        return info


def _info_of(chunks, dtype, location):
    return {
        "shape": tuple(map(sum, chunks)),
        "num-chunks": tuple(map(len, chunks)),
        "array-location": [(part.start, part.stop) for part in region(location, chunks)],
        "chunk-location": tuple(location),
        "dtype": dtype,
    }


# blockwise


def blockwise(
    func, out_ind, *args, name=None, token=None, dtype=None, adjust_chunks=None, new_axes=None, align_arrays=True,
    concatenate=None, meta=None, **kwargs,
):  # fmt: skip
    """Calls a Python function for each block of a result whose axes, like those of the arrays, have labels.

    Parameters
    ----------
    func : callable
        Takes a block of each array, and the other arguments as they are.
    out_ind : iterable
        The labels of the result's axes.
    *args
        Pairs of an array and its labels, or of another argument and None.
    dtype : dtype, optional
        The type of what it returns. By default it is called with blocks of one element to find out.
    adjust_chunks : dict, optional
        The sizes of the result's blocks by label: a number, a sequence, or a function of the arrays' sizes.
    new_axes : dict, optional
        The lengths of the result's axes that no array has, by label.
    concatenate : bool, optional
        Whether blocks along an axis that the result lacks are joined. Otherwise the function gets lists of them.

    Examples
    --------
    >>> import numpy as np
    >>> import maniple.array as da
    >>> x = da.ones((4, 6), chunks=2)
    >>> da.blockwise(np.dot, "ij", x, "ik", x.T, "kj", concatenate=True, dtype=float).sum().compute()
    np.float64(96.0)
    """
    out_ind = tuple(out_ind)
    pairs = list(zip(args[::2], args[1::2], strict=True))
    places = [place for place, (_, labels) in enumerate(pairs) if labels is not None]
    given = [(_as_array(pairs[place][0]), tuple(pairs[place][1])) for place in places]
    if not given:
        raise TypeError("blockwise takes at least one array with labels")
    operands = unified(given)
    rest = [None if labels is not None else value for value, labels in pairs]
    kwargs = {key: value for key, value in kwargs.items() if key not in _IGNORED}
    function = Bound(func, rest, places, kwargs)
    if not concatenate:
        function = _of_lists(function, operands, out_ind)
    if dtype is None and meta is not None:
        dtype = np.asarray(meta).dtype
    dtype = _known_type(function, [array for array, _ in operands], dtype)
    return call_blocks(function, operands, out_ind, dtype, _adjusted(operands, out_ind, adjust_chunks, new_axes))


def _as_array(value):
    from ._functions import asarray

    return asarray(value)


def _adjusted(operands, out_ind, adjust_chunks, new_axes):
    """The sizes of the result's blocks by label, where they are not those of the arrays' blocks."""
    sizes = {}
    for label, length in (new_axes or {}).items():
        own = tuple(length) if np.iterable(length) else (length,)
        if len(own) != 1:
            raise NotImplementedError(f"blockwise: the new axis {label!r} of {len(own)} blocks; it has one block")
        sizes[label] = list(own)
    for label, rule in (adjust_chunks or {}).items():
        if label not in out_ind:
            continue
        own = sizes.get(label) or chunks_along(label, operands)
        if callable(rule):
            sizes[label] = [int(rule(size)) for size in own]
        elif np.iterable(rule):
            sizes[label] = list(rule)
        else:
            sizes[label] = [operator.index(rule)] * len(own)
    return sizes


def _of_lists(function, operands, result):
    """A function that gets lists of blocks along the axes that the result lacks."""
    cuts = []
    for array, labels in operands:
        cuts.append(
            [(axis, np.cumsum(array.chunks[axis])[:-1]) for axis, label in enumerate(labels) if label not in result]
        )
    return _Nested(function, cuts) if any(cuts) else function


class _Nested:
    """A function of nested lists of blocks, which are given as one."""

    def __init__(self, function, cuts):
        self.function, self.cuts = function, cuts

    def __call__(self, *blocks):
        return self.function(*(_nested(block, cuts) for block, cuts in zip(blocks, self.cuts)))


def _nested(block, cuts):
    if not cuts:
        return block
    (axis, ends), *rest = cuts
    # A block of one element asks for the type of the result.
    ends = ends if block.shape[axis] > 1 else []
    return [_nested(part, rest) for part in np.split(block, ends, axis)]


def unify_chunks(*args, **kwargs):
    """Cuts arrays alike along axes of one label.

    Parameters
    ----------
    *args
        Pairs of an array and its labels.

    Returns
    -------
    The sizes of the blocks by label, and the arrays.
    """
    pairs = list(zip(args[::2], args[1::2], strict=True))
    places = [place for place, (_, labels) in enumerate(pairs) if labels is not None]
    operands = unified([(_as_array(pairs[place][0]), tuple(pairs[place][1])) for place in places])
    labels = dict.fromkeys(itertools.chain(*(own for _, own in operands)))
    arrays = [value for value, _ in pairs]
    for place, (array, _) in zip(places, operands):
        arrays[place] = array
    return {label: chunks_along(label, operands) for label in labels}, arrays


# reduction


def reduction(
    x, chunk, aggregate, axis=None, keepdims=False, dtype=None, split_every=None, combine=None, name=None, out=None,
    concatenate=True, output_size=1, meta=None, weights=None,
):  # fmt: skip
    """Reduces axes of an array with Python functions, in a tree: of blocks, then of what those gave.

    Parameters
    ----------
    chunk : callable
        Takes a block, ``axis=`` and ``keepdims=True``, and returns an array.
    aggregate : callable
        Takes what ``chunk`` or ``combine`` returned for several blocks, ``axis=`` and ``keepdims=``.
    axis : int or sequence, optional
        The axes; all by default.
    dtype : dtype
        The type of the result.
    split_every : int or dict, optional
        How many blocks are combined at a time, in all or along each axis: 4 by default.
    combine : callable, optional
        What combines blocks before the last step; ``aggregate`` by default.
    concatenate : bool
        Whether the functions get one array; otherwise nested lists of blocks.
    output_size : int
        The length of the reduced axes in what the functions return with ``keepdims=True``.
    weights : array_like, optional
        A second argument of ``chunk``, in the shape of the array.
    """
    x = _as_array(x)
    if dtype is None and meta is None:
        raise ValueError("reduction: pass dtype=")
    dtype = dtype_of(np.asarray(meta).dtype if dtype is None else dtype)
    axes = tuple(range(x.ndim)) if axis is None else axis_tuple(axis, x.ndim)
    every = _fan_in(split_every, axes)
    labels = tuple(range(x.ndim))
    operands = [(x, labels)]
    if weights is not None:
        operands.append((_as_array(np.broadcast_to(weights, x.shape) if not isinstance(weights, Array) else weights)
                         .rechunk(x.chunks), labels))  # fmt: skip
    first = functools.partial(chunk, axis=axes, keepdims=True)
    made = _known_type(first, [array for array, _ in operands], None)
    sizes = {axis: [output_size] * len(x.chunks[axis]) for axis in axes}
    partial = call_blocks(first, operands, labels, made, sizes)
    if combine is None:
        combine = aggregate
    while any(partial.numblocks[axis] > every[axis] for axis in axes):
        partial = _combined(combine, partial, axes, every, concatenate, output_size)
    result = [axis for axis in labels if keepdims or axis not in axes]
    function = functools.partial(aggregate, axis=axes, keepdims=keepdims)
    grouped = partial.rechunk({axis: -1 for axis in axes})
    function = _Cast(function if concatenate else _split(function, partial, grouped, axes), dtype)
    sizes = {axis: [output_size] for axis in axes} if keepdims else {}
    found = call_blocks(function, [(grouped, labels)], result, dtype, sizes)
    return found if out is None else into(out, found)


def _fan_in(split_every, axes):
    """How many blocks are combined along each axis."""
    if isinstance(split_every, dict):
        return {axis: max(split_every.get(axis, 2), 2) for axis in axes}
    total = 4 if split_every is None or split_every is True else split_every or math.inf
    share = total ** (1 / max(len(axes), 1))
    return {axis: max(share if math.isinf(share) else int(share + 1e-9), 2) for axis in axes}


def _combined(combine, partial, axes, every, concatenate, size):
    """A step of the tree: groups of blocks become one block each."""
    chunks, sizes = list(partial.chunks), {}
    for axis in axes:
        own, count = chunks[axis], every[axis]
        count = len(own) if math.isinf(count) else count
        chunks[axis] = tuple(sum(own[start : start + count]) for start in range(0, len(own), count))
        sizes[axis] = [size] * len(chunks[axis])
    grouped = partial.rechunk(tuple(chunks))
    function = functools.partial(combine, axis=axes, keepdims=True)
    function = _Cast(function if concatenate else _split(function, partial, grouped, axes), partial.dtype)
    labels = tuple(range(partial.ndim))
    return call_blocks(function, [(grouped, labels)], labels, partial.dtype, sizes)


def _split(function, partial, grouped, axes):
    """A function of nested lists of the blocks that were grouped; all have one size along these axes."""
    return _Lists(function, [(axis, partial.chunks[axis][0]) for axis in axes if partial.numblocks[axis]])


class _Lists:
    def __init__(self, function, sizes):
        self.function, self.sizes = function, sizes

    def __call__(self, block):
        return self.function(
            _nested(block, [(axis, range(size, block.shape[axis], size)) for axis, size in self.sizes])
        )


class _Cast:
    """A function whose result is an array of a type."""

    def __init__(self, function, dtype):
        self.function, self.dtype = function, dtype

    def __call__(self, *blocks):
        return np.asarray(self.function(*blocks)).astype(self.dtype, copy=False)


# Functions of NumPy that see whole axes


def along_lines(function, x, axes, lengths=None, dtype=None, keeps=True):
    """What a function makes of blocks that are whole along some axes.

    Parameters
    ----------
    lengths : dict, optional
        The lengths of these axes in the result, where they differ.
    keeps : bool
        Whether the result has these axes.
    """
    labels = tuple(range(x.ndim))
    result = [label for label in labels if keeps or label not in axes]
    whole = x.rechunk({axis: -1 for axis in axes})
    sizes = {axis: [length] for axis, length in (lengths or {}).items()}
    return call_blocks(function, [(whole, labels)], result, _known_type(function, [x], dtype), sizes)


def elementwise(function, *arrays, dtype=None, **kwargs):
    """What a function of NumPy makes of each element: of blocks."""
    return map_blocks(function, *map(_as_array, arrays), dtype=dtype, **kwargs)


Array.map_blocks = functools.wraps(map_blocks)(
    lambda self, func, *args, **kwargs: map_blocks(func, self, *args, **kwargs)
)
