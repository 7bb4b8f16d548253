"""xarray with arrays of the package: its chunk manager, files, arithmetic and reductions."""

import gc
import itertools
import warnings

import maniple
import maniple.array as da
import numpy as np
import pytest

xr = pytest.importorskip("xarray", reason="xarray is not installed")

from xarray.namedarray.parallelcompat import list_chunkmanagers  # noqa: E402

LENGTHS = {"time": 12, "lat": 6, "lon": 8}


@pytest.fixture(scope="module", autouse=True)
def client():
    with maniple.Client(n_workers=2, threads_per_worker=2) as client:
        yield client
        gc.collect()


def dataset():
    rng = np.random.default_rng(3)
    values = rng.normal(size=tuple(LENGTHS.values()))
    values[2, 3, 4] = values[5, :, 0] = np.nan
    return xr.Dataset(
        {
            "t": (tuple(LENGTHS), values, {"units": "K"}),
            "count": (("lat", "lon"), rng.integers(0, 9, (6, 8))),
            "flag": (("time",), rng.integers(0, 2, 12).astype(bool)),
            "name": (("lat",), np.array(list("abcdef"))),
        },
        coords={
            "time": np.arange("2020-01-01", "2020-01-13", dtype="datetime64[D]").astype("datetime64[ns]"),
            "lat": np.linspace(-50, 50, 6),
            "lon": np.arange(8) * 45.0,
            "area": (("lat",), np.arange(6.0)),
        },
        attrs={"title": "test"},
    )


def chunked(data, **chunks):
    return data.chunk(chunks or {"time": 5, "lon": 3}, chunked_array_type="maniple")


def is_lazy(data):
    return isinstance(data.data, da.Array)


def test_the_entry_point_is_found():
    manager = list_chunkmanagers()["maniple"]
    assert manager.array_cls is da.Array and manager.is_chunked_array(da.zeros(3))
    assert manager.normalize_chunks((5, "auto"), (12, 6), dtype=np.float64) == ((5, 5, 2), (6,))


def test_chunk_and_compute():
    due = dataset()
    lazy = chunked(due)
    assert is_lazy(lazy.t) and lazy.t.chunks == ((5, 5, 2), (6,), (3, 3, 2)) and is_lazy(lazy.area)
    # The runtime has no text.
    assert isinstance(lazy.name.data, np.ndarray)
    assert chunked(lazy, time=4).t.chunks[0] == (4, 4, 4)
    xr.testing.assert_identical(lazy.compute(), due)
    kept = lazy.persist()
    assert is_lazy(kept.t)
    xr.testing.assert_identical(kept.load(), due)
    assert "maniple.array" in repr(lazy.t) and lazy.t._repr_html_()


# Of a dataset; each must be the same with blocks, and lazy where it is an array of numbers.
EXPRESSIONS = {
    "arithmetic": lambda d: (d.t - 273.15) * 2 / d["count"] ** 2 + d.area,
    "comparison": lambda d: (d.t > 0) & d.flag | (d["count"] == 3),
    "functions": lambda d: np.exp(d.t) + np.sqrt(np.abs(d.t)),
    "where": lambda d: d.t.where(d.t > 0),
    "where other": lambda d: xr.where(d.t > 0, d.t, -1.0),
    "fillna": lambda d: d.t.fillna(0),
    "isnull": lambda d: d.t.isnull(),
    "notnull": lambda d: d.t.notnull(),
    "clip": lambda d: d.t.clip(-1, 1),
    "astype": lambda d: d.t.astype("float32"),
    "round": lambda d: d.t.round(2),
    "transpose": lambda d: d.t.transpose("lon", "time", "lat"),
    "isel": lambda d: d.t.isel(time=slice(None, None, -2), lon=[3, 1, 1]),
    "isel one": lambda d: d.t.isel(lat=2),
    "sel": lambda d: d.t.sel(lat=slice(-20, 40), lon=90.0, time="2020-01-03"),
    "sel nearest": lambda d: d.t.sel(lat=[3, 44], method="nearest"),
    "concat": lambda d: xr.concat([d.t, d.t + 1], dim="time"),
    "stack": lambda d: d.t.stack(point=("lat", "lon")).reset_index("point", drop=True),
    "expand_dims": lambda d: d.t.expand_dims("member"),
    "squeeze": lambda d: d.t.isel(lat=[0]).squeeze(),
    "shift": lambda d: d.t.shift(time=2),
    "roll": lambda d: d.t.roll(lon=3),
    "diff": lambda d: d.t.diff("time"),
    "pad": lambda d: d.t.pad(lon=2, mode="wrap"),
    "broadcast": lambda d: xr.broadcast(d.t, d.area)[1],
    "dot": lambda d: xr.dot(d.t.fillna(0), d.area, dim="lat"),
    "cumsum": lambda d: d.t.cumsum("time"),
    "cumprod": lambda d: d.t.cumprod("lon"),
    "coarsen": lambda d: d.t.coarsen(time=3, lon=2).mean(),
    "weighted": lambda d: d.t.weighted(np.cos(np.deg2rad(d.lat))).mean(("lat", "lon")),
    "ufunc": lambda d: xr.apply_ufunc(np.hypot, d.t, d["count"], dask="allowed"),
    "parallel ufunc": lambda d: xr.apply_ufunc(
        lambda a: a.max(-1) - a.min(-1), d.t, input_core_dims=[["lat"]], dask="parallelized", output_dtypes=[float]
    ),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions(name):
    due = EXPRESSIONS[name](dataset())
    found = EXPRESSIONS[name](chunked(dataset()))
    assert is_lazy(found)
    xr.testing.assert_allclose(found.compute(), due)
    assert found.dtype == due.dtype


REDUCTIONS = ["sum", "mean", "std", "var", "min", "max", "prod", "median"]
CALLS = [*itertools.product(REDUCTIONS, [None, "time", ("lat", "lon")], [None, False]), ("argmax", "time", None)]
CALLS += itertools.product(["count", "any", "all"], [None, "time", ("lat", "lon")], [None])


@pytest.mark.parametrize(("name", "dim", "skipna"), CALLS, ids=str)
def test_reductions(name, dim, skipna):
    data = dataset()
    data["t"] = data.t.where((data.time.dt.day != 6) | data.t.notnull(), 1.0)
    lazy = chunked(data)
    named = {} if skipna is None else {"skipna": skipna}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        due = getattr(data.t, name)(dim, **named)
        found = getattr(lazy.t, name)(dim, **named)
    assert is_lazy(found) and found.dtype == due.dtype
    xr.testing.assert_allclose(found.compute(), due)


def test_reductions_of_a_dataset_and_quantiles():
    data = dataset().drop_vars("name")
    lazy = chunked(data)
    xr.testing.assert_allclose(lazy.mean().compute(), data.mean())
    xr.testing.assert_allclose(lazy.t.quantile([0.2, 0.5], dim="lat").compute(), data.t.quantile([0.2, 0.5], dim="lat"))
    xr.testing.assert_allclose(lazy.t.std("time", ddof=1).compute(), data.t.std("time", ddof=1))
    xr.testing.assert_allclose(xr.full_like(lazy.t, 3.0).compute(), xr.full_like(data.t, 3.0))


def test_points_are_not_indexed():
    """xarray indexes points of NumPy's and Dask's arrays only."""
    places = {"time": xr.DataArray([0, 7], dims="p"), "lon": xr.DataArray([1, 5], dims="p")}
    with pytest.raises(TypeError, match="Vectorized indexing is not supported"):
        chunked(dataset()).t.isel(places)


def test_zarr(tmp_path):
    pytest.importorskip("zarr", reason="zarr is not installed")
    data = dataset()
    chunked(data).to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True)
    opened = xr.open_zarr(tmp_path / "a.zarr", chunked_array_type="maniple")
    assert is_lazy(opened.t) and opened.t.chunks == ((5, 5, 2), (6,), (3, 3, 2))
    xr.testing.assert_identical(opened.compute(), data)
    anomaly = opened.t - opened.t.mean("time")
    xr.testing.assert_allclose(anomaly.compute(), data.t - data.t.mean("time"))
    opened[["count"]].drop_vars("area").to_zarr(tmp_path / "b.zarr", zarr_format=2)
    other = xr.open_dataset(
        tmp_path / "b.zarr", engine="zarr", chunks={"lon": 6}, chunked_array_type="maniple"
    )  # fmt: skip
    assert other["count"].chunks == ((6,), (6, 2))
    xr.testing.assert_equal(
        other["count"].compute().drop_vars("area", errors="ignore"), data["count"].drop_vars("area")
    )


PROGRAM = """
    import maniple, numpy as np, xarray as xr

    maniple.initialize()
    client = maniple.Client(n_workers=2)
    data = xr.DataArray(np.arange(60.0).reshape(10, 6), dims=("x", "y")).chunk({"x": 3}, chunked_array_type="maniple")
    print(((data - data.mean("x")) ** 2).sum().compute().item(), data.max("y").values.tolist())
    client.close()
"""


def test_a_program(program):
    assert program(PROGRAM).check().out == f"17820.0 {[6.0 * n + 5 for n in range(10)]}\n"
