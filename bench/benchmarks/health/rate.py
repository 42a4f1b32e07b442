"""Many instances whose probes run at once: how many probes a second the engine sustains, and their CPU time."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.benchmarks.health import checked, states
from bench.benchmarks.health.watch import Watch, begun, driven
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationTimeout, TareError
from bench.engines.base import HealthCheck, Instance
from bench.engines.life import Life
from bench.invocation import headroom, life
from bench.invocation.context import InvocationContext, InvocationResult, Value

_GAP_S = 0.01


class Herd:
    """Instances with the same check, more and more of them.

    Attributes:
        lives: Their lives.
        evidence: What was read back from the first one.
    """

    def __init__(self, context: InvocationContext, check: HealthCheck, pool: ThreadPoolExecutor) -> None:
        self.lives: list[Life] = []
        self.evidence: dict[str, str] = {}
        self._context = context
        self._check = check
        self._pool = pool
        self._stack, self._drivers = contextlib.ExitStack(), contextlib.ExitStack()

    def grow(self, count: int) -> None:
        """Start instances until there are that many, and wait until each has run a probe."""
        new = [self._opened(number) for number in range(len(self.lives), count)]
        with self._context.account.engine():
            instances = list(self._pool.map(self._ready, new))
        self.evidence = self.evidence or checked.proved(self._context, instances[0], self._check)
        for one, instance in zip(new, instances, strict=True):
            self._drivers.enter_context(driven(Watch(), checked.ability(self._context), instance, self._check))
            self.lives.append(one)
        self._wait()

    def probes(self, after_s: float, until_s: float) -> int:
        """Count the probes of all instances that began between two moments."""
        return sum(len(begun(one.channel.lines, after_s, until_s)) for one in self.lives)

    def close(self) -> None:
        """Delete all, several at a time; what could not be deleted is tried again, one by one."""
        with self._stack, self._drivers:
            self._drivers.close()
            list(self._pool.map(self._delete, [one.spec.name for one in self.lives]))

    def _opened(self, number: int) -> Life:
        spec = dataclasses.replace(checked.spec_of(self._context, None, f"-{number}"), health=self._check)
        return self._stack.enter_context(life.opened(self._context, spec))

    def _ready(self, one: Life) -> Instance:
        one.request()
        return one.run()

    def _delete(self, name: str) -> None:
        with contextlib.suppress(TareError):
            self._context.engine.delete(name)

    def _wait(self) -> None:
        end = now_s() + self._context.timeout_s
        while any(not begun(one.channel.lines, 0.0, now_s()) for one in self.lives):
            if now_s() > end:
                msg = "not every instance has run a probe in the time of the invocation"
                raise InvocationTimeout(msg)
            sleep_s(_GAP_S)


def measure(context: InvocationContext) -> InvocationResult:
    """Count probes with one instance, with ten, and with the most that are asked for."""
    check = checked.plain(context, "cmd", interval_s=float(context.params["rate_interval_s"]))
    checked.ability(context).refuse(check)
    series: list[Value] = []
    with _herd(context, check) as herd:
        for count in steps(int(context.params["instances"])):
            herd.grow(count)
            series += _counted(context, herd, count)
    return InvocationResult({}, herd.evidence, series=tuple(series), notes=states.notes(context))


def steps(most: int) -> list[int]:
    """Return the numbers of instances: powers of ten, and the most.

    >>> steps(1), steps(10), steps(50)
    ([1], [1, 10], [1, 10, 50])
    """
    return sorted({one for one in (1, 10, 100) if one < most} | {most})


@contextlib.contextmanager
def _herd(context: InvocationContext, check: HealthCheck) -> Iterator[Herd]:
    with (
        headroom.own_descriptor_limit(),
        ThreadPoolExecutor(headroom.workers(context), thread_name_prefix="tare-health") as pool,
    ):
        herd = Herd(context, check, pool)
        try:
            yield herd
        finally:
            herd.close()


def _counted(context: InvocationContext, herd: Herd, count: int) -> Iterator[Value]:
    """Count the probes that begin in a window of time, and the CPU time used in it."""
    cpu, begin = context.cpu_s(), now_s()
    with context.account.engine():
        sleep_s(float(context.params["window_s"]))
    after, end = context.cpu_s(), now_s()
    probes = herd.probes(begin, end)
    params = {"instances": count}
    yield Value("health.per_s", probes / (end - begin), params)
    if probes and cpu is not None and after is not None:
        yield Value("health.rate_cpu_s", (after - cpu) / probes, params)
