"""Overheads of tasks: a map of no-ops, submit to result, a chain, and an array from worker to worker.

mpirun -n 4 python benches/tasks.py            # Maniple, 2 workers
mpirun -n 4 python benches/tasks.py --dask     # dask-mpi (pip install dask distributed dask-mpi)
python benches/tasks.py                        # Maniple in one process
"""

import argparse
import statistics
import time

import numpy as np


def noop(x):
    return x


def make(n):
    return np.ones(n // 8)


def read(x):
    return float(x[0] + x[-1])


def timed(repeats, work):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args()
    begun = time.perf_counter()
    if options.dask:
        from dask_mpi import initialize
        from distributed import Client

        # Without an interface it may listen where no other rank gets through.
        initialize(interface="lo")
    else:
        from maniple import Client, initialize

        initialize()
    client = Client()
    client.submit(noop, 0).result()
    first = time.perf_counter() - begun
    workers = list(client.scheduler_info()["workers"])
    print(f"{'dask-mpi' if options.dask else 'maniple'}, {len(workers)} workers")
    print(f"first result after the imports   {first * 1e3:10.1f} ms")

    count = [0]

    def many():
        # Dask takes equal calls for one task.
        count[0] += options.tasks
        items = range(count[0], count[0] + options.tasks)
        assert client.gather(client.map(noop, items)) == list(items)

    seconds = timed(options.repeats, many)
    print(f"map of {options.tasks} no-ops, gathered   {options.tasks / seconds:10.0f} tasks/s")

    def one():
        count[0] += 1
        client.submit(noop, count[0]).result()

    print(f"submit to result                 {timed(20 * options.repeats, one) * 1e3:10.3f} ms")

    def chain():
        count[0] += 1
        future = client.submit(noop, count[0])
        for _ in range(499):
            future = client.submit(noop, future, key=None, pure=False)
        future.result()

    print(f"chain of 500, a link             {timed(options.repeats, chain) / 500 * 1e3:10.4f} ms")

    size = 100_000_000
    times = []
    if len(workers) > 1:
        for _ in range(options.repeats):
            array = client.submit(make, size, workers=[workers[0]], pure=False)
            while not array.done():
                time.sleep(0.01)
            start = time.perf_counter()
            assert client.submit(read, array, workers=[workers[1]], pure=False).result() == 2.0
            times.append(time.perf_counter() - start)
        print(f"100 MB from worker to worker     {statistics.median(times) * 1e3:10.1f} ms")
    client.shutdown()


if __name__ == "__main__":
    main()
