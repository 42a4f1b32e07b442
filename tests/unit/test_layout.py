"""The layout of ``bench/``: packages stand in the order in which a number passes through them, and imports follow it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
ORDER = (
    *("core", "store", "stats", "index", "lab", "workloads", "probes", "payload", "engines", "invocation", "display"),
    *("benchmarks", "scenario", "run", "compare", "claims", "interchange", "report", "site", "hosts", "cli"),
    *("pytest_plugin", "__main__"),
)
"""Packages from the ground up, as docs/architecture.md lists them: each imports only itself and those before it."""

BENCHMARKS = sorted(path.parent.name for path in (BENCH / "benchmarks").glob("*/__init__.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of everything of Tare that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bench":
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "bench")


def room_of(path: Path) -> str:
    """Return the package, or module of the root, that a file belongs to."""
    first = path.relative_to(BENCH).parts[0]
    return first.removesuffix(".py")


def backward(files: list[Path]) -> list[str]:
    """Return the imports that run against the order, as ``file:line imports name``."""
    found = []
    for path in files:
        here = ORDER.index(room_of(path))
        for line, name in imports(path):
            parts = name.split(".")
            if len(parts) > 1 and parts[1] in ORDER and ORDER.index(parts[1]) > here:
                found.append(f"{path.relative_to(BENCH)}:{line} imports {name}")
    return found


def modules() -> list[Path]:
    """Return every module but the root's ``__init__``, which ties the metric registry to the benchmarks."""
    return [path for path in sorted(BENCH.rglob("*.py")) if path != BENCH / "__init__.py"]


def test_no_import_runs_against_the_order() -> None:
    assert backward(modules()) == []


def test_an_import_against_the_order_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "BENCH", tmp_path)
    (tmp_path / "stats").mkdir()
    wrong = tmp_path / "stats/wrong.py"
    wrong.write_text("def f():\n    from bench.report import html\n", encoding="utf-8")
    assert backward([wrong]) == ["stats/wrong.py:2 imports bench.report.html"]


ENGINE_WORDS = {
    *("docker", "dockerd", "podman", "containerd", "cri", "crio", "runc", "crun", "runsc", "gvisor"),
    *("libvirt", "libvirtd", "virtqemud", "qemu", "kvm"),
}
IN_FORMATS = {
    "images.py": ("docker.io/", "io.containerd.image.name"),
    "registry.py": ("docker-registry", "docker-content-digest"),
}
"""Module of the lab → names that are part of an image's, an archive's or a registry's format, whichever engine reads it."""


def engine_words(path: Path, allowed: Sequence[str] = ()) -> list[str]:
    """Return the engine names in a module's identifiers and strings (docstrings apart), as ``file:line word``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        texts = [value for _, value in ast.iter_fields(node) if isinstance(value, str) and id(node) not in statements]
        for text in texts:
            for part in allowed:
                text = text.replace(part, "")  # noqa: PLW2901 - what is left of it
            words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", text).lower())
            found += [f"{path.name}:{getattr(node, 'lineno', 0)} {word}" for word in words if word in ENGINE_WORDS]
    return found


@pytest.mark.parametrize("path", sorted((BENCH / "lab").rglob("*.py")), ids=lambda path: path.name)
def test_the_lab_names_no_engine(path: Path) -> None:
    assert engine_words(path, IN_FORMATS.get(path.name, ())) == []


def test_an_engine_name_in_code_is_found(tmp_path: Path) -> None:
    module = tmp_path / "wrong.py"
    code = '"""Docker."""\nimport docker.errors\ndef start_podman(x):\n    """runc"""\n    return x.OciCri, f"{x}/libvirt"\n'
    module.write_text(code, encoding="utf-8")
    found = ["wrong.py:2 docker", "wrong.py:3 podman", "wrong.py:5 cri", "wrong.py:5 libvirt"]
    assert sorted(engine_words(module)) == found
    assert engine_words(module, ("start_podman", "docker.errors", "Cri", "/libvirt")) == []


def test_every_package_is_in_the_order() -> None:
    assert {room_of(path) for path in modules()} | {"payload"} == set(ORDER)


def test_no_module_of_the_root_or_package_begins_with_an_underscore() -> None:
    names = [path.name for path in BENCH.rglob("*") if "__pycache__" not in path.parts and path.suffix in ("", ".py")]
    assert [name for name in names if name.startswith("_") and not name.startswith("__")] == []


@pytest.mark.parametrize("name", BENCHMARKS)
def test_no_benchmark_imports_another(name: str) -> None:
    others = {f"bench.benchmarks.{other}" for other in BENCHMARKS if other != name}
    found = [
        f"{path.name}:{line} imports {imported}"
        for path in sorted((BENCH / "benchmarks" / name).rglob("*.py"))
        for line, imported in imports(path)
        if any(imported == other or imported.startswith(f"{other}.") for other in others)
    ]
    assert found == []


ENGINE_INTERFACE = ("abilities", "base", "evidence", "hardening", "life", "projects", "restarting")
"""What benchmarks may use of the engines: the protocols, the steps that are timed, records, and the shared evidence readers."""


def engine_imports(files: list[Path]) -> list[str]:
    """Return imports of anything else in ``bench.engines``, as ``file:line imports name``."""
    return [
        f"{path.relative_to(BENCH)}:{line} imports {name}"
        for path in files
        for line, name in imports(path)
        if name.startswith("bench.engines.") and name.split(".")[2] not in ENGINE_INTERFACE
    ]


def test_benchmarks_import_no_concrete_engine() -> None:
    files = [path for room in ("benchmarks", "invocation") for path in sorted((BENCH / room).rglob("*.py"))]
    assert engine_imports(files) == []


def test_import_of_a_concrete_engine_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "BENCH", tmp_path)
    wrong = tmp_path / "measure.py"
    wrong.write_text("from bench.engines.docker import api\nfrom bench.engines.base import Engine\n", encoding="utf-8")
    assert engine_imports([wrong]) == ["measure.py:1 imports bench.engines.docker.api"]


def test_registry_knows_every_folder_by_its_own_name() -> None:
    from bench import benchmarks  # noqa: PLC0415

    named = {name.replace("-", "_") for name in (*benchmarks.BUILT_IN, "imported", "sentinel")}
    assert named == set(BENCHMARKS)
    assert all(benchmarks.get(name).name == name for name in (*benchmarks.BUILT_IN, "imported", "sentinel"))


def loaded_by(statement: str) -> set[str]:
    """Return the top-level names of all modules that a fresh interpreter has after a statement."""
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_measuring_loads_no_pandas() -> None:
    names = [name for name in BENCHMARKS if (BENCH / "benchmarks" / name / "measure.py").exists()]
    statement = "import " + ", ".join(f"bench.benchmarks.{name}.measure" for name in names)
    assert not loaded_by(statement) & {"pandas", "matplotlib", "seaborn"}


def test_words_and_tables_load_no_matplotlib() -> None:
    parts = [
        f"bench.benchmarks.{name}.{part}"
        for name in BENCHMARKS
        for part in ("words", "tables")
        if (BENCH / "benchmarks" / name / f"{part}.py").exists()
    ]
    assert not loaded_by("import " + ", ".join(parts)) & {"matplotlib", "seaborn"}


def test_declaring_the_benchmarks_loads_neither_the_lab_nor_pandas() -> None:
    code = "from bench.core.metrics import METRICS; assert len(METRICS) > 50; import sys"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"], capture_output=True, text=True, check=True, timeout=60
    )
    names = set(done.stdout.split())
    assert not names & {"pandas", "matplotlib", "bench.lab", "bench.engines"}
