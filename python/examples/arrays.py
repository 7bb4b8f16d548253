"""The arrays of ICHEC's lesson on Dask.

Differences: the import lines, `initialize`, and `print` for what a notebook shows. The lesson restarts the client before it
closes it.

python arrays.py, or mpirun -n 4 python arrays.py
"""

import numpy as np

from maniple import Client, initialize

initialize()

client = Client(n_workers=2, threads_per_worker=1, memory_limit="1GB")
print(client)

import maniple.array as da  # noqa: E402

a_np = np.arange(1, 50, 3)   # Create array with numbers 1->50 but with a stride of 3
print(a_np)
print(a_np.shape)

a_da = da.arange(1, 50, 3, chunks=5)
print(a_da)

print(a_da.dtype)
print(a_da.shape)
print(a_da.chunks)
print(a_da.chunksize)

a_da.visualize()

(a_da ** 2).visualize()

print((a_da ** 2).compute())

x = da.random.random(20, chunks=5)
# Sets up the computation
result = x.sum()
# result.visualize()
print(result.compute())

x = da.random.random(size=(15, 15), chunks=(10, 5))
print(x.chunks)
result = (x + x.T).sum()
result.visualize()
print(result.compute())

client.close()
