"""Cases of random chains of operations on random arrays."""

import numpy as np

from families import ALL, NUMBERS, ORDERED, SHAPES, REALS, entry, ordinary, with_specials
from programs import run
from shapes import part

# Beyond this, sums of floats would have to be rounded.
LARGEST = 2.0**20
MOST_ELEMENTS = 60


class Chain:
    """A program in the making: each step is chosen among what its values allow, so that all results are exact."""

    def __init__(self, random):
        self.random = random
        self.inputs, self.steps, self.values = [], [], []

    def add_input(self, array):
        assert not self.steps, "inputs come before steps"
        self.inputs.append(array)
        self.values.append(array)

    def step(self, operation, of, numbers=(), words=()):
        """Takes a step if its results are exact and small; returns whether it did."""
        step = (operation, list(of), [int(number) for number in numbers], list(words))
        try:
            results = run(self.values, [step])
        except (ValueError, IndexError):
            return False
        for result in results:
            if result.size > MOST_ELEMENTS or result.ndim > 4 or str(result.dtype) not in ALL:
                return False
            finite = np.abs(result[np.isfinite(result)]) if result.dtype.kind in "fc" else np.zeros(0)
            if finite.size and (finite.max() > LARGEST or (finite[finite > 0] < 1 / LARGEST).any()):
                return False
            if result.dtype.kind in "fc" and not self.is_exact(result):
                return False
        self.steps.append(step)
        self.values.extend(results)
        return True

    @staticmethod
    def is_exact(result):
        """Whether elements are multiples of a small power of two, so that sums of them are exact, too."""
        parts = [result.real, result.imag] if result.dtype.kind == "c" else [result]
        for each in parts:
            finite = each[np.isfinite(each)].astype("float64") * 64
            if (finite != np.rint(finite)).any() or (np.abs(finite) > 2**22).any():
                return False
        return True

    def choose(self, values):
        return values[int(self.random.integers(len(values)))]

    def latest(self):
        """Mostly the last value, else any."""
        if self.random.random() < 0.75:
            return len(self.values) - 1
        return int(self.random.integers(len(self.values)))

    def partner(self, place):
        """A value of the same type that can be broadcast with it."""
        own = self.values[place]
        fitting = []
        for other, value in enumerate(self.values):
            try:
                np.broadcast_shapes(own.shape, value.shape)
            except ValueError:
                continue
            if value.dtype == own.dtype:
                fitting.append(other)
        return self.choose(fitting)

    def extend(self):
        """One more step of a kind that is chosen at random."""
        place = self.latest()
        value = self.values[place]
        axis = int(self.random.integers(max(value.ndim, 1)))
        makers = [self.elementwise, self.two, self.shape, self.shape, self.part, self.reduce, self.together]
        return self.choose(makers)(place, value, axis)

    def elementwise(self, place, value, axis):
        names = ["absolute"]
        kind = value.dtype.kind
        names += ["negative", "square", "isnan", "isfinite"] if kind != "b" else ["invert"]
        names += ["floor", "ceil", "rint", "trunc"] if kind == "f" else []
        names += ["sign"] if kind in "fiu" else []
        if self.random.random() < 0.3:
            is_safe = kind != "f" or np.isfinite(value).all() and (np.abs(value) < 200).all()
            targets = ["float64", "complex128"] if kind == "c" else ["float32", "float64", "complex64", "bool"]
            if kind != "c":
                targets += ["int32", "int64"] if is_safe else []
                targets += ["uint8", "uint64"] if is_safe and (kind != "f" or (value >= 0).all()) else []
            if kind == "c":
                targets = ["complex64", "complex128"]
            return self.step("cast", [place], (), [self.choose(targets)])
        return self.step(self.choose(names), [place])

    def two(self, place, value, axis):
        other = self.partner(place)
        kind = value.dtype.kind
        names = ["equal", "not_equal"]
        names += ["add", "subtract", "multiply"] * 2 if kind != "b" else ["bitwise_and", "bitwise_or", "bitwise_xor"]
        if kind != "c":
            names += ["less", "less_equal", "greater", "greater_equal", "minimum", "maximum"]
        names += ["floor_divide", "remainder"] if kind in "iu" else []
        of = [place, other] if self.random.random() < 0.5 else [other, place]
        return self.step(self.choose(names), of)

    def shape(self, place, value, axis):
        ndim, shape = value.ndim, value.shape
        random = self.random
        choices = [("ravel", []), ("transpose", []), ("squeeze", []), ("rechunk", []), ("rechunk", [])]
        choices += [("expand_dims", [random.integers(ndim + 1)]), ("permute_axes", random.permutation(ndim))]
        choices += [("broadcast_to", (int(random.integers(1, 4)), *shape))]
        choices += [("broadcast_to", [int(random.integers(0, 4)) if length == 1 else length for length in shape])]
        choices += [("reshape", self.choose([(-1,), (1, -1), (value.size, 1), (2, value.size // 2)]))]
        if ndim:
            choices += [("flip", [axis]), ("roll", [axis, random.integers(-5, 6)]), ("repeat", [axis, random.integers(3)])]
            choices += [("swap_axes", [axis, random.integers(ndim)]), ("tile", random.integers(1, 3, ndim))]
        if ndim >= 2:
            choices += [("tril", [random.integers(-2, 3)]), ("triu", [random.integers(-2, 3)])]
        if ndim == 2:
            choices += [("diagonal", [random.integers(-2, 3)])]
        name, numbers = self.choose(choices)
        return self.step(name, [place], numbers)

    def part(self, place, value, axis):
        random = self.random
        if not value.ndim:
            return False
        choice = random.integers(6)
        if choice == 0:
            length = value.shape[axis]
            indices = random.integers(0, max(length, 1), random.integers(0, 5) if length else 0)
            return self.step("take", [place], [axis, *indices])
        if choice == 1:
            masks = [at for at, mask in enumerate(self.values) if mask.dtype == bool and mask.shape == value.shape]
            return bool(masks) and self.step("mask", [place, self.choose(masks)])
        if choice == 2:
            return self.step("set_slice", [place, self.partner(place)], part(random, value.shape))
        if choice == 3:
            word = ["1"] if value.dtype == bool else ["3"]
            words = word + (["0"] if value.dtype.kind == "c" else [])
            return self.step("pad", [place], [axis, *random.integers(0, 3, 2)], words)
        return self.step("slice", [place], part(random, value.shape))

    def reduce(self, place, value, axis):
        random = self.random
        kind = value.dtype.kind
        names = ["sum", "count_nonzero"] + (["mean"] if kind != "b" else ["any", "all"])
        along = ["cumsum"] + (["diff"] if kind != "b" else [])
        if kind != "c":
            names += ["min", "max", "argmin", "argmax"]
            along += ["sort", "argsort"]
        names += ["nansum", "nanmax"] if kind == "f" and not np.isnan(value).any() else []
        along += ["median"] if kind == "f" and not np.isinf(value).any() else []
        if value.ndim and random.random() < 0.4:
            return self.step(self.choose(along), [place], [axis])
        keep = random.integers(2)
        axes = [keep, 0, axis] if value.ndim and random.random() < 0.7 else [keep, 1]
        if kind == "c" and not np.isfinite(value).all():
            return False
        return self.step(self.choose(names), [place], axes)

    def together(self, place, value, axis):
        random = self.random
        same = [at for at, other in enumerate(self.values) if other.dtype == value.dtype and other.ndim == value.ndim]
        other = self.choose(same)
        choice = random.integers(4)
        if choice == 0 and value.ndim:
            return self.step("concatenate", [place, other], [axis])
        if choice == 1:
            return self.step("stack", [place, other], [random.integers(value.ndim + 1)])
        if choice == 2 and value.dtype.kind in "fc" and np.isfinite(value).all():
            return np.isfinite(self.values[other]).all() and self.step("matmul", [place, other])
        conditions = [at for at, mask in enumerate(self.values) if mask.dtype == bool]
        return bool(conditions) and self.step("where", [self.choose(conditions), place, self.partner(place)])


def chains(random, count):
    while count:
        chain = Chain(random)
        dtype = str(random.choice(ALL))
        shape = SHAPES[int(random.integers(len(SHAPES)))]
        kind = random.choice(["small", "small", "nan", "inf"]) if dtype in REALS else "small"
        chain.add_input(with_specials(random, dtype, shape, kind))
        if random.random() < 0.5:
            other = tuple(1 if random.random() < 0.3 else length for length in shape)
            chain.add_input(ordinary(random, dtype, other))
        if random.random() < 0.3:
            chain.add_input(ordinary(random, "bool", shape))
        wanted = int(random.integers(2, 7))
        for _ in range(20 * wanted):
            if len(chain.steps) == wanted:
                break
            chain.extend()
        if len(chain.steps) < 2:
            continue
        count -= 1
        name = "chain " + " ".join(operation for operation, *_ in chain.steps)
        yield entry(name, chain.inputs, *chain.steps, tolerance="value")
