"""Arrays, compared with NumPy."""

import gc
import itertools
import pathlib
import signal
import threading
import time
import warnings
import zlib

import maniple
import maniple.array as da
import numpy as np
import pytest

from conftest import FEW, LAUNCHED, SIZES, run_file

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"

DTYPES = [
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
    "complex64", "complex128",
]  # fmt: skip
REAL = DTYPES[:-2]
# The results of every operation must not depend on them.
CHUNKS = [(4, 6), (2, 3), ((1, 3), (2, 0, 4)), (3, -1)]
SHAPE = (4, 6)


@pytest.fixture(scope="module", autouse=True)
def client():
    with maniple.Client(n_workers=2, threads_per_worker=2, processes=False) as client:
        yield client
        gc.collect()


def values(dtype, shape=SHAPE, seed=0):
    """Small values of a type, among them zero, ones and negative ones, and no NaN."""
    # No hash(), which differs from process to process.
    rng = np.random.default_rng([seed, zlib.crc32(str(dtype).encode())])
    small = rng.integers(-5, 6, shape)
    kind = np.dtype(dtype).kind
    if kind == "b":
        return small > 0
    if kind == "u":
        return np.abs(small).astype(dtype)
    if kind == "i":
        return small.astype(dtype)
    if kind == "f":
        return (small / 2).astype(dtype)
    return (small / 2 + 1j * rng.integers(-5, 6, shape)).astype(dtype)


def same(found, due, exact=False):
    """A result must have the type, the shape and the values that NumPy gives."""
    if isinstance(found, da.Array):
        declared = (found.shape, found.dtype)
        found = found.compute()
        assert declared == (found.shape, found.dtype)
    assert found.dtype == due.dtype and found.shape == due.shape, (found.dtype, due.dtype, found.shape, due.shape)
    assert isinstance(found, np.ndarray) == isinstance(due, np.ndarray)
    wide = {"float16": 2e-3, "float32": 1e-6, "complex64": 1e-6}.get(due.dtype.name, 1e-13)
    if exact or due.dtype.kind in "biu":
        np.testing.assert_array_equal(found, due)
    else:
        np.testing.assert_allclose(found, due, rtol=10 * wide, atol=wide)


def outcome(function):
    """What a function of NumPy returns, or None where it has no loop or no result that arrays can have."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            due = function()
        except (TypeError, ValueError):
            return None
    return due if due.dtype.name in DTYPES else None


def compare(own, due, missing=False):
    """Both agree; or, where NumPy has no such result or the runtime lacks it, a `TypeError` says so."""
    expected = outcome(due)
    if expected is None:
        with pytest.raises((TypeError, ValueError)):
            own()
    elif missing:
        with pytest.raises(TypeError, match="is not available"):
            own()
    else:
        same(own(), expected)


UNARY = [
    "absolute", "negative", "positive", "conjugate", "square", "sign", "isnan", "isinf", "isfinite", "floor", "ceil",
    "trunc", "rint", "sqrt", "cbrt", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos",
    "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "degrees", "radians",
    "invert", "logical_not", "fabs",
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_universal_functions_of_one_array(name, dtype):
    ufunc, a = getattr(np, name), values(dtype)
    for chunks in CHUNKS[1:3]:
        compare(lambda: ufunc(da.from_array(a, chunks=chunks)), lambda: ufunc(a))


BINARY = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "float_power", "bitwise_and",
    "bitwise_or", "bitwise_xor", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "minimum",
    "maximum", "fmin", "fmax", "hypot", "arctan2", "logaddexp", "logical_and", "logical_or", "logical_xor",
]  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_universal_functions_of_two_arrays(name):
    ufunc = getattr(np, name)
    for left, right in itertools.product(DTYPES, DTYPES):
        a, b = values(left, seed=1), values(right, (6,), seed=2)
        if name.endswith("power") and np.result_type(left, right).kind in "iu":
            # Negative powers of integers are errors in NumPy, and 0 here.
            b = np.abs(b)
        x, y = da.from_array(a, chunks=(2, 4)), da.from_array(b, chunks=3)
        compare(lambda: ufunc(x, y), lambda: ufunc(a, b))


SCALARS = [2, -1, 0.5, True, 1 + 2j, np.float32(1.5), np.int64(3), np.uint8(2)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_python_numbers_give_way_and_numpy_numbers_do_not(dtype):
    a = values(dtype, seed=3)
    x = da.from_array(a, chunks=(3, 4))
    for scalar, name in itertools.product(SCALARS, ["add", "multiply", "divide", "subtract"]):
        ufunc = getattr(np, name)
        for operands in ((0, 1), (1, 0)):
            own, due = [(x, scalar)[place] for place in operands], [(a, scalar)[place] for place in operands]
            try:
                outcome(lambda: ufunc(*due))
            except OverflowError:
                with pytest.raises(OverflowError):
                    ufunc(*own)
                continue
            compare(lambda: ufunc(*own), lambda: ufunc(*due))


def test_operators_are_those_of_numpy():
    a, b = values("int64", seed=4), np.arange(1, 7)
    x, y = da.from_array(a, chunks=(2, 3)), da.from_array(b, chunks=4)
    for expression in (
        "p + q", "p - q", "p * q", "p / q", "p // q", "p % q", "p ** q", "-p", "+p", "abs(p)", "~p", "p & q", "p | q",
        "p ^ q", "p == q", "p != q", "p < q", "p <= q", "p > q", "p >= q", "1 - p", "7 // q", "7 % q", "2.0 ** p",
        "p + 1", "p * 2.5", "divmod(p, q)[0]", "divmod(p, q)[1]", "q + p", "p < 2", "3 & p", "(p > 0) & (p < 3)",
    ):  # fmt: skip
        same(eval(expression, {"p": x, "q": y}), eval(expression, {"p": a, "q": b}))
    # A NumPy array on the left gives way.
    same(b + x, b + a)
    assert isinstance(np.arange(6) * x, da.Array)


def test_comparisons_with_integers_that_do_not_fit():
    a = np.arange(6, dtype=np.uint8)
    x = da.from_array(a, chunks=4)
    for other in (-1, 300):
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
            ufunc = getattr(np, name)
            same(ufunc(x, other), ufunc(a, other))
            same(ufunc(other, x), ufunc(other, a))
    with pytest.raises(OverflowError):
        x + 300
    with pytest.raises(ValueError, match="negative integer powers"):
        x.astype(int) ** -1


REDUCTIONS = ["sum", "prod", "mean", "std", "var", "min", "max", "any", "all"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, dtype):
    a = values(dtype, seed=5)
    missing = np.dtype(dtype).kind == "c" and name in ("min", "max")
    for chunks, axis, keepdims in itertools.product(CHUNKS, (None, 0, -1, (0, 1), ()), (False, True)):
        if axis == () and name in ("any", "all"):
            continue
        x = da.from_array(a, chunks=chunks)
        compare(
            lambda: getattr(x, name)(axis=axis, keepdims=keepdims),
            lambda: getattr(a, name)(axis=axis, keepdims=keepdims),
            missing,
        )
    if not missing:
        same(getattr(np, name)(x), getattr(np, name)(a))
        same(getattr(da, name)(x, axis=0), getattr(np, name)(a, axis=0))


@pytest.mark.parametrize("dtype", REAL)
def test_places_of_extremes(dtype):
    a = values(dtype, seed=6)
    for name, chunks, axis in itertools.product(("argmin", "argmax"), CHUNKS, (None, 0, 1)):
        same(getattr(da.from_array(a, chunks=chunks), name)(axis=axis), getattr(a, name)(axis=axis))


@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
def test_reductions_that_leave_nan_out(dtype):
    a = values(dtype, seed=7)
    if a.dtype.kind == "f":
        a[1, 2] = a[3, 0] = np.nan
    x = da.from_array(a, chunks=(2, 3))
    for name in ("nansum", "nanprod", "nanmean", "nanstd", "nanvar", "nanmin", "nanmax"):
        for axis in (None, 0, 1):
            same(getattr(da, name)(x, axis=axis), getattr(np, name)(a, axis=axis))
    same(da.nanstd(x, ddof=1), np.nanstd(a, ddof=1))
    same(np.nancumsum(x, axis=1), np.nancumsum(a, axis=1))
    same(np.nancumprod(x, axis=0), np.nancumprod(a, axis=0))


def test_keywords_of_reductions():
    a = values("uint8", seed=8)
    x = da.from_array(a, chunks=(2, 2))
    same(x.sum(dtype="int32"), a.sum(dtype="int32"))
    same(x.mean(dtype="float32"), a.mean(dtype="float32"))
    same(x.std(ddof=1), a.std(ddof=1))
    same(np.add.reduce(x), np.add.reduce(a))
    same(np.maximum.reduce(x, axis=1), np.maximum.reduce(a, axis=1))
    same(np.ptp(x.astype("int64")), np.ptp(a.astype("int64")))
    same(np.count_nonzero(x, axis=0), np.count_nonzero(a, axis=0))
    with pytest.raises(ValueError, match="zero-size array"):
        x[:0].max(axis=0)
    with pytest.raises(np.exceptions.AxisError):
        x.sum(axis=2)
    with pytest.raises(TypeError, match="out= takes an array"):
        np.sum(x, out=a)
    kept = da.zeros(4, dtype="uint64", chunks=3)
    assert np.sum(x, axis=1, out=kept) is kept
    same(kept, a.sum(axis=1))


@pytest.mark.parametrize("dtype", ["int64", "float64", "float32", "complex128"])
def test_random_expressions(dtype):
    """Chains of operations, seeded, in three ways of cutting: each must be what NumPy makes of it."""
    steps = [
        ("plus", lambda p: p + 1), ("times", lambda p: p * 3), ("row", lambda p: p - p[:1]), ("T", lambda p: p.T),
        ("slice", lambda p: p[1:, ::-1]), ("flat", lambda p: p.reshape(-1)[:, None]), ("square", lambda p: p * p),
        ("stack", lambda p: np.concatenate([p, p[::-1]])), ("mean", lambda p: p - p.mean(axis=1, keepdims=True)),
        ("running", lambda p: np.cumsum(p, axis=0)), ("where", lambda p: np.where(p == 1, p, p / 2)),
    ]  # fmt: skip
    rng = np.random.default_rng(9)
    for _ in range(12):
        chosen = [steps[place] for place in rng.integers(0, len(steps), 4)]
        a = values(dtype, seed=int(rng.integers(100)))
        owns = [da.from_array(a, chunks=chunks) for chunks in CHUNKS]
        due = a
        for _, step in chosen:
            due, owns = step(due), [step(own) for own in owns]
        assert all(isinstance(own, da.Array) for own in owns)
        for own in owns:
            found = own.compute()
            assert found.dtype == due.dtype and found.shape == due.shape, chosen
            relative = 1e-4 if dtype == "float32" else 1e-9
            np.testing.assert_allclose(found, due, relative, atol=1e-4, err_msg=str(chosen))


KEYS = [
    0, -1, slice(1, 3), slice(None, None, -1), slice(3, 0, -2), slice(5, 2), (1, 2), (slice(None), 3), (..., 0), (0, ...),
    (None, 1), (slice(None), None, slice(1, 4)), (slice(1, None, 2), slice(None, None, -3)), ..., (), [2, 0, 2],
    (slice(None), [5, 1]), (slice(1, 3), [True, False, True, True, False, False]), (0, [1, 2]), ([1, -1], 2), [],
    np.array([3, 1]), (slice(None), np.array([0, 0], dtype=np.uint8)), np.int64(2), (None, [1, 2], slice(None, 2)),
    np.array([True, False, True, False]),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indices(key):
    a = np.arange(24).reshape(SHAPE)
    for chunks in CHUNKS:
        same(da.from_array(a, chunks=chunks)[key], a[key])


def test_masks_and_assignments():
    a = np.arange(24.0).reshape(SHAPE)
    for chunks in CHUNKS:
        x = da.from_array(a, chunks=chunks)
        same(x[x > 5], a[a > 5])
        same(x[a > 5], a[a > 5])
        same(x[x > 100], a[a > 100])
        same(x[x[:, 0] > 5], a[a[:, 0] > 5])
        for p, q in zip(np.where(x % 5 == 0), np.where(a % 5 == 0)):
            same(p, q)
        y, b = x.copy(), a.copy()
        y[1], b[1] = -1, -1
        y[:, ::2], b[:, ::2] = y[:, ::2] * 2, b[:, ::2] * 2
        y[y > 20], b[b > 20] = 0, 0
        y[-1, 2:4], b[-1, 2:4] = [7, 8], [7, 8]
        same(y, b)
        same(x, a)
        row, due = x[0], a[0].copy()
        row[np.array([True, False] * 3)], due[::2] = 9, 9
        same(row, due)
    small = da.zeros(3, dtype="uint8", chunks=2)
    small[1] = 200.7
    assert small.compute().tolist() == [0, 200, 0]
    with pytest.raises(OverflowError):
        small[0] = 300


def test_assignments_to_lists():
    a = np.arange(24.0).reshape(SHAPE)
    for chunks in CHUNKS:
        x, b = da.from_array(a, chunks=chunks), a.copy()
        before = x.chunks
        for key, value in [
            ([0, 2], -1), ((slice(None), [5, 1]), np.arange(2)), ((slice(1, 3), [3, 0]), np.ones((2, 2))), ((2, [0, 4]), 9),
            ([3, 3], np.array([[5], [6]])), ((slice(None), [True] * 2 + [False] * 4), 7), (([], 0), 1), (([1, 3], 2), 8),
            (([0, 1], slice(None, None, -2)), np.arange(6).reshape(2, 3)),
        ]:  # fmt: skip
            x[key], b[key] = value, value
            same(x, b)
        x[x > 8], b[b > 8] = np.arange((b > 8).sum()), np.arange((b > 8).sum())
        same(x, b)
        assert x.chunks == before
    with pytest.raises(ValueError):
        x[[0, 1]] = np.ones(4)


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (4, IndexError, "index 4 is out of bounds for axis 0 with size 4"),
        ((0, -7), IndexError, "index -7 is out of bounds for axis 1 with size 6"),
        ([0, 4], IndexError, "index 4 is out of bounds for axis 0 with size 4"),
        ((0, 0, 0), IndexError, "too many indices"),
        ((..., ...), IndexError, "single ellipsis"),
        ([True, False], IndexError, "boolean index of 2 elements"),
        ("x", IndexError, "is no index"),
        (1.5, IndexError, "is no index"),
        (([0, 1], [0, 1]), NotImplementedError, "several axes"),
        (slice(0, 1, 0), ValueError, "zero"),
    ],
    ids=str,
)
def test_wrong_indices(key, error, words):
    x = da.zeros(SHAPE, chunks=2)
    with pytest.raises(error, match=words):
        x[key]


def test_shapes():
    a = np.arange(24).reshape(2, 3, 4)
    for chunks in ((1, 3, 2), 2, ((2,), (1, 2), (3, 1))):
        x = da.from_array(a, chunks=chunks)
        for function in (
            lambda p, n: p.T, lambda p, n: p.transpose(1, 0, 2), lambda p, n: n.transpose(p, (2, 0, 1)),
            lambda p, n: p.swapaxes(0, -1), lambda p, n: p.reshape(6, 4), lambda p, n: p.reshape((-1, 2)),
            lambda p, n: n.ravel(p), lambda p, n: n.moveaxis(p, 0, -1), lambda p, n: n.expand_dims(p, (0, 2)),
            lambda p, n: n.squeeze(p[:, :1]), lambda p, n: n.broadcast_to(p, (5, 2, 3, 4)), lambda p, n: n.flip(p),
            lambda p, n: n.flip(p, 1), lambda p, n: n.roll(p, 2, axis=2), lambda p, n: n.roll(p, -3),
            lambda p, n: n.repeat(p, 2, axis=1), lambda p, n: n.take(p, [2, 0], axis=1), lambda p, n: n.tril(p, 1),
            lambda p, n: n.triu(p), lambda p, n: n.stack([p, p + 1], axis=1), lambda p, n: n.concatenate([p, p / 2], 2),
            lambda p, n: n.vstack([p[0], p[1]]), lambda p, n: n.hstack([p[0], p[1]]), lambda p, n: n.diff(p, axis=1),
            lambda p, n: n.cumsum(p, axis=1), lambda p, n: n.cumprod(p, axis=2), lambda p, n: n.cumsum(p),
            lambda p, n: n.diff(p, n=2), lambda p, n: n.clip(p, 3, 9), lambda p, n: n.round(p / 7, 2),
            lambda p, n: n.diag(p[0, :, :3]), lambda p, n: n.diag(p[0, 0]), lambda p, n: n.trace(p[0]),
            lambda p, n: n.median(p, axis=1), lambda p, n: n.percentile(p, 30, axis=0), lambda p, n: n.quantile(p, 0.9),
            lambda p, n: n.where(p % 2 == 0, p, -1), lambda p, n: n.isclose(p, p + 1e-9),
        ):  # fmt: skip
            same(function(x, da), function(a, np))
            same(function(x, np), function(a, np))
        y = x.rechunk((2, -1, 3))
        assert y.chunks == ((2,), (3,), (3, 1))
        same(y, a)
        assert x.rechunk({2: 1}).chunks[:2] == x.chunks[:2]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_products(dtype):
    a, b = values(dtype, (4, 6), 10), values(dtype, (6, 5), 11)
    for chunks in (2, 3, (4, 1)):
        x, y = da.from_array(a, chunks=chunks), da.from_array(b, chunks=chunks)
        same(x @ y, a @ b)
        same(np.dot(x, y), a @ b)
        same(x.dot(b[:, 0]), a.dot(b[:, 0]))
        same(a @ y, a @ b)
        same(x[0] @ y[:, 1], a[0] @ b[:, 1])
        same(da.tensordot(x, y, axes=1), np.tensordot(a, b, axes=1))
        same(np.tensordot(x, y, axes=([1], [0])), np.tensordot(a, b, axes=([1], [0])))
    with pytest.raises(ValueError, match="do not fit"):
        x @ x


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "uint64", "int64"])
def test_products_of_integers(dtype):
    a, b = values(dtype, (4, 6), 10), values(dtype, (6, 5), 11)
    for chunks in (2, (4, 1)):
        x, y = da.from_array(a, chunks=chunks), da.from_array(b, chunks=chunks)
        same(x @ y, a @ b)
        same(np.dot(x, y), a @ b)
        same(x[0] @ y, a[0] @ b)
        same(x[0] @ y[:, 1], a[0] @ b[:, 1])
        same(x.reshape(2, 2, 6) @ y, a.reshape(2, 2, 6) @ b)
        same(np.tensordot(x, y, axes=([1], [0])), np.tensordot(a, b, axes=([1], [0])))
        same(np.vdot(x[0], x[1]), np.vdot(a[0], a[1]))
        for subscripts in ("ij,jk->ik", "ij,jk", "...j,jk->k...", "ij,jk->"):
            same(np.einsum(subscripts, x, y), np.einsum(subscripts, a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_creation(dtype):
    for own, due in [
        (da.zeros((3, 4), dtype=dtype, chunks=2), np.zeros((3, 4), dtype)),
        (da.ones(5, dtype=dtype, chunks=2), np.ones(5, dtype)),
        (da.full((2, 3), 1, dtype=dtype, chunks=(1, 2)), np.full((2, 3), 1, dtype)),
        (da.eye(4, dtype=dtype, chunks=3, k=1), np.eye(4, dtype=dtype, k=1)),
        (da.eye(4, M=6, dtype=dtype, chunks=3), np.eye(4, 6, dtype=dtype)),
        (da.zeros_like(da.ones((2, 2), dtype=dtype, chunks=1)), np.zeros((2, 2), dtype)),
        (da.full_like(da.ones((2, 2), dtype=dtype, chunks=1), 1), np.ones((2, 2), dtype)),
        (da.ones((), dtype=dtype), np.ones((), dtype)[()]),
        (da.zeros((0, 3), dtype=dtype, chunks=2), np.zeros((0, 3), dtype)),
        (da.from_array(values(dtype), chunks="auto"), values(dtype)),
        (da.from_array(values(dtype)[::-1, ::2], chunks=2), values(dtype)[::-1, ::2]),
        (da.from_array(values(dtype).T, chunks=(3, 1)), values(dtype).T),
        (da.from_array(values(dtype).astype(np.dtype(dtype).newbyteorder(">")), chunks=2), values(dtype)),
    ]:
        same(own, due, exact=True)
    if dtype != "bool":
        # NumPy has ranges of two truth values only.
        same(da.arange(2, 9, 2, dtype=dtype, chunks=2), np.arange(2, 9, 2).astype(dtype))


def test_ranges():
    for arguments in [(7,), (1, 50, 3), (5, -5, -2), (0, 0), (0.0, 1.0, 0.1), (3, 1), (1, 2, 0.25), (5, 0, -0.5)]:
        same(da.arange(*arguments, chunks=3), np.arange(*arguments))
    for arguments in [(0, 1), (2, 5, 7), (1, 0, 4), (0, 1, 1), (0, 1, 0)]:
        for endpoint in (True, False):
            same(da.linspace(*arguments, endpoint=endpoint, chunks=6), np.linspace(*arguments, endpoint=endpoint))
    same(da.linspace(0, 5, 4, dtype=int, chunks=2), np.linspace(0, 5, 4, dtype=int))
    for dtype in ("int32", "float32", "uint8"):
        same(da.arange(5, dtype=dtype, chunks=2), np.arange(5, dtype=dtype))


def test_chunks_are_given_as_in_dask():
    chunks = lambda given, shape=(10, 6): da.zeros(shape, chunks=given).chunks  # noqa: E731
    assert chunks(4) == ((4, 4, 2), (4, 2))
    assert chunks((5, 2)) == ((5, 5), (2, 2, 2))
    assert chunks((-1, 3)) == ((10,), (3, 3))
    assert chunks((None, 3)) == ((10,), (3, 3))
    assert chunks(((3, 3, 4), 6)) == ((3, 3, 4), (6,))
    assert chunks({0: 5}) == ((5, 5), (6,))
    assert chunks((5, 5, 5, 2), (17,)) == ((5, 5, 5, 2),)
    assert chunks("auto") == ((10,), (6,))
    assert chunks((2, "auto")) == ((2,) * 5, (6,))
    assert chunks("auto", (10_000, 10_000)) == ((4096, 4096, 1808),) * 2
    assert chunks(("auto", 10), (10_000_000, 10))[1] == (10,)
    assert max(chunks("8MiB", (10_000_000,))[0]) == 1 << 20
    x = da.zeros((10, 6), chunks=(4, 3))
    assert (x.chunksize, x.numblocks, x.npartitions, x.nbytes, x.size, x.ndim, len(x)) == (
        (4, 3), (3, 2), 6, 480, 60, 2, 10,
    )  # fmt: skip
    for given, words in [
        ((1, 2, 3), "given for 3 axes"), (0, "size 0"), (((3, 3), 6), "do not add up"), ("many", "neither 'auto'"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=words):
            chunks(given)


def test_arrays_show_what_they_are():
    x = da.random.uniform(low=0.0, high=1.0, size=(625000, 2), chunks=31250)
    assert repr(x) == (
        "maniple.array<uniform, shape=(625000, 2), dtype=float64, chunksize=(31250, 2), chunktype=numpy.ndarray>"
    )
    html = x._repr_html_()
    assert "<svg" in html and "9.54 MiB" in html and "float64" in html and html.count("<tr>") == 6
    assert "uniform" in (x**2).sum().explain()


def test_pictures(tmp_path):
    x = da.ones((4, 4), chunks=2).cumsum(axis=0)
    x.visualize(tmp_path / "x.svg")
    x.visualize(filename=str(tmp_path / "x.dot"))
    assert "<svg" in (tmp_path / "x.svg").read_text() and "digraph" in (tmp_path / "x.dot").read_text()
    with pytest.raises(ValueError, match="end in .svg"):
        x.visualize("x.png")


def test_random_arrays_depend_on_the_seed_alone():
    draw = lambda seed, chunks: da.random.default_rng(seed).normal(3, 2, size=(50, 40), chunks=chunks)  # noqa: E731
    first = draw(5, 10).compute()
    assert np.array_equal(first, draw(5, (7, 40)).compute()) and not np.array_equal(first, draw(6, 10).compute())
    assert abs(first.mean() - 3) < 0.3 and abs(first.std() - 2) < 0.3
    rng = da.random.default_rng(1)
    x = rng.random((100, 100), chunks=50)
    assert 0 <= x.min().compute() and x.max().compute() < 1
    assert not np.array_equal(x.compute(), rng.random((100, 100), chunks=50).compute())
    integers = rng.integers(0, 3, size=1000, endpoint=True, chunks=100).compute()
    assert set(integers.tolist()) == {0, 1, 2, 3} and integers.dtype == np.int64
    assert rng.integers(7, size=10, dtype="uint8").compute().dtype == np.uint8
    state = da.random.RandomState(4)
    assert state.randint(5, 6, size=(2, 2)).compute().tolist() == [[5, 5], [5, 5]]
    assert state.uniform(-2, -1, size=3, chunks=2).compute().max() < -1
    assert sorted(state.permutation(9, chunks=4).compute()) == list(range(9))
    assert rng.random(dtype="float32", size=4).dtype == np.float32
    assert da.random.default_rng(2**200).random(3).compute().shape == (3,)
    assert isinstance(da.random.random().compute(), np.float64)
    same_seed = [da.random.default_rng(seed).random(5).compute() for seed in (7, np.int64(7))]
    assert np.array_equal(*same_seed)
    da.random.seed(8)
    again = da.random.random(20, chunks=5).compute()
    da.random.seed(8)
    assert np.array_equal(again, da.random.random(20, chunks=7).compute())
    for wrong, error, words in [
        (lambda: rng.normal(0, -1, size=3), ValueError, "deviation is -1"),
        (lambda: rng.integers(0, 300, size=3, dtype="uint8"), ValueError, "uint8 holds"),
        (lambda: rng.random(3, dtype=int), TypeError, "float64 or float32"),
    ]:
        with pytest.raises(error, match=words):
            wrong()


def test_python_functions_of_blocks():
    a = np.arange(24.0).reshape(SHAPE)
    for chunks in CHUNKS[:2]:
        x = da.from_array(a, chunks=chunks)
        same(da.map_blocks(np.sqrt, x), np.sqrt(a))
        same(x.map_blocks(lambda block, by, plus=0: block * by + plus, 3, plus=1), a * 3 + 1)
        same(x.map_blocks(lambda block: block > 3), a > 3)
        same(x.map_blocks(lambda block: block.astype("complex64"), dtype="complex64"), a.astype("complex64"))
        same(da.map_blocks(lambda p, q: p - q, x, x[0]), a - a[0])
        same(da.map_blocks(lambda p, q, r: p + q * r, x, x, x), a + a * a)
        same(x.map_blocks(lambda block: block.sum(axis=1), drop_axis=1), a.sum(axis=1))
        same(x.map_blocks(lambda block: block[:, None], new_axis=1), a[:, None])
        # It is lazy, and goes on as other arrays do.
        same((x + 1).map_blocks(np.square).sum(axis=0), ((a + 1) ** 2).sum(axis=0))
    x = da.from_array(a, chunks=(2, 3))
    doubled = x.map_blocks(lambda block: np.repeat(block, 2, axis=1), chunks=((2, 2), (6, 6)))
    same(doubled, np.hstack([np.repeat(a[:, :3], 2, axis=1), np.repeat(a[:, 3:], 2, axis=1)]))
    same(x.map_blocks(lambda block: block[:1], chunks=(1, 3)), a[::2])


def test_what_python_functions_of_blocks_do_wrong():
    x = da.ones((4, 4), chunks=2)

    def fails(block):
        raise KeyError(f"a block of {block.shape}")

    mapped = x.map_blocks(fails, dtype=float)
    with pytest.raises(KeyError, match=r"a block of \(2, 2\)") as raised:
        mapped.compute()
    assert "in fails" in str(raised.value.__cause__)
    with pytest.raises(TypeError, match="one of int64 is due: pass dtype='float64'"):
        x.map_blocks(lambda block: block, dtype=int).compute()
    with pytest.raises(maniple.TaskError, match=r"shape \[1, 2\] where one of shape \[2, 2\] is due"):
        x.map_blocks(lambda block: block[:1]).compute()
    with pytest.raises(ValueError, match="pass dtype="):
        x.map_blocks(fails)
    with pytest.raises(ValueError, match="read-only"):
        x.map_blocks(lambda block: block.fill(1), dtype=float).compute()


def test_results(client):
    x = da.arange(10, chunks=3)
    total = x.sum().compute()
    assert type(total) is np.int64 and total == 45
    computed = x.compute()
    computed[0] = 99
    assert x.compute()[0] == 0 and computed.flags.writeable
    least, most, half = da.compute(x.min(), x.max(), x / 2)
    assert (least, most) == (0, 9) and half.dtype == np.float64
    nested = maniple.compute({"x": [x, 1]}, maniple.delayed(sum)([1, 2]), x.mean())
    assert nested[0]["x"][0].tolist() == list(range(10)) and nested[1:] == (3, 4.5)
    assert maniple.delayed(lambda values, n: values.tolist() + [n])(x[:3], 7).compute() == [0, 1, 2, 7]
    kept = x.persist()
    assert kept.chunks == x.chunks and kept.name == "array"
    same(kept * 2, np.arange(10) * 2)
    future = client.compute(x**2)
    assert isinstance(future, maniple.Future) and future.result().tolist() == [n * n for n in range(10)]
    assert client.submit(np.sum, future).result() == 285
    assert client.compute([x.sum(), x.max()], sync=True) == [45, 9]
    assert float(client.compute(x.mean()).result()) == 4.5
    one, two = client.persist([x, maniple.delayed(abs)(-3)])
    assert one.sum().compute() == 45 and two.compute() == 3
    assert x.compute(priority=3, retries=1).tolist() == list(range(10))
    with pytest.raises(TypeError, match="unexpected keyword"):
        x.compute(colour=1)


def test_persisted_arrays_are_waited_for(client):
    x = da.arange(8, chunks=3)

    def slow(block):
        time.sleep(0.2)
        return block + 1

    late, named = maniple.persist(x.map_blocks(slow, dtype=x.dtype), {"call": maniple.delayed(abs)(-2)})
    with pytest.raises(TimeoutError):
        maniple.wait(late, timeout=0.01)
    done, not_done = maniple.wait([late, named["call"], client.submit(abs, -1)])
    assert late._persisted_blocks() == (3, 3) and len(done) == 2 and not not_done
    assert late.sum().compute() == 36
    for lazy in (x + 1, maniple.delayed(abs)(-2)):
        with pytest.raises(ValueError, match="persist"):
            maniple.wait(lazy)
    with pytest.raises(ValueError, match="FIRST_COMPLETED"):
        maniple.wait([late], return_when="FIRST_COMPLETED")


def test_arrays_become_pythons_and_numpys():
    x = da.arange(6, chunks=4)
    assert np.asarray(x).tolist() == list(range(6)) and np.array(x, dtype="float32").dtype == np.float32
    assert float(x[3]) == 3.0 and int(x[3]) == 3 and complex(x[1]) == 1 and [10, 20][x[1]] == 20
    assert bool(x[1]) and not bool(x[0]) and [int(item) for item in x] == list(range(6))
    assert x.sum() == 15
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)
    with pytest.raises(TypeError, match="one element"):
        float(x)
    assert (np.ndim(x), np.shape(x), np.size(x), np.size(x, 0), np.iscomplexobj(x)) == (1, (6,), 6, 6, False)
    assert np.result_type(x, np.float32) == np.float64 and np.ones_like(x).sum().compute() == 6
    with pytest.raises(TypeError):
        hash(x)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(x, copy=False)


def test_what_is_not_available_is_said(client):
    x = da.ones((4, 4), chunks=2)
    for wrong, error, words in [
        (lambda: da.zeros(3, dtype="longdouble"), TypeError, "elements is not available"),
        (lambda: da.from_array(np.array(["a"])), TypeError, "the element types are bool, uint8"),
        (lambda: np.add(x, 1, out=np.ones((4, 4))), TypeError, "out= takes an array"),
        (lambda: np.linalg.eig(x), TypeError, "numpy.linalg.eig is not available"),
        (lambda: np.kron(x, x), TypeError, "kron is not available"),
        (lambda: ~x, TypeError, "not supported"),
        (lambda: x & 1, TypeError, "not supported"),
        (lambda: x + da.ones(3, chunks=2), ValueError, r"could not be broadcast together with shapes \(4,4\) \(3,\)"),
        (lambda: x.reshape(5, 3), ValueError, r"cannot reshape an array of the shape \(4, 4\) into \(5, 3\)"),
        (lambda: da.concatenate([x, x[:, :2]]), ValueError, "do not fit"),
        (lambda: da.Array(), TypeError, "made by from_array"),
        (lambda: client.submit(np.sum, x), TypeError, "client.compute"),
    ]:
        with pytest.raises(error, match=words):
            wrong()


def test_the_words_of_the_library_print_nothing(capfd):
    """What Python has not found is an exception, not a panic."""
    with pytest.raises(ValueError, match="deviation"):
        da.random.normal(0, float("inf"), size=3)
    assert capfd.readouterr() == ("", "")


def test_arrays_of_two_clients_do_not_mix():
    x = da.ones(4, chunks=2)
    with maniple.Client(n_workers=1, set_as_default=True):
        y = da.ones(4, chunks=2)
        with pytest.raises(ValueError, match="different clients"):
            x + y
    with pytest.raises(maniple.RunError):
        y.compute()
    # The first client is the default one again for what follows.
    maniple._client._default = __import__("weakref").ref(x._client)


def test_ctrl_c_ends_a_wait():
    x = da.ones((2, 2), chunks=1).map_blocks(lambda block: (time.sleep(3), block)[1], dtype=float)
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        x.compute()
    assert time.monotonic() - start < 2.5
    timer.join()


PROGRAM = """
    import maniple, numpy as np
    import maniple.array as da

    maniple.initialize()
    client = maniple.Client(n_workers=2)
    x = da.random.default_rng(3).random((300, 200), chunks=(70, 50))
    y = da.from_array(np.arange(60_000.0).reshape(300, 200), chunks=(100, 60))
    print(x.sum().compute() > 0, x[::7, 3].compute().shape, (x + x.T[:1, :200]).shape)
    print(((x * 0 + y).T @ np.ones(300)).compute()[:2], np.asarray(y[y > 59_997]))
    print(y.map_blocks(lambda block: block // 7, dtype=float).max().compute())
    print(client.compute(y[:2, :2]).result().tolist(), maniple.compute(y.min(), y.argmax()))
    print(client.submit(lambda: float(da.ones((40, 40), chunks=10).sum().compute())).result())
    client.close()
"""
PRINTED = [
    "True (43,) (300, 200)",
    "[8970000. 8970300.] [59998. 59999.]",
    "8571.0",
    "[[0.0, 1.0], [200.0, 201.0]] (np.float64(0.0), np.int64(59999))",
    "1600.0",
]


@pytest.mark.parametrize("ranks", SIZES)
def test_a_program_prints_the_same_on_any_number_of_ranks(program, ranks):
    assert program(PROGRAM, ranks).check().lines() == PRINTED


@pytest.mark.parametrize("ranks", LAUNCHED[1:3])
def test_values_are_the_same_bits_on_any_number_of_ranks(program, ranks):
    text = """
        import maniple, hashlib
        import maniple.array as da
        maniple.initialize()
        client = maniple.Client(n_workers=2)
        x = da.random.default_rng(3).normal(size=(300, 200), chunks=(70, 50))
        results = maniple.compute(x.std(axis=0), (x @ x.T).sum(), da.cumsum(x, axis=1))
        print(hashlib.sha256(b"".join(result.tobytes() for result in results)).hexdigest())
        client.close()
    """
    assert program(text, ranks).check().out == program(text, 0).check().out


@pytest.mark.parametrize("ranks", FEW)
def test_a_failed_block_ends_the_program_with_its_traceback(program, ranks):
    ended = program(
        """
        import maniple
        import maniple.array as da
        maniple.initialize()
        client = maniple.Client(n_workers=2)
        def halve(block):
            return block / (0 * int(block.flat[0]) // 0)
        da.ones(4, chunks=2).map_blocks(halve, dtype=float).compute()
        """,
        ranks,
    )
    assert ended.status == 1 and "ZeroDivisionError" in ended.err and "in halve" in ended.err


def test_importing_arrays_starts_nothing(program):
    ended = program(
        """
        import threading
        import maniple.array as da
        print(threading.active_count(), da.normalize_chunks(4, (10,), float))
        """
    )
    assert ended.check().out == "1 ((4, 4, 2),)\n"


def test_arrays_without_a_client_have_a_run_of_this_process(program):
    ended = program("import maniple.array as da\nprint((da.ones((4, 4), chunks=2) + 1).sum().compute())")
    assert ended.check().out == "32.0\n"


@pytest.mark.parametrize("ranks", FEW)
def test_the_arrays_of_the_lesson(ranks, tmp_path):
    ended = run_file(EXAMPLES / "arrays.py", ranks, cwd=tmp_path).check()
    lines = ended.lines()
    assert lines[0].startswith("<Client: ")
    assert lines[1:4] == ["[ 1  4  7 10 13 16 19 22 25 28 31 34 37 40 43 46 49]", "(17,)", lines[3]]
    assert lines[3].startswith("maniple.array<arange, shape=(17,), dtype=int64, chunksize=(5,)")
    assert lines[4:8] == ["int64", "(17,)", "((5, 5, 5, 2),)", "(5,)"]
    assert lines[8:10] == [
        "[   1   16   49  100  169  256  361  484  625  784  961 1156 1369 1600",
        " 1849 2116 2401]",
    ]
    assert 0 < float(lines[10]) < 20 and lines[11] == "((10, 5), (5, 5, 5))" and 150 < float(lines[12]) < 300
    assert "<svg" in (tmp_path / "maniple.svg").read_text()


SMALL = ["int8", "int16", "uint16", "float16"]


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_small_types_have_the_functions_of_the_others(dtype, chunks):
    a = values(dtype)
    x = da.from_array(a, chunks=chunks)
    for function in [np.mean, np.var, np.std, np.median, np.cumsum, np.cumprod, np.sort, np.diff]:
        same(function(x, axis=1), function(a, axis=1))
    one = a.dtype.type(1)
    for function in [
        np.mean, np.round, np.ptp, np.square, lambda x: np.quantile(x, 0.3, axis=0), lambda x: x @ x.T, lambda x: x / 3,
        lambda x: np.where(x > 1, x, 0), lambda x: x + 1, lambda x: x * np.float32(0.5), lambda x: np.concatenate([x, x]),
        lambda x: x % 3, lambda x: x // 2, lambda x: np.minimum(x, one),
    ]:  # fmt: skip
        same(function(x), function(a))
    same(x.map_blocks(np.negative), -a)
    if dtype == "float16":
        for function in [np.nansum, np.nanmean, np.nanmax, np.nanvar, np.nancumsum]:
            same(function(x, axis=0), function(a, axis=0))
        for function in [np.sqrt, np.exp, np.isnan, np.floor]:
            same(function(x), function(a))
    else:
        same(x << 1, a << 1)
        same(np.bincount(abs(x).ravel()), np.bincount(abs(a).ravel()))
        largest = np.full(3, np.iinfo(dtype).max, dtype)
        same(da.from_array(largest, chunks=2) + one, largest + one)
