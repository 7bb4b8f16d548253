"""Datasets of HDF5 and NetCDF-4 files: h5py and netCDF4 read what is written here, and write what is read."""

import numpy as np
import pytest
from conftest import LAUNCHED

import maniple
import maniple.array as da

h5py = pytest.importorskip("h5py", reason="h5py is not installed")
if not hasattr(maniple._maniple, "array_from_hdf5"):
    pytest.skip("this build has no HDF5", allow_module_level=True)

NAMES = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 complex64 complex128".split()
A = np.arange(7 * 11).reshape(7, 11)


def same(array, expected):
    assert array.dtype == expected.dtype and array.shape == expected.shape
    np.testing.assert_array_equal(array.compute(), expected)


@pytest.mark.parametrize("dtype", NAMES)
def test_h5py_reads_what_is_written_and_writes_what_is_read(client, tmp_path, dtype):
    a, path = (A % 2 if dtype == "bool" else A * 3).astype(dtype), tmp_path / "x.h5"
    da.to_hdf5(path, "/group/x", da.from_array(a, chunks=(3, 4)))
    with h5py.File(path, "a") as file:
        assert file["group/x"].dtype == a.dtype and list(file["group"]) == ["x"]
        np.testing.assert_array_equal(file["group/x"][()], a)
        file.create_dataset("chunked", data=a, chunks=(2, 5), compression="gzip", shuffle=True)
        file.create_dataset("piece", data=a)
    for name in ("group/x", "chunked", "piece"):
        same(da.from_hdf5(path, name, chunks=(4, 3)), a)
        same(da.from_hdf5(path, name), a)


def test_automatic_chunks_are_whole_stored_ones(client, tmp_path):
    from maniple.array._hdf5 import _whole_chunks

    assert _whole_chunks((100, 100), (10, 10), 1000) == (10, 100)
    assert _whole_chunks((100, 100), (10, 10), 2500) == (20, 100)
    assert _whole_chunks((100, 100), (10, 10), 550) == (10, 50)
    assert _whole_chunks((7, 3), (10, 10), 1) == (7, 3)
    assert _whole_chunks((0, 3), (10, 10), 1000) == (1, 3)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=A, chunks=(2, 5))
    assert da.from_hdf5(tmp_path / "x.h5", "x").chunks == ((7,), (11,))


def test_netcdf_reads_what_is_written_and_writes_what_is_read(client, tmp_path):
    netcdf = pytest.importorskip("netCDF4", reason="netCDF4 is not installed")
    with netcdf.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("y", None)
        file.createDimension("x", 11)
        variable = file.createVariable("height", "i2", ("y", "x"), zlib=True, chunksizes=(2, 11))
        variable[:] = A
    height = da.from_hdf5(tmp_path / "a.nc", "height", chunks=4)
    same(height, A.astype("int16"))
    da.to_hdf5(tmp_path / "b.nc", {"twice": height * 2, "sums": height.sum(axis=0)})
    with netcdf.Dataset(tmp_path / "b.nc") as file:
        np.testing.assert_array_equal(file["twice"][:], 2 * A)
        np.testing.assert_array_equal(file["sums"][:], A.sum(axis=0))


def test_what_is_wrong_is_said(client, tmp_path):
    path, x = tmp_path / "x.h5", da.arange(10, chunks=3)
    with pytest.raises(FileNotFoundError, match="No such file"):
        da.from_hdf5(path, "x")
    x.to_hdf5(path, "x")
    with pytest.raises(FileNotFoundError, match="there is no dataset y in it"):
        da.from_hdf5(path, "y")
    with pytest.raises(FileExistsError, match="there is x in it"):
        x.to_hdf5(path, "x")
    with pytest.raises(NotImplementedError, match="compression"):
        x.to_hdf5(path, "y", compression="gzip")
    with pytest.raises(ValueError, match="a name and an array"):
        da.to_hdf5(path, x)
    path.write_bytes(b"not HDF5 at all")
    with pytest.raises(maniple.RunError, match="file signature not found") as raised:
        da.from_hdf5(path, "x")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("ranks", LAUNCHED)
def test_ranks_write_and_read_at_once(program, tmp_path, ranks):
    path = tmp_path / "x.h5"
    program(
        f"""
        import maniple, maniple.array as da
        maniple.initialize()
        client = maniple.Client()
        x = da.random.default_rng(1).normal(size=(900, 700), chunks=(97, 83))
        for name in "abc":
            da.to_hdf5({str(path)!r}, f"group/{{name}}", x * (1 + ord(name)))
        for chunks in (50, (900, 7), (101, 700)):
            back = da.from_hdf5({str(path)!r}, "group/c", chunks=chunks)
            assert bool((back == x * 100).all().compute())
        client.close()
        """,
        ranks,
    ).check()
    with h5py.File(path, "a") as file:
        a, b, c = (file[f"group/{name}"][()] for name in "abc")
        np.testing.assert_allclose(b / 99, a / 98, rtol=1e-12)
        assert a.std() > 90 and len(np.unique(c)) == c.size
        file.create_dataset("chunked", data=c, chunks=(64, 64), compression="gzip")
    program(
        f"""
        import maniple, maniple.array as da
        maniple.initialize()
        client = maniple.Client()
        chunked = da.from_hdf5({str(path)!r}, "chunked", chunks=(128, 64))
        piece = da.from_hdf5({str(path)!r}, "group/c", chunks=(128, 64))
        assert bool((chunked == piece).all().compute())
        client.close()
        """,
        ranks,
    ).check()
