"""Clients and clusters in notebooks."""

import html


def size(count):
    """A number of bytes for people."""
    for unit in ("B", "kiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count} B" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1024


def client(kind, ranks):
    """What a notebook shows for a client whose run has these ranks; None: it is closed."""
    head = f"<h3>Client</h3><p>Connection: {html.escape(kind)}</p>"
    return f"<div>{head}{'' if ranks is None else _ranks(ranks)}</div>"


def cluster(name, ranks):
    """What a notebook shows for a cluster of these ranks; None: it is closed."""
    return f"<div><h3>{html.escape(name)}</h3>{'<p>closed</p>' if ranks is None else _ranks(ranks)}</div>"


def future(future):
    """What a notebook shows for a future."""
    facts = [("Future", future.key), ("Status", future.status)]
    if future.status == "error":
        error = future._now("exception")
        facts.append(("Exception", f"{type(error).__name__}: {error}"))
    return f"<div>{_table([], facts)}</div>"


def _ranks(ranks):
    workers = [rank for rank in ranks if rank["is_worker"]]
    scheduler = next(rank for rank in ranks if rank["is_scheduler"])
    threads = sum(rank["nthreads"] for rank in workers)
    memory = sum(rank["memory_limit"] for rank in workers)
    facts = [
        ("Scheduler", f"rank {scheduler['rank']} on {scheduler['host']}, process {scheduler['pid']}"),
        ("Workers", len(workers)),
        ("Threads", threads),
        ("Memory", size(memory)),
    ]
    table = _table([], facts)
    rows = [
        (rank["rank"], rank["host"], rank["pid"], rank["nthreads"], size(rank["memory_limit"]), _amounts(rank["resources"]))
        for rank in workers
    ]
    names = ["Rank", "Host", "Process", "Threads", "Memory", "Resources"]
    return f"{table}<details><summary><b>Workers</b></summary>{_table(names, rows)}</details>"


def _amounts(resources):
    return ", ".join(f"{name}={amount}" for name, amount in resources.items())


def _table(names, rows):
    line = lambda tag, cells: "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)  # noqa: E731
    head = f"<thead><tr>{line('th', names)}</tr></thead>" if names else ""
    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def picture(filename):
    """What shows a picture in a notebook, if it is SVG and IPython is there."""
    try:
        from IPython.display import SVG
    except ImportError:
        return None
    return SVG(filename=filename) if filename.endswith(".svg") else None


def picture_path(filename):
    """The path of a picture that is to be written. Raises `ValueError` if its format is unknown."""
    if not str(filename).endswith((".svg", ".dot", ".gv")):
        raise ValueError(f"visualize writes files that end in .svg, .dot or .gv, not {filename!r}")
    return str(filename)
