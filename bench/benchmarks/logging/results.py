"""What the words, tables and charts of ``logging`` look up: a target's numbers by load and by where the log was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from bench.benchmarks.logging.shapes import SHAPES
from bench.core.model import Summary
from bench.display import lookup, prose
from bench.display.data import ScenarioData, Variant

READS = ("reader", "file", "follower")
"""Where a log was read: by the engine's reader, from what is stored, by a process that followed it."""
LOSSES = ("lost_lines", "dropped_lines")
COUNTED = ("rate", "flat", "follower", "stopped", "crash")
"""Loads whose lines are counted as a whole."""


@dataclass(frozen=True)
class Shape:
    """What became of one kind of line in one place.

    Attributes:
        records: Records a line.
        lost: Lines lost or dropped.
        altered: Lines with other bytes.
        lines: Lines written.
    """

    records: float | None
    lost: float
    altered: float
    lines: int

    @property
    def whole(self) -> bool:
        """Whether every line came through with every byte."""
        return not (self.lost or self.altered)


def load_of(row: Variant) -> str:
    """Return the load of a variant."""
    return lookup.param_of(row, "load")


def named(row: Variant) -> Variant:
    """Return a variant whose label leaves out the load."""
    return lookup.unlabelled(row, "load")


def brief(data: ScenarioData) -> dict[str, dict[str, Variant]]:
    """Return the same with short names of the targets, for sentences."""
    names = prose.brief_names(data)
    found = {}
    for text, loads in targets(data).items():
        target = next(iter(loads.values())).target
        found[text.replace(target, names.get(target, target), 1)] = loads
    return found


def targets(data: ScenarioData) -> dict[str, dict[str, Variant]]:
    """Return the variants: label of target and other params → load → variant."""
    found: dict[str, dict[str, Variant]] = {}
    for row in lookup.without_control(data):
        found.setdefault(named(row).text, {})[load_of(row)] = row
    return found


def count(data: ScenarioData, row: Variant | None, name: str, **more: str) -> Summary | None:
    """Return the series of a count; ``None`` without a value."""
    found = data.summary(row, f"logging.{name}", **more) if row else None
    return found if found and found.median is not None else None


def number(data: ScenarioData, row: Variant | None, name: str, **more: str) -> float | None:
    """Return the median of a count; ``None`` without a value."""
    found = count(data, row, name, **more)
    return found.median if found else None


def losses(data: ScenarioData, row: Variant | None) -> dict[str, Summary]:
    """Return the lines that did not come through, by where the log was read."""
    found = {read: count(data, row, name, read=read) for read in READS for name in LOSSES[:1]}
    found |= {read: one for read in READS if (one := count(data, row, LOSSES[1], read=read))}
    return {read: one for read, one in found.items() if one}


def lost(data: ScenarioData, row: Variant | None) -> Summary | None:
    """Return the lines that did not come through where most of them are missing."""
    return max(losses(data, row).values(), key=lambda one: one.median or 0.0, default=None)


def missing(data: ScenarioData, row: Variant) -> float | None:
    """Return how many lines of a variant did not come through, whatever its load; ``None`` where no log was read."""
    if load_of(row) != "edges":
        found = lost(data, row)
        return found.median if found else None
    return max((one.lost for read in READS for one in shapes(data, row, read).values()), default=None)


def is_lossy(row: Variant) -> bool:
    """Return whether a target's engine may drop lines."""
    return "delivery=non-blocking" in row.target


def shapes(data: ScenarioData, row: Variant | None, read: str) -> dict[str, Shape]:
    """Return what became of each kind of line in one place; empty where the log was not read."""
    return {name: one for name in SHAPES if (one := _shape(data, row, read, name))}


def _shape(data: ScenarioData, row: Variant | None, read: str, name: str) -> Shape | None:
    more = {"read": read, "line": name}
    missing = [value for loss in LOSSES if (value := number(data, row, loss, **more)) is not None]
    altered = number(data, row, "altered_lines", **more)
    if not missing or altered is None:
        return None
    lines = SHAPES[name].count
    records = number(data, row, "records", **more)
    came = lines - missing[0]
    return Shape(records / came if records is not None and came else None, missing[0], altered, lines)


def parts(data: ScenarioData, row: Variant) -> Iterator[tuple[str, Summary]]:
    """Yield the parts of an engine that used CPU time, with the series; without their sum."""
    own = json.loads(row.params)
    for one in data.summaries:
        if (one.metric, one.target) != ("logging.cpu_per_million_s", row.target) or one.median is None:
            continue
        part = str(one.params.get("part", "all"))
        if part != "all" and one.params == {**own, "part": part}:
            yield part, one
