"""How many tasks have ended, as a widget of a notebook or a line of text."""

import sys
import time

from ._containers import replace
from ._delayed import Collection, Delayed
from ._maniple import Future

_WIDTH = 40


def progress(*futures, notebook=None, multi=None, interval=0.1, file=None, **ignored):
    """Shows how many tasks have ended: on a line of text until all have, or as a widget of a notebook.

    In a notebook with ipywidgets the call returns at once, and the widget follows the tasks. Elsewhere the call waits.

    Parameters
    ----------
    *futures : Future, Delayed or Array
        Futures, and delayed values and arrays that were persisted, also within lists and other containers.
    notebook : bool, optional
        Whether a widget is shown. By default where there is a notebook, and ipywidgets is installed.
    multi
        Accepted without effect.
    interval : float, optional
        Seconds between two updates.
    file : file, optional
        Where the line is written: by default the standard output.

    Examples
    --------
    >>> import io
    >>> text = io.StringIO()
    >>> progress(client.map(len, ["a", "bc"]), file=text)
    >>> "100% completed" in text.getvalue()
    True
    """
    tasks = Tasks(futures)
    if _has_widgets() if notebook is None else notebook:
        from ._widget import show

        return show(tasks, interval)
    file, start = sys.stdout if file is None else file, time.monotonic()
    while True:
        ended, count = tasks.counts()
        _write(file, ended, count, time.monotonic() - start)
        if ended == count:
            break
        time.sleep(interval)
    file.write("\n")
    file.flush()


class Tasks:
    """The tasks of futures, and of delayed values and arrays that were persisted."""

    def __init__(self, values):
        self._values = []
        replace(values, (Future, Delayed, Collection), self._values.append)
        if not self._values:
            raise TypeError("progress takes futures, and delayed values and arrays that were persisted")
        self.counts()

    def counts(self):
        """How many tasks have ended, and how many there are."""
        pairs = [_counts(value) for value in self._values]
        return sum(ended for ended, _ in pairs), sum(count for _, count in pairs)

    def has_failed(self):
        """Whether the task of some future has failed or was cancelled."""
        return any(isinstance(value, Future) and value.status in ("error", "cancelled") for value in self._values)


def _counts(value):
    """How many tasks of a value have ended, and how many it has."""
    if isinstance(value, Delayed):
        value = vars(value).get("_future", value)
    if isinstance(value, Future):
        return int(value.done()), 1
    counts = value._persisted_blocks() if isinstance(value, Collection) else None
    if counts is None:
        raise TypeError(f"{value!r} has no tasks yet: persist() it")
    return counts


def _has_widgets():
    """Whether this program runs in a notebook, and ipywidgets is installed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not hasattr(shell, "kernel"):
        return False
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        return False
    return True


def _write(file, ended, count, seconds):
    share = ended / count
    bar = "#" * int(_WIDTH * share)
    file.write(f"\r[{bar:<{_WIDTH}}] | {share:4.0%} completed | {seconds:.1f} s")
    file.flush()
