"""``python -m maniple serve``: a cluster that stands. ``python -m maniple kernel``: kernels of notebooks."""

import argparse
import sys

from . import RunError, _kernel, serve


def main():
    parser = argparse.ArgumentParser(prog="python -m maniple", description="Maniple: an MPI-native task runtime.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    kernel = commands.add_parser("kernel", help="kernels of notebooks that are rank 1 of a run")
    _add_kernel(kernel.add_subparsers(required=True, metavar="COMMAND"))
    given = vars(parser.parse_args())
    command, call = given.pop("command"), given.pop("call")
    try:
        call(**given)
    except (RunError, ValueError, OSError) as error:
        sys.exit(f"python -m maniple {command}: {error}")


def _add_serve(commands):
    server = commands.add_parser(
        "serve",
        help="start a cluster that programs connect to",
        description="Starts a cluster that stands: mpirun -n 6 python -m maniple serve. Programs of this user connect to "
        "it with maniple.Client(scheduler_file=FILE), until one calls client.shutdown().",
    )
    server.add_argument("--scheduler-file", metavar="FILE", help="the connection file to write")
    server.add_argument("--tcp", type=int, nargs="?", const=0, metavar="PORT", help="listen on 127.0.0.1, too")
    server.add_argument("--idle-timeout", type=float, metavar="SECONDS", help="end without sessions after this time")
    server.add_argument("--n-workers", type=int, metavar="N", help="without a launcher: the number of workers")
    server.add_argument("--nthreads", type=int, metavar="N", help="tasks that a worker runs at a time (1)")
    server.add_argument("--memory-limit", metavar="SIZE", help="memory for the values of each worker, such as 40GB")
    server.add_argument("--local-directory", metavar="DIR", help="directory for scratch files and spilled values")
    server.add_argument("--dashboard", nargs="?", const="", metavar="ADDRESS", help="serve a page that shows the cluster")
    server.set_defaults(command="serve", call=serve)


def _add_kernel(commands):
    installer = commands.add_parser(
        "install",
        help="write a kernel for Jupyter",
        description="Writes a kernel for Jupyter whose notebooks are the driver of a run: the launcher starts the ranks "
        "with the notebook, and they end with its kernel.",
    )
    installer.add_argument("-n", type=int, default=4, dest="ranks", metavar="N", help="number of ranks (4)")
    installer.add_argument("--launcher", default="mpirun", metavar="COMMAND", help="what starts ranks (mpirun)")
    installer.add_argument("--srun", action="store_const", const="srun", dest="launcher", help="the same as --launcher srun")
    installer.add_argument("--name", default="maniple", help="what Jupyter calls it (maniple)")
    installer.add_argument("--display-name", metavar="TEXT", help="what notebooks show")
    installer.add_argument("--prefix", metavar="DIR", help="where: by default for this user only")
    installer.set_defaults(command="kernel install", call=_install)
    runner = commands.add_parser("run", help="what Jupyter has the launcher start")
    runner.add_argument("-f", required=True, dest="connection_file", metavar="FILE", help="Jupyter's connection file")
    runner.set_defaults(command="kernel run", call=_kernel.run)


def _install(**given):
    print(f"the kernel is in {_kernel.install(**given)}")


if __name__ == "__main__":
    main()
