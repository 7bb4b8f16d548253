import concurrent.futures
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, Literal, NamedTuple, ParamSpec, Self, TextIO, TypeVar, final, overload

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")
_Where = int | str | Iterable[int | str] | None

__all__ = [
    "CancelledError",
    "Client",
    "ClientExecutor",
    "Delayed",
    "Future",
    "KilledWorker",
    "LocalCluster",
    "PBSCluster",
    "RemoteTraceback",
    "RunError",
    "SLURMCluster",
    "TaskError",
    "__version__",
    "as_completed",
    "compute",
    "default_client",
    "delayed",
    "get_client",
    "get_worker",
    "initialize",
    "progress",
    "rejoin",
    "secede",
    "serve",
    "visualize",
    "wait",
    "worker_client",
]

__version__: str

class RunError(RuntimeError): ...
class TaskError(RunError): ...
class KilledWorker(TaskError): ...
class CancelledError(concurrent.futures.CancelledError): ...

class RemoteTraceback(Exception):
    text: str
    def __init__(self, text: str) -> None: ...

@final
class Future(Generic[_T]):
    @property
    def client(self) -> Client: ...
    @property
    def key(self) -> str: ...
    @property
    def status(self) -> Literal["pending", "finished", "error", "cancelled"]: ...
    def result(self, timeout: float | None = None) -> _T: ...
    def exception(self, timeout: float | None = None) -> BaseException | None: ...
    def traceback(self, timeout: float | None = None) -> TracebackType | None: ...
    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def cancel(self, reason: str | None = None, msg: str | None = None, force: bool = False) -> None: ...
    def add_done_callback(self, function: Callable[[Future[_T]], object]) -> None: ...
    def release(self) -> None: ...
    def __await__(self) -> Generator[Any, None, _T]: ...

class LocalCluster:
    def __init__(
        self,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        memory_limit: str | float | None = None,
        processes: bool | None = None,
        local_directory: str | None = None,
        resources: Mapping[str, int] | None = None,
        dashboard_address: str | None = None,
        **ignored: Any,
    ) -> None: ...
    @property
    def scheduler_address(self) -> str: ...
    def close(self, timeout: float | None = None) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

class _Jobs:
    def __init__(
        self,
        n_workers: int | None = None,
        *,
        cores: int | None = None,
        memory: str | float | None = None,
        processes: int | None = None,
        walltime: str | None = None,
        queue: str | None = None,
        account: str | None = None,
        project: str | None = None,
        name: str | None = None,
        job_extra_directives: Iterable[str] | None = None,
        job_directives_skip: Iterable[str] | None = None,
        job_script_prologue: Iterable[str] | None = None,
        resource_spec: str | None = None,
        shebang: str | None = None,
        python: str | None = None,
        local_directory: str | None = None,
        log_directory: str | None = None,
        shared_directory: str | None = None,
        death_timeout: float = 600,
        launcher: str | None = None,
        site: str | None = None,
        interface: str | None = None,
        nanny: bool | None = None,
        protocol: str | None = None,
        scheduler_options: Mapping[str, Any] | None = None,
        worker_extra_args: Iterable[str] | None = None,
    ) -> None: ...
    @property
    def job_id(self) -> str | None: ...
    @property
    def status(self) -> str: ...
    def job_script(self) -> str: ...
    def scale(
        self,
        n: int | None = None,
        jobs: int | None = None,
        cores: int | None = None,
        memory: str | float | None = None,
    ) -> None: ...
    def wait_ready(self, timeout: float | None = None) -> None: ...
    def close(self, timeout: float | None = None) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

class PBSCluster(_Jobs): ...
class SLURMCluster(_Jobs): ...

class Client:
    asynchronous: bool
    status: str
    @overload
    def __new__(
        cls,
        address: LocalCluster | PBSCluster | SLURMCluster | str | None = None,
        *,
        scheduler_file: str | os.PathLike[str] | None = None,
        set_as_default: bool = True,
        asynchronous: Literal[True],
        **options: Any,
    ) -> _AsynchronousClient: ...
    @overload
    def __new__(
        cls,
        address: LocalCluster | PBSCluster | SLURMCluster | str | None = None,
        *,
        scheduler_file: str | os.PathLike[str] | None = None,
        set_as_default: bool = True,
        asynchronous: Literal[False] = False,
        **options: Any,
    ) -> Self: ...
    def submit(
        self,
        func: Callable[..., _R],
        *args: Any,
        key: str | None = None,
        workers: _Where = None,
        resources: Mapping[str, int] | None = None,
        retries: int | None = None,
        priority: int = 0,
        allow_other_workers: bool = False,
        pure: bool | None = None,
        **kwargs: Any,
    ) -> Future[_R]: ...
    def map(
        self,
        func: Callable[..., _R],
        *iterables: Iterable[Any],
        key: str | None = None,
        workers: _Where = None,
        resources: Mapping[str, int] | None = None,
        retries: int | None = None,
        priority: int = 0,
        allow_other_workers: bool = False,
        pure: bool | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[Future[_R]]: ...
    @overload
    def gather(
        self,
        futures: list[Future[_T]] | Iterator[Future[_T]],
        errors: Literal["raise", "skip"] = "raise",
        direct: bool | None = None,
        asynchronous: bool | None = None,
    ) -> list[_T]: ...
    @overload
    def gather(
        self,
        futures: Any,
        errors: Literal["raise", "skip"] = "raise",
        direct: bool | None = None,
        asynchronous: bool | None = None,
    ) -> Any: ...
    def scatter(
        self,
        data: Any,
        workers: _Where = None,
        broadcast: bool = False,
        direct: bool | None = None,
        hash: bool = True,
        timeout: float | None = None,
    ) -> Any: ...
    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        workers: _Where = None,
        wait: bool = True,
        nanny: bool = False,
        on_error: Literal["raise", "return", "ignore"] = "raise",
        **kwargs: Any,
    ) -> dict[str, Any]: ...
    def cancel(
        self,
        futures: Future[Any] | Iterable[Future[Any]],
        asynchronous: bool | None = None,
        force: bool = False,
        **ignored: Any,
    ) -> None: ...
    def compute(self, collections: Any, sync: bool = False, **options: Any) -> Any: ...
    def persist(self, collections: _T, **options: Any) -> _T: ...
    def get_executor(self, **options: Any) -> ClientExecutor: ...
    def publish_dataset(self, *values: Any, name: str | None = None, **named: Any) -> None: ...
    def get_dataset(self, name: str, default: Any = ...) -> Any: ...
    @property
    def datasets(self) -> MutableMapping[str, Any]: ...
    def list_datasets(self) -> tuple[str, ...]: ...
    def unpublish_dataset(self, name: str) -> None: ...
    def scheduler_info(self, **ignored: Any) -> dict[str, Any]: ...
    def get_versions(self, check: bool = False, packages: Iterable[str] = ()) -> dict[str, Any]: ...
    def ncores(self, workers: _Where = None) -> dict[str, int]: ...
    def nthreads(self, workers: _Where = None) -> dict[str, int]: ...
    def wait_for_workers(self, n_workers: int, timeout: float | None = None) -> None: ...
    @property
    def cluster(self) -> LocalCluster | PBSCluster | SLURMCluster | None: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def time_left(self) -> float | None: ...
    def close(self, timeout: float | None = None) -> None: ...
    def shutdown(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

# It is no subclass. Type checkers heed what `__new__` returns only where that is one.
class _AsynchronousClient(Client):
    def __await__(self) -> Generator[Any, None, Self]: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exception: object) -> None: ...
    @overload  # type: ignore[override]
    async def gather(self, futures: list[Future[_T]], errors: str = "raise", **ignored: Any) -> list[_T]: ...
    @overload
    async def gather(self, futures: Any, errors: str = "raise", **ignored: Any) -> Any: ...
    async def scatter(self, data: Any, workers: _Where = None, broadcast: bool = False, **ignored: Any) -> Any: ...  # type: ignore[override]
    async def run(self, function: Callable[..., Any], *args: Any, **options: Any) -> dict[str, Any]: ...  # type: ignore[override]
    async def close(self, timeout: float | None = None) -> None: ...  # type: ignore[override]
    async def shutdown(self) -> None: ...  # type: ignore[override]

class ClientExecutor(concurrent.futures.Executor):
    def __init__(self, client: Client, **options: Any) -> None: ...

class Delayed(Generic[_T]):
    def compute(self, **options: Any) -> _T: ...
    def persist(self, **options: Any) -> Delayed[_T]: ...
    def visualize(self, filename: str | os.PathLike[str] = "maniple.svg", **ignored: Any) -> Any: ...
    @property
    def key(self) -> str: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Delayed[Any]: ...
    def __getattr__(self, name: str) -> Delayed[Any]: ...
    def __getitem__(self, place: Any) -> Delayed[Any]: ...
    def __iter__(self) -> Iterator[Delayed[Any]]: ...
    def __len__(self) -> int: ...
    def __add__(self, other: Any) -> Delayed[Any]: ...
    def __radd__(self, other: Any) -> Delayed[Any]: ...
    def __sub__(self, other: Any) -> Delayed[Any]: ...
    def __rsub__(self, other: Any) -> Delayed[Any]: ...
    def __mul__(self, other: Any) -> Delayed[Any]: ...
    def __rmul__(self, other: Any) -> Delayed[Any]: ...
    def __truediv__(self, other: Any) -> Delayed[Any]: ...
    def __rtruediv__(self, other: Any) -> Delayed[Any]: ...
    def __neg__(self) -> Delayed[Any]: ...

class _DelayedFunction(Generic[_P, _R]):
    def __call__(self, *args: Any, **kwargs: Any) -> Delayed[_R]: ...

@overload
def delayed(
    obj: Callable[_P, _R],
    *,
    name: str | None = None,
    pure: bool | None = None,
    nout: int | None = None,
    traverse: bool = True,
    **options: Any,
) -> _DelayedFunction[_P, _R]: ...
@overload
def delayed(
    obj: None = None,
    *,
    name: str | None = None,
    pure: bool | None = None,
    nout: int | None = None,
    traverse: bool = True,
    **options: Any,
) -> Callable[[Callable[_P, _R]], _DelayedFunction[_P, _R]]: ...
@overload
def delayed(
    obj: _T,
    *,
    name: str | None = None,
    pure: bool | None = None,
    nout: int | None = None,
    traverse: bool = True,
    **options: Any,
) -> Delayed[_T]: ...
def compute(*values: Any, **options: Any) -> tuple[Any, ...]: ...
def visualize(*values: Any, filename: str | os.PathLike[str] = "maniple.svg", **ignored: Any) -> Any: ...

class _Worker:
    rank: int
    number: int
    attempt: int
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...

def default_client() -> Client: ...
def get_client(address: str | None = None, timeout: float | None = None, resolve_address: bool = True) -> Client: ...
def get_worker() -> _Worker: ...
def worker_client(timeout: float | None = None, separate_thread: bool = True) -> AbstractContextManager[Client]: ...
def secede() -> None: ...
def rejoin() -> None: ...

class as_completed(Iterator[Any]):
    def __init__(
        self,
        futures: Iterable[Future[Any]] | None = None,
        loop: object = None,
        with_results: bool = False,
        raise_errors: bool = True,
        *,
        timeout: float | None = None,
    ) -> None: ...
    def add(self, future: Future[Any]) -> None: ...
    def update(self, futures: Iterable[Future[Any]]) -> None: ...
    def count(self) -> int: ...
    def is_empty(self) -> bool: ...
    def has_ready(self) -> bool: ...
    def __next__(self) -> Any: ...
    def __aiter__(self) -> AsyncIterator[Any]: ...
    def __anext__(self) -> Awaitable[Any]: ...

class _DoneAndNotDone(NamedTuple):
    done: set[Future[Any]]
    not_done: set[Future[Any]]

def wait(
    fs: Future[Any] | Iterable[Future[Any]],
    timeout: float | None = None,
    return_when: Literal["ALL_COMPLETED", "FIRST_COMPLETED"] = "ALL_COMPLETED",
) -> Any: ...
def progress(
    *futures: Any,
    notebook: bool | None = None,
    multi: object = None,
    interval: float = 0.1,
    file: TextIO | None = None,
    **ignored: Any,
) -> None: ...
def initialize(
    nthreads: int | None = None,
    *,
    memory_limit: str | float | None = None,
    local_directory: str | None = None,
    exclusive_workers: bool | None = None,
    resources: Mapping[str, int] | None = None,
    dashboard: str | int | None = None,
    report: str | None = None,
    interface: str | None = None,
    nanny: bool | None = None,
    comm: None = None,
) -> None: ...
def serve(
    scheduler_file: str | None = None,
    *,
    tcp: int | bool | None = None,
    idle_timeout: float | None = None,
    n_workers: int | None = None,
    **settings: Any,
) -> None: ...
