"""Calls that are made later, and what else `compute` takes."""

import operator

from . import _client, _html, _maniple, _tasks
from ._containers import replace
from ._functions import name_of


class Collection:
    """A lazy value that is no call: an array.

    It has `_persist_all` and `_compute_all`, which take such values and options, `_to_future`, which takes a client and
    options, `_publish`, which takes a client and a name, `_persisted_blocks`, two numbers or None, and `_wait`, which
    takes seconds or None.
    """

    __slots__ = ()


class Delayed:
    """A call that is made when its result is asked for; or a value. `delayed` makes them.

    Arguments may be other delayed calls. Operators, attributes, items and calls of a delayed value are delayed, too.

    Examples
    --------
    >>> words = delayed("two words").split()
    >>> (words[0] + "!").compute()
    'two!'
    """

    def __init__(self, function, args=(), kwargs=None, options=None, length=None):
        self._function, self._args, self._kwargs, self._options = function, args, kwargs or {}, options or {}
        self._length = length

    def compute(self, **options):
        """Makes the call, and those that it needs, and returns its result.

        Parameters
        ----------
        **options
            Keywords of `Client.submit`, such as ``priority``.

        Examples
        --------
        >>> delayed(max)([3, 7, 5]).compute()
        7
        """
        return compute(self, **options)[0]

    def persist(self, **options):
        """Makes the call, and returns a delayed value of its result, which stays on a worker.

        Parameters
        ----------
        **options
            Keywords of `Client.submit`, such as ``priority``.

        Examples
        --------
        >>> table = delayed(dict)(a=1).persist()
        >>> table["a"].compute()
        1
        """
        return _client_or_new().persist(self, **options)

    def visualize(self, filename="maniple.svg", **ignored):
        """Writes a picture of the call and those that it needs, as `visualize`.

        Parameters
        ----------
        filename : str or path
            It ends in ``.svg``, ``.dot`` or ``.gv``.
        """
        return visualize(self, filename=filename)

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
        if self._length is None:
            raise TypeError(
                "a delayed value cannot be iterated over: its length is unknown; delayed(function, nout=N) tells it"
            )
        return iter([self[place] for place in range(self._length)])

    def __len__(self):
        if self._length is None:
            raise TypeError("the length of a delayed value is unknown; delayed(function, nout=N) tells it")
        return self._length

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

    def __init__(self, function, options, length):
        self._function, self._options, self._length = function, options, length
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = name_of(function)

    def __call__(self, *args, **kwargs):
        return Delayed(self._function, args, kwargs, self._options, self._length)

    def __repr__(self):
        return f"<delayed function {self.__name__}>"


def delayed(obj=None, *, name=None, pure=None, nout=None, traverse=True, **options):
    """Makes a function delayed: its calls return `Delayed` at once. Of another value, a delayed value.

    Parameters
    ----------
    obj : callable or object, optional
        Without it, a decorator is returned.
    nout : int, optional
        How many values a call returns. What stands for them can be unpacked: ``a, b = divide(7, 2)``.
    **options
        Keywords of `Client.submit` for the calls: ``priority``, ``retries``, ``workers``, ``resources``.
    name, pure, traverse
        Accepted without effect.

    Returns
    -------
    callable or Delayed

    Examples
    --------
    >>> @delayed
    ... def double(x):
    ...     return 2 * x
    >>> (double(3) + 1).compute()
    7
    """
    if nout is not None and (not isinstance(nout, int) or nout < 0):
        raise ValueError(f"nout={nout!r} is no number of values")
    if obj is None:
        return lambda function: delayed(function, nout=nout, **options)
    if isinstance(obj, Delayed):
        return obj
    if callable(obj):
        return DelayedFunction(obj, options, nout)
    return Delayed(_client.itself, (obj,), length=nout)


def persisted(future):
    """A delayed value of a future's object."""
    value = Delayed(_client.itself, (future,))
    value._future = future
    return value


def submit_all(client, values, options):
    """Futures of delayed calls and arrays. A call that several others need is made once."""
    for value in values:
        if not isinstance(value, (Delayed, Collection)):
            raise TypeError(f"compute takes delayed values and arrays, not a {type(value).__name__}")
    known = {}
    for value, _ in _in_order(values):
        known[id(value)] = _submit(client, value, options, known)
    return [known[id(value)] for value in values]


def _in_order(values):
    """Delayed calls and arrays, and those that they need, each once, what is needed first; each with what it needs."""
    seen = set()
    # No recursion: chains may be long.
    pending = list(values)[::-1]
    while pending:
        value = pending[-1]
        needed = []
        if isinstance(value, Delayed) and "_future" not in value.__dict__:
            replace((value._args, value._kwargs), (Delayed, Collection), needed.append)
        missing = [other for other in needed if id(other) not in seen]
        if missing:
            pending.extend(missing[::-1])
            continue
        pending.pop()
        if id(value) not in seen:
            seen.add(id(value))
            yield value, needed


def _submit(client, call, options, known):
    """A future of a call or an array, whose needs have futures already."""
    if isinstance(call, Collection):
        return call._to_future(client, {})
    if "_future" in call.__dict__:
        return call._future
    args, kwargs = replace((call._args, call._kwargs), (Delayed, Collection), lambda other: known[id(other)])
    chosen = {**call._options, **options}
    # Keywords of the call may have the names of options.
    if set(kwargs) & _SUBMIT_KEYWORDS:
        return client.submit(_apply, call._function, args, kwargs, **chosen)
    return client.submit(call._function, *args, **chosen, **kwargs)


def is_self_contained(value):
    """Whether a delayed value needs neither futures nor arrays."""
    return isinstance(value, Delayed) and all(
        isinstance(each, Delayed)
        and "_future" not in each.__dict__
        and not _contains(each, (Collection, _client.Future))
        for each, _ in _in_order([value])
    )


def _contains(call, kinds):
    found = []
    replace((call._args, call._kwargs), kinds, found.append)
    return bool(found)


def evaluate(value):
    """The result of a delayed value that is self-contained: all its calls are made here."""
    results = {}
    for each, _ in _in_order([value]):
        args, kwargs = replace((each._args, each._kwargs), Delayed, lambda other: results[id(other)])
        results[id(each)] = each._function(*args, **kwargs)
    return results[id(value)]


_SUBMIT_KEYWORDS = {"key", "pure", "workers", "resources", "retries", "priority", "allow_other_workers"}


def _client_or_new():
    """The default client, or one of this process."""
    try:
        return _tasks.get_client()
    except ValueError:
        return _client._keep(_client.Client())


def compute(*values, **options):
    """Makes delayed calls and arrays, and returns a tuple of their results. Other values are returned as they are.

    What several of them need is made once.

    Parameters
    ----------
    *values : object
        Delayed calls and arrays, also within lists, tuples and dictionaries, which stay such of results.
    **options
        Keywords of `Client.submit`, such as ``priority``.

    Returns
    -------
    tuple

    Examples
    --------
    >>> one = delayed(abs)(-1)
    >>> compute(one, {"two": [one + 1]}, "three")
    (1, {'two': [2]}, 'three')
    """
    options.pop("scheduler", None)
    found = []
    replace(values, (Delayed, Collection), found.append)
    if not found:
        return values
    calls = [value for value in found if isinstance(value, Delayed)]
    arrays = [value for value in found if not isinstance(value, Delayed)]
    results = {}
    if calls:
        client = _client_or_new()
        futures = submit_all(client, calls, options)
    if arrays:
        results.update(zip(map(id, arrays), arrays[0]._compute_all(arrays, options)))
    if calls:
        results.update(zip(map(id, calls), client.gather(futures)))
    return replace(values, (Delayed, Collection), lambda value: results[id(value)])


def persist(*values, **options):
    """Has delayed calls and arrays computed, and returns a tuple of what stands for the results, which workers keep.

    Parameters
    ----------
    *values : Delayed or Array
        Also within lists, tuples and dictionaries. Other values are returned as they are.
    **options
        Keywords of `Client.submit`, such as ``priority``.

    Returns
    -------
    tuple

    Examples
    --------
    >>> (x,) = persist(da.arange(10, chunks=5))
    >>> x.sum().compute()
    np.int64(45)
    """
    options.pop("scheduler", None)
    found = []
    replace(values, (Delayed, Collection), found.append)
    if not found:
        return values
    kept = dict(zip(map(id, found), _client_or_new().persist(found, **options)))
    return replace(values, (Delayed, Collection), lambda value: kept[id(value)])


def visualize(*values, filename="maniple.svg", **ignored):
    """Writes a picture of delayed calls and of those that they need; of an array, the steps that make it.

    In a notebook it is shown, too.

    Parameters
    ----------
    *values : Delayed or Array
        Also within lists.
    filename : str or path
        ``.svg`` at its end makes it SVG, ``.dot`` or ``.gv`` DOT.

    Examples
    --------
    >>> visualize(delayed(abs)(-1), filename="picture.dot")
    >>> "abs" in open("picture.dot").read()
    True
    """
    path = _html.picture_path(filename)
    roots = []
    replace(values, (Delayed, Collection), roots.append)
    if not roots:
        raise TypeError("visualize takes delayed values and arrays")
    if len(roots) == 1 and isinstance(roots[0], Collection):
        return roots[0].visualize(path)
    calls, places = [], {}
    for value, needed in _in_order(roots):
        places[id(value)] = len(calls)
        calls.append((_label(value), [places[id(other)] for other in needed]))
    _maniple.draw_calls(calls, [places[id(root)] for root in roots], path)
    return _html.picture(path)


def _label(value):
    """What a picture calls a delayed value."""
    if isinstance(value, Collection):
        return "array"
    if "_future" in value.__dict__:
        return "future"
    if value._function is getattr:
        return f".{value._args[1]}"
    if value._function is operator.getitem:
        return f"[{value._args[1]!r}]"
    return "call" if value._function is _apply else name_of(value._function)


def persist_all(client, values, options):
    """What stands for the results of delayed calls and arrays, which workers keep."""
    arrays = [value for value in values if isinstance(value, Collection)]
    others = [value for value in values if not isinstance(value, Collection)]
    kept = dict(zip(map(id, arrays), arrays[0]._persist_all(arrays, options))) if arrays else {}
    kept.update(zip(map(id, others), map(persisted, submit_all(client, others, options))))
    return [kept[id(value)] for value in values]
