"""The ranks of a run, as the client shows them."""

from ._options import given


def workers(core, only=None):
    """The ranks that run tasks; or only those that are named: ranks, addresses or names of hosts."""
    ranks = [rank for rank in core.ranks() if rank["is_worker"]]
    if only is None:
        return ranks
    wanted = given(0, 0, only, False, None)
    numbers, hosts = {rank["rank"] for rank in ranks}, {rank["host"] for rank in ranks}
    unknown = sorted(set(wanted["ranks"]) - numbers) + sorted(set(wanted["hosts"]) - hosts)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no worker: these are ranks {sorted(numbers)} on {', '.join(sorted(hosts))}")
    return [rank for rank in ranks if rank["rank"] in wanted["ranks"] or rank["host"] in wanted["hosts"]]


def address(rank):
    return f"mpi://{rank['host']}/{rank['rank']}"
