"""Keys of calls: calls of a client with equal keys are one task."""

import hashlib
import io

import cloudpickle

from ._functions import name_of
from ._maniple import Future


class _Pickler(cloudpickle.Pickler):
    """Pickles a call. The key of a future stands for it."""

    def persistent_id(self, value):
        return value.key if isinstance(value, Future) else None


def key_of_call(function, args, kwargs, prefix=None):
    """A key for a call of a pure function: equal calls have equal keys.

    Parameters
    ----------
    function, args, kwargs
        The call. Futures may be among the arguments.
    prefix : str, optional
        What the key begins with. By default the name of the function.
    """
    file = io.BytesIO()
    _Pickler(file, 5).dump((function, args, kwargs))
    digest = hashlib.blake2b(file.getbuffer(), digest_size=16).hexdigest()
    return f"{prefix or name_of(function)}-{digest}"
