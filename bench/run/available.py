"""Prepare a run's targets on this host; refuse or leave out with a reason what cannot run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Sequence

from bench.core.errors import TargetUnavailable, UsageError
from bench.core.model import Facts, Scenario, Skipped, Target
from bench.engines.base import Engine
from bench.lab import Lab
from bench.run import preflight
from bench.scenario import parse_target


def prepare(scenarios: Sequence[Scenario], lab: Lab, say: Callable[[str], None]) -> preflight.Prepared:
    """Prepare every target of the scenarios, and the host; ``say`` is called with each target before it is prepared.

    Nothing further is prepared when the host is unavailable: :func:`refuse_missing` then ends the run.
    """
    engines: dict[str, Engine] = {}
    known: dict[str, Facts] = {}
    missing: dict[str, TargetUnavailable] = {}
    wanted = {target.text: target for scenario in scenarios for target in scenario.targets}
    wanted.setdefault("host", parse_target("host"))  # the sentinel runs on it
    for text, target in wanted.items():
        say(text)
        one = preflight.prepare([target], lab)
        engines |= one.engines
        known |= one.facts
        missing |= one.missing
        if "host" in missing:
            break
    return preflight.Prepared(engines, known, missing)


def refuse_cold(scenarios: Sequence[Scenario]) -> None:
    """Refuse a run before anything is prepared if all its scenarios need cache=cold and it cannot be had.

    Raises:
        TargetUnavailable: This process cannot drop the page cache.
    """
    found = [_without_cold(scenario) for scenario in scenarios]
    if found and None not in found:
        raise next(error for error in found if error is not None)


def _without_cold(scenario: Scenario) -> TargetUnavailable | None:
    """Return why a scenario with cache=cold cannot run, ``None`` when it can or does not need it."""
    if "cold" not in scenario.params.get("cache", ()) or os.access("/proc/sys/vm/drop_caches", os.W_OK):
        return None
    return TargetUnavailable(
        "cache=cold needs to write /proc/sys/vm/drop_caches", "run as root, or measure with cache=warm"
    )


def refuse_missing(explicit: Collection[str], prepared: preflight.Prepared) -> None:
    """Refuse a run if the host, or a target that the user named, is unavailable.

    Raises:
        TargetUnavailable: One is unavailable; with its reason and remedy.
    """
    for text, error in prepared.missing.items():
        if text in explicit:
            msg = f"the target '{text}' is unavailable here: {error.reason}"
            raise TargetUnavailable(msg, error.remedy)
    if "host" in prepared.missing:
        raise prepared.missing["host"]


def resolve(scenarios: Sequence[Scenario], prepared: preflight.Prepared) -> tuple[list[Scenario], list[Skipped]]:
    """Leave out targets and scenarios that cannot run; add the choices that the host made (``accel=tcg``) to the others.

    A scenario whose baseline cannot run is left out: each of its targets is recorded as skipped, with the reason.

    Raises:
        TargetUnavailable: No scenario is left.
        UsageError: Two targets are the same on this host.
    """
    resolved: list[Scenario] = []
    skipped: list[Skipped] = []
    refusals: list[TargetUnavailable] = []
    for scenario in scenarios:
        if error := _refusal(scenario, prepared):
            refusals.append(error)
            skipped += [Skipped(scenario.name, target.text, error.reason, error.remedy) for target in scenario.targets]
            continue
        targets, missing = _resolved(scenario, prepared)
        skipped += missing
        baseline = prepared.engines[scenario.baseline].target.text
        resolved.append(dataclasses.replace(scenario, targets=tuple(targets), baseline=baseline))
    if refusals and not resolved:
        raise refusals[0]
    return resolved, skipped


def _refusal(scenario: Scenario, prepared: preflight.Prepared) -> TargetUnavailable | None:
    """Return why a whole scenario cannot run here, ``None`` when it can."""
    missing = prepared.missing.get(scenario.baseline)
    if missing is None:
        return _without_cold(scenario)
    reason = f"the baseline '{scenario.baseline}' of '{scenario.name}' cannot run here: {missing.reason}"
    return TargetUnavailable(reason, missing.remedy)


def _resolved(scenario: Scenario, prepared: preflight.Prepared) -> tuple[list[Target], list[Skipped]]:
    """Return a scenario's targets that can run, with the host's choices, and those that cannot."""
    targets: list[Target] = []
    skipped: list[Skipped] = []
    for target in scenario.targets:
        if error := prepared.missing.get(target.text):
            skipped.append(Skipped(scenario.name, target.text, error.reason, error.remedy))
        elif (settled := prepared.engines[target.text].target).text in [one.text for one in targets]:
            msg = f"'{target.text}' is '{settled.text}' on this host, which is measured already; name it once"
            raise UsageError(msg)
        else:
            targets.append(settled)
    return targets, skipped
