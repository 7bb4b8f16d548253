"""Writes cases.json, what NumPy gives for many operations: python tests/numpy_cases/generate.py

Where Maniple means to differ there is no case: floats beyond a type's range saturate when they are
cast, and a negative power of an integer is 0 where NumPy refuses it.
"""

import json
import pathlib

import numpy as np

np.seterr(all="ignore")
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, -7.25, 1e300, -1e-300, np.inf, -np.inf, np.nan]
INTEGERS = {
    "int32": [0, 1, -1, 2, -3, 7, -8, 2**31 - 1, -(2**31)],
    "int64": [0, 1, -1, 2, -3, 7, -8, 2**63 - 1, -(2**63)],
    "uint8": [0, 1, 2, 3, 7, 128, 255],
    "uint32": [0, 1, 2, 3, 7, 2**31, 2**32 - 1],
    "uint64": [0, 1, 2, 3, 7, 2**63, 2**64 - 1],
}
ARITHMETIC = ["add", "subtract", "multiply", "floor_divide", "remainder", "minimum", "maximum"]
EXTREMES = ["minimum", "maximum", "fmin", "fmax"]
COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]


def words(array):
    array = np.asarray(array).ravel()
    if array.dtype.kind == "c":
        # Real and imaginary parts in turn.
        array = array.view(array.real.dtype)
    return [str(value) for value in array.tolist()]


def case(operation, array, result, **more):
    array, result = np.asarray(array), np.asarray(result)
    return {
        "operation": operation,
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "values": words(array),
        "result_dtype": str(result.dtype),
        "result_shape": list(result.shape),
        "result": words(result),
        **more,
    }


def binaries():
    for dtype, values in {"float64": FLOATS, **INTEGERS}.items():
        values = np.array(values, dtype)
        left, right = np.repeat(values, len(values)), np.tile(values, len(values))
        names = ARITHMETIC + COMPARISONS
        names += ["divide", "fmin", "fmax"] if dtype == "float64" else ["bitwise_and", "bitwise_or", "bitwise_xor"]
        for name in names:
            # Which of two zeros is the smaller one depends on NumPy's processor.
            kept = ~(np.signbit(left) & (left == 0) | np.signbit(right) & (right == 0)) if name in EXTREMES else ...
            yield case(name, left[kept], getattr(np, name)(left, right)[kept], right=words(right[kept]))
        if dtype != "float64":
            exponents = np.array([0, 1, 2, 3, 5], dtype)
            left, right = np.repeat(values, len(exponents)), np.tile(exponents, len(values))
            yield case("power", left, np.power(left, right), right=words(right))


def unaries():
    values = np.array(FLOATS)
    for name in ["sign", "rint", "floor", "ceil", "trunc", "absolute", "square", "isnan", "isinf", "isfinite"]:
        yield case(name, values, getattr(np, name)(values))
    for dtype, values in INTEGERS.items():
        values = np.array(values, dtype)
        for name in ["sign", "absolute", "square", "negative"]:
            yield case(name, values, getattr(np, name)(values))


def reductions():
    random = np.random.default_rng(1)
    arrays = [
        random.integers(-9, 9, (4, 5)).astype(float),
        random.integers(-9, 9, (3, 1, 4)).astype(float),
        np.array([[1.0, np.nan, 3.0], [np.inf, 2.0, 2.0]]),
        np.array([7.0]),
    ]
    arrays += [random.integers(-9, 9, (5, 3)).astype("int32"), random.integers(0, 9, (7,)).astype("uint8")]
    for array in arrays:
        for axis in [None, *range(array.ndim)]:
            for keep in [False, True]:
                for name in ["sum", "prod", "min", "max", "count_nonzero", "mean", "argmin", "argmax"]:
                    if name == "mean" and array.dtype != float:
                        continue
                    result = getattr(np, name)(array, axis=axis, keepdims=keep)
                    yield case(name, array, result, axis=axis, keep=keep)
                if array.dtype == float:
                    for name in ["var", "std"]:
                        for ddof in [0, 1]:
                            result = getattr(np, name)(array, axis=axis, keepdims=keep, ddof=ddof)
                            yield case(name, array, result, axis=axis, keep=keep, ddof=ddof)
                    for name in ["min", "max", "sum", "prod", "mean", "var", "std", "argmin", "argmax"]:
                        name = f"nan{name}"
                        yield case(name, array, getattr(np, name)(array, axis=axis, keepdims=keep), axis=axis, keep=keep)
        for axis in range(array.ndim):
            for name in ["cumsum", "cumprod", *(["nancumsum", "nancumprod"] if array.dtype == float else [])]:
                yield case(name, array, getattr(np, name)(array, axis=axis), axis=axis)
    empty = np.zeros((3, 0))
    for axis in [None, 0, 1]:
        for name in ["sum", "prod", "count_nonzero"]:
            yield case(name, empty, getattr(np, name)(empty, axis=axis), axis=axis, keep=False)


def slices():
    array = np.arange(15)
    for start, stop, step in [(None, None, -1), (12, 2, -3), (1, 14, 4), (-3, None, 1), (5, 5, 1), (20, 30, 1), (14, None, -5)]:
        # ndarray's ranges are from below to above, and a negative step turns them round.
        places = range(*slice(start, stop, step).indices(len(array)))
        low, high = (min(places), max(places) + 1) if places else (0, 0)
        yield case("slice", array, array[start:stop:step], low=low, high=high, step=step)


def transforms():
    random = np.random.default_rng(2)
    fft = np.fft
    for shape, axes in [((1,), [0]), ((8,), [0]), ((7,), [0]), ((4, 5), [0]), ((4, 5), [1]), ((3, 4, 2), [1]), ((4, 6), [0, 1])]:
        real = random.normal(size=shape)
        full = real + 1j * random.normal(size=shape)
        for array in [real, full]:
            yield case("fftn", array, fft.fftn(array, axes=axes), axes=axes)
            yield case("ifftn", array, fft.ifftn(array, axes=axes), axes=axes)
            yield case("fftshift", array, fft.fftshift(array, axes), axes=axes)
            yield case("ifftshift", array, fft.ifftshift(array, axes), axes=axes)
        yield case("rfftn", real, fft.rfftn(real, axes=axes), axes=axes)
        for length in [1, 4, 7, 12]:
            inner = fft.ifftn(full, axes=axes[:-1]) if len(axes) > 1 else full
            yield case("irfftn", full, fft.irfft(inner, length, axis=axes[-1]), axes=axes, length=length)
    for name in ["fftfreq", "rfftfreq"]:
        for length in [1, 2, 5, 8]:
            yield case(name, np.zeros(length), getattr(fft, name)(length, 0.3), spacing=0.3)


def order_and_frequency():
    random = np.random.default_rng(3)
    for dtype in ["int32", "int64", "uint8", "uint32", "uint64"]:
        array = random.integers(0, 9, (4, 5)).astype(dtype)
        for least in [0, 3, 20]:
            yield case("bincount", array, np.bincount(array.ravel().astype("int64"), minlength=least), least=least)
            weights = random.normal(size=array.shape).round(3)
            result = np.bincount(array.ravel().astype("int64"), weights.ravel(), least)
            yield case("bincount_weighted", array, result, least=least, weights=words(weights))
    ordered = np.array([-np.inf, -2.0, 0.0, 0.0, 0.0, 1.5, 1.5, 7.0, np.nan])
    values = np.array([-np.inf, -3.0, 0.0, 1.0, 1.5, 7.0, 8.0, np.inf, np.nan])
    for side in ["left", "right"]:
        yield case("searchsorted", ordered, np.searchsorted(ordered, values, side), right=words(values), side=side)


def spreads():
    random = np.random.default_rng(4)
    arrays = [random.normal(size=(4, 7)), random.normal(size=(3, 5)) + 1j * random.normal(size=(3, 5)), random.normal(size=(1, 4))]
    for array in arrays:
        for ddof in [0, 1, 2]:
            yield case("cov", array, np.atleast_2d(np.cov(array, ddof=ddof)), ddof=ddof)
        yield case("corrcoef", array, np.atleast_2d(np.corrcoef(array)))
    for array in arrays:
        for axis in [0, 1]:
            for order in [0, 1, 2, 3, -1, 0.5, "inf", "-inf"]:
                yield case("norm", array, np.linalg.norm(array, float(order), axis=axis), axis=axis, order=str(order))
        for keep in [False, True]:
            for order in [1, -1, 2, -2, "inf", "-inf", "fro", "nuc"]:
                given = order if order in ["fro", "nuc"] else float(order)
                yield case("norm", array, np.linalg.norm(array, given, keepdims=keep), axis=None, order=str(order), keep=keep)


if __name__ == "__main__":
    cases = [*binaries(), *unaries(), *reductions(), *slices(), *transforms(), *order_and_frequency(), *spreads()]
    path = pathlib.Path(__file__).with_name("cases.json")
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases)
    path.write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} cases of NumPy {np.__version__} in {path}")
