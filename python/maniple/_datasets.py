"""What is published on a cluster, as a dictionary."""

import collections.abc

from . import _maniple
from ._maniple import Future


class Datasets(collections.abc.MutableMapping):
    """The published values of a client's run by their names: see `Client.publish_dataset`."""

    def __init__(self, client):
        self._client = client

    def __getitem__(self, name):
        return self._client.get_dataset(name)

    def __setitem__(self, name, value):
        if name in self:
            del self[name]
        self._client.publish_dataset(value, name=name)

    def __delitem__(self, name):
        self._client.unpublish_dataset(name)

    def __contains__(self, name):
        return name in self._client.list_datasets()

    def __iter__(self):
        return iter(self._client.list_datasets())

    def __len__(self):
        return len(self._client.list_datasets())

    def __repr__(self):
        return f"<Datasets: {', '.join(sorted(self))}>"


class Publications:
    """The part of `Client` for values that outlive it."""

    def publish_dataset(self, *values, name=None, override=False, **named):
        """Publishes futures and arrays under names, so that they outlive this client.

        Parameters
        ----------
        *values : Future, list of Future, or Array
            One value for ``name``.
        name : str, optional
            The name of the value.
        override : bool
            Whether a value that has the name is replaced.
        **named
            Values by their names.

        Raises
        ------
        KeyError
            If something else has the name, and ``override`` is false.

        Examples
        --------
        >>> client.publish_dataset(total=client.submit(sum, [1, 2]))
        >>> client.publish_dataset(da.arange(4, chunks=2), name="numbers")
        >>> client.list_datasets()
        ('numbers', 'total')
        >>> client.get_dataset("total").result(), client.datasets["numbers"].sum().compute()
        (3, np.int64(6))
        >>> client.unpublish_dataset("total")
        >>> "total" in client.datasets
        False
        """
        from ._delayed import Collection

        self._check_open()
        if values:
            if name is None or len(values) > 1:
                raise ValueError("publish_dataset takes one value and name=, or values by keyword")
            named[name] = values[0]
        for name, value in named.items():
            if override:
                self._core.unpublish(name)
            if isinstance(value, Collection):
                value._publish(self, name)
                continue
            is_one = isinstance(value, Future)
            futures = [value] if is_one else list(value)
            if not all(isinstance(future, Future) for future in futures):
                raise TypeError(f"{name!r} is no future, list of futures or array: scatter it before")
            self._core.publish(name, futures, is_one)

    _no_default = object()

    def get_dataset(self, name, default=_no_default):
        """Returns what was published under a name.

        Parameters
        ----------
        name : str
        default : object, optional
            What is returned if nothing was published under the name.

        Returns
        -------
        Future, list of Future, or Array

        Raises
        ------
        KeyError
            If nothing was published under the name, and there is no default.

        Examples
        --------
        >>> client.get_dataset("nothing", default=0)
        0
        """
        self._check_open()
        core = _maniple.published_array(self._core, name)
        if core is not None:
            from .array import Array

            return Array._of(core, self)
        found = self._core.published(name, self)
        if found is not None:
            return found
        if default is Publications._no_default:
            raise KeyError(f"nothing is published as {name!r}")
        return default

    @property
    def datasets(self):
        """What is published, as a dictionary.

        Examples
        --------
        >>> client.datasets["x"] = client.submit(abs, -1)
        >>> client.datasets["x"].result()
        1
        >>> del client.datasets["x"]
        """
        return Datasets(self)

    def list_datasets(self):
        """Returns the names under which something is published.

        Examples
        --------
        >>> client.list_datasets()
        ()
        """
        self._check_open()
        return tuple(self._core.publications())

    def unpublish_dataset(self, name):
        """Forgets a name. What it stands for is freed as soon as no client holds it.

        Parameters
        ----------
        name : str

        Raises
        ------
        KeyError
            If nothing is published under the name.

        Examples
        --------
        >>> client.publish_dataset(client.submit(abs, -1), name="one")
        >>> client.unpublish_dataset("one")
        """
        self._check_open()
        if not self._core.unpublish(name):
            raise KeyError(f"nothing is published as {name!r}")
