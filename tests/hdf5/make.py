"""Makes the files beside this file: python -m pip install h5py netCDF4, then python make.py

Each dataset has shape (5, 4); the last row of those in chunks was never written, so there the fill value 1 stands.
"""

import pathlib

import h5py
import netCDF4
import numpy

directory = pathlib.Path(__file__).parent
index = numpy.arange(20).reshape(5, 4)
values = {"b": index % 2 == 1, "u": index, "i": -index, "f": index * 1.5, "c": index * (1 + 0.5j)}
filters = {"bool": {}, "uint8": {"compression": "gzip"}, "int64": {"shuffle": True}, "float32": {"fletcher32": True}}
names = "bool uint8 uint32 uint64 int32 int64 float32 float64 complex64 complex128 int8 int16 uint16 float16".split()
with h5py.File(directory / "types.h5", "w", libver="earliest") as file:
    for name in names:
        own = values[numpy.dtype(name).kind].astype(name)
        file.create_dataset(f"pieces/{name}", data=own)
        chunked = file.create_dataset(
            f"chunks/{name}", shape=(5, 4), dtype=name, chunks=(2, 3), fillvalue=numpy.dtype(name).type(1), **filters.get(name, {})
        )
        chunked[:4] = own[:4]
    file["big"] = values["f"].astype(">f8")
    file["scalar"] = 2.5
    file["words"] = ["a", "b"]
    file["none"] = numpy.zeros((0, 3))
with netCDF4.Dataset(directory / "netcdf4.nc", "w") as file:
    file.createDimension("time", None)
    file.createDimension("x", 4)
    for name, kind in (("temperature", "f8"), ("pressure", ">f4"), ("count", "i2")):
        endian = "big" if name == "pressure" else "native"
        variable = file.createVariable(name, kind, ("time", "x"), zlib=True, chunksizes=(2, 4), endian=endian)
        variable[:] = values["f" if "f" in kind else "i"]
