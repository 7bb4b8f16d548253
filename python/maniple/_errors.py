"""Exceptions, and how they travel from a task to the driver."""

import concurrent.futures
import pickle
import traceback

from . import _functions

# What a task may add to its failure; the library drops more.
_DETAIL_BYTES_MAX = 64 << 10
_TEXT_MAX = 16 << 10


class RunError(RuntimeError):
    """The run cannot start or go on, or has ended."""


class TaskError(RunError):
    """A task failed for another reason than an exception of its function, or with one that cannot be pickled."""


class KilledWorker(TaskError):
    """A task was lost with the worker that ran it."""


class CancelledError(concurrent.futures.CancelledError):
    """The task, or one that it needs, was cancelled."""


class RemoteTraceback(Exception):
    """The traceback of a task as text: the cause of the exception that the driver sees."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __str__(self):
        return f'\n"""\n{self.text}"""'


def traceback_of(error):
    """The traceback of a task's exception, as the standard library's `traceback` takes it, or None."""
    remote = getattr(error, "__cause__", None)
    if not isinstance(remote, RemoteTraceback):
        return None
    import tblib

    return tblib.Traceback.from_string(remote.text).as_traceback()


def _message(error):
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    name = type(error).__qualname__
    return f"{name}: {text}" if text else name


def _dumps(value):
    """Pickles a value so that another process can read it, or returns None."""
    try:
        data = _functions.dumps(value)
        # Many exceptions can be written but not read: their __init__ takes other arguments than their args.
        pickle.loads(data)
        return data if len(data) <= _DETAIL_BYTES_MAX // 2 else None
    except Exception:
        return None


def describe(error):
    """The message of a task's exception, and what `make` makes the exception of."""
    message = _message(error)
    text = "".join(traceback.format_exception(error))
    if len(text) > _TEXT_MAX:
        text = text[: _TEXT_MAX // 2] + "\n  ...\n" + text[-_TEXT_MAX // 2 :]
    # SystemExit and the like are meant for the task, not for the driver.
    data = _dumps(error) if isinstance(error, Exception) else None
    return message, pickle.dumps((data, message, text), 5)


def make(kind, words, detail):
    """The exception of a failed task or run. `words` is the library's message."""
    if kind != "raised":
        return {"CancelledError": CancelledError, "KilledWorker": KilledWorker, "TaskError": TaskError}.get(
            kind, RunError
        )(words)
    if not detail:
        return TaskError(words)
    data, message, text = pickle.loads(detail)
    try:
        error = pickle.loads(data) if data else None
    except Exception:
        # Its class is unknown here.
        error = None
    if not isinstance(error, BaseException):
        error = TaskError(words)
    else:
        error.add_note(words.replace(f": {message}", "", 1))
    error.__cause__ = RemoteTraceback(text)
    return error
