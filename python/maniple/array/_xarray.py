"""The chunk manager of xarray: ``chunked_array_type="maniple"``.

xarray finds it by the entry point ``xarray.chunkmanagers`` of the package.
"""

import operator

import numpy as np
from xarray.namedarray.parallelcompat import ChunkManagerEntrypoint

import maniple.array as da

from .._delayed import compute
from ._array import Array
from ._types import AUTO_BYTES, NAMES


class ManipleManager(ChunkManagerEntrypoint):
    """What xarray does with arrays in blocks, by `maniple.array`.

    Variables whose element type the runtime lacks, such as text and times, stay NumPy arrays.
    """

    array_cls = Array

    def __init__(self):
        pass

    @property
    def array_api(self):
        """The module of the functions of arrays."""
        return da

    def chunks(self, data):
        """The sizes of the blocks along each axis."""
        return data.chunks

    def normalize_chunks(self, chunks, shape=None, limit=None, dtype=None, previous_chunks=None):
        """The sizes of all blocks along each axis."""
        return da.normalize_chunks(chunks, shape, limit, dtype, previous_chunks)

    def from_array(self, data, chunks, **kwargs):
        """An array of an object that is sliced. Tasks read the blocks of files."""
        if data.dtype.name not in NAMES:
            return np.asarray(data)
        return da.from_array(data, chunks, **kwargs)

    def rechunk(self, data, chunks, **kwargs):
        """The same elements in other blocks."""
        return data.rechunk(chunks)

    def compute(self, *data, **kwargs):
        """NumPy arrays of these arrays; other objects as they are."""
        return compute(*data, **kwargs)

    def persist(self, *data, **kwargs):
        """These arrays, whose blocks workers keep; other objects as they are."""
        arrays = [value for value in data if isinstance(value, Array)]
        kept = iter(Array._persist_all(arrays, kwargs))
        return tuple(next(kept) if isinstance(value, Array) else value for value in data)

    def reduction(self, arr, func, combine_func=None, aggregate_func=None, axis=None, dtype=None, keepdims=False):
        """A reduction by Python functions."""
        return da.reduction(
            arr, func, aggregate_func or combine_func or func, axis, keepdims, arr.dtype if dtype is None else dtype,
            combine=combine_func,
        )  # fmt: skip

    def scan(self, func, binop, ident, arr, axis=None, dtype=None, **kwargs):
        """Running results along an axis, of a block that is whole along it."""
        from ._map import along_lines

        axis = operator.index(axis)
        found = along_lines(
            _Along(func, axis, kwargs), arr, (axis % arr.ndim,), dtype=arr.dtype if dtype is None else dtype
        )
        return found.rechunk(arr.chunks)

    def apply_gufunc(
        self, func, signature, *args, axes=None, axis=None, keepdims=False, output_dtypes=None, output_sizes=None,
        vectorize=None, allow_rechunk=False, meta=None, **kwargs,
    ):  # fmt: skip
        """Calls a Python function that works along the last axes of arrays."""
        return da.apply_gufunc(
            func, signature, *args, axes=axes, axis=axis, keepdims=keepdims, output_dtypes=output_dtypes,
            output_sizes=output_sizes, vectorize=vectorize, allow_rechunk=allow_rechunk, meta=meta, **kwargs,
        )  # fmt: skip

    def map_blocks(self, func, *args, dtype=None, chunks=None, drop_axis=None, new_axis=None, **kwargs):
        """Calls a Python function for each block."""
        return da.map_blocks(func, *args, dtype=dtype, chunks=chunks, drop_axis=drop_axis, new_axis=new_axis, **kwargs)

    def blockwise(self, func, out_ind, *args, **kwargs):
        """Calls a Python function for each block of a result whose axes have labels."""
        return da.blockwise(func, out_ind, *args, **kwargs)

    def unify_chunks(self, *args, **kwargs):
        """Cuts arrays alike along axes of one label."""
        return da.unify_chunks(*args, **kwargs)

    def store(self, sources, targets, **kwargs):
        """Makes arrays and writes them to files."""
        named = {key: value for key, value in kwargs.items() if key in ("compute", "regions", "return_stored")}
        return da.store(sources, targets, **named)

    def shuffle(self, x, indexer, axis, chunks):
        """The elements along an axis in another order."""
        return da.shuffle(x, indexer, axis, "auto" if chunks is None else chunks)

    def get_auto_chunk_size(self):
        """The size of automatic chunks, in bytes."""
        return AUTO_BYTES


class _Along:
    """A function of blocks along an axis."""

    def __init__(self, function, axis, named):
        self.function, self.axis, self.named = function, axis, named

    def __call__(self, block):
        return self.function(block, axis=self.axis, **self.named)
