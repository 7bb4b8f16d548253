"""Clusters that are batch jobs, with the names of dask-jobqueue."""

import atexit
import json
import math
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import weakref

from . import _maniple, _start
from ._errors import RunError

# How often a job is asked for while it is waited for.
_ASK_EVERY = 2.0
# How long `close` waits for the end of a cluster.
_END_SECONDS = 10.0
_open = weakref.WeakSet()


class _JobCluster:
    """A cluster that is one batch job: ``jobs`` nodes with ``processes`` workers each, and two ranks more.

    The ranks of an MPI program start together. So `scale` submits one job with what that many of dask-jobqueue's would
    ask for, and the size stays. The cluster ends with `close`, with this program, or at its walltime.

    Parameters
    ----------
    cores : int
        Cores of a node that workers use.
    memory : str, optional
        Memory of a node, such as ``"192GB"``, shared by its workers.
    processes : int, optional
        Workers of a node. By default about the square root of ``cores``.
    n_workers : int, optional
        Calls ``scale(n_workers)``.
    walltime, queue, account (or project)
        As the batch system has them.
    name : str, optional
        Name of the job.
    job_extra_directives : list of str, optional
        Directives such as ``"-q normal"``. Amounts of ``-l ncpus=``, ``-l mem=``, ``-l ngpus=`` and ``-l jobfs=`` are
        those of a node, and multiplied by the number of nodes.
    job_directives_skip : list of str, optional
        Generated directives that contain one of these are left out.
    job_script_prologue : list of str, optional
        Lines of the shell before the ranks are started, such as ``"module load python3"``.
    resource_spec : str, optional
        Resources of one node, such as ``"nodes=1:ppn=12"``, in the place of the generated ones.
    shebang : str, optional
        Shell of the script, such as ``"#!/bin/tcsh"``.
    python : str, optional
        Interpreter of the ranks. By default this one.
    local_directory, log_directory : str, optional
        Directory of each node for spilled values; directory for the job's output.
    shared_directory : str, optional
        Directory that all nodes see, for the connection file. By default the working directory.
    death_timeout : float
        Seconds without a client after which the job ends by itself.
    launcher, site : str, optional
        What starts the ranks, and a site whose rules hold: see ``maniple job --help`` and ``maniple sites``.
    interface, nanny, protocol, scheduler_options, worker_extra_args
        Accepted without effect: tasks travel as MPI messages.
    """

    _system = None
    _output = None

    def __init__(
        self,
        n_workers=None,
        *,
        cores=None,
        memory=None,
        processes=None,
        walltime=None,
        queue=None,
        account=None,
        project=None,
        name=None,
        job_extra_directives=None,
        job_directives_skip=None,
        job_script_prologue=None,
        resource_spec=None,
        shebang=None,
        python=None,
        local_directory=None,
        log_directory=None,
        shared_directory=None,
        death_timeout=600,
        launcher=None,
        site=None,
        interface=None,
        nanny=None,
        protocol=None,
        scheduler_options=None,
        worker_extra_args=None,
    ):
        if cores is None:
            raise ValueError(f"{type(self).__name__} needs cores=, the cores of a node that workers use")
        self._cores = int(cores)
        self._processes = int(processes) if processes is not None else _processes(self._cores)
        if not 0 < self._processes <= self._cores:
            raise ValueError(f"processes={self._processes} do not fit {self._cores} cores")
        self._memory, self._walltime, self._queue, self._account = memory, walltime, queue, account or project
        self._name = name or "maniple-worker"
        self._directives = list(job_extra_directives or [])
        self._skipped = list(job_directives_skip or [])
        self._prologue = list(job_script_prologue or [])
        self._resource_spec, self._shebang = resource_spec, shebang
        self._python = python or sys.executable
        self._local_directory, self._log_directory = local_directory, log_directory
        self._launcher, self._site, self._death_timeout = launcher, site, float(death_timeout)
        self._file = os.path.join(
            os.path.abspath(shared_directory or os.getcwd()), f".maniple-{os.getpid()}-{secrets.token_hex(4)}.json"
        )
        self._jobs = 0
        self._job = None
        self._session = None
        self._tunnel = None
        self._is_closed = False
        _open.add(self)
        if n_workers:
            self.scale(n_workers)

    # The job

    @property
    def job_id(self):
        """The job's name in the batch system, or None before `scale`."""
        return self._job

    def job_script(self):
        """The script of the job: of one node before `scale`."""
        jobs = max(self._jobs, 1)
        output = None
        if self._log_directory is not None:
            output = os.path.join(self._log_directory, self._output.format(name=self._name))
        return _maniple.job_script(
            self._system,
            {
                "command": [
                    self._python, "-m", "maniple", "serve", "--scheduler-file", self._file,
                    "--idle-timeout", f"{self._death_timeout:g}",
                ],
                "nodes": jobs,
                "workers_per_node": self._processes,
                "threads": max(1, self._cores // self._processes),
                "cpus_per_node": self._cores,
                "memory_per_node": self._memory,
                "walltime": self._walltime,
                "queue": self._queue,
                "account": self._account,
                "name": self._name,
                "output": output,
                "resource_spec": _of_jobs(self._resource_spec, jobs),
                "directives": [_of_jobs(directive, jobs) for directive in self._directives],
                "skip_directives": self._skipped,
                "shell": self._shebang,
                "prologue": self._prologue,
                "local_directory": self._local_directory,
                "launcher": self._launcher,
                "site": self._site,
            },
        )  # fmt: skip

    def scale(self, n=None, jobs=None, cores=None, memory=None):
        """Submits the job.

        Parameters
        ----------
        n : int, optional
            Number of workers, which says how many nodes there are.
        jobs : int, optional
            Number of nodes: dask-jobqueue submits a job for each.
        cores : int, optional
            Number of cores of all nodes.
        memory
            Refused: say how many jobs.

        Raises
        ------
        RunError
            If the job was submitted before with another size.
        """
        if memory is not None:
            raise NotImplementedError("scale(memory=): say how many jobs")
        if jobs is None:
            if n is None and cores is None:
                raise ValueError("scale takes a number of workers, jobs= or cores=")
            jobs = math.ceil(n / self._processes) if n is not None else math.ceil(cores / self._cores)
        if self._is_closed:
            raise RunError("the cluster is closed")
        if self._job is not None:
            if jobs == self._jobs:
                return
            raise RunError(
                f"job {self._job} has {self._jobs} nodes, and the ranks of an MPI program start together: close this "
                "cluster and make another one"
            )
        if jobs < 1:
            return
        self._jobs = int(jobs)
        self._job = _maniple.job_submit(self._system, self.job_script())

    def adapt(self, *arguments, **options):
        """Raises `NotImplementedError`: the ranks of an MPI program start together.

        Parameters
        ----------
        *arguments, **options
            Those of dask-jobqueue.
        """
        raise NotImplementedError("adapt(): the ranks of an MPI program start together; use scale(jobs=N)")

    # The connection

    @property
    def _run(self):
        """The session of this program, which waits for the job."""
        if self._is_closed:
            return None
        if self._session is None:
            self.wait_ready()
            self._tunnel = _tunnel(self._file)
            self._session = _start.Session(self._file)
        return self._session._run

    def wait_ready(self, timeout=None):
        """Waits until one can connect to the cluster. `Client` does so by itself.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait.

        Raises
        ------
        RunError
            If the job has ended before.
        TimeoutError
            If the time is over before.
        """
        if self._job is None:
            raise RunError("the cluster has no job: call scale(jobs=N)")
        deadline = None if timeout is None else time.monotonic() + timeout
        ask_at = time.monotonic() + _ASK_EVERY
        while not os.path.exists(self._file):
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise TimeoutError(f"job {self._job} cannot be connected to yet")
            if now >= ask_at:
                ask_at = now + _ASK_EVERY
                state, words = _maniple.job_status(self._system, self._job)
                # Its last act may be to write the file.
                if state == "ended" and not os.path.exists(self._file):
                    raise RunError(f"job {self._job} ended before one could connect to it: {words}; see its output")
            time.sleep(0.1)

    @property
    def status(self):
        """Whether the cluster was closed: ``"running"`` or ``"closed"``."""
        return "closed" if self._is_closed else "running"

    def close(self, timeout=None):
        """Ends the cluster and its job.

        Parameters
        ----------
        timeout
            Accepted without effect.
        """
        if self._is_closed:
            return
        self._is_closed = True
        _open.discard(self)
        if self._session is not None:
            self._session.shutdown()
            # Its last act is to remove the file.
            deadline = time.monotonic() + _END_SECONDS
            while os.path.exists(self._file) and time.monotonic() < deadline:
                time.sleep(0.02)
        elif self._job is not None:
            try:
                _maniple.job_cancel(self._system, self._job)
            except RuntimeError:
                # It is over, as after its walltime.
                pass
        if self._tunnel is not None:
            self._tunnel.terminate()
            self._tunnel.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        workers = self._jobs * self._processes
        return f"{type(self).__name__}(job={self._job}, nodes={self._jobs}, workers={workers}, {self.status})"


class PBSCluster(_JobCluster):
    __doc__ = _JobCluster.__doc__
    _output = "{name}.out"

    @property
    def _system(self):
        # Torque has other resources, and another qstat.
        return "torque" if (self._resource_spec or "").startswith("nodes=") else "pbs"


class SLURMCluster(_JobCluster):
    __doc__ = _JobCluster.__doc__
    _system = "slurm"
    _output = "{name}-%j.out"


def _processes(cores):
    """As dask-jobqueue: about as many processes as threads of each."""
    if cores <= 4:
        return cores
    return next(count for count in range(math.ceil(math.sqrt(cores)), cores + 1) if cores % count == 0)


def _of_jobs(text, jobs):
    """What one of dask-jobqueue's jobs asks for, asked for by one job of so many nodes."""
    if text is None or jobs == 1:
        return text
    text = re.sub(r"^((?:-l\s*)?(?:select|nodes)=)1(?=:|$)", rf"\g<1>{jobs}", text)
    return re.sub(
        r"^(-l\s*(?:ncpus|mem|ngpus|jobfs)=)(\d+)", lambda found: f"{found[1]}{int(found[2]) * jobs}", text
    )


def _tunnel(file):
    """Forwards the socket of a cluster on another host to this one. Returns the process that does, or None."""
    with open(file) as opened:
        connection = json.load(opened)
    host, path = connection["host"], connection["socket"]
    if host == socket.gethostname() or os.path.exists(path):
        return None
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    options = ["-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-N"]
    # Not ended by an interrupt of this program.
    process = subprocess.Popen(
        ["ssh", *options, "-L", f"{path}:{path}", host],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not os.path.exists(path):
        if process.poll() is not None:
            words = process.stderr.read().strip() or f"it ended with status {process.returncode}"
            raise RunError(f"the cluster is on {host}, and ssh cannot forward its socket {path} to this host: {words}")
        time.sleep(0.05)
    return process


@atexit.register
def _close_all():
    for cluster in list(_open):
        cluster.close()
