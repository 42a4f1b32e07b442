"""Many instances of one engine at once: launched, asked whether they are alive, and deleted in parallel.

The main thread, which has entered the lab's mount namespace, makes the threads: they inherit it, and so does whatever they
start.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bench.core.clock import Channel, now_s
from bench.core.errors import InvocationFailed, TareError
from bench.core.model import Phase
from bench.engines.base import Instance, InstanceSpec
from bench.engines.life import Life
from bench.invocation import headroom, life, poke, residue
from bench.invocation.context import InvocationContext
from bench.lab import cgroups

Item = TypeVar("Item")
Result = TypeVar("Result")
_ANSWER_S = 10.0
_BRIEF_S = 1.0
_PROCESS = "its process runs, as the engine says (the payload cannot be asked)"


@dataclass
class Member:
    """One instance of the crowd.

    Attributes:
        life: Its stamps and its channel.
        instance: As the engine returned it; ``None`` before.
        error: Why it did not become ready.
    """

    life: Life
    instance: Instance | None = None
    error: Exception | None = None

    @property
    def spec(self) -> InstanceSpec:
        """What it runs."""
        return self.life.spec

    @property
    def channel(self) -> Channel:
        """Where its payload reports."""
        return self.life.channel

    @property
    def start_s(self) -> float:
        """Seconds from the request until the payload reports that it is ready."""
        return self.life.timeline.stamps[Phase.READY] - self.life.requested_s


@dataclass(frozen=True)
class Step:
    """The result of launching several instances.

    Attributes:
        ready: Those that became ready.
        errors: Why the others did not.
        wall_s: From the first request until the last one is ready or has failed.
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
    """How many of how many answered, and how they were asked."""

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
        context: The invocation.
        arguments: Arguments of the payload.
        deadline_s: Stamp at which the invocation times out.
        pool: The threads; as many instances are started, or deleted, at once.
        members: Those that are ready, in the order of their names.
        deleted_per_s: Rate of the deletion, once it has succeeded.
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
        """Start ``count`` more and wait until each is ready or has failed; a failure does not stop the others."""
        headroom.allow_descriptors((len(self.members) + count) * headroom.DESCRIPTORS[self.context.engine.channel])
        specs = [self._spec(self._count + number) for number in range(count)]
        self._count += count
        with self.context.account.engine():
            begin = now_s()
            if specs[0].name.endswith("-0"):
                self.context.note_request(begin)
            done = self._each(self._one, specs)
            wall = now_s() - begin
        ready = [member for member in done if member.error is None]
        self.members += ready
        return Step(ready, [member.error for member in done if member.error is not None], wall)

    def alive(self) -> Liveness:
        """Ask every instance whether it is alive: the payload itself where it can be reached, else the engine."""
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
        """Return the instances' PIDs unless they are in the run's control group."""
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

    def _spec(self, number: int) -> InstanceSpec:
        left = max(_BRIEF_S, self.deadline_s - now_s())
        return replace(life.spec_of(self.context, self.arguments, suffix=f"-{number}"), timeout_s=left)

    def _one(self, spec: InstanceSpec) -> Member:
        """Start one and wait until it is ready; runs in a thread of the pool."""
        engine, channels = self.context.engine, contextlib.ExitStack()
        self._open[spec.name] = channels
        channel = channels.enter_context(self.context.hub.channel(spec.events, engine.channel))
        member = Member(Life(engine, spec, channel, self.deadline_s - now_s()))
        try:
            member.instance = instance = member.life.launch()
            member.life.wait_ready(lambda: self._why_not(instance))
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
        if self.context.engine.kind == "machine":
            for member in self.members:
                member.channel.ask()
            return "the payload answered over its serial port"
        every = cgroups.pids_of(self.context.lab.cgroup_path) if self._inside() else self.pids()
        asked = poke.payloads(every)
        poke.tell(asked)
        return "the payload answered a signal" if asked else _PROCESS

    def _inside(self) -> bool:
        """Return whether the instances' processes are in the run's control group, judging by the first instance."""
        path = self.context.lab.cgroup_path
        return bool(path) and _pids(self.members[0]) <= cgroups.pids_of(path)

    def _each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Call a function for each item in the pool's threads; after an interrupt no further call is begun."""
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
    """Yield an empty crowd; afterwards none of its instances is left, and the host is quiet again."""
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
                residue.wait_gone(context.lab, before)


def failure(errors: list[Exception], count: int) -> Exception:
    """Return the exception for instances that did not start: the first error, and how many there were."""
    first = errors[0]
    if isinstance(first, TareError):
        return type(first)(f"{len(errors)} of {count} instances did not start; the first: {first}")
    return first


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
