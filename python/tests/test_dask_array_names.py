"""The guide's table of the names of `dask.array` is complete, and says what is true."""

import collections
import pathlib
import re
import types

import maniple.array as own
import pytest

dask_array = pytest.importorskip("dask.array", reason="dask is not installed")

import dask.array.fft  # noqa: E402
import dask.array.linalg  # noqa: E402
import dask.array.ma  # noqa: E402
import dask.array.random  # noqa: E402, F401

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "guide" / "src" / "dask-array-names.md"


def rows():
    """The names of the table, with their words, where their blocks are made, and notes."""
    found = {}
    for line in PAGE.read_text().splitlines():
        if row := re.fullmatch(r"\| `([\w.]+)` \| (same|differs|missing) \| ([^|]+) \| (.*) ?\|", line):
            assert row[1] not in found, f"{row[1]} is there twice"
            found[row[1]] = (row[2], row[3], row[4].strip())
    return found


def names_of_dask():
    """The public names of dask.array, and those that its parts define."""
    for name in dir(dask_array):
        value = getattr(dask_array, name)
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations":
            yield name
    for part in ("linalg", "fft", "ma", "random"):
        module = getattr(dask_array, part)
        for name in dir(module):
            value = getattr(module, name)
            is_own = (
                getattr(value, "__module__", "").startswith(f"dask.array.{part}")
                or part in ("ma", "random")
                and callable(value)
            )
            if not name.startswith("_") and callable(value) and is_own and name not in HELPERS:
                yield f"{part}.{name}"


# Where blocks are made.
BLOCKS = {"across, device", "across", "NumPy", "whole axes", "driver", "—", "no"}

# What these modules import or use themselves.
HELPERS = {
    "HighLevelGraph", "Integral", "Lock", "Task", "TaskRef", "arange", "array_creation_dispatch", "asarray",
    "asarray_safe", "broadcast_shapes", "broadcast_to", "chain", "derived_from", "getitem", "parse_input", "product",
    "random_state_data", "asanyarray", "blockwise", "elemwise", "map_blocks", "normalize_masked_array", "normalize_token",
    "reduction", "wraps", "slices_from_chunks", "tokenize", "typename", "Array", "normalize_chunks",
}  # fmt: skip


def test_the_table_has_all_names_and_no_others():
    due, found = set(names_of_dask()), set(rows())
    assert due == found, (sorted(due - found), sorted(found - due))


def test_the_numbers_are_those_of_the_table():
    count = collections.Counter(word for word, *_ in rows().values())
    numbers = f"{count['same']} names are the same, {count['differs']} differ, {count['missing']} are missing."
    assert numbers in PAGE.read_text()


@pytest.mark.parametrize("name", rows())
def test_a_row_is_true(name):
    word, blocks, note = rows()[name]
    value = own
    for part in name.split("."):
        value = getattr(value, part, None)
    assert (word == "missing") == (value is None and name != "newaxis")
    assert bool(note) == (word != "same"), "what differs or is missing has a note"
    assert blocks in BLOCKS and (blocks == "no") == (word == "missing")
