"""New arrays."""

import functools
import math

import numpy as np

from .. import _delayed, _maniple
from .. import _functions as _pickling
from .._delayed import _client_or_new
from ._array import Array, check_device, constant, of_numpy
from ._blockwise import blocks_of, region
from ._types import dtype_of, normalize_chunks, shape_of


def from_array(x, chunks="auto", **ignored):
    """An array of a NumPy array, or of an object with ``shape`` and ``dtype`` whose slices are NumPy arrays.

    The blocks of a NumPy array are handed to workers at once, one after the other. Those of another object are read by
    the tasks that need them, if it can be pickled.

    Parameters
    ----------
    x : array_like
        What the array is made of. An array of this module is cut anew.
    chunks : int, tuple or str
        See `normalize_chunks`.
    """
    if isinstance(x, Array):
        return x.rechunk(chunks)
    unknown = sorted(set(ignored) - {"name", "lock", "asarray", "fancy", "getitem", "meta", "inline_array"})
    if unknown:
        raise TypeError(f"from_array() got an unexpected keyword argument {unknown[0]!r}")
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("masked arrays are not available; filled() gives an array without a mask")
    if not (hasattr(x, "shape") and hasattr(x, "dtype") and hasattr(x, "__getitem__")):
        x = np.asarray(x)
    dtype = dtype_of(x.dtype)
    chunks = normalize_chunks(chunks, x.shape, dtype=dtype)
    if not isinstance(x, np.ndarray) and _can_be_sent(x):
        return blocks_of(functools.partial(_read, x, chunks, dtype), chunks, dtype)
    return of_numpy(_client_or_new(), x, chunks)


def _can_be_sent(x):
    try:
        _pickling.dumps(x)
    except Exception:
        return False
    return True


def _read(x, chunks, dtype, location):
    """The block at a location of an object that is sliced."""
    return np.asarray(x[region(location, chunks)]).astype(dtype, copy=False)


def from_delayed(value, shape, dtype=None, meta=None, name=None):
    """An array of one block, which a delayed value or a future gives.

    A task makes the block, and the calls that it needs. A call that several arrays need is made for each of them, and
    what needs futures or arrays is computed at once.
    """
    if dtype is None and meta is None:
        raise ValueError("from_delayed: pass dtype=")
    dtype = dtype_of(np.asarray(meta).dtype if dtype is None else dtype)
    shape = shape_of(shape)
    chunks = tuple((length,) for length in shape)
    if _delayed.is_self_contained(value):
        return blocks_of(functools.partial(_evaluated, value, dtype), chunks, dtype)
    whole = value.compute() if isinstance(value, _delayed.Delayed) else value.result()
    whole = np.asarray(whole).astype(dtype, copy=False)
    if whole.shape != shape:
        raise ValueError(f"from_delayed: the value has the shape {whole.shape}, {shape} is given")
    return of_numpy(_client_or_new(), whole, chunks)


def _evaluated(value, dtype, location):
    return np.asarray(_delayed.evaluate(value)).astype(dtype, copy=False)


def full(shape, fill_value, dtype=None, chunks="auto", name=None, *, order="C", device=None):
    """An array that has one value everywhere; its type is the value's unless ``dtype`` says otherwise."""
    check_device(device)
    if order not in ("C", "F"):
        raise ValueError(f"order must be 'C' or 'F', not {order!r}")
    if np.ndim(fill_value):
        raise ValueError(f"fill_value must be scalar. Received {type(fill_value).__name__} instead.")
    value = np.asarray(fill_value)
    dtype = dtype_of(value.dtype if dtype is None else dtype)
    value = np.array(fill_value, dtype) if type(fill_value) is int else value.astype(dtype)
    return constant(_client_or_new(), value, normalize_chunks(chunks, shape_of(shape), dtype=dtype))


def zeros(shape, dtype=np.float64, chunks="auto", name=None, *, order="C", device=None):
    """An array of zeros."""
    return full(shape, 0, np.float64 if dtype is None else dtype, chunks, order=order, device=device)


def ones(shape, dtype=np.float64, chunks="auto", name=None, *, order="C", device=None):
    """An array of ones."""
    return full(shape, 1, np.float64 if dtype is None else dtype, chunks, order=order, device=device)


empty = zeros


def full_like(a, fill_value, order="C", dtype=None, chunks=None, name=None, shape=None, *, device=None):
    """An array of the shape and type of another one that has one value everywhere."""
    a = a if hasattr(a, "dtype") else np.asarray(a)
    dtype = a.dtype if dtype is None else dtype
    shape = a.shape if shape is None else shape
    own = a.chunks if isinstance(a, Array) and tuple(shape_of(shape)) == a.shape else "auto"
    return full(shape, fill_value, dtype, own if chunks is None else chunks, order=order, device=device)


def zeros_like(a, dtype=None, order="C", chunks=None, name=None, shape=None, *, device=None):
    """An array of zeros of the shape and type of another one."""
    return full_like(a, 0, order, dtype, chunks, name, shape, device=device)


def ones_like(a, dtype=None, order="C", chunks=None, name=None, shape=None, *, device=None):
    """An array of ones of the shape and type of another one."""
    return full_like(a, 1, order, dtype, chunks, name, shape, device=device)


empty_like = zeros_like


def arange(start, stop=None, step=1, *, chunks="auto", like=None, dtype=None, device=None):
    """Numbers from ``start``, which is 0 if one argument is given, to before ``stop``, ``step`` apart."""
    check_device(device)
    start, stop = (0, start) if stop is None else (start, stop)
    if step == 0:
        raise ValueError("arange: the step is 0")
    default = np.result_type(*(np.asarray(value).dtype for value in (start, stop, step)), np.int64)
    wanted = dtype_of(default if dtype is None else dtype)
    client = _client_or_new()
    count = max(math.ceil((stop - start) / step), 0)
    if default.kind in "iu":
        count = len(range(int(start), int(stop), int(step)))
        chunks = normalize_chunks(chunks, (count,), dtype=wanted)
        core = _maniple.array_integers(client._core, int(start), int(stop), int(step), chunks)
    elif default.kind == "f":
        chunks = normalize_chunks(chunks, (count,), dtype=wanted)
        core = _maniple.array_reals(client._core, float(start), float(stop), float(step), chunks)
    else:
        raise TypeError(f"arange of {default} elements is not available")
    return Array._of(core, client).astype(wanted)


def linspace(start, stop, num=50, endpoint=True, retstep=False, chunks="auto", dtype=None, *, device=None):
    """``num`` numbers from ``start`` to ``stop``, evenly spaced."""
    check_device(device)
    start, stop, num = float(start), float(stop), int(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts else math.nan
    last = stop if endpoint or not num else start + step * (num - 1)
    wanted = dtype_of(np.float64 if dtype is None else dtype)
    client = _client_or_new()
    core = _maniple.array_linspace(client._core, start, last, normalize_chunks(chunks, (num,), dtype=wanted))
    x = Array._of(core, client)
    # Integers are rounded down, as in NumPy.
    x = (np.floor(x) if wanted.kind in "iu" else x).astype(wanted)
    return (x, step) if retstep else x


def eye(N, chunks="auto", M=None, k=0, dtype=np.float64, *, device=None):
    """A matrix with ones on a diagonal, and zeros elsewhere."""
    check_device(device)
    columns = N if M is None else M
    dtype = dtype_of(np.float64 if dtype is None else dtype)
    size = max(N, columns)
    made = np.dtype(np.uint8) if dtype == np.bool_ else dtype
    client = _client_or_new()
    chunks = normalize_chunks(chunks, (size, size), dtype=dtype)
    x = Array._of(_maniple.array_eye(client._core, made.name, int(k), chunks), client).astype(dtype)
    return x if N == columns else x[:N, :columns]
