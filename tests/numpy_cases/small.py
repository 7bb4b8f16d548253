"""Cases of integers of 8 and 16 bits, and of half-precision numbers: the families of the larger types, with these."""

import contextlib
import itertools

import numpy as np

import families
import more
import shapes
from families import entry, ordinary, specials

INTEGERS = ["uint16", "int8", "int16"]
HALF = "float16"
TYPES = INTEGERS + [HALF]


@contextlib.contextmanager
def instead(**lists):
    """Has the families go through other types."""
    modules = [families, more, shapes]
    before = [(module, name, getattr(module, name)) for module in modules for name in lists if hasattr(module, name)]
    for module, name, _ in before:
        setattr(module, name, lists[name])
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def family(function, skipped=()):
    """A family with the small types in place of the others."""

    def small(random):
        lists = {"ALL": TYPES, "NUMBERS": TYPES, "ORDERED": TYPES, "INTEGERS": INTEGERS}
        lists |= {"REALS": [], "COMPLEXES": [], "FLOATS": []}
        with instead(**lists):
            entries = list(function(random))
        for each in entries:
            words = each["name"].split()
            is_skipped = any(words[: len(names)] == list(names) for names in skipped) and words[-1] == HALF
            if not is_skipped and any(kind in words for kind in TYPES) and words[0] != "angle":
                yield each

    return small


def casts(random):
    with instead(ALL=families.ALL + TYPES):
        entries = list(families.casts(random))
    yield from (each for each in entries if any(kind in each["name"].split() for kind in TYPES))


def wider(name, x, axes, words=(), dtype="float32"):
    """An entry of a function whose result has another type than NumPy's."""
    step = (name, [0], list(axes), list(words))
    row = {"angle": "angles-of-integers"}.get(name, "means-of-float16")
    results = families.run([x.astype(dtype)], [step])
    return entry(f"{name} {x.dtype}", [x], step, tolerance={"ulp": 4}, meant=(row, results))


def means(random):
    for shape in families.SHAPES:
        x = ordinary(random, HALF, shape)
        for axes in families.axes_for(random, len(shape)):
            yield wider("mean", x, axes)
            for name in ["var", "std"] if x.size else []:
                yield wider(name, x, axes, [0])
    for dtype, wide in [("uint8", "float64"), *((each, "float64") for each in INTEGERS), (HALF, "float32")]:
        yield wider("angle", ordinary(random, dtype, (3, 4)), [], dtype=wide)


def products(random):
    """Products of few numbers, so that NumPy rounds none of them."""
    for shape in families.SHAPES:
        x = np.asarray(2.0 ** random.integers(-1, 2, shape) * random.choice([-1, 1], shape)).astype(HALF)
        for axes in families.axes_for(random, len(shape)):
            yield entry(f"prod {HALF}", [x], ("prod", [0], axes))
        for axis in range(len(shape)):
            yield entry(f"cumprod {HALF}", [x], ("cumprod", [0], [axis]))


def creations(random):
    for dtype, shape in itertools.product(TYPES, [(), (3,), (2, 3)]):
        yield entry(f"zeros {dtype}", [], ("zeros", [], shape, [dtype]))
        yield entry(f"ones {dtype}", [], ("ones", [], shape, [dtype]))
        for value in specials(dtype)[:8]:
            yield entry(f"full {dtype}", [], ("full", [], shape, [dtype, families.words_of(value)]))
    for dtype in TYPES:
        yield entry(f"eye {dtype}", [], ("eye", [], [4, 1], [dtype]), variants=2)


# What the library lacks for half-precision numbers, and what NumPy rounds at each step.
LACKING = [("along", "gradient"), *(("reduce", name) for name in "prod cumprod nancumsum nancumprod mean".split())]
FAMILIES = [family(each) for each in [families.unary, families.binary, families.power, families.frequencies]]
FAMILIES += [family(each, LACKING) for each in [families.reductions, families.along]]
FAMILIES += [family(each) for each in [families.sets, families.groups, more.elementwise, more.spreads]]
FAMILIES += [casts, means, products, creations]
