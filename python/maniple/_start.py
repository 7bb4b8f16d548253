"""Starts and ends runs."""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time

from . import _maniple
from ._errors import RunError

_lock = threading.RLock()
# Runs of this process that have not ended.
_live = []
# The run of all ranks that a launcher has started; a process has one, since MPI starts once.
_world = None
_world_has_ended = False
_failure = None


def is_launched():
    """Whether a launcher has started several ranks."""
    size = _maniple.launched_size()
    return size is not None and size > 1


def initialize(
    nthreads=None,
    *,
    memory_limit=None,
    local_directory=None,
    exclusive_workers=None,
    resources=None,
    dashboard=None,
    report=None,
    interface=None,
    nanny=None,
    comm=None,
):
    """Starts the run under ``mpirun``, ``mpiexec`` or ``srun``; returns on rank 1 only.

    Rank 0 schedules and ranks 2 and up run tasks: they serve within this call, and exit when the run ends, with its
    status. Rank 1 returns and goes on as the driver; its uncaught exceptions end all ranks. Every rank calls this,
    before it does anything that only the driver should do. Without a launcher it returns at once, and `Client` starts
    worker processes.

    Parameters
    ----------
    nthreads : int, optional
        Tasks that a worker runs at a time. 1 by default, or ``MANIPLE_THREADS``: Python functions hold the GIL.
    memory_limit : str or float, optional
        Memory for the values of each worker, such as ``"40GB"`` or the fraction 0.5; then values are spilled.
    local_directory : str, optional
        Directory for scratch files and spilled values.
    exclusive_workers : bool, optional
        With False ranks 0 and 1 run tasks, too.
    resources : dict, optional
        Amounts of resources that each worker has, such as ``{"GPU": 1}``.
    dashboard : str, optional
        Address at which rank 0 serves a page that shows the run: a port, or ``""`` for the default.
    report : str, optional
        File for a report of the run.
    interface, nanny
        Accepted for the sake of dask-mpi, without effect: tasks travel as MPI messages.
    """
    if comm is not None:
        raise NotImplementedError("initialize(comm=...): a run has all ranks that the launcher has started")
    if not is_launched():
        return
    settings = _settings(nthreads, memory_limit, local_directory, resources, dashboard, report)
    if exclusive_workers is not None:
        settings["exclusive_workers"] = bool(exclusive_workers)
    _start_world(settings)


def _settings(nthreads=None, memory_limit=None, local_directory=None, resources=None, dashboard=None, report=None):
    given = {
        "nthreads": nthreads,
        "memory_limit": None if memory_limit in (None, 0) else str(memory_limit),
        "local_directory": None if local_directory is None else os.fspath(local_directory),
        "resources": None if resources is None else list(resources.items()),
        "dashboard": dashboard,
        "report": None if report is None else os.fspath(report),
    }
    return {name: value for name, value in given.items() if value is not None or name == "nthreads"}


def _start_world(settings):
    global _world
    with _lock:
        if _world is not None or _world_has_ended:
            if _world_has_ended:
                raise RunError("the run has ended, and MPI cannot be started again in this process")
            return _world
        if settings["nthreads"] is None and "MANIPLE_THREADS" not in os.environ:
            settings["nthreads"] = 1
        _check_mpi4py()
        restore = _prepare_to_serve()
        if is_launched():
            _refuse_forks()
        try:
            run = _maniple.start(settings)
        except ValueError:
            # All ranks have the same settings: one of them reports what is wrong.
            if not is_launched() or _maniple.launched_rank() == 0:
                raise
            time.sleep(0.25)
            sys.exit(1)
        if run is None:
            # This rank has served. Its own program ends here.
            sys.exit(0)
        restore()
        _follow_binding(run.thread_id)
        _world = run
        _watch(run)
        return run


def world():
    """The run of all ranks, which is started if it was not."""
    return _start_world(_settings())


def serve(scheduler_file=None, *, tcp=None, idle_timeout=None, n_workers=None, **settings):
    """Starts a cluster that stands, and serves programs that connect to it until it ends; then this program ends.

    Every rank calls it. Rank 1 lets in what `Client` of other programs of this user connects: one after the other or
    several at once.

    Parameters
    ----------
    scheduler_file : str, optional
        The connection file that is written. By default it lies in a directory of this user, where `Client` finds it.
    tcp : bool or int, optional
        Whether rank 1 listens on a port of 127.0.0.1, too, and on which one.
    idle_timeout : float, optional
        Seconds without a session after which the cluster ends. By default it waits for `Client.shutdown` or SIGTERM.
    n_workers : int, optional
        Without a launcher, the number of workers, which are processes of this host.
    nthreads, memory_limit, local_directory, resources, dashboard, report
        As `initialize`.
    """
    words = []
    if tcp is not None and tcp is not False:
        words.append("tcp" if tcp is True or tcp == 0 else f"tcp:{int(tcp)}")
    if scheduler_file is not None:
        words.append(os.path.abspath(os.fspath(scheduler_file)))
    settings = _settings(**settings)
    settings["serve"] = ",".join(words)
    if idle_timeout is not None:
        settings["idle_timeout"] = float(idle_timeout)
    if not is_launched():
        settings = processes(settings, n_workers)
    _start_world(settings)


class Session:
    """A connection to a cluster that stands: its connection file or name, or "" for the newest one of this user."""

    def __init__(self, cluster):
        self._run = start_local({"nthreads": None, "connect": cluster})

    def close(self):
        """Leaves the cluster."""
        run, self._run = self._run, None
        if run is not None:
            end(run)

    def shutdown(self):
        """Ends the cluster."""
        if self._run is not None:
            self._run.core().shutdown()
        self.close()


def processes(settings, n_workers=None):
    """The settings of a run whose workers are processes of this host: by default as many as Dask starts."""
    if n_workers is None:
        cores = len(os.sched_getaffinity(0))
        n_workers = cores if cores <= 4 else min(n for n in range(2, cores + 1) if cores % n == 0 and n * n >= cores)
    of_worker = {name: settings[name] for name in _OF_WORKERS if name in settings}
    # Modules that this program can import, its workers can, too.
    code = f"import sys; sys.path[:] = {sys.path!r}; from maniple._start import work; work({of_worker!r})"
    command = [sys.executable, *subprocess._args_from_interpreter_flags(), "-c", code]
    return settings | {"n_workers": n_workers, "command": command}


# The settings that concern workers.
_OF_WORKERS = ("nthreads", "memory_limit", "local_directory", "resources")


def work(settings):
    """What the process of a worker runs: it serves until the run ends."""
    _prepare_to_serve()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _maniple.start(settings)
    except RunError as error:
        sys.exit(f"Error: {error}")


def start_local(settings):
    """Starts a run in this process, with workers as its threads or as processes."""
    run = _maniple.start(settings)
    with _lock:
        _watch(run)
    return run


def end(run, failure=None, timeout=None):
    """Ends a run, and waits until it has ended: also for tasks that run in this process."""
    global _world, _world_has_ended
    with _lock:
        if run in _live:
            _live.remove(run)
        if run is _world:
            _world, _world_has_ended = None, True
    try:
        return run.end(failure, timeout)
    except (KeyboardInterrupt, TimeoutError):
        with _lock:
            _live.append(run)
        raise


def _watch(run):
    if not _live:
        _note_failures()
    _live.append(run)


def _note_failures():
    """From now on it is known at the exit whether the program has failed."""
    previous = sys.excepthook
    if getattr(previous, "_is_maniple", False):
        return

    def hook(kind, error, trace):
        global _failure
        if not hasattr(sys, "ps1"):
            _failure = f"{kind.__name__}: {error}"
        previous(kind, error, trace)

    hook._is_maniple = True
    sys.excepthook = hook


@atexit.register
def _end_all():
    for run in list(_live):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        grace = float(os.environ.get("MANIPLE_SHUTDOWN_GRACE_SECONDS", 5)) if run.is_local else None
        try:
            end(run, _failure, grace)
        except TimeoutError:
            print(f"Error: tasks still run {grace:g} s after the end of the program", file=sys.stderr, flush=True)
            os._exit(1)


def _refuse_forks():
    """From now on `os.fork` raises, as `multiprocessing` calls it: MPI does not survive in a copy of this process."""

    def refused(*arguments):
        raise RunError(
            "this process uses MPI, of which a fork is not safe: use multiprocessing.set_start_method('spawn'), or "
            "mp_context=multiprocessing.get_context('spawn') for an executor"
        )

    os.fork = os.forkpty = refused


def _check_mpi4py():
    """Other ranks' messages are received on a thread of the run's."""
    MPI = getattr(sys.modules.get("mpi4py"), "MPI", None)
    if MPI is not None and MPI.Is_initialized() and MPI.Query_thread() < MPI.THREAD_SERIALIZED:
        raise RunError(
            "mpi4py has initialised MPI for one thread only: set mpi4py.rc.thread_level = 'serialized' or 'multiple' "
            "before mpi4py.MPI is imported"
        )


def _prepare_to_serve():
    """A rank that serves ends by signals at once, and prints whole lines. Returns what the driver calls."""
    handler = None
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        handler = signal.getsignal(signal.SIGINT)
    line_buffered = [
        stream for stream in (sys.stdout, sys.stderr) if getattr(stream, "line_buffering", True) is False
    ]
    for stream in line_buffered:
        stream.reconfigure(line_buffering=True)

    def restore():
        for stream in line_buffered:
            stream.reconfigure(line_buffering=False)
        if is_main and handler is not None:
            signal.signal(signal.SIGINT, handler)

    return restore


def _follow_binding(thread_id):
    """The run undoes the launcher's binding to one core for its own threads: the driver's follows."""
    if thread_id and hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, os.sched_getaffinity(thread_id))
        except OSError:
            pass
