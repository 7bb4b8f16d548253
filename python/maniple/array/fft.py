"""Discrete Fourier transforms, with the names of `numpy.fft` and `dask.array.fft`.

Axes may be cut. Blocks are then cut along other axes for the transform, and results have the chunks of the array; lanes
that are larger than a block stay cut where they can.
"""

import functools

import numpy as np

from .. import _maniple
from ._create import from_array
from ._functions import asarray
from ._gufunc import _Typed
from ._map import along_lines
from ._types import axis_index, axis_tuple

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft", "irfft2",
    "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


def _transform(name, a, s, axes, norm):
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    a = asarray(a)
    if axes is None:
        axes = tuple(range(a.ndim)) if s is None else tuple(range(a.ndim - len(s), a.ndim))
    axes = tuple(axis_index(axis, a.ndim) for axis in axes)
    if len(set(axes)) < len(axes):
        raise ValueError("Duplicate axes not allowed.")
    if s is not None and len(s) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    lengths = None if s is None else [int(length) for length in s]
    counts = [a.shape[axis] for axis in axes] if lengths is None else lengths
    if any(length < 1 for length in counts) or not axes:
        raise ValueError(f"Invalid number of data points ({min(counts, default=0)}) specified.")
    return a._with(_maniple.array_fourier(name, a._core, list(axes), lengths, norm))


def _along(name, doc):
    def transform(a, n=None, axis=-1, norm=None):
        return _transform(name, a, None if n is None else (n,), (axis,), norm)

    transform.__name__, transform.__doc__ = name, doc
    return transform


def _over(name, suffix, default, doc):
    def transform(a, s=None, axes=default, norm=None):
        return _transform(name, a, s, axes, norm)

    transform.__name__, transform.__doc__ = name + suffix, doc
    return transform


fft = _along("fft", "The transform along an axis.")
ifft = _along("ifft", "The inverse transform along an axis.")
rfft = _along("rfft", "The transform of real elements along an axis: its first half.")
irfft = _along("irfft", "The real elements along an axis whose `rfft` the array is.")
fft2 = _over("fft", "2", (-2, -1), "The transform along two axes.")
ifft2 = _over("ifft", "2", (-2, -1), "The inverse transform along two axes.")
rfft2 = _over(
    "rfft", "2", (-2, -1), "The transform of real elements along two axes: its first half along the last one."
)
irfft2 = _over("irfft", "2", (-2, -1), "The real elements along two axes whose `rfft2` the array is.")
fftn = _over("fft", "n", None, "The transform along all axes or some.")
ifftn = _over("ifft", "n", None, "The inverse transform along all axes or some.")
rfftn = _over("rfft", "n", None, "The transform of real elements along axes: its first half along the last one.")
irfftn = _over("irfft", "n", None, "The real elements along axes whose `rfftn` the array is.")


_OPPOSITE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def hfft(a, n=None, axis=-1, norm=None):
    """The transform along an axis of elements whose other half is the conjugate one: real elements."""
    return irfft(asarray(a).conj(), n, axis, _OPPOSITE.get(norm, norm))


def ihfft(a, n=None, axis=-1, norm=None):
    """The inverse of `hfft`."""
    return rfft(a, n, axis, _OPPOSITE.get(norm, norm)).conj()


def fft_wrap(fft_func, kind=None, dtype=None, allow_fftpack=False):
    """A function of arrays that transforms as a function such as those of `scipy.fft` does, block by block."""
    kind = fft_func.__name__ if kind is None else kind
    is_over_all = kind.endswith(("2", "n"))

    def transform(a, n_or_s=None, axis_or_axes=None, **named):
        a = asarray(a)
        default = (-2, -1) if kind.endswith("2") else None if is_over_all else -1
        axes = default if axis_or_axes is None else axis_or_axes
        named |= {"s" if is_over_all else "n": n_or_s, "axes" if is_over_all else "axis": axes}
        whole = tuple(range(a.ndim)) if axes is None else axis_tuple(axes, a.ndim)
        function = functools.partial(fft_func, **named)
        sample = np.asarray(
            function(np.ones([a.shape[axis] if axis in whole else 1 for axis in range(a.ndim)], a.dtype))
        )
        lengths = {axis: sample.shape[axis] for axis in whole}
        return along_lines(_Typed(function, dtype or sample.dtype), a, whole, lengths, dtype or sample.dtype)

    if is_over_all:
        return lambda a, s=None, axes=None, **named: transform(a, s, axes, **named)
    return lambda a, n=None, axis=None, **named: transform(a, n, axis, **named)


def _shifted(name, x, axes):
    x = asarray(x)
    axes = axis_tuple(axes, x.ndim)
    axes = range(x.ndim) if axes is None else axes
    return x._with(_maniple.array_fourier(name, x._core, list(axes)))


def fftshift(x, axes=None):
    """The elements of a transform with frequency 0 in the middle."""
    return _shifted("fftshift", x, axes)


def ifftshift(x, axes=None):
    """What `fftshift` makes the array of."""
    return _shifted("ifftshift", x, axes)


def _frequencies(values, d, n, chunks):
    return from_array(values / (n * d), chunks=chunks)


def fftfreq(n, d=1.0, chunks="auto"):
    """The frequencies of a transform of ``n`` elements that are ``d`` apart."""
    return _frequencies(np.fft.ifftshift(np.arange(-(n // 2), n - n // 2)), d, n, chunks)


def rfftfreq(n, d=1.0, chunks="auto"):
    """The frequencies of the first half of a transform of ``n`` elements that are ``d`` apart."""
    return _frequencies(np.arange(n // 2 + 1), d, n, chunks)


# What NumPy's functions of `numpy.fft` do with arrays.
_numpy_functions = {getattr(np.fft, name): globals()[name] for name in __all__ if name not in ("fftfreq", "rfftfreq")}
