"""Options of tasks and of clients."""


def refuse_unknown(what, options):
    """Accepts keywords of Dask's that have no meaning here, and refuses misspelt ones."""
    meaningless = {
        "asynchronous", "direct_to_workers", "heartbeat_interval", "host", "interface", "loop", "name", "protocol",
        "scheduler_port", "security", "serializers", "deserializers", "set_as_default", "silence_logs", "timeout",
        "worker_class", "worker_dashboard_address",
    }  # fmt: skip
    unknown = sorted(set(options) - meaningless)
    if unknown:
        raise TypeError(f"{what}() got an unexpected keyword argument {unknown[0]!r}")


def given(priority, retries, workers, allow_other_workers, resources):
    """The options of tasks, or None."""
    if not (priority or retries or workers or resources) and workers != 0:
        return None
    ranks, hosts = [], []
    if workers is not None:
        for worker in [workers] if isinstance(workers, (int, str)) else workers:
            if isinstance(worker, int):
                ranks.append(worker)
            elif worker.startswith("mpi://"):
                ranks.append(int(worker.rpartition("/")[2]))
            else:
                hosts.append(worker)
    return {
        "priority": priority or 0,
        "retries": retries or 0,
        "ranks": ranks,
        "hosts": hosts,
        "allow_other_workers": bool(allow_other_workers),
        "resources": list((resources or {}).items()),
    }
