"""Benchmarks of installed packages: found by their entry point, and left out with one sentence when they are unusable."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import benchmarks, scenario
from bench.cli import tare
from bench.core import plugins
from bench.core.errors import UsageError
from bench.core.metrics import METRICS

DECLARATION = """
from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric

BENCHMARK = Benchmark(
    name="greet",
    package=__name__,
    metrics=(Metric("greet.hello_s", "s", "lower", 0, 0.05, exact=False, title="hello"),),
    params={"loud": Param("no", "whether it shouts", ("no", "yes"))},
    primary=("greet.hello_s",),
)
"""
SCENARIO = "name: greet\nmeasure: greet\ntitle: Greeting\ntargets: [host, sandbox]\nbaseline: host\nblocks: 3\n"
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that puts a package with one benchmark onto the path, as pip would."""

    def forget() -> None:
        invalidate_caches()
        for name in [name for name in sys.modules if name.partition(".")[0] in written]:
            del sys.modules[name]
        plugins.declared.cache_clear()
        benchmarks._loaded.cache_clear()
        benchmarks._has.cache_clear()
        plugins._broken.clear()
        METRICS._found = None

    written: set[str] = set()

    def made(package: str = "greeting", **files: str) -> Path:
        written.add(package)
        code = tmp_path / package
        code.mkdir()
        name = files.pop("entry", "greet")
        contents = {"__init__": DECLARATION, "measure": "def measure(context): ...\n"} | files
        for file, text in contents.items():
            suffix = "" if "." in file else ".py"
            (code / f"{file}{suffix}").write_text(text, encoding="utf-8")
        info = tmp_path / f"tare_{package}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tare-{package}\nVersion: 1\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[tare.benchmarks]\n{name} = {package}:BENCHMARK\n", encoding="utf-8")
        forget()
        return code

    monkeypatch.syspath_prepend(str(tmp_path))
    yield made
    monkeypatch.undo()
    forget()


def listed(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    """Return what ``tare list … --json`` prints, and its standard error."""
    done = CliRunner().invoke(tare, ["list", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def test_installed_benchmark_is_named_checked_and_has_its_metrics(install: Install) -> None:
    install(**{"scenario.yaml": SCENARIO})
    assert benchmarks.names()[-1] == "greet"
    assert METRICS["greet.hello_s"].title == "hello"
    assert benchmarks.check_params("greet", {"loud": ["yes"]}) == {"loud": ("yes",)}
    with pytest.raises(UsageError, match="unknown parameter of 'greet' 'lod'"):
        benchmarks.check_params("greet", {"lod": ["yes"]})
    (one,) = scenario.load(scenario.find("greet"))
    assert (one.procedure, one.primary, one.blocks) == ("greet", ("greet.hello_s",), 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"__init__": "import no_such_package"}, "ModuleNotFoundError: No module named 'no_such_package'"),
        ({"__init__": "raise SystemError('broken')"}, "SystemError: broken"),
        ({"__init__": "BENCHMARK = 7"}, "found int"),
        ({"__init__": "x = 1"}, "AttributeError"),
        ({"__init__": DECLARATION.replace('name="greet"', 'name="salute"')}, "it calls itself 'salute'"),
        ({"__init__": DECLARATION.replace("package=__name__", 'package="nowhere"')}, "'nowhere.measure' is missing"),
        ({"__init__": DECLARATION.replace("greet.hello_s", "startup.ready_s")}, "a metric 'startup.ready_s' already"),
        ({"entry": "startup"}, "Tare has one called 'startup'"),
    ],
)  # fmt: skip
def test_unusable_benchmark_is_left_out_with_its_reason(install: Install, changes: dict[str, str], reason: str) -> None:
    install(**changes)
    rows, said = listed("scenarios")
    assert {row["name"] for row in rows} >= {"startup", "pull"}
    assert "greet" not in benchmarks.names()
    assert "of package 'tare-greeting' is left out" in said
    assert reason in said
    assert len(said.splitlines()) == 1


def test_scenario_of_an_unusable_benchmark_is_refused_with_the_reason(install: Install, tmp_path: Path) -> None:
    install(__init__="raise SystemError('broken')")
    path = tmp_path / "mine.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine.yaml:2: .*'greet' of package 'tare-greeting' is left out.*broken"):
        scenario.load(path)


def test_unusable_scenario_of_a_plugin_does_not_hide_the_others(install: Install) -> None:
    install(**{"scenario.yaml": SCENARIO.replace("sandbox", "no-such-engine")})
    rows, said = listed("scenarios")
    assert "greet" not in {row["name"] for row in rows}
    assert "startup" in {row["name"] for row in rows}
    assert "its scenario cannot be used" in said
    assert "no-such-engine" in said


def test_two_packages_with_one_name_leave_one_and_tell(install: Install) -> None:
    install("alpha")
    install("beta")
    _, said = listed("metrics")
    assert "greet" in benchmarks.names()
    assert "package 'tare-alpha' declares the same name" in said
