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
        first - there
        for one, need in _edges(running)
        if (first := first_s(running, one.name)) is not None and (there := _there_s(running, need)) is not None
        if there <= first
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


def first_s(running: Running, service: str) -> float | None:
    """Return the stamp of a service's first instruction; without a payload that of the engine's report that it is started."""
    if service in running.channels:
        return running.channels[service].stamps[Phase.FIRST_INSTRUCTION]
    return running.watch.at.get((service, "started"))


def _edges(running: Running) -> Iterator[tuple[Service, Need]]:
    """Return the dependencies that can be judged: those of services whose start is known."""
    every = ((one, need) for one in running.project.services for need in one.needs)
    return ((one, need) for one, need in every if first_s(running, one.name) is not None)


def _violations(running: Running) -> Iterator[tuple[Service, Need]]:
    for one, need in _edges(running):
        first, there = first_s(running, one.name), _there_s(running, need)
        if first is not None and (there is None or first < there):
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
    first, ready = first_s(running, one.name), _ready_s(running, need.service)
    return None if first is None or ready is None else max(0.0, ready - first)


def _ready_s(running: Running, service: str) -> float | None:
    if running.project.service(service).check:
        return _healthy_s(running, service)
    return running.channels[service].stamps[Phase.READY] if service in running.channels else None


def _moments(running: Running, one: Service) -> dict[str, float]:
    at = running.watch.at
    found = {"created": at.get((one.name, "created")), "started": at.get((one.name, "started"))}
    if one.name in running.channels:
        stamps = running.channels[one.name].stamps
        found |= {"first instruction": stamps[Phase.FIRST_INSTRUCTION], "ready": stamps[Phase.READY]}
    found["healthy"] = _healthy_s(running, one.name) if one.check else None
    return {name: stamp for name, stamp in found.items() if stamp is not None}


def _state(need: Need) -> str:
    return "healthy" if need.healthy else "started"
