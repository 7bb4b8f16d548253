"""Cases of single operations: grids of shapes, axes, types and special values."""

import itertools

import numpy as np

from programs import number_of, run

REALS = ["float32", "float64"]
COMPLEXES = ["complex64", "complex128"]
FLOATS = REALS + COMPLEXES
INTEGERS = ["uint8", "uint32", "uint64", "int32", "int64"]
NUMBERS = INTEGERS + FLOATS
ORDERED = INTEGERS + REALS
ALL = ["bool"] + NUMBERS
SHAPES = [(), (1,), (5,), (0,), (3, 4), (1, 3), (3, 1), (0, 3), (3, 0), (1, 1), (2, 3, 2), (2, 1, 3)]


def words_of(array):
    array = np.asarray(array)
    dtype = array.dtype
    array = np.ravel(array)
    if dtype.kind == "c":
        array = array.view(array.real.dtype)
    if dtype.kind == "b":
        return " ".join("1" if each else "0" for each in array)
    if dtype.kind in "iu":
        return " ".join(map(str, array.tolist()))
    return " ".join(np.format_float_scientific(each, trim="-") for each in array)


def table_of(array):
    array = np.ascontiguousarray(array).reshape(np.shape(array))
    return {"data_type": str(array.dtype), "shape": list(array.shape), "words": words_of(array)}


def entry(name, inputs, *steps, tolerance="exact", variants=1, meant=None):
    """A row of the table; `meant` is (row of the list of differences, results)."""
    steps = [(*step, (), ())[:4] if len(step) < 4 else step for step in steps]
    inputs = [np.asarray(each) for each in inputs]
    row = {
        "name": name,
        "inputs": [table_of(each) for each in inputs],
        "steps": [
            {"operation": operation, "of": list(of), "numbers": [int(n) for n in numbers], "words": [str(w) for w in words]}
            for operation, of, numbers, words in steps
        ],
        "results": [],
        "tolerance": tolerance,
        "variants": variants,
    }
    try:
        row["results"] = [table_of(each) for each in run(inputs, steps)]
    except (ValueError, IndexError, np.linalg.LinAlgError, OverflowError) as error:
        row["error"] = str(error)
    if meant is not None:
        row["meant"] = {"row": meant[0], "results": [table_of(each) for each in meant[1]]}
    return row


def specials(dtype):
    """Numbers at the ends and in the middle of a type."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        values = [0, 1, 2, 3, 7, 100, info.max, info.max - 1]
        values += [-1, -2, -7, info.min, info.min + 1] if dtype.kind == "i" else [info.max // 2 + 1]
        return np.array(values, dtype)
    info = np.finfo(dtype)
    real = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, info.max, -info.max, info.tiny, info.smallest_subnormal]
    real += [info.max**0.75, -info.tiny**0.75, np.inf, -np.inf, np.nan]
    if dtype.kind == "f":
        return np.array(real, dtype)
    parts = [0.0, -0.0, 1.0, -2.5, info.max, info.tiny, np.inf, np.nan]
    return np.array([complex(a, b) for a in parts for b in parts], dtype)


def ordinary(random, dtype, shape=(), kind="small"):
    """Numbers of which sums are exact, or (`normal`) are not."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return random.integers(0 if dtype.kind == "u" else -9, 10, shape).astype(dtype)
    real = lambda: random.integers(-9, 10, shape) / 2 if kind != "normal" else random.normal(size=shape)
    values = real() + 1j * real() if dtype.kind == "c" else real()
    return np.asarray(values).astype(dtype)


def with_specials(random, dtype, shape, kind):
    values = np.array(ordinary(random, dtype, shape, kind))
    if values.size and np.dtype(dtype).kind in "fc" and kind in ("nan", "inf", "zero"):
        choice = {"nan": [np.nan], "inf": [np.inf], "zero": [-0.0]}[kind]
        places = random.random(shape) < (1.1 if kind == "zero" else 0.4)
        values = np.where(places, random.choice(choice), values).astype(dtype)
    return values


def pieces(values, size=8):
    return [values[start : start + size] for start in range(0, len(values), size)]


# Elementwise operations.

EXACT = "negative square isnan isinf isfinite absolute conjugate sign floor ceil rint trunc sqrt real imag".split()
OF_NUMBERS = "negative square isnan isinf isfinite absolute conjugate".split()
OF_REALS = "floor ceil rint trunc cbrt exp2 expm1 log2 log10 log1p".split()
OF_REALS += "arcsin arccos arctan arcsinh arccosh arctanh".split()
OF_FLOATS = "sqrt reciprocal exp log sin cos tan sinh cosh tanh real imag".split()


def unary_values(random, dtype):
    values = specials(dtype)
    if np.dtype(dtype).kind in "iub":
        return values
    spread = 10.0 ** random.uniform(-8, 3, 8) * random.choice([-1, 1], 8)
    inside = random.uniform(-1, 1, 8)
    if np.dtype(dtype).kind == "c":
        spread = spread + 1j * 10.0 ** random.uniform(-8, 3, 8) * random.choice([-1, 1], 8)
        inside = inside + 1j * random.uniform(-1, 1, 8)
    return np.concatenate([values, spread.astype(dtype), inside.astype(dtype)])


def unary(random):
    families = [(OF_NUMBERS, NUMBERS), (["sign"], ORDERED), (OF_REALS, REALS), (OF_FLOATS, FLOATS)]
    families += [(["invert", "absolute"], ["bool"])]
    for names, dtypes in families:
        for name, dtype in itertools.product(names, dtypes):
            for values in pieces(unary_values(random, dtype)):
                if name == "square" and np.dtype(dtype).kind == "c":
                    values = values[~overflows(values, values, dtype)]
                is_exact = name in EXACT and not (np.dtype(dtype).kind == "c" and name in ("sqrt", "absolute", "square"))
                # NumPy's own functions of complex numbers are off by some units.
                tolerance = "exact" if is_exact else {"ulp": 8 if np.dtype(dtype).kind == "c" else 4}
                yield entry(f"unary {name} {dtype}", [values], (name, [0]), tolerance=tolerance)
    for dtype in ORDERED:
        values = specials(dtype)
        for low, high in itertools.combinations(ordinary(random, dtype, 3).tolist() + [0], 2):
            limits = [min(low, high), max(low, high)]
            yield entry(f"unary clip {dtype}", [values], ("clip", [0], [], limits), tolerance="exact")


def binary_values(dtype):
    values = specials(dtype)
    if np.dtype(dtype).kind != "c":
        return values
    chosen = [0j, complex(-0.0, 0.0), 1 + 0j, -1j, 3 - 2.5j, complex(1e30, 1e30), complex(1e-30, -1e-30)]
    chosen += [complex(np.inf, 1), complex(1, -np.inf), complex(np.nan, 1), complex(0.5, np.nan)]
    if dtype == "complex128":
        chosen += [complex(1e300, 1e300), complex(1e-300, 1e-300), complex(-1e308, 1e-308)]
    return np.array(chosen, dtype)


def overflows(left, right, dtype):
    """Whether finite parts have a product beyond the range: then NumPy's result depends on the processor."""
    finite = lambda part: np.where(np.isfinite(part), np.abs(part), 0).astype("float64")
    size = lambda x: np.maximum(finite(x.real), finite(x.imag))
    return ~(size(left) * size(right) < float(np.finfo(dtype).max) / 4)


ARITHMETIC = "add subtract multiply".split()
EQUALITY = "equal not_equal".split()
ORDER = "less less_equal greater greater_equal".split()
EXTREMES = "minimum maximum fmin fmax".split()


def binary(random):
    families = [(ARITHMETIC, NUMBERS), (["divide"], FLOATS), (["floor_divide", "remainder"], ORDERED)]
    families += [(["bitwise_and", "bitwise_or", "bitwise_xor"], ["bool"] + INTEGERS), (EQUALITY, ALL)]
    families += [(ORDER + EXTREMES, ["bool"] + ORDERED), (["hypot", "arctan2"], REALS)]
    for names, dtypes in families:
        for name, dtype in itertools.product(names, dtypes):
            values = binary_values(dtype)
            for left in values:
                tolerance = "exact"
                if name in EXTREMES:
                    # Which of two zeros is the smaller one depends on NumPy's processor.
                    tolerance = "value"
                elif name in ("hypot", "arctan2"):
                    tolerance = {"ulp": 4}
                right = values
                if np.dtype(dtype).kind == "c" and name in ("multiply", "divide"):
                    tolerance = {"parts": 8}
                    right = right[~overflows(left, right, dtype)] if name == "multiply" else right
                sides = [left, right] if random.random() < 0.5 else [np.full(len(right), left), right]
                yield entry(f"binary {name} {dtype}", sides, (name, [0, 1]), tolerance=tolerance)


def power(random):
    for dtype in INTEGERS:
        values = specials(dtype)
        exponents = [0, 1, 2, 3, 5, 63, 100]
        if dtype.endswith("64"):
            exponents += [2**40, 2**40 + 1, 2**33 + 2]
        for exponent in exponents:
            exponent = np.array(exponent, dtype)
            yield entry(f"power {dtype}", [values, exponent], ("power", [0, 1]))
        if dtype.startswith("int"):
            values = values.astype(dtype)
            for exponent in [-1, -2]:
                zeros = np.zeros_like(values)
                meant = ("negative-powers", [zeros])
                given = [values, np.array(exponent, dtype)]
                yield entry(f"power negative {dtype}", given, ("power", [0, 1]), meant=meant)
    for dtype in REALS:
        values = np.concatenate([specials(dtype), np.array([1.5, -1.5, 0.99, 10.0], dtype)])
        for exponent in [0.0, -0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, -0.5, 2.5, 100.0, np.inf, -np.inf, np.nan]:
            # With one exponent of 0.5 NumPy takes square roots, which differ at -0.0 and -inf.
            exponents = np.full(len(values) if exponent == 0.5 else (), exponent, dtype)
            yield entry(f"power {dtype}", [values, exponents], ("power", [0, 1]), tolerance={"ulp": 4})
    for dtype in COMPLEXES:
        values = np.array([1, 1j, 2 - 1j, -0.5 + 0.25j, 3, -2], dtype)
        for exponent in [0, 1, 2, 3, 5, -1, -2, 0.5, 1j, 1.5 - 0.5j]:
            given = [values, np.array(exponent, dtype)]
            yield entry(f"power {dtype}", given, ("power", [0, 1]), tolerance={"ulp": 64})


def broadcasting(random):
    pairs = [((), (3,)), ((1,), (4,)), ((3, 1), (1, 4)), ((3, 4), (4,)), ((3, 4), (3, 1)), ((1, 1), (2, 3, 2))]
    pairs += [((2, 1, 3), (4, 1)), ((0,), (1,)), ((3, 0), (1, 1)), ((1, 3), (3,)), ((0, 3), (3,)), ((1,), (1, 1))]
    pairs += [((2,), (3,)), ((2, 3), (2,)), ((0,), (2,))]
    for (one, other), dtype in itertools.product(pairs, ["int32", "float64", "complex64", "uint8"]):
        for left, right in [(one, other), (other, one)]:
            given = [ordinary(random, dtype, left), ordinary(random, dtype, right)]
            yield entry(f"broadcast add {dtype}", given, ("add", [0, 1]), variants=2)
            condition = ordinary(random, "bool", left)
            yield entry(f"broadcast where {dtype}", [condition, *given], ("where", [0, 1, 2]), variants=2)
    for shape in SHAPES:
        for target in [(2, *shape), tuple(4 if length == 1 else length for length in shape), (*shape, 2)]:
            x = ordinary(random, "int64", shape)
            yield entry("broadcast broadcast_to", [x], ("broadcast_to", [0], target), variants=2)


# Casts.


def casts(random):
    for dtype, target in itertools.product(ALL, ALL):
        values = specials(dtype)
        if np.dtype(dtype).kind in "fc" and np.dtype(target).kind in "iu":
            limits = np.iinfo(target)
            real = values.real.astype("float64")
            is_inside = np.isfinite(real) & (np.trunc(real) >= limits.min) & (np.trunc(real) <= float(limits.max))
            if limits.max > 2**52:
                is_inside &= real < float(limits.max)
            # NumPy leaves it to the processor what is beyond; its answers are listed from this one.
            outside = values[~is_inside]
            values = values[is_inside]
            for part in pieces(outside):
                limit = [saturated(each.real, limits) for each in part]
                saturation = np.array(limit, target)
                if not np.array_equal(part.astype(target), saturation):
                    meant = ("casts-saturate", [saturation])
                    yield entry(f"cast beyond {dtype} {target}", [part], ("cast", [0], [], [target]), meant=meant)
        for part in pieces(values):
            yield entry(f"cast {dtype} {target}", [part], ("cast", [0], [], [target]))


def saturated(value, limits):
    if np.isnan(value):
        return 0
    return limits.max if value > 0 else limits.min


# Reductions.


def axes_for(random, ndim):
    """Numbers of some steps: whether axes are kept, whether all are meant, and which."""
    yield [0, 1]
    yield [1, 1]
    for axis in range(ndim):
        yield [int(random.integers(2)), 0, axis]
    if ndim > 2:
        yield [int(random.integers(2)), 0, 0, 2]
        yield [int(random.integers(2)), 0, 1, 2]


def is_inexact(name, dtype, kind):
    return np.dtype(dtype).kind in "fc" and (kind == "normal" or name in ("var", "std", "nanvar", "nanstd"))


def reduction(random, name, dtype, shape, axes, kind, words=()):
    x = with_specials(random, dtype, shape, kind)
    if name in ("prod", "nanprod", "cumprod", "nancumprod") and np.dtype(dtype).kind in "fc":
        x = (x / 4).astype(dtype) if kind != "normal" else x
    tolerance = "value" if name in ("min", "max", "nanmin", "nanmax") else "exact"
    if is_inexact(name, dtype, kind) or "prod" in name and np.dtype(dtype).kind == "c":
        finite = np.abs(x[np.isfinite(x)]).astype("float64")
        scale = float(max(finite.sum(), np.prod(np.maximum(finite, 1)), (finite**2).sum(), 1.0))
        tolerance = {"near": 16 * float(np.finfo(dtype).eps) * scale}
    if name == "mean" and np.dtype(dtype).kind == "c" and tolerance == "exact":
        tolerance = {"parts": 4}
    meant = meant_reduction(name, x, axes, kind)
    return entry(f"reduce {name} {dtype}", [x], (name, [0], axes, words), tolerance=tolerance, meant=meant)


def meant_reduction(name, x, axes, kind):
    """What is meant to differ: (row of the list of differences, results)."""
    step = lambda name: [(name, [0], axes, ())]
    if name in ("nanmin", "nanmax") and x.size:
        filled = np.where(np.isnan(x), np.inf if name == "nanmin" else -np.inf, x).astype(x.dtype)
        return "extremes-of-nan", run([filled], step(name[3:]))
    if name in ("nanargmin", "nanargmax") and x.size:
        filled = np.where(np.isnan(x), np.inf if name == "nanargmin" else -np.inf, x)
        [places], [are_nan] = run([filled], step(name[3:])), run([np.isnan(x)], step("all"))
        return "places-of-nan", [np.where(are_nan, np.int64(-1), places)]
    if kind == "zero" and name in ("sum", "nansum", "mean", "nanmean") and x.size:
        [zeros] = run([x], [(name, [0], axes, ())])
        return "sums-of-negative-zeros", [np.full_like(zeros, -0.0)]
    return None


def reductions(random):
    families = [(["sum", "prod", "mean", "count_nonzero"], ALL), (["min", "max", "argmin", "argmax"], ["bool"] + ORDERED)]
    families += [(["any", "all"], ["bool"]), (["var", "std", "nanvar", "nanstd"], REALS)]
    families += [(["nansum", "nanprod", "nanmean", "nanmin", "nanmax", "nanargmin", "nanargmax"], REALS)]
    for names, dtypes in families:
        for name, dtype, shape in itertools.product(names, dtypes, SHAPES):
            kinds = ["small"]
            if np.dtype(dtype).kind == "f":
                kinds = ["small", "nan", "inf", "normal", "zero"]
            if np.dtype(dtype).kind == "c":
                kinds = ["small", "normal"]
            many = list(axes_for(random, len(shape)))
            if name.endswith(("argmin", "argmax")):
                many = [axes for axes in many if len(axes) < 4]
            for axes in many[:1] + [axes for axes in many[1:] if random.random() < 0.6]:
                kind = random.choice(kinds)
                words = [random.integers(3)] if name in ("var", "std", "nanvar", "nanstd") else []
                yield reduction(random, name, dtype, shape, axes, kind, words)
    for values, mean in [([3e38, 3e38], 3e38), ([3e38, 3e38, -3e38, 3e38], 1.5e38)]:
        x = np.array(values, "float32")
        meant = ("means-of-float32", [np.float32(mean)])
        yield entry("reduce mean float32 huge", [x], ("mean", [0], [0, 1]), tolerance={"ulp": 1}, meant=meant)


def along(random):
    for dtype, shape in itertools.product(ALL, SHAPES):
        kind = np.dtype(dtype).kind
        for axis in range(len(shape)):
            kinds = {"f": ["small", "normal", "nan", "inf"], "c": ["small"]}.get(kind, ["small"])
            names = ["cumsum", "cumprod"] + (["nancumsum", "nancumprod"] if kind == "f" else [])
            for name in names:
                yield reduction(random, name, dtype, shape, [axis], random.choice(kinds))
            if kind != "b":
                x = ordinary(random, dtype, shape)
                yield entry(f"along diff {dtype}", [x], ("diff", [0], [axis]))
                if kind in "fc" and shape[axis] >= 2:
                    yield entry(f"along gradient {dtype}", [x], ("gradient", [0], [axis]))
            if kind == "c":
                continue
            x = with_specials(random, dtype, shape, random.choice(["small", "nan", "inf"]))
            yield entry(f"along sort {dtype}", [x], ("sort", [0], [axis]), tolerance="value")
            yield entry(f"along argsort {dtype}", [x], ("argsort", [0], [axis]))
            for count in {0, 1, shape[axis]} - ({1} if shape[axis] == 0 else set()):
                yield entry(f"along topk {dtype}", [x], ("topk", [0], [axis, count]), tolerance="value")
                yield entry(f"along argtopk {dtype}", [x], ("argtopk", [0], [axis, count]))


def quantiles(random):
    special = [[np.inf, np.inf], [-np.inf, 1], [1e308, -1e308], [np.inf, -np.inf], [np.nan, 1.0], [-0.0, 0.0]]
    special += [[1.0], [1e308, 1e308, 1e308], [np.inf, 1.0, -np.inf], [-np.inf, -np.inf, 3.0], [1.7e308, -1.7e308, 0]]
    for dtype in REALS:
        for shape, kind in itertools.product([(5,), (6,), (1,), (3, 4), (1, 3), (2, 3, 2)], ["small", "normal", "nan"]):
            for axis in range(len(shape)):
                x = with_specials(random, dtype, shape, kind)
                quantile = float(random.choice([0.0, 0.1, 0.25, 0.3, 0.5, 0.77, 1.0]))
                tolerance = {"near": 8 * float(np.finfo(dtype).eps) * 5}
                yield entry(f"median {dtype}", [x], ("median", [0], [axis]), tolerance=tolerance)
                yield entry(f"quantile {dtype}", [x], ("quantile", [0], [axis], [quantile]), tolerance=tolerance)
                percent = quantile * 100
                yield entry(f"percentile {dtype}", [x], ("percentile", [0], [axis], [percent]), tolerance=tolerance)
    for values in special:
        x = np.array(values)
        for quantile in [0.0, 0.25, 0.5, 0.75, 1.0]:
            step = ("quantile", [0], [0], [quantile])
            meant = ("quantiles-of-infinities", [quantile_between(x, quantile)])
            yield entry("quantile special", [x], step, tolerance={"parts": 4}, meant=meant)
        meant = ("quantiles-of-infinities", [quantile_between(x, 0.5)])
        yield entry("median special", [x], ("median", [0], [0]), tolerance={"parts": 4}, meant=meant)


def quantile_between(x, quantile):
    """The quantile where an infinite number is at no distance from the finite ones."""
    place = quantile * (len(x) - 1)
    low, high = np.sort(x)[[int(np.floor(place)), int(np.ceil(place))]]
    fraction = place - np.floor(place)
    if fraction == 0 or low == high or np.isnan(x).any():
        return np.float64(np.nan if np.isnan(x).any() else low)
    if np.isinf(low) or np.isinf(high):
        return np.float64(low + high)
    return np.float64(low * (1 - fraction) + high * fraction)


def frequencies(random):
    for dtype in REALS:
        for bins, low, high in [(1, 0, 0.3), (3, 0.001, 0.007), (10, 0, 1), (7, -1, 1), (4, -2, 2), (5, 0.1, 0.7)]:
            edges = np.linspace(low, high, bins + 1)
            around = np.concatenate([edges, np.nextafter(edges, -9), np.nextafter(edges, 9), [np.nan, -9, 9]])
            for values in [around, random.uniform(low, high, 20), edges, np.array([])]:
                step = ("histogram", [0], [bins], [repr(float(low)), repr(float(high))])
                yield entry(f"histogram {dtype}", [values.astype(dtype)], step)
            step = ("digitize", [0], [], [repr(float(each)) for each in edges])
            yield entry(f"digitize {dtype}", [around.astype(dtype)], step)
    for dtype in INTEGERS:
        for shape, least in itertools.product([(4, 5), (0,), (1,), (7,)], [0, 3, 20]):
            x = np.abs(ordinary(random, dtype, shape).astype("int64")).astype(dtype)
            weights = ordinary(random, "float64", shape)
            yield entry(f"bincount {dtype}", [x], ("bincount", [0], [least]))
            meant = ("weights-of-nothing", [np.zeros(least)]) if x.size == 0 else None
            yield entry(f"bincount_weighted {dtype}", [x, weights], ("bincount_weighted", [0, 1], [least]), meant=meant)
    for dtype, shape in itertools.product(["bool"] + ORDERED, SHAPES):
        x = with_specials(random, dtype, shape, random.choice(["small", "nan", "inf"]))
        if x.ndim:
            yield entry(f"unique {dtype}", [x], ("unique", [0]), tolerance="value")
        ordered = np.sort(with_specials(random, dtype, 5, random.choice(["small", "nan", "inf"])))
        for side in [0, 1]:
            yield entry(f"searchsorted {dtype}", [ordered, x], ("searchsorted", [0, 1], [side]))
    for dtype, shape in itertools.product(ALL, SHAPES):
        x, condition = ordinary(random, dtype, shape), ordinary(random, "bool", shape)
        if x.ndim:
            for each in [condition, np.zeros(shape, bool)]:
                yield entry(f"mask {dtype}", [x, each], ("mask", [0, 1]), variants=2)
    x = np.array([[1, 2, 3, 4, 7], [2, 2, 0, 1, -3], [1, 5, 2, 1, 9]])
    for dtype in ["int64", "float32", "float64", "complex128"]:
        tolerance = {"near": 1e-4 if dtype == "float32" else 1e-12}
        steps = [("cov", [0], [], [ddof]) for ddof in [0, 1, 2]] + [("corrcoef", [0])]
        for step in steps:
            given = [x.astype(dtype)]
            meant = None
            if dtype == "float32":
                [wide] = run(given, [(*step, (), ())[:4] if len(step) < 4 else step])
                meant = ("covariances-of-float32", [wide.astype(dtype)])
            yield entry(f"{step[0]} {dtype}", given, step, tolerance=tolerance, meant=meant)


def sets(random):
    for dtype, shape in itertools.product(["bool"] + ORDERED, SHAPES):
        x = with_specials(random, dtype, shape, random.choice(["small", "nan", "inf"]))
        if x.ndim:
            yield entry(f"unique_all {dtype}", [x], ("unique_all", [0]), tolerance="value", variants=2)
        for kind in ["small", "nan", "inf"]:
            y = with_specials(random, dtype, SHAPES[random.integers(len(SHAPES))], kind)
            if x.ndim and y.ndim:
                for name in ["is_in", "union1d", "intersect1d", "setdiff1d"]:
                    yield entry(f"{name} {dtype}", [x, y], (name, [0, 1]), tolerance="value")


def groups(random):
    for dtype, key_type in itertools.product(ORDERED, INTEGERS):
        for shape in [(12,), (1,), (0,), (3, 4), (40,)]:
            x = ordinary(random, dtype, shape)
            first, second = (random.integers(0, 4, shape).astype(key_type) for _ in range(2))
            if key_type.startswith("i"):
                first = first - first.dtype.type(2)
            tolerance = {"near": 1e-5 if dtype == "float32" else 1e-12}
            yield entry(f"group_by {dtype}", [x, first], ("group_by", [0, 1]), tolerance=tolerance, variants=2)
            given = [x, first, second]
            yield entry(f"group_by two {dtype}", given, ("group_by", [0, 1, 2]), tolerance=tolerance, variants=2)


def nan_quantiles(random):
    for dtype in REALS:
        for shape, kind in itertools.product([(5,), (1,), (3, 4), (2, 3, 2), (30,)], ["small", "normal", "nan"]):
            for axis in range(len(shape)):
                x = with_specials(random, dtype, shape, kind)
                x[np.isinf(x)] = 0
                quantile = float(random.choice([0.0, 0.1, 0.25, 0.3, 0.5, 0.77, 1.0]))
                tolerance = {"near": 8 * float(np.finfo(dtype).eps) * 5}
                yield entry(f"nanmedian {dtype}", [x], ("nanmedian", [0], [axis]), tolerance=tolerance)
                for name, words in [("nanquantile", [quantile]), ("nanpercentile", [quantile * 100])]:
                    yield entry(f"{name} {dtype}", [x], (name, [0], [axis], words), tolerance=tolerance)
