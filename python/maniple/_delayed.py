"""Calls that are made later."""

import operator

from . import _client
from ._functions import name_of
from ._maniple import Future


class Delayed:
    """A call that is made when its result is asked for; or a value. Arguments may be other delayed calls."""

    def __init__(self, function, args=(), kwargs=None, options=None):
        self._function, self._args, self._kwargs, self._options = function, args, kwargs or {}, options or {}

    def compute(self, **options):
        """Makes the call, and those that it needs, and returns its result."""
        return compute(self, **options)[0]

    def persist(self, **options):
        """Makes the call, and returns a delayed value of its result, which stays on a worker."""
        return _client_or_new().persist(self, **options)

    @property
    def key(self):
        """A name for the call that no other one has."""
        return f"{name_of(self._function)}-{id(self):x}"

    def __repr__(self):
        return f"Delayed({self.key!r})"

    def __call__(self, *args, **kwargs):
        return Delayed(_apply, (self, args, kwargs))

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Delayed(getattr, (self, name))

    def __getitem__(self, place):
        return Delayed(operator.getitem, (self, place))

    def __iter__(self):
        raise TypeError("a delayed value cannot be iterated over: its length is unknown")

    def __bool__(self):
        raise TypeError("the truth of a delayed value is unknown")

    def __neg__(self):
        return Delayed(operator.neg, (self,))

    def __abs__(self):
        return Delayed(operator.abs, (self,))


def _apply(function, args, kwargs):
    return function(*args, **kwargs)


def _add_operators():
    for name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split():
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)

        def forwards(self, other, function=function):
            return Delayed(function, (self, other))

        def backwards(self, other, function=function):
            return Delayed(function, (other, self))

        setattr(Delayed, f"__{name}__", forwards)
        setattr(Delayed, f"__r{name}__", backwards)
    for name in "lt le gt ge".split():
        function = getattr(operator, name)
        setattr(Delayed, f"__{name}__", lambda self, other, function=function: Delayed(function, (self, other)))


_add_operators()


class DelayedFunction:
    """A function whose calls are made later."""

    def __init__(self, function, options):
        self._function, self._options = function, options
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = name_of(function)

    def __call__(self, *args, **kwargs):
        return Delayed(self._function, args, kwargs, self._options)

    def __repr__(self):
        return f"<delayed function {self.__name__}>"


def delayed(obj=None, *, name=None, pure=None, nout=None, traverse=True, **options):
    """Makes a function delayed: its calls return `Delayed` at once. Of another value, a delayed value.

    Keywords of `Client.submit` (``priority``, ``retries``, ``workers``, ``resources``) apply to its calls.

    Examples
    --------
    >>> @delayed
    ... def double(x):
    ...     return 2 * x
    >>> (double(3) + 1).compute()
    7
    """
    if nout is not None:
        raise NotImplementedError("delayed(nout=...)")
    if obj is None:
        return lambda function: delayed(function, **options)
    if isinstance(obj, Delayed):
        return obj
    if callable(obj):
        return DelayedFunction(obj, options)
    return Delayed(_identity, (obj,))


def _identity(value):
    return value


def persisted(future):
    """A delayed value of a future's object."""
    value = Delayed(_identity, (future,))
    value._future = future
    return value


def submit_all(client, values, options):
    """Futures of delayed calls. A call that several others need is made once."""
    known = {}
    futures = []
    for value in values:
        if not isinstance(value, Delayed):
            raise TypeError(f"compute takes delayed values, not a {type(value).__name__}")
        _submit(client, value, options, known)
        futures.append(known[id(value)])
    return futures


def _submit(client, value, options, known):
    # No recursion: chains may be long.
    pending = [value]
    while pending:
        call = pending[-1]
        if id(call) in known:
            pending.pop()
            continue
        if isinstance(call.__dict__.get("_future"), Future):
            known[id(call)] = call._future
            continue
        needed = []
        _client._replace((call._args, call._kwargs), Delayed, needed.append)
        missing = [other for other in needed if id(other) not in known]
        if missing:
            pending.extend(missing)
            continue
        args, kwargs = _client._replace((call._args, call._kwargs), Delayed, lambda other: known[id(other)])
        chosen = {**call._options, **options}
        # Keywords of the call may have the names of options.
        clash = set(kwargs) & _SUBMIT_KEYWORDS
        if clash:
            known[id(call)] = client.submit(_apply, call._function, args, kwargs, **chosen)
        else:
            known[id(call)] = client.submit(call._function, *args, **chosen, **kwargs)


_SUBMIT_KEYWORDS = {"key", "pure", "workers", "resources", "retries", "priority", "allow_other_workers"}


def _client_or_new():
    """The default client, or one of this process."""
    try:
        return _client.get_client()
    except ValueError:
        return _client._keep(_client.Client())


def compute(*values, **options):
    """Makes delayed calls and returns a tuple of their results. Other values are returned as they are.

    Lists, tuples and dictionaries of delayed calls are computed to such of results.
    """
    options.pop("scheduler", None)
    found = []
    _client._replace(values, Delayed, found.append)
    if not found:
        return values
    client = _client_or_new()
    results = dict(zip(map(id, found), client.gather(submit_all(client, found, options))))
    return _client._replace(values, Delayed, lambda value: results[id(value)])
