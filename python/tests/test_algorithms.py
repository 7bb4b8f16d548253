"""Functions that look at whole arrays, `linalg`, `fft` and files, compared with NumPy."""

import gc

import maniple
import maniple.array as da
import numpy as np
import pytest

# The results must not depend on them.
CHUNKS = [(7, 5), (3, 5), (2, 2), ((1, 6), 3)]
rng = np.random.default_rng(5)
MATRIX = rng.normal(size=(7, 5))
NUMBERS = rng.integers(0, 9, size=(7, 5))


@pytest.fixture(scope="module", autouse=True)
def client():
    with maniple.Client(n_workers=2, threads_per_worker=2, processes=False) as client:
        yield client
        gc.collect()


def same(found, due):
    if isinstance(found, da.Array):
        declared = (found.shape, found.dtype)
        found = found.compute()
        assert declared == (found.shape, found.dtype)
    found, due = np.asarray(found), np.asarray(due)
    assert (found.shape, found.dtype) == (due.shape, due.dtype)
    np.testing.assert_allclose(found, due, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_order(chunks):
    for a in (MATRIX, NUMBERS, NUMBERS.astype(np.float32), np.where(NUMBERS > 6, np.nan, MATRIX)):
        x = da.from_array(a, chunks=chunks)
        for axis in (0, 1, -1, None):
            same(da.sort(x, axis), np.sort(a, axis))
            same(np.argsort(x, axis), np.argsort(a, axis, kind="stable"))
        if not np.isnan(a).any():
            for axis in (0, -1):
                ascending = np.sort(a, axis)
                same(da.topk(x, 3, axis), np.take(np.flip(ascending, axis), range(3), axis))
                same(x.topk(-2, axis), np.take(ascending, range(2), axis))
                places = da.argtopk(x, 2, axis).compute()
                same(np.take_along_axis(a, places, axis), np.take(np.flip(ascending, axis), range(2), axis))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_sets(chunks):
    x, others = da.from_array(NUMBERS, chunks=chunks), np.array([3, 4, 4, 100])
    same(da.unique(x), np.unique(NUMBERS))
    found = da.unique(x, return_index=True, return_counts=True)
    for own, due in zip(found, np.unique(NUMBERS, return_index=True, return_counts=True)):
        same(own, due)
    values, inverse = (array.compute() for array in da.unique(x, return_inverse=True))
    np.testing.assert_array_equal(values[inverse.reshape(-1)], NUMBERS.reshape(-1))
    same(da.isin(x, others), np.isin(NUMBERS, others))
    same(da.isin(x, others, invert=True), np.isin(NUMBERS, others, invert=True))
    same(np.isin(x, [2.5, 3.0]), np.isin(NUMBERS, [2.5, 3.0]))
    for name in ("union1d", "intersect1d", "setdiff1d"):
        same(getattr(da, name)(x, others), getattr(np, name)(NUMBERS, others))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_counts(chunks):
    x, numbers = da.from_array(MATRIX, chunks=chunks), da.from_array(NUMBERS, chunks=chunks)
    edges = np.array([-1.0, 0.0, 0.25, 3.0])
    for right in (False, True):
        same(da.digitize(x, edges, right), np.digitize(MATRIX, edges, right))
        same(da.digitize(numbers, [1.0, 3.0], right), np.digitize(NUMBERS, [1.0, 3.0], right))
    same(da.bincount(numbers), np.bincount(NUMBERS.reshape(-1)))
    same(da.bincount(numbers, weights=x, minlength=20), np.bincount(NUMBERS.reshape(-1), MATRIX.reshape(-1), 20))
    for a, own in ((MATRIX, x), (NUMBERS, numbers)):
        for given in ({"bins": 5, "range": (-1, 2)}, {"bins": edges}, {"bins": [0, 4, 8]}):
            for more in ({}, {"density": True}, {"weights": MATRIX**2}):
                counts, found = da.histogram(own, **given, **more)
                due, due_edges = np.histogram(a, **given, **more)
                same(counts, due)
                same(found, np.asarray(due_edges, dtype=np.float64))
    holes = np.where(NUMBERS > 6, np.nan, MATRIX)
    same(da.histogram(da.from_array(holes, chunks=chunks), bins=edges)[0], np.histogram(holes, bins=edges)[0])
    ascending = np.sort(NUMBERS.reshape(-1))
    for side in ("left", "right"):
        own = da.searchsorted(da.from_array(ascending, chunks=4), numbers, side)
        same(own, np.searchsorted(ascending, NUMBERS, side))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_counts_of_points(chunks):
    x = da.from_array(MATRIX, chunks=chunks)
    first, second = MATRIX[:, 0], MATRIX[:, 1]
    for given in (
        {"bins": 4, "range": ((-1, 1), (-2, 2))},
        {"bins": ([-1.0, 0.0, 2.0], [-2.0, 0.5, 0.75, 3.0])},
    ):
        for more in ({}, {"density": True}, {"weights": first**2}):
            for own, due in zip(
                da.histogram2d(x[:, 0], x[:, 1], **given, **more), np.histogram2d(first, second, **given, **more)
            ):
                same(own, due)
    counts, edges = da.histogramdd(x[:, :3], bins=3, range=[(-1, 1)] * 3)
    due, due_edges = np.histogramdd(MATRIX[:, :3], bins=3, range=[(-1, 1)] * 3)
    same(counts, due)
    for own, other in zip(edges, due_edges):
        same(own, other)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_neighbours(chunks):
    x = da.from_array(MATRIX, chunks=chunks)

    def mean(block):
        return (np.roll(block, 1, 0) + block + np.roll(block, -2, 1)) / 3

    for kind, mode in (("reflect", "symmetric"), ("nearest", "edge"), ("periodic", "wrap"), (7.0, "constant")):
        more = {"constant_values": 7} if mode == "constant" else {}
        due = mean(np.pad(MATRIX, 2, mode, **more))[2:-2, 2:-2]
        same(da.map_overlap(mean, x, depth=2, boundary=kind, dtype=float), due)
        same(x.map_overlap(mean, depth={0: 1, 1: 2}, boundary=kind), due)
    wide = da.map_overlap(lambda block: block, x, depth=(1, 0), boundary={0: "periodic"}, trim=False)
    assert wide.shape == (7 + 2 * x.numblocks[0], 5)
    # Blocks at the ends have fewer neighbours.
    counted = da.map_overlap(lambda block: np.full_like(block, block.shape[0]), x, depth=(1, 0))
    sizes = [size + (place > 0) + (place < x.numblocks[0] - 1) for place, size in enumerate(x.chunks[0])]
    same(counted, np.repeat(np.repeat(np.array(sizes, float), x.chunks[0])[:, None], 5, axis=1))
    with pytest.raises(ValueError, match="boundary='mirror'"):
        da.map_overlap(mean, x, depth=1, boundary="mirror")


@pytest.mark.parametrize("chunks", CHUNKS)
def test_lines(chunks):
    x = da.from_array(MATRIX, chunks=chunks)
    for axis in (0, -1):
        for function in (np.sum, np.cumsum, lambda line: line[:2], lambda line: np.outer(line[:2], line[:3])):
            same(da.apply_along_axis(function, axis, x), np.apply_along_axis(function, axis, MATRIX))
    several = [0, 0.3, 1]
    for axis in (0, 1, None):
        same(da.quantile(x, several, axis), np.quantile(MATRIX, several, axis))
        same(da.percentile(x, [10, 90], axis, keepdims=True), np.percentile(MATRIX, [10, 90], axis, keepdims=True))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_statistics(chunks):
    x, weights = da.from_array(MATRIX, chunks=chunks), NUMBERS + 1.0
    same(da.cov(x), np.cov(MATRIX))
    same(da.cov(x, rowvar=False, bias=True), np.cov(MATRIX, rowvar=False, bias=True))
    same(da.cov(x[0], x[1]), np.cov(MATRIX[0], MATRIX[1]))
    same(da.corrcoef(x), np.corrcoef(MATRIX))
    for axis in (None, 0, 1):
        same(da.average(x, axis, weights), np.average(MATRIX, axis, weights))
        found = da.average(x, axis, weights, returned=True)[1]
        same(found, np.average(MATRIX, axis, weights, returned=True)[1])
        holes = np.where(NUMBERS > 6, np.nan, MATRIX)
        same(da.nanmedian(da.from_array(holes, chunks=chunks), axis), np.nanmedian(holes, axis))
    same(da.average(x, 1, [1, 2, 3, 4, 5]), np.average(MATRIX, 1, [1, 2, 3, 4, 5]))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_products_and_shapes(chunks):
    x = da.from_array(MATRIX, chunks=chunks)
    for subscripts in ("ij->ji", "ij,ij->i", "ij,kj->ik", "ij->"):
        operands = [MATRIX] * (1 + subscripts.count(","))
        same(da.einsum(subscripts, *[x] * len(operands)), np.einsum(subscripts, *operands))
    same(da.outer(x[0], x[1]), np.outer(MATRIX[0], MATRIX[1]))
    for mode in ("edge", "reflect", "symmetric", "wrap"):
        same(da.pad(x, ((2, 1), (0, 3)), mode), np.pad(MATRIX, ((2, 1), (0, 3)), mode))
    same(np.pad(x, 2), np.pad(MATRIX, 2))
    same(da.pad(x, (1, 2), constant_values=(7, 8)), np.pad(MATRIX, (1, 2), constant_values=(7, 8)))
    for k in range(-1, 4):
        same(da.rot90(x, k), np.rot90(MATRIX, k))
    same(da.fliplr(x), np.fliplr(MATRIX))
    same(da.flipud(x), np.flipud(MATRIX))
    same(da.indices((3, 4), chunks=2), np.indices((3, 4)))
    for indexing in ("xy", "ij"):
        for own, due in zip(
            da.meshgrid(x[0], x[:, 0], indexing=indexing), np.meshgrid(MATRIX[0], MATRIX[:, 0], indexing=indexing)
        ):
            same(own, due)
    for mode, keywords in [
        ("mean", {"stat_length": 2}), ("maximum", {}), ("minimum", {}), ("median", {}), ("linear_ramp", {"end_values": 7}),
        ("reflect", {"reflect_type": "odd"}), ("linear_ramp", {"end_values": ((1, 2), (3, 4))}),
    ]:  # fmt: skip
        same(da.pad(x, ((2, 1), (0, 3)), mode, **keywords), np.pad(MATRIX, ((2, 1), (0, 3)), mode, **keywords))
    with pytest.raises(ValueError, match="not supported"):
        da.pad(x, 1, "most")


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_linear_algebra(chunks, dtype):
    a = MATRIX.astype(dtype) * (1 + 0.5j if dtype == np.complex128 else 1)
    square = a[:5] + 4 * np.eye(5, dtype=dtype)
    definite = square @ square.conj().T
    x = da.from_array(a, chunks=chunks)
    s, p = (da.from_array(array, chunks=chunks[1]) for array in (square, definite))
    q, r = da.linalg.qr(x)
    same(q @ r, a)
    same(q.conj().T @ q, np.eye(5, dtype=dtype))
    u, values, v = da.linalg.svd(x)
    same(values, np.linalg.svd(a, compute_uv=False))
    same((u * values.astype(dtype)) @ v, a)
    _, largest, _ = da.linalg.svd_compressed(x, 3, n_power_iter=8, seed=1)
    np.testing.assert_allclose(largest.compute(), np.linalg.svd(a, compute_uv=False)[:3], rtol=1e-3)
    permutation, lower, upper = da.linalg.lu(s)
    same(permutation @ lower @ upper, square)
    same(da.linalg.inv(s), np.linalg.inv(square))
    same(np.linalg.det(s), np.linalg.det(square))
    right = a[:5, 0]
    same(da.linalg.solve(s, right), np.linalg.solve(square, right))
    same(da.linalg.solve(s, a[:5, :2]), np.linalg.solve(square, a[:5, :2]))
    same(da.linalg.solve_triangular(da.tril(s), right, lower=True), np.linalg.solve(np.tril(square), right))
    same(da.linalg.cholesky(p, lower=True), np.linalg.cholesky(definite))
    same(da.linalg.cholesky(p), np.linalg.cholesky(definite).conj().T)
    same(np.linalg.cholesky(p), np.linalg.cholesky(definite))
    solution, residuals, rank, singular = da.linalg.lstsq(x, a[:, :2] + 1)
    due = np.linalg.lstsq(a, a[:, :2] + 1)
    same(solution, due[0])
    same(residuals, due[1])
    same(singular, due[3])
    assert rank.compute() == due[2] == 5


@pytest.mark.parametrize("chunks", CHUNKS)
def test_norms(chunks):
    x = da.from_array(MATRIX, chunks=chunks)
    for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        same(da.linalg.norm(x, order), np.linalg.norm(MATRIX, order))
    for order in (None, 0, 1, 2, 3, np.inf, -np.inf):
        for axis in (0, 1):
            for keep in (False, True):
                same(np.linalg.norm(x, order, axis, keep), np.linalg.norm(MATRIX, order, axis, keep))
    with pytest.raises(ValueError, match="3 axes"):
        da.linalg.qr(da.ones((2, 2, 2)))


@pytest.mark.parametrize("chunks", CHUNKS)
def test_fourier_transforms(chunks):
    for a in (MATRIX, MATRIX + 1j * NUMBERS):
        x = da.from_array(a, chunks=chunks)
        for norm in (None, "ortho", "forward"):
            for n in (None, 3, 6):
                for axis in (0, -1):
                    for name in ("fft", "ifft", "irfft"):
                        own = getattr(da.fft, name)(x, n, axis, norm)
                        same(own, getattr(np.fft, name)(a, n, axis, norm))
            for name in ("fftn", "ifftn", "fft2", "ifft2", "irfft2", "irfftn"):
                same(getattr(da.fft, name)(x, norm=norm), getattr(np.fft, name)(a, norm=norm))
        same(np.fft.fftshift(x), np.fft.fftshift(a))
        same(da.fft.ifftshift(x, 1), np.fft.ifftshift(a, 1))
    x = da.from_array(MATRIX, chunks=chunks)
    same(da.fft.rfft(x), np.fft.rfft(MATRIX))
    same(np.fft.rfft2(x, (4, 8)), np.fft.rfft2(MATRIX, (4, 8)))
    same(da.fft.rfftn(x), np.fft.rfftn(MATRIX))
    for n in (4, 5):
        same(da.fft.fftfreq(n, 0.5, chunks=2), np.fft.fftfreq(n, 0.5))
        same(da.fft.rfftfreq(n), np.fft.rfftfreq(n))
    with pytest.raises(ValueError, match="Invalid norm value"):
        da.fft.fft(x, norm="none")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "complex128"])
def test_files(tmp_path, dtype):
    a = (NUMBERS - 2).astype(dtype)
    x = da.from_array(a, chunks=(3, 2))
    da.to_zarr(x, tmp_path / "x.zarr")
    back = da.from_zarr(tmp_path / "x.zarr")
    assert back.chunks == x.chunks
    same(back, a)
    same(da.from_zarr(str(tmp_path), component="x.zarr", chunks=4), a)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        x.to_zarr(tmp_path / "x.zarr")
    (back[:2] + back[:2]).to_zarr(tmp_path / "x.zarr", overwrite=True)
    same(da.from_zarr(tmp_path / "x.zarr"), a[:2] + a[:2])
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
    da.to_npy(x, tmp_path / "x.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), a)
    same(da.from_npy(tmp_path / "x.npy", chunks=3), a)
    with pytest.raises(FileNotFoundError, match="is no Zarr array"):
        da.from_zarr(tmp_path)
    with pytest.raises(NotImplementedError, match="not addresses"):
        da.from_zarr("s3://bucket/x")
