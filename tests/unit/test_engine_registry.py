"""The registry of engines: built-in declarations, plug-ins of installed packages, and what a broken plug-in costs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pytest

from bench import engines
from bench.cli import run
from bench.core import plugins
from bench.core.errors import TargetUnavailable, UsageError
from bench.core.model import Facts
from bench.engines.base import Instance, InstanceSpec
from bench.engines.declaration import EngineType
from bench.engines.fake import Fake
from bench.lab import journal, sweep
from bench.lab.paths import Paths
from bench.scenario import parse_target
from tests.fakes import FakeLab

if TYPE_CHECKING:
    from bench.lab import Lab


class Hello(Fake):
    """An engine with everything that one needs."""


class Mute(Fake):
    """An engine that lost a method and an attribute."""

    stop = None  # type: ignore[assignment]

    def __init__(self, target: Any, lab: Any) -> None:
        super().__init__(target, lab)
        del self.target


class Clumsy(Fake):
    """An engine whose set-up has a bug."""

    def prepare(self) -> Facts:
        """Raise something unexpected."""
        raise KeyError("oops")


class Careless(Fake):
    """An engine that cannot create an instance because of a bug."""

    def create(self, spec: InstanceSpec) -> Instance:
        """Raise something unexpected."""
        raise KeyError("oops")


def stumbling(target: Any, lab: Any) -> Fake:
    raise ValueError("no luck")


def removed(entry: journal.Entry, dry_run: bool) -> sweep.Swept:
    return sweep.Swept("hello thing", str(entry["name"]), not dry_run)


def failing(entry: journal.Entry, dry_run: bool) -> sweep.Swept:
    raise ValueError("no luck")


Install = Callable[..., None]


class _Package:
    name = "tare-hello"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that declares entry points of group ``tare.engines``: name → object, or the value of an entry point."""
    module = ModuleType("tare_hello")
    monkeypatch.setitem(sys.modules, "tare_hello", module)
    for one in (Hello, Mute, Clumsy, Careless, stumbling, removed, failing):
        setattr(module, one.__name__, one)
    points: list[EntryPoint] = []

    def forget() -> None:
        plugins.declared.cache_clear()
        engines._declared.cache_clear()
        plugins._broken.clear()

    def add(name: str, declared: object) -> None:
        value = declared if isinstance(declared, str) else f"tare_hello:DECLARED_{len(points)}"
        setattr(module, value.partition(":")[2], declared)
        point = EntryPoint(name, value, plugins.ENGINES)
        vars(point)["dist"] = _Package()
        points.append(point)
        forget()

    monkeypatch.setattr(plugins, "entry_points", lambda group: [one for one in points if one.group == group])
    forget()
    yield add
    monkeypatch.undo()
    forget()


def hello(**changes: Any) -> EngineType:
    return EngineType(**{"name": "hello", "factory": "tare_hello:Hello", **changes})


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return cast("Lab", FakeLab(tmp_path / "s"))


def test_built_in_declarations_name_what_exists() -> None:
    pytest.importorskip("docker")
    pytest.importorskip("grpc")
    for name in engines.built_in():
        declared = engines.get(name)
        assert declared.name == name
        wanted = [declared.factory, declared.check, *declared.undo.values()]
        for where in filter(None, wanted if name != "libvirt" else ()):
            module, _, attribute = where.partition(":")
            assert callable(getattr(importlib.import_module(module), attribute)), where
        assert set(declared.files) <= set(declared.options)
        assert all(parse_target(text).engine == name for text in declared.examined)


def test_reading_declarations_imports_no_engine_package() -> None:
    code = "from bench import engines; [engines.get(name) for name in engines.names()]; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & {"docker", "grpc", "google.protobuf", "libvirt", "pandas"}


def test_unknown_engine_error_names_all_but_the_fake_one() -> None:
    with pytest.raises(
        UsageError, match=r"unknown engine 'dokcer', allowed: containerd, .*; did you mean 'docker'\?"
    ) as caught:
        parse_target("dokcer")
    assert "fake" not in str(caught.value)


def test_plugin_engine_is_listed_parsed_and_loaded(
    install: Install, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    install("hello", hello(options={"tone": ("high", "low")}))
    assert engines.names()[-1] == "hello"
    assert isinstance(engines.load(parse_target("hello:tone=low"), lab), Hello)
    with pytest.raises(UsageError, match="unknown value of hello:tone 'flat', allowed: high, low"):
        parse_target("hello:tone=flat")
    assert run(["list", "targets"]) == 0
    printed = capsys.readouterr()
    assert "hello       tone=high|low" in printed.out
    assert printed.err == ""


def test_doctor_tries_a_plugin_engine_by_its_name(install: Install) -> None:
    from bench.cli.host import _wanted  # noqa: PLC0415

    install("hello", hello())
    assert [target.text for target in _wanted([])][-1] == "hello"


@pytest.mark.parametrize(
    ("name", "declared", "reason"),
    [
        ("docker", hello(name="docker"), "Tare has one called 'docker'; rename it in that package's entry points"),
        ("fake", hello(name="fake"), "Tare has one called 'fake'"),
        ("hello", "tare_nowhere:HELLO", "loading 'tare_nowhere:HELLO' failed: ModuleNotFoundError: No module named"),
        ("hello", Hello, "it must be a bench.engines.declaration.EngineType, found type"),
        ("hello", hello(name="other"), "it calls itself 'other'"),
        ("Hello:", hello(name="Hello:"), "an engine's name has lower case letters"),
        ("hello", hello(undo={"container": "x:y"}), "its journal kind 'container' must begin with 'hello '"),
    ],
)
def test_broken_plugin_is_left_out_with_its_reason(
    install: Install, capsys: pytest.CaptureFixture[str], name: str, declared: object, reason: str
) -> None:
    before = engines.names()
    install(name, declared)
    assert engines.names() == before
    (broken,) = plugins.broken()
    assert str(broken).startswith(f"the engine '{name}' of package 'tare-hello' is left out: {reason}")
    for what in ("targets", "scenarios", "metrics"):
        assert run(["list", what]) == 0
        assert capsys.readouterr().err == f"tare: {broken}\n"


def test_second_package_with_the_same_engine_is_left_out(install: Install) -> None:
    install("hello", hello())
    install("hello", hello())
    assert engines.names().count("hello") == 1
    assert "package 'tare-hello' declares the same name" in str(plugins.broken()[0])


def test_target_of_a_broken_plugin_is_refused_with_its_reason(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("hello", "tare_nowhere:HELLO")
    assert run(["run", "startup", "-t", "hello"]) == 2
    assert "the engine 'hello' of package 'tare-hello' is left out: loading 'tare_nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"factory": "tare_hello:Mute"},
            r"of package 'tare-hello' has no target, stop\(\), which every engine must have",
        ),
        ({"factory": "tare_hello:stumbling"}, r"of package 'tare-hello' cannot be loaded: ValueError: no luck"),
        ({"factory": "tare_hello:Nobody"}, r"cannot be loaded: AttributeError: .*Nobody"),
        ({"factory": "tare_hello.absent:Hello"}, r"cannot be loaded: ModuleNotFoundError: .*tare_hello"),
        ({"factory": "tare_absent:X"}, r"cannot be loaded: ModuleNotFoundError: .*update or uninstall 'tare-hello'"),
    ],
)
def test_plugin_engine_that_cannot_be_made_is_unavailable(
    install: Install, lab: Lab, changes: dict[str, str], says: str
) -> None:
    install("hello", hello(**changes))
    with pytest.raises(TargetUnavailable, match=says):
        engines.load(parse_target("hello"), lab)


@pytest.mark.parametrize(
    ("extra", "remedy"), [("", "pip install 'greeter_sdk'"), ("all", r"pip install 'tare-hello\[all\]'")]
)
def test_missing_package_of_a_plugin_is_named_with_what_installs_it(
    install: Install, lab: Lab, monkeypatch: pytest.MonkeyPatch, extra: str, remedy: str
) -> None:
    folder = lab.paths.run
    (folder / "tare_greeting.py").write_text("import greeter_sdk\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    install("hello", hello(factory="tare_greeting:Hello", extra=extra))
    with pytest.raises(TargetUnavailable, match=f"'greeter_sdk' is not installed .{remedy}"):
        engines.load(parse_target("hello"), lab)


def test_missing_package_of_a_built_in_engine_is_named_with_its_extra(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    for name in [name for name in sys.modules if name.startswith("bench.engines.docker.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        TargetUnavailable, match=r"Python package 'docker.*' is not installed .pip install 'tare-bench\[docker\]'"
    ):
        engines.load(parse_target("docker"), lab)


def test_doctor_prints_broken_plugins(
    install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TARE_STATE", str(tmp_path))
    monkeypatch.setattr("bench.lab.is_root", lambda: False)
    monkeypatch.chdir(tmp_path)
    install("hello", "tare_nowhere:HELLO")
    assert run(["doctor", "-t", "fake", "--json"]) in (0, 3)
    (said,) = json.loads(capsys.readouterr().out)["plugins"]
    assert (said["name"], said["package"], said["group"]) == ("hello", "tare-hello", "tare.engines")
    assert run(["doctor", "-t", "fake"]) in (0, 3)
    assert f"--  {plugins.broken()[0]}\n" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["Clumsy", "Careless"])
def test_doctor_goes_on_when_a_plugin_raises_something_unexpected(
    install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: str
) -> None:
    monkeypatch.setenv("TARE_STATE", str(tmp_path))
    monkeypatch.setattr("bench.lab.is_root", lambda: False)
    monkeypatch.chdir(tmp_path)
    install("hello", hello(factory=f"tare_hello:{engine}"))
    assert run(["doctor", "-t", "hello", "-t", "fake"]) == 3
    said = capsys.readouterr().out
    assert "the engine 'hello' failed unexpectedly: KeyError: 'oops'" in said
    assert "ok  fake" in said


def left_by_a_killed_run(state: Path, **entry: str) -> Path:
    """Write the journal of a dead run with one entry, and return its path."""
    paths = Paths.of("aa", state)
    book = journal.Journal(paths.journal)
    book.add("owner", pid=1, start_time=1)
    book.add(**entry)
    book.close(done=False)
    return paths.journal


def test_sweep_calls_the_undo_function_of_a_plugin(install: Install, tmp_path: Path) -> None:
    install("hello", hello(undo={"hello thing": "tare_hello:removed"}))
    path = left_by_a_killed_run(tmp_path, kind="hello thing", name="one")
    seen = sweep.sweep(tmp_path, engines.undo_functions(), dry_run=True)
    assert seen == [sweep.Swept("hello thing", "one", gone=False)]
    assert path.exists()
    assert sweep.sweep(tmp_path, engines.undo_functions()) == [sweep.Swept("hello thing", "one", gone=True)]
    assert not path.exists()


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("tare_hello:failing", "ValueError: no luck"),
        ("tare_nowhere:undo", "the Python package 'tare_nowhere' is not installed: it cannot be asked"),
    ],
)
def test_undo_function_that_fails_keeps_the_journal(install: Install, tmp_path: Path, where: str, why: str) -> None:
    install("hello", hello(undo={"hello thing": where}))
    path = left_by_a_killed_run(tmp_path, kind="hello thing", name="one")
    assert sweep.sweep(tmp_path, engines.undo_functions()) == [sweep.Swept("hello thing", f"one ({why})", gone=False)]
    assert path.exists()


def test_entry_that_no_engine_can_undo_keeps_the_journal(tmp_path: Path) -> None:
    path = left_by_a_killed_run(tmp_path, kind="hello thing", name="one")
    (left,) = sweep.sweep(tmp_path, engines.undo_functions())
    assert not left.gone
    assert path.exists()


def test_lab_without_undo_functions_leaves_entries_of_engines_for_a_later_sweep(tmp_path: Path) -> None:
    path = left_by_a_killed_run(tmp_path, kind="container", name="one")
    assert [thing.gone for thing in sweep.sweep(tmp_path)] == [False]
    assert path.exists()


def test_machines_of_a_killed_run_are_gone_with_its_control_group(tmp_path: Path) -> None:
    path = left_by_a_killed_run(tmp_path, kind="domain", name="one")
    assert sweep.sweep(tmp_path, engines.undo_functions()) == []
    assert not path.exists()
