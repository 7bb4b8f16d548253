"""Functions of arrays: reductions, elementwise functions, shapes."""

import builtins
import math
import operator
import warnings

import numpy as np

from ._array import Array, _broadcast, as_operand, check_device, into, same_run
from ._types import axis_index, axis_tuple, dtype_of


def asarray(a, chunks="auto", dtype=None, order=None, *, like=None, device=None, copy=None):
    """An array of anything that NumPy makes an array of; an array itself stays as it is."""
    from ._create import from_array

    check_device(device)
    if not isinstance(a, Array) and copy is False:
        raise ValueError("asarray copies what is no array of this module")
    if getattr(a, "_takes_over", False):
        raise TypeError("this function takes no masked arrays: see the methods of the array, and maniple.array.ma")
    x = a if isinstance(a, Array) else from_array(np.asanyarray(a), chunks=chunks)
    x = x if dtype is None else x.astype(dtype, copy=False)
    return x.copy() if copy and x is a else x


asanyarray = asarray


def _no_keywords(name, **others):
    given = [key for key, value in others.items() if value is not np._NoValue]
    if given:
        raise TypeError(f"{name} of arrays takes no keyword {', '.join(given)}")


def _filled(out, result):
    """The result, or the array of ``out=``, which becomes it."""
    return result if out is None else into(out, result)


# Reductions


# Reductions that the runtime has for half-precision numbers.
_OF_HALF = {"sum", "prod", "min", "max", "argmin", "argmax", "count_nonzero"}


def _reduce(name, a, axis, keepdims, ddof=0.0):
    if a.dtype == np.float16 and name not in _OF_HALF:
        return _reduce(name, a.astype(np.float32), axis, keepdims, ddof).astype(np.float16)
    axes = axis_tuple(axis, a.ndim)
    keep = builtins.bool(keepdims) and keepdims is not np._NoValue
    return a._with(a._core.reduce(name, axes, keep, float(ddof)))


def _count_along(a, axis):
    axes = axis_tuple(axis, a.ndim)
    return math.prod(length for place, length in enumerate(a.shape) if axes is None or place in axes)


def _floats(a):
    """The elements as NumPy takes means of them."""
    return a if a.dtype.kind in "fc" else a.astype(np.float64)


def _of_dtype(a, dtype):
    return a if dtype is None or dtype is np._NoValue else a.astype(dtype)


def sum(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None, **others):
    """Sums over all axes or some, in 64 bits for integers."""
    _no_keywords("sum", **others)
    # Sums are taken in 64 bits; of these, NumPy's bits of a narrower type.
    return _filled(out, _of_dtype(_reduce("sum", _of_dtype(asarray(a), dtype), axis, keepdims), dtype))


def prod(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None, **others):
    """Products over all axes or some, in 64 bits for integers."""
    _no_keywords("prod", **others)
    return _filled(out, _of_dtype(_reduce("prod", _of_dtype(asarray(a), dtype), axis, keepdims), dtype))


def mean(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None, **others):
    """Means over all axes or some: float64 of integers."""
    _no_keywords("mean", **others)
    a = asarray(a)
    if dtype is None or dtype is np._NoValue or np.dtype(dtype).kind in "fc":
        return _filled(out, _reduce("mean", _of_dtype(a, dtype), axis, keepdims))
    # As NumPy: of elements of this type, and rounded to it.
    return _filled(out, _reduce("mean", a.astype(dtype), axis, keepdims).astype(dtype))


def var(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None, *, correction=None, **others):
    """Variances over all axes or some; ``ddof``, or ``correction``, is subtracted from the count."""
    ddof = ddof if correction in (None, np._NoValue) else correction
    _no_keywords("var", **others)
    a = _of_dtype(_floats(asarray(a)), dtype)
    if a.dtype.kind == "c":
        return _filled(out, _reduce("var", a.real, axis, keepdims, ddof) + _reduce("var", a.imag, axis, keepdims, ddof))
    return _filled(out, _reduce("var", a, axis, keepdims, ddof))


def std(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None, *, correction=None, **others):
    """Standard deviations over all axes or some; ``ddof``, or ``correction``, is subtracted from the count."""
    ddof = ddof if correction in (None, np._NoValue) else correction
    _no_keywords("std", **others)
    a = _of_dtype(_floats(asarray(a)), dtype)
    if a.dtype.kind == "c":
        return _filled(out, np.sqrt(var(a, axis, None, keepdims, ddof)))
    return _filled(out, _reduce("std", a, axis, keepdims, ddof))


def _extreme(name, a, axis, keepdims):
    if not _count_along(a, axis):
        words = {"min": "minimum", "max": "maximum"}.get(name, name)
        raise ValueError(f"zero-size array to reduction operation {words} which has no identity")
    return _reduce(name, a, axis, keepdims)


def min(a, axis=None, keepdims=False, split_every=None, out=None, **others):
    """The smallest elements over all axes or some; NaN if there is one."""
    _no_keywords("min", **others)
    return _filled(out, _extreme("min", asarray(a), axis, keepdims))


def max(a, axis=None, keepdims=False, split_every=None, out=None, **others):
    """The largest elements over all axes or some; NaN if there is one."""
    _no_keywords("max", **others)
    return _filled(out, _extreme("max", asarray(a), axis, keepdims))


amin, amax = min, max


def ptp(a, axis=None):
    """The difference of the largest and the smallest element."""
    return max(a, axis) - min(a, axis)


def _truths(a):
    a = asarray(a)
    return a if a.dtype == np.bool_ else a != 0


def any(a, axis=None, keepdims=False, split_every=None, out=None, **others):
    """Whether any element is true, over all axes or some."""
    _no_keywords("any", **others)
    return _filled(out, _reduce("any", _truths(a), axis, keepdims))


def all(a, axis=None, keepdims=False, split_every=None, out=None, **others):
    """Whether all elements are true, over all axes or some."""
    _no_keywords("all", **others)
    return _filled(out, _reduce("all", _truths(a), axis, keepdims))


def _place(name, a, axis, keepdims):
    a = asarray(a)
    if axis is not None:
        axis = axis_index(axis, a.ndim)
    if not _count_along(a, axis):
        raise ValueError(f"attempt to get {name} of an empty sequence")
    return _reduce(name, a, axis, keepdims)


def argmin(a, axis=None, keepdims=False, split_every=None, out=None):
    """The indices of the first smallest elements; without an axis, in the flattened array."""
    return _filled(out, _place("argmin", a, axis, keepdims))


def argmax(a, axis=None, keepdims=False, split_every=None, out=None):
    """The indices of the first largest elements; without an axis, in the flattened array."""
    return _filled(out, _place("argmax", a, axis, keepdims))


def count_nonzero(a, axis=None, keepdims=False):
    """How many elements are not zero."""
    return _reduce("count_nonzero", asarray(a), axis, keepdims)


def _nan_function(name, whole):
    def function(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None, **others):
        ddof = {"ddof": others.pop("ddof", 0)} if name in ("nanvar", "nanstd") else {}
        _no_keywords(name, **others)
        a = _of_dtype(asarray(a), dtype)
        if a.dtype.kind in "biu":
            return _filled(out, whole(a, axis=axis, keepdims=keepdims, **ddof))
        if name in ("nanmin", "nanmax"):
            return _filled(out, _extreme(name, a, axis, keepdims))
        return _filled(out, _reduce(name, a, axis, keepdims, *ddof.values()))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As `{whole.__name__}`, of the elements that are not NaN."
    return function


nansum, nanprod, nanmean = _nan_function("nansum", sum), _nan_function("nanprod", prod), _nan_function("nanmean", mean)
nanvar, nanstd = _nan_function("nanvar", var), _nan_function("nanstd", std)
nanmin, nanmax = _nan_function("nanmin", min), _nan_function("nanmax", max)


def median(a, axis=None, keepdims=False, out=None):
    """Medians along an axis."""
    return quantile(a, 0.5, axis=axis, keepdims=keepdims, out=out)


def quantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
    interpolation=None,
):
    """Quantiles along axes: one, or several along new first axes. ``method`` is that of `numpy.quantile`."""
    a, q, method = asarray(a), _quantiles(q), interpolation or method
    is_plain = method == "linear" and weights is None and a.dtype.kind != "c" and a.dtype != np.float16
    if is_plain and axis is None and np.ndim(q):
        # One after the other, so that no block holds all elements.
        found = [
            quantile(a.astype(np.result_type(_floats(a).dtype, q.dtype)), float(each), keepdims=keepdims)
            for each in q.ravel()
        ]
        return _filled(out, stack(found).reshape(q.shape + found[0].shape))
    if not is_plain or np.iterable(axis) or hasattr(q, "dtype"):
        # The runtime has one quantile along an axis, or of all elements.
        return _filled(out, _quantile_of_lines(np.quantile, a, q, axis, keepdims, weights, method=method))
    a = _floats(a)
    place = 0 if axis is None else axis_index(axis, a.ndim)
    x = a.ravel() if axis is None else a
    result = x._with(x._core.quantile(float(q), place))
    return _filled(out, expand_dims(result, tuple(range(a.ndim)) if axis is None else place) if keepdims else result)


def _quantiles(q):
    values = np.asarray(q)
    if not np.all((0 <= values) & (values <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    return q if values.ndim == 0 else values


def percentile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
    interpolation=None,
):
    """Percentiles along axes: `quantile` of ``q / 100``."""
    q = _hundredths(q)
    return quantile(a, q, axis, out, overwrite_input, method, keepdims, weights=weights, interpolation=interpolation)


def nanquantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
    interpolation=None,
):
    """As `quantile`, of the elements that are not NaN."""
    method = interpolation or method
    a, q = asarray(a), _quantiles(q)
    return _filled(out, _quantile_of_lines(np.nanquantile, a, q, axis, keepdims, weights, method=method))


def nanpercentile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
    interpolation=None,
):
    """As `percentile`, of the elements that are not NaN."""
    q = _hundredths(q)
    return nanquantile(a, q, axis, out, overwrite_input, method, keepdims, weights=weights, interpolation=interpolation)


def _hundredths(q):
    return q / 100 if type(q) in (int, float) else np.true_divide(q, 100)


def _quantile_of_lines(function, a, q, axis, keepdims, weights, method):
    """Quantiles of NumPy's, of blocks that are whole along the axes."""
    from ._blockwise import call_blocks

    axes = axis_tuple(axis, a.ndim)
    axes = tuple(range(a.ndim)) if axes is None else axes
    keep = builtins.bool(keepdims) and keepdims is not np._NoValue
    call = _Quantile(function, q=q, axis=axes, keepdims=keep, method=method)
    labels = tuple(range(a.ndim))
    first = [("q", place) for place in range(np.ndim(q))]
    sizes = {label: [length] for label, length in zip(first, np.shape(q))}
    result = [label for label in labels if keep or label not in axes]
    sizes |= {label: [1] for label in result if label in axes}
    arrays = [a] if weights is None or weights is np._NoValue else [a, _weights_of(weights, a, axes)]
    operands = [(array.rechunk(dict.fromkeys(axes, -1)), labels) for array in arrays]
    dtype = np.asarray(call(*(np.ones((1,) * a.ndim, array.dtype) for array in arrays))).dtype
    return call_blocks(call, operands, [*first, *result], dtype, sizes)


def _weights_of(weights, a, axes):
    """Weights in the shape of an array; of one axis, along the axis that is reduced."""
    weights = asarray(weights)
    if weights.shape == a.shape:
        return weights
    if weights.shape != tuple(a.shape[axis] for axis in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    shape = [a.shape[axis] if axis in axes else 1 for axis in range(a.ndim)]
    return broadcast_to(weights.reshape(shape), a.shape)


class _Quantile:
    """A function of NumPy that takes blocks, and weights of their elements."""

    def __init__(self, function, **named):
        self.function, self.named = function, named

    def __call__(self, block, weights=None):
        named = self.named if weights is None else {**self.named, "weights": weights}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            return self.function(block, **named)


def _running(name, a, axis, dtype, out):
    return _filled(out, _of_dtype(_of_dtype(asarray(a), dtype)._along(name, axis), dtype))


def cumsum(a, axis=None, dtype=None, out=None, method="sequential"):
    """Running sums along an axis, or of the flattened array."""
    return _running("cumsum", a, axis, dtype, out)


def cumprod(a, axis=None, dtype=None, out=None, method="sequential"):
    """Running products along an axis, or of the flattened array."""
    return _running("cumprod", a, axis, dtype, out)


def nancumsum(a, axis=None, dtype=None, out=None, method="sequential"):
    """As `cumsum`, with zeros in the place of NaN."""
    return _running(*_running_without_nan("nancumsum", a, 0, dtype), axis, dtype, out)


def nancumprod(a, axis=None, dtype=None, out=None, method="sequential"):
    """As `cumprod`, with ones in the place of NaN."""
    return _running(*_running_without_nan("nancumprod", a, 1, dtype), axis, dtype, out)


def _running_without_nan(name, a, neutral, dtype):
    """The operation, and its array, whose elements may become integers that have no NaN."""
    a, kind = asarray(a), "f" if dtype is None else np.dtype(dtype).kind
    if a.dtype.kind in "fc" and kind in "fc" and a.dtype != np.float16:
        return name, a
    a = a if a.dtype.kind in "biu" else where(np.isnan(a), a.dtype.type(neutral), a)
    return name.removeprefix("nan"), a


def diff(a, n=1, axis=-1, prepend=None, append=None):
    """Differences of neighbours along an axis, ``n`` times; of elements before and after them, too."""
    a = asarray(a)
    axis = axis_index(axis, a.ndim)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if n == 0:
        return a
    shape = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
    ends = [None if end is None or end is np._NoValue else asarray(end) for end in (prepend, append)]
    first, last = (end if end is None or end.ndim else broadcast_to(end, shape) for end in ends)
    if first is not None or last is not None:
        a = concatenate([part for part in (first, a, last) if part is not None], axis)
    for _ in range(n):
        if a.dtype == np.bool_:
            a = a[_along(a.ndim, axis, slice(1, None))] != a[_along(a.ndim, axis, slice(None, -1))]
        else:
            a = a._along("diff", axis)
    return a


def _along(ndim, axis, item):
    items = [slice(None)] * ndim
    items[axis_index(axis, ndim)] = item
    return tuple(items)


# Elementwise


def _promoted(values, client):
    """Arrays of these operands, of the type that NumPy gives all of them."""
    kinds = [value if type(value) in (int, float, complex) else _dtype(value) for value in values]
    dtype = dtype_of(np.result_type(*kinds))
    near = next((value for value in values if isinstance(value, Array)), None)
    return [as_operand(value, client, dtype, near) for value in values]


def _dtype(value):
    return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype


def where(condition, x=None, y=None):
    """Elements of ``x`` where the condition holds, of ``y`` elsewhere; with the condition alone, where it holds."""
    if x is None and y is None:
        return nonzero(condition)
    client = same_run(value for value in (condition, x, y) if isinstance(value, Array))
    condition = _truths(as_operand(condition, client))
    x, y = _promoted((x, y), condition._client)
    _broadcast(condition, x, y)
    return condition._with(condition._core.select(x._core, y._core))


def nonzero(a):
    """The indices of the elements that are not zero, an array for each axis. How many there are is computed."""
    from ._create import arange

    a = asarray(a)
    flat = _truths(a).ravel()
    places = arange(flat.size, chunks=flat.chunks)[flat]
    found = []
    for length in reversed(a.shape):
        found.append(places % length)
        places = places // length
    return tuple(reversed(found))


def clip(a, min=None, max=None, out=None, **named):
    """The elements, none below ``min``, none above ``max``."""
    a = asarray(a)
    low, high = named.pop("a_min", min), named.pop("a_max", max)
    _no_keywords("clip", **named)
    a = a if low is None else np.maximum(a, low)
    return _filled(out, a if high is None else np.minimum(a, high))


def round(a, decimals=0, out=None):
    """The elements rounded to so many decimals, halves to the even digit."""
    a = asarray(a)
    if a.dtype.kind in "biu" and decimals >= 0:
        return _filled(out, a)
    if a.dtype == np.float16:
        return _filled(out, a.map_blocks(np.round, dtype=a.dtype, decimals=operator.index(decimals)))
    return _filled(out, a._with(a._core.round(operator.index(decimals))))


around = round


def real(a):
    """The real parts."""
    return asarray(a).real


def imag(a):
    """The imaginary parts."""
    return asarray(a).imag


def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Where elements are close to those of ``b``, as NumPy has it."""
    a, b = asarray(a), asarray(b)
    close = (abs(a - b) <= atol + rtol * abs(b)) & np.isfinite(b) | (a == b)
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close to those of ``b``."""
    return all(isclose(a, b, rtol, atol, equal_nan))


# What arrays are


def ndim(a):
    """How many axes there are."""
    return asarray(a).ndim


def shape(a):
    """The length of each axis."""
    return asarray(a).shape


def size(a, axis=None):
    """How many elements there are, in all or along an axis."""
    return asarray(a).size if axis is None else _count_along(asarray(a), axis)


def iscomplexobj(x):
    """Whether the elements are complex numbers."""
    return asarray(x).dtype.kind == "c"


def result_type(*arrays_and_dtypes):
    """The type that NumPy gives the result of an operation on these."""
    return np.result_type(*(value.dtype if isinstance(value, Array) else value for value in arrays_and_dtypes))


# Shapes


def transpose(a, axes=None):
    """The array with its axes in this order; by default in the opposite one."""
    return asarray(a).transpose(axes)


def swapaxes(a, axis1, axis2):
    """Two axes in each other's place."""
    return asarray(a).swapaxes(axis1, axis2)


def moveaxis(a, source, destination):
    """Axes moved to other places; the others keep their order."""
    a = asarray(a)
    source, destination = axis_tuple(source, a.ndim), axis_tuple(destination, a.ndim)
    if len(source) != len(destination):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [axis for axis in range(a.ndim) if axis not in source]
    for place, axis in sorted(zip(destination, source)):
        order.insert(place, axis)
    return a.transpose(order)


def reshape(a, shape, order="C", merge_chunks=True, limit=None, *, copy=None):
    """The elements in C order under another shape."""
    if order != "C":
        raise TypeError("reshape of arrays takes order='C' only")
    if copy is False:
        raise ValueError("reshape makes another array")
    return asarray(a).reshape(shape)


def ravel(a, order="C"):
    """All elements in C order along one axis."""
    return reshape(a, -1, order) if asarray(a).size else asarray(a).ravel()


def squeeze(a, axis=None):
    """The array without axes of length 1."""
    return asarray(a).squeeze(axis)


def expand_dims(a, axis):
    """The array with new axes of length 1 at these places of the result."""
    a = asarray(a)
    count = a.ndim + (len(axis) if np.iterable(axis) else 1)
    axes = axis_tuple(axis, count)
    return a[tuple(None if place in axes else slice(None) for place in range(count))]


def broadcast_to(a, shape):
    """The array repeated to this shape, as operators broadcast it."""
    a = asarray(a)
    shape = (operator.index(shape),) if not np.iterable(shape) else tuple(map(operator.index, shape))
    if shape == a.shape:
        return a
    if np.broadcast_shapes(a.shape, shape) != shape:
        raise ValueError(f"cannot broadcast an array of the shape {a.shape} to {shape}")
    return a._with(a._core.broadcast_to(shape))


def rechunk(a, chunks="auto", threshold=None, block_size_limit=None, balance=False, method=None):
    """The same elements in other blocks."""
    return asarray(a).rechunk(chunks, threshold, block_size_limit, balance, method)


def flip(a, axis=None):
    """The elements in the opposite order along axes, or along all."""
    a = asarray(a)
    for place in range(a.ndim) if axis is None else axis_tuple(axis, a.ndim):
        a = a._along("flip", place)
    return a


def roll(a, shift, axis=None):
    """The elements moved along an axis; what leaves at the end comes in at the start."""
    a = asarray(a)
    if axis is None:
        total = builtins.sum(map(operator.index, shift)) if np.iterable(shift) else shift
        return roll(a.ravel(), total, 0).reshape(a.shape)
    axes = axis_tuple(axis, a.ndim)
    shifts = tuple(shift) if np.iterable(shift) else (shift,) * len(axes)
    for place, distance in zip(axes, shifts, strict=True):
        a = a._with(a._core.roll(operator.index(distance), place))
    return a


def repeat(a, repeats, axis=None):
    """Each element so many times in a row along an axis: a number for all, or for each. These are computed."""
    a = asarray(a)
    a, axis = (a.ravel(), 0) if axis is None else (a, axis_index(axis, a.ndim))
    if np.ndim(repeats):
        return take(a, np.repeat(np.arange(a.shape[axis]), np.asarray(repeats)), axis)
    count = operator.index(repeats)
    if count < 0:
        raise ValueError("repeats may not contain negative values.")
    return a._with(a._core.repeat(count, axis)) if count else a[_along(a.ndim, axis, slice(0, 0))]


def take(a, indices, axis=None):
    """The elements at these places along an axis."""
    a = asarray(a)
    a, axis = (a.ravel(), 0) if axis is None else (a, axis)
    return a[_along(a.ndim, axis, indices)]


def _joined(seq, axis, stacks):
    name = "stack" if stacks else "concatenate"
    seq = list(seq)
    if not seq:
        raise ValueError(f"need at least one array to {name}")
    client = same_run(value for value in seq if isinstance(value, Array))
    arrays = _promoted(seq, client)
    axis = axis_index(axis, arrays[0].ndim + stacks)
    first = arrays[0]
    for other in arrays[1:]:
        differ = [length for place, length in enumerate(other.shape) if stacks or place != axis]
        due = [length for place, length in enumerate(first.shape) if stacks or place != axis]
        if other.ndim != first.ndim or differ != due:
            raise ValueError(f"{name} along axis {axis}: the shapes {first.shape} and {other.shape} do not fit")
    return first._with(first._core.joined([other._core for other in arrays[1:]], axis, stacks))


def concatenate(seq, axis=0, allow_unknown_chunksizes=False):
    """Arrays one after the other along an axis."""
    if axis is None:
        return _joined([asarray(a).ravel() for a in seq], 0, False)
    return _joined(seq, axis, False)


def stack(seq, axis=0, allow_unknown_chunksizes=False):
    """Arrays of one shape one after the other along a new axis."""
    return _joined(seq, axis, True)


def vstack(tup, allow_unknown_chunksizes=False):
    """Arrays one below the other."""
    return concatenate([a if a.ndim > 1 else a.reshape(1, -1 if a.size else 0) for a in map(asarray, tup)])


def hstack(tup, allow_unknown_chunksizes=False):
    """Arrays side by side."""
    arrays = [a if a.ndim else a.reshape(1) for a in map(asarray, tup)]
    return concatenate(arrays, axis=0 if arrays[0].ndim == 1 else 1)


def tril(m, k=0):
    """The elements on and below a diagonal of the last two axes; zeros elsewhere."""
    return _on_diagonal("tril", m, k)


def triu(m, k=0):
    """The elements on and above a diagonal of the last two axes; zeros elsewhere."""
    return _on_diagonal("triu", m, k)


def _on_diagonal(name, m, k):
    m = asarray(m)
    if m.ndim < 2:
        raise ValueError(f"{name} of an array of {m.ndim} dimensions, two are due")
    return m._with(m._core.diagonal(name, operator.index(k)))


def diag(v, k=0):
    """The diagonal of a matrix, or a matrix with this diagonal."""
    v = asarray(v)
    if v.ndim == 2:
        return v._with(v._core.diagonal("diagonal", operator.index(k)))
    if v.ndim != 1:
        raise ValueError("Array must be 1d or 2d only")
    matrix = v._with(v._core.to_diagonal())
    if not k:
        return matrix
    from ._algorithms import pad

    before, after = builtins.max(-k, 0), builtins.max(k, 0)
    return pad(matrix, ((before, after), (after, before)))


def diagonal(a, offset=0, axis1=0, axis2=1):
    """The diagonals of matrices along two axes, as the last axis."""
    from ._blockwise import call_blocks
    from ._ufuncs import Quiet

    a = asarray(a)
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    first, second = axis_index(axis1, a.ndim), axis_index(axis2, a.ndim)
    if first == second:
        raise ValueError("axis1 and axis2 cannot be the same")
    if a.ndim == 2:
        return diag(a if first < second else a.T, offset)
    rows, columns = a.shape[first] + builtins.min(offset, 0), a.shape[second] - builtins.max(offset, 0)
    sizes = {"diagonal": [builtins.max(builtins.min(rows, columns), 0)]}
    result = [label for label in range(a.ndim) if label not in (first, second)]
    function = Quiet(np.diagonal, offset=offset, axis1=first, axis2=second)
    return call_blocks(function, [(a, tuple(range(a.ndim)))], [*result, "diagonal"], a.dtype, sizes)


def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """The sums of diagonals of matrices along two axes."""
    return sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


# What arrays have as methods, too.
for _function in (
    sum, prod, mean, var, std, min, max, any, all, argmin, argmax, cumsum, cumprod, clip, round, repeat, nonzero, trace,
):  # fmt: skip
    setattr(Array, _function.__name__, _function)
