"""Python functions of blocks that see their neighbours, and of whole lines."""

import functools

import numpy as np

from ._algorithms import pad
from ._array import Array, _broadcast
from ._blockwise import unified
from ._functions import asarray, broadcast_to, concatenate
from ._map import map_blocks
from ._types import axis_index, axis_tuple

_MODES = {"reflect": "symmetric", "nearest": "edge", "periodic": "wrap"}


def _of_axes(given, ndim, default):
    """What is given for all axes, or for each, as a list."""
    if isinstance(given, dict):
        return [given.get(axis, given.get(axis - ndim, default)) for axis in range(ndim)]
    if isinstance(given, (list, tuple)):
        if len(given) != ndim:
            raise ValueError(f"{given!r} is given for {len(given)} axes, the array has {ndim}")
        return list(given)
    return [default if given is None else given] * ndim


def _depths(depth, boundaries, x):
    """How many elements of the neighbours before and after a block, along each axis."""
    pairs = []
    for axis, own in enumerate(_of_axes(depth, x.ndim, 0)):
        before, after = map(int, own if isinstance(own, (list, tuple)) else (own, own))
        if min(before, after) < 0 or max(before, after) > x.shape[axis]:
            raise ValueError(f"depth {own} along axis {axis} of length {x.shape[axis]}")
        if before != after and boundaries[axis] not in (None, "none"):
            raise NotImplementedError("a depth that differs before and after blocks takes boundary='none'")
        pairs.append((before, after))
    return pairs


def _cut(x, axis, places):
    """The parts of an array between these places along an axis, each in one block."""
    parts = [x[(slice(None),) * axis + (slice(first, last),)] for first, last in places]
    joined = concatenate(parts, axis=axis) if len(parts) > 1 else parts[0]
    return joined.rechunk({axis: tuple(last - first for first, last in places)})


def _extended(x, depths, boundaries):
    """The array with blocks that have elements of their neighbours, and where a block's own ones are."""
    sizes, spans = x.chunks, []
    for axis, ((before, after), kind) in enumerate(zip(depths, boundaries)):
        is_open = kind in (None, "none")
        if not is_open and before:
            widths = [(before, after) if axis == other else (0, 0) for other in range(x.ndim)]
            mode = _MODES.get(kind) if isinstance(kind, str) else None
            if isinstance(kind, str) and mode is None:
                raise ValueError(f"boundary={kind!r} is none of 'none', {', '.join(map(repr, _MODES))} or a number")
            x = pad(x, widths, mode) if mode else pad(x, widths, constant_values=kind)
        # Where each block begins in the array with what lies beyond its ends.
        ends = np.cumsum((0, *sizes[axis])) + (0 if is_open else before)
        places = [(max(first - before, 0), min(last + after, x.shape[axis])) for first, last in zip(ends, ends[1:])]
        spans.append([(first - begin, last - begin) for (begin, _), first, last in zip(places, ends, ends[1:])])
        if before or after:
            x = _cut(x, axis, places)
    return x, spans


def overlap(x, depth, boundary=None, *, allow_rechunk=True):
    """The array with blocks that have elements of their neighbours: see `map_overlap`."""
    x = asarray(x)
    boundaries = _of_axes(boundary, x.ndim, "none")
    return _extended(x, _depths(depth, boundaries, x), boundaries)[0]


def trim_internal(x, axes, boundary=None):
    """The array whose blocks lack so many elements before and after them.

    Parameters
    ----------
    axes : dict
        How many elements along each axis. With the boundary "none" the first and the last block lose none there.
    """
    boundaries = _of_axes(boundary, x.ndim, "none")
    depths = _depths(axes, [None] * x.ndim, x)
    for axis, ((before, after), kind) in enumerate(zip(depths, boundaries)):
        if before or after:
            is_open, sizes = kind in (None, "none"), x.chunks[axis]
            ends = np.cumsum((0, *sizes))
            starts = [start + (0 if is_open and not place else before) for place, start in enumerate(ends[:-1])]
            stops = [
                stop - (0 if is_open and place == len(sizes) - 1 else after) for place, stop in enumerate(ends[1:])
            ]
            x = _cut(x, axis, list(zip(starts, stops)))
    return x


def trim_overlap(x, depth, boundary=None):
    """What `overlap` has made the array of."""
    return trim_internal(x, depth, boundary)


def map_overlap(
    func, *args, depth=None, boundary=None, trim=True, align_arrays=True, allow_rechunk=True, dtype=None, **kwargs
):
    """Calls a Python function for each block with some elements of its neighbours, as `map_blocks`.

    Parameters
    ----------
    func : callable
        Takes a block of each array that is larger by ``depth`` on either side, and returns one of the same shape.
    *args
        Arrays, whose shapes are broadcast, and other arguments.
    depth : int, tuple, dict or list
        How many elements of the neighbours along all axes, or along each: a number, or a pair of before and after. Of
        several arrays a list has it for each.
    boundary : {None, "none", "reflect", "nearest", "periodic"} or number, or a dict, tuple or list of these
        What lies beyond the ends, for all axes or each: nothing, so that blocks there are smaller, or these elements.
    trim : bool
        Whether these elements are cut off what the function returns.
    """
    if isinstance(func, Array) and callable(args[0]):
        func, args = args[0], (func, *args[1:])
    places = [place for place, value in enumerate(args) if isinstance(value, Array)]
    if not places:
        raise TypeError("map_overlap takes at least one array")
    arrays = [args[place] for place in places]
    depths, boundaries = _of_arrays(depth, arrays), _of_arrays(boundary, arrays)
    if len(arrays) > 1:
        arrays = _alike(arrays)
    kinds = [_of_axes(own, x.ndim, "none") for own, x in zip(boundaries, arrays)]
    pairs = [_depths(own, kind, x) for own, kind, x in zip(depths, kinds, arrays)]
    widest = _widest(pairs)
    extended = [_extended(x, _at_end(widest, x.ndim), kind) for x, kind in zip(arrays, kinds)]
    args = list(args)
    for place, (x, _) in zip(places, extended):
        args[place] = x
    largest = max(range(len(arrays)), key=lambda place: arrays[place].ndim)
    if any(own != _at_end(widest, x.ndim) for own, x in zip(pairs, arrays)):
        func = _Cropped(func, places, [_crops(own, _at_end(widest, len(own)), kind)
                                       for own, kind in zip(pairs, kinds)])  # fmt: skip
    y = map_blocks(func, *args, dtype=dtype, **kwargs)
    if not trim:
        return y
    return _trimmed(y, extended[largest][1], _at_end(widest, arrays[largest].ndim), kwargs)


def _of_arrays(given, arrays):
    """What is given for all arrays, or in a list for each."""
    if isinstance(given, list) and len(given) != len(arrays):
        raise ValueError(f"{given!r} is given for {len(given)} arrays, there are {len(arrays)}")
    return given if isinstance(given, list) else [given] * len(arrays)


def _alike(arrays):
    """The arrays, cut alike and with the lengths that they have when they are broadcast."""
    shape = _broadcast(*arrays)
    arrays = [broadcast_to(x, shape[len(shape) - x.ndim :]) for x in arrays]
    return [x for x, _ in unified([(x, range(len(shape) - x.ndim, len(shape))) for x in arrays])]


def _widest(pairs):
    ndim = max(map(len, pairs))
    widest = [(0, 0)] * ndim
    for own in pairs:
        for axis, (before, after) in enumerate(own, ndim - len(own)):
            widest[axis] = (max(widest[axis][0], before), max(widest[axis][1], after))
    return widest


def _at_end(pairs, ndim):
    return pairs[len(pairs) - ndim :]


def _crops(own, widest, kinds):
    """How many elements of a block of one array are too many along each axis, as other arrays need more."""
    for (before, after), wide, kind in zip(own, widest, kinds):
        if (before, after) != wide and kind in (None, "none"):
            raise NotImplementedError("arrays with depths that differ take a boundary that is not 'none'")
    return tuple(
        slice(wide[0] - before, -(wide[1] - after) or None) for (before, after), wide in zip(own, widest)
    )  # fmt: skip


class _Cropped:
    """A function of blocks that get smaller before."""

    def __init__(self, function, places, crops):
        self.function, self.places, self.crops = function, places, crops

    def __call__(self, *args, **kwargs):
        args = list(args)
        for place, crop in zip(self.places, self.crops):
            # A block of one element asks for the type of the result.
            args[place] = args[place] if max(args[place].shape) == 1 else args[place][crop]
        return self.function(*args, **kwargs)


def _trimmed(y, spans, depths, keywords):
    """What a function made of blocks with elements of their neighbours, without these."""
    drop, new = keywords.get("drop_axis"), keywords.get("new_axis")
    dropped = axis_tuple(() if drop is None else drop, len(spans))
    kept = [(own, depth) for axis, (own, depth) in enumerate(zip(spans, depths)) if axis not in dropped]
    for place in sorted([] if new is None else np.atleast_1d(new).tolist()):
        kept.insert(place, (None, (0, 0)))
    for axis, (own, depth) in enumerate(kept):
        if any(depth):
            starts = np.cumsum((0, *y.chunks[axis]))
            y = _cut(y, axis, [(start + first, start + last) for start, (first, last) in zip(starts, own)])
    return y


def sliding_window_view(x, window_shape, axis=None, automatic_rechunk=True):
    """The windows that slide over the array, along new last axes: see `numpy.lib.stride_tricks.sliding_window_view`."""
    x = asarray(x)
    windows = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else axis_tuple(axis, x.ndim)
    if len(windows) != len(axes):
        raise ValueError("Must provide window_shape for all dimensions, or an axis for each")
    if any(window < 0 for window in windows):
        raise ValueError("`window_shape` cannot contain negative values")
    for own, window in zip(axes, windows):
        if window > x.shape[own]:
            raise ValueError("window shape cannot be larger than input array shape")
    for own, window in zip(axes, windows):
        count = x.shape[own] - window + 1
        ends = np.minimum(np.cumsum((0, *x.chunks[own])), count)
        places = [(first, last + window - 1) for first, last in zip(ends, ends[1:]) if last > first]
        x = _cut(x, own, places)
    chunks = list(x.chunks)
    for own, window in zip(axes, windows):
        chunks[own] = tuple(size - window + 1 for size in chunks[own])
    function = functools.partial(np.lib.stride_tricks.sliding_window_view, window_shape=windows, axis=axes)
    new = list(range(x.ndim, x.ndim + len(axes)))
    return map_blocks(function, x, dtype=x.dtype, chunks=(*chunks, *((size,) for size in windows)), new_axis=new)


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
