"""A line that shows how far tasks have come."""

import sys
import time

from ._containers import replace
from ._maniple import Future

_WIDTH = 40


def progress(*futures, notebook=None, multi=None, interval=0.1, file=None, **ignored):
    """Waits for futures, also within lists and other containers, and shows on one line how many have ended.

    Parameters
    ----------
    interval : float
        Seconds between two looks.
    file : file, optional
        Where the line is written: by default the standard output, in a terminal and in a notebook.
    notebook, multi
        Accepted without effect.

    Examples
    --------
    >>> progress(client.map(len, ["a", "bc"]), file=log)
    """
    waited = []
    replace(futures, Future, waited.append)
    if not waited:
        raise TypeError("progress takes futures")
    file, start = sys.stdout if file is None else file, time.monotonic()
    left = waited
    while True:
        left = [future for future in left if not future.done()]
        _show(file, len(waited) - len(left), len(waited), time.monotonic() - start)
        if not left:
            break
        time.sleep(interval)
    file.write("\n")
    file.flush()


def _show(file, done, count, seconds):
    share = done / count
    bar = "#" * int(_WIDTH * share)
    file.write(f"\r[{bar:<{_WIDTH}}] | {share:4.0%} completed | {seconds:.1f} s")
    file.flush()
