"""A notebook's kernel that is rank 1 of a run: ``python -m maniple kernel install -n 6``."""

import json
import pathlib
import shlex
import sys
import tempfile

from . import RunError, _start


def spec(ranks, launcher, display_name):
    """What Jupyter reads of a kernel."""
    program = [sys.executable, "-m", "maniple", "kernel", "run", "-f", "{connection_file}"]
    return {
        "argv": [*shlex.split(launcher), "-n", str(ranks), *program],
        "display_name": display_name or f"Maniple ({ranks} ranks)",
        "language": "python",
        # A signal would go to the launcher, which ends all ranks.
        "interrupt_mode": "message",
    }


def install(ranks, launcher="mpirun", name="maniple", display_name=None, prefix=None):
    """Writes a kernel for Jupyter, for this user or below a prefix, and returns the folder.

    Parameters
    ----------
    ranks : int
        Ranks of the launcher: the scheduler, the kernel, and workers.
    launcher : str
        What starts ranks: ``"mpirun"``, ``"srun --overlap"``.
    name : str
        What Jupyter calls the kernel.
    prefix : str, optional
        A folder such as that of a virtual environment; by default it is this user's.
    """
    if ranks < 1:
        raise ValueError(f"{ranks} ranks")
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        raise RunError("Jupyter is not installed here: pip install 'maniple[jupyter]'") from None
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(spec(ranks, launcher, display_name), indent=1)
        pathlib.Path(folder, "kernel.json").write_text(text + "\n")
        return KernelSpecManager().install_kernel_spec(folder, name, user=prefix is None, prefix=prefix)


def run(connection_file):
    """Serves on this rank; or, on rank 1, is the kernel that Jupyter reaches through this file."""
    _start.initialize()
    try:
        from ipykernel.kernelapp import IPKernelApp
    except ImportError:
        raise RunError("ipykernel is not installed here: pip install 'maniple[jupyter]'") from None
    IPKernelApp.launch_instance(argv=["-f", connection_file])
