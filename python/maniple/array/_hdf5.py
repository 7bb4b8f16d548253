"""Arrays in HDF5 and NetCDF-4 files, which all workers read and write."""

from .. import _maniple
from .._delayed import _client_or_new
from ._array import Array
from ._files import _path
from ._functions import asarray
from ._types import AUTO_BYTES, dtype_of, normalize_chunks


def _check_built():
    if not hasattr(_maniple, "array_from_hdf5"):
        raise NotImplementedError(
            "this build of maniple has no HDF5: install libhdf5 (Debian: libhdf5-dev) and build it with "
            "`pip install --config-settings build-args='--features hdf5'`"
        )


def from_hdf5(filename, dataset, chunks="auto"):
    """The array in a dataset of an HDF5 or NetCDF-4 file. Workers read their blocks when they need them.

    Attributes such as ``scale_factor`` are not applied.

    Parameters
    ----------
    filename : str or path
        A file that all ranks can read.
    dataset : str
        The name of the dataset, such as ``"/group/x"``.
    chunks : int, tuple or str
        As everywhere. ``"auto"`` makes blocks of about 128 MiB of whole stored chunks, each of which is
        read and decompressed once.
    """
    _check_built()
    path, client = _path(filename), _client_or_new()
    name, shape, stored = _maniple.hdf5_dataset(client._core, path, dataset)
    dtype = dtype_of(name, f"the dataset {dataset!r}")
    if isinstance(chunks, str) and chunks == "auto" and stored:
        chunks = _whole_chunks(shape, stored, AUTO_BYTES // dtype.itemsize)
    sizes = [list(axis) for axis in normalize_chunks(chunks, shape, dtype=dtype)]
    return Array._of(_maniple.array_from_hdf5(client._core, dtype.name, path, dataset, sizes), client)


def _whole_chunks(shape, stored, elements_max):
    """A shape of blocks of whole stored chunks: long along the last axes first, which lie together."""
    block, elements = list(stored), 1
    for size in stored:
        elements *= size
    for axis in reversed(range(len(shape))):
        fitting = max(1, elements_max // max(elements, 1))
        count = min(fitting, -(-shape[axis] // stored[axis])) or 1
        block[axis], elements = stored[axis] * count, elements * count
    return tuple(max(1, min(size, length)) for size, length in zip(block, shape))


def to_hdf5(filename, *args, chunks=None, **kwargs):
    """Makes arrays and writes them as new datasets of an HDF5 file; each worker writes its own blocks.

    The file and groups are made if there are none. A dataset has its name when it is whole.

    Parameters
    ----------
    filename : str or path
        A file on a file system that all ranks share.
    *args
        A name and an array, ``to_hdf5("f.h5", "/x", x)``, or a dictionary from names to arrays.

    Raises
    ------
    FileExistsError
        If there is a dataset of that name.
    NotImplementedError
        For ``chunks=``, ``compression=`` and other options of datasets: they lie in one piece, so that all workers can
        write at once. ``h5repack`` compresses them afterwards.
    """
    if chunks not in (None, False) or kwargs:
        raise NotImplementedError(f"to_hdf5: datasets lie in one piece, without {', '.join(kwargs) or 'chunks'}")
    if len(args) == 1 and isinstance(args[0], dict):
        data = args[0]
    elif len(args) == 2 and isinstance(args[0], str):
        data = {args[0]: args[1]}
    else:
        raise ValueError("to_hdf5 takes a name and an array, or a dictionary from names to arrays")
    _check_built()
    path = _path(filename)
    for name, array in data.items():
        _maniple.array_store_hdf5(asarray(array)._core, path, name)


def _to_hdf5(self, filename, datapath, **kwargs):
    """As `to_hdf5`, of this array alone."""
    return to_hdf5(filename, datapath, self, **kwargs)


Array.to_hdf5 = _to_hdf5
