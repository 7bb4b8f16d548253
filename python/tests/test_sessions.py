"""Clusters that stand, and programs that connect to them."""

import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import MPIRUN, TIMEOUT, start

SIZES = [0] if MPIRUN is None else [0, 3, 4]


@pytest.mark.parametrize("ranks", SIZES)
def test_programs_connect_one_after_the_other(cluster, program, ranks):
    stands = cluster(ranks)
    text = f"""
        import maniple
        with maniple.Client(scheduler_file={str(stands.file)!r}) as client:
            squares = client.map(lambda x: x * x, range(100))
            print(client.submit(sum, squares).result(), len(client.ncores()))
        """
    for _ in range(2):
        assert program(text).check().out == "328350 2\n" if ranks != 3 else "328350 1\n"
    # By the variable, as the programs in Rust.
    text = "import maniple; client = maniple.Client(); print(client.submit(pow, 2, 9).result()); client.shutdown()"
    ended = program(text, env=os.environ | {"MANIPLE_CONNECT": str(stands.file)})
    assert ended.check().out == "512\n"
    status, out, err = stands.ended()
    assert (status, out) == (0, "") and "stands on" in err and "Traceback" not in err, err
    assert not stands.file.exists()


@pytest.mark.parametrize("ranks", SIZES)
def test_arrays_of_a_program_that_connects(cluster, program, ranks):
    stands = cluster(ranks)
    text = f"""
        import maniple, numpy as np
        import maniple.array as da
        with maniple.Client(scheduler_file={str(stands.file)!r}) as client:
            x = da.from_array(np.arange(60.0).reshape(6, 10), chunks=(4, 3))
            print((x + 1).sum(axis=1).compute(), x[x > 57].compute())
            print(x.map_blocks(np.sqrt).persist().max().compute().round(3), client.compute(x @ x.T).result().shape)
        """
    expected = ["[ 55. 155. 255. 355. 455. 555.] [58. 59.]", "7.681 (6, 6)"]
    for _ in range(2):
        assert program(text).check().lines() == expected
    connect = f"import maniple, maniple.array as da; client = maniple.Client(scheduler_file={str(stands.file)!r})\n"
    program(connect + "client.publish_dataset(kept=da.arange(10, chunks=4) / 2)\nclient.close()").check()
    text = connect + "x = client.get_dataset('kept'); print(x.dtype, x.chunks, (x * 2).sum().compute())\nclient.close()"
    assert program(text).check().out == "float64 ((4, 4, 2),) 45.0\n"


def test_what_was_published_outlives_its_session(cluster, program):
    stands = cluster(0)
    client = f"client = maniple.Client(scheduler_file={str(stands.file)!r})"
    first = f"""
        import maniple
        {client}
        client.publish_dataset(total=client.submit(sum, range(10)), parts=client.map(abs, [-1, -2]))
        client.publish_dataset(client.scatter("old"), name="word")
        client.publish_dataset(client.scatter("text"), name="word", override=True)
        for mistake in (lambda: client.publish_dataset(total=client.submit(abs, 1)), lambda: client.publish_dataset(x=3)):
            try:
                mistake()
            except (KeyError, TypeError) as error:
                print(type(error).__name__)
        print(client.list_datasets())
        """
    assert program(first).check().out == "KeyError\nTypeError\n('parts', 'total', 'word')\n"
    second = f"""
        import maniple
        {client}
        print(client.get_dataset("total").result(), client.gather(client.get_dataset("parts")))
        print(client.get_dataset("word").result(), client.get_dataset("other", None))
        assert client.datasets["word"].result() == "text" and sorted(client.datasets) == ["parts", "total", "word"]
        client.datasets["word"] = client.scatter("other")
        assert client.datasets["word"].result() == "other" and len(client.datasets) == 3
        del client.datasets["word"]
        assert "word" not in client.datasets and repr(client.datasets) == "<Datasets: parts, total>"
        client.unpublish_dataset("total")
        for mistake in (client.get_dataset, client.unpublish_dataset):
            try:
                mistake("total")
            except KeyError as error:
                print(error)
        client.shutdown()
        """
    said = "\"nothing is published as 'total'\"\n"
    assert program(second).check().out == "45 [1, 2]\ntext None\n" + 2 * said
    assert stands.ended()[0] == 0


def test_an_exception_of_a_session_leaves_the_cluster_standing(cluster, program):
    stands = cluster(0, "--idle-timeout", "1")
    text = f"""
        import maniple
        client = maniple.Client({str(stands.file)!r})
        client.submit(lambda: 1 // 0).result()
        """
    ended = program(text)
    assert ended.status == 1 and ended.err.count("ZeroDivisionError: integer division") >= 1
    assert program(text.replace("1 // 0", "1 // 1")).check().out == ""
    assert stands.ended()[0] == 0, "it ends without sessions"


def test_a_cluster_ends_by_a_signal(cluster, program):
    stands = cluster(0)
    stands.process.send_signal(signal.SIGTERM)
    status, _, err = stands.ended()
    assert status != 0 and "Traceback" not in err and not stands.file.exists(), err


@pytest.mark.parametrize("ranks", SIZES)
def test_mistakes_are_told_in_one_line(ranks):
    serve = [sys.executable, "-m", "maniple", "serve"]
    launch = [MPIRUN, "-n", ranks] if ranks else []
    ended = start([*launch, *serve, "--memory-limit", "much"])
    assert ended.status == 1 and ended.err.count("python -m maniple serve: memory limit") == 1, ended.err
    ended = start([*launch, *serve, "--scheduler-file", "/nonexistent/x.json"])
    assert ended.status == 1 and ended.err.count("cannot listen for sessions: /nonexistent/x.json") == 1, ended.err
    assert "Traceback" not in ended.err


def test_a_session_hears_that_its_cluster_was_killed(cluster, program):
    stands = cluster(0)
    text = f"""
        import os, time, maniple
        client = maniple.Client(scheduler_file={str(stands.file)!r})
        future = client.submit(time.sleep, 60)
        os.kill({stands.process.pid}, 9)
        for wait in (future.result, lambda: client.submit(abs, 1).result(), client.list_datasets):
            try:
                wait()
            except maniple.RunError as error:
                print("is lost" in str(error))
        """
    assert program(text).check().out == "True\n" * 3


def test_a_cluster_that_is_not_there_is_named(program):
    text = """
        import maniple
        for cluster in ("/nonexistent/cluster.json", "tcp://10.0.0.1:8786"):
            try:
                maniple.Client(cluster)
            except Exception as error:
                print(type(error).__name__, cluster in str(error))
        """
    lines = program(text).check().lines()
    assert [line.split()[1] for line in lines] == ["True", "True"], lines
