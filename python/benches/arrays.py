"""The figures of benches/arrays.rs, from Python.

mpirun -n 4 python benches/arrays.py [part...]            # Maniple, 2 workers
mpirun -n 4 python benches/arrays.py --dask [part...]     # dask-mpi (pip install dask distributed dask-mpi mpi4py)
"""

import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

DASK = "--dask" in sys.argv
if DASK:
    import dask
    import dask.array as da
    from dask_mpi import initialize
    from distributed import Client, wait
else:
    import maniple as dask
    import maniple.array as da
    from maniple import Client, initialize, wait

REPETITIONS = 5


def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def held(*arrays):
    arrays = dask.persist(*arrays)
    wait(arrays)
    return arrays


def task_count(dask_scheduler):
    return len(dask_scheduler.tasks)


def main(client, parts):
    def wants(part):
        return not parts or part in parts

    def forget(count):
        # A result of the same name that is still there would be taken again.
        while DASK and client.run_on_scheduler(task_count) > count:
            time.sleep(0.01)

    def report(what, once):
        client.run(reset_peak)
        count = client.run_on_scheduler(task_count) if DASK else 0
        once()
        times = []
        for _ in range(REPETITIONS):
            forget(count)
            start = time.perf_counter()
            once()
            times.append(time.perf_counter() - start)
        forget(count)
        times.sort()
        print(f"{what:<66} {times[len(times) // 2]:>11.4f} s     ({times[0]:.4f} to {times[-1]:.4f})")
        peaks = client.run(peak).values()
        print(f"  peak of all workers {sum(peaks) // 10**6} MB, of one {max(peaks) // 10**6} MB", flush=True)

    def random(shape, chunks, seed=7):
        return da.random.default_rng(seed).random(shape, chunks=chunks)

    print(f"{'dask' if DASK else 'maniple'} {dask.__version__}, workers: {len(client.scheduler_info()['workers'])}")
    if wants("transpose"):
        (x,) = held(random((16_000, 16_000), (2000, 2000)))
        report("(x + x.T).sum(), 16000 x 16000, resident", lambda: (x + x.T).sum().compute())
        del x
        report("(x + x.T).sum(), 16000 x 16000, generated", lambda: (
            lambda x: (x + x.T).sum().compute())(random((16_000, 16_000), (2000, 2000))))
    if wants("elementwise"):
        (x,) = held(random((200_000, 1000), (10_000, 1000)))
        report("(exp(x) * 2 + sin(x)^2).sum(), 200000 x 1000, resident",
               lambda: (da.exp(x) * 2 + da.sin(x) ** 2).sum().compute())
        report("x.sum(), 200000 x 1000, resident", lambda: x.sum().compute())
        report("x.mean(axis=0), 200000 x 1000, resident", lambda: x.mean(axis=0).compute())
        report("x.std(), 200000 x 1000, resident", lambda: x.std().compute())
        del x
    if wants("generated"):
        x = random((1_000_000, 1000), (10_000, 1000))
        report("x.mean(axis=0), 1000000 x 1000, generated", lambda: x.mean(axis=0).compute())
        report("x.mean(), 1000000 x 1000, generated", lambda: x.mean().compute())
        report("x.std(), 1000000 x 1000, generated", lambda: x.std().compute())
    if wants("rechunk"):
        (x,) = held(random((12_000, 12_000), (1000, 12_000)))
        report("rows to columns, 12000 x 12000", lambda: held(x.rechunk((12_000, 1000))))
        del x
    if wants("matmul"):
        x, y = held(random((6000, 6000), (1500, 1500)), random((6000, 6000), (1500, 1500), 8))
        report("x @ y, 6000 x 6000, resident", lambda: held(x @ y))
        del x, y
    if wants("qr"):
        (x,) = held(random((4_000_000, 32), (200_000, 32)))
        report("QR of 4000000 x 32, resident", lambda: held(*da.linalg.qr(x)))
        del x
    if wants("pi"):
        points = 625_000_000

        def pi():
            xy = da.random.default_rng(0).uniform(0, 1, size=(points, 2), chunks=(-(-points // 40), 2))
            inside = (xy**2).sum(axis=1) < 1
            4 * inside.sum().compute() / points

        report("the lesson's pi, 625000000 points in 40 chunks", pi)


if __name__ == "__main__":
    if DASK:
        initialize(nthreads=1, dashboard=False)
    else:
        initialize()
    with Client() as client:
        client.wait_for_workers(2)
        main(client, [part for part in sys.argv[1:] if part != "--dask"])
