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
    """Prepare every target of the scenarios, and the host; ``say`` is called with each target before it is prepared."""
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
    return preflight.Prepared(engines, known, missing)


def refuse_cold(scenarios: Sequence[Scenario]) -> None:
    """Refuse cache=cold before anything is measured if this process cannot drop the page cache.

    Raises:
        TargetUnavailable: It cannot drop the page cache.
    """
    wanted = any("cold" in scenario.params.get("cache", ()) for scenario in scenarios)
    if wanted and not os.access("/proc/sys/vm/drop_caches", os.W_OK):
        msg = "cache=cold needs to write /proc/sys/vm/drop_caches"
        raise TargetUnavailable(msg, "run as root, or measure with cache=warm")


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
    """Leave out targets that cannot run and add the choices that the host made (``accel=tcg``) to the others.

    Raises:
        TargetUnavailable: A baseline cannot run.
        UsageError: Two targets are the same on this host.
    """
    resolved, skipped = [], []
    for scenario in scenarios:
        targets: list[Target] = []
        for target in scenario.targets:
            if error := prepared.missing.get(target.text):
                skipped.append(Skipped(scenario.name, target.text, error.reason, error.remedy))
            elif (settled := prepared.engines[target.text].target).text in [one.text for one in targets]:
                msg = f"'{target.text}' is '{settled.text}' on this host, which is measured already; name it once"
                raise UsageError(msg)
            else:
                targets.append(settled)
        if scenario.baseline in prepared.missing:
            msg = f"the baseline '{scenario.baseline}' of '{scenario.name}' cannot run here"
            raise TargetUnavailable(msg, prepared.missing[scenario.baseline].remedy)
        baseline = prepared.engines[scenario.baseline].target.text
        resolved.append(dataclasses.replace(scenario, targets=tuple(targets), baseline=baseline))
    return resolved, skipped
