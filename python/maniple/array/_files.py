"""Arrays in files: Zarr stores and .npy files, which all workers read and write; and in other objects."""

import functools
import json
import os
import pickle
import shutil

import numpy as np

from .. import _maniple
from .._delayed import _client_or_new
from ._array import Array
from ._blockwise import blocks_of, region
from ._functions import asarray
from ._types import axis_index, dtype_of, normalize_chunks


def _path(url, component=None):
    path = os.fspath(url)
    if "://" in path:
        raise NotImplementedError(f"{path!r}: arrays are read from and written to files, not addresses")
    return os.path.abspath(path if component is None else os.path.join(path, component))


def _zarr_dtype(path):
    """The element type of a Zarr array, of version 3 or 2."""
    for name, key in (("zarr.json", "data_type"), (".zarray", "dtype")):
        try:
            with open(os.path.join(path, name), encoding="utf-8") as file:
                described = json.load(file)
        except FileNotFoundError:
            continue
        if key not in described:
            break
        return dtype_of(described[key], f"the Zarr array {path!r}")
    raise FileNotFoundError(f"{path!r} is no Zarr array")


def from_zarr(url, component=None, chunks=None, name=None):
    """The array in a Zarr store, in the store's chunks or in others. Workers read the chunks when they need them.

    Parameters
    ----------
    url : str or path
        The folder of the store, which all ranks can read.
    component : str, optional
        The array's place within it.
    """
    path, client = _path(url, component), _client_or_new()
    core = _maniple.array_from_file(client._core, _zarr_dtype(path).name, path, None)
    array = Array._of(core, client)
    return array if chunks is None else array.rechunk(chunks)


def to_zarr(arr, url, component=None, overwrite=False, compute=True):
    """Makes an array and writes it to a Zarr store of version 3 in its chunks; each worker writes its own.

    Raises `FileExistsError` if there is an array and not ``overwrite``.
    """
    if not compute:
        raise NotImplementedError("to_zarr(compute=False)")
    path = _path(url, component)
    if not any(os.path.exists(os.path.join(path, name)) for name in ("zarr.json", ".zarray")):
        _maniple.array_store(asarray(arr)._core, path, True)
        return
    if not overwrite:
        raise FileExistsError(f"there is a Zarr array in {path!r}: pass overwrite=True")
    # The array may be made of the one that is there.
    new = f"{path}.new-{os.getpid()}"
    _maniple.array_store(asarray(arr)._core, new, True)
    shutil.rmtree(path)
    os.rename(new, path)


def from_npy(path, chunks="auto"):
    """The array in an .npy file. Workers read their blocks when they need them."""
    path, client = _path(path), _client_or_new()
    whole = np.load(path, mmap_mode="r")
    dtype = dtype_of(whole.dtype, f"the file {path!r}")
    chunks = [list(sizes) for sizes in normalize_chunks(chunks, whole.shape, dtype=dtype)]
    return Array._of(_maniple.array_from_file(client._core, dtype.name, path, chunks), client)


def to_npy(arr, path):
    """Makes an array and writes it to an .npy file; each worker writes its own blocks."""
    _maniple.array_store(asarray(arr)._core, _path(path), False)


def to_npy_stack(dirname, x, axis=0):
    """Makes an array and writes it to a folder of .npy files, one for each block along an axis."""
    x = asarray(x)
    axis = axis_index(axis, x.ndim)
    chunks = tuple(sizes if place == axis else (sum(sizes),) for place, sizes in enumerate(x.chunks))
    x = x.rechunk(chunks).persist()
    os.makedirs(dirname, exist_ok=True)
    for place, block in enumerate(x.blocks.ravel()):
        np.save(os.path.join(dirname, f"{place}.npy"), block.compute())
    with open(os.path.join(dirname, "info"), "wb") as file:
        pickle.dump({"chunks": chunks, "dtype": x.dtype, "axis": axis}, file)


def from_npy_stack(dirname, mmap_mode="r"):
    """The array in a folder of .npy files, which all ranks can read: those of `to_npy_stack` or of Dask's.

    The file ``info`` is a pickle: read folders that you trust.
    """
    folder = os.path.abspath(dirname)
    with open(os.path.join(folder, "info"), "rb") as file:
        info = pickle.load(file)
    axis, dtype = info["axis"], dtype_of(info["dtype"])
    chunks = tuple(map(tuple, info["chunks"]))
    return blocks_of(functools.partial(_stacked, folder, axis, mmap_mode), chunks, dtype)


def _stacked(folder, axis, mmap_mode, location):
    return np.load(os.path.join(folder, f"{location[axis]}.npy"), mmap_mode=mmap_mode)


def store(sources, targets, lock=True, regions=None, compute=True, return_stored=False, load_stored=None, **kwargs):
    """Makes arrays and writes them to objects that take NumPy arrays: ``target[region] = block``.

    The driver writes one block after the other, so that targets need no lock and may be NumPy arrays.

    Parameters
    ----------
    sources : Array or sequence
        The arrays.
    targets : array_like or sequence
        An object of each array with ``__setitem__``.
    regions : tuple of slices or sequence, optional
        Where in each target the array goes.
    compute : bool
        Whether to do it at once. Otherwise a delayed value is returned whose ``compute()`` does it.
    return_stored : bool
        Whether to return the arrays, which the workers keep.
    """
    sources, targets = _listed(sources), targets if isinstance(targets, (list, tuple)) else [targets]
    if any(not isinstance(source, Array) for source in sources):
        raise ValueError("All sources must be arrays of this module")
    if len(sources) != len(targets):
        raise ValueError(f"Different number of sources [{len(sources)}] and targets [{len(targets)}]")
    regions = [regions] * len(sources) if regions is None or isinstance(regions[0], slice) else list(regions)
    if len(regions) != len(sources):
        raise ValueError(f"Different number of sources [{len(sources)}] and regions [{len(regions)}]")
    if not compute:
        return _Later(sources, targets, regions)
    kept = Array._persist_all(sources, {})
    for source, target, region_of in zip(kept, targets, regions):
        _write(source, target, region_of)
    if return_stored:
        return kept[0] if len(kept) == 1 else tuple(kept)
    return None


def _listed(sources):
    return list(sources) if isinstance(sources, (list, tuple)) else [sources]


def _write(source, target, around):
    for location in np.ndindex(*source.numblocks):
        own = region(location, source.chunks)
        target[own if around is None else _within(own, around, target.shape)] = source.blocks[location].compute()


def _within(own, around, shape):
    """A region of a region."""
    around = around if isinstance(around, tuple) else (around,)
    places, own = [], iter(own)
    for axis, outer in enumerate(around):
        if not isinstance(outer, slice):
            places.append(outer)
            continue
        part, (start, _, step) = next(own), outer.indices(shape[axis])
        places.append(slice(start + part.start * step, start + part.stop * step, step))
    return (*places, *own)


class _Later:
    """What `store` does when its ``compute()`` is called, in the driver."""

    def __init__(self, sources, targets, regions):
        self._arguments = sources, targets, regions

    def compute(self, **options):
        sources, targets, regions = self._arguments
        store(sources, targets, regions=regions)


Array.to_zarr = to_zarr
Array.store = store
