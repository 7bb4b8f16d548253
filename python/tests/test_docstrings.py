"""Every public name has a docstring whose parameters are those of the signature and whose examples hold."""

import asyncio
import doctest
import inspect
import os
import re
import time

import maniple
import maniple.array as da
import pytest
from maniple import _asynchronous

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def documented():
    """The public names of the package and of its classes, with what they stand for."""
    yield "Client(asynchronous=True)", _asynchronous.AsynchronousClient
    for name in maniple.__all__:
        value = getattr(maniple, name)
        yield name, value
        if inspect.isclass(value) and not issubclass(value, BaseException):
            own = [kind for kind in value.__mro__ if kind.__module__.startswith("maniple")]
            members = {part: member for kind in reversed(own) for part, member in vars(kind).items()}
            for part, member in sorted(members.items()):
                if not part.startswith("_") and (callable(member) or inspect.isdatadescriptor(member)):
                    yield f"{name}.{part}", member


NAMES = {name: value for name, value in documented() if name != "__version__"}


def described(doc):
    """The names in a docstring's section on parameters, or None if it has no such section."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", doc, re.S | re.M)
    if section is None:
        return None
    heads = re.findall(r"^(\S[^:\n]*)(?: :|$)", section[1], re.M)
    return [name.strip(" *") for head in heads for name in re.sub(r" \(or (\w+)\)", r", \1", head).split(",")]


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_have_a_summary_and_the_parameters_of_the_signature(name):
    value, doc = NAMES[name], inspect.getdoc(NAMES[name])
    assert doc.splitlines()[0].endswith(".")
    # Other classes are made by functions, or document their keywords with what starts a run.
    is_called = name in ("as_completed", "ClientExecutor") or callable(value) and not inspect.isclass(value)
    if is_called and not name.startswith("LocalCluster."):
        names = {each for each in inspect.signature(value).parameters if each not in ("self", "ignored")}
        known = described(doc)
        assert not names if known is None else set(known) <= names | CLASSES_KEYWORDS.get(name, set())


# Keywords that go on to another function, by which the docstring names them.
CLASSES_KEYWORDS = {
    "serve": {"nthreads", "memory_limit", "local_directory", "resources", "dashboard", "report"},
}


@pytest.mark.parametrize("name", [name for name, value in NAMES.items() if ">>> " in (inspect.getdoc(value) or "")])
def test_examples_of_docstrings_hold(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    public = {each: getattr(maniple, each) for each in maniple.__all__}
    with maniple.Client(n_workers=2, threads_per_worker=1, processes=False) as client:
        names = {**public, "client": client, "da": da, "asyncio": asyncio, "os": os, "time": time}
        test = doctest.DocTestParser().get_doctest(inspect.getdoc(NAMES[name]), names, name, None, None)
        report = []
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


def test_methods_of_the_client_have_examples():
    missing = [name for name in NAMES if name.startswith("Client.") and ">>> " not in inspect.getdoc(NAMES[name])]
    assert missing == ["Client.cluster"]
