"""The figures of benches/tasks.rs, of Dask: python -m pip install dask distributed dask-mpi mpi4py, then
mpirun -n 4 python benches/dask_tasks.py
"""

import time

import dask
from dask_mpi import initialize
from distributed import Client

REPETITIONS = 5


def identity(x):
    return x


def increment(x):
    return x + 1


def median(once):
    once()
    return sorted(once() for _ in range(REPETITIONS))[REPETITIONS // 2]


def main(client):
    def map_and_gather(count=10_000):
        start = time.perf_counter()
        futures = client.map(identity, range(count), pure=False)
        assert client.gather(futures) == list(range(count))
        return count / (time.perf_counter() - start)

    def one_at_a_time(count=2_000):
        start = time.perf_counter()
        futures = [client.submit(identity, x, pure=False) for x in range(count)]
        client.gather(futures)
        return count / (time.perf_counter() - start)

    def chain(links=500):
        start = time.perf_counter()
        link = client.submit(identity, 0, pure=False)
        for _ in range(links):
            link = client.submit(increment, link, pure=False)
        assert link.result() == links
        return (time.perf_counter() - start) / links

    def round_trip():
        times = []
        for x in range(200):
            start = time.perf_counter()
            client.submit(increment, x, pure=False).result()
            times.append(time.perf_counter() - start)
        return sorted(times)[len(times) // 2]

    print(f"dask {dask.__version__}, workers: {len(client.scheduler_info()['workers'])}")
    print(f"map of 10,000 no-op tasks, gathered: {median(map_and_gather):.4g} tasks/s")
    print(f"2,000 no-op tasks submitted one at a time: {median(one_at_a_time):.4g} tasks/s")
    print(f"one task, submit to result, median: {round_trip():.4g} s")
    print(f"chain of 500 dependent tasks, a link: {median(chain):.4g} s")


if __name__ == "__main__":
    dask.config.set({"distributed.scheduler.worker-saturation": "inf"})
    initialize(nthreads=1, dashboard=False)
    with Client() as client:
        client.wait_for_workers(2)
        main(client)
