"""What type checkers see of the package: `test_types.py` checks this file, and that each assigned type is right."""

import asyncio

import maniple
from maniple import Client, Delayed, Future


def square(x: int) -> int:
    return x * x


def futures() -> list[int]:
    with Client(n_workers=2, threads_per_worker=1) as client:
        one: Future[int] = client.submit(square, 3)
        number: int = one.result(timeout=10)
        many: list[Future[int]] = client.map(square, range(number))
        by_name: dict[str, int] = client.gather({"a": one})
        done: Future[float] = client.submit(lambda x, y: x / y, by_name["a"], 2)
        half: float = done.result()
        return [*client.gather(many), int(half)]


def delayed() -> int:
    task: Delayed[int] = maniple.delayed(square)(3)
    value: int = task.compute()
    return value


async def awaited() -> int:
    async with Client(asynchronous=True, n_workers=1) as client:
        future: Future[int] = client.submit(square, 4)
        numbers: list[int] = await client.gather([future])
        return await future + sum(numbers)


if __name__ == "__main__":
    print(sum(futures()), delayed(), asyncio.run(awaited()))
