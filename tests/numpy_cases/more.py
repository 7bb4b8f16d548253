"""Cases of the functions that are made of others, of random places, of transforms with options, and of matrices."""

import itertools

import numpy as np
import scipy.linalg
import scipy.special
import scipy.stats

import families
import programs
from families import ALL, COMPLEXES, FLOATS, INTEGERS, NUMBERS, ORDERED, REALS, entry, ordinary, specials

METHODS = """inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen weibull linear
    median_unbiased normal_unbiased lower higher midpoint nearest""".split()
PADS = ["constant", "edge", "reflect", "symmetric", "wrap"]


def transform(of, numbers, words):
    """One axis, its length or -1, and the scaling."""
    axis, length = numbers
    return getattr(np.fft, words[0])(of[0], None if length < 0 else length, axis=axis, norm=words[1])


def transforms(of, numbers, words):
    half = len(numbers) // 2
    return getattr(np.fft, words[0])(of[0], numbers[half:], axes=numbers[:half], norm=words[1])


def pad(of, numbers, words):
    counts = list(zip(numbers[::2], numbers[1::2]))
    more = {"constant_values": 7} if words[0] == "constant" else {}
    return np.pad(of[0], counts, mode=words[0], **more)


def coarsen(x, factors):
    shape = [part for length, factor in zip(x.shape, factors) for part in (length // factor, factor)]
    return x.reshape(shape).sum(axis=tuple(range(1, 2 * x.ndim, 2)), dtype=x.dtype)


def histogramdd(of, numbers, words):
    ranges = [(float(words[2 * place]), float(words[2 * place + 1])) for place in range(len(numbers))]
    points = of[: len(numbers)]
    weights = of[len(numbers)].ravel() if len(of) > len(numbers) else None
    counts, edges = np.histogramdd([each.ravel() for each in points], numbers, ranges, weights=weights)
    return [counts if weights is not None else counts.astype("int64"), *edges]


def set_mask(x, condition, value):
    result = x.copy()
    result[np.broadcast_to(condition, x.shape)] = np.broadcast_to(value, x.shape)[np.broadcast_to(condition, x.shape)]
    return result


def hermitian(x):
    """The matrix that `eigh` reads: the lower triangle, and the real part of the diagonal."""
    below = np.tril(x, -1)
    return below + below.conj().T + np.diag(np.diag(x).real).astype(x.dtype)


def masked(of, numbers, words):
    """A reduction of a masked array: what its elements are, with 0 for masked ones, and its mask."""
    axis, ddof = numbers
    more = {"ddof": ddof} if words[0] in ("var", "std") else {}
    result = getattr(np.ma.array(of[0], mask=of[1]), words[0])(axis=axis, **more)
    # NumPy divides sums of float32 by counts of int64, which gives float64.
    dtype = "float32" if of[0].dtype == "float32" or of[0].dtype == "complex64" and more else result.dtype
    dtype = "complex64" if of[0].dtype == "complex64" and not more else dtype
    return [np.ma.filled(result, 0).astype(dtype), np.ma.getmaskarray(result)]


def binary_pair(function):
    return lambda of, numbers, words: list(function(of[0], of[1]))


def unary_pair(function):
    return lambda of, numbers, words: list(function(of[0]))


programs.OPERATIONS.update(
    {
        **{name: programs.unary(getattr(np, name)) for name in ["signbit", "i0", "angle", "ediff1d", "atleast_3d"]},
        **{name: programs.unary(getattr(np, name)) for name in ["bitwise_not", "atleast_1d", "atleast_2d"]},
        **{
            name: programs.binary(getattr(np, name))
            for name in """left_shift right_shift fmod copysign nextafter logaddexp2 heaviside float_power
            ldexp""".split()
        },
        "modf": unary_pair(np.modf),
        "frexp": unary_pair(np.frexp),
        "divmod": binary_pair(np.divmod),
        "transform": transform,
        "transforms": transforms,
        **{
            name: lambda of, numbers, words, function=getattr(np, name): function(of)
            for name in ["dstack", "column_stack", "hstack", "vstack"]
        },
        "flip_axes": lambda of, numbers, words: np.flip(of[0], numbers),
        "roll_axes": lambda of, numbers, words: np.roll(of[0], numbers[::2], numbers[1::2]),
        "roll_axis": lambda of, numbers, words: np.rollaxis(of[0], *numbers),
        "insert": lambda of, numbers, words: np.insert(of[0], numbers[1:], of[1], axis=numbers[0]),
        "pad_axes": pad,
        "meshgrid": lambda of, numbers, words: list(np.meshgrid(*of, indexing=words[0])),
        "indices": lambda of, numbers, words: list(np.indices(numbers)),
        "tri": lambda of, numbers, words: np.tri(*numbers),
        "tril_indices": lambda of, numbers, words: list(np.tril_indices(numbers[0], numbers[2], numbers[1])),
        "triu_indices": lambda of, numbers, words: list(np.triu_indices(numbers[0], numbers[2], numbers[1])),
        "unravel_index": lambda of, numbers, words: list(np.unravel_index(of[0], numbers)),
        "ravel_multi_index": lambda of, numbers, words: np.ravel_multi_index(of, numbers),
        "choose": lambda of, numbers, words: np.choose(of[0], of[1:], mode="clip"),
        "select_first": lambda of, numbers, words: np.select(of[1::2], of[2::2], of[0]),
        "set_mask": lambda of, numbers, words: set_mask(*of),
        "take_points": lambda of, numbers, words: of[0][tuple(np.array(numbers[1:]).reshape(numbers[0], -1))],
        "quantiles": lambda of, numbers, words: np.quantile(
            of[0], [float(word) for word in words[1:]], axis=numbers[0], method=words[0]
        ).astype(of[0].dtype),
        "nanquantiles": lambda of, numbers, words: np.nanquantile(
            of[0], [float(word) for word in words[1:]], axis=numbers[0], method=words[0]
        ),
        "histogramdd": histogramdd,
        "moment": lambda of, numbers, words: scipy.stats.moment(of[0], numbers[1], axis=numbers[0]),
        "diff_n": lambda of, numbers, words: np.diff(of[0], numbers[1], axis=numbers[0]),
        "gradient_spaced": lambda of, numbers, words: np.gradient(of[0], float(words[0]), axis=numbers[0]),
        "gradient_at": lambda of, numbers, words: np.gradient(of[0], of[1], axis=numbers[0]),
        "cumsum_flat": lambda of, numbers, words: np.cumsum(of[0]),
        "cumprod_flat": lambda of, numbers, words: np.cumprod(of[0]),
        "coarsen": lambda of, numbers, words: coarsen(of[0], numbers),
        "masked": masked,
        "masked_count": lambda of, numbers, words: np.ma.array(of[0], mask=of[1]).count(axis=numbers[0]),
        "eigvalsh": programs.unary(np.linalg.eigvalsh),
        "eigh_product": programs.unary(hermitian),
        "eigh_gram": programs.unary(lambda x: np.eye(len(x), dtype=x.dtype)),
        "pinv": lambda of, numbers, words: np.linalg.pinv(of[0], rtol=None),
        "matrix_power": lambda of, numbers, words: np.linalg.matrix_power(of[0], numbers[0]),
        "expm": programs.unary(scipy.linalg.expm),
    }
)


def elementwise(random):
    for dtype in INTEGERS:
        x = specials(dtype)
        yield entry(f"bitwise_not {dtype}", [x], ("bitwise_not", [0]), variants=2)
        bits = 8 * np.dtype(dtype).itemsize
        places = np.array([0, 1, 7, bits - 1, bits, bits + 1, 100] + ([-1] if dtype[0] == "i" else []), dtype)
        for name in ["left_shift", "right_shift"]:
            yield entry(f"{name} {dtype}", [x[:, None], places], (name, [0, 1]), variants=2)
    for dtype in ORDERED:
        x = specials(dtype)
        yield entry(f"fmod {dtype}", [x[:, None], x], ("fmod", [0, 1]))
        x = ordinary(random, dtype, (3, 5))
        yield entry(f"divmod {dtype}", [x, x[:1] + np.ones(1, dtype)], ("divmod", [0, 1]), variants=2)
    for dtype in REALS:
        x = specials(dtype)
        for name in ["signbit", "modf", "frexp"]:
            yield entry(f"{name} {dtype}", [x], (name, [0]), variants=2)
        for name in ["copysign", "nextafter"]:
            yield entry(f"{name} {dtype}", [x[:, None], x], (name, [0, 1]))
        for name in ["logaddexp2", "heaviside"]:
            yield entry(f"{name} {dtype}", [x[:, None], x], (name, [0, 1]), tolerance={"ulp": 4})
        exponents = np.array([0, 1, -1, 60, -60, 2000, -2000, 140, -140], "int32")
        yield entry(f"ldexp {dtype}", [x[:, None], exponents], ("ldexp", [0, 1]))
        wide = np.concatenate([x[np.abs(x) < 1e10], np.linspace(-30, 30, 61)]).astype(dtype)
        yield entry(f"i0 {dtype}", [wide], ("i0", [0]), tolerance={"ulp": 8}, variants=2)
        x = np.abs(ordinary(random, dtype, (4, 4), "normal"))
        y = ordinary(random, dtype, (4, 4), "normal")
        yield entry(f"float_power {dtype}", [x, y], ("float_power", [0, 1]), tolerance={"ulp": 4})
    # NumPy's angle of uint8 is a float16.
    for dtype in [each for each in NUMBERS if each != "uint8"]:
        x = ordinary(random, dtype, (3, 4))
        yield entry(f"angle {dtype}", [x], ("angle", [0]), tolerance={"ulp": 2}, variants=2)


def spreads(random):
    for dtype in ["bool"] + INTEGERS + COMPLEXES:
        for shape in [(5,), (3, 4), (1, 3), (0, 3), (2, 3, 2)]:
            x = ordinary(random, dtype, shape)
            for name, ddof in itertools.product(["var", "std"], [0, 1]):
                axes = [int(random.integers(2)), 0, int(random.integers(len(shape)))]
                tolerance = {"ulp": 16} if dtype != "complex64" else {"near": 1e-4}
                yield entry(f"{name} {dtype}", [x], (name, [0], axes, [ddof]), tolerance=tolerance)
                yield entry(f"{name} {dtype}", [x], (name, [0], [0, 1], [ddof]), tolerance=tolerance)
    for dtype in NUMBERS:
        x = ordinary(random, dtype, (4, 5))
        for axis, order in itertools.product([0, 1], [1, 2, 3, 4]):
            if dtype in REALS + INTEGERS:
                tolerance = {"near": 1e-9 if dtype != "float32" else 2e-3}
                yield entry(f"moment {dtype}", [x], ("moment", [0], [axis, order]), tolerance=tolerance)


def fourier(random):
    for dtype in FLOATS:
        tolerance = {"near": 64 * float(np.finfo(dtype).eps)}
        for shape, norm in itertools.product([(8,), (5, 6)], ["backward", "ortho", "forward"]):
            x = ordinary(random, dtype, shape, "normal")
            for axis, length in itertools.product(range(len(shape)), [-1, 1, 4, 7, 12]):
                names = ["fft", "ifft"] + (["rfft", "ihfft"] if dtype in REALS else ["irfft", "hfft"])
                for name in names:
                    step = ("transform", [0], [axis, length], [name, norm])
                    yield entry(f"{name} with options {dtype}", [x], step, tolerance=tolerance, variants=2)
            if len(shape) == 2:
                names = ["fftn", "ifftn"] + (["rfftn"] if dtype in REALS else ["irfftn"])
                for name, lengths in itertools.product(names, [(5, 6), (3, 9), (7, 4)]):
                    step = ("transforms", [0], [0, 1, *lengths], [name, norm])
                    yield entry(f"{name} with options {dtype}", [x], step, tolerance=tolerance, variants=2)


def arrangements(random):
    for dtype in ["float64", "int32", "complex64"]:
        for shapes in [[(), ()], [(3,), (3,)], [(2, 3), (2, 3)], [(2, 3, 2), (2, 3, 1)]]:
            given = [ordinary(random, dtype, shape) for shape in shapes]
            for name in ["dstack", "column_stack", "hstack", "vstack"]:
                yield entry(f"{name} {dtype}", given, (name, [0, 1]), variants=2)
        for shape in [(), (4,), (2, 3), (2, 3, 2)]:
            x = ordinary(random, dtype, shape)
            for name in ["atleast_1d", "atleast_2d", "atleast_3d", "ediff1d", "cumsum_flat", "cumprod_flat"]:
                if dtype == "complex64" and name.startswith("cum") or dtype == "int32" and name == "cumprod_flat":
                    continue
                yield entry(f"{name} {dtype}", [x], (name, [0]), variants=2)
        x = ordinary(random, dtype, (4, 5, 3))
        yield entry(f"flip_axes {dtype}", [x], ("flip_axes", [0], [0, 2]), variants=2)
        yield entry(f"roll_axes {dtype}", [x], ("roll_axes", [0], [2, 0, -4, 1]), variants=2)
        for axis, start in itertools.product(range(3), range(4)):
            yield entry(f"roll_axis {dtype}", [x], ("roll_axis", [0], [axis, start]))
        for shape, axis, places, values in [
            ((5,), 0, [2], (1,)),
            ((5,), 0, [0, 5, 5, 1], (4,)),
            ((5,), 0, [1, 3], ()),
            ((3, 4), 1, [4, 2], (3, 2)),
            ((3, 4), 0, [1, 1, 0], (3, 1)),
            ((0,), 0, [0, 0], (2,)),
        ]:
            given = [ordinary(random, dtype, shape), ordinary(random, dtype, values)]
            yield entry(f"insert {dtype}", given, ("insert", [0, 1], [axis, *places]), variants=2)
        for name, (shape, counts) in itertools.product(
            PADS, [((5,), [2, 3]), ((5,), [12, 17]), ((1,), [3, 2]), ((3, 4), [1, 2, 5, 0]), ((0,), [0, 0]), ((0,), [1, 0])]
        ):
            x = ordinary(random, dtype, shape)
            yield entry(f"pad_axes {name} {dtype}", [x], ("pad_axes", [0], counts, [name]), variants=2)
        for indexing, lengths in itertools.product(["xy", "ij"], [(3,), (3, 4), (2, 3, 4), (0, 2)]):
            given = [ordinary(random, dtype, (length,)) for length in lengths]
            yield entry(f"meshgrid {dtype}", given, ("meshgrid", range(len(given)), [], [indexing]), variants=2)
        for shape, factors in [((6,), [2]), ((4, 6), [2, 3]), ((4, 6), [4, 1]), ((0, 4), [2, 2])]:
            x = ordinary(random, dtype, shape)
            yield entry(f"coarsen {dtype}", [x], ("coarsen", [0], factors), variants=3)
    for dtype in FLOATS:
        eps = float(np.finfo(dtype).eps)
        for shape in [(2,), (5,), (3, 4)]:
            x = ordinary(random, dtype, shape, "normal")
            for axis in range(len(shape)):
                real = np.dtype(dtype).type(0).real.dtype
                steps = (random.integers(1, 9, shape[axis]) / 2).cumsum().astype(real)
                tolerance = {"near": 64 * eps}
                step = ("gradient_spaced", [0], [axis], [0.25])
                yield entry(f"gradient_spaced {dtype}", [x], step, tolerance=tolerance, variants=2)
                step = ("gradient_at", [0, 1], [axis])
                yield entry(f"gradient_at {dtype}", [x, steps], step, tolerance=tolerance, variants=2)
    for count, shape in itertools.product([0, 1, 2, 5], [(4,), (3, 4)]):
        x = ordinary(random, "int64", shape)
        yield entry("diff_n int64", [x], ("diff_n", [0], [len(shape) - 1, count]))


def places(random):
    for shape in [(3,), (2, 3), (2, 3, 2), (0, 3)]:
        yield entry("indices", [], ("indices", [], shape), variants=2)
        if 0 in shape:
            continue
        size = int(np.prod(shape))
        index = random.integers(0, size, (3, 2))
        yield entry("unravel_index", [index], ("unravel_index", [0], shape), variants=2)
        given = [random.integers(0, length, 5) for length in shape]
        yield entry("ravel_multi_index", given, ("ravel_multi_index", range(len(shape)), shape), variants=2)
    for rows, columns, diagonal in itertools.product([0, 1, 4], [0, 3, 5], [0, 1, -2, 9, -9]):
        yield entry("tri", [], ("tri", [], [rows, columns, diagonal]))
        for name in ["tril_indices", "triu_indices"]:
            yield entry(name, [], (name, [], [rows, columns, diagonal]))
    for dtype in ["float64", "uint8", "complex128"]:
        which = random.integers(-2, 6, (3, 4))
        choices = [ordinary(random, dtype, shape) for shape in [(3, 4), (4,), (3, 1), ()]]
        yield entry(f"choose {dtype}", [which, *choices], ("choose", range(5)), variants=2)
        yield entry(f"choose {dtype}", [which, choices[1]], ("choose", range(2)), variants=2)
        conditions = [random.random((3, 4)) < 0.4 for _ in range(2)]
        given = [choices[1], conditions[0], choices[0], conditions[1], choices[2]]
        yield entry(f"select_first {dtype}", given, ("select_first", range(5)), variants=2)
        x = ordinary(random, dtype, (3, 4))
        for value in choices:
            yield entry(f"set_mask {dtype}", [x, conditions[0], value], ("set_mask", [0, 1, 2]), variants=2)
        x = ordinary(random, dtype, (3, 4, 5))
        for axes, count in itertools.product([1, 2, 3], [1, 4, 7]):
            lists = [random.integers(0, length, count) for length in x.shape[:axes]]
            step = ("take_points", [0], [axes, *np.concatenate(lists)])
            yield entry(f"take_points {dtype}", [x], step, variants=2)


def several(random):
    quantiles = [0, 0.1, 0.25, 0.5, 0.6, 0.75, 1]
    for dtype, method, shape in itertools.product(REALS, METHODS, [(1,), (4,), (9,), (3, 5), (2, 6, 3)]):
        x = ordinary(random, dtype, shape)
        tolerance = {"ulp": 16} if dtype == "float64" else {"near": 1e-5}
        for axis in range(len(shape)):
            step = ("quantiles", [0], [axis], [method, *quantiles])
            yield entry(f"quantiles {method} {dtype}", [x], step, tolerance=tolerance, variants=2)
    for method, shape in itertools.product(["linear", "hazen", "lower"], [(9,), (3, 5)]):
        x = families.with_specials(random, "float64", shape, "nan")
        step = ("nanquantiles", [0], [0], [method, *quantiles])
        yield entry(f"nanquantiles {method}", [x], step, tolerance={"ulp": 16}, variants=2)
    for dtype, shape in itertools.product(["float64", "int32", "float32"], [(30,), (5, 6), (0,)]):
        given = [ordinary(random, dtype, shape) for _ in range(3)]
        weights = ordinary(random, "float64", shape)
        for count, with_weights in itertools.product([1, 2, 3], [False, True]):
            arrays = given[:count] + ([weights] if with_weights else [])
            words = [-4, 5, -3.7, 4.1, 0, 0.7][: 2 * count]
            step = ("histogramdd", range(len(arrays)), [3, 4, 2][:count], words)
            yield entry(f"histogramdd {dtype}", arrays, step, variants=2)


def matrices(random):
    for dtype in FLOATS:
        scale = {"near": 2e-3 if dtype in ("float32", "complex64") else 1e-9}
        for size in [1, 2, 5]:
            x = ordinary(random, dtype, (size, size), "normal")
            for name in ["eigvalsh", "eigh_product", "eigh_gram"]:
                yield entry(f"{name} {dtype}", [x], (name, [0]), tolerance=scale, variants=2)
            for power in [0, 1, 2, 5, -1, -2]:
                well = x / 8 + np.eye(size, dtype=dtype)
                step = ("matrix_power", [0], [power])
                tolerance = {"near": 1e-2 if dtype in ("float32", "complex64") else 1e-9}
                yield entry(f"matrix_power {dtype}", [well], step, tolerance=tolerance, variants=2)
            for factor in [0, 1e-3, 1, 3]:
                tolerance = {"near": 1e-1 if dtype in ("float32", "complex64") else 1e-8}
                given = (x * factor).astype(dtype)
                yield entry(f"expm {dtype}", [given], ("expm", [0]), tolerance=tolerance, variants=2)
        for shape in [(1, 1), (5, 3), (3, 5), (4, 4), (0, 3)]:
            x = ordinary(random, dtype, shape, "normal")
            yield entry(f"pinv {dtype}", [x], ("pinv", [0]), tolerance=scale, variants=2)
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    yield entry("pinv of a singular matrix", [singular], ("pinv", [0]), tolerance={"near": 1e-12})


def masks(random):
    for dtype, shape in itertools.product(["float64", "float32", "int32", "uint8", "complex128"], [(1, 6), (4, 5), (2, 3, 4)]):
        tolerance = {"near": 1e-3 if dtype == "float32" else 1e-9}
        for axis in range(len(shape)):
            x, mask = ordinary(random, dtype, shape), random.random(shape) < 0.5
            # One lane has no element that counts.
            np.moveaxis(mask, axis, 0)[(slice(None), *[0] * (len(shape) - 1))] = True
            names = ["sum", "prod", "mean", "var", "std"] + (["min", "max"] if dtype in ORDERED else [])
            for name, ddof in [*((name, 0) for name in names), ("var", 2)]:
                step = ("masked", [0, 1], [axis, ddof], [name])
                yield entry(f"masked {name} {dtype}", [x, mask], step, tolerance=tolerance, variants=2)
            yield entry(f"masked count {dtype}", [x, mask], ("masked_count", [0, 1], [axis]), variants=2)


FAMILIES = [elementwise, spreads, fourier, arrangements, places, several, matrices, masks]
