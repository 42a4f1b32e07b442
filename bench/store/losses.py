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
_COUNT = re.compile(rb'"measurements":\s*(\d+)')
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


class Texts:
    """The bytes of a run's files of lines, each of which is read once.

    Attributes:
        found: File → its bytes, none for a missing one, ``None`` for one that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        # outcomes first: another process may be appending, measurements before outcomes
        self.found = {name: _content(path / name) for name in (OUTCOMES, MEASUREMENTS)}

    @property
    def ended(self) -> int:
        """Complete lines of ``outcomes.jsonl``, 0 when it cannot be read."""
        return (self.found[OUTCOMES] or b"").count(b"\n")

    def cut_off(self) -> list[str]:
        """Return the files that do not end with a newline."""
        return [name for name in (MEASUREMENTS, OUTCOMES) if not (self.found[name] or b"\n").endswith(b"\n")]


def find(path: Path, texts: Texts, *, complete: bool, planned: int = 0) -> Losses:
    """Compare the measurements of a run's folder with its outcomes; files that cannot be read are left to their readers.

    With ``complete`` the run is over, so that a measurement without an outcome means that the outcome is lost. ``planned`` is how
    many invocations had ended then, 0 when that is unknown.
    """
    outcomes, data = texts.found[OUTCOMES], texts.found[MEASUREMENTS]
    if outcomes is None or data is None:
        return Losses()
    outcomes, data = _complete(outcomes), _complete(data)
    if outcomes and _agree(outcomes, data):
        return Losses()
    try:
        ended = lines.lines(path / OUTCOMES, Outcome)
    except UsageError:
        return Losses()
    found = Counter(map(int, _INVOCATION.findall(data)))
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


def _content(path: Path) -> bytes | None:
    try:
        return lines.content(path)
    except FileNotFoundError:
        return b""
    except OSError:
        return None


def _complete(data: bytes) -> bytes:
    """Return the complete lines of a file."""
    return data if data.endswith(b"\n") else data[: data.rfind(b"\n") + 1]


def _agree(outcomes: bytes, data: bytes) -> bool:
    """Say whether every outcome has as many measurements as it counts, and every measurement an outcome, without parsing.

    A name that contains one of the keys makes the answer ``False``, never wrongly ``True``.
    """
    invocations, counts = _INVOCATION.findall(outcomes), _COUNT.findall(outcomes)
    if len(invocations) != outcomes.count(b"\n") or len(counts) not in (0, len(invocations)):
        return False
    found = Counter(_INVOCATION.findall(data))
    wanted = dict(zip(invocations, map(int, counts), strict=bool(counts)))
    return found.keys() <= set(invocations) and all(found[name] == count for name, count in wanted.items())


def _told(short: Mapping[int, int], total: int, orphans: Sequence[int], ended: Sequence[Mapping[str, Any]]) -> Losses:
    if short and sum(short.values()) == total:
        text = f"all {total} measurements are missing from {MEASUREMENTS}; restore it from a copy, or leave the run out"
        return Losses(nothing_left=text)
    warnings = []
    if short:
        said = f"{sum(short.values())} of {total} measurements are missing from {MEASUREMENTS}"
        places = _listed(_places(short, ended))
        warnings.append(f"{said}: lines of {places} were lost; restore it from a copy")
    if orphans:
        where = _listed(_ranges(orphans))
        warnings.append(
            f"{OUTCOMES} has no line for invocation {where}, which has measurements: lines were lost; restore it"
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
