"""Remarks on times that are steps of an engine's own polling loop."""

from __future__ import annotations

from bench.core.units import format_value
from bench.display import lookup
from bench.display.data import ScenarioData

_PREFIX = "polls_s."
_ENDS = {"stopped": "has stopped", "deleted": "is deleted", "created": "is created", "started": "has started"}


def remarks(data: ScenarioData) -> list[str]:
    """Say which targets' phases end only when the engine looks the next time, and how often it looks."""
    found: dict[tuple[str, float], list[str]] = {}
    for row in data.invoked:
        for name, values in lookup.notes_of(data, row).items():
            if name.startswith(_PREFIX):
                step = float(max(values, key=lambda text: values[text]))
                names = found.setdefault((name.removeprefix(_PREFIX), step), [])
                names += [row.target] * (row.target not in names)
    return [_remark(phase, step, names) for (phase, step), names in found.items()]


def _remark(phase: str, step: float, names: list[str]) -> str:
    every = format_value(step, "s")
    return (
        f"{', '.join(names)}: the engine looks only every {every} whether an instance {_ENDS.get(phase, f'is {phase}')}. "
        f"That time is a multiple of {every} and a property of the engine's loop, not of the instance."
    )
