"""The widget of `progress`, which needs ipywidgets."""

import threading
import time

import ipywidgets
from IPython.display import display


def show(tasks, interval):
    """Displays a bar that follows tasks, on a thread of its own, until all have ended."""
    ended, count = tasks.counts()
    bar = ipywidgets.IntProgress(value=ended, max=count)
    text = ipywidgets.Label()
    display(ipywidgets.HBox([bar, text]))
    start = time.monotonic()

    def update():
        ended, _ = tasks.counts()
        bar.value = ended
        text.value = f"{ended} of {count} tasks, {time.monotonic() - start:.1f} s"
        if tasks.has_failed():
            bar.bar_style = "danger"
        elif ended == count:
            bar.bar_style = "success"
        return ended < count

    def follow():
        while update():
            time.sleep(interval)

    if update():
        threading.Thread(target=follow, name="maniple-progress", daemon=True).start()
