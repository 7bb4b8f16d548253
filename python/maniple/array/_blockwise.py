"""Python functions of blocks: which blocks of several arrays are the arguments of one task.

The runtime calls a function with blocks of up to three arrays of one element type. Here are functions of any number of
arrays of any types, and functions that get the location of their block.
"""

import itertools
import math

import numpy as np

from .. import _functions as _pickling
from .. import _maniple
from .._delayed import _client_or_new
from ._array import Array, same_run
from ._types import dtype_of

# One letter is the axis of the pickled function, three are those of the bytes of arrays.
_LETTERS = "abcdefghijklmnopqrstuvwxyABCDEFGHIJKLMNOPQRSTUVW"
_FUNCTION_LETTER = "z"
_OPERANDS_MAX = 3


def call_blocks(function, operands, result, dtype, sizes=None):
    """Returns an array of what a Python function returns for the blocks of several arrays that belong together.

    Parameters
    ----------
    function : callable
        Takes a block of each array, and returns one.
    operands : sequence of (Array, labels)
        The arrays, with a label for each axis. A label that several arrays have is one axis.
    result : sequence
        The labels of the result's axes. The function gets blocks that are whole along the others.
    sizes : dict, optional
        The sizes of the result's blocks by label, where they are not those of the arrays' blocks.
    """
    operands = [(array, tuple(labels)) for array, labels in operands]
    client = same_run(array for array, _ in operands)
    if len(operands) > _OPERANDS_MAX or len({array.dtype for array, _ in operands}) > 1:
        function, operands = _merged(function, operands)
    labels = dict.fromkeys(itertools.chain(*(own for _, own in operands), result))
    if len(labels) > len(_LETTERS):
        raise ValueError(f"functions of blocks take up to {len(_LETTERS)} different axes, not {len(labels)}")
    letters = dict(zip(labels, _LETTERS))
    named = ["".join(letters[label] for label in own) for _, own in operands]
    out = "".join(letters[label] for label in result)
    described = {
        "pickle": _pickling.dumps(function),
        "dtype": dtype_of(dtype, "a block").name,
        "subscripts": f"{','.join(named)},{_FUNCTION_LETTER}->{out}",
        "sizes": [(letters[label], list(own)) for label, own in (sizes or {}).items()],
    }
    first, *others = (array._core for array, _ in operands)
    return Array._of(first.map_blocks(client._core, others, described), client)


# Several arrays as one: of bytes


class _OfBytes:
    """A function of blocks that finds them in blocks of bytes, each with the bytes of several arrays."""

    def __init__(self, function, groups):
        self.function, self.groups = function, groups

    def __call__(self, *merged):
        blocks = {}
        for whole, parts in zip(merged, self.groups):
            start = 0
            for place, dtype, key, axes in parts:
                own = whole[..., start : start + dtype.itemsize]
                start += dtype.itemsize
                # An axis that only others have is there again and again.
                own = np.ascontiguousarray(own[(*key, slice(None))]).view(dtype)[..., 0]
                blocks[place] = own.transpose(axes)
        return self.function(*(blocks[place] for place in range(len(blocks))))


def _merged(function, operands):
    """A function of up to three arrays of bytes that does what one of these arrays does, and these arrays."""
    # Each group: the labels, their lengths, and the arrays as (place, array, labels).
    groups = [(labels, dict(zip(labels, array.shape)), [(place, array, labels)])
              for place, (array, labels) in enumerate(operands)]  # fmt: skip
    while len(groups) > _OPERANDS_MAX:
        left, right = min(itertools.combinations(groups, 2), key=lambda pair: _size(_union(*pair)))
        groups = [group for group in groups if group is not left and group is not right] + [_union(left, right)]
    merged = []
    for labels, lengths, parts in groups:
        arrays = [_repeated(bytes_of(array), own, labels, lengths) for _, array, own in parts]
        whole = (
            arrays[0]
            if len(arrays) == 1
            else arrays[0]._with(arrays[0]._core.joined([array._core for array in arrays[1:]], len(labels), False))
        )
        merged.append((whole, (*labels, object())))
    described = [
        [(place, array.dtype, *_places(array, own, labels, lengths)) for place, array, own in parts]
        for labels, lengths, parts in groups
    ]
    return _OfBytes(function, described), merged


def _union(left, right):
    labels = tuple(dict.fromkeys(left[0] + right[0]))
    lengths = {label: max(left[1].get(label, 1), right[1].get(label, 1)) for label in labels}
    for label in set(left[1]) & set(right[1]):
        # An axis of length 1 is repeated, to no elements as well.
        if 0 in (left[1][label], right[1][label]):
            lengths[label] = 0
    return labels, lengths, left[2] + right[2]


def _size(group):
    labels, lengths, parts = group
    return math.prod(lengths.values()) * sum(array.itemsize for _, array, _ in parts)


def bytes_of(x):
    """The bytes of the elements, along a new last axis."""
    if x.dtype == np.uint8:
        return x[..., None]
    labels = tuple(range(x.ndim))
    last = x.ndim
    return call_blocks(_view_bytes, [(x, labels)], (*labels, last), np.uint8, {last: [x.itemsize]})


def _view_bytes(block):
    return np.ascontiguousarray(block[..., None]).view(np.uint8)


def _repeated(x, own, labels, lengths):
    """An array of bytes with the axes of a group, repeated along those that it has not."""
    order = [own.index(label) for label in labels if label in own]
    x = x.transpose(*order, len(own))
    x = x[tuple(slice(None) if label in own else None for label in labels)]
    shape = (*(lengths[label] for label in labels), x.shape[-1])
    return x if x.shape == shape else x._with(x._core.broadcast_to(shape))


def _places(array, own, labels, lengths):
    """Where in a block of a group the block of one array is: a key, and the order of the axes that are left."""
    key = []
    for label in labels:
        if label not in own:
            key.append(0)
        else:
            is_repeated = array.shape[own.index(label)] == 1 and lengths[label] != 1
            key.append(slice(0, 1) if is_repeated else slice(None))
    left = [label for label in labels if label in own]
    return tuple(key), tuple(left.index(label) for label in own)


# Blocks and their locations


class _Located:
    """A function whose first argument is the location of its block in the result."""

    def __init__(self, function, ndim, starts):
        self.function, self.ndim, self.starts = function, ndim, starts

    def __call__(self, *blocks):
        count = len(blocks) - len(self.starts)
        location = [0] * self.ndim
        for (axis, starts), first in zip(self.starts.items(), blocks[count:]):
            # A block without elements has no first one: it is the first block of this kind.
            found = np.searchsorted(starts, first[0], "right") - 1 if len(first) else np.argmin(np.diff(starts))
            location[axis] = int(found)
        return self.function(tuple(location), *blocks[:count])


def call_located(function, operands, result, dtype, sizes=None):
    """As `call_blocks`, of a function whose first argument is the location of its block in the result."""
    operands = unified(operands)
    starts, places = {}, []
    for axis, label in enumerate(result):
        chunks = chunks_along(label, operands)
        if chunks is not None and len(chunks) > 1:
            # The index of an element says in which block it is.
            places.append((_range(operands[0][0]._client, chunks), (label,)))
            starts[axis] = np.cumsum((0, *chunks[:-1]))
    return call_blocks(_Located(function, len(result), starts), [*operands, *places], result, dtype, sizes)


def _range(client, chunks):
    return Array._of(_maniple.array_integers(client._core, 0, sum(chunks), 1, [list(chunks)]), client)


def chunks_along(label, operands):
    """How a labelled axis of arrays is cut, which are cut alike; None if no array has it."""
    found = [array.chunks[labels.index(label)] for array, labels in operands if label in labels]
    return max(found, key=lambda sizes: (sum(sizes) != 1, len(sizes)), default=None)


def unified(operands):
    """The arrays, cut alike along axes of one label."""
    operands = [(array, tuple(labels)) for array, labels in operands]
    wanted = {}
    for array, labels in operands:
        if len(labels) != array.ndim:
            raise ValueError(f"{len(labels)} labels are given for an array with {array.ndim} axes")
        for label, sizes in zip(labels, array.chunks):
            wanted[label] = _common(label, wanted.get(label, sizes), sizes)
    cut = []
    for array, labels in operands:
        chunks = tuple(
            own if sum(own) == 1 else wanted[label] for label, own in zip(labels, array.chunks)
        )  # fmt: skip
        cut.append((array.rechunk(chunks), labels))
    return cut


def _common(label, one, other):
    """The sizes of blocks that fit into those of both."""
    if one == other or sum(other) == 1:
        return one
    if sum(one) == 1:
        return other
    if sum(one) != sum(other):
        raise ValueError(f"arrays have the lengths {sum(one)} and {sum(other)} along the axis {label!r}")
    ends = sorted(set(itertools.accumulate(one)) | set(itertools.accumulate(other)))
    return tuple(end - start for start, end in zip([0, *ends], ends) if end > start) or (0,)


def blocks_of(function, chunks, dtype, client=None):
    """An array of what a Python function returns for the location of each block.

    Parameters
    ----------
    function : callable
        Takes the location, a tuple of integers, and returns the block.
    """
    client = client or _client_or_new()
    counts = tuple(map(len, chunks))
    numbers = _range(client, (math.prod(counts),)).reshape(counts).rechunk(((1,) * count for count in counts))
    labels = tuple(range(len(counts)))
    return call_blocks(_Numbered(function, counts), [(numbers, labels)], labels, dtype, dict(zip(labels, chunks)))


class _Numbered:
    """A function of the location of a block, which gets the number of the block."""

    def __init__(self, function, counts):
        self.function, self.counts = function, counts

    def __call__(self, number):
        return self.function(tuple(int(place) for place in np.unravel_index(int(number.flat[0]), self.counts)))


def region(location, chunks):
    """The slices of the block at a location."""
    return tuple(
        slice(sum(sizes[:place]), sum(sizes[: place + 1])) for place, sizes in zip(location, chunks, strict=True)
    )  # fmt: skip


# Several results


def call_several(function, operands, result, outputs):
    """Arrays of the several blocks that a Python function returns for blocks: it is called once for all of them.

    Parameters
    ----------
    result : sequence
        The labels of the first axes of all results.
    outputs : sequence of (dtype, shape)
        The element type of each result, and the lengths of its last axes, which are not cut.
    """
    outputs = [(dtype_of(dtype, "a block"), tuple(shape)) for dtype, shape in outputs]
    lengths = [dtype.itemsize * math.prod(shape) for dtype, shape in outputs]
    last = object()
    packed = call_blocks(_Packed(function, outputs), operands, (*result, last), np.uint8, {last: [sum(lengths)]})
    arrays, start = [], 0
    for (dtype, shape), length in zip(outputs, lengths):
        own = tuple(object() for _ in shape)
        sizes = {label: [size] for label, size in zip(own, shape)}
        unpack = _Unpacked(slice(start, start + length), dtype, shape)
        arrays.append(call_blocks(unpack, [(packed, (*result, last))], (*result, *own), dtype, sizes))
        start += length
    return tuple(arrays)


class _Packed:
    """A function that returns the bytes of all its results along a last axis."""

    def __init__(self, function, outputs):
        self.function, self.outputs = function, outputs

    def __call__(self, *blocks):
        results = self.function(*blocks)
        if not isinstance(results, (tuple, list)) or len(results) != len(self.outputs):
            raise TypeError(f"the function returned {type(results).__name__}, {len(self.outputs)} results are due")
        parts = []
        for block, (dtype, shape) in zip(results, self.outputs):
            block = np.asarray(block).astype(dtype, copy=False)
            outer = block.shape[: block.ndim - len(shape)]
            if block.shape[len(outer) :] != shape:
                raise ValueError(f"the function returned a block of shape {block.shape}, it must end in {shape}")
            elements = np.ascontiguousarray(block).reshape(*outer, math.prod(shape), 1)
            parts.append(elements.view(np.uint8).reshape(*outer, math.prod(shape) * dtype.itemsize))
        return np.concatenate(parts, -1)


class _Unpacked:
    """A function that takes one result from the bytes of all."""

    def __init__(self, part, dtype, shape):
        self.part, self.dtype, self.shape = part, dtype, shape

    def __call__(self, block):
        outer = block.shape[:-1]
        own = np.ascontiguousarray(block[..., self.part])
        if not own.size:
            return np.empty((*outer, *self.shape), self.dtype)
        return own.view(self.dtype).reshape(*outer, *self.shape)
