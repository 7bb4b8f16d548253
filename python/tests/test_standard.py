"""The array API standard: names and signatures of `array_api_strict`, and what differs from them."""

import inspect
import math
import types

import maniple
import maniple.array as da
import numpy as np
import pytest

from test_array import same

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")

# What differs, and why. A test fails if something else differs, and if something here does not.
DIFFERS = {
    "eye": "the second positional argument is chunks, as in Dask; pass M= for the number of columns",
    "meshgrid": "a list, as in Dask",
    "linalg.qr": "signature: of a matrix, and the reduced mode only",
    "linalg.svd": "full_matrices=False only, the default as in Dask",
    "linalg.cholesky": "signature: lower=False is the default, as in Dask, and upper= is not there",
    "linalg.eigh": "missing: no distributed algorithm",
    "linalg.eigvalsh": "missing: no distributed algorithm",
    "linalg.slogdet": "missing: the runtime has the determinant, not its logarithm",
    "linalg.solve": "a matrix, not a stack of matrices",
    "fft.fftfreq": "signature: no dtype=",
    "fft.rfftfreq": "signature: no dtype=",
}
# Of the package that checks arrays, not of the standard.
NOT_STANDARD = {
    "ArrayAPIStrictFlags", "Device", "get_array_api_strict_flags", "set_array_api_strict_flags", "__version__",
    "reset_array_api_strict_flags",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def client():
    with maniple.Client(n_workers=2, threads_per_worker=2) as client:
        yield client


def standard_names():
    for prefix, module in (("", strict), ("linalg.", strict.linalg), ("fft.", strict.fft)):
        for name in module.__all__:
            if name not in NOT_STANDARD:
                yield prefix + name


def found(module, name):
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def fits(own, due):
    """Whether a function takes what the standard's function takes: positional arguments, and keywords by name."""
    try:
        signature = inspect.signature(own)
    except ValueError:
        # Universal functions of older NumPy have none.
        return isinstance(own, np.ufunc)
    positional, keywords = [], {}
    for parameter in inspect.signature(due).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            positional.append(parameter.name)
        else:
            keywords[parameter.name] = None
    try:
        signature.bind(*positional, **keywords)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(standard_names()))
def test_names_and_signatures(name):
    due, own = found(strict, name), found(da, name)
    if DIFFERS.get(name, "").startswith("missing"):
        assert own is None
        return
    assert type(own) is type(due) or callable(own) or isinstance(own, types.ModuleType)
    if isinstance(due, types.FunctionType):
        is_same = not DIFFERS.get(name, "").startswith("signature")
        assert fits(own, due) == is_same, (inspect.signature(own), inspect.signature(due))


def test_what_differs_is_of_the_standard():
    assert set(DIFFERS) <= set(standard_names())


def test_methods_of_arrays():
    due = {name for name in dir(strict.asarray(1)) if name.startswith("__") or not name.startswith("_")}
    # In-place operators are the others and an assignment; DLPack and the buffer protocol need memory.
    missing = {name for name in due if not hasattr(da.Array, name)}
    assert missing <= {"__buffer__"} | {name for name in due if name.startswith("__i")}
    x = y = da.arange(4, chunks=3)
    x += 1
    same(x, np.arange(4) + 1)
    same(y, np.arange(4))


A = np.arange(12.0).reshape(3, 4)


def test_values():
    x = da.from_array(A, chunks=2)
    assert x.__array_namespace__() is da and x.device == "cpu" and x.to_device("cpu") is x
    for own, due in [
        (da.concat([x, x], axis=1), np.concatenate([A, A], 1)), (da.permute_dims(x, (1, 0)), A.T), (x.mT, A.T),
        (da.matrix_transpose(x), A.T), (da.astype(x, da.float32), A.astype("float32")), (da.pow(x, 2), A**2),
        (da.cumulative_sum(x, axis=1), A.cumsum(1)), (da.acos(x / 20), np.arccos(A / 20)),
        (da.cumulative_sum(x, axis=0, include_initial=True), np.concatenate([np.zeros((1, 4)), A.cumsum(0)])),
        (da.cumulative_prod(x[1], include_initial=True), np.concatenate([[1.0], A[1].cumprod()])),
        (da.take_along_axis(x, da.from_array(np.array([[1, 0], [2, 2], [3, 1]]), chunks=1), axis=1),
         np.take_along_axis(A, np.array([[1, 0], [2, 2], [3, 1]]), 1)),
        (da.std(x, axis=0, correction=1), A.std(0, ddof=1)), (da.var(x, correction=2), A.var(ddof=2)),
        (da.diff(x, prepend=0, append=x[:, :1]), np.diff(A, prepend=0, append=A[:, :1])),
        (da.sort(x, axis=1, descending=True), A[:, ::-1]), (x.astype(int) << 2, A.astype(int) << 2),
        (da.argsort(da.from_array(np.array([1, 2, 1, 2])), descending=True), np.array([1, 3, 0, 2])),
        (da.from_dlpack(A), A), (np.from_dlpack(x), A), (da.vecdot(x, x), (A * A).sum(1)),
        (da.linalg.cross(x[:, :3], x[:, 1:]), np.cross(A[:, :3], A[:, 1:])), (da.linalg.trace(x), np.trace(A)),
        (da.linalg.matrix_norm(x), np.linalg.norm(A)), (da.linalg.vector_norm(x, axis=0), np.linalg.norm(A, axis=0)),
        (da.linalg.vector_norm(x, keepdims=True), np.linalg.norm(A.ravel()).reshape(1, 1)),
        (da.linalg.svdvals(x), np.linalg.svd(A, compute_uv=False)), (da.linalg.matrix_rank(x), np.linalg.matrix_rank(A)),
        (da.linalg.pinv(x), np.linalg.pinv(A)), (da.linalg.matrix_power(x[:, :3], 5), np.linalg.matrix_power(A[:, :3], 5)),
        (da.linalg.matrix_power(x[:, :3], 0), np.eye(3)),
    ]:  # fmt: skip
        same(own, due)
    for own, due in zip(da.unstack(x, axis=1), A.T, strict=True):
        same(own, due)
    repeated = da.from_array(np.array([[3, 1], [1, 3]]), chunks=1)
    everything = da.unique_all(repeated)
    same(everything.values, np.array([1, 3]))
    same(everything.inverse_indices, np.array([[1, 0], [0, 1]]))
    same(da.unique_counts(repeated).counts, np.array([2, 2]))
    same(da.unique_inverse(repeated).inverse_indices, np.array([[1, 0], [0, 1]]))
    same(da.unique_values(repeated), np.array([1, 3]))
    assert da.isdtype(x.dtype, "real floating") and da.can_cast(x, da.complex128) and not da.can_cast(x, da.float32)
    for wrong, error, words in [
        (lambda: da.zeros(3, device="gpu"), ValueError, "no device 'gpu'"),
        (lambda: da.cumulative_sum(x), ValueError, "takes axis="),
        (lambda: da.asarray([1], copy=False), ValueError, "asarray copies"),
        (lambda: x[0].mT, ValueError, "two at least"),
    ]:
        with pytest.raises(error, match=words):
            wrong()


def test_the_namespace_describes_itself():
    own, due = da.__array_namespace_info__(), strict.__array_namespace_info__()
    assert own.capabilities().keys() == due.capabilities().keys() and own.default_device() == own.devices()[0] == "cpu"
    assert set(own.default_dtypes()) == set(due.default_dtypes())
    missing = set(due.dtypes()) - set(own.dtypes())
    assert not missing
    assert set(own.dtypes(kind="complex floating")) == {"complex64", "complex128"}
    assert math.isclose(da.pi, math.pi)
