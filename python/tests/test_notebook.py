"""Notebooks: in one process, and with a kernel that is rank 1 of a run."""

import importlib.util
import json
import re
import sys

import pytest
from conftest import HERE, LAUNCHED, MPIRUN, start
from test_pages import with_imports

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


LESSON = HERE.parent / "examples/ichec_lesson.ipynb"
PAGE = HERE / "pages/ichec_lesson.ipy"


def executed(cells, folder, kernel_name="python3"):
    """The cells' outputs."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name=kernel_name, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [cell.outputs for cell in notebook.cells]


def comparable_outputs(cell, outputs):
    """What a cell shows, but for times, random numbers and what its tasks print."""
    shown = [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]
    if "compute(" not in cell and "%time" not in cell:
        streams = [output for output in outputs if output.get("name") == "stdout"]
        shown += [line for stream in streams for line in stream.text.splitlines()]
    shown = [re.sub(r"<Client[^>]*>", "<Client>", text) for text in shown if "SVG" not in text]
    return [re.sub(r"\d+\.\d+|\b(dask|maniple)\.", "", text) for text in shown]


def lesson_cells():
    return [cell.source for cell in nbformat.read(LESSON, 4).cells if cell.cell_type == "code"]


def test_the_lessons_notebook_differs_in_imports_only():
    page = PAGE.read_text().rstrip().split("\n\n# %%\n")
    assert lesson_cells() == [with_imports(cell) for cell in page]


def test_the_lessons_notebook_shows_what_it_does_with_dask(tmp_path):
    cells = lesson_cells()
    outputs = executed(cells, tmp_path)
    errors = [(cell, output) for cell, shown in zip(cells, outputs) for output in shown if output.output_type == "error"]
    assert not errors
    by_cell = dict(zip(cells, outputs))
    assert "<td>Workers</td>" in by_cell[cells[0]][0].data["text/html"]
    assert "svg" in by_cell["a_da.visualize()"][0].data["image/svg+xml"]
    assert by_cell["(a_da ** 2).compute()"][0].data["text/plain"].startswith("array([   1,   16,   49,  100,")
    if importlib.util.find_spec("dask") is None:
        return
    page = PAGE.read_text().rstrip().split("\n\n# %%\n")
    for cell, own, dask in zip(page, outputs, executed(page, tmp_path)):
        # Dask draws with a program that may not be there.
        if not any(output.output_type == "error" and "graphviz" in output.evalue.lower() for output in dask):
            assert comparable_outputs(cell, own) == comparable_outputs(cell, dask)


@pytest.mark.skipif(MPIRUN is None, reason="no launcher")
def test_the_lessons_notebook_on_ranks(kernels, tmp_path):
    kernels(4)
    for cell, outputs in zip(lesson_cells(), executed(lesson_cells(), tmp_path, "maniple")):
        assert not [output for output in outputs if output.output_type == "error"], cell


def test_progress_is_a_widget_where_there_are_widgets(tmp_path):
    pytest.importorskip("ipywidgets")
    cells = [
        "import maniple, threading\nclient = maniple.Client(n_workers=2, processes=False)\ngate = threading.Event()",
        "def pass_gate(x):\n    import __main__\n    __main__.gate.wait(60)\n    return 1 // x",
        "held = client.submit(pass_gate, 1)\nmaniple.progress(held, client.submit(abs, 1))",
        "gate.set()\nprint(held.result())",
        "bar = maniple.progress(client.submit(pass_gate, 0))\nimport time\ntime.sleep(1)\nclient.close()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
    client.execute()
    shown = notebook.cells[2].outputs[0].data
    assert "application/vnd.jupyter.widget-view+json" in shown
    states = list(client.widget_state.values())
    bars = [state for state in states if state.get("_model_name") == "IntProgressModel"]
    assert [(bar["value"], bar["max"], bar["bar_style"]) for bar in bars] == [(2, 2, "success"), (1, 1, "danger")]
    assert "2 of 2 tasks" in str(states)
