"""Functions of arrays that NumPy or Python functions make of blocks, compared with NumPy."""

import gc
import inspect

import maniple
import maniple.array as da
import numpy as np
import pytest

from conftest import FEW
from test_array import CHUNKS, SHAPE, same

A = np.arange(24.0).reshape(SHAPE)
I = (A * 7 % 5).astype(int)  # noqa: E741
N = np.where(A % 7 == 2, np.nan, A)


@pytest.fixture(scope="module", autouse=True)
def client():
    with maniple.Client(n_workers=2, threads_per_worker=2) as client:
        yield client
        gc.collect()


def same_all(found, due):
    """One result, or several."""
    if isinstance(due, (tuple, list)):
        assert len(found) == len(due)
        for own, other in zip(found, due):
            same(own, other)
    else:
        same(found, due)


# Of the module, floats, integers, and floats with NaN.
CASES = {
    "angle": lambda m, a, i, n: m.angle(a + 1j * a),
    "append": lambda m, a, i, n: [m.append(a, a), m.append(a, i, 1)],
    "apply_over_axes": lambda m, a, i, n: m.apply_over_axes(m.sum, a, [0, 1]),
    "argwhere": lambda m, a, i, n: m.argwhere(i),
    "atleast": lambda m, a, i, n: [m.atleast_1d(a[0, 0]), m.atleast_2d(a[0]), m.atleast_3d(a), m.atleast_3d(a[0])],
    "block": lambda m, a, i, n: [m.block([[a, i], [i, a]]), m.block([a[0], i[0]]), m.block(a)],
    "broadcast_arrays": lambda m, a, i, n: m.broadcast_arrays(a, i[0]),
    "choose": lambda m, a, i, n: [m.choose(i % 3, [a, a + 1, i]), m.choose(i, [a, i], mode="clip")],
    "compress": lambda m, a, i, n: [m.compress([True, False, True], a, 0), m.compress([False, True], a)],
    "delete": lambda m, a, i, n: [m.delete(a, [1, -1], 1), m.delete(a, slice(1, 3)), m.delete(a, 2, 0)],
    "diag": lambda m, a, i, n: [m.diag(a[0], -2), m.diag(a[0], 1), m.diag(a, 2)],
    "diagonal": lambda m, a, i, n: [m.diagonal(m.stack([a, a]), k, 2, 0) for k in (-2, 0, 1)],
    "dstack": lambda m, a, i, n: [m.dstack([a, i]), m.dstack([a[0], i[0]])],
    "ediff1d": lambda m, a, i, n: [m.ediff1d(a), m.ediff1d(a, to_end=[1, 2], to_begin=-9)],
    "einsum": lambda m, a, i, n: [m.einsum("ij->j", i), m.einsum("i...,i...", a, a), m.einsum("ij,kj->", i, i)],
    "extract": lambda m, a, i, n: m.extract(i > 2, a),
    "fix": lambda m, a, i, n: m.fix(a / 3),
    "flatnonzero": lambda m, a, i, n: m.flatnonzero(i),
    "gradient": lambda m, a, i, n: [*m.gradient(a**2), m.gradient(a, 2.0, axis=1, edge_order=2)],
    "gradient of points": lambda m, a, i, n: m.gradient(a, [0, 1, 5, 6], axis=0),
    "i0": lambda m, a, i, n: m.i0(a),
    "insert": lambda m, a, i, n: [m.insert(a, [1, 3], 9, 1), m.insert(a, 2, np.arange(6), 0), m.insert(i, [0, -1], 1)],
    "isreal": lambda m, a, i, n: [m.isreal(a), m.iscomplex(a + 1j * i)],
    "infinities": lambda m, a, i, n: [m.isneginf(a - np.inf), m.isposinf(a)],
    "nan_to_num": lambda m, a, i, n: m.nan_to_num(n, nan=-1),
    "nanargmax": lambda m, a, i, n: [m.nanargmax(n), m.nanargmax(n, axis=1), m.nanargmin(n, axis=0)],
    "nanquantile": lambda m, a, i, n: [m.nanquantile(n, 0.3), m.nanpercentile(n, [10, 50], axis=1)],
    "piecewise": lambda m, a, i, n: m.piecewise(a, [a < 3, a > 9], [-1, lambda v: v * 2, 7]),
    "quantile": lambda m, a, i, n: [m.quantile(a, [[0.1, 0.4]], axis=0), m.quantile(a, 0.4, (0, 1), method="lower")],
    "ravel_multi_index": lambda m, a, i, n: m.ravel_multi_index((i, i[0]), (6, 7)),
    "rollaxis": lambda m, a, i, n: [m.rollaxis(a[None], 2, 0), m.rollaxis(a[None], 0, 3)],
    "select": lambda m, a, i, n: m.select([a < 3, a > 9], [i, a * 2], -1),
    "sinc": lambda m, a, i, n: m.sinc(a / 7),
    "tile": lambda m, a, i, n: [m.tile(a, (2, 1, 3)), m.tile(a, 2), m.tile(a[0], (2, 0))],
    "trace": lambda m, a, i, n: [m.trace(a), m.trace(m.stack([a, a]), 1, 1, 2)],
    "tri": lambda m, a, i, n: [m.tri(4, 5, 1), m.tri(3, dtype=int), *m.tril_indices(4, 1), *m.triu_indices_from(a, 1)],
    "unravel_index": lambda m, a, i, n: [*m.unravel_index(i, (2, 3)), *m.unravel_index(i, (2, 3), order="F")],
    "vdot": lambda m, a, i, n: [m.vdot(a, a), m.vdot(a + 1j, a)],
    "copysign": lambda m, a, i, n: [m.copysign(a, -1), m.signbit(-a), m.spacing(a), m.nextafter(a, 1e9)],
    "fmod": lambda m, a, i, n: [m.fmod(a, 3), m.logaddexp2(a, i), np.heaviside(a - 3, 0.5), np.gcd(i, 6)],
    "shifts": lambda m, a, i, n: [m.left_shift(i, 2), m.right_shift(i, 1), m.bitwise_not(i)],
    "ldexp": lambda m, a, i, n: m.ldexp(a, i.astype("int32")),
    "frexp": lambda m, a, i, n: [*m.frexp(a), *m.modf(a / 3)],
    "outer of a function": lambda m, a, i, n: np.subtract.outer(a, i[0]),
    "running functions": lambda m, a, i, n: [np.add.accumulate(a), np.multiply.accumulate(i, 1)],
    "dtype of a function": lambda m, a, i, n: [np.add(i, i, dtype=float), np.multiply(a, i, dtype="float32")],
    "complex": lambda m, a, i, n: [np.sign(a + 1j), np.log2(a + 1j), np.maximum(a + 1j, a)],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_functions(name):
    case = CASES[name]
    due = case(np, A, I, N)
    for chunks in CHUNKS:
        same_all(case(da, *(da.from_array(each, chunks=chunks) for each in (A, I, N))), due)


def test_numpys_functions_take_arrays():
    x = da.from_array(A, chunks=(2, 4))
    for found, due in [
        (np.tile(x, 2), np.tile(A, 2)), (np.select([x > 3], [x]), np.select([A > 3], [A])),
        (np.insert(x, 1, 5, 0), np.insert(A, 1, 5, 0)), (np.angle(x * 1j), np.angle(A * 1j)),
        (np.nanpercentile(x, 3), np.nanpercentile(A, 3)), (np.fft.hfft(x), np.fft.hfft(A)),
        (np.fft.ihfft(x, norm="ortho"), np.fft.ihfft(A, norm="ortho")),
    ]:  # fmt: skip
        assert isinstance(found, da.Array)
        same(found, due)


def test_what_functions_refuse():
    x = da.from_array(A, chunks=2)
    for wrong, error, words in [
        (lambda: da.delete(x, 9, 0), IndexError, "out of bounds"),
        (lambda: da.insert(x, 9, 0, 0), IndexError, "out of bounds"),
        (lambda: da.rollaxis(x, 0, 5), ValueError, "no place among 2 axes"),
        (lambda: da.coarsen(np.sum, x, {0: 3}), ValueError, "do not align"),
        (lambda: da.moment(x, -1), ValueError, "Order must be"),
        (lambda: da.select([x], [x]), TypeError, "booleans"),
        (lambda: da.unify_chunks(x, "i"), ValueError, "1 labels are given for an array with 2 axes"),
        (lambda: da.random.poisson(-1, size=3), ValueError, "lam < 0"),
        (lambda: da.reduction(x, np.sum, np.sum), ValueError, "pass dtype="),
        (lambda: da.block((x, x)), TypeError, "no tuples"),
        (lambda: da.einsum("ii", x[:, :4].astype(int)), NotImplementedError, "twice"),
    ]:
        with pytest.raises(error, match=words):
            wrong()


# Functions of blocks


def test_functions_of_many_arrays_of_many_types():
    x, y = da.from_array(A, chunks=(2, 4)), da.from_array(I[0], chunks=3)
    mask, column = da.from_array(A > 3, chunks=2), da.from_array(A[:, :1].astype("float32"), chunks=2)
    chosen = da.map_blocks(lambda m, p, q, r, s: np.where(m, p + q, r) * s, mask, x, y, column, 2)
    same(chosen, np.where(A > 3, A + I[0], A[:, :1].astype("float32")) * 2)
    five = da.map_blocks(lambda *blocks: sum(blocks), x, x + 1, y, x.T.T, column[0], dtype=float)
    same(five, A + A + 1 + I[0] + A + 0)
    same(da.map_blocks(np.add, x[:, :0], y[:0].astype("uint8"), dtype=float), A[:, :0])


def test_blocks_know_their_location():
    x, y = da.from_array(A, chunks=((1, 3), (2, 4))), da.from_array(I[0], chunks=3)
    ids = x.map_blocks(lambda block, block_id=None: np.full(block.shape, 10 * block_id[0] + block_id[1]), dtype=int)
    same(ids, np.repeat(np.repeat([[0, 1], [10, 11]], [1, 3], 0), [2, 4], 1))
    # The arrays are cut alike before: into 2, 1 and 3 columns.
    pair = da.map_blocks(lambda p, q, block_id: p + q + 100 * block_id[1], x, y)
    same(pair, A + I[0] + 100 * np.repeat([0, 1, 2], [2, 1, 3]))
    found = {}

    def look(block, block_info):
        own, out = block_info[0], block_info[None]
        return block + own["array-location"][0][0] + 10 * out["chunk-location"][1] + out["chunk-shape"][0]

    same(x.map_blocks(look), A + [[1], [4], [4], [4]] + np.repeat([0, 10], [2, 4]))
    made = da.map_blocks(
        lambda block_info: np.full(block_info[None]["chunk-shape"], 7.0), chunks=((2, 1), (3,)), dtype=float
    )
    same(made, np.full((3, 3), 7.0))
    dropped = x.map_blocks(lambda block, block_id: block.sum(1) + block_id[0], drop_axis=1)
    same(dropped, A.sum(1) + [0, 1, 1, 1])
    assert not found


def test_blockwise():
    x, y = da.from_array(A, chunks=(2, 4)), da.from_array(I, chunks=3)
    same(da.blockwise(np.dot, "ij", x, "ik", y.T, "kj", concatenate=True, dtype=float), A @ I.T)
    lists = da.blockwise(lambda ps, qs: sum(p @ q for p, q in zip(ps, qs)), "ij", x, "ik", y.T, "kj", dtype=float)
    same(lists, A @ I.T)
    nested = da.blockwise(
        lambda rows: np.array(sum(block.sum() for row in rows for block in row)), "", x, "ij", dtype=float
    )
    same(nested, A.sum())
    same(da.blockwise(lambda p, n: p * n, "ji", x, "ji", 3, None), A * 3)
    wide = da.blockwise(lambda p: np.repeat(p, 2, 1), "ij", x, "ij", adjust_chunks={"j": lambda size: 2 * size})
    same(wide, np.repeat(A, 2, 1))
    new = da.blockwise(lambda p: np.stack([p, p]), "kij", x, "ij", new_axes={"k": 2})
    same(new, np.stack([A, A]))
    chunks, (p, q) = da.unify_chunks(x, "ij", y, "ij")
    assert chunks == {"i": (2, 1, 1), "j": (3, 1, 2)} and p.chunks == q.chunks
    with pytest.raises(NotImplementedError, match="new axis 'k' of 2 blocks"):
        da.blockwise(np.add, "kij", x, "ij", new_axes={"k": (1, 1)}, dtype=float)


@pytest.mark.parametrize("split_every", [2, 3, {0: 2, 1: 2}, None])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_reductions_with_python_functions(axis, split_every):
    x = da.from_array(A, chunks=1)
    for keepdims in (False, True):
        total = da.reduction(x, np.sum, np.sum, axis, keepdims, float, split_every)
        same(total, A.sum(axis=axis, keepdims=keepdims))
    parts = da.reduction(x, np.sum, lambda blocks, axis, keepdims: _total(blocks, axis, keepdims), axis, dtype=float,
                         split_every=split_every, concatenate=False)  # fmt: skip
    same(parts, A.sum(axis=axis))
    multiply = lambda p, w, axis, keepdims: (p * w).sum(axis, keepdims=keepdims)  # noqa: E731
    weighted = da.reduction(x, multiply, np.sum, axis, dtype=float, weights=np.arange(6))
    same(weighted, (A * np.arange(6)).sum(axis))


def _total(blocks, axis, keepdims):
    """The sum of nested lists of blocks."""
    while isinstance(blocks, list):
        blocks = np.concatenate(blocks, axis=axis[0]) if isinstance(blocks[0], np.ndarray) else sum(blocks, [])
    return blocks.sum(axis=axis, keepdims=keepdims)


def test_a_reduction_is_a_tree():
    """No task gets more blocks than it may."""
    x = da.ones(64, chunks=1)

    def largest(block, axis, keepdims):
        assert block.shape[0] <= 4
        return block.sum(axis=axis, keepdims=keepdims)

    same(da.reduction(x, np.sum, largest, dtype=float, split_every=4), np.float64(64))


def test_generalised_functions():
    x = da.from_array(A, chunks=(2, -1))
    mean, std = da.apply_gufunc(lambda p: (p.mean(-1), p.std(-1)), "(i)->(),()", x)
    same(mean, A.mean(-1))
    same(std, A.std(-1))
    same(da.apply_gufunc(lambda p: p.sum(-1, keepdims=True) * [1, 2], "(i)->(k)", x, output_sizes={"k": 2}),
         A.sum(-1, keepdims=True) * [1, 2])  # fmt: skip
    same(da.apply_gufunc(np.inner, "(i),(i)->()", x, A[0], output_dtypes=float), A @ A[0])
    same(da.apply_gufunc(np.sum, "(i)->()", x.rechunk((2, 3)), axis=0, allow_rechunk=True, vectorize=True), A.sum(0))
    same(da.apply_gufunc(lambda p: p.max(-1), "(i)->()", x, keepdims=True), A.max(-1, keepdims=True))

    @da.as_gufunc("(i),(i)->(i)", output_dtypes=float)
    def plus(p, q):
        return p + q

    same(plus(x, x[0]), A + A[0])
    for wrong, words in [
        (lambda: da.apply_gufunc(np.sum, "(i)", x), "Not a valid gufunc signature"),
        (lambda: da.apply_gufunc(np.sum, "(i),(j)->()", x), "requires 2 arguments"),
        (lambda: da.apply_gufunc(np.sum, "(i)->()", x.rechunk(2)), "multiple chunks"),
        (lambda: da.apply_gufunc(np.add, "(i),(i)->(i)", x, x[:, :2]), "has the lengths 6 and 2"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()


def test_neighbours_of_several_arrays():
    for chunks in (2, (4, 3)):
        x, y = da.from_array(A, chunks=chunks), da.from_array(I[0], chunks=3)

        def smooth(p, q):
            return (p + np.roll(p, 1, -1) + np.roll(p, -1, -1)) / 3 + q

        found = da.map_overlap(smooth, x, y, depth=1, boundary="periodic")
        same(found, (A + np.roll(A, 1, 1) + np.roll(A, -1, 1)) / 3 + I[0])
        sums = da.map_overlap(lambda p: p + np.roll(p, 1, 0), x, depth={0: (1, 0)}, boundary="none", dtype=float)
        same(sums[1:], A[1:] + A[:-1])
        same(da.overlap.trim_overlap(da.overlap.overlap(x, 1, "reflect"), 1, "reflect"), A)
        for window, axis in [((2, 3), None), (3, 1), ((2, 2), (0, 0)), (4, 0)]:
            due = np.lib.stride_tricks.sliding_window_view(A, window, axis)
            if len(np.atleast_1d(axis)) == 2:
                continue
            same(da.overlap.sliding_window_view(x, window, axis), due)
    mixed = da.map_overlap(lambda p, q: p[..., 1:-1] + q, x, x, depth=[{1: 1}, 0], boundary="nearest", trim=False,
                           chunks=x.chunks, dtype=float)  # fmt: skip
    same(mixed, A + A)


def test_groups_and_points():
    for chunks in CHUNKS:
        x, n = da.from_array(A, chunks=chunks), da.from_array(N, chunks=chunks)
        same(da.coarsen(np.sum, x, {0: 2, 1: 3}), A.reshape(2, 2, 2, 3).sum((1, 3)))
        same(da.coarsen(np.max, x, {1: 4}, trim_excess=True), A[:, :4].max(1, keepdims=True))
        same(
            da.push(n, axis=1),
            np.where(np.isnan(N), np.roll(N, 1, 1), N) * np.where(np.isnan(N[:, :1]) & (A == A[:, :1]), np.nan, 1),
        )
        same(da.shuffle(x, [[3, 1], [0]], 0), A[[3, 1, 0]])
        same(x.vindex[[0, 1, 3], [2, 2, 5]], A[[0, 1, 3], [2, 2, 5]])
        same(x.vindex[1:, [[2, 0]]], np.moveaxis(A[1:, [[2, 0]]], 0, -1))
        same(da.moment(x, 3, axis=0), ((A - A.mean(0)) ** 3).mean(0))
        same(da.isnull(n), np.isnan(N))
        same(da.notnull(da.from_array(I, chunks=chunks)), np.ones(SHAPE, bool))
        same(x.view("int64"), A.view("int64"))
        same(x.view("uint8"), A.view("uint8"))


def test_blocks():
    x = da.from_array(A, chunks=((1, 3), (2, 4)))
    same(x.blocks[1], A[1:])
    same(x.blocks[0, 1:], A[:1, 2:])
    same(x.blocks[[1, 0]], A[[1, 2, 3, 0]])
    assert x.blocks[[1, 0]].chunks == ((3, 1), (2, 4)) and x.blocks.shape == (2, 2)
    assert [block.shape for block in x.blocks.ravel()] == [(1, 2), (1, 4), (3, 2), (3, 4)]
    values = x.to_delayed()
    assert values.shape == (2, 2)
    np.testing.assert_array_equal(values[1, 0].compute(), A[1:, :2])
    with pytest.raises(IndexError):
        x.blocks[2]


# Other sources and targets


class Counted:
    """An object that is sliced, as a file is."""

    shape, dtype, ndim = SHAPE, A.dtype, 2

    def __getitem__(self, key):
        return A[key]


def test_other_sources(client, tmp_path):
    same(da.from_array(Counted(), chunks=(3, 2)), A)
    same(
        da.fromfunction(lambda p, q: p * 10 + q, shape=(4, 5), chunks=3),
        np.fromfunction(lambda p, q: p * 10 + q, (4, 5)),
    )
    calls = [maniple.delayed(np.full)((2, 3), n) + 1 for n in range(3)]
    joined = da.concatenate([da.from_delayed(call, (2, 3), float) for call in calls])
    same(joined, np.repeat([1.0, 2, 3], 2)[:, None] * np.ones((1, 3)))
    same(da.from_delayed(client.submit(np.ones, 3), (3,), float), np.ones(3))
    same(da.from_delayed(maniple.delayed(np.negative)(da.ones(3, chunks=2)), (3,), float), -np.ones(3))
    with pytest.raises(maniple.TaskError, match="shape"):
        da.from_delayed(maniple.delayed(np.ones)(4), (3,), float).compute()
    x = da.from_array(A, chunks=(2, 4))
    da.to_npy_stack(tmp_path / "stack", x, axis=1)
    same(da.from_npy_stack(tmp_path / "stack"), A)
    assert sorted(path.name for path in (tmp_path / "stack").iterdir()) == ["0.npy", "1.npy", "info"]


def test_store():
    x = da.from_array(A, chunks=(2, 4))
    whole, part = np.zeros(SHAPE), np.zeros((8, 20))
    assert (
        da.store(
            [x, x + 1], [whole, part], regions=[None or (slice(None), slice(None)), (slice(1, 5), slice(2, 14, 2))]
        )
        is None
    )
    np.testing.assert_array_equal(whole, A)
    np.testing.assert_array_equal(part[1:5, 2:14:2], A + 1)
    assert part.sum() == (A + 1).sum()
    later = (x * 2).store(whole, compute=False)
    np.testing.assert_array_equal(whole, A)
    later.compute()
    np.testing.assert_array_equal(whole, A * 2)
    same(da.store(x, whole, return_stored=True), A)
    with pytest.raises(ValueError, match="number of sources"):
        da.store([x], [whole, whole])


def test_results_in_arrays_that_are_there():
    x = da.from_array(A, chunks=(2, 4))
    y = x.copy()
    assert np.add(x, 1, out=y) is y
    same(y, A + 1)
    same(x, A)
    np.add(x, 5, out=y, where=x > 3)
    same(y, np.where(A > 3, A + 5, A + 1))
    np.clip(x, 3, 9, out=y)
    same(y, A.clip(3, 9))
    for wrong, error, words in [
        (lambda: np.add(x, 1, out=y[0]), ValueError, "the result has"),
        (lambda: np.add(x, 1, out=y.astype(int)), TypeError, "cannot cast"),
        (lambda: np.add(x, 1, where=x > 3), TypeError, "together with out="),
    ]:
        with pytest.raises(error, match=words):
            wrong()


# Random numbers

PARAMETERS = {
    "hypergeometric": (5, 6, 3), "triangular": (0, 1, 2), "binomial": (5, 0.4), "negative_binomial": (5, 0.4),
    "geometric": (0.4,), "logseries": (0.4,), "zipf": (3.0,), "noncentral_f": (2, 3, 1), "f": (2, 9), "pareto": (9.0,),
    "standard_t": (9,), "wald": (1.0, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", da.random._DISTRIBUTIONS)
def test_distributions(name):
    signature = inspect.signature(getattr(da.random.Generator, name))
    count = sum(parameter.default is parameter.empty for parameter in signature.parameters.values()) - 1
    given = PARAMETERS.get(name, (2.0,) * count)
    draw = lambda seed: getattr(da.random.default_rng(seed), name)(*given, size=(40, 50), chunks=(20, 25))  # noqa: E731
    x = draw(5)
    first = x.compute()
    assert first.dtype == x.dtype and np.array_equal(first, draw(5).compute())
    # Blocks differ from each other, and from those of another seed.
    assert not np.array_equal(first[:20, :25], first[20:, 25:]) and not np.array_equal(first, draw(6).compute())
    other = getattr(da.random.default_rng(5), name)(*given, size=(40, 50), chunks=(7, 50))
    assert np.array_equal(first, other.compute()), "elements do not depend on chunks"
    if name != "standard_cauchy":
        due = getattr(np.random.default_rng(1), name)(*given, size=20_000)
        assert abs(first.mean() - due.mean()) < 6 * due.std() / 2000**0.5, (first.mean(), due.mean())
    assert getattr(da.random, name)(*given, size=4, chunks=3).compute().shape == (4,)


def test_parameters_that_are_arrays_and_choices():
    rng = da.random.default_rng(3)
    drawn = rng.poisson(np.array([1, 100, 10_000]), size=(500, 3), chunks=(250, 2)).compute()
    np.testing.assert_allclose(drawn.mean(0), [1, 100, 10_000], rtol=0.2)
    np.testing.assert_allclose(rng.normal(da.arange(3, chunks=2) * 100, 1).compute(), [0, 100, 200], atol=7)
    assert (rng.integers(np.array([0, 10]), np.array([1, 11]), size=(4, 2), chunks=2).compute() == [0, 10]).all()
    counts = rng.multinomial(10, [0.2, 0.8], size=(60,), chunks=25)
    assert counts.shape == (60, 2) and (counts.compute().sum(1) == 10).all()
    kinds = rng.multivariate_hypergeometric([3, 4], 2, size=5, chunks=3)
    assert kinds.dtype == np.int64 and (kinds.compute().sum(1) == 2).all()
    chosen = rng.choice(5, size=200, p=[0, 0.5, 0, 0.5, 0], chunks=70).compute()
    assert set(chosen.tolist()) == {1, 3}
    different = rng.choice(np.arange(10) * 10, size=6, replace=False, chunks=4)
    assert different.chunks == ((4, 2),) and len(set(different.compute().tolist())) == 6
    assert set(da.random.RandomState(1).choice([3, 4], size=40, chunks=9).compute().tolist()) == {3, 4}
    assert rng.choice(A, size=(2, 3), axis=1, chunks=2).shape == (4, 2, 3)


PROGRAM = """
    import maniple, numpy as np
    import maniple.array as da

    maniple.initialize()
    client = maniple.Client(n_workers=2)
    x = da.random.default_rng(3).gamma(2.0, size=(60, 40), chunks=(20, 15))
    y = x.map_blocks(lambda block, block_id: block + block_id[0], dtype=float)
    z = da.map_blocks(lambda p, q, r, s: p * q + r - s, x, y > 2, y, x.astype("float32"))
    total = da.reduction(z, np.sum, np.sum, axis=0, dtype=float, split_every=2)
    print(total.compute().round(9).tolist())
    client.close()
"""


@pytest.mark.parametrize("ranks", FEW)
def test_the_number_of_ranks_changes_nothing(program, ranks):
    assert program(PROGRAM, ranks).check().out == program(PROGRAM, 0).check().out


def test_faults_that_were_found():
    """By the tests that come with Dask."""
    x, n = da.from_array(A, chunks=(2, 4)), da.from_array(N, chunks=(2, 4))
    same(np.roll(x, (1, 2)), np.roll(A, (1, 2)))
    same(da.nancumsum(n, axis=1, dtype=int), np.nancumsum(N, axis=1, dtype=int))
    same(np.add.outer(x, x[0], dtype="float32"), np.add.outer(A, A[0], dtype="float32"))
    same(x.mean(dtype=int), A.mean(dtype=int))
    same(np.corrcoef(x[:, :2], rowvar=False), np.corrcoef(A[:, :2], rowvar=False))
    cube = np.stack([A[:3, :3] ** 2 + np.eye(3)] * 3)
    same(da.apply_gufunc(np.linalg.det, "(n,n)->()", da.from_array(cube, chunks=(2, 3, 3))), np.linalg.det(cube))
    deep = da.from_array(np.stack([A, A + 1, A + 2]), chunks=(1, 2, 3))
    dropped = da.map_overlap(lambda p: p.mean(0), deep, depth=(0, 1, 2), boundary="reflect", drop_axis=0, dtype=float)
    same(dropped, A + 1)
    weights = np.arange(1.0, 7.0)
    named = {"axis": 1, "weights": weights, "method": "inverted_cdf"}
    same(da.quantile(x, 0.3, **named), np.quantile(A, 0.3, **named))
    same(da.quantile(x, da.from_array(np.array([0.1, 0.5])), axis=0), np.quantile(A, [0.1, 0.5], axis=0))
    with pytest.raises(TypeError, match="masked arrays"):
        da.from_array(np.ma.masked_less(A, 3))
    with pytest.raises(ValueError, match="Duplicate axes"):
        da.fft.fftn(x, axes=(0, 0))
