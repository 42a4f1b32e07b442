"""An instance under a limit, whose payload waits until it is told to push against it, and the result."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.core.clock import Channel, Line
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Phase
from bench.engines.base import Instance, InstanceSpec
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult
from bench.invocation.group import Group, of_process, wanted

MIB = 2**20
_PATIENCE_MS = 5000
"""How long the payload waits to be told to go on. Only one that the host cannot signal (in gVisor) waits that long."""


@dataclass(frozen=True)
class Pressed:
    """A live instance with one limit in force.

    Attributes:
        context: The invocation.
        spec: What was asked for.
        instance: The instance.
        channel: Its event channel.
        ready_s: Request to ready, seconds.
        group: Its control group; ``None`` for a machine and where there is none.
        evidence: What was read back from it.
        pid: The payload's process; ``None`` where the host does not see it.
    """

    context: InvocationContext
    spec: InstanceSpec
    instance: Instance
    channel: Channel
    ready_s: float
    group: Group | None
    evidence: Mapping[str, str]
    pid: int | None

    def go(self) -> None:
        """Tell the payload to begin; its next line acknowledges it."""
        if self.pid is not None:
            poke.tell([self.pid])
        elif self.context.engine.kind == "machine":
            self.channel.ask()

    def line(self, start: str) -> Line:
        """Wait for a line that begins with ``start``; errors as of :meth:`bench.core.clock.Channel.wait_line`."""
        with self.context.account.engine():
            return self.channel.wait_line(start, self.context.timeout_s, self.instance.alive)

    def counted(self, what: str) -> Counted:
        """Wait until the payload has done ``what`` and return what it counted in which time."""
        begin, end = self.line(f"B {what}"), self.line(f"C {what} ")
        return Counted(int(end.text.split()[2]), begin.at_s, end.at_s)


@dataclass(frozen=True)
class Counted:
    """What the payload counted between two events, stamped on the host.

    Raises:
        InvocationFailed: No time passed between them.
    """

    count: int
    begin_s: float
    end_s: float

    def __post_init__(self) -> None:
        if self.end_s <= self.begin_s:
            msg = f"the payload's end came {self.begin_s - self.end_s:.3g} s before its beginning"
            raise InvocationFailed(msg)

    @property
    def window_s(self) -> float:
        """Duration, seconds."""
        return self.end_s - self.begin_s


@dataclass(frozen=True)
class Finding:
    """The result of pushing against a limit.

    Attributes:
        ratio: Achieved ÷ asked.
        probe_s: Observed time, seconds.
        asked: What was asked for, in words.
        achieved: What was achieved, in words.
        how: How it was measured, with the proof.
        flags: Doubts.
    """

    ratio: float
    probe_s: float
    asked: str
    achieved: str
    how: str
    flags: tuple[str, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def started(
    context: InvocationContext, *actions: str, suffix: str = "", limit: str | None = None, **changes: Any
) -> Iterator[Pressed]:
    """Yield an instance that is ready and waits to begin its ``actions``; without ``changes`` it has no limits at all.

    Raises:
        NotApplicable: The target has no such limit.
        InvocationFailed: The limit read back from the live instance is not the one that was asked for.
    """
    if limit is not None and context.engine.kind == "process":
        msg = f"'{context.engine.target.text}' is a plain process without a control group of its own: there is no {limit} limit"
        raise NotApplicable(msg)
    wait = ("--wait", str(_PATIENCE_MS)) if actions else ()
    fields = {"memory_bytes": None, "cpus": None, **changes}
    spec = life.spec_of(context, (*wait, *actions, "--sleep"), suffix=suffix, **fields)
    with life.begun(context, spec) as (begun, instance):
        ready_s = begun.timeline.stamps[Phase.READY] - begun.requested_s
        with context.account.engine():
            evidence = life.evidence_of(context, instance)
            pid, group = _found(context, instance)
        if limit is not None:
            evidence |= check(limit, spec, group, evidence)
        yield Pressed(context, spec, instance, begun.channel, ready_s, group, evidence, pid)


def check(limit: str, spec: InstanceSpec, group: Group | None, evidence: Mapping[str, str]) -> dict[str, str]:
    """Return the limit as the live instance has it, as evidence.

    Raises:
        InvocationFailed: It is not the one that was asked for.
    """
    asked = wanted(limit, spec.cpus, spec.memory_bytes, spec.limits)
    if group is None and limit == "memory" and "memory_bytes" in evidence:  # a machine's memory is its limit
        found, asked = {"machine": evidence["memory_bytes"]}, {"machine": str(spec.memory_bytes)}
    else:
        found = group.limit(limit) if group is not None else {}
    wrong = [
        f"{name} is '{text}', not '{asked[name]}'" for name, text in found.items() if asked.get(name, text) != text
    ]
    if wrong:
        msg = f"the limit in force is another than asked for: {'; '.join(wrong)}"
        raise InvocationFailed(msg)
    return {f"limit {name}": text or "empty" for name, text in found.items()}


def result_of(pressed: Pressed, finding: Finding, *, with_ready: bool = True) -> InvocationResult:
    """Return the invocation's result."""
    values = {"limit.achieved_ratio": finding.ratio, "limit.probe_s": finding.probe_s}
    if with_ready:
        values["limit.ready_s"] = pressed.ready_s
    notes = {"asked": finding.asked, "achieved": finding.achieved, "how": finding.how}
    flags = finding.flags
    if not any(name.startswith("limit ") for name in {**pressed.evidence, **finding.evidence}):
        flags = (*flags, "limit: could not be read back from the live instance")
    return InvocationResult(values, {**pressed.evidence, **finding.evidence}, flags, notes=notes)


def _found(context: InvocationContext, instance: Instance) -> tuple[int | None, Group | None]:
    """Return the payload's process and the instance's control group, as far as the host sees them.

    gVisor's payload is not a process of the host, but its sandbox is in the container's group; a machine's QEMU is in a group
    whose limits are not the machine's.
    """
    pids = instance.pids()
    if context.engine.kind == "machine" or not pids:
        return None, None
    payload = next(iter(poke.payloads(pids)), None)
    return payload, of_process(min(pids) if payload is None else payload)
