"""NumPy's universal functions: which loop, which types, which operation of the runtime."""

import numpy as np

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

# The names of all that `apply` knows.
NAMES = sorted({*_UNARY, *_BINARY, *_LOGICAL, "positive", "invert", "logical_not", "divmod"})


def apply(ufunc, inputs):
    """The array that a universal function gives of these operands, one of which is an array."""
    from ._array import Array, as_operand, same_run

    name = ufunc.__name__
    if name not in NAMES:
        raise TypeError(f"{name} is not available for arrays; compute() gives a NumPy array")
    arrays = [value for value in inputs if isinstance(value, Array)]
    client, near = same_run(arrays), arrays[0]
    if name in _LOGICAL or name == "logical_not":
        truths = [_as_bool(as_operand(value, client, near=near)) for value in inputs]
        return truths[0]._unary("logical_not") if len(truths) == 1 else truths[0]._binary(_LOGICAL[name], truths[1])
    if name == "divmod":
        return apply(np.floor_divide, inputs), apply(np.remainder, inputs)
    kinds = [_kind(value) for value in inputs]
    loop = ufunc.resolve_dtypes((*kinds, None))
    if name in _COMPARISONS:
        constant = _comparison_beyond(name, inputs, loop)
        if constant is not None:
            return constant
    # Sines of bytes have 16 bits in NumPy.
    of = f"{name} of {' and '.join(_name(kind) for kind in kinds)}: an array"
    dtype_of(loop[-1], of)
    types = [dtype_of(kind, of) for kind in loop[: len(inputs)]]
    if len(set(types)) > 1:
        raise TypeError(f"{name} of {types[0]} and {types[1]} is not available; convert one with astype() before")
    if name == "power" and types[0].kind in "iu" and isinstance(inputs[1], int) and inputs[1] < 0:
        raise ValueError("Integers to negative integer powers are not allowed.")
    operands = [as_operand(value, client, types[0], near) for value in inputs]
    if len(operands) == 2:
        is_bool = types[0] == np.bool_
        return operands[0]._binary(_OF_BOOL.get(name, _BINARY[name]) if is_bool else _BINARY[name], operands[1])
    return _unary(name, operands[0])


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
