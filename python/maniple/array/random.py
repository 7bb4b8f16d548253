"""Random arrays, with the names of `dask.array.random`.

What an element is depends on the seed, on how many arrays the generator has made before, and on the element's index:
not on chunks, workers or the number of ranks. The numbers are those of the runtime's generators, not NumPy's.
"""

import operator
import secrets
import weakref

import numpy as np

from .. import _maniple
from .._delayed import _client_or_new
from ._array import Array
from ._types import dtype_of, normalize_chunks, shape_of

__all__ = ["Generator", "RandomState", "default_rng"]


def _number(name, value):
    if np.ndim(value):
        raise TypeError(f"{name} must be a number; parameters that are arrays are not available")
    return float(value)


class _Source:
    """Makes random arrays of one seed after the other. A seed begins anew in each run."""

    def __init__(self, seed=None):
        if seed is None:
            seed = secrets.randbits(128)
        self._entropy = operator.index(seed) if hasattr(seed, "__index__") else seed
        # The whole seed, checked as NumPy does.
        self._words = np.random.SeedSequence(self._entropy)
        self._cores = weakref.WeakKeyDictionary()
        self._started = 0

    def _core(self):
        client = _client_or_new()
        run = client._run if client._run is not None else client
        core = self._cores.get(run)
        if core is None:
            is_plain = isinstance(self._entropy, int) and 0 <= self._entropy < 1 << 64
            key = (self._started,) if self._started or not is_plain else None
            seed = self._entropy if key is None else self._derived(key)
            core = self._cores[run] = _maniple.RandomCore(client._core, int(seed), False)
            self._started += 1
        return core, client

    def _derived(self, key):
        words = np.random.SeedSequence(self._words.entropy, spawn_key=key)
        return words.generate_state(1, np.uint64)[0]

    def _reals(self, name, parameters, size, chunks, dtype=np.float64):
        dtype = dtype_of(dtype)
        if dtype.kind != "f":
            raise TypeError(f"random real numbers are float64 or float32, not {dtype}")
        chunks = normalize_chunks(chunks, shape_of(size), dtype)
        core, client = self._core()
        return Array._of(core.reals(name, parameters, dtype.name, chunks), client)

    def _integers(self, low, high, size, dtype, chunks):
        dtype = dtype_of(dtype)
        if np.ndim(low) or np.ndim(high):
            raise TypeError("low and high must be integers; parameters that are arrays are not available")
        low, high = (0, low) if high is None else (low, high)
        chunks = normalize_chunks(chunks, shape_of(size), dtype)
        core, client = self._core()
        return Array._of(core.integers(int(low), int(high), dtype.name, chunks), client)

    def uniform(self, low=0.0, high=1.0, size=None, chunks="auto"):
        """Uniformly distributed numbers from ``low`` to below ``high``."""
        return self._reals("uniform", (_number("low", low), _number("high", high)), size, chunks)

    def normal(self, loc=0.0, scale=1.0, size=None, chunks="auto"):
        """Normally distributed numbers of this mean and standard deviation."""
        return self._reals("normal", (_number("loc", loc), _number("scale", scale)), size, chunks)

    def standard_normal(self, size=None, chunks="auto"):
        """Normally distributed numbers of mean 0 and standard deviation 1."""
        return self.normal(size=size, chunks=chunks)

    def exponential(self, scale=1.0, size=None, chunks="auto"):
        """Exponentially distributed numbers of this mean."""
        return self._reals("exponential", (_number("scale", scale), 0.0), size, chunks)

    def standard_exponential(self, size=None, chunks="auto"):
        """Exponentially distributed numbers of mean 1."""
        return self.exponential(size=size, chunks=chunks)

    def permutation(self, x, chunks="auto"):
        """The integers below ``x`` in random order, or the elements of an array along its first axis."""
        length = x.shape[0] if isinstance(x, Array) else int(x)
        core, client = self._core()
        order = Array._of(core.permutation(normalize_chunks(chunks, (length,), np.int64)), client)
        return x[order.compute()] if isinstance(x, Array) else order


class Generator(_Source):
    """Makes random arrays: see `default_rng`."""

    def random(self, size=None, dtype=np.float64, out=None, chunks="auto"):
        """Uniformly distributed numbers from 0 to below 1."""
        if out is not None:
            raise TypeError("random of arrays takes no keyword out")
        return self._reals("uniform", (0.0, 1.0), size, chunks, dtype)

    def integers(self, low, high=None, size=None, dtype=np.int64, endpoint=False, chunks="auto"):
        """Uniformly distributed integers from ``low``, or 0, to below ``high``; with ``endpoint`` up to it."""
        low, high = (0, low) if high is None else (low, high)
        return self._integers(low, high + bool(endpoint), size, dtype, chunks)


class RandomState(_Source):
    """Makes random arrays, with the names of NumPy's older generator."""

    def random_sample(self, size=None, chunks="auto"):
        """Uniformly distributed numbers from 0 to below 1."""
        return self._reals("uniform", (0.0, 1.0), size, chunks)

    random = random_sample

    def randint(self, low, high=None, size=None, chunks="auto", dtype=np.int64):
        """Uniformly distributed integers from ``low``, or 0, to below ``high``."""
        return self._integers(low, high, size, dtype, chunks)

    def seed(self, seed=None):
        """Begins anew with another seed."""
        self.__init__(seed)


def default_rng(seed=None):
    """A generator of random arrays. Without a seed, each one is another."""
    return seed if isinstance(seed, Generator) else Generator(seed)


_default = RandomState()
_MODULE_NAMES = (
    "random", "random_sample", "uniform", "normal", "standard_normal", "exponential", "standard_exponential", "randint",
    "permutation", "seed",
)  # fmt: skip
for _name in _MODULE_NAMES:
    globals()[_name] = getattr(_default, _name)
__all__ += _MODULE_NAMES
