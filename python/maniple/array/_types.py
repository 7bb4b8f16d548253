"""Element types, axes and chunks: what NumPy and Dask say about them."""

import itertools
import math
import operator
import re

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

# The element types of the runtime, by NumPy's names.
NAMES = (
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
    "complex64", "complex128",
)  # fmt: skip

AUTO_BYTES = 128 << 20
_UNITS = {None: 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def dtype_of(dtype, what="an array"):
    """The element type as the runtime has it. Raises `TypeError` if it has none such."""
    dtype = np.dtype(dtype)
    if dtype.name not in NAMES:
        raise TypeError(f"{what} of {dtype.name} elements is not available; the element types are {', '.join(NAMES)}")
    return np.dtype(dtype.name)


def shape_of(size):
    """A shape of an integer, a sequence of them, or None, which is no axis."""
    if size is None:
        return ()
    lengths = tuple(map(operator.index, size)) if np.iterable(size) else (operator.index(size),)
    if any(length < 0 for length in lengths):
        raise ValueError(f"the shape {lengths} has a negative length")
    return lengths


def axis_index(axis, ndim):
    """An axis, counted from the first one."""
    return normalize_axis_index(operator.index(axis), ndim)


def axis_tuple(axis, ndim):
    """Axes, counted from the first one; None stays None."""
    if axis is None:
        return None
    if np.iterable(axis):
        return normalize_axis_tuple(tuple(axis), ndim, "axis")
    return (axis_index(axis, ndim),)


def _regular(length, size):
    """Pieces of one size, the last one maybe smaller."""
    if length == 0:
        return [0]
    size = min(size, length)
    return [size] * (length // size) + ([length % size] if length % size else [])


def _auto_sizes(lengths, elements_max):
    """Sizes of blocks with so many elements: axes that are shorter than their share stay whole, the others share."""
    sizes, left = {}, float(max(elements_max, 1))
    by_length = sorted(lengths.items(), key=lambda item: item[1])
    for place, (axis, length) in enumerate(by_length):
        share = left ** (1 / (len(by_length) - place))
        sizes[axis] = max(int(min(length, math.floor(share + 1e-9))), 1)
        left /= sizes[axis]
    return sizes


def _bytes_of(text):
    match = re.fullmatch(r"\s*([0-9.]+)\s*([kmg]i?)?b?\s*", text.lower())
    if match is None:
        raise ValueError(f"chunks={text!r} is neither 'auto' nor a size such as '64MiB'")
    return float(match[1]) * _UNITS[match[2] or ""]


def balanced(sizes):
    """As many sizes of blocks with the same sum, which differ by one at most."""
    count, total = len(sizes), sum(sizes)
    return tuple(total // count + (place < total % count) for place in range(count))


def normalize_chunks(chunks, shape=None, limit=None, dtype=None, previous_chunks=None):
    """The sizes of all blocks along each axis, as a tuple of tuples.

    Parameters
    ----------
    chunks : int, tuple, dict or str
        As in Dask: a size for all axes, a size or sizes for each; -1 or None for a whole axis; ``"auto"`` for blocks of
        about 128 MiB, or a size such as ``"64MiB"``; a dictionary from axes to these, which leaves other axes as they
        are.
    limit : int or str, optional
        The size of automatic chunks, in bytes: 128 MiB by default.
    previous_chunks : tuple, optional
        The chunks that axes have which a dictionary leaves out.
    """
    if shape is None:
        shape = tuple(sum(sizes) for sizes in chunks)
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    ndim, previous = len(shape), previous_chunks
    if isinstance(chunks, dict):
        given = {axis_index(axis, ndim): sizes for axis, sizes in chunks.items()}
        chunks = tuple(given.get(axis, previous[axis] if previous else -1) for axis in range(ndim))
    elif chunks is None or isinstance(chunks, str) or not np.iterable(chunks):
        chunks = (chunks,) * ndim
    else:
        chunks = tuple(chunks)
        if ndim == 1 and len(chunks) > 1 and not any(map(np.iterable, chunks)):
            chunks = (chunks,)
    if not chunks and 0 in shape:
        chunks = (0,) * ndim
    if len(chunks) != ndim:
        raise ValueError(f"chunks={chunks} are given for {len(chunks)} axes, the shape {shape} has {ndim}")
    pieces, automatic = {}, {}
    limit = AUTO_BYTES if limit is None else _bytes_of(limit) if isinstance(limit, str) else limit
    for axis, (sizes, length) in enumerate(zip(chunks, shape)):
        if isinstance(sizes, str):
            automatic[axis] = length
            limit = limit if sizes == "auto" else _bytes_of(sizes)
        elif np.iterable(sizes):
            pieces[axis] = list(map(operator.index, sizes)) or [0]
            if sum(pieces[axis]) != length or min(pieces[axis]) < 0:
                raise ValueError(f"chunks {tuple(pieces[axis])} along axis {axis} do not add up to the shape {shape}")
        else:
            size = length if sizes is None else operator.index(sizes)
            size = max(length, 1) if size == -1 else size
            if size < 0 or (size == 0 and length > 0):
                raise ValueError(f"chunks of size {size} along axis {axis} of the shape {shape}")
            pieces[axis] = _regular(length, size)
    if automatic and dtype is None:
        raise TypeError("normalize_chunks: automatic chunks take dtype=")
    if automatic:
        fixed = math.prod(max(sizes) for sizes in pieces.values()) if pieces else 1
        found = _auto_sizes(automatic, limit / np.dtype(dtype).itemsize / max(fixed, 1))
        pieces.update((axis, _regular(shape[axis], size)) for axis, size in found.items())
    return tuple(tuple(pieces[axis]) for axis in range(ndim))


def spans(chunks):
    """The slices of all blocks, in C order, with their shapes."""
    along = [[(end - size, end) for size, end in zip(sizes, itertools.accumulate(sizes))] for sizes in chunks]
    for block in itertools.product(*along):
        yield tuple(slice(start, end) for start, end in block), [end - start for start, end in block]
