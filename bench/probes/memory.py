"""The reconciliation: what was taken from MemAvailable, what processes, groups and the kernel account for, and the rest.

MemAvailable counts as used what is neither free, nor a file page, nor reclaimable slab. So what instances take from it
is the anonymous and shared memory of processes, and kernel memory that reclaim cannot give back; their file pages
(programs, images) are in PSS and in control groups, but not here. What these do not explain is printed, never spread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.core.clock import now_s, sleep_s
from bench.lab import Lab, cgroups
from bench.probes import groups, host, processes
from bench.probes.groups import Charged
from bench.probes.processes import Shares

Read = TypeVar("Read")
_GAP_S = 0.1
"""Between two readings that are compared: the kernel frees in batches by RCU, of some 10 ms each."""
_AGREE = 0.005
_SLACK_BYTES = 128 * 1024
"""Smaller than a thread's stack and its memory in any engine; a quiet host's readings differ by half of that."""


@dataclass(frozen=True)
class Weight:
    """One reading of everything.

    Attributes:
        available: MemAvailable and what is free beside (``host.available``), bytes.
        components: Component → memory of the run's processes.
        kernel: Part → bytes, as ``host.parts`` names them.
        charged: What the instances' control groups are charged with; ``None`` without control groups.
        anonymous_pages: Anonymous memory of all processes of the host, the run's or not, bytes; ``None`` if unknown.
        network_namespaces: How many there are on the host.
    """

    available: int
    components: Mapping[str, Shares]
    kernel: Mapping[str, int]
    charged: Charged | None = None
    anonymous_pages: int | None = None
    network_namespaces: int = 0

    def total(self) -> Shares:
        """Return the sum over the components of instances and daemons, the harness left out."""
        every = [shares for name, shares in self.components.items() if name != "harness"]
        return sum(every, Shares())


def take(lab: Lab, more: Collection[int] = (), guest_bytes: int | None = None) -> Weight:
    """Read everything once; ``more`` are processes of instances that are not in the run's control group.

    Raises:
        InvocationFailed: The kernel does not tell what is needed.
    """
    path = lab.cgroup_path
    daemons = cgroups.pids_of(f"{path}/lab") if path else set()
    pids = (cgroups.pids_of(path) if path else set()) | set(more) | {os.getpid()}
    spaces = lab.residue().get("network namespaces", 0)
    charged = groups.charged(path)
    host.refresh()
    info, zone, stock = host.meminfo(), host.zones(), host.slab_stock()
    components = processes.weigh(pids, daemons=frozenset(daemons), guest_bytes=guest_bytes)
    mapped = sum(shares.shmem for shares in components.values())
    kernel = host.parts(info, zone, stock, mapped)
    return Weight(host.available(info, zone, stock), components, kernel, charged, info.get("AnonPages"), spaces)


@dataclass(frozen=True)
class Added:
    """What a reading has more than the baseline: the columns, which are never mixed, bytes.

    Attributes:
        taken: From MemAvailable.
        components: Component → growth.
        kernel: Part → growth.
        charged: To control groups that there were not before; ``None`` when there is no new one.
        elsewhere: Growth of anonymous memory outside the run, by the host's count: other people's; ``None`` if unknown.
        network_namespaces: How many more there are.
    """

    taken: int
    components: Mapping[str, Shares]
    kernel: Mapping[str, int]
    charged: int | None
    elsewhere: int | None
    network_namespaces: int

    @property
    def used_kernel(self) -> int:
        """Growth of the kernel's parts that are not available."""
        return sum(self.kernel.get(part, 0) for part in host.PARTS)

    @property
    def anonymous(self) -> int:
        """Growth of the anonymous and shared memory of the run's processes, the harness among them."""
        return sum(shares.anonymous for shares in self.components.values())

    @property
    def unexplained(self) -> int:
        """What was taken and is in none of the parts; negative when more is in them than was taken."""
        return self.taken - self.anonymous - (self.elsewhere or 0) - self.used_kernel

    def sum_of(self, field: str) -> int:
        """Return a field of ``Shares`` summed over the components, the harness left out."""
        return sum(getattr(shares, field) for name, shares in self.components.items() if name != "harness")


def added(base: Weight, now: Weight) -> Added:
    """Return the growth from ``base`` to ``now``."""
    names = {*base.components, *now.components}
    components = {name: now.components.get(name, Shares()) - base.components.get(name, Shares()) for name in names}
    kernel = {part: size - base.kernel[part] for part, size in now.kernel.items() if part in base.kernel}
    elsewhere = None
    if now.anonymous_pages is not None and base.anonymous_pages is not None:
        inside = sum(shares.anonymous - shares.shmem for shares in components.values())
        elsewhere = now.anonymous_pages - base.anonymous_pages - inside
    return Added(
        taken=base.available - now.available,
        components=components,
        kernel=kernel,
        charged=_charged(base.charged, now.charged),
        elsewhere=elsewhere,
        network_namespaces=now.network_namespaces - base.network_namespaces,
    )


def _charged(base: Charged | None, now: Charged | None) -> int | None:
    before = base or Charged(0, 0)
    return None if now is None or now.groups <= before.groups else now.usage_bytes - before.usage_bytes


def settled(
    read: Callable[[], Weight], deadline_s: float, base: Weight | None = None, *, count: int = 3
) -> tuple[Weight, bool]:
    """Read until ``count`` readings in a row agree; return the last one and whether they did within the deadline.

    They agree when MemAvailable and the processes' anonymous memory each differ by at most half a percent of what was
    taken since ``base``, or by a small absolute slack.
    """

    def numbers(reading: Weight) -> tuple[int, int]:
        return reading.available, reading.total().anonymous

    return still(read, numbers, deadline_s, None if base is None else base.available, count=count)


def available_settled(deadline_s: float, before: int | None = None) -> tuple[int, bool]:
    """Do the same with what is available alone, which is quick beside thousands of processes."""

    def read() -> int:
        host.refresh()
        return host.available(host.meminfo(), host.zones(), host.slab_stock())

    return still(read, lambda reading: (reading,), deadline_s, before)


def still(
    read: Callable[[], Read],
    numbers: Callable[[Read], Sequence[int]],
    deadline_s: float,
    before: int | None,
    *,
    count: int = 3,
) -> tuple[Read, bool]:
    """Read until the numbers of the last ``count`` readings agree; the first number is what is available."""
    end = now_s() + deadline_s
    seen = [read()]
    while len(seen) < count or not agree([numbers(reading) for reading in seen[-count:]], before):
        if now_s() >= end:
            return seen[-1], False
        sleep_s(_GAP_S)
        seen.append(read())
    return seen[-1], True


def agree(readings: Sequence[Sequence[int]], before: int | None) -> bool:
    """Say whether readings are the same but for noise; ``before`` is what was available without instances."""
    columns = list(zip(*readings, strict=True))
    taken = 0 if before is None else max(0, before - min(columns[0]))
    slack = max(_SLACK_BYTES, _AGREE * taken)
    return all(max(values) - min(values) <= slack for values in columns)


def without_guest(now: Weight) -> bool:
    """Say whether there are virtual machines whose memory could not be told from the VMM's own."""
    vmm = now.components.get("vmm", Shares()).processes
    return vmm > 0 and "guest" not in now.components
