"""Two sides of a comparison beside each other: host, kernel, versions; what differs first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench import store
from bench.compare import Side, parameters
from bench.report.sections import short

UNKNOWN = "not recorded"
_HEAD = ("run_id", "host", "started_at", "tare_version", "seed")
"""What of ``run.json`` itself stands in the table; the first, by nature, differs."""
_TITLES = {
    "run_id": "run",
    "started_at": "began",
    "tare_version": "Tare",
    "inside": "measured in the guest",
}
_NEVER_ALIKE = {"run", "began", "seed"}


@dataclass(frozen=True)
class Row:
    """A fact of both sides; ``epoch`` says that numbers are comparable only where it is equal."""

    name: str
    base: str
    new: str
    epoch: bool = False

    @property
    def differs(self) -> bool:
        """Whether the sides differ in it and need not."""
        return self.base != self.new and self.name not in _NEVER_ALIKE


@dataclass(frozen=True)
class Apart:
    """The facts of two sides: those that name them, those that differ, those that are the same; two targets, if there are two."""

    targets: str
    named: tuple[Row, ...]
    differing: tuple[Row, ...]
    same: tuple[Row, ...]

    @property
    def brief(self) -> str:
        """The first differences on one line; empty without any."""
        if self.targets:
            return self.targets
        shown = [f"{row.name}: {row.base} → {row.new}" for row in self.differing[:2]]
        more = len(self.differing) - len(shown)
        return "; ".join(shown) + (f"; {more} more" if more else "")


def apart(base: Side, new: Side) -> Apart:
    """Return the facts of two sides; of a comparison of two targets, those of their engines stand beside each other."""
    rows = [*_heads(base.run, new.run), *_facts(base.run, new.run), *_engines(base, new)]
    rows += [Row(f"parameter {one.name}", one.base, one.new) for one in parameters.differing(base.run, new.run)]
    named = tuple(row for row in rows if row.name in _NEVER_ALIKE)
    rest = [row for row in rows if row not in named]
    both = base.target != new.target and base.target and new.target
    where = ", in one run" if base.run.run_id == new.run.run_id else ""
    targets = f"{base.target} → {new.target}{where}" if both else ""
    return Apart(
        targets, named, tuple(row for row in rest if row.differs), tuple(row for row in rest if not row.differs)
    )


def _heads(base: store.Run, new: store.Run) -> Iterator[Row]:
    for name in (*_HEAD, "inside"):
        before, after = (str(run.meta.get(name) or "") for run in (base, new))
        if before or after:
            yield Row(_TITLES.get(name, name), before or UNKNOWN, after or UNKNOWN)


def _facts(base: store.Run, new: store.Run) -> Iterator[Row]:
    epoch = {str(name) for run in (base, new) for name in run.meta.get("epoch", ())}
    for part, prefix in (("facts", ""), ("instrument", "instrument: ")):
        before, after = (run.meta.get(part) or {} for run in (base, new))
        for name in dict.fromkeys([*after, *before]):
            yield Row(f"{prefix}{name}", _value(before, name), _value(after, name), bool(prefix) or name in epoch)


def _engines(base: Side, new: Side) -> Iterator[Row]:
    known = [side.run.meta.get("engines") or {} for side in (base, new)]
    for name, before, after in _targets(base, new, known):
        for fact in dict.fromkeys([*after, *before]):
            yield Row(f"{name}: {fact}" if name else str(fact), _value(before, fact), _value(after, fact))


def _targets(
    base: Side, new: Side, known: list[Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield what the engines of each pair of targets say of themselves."""
    if base.target and new.target:
        name = new.target if base.target == new.target else ""
        yield name, known[0].get(base.target, {}), known[1].get(new.target, {})
        return
    for target in known[1]:
        if target in known[0]:
            yield str(target), known[0][target], known[1][target]


def _value(found: Mapping[str, Any], name: str) -> str:
    return short(str(found[name])) if name in found else UNKNOWN
