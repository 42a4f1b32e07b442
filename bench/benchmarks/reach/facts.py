"""What was found: a fact is something that works or does not, with the system call's error and what the documentation says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.engines.abilities import HasNetworks, Networks
from bench.engines.base import Engine
from bench.invocation.context import InvocationResult, Value

FACTS = {
    "reach": (
        *("to-peer", "to-other-network", "to-gateway", "to-host", "to-host-loopback", "to-host-abstract", "to-outside"),
        *("from-host", "from-outside"),
    ),
    "ports": ("first-binds", "first-answers", "second-starts", "second-binds", "second-answers"),
    "names": (
        *("named", "named-after-restart", "new-name", "host-name"),
        *("old-name", "new-name-after-restart", "old-name-after-restart"),
    ),
    "image": ("starts", "same-user", "same-folder", "same-environment"),
    "tags": ("loose-tag-moves", "exact-tag-moves", "digest-holds"),
}
"""Part → its facts, in the order of the table."""


@dataclass(frozen=True)
class Fact:
    """One fact.

    Attributes:
        name: Its name, one of ``FACTS``.
        works: Whether it works.
        error: Error number of the system call that failed; 0: none failed; ``None``: there was none to make.
        said: What was said beside yes and no: an engine's refusal, an unexpected answer.
    """

    name: str
    works: bool
    error: int | None = None
    said: str = ""


def result(
    found: Sequence[Fact],
    documented: Mapping[str, bool],
    evidence: Mapping[str, str],
    values: Mapping[str, float] | None = None,
    notes: Mapping[str, str] | None = None,
) -> InvocationResult:
    """Return the invocation's result: each fact, and how many are unlike the documentation."""
    unlike = sum(documented.get(fact.name, fact.works) != fact.works for fact in found)
    said = {fact.name: fact.said for fact in found if fact.said}
    return InvocationResult(
        {"reach.deviations": float(unlike), **(values or {})},
        evidence,
        series=tuple(_series(found, documented)),
        notes={**(notes or {}), **said},
    )


def networks_of(engine: Engine) -> Networks | None:
    """Return what an engine knows of its networks, ``None`` for one that has no such thing."""
    return engine.networks if isinstance(engine, HasNetworks) else None


def documented_by(networks: Networks | None, part: str) -> dict[str, bool]:
    """Return the facts of a part that the engine's documentation decides."""
    said = {name: networks.documented(name) for name in FACTS[part]} if networks else {}
    return {name: answer for name, answer in said.items() if answer is not None}


def version_of(networks: Networks | None) -> dict[str, str]:
    """Return the note with the engine's name and version."""
    return {"version": networks.version()} if networks else {}


def _series(found: Iterable[Fact], documented: Mapping[str, bool]) -> Iterator[Value]:
    for fact in found:
        params = {"fact": fact.name}
        yield Value("reach.works", float(fact.works), params)
        if fact.error is not None:
            yield Value("reach.error", float(fact.error), params)
        if fact.name in documented:
            yield Value("reach.documented", float(documented[fact.name]), params)
