"""What a run measured, prepared for claims: its series with every parameter in force, attempts, doubts and the host."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench import store
from bench.core.model import ParamValue, Skipped, Status
from bench.stats import checks, samples
from bench.stats.findings import Check, CheckName
from bench.stats.samples import Samples
from bench.stats.series import VARIANT, Series

if TYPE_CHECKING:
    import pandas as pd

_EMULATED = "accel=tcg"
_DECIDING = (CheckName.NULL, CheckName.POSITION)
"""Checks whose doubt bounds what a pair of targets of one run can show, as in a comparison of two of them."""


@dataclass(frozen=True)
class Measured:
    """One run, as claims see it.

    Attributes:
        run: The run.
        series: Series by (scenario, target, metric), without the controls.
        in_force: Series' key → every parameter of it: those in force, and those that name it.
        outcomes: How every measured invocation ended.
        doubts: Scenario → checks that raise a doubt about ratios.
        timeouts: (scenario, target) → invocations that timed out.
    """

    run: store.Run
    series: Mapping[tuple[str, str, str], tuple[Series, ...]]
    in_force: Mapping[tuple[str, str, str, str], Mapping[str, ParamValue]]
    outcomes: pd.DataFrame
    doubts: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    timeouts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def scenarios(self) -> Mapping[str, Any]:
        """The object ``scenarios`` of ``run.json``."""
        found: Mapping[str, Any] = self.run.meta["scenarios"]
        return found

    @property
    def emulated_guest(self) -> bool:
        """Whether the whole run was in an emulated machine."""
        return is_emulated(str(self.run.meta.get("inside", "")))

    @property
    def emulates_machines(self) -> bool:
        """Whether the run's machines are emulated, so that claims about machines do not apply."""
        return any(is_emulated(str(one)) for meta in self.scenarios.values() for one in meta.get("targets", ()))

    def targets(self, scenario: str, asked: str) -> list[str]:
        """Return the targets of a scenario that are the asked one; the host may have added an accelerator."""
        listed = [str(one) for one in self.scenarios.get(scenario, {}).get("targets", ())]
        return [one for one in listed if same_target(asked, one)]

    def skipped(self, scenario: str, asked: str) -> Skipped | None:
        """Return why a target was not measured, ``None`` if the run does not say."""
        found = (one for one in store.skipped(self.run) if one.scenario in ("", scenario))
        return next((one for one in found if same_target(asked, one.target)), None)


def measured(run: store.Run) -> Measured:
    """Read a run."""
    outcomes = store.outcomes(run)
    frame = store.measurements(run, outcomes, coded=True)
    return of_samples(run, samples.of_frames(frame, outcomes, run.meta["scenarios"]))


def of_samples(run: store.Run, own: Samples) -> Measured:
    """Return the same of samples that a caller has already."""
    whole, outcomes = own.layered, own.outcomes
    tried = outcomes[~outcomes["warmup"].astype(bool)] if len(outcomes) else outcomes
    found: dict[tuple[str, str, str], list[Series]] = {}
    for one in whole.series.values():
        found.setdefault((one.scenario, one.target, one.metric), []).append(one)
    over = tried[tried["status"] == Status.TIMEOUT] if len(tried) else tried
    return Measured(
        run,
        {key: tuple(every) for key, every in found.items()},
        _in_force(whole.values, tried),
        tried,
        _doubts(checks.checks(whole)),
        dict(Counter(zip(map(str, over["scenario"]), map(str, over["target"]), strict=True))),
    )


def _doubts(found: list[Check]) -> dict[str, tuple[Check, ...]]:
    doubts: dict[str, tuple[Check, ...]] = {}
    for check in found:
        if not check.ok and check.name in _DECIDING:
            doubts[check.scenario] = (*doubts.get(check.scenario, ()), check)
    return doubts


def _in_force(good: pd.DataFrame, tried: pd.DataFrame) -> dict[tuple[str, str, str, str], Mapping[str, ParamValue]]:
    """Return every parameter of each series, defaults included where the run has recorded them."""
    if good.empty:
        return {}
    variants = zip(tried["scenario"], tried["target"], tried["params"], tried["in_force"], strict=True)
    known = {(scenario, target, params): dict(given or {}) for scenario, target, params, given in variants}
    names = [*VARIANT[:2], "params", "metric", VARIANT[2]]
    rows = good[names].drop_duplicates().itertuples(index=False, name=None)
    return {
        (scenario, target, params, metric): {**known.get((scenario, target, variant), {}), **json.loads(params)}
        for scenario, target, params, metric, variant in rows
    }


def same_target(asked: str, found: str) -> bool:
    """Return whether a target of a run is the asked one: the same engine and options.

    The host adds an accelerator to machines; one that was not asked for may be any.
    """
    if asked == found:
        return True
    engine, options = _parts(asked)
    other, more = _parts(found)
    free = {key for key in more if key == "accel" and key not in options}
    return engine == other and options == {key: value for key, value in more.items() if key not in free}


def is_emulated(target: str) -> bool:
    """Return whether a target is an emulated machine."""
    return _EMULATED in target.partition(":")[2].split(",")


def _parts(target: str) -> tuple[str, dict[str, str]]:
    engine, _, rest = target.partition(":")
    pairs = (part.partition("=") for part in rest.split(",") if part)
    return engine, {key: value for key, _, value in pairs}
