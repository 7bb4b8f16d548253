"""Makes the stores beside this file: python -m pip install 'zarr>=3', then python make.py

Each has shape (5, 4) and chunks of 2 rows; the last chunk is missing, so there the fill value 1 stands.
"""

import pathlib

import numpy
import zarr
from zarr.codecs import BloscCodec, GzipCodec

directory = pathlib.Path(__file__).parent
compressors = {"bool": None, "uint8": GzipCodec(), "int64": BloscCodec(), "float32": BloscCodec(cname="zstd")}
for name in """bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 complex64
complex128""".split():
    index = numpy.arange(20).reshape(5, 4)
    values = {"b": index % 2 == 1, "u": index, "i": -index, "f": index * 1.5, "c": index * (1 + 0.5j)}
    settings = {"compressors": compressors.get(name, "auto")}
    if name == "float64":
        settings = {"shards": (2, 4), "chunks": (1, 2)}
    store = zarr.create_array(
        directory / f"{name}.zarr",
        shape=(5, 4),
        dtype=name,
        fill_value=1,
        **{"chunks": (2, 4), **settings},
        overwrite=True,
    )
    store[:4] = values[numpy.dtype(name).kind][:4].astype(name)
old = zarr.create_array(
    directory / "version2.zarr", shape=(5, 4), dtype="float64", chunks=(2, 4), fill_value=1, zarr_format=2, overwrite=True
)
old[:4] = 1.5 * numpy.arange(20).reshape(5, 4)[:4]
