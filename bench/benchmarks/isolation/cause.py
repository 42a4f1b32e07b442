"""Why a victim was late: pressure, a quota that was used up, CPU time of software interrupts and of the hypervisor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.core import kernelfiles
from bench.core.clock import now_s
from bench.invocation.context import Value
from bench.invocation.group import Group
from bench.probes import host

RESOURCES = ("cpu", "memory", "io")
_SOFTIRQ, _STEAL = 6, 7
"""Places of two times among the numbers of /proc/stat's first line (proc_stat(5))."""


@dataclass(frozen=True)
class Counters:
    """Counters at one time.

    Attributes:
        at_s: When.
        pressure_s: Resource → seconds for which some task of the host waited for it (PSI); those that the kernel counts.
        softirq_s: CPU seconds of software interrupts, which carry packets and count for no process or for any; ``None`` where
            they are not counted.
        steal_s: CPU seconds that the hypervisor gave to others; ``None`` where they are not counted.
        throttled_s: Instance → seconds for which its group had used up its quota.
    """

    at_s: float
    pressure_s: Mapping[str, float]
    softirq_s: float | None
    steal_s: float | None
    throttled_s: Mapping[str, float]


def read(groups: Mapping[str, Group | None]) -> Counters:
    """Read the counters; ``groups``: instance → its control group."""
    waited = {name: found for name in RESOURCES if (found := host.pressure(name)) is not None}
    throttled = {name: found for name, group in groups.items() if group and (found := group.throttled_s()) is not None}
    stat = kernelfiles.text(kernelfiles.PROC / "stat")
    return Counters(now_s(), waited, softirq_s(stat), steal_s(stat), throttled)


def softirq_s(stat: str) -> float | None:
    """Return the CPU seconds of software interrupts of /proc/stat; ``None`` where the kernel does not count them."""
    return _cpu_s(stat, _SOFTIRQ)


def steal_s(stat: str) -> float | None:
    """Return the stolen CPU seconds of /proc/stat; ``None`` where the kernel does not count them."""
    return _cpu_s(stat, _STEAL)


def _cpu_s(stat: str, place: int) -> float | None:
    fields = stat.partition("\n")[0].split()
    if len(fields) <= place + 1 or fields[0] != "cpu":
        return None
    return int(fields[place + 1]) / os.sysconf("SC_CLK_TCK")


def between(before: Counters, after: Counters) -> Iterator[Value]:
    """Yield the shares of the time between two readings, those that both have."""
    seconds = after.at_s - before.at_s
    for name in before.pressure_s.keys() & after.pressure_s.keys():
        waited = after.pressure_s[name] - before.pressure_s[name]
        yield Value("isolation.pressure_ratio", waited / seconds, {"resource": name})
    for name in before.throttled_s.keys() & after.throttled_s.keys():
        waited = after.throttled_s[name] - before.throttled_s[name]
        yield Value("isolation.throttled_ratio", waited / seconds, {"instance": name})
    taken = {"softirq": (before.softirq_s, after.softirq_s), "steal": (before.steal_s, after.steal_s)}
    for name, (first, last) in taken.items():
        if first is not None and last is not None:
            yield Value(f"isolation.{name}_ratio", (last - first) / seconds / (os.cpu_count() or 1))
