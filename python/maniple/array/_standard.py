"""Names of the array API standard that NumPy and Dask do not have, or have under other names.

https://data-apis.org/array-api/latest/
"""

import collections
import functools

import numpy as np

from ._algorithms import unique
from ._array import Array
from ._create import from_array
from ._functions import asarray, concatenate, cumprod, cumsum, transpose
from ._map import along_lines
from ._types import NAMES, axis_index

# Universal functions by the standard's names.
UNIVERSAL = {
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan,
    "atan2": np.arctan2, "atanh": np.arctanh, "bitwise_invert": np.invert, "bitwise_left_shift": np.left_shift,
    "bitwise_right_shift": np.right_shift, "pow": np.power,
}  # fmt: skip

# Functions of types and shapes, which are NumPy's.
broadcast_shapes, finfo, iinfo, isdtype = np.broadcast_shapes, np.finfo, np.iinfo, np.isdtype

UniqueAll = collections.namedtuple("UniqueAll", "values indices inverse_indices counts")
UniqueCounts = collections.namedtuple("UniqueCounts", "values counts")
UniqueInverse = collections.namedtuple("UniqueInverse", "values inverse_indices")


def astype(x, dtype, /, *, copy=True, device=None):
    """The array with elements of another type."""
    return asarray(x, device=device).astype(dtype, copy=copy)


def can_cast(from_, to, /):
    """Whether elements of one type, or of an array, become another type without loss."""
    return np.can_cast(from_.dtype if isinstance(from_, Array) else from_, to)


def concat(arrays, /, *, axis=0):
    """Arrays one after the other along an axis, or flattened."""
    return concatenate(arrays, axis)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Running sums along an axis; with ``include_initial`` from 0 on."""
    return _cumulative(cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Running products along an axis; with ``include_initial`` from 1 on."""
    return _cumulative(cumprod, 1, x, axis, dtype, include_initial)


def _cumulative(function, first, x, axis, dtype, include_initial):
    x = asarray(x)
    if axis is None and x.ndim != 1:
        raise ValueError(f"an array with {x.ndim} axes takes axis=")
    axis = axis_index(0 if axis is None else axis, x.ndim)
    found = function(x, axis, dtype)
    if not include_initial:
        return found
    start = found[(slice(None),) * axis + (slice(0, 1),)]
    return concatenate([start._full_like(first, found.dtype), found], axis)


def from_dlpack(x, /, *, device=None, copy=None):
    """An array of an object that lends its memory by the DLPack protocol; the elements are copied."""
    return from_array(np.from_dlpack(x, device=device, copy=copy))


def matrix_transpose(x, /):
    """The array with its last two axes in each other's place."""
    return asarray(x).mT


def permute_dims(x, /, axes):
    """The array with its axes in this order."""
    return transpose(x, axes)


def take_along_axis(arr, indices, /, *, axis=-1):
    """The elements at places along an axis that differ from line to line."""
    from ._blockwise import call_blocks

    arr, indices = asarray(arr), asarray(indices)
    if arr.ndim != indices.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    axis = axis_index(axis, arr.ndim)
    labels = tuple(range(arr.ndim))
    own = tuple("taken" if place == axis else place for place in labels)
    operands = [(arr.rechunk({axis: -1}), labels), (indices, own)]
    return call_blocks(functools.partial(np.take_along_axis, axis=axis), operands, own, arr.dtype)


def unique_all(x, /):
    """The distinct elements, where each comes first, which of them each element is, and how often each comes."""
    x = asarray(x)
    values, indices, inverse, counts = unique(x, True, True, True)
    return UniqueAll(values, indices, inverse.reshape(x.shape), counts)


def unique_counts(x, /):
    """The distinct elements, and how often each comes."""
    return UniqueCounts(*unique(x, return_counts=True))


def unique_inverse(x, /):
    """The distinct elements, and which of them each element is."""
    x = asarray(x)
    values, inverse = unique(x, return_inverse=True)
    return UniqueInverse(values, inverse.reshape(x.shape))


def unique_values(x, /):
    """The distinct elements."""
    return unique(x)


def unstack(x, /, *, axis=0):
    """The slices along an axis."""
    x = asarray(x)
    axis = axis_index(axis, x.ndim)
    return tuple(x[(slice(None),) * axis + (place,)] for place in range(x.shape[axis]))


def cross(x1, x2, /, *, axis=-1):
    """The vector products along an axis of length 3."""
    x1, x2 = np.broadcast_arrays(asarray(x1), asarray(x2))
    axis = axis_index(axis, x1.ndim)
    if x1.shape[axis] != 3:
        raise ValueError("cross takes vectors of 3 elements")
    pair = np.stack([x1, x2])
    function = functools.partial(_cross, axis)
    return along_lines(function, pair, (0, axis + 1), {0: 1}, pair.dtype)[0]


def _cross(axis, pair):
    # A block of one element asks for the type of the result.
    return np.cross(pair[0], pair[1], axis=axis)[None]


class Info:
    """What the namespace has: see the array API standard."""

    def capabilities(self):
        """What depends on the values of arrays, and the highest number of axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 32}

    def default_device(self):
        """Where arrays are by default."""
        return "cpu"

    def devices(self):
        """Where arrays may be."""
        return ["cpu"]

    def default_dtypes(self, *, device=None):
        """The types of arrays by default."""
        names = {"real floating": "float64", "complex floating": "complex128", "integral": "int64", "indexing": "int64"}
        return {kind: np.dtype(name) for kind, name in names.items()}

    def dtypes(self, *, device=None, kind=None):
        """The element types by name, or those of a kind."""
        # The standard has no half-precision numbers.
        types = {name: np.dtype(name) for name in NAMES if name != "float16"}
        return {name: dtype for name, dtype in types.items() if kind is None or np.isdtype(dtype, kind)}


def __array_namespace_info__():
    """What the namespace has."""
    return Info()
