"""Find lines that were lost from a run's folder: outcomes say how many measurements their invocations had."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.model import Measurement, Outcome, Status
from bench.store import lines
from bench.store.folder import MEASUREMENTS, OUTCOMES

_INVOCATION = re.compile(rb'"invocation":\s*(\d+)')
_SHOWN = 8
"""Places that a warning names at most."""


@dataclass(frozen=True)
class Losses:
    """What a run's folder has lost.

    Attributes:
        warnings: One sentence for each kind of loss.
        nothing_left: The sentence when no measurement is left; empty otherwise.
    """

    warnings: tuple[str, ...] = ()
    nothing_left: str = ""


def find(path: Path, *, complete: bool, planned: int = 0) -> Losses:
    """Compare the measurements of a run's folder with its outcomes; files that cannot be read are left to their readers.

    Only the numbers of the invocations are read from the lines of measurements, which takes a fraction of parsing them. With
    ``complete`` the run is over, so that a measurement without an outcome means that the outcome is lost. ``planned`` is how
    many invocations had ended then, 0 when that is unknown.
    """
    try:
        ended = lines.lines(
            path / OUTCOMES, Outcome
        )  # first: another process may be appending, measurements before outcomes
        data = lines.content(path / MEASUREMENTS) if (path / MEASUREMENTS).exists() else b""
    except (UsageError, OSError):
        return Losses()
    found = Counter(map(int, _INVOCATION.findall(data[: data.rfind(b"\n") + 1])))
    wanted = {
        one["invocation"]: one["measurements"]
        for one in ended
        if one["status"] == Status.OK and one.get("measurements") is not None
    }
    if any(found[invocation] < count for invocation, count in wanted.items()):
        try:
            found = Counter(record["invocation"] for record in lines.lines(path / MEASUREMENTS, Measurement))
        except UsageError:
            return Losses()
    short = {invocation: count - found[invocation] for invocation, count in wanted.items() if found[invocation] < count}
    known = {one["invocation"] for one in ended}
    orphans = sorted(set(found) - known) if complete else []
    if complete and not ended and (orphans or planned):
        return Losses(nothing_left=f"{OUTCOMES} has no line left; restore it from a copy, or leave the run out")
    return _told(short, sum(wanted.values()), orphans, ended)


def _told(short: Mapping[int, int], total: int, orphans: Sequence[int], ended: Sequence[Mapping[str, Any]]) -> Losses:
    if short and sum(short.values()) == total:
        text = f"all {total} measurements are missing from {MEASUREMENTS}; restore it from a copy, or leave the run out"
        return Losses(nothing_left=text)
    warnings = []
    if short:
        said = f"{sum(short.values())} of {total} measurements are missing from {MEASUREMENTS}"
        places = _listed(_places(short, ended))
        warnings.append(f"{said}: lines were lost of {places}; restore it from a copy")
    if orphans:
        where = _listed(_ranges(orphans))
        warnings.append(
            f"{OUTCOMES} has no line of invocation {where}, which has measurements: lines were lost; restore it"
        )
    return Losses(tuple(warnings))


def _places(short: Mapping[int, int], ended: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the targets that lost measurements, each with its blocks."""
    blocks: dict[tuple[str, str], set[int]] = {}
    for one in ended:
        if one["invocation"] in short:
            blocks.setdefault((one["scenario"], one["target"]), set()).add(one["block"])
    return [
        f"{scenario} {target} (block{'s' * (len(mine) > 1)} {', '.join(_ranges(sorted(mine)))})"
        for (scenario, target), mine in blocks.items()
    ]


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Write increasing numbers: ``1``, ``3 to 5``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return [" to ".join(map(str, one)) for one in found]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
