"""The guide's tables of Dask's names are complete and true."""

import inspect
import re

import maniple
import pytest
from conftest import HERE

CHAPTER = HERE.parent.parent / "docs/guide/src/dask-client-names.md"


def table(heading):
    """What a table of the chapter says of each name."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", CHAPTER.read_text(), re.S | re.M)[1]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ?(.*?) ?\|$", section, re.M)
    assert len(rows) == section.count("\n| `")
    return {name: (state, note) for name, state, note in rows}


def public_names(distributed, heading):
    if heading == "The module":
        return set(distributed.__all__)
    return {name for name in dir(getattr(distributed, heading)) if not name.startswith("_")}


def parameters(function):
    """The names of the parameters that have a meaning, and whether there may be others."""
    found = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {each.name for each in found if each.kind not in kinds and each.name != "self"}, any(
        each.kind == inspect.Parameter.VAR_KEYWORD for each in found
    )


# The first parameter has no other meaning under its own name.
RENAMED = {"fn": "function"}


@pytest.mark.parametrize("heading", ["Client", "Future", "as_completed", "The module"])
def test_the_table_has_every_public_name_of_dask(heading):
    distributed = pytest.importorskip("distributed")
    assert set(table(heading)) == public_names(distributed, heading)


@pytest.mark.parametrize("heading", ["Client", "Future", "as_completed", "The module"])
def test_the_table_is_true(heading):
    own = maniple if heading == "The module" else getattr(maniple, heading)
    for name, (state, note) in table(heading).items():
        assert state in ("same", "differs", "missing") and bool(note) >= (state == "differs"), name
        assert (name in own.__all__ if own is maniple else hasattr(own, name)) == (state != "missing"), name


@pytest.mark.parametrize("heading", ["Client", "Future", "as_completed", "The module"])
def test_what_is_the_same_takes_the_same_parameters(heading):
    distributed = pytest.importorskip("distributed")
    of_dask = distributed if heading == "The module" else getattr(distributed, heading)
    own = maniple if heading == "The module" else getattr(maniple, heading)
    for name, (state, _) in table(heading).items():
        theirs = getattr(of_dask, name)
        if state == "same" and inspect.isroutine(theirs):
            wanted, _ = parameters(theirs)
            taken, takes_others = parameters(getattr(own, name))
            assert takes_others or {RENAMED.get(each, each) for each in wanted} <= taken, name
