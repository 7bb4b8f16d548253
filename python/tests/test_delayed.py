"""Delayed calls."""

import maniple
import pytest
from maniple import delayed


def inc(x):
    return x + 1


def test_calls_are_made_when_asked(client):
    double = delayed(lambda x: 2 * x)
    a, b = double(1), double(2)
    total = delayed(sum)([a, b, 10])
    assert total.compute() == 16
    assert maniple.compute(a, b, 5) == (2, 4, 5)
    assert maniple.compute([a, {"b": b}]) == ([2, {"b": 4}],)
    assert ((a + b) * 2 - 1).compute() == 11 and (1 + a).compute() == 3 and (-a).compute() == -2
    assert delayed({"x": [1, 2]})["x"][1].compute() == 2
    assert delayed(3 + 4j).real.compute() == 3.0
    assert client.compute(a).result() == 2 and client.compute([a, b], sync=True) == [2, 4]
    assert (client.persist(a) + 1).compute() == 3

    @delayed(retries=1)
    def decorated(x, key):
        return x, key

    # A keyword of the call that is an option, too.
    assert decorated(1, key="k").compute() == (1, "k")


def test_a_call_that_several_need_is_made_once(client):
    calls = []

    def count():
        calls.append(1)
        return len(calls)

    # By its module, which this process shares.
    global counted
    counted = count
    once = delayed(call_counted)()
    assert maniple.compute(once, once + 0, [once]) == (1, 1, [1])


def call_counted():
    return counted()


def test_long_chains(client):
    value = delayed(0)
    for _ in range(3000):
        value = delayed(inc)(value)
    assert value.compute() == 3000


def test_mistakes_are_said(client):
    value = delayed(inc)(1)
    with pytest.raises(TypeError, match="truth"):
        bool(value)
    with pytest.raises(TypeError, match="iterated"):
        list(value)
    with pytest.raises(TypeError, match="delayed values"):
        client.compute(5)


def test_without_a_client_one_is_made(program):
    ended = program(
        """
        import maniple as dask
        print(dask.compute(dask.delayed(pow)(2, 10)))
        """
    )
    assert ended.check().out == "(1024,)\n"


def test_calls_of_several_results_can_be_unpacked(client):
    @delayed(nout=2)
    def divide(a, b):
        return divmod(a, b)

    quotient, remainder = divide(17, 5)
    assert maniple.compute(quotient, remainder, len(divide(1, 1))) == (3, 2, 2)
    assert maniple.compute(*delayed(("a", "b"), nout=2)) == ("a", "b")
    with pytest.raises(TypeError, match="nout"):
        list(delayed(divmod)(17, 5))
    with pytest.raises(ValueError, match="nout=-1"):
        delayed(divmod, nout=-1)


def test_graphs_are_drawn(tmp_path):
    # No client is needed.
    first = delayed(inc)(1)
    total = delayed(sum)([first, delayed(inc)(first), first + 1])
    path = tmp_path / "graph.dot"
    maniple.visualize([total, delayed(inc)(2)], filename=path)
    text = path.read_text()
    names = [line.split('"')[1] for line in text.splitlines() if "label" in line]
    assert sorted(names) == ["add", "inc", "inc", "inc", "sum"] and text.count("->") == 5
    total.visualize(filename=str(tmp_path / "graph.svg"))
    assert "sum" in (tmp_path / "graph.svg").read_text()
    delayed({"x": 1})["x"].real.visualize(path)
    assert ".real" in path.read_text() and "['x']" in path.read_text()
    with pytest.raises(ValueError, match="graph.png"):
        total.visualize("graph.png")
    with pytest.raises(TypeError, match="takes delayed values"):
        maniple.visualize(1)
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        total.visualize(tmp_path / "nowhere" / "graph.svg")


def test_a_long_chain_is_drawn(tmp_path):
    value = delayed(inc)(0)
    for _ in range(3000):
        value = delayed(inc)(value)
    value.visualize(tmp_path / "chain.dot")
    assert (tmp_path / "chain.dot").read_text().count("->") == 3000
