"""Words and values that several figures share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.core.model import Summary
from bench.core.units import format_value
from bench.display.data import ScenarioData, Variant
from bench.display.table import NONE, Cell, interval_text


def value_cell(found: Summary | None) -> Cell:
    """Return a median with its interval under it."""
    if found is None or found.median is None:
        return Cell(NONE)
    return Cell(format_value(found.median, found.unit), interval_text(found.ci, found.unit))


def count_sentence(data: ScenarioData, variants: Sequence[Variant], metric: str) -> str:
    """Say how many blocks stand behind the figure."""
    counts = {item.text: found.n for item in variants if (found := data.summary(item, metric))}
    if not counts:
        return "No values."
    most = max(counts.values())
    fewer = [f"{count} for {name}" for name, count in counts.items() if count < most]
    exceptions = f" ({', '.join(fewer[:4])}{', …' if len(fewer) > 4 else ''})" if fewer else ""
    return f"n\u00a0=\u00a0{most} {'block' if most == 1 else 'blocks'} a target{exceptions}."


def many(names: Sequence[str], most: int = 4) -> str:
    """Join names: ``a``, ``a and b``, ``a, b and c``."""
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def plural_blocks(counts: Iterable[int]) -> str:
    """Say how many blocks stand behind the numbers of a figure: ``n = 6 to 8 blocks``."""
    found = sorted(set(counts))
    if not found:
        return "No values."
    if len(found) == 1:
        return f"n\u00a0=\u00a0{found[0]} {'block' if found[0] == 1 else 'blocks'}."
    return f"n\u00a0=\u00a0{found[0]} to {found[-1]} blocks."
