"""Products of arrays: of matrices, of tensors, by subscripts.

The runtime multiplies floating-point numbers. NumPy multiplies the blocks of other types, which are whole along the
axes that are summed over.
"""

import functools
import re

import numpy as np

from .. import _maniple
from ._array import Array, same_run
from ._blockwise import call_blocks
from ._functions import _filled, _promoted, asarray, ravel
from ._types import axis_tuple

def _is_native(dtype):
    """Whether the runtime multiplies matrices of this type."""
    return dtype.kind in "fc" and dtype != np.float16



def _factors(a, b):
    client = same_run(value for value in (a, b) if isinstance(value, Array))
    return _promoted((a, b), client)


def _check_inner(name, a, b):
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise ValueError(f"{name}: the shapes {a.shape} and {b.shape} do not fit: {a.shape[-1]} is not {inner}")


def _product_type(function, a, b):
    return np.asarray(function(np.ones((1,) * a.ndim, a.dtype), np.ones((1,) * b.ndim, b.dtype))).dtype


def matmul(a, b):
    """The product of matrices and vectors, as the operator ``@``."""
    a, b = _factors(a, b)
    if not a.ndim or not b.ndim:
        raise ValueError("matmul: an operand has no dimensions")
    _check_inner("matmul", a, b)
    if _is_native(a.dtype):
        return a._with(a._core.matmul(b._core))
    outer = max(a.ndim, b.ndim) - 2
    own = [*range(outer - (a.ndim - 2), outer), *["row"] * (a.ndim > 1), "inner"]
    other = [*range(outer - (b.ndim - 2), outer), "inner", *["column"] * (b.ndim > 1)]
    result = [*range(outer), *["row"] * (a.ndim > 1), *["column"] * (b.ndim > 1)]
    return call_blocks(np.matmul, [(a, own), (b, other)], result, _product_type(np.matmul, a, b))


def dot(a, b, out=None):
    """NumPy's ``dot``: a product of matrices and vectors; with a scalar, of elements."""
    a, b = _factors(a, b)
    if not a.ndim or not b.ndim:
        return _filled(out, a * b)
    _check_inner("dot", a, b)
    if _is_native(a.dtype):
        return _filled(out, a._with(a._core.dot(b._core)))
    return _filled(out, tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),))))


def vdot(a, b):
    """The sum of the products of the conjugate elements of ``a`` and the elements of ``b``."""
    a = asarray(a).ravel()
    return dot(a.conj() if a.dtype.kind == "c" else a, asarray(b).ravel())


def tensordot(a, b, axes=2):
    """Sums of products over pairs of axes."""
    a, b = _factors(a, b)
    if np.iterable(axes):
        own, other = (axis_tuple(axis, x.ndim) for axis, x in zip(axes, (a, b), strict=True))
    else:
        own, other = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    if [a.shape[axis] for axis in own] != [b.shape[axis] for axis in other]:
        raise ValueError(f"tensordot: the shapes {a.shape} and {b.shape} do not fit along {own} and {other}")
    if _is_native(a.dtype):
        return a._with(a._core.tensordot(b._core, own, other))
    function = functools.partial(np.tensordot, axes=(own, other))
    left = [("left", axis) for axis in range(a.ndim)]
    right = [("right", axis) for axis in range(b.ndim)]
    for axis, place in zip(own, other):
        right[place] = left[axis]
    result = [label for label in left + right if label not in {left[axis] for axis in own}]
    return call_blocks(function, [(a, left), (b, right)], result, _product_type(np.matmul, ravel(a), ravel(b)))


def vecdot(x1, x2, /, *, axis=-1):
    """The sums of the products of the conjugate elements of ``x1`` and the elements of ``x2`` along an axis."""
    x1, x2 = (np.moveaxis(asarray(x), axis, -1) for x in (x1, x2))
    return (x1.conj()[..., None, :] @ x2[..., :, None])[..., 0, 0]


def outer(a, b, out=None):
    """The products of all pairs of elements."""
    a, b = ravel(asarray(a)), ravel(asarray(b))
    return _filled(out, a[:, None] * b[None, :])


def einsum(subscripts, *operands, dtype=None, out=None, optimize=False, split_every=None, casting="safe", order="K"):
    """Sums of products by subscripts, as ``einsum("ij,jk->ik", x, y)``."""
    if not isinstance(subscripts, str) or not operands:
        raise TypeError("einsum takes subscripts as text, and arrays")
    arrays = [asarray(operand) for operand in operands]
    inputs, result = _subscripts(subscripts, [array.ndim for array in arrays])
    dtype = np.result_type(*(array.dtype for array in arrays)) if dtype is None else np.dtype(dtype)
    arrays = [array.astype(dtype, casting=casting if dtype.kind != "b" else "unsafe") for array in arrays]
    words = f"{','.join(inputs)}->{result}"
    if _is_native(dtype):
        first, *others = arrays
        return _filled(out, first._with(_maniple.array_einsum(words, first._core, [other._core for other in others])))
    if any(len(set(own)) < len(own) for own in inputs):
        raise NotImplementedError(f"einsum {subscripts!r} of {dtype}: a letter is there twice; convert with astype()")
    function = functools.partial(np.einsum, words)
    return _filled(out, call_blocks(function, list(zip(arrays, inputs)), result, dtype))


def _subscripts(subscripts, ndims):
    """The letters of each array, and of the result, without dots."""
    words = subscripts.replace(" ", "")
    inputs, arrow, result = words.partition("->")
    inputs = inputs.split(",")
    if len(inputs) != len(ndims):
        raise ValueError(f"einsum {subscripts!r} names {len(inputs)} arrays, {len(ndims)} are given")
    free = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in words]
    counts = [ndim - len(own.replace("...", "")) for own, ndim in zip(inputs, ndims)]
    longest = max((count for own, count in zip(inputs, counts) if "..." in own), default=0)
    dots = "".join(free[:longest])
    inputs = [own.replace("...", dots[longest - max(count, 0) :]) for own, count in zip(inputs, counts)]
    if not arrow:
        letters = re.sub(r"[.,]", "", words)
        result = dots + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return inputs, result.replace("...", dots)


Array.dot = dot
