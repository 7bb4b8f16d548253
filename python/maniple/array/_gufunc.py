"""Generalised universal functions: Python functions of the last axes of arrays, with NumPy's signatures."""

import functools
import re

import numpy as np

from ._blockwise import call_blocks, call_several, unified
from ._types import axis_index

_DIMENSIONS = r"\(\s*(?:\w+\s*(?:,\s*\w+\s*)*,?\s*)?\)"
_SIGNATURE = re.compile(rf"^{_DIMENSIONS}(?:,{_DIMENSIONS})*->{_DIMENSIONS}(?:,{_DIMENSIONS})*$")


def _parsed(signature):
    """The names of the axes of each argument, and of each result; of one result, these names alone."""
    words = re.sub(r"\s+", "", signature)
    if not _SIGNATURE.match(words):
        raise ValueError(f"Not a valid gufunc signature: {signature}")
    sides = []
    for side in words.split("->"):
        sides.append([tuple(name for name in each.split(",") if name) for each in re.findall(r"\(([^)]*)\)", side)])
    inputs, outputs = sides
    return inputs, outputs, not re.search(r"->\([^)]*\),", words)


def apply_gufunc(
    func, signature, *args, axes=None, axis=None, keepdims=False, output_dtypes=None, output_sizes=None,
    vectorize=None, allow_rechunk=False, meta=None, **kwargs,
):  # fmt: skip
    """Calls a Python function that works along the last axes of arrays, block by block along the others.

    Parameters
    ----------
    func : callable
        Takes blocks whose last axes are those of the signature, and returns a block or a tuple of them.
    signature : str
        As NumPy's: ``"(i,j),(j)->(i)"``.
    axes : list, optional
        Which axes of each argument, and of each result, are those of the signature. By default the last ones.
    axis : int, optional
        The axis of a signature with one name.
    keepdims : bool
        Whether results keep the axes of the signature with length 1.
    output_dtypes : dtype or sequence, optional
        The types of the results. By default the function is called with small blocks to find out.
    output_sizes : dict, optional
        The lengths of the axes that only results have.
    vectorize : bool
        Whether ``func`` works on single elements of the other axes, as for `numpy.vectorize`.
    allow_rechunk : bool
        Whether axes of the signature may be cut, which are joined then.
    """
    from ._map import _as_array

    inputs, outputs, is_single = _parsed(signature)
    if len(inputs) != len(args):
        raise ValueError(
            f"According to `signature`, `func` requires {len(inputs)} arguments, but {len(args)} are given"
        )
    arrays = [_as_array(value) for value in args]
    in_axes, out_axes = _axes(axes, axis, keepdims, inputs, outputs)
    arrays = [_last(array, own) for array, own in zip(arrays, in_axes)]
    lengths = _core_lengths(arrays, inputs, dict(output_sizes or {}))
    operands, loop = _operands(arrays, inputs, allow_rechunk)
    if vectorize:
        func = np.vectorize(func, signature=signature, otypes=None)
    function = functools.partial(func, **kwargs) if kwargs else func
    shapes = [tuple(_length(lengths, name) for name in own) for own in outputs]
    given = meta if meta is not None and output_dtypes is None else None
    if given is not None:
        output_dtypes = [part.dtype for part in (given if isinstance(given, (tuple, list)) else (given,))]
    types = _types(function, output_dtypes, operands, lengths, inputs, len(outputs))
    if is_single:
        sizes = {("core", place): [length] for place, length in enumerate(shapes[0])}
        results = (call_blocks(_Typed(function, types[0]), operands, (*loop, *sizes), types[0], sizes),)
    else:
        results = call_several(function, operands, loop, list(zip(types, shapes)))
    results = tuple(_placed(result, own, names, keepdims and [name for name in inputs[0]])
                    for result, own, names in zip(results, out_axes, outputs))  # fmt: skip
    return results[0] if is_single else results


class _Typed:
    """A function whose result is converted to a type."""

    def __init__(self, function, dtype):
        self.function, self.dtype = function, dtype

    def __call__(self, *blocks):
        return np.asarray(self.function(*blocks)).astype(self.dtype, copy=False)


def _length(lengths, name):
    if name not in lengths:
        raise ValueError(f"`output_sizes` lacks the length of {name!r}")
    return lengths[name]


def _axes(axes, axis, keepdims, inputs, outputs):
    """For each argument and each result the axes that its names stand for."""
    if axes is not None and axis is not None:
        raise ValueError("Only one of `axis` or `axes` keyword arguments should be given")
    if keepdims and (any(outputs) or len({len(own) for own in inputs}) > 1):
        raise ValueError("`keepdims` takes a signature whose results have no axes, and whose arguments have as many")
    if axis is not None:
        if len({name for own in inputs + outputs for name in own}) > 1 or any(len(own) > 1 for own in inputs):
            raise ValueError("`axis` can be used only, if one core dimension is present")
        axes = [(axis,) * len(own) for own in inputs] + [(axis,) * (len(own) or keepdims) for own in outputs]
    elif axes is None:
        axes = [tuple(range(-len(own), 0)) for own in inputs + outputs]
        if keepdims:
            axes[len(inputs) :] = [axes[0]] * len(outputs)
    else:
        axes = [tuple(own) if np.iterable(own) else (own,) for own in ([axes] if isinstance(axes, tuple) else axes)]
        if len(axes) == len(inputs) and not any(outputs):
            axes += [axes[0] if keepdims else ()] * len(outputs)
        if len(axes) != len(inputs) + len(outputs):
            raise ValueError("The number of `axes` entries is not that of the arguments and results of the signature")
        for own, names in zip(axes, inputs + outputs):
            if len(own) != (len(names) or (len(inputs[0]) if keepdims else 0)):
                raise ValueError(f"`axes` entry {own} does not fit the core dimensions {names}")
    return axes[: len(inputs)], axes[len(inputs) :]


def _last(array, axes):
    """The array with these axes as its last ones."""
    if len(axes) > array.ndim:
        raise ValueError(f"an argument with {array.ndim} axes has fewer than the {len(axes)} of its core dimensions")
    axes = [axis_index(axis, array.ndim) for axis in axes]
    return array.transpose([axis for axis in range(array.ndim) if axis not in axes] + axes)


def _core_lengths(arrays, inputs, lengths):
    for array, names in zip(arrays, inputs):
        for name, length in zip(names, array.shape[array.ndim - len(names) :]):
            if lengths.setdefault(name, length) != length:
                raise ValueError(f"Dimension {name!r} has the lengths {lengths[name]} and {length}")
    return lengths


def _operands(arrays, inputs, allow_rechunk):
    """The arrays with labels, and the labels of the axes along which they are cut."""
    outer = max((array.ndim - len(names) for array, names in zip(arrays, inputs)), default=0)
    operands = []
    for array, names in zip(arrays, inputs):
        count = array.ndim - len(names)
        core = range(count, array.ndim)
        if any(array.numblocks[axis] > 1 for axis in core):
            if not allow_rechunk:
                raise ValueError(
                    "a core dimension consists of multiple chunks: rechunk it to one, or allow_rechunk=True"
                )
            array = array.rechunk({axis: -1 for axis in core})
        # These axes are whole, so that no two need one label.
        operands.append((array, (*range(outer - count, outer), *(object() for _ in names))))
    return unified(operands), tuple(range(outer))


def _types(function, given, operands, lengths, inputs, count):
    if given is not None:
        types = list(given) if isinstance(given, (list, tuple)) else [given] * count
        if len(types) != count:
            raise ValueError(f"{len(types)} output_dtypes are given, the signature has {count} results")
        return [np.dtype(kind) for kind in types]
    sample = []
    for (array, _), names in zip(operands, inputs):
        shape = (1,) * (array.ndim - len(names)) + tuple(lengths[name] for name in names)
        sample.append(np.ones(shape, array.dtype))
    try:
        with np.errstate(all="ignore"):
            found = function(*sample)
    except Exception as error:
        raise ValueError("apply_gufunc: the function does not take small blocks; pass output_dtypes=") from error
    return [np.asarray(each).dtype for each in (found if isinstance(found, (tuple, list)) else (found,))]


def _placed(result, axes, names, kept):
    """The result with the axes of the signature at their places."""
    if kept:
        result = result[(..., *[None] * len(axes))]
    count = len(names) or (len(axes) if kept else 0)
    own = list(range(result.ndim - count, result.ndim))
    return np.moveaxis(result, own, axes) if own else result


class gufunc:
    """A Python function with a signature, which takes arrays: see `apply_gufunc`."""

    def __init__(
        self, pyfunc, *, signature=None, vectorize=False, axes=None, axis=None, keepdims=False, output_sizes=None,
        output_dtypes=None, allow_rechunk=False, meta=None,
    ):  # fmt: skip
        self.pyfunc, self.signature = pyfunc, signature
        self._options = {
            "vectorize": vectorize, "axes": axes, "axis": axis, "keepdims": keepdims, "output_sizes": output_sizes,
            "output_dtypes": output_dtypes, "allow_rechunk": allow_rechunk, "meta": meta,
        }  # fmt: skip
        self.__doc__ = pyfunc.__doc__
        self.__name__ = getattr(pyfunc, "__name__", type(pyfunc).__name__)

    def __call__(self, *args, allow_rechunk=False, **kwargs):
        options = {**self._options, "allow_rechunk": allow_rechunk or self._options["allow_rechunk"]}
        return apply_gufunc(self.pyfunc, self.signature, *args, **options, **kwargs)


def as_gufunc(signature=None, **kwargs):
    """Makes a function a `gufunc`: a decorator."""
    unknown = set(kwargs) - {
        "vectorize", "axes", "axis", "keepdims", "output_sizes", "output_dtypes", "allow_rechunk", "meta",
    }  # fmt: skip
    if unknown:
        raise TypeError(f"as_gufunc() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    return lambda pyfunc: gufunc(pyfunc, signature=signature, **kwargs)
