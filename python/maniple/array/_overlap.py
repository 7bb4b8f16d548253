"""Python functions of blocks that see their neighbours, and of whole lines."""

import numpy as np

from ._algorithms import pad
from ._array import Array
from ._functions import asarray, concatenate, map_blocks
from ._types import axis_index

_MODES = {"reflect": "symmetric", "nearest": "edge", "periodic": "wrap"}


def _of_axes(given, ndim, default):
    """What is given for all axes, or for each, as a list."""
    if isinstance(given, dict):
        return [given.get(axis, given.get(axis - ndim, default)) for axis in range(ndim)]
    if isinstance(given, (list, tuple)):
        if len(given) != ndim:
            raise ValueError(f"{given!r} is given for {len(given)} axes, the array has {ndim}")
        return list(given)
    return [given] * ndim


def _cut(x, axis, places):
    """The parts of an array between these places along an axis, each in one block."""
    parts = [x[(slice(None),) * axis + (slice(first, last),)] for first, last in places]
    joined = concatenate(parts, axis=axis) if len(parts) > 1 else parts[0]
    return joined.rechunk({axis: tuple(last - first for first, last in places)})


def map_overlap(func, x, *args, depth=0, boundary=None, trim=True, dtype=None, **kwargs):
    """Calls a Python function for each block with some elements of its neighbours, as `map_blocks`.

    Parameters
    ----------
    func : callable
        Takes a block that is larger by ``depth`` on either side, and returns one of the same shape.
    depth : int, tuple or dict
        How many elements of the neighbours along all axes, or along each.
    boundary : {None, "none", "reflect", "nearest", "periodic"} or number
        What lies beyond the ends, for all axes or each: nothing, so that blocks there are smaller, or these elements.
    trim : bool
        Whether these elements are cut off what the function returns.
    """
    x = asarray(x)
    depths = [int(own) for own in _of_axes(depth, x.ndim, 0)]
    boundaries = _of_axes(boundary, x.ndim, None)
    sizes, spans = x.chunks, []
    for axis, (own, kind) in enumerate(zip(depths, boundaries)):
        if own < 0 or own > x.shape[axis]:
            raise ValueError(f"map_overlap: depth {own} along axis {axis} of length {x.shape[axis]}")
        is_open = kind in (None, "none")
        widths = [(own, own) if axis == other else (0, 0) for other in range(x.ndim)]
        if not is_open and own:
            mode = _MODES.get(kind)
            if isinstance(kind, str) and mode is None:
                raise ValueError(f"map_overlap: boundary={kind!r}")
            x = pad(x, widths, mode) if mode else pad(x, widths, constant_values=kind)
        # Where each block begins in the array with what lies beyond its ends.
        ends = np.cumsum((0, *sizes[axis])) + (0 if is_open else own)
        length = x.shape[axis]
        places = [(max(first - own, 0), min(last + own, length)) for first, last in zip(ends, ends[1:])]
        spans.append([(first - begin, last - begin) for (begin, _), first, last in zip(places, ends, ends[1:])])
        if own:
            x = _cut(x, axis, places)
    y = map_blocks(func, x, *args, dtype=dtype, **kwargs)
    if not trim:
        return y
    for axis, own in enumerate(depths):
        if own:
            starts = np.cumsum((0, *y.chunks[axis]))
            places = [(start + first, start + last) for start, (first, last) in zip(starts, spans[axis])]
            y = _cut(y, axis, places)
    return y


def apply_along_axis(func1d, axis, arr, *args, dtype=None, shape=None, **kwargs):
    """Calls a Python function for each line along an axis, which it gets whole.

    Parameters
    ----------
    dtype, shape
        The type and the shape of what it returns. By default it is called with a line of ones to find out.
    """
    arr = asarray(arr)
    axis = axis_index(axis, arr.ndim)
    if dtype is None or shape is None:
        sample = np.asarray(func1d(np.ones(arr.shape[axis], arr.dtype), *args, **kwargs))
        dtype, shape = dtype or sample.dtype, sample.shape if shape is None else shape
    whole = arr.rechunk({axis: -1})
    chunks = whole.chunks[:axis] + tuple((length,) for length in shape) + whole.chunks[axis + 1 :]

    def lines(block):
        return np.apply_along_axis(func1d, axis, block, *args, **kwargs).astype(dtype, copy=False)

    drop = [axis] if len(shape) != 1 else None
    new = [axis + place for place in range(len(shape))] if len(shape) > 1 else None
    return map_blocks(lines, whole, dtype=dtype, chunks=chunks, drop_axis=drop, new_axis=new)


def _map_overlap(self, func, **options):
    return map_overlap(func, self, **options)


Array.map_overlap = _map_overlap
