"""Functions as bytes."""

import collections
import os
import pickle
import sys
import threading
import types

import cloudpickle

# Code is bytes of one version of Python.
_VERSION = sys.version_info[:2]

# Functions whose pickle cannot change, which are pickled once.
_KNOWN_MAX = 128


def name_of(function):
    """The name that errors, reports and keys have for a function."""
    while hasattr(function, "func"):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return name


def dumps(value):
    """Pickles a function or another object: code by its name if workers can import it, else as it is."""
    try:
        data = pickle.dumps(value, 5)
    except Exception:
        data = None
    if data is None or b"__main__" in data:
        data = pickle.dumps(_ByValue(cloudpickle.dumps(value, 5)), 5)
    return data


class _ByValue:
    """The pickle of an object that brings its code with it."""

    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        return _loads, (_VERSION, self.data)


def _loads(version, data):
    if version != sys.version_info[:2]:
        from ._errors import RunError

        theirs, own = (".".join(map(str, each)) for each in (version, sys.version_info[:2]))
        raise RunError(
            f"it was pickled with its code by Python {theirs}, which Python {own} of {os.uname().nodename} cannot run: "
            "use one version, or import it from a module that both have"
        )
    return pickle.loads(data)


def _is_constant(function):
    """Whether a function refers to nothing that can change: no globals of its program, no closure, no defaults."""
    if type(function) is types.BuiltinFunctionType:
        return getattr(function, "__self__", None) is None or isinstance(function.__self__, types.ModuleType)
    if type(function) is not types.FunctionType:
        return False
    code = function.__code__
    return (
        not function.__closure__
        and not function.__defaults__
        and not function.__kwdefaults__
        and not function.__dict__
        and not any(isinstance(constant, types.CodeType) for constant in code.co_consts)
        and not any(name in function.__globals__ for name in code.co_names)
    )


class Functions:
    """The functions that were handed to a run. One of the same content is handed over once."""

    def __init__(self, core):
        self._core = core
        self._lock = threading.Lock()
        self._by_pickle = collections.OrderedDict()
        self._constant = collections.OrderedDict()

    def hand_over(self, function, name=None):
        """The function as the run knows it, under its own name or another one."""
        name = name or name_of(function)
        identity = (id(function), name)
        known = self._constant.get(identity)
        if known is not None:
            return known[1]
        try:
            data = dumps(function)
        except Exception as error:
            error.add_note(f"the function {name} cannot be sent to workers")
            raise
        with self._lock:
            key = (name, data)
            handed = self._by_pickle.get(key)
            if handed is None:
                handed = self._core.function(data, name)
                self._by_pickle[key] = handed
                while len(self._by_pickle) > _KNOWN_MAX:
                    self._by_pickle.popitem(last=False)
            if _is_constant(function):
                # The function is kept with it, so that no other one gets its identity.
                self._constant[identity] = (function, handed)
                while len(self._constant) > _KNOWN_MAX:
                    self._constant.popitem(last=False)
        return handed
