"""Calls functions when futures have ended, on a thread of its own."""

import itertools
import sys
import threading
import traceback

from ._errors import RunError


class Callbacks:
    """The functions that wait for futures of a client."""

    def __init__(self, core):
        self._core = core
        self._condition = threading.Condition()
        self._waiting = {}
        self._numbers = itertools.count()
        self._completions = None
        self._thread = None
        self._is_closed = False

    def add(self, future, function, at_close=None):
        """Has ``function(future)`` called once the future has ended, or ``at_close()`` if the client is closed before."""
        with self._condition:
            if self._completions is None:
                self._completions = self._core.completions()
            number = next(self._numbers)
            self._waiting[number] = (future, function, at_close)
            self._completions.add(future, number)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="maniple-callbacks", daemon=True)
                self._thread.start()
            self._condition.notify()

    def _serve(self):
        while True:
            with self._condition:
                while not self._waiting and not self._is_closed:
                    self._condition.wait()
                if self._is_closed:
                    return
            try:
                number = self._completions.next(0.5)
            except TimeoutError:
                continue
            except (RunError, KeyboardInterrupt):
                return self.close()
            with self._condition:
                if self._is_closed:
                    return
                future, function, _ = self._waiting.pop(number)
            try:
                function(future)
            except Exception:
                print(f"Exception in the callback {function!r}:", file=sys.stderr)
                traceback.print_exc()
            del future, function

    def close(self):
        """Calls no more functions."""
        with self._condition:
            self._is_closed = True
            left = [at_close for _, _, at_close in self._waiting.values() if at_close is not None]
            self._waiting.clear()
            self._condition.notify()
        for at_close in left:
            at_close()

