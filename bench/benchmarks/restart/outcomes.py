"""The truth table read back from the series: what has become of each case, and what the documentation says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from bench.core.model import Summary
from bench.display import lookup
from bench.display.data import ScenarioData, Variant
from bench.engines.restarting import Cause

_POLICIES = ("no", "on-failure:2", "always", "unless-stopped")
_CAUSES: tuple[str, ...] = get_args(Cause)


@dataclass(frozen=True)
class Outcome:
    """One case of one target; numbers are medians over the blocks.

    Attributes:
        target: The target.
        policy: The policy.
        cause: What has happened.
        live_restore: ``on`` or ``off``; empty where nothing happened to the daemon.
        restarts: How often it was restarted.
        running: 1 if it runs in the end.
        documented: Both by the documentation.
        version: The engine's name and version.
    """

    target: str
    policy: str
    cause: str
    live_restore: str
    restarts: float
    running: float
    documented: tuple[float, float]
    version: str

    @property
    def deviates(self) -> bool:
        """Whether something else happened than the documentation says."""
        return (self.restarts, self.running) != self.documented


def outcomes(data: ScenarioData) -> list[Outcome]:
    """Return all cases, by target, cause and live restore."""
    found = [one for row in lookup.without_control(data) for one in _of(data, row)]
    targets = list(dict.fromkeys(one.target for one in found))
    return sorted(found, key=lambda one: (targets.index(one.target), *case_order(one.cause, one.live_restore)))


def policies(found: list[Outcome]) -> list[str]:
    """Return the policies that occur."""
    return lookup.in_order(dict.fromkeys(one.policy for one in found), _POLICIES)


def case_order(cause: str, live_restore: str) -> tuple[int, str]:
    """Return the place of a case among others: ends of the instance first, then those of its daemon."""
    return _CAUSES.index(cause) if cause in _CAUSES else len(_CAUSES), live_restore


def text(restarts: float, running: float) -> str:
    """Write what has become of an instance."""
    if not restarts:
        return "runs on" if running else "stays down"
    count = "" if restarts == 1 else f" {restarts:g} times"
    return f"restarted{count}" + ("" if running else ", then down")


def _of(data: ScenarioData, row: Variant) -> Iterator[Outcome]:
    version = lookup.most_frequent(lookup.notes_of(data, row).get("version"))
    part = lookup.param_of(row, "part")
    for one in data.summaries:
        if one.metric == "restart.restarts" and one.target == row.target and one.params.get("part", "") == part:
            values = [_same(data, one, f"restart.{name}") for name in ("running", "documented", "documented_running")]
            if one.median is not None and None not in values:
                running, *said = (float(value or 0) for value in values)
                params = {name: str(one.params.get(name, "")) for name in ("policy", "cause", "live_restore")}
                yield Outcome(
                    row.target, **params, restarts=one.median, running=running, documented=(said[0], said[1]),
                    version=version,
                )  # fmt: skip


def _same(data: ScenarioData, one: Summary, metric: str) -> float | None:
    """Return the median of another metric with the same target and params."""
    return next(
        (
            other.median
            for other in data.summaries
            if (other.metric, other.target, other.params) == (metric, one.target, one.params)
        ),
        None,
    )
