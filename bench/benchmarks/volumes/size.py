"""How much a tmpfs takes, and whose memory it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core import kernelfiles
from bench.core.clock import Channel
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable
from bench.engines.base import Bind, Instance, Limits
from bench.engines.evidence.mounts import DATA
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult
from bench.invocation.group import Group, of_instance

MIB = 2**20
MEMORY_BYTES = 64 * MIB
"""Memory limit, which the tmpfs of the second case exceeds."""
_TIMES = 2
"""How much is written at most, in multiples of the size that was asked for."""
_CHARGED = 0.9
"""Smallest part of what was written that the control group must have more of afterwards."""
_PATIENCE_MS = 1000


@dataclass(frozen=True)
class Filling:
    """An instance whose payload waits to fill a tmpfs.

    Attributes:
        context: The invocation.
        instance: The instance.
        channel: Its event channel.
        group: Its control group.
        evidence: What was read back from it.
    """

    context: InvocationContext
    instance: Instance
    channel: Channel
    group: Group | None
    evidence: dict[str, str]

    def fill(self) -> str | None:
        """Have the tmpfs filled; return why the instance ended meanwhile, ``None`` if it did not."""
        poke.go_on(self.instance, self.channel)
        try:
            self.channel.wait_line("C fill ", self.context.timeout_s, self.instance.alive)
        except InvocationTimeout:
            raise
        except InvocationFailed as error:
            return str(error)
        return None

    def written(self) -> int:
        """Return how many bytes were written, as far as the payload could say."""
        found = [line.text for line in self.channel.lines if line.text.startswith(("M fill ", "C fill "))]
        return int(found[-1].rpartition(" ")[2]) if found else 0

    def end(self) -> str:
        """Return what ended the writing: ``all`` for nothing."""
        found = [line.text for line in self.channel.lines if line.text.startswith("S fill ")]
        return found[-1].removeprefix("S fill ") if found else ""


def until_full(context: InvocationContext) -> InvocationResult:
    """Fill a tmpfs of a known size and compare the bytes with it, and with what the control group has more of.

    Raises:
        InvocationFailed: The instance ended.
    """
    size = int(context.params["size_bytes"])
    with _filling(context, size, _TIMES * size, _TIMES * size + MEMORY_BYTES) as filling:
        before = _shared(filling.group)
        if ended := filling.fill():
            raise InvocationFailed(ended)
        after, written = _shared(filling.group), filling.written()
        values = {"volumes.size_ratio": written / size}
        if before is not None and after is not None:
            values["volumes.charged"] = float(after - before >= _CHARGED * written)
        context.engine.stop(filling.instance)
    return InvocationResult(values, filling.evidence, notes={"end": filling.end()})


def beyond_memory(context: InvocationContext) -> InvocationResult:
    """Fill a tmpfs that may hold twice the memory limit."""
    with _filling(context, _TIMES * MEMORY_BYTES, _TIMES * MEMORY_BYTES, MEMORY_BYTES) as filling:
        before = filling.group.oom_kills() if filling.group else None
        ended = filling.fill()
        after = filling.group.oom_kills() if filling.group else None
        killed = killed_for_memory(ended, before, after)
        reached = filling.written() / MEMORY_BYTES
    notes = {"end": "killed for want of memory" if killed else filling.end() or str(ended)}
    return InvocationResult(
        {"volumes.killed": float(killed), "volumes.reached_ratio": reached}, filling.evidence, notes=notes
    )


def killed_for_memory(ended: str | None, before: int | None, after: int | None) -> bool:
    """Say whether the OOM killer has killed something of the instance: its group counts it, or is gone after SIGKILL."""
    if before is not None and after is not None:
        return after > before
    return ended is not None and "SIGKILL" in ended


def _shared(group: Group | None) -> int | None:
    """Return the bytes of the group's memory that are files in memory."""
    return group.memory_stat("shmem") if group else None


@contextlib.contextmanager
def _filling(context: InvocationContext, size: int, most: int, memory_bytes: int) -> Iterator[Filling]:
    """Yield a ready instance with a tmpfs of a size, to which ``most`` is written, and a memory limit, without swap.

    Raises:
        NotApplicable: The target has no file systems in memory.
    """
    if context.engine.kind != "container":
        msg = f"'{context.engine.target.text}' gives an instance no file system in memory"
        raise NotApplicable(msg)
    bind = Bind(DATA, Path(f"{context.name}-{DATA}"), read_only=False, kind="tmpfs", size_bytes=size)
    actions = ("--wait", str(_PATIENCE_MS), "--fill", f"{{{DATA}}}/file:{most}", "--sleep")
    swap = memory_bytes if len(kernelfiles.table(Path("/proc/swaps"))) > 1 else None
    fields: dict[str, Any] = {"memory_bytes": memory_bytes, "limits": Limits(swap_bytes=swap), "binds": (bind,)}
    spec = life.spec_of(context, actions, **fields)
    with life.living(context, spec) as (instance, channel), context.account.engine():
        evidence = life.evidence_of(context, instance)
        yield Filling(context, instance, channel, of_instance(instance.pids()), evidence)
