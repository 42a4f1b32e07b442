"""What all benchmarks share: an instance's spec, its life from request to deletion, and the check of its evidence."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.core.clock import Channel, Line, Timeline
from bench.core.errors import EvidenceMismatch
from bench.core.model import Phase
from bench.engines import life as engine_life
from bench.engines.abilities import unproved
from bench.engines.base import Engine, Instance, InstanceSpec
from bench.engines.life import Life
from bench.invocation.context import InvocationContext
from bench.lab import Lab, images

_FROM_REQUEST = {
    Phase.CREATED: "startup.created_s",
    Phase.STARTED: "startup.started_s",
    Phase.FIRST_INSTRUCTION: "startup.first_instruction_s",
    Phase.READY: "startup.ready_s",
}


def spec_of(
    context: InvocationContext, arguments: tuple[str, ...] = ("--sleep",), *, suffix: str = "", **changes: Any
) -> InstanceSpec:
    """Return the spec of an instance of this invocation, and journal its name; ``suffix`` distinguishes several instances.

    Memory and CPUs are those of the invocation's parameters if it has them; ``changes`` are other fields of ``InstanceSpec``.
    """
    given: dict[str, Any] = {}
    if "memory_bytes" in context.params:
        given["memory_bytes"] = int(context.params["memory_bytes"])
    if "cpus" in context.params:
        given["cpus"] = int(context.params["cpus"])
    spec = InstanceSpec(
        name=f"{context.name}{suffix}",
        events=context.lab.paths.run / "e" / f"{context.invocation.index}{suffix}",
        arguments=arguments,
        timeout_s=context.timeout_s,
        **{**given, **changes},
    )
    context.lab.journal.add("process", name=spec.name)
    return spec


@contextlib.contextmanager
def opened(context: InvocationContext, spec: InstanceSpec) -> Iterator[Life]:
    """Yield a life that has not begun, its channel open.

    Afterwards nothing of its name is left, and what its programs printed is kept.
    """
    with context.hub.channel(spec.events, context.engine.channel) as channel, deleted(context, spec.name):
        try:
            yield Life(context.engine, spec, channel, context.timeout_s, context.note_request)
        finally:  # most of all after a failure: what a tool printed is then the reason
            for name, text in outputs(channel.lines):
                context.keep(name, text)


@contextlib.contextmanager
def living(context: InvocationContext, spec: InstanceSpec) -> Iterator[tuple[Instance, Channel]]:
    """Yield an instance that is ready, with its channel; its clock starts before it is created."""
    with begun(context, spec) as (life, instance):
        yield instance, life.channel


@contextlib.contextmanager
def begun(context: InvocationContext, spec: InstanceSpec) -> Iterator[tuple[Life, Instance]]:
    """Yield an instance that is ready, with its life for those who need its stamps."""
    with opened(context, spec) as life:
        with context.account.engine():
            life.request()
            instance = life.run()
        yield life, instance


def outputs(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """Yield name and output of each program that a payload ran, from its line ``B NAME`` on."""
    name, printed = "", list[str]()
    for line in lines:
        kind, _, rest = line.text.partition(" ")
        if kind == "O":
            printed.append(rest)
        elif kind in ("B", "C"):
            if printed:
                yield name, "\n".join(printed) + "\n"
            name, printed = rest, []
    if printed:
        yield name, "\n".join(printed) + "\n"


def deleted(context: InvocationContext, name: str) -> contextlib.AbstractContextManager[None]:
    """Delete everything of that name after the block, also when the block fails; the first error is the one raised."""
    return engine_life.deleted(context.engine, name, context.account.engine)


def evidence_of(context: InvocationContext, instance: Instance) -> dict[str, str]:
    """Read back what runs, compare it with what was asked for, and replace the instance's own names by placeholders.

    Raises:
        EvidenceMismatch: Something else runs, or nothing shows what runs.
    """
    evidence = dict(context.engine.evidence(instance))
    prove(context.engine, context.lab, evidence)
    return {key: without_names(context, value) for key, value in evidence.items()}


def prove(engine: Engine, lab: Lab, evidence: Mapping[str, str]) -> None:
    """Compare the evidence of a live instance with what was asked for: the target's options, and the payload.

    Raises:
        EvidenceMismatch: One differs in the live instance, or is not among the evidence although the engine can know it.
    """
    check_evidence(engine, lab, evidence)
    for key, wanted in _asked(engine, lab).items():
        if key not in evidence and key not in unproved(engine):
            raise EvidenceMismatch(key, wanted, "")


def check_evidence(engine: Engine, lab: Lab, evidence: Mapping[str, str]) -> None:
    """Compare what is known of something that an engine made, which need not be everything, with what was asked for.

    Raises:
        EvidenceMismatch: An option of the target, or the payload's digest, differs.
    """
    for key, wanted in _asked(engine, lab).items():
        found = evidence.get(key)
        if found is not None and found != wanted:
            raise EvidenceMismatch(key, wanted, found)


def _asked(engine: Engine, lab: Lab) -> dict[str, str]:
    return {**engine.target.options, "payload": images.payload(lab.paths.state).digest}


def at(context: InvocationContext, **params: Any) -> InvocationContext:
    """Return the context with some parameters changed."""
    return dataclasses.replace(context, params={**context.params, **params})


def without_names(context: InvocationContext, value: str) -> str:
    """Replace this instance's own names by placeholders, so that evidence of the same kind is the same every time."""
    value = re.sub(re.escape(context.name) + r"(-[a-z0-9]+)*\b", "NAME", value).replace(context.lab.short_id, "RUN")
    return re.sub(r"([/-])[0-9a-f]{64}\b", r"\1ID", value)


def from_request(timeline: Timeline) -> dict[str, float]:
    """Return the startup metrics of the phases that happened, in seconds from the request."""
    found = {name: timeline.since_request(phase) for phase, name in _FROM_REQUEST.items()}
    return {name: value for name, value in found.items() if value is not None}
