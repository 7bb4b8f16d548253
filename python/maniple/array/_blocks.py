"""Blocks as NumPy arrays: what tasks need."""

import numpy as np


def view(memory, shape, dtype):
    """A NumPy array of memory, without a copy."""
    return np.ndarray(shape, dtype, memory)


def raw(array, dtype):
    """The shape and the bytes of an array in C order."""
    whole = np.ascontiguousarray(array, dtype=dtype)
    return list(array.shape), whole.reshape(-1).view(np.uint8)


def call(function, blocks, dtype):
    """Calls a function with blocks. Returns the shape and the bytes of its result, which must be of this type."""
    result = np.asanyarray(function(*blocks))
    if result.dtype.name != dtype:
        raise TypeError(
            f"the function returned a block of {result.dtype}, one of {dtype} is due: pass dtype={result.dtype.name!r}"
        )
    return raw(result, dtype)


class Bound:
    """A function with some of its arguments: blocks are put at the other places."""

    def __init__(self, function, arguments, places, named):
        self.function, self.arguments, self.places, self.named = function, arguments, places, named

    def __call__(self, *blocks):
        arguments = list(self.arguments)
        for place, block in zip(self.places, blocks):
            arguments[place] = block
        return self.function(*arguments, **self.named)
