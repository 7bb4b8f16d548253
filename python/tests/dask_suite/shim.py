"""Lets the test modules that come with Dask test `maniple.array`: a plugin for pytest.

It puts modules of its own in the place of `dask.array` and of all its parts before a test module is imported, and refuses
to load Dask's own ones. `assert_eq` is one that computes arrays of the package. What tests of Dask's internals import and
the package lacks is there as an object that raises `NotImplementedError` when it is used.

    pytest -p shim --outcomes outcomes.txt --import-mode importlib .../site-packages/dask/array/tests/test_creation.py
"""

import contextlib
import pathlib
import sys
import types

import dask
import dask.base
import dask.config
import dask.delayed
import numpy as np
import pytest

import maniple
import maniple.array
from maniple.array import _types

FOLDER = pathlib.Path(dask.__file__).parent / "array"


class Missing:
    """A name of Dask's that the package lacks."""

    def __init__(self, name):
        self.name = name
        self.__name__ = name

    def _raise(self, *args, **kwargs):
        raise NotImplementedError(f"{self.name} is not there")

    __call__ = __getitem__ = __enter__ = _raise

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self.name}.{name}")

    def __mro_entries__(self, bases):
        return ()


def module_of(name, names, is_open=True):
    """A module in the place of one of Dask's."""
    module = types.ModuleType(name)
    module.__dict__.update(names)
    if is_open:

        def missing(other):
            if other.startswith("__"):
                raise AttributeError(other)
            return Missing(f"{name}.{other}")

        module.__getattr__ = missing
    sys.modules[name] = module
    return module


class Guard:
    """Refuses to load parts of `dask.array`, but for its tests."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.startswith("dask.array.") and not name.startswith("dask.array.tests"):
            raise ModuleNotFoundError(f"{name} is not loaded: the package is tested, not Dask")
        return None


# What tests compare with


def computed(x):
    """A NumPy array, and the type that was declared."""
    if isinstance(x, maniple.array.Array):
        shape, dtype = x.shape, x.dtype
        values = x.compute()
        assert values.shape == shape, f"declared shape {shape}, computed {values.shape}"
        assert values.dtype == dtype, f"declared {dtype}, computed {values.dtype}"
        return values, dtype
    assert not type(x).__module__.startswith("dask.array.core"), "Dask's own array"
    x = x if hasattr(x, "dtype") else np.array(x)
    return x, x.dtype


def allclose(a, b, equal_nan=False, **kwargs):
    try:
        return np.allclose(np.asarray(a), np.asarray(b), equal_nan=equal_nan, **kwargs)
    except TypeError:
        return bool((np.asarray(a) == np.asarray(b)).all())


def assert_eq(a, b, check_shape=True, check_dtype=True, check_type=True, equal_nan=True, **kwargs):
    """Computes arrays, and compares shapes, types and values."""
    kwargs = {key: value for key, value in kwargs.items() if key in ("rtol", "atol")}
    (a, kind), (b, due) = computed(a), computed(b)
    if check_dtype:
        assert str(kind) == str(due), f"types {kind} and {due}"
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    if check_type:
        one, other = (x if x.shape else x.item() for x in (a, b))
        assert type(one) is type(other), f"{type(one)} and {type(other)}"
    assert allclose(a, b, equal_nan=equal_nan, **kwargs), "values differ"
    return True


def same_keys(a, b):
    """Names of tasks are not compared: each call is a task here."""
    return True


def svd_flip(u, v, u_based_decision=False):
    """Singular vectors whose signs are chosen by their sums, as Dask's tests compare them."""
    basis = u if u_based_decision else v
    sums = np.asarray(basis.sum(axis=0 if u_based_decision else 1))
    signs = np.sign(sums + (sums == 0)).astype(u.real.dtype)
    return u * signs, v * signs[:, None]


# The modules


def numpy_compat():
    names = {
        f"NUMPY_GE_{version.replace('.', '')}0": np.lib.NumpyVersion(np.__version__) >= f"{version}.0"
        for version in ("1.24", "1.25", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5")
    }
    return names | {"AxisError": np.exceptions.AxisError, "ComplexWarning": np.exceptions.ComplexWarning}


def install():
    """Puts the modules in their places."""
    assert not any(name.startswith("dask.array") for name in sys.modules), "Dask's arrays are loaded already"
    own = dict(vars(maniple.array))
    performance_warning = type("PerformanceWarning", (Warning,), {})
    array = module_of("dask.array", {name: own[name] for name in [*maniple.array.__all__, "normalize_chunks"]}, False)
    # pytest finds the tests by it.
    array.__path__ = [str(FOLDER)]
    array.PerformanceWarning = performance_warning
    array.register_chunk_type = lambda kind: None
    array._array_expr_enabled = array.array_expr_enabled = lambda: False
    parts = {
        "core": {**own, "PerformanceWarning": performance_warning, "normalize_chunks": _types.normalize_chunks},
        "utils": {"assert_eq": assert_eq, "same_keys": same_keys, "allclose": allclose, "svd_flip": svd_flip},
        "numpy_compat": numpy_compat(),
        "random": vars(maniple.array.random), "linalg": vars(maniple.array.linalg), "fft": vars(maniple.array.fft),
        "overlap": {**vars(maniple.array.overlap), "map_overlap": maniple.array.map_overlap},
        "stats": {}, "lib": {}, "ma": {}, "backends": {}, "chunk": {"getitem": lambda x, key: x[key]},
    }  # fmt: skip
    for name in ("creation", "gufunc", "percentile", "rechunk", "reductions", "reshape", "routines", "slicing", "ufunc",
                 "wrap", "_shuffle", "optimization", "blockwise", "chunk_types", "svg", "dispatch", "tiledb_io"):  # fmt: skip
        parts[name] = own
    for name, names in parts.items():
        names = {key: value for key, value in names.items() if not key.startswith("__")}
        module = module_of(f"dask.array.{name}", names)
        if not hasattr(array, name):
            setattr(array, name, module)
    array.utils, array.core = sys.modules["dask.array.utils"], sys.modules["dask.array.core"]
    array.assert_eq = assert_eq
    array.lib.stride_tricks = module_of(
        "dask.array.lib.stride_tricks", {"sliding_window_view": maniple.array.overlap.sliding_window_view}
    )  # fmt: skip
    sys.meta_path.insert(0, Guard)
    dask.array, dask.compute, dask.persist = array, maniple.compute, persist
    dask.delayed = sys.modules["dask.delayed"].delayed = maniple.delayed
    sys.modules["dask.delayed"].Delayed = type(maniple.delayed(1))


def persist(*arrays, **options):
    return tuple(maniple.array.Array._persist_all(arrays, options))


install()


# The plugin


def pytest_addoption(parser):
    parser.addoption("--outcomes", required=True, help="the file that gets a line for each test")
    parser.addoption("--leave-out", action="append", default=[], help="a test function that is not run")


def pytest_collection_modifyitems(config, items):
    left_out = set(config.getoption("--leave-out"))
    items[:] = [item for item in items if f"{item.path.name}::{item.name.split('[')[0]}" not in left_out]


def pytest_configure(config):
    config.outcomes = {}
    config.client = maniple.Client(n_workers=2, threads_per_worker=2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    name = f"{item.path.name}::{item.name}"
    outcomes = item.config.outcomes
    if report.when == "call" or report.outcome != "passed":
        word = "skipped" if report.skipped else report.outcome
        reason = "" if call.excinfo is None else f"{call.excinfo.typename}: {str(call.excinfo.value).splitlines()[:1]}"
        if outcomes.get(name, ("passed",))[0] == "passed":
            outcomes[name] = (word, reason, report.duration)


def pytest_sessionfinish(session):
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.startswith("dask.array") and not name.startswith("dask.array.tests") and file is not None:
            raise RuntimeError(f"{name} is Dask's own")
    with open(session.config.getoption("--outcomes"), "w") as file:
        for name, (word, reason, seconds) in session.config.outcomes.items():
            file.write(f"{word}\t{name}\t{reason}\t{seconds:.2f}\n")
    with contextlib.suppress(Exception):
        session.config.client.close()
