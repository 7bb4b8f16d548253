from dask.distributed import Client
from dask_jobqueue import PBSCluster

cluster_kwargs = {
    "name": "exDaskCluster",
    "shebang": "#!/bin/tcsh",
    "resource_spec": "nodes=1:c18a:ppn=12",
    "walltime": "00:20:00",
    "cores": 12,
    "processes": 12,
    "memory": "32GB",
    "interface": "ib0",
}

cluster = PBSCluster(**cluster_kwargs)
cluster.scale(48)
client = Client(cluster)

def multiply(x):
    return(x * 2)

def neg(x):
    return(-x)

A = client.map(multiply, [1]*48)
print(A)
B = client.map(neg, A)
total = client.submit(sum, B)
print("OUTPUT:")
print(total.result())
print("======================")
print("======================")
print("END OF OUTPUT")
print("======================")
print("======================")
