"""What the procedures share: an instance's job, its life that always ends, and the check of what really ran."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.core.clock import Channel, Line, Timeline, now_s
from bench.core.errors import EvidenceMismatch, TareError
from bench.core.model import Phase
from bench.engines.base import Instance, InstanceSpec
from bench.invocation.context import InvocationContext
from bench.lab import images

_FROM_REQUEST = {
    Phase.CREATED: "startup.created_s",
    Phase.STARTED: "startup.started_s",
    Phase.FIRST_INSTRUCTION: "startup.first_instruction_s",
    Phase.READY: "startup.ready_s",
}


def spec_of(
    context: InvocationContext, arguments: tuple[str, ...] = ("--sleep",), *, suffix: str = "", **changes: Any
) -> InstanceSpec:
    """Return the job of an instance of this invocation, journalled; ``suffix`` tells several of them apart.

    Memory and CPUs are those of the invocation's parameters where it has them; ``changes`` are other fields of ``InstanceSpec``.
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
def living(context: InvocationContext, spec: InstanceSpec) -> Iterator[tuple[Instance, Channel]]:
    """Give an instance that is ready, with its channel; whatever happens in the block, nothing of its name is left."""
    with context.hub.channel(spec.events, context.engine.channel) as channel, deleted(context, spec.name):
        with context.account.engine():
            begin = now_s()
            context.note_request(begin)
            instance = context.engine.create(spec)
            context.engine.start(instance)
            channel.wait(Phase.READY, max(0.0, begin + context.timeout_s - now_s()), instance.alive)
        try:
            yield instance, channel
        finally:  # most of all when it failed: what a tool said is then the reason
            for name, text in outputs(channel.lines):
                context.keep(name, text)


def outputs(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """Yield what each program printed that a payload ran, from ``B NAME`` on, with its name."""
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


@contextlib.contextmanager
def deleted(context: InvocationContext, name: str) -> Iterator[None]:
    """Delete what carries the name after the block, whatever happened in it; the first error is the one to report."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(TareError), context.account.engine():
            context.engine.delete(name)
        raise
    with context.account.engine():
        context.engine.delete(name)


def evidence_of(context: InvocationContext, instance: Instance) -> dict[str, str]:
    """Read back what runs, compare it with what was asked for, and put placeholders for the instance's own names.

    Raises:
        EvidenceMismatch: Something else runs.
    """
    evidence = dict(context.engine.evidence(instance))
    check_evidence(context, evidence)
    return {key: without_names(context, value) for key, value in evidence.items()}


def check_evidence(context: InvocationContext, evidence: Mapping[str, str]) -> None:
    """Compare what runs with what was asked for.

    Raises:
        EvidenceMismatch: An option of the target, or the payload's digest, is another in the live instance.
    """
    asked = dict(context.engine.target.options)
    asked["payload"] = images.payload(context.lab.paths.state).digest
    for key, wanted in asked.items():
        found = evidence.get(key)
        if found is not None and found != wanted:
            raise EvidenceMismatch(key, wanted, found)


def at(context: InvocationContext, **params: Any) -> InvocationContext:
    """Return the place with some parameters changed."""
    return dataclasses.replace(context, params={**context.params, **params})


def without_names(context: InvocationContext, value: str) -> str:
    """Put placeholders where this instance's own names stand: evidence of the same kind reads the same every time."""
    value = re.sub(re.escape(context.name) + r"(-[a-z0-9]+)*\b", "NAME", value).replace(context.lab.short_id, "RUN")
    return re.sub(r"([/-])[0-9a-f]{64}\b", r"\1ID", value)


def from_request(timeline: Timeline) -> dict[str, float]:
    """Return the startup metrics of the phases that took place, in seconds from the request."""
    found = {name: timeline.since_request(phase) for phase, name in _FROM_REQUEST.items()}
    return {name: value for name, value in found.items() if value is not None}
