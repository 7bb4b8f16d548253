"""The tests that come with Dask, of `maniple.array`: the outcomes are those of the list in dask_suite/expected.txt."""

import pathlib
import sys

import pytest

dask = pytest.importorskip("dask", reason="dask is not installed")
for needed in ("scipy", "xarray", "zarr"):
    pytest.importorskip(needed, reason=f"{needed} is not installed, which some of Dask's tests take")

sys.path.insert(0, str(pathlib.Path(__file__).parent / "dask_suite"))

import suite  # noqa: E402

VERSION, EXPECTED = suite.lines()
MODULES = sorted({name.split("::")[0] for name in EXPECTED})


@pytest.fixture(scope="module")
def found():
    assert dask.__version__ == VERSION, f"the list is of Dask {VERSION}: install that one, or write the list anew"
    return suite.families(suite.run(EXPECTED))


@pytest.mark.parametrize("module", MODULES)
def test_the_outcomes_are_those_of_the_list(found, module):
    due = {name: row[:3] for name, row in EXPECTED.items() if name.startswith(f"{module}::") and row[0] != "left out"}
    own = {name: row[:3] for name, row in found.items() if name.startswith(f"{module}::")}
    differ = {name: (due.get(name), own.get(name)) for name in sorted({*due, *own}) if due.get(name) != own.get(name)}
    assert not differ, "\n".join(f"{name}: the list has {row[0]}, found {row[1]}" for name, row in differ.items())


def test_the_list_has_reasons():
    for name, (word, _, _, reason) in EXPECTED.items():
        assert bool(reason) == (word != "passes"), name


def test_most_tests_pass():
    """The shim tests the package: an import that is wrong would let all fail, and the list with it."""
    passed = sum(int(numbers.split("+")[0]) for _, numbers, *_ in EXPECTED.values() if "+" in numbers)
    assert passed > 2500
