"""Masked arrays, compared with NumPy's."""

import gc

import maniple
import maniple.array as da
import numpy as np
import pytest

DTYPES = ["float64", "float32", "int32", "uint8", "int8", "complex128"]
REAL = DTYPES[:-1]
CHUNKS = [(2, 3), (4, 6), ((1, 3), (2, 0, 4))]
SHAPE = (4, 6)


@pytest.fixture(scope="module", autouse=True)
def client():
    with maniple.Client(n_workers=2, threads_per_worker=2, processes=False) as client:
        yield client
        gc.collect()


def pair(dtype, seed=3):
    """Elements, and a mask, which has one row that is true everywhere."""
    random = np.random.default_rng(seed)
    data = random.integers(0 if dtype.startswith("u") else -5, 6, SHAPE).astype(dtype)
    mask = random.random(SHAPE) < 0.4
    mask[1] = True
    return data, mask


def same(found, due):
    """The type, the mask, and the elements that count."""
    found = found.compute() if hasattr(found, "compute") else found
    assert found.dtype == due.dtype and found.shape == due.shape, (found.dtype, due.dtype, found.shape, due.shape)
    np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(due))
    is_narrow = due.dtype.name in ("float32", "complex64")
    counts = ~np.ma.getmaskarray(due)
    own, wanted = np.ma.getdata(found)[counts], np.ma.getdata(due)[counts]
    np.testing.assert_allclose(own, wanted, rtol=1e-6 if is_narrow else 1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_masked_arrays_are_made_and_filled(dtype, chunks):
    data, mask = pair(dtype)
    own = da.ma.masked_array(da.from_array(data, chunks), mask=da.from_array(mask, chunks), fill_value=3)
    due = np.ma.masked_array(data, mask=mask, fill_value=3)
    found = own.compute()
    assert isinstance(found, np.ma.MaskedArray) and found.fill_value == due.fill_value == own.fill_value
    same(found, due)
    for fill in (None, 7):
        np.testing.assert_array_equal(da.ma.filled(own, fill).compute(), np.ma.filled(due, fill))
    np.testing.assert_array_equal(da.ma.getdata(own).compute(), data)
    np.testing.assert_array_equal(da.ma.getmaskarray(own).compute(), mask)
    np.testing.assert_array_equal(own.compressed().compute(), due.compressed())
    da.ma.set_fill_value(own, 5)
    np.testing.assert_array_equal(own.filled().compute(), due.filled(5))
    same(own.persist(), due)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_elements_are_masked_by_conditions(dtype, chunks):
    data, mask = pair(dtype)
    x = da.from_array(data, chunks)
    names = ["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"]
    for name in names:
        same(getattr(da.ma, f"masked_{name}")(x, 2), getattr(np.ma, f"masked_{name}")(data, 2))
    for limits in [(1, 3), (3, 1)]:
        same(da.ma.masked_inside(x, *limits), np.ma.masked_inside(data, *limits))
        same(da.ma.masked_outside(x, *limits), np.ma.masked_outside(data, *limits))
    same(da.ma.masked_where(da.from_array(mask, chunks), x), np.ma.masked_where(mask, data))
    same(da.ma.masked_values(x, 2), np.ma.masked_values(data, 2))
    masked = da.ma.masked_array(x, mask=mask)
    same(da.ma.masked_less(masked, 1), np.ma.masked_less(np.ma.array(data, mask=mask), 1))
    assert da.ma.masked_equal(x, 2).fill_value == np.ma.masked_equal(data, 2).fill_value


def test_numbers_that_are_not_finite_are_masked():
    data = np.array([1.0, np.nan, np.inf, -2.0])
    x = da.from_array(data, 3)
    same(da.ma.masked_invalid(x), np.ma.masked_invalid(data))
    own, due = da.ma.fix_invalid(x, fill_value=8.0), np.ma.fix_invalid(data, fill_value=8.0)
    same(own, due)
    np.testing.assert_array_equal(own.data.compute(), due.data)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_reductions_leave_out_masked_elements(dtype, chunks):
    data, mask = pair(dtype)
    own = da.ma.masked_array(da.from_array(data, chunks), mask=mask)
    due = np.ma.masked_array(data, mask=mask)
    names = ["sum", "prod", "mean", "var", "std", "any", "all"] + (["min", "max"] if dtype in REAL else [])
    for name in names:
        for axis in [None, 0, 1, (0, 1)]:
            for keepdims in [False, True]:
                found, wanted = (getattr(each, name)(axis=axis, keepdims=keepdims) for each in (own, due))
                if np.asarray(wanted).dtype != found.dtype:
                    # NumPy divides sums of float32 by counts of int64, which gives float64.
                    assert dtype in ("float32", "complex64") and name in ("mean", "var", "std")
                    wanted = wanted.astype(found.dtype)
                same(found, np.ma.asanyarray(wanted))
    for axis in [None, 0, 1]:
        np.testing.assert_array_equal(da.ma.count(own, axis).compute(), np.ma.count(due, axis))
    same(np.sum(own, axis=1), np.sum(due, axis=1))
    assert da.ma.masked_array(da.ones(3, chunks=2), mask=True).sum().compute() is np.ma.masked


@pytest.mark.parametrize("dtype", ["float64", "int32", "complex128"])
def test_averages_have_weights(dtype):
    data, mask = pair(dtype)
    own, due = da.ma.masked_array(da.from_array(data, (2, 3)), mask=mask), np.ma.masked_array(data, mask=mask)
    weights = np.arange(1.0, 25.0).reshape(SHAPE)
    for axis in [None, 0, 1]:
        same(da.ma.average(own, axis), np.ma.asanyarray(np.ma.average(due, axis)))
        same(da.ma.average(own, axis, weights), np.ma.asanyarray(np.ma.average(due, axis, weights)))
    found, sums = da.ma.average(own, 1, weights[0], returned=True)
    wanted, wanted_sums = np.ma.average(due, 1, weights[0], returned=True)
    same(found, wanted)
    same(sums, np.ma.asanyarray(wanted_sums))


def test_operators_join_masks():
    (data, mask), (others, other_mask) = pair("float64"), pair("float64", 4)
    x, y = da.ma.masked_array(da.from_array(data, (2, 3)), mask=mask), da.ma.masked_array(others, mask=other_mask)
    a, b = np.ma.masked_array(data, mask=mask), np.ma.masked_array(others, mask=other_mask)
    for function in [
        lambda x, y: x + y, lambda x, y: x - 2, lambda x, y: 3 * y, lambda x, y: x / y, lambda x, y: 1 / x,
        lambda x, y: x // y, lambda x, y: x % y, lambda x, y: -x, lambda x, y: abs(x), lambda x, y: x > y,
        lambda x, y: x == y, lambda x, y: x**2, lambda x, y: x[1:, ::2], lambda x, y: x.T, lambda x, y: x.reshape(-1),
        lambda x, y: (x > 1) & (y > 1), lambda x, y: x + data, lambda x, y: x.data - y, lambda x, y: np.add(x.data, y),
        lambda x, y: x.data < y,
        lambda x, y: y[:, 0] * 2, lambda x, y: x.astype("int64"),
    ]:  # fmt: skip
        with np.errstate(all="ignore"):
            same(function(x, y), function(a, b))
    with np.errstate(all="ignore"):
        for name in ["sqrt", "log", "exp", "arcsin"]:
            same(getattr(np, name)(x), getattr(np.ma, name)(a))


def test_elements_are_chosen_and_found():
    data, mask = pair("int32")
    x, due = da.ma.masked_array(da.from_array(data, (2, 3)), mask=mask), np.ma.masked_array(data, mask=mask)
    same(da.ma.where(da.from_array(data > 0, (2, 3)), x, 9), np.ma.where(data > 0, due, 9))
    for own, wanted in zip(da.ma.nonzero(x), np.ma.nonzero(due)):
        np.testing.assert_array_equal(own.compute(), wanted)
    for name in ["ones_like", "zeros_like"]:
        same(getattr(da.ma, name)(x), getattr(np.ma, name)(due))
    assert da.ma.empty_like(x).shape == SHAPE


def test_masked_arrays_are_computed_together():
    x = da.ma.masked_greater(da.arange(6, chunks=2), 3)
    found, total = da.compute(x, x.sum())
    assert found.tolist() == [0, 1, 2, 3, None, None] and total == 6


def test_wrong_calls_say_so():
    x = da.arange(6, chunks=2)
    masked = da.ma.masked_equal(x, 1)
    with pytest.raises(np.ma.MaskError):
        da.ma.masked_array(x, mask=[True, False])
    with pytest.raises(IndexError):
        da.ma.masked_where(np.ones(3, bool), x)
    for function in (da.ma.masked_equal, da.ma.masked_values, da.ma.set_fill_value):
        with pytest.raises(ValueError):
            function(x, np.ones(6))
    with pytest.raises(TypeError, match="masked"):
        da.sort(masked)
    with pytest.raises(TypeError, match="masked"):
        np.linalg.norm(masked)
    with pytest.raises(TypeError):
        da.ma.MaskedArray()
