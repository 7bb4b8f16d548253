"""The figures of benches/arrays.rs by HeAT (arrays of MPI ranks over PyTorch), whose ranks all work.

mpirun -n 2 python benches/heat_arrays.py [part...]              # pip install heat
"""

import os
import resource
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import heat as ht  # noqa: E402
from mpi4py import MPI  # noqa: E402

REPETITIONS = 5
WORLD = MPI.COMM_WORLD
parts = sys.argv[1:]


def wants(part):
    return not parts or part in parts


def report(what, once):
    once()
    times = []
    for _ in range(REPETITIONS):
        WORLD.Barrier()
        start = time.perf_counter()
        once()
        WORLD.Barrier()
        times.append(time.perf_counter() - start)
    times.sort()
    peaks = WORLD.allgather(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    if WORLD.rank == 0:
        print(f"{what:<66} {times[len(times) // 2]:>11.4f} s     ({times[0]:.4f} to {times[-1]:.4f})")
        # Since the start: a rank cannot forget its peak where the kernel does not let it.
        print(f"  peak of all ranks {sum(peaks) // 10**6} MB, of one {max(peaks) // 10**6} MB", flush=True)


def random(*shape):
    return ht.random.rand(*shape, dtype=ht.float64, split=0)


if WORLD.rank == 0:
    print(f"heat {ht.__version__}, ranks: {WORLD.size}")
if wants("transpose"):
    x = random(16_000, 16_000)
    report("(x + x.T).sum(), 16000 x 16000, resident", lambda: (x + x.T.resplit(0)).sum().item())
    del x
if wants("elementwise"):
    x = random(200_000, 1000)
    report("(exp(x) * 2 + sin(x)^2).sum(), 200000 x 1000, resident",
           lambda: (ht.exp(x) * 2 + ht.sin(x) ** 2).sum().item())
    report("x.sum(), 200000 x 1000, resident", lambda: x.sum().item())
    report("x.mean(axis=0), 200000 x 1000, resident", lambda: x.mean(axis=0))
    report("x.std(), 200000 x 1000, resident", lambda: x.std().item())
    del x
if wants("rechunk"):
    x = random(12_000, 12_000)
    report("rows to columns, 12000 x 12000", lambda: ht.resplit(x, 1))
    del x
if wants("matmul"):
    x, y = random(6000, 6000), random(6000, 6000)
    report("x @ y, 6000 x 6000, resident", lambda: x @ y)
    del x, y
if wants("qr"):
    x = random(4_000_000, 32)
    report("QR of 4000000 x 32, resident", lambda: ht.linalg.qr(x))
    del x
if wants("pi"):
    # All at once, since HeAT has no blocks: 10 GB of points would take three times that.
    points = 62_500_000

    def pi():
        xy = random(points, 2)
        4 * ((xy**2).sum(axis=1) < 1).sum().item() / points

    report("the lesson's pi, 62500000 points", pi)
