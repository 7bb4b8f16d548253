"""Arrays in files: Zarr stores and .npy files, which all workers read and write."""

import json
import os
import shutil

import numpy as np

from .. import _maniple
from .._delayed import _client_or_new
from ._array import Array
from ._functions import asarray
from ._types import dtype_of, normalize_chunks


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
    chunks = [list(sizes) for sizes in normalize_chunks(chunks, whole.shape, dtype)]
    return Array._of(_maniple.array_from_file(client._core, dtype.name, path, chunks), client)


def to_npy(arr, path):
    """Makes an array and writes it to an .npy file; each worker writes its own blocks."""
    _maniple.array_store(asarray(arr)._core, _path(path), False)


Array.to_zarr = to_zarr
