from dask.distributed import Client, LocalCluster

cluster = LocalCluster(n_workers=4)

client = Client(cluster)

future = client.submit(lambda x: x + 1, 10)

result = future.result()
