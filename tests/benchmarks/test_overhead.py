"""Overhead of Tare as ratios within one run: against a C loop, against the start of Python, as a share of a run."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import scenario, store
from bench.core.clock import EventHub, now_s
from bench.core.model import Outcome
from bench.lab import Lab, images
from bench.run import preflight, runner
from bench.scenario import plan

HERE = Path(__file__).parent
ROUNDS = 200


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("b")
    images.payload(folder)
    return folder


class BareLoop:
    """The C program that starts the payload once for each line on its standard input."""

    def __init__(self, program: Path, payload: Path) -> None:
        self._process = subprocess.Popen([program, payload], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def once(self) -> float:
        """Return the seconds from just before ``posix_spawn`` to the payload's first byte."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()) / 1e9

    def close(self) -> None:
        """End the program."""
        self._process.communicate(timeout=10)


@pytest.fixture
def bare(state: Path, tmp_path: Path) -> Iterator[BareLoop]:
    program = tmp_path / "spawn_loop"
    subprocess.run(["cc", "-O2", "-o", program, HERE / "spawn_loop.c"], check=True)
    loop = BareLoop(program, images.payload(state).path)
    yield loop
    loop.close()


def test_host_target_is_close_to_a_bare_c_loop(
    benchmark: Any, bare: BareLoop, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Require a median ratio of first instruction (whole harness) to the interleaved C loop of at most 1.25."""
    one = scenario.override(
        scenario.load(scenario.find("startup"))[0], targets=["host"], blocks=ROUNDS, warmup_blocks=5
    )
    bare_s: list[float] = []
    invocations = [item for item in plan.build([one], 1) if item.target == "host"]

    def interleave(outcome: Outcome, _: int) -> None:
        if not outcome.warmup:
            bare_s.append(bare.once())

    with Lab("be9c", state=state) as lab, EventHub(images.stamp(state)) as hub:
        [host] = preflight.prepare(one.targets, lab).engines.values()
        meta = {"run_id": "b", "scenarios": {one.name: {}}, "started_mono_s": now_s()}
        writer = store.RunWriter.create(tmp_path, meta, invocations)
        context = runner.RunContext("b", {one.name: one}, {"host": host}, host, lab, hub, writer, now_s())
        benchmark.pedantic(runner.execute, (context, invocations, interleave), rounds=1)
        priority = hub.instrument["scheduling"]
    numbers = store.measurements(store.load(tmp_path / "b"))
    first = numbers[(numbers["metric"] == "startup.first_instruction_s") & ~numbers["warmup"]]["value"]
    ratio = statistics.median(first) / statistics.median(bare_s)
    benchmark.extra_info["ratio"] = ratio
    with capsys.disabled():
        print(
            f"\nhost target {1e6 * statistics.median(first):.0f} µs, bare C loop {1e6 * statistics.median(bare_s):.0f} µs, "
            f"ratio of medians {ratio:.3f} (at most 1.25), n = {len(first)} each, interleaved, event thread {priority}"
        )
    assert len(first) == len(bare_s) == ROUNDS
    assert ratio <= 1.25


def test_help_takes_at_most_six_times_an_empty_python(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Compare ``tare --help`` with ``python -c pass``."""

    def seconds(*arguments: str) -> float:
        begin = now_s()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return now_s() - begin

    helps: list[float] = []
    empties: list[float] = []

    def pair() -> None:
        empties.append(seconds("-c", "pass"))
        helps.append(seconds("-m", "bench", "--help"))

    benchmark.pedantic(pair, rounds=15, warmup_rounds=2)
    ratio = statistics.median(helps) / statistics.median(empties)
    benchmark.extra_info["ratio"] = ratio
    with capsys.disabled():
        print(
            f"\ntare --help {1e3 * statistics.median(helps):.0f} ms, python -c pass {1e3 * statistics.median(empties):.0f} ms, ratio {ratio:.2f} (at most 6)"
        )
    assert ratio <= 6


@pytest.mark.root
@pytest.mark.engines
def test_harness_takes_at_most_a_tenth_of_the_quick_suite(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Count as harness time all wall time outside engine calls, workloads and barriers."""
    argv = [sys.executable, "-m", "bench", "run", "quick"]
    begin = now_s()
    done = benchmark.pedantic(
        lambda: subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False), rounds=1
    )
    whole = now_s() - begin
    assert done.returncode == 0, done.stderr
    spent = store.load(store.find(tmp_path / "results", "latest")).meta["harness"]
    share = spent["harness_s"] / spent["wall_s"]
    benchmark.extra_info["share"] = share
    with capsys.disabled():
        print(
            f"\nquick: {whole:.0f} s in all, {spent['wall_s']:.0f} s of measuring: engines and workloads {spent['engine_s']:.0f} s, "
            f"barriers {spent['barrier_s']:.0f} s, harness {spent['harness_s']:.1f} s = {100 * share:.1f} % (at most 10 %)"
        )
    assert share <= 0.10
