"""Whether services were started in the order that the project asks for, and how long each waited for what it needs."""

from __future__ import annotations

from collections.abc import Iterator

from bench.benchmarks.compose import shapes
from bench.benchmarks.compose.operations import Running
from bench.core.model import Phase
from bench.engines.projects import Need, Service
from bench.invocation.context import Value


def judged(running: Running) -> dict[str, float]:
    """Count the violations, and return the longest time that a service ran before what it needs was ready."""
    values = {"compose.violations": float(len(list(_violations(running))))}
    gaps = [gap for one, need in _edges(running) if (gap := _gap(running, one, need)) is not None]
    return values | ({"compose.gap_s": max(gaps)} if gaps else {})


def series(running: Running, requested_s: float) -> list[Value]:
    """Return the waits of the edges, and the moments of each service from the request on."""
    waits = [
        first_s(running, one.name) - there
        for one, need in _edges(running)
        if (there := _there_s(running, need)) is not None and there <= first_s(running, one.name)
    ]
    found = [Value("compose.edge_s", wait, iteration=number) for number, wait in enumerate(waits)]
    for one in running.project.services:
        for moment, at_s in _moments(running, one).items():
            found.append(Value("compose.at_s", at_s - requested_s, {"service": one.name, "moment": moment}))
    return found


def notes(running: Running) -> dict[str, str]:
    """Name the edges whose order was violated."""
    wrong = [f"{one.name} before {need.service} was {_state(need)}" for one, need in _violations(running)]
    return {"order": ", ".join(wrong) or "kept"}


def first_s(running: Running, service: str) -> float:
    """Return the stamp of a service's first instruction."""
    return running.channels[service].stamps[Phase.FIRST_INSTRUCTION]


def _edges(running: Running) -> Iterator[tuple[Service, Need]]:
    return ((one, need) for one in running.project.services for need in one.needs)


def _violations(running: Running) -> Iterator[tuple[Service, Need]]:
    for one, need in _edges(running):
        there = _there_s(running, need)
        if there is None or first_s(running, one.name) < there:
            yield one, need


def _there_s(running: Running, need: Need) -> float | None:
    """Return when what is needed was there: its first instruction, or the end of its first probe that succeeded."""
    return _healthy_s(running, need.service) if need.healthy else first_s(running, need.service)


def _healthy_s(running: Running, service: str) -> float | None:
    """Return when a service was healthy.

    The payload's own probe reports its end, before the engine knows of it; for another program it is the engine's report.
    """
    one = running.project.service(service)
    if one.check and one.check.command == shapes.PROBE:
        return next((line.at_s for line in list(running.channels[service].lines) if line.text == "C probe 0"), None)
    return running.watch.at.get((service, "healthy"))


def _gap(running: Running, one: Service, need: Need) -> float | None:
    """Return how long a service ran before what it needs was ready: healthy where it has a check that is run."""
    needed = running.project.service(need.service)
    ready = running.channels[need.service].stamps[Phase.READY]
    if needed.check:
        healthy = _healthy_s(running, need.service)
        if healthy is None:
            return None
        ready = max(ready, healthy)
    return max(0.0, ready - first_s(running, one.name))


def _moments(running: Running, one: Service) -> dict[str, float]:
    stamps, at = running.channels[one.name].stamps, running.watch.at
    found = {"created": at.get((one.name, "created")), "started": at.get((one.name, "started"))}
    found |= {"first instruction": stamps[Phase.FIRST_INSTRUCTION], "ready": stamps[Phase.READY]}
    found["healthy"] = _healthy_s(running, one.name) if one.check else None
    return {name: stamp for name, stamp in found.items() if stamp is not None}


def _state(need: Need) -> str:
    return "healthy" if need.healthy else "started"
