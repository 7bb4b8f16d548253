"""Pi with delayed calls, after ICHEC's lesson.

Its function returns what the lesson's prints.

mpirun -n 6 python delayed_pi.py
"""

import time

import maniple as dask
import numpy as np
from maniple import Client, initialize


def calculate_pi(size_in_bytes):
    """Calculate pi using a Monte Carlo method."""
    rand_array_shape = (int(size_in_bytes / 8 / 2), 2)

    # 2D random array with positions (x, y)
    xy = np.random.uniform(low=0.0, high=1.0, size=rand_array_shape)

    # check if position (x, y) is in unit circle
    xy_inside_circle = (xy**2).sum(axis=1) < 1

    # pi is the fraction of points in circle x 4
    pi = 4 * xy_inside_circle.sum() / xy_inside_circle.size

    return xy.nbytes / 1e9, pi


if __name__ == "__main__":
    initialize(nthreads=4, memory_limit="40GB")

    client = Client()

    t0 = time.time()
    print(client)
    results = []
    for i in range(5):
        dask_calpi = dask.delayed(calculate_pi)(4_000_000 * (i + 1))
        results.append(dask_calpi)
    for size, pi in dask.compute(*results):
        print(f"\nfrom {size} GB randomly chosen positions")
        print(f"   pi estimate: {pi}")
        print(f"   pi error: {abs(pi - np.pi)}\n")
    t1 = time.time()
    print("time taken for 5 sizes is " + str(t1 - t0))

    client.close()
