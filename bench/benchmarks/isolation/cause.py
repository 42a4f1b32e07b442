"""Why a victim was late: pressure on the host, a quota that was used up, CPU time that the hypervisor took."""

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
_STEAL = 7
"""Place of the stolen time among the numbers of /proc/stat's first line (proc_stat(5))."""


@dataclass(frozen=True)
class Counters:
    """Counters at one time.

    Attributes:
        at_s: When.
        pressure_s: Resource → seconds for which some task of the host waited for it (PSI); those that the kernel counts.
        steal_s: CPU seconds that the hypervisor gave to others; ``None`` where they are not counted.
        throttled_s: Instance → seconds for which its group had used up its quota.
    """

    at_s: float
    pressure_s: Mapping[str, float]
    steal_s: float | None
    throttled_s: Mapping[str, float]


def read(groups: Mapping[str, Group | None]) -> Counters:
    """Read the counters; ``groups``: instance → its control group."""
    waited = {name: found for name in RESOURCES if (found := host.pressure(name)) is not None}
    throttled = {name: found for name, group in groups.items() if group and (found := group.throttled_s()) is not None}
    return Counters(now_s(), waited, steal_s(kernelfiles.text(kernelfiles.PROC / "stat")), throttled)


def steal_s(stat: str) -> float | None:
    """Return the stolen CPU seconds of /proc/stat; ``None`` where the kernel does not count them."""
    fields = stat.partition("\n")[0].split()
    if len(fields) <= _STEAL + 1 or fields[0] != "cpu":
        return None
    return int(fields[_STEAL + 1]) / os.sysconf("SC_CLK_TCK")


def between(before: Counters, after: Counters) -> Iterator[Value]:
    """Yield the shares of the time between two readings, those that both have."""
    seconds = after.at_s - before.at_s
    for name in before.pressure_s.keys() & after.pressure_s.keys():
        waited = after.pressure_s[name] - before.pressure_s[name]
        yield Value("isolation.pressure_ratio", waited / seconds, {"resource": name})
    for name in before.throttled_s.keys() & after.throttled_s.keys():
        waited = after.throttled_s[name] - before.throttled_s[name]
        yield Value("isolation.throttled_ratio", waited / seconds, {"instance": name})
    if before.steal_s is not None and after.steal_s is not None:
        cpus = os.cpu_count() or 1
        yield Value("isolation.steal_ratio", (after.steal_s - before.steal_s) / seconds / cpus)
