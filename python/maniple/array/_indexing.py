"""Indices as NumPy has them: what they select along each axis."""

import operator

import numpy as np


def _is_integer(item):
    return not isinstance(item, (bool, np.bool_)) and hasattr(item, "__index__") and getattr(item, "ndim", 0) == 0


def _is_slice(item):
    return item is None or isinstance(item, slice)


def _whole(key, ndim):
    """The key as a list with an item for each axis, and None for new ones."""
    items = list(key) if isinstance(key, tuple) else [key]
    items = [item if _is_slice(item) or item is Ellipsis or _is_integer(item) else _list(item) for item in items]
    dots = [place for place, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > ndim:
        raise IndexError(f"too many indices: the array has {ndim} dimensions, but {used} were indexed")
    place = dots[0] if dots else len(items)
    return items[:place] + [slice(None)] * (ndim - used) + items[place + len(dots) :]


def _list(item):
    from ._array import Array

    if isinstance(item, Array):
        if item.ndim != 1:
            raise IndexError(f"an index along one axis has one dimension, not {item.ndim}")
        item = item.compute()
    listed = np.asarray(item)
    if listed.size == 0 and not isinstance(item, np.ndarray):
        listed = listed.astype(np.intp)
    if listed.dtype.kind not in "biu":
        raise IndexError(f"{item!r} is no index: integers, slices, None, ... and lists of integers or booleans are")
    if listed.ndim != 1:
        raise NotImplementedError(f"an index with {listed.ndim} dimensions")
    return listed


def _places(listed, axis, length):
    """The places along an axis that a list selects."""
    if listed.dtype.kind == "b":
        if len(listed) != length:
            raise IndexError(f"a boolean index of {len(listed)} elements along axis {axis}, which has {length}")
        return np.flatnonzero(listed)
    places = np.where(listed < 0, listed + length, listed) if listed.dtype.kind == "i" else listed
    wrong = (places < 0) | (places >= length)
    if wrong.any():
        raise IndexError(f"index {listed[wrong][0]} is out of bounds for axis {axis} with size {length}")
    return places


def _basic(item, axis, length):
    """An item as the runtime takes it: a place, or the start, end and step of a range that a negative step reverses."""
    if not isinstance(item, slice):
        place = operator.index(item)
        if not -length <= place < length:
            raise IndexError(f"index {place} is out of bounds for axis {axis} with size {length}")
        return place % length
    taken = range(length)[item]
    if len(taken) == 0:
        return (0, 0, 1)
    return (taken[0], taken[-1] + 1, taken.step) if taken.step > 0 else (taken[-1], taken[0] + 1, taken.step)


def parse(key, shape):
    """What a key selects: items for a slice of the array, and places by axis that are taken before.

    Raises `IndexError` for what does not fit, and `NotImplementedError` for several lists.
    """
    items = _whole(key, len(shape))
    lists = [place for place, item in enumerate(items) if isinstance(item, np.ndarray)]
    if len(lists) > 1:
        raise NotImplementedError("lists of indices along several axes; index one axis after the other")
    numbers = [place for place, item in enumerate(items) if _is_integer(item) and not isinstance(item, np.ndarray)]
    if lists and numbers:
        advanced = sorted(lists + numbers)
        if advanced[-1] - advanced[0] >= len(advanced):
            raise NotImplementedError("a list and an integer with a slice between them; index one after the other")
    taken, basic, axis = {}, [], 0
    for item in items:
        if item is None:
            basic.append(None)
            continue
        if isinstance(item, np.ndarray):
            places = taken[axis] = _places(item, axis, shape[axis]).tolist()
            basic.append((0, len(places), 1))
        else:
            basic.append(_basic(item, axis, shape[axis]))
        axis += 1
    return basic, taken
