"""Scenarios as pytest items over pytest-benchmark: ``pytest scenarios/startup.yaml --benchmark-compare-fail=median:10%``.

A scenario file on pytest's command line becomes one item for each variant (target × parameters). An item measures its variant
alone, in a separate run, and passes the block values of the first primary metric in seconds to the fixture ``benchmark``, whose
timer is a clock that advances by exactly these values. So all of pytest-benchmark's options work on them.

The limit: items run one after another. Nothing is interleaved or paired, no sentinel corrects for drift, and a drifting host
looks like a regression. Use ``tare compare`` for decisions; this plug-in is for projects that rely on pytest-benchmark's tables
and gates.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.core.metrics import metric_named

if TYPE_CHECKING:
    from bench.core.model import ParamValue, Scenario, Target


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plug-in's options to pytest."""
    group = parser.getgroup("tare", "scenarios of Tare")
    group.addoption(
        "--tare-target", action="append", metavar="TARGET", help="only this target of a scenario (repeatable)"
    )
    group.addoption("--tare-blocks", type=int, metavar="N", help="blocks of each item instead of the scenario's")
    group.addoption("--tare-results", metavar="DIR", help="keep the runs there; default: pytest's temporary folder")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a YAML file that is named on the command line and has the key ``measure``; leave all others alone."""
    named = file_path.suffix in (".yaml", ".yml") and parent.session.isinitpath(file_path)
    if not named or "\nmeasure:" not in file_path.read_text(encoding="utf-8"):
        return None
    found: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return found


class ScenarioFile(pytest.File):
    """A scenario file; its items are the variants."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item for each variant.

        Raises:
            pytest.UsageError: The file or a target is invalid.
        """
        from bench import scenario as scenarios  # noqa: PLC0415 - needed only when a scenario is collected
        from bench.core.errors import UsageError  # noqa: PLC0415

        try:
            (loaded,) = scenarios.load(self.path)
            targets = self.config.getoption("--tare-target") or ()
            chosen = scenarios.override(loaded, targets=targets, params={}, blocks=None, warmup_blocks=None)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error
        for target, params in _variants(chosen):
            words = ",".join([target.text, *(f"{key}={value}" for key, value in params.items())])
            clock = _Replay()
            call = _call(chosen, target, params, clock)
            item = pytest.Function.from_parent(self, name=f"{chosen.name}[{words}]", callobj=call)
            item.add_marker(pytest.mark.benchmark(timer=clock.read, group=chosen.name))
            yield item


def _variants(scenario: Scenario) -> Iterator[tuple[Target, dict[str, ParamValue]]]:
    names = sorted(scenario.params)
    for target in scenario.targets:
        for values in itertools.product(*(scenario.params[name] for name in names)):
            yield target, dict(zip(names, values, strict=True))


class _Replay:
    """A clock that advances by the next measured value with each call of :meth:`play`."""

    def __init__(self) -> None:
        self.values: Iterator[float] = iter(())
        self._now = 0.0

    def play(self) -> None:
        """Advance the clock by the next measured value."""
        self._now += next(self.values)

    def read(self) -> float:
        """Return the clock's time, seconds."""
        return self._now


def _call(scenario: Scenario, target: Target, params: dict[str, ParamValue], clock: _Replay) -> Any:
    def measure(benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        kept = request.config.getoption("--tare-results")
        blocks = request.config.getoption("--tare-blocks") or scenario.blocks
        metric, values, run_id = _measured(
            scenario, target, params, blocks, Path(kept) if kept else tmp_path / "results"
        )
        clock.values = iter(values)
        benchmark.extra_info.update(run=run_id, target=target.text, metric=metric)
        benchmark.pedantic(clock.play, rounds=len(values), iterations=1)

    return measure


def _measured(
    scenario: Scenario, target: Target, params: dict[str, ParamValue], blocks: int, results: Path
) -> tuple[str, list[float], str]:
    """Measure one variant; return its metric, block values (seconds) and run id, or skip or fail the pytest item."""
    from bench import store  # noqa: PLC0415
    from bench.core.errors import TargetUnavailable  # noqa: PLC0415
    from bench.run import session  # noqa: PLC0415
    from bench.stats.series import block_values, usable  # noqa: PLC0415

    metric = next((name for name in scenario.primary if metric_named(name).unit == "s"), None)
    if metric is None:
        pytest.skip(f"no metric that decides in '{scenario.name}' is a time: {', '.join(scenario.primary)}")
    alone = dataclasses.replace(
        scenario,
        targets=(target,),
        baseline=target.text,
        params={name: (value,) for name, value in params.items()},
        blocks=blocks,
        null_target=False,
        sentinel=False,
    )
    request = session.RunRequest([alone], frozenset([target.text]), 1, results, {"pytest": "yes"}, ["pytest"])
    try:
        result = session.run(request, session.RunObserver())
    except TargetUnavailable as error:
        pytest.skip(f"{error.reason} ({error.remedy})" if error.remedy else error.reason)
    run = store.load(result.folder)
    outcomes = store.outcomes(run)
    if result.failed:
        reasons = "; ".join(dict.fromkeys(str(one) for one in outcomes["reason"] if one))
        pytest.fail(f"{result.failed} of {result.measured} invocations failed: {reasons}", pytrace=False)
    found = block_values(usable(store.measurements(run), outcomes))
    values = found[found["metric"] == metric]["value"].tolist()
    if not values:
        reasons = "; ".join(dict.fromkeys(str(one) for one in outcomes["reason"] if one))
        pytest.skip(f"'{target.text}' has no {metric}: {reasons or 'nothing was measured'}")
    return metric, values, run.run_id
