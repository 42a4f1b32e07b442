"""The payload as a victim and as a neighbour: what each kind reports, and that nothing of a neighbour outlives the payload."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.benchmarks.isolation import NEIGHBOURS, VICTIMS, kinds
from bench.benchmarks.isolation.beside import Neighbour
from bench.core import proc, proctable
from bench.core.clock import Line, now_s, process_cpu_s, sleep_s
from bench.lab import images
from bench.workloads import neighbours
from bench.workloads.neighbours import Work

ENOUGH = 20
NEAR_VICTIMS = [name for name in VICTIMS if not kinds.VICTIMS[name].far]
NEAR_NEIGHBOURS = [name for name in NEIGHBOURS if not kinds.NEIGHBOURS[name].far]


def program(state: Path) -> str:
    return str(images.payload(state).path)


@pytest.mark.parametrize("kind", NEAR_VICTIMS)
def test_victim_reports_one_time_for_each_operation(built_state: Path, tmp_path: Path, kind: str) -> None:
    work = Work(kind, 20, 0.5, 60.0)
    argv = [program(built_state), "--events", "fd:1", *work.arguments(str(tmp_path)), "--exit"]
    done = proc.run(argv, timeout_s=120)
    assert done.status == 0, done.stderr
    found = neighbours.done([Line(0.0, line) for line in done.stdout.splitlines()], work)
    assert len(found.times_s) == work.count
    assert all(time > 0 for time in found.times_s)


def test_stall_makes_every_operation_late_that_was_due_in_it(built_state: Path) -> None:
    work = Work("tick", 200, 1.0, 60.0)
    out = built_state / "stalled"
    process = proc.spawn([program(built_state), "--events", "fd:1", *work.arguments(), "--exit"], stdout=out)
    try:
        _said(out, "B victim")
        process.send(signal.SIGSTOP)
        sleep_s(0.5)
        process.send(signal.SIGCONT)
        assert process.wait(60) == 0
        found = neighbours.done([Line(0.0, line) for line in out.read_text().splitlines()], work)
    finally:
        process.stop(10, signal.SIGKILL)
        out.unlink()
    late = [time for time in found.times_s if time > 0.1]
    assert len(late) >= 0.3 * work.per_s, "the closed loop would count one"
    assert found.kept(work) < 0.5


def test_victim_gives_up_at_its_limit_and_says_how_far_it_came(built_state: Path) -> None:
    argv = [program(built_state), "--events", "fd:1", "--victim", "compute:100000:1000:50:-", "--exit"]
    done = proc.run(argv, timeout_s=60)
    count = int(re.findall(r"^C victim (\d+)$", done.stdout, re.MULTILINE)[0])
    assert 0 < count < 100000


@pytest.mark.parametrize("kind", NEAR_NEIGHBOURS)
def test_neighbour_works_until_the_payload_ends(built_state: Path, tmp_path: Path, kind: str) -> None:
    name, out = f"tare-test-{kind}-{tmp_path.name}", tmp_path / "out"
    load = neighbours.load_arguments(kind, 100, 2, 8 * 2**20, str(tmp_path))
    argv = [program(built_state), "--events", "fd:1", "--name", name, *load, "--sleep"]
    process = proc.spawn(argv, stdout=out)
    try:
        end = now_s() + 60
        while not neighbours.load(_lines(out)).runs and now_s() < end:
            sleep_s(0.02)
        assert neighbours.load(_lines(out)).runs, out.read_text()
        assert len(proctable.with_argument(name)) >= 4, "payload, keeper and two workers"
    finally:
        process.stop(10, signal.SIGKILL)
    assert not proctable.wait_until_gone(proctable.with_argument(name), 10)


def test_kill_switch_ends_all_that_works(built_state: Path, tmp_path: Path) -> None:
    name, out = f"tare-test-switch-{tmp_path.name}", tmp_path / "out"
    load = neighbours.load_arguments("forks", 100, 2, 2**22)
    process = proc.spawn([program(built_state), "--events", "fd:1", "--name", name, *load, "--sleep"], stdout=out)
    try:
        _said(out, "M load [1-9]")
        instance = SimpleNamespace(pids=lambda: proctable.with_argument(name))
        Neighbour(instance, SimpleNamespace(), None, {}).kill()  # type: ignore[arg-type]
        assert process.wait(10) == -signal.SIGKILL
        assert not proctable.wait_until_gone(proctable.with_argument(name), 10)
    finally:
        process.stop(10, signal.SIGKILL)


def test_killed_worker_is_started_again_and_counted(built_state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    load = neighbours.load_arguments("cpu", 100, 1, 2**22)
    process = proc.spawn([program(built_state), "--events", "fd:1", *load, "--sleep"], stdout=out)
    try:
        _said(out, "M load [1-9]")
        (keeper,) = proctable.children_of(process.pid)
        proctable.kill_all(proctable.children_of(keeper))
        _said(out, r"M load \d+ 1\n")
    finally:
        process.stop(10, signal.SIGKILL)


def test_worker_that_fails_by_itself_is_reported(built_state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    load = neighbours.load_arguments("write", 100, 1, 2**22, str(tmp_path / "missing"))
    process = proc.spawn([program(built_state), "--events", "fd:1", *load, "--sleep"], stdout=out)
    try:
        _said(out, "E load a worker ended with 71")
    finally:
        process.stop(10, signal.SIGKILL)


def test_neighbour_pauses_for_the_rest_of_its_time(built_state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    load = neighbours.load_arguments("cpu", 25, 1, 2**22)
    process = proc.spawn([program(built_state), "--events", "fd:1", *load, "--sleep"], stdout=out)
    try:
        _said(out, "M load [1-9]")
        (keeper,) = proctable.children_of(process.pid)
        (worker,) = proctable.children_of(keeper)
        used, begin = _cpu_s(worker), now_s()
        sleep_s(2.0)
        share = (_cpu_s(worker) - used) / (now_s() - begin)
    finally:
        process.stop(10, signal.SIGKILL)
    assert share < 0.28, "less where other programs have the CPU, never more"


@pytest.mark.parametrize(
    "value", ["", "cpu", "nothing:100:1:4096:-", "cpu:0:1:4096:-", "cpu:101:1:4096:-", "cpu:x:1:1:-"]
)
def test_unusable_load_is_an_error(built_state: Path, value: str) -> None:
    done = proc.run([program(built_state), "--events", "fd:1", "--load", value, "--exit"], timeout_s=10)
    assert done.status == 64
    assert "--load" in done.stderr


@pytest.mark.parametrize("value", ["", "tick", "nothing:1:1:1:-", "tick:0:1:1:-", "tick:1:x:1:-"])
def test_unusable_victim_is_an_error(built_state: Path, value: str) -> None:
    done = proc.run([program(built_state), "--events", "fd:1", "--victim", value, "--exit"], timeout_s=10)
    assert done.status == 64
    assert "--victim" in done.stderr


def test_pulse_ends_with_who_started_it(built_state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = proc.spawn([program(built_state), "--events", "fd:1", "--pulse", "500", "--exit"], stdout=out)
    try:
        _said(out, r"S pulse \d+")
    finally:
        process.stop(10, signal.SIGKILL)
    lines = [line for line in out.read_text().splitlines() if line.startswith("S pulse")]
    assert {len(line.split()) for line in lines} == {2 + ENOUGH}


def _said(out: Path, pattern: str, limit_s: float = 30.0) -> None:
    """Wait until the payload has said something that matches."""
    end = now_s() + limit_s
    while not re.search(pattern, out.read_text() if out.exists() else ""):
        assert now_s() < end, f"'{pattern}' was not said: {out.read_text()[-300:]}"
        sleep_s(0.01)


def _lines(out: Path) -> list[Line]:
    whole = out.read_text().rpartition("\n")[0] if out.exists() else ""
    return [Line(float(index), text) for index, text in enumerate(whole.splitlines())]


def _cpu_s(pid: int) -> float:
    return process_cpu_s(pid) or 0.0
