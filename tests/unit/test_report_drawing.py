"""Charts drawn in other processes: the same bytes, errors as if drawn here, and no process is left."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from bench import report, store
from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.display.data import RunData
from bench.display.svg import Plot
from bench.report import drawing
from bench.report.drawing import Pool, pool
from tests.synthetic import write_run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    folder = tmp_path_factory.mktemp("drawn")
    return report.collect(store.load(write_run(folder, targets=("host", "runc"), blocks=2, warmups=1, failures={})))


PLOTS = drawing.Request.plots


def two(data: RunData) -> list[Any]:
    return [replace(data.scenarios[0], prefix=name) for name in ("one", "two")]


def test_report_has_the_same_bytes_with_one_and_with_two_processes(tmp_path: Path) -> None:
    run = store.load(write_run(tmp_path, targets=("host", "runc"), blocks=2, warmups=1, failures={}))
    made = [report.render([run], tmp_path / str(count), processes=count).parent for count in (1, 2)]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in made]
    assert any(name.endswith(".svg") for name in files[0])
    assert files[0] == files[1]


def test_png_is_drawn_in_other_processes_too(data: RunData) -> None:
    with pool(2) as drawers:
        (plots,) = drawers.draw(data.scenarios, png=True)
    assert all(plot.png.startswith(b"\x89PNG") and plot.narrow for plot in plots)


def test_other_processes_draw_and_end_with_the_block(data: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    before, here = set(proc.RUNNING), []

    def slowly(request: drawing.Request) -> list[Plot]:
        here.append(request)
        elsewhere.wait(60)
        return PLOTS(request)

    with pool(2) as drawers:
        assert len(proc.RUNNING - before) == 1
        elsewhere, recv = Event(), drawers._workers[0].recv

        def told() -> list[Plot]:
            plots: list[Plot] = recv()
            elsewhere.set()
            return plots

        monkeypatch.setattr(drawers._workers[0], "recv", told)
        monkeypatch.setattr(drawing.Request, "plots", slowly)
        assert [plots[0].name[:3] for plots in drawers.draw(two(data))] == ["one", "two"]
    assert elsewhere.is_set()
    assert len(here) == 1
    assert before == proc.RUNNING


def test_interrupted_report_leaves_no_process() -> None:
    before, started = set(proc.RUNNING), set()

    def interrupted() -> None:
        with pool(2):
            started.update(proc.RUNNING - before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(started) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def test_failing_chart_raises_its_own_error(data: RunData) -> None:
    broken = replace(data.scenarios[0], variants=(None,))  # type: ignore[arg-type]
    errors = []
    for count in (1, 2):
        with pool(count) as drawers, pytest.raises(AttributeError) as caught:
            drawers.draw([data.scenarios[0], broken])
        errors.append((str(caught.value), caught.traceback[-1].name))
    assert errors[0] == errors[1]


def test_killed_process_leaves_its_charts_to_the_others(data: RunData) -> None:
    expected, before = Pool().draw(two(data)), set(proc.RUNNING)
    with pool(3) as drawers:
        os.kill(min(proc.RUNNING - before), signal.SIGKILL)
        assert drawers.draw(two(data)) == expected


def test_charts_are_drawn_here_if_no_process_can_be_started(data: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> proc.Process:
        msg = "cannot start: Resource temporarily unavailable"
        raise InvocationFailed(msg)

    monkeypatch.setattr(proc, "spawn", refused)
    with pool(2) as drawers:
        assert drawers.draw(two(data))[0]


@pytest.mark.parametrize(
    ("cpus", "quota", "processes"),
    [(1, "max 100000\n", 1), (2, "max 100000\n", 2), (64, "max 100000\n", 4), (8, "150000 100000\n", 1), (8, "", 4)],
)
def test_one_process_a_cpu_draws(
    cpus: int, quota: str, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(drawing, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)))
    assert drawing.affordable() == processes


@pytest.mark.parametrize(("targets", "processes"), [(2, 1), (6, 1), (8, 2), (60, 2)])
def test_few_charts_are_drawn_by_one_process(
    targets: int, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "affordable", lambda: 4)
    run = store.load(write_run(tmp_path, targets=("host",), blocks=1, warmups=0))
    meta = {"scenarios": {name: {"targets": ["host"] * (targets // 2)} for name in ("one", "two")}}
    assert drawing.worthwhile([replace(run, meta=meta)]) == processes
