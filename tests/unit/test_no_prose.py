"""Statistics and comparisons return facts: ``bench/stats`` holds no sentence, and no decision of ``bench/compare`` words one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
STATS = BENCH / "stats"
WORDS = 4
"""A literal with as many words reads as a sentence."""


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of the literals that read as sentences."""
    tree = ast.parse(source)
    ignored = set(_ignored(tree))
    for node in ast.walk(tree):
        if node not in ignored and isinstance(node, ast.JoinedStr | ast.Constant):
            text = _text(node)
            if len(re.findall(r"[A-Za-z]{2,}", text)) >= WORDS:
                yield node.lineno, text


def _ignored(tree: ast.Module) -> Iterator[ast.AST]:
    raised = {
        argument.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        for argument in node.exc.args
        if isinstance(argument, ast.Name)
    }
    for node in ast.walk(tree):
        documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        message = isinstance(node, ast.Assign) and {t.id for t in node.targets if isinstance(t, ast.Name)} & raised
        if documents or message or isinstance(node, ast.Raise):
            yield from ast.walk(node)
        elif isinstance(node, ast.JoinedStr):  # its parts are read with the whole
            yield from (part for value in node.values for part in ast.walk(value))


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.JoinedStr):
        return " ".join(str(one.value) for one in node.values if isinstance(one, ast.Constant))
    return node.value if isinstance(node.value, str) else ""


@pytest.mark.parametrize("path", sorted(STATS.rglob("*.py")), ids=lambda path: path.name)
def test_module_of_stats_holds_no_sentence(path: Path) -> None:
    assert list(sentences(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('x = f"{a} blocks are too few for {b}"', 1),
        ('def f():\n    """Return what is in the box."""\n    return "one two"', 0),
        ('def f():\n    msg = "there is no value in it"\n    raise ValueError(msg)', 0),
        ('raise ValueError("there is no value in it")', 0),
        ('msg = "there is no value in it"', 1),
        ('LIMIT = 3\n"""How many of them there may be."""', 0),
    ],
)
def test_sentence_in_source_is_found_unless_docstring_or_error(source: str, count: int) -> None:
    assert len(list(sentences(source))) == count


def imported(path: Path) -> set[str]:
    """Return the dotted names that a module imports."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


@pytest.mark.parametrize("path", sorted(STATS.rglob("*.py")), ids=lambda path: path.name)
def test_module_of_stats_imports_neither_wording_nor_number_formats(path: Path) -> None:
    wording = ("bench.display", "bench.report", "bench.core.units")
    assert [name for name in imported(path) if name.startswith(wording)] == []


@pytest.mark.parametrize("path", sorted((BENCH / "compare").glob("*.py")), ids=lambda path: path.name)
def test_module_of_compare_does_not_import_its_wording(path: Path) -> None:
    allowed = path.name == "wording.py"
    assert allowed or [name for name in imported(path) if "wording" in name or "prose" in name] == []
