"""Indices as NumPy has them: what they select along each axis, and assignments to it."""

import math
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


# Assignments


def scattered(x, axis, places, value):
    """The array with other elements at places along an axis; of a place that is given twice, the last ones."""
    from ._functions import broadcast_to, concatenate

    shape = list(x.shape)
    shape[axis] = len(places)
    if not len(places):
        return x
    value = broadcast_to(value.reshape(()) if value.size == 1 else value, shape)
    # Of the old and the new elements, one after the other, those that are due.
    chosen = np.arange(x.shape[axis])
    chosen[np.asarray(places)] = x.shape[axis] + np.arange(len(places))
    return x._with(concatenate([x, value], axis=axis)._core.take(axis, chosen.tolist())).rechunk(x.chunks)


def assigned(x, basic, taken, value):
    """The array with other elements where a key selects: see `parse`."""
    if not taken:
        return x._with(x._core.set_slice(basic, value._core))
    ((axis, places),) = taken.items()
    # What the key selects along the other axes, with all of this one.
    at = [place for place, item in enumerate(basic) if item is not None][axis]
    around = list(basic)
    around[at] = (0, x.shape[axis], 1)
    part = x._with(x._core.slice(around))
    own = sum(not isinstance(item, int) for item in basic[:at])
    return x._with(x._core.set_slice(around, scattered(part, own, places, value)._core))


class Viewed:
    """The bytes of a block as elements of another type."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __call__(self, block):
        return np.ascontiguousarray(block).reshape(block.shape).view(self.dtype)


class Blocks:
    """The blocks of an array, indexed as an array of blocks."""

    def __init__(self, array):
        self._array = array

    @property
    def shape(self):
        """How many blocks there are along each axis."""
        return self._array.numblocks

    @property
    def ndim(self):
        """How many axes there are."""
        return self._array.ndim

    @property
    def size(self):
        """How many blocks there are."""
        return self._array.npartitions

    def __getitem__(self, key):
        array, key = self._array, key if isinstance(key, tuple) else (key,)
        if any(item is None for item in key):
            raise ValueError("blocks have no new axes")
        if sum(np.ndim(item) > 0 for item in key if not isinstance(item, slice) and item is not Ellipsis) > 1:
            raise ValueError("blocks are indexed with one list at most")
        for axis, item in enumerate(_whole(key, array.ndim)):
            count = array.numblocks[axis]
            if _is_integer(item) and not isinstance(item, np.ndarray):
                chosen = [_basic(item, axis, count)]
            else:
                chosen = list(range(count)[item]) if isinstance(item, slice) else _places(item, axis, count).tolist()
            if chosen != list(range(count)):
                array = _of_blocks(array, axis, chosen)
        return array

    def ravel(self):
        """A list of all blocks, in C order."""
        return [self[place] for place in np.ndindex(*self.shape)]


def _of_blocks(array, axis, chosen):
    sizes = array.chunks[axis]
    ends = np.cumsum(sizes)
    if chosen == list(range(chosen[0], chosen[-1] + 1) if chosen else ()) and chosen:
        key = slice(int(ends[chosen[0]] - sizes[chosen[0]]), int(ends[chosen[-1]]))
    else:
        key = np.concatenate([np.arange(ends[block] - sizes[block], ends[block]) for block in chosen] or [[]]).astype(
            int
        )
    part = array[(slice(None),) * axis + (key,)]
    return part.rechunk({axis: tuple(sizes[block] for block in chosen) or (0,)})


class Points:
    """The elements of an array at points."""

    def __init__(self, array):
        self._array = array

    def __getitem__(self, key):
        array, key = self._array, key if isinstance(key, tuple) else (key,)
        if any(item is None for item in key):
            raise IndexError("vindex takes no None")
        key = _slices_and_lists(key, array.ndim)
        lists = [axis for axis, item in enumerate(key) if not isinstance(item, slice)]
        for axis, item in enumerate(key):
            if isinstance(item, slice):
                array = array[(slice(None),) * axis + (item,)]
        places = np.broadcast_arrays(*(np.asarray(key[axis]) for axis in lists))
        shape = places[0].shape if lists else ()
        flat = [_places(own.ravel(), axis, array.shape[axis]) for own, axis in zip(places, lists)]
        others = [axis for axis in range(array.ndim) if axis not in lists]
        lengths = [array.shape[axis] for axis in lists]
        left = [array.shape[axis] for axis in others]
        moved = array.transpose(lists + others).reshape(math.prod(lengths), *left)
        chosen = np.ravel_multi_index(flat, lengths) if lengths and flat[0].size else np.zeros(0, int)
        return moved[chosen].reshape(*shape, *left)


def _slices_and_lists(key, ndim):
    """The key as a list with an item for each axis; masks as lists of places."""
    if Ellipsis in [item for item in key if not hasattr(item, "shape")]:
        place = next(place for place, item in enumerate(key) if item is Ellipsis)
        key = key[:place] + (slice(None),) * (ndim - len(key) + 1) + key[place + 1 :]
    if len(key) > ndim:
        raise IndexError(f"too many indices: the array has {ndim} dimensions, but {len(key)} were indexed")
    items = [item if isinstance(item, slice) else np.asarray(item) for item in key]
    items = [np.flatnonzero(item) if getattr(item, "dtype", None) == np.bool_ else item for item in items]
    if all(isinstance(item, slice) for item in items):
        raise IndexError("vindex takes at least one list of indices")
    return items + [slice(None)] * (ndim - len(items))
