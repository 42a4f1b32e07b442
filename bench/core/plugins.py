"""Find what installed packages add to Tare through entry points (``[project.entry-points."tare.engines"]`` and the like).

A plug-in that cannot be used must not stop anything else: it is left out, and :func:`broken` says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

ENGINES = "tare.engines"
BENCHMARKS = "tare.benchmarks"


@dataclass(frozen=True)
class Broken:
    """A plug-in that cannot be used.

    Attributes:
        group: The entry point group, for example ``tare.engines``.
        name: The name it declares.
        package: The distribution that declares it.
        reason: Why it cannot be used, as a clause.
    """

    group: str
    name: str
    package: str
    reason: str

    def __str__(self) -> str:
        what = self.group.removeprefix("tare.").removesuffix("s")
        return f"the {what} '{self.name}' of package '{self.package}' is left out: {self.reason}"


_broken: dict[tuple[str, str, str], Broken] = {}


@cache
def declared(group: str, built_in: Collection[str]) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group by name, without names that Tare or another package already declares.

    ``built_in`` are the names that Tare itself has in this group (hashable, for example a tuple).
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda one: (one.name, package_of(one))):
        if point.name in built_in:
            report(group, point, f"Tare has one called '{point.name}'; rename it in that package's entry points")
        elif point.name in found:
            report(group, point, f"package '{package_of(found[point.name])}' declares the same name")
        else:
            found[point.name] = point
    return found


def report(group: str, point: EntryPoint, reason: str) -> Broken:
    """Record that a plug-in cannot be used, and return the record."""
    one = Broken(group, point.name, package_of(point), reason)
    return _broken.setdefault((group, point.name, one.package), one)


def broken() -> tuple[Broken, ...]:
    """Return the plug-ins that were found unusable so far."""
    return tuple(_broken.values())


def package_of(point: EntryPoint) -> str:
    """Return the name of the distribution that declares an entry point."""
    return point.dist.name if point.dist else "unknown"
