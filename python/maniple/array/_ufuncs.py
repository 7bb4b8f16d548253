"""NumPy's universal functions: which loop, which types, which operation of the runtime."""

import numpy as np

from ._types import NAMES as RUNTIME_TYPES
from ._types import dtype_of

# Operations of one array that the runtime has, by NumPy's names.
_UNARY = {
    name: name
    for name in (
        "absolute", "negative", "conjugate", "square", "sign", "isnan", "isinf", "isfinite", "floor", "ceil", "trunc",
        "rint", "sqrt", "cbrt", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos",
        "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "degrees",
        "radians",
    )
} | {"fabs": "absolute", "rad2deg": "degrees", "deg2rad": "radians"}  # fmt: skip

# Operations of two arrays.
_BINARY = {
    name: name
    for name in (
        "add", "subtract", "multiply", "divide", "remainder", "floor_divide", "power", "bitwise_and", "bitwise_or",
        "bitwise_xor", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "minimum", "maximum",
        "fmin", "fmax", "hypot", "arctan2", "logaddexp",
    )
} | {"float_power": "power"}  # fmt: skip

# What they are for truth values, which have no arithmetic.
_OF_BOOL = {"add": "bitwise_or", "multiply": "bitwise_and"}
_COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
_LOGICAL = {"logical_and": "bitwise_and", "logical_or": "bitwise_or", "logical_xor": "bitwise_xor"}

# Reductions of universal functions.
REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
}  # fmt: skip

ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}

# What the runtime has; NumPy does the others block by block.
NAMES = sorted({*_UNARY, *_BINARY, *_LOGICAL, "positive", "invert", "logical_not", "divmod"})


# Universal functions of Dask's that NumPy does.
OTHERS = (
    "copysign", "fmod", "frexp", "heaviside", "ldexp", "left_shift", "logaddexp2", "modf", "nextafter", "right_shift",
    "signbit", "spacing",
)  # fmt: skip


def apply(ufunc, inputs):
    """The array that a universal function gives of these operands, one of which is an array."""
    from ._array import Array, as_operand, same_run

    name = ufunc.__name__
    client = same_run(value for value in inputs if isinstance(value, Array))
    near = next((value for value in inputs if isinstance(value, Array)), None)
    if name in _LOGICAL or name == "logical_not":
        truths = [_as_bool(as_operand(value, client, near=near)) for value in inputs]
        return truths[0]._unary("logical_not") if len(truths) == 1 else truths[0]._binary(_LOGICAL[name], truths[1])
    if name == "divmod":
        return apply(np.floor_divide, inputs), apply(np.remainder, inputs)
    kinds = [_kind(value) for value in inputs]
    loop = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout))
    if name in _COMPARISONS:
        constant = _comparison_beyond(name, inputs, loop)
        if constant is not None:
            return constant
    for kind in loop[ufunc.nin :]:
        dtype_of(kind, f"{name} of {' and '.join(_name(kind) for kind in kinds)}: an array")
    if name == "power" and loop[0].kind in "iu" and isinstance(inputs[1], int) and inputs[1] < 0:
        raise ValueError("Integers to negative integer powers are not allowed.")
    types = {np.dtype(kind) for kind in loop[: ufunc.nin]}
    if name in NAMES and len(types) == 1 and next(iter(types)).name in RUNTIME_TYPES:
        operands = [as_operand(value, client, np.dtype(loop[0]), near) for value in inputs]
        _broadcast(*operands)
        try:
            return _of_runtime(name, operands)
        except TypeError:
            # The runtime lacks it for this type.
            pass
    return of_blocks(ufunc, inputs, loop[ufunc.nin :], near)


def _of_runtime(name, operands):
    if len(operands) == 2:
        is_bool = operands[0].dtype == np.bool_
        return operands[0]._binary(_OF_BOOL.get(name, _BINARY[name]) if is_bool else _BINARY[name], operands[1])
    return _unary(name, operands[0])


def of_blocks(ufunc, inputs, types, near, **named):
    """What NumPy's universal function makes of blocks, where the runtime has no operation."""
    from ._array import Array, as_operand
    from ._blockwise import call_several, unified
    from ._map import map_blocks

    is_number = lambda value: np.ndim(value) == 0 and not isinstance(value, Array)  # noqa: E731
    values = [value if is_number(value) else as_operand(value, near._client, near=near) for value in inputs]
    function = Quiet(ufunc, **named)
    if len(types) == 1:
        return map_blocks(function, *values, dtype=types[0])
    arrays = [as_operand(value, near._client) for value in values]
    ndim = len(_broadcast(*arrays))
    operands = unified([(array, tuple(range(ndim - array.ndim, ndim))) for array in arrays])
    return call_several(function, operands, tuple(range(ndim)), [(kind, ()) for kind in types])


class Quiet:
    """A function of NumPy that does not warn of infinities and NaN: operations of the runtime do not, either."""

    def __init__(self, function, **named):
        self.function, self.named = function, named

    def __call__(self, *blocks):
        with np.errstate(all="ignore"):
            return self.function(*blocks, **self.named)


def by_method(ufunc, method, inputs, options):
    """What a universal function, or a method of it, gives of arrays."""
    from . import _functions, _products

    if not any(hasattr(value, "_client") for value in inputs):
        # Arrays of ``out=`` and ``where=`` alone.
        return _functions.asarray(getattr(ufunc, method)(*inputs, **options))
    if method == "__call__" and not options:
        return _products.matmul(*inputs) if ufunc is np.matmul else apply(ufunc, inputs)
    if method == "__call__" and set(options) <= {"dtype", "casting"}:
        near = next(value for value in inputs if hasattr(value, "_client"))
        kind = options.get("dtype") or apply(ufunc, inputs).dtype
        return of_blocks(ufunc, inputs, (kind,) * ufunc.nout, near, **options)
    if method == "reduce" and ufunc.__name__ in REDUCTIONS:
        options.setdefault("axis", 0)
        return getattr(inputs[0], REDUCTIONS[ufunc.__name__])(**options)
    if method == "accumulate" and ufunc.__name__ in ACCUMULATIONS:
        return getattr(_functions, ACCUMULATIONS[ufunc.__name__])(inputs[0], **{"axis": 0, **options})
    if method == "outer":
        first, second = map(_functions.asarray, inputs)
        return by_method(ufunc, "__call__", (first[(...,) + (None,) * second.ndim], second), options)
    if options:
        raise TypeError(f"numpy.{ufunc.__name__} of arrays takes no keyword {', '.join(sorted(options))}")
    return NotImplemented


def _unary(name, x):
    """An operation on an array of the type of its loop."""
    kind = x.dtype.kind
    if name == "positive" or (name in ("floor", "ceil", "trunc") and kind in "biu"):
        return x
    if name == "invert":
        ones = np.array(-1 if kind == "i" else np.iinfo(x.dtype).max, x.dtype) if kind in "iu" else None
        return x._unary("logical_not") if ones is None else x._binary("bitwise_xor", x._constant(ones))
    if name in ("isnan", "isinf", "isfinite") and kind == "b":
        x = x.astype(np.uint8)
    return x._unary(_UNARY[name])


def _kind(value):
    """The type of an operand as NumPy's rules see it: Python's own numbers give way to arrays."""
    if type(value) in (int, float, complex):
        return type(value)
    dtype = getattr(value, "dtype", None)
    return dtype if dtype is not None else np.asarray(value).dtype


def _name(kind):
    return kind.__name__ if isinstance(kind, type) else np.dtype(kind).name


def _broadcast(*arrays):
    from ._array import _broadcast

    return _broadcast(*arrays)


def _as_bool(x):
    return x if x.dtype == np.bool_ else x._binary("not_equal", x._constant(np.zeros((), x.dtype)))


def _comparison_beyond(name, inputs, loop):
    """A comparison with an integer that the array's type does not hold: its result is the same everywhere."""
    for place, value in enumerate(inputs):
        kind = np.dtype(loop[place])
        if type(value) is int and kind.kind in "iu" and not np.iinfo(kind).min <= value <= np.iinfo(kind).max:
            array = inputs[1 - place]
            sides = (0, np.sign(value)) if place == 1 else (np.sign(value), 0)
            return array._full_like(getattr(np, name)(*sides), np.bool_)
    return None
