"""The facts of a run, by target: what works, the error where it does not, and what the documentation says."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from bench.benchmarks.reach.facts import FACTS
from bench.core.model import Summary
from bench.display import lookup
from bench.display.data import ScenarioData, Variant


@dataclass(frozen=True)
class Outcome:
    """One fact of one target, over all blocks.

    Attributes:
        target: The target.
        name: The fact.
        works: Whether it works; ``None`` where that differs from block to block.
        error: Name of the system call's error (``ENETUNREACH``); empty without one, or where it differs.
        said: What was said beside yes and no.
        documented: Whether it works by the documentation; ``None`` where that says nothing.
        version: The engine's name and version; empty where it is not known.
    """

    target: str
    name: str
    works: bool | None
    error: str
    said: str
    documented: bool | None
    version: str

    @property
    def deviates(self) -> bool:
        """Whether it is unlike the documentation."""
        return self.documented is not None and self.works != self.documented

    @property
    def text(self) -> str:
        """The answer in a word."""
        if self.works is None:
            return "differs by block"
        return "yes" if self.works else self.error or "no"


def outcomes(data: ScenarioData, part: str) -> dict[str, list[Outcome]]:
    """Return the facts of a part by target, in the order of the table; targets without any are left out."""
    rows = [row for row in lookup.without_control(data) if lookup.param_of(row, "part") in (part, "")]
    found = {row.target: _of(data, row, part) for row in rows}
    return {target: facts for target, facts in found.items() if facts}


def _of(data: ScenarioData, row: Variant, part: str) -> list[Outcome]:
    notes = lookup.notes_of(data, row)
    said = {name: lookup.most_frequent(notes.get(name)) for name in (*FACTS[part], "version")}
    made = []
    for name in FACTS[part]:
        works = data.summary(row, "reach.works", fact=name)
        if works is not None and works.median is not None:
            documented = _same(data.summary(row, "reach.documented", fact=name))
            error = _same(data.summary(row, "reach.error", fact=name))
            made.append(
                Outcome(
                    row.target,
                    name,
                    _yes(_same(works)),
                    errno.errorcode.get(int(error), str(int(error))) if error else "",
                    said[name],
                    _yes(documented),
                    said["version"],
                )
            )
    return made


def _same(found: Summary | None) -> float | None:
    """Return the value of a series that is the same in every block."""
    return found.median if found and found.minimum == found.maximum else None


def _yes(value: float | None) -> bool | None:
    return None if value is None else bool(value)
