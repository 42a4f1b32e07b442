"""Limits of the house style in ``bench/``: length of modules and functions, width of classes, docstrings of what is public."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
MODULE_LINES = 300
FUNCTION_LINES = 40
"""Lines of a function without its docstring."""
PUBLIC_METHODS = 8

LONG_MODULES = {
    "core/model.py": (328, "the records that all packages exchange: most lines describe fields, none is logic"),
}
LONG_FUNCTIONS: Mapping[str, tuple[int, str]] = {}
WIDE_CLASSES: Mapping[str, tuple[int, str]] = {}
"""What exceeds a limit: name → the most that it may have, and why. A number may only become smaller."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Sizes = Iterator[tuple[str, int]]
parsed = functools.cache(ast.parse)


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield the dotted name and the node of every class, function and method, but none inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            yield f"{prefix}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node, f"{prefix}{node.name}.")
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from definitions(node, prefix)


def module_lines(source: str) -> Sizes:
    """Yield the number of a module's lines, under an empty name."""
    yield "", len(source.splitlines())


def function_lines(source: str) -> Sizes:
    """Yield each function's name and number of lines without its docstring."""
    for name, node in definitions(parsed(source)):
        if not isinstance(node, ast.ClassDef):
            first = node.body[0]
            documented = ast.get_docstring(node) is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield name, (node.end_lineno or 0) - node.lineno + 1 - docstring


def public_methods(source: str) -> Sizes:
    """Yield each class's name and number of methods and properties without an underscore."""
    for name, node in definitions(parsed(source)):
        if isinstance(node, ast.ClassDef):
            own = {inner.name for path, inner in definitions(node) if "." not in path}
            nested = {inner.name for inner in node.body if isinstance(inner, ast.ClassDef)}
            yield name, sum(not each.startswith("_") for each in own - nested)


def undocumented(source: str) -> Iterator[str]:
    """Yield the names of a module (empty), public classes, functions and methods without docstring; setters need none."""
    tree = parsed(source)
    if ast.get_docstring(tree) is None:
        yield ""
    for name, node in definitions(tree):
        setter = any(isinstance(one, ast.Attribute) and one.attr == "setter" for one in node.decorator_list)
        if not node.name.startswith("_") and not setter and ast.get_docstring(node) is None:
            yield name


def measured(measure: Callable[[str], Sizes]) -> dict[str, int]:
    """Return ``path name`` → size of everything in ``bench/`` that a function measures."""
    return {
        f"{path.relative_to(BENCH)} {name}".strip(): size
        for path in sorted(BENCH.rglob("*.py"))
        for name, size in measure(path.read_text(encoding="utf-8"))
    }


CASES = [
    pytest.param(module_lines, MODULE_LINES, LONG_MODULES, id="lines of a module"),
    pytest.param(function_lines, FUNCTION_LINES, LONG_FUNCTIONS, id="lines of a function"),
    pytest.param(public_methods, PUBLIC_METHODS, WIDE_CLASSES, id="public methods of a class"),
]


@pytest.mark.parametrize(("measure", "limit", "exceptions"), CASES)
def test_size_is_within_its_limit(
    measure: Callable[[str], Sizes], limit: int, exceptions: Mapping[str, tuple[int, str]]
) -> None:
    allowed = {name: most for name, (most, _) in exceptions.items()}
    assert {name: size for name, size in measured(measure).items() if size > allowed.get(name, limit)} == {}


@pytest.mark.parametrize(("measure", "limit", "exceptions"), CASES)
def test_exception_is_removed_once_it_is_not_needed(
    measure: Callable[[str], Sizes], limit: int, exceptions: Mapping[str, tuple[int, str]]
) -> None:
    found = measured(measure)
    assert [name for name in exceptions if found.get(name, 0) <= limit] == []
    assert [name for name, (most, _) in exceptions.items() if found[name] < most] == []


def test_everything_public_has_a_docstring() -> None:
    assert [
        f"{path.relative_to(BENCH)} {name}".strip()
        for path in sorted(BENCH.rglob("*.py"))
        for name in undocumented(path.read_text(encoding="utf-8"))
    ] == []


def test_sizes_of_a_small_module_are_counted() -> None:
    source = '''
class Wide:
    """A class."""

    @property
    def size(self) -> int:
        """Its size."""
        return 1

    @size.setter
    def size(self, value: int) -> None: ...

    def _hidden(self) -> None: ...

    class Inner:
        def one(self) -> None: ...
        def two(self) -> None: ...


def long() -> int:
    """Two lines
    of docstring.
    """

    def inside() -> int:
        return 2

    return inside()
'''
    assert dict(module_lines(source)) == {"": 28}
    assert dict(public_methods(source)) == {"Wide": 1, "Wide.Inner": 2}
    lines = dict(function_lines(source))
    assert (lines["long"], lines["Wide._hidden"], lines["Wide.Inner.one"]) == (6, 1, 1)
    assert list(undocumented(source)) == ["", "Wide.Inner", "Wide.Inner.one", "Wide.Inner.two"]
