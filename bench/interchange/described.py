"""Describe an imported run: its scenarios, targets, baselines and metrics, as ``run.json`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import __version__, scenario
from bench.core.clock import wall_time
from bench.core.errors import UsageError, unknown
from bench.core.model import NULL, SENTINEL, Scenario
from bench.interchange.table import NONE, Name, Table


@dataclass(frozen=True)
class _Rows:
    """What the description of a scenario needs of its rows.

    Attributes:
        names: Its names, in the order in which they first come.
        blocks: Number of its blocks.
        interleaved: Whether more than one target was measured in some block.
        exported: Whether its first row has the number of an invocation.
        engines: Target → engine of its last row.
    """

    names: Sequence[Name]
    blocks: int
    interleaved: bool
    exported: bool
    engines: Mapping[str, str]


def _by_scenario(table: Table) -> dict[str, _Rows]:
    scenario_of = table.per_name(lambda one: one.scenario)
    target_of = table.per_name(lambda one: (one.scenario, one.target))
    names = list(dict.fromkeys(one.scenario for one in table.names))
    first, last = np.full(len(table.names), -1), np.full(len(table.names), -1)
    blocks, pairs, start = np.zeros(len(names), int), np.zeros(len(names), int), 0
    exported: dict[int, bool] = {}
    for whole in table.chunks():  # a block is in one part only
        places = start + np.arange(len(whole))
        last[whole.code] = places
        unseen = first[whole.code] < 0
        first[whole.code[unseen][::-1]] = places[unseen][::-1]
        mine = scenario_of[whole.code]
        for number in np.unique(mine).tolist():
            rows = np.flatnonzero(mine == number)
            exported.setdefault(number, bool(whole.invocation[rows[0]] != NONE))
            block, target = whole.block[rows], target_of[whole.code[rows]]
            blocks[number] += len(np.unique(block))
            pairs[number] += len(np.unique(np.stack([block, target]), axis=1).T)
        start += len(whole)
    found = {}
    for number, name in enumerate(names):
        codes = np.flatnonzero(scenario_of == number)
        newest = sorted(codes.tolist(), key=last.__getitem__)
        found[name] = _Rows(
            names=[table.names[code] for code in codes],
            blocks=int(blocks[number]),
            interleaved=bool(pairs[number] > blocks[number]),
            exported=exported[number],
            engines={table.names[code].target: table.names[code].engine for code in newest},
        )
    return found


def _scenario(mine: _Rows, source: str, asked: str) -> dict[str, Any]:
    """Describe one scenario of the file as ``run.json`` does."""
    declared = _declared(mine)
    every = list(dict.fromkeys(one.target for one in mine.names))
    controls = {one.target for one in mine.names if one.control}
    targets = [one for one in every if one not in controls] or every
    metrics = list(dict.fromkeys(one.metric for one in mine.names))
    primary = metrics[:3]
    if declared is not None:
        order = [target.text for target in declared.targets]
        targets.sort(key=lambda text: order.index(text) if text in order else len(order))
        primary = [name for name in declared.primary if name in metrics] or primary
    return {
        "procedure": "imported",
        "title": f"Imported from {source}",
        "description": "Measured by another tool, in its order: no seed, no sentinel, no evidence.",
        "targets": targets,
        "baseline": asked if asked in targets else _baseline(mine, targets, declared),
        "params": {},
        "blocks": mine.blocks,
        "warmup_blocks": 0,
        "timeout_s": 0.0,
        "primary": primary,
        "null_target": NULL in controls,
        "sentinel": SENTINEL in controls,
        "digest": "",
        "path": source,
    }


def _declared(mine: _Rows) -> Scenario | None:
    """Return the scenario of Tare whose export this is, ``None`` for a name of another tool's."""
    exported = mine.exported or mine.names[0].baseline
    path = scenario.names("scenario").get(mine.names[0].scenario) if exported else None
    try:
        found = scenario.load(path) if path is not None else []
    except UsageError:
        return None
    return found[0] if found else None


def _baseline(mine: _Rows, targets: Sequence[str], declared: Scenario | None) -> str:
    """Return the baseline of the run that was exported as far as the file tells, else the host, else the first target."""
    engines = mine.engines
    repeated = [text for text in targets if text != NULL and engines[text] == engines.get(NULL)]
    choices = [
        *(one.baseline for one in mine.names if one.baseline),
        *([declared.baseline] if declared else []),
        *(repeated if len(repeated) == 1 else []),  # the A/A control has the engine of the baseline
        "host",
        *(text for text in targets if engines[text] == "host"),
    ]
    return next((text for text in choices if text in targets), targets[0])


def meta(  # noqa: PLR0917 - what a run is made of
    table: Table, run_id: str, source: str, tags: Mapping[str, str], fmt: str, baseline: str
) -> dict[str, Any]:
    """Return ``run.json`` of an import; arguments and errors as in :func:`bench.interchange.incoming.write`."""
    by_name = _by_scenario(table)
    scenarios = {name: _scenario(mine, source, baseline) for name, mine in by_name.items()}
    if baseline and all(baseline not in one["targets"] for one in scenarios.values()):
        raise UsageError(unknown("target", baseline, sorted({one.target for one in table.names})))
    return {
        "run_id": run_id,
        "tare_version": __version__,
        "command": ["tare", "import", source, "--format", fmt],
        "seed": None,
        "host": "unknown host",
        "interleaved": any(one.interleaved for one in by_name.values()),
        "started_at": wall_time().isoformat(timespec="seconds"),
        "tags": {**tags, "imported": source},
        "scenarios": scenarios,
        "skipped": [],
        "facts": {},
        "epoch": [],
        "fingerprint": "imported",
        "engines": {},
    }
