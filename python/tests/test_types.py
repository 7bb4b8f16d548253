"""The stubs have the names and parameters of the package, and type checkers understand them."""

import ast
import inspect
import pathlib
import subprocess
import sys

import maniple
import pytest

from conftest import run_file

HERE = pathlib.Path(__file__).parent
STUB = pathlib.Path(maniple.__file__).with_suffix(".pyi")


def parameters(function):
    """The names of a function's parameters in a stub, by their kinds."""
    given = function.args
    named = [argument.arg for argument in given.posonlyargs + given.args]
    more = [f"*{given.vararg.arg}"] if given.vararg else []
    only = [f"{argument.arg}=" for argument in given.kwonlyargs]
    rest = [f"**{given.kwarg.arg}"] if given.kwarg else []
    return [*named, *more, *only, *rest]


def real_parameters(function):
    marks = {
        inspect.Parameter.VAR_POSITIONAL: "*{}",
        inspect.Parameter.KEYWORD_ONLY: "{}=",
        inspect.Parameter.VAR_KEYWORD: "**{}",
    }
    found = inspect.signature(function).parameters.values()
    return [marks.get(parameter.kind, "{}").format(parameter.name) for parameter in found]


def members():
    """The public functions and methods of the stub."""
    for item in ast.parse(STUB.read_text()).body:
        if isinstance(item, ast.FunctionDef):
            yield item.name, item, getattr(maniple, item.name)
        elif isinstance(item, ast.ClassDef) and not item.name.startswith("_"):
            own = getattr(maniple, item.name)
            for part in item.body:
                is_method = isinstance(part, ast.FunctionDef) and not part.decorator_list
                if is_method and (part.name == "__init__" or not part.name.startswith("_")):
                    yield f"{item.name}.{part.name}", part, getattr(own, part.name)


@pytest.mark.parametrize("name, stub, real", list(members()), ids=lambda value: value if isinstance(value, str) else "")
def test_the_stub_has_the_parameters_of_the_package(name, stub, real):
    assert parameters(stub) == real_parameters(real)


def test_the_stub_has_the_names_of_the_package():
    items = ast.parse(STUB.read_text()).body
    names = {item.name for item in items if isinstance(item, (ast.FunctionDef, ast.ClassDef))}
    assert {name for name in names if not name.startswith("_")} | {"__version__"} == set(maniple.__all__)


def test_a_strict_type_checker_is_content(tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, HERE / "typed.py"]
    checked = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_wrong_type_is_found(tmp_path):
    text = (HERE / "typed.py").read_text()
    wrong = tmp_path / "wrong.py"
    wrong.write_text(text.replace("number: int = one.result", "number: str = one.result"))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, wrong]
    checked = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert checked.returncode == 1 and 'variable has type "str"' in checked.stdout, checked.stdout


def test_the_typed_program_runs():
    assert run_file(HERE / "typed.py").check().out == "208 9 32\n"


def test_the_stub_of_arrays_has_names_of_arrays():
    import maniple.array

    tree = ast.parse(pathlib.Path(maniple.array.__file__).with_suffix(".pyi").read_text())
    (stub,) = (item for item in tree.body if isinstance(item, ast.ClassDef))
    names = [part.name for part in stub.body if isinstance(part, ast.FunctionDef) and part.name != "__getattr__"]
    assert len(names) > 15 and all(hasattr(maniple.array.Array, name) for name in names)
