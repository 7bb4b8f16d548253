"""Overheads of tasks: the first result, a map of no-ops, submit to result, a chain, an array from worker to worker, and pi.

Pi is that of ALCF's page on Dask for Aurora, with NumPy, beside NumPy alone in as many processes as there are workers.

mpirun -n 4 python benches/tasks.py            # Maniple, 2 workers
mpirun -n 4 python benches/tasks.py --dask     # dask-mpi (pip install dask distributed dask-mpi)
python benches/tasks.py                        # Maniple in one process
"""

import argparse
import multiprocessing
import statistics
import time

import numpy as np


def noop(x):
    return x


def make(n):
    return np.ones(n // 8)


def read(x):
    return float(x[0] + x[-1])


def count_points_inside_circle(n):
    x = np.random.uniform(low=-1.0, high=1.0, size=(n, 2))
    inside_circle = ((x * x).sum(axis=1) < 1.0).sum()
    return int(inside_circle)


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
    parser.add_argument("--points", type=int, default=20_000_000)
    options = parser.parse_args()
    begun = time.perf_counter()
    if options.dask:
        from dask_mpi import initialize
        from distributed import Client

        initialize(nthreads=1)
    else:
        from maniple import Client, initialize

        initialize()
    client = Client()
    client.submit(noop, 0).result()
    first = time.perf_counter() - begun
    workers = list(client.scheduler_info()["workers"])
    print(f"{'dask-mpi' if options.dask else 'maniple'}, {len(workers)} workers")
    print(f"import to first result           {first * 1e3:10.1f} ms")

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
    # Dask takes equal calls for one task, also those of random numbers.
    parts = [options.points // len(workers)] * len(workers)

    def pi():
        counts = client.map(count_points_inside_circle, parts, pure=False)
        return 4 * client.submit(sum, counts, pure=False).result() / sum(parts)

    assert abs(pi() - 3.1416) < 0.01
    with multiprocessing.get_context("spawn").Pool(len(workers)) as pool:
        alone = lambda: pool.map(count_points_inside_circle, parts, chunksize=1)  # noqa: E731
        alone()
        seconds, seconds_alone = timed(options.repeats, pi), timed(options.repeats, alone)
    print(f"pi of {options.points:.0e} points             {seconds * 1e3:10.1f} ms, NumPy {seconds_alone * 1e3:.1f} ms")
    client.shutdown()


if __name__ == "__main__":
    main()
