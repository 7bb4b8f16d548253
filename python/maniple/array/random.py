"""Random arrays, with the names of `dask.array.random`.

What an element is depends on the seed, on how many arrays the generator has made before, and on the element's index:
not on chunks, workers or the number of ranks. The numbers are those of the runtime's generators, not NumPy's.

NumPy draws those of parameters that are arrays, of several outcomes (`multinomial`) and of choices with probabilities,
block by block: these depend on the chunks, too.
"""

import inspect
import operator
import secrets
import weakref

import numpy as np

from .. import _maniple
from .._delayed import _client_or_new
from ._array import Array, _broadcast
from ._blockwise import blocks_of, call_located
from ._functions import asarray, broadcast_to, take
from ._types import dtype_of, normalize_chunks, shape_of

__all__ = ["Generator", "RandomState", "default_rng"]


# The parameters of distributions. NumPy draws those whose parameters are arrays.
_DISTRIBUTIONS = {
    "beta": "a b", "binomial": "n p", "chisquare": "df", "f": "dfnum dfden", "gamma": "shape scale=1.0",
    "geometric": "p", "gumbel": "loc=0.0 scale=1.0", "hypergeometric": "ngood nbad nsample", "laplace": "loc=0.0 scale=1.0",
    "logistic": "loc=0.0 scale=1.0", "lognormal": "mean=0.0 sigma=1.0", "logseries": "p", "negative_binomial": "n p",
    "noncentral_chisquare": "df nonc", "noncentral_f": "dfnum dfden nonc", "pareto": "a", "poisson": "lam=1.0",
    "power": "a", "rayleigh": "scale=1.0", "standard_cauchy": "", "standard_gamma": "shape", "standard_t": "df",
    "triangular": "left mode right", "vonmises": "mu kappa", "wald": "mean scale", "weibull": "a", "zipf": "a",
}  # fmt: skip
_OF_INTEGERS = {
    "binomial", "geometric", "hypergeometric", "logseries", "negative_binomial", "poisson", "zipf", "integers",
}  # fmt: skip


class _Drawn:
    """What NumPy draws for the blocks of an array: each has a seed of its own."""

    def __init__(self, name, entropy, number, chunks, dtype, named, keywords):
        self.name, self.seed, self.chunks, self.dtype = name, (entropy, number), chunks, dtype
        self.named, self.keywords = named, keywords

    def __call__(self, location, *parameters):
        entropy, number = self.seed
        words = np.random.SeedSequence(entropy, spawn_key=(number, *location))
        shape = tuple(sizes[place] for sizes, place in zip(self.chunks, location))
        named = {**self.keywords, **dict(zip(self.named, parameters))}
        drawn = getattr(np.random.Generator(np.random.Philox(words)), self.name)(**named, size=shape)
        return np.asarray(drawn).astype(self.dtype, copy=False)


class _Source:
    """Makes random arrays of one seed after the other. A seed begins anew in each run."""

    def __init__(self, seed=None):
        if seed is None or isinstance(seed, type):
            seed = secrets.randbits(128)
        if hasattr(seed, "seed_seq"):
            # A bit generator of NumPy's.
            seed = seed.seed_seq.entropy
        self._entropy = operator.index(seed) if hasattr(seed, "__index__") else seed
        # The whole seed, checked as NumPy does.
        self._words = np.random.SeedSequence(self._entropy)
        self._cores, self._counts = weakref.WeakKeyDictionary(), weakref.WeakKeyDictionary()
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

    def _numbered(self):
        """How many arrays NumPy has drawn in this run before."""
        client = _client_or_new()
        run = client._run if client._run is not None else client
        number = self._counts[run] = self._counts.get(run, 0) + 1
        return number, client

    def _drawn(self, name, parameters, size, chunks, dtype=None, last=(), **keywords):
        """An array of a distribution of NumPy's; parameters are numbers or arrays."""
        arrays = {key: value for key, value in parameters.items() if np.ndim(value) and not last}
        fixed = {key: value for key, value in parameters.items() if key not in arrays}
        shape = shape_of(size) if size is not None or not arrays else _broadcast(*map(asarray, arrays.values()))
        dtype = dtype_of(dtype or (np.int64 if name in _OF_INTEGERS or last else np.float64))
        if not arrays:
            # Wrong parameters are an error now, not in the tasks.
            getattr(np.random.default_rng(0), name)(**fixed, **keywords, size=1)
        chunks = normalize_chunks(chunks, shape, dtype=dtype)
        if name in _DISTRIBUTIONS and not arrays:
            core, client = self._core()
            return Array._of(core.drawn(name, list(map(float, fixed.values())), chunks), client)
        number, client = self._numbered()
        function = _Drawn(name, self._words.entropy, number, chunks, dtype, tuple(arrays), fixed | keywords)
        if not arrays:
            return blocks_of(_Shaped(function, len(chunks)), chunks + tuple((n,) for n in last), dtype, client)
        labels = tuple(range(len(shape)))
        operands = [(broadcast_to(asarray(value), shape).rechunk(chunks), labels) for value in arrays.values()]
        return call_located(function, operands, labels, dtype)

    def _reals(self, name, parameters, size, chunks, dtype=np.float64):
        dtype = dtype_of(dtype)
        if dtype.kind != "f":
            raise TypeError(f"random real numbers are float64 or float32, not {dtype}")
        chunks = normalize_chunks(chunks, shape_of(size), dtype=dtype)
        core, client = self._core()
        return Array._of(core.reals(name, parameters, dtype.name, chunks), client)

    def _reals_of(self, name, own, parameters, size, chunks):
        """Numbers of a distribution of the runtime; of NumPy's, if a parameter is an array."""
        if any(np.ndim(value) for value in parameters.values()):
            return self._drawn(name, parameters, size, chunks)
        given = [float(value) for value in parameters.values()]
        return self._reals(own, (*given, 0.0)[:2], size, chunks)

    def _integers(self, low, high, size, dtype, chunks):
        dtype = dtype_of(dtype)
        low, high = (0, low) if high is None else (low, high)
        if np.ndim(low) or np.ndim(high):
            return self._drawn("integers", {"low": low, "high": high}, size, chunks, dtype)
        chunks = normalize_chunks(chunks, shape_of(size), dtype=dtype)
        core, client = self._core()
        return Array._of(core.integers(int(low), int(high), dtype.name, chunks), client)

    def uniform(self, low=0.0, high=1.0, size=None, chunks="auto"):
        """Uniformly distributed numbers from ``low`` to below ``high``."""
        return self._reals_of("uniform", "uniform", {"low": low, "high": high}, size, chunks)

    def normal(self, loc=0.0, scale=1.0, size=None, chunks="auto"):
        """Normally distributed numbers of this mean and standard deviation."""
        return self._reals_of("normal", "normal", {"loc": loc, "scale": scale}, size, chunks)

    def standard_normal(self, size=None, chunks="auto"):
        """Normally distributed numbers of mean 0 and standard deviation 1."""
        return self.normal(size=size, chunks=chunks)

    def exponential(self, scale=1.0, size=None, chunks="auto"):
        """Exponentially distributed numbers of this mean."""
        return self._reals_of("exponential", "exponential", {"scale": scale}, size, chunks)

    def standard_exponential(self, size=None, chunks="auto"):
        """Exponentially distributed numbers of mean 1."""
        return self.exponential(size=size, chunks=chunks)

    def multinomial(self, n, pvals, size=None, chunks="auto"):
        """How often each of several outcomes comes in ``n`` experiments, along a last axis."""
        return self._drawn("multinomial", {"n": n, "pvals": pvals}, size, chunks, last=np.shape(pvals))

    def _choice(self, a, size, replace, p, axis, chunks):
        shape, whole = shape_of(size), asarray(a) if np.ndim(a) else None
        count = operator.index(a) if whole is None else whole.shape[axis]
        p = None if p is None else np.asarray(p, dtype=float)
        if replace and p is None:
            places = self._integers(0, count, shape, np.int64, chunks)
        elif replace:
            places = self._drawn("choice", {}, shape, chunks, np.int64, a=count, p=p)
        else:
            # Elements that may not come twice are drawn in one block.
            places = self._drawn("choice", {}, shape, -1, np.int64, a=count, p=p, replace=False)
            places = places.rechunk(normalize_chunks(chunks, shape, dtype=np.int64))
        if whole is None:
            return places
        flat = take(whole, places.ravel().compute(), axis)
        found = flat.reshape(whole.shape[:axis] + shape + whole.shape[axis + 1 :])
        return found.rechunk(dict(enumerate(places.chunks, axis)))

    def permutation(self, x, chunks="auto"):
        """The integers below ``x`` in random order, or the elements of an array along its first axis."""
        length = x.shape[0] if isinstance(x, Array) else int(x)
        core, client = self._core()
        order = Array._of(core.permutation(normalize_chunks(chunks, (length,), dtype=np.int64)), client)
        return x[order.compute()] if isinstance(x, Array) else order


class _Shaped:
    """A function of the first axes of a location."""

    def __init__(self, function, count):
        self.function, self.count = function, count

    def __call__(self, location):
        return self.function(location[: self.count])


def _distribution(name, words):
    """A method that draws numbers of a distribution."""
    kind = inspect.Parameter
    parameters = [kind("self", kind.POSITIONAL_OR_KEYWORD)]
    for word in [*words.split(), "size=None", "chunks='auto'"]:
        own, _, default = word.partition("=")
        value = {"": kind.empty, "None": None, "'auto'": "auto"}.get(default)
        parameters.append(kind(own, kind.POSITIONAL_OR_KEYWORD, default=float(default) if "." in default else value))
    signature = inspect.Signature(parameters)

    def draw(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        named = dict(given.arguments)
        source, size, chunks = (named.pop(key) for key in ("self", "size", "chunks"))
        return source._drawn(name, named, size, chunks)

    draw.__name__ = draw.__qualname__ = name
    draw.__doc__ = f"Numbers of the distribution of `numpy.random.Generator.{name}`."
    draw.__signature__ = signature
    return draw


for _name, _words in _DISTRIBUTIONS.items():
    setattr(_Source, _name, _distribution(_name, _words))


class Generator(_Source):
    """Makes random arrays: see `default_rng`."""

    def choice(self, a, size=None, replace=True, p=None, axis=0, shuffle=True, chunks="auto"):
        """Elements of an array, or integers below ``a``, with these probabilities. Of an array they are computed."""
        return self._choice(a, size, replace, p, axis, chunks)

    def multivariate_hypergeometric(self, colors, nsample, size=None, method="marginals", chunks="auto"):
        """How many of each kind come when items are drawn without replacement, along a last axis."""
        given = {"colors": colors, "nsample": nsample}
        return self._drawn(
            "multivariate_hypergeometric", given, size, chunks, last=np.shape(colors), method=method
        )  # fmt: skip

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

    def choice(self, a, size=None, replace=True, p=None, chunks="auto"):
        """Elements of an array, or integers below ``a``, with these probabilities. Of an array they are computed."""
        return self._choice(a, size, replace, p, 0, chunks)

    def random_integers(self, low, high=None, size=None, chunks="auto"):
        """Uniformly distributed integers from ``low``, or 1, up to ``high``."""
        low, high = (1, low) if high is None else (low, high)
        return self._integers(low, high + 1, size, np.int64, chunks)

    def tomaxint(self, size=None, chunks="auto"):
        """Uniformly distributed integers from 0 to the largest one."""
        return self._integers(0, np.iinfo(np.int64).max, size, np.int64, chunks)

    def seed(self, seed=None):
        """Begins anew with another seed."""
        self.__init__(seed)


def default_rng(seed=None):
    """A generator of random arrays. Without a seed, each one is another."""
    return seed if isinstance(seed, Generator) else Generator(seed)


_default = RandomState()
_MODULE_NAMES = (
    "random", "random_sample", "uniform", "normal", "standard_normal", "exponential", "standard_exponential", "randint",
    "permutation", "seed", "choice", "multinomial", "random_integers", *_DISTRIBUTIONS,
)  # fmt: skip
for _name in _MODULE_NAMES:
    globals()[_name] = getattr(_default, _name)
__all__ += _MODULE_NAMES
