"""A cluster of this host, from NCI's lesson on Dask for Gadi.

python local_cluster.py
"""

from maniple import Client, LocalCluster

cluster = LocalCluster(n_workers=4)

client = Client(cluster)

future = client.submit(lambda x: x + 1, 10)

result = future.result()
