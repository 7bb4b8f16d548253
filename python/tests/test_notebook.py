"""A notebook whose kernel is rank 1 of a run."""

import json
import sys

import pytest
from conftest import LAUNCHED, MPIRUN, start

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

CELLS = [
    "import maniple, os, time\nclient = maniple.Client()\nlen(client.ncores())",
    "client",
    "sorted(client.run(lambda: maniple.get_worker().rank).values())",
    "client.submit(sum, [1, 2, 3]).result()",
    "client.submit(lambda: 1 / 0).result()",
    "client.gather(client.map(lambda x: x * x, range(5)))",
]


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """Installs a kernel of so many ranks below a folder of the test's, where Jupyter looks."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share/jupyter"))

    def install(ranks):
        command = [sys.executable, "-m", "maniple", "kernel", "install", "-n", ranks, "--prefix", tmp_path]
        said = start([*command, "--launcher", MPIRUN]).check().out
        folder = tmp_path / "share/jupyter/kernels/maniple"
        assert said == f"the kernel is in {folder}\n"
        return json.loads((folder / "kernel.json").read_text())

    return install


@pytest.mark.parametrize("ranks", LAUNCHED[2:4])
def test_a_notebook_drives_all_ranks(ranks, kernels):
    assert kernels(ranks)["display_name"] == f"Maniple ({ranks} ranks)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="maniple", allow_errors=True)
    client.execute()
    outputs = [cell.outputs[0] for cell in notebook.cells]
    plain = [output.get("data", {}).get("text/plain") for output in outputs]
    assert plain[0] == str(ranks - 2)
    assert "<td>Workers</td>" in outputs[1].data["text/html"]
    assert plain[2] == str(list(range(2, ranks)))
    assert plain[3] == "6" and plain[5] == "[0, 1, 4, 9, 16]"
    assert outputs[4].ename == "ZeroDivisionError"


@pytest.mark.skipif(MPIRUN is None, reason="no launcher")
def test_an_interrupt_ends_a_cell_and_nothing_else(kernels):
    from jupyter_client.manager import start_new_kernel

    kernels(3)
    manager, client = start_new_kernel(kernel_name="maniple", startup_timeout=60)
    try:
        client.execute_interactive("import maniple, time\nclient = maniple.Client()", timeout=60)
        cell = "print('waits', flush=True)\nclient.submit(time.sleep, 3600).result()"
        # Otherwise the kernel drops what comes soon after.
        request = client.execute(cell, stop_on_error=False)
        while "waits" not in str(client.get_iopub_msg(timeout=60)["content"]):
            pass
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=60)
        while reply["parent_header"].get("msg_id") != request:
            reply = client.get_shell_msg(timeout=60)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        reply = client.execute_interactive("assert client.ncores()", timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert not manager.is_alive()


def test_the_ranks_of_a_kernel_are_counted():
    ended = start([sys.executable, "-m", "maniple", "kernel", "install", "-n", 0])
    assert (ended.status, ended.out, ended.err) == (1, "", "python -m maniple kernel install: 0 ranks\n")
