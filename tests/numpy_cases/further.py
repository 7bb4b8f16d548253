"""Cases of padding that is calculated, of slopes at edges, of lists of new elements, and of masks by condition."""

import itertools

import numpy as np

import programs
from families import COMPLEXES, FLOATS, REALS, entry, number_of, ordinary

STATISTICS = ["maximum", "minimum", "mean", "median"]
CONDITIONS = "equal not_equal less less_equal greater greater_equal".split()


def pairs(numbers):
    return list(zip(numbers[::2], numbers[1::2]))


def pad_statistic(of, numbers, words):
    """The first number is the count of elements, or 0 for all."""
    length, *counts = numbers
    return np.pad(of[0], pairs(counts), mode=words[0], stat_length=length or None)


def set_mask_values(x, condition, values):
    result = x.copy()
    result[condition] = values
    return result


def masked_by(of, numbers, words):
    """A masked array's elements, with 0 for masked ones, and its mask."""
    limits = [number_of([word], of[0].dtype) for word in words[1:]]
    found = getattr(np.ma, f"masked_{words[0]}")(of[0], *limits)
    return [np.ma.filled(found, 0), np.ma.getmaskarray(found)]


def masked_average(of, numbers, words):
    found = np.ma.average(np.ma.array(of[0], mask=of[1]), weights=of[2], axis=numbers[0])
    return [np.ma.filled(found, 0), np.ma.getmaskarray(found)]


programs.OPERATIONS.update(
    {
        "pad_ramp": lambda of, numbers, words: np.pad(
            of[0], pairs(numbers), mode="linear_ramp", end_values=number_of(words, of[0].dtype)
        ),
        "pad_statistic": pad_statistic,
        "gradient_with_parabolas": lambda of, numbers, words: np.gradient(
            of[0], float(words[0]), axis=numbers[0], edge_order=2
        ),
        "set_mask_values": lambda of, numbers, words: set_mask_values(*of),
        "compress": lambda of, numbers, words: np.compress(np.array(numbers[1:], bool), of[0], axis=numbers[0]),
        "masked_by": masked_by,
        "masked_average": masked_average,
    }
)


def paddings(random):
    for dtype in ["float64", "float32", "int32", "uint8"]:
        tolerance = "exact" if dtype[0] in "iu" else {"ulp": 8}
        for shape, counts in [((5,), [2, 3]), ((1,), [3, 0]), ((3, 4), [1, 2, 5, 0]), ((2, 3, 2), [0, 0, 2, 1, 1, 1])]:
            x = ordinary(random, dtype, shape)
            for end in [0, 7]:
                step = ("pad_ramp", [0], counts, [end])
                yield entry(f"pad_ramp {dtype}", [x], step, tolerance=tolerance, variants=2)
            for statistic, length in itertools.product(STATISTICS, [0, 1, 2, 9]):
                step = ("pad_statistic", [0], [length, *counts], [statistic])
                yield entry(f"pad_statistic {dtype}", [x], step, tolerance=tolerance, variants=2)


def slopes(random):
    for dtype, shape in itertools.product(FLOATS, [(3,), (7,), (4, 3)]):
        x = ordinary(random, dtype, shape)
        for axis, spacing in itertools.product(range(len(shape)), [1.0, 0.25]):
            step = ("gradient_with_parabolas", [0], [axis], [spacing])
            yield entry(f"gradient_with_parabolas {dtype}", [x], step, variants=2)
    for dtype in COMPLEXES:
        x = ordinary(random, dtype, (4,), "normal")
        y = ordinary(random, dtype, (4,), "normal")
        tolerance = {"parts": 64}
        yield entry(f"float_power {dtype}", [x, y], ("float_power", [0, 1]), tolerance=tolerance)


def placements(random):
    for dtype, shape in itertools.product(["float64", "uint8", "complex128"], [(6,), (3, 4), (2, 3, 2), (0, 3)]):
        x, condition = ordinary(random, dtype, shape), random.random(shape) < 0.5
        for each in [condition, np.zeros(shape, bool)]:
            values = ordinary(random, dtype, int(each.sum()))
            given = [x, each, values]
            yield entry(f"set_mask_values {dtype}", given, ("set_mask_values", [0, 1, 2]), variants=2)
        for axis in range(len(shape)):
            kept = random.integers(0, 2, min(shape[axis], 3))
            yield entry(f"compress {dtype}", [x], ("compress", [0], [axis, *kept]), variants=2)


def conditions(random):
    for dtype in ["float64", "float32", "int32", "uint8"]:
        x = ordinary(random, dtype, (4, 5))
        for name in CONDITIONS:
            yield entry(f"masked_by {dtype}", [x], ("masked_by", [0], [], [name, 2]), variants=2)
        for name, limits in itertools.product(["inside", "outside"], [[1, 4], [4, 1]]):
            yield entry(f"masked_by {dtype}", [x], ("masked_by", [0], [], [name, *limits]), variants=2)
    for dtype in REALS:
        x = ordinary(random, dtype, (3, 4))
        x[0, 1:] = [np.nan, np.inf, -np.inf]
        yield entry(f"masked_by {dtype}", [x], ("masked_by", [0], [], ["invalid"]), variants=2)
        for axis in [0, 1]:
            x, mask = ordinary(random, dtype, (3, 4)), random.random((3, 4)) < 0.4
            weights = (1 + np.abs(ordinary(random, dtype, (3, 4)))).astype(dtype)
            tolerance = {"near": 1e-5 if dtype == "float32" else 1e-12}
            step = ("masked_average", [0, 1, 2], [axis])
            yield entry(f"masked_average {dtype}", [x, mask, weights], step, tolerance=tolerance, variants=2)


FAMILIES = [paddings, slopes, placements, conditions]
