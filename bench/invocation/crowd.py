"""Many instances of one engine at once: launched, asked whether they live, and deleted in parallel.

The threads are made by the main thread, which has entered the lab's mount namespace: they inherit it, so that what they
start is in it, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bench.core.clock import Channel, now_s, sleep_s
from bench.core.errors import InvocationFailed, TareError
from bench.core.model import Phase
from bench.engines import base
from bench.engines.base import Instance, InstanceSpec
from bench.invocation import headroom, life
from bench.invocation.context import InvocationContext
from bench.lab import cgroups
from bench.probes import processes

Item = TypeVar("Item")
Result = TypeVar("Result")
_ANSWER_S = 10.0
_BRIEF_S = 1.0
_QUIET_S = 120.0
_STILL_S = 2.5  # the kernel flushes a dying group's per-CPU charges every 2 s
_GAP_S = 0.1
_PROCESS = "its process runs, as the engine says (the payload cannot be asked)"


@dataclass
class Member:
    """One instance of the crowd.

    Attributes:
        job: What it runs.
        channel: Where its payload reports.
        instance: As the engine returned it; ``None`` before.
        request_s: Stamp of its request.
        error: Why it did not become ready.
    """

    spec: InstanceSpec
    channel: Channel
    instance: Instance | None = None
    request_s: float = 0.0
    error: Exception | None = None

    @property
    def start_s(self) -> float:
        """Seconds from the request to the payload's word that it is ready."""
        return self.channel.stamps[Phase.READY] - self.request_s


@dataclass(frozen=True)
class Step:
    """What one launch of several instances gave.

    Attributes:
        ready: Those that became ready.
        errors: Why the others did not.
        wall_s: From the first request to the last word.
    """

    ready: list[Member]
    errors: list[Exception]
    wall_s: float

    @property
    def start_s(self) -> float:
        """Median of the times from request to ready."""
        return statistics.median(member.start_s for member in self.ready)


@dataclass(frozen=True)
class Liveness:
    """Who answered: how many of how many, and what was asked."""

    alive: int
    asked: int
    probe: str

    @property
    def ratio(self) -> float:
        """Alive ÷ asked."""
        return self.alive / self.asked


@dataclass
class Crowd:
    """The instances of one invocation; made by :func:`gathered`.

    Attributes:
        place: Where they live.
        arguments: What the payload is told.
        deadline_s: Stamp at which the invocation's time is over.
        pool: The threads; as many are started, or deleted, at once.
        members: Those that are ready, in the order of their names.
        deleted_per_s: Rate of the deletion, once it is done without errors.
    """

    context: InvocationContext
    arguments: tuple[str, ...]
    deadline_s: float
    pool: ThreadPoolExecutor
    members: list[Member] = field(default_factory=list)
    deleted_per_s: float | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _open: dict[str, contextlib.ExitStack] = field(default_factory=dict)
    _count: int = 0

    def launch(self, count: int) -> Step:
        """Start ``count`` more and wait until each is ready or has failed; a failure does not end the others."""
        headroom.allow_descriptors((len(self.members) + count) * headroom.DESCRIPTORS[self.context.engine.channel])
        jobs = [self._job(self._count + number) for number in range(count)]
        self._count += count
        with self.context.account.engine():
            begin = now_s()
            if jobs[0].name.endswith("-0"):
                self.context.note_request(begin)
            done = self._each(self._one, jobs)
            wall = now_s() - begin
        ready = [member for member in done if member.error is None]
        self.members += ready
        return Step(ready, [member.error for member in done if member.error is not None], wall)

    def alive(self) -> Liveness:
        """Ask every instance whether it lives: the payload itself where it can be reached, else the engine."""
        with self.context.account.engine():
            before = [len(member.channel.lines) for member in self.members]
            probe = self._ask()
            if probe == _PROCESS:
                count = self._each(_lives, self.members).count(True)
            else:
                end = now_s() + _ANSWER_S
                pairs = zip(self.members, before, strict=True)
                count = [_answers(member, seen, end) for member, seen in pairs].count(True)
        return Liveness(count, len(self.members), probe)

    def pids(self) -> set[int]:
        """Return the instances' processes if they are not in the run's control group, else none."""
        if not self.members or self._inside():
            return set()
        return set().union(*self._each(_pids, self.members))

    def delete(self) -> None:
        """Delete all, in parallel.

        Raises:
            Exception: The first error, after all have been tried.
        """
        names = [*self._open]
        begin = now_s()
        with self.context.account.engine():
            errors = [error for error in self._each(self._delete, names) if error is not None]
        self.members.clear()
        if errors:
            raise errors[0]
        self.deleted_per_s = len(names) / (now_s() - begin) if names else None

    def close(self) -> None:
        """Close what is left of the channels (of instances that could not be deleted)."""
        while self._open:
            self._open.popitem()[1].close()

    def _job(self, number: int) -> InstanceSpec:
        left = max(_BRIEF_S, self.deadline_s - now_s())
        return replace(life.spec_of(self.context, self.arguments, suffix=f"-{number}"), timeout_s=left)

    def _one(self, spec: InstanceSpec) -> Member:
        """Start one and wait for its word; runs in a thread of the pool."""
        channels = self._open[spec.name] = contextlib.ExitStack()
        member = Member(
            spec, channels.enter_context(self.context.hub.channel(spec.events, self.context.engine.channel))
        )
        try:
            member.request_s = now_s()
            member.instance = instance = base.launch(self.context.engine, spec)
            member.channel.wait(Phase.READY, max(0.0, self.deadline_s - now_s()), lambda: self._why_not(instance))
        except Exception as error:  # noqa: BLE001 - one that fails, in whatever way, must not lose the others
            member.error = error
            self._delete(spec.name)
        return member

    def _why_not(self, instance: Instance) -> str | None:
        return "the run was interrupted" if self._stopping.is_set() else instance.alive()

    def _delete(self, name: str) -> Exception | None:
        try:
            self.context.engine.delete(name)
        except Exception as error:  # noqa: BLE001 - the others must be deleted all the same
            return error
        self._open.pop(name).close()
        return None

    def _ask(self) -> str:
        """Ask all payloads at once and say how; ``_PROCESS`` when none of them can be asked."""
        if self.context.engine.channel == "stream":
            for member in self.members:
                member.channel.ask()
            return "the payload answered over its serial port"
        every = cgroups.pids_of(self.context.lab.cgroup_path) if self._inside() else self.pids()
        asked = [pid for pid in every if processes.is_payload(pid)]
        for pid in asked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
        return "the payload answered a signal" if asked else _PROCESS

    def _inside(self) -> bool:
        """Say whether the instances' processes are in the run's control group, by the first instance's."""
        path = self.context.lab.cgroup_path
        return bool(path) and _pids(self.members[0]) <= cgroups.pids_of(path)

    def _each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Call it for each item in the pool's threads; when this is interrupted, nothing more is begun."""
        futures = [self.pool.submit(function, item) for item in items]
        try:
            wait(futures)
        except BaseException:
            self._stopping.set()
            for future in futures:
                future.cancel()
            wait(futures)
            raise
        return [future.result() for future in futures]


@contextlib.contextmanager
def gathered(context: InvocationContext) -> Iterator[Crowd]:
    """Give an empty crowd; whatever happens in the block, none of its instances is left, and the host is quiet again."""
    touch = int(context.params["touch_bytes"])
    arguments = ("--touch", str(touch), "--sleep") if touch else ("--sleep",)
    before = context.lab.residue()
    with (
        headroom.own_descriptor_limit(),
        ThreadPoolExecutor(headroom.workers(context), thread_name_prefix="tare-crowd") as pool,
    ):
        crowd = Crowd(context, arguments, now_s() + context.timeout_s, pool)
        try:
            yield crowd
        except BaseException:
            with contextlib.suppress(TareError):
                crowd.delete()
            raise
        else:
            crowd.delete()
        finally:
            crowd.close()
            with context.account.barrier():
                quiet(context, before)


def failure(errors: list[Exception], count: int) -> Exception:
    """Return what to raise when instances did not start: the first error, and how many there were."""
    first = errors[0]
    if isinstance(first, TareError):
        return type(first)(f"{len(errors)} of {count} instances did not start; the first: {first}")
    return first


def quiet(context: InvocationContext, before: Mapping[str, int]) -> bool:
    """Wait until there is no more of anything than before, or nothing becomes less any more; say whether that came.

    The kernel removes network namespaces and control groups one after the other in the background: a thousand take a
    minute. What does not become less for some seconds (groups held by cached file pages) is left to the runner's flag.
    """
    last, since, end = context.lab.residue(), now_s(), now_s() + _QUIET_S
    while any(count > before.get(name, 0) for name, count in last.items()):
        sleep_s(_GAP_S)
        now = context.lab.residue()
        if any(count < last[name] for name, count in now.items()):
            since = now_s()
        last = now
        if now_s() - since > _STILL_S:
            return True
        if now_s() > end:
            return False
    return True


def _lives(member: Member) -> bool:
    return member.instance is not None and member.instance.alive() is None


def _pids(member: Member) -> set[int]:
    return set() if member.instance is None else member.instance.pids()


def _answers(member: Member, seen: int, end: float) -> bool:
    try:
        member.channel.wait_line("A", max(0.0, end - now_s()), after=seen)
    except InvocationFailed:
        return False
    return True
