"""What ``run.json`` says of a run before it begins: its scenarios as JSON, and which earlier run may be resumed here and now."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from bench import store
from bench.core.errors import UsageError
from bench.core.model import RunState, Scenario
from bench.run import facts
from bench.scenario import parse_target

INSTRUMENT = "instrument"
"""Key of what stamped the events of a run (:attr:`bench.core.clock.EventHub.instrument`)."""


def scenario_meta(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as a JSON object for ``run.json``."""
    meta = dataclasses.asdict(scenario)
    meta["targets"] = [target.text for target in scenario.targets]
    del meta["name"]
    return meta


def scenario_from(name: str, meta: Mapping[str, Any]) -> Scenario:
    """Return the scenario that :func:`scenario_meta` wrote."""
    known = {field.name for field in dataclasses.fields(Scenario)}
    meta = {key: value for key, value in meta.items() if key in known}
    given = {**meta, "name": name, "targets": tuple(parse_target(text) for text in meta["targets"])}
    given["params"] = {key: tuple(values) for key, values in meta["params"].items()}
    given["primary"] = tuple(meta["primary"])
    return Scenario(**given)


def refuse_to_resume(found: store.Run) -> None:
    """Refuse a run that is over, or that this host as it is now cannot continue.

    Raises:
        UsageError: The run is complete, was measured on another host, or this host has changed or restarted since.
    """
    if found.meta.get("state") == RunState.COMPLETE:
        msg = f"the run {found.run_id} is complete; start a new one"
        raise UsageError(msg)
    if "inside" in found.meta:
        msg = f"the run {found.run_id} was in the guest {found.meta['inside']}, which is gone: start a new one with --inside"
        raise UsageError(msg)
    now = facts.host()
    same_boot = now.values.get("boot") == found.meta.get("facts", {}).get("boot")
    if facts.fingerprint(now) != found.meta.get("fingerprint") or not same_boot:
        msg = f"the run {found.run_id} was measured on another host or before a change or a restart of this one: start a new one"
        raise UsageError(msg)


def refuse_instrument(found: store.Run, instrument: Mapping[str, str]) -> None:
    """Refuse to resume a run whose events something else stamped.

    Raises:
        UsageError: The run records another instrument.
    """
    for name, before in found.meta.get(INSTRUMENT, {}).items():
        if (now := instrument.get(name)) != before:
            changed = f"{name} '{before}', now '{now}'"
            msg = f"the events of the run {found.run_id} were stamped differently ({changed}): start a new one"
            raise UsageError(msg)
