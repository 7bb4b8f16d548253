"""The standard library's executors over ranks.

mpirun -n 6 python executor.py
"""

import maniple


def count_primes(bounds):
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(max(bounds[0], 2), bounds[1]))


maniple.initialize()
with maniple.Client() as client, client.get_executor() as executor:
    parts = [(start, start + 1000) for start in range(0, 20_000, 1000)]
    print("primes below 20000:", sum(executor.map(count_primes, parts)))
