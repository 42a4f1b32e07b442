"""The rows of tables and charts of ``compose``: variants by project, and each beside the same project by the API."""

from __future__ import annotations

import json

from bench.benchmarks.compose import CLIENTS, PROJECTS
from bench.core.model import Status
from bench.display import lookup, paired
from bench.display.data import ScenarioData, Variant
from bench.display.paired import Quantity
from bench.stats.pairs import Times

READY = Quantity("compose.ready_s", {}, "all ready")
AT = "compose.at_s"
FLOOR = "api"


def project_of(row: Variant) -> str:
    """Return the project of a variant."""
    return lookup.param_of(row, "project")


def client_of(row: Variant) -> str:
    """Return the client of a variant."""
    return lookup.param_of(row, "client")


def named(row: Variant) -> str:
    """Name target and client: ``docker by v1``."""
    return f"{row.target} by {client_of(row)}"


def ordered(data: ScenarioData) -> list[Variant]:
    """Return the variants by project, then by target, then by client."""
    rows = lookup.without_control(data)
    targets = list(dict.fromkeys(row.target for row in rows))
    return sorted(
        rows,
        key=lambda row: (
            PROJECTS.index(project_of(row)) if project_of(row) in PROJECTS else len(PROJECTS),
            targets.index(row.target),
            CLIENTS.index(client_of(row)) if client_of(row) in CLIENTS else len(CLIENTS),
        ),
    )


def projects(data: ScenarioData) -> list[str]:
    """Return the projects that were made, in the order of the tables."""
    return list(dict.fromkeys(project_of(row) for row in ordered(data)))


def floor_of(data: ScenarioData, row: Variant) -> Variant | None:
    """Return the variant that makes the same project by the API; ``None`` for that one itself, or without it."""
    wanted = {**json.loads(row.params), "client": FLOOR}
    found = next(
        (one for one in data.invoked if one.target == row.target and json.loads(one.params) == wanted),
        None,
    )
    return None if found is None or found.params == row.params else found


def over_api(data: ScenarioData, row: Variant, what: Quantity) -> Times | None:
    """Return a quantity as a multiple of that by the API, paired block by block."""
    return paired.times(data, row, floor_of(data, row), what)


def skipped(data: ScenarioData) -> dict[str, list[str]]:
    """Return why variants were not measured: the reason → target and client of each."""
    found: dict[str, list[str]] = {}
    for row in ordered(data):
        mine = lookup.outcomes_of(data, row)
        reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
        if reasons and len(reasons) == len(mine):
            names = found.setdefault(reasons[0], [])
            names += [named(row)] if named(row) not in names else []
    return found
