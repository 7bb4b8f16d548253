"""A map of a map, and its sum, after William & Mary's page on Dask for Vortex, without its PBSCluster.

mpirun -n 6 python map_and_sum.py
"""

from maniple import Client

client = Client()


def multiply(x):
    return x * 2


def neg(x):
    return -x


A = client.map(multiply, [1] * 48)
print(A)
B = client.map(neg, A)
total = client.submit(sum, B)
print("OUTPUT:")
print(total.result())
