"""Runs the tests that come with Dask against `maniple.array`, and compares the outcomes with the list in expected.txt.

python suite.py --update      writes the list anew; reasons that are there stay
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import zlib

import dask

HERE = pathlib.Path(__file__).parent
LIST = HERE / "expected.txt"
TESTS = pathlib.Path(dask.__file__).parent / "array" / "tests"
# Two processes of about the same length.
GROUPS = [
    ["array_core", "array_function", "fft", "gufunc", "map_blocks", "overlap", "random", "reductions", "slicing", "ufunc",
     "creation"],
    ["linalg", "percentiles", "rechunk", "reshape", "routines", "shuffle", "wrap"],
]  # fmt: skip
# Why a test does not pass, by its error, unless the list has a reason already.
REASONS = [
    (r"attribute 'dask'|__dask|_meta|'layers'|'key'|same_keys|tokeniz|assert '\w+' (==|!=|in) '|Delayed|_name", "differs",
     "names and graphs of tasks are not Dask's"),
    (r"(array|block) of (\w+) elements is not available|block of object|dtype.*object", "missing",
     "an element type that the runtime lacks"),
    (r"masked|MaskedArray", "missing", "masked arrays"),
    (r"is not there|has no attribute", "missing", "a function within Dask's modules, or a name that is missing"),
    (r"unexpected keyword|positional argument|multiple values", "missing", "a keyword that is missing"),
    (r"DID NOT RAISE", "differs", "it works here, or the error comes when the array is computed"),
    (r"DID NOT WARN", "differs", "there is no warning"),
    (r"Regex pattern", "differs", "the error has other words"),
    (r"nan, nan|np.False_|isnan", "differs", "the sizes of blocks are always known"),
    (r"NotImplementedError", "missing", "refused"),
    (r"datetime64|timedelta64", "missing", "an element type that the runtime lacks"),
    (r"assert \(+\d|assert \d+ [=<>!]+ \d|assert \(+\d+,\)", "differs", "other sizes of blocks, or no graph to count tasks in"),
    (r"arrays are made by|has no setter|KeyError|'blah'|blockwise'\]|docstring|assert not True", "differs",
     "names and graphs of tasks are not Dask's"),
    (r"cannot be interpreted as an integer|shape \(nan|not iterable.*_Later", "differs", "sizes of blocks are always known"),
    (r"broadcast|add up to the shape|do not fit|different lengths|has the lengths|are given for", "differs",
     "shapes are broadcast, not only the numbers of blocks, or another error"),
    (r"panicked", "differs", "a function of blocks must return the shape that is due"),
    (r"_Later|LocalStore|not dict|not Array|Zarr store", "missing", "targets of stores, and options of Zarr"),
    (r"values differ", "differs", "rounding of float32, or a documented difference from NumPy"),
    (r"gufunc signature", "missing", "generalised functions without arguments"),
    (r"assert maniple.array|assert False|assert <class|is <class", "differs",
     "the type of a result: NumPy arrays give arrays here, results without axes are scalars"),
    (r"mocker", "missing", "it needs pytest-mock"),
]  # fmt: skip


def lines():
    """The list: the version of Dask, and for each test function its word, numbers, digest and reason."""
    version, expected = None, {}
    for line in LIST.read_text().splitlines():
        if line.startswith("# dask "):
            version = line.split()[2]
        elif line and not line.startswith("#"):
            name, word, numbers, digest, reason = (part.strip() for part in line.split("|"))
            expected[name] = (word, numbers, digest, reason)
    return version, expected


def left_out(expected):
    """The tests that are not run."""
    return [name for name, (word, *_) in expected.items() if word == "left out"]


def run(expected):
    """The outcomes of all tests, as a word and an error by name."""
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for place, modules in enumerate(GROUPS):
            files = [TESTS / f"test_{module}.py" for module in modules]
            skipped = [f"--leave-out={name}" for name in left_out(expected)]
            command = [
                sys.executable, "-m", "pytest", "-p", "shim", "-p", "no:cacheprovider", "--import-mode", "importlib",
                "--rootdir", TESTS.parent.parent, "-c", HERE / "pytest.ini", "-q", "--tb=no", "-m", "not slow",
                "--outcomes", f"{folder}/{place}", *skipped, *files,
            ]  # fmt: skip
            log = open(f"{folder}/{place}.log", "w")
            processes.append((subprocess.Popen(list(map(str, command)), cwd=HERE, stdout=log, stderr=log), log))
        for place, (process, log) in enumerate(processes):
            process.wait()
            log.close()
            path = pathlib.Path(folder, str(place))
            # 1: tests have failed.
            if process.returncode not in (0, 1) or not path.exists():
                raise RuntimeError(pathlib.Path(f"{folder}/{place}.log").read_text()[-3000:])
            for line in path.read_text().splitlines():
                word, name, error, _ = line.split("\t")
                outcomes[name] = (word, error)
    return outcomes


def families(outcomes):
    """For each test function: the word, the numbers of what passed and did not, and a digest of what passed."""
    grouped = collections.defaultdict(dict)
    for name, (word, error) in outcomes.items():
        if word != "skipped":
            grouped[name.split("[")[0]][name] = (word, error)
    found = {}
    for family, tests in grouped.items():
        passed = sorted(name for name, (word, _) in tests.items() if word == "passed")
        failed = [error for word, error in tests.values() if word != "passed"]
        word = "passes" if not failed else "mixed" if passed else "fails"
        digest = f"{zlib.crc32(' '.join(passed).encode()):08x}" if word == "mixed" else "-"
        found[family] = (word, f"{len(passed)}+{len(failed)}", digest, failed)
    return found


def reason(errors):
    for pattern, word, text in REASONS:
        if any(re.search(pattern, error) for error in errors):
            return f"{word}: {text}"
    return f"differs: not examined yet ({errors[0].split(':')[0]})"


def update():
    version, expected = lines() if LIST.exists() else (None, {})
    found = families(run(expected))
    head = LIST.read_text().split("\n# dask ")[0] if LIST.exists() else "# The tests of dask.array"
    rows = [f"{name} | {' | '.join(expected[name])}" for name in left_out(expected)]
    for name, (word, numbers, digest, errors) in found.items():
        old = expected.get(name, ("", "", "", ""))
        why = "" if word == "passes" else old[3] if old[3] else reason(errors)
        rows.append(f"{name} | {word} | {numbers} | {digest} | {why}".rstrip())
    LIST.write_text("\n".join([head, f"# dask {dask.__version__}", "", *sorted(rows), ""]))


if __name__ == "__main__":
    assert sys.argv[1:] == ["--update"], __doc__
    update()
