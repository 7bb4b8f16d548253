"""Masked arrays, with the names of `dask.array.ma`: elements that are missing or not valid do not count.

A `MaskedArray` is a pair of arrays: the data, and a mask that is true where an element does not count. `compute` gives
a `numpy.ma.MaskedArray`. Operations on masked arrays are those of the two arrays, across blocks.

Examples
--------
>>> import maniple.array as da
>>> x = da.ma.masked_greater(da.arange(6, chunks=2), 3)
>>> int(x.sum().compute())
6
>>> (x + 1).compute().tolist()
[1, 2, 3, 4, None, None]
"""

import numpy as np

from .._delayed import Collection
from . import _create, _functions
from ._array import Array, as_operand
from ._functions import asarray, broadcast_to
from ._types import dtype_of

__all__ = [
    "MaskedArray", "average", "count", "empty_like", "filled", "fix_invalid", "getdata", "getmaskarray", "masked_array",
    "masked_equal", "masked_greater", "masked_greater_equal", "masked_inside", "masked_invalid", "masked_less",
    "masked_less_equal", "masked_not_equal", "masked_outside", "masked_values", "masked_where", "nonzero", "ones_like",
    "set_fill_value", "where", "zeros_like",
]  # fmt: skip

# Functions that have no result for some numbers: what is no finite number is masked, as in `numpy.ma`.
_PARTIAL = {
    "divide", "floor_divide", "remainder", "fmod", "log", "log2", "log10", "sqrt", "tan", "arcsin", "arccos", "arccosh",
    "arctanh",
}  # fmt: skip
_QUOTIENTS = {"divide", "floor_divide", "remainder", "fmod"}


class MaskedArray(Collection):
    """An array some of whose elements do not count: made by `masked_array`, `masked_where` and the like.

    Operators, universal functions of NumPy and reductions leave out the elements whose mask is true. The result of a
    reduction is masked where no element counts.
    """

    __slots__ = ("_data", "_mask", "_fill_value", "__weakref__")
    __array_priority__ = 15
    # Operators of plain arrays leave it to this class what they give.
    _takes_over = True
    # Equality is elementwise.
    __hash__ = None

    def __init__(self, *arguments, **named):
        raise TypeError("masked arrays are made by masked_array, masked_where and the like")

    @classmethod
    def _of(cls, data, mask, fill_value=None):
        self = object.__new__(cls)
        self._data, self._mask = data, mask if mask.chunks == data.chunks else mask.rechunk(data.chunks)
        self._fill_value = fill_value
        return self

    def _both(self, function):
        """What a function makes of the data and of the mask."""
        return MaskedArray._of(function(self._data), function(self._mask), self._fill_value)

    # Attributes

    @property
    def data(self):
        """All elements, the masked ones included."""
        return self._data

    @property
    def mask(self):
        """Which elements do not count."""
        return self._mask

    @property
    def fill_value(self):
        """What `filled` puts in the place of masked elements."""
        return np.ma.array(np.zeros((), self.dtype), fill_value=self._fill_value).fill_value

    shape = property(lambda self: self._data.shape, doc="The length of each axis.")
    dtype = property(lambda self: self._data.dtype, doc="The type of the elements.")
    ndim = property(lambda self: self._data.ndim, doc="How many axes there are.")
    size = property(lambda self: self._data.size, doc="How many elements there are.")
    chunks = property(lambda self: self._data.chunks, doc="The sizes of the blocks along each axis.")
    numblocks = property(lambda self: self._data.numblocks, doc="How many blocks there are along each axis.")
    T = property(lambda self: self.transpose(), doc="The array with its axes in the opposite order.")

    def __len__(self):
        return len(self._data)

    def __repr__(self):
        words = f"shape={self.shape}, dtype={self.dtype}, chunksize={self._data.chunksize}"
        return f"maniple.array<masked, {words}, chunktype=numpy.MaskedArray>"

    def __reduce__(self):
        raise TypeError("a masked array cannot be an argument of a task; pass what compute() gives")

    # Results

    def compute(self, **options):
        """Has all blocks made, and returns a `numpy.ma.MaskedArray`, or a scalar if there are no axes.

        The keywords are those of `Array.compute`.
        """
        return self._compute_all([self], options)[0]

    def persist(self, **options):
        """Has all blocks made and kept by the workers. Returns at once with a masked array of them."""
        data, mask = Array._persist_all([self._data, self._mask], options)
        return MaskedArray._of(data, mask, self._fill_value)

    @classmethod
    def _persist_all(cls, arrays, options):
        return [array.persist(**options) for array in arrays]

    @classmethod
    def _compute_all(cls, arrays, options):
        parts = [part for array in arrays for part in (array._data, array._mask)]
        values = iter(Array._compute_all(parts, options))
        return [array._joined(data, next(values)) for array, data in zip(arrays, values)]

    def _to_future(self, client, options):
        raise TypeError("client.compute takes no masked arrays: compute() the array, or its data and its mask")

    def _publish(self, client, name):
        raise TypeError("masked arrays are not published: publish the data and the mask")

    def _persisted_blocks(self):
        parts = [part._persisted_blocks() for part in (self._data, self._mask)]
        return None if None in parts else tuple(map(sum, zip(*parts)))

    def _wait(self, timeout):
        self._data._wait(timeout)
        self._mask._wait(timeout)

    def _joined(self, data, mask):
        if not self.ndim:
            return np.ma.masked if mask else data
        return np.ma.array(data, mask=mask, fill_value=self._fill_value)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.compute(), dtype)

    def __bool__(self):
        return bool(self.compute())

    # Elementwise operations

    def astype(self, dtype):
        """The array with elements of another type."""
        return MaskedArray._of(self._data.astype(dtype), self._mask, None)

    def filled(self, fill_value=None):
        """An array with this number, or the fill value, in place of the masked elements."""
        return filled(self, fill_value)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or options:
            return NotImplemented
        return _apply(ufunc, inputs)

    def __array_function__(self, function, types, arguments, named):
        own = _of_numpy.get(function)
        if own is None:
            module = function.__module__ or "numpy"
            raise TypeError(f"{module}.{function.__name__} is not available for masked arrays; compute() gives NumPy's")
        return own(*arguments, **named)

    def conj(self):
        """The complex conjugates."""
        return np.conjugate(self)

    # Shapes

    def __getitem__(self, key):
        key = key.filled(False) if isinstance(key, MaskedArray) else key
        return self._both(lambda array: array[key])

    def reshape(self, *shape):
        """The elements in C order under another shape."""
        return self._both(lambda array: array.reshape(*shape))

    def ravel(self):
        """All elements in C order along one axis."""
        return self._both(lambda array: array.ravel())

    flatten = ravel

    def transpose(self, *axes):
        """The array with its axes in this order; by default in the opposite one."""
        return self._both(lambda array: array.transpose(*axes))

    def squeeze(self, axis=None):
        """The array without axes of length 1."""
        return self._both(lambda array: array.squeeze(axis))

    def rechunk(self, *arguments, **named):
        """The same elements in other blocks: see `Array.rechunk`."""
        return self._both(lambda array: array.rechunk(*arguments, **named))

    def compressed(self):
        """The elements that count, in C order. Their number is computed at once."""
        return self._data.ravel()[(~self._mask).ravel()]

    # Reductions

    def count(self, axis=None, keepdims=False):
        """How many elements count, over all axes or some."""
        return (~self._mask).sum(axis=axis, keepdims=keepdims)

    def _reduced(self, name, neutral, axis, keepdims, dtype=None, **named):
        named = named if dtype is None else {**named, "dtype": dtype}
        data = getattr(_functions, name)(filled(self, neutral), axis=axis, keepdims=keepdims, **named)
        return MaskedArray._of(data, self._mask.all(axis=axis, keepdims=keepdims))

    def sum(self, axis=None, dtype=None, keepdims=False):
        """Sums of the elements that count, over all axes or some."""
        return self._reduced("sum", 0, axis, keepdims, dtype)

    def prod(self, axis=None, dtype=None, keepdims=False):
        """Products of the elements that count, over all axes or some."""
        return self._reduced("prod", 1, axis, keepdims, dtype)

    def any(self, axis=None, keepdims=False):
        """Whether one of the elements that count is not zero."""
        return self._reduced("any", 0, axis, keepdims)

    def all(self, axis=None, keepdims=False):
        """Whether all elements that count are not zero."""
        return self._reduced("all", 1, axis, keepdims)

    def min(self, axis=None, keepdims=False):
        """The smallest of the elements that count."""
        return self._reduced("min", _end(self.dtype, 1), axis, keepdims)

    def max(self, axis=None, keepdims=False):
        """The largest of the elements that count."""
        return self._reduced("max", _end(self.dtype, -1), axis, keepdims)

    def mean(self, axis=None, dtype=None, keepdims=False):
        """Means of the elements that count: float64 of integers."""
        kind = dtype_of(dtype or _functions.mean(self._data).dtype)
        sums = self.astype(kind).sum(axis, None, keepdims)
        counts = self.count(axis, keepdims).astype(_real(kind))
        return MaskedArray._of((sums._data / counts).astype(kind), sums._mask)

    def var(self, axis=None, dtype=None, ddof=0, keepdims=False):
        """Variances of the elements that count; ``ddof`` is subtracted from the count. Masked where that leaves none."""
        kind = dtype_of(dtype or _functions.mean(self._data).dtype)
        distances = self.astype(kind) - self.astype(kind).mean(axis, keepdims=True)._data
        squares = np.square(np.absolute(distances))
        left = self.count(axis, keepdims) - ddof
        sums = squares.sum(axis, None, keepdims)._data
        return MaskedArray._of((sums / left.astype(_real(kind))).astype(_real(kind)), left <= 0)

    def std(self, axis=None, dtype=None, ddof=0, keepdims=False):
        """Standard deviations of the elements that count: see `var`."""
        found = self.var(axis, dtype, ddof, keepdims)
        return MaskedArray._of(np.sqrt(found._data), found._mask)


def _end(dtype, sign):
    """The largest number of a type, or the smallest one."""
    if dtype.kind == "f":
        return dtype.type(sign * np.inf)
    if dtype.kind == "b":
        return sign > 0
    return np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min


def _real(dtype):
    return np.zeros((), dtype).real.dtype


def _plain(value):
    """An operand without its mask."""
    if isinstance(value, MaskedArray):
        return value._data
    return value.data if isinstance(value, np.ma.MaskedArray) else value


def _apply(ufunc, inputs):
    """A universal function: the result is masked where an operand is."""
    first = next(value for value in inputs if isinstance(value, MaskedArray))
    results = ufunc(*map(_plain, inputs))
    masks = [asarray(getmaskarray(value)) for value in inputs if isinstance(value, (MaskedArray, np.ma.MaskedArray))]
    mask = masks[0]
    for other in masks[1:]:
        mask = mask | other

    def masked(result):
        own = broadcast_to(mask, result.shape)
        if ufunc.__name__ in _PARTIAL and result.dtype.kind in "fc":
            own = own | ~np.isfinite(result)
        if ufunc.__name__ in _QUOTIENTS:
            own = own | broadcast_to(asarray(_plain(inputs[1])) == 0, result.shape)
        is_kept = result.dtype == first.dtype
        return MaskedArray._of(result, own, first._fill_value if is_kept else None)

    return tuple(map(masked, results)) if isinstance(results, tuple) else masked(results)


def _add_operators():
    """Python's operators, which are universal functions, with the operands in both orders."""
    names = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
        "mod": np.remainder, "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    }  # fmt: skip
    for name, ufunc in names.items():
        setattr(MaskedArray, f"__{name}__", lambda self, other, ufunc=ufunc: _apply(ufunc, (self, other)))
        setattr(MaskedArray, f"__r{name}__", lambda self, other, ufunc=ufunc: _apply(ufunc, (other, self)))
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        ufunc = getattr(np, {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
                             "ge": "greater_equal"}[name])  # fmt: skip
        setattr(MaskedArray, f"__{name}__", lambda self, other, ufunc=ufunc: _apply(ufunc, (self, other)))
    for name, ufunc in {"neg": np.negative, "abs": np.absolute, "invert": np.invert}.items():
        setattr(MaskedArray, f"__{name}__", lambda self, ufunc=ufunc: _apply(ufunc, (self,)))


_add_operators()


# Masked arrays


def _masked(a):
    """A masked array of an array, of one of NumPy's, or of a masked one."""
    if isinstance(a, MaskedArray):
        return a
    if isinstance(a, np.ma.MaskedArray):
        data = asarray(a.data)
        return MaskedArray._of(data, as_operand(np.ma.getmaskarray(a), data._client, near=data), a.fill_value)
    data = asarray(a)
    return MaskedArray._of(data, data._full_like(False, np.bool_))


def _more(a, mask, fill_value=None):
    """An array with more elements masked."""
    a = _masked(a)
    return MaskedArray._of(a._data, a._mask | broadcast_to(mask, a.shape), a._fill_value if fill_value is None else fill_value)


def masked_array(data, mask=np.ma.nomask, fill_value=None, dtype=None, **named):
    """A masked array of data and of a mask, which has its shape or one element."""
    if set(named) - {"chunks"}:
        raise TypeError(f"masked_array takes no keyword {', '.join(sorted(named))}")
    if np.shape(fill_value):
        raise ValueError("non-scalar fill_value not supported")
    a = _masked(data) if dtype is None else _masked(data).astype(dtype)
    if mask is np.ma.nomask:
        return MaskedArray._of(a._data, a._mask, fill_value)
    mask = as_operand(mask, a._data._client, np.dtype(np.bool_), near=a._data)
    if mask.size == 1:
        mask = mask.reshape(())
    elif mask.shape != a.shape:
        shapes = f"data shape is {a.shape}, and mask shape is {mask.shape}"
        raise np.ma.MaskError(f"Mask and data not compatible: {shapes}.")
    return _more(a, mask, fill_value)


def masked_where(condition, a):
    """An array with the elements masked for which a condition holds."""
    a = _masked(a)
    condition = filled(condition, False) if isinstance(condition, MaskedArray) else condition
    condition = as_operand(condition, a._data._client, np.dtype(np.bool_), near=a._data)
    if condition.ndim and condition.shape != a.shape:
        words = f"(got {condition.shape} and {a.shape})"
        raise IndexError(f"Inconsistent shape between the condition and the input {words}")
    return _more(a, condition)


def _by_comparison(name, ufunc, words):
    def masked(a, value):
        a = _masked(a)
        return _more(a, ufunc(a._data, _plain(value)))

    masked.__name__ = masked.__qualname__ = name
    masked.__doc__ = f"An array with the elements masked that are {words} ``value``."
    return masked


masked_greater = _by_comparison("masked_greater", np.greater, "greater than")
masked_greater_equal = _by_comparison("masked_greater_equal", np.greater_equal, "greater than or equal to")
masked_less = _by_comparison("masked_less", np.less, "less than")
masked_less_equal = _by_comparison("masked_less_equal", np.less_equal, "less than or equal to")
masked_not_equal = _by_comparison("masked_not_equal", np.not_equal, "not equal to")


def masked_equal(a, value):
    """An array with the elements masked that are equal to a number, which becomes the fill value."""
    if np.shape(value):
        raise ValueError("masked_equal takes no array as a value")
    a = _masked(a)
    return _more(a, np.equal(a._data, value), value)


def masked_values(x, value, rtol=1e-05, atol=1e-08, shrink=True):
    """An array with the elements masked that are near a number, which becomes the fill value."""
    if np.shape(value):
        raise ValueError("masked_values takes no array as a value")
    a = _masked(x)
    is_near = _functions.isclose(a._data, value, rtol, atol) if a.dtype.kind in "fc" else np.equal(a._data, value)
    return _more(a, is_near, value)


def masked_inside(x, v1, v2):
    """An array with the elements masked between two limits, which may be in any order."""
    a, (low, high) = _masked(x), sorted((v1, v2))
    return _more(a, (a._data >= low) & (a._data <= high))


def masked_outside(x, v1, v2):
    """An array with the elements masked outside of two limits, which may be in any order."""
    a, (low, high) = _masked(x), sorted((v1, v2))
    return _more(a, (a._data < low) | (a._data > high))


def masked_invalid(a):
    """An array with the elements masked that are NaN or infinite."""
    a = _masked(a)
    return _more(a, ~np.isfinite(a._data))


def fix_invalid(a, fill_value=None):
    """An array with NaN and infinities masked and replaced by the fill value."""
    a = masked_invalid(a)
    number = a.fill_value if fill_value is None else fill_value
    data = _functions.where(np.isfinite(a._data), a._data, np.array(number, a.dtype))
    return MaskedArray._of(data, a._mask, a._fill_value if fill_value is None else fill_value)


def set_fill_value(a, fill_value):
    """Changes what `filled` puts in the place of masked elements. Other arrays have no such number."""
    if np.shape(fill_value):
        raise ValueError("set_fill_value takes no array as a value")
    if isinstance(a, MaskedArray):
        a._fill_value = np.ma.array(np.zeros((), a.dtype), fill_value=fill_value).fill_value


# What is made of them


def filled(a, fill_value=None):
    """An array with a number, or the fill value, in place of the masked elements."""
    if not isinstance(a, (MaskedArray, np.ma.MaskedArray)):
        return asarray(a)
    a = _masked(a)
    number = a.fill_value if fill_value is None else fill_value
    return _functions.where(a._mask, np.array(number, a.dtype), a._data)


def getdata(a):
    """All elements, the masked ones included."""
    return asarray(_plain(a))


def getmaskarray(a):
    """Which elements do not count: an array of truth values."""
    return _masked(a)._mask


def count(a, axis=None, keepdims=False, split_every=None):
    """How many elements count, over all axes or some."""
    return _masked(a).count(axis, keepdims)


def average(a, axis=None, weights=None, returned=False, keepdims=False):
    """Means of the elements that count, each as often as its weight says; with the sums of weights, if ``returned``."""
    a = _masked(a)
    if weights is None:
        found, sums = a.mean(axis, keepdims=keepdims), a.count(axis, keepdims)
    else:
        weights = asarray(weights)
        if weights.shape != a.shape:
            if weights.ndim != 1 or not isinstance(axis, (int, np.integer)):
                raise TypeError("1D weights and an axis are expected when the shapes of a and weights differ")
            places = [1] * a.ndim
            places[axis] = -1
            weights = broadcast_to(weights.reshape(places), a.shape)
        weights = _more(weights, a._mask)
        kind = np.result_type(a.dtype, weights.dtype, np.float64 if a.dtype.kind in "biu" else a.dtype)
        sums = weights.sum(axis, kind, keepdims)
        found, sums = (a * weights).sum(axis, kind, keepdims) / sums, sums
    if not returned:
        return found
    sums = sums if isinstance(sums, MaskedArray) else _masked(sums)
    return found, sums.astype(found.dtype)


def nonzero(a):
    """The indices along each axis of the elements that count and are not zero."""
    return _functions.nonzero(filled(a, 0))


def where(condition, x=None, y=None):
    """Elements of ``x`` where a condition holds, of ``y`` elsewhere; masked where the condition or the chosen one is."""
    if (x is None) != (y is None):
        raise ValueError("either both or neither of x and y should be given")
    if x is None:
        return nonzero(condition)
    condition, x, y = map(_masked, (condition, x, y))
    is_chosen = condition._data.astype(np.bool_)
    data = _functions.where(is_chosen, x._data, y._data)
    mask = _functions.where(is_chosen, x._mask, y._mask) | condition._mask
    return MaskedArray._of(data, broadcast_to(mask, data.shape))


def _like(name, make):
    def like(a, dtype=None):
        a = _masked(a)
        return MaskedArray._of(make(a._data, dtype=dtype), a._mask, None if dtype else a._fill_value)

    like.__name__ = like.__qualname__ = f"{name}_like"
    like.__doc__ = f"A masked array of {'ones' if name == 'ones' else 'zeros'} under the mask of another one."
    return like


ones_like, zeros_like, empty_like = (
    _like(name, getattr(_create, f"{name}_like")) for name in ("ones", "zeros", "empty")
)  # fmt: skip


def _method(name):
    """A function of NumPy's as a method of masked arrays."""
    return lambda a, *arguments, **named: getattr(_masked(a), name)(*arguments, **named)


_REDUCTIONS = ("sum", "prod", "any", "all", "min", "max", "mean", "var", "std")
_of_numpy = {getattr(np, name): _method(name) for name in (*_REDUCTIONS, "reshape", "transpose", "ravel", "squeeze")}
_of_numpy |= {np.where: where, np.average: average, np.nonzero: nonzero}
