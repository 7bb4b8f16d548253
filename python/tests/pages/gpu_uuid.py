from dask.distributed import Client
from pathlib import Path
client = Client(scheduler_file=f'{Path.home()}/scheduler.json')

def get_gpu_uuid():
    import cupy as cp
    gpu_id = cp.cuda.runtime.getDeviceProperties(0)['uuid'].hex()
    return gpu_id

workers = list(client.scheduler_info()['workers'].values())
num_workers = len(workers)
print(f"{num_workers} workers")

futures = client.map(lambda x: get_gpu_uuid(), range(num_workers))
results = client.gather(futures)
for i, result in enumerate(results):
    print(f"Worker {workers[i]['name']} - GPU uuid: {result}")

client.shutdown()
