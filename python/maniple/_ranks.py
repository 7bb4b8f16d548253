"""The ranks of a run, as the client shows them."""


def workers(core):
    """The ranks that run tasks."""
    return [rank for rank in core.ranks() if rank["is_worker"]]


def address(rank):
    return f"mpi://{rank['host']}/{rank['rank']}"
